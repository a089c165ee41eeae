//! The sections `[platform]` and `[operators]`.

use super::{
    Fault, addresses,
    read::{Section, Value},
};
use std::net::SocketAddr;

/// How devices are kept connected.
#[derive(Debug, Clone)]
pub struct Platform {
    /// Addresses for devices alone, beside those of `[http]`.
    pub listen: Vec<SocketAddr>,
    /// The middle of the interval between two heartbeats, in seconds.
    pub heartbeat_s: u32,
    /// In which time a fleet comes back, in seconds.
    pub reconnect_window_s: u32,
    /// Devices connected at a time.
    pub connections_max: usize,
    /// How long a device's certificate holds, in days; without it for good.
    pub certificate_days: Option<u32>,
}

impl Default for Platform {
    fn default() -> Self {
        Self {
            listen: vec![],
            heartbeat_s: 240,
            reconnect_window_s: 120,
            connections_max: 100_000,
            certificate_days: None,
        }
    }
}

impl Platform {
    /// When a certificate made now ends.
    pub fn certificate_end_s(&self, now_s: i64) -> Option<i64> {
        self.certificate_days.map(|days| now_s + i64::from(days) * 86_400)
    }
}

/// Where the operators look.
#[derive(Debug, Clone, Default)]
pub struct Operators {
    /// Of this machine only: there is no login.
    pub listen: Option<SocketAddr>,
}

pub(super) fn platform(mut section: Section<'_>, faults: &mut Vec<Fault>) -> Platform {
    let mut platform = Platform::default();
    if let Some(listen) = section.optional("listen", faults, |value| addresses(value.texts()?)) {
        platform.listen = listen;
    }
    let mut number = |name, min, max| {
        let number = section.optional(name, faults, |value: Value<'_>| value.number(min, max));
        number.and_then(|number| u32::try_from(number).ok())
    };
    // The bounds of the protocol: a device takes no others.
    platform.heartbeat_s = number("heartbeat_s", 60, 3600).unwrap_or(platform.heartbeat_s);
    platform.reconnect_window_s =
        number("reconnect_window_s", 1, 3600).unwrap_or(platform.reconnect_window_s);
    let connections = number("connections_max", 1, 1_000_000).and_then(|n| usize::try_from(n).ok());
    platform.connections_max = connections.unwrap_or(platform.connections_max);
    platform.certificate_days = number("certificate_days", 1, 36_500);
    section.finish(faults);
    platform
}

pub(super) fn operators(mut section: Section<'_>, faults: &mut Vec<Fault>) -> Operators {
    let listen = section.optional("listen", faults, |value| {
        let address: SocketAddr = value
            .text()?
            .parse()
            .map_err(|_| "must be an address with a port, such as \"127.0.0.1:9464\"")?;
        if address.ip().is_loopback() {
            Ok(address)
        } else {
            Err("must be an address of this machine only, such as \"127.0.0.1:9464\": there is no login"
                .into())
        }
    });
    section.finish(faults);
    Operators { listen }
}
