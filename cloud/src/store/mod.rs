//! What must survive a restart. [`Store`] speaks of devices, requests and mails, not of tables, so
//! that another database can stand behind it. It never holds an address or a code in clear: requests are
//! kept as the sealed bytes, limits by address under a keyed hash, and an account's own address sealed.

pub mod accounts;
pub mod fleet;
pub mod recorders;
pub mod sqlite;

use accounts::AccountStore;
use ed25519_dalek::VerifyingKey;
use fleet::FleetStore;
use latchkey_protocol::{Door, Handle, Life, Mode, Purpose};
use recorders::RecorderStore;
use std::{fmt, future::Future, path::PathBuf, pin::Pin};

/// What a store answers, in time.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Why the store has no answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database refuses.
    #[error("the database cannot be used")]
    Database(#[from] rusqlite::Error),
    /// The file cannot be made.
    #[error("the database's file cannot be made")]
    File(#[from] std::io::Error),
    /// Others can read the file.
    #[error("{0} can be read by others: take that away with chmod 600")]
    Open(PathBuf),
    /// Written by a newer build.
    #[error(
        "the database has version {found}, and this build knows versions up to {known}: start the newer build again"
    )]
    Newer {
        /// The file's version.
        found: i64,
        /// The newest known here.
        known: i64,
    },
    /// Some other program's database.
    #[error("the file is a database, but not Latchkey's")]
    Foreign,
    /// Damaged.
    #[error("the database is damaged ({0}): put the last backup in its place")]
    Damaged(String),
    /// Too much is waiting.
    #[error("the database has too much to do just now")]
    Busy,
    /// The commit failed after the work was done: nothing of it is kept.
    #[error("the database could not keep the change")]
    Commit,
    /// The writer has stopped.
    #[error("the database has been closed")]
    Closed,
}

/// The public random id of a request: 128 bits, 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct RequestId(pub [u8; 16]);

/// The token of one mail, in its Message-ID and its return path.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct MailToken(pub [u8; 16]);

macro_rules! hex_text {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl $name {
            /// Reads 32 hexadecimal digits.
            pub fn parse(text: &str) -> Option<Self> {
                let ok = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
                let number = ok.then(|| u128::from_str_radix(text, 16).ok())??;
                Some(Self(number.to_be_bytes()))
            }
        }
    };
}
hex_text!(RequestId);
hex_text!(MailToken);

/// The id of an account.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct AccountId(pub [u8; 16]);

/// The public random id of a code that was mailed to prove an address.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct CodeId(pub [u8; 16]);
hex_text!(AccountId);
hex_text!(CodeId);

/// The random id of a recorder on one account: another account's, or another time, has another.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct RecorderId(pub [u8; 16]);

/// The random id of an offer of a recorder.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct OfferId(pub [u8; 16]);
hex_text!(RecorderId);
hex_text!(OfferId);

/// A registered device.
#[derive(Clone, Debug)]
pub struct Device {
    /// Its public id.
    pub handle: Handle,
    /// The serial on its label.
    pub serial: String,
    /// Its model.
    pub model: String,
    /// Its key.
    pub key: VerifyingKey,
    /// How it seals.
    pub mode: Mode,
    /// When it was signed.
    pub signed_at_s: i64,
    /// When it was revoked.
    pub revoked_at_s: Option<i64>,
}

/// What became of a new device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddDevice {
    /// It is recorded.
    Added,
    /// Its serial has an identity that is not revoked.
    SerialTaken,
}

/// One use of something that is limited: at most `cap` in the sliding window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// What is counted, under a keyed hash.
    pub key: [u8; 16],
    /// Which limit it is, to say so.
    pub limit: Limit,
    /// At most this many.
    pub cap: u32,
    /// In this long.
    pub window_s: i64,
}

/// The limits that the store counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Of a device's door.
    Device,
    /// Of an address.
    Address,
    /// Of whoever asks about accounts.
    Requester,
    /// What can be used once.
    Once,
}

/// A request that has been verified and opened.
#[derive(Clone, Debug)]
pub struct NewRequest {
    /// Its public id, if it is new.
    pub id: RequestId,
    /// SHA-256 of the sealed bytes.
    pub digest: [u8; 32],
    /// The sealed bytes.
    pub sealed: Vec<u8>,
    /// The device.
    pub handle: Handle,
    /// Its life.
    pub life: Life,
    /// Its door.
    pub door: Door,
    /// What for.
    pub purpose: Purpose,
    /// Its counter.
    pub counter: u32,
    /// A token for each of its mails.
    pub tokens: Vec<MailToken>,
    /// What it uses up.
    pub uses: Vec<Use>,
    /// Now.
    pub now_s: i64,
    /// When there is no point in sending any more.
    pub expires_at_s: i64,
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// Queued now.
    New(RequestId),
    /// Queued before.
    Known(RequestId),
    /// The device has issued a newer one at that door.
    Superseded,
    /// It was relayed so long ago that it is forgotten.
    Expired,
    /// A limit is reached.
    Limited {
        /// Which.
        limit: Limit,
        /// When it is worth trying again.
        retry_after_s: i64,
    },
}

/// The state of one mail, and why it failed or bounced, as a class: the names that are said on the link, too. Never a
/// server's own words: they hold addresses.
pub use latchkey_protocol::platform::{MailReason as Reason, MailState};

/// One mail of a request.
#[derive(Clone, Debug)]
pub struct MailRow {
    /// Its state.
    pub state: MailState,
    /// Why.
    pub reason: Option<Reason>,
    /// How often it was tried.
    pub attempts: u32,
    /// How often it may have reached the server.
    pub transmissions: u32,
}

/// A request as it is kept.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its public id.
    pub id: RequestId,
    /// The device that has sealed it.
    pub handle: Handle,
    /// The sealed bytes, until they expire.
    pub sealed: Option<Vec<u8>>,
    /// When it came.
    pub received_at_s: i64,
    /// When it is over.
    pub expires_at_s: i64,
    /// When it was sent again.
    pub resent_at_s: Option<i64>,
    /// Its mails, in the order of the addresses.
    pub mails: Vec<MailRow>,
}

impl Request {
    /// One state for all of its mails: the best news first, then what is still open.
    pub fn mail(&self) -> Option<&MailRow> {
        [MailState::Accepted, MailState::Queued, MailState::Bounced, MailState::Failed]
            .into_iter()
            .find_map(|state| self.mails.iter().find(|mail| mail.state == state))
    }
}

/// What became of a wish to send again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resend {
    /// Queued again.
    Queued,
    /// There is no such request.
    Unknown,
    /// Not yet.
    TooEarly {
        /// When.
        after_s: i64,
    },
    /// It is still on its way.
    StillQueued,
    /// It was sent again before.
    Used,
    /// The device has issued a newer one at that door.
    Superseded,
    /// It is over.
    Expired,
    /// A limit is reached.
    Limited {
        /// Which.
        limit: Limit,
        /// When it is worth trying again.
        retry_after_s: i64,
    },
}

/// A mail taken from the queue for a while.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The mail.
    pub mail: i64,
    /// The request that it belongs to.
    pub request: RequestId,
    /// Counts attempts; settles only what is still ours.
    pub attempt: u32,
    /// The sealed bytes.
    pub sealed: Vec<u8>,
    /// Which of the addresses.
    pub recipient: u8,
    /// Its token.
    pub token: MailToken,
    /// When there is no point in sending any more.
    pub expires_at_s: i64,
    /// How often it may have reached the server before this time.
    pub transmissions: u32,
}

/// What became of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// A server took it.
    Accepted,
    /// For good.
    Over(MailState, Reason),
    /// Try again; it certainly did not reach the server.
    LaterUnsent {
        /// When.
        at_s: i64,
        /// Why, if the mail server is the cause.
        reason: Option<Reason>,
    },
    /// Try again; it may have reached the server.
    LaterUncertain {
        /// When.
        at_s: i64,
    },
}

/// A mail reaches a server at most this often for one challenge and address: once, and once more.
pub const TRANSMISSIONS_MAX: u32 = 2;
/// A mail may be sent again after this long.
pub const RESEND_AFTER_S: i64 = 60;

/// What must survive a restart. Every answer is on the disk before it is given.
pub trait Store: FleetStore + AccountStore + RecorderStore + Send + Sync + 'static {
    /// Records a device; with `replace`, revokes the one that had its serial.
    fn add_device(&self, device: Device, replace: bool) -> Answer<'_, AddDevice>;
    /// Revokes by handle or serial; `None` if there is none.
    fn revoke(&self, which: String, now_s: i64) -> Answer<'_, Option<Handle>>;
    /// Every device.
    fn devices(&self) -> Answer<'_, Vec<Device>>;
    /// A device by its handle.
    fn device(&self, handle: Handle) -> Answer<'_, Option<Device>>;
    /// A request by the hash of its sealed bytes.
    fn find(&self, digest: [u8; 32]) -> Answer<'_, Option<RequestId>>;
    /// Queues a request, if it is new, in order and within its limits: all or nothing.
    fn accept(&self, request: NewRequest) -> Answer<'_, Accepted>;
    /// A request by its public id.
    fn request(&self, id: RequestId) -> Answer<'_, Option<Request>>;
    /// Queues a request's mails again.
    fn resend(&self, id: RequestId, uses: Vec<Use>, now_s: i64) -> Answer<'_, Resend>;
    /// Takes due mails for a while; the attempt counts from now on.
    fn claim(&self, now_s: i64, lease_s: i64, at_most: u32) -> Answer<'_, Vec<Claim>>;
    /// Says what became of a claim. `false` if the mail is not that claim's any more.
    fn settle(&self, mail: i64, attempt: u32, outcome: Outcome) -> Answer<'_, bool>;
    /// When the next mail is due.
    fn next_due(&self) -> Answer<'_, Option<i64>>;
    /// Marks an accepted mail as bounced, and tells of which request it was. `None` if there is none.
    fn bounce(&self, token: MailToken, reason: Reason) -> Answer<'_, Option<RequestId>>;
    /// Forgets what is over: sealed bytes at once, requests after a month, counts after two windows.
    fn tidy(&self, now_s: i64) -> Answer<'_, ()>;
}
