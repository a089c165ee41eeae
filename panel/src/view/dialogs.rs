//! Questions over everything else, and the menu.

use super::{
    kit::{Kit, Look, space},
    theme::Type,
    words,
};
use crate::{
    api::Which,
    state::{Action, Dialog, Power, Tone},
};
use egui::{Color32, CornerRadius, Id, Rect, Sense, Stroke, StrokeKind, Ui, vec2};
use latchkey_look::Icon;

impl Kit<'_> {
    pub(super) fn dialog(&mut self, ui: &mut Ui, all: Rect, dialog: Dialog) {
        ui.painter().rect_filled(all, CornerRadius::ZERO, Color32::from_black_alpha(150));
        // A press beside it is a "no", as everywhere.
        let beside = ui.interact(all, Id::new("beside"), Sense::CLICK).clicked();
        let width = (all.width() - 2.0 * space(4)).min(if dialog == Dialog::Menu { 420.0 } else { 520.0 });
        let height = self.dialog_height(ui, width, dialog);
        let at = match dialog {
            Dialog::Menu => egui::pos2(all.left() + space(4), all.bottom() - 64.0 - space(2) - height),
            _ => all.center() - vec2(width, height) / 2.0,
        };
        let place = Rect::from_min_size(at.max(all.min + vec2(space(4), space(2))), vec2(width, height));
        let radius = CornerRadius::same(10);
        let stroke = Stroke::new(self.theme.line_width, self.theme.edge);
        ui.painter().rect(place, radius, self.theme.surface, stroke, StrokeKind::Inside);
        let mut on_it = false;
        self.within(ui, place.shrink(space(5)), |kit, ui| {
            on_it = ui.input(|input| input.pointer.interact_pos()).is_some_and(|at| place.contains(at));
            ui.spacing_mut().item_spacing = vec2(space(3), space(3));
            kit.dialog_content(ui, dialog);
        });
        if beside && !on_it {
            self.press(Action::Cancel);
        }
    }

    /// Laid out once without being seen, to know how high it is.
    fn dialog_height(&mut self, ui: &mut Ui, width: f32, dialog: Dialog) -> f32 {
        let place = Rect::from_min_size(egui::Pos2::ZERO, vec2(width - 2.0 * space(5), f32::INFINITY));
        let builder = egui::UiBuilder::new().max_rect(place).invisible().sizing_pass().id_salt("measure");
        let mut inside = ui.new_child(builder);
        inside.spacing_mut().item_spacing = vec2(space(3), space(3));
        let was = std::mem::replace(&mut self.covered, true);
        self.dialog_content(&mut inside, dialog);
        self.covered = was;
        inside.min_rect().height() + 2.0 * space(5)
    }

    fn dialog_content(&mut self, ui: &mut Ui, dialog: Dialog) {
        match dialog {
            Dialog::Menu => self.menu(ui),
            Dialog::Power(power) => self.power(ui, power),
            Dialog::Renew => {
                let words = ["renew-ask", "renew-hint", "renew", "keep-qr"].map(|key| self.say(key));
                self.question(ui, &words, Action::ConfirmRenew);
            }
            Dialog::RemoveEmail => {
                let both = self.state.emails.len() > 1;
                let words = match self.state.editing {
                    Which::Primary if both => {
                        ["remove-ask", "remove-first-text", "security-remove", "keep-email"]
                    }
                    Which::Primary => {
                        ["remove-ask", "security-removed-text", "security-remove", "keep-email"]
                    }
                    Which::Second => {
                        ["second-remove-ask", "second-remove-text", "second-remove", "keep-email"]
                    }
                }
                .map(|key| self.say(key));
                self.question(ui, &words, Action::ConfirmRemoveEmail);
            }
        }
    }

    fn menu(&mut self, ui: &mut Ui) {
        let words =
            ["configuration-title", "menu-configuration", "power-restart", "power-shut-down", "sign-out"];
        let [configuration, hint, restart, off, out] = words.map(|key| self.say(key));
        self.way(ui, Some(Action::Configuration), Icon::Settings, &configuration, &hint);
        if self.state.has_power {
            self.way(ui, Some(Action::Ask(Power::Restart)), Icon::Renew, &restart, "");
            self.way(ui, Some(Action::Ask(Power::ShutDown)), Icon::Power, &off, "");
        }
        self.way(ui, Some(Action::SignOut), Icon::Person, &out, "");
    }

    fn power(&mut self, ui: &mut Ui, power: Power) {
        let (ask, yes) = match power {
            Power::Restart => ("power-restart-ask", "power-restart"),
            Power::ShutDown => ("power-off-ask", "power-shut-down"),
        };
        self.text(ui, self.say(ask), Type::Heading, self.theme.ink);
        let pending = self.state.device.as_ref().is_some_and(|device| !device.pending_doors.is_empty());
        if pending {
            let emails = self
                .state
                .device
                .as_ref()
                .map(|device| words::listed(self.words, "and", &device.masked_emails));
            let text =
                self.words.say_with("power-pending-text", &[("emails", emails.unwrap_or_default().into())]);
            let title = self.say("power-pending");
            self.notice(ui, Tone::Warn, &title, &text);
        } else {
            let text = self.say("power-safe");
            self.body(ui, text);
        }
        let (yes, no) = (self.say(yes), self.say("cancel"));
        self.row(ui, |kit, ui| {
            kit.button(ui, Action::Cancel, Look::Primary, None, &no, true);
            kit.button(ui, Action::Confirm(power), Look::Secondary, None, &yes, true);
        });
    }

    /// Title, text, yes, no.
    fn question(&mut self, ui: &mut Ui, [title, text, yes, no]: &[String; 4], action: Action) {
        self.text(ui, title, Type::Heading, self.theme.ink);
        self.body(ui, text);
        let can_send = self.state.can_send();
        self.row(ui, |kit, ui| {
            kit.button(ui, action, Look::Primary, None, yes, can_send);
            kit.button(ui, Action::Cancel, Look::Quiet, None, no, true);
        });
    }
}
