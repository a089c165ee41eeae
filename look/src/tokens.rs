//! Colours, spacing and type, once for every surface.

/// A colour in its light and its dark form, as `#rrggbb`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour {
    /// The CSS custom property's name, without the leading dashes.
    pub name: &'static str,
    /// On a light ground.
    pub light: &'static str,
    /// On a dark ground.
    pub dark: &'static str,
}
