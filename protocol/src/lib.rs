//! The Latchkey protocol: what a recorder, a phone and a cloud say to each other.
//!
//! Pure functions over bytes: no I/O, no clock, no source of randomness of its own. The text that
//! lets anyone write another implementation is `docs/PROTOCOL.md`; the vectors beside it in
//! `protocol/vectors/` are made by this crate.
//!
//! | module | holds |
//! |---|---|
//! | [`address`] | a reserved email address, parsed strictly, and its masked form |
//! | [`claim`] | the code with which a device claims an identity |
//! | [`code`] | the eight-digit verification code |
//! | [`digits`] | bytes as decimal digits, for the QR's numeric mode |
//! | [`identity`] | the device's keys and the file a factory signs for it |
//! | [`platform`] | the messages of the platform link, signed time and keys |
//! | [`plaintext`] | what is inside a sealed challenge |
//! | [`sealed`] | sealing on the device; parse, verify and open in the cloud, as typed steps |
//! | [`link`] | the QR's text |
//! | [`tag`] | the four characters that a person compares |

pub mod address;
pub mod claim;
pub mod code;
pub mod digits;
pub mod identity;
pub mod link;
pub mod plaintext;
pub mod platform;
pub mod sealed;
pub mod tag;

mod hex;
mod suite;

pub use address::{Address, AddressError, Addresses};
pub use code::{Code, CodeError};
pub use identity::{CloudPublicKey, DeviceIdentity, Handle, KeyId, Mode, SignerHash};
pub use link::{Host, QrLink};
pub use plaintext::{Challenge, ChallengeId, Door, Life, Locale, Message, NoticeEvent, Purpose};
pub use sealed::{CloudSecretKey, OpenedChallenge, ParsedChallenge, SealedChallenge, VerifiedChallenge};
pub use tag::Tag;
