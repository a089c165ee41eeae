//! The reserved emails: setting and removing them with the password, and confirming each with a code of
//! its own.

use super::{
    Aim, Context, Effect, Password, Place, Record, Refusal, Reply, ReservedEmail, SessionToken, Which,
    account::{Active, Answer},
    challenge::{self, AddressProven},
    effect::Event,
    hashing::{Ask, Hashing, Purpose},
    record::{EndedBy, Share},
    sign_in::{self, PasswordVerified},
    state::Turn,
};
use latchkey_protocol::{Address, Code, Door};

/// The addresses that follow from setting or removing one. An address that is there already stays confirmed.
fn changed(record: &Record, which: Which, email: Option<&Address>) -> Result<Vec<ReservedEmail>, Refusal> {
    let reserved = |address: &Address| {
        let known = record.emails.iter().find(|email| email.address == *address);
        known.cloned().unwrap_or(ReservedEmail { address: address.clone(), confirmed: false })
    };
    let other = record.emails.get(1 - which.index());
    if let (Some(email), Some(other)) = (email, other)
        && email.as_str().eq_ignore_ascii_case(other.address.as_str())
    {
        return Err(Refusal::SameEmail);
    }
    if which == Which::Second && email.is_some() && other.is_none() {
        return Err(Refusal::NoSuchEmail);
    }
    let own = email.map(reserved);
    let (first, second) = match which {
        Which::Primary => (own, other.cloned()),
        Which::Second => (other.cloned(), own),
    };
    Ok(first.into_iter().chain(second).collect())
}

/// Sets or removes a reserved email, confirmed by the password.
pub(super) fn set(
    active: &mut Active,
    queue: &mut Hashing,
    ask: Ask,
    session: SessionToken,
    current: Password,
    (which, email): (Which, Option<Address>),
    turn: &mut Turn<'_>,
) -> Result<Answer, Refusal> {
    active.door_mut(ask.door).sessions.check(&session, turn.now)?;
    changed(&active.record, which, email.as_ref())?;
    sign_in::compare_password(active, queue, ask, current, Purpose::SetEmail { session, which, email }, turn)
}

/// The end of [`set`]: the password was right. What is already so is no change.
pub(super) fn finish_set(
    context: &Context,
    active: &mut Active,
    door: Door,
    proof: &PasswordVerified,
    (session, which, email): (&SessionToken, Which, Option<&Address>),
    turn: &mut Turn<'_>,
) -> Result<Reply, Refusal> {
    let owed = active.succeed(door);
    let signed_in = active.door_mut(door).sessions.check(session, turn.now);
    let emails = signed_in.and_then(|()| changed(&active.record, which, email));
    match emails {
        Ok(emails) if emails != active.record.emails => {
            active.set_emails(context, proof, door, emails, turn)?;
            turn.push(Effect::Log(Event::EmailChanged(door)));
            Ok(Reply::ReservedEmailSet)
        }
        same => {
            if owed {
                active.commit(turn);
            }
            same.map(|_| Reply::ReservedEmailSet)
        }
    }
}

/// A code that shows whose an address is, for someone who is signed in.
pub(super) fn begin_confirmation(
    context: &Context,
    active: &mut Active,
    door: Door,
    session: &SessionToken,
    (which, renew): (Which, bool),
    turn: &mut Turn<'_>,
) -> Result<Reply, Refusal> {
    active.door_mut(door).sessions.check(session, turn.now)?;
    match active.record.emails.get(which.index()) {
        None => Err(Refusal::NoSuchEmail),
        Some(email) if email.confirmed => Err(Refusal::NoChallenge(super::Ended::Confirmed)),
        Some(_) => {
            let place = Place { door, aim: Aim::Confirm };
            challenge::begin(context, active, place, Some(which), renew, turn)
        }
    }
}

/// The live challenge, for someone who is signed in.
pub(super) fn view_confirmation(
    context: &Context,
    active: &mut Active,
    door: Door,
    session: &SessionToken,
    turn: &Turn<'_>,
) -> Result<Reply, Refusal> {
    active.door_mut(door).sessions.check(session, turn.now)?;
    challenge::view(context, active, Place { door, aim: Aim::Confirm }, turn.now)
}

/// The code, typed by someone who is signed in.
pub(super) fn type_code(
    context: &Context,
    active: &mut Active,
    ask: Ask,
    session: &SessionToken,
    code: Code,
    turn: &mut Turn<'_>,
) -> Result<(), Refusal> {
    let door = ask.door;
    active.door_mut(door).sessions.check(session, turn.now)?;
    challenge::charge(context, active, ask.id, Place { door, aim: Aim::Confirm }, code, turn)
}

impl Active {
    fn set_emails(
        &mut self,
        context: &Context,
        _proof: &PasswordVerified,
        door: Door,
        emails: Vec<ReservedEmail>,
        turn: &mut Turn<'_>,
    ) -> Result<(), Refusal> {
        self.record.email_epoch = super::account::next_epoch(self.record.email_epoch)?;
        // Before they are gone.
        self.tell_of_changed_address(context, door, turn);
        self.record.emails = emails;
        self.end_challenges(EndedBy::Email, turn);
        Ok(())
    }

    /// Marks an address as its owner's.
    pub(super) fn confirm(&mut self, proven: &AddressProven, door: Door, turn: &mut Turn<'_>) {
        if let Some(email) = self.record.emails.get_mut(proven.0.index()) {
            email.confirmed = true;
        }
        self.record.debt_mut(door).confirm = Share::default();
        self.commit(turn);
        turn.push(Effect::ErasePending(Place { door, aim: Aim::Confirm }));
        turn.push(Effect::Log(Event::EmailConfirmed(door)));
    }
}
