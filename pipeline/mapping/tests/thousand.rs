//! What the tests of a mapping cost: nobody should have a reason not to run them.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail like tests")]
#![expect(clippy::print_stderr, reason = "the figure is for people")]

use std::fs;
use std::time::Duration;

use ingest_mapping::mapping::Mapping;

/// The processor time for a thousand tests, with reading their file. It holds without optimisation, too, where they take about
/// 0.13 s, three quarters of it for the file.
const MAX_TIME: Duration = Duration::from_secs(1);

/// The processor time of this thread so far.
fn computing() -> Duration {
    let stat = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    let nanoseconds = stat.split(' ').next().unwrap().parse().unwrap();
    Duration::from_nanos(nanoseconds)
}

/// The shipped mapping for Segment, with its tests so often that they are a thousand.
#[test]
fn a_thousand_tests_of_a_mapping_take_less_than_a_second() {
    let shipped = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../schemas/mappings/segment.yaml"
    );
    let text = fs::read_to_string(shipped).unwrap();
    let (rules, tests) = text.split_once("\ntests:\n").unwrap();
    let each = tests.matches("  - name: ").count();
    let mut many = format!("{rules}\ntests:\n");
    for copy in 0..1_000_usize.div_ceil(each) {
        many.push_str(&tests.replace("  - name: ", &format!("  - name: {copy} ")));
    }
    let began = computing();
    let mapping = Mapping::compile(&many, "many.yaml").unwrap();
    let read = computing() - began;
    let count = mapping.test_count();
    let failures = mapping.run_tests();
    let took = computing() - began;
    eprintln!("{count} tests took {took:?} of processor time, {read:?} of it for the file");
    assert!(count >= 1_000 && failures.is_empty(), "{failures:?}");
    assert!(took <= MAX_TIME, "{count} tests took {took:?}");
}
