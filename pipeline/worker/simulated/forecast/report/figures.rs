//! The figures of a forecast. Their names are those of `--json`, which programs rely on.

use std::collections::BTreeMap;

use serde::Serialize;

use super::super::tally::Percentiles;
use super::super::world::Ended;

/// A forecast.
#[derive(Debug, Clone, Serialize)]
pub struct Forecast {
    /// The form of this document; a change of meaning has another number.
    pub version: u32,
    /// What was played.
    pub traffic: TrafficFigures,
    /// Each tier, in the order in which they were asked for.
    pub tiers: Vec<TierFigures>,
}

/// What was played.
#[derive(Debug, Clone, Default, Serialize)]
pub struct TrafficFigures {
    /// Records that arrived, of the tier that got to see most of them.
    pub records: u64,
    /// Of them, those that waited at the beginning.
    pub backlog: u64,
    /// Records a second after that.
    pub per_second: f64,
    /// Virtual seconds from the first arrival to the last.
    pub lasts_seconds: f64,
    /// Lines that are no records.
    pub unusable_lines: u64,
    /// The first of them, and why.
    pub first_unusable: Option<String>,
}

/// What one limit carries.
#[derive(Debug, Clone, Serialize)]
pub struct TierFigures {
    /// The plan, or the limit.
    pub plan: String,
    /// Requests a minute of the organisation.
    pub limit: u32,
    /// Requests a minute that the workers may send.
    pub allowance: u32,
    /// Those that others leave of them, where others spend.
    pub free: Option<f64>,
    /// Requests of every minute that were left alone on average, where that follows the time of day: then the allowance is one on
    /// average, too.
    pub mean_reserve: Option<u32>,
    /// Then: the allowance when most was left alone in the time that was played.
    pub lowest_allowance: Option<u32>,
    /// The same at any time, also beyond what was played.
    pub lowest_allowance_ever: Option<u32>,
    /// Why it ended.
    pub ended: Ended,
    /// Virtual seconds that were played.
    pub seconds: f64,
    /// What became of the records.
    pub records: RecordFigures,
    /// What was spent.
    pub units: UnitFigures,
    /// From arrival to the request that carries it, for each operation that a request carried.
    pub delay_to_request_seconds: Option<Percentiles>,
    /// From arrival to the confirmation, for each record delivered.
    pub delay_to_settled_seconds: Option<Percentiles>,
    /// What waited.
    pub backlog: BacklogFigures,
    /// What did not have to be sent.
    pub saved: SavedFigures,
    /// Tracking events by route, each a request: the most first.
    pub routes: Vec<RouteFigures>,
    /// What would have to change; `None` if everything keeps up.
    pub advice: Option<Advice>,
    /// What is held, and why: a person has to act.
    pub holds: Vec<String>,
    /// Broken invariants: must be 0.
    pub invariants_broken: u64,
    /// The course of it, for plots.
    pub course: Vec<Point>,
}

/// What became of the records.
#[derive(Debug, Clone, Default, Serialize)]
pub struct RecordFigures {
    /// Those that arrived.
    pub arrived: u64,
    /// Those that Kustomer confirmed.
    pub delivered: u64,
    /// Those that led to no request, by reason.
    pub skipped: BTreeMap<&'static str, u64>,
    /// Those that can never be delivered, by reason.
    pub dead_lettered: BTreeMap<&'static str, u64>,
    /// Those that went to the hold topic.
    pub diverted: u64,
    /// Those that are not settled.
    pub open: u64,
}

/// What was spent.
#[derive(Debug, Clone, Default, Serialize)]
pub struct UnitFigures {
    /// All requests.
    pub total: u64,
    /// By class.
    pub by_class: BTreeMap<&'static str, u64>,
    /// Delivered records for each request.
    pub records_per_unit: Option<f64>,
    /// The part of what was allowed, over the whole time in which there was something to do.
    pub spent_ratio: f64,
    /// Requests a minute that the arrivals cost, at what a record costs here; 0 without a stream. More than is allowed only where
    /// the backlog grows.
    pub needed_per_minute: f64,
    /// The most in a minute of the forecast's clock.
    pub busiest_minute: u64,
    /// Refused for the organisation's limit.
    pub refused_429: u64,
}

/// What waited.
#[derive(Debug, Clone, Default, Serialize)]
pub struct BacklogFigures {
    /// The most records that were not settled.
    pub largest: u64,
    /// When.
    pub largest_at_seconds: u64,
    /// From when on no more waited than a minute's arrivals; 0 if never more did, `None` if it never came to that.
    pub gone_after_seconds: Option<u64>,
    /// How much more waits each hour that the arrivals last: above zero, the backlog never drains at this rate.
    pub grows_per_hour: f64,
    /// At the end: after what time all that waits would be gone if nothing else arrived.
    pub left_seconds: Option<u64>,
}

/// What did not have to be sent.
#[derive(Debug, Clone, Default, Serialize)]
pub struct SavedFigures {
    /// Operations that the records led to: what a sender spends that sends each by itself.
    pub operations: u64,
    /// Those that were folded into objects of sessions.
    pub digested: u64,
    /// How often such an object was written.
    pub digests_written: u64,
    /// Identities that rode in a request that was sent anyway, or said nothing new.
    pub identities_fused: u64,
    /// States of objects that were merged into later ones before they were sent.
    pub coalesced: u64,
    /// Records that changed nothing: unchanged, stale, repeats.
    pub suppressed: u64,
    /// Objects written, digests included.
    pub objects_written: u64,
    /// The requests that wrote them, alone or up to a hundred together.
    pub object_requests: u64,
    /// The requests that found or made customers for objects.
    pub customer_requests: u64,
    /// Operations less requests: what is saved in all; below 0 if finding customers and reading results took more than was saved.
    pub units: i64,
}

/// Tracking events of a route.
#[derive(Debug, Clone, Serialize)]
pub struct RouteFigures {
    /// The route.
    pub route: String,
    /// Its tracking events.
    pub events: u64,
    /// Requests a minute that they cost, while records arrive.
    pub units_per_minute: f64,
    /// The same if they were digested, and each customer's digest were written once a minute.
    pub units_per_minute_digested: f64,
}

/// What would have to change for the backlog to drain.
#[derive(Debug, Clone, Serialize)]
pub struct Advice {
    /// Requests a minute that the arrivals cost.
    pub needs_per_minute: f64,
    /// The least limit that carries them with the configured share and reserve.
    pub limit: u32,
    /// The least share of the present limit; `None` if all of it is too little.
    pub share: Option<f64>,
    /// The routes that carry them if their events are digested, as few as suffice; `None` if all together do not.
    pub digest: Option<Vec<String>>,
}

/// A point of a plot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Point {
    /// Its end, in virtual seconds.
    pub at_seconds: u64,
    /// Records that are not settled.
    pub backlog: u64,
    /// Requests a minute.
    pub units_per_minute: f64,
    /// The mean delay of the records delivered, in seconds; `None` if there were none.
    pub delay_mean_seconds: Option<f64>,
    /// The longest.
    pub delay_max_seconds: Option<f64>,
}
