//! Both front doors by real sockets: what they let pass, and everything that they refuse.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that is surprised fails")]

mod described;
mod refused;
mod unix;
mod world;

use world::{World, exchange, parse, read_to_end, text};

#[tokio::test]
async fn a_whole_reset_at_the_lan_door() {
    let world = World::open().await;
    world.activate().await;
    let device = world.lan("GET /api/v1/device", &[], "").await.json();
    assert_eq!(device["lifecycle"], "active");
    assert_eq!(device["reset_by_email"], "offered");
    assert_eq!(device["masked_emails"][0], "o***r@e***e.com");

    let none = world.lan("GET /api/v1/reset/challenge", &[], "").await;
    assert_eq!((none.status, none.problem().as_str()), (409, "no-challenge"));
    assert_eq!(none.json()["reason"], "never-asked");
    let begun = world.lan_json("POST /api/v1/reset/challenge", r#"{"terms_accepted":true}"#).await;
    assert_eq!(begun.status, 200, "{begun:?}");
    let challenge = begun.json();
    assert_eq!((challenge["door"].as_str(), challenge["tries_left"].as_u64()), (Some("lan"), Some(5)));
    let svg = world.lan("GET /api/v1/reset/challenge/qr.svg", &[], "").await;
    assert_eq!(svg.header("content-type"), Some("image/svg+xml"));
    assert!(svg.text().starts_with("<svg") || svg.text().starts_with("<?xml"));
    let png = world.lan("GET /api/v1/reset/challenge/qr.png", &[], "").await;
    assert!(png.body.starts_with(b"\x89PNG\r\n"));
    assert!(png.header("content-disposition").unwrap().starts_with("attachment; filename=\"reset-"));
    let matrix = world.lan("GET /api/v1/reset/challenge/qr.json", &[], "").await.json();
    assert_eq!(matrix["rows"].as_array().unwrap().len() as u64, matrix["size"].as_u64().unwrap());

    let code = world.code_of(challenge["qr_text"].as_str().unwrap());
    let wrong = format!("{:08}", (code.number() + 1) % 100_000_000);
    let refused =
        world.lan_json("POST /api/v1/reset/verification", &format!(r#"{{"code":"{wrong}"}}"#)).await;
    assert_eq!((refused.status, refused.problem().as_str()), (403, "wrong-code"));
    assert_eq!(refused.json()["tries_left"], 4);
    let typed = format!(r#"{{"code":"{} {}"}}"#, &code.digits()[..4], &code.digits()[4..]);
    let verified = world.lan_json("POST /api/v1/reset/verification", &typed).await;
    assert_eq!(verified.status, 200, "{verified:?}");
    let grant = verified.json()["grant"].as_str().unwrap().to_owned();
    let weak = world
        .lan_json("POST /api/v1/reset/password", &format!(r#"{{"grant":"{grant}","password":"short"}}"#))
        .await;
    assert_eq!((weak.status, weak.problem().as_str()), (422, "weak-password"));
    assert_eq!(weak.json()["chars_min"], 8);
    let new = format!(r#"{{"grant":"{grant}","password":"Another horse 2"}}"#);
    assert_eq!(world.lan_json("POST /api/v1/reset/password", &new).await.status, 204);
    assert_eq!(world.lan_json("POST /api/v1/reset/password", &new).await.problem(), "grant-over");

    let old = world.lan_json("POST /api/v1/session", r#"{"password":"Correct horse 1"}"#).await;
    assert_eq!((old.status, old.problem().as_str()), (403, "wrong-password"));
    let signed_in = world.lan_json("POST /api/v1/session", r#"{"password":"Another horse 2"}"#).await;
    assert_eq!(signed_in.status, 201);
    assert_eq!(signed_in.json()["reset_to_tell"]["door"], "lan");
    let cookie = signed_in.cookies()[0].to_owned();
    assert!(cookie.ends_with("; Path=/; Secure; HttpOnly; SameSite=Strict"), "{cookie}");

    let session = cookie.split(';').next().unwrap();
    let emails = world.lan("GET /api/v1/admin/reserved-email", &[("Cookie", session)], "").await.json();
    assert_eq!(emails["emails"][0]["address"], "owner@example.com");
    let bearer = format!("Bearer {}", signed_in.json()["session"].as_str().unwrap());
    let out = world.lan("DELETE /api/v1/session", &[("Authorization", &bearer)], "").await;
    assert_eq!(out.status, 204);
    let gone = world.lan("GET /api/v1/admin/reserved-email", &[("Cookie", session)], "").await;
    assert_eq!((gone.status, gone.problem().as_str()), (401, "not-signed-in"));
    assert_eq!(gone.header("www-authenticate"), Some("Bearer"));
}

#[tokio::test]
async fn every_answer_carries_what_keeps_it_safe() {
    let world = World::open().await;
    let page = world.lan("GET /activate", &[], "").await;
    let sheet = page.text().split('"').find(|part| part.ends_with(".css")).unwrap().to_owned();
    let sheet = format!("GET {sheet}");
    for (line, cached) in
        [("GET /", false), ("GET /nowhere", false), ("GET /api/v1/device", false), (sheet.as_str(), true)]
    {
        let answer = world.lan(line, &[], "").await;
        let csp = answer.header("content-security-policy").unwrap();
        assert!(csp.starts_with("default-src 'none'") && !csp.contains("unsafe"), "{csp}");
        assert!(csp.contains("frame-ancestors 'none'") && csp.contains("form-action 'self'"), "{csp}");
        assert_eq!(answer.header("referrer-policy"), Some("same-origin"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("cache-control") == Some("no-store"), !cached, "{line}");
        assert_eq!(answer.header("strict-transport-security"), None);
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let world = World::open().await;
    let get = world.lan("GET /api/v1/device", &[], "").await;
    let head = world.lan("HEAD /api/v1/device", &[], "").await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), Some(get.body.len().to_string().as_str()));
    assert_eq!(world.lan("HEAD /api/v1/activation", &[], "").await.status, 405);
}

#[tokio::test]
async fn requests_that_come_in_one_piece_are_answered_in_turn() {
    let world = World::open().await;
    let host = world.https.to_string();
    let first = format!("GET /api/v1/device HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let both = first + &text("GET /nowhere", &host, &[], "");
    let mut stream = world.tls().await;
    tokio::io::AsyncWriteExt::write_all(&mut stream, both.as_bytes()).await.unwrap();
    let bytes = read_to_end(&mut stream).await;
    let all = String::from_utf8(bytes.clone()).unwrap();
    assert_eq!(parse(&bytes).unwrap().status, 200);
    assert_eq!(all.matches("HTTP/1.1 ").count(), 2);
    assert!(all.find("HTTP/1.1 200").unwrap() < all.find("HTTP/1.1 404").unwrap());
}

#[tokio::test]
async fn the_plain_port_explains_and_does_nothing_else() {
    let world = World::open().await;
    let send = |line: &'static str, host: String| {
        let address = world.http;
        async move {
            let stream = tokio::net::TcpStream::connect(address).await.unwrap();
            exchange(stream, &text(line, &host, &[], "")).await
        }
    };
    let own = world.http.to_string();
    let page = send("GET /", own.clone()).await;
    assert_eq!(page.status, 200);
    let pairs: Vec<String> = world.fingerprint.iter().map(|byte| format!("{byte:02X}")).collect();
    assert!(page.text().contains(&pairs.join(":")));
    assert!(page.text().contains(&format!("href=\"https://127.0.0.1:{}/\"", world.https.port())));
    assert!(
        page.text().contains("Model &#60;T&#62;") && !page.text().contains("<T>"),
        "the model is escaped"
    );
    assert!(!page.text().contains("plain-http-"), "a sentence is missing from the catalogue");
    assert_eq!(send("GET /", "evil.example".into()).await.status, 421);
    assert_eq!(send("GET /", format!("evil.example:{}", world.http.port())).await.status, 421);
    assert_eq!(send("GET /sign-in", own.clone()).await.status, 404);
    assert_eq!(send("GET /api/v1/device", own.clone()).await.status, 404);
    assert_eq!(send("POST /api/v1/session", own).await.status, 405);
    assert_eq!(world.asked(), 0);
}
