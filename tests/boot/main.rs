//! Every boot, as a real process: who the daemon becomes, what it keeps, who watches over it, how it
//! stops. What only root can do is tried as root, and said to be skipped by anyone else.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that is surprised fails")]

mod chpasswd;
mod daemon;
mod entropy;
mod hooks;
mod links;
mod privileges;
mod stop;
