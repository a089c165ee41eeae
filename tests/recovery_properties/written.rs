//! What the judge says of every write: the record on flash, and the challenges on tmpfs.

use crate::{
    events::Ask,
    oracle::{Oracle, Verdict, Violation, require},
    truth::DoorTruth,
};
use latchkey::recovery::{Aim, Notice, Now, Pending, Place, Record, Reply, reply::Ended};
use latchkey_protocol::{Challenge, Door, Message, NoticeEvent, platform::Sealed};

impl Oracle {
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
                self.places.values_mut().for_each(DoorTruth::nothing_owed);
                require(after.reset_to_tell.is_some(), || "a reset that the owner is not told of".into())?;
                let owes =
                    |d: &latchkey::recovery::Debt| d.sign_in_failures + d.reset_tries + d.confirm.tries > 0;
                require(![after.console, after.lan].iter().any(owes), || "a reset left a debt".into())?;
            }
        } else {
            require(after.password_epoch == before.password_epoch, || "an epoch for nothing".into())?;
        }
        for place in Place::ALL {
            let ended = |record: &Record| record.debt(place.door).share(place.aim).ended;
            if ended(before).is_some() && ended(after).is_none() {
                self.place(place).blur();
            }
        }
        if after.emails != before.emails {
            self.emails_written(before, after, now)?;
        } else {
            require(after.email_epoch == before.email_epoch, || "an email epoch for nothing".into())?;
        }
        Ok(())
    }

    /// The addresses change by the password alone, and their marks by their own code alone.
    fn emails_written(&mut self, before: &Record, after: &Record, now: Now) -> Verdict {
        let (old, new) = (texts(before), texts(after));
        if let Some(cause) = self.cause(|reply| matches!(reply, Reply::EmailConfirmed)) {
            let (place, entitled, code) = (cause.place(), cause.entitled, cause.code.clone());
            require(entitled && old == new && after.email_epoch == before.email_epoch, || {
                "more than a mark changed".into()
            })?;
            let truth = self.place(place);
            let to = truth.to(now).ok_or_else(|| Violation("confirmed by a dead challenge".into()))?;
            require(code.is_some_and(|code| truth.is_code(&code)), || "confirmed by another code".into())?;
            truth.nothing_owed();
            truth.blur();
            for (index, (before, after)) in before.emails.iter().zip(&after.emails).enumerate() {
                let expected = before.confirmed || index == to.index();
                require(after.confirmed == expected, || "another address was confirmed".into())?;
            }
            return Ok(());
        }
        let cause = self.cause(|reply| matches!(reply, Reply::ReservedEmailSet));
        let cause = cause.ok_or_else(|| Violation("the emails changed out of nothing".into()))?;
        require(cause.entitled && cause.versions == self.versions, || {
            format!("the emails changed without a valid proof: {:?} at {:?}", cause.ask, cause.door)
        })?;
        require(new == cause.emails(&old), || "not the emails that were asked for".into())?;
        for email in &after.emails {
            let known = before.emails.iter().find(|known| known.address == email.address);
            let expected = known.is_some_and(|known| known.confirmed);
            require(email.confirmed == expected, || "a new address is marked, or a mark is lost".into())?;
        }
        require(after.email_epoch > before.email_epoch, || "emails changed, epoch not".into())?;
        self.versions.email += 1;
        self.died(Ended::EmailChanged, now);
        Ok(())
    }

    /// What was queued in a commit: only what happened, to whom it was to be told, and never lost for a stranger's
    /// sake. `opened` is what the new notices hold.
    pub fn notices_written(
        &mut self,
        before: &Record,
        after: &Record,
        opened: &[Challenge],
        taken: &[Sealed],
    ) -> Verdict {
        require(after.notices.len() <= 8, || "the queue has no bound".into())?;
        let kept = |record: &Record, notice: &&Notice| !record.notices.contains(notice);
        let gone = before.notices.iter().filter(|notice| kept(after, notice));
        let gone: Vec<_> = gone.filter(|notice| !taken.contains(&notice.sealed)).collect();
        require(gone.len() <= opened.len(), || "a notice is gone that was not sent".into())?;
        let requests_left = after.notices.iter().any(|notice| notice.is_request);
        require(!requests_left || gone.iter().all(|notice| notice.is_request), || {
            "a request has pushed out something that has happened".into()
        })?;
        let is = |is: fn(&Reply) -> bool| self.cause(is).is_some();
        let emails_changed = texts(before) != texts(after);
        let reset =
            is(|reply| matches!(reply, Reply::PasswordReset)) && after.password_phc != before.password_phc;
        let began = self.cause(|reply| matches!(reply, Reply::Challenge(_)));
        let issued = after.challenge_counter > before.challenge_counter;
        let requested = began.is_some_and(|began| matches!(began.ask, Ask::Begin { .. })) && issued;
        let expected = match (requested, reset, emails_changed) {
            (true, _, _) => before.platform.enabled.then_some(Message::Notice(NoticeEvent::ResetRequested)),
            (_, true, _) => Some(Message::Notice(NoticeEvent::ResetCompleted)),
            (_, _, true) => Some(Message::AddressChanged),
            _ => None,
        };
        let Some(expected) = expected.filter(|_| !before.emails.is_empty()) else {
            return require(opened.is_empty(), || "a notice of nothing".into());
        };
        let told: Vec<_> =
            opened.iter().flat_map(|notice| notice.addresses.iter().map(|a| a.as_str().to_owned())).collect();
        require(told == texts(before), || format!("{told:?} are told"))?;
        for notice in opened {
            require(notice.message == expected, || format!("a notice of {:?}", notice.message.purpose()))?;
            require(notice.confirmed == before.emails[0].confirmed, || "another mark in a notice".into())?;
            let fresh =
                notice.counter > before.challenge_counter && notice.counter <= after.challenge_counter;
            require(fresh && notice.life == after.life, || "a notice with an old counter".into())?;
        }
        Ok(())
    }

    /// A pending challenge is erased.
    pub fn pending_erased(&mut self, place: Place) {
        let confirmed = self.cause(|reply| matches!(reply, Reply::EmailConfirmed));
        if confirmed.is_some_and(|cause| cause.place() == place) {
            self.place(place).used(false);
        }
    }

    fn died(&mut self, why: Ended, now: Now) {
        for truth in self.places.values_mut() {
            truth.settle(now, self.run);
            truth.die(why, self.run);
        }
    }

    /// A new challenge reaches tmpfs; `challenge` is what the cloud reads in it.
    pub fn issued(&mut self, pending: &Pending, challenge: &Challenge, record: &Record, now: Now) -> Verdict {
        require(challenge.counter > self.counter, || {
            format!("counter {} after {}", challenge.counter, self.counter)
        })?;
        self.counter = challenge.counter;
        let (code, aim) = match &challenge.message {
            Message::Reset(code) => (code.clone(), Aim::Reset),
            Message::ConfirmEmail(code) => (code.clone(), Aim::Confirm),
            _ => return Err(Violation("a pending challenge without a code".into())),
        };
        let inside = Place { door: challenge.door, aim };
        require(inside == pending.place(), || "inside is not outside".into())?;
        let cause = self.cause(|reply| matches!(reply, Reply::Challenge(view) if view.id == pending.id));
        let cause = cause.ok_or_else(|| Violation("a challenge that nobody asked for".into()))?;
        let (place, renews, to, entitled) = (cause.place(), cause.renews(), cause.to(), cause.entitled);
        require(place == inside && entitled, || "a challenge at another place, or for nobody".into())?;
        let live = self.place(place).to(now);
        let expected = to.or(live).unwrap_or_default();
        require(pending.to == expected, || "to another address than was asked for".into())?;
        let email = record.emails.get(expected.index()).ok_or_else(|| Violation("to no address".into()))?;
        let addresses: Vec<_> = challenge.addresses.iter().collect();
        require(addresses == [&email.address] && challenge.confirmed == email.confirmed, || {
            "sealed to another address".into()
        })?;
        let renews = renews || live.is_some_and(|live| live != expected);
        self.place(place).issued(pending, code, renews, now)
    }

    /// A challenge on tmpfs is written, anew or again. Invariant 4 looks at the tries.
    pub fn pending_written(&mut self, before: Option<&Pending>, after: &Pending) -> Verdict {
        require(after.tries_left <= 5, || "more than five tries".into())?;
        let Some(before) = before.filter(|before| before.id == after.id) else { return Ok(()) };
        let accepts = self.cause(|reply| matches!(reply, Reply::CodeAccepted { .. })).is_some();
        let place = after.place();
        if after.tries_left < before.tries_left {
            self.place(place).charged += before.tries_left - after.tries_left;
        }
        require(after.tries_left <= before.tries_left + u32::from(accepts), || "tries came back".into())
    }
}

/// A record's addresses.
pub fn texts(record: &Record) -> Vec<String> {
    record.emails.iter().map(|email| email.address.as_str().to_owned()).collect()
}

fn is_hash_of(record: &Record, password: Option<&str>) -> bool {
    record.password_phc.splitn(4, '$').nth(3) == password
}
