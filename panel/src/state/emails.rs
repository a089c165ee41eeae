//! The reserved emails: changed, confirmed, chosen for a code.

use super::{Confirming, Effect, Field, Notice, Screen, State, Tone};
use crate::api::{Aim, Challenge, Request, Which};
use zeroize::Zeroizing;

impl State {
    /// What the challenge on the screen is good for.
    pub(super) fn aim(&self) -> Aim {
        match (self.confirming, self.session.clone()) {
            (Some(_), Some(session)) => Aim::Confirm { session },
            _ => Aim::Reset,
        }
    }

    /// Whether a reserved email can be confirmed: somebody mails the code.
    pub fn can_confirm(&self) -> bool {
        self.session.is_some()
            && self.device.as_ref().is_some_and(|device| device.reset_by_email != "no-identity")
    }

    /// Those that nobody has shown to be theirs yet, masked, and that can be confirmed.
    pub fn unconfirmed(&self) -> Vec<(Which, &str)> {
        let Some(device) = self.device.as_ref().filter(|_| self.can_confirm()) else { return Vec::new() };
        let emails = Which::BOTH.into_iter().zip(&device.masked_emails).zip(&device.emails_confirmed);
        emails
            .filter(|(_, confirmed)| !**confirmed)
            .map(|((which, email), _)| (which, email.as_str()))
            .collect()
    }

    /// The way to a reset's code. A live challenge was agreed to before, and is shown again.
    pub(super) fn reset_to(&mut self, to: Option<Which>) -> Vec<Effect> {
        let device = self.device.as_ref();
        if device.is_some_and(|device| device.pending_doors.iter().any(|door| door == "console")) {
            return self.ask(Request::BeginReset { renew: false, to });
        }
        self.go(Screen::Disclaimer);
        self.to = to;
        Vec::new()
    }

    /// Another code in the place of the one on the screen, to the same address.
    pub(super) fn renew(&mut self) -> Vec<Effect> {
        match self.confirming {
            Some(Confirming { which, .. }) => {
                self.with_session(|session| Request::BeginConfirmation { session, which, renew: true })
            }
            None => self.ask(Request::BeginReset { renew: true, to: None }),
        }
    }

    /// What will happen, to which address; or at once the code that is under way already.
    pub(super) fn begin_to_confirm(&mut self, which: Which) -> Vec<Effect> {
        if !self.can_send() {
            return Vec::new();
        }
        self.confirming = Some(Confirming { which, from: self.screen, sends: false });
        self.go(Screen::ConfirmEmail);
        self.ask(Request::Challenge(self.aim()))
    }

    /// A code for the address.
    pub(super) fn ask_to_confirm(&mut self, sends: bool) -> Vec<Effect> {
        let Some(confirming) = &mut self.confirming else { return Vec::new() };
        confirming.sends = sends;
        let which = confirming.which;
        self.with_session(|session| Request::BeginConfirmation { session, which, renew: false })
    }

    /// Where confirming was asked for.
    pub(super) fn leave_confirming(&mut self) {
        match self.confirming.take() {
            Some(Confirming { from: Screen::ReservedEmail, .. }) => self.go(Screen::ReservedEmail),
            Some(Confirming { from: Screen::Configuration, .. }) => self.go(Screen::Configuration),
            _ => self.go(self.home()),
        }
    }

    /// The address is confirmed.
    pub(super) fn confirmed(&mut self) -> Vec<Effect> {
        self.leave_confirming();
        self.notice = Some(Notice::said(Tone::Success, "confirm-done", "confirm-done-text"));
        let mut effects = self.ask_device();
        effects.extend(self.look_at_emails());
        effects
    }

    /// Whether a challenge that was only looked at is the one that the person wants to see.
    pub(super) fn is_wanted(&self, challenge: &Challenge) -> bool {
        self.screen == Screen::ConfirmEmail
            && self.confirming.is_some_and(|confirming| confirming.which == challenge.to)
    }

    pub(super) fn save_email(&mut self) -> Vec<Effect> {
        if self.fields.get(Field::Email).is_empty() {
            let stored = self.editing == Which::Primary && !self.emails.is_empty();
            self.fault =
                Some((Field::Email, if stored { "error-email-empty-save" } else { "panel-email-empty" }));
            return Vec::new();
        }
        let email = self.fields.get(Field::Email).copy();
        self.set_email(Some(email))
    }

    pub(super) fn set_email(&mut self, email: Option<Zeroizing<String>>) -> Vec<Effect> {
        let Some(current) = self.required(Field::Current, "error-password-empty") else { return Vec::new() };
        let which = self.editing;
        self.with_session(|session| Request::SetReservedEmail { session, current, which, email })
    }

    /// A reserved email was set or removed.
    pub(super) fn email_set(&mut self, which: Which, removed: bool) -> Vec<Effect> {
        let both = self.emails.len() > 1;
        self.go(Screen::ReservedEmail);
        self.fields.wipe(None);
        let (title, text) = match (which, removed) {
            (Which::Primary, false) => ("security-saved", "panel-email-saved"),
            (Which::Second, false) => ("security-saved", "panel-second-saved"),
            (Which::Primary, true) if both => ("security-removed", "panel-first-removed"),
            (Which::Primary, true) => ("security-removed", "security-removed-text"),
            (Which::Second, true) => ("security-removed-second", "panel-second-removed"),
        };
        self.notice = Some(Notice::said(Tone::Success, title, text));
        let mut effects = self.ask_device();
        effects.extend(self.look_at_emails());
        effects
    }

    /// What there is now, if that is what the screen shows.
    fn look_at_emails(&mut self) -> Option<Effect> {
        let session = self.session.clone().filter(|_| self.screen == Screen::ReservedEmail)?;
        self.busy = true;
        Some(Effect::Ask(Request::ReservedEmails { session }))
    }
}
