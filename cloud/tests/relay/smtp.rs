//! A mail server on a socket that does what a test tells it to, once for each mail.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};

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
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Seen { acts: acts.iter().copied().collect(), ..Seen::default() }));
        let server = Self { port, seen: seen.clone() };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                seen.lock().unwrap().connections += 1;
                let seen = seen.clone();
                tokio::spawn(async move {
                    let _ = talk(stream, &seen).await;
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
}

async fn talk(stream: TcpStream, seen: &Mutex<Seen>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 here\r\n").await?;
    let (mut act, mut from, mut to) = (Act::Take, String::new(), String::new());
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let verb = line.get(..4).unwrap_or_default().to_ascii_uppercase();
        let reply = match verb.as_str() {
            "MAIL" => {
                act = seen.lock().unwrap().acts.pop_front().unwrap_or(Act::Take);
                from = line.trim().to_owned();
                "250 go on"
            }
            "RCPT" => {
                to = line.trim().to_owned();
                match act {
                    Act::Recipient(reply) => reply,
                    Act::Drop => return Ok(()),
                    _ => "250 go on",
                }
            }
            "DATA" => "354 tell",
            "QUIT" => {
                stream.write_all(b"221 bye\r\n").await?;
                return Ok(());
            }
            _ => "250 fine",
        };
        stream.write_all(format!("{reply}\r\n").as_bytes()).await?;
        if verb == "DATA" {
            let mut text = String::new();
            while !text.ends_with("\r\n.\r\n") {
                if stream.read_line(&mut text).await? == 0 {
                    return Ok(());
                }
            }
            if let Act::Message(reply) = act {
                stream.write_all(format!("{reply}\r\n").as_bytes()).await?;
                continue;
            }
            seen.lock().unwrap().mails.push((from.clone(), to.clone(), text));
            match act {
                Act::TakeAndDrop => return Ok(()),
                Act::TakeAndHang => std::future::pending::<()>().await,
                _ => stream.write_all(b"250 taken\r\n").await?,
            }
        }
    }
}
