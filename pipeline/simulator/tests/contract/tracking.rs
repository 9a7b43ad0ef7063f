use reqwest::Method;
use serde_json::json;

use crate::Api;

fn identity_event(external_id: &str, meta: &serde_json::Value) -> serde_json::Value {
    json!({ "identity": { "externalId": external_id }, "event": { "name": "Seen", "meta": meta } })
}

#[tokio::test]
async fn an_event_answers_with_nothing() {
    let api = Api::start().await;
    let got = api
        .post("/v1/tracking/event", json!({"name": "Page-Viewed"}))
        .await
        .expect(204);
    assert_eq!(got.text, "");
    assert_eq!(got.header("content-type"), None);
    assert_eq!(api.account().accepted.tracking, 1);
}

#[tokio::test]
async fn an_identity_carries_the_customer() {
    let api = Api::start().await;
    let body = json!({"externalId": "u1", "email": "a@b.c", "name": "Ada", "tags": ["vip"],
        "custom": {"tierStr": "gold"}, "trackingId": "visitor-1"});
    let first = api
        .post("/v1/tracking/identity", body.clone())
        .await
        .expect(201)
        .json();
    let data = &first["data"];
    assert_eq!(data["type"], "identity");
    assert_eq!(data["attributes"]["status"], "created");
    assert_eq!(data["attributes"]["trackingId"], "visitor-1");
    assert_eq!(
        data["links"]["self"],
        format!("/v1/tracking/identity/{}", data["id"].as_str().unwrap())
    );
    let id = data["relationships"]["customer"]["data"]["id"]
        .as_str()
        .unwrap();
    assert_eq!(id.len(), 24);
    let again = api
        .post("/v1/tracking/identity", body)
        .await
        .expect(201)
        .json();
    assert_eq!(again["data"]["attributes"]["status"], "updated");
    assert_eq!(again["data"]["relationships"]["customer"]["data"]["id"], id);
    let customer = api
        .get(&format!("/v1/customers/{id}"))
        .await
        .expect(200)
        .json();
    let attributes = &customer["data"]["attributes"];
    assert_eq!(attributes["name"], "Ada");
    assert_eq!(attributes["emails"][0]["email"], "a@b.c");
    assert_eq!(attributes["custom"]["tierStr"], "gold");
    assert_eq!(attributes["tags"], json!(["vip"]));
    let account = api.account();
    assert_eq!(
        (
            account.accepted.identities,
            account.accepted.customers_created
        ),
        (2, 1)
    );
    assert_eq!(account.accepted.tracking, 0);
}

#[tokio::test]
async fn identities_match_by_external_id_then_email_then_phone() {
    let api = Api::start().await;
    let id_of = async |body| {
        let got = api
            .post("/v1/tracking/identity", body)
            .await
            .expect(201)
            .json();
        got["data"]["relationships"]["customer"]["data"]["id"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let by_id = id_of(json!({"externalId": "u1"})).await;
    let by_email = id_of(json!({"email": "a@b.c"})).await;
    let by_phone = id_of(json!({"phone": "+4930123456"})).await;
    assert!(by_id != by_email && by_email != by_phone);
    let all = json!({"externalId": "u1", "email": "A@b.c", "phone": "+4930123456"});
    assert_eq!(id_of(all).await, by_id);
    assert_eq!(
        id_of(json!({"email": "a@b.c", "phone": "+4930123456"})).await,
        by_email
    );
    assert_eq!(api.account().identity_conflicts, 2);
    // a new external id is added to the customer who has the e-mail, even beside another external id
    assert_eq!(
        id_of(json!({"externalId": "u2", "email": "a@b.c"})).await,
        by_email
    );
    assert_eq!(
        id_of(json!({"externalId": "u3", "email": "a@b.c"})).await,
        by_email
    );
    assert_eq!(id_of(json!({"externalId": "u3"})).await, by_email);
    assert_eq!(api.account().identity_conflicts, 3);
}

#[tokio::test]
async fn bodies_are_strict() {
    let api = Api::start().await;
    for (path, body) in [
        ("event", json!({"name": "Seen", "customer": "u1"})),
        ("event", json!({"name": "Order Placed"})),
        ("event", json!({"meta": {}})),
        ("event", json!({"name": "Seen", "meta": {"openBool": true}})),
        (
            "identity",
            json!({"externalId": "u1", "importedAt": "2025-01-02T03:04:05Z"}),
        ),
        ("identity", json!({"email": "nobody"})),
        ("identity", json!({"custom": {"tier": "gold"}})),
        ("identity", json!({"location": {"planet": "earth"}})),
        ("identityEvent", json!({"identity": {"externalId": "u1"}})),
        ("identityEvent", json!({"event": {"name": "Seen"}})),
        (
            "identityEvent",
            json!({"identity": {}, "event": {"name": "Seen"}, "remember": true}),
        ),
    ] {
        let got = api
            .post(&format!("/v1/tracking/{path}"), body.clone())
            .await;
        assert_eq!(got.status, 400, "{body}");
        assert_eq!(got.error()["code"], "badparam", "{body}");
    }
    let broken = api
        .send(Method::POST, "/v1/tracking/event", Some("{".to_owned()))
        .await;
    assert_eq!(broken.expect(400).error()["title"], "Invalid JSON");
    let account = api.account();
    assert_eq!(
        (account.accepted.tracking, account.refused["invalid"]),
        (0, 12)
    );
    assert_eq!(account.customers_total, 0);
}

#[tokio::test]
async fn meta_lenient() {
    let api = Api::set(&[("meta", "lenient")]).await;
    let body = json!({"name": "Seen", "meta": {"openBool": true, "pageUrl": "https://a.b"}});
    api.post("/v1/tracking/event", body).await.expect(204);
}

#[tokio::test]
async fn the_path_is_case_sensitive_and_there_is_no_bulk_form() {
    let api = Api::start().await;
    let body = identity_event("u1", &json!({}));
    for path in [
        "/v1/tracking/identityevent",
        "/v1/tracking/event/bulk",
        "/v1/tracking",
    ] {
        let got = api.post(path, body.clone()).await.expect(404);
        assert_eq!(got.error()["code"], "notfound");
    }
}

#[tokio::test]
async fn events_are_read_back_in_sessions() {
    let api = Api::start().await;
    let body = json!({"identity": {"externalId": "u1"}, "event": {"name": "Order-Placed",
        "sessionId": "s1", "meta": {"orderId": "A1", "totalNum": 12.5}}});
    let got = api
        .post("/v1/tracking/identityEvent", body)
        .await
        .expect(201)
        .json();
    let customer = got["data"]["relationships"]["customer"]["data"]["id"]
        .as_str()
        .unwrap();
    api.post(
        "/v1/tracking/identityEvent",
        identity_event("u1", &json!({})),
    )
    .await
    .expect(201);
    let sessions = api
        .get(&format!("/v1/customers/{customer}/sessions"))
        .await
        .expect(200)
        .json();
    assert_eq!(
        sessions["data"].as_array().unwrap().len(),
        1,
        "the second follows within the gap"
    );
    assert_eq!(sessions["data"][0]["attributes"]["sessionId"], "s1");
    assert_eq!(sessions["data"][0]["attributes"]["count"], 2);
    let path = format!("/v1/customers/{customer}/sessions/s1/events");
    let events = api.get(&path).await.expect(200).json();
    let first = &events["data"][0];
    assert_eq!(first["type"], "customer_event");
    assert_eq!(first["attributes"]["name"], "Order-Placed");
    assert_eq!(
        first["attributes"]["meta"],
        json!({"orderId": "A1", "totalNum": 12.5})
    );
    let id = first["id"].as_str().unwrap();
    let one = api
        .get(&format!("/v1/customers/{customer}/events/{id}"))
        .await
        .expect(200)
        .json();
    assert_eq!(one["data"], *first);
    let paged = api
        .get(&format!("{path}?page=2&pageSize=1"))
        .await
        .expect(200)
        .json();
    assert_eq!(paged["data"][0]["attributes"]["name"], "Seen");
    assert_eq!(paged["links"]["next"], json!(null));
    api.get(&format!("/v1/customers/{customer}/sessions/s2/events"))
        .await
        .expect(404);
    // the list that no longer works, and the form that never existed
    api.get(&format!("/v1/customers/{customer}/events"))
        .await
        .expect(404);
    api.post(
        &format!("/v1/customers/{customer}/events"),
        json!({"name": "Seen"}),
    )
    .await
    .expect(404);
}

#[tokio::test]
async fn anonymous_events_come_along_when_the_visitor_is_identified() {
    let api = Api::start().await;
    let event = json!({"name": "Page-Viewed", "trackingId": "v1"});
    api.post("/v1/tracking/event", event.clone())
        .await
        .expect(204);
    let identity = json!({"externalId": "u1", "trackingId": "v1"});
    api.post("/v1/tracking/identity", identity)
        .await
        .expect(201);
    api.post("/v1/tracking/event", event).await.expect(204);
    let timeline = api.get("/_sim/timeline/u1").await.expect(200).json();
    assert_eq!(timeline["customer"]["events"], 2);
}

#[tokio::test]
async fn repeats_order_and_what_cannot_be_judged_are_counted() {
    let api = Api::start().await;
    let send = async |key: Option<&str>, at: Option<&str>, who: &str| {
        let mut meta = serde_json::Map::new();
        meta.extend(key.map(|key| ("eventKey".to_owned(), json!(key))));
        meta.extend(at.map(|at| ("occurredAt".to_owned(), json!(at))));
        let body = identity_event(who, &json!(meta));
        api.post("/v1/tracking/identityEvent", body)
            .await
            .expect(201);
    };
    let (early, late) = ("2025-01-02T03:00:00Z", "2025-01-02T04:30:00+01:00");
    send(Some("k1"), Some(early), "u1").await;
    send(Some("k2"), Some(late), "u1").await;
    send(Some("k3"), Some(early), "u2").await; // another customer
    assert_eq!(api.account().out_of_order.tracking, 0);
    send(Some("k2"), Some(late), "u1").await; // a repeat, in order
    send(Some("k4"), Some(early), "u1").await; // out of order
    send(Some("k1"), Some(early), "u1").await; // both
    send(None, Some(late), "u1").await;
    send(Some("k5"), None, "u1").await;
    let account = api.account();
    assert_eq!(account.repeated.tracking, 2);
    assert_eq!(
        (account.out_of_order.tracking, account.out_of_order_repeats),
        (2, 1)
    );
    assert_eq!(
        (account.unjudged.tracking, account.accepted.tracking),
        (2, 8)
    );
}

#[tokio::test]
async fn a_deleted_customer_comes_back_with_the_next_event() {
    let api = Api::start().await;
    let first = api.customer("u1").await;
    api.delete(&format!("/v1/customers/{first}"))
        .await
        .expect(204);
    api.get("/v1/customers/externalId=u1").await.expect(404);
    api.post(
        "/v1/tracking/identityEvent",
        identity_event("u1", &json!({})),
    )
    .await
    .expect(201);
    let second = api
        .get("/v1/customers/externalId=u1")
        .await
        .expect(200)
        .id();
    assert_ne!(first, second);
    assert_eq!(api.account().customers_total, 1);
}
