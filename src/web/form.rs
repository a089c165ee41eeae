//! Form fields: `application/x-www-form-urlencoded`, strictly and with limits.

use zeroize::Zeroizing;

/// The hidden field of every form, filled by [`super::Caller::form_token`].
pub const TOKEN_FIELD: &str = "form_token";
/// Fields of one form.
pub const FIELDS_MAX: usize = 32;

/// The fields of a form that was posted, or of the query of a page that was asked for.
#[derive(Default)]
pub struct Form(Vec<(String, Zeroizing<String>)>);

/// Why a text is not a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// More than [`FIELDS_MAX`].
    #[error("the form has too many fields")]
    TooMany,
    /// The same field twice.
    #[error("a field of the form is given twice")]
    Twice,
    /// A `%` that is not followed by two hexadecimal digits.
    #[error("the form has a broken % escape")]
    Escape,
    /// Not UTF-8 once decoded.
    #[error("the form is not UTF-8 text")]
    Utf8,
}

impl FormError {
    /// The name in a problem document's `kind`.
    pub fn name(self) -> &'static str {
        match self {
            Self::TooMany => "too-many-fields",
            Self::Twice => "field-twice",
            Self::Escape => "broken-escape",
            Self::Utf8 => "not-utf8",
        }
    }
}

impl Form {
    /// Parses a form. Nothing at all is an empty form.
    pub fn parse(bytes: &[u8]) -> Result<Self, FormError> {
        let mut fields: Vec<(String, Zeroizing<String>)> = vec![];
        for pair in bytes.split(|&byte| byte == b'&').filter(|pair| !pair.is_empty()) {
            if fields.len() == FIELDS_MAX {
                return Err(FormError::TooMany);
            }
            let at = pair.iter().position(|&byte| byte == b'=');
            let (name, value) = match at {
                Some(at) => (&pair[..at], &pair[at + 1..]),
                None => (pair, &[][..]),
            };
            let name = decode(name)?.to_string();
            if fields.iter().any(|(earlier, _)| *earlier == name) {
                return Err(FormError::Twice);
            }
            fields.push((name, decode(value)?));
        }
        Ok(Self(fields))
    }

    /// A field as typed, or none if the form has no such field.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// A field as typed; empty if the form has no such field.
    pub fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }

    /// Whether a checkbox is ticked.
    pub fn ticked(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// A field as a password, wiped when dropped.
    pub fn password(&self, name: &str) -> crate::recovery::action::Password {
        crate::recovery::action::Password::new(self.text(name).to_owned())
    }
}

/// Names only: a value may be a password.
impl std::fmt::Debug for Form {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

fn decode(text: &[u8]) -> Result<Zeroizing<String>, FormError> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut rest = text.iter();
    while let Some(&byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => match (rest.next().and_then(nibble), rest.next().and_then(nibble)) {
                (Some(high), Some(low)) => high << 4 | low,
                _ => return Err(FormError::Escape),
            },
            byte => byte,
        });
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| FormError::Utf8)?;
    Ok(Zeroizing::new(text.to_owned()))
}

fn nibble(digit: &u8) -> Option<u8> {
    char::from(*digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_browsers_send() {
        let form =
            Form::parse("email=o%2Btag%40example.com&password=a+b%26%C3%A9&terms=on&empty=&&bare".as_bytes());
        let form = form.unwrap();
        assert_eq!(form.text("email"), "o+tag@example.com");
        assert_eq!(form.text("password"), "a b&é");
        assert_eq!((form.get("empty"), form.get("bare"), form.get("none")), (Some(""), Some(""), None));
        assert!(form.ticked("terms") && !form.ticked("renew"));
        assert!(Form::parse(b"").unwrap().get("x").is_none());
    }

    #[test]
    fn refuses_what_they_do_not() {
        assert_eq!(Form::parse(b"a=%4").unwrap_err(), FormError::Escape);
        assert_eq!(Form::parse(b"a=%+1").unwrap_err(), FormError::Escape);
        assert_eq!(Form::parse(b"a=%ff").unwrap_err(), FormError::Utf8);
        assert_eq!(Form::parse(b"a=1&%61=2").unwrap_err(), FormError::Twice);
        let many: Vec<String> = (0..=FIELDS_MAX).map(|number| format!("f{number}=1")).collect();
        assert_eq!(Form::parse(many.join("&").as_bytes()).unwrap_err(), FormError::TooMany);
        assert!(Form::parse(many[1..].join("&").as_bytes()).is_ok());
    }

    #[test]
    fn debug_shows_no_value() {
        let form = Form::parse(b"password=hunter2").unwrap();
        assert_eq!(format!("{form:?}"), "[\"password\"]");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Form::parse(&bytes);
        }

        #[test]
        fn every_text_comes_back(text in ".*") {
            let escaped: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
            let form = Form::parse(format!("field={escaped}").as_bytes()).unwrap();
            prop_assert_eq!(form.text("field"), text);
        }
    }
}
