//! Who is told when a request's mail gets further.

use crate::store::{MailState, Request, RequestId};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

/// Wants to know how a mail gets on.
pub trait Watch: Send + Sync {
    /// A request's mail is in another state. Must not wait.
    fn told(&self, request: &Request);
}

/// How long other nodes' work on a request is looked for: they send within minutes, or later by far.
const LOOK_MS: u64 = 10 * 60 * 1000;

/// By request. Whoever is gone is not told, and is forgotten at the next chance.
#[derive(Default)]
pub(super) struct Watched(Mutex<HashMap<RequestId, Followed>>);

/// A request that somebody watches.
struct Followed {
    who: Vec<Weak<dyn Watch>>,
    /// What they know.
    state: MailState,
    since_ms: u64,
}

impl Watched {
    pub(super) fn add(&self, id: RequestId, who: Weak<dyn Watch>, now_ms: u64) {
        let mut requests = self.lock();
        let followed = requests.entry(id).or_insert_with(|| Followed {
            who: vec![],
            state: MailState::Queued,
            since_ms: now_ms,
        });
        followed.since_ms = now_ms;
        followed.who.retain(|other| other.strong_count() > 0 && !other.ptr_eq(&who));
        followed.who.push(who);
    }

    /// Requests whose mail may get further by the work of another node.
    pub(super) fn open(&self, now_ms: u64) -> Vec<RequestId> {
        let is_open = |followed: &Followed| {
            now_ms.saturating_sub(followed.since_ms) < LOOK_MS
                && matches!(followed.state, MailState::Queued | MailState::Accepted)
                && followed.who.iter().any(|watcher| watcher.strong_count() > 0)
        };
        self.lock().iter().filter(|(_, followed)| is_open(followed)).map(|(id, _)| *id).collect()
    }

    /// Whoever watches knows this from now on. Whether it is new.
    pub(super) fn knows(&self, id: RequestId, state: MailState) -> bool {
        let mut requests = self.lock();
        let Some(followed) = requests.get_mut(&id) else { return false };
        std::mem::replace(&mut followed.state, state) != state
    }

    pub(super) fn remove(&self, id: RequestId, who: &Weak<dyn Watch>) {
        if let Some(followed) = self.lock().get_mut(&id) {
            followed.who.retain(|other| !other.ptr_eq(who));
        }
    }

    pub(super) fn of(&self, id: RequestId) -> Vec<Arc<dyn Watch>> {
        self.lock().get(&id).map(|all| all.who.iter().filter_map(Weak::upgrade).collect()).unwrap_or_default()
    }

    pub(super) fn tidy(&self) {
        self.lock().retain(|_, all| {
            all.who.retain(|watcher| watcher.strong_count() > 0);
            !all.who.is_empty()
        });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RequestId, Followed>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
