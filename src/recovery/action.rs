//! Everything that can happen to the heart, as one closed enum.

use super::{
    challenge::ChargedTry,
    effect::PasswordId,
    record::{PlatformSettings, Which},
    reply::{GrantToken, SessionToken},
};
use latchkey_protocol::{Address, Code, Door, platform::Sealed};
use zeroize::Zeroizing;

/// Names a request until it is answered. Given by the shell, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub u64);

/// Names a hash job until its outcome is back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket(pub u64);

/// A password as typed: never printed, wiped when dropped.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

impl Password {
    /// Takes a password as typed; [`super::password`] has the rules for new ones.
    pub fn new(text: impl Into<Zeroizing<String>>) -> Self {
        Self(text.into())
    }
}

impl core::ops::Deref for Password {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl core::fmt::Debug for Password {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Password(..)")
    }
}

/// What the heart can be told.
#[derive(Debug)]
pub enum Action {
    /// Someone at a door asks for something.
    Asked {
        /// Names it for the reply.
        id: RequestId,
        /// The door that it came in by.
        door: Door,
        /// What is asked.
        request: Request,
    },
    /// A hash job is done.
    Hashed {
        /// The job.
        ticket: Ticket,
        /// What came out.
        outcome: HashOutcome,
    },
    /// The try that an earlier step charged is durable: compare now.
    CompareCode(ChargedTry),
    /// The recorder's other software was told a password.
    HooksTried {
        /// Which one.
        basis: PasswordId,
        /// Whether all of it has taken it.
        taken: bool,
    },
    /// The cloud has taken these notices, or never will.
    NoticesDone(Vec<Sealed>),
}

/// What a hash job gave.
pub enum HashOutcome {
    /// The PHC string of a new password; empty if the vendor's own database keeps it.
    Made(String),
    /// Whether the typed password is the one of the PHC string.
    Compared(bool),
    /// Hashing failed (out of memory); nothing may change.
    Failed,
}

impl core::fmt::Debug for HashOutcome {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Made(_) => "Made(..)",
            Self::Compared(_) => "Compared(..)",
            Self::Failed => "Failed",
        })
    }
}

/// What a person, a page or a GUI can ask for. No debug output shows a password or token.
#[derive(Debug)]
pub enum Request {
    /// What anyone may see.
    Describe {
        /// The session, if the caller has one.
        session: Option<SessionToken>,
    },
    /// Sets the first admin password, and on wish the reserved email, on an inactive device.
    Activate {
        /// The first admin password.
        password: Password,
        /// The reserved email.
        email: Option<Address>,
    },
    /// Signs in as admin.
    SignIn {
        /// The admin password.
        password: Password,
    },
    /// Ends a session.
    SignOut {
        /// The session.
        session: SessionToken,
    },
    /// Sets a new password in the place of a known one.
    ChangePassword {
        /// The session that asks.
        session: SessionToken,
        /// The password until now.
        current: Password,
        /// The password from now on.
        new: Password,
    },
    /// Reads the reserved emails in full.
    ReservedEmails {
        /// The session that asks.
        session: SessionToken,
    },
    /// Sets or removes one of the reserved emails; without the primary one the second takes its place.
    /// Kills every challenge, if it changes anything.
    SetReservedEmail {
        /// The session that asks.
        session: SessionToken,
        /// The admin password.
        current: Password,
        /// Which one.
        which: Which,
        /// The new address, or none.
        email: Option<Address>,
    },
    /// Shows this door's live challenge that confirms a reserved email, or issues one.
    BeginConfirmation {
        /// The session that asks.
        session: SessionToken,
        /// The address to confirm. Another one than the live challenge's replaces that; throttled.
        which: Which,
        /// Issue a new one even if one is live; throttled.
        renew: bool,
    },
    /// Shows this door's live challenge that confirms a reserved email. Issues nothing.
    ViewConfirmation {
        /// The session that asks.
        session: SessionToken,
    },
    /// Marks the address as confirmed, if the code is right.
    ConfirmEmail {
        /// The session that asks.
        session: SessionToken,
        /// The code that was mailed.
        code: Code,
    },
    /// Reads the settings of platform access.
    Platform {
        /// The session that asks.
        session: SessionToken,
    },
    /// Replaces the settings of platform access. Without a verification code the old one stays; one is
    /// drawn when there is none and it is switched on.
    SetPlatform {
        /// The session that asks.
        session: SessionToken,
        /// The new settings.
        settings: PlatformSettings,
    },
    /// Shows the live challenge of this door, or issues one.
    BeginReset {
        /// Issue a new one even if one is live ("new QR"); throttled.
        renew: bool,
        /// Which address the code goes to: that of the live challenge, or the primary one, if it is not said.
        /// Another one than the live challenge's replaces that; throttled.
        to: Option<Which>,
    },
    /// Shows the live challenge of this door, or why there is none. Issues nothing.
    ViewChallenge,
    /// Trades a code for a grant.
    VerifyCode {
        /// The code that was mailed.
        code: Code,
    },
    /// Trades a grant for a new password.
    SetPassword {
        /// The grant.
        grant: GrantToken,
        /// The new password.
        password: Password,
    },
    /// Whether this is the admin password, for a vendor's own software. Console only; throttled.
    VerifyPassword {
        /// The password to check.
        password: Password,
    },
    /// Erases the account. Console only: the board's button or jumper.
    FactoryReset,
}
