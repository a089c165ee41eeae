//! Sealed challenges that a cloud refuses, and the step that refuses each.

use crate::{
    check, cloud_json,
    common::{self, Bytes, No, Pair, challenge, psk_pair, read, sign_again},
    device_json, hex, messages, noise,
};
use ed25519_dalek::SigningKey;
use hpke::{Deserializable, OpModeS, PskBundle, Serializable, aead::ChaCha20Poly1305, kdf::HkdfSha256};
use latchkey_protocol::{
    CloudSecretKey, Mode, SignerHash,
    sealed::{INFO, Refused},
};
use serde_json::{Value, json};

/// Seals a plaintext as it is, by the HPKE crate alone, and signs it as the device would.
fn seal_plaintext(pair: &Pair, purpose: u8, plaintext: &[u8], info: &[u8], psk_id: &[u8]) -> Vec<u8> {
    type Kem = hpke::kem::X25519HkdfSha256;
    let mode = match &pair.device.mode {
        Mode::Base => OpModeS::Base,
        Mode::Psk(psk) => OpModeS::Psk(PskBundle::new(psk, psk_id).unwrap()),
    };
    let recipient = <Kem as hpke::Kem>::PublicKey::from_bytes(&pair.device.cloud_key.0).unwrap();
    let header = [&[1, 1, purpose][..], &pair.device.cloud_key.id().0, &pair.device.handle.0].concat();
    let (enc, ciphertext) = hpke::single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, Kem>(
        &mode,
        &recipient,
        info,
        plaintext,
        &header,
        &mut Bytes(&noise("refusals")),
    )
    .unwrap();
    let mut bytes = [&header, enc.to_bytes().as_slice(), &ciphertext, &[0; 64]].concat();
    sign_again(&mut bytes, &pair.device.signing_key);
    bytes
}

fn refusal_name(no: &No) -> &'static str {
    match no {
        No::Length => "length",
        No::Unknown => "unknown",
        No::Refused(Refused::Version) => "version",
        No::Refused(Refused::Purpose) => "purpose",
        No::Refused(Refused::Signature) => "signature",
        No::Refused(Refused::Seal) => "seal",
        No::Refused(Refused::Plaintext) => "plaintext",
        No::Refused(Refused::Signer) => "signer",
    }
}

#[test]
fn refusals() {
    let pair = psk_pair();
    let signer = SignerHash::of(&pair.device.signing_key.verifying_key());
    let plain = challenge(messages()[0].1.clone(), 64).encode(signer).to_vec();
    let sealed_as = |purpose: u8, plaintext: &[u8]| {
        seal_plaintext(&pair, purpose, plaintext, INFO, &pair.device.handle.0)
    };
    let good = sealed_as(1, &plain);
    assert!(read(&pair, &good).is_ok());
    let signed = |place: usize, new: &[u8]| {
        let mut bytes = good.clone();
        bytes[place..place + new.len()].copy_from_slice(new);
        sign_again(&mut bytes, &pair.device.signing_key);
        bytes
    };
    let plain_with = |place: usize, new: &[u8]| {
        let mut bytes = plain.clone();
        bytes[place..place + new.len()].copy_from_slice(new);
        sealed_as(1, &bytes)
    };
    let flipped = |place: usize| {
        let mut bytes = good.clone();
        bytes[place] ^= 1;
        bytes
    };
    let by_another_key = {
        let mut bytes = good.clone();
        sign_again(&mut bytes, &SigningKey::from_bytes(&noise("another device")));
        bytes
    };
    let twin = {
        // s + the group's order (RFC 8032 5.1.7 has the reader refuse it).
        let order = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";
        let at = good.len() - 32;
        let (mut bytes, mut carry) = (good.clone(), 0);
        for (place, byte) in bytes[at..].iter_mut().enumerate() {
            let add = u16::from_str_radix(&order[2 * place..2 * place + 2], 16).unwrap();
            let sum = u16::from(*byte) + add + carry;
            (*byte, carry) = (sum as u8, sum >> 8);
        }
        bytes
    };
    let in_base_mode = {
        let base = common::pair(Mode::Base);
        seal_plaintext(&base, 1, &plain, INFO, b"")
    };
    let with_another_secret = {
        let other = common::pair(Mode::Psk(noise("another secret")));
        seal_plaintext(&other, 1, &plain, INFO, &other.device.handle.0)
    };
    let to_another_cloud = {
        let mut other = psk_pair();
        other.device.cloud_key = CloudSecretKey::from_bytes(&noise("another cloud")).unwrap().public();
        let mut bytes = seal_plaintext(&other, 1, &plain, INFO, &other.device.handle.0);
        bytes[3..7].copy_from_slice(&pair.cloud.public().id().0);
        sign_again(&mut bytes, &pair.device.signing_key);
        bytes
    };
    let two_alike = {
        let mut bytes = plain[..56].to_vec();
        bytes.push(2);
        for _ in 0..2 {
            bytes.push(11);
            bytes.extend_from_slice(b"o@a.example");
        }
        bytes.resize(120, 0);
        sealed_as(1, &bytes)
    };
    let larger_block = sealed_as(1, &[&plain[..], &[0; 64]].concat());
    let mut longer = good.clone();
    longer.push(0);

    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("one byte short", good[..good.len() - 1].to_vec()),
        ("one byte more", longer),
        ("nothing", vec![]),
        ("version 2", signed(0, &[2])),
        ("suite 2", signed(1, &[2])),
        ("purpose 0", signed(2, &[0])),
        ("purpose 6", signed(2, &[6])),
        ("a key id that the cloud does not have", signed(3, &[0, 0, 0, 0])),
        ("a handle that the cloud does not have", signed(7, &[0])),
        ("a bit of the header flipped", flipped(2)),
        ("a bit of enc flipped", flipped(20)),
        ("a bit of the ciphertext flipped", flipped(100)),
        ("a bit of the signature flipped", flipped(good.len() - 1)),
        ("signed by another key", by_another_key),
        ("the signature's twin, s plus the order", twin),
        ("the purpose changed and signed again", signed(2, &[2])),
        ("enc of low order: zero", signed(15, &[0; 32])),
        ("enc of low order: one", signed(15, &[&[1][..], &[0; 31]].concat())),
        ("the ciphertext changed and signed again", signed(60, &[0, 0, 0, 0])),
        ("sealed in mode_base where the record has mode_psk", in_base_mode),
        ("sealed with another device's secret", with_another_secret),
        ("sealed to another cloud's key", to_another_cloud),
        ("another info", seal_plaintext(&pair, 1, &plain, b"latchkey/v2 challenge", &pair.device.handle.0)),
        ("another psk_id", seal_plaintext(&pair, 1, &plain, INFO, b"\x02handle\xff")),
        ("a code of 10^8", plain_with(16, &100_000_000_u32.to_be_bytes())),
        ("an event that is not defined", sealed_as(4, &plain)),
        ("a code where the purpose has none", sealed_as(5, &plain)),
        ("a reserved flag", plain_with(28, &[0x07])),
        ("a language that is not defined", plain_with(37, &[1])),
        ("a time zone beyond 14 hours", plain_with(38, &841_i16.to_be_bytes())),
        ("no address", plain_with(56, &[0])),
        ("three addresses", plain_with(56, &[3])),
        ("an empty address", plain_with(57, &[0])),
        ("an address that runs over the end", plain_with(57, &[0xff])),
        ("padding that is not zero", plain_with(119, &[1])),
        ("a line break in an address", plain_with(60, b"\r\n")),
        ("a capital letter in a domain", plain_with(81, b"E")),
        ("the same address twice", two_alike),
        ("a larger block than needed", larger_block),
        ("another signer inside", plain_with(40, &[0; 16])),
    ];
    let list: Vec<Value> = cases
        .iter()
        .map(|(name, bytes)| {
            let no = read(&pair, bytes).map(|_| ()).unwrap_err();
            json!({ "name": name, "sealed": hex(bytes), "refused": refusal_name(&no) })
        })
        .collect();
    check(
        "refusals.json",
        &json!({
            "cloud": cloud_json(&pair), "device": device_json(&pair), "mode": "psk",
            "accepted": hex(&good), "refusals": list,
        }),
    );
}
