//! What a signed-in person sees: overview, User Management, Account Security Settings.

use super::{
    Visit, Wrong,
    confirm::CONFIRM,
    draw,
    frame::{FieldError, Kind, Link, Notice},
    platform::PLATFORM,
    views, words,
};
use crate::{
    recovery::{
        Refusal, Reply, Request, SessionToken, Which,
        reply::{HookView, ResetByEmail},
    },
    web::{Form, Response},
};
use latchkey_protocol::{Address, Door};

pub(super) const CONFIGURATION: (&str, &str) = ("", "configuration-title");
pub(super) const USERS: (&str, &str) = ("/configuration/users", "users-title");
pub(super) const ADMIN: (&str, &str) = ("/configuration/users/admin", "admin-name");
pub(super) const SECURITY: (&str, &str) = ("/configuration/users/admin/security", "security-title");
const PASSWORD: (&str, &str) = ("/configuration/users/admin/password", "change-title");

impl<'a> Visit<'a> {
    pub(super) fn overview(&self, query: &Form) -> Response {
        let verdict = match self.seen.reset_by_email {
            ResetByEmail::Offered if self.seen.emails_confirmed.contains(&true) => "recovery-yes",
            ResetByEmail::Offered => "recovery-doubt",
            ResetByEmail::NoEmail | ResetByEmail::NotActive => "recovery-no-email",
            ResetByEmail::NoIdentity => "recovery-no-identity",
            ResetByEmail::SwitchedOff => "recovery-switched-off",
        };
        let pending = match self.seen.pending_doors.as_slice() {
            [] => "recovery-pending-none",
            [Door::Console] => "recovery-pending-console",
            [Door::Lan] => "recovery-pending-lan",
            _ => "recovery-pending-both",
        };
        let mut notices = self.done(query);
        notices.extend(self.warnings());
        let with_state =
            |(email, confirmed): (&String, &bool)| format!("{email} ({})", self.state_of(*confirmed));
        let states: Vec<_> =
            self.seen.masked_emails.iter().zip(&self.seen.emails_confirmed).map(with_state).collect();
        draw(&views::Overview {
            p: self.frame("overview-title").telling(notices),
            verdict: self.say(verdict),
            emails: words::listed(&self.ctx.catalogue, "and", &states),
            pending: self.say(pending),
            links: vec![self.link(USERS, "users-hint"), self.link(PLATFORM, "platform-hint")],
        })
    }

    /// What of the recorder does not know the password yet.
    pub(super) fn other_software(&self) -> Vec<Notice> {
        let line = match self.seen.hooks {
            HookView::Settled => return Vec::new(),
            HookView::Telling => "other-software-telling",
            HookView::Failing => "other-software-failing",
            HookView::AtNextSignIn => "other-software-sign-in",
        };
        vec![Notice {
            kind: Kind::Warn,
            heading: self.say("other-software"),
            lines: vec![self.say(line)],
            link: None,
            live: false,
        }]
    }

    fn state_of(&self, confirmed: bool) -> String {
        self.say(if confirmed { "email-confirmed" } else { "email-unconfirmed" })
    }

    /// What the owner should look at.
    fn warnings(&self) -> Vec<Notice> {
        let warn = |title: &str, line: String, link: Option<(&'static str, &str)>| Notice {
            kind: Kind::Warn,
            heading: self.say(title),
            lines: vec![line],
            link: link.map(|(path, key)| (path, self.say(key))),
            live: false,
        };
        let mut warnings = self.other_software();
        if !self.seen.pending_doors.is_empty() {
            warnings.push(warn("warn-pending", self.say("warn-pending-text"), None));
        }
        if self.seen.masked_emails.is_empty() {
            let link = Some((SECURITY.0, "warn-no-email-link"));
            warnings.push(warn("warn-no-email", self.say("warn-no-email-text"), link));
        } else if self.can_confirm() {
            let emails = self.seen.masked_emails.iter().zip(&self.seen.emails_confirmed);
            let unconfirmed: Vec<_> =
                emails.filter(|(_, confirmed)| !**confirmed).map(|(email, _)| email.clone()).collect();
            let emails = words::listed(&self.ctx.catalogue, "and", &unconfirmed);
            let text = self.ctx.catalogue.say_with("warn-unconfirmed-text", &[("emails", emails.into())]);
            warnings.push(warn("warn-unconfirmed", text, Some((CONFIRM.0, "warn-unconfirmed-link"))));
        }
        warnings
    }

    /// Whether there is an address to confirm, and a recovery service that could mail the code.
    fn can_confirm(&self) -> bool {
        self.seen.emails_confirmed.contains(&false) && self.seen.reset_by_email != ResetByEmail::NoIdentity
    }

    pub(super) fn users(&self) -> Response {
        let p = self.frame(USERS.1).at(&[CONFIGURATION, USERS]);
        draw(&views::Links { p, links: vec![self.link(ADMIN, "admin-hint")] })
    }

    pub(super) fn admin(&self, query: &Form) -> Response {
        let p = self.frame("modify-title").at(&[CONFIGURATION, USERS, ADMIN]).telling(self.done(query));
        let links = vec![self.link(SECURITY, "security-hint"), self.link(PASSWORD, "change-hint")];
        draw(&views::Links { p, links })
    }

    fn link(&self, (path, name): (&'static str, &str), hint: &str) -> Link {
        Link { path, name: self.say(name), hint: self.say(hint) }
    }

    /// The session of someone who is signed in.
    pub(super) fn session(&self) -> Result<SessionToken, Refusal> {
        self.caller.session.clone().ok_or(Refusal::NotSignedIn)
    }

    /// The reserved emails in full, empty if there is none.
    async fn reserved_emails(&self) -> Result<[String; 2], Refusal> {
        match self.ask(Request::ReservedEmails { session: self.session()? }).await? {
            Reply::ReservedEmails(emails) => Ok([Which::Primary, Which::Second].map(|which| {
                emails.get(which.index()).map(|email| email.address.as_str().to_owned()).unwrap_or_default()
            })),
            _ => Err(Refusal::Unavailable),
        }
    }

    pub(super) async fn security_page(&self, query: &Form) -> Result<Response, Refusal> {
        let emails = self.reserved_emails().await?;
        Ok(self.security_with(query, &emails, Wrong::nothing()))
    }

    fn security_with(&self, query: &Form, [email, second]: &[String; 2], wrong: Wrong) -> Response {
        let state = |&confirmed: &bool| views::EmailState {
            text: self.state_of(confirmed),
            can_confirm: !confirmed && self.can_confirm(),
        };
        let states = self.seen.emails_confirmed.iter().map(state).collect();
        wrong.answer(|errors| {
            let way = [CONFIGURATION, USERS, ADMIN, SECURITY];
            let p = self.frame(SECURITY.1).at(&way).wrong(errors).telling(self.done(query));
            draw(&views::Security { p, email, second, states })
        })
    }

    pub(super) async fn security(&self, form: &Form) -> Result<Response, Refusal> {
        let (which, field, password) = match form.text("which") {
            "second" => (Which::Second, "second", "second-current"),
            _ => (Which::Primary, "email", "current"),
        };
        let remove = form.text("do") == "remove";
        let typed = if remove { None } else { Some(form.text(field)) };
        let (mut fields, mut email) = (vec![], None);
        match typed.map(Address::parse) {
            None => {}
            Some(Ok(address)) => email = Some(address),
            Some(Err(error)) => {
                let text = words::address(&self.ctx.catalogue, error, "error-email-empty-save");
                fields.push(FieldError { field, text });
            }
        }
        if form.text(password).is_empty() {
            fields.push(FieldError { field: password, text: self.say("error-password-empty") });
        }
        let wrong = if fields.is_empty() {
            let (session, current) = (self.session()?, form.password(password));
            match self.ask(Request::SetReservedEmail { session, current, which, email }).await {
                Ok(Reply::ReservedEmailSet) => {
                    let done = match (which, remove) {
                        (_, false) => "saved",
                        (Which::Second, true) => "removed-second",
                        (Which::Primary, true) => "removed",
                    };
                    return Ok(self.go(&format!("{}?done={done}", SECURITY.0)));
                }
                Ok(_) => return Err(Refusal::Unavailable),
                Err(refusal @ Refusal::NotSignedIn) => return Err(refusal),
                Err(refusal @ Refusal::SameEmail) => self.wrong(refusal, Some(field)),
                Err(refusal) => self.wrong_with_password(refusal, Some(password)),
            }
        } else {
            self.check(fields)
        };
        // What was typed stays in its field.
        let mut emails = self.reserved_emails().await?;
        if let Some(typed) = typed {
            emails[which.index()] = typed.to_owned();
        }
        Ok(self.security_with(&Form::default(), &emails, wrong))
    }

    pub(super) fn change_password_page(&self) -> Response {
        self.change_password_with(Wrong::nothing())
    }

    fn change_password_with(&self, wrong: Wrong) -> Response {
        let chars_min = self.chars_min();
        wrong.answer(|errors| {
            let p = self.frame(PASSWORD.1).at(&[CONFIGURATION, USERS, ADMIN, PASSWORD]).wrong(errors);
            draw(&views::ChangePassword { p, chars_min })
        })
    }

    pub(super) async fn change_password(&self, form: &Form) -> Result<Response, Refusal> {
        let mut fields = vec![];
        if form.text("current").is_empty() {
            fields.push(FieldError { field: "current", text: self.say("error-password-empty") });
        }
        fields.extend(self.repeated(form));
        if !fields.is_empty() {
            return Ok(self.change_password_with(self.check(fields)));
        }
        let session = self.session()?;
        let (current, new) = (form.password("current"), form.password("password"));
        match self.ask(Request::ChangePassword { session, current, new }).await {
            Ok(Reply::PasswordChanged) => Ok(self.go(&format!("{}?done=password", ADMIN.0))),
            Ok(_) => Err(Refusal::Unavailable),
            Err(refusal @ Refusal::NotSignedIn) => Err(refusal),
            Err(refusal) => Ok(self.change_password_with(self.wrong_with_password(refusal, Some("current")))),
        }
    }

    /// What was just done, as the query of a redirect tells it. A word that is not known is nothing.
    pub(super) fn done(&self, query: &Form) -> Vec<Notice> {
        let emails = self.emails();
        let notice = |kind, heading, lines| vec![Notice { kind, heading, lines, link: None, live: true }];
        let tell = |kind, title: &str, lines: Vec<String>| notice(kind, self.say(title), lines);
        let with_email = |key: &str| self.ctx.catalogue.say_with(key, &[("email", emails.as_str().into())]);
        let or = words::listed(&self.ctx.catalogue, "or", &self.seen.masked_emails);
        let saved = self.ctx.catalogue.say_with("security-saved-text", &[("email", or.into())]);
        match query.text("done") {
            "activated" if emails.is_empty() => {
                tell(Kind::Success, "activation-done", vec![self.say("activation-done-no-email")])
            }
            "activated" => {
                let key = match self.seen.reset_by_email {
                    ResetByEmail::Offered => "activation-done-email",
                    // Stored, but of no use yet: promise nothing.
                    _ => "activation-done-stored",
                };
                tell(Kind::Success, "activation-done", vec![with_email(key)])
            }
            "saved" if !emails.is_empty() => {
                let mut notices = tell(Kind::Success, "security-saved", vec![saved.clone()]);
                if self.can_confirm() {
                    let link = (CONFIRM.0, self.say("warn-unconfirmed-link"));
                    notices[0].link = Some(link);
                    notices[0].lines.push(self.say("security-saved-confirm"));
                }
                notices
            }
            "confirmed" => tell(Kind::Success, "confirm-done", vec![self.say("confirm-done-text")]),
            "removed-second" => tell(Kind::Success, "security-removed-second", vec![saved.clone()]),
            "removed" if !emails.is_empty() => {
                tell(Kind::Success, "security-removed", vec![with_email("security-removed-first-text")])
            }
            "removed" if emails.is_empty() => {
                tell(Kind::Success, "security-removed", vec![self.say("security-removed-text")])
            }
            "password" => tell(Kind::Success, "change-done", vec![self.say("change-done-text")]),
            "signed-out" => tell(Kind::Info, "signed-out", vec![]),
            "ended" => {
                let problem = self.problem(Refusal::NotSignedIn);
                notice(Kind::Info, problem.title, vec![problem.detail])
            }
            "renewed" => tell(Kind::Info, "renewed", vec![self.say("renewed-text")]),
            _ => self.reset_told(query),
        }
    }

    /// A completed reset, told once, at the sign-in after it.
    fn reset_told(&self, query: &Form) -> Vec<Notice> {
        let key = match query.text("reset") {
            "lan" => "told-reset-lan",
            "console" => "told-reset-console",
            _ => return vec![],
        };
        let Some(when) = query.text("at").parse().ok().and_then(words::moment) else { return vec![] };
        let line = self.ctx.catalogue.say_with(key, &[("when", when.into())]);
        vec![Notice {
            kind: Kind::Warn,
            heading: self.say("told-reset"),
            lines: vec![line, self.say("told-reset-not-you")],
            link: Some((PASSWORD.0, self.say(PASSWORD.1))),
            live: true,
        }]
    }
}
