//! Platform access and "send the code now" in the API: what the link's task and the heart say, as JSON.

use super::{Caller, Context, Fault, Response, api, respond, routes::Api};
use crate::{
    platform::{NotSent, Sent, State, Status},
    recovery::{ChallengeView, DeviceCode, Password, PlatformSettings, Refusal, Reply, Request},
};
use hyper::StatusCode;
use latchkey_protocol::{
    Host,
    claim::ClaimCode,
    platform::{AddLink, MailReason, MailState, Problem},
};
use serde::Deserialize;
use serde_json::json;
use zeroize::Zeroizing;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetPlatform {
    enabled: bool,
    #[serde(default)]
    server: Option<String>,
    #[serde(default)]
    verification_code: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EnrolPlatform {
    server: String,
    claim: Zeroizing<String>,
    current: Zeroizing<String>,
}

/// Answers a request about platform access.
pub async fn handle(ctx: &Context, caller: &Caller, asked: Api, body: &[u8]) -> Result<Response, Fault> {
    match asked {
        Api::SetPlatform => {
            let SetPlatform { enabled, server, verification_code } = api::parse(body)?;
            let settings = settings(enabled, server.as_deref(), verification_code.as_deref())?;
            let settings = set(ctx, caller, settings).await?;
            Ok(described(ctx, &settings))
        }
        Api::EnrolPlatform => {
            let EnrolPlatform { server, claim, current } = api::parse(body)?;
            enrol(ctx, caller, &server, &claim, current).await?;
            Ok(described(ctx, &read(ctx, caller).await?))
        }
        Api::TryPlatform => {
            read(ctx, caller).await?;
            ctx.link.try_now();
            Ok(respond::empty(StatusCode::ACCEPTED))
        }
        Api::PlatformQr => {
            let settings = read(ctx, caller).await?;
            let text = add_text(ctx, &settings).ok_or(Fault::NotFound)?;
            Ok(respond::with_body(StatusCode::OK, "image/svg+xml", (ctx.drawing.text_svg)(&text)))
        }
        Api::SendChallenge => {
            let view = challenge(ctx, caller, Request::ViewChallenge).await?;
            Ok(api::json(StatusCode::ACCEPTED, &mail(Some(send(ctx, &view).await?))))
        }
        Api::SentChallenge => {
            let view = challenge(ctx, caller, Request::ViewChallenge).await?;
            Ok(api::json(StatusCode::OK, &mail(ctx.link.mail_of(&view.link.sealed))))
        }
        Api::SendConfirmation => {
            let view = challenge(ctx, caller, confirmation(caller)?).await?;
            Ok(api::json(StatusCode::ACCEPTED, &mail(Some(send(ctx, &view).await?))))
        }
        Api::SentConfirmation => {
            let view = challenge(ctx, caller, confirmation(caller)?).await?;
            Ok(api::json(StatusCode::OK, &mail(ctx.link.mail_of(&view.link.sealed))))
        }
        _ => Ok(described(ctx, &read(ctx, caller).await?)),
    }
}

/// The settings, for a caller who is signed in.
pub async fn read(ctx: &Context, caller: &Caller) -> Result<PlatformSettings, Fault> {
    let session = caller.session.clone().ok_or(Refusal::NotSignedIn)?;
    taken(ctx.heart.ask(caller.door, Request::Platform { session }).await?)
}

/// Sets them; gives what holds from now on.
pub async fn set(
    ctx: &Context,
    caller: &Caller,
    settings: PlatformSettings,
) -> Result<PlatformSettings, Fault> {
    let session = caller.session.clone().ok_or(Refusal::NotSignedIn)?;
    taken(ctx.heart.ask(caller.door, Request::SetPlatform { session, settings }).await?)
}

fn taken(reply: Reply) -> Result<PlatformSettings, Fault> {
    match reply {
        Reply::Platform(settings) => Ok(settings),
        _ => Err(Refusal::Unavailable.into()),
    }
}

/// Reads settings as typed; empty texts are none.
pub fn settings(
    enabled: bool,
    server: Option<&str>,
    verification_code: Option<&str>,
) -> Result<PlatformSettings, Fault> {
    let given = |text: Option<&str>| text.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
    let invalid = |field, reason| move |_| Fault::InvalidField { field, reason };
    let server = given(server).map(|text| Host::parse(&text.to_ascii_lowercase()));
    let code = given(verification_code).map(|text| DeviceCode::parse(&text));
    Ok(PlatformSettings {
        enabled,
        server: server
            .transpose()
            .map_err(|_| Fault::InvalidField { field: "server", reason: "not-a-host" })?,
        verification_code: code
            .transpose()
            .map_err(invalid("verification_code", "not-a-verification-code"))?,
    })
}

/// Claims an identity from another cloud, in place of the one that the device may have. Whoever does that
/// decides who mails codes from now on: the admin password is asked for, at the rate of signing in.
pub async fn enrol(
    ctx: &Context,
    caller: &Caller,
    server: &str,
    claim: &str,
    current: Zeroizing<String>,
) -> Result<(), Fault> {
    let server = Host::parse(&server.trim().to_ascii_lowercase())
        .map_err(|_| Fault::InvalidField { field: "server", reason: "not-a-host" })?;
    let claim: ClaimCode =
        claim.parse().map_err(|_| Fault::InvalidField { field: "claim", reason: "not-a-claim-code" })?;
    read(ctx, caller).await?;
    // A session of its own, which ends at once: it proves the password and is good for nothing else.
    let password = Password::new(current);
    let Reply::SignedIn { session, .. } = ctx.heart.ask(caller.door, Request::SignIn { password }).await?
    else {
        return Err(Refusal::Unavailable.into());
    };
    ctx.heart.ask(caller.door, Request::SignOut { session }).await?;
    ctx.link.enrol(&server, &claim).await.map_err(Fault::NotEnrolled)?;
    // An address of the cloud before would lead to a stranger.
    let settings = PlatformSettings { server: None, ..read(ctx, caller).await? };
    set(ctx, caller, settings).await.map(drop)
}

/// Hands the challenge to the cloud, unless that was done already and its mail is under way or there. One that failed is sent
/// once more.
pub async fn send(ctx: &Context, view: &ChallengeView) -> Result<Sent, Fault> {
    let before = ctx.link.mail_of(&view.link.sealed);
    let under_way = |sent: &Sent| matches!(sent.mail.state, MailState::Queued | MailState::Accepted);
    if let Some(sent) = before.filter(under_way) {
        return Ok(sent);
    }
    ctx.link.submit_again(view.link.sealed.clone()).await.map_err(Fault::NotSent)
}

fn confirmation(caller: &Caller) -> Result<Request, Refusal> {
    let session = caller.session.clone().ok_or(Refusal::NotSignedIn)?;
    Ok(Request::ViewConfirmation { session })
}

async fn challenge(ctx: &Context, caller: &Caller, view: Request) -> Result<Box<ChallengeView>, Fault> {
    match ctx.heart.ask(caller.door, view).await? {
        Reply::Challenge(view) => Ok(view),
        _ => Err(Refusal::Unavailable.into()),
    }
}

fn mail(sent: Option<Sent>) -> serde_json::Value {
    json!({
        "state": sent.map(|sent| state_of_mail(sent.mail.state)),
        "reason": sent.and_then(|sent| sent.mail.reason).map(reason_of_mail),
    })
}

fn described(ctx: &Context, settings: &PlatformSettings) -> Response {
    let status = ctx.link.status();
    let Seconds { heard_ago_s, next_try_in_s } = Seconds::of(&status, (ctx.uptime_ms)());
    api::json(
        StatusCode::OK,
        &json!({
            "enabled": settings.enabled,
            "server": settings.server,
            "verification_code": settings.verification_code,
            "connects_to": status.server,
            "state": state_name(status.state),
            "reason": status.reason.map(|reason| reason.name()),
            "heard_ago_s": heard_ago_s,
            "next_try_in_s": next_try_in_s,
            "add_text": add_text(ctx, settings),
        }),
    )
}

/// The moments of a status, as seen from now.
pub struct Seconds {
    /// Since the cloud was last heard.
    pub heard_ago_s: Option<u64>,
    /// Until the next attempt.
    pub next_try_in_s: Option<u64>,
}

impl Seconds {
    /// As seen from now.
    pub fn of(status: &Status, now_ms: u64) -> Self {
        Self {
            heard_ago_s: status.last_heard_ms.map(|at_ms| now_ms.saturating_sub(at_ms) / 1000),
            next_try_in_s: status.next_try_ms.map(|at_ms| at_ms.saturating_sub(now_ms).div_ceil(1000)),
        }
    }
}

/// What the QR code for adding the device holds. None without a server or a code.
pub fn add_text(ctx: &Context, settings: &PlatformSettings) -> Option<String> {
    let code = settings.verification_code.as_ref()?;
    let host = Host::parse(&ctx.link.status().server).ok()?;
    Some(AddLink { host, serial: ctx.device.serial.to_string(), code: code.as_str().to_owned() }.to_string())
}

/// The stable name of where the link is.
pub fn state_name(state: State) -> &'static str {
    match state {
        State::Off => "off",
        State::NoIdentity => "no-identity",
        State::Offline => "offline",
        State::Connecting => "connecting",
        State::Online => "online",
    }
}

fn state_of_mail(state: MailState) -> &'static str {
    match state {
        MailState::Queued => "queued",
        MailState::Accepted => "accepted",
        MailState::Bounced => "bounced",
        MailState::Failed => "failed",
    }
}

fn reason_of_mail(reason: MailReason) -> &'static str {
    match reason {
        MailReason::MailboxUnknown => "mailbox-unknown",
        MailReason::MailboxFull => "mailbox-full",
        MailReason::Refused => "refused",
        MailReason::Unreachable => "unreachable",
        MailReason::NoAnswer => "no-answer",
        MailReason::Expired => "expired",
        MailReason::NotReadable => "not-readable",
        MailReason::Other => "other",
    }
}

/// The stable name of why a challenge was not handed over.
pub fn not_sent_reason(not_sent: NotSent) -> &'static str {
    let NotSent::Rejected { problem, .. } = not_sent else { return "offline" };
    match problem {
        Problem::UnusableQr => "unusable-qr",
        Problem::Revoked => "revoked",
        Problem::Superseded => "superseded",
        Problem::Expired => "expired",
        Problem::UnknownRequest => "unknown-request",
        Problem::DeviceLimit => "device-limit",
        Problem::AddressLimit => "address-limit",
        Problem::TooManyRequests => "too-many-requests",
        Problem::ResendTooEarly => "resend-too-early",
        Problem::StillQueued => "still-queued",
        Problem::ResendUsed => "resend-used",
        Problem::Unavailable => "unavailable",
        Problem::Other => "other",
    }
}
