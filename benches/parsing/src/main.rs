//! What parsing a record costs with several libraries: all of it as a tree, and a glance at the fields that name the event.
//!
//! `cargo run --release --manifest-path benches/parsing/Cargo.toml -- FOLDER…` reads all `.json`, `.jsonl` and `.ndjson` files
//! below the folders, each as one record or one a line, and prints for each folder the median nanoseconds a record of several
//! rounds. `docs/adr/` says what was decided with it.

use std::collections::BTreeMap;
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use serde::Deserialize;
use serde_json::value::RawValue;
use sonic_rs::JsonValueTrait as _;

/// Rounds of each way of parsing; the ways take turns.
const ROUNDS: usize = 9;
/// How often a round parses every record.
const TIMES: usize = 20;
/// Fields that may name an event.
const FIELDS: [&str; 4] = ["type", "event", "name", "integrations"];

type Way = (&'static str, fn(&[u8]) -> bool);

const WAYS: &[Way] = &[
    ("utf-8 alone", |bytes| std::str::from_utf8(bytes).is_ok()),
    ("serde_json, tree", |bytes| {
        serde_json::from_slice::<serde_json::Value>(bytes).is_ok()
    }),
    ("serde_json, glance", |bytes| {
        std::str::from_utf8(bytes).is_ok_and(|text| serde_json::from_str::<Seen<'_>>(text).is_ok())
    }),
    ("simd-json, borrowed tree", |bytes| {
        let mut own = bytes.to_vec();
        simd_json::to_borrowed_value(&mut own).is_ok()
    }),
    ("simd-json, owned tree", |bytes| {
        let mut own = bytes.to_vec();
        simd_json::to_owned_value(&mut own).is_ok()
    }),
    ("simd-json, tape", |bytes| {
        let mut own = bytes.to_vec();
        simd_json::to_tape(&mut own).is_ok()
    }),
    ("simd-json, into a serde_json tree", |bytes| {
        let mut own = bytes.to_vec();
        simd_json::from_slice::<serde_json::Value>(&mut own).is_ok()
    }),
    ("sonic-rs, tree", |bytes| {
        sonic_rs::from_slice::<sonic_rs::Value>(bytes).is_ok()
    }),
    ("sonic-rs, into a serde_json tree", |bytes| {
        sonic_rs::from_slice::<serde_json::Value>(bytes).is_ok()
    }),
    ("sonic-rs, glance that stops at the last field", |bytes| {
        FIELDS
            .iter()
            .filter(|field| sonic_rs::get(bytes, &[**field]).is_ok())
            .count()
            > 0
    }),
    ("sonic-rs, glance at the whole text", |bytes| {
        let mut seen = 0;
        for field in sonic_rs::to_object_iter(bytes) {
            match field {
                Ok((name, value)) => {
                    seen +=
                        usize::from(FIELDS.contains(&name.as_ref()) && value.as_str().is_some());
                }
                Err(_) => return false,
            }
        }
        black_box(seen);
        true
    }),
];

/// What a glance keeps.
#[derive(Deserialize)]
#[expect(dead_code, reason = "what is read is what costs")]
struct Seen<'t> {
    #[serde(borrow, rename = "type")]
    kind: Option<&'t RawValue>,
    #[serde(borrow)]
    event: Option<&'t RawValue>,
    #[serde(borrow)]
    name: Option<&'t RawValue>,
    #[serde(borrow)]
    integrations: Option<&'t RawValue>,
}

fn main() {
    let folders: Vec<String> = std::env::args().skip(1).collect();
    if folders.is_empty() {
        println!("usage: parsing FOLDER…, folders with .json, .jsonl or .ndjson files");
        std::process::exit(2);
    }
    for folder in folders {
        let mut records = Vec::new();
        collect(Path::new(&folder), &mut records);
        // Only what every library can read is compared.
        let read_by_all = |record: &Vec<u8>| {
            WAYS.iter()
                .filter(|(name, _)| name.contains("tree"))
                .all(|(_, way)| way(record))
        };
        records.retain(read_by_all);
        if records.is_empty() {
            println!("{folder}: no records");
            continue;
        }
        report(&folder, &records);
    }
    exactness();
}

fn collect(folder: &Path, records: &mut Vec<Vec<u8>>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            collect(&path, records);
            continue;
        }
        let Ok(bytes) = fs::read(&path) else { continue };
        match path.extension().and_then(|kind| kind.to_str()) {
            // Written for people; topics carry it without the spaces.
            Some("json") => {
                let value = serde_json::from_slice::<serde_json::Value>(&bytes);
                records.extend(value.map(|value| value.to_string().into_bytes()));
            }
            Some("jsonl" | "ndjson") => {
                let lines = bytes.split(|byte| *byte == b'\n');
                records.extend(
                    lines
                        .filter(|line| !line.is_empty())
                        .take(2_000)
                        .map(<[u8]>::to_vec),
                );
            }
            _ => {}
        }
    }
}

fn report(folder: &str, records: &[Vec<u8>]) {
    let bytes: usize = records.iter().map(Vec::len).sum();
    println!(
        "\n{folder}: {} records of {} bytes on average",
        records.len(),
        bytes / records.len()
    );
    let mut times: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    for _ in 0..ROUNDS {
        for (number, (_, way)) in WAYS.iter().enumerate() {
            let start = Instant::now();
            for _ in 0..TIMES {
                for record in records {
                    black_box(way(black_box(record)));
                }
            }
            let each = start.elapsed().as_nanos() as f64 / (TIMES * records.len()) as f64;
            times.entry(number).or_default().push(each);
        }
    }
    for (number, (name, _)) in WAYS.iter().enumerate() {
        let all = times.entry(number).or_default();
        all.sort_by(f64::total_cmp);
        let (median, least, most) = (all[ROUNDS / 2], all[0], all[ROUNDS - 1]);
        println!("  {name:48} {median:9.0} ns  ({least:.0} to {most:.0})");
    }
}

/// Numbers that must stay what they are: each as the libraries give it back.
fn exactness() {
    println!("\nnumbers, as they come back");
    for text in [
        "9007199254740993",
        "18446744073709551615",
        "18446744073709551616",
        "122.41629403378658",
        "1e400",
    ] {
        let serde = serde_json::from_str::<serde_json::Value>(text).map(|value| value.to_string());
        let mut own = text.as_bytes().to_vec();
        let simd = simd_json::to_owned_value(&mut own)
            .map(|value| simd_json::to_string(&value).unwrap_or_default());
        let sonic = sonic_rs::from_str::<sonic_rs::Value>(text).map(|value| value.to_string());
        let shown = |found: Result<String, String>| found.unwrap_or_else(|_| "refused".to_owned());
        println!(
            "  {text:22} serde_json {:24} simd-json {:24} sonic-rs {}",
            shown(serde.map_err(|error| error.to_string())),
            shown(simd.map_err(|error| error.to_string())),
            shown(sonic.map_err(|error| error.to_string())),
        );
    }
}
