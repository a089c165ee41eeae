//! Who a request comes from, as far as a door can tell.

use super::{
    context::Context,
    cookies::{self, Cookie},
    problem::Fault,
    same_link::OffLink,
};
use crate::recovery::{GrantToken, SessionToken};
use latchkey_protocol::Door;
use std::net::SocketAddr;
use subtle::ConstantTimeEq;

/// How a connection came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// HTTPS on the LAN.
    Tls,
    /// The recorder's own web server in front, by the proxied Unix socket.
    Proxied,
    /// The local screen's Unix socket.
    Console,
}

/// Who asks. Made by the doors for each request; pages and API only read it.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The door: the console, or the LAN for everyone else.
    pub door: Door,
    /// How the connection came in.
    pub entry: Entry,
    /// The other end; none at the console.
    pub peer: Option<SocketAddr>,
    /// The device's own end; none at the console.
    pub local: Option<SocketAddr>,
    /// Whether the peer is on the device's own link, and if not, why. Always so at the console.
    pub link: Result<(), OffLink>,
    /// Goes before every path in a link, a form's action, a redirect: empty, or the base path.
    pub base: String,
    /// Whether browsers reach the server in front by TLS.
    pub base_tls: bool,
    /// From the session cookie or the bearer token; not checked yet: the heart does that.
    pub session: Option<SessionToken>,
    /// From the grant cookie of the wizard; not checked yet.
    pub grant: Option<GrantToken>,
    /// The secret of this browser's forms, from its cookie or drawn for this answer.
    pub form_secret: [u8; 32],
    /// Whether `form_secret` was drawn just now, so that the answer must set its cookie.
    pub form_secret_is_new: bool,
}

impl Caller {
    /// What only someone on the device's own link may do: activation, reserved email, reset.
    pub fn must_be_on_link(&self) -> Result<(), Fault> {
        self.link.map_err(Fault::NotOnThisNetwork)
    }

    /// The value for the hidden field [`super::form::TOKEN_FIELD`] of every form on a page. The door
    /// checks it before a page sees the form.
    pub fn form_token(&self, ctx: &Context) -> String {
        hex(&self.form_mac(ctx))
    }

    /// Whether a form came from a page that this daemon gave to this browser in this session.
    pub fn form_token_is_right(&self, ctx: &Context, typed: &str) -> bool {
        !self.form_secret_is_new && unhex(typed).is_some_and(|typed| typed.ct_eq(&self.form_mac(ctx)).into())
    }

    fn form_mac(&self, ctx: &Context) -> [u8; 32] {
        let session = self.session.as_ref().map_or(&[][..], |session| &session.0);
        ctx.form_mac(&[b"token", &self.form_secret, session])
    }

    /// A path with the base before it.
    pub fn path(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// The `Set-Cookie` value that keeps a secret in this browser.
    pub fn cookie(&self, cookie: Cookie, secret: &[u8; 32]) -> String {
        cookies::set(self.cookie_scope(), cookie, &hex(secret))
    }

    /// The `Set-Cookie` value that takes a secret away.
    pub fn no_cookie(&self, cookie: Cookie) -> String {
        cookies::clear(self.cookie_scope(), cookie)
    }

    /// Where cookies of this caller live.
    pub fn cookie_scope(&self) -> cookies::Scope<'_> {
        match self.entry {
            Entry::Tls => cookies::Scope::Host,
            Entry::Proxied | Entry::Console => cookies::Scope::Path { base: &self.base, tls: self.base_tls },
        }
    }
}

/// Bytes as lowercase hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}"); // writing to a String cannot fail
        text
    })
}

/// Exactly 32 bytes from 64 hexadecimal digits.
pub fn unhex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}
