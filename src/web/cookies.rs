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
    /// Under a path of another web server: no prefix, because that wants the whole host.
    Path {
        /// Empty, or `/` and a name, no `/` at the end.
        base: &'a str,
        /// Browsers reach that server by TLS, and are to send the cookie in no other way.
        tls: bool,
    },
}

impl Cookie {
    fn name(self, scope: Scope<'_>) -> &'static str {
        match (scope, self) {
            (Scope::Host, Self::Session) => "__Host-latchkey-session",
            (Scope::Host, Self::Grant) => "__Host-latchkey-grant",
            (Scope::Host, Self::Form) => "__Host-latchkey-form",
            (Scope::Path { .. }, Self::Session) => "latchkey-session",
            (Scope::Path { .. }, Self::Grant) => "latchkey-grant",
            (Scope::Path { .. }, Self::Form) => "latchkey-form",
        }
    }
}

/// A `Set-Cookie` value. It ends with the browser's session: the heart has the real limits.
pub fn set(scope: Scope<'_>, cookie: Cookie, value: &str) -> String {
    let name = cookie.name(scope);
    match scope {
        Scope::Host => format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite=Strict"),
        Scope::Path { base, tls } => {
            let secure = if tls { " Secure;" } else { "" };
            format!("{name}={value}; Path={base}/;{secure} HttpOnly; SameSite=Strict")
        }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    const HEX: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    fn read_one(header: &str) -> Option<[u8; 32]> {
        read([header.as_bytes()].into_iter(), Scope::Host, Cookie::Session)
    }

    #[test]
    fn what_is_set_is_read_back_and_bound_to_this_host() {
        let set = set(Scope::Host, Cookie::Session, HEX);
        assert_eq!(set, format!("__Host-latchkey-session={HEX}; Path=/; Secure; HttpOnly; SameSite=Strict"));
        assert!(read_one(set.split(';').next().unwrap()).is_some());
        assert!(clear(Scope::Host, Cookie::Session).ends_with("Max-Age=0"));
        let based = |tls| super::set(Scope::Path { base: "/latchkey", tls }, Cookie::Form, HEX);
        assert_eq!(
            based(true),
            format!("latchkey-form={HEX}; Path=/latchkey/; Secure; HttpOnly; SameSite=Strict")
        );
        assert_eq!(based(false), format!("latchkey-form={HEX}; Path=/latchkey/; HttpOnly; SameSite=Strict"));
    }

    #[test]
    fn only_the_exact_name_with_one_value_counts() {
        let good = format!("other=1; __Host-latchkey-session={HEX};x");
        assert!(read_one(&good).is_some());
        for bad in [
            format!("latchkey-session={HEX}"),
            format!("__Host-latchkey-session2={HEX}"),
            format!("__Host-latchkey-session={HEX}0"),
            format!("__Host-latchkey-session=\"{HEX}\""),
            "__Host-latchkey-session=".to_owned(),
            format!("__Host-latchkey-session={HEX}; __Host-latchkey-session={}", HEX.replace('0', "1")),
        ] {
            assert!(read_one(&bad).is_none(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_header_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), named: bool) {
            let mut header = if named { b"__Host-latchkey-session=".to_vec() } else { vec![] };
            header.extend(&bytes);
            let _ = read([&header[..]].into_iter(), Scope::Host, Cookie::Session);
        }
    }
}
