//! How a mail leaves: by SMTP, step by step, so that it is known at every failure whether the mail
//! may have arrived; or into a Maildir.

use super::compose::Letter;
use crate::{
    config::{MailWay, Smtp, SmtpTls},
    store::Reason,
};
use lettre::{
    address::Address,
    transport::smtp::{
        Error as SmtpError,
        authentication::{Credentials, Mechanism},
        client::{AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters},
        commands::{Data, Mail, Noop, Rcpt},
        extension::ClientId,
    },
};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::{fs, io::AsyncWriteExt as _, time::timeout};
use zeroize::Zeroizing;

/// What came of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// The server took it.
    Accepted,
    /// The server refuses it for good.
    Refused(Reason),
    /// Later, perhaps; it certainly was not taken.
    NotYet,
    /// The mail was on its way, and the answer never came.
    Uncertain,
}

/// Why there is no way out.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The password's file cannot be read.
    #[error("cannot read the SMTP password from {path}")]
    Password {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The password's file is empty.
    #[error("{0} is empty: write the SMTP password into it")]
    NoPassword(PathBuf),
    /// The authorities' file cannot be read.
    #[error("cannot read the mail server's authorities from {path}")]
    Ca {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rustls::pki_types::pem::Error,
    },
    /// The authorities' file holds no certificate.
    #[error("{0} holds no certificate: ca_file is a PEM file with at least one")]
    NoCa(PathBuf),
    /// TLS cannot be set up.
    #[error("cannot set up TLS for SMTP")]
    Tls(#[from] SmtpError),
    /// The Maildir cannot be made.
    #[error("cannot make the Maildir {path}")]
    Maildir {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// One way out. Each sender has its own, with a connection that is kept between mails.
pub enum Transport {
    /// Into a Maildir.
    Maildir(PathBuf),
    /// By SMTP.
    Smtp(Box<Client>),
}

/// An SMTP client with at most one connection.
pub struct Client {
    server: Smtp,
    tls: Option<TlsParameters>,
    login: Option<Credentials>,
    hello: ClientId,
    connection: Option<AsyncSmtpConnection>,
}

impl Transport {
    /// Reads the files that [`Transport::new`] needs, and makes nothing.
    pub async fn check(way: &MailWay, host: &str) -> Result<(), TransportError> {
        match way {
            MailWay::Maildir(_) => Ok(()), // made when it is missing
            MailWay::Smtp(_) => Self::new(way, host).await.map(drop),
        }
    }

    /// Makes ready, without connecting.
    pub async fn new(way: &MailWay, host: &str) -> Result<Self, TransportError> {
        let server = match way {
            MailWay::Maildir(path) => {
                for folder in ["tmp", "new", "cur"] {
                    let folder = path.join(folder);
                    fs::create_dir_all(&folder)
                        .await
                        .map_err(|source| TransportError::Maildir { path: folder, source })?;
                }
                return Ok(Self::Maildir(path.clone()));
            }
            MailWay::Smtp(server) => server.clone(),
        };
        let tls = match server.tls {
            SmtpTls::None => None,
            SmtpTls::Required | SmtpTls::StartTls => Some(trust(&server)?),
        };
        let login = match &server.login {
            None => None,
            Some((user, path)) => {
                let text = fs::read_to_string(path)
                    .await
                    .map_err(|source| TransportError::Password { path: path.clone(), source })?;
                let text = Zeroizing::new(text);
                let password = text.trim_end_matches(['\r', '\n']);
                if password.is_empty() {
                    return Err(TransportError::NoPassword(path.clone()));
                }
                Some(Credentials::new(user.clone(), password.to_owned()))
            }
        };
        let name = host.split(':').next().unwrap_or(host);
        let hello = match name.parse() {
            Ok(ip) => ClientId::Ipv4(ip),
            Err(_) => ClientId::Domain(name.to_owned()),
        };
        Ok(Self::Smtp(Box::new(Client { server, tls, login, hello, connection: None })))
    }

    /// Sends a mail.
    pub async fn send(&mut self, letter: &Letter, name: &str) -> Sent {
        match self {
            Self::Maildir(path) => match deliver(path, letter, name).await {
                Ok(()) => Sent::Accepted,
                Err(error) => {
                    tracing::warn!(%error, "cannot write into the Maildir");
                    Sent::NotYet
                }
            },
            Self::Smtp(client) => client.send(letter).await,
        }
    }

    /// Ends the kept connection.
    pub async fn rest(&mut self) {
        if let Self::Smtp(client) = self
            && let Some(mut connection) = client.connection.take()
        {
            let _ = timeout(Duration::from_secs(2), connection.quit()).await; // it is over either way
        }
    }
}

/// Whose certificates are believed, and for which name.
fn trust(server: &Smtp) -> Result<TlsParameters, TransportError> {
    let mut tls = TlsParameters::builder(server.host.clone());
    if let Some(path) = &server.ca {
        let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
        let certificates: Vec<CertificateDer<'_>> =
            read.map_err(|source| TransportError::Ca { path: path.clone(), source })?;
        if certificates.is_empty() {
            return Err(TransportError::NoCa(path.clone()));
        }
        tls = tls.certificate_store(CertificateStore::None);
        for certificate in certificates {
            tls = tls.add_root_certificate(Certificate::from_der(certificate.to_vec())?);
        }
    }
    Ok(tls.build()?)
}

/// Maildir: written in `tmp`, then moved to `new`, so that a reader never sees half a mail. The name
/// is the mail's own: sent twice, it is there once.
async fn deliver(folder: &Path, letter: &Letter, name: &str) -> std::io::Result<()> {
    let temporary = folder.join("tmp").join(name);
    let mut file =
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary).await?;
    // The final delivery adds the envelope (RFC 5321 4.4) and writes the lines of this system.
    let head =
        format!("Return-Path: <{}>\nDelivered-To: {}\n", letter.return_path.as_str(), letter.to.as_str());
    file.write_all(head.as_bytes()).await?;
    let body: Zeroizing<Vec<u8>> =
        Zeroizing::new(letter.bytes.iter().copied().filter(|&b| b != b'\r').collect());
    file.write_all(&body).await?;
    file.sync_all().await?;
    fs::rename(&temporary, folder.join("new").join(name)).await?;
    fs::File::open(folder.join("new")).await?.sync_all().await
}

impl Client {
    async fn send(&mut self, letter: &Letter) -> Sent {
        let parse = |address: &latchkey_protocol::Address| address.as_str().parse::<Address>().ok();
        let (Some(from), Some(to)) = (parse(&letter.return_path), parse(&letter.to)) else {
            return Sent::Refused(Reason::MailboxUnknown);
        };
        let step = Duration::from_secs(self.server.timeout_s);
        let mut at = "connect";
        // Greeting, handshake and login have no limit of their own in the client.
        let mut connection = match timeout(step * 3, self.connect(step, &mut at)).await {
            Ok(Ok(connection)) => connection,
            Ok(Err(error)) => {
                log(&error, at);
                return Sent::NotYet;
            }
            Err(_) => {
                log_silence(at);
                return Sent::NotYet;
            }
        };
        let opened = timeout(step * 3, async {
            connection.command(Mail::new(Some(from), vec![])).await?;
            connection.command(Rcpt::new(to, vec![])).await?;
            connection.command(Data).await
        });
        match opened.await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                log(&error, "envelope");
                return self.refusal(&error, connection).await.unwrap_or(Sent::NotYet);
            }
            Err(_) => {
                log_silence("envelope");
                return Sent::NotYet;
            }
        }
        // From here the server may have taken it whatever happens to the answer.
        match timeout(step * 2, connection.message(&letter.bytes)).await {
            Ok(Ok(_)) => {
                self.connection = Some(connection);
                Sent::Accepted
            }
            Ok(Err(error)) => {
                log(&error, "message");
                self.refusal(&error, connection).await.unwrap_or(Sent::Uncertain)
            }
            Err(_) => {
                log_silence("message");
                Sent::Uncertain
            }
        }
    }

    /// What a reply of 4xx or 5xx means; `None` if the connection failed in place of a reply.
    async fn refusal(&mut self, error: &SmtpError, mut connection: AsyncSmtpConnection) -> Option<Sent> {
        let code = u16::from(error.status()?);
        // The next mail starts on a clean connection.
        let _ = timeout(Duration::from_secs(2), connection.quit()).await;
        Some(if error.is_permanent() {
            Sent::Refused(reason_of(code, &error.to_string()))
        } else {
            Sent::NotYet
        })
    }

    /// A connection that is ready for a mail. `at` tells how far it came. Without the TLS that the
    /// configuration asks for there is none: nothing is ever sent in the clear in its place.
    async fn connect(
        &mut self,
        step: Duration,
        at: &mut &'static str,
    ) -> Result<AsyncSmtpConnection, SmtpError> {
        if let Some(mut kept) = self.connection.take()
            && let Ok(Ok(_)) = timeout(step, kept.command(Noop)).await
        {
            return Ok(kept);
        }
        let address = (self.server.host.as_str(), self.server.port);
        let at_once = self.tls.clone().filter(|_| self.server.tls == SmtpTls::Required);
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(address, Some(step), &self.hello, at_once, None).await?;
        if let Some(tls) = self.tls.clone().filter(|_| self.server.tls == SmtpTls::StartTls) {
            *at = "starttls";
            connection.starttls(tls, &self.hello).await?;
        }
        if let Some(login) = &self.login {
            *at = "login";
            connection.auth(&[Mechanism::Plain, Mechanism::Login], login).await?;
        }
        Ok(connection)
    }
}

/// Servers put addresses into their replies: only the code is logged.
fn log(error: &SmtpError, at: &str) {
    match error.status() {
        Some(code) if at == "login" => {
            tracing::warn!(%code, at, "the mail server refuses the login: look at user and password_file");
        }
        Some(code) => tracing::warn!(%code, at, "the mail server refuses"),
        None if error.is_timeout() => log_silence(at),
        None if is_tls(error) => tracing::warn!(
            at,
            %error,
            "the mail server's TLS is not accepted, and nothing is sent without it: look at host and ca_file"
        ),
        None if error.is_client() => {
            tracing::warn!(at, %error, "the mail server does not offer what the configuration asks for");
        }
        // An answer that cannot be read may hold anything.
        None if error.is_response() => tracing::warn!(at, "the mail server's answer cannot be read"),
        None => tracing::warn!(at, %error, "the mail server cannot be reached"),
    }
}

fn log_silence(at: &str) {
    tracing::warn!(at, "the mail server does not answer in time");
}

/// Whether TLS itself failed, as by a certificate of another authority or name.
fn is_tls(error: &SmtpError) -> bool {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(cause) = next {
        let inner = cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if cause.is::<rustls::Error>() || inner.is_some_and(|inner| inner.is::<rustls::Error>()) {
            return true;
        }
        next = cause.source();
    }
    error.is_tls()
}

/// The class of a refusal by its enhanced status code (RFC 3463), or by the plain one.
pub fn reason_of(code: u16, text: &str) -> Reason {
    let enhanced =
        text.split(|c: char| !(c.is_ascii_digit() || c == '.')).find(|word| word.starts_with("5."));
    match enhanced {
        Some(word) if word.starts_with("5.1.") => Reason::MailboxUnknown,
        Some("5.2.2") => Reason::MailboxFull,
        Some("5.2.1") => Reason::MailboxUnknown,
        Some(word) if word.starts_with("5.4.4") => Reason::MailboxUnknown,
        Some(_) => Reason::Refused,
        None if matches!(code, 550 | 551 | 553) => Reason::MailboxUnknown,
        None if code == 552 => Reason::MailboxFull,
        None => Reason::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_has_a_class() {
        assert_eq!(reason_of(550, "550 5.1.1 no such user"), Reason::MailboxUnknown);
        assert_eq!(reason_of(552, "552 5.2.2 over quota"), Reason::MailboxFull);
        assert_eq!(reason_of(550, "550 5.7.1 policy"), Reason::Refused);
        assert_eq!(reason_of(550, "no such user here"), Reason::MailboxUnknown);
        assert_eq!(reason_of(554, "go away"), Reason::Refused);
    }
}
