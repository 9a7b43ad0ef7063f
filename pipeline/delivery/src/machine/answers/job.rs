//! Results of bulk jobs: each item is settled by its own result.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::health::Endpoint;
use crate::jobs::{JobItem, JobItems};
use crate::machine::Machine;
use crate::objects::quarantine::Way;
use crate::seam::fact::{Fact, ResolvedBy};
use ingest_model::batch::JobId;
use ingest_model::batch::OperationId;
use ingest_model::batch::{GroupKey, Verb};
use ingest_model::call::{ItemFate, ItemResult, JobReport};
use ingest_model::operation::CustomerKey;
use ingest_model::outcome::{Outcome, Rejection, RetryCause};

/// A job that says it is complete but has no result for an item is read this often in all, before the item is looked at.
const READS_OF_A_COMPLETE_JOB: u32 = 6;

impl Machine {
    pub(in crate::machine) fn on_job_read(
        &mut self,
        now: Instant,
        id: JobId,
        state_only: bool,
        outcome: &Outcome<JobReport>,
    ) {
        match outcome {
            Outcome::Delivered(report) => self.on_report(now, id, state_only, report),
            Outcome::Retry(RetryCause::OrgQuota) | Outcome::Hold(_) => {
                self.jobs.read_again(now, id, true);
            }
            Outcome::Retry(_)
            | Outcome::Ambiguous
            | Outcome::Pending(_)
            | Outcome::Reject(_)
            | Outcome::Split(_) => self.read_later_or_give_up(now, id),
        }
    }

    fn on_report(&mut self, now: Instant, id: JobId, state_only: bool, report: &JobReport) {
        let Some(job) = self.jobs.get(id) else {
            return;
        };
        if report.unknown {
            self.give_job_up(now, id);
            return;
        }
        let completed_ms = report.completed_ms;
        if job.with_refs {
            // Each item settles a record, about.
            self.turn.expect(report.items.len());
            if let JobItems::Objects { group, .. } = &job.items
                && report.items.iter().any(ItemResult::is_stored)
            {
                let group = group.clone();
                self.note_items_stored(now, group);
            }
            for item in &report.items {
                self.settle_item(now, id, item);
            }
            let reads = self.jobs.get(id).map_or(0, |job| job.reads);
            if self.jobs.get(id).is_some_and(|job| job.items.is_empty()) {
                self.end_job(now, id, completed_ms);
            } else if report.complete && reads >= READS_OF_A_COMPLETE_JOB {
                self.give_job_up(now, id);
            } else {
                self.read_later_or_give_up(now, id);
            }
        } else if state_only {
            if report.complete {
                self.jobs.note_complete(id);
                self.jobs.read_again(now, id, true);
            } else {
                self.read_later_or_give_up(now, id);
            }
        } else {
            self.end_unnamed(now, id, report);
        }
    }

    /// A job without references is complete: without failures all items were stored; with failures each is looked at.
    fn end_unnamed(&mut self, now: Instant, id: JobId, report: &JobReport) {
        let clean = report.failures == Some(0);
        match self.end_job(now, id, report.completed_ms) {
            Some(JobItems::Objects { group, operations }) => {
                if clean {
                    self.note_items_stored(now, group.clone());
                }
                for operation in operations {
                    if clean {
                        self.stored(operation, group.verb, None, None);
                    } else {
                        self.doubt_now(operation);
                    }
                }
            }
            Some(JobItems::Customers { keys }) => {
                if clean {
                    self.health.successes.note(now, Endpoint::CustomerCreate);
                }
                // Whether it was created or existed before is not reported; it exists now.
                for key in in_order(keys) {
                    self.customers.exists(now, &key);
                }
            }
            Some(JobItems::Inherited { items, .. }) => {
                for item in items.into_values() {
                    self.inherited_unnamed(&item, clean);
                }
                self.inherited_job_ended();
            }
            None => {}
        }
    }

    fn settle_item(&mut self, now: Instant, job: JobId, item: &ItemResult) {
        match self.jobs.take_item(job, &item.reference) {
            Some(JobItem::Object(operation, verb)) => {
                self.settle_object(now, operation, verb, item.fate.clone());
            }
            Some(JobItem::Customer(key)) => self.settle_customer(now, &key, item.fate.clone()),
            Some(JobItem::Inherited(inherited)) => {
                self.inherited_fate(&inherited, item.fate.clone());
            }
            None => {}
        }
    }

    /// Items of a job were stored: such writes succeed.
    fn note_items_stored(&mut self, now: Instant, group: GroupKey) {
        let endpoint = Endpoint::Write { group, bulk: true };
        self.health.successes.note(now, endpoint);
    }

    fn settle_object(&mut self, now: Instant, id: OperationId, verb: Verb, fate: ItemFate) {
        match fate {
            ItemFate::Stored(object) => self.stored(id, verb, object, None),
            ItemFate::Duplicate => self.look_at(id),
            ItemFate::Conflict => self.conflict(id),
            ItemFate::Gone => self.gone(now, id, verb),
            ItemFate::Limited(_) => self.retry(now, id, RetryCause::ObjectQuota, None),
            ItemFate::Transient(_) => self.retry(now, id, RetryCause::Item, None),
            ItemFate::Permanent(detail) => {
                self.refuse_object(now, id, Way::Job, detail);
            }
        }
    }

    fn settle_customer(&mut self, now: Instant, key: &CustomerKey, fate: ItemFate) {
        match fate {
            ItemFate::Stored(Some(id)) => {
                self.health.successes.note(now, Endpoint::CustomerCreate);
                self.customers.note_share(key, false);
                self.learn_customer(key, &id, ResolvedBy::Create, None);
            }
            ItemFate::Stored(None) => {
                self.health.successes.note(now, Endpoint::CustomerCreate);
                self.customers.exists(now, key);
            }
            ItemFate::Duplicate | ItemFate::Conflict => {
                self.customers.note_share(key, true);
                self.customers.exists(now, key);
            }
            ItemFate::Gone | ItemFate::Limited(_) | ItemFate::Transient(_) => {
                self.look_up_failed(now, key, &Endpoint::CustomerCreate);
            }
            ItemFate::Permanent(detail) => {
                for operation in self.customers.found(key) {
                    let detail = format!("the customer could not be created: {detail}");
                    self.finish_rejected(operation, Rejection::RefusedByApi, detail);
                }
            }
        }
    }

    fn end_job(&mut self, now: Instant, id: JobId, completed_ms: Option<i64>) -> Option<JobItems> {
        let (job, took) = self.jobs.finish(now, id, completed_ms)?;
        if matches!(job.items, JobItems::Inherited { .. }) {
            self.inherited_job_ended();
        }
        self.turn.fact(Fact::JobDone {
            took,
            reads: job.reads,
            items: job.size,
        });
        Some(job.items)
    }

    fn read_later_or_give_up(&mut self, now: Instant, id: JobId) {
        if self.jobs.is_overdue(now, id) {
            self.give_job_up(now, id);
        } else {
            self.jobs.read_again(now, id, false);
        }
    }

    /// The job never ended, or is not known any more: its items are in doubt.
    fn give_job_up(&mut self, now: Instant, id: JobId) {
        let Some(job) = self.jobs.drop_job(id) else {
            return;
        };
        self.turn.fact(Fact::JobAbandoned);
        match job.items {
            JobItems::Objects { group, operations } => {
                for operation in operations {
                    self.doubt(now, operation, group.verb);
                }
            }
            JobItems::Customers { keys } => {
                for key in in_order(keys) {
                    self.customers.ask_again(now, &key);
                }
            }
            JobItems::Inherited { items, .. } => {
                for item in items.into_values() {
                    self.inherited_doubt(&item);
                }
                self.inherited_job_ended();
            }
        }
    }

    /// The job has ended, so none of it is in flight: the object can be looked at without waiting.
    fn doubt_now(&mut self, id: OperationId) {
        self.objects.histories.doubt(id);
        self.work.look(id);
    }
}

/// What a request or job carried, in an order that is the same in every run.
pub(in crate::machine) fn in_order<T: Ord>(carried: BTreeMap<String, T>) -> Vec<T> {
    let mut all: Vec<T> = carried.into_values().collect();
    all.sort_unstable();
    all
}
