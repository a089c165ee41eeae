//! The one place that reads a clock: time since the start of the machine.

use std::time::{Duration, Instant};

/// Microseconds of the calendar's clock, by which the kernel stamps what people do.
pub fn wall_us() -> u64 {
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_REALTIME);
    now.map_or(0, |now| us(now.tv_sec(), now.tv_nsec() / 1000))
}

/// Milliseconds since the kernel made this process, to a hundredth of a second: what came before `main` counts.
pub fn process_ms() -> Option<u64> {
    let about = std::fs::read_to_string("/proc/self/stat").ok()?;
    // proc(5): the name, in brackets, may hold anything; the start is the 22nd field, in hundredths.
    let began_cs: u64 = about.rsplit_once(')')?.1.split_ascii_whitespace().nth(19)?.parse().ok()?;
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME).ok()?;
    Some((us(now.tv_sec(), now.tv_nsec() / 1000) / 1000).saturating_sub(began_cs * 10))
}

/// Seconds and microseconds as microseconds; 0 for what lies before 1970.
pub fn us(s: impl TryInto<u64>, us: impl TryInto<u64>) -> u64 {
    s.try_into().unwrap_or(0).saturating_mul(1_000_000).saturating_add(us.try_into().unwrap_or(0))
}

/// A moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(Instant);

impl Moment {
    /// This one.
    #[expect(
        clippy::disallowed_methods,
        reason = "the panel's only clock: it keeps no time that must be replayed"
    )]
    pub fn now() -> Self {
        Self(Instant::now())
    }

    /// A later one.
    pub fn after(self, time: Duration) -> Self {
        Self(self.0 + time)
    }

    /// The time since an earlier one; none if that one is later.
    pub fn since(self, earlier: Self) -> Option<Duration> {
        self.0.checked_duration_since(earlier.0)
    }
}
