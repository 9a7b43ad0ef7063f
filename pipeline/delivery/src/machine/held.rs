//! Held work and its limit: at most half of the budget may wait for holds; above that, the routes decide.
//!
//! A record is held if one of its operations cannot go on for a reason that more permits would not change: a hold, the queue
//! behind a held operation, a delay, a customer that does not exist yet; or if its topic's hold keeps back its dead letter.
//! From the limit on, the oldest held work of routes that divert goes to the hold topic. If the rest still fills the half,
//! the partitions that it comes from are paused. The same happens if a hold keeps a partition's frontier where it is and the
//! partition's commits have no more room for what is settled above it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use super::Machine;
use crate::customers::Allowed;
use crate::health::held::margin;
use crate::seam::charge::{Charge, add, subtract};
use crate::seam::hold::{Family, LetterTopic, Scope};
use crate::seam::port::RecordId;
use crate::work::{Entry, Wait};
use ingest_model::batch::OperationId;
use ingest_model::operation::{KObject, Klass, Operation};
use ingest_model::outcome::{Held, HeldBy, HoldCause, Waits};
use ingest_model::record::{Offset, TopicPartition};

/// One count of all held work.
#[derive(Default)]
struct Count {
    charge: Charge,
    records: BTreeMap<RecordId, HeldBy>,
    partitions: BTreeMap<TopicPartition, Part>,
    /// What may be diverted, oldest first.
    divertable: BTreeMap<(RecordId, OperationId), HeldBy>,
    /// Letters that are kept back, of routes that divert.
    letters: BTreeMap<RecordId, HeldBy>,
}

#[derive(Default)]
struct Part {
    charge: Charge,
    lowest: Option<Offset>,
    by: Option<HeldBy>,
}

impl Machine {
    /// Checks whether held work has reached its limit, and if so does what the routes say.
    pub(super) fn limit_held(&mut self, now: Instant) {
        if !self.is_held_work_due(now) {
            self.health.held.not_counted();
            return;
        }
        self.health.held.begin_count(now);
        let mut count = self.count_held();
        let mut diverting = BTreeSet::new();
        if self.is_over(self.eased(count.charge)) {
            self.divert_excess(&mut count);
        } else {
            diverting = self.divert_for_commits(&mut count);
        }
        self.activate_lanes(now);
        let mut waits = self.partitions_that_wait(&count);
        waits.retain(|partition, why| {
            matches!(why, Waits::HeldWork(_)) || !diverting.contains(partition)
        });
        self.health.held.counted(count.charge);
        self.partitions
            .set_held(&mut self.turn, count.charge, waits);
    }

    fn is_held_work_due(&self, now: Instant) -> bool {
        let cap = self.partitions.budget().cap();
        !self.is_nothing_held() && self.health.held.is_due(now, cap)
    }

    fn is_nothing_held(&self) -> bool {
        self.health.holds.is_empty()
            && self.work.next_time().is_none()
            && self.partitions.next_letter().is_none()
            && self.customers.is_idle()
            && self.health.held.charge() == Charge::default()
            && self.partitions.waits().is_empty()
    }

    /// When held work has to be counted even if nothing else happens: something since the last count may matter.
    pub(super) fn next_count(&self) -> Option<Instant> {
        let next = self.health.held.next_count();
        next.filter(|_| !self.is_nothing_held())
    }

    fn count_held(&self) -> Count {
        let mut count = Count::default();
        let held = || self.work.said(|id, state| self.held_by(id, state));
        let held = if self.may_operations_be_held() {
            held()
        } else {
            debug_assert!(held().is_empty(), "an operation is held for nothing");
            Vec::new()
        };
        for (id, by) in held {
            let Some(state) = self.work.get(id) else {
                continue;
            };
            let mut oldest: Option<RecordId> = None;
            for (record, state) in self.partitions.records_of(id) {
                if !state.is_diverted() {
                    self.count_kept(&mut count, record, by);
                }
                oldest = Some(oldest.map_or(record, |one| one.min(record)));
            }
            // What is paused goes on, in its order: it is not set aside.
            let goes_on = by == HeldBy::Hold(HoldCause::Paused);
            if let Some(oldest) = oldest.filter(|_| !goes_on && self.may_divert(id, state)) {
                count.divertable.insert((oldest, id), by);
            }
        }
        for (id, by) in self.partitions.kept_letters() {
            let Some(state) = self.partitions.record(id) else {
                continue;
            };
            self.count_kept(&mut count, id, by);
            let rejected = state.waiting_rejection();
            let route = rejected.and_then(|rejected| rejected.route.as_ref());
            if route.is_some_and(|route| self.diverts(state.partition(), route)) {
                count.letters.insert(id, by);
            }
        }
        count
    }

    /// Whether there is anything that could hold an operation. Most of the time there is not, and nobody has to look at each.
    fn may_operations_be_held(&self) -> bool {
        let waits = |entry: &Entry| matches!(entry.wait(), Wait::Time(_) | Wait::Inherited);
        let some = self.work.next_time().is_some() || !self.memory.inheritance.is_empty();
        !self.health.holds.is_empty()
            || self.customers.are_any_parked()
            || some && self.work.count(waits) > 0
    }

    fn count_kept(&self, count: &mut Count, id: RecordId, by: HeldBy) {
        let Some(state) = self.partitions.record(id) else {
            return;
        };
        if count.records.insert(id, by).is_some() {
            return;
        }
        let part = count
            .partitions
            .entry(state.partition().clone())
            .or_default();
        add(&mut count.charge, state.charge());
        add(&mut part.charge, state.charge());
        if let Some(offset) = self.partitions.present_offset(id) {
            let lowest = part.lowest.unwrap_or(offset);
            part.lowest = Some(lowest.min(offset));
        }
        // A hold tells a person more than a delay.
        part.by = Some(part.by.map_or(by, |known| known.min(by)));
    }

    /// What holds an operation that more permits would not help; `None` if nothing does.
    pub(super) fn held_by(&self, id: OperationId, state: &Entry) -> Option<HeldBy> {
        if state.wait() != Wait::Turn {
            return self.cause_of(id, state);
        }
        // An operation behind a held one is held with it.
        let before = self.work.stands_behind(id);
        let before = before?;
        self.cause_of(before, self.work.get(before)?)
    }

    fn cause_of(&self, id: OperationId, state: &Entry) -> Option<HeldBy> {
        let hold = |scope: &Scope| self.health.holds.cause(scope).map(HeldBy::Hold);
        let family = |family: Family| hold(&Scope::Family(family));
        let write = match &state.operation {
            Operation::KObject(object) => Some(write_of(object)),
            Operation::Identify(_) | Operation::Track(_) => None,
        };
        if let Some(by) = hold(&Scope::Destination) {
            return Some(by);
        }
        match state.wait() {
            Wait::Pause => self
                .is_paused(state)
                .then_some(HeldBy::Hold(HoldCause::Paused)),
            Wait::Track => family(Family::Tracking),
            Wait::Write | Wait::Forced => family(write?),
            Wait::Look => family(Family::KObjectRead(self.looked_at(id, state)?)),
            Wait::Job(_) => family(Family::BulkRead),
            Wait::Customer => {
                let customer = state.operation.customer()?.first();
                let parked = self.customers.is_parked(customer);
                if let Some((klass, _)) = customer.object() {
                    let hold = family(Family::KObjectRead(klass));
                    return hold.or_else(|| parked.then_some(HeldBy::Parked));
                }
                let (search, read, create, identify) = (
                    family(Family::CustomerSearch),
                    family(Family::CustomerRead),
                    family(Family::CustomerCreate),
                    family(Family::Tracking),
                );
                let ways = Allowed {
                    search: search.is_none(),
                    read: read.is_none(),
                    create: create.is_none(),
                    identify: identify.is_none(),
                    live_only: false,
                };
                let hold = read.or(create).or(identify).or(search);
                hold.filter(|_| self.customers.is_kept_back(customer, ways))
                    .or_else(|| parked.then_some(HeldBy::Parked))
            }
            Wait::Time(_) | Wait::Inherited => Some(HeldBy::Parked),
            Wait::Journal => hold(&Scope::State),
            // A probe counts as held until it is answered: it may well come back.
            Wait::Answer => match write {
                Some(write) => family(write),
                None => family(Family::Tracking),
            },
            Wait::Others(_) => {
                self.company_of(id)?;
                let company = Klass::company;
                family(Family::KObjectWrite(company()))
                    .or_else(|| family(Family::KObjectRead(company())))
            }
            Wait::Turn | Wait::Room | Wait::Events(_) => None,
        }
    }

    fn diverts(&self, partition: &TopicPartition, route: &str) -> bool {
        if self.partitions.is_closed(LetterTopic::Held) {
            return false;
        }
        let routes = self.settings.diverting.get(&partition.topic);
        routes.is_some_and(|routes| routes.iter().any(|one| **one == *route))
    }

    /// Whether an operation may be set aside: no request for it is in flight or may have arrived, from here or from an earlier
    /// owner.
    fn may_divert(&self, id: OperationId, state: &Entry) -> bool {
        let leaves = match state.wait() {
            Wait::Turn
            | Wait::Pause
            | Wait::Customer
            | Wait::Track
            | Wait::Room
            | Wait::Write
            | Wait::Forced
            | Wait::Look
            | Wait::Others(_)
            | Wait::Events(_)
            | Wait::Time(_) => false,
            Wait::Inherited | Wait::Journal | Wait::Answer | Wait::Job(_) => true,
        };
        let history = self.objects.histories.of(id);
        let arrived = leaves || history.is_doubted() || history.begun;
        !arrived && self.diverts(&state.partition, &state.route)
    }

    fn is_over(&self, charge: Charge) -> bool {
        let cap = self.partitions.budget().cap();
        charge.records * 2 >= cap.records || charge.bytes * 2 >= cap.bytes
    }

    /// Held work for the comparison with the limit. While partitions wait because of it, an eighth of the budget is added:
    /// they wait until that much is free below the limit.
    fn eased(&self, mut charge: Charge) -> Charge {
        let mut waits = self.partitions.waits().values();
        if waits.any(|why| matches!(why, Waits::HeldWork(_))) {
            let cap = self.partitions.budget().cap();
            let (records, bytes) = (cap.records / 8, cap.bytes / 8);
            add(&mut charge, Charge { records, bytes });
        }
        charge
    }

    /// Diverts held work above the limit to the hold topic, oldest first, as far as routes divert.
    fn divert_excess(&mut self, count: &mut Count) {
        let room = margin(self.partitions.budget().cap());
        let room = self.eased(room);
        let fits = |mut charge: Charge| {
            add(&mut charge, room);
            !self.is_over(charge)
        };
        let mut left = count.charge;
        let mut operations = Vec::new();
        let mut going: BTreeSet<RecordId> = BTreeSet::new();
        for ((_, id), by) in &count.divertable {
            if fits(left) {
                break;
            }
            operations.push((*id, *by));
            for (record, state) in self.partitions.records_of(*id) {
                if going.insert(record) {
                    subtract(&mut left, state.charge());
                }
            }
        }
        let mut letters = Vec::new();
        for (id, by) in &count.letters {
            if fits(left) {
                break;
            }
            letters.push((*id, *by));
            if let Some(record) = self.partitions.record(*id) {
                subtract(&mut left, record.charge());
            }
        }
        self.divert(count, &operations);
        for (id, by) in letters {
            self.divert_letter(count, id, by);
        }
    }

    /// If a hold keeps a frontier and the commits are full, diverts the oldest quarter of what may be diverted, provided that
    /// the record at the frontier may be. Returns the partitions for which that is so.
    fn divert_for_commits(&mut self, count: &mut Count) -> BTreeSet<TopicPartition> {
        let full: Vec<TopicPartition> = self.full_for_a_hold(count).collect();
        let mut diverting = BTreeSet::new();
        for partition in full {
            let of_it: Vec<(OperationId, HeldBy)> = count
                .divertable
                .iter()
                .map(|((_, id), by)| (*id, *by))
                .filter(|(id, _)| {
                    let state = self.work.get(*id);
                    state.is_some_and(|state| state.partition == partition)
                })
                .collect();
            let lowest = self.partitions.frontier(&partition);
            let keeps = lowest.is_some_and(|(lowest, _)| {
                let oldest = of_it.first();
                oldest.is_some_and(|(id, _)| self.belongs_to(*id, &partition, lowest))
            });
            if !keeps {
                continue;
            }
            // What was settled since the last commit may have made room.
            let is_current = self.partitions.is_committed(&partition);
            diverting.insert(partition);
            if is_current {
                let quarter = of_it.len().div_ceil(4);
                let oldest: Vec<_> = of_it.into_iter().take(quarter).collect();
                self.divert(count, &oldest);
            }
        }
        diverting
    }

    /// Partitions whose commits are short of room while a held record keeps their frontier.
    fn full_for_a_hold<'a>(
        &'a self,
        count: &'a Count,
    ) -> impl Iterator<Item = TopicPartition> + use<'a> {
        count.partitions.iter().filter_map(|(partition, part)| {
            let (frontier, short) = self.partitions.frontier(partition)?;
            let keeps = short && part.lowest == Some(frontier);
            keeps.then(|| partition.clone())
        })
    }

    /// The partitions that have to wait.
    fn partitions_that_wait(&self, count: &Count) -> BTreeMap<TopicPartition, Waits> {
        let mut waits = BTreeMap::new();
        let eased = self.eased(count.charge);
        for (partition, part) in &count.partitions {
            if let Some(by) = part.by.filter(|_| self.is_over(eased))
                && part.charge.records > 0
            {
                waits.insert(partition.clone(), Waits::HeldWork(by));
            }
        }
        for partition in self.full_for_a_hold(count) {
            let by = count.partitions.get(&partition).and_then(|part| part.by);
            if let Some(by) = by {
                waits.entry(partition).or_insert(Waits::CommitsFull(by));
            }
        }
        waits
    }

    /// Sets operations aside: their records go to the hold topic once all of their operations have ended.
    fn divert(&mut self, count: &mut Count, operations: &[(OperationId, HeldBy)]) {
        for (id, by) in operations {
            let Some(state) = self.work.get(*id) else {
                continue;
            };
            let held = Held {
                by: *by,
                detail: keeper(state, *by),
                route: Some(Arc::clone(&state.route)),
            };
            for (record, _) in self.partitions.records_of(*id) {
                self.uncount(count, record);
            }
            self.let_go(*id);
            self.finish_diverted(*id, held);
        }
    }

    fn divert_letter(&mut self, count: &mut Count, id: RecordId, by: HeldBy) {
        self.uncount(count, id);
        self.partitions.set_letter_aside(&mut self.turn, id, by);
    }

    fn uncount(&self, count: &mut Count, id: RecordId) {
        if count.records.remove(&id).is_none() {
            return;
        }
        let Some(state) = self.partitions.record(id) else {
            return;
        };
        subtract(&mut count.charge, state.charge());
        if let Some(part) = count.partitions.get_mut(state.partition()) {
            subtract(&mut part.charge, state.charge());
        }
    }
}

/// What the write of an object needs.
fn write_of(object: &KObject) -> Family {
    let klass = object.klass.clone();
    if object.deletes {
        Family::KObjectDelete(klass)
    } else {
        Family::KObjectWrite(klass)
    }
}

/// What keeps an operation back, in words.
fn keeper(state: &Entry, by: HeldBy) -> String {
    match (by, &state.operation) {
        (HeldBy::Parked, _) => {
            "it waits for another attempt or for its customer, and too much work is held".to_owned()
        }
        (HeldBy::Hold(cause), Operation::KObject(object)) => {
            let (cause, klass) = (cause.as_str(), &object.klass);
            let what = if object.deletes { "deletions of " } else { "" };
            format!("the hold {cause} keeps {what}klass {klass} back")
        }
        (HeldBy::Hold(cause), Operation::Identify(_) | Operation::Track(_)) => {
            format!(
                "the hold {} keeps events and identities back",
                cause.as_str()
            )
        }
    }
}
