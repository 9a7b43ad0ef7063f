use serde_json::{Value, json};

use crate::Api;

async fn shop(api: &Api) -> String {
    let customer = api
        .post(
            "/v1/customers",
            json!({"externalId": "u1", "name": "Ada <Lovelace>",
        "emails": [{"email": "ada@example.com"}], "custom": {"loyaltyTierStr": "Gold"}}),
        )
        .await;
    let id = customer.expect(201).id();
    api.order(
        json!({"title": "Order 1001 <b>", "description": "Paid & packed", "customer": id,
        "externalId": "o1", "createdAt": "2025-01-02T03:04:05Z", "tags": ["web"],
        "custom": {"orderNumberStr": "R1", "paidBool": true, "ingestVersionStr": "7"},
        "data": {"lines": [{"sku": "A\"1", "unitPrice": 39.9}, {"sku": "B2", "unitPrice": 10}]}}),
    )
    .await;
    let event = json!({"identity": {"externalId": "u1"}, "event": {"name": "Checkout-Started",
        "meta": {"eventKey": "k1", "occurredAt": "2025-01-02T03:04:05Z", "cartTotalNum": 9}}});
    api.post("/v1/tracking/identityEvent", event)
        .await
        .expect(201);
    id
}

async fn page(api: &Api, path: &str) -> (u16, String) {
    let url = format!("{}{path}", api.server.url());
    let response = api
        .client
        .get(url)
        .header("accept", "text/html,*/*")
        .send()
        .await
        .unwrap();
    assert!(
        response.headers()["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/html")
    );
    (response.status().as_u16(), response.text().await.unwrap())
}

#[tokio::test]
async fn the_account_is_served_as_it_is_kept() {
    let api = Api::start().await;
    shop(&api).await;
    let served = api.get("/_sim/account").await.expect(200).json();
    assert_eq!(served, serde_json::to_value(api.account()).unwrap());
    assert_eq!(served["requests"]["total"], 3);
    assert_eq!(
        served["requests"]["by_endpoint"]["tracking.identity_event"],
        1
    );
    assert_eq!(served["requests"]["by_status"]["201"], 3);
    assert_eq!(
        (&served["kobjects_total"], &served["customers_total"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(
        served["accepted"],
        json!({"tracking": 1, "identities": 0, "customers_created": 1,
        "customers_updated": 0, "kobjects_created": 1, "kobjects_updated": 0})
    );
    assert_eq!(served["windows"][0]["spent"], 3);
}

#[tokio::test]
async fn the_timeline_as_json() {
    let api = Api::start().await;
    let id = shop(&api).await;
    let by_id = api
        .get(&format!("/_sim/timeline/{id}"))
        .await
        .expect(200)
        .json();
    for name in ["u1", "ada%40example.com"] {
        assert_eq!(
            api.get(&format!("/_sim/timeline/{name}"))
                .await
                .expect(200)
                .json(),
            by_id
        );
    }
    let items = by_id["items"].as_array().unwrap();
    assert_eq!(
        (&items[0]["kind"], &items[1]["kind"]),
        (&json!("session"), &json!("kobject"))
    );
    assert_eq!(items[0]["events"][0]["eventKey"], "k1");
    assert_eq!(items[1]["version"], "7");
    assert_eq!(items[1]["rest"]["data"]["lines"][0]["sku"], "A\"1");
    api.get("/_sim/timeline/nobody").await.expect(404);
}

#[tokio::test]
async fn the_timeline_as_a_page() {
    let api = Api::start().await;
    let id = shop(&api).await;
    let (status, html) = page(&api, &format!("/_sim/timeline/{id}")).await;
    assert_eq!(status, 200);
    for part in [
        "Ada &lt;Lovelace&gt;",
        "ada@example.com",
        "Loyalty Tier</dt><dd>Gold",
        "Order 1001 &lt;b&gt;",
        "Paid &amp; packed",
        "<span>Order Number</span>R1",
        "<span>Paid</span>yes",
        "2 Jan 2025, 03:04",
        "<th>Sku</th><th class=\"n\">Unit Price</th>",
        "A&quot;1",
        "Session with 1 event",
        "Checkout Started",
        "Cart Total <b>9</b>",
    ] {
        assert!(html.contains(part), "{part} is missing in {html}");
    }
    for part in [
        "<Lovelace>",
        "<script",
        "ingestVersionStr",
        "eventKey",
        "1001 <b>",
    ] {
        assert!(!html.contains(part), "{part}");
    }
    let session = html.find("Session with").unwrap();
    assert!(session < html.find("Order 1001").unwrap(), "newest first");
    let (status, html) = page(&api, "/_sim/timeline/%3Cscript%3E").await;
    assert_eq!(status, 404);
    assert!(html.contains("&lt;script&gt;") && !html.contains("<script>"));
}

#[tokio::test]
async fn the_index_shows_account_and_customers() {
    let api = Api::set(&[("duplicates", "allow")]).await;
    let id = shop(&api).await;
    api.customer("u2").await;
    let (status, html) = page(&api, "/_sim/").await;
    assert_eq!(status, 200);
    assert!(
        html.contains(&format!("/_sim/timeline/{id}")) && html.contains("Ada &lt;Lovelace&gt;")
    );
    assert!(html.contains("tracking.identity_event") && html.contains("duplicates = allow"));
    let (_, html) = page(&api, "/_sim/?q=u2").await;
    assert!(!html.contains("Lovelace") && html.contains("u2"));
}

#[tokio::test]
async fn customers_objects_and_events_are_listed() {
    let api = Api::start().await;
    api.customer("quiet").await;
    let id = shop(&api).await;
    let customers = api.get("/_sim/customers").await.expect(200).json();
    let names: Vec<&Value> = customers["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["externalId"])
        .collect();
    assert_eq!(names, ["u1", "quiet"], "the busiest first");
    assert_eq!(
        (
            &customers["data"][0]["kobjects"],
            &customers["data"][0]["events"]
        ),
        (&json!(1), &json!(1))
    );
    for number in 0..3 {
        api.order(json!({"title": "x", "externalId": format!("p{number}")}))
            .await;
    }
    let objects = api
        .get("/_sim/objects/order?page=2&pageSize=2")
        .await
        .expect(200)
        .json();
    assert_eq!(
        (&objects["total"], &objects["data"][1]["externalId"]),
        (&json!(4), &json!("p2"))
    );
    let first = api.get("/_sim/objects/order?pageSize=1").await.json()["data"][0].clone();
    assert_eq!(
        (&first["externalId"], &first["rev"], &first["version"]),
        (&json!("o1"), &json!(1), &json!("7"))
    );
    assert_eq!(
        (&first["customer"], &first["createdAt"]),
        (&json!(id), &json!(1_735_787_045_000_i64))
    );
    api.get("/_sim/objects/nothing").await.expect(404);
    let events = api.get("/_sim/events?customer=u1").await.expect(200).json();
    assert_eq!(events["data"][0]["eventKey"], "k1");
    assert_eq!(events["data"][0]["occurredAt"], "2025-01-02T03:04:05Z");
    assert_eq!(api.get("/_sim/events").await.json()["total"], 1);
    assert_eq!(
        api.get("/_sim/events?customer=quiet").await.json()["total"],
        0
    );
}

#[tokio::test]
async fn the_journal_has_every_request() {
    let api = Api::start().await;
    shop(&api).await;
    api.get("/v1/nowhere").await.expect(404);
    let bulk = json!([{"title": "a"}, {"title": "b"}]);
    api.post("/v1/klasses/order/bulk", bulk).await.expect(201);
    let lines: Vec<Value> = api
        .get("/_sim/journal?since=2")
        .await
        .expect(200)
        .text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let told: Vec<Value> = lines
        .iter()
        .map(|line| json!([line["n"], line["endpoint"], line["status"], line["items"]]))
        .collect();
    assert_eq!(
        told,
        [
            json!([3, "tracking.identity_event", 201, 1]),
            json!([4, "unknown", 404, 0]),
            json!([5, "kobject.bulk_create", 201, 2]),
        ]
    );
    assert!(lines[0]["time"].as_i64().unwrap() > 1_700_000_000_000);
}

#[tokio::test]
async fn reset_starts_again() {
    let api = Api::start().await;
    let id = shop(&api).await;
    api.post("/_sim/reset", json!({})).await.expect(200);
    let account = api.account();
    assert_eq!(
        (
            account.requests.total,
            account.customers_total,
            account.kobjects_total
        ),
        (0, 0, 0)
    );
    api.customer("u1").await;
    api.get(&format!("/v1/customers/{id}")).await.expect(404);
    api.get("/_sim/nothing").await.expect(404);
}

#[tokio::test]
async fn a_key_is_added_and_another_one_revoked() {
    let mut api = Api::start().await;
    let keys = |body| api.post("/_sim/keys", body);
    let added = keys(json!({ "add": ["second"] })).await.expect(200);
    assert_eq!(added.json(), json!({ "valid": 2 }));
    let revoked = keys(json!({ "revoke": ["sim-key", "nobody's"] })).await;
    assert_eq!(revoked.expect(200).json(), json!({ "valid": 1 }));
    keys(json!({ "revoked": [] })).await.expect(400);
    let own = "/v1/auth/tokens/current";
    api.get(own).await.expect(401);
    api.token = "second".to_owned();
    api.get(own).await.expect(200);
    let again = json!({ "add": ["sim-key"] });
    api.post("/_sim/keys", again).await.expect(200);
    api.token = "sim-key".to_owned();
    api.get(own).await.expect(200);
}
