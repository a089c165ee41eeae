//! The Latchkey cloud: registers devices, opens sealed challenges and mails verification codes.
//!
//! | module | holds |
//! |---|---|
//! | [`cli`] | arguments, exit codes, one function a command |
//! | [`config`] | `cloud.toml`, validated, all faults reported together |
//! | [`clock`] | the wall clock and the source of random numbers |
//! | [`keys`] | the key ring, the factory's authority, the key of the limits; files at 0600 |
//! | [`setup`] | `init` |
//! | [`factory`] | signs, revokes and lists devices |
//! | [`store`] | what must survive a restart: devices, requests, the mail queue, limits |
//! | [`platform`] | the devices' connections: who is online, and what they ask |
//! | [`relay`] | a sealed challenge's way from a request to the queue |
//! | [`limits`] | how often, by device, address and requester |
//! | [`mail`] | what a mail says and how it leaves |
//! | [`worker`] | takes mails from the queue and sends them |
//! | [`bounce`] | reads the reports of mails that came back |
//! | [`accounts`] | who signs in here, for the app |
//! | [`recorders`] | whose recorders are whose |
//! | [`mailbox`] | reads the mails that bring a QR code |
//! | [`picture`] | finds QR codes in a picture |
//! | [`web`] | pages and JSON over HTTPS |
//! | [`serve`] | wires all of it, and stops it in order |
#![forbid(unsafe_code)]

pub mod accounts;
pub mod bounce;
pub mod cli;
pub mod clock;
pub mod config;
pub mod factory;
pub mod keys;
pub mod limits;
pub mod mail;
pub mod mailbox;
pub mod picture;
pub mod platform;
pub mod recorders;
pub mod relay;
pub mod serve;
pub mod setup;
pub mod store;
pub mod web;
pub mod worker;
