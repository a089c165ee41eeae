//! What every page has: its title, where it is, what went wrong, what is to be told.

use super::assets::Assets;
use crate::web::{Problem, form::TOKEN_FIELD};
use latchkey_look::{Catalogue, Icon, catalogue::FluentValue};

/// What the header and the footer show of the recorder.
#[derive(Clone, Copy, Debug)]
pub(super) struct DeviceFacts<'a> {
    /// The model's name.
    pub(super) model: &'a str,
    /// The serial number, as on the label.
    pub(super) serial: &'a str,
    /// The daemon's version.
    pub(super) version: &'a str,
}

/// Where the pages are and who looks at them.
#[derive(Clone, Copy)]
pub(super) struct Viewer<'a> {
    /// Every sentence.
    pub(super) catalogue: &'a Catalogue,
    /// The path that the pages are below: empty, or like `/latchkey`.
    pub(super) base: &'a str,
    /// Goes into every form: shows that it came from a page of ours.
    pub(super) token: &'a str,
    /// The recorder.
    pub(super) device: DeviceFacts<'a>,
    /// Whether the session is a live one.
    pub(super) signed_in: bool,
    /// Whether there is a help page to go to: an inactive recorder shows activation and nothing else.
    pub(super) help: bool,
}

/// A page's frame, and the words of the page.
pub(super) struct Frame<'a> {
    pub(super) catalogue: &'a Catalogue,
    pub(super) base: &'a str,
    pub(super) token: &'a str,
    pub(super) token_field: &'static str,
    pub(super) device: DeviceFacts<'a>,
    pub(super) signed_in: bool,
    pub(super) help: bool,
    pub(super) assets: &'static Assets,
    pub(super) title: String,
    pub(super) crumbs: Vec<Crumb>,
    pub(super) errors: Errors,
    pub(super) notices: Vec<Notice>,
}

/// One part of the way to a page; the page itself, and a level without a page, have no path.
pub(super) struct Crumb {
    pub(super) path: Option<&'static str>,
    pub(super) name: String,
}

/// A way on.
pub(super) struct Link {
    pub(super) path: &'static str,
    pub(super) name: String,
    pub(super) hint: String,
}

/// What went wrong with a form, shown above it and at its fields.
#[derive(Clone, Debug, Default)]
pub(super) struct Errors {
    pub(super) heading: String,
    pub(super) lines: Vec<String>,
    pub(super) fields: Vec<FieldError>,
    pub(super) wait_s: Option<u64>,
}

/// What is wrong with a field, which has this id.
#[derive(Clone, Debug)]
pub(super) struct FieldError {
    pub(super) field: &'static str,
    pub(super) text: String,
}

/// Something to be told before the page's own content.
pub(super) struct Notice {
    pub(super) kind: Kind,
    pub(super) heading: String,
    pub(super) lines: Vec<String>,
    pub(super) link: Option<(&'static str, String)>,
    /// Came by what the person just did: a screen reader says it at once.
    pub(super) live: bool,
}

/// How a notice looks.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Info,
    Warn,
    Success,
}

impl Kind {
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Success => "success",
        }
    }

    pub(super) fn icon(self) -> Icon {
        match self {
            Self::Info => Icon::Info,
            Self::Warn => Icon::Warn,
            Self::Success => Icon::Success,
        }
    }
}

impl Errors {
    pub(super) fn any(&self) -> bool {
        !self.heading.is_empty()
    }

    /// What is wrong with a field.
    pub(super) fn of(&self, field: &str) -> Option<&str> {
        self.fields.iter().find(|error| error.field == field).map(|error| error.text.as_str())
    }
}

impl<'a> Frame<'a> {
    /// A page with the title of this key.
    pub(super) fn new(viewer: Viewer<'a>, title_key: &str) -> Self {
        let Viewer { catalogue, base, token, device, signed_in, help } = viewer;
        Self {
            catalogue,
            base,
            token,
            token_field: TOKEN_FIELD,
            device,
            signed_in,
            help,
            assets: Assets::all(),
            title: catalogue.say(title_key),
            crumbs: vec![],
            errors: Errors::default(),
            notices: vec![],
        }
    }

    /// A page about a refusal.
    pub(super) fn of_problem(viewer: Viewer<'a>, problem: &Problem) -> Self {
        let wait_s = super::words::errors(problem).wait_s;
        let errors = Errors { wait_s, ..Errors::default() };
        Self { title: problem.title.clone(), errors, ..Self::new(viewer, "told-next") }
    }

    /// The same with something that went wrong.
    pub(super) fn wrong(mut self, errors: Errors) -> Self {
        self.errors = errors;
        self
    }

    /// The same with something to tell.
    pub(super) fn telling(mut self, notices: Vec<Notice>) -> Self {
        self.notices = notices;
        self
    }

    /// The same with the way to the page, whose last part is the page itself.
    pub(super) fn at(mut self, way: &[(&'static str, &str)]) -> Self {
        let last = way.len().saturating_sub(1);
        let crumb = |(i, &(path, key)): (usize, &(&'static str, &str))| Crumb {
            path: (i < last && !path.is_empty()).then_some(path),
            name: self.catalogue.say(key),
        };
        self.crumbs = way.iter().enumerate().map(crumb).collect();
        self
    }

    pub(super) fn say(&self, key: &str) -> String {
        self.catalogue.say(key)
    }

    /// A sentence with one value, which templates pass by reference.
    pub(super) fn with<T>(&self, key: &str, name: &str, value: &T) -> String
    where
        T: Clone + Into<FluentValue<'a>>,
    {
        self.catalogue.say_with(key, &[(name, value.clone().into())])
    }

    pub(super) fn hint_id(&self, field: &str) -> String {
        format!("{field}-hint")
    }

    /// The ids of what describes a field: its hint, if it has one, and its error, if there is one.
    pub(super) fn described(&self, field: &str, hint_id: &str) -> String {
        let error = self.errors.of(field).map(|_| format!("{field}-error"));
        let hint = (!hint_id.is_empty()).then(|| hint_id.to_owned());
        [hint, error].into_iter().flatten().collect::<Vec<_>>().join(" ")
    }

    pub(super) fn lasting(&self, s: &u64) -> String {
        super::words::lasting(self.catalogue, *s)
    }
}
