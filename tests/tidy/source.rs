//! Rules about Rust, Python, shell and page sources.

use super::{Fault, Source, expect_none, files, top};

/// The longest source file, in lines.
const FILE_LINES_MAX: usize = 500;
/// The longest `src/main.rs`, in lines.
const MAIN_LINES_MAX: usize = 80;

/// What the heart must not know of.
const NOT_IN_THE_HEART: [&str; 12] = [
    "tokio",
    "hyper",
    "serde_json",
    "std::fs",
    "std::net",
    "std::env",
    "std::io",
    "std::process",
    "std::thread",
    "std::time",
    "nix",
    "getrandom",
];

fn heart_knows_outside(source: &Source) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (number, line) in source.code_lines() {
        for word in NOT_IN_THE_HEART.iter().filter(|word| names(line, word)) {
            faults.push(format!(
                "{}:{number}: the heart names `{word}`: hand in what it needs, or make it an effect",
                source.path
            ));
        }
    }
    faults
}

/// Whether a line of code has a path as whole words, `unix` not being `nix`.
fn names(line: &str, path: &str) -> bool {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(path)
        .any(|(at, _)| !line[..at].ends_with(word) && !line[at + path.len()..].starts_with(word))
}

#[test]
fn the_heart_knows_nothing_of_the_outside() {
    let sources = files("src/recovery", &[".rs"]);
    expect_none(sources.len(), sources.iter().flat_map(heart_knows_outside).collect());
}

#[test]
fn a_heart_that_knows_the_outside_is_caught() {
    let bad =
        Source::new("src/recovery/x.rs", "// no tokio here\nuse std::fs::File;\nnix::unistd::sync();\n");
    assert_eq!(heart_knows_outside(&bad).len(), 2);
    let good = Source::new("src/recovery/x.rs", "/// like tokio\nlet unix = hyperbole;\n");
    assert!(heart_knows_outside(&good).is_empty());
}

/// Which modules of the daemon a module may name besides itself. `app` and `main` wire them all.
const MAY_NAME: [(&str, &[&str]); 12] = [
    ("recovery", &[]),
    ("board", &[]),
    ("certificate", &[]),
    ("clock", &["recovery"]),
    ("config", &["recovery"]),
    ("hash", &["recovery"]),
    ("identity", &[]),
    ("log", &["clock"]),
    ("platform", &["recovery", "clock"]),
    ("qr", &[]),
    ("store", &["recovery"]),
    // The doors show how the platform link is.
    ("web", &["recovery", "platform"]),
];

fn module_of(path: &str) -> &str {
    let inside = path.strip_prefix("src/").unwrap_or(path);
    inside.split('/').next().unwrap_or(inside).trim_end_matches(".rs")
}

fn sideways(source: &Source) -> Vec<Fault> {
    let own = module_of(&source.path);
    if ["app", "main", "lib"].contains(&own) || source.is_test() {
        return Vec::new();
    }
    let Some((_, allowed)) = MAY_NAME.iter().find(|(module, _)| *module == own) else {
        return vec![format!(
            "{}: `{own}` is a new module: say in tests/tidy/source.rs which ones it may name",
            source.path
        )];
    };
    let code: String = source.code_lines().map(|(_, line)| line).collect();
    let mut named = modules_named(&code);
    named.sort_unstable();
    named.dedup();
    let known = |module: &str| module == "app" || MAY_NAME.iter().any(|(m, _)| *m == module);
    named
        .into_iter()
        .filter(|module| known(module) && *module != own && !allowed.contains(module))
        .map(|module| format!("{}: `{own}` names `{module}`: siblings meet in `app` only", source.path))
        .collect()
}

/// The first part of every path that starts with `crate::`, in groups too.
fn modules_named(code: &str) -> Vec<&str> {
    let mut named = Vec::new();
    for rest in code.split("crate::").skip(1) {
        let Some(group) = rest.strip_prefix('{') else {
            named.push(first_word(rest));
            continue;
        };
        let (mut depth, mut start) = (0, 0);
        for (at, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                ',' | '}' if depth == 0 => {
                    named.push(first_word(&group[start..at]));
                    start = at + 1;
                    if c == '}' {
                        break;
                    }
                }
                '}' => depth -= 1,
                _ => {}
            }
        }
    }
    named
}

fn first_word(text: &str) -> &str {
    let text = text.trim_start();
    text.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default()
}

#[test]
fn dependencies_point_one_way() {
    let sources = files("src", &[".rs"]);
    expect_none(sources.len(), sources.iter().flat_map(sideways).collect());
}

#[test]
fn a_sideways_dependency_is_caught() {
    let bad = "use crate::store::Store;\nuse crate::{\n    recovery::{Reply, Refusal},\n    qr,\n};\n";
    let bad = Source::new("src/web/x.rs", bad);
    assert_eq!(sideways(&bad).len(), 2);
    assert_eq!(sideways(&Source::new("src/recovery/x.rs", "use crate::app::App;")).len(), 1);
    assert_eq!(sideways(&Source::new("src/newcomer.rs", "")).len(), 1);
    assert!(sideways(&Source::new("src/web/x.rs", "use crate::{recovery::Reply, web::Heart};")).is_empty());
}

fn exception_without_reason(source: &Source) -> Vec<Fault> {
    let lines: Vec<_> = source.code_lines().collect();
    let mut faults = Vec::new();
    for (index, (number, line)) in lines.iter().enumerate() {
        let opens = ["#[allow(", "#![allow(", "#[expect(", "#![expect("];
        if opens.iter().any(|open| line.trim_start().starts_with(open)) {
            let mut attribute = String::new();
            for (_, line) in &lines[index..] {
                attribute.push_str(line);
                if line.trim_end().ends_with(")]") {
                    break;
                }
            }
            if !attribute.contains("reason") {
                faults.push(format!("{}:{number}: an exception from a lint without a reason", source.path));
            }
        }
        if line.contains(".unwrap()") {
            faults.push(format!(
                "{}:{number}: `unwrap` outside tests: give the error to the caller",
                source.path
            ));
        }
    }
    faults
}

#[test]
fn exceptions_have_reasons_and_nothing_unwraps() {
    let folders = ["src", "protocol/src", "look/src", "cloud/src"];
    let sources: Vec<_> = folders
        .iter()
        .flat_map(|folder| files(folder, &[".rs"]))
        .filter(|source| !source.is_test())
        .collect();
    expect_none(sources.len(), sources.iter().flat_map(exception_without_reason).collect());
}

#[test]
fn an_exception_without_a_reason_is_caught() {
    let bad = Source::new("src/x.rs", "#[allow(dead_code)]\nfn f() {}\nlet x = y.unwrap();\n");
    assert_eq!(exception_without_reason(&bad).len(), 2);
    let good = "#[expect(\n    dead_code,\n    reason = \"drawn later\"\n)]\nfn f() {}\n#[cfg(test)]\nmod t { y.unwrap() }";
    assert!(exception_without_reason(&Source::new("src/x.rs", good)).is_empty());
}

fn too_long(source: &Source, lines_max: usize) -> Option<Fault> {
    let lines = source.text.lines().count();
    (lines > lines_max).then(|| {
        format!("{}: {lines} lines, at most {lines_max}: split it where a reader would", source.path)
    })
}

#[test]
fn files_are_short() {
    let mut sources = files("", &[".rs", ".py", ".sh", ".html", ".css", ".js"]);
    sources.extend(programs());
    let mut faults: Vec<_> = sources.iter().filter_map(|source| too_long(source, FILE_LINES_MAX)).collect();
    let mains = files("src", &["main.rs"]);
    faults.extend(mains.iter().filter_map(|source| too_long(source, MAIN_LINES_MAX)));
    expect_none(sources.len().min(mains.len()), faults);
}

#[test]
fn a_long_file_is_caught() {
    let long = Source::new("src/x.rs", &"//\n".repeat(FILE_LINES_MAX + 1));
    assert!(too_long(&long, FILE_LINES_MAX).is_some());
    assert!(too_long(&Source::new("src/x.rs", "//\n"), FILE_LINES_MAX).is_none());
}

/// Programs without an ending in their name.
fn programs() -> Vec<Source> {
    let mut programs = files("scripts", &[""]);
    programs.extend(files(".ci", &[""]));
    programs.retain(|source| source.text.starts_with("#!"));
    programs
}

fn careless_shell(source: &Source) -> Option<Fault> {
    let first = source.text.lines().next().unwrap_or_default();
    (first.contains("bash") && !source.text.contains("\nset -euo pipefail\n"))
        .then(|| format!("{}: a shell program begins with `set -euo pipefail`", source.path))
}

#[test]
fn shell_programs_stop_at_the_first_failure() {
    let sources = programs();
    expect_none(sources.len(), sources.iter().filter_map(careless_shell).collect());
}

#[test]
fn a_careless_shell_program_is_caught() {
    assert!(careless_shell(&Source::new("scripts/x", "#!/usr/bin/env bash\nls\n")).is_some());
    assert!(
        careless_shell(&Source::new("scripts/x", "#!/usr/bin/env bash\nset -euo pipefail\nls\n")).is_none()
    );
}

/// The map names every module, and no module that is gone.
#[test]
fn the_architecture_map_is_whole() {
    let map = std::fs::read_to_string(top().join("docs/ARCHITECTURE.md")).unwrap();
    let mut faults = Vec::new();
    for entry in std::fs::read_dir(top().join("src")).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().to_string_lossy().into_owned();
        let shown = if entry.path().is_dir() { format!("{name}/") } else { name };
        let listed = shown != "lib.rs" && !shown.ends_with("tests.rs");
        if listed && !map.contains(&format!("  {shown} ")) {
            faults.push(format!("docs/ARCHITECTURE.md does not name src/{shown}"));
        }
    }
    expect_none(map.len(), faults);
}
