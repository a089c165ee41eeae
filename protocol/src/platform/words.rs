//! The texts inside of messages, each with its own bounds.

use crate::{
    digits,
    identity::{NotHex, hex_bytes, is_model, is_serial},
    sealed::SealedChallenge,
};
use core::fmt;
use serde::{Deserialize, Serialize};

use crate::hex;

hex_bytes!(
    /// The random name of a relayed request: what a page or a device asks for its mail's state with.
    RelayId, 16
);
hex_bytes!(
    /// What a device draws for one question about the time.
    Nonce, 16
);

/// A text has a character or a length that its place does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a {0}")]
pub struct WordError(pub(super) &'static str);

macro_rules! word {
    ($(#[$doc:meta])* $name:ident, $what:literal, $holds:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = WordError;
            fn try_from(text: String) -> Result<Self, WordError> {
                let holds: fn(&str) -> bool = $holds;
                if holds(&text) { Ok(Self(text)) } else { Err(WordError($what)) }
            }
        }

        impl From<$name> for String {
            fn from(word: $name) -> String {
                word.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

word!(
    /// The serial on the label: 1 to 32 ASCII letters, digits and hyphens.
    Serial, "serial", is_serial
);
word!(
    /// The model's name: 1 to 64 printable characters of any script.
    Model, "model", is_model
);
word!(
    /// The version of the device's software: 1 to 32 of ASCII letters, digits and `.+-_~`.
    Version, "version", |text| {
        (1..=32).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b".+-_~".contains(&b))
    }
);

/// What a side can receive beyond registration: at most 16 names of 1 to 32 of `a-z 0-9 -`, each once.
/// A name that is not known is kept and means nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct Capabilities(Vec<String>);

impl Capabilities {
    /// The most names.
    pub const MAX: usize = 16;
    /// The cloud takes [`submit`](super::FromDevice::Submit) and `resend`; the device, `mail`.
    pub const SUBMIT: &str = "submit";
    /// The cloud takes [`renew`](super::FromDevice::Renew); the device can keep a new certificate.
    pub const RENEW: &str = "renew";
    /// The device takes [`keys`](super::FromCloud::Keys).
    pub const KEYS: &str = "keys";
    /// The device takes [`reconnect`](super::FromCloud::Reconnect).
    pub const RECONNECT: &str = "reconnect";

    /// Takes names that keep the rules.
    pub fn new(names: &[&str]) -> Result<Self, WordError> {
        names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>().try_into()
    }

    /// Whether a name is among them.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|own| own == name)
    }
}

impl TryFrom<Vec<String>> for Capabilities {
    type Error = WordError;
    fn try_from(names: Vec<String>) -> Result<Self, WordError> {
        let word = |name: &String| {
            (1..=32).contains(&name.len())
                && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        let once = names.iter().enumerate().all(|(at, name)| !names[..at].contains(name));
        if names.len() <= Self::MAX && names.iter().all(word) && once {
            Ok(Self(names))
        } else {
            Err(WordError("list of capabilities"))
        }
    }
}

impl From<Capabilities> for Vec<String> {
    fn from(names: Capabilities) -> Self {
        names.0
    }
}

/// A sealed challenge as its decimal digits, the way a relay's page sends them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sealed(pub SealedChallenge);

impl TryFrom<String> for Sealed {
    type Error = WordError;
    fn try_from(text: String) -> Result<Self, WordError> {
        crate::link::sealed_from_digits(&text).map(Self).map_err(|_| WordError("sealed challenge"))
    }
}

impl From<Sealed> for String {
    fn from(sealed: Sealed) -> Self {
        digits::encode(sealed.0.as_bytes())
    }
}
