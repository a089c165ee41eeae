//! Figures of the daemon's code in a process of its own, one JSON object on standard output.
//!
//! ```text
//! figures challenge [N]            draw to PNG, N times (for callgrind: once)
//! figures sign-in                  one Argon2id comparison with the board's parameters
//! figures attack                   flash commits a day under attack, from the heart itself
//! figures requests FOLDER N        N identity requests, for a cloud's factory to sign
//! figures seal FOLDER N            N sealed challenges of the signed devices, a line each
//! ```
#![allow(clippy::unwrap_used, reason = "a tool for developers: it may stop at the first surprise")]

mod attack;
mod challenge;
mod fleet;
mod sign_in;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["challenge"] => challenge::run(300),
        ["challenge", count] => challenge::run(count.parse().unwrap()),
        ["sign-in"] => sign_in::run(),
        ["attack"] => attack::run(),
        ["requests", folder, count] => fleet::requests(folder.as_ref(), count.parse().unwrap()),
        ["seal", folder, count] => fleet::seal(folder.as_ref(), count.parse().unwrap()),
        _ => {
            eprintln!("figures challenge [N] | sign-in | attack | requests FOLDER N | seal FOLDER N");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

/// The value at a share of all, the smallest first.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * share).round() as usize]
}
