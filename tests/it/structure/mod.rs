//! The shape of the crates: at no level do modules import from each other in a circle, and no folder has more entries
//! than a reader can keep in view.
#![cfg(test)]

mod circles;
mod deploy;
mod owners;
mod rust;

use std::collections::BTreeMap;
use std::path::Path;

use self::circles::{Source, circles};
use crate::vocabulary::{files, read, root};

/// Every crate, by the folder of its sources.
const CRATES: [&str; 11] = [
    "pipeline/model/src",
    "pipeline/encoding/src",
    "pipeline/mapping/src",
    "pipeline/delivery/src",
    "pipeline/kafka/src",
    "pipeline/kustomer/src",
    "pipeline/registry/src",
    "pipeline/tokens/src",
    "pipeline/traces/src",
    "pipeline/simulator/src",
    "pipeline/worker",
];

/// The most entries of a folder.
const MAX_ENTRIES: usize = 12;

#[test]
fn no_modules_import_from_each_other() {
    let mut wrong = Vec::new();
    for folder in CRATES {
        let sources = sources(&root().join(folder));
        assert!(sources.len() > 2, "{folder} was not read");
        let found = circles(&sources);
        wrong.extend(found.iter().map(|circle| format!("{folder}: {circle}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_folder_is_too_full() {
    let mut wrong = Vec::new();
    for folder in CRATES {
        let mut entries: BTreeMap<String, usize> = BTreeMap::new();
        count(&root().join(folder), folder, &mut entries);
        wrong.extend(
            entries
                .into_iter()
                .filter(|(_, number)| *number > MAX_ENTRIES),
        );
    }
    assert!(wrong.is_empty(), "over {MAX_ENTRIES} entries: {wrong:?}");
}

/// Counts the entries of each folder, this one and those below.
fn count(folder: &Path, name: &str, entries: &mut BTreeMap<String, usize>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        *entries.entry(name.to_owned()).or_default() += 1;
        if path.is_dir() {
            let below = path.file_name().unwrap_or_default().to_string_lossy();
            count(&path, &format!("{name}/{below}"), entries);
        }
    }
}

/// The files of a crate's library. The `main.rs` of a program belongs to another crate.
fn sources(folder: &Path) -> Vec<Source> {
    let files = files(folder, "rs").into_iter();
    files
        .filter_map(|file| {
            let inside = file.strip_prefix(folder).ok()?.display().to_string();
            (inside != "main.rs").then(|| Source {
                text: read(&file),
                file: inside,
            })
        })
        .collect()
}

// --- the checks can fail ---

fn made_up(files: &[(&str, &str)]) -> Vec<Source> {
    files
        .iter()
        .map(|(file, text)| Source {
            file: (*file).to_owned(),
            text: (*text).to_owned(),
        })
        .collect()
}

/// The circles in made-up files.
fn found(files: &[(&str, &str)]) -> Vec<Vec<String>> {
    let sources = made_up(files);
    let found = circles(&sources).into_iter();
    found.map(|circle| circle.modules).collect()
}

#[test]
fn two_files_that_import_from_each_other_are_noticed_with_their_lines() {
    let sources = made_up(&[
        (
            "kettle.rs",
            "use crate::stove::Flame;\npub struct Kettle;\n",
        ),
        (
            "stove.rs",
            "pub struct Flame;\n\nfn boil(kettle: &crate::kettle::Kettle) {}\n",
        ),
        ("table.rs", "use crate::kettle::Kettle;\n"),
    ]);
    let [only] = circles(&sources).try_into().expect("one circle");
    assert_eq!(only.modules, ["kettle", "stove"]);
    let told = only.to_string();
    assert!(told.contains("kettle.rs:1: crate::stove::Flame"), "{told}");
    assert!(told.contains("stove.rs:3: crate::kettle::Kettle"), "{told}");
}

#[test]
fn one_direction_is_no_circle() {
    let kettle = ("kettle.rs", "use crate::stove::Flame;\n");
    let said = "// crate::kettle::Kettle\nconst TEXT: &str = \"crate::kettle::Kettle\";\n\
                #[cfg(test)]\nmod tests {\n    use crate::kettle::Kettle;\n}\n";
    assert!(found(&[kettle, ("stove.rs", said)]).is_empty());
    let under_it = "#[cfg(test)]\nmod tests;\npub struct Flame;\n";
    let tests = "use crate::kettle::Kettle;\n";
    let files = [
        kettle,
        ("stove/mod.rs", under_it),
        ("stove/tests.rs", tests),
    ];
    assert!(found(&files).is_empty());
}

#[test]
fn folders_are_taken_as_one_and_named_by_what_is_defined_in_them() {
    let kitchen = "mod oven;\nmod sink;\npub use self::sink::Water;\n";
    let files = [
        ("kitchen/mod.rs", kitchen),
        ("kitchen/oven.rs", "use crate::cellar::Coal;\n"),
        ("kitchen/sink.rs", "pub struct Water;\n"),
        (
            "cellar.rs",
            "use crate::{\n    attic::Box,\n    kitchen::Water,\n};\npub struct Coal;\n",
        ),
        ("attic.rs", "pub struct Box;\n"),
    ];
    assert_eq!(found(&files), [["cellar", "kitchen"]]);
    // The cellar asks the kitchen for something that the kitchen has from the attic.
    let of_others = "mod oven;\npub use crate::attic::Box;\n";
    let asks = "use crate::kitchen::Box;\npub struct Coal;\n";
    let files = [
        ("kitchen/mod.rs", of_others),
        ("kitchen/oven.rs", "use crate::cellar::Coal;\n"),
        ("cellar.rs", asks),
        ("attic.rs", "pub struct Box;\n"),
    ];
    assert!(found(&files).is_empty());
}

#[test]
fn a_parent_that_uses_a_child_may_not_be_used_by_it() {
    let uses = "mod oven;\npub struct Heat;\nfn cook() { oven::light(); }\n";
    let child = "use super::Heat;\npub fn light() {}\n";
    let files = [("kitchen/mod.rs", uses), ("kitchen/oven.rs", child)];
    assert_eq!(found(&files), [["kitchen/mod.rs", "kitchen/oven"]]);
    let only_declares = "mod oven;\npub use self::oven::light;\npub struct Heat;\n";
    let files = [
        ("kitchen/mod.rs", only_declares),
        ("kitchen/oven.rs", child),
    ];
    assert!(found(&files).is_empty());
    let uses_what_it_exports =
        "pub use self::oven::light;\npub struct Heat;\nfn cook() { light(); }\n";
    let files = [
        ("kitchen/mod.rs", uses_what_it_exports),
        ("kitchen/oven.rs", child),
    ];
    assert_eq!(found(&files).len(), 1);
}

#[test]
fn a_circle_of_three_is_one_circle() {
    let files = [
        ("a.rs", "use crate::b::B;\n"),
        ("b.rs", "use super::c::C as Other;\n"),
        ("c.rs", "fn x() -> crate::a::A { todo() }\n"),
    ];
    assert_eq!(found(&files), [["a", "b", "c"]]);
}
