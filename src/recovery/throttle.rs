//! What waiting costs. Every door owes by itself: see `docs/decisions/0002-throttling-is-a-debt.md`.

use super::{
    Aim, Debt, Now, Refusal,
    limits::{FAILURES_PIECE, FREE_FAILURES, LAN_FAILURES_MAX, TRIES, WAIT_MAX_S, WAIT_MIN_S},
    record::Share,
};
use latchkey_protocol::Door;

/// A door's waiting, in memory. What must outlive a crash is in the record's [`Debt`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Throttle {
    /// Failed sign-ins in a row: at most what the debt says.
    failures: u32,
    /// When the last one was charged, or this boot of the daemon.
    failed_at_ms: u64,
    /// When the last challenge of each aim was issued, or this boot of the daemon.
    reset_at_ms: u64,
    confirm_at_ms: u64,
}

impl Throttle {
    /// After a start: the debt counts in full, and its wait starts now.
    pub(super) fn boot(debt: &Debt, now: Now) -> Self {
        let now_ms = now.boottime_ms;
        Self {
            failures: debt.sign_in_failures,
            failed_at_ms: now_ms,
            reset_at_ms: now_ms,
            confirm_at_ms: now_ms,
        }
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
    pub(super) fn charge_challenge(
        &mut self,
        debt: &mut Debt,
        door: Door,
        aim: Aim,
        now: Now,
    ) -> Result<(), Refusal> {
        // A code that confirms an address lets nobody in, and whoever asks for one is signed in: that way waits
        // and is not closed.
        if aim == Aim::Reset && Self::is_reset_closed(debt, door) {
            return Err(Refusal::LanClosed);
        }
        match self.renew_wait_s(debt, aim, now) {
            0 => {}
            wait_s => return Err(Refusal::Throttled { wait_s }),
        }
        let tries = debt.share(aim).tries.saturating_add(TRIES);
        debt.set_share(aim, Share { tries, issued_in: Some(now.boot_id), ended: None });
        match aim {
            Aim::Reset => self.reset_at_ms = now.boottime_ms,
            Aim::Confirm => self.confirm_at_ms = now.boottime_ms,
        }
        Ok(())
    }

    /// Seconds until another challenge may be issued at this door.
    pub(super) fn renew_wait_s(&self, debt: &Debt, aim: Aim, now: Now) -> u64 {
        let issued_at_ms = match aim {
            Aim::Reset => self.reset_at_ms,
            Aim::Confirm => self.confirm_at_ms,
        };
        left_s(issued_at_ms, wait_s(debt.share(aim).tries / TRIES), now)
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]
    use super::*;
    use crate::recovery::BootId;

    fn at(s: u64) -> Now {
        Now { boottime_ms: s * 1000, boot_id: BootId([1; 16]), wall_unix_s: 0, tz_offset_min: 0 }
    }

    #[test]
    fn waits_double_up_to_an_hour() {
        let waits: Vec<_> = (0..11).map(wait_s).collect();
        assert_eq!(waits, [0, 30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]);
        assert_eq!(wait_s(u32::MAX), 3600);
    }

    #[test]
    fn five_failures_are_free_and_the_sixth_waits() {
        let mut debt = Debt::default();
        let mut throttle = Throttle::boot(&debt, at(0));
        for _ in 0..6 {
            throttle.charge_sign_in(&mut debt, Door::Console, at(10)).unwrap();
        }
        let next = throttle.charge_sign_in(&mut debt, Door::Console, at(10));
        assert_eq!(next, Err(Refusal::Throttled { wait_s: 30 }));
        let soon = Now { boottime_ms: 39_001, ..at(0) };
        assert_eq!(
            throttle.charge_sign_in(&mut debt, Door::Console, soon),
            Err(Refusal::Throttled { wait_s: 1 })
        );
        assert_eq!(throttle.charge_sign_in(&mut debt, Door::Console, at(40)), Ok(false));
        assert_eq!(throttle.sign_in_wait_s(at(40)), 60);
    }

    #[test]
    fn failures_reach_flash_in_pieces_and_ahead() {
        let mut debt = Debt::default();
        let mut throttle = Throttle::boot(&debt, at(0));
        let mut commits = Vec::new();
        for failure in 1..=11_u64 {
            let now = at(failure * 3600);
            if throttle.charge_sign_in(&mut debt, Door::Lan, now).unwrap() {
                commits.push((failure, debt.sign_in_failures));
            }
            assert!(throttle.failures <= debt.sign_in_failures);
        }
        assert_eq!(commits, [(1, 5), (6, 10), (11, 15)]);
    }

    #[test]
    fn a_restart_gives_no_credit() {
        let debt = Debt { sign_in_failures: 10, reset_tries: 15, ..Debt::default() };
        let throttle = Throttle::boot(&debt, at(7));
        assert_eq!(throttle.sign_in_wait_s(at(7)), 480);
        assert_eq!(throttle.renew_wait_s(&debt, Aim::Reset, at(7)), 120);
        assert_eq!(throttle.sign_in_wait_s(at(487)), 0);
    }

    #[test]
    fn only_the_lan_door_closes() {
        for (door, closes) in [(Door::Lan, true), (Door::Console, false)] {
            let mut debt = Debt { sign_in_failures: 100, reset_tries: 100, ..Debt::default() };
            let mut throttle = Throttle::boot(&debt, at(0));
            let now = at(3600);
            let challenge = throttle.charge_challenge(&mut debt, door, Aim::Reset, now);
            let sign_in = throttle.charge_sign_in(&mut debt, door, now).map(|_| ());
            let expected = if closes { Err(Refusal::LanClosed) } else { Ok(()) };
            assert_eq!((challenge, sign_in), (expected, expected));
            assert_eq!(throttle.is_closed(&debt, door), closes);
            throttle.succeed(&mut debt);
            assert!(!throttle.is_closed(&debt, door));
        }
    }

    #[test]
    fn confirming_waits_by_itself_and_a_sign_in_gives_no_credit_for_it() {
        let mut debt = Debt::default();
        let mut throttle = Throttle::boot(&debt, at(0));
        for aim in [Aim::Reset, Aim::Confirm] {
            throttle.charge_challenge(&mut debt, Door::Lan, aim, at(10)).unwrap();
        }
        let again = throttle.charge_challenge(&mut debt, Door::Lan, Aim::Confirm, at(20));
        assert_eq!(again, Err(Refusal::Throttled { wait_s: 20 }));
        throttle.succeed(&mut debt);
        assert_eq!(throttle.charge_challenge(&mut debt, Door::Lan, Aim::Reset, at(20)), Ok(()));
        assert_eq!(throttle.charge_challenge(&mut debt, Door::Lan, Aim::Confirm, at(20)), again);
    }

    #[test]
    fn a_right_password_costs_no_commit_beyond_the_first() {
        let mut debt = Debt::default();
        let mut throttle = Throttle::boot(&debt, at(0));
        assert_eq!(throttle.charge_sign_in(&mut debt, Door::Console, at(1)), Ok(true));
        assert!(!throttle.succeed(&mut debt));
        for s in 2..100 {
            assert_eq!(throttle.charge_sign_in(&mut debt, Door::Console, at(s)), Ok(false));
            assert!(!throttle.succeed(&mut debt));
        }
        assert_eq!(Throttle::boot(&debt, at(0)).sign_in_wait_s(at(0)), 0);
    }
}
