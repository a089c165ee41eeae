//! Activation, sign-in and sign-out.

use super::{Visit, Wrong, draw, frame::FieldError, views, words};
use crate::{
    recovery::{Refusal, Reply, Request, record::ResetNote, reply::Lifecycle},
    web::{Fault, Form, Problem, Response, cookies::Cookie, respond},
};
use latchkey_protocol::{Address, Door};

impl<'a> Visit<'a> {
    pub(super) fn activation(&self) -> Response {
        if self.seen.lifecycle == Lifecycle::Active {
            return self.go("/");
        }
        // Ticked at first: whoever does not want a way back has to say so.
        self.activation_with(true, "", Wrong::nothing())
    }

    fn activation_with(&self, reserve: bool, email: &str, wrong: Wrong) -> Response {
        let chars_min = self.chars_min();
        wrong.answer(|errors| {
            let p = self.frame("activation-title").wrong(errors);
            draw(&views::Activation { p, chars_min, reserve, email })
        })
    }

    pub(super) async fn activate(&self, form: &Form) -> Result<Response, Refusal> {
        let reserve = form.ticked("reserve");
        let typed = form.text("email");
        let (mut fields, mut email) = (self.repeated(form), None);
        if reserve {
            match Address::parse(typed) {
                Ok(address) => email = Some(address),
                Err(error) => {
                    let weak = self.ctx.weakness(form.text("password")).filter(|_| fields.is_empty());
                    if let Some(weak) = weak {
                        let text = self.problem(Refusal::WeakPassword(weak)).detail;
                        fields.push(FieldError { field: "password", text });
                    }
                    let text = words::address(&self.ctx.catalogue, error, "error-email-empty");
                    fields.push(FieldError { field: "email", text });
                }
            }
        }
        if !fields.is_empty() {
            return Ok(self.activation_with(reserve, typed, self.check(fields)));
        }
        match self.ask(Request::Activate { password: form.password("password"), email }).await {
            Ok(Reply::Activated(session)) => {
                let mut response = self.go("/overview?done=activated");
                respond::keep(&mut response, self.caller, Cookie::Session, &session.0);
                Ok(response)
            }
            Ok(_) => Err(Refusal::Unavailable),
            Err(refusal @ Refusal::AlreadyActive) => Err(refusal),
            Err(refusal) => {
                let wrong = self.wrong_with_password(refusal, None);
                Ok(self.activation_with(reserve, typed, wrong))
            }
        }
    }

    pub(super) fn sign_in_page(&self, query: &Form) -> Response {
        if self.seen.signed_in {
            return self.go("/overview");
        }
        self.sign_in_with(query, Wrong::nothing())
    }

    fn sign_in_with(&self, query: &Form, wrong: Wrong) -> Response {
        // Even masked, the address is nobody's business off the link: there the page says why not.
        let fault = match self.caller.must_be_on_link() {
            Err(off_link) => Some(off_link),
            Ok(()) => words::not_offered(self.seen.reset_by_email).map(Fault::Heart),
        };
        let (emails, why_not) = match fault {
            Some(fault) => (String::new(), Problem::of(&fault, &self.ctx.catalogue).title),
            None => (words::listed(&self.ctx.catalogue, "or", &self.seen.masked_emails), String::new()),
        };
        wrong.answer(|errors| {
            let notices = self.done(query);
            let p = self.frame("sign-in-title").wrong(errors).telling(notices);
            draw(&views::SignIn { p, emails: &emails, why_not })
        })
    }

    pub(super) async fn sign_in(&self, form: &Form) -> Result<Response, Refusal> {
        if form.text("password").is_empty() {
            let text = self.say("error-password-empty");
            let wrong = self.check(vec![FieldError { field: "password", text }]);
            return Ok(self.sign_in_with(&Form::default(), wrong));
        }
        match self.ask(Request::SignIn { password: form.password("password") }).await {
            Ok(Reply::SignedIn { session, reset_to_tell }) => {
                let mut response = self.go(&match reset_to_tell {
                    Some(note) => reset_query(&note),
                    None => "/overview".to_owned(),
                });
                respond::keep(&mut response, self.caller, Cookie::Session, &session.0);
                Ok(response)
            }
            Ok(_) => Err(Refusal::Unavailable),
            Err(refusal) => {
                let field = matches!(refusal, Refusal::WrongPassword { .. }).then_some("password");
                Ok(self.sign_in_with(&Form::default(), self.wrong(refusal, field)))
            }
        }
    }

    pub(super) async fn sign_out(&self) -> Result<Response, Refusal> {
        if let Some(session) = self.caller.session.clone() {
            match self.ask(Request::SignOut { session }).await {
                Ok(_) | Err(Refusal::NotSignedIn) => {}
                Err(refusal) => return Err(refusal),
            }
        }
        let mut response = self.go("/sign-in?done=signed-out");
        respond::forget(&mut response, self.caller, Cookie::Session);
        Ok(response)
    }

    pub(super) fn help(&self) -> Response {
        draw(&views::Help { p: self.frame("help-page-title"), fingerprint: self.ctx.fingerprint() })
    }

    /// Whether a new password was typed, and twice the same.
    pub(super) fn repeated(&self, form: &Form) -> Vec<FieldError> {
        let (password, repeat) = (form.text("password"), form.text("repeat"));
        if password.is_empty() {
            vec![FieldError { field: "password", text: self.say("error-password-empty") }]
        } else if password != repeat {
            vec![FieldError { field: "repeat", text: self.say("error-repeat") }]
        } else {
            vec![]
        }
    }

    /// A refusal of a form with a new password and, in `current`, perhaps the one until now.
    pub(super) fn wrong_with_password(&self, refusal: Refusal, current: Option<&'static str>) -> Wrong {
        let field = match refusal {
            Refusal::WeakPassword(_) => Some("password"),
            Refusal::WrongPassword { .. } => current,
            _ => None,
        };
        self.wrong(refusal, field)
    }
}

/// Where the owner is told of a reset, in words that only the page itself makes up.
fn reset_query(note: &ResetNote) -> String {
    let door = match note.door {
        Door::Console => "console",
        Door::Lan => "lan",
    };
    format!("/overview?reset={door}&at={}", note.wall_unix_s)
}
