//! Method and path to a route: a pure function over one table.

use hyper::Method;
use latchkey_protocol::Door;

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route<'p> {
    /// A page for people.
    Page(Page),
    /// A part of the pages, by its name.
    Asset(&'p str),
    /// The JSON API.
    Api(Api),
}

/// The pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Page {
    /// `/`: decides by where the device is in its life.
    Home,
    /// `/activate`: the first admin password, and Reserved Email Settings.
    Activate,
    /// `/sign-in`.
    SignIn,
    /// `/sign-out`.
    SignOut,
    /// `/overview`.
    Overview,
    /// `/configuration/users`: User Management.
    Users,
    /// `/configuration/users/admin`: Modify.
    Admin,
    /// `/configuration/users/admin/security`: Account Security Settings.
    AccountSecurity,
    /// `/configuration/users/admin/password`: change of a known password.
    ChangePassword,
    /// `/configuration/platform`: Platform access.
    Platform,
    /// `/configuration/users/admin/security/confirm`: the code that confirms a reserved email.
    Confirm,
    /// `/configuration/users/admin/security/confirm/begin`: ask for it.
    ConfirmBegin,
    /// `/configuration/users/admin/security/confirm/send`: send it now, over the platform link.
    ConfirmSend,
    /// `/forgot`: step 1, verification mode and privacy policy.
    Forgot,
    /// `/forgot/code`: step 1, the QR code and the code's entry.
    ForgotCode,
    /// `/forgot/send`: send the code now, over the platform link.
    ForgotSend,
    /// `/forgot/renew`: a new QR code.
    ForgotRenew,
    /// `/forgot/qr.png`: Export.
    ForgotPicture,
    /// `/forgot/password`: step 2.
    ForgotPassword,
    /// `/forgot/complete`: step 3.
    ForgotComplete,
    /// `/help`.
    Help,
}

/// The API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "docs: src/web/openapi.json, held to these by a test")]
pub enum Api {
    OpenApi,
    Device,
    Activation,
    SignIn,
    SignOut,
    ChangePassword,
    ReadReservedEmails,
    SetReservedEmail,
    BeginConfirmation,
    ViewConfirmation,
    ConfirmationSvg,
    ConfirmationPng,
    ConfirmationMatrix,
    ConfirmEmail,
    SendConfirmation,
    SentConfirmation,
    BeginReset,
    ViewChallenge,
    QrSvg,
    QrPng,
    QrMatrix,
    VerifyCode,
    SetPassword,
    SendChallenge,
    SentChallenge,
    ReadPlatform,
    SetPlatform,
    /// `POST /api/v1/platform/enrolment`
    EnrolPlatform,
    TryPlatform,
    PlatformQr,
    VerifyPassword,
    FactoryReset,
}

/// Why there is no route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoRoute {
    /// Nothing has this path.
    NotFound,
    /// The path is there, but not for this method; these are allowed.
    MethodNotAllowed(Vec<Method>),
}

/// Where a route is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Offered {
    AtBothDoors,
    AtTheConsole,
}

const API: &[(Method, &str, Api, Offered)] = {
    use Offered::{AtBothDoors, AtTheConsole};
    &[
        (Method::GET, "/api/v1/openapi.json", Api::OpenApi, AtBothDoors),
        (Method::GET, "/api/v1/device", Api::Device, AtBothDoors),
        (Method::POST, "/api/v1/activation", Api::Activation, AtBothDoors),
        (Method::POST, "/api/v1/session", Api::SignIn, AtBothDoors),
        (Method::DELETE, "/api/v1/session", Api::SignOut, AtBothDoors),
        (Method::PUT, "/api/v1/admin/password", Api::ChangePassword, AtBothDoors),
        (Method::GET, "/api/v1/admin/reserved-email", Api::ReadReservedEmails, AtBothDoors),
        (Method::PUT, "/api/v1/admin/reserved-email", Api::SetReservedEmail, AtBothDoors),
        (Method::POST, "/api/v1/admin/reserved-email/confirmation", Api::BeginConfirmation, AtBothDoors),
        (Method::GET, "/api/v1/admin/reserved-email/confirmation", Api::ViewConfirmation, AtBothDoors),
        (Method::GET, "/api/v1/admin/reserved-email/confirmation/qr.svg", Api::ConfirmationSvg, AtBothDoors),
        (Method::GET, "/api/v1/admin/reserved-email/confirmation/qr.png", Api::ConfirmationPng, AtBothDoors),
        (
            Method::GET,
            "/api/v1/admin/reserved-email/confirmation/qr.json",
            Api::ConfirmationMatrix,
            AtBothDoors,
        ),
        (
            Method::POST,
            "/api/v1/admin/reserved-email/confirmation/verification",
            Api::ConfirmEmail,
            AtBothDoors,
        ),
        (Method::POST, "/api/v1/admin/reserved-email/confirmation/send", Api::SendConfirmation, AtBothDoors),
        (Method::GET, "/api/v1/admin/reserved-email/confirmation/send", Api::SentConfirmation, AtBothDoors),
        (Method::POST, "/api/v1/reset/challenge", Api::BeginReset, AtBothDoors),
        (Method::GET, "/api/v1/reset/challenge", Api::ViewChallenge, AtBothDoors),
        (Method::GET, "/api/v1/reset/challenge/qr.svg", Api::QrSvg, AtBothDoors),
        (Method::GET, "/api/v1/reset/challenge/qr.png", Api::QrPng, AtBothDoors),
        (Method::GET, "/api/v1/reset/challenge/qr.json", Api::QrMatrix, AtBothDoors),
        (Method::POST, "/api/v1/reset/verification", Api::VerifyCode, AtBothDoors),
        (Method::POST, "/api/v1/reset/password", Api::SetPassword, AtBothDoors),
        (Method::POST, "/api/v1/reset/challenge/send", Api::SendChallenge, AtBothDoors),
        (Method::GET, "/api/v1/reset/challenge/send", Api::SentChallenge, AtBothDoors),
        (Method::GET, "/api/v1/platform", Api::ReadPlatform, AtBothDoors),
        (Method::PUT, "/api/v1/platform", Api::SetPlatform, AtBothDoors),
        (Method::POST, "/api/v1/platform/enrolment", Api::EnrolPlatform, AtBothDoors),
        (Method::POST, "/api/v1/platform/attempt", Api::TryPlatform, AtBothDoors),
        (Method::GET, "/api/v1/platform/qr.svg", Api::PlatformQr, AtBothDoors),
        (Method::POST, "/api/v1/verify-password", Api::VerifyPassword, AtTheConsole),
        (Method::POST, "/api/v1/factory-reset", Api::FactoryReset, AtTheConsole),
    ]
};

const GET: &[Method] = &[Method::GET];
const POST: &[Method] = &[Method::POST];
const FORM: &[Method] = &[Method::GET, Method::POST];

const PAGES: &[(&[Method], &str, Page)] = &[
    (GET, "/", Page::Home),
    (FORM, "/activate", Page::Activate),
    (FORM, "/sign-in", Page::SignIn),
    (POST, "/sign-out", Page::SignOut),
    (GET, "/overview", Page::Overview),
    (GET, "/configuration/users", Page::Users),
    (GET, "/configuration/users/admin", Page::Admin),
    (FORM, "/configuration/users/admin/security", Page::AccountSecurity),
    (FORM, "/configuration/users/admin/security/confirm", Page::Confirm),
    (POST, "/configuration/users/admin/security/confirm/begin", Page::ConfirmBegin),
    (POST, "/configuration/users/admin/security/confirm/send", Page::ConfirmSend),
    (FORM, "/configuration/users/admin/password", Page::ChangePassword),
    (FORM, "/configuration/platform", Page::Platform),
    (FORM, "/forgot", Page::Forgot),
    (FORM, "/forgot/code", Page::ForgotCode),
    (POST, "/forgot/send", Page::ForgotSend),
    (POST, "/forgot/renew", Page::ForgotRenew),
    (GET, "/forgot/qr.png", Page::ForgotPicture),
    (FORM, "/forgot/password", Page::ForgotPassword),
    (GET, "/forgot/complete", Page::ForgotComplete),
    (GET, "/help", Page::Help),
];

impl Page {
    /// Whether only a peer on the device's own link may use it.
    pub fn is_for_this_link_only(self) -> bool {
        match self {
            Self::Activate
            | Self::AccountSecurity
            | Self::Confirm
            | Self::ConfirmBegin
            | Self::ConfirmSend
            | Self::Forgot
            | Self::ForgotCode
            | Self::ForgotSend
            | Self::ForgotRenew
            | Self::ForgotPicture
            | Self::ForgotPassword => true,
            Self::Home
            | Self::SignIn
            | Self::SignOut
            | Self::Overview
            | Self::Users
            | Self::Admin
            | Self::ChangePassword
            | Self::Platform
            | Self::ForgotComplete
            | Self::Help => false,
        }
    }
}

impl Api {
    /// Whether only a peer on the device's own link may use it.
    pub fn is_for_this_link_only(self) -> bool {
        match self {
            Self::Activation
            | Self::ReadReservedEmails
            | Self::SetReservedEmail
            | Self::BeginConfirmation
            | Self::ViewConfirmation
            | Self::ConfirmationSvg
            | Self::ConfirmationPng
            | Self::ConfirmationMatrix
            | Self::ConfirmEmail
            | Self::SendConfirmation
            | Self::SentConfirmation
            | Self::BeginReset
            | Self::ViewChallenge
            | Self::QrSvg
            | Self::QrPng
            | Self::QrMatrix
            | Self::VerifyCode
            | Self::SetPassword
            | Self::SendChallenge
            | Self::SentChallenge
            | Self::EnrolPlatform => true,
            Self::OpenApi
            | Self::Device
            | Self::SignIn
            | Self::SignOut
            | Self::ChangePassword
            | Self::ReadPlatform
            | Self::SetPlatform
            | Self::TryPlatform
            | Self::PlatformQr
            | Self::VerifyPassword
            | Self::FactoryReset => false,
        }
    }
}

impl Api {
    /// Whether a JSON body is expected.
    pub fn takes_json(self) -> bool {
        match self {
            Self::Activation
            | Self::SignIn
            | Self::ChangePassword
            | Self::SetReservedEmail
            | Self::BeginConfirmation
            | Self::ConfirmEmail
            | Self::BeginReset
            | Self::VerifyCode
            | Self::SetPassword
            | Self::SetPlatform
            | Self::EnrolPlatform
            | Self::VerifyPassword
            | Self::FactoryReset => true,
            Self::OpenApi
            | Self::Device
            | Self::SignOut
            | Self::ReadReservedEmails
            | Self::ViewConfirmation
            | Self::ConfirmationSvg
            | Self::ConfirmationPng
            | Self::ConfirmationMatrix
            | Self::SendConfirmation
            | Self::SentConfirmation
            | Self::ViewChallenge
            | Self::QrSvg
            | Self::QrPng
            | Self::QrMatrix
            | Self::SendChallenge
            | Self::SentChallenge
            | Self::ReadPlatform
            | Self::TryPlatform
            | Self::PlatformQr => false,
        }
    }
}

impl Route<'_> {
    /// Whether only a peer on the device's own link may use it.
    pub fn is_for_this_link_only(self) -> bool {
        match self {
            Self::Page(page) => page.is_for_this_link_only(),
            Self::Api(api) => api.is_for_this_link_only(),
            Self::Asset(_) => false,
        }
    }

    /// Every route of the API at a door, for the test that holds the OpenAPI document to it.
    pub fn every_api(door: Door) -> impl Iterator<Item = (&'static Method, &'static str, Api)> {
        API.iter()
            .filter(move |(_, _, _, offered)| offered_at(*offered, door))
            .map(|(method, path, api, _)| (method, *path, *api))
    }
}

/// The route of a request. HEAD is answered where GET is. `path` is without the base path and query.
pub fn route<'p>(method: &Method, path: &'p str, door: Door) -> Result<Route<'p>, NoRoute> {
    let asked = if method == Method::HEAD { &Method::GET } else { method };
    if let Some(name) = path.strip_prefix("/assets/").filter(|name| is_asset_name(name)) {
        return if asked == Method::GET { Ok(Route::Asset(name)) } else { Err(not_allowed(GET.to_vec())) };
    }
    if let Some((methods, _, page)) = PAGES.iter().find(|(_, at, _)| *at == path) {
        return if methods.contains(asked) {
            Ok(Route::Page(*page))
        } else {
            Err(not_allowed(methods.to_vec()))
        };
    }
    let at_path: Vec<_> =
        API.iter().filter(|(_, at, _, offered)| *at == path && offered_at(*offered, door)).collect();
    if let Some((_, _, api, _)) = at_path.iter().find(|(method, ..)| method == asked) {
        return Ok(Route::Api(*api));
    }
    if at_path.is_empty() {
        Err(NoRoute::NotFound)
    } else {
        Err(not_allowed(at_path.iter().map(|(method, ..)| method.clone()).collect()))
    }
}

fn not_allowed(mut methods: Vec<Method>) -> NoRoute {
    if methods.contains(&Method::GET) {
        methods.push(Method::HEAD);
    }
    NoRoute::MethodNotAllowed(methods)
}

fn offered_at(offered: Offered, door: Door) -> bool {
    offered == Offered::AtBothDoors || door == Door::Console
}

fn is_asset_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 64
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn at(method: &str, path: &str) -> Result<String, Vec<String>> {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        match route(&method, path, Door::Lan) {
            Ok(route) => Ok(format!("{route:?}")),
            Err(NoRoute::NotFound) => Err(vec![]),
            Err(NoRoute::MethodNotAllowed(allow)) => Err(allow.iter().map(Method::to_string).collect()),
        }
    }

    #[test]
    fn every_method_and_path_as_a_table() {
        for (method, path, expected) in [
            ("GET", "/", Ok("Page(Home)")),
            ("HEAD", "/", Ok("Page(Home)")),
            ("POST", "/", Err(&["GET", "HEAD"][..])),
            ("GET", "/activate", Ok("Page(Activate)")),
            ("POST", "/activate", Ok("Page(Activate)")),
            ("PUT", "/activate", Err(&["GET", "POST", "HEAD"])),
            ("GET", "/sign-out", Err(&["POST"])),
            ("GET", "/forgot/renew", Err(&["POST"])),
            ("POST", "/forgot/renew", Ok("Page(ForgotRenew)")),
            ("GET", "/forgot/qr.png", Ok("Page(ForgotPicture)")),
            ("GET", "/forgot/", Err(&[])),
            ("GET", "//", Err(&[])),
            ("GET", "/Forgot", Err(&[])),
            ("GET", "/%66orgot", Err(&[])),
            ("GET", "/assets/style.css", Ok("Asset(\"style.css\")")),
            ("POST", "/assets/style.css", Err(&["GET", "HEAD"])),
            ("GET", "/assets/", Err(&[])),
            ("GET", "/assets/../key", Err(&[])),
            ("GET", "/assets/a%2fb", Err(&[])),
            ("GET", "/api/v1/device", Ok("Api(Device)")),
            ("PUT", "/api/v1/device", Err(&["GET", "HEAD"])),
            ("DELETE", "/api/v1/session", Ok("Api(SignOut)")),
            ("GET", "/api/v1/session", Err(&["POST", "DELETE"])),
            ("PUT", "/api/v1/admin/reserved-email", Ok("Api(SetReservedEmail)")),
            ("GET", "/api/v1/reset/challenge", Ok("Api(ViewChallenge)")),
            ("POST", "/api/v1/reset/challenge", Ok("Api(BeginReset)")),
            ("POST", "/api/v1/verify-password", Err(&[])),
            ("POST", "/api/v1/factory-reset", Err(&[])),
            ("GET", "/api/v1/factory-reset", Err(&[])),
            ("GET", "/api/v1", Err(&[])),
        ] {
            let expected = expected
                .map(str::to_owned)
                .map_err(|allow: &[&str]| allow.iter().map(|method| (*method).to_owned()).collect());
            assert_eq!(at(method, path), expected, "{method} {path}");
        }
    }

    #[test]
    fn what_only_the_console_may_do_exists_only_there() {
        for path in ["/api/v1/verify-password", "/api/v1/factory-reset"] {
            assert!(route(&Method::POST, path, Door::Console).is_ok());
            assert_eq!(route(&Method::POST, path, Door::Lan), Err(NoRoute::NotFound));
        }
        assert_eq!(Route::every_api(Door::Console).count(), Route::every_api(Door::Lan).count() + 2);
    }

    #[test]
    fn every_page_and_every_api_has_its_one_route() {
        for (methods, path, page) in PAGES {
            for method in *methods {
                assert_eq!(route(method, path, Door::Lan), Ok(Route::Page(*page)));
            }
        }
        for (method, path, api, _) in API {
            assert_eq!(route(method, path, Door::Console), Ok(Route::Api(*api)));
        }
    }

    proptest! {
        #[test]
        fn no_path_makes_it_panic(path in "(/|/assets/|/api/v1/)?.*", method in "[A-Z]{1,8}") {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let _ = route(&method, &path, Door::Lan);
        }
    }
}
