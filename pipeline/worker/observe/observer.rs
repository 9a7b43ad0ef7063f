//! Turns the machine's facts into metrics, log lines, and a tally for people.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use ingest_delivery::fact::{Fact, Settlement};
use ingest_delivery::machine::Snapshot;
use ingest_kafka::{CommitFailureKind, SourceError, Statistics};
use ingest_mapping::event::Notes;
use ingest_model::call::Class;
use ingest_model::outcome::{HeldBy, HoldCause, Rejection, SkipReason};
use ingest_model::record::{Topic, TopicPartition};
use ingest_model::trouble::Seen;
use ingest_registry::RegistryStatus;
use ingest_traces::Told;

use super::advice::Places;
use super::breaks::{Breaks, Cause};
use super::metrics::Metrics;
use super::metrics::labels::{Renewal, SpanLoss};
use super::retention::Outlook;
use super::watchdog::Stalled;
use crate::clock::Clock;

/// Where facts go; cheap to clone.
#[derive(Debug, Clone)]
pub struct Observer {
    metrics: Metrics,
    /// Changed only by the pump's task: others just read it.
    tally: Arc<Mutex<Tally>>,
    breaks: Arc<Mutex<Breaks>>,
    /// The names that advice mentions.
    places: Arc<Places>,
}

/// What has happened since the start, in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Records that came in.
    pub records_in: u64,
    /// Records that Kustomer has confirmed.
    pub delivered: u64,
    /// Records skipped, by reason.
    pub skipped: BTreeMap<SkipReason, u64>,
    /// Records on the dead-letter topic, by reason.
    pub dead_lettered: BTreeMap<Rejection, u64>,
    /// Records on the hold topic, by what kept them back.
    pub diverted: BTreeMap<HeldBy, u64>,
    /// Requests, by class.
    pub units: BTreeMap<Class, u64>,
    /// Bulk requests and the operations in them.
    pub bulk: (u64, u64),
    /// How often the organisation's limit was hit.
    pub freezes: u64,
    /// Operations sent again although they may have arrived.
    pub possible_repeats: u64,
    /// Invariants broken; anything above 0 is a bug in the program.
    pub broken: u64,
}

impl Observer {
    /// An observer that counts into these metrics.
    #[must_use]
    pub fn new(metrics: Metrics) -> Self {
        Self {
            metrics,
            tally: Arc::default(),
            breaks: Arc::default(),
            places: Arc::default(),
        }
    }

    /// The same, with these names in its log lines.
    #[must_use]
    pub fn naming(self, places: Places) -> Self {
        Self {
            places: Arc::new(places),
            ..self
        }
    }

    pub(crate) fn places(&self) -> Arc<Places> {
        Arc::clone(&self.places)
    }

    /// The metrics.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// The tally as it is now.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.tally
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Where reading did not continue at its position.
    #[must_use]
    pub fn breaks(&self) -> Breaks {
        let breaks = self.breaks.lock();
        breaks.unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn broke(&self, partition: &TopicPartition, cause: Cause) {
        cause.log(partition);
        self.metrics.broke(&partition.topic, cause);
        let breaks = self.breaks.lock();
        breaks
            .unwrap_or_else(PoisonError::into_inner)
            .add(Clock.unix_ms(), partition, cause);
    }

    /// Partitions whose records do not come; `new` if there were none before.
    pub(crate) fn stalled(&self, stalled: &[Stalled], new: bool) {
        self.metrics.stalled(stalled.len());
        for one in stalled.iter().filter(|_| new) {
            tracing::error!(
                partition = %one.partition,
                unread = one.unread,
                seconds = one.since.as_secs(),
                "records are there and none is read, although nothing keeps them back; /live fails, so that the process is restarted"
            );
        }
    }

    /// When unsettled records will be deleted; `before` is what was said last.
    pub(crate) fn outlooks(&self, outlooks: &[Outlook], before: &[Outlook]) {
        self.metrics.outlooks(outlooks, before);
        for one in outlooks {
            let known = before.iter().find(|known| known.topic == one.topic);
            let begins = |is: fn(&Outlook) -> bool| is(one) && !known.is_some_and(is);
            if begins(Outlook::is_lost_soon) {
                tracing::error!(
                    topic = one.topic,
                    partition = one.partition,
                    seconds = one.deleted_unsettled_in_seconds,
                    "records will be deleted before they are delivered: raise the topic's retention, and end what keeps the backlog"
                );
            }
            if begins(Outlook::is_old) {
                tracing::error!(
                    topic = one.topic,
                    partition = one.partition,
                    oldest_unsettled_seconds = one.oldest_unsettled_seconds,
                    left_seconds = one.left_seconds,
                    "the oldest record that is not settled has used three quarters of its time: raise the topic's retention, or end what keeps the backlog"
                );
            }
        }
    }

    pub(crate) fn records_in(&self, topic: &Topic, records: u64) {
        self.metrics.records_read(topic, records);
        self.change(|tally| tally.records_in += records);
    }

    pub(crate) fn noted(&self, topic: &Topic, notes: &Notes) {
        self.metrics.noted(topic, notes);
    }

    pub(crate) fn committed(&self, result: Result<(), CommitFailureKind>) {
        self.metrics.committed(result);
    }

    pub(crate) fn source_error(&self, error: &SourceError) {
        let what_to_do = self.places.for_source(error.kind, &error.detail);
        tracing::warn!(kind = error.kind.as_str(), detail = %error.detail, what_to_do, "Kafka");
        self.metrics.source_error(error.kind, error.suppressed);
    }

    pub(crate) fn credentials_renewed(&self, outcome: Renewal) {
        self.metrics.credentials_renewed(outcome);
    }

    pub(crate) fn statistics(&self, statistics: &Statistics) {
        self.metrics.observe_statistics(statistics);
    }

    pub(crate) fn snapshot(&self, snapshot: &Snapshot, at: Instant) {
        self.metrics.observe_snapshot(snapshot, at);
    }

    /// What became of spans.
    pub(crate) fn spans(&self, told: &Told) {
        match told {
            Told::Exported(spans) => self.metrics.spans_exported(*spans),
            Told::Dropped(why, spans) => self.metrics.spans_lost(SpanLoss::Export(*why), *spans),
            Told::Failing(error) => {
                self.metrics.spans_failing(true);
                tracing::warn!(%error, "spans do not arrive at the collector; deliveries go on: see tracing.endpoint");
            }
            Told::Recovered => {
                self.metrics.spans_failing(false);
                tracing::info!("spans arrive at the collector again");
            }
        }
    }

    /// The progress of a restore, in offsets of the state topic.
    pub(crate) fn restoring(&self, read: u64, total: u64) {
        self.metrics.observe_restore(read, total);
    }

    pub(crate) fn registry(&self, status: &RegistryStatus) {
        self.metrics.observe_registry(status);
    }

    /// A fact of the wall clock's `now_ms`.
    pub(crate) fn fact(&self, fact: &Fact, now_ms: i64) {
        self.metrics.observe(fact, now_ms);
        self.count(fact);
        log(fact, &self.places);
    }

    fn count(&self, fact: &Fact) {
        match fact {
            Fact::Settled {
                settlement,
                records,
                ..
            } => self.change(|tally| {
                let count = match settlement {
                    Settlement::Delivered => &mut tally.delivered,
                    Settlement::Skipped(reason) => tally.skipped.entry(*reason).or_default(),
                    Settlement::DeadLettered(reason) => {
                        tally.dead_lettered.entry(*reason).or_default()
                    }
                    Settlement::Diverted(by) => tally.diverted.entry(*by).or_default(),
                };
                *count += records;
            }),
            Fact::Sent {
                class,
                operations,
                bulk,
            } => self.change(|tally| {
                *tally.units.entry(*class).or_default() += 1;
                if *bulk {
                    tally.bulk.0 += 1;
                    tally.bulk.1 += u64::try_from(*operations).unwrap_or(u64::MAX);
                }
            }),
            Fact::LifeBegan {
                partition,
                from,
                cause,
            } => self.broke(partition, Cause::NewLife(*cause, *from)),
            Fact::Vanished {
                partition,
                gap,
                records,
            } => self.broke(partition, Cause::Vanished(*gap, *records)),
            Fact::LifeCut { partition, records } => {
                self.broke(partition, Cause::LeftInHand(*records));
            }
            Fact::Frozen { .. } => self.change(|tally| tally.freezes += 1),
            Fact::PossibleRepeat { .. } => self.change(|tally| tally.possible_repeats += 1),
            Fact::Broken(_) => self.change(|tally| tally.broken += 1),
            Fact::Stalled { .. }
            | Fact::FieldDropped { .. }
            | Fact::Answered { .. }
            | Fact::Retried { .. }
            | Fact::JobDone { .. }
            | Fact::JobAbandoned
            | Fact::HoldBegan { .. }
            | Fact::HoldGoesOn { .. }
            | Fact::HoldEnded { .. }
            | Fact::PartitionWaits { .. }
            | Fact::Resolved { .. }
            | Fact::Saved { .. }
            | Fact::SearchOff
            | Fact::KeyReplaced
            | Fact::RefsOff
            | Fact::LockOff
            | Fact::CompanyMissing
            | Fact::Conflict
            | Fact::MetadataRestored { .. }
            | Fact::MetadataIgnored { .. }
            | Fact::MetadataCut
            | Fact::StateWritten { .. }
            | Fact::StateFailed
            | Fact::StateRestored { .. }
            | Fact::Inherited { .. }
            | Fact::Slept { .. }
            | Fact::LockIgnored
            | Fact::DrainCut { .. } => {}
        }
    }

    fn change(&self, change: impl FnOnce(&mut Tally)) {
        change(&mut self.tally.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Tally {
    /// All requests.
    #[must_use]
    pub fn units_total(&self) -> u64 {
        self.units.values().sum()
    }

    /// Records whose result is known.
    #[must_use]
    pub fn settled(&self) -> u64 {
        self.delivered
            + self.skipped.values().sum::<u64>()
            + self.dead_lettered.values().sum::<u64>()
            + self.diverted.values().sum::<u64>()
    }
}

/// What went wrong last, in words; empty if nobody said so.
fn last_of(seen: &Seen) -> String {
    let last = seen.last.as_ref();
    last.map(|(_, trouble)| trouble.to_string())
        .unwrap_or_default()
}

/// What to do about a hold, as in `/ready`.
fn way_out(places: &Places, cause: HoldCause, seen: &Seen) -> Cow<'static, str> {
    let last = seen.last.as_ref();
    places.way_out(cause, last.map(|(_, trouble)| trouble))
}

/// Logs what is worth a line: rare things on which a person may have to act.
fn log(fact: &Fact, places: &Places) {
    match fact {
        Fact::HoldBegan { scope, cause, .. } if *cause == HoldCause::Paused => {
            tracing::info!(%scope, "paused as planned: nothing is lost, this work waits");
        }
        Fact::HoldBegan { scope, cause, seen } => {
            let (errors, last) = (seen.times, last_of(seen));
            let what_to_do = way_out(places, *cause, seen);
            tracing::error!(%scope, cause = cause.as_str(), errors, last_error = last, %what_to_do, "on hold: nothing is lost, this work waits");
        }
        Fact::HoldGoesOn {
            scope,
            cause,
            seen,
            next,
        } => {
            let (errors, last) = (seen.times, last_of(seen));
            let next = next.map(|next| next.as_secs());
            let what_to_do = way_out(places, *cause, seen);
            tracing::warn!(%scope, cause = cause.as_str(), errors, last_error = last, next_try_seconds = next, %what_to_do, "still on hold");
        }
        Fact::HoldEnded { scope, cause } if *cause == HoldCause::Paused => {
            tracing::info!(%scope, "the planned pause is over");
        }
        Fact::HoldEnded { scope, cause } => {
            tracing::info!(%scope, cause = cause.as_str(), "the hold is over");
        }
        Fact::PartitionWaits { partition, why } => {
            tracing::warn!(%partition, %why, "waiting: the partition is paused");
        }
        Fact::Frozen { wait } => {
            tracing::warn!(
                wait_ms = wait.as_millis(),
                "the organisation's request limit is used up; waiting"
            );
        }
        Fact::SearchOff => tracing::warn!(
            "customer search is of no use with this key; customers are looked up one by one"
        ),
        Fact::LockOff => tracing::warn!(
            "revision conflicts keep coming; updates of the klass are sent without the lock from now on"
        ),
        Fact::RefsOff => {
            tracing::warn!("the API refuses item references; bulk jobs are confirmed without them");
        }
        Fact::JobAbandoned => {
            tracing::warn!("a bulk job never ended; its items are checked one by one");
        }
        Fact::StateRestored {
            partition,
            entries,
            unknown,
        } => tracing::info!(%partition, entries, unknown, "state restored"),
        Fact::Inherited { items, job: true } => {
            tracing::info!(
                items,
                "an earlier owner's bulk job goes on; its result is read"
            );
        }
        Fact::Inherited { items, job: false } => {
            tracing::info!(
                items,
                "an earlier owner's write is in doubt; its objects are checked"
            );
        }
        Fact::DrainCut { records } => {
            tracing::warn!(
                records,
                "the drain ran out of time; these records are left to the next owner"
            );
        }
        Fact::MetadataRestored { partition, records } => {
            tracing::info!(%partition, records, "settled by the former owner, above its last commit");
        }
        Fact::LockIgnored => tracing::warn!(
            "the API accepts an update with an old revision; where records of one object are in several partitions, each update is preceded by a read"
        ),
        Fact::Slept { slept } => {
            tracing::warn!(
                seconds = slept.as_secs(),
                "the process stood still for longer than the group waits for a member; nothing is sent until a commit has succeeded"
            );
        }
        Fact::MetadataIgnored { partition, why } => {
            tracing::warn!(%partition, why = why.as_str(), "the text beside the committed offset is not used; records above it may repeat");
        }
        Fact::Stalled {
            partition,
            offset,
            stage,
        } => {
            tracing::error!(%partition, offset = offset.0, stage, "nothing leads the lowest open record on");
        }
        Fact::Broken(invariant) => {
            tracing::error!(
                invariant = invariant.as_str(),
                "an invariant is broken; please report this"
            );
        }
        Fact::FieldDropped {
            topic,
            route,
            field,
        } => {
            tracing::debug!(%topic, %route, %field, "left out: the value is bad");
        }
        Fact::Settled {
            settlement: Settlement::DeadLettered(reason),
            topic,
            ..
        } => {
            tracing::debug!(%topic, reason = reason.as_str(), "dead-lettered");
        }
        Fact::Settled {
            settlement: Settlement::Diverted(by),
            topic,
            ..
        } => {
            tracing::debug!(%topic, by = by.as_str(), "set aside on the hold topic");
        }
        Fact::Settled {
            settlement: Settlement::Delivered | Settlement::Skipped(_),
            ..
        }
        | Fact::Sent { .. }
        | Fact::Answered { .. }
        | Fact::Retried { .. }
        | Fact::PossibleRepeat { .. }
        | Fact::JobDone { .. }
        | Fact::CompanyMissing
        | Fact::KeyReplaced
        | Fact::Resolved { .. }
        | Fact::Saved { .. }
        | Fact::MetadataCut
        | Fact::LifeBegan { .. }
        | Fact::Vanished { .. }
        | Fact::LifeCut { .. }
        | Fact::StateWritten { .. }
        | Fact::StateFailed
        | Fact::Conflict => {}
    }
}
