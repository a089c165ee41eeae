//! What a mail to the recovery mailbox holds: the links of its QR codes, and links in its text. This is
//! done by a process of its own, which a mail that does harm takes along: see [`super::reader`].

use crate::picture::{self, Unreadable};
use latchkey_protocol::platform::AddLink;
use mail_parser::{Message, MessageParser, PartType};
use serde::{Deserialize, Serialize};

/// The parts of a mail that are looked at.
const PARTS_MAX: usize = 200;
/// The pictures that are looked at.
const PICTURES_MAX: usize = 8;
/// Mails in mails that are looked into: a forwarded one may have been forwarded before.
const DEPTH_MAX: usize = 3;
/// Of a text only the beginning: a link stands in the first lines, or nobody wrote it.
const TEXT_BYTES_MAX: usize = 64 * 1024;
/// The longest link has 3 KiB; more links than these are no cry for help.
const LINKS_MAX: usize = 8;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// Links of the kind that QR codes hold; at least one.
    Links(Vec<String>),
    /// No such link, but one that adds a recorder to an account.
    Adding(String),
    /// Nothing, and why.
    Nothing(Nothing),
}

/// Why nothing was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Nothing {
    /// It is no mail.
    NoMail,
    /// There is neither a picture nor a link in it.
    NoPicture,
    /// The pictures in it are larger than what is looked at.
    PictureTooLarge,
    /// The pictures in it are damaged.
    PictureDamaged,
    /// No picture in it has a QR code that can be read.
    NoCode,
    /// There are QR codes in it, and none is a recorder's.
    OtherCode,
}

/// Reads a mail.
pub fn read(bytes: &[u8]) -> Found {
    let Some(mail) = MessageParser::default().parse(bytes) else { return Found::Nothing(Nothing::NoMail) };
    let mut letter = Letter { links: vec![], adding: None, why: Nothing::NoPicture, parts: 0, pictures: 0 };
    letter.look_into(&mail, 0);
    match letter {
        Letter { links, .. } if !links.is_empty() => Found::Links(links),
        Letter { adding: Some(link), .. } => Found::Adding(link),
        Letter { why, .. } => Found::Nothing(why),
    }
}

struct Letter {
    links: Vec<String>,
    adding: Option<String>,
    /// The best that can be said if no link is found.
    why: Nothing,
    parts: usize,
    pictures: usize,
}

impl Letter {
    fn look_into(&mut self, mail: &Message<'_>, depth: usize) {
        for part in &mail.parts {
            self.parts += 1;
            if self.parts > PARTS_MAX || self.links.len() >= LINKS_MAX {
                return;
            }
            match &part.body {
                PartType::Text(text) | PartType::Html(text) => self.look_through(text),
                PartType::Binary(bytes) | PartType::InlineBinary(bytes) => self.look_at(bytes),
                PartType::Message(inner) if depth < DEPTH_MAX => self.look_into(inner, depth + 1),
                PartType::Message(_) | PartType::Multipart(_) => {}
            }
        }
    }

    fn look_at(&mut self, bytes: &[u8]) {
        if self.pictures >= PICTURES_MAX {
            return;
        }
        let why = match picture::read(bytes) {
            Ok(texts) => {
                self.pictures += 1;
                let before = self.links.len();
                for text in &texts {
                    self.look_through(text);
                    if AddLink::parse(text).is_some() {
                        self.adding = Some(text.clone());
                    }
                }
                if self.links.len() > before { return } else { Nothing::OtherCode }
            }
            Err(Unreadable::Format) => return,
            Err(Unreadable::TooLarge) => Nothing::PictureTooLarge,
            Err(Unreadable::Damaged) => Nothing::PictureDamaged,
            Err(Unreadable::NoCode) => Nothing::NoCode,
        };
        self.pictures += 1;
        self.why = self.why.max(why);
    }

    /// Links in a text: `https://`, a host, `/r#`, decimal digits.
    fn look_through(&mut self, text: &str) {
        let mut end = TEXT_BYTES_MAX.min(text.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        for (at, _) in text[..end].match_indices("https://") {
            let rest = &text[at..];
            let Some(hash) = rest.find("/r#").filter(|hash| !rest[..*hash].contains(char::is_whitespace))
            else {
                continue;
            };
            let digits = rest[hash + 3..].bytes().take_while(u8::is_ascii_digit).count();
            let link = &rest[..hash + 3 + digits];
            if digits > 0 && self.links.len() < LINKS_MAX && !self.links.iter().any(|known| known == link) {
                self.links.push(link.to_owned());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn mail(body: &str) -> Vec<u8> {
        format!("From: a@b.example\r\nTo: reset@c.example\r\nSubject: Help\r\n\r\n{body}\r\n").into_bytes()
    }

    #[test]
    fn a_link_in_the_text_is_found_once() {
        let text = mail("It says https://c.example/r#0123456789, or\r\nhttps://c.example/r#0123456789\r\n");
        assert_eq!(read(&text), Found::Links(vec!["https://c.example/r#0123456789".into()]));
    }

    #[test]
    fn a_letter_has_nothing() {
        assert_eq!(
            read(&mail("Hello? https://c.example/r# and https://x y/r#1")),
            Found::Nothing(Nothing::NoPicture)
        );
        assert_eq!(read(b""), Found::Nothing(Nothing::NoMail));
    }

    #[test]
    fn a_thousand_parts_or_mails_in_mails_are_not_all_looked_at() {
        let mut many = "From: a@b.example\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n".to_owned();
        many.push_str(&"--b\r\n\r\nx\r\n".repeat(10_000));
        many.push_str("--b\r\n\r\nhttps://c.example/r#01\r\n--b--\r\n");
        assert_eq!(read(many.as_bytes()), Found::Nothing(Nothing::NoPicture));
        let deep = "Content-Type: message/rfc822\r\n\r\n".repeat(5_000) + "https://c.example/r#01";
        let _ = read(deep.as_bytes()); // whatever it is, it ends
    }

    proptest! {
        #[test]
        fn no_bytes_stop_it(bytes in prop::collection::vec(any::<u8>(), 0..3000), link in any::<bool>()) {
            let mut bytes = bytes;
            if link {
                bytes.extend(b" https://c.example/r#01 ");
            }
            let _ = read(&bytes);
            let _ = read(&mail(&String::from_utf8_lossy(&bytes)));
        }
    }
}
