//! JSON as an identity request and as an identity file; a request is also signed anew, so that what
//! lies behind its proof is reached.
#![no_main]

use ed25519_dalek::SigningKey;
use latchkey_protocol::identity::{IdentityFile, IdentityRequest};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let key = SigningKey::from_bytes(&[2; 32]);
    if let Ok(request) = serde_json::from_slice::<IdentityRequest>(bytes) {
        let _ = request.verify();
        if let Ok(signed) = IdentityRequest::new(&key, &request.serial, &request.model) {
            assert_eq!(signed.verify(), Ok(key.verifying_key()));
            let text = serde_json::to_string(&signed).expect("a request can be written");
            assert_eq!(serde_json::from_str::<IdentityRequest>(&text).ok(), Some(signed));
        }
    }
    if let Ok(mut file) = serde_json::from_slice::<IdentityFile>(bytes) {
        file.public_key = key.verifying_key().to_bytes();
        if let Ok(identity) = file.join(key) {
            assert!(identity.cloud_key.is_usable());
        }
    }
});
