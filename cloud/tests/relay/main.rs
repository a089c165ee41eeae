//! The cloud as a whole: real HTTP over sockets, real mail into a Maildir or over SMTP, a real
//! database on disk.
#![allow(clippy::unwrap_used, clippy::panic, unreachable_pub)]

mod accounts;
mod app;
mod binary;
mod doors;
mod enrolment;
mod faults;
mod flow;
mod forms;
mod imap;
mod link;
mod link_bad;
mod link_flow;
mod mailbox;
mod real_device;
mod recorders;
mod recorders_json;
mod refusals;
mod smtp;
mod submission;
mod support;
