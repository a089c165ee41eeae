//! Recorders on accounts, over real sockets: real devices that register, real forms, real mails.

use crate::{accounts::*, link::*, support::*};
use latchkey_cloud::store::{
    Store as _,
    fleet::{FleetStore as _, NodeId, Transition},
    sqlite::Sqlite,
};

pub const CODE_ON_LABEL: &str = "7K4MQ2XR";

/// A recorder that was online with a code, and is offline.
pub async fn known(cloud: &Cloud, serial: &str, code: Option<&'static str>) -> Recorder {
    let recorder = Recorder { code, ..Recorder::new(cloud, serial).await };
    meet(cloud, &recorder).await;
    recorder
}

/// Lets it register once; what it proved is in the store then.
async fn meet(cloud: &Cloud, recorder: &Recorder) {
    let (link, _) = recorder.connect(door(cloud)).await;
    kept(cloud).await;
    drop(link);
    gone(cloud, recorder).await;
}

pub async fn kept(cloud: &Cloud) {
    cloud.running.as_ref().unwrap().platform.write_moves().await.unwrap();
}

async fn gone(cloud: &Cloud, recorder: &Recorder) {
    let platform = cloud.running.as_ref().unwrap().platform.clone();
    wait_for(async || platform.sessions.of(recorder.file.handle).is_none().then_some(())).await;
    kept(cloud).await;
}

impl Browser {
    /// The token of the forms of whoever is signed in.
    async fn token(&mut self) -> String {
        let page = self.get("/account").await.body;
        between(&page, "name=\"form\" value=\"", "\"").to_owned()
    }

    async fn sends(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let form = self.token().await;
        self.post(path, &[&[("form", form.as_str())], fields].concat()).await
    }

    async fn adds(&mut self, serial: &str, code: &str) -> Answer {
        self.sends("/add", &[("serial", serial), ("device_code", code)]).await
    }

    /// Adds it; its path.
    pub async fn has(&mut self, serial: &str, code: &str) -> String {
        let to = location(&self.adds(serial, code).await);
        to.strip_suffix("?news=added").unwrap_or_else(|| panic!("{to}")).to_owned()
    }

    async fn list(&mut self) -> String {
        let shown = self.get("/recorders").await;
        assert_eq!(shown.status, 200, "{shown:?}");
        shown.body
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorder_is_added_seen_named_and_removed() {
    let cloud = cloud().await;
    let mut anna = registered(&cloud, "anna@home.example", "anna").await;
    let recorder = known(&cloud, "LK-1", Some(CODE_ON_LABEL)).await;
    // Blanks and small letters are forgiven in both.
    let path = anna.has(" lk-1 ", "7k4m q2xr").await;
    assert!(!path.contains("LK-1") && path.len() == "/recorders/".len() + 32, "{path}");
    let list = anna.list().await;
    assert!(
        list.contains("Recorder 8") && list.contains("LK-1") && list.contains("Offline since a moment"),
        "{list}"
    );
    assert_eq!(anna.has("LK-1", CODE_ON_LABEL).await, path, "once more changes nothing");

    let (link, _) = recorder.connect(door(&cloud)).await;
    kept(&cloud).await;
    assert!(anna.list().await.contains("Online"));
    drop(link);
    gone(&cloud, &recorder).await;
    cloud.clock.pass(3 * 86_400);
    let list = {
        anna.post("/account/sign-in", &[("who", "anna"), ("password", PASSWORD)]).await;
        anna.list().await
    };
    assert!(list.contains("Offline for 3 days"), "{list}");
    // Another node has it now.
    let store = Sqlite::open(&cloud.config().database()).unwrap();
    let (node, now_s) = (NodeId::new(), latchkey_cloud::clock::Clock::now_s(&*cloud.clock));
    store.keep_node(node, now_s, now_s + 60).await.unwrap();
    let came = Transition {
        handle: recorder.file.handle,
        online: true,
        at_s: now_s,
        version: "2".into(),
        adding: None,
    };
    store.move_devices(node, vec![came]).await.unwrap();
    assert!(anna.list().await.contains("Online"));

    assert_eq!(
        location(&anna.sends(&format!("{path}/name"), &[("label", " Shop <b> ")]).await),
        format!("{path}?news=renamed")
    );
    let page = anna.get(&path).await.body;
    assert!(page.contains("Shop &#60;b&#62;") || page.contains("Shop &lt;b&gt;"), "{page}");
    for name in ["", " ", "a\u{202e}b", &"x".repeat(65)] {
        assert_eq!(anna.sends(&format!("{path}/name"), &[("label", name)]).await.status, 422, "{name:?}");
    }
    // Withdrawn: it is said, and the recorder's next identity takes its place and its name.
    store.revoke("LK-1".into(), now_s).await.unwrap();
    assert!(anna.get(&path).await.body.contains("Registration withdrawn"));
    known(&cloud, "LK-1", Some("NEWCODE1")).await;
    let path = anna.has("LK-1", "newcode1").await;
    assert_eq!(anna.list().await.matches("href=\"/recorders/").count(), 1);
    assert!(anna.get(&path).await.body.contains("<h1>Shop "));

    // Removing asks first.
    let page = anna.get(&format!("{path}/remove")).await;
    assert!(page.status == 200 && page.body.contains("Remove this recorder?"));
    assert!(anna.list().await.contains(&path), "asking removes nothing");
    assert_eq!(location(&anna.sends(&format!("{path}/remove"), &[]).await), "/recorders?news=removed");
    assert!(!anna.list().await.contains(&path));
    assert_eq!(anna.get(&path).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_does_not_know_the_code_learns_nothing() {
    let cloud = cloud().await;
    let mut anna = registered(&cloud, "anna@home.example", "anna").await;
    let mut ben = registered(&cloud, "ben@home.example", "ben").await;
    known(&cloud, "LK-1", Some(CODE_ON_LABEL)).await;
    known(&cloud, "LK-2", None).await;
    Recorder::new(&cloud, "LK-3").await; // signed, and never online
    known(&cloud, "LK-4", Some(CODE_ON_LABEL)).await;
    anna.has("LK-4", CODE_ON_LABEL).await;
    known(&cloud, "LK-5", Some(CODE_ON_LABEL)).await;
    let store = Sqlite::open(&cloud.config().database()).unwrap();
    store.revoke("LK-5".into(), START_S).await.unwrap();

    let mut told = vec![];
    let wrong = [
        ("LK-1", "7K4MQ2XS"),    // a wrong code
        ("LK-1", ""),            // no code
        ("LK-2", CODE_ON_LABEL), // it has none
        ("LK-3", CODE_ON_LABEL), // never online
        ("LK-4", "7K4MQ2XS"),    // another account's, with a wrong code
        ("LK-5", CODE_ON_LABEL), // withdrawn
        ("LK-9", CODE_ON_LABEL), // nobody's
        ("no serial!", CODE_ON_LABEL),
    ];
    for (serial, code) in wrong {
        let answer = ben.adds(serial, code).await;
        let without = |text: &str| match text {
            "" => answer.body.clone(),
            text => answer.body.replace(&format!("value=\"{text}\""), "value=\"\""),
        };
        let mut body = without(serial);
        if !code.is_empty() {
            body = body.replace(&format!("value=\"{code}\""), "value=\"\"");
        }
        let head: Vec<&str> = answer
            .head
            .lines()
            .filter(|line| !line.starts_with("date:") && !line.starts_with("content-length:"))
            .collect();
        told.push((answer.status, head.join("\n"), body));
    }
    assert_eq!(told[0].0, 422);
    assert!(told[0].2.contains("No recorder was added."), "{}", told[0].2);
    for other in &told {
        assert_eq!(*other, told[0]);
    }
    // With the right code the reason is told, and nothing changes.
    let answer = ben.adds("LK-4", CODE_ON_LABEL).await;
    assert!(answer.status == 422 && answer.body.contains("on another account"), "{answer:?}");
    assert!(!anna.list().await.contains("No recorder yet") && ben.list().await.contains("No recorder yet"));

    // Others' ids are as unknown as any.
    let theirs = anna.has("LK-4", CODE_ON_LABEL).await;
    let nobodys = format!("/recorders/{}", "0".repeat(32));
    for end in ["", "/remove"] {
        let (one, other) =
            (ben.get(&format!("{theirs}{end}")).await, ben.get(&format!("{nobodys}{end}")).await);
        assert_eq!((one.status, &one.body), (404, &other.body));
    }
    let forms: [(&str, &[(&str, &str)]); 4] = [
        ("/name", &[("label", "Mine")]),
        ("/remove", &[]),
        ("/transfer", &[("email", "ben@home.example"), ("device_code", CODE_ON_LABEL)]),
        ("/take-back", &[]),
    ];
    for (end, fields) in forms {
        let answer = ben.sends(&format!("{theirs}{end}"), fields).await;
        let other = ben.sends(&format!("{nobodys}{end}"), fields).await;
        assert_eq!((answer.status, answer.body), (404, other.body), "{end}");
        // And nothing goes without the page's own token, or from another site.
        let path = format!("{theirs}{end}");
        assert_eq!(anna.post(&path, fields).await.status, 403, "{end}");
        let form = anna.token().await;
        let fields = [&[("form", form.as_str())], fields].concat();
        let from = "Origin: https://evil.example\r\n";
        assert_eq!(anna.ask("POST", &path, &fields, from).await.status, 403, "{end}");
    }
    assert!(anna.list().await.contains(&theirs));
    // Nobody who is not signed in sees or does anything.
    let mut nobody = Browser::new(&cloud);
    for path in ["/recorders", theirs.as_str(), &format!("{theirs}/remove")] {
        assert_eq!(location(&nobody.get(path).await), "/account/sign-in");
    }
    for path in ["/add", &format!("{theirs}/remove"), &format!("/recorders/offers/{}", "0".repeat(32))] {
        assert_eq!(location(&nobody.post(path, &[]).await), "/account/sign-in");
    }
    let page = nobody.get("/add").await;
    assert!(
        page.status == 200
            && !page.body.contains("name=\"serial\"")
            && page.body.contains("/account/sign-up")
    );

    // Neither the code nor its plain proof is in the database.
    let proof = latchkey_protocol::platform::Adding::of("LK-1", CODE_ON_LABEL).unwrap().0;
    for file in ["cloud.db", "cloud.db-wal"] {
        let bytes = std::fs::read(cloud.folder.0.join(file)).unwrap_or_default();
        assert!(memchr::memmem::find(&bytes, CODE_ON_LABEL.as_bytes()).is_none(), "{file}");
        assert!(memchr::memmem::find(&bytes, &proof).is_none(), "{file}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tries_are_few_and_a_stranger_s_are_not_the_owner_s() {
    let cloud = cloud().await;
    let mut ben = registered(&cloud, "ben@home.example", "ben").await;
    known(&cloud, "LK-1", Some(CODE_ON_LABEL)).await;
    for n in 0..10 {
        assert_eq!(ben.adds("LK-1", &format!("GUESS{n}")).await.status, 422);
    }
    let answer = ben.adds("lk-1", CODE_ON_LABEL).await;
    assert!(
        answer.status == 429 && answer.header("retry-after").is_some(),
        "not even the right one: {answer:?}"
    );
    for n in 0..20 {
        assert_eq!(ben.adds(&format!("LK-9{n}"), "ABCDEF").await.status, 422);
    }
    assert_eq!(ben.adds("LK-99", "ABCDEF").await.status, 429, "one account, whatever the serial");
    // From the same network, on another account.
    let mut anna = registered(&cloud, "anna@home.example", "anna").await;
    anna.has("LK-1", CODE_ON_LABEL).await;
    cloud.clock.pass(2 * 3600);
    assert!(ben.adds("LK-1", CODE_ON_LABEL).await.body.contains("on another account"));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_changes_the_code_on_the_recorder_has_it() {
    let cloud = cloud().await;
    let mut anna = registered(&cloud, "anna@home.example", "anna").await;
    let mut ben = registered(&cloud, "ben@home.example", "ben").await;
    let recorder = known(&cloud, "LK-1", Some(CODE_ON_LABEL)).await;
    let path = anna.has("LK-1", CODE_ON_LABEL).await;
    anna.sends(&format!("{path}/name"), &[("label", "Shop")]).await;
    // Anna changes it herself, and adds the recorder again: it stays hers.
    let recorder = Recorder { code: Some("ANNASOWN1"), ..recorder };
    meet(&cloud, &recorder).await;
    assert_eq!(anna.has("LK-1", "annasown1").await, path);
    assert!(ben.adds("LK-1", "ANNASOWN1").await.body.contains("on another account"));
    assert!(ben.adds("LK-1", CODE_ON_LABEL).await.body.contains("No recorder was added."), "that of before");
    assert!(anna.get(&path).await.body.contains("<h1>Shop</h1>"), "with its name");

    // Ben has bought it, and has set his own.
    let recorder = Recorder { code: Some("BENSOWN22"), ..recorder };
    meet(&cloud, &recorder).await;
    assert!(ben.adds("LK-1", "ANNASOWN1").await.body.contains("No recorder was added."));
    let bens = ben.has("LK-1", "BENSOWN22").await;
    assert_ne!(bens, path);
    assert!(ben.get(&bens).await.body.contains("<h1>Recorder 8</h1>"), "Anna's name for it is hers");
    assert_eq!(anna.get(&path).await.status, 404);
    let told = mail(&cloud, "anna@home.example", 1).await;
    assert!(told.contains("Your recorder is on another account") && told.contains("LK-1"), "{told}");
    assert!(!told.contains("ben") && !told.contains("BENSOWN22"), "{told}");
    assert!(anna.adds("LK-1", "BENSOWN22").await.body.contains("on another account"));

    // An account that ends frees its recorders.
    let fields = [("password", PASSWORD)];
    assert_eq!(location(&ben.sends("/account/remove", &fields).await), "/account/sign-in?news=removed");
    anna.has("LK-1", "BENSOWN22").await;
    assert_eq!(rows(&cloud.config().database(), "SELECT name FROM account_device"), ["Recorder 8"]);
}

/// Asks for a transfer and types the mailed code.
async fn offers(cloud: &Cloud, owner: &mut Browser, path: &str, to: &str) -> Answer {
    forget_mails(cloud);
    let fields = [("email", to), ("device_code", CODE_ON_LABEL)];
    let page = location(&owner.sends(&format!("{path}/transfer"), &fields).await);
    let told = mail(cloud, "anna@home.example", 1).await;
    assert!(told.contains("Recorder 8 (…LK-1)") || told.contains("=E2=80=A6LK-1"), "{told}");
    let code = code_in(&told);
    assert_eq!(code.len(), 8);
    let shown = owner.get(&page).await.body;
    assert!(
        shown.contains("Recorder 8") && !shown.contains(to) && !shown.contains("name=\"password\""),
        "{shown}"
    );
    let wrong = if code == "12345678" { "12345679" } else { "12345678" };
    assert_eq!(owner.post(&page, &[("code", wrong)]).await.status, 422);
    forget_mails(cloud);
    let done = owner.post(&page, &[("code", &code)]).await;
    assert_eq!(location(&done), format!("{path}?news=offered"));
    assert_eq!(owner.post(&page, &[("code", &code)]).await.status, 410, "the code is used up");
    done
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorder_is_handed_over() {
    let cloud = cloud().await;
    let mut anna = registered(&cloud, "anna@home.example", "anna").await;
    let mut ben = registered(&cloud, "ben@home.example", "ben").await;
    let mut carl = registered(&cloud, "carl@home.example", "carl").await;
    known(&cloud, "LK-1", Some(CODE_ON_LABEL)).await;
    let path = anna.has("LK-1", CODE_ON_LABEL).await;
    let transfer = format!("{path}/transfer");
    for (email, code, words) in [
        ("no address", CODE_ON_LABEL, "This is no email address"),
        ("Anna@home.example", CODE_ON_LABEL, "your own address"),
        ("ben@home.example", "WRONG1234", "not the recorder"),
    ] {
        let answer = anna.sends(&transfer, &[("email", email), ("device_code", code)]).await;
        assert!(answer.status == 422 && answer.body.contains(words), "{words}: {answer:?}");
    }
    assert!(cloud.mails().is_empty());

    // To somebody without an account and with one: the same answers, and the same mail.
    let mut seen = vec![];
    for to in ["dora@home.example", "ben@home.example"] {
        let answer = offers(&cloud, &mut anna, &path, to).await;
        let page = anna.get(&format!("{path}?news=offered")).await.body;
        assert!(page.contains("@h***e.example") && page.contains("7 days") && !page.contains(to), "{page}");
        let mail = mail(&cloud, to, 1).await;
        assert!(mail.contains("A recorder is offered to you") && mail.contains("/recorders"), "{mail}");
        assert!(mail.contains("anna") && !mail.contains("anna@"), "{mail}");
        seen.push((answer.status, answer.body, page.replace("d***a@", "WHO@").replace("b***@", "WHO@")));
        if to.starts_with("dora") {
            assert_eq!(
                location(&anna.sends(&format!("{path}/take-back"), &[]).await),
                format!("{path}?news=taken-back")
            );
            assert_eq!(anna.sends(&format!("{path}/take-back"), &[]).await.status, 410);
        }
    }
    assert_eq!(seen[0], seen[1]);

    // The receiver alone sees it and may answer; until then it is Anna's.
    assert!(!carl.list().await.contains("offered to you"));
    let list = ben.list().await;
    assert!(list.contains("offered to you") && list.contains("“anna”") && list.contains("LK-1"), "{list}");
    let offer = format!("/recorders/offers/{}", between(&list, "/recorders/offers/", "\""));
    for answer in ["accept", "decline"] {
        assert_eq!(carl.sends(&offer, &[("answer", answer)]).await.status, 410);
        assert_eq!(anna.sends(&offer, &[("answer", answer)]).await.status, 410);
    }
    assert!(anna.list().await.contains("offered"));
    assert_eq!(location(&ben.sends(&offer, &[("answer", "decline")]).await), "/recorders?news=declined");
    assert!(!anna.get(&path).await.body.contains("take-back"), "the owner sees that it is over");

    // Seven days, and no longer.
    offers(&cloud, &mut anna, &path, "ben@home.example").await;
    let offer = format!("/recorders/offers/{}", between(&ben.list().await, "/recorders/offers/", "\""));
    cloud.clock.pass(7 * 86_400);
    for browser in [&mut anna, &mut ben] {
        browser.cookie = None;
    }
    anna.post("/account/sign-in", &[("who", "anna"), ("password", PASSWORD)]).await;
    ben.post("/account/sign-in", &[("who", "ben"), ("password", PASSWORD)]).await;
    assert_eq!(ben.sends(&offer, &[("answer", "accept")]).await.status, 410);
    assert!(!ben.list().await.contains("offered to you"));

    offers(&cloud, &mut anna, &path, "ben@home.example").await;
    let offer = format!("/recorders/offers/{}", between(&ben.list().await, "/recorders/offers/", "\""));
    forget_mails(&cloud);
    let to = location(&ben.sends(&offer, &[("answer", "accept")]).await);
    let bens = to.strip_suffix("?news=accepted").unwrap().to_owned();
    assert!(bens != path && ben.get(&to).await.body.contains("The recorder is yours now."));
    assert_eq!(anna.get(&path).await.status, 404);
    assert!(mail(&cloud, "anna@home.example", 1).await.contains("Your recorder was accepted"));
    assert_eq!(ben.sends(&offer, &[("answer", "accept")]).await.status, 410, "once");
    // Who had it knows the code; that does not bring it back.
    assert!(anna.adds("LK-1", CODE_ON_LABEL).await.body.contains("on another account"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_has_256_recorders_and_no_more() {
    let cloud = cloud().await;
    let mut anna = registered(&cloud, "anna@home.example", "anna").await;
    known(&cloud, "LK-1", Some(CODE_ON_LABEL)).await;
    known(&cloud, "LK-2", Some(CODE_ON_LABEL)).await;
    anna.has("LK-1", CODE_ON_LABEL).await;
    // 255 more, as if they had been added one by one.
    let database = rusqlite::Connection::open(cloud.config().database()).unwrap();
    for n in 0..255_u32 {
        let handle = [b"many".as_slice(), &n.to_be_bytes()].concat();
        let id = [&handle[..], &handle].concat();
        database
            .execute(
                "INSERT INTO device SELECT ?1, 'M-' || ?2, model, public_key, psk, signed_at_s, NULL
                 FROM device WHERE serial = 'LK-1'",
                rusqlite::params![handle, n],
            )
            .unwrap();
        database
            .execute(
                "INSERT INTO account_device SELECT ?1, ?2, account, 'More', adding, added_at_s FROM account_device
                 WHERE name = 'Recorder 8'",
                rusqlite::params![handle, id],
            )
            .unwrap();
    }
    let answer = anna.adds("LK-2", CODE_ON_LABEL).await;
    assert!(answer.status == 422 && answer.body.contains("256 recorders"), "{answer:?}");
    assert_eq!(anna.list().await.matches("href=\"/recorders/").count(), 256);
    anna.has("LK-1", CODE_ON_LABEL).await; // its own is no new one
}
