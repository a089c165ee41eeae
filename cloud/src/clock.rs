//! The wall clock and the source of random numbers: handed in, so that a test can replay them.

use rand_core::{Rng as _, UnwrapErr};
use std::{
    sync::{
        LazyLock,
        atomic::{AtomicI64, Ordering},
    },
    time::{Instant, SystemTime, UNIX_EPOCH},
};

/// Tells the time.
pub trait Clock: Send + Sync + 'static {
    /// Seconds since 1970, UTC.
    fn now_s(&self) -> i64;
    /// Milliseconds since some moment, on a clock that does not jump.
    fn up_ms(&self) -> u64;
}

/// The machine's own clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct WallClock;

impl Clock for WallClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that is handed in")]
    fn now_s(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    }

    #[expect(clippy::disallowed_methods, reason = "this is the clock that is handed in")]
    fn up_ms(&self) -> u64 {
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        u64::try_from(START.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// A clock that a test moves.
#[derive(Debug, Default)]
pub struct SetClock(AtomicI64);

impl SetClock {
    /// A clock that stands at a time.
    pub fn at(now_s: i64) -> Self {
        Self(AtomicI64::new(now_s))
    }

    /// Moves it on.
    pub fn pass(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for SetClock {
    fn now_s(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }

    fn up_ms(&self) -> u64 {
        u64::try_from(self.now_s()).unwrap_or_default() * 1000
    }
}

/// The kernel's random source. It waits until the kernel is ready and stops the process if the
/// kernel has none: there is nothing safe to do without it.
pub fn system_rng() -> UnwrapErr<getrandom::SysRng> {
    UnwrapErr(getrandom::SysRng)
}

/// Random bytes.
pub fn draw<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    system_rng().fill_bytes(&mut bytes);
    bytes
}
