//! Objects that are written: what is known of them, what has happened to each write, and what it may do next.

pub(crate) mod cache;
pub(crate) mod coalesce;
pub(crate) mod companies;
pub(crate) mod creates;
pub(crate) mod decide;
pub(crate) mod history;
pub(crate) mod quarantine;
pub(crate) mod revisions;
pub(crate) mod sessions;
pub(crate) mod standing;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::cache::ObjectCache;
use self::companies::Companies;
use self::creates::Creates;
use self::history::Histories;
use self::quarantine::Quarantine;
use self::revisions::Revisions;
use self::sessions::Sessions;
use crate::seam::beliefs::Beliefs;
use ingest_model::batch::OperationId;
use ingest_model::known::KnownObject;
use ingest_model::operation::{Klass, KlassKind};

/// Bounds of what is known of objects.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ObjectSettings {
    /// How many objects are remembered.
    pub(crate) capacity: usize,
    /// Bytes of which states of sessions have a part.
    pub(crate) budget: u64,
    /// How many objects of a customer the API allows to be created in a minute.
    pub(crate) creates_per_customer: u32,
    /// What was found out beforehand.
    pub(crate) beliefs: Beliefs,
    /// The API's minute.
    pub(crate) minute: Duration,
}

/// What is known of objects and of their writes. Each part has its own verbs.
#[derive(Debug)]
pub(crate) struct Objects {
    pub(crate) cache: ObjectCache,
    pub(crate) histories: Histories,
    pub(crate) revisions: Revisions,
    pub(crate) quarantine: Quarantine,
    pub(crate) sessions: Sessions,
    pub(crate) creates: Creates,
    pub(crate) companies: Companies,
    /// Klasses in which the API refused a second object with the same external id.
    duplicates_refused: BTreeSet<Klass>,
    /// It is believed to do so in all of them.
    refuses_duplicates: bool,
    /// Items carry references, which the answers of bulk requests repeat.
    with_refs: bool,
    /// This replica owns every partition, so nobody else writes what it writes.
    alone: bool,
}

impl Objects {
    /// Nothing is known yet.
    pub(crate) fn new(settings: ObjectSettings) -> Self {
        let ObjectSettings {
            capacity,
            budget,
            beliefs,
            ..
        } = settings;
        Self {
            cache: ObjectCache::new(capacity),
            histories: Histories::default(),
            revisions: Revisions::believing(beliefs),
            quarantine: Quarantine::default(),
            sessions: Sessions::within(budget),
            creates: Creates::new(settings.creates_per_customer, settings.minute)
                .believing(beliefs.counts_creates),
            companies: Companies::new(settings.minute),
            duplicates_refused: BTreeSet::new(),
            refuses_duplicates: beliefs.refuses_duplicates,
            with_refs: !beliefs.refuses_references,
            alone: false,
        }
    }

    /// A digest is its lane's head: until when it waits for more events, from the first time on.
    pub(crate) fn gathers_until(
        &mut self,
        now: Instant,
        id: OperationId,
        patience: Duration,
    ) -> Instant {
        let until = self.sessions.ends(now, patience);
        self.histories.gathers_until(id, until)
    }

    /// Whether a digest adds to something else than what its object has by now.
    pub(crate) fn is_outdated(&self, id: OperationId) -> bool {
        let history = self.histories.of(id);
        let known = self.cache.peek(history.object_hash());
        let known = known.filter(|known| !known.gone);
        let adds_to = history.base().map(|base| base.version());
        history.is_digest() && known.is_some_and(|known| known.version != adds_to)
    }

    /// The bytes that the caches occupy, about.
    pub(crate) fn bytes(&self) -> usize {
        self.cache.bytes() + self.sessions.bytes() + self.creates.bytes()
    }

    /// The API refused a second object with the same external id.
    pub(crate) fn note_duplicate(&mut self, klass: &Klass) {
        self.duplicates_refused.insert(klass.clone());
    }

    /// Whether the API is known, or believed, to refuse a second object with the same external id.
    pub(crate) fn refuses_duplicates(&self, klass: &Klass) -> bool {
        let believed = self.refuses_duplicates && klass.kind() == KlassKind::Objects;
        believed || self.duplicates_refused.contains(klass)
    }

    /// An object was found by its external id. Another one than that which is known was made by somebody else after that one had
    /// gone, or beside it: to believe that this cannot be would be careless.
    pub(crate) fn note_found(&mut self, before: Option<&KnownObject>, id: &Arc<str>) {
        let known = before
            .filter(|one| !one.gone)
            .and_then(|one| one.id.as_ref());
        self.refuses_duplicates &= known.is_none_or(|known| known == id);
    }

    /// Whether items of bulk requests carry references.
    pub(crate) fn are_named(&self) -> bool {
        self.with_refs
    }

    /// The API refuses references of items. `true` if they were used until now.
    pub(crate) fn name_no_more(&mut self) -> bool {
        std::mem::take(&mut self.with_refs)
    }

    /// Whether nobody else writes what this replica writes.
    pub(crate) fn is_alone(&self) -> bool {
        self.alone
    }

    /// Notes whether other replicas may write the same objects. When the last one leaves, all that is known becomes doubtful.
    pub(crate) fn note_company(&mut self, alone: bool) {
        if alone && !self.alone {
            self.cache.doubt_all();
        }
        self.alone = alone;
    }
}
