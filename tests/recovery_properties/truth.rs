//! What is true of one door, by the promises alone: 48 hours, five tries, one boot, one email, one
//! password; 30 seconds that double to an hour, a hundred tries on the LAN.

use crate::oracle::{Verdict, Violation, require};
use latchkey::recovery::{Aim, Now, Pending, Place, Which, reply::Ended};
use latchkey_protocol::{ChallengeId, Code, Door};

const VALIDITY_MS: u64 = 48 * 3600 * 1000;

/// Counts changes of what a challenge is bound to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Versions {
    pub email: u32,
    pub password: u32,
}

/// A session or grant that was handed out.
pub struct Given {
    pub token: [u8; 32],
    pub door: Door,
    pub at: Now,
    pub run: u32,
    pub versions: Versions,
    /// The store failed while the password was changed: it may have ended.
    pub is_doubtful: bool,
}

impl Given {
    pub fn age_s(&self, now: Now) -> u64 {
        now.boottime_ms.saturating_sub(self.at.boottime_ms) / 1000
    }
}

/// What a view shows.
pub struct Shown {
    pub id: ChallengeId,
    pub tries_left: u32,
    pub valid_s: u64,
}

/// What must be answered about a door's challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    Live,
    /// With the reason, where nothing since has blurred it.
    Dead(Option<Ended>),
    /// A try was charged whose outcome nobody learned: it may have been the last one.
    Either,
}

struct TrueChallenge {
    id: ChallengeId,
    to: Which,
    code: Code,
    issued: Now,
    wrong: u32,
    unknown: u32,
    death: Option<(Ended, u32)>,
    is_blurred: bool,
}

/// One place, and the sign-ins at its door.
pub struct DoorTruth {
    place: Place,
    challenge: Option<TrueChallenge>,
    /// Tries that became durable, and codes that were compared, for this challenge.
    pub charged: u32,
    compared: u32,
    run: u32,
    run_began_ms: u64,
    failures: u32,
    failed_ms: u64,
    challenges: u32,
    issued_ms: u64,
    sign_in_until_ms: Option<u64>,
    renew_until_ms: Option<u64>,
}

fn wait_ms(count: u32) -> u64 {
    (0..count).fold(0, |wait: u64, _| if wait == 0 { 30_000 } else { (wait * 2).min(3_600_000) })
}

impl DoorTruth {
    pub fn new(place: Place) -> Self {
        Self {
            place,
            challenge: None,
            charged: 0,
            compared: 0,
            run: 0,
            run_began_ms: 0,
            failures: 0,
            failed_ms: 0,
            challenges: 0,
            issued_ms: 0,
            sign_in_until_ms: None,
            renew_until_ms: None,
        }
    }

    /// Notices what time does.
    pub fn settle(&mut self, now: Now, run: u32) {
        self.run = run;
        let issued = self.challenge.as_ref().map(|challenge| challenge.issued);
        if issued.is_some_and(|issued| now.boottime_ms.saturating_sub(issued.boottime_ms) >= VALIDITY_MS) {
            self.die(Ended::Expired, run);
        }
    }

    /// The challenge dies, if it is alive.
    pub fn die(&mut self, why: Ended, run: u32) {
        if let Some(challenge) = &mut self.challenge
            && challenge.death.is_none()
        {
            challenge.death = Some((why, run));
        }
    }

    /// Its code was used up; whether anyone was told is another matter.
    pub fn used(&mut self, told: bool) {
        let run = if told { self.run } else { u32::MAX };
        if let Some(challenge) = &mut self.challenge {
            challenge.death = Some((Ended::Confirmed, run));
        }
    }

    /// Why it died is known no more after the next restart: another one was begun, or its code has done its work.
    pub fn blur(&mut self) {
        if let Some(challenge) = &mut self.challenge {
            challenge.is_blurred = true;
        }
    }

    /// Whether its code was used up.
    pub fn is_used(&self) -> bool {
        matches!(&self.challenge, Some(TrueChallenge { death: Some((Ended::Confirmed, _)), .. }))
    }

    /// The address of the challenge, if it may be alive.
    pub fn to(&self, now: Now) -> Option<Which> {
        let alive = !matches!(self.expect(now), Expect::Dead(_));
        self.challenge.as_ref().filter(|_| alive).map(|challenge| challenge.to)
    }

    /// Whether this is the code of the challenge.
    pub fn is_code(&self, code: &Code) -> bool {
        self.challenge.as_ref().is_some_and(|challenge| challenge.code == *code)
    }

    /// What must be answered now.
    pub fn expect(&self, now: Now) -> Expect {
        let Some(challenge) = &self.challenge else { return Expect::Dead(None) };
        match challenge.death {
            Some((why, run)) => Expect::Dead((run == self.run).then_some(why)),
            None if challenge.issued.boot_id != now.boot_id => Expect::Dead(None),
            None if challenge.wrong + challenge.unknown >= 5 => Expect::Either,
            None => Expect::Live,
        }
    }

    /// A new challenge became durable.
    pub fn issued(&mut self, pending: &Pending, code: Code, renew: bool, now: Now) -> Verdict {
        require(renew || self.expect(now) != Expect::Live, || "a live challenge was replaced".into())?;
        let closes = self.place == Place { door: Door::Lan, aim: Aim::Reset };
        require(!closes || self.challenges < 20, || "a 21st challenge on the LAN".into())?;
        let since_ms = now.boottime_ms - self.issued_ms.max(self.run_began_ms);
        require(since_ms >= wait_ms(self.challenges), || {
            format!("challenge {} after {since_ms} ms", self.challenges + 1)
        })?;
        self.challenges += 1;
        self.issued_ms = now.boottime_ms;
        self.renew_until_ms = None;
        (self.charged, self.compared) = (0, 0);
        self.challenge = Some(TrueChallenge {
            id: pending.id,
            to: pending.to,
            code,
            issued: now,
            wrong: 0,
            unknown: 0,
            death: None,
            is_blurred: false,
        });
        Ok(())
    }

    /// A challenge is shown.
    pub fn shown(&mut self, shown: Shown, now: Now) -> Verdict {
        require(!matches!(self.expect(now), Expect::Dead(_)), || "a dead challenge is shown".into())?;
        let challenge = self.challenge()?;
        require(challenge.id == shown.id, || "another challenge is shown".into())?;
        let age_ms = now.boottime_ms - challenge.issued.boottime_ms;
        require(shown.valid_s == (VALIDITY_MS - age_ms) / 1000, || "another validity".into())?;
        self.tries_fit(shown.tries_left)
    }

    fn challenge(&self) -> Result<&TrueChallenge, Violation> {
        self.challenge.as_ref().ok_or_else(|| Violation("there is no challenge".into()))
    }

    fn tries_fit(&self, tries_left: u32) -> Verdict {
        let challenge = self.challenge()?;
        let most = 5_u32.saturating_sub(challenge.wrong);
        let least = most.saturating_sub(challenge.unknown);
        require((least..=most).contains(&tries_left), || {
            format!("{tries_left} tries left after {} wrong, {} unknown", challenge.wrong, challenge.unknown)
        })
    }

    /// A code was compared. Invariant 4: its try was durable before.
    fn compared(&mut self) -> Verdict {
        self.compared += 1;
        require(self.compared <= self.charged, || "a code was compared before its try was durable".into())
    }

    /// A code was accepted. Invariant 1.
    pub fn accepted(&mut self, code: &Code, now: Now) -> Verdict {
        self.compared()?;
        require(!matches!(self.expect(now), Expect::Dead(_)), || "the challenge is dead".into())?;
        require(self.challenge()?.code == *code, || "not the code of this door's challenge".into())
    }

    /// A code was refused as wrong. Invariants 1, 2 and 6: never the right one of a live challenge.
    pub fn wrong(&mut self, code: &Code, tries_left: u32, run: u32, now: Now) -> Verdict {
        self.compared()?;
        require(!matches!(self.expect(now), Expect::Dead(_)), || "the challenge is dead".into())?;
        let challenge = self.challenge.as_mut().ok_or_else(|| Violation("no challenge".into()))?;
        require(challenge.code != *code, || "the code is right".into())?;
        challenge.wrong += 1;
        require(challenge.wrong <= 5, || "a sixth try".into())?;
        self.tries_fit(tries_left)?;
        if tries_left == 0 {
            self.die(Ended::TooManyTries, run);
        }
        Ok(())
    }

    /// "No challenge" was answered. Invariants 2 and 6: only if it is dead, and with the true reason.
    pub fn refused(&mut self, why: Ended, now: Now) -> Verdict {
        match self.expect(now) {
            Expect::Live => Err(Violation("the challenge is alive".into())),
            Expect::Dead(Some(reason)) => require(why == reason, || format!("it ended by {reason:?}")),
            Expect::Dead(None) => Ok(()),
            Expect::Either => {
                let run = self.run;
                self.die(Ended::TooManyTries, run);
                require(why == Ended::TooManyTries, || "it ended by its tries".into())
            }
        }
    }

    /// A try may have been charged, and nobody learned what came of it.
    pub fn try_unknown(&mut self) {
        if let Some(challenge) = &mut self.challenge {
            challenge.unknown += 1;
        }
    }

    /// A password is going to be compared.
    pub fn password_charged(&mut self, now: Now) -> Verdict {
        require(self.place.door == Door::Console || self.failures < 100, || {
            "a 101st failure on the LAN".into()
        })?;
        let since_ms = now.boottime_ms - self.failed_ms.max(self.run_began_ms);
        require(since_ms >= wait_ms(self.failures.saturating_sub(5)), || {
            format!("password {} after {since_ms} ms", self.failures + 1)
        })?;
        self.failures += 1;
        self.failed_ms = now.boottime_ms;
        self.sign_in_until_ms = None;
        Ok(())
    }

    /// It was not compared after all.
    pub fn password_refunded(&mut self) {
        self.failures = self.failures.saturating_sub(1);
    }

    /// A success.
    pub fn nothing_owed(&mut self) {
        self.failures = 0;
        self.challenges = 0;
    }

    /// The daemon starts again: waits start again, promises are void, the debt stays.
    pub fn restarted(&mut self, reboot: bool, run: u32, now: Now) {
        self.run = run;
        self.run_began_ms = now.boottime_ms;
        if reboot {
            (self.failed_ms, self.issued_ms) = (0, 0);
            let is_blurred = self.challenge.as_ref().is_some_and(|challenge| challenge.is_blurred);
            self.die(Ended::Rebooted, if is_blurred { u32::MAX } else { run });
        } else if let Some(TrueChallenge {
            death: Some((Ended::EmailChanged | Ended::PasswordChanged, known)),
            is_blurred: false,
            ..
        }) = &mut self.challenge
            && *known + 1 == run
        {
            // What a change of the account ended is known after a restart of the daemon, too.
            *known = run;
        }
        self.promises_void();
    }

    /// Promises of earlier answers hold no more.
    pub fn promises_void(&mut self) {
        self.sign_in_until_ms = None;
        self.renew_until_ms = None;
    }

    /// The next password may be tried after this.
    pub fn sign_in_promise(&mut self, wait_s: u64, now: Now) -> Verdict {
        promise(&mut self.sign_in_until_ms, wait_s, now)
    }

    /// A password was not tried: too early.
    pub fn sign_in_throttled(&mut self, wait_s: u64, now: Now) -> Verdict {
        throttled(&mut self.sign_in_until_ms, wait_s, now)
    }

    /// Another challenge may be issued after this.
    pub fn renew_promise(&mut self, wait_s: u64, now: Now) -> Verdict {
        promise(&mut self.renew_until_ms, wait_s, now)
    }

    /// No challenge was issued: too early.
    pub fn renew_throttled(&mut self, wait_s: u64, now: Now) -> Verdict {
        throttled(&mut self.renew_until_ms, wait_s, now)
    }
}

fn promise(until_ms: &mut Option<u64>, wait_s: u64, now: Now) -> Verdict {
    *until_ms = Some(now.boottime_ms + wait_s * 1000);
    require(wait_s <= 3600, || format!("a wait of {wait_s} s"))
}

fn throttled(until_ms: &mut Option<u64>, wait_s: u64, now: Now) -> Verdict {
    let kept = until_ms.is_none_or(|until_ms| now.boottime_ms < until_ms);
    require(kept, || "the wait that was promised is over".into())?;
    require(wait_s > 0, || "a wait of nothing".into())?;
    promise(until_ms, wait_s, now)
}
