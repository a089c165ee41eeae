//! One registered connection: what comes is carried out, what waits is sent.

use super::{
    Link, Platform,
    rate::{self, Bucket},
    sessions::{End, Post, Session, relay_id},
    words,
};
use crate::{
    relay::{Refusal, Watch},
    store::RequestId,
};
use futures_util::{SinkExt as _, StreamExt as _};
use latchkey_protocol::platform::{FromCloud, FromDevice, Problem};
use std::{
    collections::VecDeque,
    sync::{Arc, Weak},
    time::Duration,
};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{
    Error, Message, Utf8Bytes,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

/// A device that takes nothing for so long is not listening.
const WRITE_S: u64 = 10;
/// For the close frame and its answer.
const CLOSE_S: u64 = 3;
/// Requests whose mails one connection watches: as many as a recorder remembers, whose notices come between.
const WATCHED_MAX: usize = 32;
/// At least 30 messages a minute are promised.
const MESSAGES: (u32, u32) = (60, 1);
/// At least two pings a minute are promised; one a second does no harm.
const PINGS: (u32, u32) = (120, 1);

/// What one connection has.
struct Talk<'a> {
    link: &'a mut Link,
    session: &'a Arc<Session>,
    platform: &'a Platform,
    messages: Bucket,
    pings: Bucket,
    watched: VecDeque<RequestId>,
}

/// Talks until it ends, and says goodbye. The caller has let the session in.
pub(super) async fn run(mut link: Box<Link>, session: Arc<Session>, platform: Arc<Platform>) {
    let now_ms = platform.clock().up_ms();
    let mut talk = Talk {
        link: &mut link,
        session: &session,
        platform: &platform,
        messages: Bucket::new(MESSAGES.0, MESSAGES.1, now_ms),
        pings: Bucket::new(PINGS.0, PINGS.1, now_ms),
        watched: VecDeque::new(),
    };
    let end = talk.until_end().await;
    platform.left(&session, end);
    if let Some(code) = end.close_code() {
        Box::pin(say_goodbye(&mut link, code, end.word())).await;
    }
}

/// Sends a close frame and waits a moment for its answer: without that the device would see a broken
/// connection and not the reason.
pub(super) async fn say_goodbye(link: &mut Link, code: u16, word: &'static str) {
    let frame = CloseFrame { code: CloseCode::from(code), reason: Utf8Bytes::from_static(word) };
    let goodbye = async {
        if link.close(Some(frame)).await.is_ok() {
            while let Some(Ok(_)) = link.next().await {}
        }
    };
    let _ = timeout(Duration::from_secs(CLOSE_S), goodbye).await; // nobody may be there
}

/// The end that an error of the library means.
pub(super) fn end_of(error: &Error) -> End {
    match error {
        Error::Capacity(_) => End::TooLong,
        Error::Protocol(_) | Error::Utf8(_) | Error::AttackAttempt => End::Malformed,
        Error::Io(error) if error.kind() == rate::FLOOD => End::TooMany,
        _ => End::Gone,
    }
}

impl Talk<'_> {
    async fn until_end(&mut self) -> End {
        loop {
            let done = tokio::select! {
                frame = self.link.next() => match frame {
                    None => Err(End::Gone),
                    Some(Err(error)) => Err(end_of(&error)),
                    Some(Ok(Message::Text(text))) => Box::pin(self.said(text)).await,
                    Some(Ok(frame)) => self.heard(&frame),
                },
                // In boxes, as all that is seldom: a connection that is idle holds no place for it.
                post = self.session.next() => match post {
                    Post::Frame(text) => Box::pin(self.send(Message::text(text))).await,
                    Post::Ping => Box::pin(self.send(Message::Ping(Default::default()))).await,
                    Post::End(end) => Err(end),
                },
            };
            if let Err(end) = done {
                return end;
            }
        }
    }

    async fn send(&mut self, message: Message) -> Result<(), End> {
        match timeout(Duration::from_secs(WRITE_S), self.link.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(End::Gone),
            Err(_) => Err(End::Unread),
        }
    }

    fn heard(&mut self, frame: &Message) -> Result<(), End> {
        let now_ms = self.platform.clock().up_ms();
        self.session.heard(now_ms);
        match frame {
            // The library has its answer ready, and sends it when it is next asked for a frame.
            Message::Ping(_) => {
                self.platform.metrics.heartbeats.inc();
                if self.pings.take(1, now_ms) { Ok(()) } else { Err(End::TooMany) }
            }
            Message::Pong(_) => {
                if self.pings.take(1, now_ms) {
                    Ok(())
                } else {
                    Err(End::TooMany)
                }
            }
            Message::Close(_) => Err(End::Gone),
            Message::Text(_) | Message::Binary(_) | Message::Frame(_) => Err(End::Malformed),
        }
    }

    /// A message, and its answer.
    async fn said(&mut self, text: Utf8Bytes) -> Result<(), End> {
        let now_ms = self.platform.clock().up_ms();
        self.session.heard(now_ms);
        if !self.messages.take(1, now_ms) {
            return Err(End::TooMany);
        }
        let message = FromDevice::parse(&text).map_err(|_| End::Malformed)?;
        let answer = self.answer(message).await?;
        self.send(Message::text(answer.to_frame())).await
    }

    async fn answer(&mut self, message: FromDevice) -> Result<FromCloud, End> {
        let handle = self.session.handle;
        Ok(match message {
            FromDevice::Register(_) => return Err(End::Malformed), // only the first message
            FromDevice::Submit { id, sealed } => {
                self.platform.metrics.submitted.inc();
                let taken = self.platform.relay.take(&sealed.0, Some(handle)).await;
                self.follow(id, taken).await
            }
            FromDevice::Resend { id, relay } => {
                let request = RequestId(relay.0);
                let again = self.platform.resend(request, handle).await;
                self.follow(id, again.map(|()| request)).await
            }
            FromDevice::Renew { id } => match self.platform.renew(handle).await {
                Ok(certificate) => {
                    tracing::info!(%handle, "certificate renewed");
                    FromCloud::Renewed { id, certificate }
                }
                Err(error) => {
                    tracing::error!(%handle, %error, "a certificate cannot be renewed");
                    FromCloud::Rejected { id, problem: Problem::Unavailable, retry_after_s: Some(600) }
                }
            },
        })
    }

    /// The answer to a wish about a request; from now on the device is told how its mail gets on.
    async fn follow(&mut self, id: u32, wish: Result<RequestId, Refusal>) -> FromCloud {
        let told = async {
            let request = wish?;
            self.platform.bell.notify_one();
            self.watch(request);
            let request = self.platform.relay.store.request(request).await?;
            request.ok_or(Refusal::NotFound)
        };
        let refusal = match told.await.inspect(|request| _ = self.platform.relay.told(request)) {
            Ok(request) => match words::mail(&request) {
                Some(mail) => return FromCloud::Submitted { id, relay: relay_id(request.id), mail },
                None => Refusal::NotFound,
            },
            Err(refusal) => refusal,
        };
        self.platform.metrics.rejected.inc();
        let (problem, retry_after_s) = words::problem(&refusal);
        tracing::info!(handle = %self.session.handle, reason = %crate::worker::chain(&refusal), "refused");
        FromCloud::Rejected { id, problem, retry_after_s }
    }

    fn watch(&mut self, request: RequestId) {
        if self.watched.contains(&request) || !self.session.takes_mail {
            return;
        }
        if self.watched.len() == WATCHED_MAX
            && let Some(oldest) = self.watched.pop_front()
        {
            let session: Weak<Session> = Arc::downgrade(self.session);
            self.platform.relay.unwatch(oldest, &(session as Weak<dyn Watch>));
        }
        self.watched.push_back(request);
        let session: Weak<Session> = Arc::downgrade(self.session);
        self.platform.relay.watch(request, session);
    }
}
