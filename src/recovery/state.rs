//! The state of the heart: what a boot makes of what is stored, and the step.

use super::{
    Action, Aim, DeviceCode, Effect, Limits, Notice, Now, Pending, Place, Record, Refusal, Reply, Request,
    RequestId,
    account::{self, Active, Answer},
    challenge, emails, hashing,
    hashing::Hashing,
    reply::{Description, Lifecycle},
    sign_in,
};
use latchkey_protocol::{DeviceIdentity, Door};
use rand_core::CryptoRng;
use std::sync::Arc;

/// Facts of the device. Only the identity changes while the daemon runs.
#[derive(Clone)]
pub struct Context {
    /// What it takes to seal a challenge; absent until the device is registered with a cloud.
    pub identity: Option<Arc<DeviceIdentity>>,
    /// The serial on the label: no password may be the serial.
    pub serial: String,
    /// The device verification code on the label; without one it is drawn.
    pub label_code: Option<DeviceCode>,
    /// The board's numbers.
    pub limits: Limits,
    /// What the board has its hooks for.
    pub hooks: Hooks,
}

/// What the board has its hooks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Hooks {
    /// It has none.
    #[default]
    None,
    /// The recorder's other software is told each new password.
    Told,
    /// The vendor's own database keeps the password and compares it; the record has no hash.
    Authority,
}

/// What was read from flash and tmpfs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The account record.
    pub record: StoredRecord,
    /// The pending challenges, in the order of [`Place::ALL`].
    pub pending: [StoredPending; 4],
}

/// The account record as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredRecord {
    /// Neither copy exists: the device is inactive.
    Absent,
    /// The newest whole copy.
    Whole(Box<Record>),
    /// Copies exist and none is whole.
    Damaged,
}

/// A pending challenge as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredPending {
    /// No file.
    Absent,
    /// A whole one; whether it is live is for the heart to say.
    Whole(Box<Pending>),
    /// A file that cannot be read or understood.
    Unreadable,
}

/// The next state, to be installed once every durable effect has succeeded, and what to do for it.
#[derive(Debug)]
pub struct Step {
    /// The next state.
    pub state: State,
    /// What to do, in this order.
    pub effects: Vec<Effect>,
}

/// Everything the heart knows. Made by [`State::boot`]; changed only by taking a [`Step`]'s.
#[derive(Clone)]
pub struct State {
    context: Arc<Context>,
    phase: Phase,
    hashing: Hashing,
}

/// Where the device is in its life, with what it has only there.
#[derive(Clone)]
pub(super) enum Phase {
    Inactive,
    Active(Box<Active>),
    Damaged,
}

/// What one step has at hand.
pub(super) struct Turn<'a> {
    pub(super) now: Now,
    pub(super) rng: &'a mut dyn CryptoRng,
    pub(super) effects: Vec<Effect>,
    /// What is said once everything durable is done.
    pub(super) last: Vec<Effect>,
}

impl<'a> Turn<'a> {
    pub(super) fn new(now: Now, rng: &'a mut dyn CryptoRng) -> Self {
        Self { now, rng, effects: Vec::new(), last: Vec::new() }
    }

    pub(super) fn random<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.rng.fill_bytes(&mut bytes);
        bytes
    }

    pub(super) fn push(&mut self, effect: Effect) {
        self.effects.push(effect);
    }
}

/// One of something for each door.
#[derive(Clone, Default, Debug)]
pub(super) struct PerDoor<T> {
    console: T,
    lan: T,
}

impl<T> PerDoor<T> {
    pub(super) fn new(mut make: impl FnMut(Door) -> T) -> Self {
        Self { console: make(Door::Console), lan: make(Door::Lan) }
    }

    pub(super) fn of(&self, door: Door) -> &T {
        match door {
            Door::Console => &self.console,
            Door::Lan => &self.lan,
        }
    }

    pub(super) fn of_mut(&mut self, door: Door) -> &mut T {
        match door {
            Door::Console => &mut self.console,
            Door::Lan => &mut self.lan,
        }
    }
}

/// Both doors, the console first.
pub(super) const DOORS: [Door; 2] = [Door::Console, Door::Lan];

impl Stored {
    /// A record, and no pending challenge.
    pub fn of(record: StoredRecord) -> Self {
        Self { record, pending: [const { StoredPending::Absent }; 4] }
    }

    /// A place's pending challenge.
    pub fn pending(&self, place: Place) -> &StoredPending {
        // Never outside: an index is one of four.
        &self.pending[place.index()]
    }

    /// A place's pending challenge, to be replaced.
    pub fn pending_mut(&mut self, place: Place) -> &mut StoredPending {
        &mut self.pending[place.index()]
    }
}

impl State {
    /// The state at the start of the daemon. Every wait starts again: a restart gives no credit.
    ///
    /// Tickets start again too, so outcomes of hash jobs of an earlier state must not be fed to this
    /// one; after a failed effect use [`State::read_back`].
    pub fn boot(context: Context, stored: Stored, now: Now) -> Self {
        let phase = match &stored.record {
            StoredRecord::Absent => Phase::Inactive,
            StoredRecord::Damaged => Phase::Damaged,
            StoredRecord::Whole(record) => {
                Phase::Active(Box::new(Active::boot(record, &stored, &context.limits, now)))
            }
        };
        let mut state = Self { context: Arc::new(context), phase, hashing: Hashing::default() };
        state.end_foreign();
        state
    }

    /// The state with another identity, or with new keys in the one that there was.
    pub fn with_identity(&self, identity: Option<Arc<DeviceIdentity>>) -> Self {
        let mut state = self.clone();
        Arc::make_mut(&mut state.context).identity = identity;
        state.end_foreign();
        state
    }

    /// Ends challenges that were sealed under another identity: a QR code would lead to a cloud that
    /// cannot open them.
    fn end_foreign(&mut self) {
        let (Phase::Active(active), Some(identity)) = (&mut self.phase, &self.context.identity) else {
            return;
        };
        for place in Place::ALL {
            active.door_mut(place.door).slot_mut(place.aim).end_foreign(identity.handle);
        }
    }

    /// The state to go on from after a durable effect of a step failed: `self` is the state before
    /// that step, `stored` what was read back.
    ///
    /// The shell answers [`super::Refusal::StorageFailed`] to every request that has no answer yet: the queue
    /// of hash jobs is empty now. Sessions, grants and counts that are still true stay; every wait
    /// starts again, so that a failure gives no credit.
    pub fn read_back(&self, stored: Stored, now: Now) -> Self {
        let mut state = Self::boot(Context::clone(&self.context), stored, now);
        state.hashing = self.hashing.emptied();
        if let (Phase::Active(old), Phase::Active(new)) = (&self.phase, &mut state.phase) {
            new.keep_from(old, &self.context.limits, now);
        }
        state
    }

    /// The settings of platform access: off unless the device is active.
    pub fn platform(&self) -> super::PlatformSettings {
        match &self.phase {
            Phase::Active(active) => active.record.platform.clone(),
            Phase::Inactive | Phase::Damaged => super::PlatformSettings::default(),
        }
    }

    /// What the cloud is to be handed, the oldest first.
    pub fn notices(&self) -> &[Notice] {
        match &self.phase {
            Phase::Active(active) => &active.record.notices,
            Phase::Inactive | Phase::Damaged => &[],
        }
    }

    /// What follows from an action at a moment.
    pub fn step(&self, action: Action, now: Now, rng: &mut dyn CryptoRng) -> Step {
        let mut state = self.clone();
        let mut turn = Turn::new(now, rng);
        if let Phase::Active(active) = &mut state.phase {
            active.settle(&state.context.limits, now);
        }
        match action {
            Action::Asked { id, door, request } => {
                let answer = state.ask(id, door, request, &mut turn);
                if answer.is_err() {
                    // A request that is refused at once changes nothing.
                    state = self.clone();
                    turn.effects.clear();
                    turn.last.clear();
                }
                reply(id, answer, &mut turn);
            }
            Action::Hashed { ticket, outcome } => {
                if let Some(job) = state.hashing.take(ticket) {
                    let answer = state.hashed(&job, outcome, &mut turn);
                    reply(job.id, answer, &mut turn);
                }
            }
            Action::CompareCode(charged) => {
                let id = charged.request();
                let answer =
                    state.active().and_then(|active| challenge::compare(active, &charged, &mut turn));
                reply(id, answer.map(Answer::Now), &mut turn);
            }
            Action::HooksTried { basis, taken } => {
                if let Phase::Active(active) = &mut state.phase {
                    active.hooks_tried(basis, taken, &mut turn);
                }
            }
            Action::NoticesDone(done) => {
                if let Phase::Active(active) = &mut state.phase {
                    active.notices_done(&done, &mut turn);
                }
            }
        }
        turn.effects.append(&mut turn.last);
        state.hashing.start_next(&mut turn);
        Step { state, effects: turn.effects }
    }

    fn ask(
        &mut self,
        id: RequestId,
        door: Door,
        request: Request,
        turn: &mut Turn<'_>,
    ) -> Result<Answer, Refusal> {
        let context = Arc::clone(&self.context);
        if matches!(request, Request::VerifyPassword { .. } | Request::FactoryReset) && door != Door::Console
        {
            return Err(Refusal::ConsoleOnly);
        }
        match request {
            Request::Describe { session } => {
                return Ok(Answer::Now(Reply::Description(self.describe(door, session.as_ref(), turn.now))));
            }
            Request::FactoryReset => return Ok(Answer::Now(self.factory_reset(turn))),
            Request::Activate { password, email } => {
                return match self.phase {
                    Phase::Inactive => {
                        let ask = hashing::Ask { id, door, basis: None };
                        account::activate(&context, &mut self.hashing, ask, password, email, turn)
                    }
                    Phase::Active(_) => Err(Refusal::AlreadyActive),
                    Phase::Damaged => Err(Refusal::RecordDamaged),
                };
            }
            _ => {}
        }
        let active = match &mut self.phase {
            Phase::Active(active) => active,
            Phase::Inactive => return Err(Refusal::NotActive),
            Phase::Damaged => return Err(Refusal::RecordDamaged),
        };
        let ask = hashing::Ask { id, door, basis: Some(active.epochs()) };
        let queue = &mut self.hashing;
        let reset = Place { door, aim: Aim::Reset };
        match request {
            // Answered above: these are for any phase.
            Request::Describe { .. } | Request::FactoryReset | Request::Activate { .. } => {
                Err(Refusal::Unavailable)
            }
            Request::SignIn { password } => {
                let purpose = hashing::Purpose::SignIn { password: password.clone() };
                sign_in::compare_password(active, queue, ask, password, purpose, turn)
            }
            Request::VerifyPassword { password } => {
                let purpose = hashing::Purpose::VerifyPassword;
                sign_in::compare_password(active, queue, ask, password, purpose, turn)
            }
            Request::SignOut { session } => {
                active.door_mut(door).sessions.end(&session);
                Ok(Answer::Now(Reply::SignedOut))
            }
            Request::ChangePassword { session, current, new } => {
                account::change_password(&context, active, queue, ask, &session, current, new, turn)
            }
            Request::ReservedEmails { session } => {
                active.door_mut(door).sessions.check(&session, turn.now)?;
                Ok(Answer::Now(Reply::ReservedEmails(active.record.emails.clone())))
            }
            Request::SetReservedEmail { session, current, which, email } => {
                emails::set(active, queue, ask, session, current, (which, email), turn)
            }
            Request::BeginConfirmation { session, which, renew } => {
                let wish = (which, renew);
                emails::begin_confirmation(&context, active, door, &session, wish, turn).map(Answer::Now)
            }
            Request::ViewConfirmation { session } => {
                emails::view_confirmation(&context, active, door, &session, turn).map(Answer::Now)
            }
            Request::ConfirmEmail { session, code } => {
                emails::type_code(&context, active, ask, &session, code, turn)?;
                Ok(Answer::Later)
            }
            Request::Platform { session } => {
                active.door_mut(door).sessions.check(&session, turn.now)?;
                Ok(Answer::Now(Reply::Platform(active.record.platform.clone())))
            }
            Request::SetPlatform { session, settings } => {
                account::set_platform(&context, active, door, &session, settings, turn).map(Answer::Now)
            }
            Request::BeginReset { renew, to } => {
                challenge::begin(&context, active, reset, to, renew, turn).map(Answer::Now)
            }
            Request::ViewChallenge => challenge::view(&context, active, reset, turn.now).map(Answer::Now),
            Request::VerifyCode { code } => {
                challenge::charge(&context, active, id, reset, code, turn)?;
                Ok(Answer::Later)
            }
            Request::SetPassword { grant, password } => {
                account::set_password(&context, active, queue, ask, &grant, password, turn)
            }
        }
    }

    /// A hash job's outcome. It counts only if nothing that it was based on has changed meanwhile.
    fn hashed(
        &mut self,
        job: &hashing::Running,
        outcome: super::HashOutcome,
        turn: &mut Turn<'_>,
    ) -> Result<Answer, Refusal> {
        match (&mut self.phase, job.basis) {
            (Phase::Active(active), Some(basis)) if active.epochs() == basis => {
                account::finish(&self.context, active, &mut self.hashing, job, outcome, turn)
            }
            (Phase::Inactive, None) => {
                let (active, reply) = account::finish_activation(&self.context, job, outcome, turn)?;
                self.phase = Phase::Active(Box::new(active));
                Ok(Answer::Now(reply))
            }
            (Phase::Active(_), None) => Err(Refusal::AlreadyActive),
            _ => Err(Refusal::Superseded),
        }
    }

    fn active(&mut self) -> Result<&mut Active, Refusal> {
        match &mut self.phase {
            Phase::Active(active) => Ok(active),
            Phase::Inactive => Err(Refusal::NotActive),
            Phase::Damaged => Err(Refusal::RecordDamaged),
        }
    }

    fn describe(&mut self, door: Door, session: Option<&super::SessionToken>, now: Now) -> Description {
        let lifecycle = match self.phase {
            Phase::Inactive => Lifecycle::Inactive,
            Phase::Active(_) => Lifecycle::Active,
            Phase::Damaged => Lifecycle::Damaged,
        };
        match &mut self.phase {
            Phase::Active(active) => account::describe(&self.context, active, door, session, now),
            _ => Description {
                lifecycle,
                masked_emails: Vec::new(),
                emails_confirmed: Vec::new(),
                reset_by_email: super::reply::ResetByEmail::NotActive,
                pending_doors: Vec::new(),
                signed_in: false,
                hooks: super::reply::HookView::Settled,
            },
        }
    }

    /// Back to the box: works whatever the record is, because it is the way out of a damaged one.
    fn factory_reset(&mut self, turn: &mut Turn<'_>) -> Reply {
        self.phase = Phase::Inactive;
        turn.push(Effect::EraseRecord);
        for place in Place::ALL {
            turn.push(Effect::ErasePending(place));
        }
        if self.context.hooks == Hooks::Told {
            turn.push(Effect::Hooks(super::HookOrder::Forget));
        }
        turn.push(Effect::Log(super::effect::Event::FactoryReset));
        for id in self.hashing.abandon() {
            turn.push(Effect::Reply(id, Err(Refusal::Superseded)));
        }
        Reply::FactoryResetDone
    }
}

fn reply(id: RequestId, answer: Result<Answer, Refusal>, turn: &mut Turn<'_>) {
    match answer {
        Ok(Answer::Now(reply)) => turn.push(Effect::Reply(id, Ok(reply))),
        Ok(Answer::Later) => {}
        Err(refusal) => turn.push(Effect::Reply(id, Err(refusal))),
    }
}

/// Shows the phase alone: the rest holds hashes and addresses.
impl core::fmt::Debug for State {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self.phase {
            Phase::Inactive => "State(inactive)",
            Phase::Active(_) => "State(active)",
            Phase::Damaged => "State(damaged)",
        })
    }
}
