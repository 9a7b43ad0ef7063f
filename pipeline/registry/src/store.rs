//! The schemas that are known, up to a number.

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
    limit: usize,
}

#[derive(Debug)]
struct Entry {
    found: Found,
    /// When it is forgotten, if at all.
    until: Option<Instant>,
    used: AtomicU64,
}

// === impl Store ===

impl Store {
    /// An empty store for so many schemas.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            entries: RwLock::default(),
            uses: AtomicU64::new(0),
            limit: limit.max(1),
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

    /// How many are known.
    #[must_use]
    pub fn len(&self) -> usize {
        let entries = self.entries.read();
        entries.unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn put(&self, id: SchemaId, found: Found, until: Option<Instant>) {
        let used = self.uses.fetch_add(1, Ordering::Relaxed);
        let entries = self.entries.write();
        let mut entries = entries.unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= self.limit && !entries.contains_key(&id) {
            let oldest = entries
                .iter()
                .min_by_key(|(_, one)| one.used.load(Ordering::Relaxed))
                .map(|(id, _)| *id);
            if let Some(oldest) = oldest {
                entries.remove(&oldest);
            }
        }
        let entry = Entry {
            found,
            until,
            used: AtomicU64::new(used),
        };
        entries.insert(id, entry);
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
