//! Who sends next: permits, turns between classes, holds.

mod bodies;
mod companies;
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
use ingest_model::batch::GroupKey;
use ingest_model::batch::JobId;
use ingest_model::batch::OperationId;
use ingest_model::call::Class;
use ingest_model::record::Traffic;

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
        let mut denied: SmallVec<[(Traffic, Class); 5]> = SmallVec::new();
        while self.has_room(Traffic::Live) {
            self.trim_ready(now);
            let Some((traffic, class, price)) = self.next_turn(now, &denied) else {
                break;
            };
            match self.sending.take_permit(now, traffic, class) {
                Ok(()) => {
                    self.dispatch(now, traffic, class, price);
                    self.activate_lanes(now);
                }
                Err(Denied::Until(_)) => denied.push((traffic, class)),
                Err(Denied::NoAllowance) => break,
            }
        }
    }

    /// Whose turn it is: live work first. Backfill goes while it takes from live work neither a permit nor what is saved up for
    /// it, and once in a while, so that it never stands still.
    fn next_turn(
        &mut self,
        now: Instant,
        denied: &[(Traffic, Class)],
    ) -> Option<(Traffic, Class, Price)> {
        let price = self.price(now);
        if !self.has_backfill() {
            let class = self.class_of(now, Traffic::Live, price, denied)?;
            return Some((Traffic::Live, class, price));
        }
        let free = self.price_beyond(now).is_nothing();
        let due = self.sending.is_backfill_due(now);
        let order = if due {
            [Traffic::Backfill, Traffic::Live]
        } else {
            [Traffic::Live, Traffic::Backfill]
        };
        for traffic in order {
            let (price, open) = match traffic {
                Traffic::Live => (price, true),
                Traffic::Backfill => (self.price_of_all(now), due || free),
            };
            if !open || !self.has_room(traffic) {
                continue;
            }
            if let Some(class) = self.class_of(now, traffic, price, denied) {
                return Some((traffic, class, price));
            }
        }
        None
    }

    /// Which class of such traffic goes next.
    fn class_of(
        &mut self,
        now: Instant,
        traffic: Traffic,
        price: Price,
        denied: &[(Traffic, Class)],
    ) -> Option<Class> {
        let work = self.work(now, price, traffic);
        let may = |class| work.contains(&Some(class)) && !denied.contains(&(traffic, class));
        self.sending.turns_of(traffic).next(may)
    }

    /// Whether there may be anything that is not urgent.
    fn has_backfill(&self) -> bool {
        self.work.has_backfill() || self.jobs.has_backfill() || !self.customers.is_idle()
    }

    /// Whether one more request may be in flight. Backfill leaves some of the room to live work.
    fn has_room(&self, traffic: Traffic) -> bool {
        let most = self.settings.max_in_flight;
        let most = match traffic {
            Traffic::Live => most,
            Traffic::Backfill => most - most / 4,
        };
        self.sending.under_way() + self.memory.journal.submits() < most
    }

    /// What one more live request costs: it rises with those that could be sent if there were permits. What backfill took is not
    /// counted, because it waits for the live ones.
    pub(in crate::machine) fn price(&self, now: Instant) -> Price {
        self.sending.live_price(now, self.live_requests(now))
    }

    /// What a request costs that may take nothing of what is saved up for others: of backfill, or beyond a customer's turns.
    fn price_beyond(&self, now: Instant) -> Price {
        self.sending.price_beyond(now, self.live_requests(now))
    }

    /// What one more request of backfill costs the rest of it.
    fn price_of_all(&self, now: Instant) -> Price {
        let old = self.work.old_requests() + self.jobs.due_count(now, Traffic::Backfill);
        self.sending.price(now, self.live_requests(now) + old)
    }

    fn live_requests(&self, now: Instant) -> usize {
        let tracks = if self.may_pass(now, &Family::Tracking) {
            self.work.tracks_in_turn()
        } else {
            0
        };
        let (looks, reads) = if self.health.holds.is_empty() {
            (self.work.ready_looks(), true)
        } else {
            // What a hold keeps back takes no permit from anybody.
            let any = self.due_look(now, Traffic::Live).is_some();
            let looks = if any { self.work.ready_looks() } else { 0 };
            (looks, self.may_pass(now, &Family::BulkRead))
        };
        let jobs = if reads {
            self.jobs.due_count(now, Traffic::Live)
        } else {
            0
        };
        let writes = self.work.full_writes(|key| self.may_write(now, key));
        tracks + looks + writes + jobs
    }

    fn work(&self, now: Instant, price: Price, traffic: Traffic) -> [Option<Class>; 5] {
        let live = traffic == Traffic::Live;
        if self.health.holds.is_held(&Scope::Destination) {
            let probe = live && self.health.holds.passage(now, None) == Passage::Probe;
            let reads = self.jobs_go_on(now) && self.jobs.due(now, traffic).is_some();
            let (probe, read) = (probe.then_some(Class::Probe), reads.then_some(Class::Read));
            return [probe, read, None, None, None];
        }
        let waits = if live {
            let beyond = || self.work.next_turn().is_some() && self.price_beyond(now).is_nothing();
            self.work.tracks_in_turn() > 0 || beyond()
        } else {
            self.work.first_track(traffic).is_some()
        };
        let tracks = waits && self.may_pass(now, &Family::Tracking);
        let writes = self.memory.journal.may_submit()
            && (live && self.due_forced(now).is_some()
                || self.due_group(now, price, traffic).is_some());
        let reads = self.due_read(now, traffic).is_some();
        let resolves = self.has_owner_to_read(now, traffic)
            || self.customers.due(now, price, self.allowed(now, traffic));
        [
            tracks.then_some(Class::Track),
            writes.then_some(Class::Write),
            reads.then_some(Class::Read),
            resolves.then_some(Class::Resolve),
            None,
        ]
    }

    /// Whether jobs are read although the destination is held: it is only paused, and they were begun before.
    fn jobs_go_on(&self, now: Instant) -> bool {
        self.health.holds.passage(now, Some(&Family::BulkRead)) == Passage::Free
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
            && !self.health.holds.is_held(&Scope::Family(Family::Tracking))
    }

    /// Which questions about customers may be sent.
    pub(in crate::machine) fn allowed(&self, now: Instant, traffic: Traffic) -> Allowed {
        Allowed {
            search: self.may_pass(now, &Family::CustomerSearch),
            read: self.may_pass(now, &Family::CustomerRead),
            create: self.may_pass(now, &Family::CustomerCreate),
            identify: self.may_pass(now, &Family::Tracking),
            live_only: traffic == Traffic::Live,
        }
    }

    /// The place of the first forced request that nothing holds.
    pub(in crate::machine) fn due_forced(&self, now: Instant) -> Option<usize> {
        self.work.due_forced(|group| self.may_write(now, group))
    }

    pub(in crate::machine) fn due_group(
        &self,
        now: Instant,
        price: Price,
        traffic: Traffic,
    ) -> Option<GroupKey> {
        self.work
            .due_group(now, price, traffic, |key| self.may_write(now, key))
    }

    pub(in crate::machine) fn due_read(&self, now: Instant, traffic: Traffic) -> Option<ReadWork> {
        if let Some(job) = self.jobs.due(now, traffic)
            && self.may_pass(now, &Family::BulkRead)
        {
            return Some(ReadWork::Job(job));
        }
        self.due_look(now, traffic).map(ReadWork::Verify)
    }

    /// The first look that nothing holds.
    fn due_look(&self, now: Instant, traffic: Traffic) -> Option<OperationId> {
        self.work.due_look(traffic, |id, entry| {
            self.looked_at(id, entry)
                .is_some_and(|klass| self.may_pass(now, &Family::KObjectRead(klass)))
        })
    }

    fn may_write(&self, now: Instant, group: &GroupKey) -> bool {
        self.may_pass(now, &Family::of_write(group.klass.clone(), group.verb))
    }

    /// Whether backfill is ready that waits for what live work leaves.
    fn waits_for_room(&self, now: Instant, price: Price) -> bool {
        let work = self.work(now, price, Traffic::Backfill);
        work.iter().any(Option::is_some)
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
        let backfill = self.has_backfill();
        let all = if backfill {
            self.price_of_all(stepped)
        } else {
            price
        };
        let room = self.has_room(Traffic::Live);
        let awake = !self.partitions.is_membership_in_doubt();
        let held = self.health.holds.is_held(&Scope::Destination);
        let sending = if room && awake && !held {
            let later = |at: Instant| {
                if at > stepped {
                    Some(at)
                } else {
                    self.sending.next_permit()
                }
            };
            let turn = self.work.next_turn();
            let old =
                backfill && self.has_room(Traffic::Backfill) && self.waits_for_room(stepped, all);
            let waits = turn.is_some() || old;
            let free = waits.then(|| self.price_beyond(stepped).nothing_at());
            let old_group = backfill
                .then(|| self.work.next_group(stepped, all, Traffic::Backfill))
                .flatten();
            let old_question = backfill
                .then(|| self.customers.next_due(stepped, all))
                .flatten();
            let due = old.then(|| self.sending.backfill_due());
            [
                turn.filter(|at| *at > stepped),
                free.flatten().filter(|at| *at > stepped),
                due.flatten().filter(|at| *at > stepped),
                self.sending.next_permit(),
                self.sending.quota.opens(stepped),
                self.work.next_group(stepped, price, Traffic::Live),
                old_group,
                self.customers.next_due(stepped, price),
                old_question,
                self.jobs.next_due(Traffic::Live).and_then(later),
                self.jobs
                    .next_due(Traffic::Backfill)
                    .filter(|at| *at > stepped),
            ]
        } else {
            let mut reads = [None; 11];
            if room && awake && self.jobs_go_on(stepped) {
                for (place, traffic) in reads.iter_mut().zip([Traffic::Live, Traffic::Backfill]) {
                    *place = self.jobs.next_due(traffic).filter(|at| *at > stepped);
                }
            }
            reads
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
            self.health.holds.pauses.next_end(),
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
