//! Bytes as a file of the store: as they are, and with a right header and checksum before them.
#![no_main]

use latchkey::store::format::{decode_pending, decode_record, encode_pending, encode_record};
use libfuzzer_sys::fuzz_target;
use sha2::{Digest, Sha256};

fn with_checksum(kind: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("latchkey {kind} 1 generation 42");
    let sum = Sha256::new().chain_update(&head).chain_update(b"\n").chain_update(body).finalize();
    let sum: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
    [format!("{head} sha256 {sum}\n").as_bytes(), body].concat()
}

fuzz_target!(|bytes: &[u8]| {
    for file in [bytes.to_vec(), with_checksum("account", bytes)] {
        if let Ok((generation, record)) = decode_record(&file) {
            let again = encode_record(generation, record.as_ref()).expect("a record can be written");
            assert_eq!(decode_record(&again), Ok((generation, record)));
        }
    }
    for file in [bytes.to_vec(), with_checksum("pending", bytes)] {
        if let Ok(pending) = decode_pending(&file) {
            let again = encode_pending(&pending).expect("a pending challenge can be written");
            assert_eq!(decode_pending(&again), Ok(pending));
        }
    }
});
