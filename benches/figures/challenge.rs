//! One challenge as the device makes it: draw the code, seal, sign, write the digits, draw the PNG.
#![expect(clippy::disallowed_methods, reason = "real time is what is measured")]

use crate::quantile;
use chacha20::ChaCha20Rng;
use ed25519_dalek::SigningKey;
use latchkey::qr;
use latchkey_protocol::{
    Address, Addresses, Challenge, ChallengeId, CloudSecretKey, Code, DeviceIdentity, Door, Handle, Host,
    Life, Locale, Message, Mode, QrLink, SealedChallenge,
};
use rand_core::{Rng, SeedableRng};
use serde_json::json;
use std::{hint::black_box, time::Instant};

/// Measures `count` challenges of the usual size and as many of the largest.
pub(crate) fn run(count: usize) {
    let mut rng = ChaCha20Rng::from_seed([1; 32]);
    let identity = DeviceIdentity {
        handle: Handle([2; 8]),
        signing_key: SigningKey::from_bytes(&[3; 32]),
        mode: Mode::Psk([4; 32]),
        cloud_key: CloudSecretKey::draw(&mut rng).public(),
        host: Host::parse("latchkey.example").unwrap(),
        mailbox: None,
    };
    let usual = vec!["owner@example.com".to_owned()];
    let largest = vec![format!("{}@{}.example", "l".repeat(64), ["d".repeat(63), "e".repeat(53)].join("."))];
    let usual = measure(&identity, &usual, count, &mut rng);
    let largest = measure(&identity, &largest, count, &mut rng);
    println!("{}", json!({ "count": count, "usual": usual, "largest": largest }));
}

fn measure(
    identity: &DeviceIdentity,
    addresses: &[String],
    count: usize,
    rng: &mut ChaCha20Rng,
) -> serde_json::Value {
    let addresses = addresses.iter().map(|text| Address::parse(text).unwrap()).collect();
    let addresses = Addresses::new(addresses).unwrap();
    let (mut whole_ms, mut seal_ms) = (vec![], vec![]);
    let mut sizes = (0, 0);
    for counter in 0..count {
        let started = Instant::now();
        let mut id = [0; 16];
        rng.fill_bytes(&mut id);
        let challenge = Challenge {
            id: ChallengeId(id),
            message: Message::Reset(Code::draw(rng)),
            life: Life([5; 4]),
            counter: counter as u32,
            door: Door::Lan,
            confirmed: true,
            device_time_unix_s: 1_790_000_000,
            locale: Locale::English,
            tz_offset_min: 60,
            addresses: addresses.clone(),
        };
        let sealed = SealedChallenge::seal(identity, &challenge, rng).unwrap();
        seal_ms.push(started.elapsed().as_secs_f64() * 1e3);
        let link = QrLink { host: identity.host.clone(), sealed };
        let png = black_box(qr::png(&link));
        whole_ms.push(started.elapsed().as_secs_f64() * 1e3);
        sizes = (link.sealed.as_bytes().len(), png.len());
    }
    whole_ms.sort_by(f64::total_cmp);
    seal_ms.sort_by(f64::total_cmp);
    json!({
        "sealed_bytes": sizes.0, "png_bytes": sizes.1,
        "draw_to_png_ms": { "p50": quantile(&whole_ms, 0.5), "p99": quantile(&whole_ms, 0.99) },
        "of_it_draw_seal_sign_ms": { "p50": quantile(&seal_ms, 0.5) },
    })
}
