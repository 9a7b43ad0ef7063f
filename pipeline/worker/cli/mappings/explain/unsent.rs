//! What is not sent: a whole record, or single operations of its route while the others are.

use ingest_mapping::mapping::{Mapping, Traced, Unsent, WhyUnsent};
use ingest_mapping::route;
use ingest_model::operation::Planned;
use ingest_model::outcome::{SkipReason, Verdict};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::config::settings::suppressed::SuppressedList;

/// An operation of the route that is not sent.
#[derive(Debug, Serialize)]
pub(super) struct NotSent {
    route: String,
    kind: &'static str,
    /// Its place in the route, such as `do[0]`.
    field: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    pub(super) reason: &'static str,
    detail: String,
    /// How many of a list, if it is not one.
    #[serde(skip_serializing_if = "Option::is_none")]
    operations: Option<usize>,
    #[serde(skip)]
    pub(super) index: usize,
    /// Another operation is sent in its place.
    #[serde(skip)]
    pub(super) is_replaced: bool,
}

/// The event without what is not sent because somebody is suppressed, and that. The worker may know more keys of them.
pub(super) fn without(
    suppressed: &SuppressedList,
    mut event: route::Explained,
) -> (route::Explained, Vec<Planned>) {
    if suppressed.is_empty() {
        return (event, Vec::new());
    }
    let mut removed: Vec<Planned> = Vec::new();
    event.verdict = match event.verdict {
        Verdict::Emit(planned) => {
            let listed = |one: &Planned| suppressed.has(&one.operation.names());
            let others: Vec<Planned>;
            (removed, others) = planned.into_iter().partition(listed);
            if others.is_empty() {
                Verdict::Skip(SkipReason::Suppressed)
            } else {
                Verdict::Emit(others)
            }
        }
        other @ (Verdict::Skip(_) | Verdict::Reject(_) | Verdict::Batch(_)) => other,
    };
    (event, removed)
}

/// The operations of the route that are not sent, in the order of the route.
pub(super) fn not_sent_of(
    mapping: &Mapping,
    unsent: &[Unsent],
    suppressed: &[Planned],
    traced: Option<&Traced>,
    now: Timestamp,
) -> Vec<NotSent> {
    let mut all: Vec<NotSent> = unsent.iter().map(|one| of_age(one, now)).collect();
    for planned in suppressed {
        let keys = traced
            .map(|traced| traced.keys.iter())
            .into_iter()
            .flatten();
        let mut of_it = keys.filter(|(_, key)| *key == planned.event_key);
        let index = of_it.next().map_or(0, |(index, _)| *index);
        let reason = SkipReason::Suppressed.as_str();
        let same = |one: &&mut NotSent| one.index == index && one.reason == reason;
        if let Some(known) = all.iter_mut().find(same) {
            known.operations = Some(known.operations.unwrap_or(1) + 1);
            continue;
        }
        all.push(NotSent {
            route: planned.route.to_string(),
            kind: planned.operation.kind(),
            field: format!("do[{index}]"),
            line: None,
            reason,
            detail: "the customer is suppressed (privacy.suppressed)".to_owned(),
            operations: None,
            index,
            is_replaced: false,
        });
    }
    for one in &mut all {
        let place = mapping.place_in(&one.route, &one.field);
        one.line = place.map(|(_, place)| place.line);
    }
    all.sort_by_key(|one| one.index);
    all
}

fn of_age(unsent: &Unsent, now: Timestamp) -> NotSent {
    let older = |max_age: &SignedDuration| {
        let max_age = shown_age(*max_age);
        format!("the event is older than its maxAge of {max_age} at {now}")
    };
    let way_out = "--at judges as of another time";
    let (reason, detail) = match &unsent.why {
        WhyUnsent::TooOld(max_age) => {
            (SkipReason::TooOld, format!("{}; {way_out}", older(max_age)))
        }
        WhyUnsent::Late(max_age, klass) => {
            let instead = format!("so it is counted in the digest `{klass}` (late: digest)");
            let detail = format!("{}, {instead}; {way_out}", older(max_age));
            (SkipReason::TooOld, detail)
        }
        WhyUnsent::NoItems => (
            SkipReason::NoItems,
            "the list of its `each` is empty or null".to_owned(),
        ),
    };
    NotSent {
        route: unsent.route.to_string(),
        kind: unsent.kind,
        field: format!("do[{}]", unsent.index),
        line: None,
        reason: reason.as_str(),
        detail,
        operations: Some(unsent.operations).filter(|many| *many > 1),
        index: unsent.index,
        is_replaced: matches!(unsent.why, WhyUnsent::Late(..)),
    }
}

/// A `maxAge` as mappings write it.
fn shown_age(age: SignedDuration) -> String {
    let seconds = age.as_secs();
    let units = [(86_400, "d"), (3_600, "h"), (60, "m")];
    let whole = units.iter().find(|(unit, _)| seconds % unit == 0);
    let (unit, letter) = whole.copied().unwrap_or((1, "s"));
    format!("{}{letter}", seconds / unit)
}

/// More about a skip, if its reason alone is not clear enough.
pub(super) fn skip_detail(reason: SkipReason, now: Timestamp) -> Option<String> {
    match reason {
        SkipReason::TooOld => Some(format!(
            "older than the route's maxAge at {now}; --at judges as of another time"
        )),
        SkipReason::NotForKustomer => Some(
            "the message's `integrations` keep it from Kustomer: `Kustomer` decides, and where it is not named, `All`"
                .to_owned(),
        ),
        SkipReason::Suppressed => Some("nothing is sent: the customer is suppressed (privacy.suppressed)".to_owned()),
        SkipReason::NoItems => Some("the list of the route's `each` is empty or null".to_owned()),
        SkipReason::Housekeeping => Some(
            "a heartbeat, a bound of a transaction or a change of a schema, which Debezium writes for its own sake"
                .to_owned(),
        ),
        SkipReason::Tombstone
        | SkipReason::NotThere
        | SkipReason::NoRoute
        | SkipReason::ConditionFalse
        | SkipReason::Dropped
        | SkipReason::Stale
        | SkipReason::Unchanged
        | SkipReason::Repeat
        | SkipReason::SettledBefore => None,
    }
}
