//! The look's tokens as the toolkit wants them.

use egui::{Color32, FontData, FontDefinitions, FontFamily, FontId};
use latchkey_look::tokens::{self, Colour};
use std::sync::Arc;

/// Bold text.
pub(super) const BOLD: &str = "bold";

/// The colours of a surface.
#[derive(Clone)]
pub(super) struct Theme {
    pub(super) ground: Color32,
    pub(super) surface: Color32,
    pub(super) sunken: Color32,
    pub(super) ink: Color32,
    pub(super) muted: Color32,
    pub(super) line: Color32,
    pub(super) edge: Color32,
    pub(super) accent: Color32,
    pub(super) accent_strong: Color32,
    pub(super) on_accent: Color32,
    pub(super) brass: Color32,
    pub(super) focus: Color32,
    /// Text and ground: info, warn, danger, success.
    pub(super) tones: [(Color32, Color32); 4],
    /// How thick the line around a control is.
    pub(super) line_width: f32,
}

impl Theme {
    pub(super) fn new(high_contrast: bool) -> Self {
        if high_contrast { Self::high_contrast() } else { Self::light() }
    }

    fn light() -> Self {
        let of = |colour: Colour| {
            let [r, g, b] = colour.light_rgb();
            Color32::from_rgb(r, g, b)
        };
        Self {
            ground: of(tokens::GROUND),
            surface: of(tokens::SURFACE),
            sunken: of(tokens::SUNKEN),
            ink: of(tokens::INK),
            muted: of(tokens::MUTED),
            line: of(tokens::LINE),
            edge: of(tokens::EDGE),
            accent: of(tokens::ACCENT),
            accent_strong: of(tokens::ACCENT_STRONG),
            on_accent: of(tokens::ON_ACCENT),
            brass: of(tokens::BRASS),
            focus: of(tokens::FOCUS),
            tones: [
                (of(tokens::INFO), of(tokens::INFO_GROUND)),
                (of(tokens::WARN), of(tokens::WARN_GROUND)),
                (of(tokens::DANGER), of(tokens::DANGER_GROUND)),
                (of(tokens::SUCCESS), of(tokens::SUCCESS_GROUND)),
            ],
            line_width: 1.0,
        }
    }

    /// White and yellow on black, at least 7:1 (WCAG 2.2, criterion 1.4.6).
    fn high_contrast() -> Self {
        let black = Color32::BLACK;
        let white = Color32::WHITE;
        let yellow = Color32::from_rgb(255, 216, 61);
        let tone = |r, g, b| (Color32::from_rgb(r, g, b), black);
        Self {
            ground: black,
            surface: black,
            sunken: Color32::from_rgb(26, 26, 26),
            ink: white,
            muted: white,
            line: white,
            edge: white,
            accent: yellow,
            accent_strong: white,
            on_accent: black,
            brass: yellow,
            focus: Color32::from_rgb(80, 220, 255),
            tones: [tone(150, 210, 255), tone(255, 216, 61), tone(255, 176, 170), tone(150, 235, 170)],
            line_width: 2.0,
        }
    }
}

/// The typefaces: Noto Sans in two weights, and one of even width for codes and tags.
pub(super) fn fonts() -> FontDefinitions {
    let mut fonts = FontDefinitions::empty();
    let files: [(&str, FontFamily, &'static [u8]); 3] = [
        ("regular", FontFamily::Proportional, include_bytes!("../../fonts/NotoSans-Regular.ttf")),
        ("bold", FontFamily::Name(BOLD.into()), include_bytes!("../../fonts/NotoSans-Bold.ttf")),
        ("even", FontFamily::Monospace, include_bytes!("../../fonts/NotoSansMono-Regular.ttf")),
    ];
    for (name, family, bytes) in files {
        fonts.font_data.insert(name.to_owned(), Arc::new(FontData::from_static(bytes)));
        fonts.families.insert(family, vec![name.to_owned()]);
    }
    fonts
}

/// How a text is set.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Type {
    Small,
    SmallBold,
    Body,
    BodyBold,
    Lead,
    Heading,
    Title,
    Even,
}

impl Type {
    pub(super) fn font(self) -> FontId {
        let [small, body, lead, heading, title] = tokens::TEXT_PX.map(f32::from);
        let bold = FontFamily::Name(BOLD.into());
        match self {
            Self::Small => FontId::proportional(small),
            Self::SmallBold => FontId::new(small, bold),
            Self::Body => FontId::proportional(body),
            Self::BodyBold => FontId::new(body, bold),
            Self::Lead => FontId::proportional(lead),
            Self::Heading => FontId::new(heading, bold),
            Self::Title => FontId::new(title, bold),
            Self::Even => FontId::monospace(body),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn high_contrast_is_high() {
        let luminance = |colour: Color32| {
            let [r, g, b, _] = colour.to_array().map(|channel| {
                let c = f64::from(channel) / 255.0;
                if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
            });
            0.2126 * r + 0.7152 * g + 0.0722 * b
        };
        let contrast = |a, b| {
            let (a, b) = (luminance(a), luminance(b));
            (a.max(b) + 0.05) / (a.min(b) + 0.05)
        };
        let theme = Theme::high_contrast();
        let mut pairs = vec![
            (theme.ink, theme.sunken),
            (theme.muted, theme.surface),
            (theme.accent, theme.surface),
            (theme.on_accent, theme.accent),
            (theme.on_accent, theme.accent_strong),
            (theme.focus, theme.ground),
        ];
        pairs.extend(theme.tones);
        for (text, ground) in pairs {
            assert!(contrast(text, ground) >= 7.0, "{text:?} on {ground:?}");
        }
    }
}
