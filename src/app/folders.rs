//! The two folders that the daemon keeps things in: made, checked and locked before anything is read.

use crate::store::disk::RealDisk;
use nix::{
    fcntl::{Flock, FlockArg},
    unistd::Uid,
};
use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// Why a folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// It could not be made or opened.
    #[error("failed to open the folder {path}")]
    Open {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Others can change what is in it.
    #[error("the folder {path} may be changed by other users (mode {mode:04o}): run chmod go-w {path}")]
    OpenToOthers {
        /// The folder.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It belongs to another user.
    #[error("the folder {path} belongs to user {uid}, not to the user of this daemon or to root: run chown")]
    OthersProperty {
        /// The folder.
        path: PathBuf,
        /// Its owner.
        uid: u32,
    },
    /// It can outlive a reboot.
    #[error(
        "paths.runtime is {path}, which is not on a tmpfs or ramfs: a pending reset would outlive a reboot. \
         Mount one there (mount -t tmpfs -o mode=0755 tmpfs {path}), or name a folder on one, such as \
         /run/latchkey"
    )]
    NotInMemory {
        /// The folder.
        path: PathBuf,
    },
    /// Another daemon has the state folder.
    #[error("another latchkeyd runs on {path}: stop it first")]
    InUse {
        /// The folder.
        path: PathBuf,
    },
}

/// For the owner alone.
pub(super) const STATE_MODE: u32 = 0o700;
/// Others may reach the sockets in it, and nothing else.
pub(super) const RUNTIME_MODE: u32 = 0o711;

/// The state folder: for the owner alone.
pub fn open_state(path: &Path) -> Result<RealDisk, FolderError> {
    open(path, STATE_MODE)
}

/// The runtime folder: others may reach the sockets in it, and nothing else.
pub fn open_runtime(path: &Path) -> Result<RealDisk, FolderError> {
    let disk = open(path, RUNTIME_MODE)?;
    match disk.is_in_memory() {
        Ok(true) => Ok(disk),
        Ok(false) => Err(FolderError::NotInMemory { path: path.to_owned() }),
        Err(source) => Err(FolderError::Open { path: path.to_owned(), source }),
    }
}

/// Holds the state folder for this process: two daemons on one record would undo each other.
pub fn lock(path: &Path) -> Result<Flock<File>, FolderError> {
    lock_at(path, File::open(path))
}

/// Holds the keys and the identity in the state folder, which a daemon that runs reads only at its start.
pub fn lock_identity(state: &Path) -> Result<Flock<File>, FolderError> {
    let file = state.join("identity.lock");
    let flags = nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK;
    let mut options = OpenOptions::new();
    let opened = options.write(true).create(true).truncate(false).mode(0o600).custom_flags(flags).open(&file);
    lock_at(&file, opened)
}

fn lock_at(path: &Path, opened: io::Result<File>) -> Result<Flock<File>, FolderError> {
    let failed = |source| FolderError::Open { path: path.to_owned(), source };
    Flock::lock(opened.map_err(failed)?, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| match errno {
        nix::errno::Errno::EWOULDBLOCK => FolderError::InUse { path: path.to_owned() },
        errno => FolderError::Open { path: path.to_owned(), source: errno.into() },
    })
}

fn open(path: &Path, mode: u32) -> Result<RealDisk, FolderError> {
    let failed = |source| FolderError::Open { path: path.to_owned(), source };
    make(path, mode).map_err(failed)?;
    let disk = RealDisk::open(path).map_err(failed)?;
    let (uid, mode) = disk.owner_and_mode().map_err(failed)?;
    check_owner(path, uid, None)?;
    check_mode(path, mode)?;
    Ok(disk)
}

/// A folder that is root's, this process's own, or of the user that it is about to become.
pub(super) fn check_owner(path: &Path, uid: u32, other: Option<u32>) -> Result<(), FolderError> {
    if uid == 0 || uid == Uid::effective().as_raw() || Some(uid) == other {
        return Ok(());
    }
    Err(FolderError::OthersProperty { path: path.to_owned(), uid })
}

/// A folder that nobody but its owner can change.
pub(super) fn check_mode(path: &Path, mode: u32) -> Result<(), FolderError> {
    let mode = mode & 0o7777;
    if mode & 0o022 == 0 { Ok(()) } else { Err(FolderError::OpenToOthers { path: path.to_owned(), mode }) }
}

/// Makes a folder if it is missing, with all above it.
pub(super) fn make(path: &Path, mode: u32) -> io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    if let Some(above) = path.parent() {
        make_above(above)?;
    }
    make_one(path, mode)
}

/// Makes what is missing above a folder, so that others can pass through it to the folder's sockets.
fn make_above(path: &Path) -> io::Result<()> {
    if path.as_os_str().is_empty() || path.exists() {
        return Ok(());
    }
    if let Some(above) = path.parent() {
        make_above(above)?;
    }
    make_one(path, 0o755)
}

/// A folder with a mode that is not mkdir's, which the umask cuts down.
fn make_one(path: &Path, mode: u32) -> io::Result<()> {
    fs::create_dir(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    struct Temporary(PathBuf);

    impl Temporary {
        fn new(within: &Path, name: &str) -> Self {
            let path = within.join(format!("latchkey-folders-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
            Self(path)
        }
    }

    impl Drop for Temporary {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn folders_are_made_with_their_modes_and_open_ones_are_refused() {
        let top = Temporary::new(Path::new("/dev/shm"), "modes");
        let (state, runtime) = (top.0.join("a/state"), top.0.join("a/run"));
        open_state(&state).unwrap();
        open_runtime(&runtime).unwrap();
        assert_eq!((mode(&state), mode(&runtime)), (0o700, 0o711));
        for bad in [0o770, 0o702, 0o777, 0o1777] {
            fs::set_permissions(&state, fs::Permissions::from_mode(bad)).unwrap();
            assert!(matches!(open_state(&state), Err(FolderError::OpenToOthers { .. })), "{bad:o}");
            fs::set_permissions(&runtime, fs::Permissions::from_mode(bad)).unwrap();
            assert!(matches!(open_runtime(&runtime), Err(FolderError::OpenToOthers { .. })), "{bad:o}");
        }
        fs::set_permissions(&state, fs::Permissions::from_mode(0o755)).unwrap();
        open_state(&state).unwrap();
        fs::write(top.0.join("file"), "").unwrap();
        assert!(matches!(open_state(&top.0.join("file")), Err(FolderError::Open { .. })));
    }

    #[test]
    fn a_runtime_folder_that_outlives_a_reboot_is_refused_and_says_what_to_do() {
        let top = Temporary::new(Path::new(env!("CARGO_MANIFEST_DIR")), "disk");
        assert!(!RealDisk::open(&top.0).unwrap().is_in_memory().unwrap(), "the sources are on a tmpfs");
        let error = open_runtime(&top.0).unwrap_err();
        assert!(matches!(error, FolderError::NotInMemory { .. }));
        assert!(error.to_string().contains("mount -t tmpfs"), "{error}");
    }

    #[test]
    fn one_daemon_at_a_time() {
        let top = Temporary::new(Path::new("/dev/shm"), "lock");
        let held = lock(&top.0).unwrap();
        assert!(matches!(lock(&top.0), Err(FolderError::InUse { .. })));
        drop(held);
        lock(&top.0).unwrap();
    }
}
