//! What `docs/reliability.md` says about the mutation check matches `tests/mutations`.
#![cfg(test)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const RELIABILITY: &str = include_str!("../../docs/reliability.md");

fn mutations() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mutations")
}

#[test]
fn every_mutation_is_listed_with_its_rule_and_test() {
    let mut rows = BTreeSet::new();
    for entry in std::fs::read_dir(mutations()).unwrap() {
        let file = entry.unwrap().path();
        if file
            .extension()
            .is_none_or(|extension| extension != "patch")
        {
            continue;
        }
        let text = std::fs::read_to_string(&file).unwrap();
        let header = |key: &str| {
            let line = text.lines().take(2).find_map(|line| line.strip_prefix(key));
            line.unwrap_or_else(|| panic!("{}: no line {key}", file.display()))
                .to_owned()
        };
        let (rule, command) = (header("Rule: "), header("Test: "));
        let (module, test) = command.rsplit_once("::").unwrap();
        let module = module.rsplit(' ').next().unwrap();
        let name = file.file_stem().unwrap().to_str().unwrap();
        rows.insert(format!(
            "| `{name}` | {rule} | `delivery/tests/machine/{module}.rs::{test}` |"
        ));
    }
    assert!(rows.len() >= 6, "{rows:?}");
    let section = RELIABILITY
        .split("\n## ")
        .find(|part| part.starts_with("Mutation check"));
    let listed = section
        .unwrap()
        .lines()
        .filter(|line| line.starts_with("| `"));
    assert_eq!(listed.map(str::to_owned).collect::<BTreeSet<_>>(), rows);
}
