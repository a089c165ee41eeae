//! The catalogue and those who speak from it: no sentence is missing, none is left over.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files_below(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_below(&path, ending, found);
        } else if path.extension().is_some_and(|own| own == ending) {
            found.push(path);
        }
    }
}

fn keys(catalogue: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(root().join("look/messages/en").join(catalogue)).unwrap();
    let key = |line: &str| Some(line.split_once(" =")?.0.to_owned());
    text.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase())).filter_map(key).collect()
}

/// Everything between double quotes that could be a key.
fn words_in_quotes(text: &str) -> BTreeSet<String> {
    let is_key = |word: &&str| {
        !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    text.split('"').filter(is_key).map(str::to_owned).collect()
}

/// The key in each `say("…`, `with("…` and `say_with("…`.
fn keys_said(text: &str) -> BTreeSet<String> {
    ["say(\"", "with(\"", "say_with(\""]
        .iter()
        .flat_map(|call| text.split(call).skip(1))
        .map(|rest| rest.split('"').next().unwrap_or_default().to_owned())
        .collect()
}

fn source() -> String {
    let mut files = vec![];
    files_below(&root().join("src/web"), "rs", &mut files);
    files_below(&root().join("templates"), "html", &mut files);
    assert!(files.len() > 20);
    files.iter().map(|file| fs::read_to_string(file).unwrap()).collect()
}

#[test]
fn every_key_that_is_said_is_in_the_catalogue() {
    let mut known = keys("common.ftl");
    known.extend(keys("device.ftl"));
    known.extend(keys("problem.ftl"));
    let said: BTreeSet<String> = keys_said(&source())
        .into_iter()
        .filter(|key| key.bytes().all(|b| b.is_ascii_lowercase() || b == b'-' || b.is_ascii_digit()))
        .collect();
    assert!(said.len() > 100, "{}", said.len());
    let missing: Vec<_> = said.difference(&known).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_key_of_the_recorder_is_used() {
    let used = words_in_quotes(&source());
    let unused: Vec<_> = keys("device.ftl").into_iter().filter(|key| !used.contains(key)).collect();
    assert!(unused.is_empty(), "{unused:?}");
}

#[test]
fn every_refusal_has_its_words_and_no_words_are_left_over() {
    let text = fs::read_to_string(root().join("src/web/problem.rs")).unwrap();
    let named = text.split("fn name_and_status").nth(1).unwrap().split("\n}\n").next().unwrap();
    let mut expected = BTreeSet::new();
    for name in words_in_quotes(named) {
        expected.insert(format!("problem-{name}"));
        expected.insert(format!("problem-{name}-title"));
    }
    assert!(expected.len() > 60);
    assert_eq!(keys("problem.ftl"), expected);
}
