use reqwest::Method;
use serde_json::{Value, json};

use crate::Api;

#[tokio::test]
async fn created_customers_are_found_by_everything() {
    let api = Api::start().await;
    let body = json!({"externalId": "u/1", "name": "Ada", "emails": [{"email": "a+b@c.de"}],
        "phones": [{"phone": "+4930123456", "type": "mobile"}], "custom": {"tierStr": "gold"}});
    let created = api.post("/v1/customers", body).await.expect(201);
    let data = created.json()["data"].clone();
    assert_eq!(data["type"], "customer");
    assert_eq!(data["attributes"]["rev"], 1);
    assert_eq!(data["attributes"]["displayName"], "Ada");
    for path in [
        created.id().as_str(),
        "email=a%2Bb%40c.de",
        "externalId=u%2F1",
        "phone=%2B4930123456",
    ] {
        let got = api
            .get(&format!("/v1/customers/{path}"))
            .await
            .expect(200)
            .json();
        assert_eq!(got["data"]["id"], data["id"], "{path}");
    }
    let missing = api.get("/v1/customers/externalId=nobody").await.expect(404);
    assert_eq!(
        missing.error(),
        json!({"status": 404, "source": {"parameter": "externalId"},
        "code": "notfound", "title": "Not Found"})
    );
    assert_eq!(
        api.get("/v1/customers/email=x%40y")
            .await
            .expect(404)
            .error()["source"]["parameter"],
        "email"
    );
    api.get("/v1/customers/000000000000000000000000")
        .await
        .expect(404);
}

#[tokio::test]
async fn identifiers_belong_to_one_customer() {
    let api = Api::start().await;
    let body = json!({"externalId": "u1", "emails": [{"email": "a@b.c"}]});
    api.post("/v1/customers", body).await.expect(201);
    let same = api
        .post("/v1/customers", json!({"externalId": "u1"}))
        .await
        .expect(409);
    assert_eq!(same.error()["code"], "conflict");
    assert_eq!(same.error()["source"]["parameter"], "externalId");
    let email = json!({"emails": [{"email": "A@B.C"}]});
    assert_eq!(
        api.post("/v1/customers", email).await.expect(409).error()["source"]["parameter"],
        "email"
    );
    let other = api.customer("u2").await;
    api.put(
        &format!("/v1/customers/{other}"),
        json!({"externalId": "u1"}),
    )
    .await
    .expect(409);
    let account = api.account();
    assert_eq!(
        (account.customers_total, account.refused["conflict"]),
        (2, 3)
    );
}

#[tokio::test]
async fn updates_merge_or_replace() {
    let api = Api::start().await;
    let body = json!({"externalId": "u1", "name": "Ada", "company": "0123456789abcdef01234567",
        "custom": {"aStr": "1", "bStr": "2"}});
    let id = api.post("/v1/customers", body).await.expect(201).id();
    let path = format!("/v1/customers/{id}");
    let patch =
        json!({"custom": {"bStr": null, "cStr": "3"}, "company": "0123456789abcdef01234567"});
    let got = api
        .send(Method::PATCH, &path, Some(patch.to_string()))
        .await
        .expect(200)
        .json();
    assert_eq!(
        got["data"]["attributes"]["custom"],
        json!({"aStr": "1", "cStr": "3"})
    );
    assert_eq!(got["data"]["attributes"]["name"], "Ada");
    assert_eq!(got["data"]["attributes"]["rev"], 2);
    assert_eq!(
        got["data"]["relationships"]["company"]["data"]["type"],
        "company"
    );
    // leaving the company out unlinks it
    let got = api
        .put(&path, json!({"locale": "de"}))
        .await
        .expect(200)
        .json();
    assert_eq!(got["data"]["relationships"]["company"], json!(null));
    assert_eq!(got["data"]["attributes"]["name"], "Ada");
    let got = api
        .put(&format!("{path}?replace=true"), json!({"name": "Eve"}))
        .await
        .expect(200)
        .json();
    assert_eq!(got["data"]["attributes"]["externalId"], json!(null));
    assert_eq!(got["data"]["attributes"]["custom"], json!({}));
    api.get("/v1/customers/externalId=u1").await.expect(404);
    assert_eq!(api.account().accepted.customers_updated, 3);
    api.put(&path, json!({"nickname": "x"})).await.expect(400);
}

#[tokio::test]
async fn a_stale_rev_is_a_conflict() {
    let api = Api::start().await;
    let id = api.customer("u1").await;
    let path = format!("/v1/customers/{id}");
    api.put(&path, json!({"name": "a", "rev": 1}))
        .await
        .expect(200);
    let stale = api
        .put(&path, json!({"name": "b", "rev": 1}))
        .await
        .expect(409);
    assert_eq!(stale.error()["source"]["parameter"], "rev");
    api.put(&path, json!({"name": "b", "rev": 2}))
        .await
        .expect(200);
}

#[tokio::test]
async fn bulk_creates_updates_and_deletes() {
    let api = Api::set(&[]).await;
    api.customer("u0").await;
    let items = json!([
        {"_clientRef": "a", "externalId": "u1", "emails": [{"email": "a@b.c"}]},
        {"_clientRef": "b", "externalId": "u0"}]);
    let results = api.bulk(Method::POST, "/v1/customers/bulk", items).await;
    let created = crate::result(&results, "a");
    assert_eq!(created["status"], "created");
    assert_eq!(
        *crate::result(&results, "b"),
        json!({"_clientRef": "b", "status": "error", "error": "duplicate detected"})
    );
    let id = created["objectId"].as_str().unwrap();
    let items = json!([{"_clientRef": "c", "id": id, "name": "Ada", "unlisted": 1},
        {"_clientRef": "d", "id": "000000000000000000000000", "name": "x"}]);
    let results = api.bulk(Method::PUT, "/v1/customers/bulk", items).await;
    assert_eq!(crate::result(&results, "c")["status"], "updated");
    assert_eq!(crate::result(&results, "d")["error"], "Not Found");
    let got = api
        .get(&format!("/v1/customers/{id}"))
        .await
        .expect(200)
        .json();
    assert_eq!(got["data"]["attributes"]["name"], "Ada");
    assert_eq!(got["data"]["attributes"]["unlisted"], json!(null));
    let job = api
        .delete(&format!("/v1/customers/bulk?ids={id}"))
        .await
        .expect(201)
        .id();
    assert_eq!(api.finished(&job).await[0]["successCount"], 1);
    api.get(&format!("/v1/customers/{id}")).await.expect(404);
}

async fn found(api: &Api, query: Value) -> Vec<Value> {
    let got = api
        .post("/v1/customers/search", query)
        .await
        .expect(200)
        .json();
    assert_eq!(got["meta"]["total"], got["data"].as_array().unwrap().len());
    got["data"].as_array().unwrap().clone()
}

#[tokio::test]
async fn search_finds_by_identifiers() {
    let api = Api::set(&[("search-lag-ms", "0")]).await;
    for number in 0..3 {
        let body = json!({"externalId": format!("u{number}"),
            "emails": [{"email": format!("{number}@b.c")}]});
        api.post("/v1/customers", body).await.expect(201);
    }
    let any = json!({"or": [{"customer_externalId": {"equals": "u0"}},
        {"customer_email": {"equals": "1@b.c"}}, {"customer_externalId": {"equals": "u9"}}],
        "queryContext": "customer"});
    let names: Vec<Value> = found(&api, any)
        .await
        .iter()
        .map(|hit| hit["attributes"]["externalId"].clone())
        .collect();
    assert_eq!(names, ["u0", "u1"]);
    let both = |email| {
        json!({"and": [{"customer_externalId": {"equals": "u2"}},
        {"customer_email": {"equals": email}}]})
    };
    assert_eq!(found(&api, both("2@b.c")).await.len(), 1);
    assert_eq!(found(&api, both("1@b.c")).await.len(), 0);
    for wrong in [
        json!({}),
        json!({"or": [{"customer_shoe": {"equals": "9"}}]}),
        json!({"or": [{"customer_email": {"like": "9"}}]}),
        json!({"or": {"customer_email": {"equals": "9"}}}),
        json!({"or": [{"customer_email": {"equals": "9"}}], "where": 1}),
    ] {
        api.post("/v1/customers/search", wrong).await.expect(400);
    }
}

#[tokio::test]
async fn the_search_index_lags_behind() {
    let api = Api::set(&[("search-lag-ms", "1500")]).await;
    api.customer("u1").await;
    let query = json!({"or": [{"customer_externalId": {"equals": "u1"}}]});
    assert_eq!(found(&api, query.clone()).await.len(), 0);
    tokio::time::sleep(std::time::Duration::from_millis(1_600)).await;
    assert_eq!(found(&api, query).await.len(), 1);
}

#[tokio::test]
async fn search_terms_and_attributes_follow_their_switches() {
    let api = Api::set(&[
        ("search-lag-ms", "0"),
        ("search-terms", "2"),
        ("search-attributes", "brief"),
    ])
    .await;
    api.customer("u1").await;
    let term = |name: &str| json!({"customer_externalId": {"equals": name}});
    api.post(
        "/v1/customers/search",
        json!({"or": [term("a"), term("b"), term("c")]}),
    )
    .await
    .expect(400);
    let hits = found(&api, json!({"or": [term("u1"), term("b")]})).await;
    assert_eq!(hits.len(), 1);
    assert_eq!(hits[0]["attributes"]["externalId"], json!(null));
    assert_eq!(hits[0]["attributes"]["rev"], 1);
}

#[tokio::test]
async fn searches_have_a_limit_of_their_own() {
    let api = Api::set(&[("search-limit", "2")]).await;
    let query = json!({"or": [{"customer_externalId": {"equals": "u1"}}]});
    for _ in 0..2 {
        api.post("/v1/customers/search", query.clone())
            .await
            .expect(200);
    }
    let refused = api.post("/v1/customers/search", query).await.expect(429);
    assert!(refused.number("x-ratelimit-remaining") > 0);
    assert_eq!(refused.header("x-ratelimit-reset"), None);
    api.get("/v1/klasses").await.expect(200);
    assert_eq!(api.account().refused["search_limit"], 1);
}

async fn merged(api: &Api) -> (String, String) {
    let source = api.customer("old").await;
    let target = api.customer("new").await;
    api.order(json!({"title": "x", "customer": source, "externalId": "o1"}))
        .await;
    let event = json!({"identity": {"externalId": "old"}, "event": {"name": "Seen"}});
    api.post("/v1/tracking/identityEvent", event)
        .await
        .expect(201);
    let body = json!({"source": source, "target": target});
    api.post("/v1/customers/merges", body).await.expect(201);
    (source, target)
}

#[tokio::test]
async fn a_merged_customer_is_gone_but_its_external_id_leads_to_the_target() {
    let api = Api::start().await;
    let (source, target) = merged(&api).await;
    api.get(&format!("/v1/customers/{source}"))
        .await
        .expect(404);
    assert_eq!(
        api.get("/v1/customers/externalId=old")
            .await
            .expect(200)
            .id(),
        target
    );
    let timeline = api
        .get(&format!("/_sim/timeline/{target}"))
        .await
        .expect(200)
        .json();
    assert_eq!(
        (
            &timeline["customer"]["kobjects"],
            &timeline["customer"]["events"]
        ),
        (&json!(1), &json!(1))
    );
    let order = api
        .get("/v1/klasses/order/externalId=o1")
        .await
        .expect(200)
        .json();
    assert_eq!(
        order["data"]["relationships"]["customer"]["data"]["id"],
        target
    );
    let body = json!({"source": target, "target": target});
    api.post("/v1/customers/merges", body).await.expect(400);
    api.post(
        "/v1/customers/merges",
        json!({"source": source, "target": target}),
    )
    .await
    .expect(404);
}

#[tokio::test]
async fn merged_redirect_and_stale() {
    let api = Api::set(&[("merged", "redirect")]).await;
    let (source, target) = merged(&api).await;
    let path = format!("/v1/customers/{source}");
    let direct = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let url = format!("{}{path}", api.server.url());
    let moved = direct.get(url).bearer_auth("sim-key").send().await.unwrap();
    assert_eq!(moved.status().as_u16(), 301);
    assert_eq!(
        moved.headers()["location"].to_str().unwrap(),
        format!("/v1/customers/{target}")
    );
    assert_eq!(
        api.get(&path).await.expect(200).id(),
        target,
        "a client may follow"
    );
    let api = Api::set(&[("merged", "stale")]).await;
    let (source, _) = merged(&api).await;
    let got = api
        .get(&format!("/v1/customers/{source}"))
        .await
        .expect(200);
    assert_eq!(got.json()["data"]["attributes"]["externalId"], "old");
    assert_eq!(got.id(), source);
}
