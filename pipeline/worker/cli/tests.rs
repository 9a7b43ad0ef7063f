//! The command line as a whole, and `check` and `test` over files.

use std::path::Path;

use super::*;

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn every_help_has_the_exit_codes() {
    fn look(command: &clap::Command, seen: &mut usize) {
        let help = command.clone().render_long_help().to_string();
        assert!(
            help.contains("Exit codes:"),
            "{}: {help}",
            command.get_name()
        );
        *seen += 1;
        for one in command.get_subcommands() {
            look(one, seen);
        }
    }
    let mut seen = 0;
    look(&whole(), &mut seen);
    assert!(seen > 20, "{seen}");
}

#[test]
fn shells_and_man_know_every_command() {
    let said = |arguments: &[&str]| {
        let (text, exit) = printed(["kustomer-ingest"].iter().chain(arguments));
        assert_eq!(exit, CommandExit::Good, "{text}");
        text
    };
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = said(&["completions", shell]);
        for name in ["dead-letters", "forecast", "accept-dead-letters"] {
            assert!(script.contains(name), "{shell}: {name}");
        }
    }
    let page = said(&["man"]);
    assert!(page.starts_with(".ie"), "{page}");
    assert!(page.contains("Exit codes"), "{page}");
    let dir = tempfile::tempdir().unwrap();
    let told = said(&["man", "--dir", dir.path().to_str().unwrap()]);
    let pages: Vec<String> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(
        told.starts_with(&format!("{} pages", pages.len())),
        "{told}"
    );
    for name in [
        "kustomer-ingest.1",
        "kustomer-ingest-run.1",
        "kustomer-ingest-holds-release.1",
    ] {
        assert!(pages.iter().any(|page| page == name), "{name}: {pages:?}");
    }
    assert!(
        !pages.iter().any(|page| page.contains("try-records")),
        "{pages:?}"
    );
}

#[test]
fn every_command_explains_itself() {
    for command in Cli::command().get_subcommands() {
        assert!(command.get_about().is_some(), "{}", command.get_name());
        let help = command.clone().render_long_help().to_string();
        assert!(help.contains("kustomer-ingest"), "an example: {help}");
    }
}

const ROUTES: &str = "routes:\n  - name: a\n    on: A\n    customer: none\n    do:\n      - kobject: order\n        externalId: .id\n        \
title: .id\n        data: { x: .x }\n  - name: b\n    on: B\n    customer: none\n    do:\n      - kobject: order\n        externalId: .id\n        \
title: .id\n        data: { y: .y }\n";

/// A directory with a configuration, and a mapping with these tests.
fn files(tests: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let config = "kafka:\n  brokers: localhost:9092\n  group: g\n  dead_letter_topic: d\n  topics:\n    - { name: t, mapping: m.yaml }\n\
                  kustomer:\n  base_url: https://example.api.kustomerapp.com\n  token: { env: KI_NO_SUCH_VARIABLE }\n  limit: 100\n";
    std::fs::write(dir.path().join("w.yaml"), config).unwrap();
    std::fs::write(dir.path().join("m.yaml"), format!("{ROUTES}{tests}")).unwrap();
    dir
}

/// Runs a command. Returns what it printed, and how it ended.
fn run(dir: &Path, arguments: &[&str]) -> (String, CommandExit) {
    let config = dir.join("w.yaml");
    let line = [
        "kustomer-ingest",
        arguments[0],
        "--config",
        config.to_str().unwrap(),
    ];
    printed(line.iter().chain(&arguments[1..]))
}

/// Runs a whole command line. Returns what it printed, and how it ended.
pub(in crate::cli) fn printed<'l>(
    line: impl Iterator<Item = &'l &'l str>,
) -> (String, CommandExit) {
    let cli = Cli::try_parse_from(line).unwrap();
    let mut written = Vec::new();
    let mut out = Output::new(&mut written);
    let exit = print(&cli.command, &mut out).unwrap_or_else(|error| {
        out.line(&error.to_string()).unwrap();
        error.exit()
    });
    out.flush().unwrap();
    drop(out);
    (String::from_utf8(written).unwrap(), exit)
}

const GOOD_TEST: &str = "tests:\n  - name: a becomes an order\n    event: { event: A, name: A, type: A, id: o1, x: 1 }\n    \
expect: [ { kobject: order, externalId: o1 } ]\n";

#[test]
fn check_warns_of_routes_that_undo_each_other_and_sums_up() {
    let dir = files("");
    let (text, exit) = run(dir.path(), &["check"]);
    assert_eq!(exit, CommandExit::Good, "{text}");
    for expected in [
        "warning: klass order: the routes a, b write different parts of data",
        "m.yaml: no tests",
        "keyed_by is none",
        "kustomer.token: the environment variable KI_NO_SUCH_VARIABLE is not set",
        "klass order:",
        "requests: at most 80 of the organisation's 100 a minute, 5 left alone",
        "ok, 4 warnings",
    ] {
        assert!(text.contains(expected), "{expected} is not in\n{text}");
    }
}

#[test]
fn check_shows_what_remains_by_the_time_of_day_and_finds_entries_that_never_count() {
    let dir = files("");
    let file = dir.path().join("w.yaml");
    let config = std::fs::read_to_string(&file).unwrap();
    let with = |entries: &str| {
        std::fs::write(&file, format!("{config}  reserve_at:\n{entries}")).unwrap();
        run(dir.path(), &["check"])
    };
    let berlin = "    - { days: [mon, tue, wed, thu, fri], from: \"08:00\", to: \"18:00\", zone: Europe/Berlin, reserve: 60 }\n";
    let night = "    - { days: [sat], from: \"22:00\", to: \"06:00\", zone: America/New_York, reserve: 1 }\n";
    let hidden = "    - { days: [mon], from: \"09:00\", to: \"10:00\", zone: UTC, reserve: 30 }\n";
    let (text, exit) = with(&format!("{berlin}{night}{hidden}"));
    assert_eq!(exit, CommandExit::Good, "{text}");
    for expected in [
        "5 left alone\n  by kustomer.reserve_at, the first of these that holds:\n",
        "    mon-fri 08:00-18:00, Europe/Berlin: at most 40, 60 left alone\n",
        "    sat 22:00-06:00 of the next day, America/New_York: at most 80, 1 left alone\n",
        "    mon 09:00-10:00, UTC: at most 70, 30 left alone\n",
        "warning: kustomer.reserve_at[2] (line 14): mon 09:00-10:00, UTC: does not count at any time",
        "    put it before them, or leave it out\n",
    ] {
        assert!(text.contains(expected), "{expected} is not in\n{text}");
    }
    assert_eq!(text.matches("does not count").count(), 1, "{text}");
    // In the same zone it is certain.
    let same = hidden.replace("UTC", "Europe/Berlin");
    let (text, exit) = with(&format!("{berlin}{same}"));
    assert_eq!(exit, CommandExit::Faults, "{text}");
    assert!(
        text.contains("w.yaml:13:7: kustomer.reserve_at[1]: never counts")
            && text.contains("\n    put it before them"),
        "{text}"
    );
}

#[test]
fn check_and_test_find_a_test_that_fails() {
    let dir = files(&GOOD_TEST.replace("externalId: o1 }", "externalId: o2 }"));
    let (text, exit) = run(dir.path(), &["check"]);
    assert_eq!(exit, CommandExit::Faults);
    assert!(text.contains("test a becomes an order"), "{text}");
    let (text, exit) = run(dir.path(), &["test"]);
    assert_eq!(exit, CommandExit::Faults);
    assert!(text.ends_with("1 test, 1 failed\n"), "{text}");
}

#[test]
fn the_tests_of_a_mapping_are_run() {
    let dir = files(GOOD_TEST);
    assert_eq!(
        run(dir.path(), &["test"]),
        ("1 test, 0 failed\n".to_owned(), CommandExit::Good)
    );
}

#[test]
fn a_configuration_that_cannot_be_used_is_a_finding_of_check_and_a_wrong_use_elsewhere() {
    let dir = files(GOOD_TEST);
    std::fs::write(dir.path().join("w.yaml"), "kafka: {}\n").unwrap();
    let (text, exit) = run(dir.path(), &["check"]);
    assert_eq!(exit, CommandExit::Faults);
    assert!(text.contains("kafka.brokers: is missing"), "{text}");
    assert_eq!(run(dir.path(), &["test"]).1, CommandExit::Usage);
    assert_eq!(run(dir.path(), &["run"]).1, CommandExit::Usage);
}

/// The output of `check` for a configuration with these additional lines in its `kafka` section.
fn check_kafka(lines: &str) -> (String, CommandExit) {
    let dir = files(GOOD_TEST);
    let file = dir.path().join("w.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(
        &file,
        text.replace("  group: g\n", &format!("  group: g\n{lines}\n")),
    )
    .unwrap();
    run(dir.path(), &["check"])
}

#[test]
fn what_the_consumer_protocol_leaves_to_the_brokers_is_refused_with_the_reason() {
    let consumer = "  properties: { group.protocol: consumer }";
    let (text, exit) = check_kafka(consumer);
    assert_eq!(exit, CommandExit::Good);
    let stall = "warning: group.protocol: consumer: while replicas come and go";
    assert_eq!(text.matches(stall).count(), 1, "{text}");
    assert!(!check_kafka("").0.contains("group.protocol"));
    for (property, value, reason) in [
        (
            "session.timeout.ms",
            "9000",
            "group.consumer.session.timeout.ms",
        ),
        (
            "heartbeat.interval.ms",
            "900",
            "group.consumer.heartbeat.interval.ms",
        ),
        (
            "partition.assignment.strategy",
            "cooperative-sticky",
            "group.consumer.assignors",
        ),
        ("group.protocol.type", "consumer", "leave it out"),
    ] {
        let line = format!("  properties: {{ group.protocol: consumer, {property}: {value} }}");
        let (text, exit) = check_kafka(&line);
        assert_eq!(exit, CommandExit::Faults, "{text}");
        assert!(text.contains("w.yaml:4:"), "{property}: {text}");
        assert!(
            text.contains(&format!("kafka.properties[{property}]")),
            "{text}"
        );
        assert!(text.contains(reason), "{property}: {text}");
    }
    let (text, exit) = check_kafka(&format!("  session_timeout: 9s\n{consumer}"));
    assert_eq!(exit, CommandExit::Faults, "{text}");
    assert!(
        text.contains("w.yaml:4:") && text.contains("kafka.session_timeout: cannot"),
        "{text}"
    );
    assert!(text.contains("group.consumer.session.timeout.ms"), "{text}");
    let (text, exit) = check_kafka("  properties: { group.remote.assignor: range }");
    assert_eq!(exit, CommandExit::Faults, "{text}");
}

#[test]
fn files_of_the_kafka_client_that_are_not_there_are_noticed() {
    let here = file!();
    let lines = format!(
        "  properties: {{ ssl.ca.location: /no/such/ca.pem, ssl.key.location: /no/such/key, \
         ssl.certificate.location: {}/../{here} }}",
        env!("CARGO_MANIFEST_DIR").to_owned() + "/docs"
    );
    let (text, exit) = check_kafka(&lines);
    assert_eq!(exit, CommandExit::Good, "{text}");
    for property in ["ssl.ca.location", "ssl.key.location"] {
        let expected = format!("warning: kafka.properties[{property}]: there is no /no/such/");
        assert!(text.contains(&expected), "{text}");
    }
    assert!(!text.contains("ssl.certificate"), "{text}");
    // Files that exist but are invalid are a fault: the client is created once, without contacting anybody.
    let lines = format!(
        "  properties: {{ security.protocol: ssl, ssl.ca.location: {}/Cargo.toml }}",
        env!("CARGO_MANIFEST_DIR")
    );
    let (text, exit) = check_kafka(&lines);
    assert_eq!(exit, CommandExit::Faults, "{text}");
    assert!(
        text.contains("fault: kafka.properties: ") && text.contains("ssl"),
        "{text}"
    );
    let (text, _) = check_kafka("  properties: { ssl.ca.location: probe }");
    assert!(!text.contains("ssl.ca.location"), "{text}");
}

#[test]
fn the_name_of_a_static_member_is_checked() {
    for (lines, problem) in [
        (
            "  instance_id: 'a b'",
            "kafka.instance_id: \"a b\" is not legal",
        ),
        ("  instance_id: { env: '' }", "kafka.instance_id"),
        (
            "  properties: { group.instance.id: a }",
            "set kafka.instance_id instead",
        ),
        (
            "  session_timeout: 10m",
            "is longer than max.poll.interval.ms, 5m",
        ),
    ] {
        let (text, exit) = check_kafka(lines);
        assert_eq!(exit, CommandExit::Faults, "{lines}: {text}");
        assert!(text.contains(problem), "{problem} is not in {text}");
    }
    assert_eq!(check_kafka("  instance_id: worker-0").1, CommandExit::Good);
    // It need not exist here, but where the worker runs.
    let (text, exit) = check_kafka("  instance_id: { env: KI_NO_SUCH_VARIABLE }");
    assert_eq!(exit, CommandExit::Good, "{text}");
    assert!(
        text.contains("warning: kafka.instance_id: the environment variable"),
        "{text}"
    );
}
