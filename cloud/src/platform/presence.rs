//! Who came and went, in the store. A node has a lease, and only changes are written: a fleet that
//! stays connected costs the database nothing but the lease.

use super::Platform;
use crate::{
    store::{
        StoreError,
        fleet::{NodeId, Transition},
    },
    worker::chain,
};
use latchkey_protocol::Handle;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::watch, time::interval};

/// After this long without a word from a node, its devices are offline.
pub const LEASE_S: i64 = 60;
const RENEW_S: i64 = 20;
/// The devices online are counted at each multiple of this.
pub const COUNT_S: i64 = 300;
/// Changes are gathered this long.
const GATHER_S: u64 = 1;
/// Changes that are one job of the database.
const BATCH: usize = 1000;

/// What is to be written.
pub struct Presence {
    /// This process.
    pub node: NodeId,
    /// The last change of each device; bounded by their number.
    moves: Mutex<HashMap<Handle, Transition>>,
}

impl Presence {
    /// Of a new node.
    pub fn new() -> Self {
        Self { node: NodeId::new(), moves: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Handle, Transition>> {
        self.moves.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A device came or went.
    pub fn moved(&self, change: Transition) {
        self.lock().insert(change.handle, change);
    }
}

impl Default for Presence {
    fn default() -> Self {
        Self::new()
    }
}

impl Platform {
    /// Takes the node's lease. Done before the first device is let in.
    pub async fn open_node(&self) -> Result<(), StoreError> {
        let now_s = self.clock().now_s();
        self.relay.store.keep_node(self.presence.node, now_s, now_s + LEASE_S).await.map(drop)
    }

    /// Writes what changes until told to stop.
    pub async fn keep_presence(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let mut schedule = interval(Duration::from_secs(GATHER_S));
        let mut renew_at_s = self.clock().now_s() + RENEW_S;
        let mut counted_at_s = self.clock().now_s().div_euclid(COUNT_S) * COUNT_S;
        while !*stop.borrow() {
            tokio::select! {
                _ = schedule.tick() => {}
                _ = stop.changed() => {}
            }
            let now_s = self.clock().now_s();
            let done = async {
                // A clock that was set back must not leave the lease to end.
                if now_s >= renew_at_s || now_s < renew_at_s - RENEW_S {
                    self.renew_lease(now_s).await?;
                    renew_at_s = now_s + RENEW_S;
                }
                let slot_s = now_s.div_euclid(COUNT_S) * COUNT_S;
                if slot_s != counted_at_s {
                    let devices = u64::try_from(self.sessions.count()).unwrap_or(u64::MAX);
                    self.relay.store.count_online(self.presence.node, slot_s, devices).await?;
                    counted_at_s = slot_s;
                }
                self.write_moves().await
            };
            if let Err(error) = done.await {
                tracing::error!(error = %chain(&error), "who came and went cannot be kept just now");
            }
        }
    }

    async fn renew_lease(&self, now_s: i64) -> Result<(), StoreError> {
        let store = &self.relay.store;
        if !store.keep_node(self.presence.node, now_s, now_s + LEASE_S).await? {
            tracing::warn!("the lease had ended: telling anew who is connected");
            for session in self.sessions.all() {
                self.presence.lock().entry(session.handle).or_insert_with(|| session.moved(true, now_s));
            }
        }
        Ok(())
    }

    /// Writes what has changed. What cannot be written stays for the next time.
    pub async fn write_moves(&self) -> Result<(), StoreError> {
        loop {
            let moves: Vec<Transition> = {
                let mut waiting = self.presence.lock();
                let some: Vec<Handle> = waiting.keys().take(BATCH).copied().collect();
                some.iter().filter_map(|handle| waiting.remove(handle)).collect()
            };
            if moves.is_empty() {
                let mut waiting = self.presence.lock();
                waiting.shrink_to(BATCH);
                return Ok(());
            }
            if let Err(error) = self.relay.store.move_devices(self.presence.node, moves.clone()).await {
                let mut waiting = self.presence.lock();
                for change in moves {
                    waiting.entry(change.handle).or_insert(change);
                }
                return Err(error);
            }
        }
    }
}
