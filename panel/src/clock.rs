//! The one place that reads a clock: time since the start of the machine.

use std::time::{Duration, Instant};

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
