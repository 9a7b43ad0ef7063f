//! Where a source was when it made a change: the version of what it changed.
//!
//! Each position is a whole number in decimal, however long, so that all versions of a topic can be compared:
//!
//! | source | made of |
//! |---|---|
//! | SQL Server, Db2 | `commit_lsn`, `change_lsn`, `event_serial_no` |
//! | MySQL, MariaDB | the number of the binlog `file`, `pos`, `row` |
//! | Oracle | `scn` |
//! | PostgreSQL | `lsn` |
//! | MongoDB | the seconds of `ts_ms`, `ord` |
//! | others | microseconds: `ts_us`, `ts_ms` or `ts_ns` |
//!
//! A source that has a position, but not in this record (some incremental snapshots), gives none: its time would be a number
//! of another size, and what it versions could not be updated ever after.

use crate::value::{Map, Value};

/// Fields of sources that count by something better than time.
const COUNTED: &[&str] = &[
    "commit_lsn",
    "change_lsn",
    "file",
    "pos",
    "scn",
    "lsn",
    "ord",
];
/// The connectors of such sources.
const COUNTING: &[&str] = &[
    "postgresql",
    "mysql",
    "mariadb",
    "sqlserver",
    "oracle",
    "db2",
    "informix",
    "mongodb",
];

/// The position in the fields of a `source`, if it has one.
pub(super) fn of(source: &Map<'_>) -> Option<String> {
    let number = |name: &str| whole(source.get(name)?);
    let lsn = |name: &str| sequence_number(source.get(name)?.as_str()?);
    if let Some(commit) = lsn("commit_lsn") {
        let change = lsn("change_lsn").unwrap_or_default();
        let serial = number("event_serial_no").unwrap_or_default();
        return Some(format!("{commit}{change:025}{serial:010}"));
    }
    if let (Some(file), Some(pos)) = (source.get("file").and_then(Value::as_str), number("pos")) {
        let (_, file) = file.rsplit_once('.')?;
        let file: u64 = file.parse().ok()?;
        let row = number("row").unwrap_or_default();
        return Some(format!("{file}{pos:020}{row:07}"));
    }
    if let Some(number) = number("scn").or_else(|| number("lsn")) {
        return Some(number.to_string());
    }
    if let Some(seconds) = number("ts_ms").map(|ms| ms / 1_000)
        && source.contains_key("ord")
    {
        let place = number("ord").unwrap_or_default();
        return Some(format!("{seconds}{place:010}"));
    }
    if counts(source) {
        return None;
    }
    let micros = number("ts_us")
        .or_else(|| number("ts_ms").map(|ms| ms * 1_000))
        .or_else(|| number("ts_ns").map(|ns| ns / 1_000));
    micros.filter(|at| *at > 0).map(|at| at.to_string())
}

/// Whether a field counts by something better than time.
pub(super) fn is_counted(field: &str) -> bool {
    COUNTED.contains(&field)
}

/// Whether a source counts by something better than time, even if not in this record.
pub(super) fn counts(source: &Map<'_>) -> bool {
    let connector = source.get("connector").and_then(Value::as_str);
    connector.is_some_and(|connector| COUNTING.contains(&connector))
        || COUNTED.iter().any(|name| source.contains_key(name))
}

/// A whole number that is not negative, as a number or a text.
fn whole(value: &Value<'_>) -> Option<u128> {
    match value {
        Value::Number(number) => number.as_u64().map(u128::from),
        Value::String(text) => text.trim().parse::<u64>().ok().map(u128::from),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A log sequence number such as `00000027:00000ac0:0002`: 80 bits.
fn sequence_number(text: &str) -> Option<u128> {
    let mut parts = text
        .trim()
        .split(':')
        .map(|part| u32::from_str_radix(part, 16));
    let (a, b, c) = (
        parts.next()?.ok()?,
        parts.next()?.ok()?,
        parts.next()?.ok()?,
    );
    let c = u16::try_from(c).ok()?;
    (parts.next().is_none()).then(|| (u128::from(a) << 48) | (u128::from(b) << 16) | u128::from(c))
}

#[cfg(test)]
mod tests {
    use ingest_model::operation::Version;

    use super::*;
    use crate::value::json;

    fn of_source(source: Value<'_>) -> Option<String> {
        let Value::Object(source) = source else {
            panic!("an object")
        };
        of(&source)
    }

    #[test]
    fn later_positions_are_newer() {
        for rising in [
            vec![
                json!({"connector": "postgresql", "lsn": 9_999_999}),
                json!({"connector": "postgresql", "lsn": 24_023_128}),
                json!({"connector": "postgresql", "lsn": "24023129"}),
            ],
            vec![
                json!({"file": "mysql-bin.000009", "pos": 99_999_999, "row": 5}),
                json!({"file": "mysql-bin.000010", "pos": 4, "row": 0}),
                json!({"file": "mysql-bin.000010", "pos": 364, "row": 0}),
                json!({"file": "mysql-bin.000010", "pos": 364, "row": 11}),
                json!({"file": "mysql-bin.000010", "pos": 1_041, "row": null}),
                json!({"file": "mysql-bin.1000000", "pos": 4}),
            ],
            vec![
                // a snapshot has no change of its own
                json!({"commit_lsn": "00000027:00000ac0:0007", "change_lsn": null}),
                json!({"commit_lsn": "00000027:00000ac0:0007", "change_lsn": "00000027:00000ac0:0002", "event_serial_no": "1"}),
                json!({"commit_lsn": "00000027:00000ac0:0007", "change_lsn": "00000027:00000ac0:0002", "event_serial_no": "2"}),
                json!({"commit_lsn": "00000027:00000ac0:0007", "change_lsn": "00000027:00000ac0:0003", "event_serial_no": 1}),
                json!({"commit_lsn": "00000027:0000a000:0001", "change_lsn": "00000027:00000002:0001"}),
                json!({"commit_lsn": "00000100:00000001:0001"}),
            ],
            vec![json!({"scn": "999"}), json!({"scn": 1_122_334})],
            vec![
                json!({"ts_ms": 1_558_965_508_000_i64, "ord": 9}),
                json!({"ts_ms": 1_558_965_508_000_i64, "ord": 31}),
                json!({"ts_ms": 1_558_965_509_000_i64, "ord": 1}),
            ],
            vec![
                json!({"ts_us": 1_558_965_508_000_001_i64}),
                json!({"ts_ms": 1_558_965_508_001_i64}),
                json!({"ts_ns": 1_558_965_508_001_002_003_i64}),
            ],
        ] {
            let versions: Vec<_> = rising
                .into_iter()
                .map(|source| Version::new(&of_source(source).unwrap()))
                .collect();
            for pair in versions.windows(2) {
                assert!(pair[0].is_older_than(&pair[1]), "{pair:?}");
            }
        }
    }

    #[test]
    fn what_has_no_position_gets_no_time_in_its_place() {
        for source in [
            json!({"connector": "postgresql", "lsn": null, "ts_ms": 1_558_965_508_000_i64}),
            json!({"connector": "postgresql", "ts_ms": 1_558_965_508_000_i64}),
            json!({"connector": "mysql", "file": "", "pos": 0, "ts_ms": 1_558_965_508_000_i64}),
            json!({"file": "binlog", "pos": 4}),
            json!({"commit_lsn": "x:y:z"}),
            json!({"commit_lsn": "1:2:3:4"}),
            json!({"lsn": -1, "ts_ms": 5}),
            json!({"ts_ms": 0}),
            json!({"ts_ms": "340282366920938463463374607431768211455"}),
            json!({}),
        ] {
            assert_eq!(of_source(source.clone()), None, "{source}");
        }
    }
}
