//! The account of an active device, and everything that changes it. Each change of the password
//! or the email takes a proof that only [`super::sign_in`] or [`super::challenge`] can make.

use super::{
    Aim, Context, Effect, GrantToken, HashJob, HashOutcome, Limits, Now, Password, Place, Record, Refusal,
    Reply, ReservedEmail, SessionToken,
    challenge::{self, CodeVerified, Grant, Slot},
    effect::{Event, HookEvent},
    emails,
    hashing::{Ask, Epochs, Hashing, Purpose, Running},
    password,
    record::{Debt, DeviceCode, EndedBy, PlatformSettings, ResetNote, Share},
    reply::{Description, Ended, HookView, Lifecycle},
    sign_in::{self, PasswordVerified, Sessions},
    state::{DOORS, Hooks, PerDoor, Stored, Turn},
    throttle::Throttle,
};
use latchkey_protocol::{Address, Door, Life};

/// An answer now, or after a hash job.
pub(super) enum Answer {
    Now(Reply),
    Later,
}

/// An active device: what flash holds, and what memory holds for each door.
#[derive(Clone)]
pub(super) struct Active {
    pub(super) record: Record,
    doors: PerDoor<DoorState>,
    pub(super) hooks: HookView,
}

/// A door's share of the memory.
#[derive(Clone)]
pub(super) struct DoorState {
    reset: Slot,
    confirm: Slot,
    pub(super) grant: Option<Grant>,
    pub(super) sessions: Sessions,
    pub(super) throttle: Throttle,
}

impl DoorState {
    pub(super) fn slot_mut(&mut self, aim: Aim) -> &mut Slot {
        match aim {
            Aim::Reset => &mut self.reset,
            Aim::Confirm => &mut self.confirm,
        }
    }
}

/// What gives the right to set a password.
enum Proof {
    Code(CodeVerified, ResetNote),
    Password(PasswordVerified),
}

impl Active {
    pub(super) fn boot(record: &Record, stored: &Stored, limits: &Limits, now: Now) -> Self {
        let slot = |place| Slot::boot(stored.pending(place), place, record, limits, now);
        let doors = PerDoor::new(|door| DoorState {
            reset: slot(Place { door, aim: Aim::Reset }),
            confirm: slot(Place { door, aim: Aim::Confirm }),
            grant: None,
            sessions: Sessions::default(),
            throttle: Throttle::boot(record.debt(door), now),
        });
        // The password itself was in memory alone, which is gone.
        let hooks = if record.hooks_owed { HookView::AtNextSignIn } else { HookView::Settled };
        Self { record: record.clone(), doors, hooks }
    }

    /// Takes over from memory what a failed step cannot have made untrue.
    pub(super) fn keep_from(&mut self, old: &Self, limits: &Limits, now: Now) {
        if self.record.life != old.record.life {
            return;
        }
        if self.record.hooks_owed && self.record.password_epoch == old.record.password_epoch {
            self.hooks = old.hooks;
        }
        for door in DOORS {
            let Self { record, doors, .. } = self;
            let (memory, known) = (doors.of_mut(door), old.doors.of(door));
            memory.reset.keep_from(&known.reset, Place { door, aim: Aim::Reset }, record, limits, now);
            memory.confirm.keep_from(&known.confirm, Place { door, aim: Aim::Confirm }, record, limits, now);
            memory.throttle.keep_from(&known.throttle);
            if record.password_epoch == old.record.password_epoch {
                memory.sessions = known.sessions.clone();
            }
            if self.epochs() == old.epochs() {
                self.doors.of_mut(door).grant = known.grant.clone();
            }
        }
    }

    pub(super) fn epochs(&self) -> Epochs {
        Epochs {
            life: self.record.life,
            password: self.record.password_epoch,
            email: self.record.email_epoch,
        }
    }

    pub(super) fn door(&self, door: Door) -> &DoorState {
        self.doors.of(door)
    }

    pub(super) fn door_mut(&mut self, door: Door) -> &mut DoorState {
        self.doors.of_mut(door)
    }

    pub(super) fn slot(&self, place: Place) -> &Slot {
        let memory = self.doors.of(place.door);
        match place.aim {
            Aim::Reset => &memory.reset,
            Aim::Confirm => &memory.confirm,
        }
    }

    pub(super) fn record_and_door(&mut self, door: Door) -> (&mut Record, &mut DoorState) {
        (&mut self.record, self.doors.of_mut(door))
    }

    pub(super) fn masked_emails(&self) -> Vec<String> {
        self.record.emails.iter().map(|email| email.address.masked()).collect()
    }

    pub(super) fn commit(&self, turn: &mut Turn<'_>) {
        turn.push(Effect::CommitRecord(Box::new(self.record.clone())));
    }

    /// Forgets challenges that are over.
    pub(super) fn settle(&mut self, limits: &Limits, now: Now) {
        for place in Place::ALL {
            let slot = self.doors.of_mut(place.door).slot_mut(place.aim);
            slot.settle(place, &self.record, limits, now);
        }
    }

    /// A right password at a door: the door owes nothing more, and at the console it opens a closed
    /// LAN door. Gives whether the record changed.
    pub(super) fn succeed(&mut self, door: Door) -> bool {
        let (record, memory) = self.record_and_door(door);
        let mut changed = memory.throttle.succeed(record.debt_mut(door));
        let (record, lan) = self.record_and_door(Door::Lan);
        if door == Door::Console && lan.throttle.is_closed(&record.lan, Door::Lan) {
            changed |= lan.throttle.succeed(&mut record.lan);
        }
        changed
    }

    fn set_password(
        &mut self,
        context: &Context,
        proof: &Proof,
        phc: String,
        turn: &mut Turn<'_>,
    ) -> Result<(), Refusal> {
        self.record.password_epoch = next_epoch(self.record.password_epoch)?;
        self.owe_hooks(context);
        self.record.password_phc = phc;
        if let Proof::Code(_, note) = proof {
            self.record.reset_to_tell = Some(*note);
            self.tell_of_reset(context, note.door, turn);
            for door in DOORS {
                let (record, memory) = self.record_and_door(door);
                let Debt { issued_in, ended, confirm, .. } = *record.debt(door);
                let confirm = Share { tries: 0, ..confirm };
                *record.debt_mut(door) = Debt { issued_in, ended, confirm, ..Debt::default() };
                memory.throttle.succeed(record.debt_mut(door));
                memory.sessions.end_all();
            }
        }
        self.end_challenges(EndedBy::Password, turn);
        Ok(())
    }

    /// Commits the record, whose new epoch has killed every challenge, then erases them. Why they ended stands
    /// in the record: a restart still knows.
    pub(super) fn end_challenges(&mut self, by: EndedBy, turn: &mut Turn<'_>) {
        for place in Place::ALL {
            let (record, memory) = self.record_and_door(place.door);
            let debt = record.debt_mut(place.door);
            let mut share = debt.share(place.aim);
            if share.issued_in.take().is_some() {
                share.ended = Some(by);
            }
            debt.set_share(place.aim, share);
            memory.slot_mut(place.aim).end(by.into());
            memory.grant = None;
        }
        self.commit(turn);
        for place in Place::ALL {
            turn.push(Effect::ErasePending(place));
        }
    }
}

/// Platform access as the owner wants it from now on. It opens nothing at this device, so a session is
/// enough; nothing is written if nothing changes.
pub(super) fn set_platform(
    context: &Context,
    active: &mut Active,
    door: Door,
    session: &SessionToken,
    mut settings: PlatformSettings,
    turn: &mut Turn<'_>,
) -> Result<Reply, Refusal> {
    active.door_mut(door).sessions.check(session, turn.now)?;
    let old = &active.record.platform;
    settings.verification_code = settings.verification_code.or_else(|| old.verification_code.clone());
    if settings.enabled && settings.verification_code.is_none() {
        let label = context.label_code.clone();
        settings.verification_code = Some(label.unwrap_or_else(|| DeviceCode::draw(turn.random())));
    }
    if settings != *old {
        active.record.platform = settings.clone();
        active.commit(turn);
        turn.push(Effect::Log(Event::PlatformSet(door)));
    }
    Ok(Reply::Platform(settings))
}

pub(super) fn next_epoch(epoch: u32) -> Result<u32, Refusal> {
    epoch.checked_add(1).ok_or(Refusal::Unavailable)
}

fn make(context: &Context, password: Password, event: HookEvent, turn: &mut Turn<'_>) -> HashJob {
    match context.hooks {
        Hooks::Authority => HashJob::SetAtAuthority { password, event },
        Hooks::None | Hooks::Told => HashJob::Make { password, salt: turn.random() },
    }
}

/// The first password: hashed here, stored by [`finish_activation`].
pub(super) fn activate(
    context: &Context,
    queue: &mut Hashing,
    ask: Ask,
    password: Password,
    email: Option<Address>,
    turn: &mut Turn<'_>,
) -> Result<Answer, Refusal> {
    password::check(&password, &context.limits, &context.serial).map_err(Refusal::WeakPassword)?;
    queue.room(ask.door)?;
    let job = make(context, password.clone(), HookEvent::Activated, turn);
    queue.add(ask, job, Purpose::Activate { password, email });
    Ok(Answer::Later)
}

/// Creates the record, with a life of its own.
pub(super) fn finish_activation(
    context: &Context,
    job: &Running,
    outcome: HashOutcome,
    turn: &mut Turn<'_>,
) -> Result<(Active, Reply), Refusal> {
    let (Purpose::Activate { password, email }, HashOutcome::Made(password_phc)) = (&job.purpose, outcome)
    else {
        return Err(Refusal::Unavailable);
    };
    let emails = email.iter().map(|address| ReservedEmail { address: address.clone(), confirmed: false });
    let record = Record {
        life: Life(turn.random()),
        challenge_counter: 0,
        password_phc,
        password_epoch: 0,
        emails: emails.collect(),
        email_epoch: 0,
        console: Debt::default(),
        lan: Debt::default(),
        reset_to_tell: None,
        hooks_owed: false,
        platform: PlatformSettings::default(),
        notices: Vec::new(),
    };
    let doors = PerDoor::new(|door| DoorState {
        reset: Slot::Ended(Ended::NeverAsked),
        confirm: Slot::Ended(Ended::NeverAsked),
        grant: None,
        sessions: Sessions::default(),
        throttle: Throttle::boot(record.debt(door), turn.now),
    });
    let mut active = Active { record, doors, hooks: HookView::Settled };
    active.owe_hooks(context);
    active.commit(turn);
    active.tell_hooks(HookEvent::Activated, password, turn);
    let session = active.door_mut(job.door).sessions.begin(turn);
    turn.push(Effect::Log(Event::Activated(job.door)));
    Ok((active, Reply::Activated(session)))
}

/// A new password in the place of a known one: compared, hashed, stored. The rules come first, so
/// that a weak new password is no failed try at the old one.
#[allow(clippy::too_many_arguments, reason = "a request's fields and what it acts on")]
pub(super) fn change_password(
    context: &Context,
    active: &mut Active,
    queue: &mut Hashing,
    ask: Ask,
    session: &SessionToken,
    current: Password,
    new: Password,
    turn: &mut Turn<'_>,
) -> Result<Answer, Refusal> {
    active.door_mut(ask.door).sessions.check(session, turn.now)?;
    password::check(&new, &context.limits, &context.serial).map_err(Refusal::WeakPassword)?;
    let purpose = Purpose::ChangePassword { session: session.clone(), new };
    sign_in::compare_password(active, queue, ask, current, purpose, turn)
}

/// A new password for a grant. The grant is used up only when the password is stored.
pub(super) fn set_password(
    context: &Context,
    active: &mut Active,
    queue: &mut Hashing,
    ask: Ask,
    grant: &GrantToken,
    password: Password,
    turn: &mut Turn<'_>,
) -> Result<Answer, Refusal> {
    let proof = Grant::check(active.door(ask.door).grant.as_ref(), grant, turn.now)?;
    password::check(&password, &context.limits, &context.serial).map_err(Refusal::WeakPassword)?;
    queue.room(ask.door)?;
    let job = make(context, password.clone(), HookEvent::PasswordReset, turn);
    queue.add(ask, job, Purpose::StoreReset { new: password, proof });
    Ok(Answer::Later)
}

/// Goes on after a hash job of an active device, whose epochs are still the job's.
pub(super) fn finish(
    context: &Context,
    active: &mut Active,
    queue: &mut Hashing,
    job: &Running,
    outcome: HashOutcome,
    turn: &mut Turn<'_>,
) -> Result<Answer, Refusal> {
    let ask = Ask { id: job.id, door: job.door, basis: job.basis };
    match &job.purpose {
        Purpose::Activate { .. } => Err(Refusal::AlreadyActive),
        Purpose::SignIn { password } => sign_in::signed_in(active, job, password, outcome, turn),
        Purpose::VerifyPassword => sign_in::password_is_right(active, job, outcome, turn),
        Purpose::ChangePassword { session, new } => {
            let proof = sign_in::password_compared(active, job.door, outcome, turn)?;
            if active.succeed(job.door) {
                active.commit(turn);
            }
            let job = make(context, new.clone(), HookEvent::PasswordChanged, turn);
            let purpose = Purpose::StoreChanged { session: session.clone(), new: new.clone(), proof };
            queue.go_on(ask, job, purpose);
            Ok(Answer::Later)
        }
        Purpose::SetEmail { session, which, email } => {
            let proof = sign_in::password_compared(active, job.door, outcome, turn)?;
            let set = (session, *which, email.as_ref());
            emails::finish_set(context, active, job.door, &proof, set, turn).map(Answer::Now)
        }
        Purpose::StoreChanged { session, new, proof } => {
            let HashOutcome::Made(phc) = outcome else { return Err(Refusal::Unavailable) };
            active.door_mut(job.door).sessions.check(session, turn.now)?;
            active.set_password(context, &Proof::Password(proof.clone()), phc, turn)?;
            active.tell_hooks(HookEvent::PasswordChanged, new, turn);
            for door in DOORS {
                active.door_mut(door).sessions.keep_only(session);
            }
            turn.push(Effect::Log(Event::PasswordChanged(job.door)));
            Ok(Answer::Now(Reply::PasswordChanged))
        }
        Purpose::StoreReset { new, proof } => {
            let HashOutcome::Made(phc) = outcome else { return Err(Refusal::Unavailable) };
            let note = ResetNote { door: job.door, wall_unix_s: turn.now.wall_unix_s };
            active.set_password(context, &Proof::Code(proof.clone(), note), phc, turn)?;
            active.tell_hooks(HookEvent::PasswordReset, new, turn);
            turn.push(Effect::Log(Event::PasswordReset(job.door)));
            Ok(Answer::Now(Reply::PasswordReset))
        }
    }
}

/// What anyone may see of an active device.
pub(super) fn describe(
    context: &Context,
    active: &mut Active,
    door: Door,
    session: Option<&SessionToken>,
    now: Now,
) -> Description {
    let signed_in = session.is_some_and(|session| active.door_mut(door).sessions.check(session, now).is_ok());
    Description {
        lifecycle: Lifecycle::Active,
        masked_emails: active.masked_emails(),
        emails_confirmed: active.record.emails.iter().map(|email| email.confirmed).collect(),
        reset_by_email: challenge::offered(context, &active.record, door),
        pending_doors: DOORS.into_iter().filter(|&d| matches!(active.door(d).reset, Slot::Live(_))).collect(),
        signed_in,
        hooks: active.hooks,
    }
}
