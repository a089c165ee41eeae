//! Sessions, and the proof that the admin password was typed.

use super::{
    Effect, HashJob, HashOutcome, Now, Password, Refusal, Reply, SessionToken,
    account::{Active, Answer},
    effect::Event,
    hashing::{Ask, Hashing, Purpose, Running, TokenHash},
    limits::{SESSION_IDLE_S, SESSION_MAX_S, SESSIONS_MAX},
    state::Turn,
};
use latchkey_protocol::Door;

/// The admin password was typed and is right. Made only here; changing the password or the
/// reserved email takes one.
#[derive(Clone)]
pub(super) struct PasswordVerified(());

/// A door's sessions, the oldest first.
#[derive(Clone, Default)]
pub(super) struct Sessions(Vec<Session>);

#[derive(Clone)]
struct Session {
    token: TokenHash,
    began_ms: u64,
    used_ms: u64,
}

impl Session {
    fn is_live(&self, now: Now) -> bool {
        let since_s = |then_ms: u64| now.boottime_ms.saturating_sub(then_ms) / 1000;
        since_s(self.began_ms) < SESSION_MAX_S && since_s(self.used_ms) < SESSION_IDLE_S
    }
}

impl Sessions {
    /// Begins a session; the oldest one gives way if there are too many.
    pub(super) fn begin(&mut self, turn: &mut Turn<'_>) -> SessionToken {
        let token = SessionToken(turn.random());
        self.0.retain(|session| session.is_live(turn.now));
        if self.0.len() >= SESSIONS_MAX {
            self.0.remove(0);
        }
        self.0.push(Session {
            token: TokenHash::of_session(&token),
            began_ms: turn.now.boottime_ms,
            used_ms: turn.now.boottime_ms,
        });
        token
    }

    /// Whether this is a live session, which then counts as used.
    pub(super) fn check(&mut self, token: &SessionToken, now: Now) -> Result<(), Refusal> {
        let token = TokenHash::of_session(token);
        let session = self.0.iter_mut().find(|session| session.token == token && session.is_live(now));
        let session = session.ok_or(Refusal::NotSignedIn)?;
        session.used_ms = now.boottime_ms;
        Ok(())
    }

    /// Ends one session, if there is such a one.
    pub(super) fn end(&mut self, token: &SessionToken) {
        let token = TokenHash::of_session(token);
        self.0.retain(|session| session.token != token);
    }

    /// Ends every session but this one.
    pub(super) fn keep_only(&mut self, token: &SessionToken) {
        let token = TokenHash::of_session(token);
        self.0.retain(|session| session.token == token);
    }

    /// Ends every session.
    pub(super) fn end_all(&mut self) {
        self.0.clear();
    }
}

/// Charges a try at the password, then has it compared. Nothing is charged while the queue is full.
pub(super) fn compare_password(
    active: &mut Active,
    queue: &mut Hashing,
    ask: Ask,
    password: Password,
    purpose: Purpose,
    turn: &mut Turn<'_>,
) -> Result<Answer, Refusal> {
    queue.room(ask.door)?;
    let (record, door) = active.record_and_door(ask.door);
    if door.throttle.charge_sign_in(record.debt_mut(ask.door), ask.door, turn.now)? {
        active.commit(turn);
    }
    let phc = active.record.password_phc.clone();
    let job =
        if phc.is_empty() { HashJob::AskAuthority { password } } else { HashJob::Compare { password, phc } };
    queue.add(ask, job, purpose);
    Ok(Answer::Later)
}

/// What became of a try at the password: the proof, or the refusal to answer.
pub(super) fn password_compared(
    active: &mut Active,
    door: Door,
    outcome: HashOutcome,
    turn: &mut Turn<'_>,
) -> Result<PasswordVerified, Refusal> {
    let throttle = &mut active.door_mut(door).throttle;
    match outcome {
        HashOutcome::Compared(true) => Ok(PasswordVerified(())),
        HashOutcome::Compared(false) => {
            let wait_s = throttle.sign_in_wait_s(turn.now);
            let is_closed = throttle.is_sign_in_closed(door);
            turn.push(Effect::Log(Event::SignInFailed(door)));
            if is_closed {
                turn.push(Effect::Log(Event::LanClosed));
            }
            Err(Refusal::WrongPassword { wait_s })
        }
        HashOutcome::Failed | HashOutcome::Made(_) => {
            throttle.refund_sign_in();
            Err(Refusal::Unavailable)
        }
    }
}

/// The end of a sign-in: clears what the door owes, and tells of a completed reset once.
pub(super) fn signed_in(
    active: &mut Active,
    job: &Running,
    password: &Password,
    outcome: HashOutcome,
    turn: &mut Turn<'_>,
) -> Result<Answer, Refusal> {
    password_compared(active, job.door, outcome, turn)?;
    let reset_to_tell = active.record.reset_to_tell.take();
    if active.succeed(job.door) || reset_to_tell.is_some() {
        active.commit(turn);
    }
    active.tell_hooks_if_owed(password, turn);
    let session = active.door_mut(job.door).sessions.begin(turn);
    turn.push(Effect::Log(Event::SignedIn(job.door)));
    Ok(Answer::Now(Reply::SignedIn { session, reset_to_tell }))
}

/// This is the admin password.
pub(super) fn password_is_right(
    active: &mut Active,
    job: &Running,
    outcome: HashOutcome,
    turn: &mut Turn<'_>,
) -> Result<Answer, Refusal> {
    password_compared(active, job.door, outcome, turn)?;
    if active.succeed(job.door) {
        active.commit(turn);
    }
    Ok(Answer::Now(Reply::PasswordIsRight))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recovery::BootId;
    use chacha20::{ChaCha12Rng, rand_core::SeedableRng};

    fn at(s: u64) -> Now {
        Now { boottime_ms: s * 1000, boot_id: BootId([1; 16]), wall_unix_s: 0, tz_offset_min: 0 }
    }

    fn begin(sessions: &mut Sessions, s: u64) -> SessionToken {
        let mut rng = ChaCha12Rng::seed_from_u64(s);
        sessions.begin(&mut Turn::new(at(s), &mut rng))
    }

    #[test]
    fn a_session_ends_when_idle_and_in_any_case_after_twelve_hours() {
        let mut sessions = Sessions::default();
        let token = begin(&mut sessions, 0);
        assert_eq!(sessions.check(&token, at(899)), Ok(()));
        assert_eq!(sessions.check(&token, at(899 + 900)), Err(Refusal::NotSignedIn));

        let token = begin(&mut sessions, 0);
        for s in (0..12 * 3600).step_by(600) {
            assert_eq!(sessions.check(&token, at(s)), Ok(()));
        }
        assert_eq!(sessions.check(&token, at(12 * 3600)), Err(Refusal::NotSignedIn));
    }

    #[test]
    fn the_oldest_of_too_many_gives_way() {
        let mut sessions = Sessions::default();
        let tokens: Vec<_> = (0..17).map(|s| begin(&mut sessions, s)).collect();
        assert_eq!(sessions.check(&tokens[0], at(20)), Err(Refusal::NotSignedIn));
        assert!(tokens[1..].iter().all(|token| sessions.check(token, at(20)) == Ok(())));
    }

    #[test]
    fn ending_one_keeps_the_others() {
        let mut sessions = Sessions::default();
        let (one, two) = (begin(&mut sessions, 1), begin(&mut sessions, 2));
        sessions.end(&one);
        assert_eq!(sessions.check(&one, at(3)), Err(Refusal::NotSignedIn));
        assert_eq!(sessions.check(&two, at(3)), Ok(()));
    }
}
