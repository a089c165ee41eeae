//! The numbers of the rules, with where each comes from.

/// What a board or its settings may change, and what follows from the product's promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long a code is valid: 1 h to 48 h (the promise is 48 h; NIST SP 800-63B-4 3.1.3.1 has 24 h for email).
    pub validity_s: u64,
    /// The fewest characters of a password: 8 (the promise) or more.
    pub password_chars_min: usize,
    /// Whether the LAN door offers the reset at all.
    pub lan_reset: bool,
}

/// Tries of one challenge, charged on flash in one piece when it is issued.
pub const TRIES: u32 = 5;
/// Failures in a row on the LAN path before it closes until the owner signs in or resets at the
/// console (NIST SP 800-63B-4 3.2.2).
pub const LAN_FAILURES_MAX: u32 = 100;
/// Failed sign-ins are charged to flash in pieces of this many, ahead: a crash gives no credit and
/// flash is written once a piece.
pub const FAILURES_PIECE: u32 = 5;
/// Failed sign-ins that cost no waiting.
pub const FREE_FAILURES: u32 = 5;
/// The first wait, which then doubles.
pub const WAIT_MIN_S: u64 = 30;
/// The longest wait at either door.
pub const WAIT_MAX_S: u64 = 3600;
/// A grant's life, in memory.
pub const GRANT_S: u64 = 600;
/// A session ends after this long without a request.
pub const SESSION_IDLE_S: u64 = 900;
/// A session ends after this long in any case.
pub const SESSION_MAX_S: u64 = 12 * 3600;
/// Sessions at a time, for each door; the oldest gives way.
pub const SESSIONS_MAX: usize = 16;
/// Hash jobs that wait, for each door.
pub const HASH_QUEUE_MAX: usize = 4;
/// Notices that wait for the cloud; a stranger's requests give way first, then the oldest.
pub const NOTICES_MAX: usize = 8;
/// The longest password, in characters.
pub const PASSWORD_CHARS_MAX: usize = 128;

impl Default for Limits {
    fn default() -> Self {
        Self { validity_s: 48 * 3600, password_chars_min: 8, lan_reset: true }
    }
}
