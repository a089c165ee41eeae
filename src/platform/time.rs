//! The device's time for certificates. A recorder's clock may stand at 1970; a certificate's dates are
//! checked all the same, against the best time there is.

use crate::recovery::Now;
use rustls::{pki_types::UnixTime, time_provider::TimeProvider};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// When the source was committed, or what SOURCE_DATE_EPOCH said at the build. No clock that is right is before it.
pub const BUILD_UNIX_S: i64 = match i64::from_str_radix(env!("LATCHKEY_BUILD_UNIX_S"), 10) {
    Ok(unix_s) => unix_s,
    Err(_) => panic!("build.rs writes a number"),
};

/// What the device knows of the time.
#[derive(Debug, Clone)]
pub struct LinkTime {
    /// A time that a cloud told, and the boot clock then.
    told: Option<(i64, u64)>,
    /// The last time that a cloud told, as saved.
    floor_unix_s: i64,
    /// The time of the attempt under way, as its TLS sees it.
    /// Behind a lock, because an ARM9 has no atomics of 64 bits.
    current: Arc<Mutex<i64>>,
}

impl LinkTime {
    /// `floor_unix_s` is what was saved; 0: nothing.
    pub fn new(floor_unix_s: i64) -> Self {
        Self { told: None, floor_unix_s, current: Arc::default() }
    }

    /// A cloud told the time over a connection or under a signature that holds.
    pub fn told(&mut self, now: Now, unix_s: i64) {
        if unix_s >= BUILD_UNIX_S {
            self.told = Some((unix_s, now.boottime_ms));
        }
    }

    /// The device's time, in seconds since 1970: what a cloud told, moved on by the boot clock; else the
    /// greatest of wall clock, build and saved floor.
    pub fn unix_s(&self, now: Now) -> i64 {
        match self.told {
            Some((unix_s, at_ms)) => {
                unix_s.saturating_add((now.boottime_ms.saturating_sub(at_ms) / 1000) as i64)
            }
            None => now.wall_unix_s.max(BUILD_UNIX_S).max(self.floor_unix_s),
        }
    }

    /// Sets what TLS sees from now on.
    pub fn set(&self, now: Now) {
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = self.unix_s(now);
    }

    /// For the configuration of TLS.
    pub fn provider(&self) -> Arc<dyn TimeProvider> {
        Arc::new(Provider(Arc::clone(&self.current)))
    }
}

#[derive(Debug)]
struct Provider(Arc<Mutex<i64>>);

impl TimeProvider for Provider {
    fn current_time(&self) -> Option<UnixTime> {
        let unix_s = u64::try_from(*self.0.lock().unwrap_or_else(PoisonError::into_inner)).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_secs(unix_s)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recovery::BootId;

    fn at(boottime_ms: u64, wall_unix_s: i64) -> Now {
        Now { boottime_ms, boot_id: BootId([1; 16]), wall_unix_s, tz_offset_min: 0 }
    }

    #[test]
    fn a_wrong_clock_is_never_before_the_build_or_what_was_saved() {
        let later = BUILD_UNIX_S + 1000;
        assert_eq!(LinkTime::new(0).unix_s(at(5, 0)), BUILD_UNIX_S);
        assert_eq!(LinkTime::new(0).unix_s(at(5, -1)), BUILD_UNIX_S);
        assert_eq!(LinkTime::new(later).unix_s(at(5, 0)), later);
        assert_eq!(LinkTime::new(later).unix_s(at(5, later + 7)), later + 7);
    }

    #[test]
    fn what_a_cloud_told_counts_before_the_wall_clock_and_goes_on_with_the_boot_clock() {
        let mut time = LinkTime::new(0);
        time.told(at(1_000, 4_000_000_000), BUILD_UNIX_S - 1);
        assert_eq!(time.unix_s(at(1_000, 4_000_000_000)), 4_000_000_000, "before the build: not taken");
        time.told(at(1_000, 4_000_000_000), BUILD_UNIX_S + 10);
        assert_eq!(time.unix_s(at(61_999, 4_000_000_000)), BUILD_UNIX_S + 70);
        time.set(at(61_999, 0));
        let seen = time.provider().current_time().map(|time| time.as_secs());
        assert_eq!(seen, Some(BUILD_UNIX_S as u64 + 70));
    }
}
