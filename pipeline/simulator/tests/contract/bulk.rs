use kustomer_sim::{Config, Request, Sim, SimTime};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{Api, result};

#[tokio::test]
async fn items_take_effect_when_the_job_runs() {
    let api = Api::set(&[("bulk-median-ms", "1500"), ("bulk-p99-ms", "1500")]).await;
    let items = json!([{"_clientRef": "a", "title": "x", "externalId": "o1"}]);
    let got = api
        .post("/v1/klasses/order/bulk", items.clone())
        .await
        .expect(201);
    let data = got.json()["data"].clone();
    assert_eq!(data["type"], "bulk");
    assert_eq!(
        (
            &data["attributes"]["status"],
            &data["attributes"]["completed"]
        ),
        (&json!("queued"), &json!(false))
    );
    assert_eq!(
        data["attributes"]["payload"]["api"]["data"], items,
        "the payload is echoed"
    );
    assert_eq!(
        data["attributes"]["payload"]["api"]["path"],
        "/v1/klasses/order/bulk"
    );
    assert_eq!(data["links"]["self"], format!("/v1/bulk/{}", got.id()));
    api.get("/v1/klasses/order/externalId=o1").await.expect(404);
    assert_eq!(api.account().bulk.unfinished, 1);
    let batches = api.finished(&got.id()).await;
    assert_eq!(batches.len(), 1);
    let object = api
        .get("/v1/klasses/order/externalId=o1")
        .await
        .expect(200)
        .id();
    assert_eq!(
        batches[0]["results"],
        json!([{"_clientRef": "a", "objectId": object, "status": "created"}])
    );
    let account = api.account();
    assert_eq!(
        (
            account.bulk.jobs,
            account.bulk.items,
            account.bulk.unfinished
        ),
        (1, 1, 0)
    );
    assert!(account.bulk.reads >= 2);
}

#[tokio::test]
async fn mixed_results_are_told_apart() {
    let api = Api::set(&[]).await;
    let id = api.order(json!({"title": "x", "externalId": "o1"})).await;
    let items = json!([
        {"_clientRef": "good", "id": id, "title": "y", "rev": 1},
        {"_clientRef": "missing", "id": "000000000000000000000000", "title": "y"}]);
    let got = api
        .send(
            Method::PUT,
            "/v1/klasses/order/bulk",
            Some(items.to_string()),
        )
        .await;
    let batches = api.finished(&got.expect(200).id()).await;
    assert_eq!(
        (&batches[0]["successCount"], &batches[0]["failureCount"]),
        (&json!(1), &json!(1))
    );
    let results = batches[0]["results"].as_array().unwrap();
    assert_eq!(
        *result(results, "good"),
        json!({"_clientRef": "good", "objectId": id, "status": "updated"})
    );
    assert_eq!(result(results, "missing")["status"], "error");
    let items = json!([{"_clientRef": "stale", "id": id, "title": "z", "rev": 1}]);
    let results = api.bulk(Method::PUT, "/v1/klasses/order/bulk", items).await;
    assert_eq!(results[0]["error"], "revision conflict");
    let items = json!([{"_clientRef": "dup", "title": "z", "externalId": "o1"},
        {"_clientRef": "lost", "title": "z", "customer": "000000000000000000000000"}]);
    let results = api
        .bulk(Method::POST, "/v1/klasses/order/bulk", items)
        .await;
    assert_eq!(result(&results, "dup")["error"], "duplicate detected");
    assert_eq!(result(&results, "lost")["error"], "customer not found");
    let errors = api.account().bulk.item_errors;
    assert_eq!(
        (errors["duplicate detected"], errors["revision conflict"]),
        (1, 1)
    );
    assert_eq!((errors["Not Found"], errors["customer not found"]), (1, 1));
}

#[tokio::test]
async fn without_references_only_counts_and_ids_come_back() {
    let api = Api::set(&[]).await;
    let items = json!([{"title": "a", "externalId": "o1"}, {"title": "b", "externalId": "o2"}]);
    let job = api
        .post("/v1/klasses/order/bulk", items)
        .await
        .expect(201)
        .id();
    let batches = api.finished(&job).await;
    assert_eq!(batches[0].get("results"), None);
    assert_eq!(
        (&batches[0]["successCount"], &batches[0]["failureCount"]),
        (&json!(2), &json!(0))
    );
    assert_eq!(batches[0]["objectIds"].as_array().unwrap().len(), 2);
    let job = api.get(&format!("/v1/bulk/{job}")).await.json()["data"]["attributes"].clone();
    assert_eq!(job["batches"], json!({"complete": 1, "total": 1}));
    assert!(job["completedAt"].is_string());
}

#[tokio::test]
async fn references_go_by_their_rules() {
    let api = Api::set(&[]).await;
    let long = "r".repeat(256);
    for items in [
        json!([{"_clientRef": "a", "title": "x"}, {"title": "y"}]),
        json!([{"_clientRef": "a", "title": "x"}, {"_clientRef": "a", "title": "y"}]),
        json!([{"_clientRef": "", "title": "x"}]),
        json!([{"_clientRef": long, "title": "x"}]),
        json!([{"_clientRef": 7, "title": "x"}]),
    ] {
        let got = api
            .post("/v1/klasses/order/bulk", items.clone())
            .await
            .expect(400);
        assert_eq!(got.error()["source"]["parameter"], "_clientRef", "{items}");
    }
    let items = json!([{"_clientRef": "r".repeat(255), "title": "x"}]);
    api.post("/v1/klasses/order/bulk", items).await.expect(201);
    assert_eq!(api.account().bulk.jobs, 1);
}

#[tokio::test]
async fn the_old_stack_refuses_references() {
    let api = Api::set(&[("client-ref", "refuse")]).await;
    let items = json!([{"_clientRef": "a", "title": "x"}]);
    let error = api
        .post("/v1/klasses/order/bulk", items)
        .await
        .expect(400)
        .error();
    assert_eq!(error["title"], "Additional properties not allowed");
    assert_eq!(
        error["source"],
        json!({"parameter": "_clientRef", "pointer": "/0/_clientRef"})
    );
    api.post("/v1/klasses/order/bulk", json!([{"title": "x"}]))
        .await
        .expect(201);
}

#[tokio::test]
async fn shape_and_size_are_checked_at_once() {
    let api = Api::set(&[]).await;
    let many = |count: usize| Value::Array(vec![json!({"title": "x"}); count]);
    api.post("/v1/klasses/order/bulk", many(100))
        .await
        .expect(201);
    api.post("/v1/klasses/order/bulk", many(101))
        .await
        .expect(400);
    api.post("/v1/klasses/order/bulk", json!([]))
        .await
        .expect(400);
    api.post("/v1/klasses/order/bulk", json!({"title": "x"}))
        .await
        .expect(400);
    api.post("/v1/klasses/order/bulk", json!(["x"]))
        .await
        .expect(400);
    api.put("/v1/klasses/order/bulk", json!([{"title": "x"}]))
        .await
        .expect(400);
    let fat = json!([{"title": "x", "data": {"blob": "b".repeat(100_000)}}]);
    let error = api
        .post("/v1/klasses/order/bulk", fat.clone())
        .await
        .expect(413)
        .error();
    assert_eq!(error["status"], 413);
    assert_eq!(api.account().refused["too_large"], 1);
    let api = Api::set(&[("bulk-body-limit", "200000"), ("body-limit", "1000")]).await;
    api.post("/v1/klasses/order/bulk", fat).await.expect(201);
    let single = json!({"title": "x", "data": {"blob": "b".repeat(1_000)}});
    api.post("/v1/klasses/order", single).await.expect(413);
}

#[tokio::test]
async fn exactly_the_cap_fits() {
    let api = Api::start().await;
    let body = |length: usize| {
        let head = json!({"title": "x", "data": {"blob": ""}})
            .to_string()
            .len();
        json!({"title": "x", "data": {"blob": "b".repeat(length - head)}})
    };
    assert_eq!(body(100_000).to_string().len(), 100_000);
    api.post("/v1/klasses/order", body(100_000))
        .await
        .expect(201);
    api.post("/v1/klasses/order", body(100_001))
        .await
        .expect(413);
}

const BAD: &str =
    r#"[{"_clientRef":"a","title":"x"},{"_clientRef":"b","title":"y","custom":{"fooX":1}}]"#;

#[tokio::test]
async fn a_bad_item_refuses_the_request_and_is_named() {
    let api = Api::set(&[]).await;
    let got = api
        .send(Method::POST, "/v1/klasses/order/bulk", Some(BAD.to_owned()))
        .await;
    let error = got.expect(400).error();
    assert_eq!(
        error["source"],
        json!({"parameter": "fooX", "pointer": "/1/custom/fooX"})
    );
    assert_eq!(api.account().bulk.jobs, 0);
}

#[tokio::test]
async fn a_bad_item_may_go_unnamed() {
    let api = Api::set(&[("bulk-invalid", "request-unnamed")]).await;
    let got = api
        .send(Method::POST, "/v1/klasses/order/bulk", Some(BAD.to_owned()))
        .await;
    let error = got.expect(400).error();
    assert_eq!(error.get("source"), None);
    assert_eq!(error["title"], "Additional properties not allowed");
}

#[tokio::test]
async fn a_bad_item_may_fail_alone() {
    let api = Api::set(&[("bulk-invalid", "item")]).await;
    let items = serde_json::from_str(BAD).unwrap();
    let results = api
        .bulk(Method::POST, "/v1/klasses/order/bulk", items)
        .await;
    assert_eq!(result(&results, "a")["status"], "created");
    assert_eq!(
        result(&results, "b")["error"],
        "Additional properties not allowed: fooX"
    );
}

#[tokio::test]
async fn one_body_for_many_ids() {
    let api = Api::set(&[]).await;
    let first = api.order(json!({"title": "a"})).await;
    let second = api.order(json!({"title": "b"})).await;
    let path = format!("/v1/klasses/order/bulk?ids={first},{second}");
    let job = api
        .put(&path, json!([{"description": "both"}]))
        .await
        .expect(200)
        .id();
    api.finished(&job).await;
    for id in [&first, &second] {
        let got = api.get(&format!("/v1/klasses/order/{id}")).await.json();
        assert_eq!(got["data"]["attributes"]["description"], "both");
    }
    let job = api.delete(&path).await.expect(201).id();
    assert_eq!(api.finished(&job).await[0]["successCount"], 2);
    assert_eq!(api.account().kobjects_total, 0);
    api.delete("/v1/klasses/order/bulk").await.expect(400);
}

#[tokio::test]
async fn at_once_when_the_switch_says_so() {
    let api = Api::set(&[("bulk-start", "complete")]).await;
    let got = api
        .post(
            "/v1/klasses/order/bulk",
            json!([{"title": "x", "externalId": "o1"}]),
        )
        .await;
    let attributes = got.expect(201).json()["data"]["attributes"].clone();
    assert_eq!(
        (&attributes["status"], &attributes["completed"]),
        (&json!("complete"), &json!(true))
    );
    api.get("/v1/klasses/order/externalId=o1").await.expect(200);
}

#[tokio::test]
async fn the_flat_envelope() {
    let api = Api::set(&[("bulk-envelope", "flat"), ("bulk-start", "complete")]).await;
    let job = api
        .post(
            "/v1/klasses/order/bulk",
            json!([{"_clientRef": "a", "title": "x"}]),
        )
        .await
        .id();
    let got = api.get(&format!("/v1/bulk/{job}")).await.expect(200).json();
    assert_eq!(
        (&got["status"], &got["batches"]["total"]),
        (&json!("complete"), &json!(1))
    );
    let got = api
        .get(&format!("/v1/bulk/{job}/batches"))
        .await
        .expect(200)
        .json();
    assert_eq!(got[0]["results"][0]["status"], "created");
    assert_eq!(got[0]["status"], "complete");
}

#[tokio::test]
async fn old_jobs_are_forgotten() {
    let api = Api::set(&[("bulk-start", "complete"), ("bulk-retained-jobs", "1")]).await;
    let first = api
        .post("/v1/klasses/order/bulk", json!([{"title": "x"}]))
        .await
        .id();
    let second = api
        .post("/v1/klasses/order/bulk", json!([{"title": "x"}]))
        .await
        .id();
    api.get(&format!("/v1/bulk/{first}")).await.expect(404);
    api.get(&format!("/v1/bulk/{second}")).await.expect(200);
    api.get("/v1/bulk/000000000000000000000000/batches")
        .await
        .expect(404);
}

async fn bulk_of_one_customer(switches: &[(&str, &str)], imported: bool) -> Vec<Value> {
    let api = Api::set(switches).await;
    let customer = api.customer("u1").await;
    let items: Vec<Value> = (0..5)
        .map(|number| {
            let mut item =
                json!({"_clientRef": number.to_string(), "title": "x", "customer": customer});
            if imported {
                item["importedAt"] = json!("2025-01-02T03:04:05Z");
            }
            item
        })
        .collect();
    let results = api
        .bulk(Method::POST, "/v1/klasses/order/bulk", json!(items))
        .await;
    results
        .into_iter()
        .filter(|result| result["status"] == "error")
        .collect()
}

#[tokio::test]
async fn the_limit_per_customer_holds_inside_jobs() {
    let failed = bulk_of_one_customer(&[("create-limit", "3")], false).await;
    assert_eq!(failed.len(), 2);
    assert_eq!(failed[0]["error"], "Too Many Requests");
    assert_eq!(
        bulk_of_one_customer(&[("create-limit", "3")], true)
            .await
            .len(),
        0
    );
    let off = [("create-limit", "3"), ("bulk-create-limit", "off")];
    assert_eq!(bulk_of_one_customer(&off, false).await.len(), 0);
}

#[test]
fn states_follow_each_other_and_batches_fill_partly() {
    let mut config = Config::default();
    config.set("bulk-batch-items", "10").unwrap();
    let mut sim = Sim::new(config);
    let start = SimTime::from_millis(1_735_787_045_000);
    let items: Vec<Value> = (0..20)
        .map(|number| json!({"_clientRef": number.to_string(), "title": "x"}))
        .collect();
    let submit = Request::new(kustomer_sim::Method::Post, "/v1/klasses/order/bulk")
        .token("sim-key")
        .json(&json!(items));
    let job = sim.handle(start, &submit).json()["data"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let read = |sim: &mut Sim, now: SimTime, tail: &str| {
        let path = format!("/v1/bulk/{job}{tail}");
        let request = Request::new(kustomer_sim::Method::Get, path).token("sim-key");
        sim.handle(now, &request).json()["data"].clone()
    };
    assert_eq!(read(&mut sim, start, "")["attributes"]["status"], "queued");
    assert_eq!(read(&mut sim, start, "/batches"), json!([]));
    let mut seen = Vec::new();
    let mut now = start;
    while let Some(next) = sim.next_wake() {
        now = next;
        let batches = read(&mut sim, now, "/batches");
        let shown = batches.as_array().unwrap().iter().map(|batch| {
            let attributes = &batch["attributes"];
            let count = attributes["results"].as_array().unwrap().len();
            (attributes["status"].as_str().unwrap().to_owned(), count)
        });
        seen.push(shown.collect::<Vec<_>>());
        if sim.next_wake().is_some() {
            assert_eq!(read(&mut sim, now, "")["attributes"]["status"], "running");
        }
    }
    let batch = |status: &str, count: usize| (status.to_owned(), count);
    assert_eq!(
        seen,
        [
            [batch("scheduled", 5), batch("queued", 0)],
            [batch("complete", 10), batch("queued", 0)],
            [batch("complete", 10), batch("scheduled", 5)],
            [batch("complete", 10), batch("complete", 10)],
        ]
    );
    assert_eq!(read(&mut sim, now, "")["attributes"]["status"], "complete");
    assert!((500..60_000).contains(&now.since(start)));
}

#[test]
fn durations_are_spread_around_the_median() {
    let mut sim = Sim::new(Config {
        limit: 10_000,
        ..Config::default()
    });
    let mut now = SimTime::from_millis(1_735_787_045_000);
    let submit = Request::new(kustomer_sim::Method::Post, "/v1/klasses/order/bulk")
        .token("sim-key")
        .text(r#"[{"title":"x"}]"#);
    let mut durations = Vec::new();
    for _ in 0..1_000 {
        let start = now;
        assert_eq!(sim.handle(now, &submit).status, 201);
        while let Some(next) = sim.next_wake() {
            now = next;
            sim.advance(now);
        }
        durations.push(now.since(start));
    }
    durations.sort_unstable();
    assert!(
        (4_500..5_500).contains(&durations[500]),
        "{}",
        durations[500]
    );
    assert!(
        (11_000..20_000).contains(&durations[990]),
        "{}",
        durations[990]
    );
}
