//! The admin server: health, status, metrics, log level and holds over HTTP.
//!
//! | address | answers |
//! |---|---|
//! | `GET /live` | 200 while the process can work, 503 after a halt, or when it has stalled |
//! | `GET /ready` | 200 when records are read and sent, else 503 with the causes |
//! | `GET /metrics` | Prometheus text |
//! | `GET /status` | the [`StatusReport`] as JSON, or as a page for a browser |
//! | `GET /status/partitions/{topic}/{partition}` | what holds back the frontier of one partition |
//! | `PUT /log-level` | body `debug`, or `info,rdkafka=warn`: what is logged from now on |
//! | `POST /holds/{id}/release` | ends a hold; 404 if there is no such hold |
//! | `POST /pauses` | pauses a topic, a route or a destination: body a [`PauseBody`] |
//! | `POST /pauses/resume` | ends its pauses; 404 if there are none |
//! | `GET /debug/heap` | which code holds the heap, for `pprof`; 501 unless the program is built with the feature `heap-profile` |
//! | `GET /debug/memory` | where the memory of the process is; asked for like a change |
//! | `POST /debug/recording` | writes the last steps to a file; answers with its path and size, 409 if nothing is recorded |
//!
//! Who may do that, [`access`] says: what changes something is taken only from this machine, or with a token.
//!
//! It shows what it is given and owns nothing. Everything is bounded (connections, header and body sizes, and the time a
//! request may take), so that a forgotten client cannot cost the worker anything.

pub mod access;
pub mod account;
pub mod frontier;
mod holds;
mod page;
mod problem;
mod registry;
pub mod report;
mod server;
pub mod status;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{Html, IntoResponse, Json, Response};
use axum::routing::{get, post, put};
use axum::{Extension, Router};
use ingest_model::record::TopicPartition;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use self::access::Access;
use self::frontier::FrontierStatus;
use self::holds::end_of;
pub use self::holds::pauses::PauseBody;
use self::problem::problem_response;
pub use self::status::StatusReport;
use crate::clock::Clock;
use crate::config::pauses::Pausable;
use crate::observe::metrics::Metrics;
use crate::observe::metrics::labels::{AdminAction, AdminResult, RecordingCause};
use crate::observe::telemetry::LevelHandle;
use crate::observe::telemetry::heap::{self, NoProfile};
use crate::observe::telemetry::memory::ProcessMemory;
use crate::pump::Command;
use crate::pump::recorder::{Recorder, RecordingError};

/// A body is at most a log level.
const MAX_BODY_BYTES: usize = 4096;
/// How long the owner of the state may take to answer.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(5);

/// What the server shows and where it sends commands; cheap to clone.
#[derive(Debug, Clone)]
pub struct AdminState {
    /// The latest report.
    pub status: watch::Receiver<StatusReport>,
    /// The metrics.
    pub metrics: Metrics,
    /// The log level.
    pub level: LevelHandle,
    /// Commands to the owner of the state.
    pub commands: mpsc::Sender<Command>,
    /// Cancelled when a halt has begun. The report shows it too, but its maker may be what failed.
    pub halting: CancellationToken,
    /// The recorder of the last steps.
    pub recorder: Recorder,
    /// What can be paused.
    pub pausable: Arc<Pausable>,
}

/// A server that has bound its address but does not serve yet.
#[derive(Debug)]
pub struct AdminServer {
    listener: TcpListener,
    state: AdminState,
    address: SocketAddr,
    access: Access,
    /// How long a connection may wait for a request, and how long a request may take to come.
    idle: Duration,
}

// === impl AdminState ===

impl AdminState {
    /// The latest report; halted as soon as a halt has begun.
    fn report(&self) -> StatusReport {
        let mut report = self.status.borrow().clone();
        if self.halting.is_cancelled() {
            report.phase = status::Phase::Halted;
        }
        report
    }
}

// === impl AdminServer ===

impl AdminServer {
    /// Binds the address; port 0 picks a free one.
    ///
    /// # Errors
    ///
    /// When the address is in use or does not belong to this machine.
    pub async fn bind(
        listen: SocketAddr,
        state: AdminState,
        access: Access,
    ) -> std::io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        Ok(Self {
            listener,
            state,
            address,
            access,
            idle: server::IDLE_TIMEOUT,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until the token is cancelled, and then a short time longer for requests in flight.
    ///
    /// # Errors
    ///
    /// When no more connections can be accepted.
    pub async fn serve(self, shutdown: CancellationToken) -> std::io::Result<()> {
        let router = router(self.state, self.access);
        server::serve(self.listener, router, self.idle, shutdown).await
    }
}

/// The routes, without a socket.
pub fn router(state: AdminState, access: Access) -> Router {
    Router::new()
        .route("/live", get(live))
        .route("/ready", get(ready))
        .route("/metrics", get(metrics))
        .route("/status", get(show_status))
        .route("/status/partitions/{topic}/{partition}", get(show_frontier))
        .route("/log-level", put(log_level))
        .route("/holds/{id}/release", post(release))
        .route("/pauses", post(pause))
        .route("/pauses/resume", post(resume))
        .route("/debug/heap", get(show_heap))
        .route("/debug/memory", get(show_memory))
        .route("/debug/recording", post(record))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(from_fn_with_state(access.clone(), access::guard))
        .layer(Extension(access))
        .with_state(state)
}

async fn live(State(state): State<AdminState>) -> Response {
    health(&state.report().dead(Clock.now()))
}

async fn ready(State(state): State<AdminState>) -> Response {
    let report = state.report();
    let (causes, paused) = (report.unready(), report.paused());
    if causes.is_empty() && !paused.is_empty() {
        // Planned: the worker is as ready as it is to be.
        return Json(json!({ "status": "ok", "paused": paused })).into_response();
    }
    health(&causes)
}

fn health(causes: &[String]) -> Response {
    if causes.is_empty() {
        Json(json!({ "status": "ok" })).into_response()
    } else {
        let body = json!({ "status": "failing", "causes": causes });
        (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
    }
}

async fn metrics(State(state): State<AdminState>) -> Response {
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], state.metrics.render()).into_response()
}

async fn show_status(State(state): State<AdminState>, headers: HeaderMap) -> Response {
    let report = state.report();
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if accept.contains("text/html") {
        Html(page::render(&report)).into_response()
    } else {
        Json(report).into_response()
    }
}

async fn log_level(
    State(state): State<AdminState>,
    Extension(access): Extension<Access>,
    directives: String,
) -> Response {
    let changed = state.level.set(directives.trim());
    access.note(AdminAction::LogLevel, result_of(changed.is_ok()));
    match changed {
        Ok(()) => {
            tracing::info!(
                level = directives.trim(),
                "the log level was changed by hand"
            );
            Json(json!({ "level": directives.trim() })).into_response()
        }
        Err(problem) => problem_response(StatusCode::BAD_REQUEST, &problem),
    }
}

async fn release(
    State(state): State<AdminState>,
    Extension(access): Extension<Access>,
    Path(id): Path<String>,
) -> Response {
    let Ok(id) = id.parse::<u64>() else {
        return problem_response(StatusCode::NOT_FOUND, "no such hold");
    };
    let (found, answer) = oneshot::channel();
    let released = ask(&state, Command::ReleaseHold { id, found }, answer).await;
    let done = matches!(released, Ok(true));
    access.note(AdminAction::ReleaseHold, result_of(done));
    if done {
        tracing::info!(hold = id, "a hold was released by hand");
    }
    match released {
        Ok(true) => Json(json!({ "released": id })).into_response(),
        Ok(false) => problem_response(StatusCode::NOT_FOUND, "no such hold"),
        Err(response) => *response,
    }
}

async fn pause(
    State(state): State<AdminState>,
    Extension(access): Extension<Access>,
    body: String,
) -> Response {
    let now_ms = Clock.unix_ms();
    let wanted = PauseBody::read(&body).and_then(|wanted| {
        let scope = wanted.scope(&state.pausable)?;
        wanted.pause(scope, now_ms)
    });
    let pause = match wanted {
        Ok(pause) => pause,
        Err(problem) => {
            access.note(AdminAction::Pause, AdminResult::Failed);
            return problem_response(StatusCode::BAD_REQUEST, &problem);
        }
    };
    let scope = pause.scope.to_string();
    let until = pause.lasts.map(|lasts| end_of(now_ms, lasts).to_string());
    let (done, answer) = oneshot::channel();
    let paused = ask(&state, Command::Pause { pause, done }, answer).await;
    access.note(AdminAction::Pause, result_of(paused.is_ok()));
    match paused {
        Ok(()) => {
            tracing::info!(scope, until, "paused by hand");
            Json(json!({ "paused": scope, "until": until })).into_response()
        }
        Err(response) => *response,
    }
}

async fn resume(
    State(state): State<AdminState>,
    Extension(access): Extension<Access>,
    body: String,
) -> Response {
    let wanted = PauseBody::read(&body).and_then(|wanted| wanted.resumed(&state.pausable));
    let scope = match wanted {
        Ok(scope) => scope,
        Err(problem) => {
            access.note(AdminAction::Resume, AdminResult::Failed);
            return problem_response(StatusCode::BAD_REQUEST, &problem);
        }
    };
    let name = scope.to_string();
    let (found, answer) = oneshot::channel();
    let resumed = ask(&state, Command::Resume { scope, found }, answer).await;
    let done = matches!(resumed, Ok(true));
    access.note(AdminAction::Resume, result_of(done));
    if done {
        tracing::info!(scope = name, "resumed by hand");
    }
    match resumed {
        Ok(true) => Json(json!({ "resumed": name })).into_response(),
        Ok(false) => {
            let problem = format!("{name} is not paused; GET /status lists what is");
            problem_response(StatusCode::NOT_FOUND, &problem)
        }
        Err(response) => *response,
    }
}

async fn show_frontier(
    State(state): State<AdminState>,
    Path((topic, number)): Path<(String, String)>,
) -> Response {
    let Ok(number) = number.parse::<i32>() else {
        return problem_response(StatusCode::NOT_FOUND, "a partition is a number");
    };
    let partition = TopicPartition::new(topic.as_str(), number);
    let (view, answer) = oneshot::channel();
    match ask(&state, Command::Frontier { partition, view }, answer).await {
        Ok(Some(view)) => {
            Json(FrontierStatus::of(&view, Clock.now(), Clock.unix_ms())).into_response()
        }
        Ok(None) => problem_response(
            StatusCode::NOT_FOUND,
            "this worker does not own that partition; GET /status lists those that it owns",
        ),
        Err(response) => *response,
    }
}

/// Asks the owner of the state, which may be too busy or gone.
async fn ask<T>(
    state: &AdminState,
    command: Command,
    answer: oneshot::Receiver<T>,
) -> Result<T, Box<Response>> {
    let asked = async {
        state.commands.send(command).await.ok()?;
        answer.await.ok()
    };
    match tokio::time::timeout(COMMAND_TIMEOUT, asked).await {
        Ok(Some(answer)) => Ok(answer),
        Ok(None) | Err(_) => Err(Box::new(problem_response(
            StatusCode::SERVICE_UNAVAILABLE,
            "the worker is not accepting commands",
        ))),
    }
}

async fn record(State(state): State<AdminState>, Extension(access): Extension<Access>) -> Response {
    let recorder = state.recorder.clone();
    let writing = tokio::task::spawn_blocking(move || recorder.write(RecordingCause::Asked)).await;
    let done = matches!(writing, Ok(Ok(_)));
    access.note(AdminAction::Recording, result_of(done));
    match writing {
        Ok(Ok(written)) => Json(json!({
            "path": written.path,
            "bytes": written.bytes,
            "steps": written.steps,
            "steps_before": written.steps_before,
        }))
        .into_response(),
        Ok(Err(error @ (RecordingError::Off | RecordingError::Empty | RecordingError::Busy))) => {
            problem_response(StatusCode::CONFLICT, &error.to_string())
        }
        Ok(Err(error @ RecordingError::Write(_))) => {
            problem_response(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string())
        }
        Err(error) => problem_response(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

async fn show_heap() -> Response {
    let profile = match tokio::task::spawn_blocking(heap::profile).await {
        Ok(profile) => profile,
        Err(error) => Err(NoProfile::Failed(error.to_string())),
    };
    match profile {
        Ok(profile) => {
            let kind = [(header::CONTENT_TYPE, "application/octet-stream")];
            (kind, profile).into_response()
        }
        Err(error) => {
            let status = match error {
                NoProfile::NotBuilt => StatusCode::NOT_IMPLEMENTED,
                NoProfile::Off => StatusCode::CONFLICT,
                NoProfile::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
            };
            problem_response(status, &error.to_string())
        }
    }
}

async fn show_memory(State(state): State<AdminState>) -> Response {
    match tokio::task::spawn_blocking(ProcessMemory::now).await {
        Ok(Ok(process)) => {
            let budget = state.report().budget;
            Json(json!({ "process": process, "budget": budget })).into_response()
        }
        Ok(Err(error)) => problem_response(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        Err(error) => problem_response(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

fn result_of(done: bool) -> AdminResult {
    if done {
        AdminResult::Done
    } else {
        AdminResult::Failed
    }
}

#[cfg(test)]
mod tests;
