//! When requests were sent, which of them settled nothing, and what backfill cost beside live records.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use ingest_model::body::Body;
use ingest_model::call::{Call, CallResult, JobReport, Reply};
use ingest_model::outcome::Outcome;

use super::World;
use super::carried::object_mark;

const MINUTE: Duration = Duration::from_secs(60);

/// Counts of the requests of all replicas.
#[derive(Debug, Default)]
pub(crate) struct Counted {
    /// When each was sent.
    pub(crate) sent: Vec<Duration>,
    /// When each read was answered that showed no result of its job that was not known.
    pub(crate) idle: Vec<Duration>,
    /// The live objects, by their marks.
    pub(crate) live: BTreeSet<String>,
    /// What all others cost: of a request that carries both, and of the reads of its job, the part of its items.
    pub(crate) old_units: f64,
    jobs: BTreeMap<Arc<str>, Seen>,
}

/// What is known of a job.
#[derive(Debug, Default)]
struct Seen {
    results: usize,
    /// The part of its items that is not live.
    old: f64,
}

impl World {
    /// Counts requests from now on.
    pub(crate) fn count_requests(&mut self) {
        self.counted = Some(Counted::default());
    }

    pub(super) fn count_sent(&mut self) {
        let now = self.elapsed();
        if let Some(counted) = &mut self.counted {
            counted.sent.push(now);
        }
    }

    /// A request was answered.
    pub(super) fn count_answer(&mut self, call: &Call, reply: &Reply) {
        let now = self.elapsed();
        if let Some(counted) = &mut self.counted {
            counted.note(now, call, reply);
        }
    }
}

impl Counted {
    /// The most requests in any minute that begins at that time or later.
    pub(crate) fn most_in_a_minute(&self, from: Duration) -> usize {
        let first = self.sent.partition_point(|at| *at < from);
        let later = self.sent.iter().skip(first);
        later.map(|at| self.in_minute(*at)).max().unwrap_or(0)
    }

    /// How many requests were sent in the minute that begins at that time.
    pub(crate) fn in_minute(&self, from: Duration) -> usize {
        let place = |until: Duration| self.sent.partition_point(|at| *at < until);
        place(from + MINUTE) - place(from)
    }

    fn note(&mut self, now: Duration, call: &Call, reply: &Reply) {
        match (call, &reply.result) {
            (
                Call::CreateKObjects { items, .. } | Call::UpdateKObjects { items, .. },
                CallResult::Submitted(outcome),
            ) => {
                let old = self.old_part(items.iter().map(|item| &item.body));
                self.old_units += old;
                if let Outcome::Pending(ticket) = outcome {
                    let seen = Seen { results: 0, old };
                    self.jobs.insert(Arc::clone(&ticket.id), seen);
                }
            }
            (Call::CreateKObject { body, .. } | Call::UpdateKObject { body, .. }, _) => {
                self.old_units += self.old_part([body].into_iter());
            }
            (Call::ReadJob { job }, CallResult::Job(Outcome::Delivered(report))) => {
                self.read(now, job, report);
            }
            _ => {}
        }
    }

    fn old_part<'a>(&self, bodies: impl Iterator<Item = &'a Body>) -> f64 {
        let (mut old, mut all) = (0.0, 0.0);
        for body in bodies {
            let live = object_mark(body).is_some_and(|mark| self.live.contains(&mark));
            old += if live { 0.0 } else { 1.0 };
            all += 1.0;
        }
        if all > 0.0 { old / all } else { 0.0 }
    }

    fn read(&mut self, now: Duration, job: &Arc<str>, report: &JobReport) {
        let seen = self.jobs.entry(Arc::clone(job)).or_default();
        self.old_units += seen.old;
        let results = report.items.len();
        if !report.complete && !report.unknown && results <= seen.results {
            self.idle.push(now);
        }
        seen.results = results;
        if report.complete || report.unknown {
            self.jobs.remove(job);
        }
    }
}
