//! The helper's own process: takes orders from the daemon until the daemon is gone.

use super::{Order, Ran, receive, run::Hooks, send};
use std::{
    io,
    os::{fd::AsFd, unix::net::UnixStream},
    path::PathBuf,
    time::Duration,
};
use tokio::{
    runtime,
    signal::unix::{SignalKind, signal},
};

/// What the helper goes by: from its own configuration, so that no daemon can tell it otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The board's folder of hooks.
    pub folder: PathBuf,
    /// Whose password it is.
    pub user: String,
    /// The serial on the label.
    pub serial: String,
    /// What each hook has.
    pub limit: Duration,
    /// The one hook that is run, if it is the authority.
    pub authority: Option<String>,
}

/// Serves the daemon on standard input until it is gone.
pub fn serve(settings: Settings) -> io::Result<()> {
    let mut socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let hooks = Hooks::new(settings);
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    // Those who stop the service signal all of its processes: this one ends after the daemon.
    let _within = runtime.enter();
    let _ignored = [signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?];
    while let Some(order) = receive::<Order>(&mut socket)? {
        let ran: Vec<Ran> = runtime.block_on(hooks.carry_out(&order));
        drop(order); // its password is wiped before the daemon hears
        send(&mut socket, &ran)?;
    }
    Ok(())
}
