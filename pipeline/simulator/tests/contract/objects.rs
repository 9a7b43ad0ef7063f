use reqwest::Method;
use serde_json::{Value, json};

use crate::Api;

#[tokio::test]
async fn a_created_object_reads_as_in_recorded_traffic() {
    let api = Api::start().await;
    let customer = api.customer("u1").await;
    let body = json!({"title": "Order", "externalId": "o1",
        "custom": {"orderNumberStr": "R1", "totalNum": 1}, "data": {"lines": [{"sku": "a"}]}});
    let path = format!("/v1/customers/{customer}/klasses/order");
    let got = api.post(&path, body).await.expect(201).json();
    let data = &got["data"];
    assert_eq!(data["type"], "kobject.order");
    assert_eq!(data["attributes"]["rev"], 1);
    assert_eq!(
        data["attributes"]["custom"],
        json!({"orderNumberStr": "R1", "totalNum": 1})
    );
    assert_eq!(data["attributes"]["data"], json!({"lines": [{"sku": "a"}]}));
    assert_eq!(data["attributes"]["images"], json!([]));
    assert_eq!(
        data["attributes"]["createdAt"],
        data["attributes"]["updatedAt"]
    );
    assert_eq!(
        data["relationships"]["klass"]["link"]["self"],
        "/v1/klasses/order"
    );
    assert_eq!(data["relationships"]["customer"]["data"]["id"], customer);
    let id = data["id"].as_str().unwrap();
    assert_eq!(data["links"]["self"], format!("/v1/klasses/orders/{id}"));
    let by_id = api
        .get(&format!("/v1/klasses/order/{id}"))
        .await
        .expect(200)
        .json();
    let by_external_id = api
        .get("/v1/klasses/order/externalId=o1")
        .await
        .expect(200)
        .json();
    assert_eq!((&by_id["data"], &by_external_id["data"]), (data, data));
    let of_customer = api.get(&path).await.expect(200).json();
    assert_eq!(of_customer["data"].as_array().unwrap().len(), 1);
    api.get(&format!("/v1/klasses/shipment/{id}"))
        .await
        .expect(404);
    let missing = api.get("/v1/klasses/order/externalId=o2").await.expect(404);
    assert_eq!(missing.error()["source"]["parameter"], "externalId");
}

#[tokio::test]
async fn an_unknown_klass_is_not_found() {
    let api = Api::start().await;
    api.post("/v1/klasses/invoice", json!({"title": "x"}))
        .await
        .expect(404);
    api.post("/v1/klasses/invoice/bulk", json!([{"title": "x"}]))
        .await
        .expect(404);
    api.get("/v1/klasses/invoice/externalId=1")
        .await
        .expect(404);
}

#[tokio::test]
async fn a_bad_attribute_reads_as_in_recorded_traffic() {
    let api = Api::start().await;
    let body = json!({"title": "x", "custom": {"notAnActualAttribute": "1"}});
    let error = api
        .post("/v1/klasses/order", body)
        .await
        .expect(400)
        .error();
    assert_eq!(error["status"], 400);
    assert_eq!(error["code"], "badparam");
    assert_eq!(error["title"], "Additional properties not allowed");
    assert_eq!(error["source"]["parameter"], "notAnActualAttribute");
    assert_eq!(error["detail"], "/properties/custom/additionalProperties");
}

#[tokio::test]
async fn bodies_are_strict() {
    let api = Api::start().await;
    for body in [
        json!({"externalId": "o1"}),
        json!({"title": "x", "parent": "y"}),
        json!({"title": "x", "rev": 1}),
        json!({"title": "x", "customer": 7}),
        json!({"title": "x", "description": "d".repeat(10_241)}),
        json!({"title": "x", "externalId": ""}),
        json!({"title": "x", "icon": "i".repeat(65)}),
        json!({"title": "x", "createdAt": "2025-01-02"}),
        json!({"title": "x", "tags": ["#"]}),
        json!({"title": "x", "custom": {"noteTxt": "t".repeat(1_025)}}),
        json!({"title": "x", "data": []}),
        json!([]),
    ] {
        assert_eq!(
            api.post("/v1/klasses/order", body.clone()).await.status,
            400,
            "{body}"
        );
    }
    let id = api.order(json!({"title": "x"})).await;
    let path = format!("/v1/klasses/order/{id}");
    api.put(&path, json!({"customer": id})).await.expect(400);
    api.put(&path, json!({"title": ""})).await.expect(400);
    assert_eq!(api.account().kobjects_total, 1);
}

#[tokio::test]
async fn txt_length() {
    let api = Api::set(&[("txt-length", "10240")]).await;
    api.order(json!({"title": "x", "custom": {"noteTxt": "t".repeat(10_240)}}))
        .await;
}

#[tokio::test]
async fn times_can_be_given() {
    let api = Api::start().await;
    let id = api
        .order(json!({"title": "x", "createdAt": "2020-01-02T03:04:05+01:00"}))
        .await;
    let got = api.get(&format!("/v1/klasses/order/{id}")).await.json();
    assert_eq!(
        got["data"]["attributes"]["createdAt"],
        "2020-01-02T02:04:05.000Z"
    );
    assert_ne!(
        got["data"]["attributes"]["updatedAt"],
        "2020-01-02T02:04:05.000Z"
    );
}

#[tokio::test]
async fn an_update_merges_custom_and_counts_rev() {
    let api = Api::start().await;
    let id = api
        .order(
            json!({"title": "x", "description": "d", "custom": {"aStr": "1", "bStr": "2"},
        "tags": ["a"]}),
        )
        .await;
    let path = format!("/v1/klasses/order/{id}");
    let body =
        json!({"title": "y", "custom": {"aStr": null, "cStr": "3"}, "tags": ["b"], "rev": 1});
    let got = api.put(&path, body).await.expect(200).json()["data"]["attributes"].clone();
    assert_eq!(got["title"], "y");
    assert_eq!(got["description"], "d");
    assert_eq!(got["custom"], json!({"bStr": "2", "cStr": "3"}));
    assert_eq!((&got["tags"], &got["rev"]), (&json!(["b"]), &json!(2)));
    let stale = api
        .put(&path, json!({"title": "z", "rev": 1}))
        .await
        .expect(409);
    assert_eq!(stale.error()["source"]["parameter"], "rev");
    api.put(&path, json!({"title": "z"})).await.expect(200);
    assert_eq!(api.account().accepted.kobjects_updated, 2);
    api.delete(&path).await.expect(204);
    api.put(&path, json!({"title": "z"})).await.expect(404);
    api.send(Method::PATCH, &path, Some("{}".to_owned()))
        .await
        .expect(404);
}

#[tokio::test]
async fn rev_can_be_ignored_and_counted_otherwise() {
    let api = Api::set(&[("rev", "ignore"), ("rev-start", "0"), ("rev-step", "2")]).await;
    let id = api.order(json!({"title": "x"})).await;
    let path = format!("/v1/klasses/order/{id}");
    assert_eq!(api.get(&path).await.json()["data"]["attributes"]["rev"], 0);
    let got = api
        .put(&path, json!({"title": "y", "rev": 77}))
        .await
        .expect(200)
        .json();
    assert_eq!(got["data"]["attributes"]["rev"], 2);
}

#[tokio::test]
async fn duplicates_are_refused() {
    let api = Api::start().await;
    api.order(json!({"title": "x", "externalId": "o1"})).await;
    let body = json!({"title": "y", "externalId": "o1"});
    let got = api
        .post("/v1/klasses/order", body.clone())
        .await
        .expect(409);
    assert_eq!(got.error()["title"], "duplicate detected");
    api.post("/v1/klasses/shipment", body).await.expect(201);
    assert_eq!(
        (
            api.account().kobjects_total,
            api.account().repeated.kobjects
        ),
        (2, 0)
    );
}

#[tokio::test]
async fn duplicates_allowed() {
    let api = Api::set(&[("duplicates", "allow")]).await;
    let first = api.order(json!({"title": "x", "externalId": "o1"})).await;
    let second = api.order(json!({"title": "y", "externalId": "o1"})).await;
    assert_ne!(first, second);
    assert_eq!(
        (
            api.account().kobjects_total,
            api.account().repeated.kobjects
        ),
        (2, 1)
    );
    let both = api.get("/_sim/objects/order?externalId=o1").await.json();
    assert_eq!(both["data"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn duplicates_updated() {
    let api = Api::set(&[("duplicates", "update")]).await;
    let first = api
        .order(json!({"title": "x", "externalId": "o1", "custom": {"aStr": "1"}}))
        .await;
    let body = json!({"title": "y", "externalId": "o1", "custom": {"bStr": "2"}});
    let second = api.post("/v1/klasses/order", body).await.expect(201);
    assert_eq!(second.id(), first);
    let got = second.json()["data"]["attributes"].clone();
    assert_eq!((&got["title"], &got["rev"]), (&json!("y"), &json!(2)));
    assert_eq!(got["custom"], json!({"aStr": "1", "bStr": "2"}));
    assert_eq!(
        (
            api.account().kobjects_total,
            api.account().accepted.kobjects_updated
        ),
        (1, 1)
    );
}

#[tokio::test]
async fn an_unknown_customer() {
    let body = json!({"title": "x", "customer": "0123456789abcdef01234567"});
    let api = Api::start().await;
    let got = api
        .post("/v1/klasses/order", body.clone())
        .await
        .expect(404);
    assert_eq!(got.error()["source"]["parameter"], "customer");
    let api = Api::set(&[("unknown-customer", "400")]).await;
    api.post("/v1/klasses/order", body).await.expect(400);
}

#[tokio::test]
async fn lists_are_paged_in_the_order_of_creation() {
    let api = Api::start().await;
    for number in 0..5 {
        api.order(json!({"title": format!("n{number}")})).await;
    }
    let titles = |got: &Value| -> Vec<Value> {
        let items = got["data"].as_array().unwrap();
        items
            .iter()
            .map(|item| item["attributes"]["title"].clone())
            .collect()
    };
    let second = api
        .get("/v1/klasses/order?page=2&pageSize=2")
        .await
        .expect(200)
        .json();
    assert_eq!(titles(&second), ["n2", "n3"]);
    assert_eq!(
        second["links"]["next"],
        "/v1/klasses/order?page=3&pageSize=2"
    );
    let last = api.get("/v1/klasses/order?page=3&pageSize=2").await.json();
    assert_eq!(
        (titles(&last), &last["links"]["next"]),
        (vec![json!("n4")], &json!(null))
    );
    let none = api
        .get("/v1/klasses/order?fromDate=2999-01-01T00:00:00Z")
        .await
        .json();
    assert_eq!(titles(&none), Vec::<Value>::new());
    let capped = api.get("/v1/klasses/order?pageSize=1000").await.json();
    assert_eq!(capped["meta"]["pageSize"], 100);
}

#[tokio::test]
async fn versions_are_judged() {
    let api = Api::start().await;
    let version = |text: &str| json!({"ingestVersionStr": text});
    let body = json!({"title": "x", "externalId": "o1", "custom": version("9")});
    let id = api.order(body).await;
    let path = format!("/v1/klasses/order/{id}");
    let put = async |custom: Value| {
        api.put(&path, json!({ "custom": custom }))
            .await
            .expect(200);
    };
    put(version("10")).await; // higher as a number
    put(version("10")).await; // the same is not lower
    assert_eq!(api.account().out_of_order.kobjects, 0);
    put(version("9")).await;
    assert_eq!(api.account().out_of_order.kobjects, 1);
    assert_eq!(api.account().unjudged.kobjects, 0);
    put(version("2025-01-02T03:04:05Z")).await; // a time after a number: cannot be judged
    assert_eq!(api.account().unjudged.kobjects, 1);
    put(version("2025-01-02T03:04:05+01:00")).await; // an hour earlier
    assert_eq!(api.account().out_of_order.kobjects, 2);
    put(json!({"aStr": "x"})).await; // no version: cannot be judged
    api.order(json!({"title": "x", "externalId": "o2"})).await;
    api.order(json!({"title": "x", "custom": version("1")}))
        .await;
    assert_eq!(api.account().unjudged.kobjects, 4);
}

#[tokio::test]
async fn creates_per_customer_are_limited() {
    let api = Api::set(&[("create-limit", "3")]).await;
    let (one, other) = (api.customer("u1").await, api.customer("u2").await);
    let create = async |customer: &str, imported: bool| {
        let mut body = json!({"title": "x", "customer": customer});
        if imported {
            body["importedAt"] = json!("2025-01-02T03:04:05Z");
        }
        api.post("/v1/klasses/order", body).await
    };
    for _ in 0..3 {
        create(&one, false).await.expect(201);
    }
    let refused = create(&one, false).await.expect(429);
    assert!(refused.number("x-ratelimit-remaining") > 0);
    assert_eq!(refused.header("x-ratelimit-reset"), None);
    create(&one, true).await.expect(201);
    create(&other, false).await.expect(201);
    assert_eq!(api.account().refused["customer_limit"], 1);
}

#[tokio::test]
async fn updates_per_object_are_limited() {
    let api = Api::set(&[("update-limit", "2"), ("retry-after", "add")]).await;
    let id = api.order(json!({"title": "x"})).await;
    let path = format!("/v1/klasses/order/{id}");
    for _ in 0..2 {
        api.put(&path, json!({"title": "y"})).await.expect(200);
    }
    let refused = api.put(&path, json!({"title": "y"})).await.expect(429);
    assert!((55..=60).contains(&refused.number("retry-after")));
    assert!(refused.number("x-ratelimit-remaining") > 0);
    let other = api.order(json!({"title": "x"})).await;
    api.put(&format!("/v1/klasses/order/{other}"), json!({"title": "y"}))
        .await
        .expect(200);
    let customer = api.customer("u1").await;
    let path = format!("/v1/customers/{customer}");
    for _ in 0..2 {
        api.put(&path, json!({"name": "y"})).await.expect(200);
    }
    api.put(&path, json!({"name": "y"})).await.expect(429);
    assert_eq!(api.account().refused["object_limit"], 2);
}
