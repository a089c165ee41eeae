//! What the owner of a reserved email is told of: every reset that was asked for or completed, and every change
//! of the addresses. A notice is sealed when it happens and stored in the same commit, so that neither a crash nor
//! a cut cable nor a pulled plug loses it; the cloud gets it when the link is up.

use super::{
    Context, Effect, account::Active, effect::Event, limits::NOTICES_MAX, record::Notice, state::Turn,
};
use latchkey_protocol::{
    Addresses, Challenge, ChallengeId, Door, Locale, Message, NoticeEvent, SealedChallenge, platform::Sealed,
};

impl Active {
    /// A reset was asked for. Of no use once it is old: nothing waits for a link that is switched off.
    pub(super) fn tell_of_request(&mut self, context: &Context, door: Door, turn: &mut Turn<'_>) {
        if self.record.platform.enabled {
            self.tell(context, door, Message::Notice(NoticeEvent::ResetRequested), turn);
        }
    }

    /// A reset is being completed.
    pub(super) fn tell_of_reset(&mut self, context: &Context, door: Door, turn: &mut Turn<'_>) {
        self.tell(context, door, Message::Notice(NoticeEvent::ResetCompleted), turn);
    }

    /// The addresses are about to change: those until now are told.
    pub(super) fn tell_of_changed_address(&mut self, context: &Context, door: Door, turn: &mut Turn<'_>) {
        self.tell(context, door, Message::AddressChanged, turn);
    }

    /// Seals and queues; the caller commits. What cannot be sealed is not told, and stops nothing.
    fn tell(&mut self, context: &Context, door: Door, message: Message, turn: &mut Turn<'_>) {
        let emails = &self.record.emails;
        let all: Vec<_> = emails.iter().map(|email| email.address.clone()).collect();
        let confirmed: Vec<_> = emails.iter().map(|email| email.confirmed).collect();
        match Addresses::new(all.clone()) {
            Ok(addresses) => self.seal_notice(context, door, &message, addresses, confirmed[0], turn),
            // Two long ones do not fit one notice: each gets its own.
            Err(_) => {
                for (address, confirmed) in all.into_iter().zip(confirmed) {
                    if let Ok(addresses) = Addresses::new(vec![address]) {
                        self.seal_notice(context, door, &message, addresses, confirmed, turn);
                    }
                }
            }
        }
    }

    fn seal_notice(
        &mut self,
        context: &Context,
        door: Door,
        message: &Message,
        addresses: Addresses,
        confirmed: bool,
        turn: &mut Turn<'_>,
    ) {
        let record = &mut self.record;
        let (Some(identity), Some(counter)) = (&context.identity, record.challenge_counter.checked_add(1))
        else {
            return;
        };
        let challenge = Challenge {
            id: ChallengeId(turn.random()),
            message: message.clone(),
            life: record.life,
            counter,
            door,
            confirmed,
            device_time_unix_s: turn.now.wall_unix_s,
            locale: Locale::default(),
            tz_offset_min: turn.now.tz_offset_min,
            addresses,
        };
        let Ok(sealed) = SealedChallenge::seal(identity, &challenge, turn.rng) else { return };
        record.challenge_counter = counter;
        if record.notices.len() >= NOTICES_MAX {
            // Whoever asks for one reset after the other pushes out nothing but such requests.
            let oldest = record.notices.iter().position(|notice| notice.is_request).unwrap_or(0);
            record.notices.remove(oldest);
            turn.last.push(Effect::Log(Event::NoticeDropped));
        }
        let is_request = matches!(message, Message::Notice(NoticeEvent::ResetRequested));
        record.notices.push(Notice { is_request, sealed: Sealed(sealed) });
    }

    /// The cloud has taken these, or never will. One that only tells of a request leaves flash with the next
    /// commit: handed over again after a restart, it is known to the cloud and mailed no second time, and a
    /// stranger's requests cost the flash nothing more than before.
    pub(super) fn notices_done(&mut self, done: &[Sealed], turn: &mut Turn<'_>) {
        let notices = &mut self.record.notices;
        let must_commit = notices.iter().any(|notice| !notice.is_request && done.contains(&notice.sealed));
        notices.retain(|notice| !done.contains(&notice.sealed));
        if must_commit {
            self.commit(turn);
        }
    }
}
