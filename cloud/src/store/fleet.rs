//! What the store knows of connected devices and of claims.

use super::{Answer, Device};
use crate::clock::draw;
use latchkey_protocol::Handle;

/// A process of the service, for as long as it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NodeId(pub [u8; 8]);

impl NodeId {
    /// A new one.
    pub fn new() -> Self {
        Self(draw())
    }
}

impl Default for NodeId {
    fn default() -> Self {
        Self::new()
    }
}

/// A device came or went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// Which.
    pub handle: Handle,
    /// Whether it is online from now on.
    pub online: bool,
    /// When.
    pub at_s: i64,
    /// The version of its software.
    pub version: String,
    /// What it proved of its verification code, as a keyed hash.
    pub adding: Option<[u8; 32]>,
}

/// Whether a device is online.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presence {
    /// Which.
    pub handle: Handle,
    /// Whether it is online now.
    pub online: bool,
    /// Since when: the last time it came, or went.
    pub since_s: i64,
    /// The version that it registered with.
    pub version: String,
}

/// The fleet in numbers.
#[derive(Clone, Debug, Default)]
pub struct Fleet {
    /// Devices that are online.
    pub online: u64,
    /// Devices with an identity that is not revoked.
    pub known: u64,
    /// Devices whose identity was revoked.
    pub revoked: u64,
    /// Of those that are known and offline, the ones that went last.
    pub lately_gone: Vec<(Device, Presence)>,
}

/// A claim as it is kept.
#[derive(Clone, Debug)]
pub struct Claim {
    /// SHA-256 of its secret.
    pub digest: [u8; 32],
    /// When it ends.
    pub expires_at_s: i64,
    /// How many devices it may enrol.
    pub uses: u32,
    /// The one serial that it is for.
    pub serial: Option<String>,
}

/// What became of an enrolment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enrolled {
    /// The device is recorded.
    Added,
    /// There is no such claim, or it is over, used up or for another serial.
    NoClaim,
    /// The serial has an identity that is not revoked.
    SerialTaken,
}

/// The part of the store that knows of connected devices and of claims.
pub trait FleetStore {
    /// Prolongs a node's lease. `false` if it had none: its devices are offline to everyone, and it
    /// must say again who is connected. Devices of nodes whose lease has ended are offline since then.
    fn keep_node(&self, node: NodeId, now_s: i64, until_s: i64) -> Answer<'_, bool>;
    /// Ends a node in good order: its devices are offline from now on.
    fn end_node(&self, node: NodeId, now_s: i64) -> Answer<'_, ()>;
    /// Records who came to a node and who went from it.
    fn move_devices(&self, node: NodeId, moves: Vec<Transition>) -> Answer<'_, ()>;
    /// Records how many devices a node had at a moment.
    fn count_online(&self, node: NodeId, at_s: i64, devices: u64) -> Answer<'_, ()>;
    /// How many devices were online at each recorded moment since then.
    fn online_since(&self, since_s: i64) -> Answer<'_, Vec<(i64, u64)>>;
    /// Whether a device is online. `None` if it never was.
    fn presence(&self, handle: Handle, now_s: i64) -> Answer<'_, Option<Presence>>;
    /// The fleet in numbers, and at most so many of those that went last.
    fn fleet(&self, now_s: i64, lately: u32) -> Answer<'_, Fleet>;
    /// Devices that were revoked since then.
    fn revoked_since(&self, since_s: i64) -> Answer<'_, Vec<Handle>>;
    /// Keeps a new claim.
    fn add_claim(&self, claim: Claim) -> Answer<'_, ()>;
    /// Records a device on a claim.
    fn enrol(&self, claim: [u8; 32], device: Device) -> Answer<'_, Enrolled>;
}
