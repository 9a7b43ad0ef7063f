use super::*;
use crate::event::{BadTime, CustomerHints, KeyKind};
use crate::identity::Unusable;
use ingest_model::outcome::{SkipReason, Verdict};

const TOPIC: &str = "X-Shopify-Topic";

fn order() -> Value<'static> {
    json!({
        "id": 820_982_911_946_154_508_i64,
        "admin_graphql_api_id": "gid://shopify/Order/820982911946154508",
        "email": "jon@example.com",
        "contact_email": "jon@example.com",
        "phone": null,
        "user_id": 99,
        "created_at": "2026-05-06T07:00:00+02:00",
        "updated_at": "2026-05-06T07:08:09+02:00",
        "financial_status": "paid",
        "fulfillment_status": null,
        "customer": {"id": 115_310_627_314_723_954_i64, "email": "John@example.com", "phone": "+16135550142"},
    })
}

#[test]
fn an_order_is_named_by_its_topic_and_belongs_to_its_customer() {
    let headers = [
        (TOPIC, "orders/paid"),
        ("X-Shopify-Event-Id", "98880550-7158-44d4-b7cd-2c97c8a091b5"),
        (
            "X-Shopify-Webhook-Id",
            "b54557e4-bdd9-4b37-8a5f-bf7d70bcd043",
        ),
        ("X-Shopify-Triggered-At", "2026-05-06T05:08:11Z"),
    ];
    let event = event(Format::Shopify, &order(), &headers);
    assert_eq!(event.name, "orders/paid");
    assert_eq!(event.source, "shopify");
    let id = event.id.as_deref();
    assert_eq!(id, Some("orders/paid:98880550-7158-44d4-b7cd-2c97c8a091b5"));
    assert_eq!(time(&event), "2026-05-06T05:08:09Z");
    assert_eq!(subject(&event), Some("820982911946154508"));
    let wanted = CustomerHints {
        external_id: Some("shopify:115310627314723954".into()),
        email: Some("john@example.com".into()),
        phone: Some("+16135550142".into()),
        ..CustomerHints::default()
    };
    assert_eq!(event.customer, wanted);
    assert_eq!(event.payload, order());
    assert!(event.notes.is_empty() && !event.deleted && !must_be_seen(&event));
}

#[test]
fn headers_count_in_any_case_and_the_last_value_that_is_a_text() {
    for name in ["x-shopify-topic", "X_SHOPIFY_TOPIC", "X-Shopify-Topic"] {
        assert_eq!(
            event(Format::Shopify, &order(), &[(name, "orders/create")]).name,
            "orders/create"
        );
    }
    let mut record = record(
        order().to_string().as_bytes(),
        &[(TOPIC, "orders/create"), (TOPIC, "orders/paid")],
    );
    record.headers.push(Header {
        name: TOPIC.into(),
        value: None,
    });
    record.headers.push(Header {
        name: TOPIC.into(),
        value: Some(Bytes::from_static(b"\xff")),
    });
    record.headers.push(Header {
        name: TOPIC.into(),
        value: Some(Bytes::from_static(b" ")),
    });
    assert_eq!(
        decoded(Format::Shopify, &record).unwrap().name,
        "orders/paid"
    );
}

#[test]
fn a_wrapper_may_keep_the_headers() {
    let metadata = json!({"X-Shopify-Topic": "orders/create", "X-Shopify-Event-Id": "e-1"});
    let lists = json!({"x-shopify-topic": ["orders/create"], "x-shopify-event-id": ["e-1"]});
    let text = order().to_string();
    for wrapped in [
        json!({"detail-type": "shopifyWebhook", "source": "aws.partner/shopify", "detail": {"metadata": metadata, "payload": order()}}),
        json!({"headers": metadata, "body": order()}),
        json!({"headers": metadata, "body": text}),
        json!({"headers": lists, "payload": order()}),
    ] {
        let event = event(Format::Shopify, &wrapped, &[]);
        assert_eq!(event.name, "orders/create", "{wrapped}");
        assert_eq!(event.id.as_deref(), Some("orders/create:e-1"), "{wrapped}");
        assert_eq!(event.payload, order(), "{wrapped}");
    }
    let side_by_side = json!({"topic": "orders/create", "shop": "tea.example", "payload": order()});
    let event = event(
        Format::Shopify,
        &side_by_side,
        &[("x-shopify-event-id", "e-2")],
    );
    assert_eq!(event.id.as_deref(), Some("orders/create:e-2"));
    assert_eq!(event.payload, order());
}

#[test]
fn a_wrapper_without_a_resource_is_rejected_by_its_field() {
    for (wrapped, reason, what) in [
        (
            json!({"detail-type": "shopifyWebhook", "detail": {"metadata": {}, "payload": 5}}),
            Rejection::FormatMismatch,
            "`detail.payload`",
        ),
        (
            json!({"detail-type": "shopifyWebhook"}),
            Rejection::FormatMismatch,
            "`detail`",
        ),
        (
            json!({"headers": {}, "body": "{\"id\":"}),
            Rejection::InvalidJson,
            "`body`",
        ),
        (
            json!({"headers": {}, "body": [1]}),
            Rejection::FormatMismatch,
            "`body`",
        ),
    ] {
        let rejected = rejected(Format::Shopify, &wrapped, &[(TOPIC, "orders/create")]);
        assert_eq!(rejected.reason, reason, "{wrapped}");
        assert!(rejected.detail.contains(what), "{}", rejected.detail);
    }
}

#[test]
fn without_a_topic_nobody_knows_what_happened() {
    let rejected = rejected(Format::Shopify, &order(), &[]);
    assert_eq!(rejected.reason, Rejection::InvalidEnvelope);
    assert!(
        rejected.detail.contains("X-Shopify-Topic"),
        "{}",
        rejected.detail
    );
}

#[test]
fn without_ids_in_headers_a_state_is_known_by_its_time() {
    let found = event(Format::Shopify, &order(), &[(TOPIC, "orders/updated")]);
    let wanted = "orders/updated:820982911946154508:2026-05-06T07:08:09+02:00";
    assert_eq!(found.id.as_deref(), Some(wanted));
    let deleted = event(
        Format::Shopify,
        &json!({"id": 5}),
        &[(TOPIC, "orders/delete")],
    );
    assert_eq!(deleted.id, None);
    assert!(deleted.deleted);
    let delivery = [(TOPIC, "orders/delete"), ("x-shopify-webhook-id", "w-1")];
    let deleted = event(Format::Shopify, &json!({"id": 5}), &delivery);
    assert_eq!(deleted.id.as_deref(), Some("orders/delete:w-1"));
}

/// Programs that read whole numbers as floating point write …500 for …508.
#[test]
fn a_spoilt_number_is_read_from_the_global_id() {
    let mut spoilt = order();
    let Value::Object(fields) = &mut spoilt else {
        panic!("an object")
    };
    fields.insert("id", json!(820_982_911_946_154_500_i64));
    fields.insert("customer", json!({"id": 115_310_627_314_723_950_i64, "admin_graphql_api_id": "gid://shopify/Customer/115310627314723954"}));
    let event = event(Format::Shopify, &spoilt, &[(TOPIC, "orders/create")]);
    assert_eq!(subject(&event), Some("820982911946154508"));
    assert_eq!(
        event.customer.external_id.as_deref(),
        Some("shopify:115310627314723954")
    );
}

#[test]
fn who_the_customer_is_depends_on_the_topic() {
    let none = CustomerHints::default();
    let of = |external: Option<&str>, email: Option<&str>, phone: Option<&str>| CustomerHints {
        external_id: external.map(Into::into),
        email: email.map(Into::into),
        phone: phone.map(Into::into),
        ..CustomerHints::default()
    };
    for (topic, body, wanted) in [
        (
            "customers/update",
            json!({"id": 7, "email": "a@b.example", "phone": "+49301234567"}),
            of(Some("shopify:7"), Some("a@b.example"), Some("+49301234567")),
        ),
        (
            "customers/redact",
            json!({"customer": {"id": 7, "email": "a@b.example"}, "shop_id": 1}),
            of(Some("shopify:7"), Some("a@b.example"), None),
        ),
        (
            "customers/merge",
            json!({"admin_graphql_api_customer_kept_id": "gid://shopify/Customer/8", "admin_graphql_api_customer_deleted_id": "gid://shopify/Customer/9"}),
            of(Some("shopify:8"), None, None),
        ),
        (
            "customers_email_marketing_consent/update",
            json!({"customer_id": 7, "email_address": "a@b.example"}),
            of(Some("shopify:7"), Some("a@b.example"), None),
        ),
        (
            "checkouts/create",
            json!({"token": "t", "email": "a@b.example", "customer": null}),
            of(None, Some("a@b.example"), None),
        ),
        (
            "fulfillments/create",
            json!({"id": 1, "email": "a@b.example", "destination": {"phone": "+49301234567"}}),
            of(None, Some("a@b.example"), None),
        ),
        (
            "fulfillments/create",
            json!({"id": 1, "email": "", "destination": {"phone": "+49301234567"}}),
            of(None, None, Some("+49301234567")),
        ),
        (
            "subscription_contracts/create",
            json!({"customer_id": 1, "admin_graphql_api_customer_id": "gid://shopify/Customer/1"}),
            of(Some("shopify:1"), None, None),
        ),
        // staff, and nobody
        (
            "refunds/create",
            json!({"id": 1, "order_id": 2, "user_id": 548_380_009}),
            none.clone(),
        ),
        (
            "fulfillment_events/create",
            json!({"id": 1, "order_id": 2}),
            none.clone(),
        ),
        ("returns/update", json!({"id": 1}), none.clone()),
        (
            "carts/update",
            json!({"id": "c", "token": "c", "email": "x@y.example"}),
            none.clone(),
        ),
        (
            "products/update",
            json!({"id": 1, "email": "x@y.example"}),
            none.clone(),
        ),
        ("something/new", json!({"customer": {"id": 7}}), none),
    ] {
        let event = event(Format::Shopify, &body, &[(TOPIC, topic)]);
        assert_eq!(event.customer, wanted, "{topic} {body}");
    }
}

#[test]
fn keys_that_name_nobody_are_noted_by_their_place() {
    let body = json!({"id": 1, "customer": {"id": "shopify-admin"}, "email": "jörg@x.example"});
    let event = event(Format::Shopify, &body, &[(TOPIC, "orders/create")]);
    assert_eq!(event.customer, CustomerHints::default());
    let notes: Vec<_> = event
        .notes
        .unused_keys()
        .iter()
        .map(|key| (&*key.at, key.kind, key.why))
        .collect();
    assert_eq!(
        notes,
        [
            ("customer.id", KeyKind::ExternalId, Unusable::Nobody),
            ("email", KeyKind::Email, Unusable::Illegal),
        ]
    );
}

#[test]
fn the_time_is_that_of_the_thing_then_that_of_the_header_then_the_records() {
    let triggered = ("X-Shopify-Triggered-At", "2026-05-01T00:00:00.123456Z");
    let of =
        |body: Value<'_>, headers: &[(&str, &str)]| time(&event(Format::Shopify, &body, headers));
    let topic = (TOPIC, "x/y");
    assert_eq!(
        of(
            json!({"happened_at": "2026-05-02 00:00:00.000Z", "updated_at": "2026-05-03T00:00:00Z"}),
            &[topic]
        ),
        "2026-05-02T00:00:00Z"
    );
    assert_eq!(
        of(
            json!({"created_at": "2026-04-01T00:00:00Z"}),
            &[topic, triggered]
        ),
        "2026-05-01T00:00:00.123456Z"
    );
    assert_eq!(
        of(json!({"created_at": "2026-04-01T00:00:00-05:00"}), &[topic]),
        "2026-04-01T05:00:00Z"
    );
    assert_eq!(
        of(
            json!({"updated_at": "0001-01-01T00:00:00Z", "created_at": "2099-01-01T00:00:00Z"}),
            &[topic, ("x-shopify-triggered-at", "soon")]
        ),
        "2026-05-17T06:40:00Z"
    );
    let noted = event(
        Format::Shopify,
        &json!({"updated_at": "2099-01-01"}),
        &[topic],
    );
    assert_eq!(
        noted.notes.bad_time(),
        Some(("updated_at", BadTime::Implausible))
    );
}

/// Several webhooks of one order come in the same second, in any order.
#[test]
fn of_two_states_of_one_second_the_one_that_is_further_on_is_newer() {
    let of = |topic: &str, financial: &str, fulfillment: Value<'_>, cancelled: Value<'_>| {
        let body = json!({"id": 1, "updated_at": "2026-05-06T07:08:09Z", "financial_status": financial, "fulfillment_status": fulfillment, "cancelled_at": cancelled});
        version(&event(Format::Shopify, &body, &[(TOPIC, topic)]))
    };
    let states = [
        of("orders/create", "pending", json!(null), json!(null)),
        of("orders/paid", "paid", json!(null), json!(null)),
        of("orders/updated", "paid", json!("partial"), json!(null)),
        of("orders/fulfilled", "paid", json!("fulfilled"), json!(null)),
        of(
            "orders/cancelled",
            "refunded",
            json!("fulfilled"),
            json!("2026-05-06T07:08:09Z"),
        ),
    ];
    assert!(
        states.is_sorted_by(|left, right| left < right),
        "{states:?}"
    );
    assert!(
        states
            .iter()
            .all(|state| state.as_second() == 1_778_051_289),
        "{states:?}"
    );
}

#[test]
fn requests_of_the_law_must_be_seen() {
    for topic in [
        "customers/data_request",
        "customers/redact",
        "shop/redact",
        "Customers/Redact",
    ] {
        assert!(
            must_be_seen(&event(
                Format::Shopify,
                &json!({"shop_id": 1}),
                &[(TOPIC, topic)]
            )),
            "{topic}"
        );
    }
}

#[test]
fn newer_events_say_topic_and_action_themselves() {
    let body = json!({
        "topic": "Order", "action": "update", "handle": "orders",
        "data": {"order": {"id": "gid://shopify/Order/17", "name": "#1001"}},
        "fields_changed": {"added": [], "updated": ["order.email"], "removed": []},
        "query_variables": {"orderId": "gid://shopify/Order/17"},
    });
    let headers = [
        ("shopify-topic", "Order"),
        ("shopify-action", "update"),
        ("shopify-event-id", "e-1"),
    ];
    let found = event(Format::Shopify, &body, &headers);
    assert_eq!(found.name, "Order/update");
    assert_eq!(found.id.as_deref(), Some("order/update:e-1"));
    assert_eq!(subject(&found), Some("17"));
    assert_eq!(found.payload, body);
    assert!(!found.deleted);
    // without headers, too; and without a query there is no data
    let gone = json!({"topic": "Product", "action": "delete", "handle": "p", "fields_changed": [], "query_variables": {"productId": "gid://shopify/Product/5"}});
    let found = event(Format::Shopify, &gone, &[]);
    assert_eq!(
        (found.name.as_str(), found.deleted),
        ("Product/delete", true)
    );
    let denied = json!({"topic": "Order", "action": "update", "data": null, "errors": [{"extensions": {"code": "ACCESS_DENIED"}}]});
    let rejected = rejected(Format::Shopify, &denied, &[]);
    assert_eq!(rejected.reason, Rejection::InvalidEnvelope);
    assert!(rejected.detail.contains("access scopes"));
}

/// A person has to answer these: a mapping that says nothing of them must not make them vanish.
#[test]
fn a_request_of_the_law_that_no_route_names_is_rejected() {
    let pipeline = |routes: &str| {
        let text = format!("format: shopify\nroutes:\n{routes}");
        let mapping = crate::mapping::Mapping::compile(&text, "m.yaml").unwrap();
        crate::route::Pipeline::new(Format::Shopify, Limits::default(), mapping.into()).unwrap()
    };
    let judged = |routes: &str, topic: &str| {
        let record = record(b"{\"shop_id\":1}", &[(TOPIC, topic)]);
        pipeline(routes)
            .judge(&record, jiff::Timestamp::UNIX_EPOCH)
            .1
    };
    let orders = "  - { name: o, on: orders/create, skip: x }\n";
    let all = "  - { name: all, on: '*', skip: x }\n";
    let everything = "  - { name: every, on: '*', do: [ { track: '\"Seen\"' } ] }\n";
    let never = "  - { name: n, on: customers/redact, when: .a == 1, skip: x }\n";
    let named = "  - { name: law, on: customers/redact, skip: answered elsewhere }\n";
    for routes in [orders, all, everything, never] {
        let Verdict::Reject(rejected) = judged(routes, "customers/redact") else {
            panic!("{routes}");
        };
        assert_eq!(rejected.reason, Rejection::PrivacyRequest, "{routes}");
        assert!(rejected.detail.contains("`on`"), "{}", rejected.detail);
    }
    let dropped = Verdict::Skip(SkipReason::Dropped);
    assert_eq!(judged(named, "customers/redact"), dropped);
    assert_eq!(judged(all, "orders/paid"), dropped);
    let no_route = Verdict::Skip(SkipReason::NoRoute);
    assert_eq!(judged(named, "orders/paid"), no_route);
}

/// A route may delete what such a request lists.
#[test]
fn orders_that_the_law_wants_gone_are_deleted_by_a_route_that_says_so() {
    let text = "format: shopify\nroutes:\n  - name: redacted\n    on: customers/redact\n    delete: delete\n    do:\n      - each: \
                .orders_to_redact\n        kobject: order\n        externalId: $item\n        version: 'null'\n";
    let mapping = crate::mapping::Mapping::compile(text, "m.yaml").unwrap();
    let pipeline =
        crate::route::Pipeline::new(Format::Shopify, Limits::default(), mapping.into()).unwrap();
    let body = b"{\"shop_id\":1,\"customer\":{\"id\":7},\"orders_to_redact\":[5001,5002]}";
    let record = record(body, &[(TOPIC, "customers/redact")]);
    let verdict = pipeline.judge(&record, jiff::Timestamp::UNIX_EPOCH).1;
    let shown = verdict.planned().iter();
    let shown: Vec<_> = shown
        .map(|one| crate::testing::shown(&one.operation).to_string())
        .collect();
    let expected = ["5001", "5002"]
        .map(|id| format!(r#"{{"delete":"order","externalId":"{id}","version":null}}"#));
    assert_eq!(shown, expected);
}
