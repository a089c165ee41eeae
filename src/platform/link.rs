//! The task that owns the link: off, waiting, connecting, online, and round again.

use super::{
    connect::{LinkIdentity, Socket, Stopped, connect},
    enrol::{Enroller, NotEnrolled},
    learn::Keeper,
    policy::{Bounds, Ended, Policy},
    session::{Finish, Session},
    status::{NotSent, Reason, Sent, State, Status},
    time::LinkTime,
    time_question,
};
use crate::{
    clock::Clock,
    recovery::{DeviceCode, Now, record::PlatformSettings},
};
use chacha20::ChaCha20Rng;
use latchkey_protocol::{
    Host, SealedChallenge,
    claim::ClaimCode,
    platform::{MailState, MailStatus, Registered, RelayId},
};
use sha2::{Digest, Sha256};
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio::{
    sync::{Mutex, mpsc, oneshot, watch},
    time::timeout,
};

/// Requests that wait for the task.
const QUEUE_MAX: usize = 8;
/// Mails whose state is remembered: more than notices come in a minute, so that they do not push out a person's own.
const MAILS_MAX: usize = 32;
/// The saved time is moved on at most so often, to spare the flash.
const FLOOR_STEP_S: i64 = 86_400;

/// What the task is asked.
#[derive(Debug)]
pub(super) enum Ask {
    /// Do not wait for the next attempt.
    TryNow,
    /// Hand over a sealed challenge.
    Submit {
        /// The challenge.
        sealed: SealedChallenge,
        /// Where the answer goes.
        answer: oneshot::Sender<Result<Sent, NotSent>>,
    },
    /// Have a mail sent once more.
    Resend {
        /// The mail as it is known.
        mail: Mail,
        /// Where the answer goes.
        answer: oneshot::Sender<Result<Sent, NotSent>>,
    },
}

/// How far the mail of a challenge is that was handed over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mail {
    /// The sealed challenge's hash.
    pub(super) hash: [u8; 32],
    /// The cloud's name for the request.
    pub(super) relay: RelayId,
    /// The connection on which it was handed over: the cloud tells nothing of it on a later one.
    connection: u32,
    /// How far.
    pub(super) status: MailStatus,
}

/// The mails of this run of the daemon, the latest first.
pub(super) type Mails = VecDeque<Mail>;

/// The way to the task.
#[derive(Clone)]
pub struct Handle {
    enroller: Arc<Enroller>,
    asks: mpsc::Sender<Ask>,
    status: watch::Receiver<Status>,
    mails: watch::Receiver<Mails>,
}

impl Handle {
    /// The link as it is now.
    pub fn status(&self) -> Status {
        self.status.borrow().clone()
    }

    /// Asks for an attempt at once; nothing if one is under way or the link is up or off.
    pub fn try_now(&self) {
        let _ = self.asks.try_send(Ask::TryNow); // full: the task has more than enough to wake it
    }

    /// Hands a sealed challenge to the cloud. The same one may be handed over again; no second mail comes of it.
    pub async fn submit(&self, sealed: SealedChallenge) -> Result<Sent, NotSent> {
        self.ask(|answer| Ask::Submit { sealed, answer }).await
    }

    /// Hands a sealed challenge to the cloud whose mail, if it was handed over before, is to be sent once more.
    pub async fn submit_again(&self, sealed: SealedChallenge) -> Result<Sent, NotSent> {
        match self.known(&sealed) {
            Some(mail) => self.ask(|answer| Ask::Resend { mail, answer }).await,
            None => self.submit(sealed).await,
        }
    }

    async fn ask(
        &self,
        ask: impl FnOnce(oneshot::Sender<Result<Sent, NotSent>>) -> Ask,
    ) -> Result<Sent, NotSent> {
        if self.status.borrow().state != State::Online {
            return Err(NotSent::Offline);
        }
        let (answer, reply) = oneshot::channel();
        self.asks.try_send(ask(answer)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => NotSent::Busy,
            mpsc::error::TrySendError::Closed(_) => NotSent::Offline,
        })?;
        reply.await.unwrap_or(Err(NotSent::Offline))
    }

    /// Claims an identity from a cloud, in place of the one that the device may have. The caller has
    /// made sure that the owner wants that.
    pub async fn enrol(&self, server: &Host, code: &ClaimCode) -> Result<(), NotEnrolled> {
        self.enroller.enrol(server, code).await
    }

    /// How far the mail of a sealed challenge is that was handed over by this run of the daemon. If that was on an earlier
    /// connection and its end is not known, the cloud is asked: nobody waits for that, and the answer is seen at the next look.
    pub fn mail_of(&self, sealed: &SealedChallenge) -> Option<Sent> {
        let mail = self.known(sealed)?;
        let is_out = matches!(mail.status.state, MailState::Queued | MailState::Accepted);
        let is_here = {
            let status = self.status.borrow();
            status.state != State::Online || status.connections == mail.connection
        };
        if is_out && !is_here {
            let (answer, _nobody) = oneshot::channel();
            // Full: it is asked at the next look.
            let _ = self.asks.try_send(Ask::Submit { sealed: sealed.clone(), answer });
        }
        Some(Sent { mail: mail.status })
    }

    fn known(&self, sealed: &SealedChallenge) -> Option<Mail> {
        let hash = hash_of(sealed);
        self.mails.borrow().iter().find(|mail| mail.hash == hash).copied()
    }

    /// Waits until the status or a mail changes.
    pub async fn changed(&mut self) {
        tokio::select! {
            _ = self.status.changed() => {}
            _ = self.mails.changed() => {}
        }
    }
}

/// What the task works with.
pub struct Parts {
    /// The present one. None: there is no link, and the pages say so.
    pub identity: watch::Receiver<Option<LinkIdentity>>,
    /// Keeps what is learned of it. None: nothing is learned.
    pub keeper: Option<Arc<dyn Keeper>>,
    /// Time.
    pub clock: Arc<dyn Clock + Sync>,
    /// Chance: waits, nonces.
    pub rng: ChaCha20Rng,
    /// The figures that hold without a cloud's word.
    pub bounds: Bounds,
    /// The saved time, in seconds since 1970; 0: none.
    pub floor_unix_s: i64,
    /// Saves a time. Called once a day at most.
    pub save_floor: Box<dyn FnMut(i64) + Send>,
}

/// The task and the way to it.
///
/// `settings` are the owner's, from the account record.
pub fn new(parts: Parts, settings: watch::Receiver<PlatformSettings>) -> (Handle, Link) {
    let (asks, receiver) = mpsc::channel(QUEUE_MAX);
    let (status, seen) = watch::channel(Status::default());
    let (mails, mails_seen) = watch::channel(Mails::new());
    let enroller = Arc::new(Enroller {
        keeper: parts.keeper.clone(),
        clock: Arc::clone(&parts.clock),
        floor_unix_s: parts.floor_unix_s,
        bounds: parts.bounds,
        one: Mutex::new(()),
    });
    let link = Link {
        policy: Policy::new(parts.bounds),
        time: LinkTime::new(parts.floor_unix_s),
        board: Board { status, mails },
        asks: receiver,
        settings,
        parts,
    };
    (Handle { enroller, asks, status: seen, mails: mails_seen }, link)
}

/// Where status and mails are shown.
pub(super) struct Board {
    status: watch::Sender<Status>,
    mails: watch::Sender<Mails>,
}

impl Board {
    pub(super) fn change(&self, change: impl FnOnce(&mut Status)) {
        self.status.send_modify(change);
    }

    /// A challenge was handed over.
    pub(super) fn taken(&self, hash: [u8; 32], relay: RelayId, status: MailStatus) {
        let mail = Mail { hash, relay, connection: self.status.borrow().connections, status };
        self.mails.send_modify(|mails| {
            mails.retain(|own| own.hash != mail.hash);
            mails.truncate(MAILS_MAX - 1);
            mails.push_front(mail);
        });
    }

    /// A request's mail got further.
    pub(super) fn told(&self, relay: RelayId, status: MailStatus) {
        self.mails.send_modify(|mails| {
            mails.iter_mut().filter(|own| own.relay == relay).for_each(|own| own.status = status);
        });
    }
}

/// Why a wait or an attempt was left.
enum Woken {
    Due,
    Settings,
    Stopped,
}

/// The task, ready to run.
pub struct Link {
    parts: Parts,
    policy: Policy,
    time: LinkTime,
    board: Board,
    asks: mpsc::Receiver<Ask>,
    settings: watch::Receiver<PlatformSettings>,
}

impl Link {
    /// Runs until nobody can change the settings any more.
    pub async fn run(mut self) {
        // After a power cut in a street, its recorders start together; an owner who switches the
        // link on by hand waits for nothing.
        let mut wait_ms = self.policy.first(&mut self.parts.rng);
        loop {
            let settings = self.settings.borrow_and_update().clone();
            let identity = self.parts.identity.borrow_and_update().clone();
            let server = settings.server.clone().or_else(|| identity.as_ref().map(|own| own.host.clone()));
            let Some(server) = identity.and(server) else {
                self.show(State::NoIdentity, None, None, String::new());
                if self.wait(None).await == Gone::Yes {
                    return;
                }
                continue;
            };
            if !settings.enabled {
                self.show(State::Off, None, None, server.to_string());
                if self.wait(None).await == Gone::Yes {
                    return;
                }
                wait_ms = 0;
                continue;
            }
            let code = settings.verification_code.as_ref();
            match self.stay_connected(&server, code, wait_ms).await {
                Woken::Stopped => return,
                Woken::Settings | Woken::Due => wait_ms = 0,
            }
        }
    }

    /// Connects again and again, until the settings or the identity change.
    async fn stay_connected(&mut self, server: &Host, code: Option<&DeviceCode>, wait_ms: u64) -> Woken {
        let mut wait_ms = wait_ms;
        let mut reason = None;
        loop {
            let Some(now) = self.now() else { return Woken::Stopped };
            self.show(State::Offline, reason, Some(now.boottime_ms + wait_ms), server.to_string());
            match self.sleep(wait_ms).await {
                Woken::Due => {}
                other => return other,
            }
            self.board.change(|status| {
                (status.state, status.next_try_ms) = (State::Connecting, None);
            });
            // With what was learned on the connection before.
            let Some(identity) = self.parts.identity.borrow_and_update().clone() else {
                return Woken::Settings;
            };
            let (mut settings, mut other) = (self.settings.clone(), self.parts.identity.clone());
            settings.mark_unchanged();
            let attempt = tokio::select! {
                attempt = self.attempt(&identity, server, code) => attempt,
                () = replaced(&mut other) => return Woken::Settings,
                changed = settings.changed() => {
                    return if changed.is_ok() { Woken::Settings } else { Woken::Stopped };
                }
            };
            let ended = match attempt {
                Ok((socket, registered)) => match self.serve(socket, &registered, &identity).await {
                    Finish::Ended(ended, why) => {
                        reason = Some(why);
                        ended
                    }
                    Finish::Settings => return Woken::Settings,
                    Finish::Stopped => return Woken::Stopped,
                },
                Err(stopped) => {
                    reason = Some(stopped.reason);
                    tracing::info!(reason = stopped.reason.name(), %server, "no platform link");
                    match stopped.reason {
                        Reason::Refused(reason) => {
                            Ended::Refused { reason, retry_after_s: stopped.retry_after_s }
                        }
                        _ => Ended::Failed { retry_after_s: stopped.retry_after_s },
                    }
                }
            };
            let Some(now) = self.now() else { return Woken::Stopped };
            wait_ms = self.policy.ended(now.boottime_ms, ended, &mut self.parts.rng);
        }
    }

    /// One attempt; with a wrong clock, the time is asked for once and the attempt made again, with
    /// every check.
    async fn attempt(
        &mut self,
        identity: &LinkIdentity,
        server: &Host,
        code: Option<&DeviceCode>,
    ) -> Result<(Socket, Registered), Stopped> {
        let bounds = self.parts.bounds;
        self.time.set(self.now().ok_or(Reason::Clock)?);
        let first = connect(identity, server, code, &self.time, &bounds).await;
        let Err(Stopped { reason: Reason::Clock, .. }) = first else { return first };
        let asked_ms = self.now().ok_or(Reason::Clock)?.boottime_ms;
        let unix_s = time_question::ask(identity, server, &bounds, &mut self.parts.rng).await;
        let unix_s = unix_s.ok_or(Reason::Clock)?;
        let now = self.now().ok_or(Reason::Clock)?;
        if now.boottime_ms - asked_ms > u64::from(bounds.step_max_s) * 1000 {
            return Err(Reason::Clock.into());
        }
        tracing::warn!("the clock is wrong: going by the time that the cloud signed");
        self.time.told(now, unix_s);
        self.time.set(now);
        connect(identity, server, code, &self.time, &bounds).await
    }

    /// A registered connection, until it ends.
    async fn serve(&mut self, socket: Socket, registered: &Registered, identity: &LinkIdentity) -> Finish {
        let Some(now) = self.now() else { return Finish::Stopped };
        tracing::info!("registered with the platform");
        self.policy.registered(now.boottime_ms, registered.heartbeat_s, registered.reconnect_window_s);
        self.time.told(now, registered.unix_time_s);
        let told = self.time.unix_s(now);
        if told >= self.parts.floor_unix_s + FLOOR_STEP_S {
            self.parts.floor_unix_s = told;
            (self.parts.save_floor)(told);
        }
        self.board.change(|status| {
            (status.state, status.reason) = (State::Online, None);
            status.connections = status.connections.wrapping_add(1);
            (status.last_heard_ms, status.next_try_ms) = (Some(now.boottime_ms), None);
        });
        let session = Session {
            socket,
            takes: &registered.capabilities,
            policy: &self.policy,
            clock: &*self.parts.clock,
            rng: &mut self.parts.rng,
            pong_max_ms: u64::from(self.parts.bounds.pong_max_s) * 1000,
            asks: &mut self.asks,
            settings: &mut self.settings,
            board: &self.board,
            identity: &mut self.parts.identity,
            keeper: self.parts.keeper.as_deref(),
            own: (identity.handle, identity.host.clone()),
            renew_from_unix_s: identity.renew_from_unix_s,
            time: &self.time,
        };
        let finish = session.run().await;
        if let Finish::Ended(_, reason) = &finish {
            tracing::info!(reason = reason.name(), "the platform link ended");
        }
        finish
    }

    fn show(&self, state: State, reason: Option<Reason>, next_try_ms: Option<u64>, server: String) {
        self.board.change(|status| {
            (status.state, status.reason, status.next_try_ms, status.server) =
                (state, reason, next_try_ms, server);
        });
    }

    /// Waits for a moment; less if the owner asks for an attempt.
    async fn sleep(&mut self, wait_ms: u64) -> Woken {
        match timeout(Duration::from_millis(wait_ms), self.wait(Some(Ask::TryNow))).await {
            Err(_) => Woken::Due,
            Ok(Gone::Yes) => Woken::Stopped,
            Ok(Gone::Asked) => Woken::Due,
            Ok(Gone::No) => Woken::Settings,
        }
    }

    /// Waits for other settings, and answers what is asked meanwhile. `until`: leave when asked this.
    async fn wait(&mut self, until: Option<Ask>) -> Gone {
        loop {
            tokio::select! {
                changed = self.settings.changed() => {
                    return if changed.is_ok() { Gone::No } else { Gone::Yes };
                }
                () = replaced(&mut self.parts.identity) => return Gone::No,
                ask = self.asks.recv() => match ask {
                    Some(Ask::TryNow) if until.is_some() => return Gone::Asked,
                    Some(Ask::TryNow) => {}
                    Some(Ask::Submit { answer, .. } | Ask::Resend { answer, .. }) => _ = answer.send(Err(NotSent::Offline)),
                    None => return Gone::Yes,
                },
            }
        }
    }

    fn now(&self) -> Option<Now> {
        self.parts.clock.now().inspect_err(|error| tracing::error!(%error, "the clock cannot be read")).ok()
    }
}

/// Waits until there is another identity, or something new in the present one.
pub(super) async fn replaced(identity: &mut watch::Receiver<Option<LinkIdentity>>) {
    if identity.changed().await.is_err() {
        std::future::pending().await // nobody is left who could replace it
    }
}

/// How a wait ended.
#[derive(PartialEq, Eq)]
enum Gone {
    /// The settings have changed.
    No,
    /// An attempt was asked for.
    Asked,
    /// Nobody is left.
    Yes,
}

pub(super) fn hash_of(sealed: &SealedChallenge) -> [u8; 32] {
    Sha256::digest(sealed.as_bytes()).into()
}
