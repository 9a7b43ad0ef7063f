//! The task that fetches what is wanted, until the registry answers.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ingest_encoding::{Found, Schema, SchemaId, Schemas as _};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::client::RegistryClient;
use crate::failure::Failure;
use crate::store::Store;

/// Wishes that wait for the task, which takes them at once.
const WISHES: usize = 256;
/// The first pause after a failure; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// How long a registry has to say that it has no such schema until it is believed.
const BELIEVES_NONE: Duration = Duration::from_secs(15);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// Requests at a time.
const AT_ONCE: usize = 4;
/// How often a registry that stays away is logged.
const REMIND: Duration = Duration::from_secs(60);

/// What threads that decode have of a registry. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Handle {
    store: Arc<Store>,
    wishes: mpsc::Sender<SchemaId>,
    news: watch::Receiver<u64>,
    status: watch::Receiver<RegistryStatus>,
}

/// The task.
#[derive(Debug)]
pub struct Service {
    client: RegistryClient,
    store: Arc<Store>,
    wishes: mpsc::Receiver<SchemaId>,
    news: watch::Sender<u64>,
    status: watch::Sender<RegistryStatus>,
    wanted: HashMap<SchemaId, Wanted>,
    fetching: JoinSet<(SchemaId, Result<Arc<Schema>, Failure>)>,
    reminded: Option<Instant>,
}

/// How the registry is.
#[derive(Debug, Clone, Default)]
pub struct RegistryStatus {
    /// Its address.
    pub place: Arc<str>,
    /// What is wrong with it, if anything is.
    pub trouble: Option<Trouble>,
    /// Schemas that are wanted and not here.
    pub wanted: usize,
    /// Schemas that are kept.
    pub kept: usize,
    /// Requests that were answered with a schema.
    pub fetched: u64,
    /// Ids that the registry does not have, or whose schema cannot be used.
    pub unusable: u64,
    /// Requests that failed and are made again.
    pub failed: u64,
}

/// What is wrong with a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// Since when nothing was answered.
    pub since: Instant,
    /// The last failure.
    pub why: Arc<str>,
    /// How many there were in a row.
    pub failures: u64,
}

#[derive(Debug, Default)]
struct Wanted {
    failures: u32,
    /// When the registry first said that it has none.
    denied: Option<Instant>,
    /// When it is asked for again; `None` while it is.
    due: Option<Instant>,
}

/// A registry: what threads have of it, and the task that has to run.
#[must_use]
pub fn start(client: RegistryClient, cache: usize) -> (Handle, Service) {
    let store = Arc::new(Store::new(cache));
    let (wish, wishes) = mpsc::channel(WISHES);
    let (tell, news) = watch::channel(0);
    let (say, status) = watch::channel(RegistryStatus {
        place: Arc::from(client.place()),
        ..RegistryStatus::default()
    });
    let handle = Handle {
        store: Arc::clone(&store),
        wishes: wish,
        news,
        status,
    };
    let service = Service {
        client,
        store,
        wishes,
        news: tell,
        status: say,
        wanted: HashMap::new(),
        fetching: JoinSet::new(),
        reminded: None,
    };
    (handle, service)
}

// === impl Handle ===

impl Handle {
    /// The schemas that are known.
    #[must_use]
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Asks for a schema; [`Handle::news`] changes when it is here. `false` if the task has ended.
    pub async fn want(&self, id: SchemaId) -> bool {
        self.wishes.send(id).await.is_ok()
    }

    /// Changes whenever more is known.
    #[must_use]
    pub fn news(&self) -> watch::Receiver<u64> {
        self.news.clone()
    }

    /// How the registry is.
    #[must_use]
    pub fn status(&self) -> RegistryStatus {
        self.status.borrow().clone()
    }
}

// === impl Service ===

impl Service {
    /// Runs until every handle is gone.
    pub async fn run(mut self) {
        loop {
            let due = self.wanted.values().filter_map(|one| one.due).min();
            let room = self.fetching.len() < AT_ONCE;
            let wake = due.unwrap_or_else(|| Instant::now() + LONGEST_PAUSE);
            tokio::select! { biased;
                Some(done) = self.fetching.join_next(), if !self.fetching.is_empty() => {
                    match done {
                        Ok((id, result)) => self.fetched(id, result),
                        // It ended without an answer: everything that is asked for is asked for again.
                        Err(_) => self.again(),
                    }
                }
                wish = self.wishes.recv() => match wish {
                    Some(id) => self.wish(id),
                    None => return,
                },
                () = tokio::time::sleep_until(wake), if due.is_some() && room => self.ask(),
            }
            let (wanted, kept) = (self.wanted.len(), self.store.len());
            self.status.send_if_modified(|status| {
                let changed = status.wanted != wanted || status.kept != kept;
                (status.wanted, status.kept) = (wanted, kept);
                changed
            });
        }
    }

    fn wish(&mut self, id: SchemaId) {
        // it may have come while the wish was on its way
        if !matches!(self.store.find(id), Found::NotYet) {
            self.news.send_modify(|news| *news += 1);
            return;
        }
        self.wanted.entry(id).or_insert_with(|| Wanted {
            failures: 0,
            denied: None,
            due: Some(Instant::now()),
        });
    }

    fn again(&mut self) {
        let at = Instant::now() + LONGEST_PAUSE;
        for wanted in self.wanted.values_mut() {
            wanted.due.get_or_insert(at);
        }
    }

    /// Asks for what is due.
    fn ask(&mut self) {
        let now = Instant::now();
        for (id, wanted) in &mut self.wanted {
            if self.fetching.len() >= AT_ONCE {
                return;
            }
            if wanted.due.is_some_and(|due| due <= now) {
                wanted.due = None;
                let (client, id) = (self.client.clone(), *id);
                self.fetching
                    .spawn(async move { (id, client.fetch(id).await) });
            }
        }
    }

    fn fetched(&mut self, id: SchemaId, result: Result<Arc<Schema>, Failure>) {
        match result {
            Ok(schema) => {
                self.store.known(id, schema);
                self.answered(|status| status.fetched += 1);
            }
            // A registry's follower may not have read yet what its leader has just registered.
            Err(Failure::Unknown(_)) if self.is_early(id) => return,
            Err(Failure::Unknown(why) | Failure::Unusable(why)) => {
                tracing::warn!(schema = %id, why, "a schema cannot be used: its records are dead letters");
                self.store.unusable(id, &why);
                self.answered(|status| status.unusable += 1);
            }
            Err(Failure::Down(why)) => return self.down(id, &why),
        }
        self.wanted.remove(&id);
        self.news.send_modify(|news| *news += 1);
    }

    /// Whether it is too early to believe that there is no such schema; then it is asked for again.
    fn is_early(&mut self, id: SchemaId) -> bool {
        let now = Instant::now();
        let Some(wanted) = self.wanted.get_mut(&id) else {
            return false;
        };
        let first = *wanted.denied.get_or_insert(now);
        if now >= first + BELIEVES_NONE {
            return false;
        }
        wanted.due = Some(now + BELIEVES_NONE / 3);
        true
    }

    /// The registry answers; what waits for it need not wait any longer.
    fn answered(&mut self, count: impl FnOnce(&mut RegistryStatus)) {
        let mut was_down = false;
        self.status.send_modify(|status| {
            was_down = status.trouble.take().is_some();
            count(status);
        });
        if was_down {
            tracing::info!("the schema registry answers again");
            self.reminded = None;
            let now = Instant::now();
            for wanted in self.wanted.values_mut() {
                wanted.due = wanted.due.map(|_| now);
            }
        }
    }

    fn down(&mut self, id: SchemaId, why: &str) {
        let now = Instant::now();
        if let Some(wanted) = self.wanted.get_mut(&id) {
            let pause = FIRST_PAUSE.saturating_mul(1 << wanted.failures.min(10));
            wanted.failures += 1;
            wanted.due = Some(now + pause.min(LONGEST_PAUSE));
        }
        let why: Arc<str> = Arc::from(why);
        let mut news = false;
        self.status.send_modify(|status| {
            status.failed += 1;
            let (since, failures) = match &status.trouble {
                Some(trouble) => {
                    news = trouble.why != why;
                    (trouble.since, trouble.failures)
                }
                None => {
                    news = true;
                    (now, 0)
                }
            };
            status.trouble = Some(Trouble {
                since,
                why: Arc::clone(&why),
                failures: failures + 1,
            });
        });
        if news || self.reminded.is_none_or(|at| now >= at + REMIND) {
            self.reminded = Some(now);
            tracing::warn!(
                registry = self.client.place(),
                why = &*why,
                schema = %id,
                "the schema registry gives no schema: partitions that need it wait; nothing is lost"
            );
        }
    }
}
