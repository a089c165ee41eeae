//! What the heart answers.

use latchkey_protocol::{Address, ChallengeId, Door, QrLink, Tag};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::record::ResetNote;

macro_rules! token {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Zeroize, ZeroizeOnDrop)]
        pub struct $name(pub [u8; 32]);

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.0.ct_eq(&other.0).into()
            }
        }

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    };
}

token!(
    /// A session's secret, random, compared in constant time.
    SessionToken
);
token!(
    /// The right to set one new password, random, valid for ten minutes, kept in memory only.
    GrantToken
);

/// A request that was granted.
#[derive(Debug, Clone)]
pub enum Reply {
    /// What anyone may see.
    Description(Description),
    /// The device is active now; a session for the one who did it.
    Activated(SessionToken),
    /// Signed in. `reset_to_tell` is a completed reset that the owner has not been told of yet.
    SignedIn {
        /// The new session.
        session: SessionToken,
        /// To be told to the owner now.
        reset_to_tell: Option<ResetNote>,
    },
    /// Signed out.
    SignedOut,
    /// The password was changed; every other session has ended.
    PasswordChanged,
    /// The reserved emails in full, each with whether it is confirmed.
    ReservedEmails(Vec<super::record::ReservedEmail>),
    /// The reserved email was changed; every challenge is dead.
    ReservedEmailSet,
    /// The settings of platform access, as they are from now on.
    Platform(super::record::PlatformSettings),
    /// A live challenge.
    Challenge(Box<ChallengeView>),
    /// The code was right: the address is its owner's.
    EmailConfirmed,
    /// The code was right.
    CodeAccepted {
        /// The right to set one new password.
        grant: GrantToken,
        /// How long it is valid.
        valid_s: u64,
    },
    /// The password is reset. Every session has ended; nobody is signed in by it.
    PasswordReset,
    /// This is the admin password.
    PasswordIsRight,
    /// The account is erased.
    FactoryResetDone,
}

/// What anyone may see of the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// Inactive, active or damaged.
    pub lifecycle: Lifecycle,
    /// Masked reserved emails, the primary one first.
    pub masked_emails: Vec<String>,
    /// Whether each of them is confirmed, in the same order.
    pub emails_confirmed: Vec<bool>,
    /// Whether a reset by email can be asked for at this door.
    pub reset_by_email: ResetByEmail,
    /// Doors that have a live challenge (a reboot would kill it).
    pub pending_doors: Vec<Door>,
    /// Whether the session given is a live one.
    pub signed_in: bool,
    /// How far the recorder's other software knows the password.
    pub hooks: HookView,
}

/// How far the recorder's other software knows the password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HookView {
    /// It has taken it, or there is none.
    #[default]
    Settled,
    /// It is being told.
    Telling,
    /// It has not taken it; it is told again and again.
    Failing,
    /// It is told when the password is typed at the next sign-in.
    AtNextSignIn,
}

/// Where the device is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifecycle {
    /// No admin password yet.
    Inactive,
    /// In use.
    Active,
    /// Both copies of the record are damaged: factory reset is the way out.
    Damaged,
}

/// Whether a reset by email can be asked for, and if not, why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResetByEmail {
    /// It can.
    Offered,
    /// The device is inactive or its record damaged.
    NotActive,
    /// No reserved email is stored.
    NoEmail,
    /// The device has no identity: it was never registered with a cloud.
    NoIdentity,
    /// The owner or the board switched it off at this door.
    SwitchedOff,
}

/// A live challenge, as shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChallengeView {
    /// Its id.
    pub id: ChallengeId,
    /// Its door.
    pub door: Door,
    /// What the QR holds.
    pub link: QrLink,
    /// Where a picture of it can be mailed, if the cloud reads such mails.
    pub mailbox: Option<Address>,
    /// The four characters to compare.
    pub tag: Tag,
    /// Which address the mail goes to.
    pub to: super::record::Which,
    /// The same, masked.
    pub masked_emails: Vec<String>,
    /// Seconds of validity left.
    pub valid_s: u64,
    /// Tries left.
    pub tries_left: u32,
    /// Seconds until "new QR" may be asked for.
    pub renew_wait_s: u64,
}

/// Why there is no live challenge at a door (any more).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// None was asked for.
    NeverAsked,
    /// Its validity is over.
    Expired,
    /// The device was rebooted.
    Rebooted,
    /// The reserved email was changed.
    EmailChanged,
    /// The password was changed or reset.
    PasswordChanged,
    /// All its tries were used.
    TooManyTries,
    /// A newer one took its place.
    Renewed,
    /// Its code was typed, and the address is confirmed.
    Confirmed,
    /// Its file was lost or damaged.
    Lost,
}

/// A request that was refused, with the reason that the person is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Activate first.
    NotActive,
    /// It is active already.
    AlreadyActive,
    /// Both copies of the record are damaged.
    RecordDamaged,
    /// Sign in first, or again.
    NotSignedIn,
    /// The password is wrong. Tells how long until the next try.
    WrongPassword {
        /// Seconds to wait now.
        wait_s: u64,
    },
    /// Too early after failures.
    Throttled {
        /// Seconds to wait.
        wait_s: u64,
    },
    /// The LAN door is closed after too many failures, until a success at the console or a sign-in.
    LanClosed,
    /// The password does not meet the rules.
    WeakPassword(WeakPassword),
    /// No reserved email is stored.
    NoEmail,
    /// There is no second reserved email, or no primary one that it could be second to.
    NoSuchEmail,
    /// The other reserved email is this one.
    SameEmail,
    /// The device has no identity.
    NoIdentity,
    /// Reset is switched off at this door.
    SwitchedOff,
    /// No live challenge at this door.
    NoChallenge(Ended),
    /// The code is wrong.
    WrongCode {
        /// Tries left; at zero the challenge is dead.
        tries_left: u32,
    },
    /// The grant is wrong, used or over.
    GrantOver,
    /// Only at the console.
    ConsoleOnly,
    /// Too many requests wait for their password to be hashed.
    Busy,
    /// Something changed while the request was under way.
    Superseded,
    /// The device could not store it; nothing that it said before is lost.
    StorageFailed,
    /// No random numbers, no boot id, or hashing failed: nothing secret may be made.
    Unavailable,
}

/// Which rule a password breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WeakPassword {
    /// Fewer characters than the minimum.
    TooShort {
        /// The minimum.
        chars_min: usize,
    },
    /// More than 128 characters.
    TooLong,
    /// On the list of common passwords.
    Common,
    /// A control character.
    ControlCharacter,
}
