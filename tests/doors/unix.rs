//! The console's socket, and the one of the recorder's own web server.

use crate::world::{BASE, Setup, World, read_to_end, text};
use tokio::{io::AsyncWriteExt, net::UnixStream};

const JSON: (&str, &str) = ("Content-Type", "application/json");
const BEGIN: &str = r#"{"terms_accepted":true}"#;

#[tokio::test]
async fn the_console_checks_passwords_and_resets_the_factory_state() {
    let world = World::open().await;
    world.activate().await;
    let right = world.console_json("POST /api/v1/verify-password", r#"{"password":"Correct horse 1"}"#).await;
    assert_eq!(right.status, 204);
    let wrong = world.console_json("POST /api/v1/verify-password", r#"{"password":"wrong horse"}"#).await;
    assert_eq!((wrong.status, wrong.problem().as_str()), (403, "wrong-password"));
    let unsure = world.console_json("POST /api/v1/factory-reset", r#"{"confirm":false}"#).await;
    assert_eq!(unsure.problem(), "invalid-field");
    assert_eq!(world.console_json("POST /api/v1/factory-reset", r#"{"confirm":true}"#).await.status, 204);
    let device = world.console("GET /api/v1/device", &[], "").await.json();
    assert_eq!((device["lifecycle"].as_str(), device["door"].as_str()), (Some("inactive"), Some("console")));
}

#[tokio::test]
async fn the_console_gives_no_cookie_and_hears_no_browser() {
    let world = World::open().await;
    world.activate().await;
    let signed_in = world.console_json("POST /api/v1/session", r#"{"password":"Correct horse 1"}"#).await;
    assert!(signed_in.cookies().is_empty());
    let bearer = format!("Bearer {}", signed_in.json()["session"].as_str().unwrap());
    let device = world.console("GET /api/v1/device", &[("Authorization", &bearer)], "").await.json();
    assert_eq!(device["signed_in"], true);
    let browser = world.console("POST /api/v1/session", &[JSON, ("Origin", "https://localhost")], "{}").await;
    assert_eq!(browser.problem(), "wrong-origin");
}

#[tokio::test]
async fn another_user_is_not_heard() {
    let uid = nix::unistd::getuid().as_raw() + 1;
    let world = World::open_with(Setup { uid, ..Setup::default() }).await;
    for path in [&world.console, &world.proxied] {
        let mut stream = UnixStream::connect(path).await.unwrap();
        // It may be closed before all is written.
        let _ = stream.write_all(text("GET /api/v1/device", "localhost", &[], "").as_bytes()).await;
        assert!(read_to_end(&mut stream).await.is_empty());
    }
    assert_eq!(world.asked(), 0);
}

#[tokio::test]
async fn behind_the_recorders_own_web_server_the_same_rules_hold() {
    let world = World::open().await;
    world.activate().await;
    let here = [127, 0, 0, 1];
    let device = world.proxied(here, &format!("GET {BASE}/api/v1/device"), &[], "").await;
    assert_eq!((device.status, device.json()["door"].as_str()), (200, Some("lan")));
    assert_eq!(world.proxied(here, "GET /api/v1/device", &[], "").await.problem(), "not-found");
    assert_eq!(world.proxied(here, "GET /latchkeyx/api/v1/device", &[], "").await.problem(), "not-found");
    let bare = world.proxied(here, &format!("GET {BASE}"), &[], "").await;
    assert_eq!((bare.status, bare.header("location")), (303, Some("/latchkey/")));
    let evil =
        world.proxied(here, &format!("GET {BASE}/api/v1/device"), &[("Host", "evil.example")], "").await;
    assert_eq!(evil.problem(), "wrong-host");

    let begin = format!("POST {BASE}/api/v1/reset/challenge");
    let before = world.asked();
    let far = world.proxied([8, 8, 8, 8], &begin, &[JSON], BEGIN).await;
    assert_eq!(far.problem(), "not-on-this-network");
    let forwarded = world.proxied(here, &begin, &[JSON, ("X-Forwarded-For", "127.0.0.1")], BEGIN).await;
    assert_eq!(forwarded.problem(), "not-on-this-network");
    assert_eq!(world.asked(), before);
    let near = world.proxied(here, &begin, &[JSON, ("Origin", "http://127.0.0.1")], BEGIN).await;
    assert_eq!(near.status, 200, "{near:?}");

    let password = r#"{"password":"Correct horse 1"}"#;
    let signed_in = world.proxied(here, &format!("POST {BASE}/api/v1/session"), &[JSON], password).await;
    let cookie = signed_in.cookies()[0];
    assert!(
        cookie.starts_with("latchkey-session=") && cookie.contains("; Path=/latchkey/; Secure;"),
        "{cookie}"
    );
    let console_only =
        world.proxied(here, &format!("POST {BASE}/api/v1/verify-password"), &[JSON], password).await;
    assert_eq!(console_only.problem(), "not-found");
}

#[tokio::test]
async fn a_web_server_that_does_not_say_for_whom_is_not_heard() {
    let world = World::open().await;
    for start in [&b""[..], b"PROXY TCP4 127.0.0.1 127.0.0.1 1 443\r\n", &[0; 16]] {
        let mut stream = UnixStream::connect(&world.proxied).await.unwrap();
        let request = text("GET /latchkey/api/v1/device", "127.0.0.1", &[], "");
        let _ = stream.write_all(&[start, request.as_bytes()].concat()).await;
        assert!(read_to_end(&mut stream).await.is_empty());
    }
    assert_eq!(world.asked(), 0);
}
