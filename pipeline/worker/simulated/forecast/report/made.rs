//! From counts to figures.

use std::collections::BTreeMap;

use super::super::plan::{Pacing, Tier};
use super::super::tally::{Second, Tally};
use super::super::traffic::Unusable;
use super::super::world::{Ended, Mean};
use super::advice::{Demand, advice, routes};
use super::course::Course;
use super::figures::{
    BacklogFigures, RecordFigures, SavedFigures, TierFigures, TrafficFigures, UnitFigures,
};
use super::numbers::{number, ratio, rounded};
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
    /// Whether what arrives is the same all the time.
    pub(in crate::simulated::forecast) is_even: bool,
}

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
        is_even,
    } = played;
    let quota = mean.map_or(quota, |mean| quota.with_reserve(mean.reserve));
    let course = Course::of(&tally.seconds, waiting);
    let all = f64::from(quota.limit() - quota.reserve());
    let units: u64 = tally.units.values().sum();
    let allowance = mean.map_or_else(|| quota.allowance(), |mean| mean.allowance);
    let free = f64::from(allowance).min(all - number(others)).max(0.0);
    let units_per_identity = if tally.identities_carried > 0 {
        ratio(tally.identities_sent, tally.identities_carried)
    } else {
        1.0
    };
    let stream = course.stream(is_even, units_per_identity);
    let demand = Demand::of(&tally, units, stream, free);
    let mut backlog = backlog(&course, left);
    backlog.grows_per_hour = demand.grows_per_hour(free);
    let busy_minutes = (seconds / 60.0).max(1.0 / 60.0);
    let records = records(&tally);
    TierFigures {
        plan: tier.name,
        limit: tier.limit,
        allowance,
        free: (others > 0).then(|| rounded(free, 0)),
        mean_reserve: mean.map(|mean| mean.reserve),
        lowest_allowance: mean.map(|mean| mean.lowest),
        lowest_allowance_ever: mean.map(|mean| mean.lowest_ever),
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
        advice: advice(&demand, &backlog, &tally, quota, (free, number(others))),
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
    let reasons = [
        SkipReason::Unchanged,
        SkipReason::Stale,
        SkipReason::Repeat,
        SkipReason::NotThere,
    ];
    let suppressed = reasons
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
        customer_requests: tally.questions_sent
            + tally.units.get(&Class::Resolve).copied().unwrap_or(0),
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
