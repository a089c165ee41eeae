//! The wizard for a forgotten password: 1 Verify Identification, 2 Set New Password, 3 Complete.

use super::{
    Visit, Wrong, draw,
    frame::{FieldError, Frame},
    views, words,
};
use crate::{
    recovery::{ChallengeView, Ended, Refusal, Reply, Request, Which},
    web::{Form, Response, cookies::Cookie, respond},
};
use latchkey_protocol::Code;

impl<'a> Visit<'a> {
    pub(super) async fn forgot(&self) -> Result<Response, Refusal> {
        match words::not_offered(self.seen.reset_by_email) {
            Some(refusal) => Err(refusal),
            None => Ok(self.forgot_with(Wrong::nothing()).await),
        }
    }

    async fn forgot_with(&self, wrong: Wrong) -> Response {
        let live = self.challenge().await.is_ok();
        let emails = words::listed(&self.ctx.catalogue, "or", &self.seen.masked_emails);
        let both = match self.seen.masked_emails.as_slice() {
            [primary, second] => Some((primary.as_str(), second.as_str())),
            _ => None,
        };
        wrong.answer(|errors| {
            let p = self.frame("forgot-title").wrong(errors);
            draw(&views::Forgot { p, emails: &emails, both, live })
        })
    }

    pub(super) async fn begin(&self, form: &Form) -> Result<Response, Refusal> {
        let mut fields = vec![];
        if form.text("mode") != "email" {
            fields.push(FieldError { field: "mode-email", text: self.say("mode-unknown") });
        }
        if !form.ticked("accept") {
            fields.push(FieldError { field: "accept", text: self.say("privacy-missing") });
        }
        if !fields.is_empty() {
            return Ok(self.forgot_with(self.check(fields)).await);
        }
        match self.ask(Request::BeginReset { renew: false, to: chosen(form) }).await {
            Ok(Reply::Challenge(_)) => Ok(self.go("/forgot/code")),
            Ok(_) => Err(Refusal::Unavailable),
            Err(refusal) if may_be_repeated(refusal) => Ok(self.forgot_with(self.wrong(refusal, None)).await),
            Err(refusal) => Err(refusal),
        }
    }

    async fn challenge(&self) -> Result<Box<ChallengeView>, Refusal> {
        match self.ask(Request::ViewChallenge).await? {
            Reply::Challenge(view) => Ok(view),
            _ => Err(Refusal::Unavailable),
        }
    }

    pub(super) async fn code_page(&self, query: &Form) -> Result<Response, Refusal> {
        match self.challenge().await {
            // Nothing has ended: the way here begins with the privacy policy.
            Err(Refusal::NoChallenge(Ended::NeverAsked)) => Ok(self.go("/forgot")),
            Err(refusal) => Err(refusal),
            Ok(view) => Ok(self.code_with(query, &view, Wrong::nothing())),
        }
    }

    fn code_with(&self, query: &Form, view: &ChallengeView, wrong: Wrong) -> Response {
        let p = self.frame("forgot-title");
        self.challenge_with(p, &views::RESET, query, view, wrong)
    }

    /// A live challenge of either aim, with its QR code and the field for its code.
    pub(super) fn challenge_with(
        &self,
        p: Frame<'_>,
        at: &'static views::ChallengeAt,
        query: &Form,
        view: &ChallengeView,
        wrong: Wrong,
    ) -> Response {
        let catalogue = &self.ctx.catalogue;
        let (tag, host) = (view.tag.to_string(), view.link.host.as_str());
        let emails = words::listed(catalogue, "and", &view.masked_emails);
        let (sent, can_send) = self.sending(view);
        let mut notices = self.done(query);
        notices.extend(self.not_sent(query));
        let with_tag = |key: &str, name: &str, value: &str| {
            catalogue.say_with(key, &[(name, value.into()), ("tag", tag.as_str().into())])
        };
        wrong.answer(|errors| {
            draw(&views::Challenge {
                p: p.wrong(errors).telling(notices),
                at,
                to: if view.to == Which::Second { "second" } else { "primary" },
                host,
                link: view.link.to_string(),
                export_hint: match &view.mailbox {
                    Some(mailbox) => with_tag("qr-export-mailbox", "mailbox", mailbox.as_str()),
                    None => catalogue.say("qr-export-hint"),
                },
                next_check: with_tag("next-check", "host", host),
                next_mail: with_tag("next-mail", "emails", &emails),
                tag: tag.clone(),
                tries_left: view.tries_left,
                valid_s: view.valid_s,
                renew_wait_s: view.renew_wait_s,
                sent,
                can_send,
            })
        })
    }

    /// The code page again, if there still is a QR code to show; otherwise why there is none.
    async fn code_again(&self, wrong: Wrong) -> Result<Response, Refusal> {
        let view = self.challenge().await?;
        Ok(self.code_with(&Form::default(), &view, wrong))
    }

    pub(super) async fn code(&self, form: &Form) -> Result<Response, Refusal> {
        let Ok(code) = Code::parse(form.text("code")) else {
            let text = self.say("code-missing");
            return self.code_again(self.check(vec![FieldError { field: "code", text }])).await;
        };
        match self.ask(Request::VerifyCode { code }).await {
            Ok(Reply::CodeAccepted { grant, .. }) => {
                let mut response = self.go("/forgot/password");
                respond::keep(&mut response, self.caller, Cookie::Grant, &grant.0);
                Ok(response)
            }
            Ok(_) => Err(Refusal::Unavailable),
            Err(refusal @ Refusal::WrongCode { tries_left: 1.. }) => {
                self.code_again(self.wrong(refusal, Some("code"))).await
            }
            Err(refusal) if may_be_repeated(refusal) => self.code_again(self.wrong(refusal, None)).await,
            Err(refusal) => Err(refusal),
        }
    }

    pub(super) async fn renew(&self) -> Result<Response, Refusal> {
        match self.ask(Request::BeginReset { renew: true, to: None }).await {
            Ok(Reply::Challenge(_)) => Ok(self.go("/forgot/code?done=renewed")),
            Ok(_) => Err(Refusal::Unavailable),
            Err(refusal) if may_be_repeated(refusal) => {
                match self.code_again(self.wrong(refusal, None)).await {
                    // No QR code to show either: what was asked for is what counts.
                    Err(_) => Err(refusal),
                    shown => shown,
                }
            }
            Err(refusal) => Err(refusal),
        }
    }

    pub(super) async fn picture(&self) -> Result<Response, Refusal> {
        let view = self.challenge().await?;
        let name = format!("recovery-qr-{}.png", view.tag);
        Ok(respond::download("image/png", &name, (self.ctx.drawing.png)(&view.link)))
    }

    pub(super) fn new_password_page(&self) -> Response {
        // Without a code this step has nothing to do.
        match self.caller.grant {
            Some(_) => self.new_password_with(Wrong::nothing()),
            None => self.go("/forgot/code"),
        }
    }

    fn new_password_with(&self, wrong: Wrong) -> Response {
        let chars_min = self.chars_min();
        wrong.answer(|errors| {
            draw(&views::NewPassword { p: self.frame("forgot-title").wrong(errors), chars_min })
        })
    }

    pub(super) async fn new_password(&self, form: &Form) -> Result<Response, Refusal> {
        let Some(grant) = self.caller.grant.clone() else { return Err(Refusal::GrantOver) };
        let fields = self.repeated(form);
        if !fields.is_empty() {
            return Ok(self.new_password_with(self.check(fields)));
        }
        match self.ask(Request::SetPassword { grant, password: form.password("password") }).await {
            Ok(Reply::PasswordReset) => {
                let mut response = self.go("/forgot/complete?done=reset");
                respond::forget(&mut response, self.caller, Cookie::Grant);
                // Every session has ended, this browser's too.
                respond::forget(&mut response, self.caller, Cookie::Session);
                Ok(response)
            }
            Ok(_) => Err(Refusal::Unavailable),
            Err(Refusal::GrantOver) => {
                let mut response = self.told(&Refusal::GrantOver.into());
                respond::forget(&mut response, self.caller, Cookie::Grant);
                Ok(response)
            }
            Err(refusal @ Refusal::WeakPassword(_)) => {
                Ok(self.new_password_with(self.wrong(refusal, Some("password"))))
            }
            Err(refusal) if may_be_repeated(refusal) => Ok(self.new_password_with(self.wrong(refusal, None))),
            Err(refusal) => Err(refusal),
        }
    }

    pub(super) fn complete(&self, query: &Form) -> Response {
        match query.text("done") {
            "reset" => {
                draw(&views::Complete { p: self.frame("forgot-title").telling(self.other_software()) })
            }
            _ => self.go("/"),
        }
    }
}

/// Which of two addresses was chosen.
pub(super) fn chosen(form: &Form) -> Option<Which> {
    match form.text("to") {
        "primary" => Some(Which::Primary),
        "second" => Some(Which::Second),
        _ => None,
    }
}

/// Whether the same form may succeed a little later.
pub(super) fn may_be_repeated(refusal: Refusal) -> bool {
    matches!(
        refusal,
        Refusal::Throttled { .. }
            | Refusal::Busy
            | Refusal::Superseded
            | Refusal::StorageFailed
            | Refusal::Unavailable
    )
}
