//! What waiting costs. Every door owes by itself: see `docs/decisions/0002-throttling-is-a-debt.md`.

use super::{
    Debt, Now, Refusal,
    limits::{FAILURES_PIECE, FREE_FAILURES, LAN_FAILURES_MAX, TRIES, WAIT_MAX_S, WAIT_MIN_S},
};
use latchkey_protocol::Door;

/// A door's waiting, in memory. What must outlive a crash is in the record's [`Debt`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Throttle {
    /// Failed sign-ins in a row: at most what the debt says.
    failures: u32,
    /// When the last one was charged, or this boot of the daemon.
    failed_at_ms: u64,
    /// When the last challenge was issued, or this boot of the daemon.
    issued_at_ms: u64,
}

impl Throttle {
    /// After a start: the debt counts in full, and its wait starts now.
    pub(super) fn boot(debt: &Debt, now: Now) -> Self {
        Self { failures: debt.sign_in_failures, failed_at_ms: now.boottime_ms, issued_at_ms: now.boottime_ms }
    }

    /// After a read-back: the count in memory is the true one, as far as the debt that is stored allows.
    pub(super) fn keep_from(&mut self, old: &Self) {
        self.failures = self.failures.min(old.failures);
    }

    /// Charges a sign-in before its password is looked at. Gives whether the debt changed, which must
    /// then be committed before the password is compared.
    pub(super) fn charge_sign_in(&mut self, debt: &mut Debt, door: Door, now: Now) -> Result<bool, Refusal> {
        if self.is_sign_in_closed(door) {
            return Err(Refusal::LanClosed);
        }
        match self.sign_in_wait_s(now) {
            0 => {}
            wait_s => return Err(Refusal::Throttled { wait_s }),
        }
        self.failures = self.failures.saturating_add(1);
        self.failed_at_ms = now.boottime_ms;
        let ahead = self.failures > debt.sign_in_failures;
        if ahead {
            debt.sign_in_failures = self.failures.div_ceil(FAILURES_PIECE).saturating_mul(FAILURES_PIECE);
        }
        Ok(ahead)
    }

    /// Takes a charge back: the password was never looked at.
    pub(super) fn refund_sign_in(&mut self) {
        self.failures = self.failures.saturating_sub(1);
    }

    /// Seconds until a password may be tried at this door.
    pub(super) fn sign_in_wait_s(&self, now: Now) -> u64 {
        left_s(self.failed_at_ms, wait_s(self.failures.saturating_sub(FREE_FAILURES)), now)
    }

    /// Charges a challenge: all its tries at once. Always changes the debt.
    pub(super) fn charge_challenge(&mut self, debt: &mut Debt, door: Door, now: Now) -> Result<(), Refusal> {
        if Self::is_reset_closed(debt, door) {
            return Err(Refusal::LanClosed);
        }
        match self.renew_wait_s(debt, now) {
            0 => {}
            wait_s => return Err(Refusal::Throttled { wait_s }),
        }
        debt.reset_tries = debt.reset_tries.saturating_add(TRIES);
        self.issued_at_ms = now.boottime_ms;
        Ok(())
    }

    /// Seconds until another challenge may be issued at this door.
    pub(super) fn renew_wait_s(&self, debt: &Debt, now: Now) -> u64 {
        left_s(self.issued_at_ms, wait_s(debt.reset_tries / TRIES), now)
    }

    /// Success: nothing is owed any more. Gives whether the debt changed. One piece of failures may
    /// stay on flash: it costs no waiting after a boot, and a right password then costs no commit.
    pub(super) fn succeed(&mut self, debt: &mut Debt) -> bool {
        self.failures = 0;
        let owed = debt.sign_in_failures > FAILURES_PIECE || debt.reset_tries > 0;
        if owed {
            debt.sign_in_failures = 0;
            debt.reset_tries = 0;
        }
        owed
    }

    /// Whether this door takes no more passwords until a success opens it.
    pub(super) fn is_sign_in_closed(&self, door: Door) -> bool {
        door == Door::Lan && self.failures >= LAN_FAILURES_MAX
    }

    /// Whether this door issues no more challenges until a success opens it.
    pub(super) fn is_reset_closed(debt: &Debt, door: Door) -> bool {
        door == Door::Lan && debt.reset_tries >= LAN_FAILURES_MAX
    }

    /// Whether the door is closed in either way.
    pub(super) fn is_closed(&self, debt: &Debt, door: Door) -> bool {
        self.is_sign_in_closed(door) || Self::is_reset_closed(debt, door)
    }
}

/// Nothing for none, then 30 s that double up to an hour.
fn wait_s(count: u32) -> u64 {
    match count.checked_sub(1) {
        None => 0,
        Some(doublings) => {
            WAIT_MIN_S.checked_shl(doublings.min(32)).map_or(WAIT_MAX_S, |wait_s| wait_s.min(WAIT_MAX_S))
        }
    }
}

/// Seconds that are left of a wait, rounded up so that waiting them is always enough.
fn left_s(since_ms: u64, wait_s: u64, now: Now) -> u64 {
    let until_ms = since_ms.saturating_add(wait_s.saturating_mul(1000));
    until_ms.saturating_sub(now.boottime_ms).div_ceil(1000)
}
