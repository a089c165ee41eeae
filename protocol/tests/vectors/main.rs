//! The committed vectors are what this code makes, refuses and reads; and another implementation,
//! written from `docs/PROTOCOL.md` alone, agrees with every one of them.
//!
//! `LATCHKEY_WRITE_VECTORS=1` writes the files anew.
#![allow(clippy::unwrap_used, clippy::panic)]

mod challenges;
#[path = "../common/mod.rs"]
mod common;
mod identities;
mod platform;
mod refusals;
mod texts;

use common::Pair;
use latchkey_protocol::{Code, Message, NoticeEvent, SignerHash};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{fs, path::PathBuf, process::Command};

pub(crate) fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors")
}

pub(crate) fn check(name: &str, made: &Value) {
    let file = folder().join(name);
    let text = serde_json::to_string_pretty(made).unwrap() + "\n";
    #[expect(clippy::disallowed_methods, reason = "a switch of this test alone")]
    let write_anew = std::env::var_os("LATCHKEY_WRITE_VECTORS").is_some();
    if write_anew {
        fs::write(&file, &text).unwrap();
    }
    let committed = fs::read_to_string(&file).unwrap();
    assert!(committed == text, "{name} is not what this code makes; has the protocol changed?");
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// 32 bytes that are different for every name and look like nothing.
pub(crate) fn noise(name: &str) -> [u8; 32] {
    Sha256::digest(format!("latchkey vector: {name}")).into()
}

pub(crate) fn messages() -> Vec<(&'static str, Message)> {
    let code = |number| Code::from_number(number).unwrap();
    vec![
        ("reset", Message::Reset(code(1_234))),
        ("confirm_email", Message::ConfirmEmail(code(99_999_999))),
        ("rehearsal", Message::Rehearsal(code(50_607_080))),
        ("notice, reset requested", Message::Notice(NoticeEvent::ResetRequested)),
        ("notice, reset completed", Message::Notice(NoticeEvent::ResetCompleted)),
        ("address_changed", Message::AddressChanged),
    ]
}

pub(crate) fn device_json(pair: &Pair) -> Value {
    let key = pair.device.signing_key.verifying_key();
    json!({
        "signing_seed": hex(pair.device.signing_key.as_bytes()),
        "public_key": hex(key.as_bytes()),
        "signer_hash": SignerHash::of(&key).to_string(),
        "handle": pair.device.handle.to_string(),
        "psk": hex(&[0x45; 32]),
    })
}

pub(crate) fn cloud_json(pair: &Pair) -> Value {
    json!({
        "secret_key": hex(&*pair.cloud.to_bytes()),
        "public_key": hex(&pair.cloud.public().0),
        "key_id": pair.cloud.public().id().to_string(),
    })
}

#[test]
fn an_independent_implementation_agrees() {
    // A machine may have a Python of its own beside the one that Debian's package is for.
    let has_it = |python: &&str| {
        let import = Command::new(python).args(["-c", "import cryptography"]).output();
        import.is_ok_and(|output| output.status.success())
    };
    let python = ["python3", "/usr/bin/python3"].into_iter().find(has_it);
    let python = python.expect("install Debian's packages python3 and python3-cryptography");
    let output = Command::new(python).arg(folder().join("verify.py")).output().unwrap();
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let last = said.lines().last().unwrap_or_default();
    let checked: usize = last.strip_suffix(" vectors agree").unwrap_or(&said).parse().unwrap();
    assert!(checked > 200, "{last}");
}
