//! The server over a real socket.

mod connections;
mod inside;
mod pauses;

use ingest_delivery::machine::{FrontierView, Keeps, OperationView, RecordView};
use ingest_model::outcome::HoldCause;
use ingest_model::record::{Epoch, Offset};
use tokio::sync::watch;

use super::status::{HoldStatus, Phase};
use super::*;
use crate::observe::advice::{Places, what_to_do};
use crate::observe::watchdog::SILENT_AFTER;

struct Running {
    base: String,
    status: watch::Sender<StatusReport>,
    commands: mpsc::Receiver<Command>,
    halting: CancellationToken,
    shutdown: CancellationToken,
    client: reqwest::Client,
    serving: tokio::task::JoinHandle<std::io::Result<()>>,
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test waits for the task itself"
)]
async fn start_waiting(
    idle: Duration,
    recorder: Recorder,
    rules: impl FnOnce(SocketAddr, Metrics) -> Access,
) -> Running {
    let mut report = StatusReport::new(Places::default());
    report.phase = Phase::Running;
    let (status, watched) = watch::channel(report);
    let (sender, commands) = mpsc::channel(1);
    let halting = CancellationToken::new();
    let level = LevelHandle::new(crate::observe::telemetry::check_level);
    let state = AdminState {
        status: watched,
        metrics: Metrics::new(),
        level,
        commands: sender,
        halting: halting.clone(),
        recorder,
        pausable: Arc::default(),
    };
    let address = "127.0.0.1:0".parse().unwrap();
    let access = rules(address, state.metrics.clone());
    let mut server = AdminServer::bind(address, state, access).await.unwrap();
    server.idle = idle;
    let base = format!("http://{}", server.address());
    let shutdown = CancellationToken::new();
    let serving = tokio::spawn(server.serve(shutdown.clone()));
    let client = reqwest::Client::builder().build().unwrap();
    Running {
        base,
        status,
        commands,
        halting,
        shutdown,
        client,
        serving,
    }
}

async fn start_ruled(
    recorder: Recorder,
    rules: impl FnOnce(SocketAddr, Metrics) -> Access,
) -> Running {
    start_waiting(server::IDLE_TIMEOUT, recorder, rules).await
}

async fn start_with(recorder: Recorder) -> Running {
    start_ruled(recorder, |address, metrics| {
        Access::new(address, (None, None), String::new(), metrics)
    })
    .await
}

async fn start() -> Running {
    start_with(Recorder::default()).await
}

impl Running {
    async fn get(&self, path: &str, accept: &str) -> (u16, String) {
        let request = self
            .client
            .get(format!("{}{path}", self.base))
            .header("accept", accept);
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }
}

fn hold() -> HoldStatus {
    let cause = HoldCause::BadToken;
    HoldStatus {
        id: 3,
        scope: "destination".to_owned(),
        cause: cause.as_str(),
        for_seconds: 9,
        errors: 2,
        last_error: None,
        next_try_seconds: None,
        what_to_do: what_to_do(cause).to_owned(),
        pause: None,
    }
}

#[tokio::test]
async fn health_names_its_cause() {
    let running = start().await;
    assert_eq!(running.get("/live", "*/*").await.0, 200);
    assert_eq!(
        running.get("/ready", "*/*").await,
        (200, "{\"status\":\"ok\"}".to_owned())
    );
    running
        .status
        .send_modify(|report| report.holds.push(hold()));
    let (status, body) = running.get("/ready", "*/*").await;
    assert_eq!(status, 503);
    assert!(
        body.contains("bad_token") && body.contains("kustomer.token"),
        "{body}"
    );
    assert_eq!(
        running.get("/live", "*/*").await.0,
        200,
        "a hold does not kill the process"
    );
    let dead = |change: fn(&mut StatusReport)| {
        let mut report = StatusReport::default();
        change(&mut report);
        report.dead(Clock.now()).join("; ")
    };
    assert_eq!(dead(|report| report.said = Some(Clock.now())), "");
    let silent = dead(|report| report.said = Clock.now().checked_sub(SILENT_AFTER));
    assert!(silent.contains("has said nothing for 120 s"), "{silent}");
    let stalled = dead(|report| report.stalled.push("stalled: a[0]".to_owned()));
    assert_eq!(stalled, "stalled: a[0]");
    running
        .status
        .send_modify(|report| report.stalled.push("stalled: a[0]".to_owned()));
    let (status, body) = running.get("/live", "*/*").await;
    assert!(status == 503 && body.contains("stalled: a[0]"), "{body}");
    running.status.send_modify(|report| report.stalled.clear());
    assert_eq!(running.get("/live", "*/*").await.0, 200);
    // The maker of the report may be what failed: the halt shows all the same.
    running.halting.cancel();
    assert_eq!(running.get("/live", "*/*").await.0, 503);
    let (_, json) = running.get("/status", "application/json").await;
    assert!(json.contains("\"phase\":\"halted\""), "{json}");
}

#[tokio::test]
async fn status_is_json_for_programs_and_a_page_for_people() {
    let running = start().await;
    running
        .status
        .send_modify(|report| report.holds.push(hold()));
    let (_, json) = running.get("/status", "application/json").await;
    let report: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(report["phase"], "running");
    assert_eq!(report["holds"][0]["id"], 3);
    assert_eq!(report["version"], env!("CARGO_PKG_VERSION"));
    let (_, page) = running.get("/status", "text/html,*/*").await;
    assert!(
        page.starts_with("<!doctype html>") && page.contains("bad_token"),
        "{page}"
    );
    let (_, metrics) = running.get("/metrics", "*/*").await;
    assert!(metrics.contains("kustomer_ingest_build_info"), "{metrics}");
}

#[tokio::test]
async fn the_log_level_is_checked_before_it_is_taken() {
    let running = start().await;
    let put = |body: String| {
        let request = running
            .client
            .put(format!("{}/log-level", running.base))
            .body(body);
        async move {
            let response = request.send().await.unwrap();
            (response.status().as_u16(), response.text().await.unwrap())
        }
    };
    assert_eq!(put("info,rdkafka=warn\n".to_owned()).await.0, 200);
    let (status, body) = put("loud".to_owned()).await;
    assert_eq!(
        (status, body.as_str()),
        (400, "{\"error\":\"`loud` is not a level\"}")
    );
    assert_eq!(put("x".repeat(MAX_BODY_BYTES + 1)).await.0, 413);
}

#[tokio::test]
async fn a_hold_is_released_by_its_owner_or_not_found() {
    let mut running = start().await;
    let post = |id: &str| {
        let request = running
            .client
            .post(format!("{}/holds/{id}/release", running.base));
        async move { request.send().await.unwrap().status().as_u16() }
    };
    let (three, four) = (post("3"), post("4"));
    let owner = async {
        for _ in 0..2 {
            if let Some(Command::ReleaseHold { id, found }) = running.commands.recv().await {
                found.send(id == 3).unwrap();
            }
        }
    };
    let (three, four, ()) = tokio::join!(three, four, owner);
    assert_eq!((three, four), (200, 404));
    let request = running
        .client
        .post(format!("{}/holds/many/release", running.base));
    assert_eq!(request.send().await.unwrap().status().as_u16(), 404);
}

#[tokio::test]
async fn what_holds_a_frontier_is_told_by_the_owner_of_the_state() {
    let mut running = start().await;
    let get = |path: &str| {
        let request = running
            .client
            .get(format!("{}/status/partitions/{path}", running.base));
        async move {
            let response = request.send().await.unwrap();
            (response.status().as_u16(), response.text().await.unwrap())
        }
    };
    let (owned, foreign, odd) = (get("shop.events/3"), get("shop.events/4"), get("shop/x"));
    let owner = async {
        for _ in 0..2 {
            if let Some(Command::Frontier { partition, view }) = running.commands.recv().await {
                let mine = (partition.partition.0 == 3).then(|| FrontierView {
                    partition,
                    epoch: Epoch(1),
                    frontier: Some(Offset(17)),
                    since: None,
                    record: Some(RecordView {
                        offset: Offset(17),
                        record_ms: None,
                        letter: None,
                        operations: vec![OperationView {
                            route: "carts".into(),
                            kind: "track",
                            stage: "ready_track",
                            lane: 2,
                            attempts: 1,
                            keeps: Keeps::Permit,
                        }],
                    }),
                });
                view.send(mine).unwrap();
            }
        }
    };
    let (owned, foreign, ()) = tokio::join!(owned, foreign, owner);
    let told: serde_json::Value = serde_json::from_str(&owned.1).unwrap();
    assert_eq!(owned.0, 200);
    assert_eq!(told["record"]["offset"], 17);
    let operation = &told["record"]["operations"][0];
    assert_eq!(operation["cause"]["name"], "permit");
    assert_eq!(operation["lane_length"], 2);
    assert_eq!(foreign.0, 404);
    assert!(foreign.1.contains("does not own"), "{}", foreign.1);
    assert_eq!(odd.await.0, 404);
}

#[tokio::test]
async fn the_server_ends_when_told() {
    let running = start().await;
    assert_eq!(running.get("/live", "*/*").await.0, 200);
    running.shutdown.cancel();
    let ended = tokio::time::timeout(Duration::from_secs(5), running.serving).await;
    assert!(ended.expect("in time").expect("no panic").is_ok());
}

#[tokio::test]
async fn a_recording_is_written_when_it_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let settings = crate::config::RecordingSettings {
        steps: 1_000,
        dir: folder.path().to_owned(),
        ..crate::config::RecordingSettings::default()
    };
    let recorder = Recorder::new(settings, Metrics::new());
    let answer = |recorder: Recorder| async move {
        let running = start_with(recorder).await;
        let url = format!("{}/debug/recording", running.base);
        let answer = running.client.post(url).send().await.unwrap();
        let status = answer.status().as_u16();
        let body: serde_json::Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        (status, body)
    };
    let (status, body) = answer(Recorder::default()).await;
    assert_eq!(status, 409);
    assert!(
        body["error"].as_str().unwrap().contains("debug.recording"),
        "{body}"
    );
    assert_eq!(answer(recorder.clone()).await.0, 409, "no machine yet");
    let now = Clock.now();
    let machine = ingest_delivery::machine::MachineSettings::new(100, 1.0, 0, 1.0).unwrap();
    recorder.begin(now, 0, &machine);
    recorder.inputs(now, &[ingest_delivery::machine::Input::Wake]);
    recorder.effects(now, &[]);
    let (status, body) = answer(recorder).await;
    assert_eq!(status, 200);
    let written = std::fs::read(body["path"].as_str().unwrap()).unwrap();
    assert_eq!(body["bytes"], written.len());
    assert_eq!(
        (&body["steps"], &body["steps_before"]),
        (&json!(1), &json!(0))
    );
}

/// A server with a token for changes and one for reading, which counts its connections as from elsewhere if told so.
async fn start_guarded(folder: &std::path::Path, local: bool) -> Running {
    let place = |name: &str, token: &str| {
        let path = folder.join(name);
        std::fs::write(&path, token).unwrap();
        crate::config::SecretRef::File(path)
    };
    let tokens = (place("change", "right"), place("read", "reader"));
    start_ruled(Recorder::default(), |address, metrics| {
        let seen = if local {
            address
        } else {
            "0.0.0.0:1".parse().unwrap()
        };
        let (change, read) = tokens;
        Access::new(seen, (Some(change), Some(read)), String::new(), metrics)
    })
    .await
}

impl Running {
    async fn asked(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self
            .client
            .request(method, format!("{}{path}", self.base))
            .body("info");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }
}

#[tokio::test]
async fn changes_need_the_right_token_wherever_they_come_from() {
    let folder = tempfile::tempdir().unwrap();
    for local in [true, false] {
        let running = start_guarded(folder.path(), local).await;
        let put = |token: &'static str| {
            let running = &running;
            async move {
                let headers = [("authorization", token)];
                running.asked("PUT", "/log-level", &headers).await.0
            }
        };
        let (code, said) = running.asked("PUT", "/log-level", &[]).await;
        assert_eq!(code, 401);
        assert!(said.contains("admin.token"), "{said}");
        for wrong in [
            "Bearer wrong",
            "Bearer reader",
            "Bearer righ",
            "Basic right",
            "right",
        ] {
            assert_eq!(put(wrong).await, 401, "{wrong}");
        }
        assert_eq!(put("Bearer right").await, 200);
        // It is read each time.
        std::fs::write(folder.path().join("change"), "another\n").unwrap();
        assert_eq!(put("Bearer right").await, 401);
        assert_eq!(put("Bearer another").await, 200);
        std::fs::remove_file(folder.path().join("change")).unwrap();
        assert_eq!(put("Bearer another").await, 503);
        std::fs::write(folder.path().join("change"), "right").unwrap();
        let (_, metrics) = running
            .asked("GET", "/metrics", &[("authorization", "Bearer reader")])
            .await;
        let told = |result: &str, times: u32| {
            let line = format!(
                "kustomer_ingest_admin_changes_total{{action=\"log_level\",result=\"{result}\"}} {times}"
            );
            assert!(metrics.contains(&line), "{line}");
        };
        told("done", 2);
        told("refused", 8);
    }
}

#[tokio::test]
async fn reading_needs_a_token_where_one_is_named_and_health_never() {
    let folder = tempfile::tempdir().unwrap();
    let running = start_guarded(folder.path(), true).await;
    for path in ["/status", "/metrics", "/status/partitions/a/0"] {
        assert_eq!(running.asked("GET", path, &[]).await.0, 401, "{path}");
        let wrong = [("authorization", "Bearer wrong")];
        assert_eq!(running.asked("GET", path, &wrong).await.0, 401, "{path}");
    }
    for right in ["Bearer reader", "Bearer right"] {
        let headers = [("authorization", right)];
        assert_eq!(running.asked("GET", "/status", &headers).await.0, 200);
    }
    assert_eq!(running.asked("GET", "/live", &[]).await.0, 200);
    assert_eq!(running.asked("GET", "/ready", &[]).await.0, 200);
}

#[tokio::test]
async fn without_a_token_an_address_that_others_reach_takes_no_changes() {
    let running = start_ruled(Recorder::default(), |_, metrics| {
        let seen = "10.0.0.7:9464".parse().unwrap();
        Access::new(
            seen,
            (None, None),
            "ask at 127.0.0.1:9465".to_owned(),
            metrics,
        )
    })
    .await;
    for (method, path) in [
        ("PUT", "/log-level"),
        ("POST", "/holds/3/release"),
        ("POST", "/debug/recording"),
        ("GET", "/debug/memory"),
        ("GET", "/debug/heap"),
        ("POST", "/live/../holds/3/release"),
        ("DELETE", "/status"),
    ] {
        let (code, said) = running.asked(method, path, &[]).await;
        assert_eq!(code, 403, "{method} {path}");
        assert!(said.contains("127.0.0.1:9465"), "{said}");
    }
    assert_eq!(running.asked("GET", "/status", &[]).await.0, 200);
}

#[tokio::test]
async fn pages_of_other_sites_change_nothing_here() {
    let running = start().await;
    for headers in [
        [("origin", "https://evil.example")],
        [("origin", "null")],
        [("sec-fetch-site", "cross-site")],
        [("host", "evil.example")],
    ] {
        let (code, _) = running.asked("PUT", "/log-level", &headers).await;
        assert_eq!(code, 403, "{headers:?}");
    }
    assert_eq!(running.asked("PUT", "/log-level", &[]).await.0, 200);
}
