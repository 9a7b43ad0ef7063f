use reqwest::Method;
use serde_json::json;

use crate::Api;

#[tokio::test]
async fn companies_are_created_found_by_a_query_and_updated() {
    let api = Api::set(&[]).await;
    let body = json!({"externalId": "acme/1", "name": "Acme", "domains": [{"domain": "acme.example"}],
        "createdAt": "2026-01-02T03:04:05Z", "custom": {"planStr": "gold"}});
    let created = api.post("/v1/companies", body.clone()).await.expect(201);
    let id = created.id();
    let shown = created.json()["data"].clone();
    assert_eq!(shown["type"], "company");
    assert_eq!(shown["attributes"]["name"], "Acme");
    assert_eq!(shown["attributes"]["createdAt"], "2026-01-02T03:04:05.000Z");
    api.post("/v1/companies", body).await.expect(409);
    let found = api
        .get("/v1/companies?externalId=acme%2F1")
        .await
        .expect(200)
        .json();
    assert_eq!(found["data"][0]["id"], json!(id));
    let none = api
        .get("/v1/companies?externalId=other")
        .await
        .expect(200)
        .json();
    assert_eq!(none["data"], json!([]));
    api.get(&format!("/v1/companies/{id}")).await.expect(200);
    let path = format!("/v1/companies/{id}");
    let change = json!({"name": "Acme Inc.", "custom": {"sizeNum": 2}});
    api.put(&path, change).await.expect(200);
    let got = api.get(&path).await.expect(200).json();
    assert_eq!(got["data"]["attributes"]["name"], "Acme Inc.");
    assert_eq!(
        got["data"]["attributes"]["custom"],
        json!({"planStr": "gold", "sizeNum": 2})
    );
    let items = json!([{"_clientRef": "a", "id": id, "name": "Acme Ltd."}]);
    let updated = api.bulk(Method::PUT, "/v1/companies/bulk", items).await;
    assert_eq!(updated[0]["status"], "updated");
    let items = json!([{"_clientRef": "b", "name": "Other", "externalId": "acme/1"}]);
    let twice = api.bulk(Method::POST, "/v1/companies/bulk", items).await;
    assert_eq!(twice[0]["error"], "duplicate detected");
    let all = api.get("/_sim/companies").await.expect(200).json();
    assert_eq!(
        (&all["total"], &all["data"][0]["externalId"]),
        (&json!(1), &json!("acme/1"))
    );
}

#[tokio::test]
async fn what_companies_do_not_take_is_refused() {
    let api = Api::start().await;
    for body in [
        json!({"externalId": "a"}),
        json!({"name": "HP"}),
        json!({"name": "Acme", "title": "x"}),
        json!({"name": "Acme", "domains": [{"domain": "no domain"}]}),
    ] {
        api.post("/v1/companies", body).await.expect(400);
    }
    let created = api
        .post("/v1/companies", json!({"name": "Acme"}))
        .await
        .expect(201);
    let path = format!("/v1/companies/{}", created.id());
    for body in [
        json!({"rev": 1}),
        json!({"createdAt": "2026-01-02T03:04:05Z"}),
    ] {
        api.put(&path, body).await.expect(400);
    }
}

#[tokio::test]
async fn a_customer_of_a_company_that_does_not_exist() {
    let body = json!({"externalId": "u1", "company": "0123456789abcdef01234567"});
    for (switch, status) in [("accept", 201), ("404", 404), ("400", 400)] {
        let api = Api::set(&[("unknown-company", switch)]).await;
        let answer = api.post("/v1/customers", body.clone()).await.expect(status);
        if status != 201 {
            assert_eq!(answer.error()["source"]["parameter"], "company");
        }
        let company = api
            .post("/v1/companies", json!({"name": "Acme"}))
            .await
            .expect(201);
        let known = json!({"externalId": "u2", "company": company.id()});
        api.post("/v1/customers", known).await.expect(201);
    }
}
