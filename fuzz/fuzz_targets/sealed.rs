//! Bytes as a sealed challenge: as they come, then signed as the device would sign them, then as the plaintext of a
//! challenge that is sealed and signed for them. So the fuzzer gets behind the signature and behind the seal.
#![no_main]

use core::convert::Infallible;
use ed25519_dalek::{Signer, SigningKey};
use hpke::{Deserializable, OpModeS, PskBundle, Serializable, aead::ChaCha20Poly1305, kdf::HkdfSha256};
use latchkey_protocol::{
    CloudSecretKey, Mode, OpenedChallenge, ParsedChallenge, SealedChallenge, SignerHash,
    sealed::{INFO, Refused, SIGNATURE_PREFIX},
};
use libfuzzer_sys::fuzz_target;
use rand_core::{TryCryptoRng, TryRng};
use std::sync::LazyLock;

const HANDLE: [u8; 8] = *b"handle!!";
const SECRET: [u8; 32] = [3; 32];

static CLOUD: LazyLock<CloudSecretKey> =
    LazyLock::new(|| CloudSecretKey::from_bytes(&[1; 32]).expect("32 bytes"));
static DEVICE: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::from_bytes(&[2; 32]));

struct Sevens;

impl TryRng for Sevens {
    type Error = Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(7)
    }
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(7)
    }
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        out.fill(7);
        Ok(())
    }
}

impl TryCryptoRng for Sevens {}

fn read(bytes: &[u8]) -> Option<Result<OpenedChallenge, Refused>> {
    let sealed = SealedChallenge::from_bytes(bytes.to_vec())?;
    let parsed = match ParsedChallenge::parse(&sealed) {
        Ok(parsed) => parsed,
        Err(refused) => return Some(Err(refused)),
    };
    let verified = parsed.verify(&DEVICE.verifying_key());
    Some(verified.and_then(|verified| verified.open(&CLOUD, &Mode::Psk(SECRET))))
}

fn signed(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let signature = DEVICE.sign(&[SIGNATURE_PREFIX, &bytes].concat());
    bytes.extend_from_slice(&signature.to_bytes());
    bytes
}

fn sealed(purpose: u8, plaintext: &[u8]) -> Vec<u8> {
    type Kem = hpke::kem::X25519HkdfSha256;
    let mode = OpModeS::Psk(PskBundle::new(&SECRET, &HANDLE).expect("neither is empty"));
    let recipient = <Kem as hpke::Kem>::PublicKey::from_bytes(&CLOUD.public().0).expect("32 bytes");
    let header = [&[1, 1, purpose][..], &CLOUD.public().id().0, &HANDLE].concat();
    let (enc, ciphertext) = hpke::single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, Kem>(
        &mode,
        &recipient,
        INFO,
        plaintext,
        &header,
        &mut Sevens,
    )
    .expect("the cloud's key is usable");
    signed(&[&header, enc.to_bytes().as_slice(), &ciphertext].concat())
}

fuzz_target!(|bytes: &[u8]| {
    assert!(!matches!(read(bytes), Some(Ok(_))), "nobody has the device's key");
    assert!(!matches!(read(&signed(bytes)), Some(Ok(_))), "nobody seals by chance");

    let Some((purpose, rest)) = bytes.split_first() else { return };
    let signer = SignerHash::of(&DEVICE.verifying_key());
    let mut plaintext = rest.to_vec();
    // The signer's hash is right, so that this check is not where everything ends.
    if let Some(place) = plaintext.get_mut(40..56) {
        place.copy_from_slice(&signer.0);
    }
    let bytes = sealed(*purpose, &plaintext);
    if let Some(Ok(opened)) = read(&bytes) {
        assert_eq!(
            opened.challenge().encode(signer)[..],
            plaintext[..],
            "only what a device writes is accepted"
        );
    }
});
