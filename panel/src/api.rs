//! The daemon's JSON API as the panel uses it: requests as bytes, answers as types.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// A secret in a request or an answer: never printed, wiped when dropped.
#[derive(Clone, Deserialize, Serialize, PartialEq, Eq)]
#[serde(transparent)]
pub struct Secret(pub Zeroizing<String>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// What the panel asks for.
#[derive(Clone, Debug)]
pub enum Request {
    /// What anyone may see; with a session, whether it still lives.
    Device {
        /// The session.
        session: Option<Secret>,
    },
    /// The first password.
    Activate {
        /// The password.
        password: Secret,
        /// Reserved Email Settings.
        email: Option<Zeroizing<String>>,
    },
    /// Signs in.
    SignIn {
        /// The password.
        password: Secret,
    },
    /// Signs out.
    SignOut {
        /// The session.
        session: Secret,
    },
    /// Whether this is the password.
    VerifyPassword {
        /// The password.
        password: Secret,
    },
    /// The reserved emails in full.
    ReservedEmails {
        /// The session.
        session: Secret,
    },
    /// Replaces or removes the reserved email.
    SetReservedEmail {
        /// The session.
        session: Secret,
        /// The password.
        current: Secret,
        /// The new address; none removes it.
        email: Option<Zeroizing<String>>,
    },
    /// A new password in the place of a known one.
    ChangePassword {
        /// The session.
        session: Secret,
        /// The password until now.
        current: Secret,
        /// The password from now on.
        new: Secret,
    },
    /// The live challenge, or a new one.
    BeginReset {
        /// A new one even if one is live.
        renew: bool,
    },
    /// The live challenge.
    Challenge,
    /// The QR code's modules.
    Matrix,
    /// The QR code as a picture.
    Picture,
    /// Asks the cloud to send the live challenge's code now, over the platform link.
    SendChallenge,
    /// How far its mail is.
    SentChallenge,
    /// Platform access.
    Platform {
        /// The session.
        session: Secret,
    },
    /// Sets platform access.
    SetPlatform {
        /// The session.
        session: Secret,
        /// Whether a connection is made.
        enabled: bool,
        /// Another address than the identity's.
        server: Option<Zeroizing<String>>,
        /// The device verification code.
        code: Option<Zeroizing<String>>,
    },
    /// Connects now.
    TryPlatform {
        /// The session.
        session: Secret,
    },
    /// The mailed code.
    VerifyCode {
        /// Its digits.
        code: Secret,
    },
    /// The new password.
    SetPassword {
        /// From the code.
        grant: Secret,
        /// The password.
        password: Secret,
    },
}

/// What is sent.
pub struct Wire {
    /// The method.
    pub method: &'static str,
    /// The path below `/api/v1`.
    pub path: &'static str,
    /// The session, if the request has one.
    pub session: Option<Secret>,
    /// The JSON body, if there is one.
    pub body: Option<Zeroizing<Vec<u8>>>,
}

impl Request {
    /// For the log: what is asked for, and nothing of what it holds.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Device { .. } => "device",
            Self::Activate { .. } => "activate",
            Self::SignIn { .. } => "sign in",
            Self::SignOut { .. } => "sign out",
            Self::VerifyPassword { .. } => "verify password",
            Self::ReservedEmails { .. } => "reserved emails",
            Self::SetReservedEmail { .. } => "set reserved email",
            Self::ChangePassword { .. } => "change password",
            Self::BeginReset { .. } => "begin reset",
            Self::Challenge => "challenge",
            Self::Matrix => "matrix",
            Self::Picture => "picture",
            Self::SendChallenge => "send challenge",
            Self::SentChallenge => "sent challenge",
            Self::Platform { .. } => "platform",
            Self::SetPlatform { .. } => "set platform",
            Self::TryPlatform { .. } => "try platform",
            Self::VerifyCode { .. } => "verify code",
            Self::SetPassword { .. } => "set password",
        }
    }

    /// As HTTP has it.
    pub fn wire(&self) -> Wire {
        let wire = |method, path, session: Option<&Secret>, body| Wire {
            method,
            path,
            session: session.cloned(),
            body,
        };
        match self {
            Self::Device { session } => wire("GET", "/device", session.as_ref(), None),
            Self::Activate { password, email } => {
                let body = json(&[("password", Some(&password.0)), ("reserved_email", email.as_ref())]);
                wire("POST", "/activation", None, Some(body))
            }
            Self::SignIn { password } => {
                wire("POST", "/session", None, Some(json(&[("password", Some(&password.0))])))
            }
            Self::SignOut { session } => wire("DELETE", "/session", Some(session), None),
            Self::VerifyPassword { password } => {
                wire("POST", "/verify-password", None, Some(json(&[("password", Some(&password.0))])))
            }
            Self::ReservedEmails { session } => wire("GET", "/admin/reserved-email", Some(session), None),
            Self::SetReservedEmail { session, current, email } => {
                let body = json(&[("current", Some(&current.0)), ("email", email.as_ref())]);
                wire("PUT", "/admin/reserved-email", Some(session), Some(body))
            }
            Self::ChangePassword { session, current, new } => {
                let body = json(&[("current", Some(&current.0)), ("new", Some(&new.0))]);
                wire("PUT", "/admin/password", Some(session), Some(body))
            }
            Self::BeginReset { renew } => {
                let body: &[u8] = if *renew {
                    b"{\"terms_accepted\":true,\"renew\":true}"
                } else {
                    b"{\"terms_accepted\":true}"
                };
                wire("POST", "/reset/challenge", None, Some(Zeroizing::new(body.to_vec())))
            }
            Self::Challenge => wire("GET", "/reset/challenge", None, None),
            Self::Matrix => wire("GET", "/reset/challenge/qr.json", None, None),
            Self::Picture => wire("GET", "/reset/challenge/qr.png", None, None),
            Self::SendChallenge => wire("POST", "/reset/challenge/send", None, None),
            Self::SentChallenge => wire("GET", "/reset/challenge/send", None, None),
            Self::Platform { session } => wire("GET", "/platform", Some(session), None),
            Self::SetPlatform { session, enabled, server, code } => {
                let texts = json(&[("server", server.as_ref()), ("verification_code", code.as_ref())]);
                let start: &[u8] = if *enabled { b"{\"enabled\":true," } else { b"{\"enabled\":false," };
                let mut body = Zeroizing::new(Vec::with_capacity(start.len() + texts.len()));
                body.extend_from_slice(start);
                body.extend_from_slice(texts.get(1..).unwrap_or_default());
                wire("PUT", "/platform", Some(session), Some(body))
            }
            Self::TryPlatform { session } => wire("POST", "/platform/attempt", Some(session), None),
            Self::VerifyCode { code } => {
                wire("POST", "/reset/verification", None, Some(json(&[("code", Some(&code.0))])))
            }
            Self::SetPassword { grant, password } => {
                let body = json(&[("grant", Some(&grant.0)), ("password", Some(&password.0))]);
                wire("POST", "/reset/password", None, Some(body))
            }
        }
    }

    /// Reads a good answer.
    pub fn read(&self, body: &[u8]) -> Result<Answer, serde_json::Error> {
        Ok(match self {
            Self::Device { .. } => Answer::Device(serde_json::from_slice(body)?),
            Self::Activate { .. } | Self::SignIn { .. } => Answer::Session(serde_json::from_slice(body)?),
            Self::ReservedEmails { .. } => Answer::Emails(serde_json::from_slice::<Emails>(body)?.emails),
            Self::BeginReset { .. } | Self::Challenge => Answer::Challenge(serde_json::from_slice(body)?),
            Self::Matrix => Answer::Matrix(serde_json::from_slice(body)?),
            Self::Picture => Answer::Picture(body.to_vec()),
            Self::SendChallenge | Self::SentChallenge => Answer::Mail(serde_json::from_slice(body)?),
            Self::Platform { .. } | Self::SetPlatform { .. } => {
                Answer::Platform(serde_json::from_slice(body)?)
            }
            Self::VerifyCode { .. } => Answer::Grant(serde_json::from_slice(body)?),
            Self::SignOut { .. }
            | Self::TryPlatform { .. }
            | Self::VerifyPassword { .. }
            | Self::SetReservedEmail { .. }
            | Self::ChangePassword { .. }
            | Self::SetPassword { .. } => Answer::Done,
        })
    }
}

/// A JSON object of strings, in a buffer that is large enough from the start: a buffer that grows leaves
/// copies behind.
fn json(fields: &[(&str, Option<&Zeroizing<String>>)]) -> Zeroizing<Vec<u8>> {
    // A character becomes at most six: `\u001f`.
    let room = fields.iter().map(|(name, value)| name.len() + 8 + value.map_or(4, |value| value.len() * 6));
    let mut body = Zeroizing::new(Vec::with_capacity(room.sum::<usize>() + 2));
    let place = body.as_ptr();
    body.push(b'{');
    for (index, (name, value)) in fields.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        // Strings always serialise, and a Vec takes all of it.
        let _ = serde_json::to_writer(&mut *body, name);
        body.push(b':');
        let _ = serde_json::to_writer(&mut *body, &value.map(|value| value.as_str()));
    }
    body.push(b'}');
    debug_assert_eq!(place, body.as_ptr(), "it has not moved");
    body
}

/// A good answer.
#[derive(Debug)]
pub enum Answer {
    /// To [`Request::Device`].
    Device(Device),
    /// To [`Request::Activate`] and [`Request::SignIn`].
    Session(Session),
    /// To [`Request::ReservedEmails`].
    Emails(Vec<Email>),
    /// To [`Request::BeginReset`] and [`Request::Challenge`].
    Challenge(Challenge),
    /// To [`Request::Matrix`].
    Matrix(Matrix),
    /// To [`Request::Picture`]: PNG.
    Picture(Vec<u8>),
    /// To [`Request::SendChallenge`] and [`Request::SentChallenge`].
    Mail(Mail),
    /// To [`Request::Platform`] and [`Request::SetPlatform`].
    Platform(Platform),
    /// To [`Request::VerifyCode`].
    Grant(Grant),
    /// It is done.
    Done,
}

/// What anyone may see.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[allow(missing_docs, reason = "docs: the daemon's OpenAPI document")]
pub struct Device {
    pub lifecycle: Lifecycle,
    pub serial: String,
    pub model: String,
    pub version: String,
    pub masked_emails: Vec<String>,
    pub email_confirmed: bool,
    pub reset_by_email: String,
    pub pending_doors: Vec<String>,
    #[serde(default)]
    pub platform: String,
    pub signed_in: bool,
    pub password_chars_min: usize,
    pub certificate_sha256: String,
}

/// Where the device is in its life.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Lifecycle {
    /// No password yet.
    Inactive,
    /// In use.
    Active,
    /// The account record cannot be read.
    Damaged,
}

/// A session.
#[derive(Debug, Deserialize)]
pub struct Session {
    /// Its secret.
    pub session: Secret,
    /// A reset that the owner was not told of yet.
    #[serde(default)]
    pub reset_to_tell: Option<ToldReset>,
}

/// A completed reset.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct ToldReset {
    /// `console` or `lan`.
    pub door: String,
    /// What the device's clock said, in Unix seconds.
    pub wall_unix_s: i64,
}

#[derive(Deserialize)]
struct Emails {
    emails: Vec<Email>,
}

/// A reserved email.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Email {
    /// In full.
    pub address: Zeroizing<String>,
    /// A code that was mailed to it was typed once.
    pub confirmed: bool,
}

/// A live challenge.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[allow(missing_docs, reason = "docs: the daemon's OpenAPI document")]
pub struct Challenge {
    pub id: String,
    pub tag: String,
    pub masked_emails: Vec<String>,
    pub valid_s: u64,
    pub tries_left: u32,
    pub renew_wait_s: u64,
    pub cloud_host: String,
    pub mailbox: Option<String>,
}

/// How far the mail of a challenge is that was handed over by the platform link.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Mail {
    /// `queued`, `accepted`, `bounced` or `failed`; none if it was not handed over.
    pub state: Option<String>,
    /// Why it bounced or failed.
    pub reason: Option<String>,
}

/// Platform access.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[allow(missing_docs, reason = "docs: the daemon's OpenAPI document")]
pub struct Platform {
    pub enabled: bool,
    pub server: Option<String>,
    pub verification_code: Option<Secret>,
    pub connects_to: String,
    pub state: String,
    pub reason: Option<String>,
    pub heard_ago_s: Option<u64>,
    pub next_try_in_s: Option<u64>,
    pub add_text: Option<Secret>,
}

/// The modules of a QR code, row by row; `1` is dark.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Matrix {
    /// From the top.
    pub rows: Vec<String>,
}

/// The right to set one password.
#[derive(Debug, Deserialize)]
pub struct Grant {
    /// Its secret.
    pub grant: Secret,
    /// How long it is valid, in seconds.
    pub valid_s: u64,
}

/// A refusal, by RFC 9457.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
pub struct Problem {
    /// `urn:latchkey:problem:` and its name.
    #[serde(rename = "type")]
    pub kind: String,
    /// For people.
    pub title: String,
    /// For people.
    pub detail: String,
    /// Seconds to wait.
    pub wait_s: Option<u64>,
    /// Tries left.
    pub tries_left: Option<u32>,
    /// The fewest characters of a password.
    pub chars_min: Option<u64>,
    /// Why.
    pub reason: Option<String>,
}

impl Problem {
    /// Its name without what all names begin with.
    pub fn name(&self) -> &str {
        self.kind.strip_prefix("urn:latchkey:problem:").unwrap_or(&self.kind)
    }
}

/// Why there is no good answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The daemon refuses.
    #[error("refused: {}", .0.name())]
    Refused(Box<Problem>),
    /// It does not answer. What was asked for may still have been done.
    #[error("no answer: {0}")]
    Unreachable(String),
    /// It answers what cannot be understood.
    #[error("an answer that cannot be understood: {0}")]
    Garbage(String),
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret(Zeroizing::new(text.to_owned()))
    }

    #[test]
    fn bodies_are_json_and_their_buffer_never_grows() {
        let request = Request::Activate { password: secret("a\"\u{1}\\\u{fc}"), email: None };
        let body = request.wire().body.unwrap();
        let read: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(read, serde_json::json!({"password": "a\"\u{1}\\\u{fc}", "reserved_email": null}));
        let request = Request::SetPlatform { session: secret("s"), enabled: true, server: None, code: None };
        let read: serde_json::Value = serde_json::from_slice(&request.wire().body.unwrap()).unwrap();
        assert_eq!(read, serde_json::json!({"enabled": true, "server": null, "verification_code": null}));
        let worst = Zeroizing::new("\u{1}".repeat(200));
        assert!(json(&[("password", Some(&worst)), ("email", None)]).len() > 1200);
    }

    #[test]
    fn secrets_are_not_printed() {
        let request = Request::SignIn { password: secret("correct horse") };
        assert!(!format!("{request:?}").contains("horse"));
    }
}
