//! The figures as a table, the tiers side by side.

use ingest_model::call::Class;

use super::figures::{Advice, Forecast, TierFigures};
use crate::observe::words::plural;
use crate::simulated::forecast::world::Ended;

/// A forecast for people.
#[must_use]
pub fn table(forecast: &Forecast) -> String {
    let mut lines = vec![traffic(forecast), String::new()];
    lines.extend(aligned(&rows(forecast)));
    lines.extend(notes(forecast));
    lines.join("\n")
}

/// Only where it follows the time of day.
const LEFT_ALONE: &str = "requests a minute, left alone on average";
const AT_LEAST: &str = "requests a minute, allowed at least";
/// Only where others spend, too.
const FREE: &str = "requests a minute, left by others";

type Row = (String, Vec<String>);

fn rows(forecast: &Forecast) -> Vec<Row> {
    let tiers = &forecast.tiers;
    let row = |name: &str, of: &dyn Fn(&TierFigures) -> String| -> Row {
        (name.to_owned(), tiers.iter().map(of).collect())
    };
    let follows = tiers.iter().any(|one| one.mean_reserve.is_some());
    let allowed = if follows {
        "requests a minute, allowed on average of limit"
    } else {
        "requests a minute, allowed of limit"
    };
    let mut rows = vec![
        row("", &|one| one.plan.clone()),
        row(allowed, &|one| {
            format!(
                "{} of {}",
                grouped(one.allowance.into()),
                grouped(one.limit.into())
            )
        }),
        row(LEFT_ALONE, &|one| {
            one.mean_reserve
                .map_or_else(none, |mean| grouped(mean.into()))
        }),
        row(AT_LEAST, &|one| {
            one.lowest_allowance
                .map_or_else(none, |lowest| grouped(lowest.into()))
        }),
        row(FREE, &|one| one.free.map_or_else(none, grouped_f)),
        row("requests a minute, needed", &|one| {
            if one.units.needed_per_minute > 0.0 {
                grouped_f(one.units.needed_per_minute)
            } else {
                none()
            }
        }),
        row("keeps up with what arrives", &keeps_up),
        row("backlog gone after", &gone),
        row("largest backlog", &|one| grouped(one.backlog.largest)),
        row("played", &|one| {
            format!("{}{}", duration(one.seconds), ended(one.ended))
        }),
        heading("records", tiers),
        row("  delivered", &|one| grouped(one.records.delivered)),
    ];
    if !follows {
        rows.retain(|(name, _)| name != LEFT_ALONE && name != AT_LEAST);
    }
    if tiers.iter().all(|one| one.free.is_none()) {
        rows.retain(|(name, _)| name != FREE);
    }
    rows.extend(reasons("  skipped, ", tiers, |one| &one.records.skipped));
    rows.extend(reasons("  dead-lettered, ", tiers, |one| {
        &one.records.dead_lettered
    }));
    if tiers.iter().any(|one| one.records.open > 0) {
        rows.push(row("  not settled", &|one| grouped(one.records.open)));
    }
    rows.push(heading("requests", tiers));
    rows.push(row("  all", &|one| grouped(one.units.total)));
    rows.extend(reasons("  ", tiers, |one| &one.units.by_class));
    rows.extend([
        row("  records delivered by each", &|one| {
            one.units
                .records_per_unit
                .map_or_else(none, |ratio| format!("{ratio:.2}"))
        }),
        row("  part of what is allowed", &|one| {
            percent(one.units.spent_ratio)
        }),
        row("  in the busiest minute", &|one| {
            grouped(one.units.busiest_minute)
        }),
        row("  refused with 429", &|one| grouped(one.units.refused_429)),
        heading("from arrival to the request", tiers),
        row("  median", &|one| {
            delay(one.delay_to_request_seconds.map(|d| d.median))
        }),
        row("  95 %", &|one| {
            delay(one.delay_to_request_seconds.map(|d| d.p95))
        }),
        row("  99 %", &|one| {
            delay(one.delay_to_request_seconds.map(|d| d.p99))
        }),
        heading("from arrival to the confirmation", tiers),
        row("  median", &|one| {
            delay(one.delay_to_settled_seconds.map(|d| d.median))
        }),
        row("  95 %", &|one| {
            delay(one.delay_to_settled_seconds.map(|d| d.p95))
        }),
        row("  99 %", &|one| {
            delay(one.delay_to_settled_seconds.map(|d| d.p99))
        }),
        heading("not sent", tiers),
        row("  events digested, in so many writes", &|one| {
            format!(
                "{} in {}",
                grouped(one.saved.digested),
                grouped(one.saved.digests_written)
            )
        }),
        row("  identities fused with events", &|one| {
            grouped(one.saved.identities_fused)
        }),
        row("  states merged before they were sent", &|one| {
            grouped(one.saved.coalesced)
        }),
        row("  records that change nothing", &|one| {
            grouped(one.saved.suppressed)
        }),
        row("  objects written, in so many requests", &|one| {
            format!(
                "{} in {}",
                grouped(one.saved.objects_written),
                grouped(one.saved.object_requests)
            )
        }),
        row("  requests saved of one for each operation", &saved),
    ]);
    rows
}

fn heading(name: &str, tiers: &[TierFigures]) -> Row {
    (
        name.to_owned(),
        tiers.iter().map(|_| String::new()).collect(),
    )
}

/// A row for each reason that any tier has.
fn reasons(
    indent: &str,
    tiers: &[TierFigures],
    of: impl Fn(&TierFigures) -> &std::collections::BTreeMap<&'static str, u64>,
) -> Vec<Row> {
    let mut names: Vec<&'static str> = tiers
        .iter()
        .flat_map(|one| of(one).keys().copied())
        .collect();
    names.sort_unstable();
    names.dedup();
    names
        .into_iter()
        .map(|name| {
            let cells = tiers
                .iter()
                .map(|one| grouped(of(one).get(name).copied().unwrap_or(0)));
            (format!("{indent}{name}"), cells.collect())
        })
        .collect()
}

fn aligned(rows: &[Row]) -> Vec<String> {
    let names = rows.iter().map(|(name, _)| name.chars().count());
    let first = names.max().unwrap_or(0);
    let columns = rows.iter().map(|(_, cells)| cells.len()).max().unwrap_or(0);
    let width = |column: usize| -> usize {
        let cells = rows.iter().filter_map(|(_, cells)| cells.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    rows.iter()
        .map(|(name, cells)| {
            let mut line = format!("{name:<first$}");
            for (cell, width) in cells.iter().zip(&widths) {
                line.push_str("  ");
                line.push_str(&format!("{cell:>width$}"));
            }
            line.trim_end().to_owned()
        })
        .collect()
}

fn traffic(forecast: &Forecast) -> String {
    let traffic = &forecast.traffic;
    let mut text = plural(grouped(traffic.records), "record");
    if traffic.backlog > 0 {
        text.push_str(&format!(
            ", {} of them waiting at the beginning",
            grouped(traffic.backlog)
        ));
    }
    if traffic.per_second > 0.0 {
        let rate = if traffic.per_second < 1.0 {
            format!("{:.1} a minute", traffic.per_second * 60.0)
        } else {
            format!("{:.1} a second", traffic.per_second)
        };
        text.push_str(&format!(", {rate} for {}", duration(traffic.lasts_seconds)));
    }
    if let Some(first) = &traffic.first_unusable {
        let lines = plural(grouped(traffic.unusable_lines), "line");
        text.push_str(&format!("\n{lines} left out that are no records; {first}"));
    }
    text
}

/// What a person should know or do, tier by tier.
fn notes(forecast: &Forecast) -> Vec<String> {
    let mut notes = Vec::new();
    for tier in &forecast.tiers {
        if let Some(advice) = &tier.advice {
            notes.push(format!("{}: {}", tier.plan, advised(tier, advice)));
        }
        let others = [beyond(tier), overspent(tier)].into_iter().flatten();
        notes.extend(others.map(|note| format!("{}: {note}", tier.plan)));
        if !tier.holds.is_empty() {
            notes.push(format!(
                "{}: held until a person acts: {}",
                tier.plan,
                tier.holds.join("; ")
            ));
        }
        if tier.invariants_broken > 0 {
            notes.push(format!(
                "{}: {} broken; please report this with the input",
                tier.plan,
                plural(tier.invariants_broken, "invariant")
            ));
        }
    }
    let rejected: u64 = forecast
        .tiers
        .first()
        .map_or(0, |one| one.records.dead_lettered.values().sum());
    if rejected * 20 > forecast.traffic.records {
        notes.push(format!(
            "{} of {} records would be dead-lettered: in production the guard holds such a topic; explain shows why each is",
            grouped(rejected),
            grouped(forecast.traffic.records)
        ));
    }
    if !notes.is_empty() {
        notes.insert(0, String::new());
    }
    notes
}

fn advised(tier: &TierFigures, advice: &Advice) -> String {
    let mut ways = vec![format!("a limit of {}", grouped(advice.limit.into()))];
    if let Some(share) = advice.share {
        ways.push(format!("kustomer.share of {share:.2} of the present one"));
    }
    match &advice.digest {
        Some(routes) if !routes.is_empty() => {
            let of = if routes.len() == 1 {
                "the route"
            } else {
                "the routes"
            };
            ways.push(format!(
                "digesting the events of {of} {}",
                routes.join(", ")
            ));
        }
        Some(_) | None => {}
    }
    let there_are = match tier.free {
        Some(free) if free < f64::from(tier.allowance) => {
            format!("{} are left by others", grouped_f(free))
        }
        Some(_) | None => format!("{} are allowed", grouped(tier.allowance.into())),
    };
    format!(
        "what arrives needs {} requests a minute and {there_are}, so the backlog grows by {} an hour; it drains with {}",
        grouped_f(advice.needs_per_minute),
        plural(grouped_f(tier.backlog.grows_per_hour), "record"),
        ways.join(", or ")
    )
}

fn keeps_up(tier: &TierFigures) -> String {
    if tier.backlog.grows_per_hour > 0.0 {
        format!("no, +{} an hour", grouped_f(tier.backlog.grows_per_hour))
    } else {
        "yes".to_owned()
    }
}

fn saved(tier: &TierFigures) -> String {
    let saved = u64::try_from(tier.saved.units).unwrap_or(0);
    format!("{} of {}", grouped(saved), grouped(tier.saved.operations))
}

/// Why more requests were sent than one for each operation.
fn overspent(tier: &TierFigures) -> Option<String> {
    let more = tier.saved.units.checked_neg().filter(|more| *more > 0)?;
    let reads = tier.units.by_class.get(Class::Read.as_str()).copied();
    let beside = [
        (tier.saved.customer_requests, "found or made customers"),
        (reads.unwrap_or(0), "read results, or what is there"),
    ];
    let beside: Vec<String> = beside
        .into_iter()
        .filter(|(requests, _)| *requests > 0)
        .map(|(requests, what)| format!("{} {what}", grouped(requests)))
        .collect();
    let beside = if beside.is_empty() {
        "some were sent again".to_owned()
    } else {
        format!(
            "{}; the more records wait together, the more share such a request",
            beside.join(", and ")
        )
    };
    Some(format!(
        "nothing is saved, {} cost {}, {} more than one each: {beside}",
        plural(grouped(tier.saved.operations), "operation"),
        plural(grouped(tier.units.total), "request"),
        grouped(more.unsigned_abs()),
    ))
}

/// Where a smaller allowance was not played.
fn beyond(tier: &TierFigures) -> Option<String> {
    let (lowest, ever) = (tier.lowest_allowance?, tier.lowest_allowance_ever?);
    (ever < lowest).then(|| {
        format!(
            "at other times than those played, kustomer.reserve_at allows only {} a minute; play a whole day or week to see them (--for, \
             --until), or that reserve alone (--reserve)",
            plural(grouped(ever.into()), "request")
        )
    })
}

fn gone(tier: &TierFigures) -> String {
    match (tier.backlog.gone_after_seconds, tier.backlog.left_seconds) {
        _ if tier.backlog.grows_per_hour > 0.0 => "never at this rate".to_owned(),
        (Some(0), _) => "-".to_owned(),
        (Some(seconds), _) => clock(seconds),
        (None, Some(left)) => format!("{} more", clock(left)),
        (None, None) => "not known".to_owned(),
    }
}

fn ended(ended: Ended) -> &'static str {
    match ended {
        Ended::AllSettled => "",
        Ended::TimeIsUp => ", time is up",
        Ended::Stopped => ", stopped",
        Ended::Held => ", held",
    }
}

fn none() -> String {
    "-".to_owned()
}

fn delay(seconds: Option<f64>) -> String {
    seconds.map_or_else(none, duration)
}

fn percent(ratio: f64) -> String {
    format!("{:.1} %", ratio * 100.0)
}

/// A time in the unit that fits.
pub(super) fn duration(seconds: f64) -> String {
    if seconds < 1.0 {
        format!("{:.0} ms", seconds * 1_000.0)
    } else if seconds < 60.0 {
        format!("{seconds:.1} s")
    } else {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "above zero, and the cast saturates"
        )]
        let seconds = seconds.round() as u64;
        clock(seconds)
    }
}

fn clock(seconds: u64) -> String {
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours} h {minutes:02} min")
    } else if minutes > 0 {
        format!("{minutes} min {seconds:02} s")
    } else {
        format!("{seconds} s")
    }
}

/// A number with a comma at every thousand.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The nearest whole number, with its thousands set apart.
pub(super) fn grouped_f(number: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "negative numbers are nothing, and the cast saturates"
    )]
    let number = number.round() as u64;
    grouped(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_read_well() {
        assert_eq!(grouped(7), "7");
        assert_eq!(grouped(123_456), "123,456");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(duration(0.0123), "12 ms");
        assert_eq!(duration(12.34), "12.3 s");
        assert_eq!(duration(75.0), "1 min 15 s");
        assert_eq!(duration(7_500.0), "2 h 05 min");
    }
}
