//! Refusals, faults of fields and lengths of time, in words.

use super::frame::{Errors, FieldError};
use crate::{
    recovery::{Refusal, reply::ResetByEmail},
    web::Problem,
};
use latchkey_look::Catalogue;
use latchkey_protocol::AddressError;
use serde_json::Value;

/// What to do next after a refusal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) steps: Vec<String>,
    /// Ways on: the path and the name of each.
    pub(super) ways: Vec<(&'static str, String)>,
}

/// A length of time in its two largest units that matter: hours and minutes, or minutes and seconds.
/// The script counts on in the same words.
pub(super) fn lasting(catalogue: &Catalogue, s: u64) -> String {
    let (h, m, s) = (s / 3600, s % 3600 / 60, s % 60);
    let unit =
        |key: &str, count: u64| (count > 0).then(|| catalogue.say_with(key, &[("count", count.into())]));
    let hours = unit("time-hours", h);
    let minutes = unit("time-minutes", m);
    let seconds = unit("time-seconds", s).filter(|_| h == 0 && m < 10);
    let parts: Vec<String> = [hours, minutes, seconds].into_iter().flatten().collect();
    if parts.is_empty() {
        catalogue.say_with("time-seconds", &[("count", 0.into())])
    } else {
        parts.join(" ")
    }
}

/// A moment of the recorder's own clock, in UTC. None if no calendar has it.
pub(super) fn moment(unix_s: i64) -> Option<String> {
    let at = time::OffsetDateTime::from_unix_timestamp(unix_s).ok()?;
    let (year, month, day) = at.to_calendar_date();
    Some(format!("{year}-{:02}-{day:02} {:02}:{:02} UTC", u8::from(month), at.hour(), at.minute()))
}

/// Masked addresses as a person lists them, with the word of this key between them.
pub(super) fn listed(catalogue: &Catalogue, key: &str, emails: &[String]) -> String {
    match emails {
        [] => String::new(),
        [one] => one.clone(),
        [first, second, ..] => {
            catalogue.say_with(key, &[("first", first.as_str().into()), ("second", second.as_str().into())])
        }
    }
}

/// What is wrong with an address.
pub(super) fn address(catalogue: &Catalogue, error: AddressError, empty_key: &str) -> String {
    catalogue.say(match error {
        AddressError::Empty => empty_key,
        AddressError::TooLong | AddressError::TooMany | AddressError::Twice => "error-email-long",
        AddressError::AtSign => "error-email-at",
        AddressError::LocalPart => "error-email-local",
        AddressError::Domain => "error-email-domain",
    })
}

/// What is wrong with the fields of a form.
pub(super) fn check(catalogue: &Catalogue, fields: Vec<FieldError>) -> Errors {
    Errors { heading: catalogue.say("check-heading"), fields, ..Errors::default() }
}

/// A refusal as it stands above a form that may be sent again.
pub(super) fn errors(problem: &Problem) -> Errors {
    Errors {
        heading: problem.title.clone(),
        lines: vec![problem.detail.clone()],
        fields: vec![],
        wait_s: problem.members.get("wait_s").and_then(Value::as_u64).filter(|wait_s| *wait_s > 0),
    }
}

/// What helps with a refusal beyond its own words: steps to take, and ways on. By its stable name.
pub(super) fn told(catalogue: &Catalogue, problem: &Problem) -> Told {
    let start = ("/", "to-start");
    let again = ("/forgot", "ended-again");
    let sign_in = ("/sign-in", "back-to-sign-in");
    let (steps, ways): (&[&str], &[(&'static str, &str)]) = match problem.name {
        "record-damaged" => (&["damaged-next-1", "damaged-next-2", "damaged-next-3"], &[]),
        "no-email" => (&["no-email-next-1", "no-email-next-2", "no-email-next-3"], &[sign_in]),
        "no-identity" => (&["no-identity-next-1", "no-identity-next-2"], &[sign_in]),
        "not-on-this-network" => (&["off-link-next-1", "off-link-next-2", "off-link-next-3"], &[start]),
        "not-active" => (&[], &[("/activate", "activation-title")]),
        "not-signed-in" | "wrong-password" | "lan-closed" | "switched-off" => (&[], &[sign_in]),
        "no-challenge" | "wrong-code" => (&[], &[again, sign_in]),
        "grant-over" => (&[], &[("/forgot/code", "grant-over-again"), sign_in]),
        _ => (&[], &[start]),
    };
    Told {
        steps: steps.iter().map(|key| catalogue.say(key)).collect(),
        ways: ways.iter().map(|(path, key)| (*path, catalogue.say(key))).collect(),
    }
}

/// Why a reset by email cannot be asked for, as the heart would refuse it.
pub(super) fn not_offered(reset: ResetByEmail) -> Option<Refusal> {
    match reset {
        ResetByEmail::Offered => None,
        ResetByEmail::NotActive => Some(Refusal::NotActive),
        ResetByEmail::NoEmail => Some(Refusal::NoEmail),
        ResetByEmail::NoIdentity => Some(Refusal::NoIdentity),
        ResetByEmail::SwitchedOff => Some(Refusal::SwitchedOff),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        recovery::{Ended, reply::WeakPassword},
        web::Fault,
    };

    #[test]
    fn lengths_of_time_are_said_as_a_person_says_them() {
        let catalogue = Catalogue::english();
        for (s, words) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (59, "59 seconds"),
            (60, "1 minute"),
            (90, "1 minute 30 seconds"),
            (599, "9 minutes 59 seconds"),
            (601, "10 minutes"),
            (3600, "1 hour"),
            (3661, "1 hour 1 minute"),
            (172_680, "47 hours 58 minutes"),
            (172_800, "48 hours"),
        ] {
            assert_eq!(lasting(&catalogue, s), words, "{s} s");
        }
    }

    #[test]
    fn every_refusal_says_why_and_what_to_do_next() {
        let catalogue = Catalogue::english();
        let mut seen = vec![];
        for refusal in EVERY {
            let problem = Problem::of(&Fault::Heart(refusal), &catalogue);
            let told = told(&catalogue, &problem);
            for text in [&problem.title, &problem.detail] {
                assert!(text.contains(' ') && !text.contains(['{', '}']), "{refusal:?}: {text}");
            }
            assert!(!told.ways.is_empty() || !told.steps.is_empty(), "{refusal:?}");
            assert!(!seen.contains(&problem.detail), "{refusal:?} reads like another one");
            seen.push(problem.detail);
        }
    }

    const EVERY: [Refusal; 34] = [
        Refusal::NotActive,
        Refusal::AlreadyActive,
        Refusal::RecordDamaged,
        Refusal::NotSignedIn,
        Refusal::WrongPassword { wait_s: 0 },
        Refusal::WrongPassword { wait_s: 30 },
        Refusal::Throttled { wait_s: 30 },
        Refusal::LanClosed,
        Refusal::WeakPassword(WeakPassword::TooShort { chars_min: 8 }),
        Refusal::WeakPassword(WeakPassword::TooLong),
        Refusal::WeakPassword(WeakPassword::Common),
        Refusal::WeakPassword(WeakPassword::ControlCharacter),
        Refusal::NoEmail,
        Refusal::NoSuchEmail,
        Refusal::SameEmail,
        Refusal::NoIdentity,
        Refusal::SwitchedOff,
        Refusal::NoChallenge(Ended::NeverAsked),
        Refusal::NoChallenge(Ended::Expired),
        Refusal::NoChallenge(Ended::Rebooted),
        Refusal::NoChallenge(Ended::EmailChanged),
        Refusal::NoChallenge(Ended::PasswordChanged),
        Refusal::NoChallenge(Ended::TooManyTries),
        Refusal::NoChallenge(Ended::Renewed),
        Refusal::NoChallenge(Ended::Confirmed),
        Refusal::NoChallenge(Ended::Lost),
        Refusal::WrongCode { tries_left: 4 },
        Refusal::WrongCode { tries_left: 0 },
        Refusal::GrantOver,
        Refusal::ConsoleOnly,
        Refusal::Busy,
        Refusal::Superseded,
        Refusal::StorageFailed,
        Refusal::Unavailable,
    ];
}
