//! Text as an address: what is accepted can stand in a mail header and an SMTP command as it is.
#![no_main]

use latchkey_protocol::{Address, Addresses};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(address) = Address::parse(text) else { return };
    let whole = address.as_str();
    assert!(whole.len() <= latchkey_protocol::address::MAX_LEN);
    assert!(whole.bytes().all(|b| b.is_ascii_graphic() && !b"\"(),:;<>[\\]".contains(&b)));
    assert_eq!(Address::parse(whole).as_ref(), Ok(&address));
    assert!(whole.eq_ignore_ascii_case(text.trim()));
    let masked = address.masked();
    assert!(
        masked.split_once('@').is_some_and(|(local, domain)| local.contains("***") && domain.contains("***"))
    );
    assert!(Addresses::new(vec![address]).is_ok());
});
