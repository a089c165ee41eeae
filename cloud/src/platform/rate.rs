//! How much one connection may send.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::clock::Clock;

/// A bucket that fills steadily: each thing takes something out.
#[derive(Debug, Clone, Copy)]
pub struct Bucket {
    left: u32,
    max: u32,
    each_s: u32,
    filled_s: u32,
}

impl Bucket {
    /// A full bucket that gets `each_s` back in a second.
    pub fn new(max: u32, each_s: u32, now_ms: u64) -> Self {
        Self { left: max, max, each_s, filled_s: seconds(now_ms) }
    }

    /// Takes some out, if there is enough.
    pub fn take(&mut self, amount: u32, now_ms: u64) -> bool {
        let now_s = seconds(now_ms);
        let filled = now_s.saturating_sub(self.filled_s).saturating_mul(self.each_s);
        self.left = self.left.saturating_add(filled).min(self.max);
        self.filled_s = now_s;
        let enough = self.left >= amount;
        if enough {
            self.left -= amount;
        }
        enough
    }
}

fn seconds(now_ms: u64) -> u32 {
    u32::try_from(now_ms / 1000).unwrap_or(u32::MAX)
}

/// More bytes than this in one go, and then steadily, are a flood: 30 of the longest messages.
const BYTES_MAX: u32 = 256 * 1024;
/// 30 of the longest messages a minute, and twice as much again for pings and frames in pieces.
const BYTES_EACH_S: u32 = 12 * 1024;

/// A stream that counts what it reads: no frame is too small to be counted.
pub struct Metered<S> {
    inner: S,
    bucket: Bucket,
    clock: Arc<dyn Clock>,
}

impl<S> Metered<S> {
    /// Around a stream.
    pub fn new(inner: S, clock: Arc<dyn Clock>) -> Self {
        Self { bucket: Bucket::new(BYTES_MAX, BYTES_EACH_S, clock.up_ms()), inner, clock }
    }
}

/// What [`Metered`] answers when there is too much.
pub const FLOOD: io::ErrorKind = io::ErrorKind::QuotaExceeded;

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(context, buffer))?;
        let count = u32::try_from(buffer.filled().len() - before).unwrap_or(u32::MAX);
        let now_ms = self.clock.up_ms();
        let within = self.bucket.take(count, now_ms);
        Poll::Ready(if within { Ok(()) } else { Err(FLOOD.into()) })
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// However it is spread, no more gets through than the bucket holds and is filled up with.
        #[test]
        fn no_more_than_the_bucket_gives(steps in prop::collection::vec((0_u64..5000, 1_u32..40), 1..200)) {
            let mut bucket = Bucket::new(30, 2, 0);
            let (mut now_ms, mut taken) = (0, 0_u64);
            for (pause_ms, amount) in steps {
                now_ms += pause_ms;
                if bucket.take(amount, now_ms) {
                    taken += u64::from(amount);
                }
                prop_assert!(taken <= 30 + 2 * (now_ms / 1000));
            }
            prop_assert!(bucket.take(30, now_ms + 15_000), "it is full again in time");
        }
    }
}
