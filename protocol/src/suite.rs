//! Suite 1: the one place that chooses algorithms. HPKE (RFC 9180) with DHKEM(X25519, HKDF-SHA256),
//! HKDF-SHA256 and ChaCha20-Poly1305 in `mode_base` or `mode_psk`; Ed25519 (RFC 8032), verified
//! strictly. The RFC's own vectors run through these functions.

use crate::identity::Mode;
use ed25519_dalek::{Signature, VerifyingKey};
use hpke::{
    Deserializable, Kem as _, OpModeR, OpModeS, PskBundle, Serializable,
    aead::{AeadCtxR, AeadCtxS, ChaCha20Poly1305},
    kdf::HkdfSha256,
    kem::X25519HkdfSha256,
    setup_receiver, setup_sender_with_rng,
};
use rand_core::CryptoRng;
use zeroize::{Zeroize, Zeroizing};

pub(crate) type SecretKey = <X25519HkdfSha256 as hpke::Kem>::PrivateKey;
type EncappedKey = <X25519HkdfSha256 as hpke::Kem>::EncappedKey;
type Sender = AeadCtxS<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>;
type Receiver = AeadCtxR<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>;

/// The sender's context and the encapsulated key. Takes exactly 32 bytes from `rng`, the `ikm` of
/// `DeriveKeyPair` (RFC 9180 7.1.3). `None` if the recipient's key is of low order.
pub(crate) fn sender(
    mode: &Mode,
    psk_id: &[u8],
    recipient: &[u8; 32],
    info: &[u8],
    mut rng: &mut dyn CryptoRng,
) -> Option<([u8; 32], Sender)> {
    let mode = match mode {
        Mode::Base => OpModeS::Base,
        Mode::Psk(psk) => OpModeS::Psk(PskBundle::new(psk, psk_id).ok()?),
    };
    let recipient = <X25519HkdfSha256 as hpke::Kem>::PublicKey::from_bytes(recipient).ok()?;
    let (enc, context): (EncappedKey, Sender) =
        setup_sender_with_rng(&mode, &recipient, info, &mut rng).ok()?;
    Some((enc.to_bytes().into(), context))
}

/// The recipient's context. `None` if `enc` is of low order (RFC 9180 7.1.4).
pub(crate) fn receiver(
    mode: &Mode,
    psk_id: &[u8],
    key: &SecretKey,
    enc: &[u8; 32],
    info: &[u8],
) -> Option<Receiver> {
    let mode = match mode {
        Mode::Base => OpModeR::Base,
        Mode::Psk(psk) => OpModeR::Psk(PskBundle::new(psk, psk_id).ok()?),
    };
    let enc = EncappedKey::from_bytes(enc).ok()?;
    setup_receiver(&mode, key, &enc, info).ok()
}

/// Whether the signature is this key's over the parts joined: cofactorless, no small-order key or
/// commitment, canonical encodings only. So a signed message has one signature and no twin.
pub(crate) fn signature_holds(key: &VerifyingKey, parts: &[&[u8]], signature: &[u8; 64]) -> bool {
    key.verify_strict(&parts.concat(), &Signature::from_bytes(signature)).is_ok()
}

/// An Ed25519 public key that is canonically encoded and not of small order.
pub(crate) fn verifying_key(bytes: &[u8; 32]) -> Option<VerifyingKey> {
    let key = VerifyingKey::from_bytes(bytes).ok()?;
    let canonical = key.to_edwards().compress().as_bytes() == bytes;
    (canonical && !key.is_weak()).then_some(key)
}

/// Draws a recipient's key, taking 32 bytes from `rng` as the `ikm` of `DeriveKeyPair`.
pub(crate) fn draw_secret_key(mut rng: &mut dyn CryptoRng) -> SecretKey {
    X25519HkdfSha256::gen_keypair_with_rng(&mut rng).0
}

/// Reads a recipient's key.
pub(crate) fn secret_key(bytes: &[u8; 32]) -> Option<SecretKey> {
    SecretKey::from_bytes(bytes).ok()
}

/// The bytes of a recipient's key.
pub(crate) fn secret_key_bytes(key: &SecretKey) -> Zeroizing<[u8; 32]> {
    let mut bytes = key.to_bytes();
    let copy = Zeroizing::new(bytes.into());
    bytes.as_mut_slice().zeroize();
    copy
}

/// The public half of a recipient's key.
pub(crate) fn public_key(key: &SecretKey) -> [u8; 32] {
    X25519HkdfSha256::sk_to_pk(key).to_bytes().into()
}

/// Whether something can be sealed to this public key: it is not of low order. Any private key
/// tells, because clamping makes every one a multiple of the cofactor.
pub(crate) fn can_receive(public_key: &[u8; 32]) -> bool {
    let any = X25519HkdfSha256::derive_keypair(b"latchkey/v1 low order test key..").0;
    receiver(&Mode::Base, b"", &any, public_key, b"").is_some()
}

#[cfg(test)]
#[path = "suite_tests.rs"]
mod tests;
