//! The app's pages, and pictures that are sent to be read.

use crate::{
    mailbox::{cloud, drawn, jpeg_of, png_of},
    support::*,
};
use latchkey_protocol::{QrLink, Tag};

fn png(text: &str) -> Vec<u8> {
    let (side, points) = drawn(text, 4);
    png_of(side, side, &points)
}

fn jpeg(text: &str) -> Vec<u8> {
    let (side, points) = drawn(text, 4);
    jpeg_of(side, &points)
}

/// Sends a file as the form of the page for resets does.
async fn send(cloud: &Cloud, kind: &str, file: &[u8]) -> Answer {
    send_to(cloud, "/reset/picture", kind, file).await
}

async fn send_to(cloud: &Cloud, path: &str, kind: &str, file: &[u8]) -> Answer {
    let head = format!(
        "--edge\r\nContent-Disposition: form-data; name=\"picture\"; filename=\"a.bin\"\r\nContent-Type: {kind}\r\n\r\n"
    );
    let body = [head.as_bytes(), file, b"\r\n--edge--\r\n"].concat();
    post(cloud.address(), path, "multipart/form-data; boundary=edge", &body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_is_read_and_nothing_is_sent_before_the_tap() {
    let cloud = cloud().await;
    let device = cloud.device().await;
    let link = device.link(&device.challenge(1));
    let parsed = QrLink::parse(&link).unwrap();
    for (kind, file) in [("image/png", png(&link)), ("image/jpeg", jpeg(&link))] {
        let page = send(&cloud, kind, &file).await;
        assert_eq!(page.status, 200, "{kind}: {page:?}");
        assert!(page.body.contains(&Tag::of(parsed.sealed.as_bytes()).to_string()), "{kind}");
        assert!(page.body.contains(&format!("name=\"sealed\" value=\"{}\"", parsed.digits())), "{kind}");
        assert!(!page.body.contains("id=\"paste\""), "{kind}");
    }
    assert!(cloud.mails().is_empty());
    let form = format!("sealed={}", parsed.digits());
    let sent = post(cloud.address(), "/r", "application/x-www-form-urlencoded", form.as_bytes()).await;
    assert_eq!(sent.status, 303, "{sent:?}");
    cloud.assert_keeps_no_secret();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_of_a_recorder_s_own_code_leads_to_the_form_that_adds_it() {
    let cloud = cloud().await;
    let file = png("https://cloud.example/add#LK-7/7K4MQ2XR");
    for path in ["/add/picture", "/reset/picture"] {
        // Nobody is signed in: the browser keeps the code meanwhile.
        let answer = send_to(&cloud, path, "image/png", &file).await;
        assert_eq!((answer.status, answer.header("location")), (303, Some("/add#LK-7/7K4MQ2XR")), "{path}");
    }
    for (what, text, says) in [
        ("another service's", "https://other.example/add#LK-7/7K4MQ2XR", "other.example"),
        ("a code that is not whole", "https://cloud.example/add#LK-7/7K", "is another one"),
        ("another code", "WIFI:S:guest;;", "href=\"/add/scan\""),
    ] {
        let page = send_to(&cloud, "/add/picture", "image/png", &png(text)).await;
        assert_eq!(page.status, 422, "{what}: {page:?}");
        assert!(page.body.contains(says), "{what}: {}", page.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_that_is_no_use_has_a_clear_answer() {
    let cloud = cloud().await;
    let elsewhere = {
        let device = cloud.device().await;
        device.link(&device.challenge(1)).replace("cloud.example", "other.example")
    };
    let mut cut = png("https://cloud.example/r#0");
    cut.truncate(cut.len() / 2);
    for (what, file, status, says) in [
        ("a text", b"hello".to_vec(), 422, "There is no picture"),
        ("nothing", vec![], 422, "There is no picture"),
        ("half a picture", cut, 422, "cannot be opened"),
        ("another code", png("WIFI:S:guest;;"), 422, "is another one"),
        ("a link that is not whole", png("https://cloud.example/r#123"), 422, "could not be used"),
        ("another service's", png(&elsewhere), 422, "other.example"),
        ("too large a file", vec![0; 17 * 1024 * 1024], 422, "too large"),
    ] {
        let page = send(&cloud, "image/png", &file).await;
        assert_eq!(page.status, status, "{what}: {page:?}");
        assert!(page.body.contains(says), "{what}: {}", page.body);
    }
    let form = post(cloud.address(), "/reset/picture", "text/plain", b"x").await;
    assert_eq!(form.status, 415);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_page_that_scans_may_have_the_camera() {
    let cloud = Cloud::start().await;
    for path in ["/", "/more", "/reset", "/reset/picture", "/r"] {
        let page = get(cloud.address(), path).await;
        let policy = page.header("permissions-policy").unwrap();
        assert_eq!(policy.contains("camera=(self)"), path == "/reset", "{path}: {policy}");
        assert!(policy.contains("microphone=()"), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_can_keep_the_app() {
    let cloud = Cloud::start().await;
    let page = get(cloud.address(), "/").await;
    assert!(page.body.contains("rel=\"manifest\" href=\"/manifest.webmanifest\""));
    let manifest = get(cloud.address(), "/manifest.webmanifest").await;
    assert_eq!(manifest.header("content-type"), Some("application/manifest+json"));
    let manifest = manifest.json();
    assert_eq!(manifest["display"], "standalone");
    assert_eq!(manifest["icons"].as_array().unwrap().len(), 3);
    for icon in manifest["icons"].as_array().unwrap() {
        let file = get(cloud.address(), icon["src"].as_str().unwrap()).await;
        assert_eq!((file.status, file.header("content-type")), (200, Some("image/png")), "{icon}");
    }
    for path in ["/", "/more", "/reset"] {
        let page = get(cloud.address(), path).await;
        let said =
            |t: &str| ["part", "more", "reset", "refusal"].iter().any(|k| t.starts_with(&format!("{k}-")));
        assert!(!page.body.split('>').any(|t| said(t.trim_start())), "{path}: a sentence is missing");
        for asset in page.body.split('"').filter(|part| part.starts_with("/assets/")) {
            assert_eq!(get(cloud.address(), asset).await.status, 200, "{path}: {asset}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_without_accounts_resets_and_nothing_else() {
    let mut cloud = Cloud::new(|text| {
        let text = generous(text);
        assert_eq!(text.matches("# [accounts]").count(), 1);
        text.replace("# [accounts]", "[accounts]\nenabled = false")
    });
    cloud.run().await;
    for path in ["/recorders", "/account", "/account/sign-up", "/account/sign-in", "/add", "/add/scan"] {
        assert_eq!(get(cloud.address(), path).await.status, 404, "{path}");
    }
    let answer = get(cloud.address(), "/api/v1/account/recorders").await;
    assert_eq!(answer.problem(), (404, "not-found".to_owned()));
    for path in ["/", "/more", "/reset", "/r"] {
        let page = get(cloud.address(), path).await;
        assert_eq!(page.status, 200, "{path}");
        for gone in ["\"/recorders\"", "\"/account\"", "\"/add", "data-adds"] {
            assert!(!page.body.contains(gone), "{path}: {gone}");
        }
    }
    let device = cloud.device().await;
    let form = format!("sealed={}", QrLink::parse(&device.link(&device.challenge(1))).unwrap().digits());
    let sent = post(cloud.address(), "/r", "application/x-www-form-urlencoded", form.as_bytes()).await;
    assert_eq!(sent.status, 303, "{sent:?}");
}
