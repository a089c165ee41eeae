//! The independent judge: it sees what is asked, what becomes durable and what is answered, knows the
//! true codes by the cloud's secret key, and keeps its own account of lives, versions, tries and waits.

use crate::{
    asked::Asked,
    events::{Ask, Event, Who},
    truth::{DoorTruth, Expect, Given, Shown, Versions},
    world::DOORS,
};
use latchkey::recovery::{
    Effect, Now, Pending, Record, Refusal, Reply, RequestId,
    reply::{Ended, Lifecycle},
};
use latchkey_protocol::{Code, Door};
use std::collections::{BTreeMap, HashMap};

/// A broken promise, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation(pub String);

pub type Verdict = Result<(), Violation>;

pub fn require(holds: bool, otherwise: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(Violation(otherwise())) }
}

/// The judge.
pub struct Oracle {
    versions: Versions,
    run: u32,
    open: BTreeMap<RequestId, Asked>,
    doors: HashMap<Door, DoorTruth>,
    sessions: Vec<Given>,
    grants: Vec<Given>,
    counter: u32,
    /// What the step at hand answers.
    replies: Vec<(RequestId, Result<Reply, Refusal>)>,
}

impl Oracle {
    pub fn new() -> Self {
        Self {
            versions: Versions::default(),
            run: 0,
            open: BTreeMap::new(),
            doors: DOORS.into_iter().map(|door| (door, DoorTruth::new(door))).collect(),
            sessions: Vec::new(),
            grants: Vec::new(),
            counter: 0,
            replies: Vec::new(),
        }
    }

    fn door(&mut self, door: Door) -> &mut DoorTruth {
        self.doors.entry(door).or_insert_with(|| DoorTruth::new(door))
    }

    /// Time has passed.
    pub fn time(&mut self, now: Now) {
        for truth in self.doors.values_mut() {
            truth.settle(now, self.run);
        }
    }

    /// Someone asks.
    pub fn asked(&mut self, id: RequestId, mut asked: Asked) {
        asked.versions = self.versions;
        let (run, door, now) = (self.run, asked.door, asked.at);
        let session = self.sessions.iter().find(|given| Some(given.token) == asked.session);
        let has_session = session
            .is_some_and(|given| given.door == door && given.run == run && given.age_s(now) <= 12 * 3600);
        let grant = self.grants.iter().find(|given| Some(given.token) == asked.grant);
        let has_grant = grant.is_some_and(|given| {
            given.door == door
                && given.run == run
                && given.age_s(now) < 600
                && given.versions == self.versions
        });
        asked.entitled = match asked.ask {
            Ask::ChangePassword { .. } | Ask::SetEmail { .. } => has_session && asked.is_right(),
            Ask::SetPassword { .. } => has_grant,
            Ask::ReservedEmails { .. } => has_session,
            _ => true,
        };
        self.open.insert(id, asked);
    }

    /// The event that asked is over: a request for the password that has no answer yet was charged.
    pub fn asked_until_now(&mut self, id: RequestId, now: Now) -> Verdict {
        match self.open.get(&id) {
            Some(asked) if asked.typed.is_some() => {
                let door = asked.door;
                self.door(door).password_charged(now)
            }
            _ => Ok(()),
        }
    }

    /// A step was taken; nothing of it has happened yet.
    pub fn step(&mut self, effects: &[Effect]) -> Verdict {
        self.replies = effects
            .iter()
            .filter_map(|effect| match effect {
                Effect::Reply(id, result) => Some((*id, result.clone())),
                _ => None,
            })
            .collect();
        Ok(())
    }

    /// A password comes back from hashing.
    pub fn compared(&mut self, typed: &str, is_right: bool, fails: bool) {
        if is_right {
            self.doors.values_mut().for_each(DoorTruth::nothing_owed);
        } else if fails {
            let asked = self.open.values().find(|a| a.typed.as_ref().is_some_and(|(text, _)| text == typed));
            if let Some(door) = asked.map(|asked| asked.door) {
                self.door(door).password_refunded();
            }
        }
    }

    fn cause(&self, is: impl Fn(&Reply) -> bool) -> Option<&Asked> {
        let (id, _) = self.replies.iter().find(|(_, result)| result.as_ref().is_ok_and(&is))?;
        self.open.get(id)
    }

    /// The record on flash changes. Invariants 3 and 5.
    pub fn record_written(&mut self, before: Option<&Record>, after: Option<&Record>, now: Now) -> Verdict {
        let Some(after) = after else {
            let cause = self.cause(|reply| matches!(reply, Reply::FactoryResetDone));
            require(cause.is_some_and(|c| c.door == Door::Console), || {
                "erased without a factory reset".into()
            })?;
            *self = Self { open: std::mem::take(&mut self.open), run: self.run + 1, ..Self::new() };
            return Ok(());
        };
        let Some(before) = before else {
            let cause = self.cause(|reply| matches!(reply, Reply::Activated(_)));
            let cause = cause.ok_or_else(|| Violation("a record out of nothing".into()))?;
            return require(is_hash_of(after, cause.new_password.as_deref()), || {
                "activated with another password".into()
            });
        };
        require(before.life == after.life, || "a record's life changed".into())?;
        require(
            after.password_epoch >= before.password_epoch
                && after.email_epoch >= before.email_epoch
                && after.challenge_counter >= before.challenge_counter,
            || "an epoch or counter went back".into(),
        )?;
        if after.password_phc != before.password_phc {
            let cause = self.cause(|r| matches!(r, Reply::PasswordReset | Reply::PasswordChanged));
            let cause = cause.ok_or_else(|| Violation("the password changed out of nothing".into()))?;
            require(cause.entitled && cause.versions == self.versions, || {
                format!("the password changed without a valid proof: {:?} at {:?}", cause.ask, cause.door)
            })?;
            require(is_hash_of(after, cause.new_password.as_deref()) && !cause.is_weak(), || {
                "not the password that was asked for".into()
            })?;
            require(after.password_epoch > before.password_epoch, || "password changed, epoch not".into())?;
            let is_reset = matches!(cause.ask, Ask::SetPassword { .. });
            let keeps = cause.session;
            self.versions.password += 1;
            self.died(Ended::PasswordChanged, now);
            self.sessions.retain(|given| !is_reset && Some(given.token) == keeps);
            if is_reset {
                self.doors.values_mut().for_each(DoorTruth::nothing_owed);
                require(after.reset_to_tell.is_some(), || "a reset that the owner is not told of".into())?;
                require([after.console, after.lan].iter().all(|d| *d == Default::default()), || {
                    "a reset left a debt".into()
                })?;
            }
        } else {
            require(after.password_epoch == before.password_epoch, || "an epoch for nothing".into())?;
        }
        let is_email_set = self.cause(|reply| matches!(reply, Reply::ReservedEmailSet)).is_some();
        if after.emails != before.emails || is_email_set {
            let cause = self.cause(|reply| matches!(reply, Reply::ReservedEmailSet));
            let cause = cause.ok_or_else(|| Violation("the email changed out of nothing".into()))?;
            require(cause.entitled && cause.versions == self.versions, || {
                format!("the email changed without a valid proof: {:?} at {:?}", cause.ask, cause.door)
            })?;
            let stored: Vec<_> = after.emails.iter().map(|e| e.address.as_str().to_owned()).collect();
            require(stored == cause.new_email.iter().cloned().collect::<Vec<_>>(), || {
                "not the email that was asked for".into()
            })?;
            require(after.email_epoch > before.email_epoch, || "email changed, epoch not".into())?;
            self.versions.email += 1;
            self.died(Ended::EmailChanged, now);
        }
        Ok(())
    }

    fn died(&mut self, why: Ended, now: Now) {
        for truth in self.doors.values_mut() {
            truth.settle(now, self.run);
            truth.die(why, self.run);
        }
    }

    /// A new challenge reaches tmpfs.
    pub fn issued(&mut self, pending: &Pending, code: Code, counter: u32, now: Now) -> Verdict {
        require(counter > self.counter, || format!("counter {counter} after {}", self.counter))?;
        self.counter = counter;
        let cause = self.cause(|reply| matches!(reply, Reply::Challenge(view) if view.id == pending.id));
        let cause = cause.ok_or_else(|| Violation("a challenge that nobody asked for".into()))?;
        let (door, renew) = (cause.door, matches!(cause.ask, Ask::Begin { renew: true }));
        require(door == pending.door, || "a challenge at another door".into())?;
        let versions = self.versions;
        self.door(door).issued(pending, code, versions, renew, now)
    }

    /// A challenge on tmpfs is written, anew or again. Invariant 4 looks at the tries.
    pub fn pending_written(&mut self, before: Option<&Pending>, after: &Pending) -> Verdict {
        require(after.tries_left <= 5, || "more than five tries".into())?;
        let Some(before) = before.filter(|before| before.id == after.id) else { return Ok(()) };
        let accepts = self.cause(|reply| matches!(reply, Reply::CodeAccepted { .. })).is_some();
        let door = after.door;
        if after.tries_left < before.tries_left {
            self.door(door).charged += before.tries_left - after.tries_left;
        }
        require(after.tries_left <= before.tries_left + u32::from(accepts), || "tries came back".into())
    }

    /// The daemon starts again.
    pub fn restarted(&mut self, reboot: bool, now: Now) {
        self.run += 1;
        let open = std::mem::take(&mut self.open);
        for asked in open.values().filter(|asked| asked.code.is_some()) {
            self.door(asked.door).try_unknown();
        }
        for truth in self.doors.values_mut() {
            truth.restarted(reboot, self.run, now);
        }
    }

    /// A durable effect failed and what is stored was read back.
    pub fn read_back(&mut self) {
        self.doors.values_mut().for_each(DoorTruth::promises_void);
    }

    /// Requests that wait.
    pub fn unanswered(&self) -> Vec<RequestId> {
        self.open.keys().copied().collect()
    }

    /// Someone is answered; gives the door.
    pub fn answered(
        &mut self,
        id: RequestId,
        result: &Result<Reply, Refusal>,
        record: Option<&Record>,
        now: Now,
    ) -> Result<Door, Violation> {
        let asked = self.open.remove(&id).ok_or_else(|| Violation(format!("{id:?} is answered twice")))?;
        let door = asked.door;
        self.judge(&asked, result, record, now).map_err(|Violation(why)| {
            Violation(format!("{why}: {:?} at {door:?} -> {result:?}", asked.ask))
        })?;
        Ok(door)
    }

    fn judge(
        &mut self,
        asked: &Asked,
        result: &Result<Reply, Refusal>,
        record: Option<&Record>,
        now: Now,
    ) -> Verdict {
        match result {
            Err(Refusal::NotActive) => return require(record.is_none(), || "it is active".into()),
            Err(Refusal::AlreadyActive) => return require(record.is_some(), || "it is not active".into()),
            Err(Refusal::StorageFailed) => {
                if asked.code.is_some() {
                    self.door(asked.door).try_unknown();
                }
                if let Ask::ChangePassword { .. } = asked.ask {
                    self.sessions.iter_mut().for_each(|given| given.is_doubtful = true);
                }
                return Ok(());
            }
            Err(Refusal::RecordDamaged) => return Err(Violation("the record is whole".into())),
            Err(Refusal::ConsoleOnly) => {
                let only = matches!(asked.ask, Ask::VerifyPassword { .. } | Ask::FactoryReset);
                return require(only && asked.door == Door::Lan, || "the console is not needed".into());
            }
            Err(Refusal::NoEmail) => {
                let none = record.is_some_and(|record| record.emails.is_empty());
                return require(none, || "there is an email".into());
            }
            Err(Refusal::Superseded) => {
                return require(asked.versions != self.versions || record.is_none(), || {
                    "nothing changed".into()
                });
            }
            Err(Refusal::Busy) => return Ok(()),
            _ => {}
        }
        match asked.ask {
            Ask::Begin { .. } | Ask::View => self.judge_view(asked, result, record, now),
            Ask::Verify { .. } => self.judge_code(asked, result, now),
            Ask::SetPassword { .. } => self.judge_new_password(asked, result),
            Ask::Describe => self.judge_description(result, record, now),
            _ => self.judge_session(asked, result, record, now),
        }
    }

    fn judge_view(
        &mut self,
        asked: &Asked,
        result: &Result<Reply, Refusal>,
        record: Option<&Record>,
        now: Now,
    ) -> Verdict {
        let email = record.and_then(|record| record.emails.first()).map(|email| email.address.masked());
        let may_issue = !matches!(asked.ask, Ask::View);
        let renew = matches!(asked.ask, Ask::Begin { renew: true });
        let truth = self.door(asked.door);
        match result {
            Ok(Reply::Challenge(view)) => {
                require(view.masked_emails.first() == email.as_ref(), || "another mask".into())?;
                truth
                    .shown(Shown { id: view.id, tries_left: view.tries_left, valid_s: view.valid_s }, now)?;
                truth.renew_promise(view.renew_wait_s, now)
            }
            Err(Refusal::Throttled { wait_s }) if may_issue => {
                require(renew || truth.expect(now) != Expect::Live, || {
                    "a live challenge is not shown".into()
                })?;
                truth.renew_throttled(*wait_s, now)
            }
            Err(Refusal::LanClosed) if may_issue => {
                require(asked.door == Door::Lan, || "the console never closes".into())?;
                require(renew || truth.expect(now) != Expect::Live, || "a live challenge is not shown".into())
            }
            Err(Refusal::NoChallenge(why)) if !may_issue => truth.refused(*why, now),
            _ => Err(Violation("not an answer to this".into())),
        }
    }

    fn judge_code(&mut self, asked: &Asked, result: &Result<Reply, Refusal>, now: Now) -> Verdict {
        let (versions, run) = (self.versions, self.run);
        let Some(code) = &asked.code else { return Ok(()) };
        let truth = self.door(asked.door);
        match result {
            Ok(Reply::CodeAccepted { grant, .. }) => {
                truth.accepted(code, now)?;
                self.grants.push(Given {
                    token: grant.0,
                    door: asked.door,
                    at: now,
                    run,
                    versions,
                    is_doubtful: false,
                });
                Ok(())
            }
            Err(Refusal::WrongCode { tries_left }) => {
                let run = self.run;
                self.door(asked.door).wrong(code, *tries_left, run, now)
            }
            Err(Refusal::NoChallenge(why)) => truth.refused(*why, now),
            _ => Err(Violation("not an answer to this".into())),
        }
    }

    fn judge_new_password(&mut self, asked: &Asked, result: &Result<Reply, Refusal>) -> Verdict {
        let newest = self.grants.iter().rev().find(|given| given.door == asked.door);
        let is_newest = newest.is_some_and(|given| Some(given.token) == asked.grant);
        match result {
            Ok(Reply::PasswordReset) => {
                self.grants.clear();
                Ok(())
            }
            Err(Refusal::GrantOver) => require(!(asked.entitled && is_newest), || "the grant is good".into()),
            Err(Refusal::WeakPassword(_)) => require(asked.is_weak(), || "it is strong".into()),
            Err(Refusal::Unavailable) => Ok(()),
            _ => Err(Violation("not an answer to this".into())),
        }
    }

    fn judge_description(
        &mut self,
        result: &Result<Reply, Refusal>,
        record: Option<&Record>,
        now: Now,
    ) -> Verdict {
        let Ok(Reply::Description(description)) = result else {
            return Err(Violation("not an answer to this".into()));
        };
        let is_active = description.lifecycle == Lifecycle::Active;
        require(is_active == record.is_some(), || "another lifecycle".into())?;
        for door in DOORS {
            let told = description.pending_doors.contains(&door);
            match self.door(door).expect(now) {
                Expect::Live => require(told, || format!("nothing pending at {door:?}"))?,
                Expect::Dead(_) => require(!told, || format!("something pending at {door:?}"))?,
                Expect::Either => {}
            }
        }
        Ok(())
    }

    fn judge_session(
        &mut self,
        asked: &Asked,
        result: &Result<Reply, Refusal>,
        record: Option<&Record>,
        now: Now,
    ) -> Verdict {
        let (versions, run, door) = (self.versions, self.run, asked.door);
        let is_truth =
            |text: &str| record.is_some_and(|record| record.password_phc.splitn(4, '$').nth(3) == Some(text));
        match result {
            Ok(Reply::SignedIn { session, .. }) | Ok(Reply::Activated(session)) => {
                self.sessions.push(Given {
                    token: session.0,
                    door,
                    at: now,
                    run,
                    versions,
                    is_doubtful: false,
                });
            }
            Ok(Reply::SignedOut) => {
                self.sessions.retain(|given| Some(given.token) != asked.session || given.door != door)
            }
            Ok(Reply::ReservedEmails(_)) => require(asked.entitled, || "no session".into())?,
            _ => {}
        }
        match result {
            Ok(Reply::SignedIn { .. } | Reply::PasswordIsRight) => {
                let right = asked.typed.as_ref().is_some_and(|(text, _)| is_truth(text));
                require(right, || "in without the password".into())
            }
            Ok(Reply::ReservedEmailSet | Reply::PasswordChanged) => {
                require(asked.entitled, || "changed without a proof".into())
            }
            Ok(_) => Ok(()),
            Err(Refusal::WrongPassword { wait_s }) => {
                require(!asked.is_right(), || "the password is right".into())?;
                self.door(door).sign_in_promise(*wait_s, now)
            }
            Err(Refusal::Throttled { wait_s }) => self.door(door).sign_in_throttled(*wait_s, now),
            Err(Refusal::LanClosed) => require(door == Door::Lan, || "the console never closes".into()),
            Err(Refusal::WeakPassword(_)) => require(asked.is_weak(), || "it is strong".into()),
            Err(Refusal::NotSignedIn) => {
                let fresh = self.sessions.iter().rev().find(|given| given.door == door);
                let is_good = fresh.is_some_and(|given| {
                    Some(given.token) == asked.session
                        && given.run == run
                        && given.age_s(now) < 900
                        && !given.is_doubtful
                });
                require(!is_good, || "the session is good".into())
            }
            Err(Refusal::Unavailable) => Ok(()),
            Err(_) => Err(Violation("not an answer to this".into())),
        }
    }
}

fn is_hash_of(record: &Record, password: Option<&str>) -> bool {
    record.password_phc.splitn(4, '$').nth(3) == password
}

/// The events without the stranger's, time passing as it did.
pub fn without_stranger(events: &[Event]) -> Vec<Event> {
    let pass = |s| Event::Pass { s };
    events
        .iter()
        .map(|event| match event {
            Event::Ask { who: Who::Stranger, .. } => pass(0),
            Event::Siege { times, pause_s, .. } => pass(u32::from(*times) * pause_s),
            other => other.clone(),
        })
        .collect()
}
