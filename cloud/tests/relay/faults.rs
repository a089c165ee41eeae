//! Mail servers that refuse, hang up and hang; mails that come back.

use crate::{
    smtp::{Act, Server, report_of},
    support::*,
};
use latchkey_cloud::{bounce, clock::Clock as _, worker};

async fn cloud_with(acts: &[Act]) -> (Cloud, Server) {
    let server = Server::start(acts).await;
    let mut cloud = Cloud::new(|text| server.configure(&generous(text)));
    cloud.run().await;
    (cloud, server)
}

async fn relayed(cloud: &Cloud) -> String {
    let device = cloud.device().await;
    cloud.relay(&device.digits(&device.challenge(1))).await.id()
}

/// Lets the cloud's time pass until a mail has left a state.
pub async fn in_time(cloud: &Cloud, id: &str, state: &str) -> serde_json::Value {
    cloud
        .until(id, |shown| {
            cloud.clock.pass(1);
            cloud.running.as_ref().unwrap().bell.notify_one();
            shown["mail"]["state"] != state
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_leaves_by_smtp_with_its_own_return_path() {
    let (cloud, server) = cloud_with(&[]).await;
    let id = relayed(&cloud).await;
    assert_eq!(cloud.past(&id, "queued").await["mail"]["state"], "accepted");
    let mails = server.mails();
    assert_eq!(mails.len(), 1);
    let (from, to, text) = &mails[0];
    assert!(from.starts_with("MAIL FROM:<bounces+") && from.ends_with("@example.org>"), "{from}");
    assert_eq!(to, &format!("RCPT TO:<{ADDRESS}>"));
    assert!(text.contains(&format!("\r\n{DIGITS}\r\n")), "{text}");
    cloud.assert_keeps_no_secret();
}

#[tokio::test(flavor = "multi_thread")]
async fn later_is_tried_again() {
    let acts = [Act::Recipient("451 4.7.1 later"), Act::Message("452 4.3.1 full"), Act::Drop, Act::Drop];
    let (cloud, server) = cloud_with(&acts).await;
    let id = relayed(&cloud).await;
    let shown = in_time(&cloud, &id, "queued").await;
    assert_eq!(shown["mail"]["state"], "accepted");
    assert_eq!(shown["mail"]["deliveries"][0]["attempts"], 5);
    assert_eq!(server.mails().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn never_is_not_tried_again_and_says_why() {
    for (act, reason) in [
        (Act::Recipient("550 5.1.1 <owner.of.it@mailbox.example> unknown"), "mailbox-unknown"),
        (Act::Recipient("552 5.2.2 full"), "mailbox-full"),
        (Act::Message("554 5.7.1 spam"), "refused"),
    ] {
        let (cloud, server) = cloud_with(&[act]).await;
        let id = relayed(&cloud).await;
        let shown = cloud.past(&id, "queued").await;
        assert_eq!((&shown["mail"]["state"], &shown["mail"]["reason"]), (&"bounced".into(), &reason.into()));
        assert_eq!(server.mails().len(), 0);
        let page = get(cloud.address(), &format!("/r/status/{id}")).await;
        assert!(
            page.body.contains("Try once more") && !page.body.contains("Open the mailbox"),
            "{}",
            page.body
        );
        cloud.assert_keeps_no_secret();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_lost_doubles_a_mail_once_and_no_more() {
    for act in [Act::TakeAndDrop, Act::TakeAndHang] {
        let (cloud, server) = cloud_with(&[act; 10]).await;
        let id = relayed(&cloud).await;
        let shown = in_time(&cloud, &id, "queued").await;
        assert_eq!(
            (&shown["mail"]["state"], &shown["mail"]["reason"]),
            (&"failed".into(), &"no-answer".into())
        );
        assert_eq!(server.mails().len(), 2);
        cloud.clock.pass(3600);
        let again = post(cloud.address(), &format!("/api/v1/relay/{id}/resend"), "text/plain", b"").await;
        assert_eq!(again.problem(), (409, "resend-used".into()));
        assert_eq!(server.mails().len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_comes_back_is_told() {
    let (cloud, server) = cloud_with(&[]).await;
    let id = relayed(&cloud).await;
    cloud.past(&id, "queued").await;
    let mails = server.mails();
    let from = mails[0].0.trim_start_matches("MAIL FROM:<").trim_end_matches('>').to_owned();
    let report = report_of(&mails[0], "5.2.2");
    let folder = cloud.folder.0.join("bounces");
    std::fs::create_dir_all(folder.join("new/0-no-file")).unwrap();
    std::fs::create_dir_all(folder.join("new")).unwrap();
    std::fs::write(
        folder.join("new/1"),
        report.replace(&from, "bounces+00000000000000000000000000000000@example.org"),
    )
    .unwrap();
    let relay = &*cloud.running.as_ref().unwrap().relay;
    assert_eq!(bounce::look(&folder, relay).await.unwrap(), 0, "a forged report finds nothing");
    assert_eq!(cloud.show(&id).await["mail"]["state"], "accepted");
    std::fs::write(folder.join("new/2"), report).unwrap();
    // The service looks by itself too: whoever is first marks it.
    bounce::look(&folder, relay).await.unwrap();
    let shown = cloud.past(&id, "accepted").await;
    assert_eq!(
        (&shown["mail"]["state"], &shown["mail"]["reason"]),
        (&"bounced".into(), &"mailbox-full".into())
    );
    cloud.assert_keeps_no_secret();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_stumbles_delays_a_mail_by_seconds() {
    let (cloud, server) = cloud_with(&[Act::Recipient("451 4.7.1 later")]).await;
    let id = relayed(&cloud).await;
    cloud.until(&id, |shown| shown["mail"]["reason"] == "unreachable").await;
    let change = |sql: &str| {
        let connection = rusqlite::Connection::open(cloud.folder.0.join("cloud.db")).unwrap();
        connection.busy_timeout(std::time::Duration::from_secs(20)).unwrap();
        connection.execute_batch(sql).unwrap();
    };
    // Tried a second time and put back: while it is tried, it is due only after the worker's lease.
    let put_back = || {
        let sql = format!(
            "SELECT CAST(attempts = 2 AND due_at_s < {} AS TEXT) FROM mail",
            cloud.clock.now_s() + worker::LEASE_S
        );
        rows(&cloud.folder.0.join("cloud.db"), &sql) == ["1"]
    };
    // Without its devices the database has no answer when the mail is to be opened.
    change("ALTER TABLE device RENAME TO hidden");
    cloud.clock.pass(10);
    let mut looks = tokio::time::interval(std::time::Duration::from_millis(10));
    while !put_back() {
        cloud.running.as_ref().unwrap().bell.notify_one();
        looks.tick().await;
    }
    change("ALTER TABLE hidden RENAME TO device");
    // Far less than the lease of a worker that was killed.
    cloud.clock.pass(60);
    let shown = cloud
        .until(&id, |shown| {
            cloud.running.as_ref().unwrap().bell.notify_one();
            shown["mail"]["state"] == "accepted"
        })
        .await;
    assert_eq!(shown["mail"]["deliveries"][0]["attempts"], 3);
    assert_eq!(server.mails().len(), 1);
}
