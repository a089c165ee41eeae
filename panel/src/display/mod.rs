//! The recorder's own display, and the loop that keeps the panel on it.

mod console;
mod drm;
mod fbdev;

use crate::{
    clock::{self, Moment},
    input::Devices,
    panel::Panel,
    raster::{Area, Damage},
    script,
    settings::Settings,
    state::Screen,
    view::POINTER,
};
use console::Console;
use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        signal::{SigSet, Signal},
        signalfd::{SfdFlags, SignalFd},
    },
};
use std::{io, os::fd::AsFd, time::Duration};

/// How often a display is looked for while there is none.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// The longest sleep.
const SLEEP_MAX_MS: u64 = 60_000;
/// The smallest display that the screens are made for.
const SMALLEST: (usize, usize) = (640, 400);

/// Where rows of pixels go.
trait Surface {
    /// Columns and rows.
    fn size(&self) -> (usize, usize);
    /// Part of a row, `0x00rrggbb`.
    fn put(&mut self, y: usize, left: usize, pixels: &[u32]) -> io::Result<()>;
    /// These areas are complete.
    fn done(&mut self, areas: &[Area]) -> io::Result<()>;
}

/// Shows the panel on the recorder's own display until it is told to end.
pub fn run(settings: Settings, tell: bool) -> io::Result<()> {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGTERM);
    signals.add(Signal::SIGINT);
    if tell {
        signals.add(Signal::SIGUSR1);
    }
    signals.thread_block()?;
    let signals = SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
    let Some(mut surface) = wait_for_display(&settings.display, &signals)? else { return Ok(()) };
    let (width, height) = surface.size();
    // Kept as long as the panel runs: dropping it gives the console back.
    let _console = Console::take();
    let mut devices = Devices::open(width, height)?;
    let mut panel = Panel::start(settings, width, height)?;
    let mut shown = Shown { pointer: None, row: Vec::with_capacity(width) };
    let mut teller = Teller { on: tell, last: None, first: true };
    loop {
        let began = Moment::now();
        let mut inputs = Vec::new();
        devices.read(&panel.session.state.preferences.layout, panel.session.scale(), &mut inputs);
        for input in inputs {
            let damage = panel.input(input);
            shown.update(&mut *surface, &panel, &devices, damage)?;
        }
        let frame = panel.turn();
        shown.update(&mut *surface, &panel, &devices, frame.damage)?;
        teller.tell(&panel, &devices, began);
        let sleep_ms = frame.quiet_until_ms.saturating_sub(panel.now_ms()).min(SLEEP_MAX_MS);
        let mut ready = vec![
            PollFd::new(signals.as_fd(), PollFlags::POLLIN),
            PollFd::new(panel.client.ready(), PollFlags::POLLIN),
        ];
        ready.extend(devices.ready().map(|fd| PollFd::new(fd, PollFlags::POLLIN)));
        match poll(&mut ready, PollTimeout::try_from(sleep_ms).unwrap_or(PollTimeout::MAX)) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        match signals.read_signal()? {
            Some(signal) if signal.ssi_signo == Signal::SIGUSR1 as u32 => {
                redraw(&mut panel, &mut shown, &mut *surface, &devices)?;
            }
            Some(_) => {
                tracing::info!("told to end");
                return Ok(());
            }
            None => {}
        }
    }
}

/// For test rigs: lays out, paints and shows everything anew, and says how long that took.
fn redraw(
    panel: &mut Panel,
    shown: &mut Shown,
    surface: &mut dyn Surface,
    devices: &Devices,
) -> io::Result<()> {
    let since = |began: Moment| Moment::now().since(began).unwrap_or_default().as_micros();
    let began = Moment::now();
    panel.session.forget();
    let frame = panel.turn();
    let painted = Moment::now();
    let painting_us = since(began);
    shown.update(surface, panel, devices, frame.damage)?;
    let name = panel.session.state.screen.name();
    eprintln!(
        "panel: redrawn {name} in {} us, {painting_us} to paint, {} to show",
        since(began),
        since(painted)
    );
    Ok(())
}

/// A display; none if the panel was told to end before there was one.
fn wait_for_display(wanted: &str, signals: &SignalFd) -> io::Result<Option<Box<dyn Surface>>> {
    let mut said = String::new();
    loop {
        match open(wanted) {
            Ok(surface) => return Ok(Some(surface)),
            Err(why) if why != said => {
                tracing::error!("no display can be used, looking again every two seconds: {why}");
                said = why;
            }
            Err(_) => {}
        }
        let timeout = PollTimeout::try_from(LOOK_AGAIN).unwrap_or(PollTimeout::MAX);
        let _ = poll(&mut [PollFd::new(signals.as_fd(), PollFlags::POLLIN)], timeout); // the next turn looks
        if signals.read_signal()?.is_some() {
            return Ok(None);
        }
    }
}

fn open(wanted: &str) -> Result<Box<dyn Surface>, String> {
    let mut faults = Vec::new();
    let mut found = |name: &str, surface: Result<Box<dyn Surface>, String>| match surface {
        Ok(surface) => {
            let (width, height) = surface.size();
            if width < SMALLEST.0 || height < SMALLEST.1 {
                let (least_width, least_height) = SMALLEST;
                faults.push(format!("{name}: {width}x{height} is less than {least_width}x{least_height}"));
                return None;
            }
            tracing::info!(name, width, height, "the display");
            Some(surface)
        }
        Err(fault) => {
            faults.push(format!("{name}: {fault}"));
            None
        }
    };
    if wanted != "fbdev"
        && let Some(surface) = found("drm", drm::open())
    {
        return Ok(surface);
    }
    if wanted != "drm"
        && let Some(surface) = found("fbdev", fbdev::open())
    {
        return Ok(surface);
    }
    Err(faults.join("; "))
}

/// What is on the display now.
struct Shown {
    pointer: Option<Area>,
    row: Vec<u32>,
}

impl Shown {
    fn update(
        &mut self,
        surface: &mut dyn Surface,
        panel: &Panel,
        devices: &Devices,
        mut damage: Damage,
    ) -> io::Result<()> {
        let canvas = panel.session.canvas();
        let whole = Area::of_size(canvas.width(), canvas.height());
        let unit = if canvas.height() > 1200 { 2 } else { 1 };
        let pointer = panel.session.has_pointer().then(|| {
            let (x, y) = devices.pointer();
            let (width, height) = (POINTER[0].len() as i32 * unit, POINTER.len() as i32 * unit);
            Area::new(x as i32, y as i32, x as i32 + width, y as i32 + height)
        });
        if pointer != self.pointer {
            for area in [self.pointer, pointer].into_iter().flatten() {
                damage.add(area.within(&whole));
            }
            self.pointer = pointer;
        }
        if damage.is_empty() {
            return Ok(());
        }
        for area in damage.areas() {
            for y in area.top..area.bottom {
                let (left, right) = (area.left as usize, area.right as usize);
                let row = canvas.row(y as usize, left, right);
                if self.pointer.is_none_or(|pointer| !(pointer.top..pointer.bottom).contains(&y)) {
                    surface.put(y as usize, left, row)?;
                    continue;
                }
                self.row.clear();
                self.row.extend_from_slice(row);
                self.point(area.left, y, unit);
                surface.put(y as usize, left, &self.row)?;
            }
        }
        surface.done(damage.areas())
    }

    /// The pointer over a row of the picture.
    fn point(&mut self, left: i32, y: i32, unit: i32) {
        let Some(pointer) = self.pointer.filter(|pointer| (pointer.top..pointer.bottom).contains(&y)) else {
            return;
        };
        let Some(shape) = POINTER.get(((y - pointer.top) / unit) as usize) else { return };
        for x in pointer.left.max(left)..pointer.right {
            let Some(pixel) = self.row.get_mut((x - left) as usize) else { break };
            match shape.as_bytes().get(((x - pointer.left) / unit) as usize) {
                Some(b'X') => *pixel = 0,
                Some(b'o') => *pixel = 0x00ff_ffff,
                _ => {}
            }
        }
    }
}

/// Says what is shown, for test rigs.
struct Teller {
    on: bool,
    last: Option<(Screen, String)>,
    first: bool,
}

impl Teller {
    fn tell(&mut self, panel: &Panel, devices: &Devices, began: Moment) {
        if !self.on {
            return;
        }
        let state = &panel.session.state;
        let now = (state.screen, script::told(panel));
        if self.last.as_ref() == Some(&now) {
            // Nothing moved but the pointer.
            if let Some(since_us) = devices.since_us() {
                let late_us = clock::wall_us().saturating_sub(since_us);
                eprintln!("panel: pointer shown {late_us} us after it moved");
            }
            return;
        }
        let took_us = Moment::now().since(began).unwrap_or_default().as_micros();
        if std::mem::take(&mut self.first) {
            let since_ms = clock::process_ms().unwrap_or_default();
            eprintln!("panel: first frame, {since_ms} ms after its process was made");
        }
        eprintln!("panel: drawn in {took_us} us");
        eprintln!("panel: {}", now.1);
        self.last = Some(now);
    }
}

/// A canvas row as bytes of 32 bits a pixel.
fn bytes_32(pixels: &[u32], bytes: &mut [u8]) {
    for (bytes, pixel) in bytes.chunks_exact_mut(4).zip(pixels) {
        bytes.copy_from_slice(&pixel.to_le_bytes());
    }
}

/// As 16 bits a pixel: five of red, six of green, five of blue.
fn bytes_16(pixels: &[u32], bytes: &mut [u8]) {
    for (bytes, pixel) in bytes.chunks_exact_mut(2).zip(pixels) {
        let packed = (pixel >> 8 & 0xf800) | (pixel >> 5 & 0x07e0) | (pixel >> 3 & 0x001f);
        bytes.copy_from_slice(&(packed as u16).to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_are_packed_as_displays_want_them() {
        let pixels = [0x00ff_0000, 0x0000_ff00, 0x0000_00ff, 0x0012_3456];
        let mut wide = [0; 16];
        bytes_32(&pixels, &mut wide);
        assert_eq!(wide[..4], [0, 0, 0xff, 0]);
        assert_eq!(wide[12..], [0x56, 0x34, 0x12, 0]);
        let mut narrow = [0; 8];
        bytes_16(&pixels, &mut narrow);
        assert_eq!(narrow, [0x00, 0xf8, 0xe0, 0x07, 0x1f, 0x00, 0xaa, 0x11]);
    }
}
