//! The mails of accounts: kept sealed until a mail server has taken them, opened at the moment of sending.

use super::{Accounts, secrets::Secrets};
use crate::{
    clock::draw,
    config::Config,
    mail::{
        compose::{ComposeError, Words, write},
        transport::{Sent, Transport, TransportError},
    },
    store::{MailToken, StoreError, accounts::PostClaim},
    worker::{backoff_s, chain},
};
use latchkey_look::Catalogue;
use latchkey_protocol::Address;
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};
use tokio::{sync::watch, time::timeout};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// What nobody rings for is found by looking.
const LOOK: Duration = Duration::from_secs(5);
/// A mail in hand is nobody else's for so long.
const LEASE_S: i64 = 180;

/// Which mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A code for a new account.
    SignUp,
    /// Word that there is one.
    Known,
    /// A code for a new password.
    Forgot,
    /// A code for a new address.
    NewEmail,
    /// The password was changed.
    PasswordChanged,
    /// The address was changed.
    EmailChanged,
    /// The account was removed.
    Removed,
    /// A code to hand a recorder over.
    Transfer,
    /// A recorder is offered.
    Offered,
    /// An offered recorder has another owner now.
    Accepted,
    /// A recorder was added to another account with a new verification code.
    Taken,
}

impl Kind {
    /// Who the other one is.
    fn with(self) -> &'static str {
        if self == Self::Offered { "from" } else { "to" }
    }

    /// The end of its sentences' keys.
    fn key(self) -> &'static str {
        match self {
            Self::SignUp => "sign-up",
            Self::Known => "known",
            Self::Forgot => "forgot",
            Self::NewEmail => "new-email",
            Self::PasswordChanged => "password-changed",
            Self::EmailChanged => "email-changed",
            Self::Removed => "removed",
            Self::Transfer => "transfer",
            Self::Offered => "offered",
            Self::Accepted => "accepted",
            Self::Taken => "taken",
        }
    }
}

/// A mail as it waits.
#[derive(Serialize, Deserialize)]
pub struct Letter {
    /// Which.
    pub kind: Kind,
    /// Where to.
    pub to: String,
    /// The code in it.
    pub code: Option<String>,
    /// The account's name, where its owner is reminded of it.
    pub name: Option<String>,
    /// The recorder that it is about: its name and the end of its serial.
    pub recorder: Option<String>,
    /// With whom: a masked address, or a user name.
    pub with: Option<String>,
}

/// A recorder that is to be handed over, and to whom; kept with the code that its owner types.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Transfer {
    /// Its id on the owner's account, in hexadecimal digits.
    pub recorder: String,
    /// Its name and the end of its serial.
    pub label: String,
    /// The receiver's address.
    pub to: String,
}

impl Transfer {
    /// Sealed, to be kept.
    pub(super) fn seal(&self, secrets: &Secrets) -> Vec<u8> {
        // A struct of texts always has a JSON form.
        secrets.seal("transfer", &Zeroizing::new(serde_json::to_vec(self).unwrap_or_default()))
    }

    /// The receiver's address, with its middle hidden.
    pub fn masked(&self) -> String {
        Address::parse(&self.to).map(|to| to.masked()).unwrap_or_default()
    }

    pub(super) fn open(secrets: &Secrets, sealed: &[u8]) -> Option<Self> {
        serde_json::from_slice(&secrets.open("transfer", sealed)?).ok()
    }
}

impl Drop for Letter {
    fn drop(&mut self) {
        self.code.zeroize();
    }
}

impl ZeroizeOnDrop for Letter {}

impl Letter {
    /// One that says no more than its kind.
    pub fn new(kind: Kind, to: &Address) -> Self {
        Self { kind, to: to.as_str().to_owned(), code: None, name: None, recorder: None, with: None }
    }

    /// Sealed, for the queue.
    pub fn seal(&self, secrets: &Secrets) -> Vec<u8> {
        // A struct of texts always has a JSON form.
        secrets.seal("letter", &Zeroizing::new(serde_json::to_vec(self).unwrap_or_default()))
    }

    fn open(secrets: &Secrets, sealed: &[u8]) -> Option<Self> {
        serde_json::from_slice(&secrets.open("letter", sealed)?).ok()
    }
}

/// Sends them, one at a time.
pub struct Postman {
    accounts: Arc<Accounts>,
    config: Arc<Config>,
    say: Arc<Catalogue>,
    transport: Transport,
}

impl Postman {
    /// Makes ready.
    pub async fn new(
        accounts: Arc<Accounts>,
        config: Arc<Config>,
        say: Arc<Catalogue>,
    ) -> Result<Self, TransportError> {
        let transport = Transport::new(&config.mail.way, config.host.as_str()).await?;
        Ok(Self { accounts, config, say, transport })
    }

    /// Sends until told to stop.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            match self.one().await {
                Ok(true) => continue,
                Ok(false) => self.transport.rest().await,
                Err(error) => tracing::error!(error = %chain(&error), "accounts' mails cannot be sent now"),
            }
            tokio::select! {
                _ = timeout(LOOK, self.accounts.bell.notified()) => {}
                _ = stop.changed() => {}
            }
        }
        self.transport.rest().await;
    }

    /// Sends one; `false` if none is due.
    async fn one(&mut self) -> Result<bool, StoreError> {
        let now_s = self.accounts.clock.now_s();
        let Some(claim) = self.accounts.store.claim_post(now_s, LEASE_S).await? else { return Ok(false) };
        let again_at_s = match self.send(&claim, now_s).await {
            Sent::Accepted => None,
            Sent::Refused(reason) => {
                tracing::warn!(mail = claim.id, ?reason, "an account's mail was refused");
                None
            }
            // Sent twice it has the same code in it.
            Sent::NotYet | Sent::Uncertain => {
                let at_s = self.accounts.clock.now_s()
                    + backoff_s(claim.attempts, u64::from_be_bytes(draw())).min(300);
                (at_s < claim.expires_at_s).then_some(at_s)
            }
        };
        self.accounts.store.settle_post(claim.id, again_at_s).await?;
        Ok(true)
    }

    async fn send(&mut self, claim: &PostClaim, now_s: i64) -> Sent {
        let Some(letter) = Letter::open(&self.accounts.secrets, &claim.sealed) else {
            tracing::error!(
                mail = claim.id,
                "an account's mail cannot be opened: was accounts.key replaced?"
            );
            return Sent::Refused(crate::store::Reason::NotReadable);
        };
        match self.compose(&letter, now_s) {
            Ok((mail, token)) => self.transport.send(&mail, &format!("{token}.account")).await,
            Err(error) => {
                tracing::error!(error = %chain(&error), "an account's mail cannot be written");
                Sent::Refused(crate::store::Reason::NotReadable)
            }
        }
    }

    fn compose(
        &self,
        letter: &Letter,
        now_s: i64,
    ) -> Result<(crate::mail::compose::Letter, MailToken), ComposeError> {
        let (say, key) = (&self.say, letter.kind.key());
        let to = Address::parse(&letter.to).map_err(|_| ComposeError::Recipient)?;
        let host = self.config.host.to_string();
        let mut facts = vec![(say.say("account-mail-service"), host.clone())];
        for (what, value) in
            [("name", &letter.name), ("recorder", &letter.recorder), (letter.kind.with(), &letter.with)]
        {
            facts.extend(
                value.as_ref().map(|value| (say.say(&format!("account-mail-{what}")), value.clone())),
            );
        }
        if letter.kind == Kind::Offered {
            facts.push((say.say("account-mail-page"), format!("https://{host}/recorders")));
        }
        let words = Words {
            subject: say.say_with(&format!("account-mail-subject-{key}"), &[("host", host.into())]),
            heading: say.say(&format!("account-mail-heading-{key}")),
            intro: say.say(&format!("account-mail-intro-{key}")),
            code: letter.code.as_deref(),
            validity: say.say("account-mail-validity"),
            facts_heading: say.say("account-mail-facts"),
            facts,
            not_you: say.say(&format!("account-mail-not-you-{key}")),
            footer: say.say("account-mail-footer"),
        };
        let token = MailToken(draw());
        Ok((write(say, &self.config.mail, words, (&to, token), now_s)?, token))
    }
}
