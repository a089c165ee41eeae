//! One sign-in's hash, with the parameters of `board/base.toml`, and the memory that it takes.
#![expect(clippy::disallowed_methods, reason = "real time is what is measured")]

use crate::quantile;
use latchkey::{
    hash::{HashCost, run as hash},
    recovery::{HashJob, HashOutcome, action::Password},
};
use serde_json::json;
use std::time::Instant;

const ROUNDS: usize = 9;

/// Measures the comparison of a right password.
pub(crate) fn run() {
    let board: toml::Table = include_str!("../../board/base.toml").parse().unwrap();
    let number = |key: &str| u32::try_from(board["password_hash"][key].as_integer().unwrap()).unwrap();
    let cost = HashCost { memory_kib: number("memory_kib"), passes: number("passes") };
    let before_kib = peak_kib();
    let password = || Password::new("correct horse battery".to_owned());
    let HashOutcome::Made(phc) = hash(cost, &HashJob::Make { password: password(), salt: [7; 16] }) else {
        unreachable!("the parameters are the board's")
    };
    let mut taken_ms: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let job = HashJob::Compare { password: password(), phc: phc.clone() };
            let started = Instant::now();
            assert!(matches!(hash(cost, &job), HashOutcome::Compared(true)));
            started.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    taken_ms.sort_by(f64::total_cmp);
    println!(
        "{}",
        json!({
            "memory_kib": cost.memory_kib, "passes": cost.passes,
            "p50_ms": quantile(&taken_ms, 0.5), "slowest_ms": quantile(&taken_ms, 1.0),
            "peak_above_start_kib": peak_kib() - before_kib,
        })
    );
}

/// The most memory that this process has had resident.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
