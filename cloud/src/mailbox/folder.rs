//! The Maildir that recovery mails lie in, and its folder `aside`. Nothing in it is waited for without an
//! end: names that are no files are not opened.

use super::{Reason, reader::MAIL_BYTES_MAX};
use std::{
    ffi::{OsStr, OsString},
    fs::{self, File},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

/// Mails that are kept aside, by number, by bytes and by age: long enough to find out what went wrong.
const ASIDE_MAX: usize = 500;
const ASIDE_BYTES_MAX: u64 = 512 * 1024 * 1024;
const ASIDE_AGE_MAX_S: i64 = 14 * 86_400;

/// A Maildir.
pub(super) struct Folder(PathBuf);

impl Folder {
    /// Makes what is not there yet, for nobody else to read.
    pub(super) fn open(path: PathBuf) -> io::Result<Self> {
        for part in ["new", "cur", "tmp", "aside"] {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(path.join(part))?;
        }
        Ok(Self(path))
    }

    /// The new mails, oldest first: a Maildir's names begin with the time.
    pub(super) async fn names(&self) -> io::Result<Vec<OsString>> {
        let new = self.0.join("new");
        blocking(move || names(&new)).await
    }

    /// Puts a mail in as a mail server does: whole, and on the disk.
    pub(super) async fn deliver(&self, name: &str, mail: Vec<u8>) -> io::Result<()> {
        let (temporary, new) = (self.0.join("tmp").join(name), self.0.join("new"));
        let path = new.join(name);
        blocking(move || {
            let mut options = fs::OpenOptions::new();
            let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
            file.write_all(&mail)?;
            file.sync_all()?;
            fs::rename(&temporary, path)?;
            File::open(new)?.sync_all()
        })
        .await
    }

    /// A mail, or `None` if it is larger than what is read.
    pub(super) async fn mail(&self, name: &OsStr) -> io::Result<Option<File>> {
        let path = self.0.join("new").join(name);
        blocking(move || {
            let told = fs::metadata(&path)?;
            if !told.is_file() {
                return Err(io::Error::other("it is no file"));
            }
            if told.len() > MAIL_BYTES_MAX { Ok(None) } else { File::open(path).map(Some) }
        })
        .await
    }

    /// Removes a mail.
    pub(super) async fn remove(&self, name: &OsStr) -> io::Result<()> {
        tokio::fs::remove_file(self.0.join("new").join(name)).await
    }

    /// Moves a mail to `aside/REASON`.
    pub(super) async fn put_aside(&self, name: &OsStr, reason: Reason) -> io::Result<()> {
        let mail = self.0.join("new").join(name);
        let to = self.0.join("aside").join(reason);
        let name = name.to_owned();
        blocking(move || {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(&to)?;
            fs::rename(mail, to.join(name))
        })
        .await
    }

    /// Removes what has been aside for too long, or is too much.
    pub(super) async fn thin_out(&self, now_s: i64) -> io::Result<()> {
        let aside = self.0.join("aside");
        blocking(move || if aside.exists() { thin_out(&aside, now_s) } else { Ok(()) }).await
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

fn names(folder: &Path) -> io::Result<Vec<OsString>> {
    let mut names =
        fs::read_dir(folder)?.map(|entry| entry.map(|e| e.file_name())).collect::<io::Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}

/// Keeps the newest.
fn thin_out(aside: &Path, now_s: i64) -> io::Result<()> {
    let mut kept: Vec<(i64, u64, PathBuf)> = vec![];
    for reason in names(aside)? {
        for name in names(&aside.join(&reason))? {
            let path = aside.join(&reason).join(name);
            let told = fs::symlink_metadata(&path)?;
            let changed = told.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
            kept.push((i64::try_from(changed.as_secs()).unwrap_or(i64::MAX), told.len(), path));
        }
    }
    kept.sort_by(|a, b| b.cmp(a));
    let mut bytes = 0_u64;
    for (at, (time_s, length, path)) in kept.into_iter().enumerate() {
        bytes = bytes.saturating_add(length);
        if at >= ASIDE_MAX || bytes > ASIDE_BYTES_MAX || now_s - time_s > ASIDE_AGE_MAX_S {
            if path.is_dir() { fs::remove_dir_all(path)? } else { fs::remove_file(path)? }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::clock::draw;
    use std::time::Duration;

    #[test]
    fn what_is_kept_aside_is_bounded_by_number_and_age() {
        let aside = std::env::temp_dir().join(format!("latchkey-aside-{:x}", u64::from_be_bytes(draw())));
        fs::create_dir_all(aside.join("no-code")).unwrap();
        fs::create_dir_all(aside.join("no-mail/a folder that somebody made")).unwrap();
        let add = |i: u64| {
            let file = File::create(aside.join(format!("no-code/{i:04}"))).unwrap();
            file.set_modified(UNIX_EPOCH + Duration::from_secs(1_000_000 + i)).unwrap();
        };
        (0..510).for_each(add);
        thin_out(&aside, 1_000_600).unwrap();
        let left = names(&aside.join("no-code")).unwrap();
        assert_eq!((left.len(), left[0].to_str().unwrap()), (499, "0011"), "the newest, and the folder");
        thin_out(&aside, 1_000_400 + ASIDE_AGE_MAX_S).unwrap();
        assert_eq!(names(&aside.join("no-code")).unwrap()[0].to_str().unwrap(), "0400");
        fs::remove_dir_all(&aside).unwrap();
    }
}
