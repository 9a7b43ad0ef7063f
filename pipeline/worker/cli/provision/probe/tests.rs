//! Against the simulated Kustomer: each answer follows the switch that decides it, and nothing stays behind.

use std::time::Duration;

use clap::Parser as _;
use kustomer_sim::Config;
use serde_json::Value;

use super::*;
use crate::cli::provision::tests::{World, told};
use crate::cli::{Cli, Command};
use crate::config::settings::profile::{CreatesInJobs, Duplicates, ItemReferences, OldRevisions};

/// A minute of the simulated organisation takes three seconds.
const SCALE: f64 = 20.0;
const MAKE: &str = "--yes-create-and-delete";

/// A sandbox with these switches.
struct Sandbox {
    world: World,
    host: String,
}

impl Sandbox {
    fn new(switches: &[(&str, &str)]) -> Self {
        Self::limited(1_000, switches)
    }

    /// With so many requests a minute.
    fn limited(limit: u64, switches: &[(&str, &str)]) -> Self {
        let config = Config {
            limit,
            ..Config::default()
        };
        Self::of(config, switches)
    }

    fn of(config: Config, switches: &[(&str, &str)]) -> Self {
        let config = Config {
            time_scale: SCALE,
            ..config
        };
        let world = World::of(config, switches);
        let file = world.dir.path().join("w.yaml");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, text.replace("limit: 100\n", "limit: 900\n")).unwrap();
        let host = world.server.url().replace("http://", "");
        Self { world, host }
    }

    fn path(&self, name: &str) -> String {
        self.world
            .dir
            .path()
            .join(name)
            .to_str()
            .unwrap()
            .to_owned()
    }

    fn args(&self, arguments: &[&str]) -> ProbeArgs {
        let (config, out, scale) = (self.path("w.yaml"), self.path("p.yaml"), SCALE.to_string());
        let mut line = vec![
            "kustomer-ingest",
            "probe",
            "--config",
            &config,
            "--time-scale",
            &scale,
        ];
        line.extend(["--klass", "order"]);
        if !arguments.contains(&"--out") {
            line.extend(["--out", &out]);
        }
        line.extend(arguments);
        let Command::Probe(args) = Cli::try_parse_from(line).unwrap().command else {
            panic!("it is a probe");
        };
        args
    }

    /// What it prints, and how it ends.
    fn run(&self, arguments: &[&str]) -> (String, CommandExit) {
        let (_nobody, signals) = Signals::by_hand();
        let args = self.args(arguments);
        self.world.runtime.block_on(printed(&args, signals))
    }

    /// With all that has to be said for objects to be made.
    fn asked(&self, more: &[&str]) -> Value {
        let said = ["--sandbox", &self.host, MAKE, "--json"];
        let (text, exit) = self.run(&[&said, more].concat());
        assert_eq!(exit, CommandExit::Good, "{text}");
        self.is_empty();
        serde_json::from_str(&text).unwrap()
    }

    fn profile(&self) -> Profile {
        crate::config::read_profile(&self.world.dir.path().join("p.yaml")).unwrap()
    }

    fn is_empty(&self) {
        let account = self.world.server.account();
        assert_eq!((account.kobjects_total, account.customers_total), (0, 0));
    }
}

async fn printed(args: &ProbeArgs, signals: Signals) -> (String, CommandExit) {
    let mut written = Vec::new();
    let mut out = Output::new(&mut written);
    let ended = asked(args, signals, &mut out).await;
    let exit = told(ended, &mut out);
    drop(out);
    (String::from_utf8(written).unwrap(), exit)
}

/// The verdict and the answer of a question.
fn answer(found: &Value, question: &str) -> (String, String) {
    let all = found["questions"].as_array().unwrap();
    let one = all.iter().find(|one| one["name"] == question).unwrap();
    assert!(
        !one["evidence"].as_array().unwrap().is_empty() || one["verdict"] == "not settled",
        "{one}"
    );
    let text = |name: &str| one[name].as_str().unwrap().to_owned();
    (text("verdict"), text("answer"))
}

#[test]
fn without_consent_nothing_is_sent_and_all_is_shown() {
    let sandbox = Sandbox::new(&[]);
    for (arguments, expected) in [
        (&[][..], "say that"),
        (&[MAKE], "the API does not tell a sandbox"),
        (
            &[MAKE, "--sandbox", "acme.api.kustomerapp.com"],
            "--sandbox is acme.api.kustomerapp.com",
        ),
        (&["--only", "bulk-size"], "say that"),
    ] {
        let (text, exit) = sandbox.run(arguments);
        assert_eq!(exit, CommandExit::Usage, "{text}");
        for part in [
            expected,
            "bulk-size: May a bulk request",
            "at most 500 (--requests",
            "klass order",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
    }
    assert_eq!(sandbox.world.server.account().requests.total, 0);
}

#[test]
fn hosts_and_keys_that_say_what_they_are_are_believed() {
    let wrong = |named: Option<&str>, url: &str| {
        consent::not_a_sandbox(named, &ingest_kustomer::BaseUrl::parse(url).unwrap())
    };
    let shared = "api.prod2.kustomerapp.com";
    let problem = wrong(Some(shared), "https://api.prod2.kustomerapp.com").unwrap();
    assert!(
        problem.contains("every organisation of the region"),
        "{problem}"
    );
    let prod = "acme-prod.api.kustomerapp.com";
    assert!(wrong(Some(prod), "https://acme-prod.api.kustomerapp.com").is_some());
    let host = "acme-sandbox.api.kustomerapp.com";
    let url = "https://acme-sandbox.api.kustomerapp.com";
    assert_eq!(wrong(Some(host), url), None);
    assert_eq!(wrong(Some("Acme-Sandbox.api.kustomerapp.com"), url), None);
    assert!(wrong(None, url).is_some());
}

/// As the simulator is by default, which is how its contract reads the documentation.
#[test]
fn everything_is_asked_answered_written_down_and_deleted() {
    let sandbox = Sandbox::new(&[]);
    let found = sandbox.asked(&["--yes-leave-events"]);
    for (question, verdict, part) in [
        ("duplicates", "yes", "in a bulk request"),
        ("revisions", "yes", "revisions begin at 1"),
        ("item-references", "yes", "by its reference"),
        ("job-answers", "yes", "both do"),
        ("created-at", "yes", "2020-01-02T03:04:05"),
        (
            "bulk-size",
            "no",
            "101500 bytes are refused; a single create of 110000 bytes is refused",
        ),
        ("creates-in-jobs", "yes", "limited"),
        ("meta-types", "no", "accepted: none"),
    ] {
        let (is, text) = answer(&found, question);
        assert!(
            is == verdict && text.contains(part),
            "{question}: {is}: {text}"
        );
    }
    let profile = sandbox.profile();
    assert_eq!(
        profile.answers,
        Answers {
            duplicates: Some(Duplicates::Refused),
            first_revision: Some(1),
            old_revisions: Some(OldRevisions::Refused),
            item_references: Some(ItemReferences::Accepted),
            creates_in_jobs: Some(CreatesInJobs::Limited),
        }
    );
    assert_eq!(profile.organisation, sandbox.host);
    assert_eq!(profile.evidence.len(), 5);
    assert!(profile.evidence.values().all(|lines| !lines.is_empty()));
    assert_eq!(profile.jobs.len(), 2);
    assert!(profile.answers.beliefs().refuses_duplicates);
    // It would not be written over.
    let (text, exit) = sandbox.run(&["--sandbox", &sandbox.host, MAKE]);
    assert_eq!(exit, CommandExit::Usage, "{text}");
    assert!(text.contains("p.yaml exists"), "{text}");
}

#[test]
fn each_answer_follows_what_the_organisation_does() {
    let objects = "duplicates";
    for (switch, value, question, verdict, part) in [
        ("duplicates", "allow", objects, "no", "several objects"),
        ("duplicates", "update", objects, "no", "is updated"),
        ("rev", "ignore", "revisions", "no", "it is written"),
        ("rev-start", "0", "revisions", "yes", "begin at 0"),
        ("rev-step", "2", "revisions", "yes", "it is a conflict"),
        (
            "client-ref",
            "refuse",
            "item-references",
            "no",
            "refused as a whole",
        ),
        ("client-ref", "refuse", objects, "yes", "in a bulk request"),
        (
            "bulk-envelope",
            "flat",
            "job-answers",
            "no",
            "both are flat",
        ),
        (
            "bulk-body-limit",
            "400000",
            "bulk-size",
            "yes",
            "390000 bytes are accepted, 500000 refused",
        ),
        (
            "bulk-create-limit",
            "off",
            "creates-in-jobs",
            "no",
            "all 200 are made",
        ),
        ("meta", "lenient", "meta-types", "yes", "a boolean as …Bool"),
    ] {
        let sandbox = Sandbox::new(&[(switch, value)]);
        let found = sandbox.asked(&["--yes-leave-events", "--only", question]);
        let (is, text) = answer(&found, question);
        assert!(
            is == verdict && text.contains(part),
            "{switch}={value}: {is}: {text}"
        );
        assert_eq!(found["questions"].as_array().unwrap().len(), 1, "{found}");
        let answers = if question == "meta-types" || question == "bulk-size" {
            Answers::default()
        } else {
            sandbox.profile().answers
        };
        match (switch, value) {
            ("duplicates", "allow") => assert_eq!(answers.duplicates, Some(Duplicates::Allowed)),
            ("duplicates", "update") => assert_eq!(answers.duplicates, Some(Duplicates::Updated)),
            ("rev", _) => assert_eq!(answers.old_revisions, Some(OldRevisions::Written)),
            ("rev-start", _) => assert_eq!(answers.first_revision, Some(0)),
            ("rev-step", _) => assert_eq!(answers.first_revision, None, "nobody counts so"),
            ("client-ref", _) => assert_eq!(answers.item_references, Some(ItemReferences::Refused)),
            ("bulk-create-limit", _) => {
                assert_eq!(answers.creates_in_jobs, Some(CreatesInJobs::Free));
            }
            _ => {}
        }
    }
}

#[test]
fn a_minute_is_used_up_to_see_what_a_refusal_looks_like() {
    for (switches, verdict, part) in [
        (&[][..], "yes", "x-ratelimit-reset in epoch seconds"),
        (&[("reset-unit", "millis")], "yes", "epoch milliseconds"),
        (&[("reset-unit", "delta")], "yes", "seconds from then"),
        (&[("reset-header", "never")], "no", "neither"),
        (
            &[("reset-header", "never"), ("retry-after", "add")],
            "yes",
            "Retry-After",
        ),
    ] {
        let sandbox = Sandbox::limited(60, switches);
        let arguments = [
            "--sandbox",
            &sandbox.host,
            "--yes-use-up-a-minute",
            "--json",
        ];
        let (text, exit) = sandbox.run(&arguments);
        assert_eq!(exit, CommandExit::Good, "{text}");
        let found: Value = serde_json::from_str(&text).unwrap();
        let (is, answer) = answer(&found, "limit-answer");
        assert!(
            is == verdict && answer.contains(part),
            "{switches:?}: {is}: {answer}"
        );
        assert!(text.contains("-> 429, headers"), "{text}");
        assert!(
            found["profile"].is_null(),
            "the worker reads either: {found}"
        );
    }
}

#[test]
fn a_later_run_tells_how_long_results_are_kept() {
    for (kept, verdict) in [("10000", "yes"), ("1", "no")] {
        let sandbox = Sandbox::new(&[("bulk-retained-jobs", kept)]);
        sandbox.asked(&["--only", "duplicates"]);
        let before = sandbox.profile();
        let again = ["--earlier", &sandbox.path("p.yaml"), "--json"];
        let (text, exit) = sandbox.run(&again);
        assert_eq!(exit, CommandExit::Good, "{text}");
        let found: Value = serde_json::from_str(&text).unwrap();
        let (is, text) = answer(&found, "results-kept");
        assert_eq!(is, verdict, "{text}");
        let after = sandbox.profile();
        assert_eq!(
            (after.answers, after.probed_ms),
            (before.answers, before.probed_ms)
        );
        assert_eq!(
            after.jobs.iter().any(|job| job.lost_ms.is_some()),
            verdict == "no"
        );
    }
}

#[test]
fn who_interrupts_it_finds_nothing_left() {
    let sandbox = Sandbox::new(&[("bulk-median-ms", "20000"), ("bulk-p99-ms", "30000")]);
    let (by_hand, signals) = Signals::by_hand();
    let args = sandbox.args(&[
        "--sandbox",
        &sandbox.host,
        MAKE,
        "--only",
        "creates-in-jobs",
    ]);
    let server = &sandbox.world.server;
    let interrupt = async {
        while server.account().bulk.jobs == 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        by_hand.send("SIGINT").await.unwrap();
    };
    let run = async { tokio::join!(printed(&args, signals), interrupt).0 };
    let (text, exit) = sandbox.world.runtime.block_on(run);
    assert_eq!(exit, CommandExit::Failed, "{text}");
    assert!(text.contains("not settled: it was interrupted"), "{text}");
    assert!(
        text.contains("no file is written") || sandbox.profile().answers == Answers::default(),
        "{text}"
    );
    sandbox.is_empty();
}

#[test]
fn what_was_kept_can_be_removed_by_its_external_id() {
    let sandbox = Sandbox::new(&[]);
    let said = ["--sandbox", &sandbox.host, MAKE];
    let keep = ["--keep", "--json", "--only", "created-at"];
    let (text, exit) = sandbox.run(&[&said, &keep[..]].concat());
    assert_eq!(exit, CommandExit::Good, "{text}");
    let found: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(sandbox.world.server.account().customers_total, 1);
    let customer = found["customer"].as_str().unwrap();
    let (text, exit) = sandbox.run(&[&said, &["--remove", "u-1"][..]].concat());
    assert_eq!(exit, CommandExit::Usage, "{text}");
    let (text, exit) = sandbox.run(&[&said, &["--remove", customer][..]].concat());
    assert_eq!(
        (text.as_str(), exit),
        ("deleted: 2 objects, 1 customer\n", CommandExit::Good)
    );
    sandbox.is_empty();
}

#[test]
fn what_could_not_be_deleted_keeps_its_customer_and_is_removed_later() {
    let script = r#"{ "rules": [ { "name": "no", "when": { "endpoint": "kobject.delete", "count": 1 }, "do": { "action": "status", "status": 500 } } ] }"#;
    let config = Config {
        limit: 1_000,
        faults: Some(kustomer_sim::FaultScript::parse(script).unwrap()),
        ..Config::default()
    };
    let sandbox = Sandbox::of(config, &[]);
    let said = ["--sandbox", &sandbox.host, MAKE];
    let asks = ["--json", "--only", "created-at"];
    let (text, exit) = sandbox.run(&[&said, &asks[..]].concat());
    assert_eq!(exit, CommandExit::Failed, "{text}");
    let found: Value = serde_json::from_str(&text).unwrap();
    let customer = found["customer"].as_str().unwrap();
    assert!(text.contains("by whom the rest is found"), "{text}");
    assert_eq!(sandbox.world.server.account().customers_total, 1);
    let removes = ["--remove", customer];
    let (text, exit) = sandbox.run(&[&said, &removes[..]].concat());
    assert_eq!(exit, CommandExit::Good, "{text}");
    sandbox.is_empty();
    // There is nothing to remove any more.
    let (text, exit) = sandbox.run(&[&said, &removes[..]].concat());
    assert_eq!(exit, CommandExit::Failed, "{text}");
    assert!(text.contains("there is no customer"), "{text}");
}

#[test]
fn what_was_found_out_is_printed_where_it_cannot_be_written() {
    let sandbox = Sandbox::new(&[]);
    let nowhere = sandbox.path("no-such/p.yaml");
    let said = ["--sandbox", &sandbox.host, MAKE, "--only", "duplicates"];
    let (text, exit) = sandbox.run(&[&said[..], &["--out", &nowhere]].concat());
    assert_eq!(exit, CommandExit::Usage, "{text}");
    assert!(text.contains("there is no folder"), "{text}");
    // a folder where the new file should be
    std::fs::create_dir(sandbox.path("p.yaml.new")).unwrap();
    let (text, exit) = sandbox.run(&said);
    assert_eq!(exit, CommandExit::Failed, "{text}");
    assert!(
        text.contains("deleted: ") && text.contains("cannot write"),
        "{text}"
    );
    sandbox.is_empty();
}

#[test]
fn a_key_that_could_not_clean_up_makes_nothing() {
    for (switches, expected) in [
        (
            [("roles", "-org.permission.customer.delete")],
            "org.permission.customer.delete",
        ),
        ([("drain", "900")], "others have used"),
    ] {
        let sandbox = Sandbox::new(&switches);
        if expected.starts_with("others") {
            // Others are seen once the minute has begun.
            sandbox.world.ask("GET", "/v1/klasses", None);
            let begun = async { tokio::time::sleep(Duration::from_millis(700)).await };
            sandbox.world.runtime.block_on(begun);
        }
        let (text, exit) = sandbox.run(&["--sandbox", &sandbox.host, MAKE]);
        assert_eq!(exit, CommandExit::Failed, "{text}");
        assert!(
            text.contains("nothing was made") && text.contains(expected),
            "{text}"
        );
        sandbox.is_empty();
    }
}

#[test]
fn what_deletes_has_requests_of_its_own_and_hears_no_signal() {
    let sandbox = Sandbox::new(&[]);
    let args = sandbox.args(&[]);
    let settings = args.key.config.load().unwrap();
    let client = crate::cli::provision::client(&settings, &args.key).unwrap();
    let stop = CancellationToken::new();
    let most = ask::FOR_DELETING + 2;
    let mut asker = Asker::new(client, (most, 60_000), args.time_scale, stop.clone());
    sandbox.world.runtime.block_on(async {
        let call = ingest_model::call::Call::Probe;
        for _ in 0..2 {
            assert!(asker.call(&call, "").await.is_ok());
        }
        assert_eq!(asker.call(&call, "").await.err(), Some(Stop::Spent));
        stop.cancel();
        assert_eq!(
            asker.pause(Duration::from_secs(9)).await,
            Err(Stop::Interrupted)
        );
        asker.delete_now();
        assert!(asker.call(&call, "").await.is_ok());
        assert_eq!(asker.pause(Duration::ZERO).await, Ok(()));
    });
    assert_eq!(asker.spent(), 3);
    assert_eq!(asker.take_evidence().len(), 3);
}
