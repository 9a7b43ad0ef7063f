//! Who sends next: permits, turns between classes, holds.

use std::time::Instant;

use super::Machine;
use crate::call::Class;
use crate::hold::{Family, Passage, Scope};
use crate::job::JobId;
use crate::lane::OperationId;
use crate::operation::Operation;
use crate::quota::Denied;

/// What the `Read` class would do next.
pub(super) enum ReadWork {
    Job(JobId),
    Verify(OperationId),
}

impl Machine {
    /// Sends what may be sent until permits, work or room run out.
    pub(super) fn schedule(&mut self, now: Instant) {
        self.next_permit = None;
        while self.requests.len() < self.settings.max_in_flight {
            self.trim_ready(now);
            let plenty = self.is_plenty(now);
            let work = self.work(now, plenty);
            let Some(class) = self.turns.next(|class| work.contains(&Some(class))) else {
                break;
            };
            match self.quota.take(now, class) {
                Ok(()) => {
                    self.turns.spend(class);
                    self.dispatch(now, class, plenty);
                    self.activate_lanes(now);
                }
                Err(Denied::Until(at)) => {
                    self.next_permit = Some(at);
                    break;
                }
                Err(Denied::NoAllowance) => break,
            }
        }
    }

    /// Whether there are more permits than work that could use them: then nothing waits for company.
    pub(super) fn is_plenty(&self, now: Instant) -> bool {
        let ready = self.ready_track.len()
            + self.verify.len()
            + self.forced.len()
            + self.groups.full()
            + self.jobs.due_count(now);
        let ready = u32::try_from(ready).unwrap_or(u32::MAX);
        self.quota.available(now, Class::Track) > f64::from(ready)
    }

    fn work(&self, now: Instant, plenty: bool) -> [Option<Class>; 5] {
        if self.holds.get(&Scope::Destination).is_some() {
            let probe = self.holds.passage(now, None) == Passage::Probe;
            return [probe.then_some(Class::Probe), None, None, None, None];
        }
        let tracks = !self.ready_track.is_empty() && self.may_pass(now, &Family::Tracking);
        let writes = self.due_forced(now) || self.due_group(now, plenty).is_some();
        let reads = self.due_read(now).is_some();
        let resolves = self.resolver.due(now, plenty)
            && self.may_pass(now, &Family::CustomerRead)
            && self.may_pass(now, &Family::CustomerCreate);
        [
            tracks.then_some(Class::Track),
            writes.then_some(Class::Write),
            reads.then_some(Class::Read),
            resolves.then_some(Class::Resolve),
            None,
        ]
    }

    pub(super) fn may_pass(&self, now: Instant, family: &Family) -> bool {
        match self.holds.passage(now, Some(family)) {
            Passage::Free | Passage::Probe => true,
            Passage::Held(_) => false,
        }
    }

    pub(super) fn due_forced(&self, now: Instant) -> bool {
        self.forced
            .front()
            .is_some_and(|(key, _)| self.may_pass(now, &Family::KObjectWrite(key.klass.clone())))
    }

    pub(super) fn due_group(&self, now: Instant, plenty: bool) -> Option<crate::pack::GroupKey> {
        self.groups.due(now, plenty, |key| {
            self.may_pass(now, &Family::KObjectWrite(key.klass.clone()))
        })
    }

    pub(super) fn due_read(&self, now: Instant) -> Option<ReadWork> {
        if let Some(job) = self.jobs.due(now)
            && self.may_pass(now, &Family::BulkRead)
        {
            return Some(ReadWork::Job(job));
        }
        let id = self.verify.front().copied()?;
        let Operation::KObject(object) = &self.operations.get(&id)?.work else {
            return None;
        };
        self.may_pass(now, &Family::KObjectRead(object.klass.clone()))
            .then_some(ReadWork::Verify(id))
    }

    /// When the machine wants to be woken although nothing else happens; not before `now`.
    ///
    /// What was due at the last step and was not sent waits for a permit, a probe or a person. What became due since then,
    /// even if it is past by now, wants a wake-up.
    #[must_use]
    pub fn next_wake(&self, now: Instant) -> Option<Instant> {
        let stepped = self.stepped_at.unwrap_or(now);
        let plenty = self.is_plenty(now);
        let room = self.requests.len() < self.settings.max_in_flight;
        let sending = if room && self.holds.get(&Scope::Destination).is_none() {
            let later = |at: Instant| {
                if at > stepped {
                    Some(at)
                } else {
                    self.next_permit
                }
            };
            [
                self.next_permit,
                self.groups.next_due(plenty).and_then(later),
                self.groups.next_due(false).and_then(later),
                self.resolver.next_due(plenty).and_then(later),
                self.resolver.next_due(false).and_then(later),
                self.jobs.next_due().and_then(later),
            ]
        } else {
            [None; 6]
        };
        let timer = self.timers.first().map(|(at, _)| *at);
        let probe = self.holds.next_probe(stepped);
        let others = [
            timer,
            probe,
            self.next_commit(),
            self.next_drain_check(now),
            self.next_permit,
        ];
        sending
            .into_iter()
            .chain(others)
            .flatten()
            .min()
            .map(|at| at.max(now))
    }
}
