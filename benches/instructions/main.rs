//! How many machine instructions a record costs in the pure parts: decoding and mapping, the delivery machine, packing, and
//! reading answers.
//!
//! Unlike times, these counts hardly depend on the machine or on what else it does, so they are compared with those in
//! `baseline.json`: a figure that is more than 3 % above its own fails. `cargo test --bench instructions` compares;
//! `INGEST_STORE_INSTRUCTIONS=1` stores what was counted instead, for a change that is meant to cost or save something. The
//! counts are those of the test profile; they tell whether something grew, not what a release costs.
//!
//! The counter is Valgrind's callgrind, and only what happens within [`while_counting`] counts: what is prepared is a thousand
//! times as much, and hash tables with a random seed make it differ from run to run. To free what is consumed counts, too.
//! Without Valgrind nothing is compared, which is said; with `INGEST_REQUIRE_VALGRIND=1` that fails.

#![expect(
    clippy::expect_used,
    reason = "a bench that cannot be set up has nothing to measure"
)]

#[expect(dead_code, reason = "another bench uses the rest")]
#[path = "../driven.rs"]
mod driven;
#[path = "../messages.rs"]
mod messages;

mod answers;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, bail, ensure};
use ingest_kustomer::classify::classify;
use ingest_kustomer::encode::encode;
use ingest_mapping::route::Pipeline;
use ingest_model::outcome::Verdict;

use self::answers::Answered;
use self::driven::{CUSTOMERS, Driven, PLENTY, bulk, inputs, now, pipeline, sample};
use self::messages::Kind;

/// A figure may be this much above its baseline, in percent.
const TOLERANCE: f64 = 3.0;
/// Seeds of hash tables move some figures by up to five percent, so what seems to be above is counted again, so often at most, and
/// the least counts. What is stored is the least of as many.
const COUNTS: usize = 6;
const BASELINE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/benches/instructions/baseline.json"
);

/// Something whose instructions are counted.
struct Figure {
    name: &'static str,
    /// How often it is done for one count.
    times: usize,
    /// Prepares, and does it so often.
    run: fn(times: usize),
}

const FIGURES: &[Figure] = &[
    Figure {
        name: "judge a product view that nobody wants",
        times: 500,
        run: |times| judge(Kind::Browse, times),
    },
    Figure {
        name: "judge a product view that is folded",
        times: 200,
        run: |times| judge(Kind::View, times),
    },
    Figure {
        name: "judge a coupon, a tracking event",
        times: 200,
        run: |times| judge(Kind::Coupon, times),
    },
    Figure {
        name: "judge the traits of a customer",
        times: 200,
        run: |times| judge(Kind::Identify, times),
    },
    Figure {
        name: "judge an order with ten products",
        times: 100,
        run: |times| judge(Kind::Order(10), times),
    },
    Figure {
        name: "settle a product view that nobody wants",
        times: 30_000,
        run: |times| deliver(Kind::Browse, times),
    },
    Figure {
        name: "fold a product view into its session",
        times: 10_000,
        run: |times| deliver(Kind::View, times),
    },
    Figure {
        name: "deliver a tracking event",
        times: 300,
        run: |times| deliver(Kind::Coupon, times),
    },
    Figure {
        name: "deliver an order with ten products in bulk requests",
        times: 900,
        run: |times| deliver(Kind::Order(10), times),
    },
    Figure {
        name: "deliver an order with ten products in bulk requests, each step recorded",
        times: 900,
        run: |times| deliver_with(Driven::recorded, Kind::Order(10), times),
    },
    Figure {
        name: "pack a bulk request of 100 orders with ten products",
        times: 20,
        run: |times| pack(times),
    },
    Figure {
        name: "read the answer to a bulk request of 100 orders with ten products",
        times: 10,
        run: |times| read(&answers::submitted(bulk(10)), times),
    },
    Figure {
        name: "read the results of a bulk job of 100",
        times: 20,
        run: |times| read(&answers::results(), times),
    },
    Figure {
        name: "read the answer to a tracking event",
        times: 500,
        run: |times| read(&answers::tracked(), times),
    },
];

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--one");
    let result = match arguments.next() {
        Some(_) => one(&arguments.collect::<Vec<_>>()),
        None => compare(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("instructions: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

// === what is counted ===

fn judge(kind: Kind, times: usize) {
    let (pipeline, record, now) = (pipeline(), sample(kind), now());
    let skipped = matches!(pipeline.judge(&record, now).1, Verdict::Skip(_));
    assert_eq!(skipped, kind == Kind::Browse);
    while_counting(|| {
        for _ in 0..times {
            black_box(pipeline.judge(black_box(&record), now));
        }
    });
}

fn deliver(kind: Kind, times: usize) {
    deliver_with(|driven| driven, kind, times);
}

fn deliver_with(how: fn(Driven) -> Driven, kind: Kind, times: usize) {
    let pipeline: Pipeline = pipeline();
    let count = u64::try_from(times).expect("not that many");
    let first = inputs(&pipeline, Kind::Coupon, 0, CUSTOMERS);
    let records = inputs(&pipeline, kind, CUSTOMERS, count);
    // An earlier event has made each customer's id known.
    let driven = how(Driven::new(PLENTY)).deliver(first);
    black_box(while_counting(|| driven.deliver(records)));
}

fn pack(times: usize) {
    let call = bulk(10);
    while_counting(|| {
        for _ in 0..times {
            black_box(encode(black_box(&call)));
        }
    });
}

fn read(answered: &Answered, times: usize) {
    let Answered { call, reply } = answered;
    assert!(!classify(call, reply).is_failure());
    while_counting(|| {
        for _ in 0..times {
            black_box(classify(black_box(call), black_box(reply)));
        }
    });
}

/// What is counted, and nothing else: the counter knows this function by its name.
#[inline(never)]
fn while_counting<T>(work: impl FnOnce() -> T) -> T {
    black_box(work())
}

// === counting ===

/// Does one of them, under the counter.
fn one(arguments: &[String]) -> anyhow::Result<()> {
    let [name, times] = arguments else {
        bail!("--one NAME TIMES");
    };
    let figure = FIGURES.iter().find(|figure| figure.name == name.as_str());
    let figure = figure.with_context(|| format!("there is no figure {name:?}"))?;
    (figure.run)(times.parse()?);
    Ok(())
}

/// The least instructions of several counts, or the first that is not above.
fn least(figure: &Figure, above: impl Fn(u64) -> bool) -> anyhow::Result<u64> {
    let mut least = count(figure)?;
    for _ in 1..COUNTS {
        if !above(least) {
            break;
        }
        least = least.min(count(figure)?);
    }
    Ok(least)
}

/// Instructions of one time.
fn count(figure: &Figure) -> anyhow::Result<u64> {
    let output = Command::new("valgrind")
        .args([
            "--tool=callgrind",
            "--toggle-collect=*while_counting*",
            "--callgrind-out-file=/dev/null",
        ])
        .arg(std::env::current_exe()?)
        .args(["--one", figure.name, &figure.times.to_string()])
        .output()
        .context("valgrind")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}: {said}", figure.name);
    // Some versions align the word.
    let line = said.lines().find_map(|line| line.split_once(" refs:"));
    let (_, number) = line.with_context(|| format!("valgrind counted nothing: {said}"))?;
    let count: u64 = number.replace(',', "").trim().parse()?;
    ensure!(
        count > 0,
        "{}: valgrind counted nothing: {said}",
        figure.name
    );
    Ok(count / u64::try_from(figure.times)?)
}

fn compare() -> anyhow::Result<()> {
    if Command::new("valgrind").arg("--version").output().is_err() {
        ensure!(
            std::env::var_os("INGEST_REQUIRE_VALGRIND").is_none(),
            "valgrind is required, and is not here"
        );
        say("instructions: NOT COMPARED, because valgrind is not installed");
        return Ok(());
    }
    let stores = std::env::var_os("INGEST_STORE_INSTRUCTIONS").is_some();
    let baseline: BTreeMap<String, u64> = match std::fs::read_to_string(BASELINE) {
        Ok(text) => serde_json::from_str(&text).context("baseline.json")?,
        Err(_) if stores => BTreeMap::new(),
        Err(error) => return Err(error).context("baseline.json"),
    };
    let mut counted = BTreeMap::new();
    let mut grown = Vec::new();
    for figure in FIGURES {
        let before = baseline.get(figure.name);
        let above = |now| before.is_none_or(|before| percent(*before, now) > TOLERANCE);
        let now = least(figure, |now| stores || above(now))?;
        counted.insert(figure.name, now);
        let line = match before {
            None => format!("{}: {now}, not in the baseline", figure.name),
            Some(before) => {
                let percent = percent(*before, now);
                let line = format!("{}: {now}, was {before} ({percent:+.1} %)", figure.name);
                if percent > TOLERANCE {
                    grown.push(line.clone());
                }
                line
            }
        };
        say(&format!("instructions to {line}"));
        if !baseline.contains_key(figure.name) && !stores {
            grown.push(line);
        }
    }
    if stores {
        let text = serde_json::to_string_pretty(&counted)? + "\n";
        return Ok(std::fs::write(Path::new(BASELINE), text)?);
    }
    ensure!(
        grown.is_empty(),
        "more than {TOLERANCE} % above the baseline. If that is meant, store the new counts: INGEST_STORE_INSTRUCTIONS=1 cargo \
         test --bench instructions\n  {}",
        grown.join("\n  ")
    );
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
fn percent(before: u64, now: u64) -> f64 {
    (now as f64 / before as f64 - 1.0) * 100.0
}

fn say(text: &str) {
    let written = writeln!(std::io::stderr().lock(), "{text}");
    debug_assert!(written.is_ok(), "standard error is open");
}
