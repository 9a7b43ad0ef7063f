//! What goes over the wire for each kind of call, as reviewed snapshots.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use ingest_kustomer::encode::encode;
use ingest_model::body::Body;
use ingest_model::call::{BulkItem, Call};
use ingest_model::operation::{CustomerKey, ExternalId, Klass};
use serde_json::{Value, json};

fn map(value: &Value) -> Body {
    value.as_object().map(Body::from).unwrap()
}

fn klass() -> Klass {
    Klass("order".into())
}

fn item(reference: &str, body: &Value) -> BulkItem {
    BulkItem {
        reference: reference.to_owned(),
        body: map(body),
        customer: None,
        id: None,
        rev: None,
        imported_at: None,
        company: None,
    }
}

fn wire(call: &Call) -> Value {
    let request = encode(call);
    let body: Option<Value> = request.body.map(|b| serde_json::from_slice(&b).unwrap());
    json!({
        "request": format!("{} {}", request.method.as_str(), request.path),
        "endpoint": request.endpoint,
        "body": body,
    })
}

#[test]
fn tracking() {
    let identity = map(&json!({"externalId": "u1", "email": "ann@shop.example"}));
    let event = map(&json!({"name": "Order-Shipped", "meta": {"eventKey": "k", "totalNum": 1.5}}));
    insta::assert_json_snapshot!([
        wire(&Call::Identify {
            identity: identity.clone()
        }),
        wire(&Call::Track { identity, event }),
    ]);
}

#[test]
fn customers() {
    let key = |key| wire(&Call::GetCustomer { key });
    insta::assert_json_snapshot!([
        key(CustomerKey::Id("5f75c63cd5c0384ad82a17ae".into())),
        key(CustomerKey::ExternalId("a/b c%2F?x=1#é:1".into())),
        key(CustomerKey::Email("ann+shop@example.org".into())),
        key(CustomerKey::Phone("+15550100".into())),
        key(CustomerKey::Id("..".into())),
        wire(&Call::SearchCustomers {
            keys: vec![
                CustomerKey::ExternalId("u1".into()),
                CustomerKey::Email("ann@shop.example".into()),
                CustomerKey::Phone("+15550100".into()),
                CustomerKey::Id("5f75c63cd5c0384ad82a17ae".into()),
            ],
        }),
        wire(&Call::CreateCustomers {
            items: vec![
                item("r1", &json!({"externalId": "u1"})),
                item(
                    "r2",
                    &json!({"emails": [{"type": "home", "email": "ann@shop.example"}]})
                ),
            ],
            with_refs: true,
        }),
    ]);
}

#[test]
fn objects() {
    let create = BulkItem {
        customer: Some("c1".into()),
        id: Some("never sent on creation".into()),
        rev: Some(9),
        ..item(
            "r1",
            &json!({"title": "Order 1", "externalId": "1", "data": {"deep": [{}]}}),
        )
    };
    let update = BulkItem {
        customer: Some("never sent on update".into()),
        id: Some("o1".into()),
        rev: Some(3),
        ..item(
            "r2",
            &json!({"title": "Order 1", "custom": {"totalNum": 2}}),
        )
    };
    let bare = item("r3", &json!({"title": "Order 2"}));
    let body = map(&json!({"title": "Order 1", "externalId": "1"}));
    let creates = vec![create, bare.clone()];
    let updates = vec![update, bare];
    insta::assert_json_snapshot!([
        wire(&Call::CreateKObjects {
            klass: klass(),
            items: creates.clone(),
            with_refs: true
        }),
        wire(&Call::CreateKObjects {
            klass: klass(),
            items: creates,
            with_refs: false
        }),
        wire(&Call::UpdateKObjects {
            klass: klass(),
            items: updates.clone(),
            with_refs: true
        }),
        wire(&Call::UpdateKObjects {
            klass: klass(),
            items: updates,
            with_refs: false
        }),
        wire(&Call::CreateKObject {
            klass: klass(),
            body: body.clone()
        }),
        wire(&Call::UpdateKObject {
            klass: klass(),
            id: "o1".into(),
            body
        }),
        wire(&Call::DeleteKObject {
            klass: klass(),
            id: "o/1".into()
        }),
        wire(&Call::GetKObject {
            klass: klass(),
            external_id: ExternalId("shop/1 2".into())
        }),
        wire(&Call::GetKObject {
            klass: Klass("../x".into()),
            external_id: ExternalId("1".into())
        }),
    ]);
}

#[test]
fn the_time_of_an_import_is_said_on_creation_and_once() {
    let at = "2026-01-02T03:04:05.000Z";
    let old = |body: &Value| BulkItem {
        id: Some("o1".into()),
        imported_at: Some(at.into()),
        ..item("r1", body)
    };
    let own = json!({"title": "Order 2", "importedAt": "2025-12-31T00:00:00.000Z"});
    // The name within a value is not a field.
    let deep = json!({"title": "importedAt", "data": {"importedAt": 1}});
    let items = vec![old(&json!({"title": "Order 1"})), old(&own), old(&deep)];
    let (klass, with_refs) = (klass(), false);
    let created = wire(&Call::CreateKObjects {
        klass: klass.clone(),
        items: items.clone(),
        with_refs,
    });
    assert_eq!(
        created["body"],
        json!([
            {"importedAt": at, "title": "Order 1"},
            own,
            {"importedAt": at, "title": "importedAt", "data": {"importedAt": 1}},
        ])
    );
    let updated = wire(&Call::UpdateKObjects {
        klass,
        items,
        with_refs,
    });
    assert_eq!(updated["body"][0], json!({"id": "o1", "title": "Order 1"}));
}

#[test]
fn jobs_and_the_key() {
    insta::assert_json_snapshot!([
        wire(&Call::ReadJob { job: "j1".into() }),
        wire(&Call::ReadJobState { job: "j1".into() }),
        wire(&Call::Probe),
    ]);
}

#[test]
fn debug_shows_neither_path_nor_body() {
    let call = Call::GetCustomer {
        key: CustomerKey::Email("ann@shop.example".into()),
    };
    let shown = format!("{:?}", encode(&call));
    assert!(
        shown.contains("customer") && !shown.contains("ann"),
        "{shown}"
    );
}

/// Customers and companies are written like objects, at paths of their own.
#[test]
fn customers_and_companies() {
    let create = BulkItem {
        company: Some("k1".into()),
        ..item("r1", &json!({"externalId": "u/1", "name": "Ann"}))
    };
    let update = BulkItem {
        id: Some("c1".into()),
        rev: Some(3),
        ..create.clone()
    };
    let said = json!({"_clientRef": "r1", "company": "k1", "externalId": "u/1", "name": "Ann"});
    let mut changed = said.clone();
    changed["id"] = json!("c1");
    changed["rev"] = json!(3);
    for (klass, path, found) in [
        (
            Klass::customer(),
            "/v1/customers",
            "/v1/customers/externalId=u%2F1",
        ),
        (
            Klass::company(),
            "/v1/companies",
            "/v1/companies?externalId=u%2F1",
        ),
    ] {
        let sent = |call: Call| {
            let request = encode(&call);
            let body = request
                .body
                .map(|body| serde_json::from_slice::<Value>(&body).unwrap());
            (request.method.as_str(), request.path, body)
        };
        let (klass, bulk) = (|| klass.clone(), format!("{path}/bulk"));
        let call = Call::CreateKObjects {
            klass: klass(),
            items: vec![create.clone()],
            with_refs: true,
        };
        assert_eq!(sent(call), ("POST", bulk.clone(), Some(json!([said]))));
        let call = Call::UpdateKObjects {
            klass: klass(),
            items: vec![update.clone()],
            with_refs: true,
        };
        assert_eq!(sent(call), ("PUT", bulk, Some(json!([changed]))));
        let body = map(&json!({"name": "Ann"}));
        let call = Call::CreateKObject {
            klass: klass(),
            body: body.clone(),
        };
        assert_eq!(
            sent(call),
            ("POST", path.to_owned(), Some(json!({"name": "Ann"})))
        );
        let call = Call::UpdateKObject {
            klass: klass(),
            id: "c1".into(),
            body,
        };
        assert_eq!(
            sent(call),
            ("PUT", format!("{path}/c1"), Some(json!({"name": "Ann"})))
        );
        let call = Call::GetKObject {
            klass: klass(),
            external_id: ExternalId("u/1".into()),
        };
        assert_eq!(sent(call), ("GET", found.to_owned(), None));
    }
    let key = CustomerKey::Email("a@b.example".into());
    let path = encode(&Call::FindCustomer { key }).path;
    assert_eq!(path, "/v1/customers/email=a%40b.example");
}
