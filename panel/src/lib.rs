//! The recorder's local screen: a process of its own that speaks the daemon's JSON API over its Unix socket,
//! so that a vendor can put another one in its place, and a crash of the screen never touches recovery.
//!
//! `state` decides what is shown; `view` draws it into a list of things to paint, which `raster` turns into
//! pixels; `display` and `input` are the hardware; `client` asks the daemon; `panel` wires them.
//!
//! Must not: decide anything about passwords, codes or who may do what. The daemon does.

pub mod api;
pub mod client;
pub mod clock;
pub mod display;
pub mod export;
pub mod input;
#[allow(unsafe_code, reason = "no crate has these few requests to the kernel; each says why it is sound")]
mod kernel;
pub mod panel;
pub mod raster;
pub mod script;
pub mod settings;
pub mod state;
pub mod text;
pub mod view;
#[cfg(feature = "window")]
pub mod window;
