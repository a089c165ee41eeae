//! The task that owns the recovery state. It takes one action at a time: steps the heart, makes the
//! durable effects durable off the task, installs the state, and only then answers.

use super::{
    hooks::{self, HookLine},
    watchdog::{Beat, Beats},
};
use crate::{
    clock::{Clock, Entropy},
    hash::{self, HashCost},
    recovery::{
        Action, Context, Effect, HashJob, HashOutcome, Notice, PasswordId, PlatformSettings, Refusal, Reply,
        Request, RequestId, State, Ticket, effect::Event,
    },
    store::{Change, Finding, Store, StoreError},
    web::Ask,
};
use latchkey_protocol::DeviceIdentity;
use latchkey_protocol::platform::Sealed;
use std::{
    collections::{HashMap, VecDeque},
    io,
    sync::Arc,
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::{JoinError, JoinHandle, spawn_blocking},
};

/// Why the task cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// The kernel gave no time.
    #[error("failed to read the clock")]
    Clock(#[source] io::Error),
    /// The store panicked or was shut down: what it holds is unknown until a restart reads it.
    #[error("the store stopped in the middle of its work")]
    Store(#[source] JoinError),
    /// Nobody can be asked for the password any more. A restart brings the helper back.
    #[error("the board's hook that keeps the password cannot be asked any more")]
    AuthorityLost,
    /// A bug: a step began while the one before it was being stored.
    #[error("a step began before the one before it was stored")]
    StoreAway,
}

/// What the task works with.
pub struct Parts {
    /// Facts of the device.
    pub context: Context,
    /// Where things are kept.
    pub store: Box<dyn Store>,
    /// Time.
    pub clock: Box<dyn Clock>,
    /// Randomness.
    pub entropy: Box<dyn Entropy>,
    /// What a password hash costs.
    pub hash_cost: HashCost,
}

/// The task, ready to run.
pub struct HeartTask {
    state: State,
    /// Away only while it works.
    store: Option<Box<dyn Store>>,
    clock: Box<dyn Clock>,
    entropy: Box<dyn Entropy>,
    hasher: Hasher,
    asks: mpsc::Receiver<Ask>,
    beats: Option<Beats>,
    hooks: Option<HookLine>,
    waiting: HashMap<RequestId, oneshot::Sender<Result<Reply, Refusal>>>,
    next_request: u64,
    platform: watch::Sender<PlatformSettings>,
    notices: watch::Sender<Vec<Notice>>,
    /// Notices that the cloud has, or never will have.
    told: Option<mpsc::Receiver<Vec<Sealed>>>,
    identities: Option<watch::Receiver<Option<Arc<DeviceIdentity>>>>,
}

impl HeartTask {
    /// Loads what is stored, says in the log what was found, and boots the heart.
    pub fn start(parts: Parts, asks: mpsc::Receiver<Ask>) -> Result<Self, TaskError> {
        let Parts { context, mut store, clock, entropy, hash_cost } = parts;
        let loaded = store.load();
        loaded.findings.iter().for_each(tell_finding);
        let state = State::boot(context, loaded.stored, clock.now().map_err(TaskError::Clock)?);
        let platform = watch::Sender::new(state.platform());
        let notices = watch::Sender::new(state.notices().to_vec());
        Ok(Self {
            state,
            store: Some(store),
            clock,
            entropy,
            hasher: Hasher { cost: hash_cost, queue: VecDeque::new(), running: None, authority: None },
            asks,
            beats: None,
            hooks: None,
            waiting: HashMap::new(),
            next_request: 0,
            platform,
            notices,
            told: None,
            identities: None,
        })
    }

    /// Answers these beats whenever it comes round.
    pub fn watched_by(self, beats: Beats) -> Self {
        Self { beats: Some(beats), ..self }
    }

    /// Seals with these identities from now on: the present one, and what takes its place.
    pub fn with_identities(self, identities: watch::Receiver<Option<Arc<DeviceIdentity>>>) -> Self {
        Self { identities: Some(identities), ..self }
    }

    /// Has the board's hooks told of passwords, or asked for them.
    pub(super) fn with_hooks(mut self, line: HookLine, helper: hooks::Shared) -> Self {
        self.hooks = Some(line);
        self.hasher.authority = Some(helper);
        self
    }

    /// Runs until every door has let go of its handle and every request is answered.
    pub async fn run(mut self) -> Result<(), TaskError> {
        let mut open = true;
        while open || self.hasher.running.is_some() {
            tokio::select! {
                biased;
                (ticket, outcome) = self.hasher.done(), if self.hasher.running.is_some() => {
                    let is_lost = outcome.is_none();
                    let outcome = outcome.unwrap_or(HashOutcome::Failed);
                    self.take(Action::Hashed { ticket, outcome }).await?;
                    if is_lost {
                        return Err(TaskError::AuthorityLost);
                    }
                }
                ask = self.asks.recv(), if open => match ask {
                    Some(ask) => self.ask(ask).await?,
                    None => open = false,
                },
                tried = next_tried(&mut self.hooks) => match tried {
                    Some((basis, taken)) => {
                        if let Some(line) = self.hooks.as_ref().filter(|_| taken) {
                            line.forget(basis);
                        }
                        self.take(Action::HooksTried { basis, taken }).await?;
                    }
                    None => self.hooks = None,
                },
                told = next_told(&mut self.told) => match told {
                    Some(done) => self.take(Action::NoticesDone(done)).await?,
                    None => self.told = None,
                },
                identity = next_identity(&mut self.identities) => match identity {
                    Some(identity) => self.state = self.state.with_identity(identity),
                    None => self.identities = None,
                },
                beat = next_beat(&mut self.beats) => match beat {
                    Some(beat) => _ = beat.send(()), // whoever felt the pulse may be gone
                    None => self.beats = None,
                },
            }
        }
        Ok(())
    }

    async fn ask(&mut self, ask: Ask) -> Result<(), TaskError> {
        let Ask { door, request, answer } = ask;
        if !self.clock.knows_boot() && is_about_a_challenge(&request) {
            let _ = answer.send(Err(Refusal::Unavailable)); // whoever asked may be gone
            return Ok(());
        }
        let id = RequestId(self.next_request);
        self.next_request += 1;
        self.waiting.insert(id, answer);
        self.take(Action::Asked { id, door, request }).await
    }

    /// Takes an action and what follows from it at once.
    async fn take(&mut self, action: Action) -> Result<(), TaskError> {
        let mut next = VecDeque::from([action]);
        while let Some(action) = next.pop_front() {
            let now = self.clock.now().map_err(TaskError::Clock)?;
            let mut rng = match self.entropy.generator() {
                Ok(rng) => rng,
                Err(error) => {
                    tracing::error!(%error, "the kernel gives no random numbers: nothing secret can be made");
                    match action {
                        Action::Asked { id, .. } => self.answer(id, Err(Refusal::Unavailable)),
                        _ => return self.start_over(Refusal::Unavailable),
                    }
                    continue;
                }
            };
            let step = self.state.step(action, now, &mut rng);
            let (changes, effects) = split(step.effects);
            if let Err(error) = self.make_durable(changes).await? {
                tracing::error!(error = chain(&error), "a change was not stored");
                return self.start_over(Refusal::StorageFailed);
            }
            self.state = step.state;
            self.tell_platform();
            for effect in effects {
                match effect {
                    Effect::Then(action) => next.push_back(action),
                    Effect::Hooks(order) => {
                        if let Some(line) = &self.hooks {
                            line.pass(order);
                        }
                    }
                    Effect::Hash(ticket, job) => self.hasher.add(ticket, job),
                    Effect::Reply(id, reply) => self.answer(id, reply),
                    Effect::Log(event) => tell_event(event),
                    Effect::CommitRecord(_)
                    | Effect::EraseRecord
                    | Effect::WritePending(_)
                    | Effect::ErasePending(_) => {} // split off above
                }
            }
        }
        Ok(())
    }

    async fn make_durable(&mut self, changes: Vec<Change>) -> Result<Result<(), StoreError>, TaskError> {
        if changes.is_empty() {
            return Ok(Ok(()));
        }
        // The store is away only in here, and this task does nothing else meanwhile.
        let mut store = self.store.take().ok_or(TaskError::StoreAway)?;
        let work = move || {
            let result = store.carry_out(&changes);
            (store, result)
        };
        let (store, result) = spawn_blocking(work).await.map_err(TaskError::Store)?;
        self.store = Some(store);
        Ok(result)
    }

    /// Nothing of the failed step counts: goes on from what the store says is in force. Every request
    /// that waits is answered.
    fn start_over(&mut self, refusal: Refusal) -> Result<(), TaskError> {
        let now = self.clock.now().map_err(TaskError::Clock)?;
        let store = self.store.as_ref().ok_or(TaskError::StoreAway)?;
        self.state = self.state.read_back(store.settled(), now);
        self.tell_platform();
        self.hasher.queue.clear();
        for (_, answer) in self.waiting.drain() {
            let _ = answer.send(Err(refusal)); // whoever asked may be gone
        }
        Ok(())
    }

    /// The settings of platform access, and every change of them.
    pub fn platform(&self) -> watch::Receiver<PlatformSettings> {
        self.platform.subscribe()
    }

    /// What waits to be handed to the cloud, and where to tell what was.
    pub fn notices(&mut self) -> (watch::Receiver<Vec<Notice>>, mpsc::Sender<Vec<Sealed>>) {
        let (sender, told) = mpsc::channel(1);
        self.told = Some(told);
        (self.notices.subscribe(), sender)
    }

    fn tell_platform(&self) {
        let now = self.state.platform();
        self.platform.send_if_modified(|told| {
            let changed = *told != now;
            *told = now;
            changed
        });
        let waiting = self.state.notices();
        self.notices.send_if_modified(|told| {
            let changed = told != waiting;
            if changed {
                *told = waiting.to_vec();
            }
            changed
        });
    }

    fn answer(&mut self, id: RequestId, reply: Result<Reply, Refusal>) {
        if let Some(answer) = self.waiting.remove(&id) {
            let _ = answer.send(reply); // whoever asked may be gone
        }
    }
}

/// What came of telling the hooks; nothing without any. Safe to drop and call again.
async fn next_tried(line: &mut Option<HookLine>) -> Option<(PasswordId, bool)> {
    match line {
        Some(line) => line.tried().await,
        None => std::future::pending().await,
    }
}

/// Notices that were handed over; none while nobody does. Safe to drop and call again.
async fn next_told(told: &mut Option<mpsc::Receiver<Vec<Sealed>>>) -> Option<Vec<Sealed>> {
    match told {
        Some(told) => told.recv().await,
        None => std::future::pending().await,
    }
}

/// The next identity; none if there can be no other. Safe to drop and call again.
async fn next_identity(
    identities: &mut Option<watch::Receiver<Option<Arc<DeviceIdentity>>>>,
) -> Option<Option<Arc<DeviceIdentity>>> {
    let Some(identities) = identities else { return std::future::pending().await };
    identities.changed().await.ok()?;
    Some(identities.borrow_and_update().clone())
}

/// The next beat that is asked for; none while nobody watches. Safe to drop and call again.
async fn next_beat(beats: &mut Option<Beats>) -> Option<Beat> {
    match beats {
        Some(beats) => beats.recv().await,
        None => std::future::pending().await,
    }
}

/// Runs hash jobs off the task, one at a time: one is as large as the device can bear.
struct Hasher {
    cost: HashCost,
    queue: VecDeque<(Ticket, HashJob)>,
    running: Option<(Ticket, JoinHandle<Option<HashOutcome>>)>,
    authority: Option<hooks::Shared>,
}

impl Hasher {
    fn add(&mut self, ticket: Ticket, job: HashJob) {
        self.queue.push_back((ticket, job));
        self.start_next();
    }

    fn start_next(&mut self) {
        if self.running.is_some() {
            return;
        }
        if let Some((ticket, job)) = self.queue.pop_front() {
            let cost = self.cost;
            let authority = self.authority.clone();
            let work = move || match (&job, authority) {
                (HashJob::SetAtAuthority { .. } | HashJob::AskAuthority { .. }, Some(helper)) => {
                    hooks::ask_authority(&helper, &job)
                }
                _ => Some(hash::run(cost, &job)),
            };
            self.running = Some((ticket, spawn_blocking(work)));
        }
    }

    /// The outcome of the job that runs. Safe to drop and call again.
    /// None in its place: the authority cannot be asked any more.
    async fn done(&mut self) -> (Ticket, Option<HashOutcome>) {
        let Some((ticket, job)) = &mut self.running else { return std::future::pending().await };
        let outcome = job.await.unwrap_or(Some(HashOutcome::Failed)); // it panicked: out of memory
        let ticket = *ticket;
        self.running = None;
        self.start_next();
        (ticket, outcome)
    }
}

/// The durable effects, which come first, and the others.
fn split(effects: Vec<Effect>) -> (Vec<Change>, Vec<Effect>) {
    let mut changes = Vec::new();
    let mut others = Vec::new();
    for effect in effects {
        match effect {
            Effect::CommitRecord(record) => changes.push(Change::CommitRecord(record)),
            Effect::EraseRecord => changes.push(Change::EraseRecord),
            Effect::WritePending(pending) => changes.push(Change::WritePending(pending)),
            Effect::ErasePending(place) => changes.push(Change::ErasePending(place)),
            other => others.push(other),
        }
    }
    (changes, others)
}

fn is_about_a_challenge(request: &Request) -> bool {
    matches!(
        request,
        Request::BeginReset { .. }
            | Request::ViewChallenge
            | Request::VerifyCode { .. }
            | Request::SetPassword { .. }
            | Request::BeginConfirmation { .. }
            | Request::ViewConfirmation { .. }
            | Request::ConfirmEmail { .. }
    )
}

fn tell_finding(finding: &Finding) {
    match finding {
        Finding::BothDamaged { .. } => tracing::error!("{finding}"),
        Finding::KeptAside { .. } | Finding::CopyRepaired { .. } => tracing::info!("{finding}"),
        _ => tracing::warn!("{finding}"),
    }
}

fn tell_event(event: Event) {
    match event {
        Event::Activated(door) => tracing::info!(?door, "the device was activated"),
        Event::SignedIn(door) => tracing::info!(?door, "admin signed in"),
        Event::SignInFailed(door) => tracing::warn!(?door, "a sign-in failed: wrong password"),
        Event::PasswordChanged(door) => tracing::info!(?door, "the admin password was changed"),
        Event::EmailChanged(door) => tracing::info!(?door, "the reserved email was changed"),
        Event::PlatformSet(door) => tracing::info!(?door, "platform access was set"),
        Event::ChallengeIssued(door) => tracing::info!(?door, "a reset by email was begun"),
        Event::CodeAccepted(door) => tracing::info!(?door, "a verification code was accepted"),
        Event::CodeRefused(door) => tracing::warn!(?door, "a verification code was refused"),
        Event::PasswordReset(door) => tracing::info!(?door, "the admin password was reset by email"),
        Event::ConfirmationIssued(door) => {
            tracing::info!(?door, "a code to confirm a reserved email was asked for");
        }
        Event::EmailConfirmed(door) => tracing::info!(?door, "a reserved email was confirmed"),
        Event::NoticeDropped => {
            tracing::warn!("too many notices wait for the platform link: the oldest one was dropped");
        }
        Event::LanClosed => tracing::warn!("too many failures: reset and sign-in on the LAN are closed"),
        Event::HooksTaken => tracing::info!("the recorder's other software has taken the password"),
        Event::FactoryReset => tracing::warn!("factory reset: the account was erased"),
    }
}

/// An error with everything that it comes from.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text.push_str(": ");
        text.push_str(&source.to_string());
        next = source.source();
    }
    text
}
