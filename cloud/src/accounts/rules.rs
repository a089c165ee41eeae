//! What names and passwords may be.

/// User names: so many letters and digits of ASCII, so that no two look alike.
const NAME: std::ops::RangeInclusive<usize> = 3..=32;
/// Characters of a password.
pub const PASSWORD_MIN: usize = 8;
/// Bytes of a password: nobody types more, and hashing takes time.
const PASSWORD_BYTES_MAX: usize = 256;
/// Kinds of character in a password: small letters, capital letters, digits, others.
const KINDS_MIN: usize = 3;

/// Whether a user name is one.
pub fn is_name(name: &str) -> bool {
    NAME.contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Whether a password is strong enough, and not the name or the address itself.
pub fn is_strong(password: &str, not: &[&str]) -> bool {
    let kinds: [fn(char) -> bool; 4] = [char::is_lowercase, char::is_uppercase, char::is_numeric, |c| {
        !c.is_lowercase() && !c.is_uppercase() && !c.is_numeric()
    }];
    password.chars().count() >= PASSWORD_MIN
        && password.len() <= PASSWORD_BYTES_MAX
        && kinds.iter().filter(|kind| password.chars().any(**kind)).count() >= KINDS_MIN
        && not.iter().all(|text| !password.eq_ignore_ascii_case(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_are_those_that_the_page_shows() {
        for name in ["abc", "Anna2", "0123456789abcdefghijABCDEFGHIJ01"] {
            assert!(is_name(name), "{name}");
        }
        for name in
            ["", "ab", "a b c", "anna@b.example", "anna!", "änna", "0123456789abcdefghijABCDEFGHIJ012"]
        {
            assert!(!is_name(name), "{name}");
        }
        for password in ["Abcdefg1", "abcdefg 1", "ÄBCDEFG1é", "a1!a1!a1!"] {
            assert!(is_strong(password, &[]), "{password}");
        }
        for password in ["", "Abcdef1", "abcdefgh1", "ABCDEFGH1", "12345678!", &"aA1".repeat(90)] {
            assert!(!is_strong(password, &[]), "{password}");
        }
        assert!(!is_strong("Anna2026", &["anna2026"]));
    }
}
