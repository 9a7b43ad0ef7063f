use std::time::Duration;

use proptest::prelude::*;
use smallvec::smallvec;

use super::super::events::{Fold, Frame};
use super::super::title::{Piece, Title};
use super::*;

const SHOP: &str = "shop.events";

fn frame(keep: usize) -> Arc<Frame> {
    let viewed = vec![
        Piece::Text(Arc::from("Viewed ")),
        Piece::CountOf(Arc::from("Product Viewed")),
        Piece::Text(Arc::from(" products")),
    ];
    let added = vec![
        Piece::Text(Arc::from("added ")),
        Piece::CountOf(Arc::from("Product Added")),
        Piece::Text(Arc::from(" worth ")),
        Piece::Sum(Arc::from("valueNum")),
    ];
    Arc::new(Frame {
        keep,
        title: Title(vec![viewed, added]),
        patience: Duration::from_secs(30),
        gap: Duration::from_secs(1_800),
    })
}

fn small(offset: i64, name: &str, second: i64, value: &str) -> Small {
    Small {
        name: Arc::from(name),
        at_ms: Some(1_780_000_000_000 + second * 1_000),
        offset: Offset(offset),
        written_ms: Some(1_780_000_100_000 + offset),
        key: u64::try_from(offset).unwrap() + 7,
        sums: smallvec![(Arc::from("valueNum"), value.parse().unwrap())],
        each: Body::from(Map::from_iter([("sku".to_owned(), Value::from(offset))])),
    }
}

fn fold(keep: usize, events: Vec<Small>) -> Fold {
    Fold {
        frame: frame(keep),
        partition: TopicPartition::new(SHOP, 3),
        events,
    }
}

fn shown(session: &Session, keep: usize) -> Map<String, Value> {
    session.body("s1", &frame(keep)).parse()
}

fn read(session: &Session, keep: usize) -> Option<Session> {
    Session::read(&shown(session, keep), Some(&session.version()))
}

#[test]
fn a_session_says_what_happened_in_it() {
    let events = vec![
        small(4, "Product Viewed", 5, "0"),
        small(6, "Product Added", 9, "12.30"),
        small(9, "Product Viewed", 2, "0"),
    ];
    let session = Session::default().with(&fold(2, events));
    let body = shown(&session, 2);
    assert_eq!(body["title"], "Viewed 2 products, added 1 worth 12.3");
    assert_eq!(body["createdAt"], "2026-05-28T20:26:42.000Z");
    assert_eq!(body["custom"]["valueNum"].to_string(), "12.3");
    assert_eq!(body["custom"]["ingestVersionStr"], "3");
    let data = &body["data"];
    assert_eq!(data["counts"]["Product Viewed"], 2);
    let skus: Vec<_> = data["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| &e["sku"])
        .collect();
    assert_eq!(skus, [4, 6], "the last two by their time");
    assert_eq!(data["ingestOffsets"][0][2], 9);
}

#[test]
fn a_part_of_the_title_without_numbers_but_zeros_is_left_out() {
    let session = Session::default().with(&fold(2, vec![small(1, "Product Viewed", 0, "0")]));
    assert_eq!(shown(&session, 2)["title"], "Viewed 1 products");
    let other = Session::default().with(&fold(2, vec![small(1, "Cart Viewed", 0, "0")]));
    assert_eq!(shown(&other, 2)["title"], "1 event");
}

#[test]
fn what_an_object_has_is_not_counted_again() {
    let first = vec![
        small(4, "Product Viewed", 5, "1.1"),
        small(6, "Cart Viewed", 9, "2"),
    ];
    let session = Session::default().with(&fold(5, first.clone()));
    let read = read(&session, 5).expect("it says what it has");
    let mut again = fold(5, [first, vec![small(8, "Cart Viewed", 3, "4")]].concat());
    assert!(again.retain_new(&read));
    assert_eq!(again.events.len(), 1);
    assert_eq!(read.with(&again).count(), 3);
    assert_eq!(read.with(&again).sum("valueNum").to_string(), "7.1");
    again.events.truncate(0);
    assert!(!again.retain_new(&read));
    let elsewhere = Fold {
        partition: TopicPartition::new(SHOP, 4),
        ..fold(5, vec![small(2, "Cart Viewed", 3, "4")])
    };
    assert!(!read.has(&elsewhere.partition, &elsewhere.events[0]));
}

#[test]
fn a_repeat_of_an_event_is_counted_once() {
    let repeat = Small {
        offset: Offset(40),
        ..small(4, "Product Viewed", 5, "1")
    };
    let events = vec![small(4, "Product Viewed", 5, "1"), repeat.clone()];
    let session = Session::default().with(&fold(9, events));
    assert_eq!((session.count(), session.kept.len()), (1, 1));
    assert!(session.has(&TopicPartition::new(SHOP, 3), &repeat));
}

#[test]
fn a_topic_made_again_counts_from_its_beginning() {
    let session = Session::default().with(&fold(9, vec![small(900, "Product Viewed", 5, "1")]));
    let before = read(&session, 9).unwrap();
    let mut newer = small(2, "Product Viewed", 80, "1");
    newer.written_ms = Some(1_780_000_200_000);
    let partition = TopicPartition::new(SHOP, 3);
    assert!(!before.has(&partition, &newer));
    let next = read(&before.with(&fold(9, vec![newer.clone()])), 9).unwrap();
    assert!(next.has(&partition, &newer));
    newer.offset = Offset(3);
    assert!(!next.has(&partition, &newer));
}

#[test]
fn names_beyond_the_bound_are_counted_together() {
    let events = (0..40)
        .map(|n| small(n, &format!("Name {n}"), n, "0"))
        .collect();
    let session = Session::default().with(&fold(3, events));
    assert_eq!((session.count(), session.count_of(OTHERS)), (40, 8));
}

#[test]
fn an_object_that_does_not_say_what_it_has_counts_on() {
    let nothing = Map::from_iter([("data".to_owned(), Value::from("masked"))]);
    assert_eq!(Session::read(&nothing, Some(&Version::new("2"))), None);
    let since = Session::since(Some(&Version::new("17")));
    assert_eq!(
        since
            .with(&fold(1, vec![small(1, "Cart Viewed", 1, "0")]))
            .version(),
        Version::new("18")
    );
}

fn events() -> impl Strategy<Value = Vec<Small>> {
    let names = prop::sample::select(vec!["Product Viewed", "Product Added", "Cart Viewed"]);
    prop::collection::vec((names, 0_i64..10_000, -5_000_i64..5_000), 1..60).prop_map(|all| {
        let numbered = (0_i64..).zip(all);
        let of = |(offset, (name, second, cents)): (i64, (&str, i64, i64))| {
            // No two have one time, so the last ones are certain.
            let second = second * 64 + offset;
            small(
                offset,
                name,
                second,
                &format!("{}", f64::from(i32::try_from(cents).unwrap()) / 100.0),
            )
        };
        numbered.map(of).collect()
    })
}

proptest! {
    #[test]
    fn neither_order_nor_parts_change_what_a_session_has(all in events(), keep in 1_usize..9, cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4), seed in any::<prop::sample::Index>()) {
        let whole = Session::default().with(&fold(keep, all.clone()));
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(all.len())).collect();
        cuts.extend([0, all.len()]);
        cuts.sort_unstable();
        let mut parts: Vec<Vec<Small>> = cuts.windows(2).map(|cut| all[cut[0]..cut[1]].to_vec()).collect();
        let middle = seed.index(parts.len());
        parts.rotate_left(middle);
        let mut session = Session::default();
        for part in parts {
            // Written, read by another owner, and gone on with.
            session = session.with(&fold(keep, part));
            session = read(&session, keep).unwrap();
        }
        prop_assert_eq!(session.count(), whole.count());
        prop_assert_eq!(&session.counts, &whole.counts);
        prop_assert_eq!(&session.sums, &whole.sums);
        prop_assert_eq!(&session.kept, &whole.kept);
        prop_assert_eq!((session.first_ms, session.last_ms), (whole.first_ms, whole.last_ms));
    }

    #[test]
    fn a_body_is_never_larger_than_said(all in events(), keep in 1_usize..9) {
        let fold = fold(keep, all);
        let most = fold.body_bytes(None);
        let session = Session::default().with(&fold);
        prop_assert!(session.body("s1", &fold.frame).size() <= most);
        let again = fold.body_bytes(Some(&session));
        prop_assert!(session.with(&fold).body("s1", &fold.frame).size() <= again);
    }
}
