//! Recorders on accounts over the JSON interface.

use crate::{accounts::*, link::*, recorders::*, support::*};

/// A request to the interface, with or without a token and a body.
async fn json(cloud: &Cloud, method: &str, path: &str, token: &str, body: &str) -> Answer {
    let token = if token.is_empty() { String::new() } else { format!("Authorization: Bearer {token}\r\n") };
    let head = format!(
        "{method} /api/v1/account/{path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{token}\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    raw(cloud.address(), head.as_bytes()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_goes_over_json_with_a_token() {
    let cloud = cloud().await;
    let mut anna = registered(&cloud, "anna@home.example", "anna").await;
    let mut ben = registered(&cloud, "ben@home.example", "ben").await;
    let recorder = known(&cloud, "LK-1", Some(CODE_ON_LABEL)).await;
    known(&cloud, "LK-2", Some(CODE_ON_LABEL)).await;
    ben.has("LK-2", CODE_ON_LABEL).await;
    let problem = |status: u16, name: &str| (status, name.to_owned());
    let sign_in = |password: &str| serde_json::json!({ "who": "anna", "password": password }).to_string();
    assert_eq!(
        json(&cloud, "POST", "session", "", &sign_in("Wrong horse 1")).await.problem(),
        problem(403, "wrong-credentials")
    );
    assert_eq!(json(&cloud, "POST", "session", "", "{}").await.problem(), problem(400, "malformed-request"));
    let answer = json(&cloud, "POST", "session", "", &sign_in(PASSWORD)).await;
    assert_eq!((answer.status, &answer.json()["expires_in_s"]), (201, &serde_json::json!(43_200)));
    let token = answer.json()["token"].as_str().unwrap().to_owned();

    // A form of another site has no token, and no JSON; the pages' cookie is none.
    for token in ["", "0", &"0".repeat(64)] {
        let answer = json(&cloud, "GET", "recorders", token, "").await;
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        assert_eq!(answer.problem(), problem(401, "not-signed-in"));
    }
    let answer = anna.ask("DELETE", "/api/v1/account/session", &[], "").await;
    assert_eq!(answer.problem(), problem(401, "not-signed-in"));
    let bearer = format!("Authorization: Bearer {token}\r\n");
    let answer = anna.ask("POST", "/api/v1/account/recorders", &[("serial", "LK-1")], &bearer).await;
    assert_eq!(answer.problem(), problem(415, "media-type"));

    let adding = |serial: &str, code: &str, name: &str| {
        serde_json::json!({ "serial": serial, "code": code, "name": name }).to_string()
    };
    let wrong = json(&cloud, "POST", "recorders", &token, &adding("LK-1", "WRONG1234", "")).await;
    let unknown = json(&cloud, "POST", "recorders", &token, &adding("LK-9", CODE_ON_LABEL, "")).await;
    assert_eq!(wrong.problem(), problem(422, "recorder-not-added"));
    assert_eq!(wrong.body, unknown.body);
    for (body, refused) in [
        (adding("LK-2", CODE_ON_LABEL, ""), problem(409, "recorder-elsewhere")),
        (adding("LK-1", CODE_ON_LABEL, "a\u{7}b"), problem(422, "recorder-name")),
        ("[]".into(), problem(400, "malformed-request")),
        (r#"{"serial":"LK-1","code":"ABCDEF","more":1}"#.into(), problem(400, "malformed-request")),
        (adding("LK-1", &"A".repeat(9000), ""), problem(413, "too-large")),
    ] {
        assert_eq!(json(&cloud, "POST", "recorders", &token, &body).await.problem(), refused);
    }
    let answer = json(&cloud, "POST", "recorders", &token, &adding("LK-1", "7k4mq2xr", "Shop")).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let added = answer.json();
    assert_eq!(
        (&added["name"], &added["state"], &added["offer"]),
        (&"Shop".into(), &"offline".into(), &().into())
    );
    let path = answer.header("location").unwrap().strip_prefix("/api/v1/account/").unwrap().to_owned();
    let (link, _) = recorder.connect(door(&cloud)).await;
    kept(&cloud).await;
    let listed = json(&cloud, "GET", "recorders", &token, "").await.json();
    assert_eq!(listed["recorders"][0]["state"], "online");
    assert_eq!(
        (listed["recorders"].as_array().unwrap().len(), &listed["offers"]),
        (1, &serde_json::json!([]))
    );
    drop(link);

    let named = json(&cloud, "PATCH", &path, &token, r#"{"name":"Garage"}"#).await;
    assert_eq!((named.status, &named.json()["name"]), (200, &"Garage".into()));
    assert_eq!(
        json(&cloud, "PATCH", &path, &token, r#"{"name":""}"#).await.problem(),
        problem(422, "recorder-name")
    );
    // Another's are as unknown as any.
    let bens =
        json(&cloud, "POST", "session", "", r#"{"who":"ben","password":"Correct horse 1"}"#).await.json();
    let bens = bens["token"].as_str().unwrap();
    for (method, body) in [("GET", ""), ("PATCH", r#"{"name":"Mine"}"#), ("DELETE", "")] {
        let answer = json(&cloud, method, &path, bens, body).await;
        let nobodys = json(&cloud, method, &format!("recorders/{}", "0".repeat(32)), bens, body).await;
        assert_eq!(answer.problem(), problem(404, "unknown-recorder"));
        assert_eq!(answer.body, nobodys.body);
    }
    assert_eq!(json(&cloud, "DELETE", &path, &token, "").await.status, 204);
    assert_eq!(json(&cloud, "GET", &path, &token, "").await.problem(), problem(404, "unknown-recorder"));
    assert_eq!(json(&cloud, "DELETE", "session", &token, "").await.status, 204);
    assert_eq!(json(&cloud, "GET", "recorders", &token, "").await.problem(), problem(401, "not-signed-in"));
    // What is answered has the fields that the description names.
    let described = get(cloud.address(), "/api/v1/openapi.json").await.json();
    let named = described["components"]["schemas"]["Recorder"]["properties"].as_object().unwrap();
    assert!(added.as_object().unwrap().keys().eq(named.keys()), "{added}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorder_is_handed_over_with_tokens() {
    let cloud = cloud().await;
    let mut anna = registered(&cloud, "anna@home.example", "anna").await;
    registered(&cloud, "ben@home.example", "ben").await;
    for serial in ["LK-1", "LK-2"] {
        known(&cloud, serial, Some(CODE_ON_LABEL)).await;
    }
    let paths = [anna.has("LK-1", CODE_ON_LABEL).await, anna.has("LK-2", CODE_ON_LABEL).await];
    let [first, second] = paths.map(|path| format!("{}/offer", path.trim_start_matches('/')));
    let problem = |status: u16, name: &str| (status, name.to_owned());
    let mut tokens = vec![];
    for who in ["anna", "ben"] {
        let credentials = serde_json::json!({ "who": who, "password": PASSWORD }).to_string();
        let answer = json(&cloud, "POST", "session", "", &credentials).await.json();
        tokens.push(answer["token"].as_str().unwrap().to_owned());
    }
    let (annas, bens) = (&*tokens[0], &*tokens[1]);
    let wish = |email: &str, code: &str| serde_json::json!({ "email": email, "code": code }).to_string();
    for (token, body, refused) in [
        (annas, wish("ben@home.example", "WRONG1234"), problem(422, "wrong-device-code")),
        (annas, wish("ben", CODE_ON_LABEL), problem(422, "not-an-email")),
        (annas, wish("anna@home.example", CODE_ON_LABEL), problem(422, "own-email")),
        (annas, "{}".into(), problem(400, "malformed-request")),
        (bens, wish("otto@home.example", CODE_ON_LABEL), problem(404, "unknown-recorder")),
        ("", wish("ben@home.example", CODE_ON_LABEL), problem(401, "not-signed-in")),
    ] {
        assert_eq!(json(&cloud, "POST", &first, token, &body).await.problem(), refused, "{body}");
    }
    forget_mails(&cloud);
    let answer = json(&cloud, "POST", &first, annas, &wish("ben@home.example", CODE_ON_LABEL)).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let confirmation = answer.json()["confirmation"].as_str().unwrap().to_owned();
    let code = code_in(&mail(&cloud, "anna@home.example", 1).await);
    let with = |code: &str| serde_json::json!({ "confirmation": confirmation, "code": code }).to_string();
    let wrong = if code.starts_with('0') { "10000000" } else { "00000000" };
    for (path, token, code, refused) in [
        (&first, annas, wrong, problem(403, "wrong-mailed-code")),
        (&second, annas, &*code, problem(410, "code-over")),
        (&first, bens, &*code, problem(404, "unknown-recorder")),
    ] {
        assert_eq!(json(&cloud, "PUT", path, token, &with(code)).await.problem(), refused);
    }
    let offered = json(&cloud, "PUT", &first, annas, &with(&code)).await;
    assert_eq!((offered.status, &offered.json()["serial"]), (200, &"LK-1".into()), "{offered:?}");
    assert_eq!(offered.json()["offer"]["masked_address"], "b***@h***e.example");
    assert_eq!(json(&cloud, "PUT", &first, annas, &with(&code)).await.problem(), problem(410, "code-over"));

    let offers =
        async |token: &str| json(&cloud, "GET", "recorders", token, "").await.json()["offers"].clone();
    assert_eq!(offers(annas).await, serde_json::json!([]));
    let id = offers(bens).await[0]["id"].as_str().unwrap().to_owned();
    let reply = format!("offers/{id}");
    let accept = r#"{"answer":"accept"}"#;
    assert_eq!(
        json(&cloud, "POST", &reply, bens, r#"{"answer":"keep"}"#).await.problem(),
        problem(400, "malformed-request")
    );
    assert_eq!(json(&cloud, "POST", &reply, annas, accept).await.problem(), problem(410, "offer-over"));
    let accepted = json(&cloud, "POST", &reply, bens, accept).await;
    assert_eq!((accepted.status, &accepted.json()["serial"]), (201, &"LK-1".into()), "{accepted:?}");
    let at = accepted.header("location").unwrap().strip_prefix("/api/v1/account/").unwrap();
    assert_eq!(json(&cloud, "GET", at, bens, "").await.status, 200);
    assert_eq!(json(&cloud, "POST", &reply, bens, accept).await.problem(), problem(410, "offer-over"));

    // The code, and that the offer was accepted.
    mail(&cloud, "anna@home.example", 2).await;

    // The other one is offered, and taken back.
    forget_mails(&cloud);
    let asked = json(&cloud, "POST", &second, annas, &wish("ben@home.example", CODE_ON_LABEL)).await.json();
    let code = code_in(&mail(&cloud, "anna@home.example", 1).await);
    let body = serde_json::json!({ "confirmation": asked["confirmation"], "code": code }).to_string();
    assert_eq!(json(&cloud, "PUT", &second, annas, &body).await.status, 200);
    assert_eq!(json(&cloud, "DELETE", &second, annas, "").await.status, 204);
    assert_eq!(json(&cloud, "DELETE", &second, annas, "").await.problem(), problem(410, "offer-over"));
    assert_eq!(offers(bens).await, serde_json::json!([]));
}
