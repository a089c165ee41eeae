//! The recorder's recovery daemon: the account record, recovery, the LAN web pages and the API of
//! the local screen. `docs/ARCHITECTURE.md` maps the modules and says what each must not do.
#![forbid(unsafe_code)]

pub mod app;
pub mod board;
pub mod certificate;
pub mod clock;
pub mod config;
pub mod hash;
pub mod identity;
pub mod log;
pub mod platform;
pub mod qr;
pub mod recovery;
pub mod store;
pub mod web;
