//! Limits on the cost of one record: no expression that compiles takes more than 64 MiB of memory or one second of CPU time
//! on a record of up to a mebibyte, or exhausts the stack.
//!
//! One test generates expressions from a grammar for a short time; `INGEST_FUZZ_SECONDS` makes it run longer,
//! `INGEST_FUZZ_SEED` repeats a run. The others have expressions and records that were found to be costly or deep. All run
//! on a thread with the default stack size.
//!
//! Memory is the peak that the allocator counts. Time is the CPU time of the thread, so a busy machine does not change it.

#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the helpers of tests fail like tests"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "how long a test runs is no configuration of the worker"
)]

use std::fs;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use ingest_mapping::decode::{Limits, json};
use ingest_mapping::mapping::expr::{Expr, Scope};
use peak_alloc::PeakAlloc;
use serde_json::Value;

/// The most memory that one record may take.
const MAX_MEMORY_KIB: usize = 64 * 1024;
/// The most CPU time that one record may take. Without optimisation everything takes several times as long.
const MAX_TIME: Duration = Duration::from_secs(1);
/// The default stack size of a thread.
const STACK: usize = 2 * 1024 * 1024;

/// Counts what is allocated and keeps the peak.
#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// The peak of the memory that `run` allocates, in KiB.
fn peak_kib(run: impl FnOnce()) -> usize {
    ALLOCATOR.reset_peak_usage();
    let before = ALLOCATOR.current_usage();
    run();
    ALLOCATOR.peak_usage().saturating_sub(before) / 1_024
}

/// The CPU time of this thread so far.
fn computing() -> Duration {
    let stat = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    let nanoseconds = stat.split(' ').next().unwrap().parse().unwrap();
    Duration::from_nanos(nanoseconds)
}

/// Decodes a record, evaluates an expression on it, and checks what both cost.
fn judge(text: &str, record: &str) {
    let Ok(expr) = Expr::compile(text) else {
        return;
    };
    let began = computing();
    let memory = peak_kib(|| {
        if let Ok(payload) = json::parse(record.as_bytes(), Limits::default()) {
            let scope = Scope::of_payload(&payload, None);
            drop(expr.eval(&scope));
        }
    });
    let took = computing() - began;
    let record: String = record.chars().take(60).collect();
    assert!(took <= MAX_TIME, "{text} on {record}…: {took:?}");
    assert!(
        memory <= MAX_MEMORY_KIB,
        "{text} on {record}…: {memory} KiB"
    );
}

/// Memory is counted for the whole process, so only one test runs at a time.
static ALONE: Mutex<()> = Mutex::new(());

fn on_a_thread(f: impl FnOnce() + Send + 'static) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let thread = thread::Builder::new().stack_size(STACK).spawn(f).unwrap();
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// Records of up to a mebibyte, each costly in its own way.
fn records() -> Vec<String> {
    const SIZE: usize = 1_000_000;
    let list = |item: &str, bytes: usize| vec![item; bytes / (item.len() + 1)].join(",");
    vec![
        format!("{{\"id\":\"{}\",\"lines\":[{}]}}", "m".repeat(SIZE - 40), 1),
        format!(
            "{{\"id\":\"{}\",\"lines\":[{}]}}",
            "m".repeat(SIZE / 2),
            list("\"aé\"", SIZE / 4)
        ),
        format!(
            "{{\"id\":\"{}\",\"lines\":[{}]}}",
            "m".repeat(SIZE / 8),
            list("0", SIZE / 12)
        ),
        format!(
            "{{\"id\":\"x\",\"lines\":[{}]}}",
            list("{\"a\":1}", SIZE / 6)
        ),
        format!("[{}]", list("0", SIZE - 10)),
        format!("[{}]", list("{\"\":0}", SIZE - 10)),
        format!(
            "{{\"path\":\"{}\",\"lines\":[]}}",
            "k/".repeat(SIZE / 2 - 20)
        ),
        format!(
            "{{\"n\":{}{},\"lines\":[1,2,3],\"id\":\"q\"}}",
            "[".repeat(120),
            "]".repeat(120)
        ),
    ]
}

#[test]
fn dear_expressions_stay_within_the_bounds() {
    let doubled = ["[.,.]"; 30].join(" | ");
    let mut expressions: Vec<String> = [
        "{lines: [.lines[] | {order: \"\\(.)\"}]}",
        ". as $d | {lines: [.lines[] | {order: $d.id}]}",
        ". as $d | .lines | map(\"\") | join($d.id) | length",
        ".id | gsub(\"m\"; \"a longer text than the one that stood there before\")",
        ".id | gsub(\".*?x|.\"; \"y\")",
        ".id | [match(\"(m|n)*?z|.\"; \"g\")] | length",
        ".id | . as $t | indices($t[0:100000]) | length",
        ".id | . as $t | [range(100000) | {($t): 1}] | length",
        ".id | [limit(1000; repeat(.))] | join(\"\")",
        ".id | tojson | tojson | tojson | length",
        ".id | split(\"\") | join(\"xxxxxxxxxx\")",
        ".id | . * 1000",
        "reduce ((.path // \"\") | split(\"/\"))[] as $key (null; [$key, .])",
        "reduce range(100000) as $i (null; {a: .})",
        "reduce range(1000000) as $i (\"x\"; . + .)",
        "[recurse([.])]",
        ".lines | . as $l | map($l) | tojson",
        ".lines | . as $l | map($l) | flatten",
        ".lines | [combinations(3)]",
        ".lines | sort_by(.) | group_by(.)",
        "[.lines[] as $x | .lines[] as $y | 1]?",
        "[range(10000000)] | length",
        "last(range(1e9))",
        "[1 | while(true; . + 1)]",
        "null | .[100000000] = 1",
        "tojson | fromjson | tojson | length",
        "def f(g): g | g; def h(g): f(f(g)); h(h(h(h([., .])))) | length",
        "[range(3000) as $i | \"x\" | test(\"\\($i)\")] | length",
    ]
    .map(str::to_owned)
    .to_vec();
    expressions.push(doubled.clone());
    expressions.push(format!("{doubled} | tojson | length"));
    expressions.push(format!("{doubled} == ({doubled})"));
    on_a_thread(move || {
        for record in records() {
            for text in &expressions {
                judge(text, &record);
            }
        }
    });
}

#[test]
fn deep_expressions_leave_the_stack_alone() {
    let around = |open: &str, inner: &str, close: &str, times: usize| {
        format!("{}{inner}{}", open.repeat(times), close.repeat(times))
    };
    let mut expressions = vec![
        vec!["(., .)"; 900].join(" | "),
        vec!["(., . + 1)"; 600].join(" | "),
        vec!["{a: (., 1)}"; 500].join(" | "),
        vec!["\"\\(1, 2)\""; 500].join(" | "),
        vec!["limit(9; ., 2)"; 400].join(" | "),
        vec!["(.a |= (., 1))"; 400].join(" | "),
        vec!["sub(\"a\"; \"a\", \"b\")"; 300].join(" | "),
        vec!["1"; 60].join(" + "),
        ".a".repeat(60),
        vec!["(1, 2)"; 400].join(" as $x | ") + " | $x",
        "-".repeat(4_000) + "1",
        "(".repeat(4_000),
        around("\"\\(", "1", ")\"", 400),
    ];
    for times in [5, 10, 20, 40, 200, 900] {
        expressions.push(around("(", "1", ")", times));
        expressions.push(around("[.[]? | ", "1", "]", times));
        expressions.push(around("map(", ".", ")", times));
        expressions.push(around("first(", "1, 2", ")", times));
        expressions.push(around("with_entries(", ".", ")", times));
        expressions.push(around("if . then ", "1", " else 2 end", times));
        expressions.push(around("reduce (1, 2) as $x (0; ", "1", ")", times));
    }
    on_a_thread(move || {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(120), "]".repeat(120));
        for text in &expressions {
            judge(text, &deep);
        }
        judge("[..] | map([..]) | length", &deep);
        judge("walk(walk(.)) | tostream", &deep);
    });
}

/// Pseudo-random numbers.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(most).unwrap()).unwrap()
    }

    fn of<'t>(&mut self, choices: &[&'t str]) -> &'t str {
        choices[self.below(choices.len())]
    }
}

const LEAVES: &[&str] = &[
    ".",
    ".id",
    ".lines",
    ".lines[]",
    ".lines[0]",
    ".path",
    ".n",
    "..",
    "1",
    "2.5",
    "-1",
    "1000",
    "\"a\"",
    "\"m\"",
    "\"\"",
    "null",
    "true",
    "[]",
    "{}",
    "[.,.]",
    "range(1000)",
    "range(1e6)",
    "$event",
    "[limit(99; ..)]",
    ".[]?",
    "empty",
    "1e9",
    "[1, 2]",
];

const PLAIN: &[&str] = &[
    "length",
    "tojson",
    "fromjson",
    "tostring",
    "tonumber",
    "keys",
    "sort",
    "unique",
    "reverse",
    "flatten",
    "add",
    "explode",
    "implode",
    "to_entries",
    "from_entries",
    "transpose",
    "combinations",
    "ascii_downcase",
    "min",
    "max",
    "type",
    "not",
    "any",
    "all",
    "paths",
    "first",
    "last",
    "tostream",
    "recurse",
    "@base64",
    "@base64d",
    "@uri",
    "@html",
    "@csv",
    "@tsv",
    "@sh",
    "@json",
    "trim",
    "floor",
    "todate",
    "gmtime",
    "split(\"\")",
    "join(\",\")",
    "test(\"(a|b)*c\")",
    "[scan(\"m\")]",
    "gsub(\"m\"; \"nn\")",
    "gsub(\"\"; \"-\")",
    "[splits(\"a*\")]",
    "[match(\"(m+)+$\"; \"g\")]",
    "sub(\"(?<x>.)\"; .x + .x)",
    "del(.[0]?)",
    "indices(1)?",
    "utf8bytelength",
];

const WITH_ONE: &[&str] = &[
    "map",
    "select",
    "sort_by",
    "group_by",
    "unique_by",
    "min_by",
    "max_by",
    "path",
    "del",
    "first",
    "last",
    "recurse",
    "repeat",
    "walk",
    "with_entries",
    "map_values",
    "any",
    "all",
    "isempty",
    "join",
    "has",
    "contains",
    "inside",
    "split",
    "index",
    "indices",
    "startswith",
    "flatten",
    "error",
    "paths",
    "pick",
    "combinations",
    "add",
    "getpath",
    "delpaths",
    "ltrimstr",
    "test",
    "scan",
    "range",
    "INDEX",
    "IN",
    "bsearch",
    "in",
];

const WITH_TWO: &[&str] = &[
    "limit", "while", "until", "setpath", "sub", "gsub", "range", "nth", "skip", "split", "splits",
    "pow", "INDEX", "any",
];

const OPERATORS: &[&str] = &[
    "|", "|", "|", "|", ",", "+", "-", "*", "/", "%", "==", "<", "//", "and", "or", "=", "|=",
    "+=", "*=", "//=",
];

fn expression(dice: &mut Dice, depth: usize) -> String {
    if depth == 0 {
        return dice.of(LEAVES).to_owned();
    }
    let part = |dice: &mut Dice| expression(dice, depth - 1);
    match dice.below(14) {
        0 => dice.of(PLAIN).to_owned(),
        1 | 2 => format!("({} | {})", part(dice), dice.of(PLAIN)),
        3 => format!("{}({})", dice.of(WITH_ONE), part(dice)),
        4 => format!("{}({}; {})", dice.of(WITH_TWO), part(dice), part(dice)),
        5 => format!("[{}]", part(dice)),
        6 => format!("{{a: {}, (\"x\", \"b\"): {}}}", part(dice), part(dice)),
        7 => format!("\"<\\({})-\\({})>\"", part(dice), part(dice)),
        8 => format!(
            "(reduce {} as $x ({}; {}))",
            part(dice),
            part(dice),
            part(dice)
        ),
        9 => format!(
            "[foreach {} as $x ({}; {})]",
            part(dice),
            part(dice),
            part(dice)
        ),
        10 => format!("(try {} catch {})", part(dice), part(dice)),
        11 => format!(
            "(if {} then {} else {} end)",
            part(dice),
            part(dice),
            part(dice)
        ),
        12 => format!(
            "({} as $x | {} | {} + $x)",
            part(dice),
            part(dice),
            part(dice)
        ),
        _ => {
            let (left, right) = (part(dice), part(dice));
            format!("({left} {} {right})", dice.of(OPERATORS))
        }
    }
}

#[test]
#[expect(clippy::print_stderr, reason = "a long run says how far it came")]
fn any_expression_stays_within_the_bounds() {
    let number = |name: &str, default: u64| {
        std::env::var(name).map_or(default, |text| text.parse().unwrap())
    };
    let seconds = Duration::from_secs(number("INGEST_FUZZ_SECONDS", 3));
    let mut dice = Dice(number("INGEST_FUZZ_SEED", 0x5eed).max(1));
    on_a_thread(move || {
        let (records, began) = (records(), Instant::now());
        let mut judged = 0_u64;
        while began.elapsed() < seconds {
            judged += 1;
            let depth = 1 + dice.below(4);
            let text = format!("[{}]", expression(&mut dice, depth));
            let record = &records[dice.below(records.len())];
            judge(&text, record);
            if judged.is_multiple_of(100_000) {
                eprintln!("{judged} expressions in {:.0?}", began.elapsed());
            }
        }
        eprintln!("{judged} expressions in {:.0?}", began.elapsed());
    });
}

#[test]
fn decoding_stays_within_the_bounds() {
    on_a_thread(|| {
        for record in records() {
            judge(".", &record);
        }
    });
    let most = "[".to_owned() + &vec!["{\"\":0}"; 140_000].join(",") + "]";
    assert!(json::parse(most.as_bytes(), Limits::default()).is_err());
    let usual: Vec<Value> = (0..2_000)
        .map(|i| serde_json::json!({"sku": i, "name": "a product", "price": 9.5, "tags": ["a"]}))
        .collect();
    let usual = Value::from(usual).to_string();
    assert!(json::parse(usual.as_bytes(), Limits::default()).is_ok());
}
