//! What the daemon answered.

use super::{
    Challenged, Effect, Field, Link, Notice, POLL_LOST_MS, POLL_MS, PlatformSeen, Screen, State, Tone,
};
use crate::{
    api::{Answer, Challenge, Device, Failure, Matrix, Platform, Problem, Request, Session},
    text::Edit,
};

impl State {
    pub(super) fn answered(&mut self, (request, answer): (Request, Result<Answer, Failure>)) -> Vec<Effect> {
        let polled = matches!(request, Request::Device { .. });
        if polled {
            self.polling = false;
        }
        match &answer {
            Ok(_) | Err(Failure::Refused(_)) => self.link = Link::Up,
            Err(Failure::Unreachable(_)) => self.link = Link::Lost,
            Err(Failure::Garbage(_)) => self.link = Link::Garbage,
        }
        let pause_ms = if self.link == Link::Up { POLL_MS } else { POLL_LOST_MS };
        self.poll_ms = self.now_ms + pause_ms;
        // The challenge is looked at again and again; nobody waits for that.
        let looks = match request {
            // The first time is what a person asked for.
            Request::Challenge(_) => self.screen != Screen::ConfirmEmail,
            Request::SentChallenge(_) | Request::SignOut { .. } => true,
            Request::Platform { .. } => self.screen == Screen::Platform,
            _ => polled,
        };
        let awaited = !looks;
        if awaited {
            self.busy = false;
        }
        match answer {
            Ok(answer) => self.granted(&request, answer),
            Err(Failure::Refused(problem)) => self.refused(&request, problem),
            Err(_) if awaited => {
                // The notice above every screen says the rest.
                self.notice = Some(Notice::said(Tone::Warn, "panel-unsure", "panel-unsure-text"));
                Vec::new()
            }
            Err(_) => Vec::new(),
        }
    }

    fn granted(&mut self, request: &Request, answer: Answer) -> Vec<Effect> {
        match (request, answer) {
            (Request::Device { session }, Answer::Device(device)) => {
                self.described(session.is_some(), device)
            }
            (Request::Activate { email, .. }, Answer::Session(session)) => {
                let text = if email.is_some() { "panel-activated-email" } else { "activation-done-no-email" };
                self.signed_in(session, Some(Notice::said(Tone::Success, "activation-done", text)))
            }
            (_, Answer::Session(session)) => self.signed_in(session, None),
            (Request::VerifyPassword { .. }, _) => match self.session.clone() {
                Some(session) => {
                    self.busy = true;
                    vec![Effect::Ask(Request::ReservedEmails { session })]
                }
                None => Vec::new(),
            },
            (_, Answer::Emails(emails)) => {
                if self.screen != Screen::ReservedEmail {
                    self.go(Screen::ReservedEmail);
                }
                self.emails = emails;
                Vec::new()
            }
            (Request::SetReservedEmail { which, email, .. }, _) => self.email_set(*which, email.is_none()),
            (Request::ConfirmEmail { .. }, _) => self.confirmed(),
            (Request::ChangePassword { .. }, _) => {
                self.go(Screen::Users);
                self.notice = Some(Notice::said(Tone::Success, "change-done", "change-done-text"));
                Vec::new()
            }
            (request, Answer::Challenge(challenge)) => self.challenged(request, challenge),
            (_, Answer::Mail(mail)) => {
                self.mail = mail.state.is_some().then_some(mail);
                Vec::new()
            }
            (request, Answer::Platform(platform)) => {
                self.platform_told(matches!(request, Request::SetPlatform { .. }), platform);
                Vec::new()
            }
            (Request::TryPlatform { .. }, _) => {
                self.notice = Some(Notice::said(Tone::Info, "panel-platform-trying", ""));
                self.poll_ms = self.now_ms + POLL_LOST_MS;
                Vec::new()
            }
            (_, Answer::Matrix(matrix)) => self.drawn(&matrix),
            (_, Answer::Picture(picture)) => {
                let Some(live) = &self.challenge else { return Vec::new() };
                self.busy = true;
                let tag: String = live.challenge.tag.chars().filter(char::is_ascii_alphanumeric).collect();
                let what = if self.confirming.is_some() { "confirm" } else { "reset" };
                vec![Effect::Export { name: format!("{what}-{tag}.png"), picture }]
            }
            (_, Answer::Grant(grant)) => {
                self.go(Screen::NewPassword);
                self.grant = Some((grant.grant, self.now_ms + grant.valid_s * 1000));
                Vec::new()
            }
            (Request::SetPassword { .. }, _) => {
                self.session = None;
                self.go(Screen::Complete);
                self.ask_device()
            }
            _ => Vec::new(),
        }
    }

    /// Shows a challenge that was asked for, or what is new about the one on the screen.
    fn challenged(&mut self, request: &Request, challenge: Challenge) -> Vec<Effect> {
        let begun = matches!(request, Request::BeginReset { .. } | Request::BeginConfirmation { .. });
        let fresh = begun || self.is_wanted(&challenge);
        if !fresh && !self.shows_challenge() {
            return Vec::new();
        }
        let same = self.challenge.take().filter(|live| live.challenge.id == challenge.id);
        if same.is_none() {
            // What was told is of another code's mail.
            self.mail = None;
        }
        let rows = same.map_or_else(Vec::new, |live| live.rows);
        let needs_rows = rows.is_empty();
        self.challenge = Some(Challenged { challenge, at_ms: self.now_ms, rows });
        let sends =
            begun && self.confirming.as_mut().is_some_and(|confirming| std::mem::take(&mut confirming.sends));
        if fresh {
            let challenge = self.challenge.take();
            // What the recorder sends by itself needs no phone.
            self.go(if sends { Screen::Code } else { Screen::Qr });
            self.challenge = challenge;
            if let Request::BeginReset { renew: true, .. } | Request::BeginConfirmation { renew: true, .. } =
                request
            {
                self.notice = Some(Notice::said(Tone::Success, "renewed", "renewed-text"));
            }
        }
        let mut effects = Vec::new();
        if needs_rows {
            self.busy = true;
            effects.push(Effect::Ask(Request::Matrix(self.aim())));
        }
        if sends {
            self.busy = true;
            effects.push(Effect::Ask(Request::SendChallenge(self.aim())));
        }
        effects
    }

    /// Shows platform access, or what is new about it: what was typed meanwhile stays.
    fn platform_told(&mut self, saved: bool, mut platform: Platform) {
        if platform.state == "connecting" {
            self.poll_ms = self.now_ms + POLL_LOST_MS;
            // Why the try before failed stays until this one is over: what is pressed must not move away.
            let before = self.platform.as_ref().and_then(|seen| seen.platform.reason.clone());
            platform.reason = platform.reason.or(before);
        }
        if saved || !matches!(self.screen, Screen::Platform | Screen::PlatformQr) {
            self.platform_on = platform.enabled;
            self.go(Screen::Platform);
            for char in platform.server.iter().flat_map(|server| server.chars()) {
                self.fields.get_mut(Field::Server).edit(Edit::Insert(char));
            }
        }
        if saved {
            self.notice = Some(Notice::said(Tone::Success, "platform-saved", ""));
            self.poll_ms = self.now_ms + POLL_LOST_MS;
        } else if platform.state != "connecting"
            && matches!(self.notice, Some(Notice::Said { title: "panel-platform-trying", .. }))
        {
            self.notice = None;
        }
        self.platform = Some(PlatformSeen::new(platform, self.now_ms));
    }

    pub(super) fn ask_device(&mut self) -> Vec<Effect> {
        self.polling = true;
        vec![Effect::Ask(Request::Device { session: None })]
    }

    fn drawn(&mut self, matrix: &Matrix) -> Vec<Effect> {
        let rows = Challenged::rows_of(matrix);
        match &mut self.challenge {
            // 21 to 177 modules on a side: ISO/IEC 18004, 6.3.1.
            Some(live)
                if (21..=177).contains(&rows.len()) && rows.iter().all(|row| row.len() == rows.len()) =>
            {
                live.rows = rows;
            }
            Some(_) => self.link = Link::Garbage,
            None => {}
        }
        Vec::new()
    }

    fn described(&mut self, asked_with_session: bool, device: Device) -> Vec<Effect> {
        let before = self.device.as_ref().map(|device| device.lifecycle);
        if asked_with_session && !device.signed_in && self.session.take().is_some() {
            self.device = Some(device);
            self.go(self.home());
            self.notice = Some(Notice::said(Tone::Info, "problem-not-signed-in-title", "panel-session-over"));
            return Vec::new();
        }
        self.device = Some(device);
        self.follow_lifecycle(before);
        Vec::new()
    }

    fn signed_in(&mut self, session: Session, notice: Option<Notice>) -> Vec<Effect> {
        self.session = Some(session.session);
        self.later = false;
        // The device's life may have changed by this very request.
        if let Some(device) = &mut self.device {
            device.lifecycle = crate::api::Lifecycle::Active;
        }
        self.go(Screen::Live);
        self.notice = session.reset_to_tell.map(Notice::Told).or(notice);
        self.ask_device()
    }

    fn refused(&mut self, request: &Request, problem: Box<Problem>) -> Vec<Effect> {
        let field = match (problem.name(), request) {
            ("invalid-field", Request::Activate { .. } | Request::SetReservedEmail { .. }) => {
                Some(Field::Email)
            }
            ("invalid-field", Request::VerifyCode { .. } | Request::ConfirmEmail { .. }) => Some(Field::Code),
            ("invalid-field", Request::SetPlatform { .. }) => match problem.reason.as_deref() {
                Some("not-a-verification-code") => Some(Field::DeviceCode),
                _ => Some(Field::Server),
            },
            _ => None,
        };
        let fault = match problem.reason.as_deref() {
            Some("address-too-long") => "error-email-long",
            Some("address-at-sign") => "error-email-at",
            Some("address-local-part") => "error-email-local",
            Some("not-eight-digits") => "code-missing",
            Some("not-a-host") => "platform-server-wrong",
            Some("not-a-verification-code") => "platform-code-wrong",
            _ => "error-email-domain",
        };
        if let Some(field) = field {
            self.fault = Some((field, fault));
            return Vec::new();
        }
        // Nobody pressed anything for these: what is refused is asked again a little later.
        let looked =
            matches!(request, Request::Device { .. } | Request::SignOut { .. } | Request::SentChallenge(_));
        let ended = matches!(problem.name(), "no-challenge" | "not-signed-in");
        if looked || (matches!(request, Request::Challenge(_)) && !ended) {
            return Vec::new();
        }
        let notice = Notice::Refused { problem: problem.clone(), at_ms: self.now_ms };
        match (problem.name(), request) {
            ("not-signed-in", _) => {
                self.session = None;
                self.go(self.home());
            }
            ("not-active" | "already-active" | "record-damaged", _) => {
                self.poll_ms = self.now_ms;
            }
            ("wrong-code", _) => {
                if let (Some(live), Some(tries_left)) = (&mut self.challenge, problem.tries_left) {
                    live.challenge.tries_left = tries_left;
                }
                self.fields.wipe(None);
            }
            ("no-challenge", request) if self.confirming.is_some() => {
                return self.confirming_ended(request, problem.reason.as_deref(), notice);
            }
            ("no-challenge", _) => self.go(Screen::Ways),
            ("grant-over", _) => {
                self.go(Screen::Ways);
            }
            ("wrong-password", Request::SignIn { .. } | Request::VerifyPassword { .. }) => {
                self.fields.wipe(None);
            }
            _ => {}
        }
        // Nobody asked for a look at a challenge that is over.
        self.notice = Some(notice);
        Vec::new()
    }

    /// There is no code with which an address could be confirmed, or none is needed.
    fn confirming_ended(&mut self, request: &Request, reason: Option<&str>, notice: Notice) -> Vec<Effect> {
        let first_look = matches!(request, Request::Challenge(_)) && self.screen == Screen::ConfirmEmail;
        match reason {
            // The last one has done its work, or there was none: nothing has ended.
            Some("never-asked" | "confirmed") if first_look => return Vec::new(),
            Some("confirmed") => return self.confirmed(),
            _ => {}
        }
        self.go(Screen::ConfirmEmail);
        self.notice = Some(notice);
        Vec::new()
    }
}
