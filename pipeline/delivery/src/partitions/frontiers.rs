//! Frontiers that do not move: since when, and which record holds each back.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ingest_model::outcome::HeldBy;
use ingest_model::record::{Offset, TopicPartition};

use super::Partitions;
use super::parts::assignment::{Assignment, Standing};
use crate::seam::port::RecordId;

/// How often frontiers are checked.
const PAUSE: Duration = Duration::from_secs(5);

/// What the letter of a record waits for once its operations have ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LetterWait {
    /// For the broker's acknowledgement.
    UnderWay,
    /// For this time: then it is sent, or sent again.
    Until(Instant),
    /// For the hold of its topic to end, or of the topic that it goes to.
    Held(HeldBy),
    /// For nothing known.
    Nothing,
}

impl Partitions {
    /// Notes where frontiers are, if that is due. `false` if it is not.
    pub(crate) fn watch_frontiers(&mut self, now: Instant) -> bool {
        if self.frontiers_at.is_some_and(|at| now < at + PAUSE) {
            return false;
        }
        self.frontiers_at = Some(now);
        for assignment in self.assignments.values_mut() {
            let open = assignment.ledger.open() > 0;
            let frontier = assignment.ledger.frontier().filter(|_| open);
            let known = assignment.standing.at;
            if known.map(|(offset, _)| offset) != frontier {
                assignment.standing = Standing {
                    at: frontier.map(|offset| (offset, now)),
                    reported: None,
                };
            }
        }
        true
    }

    /// Partitions whose frontiers had not moved for that long at the last check: the lowest open offset of each, and its
    /// record, which must exist.
    pub(crate) fn standing_for(
        &self,
        now: Instant,
        long: Duration,
    ) -> BTreeMap<TopicPartition, (Offset, Option<RecordId>)> {
        let stands = |assignment: &Assignment| {
            let (offset, since) = assignment.standing.at?;
            let since = assignment.standing.reported.unwrap_or(since);
            // What a draining partition has abandoned stays open for the next owner.
            (now >= since + long && assignment.drain.is_none()).then_some(offset)
        };
        let owned = self.assignments.iter();
        let mut standing: BTreeMap<TopicPartition, (Offset, Option<RecordId>)> = owned
            .filter_map(|(partition, one)| Some((partition.clone(), (stands(one)?, None))))
            .collect();
        if standing.is_empty() {
            return standing;
        }
        let records = self.records.said(|id, state| {
            let position = &state.record.position;
            let (offset, _) = standing.get(&position.partition)?;
            let lowest = position.offset == *offset && !self.is_of_former_life(*id);
            lowest.then_some(position.partition.clone())
        });
        for (id, partition) in records {
            if let Some((_, record)) = standing.get_mut(&partition) {
                *record = Some(id);
            }
        }
        standing
    }

    /// A stall of this partition was reported: it is reported again after the same time.
    pub(crate) fn stall_reported(&mut self, now: Instant, partition: &TopicPartition) {
        if let Some(assignment) = self.assignments.get_mut(partition) {
            assignment.standing.reported = Some(now);
        }
    }

    /// Something leads the frontier of this partition on.
    pub(crate) fn stall_over(&mut self, partition: &TopicPartition) {
        if let Some(assignment) = self.assignments.get_mut(partition) {
            assignment.standing.reported = None;
        }
    }

    /// The lowest open record of a partition, and since when the frontier is known to be there.
    pub(crate) fn lowest(&self, partition: &TopicPartition) -> Option<(RecordId, Option<Instant>)> {
        let assignment = self.assignments.get(partition)?;
        let frontier = assignment.ledger.frontier()?;
        let found = self.records.keys_where(|id, state| {
            let position = &state.record.position;
            position.offset == frontier
                && position.partition == *partition
                && !self.is_of_former_life(*id)
        });
        let since = assignment
            .standing
            .at
            .filter(|(offset, _)| *offset == frontier);
        Some((*found.first()?, since.map(|(_, since)| since)))
    }

    /// What the letter of a record waits for; `None` while it has open operations.
    pub(crate) fn letter_wait(&self, id: RecordId) -> Option<LetterWait> {
        let state = self.records.get(&id).filter(|state| state.open == 0)?;
        Some(if state.letter.is_some() && state.letter_at.is_none() {
            LetterWait::UnderWay
        } else if let Some(at) = state.letter_at
            && self.letters.is_timed(at, id)
        {
            LetterWait::Until(at)
        } else if let Some(by) = self.letter_held_by(id, state) {
            LetterWait::Held(by)
        } else {
            LetterWait::Nothing
        })
    }
}
