//! Reads pictures as the recovery mailbox does, for `scripts/bench app`: a line a file, with the first QR
//! code's text, or nothing, and the milliseconds that it took.
#![expect(clippy::disallowed_methods, reason = "real time is what is measured")]

use latchkey_cloud::picture;
use std::time::Instant;

fn main() -> Result<(), std::io::Error> {
    for path in std::env::args().skip(1) {
        let bytes = std::fs::read(&path)?;
        let started = Instant::now();
        let texts = picture::read(&bytes).unwrap_or_default();
        let text = texts.first().map(String::as_str).unwrap_or_default();
        println!("{path}\t{text}\t{:.1}", started.elapsed().as_secs_f64() * 1e3);
    }
    Ok(())
}
