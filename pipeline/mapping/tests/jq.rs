//! Compares the results of expressions with those of jq.
//!
//! `jq/results.ndjson.gz` has what jq 1.7 gives for each line of `jq/expressions.txt` on each line of `jq/inputs.ndjson`;
//! `jq/make.sh` makes it again if jq is installed. `jq/differences.txt` names the differences that are allowed, and
//! `docs/mapping.md` has the reason for each name.

#![expect(clippy::unwrap_used, reason = "the helpers of tests fail like tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use ingest_mapping::mapping::expr::{Expr, Scope};
use serde_json::Value;

/// The name for results that JSON does not have; jq writes null or the largest number for them.
const NOT_FINITE: &str = "not-finite";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/jq")
}

fn lines(name: &str) -> Vec<String> {
    let text = fs::read_to_string(folder().join(name)).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// What jq gives: for each expression a list with all outputs, or "error", for each input; null if jq does not compile it.
fn results() -> Vec<Value> {
    let packed = fs::read(folder().join("results.ndjson.gz")).unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(packed.as_slice())
        .read_to_string(&mut text)
        .unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The expressions that may differ from jq, each with the name of the difference.
fn differences() -> BTreeMap<String, String> {
    lines("differences.txt")
        .iter()
        .map(|line| {
            let (name, expression) = line.split_once('\t').unwrap();
            (expression.to_owned(), name.to_owned())
        })
        .collect()
}

enum Outcome {
    Outputs(Value),
    Error,
    NotFinite,
}

fn outcome(expr: &Expr, input: &Value) -> Outcome {
    let input = ingest_mapping::value::Value::from(input.clone());
    let scope = Scope::of_payload(&input, None);
    match expr.eval(&scope) {
        Ok(outputs) => Outcome::Outputs(serde_json::to_value(outputs.unwrap()).unwrap()),
        Err(failed) if failed.what.contains("not finite") => Outcome::NotFinite,
        Err(failed) => {
            assert!(!failed.exhausted, "{}: {}", expr.text(), failed.what);
            Outcome::Error
        }
    }
}

/// Equality. Numbers may differ slightly, because the functions of the C library and of Rust do.
fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            let (left, right) = (left.as_f64().unwrap(), right.as_f64().unwrap());
            (left - right).abs() <= 1e-12 * left.abs().max(right.abs())
        }
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(l, r)| same(l, r))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .all(|(key, l)| right.get(key).is_some_and(|r| same(l, r)))
        }
        (left, right) => left == right,
    }
}

#[test]
fn expressions_give_what_jq_gives() {
    let (expressions, results) = (lines("expressions.txt"), results());
    assert_eq!(expressions.len(), results.len(), "run jq/make.sh");
    let inputs: Vec<Value> = lines("inputs.ndjson")
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let allowed = differences();
    let (mut wrong, mut differing, mut compared) = (Vec::new(), BTreeSet::new(), 0);
    for (text, results) in expressions.iter().zip(&results) {
        let Some(results) = results.as_array() else {
            continue;
        };
        let compiled = match Expr::compile(&format!("[{text}]")) {
            Ok(compiled) => compiled,
            Err(refused) => {
                differing.insert(text.clone());
                if !allowed.contains_key(text) {
                    wrong.push(format!("{text}: refused: {}", refused.problem));
                }
                continue;
            }
        };
        assert_eq!(results.len(), inputs.len(), "{text}: run jq/make.sh");
        for (input, wanted) in inputs.iter().zip(results) {
            compared += 1;
            let (agrees, found) = match outcome(&compiled, input) {
                Outcome::Outputs(outputs) => (same(&outputs, wanted), outputs.to_string()),
                Outcome::Error => (wanted == "error", "an error".to_owned()),
                Outcome::NotFinite => (true, NOT_FINITE.to_owned()),
            };
            if !agrees {
                differing.insert(text.clone());
                if !allowed.contains_key(text) {
                    wrong.push(format!("{text} on {input}: {found}, jq gives {wanted}"));
                }
            }
        }
    }
    let shown: Vec<&String> = wrong.iter().take(20).collect();
    assert!(wrong.is_empty(), "{} differ: {shown:#?}", wrong.len());
    assert!(compared >= 50_000, "{compared} compared");
    let idle: Vec<&String> = allowed
        .keys()
        .filter(|text| !differing.contains(*text))
        .collect();
    assert!(idle.is_empty(), "these differ no longer: {idle:#?}");
}

#[test]
fn every_difference_is_documented() {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/mapping.md");
    let guide = fs::read_to_string(guide).unwrap();
    let names: BTreeSet<String> = differences().into_values().collect();
    for name in names.iter().map(String::as_str).chain([NOT_FINITE]) {
        assert!(guide.contains(&format!("| `{name}` |")), "{name}");
    }
}

/// Filters of jq 1.7 that the table above cannot compare, and filters of its next version.
#[test]
fn later_filters_are_there() {
    let eval = |text: &str| {
        let expr = Expr::compile(text).unwrap_or_else(|refused| panic!("{text}: {refused:?}"));
        let input = ingest_mapping::value::Value::Null;
        let scope = Scope::of_payload(&input, None);
        let found = expr.eval(&scope).unwrap();
        found.map(|value| serde_json::to_value(value).unwrap())
    };
    for (text, wanted) in [
        ("65 | ascii", "\"A\""),
        ("\" a \" | trim", "\"a\""),
        ("\"abcab\" | trimstr(\"ab\")", "\"c\""),
        ("[skip(1; 1, 2, 3)]", "[2,3]"),
        ("add(1, 2, 3)", "6"),
        ("[1 | toarray, ([2] | toarray)]", "[[1],[2]]"),
        ("\"a%20b\" | @urid", "\"a b\""),
        ("1764325143 | date", "\"2025-11-28T10:19:03Z\""),
    ] {
        let wanted: Value = serde_json::from_str(wanted).unwrap();
        let found = eval(&format!("[{text}] | first"));
        assert_eq!(found, Some(wanted), "{text}");
    }
}
