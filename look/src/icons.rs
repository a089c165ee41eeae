//! Icons, drawn for Latchkey: 24 x 24, one stroke of two, in the colour of the text around them.
//! They only repeat what the words beside them say, so they are hidden from screen readers.

/// An icon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Icon {
    /// A key: the mark of the product.
    Key,
    /// A note to read.
    Info,
    /// Mind this.
    Warn,
    /// It did not work.
    Danger,
    /// It is done.
    Success,
    /// A letter.
    Mail,
    /// Go on.
    Next,
    /// A person.
    Person,
    /// A recorder: a box with a lens.
    Recorder,
    /// Save a picture.
    Save,
    /// Again.
    Renew,
    /// Settings: a cog wheel.
    Settings,
    /// What else there is: three lines.
    Menu,
    /// Off.
    Power,
    /// Larger.
    Enlarge,
    /// Back.
    Back,
    /// Take a picture.
    Camera,
    /// Where one begins.
    Home,
    /// One more.
    Add,
}

impl Icon {
    /// Every icon.
    pub const ALL: [Self; 19] = [
        Self::Key,
        Self::Info,
        Self::Warn,
        Self::Danger,
        Self::Success,
        Self::Mail,
        Self::Next,
        Self::Person,
        Self::Recorder,
        Self::Save,
        Self::Renew,
        Self::Settings,
        Self::Menu,
        Self::Power,
        Self::Enlarge,
        Self::Back,
        Self::Camera,
        Self::Home,
        Self::Add,
    ];

    /// The icon as inline SVG: trusted, not to be escaped.
    pub const fn svg(self) -> &'static str {
        macro_rules! svg {
            ($shape:literal) => {
                concat!(
                    "<svg class=\"icon\" viewBox=\"0 0 24 24\" width=\"24\" height=\"24\" fill=\"none\" ",
                    "stroke=\"currentColor\" stroke-width=\"2\" stroke-linecap=\"round\" ",
                    "stroke-linejoin=\"round\" aria-hidden=\"true\" focusable=\"false\">",
                    $shape,
                    "</svg>"
                )
            };
        }
        match self {
            Self::Key => {
                svg!("<circle cx=\"8\" cy=\"8\" r=\"4.5\"/><path d=\"M11.3 11.3 21 21M17 17l2.6-2.6\"/>")
            }
            Self::Info => svg!("<circle cx=\"12\" cy=\"12\" r=\"9\"/><path d=\"M12 11v5.5M12 7.5v.01\"/>"),
            Self::Warn => svg!("<path d=\"M12 3.5 22 20.5H2Z\"/><path d=\"M12 10v4.5M12 17.4v.01\"/>"),
            Self::Danger => {
                svg!("<circle cx=\"12\" cy=\"12\" r=\"9\"/><path d=\"m8.8 8.8 6.4 6.4m0-6.4-6.4 6.4\"/>")
            }
            Self::Success => {
                svg!("<circle cx=\"12\" cy=\"12\" r=\"9\"/><path d=\"m7.8 12.4 2.9 2.9 5.6-6\"/>")
            }
            Self::Mail => {
                svg!(
                    "<rect x=\"3\" y=\"5\" width=\"18\" height=\"14\" rx=\"2\"/><path d=\"m3.5 7 8.5 6.5L20.5 7\"/>"
                )
            }
            Self::Next => svg!("<path d=\"M5 12h14m-6-6 6 6-6 6\"/>"),
            Self::Person => svg!("<circle cx=\"12\" cy=\"8\" r=\"4\"/><path d=\"M4.5 20.5c1-8 14-8 15 0\"/>"),
            Self::Recorder => {
                svg!(
                    "<rect x=\"2.5\" y=\"6\" width=\"19\" height=\"12\" rx=\"2\"/><circle cx=\"16\" cy=\"12\" r=\"2.5\"/><path d=\"M6 10h4M6 14h2\"/>"
                )
            }
            Self::Save => svg!("<path d=\"M12 4v11m-4.5-4.5L12 15l4.5-4.5M4.5 20h15\"/>"),
            Self::Renew => svg!("<path d=\"M19.5 8.5A8.3 8.3 0 1 0 20 14M20 4v5h-5\"/>"),
            Self::Settings => {
                svg!(
                    "<circle cx=\"12\" cy=\"12\" r=\"6\"/><circle cx=\"12\" cy=\"12\" r=\"2\"/><path d=\"M12 2.5V6M12 18v3.5M2.5 12H6M18 12h3.5M5.3 5.3l2.4 2.4M16.3 16.3l2.4 2.4M18.7 5.3l-2.4 2.4M7.7 16.3l-2.4 2.4\"/>"
                )
            }
            Self::Menu => svg!("<path d=\"M4 7h16M4 12h16M4 17h16\"/>"),
            Self::Power => svg!("<path d=\"M12 3v9M7 6.2a8 8 0 1 0 10 0\"/>"),
            Self::Enlarge => svg!("<path d=\"M14 4h6v6M20 4l-7 7M10 20H4v-6M4 20l7-7\"/>"),
            Self::Back => svg!("<path d=\"M19 12H5m6-6-6 6 6 6\"/>"),
            Self::Add => svg!("<path d=\"M12 5v14M5 12h14\"/>"),
            Self::Home => svg!("<path d=\"M4 11.5 12 4.5l8 7M6.5 10v9.5h11V10\"/>"),
            Self::Camera => {
                svg!(
                    "<path d=\"M4 8h3.5L9 5.5h6L16.5 8H20a1.5 1.5 0 0 1 1.5 1.5v8A1.5 1.5 0 0 1 20 19H4a1.5 1.5 0 0 1-1.5-1.5v-8A1.5 1.5 0 0 1 4 8Z\"/><circle cx=\"12\" cy=\"13.2\" r=\"3.4\"/>"
                )
            }
        }
    }
}

/// The picture in a browser's tab: the key in brass on a dark tile, readable on any ground.
pub const FAVICON: &str = concat!(
    "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 24 24\"><rect width=\"24\" height=\"24\" rx=\"5\" ",
    "fill=\"#1b4f78\"/><g fill=\"none\" stroke=\"#f3d58c\" stroke-width=\"2\" stroke-linecap=\"round\">",
    "<circle cx=\"9\" cy=\"9\" r=\"3.6\"/><path d=\"m11.7 11.7 7 7M15.6 15.6l2.1-2.1\"/></g></svg>"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn icons_are_hidden_from_screen_readers_and_carry_no_style() {
        for icon in Icon::ALL {
            let svg = icon.svg();
            assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>"), "{icon:?}");
            assert!(svg.contains("aria-hidden=\"true\""), "{icon:?}");
            assert!(!svg.contains("style"), "{icon:?}");
        }
        assert!(!FAVICON.contains("style"));
    }
}
