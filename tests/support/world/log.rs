//! One partition's log as the brokers hold it, and what befalls it: its topic is made again, its start moves on, its end is
//! lost.

use ingest_delivery::machine::Input;
use ingest_delivery::partitions::commit_metadata::{self, Run};
use ingest_delivery::port::Metadata;
use ingest_model::outcome::Verdict;
use ingest_model::reading::LifeCause;
use ingest_model::reading::{Gap, Reading, Step};
use ingest_model::record::{Epoch, Offset, TopicPartition};

use super::{World, partition};

/// Stands for "no records any more": the partition is on its way to another.
const ELSEWHERE: i64 = i64::MAX;

pub(crate) struct Log {
    pub(crate) verdicts: Vec<Verdict>,
    /// The time of the event of each, where it has one, in epoch milliseconds.
    event_ms: Vec<Option<i64>>,
    /// When each of them was put in, in milliseconds since the start.
    arrived: Vec<i64>,
    /// The first offset that is kept.
    start: i64,
    pub(crate) committed: i64,
    /// The text beside it.
    pub(crate) metadata: Metadata,
    /// The brokers know of no committed offset any more.
    forgotten: bool,
    pub(super) owner: Option<(usize, Epoch)>,
    next: i64,
    reading: Reading,
    /// When the log lost records that were read, in milliseconds since the start: what came in from then on is of another life.
    births: Vec<i64>,
    /// A new life under this epoch may be committed below what was committed before.
    may_go_back: Option<Epoch>,
    /// Nobody has read anything since the log lost its end.
    unnoticed: bool,
    /// What lay below when it lost it stands still.
    survived: i64,
    /// Records of a life that nobody had noticed before a position above them was taken up, or that the text beside it called
    /// settled (gaps.md).
    passed_over: Vec<Verdict>,
    /// Offsets that a text of the life before calls settled.
    outdated: Vec<Run>,
}

/// A record as its owner gets it.
pub(super) struct Fetched {
    pub(super) offset: Offset,
    pub(super) verdict: Verdict,
    pub(super) event_ms: Option<i64>,
    pub(super) arrived: Option<i64>,
}

/// A record that nobody can read any more, although its owner may have it in hand.
pub(crate) struct Endangered {
    partition: TopicPartition,
    replica: usize,
    pub(crate) verdict: Verdict,
    /// Its owner keeps it through an orderly hand-back.
    kept: bool,
}

/// What the logs lost, for the judgement.
#[derive(Default)]
pub(crate) struct Losses {
    /// Records that nobody read.
    pub(crate) unread: Vec<Verdict>,
    pub(crate) endangered: Vec<Endangered>,
    /// Records that their owner had in hand when it was cut off, or that it had to leave.
    pub(crate) gone: Vec<Verdict>,
    /// How many records vanished before they were read.
    pub(crate) vanished: u64,
    pub(crate) lives: u64,
}

impl Losses {
    /// Whether a log lost records that were not read, or that somebody has in hand.
    pub(crate) fn any(&self) -> bool {
        self.vanished > 0 || !self.endangered.is_empty()
    }
}

impl Log {
    pub(super) fn new() -> Self {
        Self {
            verdicts: Vec::new(),
            event_ms: Vec::new(),
            arrived: Vec::new(),
            start: 0,
            committed: 0,
            metadata: Metadata::None,
            forgotten: false,
            owner: None,
            next: 0,
            reading: Reading::default(),
            births: Vec::new(),
            may_go_back: None,
            unnoticed: false,
            survived: 0,
            passed_over: Vec::new(),
            outdated: Vec::new(),
        }
    }

    /// A record comes in.
    pub(super) fn put(&mut self, event_ms: Option<i64>, verdict: Verdict, now: i64) {
        let born = self.births.last().copied().unwrap_or_default();
        self.verdicts.push(verdict);
        self.event_ms.push(event_ms);
        self.arrived.push(now.max(born));
    }

    /// Names a record by its offset and its life.
    pub(super) fn name(&self, offset: i64, arrived: Option<i64>) -> i64 {
        const APART: i64 = 1_000_000;
        let arrived = arrived.unwrap_or_default();
        let births = self.births.iter().filter(|born| **born <= arrived);
        offset + APART * i64::try_from(births.count()).expect("few")
    }

    pub(super) fn end(&self) -> i64 {
        i64::try_from(self.verdicts.len()).expect("few")
    }

    /// An owner begins where it was committed.
    pub(super) fn begin(
        &mut self,
        partition: &TopicPartition,
        owner: usize,
        epoch: Epoch,
    ) -> Option<Offset> {
        self.owner = Some((owner, epoch));
        let committed = (!self.forgotten).then_some(Offset(self.committed));
        self.outdated = if self.unnoticed {
            self.settled_runs(partition)
        } else {
            Vec::new()
        };
        self.next = self.committed;
        self.reading = Reading::at(committed.or(Some(Offset(self.start))));
        committed
    }

    /// No more records for its owner.
    pub(super) fn withhold(&mut self) {
        self.next = ELSEWHERE;
    }

    /// Whether its owner reads it.
    fn is_read(&self) -> bool {
        self.owner.is_some() && self.next != ELSEWHERE
    }

    /// The next record for its owner. A position outside the log is set to its start, as by the client.
    pub(super) fn fetch(&mut self) -> Option<Fetched> {
        if !self.is_read() {
            return None;
        }
        if self.next < self.start || self.next > self.end() {
            self.next = self.start;
        }
        let index = usize::try_from(self.next).ok()?;
        let verdict = self.verdicts.get(index)?.clone();
        if std::mem::take(&mut self.unnoticed) {
            let passed_over = self.records(self.start.max(self.survived), self.next);
            self.passed_over.extend(passed_over);
        }
        let is_young = self.births.last() <= self.arrived.get(index);
        let is_outdated = |(a, b): &Run| a.0 <= self.next && self.next <= b.0;
        if is_young && self.outdated.iter().any(is_outdated) {
            self.passed_over.push(verdict.clone());
        }
        let offset = Offset(self.next);
        self.next += 1;
        Some(Fetched {
            offset,
            verdict,
            event_ms: self.event_ms.get(index).copied().flatten(),
            arrived: self.arrived.get(index).copied(),
        })
    }

    /// The broker takes a commit.
    pub(super) fn commit(&mut self, epoch: Epoch, offset: i64, metadata: Metadata) {
        if self.may_go_back == Some(epoch) {
            self.may_go_back = None;
        } else {
            assert!(offset >= self.committed, "a commit went back");
        }
        self.forgotten = false;
        self.committed = offset;
        self.metadata = metadata;
    }

    /// What nobody read, because a life before had been committed above it.
    pub(crate) fn passed_over(&self) -> Vec<Verdict> {
        let mut all = self.passed_over.clone();
        if self.unnoticed {
            all.extend(self.records(self.start.max(self.survived), self.committed));
        }
        all
    }

    /// Whether nothing is left to commit. Of a log that was emptied before anything was committed, nothing has to be.
    pub(super) fn is_committed(&self) -> bool {
        self.committed >= self.end() || (self.forgotten && self.start == self.end())
    }

    fn records(&self, from: i64, to: i64) -> Vec<Verdict> {
        let place = |offset: i64| usize::try_from(offset.clamp(0, self.end())).expect("few");
        let (from, to) = (place(from), place(to));
        self.verdicts[from.min(to)..to].to_vec()
    }

    /// What a former owner has noted as settled above the committed offset.
    fn settled_runs(&self, partition: &TopicPartition) -> Vec<Run> {
        let Metadata::Text(text) = &self.metadata else {
            return Vec::new();
        };
        let restored = commit_metadata::decode(partition, Offset(self.committed), text);
        restored.map(|restored| restored.runs).unwrap_or_default()
    }

    /// How many of these offsets a former owner has not noted as settled.
    fn unsettled(&self, partition: &TopicPartition, from: i64, to: i64) -> u64 {
        let runs = self.settled_runs(partition);
        let open = |offset: &i64| !runs.iter().any(|(a, b)| a.0 <= *offset && *offset <= b.0);
        (from..to).filter(open).count() as u64
    }
}

impl World {
    /// Whether something may befall the log of a partition: it is read by somebody who is awake, or owned by nobody.
    fn can_befall(&self, number: i32) -> bool {
        let log = &self.logs[&partition(number)];
        match log.owner {
            None => !self.moving.contains_key(&partition(number)),
            Some((replica, _)) => log.is_read() && self.asleep(replica).is_none(),
        }
    }

    /// A record is taken by the owner of its partition. The epoch that it is read under.
    pub(super) fn take(&mut self, partition: &TopicPartition, offset: Offset) -> Epoch {
        let log = self.logs.get_mut(partition).expect("a partition");
        let (_, epoch) = log.owner.expect("an owner");
        if log.reading.take(offset) == Step::Follows {
            return epoch;
        }
        let epoch = self.begin_life(partition, offset, LifeCause::WentBack);
        let log = self.logs.get_mut(partition).expect("a partition");
        assert_eq!(log.reading.take(offset), Step::Follows);
        epoch
    }

    fn begin_life(&mut self, partition: &TopicPartition, from: Offset, cause: LifeCause) -> Epoch {
        self.epochs += 1;
        self.losses.lives += 1;
        let epoch = Epoch(self.epochs);
        let log = self.logs.get_mut(partition).expect("a partition");
        let (replica, _) = log.owner.expect("an owner");
        log.owner = Some((replica, epoch));
        log.reading = Reading::at(Some(from));
        log.may_go_back = Some(epoch);
        log.outdated.clear();
        let partition = partition.clone();
        let input = Input::NewLife {
            partition,
            epoch,
            from,
            cause,
        };
        self.step(replica, input);
        epoch
    }

    /// The topic is deleted and made again: for one partition of it. Its records are gone, and what was committed is forgotten.
    pub(crate) fn make_again(&mut self, number: i32) -> bool {
        if !self.can_befall(number) {
            return false;
        }
        let partition = partition(number);
        let born = self.elapsed_ms() + 1;
        let log = self.logs.get_mut(&partition).expect("a partition");
        log.births.push(born);
        let read = if log.is_read() {
            log.next
        } else {
            log.committed
        };
        let unread = log.records(read, log.end());
        self.losses.unread.extend(unread);
        if let Some((replica, _)) = log.owner {
            let in_hand = log.records(log.committed, read);
            let in_hand = in_hand.into_iter().map(|verdict| Endangered {
                partition: partition.clone(),
                replica,
                verdict,
                kept: true,
            });
            self.losses.endangered.extend(in_hand);
        }
        log.verdicts.clear();
        log.event_ms.clear();
        log.arrived.clear();
        (log.start, log.next, log.committed) = (0, 0, 0);
        log.metadata = Metadata::None;
        log.forgotten = true;
        if log.owner.is_some() {
            self.begin_life(&partition, Offset(0), LifeCause::MadeAgain);
        }
        true
    }

    /// The start of a log moves on by so many records: retention.
    pub(crate) fn vanish(&mut self, number: i32, records: i64) -> bool {
        if !self.can_befall(number) {
            return false;
        }
        let name = partition(number);
        let log = self.logs.get_mut(&name).expect("a partition");
        let read = if log.is_read() {
            log.next
        } else {
            log.committed
        };
        let read = read.max(log.start);
        let start = (read.max(log.start) + records).min(log.end());
        let unread = log.records(read, start);
        // Of a life that nobody has noticed nobody says anything (gaps.md).
        if !log.unnoticed {
            self.losses.vanished += log.unsettled(&name, read, start);
        }
        self.losses.unread.extend(unread);
        if let Some((replica, _)) = log.owner {
            let in_hand = log.records(log.committed, read);
            let in_hand = in_hand.into_iter().map(|verdict| Endangered {
                partition: name.clone(),
                replica,
                verdict,
                kept: false,
            });
            self.losses.endangered.extend(in_hand);
        }
        log.start = start;
        true
    }

    /// A log that is read loses its last records. What is left, all of which is read again.
    pub(crate) fn truncate(&mut self, number: i32, records: i64) -> Vec<Verdict> {
        let name = partition(number);
        let born = self.elapsed_ms() + 1;
        let log = self.logs.get_mut(&name).expect("a partition");
        let end = (log.end() - records).max(log.start);
        let Some((replica, _)) = log.owner.filter(|_| log.is_read() && log.next > end) else {
            return Vec::new();
        };
        if self.replicas[replica].asleep_until.is_some() {
            return Vec::new();
        }
        log.births.push(born);
        let unread = log.records(log.next, log.end());
        self.losses.unread.extend(unread);
        let in_hand = log.records(log.committed.min(end), log.next);
        let in_hand = in_hand.into_iter().map(|verdict| Endangered {
            partition: name.clone(),
            replica,
            verdict,
            kept: true,
        });
        self.losses.endangered.extend(in_hand);
        let left = usize::try_from(end).expect("few");
        log.verdicts.truncate(left);
        log.event_ms.truncate(left);
        log.arrived.truncate(left);
        log.next = log.start;
        log.survived = if log.unnoticed {
            log.survived.min(end)
        } else {
            end
        };
        log.unnoticed = true;
        log.records(log.start, end)
    }

    /// What the client says now and then of the partitions that are read.
    pub(crate) fn statistics(&mut self) {
        for number in 0..self.logs.len() {
            let partition = partition(i32::try_from(number).expect("few"));
            let log = self.logs.get_mut(&partition).expect("a partition");
            let Some((replica, epoch)) = log.owner.filter(|_| log.is_read()) else {
                continue;
            };
            if self.replicas[replica].asleep_until.is_some()
                || self.replicas[replica].paused.contains(&partition)
            {
                log.reading.disturbed();
                continue;
            }
            let (next, start, end) = (log.next.max(log.start), log.start, log.end());
            let known = |offset| Some(Offset(offset));
            let gone: Vec<Gap> = log
                .reading
                .statistics(known(next), known(start), known(end));
            log.reading.emptied();
            for gap in gone {
                let partition = partition.clone();
                let input = Input::Vanished {
                    partition,
                    epoch,
                    gap,
                };
                self.step(replica, input);
            }
        }
    }

    /// A partition has a new owner. The one before knew nothing of a new life, so it left what it had in hand to be read again.
    pub(super) fn left_behind(&mut self, partition: &TopicPartition) {
        if !self.logs[partition].unnoticed {
            return;
        }
        let all = std::mem::take(&mut self.losses.endangered);
        for one in all {
            if one.partition == *partition {
                self.losses.gone.push(one.verdict);
            } else {
                self.losses.endangered.push(one);
            }
        }
    }

    /// What a replica had in hand of logs that hold it no more is lost with it; after an orderly hand-back only a part.
    pub(crate) fn cut_off(&mut self, replica: usize, orderly: bool) {
        let all = std::mem::take(&mut self.losses.endangered);
        for one in all {
            if one.replica == replica && !(orderly && one.kept) {
                self.losses.gone.push(one.verdict);
            } else {
                self.losses.endangered.push(one);
            }
        }
    }
}
