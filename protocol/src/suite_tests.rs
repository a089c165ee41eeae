//! The vectors of RFC 9180 for the suite, and Wycheproof's for its two curves, through the
//! functions that seal, open and verify challenges.
#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use crate::hex;
use core::convert::Infallible;
use rand_core::{TryCryptoRng, TryRng};
use serde_json::Value;

/// Gives the bytes that it was made of, and not one more.
struct Bytes<'a>(&'a [u8]);

impl TryRng for Bytes<'_> {
    type Error = Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        panic!("the suite draws bytes only")
    }
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        panic!("the suite draws bytes only")
    }
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        let (now, later) = self.0.split_at_checked(out.len()).expect("no more than the vector gives");
        out.copy_from_slice(now);
        self.0 = later;
        Ok(())
    }
}

impl TryCryptoRng for Bytes<'_> {}

fn bytes(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap();
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn key(value: &Value) -> [u8; 32] {
    hex::decode(value.as_str().unwrap()).unwrap()
}

#[test]
fn rfc_9180_vectors() {
    let file: Value = serde_json::from_str(include_str!("../vectors/rfc9180.json")).unwrap();
    let vectors = file["vectors"].as_array().unwrap();
    let modes: Vec<_> = vectors.iter().map(|v| v["mode"].as_u64().unwrap()).collect();
    assert_eq!(modes, [0, 1], "base and PSK");
    for vector in vectors {
        let (mode, psk_id) = match vector["mode"].as_u64().unwrap() {
            0 => (Mode::Base, vec![]),
            _ => (Mode::Psk(key(&vector["psk"])), bytes(&vector["psk_id"])),
        };
        let info = bytes(&vector["info"]);
        let secret = draw_secret_key(&mut Bytes(&bytes(&vector["ikmR"])));
        // Written clamped (RFC 9180 7.1.2); the vectors have it unclamped.
        let written = secret_key_bytes(&secret);
        assert_eq!(written, secret_key_bytes(&secret_key(&key(&vector["skRm"])).unwrap()));
        let public = public_key(&secret);
        assert_eq!(public, key(&vector["pkRm"]));

        let ikm = bytes(&vector["ikmE"]);
        let mut rng = Bytes(&ikm);
        let (enc, mut sender) = sender(&mode, &psk_id, &public, &info, &mut rng).unwrap();
        assert!(rng.0.is_empty(), "the whole ikm is used");
        assert_eq!(enc, key(&vector["enc"]));
        let mut receiver = receiver(&mode, &psk_id, &secret, &enc, &info).unwrap();

        let mut checked = 0;
        for sequence in 0..=256 {
            let published = vector["encryptions"].as_array().unwrap();
            let published = published.iter().find(|e| e["sequence"].as_u64() == Some(sequence));
            let Some(published) = published else {
                // The contexts count: sequence numbers that the RFC leaves out are passed over.
                let sealed = sender.seal(b"", b"").unwrap();
                receiver.open(&sealed, b"").unwrap();
                continue;
            };
            let (plain, aad) = (bytes(&published["pt"]), bytes(&published["aad"]));
            let sealed = sender.seal(&plain, &aad).unwrap();
            assert_eq!(sealed, bytes(&published["ct"]));
            assert_eq!(receiver.open(&sealed, &aad).unwrap(), plain);
            checked += 1;
        }
        assert_eq!(checked, 6);
    }
}

#[test]
fn wycheproof_x25519() {
    use wycheproof::xdh::{TestFlag, TestName, TestSet};
    let set = TestSet::load(TestName::X25519).unwrap();
    let mut checked = 0;
    let mut zero = 0;
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let (Ok(public), Ok(private)) =
            (<[u8; 32]>::try_from(test.public_key.as_ref()), <[u8; 32]>::try_from(test.private_key.as_ref()))
        else {
            continue;
        };
        let shared = x25519_dalek::StaticSecret::from(private).diffie_hellman(&public.into());
        assert_eq!(shared.as_bytes(), test.shared_secret.as_ref(), "test {}", test.tc_id);
        // What all of a device's challenges rest on: a shared secret that is not zero.
        let is_zero = shared.as_bytes() == &[0; 32];
        let secret = secret_key(&private).unwrap();
        let opened = receiver(&Mode::Base, b"", &secret, &public, b"");
        assert_eq!(opened.is_none(), is_zero, "test {}", test.tc_id);
        assert_eq!(can_receive(&public), !is_zero, "test {}", test.tc_id);
        let ikm = [7; 32];
        let sealed = sender(&Mode::Base, b"", &public, b"", &mut Bytes(&ikm));
        assert_eq!(sealed.is_none(), is_zero, "test {}", test.tc_id);
        assert_eq!(is_zero, test.flags.contains(&TestFlag::ZeroSharedSecret), "test {}", test.tc_id);
        checked += 1;
        zero += usize::from(is_zero);
    }
    assert!(checked > 500 && zero > 20, "{checked} checked, {zero} of them zero");
}

#[test]
fn wycheproof_ed25519() {
    use wycheproof::{
        TestResult,
        eddsa::{TestName, TestSet},
    };
    let set = TestSet::load(TestName::Ed25519).unwrap();
    let (mut valid, mut invalid) = (0, 0);
    for group in &set.test_groups {
        let public = <[u8; 32]>::try_from(group.key.pk.as_ref()).unwrap();
        let key = verifying_key(&public).unwrap();
        for test in &group.tests {
            let holds = <&[u8; 64]>::try_from(test.sig.as_ref())
                .is_ok_and(|signature| signature_holds(&key, &[&test.msg], signature));
            assert_eq!(holds, test.result == TestResult::Valid, "test {}: {}", test.tc_id, test.comment);
            if holds { valid += 1 } else { invalid += 1 }
        }
    }
    assert!(valid > 70 && invalid > 50, "{valid} valid, {invalid} invalid");
}

#[test]
fn keys_of_small_order_or_odd_encoding_are_refused() {
    let one = |first: u8, last: u8| {
        let mut key = [0; 32];
        (key[0], key[31]) = (first, last);
        key
    };
    // y = 1 (the neutral point), y = -1, y = 0, and the neutral point with its sign bit set.
    let mut minus_one = [0xff; 32];
    (minus_one[0], minus_one[31]) = (0xec, 0x7f);
    for key in [one(1, 0), minus_one, one(0, 0), one(1, 0x80)] {
        assert!(verifying_key(&key).is_none(), "{key:02x?}");
    }
    // y = p + 3 and more, which decode to 3, 4, ...: the same points have canonical encodings.
    let mut decoded = 0;
    for above in 0..19_u8 {
        let mut key = [0xff; 32];
        (key[0], key[31]) = (0xed + above, 0x7f);
        decoded += usize::from(VerifyingKey::from_bytes(&key).is_ok_and(|k| !k.is_weak()));
        assert!(verifying_key(&key).is_none(), "p + {above}");
    }
    assert!(decoded > 0, "some of them would be keys if their encoding were let through");
}
