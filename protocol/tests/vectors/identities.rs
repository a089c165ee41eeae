//! Identity requests and the identity file.

use crate::{check, common::psk_pair, device_json, noise};
use ed25519_dalek::SigningKey;
use latchkey_protocol::{
    Address, CloudPublicKey, Mode,
    identity::{IdentityError, IdentityFile, IdentityRequest, Psk},
};
use serde_json::{Value, json};

fn identity_refusal(error: IdentityError) -> &'static str {
    match error {
        IdentityError::Version => "version",
        IdentityError::Serial => "serial",
        IdentityError::Model => "model",
        IdentityError::PublicKey => "public_key",
        IdentityError::Proof => "proof",
        IdentityError::CloudKey => "cloud_key",
        IdentityError::OtherDevice => "other_device",
    }
}

#[test]
fn identities() {
    let pair = psk_pair();
    let key = &pair.device.signing_key;
    let request = IdentityRequest::new(key, "LK-0001", "Recorder 8 ä").unwrap();
    let changed = |change: &dyn Fn(&mut IdentityRequest)| {
        let mut request = request.clone();
        change(&mut request);
        let refused = identity_refusal(request.verify().unwrap_err());
        json!({ "request": request, "refused": refused })
    };
    let mut neutral = [0; 32];
    neutral[0] = 1;
    let refused = [
        changed(&|r| r.version = 2),
        changed(&|r| r.serial = "LK-0002".to_owned()),
        changed(&|r| r.serial = "LK 0001".to_owned()),
        changed(&|r| r.serial = "L".repeat(33)),
        changed(&|r| r.model = "Recorder 16".to_owned()),
        changed(&|r| r.model = String::new()),
        changed(&|r| r.model = "m".repeat(65)),
        changed(&|r| r.model = "Reco\u{202e}rder".to_owned()),
        changed(&|r| r.model = "Recorder\n".to_owned()),
        changed(&|r| r.public_key = neutral),
        changed(&|r| r.public_key = noise("another device")),
        changed(&|r| r.proof[0] ^= 1),
    ];
    let file = IdentityFile {
        version: 1,
        handle: pair.device.handle,
        serial: request.serial.clone(),
        model: request.model.clone(),
        public_key: request.public_key,
        certificate: String::new(),
        psk: Some(Psk([0x45; 32])),
        cloud_keys: vec![pair.cloud.public()],
        signing_keys: vec![],
        keys_serial: 0,
        server_roots: String::new(),
        host: pair.device.host.clone(),
        mailbox: Address::parse("recovery@latchkey.example").ok(),
    };
    let device = file.join(key.clone()).unwrap();
    assert_eq!((device.handle, device.cloud_key), (pair.device.handle, pair.cloud.public()));
    assert_eq!(device.mode, Mode::Psk([0x45; 32]));
    let join = |change: &dyn Fn(&mut IdentityFile), key: &SigningKey| {
        let mut file = file.clone();
        change(&mut file);
        file.join(key.clone()).map(|_| ()).map_err(identity_refusal)
    };
    assert_eq!(join(&|f| f.version = 2, key), Err("version"));
    assert_eq!(join(&|f| f.serial.push(' '), key), Err("serial"));
    assert_eq!(join(&|f| f.model.push('\u{7f}'), key), Err("model"));
    assert_eq!(join(&|f| f.cloud_keys.clear(), key), Err("cloud_key"));
    assert_eq!(join(&|f| f.cloud_keys.push(CloudPublicKey([0; 32])), key), Err("cloud_key"));
    assert_eq!(join(&|_| (), &SigningKey::from_bytes(&noise("another device"))), Err("other_device"));
    assert_eq!(join(&|f| f.psk = None, key), Ok(()));
    let signed_fields: Value = serde_json::to_value(&file).unwrap();
    assert!(serde_json::from_value::<IdentityFile>(signed_fields.clone()).is_ok());
    let mut unknown = signed_fields.clone();
    unknown["extra"] = json!(1);
    assert!(serde_json::from_value::<IdentityFile>(unknown).is_err());
    check(
        "identity.json",
        &json!({
            "device": device_json(&pair), "request": request, "file": signed_fields, "requests_refused": refused,
        }),
    );
}
