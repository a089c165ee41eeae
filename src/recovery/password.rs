//! The rules for new passwords, and the meter that goes beyond them.

use super::{Limits, limits::PASSWORD_CHARS_MAX, reply::WeakPassword};

/// Common passwords of at least eight characters, lowercase, sorted, one a line.
const COMMON: &str = include_str!("common_passwords.txt");

/// What a meter shows. Only [`Strength::TooShort`] breaks a rule: classes are recommended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strength {
    /// Fewer characters than the minimum.
    TooShort,
    /// One class of characters, or a common password.
    Weak,
    /// Two classes.
    Fair,
    /// At least three classes, or two in at least 16 characters.
    Strong,
}

/// Checks a new password against the rules: its length in characters, no control characters, not a
/// common password (NIST SP 800-63B-4 3.1.1.2), not the serial on the label.
pub fn check(password: &str, limits: &Limits, serial: &str) -> Result<(), WeakPassword> {
    let chars = password.chars().count();
    if chars < limits.password_chars_min {
        Err(WeakPassword::TooShort { chars_min: limits.password_chars_min })
    } else if chars > PASSWORD_CHARS_MAX {
        Err(WeakPassword::TooLong)
    } else if password.chars().any(char::is_control) {
        Err(WeakPassword::ControlCharacter)
    } else if is_common(password) || password.eq_ignore_ascii_case(serial) {
        Err(WeakPassword::Common)
    } else {
        Ok(())
    }
}

/// How strong a password looks, for a meter: lower case, upper case, digits and everything else are
/// four classes.
pub fn strength(password: &str, chars_min: usize) -> Strength {
    let chars = password.chars().count();
    if chars < chars_min {
        return Strength::TooShort;
    }
    if is_common(password) {
        return Strength::Weak;
    }
    let is_other = |c: char| !c.is_lowercase() && !c.is_uppercase() && !c.is_ascii_digit();
    let classes = [
        password.chars().any(char::is_lowercase),
        password.chars().any(char::is_uppercase),
        password.chars().any(|c| c.is_ascii_digit()),
        password.chars().any(is_other),
    ];
    match classes.into_iter().filter(|&class| class).count() {
        0 | 1 => Strength::Weak,
        2 if chars < 16 => Strength::Fair,
        _ => Strength::Strong,
    }
}

/// Whether it is on the list, or one character over and over.
fn is_common(password: &str) -> bool {
    let lower = password.to_lowercase();
    let mut chars = lower.chars();
    let first = chars.next();
    chars.all(|c| Some(c) == first) || COMMON.lines().any(|common| common == lower)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(password: &str) -> Result<(), WeakPassword> {
        check(password, &Limits::default(), "LK-20260001")
    }

    #[test]
    fn length_counts_characters_not_bytes() {
        let chars_min = 8;
        assert_eq!(checked("sieben7"), Err(WeakPassword::TooShort { chars_min }));
        assert_eq!(checked("\u{fc}bung-9x"), Ok(()));
        assert_eq!(checked("\u{5bc6}\u{7801}\u{5bc6}"), Err(WeakPassword::TooShort { chars_min }));
        assert_eq!(checked(&"\u{fc}x".repeat(64)), Ok(()));
        assert_eq!(checked(&format!("{}y", "\u{fc}x".repeat(64))), Err(WeakPassword::TooLong));
    }

    #[test]
    fn common_passwords_are_refused_in_any_case() {
        for common in
            ["password", "PassWord1", "12345678", "QWERTYUIOP", "Admin123", "aaaaaaaa", "lk-20260001"]
        {
            assert_eq!(checked(common), Err(WeakPassword::Common), "{common}");
        }
        assert_eq!(checked("password of mine"), Ok(()));
    }

    #[test]
    fn spaces_are_allowed_and_control_characters_are_not() {
        assert_eq!(checked("a b c d e f"), Ok(()));
        assert_eq!(checked("tab\tinside"), Err(WeakPassword::ControlCharacter));
        assert_eq!(checked("null\0inside"), Err(WeakPassword::ControlCharacter));
    }

    #[test]
    fn the_list_is_sorted_lowercase_and_long_enough_to_matter() {
        let list: Vec<_> = COMMON.lines().collect();
        assert!(list.len() > 300);
        assert!(list.is_sorted());
        assert!(list.iter().all(|word| word.chars().count() >= 8 && word.to_lowercase() == **word));
    }

    #[test]
    fn the_meter_counts_classes() {
        for (password, expected) in [
            ("short", Strength::TooShort),
            ("password", Strength::Weak),
            ("Password1", Strength::Weak),
            ("plainletters", Strength::Weak),
            ("letters and", Strength::Fair),
            ("letters and a lot more", Strength::Strong),
            ("Letters9", Strength::Strong),
            ("Letters-9", Strength::Strong),
        ] {
            assert_eq!(strength(password, 8), expected, "{password}");
        }
    }
}
