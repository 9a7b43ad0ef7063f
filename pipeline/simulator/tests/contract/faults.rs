use std::time::{Duration, Instant};

use kustomer_sim::{Config, FaultScript};
use reqwest::Method;
use serde_json::{Value, json};

use crate::Api;

async fn post_order(api: &Api) -> reqwest::Result<crate::Got> {
    let body = json!({"title": "x"}).to_string();
    api.try_send(Method::POST, "/v1/klasses/order", Some(body))
        .await
}

#[tokio::test]
async fn latency_delays_the_reply() {
    let api = Api::start().await;
    api.faults(
        json!([{"when": {"endpoint": "klass.list"}, "do": {"action": "latency", "ms": 1_000}}]),
    )
    .await;
    #[expect(clippy::disallowed_methods, reason = "a test of real time")]
    let begun = Instant::now();
    api.get("/v1/klasses").await.expect(200);
    assert!(begun.elapsed() >= Duration::from_millis(1_000));
    let quick = begun.elapsed();
    api.get("/v1/klasses/order").await.expect(200);
    assert!(begun.elapsed() - quick < Duration::from_millis(900));
    api.faults(json!([{"do": {"action": "latency", "median_ms": 20, "p99_ms": 40}}]))
        .await;
    api.get("/v1/klasses").await.expect(200);
    assert_eq!(api.account().faults["latency"], 2);
}

#[tokio::test]
async fn statuses_answer_without_carrying_out() {
    let api = Api::start().await;
    for status in [401, 402, 403, 409, 413, 500, 502, 503, 504] {
        api.faults(json!([{"do": {"action": "status", "status": status}}]))
            .await;
        let got = post_order(&api).await.unwrap().expect(status);
        assert_eq!(got.error()["status"], status);
        assert_eq!(got.header("x-ratelimit-reset"), None);
    }
    api.faults(json!([{"do": {"action": "status", "status": 503, "body": false}}]))
        .await;
    assert_eq!(post_order(&api).await.unwrap().expect(503).text, "");
    let account = api.account();
    assert_eq!((account.kobjects_total, account.refused["fault"]), (0, 10));
    assert_eq!(account.requests.by_status[&503], 2);
}

#[tokio::test]
async fn a_429_speaks_of_the_organisation_or_of_one_object() {
    let api = Api::start().await;
    api.faults(json!([{"do": {"action": "status", "status": 429}}]))
        .await;
    let got = api.get("/v1/klasses").await.expect(429);
    assert_eq!(got.number("x-ratelimit-remaining"), 0);
    assert!(got.number("x-ratelimit-reset") > 0);
    assert_eq!(api.account().windows[0].refused, 1);
    api.faults(json!([{"do": {"action": "status", "status": 429, "scope": "object"}}]))
        .await;
    let got = api.get("/v1/klasses").await.expect(429);
    assert_eq!(got.number("x-ratelimit-remaining"), 999);
    assert_eq!(got.header("x-ratelimit-reset"), None);
}

#[tokio::test]
async fn resets_lose_the_request_or_only_the_reply() {
    let api = Api::start().await;
    api.faults(json!([
        {"name": "lost request", "when": {"endpoint": "kobject.create", "nth": [1]}, "do": {"action": "reset_before"}},
        {"name": "lost reply", "when": {"endpoint": "kobject.create", "nth": [2]}, "do": {"action": "reset_after"}}
    ])).await;
    assert!(post_order(&api).await.is_err());
    assert_eq!(api.account().kobjects_total, 0);
    assert!(post_order(&api).await.is_err());
    assert_eq!(api.account().kobjects_total, 1);
    post_order(&api).await.unwrap().expect(201);
    let account = api.account();
    assert_eq!(account.requests.by_status[&0], 2);
    assert_eq!(
        (account.faults["lost request"], account.faults["lost reply"]),
        (1, 1)
    );
    let journal = api.get("/_sim/journal").await.text;
    let statuses: Vec<Value> = journal
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["status"].clone())
        .collect();
    assert_eq!(statuses, [0, 0, 201]);
}

#[tokio::test]
async fn lost_response_switch() {
    let api = Api::set(&[("lost-response", "1")]).await;
    assert!(post_order(&api).await.is_err());
    assert_eq!(api.account().kobjects_total, 1);
    api.get("/v1/klasses").await.expect(200); // only writes lose their replies
}

#[tokio::test]
async fn bodies_slow_truncated_and_garbage() {
    let api = Api::start().await;
    api.faults(json!([{"do": {"action": "slow_body", "ms": 300}}]))
        .await;
    #[expect(clippy::disallowed_methods, reason = "a test of real time")]
    let begun = Instant::now();
    let slow = api.get("/v1/klasses").await.expect(200);
    assert!(begun.elapsed() >= Duration::from_millis(280));
    assert_eq!(slow.json()["data"].as_array().unwrap().len(), 2);
    api.faults(json!([{"do": {"action": "truncated_body", "bytes": 10}}]))
        .await;
    let cut = api.try_send(Method::GET, "/v1/klasses", None).await;
    assert!(cut.is_err());
    let url = format!("{}/v1/klasses", api.server.url());
    let mut response = api
        .client
        .get(url)
        .bearer_auth("sim-key")
        .send()
        .await
        .unwrap();
    assert_eq!(response.status().as_u16(), 200);
    assert_eq!(response.chunk().await.unwrap().unwrap().len(), 10);
    assert!(response.chunk().await.is_err());
    api.faults(json!([{"do": {"action": "garbage_body"}}]))
        .await;
    let garbage = post_order(&api).await.unwrap().expect(201);
    assert!(serde_json::from_str::<Value>(&garbage.text).is_err());
    assert_eq!(api.account().kobjects_total, 1, "it was carried out");
}

#[tokio::test]
async fn jobs_stick() {
    let api = Api::set(&[]).await;
    api.faults(json!([{"when": {"count": 1}, "do": {"action": "stuck_job"}}]))
        .await;
    let stuck = api
        .post("/v1/klasses/order/bulk", json!([{"title": "x"}]))
        .await
        .expect(201)
        .id();
    let fine = api
        .post("/v1/klasses/order/bulk", json!([{"title": "y"}]))
        .await
        .expect(201)
        .id();
    api.finished(&fine).await;
    let got = api
        .get(&format!("/v1/bulk/{stuck}"))
        .await
        .expect(200)
        .json();
    assert_eq!(got["data"]["attributes"]["status"], "running");
    assert_eq!(
        (api.account().bulk.unfinished, api.account().kobjects_total),
        (1, 1)
    );
    api.faults(json!([{"do": {"action": "stuck_job", "for_ms": 1_500}}]))
        .await;
    let slow = api
        .post("/v1/klasses/order/bulk", json!([{"title": "z"}]))
        .await
        .expect(201)
        .id();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(api.account().kobjects_total, 1);
    api.finished(&slow).await;
    assert_eq!(api.account().kobjects_total, 2);
}

#[tokio::test]
async fn items_fail_with_the_given_error() {
    let api = Api::set(&[]).await;
    api.faults(json!([{"do": {"action": "fail_items", "error": "try again", "share": 0.5}}]))
        .await;
    let items: Vec<Value> = (0..100)
        .map(|number| json!({"_clientRef": number.to_string(), "title": "x"}))
        .collect();
    let results = api
        .bulk(Method::POST, "/v1/klasses/order/bulk", json!(items))
        .await;
    let failed = results
        .iter()
        .filter(|result| result["error"] == "try again")
        .count();
    assert!((25..75).contains(&failed), "{failed}");
    assert_eq!(results.len(), 100);
    let account = api.account();
    assert_eq!(account.bulk.item_errors["try again"], failed as u64);
    assert_eq!(account.kobjects_total, 100 - failed as u64);
}

#[tokio::test]
async fn references_are_refused_for_a_while() {
    let api = Api::set(&[]).await;
    api.faults(json!([{"when": {"count": 1}, "do": {"action": "refuse_client_ref"}}]))
        .await;
    let items = json!([{"_clientRef": "a", "title": "x"}]);
    let error = api
        .post("/v1/klasses/order/bulk", items.clone())
        .await
        .expect(400)
        .error();
    assert_eq!(error["source"]["parameter"], "_clientRef");
    api.post("/v1/klasses/order/bulk", items).await.expect(201);
}

#[tokio::test]
async fn others_drain_the_budget() {
    let config = Config {
        time_scale: 100.0,
        ..Config::default()
    };
    let api = Api::with(config).await;
    api.get("/v1/klasses").await.expect(200);
    api.faults(json!([{"do": {"action": "drain", "per_minute": 600}}]))
        .await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let remaining = api
        .get("/v1/klasses")
        .await
        .expect(200)
        .number("x-ratelimit-remaining");
    assert!(remaining < 900, "{remaining}");
    assert!(api.account().windows[0].foreign > 100);
}

#[tokio::test]
async fn rules_look_at_endpoint_number_time_and_chance() {
    let api = Api::start().await;
    api.faults(json!([
        {"when": {"endpoint": "kobject.*", "every": 2}, "do": {"action": "status", "status": 500}},
        {"when": {"endpoint": "klass.list", "from_ms": 3_600_000}, "do": {"action": "status", "status": 502}},
        {"when": {"endpoint": "metadata.get", "probability": 0.0}, "do": {"action": "status", "status": 503}}
    ])).await;
    let statuses = async |path: &str| {
        let mut statuses = Vec::new();
        for _ in 0..4 {
            statuses.push(api.get(path).await.status);
        }
        statuses
    };
    assert_eq!(statuses("/v1/klasses/order").await, [200, 500, 200, 500]);
    assert_eq!(statuses("/v1/klasses").await, [200; 4]);
    assert_eq!(statuses("/v1/metadata/customer").await, [200; 4]);
}

#[tokio::test]
async fn scripts_are_checked_and_can_be_taken_away() {
    let api = Api::start().await;
    let wrong =
        json!({"rules": [{"when": {"endpoint": "orders"}, "do": {"action": "reset_after"}}]});
    let got = api.post("/_sim/faults", wrong).await.expect(400);
    assert!(
        got.json()["error"]
            .as_str()
            .unwrap()
            .contains("kobject.bulk_create")
    );
    api.faults(json!([{"do": {"action": "status", "status": 500}}]))
        .await;
    api.get("/v1/klasses").await.expect(500);
    let loaded = api.get("/_sim/faults").await.expect(200).json();
    assert_eq!(loaded["rules"][0]["do"]["status"], 500);
    api.faults(json!([])).await;
    api.get("/v1/klasses").await.expect(200);
}

#[tokio::test]
async fn scripts_may_be_there_from_the_start() {
    let text = r#"{"rules": [{"when": {"nth": [1]}, "do": {"action": "status", "status": 504}}]}"#;
    let config = Config {
        faults: Some(FaultScript::parse(text).unwrap()),
        ..Config::default()
    };
    let api = Api::with(config).await;
    api.get("/v1/klasses").await.expect(504);
    api.get("/v1/klasses").await.expect(200);
    api.post("/_sim/reset", json!({})).await.expect(200);
    api.get("/v1/klasses").await.expect(504);
}
