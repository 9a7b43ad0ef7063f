//! The machine's facts and snapshots, as metrics.

use std::collections::{BTreeMap, HashSet};
use std::time::Instant;

use ingest_delivery::charge::Gate;
use ingest_delivery::fact::{Fact, Settlement};
use ingest_delivery::machine::{PauseView, Snapshot};
use ingest_model::outcome::Waits;
use ingest_model::record::Traffic;
use ingest_registry::RegistryStatus;
use prometheus::GaugeVec;

use super::labels::{Fallback, From, Waiting};
use super::{Metrics, NONE, whole};

impl Metrics {
    /// Counts one fact. `now_ms` is the wall clock, milliseconds since 1970, for delays.
    pub fn observe(&self, fact: &Fact, now_ms: i64) {
        let f = &self.families;
        match fact {
            Fact::Settled {
                topic,
                settlement,
                records,
                event_ms,
                record_ms,
                traffic,
                place: _,
            } => {
                let records = *records;
                let topic = topic.as_str();
                f.records
                    .with_label_values(&[topic, settlement.as_str()])
                    .inc_by(records);
                match settlement {
                    Settlement::Delivered => {
                        self.usual.confirmed.inc_by(records);
                        self.delay(From::Event, *traffic, *event_ms, now_ms);
                        self.delay(From::Record, *traffic, *record_ms, now_ms);
                    }
                    Settlement::Skipped(reason) => {
                        f.records_skipped
                            .with_label_values(&[topic, reason.as_str()])
                            .inc_by(records);
                    }
                    Settlement::DeadLettered(reason) => {
                        f.dead_letters
                            .with_label_values(&[topic, reason.as_str()])
                            .inc_by(records);
                    }
                    Settlement::Diverted(by) => {
                        f.diverted
                            .with_label_values(&[topic, by.as_str()])
                            .inc_by(records);
                    }
                }
            }
            Fact::FieldDropped {
                topic,
                route,
                field,
            } => {
                f.fields_dropped
                    .with_label_values(&[topic.as_str(), route, field])
                    .inc();
            }
            // The gauge of waiting partitions comes from the snapshot.
            Fact::PartitionWaits { .. } => {}
            // Counted as breaks, or as a broken invariant.
            Fact::LifeBegan { .. }
            | Fact::Vanished { .. }
            | Fact::LifeCut { .. }
            | Fact::Stalled { .. } => {}
            Fact::Sent {
                class,
                operations,
                bulk,
            } => {
                f.quota_spent.with_label_values(&[class.as_str()]).inc();
                if *bulk {
                    let fill = whole(*operations as u64);
                    f.batch_operations
                        .with_label_values(&[class.as_str()])
                        .observe(fill);
                }
            }
            Fact::Answered {
                class,
                outcome,
                took,
            } => {
                f.requests
                    .with_label_values(&[class.as_str(), outcome.as_str()])
                    .inc();
                f.request_duration
                    .with_label_values(&[class.as_str()])
                    .observe(took.as_secs_f64());
            }
            Fact::Retried { cause } => f.retries.with_label_values(&[cause.as_str()]).inc(),
            Fact::PossibleRepeat { kind } => f.possible_repeats.with_label_values(&[kind]).inc(),
            Fact::JobDone {
                took,
                reads,
                items: _,
            } => {
                f.job_duration
                    .with_label_values(NONE)
                    .observe(took.as_secs_f64());
                f.job_reads
                    .with_label_values(NONE)
                    .observe(f64::from(*reads));
            }
            Fact::JobAbandoned => f.jobs_abandoned.with_label_values(NONE).inc(),
            Fact::Frozen { wait } => {
                f.quota_freezes.with_label_values(NONE).inc();
                f.quota_freeze_seconds
                    .with_label_values(NONE)
                    .inc_by(wait.as_secs_f64());
            }
            Fact::HoldBegan { scope, cause, .. } => {
                f.holds_begun
                    .with_label_values(&[scope.as_str(), cause.as_str()])
                    .inc();
            }
            // The gauge of holds comes from the snapshot.
            Fact::HoldGoesOn { .. } | Fact::HoldEnded { .. } => {}
            Fact::Saved { way } => f.saved.with_label_values(&[way.as_str()]).inc(),
            Fact::Resolved { way } => f.resolutions.with_label_values(&[way.as_str()]).inc(),
            Fact::SearchOff => self.fallback(Fallback::SearchOff, true),
            Fact::KeyReplaced => self.fallback(Fallback::SearchOff, false),
            Fact::RefsOff => self.fallback(Fallback::RefsOff, true),
            Fact::LockOff => self.fallback(Fallback::LockOff, true),
            Fact::CompanyMissing => f.companies_missing.with_label_values(NONE).inc(),
            Fact::LockIgnored => self.fallback(Fallback::LockIgnored, true),
            Fact::Conflict => f.conflicts.with_label_values(NONE).inc(),
            Fact::StateWritten { entries } => f
                .state_written
                .with_label_values(NONE)
                .inc_by(*entries as u64),
            Fact::StateFailed => f.state_failures.with_label_values(NONE).inc(),
            Fact::StateRestored {
                entries, unknown, ..
            } => {
                f.state_restored
                    .with_label_values(NONE)
                    .inc_by(*entries as u64);
                f.state_unknown.with_label_values(NONE).inc_by(*unknown);
            }
            Fact::Inherited { items, .. } => {
                f.inherited.with_label_values(NONE).inc_by(*items as u64);
            }
            Fact::DrainCut { records } => f.drain_cut.with_label_values(NONE).inc_by(*records),
            Fact::MetadataRestored { records, .. } => {
                f.metadata_restored.with_label_values(NONE).inc_by(*records);
            }
            Fact::MetadataIgnored { why, .. } => {
                f.metadata_ignored.with_label_values(&[why.as_str()]).inc();
            }
            Fact::Slept { .. } => f.sleeps.with_label_values(NONE).inc(),
            Fact::MetadataCut => f.metadata_cuts.with_label_values(NONE).inc(),
            Fact::Broken(invariant) => {
                f.invariants_broken
                    .with_label_values(&[invariant.as_str()])
                    .inc();
            }
        }
    }

    /// Sets every gauge that the machine knows, and removes the series of partitions that are gone.
    pub fn observe_snapshot(&self, snapshot: &Snapshot, now: Instant) {
        let f = &self.families;
        let set = |gauge: &GaugeVec, value: f64| gauge.with_label_values(NONE).set(value);
        set(&f.partitions_owned, whole(snapshot.partitions.len() as u64));
        set(&f.requests_in_flight, whole(snapshot.requests as u64));
        set(&f.quota_allowance, f64::from(snapshot.allowance));
        set(&f.quota_reserve, f64::from(snapshot.reserve));
        set(&f.quota_guaranteed, snapshot.share.guaranteed);
        set(&f.quota_lent, snapshot.share.lent);
        set(&f.quota_borrowed, snapshot.share.borrowed);
        let fleet = snapshot.fleet;
        set(&f.quota_target, f64::from(fleet.target));
        set(&f.replicas_heard, f64::from(fleet.replicas));
        set(&f.replicas_useful, f64::from(fleet.useful));
        set(&f.request_price, snapshot.request_price);
        if let Some(remaining) = snapshot.server_remaining {
            set(&f.quota_remaining, f64::from(remaining));
        }
        set(
            &f.quota_frozen,
            flag(snapshot.frozen_until.is_some_and(|until| until > now)),
        );
        set(&f.jobs, whole(snapshot.jobs as u64));
        set(&f.lanes, whole(snapshot.lanes as u64));
        set(&f.budget_records, whole(snapshot.used.records));
        let old = snapshot.backfill.records;
        let live = snapshot.used.records.saturating_sub(old);
        for (traffic, records) in [(Traffic::Live, live), (Traffic::Backfill, old)] {
            let labels = [traffic.as_str()];
            f.unsettled.with_label_values(&labels).set(whole(records));
        }
        set(&f.budget_bytes, whole(snapshot.used.bytes));
        set(&f.budget_cap_records, whole(snapshot.cap.records));
        set(&f.budget_cap_bytes, whole(snapshot.cap.bytes));
        set(&f.held_records, whole(snapshot.held.records));
        set(&f.held_bytes, whole(snapshot.held.bytes));
        let mut waiting: BTreeMap<&str, u64> = BTreeMap::new();
        for why in snapshot.partitions.iter().filter_map(|view| view.waits) {
            *waiting.entry(why.as_str()).or_default() += 1;
        }
        for cause in Waits::labels() {
            let count = waiting.get(cause).copied().unwrap_or_default();
            f.partitions_waiting
                .with_label_values(&[cause])
                .set(whole(count));
        }
        set(&f.gate_closed, flag(snapshot.gate == Gate::Closed));
        set(&f.dead_letters_open, whole(snapshot.letters as u64));
        for (waiting, count) in [
            (Waiting::TrackPermit, snapshot.ready_tracks),
            (Waiting::WritePermit, snapshot.ready_writes),
            (Waiting::Customer, snapshot.waiting_for_customer),
            (Waiting::Time, snapshot.parked),
            (Waiting::CommitRoom, snapshot.kept_back()),
        ] {
            f.waiting
                .with_label_values(&[waiting.as_str()])
                .set(whole(count as u64));
        }
        let state = snapshot.state;
        set(
            &f.state_waiting,
            whole(state.map_or(0, |state| state.waiting) as u64),
        );
        set(
            &f.inherited_writes,
            whole(state.map_or(0, |state| state.inherited) as u64),
        );
        let restoring = snapshot.partitions.iter().filter(|one| one.restoring);
        set(&f.state_restoring, whole(restoring.count() as u64));
        let (customers, objects) = snapshot.directory;
        f.directory_entries
            .with_label_values(&["customer"])
            .set(whole(customers as u64));
        f.directory_entries
            .with_label_values(&["object"])
            .set(whole(objects as u64));
        self.observe_changes(snapshot);
    }

    /// The progress of the current restore, in offsets of the state topic: already read, and total.
    pub fn observe_restore(&self, read: u64, total: u64) {
        let f = &self.families;
        f.state_restore_read
            .with_label_values(NONE)
            .set(whole(read));
        f.state_restore_total
            .with_label_values(NONE)
            .set(whole(total));
    }

    /// How the schema registry is.
    pub fn observe_registry(&self, status: &RegistryStatus) {
        let f = &self.families;
        let set = |family: &GaugeVec, value: u64| family.with_label_values(NONE).set(whole(value));
        set(&f.registry_failing, u64::from(status.trouble.is_some()));
        set(&f.schemas_wanted, status.wanted as u64);
        set(&f.schemas_kept, status.kept.schemas as u64);
        set(&f.schemas_kept_bytes, status.kept.bytes as u64);
        for (family, count) in [
            (&f.schemas_fetched, status.fetched),
            (&f.schemas_unusable, status.unusable),
            (&f.schema_failures, status.failed),
        ] {
            let counter = family.with_label_values(NONE);
            counter.inc_by(count.saturating_sub(counter.get()));
        }
    }

    /// Updates counters from the difference to the previous snapshot.
    fn observe_changes(&self, snapshot: &Snapshot) {
        let f = &self.families;
        let mut last = self.last();

        let (hits, misses) = snapshot.directory_hits;
        f.directory_lookups
            .with_label_values(&["hit"])
            .inc_by(hits.saturating_sub(last.hits));
        f.directory_lookups
            .with_label_values(&["miss"])
            .inc_by(misses.saturating_sub(last.misses));
        (last.hits, last.misses) = (hits, misses);

        let mut owned = HashSet::new();
        for view in &snapshot.partitions {
            let number = view.partition.partition.0.to_string();
            let labels = [view.partition.topic.as_str(), number.as_str()];
            f.partition_unsettled
                .with_label_values(&labels)
                .set(whole(view.unsettled));
            f.commit_metadata
                .with_label_values(&labels)
                .set(view.metadata_used);
            owned.insert(view.partition.clone());
        }
        for gone in last.partitions.difference(&owned) {
            let number = gone.partition.0.to_string();
            let labels = [gone.topic.as_str(), number.as_str()];
            drop(f.partition_unsettled.remove_label_values(&labels));
            drop(f.partition_lag.remove_label_values(&labels));
            drop(f.commit_metadata.remove_label_values(&labels));
        }
        last.partitions = owned;

        let mut holds: BTreeMap<(&str, &str), u64> = BTreeMap::new();
        let mut without_end = 0;
        for hold in &snapshot.holds {
            let ends = |pause: &PauseView| pause.ends_in.is_some();
            without_end += u64::from(hold.pause.as_ref().is_some_and(|pause| !ends(pause)));
            *holds
                .entry((hold.scope.as_str(), hold.cause.as_str()))
                .or_default() += 1;
        }
        f.pauses_without_end
            .with_label_values(NONE)
            .set(whole(without_end));
        for (scope, cause) in &last.holds {
            if !holds.contains_key(&(*scope, *cause)) {
                f.holds.with_label_values(&[*scope, *cause]).set(0.0);
            }
        }
        for ((scope, cause), count) in &holds {
            f.holds
                .with_label_values(&[*scope, *cause])
                .set(whole(*count));
        }
        last.holds.extend(
            snapshot
                .holds
                .iter()
                .map(|hold| (hold.scope.as_str(), hold.cause.as_str())),
        );
    }

    /// A delay that is negative, because two clocks differ, counts as zero.
    fn delay(&self, from: From, traffic: Traffic, since_ms: Option<i64>, now_ms: i64) {
        let Some(since_ms) = since_ms else { return };
        let ms = u64::try_from(now_ms.saturating_sub(since_ms)).unwrap_or_default();
        let delay = || {
            let labels = [from.as_str(), traffic.as_str()];
            self.families.delay.with_label_values(&labels)
        };
        let seconds = whole(ms) / 1000.0;
        match (from, traffic) {
            (From::Event, Traffic::Live) => {
                self.usual.since_event.get_or_init(delay).observe(seconds);
            }
            (From::Record, Traffic::Live) => {
                self.usual.since_record.get_or_init(delay).observe(seconds);
            }
            (From::Event | From::Record, Traffic::Backfill) => delay().observe(seconds),
        }
    }
}

fn flag(yes: bool) -> f64 {
    if yes { 1.0 } else { 0.0 }
}
