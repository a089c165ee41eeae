//! The account record: what flash holds, a few hundred bytes.

use super::{Aim, BootId, reply::Ended};
use latchkey_protocol::{Address, Door, Host, Life, platform::Sealed};
use serde::{Deserialize, Serialize};

/// The account record of an active device. A device without one is inactive.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Drawn when the record is created.
    pub life: Life,
    /// Challenges issued in this life.
    pub challenge_counter: u32,
    /// The admin password's Argon2id hash, in PHC form.
    pub password_phc: String,
    /// Grows with each password change; kills every challenge.
    pub password_epoch: u32,
    /// At most two, the first being the primary one.
    pub emails: Vec<ReservedEmail>,
    /// Grows with each change of `emails`; kills every challenge.
    pub email_epoch: u32,
    /// Throttling at the console.
    pub console: Debt,
    /// Throttling at the LAN door.
    pub lan: Debt,
    /// A completed reset that the owner has not been told of at a sign-in yet.
    pub reset_to_tell: Option<ResetNote>,
    /// The recorder's other software has not taken the present password yet. Left out while it is not
    /// so, as in records of versions that knew no hooks.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub hooks_owed: bool,
    /// Platform access.
    #[serde(default, skip_serializing_if = "PlatformSettings::is_untouched")]
    pub platform: PlatformSettings,
    /// What reserved emails are still to be told, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<Notice>,
}

/// A notice that the cloud has not taken yet, sealed when it happened: nobody can read or change it here.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notice {
    /// Whether it only tells that a reset was asked for, which a stranger can cause.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub is_request: bool,
    /// What the cloud is to be handed.
    pub sealed: Sealed,
}

/// Which of the reserved emails.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Which {
    /// The one that codes go to unless another is chosen.
    #[default]
    Primary,
    /// The other one.
    Second,
}

impl Which {
    /// Its place in [`Record::emails`].
    pub fn index(self) -> usize {
        match self {
            Self::Primary => 0,
            Self::Second => 1,
        }
    }
}

/// Platform access, as the owner has set it. Off until it is switched on.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlatformSettings {
    /// Whether the device connects to its platform at all.
    pub enabled: bool,
    /// Another address than that of the device's identity to connect to.
    pub server: Option<Host>,
    /// What proves, when the device is added to an account, that its owner agrees.
    pub verification_code: Option<DeviceCode>,
}

impl PlatformSettings {
    /// As in a new record, and in those of versions that knew no platform: it is left out then.
    fn is_untouched(&self) -> bool {
        *self == Self::default()
    }
}

/// The device verification code: from the label or chosen by the owner, 6 to 12 letters and digits.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DeviceCode(String);

/// Not 6 to 12 ASCII letters and digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotADeviceCode;

impl core::fmt::Display for NotADeviceCode {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("expected 6 to 12 letters and digits")
    }
}

impl DeviceCode {
    /// Takes 6 to 12 ASCII letters and digits.
    pub fn parse(text: &str) -> Result<Self, NotADeviceCode> {
        let fits = (6..=12).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if fits { Ok(Self(text.to_owned())) } else { Err(NotADeviceCode) }
    }

    /// Eight characters that are hard to confuse, from as many random bytes.
    pub(super) fn draw(random: [u8; 8]) -> Self {
        const ALPHABET: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
        Self(random.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for DeviceCode {
    type Error = NotADeviceCode;
    fn try_from(text: String) -> Result<Self, NotADeviceCode> {
        Self::parse(&text)
    }
}

impl From<DeviceCode> for String {
    fn from(code: DeviceCode) -> Self {
        code.0
    }
}

impl core::fmt::Debug for DeviceCode {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("DeviceCode(..)")
    }
}

/// A reserved email.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReservedEmail {
    /// The address.
    pub address: Address,
    /// The owner has typed a code that was mailed to it.
    pub confirmed: bool,
}

/// A completed reset, as told at the next sign-in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResetNote {
    /// Where it was done.
    pub door: Door,
    /// The device's wall clock then; shown only.
    pub wall_unix_s: i64,
}

/// What one door owes. Kept over reboots; waiting is counted in uptime; success clears it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Debt {
    /// Failed sign-ins in a row, charged ahead in pieces so that a crash gives no credit.
    pub sign_in_failures: u32,
    /// Tries of challenges since the last success, charged in one piece when a challenge is issued.
    pub reset_tries: u32,
    /// The boot in which this door's last challenge was issued and has not succeeded since: a
    /// challenge that is gone while this is another boot was killed by a reboot.
    pub issued_in: Option<BootId>,
    /// What ended this door's last challenge, if it was a change of the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<EndedBy>,
    /// The same for codes that confirm a reserved email. Left out while nothing of it is owed.
    #[serde(default, skip_serializing_if = "Share::is_nothing")]
    pub confirm: Share,
}

/// What a door owes for its challenges of one aim.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Share {
    /// As [`Debt::reset_tries`].
    pub tries: u32,
    /// As [`Debt::issued_in`].
    pub issued_in: Option<BootId>,
    /// As [`Debt::ended`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<EndedBy>,
}

impl Share {
    fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// A change of the account that ends every challenge.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndedBy {
    /// A reserved email was changed.
    Email,
    /// The password was changed or reset.
    Password,
}

impl From<EndedBy> for Ended {
    fn from(by: EndedBy) -> Self {
        match by {
            EndedBy::Email => Self::EmailChanged,
            EndedBy::Password => Self::PasswordChanged,
        }
    }
}

impl Debt {
    /// What is owed for one aim.
    pub fn share(&self, aim: Aim) -> Share {
        match aim {
            Aim::Reset => Share { tries: self.reset_tries, issued_in: self.issued_in, ended: self.ended },
            Aim::Confirm => self.confirm,
        }
    }

    /// Replaces what is owed for one aim.
    pub(super) fn set_share(&mut self, aim: Aim, share: Share) {
        match aim {
            Aim::Reset => {
                (self.reset_tries, self.issued_in, self.ended) = (share.tries, share.issued_in, share.ended)
            }
            Aim::Confirm => self.confirm = share,
        }
    }
}

impl Record {
    /// What a door owes.
    pub fn debt(&self, door: Door) -> &Debt {
        match door {
            Door::Console => &self.console,
            Door::Lan => &self.lan,
        }
    }

    /// What a door owes, to be changed.
    pub fn debt_mut(&mut self, door: Door) -> &mut Debt {
        match door {
            Door::Console => &mut self.console,
            Door::Lan => &mut self.lan,
        }
    }
}

impl core::fmt::Debug for Record {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Record")
            .field("life", &self.life)
            .field("challenge_counter", &self.challenge_counter)
            .field("password_epoch", &self.password_epoch)
            .field("emails", &self.emails)
            .field("email_epoch", &self.email_epoch)
            .field("console", &self.console)
            .field("lan", &self.lan)
            .finish_non_exhaustive()
    }
}
