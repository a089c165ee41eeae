//! Rules about documents, and about documents and sources together.

use super::{Fault, Source, expect_none, files, top};
use sha2::{Digest, Sha256};

/// What the format is made of: the constants of the protocol crate, and the committed vectors.
fn format_fingerprint(sources: &[Source], vectors: &[Source]) -> String {
    let mut hash = Sha256::new();
    for source in sources {
        for (_, line) in source.code_lines() {
            let line = line.trim();
            let constant = line.trim_start_matches("pub ").trim_start_matches("pub(crate) ");
            if constant.starts_with("const ") && constant.contains(" = ") {
                hash.update(constant.as_bytes());
                hash.update(b"\n");
            }
        }
    }
    for vector in vectors {
        hash.update(vector.text.as_bytes());
    }
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Whoever changes the format must look at its document: it holds the fingerprint of the format
/// that it was written for.
#[test]
fn the_protocol_document_is_of_this_format() {
    let vectors = files("protocol/vectors", &[".json"]);
    assert!(!vectors.is_empty(), "protocol/vectors is empty");
    let now = format_fingerprint(&files("protocol/src", &[".rs"]), &vectors);
    let document = std::fs::read_to_string(top().join("docs/PROTOCOL.md")).unwrap();
    assert!(
        document.contains(&format!("format: {now}")),
        "the format's constants or vectors changed since docs/PROTOCOL.md was last read against them.\n\
         Bring it up to date, then let it end with the line\n\n    <!-- format: {now} -->\n"
    );
}

#[test]
fn a_changed_constant_or_vector_changes_the_fingerprint() {
    let source = |text: &str| [Source::new("protocol/src/x.rs", text)];
    let vector = |text: &str| [Source::new("protocol/vectors/x.json", text)];
    let before = format_fingerprint(&source("pub const VERSION: u8 = 1;"), &vector("{}"));
    assert_ne!(before, format_fingerprint(&source("pub const VERSION: u8 = 2;"), &vector("{}")));
    assert_ne!(before, format_fingerprint(&source("pub const VERSION: u8 = 1;"), &vector("[]")));
    assert_eq!(
        before,
        format_fingerprint(&source("/// One.\nconst VERSION: u8 = 1;\nfn f() {}"), &vector("{}"))
    );
}

fn numbering(names: &[String]) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let wanted = format!("{:04}-", index + 1);
        if !name.starts_with(&wanted) {
            faults
                .push(format!("docs/decisions/{name}: the next number is {}", wanted.trim_end_matches('-')));
        }
    }
    faults
}

#[test]
fn decisions_are_numbered_without_gaps_and_listed() {
    let decisions = files("docs/decisions", &[".md"]);
    let names: Vec<String> = decisions
        .iter()
        .map(|source| source.path.rsplit('/').next().unwrap_or_default().to_owned())
        .filter(|name| name != "README.md")
        .collect();
    let index = std::fs::read_to_string(top().join("docs/decisions/README.md")).unwrap();
    let mut faults = numbering(&names);
    faults.extend(
        names
            .iter()
            .filter(|name| !index.contains(*name))
            .map(|name| format!("docs/decisions/README.md: lacks {name}")),
    );
    expect_none(names.len(), faults);
}

#[test]
fn a_gap_in_the_numbers_is_caught() {
    let names = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert!(numbering(&names(&["0001-a.md", "0002-b.md"])).is_empty());
    assert_eq!(numbering(&names(&["0001-a.md", "0003-b.md"])).len(), 1);
    assert_eq!(numbering(&names(&["0001-a.md", "0001-b.md"])).len(), 1);
}

/// Whether every relative link of a document leads to a file.
fn dead_links(source: &Source, exists: impl Fn(&str) -> bool) -> Vec<Fault> {
    let folder = source.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut faults = Vec::new();
    for link in source.text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next()) {
        if link.is_empty() || link.contains("://") || link.starts_with("mailto:") {
            continue;
        }
        let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
        for part in link.split('/') {
            match part {
                "." | "" => {}
                ".." => _ = parts.pop(),
                part => parts.push(part),
            }
        }
        if !exists(&parts.join("/")) {
            faults.push(format!("{}: the link to {link} leads nowhere", source.path));
        }
    }
    faults
}

#[test]
fn links_lead_somewhere() {
    let documents = files("", &[".md"]);
    let exists = |path: &str| top().join(path).exists();
    expect_none(
        documents.len(),
        documents.iter().flat_map(|document| dead_links(document, exists)).collect(),
    );
}

#[test]
fn a_dead_link_is_caught() {
    let document = Source::new("docs/a.md", "[b](b.md#part) [c](../c.md) [d](https://d.example/) [e](e.md)");
    let exists = |path: &str| path == "docs/b.md" || path == "c.md";
    assert_eq!(dead_links(&document, exists).len(), 1);
}

/// What says that a text is unfinished, or was written for one machine only.
const PRIVATE_PLACES: [&str; 3] = ["/home/", "/root/", "/work/"];
const UNFINISHED: [&str; 4] = ["TODO", "FIXME", "XXX", "HACK"];

fn not_for_others(source: &Source) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (index, line) in source.text.lines().enumerate() {
        let word = |c: char| c.is_alphanumeric() || c == '_';
        let whole = |text: &str| {
            line.match_indices(text)
                .any(|(at, _)| !line[..at].ends_with(word) && !line[at + text.len()..].starts_with(word))
        };
        for text in UNFINISHED.iter().filter(|text| whole(text)) {
            faults.push(format!("{}:{}: `{text}`: finish it, or take it out", source.path, index + 1));
        }
        for text in PRIVATE_PLACES.iter().filter(|text| line.contains(*text)) {
            faults.push(format!("{}:{}: `{text}` is a place on one machine only", source.path, index + 1));
        }
        let lower = line.to_lowercase();
        let cites = ["issue #", "issue no"].iter().any(|text| lower.contains(text))
            || lower.split("issue ").skip(1).any(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        if cites {
            faults.push(format!(
                "{}:{}: say the reason itself in place of an issue's number",
                source.path,
                index + 1
            ));
        }
    }
    faults
}

#[test]
fn everything_is_finished_and_for_everyone() {
    let endings = [".rs", ".py", ".sh", ".md", ".toml", ".ftl", ".html", ".css", ".js"];
    let mut sources = files("", &endings);
    sources.extend(files("scripts", &[""]));
    sources.retain(|source| source.path != "tests/tidy/documents.rs");
    expect_none(sources.len(), sources.iter().flat_map(not_for_others).collect());
}

#[test]
fn an_unfinished_or_private_text_is_caught() {
    let bad = Source::new("a.md", "TODO: more\nsee /home/me/notes\nas issue 12 says\n");
    assert_eq!(not_for_others(&bad).len(), 3);
    assert!(not_for_others(&Source::new("a.md", "a TODOS list, issued 12 times\n")).is_empty());
}
