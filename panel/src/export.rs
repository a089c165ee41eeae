//! The QR code's picture on a stick.

use crate::state::Exported;
use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// Writes a file to the first stick that is mounted at one of these folders, or in one of them.
pub fn save(places: &[PathBuf], name: &str, content: &[u8]) -> Exported {
    let Some(stick) = places.iter().find_map(|place| stick_at(place)) else { return Exported::NoStick };
    match write(&stick, name, content) {
        Ok(()) => Exported::Saved(name.to_owned()),
        Err(error) => {
            tracing::warn!(stick = %stick.display(), %error, "the stick could not be written");
            Exported::Failed
        }
    }
}

/// A folder where something is mounted: it is on another device than the folder above it.
fn stick_at(place: &Path) -> Option<PathBuf> {
    let device = |path: &Path| fs::metadata(path).ok().filter(fs::Metadata::is_dir).map(|found| found.dev());
    let own = device(place)?;
    if device(place.parent()?) != Some(own) {
        return Some(place.to_owned());
    }
    let mut below: Vec<PathBuf> = fs::read_dir(place).ok()?.flatten().map(|entry| entry.path()).collect();
    below.sort();
    below.into_iter().find(|path| device(path).is_some_and(|found| found != own))
}

/// Whole or not at all, and on the stick before it is told.
fn write(stick: &Path, name: &str, content: &[u8]) -> io::Result<()> {
    let (file, part) = (stick.join(name), stick.join(format!(".{name}.part")));
    let mut out = File::create(&part)?;
    out.write_all(content)?;
    out.sync_all()?;
    fs::rename(&part, &file)?;
    File::open(stick)?.sync_all()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn only_what_is_mounted_is_a_stick() {
        let folder = std::env::temp_dir().join(format!("latchkey-sticks-{}", std::process::id()));
        fs::create_dir_all(folder.join("usb")).unwrap();
        assert_eq!(save(&[folder.clone(), "/nonexistent".into()], "a.png", b"x"), Exported::NoStick);
        // A tmpfs of the system stands for the stick: /dev/shm is mounted everywhere.
        let name = format!("latchkey-{}.png", std::process::id());
        assert_eq!(save(&[folder.clone(), "/dev/shm".into()], &name, b"x"), Exported::Saved(name.clone()));
        let file = Path::new("/dev/shm").join(name);
        assert_eq!(fs::read(&file).unwrap(), b"x");
        fs::remove_file(file).unwrap();
        // Nobody can write there.
        assert_eq!(save(&["/proc".into()], "a.png", b"x"), Exported::Failed);
        fs::remove_dir_all(folder).unwrap();
    }
}
