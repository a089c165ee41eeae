//! The only wiring point: reads what is stored, binds the doors, runs the task that owns the recovery
//! state, and drains at the end.

pub mod folders;
mod handover;
pub mod heart_task;
mod hooks;
pub mod identities;
pub mod keys;
pub mod notices;
mod privileges;
mod run;
#[cfg(test)]
mod tests;
pub mod watchdog;

use crate::{
    board,
    clock::{Clock, KernelEntropy, SystemClock},
    config::Config,
    platform::{self, NotEnrolled},
    store::disk::RealDisk,
};
use folders::FolderError;
use heart_task::TaskError;
pub use heart_task::chain;
use keys::KeyError;
use latchkey_protocol::{Host, claim::ClaimCode};
use nix::{
    fcntl::Flock,
    sys::stat::{Mode, umask},
};
use privileges::PrivilegeError;
use rustix::thread::CapabilitySet;
use std::{
    fs::File,
    io::{self, Read, Write},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// A claim code has 39 letters, digits and hyphens.
const CLAIM_BYTES_MAX: u64 = 256;

/// What `latchkeyd` was started for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Serve until told to stop.
    Run,
    /// Only read the configuration.
    Check,
    /// Run the board's hooks for the daemon that started this.
    HookHelper,
    /// Print what a factory signs.
    IdentityRequest,
    /// Keep what a factory signed.
    IdentityInstall(PathBuf),
    /// Claim an identity from a cloud, with the code on standard input.
    IdentityEnrol(String),
}

/// Why the daemon cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// A folder cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// Root's rights cannot be given up.
    #[error(transparent)]
    Privilege(#[from] PrivilegeError),
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
    /// A cloud gave no identity.
    #[error("this device was not enrolled: what it had is as it was")]
    Enrol(#[from] NotEnrolled),
    /// The task that owns the account stopped.
    #[error("the account cannot be served any more")]
    Task(#[from] TaskError),
}

/// Carries out a command.
pub fn carry_out(command: Command, config: Config) -> Result<(), AppError> {
    privileges::keep_secrets_in()?;
    match command {
        Command::Run => run::run(&config),
        Command::HookHelper => hook_helper(&config),
        Command::Check => print("the configuration is right"),
        Command::IdentityRequest => identity_request(&config),
        Command::IdentityEnrol(host) => identity_enrol(&config, &host),
        Command::IdentityInstall(file) => identity_install(&config, &file),
    }
}

fn hook_helper(config: &Config) -> Result<(), AppError> {
    // Hooks write the files of other software, which expects the usual mask.
    umask(Mode::from_bits_truncate(0o022));
    let settings = hooks::settings(config)
        .ok_or_else(|| failed("run hooks", io::Error::other("the board has no [hooks] section")))?;
    board::helper::serve(settings).map_err(|error| failed("run the hooks", error))
}

fn identity_request(config: &Config) -> Result<(), AppError> {
    let (state, _alone) = own_state(config)?;
    let device = &config.device;
    let request = keys::identity_request(&state, &device.serial, &device.model, &KernelEntropy)?;
    let text = serde_json::to_string_pretty(&request)
        .map_err(|error| failed("write the identity request", error.into()))?;
    print(&text)
}

/// The state folder, held, as the user that the daemon runs as: what is made there is the daemon's.
fn own_state(config: &Config) -> Result<(RealDisk, Flock<File>), AppError> {
    let to = privileges::to_become(config);
    handover::prepare(&config.paths.state, folders::STATE_MODE, to)?;
    if let Some(to) = to {
        privileges::become_user(to, CapabilitySet::empty())?;
    }
    let state = folders::open_state(&config.paths.state)?;
    let alone = folders::lock_identity(&config.paths.state)?;
    Ok((state, alone))
}

fn identity_install(config: &Config, file: &Path) -> Result<(), AppError> {
    let mut bytes = Zeroizing::new(Vec::new());
    // One byte more than an identity may have, so that a larger file is refused and not cut.
    let max = crate::identity::FILE_BYTES_MAX as u64 + 1;
    // Read by whoever started this: it may be a file for root alone.
    File::open(file)
        .and_then(|opened| opened.take(max).read_to_end(&mut bytes))
        .map_err(|error| failed(&format!("read {}", file.display()), error))?;
    let (state, _alone) = own_state(config)?;
    let (identity, _) = keys::install_identity(&state, &config.device.serial, &bytes)?;
    print(&format!(
        "installed: this device is {} at {}; restart latchkeyd to use it",
        identity.handle, identity.host
    ))
}

/// The code is read and not named among the arguments, where every process could see it.
fn identity_enrol(config: &Config, server: &str) -> Result<(), AppError> {
    let server = Host::parse(server).map_err(|error| failed("read the host", io::Error::other(error)))?;
    let mut code = Zeroizing::new(String::new());
    io::stdin()
        .take(CLAIM_BYTES_MAX)
        .read_to_string(&mut code)
        .map_err(|error| failed("read the claim code", error))?;
    let code: ClaimCode =
        code.trim().parse().map_err(|error| failed("read the claim code", io::Error::other(error)))?;
    let (state, _alone) = own_state(config)?;
    let device = &config.device;
    let request = keys::identity_request(&state, &device.serial, &device.model, &KernelEntropy)?;
    let time = platform::time::LinkTime::new(keys::told_time(&state));
    let clock = SystemClock::start(device.utc_offset_min, &KernelEntropy).and_then(|(clock, _)| clock.now());
    time.set(clock.map_err(|error| failed("read the clocks", error))?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| failed("start the runtime", error))?;
    let bounds = platform::policy::Bounds::default();
    let file =
        Zeroizing::new(runtime.block_on(platform::enrol::fetch(&server, &code, &request, &time, &bounds))?);
    let (identity, _) = keys::install_identity(&state, &device.serial, &file)?;
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
