//! Who sends next: permits, turns between classes, holds.

mod bodies;
mod digests;
mod dispatch;
mod heads;
mod owners;
mod shares;

use std::time::Instant;

use smallvec::SmallVec;

use crate::common::price::Price;
use crate::customers::Allowed;
use crate::health::holds::Passage;
use crate::machine::Machine;
use crate::seam::hold::{Family, Scope};
use crate::sending::quota::Denied;
use ingest_model::batch::JobId;
use ingest_model::batch::OperationId;
use ingest_model::call::Class;
use ingest_model::operation::Operation;

/// What the `Read` class would send next.
pub(in crate::machine) enum ReadWork {
    Job(JobId),
    Verify(OperationId),
}

impl Machine {
    /// Sends what may be sent until permits, work or room run out.
    pub(in crate::machine) fn schedule(&mut self, now: Instant) {
        self.sending.ask_anew();
        if self.partitions.is_membership_in_doubt() {
            return;
        }
        self.send_journalled(now);
        // A class may be denied for a reason of its own (the reserve); the others are still tried.
        let mut denied: SmallVec<[Class; 5]> = SmallVec::new();
        while self.sending.under_way() + self.memory.journal.submits() < self.settings.max_in_flight
        {
            self.trim_ready(now);
            let price = self.price(now);
            let work = self.work(now, price);
            let may = |class| work.contains(&Some(class)) && !denied.contains(&class);
            let Some(class) = self.sending.turns.next(may) else {
                break;
            };
            match self.sending.take_permit(now, class) {
                Ok(()) => {
                    self.dispatch(now, class, price);
                    self.activate_lanes(now);
                }
                Err(Denied::Until(_)) => denied.push(class),
                Err(Denied::NoAllowance) => break,
            }
        }
    }

    /// What one more request costs: it rises with the requests that could be sent if there were permits.
    pub(in crate::machine) fn price(&self, now: Instant) -> Price {
        let tracks = if self.may_pass(now, &Family::Tracking) {
            self.work.tracks_in_turn()
        } else {
            0
        };
        let ready =
            tracks + self.work.ready_looks() + self.work.full_writes() + self.jobs.due_count(now);
        self.sending.price(now, ready)
    }

    fn work(&self, now: Instant, price: Price) -> [Option<Class>; 5] {
        if self.health.holds.get(&Scope::Destination).is_some() {
            let probe = self.health.holds.passage(now, None) == Passage::Probe;
            return [probe.then_some(Class::Probe), None, None, None, None];
        }
        let beyond = self.work.next_turn().is_some() && price.is_nothing();
        let tracks =
            (self.work.tracks_in_turn() > 0 || beyond) && self.may_pass(now, &Family::Tracking);
        let writes = self.memory.journal.may_submit()
            && (self.due_forced(now).is_some() || self.due_group(now, price).is_some());
        let reads = self.due_read(now).is_some();
        let resolves =
            self.has_owner_to_read(now) || self.customers.due(now, price, self.allowed(now));
        [
            tracks.then_some(Class::Track),
            writes.then_some(Class::Write),
            reads.then_some(Class::Read),
            resolves.then_some(Class::Resolve),
            None,
        ]
    }

    pub(in crate::machine) fn may_pass(&self, now: Instant, family: &Family) -> bool {
        match self.health.holds.passage(now, Some(family)) {
            Passage::Free | Passage::Probe => true,
            Passage::Held(_) => false,
        }
    }

    /// Whether events and identities that become ready now will be sent soon: within a minute if they get all permits.
    pub(in crate::machine) fn are_answers_near(&self) -> bool {
        let allowance = usize::try_from(self.sending.quota.allowance()).unwrap_or(usize::MAX);
        self.work.ready_tracks() <= allowance
            && self
                .health
                .holds
                .get(&Scope::Family(Family::Tracking))
                .is_none()
    }

    /// Which questions about customers may be sent.
    pub(in crate::machine) fn allowed(&self, now: Instant) -> Allowed {
        Allowed {
            read: self.may_pass(now, &Family::CustomerRead),
            create: self.may_pass(now, &Family::CustomerCreate),
            identify: self.may_pass(now, &Family::Tracking),
        }
    }

    /// The place of the first forced request that nothing holds.
    pub(in crate::machine) fn due_forced(&self, now: Instant) -> Option<usize> {
        self.work
            .due_forced(|group| self.may_pass(now, &Family::KObjectWrite(group.klass.clone())))
    }

    pub(in crate::machine) fn due_group(
        &self,
        now: Instant,
        price: Price,
    ) -> Option<ingest_model::batch::GroupKey> {
        self.work.due_group(now, price, |key| {
            self.may_pass(now, &Family::KObjectWrite(key.klass.clone()))
        })
    }

    pub(in crate::machine) fn due_read(&self, now: Instant) -> Option<ReadWork> {
        if let Some(job) = self.jobs.due(now)
            && self.may_pass(now, &Family::BulkRead)
        {
            return Some(ReadWork::Job(job));
        }
        let look = self.work.due_look(|entry| {
            let Operation::KObject(object) = &entry.operation else {
                return false;
            };
            self.may_pass(now, &Family::KObjectRead(object.klass.clone()))
        });
        look.map(ReadWork::Verify)
    }

    /// When the machine wants to be woken even if nothing else happens; not before `now`.
    ///
    /// What was due at the last step but was not sent waits for a permit, a probe or a person. What has become due since then,
    /// even if that is already past, needs a wake-up.
    #[must_use]
    pub fn next_wake(&self, now: Instant) -> Option<Instant> {
        if self.work.has_heads() {
            return Some(now);
        }
        let stepped = self.turn.now;
        // As at the last step: how it falls from there is known.
        let price = self.price(stepped);
        let room =
            self.sending.under_way() + self.memory.journal.submits() < self.settings.max_in_flight;
        let awake = !self.partitions.is_membership_in_doubt();
        let sending = if room && awake && self.health.holds.get(&Scope::Destination).is_none() {
            let later = |at: Instant| {
                if at > stepped {
                    Some(at)
                } else {
                    self.sending.next_permit()
                }
            };
            let turn = self.work.next_turn();
            let free = turn.and_then(|_| price.nothing_at());
            [
                turn.filter(|at| *at > stepped),
                free.filter(|at| *at > stepped),
                self.sending.next_permit(),
                self.sending.quota.opens(stepped),
                self.work.next_group(stepped, price),
                self.customers.next_due(stepped, price),
                self.jobs.next_due().and_then(later),
            ]
        } else {
            [None; 7]
        };
        let timer = self.work.next_time();
        let letter = self.partitions.next_letter();
        let probe = self.health.holds.next_probe(stepped);
        let others = [
            timer,
            self.work.next_gathered(),
            letter,
            probe,
            self.partitions.next_commit(),
            self.partitions.next_drain_check(now),
            self.next_count(),
            self.sending.next_permit(),
            self.memory.journal.next_flush(),
            self.partitions.next_restore(),
            self.sending.fleet.next_tick(),
        ];
        sending
            .into_iter()
            .chain(others)
            .flatten()
            .min()
            .map(|at| at.max(now))
    }
}
