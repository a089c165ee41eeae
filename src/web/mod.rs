//! Both front doors: HTTPS on the LAN and the Unix socket of the local screen.
//!
//! The way of a request: `accept` makes a connection and its [`Caller`]; [`routes`] turns method and
//! path into a [`routes::Route`]; guards (same link, Host, Origin, CSRF, rates, sizes) refuse or let
//! pass; `api` or [`pages`] turns it into a [`Request`] for the heart and the [`Reply`] into a response.
//!
//! Must not: decide anything about the account, touch the store, or read files or the environment
//! (the kernel's tables of interfaces and routes, read by [`same_link`], are the one exception).

pub mod accept;
pub mod api;
pub mod caller;
pub mod context;
pub mod cookies;
pub mod dispatch;
pub mod form;
pub mod guards;
mod links;
pub mod listen;
pub mod pages;
pub mod plain;
pub mod platform;
pub mod problem;
pub mod proxy;
pub mod rates;
pub mod respond;
mod routers;
pub mod routes;
pub mod same_link;
pub mod tls;

pub use accept::serve;
pub use caller::{Caller, Entry};
pub use context::{Bounds, Context, Device, Rules};
pub use form::Form;
pub use listen::Listeners;
pub use problem::{Fault, Problem};
pub use respond::Response;

use crate::recovery::{Refusal, Reply, Request};
use latchkey_protocol::Door;
use tokio::sync::{mpsc, oneshot};

/// A request on its way to the heart, with the place for its answer.
#[derive(Debug)]
pub struct Ask {
    /// The door that it came in by.
    pub door: Door,
    /// What is asked.
    pub request: Request,
    /// Where the answer goes.
    pub answer: oneshot::Sender<Result<Reply, Refusal>>,
}

/// The way to the task that owns the recovery state. Bounded: a full queue answers [`Refusal::Busy`].
#[derive(Clone, Debug)]
pub struct Heart(mpsc::Sender<Ask>);

impl Heart {
    /// A handle, and the receiving end for the owner of the state.
    pub fn new(queue_max: usize) -> (Self, mpsc::Receiver<Ask>) {
        let (sender, receiver) = mpsc::channel(queue_max);
        (Self(sender), receiver)
    }

    /// Asks, and waits for the answer. A daemon that is stopping answers [`Refusal::Unavailable`].
    pub async fn ask(&self, door: Door, request: Request) -> Result<Reply, Refusal> {
        let (answer, reply) = oneshot::channel();
        self.0.try_send(Ask { door, request, answer }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Refusal::Busy,
            mpsc::error::TrySendError::Closed(_) => Refusal::Unavailable,
        })?;
        reply.await.unwrap_or(Err(Refusal::Unavailable))
    }
}

/// Draws QR codes; `app` fills it from `qr`, so that the doors do not depend on how they are drawn.
#[derive(Clone, Copy)]
pub struct Drawing {
    /// An SVG picture, scaled by its viewer.
    pub svg: fn(&latchkey_protocol::QrLink) -> String,
    /// A PNG picture, to be sent as an attachment.
    pub png: fn(&latchkey_protocol::QrLink) -> Vec<u8>,
    /// The bare modules, row by row, true being dark, for a vendor's own screen.
    pub matrix: fn(&latchkey_protocol::QrLink) -> Vec<Vec<bool>>,
    /// An SVG picture of any short text.
    pub text_svg: fn(&str) -> String,
}
