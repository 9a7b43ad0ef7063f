//! What the judgement excuses: records that the logs lost before they were delivered.

use std::collections::BTreeSet;

use ingest_delivery::fact::Fact;
use ingest_model::operation::Operation;
use ingest_model::outcome::Verdict;

use super::super::world::{Log, World};
use super::traffic::number_of;

/// Events, states (of orders and customers, by number) and rejections that may be missing.
#[derive(Default)]
pub(super) struct Excused {
    pub(super) events: BTreeSet<String>,
    pub(super) states: BTreeSet<u64>,
    pub(super) rejected: u64,
}

impl Excused {
    pub(super) fn of(world: &World) -> Self {
        let losses = &world.losses;
        let mut excused = Self::default();
        let cut = lost_in_hand(world) > 0;
        let left = losses.endangered.iter().filter(|_| cut);
        let passed_over: Vec<Verdict> = world.logs.values().flat_map(Log::passed_over).collect();
        let lost = losses.unread.iter().chain(&losses.gone);
        let lost = lost.chain(&passed_over);
        for verdict in lost.chain(left.map(|one| &one.verdict)) {
            excused.add(verdict);
        }
        excused
    }

    fn add(&mut self, verdict: &Verdict) {
        self.rejected += u64::from(is_rejected(verdict));
        let Verdict::Emit(planned) = verdict else {
            return;
        };
        for one in planned {
            if let Operation::Track(track) = &one.operation {
                self.events.insert(track.event_key.to_string());
            }
            self.states.extend(number_of(&one.operation));
        }
    }
}

/// Records in hand that were lost because their partition left.
pub(super) fn lost_in_hand(world: &World) -> u64 {
    sum(world, |fact| {
        if let Fact::LifeCut { records, .. } = fact {
            *records
        } else {
            0
        }
    })
}

/// Records that the machines reported as deleted before they were read.
pub(super) fn said_to_have_vanished(world: &World) -> u64 {
    sum(world, |fact| {
        if let Fact::Vanished { records, .. } = fact {
            *records
        } else {
            0
        }
    })
}

fn sum(world: &World, of: impl Fn(&Fact) -> u64) -> u64 {
    let facts = world.replicas.iter().flat_map(|replica| &replica.facts);
    facts.map(of).sum()
}

fn is_rejected(verdict: &Verdict) -> bool {
    match verdict {
        Verdict::Reject(_) => true,
        Verdict::Skip(_) => false,
        Verdict::Batch(batch) if batch.rejected.is_some() => true,
        // The API refuses names with a space.
        Verdict::Emit(_) | Verdict::Batch(_) => {
            let mut planned = verdict.planned().iter();
            planned.any(|one| match &one.operation {
                Operation::Track(track) => track.occurrence().name.contains(' '),
                Operation::Identify(_) | Operation::KObject(_) => false,
            })
        }
    }
}
