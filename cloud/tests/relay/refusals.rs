//! What is refused, and what the refusal tells.

use crate::support::*;
use ed25519_dalek::SigningKey;
use latchkey_cloud::{
    clock::{Clock as _, draw},
    factory::{self, FactoryError, SignOptions},
    store::sqlite::Sqlite,
};
use latchkey_protocol::{
    Address, Addresses, CloudSecretKey, DeviceIdentity, Handle, Mode, digits, identity::IdentityRequest,
};
use sha2::{Digest as _, Sha256};
use std::collections::HashSet;

/// Every single bit of a sealed challenge: no mail, and one answer for all of them.
#[tokio::test(flavor = "multi_thread")]
async fn no_flipped_bit_is_mailed_or_told_apart() {
    let cloud = Cloud::start().await;
    let device = cloud.device().await;
    let sealed = device.seal(&device.challenge(1)).as_bytes().to_vec();
    let mut told = HashSet::new();
    for bit in 0..sealed.len() * 8 {
        let mut changed = sealed.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let answer = cloud.relay(&digits::encode(&changed)).await;
        assert_eq!(answer.problem(), (422, "unusable-qr".into()), "bit {bit}");
        told.insert(answer.body);
    }
    assert_eq!(told.len(), 1);
    assert_eq!(sealed.len() * 8, 1976);
    assert_eq!(cloud.mails().len(), 0);
    // The one without a flipped bit is good.
    cloud.relay(&digits::encode(&sealed)).await.id();
}

/// Of the two larger sizes, 256 bits each that are spread over the whole length by a fixed seed; with
/// `LATCHKEY_ALL_BITS` set, all 2488 and 3000.
#[tokio::test(flavor = "multi_thread")]
async fn no_flipped_bit_of_a_longer_one_is_mailed_or_told_apart() {
    const SAMPLE: usize = 256;
    #[expect(clippy::disallowed_methods, reason = "a test's own switch, no setting of the product")]
    let all = std::env::var_os("LATCHKEY_ALL_BITS").is_some();
    let cloud = Cloud::start().await;
    let device = cloud.device().await;
    let mut told = HashSet::new();
    for (counter, (addresses, len)) in [(1, 311), (2, 375)].into_iter().enumerate() {
        let mut challenge = device.challenge(1 + u32::try_from(counter).unwrap());
        let address = |i: usize| Address::parse(&format!("{}{i}@mailbox.example", "o".repeat(60))).unwrap();
        challenge.addresses = Addresses::new((0..addresses).map(address).collect()).unwrap();
        let sealed = device.seal(&challenge).as_bytes().to_vec();
        assert_eq!(sealed.len(), len);
        let bits = len * 8;
        let chosen: Vec<usize> = if all {
            (0..bits).collect()
        } else {
            // One of each of 256 stretches.
            let within = |i: usize, stretch: usize| {
                let hash = Sha256::digest(format!("flipped bits, {len}, {i}"));
                usize::from(hash[0]) * stretch / 256
            };
            (0..SAMPLE)
                .map(|i| (i * bits / SAMPLE, (i + 1) * bits / SAMPLE, i))
                .map(|(from, to, i)| from + within(i, to - from))
                .collect()
        };
        assert_eq!(chosen.iter().collect::<HashSet<_>>().len(), if all { bits } else { SAMPLE });
        for bit in chosen {
            let mut changed = sealed.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let answer = cloud.relay(&digits::encode(&changed)).await;
            assert_eq!(answer.problem(), (422, "unusable-qr".into()), "bit {bit} of {len} bytes");
            told.insert(answer.body);
        }
        assert_eq!(cloud.mails().len(), 0);
        // The one without a flipped bit opens.
        assert!(cloud.running.as_ref().unwrap().relay.reopen(&sealed).await.unwrap().is_some());
    }
    assert_eq!(told.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_stranger_is_answered_alike() {
    let cloud = Cloud::start().await;
    let device = cloud.device().await;
    let other = cloud.device_with("LK-OTHER", SignOptions::default()).await;
    let challenge = device.challenge(1);
    let copy = |change: &dyn Fn(&mut DeviceIdentity)| {
        let old = &device.0;
        let mut identity = DeviceIdentity {
            handle: old.handle,
            signing_key: old.signing_key.clone(),
            mode: old.mode.clone(),
            cloud_key: old.cloud_key,
            host: old.host.clone(),
            mailbox: None,
        };
        change(&mut identity);
        Device(identity).digits(&challenge)
    };
    let foreign = CloudSecretKey::draw(&mut latchkey_cloud::clock::system_rng()).public();
    let strangers = [
        ("unknown handle", copy(&|i| i.handle = Handle([7; 8]))),
        ("another's handle", copy(&|i| i.handle = other.0.handle)),
        ("another's key", copy(&|i| i.signing_key = other.0.signing_key.clone())),
        ("unknown cloud key", copy(&|i| i.cloud_key = foreign)),
        ("no secret", copy(&|i| i.mode = Mode::Base)),
        ("another's secret", copy(&|i| i.mode = other.0.mode.clone())),
        ("nothing", String::new()),
        ("letters", "abc".into()),
        ("short", "12345".into()),
        ("long", "9".repeat(2000)),
        ("a page", "https://cloud.example/".into()),
        ("zeros", digits::encode(&[0; 247])),
    ];
    let mut told = HashSet::new();
    for (name, text) in strangers {
        let answer = cloud.relay(&text).await;
        assert_eq!(answer.problem(), (422, "unusable-qr".into()), "{name}");
        told.insert(answer.body);
    }
    assert_eq!(told.len(), 1);
    assert!(cloud.mails().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_is_told_the_true_reason() {
    let cloud = Cloud::start().await;
    let device = cloud.device().await;
    let elsewhere = device.link(&device.challenge(1)).replace("cloud.example", "elsewhere.example:444");
    let answer = cloud.relay(&elsewhere).await;
    assert_eq!(answer.problem(), (422, "other-service".into()));
    assert!(answer.body.contains("elsewhere.example:444"));

    cloud.relay(&device.digits(&device.challenge(5))).await.id();
    // The same counter in another challenge is a copy of the record, not a newer challenge.
    assert_eq!(cloud.relay(&device.digits(&device.challenge(5))).await.problem(), (409, "superseded".into()));
    let store = Sqlite::open(&cloud.config().database()).unwrap();
    factory::revoke(&store, "LK-2026-0042", cloud.clock.now_s()).await.unwrap();
    assert_eq!(cloud.relay(&device.digits(&device.challenge(6))).await.problem(), (403, "revoked".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_hold_by_door_and_by_address() {
    let mut cloud = Cloud::new(|text| {
        text.replace("requester_per_10_min = 60", "requester_per_10_min = 10000")
            .replace("device_door_per_day = 12", "device_door_per_day = 3")
            .replace("unconfirmed_address_per_day = 8", "unconfirmed_address_per_day = 2")
    });
    cloud.run().await;
    let device = cloud.device().await;
    for counter in 1..=3 {
        cloud.relay(&device.digits(&device.challenge(counter))).await.id();
    }
    let limited = cloud.relay(&device.digits(&device.challenge(4))).await;
    assert_eq!(limited.problem(), (429, "device-limit".into()));
    assert!(limited.header("retry-after").unwrap().parse::<u32>().unwrap() > 0);
    let mut lan = device.challenge(5);
    lan.door = latchkey_protocol::Door::Lan;
    cloud.relay(&device.digits(&lan)).await.id();

    // An address that nobody has confirmed: few, from all devices together.
    for serial in ["A-1", "A-2", "A-3"] {
        let device = cloud.device_with(serial, SignOptions::default()).await;
        let mut challenge = device.challenge(1);
        challenge.confirmed = false;
        challenge.addresses = Addresses::new(vec![Address::parse("victim@other.example").unwrap()]).unwrap();
        let answer = cloud.relay(&device.digits(&challenge)).await;
        if serial == "A-3" {
            assert_eq!(answer.problem(), (429, "address-limit".into()));
        } else {
            answer.id();
        }
    }
    cloud.assert_keeps_no_secret();
    // The refused one did not use up its counter: two days later it is good.
    cloud.clock.pass(2 * 86_400);
    cloud.relay(&device.digits(&device.challenge(4))).await.id();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_requester_is_slowed_down() {
    let mut cloud = Cloud::new(|text| text.replace("requester_per_10_min = 60", "requester_per_10_min = 5"));
    cloud.run().await;
    for _ in 0..5 {
        assert_eq!(cloud.relay("1").await.status, 422);
    }
    let answer = cloud.relay("1").await;
    assert_eq!(answer.problem(), (429, "too-many-requests".into()));
    assert!(answer.header("retry-after").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_serial_is_signed_once() {
    let cloud = Cloud::new(|text| text);
    cloud.device().await;
    let store = Sqlite::open(&cloud.config().database()).unwrap();
    let key = SigningKey::from_bytes(&draw());
    let request = IdentityRequest::new(&key, "LK-2026-0042", "Recorder 8").unwrap();
    let bytes = serde_json::to_vec(&request).unwrap();
    let options = SignOptions::default();
    let again = factory::sign(&cloud.config(), &store, &bytes, options, START_S).await;
    assert!(matches!(again, Err(FactoryError::SignedBefore(_))));
    let options = SignOptions { replace: true, ..options };
    let file = factory::sign(&cloud.config(), &store, &bytes, options, START_S).await.unwrap();
    assert!(file.certificate.matches("BEGIN CERTIFICATE").count() == 1 && file.psk.is_some());
    let mut forged = request;
    forged.serial = "LK-2026-0043".into();
    let bytes = serde_json::to_vec(&forged).unwrap();
    let forged = factory::sign(&cloud.config(), &store, &bytes, SignOptions::default(), START_S).await;
    assert!(matches!(forged, Err(FactoryError::Request(_))));
}
