//! Rules about the source itself, which neither the compiler nor the linter knows. Every rule is a
//! pure function over a path and a text, and is shown here to catch a bad sample.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
#![allow(missing_docs, unreachable_pub, reason = "nobody reads a test from outside")]

mod documents;
mod source;

use std::path::{Path, PathBuf};

/// One place that breaks a rule, and what to do.
pub type Fault = String;

/// A file of the repository, by its path from the top.
pub struct Source {
    pub path: String,
    pub text: String,
}

impl Source {
    pub fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    /// The text without comments and without what stands behind `#[cfg(test)]`, line by line with
    /// the line's number. Our test modules stand last in their file.
    pub fn code_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text
            .lines()
            .enumerate()
            .take_while(|(_, line)| line.trim() != "#[cfg(test)]")
            .map(|(index, line)| (index + 1, line.split("//").next().unwrap_or_default()))
            .filter(|(_, line)| !line.trim().is_empty())
    }

    pub fn is_test(&self) -> bool {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        self.path.starts_with("tests/")
            || self.path.contains("/tests/")
            || self.path.contains("benches/")
            || self.path.contains("examples/")
            || name == "tests.rs"
            || name.ends_with("_tests.rs")
    }
}

/// The top of the repository.
pub fn top() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// What is built or fetched rather than written.
const NOT_OURS: [&str; 5] = ["target", ".git", "node_modules", "__pycache__", "corpus"];

/// Every file below a folder whose name ends in one of these.
pub fn files(folder: &str, endings: &[&str]) -> Vec<Source> {
    let mut found = Vec::new();
    walk(&top().join(folder), endings, &mut found);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn walk(folder: &Path, endings: &[&str], found: &mut Vec<Source>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if !NOT_OURS.contains(&name.as_str()) {
                walk(&path, endings, found);
            }
        } else if endings.iter().any(|ending| name.ends_with(ending)) {
            // What is not text (a picture, a font) has no lines to judge.
            let Ok(text) = String::from_utf8(std::fs::read(&path).unwrap()) else { continue };
            let path = path.strip_prefix(top()).unwrap().to_string_lossy().into_owned();
            found.push(Source { path, text });
        }
    }
}

/// Fails with every fault at once. `looked_at` guards against a rule that looks at nothing.
pub fn expect_none(looked_at: usize, faults: Vec<Fault>) {
    assert!(looked_at > 0, "this rule found nothing to look at: did a folder move?");
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}
