//! Who is connected to this process: one session a device.

use crate::{
    relay::Watch,
    store::{Request, RequestId, fleet::Transition},
};
use latchkey_protocol::{
    Handle,
    platform::{Capabilities, FromCloud, Register, RelayId},
};
use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};
use tokio::sync::Notify;

/// What waits to be sent to one device. A device that leaves so much unread is not listening.
const OUTBOX_MAX: usize = 32;

/// Why a registered connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The device closed it, or it broke.
    Gone,
    /// The device took nothing for too long.
    Unread,
    /// Nothing was heard for too long.
    Silent,
    /// Not a message, or not at its place.
    Malformed,
    /// A frame was too long.
    TooLong,
    /// Too many messages, or too many bytes.
    TooMany,
    /// The identity was revoked.
    Revoked,
    /// It did not answer when the same device came anew.
    Replaced,
    /// The service stops.
    Stopping,
}

/// What a session is asked to do.
#[derive(Debug)]
pub enum Post {
    /// Send a text frame.
    Frame(String),
    /// Send a ping: is anybody there?
    Ping,
    /// End.
    End(End),
}

/// A registered connection, as the rest of the process sees it.
pub struct Session {
    /// Whose.
    pub handle: Handle,
    version: Box<str>,
    adding: Option<[u8; 32]>,
    /// Whether it is told how mails get on.
    pub takes_mail: bool,
    /// Whether it takes new keys of the cloud.
    pub takes_keys: bool,
    /// Whether it can be asked to come back later.
    pub takes_reconnect: bool,
    outbox: Mutex<VecDeque<Post>>,
    bell: Notify,
    heard_ms: AtomicU64,
    ended: AtomicBool,
    probed: AtomicBool,
    /// Rung at every frame while probed, and at the end.
    news: Notify,
}

impl Session {
    /// A session that was heard just now. `adding` is the proof of its verification code, as a keyed hash.
    pub fn new(handle: Handle, register: &Register, adding: Option<[u8; 32]>, now_ms: u64) -> Arc<Self> {
        let takes = |name| register.capabilities.has(name);
        Arc::new(Self {
            handle,
            version: register.version.as_str().into(),
            adding,
            takes_mail: takes(Capabilities::SUBMIT),
            takes_keys: takes(Capabilities::KEYS),
            takes_reconnect: takes(Capabilities::RECONNECT),
            outbox: Mutex::default(),
            bell: Notify::new(),
            heard_ms: AtomicU64::new(now_ms),
            ended: AtomicBool::new(false),
            probed: AtomicBool::new(false),
            news: Notify::new(),
        })
    }

    /// That the device came, or went.
    pub fn moved(&self, online: bool, at_s: i64) -> Transition {
        let version = self.version.clone().into();
        Transition { handle: self.handle, online, at_s, version, adding: self.adding }
    }

    /// Has something done by the session's own task.
    pub fn post(&self, post: Post) {
        let mut outbox = self.outbox.lock().unwrap_or_else(PoisonError::into_inner);
        if outbox.len() < OUTBOX_MAX {
            outbox.push_back(post);
        } else {
            outbox.clear();
            outbox.push_back(Post::End(End::Unread));
        }
        drop(outbox);
        self.bell.notify_one();
    }

    /// The next thing to do.
    pub async fn next(&self) -> Post {
        loop {
            if let Some(post) = self.take() {
                return post;
            }
            self.bell.notified().await;
        }
    }

    fn take(&self) -> Option<Post> {
        let mut outbox = self.outbox.lock().unwrap_or_else(PoisonError::into_inner);
        let post = outbox.pop_front();
        if outbox.is_empty() {
            *outbox = VecDeque::new(); // an idle session holds no memory for it
        }
        post
    }

    /// A frame came.
    pub fn heard(&self, now_ms: u64) {
        self.heard_ms.store(now_ms, Ordering::Relaxed);
        if self.probed.load(Ordering::Acquire) {
            self.news.notify_waiters();
        }
    }

    /// When the last frame came.
    pub fn heard_ms(&self) -> u64 {
        self.heard_ms.load(Ordering::Relaxed)
    }

    fn end(&self) {
        self.ended.store(true, Ordering::Release);
        self.news.notify_waiters();
    }

    fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }
}

impl Watch for Session {
    fn told(&self, request: &Request) {
        if let Some(mail) = super::words::mail(request) {
            self.post(Post::Frame(FromCloud::Mail { relay: relay_id(request.id), mail }.to_frame()));
        }
    }
}

/// A request's name on the link.
pub fn relay_id(id: RequestId) -> RelayId {
    RelayId(id.0)
}

/// What became of a session that wants to enter.
pub enum Entry {
    /// It is the device's one session.
    In,
    /// The device has a session, and it answers.
    Duplicate,
    /// There is no place now, or it is not known yet whether there is one.
    Busy,
}

/// Every session of this process.
pub struct Sessions {
    by_handle: Mutex<HashMap<Handle, Arc<Session>>>,
    max: usize,
}

impl Sessions {
    /// None yet, and at most so many.
    pub fn new(max: usize) -> Self {
        Self { by_handle: Mutex::default(), max }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Handle, Arc<Session>>> {
        self.by_handle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a session in. If the device has one, that one is asked whether anybody is there, and keeps
    /// its place if anything is heard before `patience` is over. Both hold the device's key, so an older
    /// one that is alive means that the key was copied, and one that is silent that it was cut off.
    pub async fn enter(&self, session: &Arc<Session>, patience: impl Future<Output = ()>) -> Entry {
        let Err(older) = self.try_enter(session) else { return Entry::In };
        let Some(older) = older else { return Entry::Busy };
        if older.probed.swap(true, Ordering::AcqRel) {
            return Entry::Busy; // a third one, while the first is being asked: whether it is there is not known yet
        }
        let news = older.news.notified();
        tokio::pin!(news);
        news.as_mut().enable();
        older.post(Post::Ping);
        let answered = tokio::select! {
            () = news => !older.has_ended(),
            () = patience => false,
        };
        older.probed.store(false, Ordering::Release);
        if answered {
            return Entry::Duplicate;
        }
        let mut sessions = self.lock();
        match sessions.get(&session.handle) {
            Some(there) if !Arc::ptr_eq(there, &older) => Entry::Duplicate,
            None if sessions.len() >= self.max => Entry::Busy,
            _ => {
                sessions.insert(session.handle, session.clone());
                drop(sessions);
                older.post(Post::End(End::Replaced));
                Entry::In
            }
        }
    }

    fn try_enter(&self, session: &Arc<Session>) -> Result<(), Option<Arc<Session>>> {
        let mut sessions = self.lock();
        if let Some(older) = sessions.get(&session.handle) {
            return Err(Some(older.clone()));
        }
        if sessions.len() >= self.max {
            return Err(None);
        }
        sessions.insert(session.handle, session.clone());
        Ok(())
    }

    /// Takes a session out. `false` if another one has its place.
    pub fn leave(&self, session: &Arc<Session>) -> bool {
        let mut sessions = self.lock();
        let is_there = sessions.get(&session.handle).is_some_and(|there| Arc::ptr_eq(there, session));
        if is_there {
            sessions.remove(&session.handle);
        }
        drop(sessions);
        session.end();
        is_there
    }

    /// The session of a device.
    pub fn of(&self, handle: Handle) -> Option<Arc<Session>> {
        self.lock().get(&handle).cloned()
    }

    /// Every session.
    pub fn all(&self) -> Vec<Arc<Session>> {
        self.lock().values().cloned().collect()
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.lock().len()
    }
}
