//! How many requests a second: on the network a token bucket for each peer address and one for all
//! together; one of its own for the Unix sockets, which nobody on the network can empty.

use std::{collections::HashMap, net::IpAddr, sync::Mutex};

/// A bucket's size and how fast it fills.
#[derive(Debug, Clone, Copy)]
pub struct Rate {
    /// Requests that may come at once.
    pub burst: u32,
    /// Requests a second after that.
    pub per_s: u32,
}

/// One address: a person with a browser needs about five requests a page.
pub const PEER: Rate = Rate { burst: 200, per_s: 10 };
/// All addresses together: what a small recorder answers without being busy all the time.
pub const EVERYONE: Rate = Rate { burst: 1000, per_s: 100 };
/// The local screen, and the web server's own requests: a screen that polls, and a person at it.
pub const LOCAL: Rate = Rate { burst: 200, per_s: 50 };
/// A request that changes something costs this much.
pub const UNSAFE_COST: u32 = 5;
/// Addresses that are remembered; the one with the fullest bucket, which loses nothing, gives way.
const PEERS_MAX: usize = 256;

/// The buckets of a door.
pub struct Rates(Mutex<Buckets>);

struct Buckets {
    local: Bucket,
    everyone: Bucket,
    peers: HashMap<IpAddr, Bucket>,
}

/// Thousandths of a request, so that slow filling is not lost in rounding.
#[derive(Clone, Copy)]
struct Bucket {
    milli: u64,
    filled_ms: u64,
}

impl Bucket {
    fn full(rate: Rate, now_ms: u64) -> Self {
        Self { milli: u64::from(rate.burst) * 1000, filled_ms: now_ms }
    }

    /// Takes a cost out, or gives the milliseconds to wait.
    fn take(&mut self, rate: Rate, cost: u32) -> Result<(), u64> {
        match self.wait_ms(rate, cost) {
            0 => {
                self.milli -= u64::from(cost) * 1000;
                Ok(())
            }
            wait_ms => Err(wait_ms),
        }
    }

    fn fill(&mut self, rate: Rate, now_ms: u64) {
        let gained = now_ms.saturating_sub(self.filled_ms).saturating_mul(rate.per_s.into());
        self.milli = self.milli.saturating_add(gained).min(u64::from(rate.burst) * 1000);
        self.filled_ms = now_ms;
    }

    /// Milliseconds until there is enough; zero if there is now.
    fn wait_ms(&self, rate: Rate, cost: u32) -> u64 {
        (u64::from(cost) * 1000).saturating_sub(self.milli).div_ceil(u64::from(rate.per_s.max(1)))
    }
}

impl Rates {
    /// Full buckets.
    pub fn new(now_ms: u64) -> Self {
        Self(Mutex::new(Buckets {
            local: Bucket::full(LOCAL, now_ms),
            everyone: Bucket::full(EVERYONE, now_ms),
            peers: HashMap::new(),
        }))
    }

    /// Takes a request's cost out of the buckets that it counts for, or says how many seconds to wait.
    /// Without a peer it came by a Unix socket. `now_ms` is of a clock that never goes back.
    pub fn take(&self, peer: Option<IpAddr>, cost: u32, now_ms: u64) -> Result<(), u64> {
        // A thread that panicked while holding the lock left whole numbers behind.
        let mut buckets = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let Buckets { local, everyone, peers } = &mut *buckets;
        let Some(peer) = peer else {
            local.fill(LOCAL, now_ms);
            return local.take(LOCAL, cost).map_err(|wait_ms| wait_ms.div_ceil(1000));
        };
        everyone.fill(EVERYONE, now_ms);
        let peer = peer.to_canonical();
        if !peers.contains_key(&peer) && peers.len() >= PEERS_MAX {
            for bucket in peers.values_mut() {
                bucket.fill(PEER, now_ms);
            }
            let fullest = peers.iter().max_by_key(|(_, bucket)| bucket.milli).map(|(address, _)| *address);
            fullest.and_then(|address| peers.remove(&address));
        }
        let own = peers.entry(peer).or_insert_with(|| Bucket::full(PEER, now_ms));
        own.fill(PEER, now_ms);
        let wait_ms = own.wait_ms(PEER, cost).max(everyone.wait_ms(EVERYONE, cost));
        if wait_ms > 0 {
            return Err(wait_ms.div_ceil(1000));
        }
        // There is enough in both.
        let taken = own.take(PEER, cost).and_then(|()| everyone.take(EVERYONE, cost));
        taken.map_err(|wait_ms| wait_ms.div_ceil(1000))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn peer(number: u32) -> Option<IpAddr> {
        Some(IpAddr::V4(number.into()))
    }

    #[test]
    fn a_burst_passes_then_it_is_told_to_wait_and_filling_lets_it_in_again() {
        let rates = Rates::new(0);
        for _ in 0..PEER.burst {
            rates.take(peer(1), 1, 0).unwrap();
        }
        assert_eq!(rates.take(peer(1), 1, 0), Err(1));
        assert_eq!(rates.take(peer(2), 1, 0), Ok(()), "another address is not held back");
        assert_eq!(rates.take(peer(1), 1, 99), Err(1));
        assert_eq!(rates.take(peer(1), 1, 100), Ok(()));
        assert_eq!(rates.take(peer(1), UNSAFE_COST, 100), Err(1));
    }

    #[test]
    fn everyone_together_is_bounded_and_so_is_the_table() {
        let rates = Rates::new(0);
        for number in 0..EVERYONE.burst {
            rates.take(peer(number), 1, 0).unwrap();
        }
        assert_eq!(rates.take(peer(5000), 1, 0), Err(1));
        assert_eq!(rates.0.lock().unwrap().peers.len(), PEERS_MAX);
    }

    #[test]
    fn the_local_screen_has_its_own() {
        let rates = Rates::new(0);
        for number in 0..EVERYONE.burst {
            rates.take(peer(number), 1, 0).unwrap();
        }
        for _ in 0..LOCAL.burst {
            rates.take(None, 1, 0).unwrap();
        }
        assert_eq!(rates.take(None, 1, 0), Err(1));
        assert_eq!(rates.take(None, 1, 20), Ok(()));
        assert_eq!(rates.take(peer(1), 1, 10), Ok(()));
    }

    #[test]
    fn a_peer_that_used_its_burst_is_not_forgotten_for_newcomers() {
        let rates = Rates::new(0);
        for _ in 0..PEER.burst {
            rates.take(peer(1), 1, 0).unwrap();
        }
        for number in 2..600 {
            rates.take(peer(number), 1, 0).unwrap();
        }
        assert_eq!(rates.take(peer(1), 1, 0), Err(1));
    }
}
