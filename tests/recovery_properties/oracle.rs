//! The independent judge: it sees what is asked, what becomes durable and what is answered, knows the
//! true codes by the cloud's secret key, and keeps its own account of lives, versions, tries and waits.

use crate::{
    asked::Asked,
    events::{Ask, Event, Who},
    truth::{DoorTruth, Expect, Given, Shown, Versions},
    world::DOORS,
    written::texts,
};
use latchkey::recovery::{
    Aim, Effect, Now, Place, Record, Refusal, Reply, RequestId,
    reply::{Ended, Lifecycle},
};
use latchkey_protocol::Door;
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
    pub versions: Versions,
    pub run: u32,
    pub open: BTreeMap<RequestId, Asked>,
    pub places: HashMap<Place, DoorTruth>,
    pub sessions: Vec<Given>,
    pub grants: Vec<Given>,
    pub counter: u32,
    /// What the step at hand answers.
    pub replies: Vec<(RequestId, Result<Reply, Refusal>)>,
}

impl Oracle {
    pub fn new() -> Self {
        Self {
            versions: Versions::default(),
            run: 0,
            open: BTreeMap::new(),
            places: Place::ALL.into_iter().map(|place| (place, DoorTruth::new(place))).collect(),
            sessions: Vec::new(),
            grants: Vec::new(),
            counter: 0,
            replies: Vec::new(),
        }
    }

    pub fn place(&mut self, place: Place) -> &mut DoorTruth {
        self.places.entry(place).or_insert_with(|| DoorTruth::new(place))
    }

    /// A door's resets and sign-ins.
    fn door(&mut self, door: Door) -> &mut DoorTruth {
        self.place(Place { door, aim: Aim::Reset })
    }

    /// A right password: what is owed for resets and sign-ins is owed no more.
    pub fn password_was_right(&mut self) {
        DOORS.into_iter().for_each(|door| self.door(door).nothing_owed());
    }

    /// Time has passed.
    pub fn time(&mut self, now: Now) {
        for truth in self.places.values_mut() {
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
            Ask::ReservedEmails { .. }
            | Ask::Confirm { .. }
            | Ask::ViewConfirm { .. }
            | Ask::TypeConfirm { .. }
            | Ask::Platform { .. } => has_session,
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
            self.password_was_right();
        } else if fails {
            let asked = self.open.values().find(|a| a.typed.as_ref().is_some_and(|(text, _)| text == typed));
            if let Some(door) = asked.map(|asked| asked.door) {
                self.door(door).password_refunded();
            }
        }
    }

    pub fn cause(&self, is: impl Fn(&Reply) -> bool) -> Option<&Asked> {
        let (id, _) = self.replies.iter().find(|(_, result)| result.as_ref().is_ok_and(&is))?;
        self.open.get(id)
    }

    /// The daemon starts again.
    pub fn restarted(&mut self, reboot: bool, now: Now) {
        self.run += 1;
        let open = std::mem::take(&mut self.open);
        for asked in open.values().filter(|asked| asked.code.is_some()) {
            self.place(asked.place()).try_unknown();
        }
        for truth in self.places.values_mut() {
            truth.restarted(reboot, self.run, now);
        }
    }

    /// A durable effect failed and what is stored was read back.
    pub fn read_back(&mut self) {
        self.places.values_mut().for_each(DoorTruth::promises_void);
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
                    self.place(asked.place()).try_unknown();
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
            Err(Refusal::NoSuchEmail) => {
                let emails = record.map(texts).unwrap_or_default();
                let index = match asked.ask {
                    Ask::SetEmail { .. } => 0,
                    _ => asked.to().map_or(usize::MAX, |to| to.index()),
                };
                return require(emails.get(index).is_none(), || "there is such an email".into());
            }
            Err(Refusal::SameEmail) => {
                let emails = record.map(texts).unwrap_or_default();
                return require(asked.new_email.as_ref().is_some_and(|email| emails.contains(email)), || {
                    "the addresses differ".into()
                });
            }
            Err(Refusal::NotSignedIn) => return self.judge_not_signed_in(asked, now),
            Err(Refusal::Superseded) => {
                return require(asked.versions != self.versions || record.is_none(), || {
                    "nothing changed".into()
                });
            }
            Err(Refusal::Busy) => return Ok(()),
            _ => {}
        }
        match asked.ask {
            Ask::Begin { .. } | Ask::View | Ask::Confirm { .. } | Ask::ViewConfirm { .. } => {
                self.judge_view(asked, result, record, now)
            }
            Ask::Verify { .. } | Ask::TypeConfirm { .. } => self.judge_code(asked, result, now),
            Ask::SetPassword { .. } => self.judge_new_password(asked, result),
            Ask::Describe => self.judge_description(result, record, now),
            _ => self.judge_session(asked, result, record, now),
        }
    }

    /// Only if the newest session of the door is not good.
    fn judge_not_signed_in(&self, asked: &Asked, now: Now) -> Verdict {
        let fresh = self.sessions.iter().rev().find(|given| given.door == asked.door);
        let is_good = fresh.is_some_and(|given| {
            Some(given.token) == asked.session
                && given.run == self.run
                && given.age_s(now) < 900
                && !given.is_doubtful
        });
        require(!is_good, || "the session is good".into())
    }

    fn judge_view(
        &mut self,
        asked: &Asked,
        result: &Result<Reply, Refusal>,
        record: Option<&Record>,
        now: Now,
    ) -> Verdict {
        let may_issue = !matches!(asked.ask, Ask::View | Ask::ViewConfirm { .. });
        let truth = self.place(asked.place());
        let live = truth.to(now);
        let renews = asked.renews() || asked.to().is_some_and(|to| live.is_some_and(|live| live != to));
        match result {
            Ok(Reply::Challenge(view)) => {
                let email = record.and_then(|record| record.emails.get(view.to.index()));
                let mask: Vec<_> = email.into_iter().map(|email| email.address.masked()).collect();
                require(view.masked_emails == mask && live == Some(view.to), || "another mask".into())?;
                truth
                    .shown(Shown { id: view.id, tries_left: view.tries_left, valid_s: view.valid_s }, now)?;
                truth.renew_promise(view.renew_wait_s, now)
            }
            Err(Refusal::Throttled { wait_s }) if may_issue => {
                require(renews || truth.expect(now) != Expect::Live, || {
                    "a live challenge is not shown".into()
                })?;
                truth.renew_throttled(*wait_s, now)
            }
            Err(Refusal::LanClosed) if may_issue && asked.place().aim == Aim::Reset => {
                require(asked.door == Door::Lan, || "the console never closes".into())?;
                require(renews || truth.expect(now) != Expect::Live, || {
                    "a live challenge is not shown".into()
                })
            }
            Err(Refusal::NoChallenge(Ended::Confirmed)) if may_issue => {
                let email = asked.to().and_then(|to| record.and_then(|record| record.emails.get(to.index())));
                require(email.is_some_and(|email| email.confirmed), || "it is not confirmed".into())
            }
            Err(Refusal::NoChallenge(why)) if !may_issue => truth.refused(*why, now),
            _ => Err(Violation("not an answer to this".into())),
        }
    }

    fn judge_code(&mut self, asked: &Asked, result: &Result<Reply, Refusal>, now: Now) -> Verdict {
        let (versions, run) = (self.versions, self.run);
        let Some(code) = &asked.code else { return Ok(()) };
        let place = asked.place();
        let truth = self.place(place);
        match result {
            Ok(Reply::EmailConfirmed) if place.aim == Aim::Confirm => {
                truth.accepted(code, now).or_else(|why| match truth.is_used() {
                    // Its file is gone by now, which was the last of it.
                    true => Ok(()),
                    false => Err(why),
                })?;
                truth.used(true);
                require(asked.entitled, || "confirmed without a session".into())
            }
            Ok(Reply::CodeAccepted { grant, .. }) if place.aim == Aim::Reset => {
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
            Err(Refusal::WrongCode { tries_left }) => truth.wrong(code, *tries_left, run, now),
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
            Err(Refusal::Unavailable) => Ok(()),
            Err(_) => Err(Violation("not an answer to this".into())),
        }
    }
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
