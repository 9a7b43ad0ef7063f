use proptest::prelude::*;

use super::attribute::{Suffix, check_meta_name, custom_value, meta_entry};
use super::field::{Kind, field_value, object_id};
use super::name::legal_name;
use super::*;
use crate::event::{CustomerHints, Event};
use crate::value::json;
use ingest_model::record::{Header, Offset, Position, Record, TopicPartition};

fn custom(suffix: Suffix, value: Value<'static>) -> Option<Value<'static>> {
    let found = custom_value(suffix, value, &mut Cuts::default()).ok();
    found.map(|value| value.unwrap_or(Value::Null))
}

fn field(kind: Kind, value: Value<'static>) -> Result<Option<Value<'static>>, Illegal> {
    field_value(kind, value, &mut Cuts::default())
}

#[test]
fn numbers_are_converted_only_without_loss() {
    for (value, wanted) in [
        (json!("27.50"), Some(json!(27.5))),
        (json!(" -3 "), Some(json!(-3))),
        (json!("1e3"), Some(json!(1000.0))),
        (json!(19.99), Some(json!(19.99))),
        (json!(9_007_199_254_740_993_i64), None),
        (json!("9007199254740993"), None),
        (json!("0.1234567890123456789"), None),
        (json!("14.250000000000000000000"), Some(json!(14.25))),
        (json!("0.0000000000000000000"), Some(json!(0.0))),
        (json!("-000.0500000000000000000"), Some(json!(-0.05))),
        (
            json!("0.30000000000000004"),
            Some(json!(0.300_000_000_000_000_04)),
        ),
        (json!("0.30000000000000003"), None),
        (json!("9007199254740993.0"), None),
        (json!("10000000000000000000000"), None),
        (json!("27,50"), None),
        (json!("1.2.3"), None),
        (json!("0x10"), None),
        (json!("inf"), None),
        (json!("."), None),
        (json!("five"), None),
        (json!(true), None),
        (json!([1]), None),
    ] {
        assert_eq!(custom(Suffix::Num, value.clone()), wanted, "{value}");
    }
}

#[test]
fn each_suffix_takes_its_type() {
    assert_eq!(
        custom(Suffix::Str, json!(18_446_744_073_709_551_615_u64)),
        Some(json!("18446744073709551615"))
    );
    assert_eq!(custom(Suffix::Txt, json!(false)), Some(json!("false")));
    assert_eq!(custom(Suffix::Str, json!({})), None);
    assert_eq!(
        custom(Suffix::At, json!("2026-01-02 03:04:05")),
        Some(json!("2026-01-02T03:04:05.000Z"))
    );
    assert_eq!(custom(Suffix::At, json!("soon")), None);
    assert_eq!(custom(Suffix::Bool, json!("TRUE")), Some(json!(true)));
    assert_eq!(custom(Suffix::Bool, json!(1)), None);
    assert_eq!(
        custom(Suffix::Url, json!("https://example.com/a?b=c")),
        Some(json!("https://example.com/a?b=c"))
    );
    assert_eq!(
        custom(Suffix::Url, json!(" HTTP://example.com ")),
        Some(json!("HTTP://example.com"))
    );
    for text in [
        "javascript:alert(1)",
        "javascript://example.com/%0aalert(1)",
        "JavaScript://example.com",
        "vbscript://x",
        "data://text/html,x",
        "file://server/x",
        "ftp://example.com/x",
        "https://?a=b",
        "https://@example.com",
        "example.com",
        "https://",
        "https:///x",
        "https://a b",
        "://x",
    ] {
        assert_eq!(custom(Suffix::Url, json!(text)), None, "{text}");
    }
}

#[test]
fn names_of_custom_attributes_end_in_a_type() {
    assert_eq!(Suffix::of_custom("totalNum"), Ok(Suffix::Num));
    assert_eq!(Suffix::of_custom("orderIdStr"), Ok(Suffix::Str));
    for name in [
        "total",
        "Num",
        "orderId",
        "1totalNum",
        "total sumNum",
        "größeStr",
    ] {
        assert!(Suffix::of_custom(name).is_err(), "{name}");
    }
}

#[test]
fn meta_names_take_the_suffix_of_their_value() {
    let mut cuts = Cuts::default();
    for (name, value, wanted) in [
        ("total", json!(5), Some(("totalNum", json!(5)))),
        ("totalNum", json!("5.50"), Some(("totalNum", json!(5.5)))),
        ("totalNum", json!("five"), None),
        (
            "shipped",
            json!("2026-01-02T03:04:05Z"),
            Some(("shippedAt", json!("2026-01-02T03:04:05.000Z"))),
        ),
        (
            "shipped",
            json!("2026-01-02"),
            Some(("shipped", json!("2026-01-02"))),
        ),
        (
            "expires",
            json!("9999-12-31T00:00:00Z"),
            Some(("expiresAt", json!("9999-12-31T00:00:00.000Z"))),
        ),
        (
            "lasts",
            json!("for many years, AZ"),
            Some(("lasts", json!("for many years, AZ"))),
        ),
        ("weight", json!(3.0), Some(("weightNum", json!(3.0)))),
        (
            "shippedAt",
            json!("2026-01-02"),
            Some(("shippedAt", json!("2026-01-02T00:00:00.000Z"))),
        ),
        ("itemNumber", json!("x"), Some(("itemnumber", json!("x")))),
        ("itemNumber", json!(4), Some(("itemnumberNum", json!(4)))),
        (
            "isAttending",
            json!(true),
            Some(("isattending", json!("true"))),
        ),
        (
            "statusStr",
            json!("paid"),
            Some(("statusStr", json!("paid"))),
        ),
        (
            "order",
            json!(9_007_199_254_740_993_i64),
            Some(("order", json!("9007199254740993"))),
        ),
        ("orderNum", json!(9_007_199_254_740_993_i64), None),
        ("items", json!([1]), None),
        ("items", json!({}), None),
    ] {
        let found = meta_entry(name, value.clone(), &mut cuts).ok().flatten();
        let found = found
            .as_ref()
            .map(|(name, value)| (name.as_ref(), value.clone()));
        assert_eq!(found, wanted, "{name} {value}");
    }
    for name in ["id", "idNum", "1abc", "a b c", "größe", "", &"x".repeat(34)] {
        assert!(check_meta_name(name).is_err(), "{name}");
    }
    assert!(check_meta_name(&"x".repeat(33)).is_ok());
}

#[test]
fn long_texts_are_cut_and_counted() {
    let mut cuts = Cuts::default();
    let long = custom_value(Suffix::Str, json!("ü".repeat(2_000)), &mut cuts)
        .unwrap()
        .unwrap();
    assert_eq!(long.as_str().unwrap().chars().count(), 1_024);
    let title = field_value(Kind::Title, json!("x".repeat(257)), &mut cuts)
        .unwrap()
        .unwrap();
    assert_eq!(title.as_str().unwrap().len(), 256);
    let whole = field_value(Kind::Description, json!("x".repeat(10_240)), &mut cuts)
        .unwrap()
        .unwrap();
    assert_eq!(whole.as_str().unwrap().len(), 10_240);
    assert_eq!(cuts, Cuts(2));
}

#[test]
fn fields_keep_their_rules() {
    assert_eq!(field(Kind::Title, json!("  ")), Ok(None));
    assert_eq!(field(Kind::Gender, json!("Female")), Ok(Some(json!("f"))));
    assert!(field(Kind::Gender, json!("x")).is_err());
    assert_eq!(field(Kind::CountryCode, json!("de")), Ok(Some(json!("DE"))));
    assert!(field(Kind::CountryCode, json!("DEU")).is_err());
    assert_eq!(
        field(Kind::Tags, json!(["a", "a", "b c", null, ""])),
        Ok(Some(json!(["a", "b c"])))
    );
    let mixed = field(Kind::Tags, json!(["vip", "a!", {}, "new"])).unwrap_err();
    assert_eq!(mixed.legal_part, Some(json!(["vip", "new"])));
    assert!(mixed.rule.starts_with("a tag may have only letters"));
    let none = field(Kind::Tags, json!(["a!"])).unwrap_err();
    assert_eq!(none.legal_part, None);
    let many = field(Kind::Tags, Value::Array((0..30).map(Value::from).collect())).unwrap_err();
    assert_eq!(
        many.legal_part
            .and_then(|part| part.as_array().map(Vec::len)),
        Some(20)
    );
    let images = json!(["https://a.example/1", "javascript:1", "https://a.example/2"]);
    let images = field(Kind::Images, images).unwrap_err();
    assert_eq!(
        images.legal_part,
        Some(json!(["https://a.example/1", "https://a.example/2"]))
    );
    assert!(field(Kind::Tags, Value::Array((0..21).map(Value::from).collect())).is_err());
    assert_eq!(field(Kind::Tags, json!("vip")), Ok(Some(json!(["vip"]))));
    assert_eq!(
        field(Kind::Images, json!(["https://a.example/1"])),
        Ok(Some(json!(["https://a.example/1"])))
    );
    assert!(field(Kind::Data, json!([1])).is_err());
    assert_eq!(
        field(Kind::Data, json!([])),
        Ok(Some(json!({}))),
        "PHP writes an empty map so"
    );
    assert_eq!(field(Kind::Bool, json!("TRUE")), Ok(Some(json!(true))));
    assert_eq!(
        field(Kind::Title, json!(4.0)),
        Ok(Some(json!("4"))),
        "as the same number as an id"
    );
    assert!(field(Kind::Within(-90, 90), json!(91)).is_err());
    assert!(field(Kind::Code(16), json!("x".repeat(17))).is_err());
    assert_eq!(object_id(&json!(12)), Ok(Some("12".into())));
    assert_eq!(object_id(&json!("undefined")), Ok(None));
    assert!(object_id(&json!("x".repeat(257))).is_err());
    assert!(object_id(&json!(1.5)).is_err());
}

#[test]
fn a_blank_text_is_no_value_where_a_type_is_demanded() {
    for blank in ["", " ", "\t\n"] {
        for suffix in [Suffix::Num, Suffix::At, Suffix::Bool, Suffix::Url] {
            assert_eq!(
                custom(suffix, json!(blank)),
                Some(Value::Null),
                "{suffix:?}"
            );
        }
        for kind in [
            Kind::DateTime,
            Kind::Day,
            Kind::Within(-90, 90),
            Kind::Gender,
            Kind::CountryCode,
            Kind::Place,
            Kind::Bool,
            Kind::Tags,
            Kind::Images,
            Kind::Data,
            Kind::Text,
            Kind::Code(5),
        ] {
            assert_eq!(field(kind, json!(blank)), Ok(None), "{kind:?}");
        }
        for name in ["totalNum", "shippedAt"] {
            let found = meta_entry(name, json!(blank), &mut Cuts::default());
            assert_eq!(found, Ok(None), "{name}");
        }
    }
    assert_eq!(
        custom(Suffix::Str, json!("")),
        Some(json!("")),
        "an empty text is a text: it empties an attribute"
    );
}

#[test]
fn numbers_within_data_are_those_that_every_reader_holds() {
    let data = json!({
        "lines": [{"sku": 8_000_000_000_000_000_001_i64, "count": 3, "price": 2.5}],
        "parent": {"ref": 18_446_744_073_709_551_557_u64, "back": -9_007_199_254_740_993_i64},
        "last": 9_007_199_254_740_992_i64,
    });
    let wanted = json!({
        "lines": [{"sku": "8000000000000000001", "count": 3, "price": 2.5}],
        "parent": {"ref": "18446744073709551557", "back": "-9007199254740993"},
        "last": 9_007_199_254_740_992_i64,
    });
    assert_eq!(field(Kind::Data, data), Ok(Some(wanted)));
}

#[test]
fn a_birthday_is_a_day_and_no_instant() {
    for (value, wanted) in [
        (json!("1990-07-31"), Some("1990-07-31T00:00:00.000Z")),
        (
            json!("1990-07-31T22:30:00-06:00"),
            Some("1990-07-31T00:00:00.000Z"),
        ),
        (
            json!("1990-07-31T00:00:00+11:00"),
            Some("1990-07-31T00:00:00.000Z"),
        ),
        (json!("1991-02-29"), None),
        (json!("0000-00-00"), None),
        (json!(19_900_731), None),
    ] {
        let found = field(Kind::Day, value.clone()).ok().flatten();
        assert_eq!(found, wanted.map(Value::from), "{value}");
    }
}

#[test]
fn the_event_key_names_the_occurrence() {
    let event = |id: Option<&str>| Event {
        source: "segment",
        kind: None,
        name: "x".into(),
        id: id.map(str::to_owned),
        time: None,
        customer: CustomerHints::default(),
        payload: Value::Null,
        deleted: false,
        more: None,
        notes: crate::event::Notes::default(),
    };
    let record = |offset: i64, headers: &[(&str, &'static str)]| Record {
        position: Position {
            partition: TopicPartition::new("t", 1),
            offset: Offset(offset),
        },
        key: None,
        value: None,
        headers: headers
            .iter()
            .map(|(name, value)| Header {
                name: (*name).into(),
                value: Some(value.as_bytes().into()),
            })
            .collect(),
        timestamp_ms: None,
    };
    let key = |id, record: &Record, number| key::event_key(&event(id), record, "r", number, None);
    // the position matters only if there is no id
    assert_eq!(
        key(Some("m"), &record(1, &[]), 1),
        key(Some("m"), &record(2, &[]), 1)
    );
    assert_ne!(
        key(Some("m"), &record(1, &[]), 1),
        key(Some("m"), &record(1, &[]), 2)
    );
    assert_ne!(key(None, &record(1, &[]), 1), key(None, &record(2, &[]), 1));
    let replayed = [
        ("ingest.source.topic", "t"),
        ("ingest.source.partition", "1"),
        ("ingest.source.offset", "2"),
    ];
    assert_eq!(
        key(None, &record(99, &replayed), 1),
        key(None, &record(2, &[]), 1)
    );
    // a topic that was deleted and created again has another occurrence at the same offset
    let at = |timestamp_ms| Record {
        timestamp_ms,
        ..record(2, &[])
    };
    assert_ne!(
        key(None, &at(Some(1_000)), 1),
        key(None, &at(Some(2_000)), 1)
    );
    let timed = [
        ("ingest.source.topic", "t"),
        ("ingest.source.partition", "1"),
        ("ingest.source.offset", "2"),
        ("ingest.source.timestamp", "1000"),
    ];
    assert_eq!(
        key(None, &record(99, &timed), 1),
        key(None, &at(Some(1_000)), 1)
    );
    // must never change
    assert_eq!(
        key(Some("m"), &record(1, &[]), 1).to_string(),
        "f6254a46-b2c7-50a9-aa70-72fbc2a25584"
    );
}

proptest! {
    #[test]
    fn every_name_that_comes_out_is_legal(text in ".{0,300}") {
        let mut cuts = Cuts::default();
        if let Ok(name) = legal_name(&text, &mut cuts) {
            let mut chars = name.chars();
            prop_assert!(chars.next().is_some_and(|c| c.is_ascii_alphabetic()));
            prop_assert!(chars.all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)));
            prop_assert!((2..=255).contains(&name.len()));
            let again = legal_name(&name, &mut cuts);
            prop_assert_eq!(again.as_deref(), Ok(&*name));
        }
    }

    #[test]
    fn every_meta_name_that_comes_out_is_legal(base in "[a-zA-Z][a-zA-Z0-9_-]{2,32}", number in any::<bool>()) {
        let value = if number { json!(1) } else { json!("x") };
        if check_meta_name(&base).is_ok() && let Ok(Some((name, value))) = meta_entry(&base, value, &mut Cuts::default()) {
            let inner = name.strip_suffix("Num").or_else(|| name.strip_suffix("At")).unwrap_or(&name);
            prop_assert!(!inner.contains("Num") && !inner.contains("At"), "{}", name);
            prop_assert_eq!(matches!(value, Value::Number(_)), name.ends_with("Num"));
            prop_assert!((3..=33).contains(&inner.len()));
        }
    }
}
