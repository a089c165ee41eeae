//! Devices that may not be let in, and peers that do not keep to the protocol. Each time another device
//! is connected beside them, and notices nothing.

use crate::{binary::Binary, link::*, support::*};
use futures_util::StreamExt as _;
use latchkey_cloud::{
    clock::Clock as _,
    factory,
    platform::sessions::{End, Post},
    store::{fleet::FleetStore as _, sqlite::Sqlite},
};
use latchkey_protocol::platform::{FRAME_BYTES_MAX, FromCloud, FromDevice, Refusal, RelayId, close};
use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpSocket, TcpStream},
    time::timeout,
};
use tokio_tungstenite::tungstenite::Message;

async fn refused(recorder: &Recorder, address: SocketAddr) -> (Refusal, u16) {
    let (mut link, answer) = recorder.knock(address).await;
    let FromCloud::Refused { reason, .. } = answer else { panic!("not refused: {answer:?}") };
    (reason, link.closed().await)
}

async fn revoke(cloud: &Cloud, which: &str) {
    let store = Sqlite::open(&cloud.config().database()).unwrap();
    factory::revoke(&store, which, cloud.clock.now_s()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_come_in_is_told_why() {
    let cloud = cloud().await;
    let door = door(&cloud);
    let bystander = Recorder::new(&cloud, "LK-BESIDE").await;
    let (mut beside, _) = bystander.connect(door).await;
    let recorder = Recorder::new(&cloud, "LK-1").await;

    // Another's serial or model beside one's own certificate.
    let mut other = recorder.clone();
    other.file.serial = "LK-BESIDE".into();
    assert_eq!(refused(&other, door).await, (Refusal::Unknown, close::UNKNOWN));
    let mut other = recorder.clone();
    other.file.model = "Recorder 9".into();
    assert_eq!(refused(&other, door).await, (Refusal::Unknown, close::UNKNOWN));

    // Another's certificate without its key, and a certificate of another cloud.
    let mut thief = recorder.clone();
    thief.file.certificate = bystander.file.certificate.clone();
    assert!(thief.upgrade(door).await.is_err());
    let elsewhere = crate::link::cloud().await;
    let mut stranger = Recorder::new(&elsewhere, "LK-1").await;
    stranger.file.server_roots = recorder.file.server_roots.clone();
    assert!(stranger.upgrade(door).await.is_err());
    // And without any certificate.
    let mut tls = recorder.tls();
    tls.client_auth_cert_resolver = std::sync::Arc::new(Nothing);
    let stream = TcpStream::connect(door).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(tls));
    if let Ok(mut stream) = connector.connect("cloud.example".try_into().unwrap(), stream).await {
        // In TLS 1.3 the refusal comes after the client believes to be done.
        assert!(matches!(stream.read(&mut [0; 64]).await, Err(_) | Ok(0)));
    }

    revoke(&cloud, "LK-1").await;
    assert_eq!(refused(&recorder, door).await, (Refusal::Revoked, close::REVOKED));
    rusqlite::Connection::open(cloud.config().database())
        .unwrap()
        .execute("DELETE FROM device WHERE serial = 'LK-1'", [])
        .unwrap();
    assert_eq!(refused(&recorder, door).await, (Refusal::Unknown, close::UNKNOWN));
    beside.beat().await;
    let metrics = cloud.running.as_ref().unwrap().platform.metrics.text();
    assert!(metrics.contains("latchkey_refusals_total{reason=\"unknown\"} 3"), "{metrics}");
    assert!(metrics.contains("latchkey_registrations_total 1\n"), "{metrics}");
}

#[derive(Debug)]
struct Nothing;

impl rustls::client::ResolvesClientCert for Nothing {
    fn resolve(
        &self,
        _: &[&[u8]],
        _: &[rustls::SignatureScheme],
    ) -> Option<std::sync::Arc<rustls::sign::CertifiedKey>> {
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn revocation_ends_a_connection_that_is_there() {
    let cloud = cloud().await;
    let recorder = Recorder::new(&cloud, "LK-1").await;
    let bystander = Recorder::new(&cloud, "LK-2").await;
    let (mut link, _) = recorder.connect(door(&cloud)).await;
    let (mut beside, _) = bystander.connect(door(&cloud)).await;
    revoke(&cloud, "LK-1").await;
    assert_eq!(link.closed().await, close::REVOKED);
    beside.beat().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_connection_is_refused_while_the_first_answers() {
    let cloud = cloud().await;
    let recorder = Recorder::new(&cloud, "LK-1").await;
    let (mut first, _) = recorder.connect(door(&cloud)).await;
    // Whoever reads answers pings: the library does it by itself.
    let reading = tokio::spawn(async move {
        let next = first.ws.next().await;
        assert!(matches!(next, Some(Ok(Message::Ping(_)))), "{next:?}");
        let _ = timeout(Duration::from_millis(1), first.ws.next()).await; // sends the answer
        first
    });
    assert_eq!(refused(&recorder, door(&cloud)).await, (Refusal::Duplicate, close::DUPLICATE));
    let mut first = reading.await.unwrap();
    first.beat().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_was_cut_off_makes_way() {
    let cloud = cloud().await;
    let recorder = Recorder::new(&cloud, "LK-1").await;
    let (mut first, _) = recorder.connect(door(&cloud)).await;
    // It is not read, as if its cable were cut. While it is asked, nobody is called a copy.
    let (one, other) = tokio::join!(recorder.knock(door(&cloud)), recorder.knock(door(&cloud)));
    let is_in = |answer: &FromCloud| matches!(answer, FromCloud::Registered(_));
    let ((mut second, _), (_, answer)) = if is_in(&one.1) { (one, other) } else { (other, one) };
    assert!(matches!(answer, FromCloud::Refused { reason: Refusal::Busy, .. }), "{answer:?}");
    second.beat().await;
    assert_eq!(first.closed().await, close::DUPLICATE);
    second.beat().await;
    let store = &cloud.running.as_ref().unwrap().relay.store;
    let online = async || {
        store
            .presence(recorder.file.handle, cloud.clock.now_s())
            .await
            .unwrap()
            .filter(|p| p.online)
            .map(drop)
    };
    wait_for(online).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorded_registration_says_nothing_when_it_is_played_again() {
    let cloud = cloud().await;
    let recorder = Recorder::new(&cloud, "LK-1").await;
    let there = door(&cloud);
    let wire = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tapped = wire.local_addr().unwrap();
    let tap = tokio::spawn(async move {
        let (mut device, _) = wire.accept().await.unwrap();
        let mut cloud = TcpStream::connect(there).await.unwrap();
        let (mut from_device, mut to_device) = device.split();
        let (mut from_cloud, mut to_cloud) = cloud.split();
        let back = tokio::io::copy(&mut from_cloud, &mut to_device);
        let mut recorded = vec![];
        let forth = async {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = from_device.read(&mut bytes).await {
                recorded.extend_from_slice(&bytes[..count]);
                to_cloud.write_all(&bytes[..count]).await.unwrap();
            }
        };
        tokio::select! { () = forth => {}, _ = back => {} }
        recorded
    });
    let (mut link, _) = recorder.connect(tapped).await;
    link.beat().await;
    drop(link);
    let recorded = tap.await.unwrap();
    assert!(recorded.len() > 1000);

    let (mut link, _) = recorder.connect(there).await;
    let mut replay = TcpStream::connect(there).await.unwrap();
    let _ = replay.write_all(&recorded).await;
    let mut answer = vec![];
    let _ = timeout(PATIENCE, replay.read_to_end(&mut answer)).await.expect("it was left open");
    link.beat().await;
    let platform = &cloud.running.as_ref().unwrap().platform;
    assert!(platform.metrics.text().contains("latchkey_registrations_total 2\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_is_noticed_and_a_beat_is_not_silence() {
    let cloud = cloud().await;
    let quiet = Recorder::new(&cloud, "LK-1").await;
    let lively = Recorder::new(&cloud, "LK-2").await;
    let (mut silent, _) = quiet.connect(door(&cloud)).await;
    let (mut link, _) = lively.connect(door(&cloud)).await;
    cloud.clock.pass(470);
    link.beat().await;
    silent.beat().await;
    cloud.clock.pass(470);
    link.beat().await;
    cloud.clock.pass(10);
    assert_eq!(silent.closed().await, close::SILENT);
    link.beat().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_never_registers_is_not_waited_for() {
    let cloud = cloud().await;
    let recorder = Recorder::new(&cloud, "LK-1").await;
    let mut link = recorder.upgrade(door(&cloud)).await.unwrap();
    link.beat().await; // a sign of life is no registration
    assert_eq!(link.closed().await, close::SILENT);
}

/// Raw bytes of a frame from a client: RFC 6455 5.2.
fn frame(first: u8, masked: bool, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    let mask = if masked { 0x80 } else { 0 };
    match u16::try_from(payload.len()) {
        Ok(len @ ..126) => bytes.push(mask | len as u8),
        Ok(len) => {
            bytes.push(mask | 126);
            bytes.extend_from_slice(&len.to_be_bytes());
        }
        Err(_) => {
            bytes.push(mask | 127);
            bytes.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    if masked {
        bytes.extend_from_slice(&[0; 4]);
    }
    bytes.extend_from_slice(payload);
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_the_protocol_ends_with_a_reason_and_touches_nobody_else() {
    let cloud = cloud().await;
    let door = door(&cloud);
    let bystander = Recorder::new(&cloud, "LK-BESIDE").await;
    let (mut beside, _) = bystander.connect(door).await;
    let recorder = Recorder::new(&cloud, "LK-1").await;
    let ask = FromDevice::Resend { id: 1, relay: RelayId([7; 16]) }.to_frame();
    let long = format!("{{\"type\":\"renew\",\"id\":1,\"x\":\"{}\"}}", "x".repeat(FRAME_BYTES_MAX));
    let pieces = [frame(0x01, true, b"{"), frame(0x00, true, b"").repeat(60_000)].concat();
    let wide = frame(0x81, true, "x".repeat(70_000).as_bytes());
    let cases: Vec<(&str, Vec<u8>, u16)> = vec![
        ("no JSON", frame(0x81, true, b"hello"), close::MALFORMED),
        ("no type", frame(0x81, true, b"{}"), close::MALFORMED),
        ("an unknown type", frame(0x81, true, b"{\"type\":\"reboot\"}"), close::MALFORMED),
        (
            "a number out of range",
            frame(0x81, true, b"{\"type\":\"renew\",\"id\":4294967296}"),
            close::MALFORMED,
        ),
        ("registered twice", frame(0x81, true, recorder.register().to_frame().as_bytes()), close::MALFORMED),
        ("no UTF-8", frame(0x81, true, &[0xff, 0xfe]), close::MALFORMED),
        ("binary", frame(0x82, true, &[1, 2, 3]), close::MALFORMED),
        ("not masked", frame(0x81, false, ask.as_bytes()), close::MALFORMED),
        ("a reserved opcode", frame(0x83, true, b"x"), close::MALFORMED),
        ("reserved bits", frame(0xf1, true, b"x"), close::MALFORMED),
        ("a ping in pieces", frame(0x09, true, b""), close::MALFORMED),
        ("a ping too long", frame(0x89, true, &[0; 126]), close::MALFORMED),
        ("nothing to continue", frame(0x80, true, b"x"), close::MALFORMED),
        ("a frame too long", frame(0x81, true, long.as_bytes()), close::TOO_LONG),
        ("a length that never comes", wide[..14].to_vec(), close::TOO_LONG),
        (
            "too long in pieces",
            [frame(0x01, true, &[b' '; 5000]), frame(0x80, true, &[b' '; 5000])].concat(),
            close::TOO_LONG,
        ),
        ("a flood of messages", frame(0x81, true, ask.as_bytes()).repeat(100), close::TOO_MANY),
        ("a flood of pings", frame(0x89, true, b"").repeat(200), close::TOO_MANY),
        ("a flood of pongs", frame(0x8a, true, b"").repeat(200), close::TOO_MANY),
        ("a flood of empty pieces", pieces, close::TOO_MANY),
    ];
    for (what, bytes, code) in cases {
        let (mut link, _) = recorder.connect(door).await;
        // The cloud may close before it has read everything.
        let _ = link.ws.get_mut().write_all(&bytes).await;
        let _ = link.ws.get_mut().flush().await;
        assert_eq!(link.closed().await, code, "{what}");
        drop(link);
        beside.beat().await;
        let platform = &cloud.running.as_ref().unwrap().platform;
        wait_for(async || (platform.sessions.count() == 1).then_some(())).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_of_another_kind_is_refused() {
    let cloud = cloud().await;
    let recorder = Recorder::new(&cloud, "LK-1").await;
    let upgrade = |path: &str, protocol: &str| {
        format!(
            "GET {path} HTTP/1.1\r\nHost: cloud.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n{protocol}\r\n"
        )
    };
    let of = "Sec-WebSocket-Protocol: latchkey.v1\r\n";
    for (request, status) in [
        (upgrade("/elsewhere", of), 404),
        (upgrade("/platform", ""), 400),
        (upgrade("/platform", "Sec-WebSocket-Protocol: latchkey.v2\r\n"), 400),
        ("GET /platform HTTP/1.1\r\nHost: cloud.example\r\n\r\n".into(), 0),
        (format!("GET /platform HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(100_000)), 0),
        ("\u{16}\u{3}\u{1}".into(), 0),
    ] {
        let mut stream = recorder.dial(door(&cloud)).await.unwrap();
        let _ = stream.write_all(request.as_bytes()).await;
        if request.len() < 10 {
            stream.shutdown().await.unwrap();
        }
        let mut answer = vec![];
        let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("it was left open");
        let line = String::from_utf8_lossy(&answer);
        let told = line.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        assert_eq!(told, status, "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_never_reads_is_dropped_and_holds_no_memory() {
    let cloud = cloud().await;
    let recorder = Recorder::new(&cloud, "LK-1").await;
    let bystander = Recorder::new(&cloud, "LK-2").await;
    let (mut beside, _) = bystander.connect(door(&cloud)).await;
    // A small window, so that little is on its way unread.
    let wire = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tapped = wire.local_addr().unwrap();
    let there = door(&cloud);
    let (stalled, until_stalled) = tokio::sync::oneshot::channel::<()>();
    let tap = tokio::spawn(async move {
        let (mut device, _) = wire.accept().await.unwrap();
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let mut cloud = socket.connect(there).await.unwrap();
        tokio::select! {
            _ = tokio::io::copy_bidirectional(&mut device, &mut cloud) => {}
            _ = until_stalled => {}
        }
        (device, cloud) // open, and not read any more
    });
    let (_link, _) = recorder.connect(tapped).await;
    let platform = cloud.running.as_ref().unwrap().platform.clone();
    let session = platform.sessions.of(recorder.file.handle).unwrap();
    stalled.send(()).unwrap();
    let _held = tap.await.unwrap();
    // More than it takes and more than is kept for it.
    let dropped = async || {
        session.post(Post::Frame("x".repeat(FRAME_BYTES_MAX)));
        platform.sessions.of(recorder.file.handle).is_none().then_some(())
    };
    wait_for(dropped).await;
    beside.beat().await;
    let metrics = platform.metrics.text();
    assert!(metrics.contains("latchkey_disconnections_total{reason=\"unread\"} 1\n"), "{metrics}");
    assert_eq!(End::Unread.word(), "unread");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_devices_than_the_setting_says() {
    let mut cloud =
        Cloud::new(|text| with_devices(text).replace("# connections_max = 100000", "connections_max = 2"));
    cloud.run().await;
    let mut links = vec![];
    for n in 0..2 {
        let recorder = Recorder::new(&cloud, &format!("LK-{n}")).await;
        links.push(recorder.connect(door(&cloud)).await.0);
    }
    let third = Recorder::new(&cloud, "LK-3").await;
    assert_eq!(refused(&third, door(&cloud)).await, (Refusal::Busy, close::BUSY));
    links.remove(0).ws.close(None).await.unwrap();
    let platform = &cloud.running.as_ref().unwrap().platform;
    wait_for(async || (platform.sessions.count() == 1).then_some(())).await;
    third.connect(door(&cloud)).await.0.beat().await;
    links[0].beat().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_devices_of_a_killed_node_go_offline_with_its_lease() {
    let cloud = Cloud::new(with_devices);
    let recorder = Recorder::new(&cloud, "LK-1").await;
    let service = Binary::serve(&cloud.folder.0);
    let (mut link, _) = recorder.connect(service.devices()).await;
    link.beat().await;
    let store = Sqlite::open(&cloud.config().database()).unwrap();
    let handle = recorder.file.handle;
    let real_s = latchkey_cloud::clock::WallClock.now_s();
    let online = async || store.presence(handle, real_s).await.unwrap().filter(|presence| presence.online);
    let before = wait_for(online).await;
    service.kill();
    assert_eq!(link.closed().await, 0);
    // Nobody has written anything since, and its lease holds 60 seconds at most.
    let killed_s = latchkey_cloud::clock::WallClock.now_s();
    let after = store.presence(handle, killed_s + 60).await.unwrap().unwrap();
    assert!(!after.online);
    assert!(after.since_s > before.since_s && after.since_s <= killed_s + 60, "{after:?}");
    assert_eq!(store.fleet(killed_s + 60, 5).await.unwrap().online, 0);
    // The next one finds the same device again.
    let service = Binary::serve(&cloud.folder.0);
    let (mut link, _) = recorder.connect(service.devices()).await;
    link.beat().await;
    let now_s = latchkey_cloud::clock::WallClock.now_s();
    let online = async || store.presence(handle, now_s).await.unwrap().filter(|presence| presence.online);
    wait_for(online).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hundreds_of_devices_come_at_once_and_none_is_lost() {
    const DEVICES: usize = 300;
    let cloud = cloud().await;
    let store = Sqlite::open(&cloud.config().database()).unwrap();
    let mut recorders = vec![];
    for n in 0..DEVICES {
        recorders.push(Recorder::with(&cloud, &store, &format!("LK-{n}")).await);
    }
    let address = door(&cloud);
    // As many at a time as one network may have unregistered.
    let turns = std::sync::Arc::new(tokio::sync::Semaphore::new(32));
    let mut coming = tokio::task::JoinSet::new();
    for recorder in recorders {
        let turns = turns.clone();
        coming.spawn(async move {
            let _turn = turns.acquire().await.unwrap();
            recorder.connect(address).await.0
        });
    }
    let mut links = coming.join_all().await;
    let platform = &cloud.running.as_ref().unwrap().platform;
    assert_eq!(platform.sessions.count(), DEVICES);
    for link in &mut links {
        link.beat().await;
    }
    let counted = async || {
        let online = store.fleet(cloud.clock.now_s(), 0).await.unwrap().online;
        (online == DEVICES as u64).then_some(())
    };
    wait_for(counted).await;
    assert_eq!(platform.sessions.count(), DEVICES);
}
