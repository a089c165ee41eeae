//! The daemon's JSON API as the panel uses it: requests as bytes, answers as types.

mod answers;

pub use answers::{
    Answer, Challenge, Device, Email, Failure, Grant, Lifecycle, Mail, Matrix, Platform, Problem, Session,
    ToldReset, Which,
};

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

/// What a challenge is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Aim {
    /// A new password.
    Reset,
    /// The mark of a confirmed reserved email, for someone who is signed in.
    Confirm {
        /// The session.
        session: Secret,
    },
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
    /// Replaces or removes a reserved email.
    SetReservedEmail {
        /// The session.
        session: Secret,
        /// The password.
        current: Secret,
        /// Which one.
        which: Which,
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
        /// Where its code goes; to the live one's address, or else the first one, if it is not said.
        to: Option<Which>,
    },
    /// The live challenge that confirms a reserved email, or a new one.
    BeginConfirmation {
        /// The session.
        session: Secret,
        /// Which one.
        which: Which,
        /// A new one even if one is live.
        renew: bool,
    },
    /// The live challenge.
    Challenge(Aim),
    /// The QR code's modules.
    Matrix(Aim),
    /// The QR code as a picture.
    Picture(Aim),
    /// Asks the cloud to send the live challenge's code now, over the platform link.
    SendChallenge(Aim),
    /// How far its mail is.
    SentChallenge(Aim),
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
    /// The mailed code that confirms a reserved email.
    ConfirmEmail {
        /// The session.
        session: Secret,
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

impl Aim {
    /// What is at one of two places, without a body.
    fn wire(&self, method: &'static str, reset: &'static str, confirm: &'static str) -> Wire {
        let (path, session) = match self {
            Self::Reset => (reset, None),
            Self::Confirm { session } => (confirm, Some(session.clone())),
        };
        Wire { method, path, session, body: None }
    }
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
            Self::BeginConfirmation { .. } => "begin confirmation",
            Self::Challenge(_) => "challenge",
            Self::Matrix(_) => "matrix",
            Self::Picture(_) => "picture",
            Self::SendChallenge(_) => "send challenge",
            Self::SentChallenge(_) => "sent challenge",
            Self::Platform { .. } => "platform",
            Self::SetPlatform { .. } => "set platform",
            Self::TryPlatform { .. } => "try platform",
            Self::VerifyCode { .. } => "verify code",
            Self::ConfirmEmail { .. } => "confirm email",
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
            Self::SetReservedEmail { session, current, which, email } => {
                let which = Zeroizing::new(which.name().to_owned());
                let fields =
                    [("current", Some(&current.0)), ("email", email.as_ref()), ("which", Some(&which))];
                let body = json(&fields);
                wire("PUT", "/admin/reserved-email", Some(session), Some(body))
            }
            Self::ChangePassword { session, current, new } => {
                let body = json(&[("current", Some(&current.0)), ("new", Some(&new.0))]);
                wire("PUT", "/admin/password", Some(session), Some(body))
            }
            Self::BeginReset { renew, to } => {
                let mut body = serde_json::json!({"terms_accepted": true, "renew": renew});
                if let Some(to) = to {
                    body["to"] = to.name().into();
                }
                wire("POST", "/reset/challenge", None, Some(Zeroizing::new(body.to_string().into_bytes())))
            }
            Self::BeginConfirmation { session, which, renew } => {
                let body = serde_json::json!({"which": which.name(), "renew": renew}).to_string();
                let body = Zeroizing::new(body.into_bytes());
                wire("POST", "/admin/reserved-email/confirmation", Some(session), Some(body))
            }
            Self::Challenge(aim) => aim.wire("GET", "/reset/challenge", "/admin/reserved-email/confirmation"),
            Self::Matrix(aim) => {
                aim.wire("GET", "/reset/challenge/qr.json", "/admin/reserved-email/confirmation/qr.json")
            }
            Self::Picture(aim) => {
                aim.wire("GET", "/reset/challenge/qr.png", "/admin/reserved-email/confirmation/qr.png")
            }
            Self::SendChallenge(aim) => {
                aim.wire("POST", "/reset/challenge/send", "/admin/reserved-email/confirmation/send")
            }
            Self::SentChallenge(aim) => {
                aim.wire("GET", "/reset/challenge/send", "/admin/reserved-email/confirmation/send")
            }
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
            Self::ConfirmEmail { session, code } => {
                let body = json(&[("code", Some(&code.0))]);
                wire("POST", "/admin/reserved-email/confirmation/verification", Some(session), Some(body))
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
            Self::ReservedEmails { .. } => {
                Answer::Emails(serde_json::from_slice::<answers::Emails>(body)?.emails)
            }
            Self::BeginReset { .. } | Self::BeginConfirmation { .. } | Self::Challenge(_) => {
                Answer::Challenge(serde_json::from_slice(body)?)
            }
            Self::Matrix(_) => Answer::Matrix(serde_json::from_slice(body)?),
            Self::Picture(_) => Answer::Picture(body.to_vec()),
            Self::SendChallenge(_) | Self::SentChallenge(_) => Answer::Mail(serde_json::from_slice(body)?),
            Self::Platform { .. } | Self::SetPlatform { .. } => {
                Answer::Platform(serde_json::from_slice(body)?)
            }
            Self::VerifyCode { .. } => Answer::Grant(serde_json::from_slice(body)?),
            Self::SignOut { .. }
            | Self::TryPlatform { .. }
            | Self::VerifyPassword { .. }
            | Self::SetReservedEmail { .. }
            | Self::ConfirmEmail { .. }
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
        let request = Request::SetReservedEmail {
            session: secret("s"),
            current: secret("p"),
            which: Which::Second,
            email: None,
        };
        let read: serde_json::Value = serde_json::from_slice(&request.wire().body.unwrap()).unwrap();
        assert_eq!(read, serde_json::json!({"current": "p", "email": null, "which": "second"}));
        let worst = Zeroizing::new("\u{1}".repeat(200));
        assert!(json(&[("password", Some(&worst)), ("email", None)]).len() > 1200);
    }

    #[test]
    fn a_reset_names_an_address_only_if_one_was_chosen() {
        let body = |to| -> serde_json::Value {
            let request = Request::BeginReset { renew: false, to };
            serde_json::from_slice(&request.wire().body.unwrap()).unwrap()
        };
        assert_eq!(body(None), serde_json::json!({"terms_accepted": true, "renew": false}));
        assert_eq!(body(Some(Which::Second))["to"], "second");
    }

    #[test]
    fn what_confirms_an_address_is_asked_for_with_the_session_and_a_reset_without() {
        let confirm = Request::Matrix(Aim::Confirm { session: secret("s") }).wire();
        assert_eq!(
            (confirm.path, confirm.session),
            ("/admin/reserved-email/confirmation/qr.json", Some(secret("s")))
        );
        let reset = Request::Matrix(Aim::Reset).wire();
        assert_eq!((reset.path, reset.session), ("/reset/challenge/qr.json", None));
    }

    #[test]
    fn secrets_are_not_printed() {
        let request = Request::SignIn { password: secret("correct horse") };
        assert!(!format!("{request:?}").contains("horse"));
    }
}
