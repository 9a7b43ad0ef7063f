//! Records that come in and requests that leave: what the machine is told of them and what it wants done, and what those are
//! told who follow records ([`crate::observe::telemetry::traces::Traces`]). Where nobody does, that is one comparison for each.

use std::sync::Arc;
use std::time::Instant;

use ingest_delivery::fact::Fact;
use ingest_delivery::machine::{Input, RequestId};
use ingest_model::call::Call;
use ingest_model::record::{Epoch, Position, Record, TopicPartition, Traffic};

use super::Pump;
use super::mappers::{Mapped, MappedRecord};
use super::requests::Answered;
use crate::clock::Clock;

/// Mapped records in one step, at most. More save hardly anything; each step is looked at as a whole by whoever reads a recording.
const AT_ONCE: usize = 64;

impl Pump {
    /// Counts the records of a batch: neighbours of one topic together.
    pub(super) fn came_in(&mut self, all: &[Mapped]) {
        for some in all.chunk_by(|one, next| one.topic() == next.topic()) {
            let records = some.iter().map(Mapped::records).sum();
            self.view.records_in += records;
            if let Some(first) = some.first() {
                self.observer.records_in(first.topic(), records);
            }
        }
    }

    /// Mapped records go in, a few to a step: what follows from a step is done once for all of them.
    pub(super) fn mapped(&mut self, all: Vec<Mapped>) {
        let mut all = all.into_iter();
        let mut followed = Vec::new();
        while all.len() > 0 {
            let few = all.by_ref().take(AT_ONCE);
            let inputs: Vec<Input> = few.map(|one| self.input_of(one, &mut followed)).collect();
            self.step_all(inputs);
            for (position, epoch) in followed.drain(..) {
                self.trace_taken(&position, epoch);
            }
        }
    }

    fn input_of(&mut self, mapped: Mapped, followed: &mut Vec<(Position, Epoch)>) -> Input {
        match mapped {
            Mapped::Skipped(run, notes) => {
                let topic = &run.partition.topic;
                notes
                    .iter()
                    .for_each(|notes| self.observer.noted(topic, notes));
                Input::Skipped(run)
            }
            Mapped::Waits(missing) => Input::SchemaMissing(missing),
            Mapped::Record(mapped) => {
                let MappedRecord {
                    record,
                    epoch,
                    event_ms,
                    traffic,
                    notes,
                    verdict,
                    dropped,
                    event_ids,
                } = *mapped;
                let topic = &record.position.partition.topic;
                self.observer.noted(topic, &notes);
                let position = self.trace_record(&record, traffic);
                followed.extend(position.map(|position| (position, epoch)));
                Input::Record {
                    record,
                    epoch,
                    event_ms,
                    traffic,
                    verdict,
                    dropped,
                    event_ids,
                }
            }
        }
    }

    /// A request leaves.
    pub(super) fn send(&mut self, decided: Instant, request: RequestId, call: Arc<Call>) {
        if let Some(traces) = &mut self.traces {
            let machine = &self.machine;
            traces.sent(Clock.unix_ns(), request, &call, |show| {
                machine.records_of(request, show);
            });
        }
        self.requests.send(decided, request, call);
    }

    /// A request was answered.
    pub(super) fn answered(&mut self, answered: Answered) {
        let Answered {
            request,
            reply,
            status,
        } = answered;
        let traces = self.traces.as_mut();
        let job =
            traces.and_then(|traces| traces.answered(Clock.unix_ns(), request, &reply, status));
        let reply = Arc::new(reply);
        self.reserve.heard(Clock.now(), &reply.limits);
        self.step(Input::Replied { request, reply });
        if let (Some(traces), Some(job)) = (&mut self.traces, job)
            && !self.machine.has_job(&job)
        {
            traces.job_ended(Clock.unix_ns(), &job);
        }
    }

    /// Where the record is, if it is followed.
    fn trace_record(&mut self, record: &Record, traffic: Traffic) -> Option<Position> {
        let traces = self.traces.as_mut()?;
        let now = (Clock.now(), Clock.unix_ns());
        let followed = traces.came_in(now, record, traffic);
        followed.then(|| record.position.clone())
    }

    /// A followed record was put in. If the machine did not take it, nothing more will be heard of it.
    fn trace_taken(&mut self, position: &Position, epoch: Epoch) {
        if let Some(traces) = &mut self.traces
            && !self.machine.is_open(position, epoch)
        {
            traces.ignored(position);
        }
    }

    pub(super) fn trace_fact(&mut self, fact: &Fact) {
        if let Some(traces) = &mut self.traces
            && let Fact::Settled {
                topic,
                place: Some((partition, offset)),
                settlement,
                ..
            } = fact
        {
            let position = Position {
                partition: TopicPartition {
                    topic: topic.clone(),
                    partition: *partition,
                },
                offset: *offset,
            };
            traces.settled(Clock.unix_ns(), &position, *settlement);
        }
    }

    /// A partition does not belong to this process any more.
    pub(super) fn trace_gone(&mut self, partition: &TopicPartition) {
        if let Some(traces) = &mut self.traces {
            traces.gone(Clock.unix_ns(), partition);
        }
    }

    /// Jobs end without an answer, too: when their partitions go.
    pub(super) fn trace_jobs(&mut self) {
        if let Some(traces) = &mut self.traces {
            let machine = &self.machine;
            traces.look_at_jobs(Clock.unix_ns(), |job| machine.has_job(job));
        }
    }
}
