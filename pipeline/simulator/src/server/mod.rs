//! The simulator on a socket: HTTP around [`Sim`], with a clock.
//!
//! The state is behind one lock that is never held across an await. A request is decided in
//! microseconds, and everything that takes time (delays, slow bodies) happens outside the lock.

mod connection;
mod deliver;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, State};
use axum::http::Response;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::api::request::{Method, Request};
use crate::config::Config;
use crate::organisation::account::Account;
use crate::sim::Sim;
use crate::time::SimTime;
use crate::time::clock::Clock;
use connection::{CuttableListener, Cutter};

/// Bodies are read up to this size; larger ones are refused by their announced length.
const LARGEST_BODY: usize = 8 << 20;

/// How long requests in progress may take when the server stops.
const GRACE: Duration = Duration::from_secs(2);

/// A running simulator.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use kustomer_sim::{Config, server::Server};
/// let server = Server::start(Config::default(), "127.0.0.1:0".parse().unwrap()).await.unwrap();
/// assert!(server.url().starts_with("http://127.0.0.1:"));
/// assert_eq!(server.account().requests.total, 0);
/// server.shutdown().await;
/// # });
/// ```
#[derive(Debug)]
pub struct Server {
    shared: Shared,
    address: SocketAddr,
    stop: CancellationToken,
    tasks: TaskTracker,
}

#[derive(Debug, Clone)]
struct Shared {
    sim: Arc<Mutex<Sim>>,
    clock: Clock,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Sim> {
        self.sim.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Server {
    /// Starts a simulator on the runtime of the caller. Port 0 picks a free one.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub async fn start(config: Config, listen: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let clock = Clock::start(config.time_scale);
        let mut sim = Sim::new(config);
        sim.advance(clock.now());
        let shared = Shared {
            sim: Arc::new(Mutex::new(sim)),
            clock,
        };
        let service = Router::new()
            .fallback(answer)
            .with_state(shared.clone())
            .into_make_service_with_connect_info::<Cutter>();
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        let tasks = TaskTracker::new();
        tasks.spawn(async move {
            let serving = axum::serve(CuttableListener::new(listener), service)
                .with_graceful_shutdown(stopped);
            // accepting goes on after errors of single connections, so there is nothing to report
            let _served = serving.await;
        });
        tasks.close();
        Ok(Self {
            shared,
            address,
            stop,
            tasks,
        })
    }

    /// The address it listens on.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The base URL, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The time on its clock.
    #[must_use]
    pub fn now(&self) -> SimTime {
        self.shared.clock.now()
    }

    /// What it has counted so far.
    #[must_use]
    pub fn account(&self) -> Account {
        self.with(|sim| sim.account())
    }

    /// Reads or changes the simulator at the present time of its clock. Requests wait meanwhile.
    pub fn with<T>(&self, look: impl FnOnce(&mut Sim) -> T) -> T {
        let mut sim = self.shared.lock();
        let now = self.shared.clock.now();
        sim.advance(now);
        look(&mut sim)
    }

    /// Stops listening, lets requests in progress end for up to two seconds, and returns.
    pub async fn shutdown(self) {
        self.stop.cancel();
        // what is still in progress after that is dropped with the runtime
        let _ended = tokio::time::timeout(GRACE, self.tasks.wait()).await;
    }
}

async fn answer(
    State(shared): State<Shared>,
    ConnectInfo(cutter): ConnectInfo<Cutter>,
    request: axum::extract::Request,
) -> Response<Body> {
    let request = received(request).await;
    let reply = {
        let mut sim = shared.lock();
        // read under the lock, so that requests are decided in the order of their times
        let now = shared.clock.now();
        sim.handle(now, &request)
    };
    deliver::deliver(reply, shared.clock, &cutter).await
}

async fn received(request: axum::extract::Request) -> Request {
    let (head, body) = request.into_parts();
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let mut received = Request::new(Method::named(head.method.as_str()), path);
    for name in ["authorization", "content-length", "accept"] {
        if let Some(value) = head.headers.get(name).and_then(|value| value.to_str().ok()) {
            received = received.with_header(name, value);
        }
    }
    match axum::body::to_bytes(body, LARGEST_BODY).await {
        Ok(bytes) => received.body = bytes,
        Err(_cause) => {
            let announced = received.body_len().max(LARGEST_BODY + 1);
            received
                .headers
                .retain(|(name, _)| name != "content-length");
            received = received.with_header("content-length", announced.to_string());
        }
    }
    received
}
