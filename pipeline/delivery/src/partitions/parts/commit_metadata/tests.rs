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

fn encoded(frontier: i64, runs: &[Run], limit: usize) -> Encoded {
    encode(
        &partition(),
        Offset(frontier),
        Some(1_767_225_600_000),
        runs.iter().copied(),
        limit,
    )
}

fn decoded(frontier: i64, text: &str) -> Result<Vec<Run>, Ignored> {
    decode(&partition(), Offset(frontier), text).map(|restored| restored.runs)
}

/// `count` settled runs of `settled` offsets, each after `open` open ones.
fn alternating(frontier: i64, open: i64, settled: i64, count: i64) -> Vec<Run> {
    (0..count)
        .map(|n| {
            let first = frontier + n * (open + settled) + open;
            (Offset(first), Offset(first + settled - 1))
        })
        .collect()
}

/// Lengths of open and settled runs in turn, from the frontier on.
fn from_lengths(frontier: i64, lengths: &[(i64, i64)]) -> Vec<Run> {
    let mut next = frontier;
    lengths
        .iter()
        .map(|(open, settled)| {
            let first = next + open;
            next = first + settled;
            (Offset(first), Offset(next - 1))
        })
        .collect()
}

/// All offsets up to `end` except the open ones.
fn between(open: &[i64], end: i64) -> Vec<Run> {
    let next = open.iter().skip(1).copied().chain([end + 1]);
    open.iter()
        .zip(next)
        .filter(|(open, next)| *open + 1 < *next)
        .map(|(open, next)| (Offset(open + 1), Offset(next - 1)))
        .collect()
}

fn end_of(runs: &[Run]) -> Option<Offset> {
    runs.last().map(|(_, last)| *last)
}

#[test]
fn nothing_settled_is_no_text() {
    assert_eq!(encoded(5, &[], DEFAULT_LIMIT), Encoded::default());
}

#[test]
fn what_is_not_ours_is_ignored_with_its_reason() {
    let good = encoded(10, &runs(&[(12, 20)]), DEFAULT_LIMIT).text.unwrap();
    let read = |offset, text: &str| decode(&partition(), Offset(offset), text).map(|r| r.offsets());
    assert_eq!(read(10, &good), Ok(9));
    assert_eq!(read(10, ""), Err(Ignored::Foreign));
    assert_eq!(read(10, "{\"host\":\"a\"}"), Err(Ignored::Foreign));
    assert_eq!(read(10, "kirk.1"), Err(Ignored::Foreign));
    assert_eq!(read(10, "ki3.whatever"), Err(Ignored::Version));
    assert_eq!(read(11, &good), Err(Ignored::Offset));
    let mut without_a_sign = good.clone();
    without_a_sign.pop();
    assert_eq!(read(10, &without_a_sign), Err(Ignored::Damaged));
    assert_eq!(read(10, &format!("{good}.x")), Err(Ignored::Damaged));
    assert_eq!(read(10, &format!("{good}x")), Err(Ignored::Damaged));
    assert_eq!(read(10, &good.replace(".r", ".x")), Err(Ignored::Damaged));
    let elsewhere = TopicPartition::new("shop.events", 4);
    assert_eq!(
        decode(&elsewhere, Offset(10), &good),
        Err(Ignored::Partition)
    );
}

#[test]
fn a_text_of_the_version_before_is_read() {
    let read = |text: &str| decode(&partition(), Offset(10), text);
    let restored = read(
        "ki1.MARK.10.17.AgkDAQ"
            .replace("MARK", &mark(&partition()))
            .as_str(),
    );
    assert_eq!(
        restored,
        Ok(Restored {
            frontier: Offset(10),
            stamp: Some(17),
            runs: runs(&[(12, 20), (24, 24)]),
        })
    );
    let cut = "ki1.MARK.10.17.AgkD".replace("MARK", &mark(&partition()));
    assert_eq!(read(&cut), Err(Ignored::Damaged));
}

#[test]
fn ordinary_work_of_fifty_thousand_offsets_fits() {
    // Two of three are settled: events wait, skipped records and bulk writes do not.
    for (open, settled) in [(1, 1), (1, 2), (2, 1), (1, 3)] {
        let mixed = alternating(90_000_000, open, settled, 58_000 / (open + settled));
        let all = encoded(90_000_000, &mixed, DEFAULT_LIMIT);
        assert!(!all.cut, "{open} and {settled}: {}", all.characters);
        assert_eq!(decoded(90_000_000, &all.text.unwrap()), Ok(mixed));
    }
}

#[test]
fn where_bytes_are_counted_nineteen_thousand_offsets_fit() {
    let mut limit = TextLimit::default();
    limit.refused(DEFAULT_LIMIT);
    let mixed = alternating(90_000_000, 1, 1, 9_500);
    let all = encoded(90_000_000, &mixed, limit.characters());
    let text = all.text.unwrap();
    assert!(!all.cut && text.len() <= DEFAULT_LIMIT, "{}", text.len());
}

#[test]
fn a_hundred_thousand_offsets_above_one_slow_record_are_a_few_signs() {
    let one = encoded(500, &runs(&[(501, 100_500)]), DEFAULT_LIMIT);
    assert!(one.characters < 50, "{}", one.characters);
}

#[test]
fn the_far_end_is_cut_where_the_limit_is() {
    for mixed in [
        alternating(10, 1, 1, 20_000),
        alternating(10, 1, 700, 2_000),
        alternating(10, 700, 1, 2_000),
    ] {
        let cut = encoded(10, &mixed, 1_000);
        let text = cut.text.unwrap();
        assert!(cut.cut && cut.characters > 1_000, "{}", cut.characters);
        let length = text.chars().count();
        assert!(
            (998..=1_000).contains(&length),
            "nothing is given away: {length}"
        );
        let kept = decoded(10, &text).unwrap();
        assert_eq!(kept, mixed[..kept.len()]);
    }
}

#[test]
fn a_limit_without_room_gives_no_text() {
    let cut = encoded(10, &runs(&[(12, 20)]), 20);
    assert_eq!((cut.text, cut.cut), (None, true));
}

/// Sets of every shape: short runs, long ones, and both.
fn lengths() -> impl Strategy<Value = Vec<(i64, i64)>> {
    let short = || 1_i64..4;
    let long = || (0_u32..40).prop_map(|power| 1_i64 << power);
    let any = || prop_oneof![4 => short(), 1 => long()];
    prop_oneof![
        prop::collection::vec((short(), short()), 1..600),
        prop::collection::vec((short(), long()), 1..80),
        prop::collection::vec((long(), short()), 1..80),
        prop::collection::vec((any(), any()), 1..200),
    ]
}

/// What the shorter form takes, computed differently from the code.
fn better_of_both(frontier: i64, runs: &[Run]) -> u64 {
    let last = end_of(runs).unwrap().0;
    let as_bits = u128::try_from(last - frontier + 1).unwrap();
    let mut next = frontier - 1;
    let mut as_runs = 0_u128;
    for (first, last) in runs {
        for length in [first.0 - next, last.0 - first.0 + 1] {
            as_runs += 2 * u128::try_from(format!("{length:b}").len()).unwrap() - 1;
        }
        next = last.0 + 1;
    }
    u64::try_from(as_bits.min(as_runs)).unwrap()
}

proptest! {
    #[test]
    fn what_was_written_is_read(
        frontier in 0_i64..1 << 40,
        stamp in any::<Option<i64>>(),
        lengths in lengths(),
        at_the_frontier in any::<bool>(),
    ) {
        let mut lengths = lengths;
        if at_the_frontier {
            lengths[0].0 = 0;
        }
        let expected = from_lengths(frontier, &lengths);
        let encoded = encode(&partition(), Offset(frontier), stamp, expected.iter().copied(), DEFAULT_LIMIT);
        prop_assert!(!encoded.cut);
        let text = encoded.text.unwrap();
        prop_assert!(text.chars().all(|c| c.len_utf8() <= 3 && c.len_utf16() == 1));
        prop_assert_eq!(text.chars().count(), encoded.characters);
        let restored = decode(&partition(), Offset(frontier), &text);
        prop_assert_eq!(restored, Ok(Restored { frontier: Offset(frontier), stamp, runs: expected }));
    }

    #[test]
    fn it_is_never_longer_than_the_better_of_both_forms(frontier in 0_i64..1 << 40, lengths in lengths()) {
        let runs = from_lengths(frontier, &lengths);
        let text = encoded(frontier, &runs, usize::MAX).text.unwrap();
        let signs = text.chars().filter(|c| !c.is_ascii()).count() as u64;
        prop_assert_eq!(signs, better_of_both(frontier, &runs).div_ceil(15));
    }

    #[test]
    fn whatever_settles_takes_no_more_than_the_longest(
        frontier in 0_i64..1 << 40,
        gaps in prop::collection::vec(prop_oneof![4 => 1_i64..4, 1 => 1_i64..5_000], 0..300),
        after in 0_i64..2_000,
        settles in prop::collection::vec(any::<bool>(), 300),
    ) {
        let mut open = vec![frontier];
        for gap in &gaps {
            open.push(open[open.len() - 1] + gap);
        }
        let end = open[open.len() - 1] + after;
        let span = (end - frontier + 1).unsigned_abs();
        let most = longest(open.len() as u64, span);
        let some: Vec<i64> = open
            .iter()
            .zip(std::iter::once(&false).chain(&settles))
            .filter(|(_, settles)| !**settles)
            .map(|(offset, _)| *offset)
            .collect();
        for open in [open, some] {
            let runs = between(&open, end);
            let now = encoded(frontier, &runs, usize::MAX).characters;
            prop_assert!(now <= most, "{} of {}", now, most);
        }
    }

    #[test]
    fn what_is_cut_is_the_far_end(lengths in lengths(), limit in 0_usize..200) {
        let runs = from_lengths(7, &lengths);
        let encoded = encoded(7, &runs, limit);
        prop_assert_eq!(encoded.cut, encoded.characters > limit);
        let Some(text) = encoded.text else { return Ok(()) };
        prop_assert!(text.chars().count() <= limit);
        let kept = decoded(7, &text).unwrap();
        let (last, before) = kept.split_last().unwrap();
        prop_assert_eq!(before, &runs[..before.len()]);
        prop_assert_eq!(last.0, runs[before.len()].0);
        prop_assert!(last.1 <= runs[before.len()].1);
    }

    #[test]
    fn no_text_is_too_strange_to_be_read(
        offset in any::<i64>(),
        text in prop_oneof![
            ".*",
            "ki1\\.[0-9a-f]{8}\\.[0-9]{1,20}\\.[-0-9]{1,20}\\.[A-Za-z0-9_-]{0,60}",
            "ki2\\.[0-9a-f]{8}\\.[0-9]{1,20}\\.[-0-9]{1,20}\\.[rb][\u{4e00}-\u{cdff}]{0,60}",
        ],
    ) {
        drop(decode(&partition(), Offset(offset), &text));
    }

    #[test]
    fn runs_read_from_anything_ascend(
        frontier in prop_oneof![0_i64..1_000, any::<i64>()],
        form in "ki2\\.MARK\\.AT\\.-\\.[rb][\u{4e00}-\u{cdff}]{0,40}|ki1\\.MARK\\.AT\\.-\\.[A-Za-z0-9_-]{0,60}",
    ) {
        let text = form.replace("MARK", &mark(&partition())).replace("AT", &frontier.to_string());
        match decoded(frontier, &text) {
            Ok(runs) => {
                let mut before: Option<Offset> = None;
                for (first, last) in &runs {
                    prop_assert!(first <= last && first.0 >= frontier);
                    prop_assert!(before.is_none_or(|before| before.next() < *first));
                    before = Some(*last);
                }
                prop_assert!(before.is_some(), "no runs are no text");
                if frontier >= 0 && before < Some(Offset(i64::MAX - 1)) {
                    let again = encoded(frontier, &runs, usize::MAX).text.unwrap();
                    prop_assert_eq!(decoded(frontier, &again), Ok(runs));
                }
            }
            Err(why) => prop_assert_eq!(why, Ignored::Damaged),
        }
    }
}
