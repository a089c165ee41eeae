//! Devices for the cloud's figures: identity requests before, sealed challenges after the factory
//! has signed them.

use chacha20::ChaCha20Rng;
use ed25519_dalek::SigningKey;
use latchkey_protocol::{
    Address, Addresses, Challenge, ChallengeId, Code, DeviceIdentity, Door, Life, Locale, Message,
    SealedChallenge, digits,
    identity::{IdentityFile, IdentityRequest},
};
use rand_core::{Rng, SeedableRng};
use std::{fs, path::Path};

fn key(device: usize) -> SigningKey {
    let mut seed = [0x6b; 32];
    seed[..8].copy_from_slice(&(device as u64).to_be_bytes());
    SigningKey::from_bytes(&seed)
}

/// Writes `request-<n>.json` for `count` devices.
pub(crate) fn requests(folder: &Path, count: usize) {
    for device in 0..count {
        let request = IdentityRequest::new(&key(device), &format!("BENCH-{device:04}"), "Bench").unwrap();
        let text = serde_json::to_string(&request).unwrap();
        fs::write(folder.join(format!("request-{device}.json")), text).unwrap();
    }
}

/// Prints `count` lines, each the digits of a challenge and its address; takes the devices of all
/// `identity-<n>.json` in turn.
pub(crate) fn seal(folder: &Path, count: usize) {
    let mut devices: Vec<DeviceIdentity> = vec![];
    while let Ok(text) = fs::read_to_string(folder.join(format!("identity-{}.json", devices.len()))) {
        let file: IdentityFile = serde_json::from_str(&text).unwrap();
        devices.push(file.join(key(devices.len())).unwrap());
    }
    assert!(!devices.is_empty(), "no identity-0.json in {}", folder.display());
    let mut rng = ChaCha20Rng::from_seed([8; 32]);
    for number in 0..count {
        let address = format!("reset-{number}@bench.example");
        let mut id = [0; 16];
        rng.fill_bytes(&mut id);
        let challenge = Challenge {
            id: ChallengeId(id),
            message: Message::Reset(Code::draw(&mut rng)),
            life: Life([5; 4]),
            counter: (number / devices.len()) as u32 + 1,
            door: Door::Lan,
            confirmed: true,
            device_time_unix_s: 1_790_000_000,
            locale: Locale::English,
            tz_offset_min: 0,
            addresses: Addresses::new(vec![Address::parse(&address).unwrap()]).unwrap(),
        };
        let sealed = SealedChallenge::seal(&devices[number % devices.len()], &challenge, &mut rng).unwrap();
        println!("{} {address}", digits::encode(sealed.as_bytes()));
    }
}
