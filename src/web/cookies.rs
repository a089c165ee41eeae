//! The three cookies of a browser.

/// What a cookie holds: always 32 bytes, in hexadecimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cookie {
    /// The session's secret.
    Session,
    /// The right to set one new password, between two steps of the wizard.
    Grant,
    /// The secret of this browser's forms.
    Form,
}

/// Where a cookie lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope<'a> {
    /// The device's own HTTPS: the `__Host-` prefix, so that nobody else can have set it.
    Host,
    /// Under a base path of another web server, which may speak TLS or not: no prefix.
    Path(&'a str),
}

impl Cookie {
    fn name(self, scope: Scope<'_>) -> &'static str {
        match (scope, self) {
            (Scope::Host, Self::Session) => "__Host-latchkey-session",
            (Scope::Host, Self::Grant) => "__Host-latchkey-grant",
            (Scope::Host, Self::Form) => "__Host-latchkey-form",
            (Scope::Path(_), Self::Session) => "latchkey-session",
            (Scope::Path(_), Self::Grant) => "latchkey-grant",
            (Scope::Path(_), Self::Form) => "latchkey-form",
        }
    }
}

/// A `Set-Cookie` value. It ends with the browser's session: the heart has the real limits.
pub fn set(scope: Scope<'_>, cookie: Cookie, value: &str) -> String {
    let name = cookie.name(scope);
    match scope {
        Scope::Host => format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite=Strict"),
        Scope::Path(base) => format!("{name}={value}; Path={base}/; HttpOnly; SameSite=Strict"),
    }
}

/// A `Set-Cookie` value that takes the cookie away.
pub fn clear(scope: Scope<'_>, cookie: Cookie) -> String {
    format!("{}; Max-Age=0", set(scope, cookie, ""))
}

/// Reads a cookie out of `Cookie` headers. Two with the same name that differ are none: someone else
/// planted one of them.
pub fn read<'h>(
    headers: impl Iterator<Item = &'h [u8]>,
    scope: Scope<'_>,
    cookie: Cookie,
) -> Option<[u8; 32]> {
    let name = cookie.name(scope).as_bytes();
    let mut found = None;
    for pair in headers.flat_map(|header| header.split(|&byte| byte == b';')) {
        let pair = pair.trim_ascii();
        let Some(value) = pair.strip_prefix(name).and_then(|rest| rest.strip_prefix(b"=")) else { continue };
        let value = std::str::from_utf8(value).ok().and_then(super::caller::unhex)?;
        if found.is_some_and(|earlier| earlier != value) {
            return None;
        }
        found = Some(value);
    }
    found
}
