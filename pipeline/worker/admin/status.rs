//! What the worker is doing, for people and programs: the body of `GET /status`.
//!
//! The report is a copy, made about once a second by whoever owns the state and sent through a `watch` channel; the server
//! only shows it. It holds names of topics, counts, times and causes, never keys or content.

use std::time::Instant;

use ingest_core::charge::Gate;
use ingest_core::machine::{HoldView, PartitionView, Snapshot};
use ingest_core::outcome::HoldCause;
use serde::Serialize;

/// Everything that `/status` shows, and what `/ready` and `/live` are judged by.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct StatusReport {
    /// The worker's version.
    pub version: String,
    /// Seconds since the start.
    pub uptime_seconds: u64,
    /// What the process is doing as a whole.
    pub phase: Phase,
    /// Partitions that this replica works on.
    pub partitions: Vec<PartitionStatus>,
    /// The organisation's quota as this replica sees it.
    pub quota: QuotaStatus,
    /// What is in memory.
    pub budget: BudgetStatus,
    /// What is queued.
    pub lanes: LaneStatus,
    /// Bulk jobs that have not ended.
    pub jobs: u64,
    /// Requests under way.
    pub requests: u64,
    /// What is kept in the state topic; `null` without one.
    pub state: Option<StateStatus>,
    /// What waits for a person or for health.
    pub holds: Vec<HoldStatus>,
    /// Dead letters since the start.
    pub dead_letters: u64,
    /// Dead letters that the brokers have not acknowledged yet.
    pub dead_letters_unacknowledged: u64,
    /// When the backlog will be gone at the present rate; `null` while it does not shrink.
    pub drain_estimate_seconds: Option<u64>,
    /// The last troubles, newest first; at most [`MAX_ERRORS`].
    pub last_errors: Vec<RecentError>,
}

/// How many of the last troubles are kept.
pub const MAX_ERRORS: usize = 20;

/// What the process is doing as a whole.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The group has not given out its partitions yet, or the partition counts are not known.
    #[default]
    Starting,
    /// At work, with or without partitions.
    Running,
    /// Finishing what is in flight, on its way out.
    Draining,
    /// Something cannot go on; the process ends.
    Halted,
}

/// One partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartitionStatus {
    /// Its topic.
    pub topic: String,
    /// Its number.
    pub partition: i32,
    /// Records between the committed offset and the end, where known.
    pub lag_records: Option<u64>,
    /// Up to where everything is settled.
    pub frontier_offset: Option<i64>,
    /// What the brokers have acknowledged.
    pub committed_offset: Option<i64>,
    /// Records read but not settled.
    pub unsettled_records: u64,
    /// Whether it is being handed back.
    pub draining: bool,
    /// Whether its state is not restored yet; it delivers nothing until then.
    pub restoring: bool,
    /// Why its records are not read now although the budget has room: `waiting: held work of … fills its half of the budget`.
    pub waiting: Option<String>,
}

/// What is kept in the state topic.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct StateStatus {
    /// Entries that wait to be written, or to be acknowledged.
    pub waiting_entries: u64,
    /// Writes that earlier owners left open and whose records have not all come again.
    pub inherited_writes: u64,
    /// Whether the topic took nothing, or could not be read, when it was tried last.
    pub failing: bool,
    /// Offsets of the topic behind in the restore under way; `null` without one.
    pub restore_read: Option<u64>,
    /// All offsets that it reads.
    pub restore_total: Option<u64>,
}

/// The organisation's quota.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct QuotaStatus {
    /// Requests a minute that this replica may make now.
    pub allowance_requests: u32,
    /// What the API last said is left of the minute for everybody.
    pub remaining_requests: Option<u32>,
    /// For how much longer the organisation's limit keeps every request back.
    pub frozen_for_seconds: Option<u64>,
    /// How often it did since the start.
    pub freezes: u64,
}

/// What is in memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct BudgetStatus {
    /// Unsettled records.
    pub used_records: u64,
    /// Their bytes.
    pub used_bytes: u64,
    /// Those of them that cannot go on now, whatever the permits.
    pub held_records: u64,
    /// Their bytes.
    pub held_bytes: u64,
    /// The cap on records.
    pub cap_records: u64,
    /// The cap on bytes.
    pub cap_bytes: u64,
    /// Whether partitions are paused because a cap was reached.
    pub gate_closed: bool,
}

/// What is queued.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct LaneStatus {
    /// Customers and objects that something is queued for.
    pub total: u64,
    /// Events and identities that wait for a permit.
    pub track_permit: u64,
    /// Objects that wait for a permit.
    pub write_permit: u64,
    /// Operations that wait for their customer's id.
    pub customer: u64,
    /// Operations that wait for a time.
    pub time: u64,
}

/// One hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HoldStatus {
    /// Its number, for `POST /holds/{id}/release`.
    pub id: u64,
    /// What is held, for example `destination` or `kobject_write:order`.
    pub scope: String,
    /// Why: the label of a [`HoldCause`].
    pub cause: &'static str,
    /// Since when, seconds ago.
    pub for_seconds: u64,
    /// What to do about it.
    pub what_to_do: &'static str,
}

/// One trouble.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecentError {
    /// When, milliseconds since 1970.
    pub at_ms: i64,
    /// What, without personal data.
    pub what: String,
}

// === impl StatusReport ===

impl StatusReport {
    /// A report without anything but the version.
    #[must_use]
    pub fn new() -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..Self::default()
        }
    }

    /// Takes over what the machine says; lag, troubles and the process's own data stay.
    pub fn take(&mut self, snapshot: &Snapshot, now: Instant) {
        let lags: Vec<PartitionStatus> = std::mem::take(&mut self.partitions);
        self.partitions = snapshot
            .partitions
            .iter()
            .map(|view| {
                let status = PartitionStatus::from(view);
                let known = lags
                    .iter()
                    .find(|old| old.topic == status.topic && old.partition == status.partition);
                PartitionStatus {
                    lag_records: known.and_then(|old| old.lag_records),
                    ..status
                }
            })
            .collect();
        self.quota = QuotaStatus {
            allowance_requests: snapshot.allowance,
            remaining_requests: snapshot.server_remaining,
            frozen_for_seconds: snapshot
                .frozen_until
                .map(|until| until.saturating_duration_since(now).as_secs()),
            freezes: snapshot.freezes,
        };
        self.budget = BudgetStatus {
            used_records: snapshot.used.records,
            used_bytes: snapshot.used.bytes,
            held_records: snapshot.held.records,
            held_bytes: snapshot.held.bytes,
            cap_records: snapshot.cap.records,
            cap_bytes: snapshot.cap.bytes,
            gate_closed: snapshot.gate == Gate::Closed,
        };
        self.lanes = LaneStatus {
            total: snapshot.lanes as u64,
            track_permit: snapshot.ready_tracks as u64,
            write_permit: snapshot.ready_writes as u64,
            customer: snapshot.waiting_for_customer as u64,
            time: snapshot.parked as u64,
        };
        self.jobs = snapshot.jobs as u64;
        self.requests = snapshot.requests as u64;
        self.state = snapshot.state.map(|state| StateStatus {
            waiting_entries: state.waiting as u64,
            inherited_writes: state.inherited as u64,
            failing: state.failing,
            restore_read: None,
            restore_total: None,
        });
        self.dead_letters_unacknowledged = snapshot.letters as u64;
        self.holds = snapshot
            .holds
            .iter()
            .map(|hold| HoldStatus::new(hold, now))
            .collect();
    }

    /// The lag of one owned partition, as the brokers see it.
    pub fn set_lag(&mut self, topic: &str, partition: i32, lag: u64) {
        let found = self
            .partitions
            .iter_mut()
            .find(|p| p.topic == topic && p.partition == partition);
        if let Some(found) = found {
            found.lag_records = Some(lag);
        }
    }

    /// Adds a trouble at the head of the list and drops the oldest beyond [`MAX_ERRORS`].
    pub fn note(&mut self, at_ms: i64, what: impl Into<String>) {
        self.last_errors.insert(
            0,
            RecentError {
                at_ms,
                what: what.into(),
            },
        );
        self.last_errors.truncate(MAX_ERRORS);
    }

    /// Why the worker is not ready; empty when it is.
    ///
    /// Not ready: before the consumer group was joined, during the drain, after a halt, and while the whole destination
    /// or a topic waits for a person. A hold of one klass or of one role leaves the rest at work, and a full budget or a
    /// frozen quota is ordinary back-pressure: neither makes the worker unready.
    #[must_use]
    pub fn unready(&self) -> Vec<String> {
        let mut causes = Vec::new();
        match self.phase {
            Phase::Starting => {
                causes.push(
                    "starting: the group has not given out its partitions yet, or their number is not known"
                        .to_owned(),
                );
            }
            Phase::Draining => causes.push("draining: on the way out".to_owned()),
            Phase::Halted => causes.push("halted: the last error says why".to_owned()),
            Phase::Running => {}
        }
        for hold in &self.holds {
            let whole = [HoldCause::DeadLetterGuard, HoldCause::StateTopic]
                .iter()
                .any(|cause| hold.cause == cause.as_str());
            if hold.scope == "destination" || whole {
                causes.push(format!(
                    "hold {} of {}: {}; {}",
                    hold.id, hold.scope, hold.cause, hold.what_to_do
                ));
            }
        }
        causes
    }
}

// === impl PartitionStatus ===

impl From<&PartitionView> for PartitionStatus {
    fn from(view: &PartitionView) -> Self {
        Self {
            topic: view.partition.topic.as_str().to_owned(),
            partition: view.partition.partition.0,
            lag_records: None,
            frontier_offset: view.frontier.map(|offset| offset.0),
            committed_offset: view.committed.map(|offset| offset.0),
            unsettled_records: view.unsettled,
            draining: view.draining,
            restoring: view.restoring,
            waiting: view.waits.map(|why| format!("waiting: {why}")),
        }
    }
}

// === impl HoldStatus ===

impl HoldStatus {
    fn new(hold: &HoldView, now: Instant) -> Self {
        Self {
            id: hold.id,
            scope: hold.scope.to_string(),
            cause: hold.cause.as_str(),
            for_seconds: now.saturating_duration_since(hold.since).as_secs(),
            what_to_do: what_to_do(hold.cause),
        }
    }
}

/// The way out of a hold, in one sentence.
#[must_use]
pub fn what_to_do(cause: HoldCause) -> &'static str {
    match cause {
        HoldCause::BadToken => {
            "put a valid API key where kustomer.token points, then restart: the key is read once"
        }
        HoldCause::Billing => {
            "ask Kustomer about the organisation's plan; work goes on by itself when the API answers"
        }
        HoldCause::MissingRole => {
            "make an API key that has the role (check --online names it) and put it where kustomer.token points, then restart"
        }
        HoldCause::MissingKlass => "make the klass in Kustomer, or correct the mapping and restart",
        HoldCause::DeadLetterGuard => {
            "correct the mapping and restart, or accept the rejections: release this hold, or restart with --accept-dead-letters"
        }
        HoldCause::Quarantine => {
            "see the last dead letters of the klass for the error; correct the klass's attributes in Kustomer, or the mapping and restart; work goes on by itself with the first object that is stored; releasing this hold takes the errors as they come, as dead letters"
        }
        HoldCause::StateTopic => {
            "see that state.topic exists and that these credentials may read and write it (check --online); work goes on by itself when it does"
        }
        HoldCause::Unhealthy => "nothing: the API is probed and work goes on when it answers",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold(scope: &str, cause: HoldCause) -> HoldStatus {
        let what_to_do = what_to_do(cause);
        HoldStatus {
            id: 7,
            scope: scope.to_owned(),
            cause: cause.as_str(),
            for_seconds: 1,
            what_to_do,
        }
    }

    #[test]
    fn ready_is_what_the_whole_worker_can_do() {
        let mut report = StatusReport::new();
        assert_eq!(report.unready().len(), 1, "starting");
        report.phase = Phase::Running;
        assert!(report.unready().is_empty());
        report.holds = vec![hold("kobject_write:order", HoldCause::MissingKlass)];
        assert!(report.unready().is_empty(), "the rest goes on");
        report.holds.push(hold("destination", HoldCause::BadToken));
        let causes = report.unready();
        assert!(
            causes[0].contains("hold 7 of destination: bad_token"),
            "{causes:?}"
        );
        report.phase = Phase::Draining;
        assert_eq!(report.unready().len(), 2);
    }

    #[test]
    fn old_troubles_make_room() {
        let mut report = StatusReport::new();
        for n in 0..30 {
            report.note(n, format!("trouble {n}"));
        }
        assert_eq!(report.last_errors.len(), MAX_ERRORS);
        assert_eq!(report.last_errors[0].what, "trouble 29");
    }
}
