use kustomer_sim::Config;
use serde_json::json;

use crate::Api;

#[tokio::test]
async fn klasses_are_created_listed_read_and_changed() {
    let api = Api::start().await;
    let body =
        json!({"name": "invoice", "displayName": "Invoice", "icon": "basket", "color": "#64943E"});
    let created = api.post("/v1/klasses", body.clone()).await.expect(200);
    let data = created.json()["data"].clone();
    assert_eq!(
        (&data["type"], &data["attributes"]["name"]),
        (&json!("klass"), &json!("invoice"))
    );
    let path = format!("/v1/klasses/{}", created.id());
    assert_eq!(api.get(&path).await.expect(200).json()["data"], data);
    api.post("/v1/klasses", body).await.expect(409);
    let names = async |query: &str| -> Vec<String> {
        let got = api
            .get(&format!("/v1/klasses{query}"))
            .await
            .expect(200)
            .json();
        let klasses = got["data"].as_array().unwrap().clone();
        klasses
            .iter()
            .map(|klass| klass["attributes"]["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names("").await, ["order", "shipment", "invoice"]);
    api.put(&path, json!({"status": "disabled"}))
        .await
        .expect(200);
    assert_eq!(names("").await, ["order", "shipment"]);
    assert_eq!(names("?status=disabled").await, ["invoice"]);
    assert_eq!(names("?status=existing_only").await.len(), 3);
    api.put(&path, json!({"name": "bill"})).await.expect(400);
    api.post("/v1/klasses", json!({"name": "with space"}))
        .await
        .expect(400);
    api.post("/v1/klasses", json!({"displayName": "x"}))
        .await
        .expect(400);
    // an object inherits the icon of its klass
    let got = api
        .post("/v1/klasses/invoice", json!({"title": "x"}))
        .await
        .expect(201);
    assert_eq!(got.json()["data"]["attributes"]["icon"], "basket");
    assert_eq!(got.json()["data"]["type"], "kobject.invoice");
    api.delete(&path).await.expect(409);
    api.delete(&format!("/v1/klasses/invoice/{}", got.id()))
        .await
        .expect(204);
    api.delete(&path).await.expect(204);
    api.post("/v1/klasses/invoice", json!({"title": "x"}))
        .await
        .expect(404);
}

#[tokio::test]
async fn metadata_is_merged_and_completed() {
    let api = Api::start().await;
    let path = "/v1/metadata/kobject.order";
    let empty = api.get(path).await.expect(200).json();
    assert_eq!(empty["data"]["attributes"]["properties"], json!({}));
    let body = json!({"properties": {"orderNumberStr": {}, "totalNum": {"displayName": "Sum"}}});
    api.put(path, body).await.expect(200);
    let got = api
        .put(path, json!({"properties": {"placedAt": {}}}))
        .await
        .expect(200)
        .json();
    let properties = &got["data"]["attributes"]["properties"];
    assert_eq!(
        properties["orderNumberStr"],
        json!({"type": "string", "displayName": "Order Number"})
    );
    assert_eq!(properties["totalNum"]["displayName"], "Sum");
    assert_eq!(properties["placedAt"]["type"], "date");
    api.get("/v1/metadata/kobject.invoice").await.expect(404);
    api.get("/v1/metadata/customer").await.expect(200);
    api.put(path, json!({"attributes": {}})).await.expect(400);
}

#[tokio::test]
async fn a_write_of_metadata_may_replace_what_is_there() {
    let api = Api::set(&[("metadata-put", "replace")]).await;
    let path = "/v1/metadata/customer";
    for name in ["tierStr", "joinedAt"] {
        let body = json!({"properties": {name: {}}, "validations": []});
        api.put(path, body).await.expect(200);
    }
    let got = api.get(path).await.expect(200).json();
    let attributes = &got["data"]["attributes"];
    let names: Vec<&String> = attributes["properties"]
        .as_object()
        .unwrap()
        .keys()
        .collect();
    assert_eq!(names, ["joinedAt"]);
    assert_eq!(attributes["validations"], json!([]));
}

#[tokio::test]
async fn references_need_metadata_and_a_target() {
    let api = Api::start().await;
    let order = api.order(json!({"title": "x"})).await;
    let body = |id: &str| json!({"title": "s", "custom": {"orderId": id}});
    api.post("/v1/klasses/shipment", body(&order))
        .await
        .expect(400);
    let metadata = json!({"properties": {"orderId": {"target": "kobject.order"}}});
    api.put("/v1/metadata/kobject.shipment", metadata)
        .await
        .expect(200);
    api.post("/v1/klasses/shipment", body(&order))
        .await
        .expect(201);
    let error = api
        .post("/v1/klasses/shipment", body("nothing"))
        .await
        .expect(400)
        .error();
    assert_eq!(error["source"]["parameter"], "orderId");
}

#[tokio::test]
async fn a_key_knows_its_roles() {
    let api = Api::set(&[("roles", "org.tracking,org.permission.customer.read")]).await;
    let got = api.get("/v1/auth/tokens/current").await.expect(200).json();
    let attributes = &got["data"]["attributes"];
    assert_eq!(
        attributes["roles"],
        json!(["org.permission.customer.read", "org.tracking"])
    );
    assert_eq!(attributes["lastTokenChars"], "-key");
}

#[tokio::test]
async fn a_missing_role_is_forbidden() {
    let api = Api::set(&[("roles", "-org.tracking,-org.permission.bulk.read")]).await;
    let got = api
        .post("/v1/tracking/event", json!({"name": "Seen"}))
        .await
        .expect(403);
    assert_eq!(got.error()["status"], 403);
    assert!(
        got.number("x-ratelimit-remaining") > 0,
        "a refused request costs, too"
    );
    api.get("/v1/bulk/000000000000000000000000")
        .await
        .expect(403);
    api.customer("u1").await;
    assert_eq!(api.account().refused["forbidden"], 2);
    let api = Api::set(&[("roles", "-org.tracking"), ("missing-role", "401")]).await;
    api.post("/v1/tracking/event", json!({"name": "Seen"}))
        .await
        .expect(401);
}

#[tokio::test]
async fn legacy_roles_and_roles_for_one_klass_work() {
    let roles = "org.user.customer.write,org.permission.kobject.kobject_order.create";
    let api = Api::set(&[("roles", roles)]).await;
    api.customer("u1").await;
    api.order(json!({"title": "x"})).await;
    api.post("/v1/klasses/shipment", json!({"title": "x"}))
        .await
        .expect(403);
    api.get("/v1/customers/externalId=u1").await.expect(403);
}

#[tokio::test]
async fn keys_must_exist() {
    let mut api = Api::start().await;
    for token in ["", "sim-key2", "SIM-KEY"] {
        api.token = token.to_owned();
        let got = api.get("/v1/klasses").await.expect(401);
        assert_eq!(got.error()["code"], "unauthorized");
    }
    let bare = api
        .client
        .get(format!("{}/v1/klasses", api.server.url()))
        .send()
        .await
        .unwrap();
    assert_eq!(bare.status().as_u16(), 401);
}

#[tokio::test]
async fn error_shapes() {
    let api = Api::set(&[("errors", "new")]).await;
    let error = api
        .get("/v1/klasses/order/externalId=x")
        .await
        .expect(404)
        .error();
    assert_eq!(
        error,
        json!({"code": "notfound", "message": "Not Found", "meta": {"parameter": "externalId"}})
    );
    let error = api
        .post("/v1/klasses/order", json!({"x": 1}))
        .await
        .expect(400)
        .error();
    assert_eq!(error["code"], "bad_request");
    let api = Api::set(&[("errors", "mixed")]).await;
    assert!(
        api.post("/v1/customers", json!({"x": 1}))
            .await
            .expect(400)
            .error()["message"]
            .is_string()
    );
    assert!(
        api.post("/v1/tracking/event", json!({"x": 1}))
            .await
            .error()["message"]
            .is_string()
    );
    assert!(api.post("/v1/klasses/order", json!({"x": 1})).await.error()["title"].is_string());
}

#[tokio::test]
async fn klasses_come_from_the_configuration() {
    let config = Config {
        klasses: vec!["invoice".to_owned()],
        ..Config::default()
    };
    let api = Api::with(config).await;
    api.post("/v1/klasses/invoice", json!({"title": "x"}))
        .await
        .expect(201);
    api.post("/v1/klasses/order", json!({"title": "x"}))
        .await
        .expect(404);
}
