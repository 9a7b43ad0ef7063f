//! How a failure is reported: its kind and, for an answer, the API's own words without personal data.

use ingest_model::call::CallResult;
use ingest_model::trouble::{Trouble, TroubleKind};

use super::errors::ErrorReport;
use super::reply::{HttpReply, ReplyBody};

/// What to report about an answer classified as `result`; `None` unless that is a failure.
#[must_use]
pub fn trouble_of(reply: &HttpReply, result: &CallResult) -> Option<Trouble> {
    if !result.is_failure() {
        return None;
    }
    let status = TroubleKind::Status(reply.status);
    let trouble = match (reply.status, &reply.body) {
        (200..=299, ReplyBody::Cut) => {
            Trouble::of_machines(TroubleKind::Garbled, "the answer was cut off")
        }
        (200..=299, ReplyBody::Whole(_)) => match ErrorReport::instead_of_data(reply) {
            Some(report) => Trouble::new(status, &report.detail()),
            None => Trouble::of_machines(
                TroubleKind::Garbled,
                "the answer lacks what it should have; there may be a proxy in between",
            ),
        },
        (300..=399, _) => Trouble::of_machines(
            status,
            &format!(
                "{}: a redirect, so this is not the API's address",
                reply.status
            ),
        ),
        _ => {
            let report = ErrorReport::read(reply);
            let said = if report.says_nothing() {
                String::new()
            } else {
                report.detail()
            };
            Trouble::new(status, &said)
        }
    };
    Some(trouble)
}
