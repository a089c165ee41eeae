//! The keys about the machine that the daemon runs on: its user, log, watchdog.

use super::layers::Layers;
use std::path::PathBuf;

/// Who the daemon becomes once everything that takes root is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Privileges {
    /// Its user id; never zero.
    pub uid: u32,
    /// Its group id.
    pub gid: u32,
    /// Further groups; none of those that root had.
    pub groups: Vec<u32>,
}

/// How the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Log {
    /// Whether each line begins with the seconds since the machine was started. A system's log has
    /// times of its own.
    pub shows_uptime: bool,
    /// What is told at least, unless the command line says otherwise.
    pub level: tracing::Level,
}

/// The kernel's watchdog, which restarts the machine when it is not fed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watchdog {
    /// Such as `/dev/watchdog`.
    pub device: PathBuf,
    /// Seconds from one feeding to the next: at most half of the driver's timeout.
    pub feed_every_s: u64,
}

/// The programs that tell the recorder's other software a new password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hooks {
    /// The folder that they are in.
    pub folder: PathBuf,
    /// Whose password it is, as they are told.
    pub user: String,
    /// Seconds that each of them has.
    pub limit_s: u64,
    /// The one of them that keeps and compares the password in our place, if there is such a one.
    pub authority: Option<String>,
}

pub(super) fn hooks(layers: &mut Layers) -> Option<Hooks> {
    if !layers.has_section("hooks") {
        return None;
    }
    let name = |text: &String| {
        (1..=64).contains(&text.len())
            && !text.starts_with(['.', '-'])
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    };
    let folder: PathBuf =
        layers.take("hooks.folder", "the path of a folder of programs", |value| value.path());
    let right = "a user name: letters, digits, dots, hyphens, underscores";
    let user = layers.take_or("hooks.user", right, "admin".to_owned(), |value| value.text().filter(name));
    let limit_s = layers.take_or("hooks.limit_s", "1 to 30 seconds", 10, |value| value.number(1, 30));
    let right = "the file name of one of the programs";
    let authority =
        layers.take_or("hooks.authority", right, None, |value| value.text().filter(name).map(Some));
    Some(Hooks { folder, user, limit_s, authority })
}

pub(super) fn privileges(layers: &mut Layers) -> Option<Privileges> {
    let id = |value: &super::layers::Value| value.number(0, i64::from(u32::MAX) - 1);
    let uid: u32 = layers.take("privileges.uid", "a user id, or 0 to stay who starts it", id);
    let gid: u32 = layers.take("privileges.gid", "a group id", id);
    let groups = layers.list_or_empty("privileges.groups", "a list of group ids, or []", id);
    if uid != 0 && gid == 0 {
        layers.wrong("privileges.gid", "be another group than root's, which is 0");
    }
    (uid != 0).then_some(Privileges { uid, gid, groups })
}

pub(super) fn log(layers: &mut Layers) -> Log {
    Log {
        shows_uptime: layers.take("log.time", "\"uptime\" or \"none\"", |value| {
            match value.text()?.as_str() {
                "uptime" => Some(true),
                "none" => Some(false),
                _ => None,
            }
        }),
        level: layers
            .take("log.level", "\"error\", \"warn\", \"info\", \"debug\" or \"trace\"", |value| {
                value.text()?.parse().ok().map(Some)
            })
            .unwrap_or(tracing::Level::INFO),
    }
}

pub(super) fn watchdog(layers: &mut Layers) -> Option<Watchdog> {
    if !layers.has_section("watchdog") {
        return None;
    }
    let device: PathBuf =
        layers.take("watchdog.device", "the path of a watchdog's device file", |value| value.path());
    let feed_every_s =
        layers.take_or("watchdog.feed_every_s", "1 to 600 seconds", 10, |value| value.number(1, 600));
    Some(Watchdog { device, feed_every_s })
}
