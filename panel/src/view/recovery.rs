//! The screens of a forgotten password.

use super::{
    keys::FieldLook,
    kit::{Kit, Look, TOUCH, space},
    theme::Type,
    words,
};
use crate::state::{Action, Challenged, Field, Tone};
use egui::{Align2, Color32, CornerRadius, Rect, Sense, Ui, vec2};
use latchkey_look::Icon;

/// Light modules around the code (ISO/IEC 18004, 6.3.8).
const QUIET_MODULES: usize = 4;

impl Kit<'_> {
    pub(super) fn ways(&mut self, ui: &mut Ui) {
        self.title(ui, "forgot-screen-title");
        self.told(ui);
        let Some(device) = self.state.device.clone() else { return };
        let offered = device.reset_by_email == "offered";
        if !offered && self.state.notice.is_none() {
            let (title, text) = (
                format!("problem-{}-title", device.reset_by_email),
                format!("problem-{}", device.reset_by_email),
            );
            let (title, text) = (self.say(&title), self.say(&text));
            self.notice(ui, Tone::Warn, &title, &text);
        }
        let emails = words::listed(self.words, "or", &device.masked_emails);
        let by_email = self.say("way-by-email");
        let pending = device.pending_doors.iter().any(|door| door == "console");
        let hint = if pending && device.masked_emails.len() < 2 {
            self.say("forgot-live")
        } else if offered {
            self.words.say_with("mode-email-hint", &[("emails", emails.into())])
        } else {
            self.say("mode-off")
        };
        let action = (offered && self.state.can_send()).then_some(Action::ByEmail);
        self.way(ui, action, Icon::Mail, &by_email, &hint);
        let words = ["mode-questions", "mode-file", "mode-off"].map(|key| self.say(key));
        let [questions, file, off] = words;
        self.way(ui, None, Icon::Person, &questions, &off);
        self.way(ui, None, Icon::Save, &file, &off);
        if !offered {
            let steps = match device.reset_by_email.as_str() {
                "no-email" => &["no-email-next-1", "no-email-next-2", "no-email-next-3"][..],
                "no-identity" => &["no-identity-next-1", "no-identity-next-2"],
                _ => &[],
            };
            let steps: Vec<String> = steps.iter().map(|key| self.say(key)).collect();
            if !steps.is_empty() {
                self.card(ui, |kit, ui| kit.steps(ui, &steps));
            }
        }
        self.back(ui, "back-to-sign-in");
    }

    pub(super) fn disclaimer(&mut self, ui: &mut Ui) {
        self.title(ui, "disclaimer-title");
        self.told(ui);
        let paragraphs = ["privacy-what", "privacy-how", "privacy-not"].map(|key| self.say(key));
        self.card(ui, |kit, ui| {
            for paragraph in paragraphs {
                kit.body(ui, paragraph);
            }
            kit.submit(ui, Action::Accept, "disclaimer-ok", Some("back"));
        });
    }

    pub(super) fn qr(&mut self, ui: &mut Ui) {
        let Some(live) = self.state.challenge.as_ref() else { return };
        let width = ui.available_width();
        let two = width >= 640.0;
        // A phone reads it from a distance of ten times its side: the larger the better.
        let room = ui.clip_rect().height() - 2.0 * space(4);
        let confirms = self.state.confirming.is_some();
        // On a small screen nothing stands above the code.
        let tall = room > 500.0;
        if if two { room > 700.0 } else { tall } {
            self.title(ui, if confirms { "confirm-title" } else { "forgot-title" });
        }
        if !confirms && tall {
            self.progress(ui, 0);
        }
        self.told(ui);
        if two {
            // With its buttons below it, and what stands above.
            let taken = if room > 700.0 { 210.0 } else { 150.0 };
            let side = (width * 0.43).min(if tall { room - taken } else { room.max(300.0) }).min(520.0);
            let top = ui.cursor().min;
            let left = Rect::from_min_size(top, vec2(side, 0.0));
            let right = Rect::from_min_size(
                top + vec2(side + space(5), 0.0),
                vec2(width - side - space(5), f32::INFINITY),
            );
            let mut beside = ui.new_child(egui::UiBuilder::new().max_rect(right).id_salt("right"));
            beside.spacing_mut().item_spacing = vec2(space(3), space(3));
            let mut below =
                ui.new_child(egui::UiBuilder::new().max_rect(left.with_max_y(f32::INFINITY)).id_salt("left"));
            below.spacing_mut().item_spacing = vec2(space(3), space(3));
            self.code_picture(&mut below, &live.rows, side);
            self.qr_buttons(&mut below, side < 515.0);
            self.qr_words(&mut beside, live);
            let height = beside.min_rect().height().max(below.min_rect().height());
            ui.allocate_exact_size(vec2(width, height), Sense::hover());
        } else {
            self.code_picture(ui, &live.rows, width.min(420.0).min(room.max(240.0)));
            self.qr_buttons(ui, false);
            self.qr_words(ui, live);
        }
    }

    fn qr_buttons(&mut self, ui: &mut Ui, small: bool) {
        let words = ["qr-enlarge", "qr-usb", "renew"].map(|key| self.say(key));
        let [enlarge, export, renew] = words;
        let wait_s = self.state.renew_wait_s();
        let can_send = self.state.can_send();
        self.row(ui, |kit, ui| {
            ui.spacing_mut().item_spacing = vec2(space(2), space(2));
            kit.button(
                ui,
                Action::Enlarge,
                Look::Secondary,
                (!small).then_some(Icon::Enlarge),
                &enlarge,
                true,
            );
            kit.button(
                ui,
                Action::Export,
                Look::Secondary,
                (!small).then_some(Icon::Save),
                &export,
                can_send,
            );
            kit.button(
                ui,
                Action::Renew,
                Look::Quiet,
                (!small).then_some(Icon::Renew),
                &renew,
                can_send && wait_s == 0,
            );
        });
        if wait_s > 0 {
            let text =
                format!("{}: {} {}", renew, self.say("renew-wait"), words::lasting(self.words, wait_s));
            self.hint(ui, text);
        }
    }

    fn qr_words(&mut self, ui: &mut Ui, live: &Challenged) {
        let challenge = &live.challenge;
        let emails = words::listed(self.words, "and", &challenge.masked_emails);
        let args = [
            ("tag", challenge.tag.as_str().into()),
            ("host", challenge.cloud_host.as_str().into()),
            ("emails", emails.as_str().into()),
        ];
        let steps =
            ["next-scan", "next-check", "next-mail", "next-code"].map(|key| self.words.say_with(key, &args));
        self.text(ui, self.say("next-title"), Type::Heading, self.theme.ink);
        self.steps(ui, &steps);
        let (leave, back) = match self.state.confirming {
            Some(_) => (Action::Back, "back"),
            None => (Action::Home, "back-to-sign-in"),
        };
        let (enter, back) = (self.say("to-code"), self.say(back));
        let sends = self.state.can_send_now();
        self.row(ui, |kit, ui| {
            kit.button(ui, Action::ToCode, Look::Primary, None, &enter, true);
            if sends {
                let (send, can_send) = (kit.say("send-now"), kit.state.can_send());
                kit.button(ui, Action::SendNow, Look::Secondary, None, &send, can_send);
            }
            kit.button(ui, leave, Look::Quiet, None, &back, !kit.state.busy);
        });
        if sends {
            let text = self.say("send-text");
            self.hint(ui, text);
        }
        self.mail_state(ui);
        let left = words::lasting(self.words, self.state.valid_s());
        let facts = [
            (self.say("qr-tag"), challenge.tag.clone(), Type::Even),
            (self.say("qr-host"), challenge.cloud_host.clone(), Type::BodyBold),
            (self.say("qr-email"), emails, Type::BodyBold),
            (self.say("good-left-short"), left, Type::BodyBold),
        ];
        self.facts(ui, &facts);
        let rules = self.say("good-rules");
        self.hint(ui, rules);
    }

    /// How far the mail is, if the recorder asked for it.
    fn mail_state(&mut self, ui: &mut Ui) {
        let Some(mail) = &self.state.mail else { return };
        let (tone, key) = match mail.state.as_deref() {
            Some("queued") => (Tone::Info, "sent-queued"),
            Some("accepted") => (Tone::Success, "sent-accepted"),
            Some("bounced") => (Tone::Warn, "sent-bounced"),
            _ => (Tone::Warn, "sent-failed"),
        };
        let text = self.say(key);
        // Its reason in the words of every surface, where there are some.
        let reason = mail.reason.as_ref().map(|reason| format!("mail-reason-{reason}"));
        let reason = reason.map(|key| (self.say(&key), key)).filter(|(said, key)| said != key);
        let title = self.say("panel-mail");
        let text = match reason {
            Some((reason, _)) => format!("{text} {}: {reason}", self.say("platform-why")),
            None => text,
        };
        self.notice(ui, tone, &title, &text);
    }

    /// The code on its own white ground, its modules whole pixels.
    pub(super) fn code_picture(&self, ui: &mut Ui, rows: &[Vec<bool>], side: f32) {
        let (rect, _) = ui.allocate_exact_size(vec2(side, side), Sense::hover());
        ui.painter().rect_filled(rect, CornerRadius::ZERO, Color32::WHITE);
        let modules = rows.len();
        if modules == 0 {
            let text = self.say("panel-busy");
            ui.painter().text(rect.center(), Align2::CENTER_CENTER, text, Type::Body.font(), Color32::BLACK);
            return;
        }
        let scale = ui.pixels_per_point();
        let all = (modules + 2 * QUIET_MODULES) as f32;
        let module = (side * scale / all).floor().max(1.0) / scale;
        let inset = (side - module * modules as f32) / 2.0;
        let start = rect.min + vec2((inset * scale).round() / scale, (inset * scale).round() / scale);
        for (y, row) in rows.iter().enumerate() {
            let mut x = 0;
            for run in row.chunk_by(|a, b| a == b) {
                if run[0] {
                    let at = start + vec2(x as f32 * module, y as f32 * module);
                    let dark = Rect::from_min_size(at, vec2(run.len() as f32 * module, module));
                    ui.painter().rect_filled(dark, CornerRadius::ZERO, Color32::BLACK);
                }
                x += run.len();
            }
        }
    }

    /// The code alone, for a phone on the other side of the room.
    pub(super) fn qr_large(&mut self, ui: &mut Ui, all: Rect) {
        let Some(live) = self.state.challenge.as_ref() else { return };
        ui.painter().rect_filled(all, CornerRadius::ZERO, Color32::WHITE);
        let wide = all.width() > all.height() + 200.0;
        let side =
            if wide { all.height() } else { all.width().min(all.height() - TOUCH - 2.0 * space(4) - 30.0) };
        // The code and what stands beside it have the middle together.
        let column = if wide { (all.width() - side - 2.0 * space(4)).min(260.0) } else { 0.0 };
        let left = (all.width() - side - column - if wide { space(4) } else { 0.0 }) / 2.0;
        let place = Rect::from_min_size(all.min + vec2(left, 0.0), vec2(side, side));
        self.within(ui, place, |kit, ui| kit.code_picture(ui, &live.rows, side));
        let text = format!("{}  {}", live.challenge.tag, live.challenge.cloud_host);
        let label = self.say("back");
        let corner = if wide {
            let words = [("qr-tag", &live.challenge.tag), ("qr-host", &live.challenge.cloud_host)];
            let mut at = egui::pos2(place.right() + space(4), all.top() + space(6));
            for (name, value) in words {
                let name = Self::galley(ui, self.say(name), Type::Small, Color32::BLACK, column);
                let value = Self::galley(ui, value, Type::Even, Color32::BLACK, column);
                let below = at + vec2(0.0, name.size().y + space(1));
                let height = value.size().y;
                ui.painter().galley(at, name, Color32::BLACK);
                ui.painter().galley(below, value, Color32::BLACK);
                at = below + vec2(0.0, height + space(4));
            }
            egui::pos2(place.right() + space(4), all.bottom() - TOUCH - space(6))
        } else {
            let at = egui::pos2(all.center().x, place.bottom() + 14.0);
            ui.painter().text(at, Align2::CENTER_CENTER, text, Type::Even.font(), Color32::BLACK);
            egui::pos2(all.center().x - 80.0, all.bottom() - TOUCH - space(3))
        };
        let rect = Rect::from_min_size(corner, vec2(160.0, TOUCH));
        self.tile(ui, rect, Action::Back, Icon::Back, &label);
    }

    pub(super) fn code(&mut self, ui: &mut Ui) {
        self.title(ui, "code-title");
        let submit = match self.state.confirming {
            Some(_) => "confirm-submit",
            None => {
                self.progress(ui, 0);
                "code-submit"
            }
        };
        self.told(ui);
        let Some(live) = self.state.challenge.as_ref() else { return };
        let emails = words::listed(self.words, "and", &live.challenge.masked_emails);
        let args = [("tag", live.challenge.tag.as_str().into()), ("emails", emails.as_str().into())];
        let lead = self.words.say_with("code-lead", &args);
        self.body(ui, lead);
        self.card(ui, |kit, ui| {
            let label = kit.say("code-label");
            let tries = u64::from(live.challenge.tries_left);
            let hint = kit.words.say_with("code-tries", &[("count", tries.into())]);
            let look = FieldLook { label: &label, hint: &hint, submit: Action::SendCode, can_show: false };
            kit.field(ui, Field::Code, &look);
            kit.submit(ui, Action::SendCode, submit, Some("to-qr"));
        });
        self.mail_state(ui);
        let left = words::lasting(self.words, self.state.valid_s());
        let text = format!("{} {left}", self.say("good-left"));
        self.hint(ui, text);
    }

    pub(super) fn new_password(&mut self, ui: &mut Ui) {
        self.title(ui, "wizard-2");
        self.progress(ui, 1);
        self.told(ui);
        let lead = self.say("new-lead");
        self.body(ui, lead);
        self.card(ui, |kit, ui| {
            kit.new_passwords(ui, "new-password", "new-password-repeat", Action::SetPassword, true);
            kit.submit(ui, Action::SetPassword, "new-submit", None);
        });
    }

    pub(super) fn complete(&mut self, ui: &mut Ui) {
        self.title(ui, "wizard-3");
        self.progress(ui, 2);
        let (title, text) = (self.say("complete-done"), self.say("complete-safe"));
        self.notice(ui, Tone::Success, &title, &text);
        let label = self.say("complete-sign-in");
        self.button(ui, Action::Home, Look::Primary, None, &label, true);
    }
}
