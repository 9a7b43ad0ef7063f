//! Deletes what was made, and says what stays.
//!
//! Everything that was made belongs to one customer, so what there is to delete is read from the API and not from memory: a create
//! whose answer was lost is found as well. Only objects whose external id is of this run are deleted.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ingest_kustomer::encode::Method;
use ingest_model::call::{Call, CallResult};
use ingest_model::operation::CustomerKey;
use ingest_model::outcome::Outcome;
use serde_json::Value;

use super::ask::Stop;
use super::jobs::unexpected;
use super::state::Probe;

/// Objects on one page of a list, and in one bulk request.
const PAGE: usize = 100;
/// So many rounds of listing and deleting, at most.
const ROUNDS: u32 = 8;
/// From so many on, one bulk request is cheaper than one request each.
const MANY: usize = 8;

/// What was deleted, and what was not.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Cleaned {
    pub(super) objects: usize,
    pub(super) customers: usize,
    /// What stays although it could be deleted, in words.
    pub(super) left: Vec<String>,
}

// === impl Probe ===

impl Probe {
    /// Deletes what was made.
    pub(super) async fn clean_up(&mut self) -> Cleaned {
        self.ask.delete_now();
        let mut cleaned = Cleaned::default();
        self.wait_for_jobs(&mut cleaned).await;
        let customer = match &self.made.customer {
            Some(customer) => Ok(Some(Arc::clone(customer))),
            None if self.made.asked_for => self.find_customer().await,
            None => Ok(None),
        };
        let customer = customer.unwrap_or_else(|stop| {
            let why = stop.in_words();
            cleaned
                .left
                .push(format!("customer {}, if it was made: {why}", self.run));
            None
        });
        if let Some(customer) = customer {
            if let Err(stop) = self.delete_objects(&customer, &mut cleaned).await {
                let why = stop.in_words();
                let text = format!(
                    "objects of klass {} that belong to customer {}: {why}",
                    self.klass, self.run
                );
                cleaned.left.push(text);
            }
            // What is left is found by its customer, so that is the last to go.
            let is_last = cleaned.left.is_empty();
            for id in std::mem::take(&mut self.made.others) {
                if self.is_of_this_run(&id).await {
                    self.delete_customer(&id, &mut cleaned).await;
                } else {
                    cleaned.left.push(format!(
                        "customer {id}, to whom an event of {} went: look at it",
                        self.run
                    ));
                }
            }
            if is_last {
                self.delete_customer(&customer, &mut cleaned).await;
            } else {
                let text = format!("customer {}, by whom the rest is found", self.run);
                cleaned.left.push(text);
            }
        }
        drop(self.ask.take_evidence());
        cleaned
    }

    /// A job that runs on would make objects after the last look.
    async fn wait_for_jobs(&mut self, cleaned: &mut Cleaned) {
        for job in self.made.open.clone() {
            if let Err(stop) = self.until_done(&job, 0).await {
                let why = stop.in_words();
                let text = format!("what job {job} may still make: {why}");
                cleaned.left.push(text);
            }
        }
    }

    /// The customer of this run, whose creation was not answered.
    pub(super) async fn find_customer(&mut self) -> Result<Option<Arc<str>>, Stop> {
        let key = CustomerKey::ExternalId(self.run.as_str().into());
        let (result, heard) = self.ask.quietly(&Call::GetCustomer { key }).await?;
        match result {
            CallResult::Customer(Outcome::Delivered(found)) => Ok(found.map(|found| found.id)),
            CallResult::Customer(_)
            | CallResult::Tracked(_)
            | CallResult::Searched(_)
            | CallResult::Submitted(_)
            | CallResult::Written(_)
            | CallResult::KObject(_)
            | CallResult::Job(_)
            | CallResult::Probed(_)
            | CallResult::Lost => Err(unexpected(&heard)),
        }
    }

    async fn delete_objects(&mut self, customer: &str, cleaned: &mut Cleaned) -> Result<(), Stop> {
        let mut in_bulk = true;
        let mut seen = BTreeSet::new();
        for round in 0..ROUNDS {
            if round > 0 {
                // What was just deleted may be listed for a moment.
                self.ask.pause(Duration::from_secs(1)).await?;
            }
            let ids = self.objects_of(customer).await?;
            seen.extend(ids.iter().cloned());
            cleaned.objects = seen.len() - ids.len();
            if ids.is_empty() {
                if seen.len() >= self.made.objects {
                    return Ok(());
                }
                // What was just made may be listed a moment later.
                continue;
            }
            if in_bulk && ids.len() >= MANY {
                in_bulk = self.delete_together(&ids).await?;
            } else {
                for id in ids {
                    self.delete_one(&id).await?;
                }
            }
        }
        let (made, listed) = (self.made.objects, seen.len());
        Err(Stop::Failed(if listed < made {
            format!("{made} were made, and only {listed} were listed")
        } else {
            format!("they were still listed after {ROUNDS} rounds of deleting")
        }))
    }

    /// The ids of the objects of this run, at most a page of them.
    async fn objects_of(&mut self, customer: &str) -> Result<Vec<String>, Stop> {
        let path = format!(
            "/v1/customers/{customer}/klasses/{}?page=1&pageSize={PAGE}",
            self.klass
        );
        let heard = self.ask.send((Method::Get, path, None), "").await?;
        if heard.status == 404 && self.made.objects == 0 {
            // There is no such klass, so nothing was made.
            return Ok(Vec::new());
        }
        if !heard.is_good() {
            return Err(unexpected(&heard));
        }
        let ours = |one: &&Value| {
            let named = one
                .pointer("/attributes/externalId")
                .or_else(|| one.get("externalId"));
            let named = named.and_then(Value::as_str);
            named.is_some_and(|id| id.starts_with(&self.run))
        };
        let ids = heard.resources().into_iter().filter(ours);
        let ids = ids.filter_map(|one| one.get("id")?.as_str());
        // Nothing else is put into a path.
        let plain = |id: &&str| id.bytes().all(|byte| byte.is_ascii_alphanumeric());
        Ok(ids.filter(plain).map(str::to_owned).collect())
    }

    /// Deletes them in one request. `false` if that cannot be done here.
    async fn delete_together(&mut self, ids: &[String]) -> Result<bool, Stop> {
        let path = format!("/v1/klasses/{}/bulk?ids={}", self.klass, ids.join(","));
        let heard = self.ask.send((Method::Delete, path, None), "").await?;
        let Some(job) = heard.id().filter(|_| heard.is_good()) else {
            return Ok(false);
        };
        let job: Arc<str> = job.into();
        // What its results look like is not documented: the next list tells.
        Ok(self.until_done(&job, 0).await.is_ok())
    }

    async fn delete_one(&mut self, id: &str) -> Result<(), Stop> {
        let call = Call::DeleteKObject {
            klass: self.klass.clone(),
            id: id.into(),
        };
        let (_, heard) = self.ask.quietly(&call).await?;
        if heard.is_good() || heard.status == 404 {
            return Ok(());
        }
        Err(unexpected(&heard))
    }

    /// Whether a customer has the external id of this run.
    async fn is_of_this_run(&mut self, id: &str) -> bool {
        let path = format!("/v1/customers/{id}");
        let read = self.ask.send((Method::Get, path, None), "").await;
        let shown = read.ok().and_then(|heard| {
            let shown = heard.body.pointer("/data/attributes/externalId")?;
            shown.as_str().map(str::to_owned)
        });
        shown.as_ref() == Some(&self.run)
    }

    async fn delete_customer(&mut self, id: &str, cleaned: &mut Cleaned) {
        let path = format!("/v1/customers/{id}");
        let deleted = self.ask.send((Method::Delete, path, None), "").await;
        let why = match deleted {
            Ok(heard) if heard.is_good() || heard.status == 404 => {
                cleaned.customers += usize::from(heard.is_good());
                return;
            }
            Ok(heard) => unexpected(&heard).in_words(),
            Err(stop) => stop.in_words(),
        };
        cleaned
            .left
            .push(format!("customer {} ({id}): {why}", self.run));
    }
}
