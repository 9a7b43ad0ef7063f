//! Answers to identities and tracking events.

use std::sync::Arc;

use ingest_model::outcome::{HoldCause, Outcome, RetryCause};

use super::document::Document;
use super::reply::HttpReply;
use super::weigh::{Effect, Weighed, weigh};

/// The customer's id if the answer has it. The status alone says that the event was accepted: a plain event is answered
/// without any body.
pub(super) fn tracked(reply: &HttpReply) -> Outcome<Option<Arc<str>>> {
    match weigh(Effect::Write, reply) {
        Weighed::Accepted => Outcome::Delivered(customer_id(reply)),
        Weighed::Settled(outcome) => outcome,
        // The path has no id in it: unless a field is named, this is not the API's address.
        Weighed::NotFound(errors) if errors.names_a_field() => Outcome::Reject(errors.detail()),
        Weighed::NotFound(_) => Outcome::Hold(HoldCause::Unhealthy),
        Weighed::Conflict(_) => Outcome::Retry(RetryCause::Conflict),
        Weighed::TooLarge(errors) | Weighed::Refused(errors) => Outcome::Reject(errors.detail()),
    }
}

fn customer_id(reply: &HttpReply) -> Option<Arc<str>> {
    Document::read(reply)?.one()??.related("customer")
}
