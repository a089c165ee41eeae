//! What the heart wants the board's hooks to be told: until it is taken, from memory; or, where the
//! vendor's own database is the authority, at once and with an answer.

use crate::{
    board::{Ended, Helper, Order, Ran, helper},
    config::{self, Config},
    recovery::{HashJob, HashOutcome, HookEvent, HookOrder, Hooks, Password, PasswordId},
};
use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{mpsc, watch},
    task::spawn_blocking,
    time::timeout,
};
use zeroize::Zeroizing;

/// The first wait after a hook failed, which then doubles.
const WAIT_MIN: Duration = Duration::from_secs(10);
/// The longest wait.
const WAIT_MAX: Duration = Duration::from_secs(3600);

/// The helper, as long as it answers. It cannot be started again: that took root.
pub(super) type Shared = Arc<Mutex<Option<Helper>>>;

/// A password to be told.
struct Told {
    event: HookEvent,
    password: Password,
    basis: PasswordId,
}

/// The heart's end.
pub(super) struct HookLine {
    orders: watch::Sender<Option<Arc<Told>>>,
    tried: mpsc::Receiver<(PasswordId, bool)>,
}

/// Tells the hooks what the heart wants them told.
pub(super) struct HookTask {
    helper: Shared,
    orders: watch::Receiver<Option<Arc<Told>>>,
    tried: mpsc::Sender<(PasswordId, bool)>,
}

/// What the board has its hooks for.
pub(super) fn kind(config: Option<&config::Hooks>) -> Hooks {
    match config {
        None => Hooks::None,
        Some(config::Hooks { authority: None, .. }) => Hooks::Told,
        Some(_) => Hooks::Authority,
    }
}

/// What the helper goes by.
pub(super) fn settings(config: &Config) -> Option<helper::Settings> {
    config.hooks.as_ref().map(|hooks| helper::Settings {
        folder: hooks.folder.clone(),
        user: hooks.user.clone(),
        serial: config.device.serial.clone(),
        limit: Duration::from_secs(hooks.limit_s),
        authority: hooks.authority.clone(),
    })
}

/// Starts the helper, if the board has hooks. Without it the daemon does what it can.
pub(super) fn start_helper(config: &Config) -> Shared {
    let started = config.hooks.as_ref().and_then(|hooks| {
        let mut arguments = vec![PathBuf::from("--board"), config.files.0.clone()];
        arguments.extend(config.files.1.iter().flat_map(|file| [PathBuf::from("--settings"), file.clone()]));
        let helper = Helper::start(&arguments, hooks.limit_s);
        helper
            .inspect_err(|error| tracing::error!(%error, "hooks cannot be run: their helper does not start"))
            .ok()
    });
    if let Some(helper) = &started {
        tracing::info!(pid = helper.pid(), "a helper runs the hooks");
    }
    Arc::new(Mutex::new(started))
}

/// A line between the heart and the hooks.
pub(super) fn line(helper: Shared) -> (HookLine, HookTask) {
    let (orders, ordered) = watch::channel(None);
    let (tried, results) = mpsc::channel(4);
    (HookLine { orders, tried: results }, HookTask { helper, orders: ordered, tried })
}

impl HookLine {
    /// Passes an order on. The newest counts; one before it is dropped, and its password wiped.
    pub(super) fn pass(&self, order: HookOrder) {
        self.orders.send_replace(match order {
            HookOrder::Tell { event, password, basis } => Some(Arc::new(Told { event, password, basis })),
            HookOrder::Forget => None,
        });
    }

    /// What came of an order. Safe to drop and call again.
    pub(super) async fn tried(&mut self) -> Option<(PasswordId, bool)> {
        self.tried.recv().await
    }

    /// Wipes a password that was taken.
    pub(super) fn forget(&self, basis: PasswordId) {
        self.orders.send_if_modified(|told| told.take_if(|told| told.basis == basis).is_some());
    }
}

impl HookTask {
    /// Runs until the heart is gone.
    pub(super) async fn run(mut self) {
        while self.orders.changed().await.is_ok() {
            let told = self.orders.borrow_and_update().clone();
            if let Some(told) = told
                && !self.tell(&told).await
            {
                return;
            }
        }
    }

    /// Tells one password until it is taken or another one counts. False: the heart is gone.
    async fn tell(&mut self, told: &Told) -> bool {
        let (mut done, mut wait) = (Vec::new(), WAIT_MIN);
        loop {
            let ran =
                carry_out(&self.helper, event_name(told.event), told.password.clone(), done.clone()).await;
            let lost = ran.is_none();
            let ran = ran.unwrap_or_default();
            ran.iter().for_each(tell_failure);
            let taken = !lost && ran.iter().all(|ran| ran.ended == Ended::Done);
            done.extend(ran.into_iter().filter(|ran| ran.ended == Ended::Done).map(|ran| ran.name));
            if self.tried.send((told.basis, taken)).await.is_err() {
                return false;
            }
            if taken || lost {
                return true;
            }
            match timeout(wait, self.orders.changed()).await {
                Ok(changed) => {
                    self.orders.mark_changed();
                    return changed.is_ok();
                }
                Err(_) => wait = (wait * 2).min(WAIT_MAX),
            }
        }
    }
}

/// Has the helper tell the hooks, off this thread. None: the helper is lost, now or before.
async fn carry_out(helper: &Shared, event: &str, password: Password, done: Vec<String>) -> Option<Vec<Ran>> {
    let (helper, event) = (helper.clone(), event.to_owned());
    spawn_blocking(move || order(&helper, event, &password, done)).await.ok().flatten()
}

fn order(helper: &Shared, event: String, password: &Password, done: Vec<String>) -> Option<Vec<Ran>> {
    let mut place = helper.lock().unwrap_or_else(PoisonError::into_inner);
    let order = Order { event, password: Zeroizing::new(password.to_string()), done };
    let ran = place.as_mut()?.carry_out(&order);
    if let Err(error) = &ran {
        tracing::error!(%error, "the helper that runs the hooks is lost; it comes back when latchkeyd is started again");
        *place = None;
    }
    ran.ok()
}

/// Asks the vendor's own database, which keeps the password in our place. None: it cannot be asked
/// any more.
pub(super) fn ask_authority(helper: &Shared, job: &HashJob) -> Option<HashOutcome> {
    let (event, password) = match job {
        HashJob::SetAtAuthority { password, .. } => ("set", password),
        HashJob::AskAuthority { password } => ("verify", password),
        HashJob::Make { .. } | HashJob::Compare { .. } => return Some(HashOutcome::Failed),
    };
    let ran = order(helper, event.to_owned(), password, Vec::new())?;
    Some(match (event, ran.as_slice()) {
        ("set", [Ran { ended: Ended::Done, .. }]) => HashOutcome::Made(String::new()),
        ("verify", [Ran { ended: Ended::Done, .. }]) => HashOutcome::Compared(true),
        ("verify", [Ran { ended: Ended::No, .. }]) => HashOutcome::Compared(false),
        (_, ran) => {
            ran.iter().for_each(tell_failure);
            HashOutcome::Failed
        }
    })
}

fn tell_failure(ran: &Ran) {
    let why = match &ran.ended {
        Ended::Done => return,
        Ended::No => "exit code 1",
        Ended::Failed(why) => why,
    };
    tracing::warn!(hook = ran.name, why, said = ran.said, "a hook did not do what it was told");
}

fn event_name(event: HookEvent) -> &'static str {
    match event {
        HookEvent::Activated => "activated",
        HookEvent::PasswordChanged => "password-changed",
        HookEvent::PasswordReset => "password-reset",
        HookEvent::SignedIn => "signed-in",
    }
}
