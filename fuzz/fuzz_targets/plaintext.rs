//! Bytes as the plaintext of a challenge: only what a device writes is accepted.
#![no_main]

use latchkey_protocol::{Challenge, Purpose};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((purpose, plaintext)) = bytes.split_first() else { return };
    let Some(purpose) = Purpose::from_byte(*purpose) else { return };
    if let Some((challenge, signer)) = Challenge::decode(purpose, plaintext) {
        assert_eq!(challenge.encode(signer)[..], plaintext[..]);
        assert_eq!(challenge.message.purpose(), purpose);
    }
});
