//! The few filesystem operations that the store is made of, behind a trait, so that the same code
//! runs on the real filesystem and on one that fails or loses power on purpose.

use nix::sys::statfs::{FsType, TMPFS_MAGIC, statfs};
use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// `RAMFS_MAGIC` of `linux/magic.h`, which libc does not name.
const RAMFS_MAGIC: i64 = 0x8584_58f6;

/// One folder. Names are plain file names within it.
pub trait Disk: Send {
    /// A file that is open for writing.
    type File;

    /// The whole file, or `None` if there is none. A file of more than `max` bytes is an error.
    fn read(&self, name: &str, max: usize) -> io::Result<Option<Zeroizing<Vec<u8>>>>;
    /// A new, empty file at 0600, in the place of one that may be there.
    fn create(&self, name: &str) -> io::Result<Self::File>;
    /// Writes all the bytes.
    fn write(&self, file: &mut Self::File, bytes: &[u8]) -> io::Result<()>;
    /// The file's bytes are on the medium.
    fn fsync(&self, file: &Self::File) -> io::Result<()>;
    /// Atomically puts one file in the place of another.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file. One that is not there is no error.
    fn unlink(&self, name: &str) -> io::Result<()>;
    /// The folder's entries (what was created, renamed and removed) are on the medium.
    fn fsync_dir(&self) -> io::Result<()>;
}

/// Replaces a file as a whole: a temporary one is written and made durable, renamed, and the rename
/// made durable.
pub fn replace<D: Disk>(disk: &D, name: &str, bytes: &[u8]) -> io::Result<()> {
    let temporary = temporary_name(name);
    let mut file = disk.create(&temporary)?;
    disk.write(&mut file, bytes)?;
    disk.fsync(&file)?;
    disk.rename(&temporary, name)?;
    disk.fsync_dir()
}

/// Removes a file, durably.
pub fn remove<D: Disk>(disk: &D, name: &str) -> io::Result<()> {
    disk.unlink(name)?;
    disk.fsync_dir()
}

/// The name that [`replace`] writes to first.
pub fn temporary_name(name: &str) -> String {
    format!("{name}.new")
}

/// A folder of the real filesystem.
#[derive(Debug)]
pub struct RealDisk {
    path: PathBuf,
    folder: File,
}

impl RealDisk {
    /// Opens a folder that exists.
    pub fn open(path: &Path) -> io::Result<Self> {
        let folder = OpenOptions::new().read(true).custom_flags(nix::libc::O_DIRECTORY).open(path)?;
        Ok(Self { path: path.to_owned(), folder })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether nothing in this folder can outlive a reboot: it is a tmpfs or ramfs.
    pub fn is_in_memory(&self) -> io::Result<bool> {
        Ok(in_memory(statfs(&self.path)?.filesystem_type()))
    }

    /// The owner's user id and the permission bits.
    pub fn owner_and_mode(&self) -> io::Result<(u32, u32)> {
        let metadata = self.folder.metadata()?;
        Ok((metadata.uid(), metadata.mode() & 0o7777))
    }
}

fn in_memory(kind: FsType) -> bool {
    // The type's width differs between targets; both magics fit 32 bits.
    kind == TMPFS_MAGIC || kind.0 as u32 == RAMFS_MAGIC as u32
}

impl Disk for RealDisk {
    type File = File;

    fn read(&self, name: &str, max: usize) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
        // Not blocking: a named pipe in the folder must not hang the start.
        let flags = nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK;
        let file = match OpenOptions::new().read(true).custom_flags(flags).open(self.path.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "not a regular file"));
        }
        // One allocation of the right size: a growing buffer would leave copies behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(max.min(metadata.len() as usize) + 1));
        file.take(max as u64 + 1).read_to_end(&mut bytes)?;
        if bytes.len() > max {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("larger than {max} bytes")));
        }
        Ok(Some(bytes))
    }

    fn create(&self, name: &str) -> io::Result<File> {
        // A leftover is removed first, so that its mode, owner and links are never inherited.
        self.unlink(name)?;
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(self.path.join(name))
    }

    fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }

    fn fsync(&self, file: &File) -> io::Result<()> {
        file.sync_all()
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        std::fs::rename(self.path.join(from), self.path.join(to))
    }

    fn unlink(&self, name: &str) -> io::Result<()> {
        match std::fs::remove_file(self.path.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }

    fn fsync_dir(&self) -> io::Result<()> {
        self.folder.sync_all()
    }
}
