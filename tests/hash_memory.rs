//! A password hash takes the memory that it is made to take, and gives all of it back, whichever thread
//! it ran on. Alone in its program: it reads what the whole process holds.
#![allow(clippy::unwrap_used)]

use latchkey::{
    hash::{HashCost, run},
    recovery::{HashJob, HashOutcome, action::Password},
};
use std::{sync::mpsc, thread};

/// As `board/base.toml` has it.
const COST: HashCost = HashCost { memory_kib: 19 * 1024, passes: 1 };
/// As many as the daemon keeps for slow work.
const THREADS: usize = 4;
const ROUNDS: usize = 3;
/// Stacks of the threads and what they hold beside the hash; and what the kernel may be behind: each
/// thread's count of pages joins the process's only now and then (proc_pid_status(5), VmRSS).
const BESIDE_KIB: u64 = 3 * 1024;

/// `VmRSS` or `VmHWM` of this process.
fn resident_kib(what: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(what)).unwrap();
    line.trim_start_matches(':').trim().trim_end_matches(" kB").parse().unwrap()
}

/// One thread that hashes whenever it is told to, and lives until nobody can tell it any more.
fn hasher() -> (mpsc::SyncSender<()>, mpsc::Receiver<HashOutcome>, thread::JoinHandle<()>) {
    let (ask, asked) = mpsc::sync_channel(1);
    let (answer, answers) = mpsc::sync_channel(1);
    let work = move || {
        while let Ok(()) = asked.recv() {
            let password = Password::new("correct horse battery".to_owned());
            answer.send(run(COST, &HashJob::Make { password, salt: [7; 16] })).unwrap();
        }
    };
    (ask, answers, thread::spawn(work))
}

#[test]
fn hashes_on_several_threads_take_the_memory_of_one_and_leave_none() {
    let hashers: Vec<_> = (0..THREADS).map(|_| hasher()).collect();
    let before_kib = resident_kib("VmRSS");
    for _ in 0..ROUNDS {
        for (ask, answers, _) in &hashers {
            ask.send(()).unwrap();
            assert!(matches!(answers.recv().unwrap(), HashOutcome::Made(_)));
        }
    }
    let (after_kib, peak_kib) = (resident_kib("VmRSS"), resident_kib("VmHWM"));
    assert!(after_kib < before_kib + BESIDE_KIB, "left behind: {} KiB", after_kib.saturating_sub(before_kib));
    let peak_above_kib = peak_kib - before_kib;
    assert!(
        peak_above_kib + BESIDE_KIB >= u64::from(COST.memory_kib),
        "measured nothing: {peak_above_kib} KiB"
    );
    assert!(peak_above_kib < u64::from(COST.memory_kib) + BESIDE_KIB, "at the peak: {peak_above_kib} KiB");
    for (ask, _, thread) in hashers {
        drop(ask);
        thread.join().unwrap();
    }
}
