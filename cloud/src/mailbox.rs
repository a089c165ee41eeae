//! The recovery mailbox: a mail with the picture of a QR code does what the page does. Mails come into a
//! Maildir, from a mail server on this machine or fetched by [`imap`]. Whoever sent it gets
//! no answer, ever: an address can be forged, and the code goes to the reserved one.
//!
//! A mail that was relayed is removed: it holds its sender's address. What could not be read is counted,
//! and kept aside for a while in a folder named after the reason. Two mails are read at a time, so that
//! one that takes its reader long does not hold up the next.

mod folder;
pub mod imap;
pub mod letter;
pub mod reader;

use crate::{
    config,
    platform::metrics::{Metrics, Why},
    relay::{Refusal, Relay},
    worker::chain,
};
use folder::Folder;
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use imap::{Fetcher, ImapError};
use letter::{Found, Nothing};
use prometheus_client::metrics::{counter::Counter, family::Family};
use reader::ReadError;
use std::{
    collections::{HashSet, VecDeque},
    ffi::OsString,
    fs::File,
    io,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{Notify, watch},
    time::{MissedTickBehavior, interval},
};

/// Mails that are read at a time.
const READERS: usize = 2;
/// How often the folder is looked at: somebody waits for the code.
const LOOK: Duration = Duration::from_millis(250);
/// How often what is kept aside is looked through.
const THIN_OUT_EVERY_S: i64 = 3600;

/// What became of a mail, by the name under which it is counted and kept aside.
pub type Reason = &'static str;
/// The mail was read, and its challenge is on its way.
pub const RELAYED: Reason = "relayed";

/// A mailbox and its reader.
pub struct Mailbox {
    folder: Arc<Folder>,
    /// This program, which reads a mail when it is asked to.
    program: PathBuf,
    relay: Arc<Relay>,
    bell: Arc<Notify>,
    counts: Family<Why, Counter>,
    /// Mails that were read and could be neither removed nor put aside: not read again.
    stuck: Mutex<HashSet<OsString>>,
}

impl Mailbox {
    /// A mailbox of the Maildir at `maildir`, which is made if it is not there.
    pub fn open(
        maildir: PathBuf,
        program: PathBuf,
        relay: Arc<Relay>,
        bell: Arc<Notify>,
        counts: Family<Why, Counter>,
    ) -> io::Result<Self> {
        let folder = Arc::new(Folder::open(maildir)?);
        Ok(Self { folder, program, relay, bell, counts, stuck: Mutex::default() })
    }

    /// What fetches this mailbox's mails from an IMAP server.
    pub fn fetcher(&self, server: config::Imap) -> Result<Fetcher, ImapError> {
        Fetcher::new(server, self.folder.clone(), self.counts.clone())
    }

    /// Reads what comes until told to stop; the mails in hand are finished first.
    pub async fn run(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let mut schedule = interval(LOOK);
        schedule.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut waiting = VecDeque::new();
        let mut in_hand = HashSet::new();
        let mut reads = FuturesUnordered::new();
        let mut thin_out_at_s = i64::MIN;
        while !*stop.borrow() {
            while reads.len() < READERS {
                let Some(name) = waiting.pop_front() else { break };
                in_hand.insert(OsString::clone(&name));
                reads.push(async { (self.one(&name).await, name) });
            }
            tokio::select! {
                Some((read, name)) = reads.next() => {
                    in_hand.remove(&name);
                    if let Err(error) = read {
                        tracing::warn!(error = %chain(&*error), "the recovery mailbox cannot be read now");
                        // It is the machine or the store: nothing more before the next look.
                        waiting.clear();
                    }
                }
                _ = schedule.tick() => {
                    let now_s = self.relay.clock.now_s();
                    if now_s >= thin_out_at_s {
                        thin_out_at_s = now_s + THIN_OUT_EVERY_S;
                        if let Err(error) = self.folder.thin_out(now_s).await {
                            tracing::warn!(%error, "mails that are kept aside cannot be thinned out");
                        }
                    }
                    waiting = self.readable(&in_hand).await;
                }
                _ = stop.changed() => {}
            }
        }
        while reads.next().await.is_some() {}
    }

    /// What is new and in nobody's hand.
    async fn readable(&self, in_hand: &HashSet<OsString>) -> VecDeque<OsString> {
        let names = match self.folder.names().await {
            Ok(names) => names,
            Err(error) => {
                tracing::warn!(%error, "the recovery mailbox cannot be read now");
                return VecDeque::new();
            }
        };
        let mut stuck = self.stuck.lock().unwrap_or_else(PoisonError::into_inner);
        stuck.retain(|name| names.contains(name));
        names.into_iter().filter(|name| !stuck.contains(name) && !in_hand.contains(name)).collect()
    }

    /// Reads one mail and puts it away.
    async fn one(&self, name: &OsString) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let reason = self.read(name).await?;
        Metrics::count(&self.counts, reason);
        tracing::info!(reason, "a mail to the recovery mailbox was read");
        let away = match reason {
            RELAYED => self.folder.remove(name).await,
            _ => self.folder.put_aside(name, reason).await,
        };
        if let Err(error) = away {
            tracing::error!(%error, "a mail that was read stays in the recovery mailbox");
            self.stuck.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone());
        }
        Ok(())
    }

    /// Reads one mail and relays what it holds. An error means that it is worth trying again later.
    async fn read(&self, name: &OsString) -> Result<Reason, Box<dyn std::error::Error + Send + Sync>> {
        let mail: File = match self.folder.mail(name).await {
            Ok(Some(mail)) => mail,
            Ok(None) => return Ok("too-large"),
            Err(error) => {
                tracing::warn!(%error, "a mail cannot be opened");
                return Ok("cannot-be-opened");
            }
        };
        let links = match reader::read(&self.program, mail).await {
            Ok(Found::Links(links)) => links,
            Ok(Found::Nothing(nothing)) => return Ok(nothing_name(nothing)),
            // Nobody adds a recorder by mail.
            Ok(Found::Adding(_)) => return Ok(nothing_name(Nothing::OtherCode)),
            Err(ReadError::Limits) => return Ok("beyond-limits"),
            Err(error @ ReadError::Process(_)) => return Err(error.into()),
        };
        let mut ended = "unusable";
        for link in links {
            match self.relay.submit(&link).await {
                Ok(_) => {
                    self.bell.notify_one();
                    return Ok(RELAYED);
                }
                Err(Refusal::Store(error)) => return Err(error.into()),
                Err(refusal) => ended = refusal_name(&refusal),
            }
        }
        Ok(ended)
    }
}

fn nothing_name(nothing: Nothing) -> Reason {
    match nothing {
        Nothing::NoMail => "no-mail",
        Nothing::NoPicture => "no-picture",
        Nothing::PictureTooLarge => "picture-too-large",
        Nothing::PictureDamaged => "picture-damaged",
        Nothing::NoCode => "no-code",
        Nothing::OtherCode => "other-code",
    }
}

fn refusal_name(refusal: &Refusal) -> Reason {
    match refusal {
        Refusal::OtherService(_) => "other-service",
        Refusal::Revoked => "revoked",
        Refusal::Superseded => "superseded",
        Refusal::Expired => "expired",
        Refusal::Limited { .. } => "limited",
        _ => "unusable",
    }
}
