//! When to connect, when to ping: a pure state machine over the clock that does not jump, so that a
//! test can run a whole fleet through the very code that a recorder runs.
//!
//! The figures are those of `docs/PROTOCOL.md`, 8.3 and 8.4. The wide first window and the growth
//! from a second on keep a fleet that lost its cloud from coming back all at once.

use latchkey_protocol::platform::Refusal;
use rand_core::Rng;

/// What a cloud may set, and what holds without it. Seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The shortest interval between pings.
    pub heartbeat_min_s: u32,
    /// The longest.
    pub heartbeat_max_s: u32,
    /// The first window before a cloud named one.
    pub window_s: u32,
    /// The longest window, and the longest time that a cloud can send a device away for.
    pub away_max_s: u32,
    /// How long a pong may take.
    pub pong_max_s: u32,
    /// How long each step of an attempt may take.
    pub step_max_s: u32,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            heartbeat_min_s: 60,
            heartbeat_max_s: 3600,
            window_s: 120,
            away_max_s: 3600,
            pong_max_s: 60,
            step_max_s: 30,
        }
    }
}

/// The first wait's base after a failed attempt, doubled with each further one.
const GROWTH_S: u32 = 30;
/// The longest wait after a failed attempt.
const GROWTH_MAX_S: u32 = 600;
/// A device that is not let in asks again to see whether that was put right.
const NOT_LET_IN_S: u32 = 3600;
/// Somebody has to look at two devices with one identity.
const DUPLICATE_S: u32 = 600;

/// How an attempt or a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// A registered connection broke.
    Lost,
    /// The cloud asked to come back within a window.
    Reconnect {
        /// The window.
        window_s: u32,
    },
    /// No connection came about.
    Failed {
        /// The cloud's `Retry-After`.
        retry_after_s: Option<u32>,
    },
    /// The cloud refused the registration.
    Refused {
        /// Why.
        reason: Refusal,
        /// Its `retry_after_s`.
        retry_after_s: Option<u32>,
    },
}

/// What is remembered between attempts.
#[derive(Debug, Clone)]
pub struct Policy {
    bounds: Bounds,
    window_s: u32,
    heartbeat_s: u32,
    failures: u32,
    registered_at_ms: u64,
}

impl Policy {
    /// A device that was never registered since it started.
    pub fn new(bounds: Bounds) -> Self {
        let window_s = bounds.window_s;
        Self { bounds, window_s, heartbeat_s: bounds.heartbeat_min_s, failures: 0, registered_at_ms: 0 }
    }

    /// Milliseconds to wait before the first attempt.
    pub fn first(&self, rng: &mut dyn Rng) -> u64 {
        up_to(rng, self.window_s)
    }

    /// The cloud has let the device in and says how to stay so; it is bounded here.
    pub fn registered(&mut self, now_ms: u64, heartbeat_s: u32, window_s: u32) {
        self.heartbeat_s = heartbeat_s.clamp(self.bounds.heartbeat_min_s, self.bounds.heartbeat_max_s);
        self.window_s = window_s.min(self.bounds.away_max_s);
        self.registered_at_ms = now_ms;
    }

    /// Milliseconds to the next ping: the interval, 20 % more or less.
    pub fn ping_in(&self, rng: &mut dyn Rng) -> u64 {
        let interval_ms = u64::from(self.heartbeat_s) * 1000;
        interval_ms * 8 / 10 + below(rng, interval_ms * 4 / 10)
    }

    /// Milliseconds to wait before the next attempt.
    pub fn ended(&mut self, now_ms: u64, how: Ended, rng: &mut dyn Rng) -> u64 {
        match how {
            Ended::Lost | Ended::Reconnect { .. } => {
                if now_ms.saturating_sub(self.registered_at_ms) >= u64::from(self.heartbeat_s) * 1000 {
                    self.failures = 0;
                }
                let window_s = match how {
                    Ended::Reconnect { window_s } => window_s.min(self.bounds.away_max_s),
                    _ => self.window_s,
                };
                up_to(rng, window_s)
            }
            Ended::Failed { retry_after_s } => {
                let grown_s = GROWTH_S.saturating_mul(1 << self.failures.min(16)).min(GROWTH_MAX_S);
                self.failures = self.failures.saturating_add(1);
                self.at_least(1000 + up_to(rng, grown_s), retry_after_s)
            }
            Ended::Refused { reason, retry_after_s } => {
                let wait_ms = match reason {
                    Refusal::Revoked | Refusal::Unknown | Refusal::Version => {
                        u64::from(NOT_LET_IN_S) * 1000 + up_to(rng, NOT_LET_IN_S)
                    }
                    Refusal::Duplicate => u64::from(DUPLICATE_S) * 1000 + up_to(rng, DUPLICATE_S),
                    Refusal::Busy => {
                        return self.ended(now_ms, Ended::Failed { retry_after_s }, rng);
                    }
                };
                self.at_least(wait_ms, retry_after_s)
            }
        }
    }

    /// Not before the cloud's word, which is bounded. Jitter stays on top of it: a cloud says the same
    /// to everybody.
    fn at_least(&self, wait_ms: u64, retry_after_s: Option<u32>) -> u64 {
        match retry_after_s.map(|s| u64::from(s.min(self.bounds.away_max_s)) * 1000) {
            Some(stay_away_ms) if stay_away_ms > wait_ms => stay_away_ms + wait_ms,
            _ => wait_ms,
        }
    }
}

/// U[0, s] in milliseconds.
fn up_to(rng: &mut dyn Rng, s: u32) -> u64 {
    below(rng, u64::from(s) * 1000)
}

/// U[0, end]: the remainder's bias is one part in 2^40.
fn below(rng: &mut dyn Rng, end: u64) -> u64 {
    rng.next_u64() % (end + 1)
}

#[cfg(test)]
#[path = "policy_tests.rs"]
mod tests;
