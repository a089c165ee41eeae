//! What the store knows of accounts: no address and no code in clear, passwords as Argon2id only.

use super::{AccountId, Answer, CodeId, Limit, Use};

/// An account.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// The name as it was typed.
    pub name: String,
    /// The address, under a keyed hash.
    pub email_key: [u8; 32],
    /// The address, sealed.
    pub email: Vec<u8>,
    /// The password, as Argon2id in PHC form.
    pub password: String,
    /// When it was registered.
    pub created_at_s: i64,
}

/// How an account is found.
#[derive(Clone, Debug)]
pub enum By {
    /// By its name, in small letters.
    Name(String),
    /// By its address's keyed hash.
    Email([u8; 32]),
}

/// What a code is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Purpose {
    /// A new account.
    SignUp = 1,
    /// A forgotten password.
    Forgot = 2,
    /// Another address.
    NewEmail = 3,
    /// A recorder for another account.
    Transfer = 4,
}

/// A code that was mailed.
#[derive(Clone, Debug)]
pub struct Code {
    /// Its id.
    pub id: CodeId,
    /// What for.
    pub purpose: Purpose,
    /// Whose, if there is an account.
    pub account: Option<AccountId>,
    /// The address, under a keyed hash.
    pub email_key: [u8; 32],
    /// The address, sealed.
    pub email: Vec<u8>,
    /// The code's keyed hash; none if nothing typed is to be right.
    pub digest: Option<[u8; 32]>,
    /// Tries left.
    pub tries_left: u32,
    /// When it was mailed last.
    pub sent_at_s: i64,
    /// When it is over.
    pub expires_at_s: i64,
    /// What for, beside the purpose; sealed.
    pub about: Option<Vec<u8>>,
}

/// A mail of an account.
#[derive(Clone, Debug)]
pub struct Post {
    /// All of it, sealed.
    pub sealed: Vec<u8>,
    /// When there is no point in sending any more.
    pub expires_at_s: i64,
}

/// A mail that is taken from the queue for a while.
#[derive(Clone, Debug)]
pub struct PostClaim {
    /// Its number.
    pub id: i64,
    /// All of it, sealed.
    pub sealed: Vec<u8>,
    /// Tries, with this one.
    pub attempts: u32,
    /// When there is no point in sending any more.
    pub expires_at_s: i64,
}

/// What became of a typed code.
#[derive(Clone, Debug)]
pub enum Tried {
    /// It is the one.
    Right(Code),
    /// It is not.
    Wrong {
        /// How many more may be typed.
        left: u32,
    },
    /// There is none that could be right.
    Over,
}

/// What became of a registration or a new address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registered {
    /// It is done.
    Done,
    /// Another account has that name.
    NameTaken,
    /// Another account has that address, or the code is gone.
    Gone,
}

/// The part of the store that knows accounts.
pub trait AccountStore {
    /// Counts every use, or says which of them is over its cap, and how long.
    fn spend(&self, uses: Vec<Use>, now_s: i64) -> Answer<'_, Option<(Limit, i64)>>;
    /// Keeps a code, in the place of the one with its id, and queues its mail.
    fn issue(&self, code: Code, post: Option<Post>) -> Answer<'_, ()>;
    /// A code that is not over.
    fn code(&self, id: CodeId, now_s: i64) -> Answer<'_, Option<Code>>;
    /// Compares a typed code; a wrong one costs a try.
    fn try_code(&self, id: CodeId, purpose: Purpose, digest: [u8; 32], now_s: i64) -> Answer<'_, Tried>;
    /// Makes an account and uses its code up.
    fn register(&self, code: CodeId, account: Account) -> Answer<'_, Registered>;
    /// Finds an account.
    fn account(&self, by: By) -> Answer<'_, Option<Account>>;
    /// Sets a password, ends every session and every code of the account, and queues the notice.
    fn set_password(&self, id: AccountId, password: String, notice: Post, now_s: i64) -> Answer<'_, ()>;
    /// Sets an address with the code that proves it, and queues the notice to the old one.
    fn set_email(&self, id: AccountId, code: CodeId, notice: Post, now_s: i64) -> Answer<'_, Registered>;
    /// Removes an account with all that belongs to it, and queues the notice.
    fn remove(&self, id: AccountId, notice: Post, now_s: i64) -> Answer<'_, ()>;
    /// Begins a session.
    fn sign_in(&self, digest: [u8; 32], id: AccountId, expires_at_s: i64) -> Answer<'_, ()>;
    /// Whose session it is, if it is not over.
    fn session(&self, digest: [u8; 32], now_s: i64) -> Answer<'_, Option<Account>>;
    /// Ends a session.
    fn sign_out(&self, digest: [u8; 32]) -> Answer<'_, ()>;
    /// Ends every session of an account.
    fn sign_out_everywhere(&self, id: AccountId) -> Answer<'_, ()>;
    /// Takes a due mail for a while.
    fn claim_post(&self, now_s: i64, lease_s: i64) -> Answer<'_, Option<PostClaim>>;
    /// Forgets a mail, or has it tried again.
    fn settle_post(&self, id: i64, again_at_s: Option<i64>) -> Answer<'_, ()>;
}
