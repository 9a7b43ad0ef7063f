//! The comparison in `benches/peers`, as far as it can be checked without running it: its options, and its configurations.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Command, Output};

use super::vocabulary::{files, read, root};

fn folder() -> PathBuf {
    root().join("benches/peers")
}

/// The command of the comparison, with these arguments; it needs `python3`.
fn run(arguments: &[&str]) -> Output {
    command("run", arguments)
}

fn command(name: &str, arguments: &[&str]) -> Output {
    let command = folder().join(name);
    Command::new(&command)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("{} (python3): {error}", command.display()))
}

fn worker(command: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_kustomer-ingest"))
        .args([command, "--config"])
        .arg(folder().join("configs/worker.yaml"))
        .env("KUSTOMER_TOKEN", "not-sent-anywhere")
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    let bytes = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The names of attributes of Kustomer in a text: words that end in `Num`, `Str` or `Bool`.
fn attributes(text: &str) -> BTreeSet<&str> {
    text.split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| {
            ["Num", "Str", "Bool"]
                .iter()
                .any(|kind| word.ends_with(kind) && word.len() > kind.len())
        })
        .collect()
}

#[test]
fn the_comparison_explains_its_options() {
    let help = run(&["--help"]);
    let text = said(&help);
    assert!(help.status.success(), "{text}");
    for option in [
        "--records",
        "--partitions",
        "--runs",
        "--only",
        "--worker",
        "--connect",
        "--vector",
    ] {
        assert!(text.contains(option), "{option} is not in\n{text}");
    }
}

#[test]
fn what_the_comparison_lacks_is_said_with_the_way_out() {
    let unknown = run(&["--only", "worker,carrier-pigeon"]);
    let text = said(&unknown);
    assert_eq!(unknown.status.code(), Some(2), "{text}");
    assert!(text.contains("there is no carrier-pigeon"), "{text}");
    assert!(text.contains("mq-bridge"), "{text}");

    let absent = run(&["--only", "worker", "--worker", "no/such/program"]);
    let text = said(&absent);
    assert_eq!(absent.status.code(), Some(2), "{text}");
    assert!(text.contains("no/such/program"), "{text}");
    assert!(
        text.contains("cargo build --release -p kustomer-ingest"),
        "{text}"
    );
}

#[test]
fn the_command_for_scale_explains_itself_and_what_it_lacks() {
    let help = command("scale", &["--help"]);
    let text = said(&help);
    assert!(help.status.success(), "{text}");
    for option in ["--runs", "--worker", "--largest"] {
        assert!(text.contains(option), "{option} is not in\n{text}");
    }
    let absent = command("scale", &["--worker", "no/such/program"]);
    let text = said(&absent);
    assert_eq!(absent.status.code(), Some(2), "{text}");
    assert!(
        text.contains("cargo build --release -p kustomer-ingest"),
        "{text}"
    );
}

#[test]
fn the_worker_takes_its_configuration_in_the_comparison() {
    let check = worker("check");
    let text = said(&check);
    assert!(check.status.success(), "{text}");
    assert!(text.ends_with("\nok\n"), "no warnings: {text}");
    let test = worker("test");
    let text = said(&test);
    assert!(test.status.success(), "{text}");
    assert_eq!(text, "1 test, 0 failed\n");
}

#[test]
fn every_program_that_maps_makes_the_same_nine_attributes() {
    let mapping = read(&folder().join("configs/mapping.yaml"));
    let wanted = attributes(&mapping);
    assert_eq!(wanted.len(), 9, "{wanted:?}");
    let mut found = BTreeSet::new();
    for file in files(&folder().join("configs"), "yaml") {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let text = read(&file);
        let made = attributes(&text);
        assert!(made.is_empty() || made == wanted, "{name}: {made:?}");
        if !made.is_empty() {
            found.insert(name);
        }
    }
    let expected = [
        "connect-output-mapped.yaml",
        "connect.yaml",
        "mapping.yaml",
        "mq-bridge-jobs.yaml",
        "mq-bridge-mapped.yaml",
        "vector.yaml",
    ];
    assert_eq!(found, expected.map(str::to_owned).into());
}
