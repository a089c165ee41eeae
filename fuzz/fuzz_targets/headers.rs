//! Bytes as the values of `Cookie` and `Host`, and as a path.
#![no_main]

use latchkey::web::{
    cookies::{self, Cookie, Scope},
    guards, routes,
};
use latchkey_protocol::Door;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for cookie in [Cookie::Session, Cookie::Grant, Cookie::Form] {
        let _ = cookies::read([bytes, bytes].into_iter(), Scope::Host, cookie);
    }
    let Ok(text) = core::str::from_utf8(bytes) else { return };
    if let Some((name, port)) = guards::split_port(text) {
        assert!(text.starts_with(name) && (port.is_some() || name == text));
    }
    for door in [Door::Lan, Door::Console] {
        for method in [http::Method::GET, http::Method::POST] {
            let _ = routes::route(&method, text, door);
        }
    }
});
