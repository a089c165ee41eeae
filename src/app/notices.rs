//! Hands the notices that wait in the account record to the cloud, whenever the platform link is up. The record is
//! the queue; what was taken is told to the heart, which lets go of it.

use crate::{
    platform::{self, NotSent},
    recovery::Notice,
};
use latchkey_protocol::platform::{Problem, Sealed};
use std::time::Duration;
use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};

/// After a cloud or a link that had no room.
const PAUSE_S: u32 = 60;
/// A cloud that asks for more is asked again after a day.
const PAUSE_MAX_S: u32 = 86_400;

/// The task, ready to run.
pub struct Notices {
    waiting: watch::Receiver<Vec<Notice>>,
    done: mpsc::Sender<Vec<Sealed>>,
    link: platform::Handle,
    /// Handed over by this run and still in the record.
    handed: Vec<Sealed>,
}

/// What to wait for before the next look.
enum Next {
    /// Another notice.
    Notice,
    /// A link.
    Link,
    /// So many seconds.
    Later(u32),
}

impl Notices {
    /// `waiting` is what the record holds; `done` goes to the heart.
    pub fn new(
        waiting: watch::Receiver<Vec<Notice>>,
        done: mpsc::Sender<Vec<Sealed>>,
        link: platform::Handle,
    ) -> Self {
        Self { waiting, done, link, handed: Vec::new() }
    }

    /// Runs until nobody can tell of another notice.
    pub async fn run(mut self) {
        loop {
            let next = self.hand_over().await;
            let wake = async {
                tokio::select! {
                    biased;
                    changed = self.waiting.changed() => changed.is_ok(),
                    () = self.link.changed(), if matches!(next, Next::Link) => true,
                }
            };
            let goes_on = match next {
                Next::Later(pause_s) => {
                    timeout(Duration::from_secs(pause_s.into()), wake).await.unwrap_or(true)
                }
                Next::Notice | Next::Link => wake.await,
            };
            if !goes_on {
                return;
            }
        }
    }

    /// One after the other, so that a person who sends a code finds the link free.
    async fn hand_over(&mut self) -> Next {
        let waiting = self.waiting.borrow_and_update().clone();
        self.handed.retain(|sealed| waiting.iter().any(|notice| notice.sealed == *sealed));
        let mut done = Vec::new();
        let mut next = Next::Notice;
        for Notice { sealed, .. } in waiting {
            if self.handed.contains(&sealed) {
                continue;
            }
            match self.link.submit(sealed.0.clone()).await {
                Ok(_) => tracing::info!("the cloud has a notice to the reserved email"),
                Err(NotSent::Offline) => {
                    next = Next::Link;
                    break;
                }
                Err(NotSent::Busy) => {
                    next = Next::Later(PAUSE_S);
                    break;
                }
                Err(NotSent::Rejected { problem, retry_after_s }) => {
                    if may_be_taken_later(problem) {
                        let pause_s = retry_after_s.unwrap_or(PAUSE_S).clamp(PAUSE_S, PAUSE_MAX_S);
                        tracing::info!(?problem, pause_s, "a notice to the reserved email is for later");
                        next = Next::Later(pause_s);
                        break;
                    }
                    tracing::warn!(?problem, "the cloud will never take a notice to the reserved email");
                }
            }
            self.handed.push(sealed.clone());
            done.push(sealed);
        }
        if !done.is_empty() {
            // The heart may have ended, and then the record still has them.
            let _ = self.done.send(done).await;
        }
        next
    }
}

fn may_be_taken_later(problem: Problem) -> bool {
    match problem {
        Problem::DeviceLimit
        | Problem::AddressLimit
        | Problem::TooManyRequests
        | Problem::ResendTooEarly
        | Problem::Unavailable => true,
        Problem::UnusableQr
        | Problem::Revoked
        | Problem::Superseded
        | Problem::Expired
        | Problem::UnknownRequest
        | Problem::StillQueued
        | Problem::ResendUsed
        | Problem::Other => false,
    }
}
