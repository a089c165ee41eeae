//! Everything that a door can refuse, as one closed enum, and its form as a problem document (RFC 9457).

use super::{respond, respond::Response, same_link::OffLink};
use crate::platform::{NotEnrolled, NotSent};
use crate::recovery::{Ended, Refusal, reply::WeakPassword};
use hyper::{
    Method, StatusCode,
    header::{self, HeaderValue},
};
use latchkey_look::Catalogue;
use serde_json::{Map, Value};

/// Why a request is refused: by the heart, or by the door before the heart hears of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The heart refused.
    Heart(Refusal),
    /// Only for someone on the device's own link.
    NotOnThisNetwork(OffLink),
    /// The `Host` is neither an address of the device nor one of its names.
    WrongHost,
    /// Another site sent the browser here.
    WrongOrigin,
    /// The form is from before a restart or a sign-in, or from somewhere else.
    StaleForm,
    /// Nothing is here.
    NotFound,
    /// Not with this method; these are allowed.
    MethodNotAllowed(Vec<Method>),
    /// A body over the limit.
    TooLarge,
    /// A path or query over the limit.
    TargetTooLong,
    /// The body did not come in time.
    TooSlow,
    /// Not the media type that is taken here, which is named.
    WrongMediaType(&'static str),
    /// Not JSON, not a form, or with a field that is not known. Never quotes what was sent.
    Malformed {
        /// A stable name of what is wrong.
        kind: &'static str,
        /// Where, from one; zero if that is not known.
        line: usize,
        /// Where, from one; zero if that is not known.
        column: usize,
    },
    /// A field has a value that cannot be used.
    InvalidField {
        /// Its name.
        field: &'static str,
        /// A stable name of what is wrong with it.
        reason: &'static str,
    },
    /// Too many requests from this address, or altogether.
    TooManyRequests {
        /// Seconds to wait.
        wait_s: u64,
    },
    /// It took too long.
    TimedOut,
    /// The cloud did not get or did not take a sealed challenge.
    NotSent(NotSent),
    /// A claim code brought no identity.
    NotEnrolled(NotEnrolled),
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Self::Heart(refusal)
    }
}

/// A refusal as it is shown: the same words on pages and in the API.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// A stable name in kebab case; also the catalogue key `problem-<name>` (and `problem-<name>-title`).
    pub name: &'static str,
    /// The status.
    pub status: StatusCode,
    /// What it is, in a few words.
    pub title: String,
    /// What happened, what is still safe, what to do next.
    pub detail: String,
    /// Members besides those of RFC 9457.
    pub members: Map<String, Value>,
    /// Seconds for `Retry-After`, with 429 and 503.
    pub retry_after_s: Option<u64>,
    /// For `Allow`, with 405.
    allow: Vec<Method>,
}

/// Seconds to suggest when the device is busy.
const BUSY_S: u64 = 2;
/// Seconds to suggest when something that is needed is missing for now.
const UNAVAILABLE_S: u64 = 10;

impl Problem {
    /// Puts a refusal into words.
    pub fn of(fault: &Fault, catalogue: &Catalogue) -> Self {
        let (name, status) = name_and_status(fault);
        let members = members(fault);
        let mut args: Vec<(&str, _)> = vec![];
        for (key, value) in &members {
            match value {
                // As text, so that a number is written without grouping; sentences select on it all the same.
                Value::Number(number) => args.push((key.as_str(), number.as_f64().unwrap_or(0.0).into())),
                Value::String(text) => args.push((key.as_str(), text.clone().into())),
                _ => {}
            }
        }
        let wait = wait_s(fault).map(|wait_s| waiting(catalogue, wait_s));
        if let Some(wait) = &wait {
            args.push(("wait", wait.clone().into()));
        }
        Self {
            name,
            status,
            title: catalogue.say_with(&format!("problem-{name}-title"), &args),
            detail: catalogue.say_with(&format!("problem-{name}"), &args),
            retry_after_s: match status {
                StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                    Some(wait_s(fault).unwrap_or(UNAVAILABLE_S).max(1))
                }
                _ => None,
            },
            members,
            allow: match fault {
                Fault::MethodNotAllowed(allow) => allow.clone(),
                _ => vec![],
            },
        }
    }

    /// The problem document.
    pub fn to_json(&self) -> Response {
        let mut document = Map::new();
        document.insert("type".into(), format!("urn:latchkey:problem:{}", self.name).into());
        document.insert("title".into(), self.title.clone().into());
        document.insert("status".into(), self.status.as_u16().into());
        document.insert("detail".into(), self.detail.clone().into());
        document.extend(self.members.clone());
        let body = Value::Object(document).to_string();
        let mut response = respond::with_body(self.status, "application/problem+json", body);
        self.headers(&mut response);
        response
    }

    /// Adds what the status asks for: `Retry-After`, `Allow`, `WWW-Authenticate`. For pages too.
    pub fn headers(&self, response: &mut Response) {
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        let allow = self.allow.iter().map(Method::as_str).collect::<Vec<_>>().join(", ");
        if let (false, Ok(allow)) = (allow.is_empty(), HeaderValue::from_str(&allow)) {
            headers.insert(header::ALLOW, allow);
        }
    }
}

/// A length of time in words, rounded up to its largest unit.
pub fn waiting(catalogue: &Catalogue, wait_s: u64) -> String {
    let (key, count) = match wait_s {
        0..90 => ("time-seconds", wait_s),
        90..5400 => ("time-minutes", wait_s.div_ceil(60)),
        _ => ("time-hours", wait_s.div_ceil(3600)),
    };
    catalogue.say_with(key, &[("count", count.into())])
}

/// The one place where a refusal gets its name and status.
fn name_and_status(fault: &Fault) -> (&'static str, StatusCode) {
    use StatusCode as S;
    match fault {
        Fault::Heart(refusal) => match refusal {
            Refusal::NotActive => ("not-active", S::CONFLICT),
            Refusal::AlreadyActive => ("already-active", S::CONFLICT),
            Refusal::RecordDamaged => ("record-damaged", S::CONFLICT),
            Refusal::NotSignedIn => ("not-signed-in", S::UNAUTHORIZED),
            Refusal::WrongPassword { .. } => ("wrong-password", S::FORBIDDEN),
            Refusal::Throttled { .. } => ("throttled", S::TOO_MANY_REQUESTS),
            Refusal::LanClosed => ("lan-closed", S::FORBIDDEN),
            Refusal::WeakPassword(_) => ("weak-password", S::UNPROCESSABLE_ENTITY),
            Refusal::NoEmail => ("no-email", S::CONFLICT),
            Refusal::NoSuchEmail => ("no-such-email", S::CONFLICT),
            Refusal::SameEmail => ("same-email", S::CONFLICT),
            Refusal::NoIdentity => ("no-identity", S::CONFLICT),
            Refusal::SwitchedOff => ("switched-off", S::FORBIDDEN),
            Refusal::NoChallenge(_) => ("no-challenge", S::CONFLICT),
            Refusal::WrongCode { .. } => ("wrong-code", S::FORBIDDEN),
            Refusal::GrantOver => ("grant-over", S::FORBIDDEN),
            Refusal::ConsoleOnly => ("console-only", S::FORBIDDEN),
            Refusal::Busy => ("busy", S::SERVICE_UNAVAILABLE),
            Refusal::Superseded => ("superseded", S::CONFLICT),
            Refusal::StorageFailed => ("storage-failed", S::INTERNAL_SERVER_ERROR),
            Refusal::Unavailable => ("unavailable", S::SERVICE_UNAVAILABLE),
        },
        Fault::NotOnThisNetwork(_) => ("not-on-this-network", S::FORBIDDEN),
        Fault::WrongHost => ("wrong-host", S::MISDIRECTED_REQUEST),
        Fault::WrongOrigin => ("wrong-origin", S::FORBIDDEN),
        Fault::StaleForm => ("stale-form", S::FORBIDDEN),
        Fault::NotFound => ("not-found", S::NOT_FOUND),
        Fault::MethodNotAllowed(_) => ("method-not-allowed", S::METHOD_NOT_ALLOWED),
        Fault::TooLarge => ("too-large", S::PAYLOAD_TOO_LARGE),
        Fault::TargetTooLong => ("target-too-long", S::URI_TOO_LONG),
        Fault::TooSlow => ("too-slow", S::REQUEST_TIMEOUT),
        Fault::WrongMediaType(_) => ("wrong-media-type", S::UNSUPPORTED_MEDIA_TYPE),
        Fault::Malformed { .. } => ("malformed", S::BAD_REQUEST),
        Fault::InvalidField { .. } => ("invalid-field", S::UNPROCESSABLE_ENTITY),
        Fault::TooManyRequests { .. } => ("too-many-requests", S::TOO_MANY_REQUESTS),
        Fault::TimedOut => ("timed-out", S::SERVICE_UNAVAILABLE),
        Fault::NotSent(NotSent::Offline | NotSent::Busy) => ("platform-offline", S::SERVICE_UNAVAILABLE),
        Fault::NotSent(NotSent::Rejected { .. }) => ("platform-refused", S::CONFLICT),
        Fault::NotEnrolled(_) => ("not-enrolled", S::CONFLICT),
    }
}

fn wait_s(fault: &Fault) -> Option<u64> {
    match fault {
        Fault::Heart(Refusal::WrongPassword { wait_s } | Refusal::Throttled { wait_s })
        | Fault::TooManyRequests { wait_s } => Some(*wait_s),
        Fault::Heart(Refusal::Busy) => Some(BUSY_S),
        _ => None,
    }
}

fn members(fault: &Fault) -> Map<String, Value> {
    let mut members = Map::new();
    let mut add = |name: &str, value: Value| {
        members.insert(name.to_owned(), value);
    };
    match fault {
        Fault::Heart(Refusal::WrongPassword { wait_s } | Refusal::Throttled { wait_s })
        | Fault::TooManyRequests { wait_s } => add("wait_s", (*wait_s).into()),
        Fault::Heart(Refusal::WeakPassword(weak)) => {
            let reason = match weak {
                WeakPassword::TooShort { chars_min } => {
                    add("chars_min", (*chars_min).into());
                    "too-short"
                }
                WeakPassword::TooLong => "too-long",
                WeakPassword::Common => "common",
                WeakPassword::ControlCharacter => "control-character",
            };
            add("reason", reason.into());
        }
        Fault::Heart(Refusal::NoChallenge(ended)) => add("reason", ended_name(*ended).into()),
        Fault::Heart(Refusal::WrongCode { tries_left }) => add("tries_left", (*tries_left).into()),
        Fault::NotSent(not_sent @ NotSent::Rejected { .. }) => {
            add("reason", super::platform::not_sent_reason(*not_sent).into());
        }
        Fault::NotEnrolled(not_enrolled) => add("reason", not_enrolled.name().into()),
        Fault::NotOnThisNetwork(off_link) => add("reason", off_link.name().into()),
        Fault::WrongMediaType(expected) => add("expected", (*expected).into()),
        Fault::Malformed { kind, line, column } => {
            add("kind", (*kind).into());
            if *line > 0 {
                add("line", (*line).into());
                add("column", (*column).into());
            }
        }
        Fault::InvalidField { field, reason } => {
            add("field", (*field).into());
            add("reason", (*reason).into());
        }
        _ => {}
    }
    members
}

/// The stable name of why there is no challenge.
pub fn ended_name(ended: Ended) -> &'static str {
    match ended {
        Ended::NeverAsked => "never-asked",
        Ended::Expired => "expired",
        Ended::Rebooted => "rebooted",
        Ended::EmailChanged => "email-changed",
        Ended::PasswordChanged => "password-changed",
        Ended::TooManyTries => "too-many-tries",
        Ended::Renewed => "renewed",
        Ended::Confirmed => "confirmed",
        Ended::Lost => "lost",
    }
}
