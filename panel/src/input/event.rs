//! One input device of the kernel: what it has by sysfs, what happens on it by its file.
//!
//! The crates for this do not build where a 32-bit C library keeps the time in 64 bits.

use crate::{clock, kernel};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::fs::OpenOptionsExt,
    },
    path::Path,
};

/// `struct input_event`: two words of the processor for the time, then type, code and value.
const EVENT_BYTES: usize = 2 * size_of::<usize>() + 8;
/// Events that are read at once.
const EVENTS_MAX: usize = 64;

// linux/input-event-codes.h
const EV_SYN: u16 = 0;
const EV_KEY: u16 = 1;
const EV_REL: u16 = 2;
const EV_ABS: u16 = 3;
const REL_X: u16 = 0;
const REL_Y: u16 = 1;
const REL_WHEEL: u16 = 8;
const ABS_X: u16 = 0x00;
const ABS_Y: u16 = 0x01;
const ABS_MT_POSITION_X: u16 = 0x35;
const ABS_MT_POSITION_Y: u16 = 0x36;
const KEY_A: usize = 30;
const BTN_LEFT: u16 = 0x110;
const BTN_TOUCH: u16 = 0x14a;
const SYN_REPORT: u16 = 0;
const SYN_DROPPED: u16 = 3;
const INPUT_PROP_DIRECT: usize = 1;

/// From the left, or from the top.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Axis {
    X,
    Y,
}

/// What happens on a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Relative {
        axis: Axis,
        way: i32,
    },
    Absolute {
        axis: Axis,
        at: i32,
    },
    Wheel(i32),
    Button {
        down: bool,
    },
    Key {
        code: u16,
        down: bool,
        again: bool,
    },
    /// What came before belongs together.
    End,
    /// The kernel had no room left: some events are missing.
    Dropped,
}

/// A device, grabbed.
pub(super) struct Device {
    file: File,
    pub(super) name: String,
    /// Fingers go on the picture itself.
    pub(super) is_touch: bool,
    /// Least and most from the left and from the top.
    pub(super) axes: Option<[(f32, f32); 2]>,
    /// When the first of those that were read last happened.
    pub(super) since_us: Option<u64>,
}

impl AsFd for Device {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Device {
    /// Opens and grabs a device that people use; none if it is another.
    pub(super) fn open(path: &Path) -> io::Result<Option<Self>> {
        let node = path.file_name().unwrap_or_default();
        let about = Path::new("/sys/class/input").join(node).join("device");
        let has = |what: &str, bit| fs::read_to_string(about.join(what)).is_ok_and(|text| bit_of(&text, bit));
        let absolute = |bit: u16| has("capabilities/abs", usize::from(bit));
        let axes = [(ABS_X, ABS_Y), (ABS_MT_POSITION_X, ABS_MT_POSITION_Y)];
        let axes = axes.into_iter().find(|(x, y)| absolute(*x) && absolute(*y));
        let moves = has("capabilities/rel", usize::from(REL_X));
        if !(moves || axes.is_some() || has("capabilities/key", KEY_A)) {
            return Ok(None);
        }
        let file = OpenOptions::new().read(true).custom_flags(nix::libc::O_NONBLOCK).open(path)?;
        let axes = match axes {
            Some((x, y)) => Some([kernel::axis_range(&file, x)?, kernel::axis_range(&file, y)?]),
            None => None,
        };
        kernel::grab(&file)?;
        let name = fs::read_to_string(about.join("name")).unwrap_or_default().trim().to_owned();
        let is_touch =
            has("capabilities/key", usize::from(BTN_TOUCH)) && has("properties", INPUT_PROP_DIRECT);
        Ok(Some(Self { file, name, is_touch, axes, since_us: None }))
    }

    /// All that has come. An error means that it was unplugged.
    pub(super) fn read(&mut self) -> io::Result<Vec<Event>> {
        let mut bytes = [0; EVENT_BYTES * EVENTS_MAX];
        let mut events = Vec::new();
        self.since_us = None;
        loop {
            match self.file.read(&mut bytes) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(length) => {
                    self.since_us = self.since_us.or_else(|| stamp(&bytes));
                    events.extend(bytes[..length].chunks_exact(EVENT_BYTES).filter_map(event));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(events),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// When an event happened: seconds and microseconds, words of the processor.
fn stamp(bytes: &[u8]) -> Option<u64> {
    let (seconds, rest) = bytes.split_first_chunk()?;
    let (micros, _) = rest.split_first_chunk()?;
    Some(clock::us(usize::from_ne_bytes(*seconds), usize::from_ne_bytes(*micros)))
}

/// One event of the kernel; none if it means nothing here.
fn event(bytes: &[u8]) -> Option<Event> {
    let [.., t0, t1, c0, c1, v0, v1, v2, v3] = *bytes else { return None };
    let kind = u16::from_ne_bytes([t0, t1]);
    let code = u16::from_ne_bytes([c0, c1]);
    let value = i32::from_ne_bytes([v0, v1, v2, v3]);
    Some(match (kind, code) {
        (EV_SYN, SYN_REPORT) => Event::End,
        (EV_SYN, SYN_DROPPED) => Event::Dropped,
        (EV_KEY, BTN_LEFT | BTN_TOUCH) => Event::Button { down: value != 0 },
        (EV_KEY, code) => Event::Key { code, down: value != 0, again: value == 2 },
        (EV_REL, REL_X) => Event::Relative { axis: Axis::X, way: value },
        (EV_REL, REL_Y) => Event::Relative { axis: Axis::Y, way: value },
        (EV_REL, REL_WHEEL) => Event::Wheel(value),
        (EV_ABS, ABS_X | ABS_MT_POSITION_X) => Event::Absolute { axis: Axis::X, at: value },
        (EV_ABS, ABS_Y | ABS_MT_POSITION_Y) => Event::Absolute { axis: Axis::Y, at: value },
        _ => return None,
    })
}

/// A bit of one of sysfs's sets: words of the processor in hexadecimal, the last one first.
fn bit_of(text: &str, bit: usize) -> bool {
    let bits = usize::BITS as usize;
    let word = text.split_ascii_whitespace().rev().nth(bit / bits);
    word.and_then(|word| usize::from_str_radix(word, 16).ok())
        .is_some_and(|word| word >> (bit % bits) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_as_the_kernel_writes_them() {
        let raw = |kind: u16, code: u16, value: i32| {
            let mut bytes = vec![0xff; 2 * size_of::<usize>()];
            bytes.extend(kind.to_ne_bytes());
            bytes.extend(code.to_ne_bytes());
            bytes.extend(value.to_ne_bytes());
            event(&bytes)
        };
        assert_eq!(raw(EV_REL, REL_Y, -3), Some(Event::Relative { axis: Axis::Y, way: -3 }));
        assert_eq!(raw(EV_KEY, 30, 2), Some(Event::Key { code: 30, down: true, again: true }));
        assert_eq!(raw(EV_KEY, BTN_TOUCH, 1), Some(Event::Button { down: true }));
        assert_eq!(raw(EV_SYN, SYN_REPORT, 0), Some(Event::End));
        assert_eq!(raw(0x15, 0, 0), None);
        assert_eq!(event(&[0; 3]), None);
    }

    #[test]
    fn sets_of_bits_are_words_with_the_last_one_first() {
        let bits = usize::BITS as usize;
        assert!(bit_of("3\n", 1) && !bit_of("3\n", 2));
        assert!(bit_of("1 0\n", bits) && !bit_of("1 0\n", 0));
        assert!(!bit_of("", 0) && !bit_of("what", 0) && !bit_of("1", 999));
    }
}
