//! The only wiring point: reads what is stored, binds the doors, runs the task that owns the recovery
//! state, and drains at the end.

pub mod folders;
pub mod heart_task;
pub mod keys;
mod run;
#[cfg(test)]
mod tests;

use crate::{clock::KernelEntropy, config::Config};
use folders::FolderError;
use heart_task::TaskError;
pub use heart_task::chain;
use keys::KeyError;
use nix::sys::{
    prctl,
    resource::{Resource, setrlimit},
    stat::{Mode, umask},
};
use std::{
    fs::File,
    io::{self, Read, Write},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// What `latchkeyd` was started for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Serve until told to stop.
    Run,
    /// Only read the configuration.
    Check,
    /// Print what a factory signs.
    IdentityRequest,
    /// Keep what a factory signed.
    IdentityInstall(PathBuf),
}

/// Why the daemon cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// A folder cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A key or certificate cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A file or the output failed.
    #[error("failed to {what}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The task that owns the account stopped.
    #[error("the account cannot be served any more")]
    Task(#[from] TaskError),
}

/// Carries out a command.
pub fn carry_out(command: Command, config: Config) -> Result<(), AppError> {
    keep_secrets_in()?;
    match command {
        Command::Run => run::run(&config),
        Command::Check => print("the configuration is right"),
        Command::IdentityRequest => identity_request(&config),
        Command::IdentityInstall(file) => identity_install(&config, &file),
    }
}

/// Files are for the owner alone, and no core dump holds a code or a password.
fn keep_secrets_in() -> Result<(), AppError> {
    umask(Mode::from_bits_truncate(0o077));
    let limited = setrlimit(Resource::RLIMIT_CORE, 0, 0).and_then(|()| prctl::set_dumpable(false));
    limited.map_err(|errno| failed("switch core dumps off", errno.into()))
}

fn identity_request(config: &Config) -> Result<(), AppError> {
    let state = folders::open_state(&config.paths.state)?;
    let device = &config.device;
    let request = keys::identity_request(&state, &device.serial, &device.model, &KernelEntropy)?;
    let text = serde_json::to_string_pretty(&request)
        .map_err(|error| failed("write the identity request", error.into()))?;
    print(&text)
}

fn identity_install(config: &Config, file: &Path) -> Result<(), AppError> {
    let state = folders::open_state(&config.paths.state)?;
    let mut bytes = Zeroizing::new(Vec::new());
    // One byte more than an identity may have, so that a larger file is refused and not cut.
    let max = crate::identity::FILE_BYTES_MAX as u64 + 1;
    File::open(file)
        .and_then(|opened| opened.take(max).read_to_end(&mut bytes))
        .map_err(|error| failed(&format!("read {}", file.display()), error))?;
    let identity = keys::install_identity(&state, &config.device.serial, &bytes)?;
    print(&format!(
        "installed: this device is {} at {}; restart latchkeyd to use it",
        identity.handle, identity.host
    ))
}

fn print(text: &str) -> Result<(), AppError> {
    writeln!(io::stdout(), "{text}").map_err(|error| failed("write the output", error))
}

fn failed(what: &str, source: io::Error) -> AppError {
    AppError::Io { what: what.to_owned(), source }
}
