//! The platform link: one connection to the cloud, over which the device is known to be online and can
//! hand over a sealed challenge itself. Everything else of the recorder works without it.
//!
//! | module | holds |
//! |---|---|
//! | [`policy`] | when to connect and when to ping; pure |
//! | [`status`] | what pages and the API show of the link |
//! | [`time`] | the device's time for certificates, whatever its clock shows |
//! | [`connect`] | name, TCP, TLS, upgrade, registration; why not |
//! | [`session`] | a registered connection |
//! | [`learn`] | what the cloud says of certificate and keys, and who keeps it |
//! | [`enrol`] | an identity for a claim code |
//! | `certificate`, `https` | whose a certificate is and until when; one request over TLS |
//! | `time_question` | the time as the cloud signs it, when the clock is wrong |
//! | [`link`] | the task that owns all of it |
//!
//! Must not: decide anything about the account, or open a socket while the owner has not switched
//! platform access on.

mod certificate;
pub mod connect;
pub mod enrol;
mod https;
pub mod learn;
pub mod link;
pub mod policy;
pub mod session;
pub mod status;
pub mod time;
mod time_question;

pub use connect::{LinkIdentity, LinkIdentityError};
pub use enrol::{Enroller, NotEnrolled};
pub use learn::{KeepError, Keeper, LearnError, Learned};
pub use link::{Handle, Parts, new};
pub use status::{NotSent, Reason, Sent, State, Status};
