//! The delivery machine: everything that decides, as one state machine without I/O.
//!
//! Inputs and the time go in, effects come out. It runs the same under the worker's pump, in tests with a virtual clock and in
//! benches. It holds the owners of all state of delivery, and is the only part that sees two of them.
//!
//! What the caller may rely on: a record that was put in ends as exactly one of delivered, skipped, dead-lettered, set aside on
//! the hold topic or abandoned (left uncommitted for the next owner); [`Effect::Commit`] never names an offset above an
//! unsettled one. What the caller must do: carry out effects in order, answer every [`Effect::Send`], [`Effect::DeadLetter`]
//! and [`Effect::Commit`] with the input that belongs to it, and put in [`Input::Wake`] at [`Machine::next_wake`].

mod answers;
mod caches;
mod held;
mod pauses;
mod progress;
mod records;
mod requests;
mod settings;
mod state;
mod view;

use std::time::Instant;

pub use self::progress::{PerKind, Progress};
pub use self::settings::{MachineSettings, TopicSettings};
pub use self::view::{
    FleetView, FrontierView, HoldView, Keeps, OperationView, PartitionView, PauseView, RecordView,
    Snapshot, StateView,
};
use crate::common::turn::Turn;
use crate::customers::Customers;
use crate::health::Health;
use crate::jobs::Jobs;
use crate::memory::Memory;
pub use crate::memory::journal::StateSettings;
use crate::objects::Objects;
pub use crate::objects::decide::fingerprint;
use crate::partitions::{Partitions, Read};
use crate::seam::fact::Fact;
use crate::seam::hold::{Family, Scope};
use crate::seam::invariant::Invariant;
pub use crate::seam::port::{
    CommitAnswer, CommitEntry, Committed, Effect, Input, LetterId, RequestId, SchemaMissing,
    SkippedRun, StateWriteId,
};
use crate::sending::Sending;
pub use crate::sending::fleet::Cap;
use crate::work::Work;
use ingest_model::outcome::HoldCause;

/// The state machine.
#[derive(Debug)]
pub struct Machine {
    settings: MachineSettings,
    turn: Turn,
    partitions: Partitions,
    work: Work,
    customers: Customers,
    objects: Objects,
    jobs: Jobs,
    sending: Sending,
    health: Health,
    memory: Memory,
    progress: Progress,
}

impl Machine {
    /// An idle machine at that time.
    #[must_use]
    pub fn new(settings: MachineSettings, now: Instant) -> Self {
        let caches = caches::entries(&settings);
        Self {
            turn: Turn::new(now, settings.seed),
            partitions: Partitions::new(settings.partitions()),
            work: Work::new(settings.patience),
            customers: Customers::new(settings.customers(
                caches.directory,
                caches.customers,
                caches.owners,
            )),
            objects: Objects::new(settings.objects(caches.directory)),
            jobs: Jobs::new(settings.jobs),
            sending: Sending::new(settings.quota, settings.seed),
            health: Health::new(settings.patient_probes, settings.eager_probes),
            memory: Memory::new(caches.events),
            progress: Progress::default(),
            settings,
        }
    }

    /// Takes one input at that time, and returns the effects.
    ///
    /// Time should never go back: a `now` before an earlier one is used as it is, and only delays what is due.
    pub fn step(&mut self, now: Instant, input: Input) -> Vec<Effect> {
        self.step_all(now, [input])
    }

    /// Takes several inputs at once, and then does what follows from all of them: what is sent meanwhile may differ by as many
    /// records as are passed at once.
    pub fn step_all(
        &mut self,
        now: Instant,
        inputs: impl IntoIterator<Item = Input>,
    ) -> Vec<Effect> {
        let before = std::mem::replace(&mut self.turn.now, now);
        self.notice_sleep(before);
        for input in inputs {
            self.take(now, input);
        }
        self.follow_up(now);
        self.turn.end()
    }

    fn take(&mut self, now: Instant, input: Input) {
        match input {
            Input::Topology(topics) => self.on_topology(now, topics),
            Input::Assigned {
                partition,
                epoch,
                committed,
            } => self.on_assigned(now, &partition, epoch, committed.as_ref()),
            Input::Revoked { partition, epoch } => self.on_revoked(&partition, epoch),
            Input::Lost { partition, epoch } => self.on_lost(now, &partition, epoch),
            Input::NewLife {
                partition,
                epoch,
                from,
                cause,
            } => self.on_new_life(&partition, epoch, from, cause),
            Input::Vanished {
                partition,
                epoch,
                gap,
            } => self
                .partitions
                .vanish(&mut self.turn, &partition, epoch, gap),
            Input::Empty {
                partition,
                epoch,
                gap,
            } => self.partitions.pass_empty(&partition, epoch, gap),
            Input::PositionsLost(topics) => self.on_positions_lost(now, &topics),
            Input::Record {
                record,
                epoch,
                event_ms,
                traffic,
                verdict,
                dropped,
                event_ids,
            } => {
                let read = Read {
                    event_ms,
                    traffic,
                    event_ids,
                };
                self.on_record(record, epoch, read, verdict, dropped);
            }
            Input::Skipped(run) => self.on_skipped(&run),
            Input::SchemaMissing(missing) => self.partitions.schema_missing(&missing),
            Input::Replied { request, reply } => self.on_replied(now, request, reply),
            Input::DeadLettered { letter, result } => self.on_dead_lettered(now, letter, result),
            Input::LettersStuck { to, trouble } => self.on_letters_stuck(now, to, trouble),
            Input::Committed { entries, answer } => self.on_committed(entries, answer),
            Input::Restored {
                partition,
                epoch,
                slice,
            } => self.on_restored(now, &partition, epoch, *slice),
            Input::RestoreFailed {
                partition,
                epoch,
                trouble,
            } => {
                self.on_restore_failed(now, &partition, epoch, trouble);
            }
            Input::StateWritten { write, result } => self.on_state_written(now, write, result),
            Input::ReleaseHold(id) => self.on_release(id),
            Input::Pause(pause) => self.on_pause(now, pause),
            Input::Resume { scope, by } => self.on_resume(scope, by.as_ref()),
            Input::Suppressed(keys) => self.on_suppressed(&keys),
            Input::KeyReplaced => self.on_key_replaced(now),
            Input::Riders(found) => self.sending.fleet.hear(now, found),
            Input::Reserve(requests) => self.sending.quota.set_reserve(now, requests),
            Input::Shutdown => self.on_shutdown(),
            Input::Wake => {}
        }
    }

    fn follow_up(&mut self, now: Instant) {
        self.end_pauses(now);
        self.fire_timers(now);
        self.restore_again(now);
        self.try_letters(now);
        self.activate_lanes(now);
        self.schedule(now);
        self.look_at_fleet(now);
        self.flush_state(now);
        self.hold_tripped(now);
        self.limit_held(now);
        self.settle_commits();
        self.check_drains(now);
        self.charge_beside();
        for partition in self.partitions.settle_pauses(&mut self.turn) {
            self.work.hurry_partition(&partition); // no event comes for what waits
        }
        self.look_at_frontiers(now);
        self.report_broken(now);
    }

    /// Whether there is a hold or a pause with that number.
    #[must_use]
    pub fn has_hold(&self, id: u64) -> bool {
        self.health.holds.has(id)
    }

    /// The topic whose lost positions that hold is about.
    #[must_use]
    pub fn lost_position(&self, hold: u64) -> Option<&ingest_model::record::Topic> {
        let mut all = self.health.holds.iter();
        let (scope, _) = all.find(|(_, one)| one.id == hold)?;
        if let Scope::Position(topic) = scope {
            return Some(topic);
        }
        None
    }

    /// Whether exactly that is paused.
    #[must_use]
    pub fn is_paused_by_plan(&self, scope: &Scope) -> bool {
        self.health.holds.pauses.holds(scope)
    }

    fn report_broken(&mut self, now: Instant) {
        let within = self.sending.quota.within_allowance(now);
        self.turn.check(Invariant::I6, within);
    }

    fn on_release(&mut self, id: u64) {
        if let Some((scope, cause)) = self.health.holds.release(id) {
            if cause == HoldCause::Paused {
                self.pause_ended(scope);
                return;
            }
            self.health.held.changed();
            match (&scope, cause) {
                (Scope::Topic(topic), _) => self.release_topic(topic),
                (Scope::Family(Family::KObjectWrite(klass)), HoldCause::Quarantine) => {
                    self.objects.quarantine.release(klass);
                }
                (Scope::Letters(to), _) => {
                    self.partitions.send_waiting_letters(&mut self.turn, *to);
                }
                (
                    Scope::Destination
                    | Scope::Family(_)
                    | Scope::Route(..)
                    | Scope::Position(_)
                    | Scope::State,
                    _,
                ) => {}
            }
            self.turn.fact(Fact::HoldEnded { scope, cause });
        }
    }

    /// What the former key was refused says nothing of the new one: what waits for a key or a role is tried now, and look-ups
    /// that the former key could not make are used again.
    fn on_key_replaced(&mut self, now: Instant) {
        self.health.key.forget();
        self.health.holds.try_now(now, |cause| {
            matches!(
                cause,
                HoldCause::BadToken | HoldCause::Billing | HoldCause::MissingRole
            )
        });
        self.customers.allow_all();
        self.turn.fact(Fact::KeyReplaced);
    }

    /// Charges what is kept apart from records to the budget.
    fn charge_beside(&mut self) {
        let caches = self.customers.ids.bytes() + self.objects.bytes();
        let remembered = self.memory.events.bytes(0) + self.customers.said.bytes();
        let suppressed = self.customers.suppressed.bytes();
        let waiting = self.customers.bytes() + self.memory.journal.bytes();
        let beside = caches + remembered + suppressed + waiting;
        let bytes = caches::charged(beside).saturating_add(self.partitions.parked());
        self.partitions.charge_beside(self.turn.now, bytes);
    }
}
