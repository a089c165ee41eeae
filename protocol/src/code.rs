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
    /// Draws a code without bias, by rejection (NIST SP 800-90A, B.5.1.1).
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

    /// Reads a code as a person types or pastes it: spaces, hyphens, full stops and non-breaking
    /// spaces between and around the digits are dropped.
    pub fn parse(text: &str) -> Result<Self, CodeError> {
        let mut number = 0;
        let mut digits = 0;
        for c in text.chars() {
            match c.to_digit(10) {
                Some(digit) if digits < 8 => {
                    number = number * 10 + digit;
                    digits += 1;
                }
                None if c.is_whitespace() || matches!(c, '-' | '.' | ',' | '\u{2013}') => {}
                _ => return Err(CodeError::NotEightDigits),
            }
        }
        if digits == 8 { Ok(Self(number)) } else { Err(CodeError::NotEightDigits) }
    }

    /// The number, for the sealed plaintext and the salted hash.
    pub fn number(&self) -> u32 {
        self.0
    }

    /// The eight digits, leading zeros shown.
    pub fn digits(&self) -> String {
        format!("{:08}", self.0)
    }
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
