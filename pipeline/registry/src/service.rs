//! The task that fetches what is wanted, until the registry answers.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ingest_encoding::{Found, Schema, SchemaId, Schemas as _};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::client::RegistryClient;
use crate::failure::Failure;
use crate::store::{CacheLimit, Kept, Store};

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

/// Schemas that are named one by one in the status; all of them are asked for.
const NAMED: usize = 20;

/// What others have of a registry. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Handle {
    store: Arc<Store>,
    wishes: mpsc::Sender<Wish>,
    news: watch::Receiver<u64>,
    status: watch::Receiver<RegistryStatus>,
    interests: Arc<AtomicU64>,
}

/// One who waits for schemas. A schema is asked for as long as somebody waits for it.
#[derive(Debug)]
pub struct Interest {
    number: u64,
    wishes: mpsc::Sender<Wish>,
}

/// Somebody wants a schema, or does not want it any more.
#[derive(Debug, Clone, Copy)]
struct Wish {
    of: u64,
    id: SchemaId,
    wants: bool,
}

/// The task.
#[derive(Debug)]
pub struct Service {
    client: RegistryClient,
    store: Arc<Store>,
    wishes: mpsc::Receiver<Wish>,
    news: watch::Sender<u64>,
    status: watch::Sender<RegistryStatus>,
    wanted: HashMap<SchemaId, Wanted>,
    fetching: JoinSet<(SchemaId, Result<Arc<Schema>, Failure>)>,
    /// When trouble was logged last, and what it was.
    logged: Option<(Instant, Arc<str>)>,
}

/// How the registry is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RegistryStatus {
    /// Its address.
    pub place: Arc<str>,
    /// What is wrong with it, if it gives some schema not.
    pub trouble: Option<Trouble>,
    /// The schemas that it does not give, those first that are waited for longest, up to a few.
    pub failing: Vec<SchemaTrouble>,
    /// How many it does not give.
    pub failing_schemas: usize,
    /// Schemas that are wanted and not here.
    pub wanted: usize,
    /// What is kept.
    pub kept: Kept,
    /// Requests that were answered with a schema.
    pub fetched: u64,
    /// Ids that the registry does not have, or whose schema cannot be used.
    pub unusable: u64,
    /// Requests that failed and are made again.
    pub failed: u64,
}

/// What is wrong where a schema is not given; of a registry, that of the schema that is waited for longest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// Since when nothing was answered.
    pub since: Instant,
    /// The last failure.
    pub why: Arc<str>,
    /// How many there were in a row.
    pub failures: u64,
}

/// A schema that the registry does not give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaTrouble {
    /// The schema.
    pub id: SchemaId,
    /// Why it is not here.
    pub trouble: Trouble,
}

#[derive(Debug, Default)]
struct Wanted {
    /// Who waits for it.
    of: BTreeSet<u64>,
    /// Why it is not here, if it was asked for in vain.
    trouble: Option<Trouble>,
    /// It was asked for at once when another schema was given. That happens once: the registry may answer for others and never for it.
    hastened: bool,
    /// When the registry first said that it has none.
    denied: Option<Instant>,
    /// When it is asked for again; `None` while it is.
    due: Option<Instant>,
}

/// A registry: what others have of it, and the task that has to run.
#[must_use]
pub fn start(client: RegistryClient, cache: CacheLimit) -> (Handle, Service) {
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
        interests: Arc::default(),
    };
    let service = Service {
        client,
        store,
        wishes,
        news: tell,
        status: say,
        wanted: HashMap::new(),
        fetching: JoinSet::new(),
        logged: None,
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

    /// One more who may wait for schemas.
    #[must_use]
    pub fn interest(&self) -> Interest {
        Interest {
            number: self.interests.fetch_add(1, Ordering::Relaxed),
            wishes: self.wishes.clone(),
        }
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

// === impl Interest ===

impl Interest {
    /// Asks for a schema; [`Handle::news`] changes when it is here. `false` if the task has ended.
    pub async fn want(&self, id: SchemaId) -> bool {
        self.wish(id, true).await
    }

    /// Does not wait for a schema any longer. `false` if the task has ended.
    pub async fn leave(&self, id: SchemaId) -> bool {
        self.wish(id, false).await
    }

    async fn wish(&self, id: SchemaId, wants: bool) -> bool {
        let of = self.number;
        self.wishes.send(Wish { of, id, wants }).await.is_ok()
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
                    Some(wish) => self.wish(wish),
                    None => return,
                },
                () = tokio::time::sleep_until(wake), if due.is_some() && room => self.ask(),
            }
            self.tell();
        }
    }

    fn wish(&mut self, Wish { of, id, wants }: Wish) {
        if !wants {
            if let Some(wanted) = self.wanted.get_mut(&id) {
                wanted.of.remove(&of);
                if wanted.of.is_empty() {
                    self.wanted.remove(&id);
                }
            }
            return;
        }
        // it may have come while the wish was on its way
        if !matches!(self.store.find(id), Found::NotYet) {
            self.news.send_modify(|news| *news += 1);
            return;
        }
        let wanted = self.wanted.entry(id).or_insert_with(|| Wanted {
            due: Some(Instant::now()),
            ..Wanted::default()
        });
        wanted.of.insert(of);
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
                self.status.send_modify(|status| status.fetched += 1);
            }
            // A registry's follower may not have read yet what its leader has just registered.
            Err(Failure::Unknown(_)) if self.is_early(id) => return,
            Err(Failure::Unknown(why) | Failure::Unusable(why)) => {
                tracing::warn!(schema = %id, why, "a schema cannot be used: its records are dead letters");
                self.store.unusable(id, &why);
                self.status.send_modify(|status| status.unusable += 1);
            }
            Err(Failure::Down(why)) => return self.down(id, &why),
        }
        let answered = self.wanted.remove(&id);
        self.answered(answered.is_some_and(|one| one.trouble.is_some()));
        // whoever hears the news finds that the trouble is over
        self.tell();
        self.news.send_modify(|news| *news += 1);
    }

    /// Whether it is too early to believe that there is no such schema; then it is asked for again, if somebody waits for it still.
    fn is_early(&mut self, id: SchemaId) -> bool {
        let now = Instant::now();
        let Some(wanted) = self.wanted.get_mut(&id) else {
            return true;
        };
        wanted.trouble = None;
        let first = *wanted.denied.get_or_insert(now);
        if now >= first + BELIEVES_NONE {
            return false;
        }
        wanted.due = Some(now + BELIEVES_NONE / 3);
        true
    }

    /// The registry answers: what was asked for in vain is asked for again, once.
    fn answered(&mut self, was_failing: bool) {
        let now = Instant::now();
        for wanted in self.wanted.values_mut() {
            if wanted.trouble.is_some() && !std::mem::replace(&mut wanted.hastened, true) {
                wanted.due = wanted.due.map(|_| now);
            }
        }
        let fails = self.wanted.values().any(|one| one.trouble.is_some());
        if was_failing && !fails && self.logged.take().is_some() {
            tracing::info!("the schema registry answers again");
        }
    }

    fn down(&mut self, id: SchemaId, why: &str) {
        self.status.send_modify(|status| status.failed += 1);
        let now = Instant::now();
        let why: Arc<str> = Arc::from(why);
        // nobody waits for it any more
        let Some(wanted) = self.wanted.get_mut(&id) else {
            return;
        };
        let before = wanted.trouble.take();
        let failures = before.as_ref().map_or(0, |before| before.failures);
        let pause = FIRST_PAUSE.saturating_mul(1 << failures.min(10));
        wanted.due = Some(now + pause.min(LONGEST_PAUSE));
        wanted.hastened &= before.is_some();
        wanted.trouble = Some(Trouble {
            since: before.as_ref().map_or(now, |before| before.since),
            why: Arc::clone(&why),
            failures: failures + 1,
        });
        // what is said of one schema is compared with what was said of it before, or else each would be news after another
        let news = match (&before, &self.logged) {
            (_, None) => true,
            (Some(before), Some(_)) => before.why != why,
            (None, Some((_, logged))) => *logged != why,
        };
        let reminds = |(at, _): &(Instant, Arc<str>)| now >= *at + REMIND;
        if news || self.logged.as_ref().is_some_and(reminds) {
            let failing = self.wanted.values().filter(|one| one.trouble.is_some());
            tracing::warn!(
                registry = self.client.place(),
                why = &*why,
                schema = %id,
                schemas = failing.count(),
                "the schema registry gives no schema: partitions that need it wait; nothing is lost"
            );
            self.logged = Some((now, why));
        }
    }

    /// Tells how the registry is.
    fn tell(&mut self) {
        let troubles = self.wanted.iter().filter_map(|(id, wanted)| {
            let trouble = wanted.trouble.clone()?;
            Some(SchemaTrouble { id: *id, trouble })
        });
        let mut failing: Vec<SchemaTrouble> = troubles.collect();
        failing.sort_by_key(|one| (one.trouble.since, one.id));
        let failing_schemas = failing.len();
        failing.truncate(NAMED);
        if failing_schemas == 0 {
            // those who waited have left
            self.logged = None;
        }
        let (wanted, kept) = (self.wanted.len(), self.store.kept());
        self.status.send_if_modified(|status| {
            let next = RegistryStatus {
                trouble: failing.first().map(|first| first.trouble.clone()),
                failing,
                failing_schemas,
                wanted,
                kept,
                ..status.clone()
            };
            let changed = *status != next;
            *status = next;
            changed
        });
    }
}
