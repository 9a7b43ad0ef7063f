//! The fields that were left out of the operations of an event.

use std::sync::Arc;

use super::super::model::bad::{BadFields, OnBad};
use super::failure::{Failure, Made};
use ingest_model::outcome::DroppedField;

/// What has been left out so far. Each field of the mapping is listed at most once for an operation.
pub(super) struct Drops {
    route: Arc<str>,
    fields: Vec<DroppedField>,
}

impl Drops {
    pub(super) fn new(route: &Arc<str>) -> Self {
        Self {
            route: Arc::clone(route),
            fields: Vec::new(),
        }
    }

    /// Leaves a field out, or fails if the operation says so.
    pub(super) fn leave_out(
        &mut self,
        words: &BadFields,
        field: &str,
        failure: Failure,
    ) -> Made<()> {
        match words.of(field) {
            OnBad::Drop if !failure.exhausted => {
                self.note(field, &failure.detail);
                Ok(())
            }
            OnBad::Drop | OnBad::Reject => Err(failure),
        }
    }

    /// The value of an optional field. If it could not be made, the field is left out.
    pub(super) fn optional<T>(
        &mut self,
        words: &BadFields,
        field: &str,
        made: Made<Option<T>>,
    ) -> Made<Option<T>> {
        match made {
            Ok(value) => Ok(value),
            Err(failure) => self.leave_out(words, field, failure).map(|()| None),
        }
    }

    /// Notes that a field is left out, whatever `onBad` says.
    pub(super) fn note(&mut self, field: &str, detail: &str) {
        let why = detail
            .strip_prefix(field)
            .and_then(|rest| rest.strip_prefix(": "))
            .unwrap_or(detail);
        self.fields.push(DroppedField {
            route: Arc::clone(&self.route),
            field: Arc::from(field),
            detail: why.to_owned(),
        });
    }

    pub(super) fn into_fields(self) -> Vec<DroppedField> {
        self.fields
    }
}
