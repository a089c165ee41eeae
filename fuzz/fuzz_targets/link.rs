//! Text as a QR code's link, as its digits alone, and as a host.
#![no_main]

use latchkey_protocol::{Host, ParsedChallenge, QrLink, Tag, digits, link::sealed_from_digits};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(link) = QrLink::parse(text) {
        assert_eq!(link.to_string(), text.trim());
        assert_eq!(Tag::of(link.sealed.as_bytes()).to_string().len(), 4);
        let _ = ParsedChallenge::parse(&link.sealed);
    }
    if let Ok(sealed) = sealed_from_digits(text) {
        assert_eq!(digits::encode(sealed.as_bytes()), text);
    }
    if let Ok(bytes) = digits::decode(text) {
        assert_eq!(digits::encode(&bytes), text);
    }
    if let Ok(host) = Host::parse(text) {
        assert_eq!(host.as_str(), text);
        assert!(text.len() <= Host::MAX_LEN);
    }
});
