//! The sealed challenge: header, HPKE and signature.
//!
//! The device calls [`SealedChallenge::seal`]. The cloud walks three types that can only be made in
//! order: [`ParsedChallenge`] (the shape is right), [`VerifiedChallenge`] (the device's key signed
//! it), [`OpenedChallenge`] (it was sealed to us, and inner and outer agree).

use crate::{
    hex,
    identity::{CloudPublicKey, DeviceIdentity, Handle, KeyId, Mode, SignerHash},
    plaintext::{ADDRESS_BLOCKS, Challenge, FIXED_LEN, Purpose},
    suite,
};
use ed25519_dalek::{Signer, VerifyingKey};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

/// The version byte.
pub const VERSION: u8 = 1;
/// The suite byte: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20-Poly1305, Ed25519.
pub const SUITE: u8 = 1;
/// HPKE's `info` (RFC 9180 5.1).
pub const INFO: &[u8] = b"latchkey/v1 challenge";
/// Stands before the signed bytes.
pub const SIGNATURE_PREFIX: &[u8] = b"latchkey/v1\0";

/// Bytes of the header: version, suite, purpose, key id, handle.
pub const HEADER_LEN: usize = 15;
const ENC_LEN: usize = 32;
const TAG_LEN: usize = 16;
const SIGNATURE_LEN: usize = 64;
const AROUND: usize = HEADER_LEN + ENC_LEN + FIXED_LEN + TAG_LEN + SIGNATURE_LEN;

/// The bytes of a sealed challenge: 247, 311 or 375 of them.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SealedChallenge(Vec<u8>);

impl core::fmt::Debug for SealedChallenge {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "SealedChallenge({} bytes, tag {})", self.0.len(), crate::Tag::of(&self.0))
    }
}

/// A challenge could not be sealed: the cloud's key in the identity is not a usable X25519 key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the cloud key in the device's identity is not usable")]
pub struct SealError;

impl SealedChallenge {
    /// Takes bytes that have one of the three lengths; says nothing else of them.
    pub fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        ADDRESS_BLOCKS.iter().any(|block| bytes.len() == AROUND + block).then_some(Self(bytes))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Encrypts, then signs (RFC 9180 9.1.1 on key-compromise impersonation). Takes 32 bytes from
    /// `rng`, for the ephemeral key.
    pub fn seal(
        identity: &DeviceIdentity,
        challenge: &Challenge,
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, SealError> {
        let signer = SignerHash::of(&identity.signing_key.verifying_key());
        let plaintext = challenge.encode(signer);
        let purpose = challenge.message.purpose();
        let mut bytes = Vec::with_capacity(AROUND + plaintext.len());
        bytes.extend_from_slice(&[VERSION, SUITE, purpose as u8]);
        bytes.extend_from_slice(&identity.cloud_key.id().0);
        bytes.extend_from_slice(&identity.handle.0);

        let (enc, mut context) =
            suite::sender(&identity.mode, &identity.handle.0, &identity.cloud_key.0, INFO, rng)
                .ok_or(SealError)?;
        let ciphertext = context.seal(&plaintext, &bytes).map_err(|_| SealError)?;
        bytes.extend_from_slice(&enc);
        bytes.extend_from_slice(&ciphertext);
        let signature = identity.signing_key.sign(&[SIGNATURE_PREFIX, &bytes].concat());
        bytes.extend_from_slice(&signature.to_bytes());
        Ok(Self(bytes))
    }
}

/// Why a sealed challenge is refused. The requester is told none of this (all of them read the
/// same from outside); the log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A version or suite this build does not know.
    #[error("unknown version or suite")]
    Version,
    /// A purpose that is not defined.
    #[error("unknown purpose")]
    Purpose,
    /// The signature is not the registered device's.
    #[error("the signature is not the device's")]
    Signature,
    /// Sealed to another key, in another mode, or changed on the way.
    #[error("the challenge does not open with this key and mode")]
    Seal,
    /// The plaintext breaks a rule of the format.
    #[error("the plaintext breaks a rule of the format")]
    Plaintext,
    /// The signer inside is not the signer outside.
    #[error("the signer inside is not the one outside")]
    Signer,
}

/// The shape is right: known version, suite, purpose and length. Nothing is proven.
#[derive(Clone, Debug)]
pub struct ParsedChallenge<'a> {
    sealed: &'a SealedChallenge,
    purpose: Purpose,
    key_id: KeyId,
    handle: Handle,
}

impl<'a> ParsedChallenge<'a> {
    /// Reads the header.
    pub fn parse(sealed: &'a SealedChallenge) -> Result<Self, Refused> {
        let [version, suite, purpose, rest @ ..] = sealed.as_bytes() else {
            return Err(Refused::Version);
        };
        if (*version, *suite) != (VERSION, SUITE) {
            return Err(Refused::Version);
        }
        let purpose = Purpose::from_byte(*purpose).ok_or(Refused::Purpose)?;
        let (key_id, rest) = rest.split_first_chunk().ok_or(Refused::Version)?;
        let (handle, _) = rest.split_first_chunk().ok_or(Refused::Version)?;
        Ok(Self { sealed, purpose, key_id: KeyId(*key_id), handle: Handle(*handle) })
    }

    /// What it says it is for.
    pub fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// The cloud key that it says it is sealed to.
    pub fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// The device that it says it comes from.
    pub fn handle(&self) -> Handle {
        self.handle
    }

    /// Checks the signature with the key that the cloud's record has for the handle, strictly:
    /// no small-order or non-canonical points, no malleability.
    pub fn verify(self, signer: &VerifyingKey) -> Result<VerifiedChallenge<'a>, Refused> {
        let bytes = self.sealed.as_bytes();
        let (signed, signature) = bytes.split_last_chunk().ok_or(Refused::Signature)?;
        if !suite::signature_holds(signer, &[SIGNATURE_PREFIX, signed], signature) {
            return Err(Refused::Signature);
        }
        Ok(VerifiedChallenge { parsed: self, signer: SignerHash::of(signer) })
    }
}

/// The registered device's key signed these bytes.
#[derive(Clone, Debug)]
pub struct VerifiedChallenge<'a> {
    parsed: ParsedChallenge<'a>,
    signer: SignerHash,
}

impl VerifiedChallenge<'_> {
    /// The device that it comes from.
    pub fn handle(&self) -> Handle {
        self.parsed.handle
    }

    /// What it is for; the signature covers it.
    pub fn purpose(&self) -> Purpose {
        self.parsed.purpose
    }

    /// Opens it in the mode that the cloud's record has for the device.
    pub fn open(&self, key: &CloudSecretKey, mode: &Mode) -> Result<OpenedChallenge, Refused> {
        let bytes = self.parsed.sealed.as_bytes();
        let (header, rest) = bytes.split_at(HEADER_LEN);
        let (enc, rest) = rest.split_first_chunk().ok_or(Refused::Seal)?;
        let (ciphertext, _) = rest.split_last_chunk::<SIGNATURE_LEN>().ok_or(Refused::Seal)?;
        let mut context =
            suite::receiver(mode, &self.parsed.handle.0, &key.0, enc, INFO).ok_or(Refused::Seal)?;
        let plaintext = context.open(ciphertext, header).map(Zeroizing::new).map_err(|_| Refused::Seal)?;
        let (challenge, signer) =
            Challenge::decode(self.parsed.purpose, &plaintext).ok_or(Refused::Plaintext)?;
        if signer != self.signer {
            return Err(Refused::Signer);
        }
        Ok(OpenedChallenge { challenge, handle: self.parsed.handle })
    }
}

/// Verified, opened, and inner and outer agree.
#[derive(Clone, Debug)]
pub struct OpenedChallenge {
    challenge: Challenge,
    handle: Handle,
}

impl OpenedChallenge {
    /// What was inside.
    pub fn challenge(&self) -> &Challenge {
        &self.challenge
    }

    /// The device that it comes from.
    pub fn handle(&self) -> Handle {
        self.handle
    }
}

/// A cloud's X25519 private key. Old ones stay, to open what devices on a shelf will seal.
pub struct CloudSecretKey(suite::SecretKey);

impl CloudSecretKey {
    /// Draws a key. Takes 32 bytes from `rng`.
    pub fn draw(rng: &mut dyn CryptoRng) -> Self {
        Self(suite::draw_secret_key(rng))
    }

    /// Reads a key of 32 bytes.
    pub fn from_bytes(bytes: &[u8; 32]) -> Option<Self> {
        suite::secret_key(bytes).map(Self)
    }

    /// The 32 bytes, to be kept at 0600.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        suite::secret_key_bytes(&self.0)
    }

    /// The public half.
    pub fn public(&self) -> CloudPublicKey {
        CloudPublicKey(suite::public_key(&self.0))
    }
}

impl core::fmt::Debug for CloudSecretKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "CloudSecretKey({})", hex::encode(&self.public().id().0))
    }
}
