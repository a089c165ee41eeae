//! What a device and its cloud say on the platform link: JSON text frames of a WebSocket, and the few
//! things that the cloud signs for devices.
//!
//! Whoever reads is strict about what it knows (types, lengths, ranges) and ignores members that it
//! does not know, so that either side can be newer than the other. A message of an unknown type is
//! refused: nobody sends one that the other has not named among its capabilities.

mod adding;
mod message;
mod signed;
mod words;

pub use adding::{AddLink, Adding};
pub use message::{
    FRAME_BYTES_MAX, FrameError, FromCloud, FromDevice, MailReason, MailState, MailStatus, Problem, Refusal,
    Register, Registered, close,
};
pub use signed::{CloudSigningKey, KEYS_MAX, KeyList, KeyListError, SignedTime};
pub use words::{Capabilities, Model, Nonce, RelayId, Sealed, Serial, Version, WordError};

/// What the TLS connection agrees on by ALPN (RFC 7301), so that one port serves browsers and devices.
pub const ALPN: &[u8] = b"latchkey/1";
/// By this ALPN a device without an identity asks for one: no certificate is asked of it.
pub const ENROL_ALPN: &[u8] = b"latchkey-enrol/1";
/// The path of that request.
pub const ENROL_PATH: &str = "/api/v1/enrolment";
/// The path of the request that becomes the WebSocket.
pub const PATH: &str = "/platform";
/// The WebSocket's subprotocol.
pub const SUBPROTOCOL: &str = "latchkey.v1";
/// The path of the signed time, on the same port.
pub const TIME_PATH: &str = "/api/v1/time";
