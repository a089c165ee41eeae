//! The platform link: messages that are read and refused, signed time, signed keys.

use crate::{check, common::psk_pair, hex, messages, noise};
use ed25519_dalek::SigningKey;
use latchkey_protocol::{
    CloudPublicKey, CloudSecretKey, Host, SealedChallenge,
    claim::ClaimCode,
    platform::{
        Adding, Capabilities, CloudSigningKey, FRAME_BYTES_MAX, FromCloud, FromDevice, KeyList, KeyListError,
        MailReason, MailState, MailStatus, Nonce, Problem, Refusal, Register, Registered, RelayId, Sealed,
        SignedTime,
    },
};
use serde_json::{Value, json};

const RELAY: RelayId = RelayId([0xa5; 16]);

fn from_device() -> Vec<FromDevice> {
    let pair = psk_pair();
    let challenge = crate::common::challenge(messages()[0].1.clone(), 64);
    let ikm = noise("platform");
    let sealed = SealedChallenge::seal(&pair.device, &challenge, &mut crate::common::Bytes(&ikm)).unwrap();
    vec![
        FromDevice::Register(Register {
            serial: "LK-0001".to_owned().try_into().unwrap(),
            model: "Recorder 8 ä".to_owned().try_into().unwrap(),
            version: "0.2.0-rc.1+armv7".to_owned().try_into().unwrap(),
            capabilities: Capabilities::new(&["submit", "renew", "keys", "reconnect"]).unwrap(),
            adding: None,
        }),
        FromDevice::Submit { id: 1, sealed: Sealed(sealed) },
        FromDevice::Resend { id: 2, relay: RELAY },
        FromDevice::Renew { id: u32::MAX },
        FromDevice::Register(Register {
            serial: "LK-0001".to_owned().try_into().unwrap(),
            model: "Recorder 8".to_owned().try_into().unwrap(),
            version: "0.2.0".to_owned().try_into().unwrap(),
            capabilities: Capabilities::default(),
            adding: Some(Adding::of("LK-0001", "7K4MQ2XR").unwrap()),
        }),
    ]
}

/// What devices prove of their codes, and what is no serial or no code.
fn adding() -> Value {
    let of = |serial: &str, code: &str| Adding::of(serial, code);
    let pairs = [
        ("LK-0001", "7K4MQ2XR"),
        ("LK-0001", "7k4mq2xr"),
        ("lk-0001", "7K4MQ2XR"),
        ("L", "abcdef"),
        (&"L".repeat(32), "ABCDEF012345"),
        ("LK-00017", "K4MQ2XR"),
    ];
    let made: Vec<Value> = pairs
        .iter()
        .map(|(serial, code)| json!({ "serial": serial, "code": code, "adding": of(serial, code).unwrap() }))
        .collect();
    assert_eq!(of("LK-0001", "7K4MQ2XR"), of("LK-0001", "7k4mq2xr"), "a code has no case");
    assert_ne!(of("LK-0001", "7K4MQ2XR"), of("lk-0001", "7K4MQ2XR"), "a serial has");
    assert_ne!(of("LK-0001", "7K4MQ2XR"), of("LK-00017", "K4MQ2XR"), "each ends where it ends");
    let refused = [
        ("LK-0001", ""),
        ("LK-0001", "ABCDE"),
        ("LK-0001", "ABCDEF0123456"),
        ("LK-0001", "ABC DEF"),
        ("LK-0001", "ABCDE\u{df}"),
        ("LK-0001", "ABCDEF\0"),
        ("", "ABCDEF"),
        ("LK 0001", "ABCDEF"),
        (&"L".repeat(33), "ABCDEF"),
    ];
    let refused: Vec<Value> = refused
        .iter()
        .map(|(serial, code)| {
            assert!(of(serial, code).is_err(), "{serial} {code}");
            json!({ "serial": serial, "code": code })
        })
        .collect();
    json!({ "made": made, "refused": refused })
}

fn from_cloud() -> Vec<FromCloud> {
    let (_, list) = signed_keys();
    let queued = MailStatus { state: MailState::Queued, reason: None };
    let bounced = MailStatus { state: MailState::Bounced, reason: Some(MailReason::MailboxUnknown) };
    vec![
        FromCloud::Registered(Registered {
            unix_time_s: 1_790_000_000,
            heartbeat_s: 240,
            reconnect_window_s: 120,
            capabilities: Capabilities::new(&["submit", "renew"]).unwrap(),
        }),
        FromCloud::Refused { reason: Refusal::Revoked, retry_after_s: None },
        FromCloud::Refused { reason: Refusal::Unknown, retry_after_s: None },
        FromCloud::Refused { reason: Refusal::Duplicate, retry_after_s: None },
        FromCloud::Refused { reason: Refusal::Version, retry_after_s: None },
        FromCloud::Refused { reason: Refusal::Busy, retry_after_s: Some(30) },
        FromCloud::Submitted { id: 1, relay: RELAY, mail: queued },
        FromCloud::Rejected { id: 2, problem: Problem::TooManyRequests, retry_after_s: Some(60) },
        FromCloud::Mail { relay: RELAY, mail: bounced },
        FromCloud::Renewed { id: 3, certificate: "-----BEGIN CERTIFICATE-----\n".to_owned() },
        FromCloud::Keys(list),
        FromCloud::Reconnect { window_s: 600 },
        FromCloud::Rejected { id: 4, problem: Problem::StillQueued, retry_after_s: None },
        FromCloud::Rejected { id: 5, problem: Problem::ResendUsed, retry_after_s: None },
    ]
}

/// Claim codes: as they are made, as they may be typed, and what is none.
fn claims() -> Value {
    let root = noise("a root's certificate").to_vec();
    let made: Vec<Value> = [[0; 10], [0xff; 10], *b"0123456789"]
        .into_iter()
        .map(|secret| {
            let code = ClaimCode::new(secret, &root);
            json!({
                "secret": hex(&secret), "root_der": hex(&root), "code": code.to_string(), "digest": hex(&code.digest()),
            })
        })
        .collect();
    let code = ClaimCode::new(*b"0123456789", &root).to_string();
    let typed = [
        code.to_lowercase(),
        code.replace('-', ""),
        code.replace('-', " "),
        code.replace('O', "0").replace('I', "1"),
        format!(" {code}-"),
    ];
    let refused = [
        String::new(),
        code[1..].to_owned(),
        format!("{code}A"),
        code.replacen('G', "8", 1),
        code.replacen('G', "9", 1),
        code.replace('-', "_"),
        code.replacen('G', "\u{ff27}", 1),
    ];
    for text in &typed {
        assert_eq!(text.parse::<ClaimCode>().unwrap().to_string(), code);
    }
    for text in &refused {
        assert!(text.parse::<ClaimCode>().is_err(), "{text}");
    }
    json!({ "made": made, "code": code, "typed": typed, "refused": refused })
}

fn object(frame: &str) -> Value {
    serde_json::from_str(frame).unwrap()
}

/// Frames that are not messages, made of one that is by a change.
fn refused(good: &Value, changes: &[(&str, Value)], reads: &dyn Fn(&str) -> bool) -> Vec<Value> {
    let frame = |member: &str, value: &Value| {
        let mut changed = good.clone();
        match value {
            Value::Null => _ = changed.as_object_mut().unwrap().remove(member).unwrap(),
            value => changed[member] = value.clone(),
        }
        assert!(reads(&good.to_string()) && !reads(&changed.to_string()), "{changed}");
        changed
    };
    changes.iter().map(|(member, value)| frame(member, value)).collect()
}

fn device_refused(messages: &[FromDevice]) -> Vec<Value> {
    let reads = |frame: &str| FromDevice::parse(frame).is_ok();
    let seventeen: Vec<String> = (0..17).map(|n| format!("c{n}")).collect();
    let register = [
        ("type", Value::Null),
        ("type", json!("Register")),
        ("type", json!("registered")),
        ("serial", Value::Null),
        ("serial", json!("LK 1")),
        ("serial", json!("L".repeat(33))),
        ("serial", json!(1)),
        ("model", json!("")),
        ("model", json!("Reco\u{202e}rder")),
        ("model", json!("m".repeat(65))),
        ("version", json!("")),
        ("version", json!("1 0")),
        ("version", json!("1".repeat(33))),
        ("capabilities", Value::Null),
        ("capabilities", json!("submit")),
        ("capabilities", json!(["Submit"])),
        ("capabilities", json!(["submit", "submit"])),
        ("capabilities", json!([""])),
        ("capabilities", json!(["c".repeat(33)])),
        ("capabilities", json!(seventeen)),
        ("adding", json!("")),
        ("adding", json!("a5".repeat(31))),
        ("adding", json!("a5".repeat(33))),
        ("adding", json!("g5".repeat(32))),
        ("adding", json!(1)),
        ("adding", json!(["a5".repeat(32)])),
    ];
    let submit = [
        ("id", Value::Null),
        ("id", json!(-1)),
        ("id", json!(4_294_967_296_u64)),
        ("id", json!("1")),
        ("sealed", Value::Null),
        ("sealed", json!("")),
        ("sealed", json!("0".repeat(599))),
        ("sealed", json!("9".repeat(600))),
    ];
    let resend = [("relay", json!("a5")), ("relay", json!("g5".repeat(16))), ("relay", Value::Null)];
    let each: [(usize, &[(&str, Value)]); 3] = [(0, &register), (1, &submit), (2, &resend)];
    each.iter()
        .flat_map(|&(at, changes)| refused(&object(&messages[at].to_frame()), changes, &reads))
        .collect()
}

fn cloud_refused(messages: &[FromCloud]) -> Vec<Value> {
    let reads = |frame: &str| FromCloud::parse(frame).is_ok();
    let changes: [(usize, &[(&str, Value)]); 7] = [
        (
            0,
            &[
                ("type", json!("register")),
                ("unix_time_s", json!(1.5)),
                ("unix_time_s", Value::Null),
                ("heartbeat_s", json!(-1)),
                ("heartbeat_s", Value::Null),
                ("reconnect_window_s", json!("120")),
                ("reconnect_window_s", Value::Null),
            ],
        ),
        (1, &[("reason", json!("tired")), ("reason", Value::Null)]),
        (5, &[("retry_after_s", json!(-1)), ("retry_after_s", json!("30"))]),
        (6, &[("state", json!("read")), ("state", Value::Null), ("relay", json!(1)), ("id", Value::Null)]),
        (7, &[("problem", Value::Null), ("problem", json!(1))]),
        (9, &[("certificate", json!("c".repeat(6145))), ("certificate", Value::Null)]),
        (
            10,
            &[
                ("serial", json!(-1)),
                ("signature", json!("00")),
                ("cloud_keys", json!(["00"])),
                ("signing_keys", json!("00")),
            ],
        ),
    ];
    changes.iter().flat_map(|&(at, list)| refused(&object(&messages[at].to_frame()), list, &reads)).collect()
}

fn signing_key(name: &str) -> SigningKey {
    SigningKey::from_bytes(&noise(name))
}

fn cloud_key(name: &str) -> CloudPublicKey {
    CloudSecretKey::from_bytes(&noise(name)).unwrap().public()
}

fn host() -> Host {
    Host::parse("latchkey.example").unwrap()
}

fn signed_keys() -> (SigningKey, KeyList) {
    let key = signing_key("cloud signs");
    let signing = vec![CloudSigningKey::of(&key), CloudSigningKey::of(&signing_key("cloud signs next"))];
    let list = KeyList::sign(&key, &host(), 2, vec![cloud_key("new"), cloud_key("old")], signing);
    (key, list)
}

fn list_refusal(error: KeyListError) -> &'static str {
    match error {
        KeyListError::Keys => "keys",
        KeyListError::Signature => "signature",
        KeyListError::Old => "old",
    }
}

/// A list of keys, what a device has when it comes, and what it says to it.
fn key_lists() -> Vec<Value> {
    let (key, good) = signed_keys();
    let trusted = [CloudSigningKey::of(&key)];
    let case = |name: &str, list: &KeyList, host: &Host, current: u64, trusted: &[CloudSigningKey]| {
        let refused = list.verify(host, current, trusted).err().map(list_refusal);
        json!({
            "name": name, "list": list, "host": host, "current": current, "trusted": trusted, "refused": refused,
        })
    };
    let signed = |cloud: Vec<CloudPublicKey>, signing: Vec<CloudSigningKey>| {
        KeyList::sign(&key, &host(), 2, cloud, signing)
    };
    let mut neutral = [0; 32];
    neutral[0] = 1;
    let mut flipped = good.clone();
    flipped.signature[0] ^= 1;
    let mut later = good.clone();
    later.serial += 1;
    let own = trusted.to_vec();
    let other = [CloudSigningKey::of(&signing_key("another cloud signs"))];
    let list = vec![
        case("taken", &good, &host(), 1, &trusted),
        case("taken, one of two trusted keys", &good, &host(), 0, &[other[0], trusted[0]]),
        case("the same again", &good, &host(), 2, &trusted),
        case("older", &good, &host(), 3, &trusted),
        case("by a key that is not trusted", &good, &host(), 1, &other),
        case("for another host", &good, &Host::parse("other.example").unwrap(), 1, &trusted),
        case("serial changed", &later, &host(), 1, &trusted),
        case("signature changed", &flipped, &host(), 1, &trusted),
        case("no key to seal to", &signed(vec![], own.clone()), &host(), 1, &trusted),
        case("no signing key", &signed(vec![cloud_key("new")], vec![]), &host(), 1, &trusted),
        case("nine keys", &signed(vec![cloud_key("new"); 9], own.clone()), &host(), 1, &trusted),
        case("a key of low order", &signed(vec![CloudPublicKey([0; 32])], own), &host(), 1, &trusted),
        case(
            "a weak signing key",
            &signed(vec![cloud_key("new")], vec![CloudSigningKey(neutral)]),
            &host(),
            1,
            &trusted,
        ),
    ];
    assert_eq!(list.iter().filter(|case| case["refused"].is_null()).count(), 2);
    list
}

/// Times, and whether a device takes them.
fn times() -> Vec<Value> {
    let key = signing_key("cloud signs");
    let keys = [CloudSigningKey::of(&key)];
    let nonce = Nonce([0x17; 16]);
    let case = |name: &str, nonce: Nonce, time: &SignedTime| {
        json!({ "name": name, "keys": keys, "nonce": nonce, "time": time,
                "taken": time.verify(&keys, nonce).is_some() })
    };
    let good = SignedTime::sign(&key, nonce, 1_790_000_000);
    let early = SignedTime::sign(&key, nonce, -1);
    let other = SignedTime::sign(&signing_key("another cloud signs"), nonce, 1_790_000_000);
    let mut moved = good.clone();
    moved.unix_time_s += 1;
    let list = vec![
        case("taken", nonce, &good),
        case("before 1970", nonce, &early),
        case("for another nonce", Nonce([0x18; 16]), &good),
        case("another time", nonce, &moved),
        case("by another key", nonce, &other),
    ];
    assert_eq!(list.iter().filter(|case| case["taken"] == true).count(), 2);
    list
}

#[test]
fn platform() {
    let (device, cloud) = (from_device(), from_cloud());
    for message in &device {
        assert_eq!(FromDevice::parse(&message.to_frame()).as_ref(), Ok(message));
    }
    for message in &cloud {
        assert_eq!(FromCloud::parse(&message.to_frame()).as_ref(), Ok(message));
    }
    let objects = |frames: Vec<String>| frames.iter().map(|frame| object(frame)).collect::<Vec<_>>();
    check(
        "platform.json",
        &json!({
            "from_device": objects(device.iter().map(FromDevice::to_frame).collect()),
            "from_device_refused": device_refused(&device),
            "from_cloud": objects(cloud.iter().map(FromCloud::to_frame).collect()),
            "from_cloud_refused": cloud_refused(&cloud),
            "times": times(),
            "key_lists": key_lists(),
            "claims": claims(),
            "adding": adding(),
        }),
    );
}

#[test]
fn what_is_not_known_is_passed_over_and_what_is_no_message_is_refused() {
    let newer =
        r#"{"type":"registered","unix_time_s":1,"heartbeat_s":240,"reconnect_window_s":120,"moon":[{}]}"#;
    let FromCloud::Registered(registered) = FromCloud::parse(newer).unwrap() else { panic!("registered") };
    assert_eq!(registered.capabilities, Capabilities::default());
    let newer = format!(r#"{{"type":"mail","relay":"{RELAY}","state":"failed","reason":"moon-phase"}}"#);
    let mail = MailStatus { state: MailState::Failed, reason: Some(MailReason::Other) };
    assert_eq!(FromCloud::parse(&newer), Ok(FromCloud::Mail { relay: RELAY, mail }));
    let newer = r#"{"type":"rejected","id":1,"problem":"moon-phase"}"#;
    let rejected = FromCloud::Rejected { id: 1, problem: Problem::Other, retry_after_s: None };
    assert_eq!(FromCloud::parse(newer), Ok(rejected));

    for frame in ["", "null", "[]", "{}", "{\"type\":null}", "\u{0}", &"[".repeat(FRAME_BYTES_MAX)] {
        assert!(FromCloud::parse(frame).is_err() && FromDevice::parse(frame).is_err(), "{frame}");
    }
    let twice = r#"{"type":"renew","id":1,"id":2}"#;
    assert!(FromDevice::parse(twice).is_err());
    // Every beginning of a message is no message.
    for message in from_device() {
        let frame = message.to_frame();
        for cut in (0..frame.len()).filter(|&cut| frame.is_char_boundary(cut)) {
            assert!(FromDevice::parse(&frame[..cut]).is_err(), "{cut}");
        }
    }
    let padded = |len: usize| format!("{{\"type\":\"renew\",\"id\":1{}}}", " ".repeat(len - 23));
    assert!(FromDevice::parse(&padded(FRAME_BYTES_MAX)).is_ok());
    let too_long = FromDevice::parse(&padded(FRAME_BYTES_MAX + 1)).unwrap_err();
    assert_eq!(too_long.close_code(), 4413);
}

#[test]
fn a_close_code_alone_tells_the_refusal() {
    for refusal in [Refusal::Revoked, Refusal::Unknown, Refusal::Duplicate, Refusal::Version, Refusal::Busy] {
        assert_eq!(Refusal::of_close_code(refusal.close_code()), Some(refusal));
    }
    assert_eq!(Refusal::of_close_code(1000), None);
}
