//! Metrics: one catalog, one typed method for each thing that happens, and the only use of the `prometheus` crate.
//!
//! Counters with closed labels exist from the start at 0, so that a first occurrence is a change and not a new series.
//! The series of a partition end when the partition is handed back. What the machine reports arrives as facts and
//! snapshots ([`Metrics::observe`], [`Metrics::observe_snapshot`]); everything else has its own method.

mod by_hand;
pub mod catalog;
mod facts;
pub mod labels;

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use ingest_kafka::{CommitFailureKind, SourceErrorKind, Statistics};
use ingest_mapping::event::Notes;
use ingest_model::record::{Topic, TopicPartition};
use prometheus::{GaugeVec, Histogram, IntCounter, Registry, TextEncoder};

use self::catalog::Families;
use self::labels::{
    ACCEPTED, AdminAction, AdminResult, BEGUN_AT_END, BEGUN_AT_START, EMITTED, Fallback, KeyResult,
    REJECTED, ReceiptResult, RecordingCause, Renewal, SKIPPED, SpanLoss,
};
use crate::observe::account::Figures;
use crate::observe::breaks::Cause;
use crate::observe::pace::{Drain, DrainState, WithArrivals};
use crate::observe::retention::Outlook;

/// All metrics of the process; cheap to clone.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Registry,
    families: Families,
    usual: Usual,
    /// State kept between two snapshots. The lock is held for a few assignments, never across an await.
    last: Arc<Mutex<Last>>,
}

/// The series that every delivered record counts in: they are looked up once. A histogram exists from its first value on.
#[derive(Debug, Clone)]
struct Usual {
    confirmed: IntCounter,
    since_event: OnceLock<Histogram>,
    since_record: OnceLock<Histogram>,
}

/// The part of the last snapshot that is compared with the next one.
#[derive(Debug, Default)]
struct Last {
    partitions: HashSet<TopicPartition>,
    holds: HashSet<(&'static str, &'static str)>,
    hits: u64,
    misses: u64,
}

impl Metrics {
    /// Metrics at the start: counters at 0, gauges absent until they are known.
    #[must_use]
    pub fn new() -> Self {
        let registry = Registry::new();
        #[expect(
            clippy::expect_used,
            reason = "fails only if the catalog is wrong, which a test would show"
        )]
        let families =
            Families::register(&registry).expect("the catalog has legal and unique names");
        let usual = Usual {
            confirmed: families.records_confirmed.with_label_values(NONE),
            since_event: OnceLock::new(),
            since_record: OnceLock::new(),
        };
        let metrics = Self {
            registry,
            families,
            usual,
            last: Arc::default(),
        };
        metrics.start_series();
        metrics
            .families
            .build_info
            .with_label_values(&[env!("CARGO_PKG_VERSION")])
            .set(1.0);
        metrics
    }

    /// The text for `GET /metrics`.
    #[must_use]
    pub fn render(&self) -> String {
        // Encoding fails only for a metric without a name or type, and the catalog has none.
        TextEncoder::new()
            .encode_to_string(&self.registry.gather())
            .unwrap_or_default()
    }

    /// Sets the counters of the input topics to 0, so that a first dead letter is a change.
    pub fn topics<'t>(&self, topics: impl IntoIterator<Item = &'t Topic>) {
        let topics: Vec<&str> = topics.into_iter().map(Topic::as_str).collect();
        self.families.start_counters(&topics);
    }

    /// Sets the counters of the optional fields of a topic's mapping to 0, so that the first one left out is a change.
    pub fn optional_fields(&self, topic: &Topic, fields: &[(Arc<str>, String)]) {
        for (route, field) in fields {
            self.families
                .fields_dropped
                .with_label_values(&[topic.as_str(), route, field])
                .inc_by(0);
        }
    }

    /// Sets when the process started, milliseconds since 1970.
    pub fn started(&self, unix_ms: i64) {
        #[expect(
            clippy::cast_precision_loss,
            reason = "milliseconds since 1970 fit a double"
        )]
        self.families
            .start_time
            .with_label_values(NONE)
            .set(unix_ms as f64 / 1000.0);
    }

    /// A record was taken from Kafka.
    pub fn records_read(&self, topic: &Topic, records: u64) {
        self.families
            .records_read
            .with_label_values(&[topic.as_str()])
            .inc_by(records);
    }

    /// Counts what a record of that topic says but could not be used.
    pub fn noted(&self, topic: &Topic, notes: &Notes) {
        for (kind, why) in notes.unused_kinds() {
            let labels = [topic.as_str(), kind.as_str(), why.as_str()];
            self.families.keys_unused.with_label_values(&labels).inc();
        }
        let events = notes.events();
        for (verdict, count) in [
            (EMITTED, events.emitted),
            (SKIPPED, events.skipped),
            (REJECTED, events.rejected),
        ] {
            if count > 0 {
                let labels = [topic.as_str(), verdict];
                let counter = self.families.batch_events.with_label_values(&labels);
                counter.inc_by(count);
            }
        }
        if let Some((_, why)) = notes.bad_time() {
            self.families
                .bad_times
                .with_label_values(&[topic.as_str(), why.as_str()])
                .inc();
        }
    }

    /// A commit was answered.
    pub fn committed(&self, result: Result<(), CommitFailureKind>) {
        let label = result.map_or_else(CommitFailureKind::as_str, |()| ACCEPTED);
        self.families.commits.with_label_values(&[label]).inc();
    }

    /// The Kafka client reported an error that it handles by itself; `suppressed` more of its kind were not reported.
    pub fn source_error(&self, kind: SourceErrorKind, suppressed: u64) {
        let counter = self
            .families
            .source_errors
            .with_label_values(&[kind.as_str()]);
        counter.inc_by(suppressed.saturating_add(1));
    }

    /// Somebody wanted to change something.
    pub fn by_hand(&self, action: AdminAction, result: AdminResult) {
        let labels = [action.as_str(), result.as_str()];
        self.families.by_hand.with_label_values(&labels).inc();
    }

    /// Something became of receipts.
    pub fn receipts(&self, result: ReceiptResult, receipts: u64) {
        let label = [result.as_str()];
        let counter = self.families.receipts.with_label_values(&label);
        counter.inc_by(receipts);
    }

    /// So many partitions have records that do not come.
    pub fn stalled(&self, partitions: usize) {
        let count = u32::try_from(partitions).unwrap_or(u32::MAX);
        let gauge = self.families.stalled.with_label_values(NONE);
        gauge.set(f64::from(count));
    }

    /// Whether something is wrong with the API key.
    pub fn key_problem(&self, is_wrong: bool) {
        let gauge = self.families.key_problem.with_label_values(NONE);
        gauge.set(f64::from(u8::from(is_wrong)));
    }

    /// Whether spans do not arrive.
    pub fn spans_failing(&self, failing: bool) {
        let gauge = self.families.spans_failing.with_label_values(NONE);
        gauge.set(f64::from(u8::from(failing)));
    }

    /// So many spans arrived.
    pub fn spans_exported(&self, spans: usize) {
        let counter = self.families.spans_exported.with_label_values(NONE);
        counter.inc_by(u64::try_from(spans).unwrap_or(u64::MAX));
    }

    /// So many are lost.
    pub fn spans_lost(&self, why: SpanLoss, spans: usize) {
        let counter = &self.families.spans_lost.with_label_values(&[why.as_str()]);
        counter.inc_by(u64::try_from(spans).unwrap_or(u64::MAX));
    }

    /// So many keys are on the list of people of whom nothing is sent.
    pub fn suppressed(&self, keys: usize) {
        let count = u32::try_from(keys).unwrap_or(u32::MAX);
        let gauge = self.families.suppressed_keys.with_label_values(NONE);
        gauge.set(f64::from(count));
    }

    /// Whether something is wrong with that list.
    pub fn suppressed_problem(&self, is_wrong: bool) {
        let gauge = self.families.suppressed_problem.with_label_values(NONE);
        gauge.set(f64::from(u8::from(is_wrong)));
    }

    /// Something became of an API key.
    pub fn key(&self, result: KeyResult) {
        let label = [result.as_str()];
        self.families.key_changes.with_label_values(&label).inc();
    }

    /// The API is asked about a key, which costs a unit of the quota.
    pub fn key_asked(&self) {
        let spent = &self.families.quota_spent;
        spent.with_label_values(&[labels::KEY]).inc();
    }

    /// Credentials for the brokers had changed.
    pub fn credentials_renewed(&self, outcome: Renewal) {
        let counter = &self.families.credentials_renewed;
        counter.with_label_values(&[outcome.as_str()]).inc();
    }

    /// The reading of a partition did not continue at its position.
    pub fn broke(&self, topic: &Topic, cause: Cause) {
        let topic = topic.as_str();
        let begun = &self.families.begun;
        match cause {
            Cause::NewLife(cause, _) => {
                let labels = [topic, cause.as_str()];
                self.families.lives.with_label_values(&labels).inc();
            }
            Cause::ReadFromStart(_) => begun.with_label_values(&[topic, BEGUN_AT_START]).inc(),
            Cause::PassedOver(_) => begun.with_label_values(&[topic, BEGUN_AT_END]).inc(),
            Cause::Vanished(..)
            | Cause::PositionBelow(_)
            | Cause::DeletedUnread(_)
            | Cause::LeftInHand(_) => {}
        }
        let vanished = self.families.vanished.with_label_values(&[topic]);
        vanished.inc_by(cause.vanished());
    }

    /// The last steps were written to a file.
    pub fn recording_written(&self, cause: RecordingCause) {
        let labels = [cause.as_str()];
        self.families.recordings.with_label_values(&labels).inc();
    }

    /// Offsets as the brokers see them.
    pub fn observe_statistics(&self, statistics: &Statistics) {
        let owned = self.last().partitions.clone();
        for partition in &statistics.partitions {
            let Some(lag) = partition.lag else { continue };
            // A partition that was handed back is still listed for a while, but its series has ended.
            if !owned.contains(&partition.partition) {
                continue;
            }
            let number = partition.partition.partition.0.to_string();
            let labels = [partition.partition.topic.as_str(), number.as_str()];
            self.families
                .partition_lag
                .with_label_values(&labels)
                .set(whole(lag));
        }
        self.families
            .prefetched_records
            .with_label_values(NONE)
            .set(whole(statistics.prefetched_records));
        self.families
            .prefetched_bytes
            .with_label_values(NONE)
            .set(whole(statistics.prefetched_bytes));
    }

    /// When the backlog will be gone, and the state of the backlog.
    pub fn drain(&self, drain: Drain) {
        let f = &self.families;
        optional(&f.drain_estimate, drain.left.map(|left| left.as_secs_f64()));
        let with_arrivals = match drain.with_arrivals {
            WithArrivals::Gone(left) => Some(left.as_secs_f64()),
            WithArrivals::NotKnown | WithArrivals::Never { .. } => None,
        };
        optional(&f.drain_with_arrivals, with_arrivals);
        let never = matches!(drain.with_arrivals, WithArrivals::Never { .. });
        let gauge = f.drain_never.with_label_values(NONE);
        gauge.set(f64::from(u8::from(never)));
        for state in DrainState::ALL {
            let gauge = f.drain_state.with_label_values(&[state.as_str()]);
            gauge.set(f64::from(u8::from(state == drain.state)));
        }
    }

    /// When unsettled records will be deleted; topics that are not owned any more have no figures.
    pub(crate) fn outlooks(&self, outlooks: &[Outlook], before: &[Outlook]) {
        let f = &self.families;
        let gauges = [&f.oldest_unsettled, &f.retention_left, &f.deleted_unsettled];
        let gone = |known: &&Outlook| !outlooks.iter().any(|one| one.topic == known.topic);
        let gone = before.iter().filter(gone).map(|one| (one, [None; 3]));
        let present = outlooks.iter().map(|one| {
            let nothing = one.partition.is_none();
            let oldest = one
                .oldest_unsettled_seconds
                .or_else(|| nothing.then_some(0));
            let left = one
                .left_seconds
                .or_else(|| one.retention_seconds.filter(|_| nothing));
            (one, [oldest, left, one.deleted_unsettled_in_seconds])
        });
        for (one, values) in gone.chain(present) {
            let label = [one.topic.as_str()];
            for (gauge, value) in gauges.iter().zip(values) {
                match value {
                    Some(value) => gauge.with_label_values(&label).set(whole(value)),
                    None => drop(gauge.remove_label_values(&label)),
                }
            }
        }
    }

    /// What requests bring.
    pub fn account(&self, figures: &Figures) {
        let f = &self.families;
        optional(&f.records_per_request, figures.records_per_request);
        optional(&f.allowance_used, figures.used);
        optional(&f.quota_used, figures.fleet_used);
    }

    fn fallback(&self, fallback: Fallback, begins: bool) {
        self.families
            .fallbacks
            .with_label_values(&[fallback.as_str()])
            .set(f64::from(u8::from(begins)));
    }

    /// Sets every counter and every fallback to 0. Counters by topic begin with [`Metrics::topics`].
    fn start_series(&self) {
        self.families.start_counters(&[]);
        self.families
            .quota_freeze_seconds
            .with_label_values(NONE)
            .inc_by(0.0);
        for fallback in Fallback::ALL {
            let labels = [fallback.as_str()];
            self.families.fallbacks.with_label_values(&labels).set(0.0);
        }
    }

    fn last(&self) -> std::sync::MutexGuard<'_, Last> {
        // The data behind the lock is valid after every assignment.
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// The labels of a metric that has none.
const NONE: &[&str] = &[];

/// A count as the value of a gauge.
#[expect(
    clippy::cast_precision_loss,
    reason = "exact up to 2^53, which no count here reaches"
)]
fn whole(count: u64) -> f64 {
    count as f64
}

/// Sets a gauge, or takes it away while its value is not known.
fn optional(gauge: &GaugeVec, value: Option<f64>) {
    match value {
        Some(value) => gauge.with_label_values(NONE).set(value),
        None => drop(gauge.remove_label_values(NONE)),
    }
}
