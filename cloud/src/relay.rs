//! A sealed challenge's way from a request to the queue, in this order: strict parse, key and
//! handle known, verify, dedupe by the hash of the sealed bytes, open, inner = outer, counter within
//! its life, limits, durable queue of the sealed bytes.

mod watch;

pub use watch::Watch;

use crate::{
    clock::{Clock, draw},
    keys::KeyRing,
    limits::Meter,
    mail::compose::subject_key,
    store::{Accepted, Device, Limit, MailToken, NewRequest, Request, RequestId, Resend, Store, StoreError},
};
use ed25519_dalek::{SigningKey, VerifyingKey};
use latchkey_protocol::{
    Handle, Host, Mode, OpenedChallenge, ParsedChallenge, QrLink, SealedChallenge, Tag,
    link::{LinkError, sealed_from_digits},
    sealed::Refused,
};
use sha2::{Digest as _, Sha256};
use std::sync::{Arc, Weak};
use watch::Watched;

/// A code is worth nothing to a recorder after this long, so its mail is worth nothing either.
pub const VALIDITY_S: i64 = 48 * 3600;

/// Why a request is not queued.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Anything before the device's signature has been checked, in one word: who asks learns
    /// nothing of what is known here.
    #[error("the QR code cannot be used")]
    Unusable(#[source] Option<Refused>),
    /// A whole link was pasted, and it names another host.
    #[error("the QR code is for another service")]
    OtherService(Host),
    /// The device was revoked.
    #[error("the device has been revoked")]
    Revoked,
    /// The device has issued a newer one at that door.
    #[error("a newer QR code has replaced this one")]
    Superseded,
    /// It is over.
    #[error("the QR code has expired")]
    Expired,
    /// A limit is reached.
    #[error("a limit is reached")]
    Limited {
        /// Which.
        limit: Limit,
        /// When it is worth trying again.
        retry_after_s: i64,
    },
    /// There is no such request.
    #[error("there is no such request")]
    NotFound,
    /// Sending again is for later.
    #[error("a mail can be sent again after a minute")]
    ResendTooEarly {
        /// When.
        after_s: i64,
    },
    /// The mail is still on its way.
    #[error("the mail is still on its way")]
    StillQueued,
    /// It was sent again before.
    #[error("the mail has been sent again before")]
    ResendUsed,
    /// The store has no answer.
    #[error("the request could not be kept")]
    Store(#[from] StoreError),
}

/// The relay: all that it needs to judge and to queue.
pub struct Relay {
    /// The host that links must name.
    pub host: Host,
    /// What must survive.
    pub store: Arc<dyn Store>,
    /// The sealing keys.
    pub keys: Arc<KeyRing>,
    /// The limits.
    pub meter: Meter,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Who is told when a request's mail gets further.
    watched: Watched,
    /// Checked against when the handle is unknown, so that it takes as long as when it is known.
    nobody: VerifyingKey,
}

/// A request as it is shown to whoever holds its id.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The request.
    pub request: Request,
    /// What can be read of the challenge, while it is kept and its key and device are there.
    pub inside: Option<Inside>,
}

/// The part of a challenge that its relay may see.
#[derive(Debug, Clone)]
pub struct Inside {
    /// The tag.
    pub tag: Tag,
    /// The masked addresses.
    pub masked: Vec<String>,
    /// What for.
    pub purpose: latchkey_protocol::Purpose,
    /// The message key of the mail's subject.
    pub subject_key: String,
}

impl Relay {
    /// A relay.
    pub fn new(
        host: Host,
        store: Arc<dyn Store>,
        keys: Arc<KeyRing>,
        meter: Meter,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let nobody = SigningKey::from_bytes(&draw()).verifying_key();
        Self { host, store, keys, meter, clock, watched: Watched::default(), nobody }
    }

    /// Takes the digits of a QR code, or its whole link.
    pub async fn submit(&self, text: &str) -> Result<RequestId, Refusal> {
        self.take(&self.read(text)?, None).await
    }

    /// Takes a sealed challenge; one that a device has brought itself must be its own.
    pub async fn take(&self, sealed: &SealedChallenge, from: Option<Handle>) -> Result<RequestId, Refusal> {
        let parsed = ParsedChallenge::parse(sealed).map_err(|r| Refusal::Unusable(Some(r)))?;
        if from.is_some_and(|handle| handle != parsed.handle()) {
            return Err(Refusal::Unusable(None));
        }
        let key = self.keys.find(parsed.key_id());
        let device = self.store.device(parsed.handle()).await?;
        let signer = device.as_ref().map_or(&self.nobody, |device| &device.key);
        let verified = parsed.verify(signer).map_err(|r| Refusal::Unusable(Some(r)));
        let (Some(key), Some(device)) = (key, device) else { return Err(Refusal::Unusable(None)) };
        let verified = verified?;

        // From here on the device itself speaks, and the true reason is told.
        let digest: [u8; 32] = Sha256::digest(sealed.as_bytes()).into();
        if let Some(id) = self.store.find(digest).await? {
            return Ok(id);
        }
        if device.revoked_at_s.is_some() {
            return Err(Refusal::Revoked);
        }
        let opened = verified.open(key, &device.mode).map_err(|r| Refusal::Unusable(Some(r)))?;
        self.queue(sealed, digest, &opened).await
    }

    fn read(&self, text: &str) -> Result<SealedChallenge, Refusal> {
        let text = text.trim();
        if !text.starts_with("https://") {
            return sealed_from_digits(text).map_err(|_| Refusal::Unusable(None));
        }
        match QrLink::parse(text) {
            Ok(link) if link.host == self.host => Ok(link.sealed),
            Ok(link) => Err(Refusal::OtherService(link.host)),
            Err(
                LinkError::Host
                | LinkError::HostTooLong
                | LinkError::NotALink
                | LinkError::Digits(_)
                | LinkError::Length,
            ) => Err(Refusal::Unusable(None)),
        }
    }

    async fn queue(
        &self,
        sealed: &SealedChallenge,
        digest: [u8; 32],
        opened: &OpenedChallenge,
    ) -> Result<RequestId, Refusal> {
        let challenge = opened.challenge();
        let now_s = self.clock.now_s();
        let new = NewRequest {
            id: RequestId(draw()),
            digest,
            sealed: sealed.as_bytes().to_vec(),
            handle: opened.handle(),
            life: challenge.life,
            door: challenge.door,
            purpose: challenge.message.purpose(),
            counter: challenge.counter,
            tokens: challenge.addresses.iter().map(|_| MailToken(draw())).collect(),
            uses: self.meter.uses(opened.handle(), challenge),
            now_s,
            expires_at_s: now_s + VALIDITY_S,
        };
        match self.store.accept(new).await? {
            Accepted::New(id) => {
                tracing::info!(%id, handle = %opened.handle(), purpose = ?challenge.message.purpose(), "queued");
                Ok(id)
            }
            Accepted::Known(id) => Ok(id),
            Accepted::Superseded => Err(Refusal::Superseded),
            Accepted::Expired => Err(Refusal::Expired),
            Accepted::Limited { limit, retry_after_s } => Err(Refusal::Limited { limit, retry_after_s }),
        }
    }

    /// Has someone told, for as long as they live, whenever a request's mail gets further.
    pub fn watch(&self, id: RequestId, who: Weak<dyn Watch>) {
        self.watched.add(id, who, self.clock.up_ms());
    }

    /// Has them told no more.
    pub fn unwatch(&self, id: RequestId, who: &Weak<dyn Watch>) {
        self.watched.remove(id, who);
    }

    /// Tells those who watch a request how its mail is.
    pub async fn tell(&self, id: RequestId) {
        let watchers = self.watched.of(id);
        if watchers.is_empty() {
            return;
        }
        match self.store.request(id).await {
            Ok(Some(request)) => {
                self.told(&request);
                watchers.iter().for_each(|watcher| watcher.told(&request));
            }
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(error = %crate::worker::chain(&error), "a mail's state cannot be told");
            }
        }
    }

    /// Whoever watches a request has been told how its mail is; whether that is something new.
    pub fn told(&self, request: &Request) -> bool {
        request.mail().is_some_and(|mail| self.watched.knows(request.id, mail.state))
    }

    /// Tells of mails that another node has sent, or has heard of.
    pub async fn look(&self) -> Result<(), StoreError> {
        for id in self.watched.open(self.clock.up_ms()) {
            if let Some(request) = self.store.request(id).await?
                && self.told(&request)
            {
                self.watched.of(id).iter().for_each(|watcher| watcher.told(&request));
            }
        }
        Ok(())
    }

    /// Forgets the watchers that are gone.
    pub fn tidy(&self) {
        self.watched.tidy();
    }

    /// Shows a request. It is opened again for that: the store has no address to show.
    pub async fn show(&self, id: RequestId) -> Result<Shown, Refusal> {
        let request = self.store.request(id).await?.ok_or(Refusal::NotFound)?;
        let opened = match &request.sealed {
            Some(sealed) => self.reopen(sealed).await?,
            None => None,
        };
        let inside = opened.map(|(tag, _, opened)| Inside {
            tag,
            masked: opened.challenge().addresses.iter().map(|a| a.masked()).collect(),
            purpose: opened.challenge().message.purpose(),
            subject_key: subject_key(&opened.challenge().message),
        });
        Ok(Shown { request, inside })
    }

    /// Sends a request's mails once more.
    pub async fn resend(&self, id: RequestId) -> Result<(), Refusal> {
        let request = self.store.request(id).await?.ok_or(Refusal::NotFound)?;
        let opened = match &request.sealed {
            Some(sealed) => self.reopen(sealed).await?,
            None => None,
        };
        let (_, device, opened) = opened.ok_or(Refusal::Expired)?;
        if device.revoked_at_s.is_some() {
            return Err(Refusal::Revoked);
        }
        let uses = self.meter.uses(opened.handle(), opened.challenge());
        match self.store.resend(id, uses, self.clock.now_s()).await? {
            Resend::Queued => Ok(()),
            Resend::Unknown => Err(Refusal::NotFound),
            Resend::TooEarly { after_s } => Err(Refusal::ResendTooEarly { after_s }),
            Resend::StillQueued => Err(Refusal::StillQueued),
            Resend::Used => Err(Refusal::ResendUsed),
            Resend::Superseded => Err(Refusal::Superseded),
            Resend::Expired => Err(Refusal::Expired),
            Resend::Limited { limit, retry_after_s } => Err(Refusal::Limited { limit, retry_after_s }),
        }
    }

    /// Opens sealed bytes out of the queue. `None` if their key or device is gone.
    pub async fn reopen(&self, sealed: &[u8]) -> Result<Option<(Tag, Device, OpenedChallenge)>, StoreError> {
        let Some(sealed) = SealedChallenge::from_bytes(sealed.to_vec()) else { return Ok(None) };
        let Ok(parsed) = ParsedChallenge::parse(&sealed) else { return Ok(None) };
        let Some(device) = self.store.device(parsed.handle()).await? else { return Ok(None) };
        let Some(key) = self.keys.find(parsed.key_id()) else { return Ok(None) };
        let opened = parsed.verify(&device.key).and_then(|v| v.open(key, &device.mode)).ok();
        Ok(opened.map(|opened| (Tag::of(sealed.as_bytes()), device, opened)))
    }
}

/// How a device seals, for a log.
pub fn mode_name(mode: &Mode) -> &'static str {
    match mode {
        Mode::Base => "base",
        Mode::Psk(_) => "psk",
    }
}
