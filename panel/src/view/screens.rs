//! The frame around every screen, and the screens of the account.

use super::{
    Role,
    keys::FieldLook,
    kit::{Kit, Look, RADIUS, TOUCH, space},
    theme::Type,
    words,
};
use crate::state::{Action, Field, Link, Screen, Tone};
use egui::{CornerRadius, Id, Rect, ScrollArea, Sense, Stroke, Ui, Vec2, vec2};
use latchkey_look::Icon;

/// The width of a column of one form, and of two columns beside each other.
const NARROW: f32 = 560.0;
const WIDE: f32 = 1080.0;

/// Everything that is seen.
pub(super) fn show(context: &egui::Context, kit: &mut Kit<'_>) {
    let frame = egui::Frame::new().fill(kit.theme.ground);
    egui::CentralPanel::default().frame(frame).show(context, |ui| {
        let all = ui.max_rect();
        kit.covered = kit.state.dialog.is_some();
        match kit.state.screen {
            Screen::Live => kit.live(ui, all),
            Screen::QrLarge => kit.qr_large(ui, all),
            _ => framed(ui, kit, all),
        }
        kit.covered = false;
        if let Some(dialog) = kit.state.dialog {
            kit.dialog(ui, all, dialog);
        }
    });
}

fn framed(ui: &mut Ui, kit: &mut Kit<'_>, all: Rect) {
    let head = if all.height() < 420.0 { 48.0 } else { 60.0 };
    let (top, rest) = all.split_top_bottom_at_y(all.top() + head);
    kit.header(ui, top);
    let keys = kit.keyboard_height().min(rest.height() - TOUCH);
    let (body, below) = rest.split_top_bottom_at_y(rest.bottom() - keys);
    let code = matches!(kit.state.screen, Screen::Qr | Screen::PlatformQr);
    let wide = code && body.width() >= 760.0;
    kit.within(ui, body, |kit, ui| {
        let mut scroll =
            ScrollArea::vertical().id_salt(kit.state.screen.name()).auto_shrink(false).animated(false);
        // Who comes back is told at the top, and sees a QR code whole, wherever the screen was left.
        if kit.fresh && kit.state.dialog.is_none() && (code || kit.state.notice.is_some()) {
            scroll = scroll.vertical_scroll_offset(0.0);
        }
        let mut drawn_from = 0.0;
        let scrolled = scroll.show(ui, |ui| {
            drawn_from = ui.min_rect().top();
            let outer = if body.height() < 500.0 || wide { space(4) } else { space(6) };
            let side = if body.width() < 700.0 { space(4) } else { space(5) };
            let width = (body.width() - 2.0 * side - 10.0).min(if wide { WIDE } else { NARROW });
            let left = ((body.width() - width) / 2.0).max(0.0);
            ui.add_space(outer);
            let column = Rect::from_min_size(ui.cursor().min + vec2(left, 0.0), vec2(width, f32::INFINITY));
            let inside = ui.scope_builder(egui::UiBuilder::new().max_rect(column), |ui| {
                ui.spacing_mut().item_spacing = vec2(space(3), space(4));
                kit.link(ui);
                content(ui, kit);
            });
            let _ = inside;
            ui.add_space(outer);
        });
        // The toolkit moves the content after it has drawn it: what is seen is not where it will be.
        let begins = scrolled.inner_rect.top() - scrolled.state.offset.y;
        kit.scrolls |= (begins - drawn_from).abs() > 0.5;
    });
    // Also once the pointer has left the field: it is pressed with the pointer.
    let field = kit.focused_field;
    if kit.state.keys.open {
        match field {
            Some(field) => kit.keyboard(ui, below, field),
            None => kit.press(Action::CloseKeys),
        }
    }
}

fn content(ui: &mut Ui, kit: &mut Kit<'_>) {
    match kit.state.screen {
        Screen::Connecting => kit.connecting(ui),
        Screen::Damaged => kit.damaged(ui),
        Screen::Activate => kit.activate(ui),
        Screen::SignIn => kit.sign_in(ui),
        Screen::Configuration => kit.configuration(ui),
        Screen::Users => kit.users(ui),
        Screen::Admin => kit.admin(ui),
        Screen::ReservedEmail => kit.reserved_email(ui),
        Screen::EditEmail => kit.edit_email(ui),
        Screen::ConfirmEmail => kit.confirm_email(ui),
        Screen::ChangePassword => kit.change_password(ui),
        Screen::Device => kit.device(ui),
        Screen::Display => kit.display(ui),
        Screen::Platform => kit.platform(ui),
        Screen::PlatformQr => kit.platform_qr(ui),
        Screen::Ways => kit.ways(ui),
        Screen::ChooseEmail => kit.choose_email(ui),
        Screen::Disclaimer => kit.disclaimer(ui),
        Screen::Qr => kit.qr(ui),
        Screen::Code => kit.code(ui),
        Screen::NewPassword => kit.new_password(ui),
        Screen::Complete => kit.complete(ui),
        Screen::Live | Screen::QrLarge => {}
    }
}

impl Kit<'_> {
    /// The mark, the device, and what can always be reached.
    fn header(&mut self, ui: &mut Ui, rect: Rect) {
        ui.painter().rect_filled(rect, CornerRadius::ZERO, self.theme.surface);
        ui.painter().hline(rect.x_range(), rect.bottom() - 0.5, Stroke::new(1.0, self.theme.line));
        let place = rect.shrink2(vec2(space(4), 0.0));
        self.within(ui, place, |kit, ui| {
            ui.horizontal_centered(|ui| {
                ui.spacing_mut().item_spacing = vec2(space(2), 0.0);
                let (at, _) = ui.allocate_exact_size(Vec2::splat(24.0), Sense::hover());
                kit.icon(ui, Icon::Key, at, kit.theme.brass);
                let model =
                    kit.state.device.as_ref().map_or_else(|| kit.say("product-name"), |d| d.model.clone());
                let name = Kit::galley(ui, model, Type::BodyBold, kit.theme.ink, f32::INFINITY);
                let (at, _) = ui.allocate_exact_size(name.size(), Sense::hover());
                ui.painter().galley(at.min, name, kit.theme.ink);
                if let Some(device) = kit.state.device.as_ref().filter(|_| rect.width() >= 760.0) {
                    let serial = kit
                        .words
                        .say_with("device-serial-short", &[("serial", device.serial.as_str().into())]);
                    ui.add_space(space(2));
                    let serial = Kit::galley(ui, serial, Type::Small, kit.theme.muted, f32::INFINITY);
                    let (at, _) = ui.allocate_exact_size(serial.size(), Sense::hover());
                    ui.painter().galley(at.min, serial, kit.theme.muted);
                }
            });
        });
        if matches!(self.state.screen, Screen::Connecting | Screen::Device | Screen::Display) {
            return;
        }
        let right = Rect::from_min_max(place.min, place.max);
        let mut inside = ui.new_child(
            egui::UiBuilder::new()
                .max_rect(right)
                .layout(egui::Layout::right_to_left(egui::Align::Center))
                .id_salt("head"),
        );
        inside.spacing_mut().item_spacing = vec2(space(1), 0.0);
        let (display, device) = (self.say("display-title"), self.say("device-screen-title"));
        self.button(&mut inside, Action::Display, Look::Quiet, None, &display, !self.state.busy);
        self.button(&mut inside, Action::Device, Look::Quiet, None, &device, !self.state.busy);
    }

    /// Above everything: that the daemon does not answer.
    fn link(&mut self, ui: &mut Ui) {
        let (title, text) = match self.state.link {
            _ if self.state.screen == Screen::Connecting => return,
            Link::Lost => ("panel-lost", "panel-lost-text"),
            Link::Garbage => ("panel-garbage", "panel-garbage-text"),
            Link::Up | Link::Unknown => return,
        };
        let (title, text) = (self.say(title), self.say(text));
        self.notice(ui, Tone::Warn, &title, &text);
    }

    fn connecting(&mut self, ui: &mut Ui) {
        let (title, text) = match self.state.link {
            Link::Garbage => ("panel-garbage", "panel-garbage-text"),
            Link::Lost => ("panel-lost", "panel-lost-text"),
            Link::Up | Link::Unknown => ("panel-connecting", "panel-connecting-text"),
        };
        self.title(ui, title);
        let text = self.say(text);
        self.card(ui, |kit, ui| kit.body(ui, text));
    }

    fn damaged(&mut self, ui: &mut Ui) {
        self.title(ui, "problem-record-damaged-title");
        self.told(ui);
        let text = self.say("problem-record-damaged");
        let steps = ["damaged-next-1", "damaged-next-2", "damaged-next-3"].map(|key| self.say(key));
        self.card(ui, |kit, ui| {
            kit.body(ui, text);
            kit.steps(ui, &steps);
        });
    }

    fn activate(&mut self, ui: &mut Ui) {
        self.title(ui, "activation-title");
        self.told(ui);
        let lead = self.say("activation-lead");
        self.body(ui, lead);
        self.card(ui, |kit, ui| {
            kit.new_passwords(ui, "activation-password", "password-repeat", Action::Activate, true);
            let (label, hint) = (kit.say("activation-reserve"), kit.say("activation-reserve-hint"));
            kit.choice(ui, Action::ToggleReserve, kit.state.reserve, &label, &hint);
            if kit.state.reserve {
                kit.plain_field(ui, Field::Email, "email-label", "email-hint", Action::Activate);
            }
            kit.submit(ui, Action::Activate, "activation-submit", None);
        });
        let note = self.say("activation-note");
        self.hint(ui, note);
    }

    fn sign_in(&mut self, ui: &mut Ui) {
        self.title(ui, "sign-in-title");
        self.told(ui);
        self.card(ui, |kit, ui| {
            let facts = [(kit.say("user-name"), kit.say("admin-name"), Type::BodyBold)];
            kit.facts(ui, &facts);
            kit.secret_field(ui, Field::Password, "password", Action::SignIn);
            let (sign_in, forgot) = (kit.say("sign-in"), kit.say("forgot-password"));
            let can_send = kit.state.can_send();
            kit.row(ui, |kit, ui| {
                kit.button(ui, Action::SignIn, Look::Primary, None, &sign_in, can_send);
                kit.button(ui, Action::Forgot, Look::Quiet, None, &forgot, !kit.state.busy);
            });
        });
        let pending = self.state.device.as_ref().is_some_and(|device| !device.pending_doors.is_empty());
        if pending && self.state.notice.is_none() {
            let (title, text) = (self.say("warn-pending"), self.say("warn-pending-text"));
            self.notice(ui, Tone::Info, &title, &text);
        }
    }

    fn configuration(&mut self, ui: &mut Ui) {
        self.title(ui, "configuration-title");
        self.told(ui);
        let words = [
            "screen-users",
            "users-hint",
            "platform-title",
            "platform-hint",
            "device-screen-title",
            "device-screen-hint",
            "display-title",
            "display-hint",
        ];
        let [users, users_hint, platform, platform_hint, device, device_hint, display, display_hint] =
            words.map(|key| self.say(key));
        self.unconfirmed_way(ui);
        self.way(ui, Some(Action::Users), Icon::Person, &users, &users_hint);
        let reach = self.state.can_send().then_some(Action::Platform);
        self.way(ui, reach, Icon::Renew, &platform, &platform_hint);
        self.way(ui, Some(Action::Device), Icon::Recorder, &device, &device_hint);
        self.way(ui, Some(Action::Display), Icon::Info, &display, &display_hint);
        self.back(ui, "back-to-live");
    }

    fn users(&mut self, ui: &mut Ui) {
        self.crumbs(ui, &["configuration-title"]);
        self.title(ui, "screen-users");
        self.told(ui);
        let (admin, edit) = (self.say("admin-name"), self.say("screen-edit"));
        let name = format!("{admin}: {edit}");
        let hint = self.say("admin-hint");
        self.way(ui, Some(Action::Admin), Icon::Person, &name, &hint);
        self.back(ui, "back");
    }

    fn admin(&mut self, ui: &mut Ui) {
        self.crumbs(ui, &["configuration-title", "screen-users"]);
        self.title(ui, "screen-edit-admin");
        self.told(ui);
        self.card(ui, |kit, ui| {
            kit.secret_field(ui, Field::Current, "current-password", Action::ReservedEmail);
            let hint = kit.say("screen-edit-hint");
            kit.hint(ui, hint);
            let words = ["email-label", "security-hint", "change-title", "change-hint"];
            let [email, email_hint, change, change_hint] = words.map(|key| kit.say(key));
            let can_send = kit.state.can_send();
            kit.way(ui, can_send.then_some(Action::ReservedEmail), Icon::Settings, &email, &email_hint);
            kit.way(ui, Some(Action::ChangePassword), Icon::Key, &change, &change_hint);
        });
        self.back(ui, "back");
    }

    fn change_password(&mut self, ui: &mut Ui) {
        self.crumbs(ui, &["configuration-title", "screen-users", "screen-edit-admin"]);
        self.title(ui, "change-title");
        self.told(ui);
        let lead = self.say("change-lead");
        self.body(ui, lead);
        self.card(ui, |kit, ui| {
            kit.secret_field(ui, Field::Current, "current-password", Action::SavePassword);
            // One switch shows all three.
            kit.new_passwords(ui, "new-password", "new-password-repeat", Action::SavePassword, false);
            kit.submit(ui, Action::SavePassword, "change-submit", None);
        });
        self.back(ui, "back");
    }

    /// Where one is.
    pub(super) fn crumbs(&mut self, ui: &mut Ui, keys: &[&str]) {
        let names: Vec<String> = keys.iter().map(|key| self.say(key)).collect();
        self.hint(ui, format!("{}  /", names.join("  /  ")));
    }

    pub(super) fn back(&mut self, ui: &mut Ui, key: &str) {
        let label = self.say(key);
        // Its words begin where everything else on the screen does.
        ui.horizontal(|ui| {
            ui.add_space(-space(3));
            self.button(ui, Action::Back, Look::Quiet, None, &label, !self.state.busy);
        });
    }

    /// The button of a form, and a way back beside it.
    pub(super) fn submit(&mut self, ui: &mut Ui, action: Action, key: &str, back: Option<&str>) {
        let label = self.say(if self.state.busy { "panel-busy" } else { key });
        let back = back.map(|key| self.say(key));
        let can_send = self.state.can_send();
        self.row(ui, |kit, ui| {
            kit.button(ui, action, Look::Primary, None, &label, can_send);
            if let Some(back) = back {
                kit.button(ui, Action::Back, Look::Quiet, None, &back, !kit.state.busy);
            }
        });
    }

    pub(super) fn secret_field(&mut self, ui: &mut Ui, field: Field, key: &str, submit: Action) {
        let label = self.say(key);
        self.field(ui, field, &FieldLook { label: &label, hint: "", submit, can_show: true });
    }

    pub(super) fn plain_field(&mut self, ui: &mut Ui, field: Field, key: &str, hint: &str, submit: Action) {
        let (label, hint) = (self.say(key), self.say(hint));
        self.field(ui, field, &FieldLook { label: &label, hint: &hint, submit, can_show: false });
    }

    /// A new password, its strength, and the same again.
    pub(super) fn new_passwords(
        &mut self,
        ui: &mut Ui,
        first: &str,
        again: &str,
        submit: Action,
        can_show: bool,
    ) {
        let label = self.say(first);
        self.field(ui, Field::Password, &FieldLook { label: &label, hint: "", submit, can_show });
        self.meter(ui);
        let label = self.say(again);
        self.field(ui, Field::Repeat, &FieldLook { label: &label, hint: "", submit, can_show: false });
    }

    /// How strong the password looks.
    fn meter(&mut self, ui: &mut Ui) {
        let chars_min = self.state.device.as_ref().map_or(8, |device| device.password_chars_min);
        let password = self.state.fields.get(Field::Password);
        let (level, met) = words::strength(password.as_str(), chars_min);
        let empty = password.is_empty();
        let width = ui.available_width();
        let (rect, _) = ui.allocate_exact_size(vec2(width, 24.0), Sense::hover());
        let (gap, part) = (space(1), 56.0_f32.min((width - 140.0) / 4.0));
        let colour = self.theme.tones[[2, 2, 1, 3, 3][level]].0;
        for index in 0..4 {
            let at = rect.left_center() + vec2(index as f32 * (part + gap), -3.0);
            let fill = if index < level { colour } else { self.theme.line };
            ui.painter().rect_filled(Rect::from_min_size(at, vec2(part, 6.0)), CornerRadius::same(3), fill);
        }
        let all = self.say("password-words");
        let word = all.split('|').nth(level).unwrap_or_default();
        let text = if empty {
            self.say("password-strength")
        } else {
            format!("{} {word}", self.say("password-strength"))
        };
        let galley = Kit::galley(ui, text, Type::Small, self.theme.muted, width);
        let at = rect.left_center() + vec2(4.0 * (part + gap) + space(1), -galley.size().y / 2.0);
        ui.painter().galley(at, galley, self.theme.muted);
        let length = self.words.say_with("password-rule-length", &[("count", (chars_min as u64).into())]);
        let rules = [
            length,
            self.say("password-rule-upper"),
            self.say("password-rule-digit"),
            self.say("password-rule-special"),
        ];
        ui.scope(|ui| {
            ui.spacing_mut().item_spacing = vec2(0.0, space(1));
            for (rule, met) in rules.into_iter().zip(met) {
                let (rect, _) = ui.allocate_exact_size(vec2(width, 20.0), Sense::hover());
                let mark = Rect::from_min_size(rect.min + vec2(0.0, 2.0), Vec2::splat(16.0));
                if met {
                    self.icon(ui, Icon::Success, mark, self.theme.tones[3].0);
                } else {
                    ui.painter().circle_stroke(mark.center(), 2.5, Stroke::new(1.5, self.theme.edge));
                }
                let ink = if met { self.theme.ink } else { self.theme.muted };
                let galley = Kit::galley(ui, rule, Type::Small, ink, width - 24.0);
                ui.painter().galley(rect.min + vec2(24.0, 0.0), galley, ink);
            }
        });
    }

    /// A small place to press beside others: the picture's corner, a bar.
    pub(super) fn tile(&mut self, ui: &mut Ui, rect: Rect, action: Action, icon: Icon, label: &str) {
        let response = self.control(ui, rect, Id::new(("tile", label)), label, true, Role::Button);
        let hovered = response.as_ref().is_some_and(egui::Response::hovered);
        let fill = if hovered { self.theme.sunken } else { self.theme.surface };
        let radius = CornerRadius::same(RADIUS as u8);
        ui.painter().rect(
            rect,
            radius,
            fill,
            Stroke::new(self.theme.line_width, self.theme.edge),
            egui::StrokeKind::Inside,
        );
        let galley = Kit::galley(ui, label, Type::BodyBold, self.theme.accent, f32::INFINITY);
        let left = rect.center().x - (galley.size().x + 28.0) / 2.0;
        let at = egui::pos2(left, rect.center().y - 10.0);
        self.icon(ui, icon, Rect::from_min_size(at, Vec2::splat(20.0)), self.theme.accent);
        ui.painter().galley(
            egui::pos2(left + 28.0, rect.center().y - galley.size().y / 2.0),
            galley,
            self.theme.accent,
        );
        self.ring(ui, rect, response.as_ref());
        if response.is_some_and(|response| response.clicked()) {
            self.press(action);
        }
    }
}
