//! Refusals and lengths of time in words.

use crate::{
    api::Problem,
    state::{Exported, Notice, State, Tone},
};
use latchkey_look::Catalogue;

/// Tone, title and text of a notice.
pub(super) fn notice(words: &Catalogue, state: &State, notice: &Notice) -> (Tone, String, String) {
    match notice {
        Notice::Said { tone, title, text } => {
            let text = if text.is_empty() { String::new() } else { words.say(text) };
            (*tone, words.say(title), text)
        }
        Notice::Refused { problem, .. } => {
            let (title, text) = refusal(words, problem, state.wait_s());
            (Tone::Danger, title, text)
        }
        Notice::Told(told) => {
            let key = if told.door == "lan" { "told-reset-lan" } else { "told-reset-console" };
            let when = moment(told.wall_unix_s);
            let text = words.say_with(key, &[("when", when.into())]);
            (Tone::Warn, words.say("told-reset"), format!("{text} {}", words.say("told-reset-not-you")))
        }
        Notice::Exported(Exported::Saved(name), mailbox) => {
            let key = if mailbox.is_some() { "export-saved-mailbox" } else { "export-saved-text" };
            let mailbox = mailbox.as_deref().unwrap_or_default();
            let text = words.say_with(key, &[("name", name.as_str().into()), ("mailbox", mailbox.into())]);
            (Tone::Success, words.say("export-saved"), text)
        }
        Notice::Exported(Exported::NoStick, _) => {
            (Tone::Warn, words.say("export-no-stick"), words.say("export-no-stick-text"))
        }
        Notice::Exported(Exported::Failed, _) => {
            (Tone::Danger, words.say("export-failed"), words.say("export-failed-text"))
        }
    }
}

/// Title and text of a refusal, in the words of every surface; a refusal that this panel does not know
/// yet is told in the daemon's own.
fn refusal(words: &Catalogue, problem: &Problem, wait_s: u64) -> (String, String) {
    let key = format!("problem-{}", problem.name());
    let title_key = format!("{key}-title");
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let args = [
        ("wait_s", wait_s.into()),
        ("wait", lasting(words, wait_s).into()),
        ("tries_left", u64::from(problem.tries_left.unwrap_or(0)).into()),
        ("chars_min", problem.chars_min.unwrap_or(0).into()),
        ("reason", text(&problem.reason).into()),
        ("kind", String::new().into()),
        ("expected", String::new().into()),
    ];
    let (title, detail) = (words.say_with(&title_key, &args), words.say_with(&key, &args));
    if title == title_key { (problem.title.clone(), problem.detail.clone()) } else { (title, detail) }
}

/// A length of time in its two largest units that matter.
pub(super) fn lasting(words: &Catalogue, s: u64) -> String {
    let unit = |key: &str, count: u64| (count > 0).then(|| words.say_with(key, &[("count", count.into())]));
    let (hours, minutes) = (unit("time-hours", s / 3600), unit("time-minutes", s % 3600 / 60));
    let seconds = unit("time-seconds", s % 60).filter(|_| s < 600);
    let parts: Vec<String> = [hours, minutes, seconds].into_iter().flatten().collect();
    if parts.is_empty() { words.say_with("time-seconds", &[("count", 0.into())]) } else { parts.join(" ") }
}

/// A moment of the recorder's own clock, in UTC; empty if no calendar has it.
fn moment(unix_s: i64) -> String {
    let Ok(at) = time::OffsetDateTime::from_unix_timestamp(unix_s) else { return String::new() };
    let (year, month, day) = at.to_calendar_date();
    format!("{year}-{:02}-{day:02} {:02}:{:02} UTC", u8::from(month), at.hour(), at.minute())
}

/// Masked addresses as a person lists them, linked by `and` or `or`.
pub(super) fn listed(words: &Catalogue, link: &str, emails: &[String]) -> String {
    match emails {
        [] => String::new(),
        [one] => one.clone(),
        [first, second, ..] => {
            words.say_with(link, &[("first", first.as_str().into()), ("second", second.as_str().into())])
        }
    }
}

/// How strong a password looks, from 0 (too short) to 4, and which of the rules it meets: length, upper
/// and lower case, digits, special characters. As the pages' script reckons it.
pub(super) fn strength(password: &str, chars_min: usize) -> (usize, [bool; 4]) {
    let any = |kind: fn(char) -> bool| password.chars().any(kind);
    let met = [
        password.chars().count() >= chars_min,
        any(char::is_lowercase) && any(char::is_uppercase),
        any(|c| c.is_ascii_digit()),
        any(|c| !c.is_alphanumeric()),
    ];
    let level = if met[0] { 1 + met.iter().skip(1).filter(|met| **met).count() } else { 0 };
    (level, met)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_meter_counts_what_is_recommended() {
        assert_eq!(strength("Ab1!", 8), (0, [false, true, true, true]));
        assert_eq!(strength("plainletters", 8), (1, [true, false, false, false]));
        assert_eq!(strength("Letters-9", 8).0, 4);
    }

    #[test]
    fn moments_are_those_of_the_calendar() {
        assert_eq!(moment(0), "1970-01-01 00:00 UTC");
        assert_eq!(moment(2_147_483_648), "2038-01-19 03:14 UTC");
        assert_eq!(moment(i64::MAX), "");
    }

    #[test]
    fn an_unknown_refusal_is_told_in_the_daemons_words() {
        let problem = Problem {
            kind: "urn:latchkey:problem:of-the-future".to_owned(),
            title: "Later".to_owned(),
            detail: "Wait.".to_owned(),
            ..Problem::default()
        };
        assert_eq!(refusal(&Catalogue::english(), &problem, 0), ("Later".to_owned(), "Wait.".to_owned()));
        let known =
            Problem { kind: "urn:latchkey:problem:wrong-code".to_owned(), tries_left: Some(1), ..problem };
        assert!(refusal(&Catalogue::english(), &known, 0).1.starts_with("One try is left"));
    }
}
