//! The OpenAPI document says what the code does, and the other way round.

use crate::world::World;
use latchkey::{
    platform::{NotEnrolled, NotSent},
    recovery::{Ended, Refusal, reply::WeakPassword},
    web::{Fault, Problem, api::OPENAPI, routes::Route, same_link::OffLink},
};
use latchkey_protocol::{Door, platform::Problem as CloudProblem};
use serde_json::Value;
use std::collections::BTreeSet;

fn document() -> Value {
    serde_json::from_str(OPENAPI).unwrap()
}

/// Every refusal that there is. A new variant without a line here is not described: the match below
/// does not compile then.
fn every_fault() -> Vec<Fault> {
    let faults = vec![
        Fault::Heart(Refusal::NotActive),
        Fault::Heart(Refusal::AlreadyActive),
        Fault::Heart(Refusal::RecordDamaged),
        Fault::Heart(Refusal::NotSignedIn),
        Fault::Heart(Refusal::WrongPassword { wait_s: 30 }),
        Fault::Heart(Refusal::Throttled { wait_s: 30 }),
        Fault::Heart(Refusal::LanClosed),
        Fault::Heart(Refusal::WeakPassword(WeakPassword::TooShort { chars_min: 8 })),
        Fault::Heart(Refusal::NoEmail),
        Fault::Heart(Refusal::NoSuchEmail),
        Fault::Heart(Refusal::SameEmail),
        Fault::Heart(Refusal::NoIdentity),
        Fault::Heart(Refusal::SwitchedOff),
        Fault::Heart(Refusal::NoChallenge(Ended::Rebooted)),
        Fault::Heart(Refusal::WrongCode { tries_left: 1 }),
        Fault::Heart(Refusal::GrantOver),
        Fault::Heart(Refusal::ConsoleOnly),
        Fault::Heart(Refusal::Busy),
        Fault::Heart(Refusal::Superseded),
        Fault::Heart(Refusal::StorageFailed),
        Fault::Heart(Refusal::Unavailable),
        Fault::NotOnThisNetwork(OffLink::Gateway),
        Fault::WrongHost,
        Fault::WrongOrigin,
        Fault::StaleForm,
        Fault::NotFound,
        Fault::MethodNotAllowed(vec![]),
        Fault::TooLarge,
        Fault::TargetTooLong,
        Fault::TooSlow,
        Fault::WrongMediaType("application/json"),
        Fault::Malformed { kind: "not-json", line: 1, column: 1 },
        Fault::InvalidField { field: "code", reason: "not-eight-digits" },
        Fault::TooManyRequests { wait_s: 1 },
        Fault::TimedOut,
        Fault::NotSent(NotSent::Offline),
        Fault::NotEnrolled(NotEnrolled::NoClaim),
        Fault::NotSent(NotSent::Rejected { problem: CloudProblem::DeviceLimit, retry_after_s: None }),
    ];
    for fault in &faults {
        match fault {
            Fault::Heart(_)
            | Fault::NotOnThisNetwork(_)
            | Fault::WrongHost
            | Fault::WrongOrigin
            | Fault::StaleForm
            | Fault::NotFound
            | Fault::MethodNotAllowed(_)
            | Fault::TooLarge
            | Fault::TargetTooLong
            | Fault::TooSlow
            | Fault::WrongMediaType(_)
            | Fault::Malformed { .. }
            | Fault::InvalidField { .. }
            | Fault::TooManyRequests { .. }
            | Fault::TimedOut
            | Fault::NotSent(_)
            | Fault::NotEnrolled(_) => {}
        }
    }
    faults
}

#[test]
fn every_route_is_described_and_nothing_else() {
    let mut described = BTreeSet::new();
    for (path, operations) in document()["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let console_only = operation.get("x-latchkey-console-only") == Some(&Value::Bool(true));
            described.insert((method.to_uppercase(), path.clone(), console_only));
        }
    }
    let on_lan: BTreeSet<_> =
        Route::every_api(Door::Lan).map(|(method, path, _)| (method.to_string(), path.to_owned())).collect();
    let routed: BTreeSet<_> = Route::every_api(Door::Console)
        .map(|(method, path, _)| (method.to_string(), path.to_owned()))
        .map(|(method, path)| (method.clone(), path.clone(), !on_lan.contains(&(method, path))))
        .collect();
    assert_eq!(described, routed);
}

#[test]
fn every_problem_is_described_with_its_status_and_in_words() {
    let document = document();
    let schema = &document["components"]["schemas"]["Problem"];
    let mut described = schema["x-latchkey-problems"].as_object().unwrap().clone();
    let types = schema["properties"]["type"]["enum"].as_array().unwrap();
    let types: BTreeSet<_> = types.iter().map(|name| name.as_str().unwrap().to_owned()).collect();
    let catalogue = latchkey_look::Catalogue::english();
    for fault in every_fault() {
        let problem = Problem::of(&fault, &catalogue);
        assert!(types.contains(&format!("urn:latchkey:problem:{}", problem.name)), "{fault:?}");
        let status = described.remove(problem.name).unwrap_or_else(|| panic!("{fault:?} is not described"));
        assert_eq!(status, problem.status.as_u16(), "{fault:?}");
        for member in problem.members.keys() {
            assert!(schema["properties"].get(member).is_some(), "{fault:?}: {member} is not described");
        }
        assert_eq!(
            matches!(problem.status.as_u16(), 429 | 503),
            problem.retry_after_s.is_some(),
            "{fault:?}"
        );
        for words in [&problem.title, &problem.detail] {
            assert!(
                !words.contains("problem-") && !words.contains("{$") && words.contains(' '),
                "{fault:?}: {words}"
            );
        }
    }
    assert!(described.is_empty(), "described, but no such refusal: {described:?}");
}

/// A confirmation by every path that shows one.
async fn confirmation(
    world: &World,
    headers: &[(&str, &str)],
    check: &impl Fn(&str, &str, &crate::world::Answer),
) -> Value {
    let path = "/api/v1/admin/reserved-email/confirmation";
    let begun = world.lan(&format!("POST {path}"), headers, "{}").await;
    check("post", path, &begun);
    check("get", path, &world.lan(&format!("GET {path}"), headers, "").await);
    for name in ["qr.svg", "qr.png", "qr.json", "send"] {
        let path = format!("{path}/{name}");
        check("get", &path, &world.lan(&format!("GET {path}"), headers, "").await);
    }
    let offline = world.lan(&format!("POST {path}/send"), headers, "").await;
    assert_eq!(offline.problem(), "platform-offline");
    let nobody = world.lan_json(&format!("POST {path}"), "{}").await;
    assert_eq!(nobody.problem(), "not-signed-in");
    begun.json()
}

#[tokio::test]
async fn answers_have_the_described_members_and_statuses() {
    let world = World::open().await;
    let served = world.lan("GET /api/v1/openapi.json", &[], "").await;
    assert_eq!(served.json(), document());
    let check = |method: &str, path: &str, answer: &crate::world::Answer| {
        let document = document();
        let responses = &document["paths"][path][method]["responses"];
        let described = &responses[answer.status.to_string()];
        assert!(described.is_object(), "{method} {path}: {} is not described: {answer:?}", answer.status);
        let schema = &described["content"]["application/json"]["schema"]["$ref"];
        if let Some(name) = schema.as_str() {
            let schema = &document["components"]["schemas"][name.rsplit('/').next().unwrap()];
            let members: BTreeSet<_> = schema["properties"].as_object().unwrap().keys().cloned().collect();
            let given: BTreeSet<_> = answer.json().as_object().unwrap().keys().cloned().collect();
            assert_eq!(given, members, "{method} {path}");
        }
    };
    let activation = r#"{"password":"Correct horse 1","reserved_email":"owner@example.com"}"#;
    let activated = world.lan_json("POST /api/v1/activation", activation).await;
    check("post", "/api/v1/activation", &activated);
    check("get", "/api/v1/device", &world.lan("GET /api/v1/device", &[], "").await);
    let begun = world.lan_json("POST /api/v1/reset/challenge", r#"{"terms_accepted":true}"#).await;
    check("post", "/api/v1/reset/challenge", &begun);
    check("get", "/api/v1/reset/challenge", &world.lan("GET /api/v1/reset/challenge", &[], "").await);
    for name in ["qr.svg", "qr.png", "qr.json"] {
        let path = format!("/api/v1/reset/challenge/{name}");
        check("get", &path, &world.lan(&format!("GET {path}"), &[], "").await);
    }
    let code = world.code_of(begun.json()["qr_text"].as_str().unwrap()).digits();
    let verified =
        world.lan_json("POST /api/v1/reset/verification", &format!(r#"{{"code":"{code}"}}"#)).await;
    check("post", "/api/v1/reset/verification", &verified);
    let grant = verified.json()["grant"].as_str().unwrap().to_owned();
    let body = format!(r#"{{"grant":"{grant}","password":"Another horse 2"}}"#);
    check("post", "/api/v1/reset/password", &world.lan_json("POST /api/v1/reset/password", &body).await);
    let signed_in = world.lan_json("POST /api/v1/session", r#"{"password":"Another horse 2"}"#).await;
    check("post", "/api/v1/session", &signed_in);
    let bearer = format!("Bearer {}", signed_in.json()["session"].as_str().unwrap());
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    let path = "/api/v1/admin/reserved-email";
    check("get", path, &world.lan(&format!("GET {path}"), &headers, "").await);
    let second = r#"{"current":"Another horse 2","email":"second@example.com","which":"second"}"#;
    check("put", path, &world.lan(&format!("PUT {path}"), &headers, second).await);
    let begun = confirmation(&world, &headers, &check).await;
    let code = world.code_of(begun["qr_text"].as_str().unwrap()).digits();
    let body = format!(r#"{{"code":"{code}"}}"#);
    let verify = "/api/v1/admin/reserved-email/confirmation/verification";
    check("post", verify, &world.lan(&format!("POST {verify}"), &headers, &body).await);
    let emails = world.lan(&format!("GET {path}"), &headers, "").await.json();
    assert_eq!(
        (&emails["emails"][0]["confirmed"], &emails["emails"][1]["confirmed"]),
        (&true.into(), &false.into())
    );
    let device = world.lan("GET /api/v1/device", &[], "").await.json();
    assert_eq!(
        (&device["email_confirmed"], &device["emails_confirmed"]),
        (&true.into(), &serde_json::json!([true, false]))
    );
    let platform = "/api/v1/platform";
    check("get", platform, &world.lan(&format!("GET {platform}"), &headers, "").await);
    let body = r#"{"enabled":true}"#;
    check("put", platform, &world.lan(&format!("PUT {platform}"), &headers, body).await);
    let attempt = "/api/v1/platform/attempt";
    check("post", attempt, &world.lan(&format!("POST {attempt}"), &headers, "").await);
    let body = r#"{"current":"Another horse 2","email":null}"#;
    check("put", path, &world.lan(&format!("PUT {path}"), &headers, body).await);
    let body = r#"{"current":"Another horse 2","new":"Third horse 33"}"#;
    check("put", "/api/v1/admin/password", &world.lan("PUT /api/v1/admin/password", &headers, body).await);
    check("delete", "/api/v1/session", &world.lan("DELETE /api/v1/session", &headers, "").await);
}
