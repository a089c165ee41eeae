//! What is inside a sealed challenge: 56 fixed bytes, then the addresses padded to one of three sizes.

use crate::{
    address::{Address, Addresses},
    code::Code,
    hex,
    identity::{NotHex, SignerHash, hex_bytes},
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// Sizes of the padded address block, in bytes.
pub const ADDRESS_BLOCKS: [usize; 3] = [64, 128, 192];
/// Bytes before the address block.
pub const FIXED_LEN: usize = 56;
/// The furthest that a device's clock may stand from UTC, in minutes.
pub const TZ_OFFSET_MAX_MIN: i16 = 14 * 60;

hex_bytes!(
    /// A challenge's random id.
    ChallengeId, 16
);
hex_bytes!(
    /// Drawn when the account record is created: counters are compared only within one life.
    Life, 4
);

/// The front door that a challenge belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Door {
    /// The recorder's own screen, over the Unix socket.
    Console,
    /// The LAN web pages.
    Lan,
}

/// What a challenge is for, as it stands in the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Purpose {
    /// A code that sets a new password.
    Reset = 1,
    /// A code that proves a reserved email.
    ConfirmEmail = 2,
    /// A trial of the whole way, which changes nothing.
    Rehearsal = 3,
    /// Tells the owner that something happened.
    Notice = 4,
    /// Tells the old address that the reserved email was changed.
    AddressChanged = 5,
}

impl Purpose {
    /// Reads the header's byte.
    pub fn from_byte(byte: u8) -> Option<Self> {
        [Self::Reset, Self::ConfirmEmail, Self::Rehearsal, Self::Notice, Self::AddressChanged]
            .into_iter()
            .find(|p| *p as u8 == byte)
    }
}

/// What happened, for [`Message::Notice`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum NoticeEvent {
    /// A reset was asked for.
    ResetRequested = 1,
    /// A reset was completed: there is a new password.
    ResetCompleted = 2,
}

/// A purpose with what it carries in the plaintext's code field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A code that sets a new password.
    Reset(Code),
    /// A code that proves a reserved email.
    ConfirmEmail(Code),
    /// A code of a trial.
    Rehearsal(Code),
    /// An event; no code.
    Notice(NoticeEvent),
    /// No code: the field is zero.
    AddressChanged,
}

impl Message {
    /// The purpose, as it stands in the header.
    pub fn purpose(&self) -> Purpose {
        match self {
            Self::Reset(_) => Purpose::Reset,
            Self::ConfirmEmail(_) => Purpose::ConfirmEmail,
            Self::Rehearsal(_) => Purpose::Rehearsal,
            Self::Notice(_) => Purpose::Notice,
            Self::AddressChanged => Purpose::AddressChanged,
        }
    }

    fn field(&self) -> u32 {
        match self {
            Self::Reset(code) | Self::ConfirmEmail(code) | Self::Rehearsal(code) => code.number(),
            Self::Notice(event) => *event as u32,
            Self::AddressChanged => 0,
        }
    }

    fn from_field(purpose: Purpose, field: u32) -> Option<Self> {
        let code = Code::from_number(field).ok();
        Some(match purpose {
            Purpose::Reset => Self::Reset(code?),
            Purpose::ConfirmEmail => Self::ConfirmEmail(code?),
            Purpose::Rehearsal => Self::Rehearsal(code?),
            Purpose::Notice => Self::Notice(
                [NoticeEvent::ResetRequested, NoticeEvent::ResetCompleted]
                    .into_iter()
                    .find(|e| *e as u32 == field)?,
            ),
            Purpose::AddressChanged if field == 0 => Self::AddressChanged,
            Purpose::AddressChanged => return None,
        })
    }
}

/// The language of a mail, as a closed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[repr(u8)]
pub enum Locale {
    /// English.
    #[default]
    #[serde(rename = "en")]
    English = 0,
}

impl Locale {
    fn from_byte(byte: u8) -> Option<Self> {
        (byte == Self::English as u8).then_some(Self::English)
    }
}

/// A challenge before it is sealed and after it is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// Random.
    pub id: ChallengeId,
    /// The purpose and what it carries.
    pub message: Message,
    /// The account record's life.
    pub life: Life,
    /// Grows by one with each challenge of a life.
    pub counter: u32,
    /// The door that it was asked for at.
    pub door: Door,
    /// Whether the owner has proven the first address to be theirs.
    pub confirmed: bool,
    /// Seconds since 1970 on the device's wall clock: shown to the owner, never relied on.
    pub device_time_unix_s: i64,
    /// The mail's language.
    pub locale: Locale,
    /// The device's offset from UTC, in minutes, within [`TZ_OFFSET_MAX_MIN`] either way; what lies
    /// beyond is sealed as the limit, because it is only shown.
    pub tz_offset_min: i16,
    /// Where the mail goes.
    pub addresses: Addresses,
}

const FLAG_LAN: u8 = 1;
const FLAG_CONFIRMED: u8 = 2;

impl Challenge {
    /// The plaintext, padded: 120, 184 or 248 bytes.
    pub fn encode(&self, signer: SignerHash) -> Zeroizing<Vec<u8>> {
        let needed = self.addresses.encoded_len();
        // Addresses::new has checked that the largest block is enough.
        let block = ADDRESS_BLOCKS.into_iter().find(|&b| b >= needed).unwrap_or(192);
        let mut bytes = Zeroizing::new(Vec::with_capacity(FIXED_LEN + block));
        bytes.extend_from_slice(&self.id.0);
        bytes.extend_from_slice(&self.message.field().to_be_bytes());
        bytes.extend_from_slice(&self.life.0);
        bytes.extend_from_slice(&self.counter.to_be_bytes());
        let lan = if self.door == Door::Lan { FLAG_LAN } else { 0 };
        let confirmed = if self.confirmed { FLAG_CONFIRMED } else { 0 };
        bytes.push(lan | confirmed);
        bytes.extend_from_slice(&self.device_time_unix_s.to_be_bytes());
        bytes.push(self.locale as u8);
        let tz = self.tz_offset_min.clamp(-TZ_OFFSET_MAX_MIN, TZ_OFFSET_MAX_MIN);
        bytes.extend_from_slice(&tz.to_be_bytes());
        bytes.extend_from_slice(&signer.0);
        bytes.push(self.addresses.iter().count() as u8);
        for address in self.addresses.iter() {
            bytes.push(address.as_str().len() as u8);
            bytes.extend_from_slice(address.as_str().as_bytes());
        }
        bytes.resize(FIXED_LEN + block, 0);
        bytes
    }

    /// Strict: every reserved bit and every padding byte is zero, every value is in its range, the
    /// smallest block that fits was used. `None` says nothing more, on purpose.
    pub fn decode(purpose: Purpose, bytes: &[u8]) -> Option<(Self, SignerHash)> {
        let mut reader = Reader(bytes);
        let id = ChallengeId(reader.take()?);
        let message = Message::from_field(purpose, u32::from_be_bytes(reader.take()?))?;
        let life = Life(reader.take()?);
        let counter = u32::from_be_bytes(reader.take()?);
        let [flags] = reader.take()?;
        if flags & !(FLAG_LAN | FLAG_CONFIRMED) != 0 {
            return None;
        }
        let device_time_unix_s = i64::from_be_bytes(reader.take()?);
        let [locale] = reader.take()?;
        let locale = Locale::from_byte(locale)?;
        let tz_offset_min = i16::from_be_bytes(reader.take()?);
        if !(-TZ_OFFSET_MAX_MIN..=TZ_OFFSET_MAX_MIN).contains(&tz_offset_min) {
            return None;
        }
        let signer = SignerHash(reader.take()?);
        let [count] = reader.take()?;
        if usize::from(count) > Addresses::MAX {
            return None;
        }
        let mut list = Vec::with_capacity(Addresses::MAX);
        for _ in 0..count {
            let [len] = reader.take()?;
            let text = core::str::from_utf8(reader.take_slice(usize::from(len))?).ok()?;
            let address = Address::parse(text).ok()?;
            if address.as_str() != text {
                return None;
            }
            list.push(address);
        }
        let addresses = Addresses::new(list).ok()?;
        let block = ADDRESS_BLOCKS.into_iter().find(|&b| b >= addresses.encoded_len())?;
        if bytes.len() != FIXED_LEN + block || reader.0.iter().any(|&b| b != 0) {
            return None;
        }
        let door = if flags & FLAG_LAN != 0 { Door::Lan } else { Door::Console };
        let confirmed = flags & FLAG_CONFIRMED != 0;
        let challenge = Self {
            id,
            message,
            life,
            counter,
            door,
            confirmed,
            device_time_unix_s,
            locale,
            tz_offset_min,
            addresses,
        };
        Some((challenge, signer))
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    fn take_slice(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(head)
    }
}
