//! What every request may use: the way to the heart, the drawing of QR codes, facts and rules.

use super::{Drawing, Heart, same_link::Lan};
use crate::recovery::{Limits, password, reply::WeakPassword};
use hmac::{Hmac, KeyInit, Mac};
use latchkey_look::Catalogue;
use sha2::Sha256;
use std::{net::IpAddr, time::Duration};
use zeroize::Zeroizing;

/// Shared by every connection, for as long as the daemon runs.
pub struct Context {
    /// The way to the task that owns the recovery state.
    pub heart: Heart,
    /// The way to the platform link.
    pub link: crate::platform::Handle,
    /// How QR codes are drawn.
    pub drawing: Drawing,
    /// What the recorder is.
    pub device: Device,
    /// The settings that the doors follow.
    pub rules: Rules,
    /// Milliseconds since the machine was started. A kernel that does not tell stands still at zero: then the
    /// rates refuse rather than open wide.
    pub uptime_ms: fn() -> u64,
    /// Every sentence shown to a person.
    pub catalogue: Catalogue,
    /// SHA-256 of the certificate's DER form, shown wherever a person may want to compare it.
    pub certificate_sha256: [u8; 32],
    /// Random, drawn when the process starts: signs form tokens and nothing else.
    pub form_key: Zeroizing<[u8; 32]>,
}

/// What the recorder is, as shown on pages and in the API.
#[derive(Debug, Clone)]
pub struct Device {
    /// On the label.
    pub serial: String,
    /// The model's name.
    pub model: String,
    /// The daemon's version.
    pub version: &'static str,
}

/// The settings that the doors follow.
#[derive(Debug, Clone)]
pub struct Rules {
    /// The interfaces where the same-link rule is met. `lo` must be listed to count.
    pub lan_interfaces: Vec<String>,
    /// Addresses on the link that count as a router's, whatever the routes say.
    pub not_peers: Vec<IpAddr>,
    /// Host names besides the device's own addresses that browsers may use, in lowercase.
    pub names: Vec<String>,
    /// The HTTPS port.
    pub https_port: u16,
    /// The port of the page that explains the certificate warning; zero: none.
    pub http_port: u16,
    /// Users that may speak on the console's socket.
    pub console_uids: Vec<u32>,
    /// Users that may speak on the proxied socket: the recorder's own web server.
    pub proxied_uids: Vec<u32>,
    /// Where the recorder's own web server shows the pages: empty, or `/` and a name, no `/` at the end.
    pub base_path: String,
    /// Whether browsers reach that server by TLS.
    pub proxied_tls: bool,
    /// The fewest characters of a password, as said on pages and measured by the meter.
    pub password_chars_min: usize,
    /// How long a code is valid, in seconds, as said on pages.
    pub validity_s: u64,
}

impl Rules {
    /// Who may be on the device's own link.
    pub fn lan(&self) -> Lan<'_> {
        Lan { interfaces: &self.lan_interfaces, not_peers: &self.not_peers }
    }
}

/// The limits of a connection and of a request, in one place. Sources: the largest request that the
/// product has is a form of under 2 KiB, and the slowest answer is an Argon2id hash of about a second
/// behind four others.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Connections at a time, over all doors but the console.
    pub connections_max: usize,
    /// Connections at a time from one address.
    pub connections_per_peer_max: usize,
    /// Connections at a time at the console.
    pub console_connections_max: usize,
    /// The TLS handshake, or the PROXY header, must be done in this time.
    pub handshake_max: Duration,
    /// A request's head must be whole in this time, counted from the end of the last answer: also
    /// how long an idle connection is kept.
    pub head_max: Duration,
    /// A request's body must be whole in this time.
    pub body_max: Duration,
    /// A request must be answered in this time.
    pub answer_max: Duration,
    /// A connection is closed after this long in any case.
    pub connection_max: Duration,
    /// Bytes of a request's head.
    pub head_bytes_max: usize,
    /// Bytes of a request's body.
    pub body_bytes_max: usize,
    /// Bytes of a request's path and query.
    pub target_bytes_max: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connections_max: 64,
            connections_per_peer_max: 16,
            console_connections_max: 8,
            handshake_max: Duration::from_secs(10),
            head_max: Duration::from_secs(15),
            body_max: Duration::from_secs(10),
            answer_max: Duration::from_secs(60),
            connection_max: Duration::from_secs(300),
            head_bytes_max: 16 * 1024,
            body_bytes_max: 16 * 1024,
            target_bytes_max: 1024,
        }
    }
}

impl Context {
    /// What keeps a text from being a new password, by the rules that the heart goes by: for a form that has more
    /// than one fault. The heart looks again.
    pub(super) fn weakness(&self, password: &str) -> Option<WeakPassword> {
        let limits = Limits { password_chars_min: self.rules.password_chars_min, ..Limits::default() };
        password::check(password, &limits, &self.device.serial).err()
    }

    /// HMAC-SHA-256 under the key of forms. Every use has a name of its own, so that no value of one
    /// is a value of another.
    pub(super) fn form_mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        // HMAC takes a key of any length: the error cannot be.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&*self.form_key) else { return [0; 32] };
        parts.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes().into()
    }

    /// The secret of one browser's forms, by a number that is never used twice.
    pub(super) fn form_secret(&self, number: u64) -> [u8; 32] {
        self.form_mac(&[b"secret", &number.to_be_bytes()])
    }

    /// The certificate's fingerprint as a person compares it: upper-case hexadecimal, colons between bytes.
    pub fn fingerprint(&self) -> String {
        let pairs: Vec<String> = self.certificate_sha256.iter().map(|byte| format!("{byte:02X}")).collect();
        pairs.join(":")
    }
}
