//! Confirming a reserved email: a code is mailed to it and typed here.

use super::{
    Visit, Wrong,
    account::{ADMIN, CONFIGURATION, SECURITY, USERS},
    draw,
    forgot::{chosen, may_be_repeated},
    frame::{FieldError, Frame},
    views,
};
use crate::{
    recovery::{ChallengeView, Ended, Refusal, Reply, Request, Which},
    web::{Form, Response},
};
use latchkey_protocol::Code;

/// The page.
pub(super) const CONFIRM: (&str, &str) = ("/configuration/users/admin/security/confirm", "confirm-title");

impl<'a> Visit<'a> {
    fn confirm_frame(&'a self) -> Frame<'a> {
        self.frame(CONFIRM.1).at(&[CONFIGURATION, USERS, ADMIN, SECURITY, (CONFIRM.0, "confirm-crumb")])
    }

    async fn confirmation(&self) -> Result<Box<ChallengeView>, Refusal> {
        match self.ask(Request::ViewConfirmation { session: self.session()? }).await? {
            Reply::Challenge(view) => Ok(view),
            _ => Err(Refusal::Unavailable),
        }
    }

    pub(super) async fn confirm_page(&self, query: &Form) -> Result<Response, Refusal> {
        let asked = chosen(query);
        match self.confirmation().await {
            Ok(view) if asked.is_none_or(|asked| asked == view.to) => {
                Ok(self.confirm_code_with(query, &view, Wrong::nothing()))
            }
            Ok(_) | Err(Refusal::NoChallenge(Ended::NeverAsked | Ended::Confirmed)) => {
                Ok(self.confirm_start(asked, Wrong::nothing()))
            }
            Err(refusal @ Refusal::NoChallenge(_)) => {
                Ok(self.confirm_start(asked, self.wrong(refusal, None)))
            }
            Err(refusal) => Err(refusal),
        }
    }

    fn confirm_code_with(&self, query: &Form, view: &ChallengeView, wrong: Wrong) -> Response {
        self.challenge_with(self.confirm_frame(), &views::CONFIRM, query, view, wrong)
    }

    /// Before there is a code: what will happen, to which address.
    fn confirm_start(&self, which: Option<Which>, wrong: Wrong) -> Response {
        let unconfirmed = self.seen.emails_confirmed.iter().position(|confirmed| !confirmed);
        let index = which.map(Which::index).or(unconfirmed).unwrap_or(0);
        let Some(email) = self.seen.masked_emails.get(index).filter(|_| unconfirmed.is_some()) else {
            return self.go(SECURITY.0);
        };
        let lead = self.ctx.catalogue.say_with("confirm-lead", &[("email", email.as_str().into())]);
        wrong.answer(|errors| {
            draw(&views::Confirm {
                p: self.confirm_frame().wrong(errors),
                to: if index == 1 { "second" } else { "primary" },
                lead,
                can_send: self.is_online(),
            })
        })
    }

    pub(super) async fn confirm_begin(&self, form: &Form) -> Result<Response, Refusal> {
        let which = chosen(form).unwrap_or_default();
        let renew = form.ticked("renew");
        let session = self.session()?;
        match self.ask(Request::BeginConfirmation { session, which, renew }).await {
            Ok(Reply::Challenge(view)) if form.text("do") == "send" => self.send(&view, CONFIRM.0).await,
            Ok(Reply::Challenge(_)) if renew => Ok(self.go(&format!("{}?done=renewed", CONFIRM.0))),
            Ok(Reply::Challenge(_)) => Ok(self.go(CONFIRM.0)),
            Ok(_) => Err(Refusal::Unavailable),
            Err(Refusal::NoChallenge(Ended::Confirmed)) => Ok(self.go(SECURITY.0)),
            Err(refusal) if may_be_repeated(refusal) => self.confirm_again(which, refusal, None).await,
            Err(refusal) => Err(refusal),
        }
    }

    pub(super) async fn confirm_send(&self) -> Result<Response, Refusal> {
        match self.confirmation().await {
            Ok(view) => self.send(&view, CONFIRM.0).await,
            Err(Refusal::NoChallenge(_)) => Ok(self.go(CONFIRM.0)),
            Err(refusal) => Err(refusal),
        }
    }

    pub(super) async fn confirm(&self, form: &Form) -> Result<Response, Refusal> {
        let Ok(code) = Code::parse(form.text("code")) else {
            let text = self.say("code-missing");
            let wrong = self.check(vec![FieldError { field: "code", text }]);
            return match self.confirmation().await {
                Ok(view) => Ok(self.confirm_code_with(&Form::default(), &view, wrong)),
                Err(Refusal::NoChallenge(_)) => Ok(self.go(CONFIRM.0)),
                Err(refusal) => Err(refusal),
            };
        };
        match self.ask(Request::ConfirmEmail { session: self.session()?, code }).await {
            Ok(Reply::EmailConfirmed) => Ok(self.go(&format!("{}?done=confirmed", SECURITY.0))),
            Ok(_) => Err(Refusal::Unavailable),
            // Sent twice by an impatient click.
            Err(Refusal::NoChallenge(Ended::Confirmed)) => Ok(self.go(SECURITY.0)),
            Err(refusal @ (Refusal::WrongCode { .. } | Refusal::NoChallenge(_))) => {
                self.confirm_again(Which::Primary, refusal, Some("code")).await
            }
            Err(refusal) if may_be_repeated(refusal) => {
                self.confirm_again(Which::Primary, refusal, None).await
            }
            Err(refusal) => Err(refusal),
        }
    }

    /// The page once more with a refusal: with the QR code if there still is one, and otherwise at its start.
    async fn confirm_again(
        &self,
        which: Which,
        refusal: Refusal,
        field: Option<&'static str>,
    ) -> Result<Response, Refusal> {
        match self.confirmation().await {
            Ok(view) => Ok(self.confirm_code_with(&Form::default(), &view, self.wrong(refusal, field))),
            Err(Refusal::NoChallenge(_)) => Ok(self.confirm_start(Some(which), self.wrong(refusal, None))),
            Err(refusal) => Err(refusal),
        }
    }
}
