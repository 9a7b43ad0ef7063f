//! The poll thread's tasks for the second thread: commits, committed offsets, ends of partitions.

use ingest_model::reading::{Gap, Reading};
use ingest_model::record::{Epoch, Offset, TopicPartition};

use super::{Driver, READ_AGAIN};
use crate::client::convert;
use crate::clock;
use crate::driver::offsets::{Answer, CommitResult, ReadResult, Task};
use crate::driver::positions::Judged;
use crate::port::{
    Assigned, CommitEntry, CommitFailure, CommitFailureKind, SourceErrorKind, SourceEvent,
};

impl Driver {
    pub(super) fn commit(&mut self, entries: Vec<CommitEntry>) {
        let (held, refused): (Vec<_>, Vec<_>) = entries
            .into_iter()
            .partition(|entry| self.partitions.may_commit(&entry.partition, entry.epoch));
        for entry in held {
            self.commits.ask(entry);
        }
        self.refuse(refused);
    }

    pub(super) fn refuse(&mut self, entries: Vec<CommitEntry>) {
        if entries.is_empty() {
            return;
        }
        let failure = CommitFailure {
            kind: CommitFailureKind::NotOwned,
            detail: "the partition is not held under that epoch".to_owned(),
        };
        self.outbox.event(committed(entries, Err(failure)));
    }

    pub(super) fn send_tasks(&mut self) {
        let now = clock::now();
        if self.read_again.as_ref().is_some_and(|(due, _)| now >= *due)
            && let Some((_, partitions)) = self.read_again.take()
        {
            self.read_committed(partitions);
        }
        if let Some(entries) = self.commits.next() {
            let (held, gone): (Vec<_>, Vec<_>) = entries
                .into_iter()
                .partition(|entry| self.partitions.holds(&entry.partition, entry.epoch));
            self.refuse(gone);
            if held.is_empty() {
                self.commits.answered();
            } else {
                self.send_task(Task::Commit(held));
            }
        }
    }

    pub(super) fn read_committed(&mut self, partitions: Vec<(TopicPartition, Epoch)>) {
        let starting: Vec<(TopicPartition, Epoch)> = partitions
            .into_iter()
            .filter(|(partition, epoch)| self.partitions.is_starting(partition, *epoch))
            .collect();
        if !starting.is_empty() {
            self.send_task(Task::ReadCommitted(starting));
        }
    }

    /// Tells which partitions wait because their position was lost, if that has changed.
    pub(super) fn tell_of_positions(&mut self) {
        let partitions = &self.partitions;
        self.positions
            .keep(|one, epoch| partitions.is_starting(one, epoch));
        if let Some(waiting) = self.positions.news() {
            self.outbox.event(SourceEvent::PositionsLost(waiting));
        }
    }

    pub(super) fn send_task(&mut self, task: Task) {
        if self.tasks.send(task).is_err() {
            self.fatal("the kafka offsets thread has died".to_owned());
        }
    }

    pub(super) fn take_answers(&mut self) {
        while let Ok(answer) = self.answers.try_recv() {
            match answer {
                Answer::Committed(results) => self.commit_answered(results),
                Answer::Read(results) => self.committed_read(results),
                Answer::Bounds(bounds) => self.bounds_read(bounds),
                Answer::Others(found) => self.outbox.event(SourceEvent::CommittedByOthers(found)),
            }
        }
    }

    pub(super) fn commit_answered(&mut self, results: Vec<CommitResult>) {
        self.commits.answered();
        let fenced = results.iter().any(|result| {
            result
                .result
                .as_ref()
                .is_err_and(|failure| failure.kind == CommitFailureKind::Fenced)
        });
        for result in results {
            self.outbox.event(committed(result.entries, result.result));
        }
        if fenced && self.partitions.revocation_deadline().is_some() {
            self.let_go("the group has already given the partitions away");
        }
    }

    /// Answers the commits that nobody will answer any more: whoever asked for them waits.
    pub(super) fn give_up_commits(&mut self) {
        let entries = self.commits.give_up();
        if !entries.is_empty() {
            let failure = CommitFailure {
                kind: CommitFailureKind::Timeout,
                detail: "the consumer was made anew before the brokers answered".to_owned(),
            };
            self.outbox.event(committed(entries, Err(failure)));
        }
    }

    pub(super) fn committed_read(&mut self, results: Vec<ReadResult>) {
        let mut assigned = Vec::new();
        let mut again = Vec::new();
        for ReadResult {
            partition,
            epoch,
            committed,
            log,
        } in results
        {
            if !self.partitions.is_starting(&partition, epoch) {
                continue;
            }
            match committed {
                Ok(committed) => {
                    let committed_at = committed.as_ref().map(|found| found.offset);
                    let at = (&partition, epoch);
                    match self.positions.judge(clock::now(), at, committed_at, log) {
                        Judged::Starts => {}
                        Judged::Waits => continue,
                        Judged::AskAgain => {
                            again.push((partition, epoch));
                            continue;
                        }
                    }
                    // Only where the committed offset says nothing, the log says where reading begins.
                    let from_end = self.reads_from_end;
                    let says = |log: &Gap| {
                        committed_at.is_none_or(|at| from_end && (at < log.from || at > log.to))
                    };
                    let log = log.filter(says);
                    let reading = begun(committed_at, log, self.reads_from_end);
                    self.partitions.start(&partition, epoch, reading);
                    assigned.push(Assigned {
                        partition,
                        epoch,
                        committed,
                        log,
                    });
                }
                Err(failure) => {
                    let kind = match convert::source_error(failure.code) {
                        SourceErrorKind::Other => SourceErrorKind::Offsets,
                        kind @ (SourceErrorKind::BrokersDown
                        | SourceErrorKind::Connection
                        | SourceErrorKind::Authentication
                        | SourceErrorKind::NotAuthorized
                        | SourceErrorKind::UnknownTopic
                        | SourceErrorKind::Group
                        | SourceErrorKind::Offsets
                        | SourceErrorKind::Record) => kind,
                    };
                    self.report(
                        kind,
                        format!("committed offset of {partition}: {}", failure.detail),
                    );
                    again.push((partition, epoch));
                }
            }
        }
        if !again.is_empty() {
            let mut all = self
                .read_again
                .take()
                .map(|(_, earlier)| earlier)
                .unwrap_or_default();
            all.append(&mut again);
            self.read_again = Some((clock::now() + READ_AGAIN, all));
        }
        if !assigned.is_empty() {
            // If it was paused in the meantime, it stays paused.
            let mut started = self.partitions.delivering();
            started.retain(|delivering| assigned.iter().any(|one| one.partition == *delivering));
            self.outbox.event(SourceEvent::Assigned(assigned));
            if !self.throttled {
                self.resume(started);
            }
        }
    }
}

/// How reading a partition begins, given its committed offset or, without one, its log.
fn begun(committed: Option<Offset>, log: Option<Gap>, reads_from_end: bool) -> Reading {
    if committed.is_none() && reads_from_end {
        Reading::from_end(log.map(|log| log.to))
    } else {
        Reading::at(committed.or_else(|| log.map(|log| log.from)))
    }
}

fn committed(entries: Vec<CommitEntry>, result: Result<(), CommitFailure>) -> SourceEvent {
    let entries: Vec<(TopicPartition, Epoch, Offset)> = entries
        .into_iter()
        .map(|entry| (entry.partition, entry.epoch, entry.offset))
        .collect();
    SourceEvent::Committed { entries, result }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_latest_passes_over_is_not_waited_for() {
        let log = Some(Gap {
            from: Offset(10),
            to: Offset(100),
        });
        let at = |offset| Reading::at(Some(Offset(offset)));
        assert_eq!(begun(None, log, false), at(10));
        assert_eq!(begun(Some(Offset(40)), None, false), at(40));
        assert_eq!(begun(Some(Offset(40)), None, true), at(40));
        assert_eq!(begun(None, log, true), Reading::from_end(Some(Offset(100))));
        assert_eq!(begun(None, None, true), Reading::default());
    }
}
