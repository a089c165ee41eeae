//! The style sheet, made from the tokens and `base.css`, and the script. `docs/LOOK.md` shows the
//! markup of each component.

use crate::tokens::{COLOURS, COLUMN_PX, FONT, FONT_EVEN, RADIUS_PX, SPACE_PX, TEXT_PX, TOUCH_PX};
use std::{fmt::Write as _, sync::LazyLock};

static SHEET: LazyLock<String> =
    LazyLock::new(|| format!("{}{}", variables(), squeeze(include_str!("base.css"))));

/// The whole style sheet, to be served as a file of its own.
pub fn stylesheet() -> &'static str {
    &SHEET
}

/// The script, to be served as a file of its own: showing a password, the strength meter, time
/// left. Every page works without it.
pub fn script() -> &'static str {
    include_str!("script.js")
}

/// The tokens as CSS custom properties. Lengths are in rem, so that they follow the reader's own
/// text size.
fn variables() -> String {
    let mut light = String::new();
    let mut dark = String::new();
    for colour in COLOURS {
        let _ = write!(light, "--{}:{};", colour.name, colour.light);
        let _ = write!(dark, "--{}:{};", colour.name, colour.dark);
    }
    let rem = |px: u16| f32::from(px) / 16.0;
    for (i, px) in SPACE_PX.into_iter().enumerate() {
        let _ = write!(light, "--space-{}:{}rem;", i + 1, rem(px));
    }
    for (i, px) in TEXT_PX.into_iter().enumerate() {
        let _ = write!(light, "--text-{}:{}rem;", i + 1, rem(px));
    }
    let _ = write!(
        light,
        "--radius:{}rem;--touch:{}rem;--column:{}rem;--font:{FONT};--font-even:{FONT_EVEN}",
        rem(RADIUS_PX),
        rem(TOUCH_PX),
        rem(COLUMN_PX)
    );
    format!(":root{{{light}}}@media (prefers-color-scheme:dark){{:root{{{dark}}}}}")
}

/// Takes comments and line ends out. `base.css` has no string with a line end or a comment in it.
fn squeeze(css: &str) -> String {
    let mut out = String::with_capacity(css.len());
    let mut rest = css;
    while let Some((before, after)) = rest.split_once("/*") {
        out.push_str(before);
        rest = after.split_once("*/").map_or("", |(_, after)| after);
    }
    out.push_str(rest);
    out.retain(|c| c != '\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn names_after<'a>(css: &'a str, mark: &str) -> BTreeSet<&'a str> {
        css.split(mark)
            .skip(1)
            .map(|rest| {
                rest.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).next().unwrap_or_default()
            })
            .collect()
    }

    #[test]
    fn every_variable_that_is_used_is_a_token() {
        let sheet = stylesheet();
        let used = names_after(sheet, "var(--");
        let variables = variables();
        let made: BTreeSet<&str> = names_after(&variables, "--");
        assert!(used.len() > 20);
        let missing: Vec<_> = used.difference(&made).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn colours_come_from_the_tokens_alone() {
        let literal: Vec<_> = squeeze(include_str!("base.css"))
            .split('#')
            .skip(1)
            .map(|rest| rest.chars().take_while(char::is_ascii_hexdigit).collect::<String>())
            .collect();
        // The quiet zone of a QR code is white in the dark too, or cameras do not find it.
        assert_eq!(literal, ["fff"]);
    }

    #[test]
    fn the_sheet_is_whole_and_small() {
        let sheet = stylesheet();
        assert_eq!(sheet.matches('{').count(), sheet.matches('}').count());
        assert!(!sheet.contains("/*") && !sheet.contains('\n'));
        assert!(sheet.len() < 16_000, "{}", sheet.len());
        assert!(script().len() < 6_000, "{}", script().len());
    }

    #[test]
    fn nothing_comes_from_elsewhere() {
        assert!(!stylesheet().contains("url(") && !stylesheet().contains("@import"));
        for word in ["http", "eval", "innerHTML", "fetch("] {
            assert!(!script().contains(word), "{word}");
        }
    }
}
