//! When this was built, as no clock that is right is before it: SOURCE_DATE_EPOCH, or the moment of the commit,
//! so that two builds of one source are the same; of a source without either, a moment that it is not older than.

use std::{env, process::Command};

/// Whoever unpacks an archive of the source builds it later than this: 2026-11-01.
const FALLBACK_UNIX_S: i64 = 1_793_491_200;

fn main() {
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    println!("cargo::rerun-if-changed=build.rs");
    // Not at each commit, which would build everything anew: a fresh build has its commit's moment.
    #[expect(clippy::disallowed_methods, reason = "what a build is told, not the daemon")]
    let told = env::var("SOURCE_DATE_EPOCH").ok().or_else(|| git(&["log", "-1", "--format=%ct"]));
    let built_unix_s = told.and_then(|text| text.trim().parse().ok()).unwrap_or(FALLBACK_UNIX_S);
    println!("cargo::rustc-env=LATCHKEY_BUILD_UNIX_S={}", built_unix_s.max(FALLBACK_UNIX_S));
}

fn git(arguments: &[&str]) -> Option<String> {
    let output =
        Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
