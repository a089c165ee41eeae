//! The message catalogue (Project Fluent). A language is a folder of `.ftl` files.

use fluent_bundle::{FluentArgs, FluentResource, concurrent::FluentBundle};
use unic_langid::LanguageIdentifier;

pub use fluent_bundle::FluentValue;

const ENGLISH: &[(&str, &str)] = &[
    ("common.ftl", include_str!("../messages/en/common.ftl")),
    ("device.ftl", include_str!("../messages/en/device.ftl")),
    ("problem.ftl", include_str!("../messages/en/problem.ftl")),
    // The recorder says none of these, and its flash is small.
    #[cfg(feature = "service")]
    ("cloud.ftl", include_str!("../messages/en/cloud.ftl")),
    #[cfg(feature = "service")]
    ("account.ftl", include_str!("../messages/en/account.ftl")),
    #[cfg(feature = "service")]
    ("app.ftl", include_str!("../messages/en/app.ftl")),
    #[cfg(feature = "service")]
    ("recorders.ftl", include_str!("../messages/en/recorders.ftl")),
    ("mail.ftl", include_str!("../messages/en/mail.ftl")),
    ("panel.ftl", include_str!("../messages/en/panel.ftl")),
];

/// Values that go into a sentence.
pub type Args<'a> = &'a [(&'a str, FluentValue<'a>)];

/// Every sentence of one language. Reading it takes time: make one and share it.
pub struct Catalogue(FluentBundle<FluentResource>);

impl Catalogue {
    /// English.
    pub fn english() -> Self {
        let language = LanguageIdentifier::from_bytes(b"en").unwrap_or_default();
        let mut bundle = FluentBundle::new_concurrent(vec![language]);
        // Isolation marks would be typed and copied along with addresses and codes.
        bundle.set_use_isolating(false);
        for (_, text) in ENGLISH {
            // A broken line is left out here and fails the catalogue's own test.
            let resource = FluentResource::try_new((*text).to_owned()).unwrap_or_else(|(partial, _)| partial);
            bundle.add_resource_overriding(resource);
        }
        Self(bundle)
    }

    /// A sentence without values. A key that does not exist comes back as itself.
    pub fn say(&self, key: &str) -> String {
        self.say_with(key, &[])
    }

    /// The language's tag, for `lang` attributes.
    pub fn language(&self) -> &'static str {
        "en"
    }

    /// A sentence with values.
    pub fn say_with(&self, key: &str, args: Args<'_>) -> String {
        let Some(pattern) = self.0.get_message(key).and_then(|message| message.value()) else {
            return key.to_owned();
        };
        let args: FluentArgs<'_> = args.iter().map(|(name, value)| (*name, value.clone())).collect();
        self.0.format_pattern(pattern, Some(&args), &mut vec![]).into_owned()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn every_line_is_read_and_every_key_is_there_once() {
        let mut seen = BTreeMap::new();
        for (file, text) in ENGLISH {
            FluentResource::try_new((*text).to_owned()).map_err(|(_, errors)| errors).unwrap();
            let keys = text.lines().filter_map(|line| {
                let (key, _) = line.split_once(" =")?;
                key.starts_with(|c: char| c.is_ascii_alphabetic()).then_some(key)
            });
            for key in keys {
                assert_eq!(seen.insert(key, file), None, "{key} is there twice, once in {file}");
            }
        }
        let catalogue = Catalogue::english();
        assert!(seen.keys().all(|key| catalogue.0.has_message(key)));
        assert!(!seen.is_empty());
    }

    #[test]
    fn one_and_many_are_told_apart() {
        let catalogue = Catalogue::english();
        let hours = |n: u64| catalogue.say_with("time-hours", &[("count", n.into())]);
        assert_eq!(hours(1), "1 hour");
        assert_eq!(hours(48), "48 hours");
    }

    #[test]
    fn an_unknown_key_comes_back_as_itself() {
        assert_eq!(Catalogue::english().say("no-such-key"), "no-such-key");
    }
}
