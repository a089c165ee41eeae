//! The kernel's own console, which shares display and keyboard: while the panel runs it draws nothing and
//! hears no key. What is typed here never reaches a shell.

use crate::kernel;
use nix::libc::c_int;
use std::fs::{File, OpenOptions};

// linux/kd.h
const KD_GRAPHICS: c_int = 1;
const K_OFF: c_int = 4;

/// The console, taken. Dropping it gives it back; a panel that is killed leaves it deaf, which is safe.
pub(super) struct Console {
    tty: File,
    mode: c_int,
    keys: c_int,
}

impl Console {
    /// Takes the console in front; none if the kernel has none.
    pub(super) fn take() -> Option<Self> {
        let tty = OpenOptions::new().read(true).write(true).open("/dev/tty0").ok()?;
        let taken = (|| {
            let (mode, keys) = (kernel::console_mode(&tty)?, kernel::keyboard_mode(&tty)?);
            kernel::set_console_mode(&tty, KD_GRAPHICS)?;
            kernel::set_keyboard_mode(&tty, K_OFF)?;
            Ok::<_, std::io::Error>((mode, keys))
        })();
        match taken {
            Ok((mode, keys)) => {
                // Taken over from a panel that was killed: give back what a console is to begin with.
                let (mode, keys) = if keys == K_OFF { (0, 3) } else { (mode, keys) };
                Some(Self { tty, mode, keys })
            }
            Err(error) => {
                tracing::warn!(%error, "the console keeps the display or the keyboard");
                None
            }
        }
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        for restored in
            [kernel::set_keyboard_mode(&self.tty, self.keys), kernel::set_console_mode(&self.tty, self.mode)]
        {
            if let Err(error) = restored {
                tracing::warn!(%error, "the console was not given back");
            }
        }
    }
}
