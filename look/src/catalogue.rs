//! The message catalogue (Project Fluent). A language is a folder of `.ftl` files.

use fluent_bundle::{FluentArgs, FluentResource, FluentValue, concurrent::FluentBundle};

const ENGLISH: &[(&str, &str)] = &[
    ("common.ftl", include_str!("../messages/en/common.ftl")),
    ("device.ftl", include_str!("../messages/en/device.ftl")),
    ("cloud.ftl", include_str!("../messages/en/cloud.ftl")),
    ("mail.ftl", include_str!("../messages/en/mail.ftl")),
];

/// Values that go into a sentence.
pub type Args<'a> = &'a [(&'a str, FluentValue<'a>)];

/// Every sentence of one language.
pub struct Catalogue(FluentBundle<FluentResource>);

impl Catalogue {
    /// English.
    pub fn english() -> Self {
        let mut bundle = FluentBundle::new_concurrent(vec![unic_langid::LanguageIdentifier::default()]);
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

    /// A sentence with values.
    pub fn say_with(&self, key: &str, args: Args<'_>) -> String {
        let Some(pattern) = self.0.get_message(key).and_then(|message| message.value()) else {
            return key.to_owned();
        };
        let args: FluentArgs<'_> = args.iter().map(|(name, value)| (*name, value.clone())).collect();
        self.0.format_pattern(pattern, Some(&args), &mut vec![]).into_owned()
    }
}
