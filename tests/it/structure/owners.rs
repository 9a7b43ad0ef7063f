//! The owners of delivery: who may refer to whom, what stays with its owner, and how much the machine between them
//! contains.

use std::collections::BTreeSet;

use super::circles::{Source, Use, uses};
use super::rust::{named, tokens, without_tests};
use super::{made_up, sources};
use crate::vocabulary::{read, root};

const DELIVERY: &str = "pipeline/delivery/src";

/// Folders that own state.
const OWNERS: [&str; 8] = [
    "customers",
    "health",
    "jobs",
    "memory",
    "objects",
    "partitions",
    "sending",
    "work",
];

/// Folders that every owner may use.
const COMMON: [&str; 2] = ["common", "seam"];

/// What stands between the owners.
const MACHINE: &str = "machine";

/// The most fields of the machine.
const FIELDS: usize = 12;

/// The most lines below `machine/`, not counting tests. The number shrinks when a decision finds its owner. It grows only when the
/// machine does something new: the price, digests, customers from objects, live before
/// backfill, counting what is left by kind of work, dropping what is parked for nobody once it is deleted, planned pauses,
/// holding topics whose position was lost, leaving people alone, telling for receipts what operations cost, telling which records a
/// request is about, beginning with what was found out beforehand, stepping once for records that come in together, leaving
/// out marks of what is not there, and letting identities wait for events are the last that it began.
const LINES: usize = 7_770;

// --- who may refer to whom ---

#[test]
fn owners_know_the_model_and_themselves() {
    let sources = delivery();
    let wrong = strangers(&sources);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let below: BTreeSet<&str> = sources
        .iter()
        .filter_map(|source| Some(source.file.split_once('/')?.0))
        .collect();
    let known: BTreeSet<&str> = OWNERS.into_iter().chain(COMMON).chain([MACHINE]).collect();
    assert_eq!(below, known, "the folders of {DELIVERY}");
    let page = read(&root().join("docs/ARCHITECTURE.md"));
    for owner in OWNERS {
        let rows = page.matches(&format!("\n| `{owner}/` | ")).count();
        assert_eq!(rows, 1, "docs/ARCHITECTURE.md: rows of {owner}/");
    }
}

#[test]
fn an_owner_that_knows_another_is_noticed() {
    let files = [
        (
            "work/mod.rs",
            "use crate::seam::port::Effect;\nuse super::partitions::Receipt;\n",
        ),
        (
            "work/lane.rs",
            "use super::Work;\nfn x(a: crate::jobs::Job) {}\n",
        ),
        ("partitions/mod.rs", "use crate::common::turn::Turn;\n"),
        ("jobs/mod.rs", "use ingest_model::batch::JobId;\n"),
        ("common/turn.rs", "use crate::partitions::Receipt;\n"),
        ("seam/mod.rs", "pub mod port;\n"),
        ("seam/port.rs", "use crate::partitions::Receipt;\n"),
        ("machine/mod.rs", "use crate::{jobs::Jobs, work::Work};\n"),
        ("shelf.rs", "use crate::seam::port::Effect;\n"),
    ];
    let told = [
        "common/turn.rs:1: crate::partitions::Receipt",
        "seam/port.rs:1: crate::partitions::Receipt",
        "shelf.rs:1: crate::seam::port::Effect",
        "work/lane.rs:2: crate::jobs::Job",
        "work/mod.rs:2: super::partitions::Receipt",
    ];
    assert_eq!(strangers(&made_up(&files)), told);
}

/// Every use of a module by one that may not know it.
fn strangers(sources: &[Source]) -> Vec<String> {
    let wrong = uses(sources)
        .into_iter()
        .filter(|one| !may_name(&one.from, &one.to));
    let mut told: Vec<String> = wrong
        .map(|Use { place, path, .. }| format!("{place}: {path}"))
        .collect();
    told.sort();
    told
}

fn may_name(from: &[String], to: &[String]) -> bool {
    let top = |module: &[String]| module.first().cloned().unwrap_or_default();
    let (user, used) = (top(from), top(to));
    let (user, used) = (user.as_str(), used.as_str());
    if user == used || user == MACHINE || user.is_empty() {
        return true;
    }
    let known = OWNERS.contains(&user) || COMMON.contains(&user);
    known && COMMON.contains(&used)
}

// --- what stays with its owner ---

#[test]
fn an_operations_place_is_known_to_work_alone() {
    let elsewhere = except(delivery(), &["work"]);
    assert_eq!(who_names(&elsewhere, "Stage"), [""; 0]);
}

#[test]
fn receipts_and_offsets_end_in_partitions_alone() {
    let elsewhere = except(delivery(), &["partitions"]);
    for text in [".settle(", "Receipt::new(", "Receipt {"] {
        assert_eq!(who_has(&elsewhere, text), [""; 0], "{text}");
    }
}

#[test]
fn nothing_in_delivery_names_a_hash_map_of_std() {
    for name in ["HashMap", "HashSet"] {
        assert_eq!(who_names(&delivery(), name), [""; 0], "{name}");
    }
}

#[test]
fn what_an_owner_keeps_to_itself_is_noticed_elsewhere() {
    let files = [
        ("work/stage.rs", "pub enum Stage {}\n"),
        ("work.rs", "use self::stage::Stage;\n"),
        (
            "machine/mod.rs",
            "use crate::work::{Entry, Stage as Place};\n",
        ),
        ("jobs/mod.rs", "fn x(at: work::Stage) {}\n// Stage\n"),
        ("health/mod.rs", "// Stage\nconst X: &str = \"Stage\";\n"),
        (
            "memory/mod.rs",
            "fn x() { ledger.settle(offset); Receipt { record }; }\n",
        ),
    ];
    let elsewhere = except(made_up(&files), &["work"]);
    let found = ["machine/mod.rs", "jobs/mod.rs"];
    assert_eq!(who_names(&elsewhere, "Stage"), found);
    assert_eq!(who_has(&elsewhere, ".settle("), ["memory/mod.rs"]);
    assert_eq!(who_has(&elsewhere, "Receipt {"), ["memory/mod.rs"]);
}

/// All sources except those of some modules of the first level.
fn except(sources: Vec<Source>, modules: &[&str]) -> Vec<Source> {
    let is_of = |source: &Source| {
        let top = source.file.split(['/', '.']).next().unwrap_or_default();
        modules.contains(&top)
    };
    let left = sources.into_iter().filter(|source| !is_of(source));
    left.collect()
}

/// Files whose code contains this word.
fn who_names(sources: &[Source], word: &str) -> Vec<String> {
    let has = |source: &&Source| {
        let (paths, words) = named(&without_tests(&tokens(&source.text)).0);
        let mut segments = paths.iter().flat_map(|one| &one.path);
        words.contains(word) || segments.any(|segment| segment == word)
    };
    let found = sources.iter().filter(has);
    found.map(|source| source.file.clone()).collect()
}

/// Files that contain this text.
fn who_has(sources: &[Source], text: &str) -> Vec<String> {
    let found = sources.iter().filter(|source| source.text.contains(text));
    found.map(|source| source.file.clone()).collect()
}

// --- what stands between the owners ---

#[test]
fn the_machine_does_not_grow() {
    let sources = delivery();
    let head = sources.iter().find(|one| one.file == "machine/mod.rs");
    let fields = fields(&head.expect("machine/mod.rs").text, "Machine");
    assert!(!fields.is_empty(), "the machine was not found");
    assert!(fields.len() <= FIELDS, "over {FIELDS}: {fields:?}");
    let lines = lines_below(&sources, MACHINE);
    assert!(lines > 1_000, "the machine was not read");
    assert!(lines <= LINES, "{lines} lines: over {LINES}");
}

#[test]
fn a_field_and_a_line_more_are_noticed() {
    let text = "/// All.\npub struct Kitchen {\n    /// Hot: mind it.\n    stove: Stove,\n    #[expect(dead_code)]\n    \
                pub(crate) sinks: Vec<Sink>,\n}\npub struct Other { x: u8 }\n";
    assert_eq!(fields(text, "Kitchen"), ["stove", "pub(crate) sinks"]);
    let files = [
        ("machine/mod.rs", "//! One.\nmod a;\n\nfn b() {}\n"),
        (
            "machine/a.rs",
            "fn c() {}\n\n#[cfg(test)]\nmod tests {\n    fn d() {}\n}\n",
        ),
        ("machine/a/tests.rs", "fn e() {}\n"),
        ("work/mod.rs", "fn f() {}\n"),
    ];
    assert_eq!(lines_below(&made_up(&files), MACHINE), 5);
}

/// The fields of a struct.
fn fields<'t>(text: &'t str, name: &str) -> Vec<&'t str> {
    let head = format!("struct {name} {{\n");
    let body = text.split(head.as_str()).nth(1).unwrap_or_default();
    let body = body.split("\n}").next().unwrap_or_default();
    body.lines()
        .map(str::trim)
        .filter(|line| !line.starts_with("//") && !line.starts_with('#'))
        .filter_map(|line| Some(line.split_once(": ")?.0))
        .collect()
}

/// Lines below a folder, without tests.
fn lines_below(sources: &[Source], folder: &str) -> usize {
    let is_there = |source: &&Source| {
        let of_tests = source.file.ends_with("/tests.rs") || source.file.contains("/tests/");
        source.file.starts_with(&format!("{folder}/")) && !of_tests
    };
    let count = |source: &Source| {
        let tests = "\n#[cfg(test)]\nmod tests {";
        let code = source.text.split(tests).next().unwrap_or_default();
        code.lines().count()
    };
    sources.iter().filter(is_there).map(count).sum()
}

// --- reading ---

fn delivery() -> Vec<Source> {
    let sources = sources(&root().join(DELIVERY));
    assert!(sources.len() > 50, "{DELIVERY} was not read");
    sources
}
