//! A mail, in text and HTML, out of an opened challenge.

use crate::{
    config,
    store::{Device, MailToken},
};
use askama::Template;
use latchkey_look::{Catalogue, tokens};
use latchkey_protocol::{Address, Challenge, Door, Message as Kind, NoticeEvent, Tag};
use lettre::{
    Message,
    message::{
        Mailbox, MultiPart,
        header::{HeaderName, HeaderValue},
    },
};
use zeroize::Zeroizing;

/// A mail that is ready to leave.
pub struct Letter {
    /// Where bounces go.
    pub return_path: Address,
    /// Where it goes.
    pub to: Address,
    /// Headers and body, with CRLF line ends.
    pub bytes: Zeroizing<Vec<u8>>,
}

/// Why a mail cannot be written. The addresses have been parsed strictly, so this is a fault of ours.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    /// The library refuses a header.
    #[error("a header cannot be written")]
    Message(#[from] lettre::error::Error),
    /// The recipient is no address.
    #[error("the recipient is no address")]
    Recipient,
    /// The library refuses an address.
    #[error("an address cannot be written")]
    Address(#[from] lettre::address::AddressError),
    /// A template fails.
    #[error("the mail's text cannot be written")]
    Template(#[from] askama::Error),
}

/// Which sentences a kind of mail has.
struct Voice {
    /// The end of the keys `mail-subject-`, `mail-heading-`, `mail-intro-`.
    key: &'static str,
    /// The whole key of "not you?".
    not_you: &'static str,
}

impl Voice {
    fn of(kind: &Kind) -> Self {
        let (key, not_you) = match kind {
            Kind::Reset(_) => ("reset", "mail-not-you-code"),
            Kind::ConfirmEmail(_) => ("confirm-email", "mail-not-you-confirm"),
            Kind::Rehearsal(_) => ("rehearsal", "mail-not-you-code"),
            Kind::Notice(NoticeEvent::ResetRequested) => ("notice-requested", "mail-not-you-requested"),
            Kind::Notice(NoticeEvent::ResetCompleted) => ("notice-completed", "mail-not-you-completed"),
            Kind::AddressChanged => ("address-changed", "mail-not-you-address"),
        };
        Self { key, not_you }
    }
}

/// The message key of a mail's subject, whose one value is the tag.
pub fn subject_key(kind: &Kind) -> String {
    format!("mail-subject-{}", Voice::of(kind).key)
}

#[derive(Template)]
#[template(path = "mail.html")]
struct Html<'a> {
    subject: &'a str,
    heading: String,
    intro: String,
    code: Option<(&'a str, &'a str)>,
    validity: String,
    facts: &'a [(String, String)],
    facts_heading: String,
    not_you: String,
    footer: String,
    product: String,
    light: Palette,
    dark: Palette,
    font: String,
    font_even: String,
}

struct Palette {
    ground: &'static str,
    surface: &'static str,
    sunken: &'static str,
    ink: &'static str,
    muted: &'static str,
    line: &'static str,
    brass: &'static str,
}

impl Palette {
    fn of(pick: impl Fn(tokens::Colour) -> &'static str) -> Self {
        Self {
            ground: pick(tokens::GROUND),
            surface: pick(tokens::SURFACE),
            sunken: pick(tokens::SUNKEN),
            ink: pick(tokens::INK),
            muted: pick(tokens::MUTED),
            line: pick(tokens::LINE),
            brass: pick(tokens::BRASS),
        }
    }
}

/// Writes the mail to one of a challenge's addresses.
pub fn compose(
    say: &Catalogue,
    sender: &config::Mail,
    device: &Device,
    challenge: &Challenge,
    tag: Tag,
    (to, token): (&Address, MailToken),
    now_s: i64,
) -> Result<Letter, ComposeError> {
    let voice = Voice::of(&challenge.message);
    let subject = say.say_with(&subject_key(&challenge.message), &[("tag", tag.to_string().into())]);
    let digits = match &challenge.message {
        Kind::Reset(code) | Kind::ConfirmEmail(code) | Kind::Rehearsal(code) => {
            Some(Zeroizing::new(code.digits()))
        }
        Kind::Notice(_) | Kind::AddressChanged => None,
    };
    let facts_key = if digits.is_some() { "mail-facts" } else { "mail-facts-notice" };
    let words = Words {
        subject,
        heading: say.say(&format!("mail-heading-{}", voice.key)),
        intro: say.say(&format!("mail-intro-{}", voice.key)),
        code: digits.as_ref().map(|digits| digits.as_str()),
        validity: say.say("mail-validity"),
        facts_heading: say.say(facts_key),
        facts: facts(say, device, challenge, tag),
        not_you: say.say(voice.not_you),
        footer: say.say("mail-footer"),
    };
    write(say, sender, words, (to, token), now_s)
}

/// What a mail says.
pub(crate) struct Words<'a> {
    pub(crate) subject: String,
    pub(crate) heading: String,
    pub(crate) intro: String,
    /// Digits, shown as two groups of the same length.
    pub(crate) code: Option<&'a str>,
    pub(crate) validity: String,
    pub(crate) facts_heading: String,
    pub(crate) facts: Vec<(String, String)>,
    pub(crate) not_you: String,
    pub(crate) footer: String,
}

/// Writes a mail in text and HTML.
pub(crate) fn write(
    say: &Catalogue,
    sender: &config::Mail,
    words: Words<'_>,
    (to, token): (&Address, MailToken),
    now_s: i64,
) -> Result<Letter, ComposeError> {
    let Words { subject, heading, intro, code, validity, facts_heading, facts, not_you, footer } = words;
    let mut text = Zeroizing::new(format!("{heading}\r\n\r\n{}\r\n\r\n", wrap(&intro)));
    if let Some(digits) = code {
        text.push_str(&format!("{digits}\r\n\r\n{}\r\n\r\n", wrap(&validity)));
    }
    text.push_str(&format!("{facts_heading}\r\n"));
    for (name, value) in &facts {
        text.push_str(&format!("- {name}: {value}\r\n"));
    }
    text.push_str(&format!("\r\n{}\r\n\r\n-- \r\n{}\r\n", wrap(&not_you), wrap(&footer)));

    let html = Html {
        subject: &subject,
        heading,
        intro,
        code: code.map(|digits| digits.split_at(digits.len() / 2)),
        validity,
        facts: &facts,
        facts_heading,
        not_you,
        footer,
        product: say.say("product-name"),
        light: Palette::of(|colour| colour.light),
        dark: Palette::of(|colour| colour.dark),
        // Inside a style attribute, so the family names take single quotation marks.
        font: tokens::FONT.replace('"', "'"),
        font_even: tokens::FONT_EVEN.replace('"', "'"),
    }
    .render()?;

    let now =
        std::time::UNIX_EPOCH + std::time::Duration::from_secs(u64::try_from(now_s).unwrap_or_default());
    let domain = sender.from.as_str().split_once('@').map_or("", |(_, domain)| domain);
    let raw = |name, value: &str| HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned());
    let mut message = Message::builder()
        .from(Mailbox::new(Some(sender.from_name.clone()), sender.from.as_str().parse()?))
        .to(Mailbox::new(None, to.as_str().parse()?))
        .subject(subject.as_str())
        .date(now)
        .message_id(Some(format!("<{token}@{domain}>")))
        .multipart(MultiPart::alternative_plain_html(text.as_str().to_owned(), html))?;
    // RFC 3834 5, so that no auto-responder answers; the second is what Exchange heeds.
    message.headers_mut().insert_raw(raw("Auto-Submitted", "auto-generated"));
    message.headers_mut().insert_raw(raw("X-Auto-Response-Suppress", "All"));
    Ok(Letter {
        return_path: return_path(sender, token),
        to: to.clone(),
        bytes: Zeroizing::new(message.formatted()),
    })
}

/// `bounces@example.org` and a token become `bounces+<token>@example.org` (RFC 5233 subaddress).
fn return_path(sender: &config::Mail, token: MailToken) -> Address {
    let Some(base) = &sender.return_path else { return sender.from.clone() };
    let own = base
        .as_str()
        .split_once('@')
        .and_then(|(local, domain)| Address::parse(&format!("{local}+{token}@{domain}")).ok());
    own.unwrap_or_else(|| base.clone())
}

/// Lines of at most 72 characters (RFC 3676 4.2 asks for 78 or less).
fn wrap(text: &str) -> String {
    let mut lines = String::new();
    let mut width = 0;
    for word in text.split(' ') {
        let len = word.chars().count();
        if width > 0 && width + 1 + len > 72 {
            lines.push_str("\r\n");
            width = 0;
        } else if width > 0 {
            lines.push(' ');
            width += 1;
        }
        lines.push_str(word);
        width += len;
    }
    lines
}

fn facts(say: &Catalogue, device: &Device, challenge: &Challenge, tag: Tag) -> Vec<(String, String)> {
    let tail_at = device.serial.len().saturating_sub(4);
    let tail = device.serial.get(tail_at..).unwrap_or_default().to_owned();
    let recorder = say.say_with(
        "mail-fact-recorder-value",
        &[("model", device.model.clone().into()), ("tail", tail.into())],
    );
    let door = match challenge.door {
        Door::Console => "mail-door-console",
        Door::Lan => "mail-door-lan",
    };
    let time = device_time(challenge.device_time_unix_s, challenge.tz_offset_min);
    let where_key = match challenge.message {
        Kind::Notice(NoticeEvent::ResetCompleted) | Kind::AddressChanged => "mail-fact-done-at",
        _ => "mail-fact-asked-at",
    };
    let mut facts = vec![
        (say.say("mail-fact-recorder"), recorder),
        (say.say(where_key), say.say(door)),
        (say.say("mail-fact-time"), time.unwrap_or_else(|| say.say("mail-time-unknown"))),
    ];
    // A notice has no QR code, so the recorder shows no tag to compare.
    if !matches!(challenge.message, Kind::Notice(_) | Kind::AddressChanged) {
        let compare = say.say_with("mail-tag-compare", &[("tag", tag.to_string().into())]);
        facts.push((say.say("mail-fact-tag"), compare));
    }
    facts
}

/// As in `2026-11-22 17:23 (UTC+01:00)`: the recorder's own clock, which may be wrong and is only
/// shown. `None` before 2001, when no recorder's clock is set.
fn device_time(unix_s: i64, offset_min: i16) -> Option<String> {
    const SET_SINCE: i64 = 1_000_000_000;
    if unix_s < SET_SINCE {
        return None;
    }
    let offset = time::UtcOffset::from_whole_seconds(i32::from(offset_min) * 60).ok()?;
    let at = time::OffsetDateTime::from_unix_timestamp(unix_s).ok()?.checked_to_offset(offset)?;
    let sign = if offset_min < 0 { '-' } else { '+' };
    let minutes = offset_min.unsigned_abs();
    Some(format!(
        "{} {:02}:{:02} (UTC{sign}{:02}:{:02})",
        at.date(),
        at.hour(),
        at.minute(),
        minutes / 60,
        minutes % 60
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_time_is_shown_as_the_device_shows_it() {
        assert_eq!(device_time(1_795_369_380, 60).as_deref(), Some("2026-11-22 18:43 (UTC+01:00)"));
        assert_eq!(device_time(1_795_369_380, -210).as_deref(), Some("2026-11-22 14:13 (UTC-03:30)"));
        assert_eq!(device_time(0, 0), None);
        assert_eq!(device_time(-1, 0), None);
        assert_eq!(device_time(i64::MAX, 840), None);
        assert_eq!(device_time(i64::MIN, -840), None);
        assert_eq!(device_time(253_402_300_799, 840), None);
    }
}
