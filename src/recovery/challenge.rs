//! Codes by email: a challenge is issued, shown, its tries are charged, its code compared, and a right code
//! traded for what it is good for: a grant, or the mark of a confirmed address.

use super::{
    Action, Aim, Context, Effect, GrantToken, Limits, Now, Pending, Place, Record, Refusal, Reply, RequestId,
    Which,
    account::Active,
    effect::Event,
    hashing::TokenHash,
    limits::{GRANT_S, TRIES},
    reply::{ChallengeView, Ended, ResetByEmail},
    state::{StoredPending, Turn},
    throttle::Throttle,
};
use latchkey_protocol::{
    Addresses, Challenge, ChallengeId, Code, Door, Handle, Locale, Message, ParsedChallenge, QrLink,
    SealedChallenge, Tag,
};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// A place's challenge: a live one, or why there is none.
#[derive(Clone)]
pub(super) enum Slot {
    Live(Box<Pending>),
    Ended(Ended),
}

/// A right code was typed for the live challenge of a door. Made only here; a new password
/// without the old one takes it.
#[derive(Clone)]
pub(super) struct CodeVerified(());

/// A right code was typed for the live challenge that confirms this address. Made only here.
pub(super) struct AddressProven(pub(super) Which);

/// The right to set one new password.
#[derive(Clone)]
pub(super) struct Grant {
    token: TokenHash,
    until_ms: u64,
    proof: CodeVerified,
}

/// A try that is charged to a challenge, with the code to compare. Made only by charging, so that
/// no code can be compared that was not paid for.
pub struct ChargedTry {
    id: RequestId,
    place: Place,
    challenge: ChallengeId,
    code: Code,
}

impl ChargedTry {
    /// The request that waits for the answer.
    pub fn request(&self) -> RequestId {
        self.id
    }
}

impl core::fmt::Debug for ChargedTry {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "ChargedTry({:?}, {:?})", self.id, self.place)
    }
}

/// Why a pending challenge counts no more, if so. Asked at boot and before every use.
pub(super) fn ending(
    pending: &Pending,
    place: Place,
    record: &Record,
    limits: &Limits,
    now: Now,
) -> Option<Ended> {
    if pending.boot_id != now.boot_id {
        Some(Ended::Rebooted)
    } else if pending.email_epoch != record.email_epoch {
        Some(Ended::EmailChanged)
    } else if pending.password_epoch != record.password_epoch {
        Some(Ended::PasswordChanged)
    } else if pending.place() != place || pending.life != record.life {
        Some(Ended::Lost)
    } else {
        match now.boottime_ms.checked_sub(pending.issued_boottime_ms) {
            Some(age_ms) if age_ms < limits.validity_s.saturating_mul(1000) => None,
            Some(_) => Some(Ended::Expired),
            // Issued later than now in the same boot: not a file that this device wrote.
            None => Some(Ended::Lost),
        }
    }
}

impl Slot {
    /// What a boot makes of the file that tmpfs holds, or holds no more.
    pub(super) fn boot(
        stored: &StoredPending,
        place: Place,
        record: &Record,
        limits: &Limits,
        now: Now,
    ) -> Self {
        match stored {
            StoredPending::Whole(pending) if pending.life == record.life => {
                match ending(pending, place, record, limits, now) {
                    Some(ended) => Self::Ended(ended),
                    None if pending.tries_left == 0 => Self::Ended(Ended::TooManyTries),
                    None => Self::Live(pending.clone()),
                }
            }
            // None, none that can be read, or one of an account that was erased.
            _ => {
                let share = record.debt(place.door).share(place.aim);
                Self::Ended(match share.issued_in {
                    None => share.ended.map_or(Ended::NeverAsked, Ended::from),
                    Some(boot_id) if boot_id != now.boot_id => Ended::Rebooted,
                    Some(_) => Ended::Lost,
                })
            }
        }
    }

    /// After a read-back: memory may know better why there is none.
    pub(super) fn keep_from(&mut self, old: &Self, place: Place, record: &Record, limits: &Limits, now: Now) {
        if let Self::Ended(ended) = self {
            match old {
                Self::Ended(known) => *ended = *known,
                Self::Live(pending) => {
                    *ended = ending(pending, place, record, limits, now).unwrap_or(*ended);
                }
            }
        }
    }

    /// Forgets a challenge that is over.
    pub(super) fn settle(&mut self, place: Place, record: &Record, limits: &Limits, now: Now) {
        if let Self::Live(pending) = self
            && let Some(ended) = ending(pending, place, record, limits, now)
        {
            *self = Self::Ended(ended);
        }
    }

    /// Ends a live challenge.
    pub(super) fn end(&mut self, why: Ended) {
        if let Self::Live(_) = self {
            *self = Self::Ended(why);
        }
    }

    /// Ends a live challenge that another identity has sealed.
    pub(super) fn end_foreign(&mut self, own: Handle) {
        if let Self::Live(pending) = self
            && ParsedChallenge::parse(&pending.sealed).is_ok_and(|parsed| parsed.handle() != own)
        {
            *self = Self::Ended(Ended::Lost);
        }
    }

    fn live(&self) -> Result<&Pending, Refusal> {
        match self {
            Self::Live(pending) => Ok(pending),
            Self::Ended(ended) => Err(Refusal::NoChallenge(*ended)),
        }
    }

    fn live_mut(&mut self) -> Result<&mut Pending, Refusal> {
        match self {
            Self::Live(pending) => Ok(pending),
            Self::Ended(ended) => Err(Refusal::NoChallenge(*ended)),
        }
    }
}

impl Grant {
    /// The proof that a live grant stands for.
    pub(super) fn check(grant: Option<&Self>, token: &GrantToken, now: Now) -> Result<CodeVerified, Refusal> {
        match grant {
            Some(grant) if grant.token == TokenHash::of_grant(token) && now.boottime_ms < grant.until_ms => {
                Ok(grant.proof.clone())
            }
            _ => Err(Refusal::GrantOver),
        }
    }
}

/// Whether a reset by email can be asked for at a door of an active device.
pub(super) fn offered(context: &Context, record: &Record, door: Door) -> ResetByEmail {
    if door == Door::Lan && !context.limits.lan_reset {
        ResetByEmail::SwitchedOff
    } else if record.emails.is_empty() {
        ResetByEmail::NoEmail
    } else if context.identity.is_none() {
        ResetByEmail::NoIdentity
    } else {
        ResetByEmail::Offered
    }
}

fn check_offered(context: &Context, record: &Record, place: Place) -> Result<(), Refusal> {
    if place.aim == Aim::Confirm {
        return if context.identity.is_some() { Ok(()) } else { Err(Refusal::NoIdentity) };
    }
    match offered(context, record, place.door) {
        ResetByEmail::Offered => Ok(()),
        ResetByEmail::SwitchedOff => Err(Refusal::SwitchedOff),
        ResetByEmail::NoEmail => Err(Refusal::NoEmail),
        ResetByEmail::NoIdentity => Err(Refusal::NoIdentity),
        ResetByEmail::NotActive => Err(Refusal::NotActive),
    }
}

/// Shows the live challenge again, or issues one: counter, debt, boot and notice on flash, then the
/// challenge on tmpfs. A crash between the two leaves the older challenge live, which nobody minds.
pub(super) fn begin(
    context: &Context,
    active: &mut Active,
    place: Place,
    to: Option<Which>,
    renew: bool,
    turn: &mut Turn<'_>,
) -> Result<Reply, Refusal> {
    check_offered(context, &active.record, place)?;
    let Place { door, aim } = place;
    let live = active.slot(place).live().ok().map(|pending| pending.to);
    if live.is_some() && !renew && (to.is_none() || to == live) {
        return view(context, active, place, turn.now);
    }
    let to = to.or(live).unwrap_or_default();
    let identity = context.identity.as_ref().ok_or(Refusal::NoIdentity)?;
    let email = active.record.emails.get(to.index()).ok_or(Refusal::NoSuchEmail)?;
    let confirmed = email.confirmed;
    let addresses = Addresses::new(vec![email.address.clone()]).map_err(|_| Refusal::NoEmail)?;
    let counter = active.record.challenge_counter.checked_add(1).ok_or(Refusal::Unavailable)?;

    let (record, memory) = active.record_and_door(door);
    memory.throttle.charge_challenge(record.debt_mut(door), door, aim, turn.now)?;
    record.challenge_counter = counter;

    let id = ChallengeId(turn.random());
    let code = Code::draw(turn.rng);
    let challenge = Challenge {
        id,
        message: match aim {
            Aim::Reset => Message::Reset(code.clone()),
            Aim::Confirm => Message::ConfirmEmail(code.clone()),
        },
        life: record.life,
        counter,
        door,
        confirmed,
        device_time_unix_s: turn.now.wall_unix_s,
        locale: Locale::default(),
        tz_offset_min: turn.now.tz_offset_min,
        addresses,
    };
    let sealed = SealedChallenge::seal(identity, &challenge, turn.rng).map_err(|_| Refusal::Unavailable)?;
    let code_salt = turn.random();
    let pending = Box::new(Pending {
        id,
        door,
        aim,
        to,
        life: record.life,
        code_salt,
        code_hash: code_hash(&code_salt, id, &code),
        sealed,
        boot_id: turn.now.boot_id,
        issued_boottime_ms: turn.now.boottime_ms,
        password_epoch: record.password_epoch,
        email_epoch: record.email_epoch,
        tries_left: TRIES,
    });
    *memory.slot_mut(aim) = Slot::Live(pending.clone());
    if aim == Aim::Reset {
        active.tell_of_request(context, door, turn);
    }
    active.commit(turn);
    turn.push(Effect::WritePending(pending));
    turn.push(Effect::Log(match aim {
        Aim::Reset => Event::ChallengeIssued(door),
        Aim::Confirm => Event::ConfirmationIssued(door),
    }));
    if aim == Aim::Reset && Throttle::is_reset_closed(active.record.debt(door), door) {
        turn.push(Effect::Log(Event::LanClosed));
    }
    view(context, active, place, turn.now)
}

/// Shows the live challenge.
pub(super) fn view(context: &Context, active: &Active, place: Place, now: Now) -> Result<Reply, Refusal> {
    check_offered(context, &active.record, place)?;
    let identity = context.identity.as_ref().ok_or(Refusal::NoIdentity)?;
    let Place { door, aim } = place;
    let pending = active.slot(place).live()?;
    let age_ms = now.boottime_ms.saturating_sub(pending.issued_boottime_ms);
    let email = active.record.emails.get(pending.to.index());
    Ok(Reply::Challenge(Box::new(ChallengeView {
        id: pending.id,
        door,
        link: QrLink { host: identity.host.clone(), sealed: pending.sealed.clone() },
        mailbox: identity.mailbox.clone(),
        tag: Tag::of(pending.sealed.as_bytes()),
        to: pending.to,
        masked_emails: email.into_iter().map(|email| email.address.masked()).collect(),
        valid_s: context.limits.validity_s.saturating_mul(1000).saturating_sub(age_ms) / 1000,
        tries_left: pending.tries_left,
        renew_wait_s: active.door(door).throttle.renew_wait_s(active.record.debt(door), aim, now),
    })))
}

/// Charges one try; once that is durable, [`compare`] follows.
pub(super) fn charge(
    context: &Context,
    active: &mut Active,
    id: RequestId,
    place: Place,
    code: Code,
    turn: &mut Turn<'_>,
) -> Result<(), Refusal> {
    let Place { door, aim } = place;
    if aim == Aim::Reset && door == Door::Lan && !context.limits.lan_reset {
        return Err(Refusal::SwitchedOff);
    }
    let pending = active.door_mut(door).slot_mut(aim).live_mut()?;
    // The last try is charged and not compared yet: whether another is left depends on it.
    pending.tries_left = pending.tries_left.checked_sub(1).ok_or(Refusal::Busy)?;
    let challenge = pending.id;
    turn.push(Effect::WritePending(Box::new(pending.clone())));
    turn.push(Effect::Then(Action::CompareCode(ChargedTry { id, place, challenge, code })));
    Ok(())
}

/// Compares a code whose try is charged. A right one for a reset gets its try back, so that a crash before
/// the new password is set costs nobody the code; a right one that confirms an address is used up.
pub(super) fn compare(
    active: &mut Active,
    charged: &ChargedTry,
    turn: &mut Turn<'_>,
) -> Result<Reply, Refusal> {
    let Place { door, aim } = charged.place;
    let memory = active.door_mut(door);
    let pending = memory.slot_mut(aim).live_mut()?;
    if pending.id != charged.challenge {
        return Err(Refusal::NoChallenge(Ended::Renewed));
    }
    let hash = code_hash(&pending.code_salt, pending.id, &charged.code);
    if bool::from(hash.ct_eq(&pending.code_hash)) {
        if aim == Aim::Confirm {
            let proven = AddressProven(pending.to);
            *memory.slot_mut(aim) = Slot::Ended(Ended::Confirmed);
            active.confirm(&proven, door, turn);
            return Ok(Reply::EmailConfirmed);
        }
        pending.tries_left += 1;
        turn.push(Effect::WritePending(Box::new(pending.clone())));
        turn.push(Effect::Log(Event::CodeAccepted(door)));
        let grant = GrantToken(turn.random());
        memory.grant = Some(Grant {
            token: TokenHash::of_grant(&grant),
            until_ms: turn.now.boottime_ms.saturating_add(GRANT_S * 1000),
            proof: CodeVerified(()),
        });
        return Ok(Reply::CodeAccepted { grant, valid_s: GRANT_S });
    }
    let tries_left = pending.tries_left;
    if tries_left == 0 {
        // The hash goes; the rest stays on tmpfs, so that a restart still knows why it ended.
        pending.code_hash = [0; 32];
        turn.push(Effect::WritePending(Box::new(pending.clone())));
        *memory.slot_mut(aim) = Slot::Ended(Ended::TooManyTries);
    }
    turn.push(Effect::Log(Event::CodeRefused(door)));
    Err(Refusal::WrongCode { tries_left })
}

fn code_hash(salt: &[u8; 16], id: ChallengeId, code: &Code) -> [u8; 32] {
    Sha256::new()
        .chain_update(salt)
        .chain_update(id.0)
        .chain_update(code.number().to_be_bytes())
        .finalize()
        .into()
}
