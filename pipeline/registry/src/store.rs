//! The schemas that are known, up to a number and a size.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use ingest_encoding::{Found, Schema, SchemaId, Schemas};
use tokio::time::Instant;

/// How long an id without a schema is believed to have none: whoever registers it late is read after that.
const FORGETS_NONE: Duration = Duration::from_secs(60);

/// Schemas by id. Threads look into it without waiting for the network.
#[derive(Debug)]
pub struct Store {
    entries: RwLock<HashMap<SchemaId, Entry>>,
    uses: AtomicU64,
    limit: CacheLimit,
}

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheLimit {
    /// The most schemas.
    pub schemas: usize,
    /// The most bytes of memory that they take, about. The schema that was fetched last is kept, however large it is.
    pub bytes: usize,
}

/// What is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Kept {
    /// Ids with their schemas, or that there is none.
    pub schemas: usize,
    /// The bytes of memory that they take, about.
    pub bytes: usize,
}

/// What an entry takes besides its schema, with a few words of why there is none.
const ENTRY: usize = 256;

#[derive(Debug)]
struct Entry {
    weight: usize,
    found: Found,
    /// When it is forgotten, if at all.
    until: Option<Instant>,
    used: AtomicU64,
}

// === impl CacheLimit ===

impl CacheLimit {
    /// So many schemas, and so many bytes.
    #[must_use]
    pub fn of(schemas: u64, bytes: u64) -> Self {
        let number = |of| usize::try_from(of).unwrap_or(usize::MAX);
        Self {
            schemas: number(schemas),
            bytes: number(bytes),
        }
    }
}

// === impl Store ===

impl Store {
    /// An empty store that keeps so much.
    #[must_use]
    pub fn new(limit: CacheLimit) -> Self {
        Self {
            entries: RwLock::default(),
            uses: AtomicU64::new(0),
            limit: CacheLimit {
                schemas: limit.schemas.max(1),
                ..limit
            },
        }
    }

    /// Keeps a schema.
    pub fn known(&self, id: SchemaId, schema: Arc<Schema>) {
        self.put(id, Found::Known(schema), None);
    }

    /// Keeps for a while that there is none, and why.
    pub fn unusable(&self, id: SchemaId, why: &str) {
        let until = Instant::now() + FORGETS_NONE;
        self.put(id, Found::Unusable(Arc::from(why)), Some(until));
    }

    /// What is kept.
    #[must_use]
    pub fn kept(&self) -> Kept {
        let entries = self.entries.read();
        kept(&entries.unwrap_or_else(PoisonError::into_inner))
    }

    fn put(&self, id: SchemaId, found: Found, until: Option<Instant>) {
        let used = self.uses.fetch_add(1, Ordering::Relaxed);
        let weight = ENTRY
            + match &found {
                Found::Known(schema) => schema.weight(),
                Found::Unusable(why) => why.len(),
                Found::NotYet => 0,
            };
        let entries = self.entries.write();
        let mut entries = entries.unwrap_or_else(PoisonError::into_inner);
        entries.remove(&id);
        let mut has = kept(&entries);
        // The one that was used last stays beside the new one: a record may need one for its key and one for its value.
        while entries.len() > 1
            && (has.schemas >= self.limit.schemas
                || has.bytes.saturating_add(weight) > self.limit.bytes)
        {
            let oldest = entries
                .iter()
                .min_by_key(|(_, one)| one.used.load(Ordering::Relaxed))
                .map(|(id, _)| *id);
            if let Some(gone) = oldest.and_then(|oldest| entries.remove(&oldest)) {
                has.schemas -= 1;
                has.bytes = has.bytes.saturating_sub(gone.weight);
            }
        }
        let entry = Entry {
            weight,
            found,
            until,
            used: AtomicU64::new(used),
        };
        entries.insert(id, entry);
    }
}

fn kept(entries: &HashMap<SchemaId, Entry>) -> Kept {
    Kept {
        schemas: entries.len(),
        bytes: entries.values().map(|one| one.weight).sum(),
    }
}

impl Schemas for Store {
    fn find(&self, id: SchemaId) -> Found {
        let entries = self.entries.read();
        let entries = entries.unwrap_or_else(PoisonError::into_inner);
        match entries.get(&id) {
            Some(entry) if entry.until.is_none_or(|until| Instant::now() < until) => {
                let used = self.uses.fetch_add(1, Ordering::Relaxed);
                entry.used.store(used, Ordering::Relaxed);
                entry.found.clone()
            }
            Some(_) | None => Found::NotYet,
        }
    }
}
