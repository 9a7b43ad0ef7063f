//! What happens in a world: effects are carried out, requests answered, records delivered.

use std::sync::Arc;
use std::time::Duration;

use ingest_delivery::fact::{Fact, Settlement};
use ingest_delivery::machine::{CommitAnswer, CommitEntry, Effect, Input, LetterId};
use ingest_delivery::port::Metadata;
use ingest_delivery::settled::ReceiptsOf;
use ingest_kustomer::classify::{
    HttpReply, ReplyBody, Unanswered, classify, trouble_of, unanswered,
};
use ingest_kustomer::encode::{Method, encode};
use ingest_kustomer::limits;
use ingest_model::call::{Call, Reply};
use ingest_model::record::{Epoch, Record, TopicPartition};
use ingest_model::trouble::{Trouble, TroubleKind};
use kustomer_sim::{Cut, Request, SimTime};

use super::told::assert_told;
use super::{Event, SIM_START_MS, World};

impl World {
    pub(super) fn step(&mut self, replica: usize, input: Input) {
        let now = self.now;
        let Some(machine) = self.replicas[replica].machine.as_mut() else {
            return;
        };
        if let Some(digest) = &mut self.digest {
            digest.input(replica, now, &input);
        }
        let effects = machine.step(now, input);
        if let Some(digest) = &mut self.digest {
            digest.effects(&effects);
        }
        if self.settings.receipts == ReceiptsOf::All {
            assert_told(&effects);
        }
        for effect in effects {
            self.carry_out(replica, effect);
        }
    }

    /// A letter is on its way to the dead-letter topic, or aside to the hold topic.
    fn later_letter(&mut self, replica: usize, letter: LetterId, record: Record, aside: bool) {
        let mut position = record.position;
        let log = &self.logs[&position.partition];
        position.offset.0 = log.name(position.offset.0, record.timestamp_ms);
        let event = Event::Letter {
            replica,
            generation: self.replicas[replica].generation,
            letter,
            position,
            aside,
        };
        self.later(Duration::from_millis(5), event);
    }

    fn carry_out(&mut self, replica: usize, effect: Effect) {
        let generation = self.replicas[replica].generation;
        match effect {
            Effect::Send { request, call } => {
                self.watch_sent(&call);
                self.count_sent();
                self.note_carried(&call);
                let event = Event::Answer {
                    replica,
                    generation,
                    request,
                    call: Arc::unwrap_or_clone(call),
                };
                self.later(self.latency, event);
            }
            Effect::DeadLetter { letter, record, .. } => {
                self.later_letter(replica, letter, record, false);
            }
            Effect::Divert { letter, record, .. } => {
                self.later_letter(replica, letter, record, true);
            }
            Effect::Commit(entries) => {
                let event = Event::Commit {
                    replica,
                    generation,
                    entries,
                };
                self.later(Duration::from_millis(5), event);
            }
            Effect::ReadRiders(partitions) => {
                let event = Event::Riders {
                    replica,
                    generation,
                    partitions,
                };
                self.later(Duration::from_millis(5), event);
            }
            Effect::Pause(partitions) => self.replicas[replica].paused.extend(partitions),
            Effect::Resume(partitions) => {
                for partition in &partitions {
                    self.replicas[replica].paused.remove(partition);
                }
                self.later(
                    Duration::from_millis(1),
                    Event::Fetch {
                        replica,
                        generation,
                    },
                );
            }
            Effect::HandBack { partition, epoch } => {
                let log = self.logs.get_mut(&partition).expect("a partition");
                if log.owner == Some((replica, epoch)) {
                    log.owner = None;
                    if let Some(to) = self.moving.remove(&partition) {
                        self.later(
                            Duration::from_millis(10),
                            Event::Assign {
                                partition,
                                replica: to,
                            },
                        );
                    }
                }
            }
            Effect::Restore { partition, epoch } => {
                let event = Event::Restore {
                    replica,
                    generation,
                    partition,
                    epoch,
                };
                self.later(Duration::from_millis(20), event);
            }
            Effect::WriteState {
                write,
                partition,
                records,
            } => {
                let event = Event::WriteState {
                    replica,
                    generation,
                    write,
                    partition,
                    records,
                };
                self.later(Duration::from_millis(5), event);
            }
            Effect::Receipt(_) | Effect::Drained => {}
            Effect::Fact(fact) => {
                if let Fact::Settled {
                    settlement,
                    records,
                    record_ms,
                    ..
                } = &fact
                {
                    if let (Settlement::Delivered, Some(arrived)) = (settlement, record_ms) {
                        let waited = self.elapsed_ms() - arrived;
                        let waited = Duration::from_millis(u64::try_from(waited).expect("later"));
                        self.delays.push(waited);
                    }
                    let label = match settlement {
                        Settlement::Skipped(reason) => reason.as_str(),
                        Settlement::Delivered
                        | Settlement::DeadLettered(_)
                        | Settlement::Diverted(_) => settlement.as_str(),
                    };
                    *self.settled.entry(label).or_default() += records;
                }
                self.replicas[replica].facts.push(fact);
            }
        }
    }

    pub(super) fn is_current(&self, replica: usize, generation: u64) -> bool {
        self.replicas[replica].generation == generation
    }

    /// What reaches a sleeper waits until it wakes.
    fn defer(&mut self, event: Event) -> Option<Event> {
        let replica = match &event {
            Event::Reply { replica, .. }
            | Event::Fetch { replica, .. }
            | Event::Riders { replica, .. }
            | Event::Letter { replica, .. }
            | Event::Commit { replica, .. }
            | Event::WriteState { replica, .. }
            | Event::Restore { replica, .. }
            | Event::Assign { replica, .. }
            | Event::Lost { replica, .. } => *replica,
            Event::Answer { .. } | Event::Expelled { .. } | Event::Woken { .. } => {
                return Some(event);
            }
        };
        let Some(until) = self.asleep(replica) else {
            return Some(event);
        };
        self.later(
            until.saturating_duration_since(self.now) + Duration::from_millis(1),
            event,
        );
        None
    }

    pub(super) fn happen(&mut self, event: Event) {
        let Some(event) = self.defer(event) else {
            return;
        };
        match event {
            Event::Expelled {
                replica,
                generation,
                to,
            } => {
                if self.is_current(replica, generation) {
                    self.expel(replica, to);
                }
            }
            Event::Woken {
                replica,
                generation,
            } => {
                if self.is_current(replica, generation) {
                    self.replicas[replica].asleep_until = None;
                    self.step(replica, Input::Wake);
                }
            }
            Event::Lost {
                replica,
                generation,
                partition,
                epoch,
            } => {
                if self.is_current(replica, generation) {
                    self.step(replica, Input::Lost { partition, epoch });
                }
            }
            Event::Answer {
                replica,
                generation,
                request,
                call,
            } => {
                let (reply, after) = self.ask(&call);
                self.watch_answered(request);
                self.count_answer(&call, &reply);
                self.later(
                    after,
                    Event::Reply {
                        replica,
                        generation,
                        request,
                        reply,
                    },
                );
            }
            Event::Reply {
                replica,
                generation,
                request,
                reply,
            } => {
                self.watch_came(request, &reply);
                if self.is_current(replica, generation) {
                    let reply = Arc::new(reply);
                    self.step(replica, Input::Replied { request, reply });
                }
            }
            Event::Letter {
                replica,
                generation,
                letter,
                position,
                aside,
            } => {
                let acknowledged = self.fail_letters == 0;
                self.fail_letters = self.fail_letters.saturating_sub(1);
                if acknowledged {
                    let topic = if aside {
                        &mut self.aside
                    } else {
                        &mut self.letters
                    };
                    *topic
                        .entry((position.partition, position.offset.0))
                        .or_default() += 1;
                }
                if self.is_current(replica, generation) {
                    let result = if acknowledged { Ok(()) } else { Err(silent()) };
                    self.step(replica, Input::DeadLettered { letter, result });
                }
            }
            Event::Commit {
                replica,
                generation,
                entries,
            } => {
                let answer = self.commit(replica, &entries);
                if self.is_current(replica, generation) {
                    let entries = entries
                        .into_iter()
                        .map(|entry| (entry.partition, entry.epoch, entry.offset));
                    let entries = entries.collect();
                    self.step(replica, Input::Committed { entries, answer });
                }
            }
            Event::Riders {
                replica,
                generation,
                partitions,
            } => {
                if self.is_current(replica, generation) {
                    let stored = |partition: TopicPartition| {
                        let metadata = self.logs[&partition].metadata.clone();
                        (partition, metadata)
                    };
                    let riders = partitions.into_iter().map(stored).collect();
                    self.step(replica, Input::Riders(riders));
                }
            }
            Event::Fetch {
                replica,
                generation,
            } => {
                if self.is_current(replica, generation) {
                    self.fetch(replica);
                }
            }
            Event::WriteState {
                replica,
                generation,
                write,
                partition,
                records,
            } => {
                let acknowledged = self.write_state(&partition, records);
                if self.is_current(replica, generation) {
                    let result = if acknowledged { Ok(()) } else { Err(silent()) };
                    let input = Input::StateWritten { write, result };
                    self.step(replica, input);
                }
            }
            Event::Restore {
                replica,
                generation,
                partition,
                epoch,
            } => {
                if self.is_current(replica, generation) {
                    let input = self.restore(partition, epoch);
                    self.step(replica, input);
                }
            }
            Event::Assign { partition, replica } => {
                let member =
                    self.replicas[replica].machine.is_some() && !self.replicas[replica].stopping;
                if member && self.logs[&partition].owner.is_none() {
                    self.assign(&partition, replica);
                }
            }
        }
    }

    /// The group has waited long enough for a member: its partitions go to another. The member learns it a moment after it wakes.
    pub(super) fn expel(&mut self, replica: usize, to: usize) {
        let generation = self.replicas[replica].generation;
        let owned: Vec<(TopicPartition, Epoch)> = self
            .logs
            .iter()
            .filter_map(|(partition, log)| {
                let (owner, epoch) = log.owner?;
                (owner == replica).then(|| (partition.clone(), epoch))
            })
            .collect();
        let woken = self.asleep(replica).map_or(Duration::ZERO, |until| {
            until.saturating_duration_since(self.now)
        });
        for (partition, epoch) in owned {
            self.logs.get_mut(&partition).expect("a partition").owner = None;
            self.moving.remove(&partition);
            self.later(
                Duration::from_millis(100),
                Event::Assign {
                    partition: partition.clone(),
                    replica: to,
                },
            );
            self.later(
                woken + Duration::from_millis(300),
                Event::Lost {
                    replica,
                    generation,
                    partition,
                    epoch,
                },
            );
        }
    }

    /// The broker takes a commit, or does not.
    fn commit(&mut self, replica: usize, entries: &[CommitEntry]) -> CommitAnswer {
        if self.fail_commits > 0 {
            self.fail_commits -= 1;
            return CommitAnswer::Failed;
        }
        let owned =
            |entry: &CommitEntry| self.logs[&entry.partition].owner == Some((replica, entry.epoch));
        if !entries.iter().all(owned) {
            return CommitAnswer::Failed;
        }
        let in_bytes = self.metadata_in_bytes;
        let length = |entry: &CommitEntry| match &entry.metadata {
            None => 0,
            Some(text) if in_bytes => text.len(),
            Some(text) => text.encode_utf16().count(),
        };
        if entries
            .iter()
            .any(|entry| length(entry) > self.metadata_limit)
        {
            return CommitAnswer::MetadataTooLarge;
        }
        for entry in entries {
            let log = self.logs.get_mut(&entry.partition).expect("a partition");
            if log.owner == Some((replica, entry.epoch)) {
                let metadata = entry.metadata.clone();
                let metadata = metadata.map_or(Metadata::None, Metadata::Text);
                log.commit(entry.epoch, entry.offset.0, metadata);
            }
        }
        CommitAnswer::Accepted
    }

    pub(super) fn sim_now(&self) -> SimTime {
        let ahead = i64::try_from(self.server_ahead.as_millis()).expect("short");
        SimTime::from_millis(SIM_START_MS + self.elapsed_ms() + ahead)
    }

    fn ask(&mut self, call: &Call) -> (Reply, Duration) {
        let request = encode(call);
        if let Some(wire) = &mut self.wire {
            wire.push(request.clone());
        }
        let method = match request.method {
            Method::Get => kustomer_sim::Method::Get,
            Method::Post => kustomer_sim::Method::Post,
            Method::Put => kustomer_sim::Method::Put,
            Method::Delete => kustomer_sim::Method::Delete,
        };
        let mut asked = Request::new(method, request.path).token("sim-key");
        asked.body = request.body.unwrap_or_default();
        let answer = self.sim.handle(self.sim_now(), &asked);
        let after = self.latency + Duration::from_millis(answer.delivery.delay_ms);
        if let Some(cut) = answer.delivery.cut {
            let why = match cut {
                Cut::BeforeWrite | Cut::AfterWrite => Unanswered::Lost,
            };
            return (unanswered(call, why), after);
        }
        let limits = limits::read(|name| answer.header(name));
        let body = match answer.delivery.truncate_to {
            Some(_) => ReplyBody::Cut,
            None => ReplyBody::Whole(answer.body),
        };
        let reply = HttpReply {
            status: answer.status,
            limits,
            location: None,
            body,
        };
        let result = classify(call, &reply);
        self.note(call, &result);
        let reply = Reply {
            limits,
            trouble: trouble_of(&reply, &result),
            result,
        };
        (reply, after)
    }
}

/// Brokers that took nothing.
pub(super) fn silent() -> Trouble {
    Trouble::of_machines(TroubleKind::TimedOut, "no answer")
}
