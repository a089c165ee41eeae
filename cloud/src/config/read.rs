//! Fields with their lines, out of a TOML text.

use super::Fault;
use toml::de::{DeTable, DeValue};

/// The table of a text. What does not parse becomes faults.
pub(super) fn table<'i>(text: &'i str, faults: &mut Vec<Fault>) -> DeTable<'i> {
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let line = error.span().map_or(0, |span| line_of(text, span.start));
        faults.push(Fault { line, field: "TOML".into(), what: error.message().into() });
    }
    table.into_inner()
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|&b| b == b'\n').count()
}

/// A table whose fields are taken out one by one; what is left over at the end is unknown.
pub(super) struct Section<'i> {
    path: String,
    table: DeTable<'i>,
    text: &'i str,
    lines: Vec<(String, usize)>,
}

/// One field's value.
pub(super) struct Value<'i>(DeValue<'i>);

impl Value<'_> {
    /// A text.
    pub(super) fn text(self) -> Result<String, String> {
        match self.0 {
            DeValue::String(text) => Ok(text.into_owned()),
            _ => Err("must be a text in quotation marks".into()),
        }
    }

    /// A list of texts.
    pub(super) fn texts(self) -> Result<Vec<String>, String> {
        let DeValue::Array(items) = self.0 else { return Err("must be a list of texts".into()) };
        items.into_iter().map(|item| Value(item.into_inner()).text()).collect()
    }

    /// `true` or `false`.
    pub(super) fn switch(self) -> Result<bool, String> {
        match self.0 {
            DeValue::Boolean(on) => Ok(on),
            _ => Err("must be true or false".into()),
        }
    }

    /// A whole number in a range.
    pub(super) fn number(self, min: u64, max: u64) -> Result<u64, String> {
        let number = match self.0 {
            DeValue::Integer(number) => u64::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        };
        number
            .filter(|n| (min..=max).contains(n))
            .ok_or_else(|| format!("must be a whole number from {min} to {max}"))
    }
}

impl<'i> Section<'i> {
    pub(super) fn new(path: &str, table: DeTable<'i>, text: &'i str) -> Self {
        let lines = table
            .iter()
            .map(|(key, _)| (key.get_ref().to_string(), line_of(text, key.span().start)))
            .collect();
        Self { path: path.to_owned(), table, text, lines }
    }

    fn field(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    fn line(&self, name: &str) -> usize {
        self.lines.iter().find(|(key, _)| key == name).map_or(0, |(_, line)| *line)
    }

    /// Reports a fault of a field.
    pub(super) fn fault(&self, name: &str, what: &str, faults: &mut Vec<Fault>) {
        faults.push(Fault { line: self.line(name), field: self.field(name), what: what.to_owned() });
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.table.get(name).is_some()
    }

    pub(super) fn optional<T>(
        &mut self,
        name: &str,
        faults: &mut Vec<Fault>,
        read: impl FnOnce(Value<'i>) -> Result<T, String>,
    ) -> Option<T> {
        let value = self.table.remove(name)?;
        read(Value(value.into_inner())).map_err(|what| self.fault(name, &what, faults)).ok()
    }

    pub(super) fn required<T>(
        &mut self,
        name: &str,
        faults: &mut Vec<Fault>,
        read: impl FnOnce(Value<'i>) -> Result<T, String>,
    ) -> Option<T> {
        if !self.has(name) {
            self.fault(name, "is missing", faults);
            return None;
        }
        self.optional(name, faults, read)
    }

    /// A required text that is parsed further.
    pub(super) fn parsed<T>(
        &mut self,
        name: &str,
        faults: &mut Vec<Fault>,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        self.required(name, faults, |value| parse(&value.text()?))
    }

    /// A table inside; an empty one if it is not there.
    pub(super) fn section(&mut self, name: &str, faults: &mut Vec<Fault>) -> Self {
        let path = self.field(name);
        let table = match self.table.remove(name).map(|value| value.into_inner()) {
            None => DeTable::new(),
            Some(DeValue::Table(table)) => table,
            Some(_) => {
                self.fault(name, "must be a section", faults);
                DeTable::new()
            }
        };
        Section::new(&path, table, self.text)
    }

    /// Whatever was not taken is not a field.
    pub(super) fn finish(self, faults: &mut Vec<Fault>) {
        for (key, _) in self.table.iter() {
            self.fault(key.get_ref(), "is not a setting; see the comments that init writes", faults);
        }
    }
}
