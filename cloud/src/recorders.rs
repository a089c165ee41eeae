//! Whose recorders are whose: listed, added, named, removed, handed over.
//!
//! A recorder is added by its serial and its device verification code, which it proves itself whenever it
//! registers. Whoever types a wrong code, or a serial that nobody has, hears one and the same answer; only
//! after the right code anything is told. Tries are counted in the store before anything is compared.

mod judge;
mod transfer;

use crate::{
    accounts::{
        self, Accounts, DAY_S,
        post::{Kind, Letter},
    },
    clock::{Clock, draw},
    limits::network,
    store::{
        RecorderId, Store, StoreError,
        accounts::Account,
        recorders::{Found, Kept, NewRecorder, Offered, Recorder},
    },
};
use judge::Verdict;
use latchkey_protocol::platform::{Adding, Model};
use std::{net::IpAddr, sync::Arc};
pub use transfer::OFFER_S;

/// Recorders on one account.
pub const AT_MOST: u32 = 256;
/// Codes an hour for one serial from one account; for one account; from one network (IPv6: one /64).
const TRIES_EACH: u32 = 10;
const TRIES_PER_ACCOUNT: u32 = 30;
const TRIES_PER_REQUESTER: u32 = 60;
const HOUR_S: i64 = 3600;
/// Codes a day for one serial, from everybody together: guessing the shortest code takes ten thousand years.
const TRIES_PER_SERIAL: u32 = 300;

/// Why something is not done.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// No recorder that has ever registered has this serial and this code.
    #[error("no recorder has this serial and this code")]
    NotFound,
    /// The code is right, and the recorder is on another account.
    #[error("the recorder is on another account")]
    Elsewhere,
    /// The account has as many as it may.
    #[error("the account has as many recorders as it may")]
    Full,
    /// No name.
    #[error("this is no name for a recorder")]
    Name,
    /// No email address.
    #[error("this is no email address")]
    Email,
    /// The address is the account's own.
    #[error("the address is the account's own")]
    OwnEmail,
    /// The account has no such recorder.
    #[error("the account has no such recorder")]
    NoRecorder,
    /// There is no such offer any more.
    #[error("there is no such offer any more")]
    OfferOver,
    /// The recorder's identity was withdrawn.
    #[error("the recorder's identity was withdrawn")]
    Withdrawn,
    /// Somebody else was doing something with it at the same moment.
    #[error("the recorder has changed hands at this moment")]
    Changed,
    /// As of any account.
    #[error(transparent)]
    Account(#[from] accounts::Fault),
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Account(error.into())
    }
}

/// What an account sees.
pub struct List {
    /// Its recorders, by name.
    pub own: Vec<Recorder>,
    /// What is offered to it.
    pub offered: Vec<Offered>,
}

/// All that recorders of accounts need.
pub struct Recorders {
    accounts: Arc<Accounts>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
}

impl Recorders {
    /// The recorders of accounts in a store.
    pub fn new(accounts: Arc<Accounts>, store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self { accounts, store, clock }
    }

    /// What an account has, and what is offered to it.
    pub async fn list(&self, account: &Account) -> Result<List, Fault> {
        let now_s = self.clock.now_s();
        let own = self.store.recorders(account.id, now_s).await?;
        Ok(List { own, offered: self.store.offered(account.email_key, now_s).await? })
    }

    /// One recorder of an account.
    pub async fn one(&self, account: &Account, id: RecorderId) -> Result<Recorder, Fault> {
        let found = self.store.recorder(account.id, id, self.clock.now_s()).await?;
        found.ok_or(Fault::NoRecorder)
    }

    /// Adds a recorder; an empty name is that of its model.
    pub async fn add(
        &self,
        ip: IpAddr,
        account: &Account,
        (serial, code): (&str, &str),
        name: &str,
    ) -> Result<RecorderId, Fault> {
        let name = if name.trim().is_empty() { None } else { Some(named(name)?) };
        // Twice at most: somebody else may do something with it in between.
        for _ in 0..2 {
            let (found, typed) = self.look_up(ip, account, serial, code).await?;
            let (holder, notice) = match judge::judge(&found, account.id, &typed) {
                Verdict::Wrong => return Err(Fault::NotFound),
                Verdict::Elsewhere => return Err(Fault::Elsewhere),
                Verdict::Free => (None, None),
                Verdict::Own => (Some(account.id), None),
                Verdict::CodeChanged(holder, name) => {
                    let to = self.accounts.address_of(&holder.email)?;
                    let mut letter = Letter::new(Kind::Taken, &to);
                    letter.recorder = Some(label(name, &found.serial));
                    (Some(holder.account), Some(self.accounts.post(&letter)))
                }
            };
            let taken = notice.is_some();
            let new = NewRecorder {
                id: RecorderId(draw()),
                handle: found.handle,
                account: account.id,
                holder,
                adding: typed,
                name: name.clone(),
                notice,
                now_s: self.clock.now_s(),
                at_most: AT_MOST,
            };
            match self.store.add_recorder(new).await? {
                Kept::Done(id) => {
                    tracing::info!(account = %account.id, handle = %found.handle, taken, "a recorder was added");
                    self.accounts.ring();
                    return Ok(id);
                }
                Kept::Full => return Err(Fault::Full),
                Kept::Changed => {}
            }
        }
        Err(Fault::Changed)
    }

    /// The device of a serial, and the keyed hash of what was typed for its code; counted before it is looked for.
    async fn look_up(
        &self,
        ip: IpAddr,
        account: &Account,
        serial: &str,
        code: &str,
    ) -> Result<(Found, [u8; 32]), Fault> {
        let serial = serial.trim();
        let folded = serial.to_ascii_uppercase();
        let network = network(ip).to_be_bytes();
        let both = [&account.id.0[..], folded.as_bytes()].concat();
        let one_of = |what: &str, who: &[u8], cap, window_s| self.accounts.one_of(what, who, cap, window_s);
        let uses = vec![
            one_of("adding", &both, TRIES_EACH, HOUR_S),
            one_of("adding by account", &account.id.0, TRIES_PER_ACCOUNT, HOUR_S),
            one_of("adding by network", &network, TRIES_PER_REQUESTER, HOUR_S),
            one_of("adding by serial", folded.as_bytes(), TRIES_PER_SERIAL, DAY_S),
        ];
        self.accounts.spend(uses).await?;
        // As typed, or in capitals, as labels have it.
        let mut serials = vec![serial.to_owned()];
        if folded != serial {
            serials.push(folded);
        }
        let found = self.store.find_recorder(serials).await?.ok_or(Fault::NotFound)?;
        let code: String = code.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
        let proof = Adding::of(&found.serial, &code).map_err(|_| Fault::NotFound)?;
        let typed = self.accounts.secrets.adding(proof);
        Ok((found, typed))
    }

    /// Names a recorder.
    pub async fn rename(&self, account: &Account, id: RecorderId, name: &str) -> Result<(), Fault> {
        let name = named(name)?;
        let done = self.store.rename_recorder(account.id, id, name).await?;
        if done { Ok(()) } else { Err(Fault::NoRecorder) }
    }

    /// Takes a recorder off an account.
    pub async fn remove(&self, account: &Account, id: RecorderId) -> Result<(), Fault> {
        if !self.store.remove_recorder(account.id, id).await? {
            return Err(Fault::NoRecorder);
        }
        tracing::info!(account = %account.id, recorder = %id, "a recorder was removed");
        Ok(())
    }
}

/// A name is what a model's name may be: 1 to 64 printable characters of any script.
fn named(text: &str) -> Result<String, Fault> {
    let name = Model::try_from(text.trim().to_owned()).map_err(|_| Fault::Name)?;
    Ok(name.into())
}

/// How mails name a recorder: by no more of its serial than its end.
fn label(name: &str, serial: &str) -> String {
    let from = serial.len().saturating_sub(4);
    format!("{name} (…{})", serial.get(from..).unwrap_or_default())
}
