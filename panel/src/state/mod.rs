//! What the panel knows and shows: events change it, the view draws it, and what is to be done outside
//! comes out as effects. No I/O, no clock, no toolkit.

mod act;
mod answered;
mod emails;
mod parts;

pub use parts::{
    Action, Challenged, Confirming, Dialog, Effect, Event, Exported, Field, Fields, Keys, Link, Notice, Page,
    PlatformSeen, Power, Preferences, Screen, Tone,
};

use crate::api::{Device, Email, Lifecycle, Mail, Request, Secret, Which};

/// How often the daemon is asked how things stand.
const POLL_MS: u64 = 10_000;
/// How often while it does not answer.
const POLL_LOST_MS: u64 = 1_000;
/// Whoever does nothing for this long is signed out, and what was typed is wiped.
const IDLE_MS: u64 = 10 * 60_000;

/// Everything.
pub struct State {
    /// What is shown.
    pub screen: Screen,
    /// What was typed on it.
    pub fields: Fields,
    /// Whether hidden fields are shown.
    pub shown: bool,
    /// Whether Reserved Email Settings is ticked.
    pub reserve: bool,
    /// Whether the daemon answers.
    pub link: Link,
    /// What it said of the device.
    pub device: Option<Device>,
    /// Who is signed in.
    pub session: Option<Secret>,
    /// An answer is awaited; nothing can be pressed.
    pub busy: bool,
    /// What is to be told above the screen's content.
    pub notice: Option<Notice>,
    /// A field that cannot stay as it is, and the sentence that says why.
    pub fault: Option<(Field, &'static str)>,
    /// A question over everything else.
    pub dialog: Option<Dialog>,
    /// The live challenge with its QR code.
    pub challenge: Option<Challenged>,
    /// How far its mail is, if the platform link has taken it.
    pub mail: Option<Mail>,
    /// Platform access, while its screens are shown.
    pub platform: Option<PlatformSeen>,
    /// Whether Enable platform access is ticked.
    pub platform_on: bool,
    /// The reserved emails in full, while their screens are shown.
    pub emails: Vec<Email>,
    /// The one that is changed.
    pub editing: Which,
    /// The one that is being confirmed; without one, a challenge is that of a reset.
    pub confirming: Option<Confirming>,
    /// The person does not want to be told now that one is not confirmed.
    pub later: bool,
    /// Where the code of a reset goes, if it was chosen.
    to: Option<Which>,
    /// The on-screen keyboard.
    pub keys: Keys,
    /// What the person chose for this screen.
    pub preferences: Preferences,
    /// Whether this board can restart and shut down.
    pub has_power: bool,
    /// The right to set a password, and when it ends.
    grant: Option<(Secret, u64)>,
    /// Where This recorder and Display were asked for.
    before: Screen,
    now_ms: u64,
    input_ms: u64,
    poll_ms: u64,
    polling: bool,
}

impl State {
    /// Before the daemon has answered for the first time.
    pub fn new(preferences: Preferences, has_power: bool) -> Self {
        Self {
            screen: Screen::Connecting,
            fields: Fields::default(),
            shown: false,
            reserve: true,
            link: Link::Unknown,
            device: None,
            session: None,
            busy: false,
            notice: None,
            fault: None,
            dialog: None,
            challenge: None,
            mail: None,
            platform: None,
            platform_on: false,
            emails: Vec::new(),
            editing: Which::Primary,
            confirming: None,
            later: false,
            to: None,
            keys: Keys::default(),
            preferences,
            has_power,
            grant: None,
            before: Screen::Connecting,
            now_ms: 0,
            input_ms: 0,
            poll_ms: 0,
            polling: false,
        }
    }

    /// An event at a moment, in milliseconds of any steady clock.
    pub fn step(&mut self, now_ms: u64, event: Event) -> Vec<Effect> {
        self.now_ms = now_ms;
        let mut effects = match event {
            Event::Tick => self.tick(),
            Event::Input => {
                self.input_ms = now_ms;
                Vec::new()
            }
            Event::Press(action) => {
                self.input_ms = now_ms;
                self.act(action)
            }
            Event::Edit(field, edit) => {
                self.input_ms = now_ms;
                self.fields.get_mut(field).edit(edit);
                self.fault = self.fault.take().filter(|(faulty, _)| *faulty != field);
                Vec::new()
            }
            Event::Answered(answered) => self.answered(*answered),
            Event::Exported(exported) => {
                self.busy = false;
                let mailbox = self.challenge.as_ref().and_then(|live| live.challenge.mailbox.clone());
                self.notice = Some(Notice::Exported(exported, mailbox));
                Vec::new()
            }
            Event::PowerFailed => {
                self.busy = false;
                self.notice =
                    Some(Notice::said(Tone::Danger, "panel-power-failed", "panel-power-failed-text"));
                Vec::new()
            }
        };
        effects.retain(|effect| !matches!(effect, Effect::None));
        effects
    }

    /// The moment until which nothing changes by itself.
    pub fn quiet_until_ms(&self) -> u64 {
        let mut next = self.poll_ms.max(self.now_ms);
        if self.polling || self.busy {
            next = self.now_ms + POLL_MS;
        }
        if self.wait_s() > 0 || (self.screen == Screen::Qr && self.renew_wait_s() > 0) {
            next = next.min(self.now_ms + 1000);
        }
        next.max(self.now_ms + 10)
    }

    fn tick(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        if self.now_ms.saturating_sub(self.input_ms) > IDLE_MS {
            effects.extend(self.leave_alone());
        }
        if self.grant.as_ref().is_some_and(|(_, until_ms)| self.now_ms >= *until_ms) {
            self.go(Screen::Code);
            self.notice = Some(Notice::said(Tone::Warn, "problem-grant-over-title", "problem-grant-over"));
        }
        if self.now_ms >= self.poll_ms && !self.polling {
            self.polling = true;
            // Asking with the session keeps it alive: only after a break, to see whether it still is.
            let session = if matches!(self.link, Link::Up) { None } else { self.session.clone() };
            effects.push(Effect::Ask(Request::Device { session }));
            if self.shows_challenge() && !self.busy {
                effects.push(Effect::Ask(Request::Challenge(self.aim())));
                if self.mail_is_out() {
                    effects.push(Effect::Ask(Request::SentChallenge(self.aim())));
                }
            }
            if let (Screen::Platform, false, Some(session)) = (self.screen, self.busy, self.session.clone()) {
                effects.push(Effect::Ask(Request::Platform { session }));
            }
        }
        effects
    }

    /// Nobody is here any more.
    fn leave_alone(&mut self) -> Vec<Effect> {
        self.input_ms = self.now_ms;
        if self.screen == self.home() && self.session.is_none() && self.fields.are_empty() {
            return Vec::new();
        }
        let ended = self.session.take().map(|session| Effect::Ask(Request::SignOut { session }));
        // The QR code of a reset stays: its owner waits for the mail.
        if !self.shows_challenge() || self.confirming.is_some() {
            self.go(self.home());
        }
        if ended.is_some() {
            self.notice = Some(Notice::said(Tone::Info, "panel-idle", "panel-idle-text"));
        }
        ended.into_iter().collect()
    }

    /// Whether the live challenge is what the person looks at.
    pub fn shows_challenge(&self) -> bool {
        matches!(self.screen, Screen::Qr | Screen::QrLarge | Screen::Code)
    }

    /// Where the panel is when nobody wants anything.
    pub fn home(&self) -> Screen {
        match self.device.as_ref().map(|device| device.lifecycle) {
            None => Screen::Connecting,
            Some(Lifecycle::Inactive) => Screen::Activate,
            Some(Lifecycle::Damaged) => Screen::Damaged,
            Some(Lifecycle::Active) if self.session.is_some() => Screen::Live,
            Some(Lifecycle::Active) => Screen::SignIn,
        }
    }

    /// Shows another screen. What was typed is wiped, but for the password that the screens of the
    /// account share.
    fn go(&mut self, screen: Screen) {
        let keeps = |screen| {
            use Screen::{Admin, ChangePassword, EditEmail, ReservedEmail};
            matches!(screen, Admin | ReservedEmail | EditEmail | ChangePassword)
        };
        let kept = keeps(self.screen) && keeps(screen);
        self.fields.wipe(if kept { Some(Field::Current) } else { None });
        // Whoever looks aside comes back to the same code, and may still set the new password.
        let aside = |screen| matches!(screen, Screen::Device | Screen::Display);
        if !aside(screen) && screen != Screen::NewPassword {
            self.grant = None;
        }
        let challenges = aside(screen) || matches!(screen, Screen::Qr | Screen::QrLarge | Screen::Code);
        if !challenges {
            self.challenge = None;
            self.mail = None;
        }
        if !challenges && screen != Screen::ConfirmEmail {
            self.confirming = None;
        }
        if screen != Screen::Disclaimer {
            self.to = None;
        }
        if !matches!(screen, Screen::Platform | Screen::PlatformQr) {
            self.platform = None;
        }
        // They are shown behind the password: what leads on from there leads back.
        if self.confirming.is_none() && !matches!(screen, Screen::ReservedEmail | Screen::EditEmail) {
            self.emails.clear();
        }
        if aside(screen) && !aside(self.screen) {
            self.before = self.screen;
        }
        self.screen = screen;
        self.shown = false;
        self.notice = None;
        self.fault = None;
        self.dialog = None;
        self.keys = Keys::default();
    }

    /// Seconds until the next try, after too many failures.
    pub fn wait_s(&self) -> u64 {
        match &self.notice {
            Some(Notice::Refused { problem, at_ms }) => {
                problem.wait_s.unwrap_or(0).saturating_sub(self.now_ms.saturating_sub(*at_ms) / 1000)
            }
            _ => 0,
        }
    }

    /// Seconds that the live challenge is still valid.
    pub fn valid_s(&self) -> u64 {
        self.challenge.as_ref().map_or(0, |live| {
            live.challenge.valid_s.saturating_sub(self.now_ms.saturating_sub(live.at_ms) / 1000)
        })
    }

    /// Seconds until a new QR code can be asked for.
    pub fn renew_wait_s(&self) -> u64 {
        self.challenge.as_ref().map_or(0, |live| {
            live.challenge.renew_wait_s.saturating_sub(self.now_ms.saturating_sub(live.at_ms) / 1000)
        })
    }

    /// Seconds that are left to set the new password.
    pub fn grant_s(&self) -> u64 {
        self.grant.as_ref().map_or(0, |(_, until_ms)| until_ms.saturating_sub(self.now_ms) / 1000)
    }

    /// Seconds until the platform is tried again, and since it was last heard.
    pub fn platform_s(&self) -> (Option<u64>, Option<u64>) {
        let Some(seen) = &self.platform else { return (None, None) };
        let passed_s = self.now_ms.saturating_sub(seen.at_ms) / 1000;
        let next = seen.platform.next_try_in_s.map(|next_s| next_s.saturating_sub(passed_s));
        (next, seen.platform.heard_ago_s.map(|heard_s| heard_s + passed_s))
    }

    /// Whether the recorder can ask for the mail by itself: its link is up, and none is out.
    pub fn can_send_now(&self) -> bool {
        !self.mail_is_out() && self.device.as_ref().is_some_and(|device| device.platform == "online")
    }

    /// Whether there is a mail of which more may be heard: one that was taken can still come back.
    fn mail_is_out(&self) -> bool {
        let state = self.mail.as_ref().and_then(|mail| mail.state.as_deref());
        matches!(state, Some("queued" | "accepted"))
    }

    /// Whether something can be sent now.
    pub fn can_send(&self) -> bool {
        !self.busy && self.wait_s() == 0 && matches!(self.link, Link::Up)
    }
}

#[cfg(test)]
mod tests;
