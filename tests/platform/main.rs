//! The platform link over real sockets: online, and every reason for being offline.
#![allow(clippy::unwrap_used, clippy::panic)]

mod notices;
mod world;

use futures_util::{SinkExt, StreamExt};
use latchkey::{
    platform::{NotSent, State},
    recovery::{DeviceCode, PlatformSettings},
};
use latchkey_protocol::{
    SealedChallenge,
    platform::{
        Adding, FRAME_BYTES_MAX, FromCloud, FromDevice, MailReason, MailState, MailStatus, Nonce, Problem,
        Refusal, RelayId, SignedTime, close,
    },
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::tungstenite::Message;
use world::{
    NAME, Peer, Recorder, World, accept, bounds, close_code, heard, listen, register, registered, registers,
    say, settings, soon, upgrade,
};

const NOW: (i32, i32) = (2020, 2090);

#[tokio::test]
async fn a_device_registers_and_pings_at_the_clouds_interval() {
    let world = World::new();
    let (listener, server) = listen().await;
    let tls = world.tls(NAME, NOW);
    let mut recorder = Recorder::start(&world, &server, bounds());
    let mut peer = register(&listener, &tls).await;
    let online = recorder.until(|status| status.state == State::Online).await;
    assert_eq!((online.reason, online.next_try_ms, online.server), (None, None, server));
    for _ in 0..3 {
        let ping = soon(peer.next()).await.unwrap().unwrap();
        assert_eq!(ping, Message::Ping(Default::default()), "a ping has no payload");
    }
    // The pongs went out while the peer read on; the cloud was heard since.
    recorder.until(|status| status.last_heard_ms > online.last_heard_ms).await;
}

#[tokio::test]
async fn switched_off_no_socket_is_opened_whatever_is_asked() {
    let world = World::new();
    let (listener, server) = listen().await;
    let tls = world.tls(NAME, NOW);
    let mut recorder = Recorder::start(&world, &server, bounds());
    let mut peer = register(&listener, &tls).await;
    recorder.until(|status| status.state == State::Online).await;
    recorder.settings.send_modify(|settings| settings.enabled = false);
    assert_eq!(close_code(&mut peer).await, Some(1000));
    recorder.until(|status| status.state == State::Off).await;
    recorder.handle.try_now();
    assert_eq!(recorder.handle.submit(challenge()).await, Err(NotSent::Offline));
    // The next connection that arrives is the one of being switched on again, and it is the only one.
    recorder.settings.send_modify(|settings| settings.enabled = true);
    let _second = register(&listener, &tls).await;
    recorder.until(|status| status.state == State::Online).await;
    let listener = listener.into_std().unwrap();
    assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[tokio::test]
async fn a_name_that_is_not_found_and_an_address_where_nothing_answers() {
    let world = World::new();
    let mut recorder = Recorder::start(&world, "no-such-name.invalid", bounds());
    assert_eq!(recorder.reason().await, "dns");
    let (listener, server) = listen().await;
    drop(listener);
    let mut recorder = Recorder::start(&world, &server, bounds());
    assert_eq!(recorder.reason().await, "tcp");
}

#[tokio::test]
async fn a_server_that_takes_the_connection_and_says_nothing() {
    let world = World::new();
    let (_listener, server) = listen().await;
    let mut recorder = Recorder::start(&world, &server, bounds());
    assert_eq!(recorder.reason().await, "silent");
}

#[tokio::test]
async fn a_captive_portal_with_plain_http_or_a_certificate_of_its_own() {
    let world = World::new();
    let (listener, server) = listen().await;
    let mut recorder = Recorder::start(&world, &server, bounds());
    let (mut stream, _) = soon(listener.accept()).await.unwrap();
    stream.write_all(b"HTTP/1.1 302 Found\r\nLocation: http://login.example/\r\n\r\n").await.unwrap();
    assert_eq!(recorder.reason().await, "tls");

    let (listener, server) = listen().await;
    let mut recorder = Recorder::start(&world, &server, bounds());
    let (chain, key) = World::new().platform.server(NAME, NOW);
    let portal = world.tls_with(chain, key, &[b"latchkey/1"]);
    let (stream, _) = soon(listener.accept()).await.unwrap();
    assert!(soon(portal.accept(stream)).await.is_err());
    assert_eq!(recorder.reason().await, "certificate");
}

#[tokio::test]
async fn a_certificate_of_another_name_and_a_server_without_the_platform() {
    let world = World::new();
    let (listener, server) = listen().await;
    let mut recorder = Recorder::start(&world, &server, bounds());
    let other = world.tls("other.example", NOW);
    let (stream, _) = soon(listener.accept()).await.unwrap();
    assert!(soon(other.accept(stream)).await.is_err());
    assert_eq!(recorder.reason().await, "certificate");

    let (listener, server) = listen().await;
    let mut recorder = Recorder::start(&world, &server, bounds());
    let (chain, key) = world.platform.server(NAME, NOW);
    let browsers = world.tls_with(chain, key, &[b"http/1.1"]);
    let (stream, _) = soon(listener.accept()).await.unwrap();
    assert!(soon(browsers.accept(stream)).await.is_err());
    assert_eq!(recorder.reason().await, "not-the-platform");
}

/// Takes a connection, reads the request's head and answers with these bytes.
async fn answer_http(world: &World, answer: &str) -> (&'static str, u64) {
    let (listener, server) = listen().await;
    let mut recorder = Recorder::start(world, &server, bounds());
    let (stream, _) = soon(listener.accept()).await.unwrap();
    let mut tls = soon(world.tls(NAME, NOW).accept(stream)).await.unwrap();
    let mut head = vec![];
    while !head.ends_with(b"\r\n\r\n") {
        head.push(soon(tls.read_u8()).await.unwrap());
    }
    tls.write_all(answer.as_bytes()).await.unwrap();
    tls.flush().await.unwrap();
    let reason = recorder.reason().await;
    let now_ms = latchkey::clock::uptime_ms();
    (reason, recorder.handle.status().next_try_ms.unwrap().saturating_sub(now_ms))
}

#[tokio::test]
async fn an_answer_that_is_no_upgrade_and_one_that_says_later() {
    let world = World::new();
    let (reason, _) = answer_http(&world, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!(reason, "not-the-platform");
    let busy =
        |after: &str| format!("HTTP/1.1 503 Busy\r\nRetry-After: {after}\r\nContent-Length: 0\r\n\r\n");
    let (reason, wait_ms) = answer_http(&world, &busy("1000")).await;
    assert_eq!(reason, "busy");
    assert!((900_000..=1_031_000).contains(&wait_ms), "{wait_ms}");
    // Too long is cut, and junk is none.
    let (_, wait_ms) = answer_http(&world, &busy("99999999")).await;
    assert!(wait_ms <= 3_631_000, "{wait_ms}");
    for junk in ["soon", "-1", "1e9", "99999999999999999999"] {
        let (reason, wait_ms) = answer_http(&world, &busy(junk)).await;
        assert_eq!(reason, "busy");
        assert!(wait_ms <= 31_000, "{junk}: {wait_ms}");
    }
}

#[tokio::test]
async fn every_refusal_is_shown_by_its_message_or_its_close_code_alone() {
    let world = World::new();
    let tls = world.tls(NAME, NOW);
    for (reason, name) in [
        (Refusal::Revoked, "revoked"),
        (Refusal::Unknown, "unknown"),
        (Refusal::Duplicate, "duplicate"),
        (Refusal::Version, "version"),
        (Refusal::Busy, "busy"),
    ] {
        for by_message in [true, false] {
            let (listener, server) = listen().await;
            let mut recorder = Recorder::start(&world, &server, bounds());
            let mut peer = accept(&listener, &tls).await;
            heard(&mut peer).await;
            if by_message {
                say(&mut peer, FromCloud::Refused { reason, retry_after_s: None }).await;
            } else {
                close_with(&mut peer, reason.close_code()).await;
            }
            assert_eq!(recorder.reason().await, name);
        }
    }
}

async fn close_with(peer: &mut Peer, code: u16) {
    use tokio_tungstenite::tungstenite::protocol::CloseFrame;
    let frame = CloseFrame { code: code.into(), reason: Default::default() };
    soon(peer.send(Message::Close(Some(frame)))).await.unwrap();
}

#[tokio::test]
async fn what_has_no_place_in_the_protocol_ends_the_connection_with_its_reason() {
    let world = World::new();
    let tls = world.tls(NAME, NOW);
    let long = format!("{{\"type\":\"mail\",\"x\":\"{}\"}}", "x".repeat(FRAME_BYTES_MAX));
    for (message, code) in [
        (Message::text("hello"), close::MALFORMED),
        (Message::text(r#"{"type":"moon"}"#), close::MALFORMED),
        (Message::binary(vec![1, 2, 3]), close::MALFORMED),
        (Message::text(FromCloud::Registered(registered()).to_frame()), close::MALFORMED),
        (
            Message::text(
                FromCloud::Rejected { id: 9, problem: Problem::Other, retry_after_s: None }.to_frame(),
            ),
            close::MALFORMED,
        ),
        (Message::text(long), close::TOO_LONG),
    ] {
        let (listener, server) = listen().await;
        let mut recorder = Recorder::start(&world, &server, bounds());
        let mut peer = register(&listener, &tls).await;
        soon(peer.send(message)).await.unwrap();
        assert_eq!(close_code(&mut peer).await, Some(code));
        recorder.until(|status| status.reason.is_some_and(|reason| reason.name() == "protocol")).await;
    }
}

#[tokio::test]
async fn a_cloud_that_falls_silent_is_noticed() {
    let world = World::new();
    let (listener, server) = listen().await;
    let tls = world.tls(NAME, NOW);
    let mut recorder = Recorder::start(&world, &server, bounds());
    // Held, and never read again: no pong comes.
    let _half_open = register(&listener, &tls).await;
    recorder.until(|status| status.reason.is_some_and(|reason| reason.name() == "silent")).await;
}

#[tokio::test]
async fn a_lost_connection_and_an_orderly_restart_come_back() {
    let world = World::new();
    let (listener, server) = listen().await;
    let tls = world.tls(NAME, NOW);
    let mut recorder = Recorder::start(&world, &server, bounds());
    let peer = register(&listener, &tls).await;
    recorder.until(|status| status.state == State::Online).await;
    drop(peer);
    let mut peer = register(&listener, &tls).await;
    recorder.until(|status| status.state == State::Online).await;
    say(&mut peer, FromCloud::Reconnect { window_s: 0 }).await;
    assert_eq!(close_code(&mut peer).await, Some(close::GOING_AWAY));
    let _third = register(&listener, &tls).await;
    recorder.until(|status| status.state == State::Online).await;
}

#[tokio::test]
async fn another_address_in_the_settings_is_connected_to_at_once() {
    let world = World::new();
    let tls = world.tls(NAME, NOW);
    let ((first, at_first), (second, at_second)) = (listen().await, listen().await);
    let mut recorder = Recorder::start(&world, &at_first, bounds());
    let mut peer = register(&first, &tls).await;
    recorder.until(|status| status.state == State::Online).await;
    recorder.settings.send_replace(settings(&at_second));
    assert_eq!(close_code(&mut peer).await, Some(1000));
    let _peer = register(&second, &tls).await;
    recorder.until(|status| status.state == State::Online && status.server == at_second).await;
}

#[tokio::test]
async fn a_device_proves_its_verification_code_and_registers_anew_when_the_code_changes() {
    let world = World::new();
    let (listener, server) = listen().await;
    let tls = world.tls(NAME, NOW);
    let mut recorder = Recorder::start(&world, &server, bounds());
    let (mut peer, told) = registers(&listener, &tls).await;
    assert_eq!(told.adding, None, "it has no code");
    for code in ["7K4MQ2XR", "7k4mq2xr", "another1"] {
        recorder.until(|status| status.state == State::Online).await;
        let verification_code = Some(DeviceCode::parse(code).unwrap());
        recorder.settings.send_replace(PlatformSettings { verification_code, ..settings(&server) });
        assert_eq!(close_code(&mut peer).await, Some(1000));
        let told;
        (peer, told) = registers(&listener, &tls).await;
        assert_eq!(told.adding, Some(Adding::of("LK-0001", code).unwrap()));
    }
}

fn challenge() -> SealedChallenge {
    SealedChallenge::from_bytes(vec![0x5a; 247]).unwrap()
}

#[tokio::test]
async fn a_challenge_is_handed_over_and_its_mail_followed() {
    let world = World::new();
    let (listener, server) = listen().await;
    let tls = world.tls(NAME, NOW);
    let mut recorder = Recorder::start(&world, &server, bounds());
    let mut peer = register(&listener, &tls).await;
    recorder.until(|status| status.state == State::Online).await;
    assert_eq!(recorder.handle.mail_of(&challenge()), None);

    let handle = recorder.handle.clone();
    let sending = tokio::spawn(async move { handle.submit(challenge()).await });
    let FromDevice::Submit { id, sealed } = heard(&mut peer).await else { panic!("submit") };
    assert_eq!(sealed.0, challenge());
    let relay = RelayId([4; 16]);
    let queued = MailStatus { state: MailState::Queued, reason: None };
    say(&mut peer, FromCloud::Submitted { id, relay, mail: queued }).await;
    assert_eq!(soon(sending).await.unwrap().unwrap().mail, queued);
    let accepted = MailStatus { state: MailState::Accepted, reason: None };
    // Of a request that was never submitted here: nothing.
    say(&mut peer, FromCloud::Mail { relay: RelayId([5; 16]), mail: accepted }).await;
    say(&mut peer, FromCloud::Mail { relay, mail: accepted }).await;
    soon(async {
        while recorder.handle.mail_of(&challenge()).unwrap().mail != accepted {
            recorder.handle.changed().await;
        }
    })
    .await;

    // It came back: whoever sends it again has a second mail of the same request.
    let bounced = MailStatus { state: MailState::Bounced, reason: Some(MailReason::MailboxFull) };
    say(&mut peer, FromCloud::Mail { relay, mail: bounced }).await;
    let handle = recorder.handle.clone();
    let sending = tokio::spawn(async move { handle.submit_again(challenge()).await });
    let FromDevice::Resend { id, relay: again } = heard(&mut peer).await else { panic!("resend") };
    assert_eq!(again, relay);
    say(&mut peer, FromCloud::Submitted { id, relay, mail: queued }).await;
    assert_eq!(soon(sending).await.unwrap().unwrap().mail, queued);
    assert_eq!(recorder.handle.mail_of(&challenge()).unwrap().mail, queued);

    let handle = recorder.handle.clone();
    let sending = tokio::spawn(async move { handle.submit(challenge()).await });
    let FromDevice::Submit { id, .. } = heard(&mut peer).await else { panic!("submit") };
    let problem = Problem::DeviceLimit;
    say(&mut peer, FromCloud::Rejected { id, problem, retry_after_s: Some(60) }).await;
    let rejected = NotSent::Rejected { problem, retry_after_s: Some(60) };
    assert_eq!(soon(sending).await.unwrap(), Err(rejected));

    // A connection that breaks answers whoever waits.
    let handle = recorder.handle.clone();
    let sending = tokio::spawn(async move { handle.submit(challenge()).await });
    heard(&mut peer).await;
    drop(peer);
    assert_eq!(soon(sending).await.unwrap(), Err(NotSent::Offline));

    // The cloud tells of nothing that was handed over on an earlier connection: it is asked once somebody looks.
    let mut peer = register(&listener, &tls).await;
    recorder.until(|status| status.state == State::Online).await;
    assert_eq!(recorder.handle.mail_of(&challenge()).unwrap().mail, queued);
    assert_eq!(recorder.handle.mail_of(&challenge()).unwrap().mail, queued);
    let FromDevice::Submit { id, sealed } = heard(&mut peer).await else { panic!("submit") };
    assert_eq!(sealed.0, challenge());
    say(&mut peer, FromCloud::Submitted { id, relay, mail: bounced }).await;
    soon(async {
        while recorder.handle.mail_of(&challenge()).unwrap().mail != bounced {
            recorder.handle.changed().await;
        }
    })
    .await;

    // Whoever asked is gone when the answer comes: the connection stays.
    let handle = recorder.handle.clone();
    let sending = tokio::spawn(async move { handle.submit_again(challenge()).await });
    let FromDevice::Resend { id: first, .. } = heard(&mut peer).await else { panic!("resend") };
    sending.abort();
    assert!(sending.await.unwrap_err().is_cancelled());
    let handle = recorder.handle.clone();
    let sending = tokio::spawn(async move { handle.submit(challenge()).await });
    let FromDevice::Submit { id, .. } = heard(&mut peer).await else { panic!("one look, one question") };
    say(&mut peer, FromCloud::Submitted { id: first, relay, mail: queued }).await;
    say(&mut peer, FromCloud::Submitted { id, relay, mail: accepted }).await;
    assert_eq!(soon(sending).await.unwrap().unwrap().mail, accepted);
}

/// Answers the question about the time, if the device asks it. Gives what it sent.
async fn tell_time(listener: &tokio::net::TcpListener, world: &World, unix_s: i64, by_another: bool) {
    let (chain, key) = world.platform.server(NAME, NOW);
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let (stream, _) = soon(listener.accept()).await.unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config));
    let mut tls = soon(acceptor.accept(stream)).await.unwrap();
    let mut head = vec![];
    while !head.ends_with(b"\r\n\r\n") {
        head.push(soon(tls.read_u8()).await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    let nonce = head.strip_prefix("GET /api/v1/time?nonce=").unwrap().split(' ').next().unwrap();
    let nonce: Nonce = nonce.parse().unwrap();
    let other = ed25519_dalek::SigningKey::from_bytes(&[0x66; 32]);
    let signed = SignedTime::sign(if by_another { &other } else { &world.signing }, nonce, unix_s);
    let body = serde_json::to_string(&signed).unwrap();
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    tls.write_all(answer.as_bytes()).await.unwrap();
    tls.shutdown().await.unwrap();
}

/// 2085-06-01: this machine's clock is a wrong one.
const IN_2085: i64 = 3_642_192_000;

#[tokio::test]
async fn with_a_wrong_clock_the_signed_time_leads_to_a_connection_with_every_check() {
    let world = World::new();
    let (listener, server) = listen().await;
    let years = world.tls(NAME, (2085, 2086));
    let mut recorder = Recorder::start(&world, &server, bounds());
    let (stream, _) = soon(listener.accept()).await.unwrap();
    assert!(soon(years.accept(stream)).await.is_err(), "a certificate that is not valid yet is refused");
    tell_time(&listener, &world, IN_2085, false).await;
    let (stream, _) = soon(listener.accept()).await.unwrap();
    let mut peer = upgrade(soon(years.accept(stream)).await.unwrap()).await;
    heard(&mut peer).await;
    let registered = latchkey_protocol::platform::Registered { unix_time_s: IN_2085, ..registered() };
    say(&mut peer, FromCloud::Registered(registered)).await;
    recorder.until(|status| status.state == State::Online).await;
}

#[tokio::test]
async fn a_time_that_the_cloud_did_not_sign_is_not_believed() {
    let world = World::new();
    let (listener, server) = listen().await;
    let years = world.tls(NAME, (2085, 2086));
    let mut recorder = Recorder::start(&world, &server, bounds());
    let (stream, _) = soon(listener.accept()).await.unwrap();
    assert!(soon(years.accept(stream)).await.is_err());
    tell_time(&listener, &world, IN_2085, true).await;
    assert_eq!(recorder.reason().await, "clock");
}
