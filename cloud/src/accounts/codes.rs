//! The codes that are mailed to prove an address: issued, mailed again, tried.

use super::{
    Accounts, CODES_PER_REQUESTER, DAY_S, Fault,
    post::{Kind, Letter, Transfer},
};
use crate::{
    clock::draw,
    limits::network,
    store::{
        AccountId, CodeId, Use,
        accounts::{By, Code, Post, Purpose, Tried},
    },
};
use latchkey_protocol::Address;
use std::net::IpAddr;
use zeroize::Zeroizing;

/// A mailed code holds this long.
pub const CODE_VALIDITY_S: i64 = 30 * 60;
/// A code can be mailed again after this long, in the place of the one before.
pub const RESEND_AFTER_S: i64 = 60;
/// Wrong codes that are forgiven.
const TRIES: u32 = 5;
/// Digits of a code that opens an account which is there: as many as a recorder's.
const DIGITS_LONG: u32 = 8;
/// Codes a day that one network can ask for with one address or name: a stranger elsewhere does not use up
/// its owner's.
const CODES_EACH: u32 = 6;
/// Codes a day to one address, for one purpose, whoever asks.
const CODES_PER_ADDRESS: u32 = 30;

/// A code that is waited for, as its page shows it.
#[derive(Debug, Clone)]
pub struct Pending {
    /// What for.
    pub purpose: Purpose,
    /// When another one can be mailed.
    pub resend_after_s: i64,
    /// How long it holds.
    pub valid_s: i64,
    /// How many digits it has.
    pub digits: u32,
    /// The recorder that is to be handed over, and to whom.
    pub transfer: Option<Transfer>,
}

/// A code to be issued.
pub(crate) struct Order {
    /// What for.
    pub(crate) purpose: Purpose,
    /// Whose.
    pub(crate) account: Option<AccountId>,
    /// The name of the account that has the address already: its owner is told, and no code is right.
    pub(crate) known: Option<String>,
    /// The recorder that is to be handed over, and to whom.
    pub(crate) transfer: Option<Transfer>,
}

impl Order {
    /// Of nobody yet.
    pub(crate) fn new(purpose: Purpose) -> Self {
        Self { purpose, account: None, known: None, transfer: None }
    }
}

impl Accounts {
    /// Mails a code again: a new one, and the one before is void.
    pub async fn resend(&self, ip: IpAddr, id: CodeId) -> Result<(), Fault> {
        let now_s = self.clock.now_s();
        let code = self.store.code(id, now_s).await?.ok_or(Fault::CodeOver)?;
        let wait_s = code.sent_at_s + RESEND_AFTER_S - now_s;
        if wait_s > 0 {
            return Err(Fault::Limited { retry_after_s: wait_s });
        }
        self.spend(vec![self.code_from(ip)]).await?;
        let Some(sealed) = self.secrets.open("email", &code.email) else {
            let again =
                Code { sent_at_s: now_s, tries_left: TRIES, expires_at_s: now_s + CODE_VALIDITY_S, ..code };
            return Ok(self.store.issue(again, None).await?);
        };
        let email = std::str::from_utf8(&sealed).ok().and_then(|text| Address::parse(text).ok());
        let email = email.ok_or(Fault::CodeOver)?;
        let known = match code.purpose {
            Purpose::Forgot | Purpose::Transfer => None,
            Purpose::SignUp | Purpose::NewEmail => {
                self.store.account(By::Email(code.email_key)).await?.map(|account| account.name)
            }
        };
        let transfer = self.transfer_of(&code);
        let order = Order { purpose: code.purpose, account: code.account, known, transfer };
        self.issue(id, order, &email).await.map(drop)
    }

    /// A code that is waited for.
    pub async fn pending(&self, id: CodeId) -> Result<Pending, Fault> {
        let now_s = self.clock.now_s();
        let code = self.store.code(id, now_s).await?.ok_or(Fault::CodeOver)?;
        Ok(Pending {
            purpose: code.purpose,
            resend_after_s: (code.sent_at_s + RESEND_AFTER_S - now_s).max(0),
            valid_s: code.expires_at_s - now_s,
            digits: self.digits(code.purpose),
            transfer: self.transfer_of(&code),
        })
    }

    fn digits(&self, purpose: Purpose) -> u32 {
        if purpose == Purpose::SignUp { self.digits } else { DIGITS_LONG }
    }

    /// What a code hands over.
    pub(crate) fn transfer_of(&self, code: &Code) -> Option<Transfer> {
        Transfer::open(&self.secrets, code.about.as_deref()?)
    }

    /// A code that a network asks for.
    pub(crate) fn code_from(&self, ip: IpAddr) -> Use {
        self.one_of("codes", &network(ip).to_be_bytes(), CODES_PER_REQUESTER, 3600)
    }

    /// A code that a network asks for with an address or a name: as it was typed, so that the limit does not
    /// tell whose they are.
    pub(super) fn code_for(&self, ip: IpAddr, purpose: Purpose, who: &str) -> Use {
        let network = network(ip).to_be_bytes();
        let both = [&network, who.trim().to_ascii_lowercase().as_bytes()].concat();
        self.one_of(Self::counted_as(purpose), &both, CODES_EACH, DAY_S)
    }

    fn counted_as(purpose: Purpose) -> &'static str {
        match purpose {
            Purpose::Forgot => "forgot",
            Purpose::SignUp | Purpose::NewEmail => "prove",
            Purpose::Transfer => "transfer",
        }
    }

    /// Keeps a code and queues its mail.
    pub(crate) async fn issue(&self, id: CodeId, order: Order, email: &Address) -> Result<CodeId, Fault> {
        let Order { purpose, account, known, transfer } = order;
        let email_key = self.secrets.address(email);
        let to = self.one_of(Self::counted_as(purpose), &email_key, CODES_PER_ADDRESS, DAY_S);
        let mails = match self.spend(vec![to]).await {
            // Said to whoever asks, it would tell that there is such an account, and its address.
            Err(Fault::Limited { .. }) if purpose == Purpose::Forgot => false,
            spent => spent.map(|()| true)?,
        };
        let now_s = self.clock.now_s();
        let digits = self.digits(purpose);
        let number = u64::from_be_bytes(draw()) % 10_u64.pow(digits);
        let typed = Zeroizing::new(format!("{number:0width$}", width = digits as usize));
        let kind = match (purpose, known.is_some()) {
            (_, true) => Kind::Known,
            (Purpose::SignUp, _) => Kind::SignUp,
            (Purpose::Forgot, _) => Kind::Forgot,
            (Purpose::NewEmail, _) => Kind::NewEmail,
            (Purpose::Transfer, _) => Kind::Transfer,
        };
        let digest = known.is_none().then(|| self.digest(id, &typed));
        let mut letter = Letter::new(kind, email);
        letter.code = known.is_none().then(|| typed.to_string());
        letter.name = known;
        if let Some(transfer) = &transfer {
            letter.recorder = Some(transfer.label.clone());
            letter.with = Some(transfer.masked());
        }
        let expires_at_s = now_s + CODE_VALIDITY_S;
        let code = Code {
            id,
            purpose,
            account,
            email_key,
            email: self.secrets.seal("email", email.as_str().as_bytes()),
            digest,
            tries_left: TRIES,
            sent_at_s: now_s,
            expires_at_s,
            about: transfer.map(|transfer| transfer.seal(&self.secrets)),
        };
        let post = Post { sealed: letter.seal(&self.secrets), expires_at_s };
        self.store.issue(code, mails.then_some(post)).await?;
        self.ring();
        Ok(id)
    }

    /// The same for an account that is not there: as much is kept, and no mail goes anywhere.
    pub(super) async fn issue_to_nobody(&self, id: CodeId, who: &str) -> Result<CodeId, Fault> {
        let email_key = self.secrets.hash(&[b"nobody", who.trim().to_ascii_lowercase().as_bytes()]);
        let now_s = self.clock.now_s();
        let code = Code {
            id,
            purpose: Purpose::Forgot,
            account: None,
            email_key,
            email: self.secrets.seal("nobody", who.as_bytes()),
            digest: None,
            tries_left: TRIES,
            sent_at_s: now_s,
            expires_at_s: now_s + CODE_VALIDITY_S,
            about: None,
        };
        self.store.issue(code, None).await?;
        Ok(id)
    }

    fn digest(&self, id: CodeId, typed: &str) -> [u8; 32] {
        self.secrets.hash(&[b"code", &id.0, typed.as_bytes()])
    }

    /// Compares what was typed.
    pub(crate) async fn try_code(&self, id: CodeId, purpose: Purpose, typed: &str) -> Result<Code, Fault> {
        let typed: Zeroizing<String> =
            Zeroizing::new(typed.chars().filter(|c| !c.is_whitespace() && !matches!(c, '-' | '.')).collect());
        let digest = self.digest(id, &typed);
        match self.store.try_code(id, purpose, digest, self.clock.now_s()).await? {
            Tried::Right(code) => Ok(code),
            Tried::Wrong { left } => Err(Fault::WrongCode { left }),
            Tried::Over => Err(Fault::CodeOver),
        }
    }
}
