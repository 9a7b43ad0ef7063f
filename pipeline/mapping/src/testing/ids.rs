//! Ids in the tests of a mapping that the addresses of the API may not carry.

use std::sync::Arc;

use jiff::Timestamp;

use super::record;
use crate::decode::{Format, Limits};
use crate::mapping::{Mapping, MappingError};
use crate::route::Pipeline;
use ingest_model::operation::{Operation, Planned};
use ingest_model::outcome::Verdict;

/// What may end a part of an address or begin another one, even though it is encoded: servers and proxies in between decode it.
const SIGNS: &[char] = &['/', '\\', '?', '#', '%'];

impl Mapping {
    /// Objects in the file's tests whose ids have signs that an address of the API does not carry safely, one of each klass; with the
    /// format for a file that names none.
    #[must_use]
    pub fn unsafe_ids(&self, format: Format) -> Vec<MappingError> {
        let format = self.format().unwrap_or(format);
        let mut found: Vec<(Arc<str>, MappingError)> = Vec::new();
        for test in self.tests() {
            let (_, verdict) = Pipeline::explain_with(
                self,
                format,
                Limits::default(),
                &record(test),
                Timestamp::UNIX_EPOCH,
            );
            let planned: &[Planned] = match &verdict {
                Verdict::Emit(planned) => planned,
                Verdict::Batch(batch) => &batch.planned,
                Verdict::Skip(_) | Verdict::Reject(_) => &[],
            };
            for plan in planned {
                let Operation::KObject(object) = &plan.operation else {
                    continue;
                };
                let (klass, id) = (&object.klass.0, &object.external_id.0);
                let is_bad = |c: char| SIGNS.contains(&c) || c.is_whitespace();
                let Some(sign) = id.chars().find(|c| is_bad(*c)) else {
                    continue;
                };
                if found.iter().any(|(known, _)| known == klass) {
                    continue;
                }
                let sign = if sign.is_whitespace() {
                    "a blank".to_owned()
                } else {
                    format!("`{sign}`")
                };
                let doubt = MappingError {
                    file: test.file.to_string(),
                    place: test.expect.place,
                    field: format!("tests[{}]", test.name),
                    expression: None,
                    excerpt: None,
                    problem: format!("gives {klass} the id `{id}`, which has {sign}"),
                    help: Some(
                        "the id is a part of the addresses of the API, which may not find it with such a sign, even though it is encoded: \
                         take the part of it that names the object, such as `.gid | split(\"/\") | last`"
                            .to_owned(),
                    ),
                };
                found.push((Arc::clone(klass), doubt));
            }
        }
        found.into_iter().map(|(_, doubt)| doubt).collect()
    }
}
