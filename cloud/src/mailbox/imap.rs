//! Fetches the mails to the recovery mailbox from an IMAP server (RFC 9051) into the Maildir, where they
//! are read as any other. Over TLS from the first byte (RFC 8314), and by IDLE (RFC 2177) where the server
//! has it.
//!
//! A mail is on this machine's disk before the server is told to forget it: a crash in between fetches it
//! twice, and the relay knows a challenge that it has seen. A mail that cannot be fetched stays at the
//! server with a flag, and is not asked for again.

use super::{Reason, folder::Folder, reader::MAIL_BYTES_MAX};
use crate::{
    config::Imap,
    platform::metrics::{Metrics, Why},
    worker::chain,
};
use async_imap::{Session, error::Error, extensions::idle::IdleResponse, types::UnsolicitedResponse};
use futures_util::{StreamExt as _, TryStreamExt as _};
use prometheus_client::metrics::{counter::Counter, family::Family};
use rustls::pki_types::{CertificateDer, InvalidDnsNameError, ServerName, pem::PemObject as _};
use std::{fmt, fs, future::Future, io, path::PathBuf, sync::Arc, time::Duration};
use tokio::{
    net::TcpStream,
    sync::watch,
    time::{Instant, sleep_until, timeout},
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use zeroize::Zeroizing;

/// One step of the conversation, and the fetching of one mail.
const STEP: Duration = Duration::from_secs(30);
const FETCH: Duration = Duration::from_secs(300);
/// The folder is searched at least so often, whatever the server tells: news can cross a question.
const SEARCH: Duration = Duration::from_secs(60);
/// The same for a server without IDLE.
const SEARCH_WITHOUT_IDLE: Duration = Duration::from_secs(15);
/// Between two tries to connect: the first wait, and the longest.
const AGAIN: Duration = Duration::from_secs(2);
const AGAIN_MAX: Duration = Duration::from_secs(120);
/// Tries at a mail that ends the connection.
const TRIES: u32 = 2;
/// What is left at the server for a person to look at.
const LEFT: &str = "+FLAGS.SILENT (\\Flagged)";
const TAKEN: &str = "+FLAGS.SILENT (\\Deleted)";

/// Why the mailbox cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum ImapError {
    /// A file cannot be read.
    #[error("cannot read {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The password's file is empty.
    #[error("{0} is empty: write the IMAP password into it")]
    NoPassword(PathBuf),
    /// Nobody could vouch for the server.
    #[error("no certificate authority to trust: ca_file is a PEM file with at least one")]
    NoCa,
    /// TLS cannot be set up.
    #[error("cannot set up TLS for IMAP")]
    Tls(#[from] rustls::Error),
    /// The server's name is none.
    #[error("the IMAP server's name cannot be in a certificate")]
    Name(#[from] InvalidDnsNameError),
}

/// Why a connection ended. Never in the server's own words: they may hold addresses.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("the IMAP server cannot be reached, or its certificate is not trusted")]
    Connect(#[source] io::Error),
    #[error("the IMAP server does not take user and password")]
    Login,
    #[error("the IMAP server refuses {0}")]
    Refused(&'static str),
    #[error("the connection to the IMAP server ended")]
    Lost,
    #[error("the IMAP server took too long")]
    Slow,
    #[error("the Maildir cannot be written")]
    Maildir(#[source] io::Error),
}

type Tls = TlsStream<TcpStream>;

/// Fetches from one server.
pub struct Fetcher {
    server: Imap,
    name: ServerName<'static>,
    tls: TlsConnector,
    password: Zeroizing<String>,
    folder: Arc<Folder>,
    counts: Family<Why, Counter>,
    /// The mail that was being fetched when a connection ended, and how often that happened.
    suspect: Option<(u32, u32)>,
}

impl fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetcher").field("server", &self.server).finish_non_exhaustive()
    }
}

/// Reads the files that are needed to connect.
pub fn check(server: &Imap) -> Result<(), ImapError> {
    ready(server).map(drop)
}

/// The way to trust the server, and its password.
fn ready(server: &Imap) -> Result<(TlsConnector, ServerName<'static>, Zeroizing<String>), ImapError> {
    let file = |path: &PathBuf| {
        fs::read_to_string(path).map_err(|source| ImapError::File { path: path.clone(), source })
    };
    let text = Zeroizing::new(file(&server.password_file)?);
    let password = Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned());
    if password.is_empty() {
        return Err(ImapError::NoPassword(server.password_file.clone()));
    }
    let mut roots = rustls::RootCertStore::empty();
    match &server.ca {
        Some(path) => {
            let pem = file(path)?;
            for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
                let read = certificate.map_err(io::Error::other);
                roots.add(read.map_err(|source| ImapError::File { path: path.clone(), source })?)?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    if roots.is_empty() {
        return Err(ImapError::NoCa);
    }
    let tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(server.host.clone())?;
    Ok((Arc::new(tls).into(), name, password))
}

impl Fetcher {
    /// Makes ready, without connecting.
    pub(super) fn new(
        server: Imap,
        folder: Arc<Folder>,
        counts: Family<Why, Counter>,
    ) -> Result<Self, ImapError> {
        let (tls, name, password) = ready(&server)?;
        Ok(Self { server, name, tls, password, folder, counts, suspect: None })
    }

    /// Fetches until told to stop.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut wait = AGAIN;
        while !*stop.borrow() {
            let began = Instant::now();
            let Err(broken) = self.until_broken(&mut stop).await else { return };
            tracing::warn!(error = %chain(&broken), "no mails are fetched for the recovery mailbox just now");
            if began.elapsed() > AGAIN_MAX {
                wait = AGAIN;
            }
            tokio::select! {
                () = sleep_until(Instant::now() + wait) => {}
                _ = stop.changed() => {}
            }
            wait = (wait * 2).min(AGAIN_MAX);
        }
    }

    /// One connection. Ends well only when told to stop.
    async fn until_broken(&mut self, stop: &mut watch::Receiver<bool>) -> Result<(), Broken> {
        let (mut session, can_idle) = self.connect().await?;
        let selected = within(STEP, session.select(&self.server.folder), "its folder").await?;
        let validity = selected.uid_validity.unwrap_or_default();
        tracing::info!(can_idle, "mails are fetched for the recovery mailbox");
        loop {
            while session.unsolicited_responses.try_recv().is_ok() {}
            let new = within(STEP, session.uid_search("UNFLAGGED UNDELETED"), "a search").await?;
            let mut new: Vec<u32> = new.into_iter().collect();
            new.sort_unstable();
            for uid in &new {
                if *stop.borrow() {
                    break;
                }
                self.fetch(&mut session, validity, *uid).await?;
            }
            let mut more = !new.is_empty();
            while let Ok(told) = session.unsolicited_responses.try_recv() {
                more |= matches!(told, UnsolicitedResponse::Exists(_));
            }
            if !*stop.borrow() && !more {
                session = if can_idle { idle(session, stop).await? } else { rest(session, stop).await? };
            }
            if *stop.borrow() {
                let _ = timeout(STEP, session.logout()).await; // it is over either way
                return Ok(());
            }
        }
    }

    async fn connect(&self) -> Result<(Session<Tls>, bool), Broken> {
        let address = (self.server.host.as_str(), self.server.port);
        let connected = async {
            let tcp = TcpStream::connect(address).await?;
            let mut client = async_imap::Client::new(self.tls.connect(self.name.clone(), tcp).await?);
            let greeting = client.read_response().await?;
            greeting.map(|_| client).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
        };
        let client = timeout(STEP, connected).await.map_err(|_| Broken::Slow)?.map_err(Broken::Connect)?;
        let login = client.login(&self.server.user, self.password.as_str());
        let mut session = match timeout(STEP, login).await.map_err(|_| Broken::Slow)? {
            Ok(session) => session,
            Err((Error::No(_) | Error::Bad(_) | Error::Validate(_), _)) => return Err(Broken::Login),
            Err(_) => return Err(Broken::Lost),
        };
        let can = within(STEP, session.capabilities(), "to say what it can do").await?;
        Ok((session, can.has_str("IDLE")))
    }

    /// Takes one mail over, or leaves it with a flag.
    async fn fetch(&mut self, session: &mut Session<Tls>, validity: u32, uid: u32) -> Result<(), Broken> {
        let tries = match self.suspect {
            Some((suspect, tries)) if suspect == uid => tries,
            _ => 0,
        };
        if tries >= TRIES {
            return self.leave(session, uid, "cannot-be-opened").await;
        }
        self.suspect = Some((uid, tries + 1));
        let fetched = async {
            let mut told = session.uid_fetch(uid.to_string(), "RFC822.SIZE").await?;
            let mut size = None;
            while let Some(mail) = told.try_next().await? {
                size = size.or(mail.size);
            }
            drop(told);
            let Some(size) = size else { return Ok(Err("gone")) };
            if u64::from(size) > MAIL_BYTES_MAX {
                return Ok(Err("too-large"));
            }
            let mut told = session.uid_fetch(uid.to_string(), "BODY.PEEK[]").await?;
            let mut body = None;
            while let Some(mail) = told.try_next().await? {
                body = body.or_else(|| mail.body().map(<[u8]>::to_vec));
            }
            Ok(body.ok_or("cannot-be-opened"))
        };
        let fetched = match timeout(FETCH, fetched).await.map_err(|_| Broken::Slow)? {
            Ok(fetched) => fetched,
            Err(Error::No(_) | Error::Bad(_)) => Err("cannot-be-opened"),
            Err(_) => return Err(Broken::Lost),
        };
        self.suspect = None;
        match fetched {
            Ok(body) => {
                // The name is the mail's own: fetched twice, it is there once.
                let name = format!("{validity:010}.{uid:010}.imap");
                self.folder.deliver(&name, body).await.map_err(Broken::Maildir)?;
                mark(session, uid, TAKEN).await?;
                // Alone, where the server can: another client's deleted mails are none of ours.
                let expunge = async { session.uid_expunge(uid.to_string()).await?.try_collect().await };
                match timeout(STEP, expunge).await.map_err(|_| Broken::Slow)? {
                    Ok(_gone @ Vec::<u32> { .. }) => Ok(()),
                    Err(Error::No(_) | Error::Bad(_)) => Ok(()), // it stays deleted, and is not searched for
                    Err(_) => Err(Broken::Lost),
                }
            }
            Err("gone") => Ok(()),
            Err(reason) => self.leave(session, uid, reason).await,
        }
    }

    async fn leave(&mut self, session: &mut Session<Tls>, uid: u32, reason: Reason) -> Result<(), Broken> {
        mark(session, uid, LEFT).await?;
        self.suspect = None;
        Metrics::count(&self.counts, reason);
        tracing::warn!(reason, uid, "a mail to the recovery mailbox stays at the IMAP server, with a flag");
        Ok(())
    }
}

async fn mark(session: &mut Session<Tls>, uid: u32, flags: &str) -> Result<(), Broken> {
    let marked = async {
        let mut told = session.uid_store(uid.to_string(), flags).await?;
        while told.next().await.transpose()?.is_some() {}
        Ok(())
    };
    within(STEP, marked, "to mark a mail").await
}

/// Waits until the server tells of something, for a minute at most, or until told to stop.
async fn idle(session: Session<Tls>, stop: &mut watch::Receiver<bool>) -> Result<Session<Tls>, Broken> {
    let mut handle = session.idle();
    within(STEP, handle.init(), "IDLE").await?;
    {
        let (news, interrupt) = handle.wait_with_timeout(SEARCH);
        tokio::select! {
            told = news => match told {
                Ok(IdleResponse::NewData(_) | IdleResponse::Timeout) => {}
                Ok(IdleResponse::ManualInterrupt) | Err(_) => return Err(Broken::Lost),
            },
            _ = stop.changed() => {}
        }
        drop(interrupt);
    }
    within(STEP, handle.done(), "the end of IDLE").await
}

async fn rest(mut session: Session<Tls>, stop: &mut watch::Receiver<bool>) -> Result<Session<Tls>, Broken> {
    tokio::select! {
        () = sleep_until(Instant::now() + SEARCH_WITHOUT_IDLE) => {}
        _ = stop.changed() => {}
    }
    within(STEP, session.noop(), "NOOP").await?;
    Ok(session)
}

async fn within<T>(
    limit: Duration,
    step: impl Future<Output = Result<T, Error>>,
    what: &'static str,
) -> Result<T, Broken> {
    match timeout(limit, step).await.map_err(|_| Broken::Slow)? {
        Ok(done) => Ok(done),
        Err(Error::No(_) | Error::Bad(_)) => Err(Broken::Refused(what)),
        Err(_) => Err(Broken::Lost),
    }
}
