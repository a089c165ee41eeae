//! Who is told when a request's mail gets further.

use crate::store::{Request, RequestId};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

/// Wants to know how a mail gets on.
pub trait Watch: Send + Sync {
    /// A request's mail is in another state. Must not wait.
    fn told(&self, request: &Request);
}

/// By request. Whoever is gone is not told, and is forgotten at the next chance.
#[derive(Default)]
pub(super) struct Watched(Mutex<HashMap<RequestId, Vec<Weak<dyn Watch>>>>);

impl Watched {
    pub(super) fn add(&self, id: RequestId, who: Weak<dyn Watch>) {
        let mut requests = self.lock();
        let watchers = requests.entry(id).or_default();
        watchers.retain(|other| other.strong_count() > 0 && !other.ptr_eq(&who));
        watchers.push(who);
    }

    pub(super) fn remove(&self, id: RequestId, who: &Weak<dyn Watch>) {
        if let Some(watchers) = self.lock().get_mut(&id) {
            watchers.retain(|other| !other.ptr_eq(who));
        }
    }

    pub(super) fn of(&self, id: RequestId) -> Vec<Arc<dyn Watch>> {
        self.lock().get(&id).map(|all| all.iter().filter_map(Weak::upgrade).collect()).unwrap_or_default()
    }

    pub(super) fn tidy(&self) {
        self.lock().retain(|_, all| {
            all.retain(|watcher| watcher.strong_count() > 0);
            !all.is_empty()
        });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RequestId, Vec<Weak<dyn Watch>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
