//! The QR's text: `https://<host>/r#<digits>`.

use crate::{digits, sealed::SealedChallenge};
use core::fmt;
use serde::{Deserialize, Serialize};

/// The cloud's host as it stands in the QR: a lowercase domain name or an IPv4 address, with an
/// optional port other than 443, at most 57 characters so that the largest challenge stays within
/// QR version 16. Each host has one spelling, and it is the one that a browser shows.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Host(String);

/// Why a text is not a host, or not a QR link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// Not a host name with an optional port.
    #[error(
        "the cloud host must be a lowercase domain name or an IPv4 address, with an optional port (443 is left out)"
    )]
    Host,
    /// Longer than [`Host::MAX_LEN`].
    #[error("the cloud host is longer than 57 characters")]
    HostTooLong,
    /// Not `https://<host>/r#<digits>`.
    #[error("this is not a Latchkey QR code")]
    NotALink,
    /// The digits are not the decimal form of bytes.
    #[error("the QR code's digits are damaged")]
    Digits(#[source] digits::DigitsError),
    /// The bytes have a length that no sealed challenge has.
    #[error("the QR code has a length that no challenge has")]
    Length,
}

impl Host {
    /// The longest host.
    pub const MAX_LEN: usize = 57;

    /// Parses a host.
    pub fn parse(text: &str) -> Result<Self, LinkError> {
        if text.len() > Self::MAX_LEN {
            return Err(LinkError::HostTooLong);
        }
        let (name, port) = match text.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (text, None),
        };
        let label_ok = |label: &str| {
            !label.is_empty()
                && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        // Browsers take a name whose last label is a number for an IPv4 address and rewrite it
        // (WHATWG URL, "ends in a number").
        let last = name.rsplit('.').next().unwrap_or(name);
        let numeric = last.bytes().all(|b| b.is_ascii_digit())
            || last.strip_prefix("0x").is_some_and(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()));
        let name_ok =
            name.split('.').all(label_ok) && (!numeric || name.parse::<core::net::Ipv4Addr>().is_ok());
        let port_ok = port.is_none_or(|p| {
            !p.starts_with('0')
                && p != "443"
                && p.bytes().all(|b| b.is_ascii_digit())
                && p.parse::<u16>().is_ok()
        });
        if name_ok && port_ok { Ok(Self(text.to_owned())) } else { Err(LinkError::Host) }
    }

    /// The host as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Host {
    type Error = LinkError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<Host> for String {
    fn from(host: Host) -> Self {
        host.0
    }
}

/// A sealed challenge and the host that it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QrLink {
    /// The cloud's host.
    pub host: Host,
    /// The sealed challenge.
    pub sealed: SealedChallenge,
}

impl QrLink {
    /// The part before the digits, drawn in byte mode.
    pub fn prefix(&self) -> String {
        format!("https://{}/r#", self.host)
    }

    /// The digits, drawn in numeric mode.
    pub fn digits(&self) -> String {
        digits::encode(self.sealed.as_bytes())
    }

    /// Reads a link back.
    pub fn parse(text: &str) -> Result<Self, LinkError> {
        let rest = text.trim().strip_prefix("https://").ok_or(LinkError::NotALink)?;
        let (host, digits) = rest.split_once("/r#").ok_or(LinkError::NotALink)?;
        Ok(Self { host: Host::parse(host)?, sealed: sealed_from_digits(digits)? })
    }
}

impl fmt::Display for QrLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.prefix(), self.digits())
    }
}

/// Reads the digits alone, as the relay's page sends them.
pub fn sealed_from_digits(text: &str) -> Result<SealedChallenge, LinkError> {
    // The largest challenge has 911 digits; anything much longer is not decoded at all.
    if text.len() > 1024 {
        return Err(LinkError::Length);
    }
    let bytes = digits::decode(text).map_err(LinkError::Digits)?;
    SealedChallenge::from_bytes(bytes).ok_or(LinkError::Length)
}
