//! Rules that decay unless something checks them: layers, boundaries between crates, file sizes, words, and documents
//! that say what is.
//!
//! The table of layers stands once, in `docs/ARCHITECTURE.md`; this file reads it from there.
#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use ingest_delivery::invariant::Invariant;
use ingest_model::outcome::{HoldCause, Rejection, RetryCause, SkipReason};

const ARCHITECTURE: &str = include_str!("../../docs/ARCHITECTURE.md");
const OPERATIONS: &str = include_str!("../../docs/operations.md");

/// The most lines a file of ours has.
const MAX_LINES: usize = 500;

/// Where a `file::item` of the documents may begin.
const BASES: [&str; 4] = ["", "pipeline/", "pipeline/core/src/", "pipeline/worker/"];

/// What the core has nothing to do with.
const OUTSIDE: [&str; 6] = [
    "std::fs",
    "std::net",
    "std::thread",
    "std::process",
    "std::env",
    "SystemTime",
];

/// Words that stand nowhere in what the project says of itself, and what to say instead. In halves, so that this file
/// does not find itself.
const NEVER: [(&str, &str, &str); 7] = [
    ("DL", "Q", "dead letter, dead-letter topic"),
    ("dl", "q", "dead letter, dead-letter topic"),
    ("TO", "DO", "do it, or write it down in docs/adr/gaps.md"),
    ("FIX", "ME", "do it, or write it down in docs/adr/gaps.md"),
    ("K", "§", "the section of docs/kustomer-api.md, in words"),
    ("IN", "§", "the rule itself"),
    ("/wo", "rk/", "a path within the repository"),
];

// --- the layers of core ---

struct Row {
    layer: usize,
    part: String,
    modules: Vec<String>,
}

#[test]
fn the_layers_of_core_are_as_documented() {
    let rows = rows();
    let listed: Vec<&String> = rows.iter().flat_map(|row| &row.modules).collect();
    let unique: BTreeSet<&String> = listed.iter().copied().collect();
    assert_eq!(listed.len(), unique.len(), "a module stands twice");
    let uses = uses_in_core();
    let exist: BTreeSet<&String> = uses.keys().collect();
    assert_eq!(unique, exist, "docs/ARCHITECTURE.md against core");
    let mut wrong = Vec::new();
    for (module, used) in &uses {
        for (other, place) in used {
            if let Err(why) = may_use(&rows, module, other) {
                wrong.push(format!("{place}: {module} uses {other}: {why}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_wrong_direction_is_noticed() {
    let rows = rows();
    assert!(may_use(&rows, "machine", "lane").is_ok());
    assert!(may_use(&rows, "mapping", "route").is_ok(), "one row");
    assert!(may_use(&rows, "lane", "machine").is_err(), "a higher layer");
    assert!(
        may_use(&rows, "quota", "job").is_err(),
        "the same layer, another row"
    );
    assert!(
        may_use(&rows, "machine", "decode").is_err(),
        "the other side of the seam"
    );
    assert!(may_use(&rows, "machine", "nowhere").is_err());
    let found = named_modules(
        "use crate::lane::{Lanes, LaneId};\n// crate::machine\nlet x = crate::pack::MAX;",
    );
    assert_eq!(found, ["lane", "pack"]);
    assert_eq!(
        named_modules("use crate::{\n    lane::Lanes,\n    pack::{A, B},\n};"),
        ["lane", "pack"]
    );
}

fn may_use(rows: &[Row], module: &str, other: &str) -> Result<(), String> {
    let row = |name: &str| {
        rows.iter()
            .find(|row| row.modules.iter().any(|m| m == name))
            .ok_or_else(|| format!("{name} is not in the table"))
    };
    let (from, to) = (row(module)?, row(other)?);
    if std::ptr::eq(from, to) {
        return Ok(());
    }
    if to.layer >= from.layer {
        return Err(format!("layer {} from layer {}", to.layer, from.layer));
    }
    let seen: &[&str] = match from.part.as_str() {
        "words" => &["words"],
        "path" => &["words", "path"],
        "seam" => &["words", "seam"],
        "delivery" => &["words", "seam", "delivery"],
        part => return Err(format!("no such part: {part}")),
    };
    if seen.contains(&to.part.as_str()) {
        Ok(())
    } else {
        Err(format!("{} does not see {}", from.part, to.part))
    }
}

/// The rows of the table under "The layers of core".
fn rows() -> Vec<Row> {
    let section = ARCHITECTURE
        .split("## The layers of core")
        .nth(1)
        .expect("the section");
    let section = section.split("\n## ").next().unwrap_or_default();
    let rows: Vec<Row> = section
        .lines()
        .filter_map(|line| {
            let cells: Vec<&str> = line.strip_prefix('|')?.split('|').map(str::trim).collect();
            let layer = cells.first()?.parse().ok()?;
            let modules = backticked(cells.get(2)?).map(str::to_owned).collect();
            Some(Row {
                layer,
                part: (*cells.get(1)?).to_owned(),
                modules,
            })
        })
        .collect();
    assert!(rows.len() > 20, "the table was not found");
    rows
}

/// For each module of core, the modules it names, and where it names each first.
fn uses_in_core() -> BTreeMap<String, BTreeMap<String, String>> {
    let src = root().join("pipeline/core/src");
    let mut uses: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for file in files(&src, "rs") {
        let inside = file.strip_prefix(&src).expect("below src");
        let first = inside
            .iter()
            .next()
            .and_then(|part| part.to_str())
            .expect("a name");
        let module = first.trim_end_matches(".rs");
        if module == "lib" {
            continue;
        }
        let used = uses.entry(module.to_owned()).or_default();
        for other in named_modules(&read(&file)) {
            if other != module {
                used.entry(other)
                    .or_insert_with(|| inside.display().to_string());
            }
        }
    }
    uses
}

/// Every module that follows `crate::` outside of comments.
fn named_modules(text: &str) -> Vec<String> {
    let code: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect();
    let code = code.join("\n");
    let word = |text: &str| -> String {
        text.chars()
            .take_while(|c| c.is_ascii_lowercase() || *c == '_')
            .collect()
    };
    let mut found = Vec::new();
    for after in code.split("crate::").skip(1) {
        let Some(group) = after.strip_prefix('{') else {
            found.push(word(after));
            continue;
        };
        let mut depth = 0_usize;
        let mut begins = true;
        for (at, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => begins = true,
                c if begins && !c.is_whitespace() => {
                    begins = false;
                    found.push(word(group.get(at..).unwrap_or_default()));
                }
                _ => {}
            }
        }
    }
    found.retain(|name| !name.is_empty());
    found
}

// --- boundaries between crates ---

#[test]
fn crates_name_only_what_they_may() {
    let members = "ingest-core ingest-kafka ingest-kustomer kustomer-ingest";
    for (manifest, section, banned) in [
        (
            "pipeline/core",
            "",
            "tokio rdkafka reqwest prometheus tracing ingest-kafka ingest-kustomer kustomer-sim",
        ),
        ("pipeline/simulator", "", members),
        (
            "pipeline/kafka",
            "",
            "reqwest prometheus ingest-kustomer kustomer-sim",
        ),
        (
            "pipeline/kustomer",
            "",
            "rdkafka prometheus ingest-kafka kustomer-sim",
        ),
        (
            "pipeline/simulator",
            "dependencies",
            "rdkafka reqwest prometheus",
        ),
        (".", "dependencies", "rdkafka reqwest"),
    ] {
        let names = dependencies(&read(&root().join(manifest).join("Cargo.toml")), section);
        assert!(!names.is_empty(), "{manifest} names nothing");
        for name in banned.split(' ') {
            assert!(!names.contains(name), "{manifest}/Cargo.toml names {name}");
        }
    }
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
fn the_core_touches_nothing_outside() {
    for file in files(&root().join("pipeline/core/src"), "rs") {
        let text = read(&file);
        for outside in OUTSIDE {
            assert!(!text.contains(outside), "{} has {outside}", file.display());
        }
    }
}

/// The names in the dependency sections of a manifest; of one section, if it is named.
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
    looked_at.extend(["README.md", "CHANGELOG.md"].map(|name| root().join(name)));
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
    documents
}

fn has_item(path: &str, item: &str) -> bool {
    let kinds = ["fn", "struct", "enum", "const", "trait", "mod", "type"];
    BASES
        .iter()
        .map(|base| root().join(base).join(path))
        .filter(|file| file.is_file())
        .any(|file| {
            let text = read(&file);
            kinds.iter().any(|kind| {
                text.split(&format!("{kind} {item}"))
                    .skip(1)
                    .any(|after| !after.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
            })
        })
}

// --- reading ---

fn backticked(text: &str) -> impl Iterator<Item = &str> {
    // Odd pieces stand between two backticks of one line; a fence counts as a line of its own.
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

/// Every file below a folder with that ending, in order. A folder that is not there has none.
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
