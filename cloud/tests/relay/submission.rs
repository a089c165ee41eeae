//! Mail servers with TLS and login: what they are given, and that nothing leaves in the clear.

use crate::{
    binary::Binary,
    faults::in_time,
    smtp::{Guard, PASSWORD, PLAIN, Server},
    support::*,
};
use latchkey_cloud::serve;
use std::fs;

fn cloud_at(server: &Server, tls: &str, authority: &Authority, password: &str) -> Cloud {
    let cloud = Cloud::new(|text| server.configure_guarded(&generous(text), tls));
    fs::write(cloud.folder.0.join("ca.pem"), authority.certificate.pem()).unwrap();
    fs::write(cloud.folder.0.join("password"), format!("{password}\n")).unwrap();
    cloud
}

async fn relayed(cloud: &Cloud) -> String {
    let device = cloud.device().await;
    cloud.relay(&device.digits(&device.challenge(1))).await.id()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_leaves_under_tls_and_after_the_login() {
    let authority = Authority::new();
    for (tls, guard) in [
        ("required", Guard::implicit(&authority, "127.0.0.1")),
        ("starttls", Guard::starttls(&authority, "127.0.0.1")),
    ] {
        let server = Server::guarded(guard).await;
        let mut cloud = cloud_at(&server, tls, &authority, PASSWORD);
        cloud.run().await;
        let id = relayed(&cloud).await;
        assert_eq!(cloud.past(&id, "queued").await["mail"]["state"], "accepted", "{tls}");
        let mails = server.mails();
        assert_eq!(mails.len(), 1);
        assert!(mails[0].2.contains(&format!("\r\n{DIGITS}\r\n")), "{}", mails[0].2);
        let verbs = server.seen.lock().unwrap().verbs.clone();
        let plain: Vec<&str> = verbs.iter().filter(|(tls, _)| !tls).map(|(_, v)| v.as_str()).collect();
        let plain_expected: &[&str] = if tls == "required" { &[] } else { &["EHLO", "STAR"] };
        assert_eq!(plain, plain_expected, "{tls}");
        assert!(verbs.contains(&(true, "AUTH".into())));
    }
}

/// What a cloud must not send to: how it is set, how the server is, the password it has, and what
/// its log says.
fn refused(authority: &Authority) -> Vec<(&'static str, Guard, &'static str, &'static str)> {
    let other = Authority::new();
    let untrusted = "TLS is not accepted, and nothing is sent without it: look at host and ca_file";
    let not_offered = "does not offer what the configuration asks for";
    let login = "refuses the login: look at user and password_file";
    let here = "127.0.0.1";
    let bare = Guard { login: true, ..Guard::default() };
    vec![
        ("required", Guard::implicit(&other, here), PASSWORD, untrusted),
        ("required", Guard::implicit(authority, "mail.example"), PASSWORD, untrusted),
        ("starttls", Guard::starttls(&other, here), PASSWORD, untrusted),
        ("starttls", Guard::starttls(authority, "mail.example"), PASSWORD, untrusted),
        ("required", bare.clone(), PASSWORD, untrusted),
        ("starttls", bare, PASSWORD, not_offered),
        ("required", Guard::implicit(authority, here), "wrong", login),
        ("starttls", Guard::starttls(authority, here), "wrong", login),
        ("required", Guard { silent: true, ..Guard::default() }, PASSWORD, "does not answer in time"),
        ("starttls", Guard { silent: true, ..Guard::default() }, PASSWORD, "does not answer in time"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn without_tls_or_login_a_mail_waits_and_never_leaves_in_the_clear() {
    let authority = Authority::new();
    for (at, (tls, guard, password, _)) in refused(&authority).into_iter().enumerate() {
        let server = Server::guarded(guard).await;
        let mut cloud = cloud_at(&server, tls, &authority, password);
        cloud.run().await;
        let id = relayed(&cloud).await;
        let shown = cloud
            .until(&id, |shown| {
                cloud.clock.pass(1);
                cloud.running.as_ref().unwrap().bell.notify_one();
                shown["mail"]["deliveries"][0]["attempts"].as_u64() >= Some(3)
            })
            .await;
        assert_eq!(
            (&shown["mail"]["state"], &shown["mail"]["reason"]),
            (&"queued".into(), &"unreachable".into()),
            "case {at}"
        );
        assert!(server.mails().is_empty());
        for (tls, verb) in server.seen.lock().unwrap().verbs.iter() {
            let harmless = ["EHLO", "STAR", "QUIT"].contains(&verb.as_str());
            // What is under TLS of a server that is trusted may go as far as the login.
            assert!(harmless || (*tls && verb == "AUTH"), "case {at}: {verb}");
        }
        cloud.assert_keeps_no_secret();
        // Nothing is lost: once the server is as it should be, the mail leaves.
        cloud.stop().await;
        let mended = Server::guarded(Guard::implicit(&authority, "127.0.0.1")).await;
        let path = cloud.folder.0.join("cloud.toml");
        let text = fs::read_to_string(&path).unwrap();
        let text = text
            .replace(&format!("port = {}\n", server.port), &format!("port = {}\n", mended.port))
            .replace("tls = \"starttls\"\nca_file", "tls = \"required\"\nca_file");
        fs::write(&path, text).unwrap();
        fs::write(cloud.folder.0.join("password"), PASSWORD).unwrap();
        cloud.run().await;
        assert_eq!(in_time(&cloud, &id, "queued").await["mail"]["state"], "accepted", "case {at}");
        assert_eq!(mended.mails().len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_tells_why_a_mail_waits_and_no_secret() {
    let authority = Authority::new();
    for (tls, guard, password, told) in refused(&authority) {
        let server = Server::guarded(guard).await;
        let cloud = cloud_at(&server, tls, &authority, password);
        let service = Binary::serve(&cloud.folder.0);
        let device = cloud.device().await;
        let id = service.relay(&device.digits(&device.challenge(1))).await.id();
        service.log.until(|line| line.contains(told));
        let shown = until(service.address, &id, |s| s["mail"]["reason"] == "unreachable").await;
        assert_eq!(shown["mail"]["state"], "queued");
        let log = service.log.all();
        for secret in [PASSWORD, PLAIN, "owner.of.it", "mailbox.example", DIGITS] {
            assert!(!log.contains(secret), "{log}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_for_tls_and_login_is_told_at_the_start() {
    let authority = Authority::new();
    let server = Server::guarded(Guard::implicit(&authority, "127.0.0.1")).await;
    let cases: [(&str, Option<&str>, &str); 5] = [
        ("ca.pem", None, "cannot read the mail server's authorities from"),
        ("ca.pem", Some(""), "holds no certificate"),
        (
            "ca.pem",
            Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
            "cannot set up TLS",
        ),
        ("password", None, "cannot read the SMTP password from"),
        ("password", Some("\n"), "is empty: write the SMTP password into it"),
    ];
    for (name, content, told) in cases {
        let cloud = cloud_at(&server, "required", &authority, PASSWORD);
        let path = cloud.folder.0.join(name);
        match content {
            None => fs::remove_file(&path).unwrap(),
            Some(text) => fs::write(&path, text).unwrap(),
        }
        let error = serve::start(cloud.config(), cloud.clock.clone()).await.err().unwrap().to_string();
        assert!(error.contains(told), "{name}: {error}");
    }
}
