//! Bytes as a PROXY protocol header, with and without a right signature before them.
#![no_main]

use latchkey::web::proxy;
use libfuzzer_sys::fuzz_target;

thread_local! {
    static RUNTIME: tokio::runtime::Runtime =
        tokio::runtime::Builder::new_current_thread().build().expect("a runtime without I/O");
}

fuzz_target!(|bytes: &[u8]| {
    let signed = [b"\r\n\r\n\0\r\nQUIT\n", bytes].concat();
    RUNTIME.with(|runtime| {
        for header in [bytes, &signed[..]] {
            let mut rest = header;
            if runtime.block_on(proxy::read(&mut rest)).is_ok() {
                let taken = header.len() - rest.len();
                let length = usize::from(u16::from_be_bytes([header[14], header[15]]));
                assert_eq!(taken, 16 + length, "no byte of what follows is taken");
            }
        }
    });
});
