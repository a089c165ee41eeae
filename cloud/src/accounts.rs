//! Accounts: registering, signing in, a forgotten password, another address, removing.
//!
//! Nothing that is answered, and no time that it takes, tells whether an address has an account: known or
//! not, the same is hashed, kept and queued, and the mail alone tells its owner. Throttles are counted
//! in the store, under keyed hashes, before any password is hashed.

pub mod codes;
mod fault;
pub mod password;
pub mod post;
pub mod riddle;
pub mod rules;
pub mod secrets;

use crate::{
    clock::{Clock, draw},
    limits::network,
    store::{
        AccountId, CodeId, Limit, Store, Use,
        accounts::{Account, By, Post, Purpose, Registered},
    },
};
use codes::Order;
pub use codes::Pending;
pub use fault::Fault;
use latchkey_protocol::Address;
use password::Hashers;
use post::{Kind, Letter};
use riddle::Riddle;
use secrets::Secrets;
use sha2::{Digest as _, Sha256};
use std::{net::IpAddr, sync::Arc};
use tokio::sync::Notify;
use zeroize::Zeroizing;

/// Signed in without it, in seconds.
pub const SESSION_S: i64 = 12 * 3600;
/// Signed in with "stay signed in", in seconds.
pub const SESSION_LASTING_S: i64 = 30 * 86_400;
pub(crate) const DAY_S: i64 = 86_400;
/// Codes an hour for one IP address (IPv6: one /64).
pub(crate) const CODES_PER_REQUESTER: u32 = 20;
/// Passwords in a quarter of an hour, for one account from one network, and from one network in all: a
/// stranger elsewhere never uses up its owner's.
const PASSWORDS_EACH: u32 = 10;
const PASSWORDS_PER_REQUESTER: u32 = 100;
const QUARTER_S: i64 = 900;
/// What an account needs to be made or opened with a code.
pub struct Fresh<'a> {
    /// The code.
    pub code: &'a str,
    /// The new password.
    pub password: &'a str,
    /// The same, typed again.
    pub again: &'a str,
}

/// A cookie's text.
pub type Token = Zeroizing<String>;

/// All that accounts need.
pub struct Accounts {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    pub(crate) secrets: Arc<Secrets>,
    /// Digits of a code for a new account.
    digits: u32,
    hashers: Hashers,
    bell: Notify,
}

impl Accounts {
    /// Accounts in a store.
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, secrets: Arc<Secrets>, digits: u32) -> Self {
        Self { store, clock, secrets, digits, hashers: Hashers::new(), bell: Notify::new() }
    }

    /// A riddle to be solved with the next request, as its form carries it.
    pub fn riddle(&self, as_picture: bool) -> (Riddle, String) {
        let riddle = Riddle::draw(as_picture);
        let token = riddle.seal(&self.secrets, self.clock.now_s());
        (riddle, token)
    }

    /// The picture of a riddle.
    pub fn picture(&self, token: &str) -> Option<Vec<u8>> {
        Riddle::open(&self.secrets, token, self.clock.now_s())?.picture()
    }

    /// Whether a riddle is one of those in pictures.
    pub fn is_picture(&self, token: &str) -> bool {
        !matches!(Riddle::open(&self.secrets, token, self.clock.now_s()), Some(Riddle::Sum(..)))
    }

    /// Takes an answer; each riddle is answered once, rightly or not.
    async fn solve(&self, ip: IpAddr, token: &str, answer: &str) -> Result<(), Fault> {
        let now_s = self.clock.now_s();
        let riddle = Riddle::open(&self.secrets, token, now_s).ok_or(Fault::Riddle)?;
        let once = self.one_of("riddle", token.as_bytes(), 1, riddle::VALIDITY_S * 2);
        match self.store.spend(vec![once, self.code_from(ip)], now_s).await? {
            Some((Limit::Once, _)) => return Err(Fault::Riddle),
            Some((_, retry_after_s)) => return Err(Fault::Limited { retry_after_s }),
            None => {}
        }
        if riddle.is_answer(answer) { Ok(()) } else { Err(Fault::Riddle) }
    }

    pub(crate) fn one_of(&self, what: &str, who: &[u8], cap: u32, window_s: i64) -> Use {
        let mut key = [0; 16];
        key.copy_from_slice(&self.secrets.hash(&[b"use", what.as_bytes(), who])[..16]);
        let limit = if what == "riddle" { Limit::Once } else { Limit::Requester };
        Use { key, limit, cap, window_s }
    }

    pub(crate) async fn spend(&self, uses: Vec<Use>) -> Result<(), Fault> {
        match self.store.spend(uses, self.clock.now_s()).await? {
            Some((_, retry_after_s)) => Err(Fault::Limited { retry_after_s }),
            None => Ok(()),
        }
    }

    /// Asks for an account: a code goes to the address, or word that it has one.
    pub async fn ask_sign_up(
        &self,
        ip: IpAddr,
        email: &str,
        (token, answer): (&str, &str),
    ) -> Result<CodeId, Fault> {
        let email = Address::parse(email.trim()).map_err(|_| Fault::Email)?;
        self.solve(ip, token, answer).await?;
        self.spend(vec![self.code_for(ip, Purpose::SignUp, email.as_str())]).await?;
        let known = self.store.account(By::Email(self.secrets.address(&email))).await?;
        let about = known.map(|account| account.name);
        self.issue(CodeId(draw()), Order { known: about, ..Order::new(Purpose::SignUp) }, &email).await
    }

    /// Asks for a code to set a new password. Nobody is told whether there is such an account.
    pub async fn ask_forgot(
        &self,
        ip: IpAddr,
        who: &str,
        (token, answer): (&str, &str),
    ) -> Result<CodeId, Fault> {
        self.solve(ip, token, answer).await?;
        self.spend(vec![self.code_for(ip, Purpose::Forgot, who)]).await?;
        let id = CodeId(draw());
        match self.find(who).await? {
            Some(account) => {
                let email = self.address_of(&account.email)?;
                let order = Order { account: Some(account.id), ..Order::new(Purpose::Forgot) };
                self.issue(id, order, &email).await
            }
            None => self.issue_to_nobody(id, who).await,
        }
    }

    /// Asks for a code to prove an account's new address.
    pub async fn ask_new_email(
        &self,
        ip: IpAddr,
        account: &Account,
        password: &str,
        email: &str,
    ) -> Result<CodeId, Fault> {
        let email = Address::parse(email.trim()).map_err(|_| Fault::Email)?;
        self.confirm(ip, account, password).await?;
        let both = vec![self.code_from(ip), self.code_for(ip, Purpose::NewEmail, email.as_str())];
        self.spend(both).await?;
        let known = self.store.account(By::Email(self.secrets.address(&email))).await?;
        let about = known.map(|other| other.name);
        let order = Order { account: Some(account.id), known: about, ..Order::new(Purpose::NewEmail) };
        self.issue(CodeId(draw()), order, &email).await
    }

    /// Makes an account.
    pub async fn register(&self, id: CodeId, name: &str, fresh: &Fresh<'_>) -> Result<Account, Fault> {
        let name = name.trim();
        if !rules::is_name(name) {
            return Err(Fault::Name);
        }
        check_fresh(fresh, &[name])?;
        let code = self.try_code(id, Purpose::SignUp, fresh.code).await?;
        let email = self.address_of(&code.email)?;
        check_fresh(fresh, &[name, email.as_str()])?;
        let account = Account {
            id: AccountId(draw()),
            name: name.to_owned(),
            email_key: code.email_key,
            email: code.email,
            password: self.hashers.hash(fresh.password).await?,
            created_at_s: self.clock.now_s(),
        };
        match self.store.register(id, account.clone()).await? {
            Registered::Done => {
                tracing::info!(account = %account.id, "registered");
                Ok(account)
            }
            Registered::NameTaken => Err(Fault::NameTaken),
            Registered::Gone => Err(Fault::CodeOver),
        }
    }

    /// Sets a new password with a mailed code, and ends every session.
    pub async fn reset(&self, id: CodeId, fresh: &Fresh<'_>) -> Result<(), Fault> {
        check_fresh(fresh, &[])?;
        let code = self.try_code(id, Purpose::Forgot, fresh.code).await?;
        let (Some(account), Ok(email)) = (code.account, self.address_of(&code.email)) else {
            return Err(Fault::CodeOver);
        };
        let password = self.hashers.hash(fresh.password).await?;
        let notice = self.notice(Kind::PasswordChanged, &email);
        self.store.set_password(account, password, notice, self.clock.now_s()).await?;
        self.bell.notify_one();
        Ok(())
    }

    /// Gives an account the address that a mailed code proves; the old address is told.
    pub async fn set_email(&self, account: &Account, id: CodeId, typed: &str) -> Result<(), Fault> {
        self.try_code(id, Purpose::NewEmail, typed).await?;
        let notice = self.notice(Kind::EmailChanged, &self.address_of(&account.email)?);
        match self.store.set_email(account.id, id, notice, self.clock.now_s()).await? {
            Registered::Done => {
                self.bell.notify_one();
                Ok(())
            }
            Registered::NameTaken | Registered::Gone => Err(Fault::CodeOver),
        }
    }

    /// Removes an account.
    pub async fn remove(&self, ip: IpAddr, account: &Account, password: &str) -> Result<(), Fault> {
        self.confirm(ip, account, password).await?;
        let notice = self.notice(Kind::Removed, &self.address_of(&account.email)?);
        self.store.remove(account.id, notice, self.clock.now_s()).await?;
        self.bell.notify_one();
        Ok(())
    }

    fn notice(&self, kind: Kind, to: &Address) -> Post {
        self.post(&Letter::new(kind, to))
    }

    /// A mail to be queued.
    pub(crate) fn post(&self, letter: &Letter) -> Post {
        Post { sealed: letter.seal(&self.secrets), expires_at_s: self.clock.now_s() + 2 * DAY_S }
    }

    /// Has queued mails looked at.
    pub(crate) fn ring(&self) {
        self.bell.notify_one();
    }

    /// Signs in by user name or address.
    pub async fn sign_in(
        &self,
        ip: IpAddr,
        who: &str,
        password: &str,
        lasting: bool,
    ) -> Result<Token, Fault> {
        self.charge(ip, who).await?;
        let known = self.find(who).await?;
        let phc = known.as_ref().map(|account| account.password.as_str());
        let right = self.hashers.compare(password, phc).await?;
        let account = known.filter(|_| right).ok_or(Fault::Credentials)?;
        self.begin(account.id, lasting).await
    }

    /// Begins a session.
    pub async fn begin(&self, id: AccountId, lasting: bool) -> Result<Token, Fault> {
        let token: Token = Zeroizing::new(draw::<32>().iter().map(|byte| format!("{byte:02x}")).collect());
        let length_s = if lasting { SESSION_LASTING_S } else { SESSION_S };
        self.store.sign_in(session_digest(&token), id, self.clock.now_s() + length_s).await?;
        Ok(token)
    }

    /// Whose cookie it is.
    pub async fn session(&self, token: &str) -> Result<Option<Account>, Fault> {
        Ok(self.store.session(session_digest(token), self.clock.now_s()).await?)
    }

    /// Ends a session.
    pub async fn sign_out(&self, token: &str) -> Result<(), Fault> {
        Ok(self.store.sign_out(session_digest(token)).await?)
    }

    /// Ends every session of an account.
    pub async fn sign_out_everywhere(&self, account: &Account) -> Result<(), Fault> {
        Ok(self.store.sign_out_everywhere(account.id).await?)
    }

    /// What a signed-in form carries, so that no other site can send it.
    pub fn form_token(&self, session: &str) -> String {
        self.secrets.hash(&[b"form", session.as_bytes()])[..16].iter().map(|b| format!("{b:02x}")).collect()
    }

    /// The address of an account, with its middle hidden.
    pub fn masked(&self, account: &Account) -> String {
        self.masked_sealed(&account.email)
    }

    /// A sealed address, with its middle hidden.
    pub fn masked_sealed(&self, sealed: &[u8]) -> String {
        self.address_of(sealed).map(|email| email.masked()).unwrap_or_default()
    }

    pub(crate) fn address_of(&self, sealed: &[u8]) -> Result<Address, Fault> {
        let text = self.secrets.open("email", sealed);
        let text = text.as_ref().and_then(|text| std::str::from_utf8(text).ok());
        text.and_then(|text| Address::parse(text).ok()).ok_or(Fault::CodeOver)
    }

    async fn find(&self, who: &str) -> Result<Option<Account>, Fault> {
        let who = who.trim();
        let by = match Address::parse(who) {
            Ok(email) => By::Email(self.secrets.address(&email)),
            Err(_) => By::Name(who.to_ascii_lowercase()),
        };
        Ok(self.store.account(by).await?)
    }

    /// The password of who is signed in, asked for again.
    async fn confirm(&self, ip: IpAddr, account: &Account, password: &str) -> Result<(), Fault> {
        self.charge(ip, &account.name).await?;
        if self.hashers.compare(password, Some(&account.password)).await? {
            Ok(())
        } else {
            Err(Fault::Credentials)
        }
    }

    async fn charge(&self, ip: IpAddr, who: &str) -> Result<(), Fault> {
        let network = network(ip).to_be_bytes();
        let both = [&network, who.trim().to_ascii_lowercase().as_bytes()].concat();
        let each = self.one_of("password", &both, PASSWORDS_EACH, QUARTER_S);
        let all = self.one_of("passwords", &network, PASSWORDS_PER_REQUESTER, QUARTER_S);
        self.spend(vec![each, all]).await
    }
}

fn check_fresh(fresh: &Fresh<'_>, not: &[&str]) -> Result<(), Fault> {
    if !rules::is_strong(fresh.password, not) {
        return Err(Fault::Weak);
    }
    if fresh.password == fresh.again { Ok(()) } else { Err(Fault::Differ) }
}

fn session_digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}
