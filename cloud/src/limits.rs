//! How often, by device, address and requester.

use crate::{
    config::Limits,
    store::{Limit, Use},
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use latchkey_protocol::{Address, Challenge, Door, Handle, Message, NoticeEvent};
use sha2::Sha256;
use std::{collections::HashMap, net::IpAddr, sync::Mutex};
use zeroize::Zeroizing;

const DAY_S: i64 = 86_400;
/// Requesters that are remembered at a time; more than these share one count.
const REQUESTERS_MAX: usize = 65_536;
const REQUESTER_WINDOW_S: i64 = 600;

/// Seconds until one more use fits under a cap, or `None` if it fits now. `counts` are those of the
/// window before and of this one; the window before weighs less the more of this one has passed, so
/// that no moment lets twice the cap through.
pub fn wait_s(counts: (u32, u32), cap: u32, window_s: i64, now_s: i64) -> Option<i64> {
    let passed_s = now_s.rem_euclid(window_s);
    let (before, now) = (i64::from(counts.0), i64::from(counts.1));
    let cap = i64::from(cap);
    // before * (window - passed) / window + now + 1 <= cap, without fractions
    let fits = |passed_s: i64| before * (window_s - passed_s) + (now + 1) * window_s <= cap * window_s;
    if fits(passed_s) {
        return None;
    }
    if now + 1 > cap {
        return Some(window_s - passed_s);
    }
    // The smallest time passed at which it fits.
    let needed = window_s * (before + now + 1 - cap);
    let at_s = needed.div_euclid(before.max(1)) + i64::from(needed.rem_euclid(before.max(1)) != 0);
    Some((at_s - passed_s).max(1))
}

/// The limits that the store counts, for one mailing.
pub struct Meter {
    key: Zeroizing<[u8; 32]>,
    limits: Limits,
}

impl Meter {
    /// A meter with the key under which addresses are kept.
    pub fn new(key: Zeroizing<[u8; 32]>, limits: Limits) -> Self {
        Self { key, limits }
    }

    /// What mailing a challenge uses up.
    pub fn uses(&self, handle: Handle, challenge: &Challenge) -> Vec<Use> {
        let door = if challenge.door == Door::Lan { "lan" } else { "console" };
        // Notices have counts of their own: they never use up the codes. Nor do those that a stranger can cause by
        // asking for resets use up those of what has happened.
        let kind = match challenge.message {
            Message::Reset(_) | Message::ConfirmEmail(_) | Message::Rehearsal(_) => "code",
            Message::Notice(NoticeEvent::ResetRequested) => "request",
            Message::Notice(NoticeEvent::ResetCompleted) | Message::AddressChanged => "notice",
        };
        let device = self.hash(&[b"device", &handle.0, door.as_bytes(), kind.as_bytes()]);
        let mut uses = vec![Use {
            key: device,
            limit: Limit::Device,
            cap: self.limits.device_door_per_day,
            window_s: DAY_S,
        }];
        for (i, address) in challenge.addresses.iter().enumerate() {
            // Only the first address is the one that the owner has proven. The two counts are apart,
            // so that a stranger's unproven use of an address never takes from its owner's.
            let confirmed = challenge.confirmed && i == 0;
            let cap = if confirmed {
                self.limits.confirmed_address_per_day
            } else {
                self.limits.unconfirmed_address_per_day
            };
            let class: &[u8] = if confirmed { b"confirmed" } else { b"unconfirmed" };
            let key = self.hash(&[b"address", class, kind.as_bytes(), &folded(address)]);
            if uses.iter().all(|other| other.key != key) {
                uses.push(Use { key, limit: Limit::Address, cap, window_s: DAY_S });
            }
        }
        uses
    }

    fn hash(&self, parts: &[&[u8]]) -> [u8; 16] {
        let mut key = [0; 16];
        // HMAC takes a key of any length (RFC 2104 2).
        if let Ok(mut hmac) = Hmac::<Sha256>::new_from_slice(&*self.key) {
            for part in parts {
                hmac.update(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
                hmac.update(part);
            }
            key.copy_from_slice(&hmac.finalize().into_bytes()[..16]);
        }
        key
    }
}

fn folded(address: &Address) -> Vec<u8> {
    address.as_str().to_ascii_lowercase().into_bytes()
}

/// How often a requester asks. Kept in memory only: who asked is nobody's business afterwards.
pub struct Requesters {
    cap: u32,
    seen: Mutex<Seen>,
}

/// The window, and for each requester the counts of the window before and of this one.
type Seen = (i64, HashMap<u128, (u32, u32)>);

impl Requesters {
    /// At most `cap` requests in ten minutes.
    pub fn new(cap: u32) -> Self {
        Self { cap, seen: Mutex::new((0, HashMap::new())) }
    }

    /// Counts a request, or says how long to wait.
    pub fn ask(&self, ip: IpAddr, now_s: i64) -> Result<(), i64> {
        let mut seen = self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (window, counts) = &mut *seen;
        let current = now_s.div_euclid(REQUESTER_WINDOW_S);
        match current - *window {
            0 => {}
            1 => counts.retain(|_, (before, now)| {
                (*before, *now) = (*now, 0);
                *before > 0
            }),
            _ => counts.clear(),
        }
        *window = current;
        let key = network(ip);
        // When the table is full, newcomers share the count of the unspecified address.
        let key = if counts.contains_key(&key) || counts.len() < REQUESTERS_MAX { key } else { 0 };
        let count = counts.entry(key).or_default();
        match wait_s(*count, self.cap, REQUESTER_WINDOW_S, now_s) {
            Some(wait_s) => Err(wait_s),
            None => {
                count.1 += 1;
                Ok(())
            }
        }
    }
}

/// An IPv4 address, or the /64 that one IPv6 subscriber has.
pub(crate) fn network(ip: IpAddr) -> u128 {
    match ip.to_canonical() {
        IpAddr::V4(v4) => u128::from(v4.to_bits()) + 1,
        IpAddr::V6(v6) => v6.to_bits() >> 64 << 64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// However uses are spread, no window of time sees more than twice the cap, and usually not
        /// more than the cap; the wait that is told is enough and not a second too long.
        #[test]
        fn the_wait_is_exact(before in 0_u32..50, now in 0_u32..50, cap in 1_u32..50, passed in 0_i64..600) {
            if let Some(wait) = wait_s((before, now), cap, 600, 6000 + passed) {
                prop_assert!(wait >= 1);
                let then = passed + wait;
                if then < 600 {
                    prop_assert_eq!(wait_s((before, now), cap, 600, 6000 + then), None);
                    prop_assert!(wait_s((before, now), cap, 600, 6000 + then - 1).is_some());
                } else {
                    prop_assert!(then == 600 || before > 0);
                }
            }
        }
    }

    #[test]
    fn a_requester_waits_and_others_do_not() {
        let requesters = Requesters::new(3);
        let ip = |text: &str| text.parse::<IpAddr>().unwrap_or(IpAddr::from([0; 4]));
        for _ in 0..3 {
            assert_eq!(requesters.ask(ip("192.0.2.1"), 1200), Ok(()));
        }
        assert_eq!(requesters.ask(ip("192.0.2.1"), 1200), Err(600));
        assert_eq!(requesters.ask(ip("::ffff:192.0.2.1"), 1200), Err(600));
        assert_eq!(requesters.ask(ip("192.0.2.2"), 1200), Ok(()));
        // Half of the window before still counts.
        assert_eq!(requesters.ask(ip("192.0.2.1"), 2100), Ok(()));
        assert!(requesters.ask(ip("192.0.2.1"), 2100).is_err());
        // One IPv6 subscriber has one count.
        for last in 1..=3 {
            assert_eq!(requesters.ask(ip(&format!("2001:db8::{last}")), 9000), Ok(()));
        }
        assert!(requesters.ask(ip("2001:db8::9"), 9000).is_err());
        assert_eq!(requesters.ask(ip("2001:db8:0:1::9"), 9000), Ok(()));
    }
}
