//! What would have to change for the backlog to drain: from what the requests of this very run were spent on.

use super::super::tally::Tally;
use super::figures::{Advice, BacklogFigures, RouteFigures};
use super::numbers::{number, rounded};
use crate::config::settings::QuotaSettings;

/// What the arrivals cost.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Demand {
    /// Records a minute.
    per_minute: f64,
    /// Requests for each record that arrived.
    units_per_record: f64,
    /// Requests for each object written: its part of bulks, reads and look-ups.
    units_per_object: f64,
    /// The part of all records that arrives in a minute.
    part_per_minute: f64,
}

/// The part of an allowance that can be planned with: a window is never spent to the last request.
const USABLE: f64 = 0.97;

impl Demand {
    pub(super) fn of(tally: &Tally, units: u64, stream: Option<(f64, f64)>) -> Self {
        let read = number(tally.read.max(1));
        let (records, seconds) = stream.unwrap_or_default();
        let per_minute = if seconds > 0.0 {
            records / seconds * 60.0
        } else {
            0.0
        };
        // Events that were read and still wait will cost a request, too.
        let events: u64 = tally.routes.values().map(|route| route.events).sum();
        let waiting = events.saturating_sub(tally.events_sent);
        let others = number(units.saturating_sub(tally.events_sent + tally.identities_sent));
        Self {
            per_minute,
            units_per_record: number(units + waiting) / read,
            units_per_object: if tally.objects_sent > 0 {
                others / number(tally.objects_sent)
            } else {
                // A bulk of a hundred, its read, and a look-up of customers.
                0.03
            },
            part_per_minute: per_minute / read,
        }
    }

    /// Requests a minute that the arrivals cost; zero without a stream.
    pub(super) fn units_per_minute(&self) -> f64 {
        self.per_minute * self.units_per_record
    }

    /// How many more records wait each hour if so many requests a minute are allowed.
    pub(super) fn grows_per_hour(&self, allowance: f64) -> f64 {
        let missing = self.units_per_minute() - allowance;
        if missing <= 0.0 {
            return 0.0;
        }
        rounded(missing / self.units_per_record * 60.0, 0)
    }
}

/// The tracking events by route, the most first.
pub(super) fn routes(tally: &Tally, demand: &Demand) -> Vec<RouteFigures> {
    let mut routes: Vec<RouteFigures> = tally
        .routes
        .iter()
        .filter(|(_, route)| route.events > 0)
        .map(|(name, route)| RouteFigures {
            route: name.to_string(),
            events: route.events,
            units_per_minute: rounded(number(route.events) * demand.part_per_minute, 1),
            units_per_minute_digested: rounded(
                route.digested() * demand.units_per_object * demand.part_per_minute,
                1,
            ),
        })
        .collect();
    routes.sort_by_key(|one| std::cmp::Reverse(one.events));
    routes
}

/// `None` if the arrivals are carried.
pub(super) fn advice(
    demand: &Demand,
    backlog: &BacklogFigures,
    tally: &Tally,
    (quota, allowance): (QuotaSettings, u32),
    others: f64,
) -> Option<Advice> {
    let needs = demand.units_per_minute();
    let carries = |allowance: f64, needs: f64| needs <= allowance * USABLE;
    let free = f64::from(quota.limit() - quota.reserve()) - others;
    let allowance = f64::from(allowance).min(free);
    if backlog.grows_per_hour <= 0.0 || demand.per_minute <= 0.0 {
        return None;
    }
    let reserve = f64::from(quota.reserve()) + others;
    let wanted = needs / USABLE;
    let limit = (wanted / quota.share()).max(wanted + reserve).ceil();
    let share = wanted / f64::from(quota.limit());
    let mut left = needs;
    let mut digest = Vec::new();
    for route in routes(tally, demand) {
        let saves = route.units_per_minute - route.units_per_minute_digested;
        if carries(allowance, left) || saves <= 0.0 {
            continue;
        }
        left -= saves;
        digest.push(route.route);
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "above zero, and the cast saturates"
    )]
    let limit = limit as u32;
    Some(Advice {
        needs_per_minute: rounded(needs, 1),
        limit,
        share: (carries(free, needs)).then_some((share * 100.0).ceil() / 100.0),
        digest: carries(allowance, left).then_some(digest),
    })
}
