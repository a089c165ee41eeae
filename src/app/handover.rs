//! The folders as root finds them at the start: made if they are missing, their files for the owner
//! alone, and everything that is root's given to the user that the daemon becomes. A state that an
//! earlier version made as root keeps working.

use super::folders::{self, FolderError};
use crate::config::Privileges;
use nix::{
    errno::Errno,
    unistd::{Gid, Uid, fchown},
};
use std::{
    fs::{self, File, OpenOptions, Permissions},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    path::Path,
};

/// Makes and checks a folder, and hands it and its files over.
pub(super) fn prepare(path: &Path, mode: u32, to: Option<&Privileges>) -> Result<(), FolderError> {
    let failed = |source| FolderError::Open { path: path.to_owned(), source };
    folders::make(path, mode).map_err(failed)?;
    let folder =
        OpenOptions::new().read(true).custom_flags(nix::libc::O_DIRECTORY).open(path).map_err(failed)?;
    let metadata = folder.metadata().map_err(failed)?;
    folders::check_owner(path, metadata.uid(), to.map(|to| to.uid))?;
    folders::check_mode(path, metadata.mode())?;
    // The files first: while the folder is root's, nobody can put other ones in their place.
    for entry in fs::read_dir(path).map_err(failed)? {
        let name = path.join(entry.map_err(failed)?.file_name());
        if let Err(error) = settle(&name, to) {
            tracing::warn!(file = %name.display(), %error, "cannot put its owner and mode right");
        }
    }
    match to {
        Some(to) if metadata.uid() == 0 => give(&folder, to).map_err(failed),
        _ => Ok(()),
    }
}

/// Puts one file right, if it is one of ours.
fn settle(path: &Path, to: Option<&Privileges>) -> io::Result<()> {
    let flags = nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK;
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        // A symbolic link or a socket: no file of ours.
        Err(error)
            if [Some(Errno::ELOOP as i32), Some(Errno::ENXIO as i32)].contains(&error.raw_os_error()) =>
        {
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    let metadata = file.metadata()?;
    // One with a second name may be another's file, put here in order to be given away.
    if !metadata.is_file() || metadata.nlink() != 1 {
        return Ok(());
    }
    let is_ours =
        metadata.uid() == Uid::effective().as_raw() || to.is_some_and(|to| metadata.uid() == to.uid);
    if is_ours && metadata.mode() & 0o077 != 0 {
        file.set_permissions(Permissions::from_mode(0o600))?;
        tracing::warn!(file = %path.display(), "others could read it: its mode is 0600 now");
    }
    match to {
        Some(to) if metadata.uid() == 0 => give(&file, to),
        _ => Ok(()),
    }
}

fn give(file: &File, to: &Privileges) -> io::Result<()> {
    Ok(fchown(file, Some(Uid::from_raw(to.uid)), Some(Gid::from_raw(to.gid)))?)
}
