//! Bytes as decimal digits, for a QR's numeric mode: 7 bytes become 17 digits, and a last group of
//! `n` bytes the number of digits that its largest value needs.

/// Digits for a last group of 0 to 7 bytes.
const WIDTH: [usize; 8] = [0, 3, 5, 8, 10, 13, 15, 17];

/// Why a text is not the decimal form of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DigitsError {
    /// A character that is not 0-9.
    #[error("a character is not a digit")]
    NotADigit,
    /// No number of bytes has this many digits.
    #[error("the number of digits is not one that bytes can have")]
    Length,
    /// A group's value is larger than its bytes can hold.
    #[error("a group of digits is out of range")]
    Range,
}

/// Writes bytes as digits.
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(7) * 17);
    for group in bytes.chunks(7) {
        let value = group.iter().fold(0_u64, |value, &byte| value << 8 | u64::from(byte));
        text.push_str(&format!("{value:0width$}", width = WIDTH[group.len()]));
    }
    text
}

/// Reads digits back into bytes. Every text that is accepted is the one that [`encode`] writes.
pub fn decode(text: &str) -> Result<Vec<u8>, DigitsError> {
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(DigitsError::NotADigit);
    }
    let mut bytes = Vec::with_capacity(text.len() / 17 * 7 + 7);
    for group in text.as_bytes().chunks(17) {
        let len = WIDTH.iter().position(|&w| w == group.len()).ok_or(DigitsError::Length)?;
        let value = group.iter().fold(0_u64, |value, &d| value * 10 + u64::from(d - b'0'));
        if value >> (8 * len) != 0 {
            return Err(DigitsError::Range);
        }
        bytes.extend_from_slice(&value.to_be_bytes()[8 - len..]);
    }
    Ok(bytes)
}
