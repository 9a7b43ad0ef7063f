//! Bulk jobs that Kustomer has accepted and not finished: when to read their results.
//!
//! Every read costs a unit, so the first one is timed by how long earlier jobs of the kind took, at about the 90th percentile:
//! then nine jobs in ten need one read. Objects are read at the 95th if requests had a price when
//! they were submitted; customers never, because objects wait for them. A job that is not done by then is read at growing intervals.
//!
//! While nothing is known of a kind, its first job is the scout: it is read early and often, the earlier where permits lie idle, and
//! the others follow what it took.
//! So a worker that has just started, or meets a new klass, does not wait for a default that was chosen for the slowest jobs.

mod estimate;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) use self::estimate::JobTiming;
use self::estimate::{Estimate, Seen};
use ingest_model::batch::{GroupKey, JobId, OperationId, Verb};
use ingest_model::operation::CustomerKey;
use ingest_model::outcome::JobTicket;
use ingest_model::record::Traffic;
use ingest_model::state_log::Entity;

/// What a job carries, by reference.
#[derive(Debug, Clone)]
pub(crate) enum JobItems {
    /// Objects of one klass and verb.
    Objects {
        /// Klass and verb.
        group: GroupKey,
        /// The operations, by whose numbers items are named.
        operations: BTreeSet<OperationId>,
    },
    /// New customers.
    Customers {
        /// Reference to the first key.
        keys: BTreeMap<String, CustomerKey>,
    },
    /// Objects that an earlier owner of their partitions submitted.
    Inherited {
        /// Klass and verb.
        group: GroupKey,
        /// Reference to the item.
        items: BTreeMap<String, InheritedItem>,
    },
}

/// An item of a job that an earlier owner submitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InheritedItem {
    /// The journalled write.
    pub intent: Entity,
    /// Its name in that write, which is its name in the job's results.
    pub reference: String,
}

/// One accepted submission.
#[derive(Debug)]
pub(crate) struct Job {
    /// Its id in Kustomer.
    pub ticket: JobTicket,
    /// The items that are not settled.
    pub items: JobItems,
    /// Whether `_clientRef` was sent.
    pub with_refs: bool,
    /// Without references: the job's state says that all of it is done; only the number of failures has not been read yet.
    pub state_complete: bool,
    /// When it was submitted.
    pub submitted: Instant,
    /// How many items it had.
    pub size: usize,
    /// Reads so far.
    pub reads: u32,
    next_read: Instant,
    reading: bool,
    scout: bool,
    /// When it was read first, after its submission.
    first: Option<Duration>,
    /// A read found it not done.
    late: bool,
}

/// One item of a job.
#[derive(Debug)]
pub(crate) enum JobItem {
    Object(OperationId, Verb),
    Customer(CustomerKey),
    Inherited(InheritedItem),
}

/// All open jobs.
#[derive(Debug)]
pub(crate) struct Jobs {
    open: BTreeMap<JobId, Job>,
    due: BTreeSet<(Instant, JobId)>,
    /// Those that carry nothing but backfill.
    old: BTreeSet<JobId>,
    estimates: BTreeMap<String, Estimate>,
    timing: JobTiming,
    next: u64,
}

impl Jobs {
    /// No jobs.
    pub(crate) fn new(timing: JobTiming) -> Self {
        Self {
            open: BTreeMap::new(),
            due: BTreeSet::new(),
            old: BTreeSet::new(),
            estimates: BTreeMap::new(),
            timing,
            next: 0,
        }
    }

    /// Adds an accepted submission. `dear`: a read takes a permit from others. Then, if nobody waits for its results, it is read
    /// a little later, and fewer are read twice; and a scout is read less often.
    pub(crate) fn add(
        &mut self,
        now: Instant,
        ticket: JobTicket,
        items: JobItems,
        with_refs: bool,
        dear: bool,
    ) -> JobId {
        self.next += 1;
        let id = JobId(self.next);
        let size = items.len();
        let estimate = self.estimates.entry(items.kind()).or_default();
        // An inherited job is read at once, and of its duration only the end is seen.
        let own = !matches!(items, JobItems::Inherited { .. });
        let scout = own && estimate.tries(dear);
        // Objects wait for customers.
        let can_wait = dear && !matches!(items, JobItems::Customers { .. });
        let next_read = if scout {
            now + estimate.scout_read(self.timing, dear)
        } else if can_wait {
            now + estimate.late_read(self.timing)
        } else {
            now + estimate.first_read(self.timing)
        };
        let job = Job {
            ticket,
            items,
            with_refs,
            state_complete: false,
            submitted: now,
            size,
            reads: 0,
            next_read,
            reading: false,
            scout,
            first: None,
            late: false,
        };
        self.open.insert(id, job);
        self.due.insert((next_read, id));
        id
    }

    /// Takes over items of a job that an earlier owner submitted. It is read as soon as a permit is free.
    pub(crate) fn inherit(
        &mut self,
        now: Instant,
        ticket: JobTicket,
        group: GroupKey,
        more: BTreeMap<String, InheritedItem>,
        with_refs: bool,
    ) {
        let known = self.open.values_mut().find(|job| {
            job.ticket.id == ticket.id && matches!(job.items, JobItems::Inherited { .. })
        });
        if let Some(job) = known
            && let JobItems::Inherited { items, .. } = &mut job.items
        {
            // Another slice of the same job: one read serves both.
            job.size += more.len();
            items.extend(more);
            return;
        }
        let items = JobItems::Inherited { group, items: more };
        let id = self.add(now, ticket, items, with_refs, false);
        self.read_again(now, id, true);
    }

    /// Drops inherited items that no longer concern this process.
    pub(crate) fn disown(&mut self, gone: impl Fn(&InheritedItem) -> bool) {
        let mut empty = Vec::new();
        for (id, job) in &mut self.open {
            if let JobItems::Inherited { items, .. } = &mut job.items {
                items.retain(|_, item| !gone(item));
                if items.is_empty() {
                    empty.push(*id);
                }
            }
        }
        for id in empty {
            self.drop_job(id);
        }
    }

    /// A job carries nothing but backfill.
    pub(crate) fn is_backfill(&mut self, id: JobId) {
        self.old.insert(id);
    }

    /// A live operation waits for a job: it is as urgent as that.
    pub(crate) fn hurry(&mut self, id: JobId) {
        self.old.remove(&id);
    }

    /// The most overdue job of those with such traffic that are to be read now. Changes nothing.
    pub(crate) fn due(&self, now: Instant, traffic: Traffic) -> Option<JobId> {
        self.due_now(now, traffic).next()
    }

    /// How many jobs with such traffic are to be read now.
    pub(crate) fn due_count(&self, now: Instant, traffic: Traffic) -> usize {
        self.due_now(now, traffic).count()
    }

    /// When the next job with such traffic is to be read.
    pub(crate) fn next_due(&self, traffic: Traffic) -> Option<Instant> {
        let mut due = self.due.iter();
        let next = due.find(|(_, id)| self.is_of(*id, traffic));
        next.map(|(at, _)| *at)
    }

    /// Whether any job is one of backfill.
    pub(crate) fn has_backfill(&self) -> bool {
        !self.old.is_empty()
    }

    fn due_now(&self, now: Instant, traffic: Traffic) -> impl Iterator<Item = JobId> {
        let due = self.due.iter().take_while(move |(at, _)| *at <= now);
        due.map(|(_, id)| *id)
            .filter(move |id| self.is_of(*id, traffic))
    }

    fn is_of(&self, id: JobId, traffic: Traffic) -> bool {
        self.old.contains(&id) == (traffic == Traffic::Backfill)
    }

    /// A read of this job was sent.
    pub(crate) fn reading(&mut self, now: Instant, id: JobId) {
        if let Some(job) = self.open.get_mut(&id) {
            self.due.remove(&(job.next_read, id));
            job.reading = true;
            job.reads += 1;
            let waited = now.saturating_duration_since(job.submitted);
            job.first.get_or_insert(waited);
        }
    }

    /// A read did not show the end of the job: it is read again later, or at once if `soon`.
    pub(crate) fn read_again(&mut self, now: Instant, id: JobId, soon: bool) {
        let timing = self.timing;
        if let Some(job) = self.open.get_mut(&id) {
            let waited = now.saturating_duration_since(job.submitted);
            let estimate = self.estimates.get(&job.items.kind());
            let usual = estimate.map_or(timing.first_read, |one| one.first_read(timing));
            let pause = if job.scout && waited < usual.mul_f64(0.9) {
                estimate::scout_pause(waited, usual)
            } else {
                waited.mul_f64(0.35).max(usual.min(timing.first_read / 5))
            };
            job.late |= !soon;
            let pause = pause.min(timing.max_pause);
            self.due.remove(&(job.next_read, id));
            job.next_read = if soon { now } else { now + pause };
            job.reading = false;
            self.due.insert((job.next_read, id));
        }
    }

    /// Whether the job has taken longer than any job should.
    pub(crate) fn is_overdue(&self, now: Instant, id: JobId) -> bool {
        self.open
            .get(&id)
            .is_some_and(|job| now.saturating_duration_since(job.submitted) >= self.timing.give_up)
    }

    /// The open job.
    pub(crate) fn get(&self, id: JobId) -> Option<&Job> {
        self.open.get(&id)
    }

    /// A job has reported the result of an item, which need not be waited for any more. Returns the item.
    pub(crate) fn take_item(&mut self, id: JobId, reference: &str) -> Option<JobItem> {
        match &mut self.open.get_mut(&id)?.items {
            JobItems::Objects { group, operations } => {
                let operation = OperationId::of_reference(reference)?;
                let waits = operations.remove(&operation);
                waits.then_some(JobItem::Object(operation, group.verb))
            }
            JobItems::Customers { keys } => keys.remove(reference).map(JobItem::Customer),
            JobItems::Inherited { items, .. } => items.remove(reference).map(JobItem::Inherited),
        }
    }

    /// A job reported that it is complete, but not yet the results of its items.
    pub(crate) fn note_complete(&mut self, id: JobId) {
        if let Some(job) = self.open.get_mut(&id) {
            job.state_complete = true;
        }
    }

    /// Ends a job and learns from its duration: from the server's times if it gave them, otherwise from what was seen.
    pub(crate) fn finish(
        &mut self,
        now: Instant,
        id: JobId,
        completed_ms: Option<i64>,
    ) -> Option<(Job, Duration)> {
        let job = self.remove(id)?;
        let seen = now.saturating_duration_since(job.submitted);
        let told = job
            .ticket
            .created_ms
            .zip(completed_ms)
            .and_then(|(from, to)| {
                let millis = u64::try_from(to.checked_sub(from)?).ok()?;
                Some(Duration::from_millis(millis).div_f64(self.timing.time_scale))
            });
        // Of an inherited job, only the end was seen.
        if !matches!(job.items, JobItems::Inherited { .. }) {
            self.learn(now, &job, told.map(|told| told.min(seen)), seen);
        }
        Some((job, told.unwrap_or(seen).min(seen)))
    }

    /// Gives up a job without learning from it.
    pub(crate) fn drop_job(&mut self, id: JobId) -> Option<Job> {
        self.remove(id)
    }

    /// Takes a job out. If it was a scout of its kind, another one of the kind may be.
    fn remove(&mut self, id: JobId) -> Option<Job> {
        let job = self.open.remove(&id)?;
        self.due.remove(&(job.next_read, id));
        self.old.remove(&id);
        if job.scout
            && let Some(estimate) = self.estimates.get_mut(&job.items.kind())
        {
            estimate.scout_ended();
        }
        Some(job)
    }

    /// Learns from a job that has ended. What changes when jobs are read goes for those that are open, too.
    fn learn(&mut self, now: Instant, job: &Job, told: Option<Duration>, done: Duration) {
        let kind = job.items.kind();
        let estimate = self.estimates.entry(kind.clone()).or_default();
        let seen = Seen {
            scout: job.scout,
            first: job.first.unwrap_or(done),
            at_first: !job.late,
            done,
        };
        let changed = match told {
            Some(took) => estimate.learn(took),
            None => estimate.learn_seen(seen, self.timing),
        };
        if !changed {
            return;
        }
        let wait = estimate.first_read(self.timing);
        for (id, job) in &mut self.open {
            let own = !matches!(job.items, JobItems::Inherited { .. });
            if job.reads > 0
                || job.scout
                || !own
                || !self.due.contains(&(job.next_read, *id))
                || job.items.kind() != kind
            {
                continue;
            }
            self.due.remove(&(job.next_read, *id));
            let at = (job.submitted + wait).max(now);
            job.next_read = if told.is_some() {
                at.min(job.next_read)
            } else {
                at
            };
            self.due.insert((job.next_read, *id));
        }
    }

    /// How long to wait before the result of an ambiguous submission is looked up: three times the 99th percentile of the times
    /// of such jobs, at least `least`.
    pub(crate) fn verification_wait(&self, kind: &str, least: Duration) -> Duration {
        let known = self.estimates.get(kind).and_then(Estimate::thrice);
        known.map_or(least, |thrice| thrice.max(least))
    }

    /// Whether an open job carries an operation.
    pub(crate) fn carries(&self, job: JobId, id: OperationId) -> bool {
        match self.open.get(&job).map(|job| &job.items) {
            Some(JobItems::Objects { operations, .. }) => operations.contains(&id),
            Some(JobItems::Customers { .. } | JobItems::Inherited { .. }) | None => false,
        }
    }

    /// The job that creates a customer.
    pub(crate) fn making(&self, customer: &CustomerKey) -> Option<JobId> {
        let makes = |job: &Job| match &job.items {
            JobItems::Customers { keys } => keys.values().any(|one| one == customer),
            JobItems::Objects { .. } | JobItems::Inherited { .. } => false,
        };
        self.find(makes)
    }

    /// The job of a write that an earlier owner left open.
    pub(crate) fn inherited_from(&self, intent: Entity) -> Option<JobId> {
        let follows = |job: &Job| match &job.items {
            JobItems::Inherited { items, .. } => items.values().any(|one| one.intent == intent),
            JobItems::Objects { .. } | JobItems::Customers { .. } => false,
        };
        self.find(follows)
    }

    fn find(&self, is: impl Fn(&Job) -> bool) -> Option<JobId> {
        let mut open = self.open.iter();
        open.find(|(_, job)| is(job)).map(|(id, _)| *id)
    }

    /// Whether a read of the job is scheduled.
    pub(crate) fn is_due(&self, job: JobId) -> bool {
        let open = self.open.get(&job);
        open.is_some_and(|one| self.due.contains(&(one.next_read, job)))
    }

    /// When the job is read next.
    pub(crate) fn next_read(&self, job: JobId) -> Option<Instant> {
        self.open.get(&job).map(|job| job.next_read)
    }

    /// Whether a job with that id in Kustomer is open.
    pub(crate) fn has_remote(&self, remote: &str) -> bool {
        self.find(|job| &*job.ticket.id == remote).is_some()
    }

    /// How many jobs are open.
    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }
}

impl JobItems {
    /// How many items.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Objects { operations, .. } => operations.len(),
            Self::Customers { keys } => keys.len(),
            Self::Inherited { items, .. } => items.len(),
        }
    }

    /// Whether nothing is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The kind of job; jobs of one kind take similar times.
    pub(crate) fn kind(&self) -> String {
        match self {
            Self::Objects { group, .. } | Self::Inherited { group, .. } => {
                format!("{}/{:?}", group.klass, group.verb)
            }
            Self::Customers { .. } => "customers".to_owned(),
        }
    }
}

impl Job {
    /// The id in Kustomer's paths.
    pub(crate) fn remote_id(&self) -> Arc<str> {
        Arc::clone(&self.ticket.id)
    }
}

#[cfg(test)]
mod tests;
