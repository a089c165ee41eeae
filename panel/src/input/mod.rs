//! What comes from keyboards, mice and touch screens, as what a person does.

mod devices;
mod event;
mod layout;

pub use devices::Devices;
pub use layout::{Keyboard, LAYOUTS, Layout};
