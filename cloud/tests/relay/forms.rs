//! Pages, hostile forms, and the interface's own description.

use crate::support::*;

const FORM: &str = "application/x-www-form-urlencoded";

#[tokio::test(flavor = "multi_thread")]
async fn a_link_is_pasted_without_a_script() {
    let cloud = Cloud::start().await;
    let device = cloud.device().await;
    let link = device.link(&device.challenge(1)).replace(':', "%3A").replace('#', "%23");
    let answer = post(cloud.address(), "/r", FORM, format!("sealed=+{link}%0A").as_bytes()).await;
    assert_eq!(answer.status, 303, "{answer:?}");
    let path = answer.header("location").unwrap().to_owned();
    let id = path.strip_prefix("/r/status/").unwrap().to_owned();
    let shown = cloud.past(&id, "queued").await;
    let page = get(cloud.address(), &path).await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains(shown["tag"].as_str().unwrap()) && page.body.contains("o***t@m***x.example"));
    assert!(page.body.contains("taken the mail"), "{}", page.body);
    assert!(!page.body.contains(DIGITS) && !page.body.contains(ADDRESS));
    let again = post(cloud.address(), &format!("{path}/resend"), FORM, b"").await;
    assert_eq!(again.status, 429);
    cloud.clock.pass(60);
    let again = post(cloud.address(), &format!("{path}/resend"), FORM, b"").await;
    assert_eq!((again.status, again.header("location")), (303, Some(path.as_str())));
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_locked_down_and_ask_for_nothing() {
    let cloud = Cloud::start().await;
    for path in ["/", "/r", "/nothing", "/r/status/zz", "/api/v1/nothing", "/healthz"] {
        let page = get(cloud.address(), path).await;
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{path}");
        assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(page.header("cache-control"), Some("no-store"), "{path}");
        assert!(!page.body.contains("type=\"password\"") && !page.body.contains("<script>"), "{path}");
        assert!(!page.body.contains(" style="), "{path}");
        let missing = page.body.split('>').any(|t| {
            ["landing-", "scan-", "status-", "refusal-"].iter().any(|k| t.trim_start().starts_with(k))
        });
        assert!(!missing, "{path}: a sentence is missing: {}", page.body);
    }
    let page = get(cloud.address(), "/r").await;
    for asset in page.body.split('"').filter(|part| part.starts_with("/assets/")) {
        let file = get(cloud.address(), asset).await;
        assert_eq!(file.status, 200, "{asset}");
        assert!(file.header("cache-control").unwrap().contains("immutable"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_requests_have_a_clear_answer() {
    let cloud = Cloud::start().await;
    let at = cloud.address();
    let json = "application/json";
    let relay = "/api/v1/relay";
    assert_eq!(post(at, relay, json, b"").await.problem(), (400, "malformed-request".into()));
    assert_eq!(post(at, relay, json, b"{}").await.problem(), (400, "malformed-request".into()));
    assert_eq!(post(at, relay, json, b"[[[[").await.problem(), (400, "malformed-request".into()));
    assert_eq!(post(at, relay, json, &[0xff; 90]).await.problem(), (400, "malformed-request".into()));
    let deep = "[".repeat(5000);
    assert_eq!(post(at, relay, json, deep.as_bytes()).await.problem(), (400, "malformed-request".into()));
    let extra = br#"{"sealed":"1","address":"me@evil.example"}"#;
    assert_eq!(post(at, relay, json, extra).await.problem(), (400, "malformed-request".into()));
    let list = br#"{"sealed":["1","2"]}"#;
    assert_eq!(post(at, relay, json, list).await.problem(), (400, "malformed-request".into()));
    assert_eq!(post(at, relay, "text/plain", b"{}").await.problem(), (415, "media-type".into()));
    assert_eq!(post(at, relay, json, &[b' '; 9000]).await.problem(), (413, "too-large".into()));
    assert_eq!(get(at, relay).await.problem(), (405, "method".into()));
    assert_eq!(get(at, "/api/v2/relay").await.problem(), (404, "not-found".into()));
    let wide = "\u{661}".repeat(40);
    assert_eq!(cloud.relay(&wide).await.problem(), (422, "unusable-qr".into()));
    for body in [
        "",
        "sealed",
        "sealed=%",
        "sealed=%ff%fe",
        "other=1",
        "sealed=<script>alert(1)</script>",
        "sealed=1&sealed=2",
    ] {
        let answer = post(at, "/r", FORM, body.as_bytes()).await;
        assert!([400, 422].contains(&answer.status), "{body}: {}", answer.status);
        assert!(answer.body.contains("<h1>") && !answer.body.contains("alert(1)"), "{body}");
    }
    for path in ["/r/status/%00", "/r/status/..%2f..%2fkeys", "/assets/x/..%2fcloud.db", "/%ff"] {
        assert_eq!(get(at, path).await.status, 404, "{path}");
    }
    assert_eq!(raw(at, b"GET / HTTP/9.9\r\n\r\n").await.status, 400);
    assert_eq!(
        raw(at, &[b"GET / HTTP/1.1\r\nX: ", &[b'a'; 40_000][..], b"\r\n\r\n"].concat()).await.status,
        431
    );
    assert_eq!(get(at, "/healthz").await.json()["status"], "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_description_is_of_these_routes() {
    let cloud = Cloud::start().await;
    let document = get(cloud.address(), "/api/v1/openapi.json").await.json();
    assert_eq!(document["openapi"], "3.1.0");
    let paths = document["paths"].as_object().unwrap();
    // Every route of the router that speaks JSON, and no other.
    let source = include_str!("../../src/web/mod.rs");
    let routes: std::collections::BTreeSet<&str> = source
        .lines()
        .filter_map(|line| line.trim().strip_prefix(".route(\"")?.split('"').next())
        .filter(|path| path.starts_with("/api/") || *path == "/healthz")
        .collect();
    assert_eq!(routes, paths.keys().map(String::as_str).collect());
    for (path, methods) in paths {
        let path = path.replace("{id}", "00000000000000000000000000000000");
        for method in ["get", "post", "put", "patch", "delete"] {
            let request = format!(
                "{} {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
                method.to_uppercase()
            );
            let answer = raw(cloud.address(), request.as_bytes()).await;
            assert_eq!(
                answer.status == 405,
                methods.get(method).is_none(),
                "{method} {path}: {}",
                answer.status
            );
            if let Some(told) = methods.get(method) {
                assert!(
                    !told["responses"][answer.status.to_string()].is_null(),
                    "{method} {path}: {}",
                    answer.status
                );
            }
        }
    }
    // And an answer has the fields that it names.
    let device = cloud.device().await;
    let id = cloud.relay(&device.digits(&device.challenge(1))).await.id();
    let shown = cloud.show(&id).await;
    let schema = &document["components"]["schemas"]["Request"];
    let named: std::collections::BTreeSet<&String> =
        schema["properties"].as_object().unwrap().keys().collect();
    assert_eq!(shown.as_object().unwrap().keys().collect::<std::collections::BTreeSet<_>>(), named);
    let named: std::collections::BTreeSet<&String> =
        schema["properties"]["mail"]["properties"].as_object().unwrap().keys().collect();
    assert_eq!(shown["mail"].as_object().unwrap().keys().collect::<std::collections::BTreeSet<_>>(), named);
}
