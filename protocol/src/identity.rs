//! Who a device is: its keys, and what the factory (or an operator) gives it.

use crate::{Address, hex, link::Host, platform::CloudSigningKey, suite};
use ed25519_dalek::{SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop};

macro_rules! hex_bytes {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(#[serde(with = "hex")] pub [u8; $len]);

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(&hex::encode(&self.0))
            }
        }

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl core::str::FromStr for $name {
            type Err = NotHex;
            fn from_str(text: &str) -> Result<Self, NotHex> {
                hex::decode(text).map(Self).ok_or(NotHex)
            }
        }
    };
}

pub(crate) use hex_bytes;

/// A text is not hexadecimal of the right length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected hexadecimal digits of a fixed length")]
pub struct NotHex;

hex_bytes!(
    /// The device's random public id, drawn by the cloud when it signs the identity.
    Handle, 8
);
hex_bytes!(
    /// The first four bytes of SHA-256 of a cloud's public key.
    KeyId, 4
);
hex_bytes!(
    /// The first 16 bytes of SHA-256 of the device's Ed25519 public key.
    SignerHash, 16
);

impl SignerHash {
    /// The hash of a signer's public key.
    pub fn of(key: &VerifyingKey) -> Self {
        let mut hash = [0; 16];
        hash.copy_from_slice(&Sha256::digest(key.as_bytes())[..16]);
        Self(hash)
    }
}

/// A cloud's X25519 public key for sealed challenges.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CloudPublicKey(#[serde(with = "hex")] pub [u8; 32]);

impl CloudPublicKey {
    /// The key's short id, as it stands in a challenge's header.
    pub fn id(&self) -> KeyId {
        let hash = Sha256::digest(self.0);
        KeyId([hash[0], hash[1], hash[2], hash[3]])
    }

    /// Whether a challenge can be sealed to it at all: not one of the keys of low order, to which
    /// anyone could open.
    pub fn is_usable(&self) -> bool {
        suite::can_receive(&self.0)
    }
}

/// How the cloud's record says a device seals (RFC 9180 5.1). Never taken from a message.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub enum Mode {
    /// `mode_base`.
    Base,
    /// `mode_psk` with the device's 32-byte secret; `psk_id` is the handle.
    Psk([u8; 32]),
}

impl core::fmt::Debug for Mode {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Base => "Base",
            Self::Psk(_) => "Psk(..)",
        })
    }
}

/// All that a device needs in order to seal a challenge.
pub struct DeviceIdentity {
    /// The device's public id.
    pub handle: Handle,
    /// The device's own Ed25519 key.
    pub signing_key: SigningKey,
    /// How it seals.
    pub mode: Mode,
    /// The cloud key that it seals to.
    pub cloud_key: CloudPublicKey,
    /// The host that its QR names.
    pub host: Host,
    /// Where the picture of a QR code can be mailed, if the cloud reads such mails.
    pub mailbox: Option<Address>,
}

/// What `latchkeyd identity request` writes and a factory signs: nothing in it is secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentityRequest {
    /// The format's version: 1.
    pub version: u8,
    /// The serial on the label: 1 to 32 letters, digits and hyphens.
    pub serial: String,
    /// The model's name: 1 to 64 printable characters, any script.
    pub model: String,
    /// The device's Ed25519 public key.
    #[serde(with = "hex")]
    pub public_key: [u8; 32],
    /// Ed25519 over `latchkey/v1 identity request` NUL serial NUL model: the requester holds the key.
    #[serde(with = "hex")]
    pub proof: [u8; 64],
}

/// Why an identity request or file cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// A version this build does not know.
    #[error("the file's version is not one that this build knows")]
    Version,
    /// The serial has a character or a length that is not allowed.
    #[error("the serial must be 1 to 32 letters, digits and hyphens")]
    Serial,
    /// The model has a character or a length that is not allowed.
    #[error("the model must be 1 to 64 printable characters")]
    Model,
    /// The public key is not an Ed25519 key.
    #[error("the public key is not a usable Ed25519 key")]
    PublicKey,
    /// The proof does not match: the file was changed, or made without the device's key.
    #[error("the proof does not match the public key, serial and model")]
    Proof,
    /// No cloud key, one of low order, or a signing key that is not a usable point.
    #[error("the identity names no usable cloud key")]
    CloudKey,
    /// The identity was signed for another device's key.
    #[error("the identity was signed for another device's key")]
    OtherDevice,
}

impl IdentityRequest {
    /// Makes a request for a device's key.
    pub fn new(key: &SigningKey, serial: &str, model: &str) -> Result<Self, IdentityError> {
        use ed25519_dalek::Signer;
        check_names(serial, model)?;
        Ok(Self {
            version: 1,
            serial: serial.to_owned(),
            model: model.to_owned(),
            public_key: key.verifying_key().to_bytes(),
            proof: key.sign(&proof_message(serial, model)).to_bytes(),
        })
    }

    /// Checks everything in the request and gives the device's key.
    pub fn verify(&self) -> Result<VerifyingKey, IdentityError> {
        if self.version != 1 {
            return Err(IdentityError::Version);
        }
        check_names(&self.serial, &self.model)?;
        let key = suite::verifying_key(&self.public_key).ok_or(IdentityError::PublicKey)?;
        if !suite::signature_holds(&key, &[&proof_message(&self.serial, &self.model)], &self.proof) {
            return Err(IdentityError::Proof);
        }
        Ok(key)
    }
}

pub(crate) fn is_serial(serial: &str) -> bool {
    (1..=32).contains(&serial.len()) && serial.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

pub(crate) fn is_model(model: &str) -> bool {
    (1..=64).contains(&model.chars().count()) && model.chars().all(is_printable)
}

fn check_names(serial: &str, model: &str) -> Result<(), IdentityError> {
    match (is_serial(serial), is_model(model)) {
        (false, _) => Err(IdentityError::Serial),
        (_, false) => Err(IdentityError::Model),
        _ => Ok(()),
    }
}

/// Neither a control character nor one that has no shape of its own and could reorder or hide the
/// text around it (Unicode's Bidi_Control, Default_Ignorable_Code_Point, line separators).
fn is_printable(c: char) -> bool {
    let invisible = matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}');
    !c.is_control() && !invisible
}

fn proof_message(serial: &str, model: &str) -> Vec<u8> {
    [b"latchkey/v1 identity request\0", serial.as_bytes(), b"\0", model.as_bytes()].concat()
}

/// What the factory gives back: one file for the device. It holds the device's secret for
/// `mode_psk`, so it is kept at 0600.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentityFile {
    /// The format's version: 1.
    pub version: u8,
    /// The device's public id.
    pub handle: Handle,
    /// The serial that was signed.
    pub serial: String,
    /// The model that was signed.
    pub model: String,
    /// The public key that was signed.
    #[serde(with = "hex")]
    pub public_key: [u8; 32],
    /// The device's X.509 certificate and its issuers, PEM, for the platform link.
    pub certificate: String,
    /// The 32-byte secret for `mode_psk`; absent for `mode_base`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub psk: Option<Psk>,
    /// The cloud's public keys, the first being the one to seal to.
    pub cloud_keys: Vec<CloudPublicKey>,
    /// The cloud's Ed25519 public keys, which sign the time and later keys for the device. None in a
    /// file from before there was a platform link.
    #[serde(default)]
    pub signing_keys: Vec<CloudSigningKey>,
    /// The serial of the cloud's list that `cloud_keys` and `signing_keys` are from; 0: they are those
    /// that were signed with the identity. A device writes it, when it keeps a list.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub keys_serial: u64,
    /// X.509, PEM: the roots of which one must have signed the cloud's certificate on the platform
    /// link. Without one there is no link.
    #[serde(default)]
    pub server_roots: String,
    /// The host that the QR names, and the platform link's.
    pub host: Host,
    /// Where the picture of a QR code can be mailed, if the cloud reads such mails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mailbox: Option<Address>,
}

/// A 32-byte secret, hexadecimal in the file, never printed.
#[derive(Clone, Zeroize, ZeroizeOnDrop, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Psk(#[serde(with = "hex")] pub [u8; 32]);

impl core::fmt::Debug for Psk {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Psk(..)")
    }
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl IdentityFile {
    /// Joins the file with the device's own key, after checking that they belong together.
    pub fn join(&self, signing_key: SigningKey) -> Result<DeviceIdentity, IdentityError> {
        if self.version != 1 {
            return Err(IdentityError::Version);
        }
        if signing_key.verifying_key().to_bytes() != self.public_key {
            return Err(IdentityError::OtherDevice);
        }
        check_names(&self.serial, &self.model)?;
        let cloud_key = *self.cloud_keys.first().ok_or(IdentityError::CloudKey)?;
        if !self.cloud_keys.iter().all(CloudPublicKey::is_usable)
            || !self.signing_keys.iter().all(CloudSigningKey::is_usable)
        {
            return Err(IdentityError::CloudKey);
        }
        Ok(DeviceIdentity {
            handle: self.handle,
            signing_key,
            mode: self.psk.as_ref().map_or(Mode::Base, |psk| Mode::Psk(psk.0)),
            cloud_key,
            host: self.host.clone(),
            mailbox: self.mailbox.clone(),
        })
    }
}
