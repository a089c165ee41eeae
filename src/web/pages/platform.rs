//! Platform access: whether the recorder connects to its platform, where, and how that goes.

use super::{
    Visit, Wrong, draw,
    frame::{FieldError, Kind, Notice},
    views,
};
use crate::{
    platform::{NotEnrolled, NotSent, Reason, Sent, State, Status},
    recovery::{ChallengeView, PlatformSettings, Refusal, Reply, Request},
    web::{
        Fault, Form, Response,
        platform::{self, Seconds},
        problem::waiting,
    },
};
use latchkey_protocol::platform::{MailState, Problem, Refusal as CloudRefusal};
use zeroize::Zeroizing;

const CONFIGURATION: (&str, &str) = ("", "configuration-title");
/// The page.
pub(super) const PLATFORM: (&str, &str) = ("/configuration/platform", "platform-title");

impl<'a> Visit<'a> {
    pub(super) async fn platform_page(&self, query: &Form) -> Result<Response, Refusal> {
        let settings = heart(platform::read(self.ctx, self.caller).await)?;
        let done = match query.text("done") {
            "saved" => Some("platform-saved"),
            "trying" => Some("platform-trying"),
            "enrolled" => Some("enrolled"),
            _ => None,
        };
        let notices = done.map(|key| self.note(Kind::Success, key, vec![]));
        let server = settings.server.as_ref().map(|host| host.as_str().to_owned()).unwrap_or_default();
        Ok(self.platform_with(&settings, (&server, ""), notices.into_iter().collect(), Wrong::nothing()))
    }

    fn platform_with(
        &self,
        settings: &PlatformSettings,
        (server, other): (&str, &str),
        notices: Vec<Notice>,
        wrong: Wrong,
    ) -> Response {
        let status = self.ctx.link.status();
        let Seconds { heard_ago_s, next_try_in_s } = Seconds::of(&status, (self.ctx.uptime_ms)());
        let code = settings.verification_code.as_ref().map(|code| code.as_str()).unwrap_or_default();
        let ago = |ago_s| {
            let wait = waiting(&self.ctx.catalogue, ago_s);
            self.ctx.catalogue.say_with("platform-heard-ago", &[("time", wait.into())])
        };
        wrong.answer(|errors| {
            let p = self.frame(PLATFORM.1).at(&[CONFIGURATION, PLATFORM]).wrong(errors).telling(notices);
            draw(&views::Platform {
                p,
                enabled: settings.enabled,
                server,
                usual: &status.server,
                code,
                other,
                state: self.say(state_key(status.state)),
                reason: self.reason(&status),
                heard: heard_ago_s.map(ago),
                next_s: next_try_in_s,
                add: platform::add_text(self.ctx, settings).unwrap_or_default(),
            })
        })
    }

    fn reason(&self, status: &Status) -> Option<String> {
        status.reason.map(|reason| self.say(reason_key(reason)))
    }

    fn note(&self, kind: Kind, key: &str, lines: Vec<String>) -> Notice {
        Notice { kind, heading: self.say(key), lines, link: None, live: true }
    }

    pub(super) async fn platform_set(&self, form: &Form) -> Result<Response, Refusal> {
        if form.text("do") == "try" {
            heart(platform::read(self.ctx, self.caller).await)?;
            self.ctx.link.try_now();
            return Ok(self.go("/configuration/platform?done=trying"));
        }
        if form.text("do") == "enrol" {
            return self.enrol(form).await;
        }
        let (server, code) = (form.text("server"), form.text("code"));
        let typed = platform::settings(form.ticked("enabled"), Some(server), Some(code));
        let field = match typed {
            Ok(settings) => {
                heart(platform::set(self.ctx, self.caller, settings).await)?;
                return Ok(self.go("/configuration/platform?done=saved"));
            }
            Err(Fault::InvalidField { field: "server", .. }) => {
                FieldError { field: "server", text: self.say("platform-server-wrong") }
            }
            Err(_) => FieldError { field: "code", text: self.say("platform-code-wrong") },
        };
        let settings = heart(platform::read(self.ctx, self.caller).await)?;
        Ok(self.platform_with(&settings, (server, ""), vec![], self.check(vec![field])))
    }

    /// Another recovery service, for a claim code and the admin password.
    async fn enrol(&self, form: &Form) -> Result<Response, Refusal> {
        let (other, claim) = (form.text("other"), form.text("claim"));
        let current = Zeroizing::new(form.text("current").to_owned());
        let fault = match platform::enrol(self.ctx, self.caller, other, claim, current).await {
            Ok(()) => return Ok(self.go("/configuration/platform?done=enrolled")),
            Err(Fault::Heart(refusal @ Refusal::NotSignedIn)) => return Err(refusal),
            Err(fault) => fault,
        };
        let wrong = |field, key| (vec![], self.check(vec![FieldError { field, text: self.say(key) }]));
        let (notices, wrong) = match fault {
            Fault::InvalidField { field: "server", .. } => wrong("other", "platform-server-wrong"),
            Fault::InvalidField { .. } => wrong("claim", "enrol-claim-wrong"),
            Fault::NotEnrolled(why) => {
                let line = self.say(not_enrolled_key(why));
                (vec![self.note(Kind::Warn, "enrol-failed", vec![line])], Wrong::nothing())
            }
            Fault::Heart(refusal) => return Err(refusal),
            _ => return Err(Refusal::Unavailable),
        };
        let settings = heart(platform::read(self.ctx, self.caller).await)?;
        let server = settings.server.as_ref().map(|host| host.as_str().to_owned()).unwrap_or_default();
        Ok(self.platform_with(&settings, (&server, other), notices, wrong))
    }

    /// "Send the code now": hands the QR code's content to the cloud over the link.
    pub(super) async fn send_now(&self) -> Result<Response, Refusal> {
        let view = match self.ask(Request::ViewChallenge).await? {
            Reply::Challenge(view) => view,
            _ => return Err(Refusal::Unavailable),
        };
        self.send(&view, "/forgot/code").await
    }

    /// Hands a challenge to the cloud, and leads back to its page.
    pub(super) async fn send(&self, view: &ChallengeView, back: &str) -> Result<Response, Refusal> {
        match platform::send(self.ctx, view).await {
            Ok(_) => Ok(self.go(back)),
            Err(Fault::Heart(refusal)) => Err(refusal),
            Err(fault) => {
                let done = match fault {
                    Fault::NotSent(NotSent::Rejected { problem: Problem::ResendTooEarly, .. }) => "early",
                    Fault::NotSent(NotSent::Rejected { problem: Problem::ResendUsed, .. }) => "used",
                    Fault::NotSent(NotSent::Rejected { .. }) => "refused",
                    _ => "offline",
                };
                Ok(self.go(&format!("{back}?done=send-{done}")))
            }
        }
    }

    /// Whether the recorder can send a code by itself.
    pub(super) fn is_online(&self) -> bool {
        self.ctx.link.status().state == State::Online
    }

    /// What to say of a code that this recorder has sent by itself, and whether it can (again).
    pub(super) fn sending(&self, view: &ChallengeView) -> (Option<String>, bool) {
        let sent = self.ctx.link.mail_of(&view.link.sealed);
        let online = self.is_online();
        let failed = |sent: &Sent| matches!(sent.mail.state, MailState::Bounced | MailState::Failed);
        (sent.map(|sent| self.say(mail_key(sent))), online && sent.is_none_or(|sent| failed(&sent)))
    }

    /// What became of a wish to send.
    pub(super) fn not_sent(&self, query: &Form) -> Option<Notice> {
        let (key, line) = match query.text("done") {
            "send-offline" => ("send-offline", "send-offline-text"),
            "send-refused" => ("send-refused", "send-refused-text"),
            "send-early" => ("send-early", "send-early-text"),
            "send-used" => ("send-used", "send-used-text"),
            _ => return None,
        };
        Some(self.note(Kind::Warn, key, vec![self.say(line)]))
    }
}

/// What the heart refused; nothing else can be refused here.
fn heart<T>(result: Result<T, Fault>) -> Result<T, Refusal> {
    result.map_err(|fault| match fault {
        Fault::Heart(refusal) => refusal,
        _ => Refusal::Unavailable,
    })
}

fn state_key(state: State) -> &'static str {
    match state {
        State::Off => "platform-state-off",
        State::NoIdentity => "platform-state-no-identity",
        State::Offline => "platform-state-offline",
        State::Connecting => "platform-state-connecting",
        State::Online => "platform-state-online",
    }
}

fn reason_key(reason: Reason) -> &'static str {
    match reason {
        Reason::Dns => "platform-reason-dns",
        Reason::Tcp => "platform-reason-tcp",
        Reason::Tls => "platform-reason-tls",
        Reason::Certificate => "platform-reason-certificate",
        Reason::Clock => "platform-reason-clock",
        Reason::NotThePlatform => "platform-reason-not-the-platform",
        Reason::Silent => "platform-reason-silent",
        Reason::Lost => "platform-reason-lost",
        Reason::Protocol => "platform-reason-protocol",
        Reason::Refused(CloudRefusal::Revoked) => "platform-reason-revoked",
        Reason::Refused(CloudRefusal::Unknown) => "platform-reason-unknown",
        Reason::Refused(CloudRefusal::Duplicate) => "platform-reason-duplicate",
        Reason::Refused(CloudRefusal::Version) => "platform-reason-version",
        Reason::Refused(CloudRefusal::Busy) => "platform-reason-busy",
    }
}

fn not_enrolled_key(why: NotEnrolled) -> &'static str {
    match why {
        NotEnrolled::Busy => "enrol-reason-busy",
        NotEnrolled::NoClaim => "enrol-reason-no-claim",
        NotEnrolled::SignedBefore => "enrol-reason-signed-before",
        NotEnrolled::TooMany => "enrol-reason-too-many",
        NotEnrolled::Unexpected => "enrol-reason-unexpected",
        NotEnrolled::NotKept => "enrol-reason-not-kept",
        NotEnrolled::NotReached(Reason::Certificate) => "enrol-reason-certificate",
        NotEnrolled::NotReached(Reason::Clock) => "enrol-reason-clock",
        NotEnrolled::NotReached(reason) => reason_key(reason),
    }
}

fn mail_key(sent: Sent) -> &'static str {
    match sent.mail.state {
        MailState::Queued => "sent-queued",
        MailState::Accepted => "sent-accepted",
        MailState::Bounced => "sent-bounced",
        MailState::Failed => "sent-failed",
    }
}
