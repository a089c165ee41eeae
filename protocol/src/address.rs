//! A reserved email address.

use core::fmt;
use serde::{Deserialize, Serialize};

/// The longest address that fits the largest sealed challenge on its own (count and length bytes
/// taken off 192).
pub const MAX_LEN: usize = 190;

/// An email address, parsed strictly: a dot-atom local part and a domain of at least two labels
/// (RFC 5321 4.1.2, RFC 5322 3.2.3), ASCII only, no quoting, no address literal. What this type
/// holds can stand in an SMTP command and in a header without any escaping.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address(String);

/// Why a text is not an address that Latchkey can use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Nothing was given.
    #[error("the address is empty")]
    Empty,
    /// Longer than [`MAX_LEN`], or a local part over 64 or a domain over 253 (RFC 5321 4.5.3.1).
    #[error("the address is too long")]
    TooLong,
    /// There is no `@`, or more than one.
    #[error("the address needs exactly one @ sign")]
    AtSign,
    /// The part before the `@` is not a dot-atom.
    #[error("the part before the @ has a character that is not allowed, or a misplaced full stop")]
    LocalPart,
    /// The part after the `@` is not a domain name of at least two labels.
    #[error("the part after the @ is not a domain name")]
    Domain,
    /// The same address twice: each of the two gets a mail of its own.
    #[error("the two addresses are the same")]
    Twice,
    /// More addresses, or more bytes, than one challenge can carry.
    #[error("too many addresses for one challenge")]
    TooMany,
}

impl Address {
    /// Parses an address. Spaces around it are dropped; the domain is lowercased.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(AddressError::Empty);
        }
        if text.len() > MAX_LEN {
            return Err(AddressError::TooLong);
        }
        let (local, domain) = text.split_once('@').ok_or(AddressError::AtSign)?;
        if domain.contains('@') {
            return Err(AddressError::AtSign);
        }
        if local.len() > 64 || domain.len() > 253 {
            return Err(AddressError::TooLong);
        }
        if !local.split('.').all(is_atom) {
            return Err(AddressError::LocalPart);
        }
        // A numeric last label would make it look like an IPv4 address (RFC 3696 2).
        let top = domain.rsplit('.').next().unwrap_or_default();
        let numeric = top.bytes().all(|b| b.is_ascii_digit());
        if numeric || !domain.contains('.') || !domain.split('.').all(is_label) {
            return Err(AddressError::Domain);
        }
        Ok(Self(format!("{local}@{}", domain.to_ascii_lowercase())))
    }

    /// The whole address.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form that may be shown to someone who is not signed in: the local part and every label
    /// of the domain but the last, each masked, as in `o***r@e***e.com`. The number of stars is
    /// always three, so that lengths stay private; up to three characters show only the first.
    pub fn masked(&self) -> String {
        let (local, domain) = self.0.split_once('@').unwrap_or((&self.0, ""));
        let (labels, top) = domain.rsplit_once('.').unwrap_or((domain, ""));
        let labels: Vec<String> = labels.split('.').map(mask).collect();
        format!("{}@{}.{top}", mask(local), labels.join("."))
    }
}

fn mask(part: &str) -> String {
    let mut chars = part.chars();
    let first = chars.next().map(String::from).unwrap_or_default();
    match chars.next_back() {
        Some(last) if part.len() > 3 => format!("{first}***{last}"),
        _ => format!("{first}***"),
    }
}

fn is_atom(atom: &str) -> bool {
    !atom.is_empty() && atom.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b))
}

fn is_label(label: &str) -> bool {
    !label.is_empty()
        && label.len() <= 63
        && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// An address never prints whole in a log.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({})", self.masked())
    }
}

impl TryFrom<String> for Address {
    type Error = AddressError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.0
    }
}

/// One or two addresses that fit a sealed challenge together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses(Vec<Address>);

impl Addresses {
    /// At most this many addresses in one challenge.
    pub const MAX: usize = 2;

    /// Checks the count (one or two), that they differ, and that their bytes fit the largest
    /// challenge.
    pub fn new(addresses: Vec<Address>) -> Result<Self, AddressError> {
        if addresses.is_empty() {
            return Err(AddressError::Empty);
        }
        let addresses = Self(addresses);
        if addresses.0.len() > Self::MAX || addresses.encoded_len() > 192 {
            return Err(AddressError::TooMany);
        }
        if addresses.0.iter().skip(1).any(|a| Some(a) == addresses.0.first()) {
            return Err(AddressError::Twice);
        }
        Ok(addresses)
    }

    /// Bytes in the plaintext, without padding: a count, then a length and the bytes of each.
    pub fn encoded_len(&self) -> usize {
        1 + self.0.iter().map(|a| 1 + a.0.len()).sum::<usize>()
    }

    /// The addresses, the first being the primary one.
    pub fn iter(&self) -> impl Iterator<Item = &Address> {
        self.0.iter()
    }

    /// The primary address.
    pub fn primary(&self) -> &Address {
        &self.0[0]
    }
}
