//! Why something is not done for an account.

use crate::store::StoreError;

/// Why something is not done.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The riddle is not solved, or was answered before.
    #[error("the riddle is not solved")]
    Riddle,
    /// No email address.
    #[error("this is no email address")]
    Email,
    /// No user name.
    #[error("this is no user name")]
    Name,
    /// Another account has that name.
    #[error("the user name is taken")]
    NameTaken,
    /// The password is too weak.
    #[error("the password is too weak")]
    Weak,
    /// The two passwords differ.
    #[error("the passwords differ")]
    Differ,
    /// The code is wrong.
    #[error("the code is wrong")]
    WrongCode {
        /// How many more may be typed.
        left: u32,
    },
    /// The code is over: tried too often, expired, used or replaced.
    #[error("there is no such code any more")]
    CodeOver,
    /// Name, address or password is wrong.
    #[error("user name or password is wrong")]
    Credentials,
    /// A limit is reached.
    #[error("a limit is reached")]
    Limited {
        /// When it is worth trying again.
        retry_after_s: i64,
    },
    /// Too many passwords wait to be compared.
    #[error("too much to do just now")]
    Busy,
    /// The store has no answer.
    #[error("the store has no answer")]
    Store(#[from] StoreError),
}
