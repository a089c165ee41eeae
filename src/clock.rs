//! Time and randomness: the boot clock that decides, the wall clock that is only shown, the id of the
//! boot, and the kernel's random numbers.

use crate::recovery::{BootId, Now};
use chacha20::ChaCha20Rng;
use nix::time::{ClockId, clock_gettime};
use rand_core::SeedableRng;
use std::{fs, io};
use zeroize::Zeroizing;

/// Not configurable: whoever can point it elsewhere can make a reboot look like none.
const BOOT_ID_FILE: &str = "/proc/sys/kernel/random/boot_id";

/// The clocks of a device.
pub trait Clock: Send {
    /// The moment.
    fn now(&self) -> io::Result<Now>;

    /// Whether the boot's id is known. Without one no challenge may be made, shown or accepted:
    /// nothing would tell that the device was rebooted.
    fn knows_boot(&self) -> bool;
}

/// Where random numbers come from.
pub trait Entropy: Send {
    /// A generator for one step of the heart. Nothing secret is made without one.
    fn generator(&self) -> io::Result<ChaCha20Rng>;
}

/// The kernel's clocks.
#[derive(Debug, Clone)]
pub struct SystemClock {
    boot: Boot,
    utc_offset_min: i16,
}

#[derive(Debug, Clone, Copy)]
enum Boot {
    Known(BootId),
    /// A random stand-in, so that no challenge that is stored can be of this boot.
    Unknown(BootId),
}

impl SystemClock {
    /// Reads the id of this boot. If that fails, says why beside a clock without one.
    pub fn start(utc_offset_min: i16, entropy: &impl Entropy) -> io::Result<(Self, Option<io::Error>)> {
        match read_boot_id() {
            Ok(id) => Ok((Self { boot: Boot::Known(id), utc_offset_min }, None)),
            Err(error) => {
                let mut id = [0; 16];
                rand_core::Rng::fill_bytes(&mut entropy.generator()?, &mut id);
                Ok((Self { boot: Boot::Unknown(BootId(id)), utc_offset_min }, Some(error)))
            }
        }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> io::Result<Now> {
        let boottime = clock_gettime(ClockId::CLOCK_BOOTTIME)?;
        let wall = clock_gettime(ClockId::CLOCK_REALTIME)?;
        let (Boot::Known(boot_id) | Boot::Unknown(boot_id)) = self.boot;
        Ok(Now {
            boottime_ms: boottime.tv_sec() as u64 * 1000 + boottime.tv_nsec() as u64 / 1_000_000,
            boot_id,
            // 32 bits wide on some targets.
            #[allow(clippy::useless_conversion, reason = "on the others it is i64 already")]
            wall_unix_s: i64::from(wall.tv_sec()),
            tz_offset_min: self.utc_offset_min,
        })
    }

    fn knows_boot(&self) -> bool {
        matches!(self.boot, Boot::Known(_))
    }
}

/// Milliseconds since the machine was started, for those who only tell them. What decides goes by the
/// clock that was handed in.
pub fn uptime_ms() -> u64 {
    clock_gettime(ClockId::CLOCK_BOOTTIME)
        .map_or(0, |time| time.tv_sec() as u64 * 1000 + time.tv_nsec() as u64 / 1_000_000)
}

fn read_boot_id() -> io::Result<BootId> {
    parse_boot_id(&fs::read_to_string(BOOT_ID_FILE)?)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "it does not hold a boot id"))
}

/// Reads a UUID as the kernel writes it. All zeros is no id.
fn parse_boot_id(text: &str) -> Option<BootId> {
    let text = text.trim_end();
    let dashes = [8, 13, 18, 23];
    if text.len() != 36 || !text.is_ascii() || dashes.iter().any(|&at| text.as_bytes()[at] != b'-') {
        return None;
    }
    let digits: Vec<u8> = text
        .char_indices()
        .filter(|(at, _)| !dashes.contains(at))
        .map(|(_, c)| c.to_digit(16).map(|digit| digit as u8))
        .collect::<Option<_>>()?;
    let mut id = [0; 16];
    for (byte, pair) in id.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = pair[0] << 4 | pair[1];
    }
    (id != [0; 16]).then_some(BootId(id))
}

/// The kernel's random numbers. Blocks until its pool is ready (early boot must wait, not guess).
#[derive(Debug, Clone, Copy)]
pub struct KernelEntropy;

impl Entropy for KernelEntropy {
    #[expect(clippy::disallowed_methods, reason = "this is the random source that is handed in")]
    fn generator(&self) -> io::Result<ChaCha20Rng> {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(seed.as_mut()).map_err(io::Error::other)?;
        Ok(ChaCha20Rng::from_seed(*seed))
    }
}

/// Clocks and random numbers that tests move by hand.
#[cfg(test)]
pub(crate) mod simulated {
    use super::*;
    use std::sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    };

    /// A clock that stands still until it is moved. Clones share one time.
    #[derive(Clone)]
    pub(crate) struct SimulatedClock {
        pub(crate) boottime_ms: Arc<AtomicU64>,
        pub(crate) boot_id: BootId,
        pub(crate) knows_boot: bool,
    }

    impl SimulatedClock {
        pub(crate) fn new(boot: u8) -> Self {
            let boottime_ms = Arc::new(AtomicU64::new(60_000));
            Self { boottime_ms, boot_id: BootId([boot; 16]), knows_boot: true }
        }

        pub(crate) fn advance_s(&self, seconds: u64) {
            self.boottime_ms.fetch_add(seconds * 1000, Ordering::SeqCst);
        }
    }

    impl Clock for SimulatedClock {
        fn now(&self) -> io::Result<Now> {
            Ok(Now {
                boottime_ms: self.boottime_ms.load(Ordering::SeqCst),
                boot_id: self.boot_id,
                wall_unix_s: 1_800_000_000,
                tz_offset_min: 0,
            })
        }

        fn knows_boot(&self) -> bool {
            self.knows_boot
        }
    }

    /// Random numbers from a counter, which can be made to fail.
    #[derive(Clone, Default)]
    pub(crate) struct SimulatedEntropy {
        drawn: Arc<AtomicU64>,
        pub(crate) fails: Arc<AtomicBool>,
    }

    impl Entropy for SimulatedEntropy {
        fn generator(&self) -> io::Result<ChaCha20Rng> {
            if self.fails.load(Ordering::SeqCst) {
                return Err(io::Error::other("no random numbers"));
            }
            Ok(ChaCha20Rng::seed_from_u64(self.drawn.fetch_add(1, Ordering::SeqCst)))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_real_clock_knows_this_boot_and_goes_on() {
        let (clock, error) = SystemClock::start(60, &KernelEntropy).unwrap();
        assert!(error.is_none() && clock.knows_boot());
        let (first, second) = (clock.now().unwrap(), clock.now().unwrap());
        assert!(second.boottime_ms >= first.boottime_ms && first.boottime_ms > 0);
        let written = fs::read_to_string(BOOT_ID_FILE).unwrap();
        let read: String = first.boot_id.0.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(written.trim().replace('-', ""), read);
    }

    #[test]
    fn what_is_not_a_boot_id_is_refused() {
        assert!(parse_boot_id("0fc93cf2-94f2-46cc-b6a1-fb1b11a49df4\n").is_some());
        for bad in [
            "",
            "0fc93cf294f246ccb6a1fb1b11a49df4",
            "0fc93cf2-94f2-46cc-b6a1-fb1b11a49dfg",
            "00000000-0000-0000-0000-000000000000",
            "0fc93cf2-94f2-46cc-b6a1-fb1b11a49df",
            "0fc93cf2-94f2-46cc-b6a1-fb1b11a49d\u{e9}",
        ] {
            assert!(parse_boot_id(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn generators_differ() {
        let draw = || rand_core::Rng::next_u64(&mut KernelEntropy.generator().unwrap());
        assert_ne!(draw(), draw());
    }
}
