//! Bytes as a submitted form.
#![no_main]

use latchkey::web::form::Form;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(form) = Form::parse(bytes) {
        let _ = (form.get("password"), form.text("code"), form.ticked("accept"), form.password("password"));
    }
});
