//! Tells who watches over the daemon that it works: a service manager such as systemd (sd_notify(3)),
//! and the kernel's watchdog. Both are fed by the beat of the task that owns the account: while that
//! hangs, or its store does not come back, nothing is fed, and the daemon or the machine is restarted.

use crate::config::{self, ServiceManager};
use std::{
    ffi::OsStr,
    fs::{File, OpenOptions},
    io::{self, Write},
    os::{
        linux::net::SocketAddrExt,
        unix::{
            ffi::OsStrExt,
            net::{SocketAddr, UnixDatagram},
        },
    },
    path::Path,
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::{MissedTickBehavior, interval},
};

/// A beat that was asked for: answered by the work loop when it comes round.
pub type Beat = oneshot::Sender<()>;
/// Beats on their way to the work loop.
pub type Beats = mpsc::Receiver<Beat>;

/// Feels whether the work loop still comes round.
#[derive(Debug)]
pub struct Pulse(mpsc::Sender<Beat>);

impl Pulse {
    /// A pulse, and the end that the work loop answers.
    pub fn new() -> (Self, Beats) {
        let (sender, receiver) = mpsc::channel(1);
        (Self(sender), receiver)
    }

    /// Waits until the work loop has come round once. False: it has ended.
    pub async fn beat(&self) -> bool {
        let (answer, answered) = oneshot::channel();
        self.0.send(answer).await.is_ok() && answered.await.is_ok()
    }
}

/// Everyone who watches.
#[derive(Debug, Default)]
pub struct Watchdog {
    manager: Option<Manager>,
    device: Option<File>,
    every: Option<Duration>,
}

/// The service manager's socket.
#[derive(Debug)]
struct Manager {
    socket: UnixDatagram,
    to: SocketAddr,
}

impl Watchdog {
    /// Opens what there is to feed, as root if need be. What cannot be opened is told and done without:
    /// a way back in without a watchdog is better than none.
    pub fn open(board: Option<&config::Watchdog>, manager: &ServiceManager) -> Self {
        let device = board.and_then(|board| {
            let opened = OpenOptions::new().write(true).open(&board.device);
            let cannot = |error: &io::Error| {
                tracing::error!(device = %board.device.display(), %error, "the watchdog cannot be fed");
            };
            opened.inspect_err(cannot).inspect(|_| check_timeout(board)).ok()
        });
        let cannot =
            |error: &io::Error| tracing::error!(%error, "the service manager cannot be told anything");
        let notified = manager.notify_socket.as_deref().map(Manager::open);
        let told = notified.and_then(|opened| opened.inspect_err(cannot).ok());
        // Half of what it would wait, as sd_watchdog_enabled(3) advises.
        let by_manager = manager.watchdog.filter(|_| told.is_some()).map(|timeout| timeout / 2);
        let by_board =
            board.filter(|_| device.is_some()).map(|board| Duration::from_secs(board.feed_every_s));
        let every = by_manager.into_iter().chain(by_board).min();
        Self { manager: told, device, every }
    }

    /// Requests are answered from now on.
    pub fn ready(&self) {
        self.tell("READY=1\nSTATUS=ready");
    }

    /// What is under way is being finished.
    pub fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    /// Feeds with every beat, until there is no work loop any more.
    pub async fn feed_by(self: Arc<Self>, pulse: Pulse) {
        let Some(every) = self.every else { return };
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if !pulse.beat().await {
                return;
            }
            self.feed();
        }
    }

    fn feed(&self) {
        self.tell("WATCHDOG=1");
        self.write(b"\0");
    }

    /// Nobody is to restart the machine because the daemon was stopped on purpose: the "magic close" of
    /// the kernel's watchdogs (Documentation/watchdog/watchdog-api.rst).
    pub fn close_in_order(&self) {
        self.write(b"V");
    }

    fn write(&self, bytes: &[u8]) {
        if let Some(Err(error)) = self.device.as_ref().map(|mut device| device.write_all(bytes)) {
            tracing::error!(%error, "the watchdog could not be fed");
        }
    }

    fn tell(&self, what: &str) {
        if let Some(Err(error)) = self.manager.as_ref().map(|manager| manager.tell(what)) {
            tracing::debug!(%error, "the service manager could not be told");
        }
    }
}

impl Manager {
    fn open(name: &OsStr) -> io::Result<Self> {
        let to = match name.as_bytes().strip_prefix(b"@") {
            Some(name) => SocketAddr::from_abstract_name(name)?,
            None => SocketAddr::from_pathname(Path::new(name))?,
        };
        let socket = UnixDatagram::unbound()?;
        // A manager that does not read must not stop the work.
        socket.set_nonblocking(true)?;
        Ok(Self { socket, to })
    }

    fn tell(&self, what: &str) -> io::Result<()> {
        self.socket.send_to_addr(what.as_bytes(), &self.to).map(|_| ())
    }
}

/// Says so if the driver would not wait for the next feeding, where the kernel tells its timeout.
fn check_timeout(board: &config::Watchdog) {
    let name = board.device.file_name().and_then(OsStr::to_str).unwrap_or_default();
    // /dev/watchdog is the first one's older name.
    let name = if name == "watchdog" { "watchdog0" } else { name };
    let Ok(text) = std::fs::read_to_string(format!("/sys/class/watchdog/{name}/timeout")) else { return };
    if let Ok(timeout_s) = text.trim().parse::<u64>()
        && timeout_s < board.feed_every_s.saturating_mul(2)
    {
        let feed_every_s = board.feed_every_s;
        tracing::warn!(
            timeout_s,
            feed_every_s,
            "the watchdog waits for less than two feedings: a slow moment restarts"
        );
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A watchdog with a service manager that is this test.
    fn watched(name: &str) -> (Watchdog, UnixDatagram) {
        let name = format!("latchkey-watchdog-{name}-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let manager = UnixDatagram::bind_addr(&address).unwrap();
        manager.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let told = ServiceManager {
            notify_socket: Some(format!("@{name}").into()),
            watchdog: Some(Duration::from_millis(20)),
        };
        (Watchdog::open(None, &told), manager)
    }

    fn heard(manager: &UnixDatagram) -> io::Result<String> {
        let mut bytes = [0; 128];
        let length = manager.recv(&mut bytes)?;
        Ok(String::from_utf8(bytes[..length].to_vec()).unwrap())
    }

    #[test]
    fn the_manager_hears_of_the_start_and_of_the_stop() {
        let (watchdog, manager) = watched("life");
        watchdog.ready();
        watchdog.stopping();
        assert_eq!(heard(&manager).unwrap(), "READY=1\nSTATUS=ready");
        assert_eq!(heard(&manager).unwrap(), "STOPPING=1");
    }

    #[tokio::test]
    async fn it_is_fed_for_each_beat_and_for_nothing_else() {
        let (watchdog, manager) = watched("beats");
        let (pulse, mut beats) = Pulse::new();
        let feeding = tokio::spawn(Arc::new(watchdog).feed_by(pulse));
        // The work loop hangs: it is asked, and nothing is fed for as long as it does not answer.
        let asked = beats.recv().await.unwrap();
        manager.set_nonblocking(true).unwrap();
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(heard(&manager).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        asked.send(()).unwrap();
        let again = beats.recv().await.unwrap();
        assert_eq!(heard(&manager).unwrap(), "WATCHDOG=1");
        assert_eq!(heard(&manager).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        drop((again, beats));
        feeding.await.unwrap();
    }

    #[test]
    fn what_cannot_be_opened_is_done_without() {
        let board = config::Watchdog { device: "/nowhere/watchdog".into(), feed_every_s: 1 };
        let manager = ServiceManager { notify_socket: Some("/nowhere/notify".into()), watchdog: None };
        let watchdog = Watchdog::open(Some(&board), &manager);
        assert_eq!(watchdog.every, None);
        watchdog.ready();
        watchdog.close_in_order();
    }
}
