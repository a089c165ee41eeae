//! Colours, spacing and type, once for every surface. The style sheet's variables are made from
//! these; mails and the panel use the constants themselves.

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

impl Colour {
    const fn new(name: &'static str, light: &'static str, dark: &'static str) -> Self {
        Self { name, light, dark }
    }

    /// The light form as red, green and blue.
    pub const fn light_rgb(&self) -> [u8; 3] {
        rgb(self.light)
    }

    /// The dark form as red, green and blue.
    pub const fn dark_rgb(&self) -> [u8; 3] {
        rgb(self.dark)
    }
}

/// The ground of a page: warm grey paper, so that cards stand out without shadows.
pub const GROUND: Colour = Colour::new("ground", "#f4f2ee", "#14171a");
/// The ground of a card, a field and the header.
pub const SURFACE: Colour = Colour::new("surface", "#ffffff", "#1d2125");
/// The ground of quiet boxes inside a card: codes, hints.
pub const SUNKEN: Colour = Colour::new("sunken", "#f0eee9", "#272c31");
/// Text.
pub const INK: Colour = Colour::new("ink", "#1c2126", "#eceae6");
/// Less important text: hints, facts' names, the footer.
pub const MUTED: Colour = Colour::new("muted", "#545b62", "#adb3b9");
/// Lines that only part things; nothing depends on seeing them.
pub const LINE: Colour = Colour::new("line", "#dcd8d0", "#353b41");
/// The border of a field: the field is known by it.
pub const EDGE: Colour = Colour::new("edge", "#767d84", "#868e96");
/// Links, primary buttons, the current step.
pub const ACCENT: Colour = Colour::new("accent", "#1b4f78", "#8fbce6");
/// A primary button under the pointer.
pub const ACCENT_STRONG: Colour = Colour::new("accent-strong", "#123a5a", "#b3d3f0");
/// Text on [`ACCENT`] and [`ACCENT_STRONG`].
pub const ON_ACCENT: Colour = Colour::new("on-accent", "#ffffff", "#0e1c28");
/// The key of the mark: brass.
pub const BRASS: Colour = Colour::new("brass", "#85600f", "#dcb968");
/// The ring around what has the keyboard's focus.
pub const FOCUS: Colour = Colour::new("focus", "#9a5b00", "#ffca66");
/// Notices that inform: text, icon and bar.
pub const INFO: Colour = Colour::new("info", "#1b4f78", "#9ac5ec");
/// Their ground.
pub const INFO_GROUND: Colour = Colour::new("info-ground", "#e8f0f7", "#1c2b38");
/// Notices that warn.
pub const WARN: Colour = Colour::new("warn", "#734c00", "#f0c674");
/// Their ground.
pub const WARN_GROUND: Colour = Colour::new("warn-ground", "#fcf2da", "#352b17");
/// Notices of what went wrong, and errors of fields.
pub const DANGER: Colour = Colour::new("danger", "#9c221c", "#f4a7a1");
/// Their ground.
pub const DANGER_GROUND: Colour = Colour::new("danger-ground", "#fbebe9", "#3a2120");
/// Notices of what is done.
pub const SUCCESS: Colour = Colour::new("success", "#1d6638", "#93d3a8");
/// Their ground.
pub const SUCCESS_GROUND: Colour = Colour::new("success-ground", "#e7f3ea", "#1b2f22");

/// Every colour.
pub const COLOURS: &[Colour] = &[
    GROUND,
    SURFACE,
    SUNKEN,
    INK,
    MUTED,
    LINE,
    EDGE,
    ACCENT,
    ACCENT_STRONG,
    ON_ACCENT,
    BRASS,
    FOCUS,
    INFO,
    INFO_GROUND,
    WARN,
    WARN_GROUND,
    DANGER,
    DANGER_GROUND,
    SUCCESS,
    SUCCESS_GROUND,
];

/// Text (first) as it may stand on a ground (second): at least 4.5:1, WCAG 2.2 criterion 1.4.3.
/// A pair that is not here is not used.
pub const TEXT_ON: &[(Colour, Colour)] = &[
    (INK, GROUND),
    (INK, SURFACE),
    (INK, SUNKEN),
    (INK, INFO_GROUND),
    (INK, WARN_GROUND),
    (INK, DANGER_GROUND),
    (INK, SUCCESS_GROUND),
    (MUTED, GROUND),
    (MUTED, SURFACE),
    (MUTED, SUNKEN),
    (ACCENT, GROUND),
    (ACCENT, SURFACE),
    (ACCENT, SUNKEN),
    (ACCENT, INFO_GROUND),
    (ACCENT, WARN_GROUND),
    (ACCENT, DANGER_GROUND),
    (ACCENT, SUCCESS_GROUND),
    (ACCENT_STRONG, SURFACE),
    (ACCENT_STRONG, SUNKEN),
    (ON_ACCENT, ACCENT),
    (ON_ACCENT, ACCENT_STRONG),
    (INFO, INFO_GROUND),
    (WARN, WARN_GROUND),
    (WARN, SURFACE),
    (DANGER, DANGER_GROUND),
    (DANGER, SURFACE),
    (SUCCESS, SUCCESS_GROUND),
    (SUCCESS, SURFACE),
];

/// Shapes (first) that must be seen on a ground (second): at least 3:1, WCAG 2.2 criterion 1.4.11.
pub const SHAPE_ON: &[(Colour, Colour)] = &[
    (EDGE, SURFACE),
    (EDGE, GROUND),
    (EDGE, SUNKEN),
    (FOCUS, GROUND),
    (FOCUS, SURFACE),
    (FOCUS, SUNKEN),
    (BRASS, SURFACE),
    (BRASS, GROUND),
];

/// The steps of the spacing scale, in CSS pixels at the usual text size.
pub const SPACE_PX: [u16; 8] = [4, 8, 12, 16, 24, 32, 48, 64];
/// Sizes of text, in CSS pixels at the usual text size: small, body, lead, heading, title.
pub const TEXT_PX: [u16; 5] = [14, 16, 18, 20, 28];
/// Corners, in CSS pixels.
pub const RADIUS_PX: u16 = 8;
/// The smallest side of anything to be tapped, in CSS pixels (WCAG 2.2 criterion 2.5.5).
pub const TOUCH_PX: u16 = 44;
/// The widest column of text, in CSS pixels at the usual text size.
pub const COLUMN_PX: u16 = 640;
/// The system's own typeface.
pub const FONT: &str =
    "system-ui,-apple-system,\"Segoe UI\",Roboto,\"Noto Sans\",\"Liberation Sans\",sans-serif";
/// The system's own typeface of even width, for codes and tags.
pub const FONT_EVEN: &str =
    "ui-monospace,\"SF Mono\",Consolas,\"Noto Sans Mono\",\"Liberation Mono\",monospace";

/// `#rrggbb` as three numbers. Anything that is not a hex digit counts as zero; a test checks that
/// there is none.
const fn rgb(hex: &str) -> [u8; 3] {
    const fn digit(byte: u8) -> u8 {
        match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            _ => 0,
        }
    }
    let b = hex.as_bytes();
    [digit(b[1]) * 16 + digit(b[2]), digit(b[3]) * 16 + digit(b[4]), digit(b[5]) * 16 + digit(b[6])]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance, WCAG 2.2.
    fn luminance(rgb: [u8; 3]) -> f64 {
        let [r, g, b] = rgb.map(|channel| {
            let c = f64::from(channel) / 255.0;
            if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * r + 0.7152 * g + 0.0722 * b
    }

    fn contrast(a: [u8; 3], b: [u8; 3]) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn contrast_is_measured_as_wcag_does() {
        assert!((contrast([0; 3], [255; 3]) - 21.0).abs() < 1e-9);
        // The well-known lightest grey that passes on white.
        assert!((contrast(rgb("#767676"), [255; 3]) - 4.54).abs() < 0.01);
        assert!(contrast(rgb("#777777"), [255; 3]) < 4.5);
    }

    #[test]
    fn every_colour_is_well_written_and_named_once() {
        for (i, colour) in COLOURS.iter().enumerate() {
            for hex in [colour.light, colour.dark] {
                assert_eq!(hex.len(), 7, "{colour:?}");
                assert!(hex.starts_with('#'), "{colour:?}");
                let lower = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
                assert!(hex.bytes().skip(1).all(lower), "{colour:?}");
            }
            assert!(COLOURS.iter().skip(i + 1).all(|other| other.name != colour.name), "{colour:?}");
        }
    }

    #[test]
    fn every_pair_can_be_read() {
        let check = |pairs: &[(Colour, Colour)], ratio_min: f64| {
            for (text, ground) in pairs {
                for (mode, a, b) in [
                    ("light", text.light_rgb(), ground.light_rgb()),
                    ("dark", text.dark_rgb(), ground.dark_rgb()),
                ] {
                    let ratio = contrast(a, b);
                    assert!(ratio >= ratio_min, "{} on {} ({mode}): {ratio:.2}", text.name, ground.name);
                }
            }
        };
        check(TEXT_ON, 4.5);
        check(SHAPE_ON, 3.0);
    }
}
