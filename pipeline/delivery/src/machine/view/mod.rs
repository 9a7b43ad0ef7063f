//! The machine's present state, for gauges and `/status`.

mod carried;
mod frontier;

use std::sync::Arc;
use std::time::{Duration, Instant};

pub use self::frontier::{FrontierView, Keeps, OperationView, RecordView};
use crate::machine::Cap;
use crate::machine::Machine;
use crate::machine::progress::Progress;
pub use crate::partitions::view::PartitionView;
use crate::seam::charge::{Charge, Gate};
use crate::seam::hold::{PausedBy, Scope};
use crate::work::Wait;
use ingest_model::outcome::{HeldBy, HoldCause};
use ingest_model::trouble::Seen;

/// Everything a gauge or a person may ask about the machine.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Owned partitions.
    pub partitions: Vec<PartitionView>,
    /// What unsettled records cost.
    pub used: Charge,
    /// The part of it that is held: more permits would not help.
    pub held: Charge,
    /// The part of it that is backfill.
    pub backfill: Charge,
    /// The cap on it.
    pub cap: Charge,
    /// Whether records may come in.
    pub gate: Gate,
    /// How many requests a minute this replica may send.
    pub allowance: u32,
    /// How many requests of every minute are left to others now.
    pub reserve: u32,
    /// The part of the fleet's target that this replica may use. Over all replicas it never adds up to more than 1 (I9).
    pub share: Cap,
    /// What is known of the group.
    pub fleet: FleetView,
    /// For how long, in all, one more request now would make others wait, in seconds: zero while permits lie idle.
    pub request_price: f64,
    /// How much of the window is left for everybody, by the last response.
    pub server_remaining: Option<u32>,
    /// Until when the server's limit keeps everything back.
    pub frozen_until: Option<Instant>,
    /// How often it did.
    pub freezes: u64,
    /// Requests in flight.
    pub requests: usize,
    /// Records with some operations delivered and others open: after a crash, the delivered ones come again too.
    pub half_done: usize,
    /// Lanes that have operations.
    pub lanes: usize,
    /// Events and identities that wait for a permit.
    pub ready_tracks: usize,
    /// Objects that wait for a permit or for others to share a request with.
    pub ready_writes: usize,
    /// Operations that wait for their customer's id.
    pub waiting_for_customer: usize,
    /// Operations that wait for a time.
    pub parked: usize,
    /// Bulk jobs that have not ended.
    pub jobs: usize,
    /// Dead letters that are not acknowledged.
    pub letters: usize,
    /// How many customers and objects the directory holds.
    pub directory: (usize, usize),
    /// How many look-ups in it found something, and how many did not.
    pub directory_hits: (u64, u64),
    /// The state topic, if there is one.
    pub state: Option<StateView>,
    /// What is held.
    pub holds: Vec<HoldView>,
    /// How far the work has come.
    pub progress: Progress,
    /// How many requests a second this replica may send, on average.
    pub allowed_per_second: f64,
    /// Whether the machine is draining to stop.
    pub shutting_down: bool,
}

/// What a replica knows of its group.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct FleetView {
    /// How many requests a minute all replicas together may send.
    pub target: u32,
    /// How many they send, by what each said last.
    pub spends: u32,
    /// How many replicas said so lately, this one included.
    pub replicas: u32,
    /// How many could be kept busy by the quota, by what one can have in flight.
    pub useful: u32,
}

/// What is known of the state topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateView {
    /// Entries that wait to be written or acknowledged.
    pub waiting: usize,
    /// Writes that earlier owners left open and that are not concluded.
    pub inherited: usize,
    /// Writes that wait for their intents to be acknowledged.
    pub submits: usize,
    /// Whether the last attempt to write or read the topic failed.
    pub failing: bool,
}

/// One hold.
#[derive(Debug, Clone)]
pub struct HoldView {
    /// Its number, for its release.
    pub id: u64,
    /// What is held.
    pub scope: Scope,
    /// Why.
    pub cause: HoldCause,
    /// Since when.
    pub since: Instant,
    /// What went wrong.
    pub seen: Seen,
    /// In how long it is tried again; `None` while it is tried, and where only a person ends it.
    pub next_try: Option<Duration>,
    /// More of it, if it is a planned pause.
    pub pause: Option<PauseView>,
}

/// What a planned pause has that other holds do not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PauseView {
    /// Who began it.
    pub by: PausedBy,
    /// In how long it ends; `None` if only a person ends it.
    pub ends_in: Option<Duration>,
    /// Why, in the words of whoever began it.
    pub reason: Option<Arc<str>>,
}

impl Snapshot {
    /// Events that wait for room in their partition's commits.
    #[must_use]
    pub fn kept_back(&self) -> usize {
        self.partitions.iter().map(|one| one.kept_back).sum()
    }
}

impl Machine {
    fn fleet_view(&self, now: Instant) -> FleetView {
        let target = self.sending.quota.fleet_target();
        let (siblings, count) = self.sending.fleet.siblings(now);
        let own = self.sending.quota.spends_a_minute(now);
        // What one replica can send while a quarter of its requests in flight is left for peaks.
        let in_flight = f64::from(u32::try_from(self.settings.max_in_flight).unwrap_or(u32::MAX));
        let a_second = f64::from(target) / self.settings.quota.minute.as_secs_f64();
        let useful = a_second * self.sending.usual_time() / (in_flight * 0.75).max(1.0);
        FleetView {
            target,
            spends: own.saturating_add(siblings),
            replicas: count + 1,
            useful: to_count(useful.ceil()).max(1),
        }
    }

    fn holds_view(&self, now: Instant) -> Vec<HoldView> {
        let holds = self.health.holds.iter().map(|(scope, hold)| HoldView {
            id: hold.id,
            scope: scope.clone(),
            cause: hold.cause,
            since: hold.since,
            seen: hold.seen.clone(),
            next_try: hold.next_try(now, scope),
            pause: None,
        });
        let pauses = self.health.holds.pauses.iter();
        let pauses = pauses.map(|(scope, by, paused)| HoldView {
            id: paused.id,
            scope: scope.clone(),
            cause: HoldCause::Paused,
            since: paused.since,
            seen: Seen::default(),
            next_try: None,
            pause: Some(PauseView {
                by: by.clone(),
                ends_in: paused.until.map(|at| at.saturating_duration_since(now)),
                reason: paused.reason.clone(),
            }),
        });
        holds.chain(pauses).collect()
    }

    fn directory_hits(&self) -> (u64, u64) {
        let (customers, objects) = (
            self.customers.ids.hits_and_misses(),
            self.objects.cache.hits_and_misses(),
        );
        (customers.0 + objects.0, customers.1 + objects.1)
    }

    /// A picture of the machine. Walks over all operations: take it once a second, not at every step.
    #[must_use]
    pub fn snapshot(&self, now: Instant) -> Snapshot {
        let partitions = self
            .partitions
            .views(|partition| self.work.kept_back(partition));
        Snapshot {
            partitions,
            used: self.partitions.budget().used(),
            held: self.health.held.charge(),
            backfill: self.partitions.budget().old(),
            cap: self.partitions.budget().cap(),
            gate: self.partitions.budget().gate(),
            allowance: self.sending.quota.allowance(),
            reserve: self.sending.quota.reserve(),
            share: if self.partitions.is_membership_in_doubt() {
                Cap::default()
            } else {
                self.cap(now)
            },
            fleet: self.fleet_view(now),
            request_price: self.price(now).seconds(),
            server_remaining: self.sending.quota.server_remaining(),
            frozen_until: self.sending.quota.frozen_until(now),
            freezes: self.sending.quota.freezes(),
            requests: self.sending.under_way(),
            half_done: self.partitions.half_done(),
            lanes: self.work.lanes(),
            ready_tracks: self.work.ready_tracks(),
            ready_writes: self.work.ready_writes(),
            waiting_for_customer: self.customers.waiting().0,
            parked: self
                .work
                .count(|entry| matches!(entry.wait(), Wait::Time(_))),
            jobs: self.jobs.len(),
            letters: self.partitions.letters_under_way(),
            directory: (self.customers.ids.len(), self.objects.cache.len()),
            directory_hits: self.directory_hits(),
            state: self.settings.state.map(|_| StateView {
                waiting: self.memory.journal.waiting(),
                inherited: self.memory.inheritance.len(),
                submits: self.memory.journal.submits(),
                failing: self.memory.journal.is_failing(),
            }),
            holds: self.holds_view(now),
            progress: self.progress(),
            allowed_per_second: f64::from(self.sending.quota.allowance())
                / self.settings.quota.minute.as_secs_f64(),
            shutting_down: self.partitions.is_stopping(),
        }
    }
}

impl Machine {
    /// How far the work has come. Walks over all operations.
    pub(in crate::machine) fn progress(&self) -> Progress {
        let mut progress = self.progress;
        (progress.customers, progress.customers_open) = self.customers.wanted();
        let held = !self.health.holds.is_empty();
        for id in self.work.matching(|_, _| true) {
            let Some(state) = self.work.get(id) else {
                continue;
            };
            let count = self.partitions.carried(id) as u64;
            if state.wait().is_under_way() {
                *progress.under_way.of(&state.operation) += count;
            } else if !held || !matches!(self.held_by(id, state), Some(HeldBy::Hold(_))) {
                *progress.waiting.of(&state.operation) += count;
            }
        }
        progress
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to the range of the type before the cast"
)]
fn to_count(number: f64) -> u32 {
    number.clamp(0.0, f64::from(u32::MAX)) as u32
}
