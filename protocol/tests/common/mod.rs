//! A device and a cloud with fixed keys, and a source of random bytes that gives what it was made of.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    reason = "each test file uses a part"
)]

use core::convert::Infallible;
use ed25519_dalek::{Signer, SigningKey};
use latchkey_protocol::{
    Address, Addresses, Challenge, ChallengeId, CloudSecretKey, Code, DeviceIdentity, Door, Handle, Host,
    Life, Locale, Message, Mode, OpenedChallenge, ParsedChallenge, SealedChallenge,
    sealed::{Refused, SIGNATURE_PREFIX},
};
use rand_core::{TryCryptoRng, TryRng};

/// Gives its bytes in order, and not one more.
pub struct Bytes<'a>(pub &'a [u8]);

impl TryRng for Bytes<'_> {
    type Error = Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        panic!("sealing draws bytes only")
    }
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        panic!("sealing draws bytes only")
    }
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        let (now, later) = self.0.split_at_checked(out.len()).expect("no more than was given");
        out.copy_from_slice(now);
        self.0 = later;
        Ok(())
    }
}

impl TryCryptoRng for Bytes<'_> {}

/// What the cloud's record has of the device, and the device itself.
pub struct Pair {
    pub cloud: CloudSecretKey,
    pub device: DeviceIdentity,
}

/// A device that was signed by a cloud.
pub fn pair(mode: Mode) -> Pair {
    let cloud = CloudSecretKey::from_bytes(&[0x43; 32]).unwrap();
    let device = DeviceIdentity {
        handle: Handle(*b"\x01handle\xff"),
        signing_key: SigningKey::from_bytes(&[0x44; 32]),
        mode,
        cloud_key: cloud.public(),
        host: Host::parse("latchkey.example").unwrap(),
        mailbox: None,
    };
    Pair { cloud, device }
}

/// A device in `mode_psk`.
pub fn psk_pair() -> Pair {
    pair(Mode::Psk([0x45; 32]))
}

/// An address of exactly this length.
pub fn address(len: usize) -> Address {
    // Labels of 63 as long as they go; a local part takes what is left.
    let domain = ["d".repeat(63), "e".repeat(61), "example".to_owned()].join(".");
    let text = match len {
        ..=64 => format!("{}@a.example", "l".repeat(len - 10)),
        _ => format!(
            "{}@{}",
            "l".repeat(64.min(len - 11)),
            &domain[domain.len() - (len - 1 - 64.min(len - 11))..]
        ),
    };
    let address = Address::parse(&text).unwrap();
    assert_eq!(address.as_str().len(), len);
    address
}

/// A challenge whose plaintext has the given block of addresses: 64, 128 or 192 bytes.
pub fn challenge(message: Message, block: usize) -> Challenge {
    let list = match block {
        64 => vec![address(30)],
        128 => vec![address(60), address(61)],
        _ => vec![address(190)],
    };
    Challenge {
        id: ChallengeId([0x46; 16]),
        message,
        life: Life([1, 2, 3, 4]),
        counter: 7,
        door: Door::Lan,
        confirmed: true,
        device_time_unix_s: 1_790_000_000,
        locale: Locale::English,
        tz_offset_min: -210,
        addresses: Addresses::new(list).unwrap(),
    }
}

/// A reset with a code that starts with zeros.
pub fn reset(block: usize) -> Challenge {
    challenge(Message::Reset(Code::from_number(1_234).unwrap()), block)
}

/// Seals with a fixed ephemeral key.
pub fn seal(device: &DeviceIdentity, challenge: &Challenge) -> SealedChallenge {
    SealedChallenge::seal(device, challenge, &mut Bytes(&[0x47; 32])).unwrap()
}

/// Why bytes are not acted on.
#[derive(Debug, PartialEq, Eq)]
pub enum No {
    /// No sealed challenge has this length.
    Length,
    /// It names a key or a device that the cloud does not have.
    Unknown,
    /// A step refused it.
    Refused(Refused),
}

/// The cloud's whole way: length, header, record, signature, seal, plaintext, signer.
pub fn read(pair: &Pair, bytes: &[u8]) -> Result<OpenedChallenge, No> {
    let sealed = SealedChallenge::from_bytes(bytes.to_vec()).ok_or(No::Length)?;
    let parsed = ParsedChallenge::parse(&sealed).map_err(No::Refused)?;
    if parsed.handle() != pair.device.handle || parsed.key_id() != pair.cloud.public().id() {
        return Err(No::Unknown);
    }
    read_with(pair, &sealed, &pair.device.mode)
}

/// The same for whatever handle and key id stand in the header.
pub fn read_with(pair: &Pair, sealed: &SealedChallenge, mode: &Mode) -> Result<OpenedChallenge, No> {
    let key = pair.device.signing_key.verifying_key();
    let parsed = ParsedChallenge::parse(sealed).map_err(No::Refused)?;
    parsed.verify(&key).and_then(|verified| verified.open(&pair.cloud, mode)).map_err(No::Refused)
}

/// Puts a key's signature in the place of the one that is there.
pub fn sign_again(bytes: &mut [u8], key: &SigningKey) {
    let at = bytes.len() - 64;
    let signature = key.sign(&[SIGNATURE_PREFIX, &bytes[..at]].concat());
    bytes[at..].copy_from_slice(&signature.to_bytes());
}
