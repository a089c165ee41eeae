//! The files of a configuration laid over each other: every key with its value and the place where
//! it stands, and the faults found so far.

use super::{Fault, Faults};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};
use toml::de::{DeTable, DeValue};

/// The largest file, in bytes.
const FILE_BYTES_MAX: usize = 64 * 1024;
/// The longest chain of `inherits`.
const FILES_MAX: usize = 8;

/// A value, with the folder that a relative path in it starts from.
pub(super) struct Value {
    folder: PathBuf,
    content: Content,
}

enum Content {
    Text(String),
    Number(i64),
    Boolean(bool),
    List(Vec<Value>),
    Other,
}

impl Value {
    pub(super) fn text(&self) -> Option<String> {
        if let Content::Text(text) = &self.content { Some(text.clone()) } else { None }
    }

    pub(super) fn boolean(&self) -> Option<bool> {
        if let Content::Boolean(boolean) = self.content { Some(boolean) } else { None }
    }

    pub(super) fn number<T: TryFrom<i64>>(&self, min: i64, max: i64) -> Option<T> {
        let Content::Number(number) = self.content else { return None };
        (min..=max).contains(&number).then(|| T::try_from(number).ok()).flatten()
    }

    /// A path; a relative one starts from the folder of its file.
    pub(super) fn path(&self) -> Option<PathBuf> {
        self.text().filter(|text| !text.is_empty() && !text.contains('\0')).map(|text| self.folder.join(text))
    }

    fn new(folder: &Path, value: &DeValue<'_>) -> Self {
        let content = match value {
            DeValue::String(text) => Content::Text(text.to_string()),
            DeValue::Integer(number) => {
                i64::from_str_radix(number.as_str(), number.radix()).map_or(Content::Other, Content::Number)
            }
            DeValue::Boolean(boolean) => Content::Boolean(*boolean),
            DeValue::Array(list) => {
                Content::List(list.iter().map(|value| Self::new(folder, value.get_ref())).collect())
            }
            DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Table(_) => Content::Other,
        };
        Self { folder: folder.to_owned(), content }
    }
}

struct Found {
    value: Value,
    file: PathBuf,
    line: usize,
    /// Which file of the chain it is from; the higher one wins.
    rank: usize,
}

/// All keys of all files.
pub(super) struct Layers {
    found: BTreeMap<String, Found>,
    /// Keys that the program asked for: the others are unknown.
    known: BTreeSet<&'static str>,
    faults: Vec<Fault>,
    /// A file could not be read as a whole, so that a key that is missing may stand in it.
    incomplete: bool,
    /// Where a missing key is best added.
    last_file: PathBuf,
}

impl Layers {
    /// Reads the board file with what it inherits, and the settings file over them.
    pub(super) fn read(board: &Path, settings: Option<&Path>) -> Self {
        let mut layers = Self {
            found: BTreeMap::new(),
            known: BTreeSet::new(),
            faults: Vec::new(),
            incomplete: false,
            last_file: settings.unwrap_or(board).to_owned(),
        };
        let mut rank = FILES_MAX;
        if let Some(settings) = settings {
            layers.add_file(settings, rank, false);
        }
        let mut next = Some(board.to_owned());
        while let Some(file) = next {
            rank -= 1;
            if rank == 0 {
                let message = format!("a chain of more than {FILES_MAX} files: does one inherit itself?");
                layers.fault(&file, 0, "inherits", message);
                break;
            }
            next = layers.add_file(&file, rank, true);
        }
        layers
    }

    /// Adds the keys that no file before it had. Gives the file that it inherits.
    fn add_file(&mut self, file: &Path, rank: usize, may_inherit: bool) -> Option<PathBuf> {
        let text = match read_text(file, FILE_BYTES_MAX) {
            Ok(text) => text,
            Err(error) => {
                self.incomplete = true;
                self.fault(file, 0, "", format!("cannot be read: {error}"));
                return None;
            }
        };
        let (table, errors) = DeTable::parse_recoverable(&text);
        for error in errors {
            self.incomplete = true;
            let line = error.span().map_or(0, |span| line_of(&text, span.start));
            self.fault(file, line, "", format!("not TOML: {}", error.message()));
        }
        let folder = file.parent().unwrap_or(Path::new(""));
        let mut inherits = None;
        for (section, value) in table.get_ref() {
            let line = line_of(&text, section.span().start);
            let section = section.get_ref().as_ref();
            match value.get_ref() {
                DeValue::Table(keys) => {
                    for (key, value) in keys {
                        let line = line_of(&text, key.span().start);
                        let value = Value::new(folder, value.get_ref());
                        let name = format!("{section}.{}", key.get_ref());
                        let found = Found { value, file: file.to_owned(), line, rank };
                        self.found.entry(name).or_insert(found);
                    }
                }
                DeValue::String(base) if section == "inherits" && may_inherit => {
                    inherits = Some(folder.join(base.as_ref()));
                }
                _ if section == "inherits" => {
                    let right = "only a board file can inherit, by the name of another file";
                    self.fault(file, line, section, right.to_owned());
                }
                _ => {
                    let message = "stands outside of any [section]".to_owned();
                    self.fault(file, line, section, message);
                }
            }
        }
        inherits
    }

    /// Takes a key that must be there. `right` says what it must be.
    pub(super) fn take<T: Default>(
        &mut self,
        name: &'static str,
        right: &str,
        parse: impl FnOnce(&Value) -> Option<T>,
    ) -> T {
        self.known.insert(name);
        match self.found.get(name) {
            None if self.incomplete => {}
            None => {
                let file = self.last_file.clone();
                self.fault(&file, 0, name, format!("is missing; it must be {right}"));
            }
            Some(found) => match parse(&found.value) {
                Some(value) => return value,
                None => {
                    let (file, line) = (found.file.clone(), found.line);
                    self.fault(&file, line, name, format!("must be {right}"));
                }
            },
        }
        T::default()
    }

    /// Takes a key that may be absent.
    pub(super) fn take_or<T: Default>(
        &mut self,
        name: &'static str,
        right: &str,
        absent: T,
        parse: impl FnOnce(&Value) -> Option<T>,
    ) -> T {
        if self.found.contains_key(name) { self.take(name, right, parse) } else { absent }
    }

    /// Takes a list of at least one item.
    pub(super) fn list<T>(
        &mut self,
        name: &'static str,
        right: &str,
        item: impl Fn(&Value) -> Option<T>,
    ) -> Vec<T> {
        self.take(name, right, |value| items(value, item).filter(|list| !list.is_empty()))
    }

    /// Takes a list that may be empty.
    pub(super) fn list_or_empty<T>(
        &mut self,
        name: &'static str,
        right: &str,
        item: impl Fn(&Value) -> Option<T>,
    ) -> Vec<T> {
        self.take(name, right, |value| items(value, item))
    }

    /// A key that is known and not used now.
    pub(super) fn skip(&mut self, name: &'static str) {
        self.known.insert(name);
    }

    /// How strong the file is that a key stands in.
    pub(super) fn rank(&self, name: &str) -> Option<usize> {
        self.found.get(name).map(|found| found.rank)
    }

    /// Whether any file has keys in a section.
    pub(super) fn has_section(&self, section: &str) -> bool {
        self.found.keys().any(|name| name.split_once('.').is_some_and(|(s, _)| s == section))
    }

    /// A key's value does not go together with another's.
    pub(super) fn wrong(&mut self, name: &'static str, right: &str) {
        self.known.insert(name);
        let (file, line) = self
            .found
            .get(name)
            .map_or_else(|| (self.last_file.clone(), 0), |found| (found.file.clone(), found.line));
        self.fault(&file, line, name, format!("must {right}"));
    }

    /// All faults, the unknown keys among them.
    pub(super) fn finish(mut self) -> Result<(), Faults> {
        let unknown = self.found.iter().filter(|(name, _)| !self.known.contains(name.as_str()));
        let unknown: Vec<_> = unknown
            .map(|(name, found)| {
                let section = name.split_once('.').map_or("", |(section, _)| section);
                let known: Vec<_> = self
                    .known
                    .iter()
                    .filter_map(|known| known.split_once('.').filter(|(s, _)| *s == section))
                    .map(|(_, key)| key)
                    .collect();
                let message = if known.is_empty() {
                    format!("is not known: there is no section [{section}]")
                } else {
                    format!("is not known; [{section}] has {}", known.join(", "))
                };
                Fault { file: found.file.clone(), line: found.line, field: name.clone(), message }
            })
            .collect();
        self.faults.extend(unknown);
        self.faults.sort();
        if self.faults.is_empty() { Ok(()) } else { Err(Faults(self.faults)) }
    }

    fn fault(&mut self, file: &Path, line: usize, field: &str, message: String) {
        self.faults.push(Fault { file: file.to_owned(), line, field: field.to_owned(), message });
    }
}

fn items<T>(value: &Value, item: impl Fn(&Value) -> Option<T>) -> Option<Vec<T>> {
    let Content::List(list) = &value.content else { return None };
    list.iter().map(item).collect()
}

fn line_of(text: &str, at: usize) -> usize {
    1 + text.as_bytes().iter().take(at).filter(|&&b| b == b'\n').count()
}

/// Reads a text file of at most `max` bytes.
pub(super) fn read_text(file: &Path, max: usize) -> io::Result<String> {
    let mut text = String::new();
    File::open(file)?.take(max as u64 + 1).read_to_string(&mut text)?;
    if text.len() > max {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("larger than {max} bytes")));
    }
    Ok(text)
}
