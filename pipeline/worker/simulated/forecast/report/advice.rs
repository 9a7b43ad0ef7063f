//! What would have to change for the backlog to drain: from what the requests of this very run were spent on.

use super::super::tally::Tally;
use super::course::Stream;
use super::figures::{Advice, BacklogFigures, RouteFigures};
use super::numbers::{number, rounded};
use crate::config::settings::QuotaSettings;

/// What the arrivals cost.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Demand {
    /// Requests a minute that they cost; zero without a stream.
    units_per_minute: f64,
    /// Requests for each record that arrived.
    units_per_record: f64,
    /// Requests for each object written: its part of bulks, reads and look-ups.
    units_per_object: f64,
    /// The part of all records that arrives in a minute.
    part_per_minute: f64,
}

/// The part of an allowance that can be planned with: a window is never spent to the last request.
const USABLE: f64 = 0.97;
/// So much above the allowance is not told from what others of the same minutes cost.
const NOISE: f64 = 1.01;
/// All of a stream tells small shortages only if it is so many minutes long.
const TELLING: f64 = 5.0;

impl Demand {
    /// What the requests of a stretch of the stream were spent on, with what it left behind. Nobody needs more than there is who
    /// keeps up with it.
    pub(super) fn of(tally: &Tally, units: u64, stream: Option<Stream>, free: f64) -> Self {
        let others = number(units.saturating_sub(tally.events_sent + tally.identities_sent));
        let units_per_object = if tally.objects_sent > 0 {
            others / number(tally.objects_sent)
        } else {
            // A bulk of a hundred, its read, and a look-up of customers.
            0.03
        };
        let Some(stream) = stream else {
            return Self {
                units_per_object,
                ..Self::default()
            };
        };
        // What was read and still waits will cost requests, too: one each, or its part of one.
        let waiting = stream.waiting_alone + stream.waiting_others * units_per_object;
        let units_per_record = (stream.units + waiting).max(0.0) / stream.read.max(1.0);
        let mut demand = Self {
            units_per_minute: stream.per_minute * units_per_record,
            units_per_record,
            units_per_object,
            part_per_minute: stream.per_minute / number(tally.read.max(1)),
        };
        if !demand.is_behind(&stream, free) {
            demand.units_per_minute = demand.units_per_minute.min(free);
        }
        demand
    }

    /// Whether there is a shortage that is seen in what waits at the end, too.
    fn is_behind(&self, stream: &Stream, free: f64) -> bool {
        let missing = self.units_per_minute - free;
        if missing <= 0.0 {
            return false;
        }
        let leaves = missing / self.units_per_record * stream.minutes;
        // What waits in groups and jobs, or at a busy beginning, is no sign of a shortage. In the second half of a stream it is what it
        // was before; in all of a long one it is little.
        let counted = if stream.is_whole {
            (stream.units + stream.waiting_alone) / stream.read.max(1.0) * stream.per_minute
        } else {
            self.units_per_minute
        };
        let tells = !stream.is_whole || stream.minutes >= TELLING;
        let is_clear = tells && counted > free * NOISE || stream.waits > stream.per_minute;
        is_clear && stream.waits >= leaves / 2.0
    }

    /// Requests a minute that the arrivals cost; zero without a stream.
    pub(super) fn units_per_minute(&self) -> f64 {
        self.units_per_minute
    }

    /// How many more records wait each hour if so many requests a minute are free.
    pub(super) fn grows_per_hour(&self, free: f64) -> f64 {
        let missing = self.units_per_minute - free;
        if missing <= 0.0 {
            return 0.0;
        }
        // Never nothing: it does grow.
        rounded(missing / self.units_per_record * 60.0, 0).max(1.0)
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
    quota: QuotaSettings,
    (free, others): (f64, f64),
) -> Option<Advice> {
    let needs = demand.units_per_minute();
    let carries = |allowance: f64, needs: f64| needs <= allowance * USABLE;
    if backlog.grows_per_hour <= 0.0 {
        return None;
    }
    let all = f64::from(quota.limit() - quota.reserve()) - others;
    let reserve = f64::from(quota.reserve()) + others;
    let wanted = needs / USABLE;
    let limit = (wanted / quota.share()).max(wanted + reserve).ceil();
    let share = wanted / f64::from(quota.limit());
    let mut left = needs;
    let mut digest = Vec::new();
    for route in routes(tally, demand) {
        let saves = route.units_per_minute - route.units_per_minute_digested;
        if carries(free, left) || saves <= 0.0 {
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
        share: (carries(all, needs)).then_some((share * 100.0).ceil() / 100.0),
        digest: carries(free, left).then_some(digest),
    })
}
