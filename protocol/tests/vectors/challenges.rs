//! What a device seals, with all that went in and all that came out.

use crate::{
    check, cloud_json,
    common::{Bytes, Pair, challenge, pair, psk_pair, read},
    device_json, hex, messages, noise,
};
use latchkey_protocol::{
    Address, Challenge, Door, Host, Message, Mode, QrLink, SealedChallenge, SignerHash, Tag,
    plaintext::ADDRESS_BLOCKS,
};
use qrcodegen::{QrCode, QrCodeEcc, QrSegment, Version};
use serde_json::{Value, json};

fn field(message: &Message) -> u32 {
    match message {
        Message::Reset(code) | Message::ConfirmEmail(code) | Message::Rehearsal(code) => code.number(),
        Message::Notice(event) => *event as u32,
        Message::AddressChanged => 0,
    }
}

fn qr_version(link: &QrLink) -> u8 {
    let segments = [QrSegment::make_bytes(link.prefix().as_bytes()), QrSegment::make_numeric(&link.digits())];
    let fits = QrCode::encode_segments_advanced(
        &segments,
        QrCodeEcc::Medium,
        Version::MIN,
        Version::MAX,
        None,
        false,
    );
    fits.unwrap().version().value()
}

fn challenge_json(name: &str, pair: &Pair, challenge: &Challenge) -> Value {
    let ikm = noise(name);
    let sealed = SealedChallenge::seal(&pair.device, challenge, &mut Bytes(&ikm)).unwrap();
    let link = QrLink { host: pair.device.host.clone(), sealed: sealed.clone() };
    let bytes = sealed.as_bytes();
    let signature_at = bytes.len() - 64;
    let signer = SignerHash::of(&pair.device.signing_key.verifying_key());
    let opened = read(pair, bytes).unwrap();
    assert_eq!(opened.challenge(), challenge);
    json!({
        "name": name,
        "mode": if pair.device.mode == Mode::Base { "base" } else { "psk" },
        "host": link.host.as_str(),
        "ephemeral_ikm": hex(&ikm),
        "id": challenge.id.to_string(),
        "purpose": challenge.message.purpose() as u8,
        "field": field(&challenge.message),
        "life": challenge.life.to_string(),
        "counter": challenge.counter,
        "door": challenge.door,
        "confirmed": challenge.confirmed,
        "device_time_unix_s": challenge.device_time_unix_s,
        "locale": challenge.locale,
        "tz_offset_min": challenge.tz_offset_min,
        "addresses": challenge.addresses.iter().map(Address::as_str).collect::<Vec<_>>(),
        "plaintext": hex(&challenge.encode(signer)),
        "header": hex(&bytes[..15]),
        "enc": hex(&bytes[15..47]),
        "ciphertext": hex(&bytes[47..signature_at]),
        "signature": hex(&bytes[signature_at..]),
        "tag": Tag::of(bytes).to_string(),
        "qr_text": link.to_string(),
        "qr_version": qr_version(&link),
    })
}

#[test]
fn challenges() {
    let (psk, base) = (psk_pair(), pair(Mode::Base));
    let mut list = vec![];
    for (mode, pair) in [("psk", &psk), ("base", &base)] {
        for (purpose, message) in messages() {
            for block in ADDRESS_BLOCKS {
                if mode == "base" && purpose != "reset" {
                    continue;
                }
                let name = format!("{purpose}, block of {block}, {mode}");
                let mut challenge = challenge(message.clone(), block);
                challenge.id.0.copy_from_slice(&noise(&name)[16..]);
                // The other door, an unconfirmed address, a clock that was never set.
                if block == 128 {
                    (challenge.door, challenge.confirmed) = (Door::Console, false);
                    (challenge.device_time_unix_s, challenge.tz_offset_min) = (-1, 840);
                    challenge.counter = u32::MAX;
                }
                list.push(challenge_json(&name, pair, &challenge));
            }
        }
    }
    for (len, block) in [(24, 64), (25, 64), (34, 128), (35, 128), (19, 192), (20, 192), (57, 192)] {
        let mut pair = psk_pair();
        pair.device.host = Host::parse(&format!("{}.example", "h".repeat(len - 8))).unwrap();
        let name = format!("host of {len}, block of {block}");
        list.push(challenge_json(&name, &pair, &challenge(messages()[0].1.clone(), block)));
    }
    check(
        "challenges.json",
        &json!({ "cloud": cloud_json(&psk), "device": device_json(&psk), "challenges": list }),
    );
}
