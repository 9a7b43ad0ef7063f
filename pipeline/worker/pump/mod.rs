//! The pump: the one task that owns the delivery machine and carries out its effects.
//!
//! Everything that decides is in the machine; everything that waits is around it: the source's thread, the mapper
//! threads, one task per request, one task per dead letter. All of them talk to the pump through bounded channels, or are
//! tasks that it joins. So nothing is lost if one of them panics: its request counts as unanswered.
//!
//! The order of the `select!` matters. Shutdown and people's commands are rare and go first. Answers go before new
//! records, because they free what new records wait for. The source's control events (assignments, commits) are few. A
//! wake-up, at most one per round, goes before records, so that a flood of records does not delay what is due. Records go
//! last, where they can starve nothing.

mod brokers;
mod letters;
mod lives;
pub mod mappers;
mod port;
mod receipts;
pub mod recorder;
mod requests;
mod source;
mod state;
mod traced;

use std::time::{Duration, Instant};

use ingest_delivery::hold::LetterTopic;
use ingest_delivery::machine::{Effect, Input, Machine, MachineSettings};
use ingest_kafka::{
    KafkaSettings, LostPosition, SourceCommand, SourceEvent, SourceHandle, Statistics,
    TOPOLOGY_INTERVAL,
};
use ingest_kustomer::Client;
use ingest_model::record::Topic;
use ingest_registry::{Handle, Service};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use self::brokers::{
    BrokersView, Credentials, CredentialsStatus, KafkaRenewal, KafkaStatus, TopicProblem,
    TopicTrouble,
};
use self::brokers::{Clients, RECEIPTS, setting_of};
use self::letters::Letters;
pub use self::letters::form::{header as letter_header, held_letter_of, letter_of};
use self::mappers::suspects::Suspects;
use self::mappers::{Batch, Judge, Mappers};
pub use self::port::{Command, PumpError, PumpView};
use self::receipts::Receipts;
pub use self::receipts::{Done, Origin, Receipt, ReceiptsStatus};
use self::recorder::Recorder;
use self::requests::Requests;
pub use self::requests::{PauseWatch, ReserveChange, ReserveWatch};
use self::state::State;
pub use self::state::{Progress, StateTopicError, judge as judge_state_topic};
use crate::clock::Clock;
use crate::observe::Observer;
use crate::observe::telemetry::traces::Traces;

/// Everything needed to build a pump.
#[derive(Debug)]
pub struct PumpParts {
    /// Checked Kafka settings.
    pub kafka: KafkaSettings,
    /// Reads the files with credentials again; `None` if there are none.
    pub renewal: Option<KafkaRenewal>,
    /// The dead-letter topic.
    pub dead_letter_topic: Topic,
    /// Where records go if their routes divert held work; `None` if no route does.
    pub hold_topic: Option<Topic>,
    /// Where receipts go; `None` if none are wanted. Which records have one, the machine's settings and the judge know.
    pub receipts_topic: Option<Topic>,
    /// The machine's settings.
    pub machine: MachineSettings,
    /// How much of the limit is left alone at which time of day.
    pub reserve: ReserveWatch,
    /// What the configuration pauses at which times.
    pub pauses: PauseWatch,
    /// The client of the API.
    pub client: Client,
    /// Decodes and maps records.
    pub judge: Judge,
    /// The schema registry and its task.
    pub registry: Option<(Handle, Service)>,
    /// The records at which an earlier process may have died; `None` if they are not tracked.
    pub suspects: Option<Suspects>,
    /// The number of threads that decode and map.
    pub mapper_threads: usize,
    /// Where facts go.
    pub observer: Observer,
    /// Records every step.
    pub recorder: Recorder,
    /// Follows records; `None` if nobody wants to know.
    pub traces: Option<Traces>,
}

/// How often the view is refreshed.
const VIEW_INTERVAL: Duration = Duration::from_secs(1);
/// Batches of mapped records that wait for the pump. They are charged only when it takes them, so this is a constant on top of the
/// budget: few, because their operations may be larger than they were.
const MAPPED_QUEUE: usize = 1;

struct Pump {
    machine: Machine,
    source: SourceHandle,
    letters: Letters,
    receipts: Receipts,
    observer: Observer,
    recorder: Recorder,
    traces: Option<Traces>,
    dead_letter_topic: Topic,
    hold_topic: Option<Topic>,
    /// A partition without a committed offset is read from its end.
    reads_from_end: bool,
    /// Partitions that are not read because their position was lost.
    lost_positions: Vec<LostPosition>,
    requests: Requests,
    reserve: ReserveWatch,
    pauses: PauseWatch,
    /// The state topic, if there is one.
    state: Option<State>,
    registry: Option<Handle>,
    drained: bool,
    view: PumpView,
}

/// Runs a pump until `shutdown` is cancelled and everything is drained.
///
/// # Errors
/// Why it ended, if nobody asked it to. What was not settled is not committed.
pub async fn run(
    parts: PumpParts,
    shutdown: CancellationToken,
    mut commands: mpsc::Receiver<Command>,
    views: watch::Sender<Option<PumpView>>,
) -> Result<(), PumpError> {
    let now = Clock.now();
    let dead = Some(parts.dead_letter_topic.clone());
    let written = [
        (dead, setting_of(LetterTopic::Dead)),
        (parts.hold_topic.clone(), setting_of(LetterTopic::Held)),
        (parts.receipts_topic.clone(), RECEIPTS),
    ];
    let topics = brokers::configured(&parts.kafka, written);
    let letters = Letters::new(&parts.kafka)?;
    let receipts = parts.receipts_topic.as_ref();
    let receipts = Receipts::start(receipts, &parts.kafka, parts.observer.metrics())?;
    let (live_in, live) = watch::channel(parts.kafka.clone());
    let state = State::of(&live)?;
    let (mapped_in, mut mapped) = mpsc::channel(MAPPED_QUEUE);
    let (mappers, mapper_threads) = Mappers::start(
        parts.mapper_threads,
        parts.judge,
        parts.suspects,
        parts.registry.as_ref().map(|(handle, _)| handle),
        &mapped_in,
    )?;
    drop(mapped_in);
    let (source, events) = ingest_kafka::spawn(&parts.kafka)?;
    let (control_in, mut control) = mpsc::channel(64);
    let mut forwarding = JoinSet::new();
    forwarding.spawn(source::forward(events, mappers, control_in));
    let (topology_in, mut topology) = mpsc::channel(1);
    let mut watching = JoinSet::new();
    let (registry, service) = parts.registry.unzip();
    service.map(|service| watching.spawn(service.run()));
    watching.spawn(source::watch_topology(
        live.clone(),
        topology_in,
        TOPOLOGY_INTERVAL,
    ));
    let watch = brokers::Watch::new(topics, parts.observer.places());
    let (sending, writing) = (letters.producer(), state.as_ref().map(State::renewable));
    let telling = receipts.producer();
    let clients = Clients::new(sending, writing, telling, source.renewer(), live_in);
    let renewal = parts.renewal.map(|renewal| (renewal, clients));
    let brokers = brokers::watch(&mut watching, watch, live, renewal, &parts.observer);

    parts.recorder.begin(now, Clock.unix_ms(), &parts.machine);
    let asleep_after = parts.machine.asleep_after;
    let machine = Machine::new(parts.machine, now);
    let view = PumpView {
        snapshot: machine.snapshot(now),
        at: now,
        statistics: Statistics::default(),
        source_error: None,
        topology_known: false,
        joined: false,
        reserve: None,
        records_in: 0,
        restore: None,
        brokers: BrokersView::default(),
        registry: None,
        receipts: None,
    };
    let mut pump = Pump {
        machine,
        source,
        letters,
        receipts,
        observer: parts.observer,
        recorder: parts.recorder,
        traces: parts.traces.map(Traces::started),
        dead_letter_topic: parts.dead_letter_topic,
        hold_topic: parts.hold_topic,
        reads_from_end: parts.kafka.reads_from_end(),
        lost_positions: Vec::new(),
        requests: Requests::new(parts.client, asleep_after),
        reserve: parts.reserve,
        pauses: parts.pauses,
        state,
        registry,
        drained: false,
        view,
    };
    let mut stopping = false;
    let mut view_at = now;
    while !pump.drained {
        if let Some(state) = &mut pump.state {
            state.begin();
        }
        let wake = pump.next_wake().map_or(view_at, |at| at.min(view_at));
        tokio::select! { biased;
            () = shutdown.cancelled(), if !stopping => {
                stopping = true;
                pump.step(Input::Shutdown);
            }
            Some(command) = commands.recv() => pump.command(command),
            Some(answered) = pump.requests.next() => pump.answered(answered),
            Some(ended) = pump.letters.next() => pump.letter_ended(ended),
            Some(answers) = state::ended(pump.state.as_mut(), &pump.view.brokers) => {
                for input in answers? {
                    pump.step(input);
                }
            }
            event = control.recv() => match event {
                Some(event) => pump.control(event)?,
                None => return Err(PumpError::Source("its thread ended".to_owned())),
            },
            Some(counts) = topology.recv() => {
                pump.view.topology_known = true;
                pump.step(Input::Topology(counts));
            }
            () = tokio::time::sleep_until(wake.into()) => {
                pump.step(Input::Wake);
                if Clock.now() >= view_at {
                    pump.look_at(&brokers);
                    pump.publish(&views);
                    view_at = Clock.now() + VIEW_INTERVAL;
                }
            }
            batch = mapped.recv() => {
                let Some(Batch { all, room }) = batch else {
                    return Err(PumpError::Mapper);
                };
                // A record comes after the assignment under which it was read, so earlier control events are handled
                // first.
                while let Ok(event) = control.try_recv() {
                    pump.control(event)?;
                }
                // From now on the records are charged to the budget.
                drop(room);
                pump.came_in(&all);
                pump.mapped(all);
            }
        }
    }
    pump.publish(&views);
    pump.requests.abort();
    let traces = pump.traces.take();
    watching.abort_all();
    pump.command_source(SourceCommand::Stop);
    source::stopped(&mut control, &mut mapped).await;
    drop(mapped);
    forwarding.shutdown().await;
    mapper_threads.ended().await;
    pump.receipts.finish().await;
    if let Some(traces) = traces {
        traces.finish().await;
    }
    Ok(())
}

impl Pump {
    /// When the machine or the time of day wants something. What is news of the reserve is told first.
    fn next_wake(&mut self) -> Option<Instant> {
        let (now, wall_ms) = (Clock.now(), Clock.unix_ms());
        if let Some(requests) = self.reserve.news(now, wall_ms) {
            tracing::info!(requests, "reserve of every minute");
            self.step(Input::Reserve(requests));
        }
        self.view.reserve = self.reserve.next(now, wall_ms);
        let change = self.view.reserve.map(|change| change.at);
        for input in self.pauses.news(now, wall_ms) {
            self.step(input);
        }
        let planned = self.pauses.next(now, wall_ms);
        let wake = self.machine.next_wake(now).into_iter();
        wake.chain(change).chain(planned).min()
    }

    fn step(&mut self, input: Input) {
        self.step_all([input]);
    }

    fn step_all(&mut self, inputs: impl AsRef<[Input]> + IntoIterator<Item = Input>) {
        let now = Clock.now();
        self.recorder.inputs(now, inputs.as_ref());
        let effects = self.machine.step_all(now, inputs);
        self.recorder.effects(now, &effects);
        if effects.is_empty() {
            return;
        }
        let now_ms = Clock.unix_ms();
        for effect in effects {
            self.carry_out(now, now_ms, effect);
        }
    }

    fn carry_out(&mut self, decided: Instant, now_ms: i64, effect: Effect) {
        match effect {
            Effect::Send { request, call } => self.send(decided, request, call),
            Effect::DeadLetter {
                letter,
                record,
                rejected,
                attempts,
            } => {
                let topic = self.dead_letter_topic.clone();
                let outgoing = letter_of(topic, record, &rejected, attempts, Clock.unix_ms());
                self.letters.send(letter, LetterTopic::Dead, outgoing);
            }
            Effect::Divert {
                letter,
                record,
                held,
                attempts,
            } => {
                let Some(topic) = self.hold_topic.clone() else {
                    // No route diverts without one; if it did, the record would stay unsettled.
                    tracing::error!(
                        "a record should be set aside, but there is no kafka.hold_topic"
                    );
                    return;
                };
                let outgoing = held_letter_of(topic, record, &held, attempts, Clock.unix_ms());
                self.letters.send(letter, LetterTopic::Held, outgoing);
            }
            Effect::Commit(entries) => {
                self.command_source(source::commit(entries));
            }
            Effect::ReadRiders(partitions) => {
                self.command_source(SourceCommand::ReadCommitted(partitions));
            }
            Effect::Pause(partitions) => self.command_source(SourceCommand::Pause(partitions)),
            Effect::Resume(partitions) => self.command_source(SourceCommand::Resume(partitions)),
            Effect::HandBack { partition, epoch } => {
                tracing::info!(%partition, "handing back");
                self.trace_gone(&partition);
                self.command_source(SourceCommand::HandBack(vec![(partition, epoch)]));
            }
            Effect::Restore { partition, epoch } => {
                if let Some(state) = &mut self.state {
                    state.want(partition, epoch);
                }
            }
            Effect::WriteState {
                write,
                partition,
                records,
            } => {
                if let Some(state) = &mut self.state {
                    state.write(write, &partition, records);
                }
            }
            Effect::Receipt(settled) => self.receipts.put(settled, decided, now_ms),
            Effect::Drained => self.drained = true,
            Effect::Fact(fact) => {
                self.trace_fact(&fact);
                self.observer.fact(&fact, now_ms);
            }
        }
    }

    fn command_source(&self, command: SourceCommand) {
        if self.source.send(command).is_err() {
            // Its last event has said so, or will.
            tracing::debug!("the source has ended");
        }
    }

    fn command(&mut self, command: Command) {
        self.decide_position(&command);
        if let Some(input) = command.input(&self.machine) {
            self.step(input);
        }
    }

    fn letter_ended(&mut self, ended: letters::Ended) {
        if let Some(input) = self.letters.ended(ended, &self.view.brokers) {
            self.step(input);
        }
    }

    /// Takes over the result of the last check of the brokers.
    fn look_at(&mut self, brokers: &watch::Receiver<BrokersView>) {
        self.view.brokers = brokers.borrow().clone();
        self.view.registry = self.registry.as_ref().map(Handle::status);
        for input in self.letters.stuck(Clock.now(), &self.view.brokers) {
            self.step(input);
        }
    }

    fn control(&mut self, event: SourceEvent) -> Result<(), PumpError> {
        match event {
            SourceEvent::Assigned(assigned) => {
                self.view.joined = true;
                for one in assigned {
                    tracing::info!(partition = %one.partition, "assigned");
                    self.nothing_committed(&one);
                    let committed = self.begins_at(&one);
                    self.step(Input::Assigned {
                        partition: one.partition,
                        epoch: one.epoch,
                        committed,
                    });
                }
            }
            SourceEvent::Revoking(partitions) => {
                for (partition, epoch) in partitions {
                    tracing::info!(%partition, "revoked; draining");
                    self.step(Input::Revoked { partition, epoch });
                }
            }
            SourceEvent::Lost(partitions) => self.lost(partitions),
            SourceEvent::PositionsLost(waiting) => self.positions_lost(waiting),
            event @ (SourceEvent::NewLife { .. }
            | SourceEvent::Vanished { .. }
            | SourceEvent::Empty { .. }) => {
                self.reading_broke(event);
            }
            SourceEvent::Committed { entries, result } => {
                self.observer
                    .committed(result.as_ref().copied().map_err(|failure| failure.kind));
                if let Err(failure) = &result {
                    tracing::warn!(kind = failure.kind.as_str(), detail = %failure.detail, "a commit failed");
                }
                let answer = source::commit_answer(&result);
                self.step(Input::Committed { entries, answer });
            }
            SourceEvent::CommittedByOthers(found) => self.step(source::riders(found)),
            SourceEvent::Statistics(statistics) => {
                self.observer.statistics(&statistics);
                self.view.joined |= statistics.joined;
                self.view.statistics = statistics;
            }
            SourceEvent::Error(error) => {
                self.observer.source_error(&error);
                self.view.source_error = Some((Clock.now(), error.detail));
            }
            SourceEvent::Fatal(fatal) => return Err(PumpError::Source(fatal.to_string())),
            SourceEvent::Stopped => {
                return Err(PumpError::Source("it stopped unasked".to_owned()));
            }
            SourceEvent::Records(_) => {} // records go through the mapper threads
        }
        Ok(())
    }

    fn publish(&mut self, views: &watch::Sender<Option<PumpView>>) {
        let now = Clock.now();
        self.view.at = now;
        self.view.snapshot = self.machine.snapshot(now);
        self.view.restore = self.state.as_ref().and_then(State::progress);
        self.observer.snapshot(&self.view.snapshot, self.view.at);
        self.trace_jobs();
        self.view.receipts = self.receipts.status();
        let restore = self.view.restore.unwrap_or_default();
        self.observer.restoring(restore.read, restore.total);
        views.send_replace(Some(self.view.clone()));
    }
}
