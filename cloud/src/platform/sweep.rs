//! Ends who is silent, and who was revoked while connected; tells of mails that other nodes have sent.

use super::{
    Platform,
    sessions::{End, Post},
};
use crate::worker::chain;
use std::{sync::Arc, time::Duration};
use tokio::{sync::watch, time::interval};

/// A revocation is noticed within this long.
const LOOK_S: u64 = 5;
/// Revocations are looked for so far back: clocks are set, and looking twice does no harm.
const BACK_S: i64 = 3600;
const DAY_S: i64 = 86_400;

impl Platform {
    /// Looks again and again until told to stop.
    pub async fn sweep(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let mut schedule = interval(Duration::from_secs(LOOK_S));
        let mut renewed_at_s = self.clock().now_s();
        while !*stop.borrow() {
            tokio::select! {
                _ = schedule.tick() => {}
                _ = stop.changed() => continue,
            }
            self.end_silent();
            self.end_revoked().await;
            if let Err(error) = self.relay.look().await {
                tracing::error!(error = %chain(&error), "mails of other nodes cannot be looked at just now");
            }
            let now_s = self.clock().now_s();
            if (now_s - renewed_at_s).abs() >= DAY_S {
                match self.renew_own() {
                    Ok(()) => renewed_at_s = now_s,
                    Err(error) => {
                        tracing::error!(error = %chain(&error), "the certificate for devices is old")
                    }
                }
            }
        }
    }

    fn end_silent(&self) {
        let now_ms = self.clock().up_ms();
        let patience_ms = 2000 * u64::from(self.config.platform.heartbeat_s);
        for session in self.sessions.all() {
            if now_ms.saturating_sub(session.heard_ms()) >= patience_ms {
                session.post(Post::End(End::Silent));
            }
        }
    }

    async fn end_revoked(&self) {
        match self.relay.store.revoked_since(self.clock().now_s() - BACK_S).await {
            Ok(revoked) => {
                for session in revoked.into_iter().filter_map(|handle| self.sessions.of(handle)) {
                    session.post(Post::End(End::Revoked));
                }
            }
            Err(error) => tracing::error!(error = %chain(&error), "revocations cannot be read just now"),
        }
    }
}
