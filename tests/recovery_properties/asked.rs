//! A request, as the oracle remembers it.

use crate::{events::Ask, truth::Versions};
use latchkey::recovery::{Aim, Now, Place, Record, Request, Which};
use latchkey_protocol::{Code, Door};

/// A request, as the oracle remembers it.
pub struct Asked {
    pub door: Door,
    pub ask: Ask,
    pub at: Now,
    /// The password that was typed as the current one, and whether it was right then.
    pub typed: Option<(String, bool)>,
    pub new_password: Option<String>,
    pub new_email: Option<String>,
    pub code: Option<Code>,
    pub session: Option<[u8; 32]>,
    pub grant: Option<[u8; 32]>,
    /// Whether it had the proof that it needs, at the moment of asking.
    pub entitled: bool,
    pub versions: Versions,
}

impl Asked {
    pub fn new(door: Door, ask: Ask, request: &Request, at: Now, record: Option<&Record>) -> Self {
        let mut asked = Self {
            door,
            ask,
            at,
            typed: None,
            new_password: None,
            new_email: None,
            code: None,
            session: None,
            grant: None,
            entitled: false,
            versions: Versions::default(),
        };
        let truth = record.and_then(|record| record.password_phc.splitn(4, '$').nth(3).map(str::to_owned));
        let typed = |password: &str| Some((password.to_owned(), truth.as_deref() == Some(password)));
        match request {
            Request::Activate { password, .. } => asked.new_password = Some(password.to_string()),
            Request::SignIn { password } | Request::VerifyPassword { password } => {
                asked.typed = typed(password);
            }
            Request::ChangePassword { session, current, new } => {
                asked.session = Some(session.0);
                asked.typed = typed(current);
                asked.new_password = Some(new.to_string());
            }
            Request::SetReservedEmail { session, current, email, .. } => {
                asked.session = Some(session.0);
                asked.typed = typed(current);
                asked.new_email = email.as_ref().map(|email| email.as_str().to_owned());
            }
            Request::ReservedEmails { session } | Request::SignOut { session } => {
                asked.session = Some(session.0);
            }
            Request::BeginConfirmation { session, .. }
            | Request::ViewConfirmation { session }
            | Request::SetPlatform { session, .. } => asked.session = Some(session.0),
            Request::ConfirmEmail { session, code } => {
                asked.session = Some(session.0);
                asked.code = Some(code.clone());
            }
            Request::VerifyCode { code } => asked.code = Some(code.clone()),
            Request::SetPassword { grant, password } => {
                asked.grant = Some(grant.0);
                asked.new_password = Some(password.to_string());
            }
            _ => {}
        }
        asked
    }

    /// The place of the challenge that it is about.
    pub fn place(&self) -> Place {
        let aim = match self.ask {
            Ask::Confirm { .. } | Ask::ViewConfirm { .. } | Ask::TypeConfirm { .. } => Aim::Confirm,
            _ => Aim::Reset,
        };
        Place { door: self.door, aim }
    }

    /// The address that it names for the code, if it names one.
    pub fn to(&self) -> Option<Which> {
        match self.ask {
            Ask::Confirm { second: false, .. } | Ask::Begin { to: 1, .. } => Some(Which::Primary),
            Ask::Confirm { second: true, .. } | Ask::Begin { to: 2, .. } => Some(Which::Second),
            _ => None,
        }
    }

    /// Whether it asks for a new challenge in the place of a live one.
    pub fn renews(&self) -> bool {
        matches!(self.ask, Ask::Begin { renew: true, .. } | Ask::Confirm { renew: true, .. })
    }

    /// The addresses that follow from it, by the promise alone.
    pub fn emails(&self, before: &[String]) -> Vec<String> {
        let second = matches!(self.ask, Ask::SetEmail { second: true, .. });
        let own = self.new_email.clone();
        let other = before.get(usize::from(!second)).cloned();
        let pair = if second { [other, own] } else { [own, other] };
        pair.into_iter().flatten().collect()
    }

    pub fn is_right(&self) -> bool {
        self.typed.as_ref().is_some_and(|(_, right)| *right)
    }

    pub fn is_weak(&self) -> bool {
        matches!(self.ask, Ask::ChangePassword { weak: true, .. } | Ask::SetPassword { weak: true, .. })
    }
}
