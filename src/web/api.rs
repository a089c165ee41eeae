//! The JSON API: a body to a [`Request`], and a [`Reply`] to JSON. `openapi.json` describes it.

use super::{
    Caller, Context, Fault, Response,
    caller::{Entry, hex, unhex},
    cookies::Cookie,
    platform, respond,
    routes::Api,
};
use crate::recovery::{
    ChallengeView, GrantToken, Password, Refusal, Reply, Request, SessionToken, Which,
    reply::{Description, HookView, Lifecycle, ResetByEmail},
};
use hyper::StatusCode;
use latchkey_protocol::{Address, AddressError, Code, Door};
use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use zeroize::Zeroizing;

/// The OpenAPI document, which a test holds to the routes.
pub const OPENAPI: &str = include_str!("openapi.json");

/// A secret as it stands in a body: never printed, wiped when dropped.
struct Secret(Zeroizing<String>);

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Zeroizing::new(text)))
    }
}

impl From<Secret> for Password {
    fn from(secret: Secret) -> Self {
        Self::new(secret.0)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Activation {
    password: Secret,
    #[serde(default)]
    reserved_email: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PasswordOnly {
    password: Secret,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangePassword {
    current: Secret,
    new: Secret,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetReservedEmail {
    current: Secret,
    /// `null` removes it: it must be said, not left out.
    #[serde(deserialize_with = "Option::deserialize")]
    email: Option<String>,
    #[serde(default)]
    which: Which,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BeginConfirmation {
    #[serde(default)]
    which: Which,
    #[serde(default)]
    renew: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BeginReset {
    terms_accepted: bool,
    #[serde(default)]
    renew: bool,
    #[serde(default)]
    to: Option<Which>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VerifyCode {
    code: Secret,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetPassword {
    grant: Secret,
    password: Secret,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FactoryReset {
    confirm: bool,
}

/// Answers a request of the API. The doors have checked everything but the body.
pub async fn handle(ctx: &Context, caller: &Caller, api: Api, body: &[u8]) -> Result<Response, Fault> {
    if let Api::ReadPlatform
    | Api::SetPlatform
    | Api::EnrolPlatform
    | Api::TryPlatform
    | Api::PlatformQr
    | Api::SendChallenge
    | Api::SentChallenge
    | Api::SendConfirmation
    | Api::SentConfirmation = api
    {
        return platform::handle(ctx, caller, api, body).await;
    }
    let session = || caller.session.clone().ok_or(Fault::Heart(Refusal::NotSignedIn));
    let request = match api {
        Api::OpenApi => return Ok(respond::with_body(StatusCode::OK, "application/json", OPENAPI)),
        Api::Device => Request::Describe { session: caller.session.clone() },
        Api::Activation => {
            let Activation { password, reserved_email } = parse(body)?;
            let password = Password::from(password);
            // The first fault is told, and the password stands first.
            let weak = ctx.weakness(&password).map(Refusal::WeakPassword);
            weak.map_or(Ok(()), Err)?;
            let email = reserved_email.map(|text| address("reserved_email", &text)).transpose()?;
            Request::Activate { password, email }
        }
        Api::SignIn => Request::SignIn { password: parse::<PasswordOnly>(body)?.password.into() },
        Api::SignOut => Request::SignOut { session: session()? },
        Api::ChangePassword => {
            let session = session()?;
            let ChangePassword { current, new } = parse(body)?;
            Request::ChangePassword { session, current: current.into(), new: new.into() }
        }
        Api::ReadReservedEmails => Request::ReservedEmails { session: session()? },
        Api::SetReservedEmail => {
            let session = session()?;
            let SetReservedEmail { current, email, which } = parse(body)?;
            let email = email.map(|text| address("email", &text)).transpose()?;
            Request::SetReservedEmail { session, current: current.into(), which, email }
        }
        Api::BeginConfirmation => {
            let session = session()?;
            let BeginConfirmation { which, renew } = parse(body)?;
            Request::BeginConfirmation { session, which, renew }
        }
        Api::ViewConfirmation | Api::ConfirmationSvg | Api::ConfirmationPng | Api::ConfirmationMatrix => {
            Request::ViewConfirmation { session: session()? }
        }
        Api::ConfirmEmail => {
            let session = session()?;
            let VerifyCode { code } = parse(body)?;
            Request::ConfirmEmail { session, code: typed_code(&code)? }
        }
        Api::BeginReset => {
            let BeginReset { terms_accepted, renew, to } = parse(body)?;
            if !terms_accepted {
                return Err(Fault::InvalidField { field: "terms_accepted", reason: "not-accepted" });
            }
            Request::BeginReset { renew, to }
        }
        Api::ViewChallenge | Api::QrSvg | Api::QrPng | Api::QrMatrix => Request::ViewChallenge,
        Api::VerifyCode => {
            let VerifyCode { code } = parse(body)?;
            Request::VerifyCode { code: typed_code(&code)? }
        }
        Api::SetPassword => {
            let SetPassword { grant, password } = parse(body)?;
            let grant = unhex(&grant.0).map(GrantToken);
            let grant = grant.ok_or(Fault::InvalidField { field: "grant", reason: "not-a-token" })?;
            Request::SetPassword { grant, password: password.into() }
        }
        Api::VerifyPassword => {
            Request::VerifyPassword { password: parse::<PasswordOnly>(body)?.password.into() }
        }
        Api::FactoryReset => {
            if !parse::<FactoryReset>(body)?.confirm {
                return Err(Fault::InvalidField { field: "confirm", reason: "not-accepted" });
            }
            Request::FactoryReset
        }
        // Answered above.
        Api::ReadPlatform
        | Api::SetPlatform
        | Api::EnrolPlatform
        | Api::TryPlatform
        | Api::PlatformQr
        | Api::SendChallenge
        | Api::SentChallenge
        | Api::SendConfirmation
        | Api::SentConfirmation => return Err(Fault::NotFound),
    };
    let reply = ctx.heart.ask(caller.door, request).await?;
    Ok(respond(ctx, caller, api, reply))
}

fn typed_code(code: &Secret) -> Result<Code, Fault> {
    Code::parse(&code.0).map_err(|_| Fault::InvalidField { field: "code", reason: "not-eight-digits" })
}

/// A reply as JSON, a picture, or nothing.
fn respond(ctx: &Context, caller: &Caller, api: Api, reply: Reply) -> Response {
    match reply {
        Reply::Description(description) => json(StatusCode::OK, &device(ctx, caller, &description)),
        Reply::Activated(session) => signed_in(caller, &session, None),
        Reply::SignedIn { session, reset_to_tell } => {
            let told = reset_to_tell
                .map(|note| ToldReset { door: door_name(note.door), wall_unix_s: note.wall_unix_s });
            signed_in(caller, &session, told)
        }
        Reply::SignedOut => {
            let mut response = respond::empty(StatusCode::NO_CONTENT);
            if caller.entry != Entry::Console {
                respond::forget(&mut response, caller, Cookie::Session);
            }
            response
        }
        Reply::PasswordChanged
        | Reply::ReservedEmailSet
        | Reply::EmailConfirmed
        | Reply::PasswordReset
        | Reply::PasswordIsRight
        | Reply::FactoryResetDone
        // Asked for by `platform` alone, which makes its own answer.
        | Reply::Platform(_) => respond::empty(StatusCode::NO_CONTENT),
        Reply::ReservedEmails(emails) => {
            let emails: Vec<_> = emails
                .iter()
                .map(|email| serde_json::json!({"address": email.address.as_str(), "confirmed": email.confirmed}))
                .collect();
            json(StatusCode::OK, &serde_json::json!({ "emails": emails }))
        }
        Reply::Challenge(view) => challenge(ctx, api, &view),
        Reply::CodeAccepted { grant, valid_s } => {
            json(StatusCode::OK, &serde_json::json!({"grant": hex(&grant.0), "valid_s": valid_s}))
        }
    }
}

#[derive(Serialize)]
struct Device<'a> {
    lifecycle: &'static str,
    serial: &'a str,
    model: &'a str,
    version: &'a str,
    door: &'static str,
    masked_emails: &'a [String],
    email_confirmed: bool,
    emails_confirmed: &'a [bool],
    reset_by_email: &'static str,
    pending_doors: Vec<&'static str>,
    signed_in: bool,
    other_software: &'static str,
    platform: &'static str,
    password_chars_min: usize,
    validity_s: u64,
    certificate_sha256: String,
}

fn device<'a>(ctx: &'a Context, caller: &Caller, description: &'a Description) -> Device<'a> {
    let on_link = caller.link.is_ok();
    let may_see = on_link || description.signed_in;
    Device {
        lifecycle: match description.lifecycle {
            Lifecycle::Inactive => "inactive",
            Lifecycle::Active => "active",
            Lifecycle::Damaged => "damaged",
        },
        serial: &ctx.device.serial,
        model: &ctx.device.model,
        version: ctx.device.version,
        door: door_name(caller.door),
        // Even masked, it is nobody's business off the link who has not signed in.
        masked_emails: if may_see { &description.masked_emails } else { &[] },
        email_confirmed: description.emails_confirmed.first().is_some_and(|confirmed| *confirmed),
        emails_confirmed: if may_see { &description.emails_confirmed } else { &[] },
        reset_by_email: match description.reset_by_email {
            _ if !on_link => "not-on-this-network",
            ResetByEmail::Offered => "offered",
            ResetByEmail::NotActive => "not-active",
            ResetByEmail::NoEmail => "no-email",
            ResetByEmail::NoIdentity => "no-identity",
            ResetByEmail::SwitchedOff => "switched-off",
        },
        pending_doors: description.pending_doors.iter().map(|door| door_name(*door)).collect(),
        signed_in: description.signed_in,
        other_software: match description.hooks {
            HookView::Settled => "settled",
            HookView::Telling => "being-told",
            HookView::Failing => "failing",
            HookView::AtNextSignIn => "at-next-sign-in",
        },
        platform: platform::state_name(ctx.link.status().state),
        password_chars_min: ctx.rules.password_chars_min,
        validity_s: ctx.rules.validity_s,
        certificate_sha256: hex(&ctx.certificate_sha256),
    }
}

#[derive(Serialize)]
struct ToldReset {
    door: &'static str,
    wall_unix_s: i64,
}

fn signed_in(caller: &Caller, session: &SessionToken, reset_to_tell: Option<ToldReset>) -> Response {
    let body = serde_json::json!({"session": hex(&session.0), "reset_to_tell": reset_to_tell});
    let mut response = json(StatusCode::CREATED, &body);
    // No browser speaks at the console.
    if caller.entry != Entry::Console {
        respond::keep(&mut response, caller, Cookie::Session, &session.0);
    }
    response
}

fn challenge(ctx: &Context, api: Api, view: &ChallengeView) -> Response {
    match api {
        Api::QrSvg | Api::ConfirmationSvg => {
            respond::with_body(StatusCode::OK, "image/svg+xml", (ctx.drawing.svg)(&view.link))
        }
        Api::QrPng | Api::ConfirmationPng => {
            let what = if api == Api::QrPng { "reset" } else { "confirm" };
            respond::download("image/png", &format!("{what}-{}.png", view.tag), (ctx.drawing.png)(&view.link))
        }
        Api::QrMatrix | Api::ConfirmationMatrix => {
            let rows: Vec<String> = (ctx.drawing.matrix)(&view.link)
                .iter()
                .map(|row| row.iter().map(|dark| if *dark { '1' } else { '0' }).collect())
                .collect();
            json(StatusCode::OK, &serde_json::json!({"size": rows.len(), "rows": rows}))
        }
        _ => json(
            StatusCode::OK,
            &serde_json::json!({
                "id": hex(&view.id.0),
                "door": door_name(view.door),
                "tag": view.tag.to_string(),
                "to": view.to,
                "masked_emails": view.masked_emails,
                "valid_s": view.valid_s,
                "tries_left": view.tries_left,
                "renew_wait_s": view.renew_wait_s,
                "cloud_host": view.link.host.as_str(),
                "qr_text": view.link.to_string(),
                "mailbox": view.mailbox.as_ref().map(|address| address.as_str()),
            }),
        ),
    }
}

fn door_name(door: Door) -> &'static str {
    match door {
        Door::Console => "console",
        Door::Lan => "lan",
    }
}

pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    // Strings, numbers and lists of them always serialise.
    respond::with_body(status, "application/json", serde_json::to_vec(body).unwrap_or_default())
}

/// Reads a body strictly. What serde says may quote a value, so only the place is told.
pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Fault> {
    serde_json::from_slice(body).map_err(|error| Fault::Malformed {
        kind: if error.is_data() { "wrong-fields" } else { "not-json" },
        line: error.line(),
        column: error.column(),
    })
}

/// Reads a reserved email, or names what is wrong with it.
pub fn address(field: &'static str, text: &str) -> Result<Address, Fault> {
    Address::parse(text).map_err(|error| Fault::InvalidField {
        field,
        reason: match error {
            AddressError::Empty => "address-empty",
            AddressError::TooLong | AddressError::TooMany | AddressError::Twice => "address-too-long",
            AddressError::AtSign => "address-at-sign",
            AddressError::LocalPart => "address-local-part",
            AddressError::Domain => "address-domain",
        },
    })
}
