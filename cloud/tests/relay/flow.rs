//! The way of a challenge when nothing goes wrong.

use crate::support::*;
use latchkey_cloud::{clock::SetClock, factory::SignOptions, store::sqlite::Sqlite};
use latchkey_protocol::{Address, Addresses, Code, Door, Message, NoticeEvent, Tag};

#[tokio::test(flavor = "multi_thread")]
async fn a_challenge_is_mailed_and_its_state_is_told() {
    let cloud = Cloud::start().await;
    cloud.assert_keeps_no_secret();
    let device = cloud.device().await;
    let challenge = device.challenge(1);
    let sealed = device.seal(&challenge);
    let tag = Tag::of(sealed.as_bytes()).to_string();
    let answer = cloud.relay(&latchkey_protocol::digits::encode(sealed.as_bytes())).await;
    let id = answer.id();
    assert_eq!(answer.header("location"), Some(format!("/api/v1/relay/{id}").as_str()));
    cloud.assert_keeps_no_secret();
    let shown = cloud.past(&id, "queued").await;
    cloud.assert_keeps_no_secret();
    assert_eq!(shown["mail"]["state"], "accepted");
    assert_eq!(shown["tag"], tag.as_str());
    assert_eq!(shown["purpose"], "reset");
    assert_eq!(shown["masked_addresses"][0], "o***t@m***x.example");

    let mails = cloud.mails();
    assert_eq!(mails.len(), 1);
    let mail = &mails[0];
    assert!(mail.contains(&format!("\n{DIGITS}\n")), "the code stands alone on its line:\n{mail}");
    assert!(mail.contains(&format!("Subject: Verification code for your recorder (request {tag})\n")));
    assert!(mail.contains("ending in 0042"));
    assert!(!mail.contains("LK-2026"));
    assert!(mail.contains("2026-11-22 18:43 (UTC+01:00)"), "{mail}");
    assert!(mail.contains("at the recorder's own screen"));
    assert!(mail.contains("Not you? Do nothing."));
    assert!(mail.contains("Auto-Submitted: auto-generated\n"));
    assert!(mail.contains("Message-ID: <") && mail.contains("Date: Sun, 22 Nov 2026 "), "{mail}");
    assert!(!mail.contains("http") && !mail.contains("href"), "a mail has no links:\n{mail}");
    assert!(mail.contains("Content-Type: multipart/alternative"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_purpose_has_its_own_mail() {
    let cloud = Cloud::start().await;
    let device = cloud.device().await;
    let code = || Code::from_number(CODE).unwrap();
    let kinds = [
        (Message::Reset(code()), "reset", "Verification code", true),
        (Message::ConfirmEmail(code()), "confirm-email", "Confirm this address", true),
        (Message::Rehearsal(code()), "rehearsal", "Trial of the password reset", true),
        (Message::Notice(NoticeEvent::ResetRequested), "notice", "Someone asked to reset", false),
        (Message::Notice(NoticeEvent::ResetCompleted), "notice", "was reset", false),
        (Message::AddressChanged, "address-changed", "was changed", false),
    ];
    for (counter, (message, name, subject, with_code)) in kinds.into_iter().enumerate() {
        let mut challenge = device.challenge(u32::try_from(counter).unwrap());
        challenge.message = message;
        let before = cloud.mails();
        let id = cloud.relay(&device.digits(&challenge)).await.id();
        let shown = cloud.past(&id, "queued").await;
        assert_eq!((&shown["purpose"], &shown["mail"]["state"]), (&name.into(), &"accepted".into()));
        let mails = cloud.mails();
        let mail = mails.iter().find(|mail| !before.contains(mail)).unwrap();
        assert!(mail.lines().any(|l| l.starts_with("Subject: ")) && mail.contains(subject), "{mail}");
        assert_eq!(mail.contains(DIGITS), with_code, "{mail}");
        assert!(!mail.contains("mail-"), "a sentence is missing:\n{mail}");
        // A notice has no QR code beside which a tag could be compared.
        let tag = shown["tag"].as_str().unwrap();
        assert_eq!(
            mail.contains(&format!(" {tag} ")) || mail.contains(&format!("{tag})")),
            with_code,
            "{mail}"
        );
        keep(name, counter, mail);
    }
}

/// `LATCHKEY_MAILS_DIR=folder` keeps the mails, to be looked at.
fn keep(name: &str, number: usize, mail: &str) {
    #[expect(clippy::disallowed_methods, reason = "a person asks for the mails by the environment")]
    let Some(folder) = std::env::var_os("LATCHKEY_MAILS_DIR").map(std::path::PathBuf::from) else { return };
    std::fs::write(folder.join(format!("{number}-{name}.eml")), mail).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_addresses_get_a_mail_each() {
    let cloud = Cloud::start().await;
    let device = cloud.device_with("LK-2", SignOptions { base: true, replace: false }).await;
    let mut challenge = device.challenge(1);
    let second = Address::parse("installer@other.example").unwrap();
    challenge.addresses = Addresses::new(vec![Address::parse(ADDRESS).unwrap(), second]).unwrap();
    let id = cloud.relay(&device.link(&challenge)).await.id();
    let done = |shown: &serde_json::Value| {
        shown["mail"]["deliveries"].as_array().unwrap().iter().all(|d| d["state"] == "accepted")
    };
    let shown = cloud.until(&id, done).await;
    assert_eq!(shown["masked_addresses"].as_array().unwrap().len(), 2);
    let mails = cloud.mails();
    assert_eq!(mails.len(), 2);
    let to = |name: &str| mails.iter().filter(|m| m.contains(&format!("\nTo: {name}\n"))).count();
    assert_eq!((to(ADDRESS), to("installer@other.example")), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_duplicates_are_one_mail() {
    let cloud = Cloud::start().await;
    let device = cloud.device().await;
    let digits = device.digits(&device.challenge(1));
    let mut ids = std::collections::HashSet::new();
    for _ in 0..20 {
        let answers: Vec<_> = (0..50)
            .map(|_| {
                let (address, digits) = (cloud.address(), digits.clone());
                tokio::spawn(async move {
                    let body = serde_json::json!({ "sealed": digits }).to_string();
                    post(address, "/api/v1/relay", "application/json", body.as_bytes()).await
                })
            })
            .collect();
        for answer in answers {
            ids.insert(answer.await.unwrap().id());
        }
    }
    assert_eq!(ids.len(), 1);
    cloud.past(ids.iter().next().unwrap(), "queued").await;
    assert_eq!(cloud.mails().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_is_sent_again_once_and_not_before_a_minute() {
    let cloud = Cloud::start().await;
    let device = cloud.device().await;
    let id = cloud.relay(&device.digits(&device.challenge(1))).await.id();
    cloud.past(&id, "queued").await;
    let again = || post(cloud.address(), "/api/v1/relay/x/resend", "text/plain", b"");
    assert_eq!(again().await.problem(), (404, "unknown-request".into()));
    let path = format!("/api/v1/relay/{id}/resend");
    let again = || post(cloud.address(), &path, "text/plain", b"");
    let early = again().await;
    assert_eq!(early.problem(), (429, "resend-too-early".into()));
    assert_eq!(early.header("retry-after"), Some("60"));
    SetClock::pass(&cloud.clock, 60);
    assert_eq!(again().await.status, 202);
    cloud.past(&id, "queued").await;
    assert_eq!(cloud.mails().len(), 2);
    assert_eq!(again().await.problem(), (409, "resend-used".into()));
    cloud.assert_keeps_no_secret();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queued_mail_survives_a_restart() {
    let mut cloud = Cloud::new(|text| {
        generous(text)
            .replace("maildir = \"mail\"", "[mail.smtp]\nhost = \"127.0.0.1\"\nport = 1\ntls = \"none\"")
    });
    cloud.run().await;
    let device = cloud.device().await;
    let id = cloud.relay(&device.digits(&device.challenge(1))).await.id();
    cloud.until(&id, |shown| shown["mail"]["reason"] == "unreachable").await;
    cloud.assert_keeps_no_secret();
    cloud.stop().await;
    let path = cloud.folder.0.join("cloud.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let at = text.find("[mail.smtp]\nhost = \"127").unwrap();
    std::fs::write(&path, text[..at].to_owned() + "maildir = \"mail\"\n").unwrap();
    cloud.clock.pass(3600);
    cloud.run().await;
    assert_eq!(cloud.past(&id, "queued").await["mail"]["state"], "accepted");
    assert_eq!(cloud.mails().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_over_is_forgotten() {
    let cloud = Cloud::start().await;
    let device = cloud.device().await;
    let digits = device.digits(&device.challenge(1));
    let id = cloud.relay(&digits).await.id();
    cloud.past(&id, "queued").await;
    let database = cloud.config().database();
    let sealed = "SELECT hex(sealed) FROM request WHERE sealed IS NOT NULL";
    assert_eq!(rows(&database, sealed).len(), 1);
    cloud.clock.pass(48 * 3600);
    let store: &dyn latchkey_cloud::store::Store = &Sqlite::open(&database).unwrap();
    use latchkey_cloud::clock::Clock as _;
    store.tidy(cloud.clock.now_s()).await.unwrap();
    assert_eq!(rows(&database, sealed).len(), 0);
    let shown = cloud.show(&id).await;
    assert_eq!(
        (&shown["tag"], &shown["masked_addresses"]),
        (&serde_json::Value::Null, &serde_json::json!([]))
    );
    // The same code once more: the request is known, and nothing is sent again.
    assert_eq!(cloud.relay(&digits).await.id(), id);
    cloud.clock.pass(31 * 86_400);
    store.tidy(cloud.clock.now_s()).await.unwrap();
    assert_eq!(cloud.relay(&digits).await.problem(), (410, "expired".into()));
    assert_eq!(cloud.mails().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_door_has_its_own_sequence() {
    let cloud = Cloud::start().await;
    let device = cloud.device().await;
    let at = |counter, door| {
        let mut challenge = device.challenge(counter);
        challenge.door = door;
        device.digits(&challenge)
    };
    let (old_console, console, lan) = (at(1, Door::Console), at(2, Door::Console), at(3, Door::Lan));
    cloud.relay(&lan).await.id();
    cloud.relay(&console).await.id();
    assert_eq!(cloud.relay(&old_console).await.problem(), (409, "superseded".into()));
    // A factory reset begins a new life at one.
    let mut fresh = device.challenge(1);
    fresh.life = latchkey_protocol::Life([9; 4]);
    cloud.relay(&device.digits(&fresh)).await.id();
}
