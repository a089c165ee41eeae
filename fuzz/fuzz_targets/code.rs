//! Text as a typed code: its ASCII digits, all eight of them, or nothing.
#![no_main]

use latchkey_protocol::Code;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(code) = Code::parse(text) else { return };
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    assert_eq!(code.digits(), digits);
    assert_eq!(Code::parse(&digits), Ok(code));
});
