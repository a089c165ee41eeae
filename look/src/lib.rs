//! One look, one voice: the design tokens, the icons and every sentence shown to a person.
//!
//! Device pages, the cloud's pages, mails and the panel take their colours from [`tokens`] and their
//! sentences from the [`Catalogue`]. Pages take [`stylesheet`] and [`script`]; `docs/LOOK.md` shows
//! the markup of each component.
#![forbid(unsafe_code)]

pub mod catalogue;
pub mod icons;
mod sheet;
pub mod tokens;

pub use catalogue::{Args, Catalogue};
pub use icons::{FAVICON, Icon};
pub use sheet::{script, stylesheet};
