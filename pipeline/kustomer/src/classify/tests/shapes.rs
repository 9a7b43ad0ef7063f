//! Answers of odd shapes: fields of another kind, missing, twice, on another level; texts that are no JSON.

use std::fmt::Write as _;
use std::sync::Arc;

use ingest_model::call::{Call, CallResult};
use ingest_model::operation::CustomerKey;
use ingest_model::outcome::Outcome;
use proptest::collection::vec;
use proptest::prelude::{
    Just, ProptestConfig, Strategy, any, prop, prop_assert_eq, prop_oneof, proptest,
};
use serde_json::Value;

use super::super::classify;
use super::{calls, create_many, in_short, raw, tree};

/// A JSON value as it is written: a field may come twice, and a leaf may be anything.
#[derive(Debug, Clone)]
enum Json {
    Leaf(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// What is done to one of the values within.
#[derive(Debug, Clone)]
enum Change {
    Replace(Json),
    /// An object's field comes a second time, or under another's name.
    Again(prop::sample::Index, Json),
    Named(&'static str, Json),
    Drop(prop::sample::Index),
    InAList,
}

/// Answers as they should be, of every kind.
const USUAL: [&str; 15] = [
    r#"{"data":{"type":"identity","id":"i1","attributes":{"status":"updated","customer":"c0"},"relationships":{"org":{"data":{"id":"o"}},"customer":{"data":{"type":"customer","id":"c1"}}}}}"#,
    r#"{"id":"i1","customer":"c2","status":"updated"}"#,
    r#"{"data":{"type":"kobject.order","id":"o1","attributes":{"rev":4,"title":"t","custom":{"ingestVersionStr":"17","totalNum":2.5}},"relationships":{"customer":{"data":{"id":"c1"}}}}}"#,
    r#"{"id":"o1","rev":"12","custom":{"ingestVersionStr":"17"},"customer":"c1","errors":[]}"#,
    r#"{"meta":{"total":3},"data":[{"id":"c1","attributes":{"externalId":"u1","emails":[{"type":"home","email":"Ann@Shop.example"},"b@shop.example"]}},{"id":"c2","externalIds":[{"externalId":"u2","verified":true}]},{"id":"c3","attributes":{"phones":[{"phone":"15550100"}],"phone":"1"}}]}"#,
    r#"{"data":[{"type":"bulk_batch","id":"b1","attributes":{"status":"complete","objectIds":["o1"],"successCount":1,"failureCount":2,"completedAt":"2026-01-01T00:00:05Z","errors":["x"],"results":[{"_clientRef":"r0","objectId":"o1","status":"created"},{"_clientRef":"r1","status":"error","error":"duplicate detected"},{"clientRef":"r2","id":"o2","status":"Updated","error":null},{"_clientRef":"r3","status":"error","errors":[{"status":"429","title":"wait","detail":"a while"}]},{"_clientRef":"r4","message":{"status":404,"code":"gone"}}]}},{"attributes":{"status":"Failed"}}],"links":{"self":"/x","next":null}}"#,
    r#"{"batches":[{"status":"scheduled","completed":true,"results":[]},{"completedAt":"2026-01-01T00:00:07Z","failures":1}],"links":{"next":"/v1/bulk/j1/batches?page=2"}}"#,
    r#"{"data":{"id":"j1","attributes":{"status":"complete","completed":true,"completedAt":"2026-01-01T00:00:05Z","batches":{"complete":1,"total":2},"failed":3}}}"#,
    r#"{"data":{"id":"o1","rev":3,"customer":"c4","custom":{"ingestVersionStr":"18"},"attributes":{"title":"t"}}}"#,
    r#"{"data":[{"id":"c3","externalId":"u1","email":"ann@shop.example","phones":["15550100"],"attributes":{"email":7,"externalIds":["u2"]}},{"externalId":"u2"}]}"#,
    r#"[{"status":"complete","completedAt":"2026-01-01T00:00:06Z","failures":4,"attributes":{"status":"done","failureCount":null,"errors":[1,2]},"results":[{"_clientRef":"r0","clientRef":"r9","status":"success","id":"o1"}]},7,{"completed":true,"failed":2}]"#,
    r#"{"data":{"attributes":{"completed":true,"batches":[{"status":"expired"}]},"batches":{"complete":3,"total":2}},"batches":[]}"#,
    r#"{"data":null,"id":"c1","customer":"c1","errors":[{"title":"no"}]}"#,
    r#"[{"status":"complete","results":[{"_clientRef":"r5","status":"failed","message":"not found","errors":["timed out"],"error":"duplicate"},{"_clientRef":"r6","message":"stale","errors":["timed out"]},{"_clientRef":"r7","error":null,"errors":"stale"},{"_clientRef":"r8","status":"error","errors":[],"message":"stale"},{"_clientRef":"r9","error":[{"status":503,"code":"a","title":"b","message":"c","detail":"d"}]}]}]"#,
    r#"{"errors":[{"status":400,"code":"bad","title":"no","meta":{"index":1}}]}"#,
];

const NAMES: [&str; 20] = [
    "data",
    "errors",
    "error",
    "attributes",
    "relationships",
    "customer",
    "id",
    "links",
    "next",
    "batches",
    "results",
    "status",
    "completed",
    "completedAt",
    "failureCount",
    "_clientRef",
    "message",
    "rev",
    "externalId",
    "complete",
];

/// Leaves: of every kind, and some that are no JSON, or none for `serde_json`.
const LEAVES: [&str; 24] = [
    "null",
    "true",
    "false",
    "0",
    "7",
    "-3",
    "2.5",
    "1e3",
    "9223372036854775808",
    "1e999",
    "\"\"",
    "\"c9\"",
    "\"404\"",
    "\"+5\"",
    "\"complete\"",
    "\"ERROR\"",
    "\"created\"",
    "\"not found\"",
    "\"a\\u0062c\"",
    "\"\\ud800\"",
    "\"ä\"",
    "\"2026-01-01T00:00:09.5Z\"",
    "\"tab\there\"",
    "nul",
];

impl Json {
    fn of(value: &Value) -> Self {
        if let Some(list) = value.as_array() {
            return Self::List(list.iter().map(Self::of).collect());
        }
        let Some(object) = value.as_object() else {
            return Self::Leaf(value.to_string());
        };
        let fields = object
            .iter()
            .map(|(name, value)| (name.clone(), Self::of(value)));
        Self::Object(fields.collect())
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Leaf(text) => out.push_str(text),
            Self::List(list) => {
                out.push('[');
                for (place, one) in list.iter().enumerate() {
                    out.push_str(if place > 0 { " ," } else { "" });
                    one.write(out);
                }
                out.push(']');
            }
            Self::Object(fields) => {
                out.push('{');
                for (place, (name, value)) in fields.iter().enumerate() {
                    let comma = if place > 0 { "," } else { "" };
                    write!(out, "{comma}\"{name}\": ").unwrap();
                    value.write(out);
                }
                out.push('}');
            }
        }
    }

    fn size(&self) -> usize {
        1 + match self {
            Self::Leaf(_) => 0,
            Self::List(list) => list.iter().map(Self::size).sum(),
            Self::Object(fields) => fields.iter().map(|(_, value)| value.size()).sum(),
        }
    }

    /// The value at a place, counted from the outside in.
    fn at(&mut self, place: &mut usize) -> Option<&mut Self> {
        if *place == 0 {
            return Some(self);
        }
        *place -= 1;
        match self {
            Self::Leaf(_) => None,
            Self::List(list) => list.iter_mut().find_map(|one| one.at(place)),
            Self::Object(fields) => fields.iter_mut().find_map(|(_, one)| one.at(place)),
        }
    }

    fn change(&mut self, change: Change) {
        match (self, change) {
            (it, Change::Replace(by)) => *it = by,
            (it, Change::InAList) => *it = Self::List(vec![it.clone()]),
            (Self::Object(fields), Change::Again(which, value)) if !fields.is_empty() => {
                let name = which.get(fields).0.clone();
                fields.push((name, value));
            }
            (Self::Object(fields), Change::Named(name, value)) => {
                fields.insert(fields.len() / 2, (name.to_owned(), value));
            }
            (Self::Object(fields), Change::Drop(which)) if !fields.is_empty() => {
                fields.remove(which.index(fields.len()));
            }
            (_, Change::Again(..) | Change::Named(..) | Change::Drop(_)) => {}
        }
    }
}

fn odd() -> impl Strategy<Value = Json> {
    let leaf = prop::sample::select(&LEAVES[..22]).prop_map(|leaf| Json::Leaf(leaf.to_owned()));
    let name = || prop::sample::select(&NAMES[..]).prop_map(str::to_owned);
    leaf.prop_recursive(3, 8, 3, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Json::List),
            vec((name(), inner), 0..3).prop_map(Json::Object),
        ]
    })
}

fn change() -> impl Strategy<Value = Change> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        odd().prop_map(Change::Replace),
        (index(), odd()).prop_map(|(which, value)| Change::Again(which, value)),
        (prop::sample::select(&NAMES[..]), odd())
            .prop_map(|(name, value)| Change::Named(name, value)),
        index().prop_map(Change::Drop),
        Just(Change::InAList),
        prop::sample::select(&LEAVES[..])
            .prop_map(|leaf| Change::Replace(Json::Leaf(leaf.to_owned()))),
    ]
}

fn every_call() -> Vec<(&'static str, Call)> {
    let key = |text: &str| -> Arc<str> { text.into() };
    let keys = vec![
        CustomerKey::ExternalId("u1".into()),
        CustomerKey::ExternalId("u2".into()),
        CustomerKey::Email(key("ann@shop.example")),
        CustomerKey::Email(key("b@shop.example")),
        CustomerKey::Phone(key("15550100")),
        CustomerKey::Id(key("c3")),
    ];
    let mut calls = calls();
    calls.push(("search by all keys", Call::SearchCustomers { keys }));
    calls
}

fn is_bulk(call: &Call) -> bool {
    matches!(
        call,
        Call::CreateCustomers { .. } | Call::CreateKObjects { .. } | Call::UpdateKObjects { .. }
    )
}

/// Every call makes of the body what a tree of it shows; of an answer to a bulk request, whether it is errors and no data.
fn agrees(body: &[u8]) -> Result<(), String> {
    let whole: Option<Value> = serde_json::from_slice(body).ok();
    let is_errors = whole.is_some_and(|tree| tree::is_errors(&tree));
    for (name, call) in every_call() {
        let found = classify(&call, &raw(200, body));
        let agreed = if is_errors || is_bulk(&call) {
            let refused = matches!(
                in_short(&found).as_str(),
                "reject" | "split" | "retry:garbled" | "delivered:gone"
            );
            refused == is_errors
        } else {
            found == tree::meaning(&call, body)
        };
        if !agreed {
            return Err(format!("{name}: {found:?}, is errors: {is_errors}"));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn what_is_picked_is_what_a_tree_shows(
        usual in prop::sample::select(&USUAL[..]),
        changes in vec((any::<prop::sample::Index>(), change()), 0..4),
        end in prop_oneof![9 => Just(None), 1 => any::<prop::sample::Index>().prop_map(Some)],
    ) {
        let mut json = Json::of(&serde_json::from_str(usual).unwrap());
        for (which, change) in changes {
            let mut place = which.index(json.size());
            if let Some(value) = json.at(&mut place) {
                value.change(change);
            }
        }
        let mut text = String::new();
        json.write(&mut text);
        let mut body = text.into_bytes();
        if let Some(end) = end {
            body.truncate(end.index(body.len() + 1));
        }
        prop_assert_eq!(agrees(&body), Ok(()), "{}", String::from_utf8_lossy(&body));
    }
}

#[test]
fn bytes_that_are_no_text_are_read_by_nobody() {
    for usual in USUAL {
        let spoilt = usual.replacen("\"id\"", "\"i\u{1}d\"", 1);
        assert_eq!(agrees(usual.as_bytes()), Ok(()));
        assert_eq!(agrees(spoilt.as_bytes()), Ok(()));
        for from in 0..usual.len() {
            let mut body = usual.as_bytes().to_vec();
            body[from] = 0xff;
            assert_eq!(agrees(&body), Ok(()), "byte {from} of {usual}");
        }
    }
}

#[test]
fn depth_is_bounded_wherever_it_is() {
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let inside = [
        r#"{"data":{"id":"i1","attributes":{"other":#},"customer":"c1"}}"#,
        r#"{"data":{"id":"i1","rev":1,"attributes":{"customer":#}}}"#,
        r#"{"data":[{"status":"complete","results":[{"_clientRef":"r","status":"created","error":#}]}]}"#,
        r#"{"errors":#}"#,
    ];
    for body in inside {
        let levels = body.split('#').next().unwrap();
        let around = levels.matches(['{', '[']).count() - levels.matches(['}', ']']).count();
        let with = |levels: usize| body.replace('#', &nested(levels));
        for depth in [
            1,
            100,
            126 - around,
            127 - around,
            128 - around,
            200,
            50_000,
        ] {
            assert_eq!(agrees(with(depth).as_bytes()), Ok(()), "{depth} in {body}");
        }
        let state = Call::ReadJobState { job: "j1".into() };
        assert_eq!(
            in_short(&classify(&state, &raw(200, with(50_000).as_bytes()))),
            "retry:garbled"
        );
    }
}

#[test]
fn a_submission_counts_whatever_else_is_in_its_answer() {
    let pending = |body: &str| {
        let found = classify(&create_many(2), &raw(201, body.as_bytes()));
        let CallResult::Submitted(Outcome::Pending(job)) = found else {
            return Err(in_short(&found));
        };
        Ok((job.id.to_string(), job.created_ms))
    };
    let at = Some(1_767_225_600_000);
    let time = "2026-01-01T00:00:00Z";
    for (body, created) in [
        (r#"{"id":"j1","errors":[]}"#.to_owned(), None),
        (r#"{"id":"j1","errors":"no list"}"#.to_owned(), None),
        (
            r#"{"id":"j1","errors":"\ud800","errors":1e999}"#.to_owned(),
            None,
        ),
        (
            r#"{"errors":[{"title":"half"}],"data":{"id":"j1","errors":[1]}}"#.to_owned(),
            None,
        ),
        (
            format!(r#"{{"data":null,"id":"j1","createdAt":"{time}"}}"#),
            at,
        ),
        (
            format!(r#"{{"id":"j1","attributes":{{"createdAt":null}},"createdAt":"{time}"}}"#),
            at,
        ),
        (
            format!(r#"{{"id":"j1","attributes":{{"createdAt":7}},"createdAt":"{time}"}}"#),
            None,
        ),
        (
            format!(r#"{{"id":"j0","data":{{"id":"j1","createdAt":"{time}"}}}}"#),
            at,
        ),
    ] {
        assert_eq!(pending(&body), Ok(("j1".to_owned(), created)), "{body}");
    }
    for (body, meaning) in [
        (r#"{"id":"j1","errors":[0]}"#, "split"),
        (r#"{"id":"j1","errors":[ ]}"#, "pending"),
        (r#"{"attributes":1,"errors":[{"title":"no"}]}"#, "split"),
        (r#"{"data":1,"errors":[{"title":"no"}]}"#, "ambiguous"),
        (r#"{"id":7}"#, "ambiguous"),
        (r#"{"id":"j1","id":"j2"}"#, "ambiguous"),
        (r#"{"data":{"id":"j1"}} 1"#, "ambiguous"),
    ] {
        let found = classify(&create_many(2), &raw(201, body.as_bytes()));
        assert_eq!(in_short(&found), meaning, "{body}");
    }
}
