//! What the LAN door refuses, without the heart hearing of it.

use crate::world::{Setup, World, exchange, read_to_end, text};
use latchkey::web::Bounds;
use std::time::Duration;
use tokio::{io::AsyncWriteExt, net::TcpStream};

const JSON: (&str, &str) = ("Content-Type", "application/json");
const BEGIN: &str = r#"{"terms_accepted":true}"#;

#[tokio::test]
async fn another_host() {
    let world = World::open().await;
    let port = world.https.port();
    for host in [
        "evil.example".into(),
        format!("evil.example:{port}"),
        "127.0.0.1".into(),
        "127.0.0.1:1".into(),
        String::new(),
    ] {
        let answer = world.lan("POST /api/v1/reset/challenge", &[("Host", &host), JSON], BEGIN).await;
        assert_eq!((answer.status, answer.problem().as_str()), (421, "wrong-host"), "{host}");
    }
    let none = "GET /api/v1/device HTTP/1.1\r\nConnection: close\r\n\r\n";
    assert!(matches!(exchange(world.tls().await, none).await.status, 400 | 421));
    let two = text("GET /api/v1/device", "127.0.0.1", &[("host", "evil.example")], "");
    assert!(matches!(exchange(world.tls().await, &two).await.status, 400 | 421));
    assert_eq!(world.asked(), 0);
    let own = format!("recorder.lan:{port}");
    assert_eq!(world.lan("GET /api/v1/device", &[("Host", &own)], "").await.status, 200);
}

#[tokio::test]
async fn another_origin() {
    let world = World::open().await;
    let own = format!("https://{}", world.https);
    let plain = format!("http://{}", world.https);
    for (name, value) in [
        ("Origin", "null"),
        ("Origin", "https://evil.example"),
        ("Origin", plain.as_str()),
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
    ] {
        let answer = world.lan("POST /api/v1/reset/challenge", &[(name, value), JSON], BEGIN).await;
        assert_eq!((answer.status, answer.problem().as_str()), (403, "wrong-origin"), "{name}: {value}");
        let answer = world.lan("DELETE /api/v1/session", &[(name, value)], "").await;
        assert_eq!(answer.status, 403);
    }
    assert_eq!(world.asked(), 0);
    let headers = [("Origin", own.as_str()), ("Sec-Fetch-Site", "same-origin"), JSON];
    assert_eq!(world.lan("POST /api/v1/reset/challenge", &headers, BEGIN).await.problem(), "not-active");
}

#[tokio::test]
async fn a_form_that_is_not_from_here() {
    let world = World::open().await;
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    let secret = "11".repeat(32);
    let cookie = format!("__Host-latchkey-form={secret}");
    let right = format!("form_token={}", world.form_token([0x11; 32]));
    let other = format!("form_token={}", world.form_token([0x12; 32]));
    let zeros = format!("form_token={}", "0".repeat(64));
    for (cookie, body) in [
        (None, "a=b"),
        (None, right.as_str()),
        (Some(&cookie), "a=b"),
        (Some(&cookie), other.as_str()),
        (Some(&cookie), zeros.as_str()),
        (Some(&cookie), "form_token="),
    ] {
        let mut headers = vec![form];
        headers.extend(cookie.map(|cookie| ("Cookie", cookie.as_str())));
        let answer = world.lan("POST /sign-out", &headers, body).await;
        assert_eq!(answer.status, 403, "{cookie:?} {body}");
        assert!(answer.text().contains("This page was open for too long"), "{answer:?}");
    }
    assert_eq!(world.asked(), 0);
    let answer = world.lan("POST /sign-out", &[form, ("Cookie", &cookie)], &right).await;
    assert!(answer.status < 400, "{answer:?}");
    let json = world.lan("POST /sign-out", &[JSON, ("Cookie", &cookie)], "{}").await;
    assert_eq!(json.status, 415);
}

#[tokio::test]
async fn what_is_too_large() {
    let world = World::open().await;
    let large = format!(r#"{{"password":"{}"}}"#, "x".repeat(16 * 1024));
    let answer = world.lan("POST /api/v1/session", &[JSON], &large).await;
    assert_eq!((answer.status, answer.problem().as_str()), (413, "too-large"));
    let chunk = format!("{:x}\r\n{large}\r\n0\r\n\r\n", large.len());
    let head =
        text("POST /api/v1/session", &world.https.to_string(), &[JSON, ("Transfer-Encoding", "chunked")], "");
    let answer = exchange(world.tls().await, &(head + &chunk)).await;
    assert_eq!((answer.status, answer.problem().as_str()), (413, "too-large"));
    let path = format!("GET /api/{}", "x".repeat(1100));
    let answer = world.lan(&path, &[], "").await;
    assert_eq!((answer.status, answer.problem().as_str()), (414, "target-too-long"));
    let wide = "x".repeat(20 * 1024);
    assert_eq!(world.lan("GET /api/v1/device", &[("X-Wide", &wide)], "").await.status, 431);
    let many = vec![("X-Many", "1"); 100];
    assert_eq!(world.lan("GET /api/v1/device", &many, "").await.status, 431);
    assert_eq!(world.asked(), 0);
}

#[tokio::test]
async fn what_cannot_be_read() {
    let world = World::open().await;
    for (line, body, problem) in [
        ("POST /api/v1/session", "", "malformed"),
        ("POST /api/v1/session", "{", "malformed"),
        ("POST /api/v1/session", "[]", "malformed"),
        ("POST /api/v1/session", "{}", "malformed"),
        ("POST /api/v1/session", r#"{"password":7}"#, "malformed"),
        ("POST /api/v1/session", r#"{"password":"a","password":"b"}"#, "malformed"),
        ("POST /api/v1/session", r#"{"password":"a","extra":1}"#, "malformed"),
        ("POST /api/v1/session", r#"{"password":"a"} x"#, "malformed"),
        ("POST /api/v1/session", "{\"password\":\"\u{0}\"}", "malformed"),
        ("PUT /api/v1/admin/reserved-email", "{}", "not-signed-in"),
        (
            "POST /api/v1/activation",
            r#"{"password":"Correct horse 1","reserved_email":"x"}"#,
            "invalid-field",
        ),
        ("POST /api/v1/reset/challenge", r#"{"terms_accepted":false}"#, "invalid-field"),
        ("POST /api/v1/reset/verification", r#"{"code":"1234567"}"#, "invalid-field"),
        ("POST /api/v1/reset/password", r#"{"grant":"00","password":"Correct horse 1"}"#, "invalid-field"),
    ] {
        let answer = world.lan(line, &[JSON], body).await;
        assert_eq!(answer.problem(), problem, "{line} {body}");
        assert!(!answer.text().contains("Correct horse"), "{answer:?}");
    }
    for media_type in ["text/plain", "application/x-www-form-urlencoded", "", "application/jsonx"] {
        let answer = world.lan("POST /api/v1/session", &[("Content-Type", media_type)], "{}").await;
        assert_eq!((answer.status, answer.problem().as_str()), (415, "wrong-media-type"), "{media_type}");
    }
    let wrong_method = world.lan("PATCH /api/v1/session", &[JSON], "{}").await;
    assert_eq!((wrong_method.status, wrong_method.header("allow")), (405, Some("POST, DELETE")));
    assert_eq!(world.lan("GET /api/v1/nothing", &[], "").await.problem(), "not-found");
    assert_eq!(world.asked(), 0);
    // The doors still answer.
    assert_eq!(world.lan("GET /api/v1/device", &[], "").await.status, 200);
}

#[tokio::test]
async fn what_only_the_console_has() {
    let world = World::open().await;
    world.activate().await;
    let before = world.asked();
    let password = r#"{"password":"Correct horse 1"}"#;
    assert_eq!(world.lan_json("POST /api/v1/verify-password", password).await.problem(), "not-found");
    assert_eq!(
        world.lan_json("POST /api/v1/factory-reset", r#"{"confirm":true}"#).await.problem(),
        "not-found"
    );
    assert_eq!(world.asked(), before);
}

#[tokio::test]
async fn what_was_passed_on_or_comes_from_another_network() {
    let world = World::open().await;
    world.activate().await;
    let before = world.asked();
    for header in ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"] {
        for line in
            ["POST /api/v1/reset/challenge", "POST /api/v1/activation", "GET /api/v1/reset/challenge/qr.png"]
        {
            let answer = world.lan(line, &[(header, "127.0.0.1"), JSON], BEGIN).await;
            assert_eq!((answer.status, answer.problem().as_str()), (403, "not-on-this-network"), "{header}");
            assert_eq!(answer.json()["reason"], "forwarded");
        }
        assert_eq!(world.lan("GET /forgot", &[(header, "127.0.0.1")], "").await.status, 403);
    }
    assert_eq!(world.asked(), before);
    let device = world.lan("GET /api/v1/device", &[("X-Forwarded-For", "127.0.0.1")], "").await.json();
    assert_eq!(device["reset_by_email"], "not-on-this-network");
    assert_eq!(device["masked_emails"].as_array().unwrap().len(), 0);

    // The loopback interface counts only where the board lists it.
    let strict = World::open_with(Setup { lan_interfaces: &["eth77"], ..Setup::default() }).await;
    let answer = strict.lan_json("POST /api/v1/reset/challenge", BEGIN).await;
    assert_eq!(answer.problem(), "not-on-this-network");
    assert_eq!(answer.json()["reason"], "not-a-lan-interface");
    assert_eq!(strict.asked(), 0);
}

#[tokio::test]
async fn garbage_instead_of_tls() {
    let world = World::open().await;
    for garbage in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xff; 300], b"\x16\x03\x01\xff\xff"] {
        let mut stream = TcpStream::connect(world.https).await.unwrap();
        stream.write_all(garbage).await.unwrap();
        stream.shutdown().await.unwrap();
        let answered = read_to_end(&mut stream).await;
        assert!(answered.len() < 64, "at most a TLS alert");
    }
    assert_eq!(world.lan("GET /api/v1/device", &[], "").await.status, 200);
}

#[tokio::test]
async fn who_is_slow() {
    let soon = Duration::from_millis(300);
    let bounds = Bounds { handshake_max: soon, head_max: soon, body_max: soon, ..Bounds::default() };
    let world = World::open_with(Setup { bounds, ..Setup::default() }).await;
    // No handshake at all.
    let mut silent = TcpStream::connect(world.https).await.unwrap();
    assert!(read_to_end(&mut silent).await.is_empty());
    // A head that never ends.
    let mut stream = world.tls().await;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: 127").await.unwrap();
    let answered = read_to_end(&mut stream).await;
    assert!(answered.is_empty() || answered.starts_with(b"HTTP/1.1 408"), "{answered:?}");
    // Silence after an answer.
    let mut stream = world.tls().await;
    let head = format!("GET /api/v1/device HTTP/1.1\r\nHost: {}\r\n\r\n", world.https);
    stream.write_all(head.as_bytes()).await.unwrap();
    assert!(read_to_end(&mut stream).await.starts_with(b"HTTP/1.1 200"));
    // A body that never comes.
    let before = world.asked();
    let head = text("POST /api/v1/session", &world.https.to_string(), &[JSON, ("Content-Length", "20")], "");
    let answer = exchange(world.tls().await, &head).await;
    assert_eq!((answer.status, answer.problem().as_str()), (408, "too-slow"));
    assert_eq!(world.asked(), before);
}

#[tokio::test]
async fn who_asks_too_often() {
    let world = World::open().await;
    let mut stream = world.tls().await;
    let host = world.https.to_string();
    let one = format!("GET /assets/none HTTP/1.1\r\nHost: {host}\r\n\r\n");
    // One connection takes 200 requests: more than one is needed to get over the rate.
    stream.write_all(one.repeat(199).as_bytes()).await.unwrap();
    let last = text("GET /api/v1/device", &host, &[], "");
    stream.write_all(last.as_bytes()).await.unwrap();
    assert!(read_to_end(&mut stream).await.starts_with(b"HTTP/1.1 404"));
    let answer = world.lan("POST /api/v1/session", &[JSON], "{}").await;
    if answer.status != 429 {
        // The bucket filled while the machine was busy: what is left of it goes at once.
        let mut stream = world.tls().await;
        let many = one.repeat(190) + &last;
        stream.write_all(many.as_bytes()).await.unwrap();
        let all = String::from_utf8(read_to_end(&mut stream).await).unwrap();
        assert!(all.contains("HTTP/1.1 429"), "never told to wait");
        assert!(all.contains("retry-after: "));
        return;
    }
    assert_eq!(answer.problem(), "too-many-requests");
    assert!(answer.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
}

#[tokio::test]
async fn who_holds_too_many_connections() {
    let bounds = Bounds { connections_per_peer_max: 2, ..Bounds::default() };
    let world = World::open_with(Setup { bounds, ..Setup::default() }).await;
    let first = world.tls().await;
    let _second = world.tls().await;
    let mut third = TcpStream::connect(world.https).await.unwrap();
    assert!(read_to_end(&mut third).await.is_empty(), "turned away at once");
    drop(first);
    // The place is free again as soon as the door has seen the end of the first.
    let mut tries = 0;
    loop {
        let mut stream = TcpStream::connect(world.https).await.unwrap();
        stream.write_all(b"not TLS").await.unwrap();
        if !read_to_end(&mut stream).await.is_empty() {
            break;
        }
        tries += 1;
        assert!(tries < 1000, "the place is never free again");
    }
}
