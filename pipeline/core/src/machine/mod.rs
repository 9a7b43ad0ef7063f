//! The delivery machine: everything that decides, as one state machine without I/O.
//!
//! Inputs and the time go in, effects come out. It runs the same under the worker's pump, under tests with a virtual clock
//! and in benches. It owns all state of delivery; nobody else holds any.
//!
//! What the caller may rely on: a record that was put in ends in exactly one of delivered, skipped, dead-lettered, set aside on the hold topic or
//! abandoned (left uncommitted for the next owner), and [`Effect::Commit`] never names an offset above one that is not
//! settled. What the caller must do: carry out effects in order, answer every [`Effect::Send`], [`Effect::DeadLetter`] and
//! [`Effect::Commit`] with the input that belongs to it, and put in [`Input::Wake`] at [`Machine::next_wake`].

mod answer;
mod answer_job;
mod answer_resolve;
mod answer_write;
mod asleep;
mod commit;
mod dispatch;
mod drain;
mod ends;
mod held;
mod identities;
mod inherit;
mod inheritance;
mod intake;
mod journal;
mod key;
mod letters;
mod look;
mod memory;
mod progress;
mod quarantine;
mod ready;
mod remember;
mod restore;
mod schedule;
mod settings;
mod shares;
mod snapshot;
mod split;
mod state;
mod success;
mod weight;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

pub use self::journal::StateSettings;
pub use self::progress::{PerKind, Progress};
pub use self::settings::{MachineSettings, TopicSettings};
pub use self::snapshot::{HoldView, PartitionView, Snapshot, StateView};
use self::state::Sent;
use crate::directory::{Directory, Generations};
use crate::fact::Fact;
use crate::fair::Turns;
use crate::hold::{Family, Holds, Scope};
use crate::job::Jobs;
use crate::objects::history::Histories;
use crate::operation::Klass;
use crate::outcome::HoldCause;
use crate::partitions::Partitions;
pub use crate::port::{CommitAnswer, CommitEntry, Committed, Effect, Input};
pub use crate::port::{LetterId, RequestId, StateWriteId};
use crate::quarantine::Quarantine;
use crate::quota::Quota;
use crate::record::Topic;
use crate::resolve::Resolver;
use crate::revision::Revisions;
use crate::turn::Turn;
use crate::work::Work;

/// The state machine.
#[derive(Debug)]
pub struct Machine {
    settings: MachineSettings,
    topology: BTreeMap<Topic, u32>,
    partitions: Partitions,
    work: Work,
    histories: Histories,
    requests: BTreeMap<RequestId, Sent>,
    jobs: Jobs,
    resolver: Resolver,
    directory: Directory,
    delivered_events: Generations<u128, ()>,
    identities: identities::Identities,
    quota: Quota,
    turns: Turns,
    holds: Holds,
    quarantine: Quarantine,
    held: held::HeldWork,
    customer_refs: bool,
    object_refs: bool,
    duplicates_refused: BTreeSet<Klass>,
    revisions: Revisions,
    failures: u32,
    key: key::KeyHealth,
    successes: success::Successes,
    progress: Progress,
    journal: journal::Journal,
    inheritance: inheritance::Inheritance,
    /// This replica owns every partition: nobody else writes what it writes.
    alone: bool,
    shutting_down: bool,
    drained: bool,
    next_permit: Option<Instant>,
    turn: Turn,
}

impl Machine {
    /// An idle machine, at that time.
    #[must_use]
    pub fn new(settings: MachineSettings, now: Instant) -> Self {
        let resolver = Resolver::new(settings.resolver());
        let caches = memory::entries(&settings);
        Self {
            topology: BTreeMap::new(),
            partitions: Partitions::new(settings.partitions()),
            work: Work::new(settings.patience),
            histories: Histories::default(),
            requests: BTreeMap::new(),
            jobs: Jobs::new(settings.jobs),
            resolver,
            directory: Directory::new(caches.directory),
            delivered_events: Generations::new(caches.events),
            identities: identities::Identities::new(caches.customers),
            quota: Quota::new(settings.quota),
            turns: Turns::default(),
            holds: Holds::new(settings.patient_probes, settings.eager_probes),
            quarantine: Quarantine::default(),
            held: held::HeldWork::default(),
            customer_refs: true,
            object_refs: true,
            duplicates_refused: BTreeSet::new(),
            revisions: Revisions::default(),
            failures: 0,
            key: key::KeyHealth::default(),
            successes: success::Successes::default(),
            progress: Progress::default(),
            journal: journal::Journal::default(),
            inheritance: inheritance::Inheritance::default(),
            alone: false,
            shutting_down: false,
            drained: false,
            next_permit: None,
            turn: Turn::new(now, settings.seed),
            settings,
        }
    }

    /// Takes one input at that time and says what is to be done.
    ///
    /// Time never goes back: a `now` below an earlier one is taken as it is and only delays what is due.
    pub fn step(&mut self, now: Instant, input: Input) -> Vec<Effect> {
        let before = std::mem::replace(&mut self.turn.now, now);
        self.notice_sleep(before);
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
            Input::Record {
                record,
                epoch,
                event_ms,
                verdict,
                dropped,
            } => {
                self.on_record(record, epoch, event_ms, verdict, dropped);
            }
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
            Input::ReleaseHold(id) => self.on_release(now, id),
            Input::Shutdown => self.on_shutdown(),
            Input::Wake => {}
        }
        self.fire_timers(now);
        self.restore_again(now);
        self.try_letters(now);
        self.activate_lanes(now);
        self.schedule(now);
        self.flush_state(now);
        self.hold_tripped(now);
        self.limit_held(now);
        self.settle_commits();
        self.check_drains(now);
        self.charge_beside();
        self.partitions.settle_pauses(&mut self.turn);
        self.report_broken(now);
        self.turn.end()
    }

    /// Whether a hold of that number exists.
    #[must_use]
    pub fn has_hold(&self, id: u64) -> bool {
        self.holds.iter().any(|(_, hold)| hold.id == id)
    }

    fn report_broken(&mut self, now: Instant) {
        let within = self.quota.within_allowance(now);
        self.turn.check(crate::invariant::Invariant::I6, within);
    }

    fn on_release(&mut self, now: Instant, id: u64) {
        if let Some((scope, cause)) = self.holds.release(id) {
            self.held.changed = true;
            match (&scope, cause) {
                (Scope::Topic(topic), _) => self.release_topic(topic),
                (Scope::Family(Family::KObjectWrite(klass)), HoldCause::Quarantine) => {
                    self.quarantine.release(klass);
                }
                (Scope::Letters(to), _) => {
                    self.partitions.send_waiting_letters(&mut self.turn, *to)
                }
                (Scope::Destination | Scope::Family(_) | Scope::State, _) => {}
            }
            self.turn.fact(Fact::HoldEnded { scope, cause });
        }
    }
}
