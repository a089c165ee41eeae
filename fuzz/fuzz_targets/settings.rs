//! Bytes as a settings file over a small board.
#![no_main]

use latchkey::config::Config;
use libfuzzer_sys::fuzz_target;
use std::{fs, path::PathBuf, sync::LazyLock};

/// In memory where that is to be had: one file is written for each run.
static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let memory = PathBuf::from("/dev/shm");
    let top = if memory.is_dir() { memory } else { std::env::temp_dir() };
    let folder = top.join(format!("latchkey-fuzz-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join("base.toml"), include_str!("../../board/base.toml")).expect("a file");
    fs::write(folder.join("host.toml"), include_str!("../../board/host.toml")).expect("a file");
    folder
});

fuzz_target!(|bytes: &[u8]| {
    let settings = FOLDER.join("settings.toml");
    fs::write(&settings, bytes).expect("a file");
    if let Err(faults) = Config::read(&FOLDER.join("host.toml"), Some(&settings)) {
        assert!(!faults.to_string().is_empty());
    }
});
