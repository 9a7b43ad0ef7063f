//! Bulk: submissions, running their items, and reading the results.

mod items;
mod read;

use bytes::Bytes;
use rand::Rng;
use serde_json::{Map, Value, json};

use items::{bodies_of, keep_listed, take_refs};

use super::objects::{Way, Written};
use super::{Answer, Caller, Done, Sim};
use crate::api::endpoint::Endpoint;
use crate::api::error::ApiError;
use crate::api::request::Request;
use crate::api::route::{Call, split};
use crate::config::{BulkInvalid, BulkStart, ClientRef};
use crate::fault::Plan;
use crate::organisation::account::count;
use crate::organisation::jobs::{Item, ItemResult, JobState, Submission, Work};
use crate::organisation::store::Kind;
use crate::validate::{
    Breach, COMPANY, COMPANY_UPDATE, CUSTOMER, KOBJECT, KOBJECT_UPDATE, Unlisted,
};

const MAX_ITEMS: usize = 100;

impl Sim {
    pub(super) fn submit(
        &mut self,
        caller: Caller,
        request: &Request,
        call: &Call,
        plan: &Plan,
        work: Work,
    ) -> Answer {
        let mut bodies = bodies_of(work, request, call)?;
        if bodies.is_empty() || bodies.len() > MAX_ITEMS {
            let title = format!(
                "Array length {} is not between 1 and {MAX_ITEMS}",
                bodies.len()
            );
            return Err(ApiError::malformed(title));
        }
        let refused =
            self.config.switches.client_ref == ClientRef::Refuse || plan.refuse_client_ref;
        let refs = take_refs(&mut bodies, refused)?;
        let items = self.items_of(work, call, bodies, plan)?;
        let count = u32::try_from(items.len()).unwrap_or_default();
        self.counts.bulk.jobs += 1;
        self.counts.bulk.items += u64::from(count);
        let submission = Submission {
            work,
            key: caller.key,
            items,
            refs,
            stuck: plan.stuck_job,
        };
        let switches = &self.config.switches;
        let position = self
            .jobs
            .submit(caller.now, &mut self.rng, switches, submission);
        if self.config.switches.bulk_start == BulkStart::Complete {
            self.advance(caller.now);
        }
        let status = if call.endpoint == Endpoint::KobjectBulkUpdate {
            200
        } else {
            201
        };
        let body = self.submission_document(caller, request, position);
        Ok(Done {
            status,
            body: Bytes::from(body),
            items: count,
            location: None,
        })
    }

    fn items_of(
        &mut self,
        work: Work,
        call: &Call,
        bodies: Vec<Map<String, Value>>,
        plan: &Plan,
    ) -> Result<Vec<Item>, ApiError> {
        let mut items = Vec::with_capacity(bodies.len());
        for (position, body) in bodies.into_iter().enumerate() {
            let mut failure = None;
            if let Err(breach) = self.check_item(work, call, &body) {
                match self.config.switches.bulk_invalid {
                    BulkInvalid::Request => {
                        return Err(breach.under(&position.to_string()).named());
                    }
                    BulkInvalid::RequestUnnamed => {
                        let mut error = breach.unnamed();
                        error.parameter = None;
                        return Err(error);
                    }
                    BulkInvalid::Item => failure = Some(breach.unnamed().item_text()),
                }
            }
            if let Some((error, share)) = &plan.fail_items
                && self.rng.random::<f64>() < *share
            {
                failure = Some(error.clone());
            }
            items.push(Item { body, failure });
        }
        Ok(items)
    }

    fn check_item(&self, work: Work, call: &Call, body: &Map<String, Value>) -> Result<(), Breach> {
        let has_id = || match body.get("id") {
            Some(Value::String(_)) => Ok(()),
            Some(_) => Err(Breach::new("type", "Invalid type: id must be a string").under("id")),
            None => Err(Breach::new("required", "Missing required property: id").under("id")),
        };
        match work {
            Work::CreateObjects { .. } => {
                self.object_checker(&call.name)
                    .object(KOBJECT, Unlisted::Refused, body)
            }
            Work::UpdateObjects { .. } => {
                has_id()?;
                self.object_checker(&call.name)
                    .object(KOBJECT_UPDATE, Unlisted::Ignored, body)
            }
            Work::CreateCustomers => {
                self.customer_checker()
                    .object(CUSTOMER, Unlisted::Refused, body)
            }
            Work::UpdateCustomers => {
                has_id()?;
                self.customer_checker()
                    .object(CUSTOMER, Unlisted::Ignored, body)
            }
            Work::CreateCompanies => {
                self.company_checker()
                    .object(COMPANY, Unlisted::Refused, body)
            }
            Work::UpdateCompanies => {
                has_id()?;
                let mut fields = body.clone();
                fields.shift_remove("id");
                self.company_checker()
                    .object(COMPANY_UPDATE, Unlisted::Refused, &fields)
            }
            Work::DeleteObjects { .. } | Work::DeleteCustomers => Ok(()),
        }
    }

    /// Runs the step that is due; [`Sim::advance`] has set the time.
    pub(super) fn run_next_step(&mut self) {
        let Some(mut due) = self.jobs.next_step() else {
            return;
        };
        let caller = Caller {
            now: self.now,
            key: due.key,
        };
        let mut results = Vec::with_capacity(due.items.len());
        for (position, item) in std::mem::take(&mut due.items) {
            let result = match item.failure {
                Some(error) => Err(error),
                None => self
                    .run_item(caller, due.work, item.body)
                    .map_err(|error| error.item_text()),
            };
            let result = result.unwrap_or_else(|error| {
                count(&mut self.counts.bulk.item_errors, &error);
                ItemResult::Failed(error.into())
            });
            results.push((position, result));
        }
        self.jobs.settle(self.now, &due, results);
    }

    fn run_item(
        &mut self,
        caller: Caller,
        work: Work,
        mut body: Map<String, Value>,
    ) -> Result<ItemResult, ApiError> {
        let id = match work {
            Work::CreateObjects { .. } | Work::CreateCustomers | Work::CreateCompanies => {
                Value::Null
            }
            Work::UpdateObjects { .. }
            | Work::DeleteObjects { .. }
            | Work::UpdateCustomers
            | Work::UpdateCompanies
            | Work::DeleteCustomers => body.shift_remove("id").unwrap_or_default(),
        };
        let id = id.as_str().unwrap_or_default();
        let missing = || ApiError::not_found("id");
        match work {
            Work::CreateObjects { klass } => {
                Ok(match self.create_object(caller, klass, body, Way::Bulk)? {
                    Written::Created(position) => ItemResult::Created(position),
                    Written::Updated(position) => ItemResult::Updated(position),
                })
            }
            Work::UpdateObjects { klass } => {
                let position = self.store.live_object(klass, id).ok_or_else(missing)?;
                keep_listed(&mut body, KOBJECT_UPDATE);
                self.update_object(caller, position, body)?;
                Ok(ItemResult::Updated(position))
            }
            Work::DeleteObjects { klass } => {
                let position = self.store.live_object(klass, id).ok_or_else(missing)?;
                self.store.objects.delete(position);
                Ok(ItemResult::Deleted(position))
            }
            Work::CreateCompanies => Ok(match self.create_company(caller, body, Way::Bulk)? {
                Written::Created(position) => ItemResult::Created(position),
                Written::Updated(position) => ItemResult::Updated(position),
            }),
            Work::UpdateCompanies => {
                let position = self.live_company(id).ok_or_else(missing)?;
                self.update_company(caller, position, body)?;
                Ok(ItemResult::Updated(position))
            }
            Work::CreateCustomers => self.create_customer(caller, body).map(ItemResult::Created),
            Work::UpdateCustomers => {
                let position = self.store.live_customer(id).ok_or_else(missing)?;
                keep_listed(&mut body, CUSTOMER);
                self.update_customer(caller, position, body, false)?;
                Ok(ItemResult::Updated(position))
            }
            Work::DeleteCustomers => {
                let position = self.store.live_customer(id).ok_or_else(missing)?;
                self.store.customers.delete(position);
                Ok(ItemResult::Deleted(position))
            }
        }
    }

    // The payload is echoed as it came; it is JSON, as it was parsed before.
    fn submission_document(&self, caller: Caller, request: &Request, position: u32) -> String {
        let Some(job) = self.jobs.get(position) else {
            return String::new();
        };
        let ids = self.store.ids;
        let id = ids.text(Kind::Job, position);
        let user = ids.text(Kind::User, u32::from(caller.key));
        let payload = match str::from_utf8(&request.body) {
            Ok(body) if !body.is_empty() => body,
            Ok(_) | Err(_) => "null",
        };
        let (path, _) = split(&request.path_and_query);
        let org = ids.text(Kind::Org, 0);
        let state = job.state(self.now);
        let created_at = job.created_at.rfc3339();
        let updated_at = job.completed_at.unwrap_or(job.created_at).rfc3339();
        format!(
            concat!(
                r#"{{"data":{{"type":"bulk","id":"{id}","attributes":{{"ids":[],"context":"{context}","#,
                r#""status":"{status}","v2":true,"payload":{{"api":{{"data":{payload},"path":{path},"#,
                r#""user":{{"id":"{user}","userType":"machine","roles":["org"],"org":"{org}"}},"#,
                r#""service":"sobjects","method":"{method}"}}}},"createdAt":"{created_at}","#,
                r#""updatedAt":"{updated_at}","completed":{completed}}},"#,
                r#""relationships":{{"org":{org_link}}},"links":{{"self":"/v1/bulk/{id}"}}}}}}"#
            ),
            id = id,
            context = job.work.context(),
            status = state.as_str(),
            payload = payload,
            path = json!(path),
            user = user,
            org = org,
            method = request.method.as_str(),
            created_at = created_at,
            updated_at = updated_at,
            completed = state == JobState::Complete,
            org_link = self.org_link(),
        )
    }
}
