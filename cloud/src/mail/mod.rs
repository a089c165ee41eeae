//! What a mail says and how it leaves.

pub mod compose;
pub mod transport;
