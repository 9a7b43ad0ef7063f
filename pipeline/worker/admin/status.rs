//! What the worker is doing, for people and programs: the body of `GET /status`.
//!
//! The report is a copy, made about once a second by the owner of the state and sent through a `watch` channel; the
//! server only shows it. It contains topic names, counts, times and causes, but never keys or content.

use std::time::Instant;

use ingest_delivery::charge::Gate;
use ingest_delivery::machine::{PartitionView, Snapshot};
use serde::Serialize;

pub use super::account::AccountStatus;
pub use super::holds::{HoldStatus, LastError, PauseStatus};
pub use super::registry::RegistryView;
use crate::config::settings::profile::ProfileStatus;
use crate::lifecycle::key::KeyStatus;
use crate::lifecycle::suppressed::SuppressedStatus;
use crate::observe::advice::Places;
use crate::observe::breaks::{Break, Breaks};
use crate::observe::pace::DrainState;
use crate::observe::retention::Outlook;
use crate::observe::watchdog::SILENT_AFTER;
use crate::pump::{KafkaStatus, ReceiptsStatus, ReserveChange};

/// Everything that `/status` shows, and on which `/ready` and `/live` are based.
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
    /// What requests bring, and what replicas lend each other.
    pub account: AccountStatus,
    /// What is in memory.
    pub budget: BudgetStatus,
    /// What is queued.
    pub lanes: LaneStatus,
    /// Bulk jobs that have not ended.
    pub jobs: u64,
    /// Requests in flight.
    pub requests: u64,
    /// What is kept in the state topic; `null` without one.
    pub state: Option<StateStatus>,
    /// What waits for a person or for recovery.
    pub holds: Vec<HoldStatus>,
    /// The API key.
    pub key: KeyStatus,
    /// The list of people of whom nothing is sent; `null` without one.
    pub suppressed: Option<SuppressedStatus>,
    /// What was found out beforehand of what the API leaves open; `null` without a profile.
    pub profile: Option<ProfileStatus>,
    /// What keeps the Kafka side from working.
    pub kafka: KafkaStatus,
    /// Partitions whose records do not come although nothing keeps them back: `/live` fails for them.
    pub stalled: Vec<String>,
    /// For each topic of which this replica owns partitions, when its unsettled records will be deleted.
    pub retention: Vec<Outlook>,
    /// The schema registry; `null` without one.
    pub schema_registry: Option<RegistryView>,
    /// Dead letters since the start.
    pub dead_letters: u64,
    /// Dead letters that the brokers have not acknowledged yet.
    pub dead_letters_unacknowledged: u64,
    /// What has become of receipts since the start; `null` where none are wanted.
    pub receipts: Option<ReceiptsStatus>,
    /// What can be said about the backlog.
    pub drain_state: DrainState,
    /// When the present backlog will be gone at the present rate of requests, 0 when there is none; `null` in every state
    /// other than `estimated` and `nothing_to_do`.
    pub drain_estimate_seconds: Option<u64>,
    /// Records that were deleted before they were read or delivered, since the start.
    pub records_vanished: u64,
    /// Where reading did not continue at its position, newest first; at most [`crate::observe::breaks::MAX_BREAKS`].
    pub breaks: Vec<Break>,
    /// The last troubles, newest first; at most [`MAX_ERRORS`].
    pub last_errors: Vec<RecentError>,
    /// The addresses and names that advice refers to.
    #[serde(skip)]
    pub places: Places,
    /// When the owner of the state said this; `None` before it has said anything.
    #[serde(skip)]
    pub said: Option<Instant>,
}

/// How many of the last troubles are kept.
pub const MAX_ERRORS: usize = 20;

/// What the process is doing as a whole.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The group has not handed out its partitions yet, or the partition counts are not known.
    #[default]
    Starting,
    /// Working, with or without partitions.
    Running,
    /// Finishing what is in flight while shutting down.
    Draining,
    /// Something cannot go on, and the process ends.
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
    /// Every offset below this one is settled.
    pub frontier_offset: Option<i64>,
    /// The offset that the brokers have acknowledged.
    pub committed_offset: Option<i64>,
    /// Records read but not settled.
    pub unsettled_records: u64,
    /// Whether it is being handed back.
    pub draining: bool,
    /// Whether its state is not restored yet; it delivers nothing until then.
    pub restoring: bool,
    /// Why its records are not read although the budget has room: `waiting: held work of … fills its half of the budget`.
    pub waiting: Option<String>,
}

/// What is kept in the state topic.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct StateStatus {
    /// Entries that wait to be written, or to be acknowledged.
    pub waiting_entries: u64,
    /// Writes that earlier owners left open and whose records have not all been read again.
    pub inherited_writes: u64,
    /// Whether the last attempt to write or read the topic failed.
    pub failing: bool,
    /// Offsets of the topic read so far by the current restore; `null` without one.
    pub restore_read: Option<u64>,
    /// All offsets that it has to read.
    pub restore_total: Option<u64>,
}

/// The organisation's quota.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct QuotaStatus {
    /// Requests a minute that this replica may send at present.
    pub allowance_requests: u32,
    /// What the API last reported as left of the minute for everybody.
    pub remaining_requests: Option<u32>,
    /// For how much longer the organisation's limit keeps back every request.
    pub frozen_for_seconds: Option<u64>,
    /// How often that has happened since the start.
    pub freezes: u64,
    /// Requests of every minute that are left alone at present.
    pub reserve_requests: u32,
    /// In how long that changes by the time of day, and to how many; `null` if it does not within a week, or if the server's time is
    /// not known yet.
    pub reserve_changes_in_seconds: Option<u64>,
    /// See there.
    pub reserve_then_requests: Option<u32>,
}

/// What is in memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct BudgetStatus {
    /// Unsettled records.
    pub used_records: u64,
    /// Their bytes.
    pub used_bytes: u64,
    /// Those among them that are backfill, and wait for what live records leave.
    pub backfill_records: u64,
    /// Those among them that cannot go on now, however many permits there are.
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
    /// Customers and objects with queued operations.
    pub total: u64,
    /// Events and identities that wait for a permit.
    pub track_permit: u64,
    /// Objects that wait for a permit.
    pub write_permit: u64,
    /// Operations that wait for their customer's id.
    pub customer: u64,
    /// Operations that wait for a certain time.
    pub time: u64,
}

/// One trouble.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecentError {
    /// When, milliseconds since 1970.
    pub at_ms: i64,
    /// What, without personal data.
    pub what: String,
}

// === impl QuotaStatus ===

impl QuotaStatus {
    /// The reserve changes by the time of day.
    pub fn note_change(&mut self, change: ReserveChange, now: Instant) {
        let left = change.at.saturating_duration_since(now);
        self.reserve_changes_in_seconds = Some(left.as_secs());
        self.reserve_then_requests = Some(change.then);
    }
}

// === impl StatusReport ===

impl StatusReport {
    /// A report with nothing but the version.
    #[must_use]
    pub fn new(places: Places) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            places,
            ..Self::default()
        }
    }

    /// Takes over the machine's view; lag, troubles and the process's own data stay.
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
            reserve_requests: snapshot.reserve,
            ..QuotaStatus::default()
        };
        self.budget = BudgetStatus {
            used_records: snapshot.used.records,
            used_bytes: snapshot.used.bytes,
            backfill_records: snapshot.backfill.records,
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
            .map(|hold| HoldStatus::new(hold, now, &self.places))
            .collect();
    }

    /// Sets the lag of one owned partition, as the brokers see it.
    pub fn set_lag(&mut self, topic: &str, partition: i32, lag: u64) {
        let found = self
            .partitions
            .iter_mut()
            .find(|p| p.topic == topic && p.partition == partition);
        if let Some(found) = found {
            found.lag_records = Some(lag);
        }
    }

    /// Takes over where reading was interrupted.
    pub fn set_breaks(&mut self, breaks: &Breaks) {
        self.records_vanished = breaks.vanished();
        self.breaks = breaks.recent().cloned().collect();
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

    /// Why the process cannot go on as it is; empty when it can.
    #[must_use]
    pub fn dead(&self, now: Instant) -> Vec<String> {
        let mut causes = Vec::new();
        if self.phase == Phase::Halted {
            causes.push("halted: the last error says why".to_owned());
        }
        let silent = self.said.map(|said| now.saturating_duration_since(said));
        if let Some(silent) = silent.filter(|silent| *silent >= SILENT_AFTER) {
            let seconds = silent.as_secs();
            causes.push(format!(
                "silent: the owner of the state has said nothing for {seconds} s"
            ));
        }
        causes.extend(self.stalled.iter().cloned());
        causes
    }

    /// Why the worker is not ready; empty when it is.
    ///
    /// It is not ready before the consumer group was joined, during the drain, after a halt, while no broker answers or a
    /// configured topic cannot be used, while the API refuses the key, while records wait for a schema registry that gives none, and while the whole destination or a topic waits for a person. A hold of one
    /// klass or one role lets the rest go on, a pause is planned, and a full budget or a frozen quota is ordinary back-pressure: neither
    /// makes the worker unready.
    #[must_use]
    pub fn unready(&self) -> Vec<String> {
        let mut causes = Vec::new();
        match self.phase {
            Phase::Starting => {
                causes.push(
                    "starting: the group has not handed out its partitions yet, or their number is not known"
                        .to_owned(),
                );
            }
            Phase::Draining => causes.push("draining: the worker is shutting down".to_owned()),
            Phase::Halted => causes.push("halted: the last error says why".to_owned()),
            Phase::Running => {}
        }
        causes.extend(self.key.cause());
        causes.extend(self.kafka.causes());
        causes.extend(self.schema_registry.as_ref().and_then(RegistryView::cause));
        let holds = self.holds.iter().filter(|hold| hold.makes_unready());
        causes.extend(holds.map(HoldStatus::in_words));
        causes
    }

    /// What is paused as planned, in words.
    pub(super) fn paused(&self) -> Vec<String> {
        let paused = self.holds.iter().filter(|hold| hold.pause.is_some());
        paused.map(HoldStatus::in_words).collect()
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ingest_model::outcome::HoldCause;
    use ingest_model::record::Topic;
    use ingest_model::trouble::TroubleKind;

    use super::*;
    use crate::clock::Clock;
    use crate::observe::advice::what_to_do;
    use crate::pump::{BrokersView, TopicTrouble};

    fn hold(scope: &str, cause: HoldCause) -> HoldStatus {
        HoldStatus {
            id: 7,
            scope: scope.to_owned(),
            cause: cause.as_str(),
            for_seconds: 1,
            errors: 12,
            last_error: Some(LastError {
                kind: "connection_refused",
                words: "connection_refused: api.example: nobody listens".to_owned(),
                seconds_ago: 3,
            }),
            next_try_seconds: Some(5),
            what_to_do: what_to_do(cause).to_owned(),
            pause: None,
        }
    }

    #[test]
    fn a_hold_tells_what_went_wrong_how_often_and_when_it_is_tried_again() {
        let said = hold("destination", HoldCause::Unhealthy).in_words();
        let expected = "hold 7 of destination: unhealthy; last error 3 s ago, 12 in all: connection_refused: \
                        api.example: nobody listens; next try in 5 s; nothing: ";
        assert!(said.starts_with(expected), "{said}");
    }

    #[test]
    fn a_missing_topic_and_brokers_that_stay_away_are_named() {
        let now = Clock.now();
        let mut view = BrokersView {
            away: Some((now, "no route".to_owned())),
            topics: Vec::new(),
            credentials: None,
            ..BrokersView::default()
        };
        let mut report = StatusReport::new(Places::default());
        report.phase = Phase::Running;
        let mut unready = |view: &BrokersView, after: u64| {
            let at = now + Duration::from_secs(after);
            report.kafka = KafkaStatus::new(view, at, &report.places);
            report.unready()
        };
        assert!(unready(&view, 2).is_empty(), "one broker restarts");
        let causes = unready(&view, 7);
        assert!(causes[0].starts_with("brokers: no answer for 7 s: no route;"));
        view.away = None;
        view.topics.push(TopicTrouble {
            topic: Topic::new("web.clicks"),
            setting: "kafka.topics",
            kind: TroubleKind::UnknownTopic,
        });
        let causes = unready(&view, 8);
        assert_eq!(causes.len(), 1);
        assert!(causes[0].starts_with("topic web.clicks (kafka.topics) does not exist"));
        assert!(causes[0].contains("--create --topic web.clicks"));
    }

    #[test]
    fn ready_is_what_the_whole_worker_can_do() {
        let mut report = StatusReport::new(Places::default());
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
        let mut report = StatusReport::new(Places::default());
        for n in 0..30 {
            report.note(n, format!("trouble {n}"));
        }
        assert_eq!(report.last_errors.len(), MAX_ERRORS);
        assert_eq!(report.last_errors[0].what, "trouble 29");
    }
}
