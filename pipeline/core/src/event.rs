//! The neutral form of what a record says, whatever envelope it came in.

use serde_json::Value;

/// A decoded record: who, what, when, and the content for the mapping.
///
/// `payload` is what jq expressions see as `.`; the other fields are what the envelope said, so that routes, order and
/// repeats do not depend on the format of a topic.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The format that was decoded, for example `segment`.
    pub source: &'static str,
    /// The event's name as sent, for example `Order Completed`; routes compare it folded.
    pub name: String,
    /// The producer's id of this occurrence; repeats are found by it.
    pub id: Option<String>,
    /// When it happened, if the record says so.
    pub time: Option<jiff::Timestamp>,
    /// The customer as the envelope names it.
    pub customer: CustomerHints,
    /// The content.
    pub payload: Value,
    /// The record says that the thing was deleted.
    pub deleted: bool,
}

/// What an envelope itself says about the customer, cleaned of values that identify nobody.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CustomerHints {
    /// The Kustomer id.
    pub id: Option<String>,
    /// The external id.
    pub external_id: Option<String>,
    /// The e-mail address in lower case.
    pub email: Option<String>,
    /// The phone number.
    pub phone: Option<String>,
    /// The id of a visitor who is not known yet. It never identifies a customer.
    pub anonymous_id: Option<String>,
}
