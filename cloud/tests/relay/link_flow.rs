//! The platform link when nothing goes wrong.

use crate::{
    link::*,
    smtp::{Act, Server, report_of},
    support::*,
};
use futures_util::{SinkExt as _, StreamExt as _};
use latchkey_cloud::{bounce, clock::draw, keys};
use latchkey_protocol::{
    Code, Handle, Message as Kind, NoticeEvent,
    platform::{
        FromCloud, FromDevice, MailReason, MailState, MailStatus, Nonce, Problem, RelayId, SignedTime,
        TIME_PATH, close,
    },
};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

async fn presence(cloud: &Cloud, handle: Handle, now_s: i64) -> Option<(bool, i64)> {
    let store = &cloud.running.as_ref().unwrap().relay.store;
    store.presence(handle, now_s).await.unwrap().map(|presence| (presence.online, presence.since_s))
}

/// Waits until a device is as it should be.
async fn is(cloud: &Cloud, handle: Handle, online: bool) -> i64 {
    let now_s = latchkey_cloud::clock::Clock::now_s(&*cloud.clock);
    wait_for(async || {
        presence(cloud, handle, now_s).await.filter(|(is, _)| *is == online).map(|(_, since_s)| since_s)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_registers_beats_and_goes() {
    let cloud = cloud().await;
    let recorder = Recorder::new(&cloud, "LK-1").await;
    let handle = recorder.file.handle;
    assert_eq!(presence(&cloud, handle, START_S).await, None, "it was never here");
    let (mut link, registered) = recorder.connect(door(&cloud)).await;
    assert_eq!(registered.unix_time_s, START_S);
    assert_eq!((registered.heartbeat_s, registered.reconnect_window_s), (240, 120));
    for _ in 0..3 {
        link.beat().await;
    }
    assert_eq!(is(&cloud, handle, true).await, START_S);
    cloud.clock.pass(10);
    link.ws.close(None).await.unwrap();
    while let Some(Ok(_)) = link.ws.next().await {}
    assert_eq!(is(&cloud, handle, false).await, START_S + 10);
    let metrics = cloud.running.as_ref().unwrap().platform.metrics.text();
    for line in
        ["latchkey_registrations_total 1", "latchkey_heartbeats_total 3", "latchkey_devices_connected 0"]
    {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    cloud.assert_keeps_no_secret();
}

/// Counts how often a server asks for a certificate.
#[derive(Debug)]
struct Asked(AtomicUsize);

impl rustls::client::ResolvesClientCert for Asked {
    fn resolve(&self, _: &[&[u8]], _: &[rustls::SignatureScheme]) -> Option<Arc<rustls::sign::CertifiedKey>> {
        self.0.fetch_add(1, Ordering::SeqCst);
        None
    }

    fn has_certs(&self) -> bool {
        true
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_port_serves_browsers_and_devices_and_asks_no_browser_for_a_certificate() {
    let mut cloud = Cloud::new(|text| generous(text).replace("tls = \"off\"", "tls = \"self-made\""));
    cloud.run().await;
    let recorder = Recorder::new(&cloud, "LK-1").await;
    let (mut link, _) = recorder.connect(cloud.address()).await;
    link.beat().await;

    let mut roots = rustls::RootCertStore::empty();
    let pem = std::fs::read(cloud.folder.0.join("keys/web.crt")).unwrap();
    let certificate = rustls::pki_types::pem::PemObject::from_pem_slice(&pem).unwrap();
    roots.add(certificate).unwrap();
    let asked = Arc::new(Asked(AtomicUsize::new(0)));
    for alpn in [vec![], vec![b"http/1.1".to_vec()]] {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots.clone())
            .with_client_cert_resolver(asked.clone());
        tls.alpn_protocols = alpn;
        let stream = TcpStream::connect(cloud.address()).await.unwrap();
        let connector = tokio_rustls::TlsConnector::from(Arc::new(tls));
        let stream = connector.connect("cloud.example".try_into().unwrap(), stream).await.unwrap();
        let request = b"GET /healthz HTTP/1.1\r\nHost: cloud.example\r\nConnection: close\r\n\r\n";
        assert_eq!(ask(stream, request).await.status, 200);
    }
    assert_eq!(asked.0.load(Ordering::SeqCst), 0);
    link.beat().await;
}

/// Says one thing and hears the answer to it.
async fn submit(
    link: &mut Link,
    id: u32,
    sealed: latchkey_protocol::platform::Sealed,
) -> (RelayId, MailStatus) {
    link.say(&FromDevice::Submit { id, sealed }).await;
    match link.hear().await {
        FromCloud::Submitted { id: told, relay, mail } if told == id => (relay, mail),
        other => panic!("not submitted: {other:?}"),
    }
}

async fn mail(link: &mut Link, of: RelayId) -> MailStatus {
    match link.hear().await {
        FromCloud::Mail { relay, mail } if relay == of => mail,
        other => panic!("no mail state: {other:?}"),
    }
}

/// The state of a mail once it has left the queue: it may have done so before the answer.
async fn settled(link: &mut Link, (relay, mut now): (RelayId, MailStatus)) -> MailStatus {
    while now.state == MailState::Queued {
        now = mail(link, relay).await;
    }
    now
}

#[tokio::test(flavor = "multi_thread")]
async fn every_purpose_is_submitted_over_the_link_and_no_address_is_kept() {
    let cloud = cloud().await;
    let recorder = Recorder::new(&cloud, "LK-1").await;
    let (mut link, _) = recorder.connect(door(&cloud)).await;
    cloud.assert_keeps_no_secret();
    let code = || Code::from_number(CODE).unwrap();
    let kinds = [
        Kind::Reset(code()),
        Kind::ConfirmEmail(code()),
        Kind::Rehearsal(code()),
        Kind::Notice(NoticeEvent::ResetRequested),
        Kind::Notice(NoticeEvent::ResetCompleted),
        Kind::AddressChanged,
    ];
    for (id, kind) in (1_u32..).zip(kinds) {
        let mut challenge = recorder.device().challenge(id);
        challenge.message = kind;
        let sealed = recorder.sealed(&challenge);
        let first = submit(&mut link, id, sealed.clone()).await;
        cloud.assert_keeps_no_secret();
        assert_eq!(settled(&mut link, first).await, MailStatus { state: MailState::Accepted, reason: None });
        assert_eq!(cloud.mails().len(), id as usize);
        cloud.assert_keeps_no_secret();
        // The same bytes once more are the same request, and the page knows it too.
        let again = submit(&mut link, 100 + id, sealed).await;
        assert_eq!((again.0, again.1.state), (first.0, MailState::Accepted));
        assert_eq!(cloud.show(&first.0.to_string()).await["mail"]["state"], "accepted");
    }
    assert_eq!(cloud.mails().len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_waits_arrives_or_comes_back_is_told_on_the_link() {
    let server = Server::start(&[Act::Recipient("451 4.7.1 later")]).await;
    let mut cloud = Cloud::new(|text| server.configure(&with_devices(text)));
    cloud.run().await;
    let recorder = Recorder::new(&cloud, "LK-1").await;
    let (mut link, _) = recorder.connect(door(&cloud)).await;
    let sealed = recorder.sealed(&recorder.device().challenge(1));
    let (relay, mut now) = submit(&mut link, 1, sealed.clone()).await;
    if now.reason.is_none() {
        now = mail(&mut link, relay).await;
    }
    assert_eq!(now, MailStatus { state: MailState::Queued, reason: Some(MailReason::Unreachable) });
    // One that comes back asks again, and is told from then on.
    drop(link);
    let (mut link, _) = recorder.connect(door(&cloud)).await;
    assert_eq!(submit(&mut link, 2, sealed).await, (relay, now));
    cloud.clock.pass(60);
    cloud.running.as_ref().unwrap().bell.notify_one();
    assert_eq!(mail(&mut link, relay).await, MailStatus { state: MailState::Accepted, reason: None });

    let report = report_of(&server.mails()[0], "5.1.1");
    let folder = cloud.folder.0.join("bounces");
    std::fs::create_dir_all(folder.join("new")).unwrap();
    std::fs::write(folder.join("new/1"), report).unwrap();
    // The service looks by itself too: whoever is first marks it.
    bounce::look(&folder, &cloud.running.as_ref().unwrap().relay).await.unwrap();
    let told = mail(&mut link, relay).await;
    assert_eq!(told, MailStatus { state: MailState::Bounced, reason: Some(MailReason::MailboxUnknown) });
    cloud.assert_keeps_no_secret();

    link.say(&FromDevice::Resend { id: 9, relay }).await;
    let resent = match link.hear().await {
        FromCloud::Submitted { id: 9, relay: told, mail } if told == relay => (relay, mail),
        other => panic!("not sent again: {other:?}"),
    };
    assert_eq!(settled(&mut link, resent).await.state, MailState::Accepted);
    assert_eq!(server.mails().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_relay_refuses_is_rejected_by_name() {
    let mut cloud = Cloud::new(|text| {
        with_devices(text).replace("device_door_per_day = 1000", "device_door_per_day = 2")
    });
    cloud.run().await;
    let recorder = Recorder::new(&cloud, "LK-1").await;
    let other = Recorder::new(&cloud, "LK-2").await;
    let (mut link, _) = recorder.connect(door(&cloud)).await;
    let mut rejected = async |message: FromDevice| {
        link.say(&message).await;
        loop {
            match link.hear().await {
                FromCloud::Rejected { problem, retry_after_s, .. } => {
                    return (problem, retry_after_s.is_some());
                }
                FromCloud::Submitted { .. } => return (Problem::Other, false),
                FromCloud::Mail { .. } => {}
                other => panic!("neither: {other:?}"),
            }
        }
    };
    let of = |recorder: &Recorder, counter| {
        let sealed = recorder.sealed(&recorder.device().challenge(counter));
        FromDevice::Submit { id: counter, sealed }
    };
    assert_eq!(rejected(of(&other, 1)).await, (Problem::UnusableQr, false), "another device's");
    assert_eq!(rejected(of(&recorder, 5)).await, (Problem::Other, false), "taken");
    assert_eq!(rejected(of(&recorder, 4)).await, (Problem::Superseded, false));
    assert_eq!(rejected(of(&recorder, 6)).await, (Problem::Other, false), "taken");
    assert_eq!(rejected(of(&recorder, 7)).await, (Problem::DeviceLimit, true));
    let relay = RelayId(draw());
    assert_eq!(rejected(FromDevice::Resend { id: 1, relay }).await, (Problem::UnknownRequest, false));
    // Nobody sends another's request again.
    let theirs = cloud.relay(&other.device().digits(&other.device().challenge(1))).await.id();
    let relay = theirs.parse().unwrap();
    assert_eq!(rejected(FromDevice::Resend { id: 1, relay }).await, (Problem::UnknownRequest, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_is_signed_for_whoever_asks() {
    let cloud = cloud().await;
    let recorder = Recorder::new(&cloud, "LK-1").await;
    let nonce = Nonce(draw());
    let answer = get(cloud.address(), &format!("{TIME_PATH}?nonce={nonce}")).await;
    let time: SignedTime = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(time.verify(&recorder.file.signing_keys, nonce), Some(START_S));
    assert_eq!(time.verify(&recorder.file.signing_keys, Nonce(draw())), None);
    for path in ["/api/v1/time", "/api/v1/time?nonce=12", "/api/v1/time?nonce=zz"] {
        assert_eq!(get(cloud.address(), path).await.problem(), (400, "malformed-request".into()), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_renewed_over_the_link() {
    let mut cloud =
        Cloud::new(|text| with_devices(text).replace("# certificate_days = 3650", "certificate_days = 9"));
    cloud.run().await;
    let mut recorder = Recorder::new(&cloud, "LK-1").await;
    let old = recorder.clone();
    let (mut link, _) = recorder.connect(door(&cloud)).await;
    cloud.clock.pass(6 * 86_400);
    link.say(&FromDevice::Renew { id: 7 }).await;
    match link.hear().await {
        FromCloud::Renewed { id: 7, certificate } => recorder.file.certificate = certificate,
        other => panic!("not renewed: {other:?}"),
    }
    drop(link);
    // The old one is over, the new one is not.
    cloud.clock.pass(4 * 86_400);
    let (mut link, _) = recorder.connect(door(&cloud)).await;
    link.beat().await;
    assert!(old.upgrade(door(&cloud)).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_learn_of_new_keys_and_trust_what_their_old_key_signed() {
    let mut cloud = cloud().await;
    let recorder = Recorder::new(&cloud, "LK-1").await;
    let (mut link, _) = recorder.connect(door(&cloud)).await;
    link.beat().await; // and there was no list before it
    cloud.stop().await;
    let added = keys::platform::add_signing_key(&cloud.config().keys()).unwrap();
    let sealing = keys::add_sealing_key(&cloud.config().keys()).unwrap();
    cloud.run().await;
    let (mut link, _) = recorder.connect(door(&cloud)).await;
    let list = match link.hear().await {
        FromCloud::Keys(list) => list,
        other => panic!("no keys: {other:?}"),
    };
    assert_eq!(list.verify(&recorder.file.host, 0, &recorder.file.signing_keys), Ok(()));
    assert_eq!((list.serial, list.cloud_keys[0].id()), (2, sealing));
    assert!(list.signing_keys.contains(&added) && list.signing_keys.contains(&recorder.file.signing_keys[0]));
    // What was sealed to the old key is still opened.
    let sealed = recorder.sealed(&recorder.device().challenge(1));
    submit(&mut link, 1, sealed).await;
    // A new identity has both keys at once.
    let newer = Recorder::new(&cloud, "LK-2").await;
    assert_eq!(newer.file.signing_keys, list.signing_keys);
    assert_eq!(newer.file.cloud_keys, list.cloud_keys);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_in_good_order_tells_everyone_to_come_back_in_time() {
    let mut cloud = cloud().await;
    let recorder = Recorder::new(&cloud, "LK-1").await;
    let (mut link, _) = recorder.connect(door(&cloud)).await;
    is(&cloud, recorder.file.handle, true).await;
    let heard = async {
        let told = link.hear().await;
        (told, link.closed().await)
    };
    let ((told, code), ()) = tokio::join!(heard, cloud.stop());
    assert_eq!(told, FromCloud::Reconnect { window_s: 120 });
    assert_eq!(code, close::GOING_AWAY);
    cloud.run().await;
    assert_eq!(presence(&cloud, recorder.file.handle, START_S).await, Some((false, START_S)));
    let (mut link, _) = recorder.connect(door(&cloud)).await;
    link.beat().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_steady_fleet_writes_nothing() {
    let cloud = cloud().await;
    let mut links = vec![];
    for n in 0..20 {
        let recorder = Recorder::new(&cloud, &format!("LK-{n}")).await;
        links.push(recorder.connect(door(&cloud)).await.0);
        is(&cloud, recorder.file.handle, true).await;
    }
    let watcher = rusqlite::Connection::open(cloud.config().database()).unwrap();
    let version = || -> i64 { watcher.query_row("PRAGMA data_version", [], |row| row.get(0)).unwrap() };
    let before = version();
    for _ in 0..50 {
        for link in &mut links {
            link.beat().await;
        }
    }
    assert_eq!(version(), before, "heartbeats reach the database");
    let device = links.pop().unwrap();
    drop(device);
    wait_for(async || (version() != before).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_see_who_is_online() {
    let cloud = cloud().await;
    let page = cloud.running.as_ref().unwrap().operators_address.unwrap();
    let here = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let recorder = Recorder::new(&cloud, "LK-1").await;
    let gone = Recorder::new(&cloud, "LK-GONE").await;
    let (mut link, _) = recorder.connect(door(&cloud)).await;
    drop(gone.connect(door(&cloud)).await);
    is(&cloud, recorder.file.handle, true).await;
    is(&cloud, gone.file.handle, false).await;
    let shown = raw(page, here("/").as_bytes()).await;
    assert_eq!(shown.status, 200, "{shown:?}");
    for part in
        ["<dd id=\"online\">1</dd>", "<dd id=\"offline\">1</dd>", "LK-GONE", "<polyline points=\"720,0 \"/>"]
    {
        assert!(shown.body.contains(part), "{part}: {}", shown.body);
    }
    assert!(!shown.body.contains("operators-"), "a sentence is missing: {}", shown.body);
    // A stretch of time later it is on record.
    cloud.clock.pass(300);
    let counted = async || {
        let store = &cloud.running.as_ref().unwrap().relay.store;
        store.online_since(START_S).await.unwrap().first().copied()
    };
    assert_eq!(wait_for(counted).await.1, 1);
    link.beat().await;
    let counts = raw(page, here("/metrics").as_bytes()).await;
    for line in ["latchkey_devices_connected 1", "latchkey_disconnections_total{reason=\"gone\"} 1", "# EOF"]
    {
        assert!(counts.body.contains(line), "{line}: {}", counts.body);
    }
    // A page elsewhere that gave itself a name of this machine's address sees nothing; nor does the public door show it.
    for host in ["rebound.example", "rebound.example:9464", ""] {
        let asked = format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        assert_eq!(raw(page, asked.as_bytes()).await.status, 404, "{host}");
    }
    assert_eq!(get(cloud.address(), "/metrics").await.status, 404);
    let _ = link.ws.send(Message::Close(None)).await;
}
