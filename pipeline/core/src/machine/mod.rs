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
mod commit_room;
mod dispatch;
mod drain;
mod guard;
mod held;
mod identities;
mod inherit;
mod intake;
mod journal;
mod key;
mod letters;
mod life;
mod look;
mod memory;
mod progress;
mod quarantine;
mod ready;
mod remember;
mod restore;
mod schedule;
mod settings;
mod settle;
mod snapshot;
mod split;
mod state;
mod success;
mod track_queue;
mod weight;

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::time::Instant;

pub use self::journal::StateSettings;
pub use self::progress::{PerKind, Progress};
pub use self::settings::{MachineSettings, TopicSettings};
pub use self::snapshot::{HoldView, PartitionView, Snapshot, StateView};
use self::state::{
    Assignment, OperationState, RecordId, RecordState, RequestId as Id, Sent, Timer,
};
use crate::call::{Call, Reply};
use crate::charge::Budget;
use crate::commit_metadata::Metadata;
use crate::dead_letter::DeadLetterGuard;
use crate::directory::{Directory, Generations};
use crate::fact::{Fact, LifeCause};
use crate::fair::Turns;
use crate::hold::{Family, Holds, LetterTopic, Scope};
use crate::invariant::Audit;
use crate::job::Jobs;
use crate::lane::{LaneId, Lanes, OperationId};
use crate::operation::Klass;
use crate::outcome::{DroppedField, Held, HoldCause, Rejected, Verdict};
use crate::pack::Groups;
use crate::quarantine::Quarantine;
use crate::quota::Quota;
use crate::reading::Gap;
use crate::record::{Epoch, Offset, Record, Topic, TopicPartition};
use crate::resolve::Resolver;
use crate::retry::Jitter;
use crate::revision::Revisions;
use crate::state_log::reduce::Slice;
use crate::state_log::writer::StateRecord;
use crate::trouble::Trouble;

pub use self::state::{LetterId, RequestId, StateWriteId};

/// What reaches the machine.
#[derive(Debug)]
pub enum Input {
    /// How many partitions each subscribed topic has: the base of this replica's share.
    Topology(Vec<(Topic, u32)>),
    /// A partition is this process's from now on.
    Assigned {
        /// Which.
        partition: TopicPartition,
        /// The assignment.
        epoch: Epoch,
        /// What the group has committed for it, if anything.
        committed: Option<Committed>,
    },
    /// A partition is to be handed back: answer with [`Effect::HandBack`] when drained.
    Revoked {
        /// Which.
        partition: TopicPartition,
        /// The assignment.
        epoch: Epoch,
    },
    /// A partition belongs to somebody else already: let go at once.
    Lost {
        /// Which.
        partition: TopicPartition,
        /// The assignment.
        epoch: Epoch,
    },
    /// A partition that is held begins a new life: offsets of the old one mean nothing in it.
    NewLife {
        /// Which.
        partition: TopicPartition,
        /// The epoch of the new life; records that are still to come of the old one carry the old one.
        epoch: Epoch,
        /// Where it is read from.
        from: Offset,
        /// What ended the old one.
        cause: LifeCause,
    },
    /// Records of a partition were deleted before they were read.
    Vanished {
        /// Which.
        partition: TopicPartition,
        /// The epoch that it was read under.
        epoch: Epoch,
        /// Their offsets.
        gap: Gap,
    },
    /// A record, decoded and mapped.
    Record {
        /// The record, kept until it is settled.
        record: Record,
        /// The assignment that it was read under.
        epoch: Epoch,
        /// The event's time, epoch milliseconds.
        event_ms: Option<i64>,
        /// What decoding and mapping said.
        verdict: Verdict,
        /// The optional fields that mapping left out.
        dropped: Vec<DroppedField>,
    },
    /// The answer to [`Effect::Send`].
    Replied {
        /// Which request.
        request: RequestId,
        /// What it came to.
        reply: Reply,
    },
    /// The answer to [`Effect::DeadLetter`] and [`Effect::Divert`].
    DeadLettered {
        /// Which.
        letter: LetterId,
        /// Whether the broker acknowledged it, or why not.
        result: Result<(), Trouble>,
    },
    /// Letters to that topic have been under way for longer than brokers need, and this is why.
    LettersStuck {
        /// To which.
        to: LetterTopic,
        /// What the brokers say of it.
        trouble: Trouble,
    },
    /// The answer to [`Effect::Commit`].
    Committed {
        /// What this answer is about: all of the commit, or part of it.
        entries: Vec<(TopicPartition, Epoch, Offset)>,
        /// What the broker said.
        answer: CommitAnswer,
    },
    /// The answer to [`Effect::Restore`]: what the slice of the partition holds.
    Restored {
        /// Which partition.
        partition: TopicPartition,
        /// Under which assignment it was asked for.
        epoch: Epoch,
        /// Its slice.
        slice: Box<Slice>,
    },
    /// The answer to [`Effect::Restore`] when the slice could not be read; it is asked for again.
    RestoreFailed {
        /// Which partition.
        partition: TopicPartition,
        /// Under which assignment it was asked for.
        epoch: Epoch,
        /// Why.
        trouble: Trouble,
    },
    /// The answer to [`Effect::WriteState`].
    StateWritten {
        /// Which batch.
        write: StateWriteId,
        /// Whether the brokers acknowledged all of it, or why not.
        result: Result<(), Trouble>,
    },
    /// A person released the hold of this number.
    ReleaseHold(u64),
    /// Stop: drain everything, then [`Effect::Drained`].
    Shutdown,
    /// Time has passed.
    Wake,
}

/// What the machine wants done, in this order.
#[derive(Debug)]
pub enum Effect {
    /// Send this request.
    Send {
        /// Names it in the answer.
        request: RequestId,
        /// The request.
        call: Call,
    },
    /// Put this record on the dead-letter topic.
    DeadLetter {
        /// Names it in the answer.
        letter: LetterId,
        /// The record as it came.
        record: Record,
        /// Why.
        rejected: Rejected,
        /// Attempts that were made.
        attempts: u32,
    },
    /// Put this record on the hold topic. The answer is [`Input::DeadLettered`].
    Divert {
        /// Names it in the answer.
        letter: LetterId,
        /// The record as it came.
        record: Record,
        /// What kept it back.
        held: Held,
        /// Attempts that were made.
        attempts: u32,
    },
    /// Commit these offsets.
    Commit(Vec<CommitEntry>),
    /// Deliver no more records of these partitions.
    Pause(Vec<TopicPartition>),
    /// Deliver records of these partitions again.
    Resume(Vec<TopicPartition>),
    /// Give this partition back to the group.
    HandBack {
        /// Which.
        partition: TopicPartition,
        /// The assignment that ends.
        epoch: Epoch,
    },
    /// Read the slice of this input partition from the state topic. The partition is paused until it is resumed.
    Restore {
        /// Which.
        partition: TopicPartition,
        /// Under which assignment.
        epoch: Epoch,
    },
    /// Write these to the partition of the state topic that belongs to the slice of an input partition.
    WriteState {
        /// Names the batch in the answer.
        write: StateWriteId,
        /// Whose slice.
        partition: TopicPartition,
        /// The batch, in its order.
        records: Vec<StateRecord>,
    },
    /// Everything is handed back after [`Input::Shutdown`].
    Drained,
    /// Something happened that people may want to know.
    Fact(Fact),
}

/// An offset that was found committed, and the text beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The next offset to be read.
    pub offset: Offset,
    /// The text.
    pub metadata: Metadata,
}

/// What became of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitAnswer {
    /// The broker took it.
    Accepted,
    /// It did not, or did not answer; later it may.
    Failed,
    /// The text is longer than the broker allows.
    MetadataTooLarge,
}

/// One offset to commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitEntry {
    /// Of which partition.
    pub partition: TopicPartition,
    /// Under which assignment.
    pub epoch: Epoch,
    /// The next offset to be read.
    pub offset: Offset,
    /// What is settled above it, as text, if anything is.
    pub metadata: Option<String>,
}

/// The state machine.
#[derive(Debug)]
pub struct Machine {
    settings: MachineSettings,
    assignments: HashMap<TopicPartition, Assignment>,
    topology: HashMap<Topic, u32>,
    records: HashMap<RecordId, RecordState>,
    operations: HashMap<OperationId, OperationState>,
    requests: HashMap<Id, Sent>,
    lanes: Lanes,
    dirty: VecDeque<LaneId>,
    ready_track: track_queue::TrackQueue,
    groups: Groups,
    forced: VecDeque<state::Batch>,
    verify: BTreeSet<OperationId>,
    jobs: Jobs,
    resolver: Resolver,
    directory: Directory,
    delivered_events: Generations<u128, ()>,
    identities: identities::Identities,
    quota: Quota,
    turns: Turns,
    holds: Holds,
    guard: DeadLetterGuard,
    quarantine: Quarantine,
    budget: Budget,
    held: held::HeldWork,
    /// Which partitions rest is to be looked at.
    pauses_changed: bool,
    audit: Audit,
    jitter: Jitter,
    timers: BTreeSet<(Instant, Timer)>,
    next_id: u64,
    customer_refs: bool,
    object_refs: bool,
    duplicates_refused: HashSet<Klass>,
    revisions: Revisions,
    failures: u32,
    key: key::KeyHealth,
    successes: success::Successes,
    commit: state::CommitState,
    letters: letters::Letters,
    progress: Progress,
    journal: journal::Journal,
    inheritance: inherit::Inheritance,
    /// This replica owns every partition: nobody else writes what it writes.
    alone: bool,
    shutting_down: bool,
    drained: bool,
    next_permit: Option<Instant>,
    stepped_at: Option<Instant>,
    effects: Vec<Effect>,
}

impl Machine {
    /// An idle machine.
    #[must_use]
    pub fn new(settings: MachineSettings) -> Self {
        let resolver = Resolver::new(settings.resolver());
        let (entries, occurrences) = memory::entries(&settings);
        Self {
            assignments: HashMap::new(),
            topology: HashMap::new(),
            records: HashMap::new(),
            operations: HashMap::new(),
            requests: HashMap::new(),
            lanes: Lanes::default(),
            dirty: VecDeque::new(),
            ready_track: track_queue::TrackQueue::default(),
            groups: Groups::new(settings.patience),
            forced: VecDeque::new(),
            verify: BTreeSet::new(),
            jobs: Jobs::new(settings.jobs),
            resolver,
            directory: Directory::new(entries),
            delivered_events: Generations::new(occurrences),
            identities: identities::Identities::default(),
            quota: Quota::new(settings.quota),
            turns: Turns::default(),
            holds: Holds::new(settings.patient_probes, settings.eager_probes),
            guard: DeadLetterGuard::new(settings.accept_dead_letters.clone()),
            quarantine: Quarantine::default(),
            budget: Budget::new(settings.budget),
            held: held::HeldWork::default(),
            pauses_changed: false,
            audit: Audit::default(),
            jitter: Jitter::new(settings.seed),
            timers: BTreeSet::new(),
            next_id: 0,
            customer_refs: true,
            object_refs: true,
            duplicates_refused: HashSet::new(),
            revisions: Revisions::default(),
            failures: 0,
            key: key::KeyHealth::default(),
            successes: success::Successes::default(),
            commit: state::CommitState::default(),
            letters: letters::Letters::default(),
            progress: Progress::default(),
            journal: journal::Journal::default(),
            inheritance: inherit::Inheritance::default(),
            alone: false,
            shutting_down: false,
            drained: false,
            next_permit: None,
            stepped_at: None,
            effects: Vec::new(),
            settings,
        }
    }

    /// Takes one input at that time and says what is to be done.
    ///
    /// Time never goes back: a `now` below an earlier one is taken as it is and only delays what is due.
    pub fn step(&mut self, now: Instant, input: Input) -> Vec<Effect> {
        self.notice_sleep(now);
        self.stepped_at = Some(now);
        match input {
            Input::Topology(topics) => self.on_topology(now, topics),
            Input::Assigned {
                partition,
                epoch,
                committed,
            } => self.on_assigned(now, &partition, epoch, committed.as_ref()),
            Input::Revoked { partition, epoch } => self.on_revoked(now, &partition, epoch),
            Input::Lost { partition, epoch } => self.on_lost(now, &partition, epoch),
            Input::NewLife {
                partition,
                epoch,
                from,
                cause,
            } => self.on_new_life(now, &partition, epoch, from, cause),
            Input::Vanished {
                partition,
                epoch,
                gap,
            } => self.on_vanished(&partition, epoch, gap),
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
            Input::Shutdown => self.on_shutdown(now),
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
        self.settle_commits(now);
        self.check_drains(now);
        self.charge_beside();
        self.settle_pauses();
        self.report_broken(now);
        std::mem::take(&mut self.effects)
    }

    /// Whether a hold of that number exists.
    #[must_use]
    pub fn has_hold(&self, id: u64) -> bool {
        self.holds.iter().any(|(_, hold)| hold.id == id)
    }

    fn fact(&mut self, fact: Fact) {
        self.effects.push(Effect::Fact(fact));
    }

    fn fresh(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    fn report_broken(&mut self, now: Instant) {
        let within = self.quota.within_allowance(now);
        self.audit.check(crate::invariant::Invariant::I6, within);
        for invariant in self.audit.take() {
            self.effects.push(Effect::Fact(Fact::Broken(invariant)));
        }
    }

    fn on_release(&mut self, now: Instant, id: u64) {
        if let Some((scope, cause)) = self.holds.release(id) {
            self.held.changed = true;
            match (&scope, cause) {
                (Scope::Topic(topic), _) => self.release_topic(topic),
                (Scope::Family(Family::KObjectWrite(klass)), HoldCause::Quarantine) => {
                    self.quarantine.release(klass);
                }
                (Scope::Letters(to), _) => self.send_waiting_letters(now, *to),
                (Scope::Destination | Scope::Family(_) | Scope::State, _) => {}
            }
            self.fact(Fact::HoldEnded { scope, cause });
        }
    }
}
