//! Rules that decay unless something checks them: boundaries between crates, file sizes, words, and true documents.
#![cfg(test)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ingest_delivery::invariant::Invariant;
use ingest_model::outcome::{HoldCause, Rejection, RetryCause, SkipReason};

const ARCHITECTURE: &str = include_str!("../../docs/ARCHITECTURE.md");
const OPERATIONS: &str = include_str!("../../docs/operations.md");

/// The most lines in a file of ours.
const MAX_LINES: usize = 500;

/// Where the path in a document's `file::item` may start.
const BASES: [&str; 6] = [
    "",
    "pipeline/",
    "pipeline/delivery/src/",
    "pipeline/mapping/src/",
    "pipeline/model/src/",
    "pipeline/worker/",
];

/// Our crates, each with those of our crates that it may name.
const OURS: [(&str, &str); 10] = [
    ("pipeline/model", ""),
    ("pipeline/encoding", "ingest-model"),
    ("pipeline/mapping", "ingest-model"),
    ("pipeline/delivery", "ingest-model"),
    ("pipeline/kafka", "ingest-model"),
    ("pipeline/kustomer", "ingest-model"),
    ("pipeline/registry", "ingest-model ingest-encoding"),
    ("pipeline/tokens", ""),
    ("pipeline/traces", ""),
    ("pipeline/simulator", ""),
];

/// Crates that only decide.
const PURE: [&str; 4] = [
    "pipeline/model",
    "pipeline/encoding",
    "pipeline/mapping",
    "pipeline/delivery",
];

/// Dependencies, each with the only crate below `pipeline/` that may name it for any purpose.
const ALONE: [(&str, &str); 7] = [
    ("prost", "pipeline/traces"),
    ("prost-reflect", "pipeline/encoding"),
    ("protox", "pipeline/encoding"),
    ("regex-automata", "pipeline/mapping"),
    ("serde-saphyr", "pipeline/mapping"),
    ("governor", "pipeline/delivery"),
    ("rdkafka", "pipeline/kafka"),
];

/// What the pure crates must not touch. They may ask whether the thread is panicking.
const OUTSIDE: [&str; 8] = [
    "std::fs",
    "std::net",
    "std::thread::spawn",
    "std::thread::sleep",
    "std::thread::Builder",
    "std::process",
    "std::env",
    "SystemTime",
];

/// Words that are never used in the project's texts, and what to say instead. Split in halves, so that this file does not
/// find itself.
const NEVER: [(&str, &str, &str); 7] = [
    ("DL", "Q", "dead letter, dead-letter topic"),
    ("dl", "q", "dead letter, dead-letter topic"),
    ("TO", "DO", "do it, or write it down in docs/adr/gaps.md"),
    ("FIX", "ME", "do it, or write it down in docs/adr/gaps.md"),
    ("K", "§", "the section of docs/kustomer-api.md, in words"),
    ("IN", "§", "the rule itself"),
    ("/wo", "rk/", "a path within the repository"),
];

// --- boundaries between crates ---

#[test]
fn crates_name_only_what_they_may() {
    for (folder, ours) in OURS {
        let wrong = others_of_ours(&manifest(folder), ours);
        assert!(wrong.is_empty(), "{folder}/Cargo.toml names {wrong:?}");
    }
    for folder in PURE {
        let wrong = named_of(
            &manifest(folder),
            "",
            "tokio rdkafka reqwest prometheus tracing",
        );
        assert!(wrong.is_empty(), "{folder}/Cargo.toml names {wrong:?}");
    }
    for (name, owner) in ALONE {
        for (folder, _) in OURS {
            let named = !named_of(&manifest(folder), "", name).is_empty();
            assert_eq!(named, folder == owner, "{folder}/Cargo.toml and {name}");
        }
    }
    for (folder, section, banned) in [
        ("pipeline/kafka", "", "reqwest prometheus"),
        ("pipeline/kustomer", "", "prometheus"),
        ("pipeline/registry", "", "rdkafka prometheus"),
        ("pipeline/tokens", "", "rdkafka prometheus"),
        ("pipeline/traces", "", "rdkafka prometheus"),
        ("pipeline/simulator", "dependencies", "reqwest prometheus"),
        (".", "dependencies", "rdkafka reqwest governor"),
    ] {
        let wrong = named_of(&manifest(folder), section, banned);
        assert!(wrong.is_empty(), "{folder}/Cargo.toml names {wrong:?}");
    }
}

fn manifest(folder: &str) -> String {
    read(&root().join(folder).join("Cargo.toml"))
}

/// Our crates that a manifest names although it may not.
fn others_of_ours(manifest: &str, may: &str) -> Vec<String> {
    let mut named = dependencies(manifest, "");
    let ours = |name: &String| name.starts_with("ingest-") || name.starts_with("kustomer-");
    named.retain(|name| ours(name) && !may.split(' ').any(|one| one == name));
    named.into_iter().collect()
}

/// Which of these names a manifest has, in one section or in all.
fn named_of<'n>(manifest: &str, section: &str, names: &'n str) -> Vec<&'n str> {
    let named = dependencies(manifest, section);
    assert!(!named.is_empty(), "nothing is named");
    let found = names.split(' ').filter(|name| named.contains(*name));
    found.collect()
}

#[test]
fn a_forbidden_dependency_is_noticed() {
    let manifest = "[package]\nname = \"tokio\"\n[dependencies]\nbytes.workspace = true\n[dev-dependencies]\n# tracing\n\
                    tokio = { workspace = true }\n[dependencies.reqwest]\nversion = \"1\"\n";
    let all = ["bytes", "reqwest", "tokio"].map(str::to_owned);
    assert_eq!(dependencies(manifest, ""), BTreeSet::from(all));
    let normal = ["bytes", "reqwest"].map(str::to_owned);
    assert_eq!(
        dependencies(manifest, "dependencies"),
        BTreeSet::from(normal)
    );
    assert_eq!(named_of(manifest, "", "axum reqwest"), ["reqwest"]);
    assert!(named_of(manifest, "dependencies", "axum tokio").is_empty());
    let sees_two = "[dependencies]\ningest-model.workspace = true\ningest-kafka = { path = \"../kafka\" }\n\
                    [dev-dependencies.kustomer-sim]\nworkspace = true\n";
    let wrong = others_of_ours(sees_two, "ingest-model");
    assert_eq!(wrong, ["ingest-kafka", "kustomer-sim"]);
}

#[test]
fn one_module_knows_the_metrics_crate_and_one_the_command_line() {
    let worker = root().join("pipeline/worker");
    for (owner, name) in [("observe/metrics", "prometheus::"), ("cli", "clap::")] {
        for file in files(&worker, "rs") {
            let knows = read(&file).contains(name);
            let may = file.starts_with(worker.join(owner));
            assert!(may || !knows, "{} names {name}", file.display());
        }
    }
}

#[test]
fn the_pure_crates_touch_nothing_outside() {
    for folder in PURE {
        let sources = files(&root().join(folder).join("src"), "rs");
        assert!(sources.len() > 10, "{folder} was not read");
        for file in sources {
            let found = outside(&read(&file));
            assert!(found.is_empty(), "{} has {found:?}", file.display());
        }
    }
}

#[test]
fn what_touches_something_outside_is_noticed() {
    let text = "let begun = std::time::SystemTime::now();\nstd::thread::sleep(nap);\n";
    assert_eq!(outside(text), ["std::thread::sleep", "SystemTime"]);
    assert!(outside("assert!(std::thread::panicking());\n").is_empty());
}

fn outside(text: &str) -> Vec<&'static str> {
    let found = OUTSIDE.into_iter().filter(|one| text.contains(one));
    found.collect()
}

/// The names in the dependency sections of a manifest, or in one section if given.
fn dependencies(manifest: &str, only: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut inside = false;
    for line in manifest.lines().map(str::trim) {
        if let Some(header) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            let (kind, name) = header.split_once('.').unwrap_or((header, ""));
            inside = kind.ends_with("dependencies") && (only.is_empty() || kind == only);
            if inside && !name.is_empty() {
                names.insert(name.to_owned());
                inside = false;
            }
        } else if inside && !line.starts_with('#') {
            let name = line.split(['.', '=', ' ']).next().unwrap_or_default();
            if !name.is_empty() {
                names.insert(name.to_owned());
            }
        }
    }
    names
}

// --- files and words ---

#[test]
fn no_source_file_is_too_long() {
    let long: Vec<String> = sources()
        .into_iter()
        .map(|file| (read(&file).lines().count(), file))
        .filter(|(lines, _)| *lines > MAX_LINES)
        .map(|(lines, file)| format!("{}: {lines} lines", file.display()))
        .collect();
    assert!(long.is_empty(), "over {MAX_LINES}:\n{}", long.join("\n"));
    assert!(ARCHITECTURE.lines().count() <= 400, "ARCHITECTURE.md");
}

#[test]
fn words_that_mean_something_else_are_not_used() {
    let mut looked_at = sources();
    looked_at.extend(files(&root().join("docs"), "md"));
    looked_at.extend(files(&root().join("schemas"), "yaml"));
    let tops = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md"];
    looked_at.extend(tops.map(|name| root().join(name)));
    let mut wrong = Vec::new();
    for file in looked_at {
        let text = read(&file);
        for (half, other, instead) in NEVER {
            let word = format!("{half}{other}");
            if let Some(line) = text.lines().position(|line| line.contains(&word)) {
                let place = file.display();
                wrong.push(format!("{place}:{}: {word}: {instead}", line + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

// --- documents ---

#[test]
fn the_runbook_has_every_label() {
    for cause in HoldCause::ALL {
        let heading = format!("### Hold: `{}`", cause.as_str());
        let found = OPERATIONS.lines().any(|line| line == heading);
        assert!(found, "no section {heading}");
    }
    let of = |heading: &str| -> BTreeSet<&str> {
        let section = OPERATIONS.split(heading).nth(1).expect("the section");
        let rows = section.split("\n## ").next().unwrap_or_default().lines();
        rows.filter_map(|row| row.strip_prefix("| `")?.split('`').next())
            .collect()
    };
    let rejections: BTreeSet<&str> = Rejection::ALL.iter().map(|one| one.as_str()).collect();
    let skips: BTreeSet<&str> = SkipReason::ALL.iter().map(|one| one.as_str()).collect();
    let retries: BTreeSet<&str> = RetryCause::ALL.iter().map(|one| one.as_str()).collect();
    assert_eq!(of("\n## Dead letters"), rejections);
    assert_eq!(of("\n## Skipped records"), skips);
    assert_eq!(of("\n## Retries"), retries);
}

#[test]
fn every_invariant_is_stated() {
    for invariant in Invariant::ALL {
        let row = format!("\n| {} | ", invariant.as_str());
        assert_eq!(ARCHITECTURE.matches(&row).count(), 1, "{row}");
    }
}

#[test]
fn documents_name_what_exists() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for file in documents() {
        let name = name_of(&file);
        for token in backticked(&read(&file)) {
            let tops = ["pipeline/", "tests/", "docs/", "schemas/"];
            let exists = match token.split_once(".rs::") {
                Some((path, item)) => has_item(&format!("{path}.rs"), item),
                None if tops.iter().any(|top| token.starts_with(top)) => {
                    root().join(token).exists()
                }
                None => continue,
            };
            seen += 1;
            if !exists {
                wrong.push(format!("{name}: {token}"));
            }
        }
    }
    assert!(seen > 100, "{seen} references: the documents were not read");
    assert!(wrong.is_empty(), "not there:\n{}", wrong.join("\n"));
    assert!(!has_item("machine/mod.rs", "no_such_function"));
    assert!(!has_item("machine/nowhere.rs", "step"));
    assert!(
        !has_item("lib.rs", "machine"),
        "two crates have such a file"
    );
}

#[test]
fn decisions_have_their_five_headings() {
    let headings = [
        "## Context",
        "## Decision",
        "## Consequences",
        "## What would make us change our mind",
        "## Deviations",
    ];
    let listed = read(&root().join("docs/adr/README.md"));
    let mut decisions = 0;
    for file in files(&root().join("docs/adr"), "md") {
        let name = name_of(&file);
        if !name.starts_with(|c: char| c.is_ascii_digit()) {
            continue;
        }
        decisions += 1;
        let text = read(&file);
        let found: Vec<&str> = text.lines().filter(|l| l.starts_with("## ")).collect();
        assert_eq!(found, headings, "{name}");
        assert!(listed.contains(&name), "{name} is not in the list");
    }
    assert!(decisions >= 9, "{decisions} decisions");
}

fn documents() -> Vec<PathBuf> {
    let mut documents = files(&root().join("docs/adr"), "md");
    let more = ["ARCHITECTURE", "operations", "reliability"];
    documents.extend(more.map(|name| root().join(format!("docs/{name}.md"))));
    documents.push(root().join("CONTRIBUTING.md"));
    documents
}

/// Whether the path refers to exactly one file, and that file has the item.
fn has_item(path: &str, item: &str) -> bool {
    let kinds = ["fn", "struct", "enum", "const", "trait", "mod", "type"];
    let places = BASES.iter().map(|base| root().join(base).join(path));
    let found: Vec<PathBuf> = places.filter(|file| file.is_file()).collect();
    let [file] = found.as_slice() else {
        return false;
    };
    let text = read(file);
    kinds.iter().any(|kind| {
        text.split(&format!("{kind} {item}"))
            .skip(1)
            .any(|after| !after.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
    })
}

// --- reading ---

fn backticked(text: &str) -> impl Iterator<Item = &str> {
    // Every second piece is between two backticks of one line; a fence counts as a line of its own.
    text.lines()
        .filter(|line| !line.starts_with("```"))
        .flat_map(|line| line.split('`').skip(1).step_by(2))
}

fn name_of(file: &Path) -> String {
    file.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn read(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn sources() -> Vec<PathBuf> {
    ["pipeline", "tests", "benches"]
        .iter()
        .flat_map(|top| files(&root().join(top), "rs"))
        .collect()
}

/// Every file below a folder with that ending, in order; none if there is no such folder.
pub(crate) fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() && path.file_name().is_none_or(|name| name != "target") {
            found.extend(files(&path, ending));
        } else if path
            .extension()
            .is_some_and(|extension| extension == ending)
        {
            found.push(path);
        }
    }
    found.sort();
    found
}
