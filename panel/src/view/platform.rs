//! Platform access: whether and how this recorder reaches its recovery service.

use super::{
    keys::FieldLook,
    kit::{Kit, Look, space},
    theme::Type,
    words,
};
use crate::state::{Action, Field};
use egui::{Rect, Sense, Ui, vec2};
use latchkey_look::Icon;

/// What stands for each character of a hidden code; how many there are is not told.
const HIDDEN: &str = "********";

impl Kit<'_> {
    pub(super) fn platform(&mut self, ui: &mut Ui) {
        self.crumbs(ui, &["configuration-title"]);
        self.title(ui, "platform-title");
        self.told(ui);
        let lead = self.say("platform-lead");
        self.body(ui, lead);
        self.platform_status(ui);
        self.platform_form(ui);
        self.back(ui, "back");
    }

    fn platform_status(&mut self, ui: &mut Ui) {
        let Some(seen) = self.state.platform.as_ref() else { return };
        let platform = &seen.platform;
        let (next_s, heard_s) = self.state.platform_s();
        let off = platform.state == "off";
        let mut facts = vec![(
            self.say("platform-register"),
            self.say(&format!("platform-state-{}", platform.state)),
            Type::BodyBold,
        )];
        if let Some(reason) = platform.reason.as_ref().filter(|_| platform.state != "online") {
            facts.push((
                self.say("platform-why"),
                self.say(&format!("platform-reason-{reason}")),
                Type::Body,
            ));
        }
        if let Some(heard_s) = heard_s {
            let time = words::lasting(self.words, heard_s);
            let text = self.words.say_with("platform-heard-ago", &[("time", time.into())]);
            facts.push((self.say("platform-heard"), text, Type::Body));
        }
        let connecting = platform.state == "connecting";
        let waits = connecting || platform.state == "offline";
        if waits {
            let text = match next_s.filter(|_| !connecting) {
                Some(next_s) => {
                    let time = words::lasting(self.words, next_s);
                    self.words.say_with("panel-platform-next-in", &[("time", time.into())])
                }
                None => self.say("panel-platform-trying"),
            };
            facts.push((self.say("platform-next"), text, Type::Body));
        }
        if !platform.connects_to.is_empty() {
            facts.push((self.say("platform-server"), platform.connects_to.clone(), Type::Body));
        }
        let code = platform
            .verification_code
            .as_ref()
            .map(|code| if self.state.shown { code.0.to_string() } else { HIDDEN.to_owned() });
        if let Some(code) = code {
            facts.push((self.say("platform-code"), code, Type::Even));
        }
        let has_code = !seen.rows.is_empty();
        let (again, add) = (self.say("platform-try"), self.say("platform-add-show"));
        let can_try = self.state.can_send() && !connecting;
        self.card(ui, |kit, ui| {
            kit.facts(ui, &facts);
            if has_code || !off {
                kit.row(ui, |kit, ui| {
                    if waits {
                        let icon = Some(Icon::Renew);
                        kit.button(ui, Action::TryPlatform, Look::Secondary, icon, &again, can_try);
                    }
                    if has_code {
                        let icon = Some(Icon::Enlarge);
                        kit.button(ui, Action::ShowAddCode, Look::Secondary, icon, &add, true);
                    }
                });
            }
        });
    }

    fn platform_form(&mut self, ui: &mut Ui) {
        let on = self.state.platform_on;
        self.card(ui, |kit, ui| {
            let words =
                ["platform-enable", "platform-enable-hint", "platform-server", "platform-server-hint"];
            let [enable, enable_hint, server, server_hint] = words.map(|key| kit.say(key));
            kit.choice(ui, Action::TogglePlatform, on, &enable, &enable_hint);
            let submit = Action::SavePlatform;
            let look = FieldLook { label: &server, hint: &server_hint, submit, can_show: false };
            kit.field(ui, Field::Server, &look);
            let (code, code_hint) = (kit.say("platform-code"), kit.say("platform-code-hint"));
            let look = FieldLook { label: &code, hint: &code_hint, submit, can_show: true };
            kit.field(ui, Field::DeviceCode, &look);
            kit.submit(ui, submit, "platform-save", None);
        });
    }

    /// The code that adds this recorder to an account, beside what it holds.
    pub(super) fn platform_qr(&mut self, ui: &mut Ui) {
        let Some(seen) = self.state.platform.as_ref() else { return };
        let width = ui.available_width();
        let two = width >= 640.0;
        self.title(ui, "platform-add");
        let room = ui.clip_rect().height() - 130.0;
        let side = if two { width * 0.43 } else { width }.min(room.max(240.0)).min(420.0);
        let serial = self.state.device.as_ref().map(|device| device.serial.clone()).unwrap_or_default();
        let code = seen.platform.verification_code.as_ref().map(|code| code.0.to_string());
        let facts = [
            (self.say("device-serial"), serial, Type::Even),
            (self.say("platform-code"), code.unwrap_or_default(), Type::Even),
            (self.say("platform-server"), seen.platform.connects_to.clone(), Type::Body),
        ];
        let text = self.say("platform-add-text");
        let words = |kit: &mut Self, ui: &mut Ui| {
            ui.spacing_mut().item_spacing = vec2(space(3), space(4));
            kit.body(ui, text);
            kit.facts(ui, &facts);
            kit.back(ui, "back");
        };
        let top = ui.cursor().min;
        if !two {
            self.code_picture(ui, &seen.rows, side);
            words(self, ui);
            return;
        }
        let left = Rect::from_min_size(top, vec2(side, side));
        let beside = vec2(width - side - space(5), f32::INFINITY);
        let right = Rect::from_min_size(top + vec2(side + space(5), 0.0), beside);
        self.within(ui, left, |kit, ui| kit.code_picture(ui, &seen.rows, side));
        let mut inside = ui.new_child(egui::UiBuilder::new().max_rect(right).id_salt("right"));
        words(self, &mut inside);
        ui.allocate_exact_size(vec2(width, inside.min_rect().height().max(side)), Sense::hover());
    }
}
