//! From counts to figures.

use std::collections::BTreeMap;

use super::super::plan::{Pacing, Tier};
use super::super::tally::{Second, Tally};
use super::super::traffic::Unusable;
use super::super::world::{Ended, Mean};
use super::advice::{Demand, advice, routes};
use super::figures::{
    BacklogFigures, Point, RecordFigures, SavedFigures, TierFigures, TrafficFigures, UnitFigures,
};
use super::numbers::{number, rounded};
use crate::config::settings::QuotaSettings;
use ingest_model::call::Class;
use ingest_model::outcome::SkipReason;

/// What is known of a tier when it has ended.
pub(in crate::simulated::forecast) struct Played {
    pub(in crate::simulated::forecast) tier: Tier,
    pub(in crate::simulated::forecast) ended: Ended,
    pub(in crate::simulated::forecast) seconds: f64,
    pub(in crate::simulated::forecast) tally: Tally,
    pub(in crate::simulated::forecast) refused_429: u64,
    pub(in crate::simulated::forecast) left: Option<u64>,
    /// Records that wait at the beginning.
    pub(in crate::simulated::forecast) backlog: u64,
    /// What was left alone and allowed on average, if that followed the time of day.
    pub(in crate::simulated::forecast) mean: Option<Mean>,
    /// Requests a minute that others spend.
    pub(in crate::simulated::forecast) others: u64,
}

/// The points of a plot, at most.
const POINTS: usize = 600;
/// From so many seconds of arrivals on there is a rate.
const STREAM: usize = 30;

/// The figures of a tier.
pub(in crate::simulated::forecast) fn tier(played: Played, quota: QuotaSettings) -> TierFigures {
    let Played {
        tier,
        ended,
        seconds,
        tally,
        refused_429,
        left,
        backlog: waiting,
        mean,
        others,
    } = played;
    let quota = mean.map_or(quota, |mean| quota.with_reserve(mean.reserve));
    let course = Course::of(&tally.seconds, waiting);
    let units: u64 = tally.units.values().sum();
    let allowance = mean.map_or_else(|| quota.allowance(), |mean| mean.allowance);
    let demand = Demand::of(&tally, units, course.stream());
    let mut backlog = backlog(&course, left);
    if course.is_left_behind() {
        let free = f64::from(quota.limit() - quota.reserve()) - number(others);
        backlog.grows_per_hour = demand.grows_per_hour(f64::from(allowance).min(free).max(0.0));
    }
    let busy_minutes = (seconds / 60.0).max(1.0 / 60.0);
    let records = records(&tally);
    TierFigures {
        plan: tier.name,
        limit: tier.limit,
        allowance,
        mean_reserve: mean.map(|mean| mean.reserve),
        ended,
        seconds: rounded(seconds, 3),
        units: UnitFigures {
            total: units,
            by_class: tally
                .units
                .iter()
                .map(|(class, units)| (class.as_str(), *units))
                .collect(),
            records_per_unit: (units > 0).then(|| rounded(ratio(tally.delivered, units), 3)),
            spent_ratio: rounded(number(units) / (f64::from(allowance) * busy_minutes), 4),
            needed_per_minute: rounded(demand.units_per_minute(), 1),
            busiest_minute: course.busiest_minute(),
            refused_429,
        },
        delay_to_request_seconds: tally.to_request().percentiles(),
        delay_to_settled_seconds: tally.to_settled.percentiles(),
        saved: saved(&tally, units),
        routes: routes(&tally, &demand),
        advice: advice(
            &demand,
            &backlog,
            &tally,
            (quota, allowance),
            number(others),
        ),
        backlog,
        holds: tally.holds.clone(),
        invariants_broken: tally.broken,
        course: course.points(),
        records,
    }
}

/// What was played, as the tier saw it that saw most of it.
pub(in crate::simulated::forecast) fn traffic(
    tiers: &[Vec<Second>],
    pacing: Pacing,
    unusable: &Unusable,
) -> TrafficFigures {
    let arrived =
        |seconds: &[Second]| -> u64 { seconds.iter().map(|one| u64::from(one.arrived)).sum() };
    let Some(seconds) = tiers.iter().max_by_key(|seconds| arrived(seconds)) else {
        return TrafficFigures::default();
    };
    let backlog = pacing.backlog();
    let course = Course::of(seconds, backlog);
    let (streamed, lasting) = course.arrivals();
    let records = arrived(seconds);
    let backlog = backlog.min(records);
    TrafficFigures {
        records,
        backlog,
        per_second: if lasting > 0.0 {
            streamed / lasting
        } else {
            0.0
        },
        lasts_seconds: lasting,
        unusable_lines: unusable.lines,
        first_unusable: unusable
            .first
            .as_ref()
            .map(|(line, why)| format!("line {line}: {why}")),
    }
}

fn records(tally: &Tally) -> RecordFigures {
    let skipped: BTreeMap<&'static str, u64> = tally
        .skipped
        .iter()
        .map(|(reason, records)| (reason.as_str(), *records))
        .collect();
    let dead_lettered = tally
        .rejected
        .iter()
        .map(|(reason, records)| (reason.as_str(), *records))
        .collect();
    RecordFigures {
        arrived: tally.arrived,
        delivered: tally.delivered,
        skipped,
        dead_lettered,
        diverted: tally.diverted,
        open: tally.arrived.saturating_sub(tally.settled()),
    }
}

fn saved(tally: &Tally, units: u64) -> SavedFigures {
    let sum =
        |of: fn(&super::super::tally::Route) -> u64| -> u64 { tally.routes.values().map(of).sum() };
    let (events, identities) = (sum(|one| one.events), sum(|one| one.identities));
    let (objects, folded) = (sum(|one| one.objects), sum(|one| one.folded));
    let suppressed = [SkipReason::Unchanged, SkipReason::Stale, SkipReason::Repeat]
        .iter()
        .filter_map(|reason| tally.skipped.get(reason))
        .sum();
    let operations = events + identities + objects + folded;
    let states = objects.saturating_sub(suppressed);
    SavedFigures {
        operations,
        digested: folded,
        identities_fused: identities.saturating_sub(tally.identities_sent),
        digests_written: tally.digests_sent,
        coalesced: states.saturating_sub(tally.objects_sent.saturating_sub(tally.digests_sent)),
        suppressed,
        objects_written: tally.objects_sent,
        object_requests: tally.units.get(&Class::Write).copied().unwrap_or(0),
        units: i64::try_from(operations).unwrap_or(i64::MAX)
            - i64::try_from(units).unwrap_or(i64::MAX),
    }
}

fn backlog(course: &Course<'_>, left: Option<u64>) -> BacklogFigures {
    let mut figures = BacklogFigures {
        gone_after_seconds: Some(0),
        left_seconds: left,
        ..BacklogFigures::default()
    };
    let mut waiting = course.waiting().enumerate().peekable();
    while let Some((second, one)) = waiting.next() {
        if one.waits > figures.largest {
            figures.largest = one.waits;
            figures.largest_at_seconds = second as u64;
        }
        if one.is_behind() {
            figures.gone_after_seconds = waiting.peek().map(|_| second as u64 + 1);
        }
    }
    figures
}

/// The seconds of a tier.
struct Course<'s> {
    seconds: &'s [Second],
    /// Records that waited at the beginning; they arrive in the first second.
    backlog: u64,
    /// The last second in which something arrived.
    last: usize,
}

/// At the end of a second.
#[derive(Debug, Clone, Copy, Default)]
struct Waiting {
    waits: u64,
    arrived_in_a_minute: u64,
}

impl Waiting {
    fn is_behind(self) -> bool {
        self.waits > self.arrived_in_a_minute
    }
}

impl<'s> Course<'s> {
    fn of(seconds: &'s [Second], backlog: u64) -> Self {
        let last = seconds.iter().rposition(|one| one.arrived > 0);
        Self {
            seconds,
            backlog,
            last: last.unwrap_or(0),
        }
    }

    /// Records that are not settled, after each second.
    fn waiting(&self) -> impl Iterator<Item = Waiting> + '_ {
        let (mut waits, mut minute) = (0_u64, 0_u64);
        self.seconds.iter().enumerate().map(move |(place, one)| {
            waits = (waits + u64::from(one.arrived)).saturating_sub(u64::from(one.settled));
            minute += self.streamed(place);
            minute -= place.checked_sub(60).map_or(0, |gone| self.streamed(gone));
            Waiting {
                waits,
                arrived_in_a_minute: minute,
            }
        })
    }

    /// Records that arrived in a second, without those that waited at the beginning.
    fn streamed(&self, place: usize) -> u64 {
        let arrived = self
            .seconds
            .get(place)
            .map_or(0, |one| u64::from(one.arrived));
        let waited = if place == 0 { self.backlog } else { 0 };
        arrived.saturating_sub(waited)
    }

    /// Records that arrived besides those that waited at the beginning, and in how many seconds.
    fn arrivals(&self) -> (f64, f64) {
        let arrived = (0..=self.last).map(|place| self.streamed(place)).sum();
        (number(arrived), number(self.last as u64))
    }

    /// The same, if it was long enough to be a stream.
    fn stream(&self) -> Option<(f64, f64)> {
        (self.last >= STREAM).then(|| self.arrivals())
    }

    /// Whether more than a minute's arrivals wait when the last of them comes.
    fn is_left_behind(&self) -> bool {
        let before = self.last.saturating_sub(1);
        let waiting = self.waiting().nth(before).unwrap_or_default();
        self.stream().is_some() && waiting.is_behind()
    }

    fn busiest_minute(&self) -> u64 {
        let minutes = self.seconds.chunks(60);
        let units = minutes.map(|minute| minute.iter().map(|one| u64::from(one.units)).sum());
        units.max().unwrap_or(0)
    }

    fn points(&self) -> Vec<Point> {
        let step = self.seconds.len().div_ceil(POINTS).max(1);
        let waiting: Vec<u64> = self.waiting().map(|one| one.waits).collect();
        let steps = self.seconds.chunks(step).zip(waiting.chunks(step));
        let mut at_seconds = 0;
        steps
            .map(|(seconds, waiting)| {
                at_seconds += seconds.len() as u64;
                let sum = |of: fn(&Second) -> u32| -> u64 {
                    seconds.iter().map(|one| u64::from(of(one))).sum()
                };
                let (units, delayed) = (sum(|one| one.units), sum(|one| one.delayed));
                let delays: f64 = seconds.iter().map(|one| f64::from(one.delay_sum)).sum();
                let longest = seconds.iter().map(|one| one.delay_max).fold(0.0, f32::max);
                Point {
                    at_seconds,
                    backlog: waiting.last().copied().unwrap_or(0),
                    units_per_minute: rounded(ratio(units * 60, seconds.len() as u64), 1),
                    delay_mean_seconds: (delayed > 0).then(|| rounded(delays / number(delayed), 3)),
                    delay_max_seconds: (delayed > 0).then(|| rounded(f64::from(longest), 3)),
                }
            })
            .collect()
    }
}

fn ratio(part: u64, of: u64) -> f64 {
    number(part) / number(of)
}
