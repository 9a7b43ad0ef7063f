//! Bodies that change what a status means, or that carry information.

use std::sync::Arc;

use ingest_model::body::Body;
use ingest_model::call::{Call, CallResult, ObjectState, SearchFound, Written};
use ingest_model::operation::{CustomerKey, Version};
use ingest_model::outcome::{JobTicket, Outcome, SplitHint};
use proptest::prelude::{Strategy, any, prop_assert, prop_oneof, proptest};
use serde_json::{Value, json};

use super::super::{ERROR_TEXT_LIMIT, HttpReply, ReplyBody, classify};
use super::{calls, create_many, get_object, in_short, items, klass, raw, reply, search};

#[test]
fn a_body_that_makes_no_sense_teaches_no_id() {
    let bodies: [&[u8]; 12] = [
        b"",
        b"{",
        b"[]",
        b"{}",
        b"null",
        b"1",
        b"\"x\"",
        b"\xff\xfe",
        b"{\"data\":1}",
        b"{\"data\":[1]}",
        b"{\"data\":{\"id\":7,\"attributes\":[]}}",
        b"<html></html>",
    ];
    for (name, call) in calls() {
        for status in [200, 201, 400, 404, 409] {
            let whole = bodies.iter().map(|body| raw(status, body));
            let cut = HttpReply {
                body: ReplyBody::Cut,
                ..raw(status, b"")
            };
            for reply in whole.chain([cut]) {
                let meaning = in_short(&classify(&call, &reply));
                assert!(
                    meaning != "pending" && !meaning.ends_with(":some"),
                    "{name} {meaning}"
                );
            }
        }
    }
}

#[test]
fn tracking_teaches_the_customers_id() {
    let call = Call::Identify {
        identity: Body::default(),
    };
    let linked = json!({"data": {"type": "identity", "id": "i1", "attributes": {"status": "updated"},
        "relationships": {"customer": {"data": {"type": "customer", "id": "c1"}}}}});
    let tracked = |body| classify(&call, &reply(201, &body));
    assert_eq!(
        tracked(linked),
        CallResult::Tracked(Outcome::Delivered(Some("c1".into())))
    );
    assert_eq!(
        tracked(json!({"data": {"id": "i1"}})),
        CallResult::Tracked(Outcome::Delivered(None))
    );
    let cut = HttpReply {
        body: ReplyBody::Cut,
        ..raw(201, b"")
    };
    assert_eq!(
        classify(&call, &cut),
        CallResult::Tracked(Outcome::Delivered(None))
    );
}

#[test]
fn errors_under_a_good_status_are_errors() {
    let body = json!({"errors": [{"code": "bad_request", "message": "no"}]});
    let track = Call::Track {
        identity: Body::default(),
        event: Body::default(),
    };
    let meaning = classify(&track, &reply(200, &body));
    assert_eq!(
        meaning,
        CallResult::Tracked(Outcome::Reject("200: no".into()))
    );
    assert_eq!(
        in_short(&classify(&get_object(), &reply(200, &body))),
        "retry:garbled"
    );
    let with_data = json!({"errors": [{"message": "half"}], "data": {"id": "o1"}});
    assert_eq!(
        in_short(&classify(&get_object(), &reply(200, &with_data))),
        "delivered:some"
    );
}

#[test]
fn a_single_write_is_known_by_id_and_revision() {
    let (_, create) = calls().swap_remove(7);
    let stored = |id: Option<&str>, rev| {
        CallResult::Written(Outcome::Delivered(Written::Stored {
            id: id.map(Arc::from),
            rev,
        }))
    };
    let body = json!({"data": {"type": "kobject.order", "id": "o1", "attributes": {"rev": 1}}});
    assert_eq!(
        classify(&create, &reply(201, &body)),
        stored(Some("o1"), Some(1))
    );
    assert_eq!(
        classify(&create, &raw(201, b"{\"data\":{\"id\"")),
        stored(None, None)
    );
    for status in [400, 404, 422] {
        let body = json!({"errors": [{"source": {"parameter": "customer"}, "title": "Not Found"}]});
        assert_eq!(
            in_short(&classify(&create, &reply(status, &body))),
            "delivered:gone",
            "{status}"
        );
    }
}

#[test]
fn an_object_is_read_with_version_and_customer() {
    let body = json!({"data": {"type": "kobject.order", "id": "o1",
        "attributes": {"rev": 4, "custom": {"ingestVersionStr": "17", "totalNum": 2}},
        "relationships": {"customer": {"data": {"type": "customer", "id": "c1"}}}}});
    let state = ObjectState {
        id: "o1".into(),
        rev: Some(4),
        version: Some(Version::new("17")),
        customer: Some("c1".into()),
        shown: body["data"]["attributes"].as_object().cloned().unwrap(),
        company: None,
    };
    let found = |state| CallResult::KObject(Outcome::Delivered(Some(state)));
    assert_eq!(
        classify(&get_object(), &reply(200, &body)),
        found(state.clone())
    );
    let flat =
        json!({"id": "o1", "rev": 4, "custom": {"ingestVersionStr": "17"}, "customer": "c1"});
    assert_eq!(
        classify(&get_object(), &reply(200, &flat)),
        found(ObjectState {
            shown: flat.as_object().cloned().unwrap(),
            ..state.clone()
        })
    );
    let masked = json!({"data": {"id": "o1", "attributes":
        {"custom": {"ingestVersionStr": {"isMasked": true, "maskedPresentation": "***"}}}}});
    let bare = ObjectState {
        rev: None,
        version: None,
        customer: None,
        shown: masked["data"]["attributes"].as_object().cloned().unwrap(),
        ..state
    };
    assert_eq!(classify(&get_object(), &reply(200, &masked)), found(bare));
    for empty in [json!({"data": null}), json!({"data": []})] {
        assert_eq!(
            in_short(&classify(&get_object(), &reply(200, &empty))),
            "delivered:none"
        );
    }
}

#[test]
fn a_merged_customer_is_found_through_the_redirect() {
    let by = |key| Call::GetCustomer { key };
    let moved = |to: &str| HttpReply {
        location: Some(to.to_owned()),
        ..raw(301, b"")
    };
    let id = || by(CustomerKey::Id("c1".into()));
    for to in [
        "/v1/customers/c2",
        "https://api.kustomerapp.com/v1/customers/c2/?x=1",
    ] {
        let found = CallResult::Customer(Outcome::Delivered(Some("c2".into())));
        assert_eq!(classify(&id(), &moved(to)), found, "{to}");
    }
    for (call, to) in [
        (id(), "https://login.example/"),
        (id(), "/v1/customers/externalId=a"),
        (
            by(CustomerKey::Email("a@b.example".into())),
            "/v1/customers/c2",
        ),
    ] {
        assert_eq!(
            in_short(&classify(&call, &moved(to))),
            "hold:unhealthy",
            "{to}"
        );
    }
}

#[test]
fn a_customer_read_by_id_shows_by_what_it_is_tracked() {
    let read = |key: CustomerKey, attributes: Value| {
        let body = json!({"data": {"id": "c1", "type": "customer", "attributes": attributes}});
        let read = classify(
            &Call::GetCustomer { key },
            &raw(200, body.to_string().as_bytes()),
        );
        let CallResult::Customer(Outcome::Delivered(Some(found))) = read else {
            panic!("{read:?}");
        };
        assert_eq!(&*found.id, "c1");
        found.keys
    };
    let by_id = |attributes| read(CustomerKey::Id("c1".into()), attributes);
    let email = CustomerKey::Email("ann@shop.example".into());
    let phone = CustomerKey::Phone("+15550100".into());
    let all = [CustomerKey::ExternalId("u1".into()), email.clone(), phone];
    let lists = json!({
        "externalIds": [{"externalId": "u1", "verified": true}, {"externalId": "u2"}],
        "emails": [{"type": "home", "email": "Ann@Shop.example"}, {"email": "other@shop.example"}],
        "phones": [{"phone": "555-0100"}, {"type": "mobile", "phone": "+15550100"}],
    });
    assert_eq!(by_id(lists), all);
    assert_eq!(
        by_id(json!({"externalId": "u1", "email": "ann@shop.example", "phones": ["+15550100"]})),
        all
    );
    let masked = json!({"isMasked": true, "maskedPresentation": "********"});
    let hidden = json!({"externalId": masked, "emails": [{"email": "ann@shop.example"}]});
    assert_eq!(
        by_id(hidden),
        std::slice::from_ref(&email),
        "a masked key is none"
    );
    let odd =
        json!({"externalId": " ", "emails": [], "phones": [{"phone": "call me"}], "name": "Ann"});
    assert_eq!(by_id(odd), []);
    let known = read(email, json!({"externalId": "u1"}));
    assert_eq!(known, [], "its keys are known already");
}

#[test]
fn hits_of_a_search_are_matched_to_their_keys() {
    let keys = vec![
        CustomerKey::ExternalId("u1".into()),
        CustomerKey::ExternalId("u2".into()),
        CustomerKey::Email("ann@shop.example".into()),
        CustomerKey::Phone("+15550100".into()),
        CustomerKey::Email("nobody@shop.example".into()),
    ];
    let hit = |id: &str, attributes: Value| json!({"type": "customer", "id": id, "attributes": attributes});
    let body = json!({"meta": {"total": 5}, "data": [
        hit("c1", json!({"externalId": "u1", "emails": [{"type": "home", "email": "Ann@Shop.example"}]})),
        hit("c2", json!({"externalIds": [{"externalId": "u2", "verified": true}]})),
        hit("c3", json!({"phones": [{"phone": "1 555 0100"}]})),
        hit("c4", json!({"name": "no keys shown"})),
        hit("c5", json!({"externalId": "U1"})),
    ]});
    let found = SearchFound {
        customers: vec![
            (keys[0].clone(), "c1".into()),
            (keys[2].clone(), "c1".into()),
            (keys[1].clone(), "c2".into()),
            (keys[3].clone(), "c3".into()),
        ],
        unmatched: 2,
    };
    let call = Call::SearchCustomers { keys };
    assert_eq!(
        classify(&call, &reply(200, &body)),
        CallResult::Searched(Outcome::Delivered(found))
    );
    assert_eq!(
        in_short(&classify(
            &search(&["u1"]),
            &reply(200, &json!({"data": []}))
        )),
        "delivered:0"
    );
    assert_eq!(
        in_short(&classify(&search(&["u1"]), &raw(200, b"{}"))),
        "retry:garbled"
    );
    assert_eq!(
        in_short(&classify(&search(&["u1"]), &raw(400, b""))),
        "reject"
    );
}

#[test]
fn a_submission_is_pending_under_its_id() {
    let pending = |id: &str, created_ms| {
        CallResult::Submitted(Outcome::Pending(JobTicket {
            id: id.into(),
            created_ms,
        }))
    };
    let created = "2026-01-01T00:00:00.500Z";
    let body = json!({"data": {"type": "bulk", "id": "j1",
        "attributes": {"status": "queued", "createdAt": created, "payload": {"api": {"data": [{}]}}}}});
    for status in [200, 201, 202] {
        let result = classify(&create_many(2), &reply(status, &body));
        assert_eq!(result, pending("j1", Some(1_767_225_600_500)), "{status}");
    }
    let flat = json!({"id": "j2", "status": "queued", "createdAt": 7});
    assert_eq!(
        classify(&create_many(2), &reply(201, &flat)),
        pending("j2", None)
    );
    for body in [
        &b""[..],
        b"{\"data\":{\"id\":\"\"}}",
        b"{\"data\":{\"id\":\"j1",
        b"<html>",
    ] {
        assert_eq!(
            in_short(&classify(&create_many(2), &raw(201, body))),
            "ambiguous"
        );
    }
}

#[test]
fn the_echo_of_a_submission_may_be_nested_deeply() {
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    let body = format!(r#"{{"data":{{"attributes":{{"payload":{deep}}},"id":"j1"}}}}"#);
    assert_eq!(
        in_short(&classify(&create_many(2), &raw(201, body.as_bytes()))),
        "pending"
    );
}

#[test]
fn a_refused_submission_names_item_or_reference() {
    let hint = |call: &Call, status, body: &Value| {
        let result = classify(call, &reply(status, body));
        let CallResult::Submitted(Outcome::Split(hint)) = result else {
            panic!("{result:?}");
        };
        hint
    };
    let error =
        |source: Value, title: &str| json!({"errors": [{"source": source, "title": title}]});
    let named = error(json!({"pointer": "/3/custom/x"}), "no");
    let expected = SplitHint {
        item: Some(3),
        detail: "400: no: /3/custom/x".into(),
        refs_refused: false,
        too_large: false,
    };
    assert_eq!(hint(&create_many(9), 400, &named), expected);
    assert_eq!(hint(&create_many(9), 404, &named).item, Some(3));
    assert_eq!(hint(&create_many(3), 400, &named).item, None);
    assert_eq!(hint(&create_many(1), 400, &Value::Null).item, Some(0));
    assert_eq!(hint(&create_many(9), 413, &Value::Null).item, None);

    let refs = error(
        json!({"pointer": "/0/_clientRef"}),
        "Additional properties not allowed",
    );
    let refused = hint(&create_many(9), 400, &refs);
    assert_eq!((refused.item, refused.refs_refused), (None, true));
    let without = Call::UpdateKObjects {
        klass: klass(),
        items: items(9),
        with_refs: false,
    };
    let refused = hint(&without, 400, &refs);
    assert_eq!((refused.item, refused.refs_refused), (Some(0), false));
}

#[test]
fn a_404_is_about_the_klass_unless_something_else_is_named() {
    let (_, create) = calls().swap_remove(7);
    let not_found = |parameter: &str| json!({"errors": [{"status": 404, "source": {"parameter": parameter}, "code": "notfound", "title": "Not Found"}]});
    for (parameter, single, bulk) in [
        ("name", "hold:missing_klass", "hold:missing_klass"),
        ("klass", "hold:missing_klass", "hold:missing_klass"),
        ("customer", "delivered:gone", "split"),
        ("company", "reject", "split"),
        ("1.customer", "delivered:gone", "split"),
    ] {
        let reply = reply(404, &not_found(parameter));
        assert_eq!(in_short(&classify(&create, &reply)), single, "{parameter}");
        assert_eq!(
            in_short(&classify(&create_many(2), &reply)),
            bulk,
            "{parameter}"
        );
    }
    let said = json!({"errors": [{"title": "Klass not found"}]});
    assert_eq!(
        in_short(&classify(&create, &reply(404, &said))),
        "hold:missing_klass"
    );
}

proptest! {
    #[test]
    fn no_body_breaks_it(
        body in prop_oneof![
            any::<Vec<u8>>(),
            r#"[\[\]{}":,a-z0-9]{0,40}"#.prop_map(String::into_bytes),
            (any::<String>(), any::<String>()).prop_map(|(title, pointer)| {
                json!({"errors": [{"title": title, "source": {"pointer": pointer}}]}).to_string().into_bytes()
            }),
        ],
        status in 100_u16..600,
    ) {
        for (name, call) in calls() {
            let result = classify(&call, &raw(status, &body));
            let text = if let CallResult::Submitted(Outcome::Split(hint)) = &result {
                hint.detail.clone()
            } else if let CallResult::Written(Outcome::Reject(detail)) = &result {
                detail.clone()
            } else {
                in_short(&result)
            };
            prop_assert!(text.chars().count() <= ERROR_TEXT_LIMIT, "{name}");
            prop_assert!(!text.contains('@') && !text.contains('\n'), "{name}: {text}");
        }
    }
}
