//! What was pressed.

use super::{Action, Dialog, Effect, Event, Field, Keys, Notice, Screen, State, Tone};
use crate::{
    api::{Lifecycle, Request, Secret},
    input::LAYOUTS,
};

impl State {
    pub(super) fn act(&mut self, action: Action) -> Vec<Effect> {
        // While an answer is awaited, only the keyboard on the screen can be used.
        if self.busy && !matches!(action, Action::OpenKeys | Action::CloseKeys | Action::Page(_)) {
            return Vec::new();
        }
        match action {
            Action::Activate => self.activate(),
            Action::SignIn => {
                let Some(password) = self.required(Field::Password, "error-password-empty") else {
                    return Vec::new();
                };
                self.ask(Request::SignIn { password })
            }
            Action::SignOut => {
                let session = self.session.take();
                self.go(self.home());
                self.notice = Some(Notice::said(Tone::Success, "signed-out", ""));
                session.map(|session| Effect::Ask(Request::SignOut { session })).into_iter().collect()
            }
            Action::ByEmail if self.device.as_ref().is_some_and(|device| device.masked_emails.len() > 1) => {
                self.show(Screen::ChooseEmail)
            }
            Action::ByEmail => self.reset_to(None),
            Action::SendTo(which) => self.reset_to(Some(which)),
            Action::Accept => self.ask(Request::BeginReset { renew: false, to: self.to }),
            Action::Renew => self.open(Dialog::Renew),
            Action::ConfirmRenew => {
                self.dialog = None;
                self.renew()
            }
            Action::Export => self.ask(Request::Picture(self.aim())),
            Action::SendNow => self.ask(Request::SendChallenge(self.aim())),
            Action::ConfirmEmail(which) => self.begin_to_confirm(which),
            Action::ConfirmBySending => self.ask_to_confirm(true),
            Action::ConfirmByQr => self.ask_to_confirm(false),
            Action::Platform => self.with_session(|session| Request::Platform { session }),
            Action::TryPlatform => self.with_session(|session| Request::TryPlatform { session }),
            Action::SavePlatform => self.save_platform(),
            Action::SendCode => self.send_code(),
            Action::SetPassword => self.set_password(),
            Action::ReservedEmail => self.with_current(),
            Action::SaveEmail => self.save_email(),
            Action::RemoveEmail => self.open(Dialog::RemoveEmail),
            Action::ConfirmRemoveEmail => {
                self.dialog = None;
                self.set_email(None)
            }
            Action::SavePassword => self.save_password(),
            Action::Ask(power) => {
                self.dialog = Some(Dialog::Power(power));
                // Whether a code is pending must not be ten seconds old.
                vec![Effect::Ask(Request::Device { session: None })]
            }
            Action::Confirm(power) => {
                self.dialog = None;
                self.busy = true;
                vec![Effect::Power(power)]
            }
            Action::LargeText => {
                self.preferences.large_text = !self.preferences.large_text;
                vec![Effect::Keep(self.preferences.clone())]
            }
            Action::HighContrast => {
                self.preferences.high_contrast = !self.preferences.high_contrast;
                vec![Effect::Keep(self.preferences.clone())]
            }
            Action::Layout(index) => {
                let Some(layout) = LAYOUTS.get(index) else { return Vec::new() };
                layout.name.clone_into(&mut self.preferences.layout);
                vec![Effect::Keep(self.preferences.clone())]
            }
            _ => self.move_about(action),
        }
    }

    /// What changes nothing but what is seen.
    fn move_about(&mut self, action: Action) -> Vec<Effect> {
        match action {
            Action::ToggleReserve => self.reserve = !self.reserve,
            Action::TogglePlatform => self.platform_on = !self.platform_on,
            Action::ShowAddCode => self.go(Screen::PlatformQr),
            Action::ToggleShown => self.shown = !self.shown,
            Action::Forgot => self.go(Screen::Ways),
            Action::EditEmail(which) => {
                self.editing = which;
                self.go(Screen::EditEmail);
            }
            Action::ConfirmLater => self.later = true,
            Action::ToCode => self.go_with_challenge(Screen::Code),
            Action::Enlarge => self.go_with_challenge(Screen::QrLarge),
            Action::Menu => self.dialog = Some(Dialog::Menu),
            Action::Cancel => self.dialog = None,
            Action::Configuration => self.go(Screen::Configuration),
            Action::Users => self.go(Screen::Users),
            Action::Admin => self.go(Screen::Admin),
            Action::ChangePassword => self.go(Screen::ChangePassword),
            Action::Device => self.go(Screen::Device),
            Action::Display => self.go(Screen::Display),
            Action::Home => self.go(self.home()),
            Action::Back if self.dialog.is_some() => self.dialog = None,
            Action::Back => self.back(),
            Action::OpenKeys => self.keys = Keys { open: true, ..self.keys },
            Action::CloseKeys => self.keys = Keys::default(),
            Action::Page(page) => self.keys.page = page,
            _ => {}
        }
        Vec::new()
    }

    fn back(&mut self) {
        match self.screen {
            Screen::Device | Screen::Display => match self.before {
                place @ (Screen::Configuration | Screen::Ways) => self.go(place),
                place @ (Screen::Qr | Screen::Code) => self.go_with_challenge(place),
                Screen::NewPassword if self.grant.is_some() => self.go(Screen::NewPassword),
                _ => self.go(self.home()),
            },
            Screen::Users | Screen::Platform => self.go(Screen::Configuration),
            Screen::PlatformQr => self.go(Screen::Platform),
            Screen::Admin => self.go(Screen::Users),
            Screen::ReservedEmail | Screen::ChangePassword => self.go(Screen::Admin),
            Screen::EditEmail => self.go(Screen::ReservedEmail),
            Screen::ConfirmEmail => self.leave_confirming(),
            Screen::Qr if self.confirming.is_some() => self.go(Screen::ConfirmEmail),
            Screen::Disclaimer if self.to.is_some() => self.go(Screen::ChooseEmail),
            Screen::Disclaimer | Screen::ChooseEmail => self.go(Screen::Ways),
            Screen::QrLarge | Screen::Code => self.go_with_challenge(Screen::Qr),
            _ => self.go(self.home()),
        }
    }

    pub(super) fn show(&mut self, screen: Screen) -> Vec<Effect> {
        self.go(screen);
        Vec::new()
    }

    fn open(&mut self, dialog: Dialog) -> Vec<Effect> {
        self.dialog = Some(dialog);
        Vec::new()
    }

    /// A screen of the challenge; without one there is only its beginning.
    fn go_with_challenge(&mut self, screen: Screen) {
        let challenge = self.challenge.take();
        self.go(if challenge.is_some() { screen } else { Screen::Ways });
        self.challenge = challenge;
    }

    pub(super) fn ask(&mut self, request: Request) -> Vec<Effect> {
        if !self.can_send() {
            return Vec::new();
        }
        self.busy = true;
        self.fault = None;
        vec![Effect::Ask(request)]
    }

    fn secret(&self, field: Field) -> Secret {
        Secret(self.fields.get(field).copy())
    }

    /// What was typed; if nothing was, that is the fault.
    pub(super) fn required(&mut self, field: Field, fault: &'static str) -> Option<Secret> {
        if self.fields.get(field).is_empty() {
            self.fault = Some((field, fault));
            return None;
        }
        Some(self.secret(field))
    }

    /// A new password, typed twice.
    fn twice(&mut self) -> Option<Secret> {
        let password = self.required(Field::Password, "error-password-empty")?;
        if password != self.secret(Field::Repeat) {
            self.fault = Some((Field::Repeat, "error-repeat"));
            return None;
        }
        Some(password)
    }

    fn activate(&mut self) -> Vec<Effect> {
        let Some(password) = self.twice() else { return Vec::new() };
        let email = self.reserve.then(|| self.fields.get(Field::Email).copy());
        if email.as_ref().is_some_and(|email| email.is_empty()) {
            self.fault = Some((Field::Email, "error-email-empty"));
            return Vec::new();
        }
        self.ask(Request::Activate { password, email })
    }

    fn send_code(&mut self) -> Vec<Effect> {
        let digits = self.fields.get(Field::Code).as_str().chars().filter(char::is_ascii_digit).count();
        if digits != 8 {
            self.fault = Some((Field::Code, "code-missing"));
            return Vec::new();
        }
        let code = self.secret(Field::Code);
        match (self.confirming, self.session.clone()) {
            (Some(_), Some(session)) => self.ask(Request::ConfirmEmail { session, code }),
            _ => self.ask(Request::VerifyCode { code }),
        }
    }

    fn set_password(&mut self) -> Vec<Effect> {
        let Some(password) = self.twice() else { return Vec::new() };
        let Some((grant, _)) = self.grant.clone() else { return Vec::new() };
        self.ask(Request::SetPassword { grant, password })
    }

    /// The settings icon: the password is looked at before what it opens.
    fn with_current(&mut self) -> Vec<Effect> {
        let Some(password) = self.required(Field::Current, "error-password-empty") else { return Vec::new() };
        self.ask(Request::VerifyPassword { password })
    }

    pub(super) fn with_session(&mut self, request: impl FnOnce(Secret) -> Request) -> Vec<Effect> {
        match self.session.clone() {
            Some(session) => self.ask(request(session)),
            None => Vec::new(),
        }
    }

    /// Without a new device verification code the recorder keeps the one it has.
    fn save_platform(&mut self) -> Vec<Effect> {
        let given = |field| Some(self.fields.get(field).copy()).filter(|text| !text.is_empty());
        let server = given(Field::Server);
        let kept = || self.platform.as_ref()?.platform.verification_code.clone().map(|code| code.0);
        let code = given(Field::DeviceCode).or_else(kept);
        let enabled = self.platform_on;
        self.with_session(|session| Request::SetPlatform { session, enabled, server, code })
    }

    fn save_password(&mut self) -> Vec<Effect> {
        let Some(current) = self.required(Field::Current, "error-password-empty") else { return Vec::new() };
        let Some(new) = self.twice() else { return Vec::new() };
        let Some(session) = self.session.clone() else { return Vec::new() };
        self.ask(Request::ChangePassword { session, current, new })
    }

    /// The device is in another part of its life than the screen is for.
    pub(super) fn follow_lifecycle(&mut self, before: Option<Lifecycle>) {
        let now = self.device.as_ref().map(|device| device.lifecycle);
        if now != before && !matches!(self.screen, Screen::Device | Screen::Display)
            || self.screen == Screen::Connecting
        {
            self.session = None;
            self.go(self.home());
        }
    }

    /// For whoever wants to see a screen without the way to it: a test of its looks.
    pub fn place(&mut self, screen: Screen, edits: Vec<Event>) {
        self.screen = screen;
        for event in edits {
            self.step(self.now_ms, event);
        }
    }
}
