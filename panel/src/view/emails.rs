//! The reserved emails: what there is, one of them changed, one of them confirmed.

use super::{
    kit::{Kit, Look, space},
    theme::Type,
    words,
};
use crate::{
    api::{Email, Which},
    state::{Action, Confirming, Field, Tone},
};
use egui::{Ui, vec2};
use latchkey_look::Icon;

/// The way to these screens.
const CRUMBS: [&str; 3] = ["configuration-title", "screen-users", "screen-edit-admin"];

impl Kit<'_> {
    pub(super) fn reserved_email(&mut self, ui: &mut Ui) {
        self.crumbs(ui, &CRUMBS);
        self.title(ui, "email-label");
        self.told(ui);
        let lead = self.say("security-lead");
        self.body(ui, lead);
        let can_confirm = self.state.can_confirm();
        let unconfirmed: Vec<String> = (self.state.emails.iter())
            .filter(|email| !email.confirmed && can_confirm)
            .map(|email| email.address.to_string())
            .collect();
        if !unconfirmed.is_empty() && self.state.notice.is_none() {
            self.warn_unconfirmed(ui, &unconfirmed);
        }
        let mut first = true;
        for which in Which::BOTH {
            let email = self.state.emails.get(which.index());
            // The second one is for whoever has a first one.
            if email.is_some() || which.index() <= self.state.emails.len() {
                self.card(ui, |kit, ui| kit.email(ui, which, email, &mut first));
            }
        }
        self.back(ui, "back");
    }

    /// An address with its state, and what can be done with it. The first button of the screen is the primary one.
    fn email(&mut self, ui: &mut Ui, which: Which, email: Option<&Email>, first: &mut bool) {
        ui.spacing_mut().item_spacing = vec2(space(3), space(3));
        let [title, change, add, confirm, none] = match which {
            Which::Primary => [
                "email-label",
                "email-change",
                "warn-no-email-link",
                "warn-unconfirmed-link",
                "warn-no-email-text",
            ],
            Which::Second => ["second-label", "second-change", "second-add", "second-confirm", "second-lead"],
        }
        .map(|key| self.say(key));
        self.text(ui, title, Type::Heading, self.theme.ink);
        let can_send = self.state.can_send();
        let Some(email) = email else {
            self.body(ui, none);
            let look = if which == Which::Primary { Look::Primary } else { Look::Secondary };
            self.button(ui, Action::EditEmail(which), look, Some(Icon::Mail), &add, !self.state.busy);
            return;
        };
        ui.scope(|ui| {
            ui.spacing_mut().item_spacing = vec2(0.0, space(1));
            self.body(ui, email.address.as_str());
            let state = self.say(if email.confirmed { "email-confirmed" } else { "email-unconfirmed" });
            self.hint(ui, format!("{} {state}", self.say("email-state")));
        });
        let confirms = !email.confirmed && self.state.can_confirm();
        self.row(ui, |kit, ui| {
            if confirms {
                let look = if std::mem::take(first) { Look::Primary } else { Look::Secondary };
                kit.button(ui, Action::ConfirmEmail(which), look, None, &confirm, can_send);
            }
            kit.button(ui, Action::EditEmail(which), Look::Secondary, None, &change, !kit.state.busy);
        });
    }

    fn warn_unconfirmed(&mut self, ui: &mut Ui, emails: &[String]) {
        let emails = words::listed(self.words, "and", emails);
        let text = self.words.say_with("warn-unconfirmed-text", &[("emails", emails.into())]);
        let title = self.say("warn-unconfirmed");
        self.notice(ui, Tone::Warn, &title, &text);
    }

    /// Over the live view, until it is done or put off.
    pub(super) fn unconfirmed(&mut self, ui: &mut Ui) {
        let unconfirmed = self.state.unconfirmed();
        let (Some((which, _)), false) = (unconfirmed.first(), self.state.later) else { return };
        let emails: Vec<String> = unconfirmed.iter().map(|(_, email)| (*email).to_owned()).collect();
        let (confirm, later) = (self.say("warn-unconfirmed-link"), self.say("confirm-later"));
        let can_send = self.state.can_send();
        self.card(ui, |kit, ui| {
            kit.warn_unconfirmed(ui, &emails);
            kit.row(ui, |kit, ui| {
                kit.button(ui, Action::ConfirmEmail(*which), Look::Primary, None, &confirm, can_send);
                kit.button(ui, Action::ConfirmLater, Look::Quiet, None, &later, true);
            });
        });
    }

    /// The same in the configuration, where it stays.
    pub(super) fn unconfirmed_way(&mut self, ui: &mut Ui) {
        let Some((which, _)) = self.state.unconfirmed().first().copied() else { return };
        let (title, confirm) = (self.say("warn-unconfirmed"), self.say("warn-unconfirmed-link"));
        let reach = self.state.can_send().then_some(Action::ConfirmEmail(which));
        self.way(ui, reach, Icon::Warn, &title, &confirm);
    }

    pub(super) fn edit_email(&mut self, ui: &mut Ui) {
        self.crumbs(ui, &[&CRUMBS[..], &["email-label"]].concat());
        let which = self.state.editing;
        let second = which == Which::Second;
        self.title(ui, if second { "second-label" } else { "email-label" });
        self.told(ui);
        let lead = self.say(if second { "second-lead" } else { "security-lead" });
        self.body(ui, lead);
        let now = self.state.emails.get(which.index()).map(|email| email.address.to_string());
        self.card(ui, |kit, ui| {
            let (label, hint) = match (&now, second) {
                (None, false) => ("email-label", "email-hint"),
                (None, true) => ("second-label", "email-hint"),
                (Some(_), false) => ("email-new", "security-email-hint"),
                (Some(_), true) => ("second-new", "security-email-hint"),
            };
            let some = now.is_some();
            if let Some(now) = now {
                let facts = [(kit.say("email-now"), now, Type::BodyBold)];
                kit.facts(ui, &facts);
            }
            kit.plain_field(ui, Field::Email, label, hint, Action::SaveEmail);
            kit.secret_field(ui, Field::Current, "current-password", Action::SaveEmail);
            let save = kit.say("security-save");
            let remove = kit.say(if second { "second-remove" } else { "security-remove" });
            let can_send = kit.state.can_send();
            kit.row(ui, |kit, ui| {
                kit.button(ui, Action::SaveEmail, Look::Primary, None, &save, can_send);
                if some {
                    kit.button(ui, Action::RemoveEmail, Look::Quiet, None, &remove, can_send);
                }
            });
        });
        self.back(ui, "back");
    }

    /// What will happen, to which address.
    pub(super) fn confirm_email(&mut self, ui: &mut Ui) {
        self.title(ui, "confirm-title");
        self.told(ui);
        let Some(Confirming { which, .. }) = self.state.confirming else { return };
        let Some(device) = self.state.device.as_ref() else { return };
        let online = device.platform == "online";
        let email = device.masked_emails.get(which.index()).cloned().unwrap_or_default();
        let lead = self.words.say_with("panel-confirm-lead", &[("email", email.into())]);
        let words = ["confirm-why", "send-now", "forgot-submit"].map(|key| self.say(key));
        let [why, send, show] = words;
        let how = self.say(if online { "confirm-online" } else { "confirm-offline" });
        let can_send = self.state.can_send();
        self.card(ui, |kit, ui| {
            kit.body(ui, lead);
            kit.body(ui, why);
            kit.row(ui, |kit, ui| {
                let mut look = Look::Primary;
                if online {
                    kit.button(ui, Action::ConfirmBySending, look, Some(Icon::Mail), &send, can_send);
                    look = Look::Secondary;
                }
                kit.button(ui, Action::ConfirmByQr, look, None, &show, can_send);
            });
            kit.hint(ui, how);
        });
        self.back(ui, "back");
    }

    /// Forgot Password with two addresses: which one gets the code.
    pub(super) fn choose_email(&mut self, ui: &mut Ui) {
        self.title(ui, "forgot-to");
        self.told(ui);
        let Some(device) = self.state.device.clone() else { return };
        if self.state.notice.is_none() && device.pending_doors.iter().any(|door| door == "console") {
            let (title, text) = (self.say("forgot-live-title"), self.say("choose-live"));
            self.notice(ui, Tone::Info, &title, &text);
        }
        let can_send = self.state.can_send();
        for (which, email) in Which::BOTH.into_iter().zip(&device.masked_emails) {
            let hint = self.say(if which == Which::Primary { "email-label" } else { "second-label" });
            let action = can_send.then_some(Action::SendTo(which));
            // Both may look the same with their middle hidden.
            ui.push_id(which, |ui| self.way(ui, action, Icon::Mail, email, &hint));
        }
        self.back(ui, "back");
    }
}
