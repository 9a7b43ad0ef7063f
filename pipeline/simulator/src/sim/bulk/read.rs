//! Reading jobs and their batches.

use serde_json::{Map, Value, json};

use super::items::REF;
use crate::api::error::ApiError;
use crate::api::route::Call;
use crate::config::BulkEnvelope;
use crate::organisation::jobs::{Batch, ItemResult, Job, JobState, Work};
use crate::organisation::store::Kind;
use crate::sim::{Answer, Done, Sim};

impl Sim {
    fn job_of(&self, call: &Call) -> Result<(u32, &Job), ApiError> {
        let position = self.store.ids.position(Kind::Job, &call.id);
        position
            .and_then(|position| Some((position, self.jobs.get(position)?)))
            .ok_or_else(|| ApiError::not_found("id"))
    }

    pub(in crate::sim) fn get_job(&mut self, call: &Call) -> Answer {
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

    pub(in crate::sim) fn get_batches(&mut self, call: &Call) -> Answer {
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

    // A batch that is not complete may have results for some of its items.
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
        let status = match batch.completed_at {
            Some(_) => "complete",
            None if results.is_empty() => "queued",
            None => "scheduled",
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
            | Work::DeleteObjects { .. }
            | Work::CreateCompanies
            | Work::UpdateCompanies => self.object_id(position),
            Work::CreateCustomers | Work::UpdateCustomers | Work::DeleteCustomers => {
                self.store.ids.text(Kind::Customer, position)
            }
        }
    }
}
