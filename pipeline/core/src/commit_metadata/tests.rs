use proptest::prelude::*;

use super::*;

fn partition() -> TopicPartition {
    TopicPartition::new("shop.events", 3)
}

fn runs(pairs: &[(i64, i64)]) -> Vec<Run> {
    pairs
        .iter()
        .map(|(first, last)| (Offset(*first), Offset(*last)))
        .collect()
}

fn text(frontier: i64, pairs: &[(i64, i64)]) -> String {
    let runs = runs(pairs).into_iter();
    encode(
        &partition(),
        Offset(frontier),
        Some(17),
        runs,
        DEFAULT_LIMIT,
    )
    .text
    .unwrap()
}

#[test]
fn nothing_settled_is_no_text() {
    let none = encode(
        &partition(),
        Offset(5),
        None,
        std::iter::empty(),
        DEFAULT_LIMIT,
    );
    assert_eq!((none.text, none.bytes, none.cut), (None, 0, false));
}

#[test]
fn what_is_not_ours_is_ignored_with_its_reason() {
    let good = text(10, &[(12, 20)]);
    let read = |offset, text: &str| decode(&partition(), Offset(offset), text).map(|r| r.offsets());
    assert_eq!(read(10, &good), Ok(9));
    assert_eq!(read(10, ""), Err(Ignored::Foreign));
    assert_eq!(read(10, "{\"host\":\"a\"}"), Err(Ignored::Foreign));
    assert_eq!(read(10, "kirk.1"), Err(Ignored::Foreign));
    assert_eq!(read(10, "ki2.whatever"), Err(Ignored::Version));
    assert_eq!(read(11, &good), Err(Ignored::Offset));
    let (start, _) = good.split_at(good.len() - 3);
    assert_eq!(read(10, start), Err(Ignored::Damaged));
    assert_eq!(read(10, &format!("{good}.x")), Err(Ignored::Damaged));
    let elsewhere = TopicPartition::new("shop.events", 4);
    assert_eq!(
        decode(&elsewhere, Offset(10), &good),
        Err(Ignored::Partition)
    );
}

#[test]
fn the_far_end_is_cut_where_the_limit_is() {
    let scattered = (0..3_000).map(|n| (Offset(11 + 2 * n), Offset(11 + 2 * n)));
    let cut = encode(&partition(), Offset(10), Some(1), scattered, 1_000);
    let text = cut.text.unwrap();
    assert!(cut.cut && text.len() <= 1_000, "{}", text.len());
    assert!(cut.bytes > 990, "{}", cut.bytes);
    let kept = decode(&partition(), Offset(10), &text).unwrap();
    assert_eq!(kept.runs.first(), Some(&(Offset(11), Offset(11))));
    assert!(kept.runs.len() > 340, "{}", kept.runs.len());
}

#[test]
fn thirteen_hundred_scattered_open_records_fill_it() {
    let scattered = |count| (0..count).map(|n| (Offset(11 + 3 * n), Offset(12 + 3 * n)));
    let bytes = |count| {
        encode(
            &partition(),
            Offset(10),
            Some(1),
            scattered(count),
            DEFAULT_LIMIT,
        )
        .bytes
    };
    assert!(bytes(1_200) < FULL, "{}", bytes(1_200));
    assert!(bytes(1_350) >= FULL, "{}", bytes(1_350));
}

proptest! {
    #[test]
    fn what_was_written_is_read(
        frontier in 0_i64..i64::MAX / 4,
        stamp in any::<Option<i64>>(),
        lengths in prop::collection::vec((1_i64..100_000, 1_i64..100_000), 1..200),
    ) {
        let mut next = frontier;
        let mut expected = Vec::new();
        for (open, settled) in lengths {
            let first = next + open;
            next = first + settled;
            expected.push((Offset(first), Offset(next - 1)));
        }
        let encoded = encode(&partition(), Offset(frontier), stamp, expected.iter().copied(), DEFAULT_LIMIT);
        prop_assert!(!encoded.cut);
        let text = encoded.text.unwrap();
        prop_assert!(text.is_ascii() && text.len() <= DEFAULT_LIMIT);
        prop_assert!(encoded.bytes.abs_diff(text.len()) <= 3);
        let restored = decode(&partition(), Offset(frontier), &text).unwrap();
        prop_assert_eq!(restored, Restored { frontier: Offset(frontier), stamp, runs: expected });
    }

    #[test]
    fn no_text_is_too_strange_to_be_read(
        offset in any::<i64>(),
        text in prop_oneof![".*", "ki1\\.[0-9a-f]{8}\\.[0-9]{1,20}\\.[-0-9]{1,20}\\.[A-Za-z0-9_-]{0,60}"],
    ) {
        drop(decode(&partition(), Offset(offset), &text));
    }

    #[test]
    fn runs_read_from_anything_ascend(packed in prop::collection::vec(any::<u8>(), 0..60), frontier in any::<i64>()) {
        if let Some(runs) = read_runs(frontier, &packed) {
            let mut before: Option<Offset> = None;
            for (first, last) in runs {
                prop_assert!(first <= last);
                prop_assert!(before.is_none_or(|before| before.next() < first));
                before = Some(last);
            }
        }
    }
}
