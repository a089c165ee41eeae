//! What the store knows of whose recorders are whose. Proofs of verification codes come as keyed hashes.

use super::{AccountId, Answer, CodeId, OfferId, RecorderId, accounts::Post, fleet::Presence};
use latchkey_protocol::Handle;

/// A recorder on an account.
#[derive(Clone, Debug)]
pub struct Recorder {
    /// Its id for this account.
    pub id: RecorderId,
    /// Which device.
    pub handle: Handle,
    /// The serial on its label.
    pub serial: String,
    /// Its model.
    pub model: String,
    /// The name that its owner gave it.
    pub name: String,
    /// When it was added.
    pub added_at_s: i64,
    /// When its identity was withdrawn.
    pub revoked_at_s: Option<i64>,
    /// Whether it is online, if it ever was.
    pub presence: Option<Presence>,
    /// To whom it is offered.
    pub offer: Option<Offer>,
}

/// An offer, as the owner sees it.
#[derive(Clone, Debug)]
pub struct Offer {
    /// Its id.
    pub id: OfferId,
    /// The receiver's address, sealed.
    pub email: Vec<u8>,
    /// When it is over.
    pub expires_at_s: i64,
}

/// An offer, as the receiver sees it.
#[derive(Clone, Debug)]
pub struct Offered {
    /// Its id.
    pub id: OfferId,
    /// The recorder's name with its owner.
    pub name: String,
    /// The serial on its label.
    pub serial: String,
    /// Its model.
    pub model: String,
    /// Who offers it.
    pub from: Holder,
    /// When it is over.
    pub expires_at_s: i64,
}

/// The account that has a recorder.
#[derive(Clone, Debug)]
pub struct Holder {
    /// Which.
    pub account: AccountId,
    /// Its user name.
    pub name: String,
    /// Its address, sealed.
    pub email: Vec<u8>,
}

/// A device that somebody may want to add.
#[derive(Clone, Debug)]
pub struct Found {
    /// Which.
    pub handle: Handle,
    /// The serial on its label.
    pub serial: String,
    /// Its model.
    pub model: String,
    /// What it proved of its code last.
    pub adding: [u8; 32],
    /// Who has it, by which proof, and under which name.
    pub held: Option<(Holder, [u8; 32], String)>,
}

/// A recorder for an account.
#[derive(Clone, Debug)]
pub struct NewRecorder {
    /// Its id.
    pub id: RecorderId,
    /// Which device.
    pub handle: Handle,
    /// For whom.
    pub account: AccountId,
    /// Who has it, as it was found.
    pub holder: Option<AccountId>,
    /// The proof, as it was found.
    pub adding: [u8; 32],
    /// Its name; none is that of the same recorder's earlier identity, or its model.
    pub name: Option<String>,
    /// The mail to who had it.
    pub notice: Option<Post>,
    /// Now.
    pub now_s: i64,
    /// An account has at most so many.
    pub at_most: u32,
}

/// An offer to be made.
#[derive(Clone, Debug)]
pub struct NewOffer {
    /// Whose.
    pub account: AccountId,
    /// Of which recorder.
    pub recorder: RecorderId,
    /// The code that proves the owner's mailbox; it is used up.
    pub code: CodeId,
    /// The receiver's address, under a keyed hash.
    pub email_key: [u8; 32],
    /// What is kept.
    pub offer: Offer,
    /// The mail to the receiver.
    pub post: Post,
    /// Now.
    pub now_s: i64,
}

/// An offer that is accepted.
#[derive(Clone, Debug)]
pub struct Acceptance {
    /// Which.
    pub offer: OfferId,
    /// The receiver's address, under a keyed hash.
    pub email_key: [u8; 32],
    /// The receiver.
    pub account: AccountId,
    /// The recorder's id from now on.
    pub id: RecorderId,
    /// Who has it, as it was found.
    pub holder: AccountId,
    /// The mail to who had it.
    pub notice: Post,
    /// Now.
    pub now_s: i64,
    /// An account has at most so many.
    pub at_most: u32,
}

/// What became of a recorder for an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It is the account's, by this id.
    Done(RecorderId),
    /// It is not any more as it was found.
    Changed,
    /// The account has as many as it may.
    Full,
}

/// Whose offer is to be ended.
#[derive(Clone, Copy, Debug)]
pub enum EndOffer {
    /// The owner takes it back.
    Of(AccountId, RecorderId),
    /// The receiver, by their address's keyed hash, declines it.
    To([u8; 32], OfferId),
}

/// The part of the store that knows whose recorders are whose.
pub trait RecorderStore {
    /// An account's recorders, by name.
    fn recorders(&self, account: AccountId, now_s: i64) -> Answer<'_, Vec<Recorder>>;
    /// One of an account's recorders.
    fn recorder(&self, account: AccountId, id: RecorderId, now_s: i64) -> Answer<'_, Option<Recorder>>;
    /// What is offered to an address.
    fn offered(&self, email_key: [u8; 32], now_s: i64) -> Answer<'_, Vec<Offered>>;
    /// A device that has proven a code and is not revoked, by the first of these serials that there is.
    fn find_recorder(&self, serials: Vec<String>) -> Answer<'_, Option<Found>>;
    /// Puts a device on an account, if it is as it was found, and queues the notice.
    fn add_recorder(&self, new: NewRecorder) -> Answer<'_, Kept>;
    /// Names it. `false` if the account has no such recorder.
    fn rename_recorder(&self, account: AccountId, id: RecorderId, name: String) -> Answer<'_, bool>;
    /// Takes it off the account. `false` if the account has no such recorder.
    fn remove_recorder(&self, account: AccountId, id: RecorderId) -> Answer<'_, bool>;
    /// Offers it, in the place of an earlier offer, and queues the mail. `false` if there is no such recorder or code.
    fn offer_recorder(&self, new: NewOffer) -> Answer<'_, bool>;
    /// Ends an offer. `false` if there is none.
    fn end_offer(&self, which: EndOffer) -> Answer<'_, bool>;
    /// Gives an offered recorder to its receiver, and queues the notice.
    fn accept_offer(&self, acceptance: Acceptance) -> Answer<'_, Kept>;
}
