//! Bulk: submissions, the run of their items, and reading the results.

use bytes::Bytes;
use rand::Rng;
use serde_json::{Map, Value, json};

use super::objects::{Way, Written};
use super::{Answer, Caller, Done, Sim};
use crate::account::count;
use crate::config::{BulkEnvelope, BulkInvalid, BulkStart, ClientRef};
use crate::endpoint::Endpoint;
use crate::error::ApiError;
use crate::fault::Plan;
use crate::jobs::{Batch, Item, ItemResult, Job, JobState, Submission, Work};
use crate::request::Request;
use crate::route::{Call, split};
use crate::store::Kind;
use crate::validate::{Breach, CUSTOMER, KOBJECT, KOBJECT_UPDATE, Unlisted};

const MAX_ITEMS: usize = 100;
const REF: &str = "_clientRef";

impl Sim {
    pub(super) fn submit(
        &mut self,
        caller: Caller,
        request: &Request,
        call: &Call,
        plan: &Plan,
    ) -> Answer {
        let work = self.work_of(call)?;
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
        })
    }

    fn work_of(&self, call: &Call) -> Result<Work, ApiError> {
        let klass = || self.klass_named(&call.name);
        match call.endpoint {
            Endpoint::KobjectBulkCreate => Ok(Work::CreateObjects { klass: klass()? }),
            Endpoint::KobjectBulkUpdate => Ok(Work::UpdateObjects { klass: klass()? }),
            Endpoint::KobjectBulkDelete => Ok(Work::DeleteObjects { klass: klass()? }),
            Endpoint::CustomerBulkCreate => Ok(Work::CreateCustomers),
            Endpoint::CustomerBulkUpdate => Ok(Work::UpdateCustomers),
            _ => Ok(Work::DeleteCustomers),
        }
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
            Work::DeleteObjects { .. } | Work::DeleteCustomers => Ok(()),
        }
    }

    /// Carries out the step that is due; [`Sim::advance`] has set the time.
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
            Work::CreateObjects { .. } | Work::CreateCustomers => Value::Null,
            Work::UpdateObjects { .. }
            | Work::DeleteObjects { .. }
            | Work::UpdateCustomers
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
        let payload = if request.body.is_empty() {
            "null".into()
        } else {
            String::from_utf8_lossy(&request.body)
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

    fn job_of(&self, call: &Call) -> Result<(u32, &Job), ApiError> {
        let position = self.store.ids.position(Kind::Job, &call.id);
        position
            .and_then(|position| Some((position, self.jobs.get(position)?)))
            .ok_or_else(|| ApiError::not_found("id"))
    }

    pub(super) fn get_job(&mut self, call: &Call) -> Answer {
        let (_, job) = self.job_of(call)?;
        let state = job.state(self.now);
        let complete = job
            .batches
            .iter()
            .filter(|batch| batch.completed_at.is_some())
            .count();
        let total = if state == JobState::Queued {
            0
        } else {
            job.batches.len()
        };
        let updated = job
            .completed_at
            .unwrap_or_else(|| self.now.min(job.starts_at));
        let mut attributes = json!({
            "context": job.work.context(),
            "status": state.as_str(),
            "batches": { "complete": complete, "total": total },
            "createdAt": job.created_at.rfc3339(),
            "updatedAt": updated.rfc3339(),
            "completed": state == JobState::Complete,
        });
        if let (Some(time), Some(fields)) = (job.completed_at, attributes.as_object_mut()) {
            fields.insert("completedAt".to_owned(), json!(time.rfc3339()));
        }
        let body = match self.config.switches.bulk_envelope {
            BulkEnvelope::Flat => attributes,
            BulkEnvelope::JsonApi => json!({ "data": {
                "type": "bulk",
                "id": call.id,
                "attributes": attributes,
                "links": { "self": format!("/v1/bulk/{}", call.id) },
            }}),
        };
        self.counts.bulk.reads += 1;
        Ok(Done::read(&body))
    }

    pub(super) fn get_batches(&mut self, call: &Call) -> Answer {
        let (position, job) = self.job_of(call)?;
        let shown = if job.state(self.now) == JobState::Queued {
            0
        } else {
            job.batches.len()
        };
        let batches = job
            .batches
            .iter()
            .take(shown)
            .zip(0_u32..)
            .map(|(batch, number)| {
                let attributes = self.batch_attributes(job, batch);
                match self.config.switches.bulk_envelope {
                    BulkEnvelope::Flat => attributes,
                    BulkEnvelope::JsonApi => {
                        let number = position.wrapping_mul(128).wrapping_add(number);
                        let id = self.store.ids.text(Kind::Batch, number);
                        json!({ "type": "bulk_batch", "id": id, "attributes": attributes })
                    }
                }
            });
        let batches: Vec<Value> = batches.collect();
        let body = match self.config.switches.bulk_envelope {
            BulkEnvelope::Flat => Value::Array(batches),
            BulkEnvelope::JsonApi => json!({ "data": batches }),
        };
        self.counts.bulk.reads += 1;
        Ok(Done::read(&body))
    }

    // A batch that is not complete may have results for a part of its items.
    fn batch_attributes(&self, job: &Job, batch: &Batch) -> Value {
        let (mut object_ids, mut errors, mut results) = (Vec::new(), Vec::new(), Vec::new());
        for position in &batch.items {
            let Some(Some(result)) = job.results.get(*position) else {
                continue;
            };
            let mut entry = Map::new();
            if let Some(text) = job.refs.as_ref().and_then(|refs| refs.get(*position)) {
                entry.insert(REF.to_owned(), json!(&**text));
            }
            let (status, object) = match result {
                ItemResult::Created(object) => ("created", Some(object)),
                ItemResult::Updated(object) => ("updated", Some(object)),
                ItemResult::Deleted(object) => ("deleted", Some(object)),
                ItemResult::Failed(_) => ("error", None),
            };
            if let Some(object) = object {
                let id = json!(self.written_id(job.work, *object));
                entry.insert("objectId".to_owned(), id.clone());
                object_ids.push(id);
            }
            entry.insert("status".to_owned(), json!(status));
            if let ItemResult::Failed(error) = result {
                entry.insert("error".to_owned(), json!(&**error));
                errors.push(json!(&**error));
            }
            results.push(Value::Object(entry));
        }
        let status = if batch.completed_at.is_some() {
            "complete"
        } else {
            "scheduled"
        };
        let mut attributes = json!({
            "status": status,
            "successCount": object_ids.len(),
            "failureCount": errors.len(),
            "objectIds": object_ids,
            "errors": errors,
        });
        if let Some(fields) = attributes.as_object_mut() {
            if let Some(time) = batch.completed_at {
                fields.insert("completedAt".to_owned(), json!(time.rfc3339()));
            }
            if job.refs.is_some() {
                fields.insert("results".to_owned(), Value::Array(results));
            }
        }
        attributes
    }

    fn written_id(&self, work: Work, position: u32) -> String {
        match work {
            Work::CreateObjects { .. }
            | Work::UpdateObjects { .. }
            | Work::DeleteObjects { .. } => self.object_id(position),
            Work::CreateCustomers | Work::UpdateCustomers | Work::DeleteCustomers => {
                self.store.ids.text(Kind::Customer, position)
            }
        }
    }
}

// One body per item: the array, `ids` for deletes, or one body for all `ids`.
fn bodies_of(
    work: Work,
    request: &Request,
    call: &Call,
) -> Result<Vec<Map<String, Value>>, ApiError> {
    let ids = call.query.ids();
    let with_id = |id: String, mut body: Map<String, Value>| {
        body.insert("id".to_owned(), Value::String(id));
        body
    };
    if matches!(work, Work::DeleteObjects { .. } | Work::DeleteCustomers) {
        let ids = ids.ok_or_else(|| ApiError::bad("ids", "Missing required parameter: ids"))?;
        return Ok(ids.into_iter().map(|id| with_id(id, Map::new())).collect());
    }
    let body: Value = serde_json::from_slice(&request.body)
        .map_err(|_cause| ApiError::malformed("Invalid JSON"))?;
    let updates = matches!(work, Work::UpdateObjects { .. } | Work::UpdateCustomers);
    if let Some(ids) = ids.filter(|_| updates) {
        let shared = match body {
            Value::Object(shared) => Some(shared),
            Value::Array(mut entries) if entries.len() == 1 => match entries.pop() {
                Some(Value::Object(shared)) => Some(shared),
                _ => None,
            },
            _ => None,
        };
        let shared = shared.ok_or_else(|| {
            ApiError::malformed("Invalid type: the body must be one object for all ids")
        })?;
        return Ok(ids
            .into_iter()
            .map(|id| with_id(id, shared.clone()))
            .collect());
    }
    let Value::Array(entries) = body else {
        return Err(ApiError::malformed(
            "Invalid type: the body must be an array",
        ));
    };
    let not_object = |position: usize| {
        let title = "Invalid type: an item must be an object";
        Breach::new("type", title)
            .under(&position.to_string())
            .named()
    };
    entries
        .into_iter()
        .enumerate()
        .map(|(position, entry)| match entry {
            Value::Object(body) => Ok(body),
            _ => Err(not_object(position)),
        })
        .collect()
}

// All items or none carry a reference: not empty, at most 255 characters, none twice.
fn take_refs(
    bodies: &mut [Map<String, Value>],
    refused: bool,
) -> Result<Option<Vec<Box<str>>>, ApiError> {
    let carrying = bodies.iter().filter(|body| body.contains_key(REF)).count();
    if carrying == 0 {
        return Ok(None);
    }
    if refused {
        let first = bodies
            .iter()
            .position(|body| body.contains_key(REF))
            .unwrap_or_default();
        let title = "Additional properties not allowed";
        let breach = Breach::new("additionalProperties", title);
        return Err(breach.under(REF).under(&first.to_string()).named());
    }
    if carrying < bodies.len() {
        return Err(ApiError::bad(
            REF,
            "every item or none must have a _clientRef",
        ));
    }
    let mut refs: Vec<Box<str>> = Vec::with_capacity(bodies.len());
    let mut known = std::collections::HashSet::new();
    for body in bodies {
        let value = body.shift_remove(REF);
        let text = value.as_ref().and_then(Value::as_str).unwrap_or_default();
        if text.is_empty() || text.chars().count() > 255 {
            return Err(ApiError::bad(REF, "a _clientRef has 1 to 255 characters"));
        }
        if !known.insert(text.to_owned()) {
            return Err(ApiError::bad(
                REF,
                "every _clientRef of a request must differ",
            ));
        }
        refs.push(text.into());
    }
    Ok(Some(refs))
}

fn keep_listed(body: &mut Map<String, Value>, fields: &[crate::validate::Field]) {
    body.retain(|name, _| fields.iter().any(|field| field.name == name));
}
