//! Takes mails from the queue and sends them. Several may run, here and on other machines: a claim
//! is a lease.

use crate::{
    clock::{Clock, draw},
    config::Config,
    mail::{
        compose::compose,
        transport::{Sent, Transport, TransportError},
    },
    relay::Relay,
    store::{Claim, MailState, Outcome, Reason, StoreError, TRANSMISSIONS_MAX},
};
use latchkey_look::Catalogue;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{Notify, watch},
    time::timeout,
};

/// A claim lasts longer than the longest conversation with a mail server.
pub const LEASE_S: i64 = 600;
/// The queue is looked at this often even when nothing is due, for what other machines put there.
const LOOK_S: u64 = 30;
const FIRST_RETRY_S: i64 = 5;
const LONGEST_RETRY_S: i64 = 3600;

/// Sends one mail after the other.
pub struct Worker {
    relay: Arc<Relay>,
    config: Arc<Config>,
    say: Arc<Catalogue>,
    clock: Arc<dyn Clock>,
    transport: Transport,
    /// Rung when a mail was queued.
    bell: Arc<Notify>,
}

impl Worker {
    /// Makes ready, without connecting.
    pub async fn new(
        relay: Arc<Relay>,
        config: Arc<Config>,
        say: Arc<Catalogue>,
        bell: Arc<Notify>,
    ) -> Result<Self, TransportError> {
        let transport = Transport::new(&config.mail.way, config.host.as_str()).await?;
        let clock = relay.clock.clone();
        Ok(Self { relay, config, say, clock, transport, bell })
    }

    /// Works until told to stop; the mail in hand is finished first.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            match self.work().await {
                Ok(true) => continue,
                Ok(false) => {}
                Err(error) => tracing::error!(error = %chain(&error), "the mail queue cannot be read"),
            }
            let pause = self.pause_s().await;
            tokio::select! {
                rung = timeout(Duration::from_secs(pause), self.bell.notified()) => {
                    if rung.is_err() {
                        self.transport.rest().await;
                    }
                }
                _ = stop.changed() => {}
            }
        }
        self.transport.rest().await;
    }

    async fn pause_s(&self) -> u64 {
        let due = self.relay.store.next_due().await.ok().flatten();
        let left = due.map_or(LOOK_S, |at| u64::try_from(at - self.clock.now_s()).unwrap_or_default());
        left.clamp(1, LOOK_S)
    }

    /// Sends one due mail; `false` if none is due.
    pub async fn work(&mut self) -> Result<bool, StoreError> {
        let claims = self.relay.store.claim(self.clock.now_s(), LEASE_S, 1).await?;
        let Some(claim) = claims.into_iter().next() else { return Ok(false) };
        // What is left in the queue is another worker's business.
        self.bell.notify_one();
        let outcome = match self.send(&claim).await {
            Ok(outcome) => outcome,
            Err(error) => {
                tracing::error!(mail = claim.mail, error = %chain(&error), "a mail cannot be opened just now");
                let at_s = self.clock.now_s() + backoff_s(claim.attempt, u64::from_be_bytes(draw()));
                Outcome::LaterUnsent { at_s, reason: None }
            }
        };
        match outcome {
            Outcome::Accepted => tracing::info!(mail = claim.mail, attempt = claim.attempt, "accepted"),
            Outcome::Over(state, reason) => {
                tracing::warn!(mail = claim.mail, attempt = claim.attempt, ?state, ?reason, "given up");
            }
            Outcome::LaterUnsent { at_s, reason } => {
                tracing::info!(mail = claim.mail, attempt = claim.attempt, at_s, ?reason, "later");
            }
            Outcome::LaterUncertain { at_s } => {
                tracing::warn!(mail = claim.mail, attempt = claim.attempt, at_s, "sent without an answer");
            }
        }
        if self.relay.store.settle(claim.mail, claim.attempt, outcome).await? {
            self.relay.tell(claim.request).await;
        }
        Ok(true)
    }

    async fn send(&mut self, claim: &Claim) -> Result<Outcome, StoreError> {
        let now_s = self.clock.now_s();
        if now_s >= claim.expires_at_s {
            return Ok(Outcome::Over(MailState::Failed, Reason::Expired));
        }
        let Some((tag, device, opened)) = self.relay.reopen(&claim.sealed).await? else {
            return Ok(Outcome::Over(MailState::Failed, Reason::NotReadable));
        };
        let Some(to) = opened.challenge().addresses.iter().nth(usize::from(claim.recipient)) else {
            return Ok(Outcome::Over(MailState::Failed, Reason::NotReadable));
        };
        if device.revoked_at_s.is_some() {
            return Ok(Outcome::Over(MailState::Failed, Reason::NotReadable));
        }
        let to = (to, claim.token);
        let letter = compose(&self.say, &self.config.mail, &device, opened.challenge(), tag, to, now_s);
        let letter = match letter {
            Ok(letter) => letter,
            Err(error) => {
                tracing::error!(error = %chain(&error), "a mail cannot be written");
                return Ok(Outcome::Over(MailState::Failed, Reason::NotReadable));
            }
        };
        // The name tells the first sending from the second, and a repeated attempt from neither.
        let name = format!("{}.{}.latchkey", claim.token, claim.transmissions);
        let sent = self.transport.send(&letter, &name).await;
        let at_s = self.clock.now_s() + backoff_s(claim.attempt, u64::from_be_bytes(draw()));
        Ok(match sent {
            Sent::Accepted => Outcome::Accepted,
            Sent::Refused(reason) => Outcome::Over(MailState::Bounced, reason),
            Sent::NotYet if at_s >= claim.expires_at_s => {
                Outcome::Over(MailState::Failed, Reason::Unreachable)
            }
            Sent::NotYet => Outcome::LaterUnsent { at_s, reason: Some(Reason::Unreachable) },
            Sent::Uncertain if claim.transmissions + 1 >= TRANSMISSIONS_MAX => {
                Outcome::Over(MailState::Failed, Reason::NoAnswer)
            }
            Sent::Uncertain => Outcome::LaterUncertain { at_s },
        })
    }
}

/// 5 s, doubled with each attempt, at most an hour; between half of it and all of it by chance, so
/// that mails which failed together do not return together.
pub(crate) fn backoff_s(attempt: u32, random: u64) -> i64 {
    let doubled = FIRST_RETRY_S.saturating_mul(1 << attempt.saturating_sub(1).min(20));
    let full = doubled.min(LONGEST_RETRY_S);
    let half = full / 2;
    half + i64::try_from(random % u64::try_from(full - half + 1).unwrap_or(1)).unwrap_or_default()
}

/// An error with its causes, for the log.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn waiting_grows_to_an_hour_and_no_further(attempt in 1_u32..200, random: u64) {
            let wait = backoff_s(attempt, random);
            prop_assert!((2..=LONGEST_RETRY_S).contains(&wait));
            prop_assert!(attempt < 12 || wait >= LONGEST_RETRY_S / 2);
            prop_assert!(attempt > 1 || wait <= FIRST_RETRY_S);
        }
    }
}
