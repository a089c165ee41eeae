//! A mail server on a socket that does what a test tells it to, once for each mail; with TLS and
//! login as servers of the world have them.

use crate::support::Authority;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

pub const USER: &str = "latchkey";
pub const PASSWORD: &str = "plum-orbit-7781";
/// `AUTH PLAIN` of the two (RFC 4616), as it is on the wire.
pub const PLAIN: &str = "AGxhdGNoa2V5AHBsdW0tb3JiaXQtNzc4MQ==";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Takes the mail.
    Take,
    /// Answers the recipient with this.
    Recipient(&'static str),
    /// Answers the mail with this.
    Message(&'static str),
    /// Takes the mail and hangs up in place of an answer.
    TakeAndDrop,
    /// Hangs up before the mail.
    Drop,
    /// Takes the mail and never answers.
    TakeAndHang,
}

#[derive(Default)]
pub struct Seen {
    pub acts: VecDeque<Act>,
    /// Envelope sender, recipient, text.
    pub mails: Vec<(String, String, String)>,
    pub connections: usize,
    /// Verbs that came, and whether under TLS.
    pub verbs: Vec<(bool, String)>,
}

/// What a server has besides plain SMTP.
#[derive(Clone, Default)]
pub struct Guard {
    /// TLS from the first byte.
    pub implicit: bool,
    /// Says that it can STARTTLS.
    pub offers_starttls: bool,
    /// The certificate.
    pub tls: Option<TlsAcceptor>,
    /// Takes mails only after the login with [`USER`] and [`PASSWORD`].
    pub login: bool,
    /// Never says a word.
    pub silent: bool,
}

impl Guard {
    /// A server with TLS from the first byte and login.
    pub fn implicit(authority: &Authority, name: &str) -> Self {
        Self { implicit: true, tls: Some(authority.acceptor(name)), login: true, ..Self::default() }
    }

    /// A server with STARTTLS and login.
    pub fn starttls(authority: &Authority, name: &str) -> Self {
        Self { implicit: false, offers_starttls: true, ..Self::implicit(authority, name) }
    }
}

#[derive(Clone)]
pub struct Server {
    pub port: u16,
    pub seen: Arc<Mutex<Seen>>,
}

impl Server {
    /// A server that acts as told for the first mails and takes every later one.
    pub async fn start(acts: &[Act]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::on(listener, Guard::default(), acts)
    }

    /// A server that takes every mail of those it lets in.
    pub async fn guarded(guard: Guard) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").await.unwrap(), guard, &[])
    }

    pub fn on(listener: TcpListener, guard: Guard, acts: &[Act]) -> Self {
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Seen { acts: acts.iter().copied().collect(), ..Seen::default() }));
        let server = Self { port, seen: seen.clone() };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                seen.lock().unwrap().connections += 1;
                let (seen, guard) = (seen.clone(), guard.clone());
                tokio::spawn(async move {
                    let _ = serve(stream, &guard, &seen).await;
                });
            }
        });
        server
    }

    pub fn mails(&self) -> Vec<(String, String, String)> {
        self.seen.lock().unwrap().mails.clone()
    }

    /// Points a configuration at this server.
    pub fn configure(&self, text: &str) -> String {
        let server = format!(
            "return_path = \"bounces@example.org\"\nbounce_maildir = \"bounces\"\n[mail.smtp]\n\
             host = \"127.0.0.1\"\nport = {}\ntls = \"none\"\ntimeout_s = 1",
            self.port
        );
        text.replace("maildir = \"mail\"", &server)
    }

    /// Points a configuration at this server, with TLS, login and an authority of its own.
    pub fn configure_guarded(&self, text: &str, tls: &str) -> String {
        self.configure(text).replace(
            "tls = \"none\"\ntimeout_s",
            &format!(
                "tls = \"{tls}\"\nca_file = \"ca.pem\"\nuser = \"{USER}\"\n\
                 password_file = \"password\"\ntimeout_s"
            ),
        )
    }
}

async fn serve(stream: TcpStream, guard: &Guard, seen: &Mutex<Seen>) -> std::io::Result<()> {
    if guard.silent {
        std::future::pending::<()>().await;
    }
    if let (true, Some(tls)) = (guard.implicit, &guard.tls) {
        let stream = tls.accept(stream).await?;
        return talk(stream, guard, seen, true, true).await.map(|_| ());
    }
    let upgraded = talk(stream, guard, seen, false, true).await?;
    if let (Some(stream), Some(tls)) = (upgraded, &guard.tls) {
        let stream = tls.accept(stream).await?;
        talk(stream, guard, seen, true, false).await?;
    }
    Ok(())
}

/// Talks until the end, or until STARTTLS: then the stream comes back.
async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    guard: &Guard,
    seen: &Mutex<Seen>,
    tls: bool,
    greet: bool,
) -> std::io::Result<Option<S>> {
    let mut stream = BufReader::new(stream);
    if greet {
        stream.write_all(b"220 here\r\n").await?;
        stream.flush().await?;
    }
    let mut let_in = !guard.login;
    let (mut act, mut from, mut to) = (Act::Take, String::new(), String::new());
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(None);
        }
        let verb = line.get(..4).unwrap_or_default().to_ascii_uppercase();
        seen.lock().unwrap().verbs.push((tls, verb.clone()));
        let reply = match verb.as_str() {
            "EHLO" if guard.offers_starttls && !tls => "250-here\r\n250 STARTTLS",
            "EHLO" if guard.login => "250-here\r\n250 AUTH PLAIN",
            "STAR" if guard.offers_starttls && !tls => {
                stream.write_all(b"220 begin\r\n").await?;
                return Ok(Some(stream.into_inner()));
            }
            "AUTH" if line.trim() == format!("AUTH PLAIN {PLAIN}") => {
                let_in = true;
                "235 2.7.0 welcome"
            }
            "AUTH" => "535 5.7.8 no such user or password: latchkey",
            "MAIL" if !let_in => "530 5.7.0 who are you",
            "MAIL" => {
                act = seen.lock().unwrap().acts.pop_front().unwrap_or(Act::Take);
                from = line.trim().to_owned();
                "250 go on"
            }
            "RCPT" => {
                to = line.trim().to_owned();
                match act {
                    Act::Recipient(reply) => reply,
                    Act::Drop => return Ok(None),
                    _ => "250 go on",
                }
            }
            "DATA" => "354 tell",
            "QUIT" => {
                stream.write_all(b"221 bye\r\n").await?;
                stream.flush().await?;
                return Ok(None);
            }
            _ => "250 fine",
        };
        stream.write_all(format!("{reply}\r\n").as_bytes()).await?;
        stream.flush().await?;
        if verb == "DATA" {
            let mut text = String::new();
            while !text.ends_with("\r\n.\r\n") {
                if stream.read_line(&mut text).await? == 0 {
                    return Ok(None);
                }
            }
            if let Act::Message(reply) = act {
                stream.write_all(format!("{reply}\r\n").as_bytes()).await?;
                stream.flush().await?;
                continue;
            }
            seen.lock().unwrap().mails.push((from.clone(), to.clone(), text));
            match act {
                Act::TakeAndDrop => return Ok(None),
                Act::TakeAndHang => std::future::pending::<()>().await,
                _ => stream.write_all(b"250 taken\r\n").await?,
            }
            stream.flush().await?;
        }
    }
}

/// What a mail server reports of a mail that it could not deliver (RFC 3464): to whom, and the mail itself.
pub fn report_of((from, to, mail): &(String, String, String), status: &str) -> String {
    let bare = |line: &str| line.split_once('<').unwrap().1.trim_end_matches('>').to_owned();
    format!(
        "To: {}\r\nMIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n\
         --b\r\nContent-Type: text/plain\r\n\r\nSorry.\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n\
         Reporting-MTA: dns; mx\r\n\r\nFinal-Recipient: rfc822; {}\r\nAction: failed\r\nStatus: {status}\r\n\r\n\
         --b\r\nContent-Type: message/rfc822\r\n\r\n{mail}\r\n--b--\r\n",
        bare(from),
        bare(to)
    )
}
