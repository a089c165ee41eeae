//! Keyboards, mice and touch screens of the kernel, as they come and go.

use super::{
    Keyboard,
    event::{Axis, Device, Event},
};
use crate::view::Input;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use std::{
    fs, io,
    os::fd::{AsFd, BorrowedFd},
    path::{Path, PathBuf},
};

const FOLDER: &str = "/dev/input";

/// All of them, and the pointer that they share.
pub struct Devices {
    watch: Inotify,
    open: Vec<Opened>,
    keyboard: Keyboard,
    pointer: (f32, f32),
    size: (f32, f32),
    since_us: Option<u64>,
}

struct Opened {
    path: PathBuf,
    device: Device,
    held: Held,
}

/// What came since the last end of what belongs together.
#[derive(Default)]
struct Held {
    moved: bool,
    pressed: Option<bool>,
}

impl Devices {
    /// Opens what is there, and watches for what comes. The pointer begins in the middle.
    pub fn open(width: usize, height: usize) -> io::Result<Self> {
        let watch = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        // A device's file comes before its owner does: a change of owner counts, too.
        let flags = AddWatchFlags::IN_CREATE | AddWatchFlags::IN_ATTRIB;
        match watch.add_watch(FOLDER, flags) {
            Ok(_) => {}
            // Made together with the first device.
            Err(error) => {
                tracing::warn!(%error, "{FOLDER} cannot be watched: only what is plugged in now is seen")
            }
        }
        let size = (width as f32, height as f32);
        let pointer = (size.0 / 2.0, size.1 / 2.0);
        let mut devices =
            Self { watch, open: Vec::new(), keyboard: Keyboard::default(), pointer, size, since_us: None };
        devices.look();
        if devices.open.is_empty() {
            tracing::warn!("no mouse, keyboard or touch screen is plugged in");
        }
        Ok(devices)
    }

    /// What to wait for.
    pub fn ready(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        std::iter::once(self.watch.as_fd()).chain(self.open.iter().map(|opened| opened.device.as_fd()))
    }

    /// Where the pointer is, in pixels.
    pub fn pointer(&self) -> (f32, f32) {
        self.pointer
    }

    /// When the first of what was taken last happened, by the calendar's clock.
    pub fn since_us(&self) -> Option<u64> {
        self.since_us
    }

    /// Takes all that has come.
    pub fn read(&mut self, layout: &str, scale: f32, inputs: &mut Vec<Input>) {
        if self.watch.read_events().is_ok_and(|events| !events.is_empty()) {
            self.look();
        }
        self.since_us = None;
        let mut index = 0;
        while index < self.open.len() {
            match self.read_one(index, layout, scale, inputs) {
                Ok(()) => index += 1,
                Err(error) => {
                    let gone = self.open.remove(index);
                    tracing::info!(device = %gone.path.display(), %error, "unplugged");
                    // A key that was held on it is not held any more.
                    self.keyboard = Keyboard::default();
                }
            }
        }
    }

    fn read_one(
        &mut self,
        index: usize,
        layout: &str,
        scale: f32,
        inputs: &mut Vec<Input>,
    ) -> io::Result<()> {
        let Some(opened) = self.open.get_mut(index) else { return Ok(()) };
        let events = opened.device.read()?;
        self.since_us = self.since_us.into_iter().chain(opened.device.since_us).min();
        let (axes, is_touch) = (opened.device.axes, opened.device.is_touch);
        let mut held = std::mem::take(&mut opened.held);
        for event in events {
            self.take(event, axes, is_touch, &mut held, layout, scale, inputs);
        }
        if let Some(opened) = self.open.get_mut(index) {
            opened.held = held;
        }
        Ok(())
    }

    #[allow(
        clippy::too_many_arguments,
        reason = "what the device is, what it holds back, and how it is read"
    )]
    fn take(
        &mut self,
        event: Event,
        axes: Option<[(f32, f32); 2]>,
        is_touch: bool,
        held: &mut Held,
        layout: &str,
        scale: f32,
        inputs: &mut Vec<Input>,
    ) {
        let place = |value: i32, (least, most): (f32, f32), side: f32| {
            ((value as f32 - least) / (most - least).max(1.0) * side).clamp(0.0, side - 1.0)
        };
        let (width, height) = self.size;
        match (event, axes) {
            (Event::Relative { axis: Axis::X, way }, _) => {
                self.pointer.0 = (self.pointer.0 + way as f32 * scale).clamp(0.0, width - 1.0);
                held.moved = true;
            }
            (Event::Relative { axis: Axis::Y, way }, _) => {
                self.pointer.1 = (self.pointer.1 + way as f32 * scale).clamp(0.0, height - 1.0);
                held.moved = true;
            }
            (Event::Wheel(notches), _) => inputs.push(Input::Wheel(-notches as f32)),
            (Event::Absolute { axis: Axis::X, at }, Some([x, _])) => {
                self.pointer.0 = place(at, x, width);
                held.moved = true;
            }
            (Event::Absolute { axis: Axis::Y, at }, Some([_, y])) => {
                self.pointer.1 = place(at, y, height);
                held.moved = true;
            }
            (Event::Absolute { .. }, None) => {}
            // Whether a shift key went up may be among what is missing.
            (Event::Dropped, _) => self.keyboard = Keyboard::default(),
            (Event::Button { down }, _) => held.pressed = Some(down),
            (Event::Key { code, down, again }, _) => {
                inputs.extend(self.keyboard.key(code, down, again, layout));
            }
            // What belongs together ends here: where the finger is comes before that it is down.
            (Event::End, _) => {
                if std::mem::take(&mut held.moved) {
                    let (x, y) = self.pointer;
                    inputs.push(Input::Move { x, y });
                }
                if let Some(down) = held.pressed.take() {
                    inputs.push(Input::Press { down, touch: is_touch });
                }
            }
        }
    }

    /// Opens what is not open yet.
    fn look(&mut self) {
        let Ok(entries) = fs::read_dir(FOLDER) else { return };
        for path in entries.flatten().map(|entry| entry.path()) {
            let is_event = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("event"));
            if !is_event || self.open.iter().any(|opened| opened.path == path) {
                continue;
            }
            match open(&path) {
                Ok(Some(opened)) => {
                    tracing::info!(device = %path.display(), name = opened.device.name, "plugged in");
                    self.open.push(opened);
                }
                Ok(None) => {}
                Err(error) => tracing::debug!(device = %path.display(), %error, "cannot be opened"),
            }
        }
    }
}

/// A device that people use, and that nobody else hears from now on. Others, such as a power button,
/// are left to whom they belong.
fn open(path: &Path) -> io::Result<Option<Opened>> {
    let Some(device) = Device::open(path)? else { return Ok(None) };
    Ok(Some(Opened { path: path.to_owned(), device, held: Held::default() }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::text::Edit;

    fn taken(events: &[Event], axes: Option<[(f32, f32); 2]>, is_touch: bool) -> Vec<String> {
        done(events, axes, is_touch).iter().map(|input| format!("{input:?}")).collect()
    }

    fn done(events: &[Event], axes: Option<[(f32, f32); 2]>, is_touch: bool) -> Vec<Input> {
        let mut devices = Devices {
            watch: Inotify::init(InitFlags::IN_CLOEXEC).unwrap(),
            open: Vec::new(),
            keyboard: Keyboard::default(),
            pointer: (400.0, 240.0),
            size: (800.0, 480.0),
            since_us: None,
        };
        let (mut held, mut inputs) = (Held::default(), Vec::new());
        for event in events {
            devices.take(*event, axes, is_touch, &mut held, "us", 1.0, &mut inputs);
        }
        inputs
    }

    #[test]
    fn a_finger_is_somewhere_before_it_presses_whatever_the_kernel_says_first() {
        let axes = Some([(0.0, 4095.0), (100.0, 1123.0)]);
        let at = |axis, at| Event::Absolute { axis, at };
        let events = [
            Event::Button { down: true },
            at(Axis::X, 4095),
            at(Axis::Y, 100),
            Event::End,
            Event::Button { down: false },
            Event::End,
        ];
        let wanted = [
            "Move { x: 799.0, y: 0.0 }",
            "Press { down: true, touch: true }",
            "Press { down: false, touch: true }",
        ];
        assert_eq!(taken(&events, axes, true), wanted);
    }

    #[test]
    fn a_mouse_stays_on_the_display_and_lost_events_leave_no_key_held() {
        let far = Event::Relative { axis: Axis::X, way: -5000 };
        let turned = [far, Event::End, Event::Wheel(1), Event::Absolute { axis: Axis::Y, at: 7 }, Event::End];
        assert_eq!(taken(&turned, None, false), ["Move { x: 0.0, y: 240.0 }", "Wheel(-1.0)"]);
        let key = |code, down| Event::Key { code, down, again: false };
        // Left shift (42) goes down, its way up is lost, and an `a` (30) comes.
        let lost = [key(42, true), Event::Dropped, key(30, true)];
        assert!(matches!(done(&lost, None, false)[..], [Input::Edit(Edit::Insert('a'))]));
    }
}
