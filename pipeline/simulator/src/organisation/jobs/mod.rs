//! Bulk jobs: what was submitted, when each of its items runs, and what became of it.
//!
//! A job waits, then runs its items in a random order in batches; a batch runs in two steps, so that
//! it can be seen half done. The steps of all jobs are on one agenda, ordered by time.

use std::collections::{BTreeMap, HashMap, VecDeque};

use rand::Rng;
use rand::seq::SliceRandom;
use serde_json::{Map, Value};

use crate::config::{BulkStart, Switches};
use crate::random::log_normal;
use crate::time::SimTime;

/// What a job does with its items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    CreateObjects { klass: u16 },
    UpdateObjects { klass: u16 },
    DeleteObjects { klass: u16 },
    CreateCustomers,
    UpdateCustomers,
    DeleteCustomers,
    CreateCompanies,
    UpdateCompanies,
}

impl Work {
    /// The name of the job's context in its document.
    pub(crate) const fn context(self) -> &'static str {
        match self {
            Self::CreateObjects { .. } => "api.sobjects.kobjects.bulk-create",
            Self::UpdateObjects { .. } => "api.sobjects.kobjects.bulk-update",
            Self::DeleteObjects { .. } => "api.sobjects.kobjects.bulk-delete",
            Self::CreateCustomers => "api.sobjects.customers.bulk-create",
            Self::UpdateCustomers => "api.sobjects.customers.bulk-update",
            Self::DeleteCustomers => "api.sobjects.customers.bulk-delete",
            Self::CreateCompanies => "api.sobjects.companies.bulk-create",
            Self::UpdateCompanies => "api.sobjects.companies.bulk-update",
        }
    }
}

/// One item as submitted.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) body: Map<String, Value>,
    /// It was malformed, or a fault makes it fail.
    pub(crate) failure: Option<String>,
}

/// What became of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ItemResult {
    Created(u32),
    Updated(u32),
    Deleted(u32),
    Failed(Box<str>),
}

/// One batch of a job.
#[derive(Debug)]
pub(crate) struct Batch {
    /// Positions of its items within the job.
    pub(crate) items: Vec<usize>,
    pub(crate) completed_at: Option<SimTime>,
}

/// The state of a job at some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JobState {
    Queued,
    Running,
    Complete,
}

impl JobState {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Complete => "complete",
        }
    }
}

/// One job.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) work: Work,
    pub(crate) key: u16,
    pub(crate) created_at: SimTime,
    pub(crate) starts_at: SimTime,
    pub(crate) completed_at: Option<SimTime>,
    /// `_clientRef` of every item, if they have one.
    pub(crate) refs: Option<Vec<Box<str>>>,
    pub(crate) results: Vec<Option<ItemResult>>,
    pub(crate) batches: Vec<Batch>,
    items: Vec<Option<Item>>,
}

impl Job {
    pub(crate) fn state(&self, now: SimTime) -> JobState {
        if self.completed_at.is_some() {
            JobState::Complete
        } else if now >= self.starts_at {
            JobState::Running
        } else {
            JobState::Queued
        }
    }
}

/// A submission.
#[derive(Debug)]
pub(crate) struct Submission {
    pub(crate) work: Work,
    pub(crate) key: u16,
    pub(crate) items: Vec<Item>,
    pub(crate) refs: Option<Vec<Box<str>>>,
    /// `Some(None)` never completes.
    pub(crate) stuck: Option<Option<u64>>,
}

#[derive(Debug, Clone, Copy)]
struct Step {
    job: u32,
    batch: usize,
    from: usize,
    to: usize,
}

/// A part of a batch that is due now.
#[derive(Debug)]
pub(crate) struct Due {
    pub(crate) job: u32,
    batch: usize,
    pub(crate) work: Work,
    pub(crate) key: u16,
    /// Positions within the job, and the items to run.
    pub(crate) items: Vec<(usize, Item)>,
}

/// All jobs whose results can still be read, and the agenda.
#[derive(Debug)]
pub(crate) struct Jobs {
    all: HashMap<u32, Job>,
    finished: VecDeque<u32>,
    retained: usize,
    submitted: u32,
    agenda: BTreeMap<(SimTime, u64), Step>,
    planned: u64,
}

impl Jobs {
    pub(crate) fn new(retained: u64) -> Self {
        Self {
            all: HashMap::new(),
            finished: VecDeque::new(),
            retained: usize::try_from(retained).unwrap_or(usize::MAX),
            submitted: 0,
            agenda: BTreeMap::new(),
            planned: 0,
        }
    }

    pub(crate) fn get(&self, position: u32) -> Option<&Job> {
        self.all.get(&position)
    }

    pub(crate) fn unfinished(&self) -> u64 {
        u64::try_from(self.all.len() - self.finished.len()).unwrap_or(u64::MAX)
    }

    /// When the next step is due.
    pub(crate) fn next_due(&self) -> Option<SimTime> {
        self.agenda.first_key_value().map(|((time, _), _)| *time)
    }

    /// Accepts a submission and plans its steps.
    pub(crate) fn submit(
        &mut self,
        now: SimTime,
        rng: &mut impl Rng,
        switches: &Switches,
        submission: Submission,
    ) -> u32 {
        let position = self.submitted;
        self.submitted += 1;
        let count = submission.items.len();
        let mut order: Vec<usize> = (0..count).collect();
        order.shuffle(rng);
        let size = usize::try_from(switches.bulk_batch_items)
            .unwrap_or(100)
            .max(1);
        let batches: Vec<Batch> = order
            .chunks(size)
            .map(|items| Batch {
                items: items.to_vec(),
                completed_at: None,
            })
            .collect();
        let drawn = log_normal(rng, switches.bulk_median_ms, switches.bulk_p99_ms);
        let duration = match (switches.bulk_start, submission.stuck) {
            (_, Some(None)) => None,
            (_, Some(Some(longer))) => Some(drawn.saturating_add(longer)),
            (BulkStart::Complete, None) => Some(0),
            (BulkStart::Queued, None) => Some(drawn),
        };
        let starts_at = match switches.bulk_start {
            BulkStart::Complete => now,
            BulkStart::Queued => now.plus_millis(signed(drawn / 5)),
        };
        if let Some(duration) = duration {
            self.plan(
                position,
                starts_at,
                now.plus_millis(signed(duration)),
                &batches,
            );
        }
        self.all.insert(
            position,
            Job {
                work: submission.work,
                key: submission.key,
                created_at: now,
                starts_at,
                completed_at: None,
                refs: submission.refs,
                results: vec![None; count],
                batches,
                items: submission.items.into_iter().map(Some).collect(),
            },
        );
        position
    }

    // Batches end one after the other, the last at `end`; each runs in two halves.
    fn plan(&mut self, job: u32, start: SimTime, end: SimTime, batches: &[Batch]) {
        let span = end.since(start).max(0);
        let halves = signed(batches.len() as u64).saturating_mul(2).max(1);
        for (batch, number) in batches.iter().zip(0_i64..) {
            let middle = batch.items.len() / 2;
            let position = usize::try_from(number).unwrap_or_default();
            for (half, from, to) in [(1, 0, middle), (2, middle, batch.items.len())] {
                let at = start.plus_millis(span / halves * (2 * number + half));
                let at = if half == 2 && position + 1 == batches.len() {
                    start.plus_millis(span)
                } else {
                    at
                };
                self.planned += 1;
                self.agenda.insert(
                    (at, self.planned),
                    Step {
                        job,
                        batch: position,
                        from,
                        to,
                    },
                );
            }
        }
    }

    /// Takes the next step off the agenda, with the items that it runs.
    pub(crate) fn next_step(&mut self) -> Option<Due> {
        let (_, step) = self.agenda.pop_first()?;
        let job = self.all.get_mut(&step.job)?;
        let positions = job
            .batches
            .get(step.batch)?
            .items
            .get(step.from..step.to)?
            .to_vec();
        let items = positions
            .into_iter()
            .filter_map(|position| Some((position, job.items.get_mut(position)?.take()?)))
            .collect();
        Some(Due {
            job: step.job,
            batch: step.batch,
            work: job.work,
            key: job.key,
            items,
        })
    }

    /// Records what became of the items of a step.
    pub(crate) fn settle(&mut self, now: SimTime, due: &Due, results: Vec<(usize, ItemResult)>) {
        let Some(job) = self.all.get_mut(&due.job) else {
            return;
        };
        for (position, result) in results {
            if let Some(place) = job.results.get_mut(position) {
                *place = Some(result);
            }
        }
        let results = &job.results;
        if let Some(batch) = job.batches.get_mut(due.batch) {
            let settled = |item: &usize| results.get(*item).is_some_and(Option::is_some);
            if batch.completed_at.is_none() && batch.items.iter().all(settled) {
                batch.completed_at = Some(now);
            }
        }
        let done = job.batches.iter().all(|batch| batch.completed_at.is_some());
        if done && job.completed_at.is_none() {
            job.completed_at = Some(now);
            job.items = Vec::new();
            self.finished.push_back(due.job);
            if self.finished.len() > self.retained
                && let Some(oldest) = self.finished.pop_front()
            {
                self.all.remove(&oldest);
            }
        }
    }
}

fn signed(millis: u64) -> i64 {
    i64::try_from(millis).unwrap_or(i64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    const NOW: SimTime = SimTime::from_millis(1_000_000);

    fn submission(count: usize, stuck: Option<Option<u64>>) -> Submission {
        let item = || Item {
            body: Map::new(),
            failure: None,
        };
        Submission {
            work: Work::CreateCustomers,
            key: 0,
            items: (0..count).map(|_| item()).collect(),
            refs: None,
            stuck,
        }
    }

    fn run_all(jobs: &mut Jobs) -> (Vec<usize>, Vec<SimTime>) {
        let (mut order, mut times) = (Vec::new(), Vec::new());
        while let Some(time) = jobs.next_due() {
            let due = jobs.next_step().unwrap();
            let results = due
                .items
                .iter()
                .map(|(at, _)| (*at, ItemResult::Created(0)))
                .collect();
            order.extend(due.items.iter().map(|(at, _)| *at));
            times.push(time);
            jobs.settle(time, &due, results);
        }
        (order, times)
    }

    #[test]
    fn every_item_runs_once_in_a_shuffled_order() {
        let mut jobs = Jobs::new(10);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let job = jobs.submit(NOW, &mut rng, &Switches::default(), submission(100, None));
        assert_eq!(jobs.get(job).unwrap().state(NOW), JobState::Queued);
        let starts_at = jobs.get(job).unwrap().starts_at;
        assert_eq!(jobs.get(job).unwrap().state(starts_at), JobState::Running);
        let (mut order, times) = run_all(&mut jobs);
        assert_ne!(order, (0..100).collect::<Vec<_>>());
        order.sort_unstable();
        assert_eq!(order, (0..100).collect::<Vec<_>>());
        assert_eq!(times.len(), 4);
        assert!(times.is_sorted() && times[0] > starts_at);
        let last = *times.last().unwrap();
        assert_eq!(jobs.get(job).unwrap().completed_at, Some(last));
        assert_eq!(jobs.get(job).unwrap().state(last), JobState::Complete);
    }

    #[test]
    fn one_item_is_enough() {
        let mut jobs = Jobs::new(10);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let job = jobs.submit(NOW, &mut rng, &Switches::default(), submission(1, None));
        run_all(&mut jobs);
        assert!(jobs.get(job).unwrap().completed_at.is_some());
    }

    #[test]
    fn stuck_jobs_take_longer_or_for_ever() {
        let mut jobs = Jobs::new(10);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let never = jobs.submit(
            NOW,
            &mut rng,
            &Switches::default(),
            submission(3, Some(None)),
        );
        assert_eq!(jobs.next_due(), None);
        let later = NOW.plus_millis(86_400_000);
        assert_eq!(jobs.get(never).unwrap().state(later), JobState::Running);
        let slow = Some(Some(600_000));
        let job = jobs.submit(NOW, &mut rng, &Switches::default(), submission(3, slow));
        let (_, times) = run_all(&mut jobs);
        assert!(times.last().unwrap().since(NOW) > 600_000);
        assert!(jobs.get(job).unwrap().completed_at.is_some());
        assert_eq!(jobs.unfinished(), 1);
    }

    #[test]
    fn old_results_are_dropped() {
        let mut jobs = Jobs::new(2);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for _ in 0..3 {
            jobs.submit(NOW, &mut rng, &Switches::default(), submission(1, None));
            run_all(&mut jobs);
        }
        assert!(jobs.get(0).is_none() && jobs.get(1).is_some() && jobs.get(2).is_some());
        assert_eq!(jobs.unfinished(), 0);
    }
}
