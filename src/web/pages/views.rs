//! The templates and what each of them needs.

use super::frame::{Frame, Link};
use askama::Template;
use latchkey_look::Icon;

/// The first admin password.
#[derive(Template)]
#[template(path = "activation.html")]
pub(super) struct Activation<'a> {
    pub(super) p: Frame<'a>,
    pub(super) chars_min: usize,
    /// Whether Reserved Email Settings is ticked.
    pub(super) reserve: bool,
    pub(super) email: &'a str,
}

/// Sign-in, and the help card.
#[derive(Template)]
#[template(path = "sign_in.html")]
pub(super) struct SignIn<'a> {
    pub(super) p: Frame<'a>,
    pub(super) emails: &'a str,
    /// Why a reset by email is not offered; empty if it is.
    pub(super) why_not: String,
}

/// What a signed-in person sees first.
#[derive(Template)]
#[template(path = "overview.html")]
pub(super) struct Overview<'a> {
    pub(super) p: Frame<'a>,
    /// Whether the owner can still be recovered.
    pub(super) verdict: String,
    /// Each reserved email with whether it is confirmed; empty without any.
    pub(super) emails: String,
    /// Codes under way.
    pub(super) pending: String,
    pub(super) links: Vec<Link>,
}

/// A level of the configuration.
#[derive(Template)]
#[template(path = "links.html")]
pub(super) struct Links<'a> {
    pub(super) p: Frame<'a>,
    pub(super) links: Vec<Link>,
}

/// Account Security Settings.
#[derive(Template)]
#[template(path = "security.html")]
pub(super) struct Security<'a> {
    pub(super) p: Frame<'a>,
    pub(super) email: &'a str,
    pub(super) second: &'a str,
    /// The state of each address that is stored and can be removed.
    pub(super) states: Vec<EmailState>,
}

/// What is known of a reserved email.
pub(super) struct EmailState {
    /// In words.
    pub(super) text: String,
    /// Whether it can be confirmed now.
    pub(super) can_confirm: bool,
}

/// A reserved email that nobody has shown to be theirs.
#[derive(Template)]
#[template(path = "confirm.html")]
pub(super) struct Confirm<'a> {
    pub(super) p: Frame<'a>,
    /// Which one, as a form says it.
    pub(super) to: &'static str,
    pub(super) lead: String,
    /// Whether the recorder can send the code by itself now.
    pub(super) can_send: bool,
}

/// Another password in the place of a known one.
#[derive(Template)]
#[template(path = "change_password.html")]
pub(super) struct ChangePassword<'a> {
    pub(super) p: Frame<'a>,
    pub(super) chars_min: usize,
}

/// Platform access.
#[derive(Template)]
#[template(path = "platform.html")]
pub(super) struct Platform<'a> {
    pub(super) p: Frame<'a>,
    pub(super) enabled: bool,
    /// The address as typed; empty: that of the identity.
    pub(super) server: &'a str,
    /// The address that is connected to; empty without an identity.
    pub(super) usual: &'a str,
    pub(super) code: &'a str,
    pub(super) state: String,
    /// The address of another service, as typed.
    pub(super) other: &'a str,
    /// Why it is not connected.
    pub(super) reason: Option<String>,
    pub(super) heard: Option<String>,
    pub(super) next_s: Option<u64>,
    /// What the QR code for adding the recorder holds; empty: there is none.
    pub(super) add: String,
}

/// Step 1: verification mode and privacy policy.
#[derive(Template)]
#[template(path = "forgot.html")]
pub(super) struct Forgot<'a> {
    pub(super) p: Frame<'a>,
    pub(super) emails: &'a str,
    /// Two addresses to choose from.
    pub(super) both: Option<(&'a str, &'a str)>,
    /// Whether a QR code was already made and still works.
    pub(super) live: bool,
}

/// Where a challenge's page is, and what it is called there.
pub(super) struct ChallengeAt {
    /// Whether it is the wizard's, whose progress is shown.
    pub(super) is_reset: bool,
    /// Takes the code.
    pub(super) code: &'static str,
    pub(super) send: &'static str,
    pub(super) renew: &'static str,
    pub(super) svg: &'static str,
    pub(super) png: &'static str,
    /// Where to go without it.
    pub(super) back: &'static str,
    /// The keys of the words on the button and the way back.
    pub(super) submit: &'static str,
    pub(super) back_key: &'static str,
}

/// The wizard's.
pub(super) const RESET: ChallengeAt = ChallengeAt {
    is_reset: true,
    code: "/forgot/code",
    send: "/forgot/send",
    renew: "/forgot/renew",
    svg: "/api/v1/reset/challenge/qr.svg",
    png: "/forgot/qr.png",
    back: "/",
    submit: "code-submit",
    back_key: "back-to-sign-in",
};

/// The one that confirms a reserved email.
pub(super) const CONFIRM: ChallengeAt = ChallengeAt {
    is_reset: false,
    code: "/configuration/users/admin/security/confirm",
    send: "/configuration/users/admin/security/confirm/send",
    renew: "/configuration/users/admin/security/confirm/begin",
    svg: "/api/v1/admin/reserved-email/confirmation/qr.svg",
    png: "/api/v1/admin/reserved-email/confirmation/qr.png",
    back: "/configuration/users/admin/security",
    submit: "confirm-submit",
    back_key: "security-title",
};

/// The QR code and the code's entry: step 1 of the wizard, or a reserved email that is to be confirmed.
#[derive(Template)]
#[template(path = "challenge.html")]
pub(super) struct Challenge<'a> {
    pub(super) p: Frame<'a>,
    pub(super) at: &'static ChallengeAt,
    /// Which address it goes to, as a form says it.
    pub(super) to: &'static str,
    pub(super) tag: String,
    pub(super) host: &'a str,
    /// What the QR code holds, for a person who reads this on the phone itself.
    pub(super) link: String,
    /// What the exported picture is good for.
    pub(super) export_hint: String,
    pub(super) next_check: String,
    pub(super) next_mail: String,
    pub(super) tries_left: u32,
    pub(super) valid_s: u64,
    pub(super) renew_wait_s: u64,
    /// What became of the code that the recorder has sent by itself.
    pub(super) sent: Option<String>,
    /// Whether it can send the code by itself now.
    pub(super) can_send: bool,
}

/// Step 2.
#[derive(Template)]
#[template(path = "new_password.html")]
pub(super) struct NewPassword<'a> {
    pub(super) p: Frame<'a>,
    pub(super) chars_min: usize,
}

/// Step 3.
#[derive(Template)]
#[template(path = "complete.html")]
pub(super) struct Complete<'a> {
    pub(super) p: Frame<'a>,
}

/// Why something is not possible, and what to do next.
#[derive(Template)]
#[template(path = "told.html")]
pub(super) struct ToldPage<'a> {
    pub(super) p: Frame<'a>,
    pub(super) lines: Vec<String>,
    pub(super) steps: Vec<String>,
    pub(super) ways: Vec<(&'static str, String)>,
}

/// What to do without the password, and how to know the recorder.
#[derive(Template)]
#[template(path = "help.html")]
pub(super) struct Help<'a> {
    pub(super) p: Frame<'a>,
    pub(super) fingerprint: String,
}

/// The plain HTTP port: the certificate warning that will come.
#[derive(Template)]
#[template(path = "plain.html")]
pub(super) struct Plain<'a> {
    pub(super) p: Frame<'a>,
    pub(super) fingerprint: String,
    pub(super) url: &'a str,
}
