//! The contract over HTTP: every endpoint, every switch, every fault.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod bulk;
mod companies;
mod control;
mod customers;
mod faults;
mod limits;
mod objects;
mod program;
mod provisioning;
mod scale;
mod tracking;

use std::time::Duration;

use kustomer_sim::server::Server;
use kustomer_sim::{Account, Config};
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

/// A simulator with a client for it.
struct Api {
    server: Server,
    client: reqwest::Client,
    token: String,
}

/// What came back.
#[derive(Debug)]
struct Got {
    status: u16,
    headers: HeaderMap,
    text: String,
}

impl Got {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {}", self.text))
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    fn number(&self, name: &str) -> i64 {
        self.header(name)
            .unwrap_or_else(|| panic!("no {name}"))
            .parse()
            .unwrap()
    }

    fn id(&self) -> String {
        self.json()["data"]["id"].as_str().unwrap().to_owned()
    }

    /// The first error.
    fn error(&self) -> Value {
        self.json()["errors"][0].clone()
    }

    #[track_caller]
    fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }
}

impl Api {
    async fn start() -> Self {
        Self::with(Config::default()).await
    }

    /// A simulator with these switches.
    async fn set(switches: &[(&str, &str)]) -> Self {
        Self::with(config(switches)).await
    }

    async fn with(config: Config) -> Self {
        let server = Server::start(config, "127.0.0.1:0".parse().unwrap())
            .await
            .unwrap();
        let client = reqwest::Client::builder()
            .timeout(Duration::from_secs(10))
            .pool_max_idle_per_host(4)
            .build()
            .unwrap();
        Self {
            server,
            client,
            token: "sim-key".to_owned(),
        }
    }

    async fn try_send(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
    ) -> reqwest::Result<Got> {
        let mut request = self
            .client
            .request(method, format!("{}{path}", self.server.url()))
            .bearer_auth(&self.token);
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json")
                .body(body);
        }
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Got {
            status,
            headers,
            text: response.text().await?,
        })
    }

    async fn send(&self, method: Method, path: &str, body: Option<String>) -> Got {
        self.try_send(method, path, body).await.unwrap()
    }

    async fn get(&self, path: &str) -> Got {
        self.send(Method::GET, path, None).await
    }

    async fn post(&self, path: &str, body: Value) -> Got {
        self.send(Method::POST, path, Some(body.to_string())).await
    }

    async fn put(&self, path: &str, body: Value) -> Got {
        self.send(Method::PUT, path, Some(body.to_string())).await
    }

    async fn delete(&self, path: &str) -> Got {
        self.send(Method::DELETE, path, None).await
    }

    fn account(&self) -> Account {
        self.server.account()
    }

    /// Creates a customer and returns its id.
    async fn customer(&self, external_id: &str) -> String {
        self.post("/v1/customers", json!({ "externalId": external_id }))
            .await
            .expect(201)
            .id()
    }

    /// Creates an order and returns its id.
    async fn order(&self, body: Value) -> String {
        self.post("/v1/klasses/order", body).await.expect(201).id()
    }

    async fn faults(&self, rules: Value) {
        self.post("/_sim/faults", json!({ "rules": rules }))
            .await
            .expect(200);
    }

    /// Waits until a job is complete and returns the attributes of its batches.
    async fn finished(&self, job: &str) -> Vec<Value> {
        for _ in 0..500 {
            let state = self
                .get(&format!("/v1/bulk/{job}"))
                .await
                .expect(200)
                .json();
            if state["data"]["attributes"]["status"] == "complete" {
                let batches = self
                    .get(&format!("/v1/bulk/{job}/batches"))
                    .await
                    .expect(200);
                let batches = batches.json()["data"].as_array().unwrap().clone();
                return batches
                    .into_iter()
                    .map(|batch| batch["attributes"].clone())
                    .collect();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("job {job} did not complete");
    }

    /// Submits a bulk request and returns the results of all items once there are any.
    async fn bulk(&self, method: Method, path: &str, items: Value) -> Vec<Value> {
        let submitted = self.send(method, path, Some(items.to_string())).await;
        assert!(matches!(submitted.status, 200 | 201), "{}", submitted.text);
        let batches = self.finished(&submitted.id()).await;
        let results = batches
            .iter()
            .flat_map(|batch| batch["results"].as_array().cloned());
        results.flatten().collect()
    }
}

/// A configuration with switches; budgets are large and jobs quick unless set otherwise.
fn config(switches: &[(&str, &str)]) -> Config {
    let mut config = Config {
        limit: 1_000_000,
        ..Config::default()
    };
    config.set("bulk-median-ms", "40").unwrap();
    config.set("bulk-p99-ms", "80").unwrap();
    for (name, value) in switches {
        config.set(name, value).unwrap();
    }
    config
}

/// The result with this reference.
fn result<'a>(results: &'a [Value], reference: &str) -> &'a Value {
    results
        .iter()
        .find(|result| result["_clientRef"] == reference)
        .unwrap()
}
