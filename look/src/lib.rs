//! One look, one voice: the design tokens, the icons and every sentence shown to a person.
//!
//! Device pages, the cloud's pages, mails and the panel take their colours from [`tokens`] and their
//! sentences from the [`Catalogue`].
#![forbid(unsafe_code)]

pub mod catalogue;
pub mod tokens;

pub use catalogue::{Args, Catalogue};
