//! What every decoder makes of the records that real topics have: each case is applied to a good record of each form, and the
//! outcome is judged. There is an event, a rejection with its reason, or a stated skip; never a panic, a changed number or
//! another event than that of the record.
//!
//! `docs/inputs.md`, *Odd records*, says the same for people, and where the cases are tested that no decoder sees alone.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the helpers of tests fail like tests"
)]

#[path = "cases/draft.rs"]
mod draft;
#[path = "cases/forms.rs"]
mod forms;

use std::sync::Arc;

use ingest_mapping::decode::{Decoded, Decoder, Format, Limits};
use ingest_mapping::event::Event;
use ingest_mapping::mapping::Mapping;
use ingest_mapping::route::Pipeline;
use ingest_mapping::testing::shown;
use ingest_model::outcome::{Rejection, SkipReason, Verdict};
use ingest_model::record::Record;
use serde_json::{Value, json};

use self::draft::{Draft, RAW};
use self::forms::{FORMS, Form, Place};

/// When all records reach Kafka: 2026-05-17T06:40:00Z.
const NOW_MS: i64 = 1_779_000_000_000;
const NOW: &str = "2026-05-17T06:40:00Z";

/// Judges what the form's decoder makes of a record. The format `auto` makes the same of it, or rejects it.
fn decoded<T>(
    form: &Form,
    record: &Record,
    judge: impl FnOnce(Result<&Event<'_>, &Decoded>) -> T,
) -> T {
    let format = form.format;
    let own = Decoder::new(format, Limits::default()).decode(record);
    let auto = Decoder::new(Format::Auto, Limits::default()).decode(record);
    match (&own, &auto) {
        (_, Err(Decoded::Reject(_))) => {}
        (_, Ok(event)) if form.is_wrapped => assert_eq!(event.source, "cloudevents"),
        (own, auto) => assert_eq!(own, auto, "{}", form.what),
    }
    judge(own.as_ref())
}

/// The event of a record, which has to be one.
fn event<T>(form: &Form, record: &Record, judge: impl FnOnce(&Event<'_>) -> T) -> T {
    decoded(form, record, |found| match found {
        Ok(event) => judge(event),
        Err(why) => panic!("{}: no event: {why:?}", form.what),
    })
}

/// Why there is no event.
fn refused(form: &Form, record: &Record) -> (Rejection, String) {
    decoded(form, record, |found| match found {
        Err(Decoded::Reject(rejected)) => (rejected.reason, rejected.detail.clone()),
        other => panic!("{}: not rejected: {other:?}", form.what),
    })
}

/// What an event's content says in the form's own part of it.
fn said(form: &Form, event: &Event<'_>, name: &str) -> Option<String> {
    let content: Value = serde_json::from_str(&event.payload.to_string()).unwrap();
    let part = content.pointer(form.seen)?.get(name)?;
    Some(part.to_string())
}

#[test]
fn the_good_records_are_events_and_auto_sees_the_same() {
    for form in FORMS {
        let record = Draft::of(form).record();
        event(form, &record, |event| {
            assert_eq!(event.name, form.is_called, "{}", form.what);
            assert_eq!(
                said(form, event, "total"),
                Some("\"19.99\"".to_owned()),
                "{}",
                form.what
            );
        });
        let auto = Decoder::new(Format::Auto, Limits::default()).decode(&record);
        assert_eq!(auto.is_ok(), form.shows_itself, "{}: {auto:?}", form.what);
    }
}

#[test]
fn values_that_are_nothing() {
    for form in FORMS {
        let draft = Draft::of(form);
        for value in [None, Some(""), Some("null")] {
            let record = draft.of_bytes(value.map(|text| text.as_bytes().to_vec()));
            let shown = format!("{} {value:?}", form.what);
            decoded(form, &record, |found| match (found, value) {
                // its name is in the headers, and a null is content
                (Ok(event), _) if form.is_in_headers => assert!(event.payload.is_null(), "{shown}"),
                (Err(Decoded::Skip(SkipReason::Tombstone)), None) => {}
                (Err(Decoded::Reject(rejected)), Some(_)) => {
                    assert_eq!(rejected.reason, Rejection::InvalidJson, "{shown}");
                }
                (other, _) => panic!("{shown}: {other:?}"),
            });
        }
    }
}

#[test]
fn values_that_are_no_json_within_the_bounds() {
    for form in FORMS {
        let draft = Draft::of(form).saying(form, "x", json!(RAW));
        let whole = draft.raw("1").value.unwrap();
        let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
        let large = format!("\"{}\"", "y".repeat(1024 * 1024));
        let mut no_text = draft.raw("\"@\"").value.unwrap().to_vec();
        let at = no_text.iter().position(|byte| *byte == b'@').unwrap();
        no_text[at] = 0xff;
        for (what, record, wanted) in [
            (
                "truncated",
                draft.of_bytes(Some(whole[..whole.len() - 1].to_vec())),
                Rejection::InvalidJson,
            ),
            (
                "not UTF-8",
                draft.of_bytes(Some(no_text)),
                Rejection::InvalidUtf8,
            ),
            ("NaN", draft.raw("NaN"), Rejection::InvalidJson),
            ("1e400", draft.raw("1e400"), Rejection::InvalidJson),
            ("deep", draft.raw(&deep), Rejection::TooDeep),
            ("large", draft.raw(&large), Rejection::TooLarge),
        ] {
            let (reason, detail) = refused(form, &record);
            assert_eq!(reason, wanted, "{}: {what}: {detail}", form.what);
            assert!(
                !detail.is_empty() && !detail.contains("19.99"),
                "{}: {detail}",
                form.what
            );
        }
    }
}

#[test]
fn a_megabyte_and_many_lines_are_read_whole() {
    for form in FORMS {
        let text = "y".repeat(1_000_000);
        let record = Draft::of(form).saying(form, "note", json!(text)).record();
        event(form, &record, |event| {
            let length = said(form, event, "note").map(|note| note.len());
            assert_eq!(length, Some(1_000_002), "{}", form.what);
        });
        let line = |n: usize| json!({"sku": format!("s-{n}"), "quantity": n, "price": "1.10"});
        let lines: Vec<Value> = (0..160).map(line).collect();
        let sent = Value::from(lines).to_string();
        let record = Draft::of(form)
            .saying(form, "products", json!(RAW))
            .raw(&sent);
        event(form, &record, |event| {
            let found: Value =
                serde_json::from_str(&said(form, event, "products").unwrap()).unwrap();
            let sent: Value = serde_json::from_str(&sent).unwrap();
            assert_eq!(found, sent, "{}", form.what);
        });
    }
}

#[test]
fn headers_that_come_twice_or_have_no_value() {
    for form in FORMS {
        let plain = Draft::of(form);
        let mut odd = plain.clone();
        for (name, value) in [
            ("x-a", Some("1")),
            ("x-a", Some("2")),
            ("x-a", None),
            ("", None),
            ("x-b", None),
        ] {
            odd.headers.insert(
                0,
                (name.to_owned(), value.map(|text| text.as_bytes().to_vec())),
            );
        }
        odd.headers.push(("x-c".to_owned(), Some(b"\xff".to_vec())));
        let wanted = event(form, &plain.record(), |event| {
            (event.name.clone(), event.id.clone(), event.time)
        });
        event(form, &odd.record(), |event| {
            assert_eq!(
                (event.name.clone(), event.id.clone(), event.time),
                wanted,
                "{}",
                form.what
            );
        });
        // Its own headers without a value: nothing is made up in their place.
        let mut bare = plain.clone();
        for (_, value) in &mut bare.headers {
            *value = None;
        }
        if !bare.headers.is_empty() {
            let named = matches!(form.name, Place::Header(_));
            decoded(form, &bare.record(), |found| match found {
                Ok(event) if named => assert!(
                    form.has_other_name && event.name != form.is_called,
                    "{}: {}",
                    form.what,
                    event.name
                ),
                Ok(event) => assert_eq!(event.name, form.is_called, "{}", form.what),
                Err(Decoded::Reject(_)) => assert!(named && !form.has_other_name, "{}", form.what),
                Err(Decoded::Skip(why)) => panic!("{}: {why:?}", form.what),
            });
        }
    }
}

#[test]
fn names_that_are_missing_unknown_or_odd() {
    for form in FORMS {
        let draft = Draft::of(form);
        let nameless = draft.clone().without(&form.name).record();
        if form.has_other_name {
            event(form, &nameless, |event| {
                assert!(!event.name.is_empty(), "{}", form.what);
            });
        } else {
            let (reason, detail) = refused(form, &nameless);
            assert!(
                matches!(
                    reason,
                    Rejection::InvalidEnvelope | Rejection::FormatMismatch
                ),
                "{}: {reason:?}",
                form.what
            );
            let (Place::Field(place) | Place::Header(place)) = &form.name;
            let field = place.rsplit('/').next().unwrap().trim_start_matches("ce_");
            assert!(
                detail.to_lowercase().contains(&field.to_lowercase()),
                "{}: {detail}",
                form.what
            );
        }
        let long = "x".repeat(200);
        for name in ["Never Heard Of", "Bought a 🫖", &long] {
            let record = draft.clone().with(&form.name, json!(name)).record();
            let wanted = form.is_called.replace(form.called_in_it, name);
            event(form, &record, |event| {
                assert_eq!(event.name, wanted, "{}", form.what);
            });
            let verdict = mapped(
                form,
                "routes: [{ name: r, on: Something Else, skip: not wanted }]",
                &record,
            );
            assert_eq!(verdict, json!({"skip": "no_route"}), "{}", form.what);
        }
    }
}

#[test]
fn keys_and_numbers_are_what_was_sent() {
    for form in FORMS {
        let keys = ["7", "a b", "a.b", "$x", "é🫖", ""];
        let mut draft = Draft::of(form);
        for (number, key) in keys.iter().enumerate() {
            draft = draft.saying(form, key, json!(number));
        }
        event(form, &draft.record(), |event| {
            for (number, key) in keys.iter().enumerate() {
                assert_eq!(
                    said(form, event, key),
                    Some(number.to_string()),
                    "{}: {key:?}",
                    form.what
                );
            }
        });
        for (sent, wanted) in [
            ("9007199254740993", "9007199254740993"),
            ("18446744073709551615", "18446744073709551615"),
            ("-9223372036854775808", "-9223372036854775808"),
            ("18446744073709551616", "\"18446744073709551616\""),
            ("\"9007199254740993\"", "\"9007199254740993\""),
            ("19.99", "19.99"),
            ("\"19.99\"", "\"19.99\""),
        ] {
            let record = Draft::of(form).saying(form, "n", json!(RAW)).raw(sent);
            let found = event(form, &record, |event| said(form, event, "n"));
            assert_eq!(found.as_deref(), Some(wanted), "{}: {sent}", form.what);
        }
    }
}

/// What a mapping makes of a record: the first operation, or why there is none.
fn mapped(form: &Form, mapping: &str, record: &Record) -> Value {
    let mapping = Arc::new(Mapping::compile(mapping, "m.yaml").unwrap());
    let pipeline = Pipeline::new(form.format, Limits::default(), mapping).unwrap();
    let now = jiff::Timestamp::from_millisecond(NOW_MS).unwrap();
    match pipeline.explain(record, now).1 {
        Verdict::Emit(planned) => shown(&planned.first().unwrap().operation),
        Verdict::Batch(_) => panic!("{}: one event is no batch", form.what),
        Verdict::Skip(reason) => json!({"skip": reason.as_str()}),
        Verdict::Reject(rejected) => json!({"reject": rejected.reason.as_str()}),
    }
}

/// A mapping whose route names the customer by an address in the content.
fn routes(form: &Form) -> String {
    let seen = form.seen.replace('/', ".");
    format!(
        "routes:\n  - name: r\n    on: '*'\n    customer: {{ email: {seen}.mail }}\n    do: [{{ kobject: order, externalId: {seen}.number, title: {seen}.number, custom: {{ totalNum: {seen}.total }} }}]"
    )
}

#[test]
fn money_and_ids_in_what_is_written() {
    for form in FORMS {
        for total in ["19.99", "\"19.99\""] {
            let draft = Draft::of(form)
                .saying(form, "mail", json!("nora@shop.example"))
                .saying(form, "number", json!(9_007_199_254_740_993_i64))
                .saying(form, "total", json!(RAW));
            let found = mapped(form, &routes(form), &draft.raw(total));
            assert_eq!(found["custom"]["totalNum"], 19.99, "{}: {found}", form.what);
            assert_eq!(found["externalId"], "9007199254740993", "{}", form.what);
        }
    }
}

#[test]
fn addresses_that_are_none_name_nobody() {
    for form in FORMS {
        for (mail, wanted) in [
            ("Nora+Shop@Shop.example ", Some("nora+shop@shop.example")),
            ("zoë@shop.example", None),
            ("nora@@shop.example", None),
            ("a@b@shop.example", None),
        ] {
            let draft =
                Draft::of(form)
                    .saying(form, "mail", json!(mail))
                    .saying(form, "number", json!(1));
            let found = mapped(form, &routes(form), &draft.record());
            let shown = format!("{}: {mail}: {found}", form.what);
            match wanted {
                Some(address) => assert_eq!(found["customer"]["email"], address, "{shown}"),
                None => assert_eq!(found, json!({"reject": "missing_customer"}), "{shown}"),
            }
        }
    }
}

#[test]
fn times_are_read_in_every_form_and_never_made_up() {
    for form in FORMS {
        let Some(place) = &form.time else { continue };
        for (sent, wanted, is_number) in [
            (json!("2026-05-06T07:08:09"), "2026-05-06T07:08:09Z", false),
            (json!("2026-05-06 07:08:09"), "2026-05-06T07:08:09Z", false),
            (
                json!("2026-05-06T07:08:09.123456789Z"),
                "2026-05-06T07:08:09.123456789Z",
                false,
            ),
            (
                json!("2026-05-06T09:08:09+02:00"),
                "2026-05-06T07:08:09Z",
                false,
            ),
            (json!(1_778_000_000), "2026-05-05T16:53:20Z", true),
            (
                json!(1_778_000_000_123_i64),
                "2026-05-05T16:53:20.123Z",
                true,
            ),
            (
                json!(1_778_000_000_123_456_i64),
                "2026-05-05T16:53:20.123456Z",
                true,
            ),
            (json!(-62_135_596_800_000_i64), NOW, true),
            (json!(4_070_908_800_000_i64), NOW, true),
            (json!("0001-01-01T00:00:00Z"), NOW, false),
            (json!("2099-01-01T00:00:00Z"), NOW, false),
            (json!("yesterday"), NOW, false),
        ] {
            if form.counts_time && !is_number {
                continue;
            }
            let record = Draft::of(form).with(place, sent.clone()).record();
            let found = event(form, &record, |event| event.time.unwrap().to_string());
            assert_eq!(found, wanted, "{}: {sent}", form.what);
        }
    }
}

/// The person who did something in the shop's back office is no customer.
#[test]
fn staff_are_not_the_customer() {
    for form in FORMS {
        let draft = Draft::of(form).saying(form, "user_id", json!(7)).saying(
            form,
            "processed_by",
            json!({"email": "staff@shop.example"}),
        );
        event(form, &draft.record(), |event| {
            let hints = &event.customer;
            let found = (&hints.id, &hints.external_id, &hints.email, &hints.phone);
            let own = form.names.map(str::to_owned);
            assert_eq!(found, (&None, &own, &None, &None), "{}", form.what);
        });
    }
}
