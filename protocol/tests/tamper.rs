//! Nothing but the very bytes that a device sealed is acted on.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{Bytes, No, address, challenge, pair, psk_pair, read, read_with, reset, seal, sign_again};
use ed25519_dalek::SigningKey;
use latchkey_protocol::{
    Challenge, CloudPublicKey, CloudSecretKey, Code, Handle, Message, Mode, NoticeEvent, ParsedChallenge,
    Purpose, SealedChallenge, SignerHash,
    plaintext::ADDRESS_BLOCKS,
    sealed::{INFO, Refused},
};

fn set(bytes: &[u8]) -> SealedChallenge {
    SealedChallenge::from_bytes(bytes.to_vec()).unwrap()
}

#[test]
fn untouched_challenges_open() {
    let messages = [
        Message::Reset(Code::from_number(0).unwrap()),
        Message::ConfirmEmail(Code::from_number(99_999_999).unwrap()),
        Message::Rehearsal(Code::from_number(1).unwrap()),
        Message::Notice(NoticeEvent::ResetRequested),
        Message::Notice(NoticeEvent::ResetCompleted),
        Message::AddressChanged,
    ];
    for mode in [Mode::Base, Mode::Psk([0x45; 32])] {
        let pair = pair(mode);
        for block in ADDRESS_BLOCKS {
            for message in &messages {
                let challenge = challenge(message.clone(), block);
                let sealed = seal(&pair.device, &challenge);
                assert_eq!(sealed.as_bytes().len(), 183 + block);
                assert_eq!(read(&pair, sealed.as_bytes()).unwrap().challenge(), &challenge);
            }
        }
    }
}

#[test]
fn every_flipped_bit_is_refused() {
    let pair = psk_pair();
    let mut flipped = 0;
    for block in ADDRESS_BLOCKS {
        let sealed = seal(&pair.device, &reset(block));
        for bit in 0..sealed.as_bytes().len() * 8 {
            let mut bytes = sealed.as_bytes().to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(read(&pair, &bytes).is_err(), "bit {bit} of {} bytes", bytes.len());
            // Even for a cloud that went by the flipped header's own key id and handle.
            assert!(read_with(&pair, &set(&bytes), &pair.device.mode).is_err(), "bit {bit}");
            flipped += 1;
        }
    }
    assert_eq!(flipped, 8 * (247 + 311 + 375));
}

#[test]
fn every_flipped_bit_is_refused_even_if_the_device_signs_it() {
    let pair = psk_pair();
    for block in ADDRESS_BLOCKS {
        let sealed = seal(&pair.device, &reset(block));
        for bit in 0..(sealed.as_bytes().len() - 64) * 8 {
            let mut bytes = sealed.as_bytes().to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            sign_again(&mut bytes, &pair.device.signing_key);
            let refused = read_with(&pair, &set(&bytes), &pair.device.mode).unwrap_err();
            let expected: &[Refused] = match bit / 8 {
                0 | 1 => &[Refused::Version],
                2 => &[Refused::Purpose, Refused::Seal],
                _ => &[Refused::Seal],
            };
            assert!(expected.iter().any(|e| No::Refused(*e) == refused), "bit {bit}: {refused:?}");
        }
    }
}

#[test]
fn every_truncation_and_extension_is_refused() {
    let pair = psk_pair();
    for block in ADDRESS_BLOCKS {
        let sealed = seal(&pair.device, &reset(block));
        let whole = sealed.as_bytes();
        for len in (0..whole.len()).chain(whole.len() + 1..=512) {
            for filler in [0, 0xff] {
                let mut bytes = whole.to_vec();
                bytes.resize(len, filler);
                assert!(read(&pair, &bytes).is_err(), "{} bytes made {len}", whole.len());
                if len > whole.len() {
                    bytes.rotate_right(len - whole.len());
                    assert!(read(&pair, &bytes).is_err(), "{} bytes made {len}", whole.len());
                }
            }
        }
    }
}

#[test]
fn only_the_record_s_mode_and_secret_open() {
    let refused = Err(No::Refused(Refused::Seal));
    let psk = psk_pair();
    let base = pair(Mode::Base);
    let by_psk = seal(&psk.device, &reset(64));
    let by_base = seal(&base.device, &reset(64));
    let open = |sealed, mode: &Mode| read_with(&psk, sealed, mode).map(|_| ());
    assert_eq!(open(&by_psk, &psk.device.mode), Ok(()));
    assert_eq!(open(&by_base, &Mode::Base), Ok(()));
    assert_eq!(open(&by_psk, &Mode::Base), refused);
    assert_eq!(open(&by_base, &psk.device.mode), refused);
    assert_eq!(open(&by_psk, &Mode::Psk([0x46; 32])), refused);
    for byte in 0..32 {
        let mut secret = [0x45; 32];
        secret[byte] ^= 0x80;
        assert_eq!(open(&by_psk, &Mode::Psk(secret)), refused, "byte {byte} of the secret");
    }
}

#[test]
fn another_cloud_key_does_not_open() {
    let pair = psk_pair();
    let sealed = seal(&pair.device, &reset(64));
    let key = pair.device.signing_key.verifying_key();
    let verified = ParsedChallenge::parse(&sealed).unwrap().verify(&key).unwrap();
    let other = CloudSecretKey::from_bytes(&[0x53; 32]).unwrap();
    assert_eq!(verified.open(&other, &pair.device.mode).unwrap_err(), Refused::Seal);
}

#[test]
fn stripped_and_signed_by_another_device() {
    let mut pair = psk_pair();
    let mut bytes = seal(&pair.device, &reset(64)).as_bytes().to_vec();
    let thief = SigningKey::from_bytes(&[0x54; 32]);
    sign_again(&mut bytes, &thief);
    assert_eq!(read(&pair, &bytes).unwrap_err(), No::Refused(Refused::Signature));

    // Under the thief's own registration the header no longer fits the ciphertext.
    let mut under_own_name = bytes.clone();
    under_own_name[7..15].copy_from_slice(b"\x02thief\x00\x00");
    sign_again(&mut under_own_name, &thief);
    let sealed = set(&under_own_name);
    let verified = ParsedChallenge::parse(&sealed).unwrap().verify(&thief.verifying_key()).unwrap();
    assert_eq!(verified.handle(), Handle(*b"\x02thief\x00\x00"));
    assert_eq!(verified.open(&pair.cloud, &Mode::Base).unwrap_err(), Refused::Seal);

    // Even a record that had the thief's key under the victim's handle: the signer inside tells.
    pair.device.signing_key = thief;
    assert_eq!(read(&pair, &bytes).unwrap_err(), No::Refused(Refused::Signer));
}

#[test]
fn swapped_purpose_does_not_open() {
    let pair = psk_pair();
    for message in [Message::Reset(Code::from_number(2).unwrap()), Message::AddressChanged] {
        let sealed = seal(&pair.device, &challenge(message.clone(), 64));
        for purpose in 1..=5 {
            let mut bytes = sealed.as_bytes().to_vec();
            bytes[2] = purpose;
            sign_again(&mut bytes, &pair.device.signing_key);
            let expected =
                if purpose == message.purpose() as u8 { Ok(()) } else { Err(No::Refused(Refused::Seal)) };
            assert_eq!(read(&pair, &bytes).map(|_| ()), expected);
        }
    }
}

/// Points of order 1, 2, 4 and 8 of Curve25519 and its twist (RFC 7748 6.1; cr.yp.to/ecdh.html),
/// with their non-canonical spellings.
fn low_order_points() -> Vec<[u8; 32]> {
    let hex = |text: &str| -> [u8; 32] {
        core::array::from_fn(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap())
    };
    let mut points = vec![
        [0; 32],
        hex("0100000000000000000000000000000000000000000000000000000000000000"),
        hex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
        hex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
        hex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
        hex("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
        hex("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    ];
    for place in 0..points.len() {
        let mut with_top_bit = points[place];
        with_top_bit[31] |= 0x80;
        points.push(with_top_bit);
    }
    points
}

#[test]
fn low_order_points_are_refused() {
    let mut pair = psk_pair();
    let sealed = seal(&pair.device, &reset(64));
    for point in low_order_points() {
        let mut bytes = sealed.as_bytes().to_vec();
        bytes[15..47].copy_from_slice(&point);
        sign_again(&mut bytes, &pair.device.signing_key);
        assert_eq!(read(&pair, &bytes).unwrap_err(), No::Refused(Refused::Seal), "{point:02x?}");

        assert!(!CloudPublicKey(point).is_usable(), "{point:02x?}");
        pair.device.cloud_key = CloudPublicKey(point);
        let sealed = SealedChallenge::seal(&pair.device, &reset(64), &mut Bytes(&[0x47; 32]));
        assert!(sealed.is_err(), "{point:02x?}");
        pair.device.cloud_key = pair.cloud.public();
    }
}

#[test]
fn a_signature_has_no_twin() {
    // The group's order, little endian: s and s + order satisfy the same equation.
    let order: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let pair = psk_pair();
    let sealed = seal(&pair.device, &reset(64));
    let mut bytes = sealed.as_bytes().to_vec();
    let at = bytes.len() - 32;
    let mut carry = 0;
    for (byte, add) in bytes[at..].iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        (*byte, carry) = (sum as u8, sum >> 8);
    }
    assert_eq!(carry, 0);
    assert_ne!(bytes, sealed.as_bytes());
    assert_eq!(read(&pair, &bytes).unwrap_err(), No::Refused(Refused::Signature));
}

/// Seals a plaintext as it is, by the HPKE crate alone, and signs it as the device would.
fn seal_plaintext(pair: &common::Pair, purpose: u8, plaintext: &[u8]) -> Vec<u8> {
    use hpke::{Deserializable, OpModeS, PskBundle, Serializable, aead::ChaCha20Poly1305, kdf::HkdfSha256};
    type Kem = hpke::kem::X25519HkdfSha256;
    let Mode::Psk(psk) = &pair.device.mode else { panic!("this device is in mode_psk") };
    let mode = OpModeS::Psk(PskBundle::new(psk, &pair.device.handle.0).unwrap());
    let recipient = <Kem as hpke::Kem>::PublicKey::from_bytes(&pair.device.cloud_key.0).unwrap();
    let header = [&[1, 1, purpose][..], &pair.device.cloud_key.id().0, &pair.device.handle.0].concat();
    let (enc, ciphertext) = hpke::single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, Kem>(
        &mode,
        &recipient,
        INFO,
        plaintext,
        &header,
        &mut Bytes(&[0x48; 32]),
    )
    .unwrap();
    let mut bytes = [&header, enc.to_bytes().as_slice(), &ciphertext, &[0; 64]].concat();
    sign_again(&mut bytes, &pair.device.signing_key);
    bytes
}

#[test]
fn a_plaintext_that_breaks_a_rule_is_refused() {
    let pair = psk_pair();
    let signer = SignerHash::of(&pair.device.signing_key.verifying_key());
    let good = reset(64).encode(signer).to_vec();
    let read = |purpose: Purpose, plaintext: &[u8]| {
        let refused = read(&pair, &seal_plaintext(&pair, purpose as u8, plaintext)).map(|_| ());
        let decoded = Challenge::decode(purpose, plaintext);
        assert_eq!(refused.is_ok(), decoded.is_some_and(|(_, inside)| inside == signer));
        refused
    };
    assert_eq!(read(Purpose::Reset, &good), Ok(()));

    let with = |place: usize, new: &[u8]| {
        let mut bytes = good.clone();
        bytes[place..place + new.len()].copy_from_slice(new);
        bytes
    };
    let broken: &[(&str, Purpose, Vec<u8>)] = &[
        ("a code of 10^8", Purpose::Reset, with(16, &100_000_000_u32.to_be_bytes())),
        ("no such event", Purpose::Notice, with(16, &3_u32.to_be_bytes())),
        ("event zero", Purpose::Notice, with(16, &0_u32.to_be_bytes())),
        ("a code where none is", Purpose::AddressChanged, good.clone()),
        ("a reserved flag", Purpose::Reset, with(28, &[0x04])),
        ("an unknown language", Purpose::Reset, with(37, &[1])),
        ("too far east", Purpose::Reset, with(38, &841_i16.to_be_bytes())),
        ("too far west", Purpose::Reset, with(38, &(-841_i16).to_be_bytes())),
        ("no address", Purpose::Reset, with(56, &[0])),
        ("three addresses", Purpose::Reset, with(56, &[3])),
        ("an empty address", Purpose::Reset, with(56, &[1, 0])),
        ("an address beyond the end", Purpose::Reset, with(57, &[0xff])),
        ("padding that is not zero", Purpose::Reset, with(119, &[1])),
        ("not UTF-8", Purpose::Reset, with(58, &[0xff])),
        ("a header injection", Purpose::Reset, with(59, b"\r\n")),
        ("a capital in the domain", Purpose::Reset, with(81, b"EXAMPLE")),
        ("a space at the start", Purpose::Reset, with(58, b" ")),
    ];
    for (what, purpose, plaintext) in broken {
        assert_eq!(read(*purpose, plaintext), Err(No::Refused(Refused::Plaintext)), "{what}");
    }

    let twice = {
        let text = b"o@a.example";
        let mut bytes = good[..56].to_vec();
        bytes.push(2);
        for _ in 0..2 {
            bytes.push(text.len() as u8);
            bytes.extend_from_slice(text);
        }
        bytes.resize(120, 0);
        bytes
    };
    assert_eq!(read(Purpose::Reset, &twice), Err(No::Refused(Refused::Plaintext)), "an address twice");

    let mut larger_than_needed = good.clone();
    larger_than_needed.resize(184, 0);
    assert_eq!(read(Purpose::Reset, &larger_than_needed), Err(No::Refused(Refused::Plaintext)));

    assert_eq!(read(Purpose::Reset, &with(40, &[0; 16])), Err(No::Refused(Refused::Signer)));
}

#[test]
fn lengths_at_the_edges_of_the_blocks() {
    let pair = psk_pair();
    for (len, total) in [(62, 247), (63, 311), (126, 311), (127, 375), (190, 375)] {
        let mut challenge = reset(64);
        challenge.addresses = latchkey_protocol::Addresses::new(vec![address(len)]).unwrap();
        let sealed = seal(&pair.device, &challenge);
        assert_eq!(sealed.as_bytes().len(), total, "an address of {len}");
        assert_eq!(read(&pair, sealed.as_bytes()).unwrap().challenge(), &challenge);
    }
}
