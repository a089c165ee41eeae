//! A registered connection: heartbeat, sealed challenges, and what the cloud says by itself.

use super::{
    LinkIdentity,
    connect::{Socket, closed_reason},
    learn::{Keeper, Learned},
    link::{Ask, Board, hash_of, replaced},
    policy::{Ended, Policy},
    status::{NotSent, Reason, Sent},
    time::LinkTime,
};
use crate::{clock::Clock, recovery::record::PlatformSettings};
use chacha20::ChaCha20Rng;
use futures_util::{SinkExt, StreamExt};
use latchkey_protocol::{
    Handle, Host,
    platform::{Capabilities, FromCloud, FromDevice, Sealed, close},
};
use std::{collections::VecDeque, time::Duration};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::timeout,
};
use tokio_tungstenite::tungstenite::{self, Message, protocol::CloseFrame};

/// Answers that may be outstanding.
const WAITING_MAX: usize = 8;
/// Challenges a minute, below what a cloud takes (8.7): whoever asks for more waits, and the connection is
/// not lost to somebody at a page who presses a button again and again. Twice the notices that may wait
/// for the link are far from it, so that they never keep a person from sending a code.
const SUBMITS_A_MINUTE_MAX: usize = 20;
/// After a certificate was not renewed, it is asked for again so much later.
const RENEW_AGAIN_MS: u64 = 6 * 3600 * 1000;
/// A goodbye is not waited for.
const GOODBYE_MAX: Duration = Duration::from_secs(2);

/// How a session ended.
pub(super) enum Finish {
    /// It broke or was ended by the cloud.
    Ended(Ended, Reason),
    /// The owner has changed the settings, or the cloud.
    Settings,
    /// The daemon stops.
    Stopped,
}

/// A registered connection, ready to run.
pub(super) struct Session<'a> {
    pub(super) socket: Socket,
    pub(super) takes: &'a Capabilities,
    pub(super) policy: &'a Policy,
    pub(super) clock: &'a (dyn Clock + Sync),
    pub(super) rng: &'a mut ChaCha20Rng,
    pub(super) pong_max_ms: u64,
    pub(super) asks: &'a mut mpsc::Receiver<Ask>,
    pub(super) settings: &'a mut watch::Receiver<PlatformSettings>,
    pub(super) board: &'a Board,
    pub(super) identity: &'a mut watch::Receiver<Option<LinkIdentity>>,
    pub(super) keeper: Option<&'a dyn Keeper>,
    /// Whose connection this is, and to which cloud.
    pub(super) own: (Handle, Host),
    pub(super) renew_from_unix_s: Option<i64>,
    pub(super) time: &'a LinkTime,
}

/// A question without its answer yet.
struct Waiting {
    id: u32,
    hash: [u8; 32],
    answer: oneshot::Sender<Result<Sent, NotSent>>,
}

#[derive(Default)]
struct Talk {
    next_id: u32,
    waiting: Vec<Waiting>,
    submitted_ms: VecDeque<u64>,
    renewal: Option<u32>,
    renew_at_ms: u64,
}

enum Happened {
    Frame(Option<Result<Message, tungstenite::Error>>),
    Asked(Option<Ask>),
    Settings(bool),
    Identity,
    Due,
}

impl Session<'_> {
    /// Runs until the connection ends. Whoever still waits for an answer is told that the link broke.
    pub(super) async fn run(mut self) -> Finish {
        let mut talk = Talk::default();
        let (finish, code) = match self.go_on(&mut talk).await {
            Err(finish) => finish,
            Ok(never) => match never {},
        };
        if let Some(code) = code {
            let frame = CloseFrame { code: code.into(), reason: Default::default() };
            let _ = timeout(GOODBYE_MAX, self.socket.close(Some(frame))).await; // a courtesy
        }
        finish
    }

    async fn go_on(&mut self, talk: &mut Talk) -> Result<std::convert::Infallible, (Finish, Option<u16>)> {
        let lost = |reason| (Finish::Ended(Ended::Lost, reason), None);
        let mut ping_at_ms = self.now_ms()? + self.policy.ping_in(self.rng);
        let mut pong_by_ms: Option<u64> = None;
        loop {
            let now_ms = self.now_ms()?;
            if pong_by_ms.is_some_and(|by_ms| now_ms >= by_ms) {
                return Err((Finish::Ended(Ended::Lost, Reason::Silent), Some(close::SILENT)));
            }
            self.renew_if_due(talk).await?;
            if now_ms >= ping_at_ms {
                self.send(Message::Ping(Default::default())).await?;
                // The first ping without an answer counts: the next may come before its time is over.
                pong_by_ms.get_or_insert(now_ms + self.pong_max_ms);
                ping_at_ms = now_ms + self.policy.ping_in(self.rng);
            }
            let until_ms = pong_by_ms.map_or(ping_at_ms, |by_ms| by_ms.min(ping_at_ms));
            match self.next(until_ms.saturating_sub(now_ms)).await {
                Happened::Due => {}
                Happened::Identity if self.is_still_own() => {}
                Happened::Settings(true) | Happened::Identity => return Err((Finish::Settings, Some(1000))),
                Happened::Settings(false) | Happened::Asked(None) => {
                    return Err((Finish::Stopped, Some(1000)));
                }
                Happened::Asked(Some(Ask::TryNow)) => {}
                Happened::Asked(Some(Ask::Submit { sealed, answer })) => {
                    let hash = hash_of(&sealed);
                    let ask = |id| FromDevice::Submit { id, sealed: Sealed(sealed) };
                    self.hand_over(talk, hash, answer, ask).await?;
                }
                Happened::Asked(Some(Ask::Resend { mail, answer })) => {
                    let ask = |id| FromDevice::Resend { id, relay: mail.relay };
                    self.hand_over(talk, mail.hash, answer, ask).await?;
                }
                Happened::Frame(frame) => {
                    let message = match frame {
                        Some(Ok(Message::Close(close))) => {
                            return Err(closed(close.map(|close| close.code.into())));
                        }
                        Some(Ok(message)) => message,
                        Some(Err(tungstenite::Error::Capacity(_))) => {
                            return Err((
                                Finish::Ended(Ended::Lost, Reason::Protocol),
                                Some(close::TOO_LONG),
                            ));
                        }
                        Some(Err(_)) | None => return Err(lost(Reason::Lost)),
                    };
                    pong_by_ms = None;
                    let heard_ms = self.now_ms()?;
                    self.board.change(|status| status.last_heard_ms = Some(heard_ms));
                    self.heard(talk, &message)?;
                }
            }
        }
    }

    async fn next(&mut self, wait_ms: u64) -> Happened {
        let something = async {
            tokio::select! {
                frame = self.socket.next() => Happened::Frame(frame),
                ask = self.asks.recv() => Happened::Asked(ask),
                changed = self.settings.changed() => Happened::Settings(changed.is_ok()),
                () = replaced(self.identity) => Happened::Identity,
            }
        };
        // A moment more, so that the clock has passed the moment when it is looked at.
        timeout(Duration::from_millis(wait_ms + 1), something).await.unwrap_or(Happened::Due)
    }

    /// Whether the identity, which has changed, is still of the same device and cloud.
    fn is_still_own(&self) -> bool {
        let now = self.identity.borrow();
        now.as_ref().is_some_and(|now| now.handle == self.own.0 && now.host == self.own.1)
    }

    /// Asks for a new certificate when a third of its validity is left. It is looked at whenever
    /// something happens, which is at every heartbeat at least.
    async fn renew_if_due(&mut self, talk: &mut Talk) -> Result<(), (Finish, Option<u16>)> {
        let due = self.renew_from_unix_s.filter(|_| self.takes.has(Capabilities::RENEW));
        let (Some(due_unix_s), Some(_)) = (due, self.keeper) else { return Ok(()) };
        let now = self.clock.now().map_err(|_| (Finish::Stopped, None))?;
        if talk.renewal.is_some() || self.time.unix_s(now) < due_unix_s || now.boottime_ms < talk.renew_at_ms
        {
            return Ok(());
        }
        let id = talk.next_id;
        talk.next_id = talk.next_id.wrapping_add(1);
        talk.renewal = Some(id);
        talk.renew_at_ms = now.boottime_ms + RENEW_AGAIN_MS;
        self.send(Message::text(FromDevice::Renew { id }.to_frame())).await
    }

    /// Has it kept. What does not hold changes nothing, and the connection goes on.
    fn learn(&mut self, learned: Learned) {
        let Some(keeper) = self.keeper else { return };
        let what = if matches!(learned, Learned::Keys(_)) { "the cloud's keys" } else { "a new certificate" };
        match keeper.learn(self.own.0, learned) {
            Ok(()) => {
                tracing::info!("kept {what}");
                let now = self.identity.borrow_and_update();
                self.renew_from_unix_s = now.as_ref().and_then(|now| now.renew_from_unix_s);
            }
            Err(error) => tracing::warn!(%error, "did not keep {what}"),
        }
    }

    async fn hand_over(
        &mut self,
        talk: &mut Talk,
        hash: [u8; 32],
        answer: oneshot::Sender<Result<Sent, NotSent>>,
        ask: impl FnOnce(u32) -> FromDevice,
    ) -> Result<(), (Finish, Option<u16>)> {
        // One that nobody waits for is asked once; its answer is wanted all the same.
        if answer.is_closed() && talk.waiting.iter().any(|waiting| waiting.hash == hash) {
            return Ok(());
        }
        if talk.waiting.len() >= WAITING_MAX {
            talk.waiting.retain(|waiting| !waiting.answer.is_closed());
        }
        let now_ms = self.now_ms()?;
        talk.submitted_ms.retain(|at_ms| now_ms.saturating_sub(*at_ms) < 60_000);
        let too_many = talk.waiting.len() >= WAITING_MAX || talk.submitted_ms.len() >= SUBMITS_A_MINUTE_MAX;
        if too_many || !self.takes.has(Capabilities::SUBMIT) {
            let _ = answer.send(Err(NotSent::Busy)); // whoever asked may be gone
            return Ok(());
        }
        talk.submitted_ms.push_back(now_ms);
        let id = talk.next_id;
        talk.next_id = talk.next_id.wrapping_add(1);
        talk.waiting.push(Waiting { id, hash, answer });
        self.send(Message::text(ask(id).to_frame())).await
    }

    /// What the cloud said.
    fn heard(&mut self, talk: &mut Talk, message: &Message) -> Result<(), (Finish, Option<u16>)> {
        let malformed = || (Finish::Ended(Ended::Lost, Reason::Protocol), Some(close::MALFORMED));
        let frame = match message {
            Message::Text(frame) => frame,
            Message::Ping(_) | Message::Pong(_) => return Ok(()),
            _ => return Err(malformed()),
        };
        match FromCloud::parse(frame).map_err(|_| malformed())? {
            FromCloud::Submitted { id, relay, mail } => {
                let waiting = take(talk, id).ok_or_else(malformed)?;
                self.board.taken(waiting.hash, relay, mail);
                let _ = waiting.answer.send(Ok(Sent { mail })); // whoever asked may be gone
            }
            FromCloud::Rejected { id, problem, retry_after_s } if talk.renewal == Some(id) => {
                talk.renewal = None;
                tracing::warn!(?problem, ?retry_after_s, "the certificate was not renewed");
            }
            FromCloud::Rejected { id, problem, retry_after_s } => {
                let waiting = take(talk, id).ok_or_else(malformed)?;
                let _ = waiting.answer.send(Err(NotSent::Rejected { problem, retry_after_s }));
            }
            FromCloud::Mail { relay, mail } => self.board.told(relay, mail),
            FromCloud::Reconnect { window_s } => {
                let ended = Finish::Ended(Ended::Reconnect { window_s }, Reason::Lost);
                return Err((ended, Some(close::GOING_AWAY)));
            }
            FromCloud::Renewed { id, certificate } => {
                talk.renewal.take().filter(|own| *own == id).ok_or_else(malformed)?;
                self.learn(Learned::Certificate(certificate));
            }
            FromCloud::Keys(list) => self.learn(Learned::Keys(list)),
            // Not asked for.
            FromCloud::Registered(_) | FromCloud::Refused { .. } => return Err(malformed()),
        }
        Ok(())
    }

    /// A peer that never reads is as good as gone.
    async fn send(&mut self, message: Message) -> Result<(), (Finish, Option<u16>)> {
        let sent = timeout(Duration::from_millis(self.pong_max_ms), self.socket.send(message)).await;
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err((Finish::Ended(Ended::Lost, Reason::Lost), None)),
            Err(_) => Err((Finish::Ended(Ended::Lost, Reason::Silent), None)),
        }
    }

    fn now_ms(&self) -> Result<u64, (Finish, Option<u16>)> {
        self.clock.now().map(|now| now.boottime_ms).map_err(|_| (Finish::Stopped, None))
    }
}

fn take(talk: &mut Talk, id: u32) -> Option<Waiting> {
    let at = talk.waiting.iter().position(|waiting| waiting.id == id)?;
    Some(talk.waiting.swap_remove(at))
}

fn closed(code: Option<u16>) -> (Finish, Option<u16>) {
    let reason = closed_reason(code);
    let ended = match reason {
        Reason::Refused(reason) => Ended::Refused { reason, retry_after_s: None },
        _ => Ended::Lost,
    };
    (Finish::Ended(ended, reason), None)
}
