//! What the judgement does not ask for: records that the logs lost before they were delivered.

use std::collections::{BTreeMap, BTreeSet};

use ingest_core::fact::Fact;
use ingest_core::operation::Operation;
use ingest_core::outcome::Verdict;

use super::super::world::World;

/// Events, versions and rejections that may be missing.
#[derive(Default)]
pub(super) struct Excused {
    pub(super) events: BTreeSet<String>,
    versions: BTreeSet<(u64, u64)>,
    pub(super) rejected: u64,
}

impl Excused {
    pub(super) fn of(world: &World) -> Self {
        let losses = &world.losses;
        let mut excused = Self::default();
        let cut = lost_in_hand(world) > 0;
        let left = losses.endangered.iter().filter(|_| cut);
        let lost = losses.unread.iter().chain(&losses.gone);
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
            match &one.operation {
                Operation::Track(track) => {
                    self.events.insert(track.event_key.to_string());
                }
                Operation::KObject(object) => {
                    let id = object.external_id.0.trim_start_matches('o').parse();
                    let version = object.body["custom"]["ingestVersionStr"].as_str();
                    let version = version.unwrap().parse();
                    self.versions.insert((id.unwrap(), version.unwrap()));
                }
                Operation::Identify(_) => {}
            }
        }
    }

    /// Whether an object may stand in this version, or be missing, if all of these versions of it were put in.
    pub(super) fn allows(&self, order: u64, all: &BTreeSet<u64>, stored: Option<u64>) -> bool {
        let asked = all
            .iter()
            .filter(|one| !self.versions.contains(&(order, **one)));
        match (asked.max(), stored) {
            (Some(least), Some(stored)) => stored >= *least && all.contains(&stored),
            (Some(_), None) => false,
            (None, stored) => stored.is_none_or(|stored| all.contains(&stored)),
        }
    }

    /// Orders that do not stand as they have to.
    pub(super) fn behind(
        &self,
        put: &BTreeMap<u64, BTreeSet<u64>>,
        stored: &BTreeMap<u64, u64>,
    ) -> Vec<u64> {
        let wrong = put
            .iter()
            .filter(|(order, all)| !self.allows(**order, all, stored.get(*order).copied()));
        wrong.map(|(order, _)| *order).collect()
    }
}

/// Records that left in hand because their partition left.
pub(super) fn lost_in_hand(world: &World) -> u64 {
    sum(world, |fact| {
        if let Fact::LifeCut { records, .. } = fact {
            *records
        } else {
            0
        }
    })
}

/// Records that the machines said had vanished before they were read.
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
        // The API refuses names with a space.
        Verdict::Emit(planned) => planned.iter().any(|one| match &one.operation {
            Operation::Track(track) => track.name.contains(' '),
            Operation::Identify(_) | Operation::KObject(_) => false,
        }),
    }
}
