//! The verification code: eight decimal digits.

use core::fmt;
use rand_core::CryptoRng;
use zeroize::Zeroize;

const CODES: u32 = 100_000_000;

/// A verification code, 0 to 99,999,999, always written with eight digits.
///
/// It has no `Debug` or `Display` that shows it: [`Code::digits`] is the one way out. Comparison is in
/// constant time.
#[derive(Clone, Zeroize)]
#[zeroize(drop)]
pub struct Code(u32);

/// Why a typed text is not a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    /// Not exactly eight digits once separators are taken off.
    #[error("a verification code has eight digits")]
    NotEightDigits,
    /// A number of 10^8 or more.
    #[error("a verification code is below 100,000,000")]
    OutOfRange,
}

impl Code {
    /// Draws a code without bias: the simple discard method of NIST SP 800-90A.
    pub fn draw(rng: &mut dyn CryptoRng) -> Self {
        let limit = u32::MAX - u32::MAX % CODES;
        loop {
            let number = rng.next_u32();
            if number < limit {
                return Self(number % CODES);
            }
        }
    }

    /// A code from its number.
    pub fn from_number(number: u32) -> Result<Self, CodeError> {
        if number < CODES { Ok(Self(number)) } else { Err(CodeError::OutOfRange) }
    }

    /// Reads a code as a person types or pastes it: exactly eight ASCII digits; white space, hyphens
    /// and dashes, full stops, commas and invisible format characters between and around them are
    /// dropped, of at most [`Code::TYPED_MAX`] characters in all.
    pub fn parse(text: &str) -> Result<Self, CodeError> {
        let mut number = 0;
        let mut digits = 0;
        for (place, c) in text.chars().enumerate() {
            match c.to_digit(10) {
                _ if place == Self::TYPED_MAX => return Err(CodeError::NotEightDigits),
                Some(digit) if digits < 8 => {
                    number = number * 10 + digit;
                    digits += 1;
                }
                None if is_separator(c) => {}
                _ => return Err(CodeError::NotEightDigits),
            }
        }
        if digits == 8 { Ok(Self(number)) } else { Err(CodeError::NotEightDigits) }
    }

    /// The most characters that [`Code::parse`] looks at.
    pub const TYPED_MAX: usize = 64;

    /// The number, for the sealed plaintext and the salted hash.
    pub fn number(&self) -> u32 {
        self.0
    }

    /// The eight digits, leading zeros shown.
    pub fn digits(&self) -> String {
        format!("{:08}", self.0)
    }
}

/// What people and mail programs put between digits.
fn is_separator(c: char) -> bool {
    c.is_whitespace()
        || matches!(c, '-' | '.' | ',' | '\u{2010}'..='\u{2015}' | '\u{2212}')
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

impl PartialEq for Code {
    fn eq(&self, other: &Self) -> bool {
        subtle::ConstantTimeEq::ct_eq(&self.0, &other.0).into()
    }
}

impl Eq for Code {}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(..)")
    }
}
