//! The demonstration's closing report: a timeline, the account, and whether both sides agree.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use ingest_model::call::Class;
use ingest_model::record::Record;
use kustomer_sim::{Account, Sim, TimelineItem};

use super::shop::Expected;
use crate::observe::Tally;
use crate::observe::words::plural;

/// The data of a finished demonstration.
pub(super) struct Finished {
    pub(super) tally: Tally,
    pub(super) expected: Expected,
    pub(super) letters: Vec<Record>,
    pub(super) took: Duration,
}

/// The klass of visits.
pub(super) const SESSIONS: &str = "browsing";

/// How many items of the timeline are shown.
const SHOWN: usize = 8;

/// The views that the objects of all visits have.
pub(super) fn views(sim: &Sim) -> u64 {
    let counts = sim
        .objects(SESSIONS)
        .filter_map(|object| object.rest.get("data")?.get("count")?.as_u64());
    counts.sum()
}

/// Where the simulator's account and the shop disagree; empty if they agree. `counted` are the views in its objects.
pub(super) fn disagreements(finished: &Finished, account: &Account, counted: u64) -> Vec<String> {
    let Finished {
        tally,
        expected,
        letters,
        ..
    } = finished;
    let settled_letters: u64 = tally.dead_lettered.values().sum();
    let skipped: u64 = tally.skipped.values().sum();
    let orders = u64::try_from(expected.orders.len()).unwrap_or(u64::MAX);
    let visits = u64::try_from(expected.visits.len()).unwrap_or(u64::MAX);
    let on_topic = u64::try_from(letters.len()).unwrap_or(u64::MAX);
    [
        (
            "records settled by the worker",
            tally.settled(),
            expected.records,
        ),
        ("records delivered", tally.delivered, expected.delivered),
        ("records skipped", skipped, expected.skipped),
        (
            "records dead-lettered",
            settled_letters,
            expected.dead_lettered,
        ),
        (
            "dead letters on the topic",
            on_topic,
            expected.dead_lettered,
        ),
        (
            "events on timelines",
            account.accepted.tracking,
            expected.events,
        ),
        (
            "orders and visits in Kustomer",
            account.kobjects_total,
            orders.saturating_add(visits),
        ),
        ("views counted in visits", counted, expected.views),
        ("events told twice", account.repeated.tracking, 0),
        ("objects made twice", account.repeated.kobjects, 0),
        ("events out of order", account.out_of_order.tracking, 0),
        (
            "objects set back to an older state",
            account.out_of_order.kobjects,
            0,
        ),
        ("events that cannot be judged", account.unjudged.tracking, 0),
        (
            "objects that cannot be judged",
            account.unjudged.kobjects,
            0,
        ),
        ("invariants broken", tally.broken, 0),
    ]
    .into_iter()
    .filter(|(_, found, wanted)| found != wanted)
    .map(|(what, found, wanted)| format!("{what}: {found}, should be {wanted}"))
    .collect()
}

/// One customer's timeline as text, newest first.
pub(super) fn timeline(sim: &Sim, customer: &str) -> String {
    let Some(timeline) = sim.timeline(customer) else {
        return format!("Nobody has the external id {customer}.\n");
    };
    let mut text = format!(
        "Timeline of {} ({}, {}), newest first\n",
        timeline.customer.display_name,
        plural(timeline.customer.kobjects, "object"),
        plural(timeline.customer.events, "event")
    );
    for item in timeline.items.iter().take(SHOWN) {
        match item {
            TimelineItem::Kobject(object) => {
                let status = object
                    .custom
                    .get("statusStr")
                    .and_then(|v| v.as_str())
                    .unwrap_or("");
                let total = object
                    .custom
                    .get("totalNum")
                    .map(ToString::to_string)
                    .unwrap_or_default();
                let currency = object
                    .custom
                    .get("currencyStr")
                    .and_then(|v| v.as_str())
                    .unwrap_or("");
                let shown = format!(
                    "  {}  [{}] {}  {status} {total} {currency}",
                    short(&object.created_at.rfc3339()),
                    object.klass,
                    object.title
                );
                // a session has neither state nor money
                line(&mut text, shown.trim_end());
            }
            TimelineItem::Session(session) => {
                let mut names: BTreeMap<&str, u32> = BTreeMap::new();
                for event in &session.events {
                    *names.entry(&event.name).or_default() += 1;
                }
                let names: Vec<String> = names
                    .iter()
                    .map(|(name, count)| format!("{count} x {name}"))
                    .collect();
                line(
                    &mut text,
                    &format!(
                        "  {}  (session) {}",
                        short(&session.last_event_at.rfc3339()),
                        names.join(", ")
                    ),
                );
            }
        }
    }
    if timeline.items.len() > SHOWN {
        line(
            &mut text,
            &format!("  ... and {} more", timeline.items.len() - SHOWN),
        );
    }
    text
}

/// The whole closing text.
pub(super) fn render(
    finished: &Finished,
    account: &Account,
    timeline: &str,
    faults: &[String],
    scale: f64,
) -> String {
    let Finished {
        tally,
        expected,
        letters,
        took,
    } = finished;
    let mut text = format!("{timeline}\nQuota account\n");
    let units = tally.units_total();
    line(
        &mut text,
        &format!("  records in            {:>7}", tally.records_in),
    );
    line(&mut text, &format!("  requests (units)      {units:>7}"));
    for (class, label) in [
        (Class::Track, "events and identities"),
        (Class::Write, "objects, up to 100 each"),
        (Class::Read, "job results and look-ups"),
        (Class::Resolve, "finding customers"),
        (Class::Probe, "probes"),
    ] {
        let spent = tally.units.get(&class).copied().unwrap_or_default();
        if spent > 0 {
            line(
                &mut text,
                &format!("    {:<20}{spent:>7}  {label}", class.as_str()),
            );
        }
    }
    line(
        &mut text,
        &format!(
            "  records per unit      {:>7.1}",
            ratio(tally.delivered, units)
        ),
    );
    line(
        &mut text,
        &format!(
            "  objects per bulk      {:>7.1}",
            ratio(tally.bulk.1, tally.bulk.0)
        ),
    );
    let refused = account
        .requests
        .by_status
        .get(&429)
        .copied()
        .unwrap_or_default();
    line(&mut text, &format!("  429 answers           {refused:>7}"));
    let minutes = took.as_secs_f64() * scale / 60.0;
    line(
        &mut text,
        &format!(
            "  time                  {:>7.1} s, {minutes:.1} minutes on the API's clock\n",
            took.as_secs_f64()
        ),
    );
    line(&mut text, "What went in, by kind");
    for (kind, count) in &expected.by_kind {
        line(&mut text, &format!("  {kind:<20} {count:>7}"));
    }
    line(&mut text, "\nSkipped, and why");
    for (reason, count) in &tally.skipped {
        line(&mut text, &format!("  {:<20} {count:>7}", reason.as_str()));
    }
    line(&mut text, "\nDead-lettered, and why (one example each)");
    for (reason, count) in &tally.dead_lettered {
        let example = letters
            .iter()
            .find(|letter| header(letter, "ingest.error.reason") == reason.as_str());
        let detail = example
            .map(|letter| header(letter, "ingest.error.detail"))
            .unwrap_or_default();
        line(
            &mut text,
            &format!("  {:<20} {count:>7}  {detail}", reason.as_str()),
        );
    }
    line(&mut text, "");
    if faults.is_empty() {
        line(
            &mut text,
            "The simulated Kustomer's own account agrees with what the shop put in: nothing lost, nothing twice, in order.",
        );
    } else {
        line(&mut text, "THE ACCOUNTS DISAGREE:");
        for fault in faults {
            line(&mut text, &format!("  {fault}"));
        }
    }
    text
}

fn header(record: &Record, name: &str) -> String {
    record
        .header(name)
        .map(|value| String::from_utf8_lossy(value).into_owned())
        .unwrap_or_default()
}

fn ratio(part: u64, whole: u64) -> f64 {
    let float = |n: u64| f64::from(u32::try_from(n).unwrap_or(u32::MAX));
    if whole == 0 {
        0.0
    } else {
        float(part) / float(whole)
    }
}

fn short(time: &str) -> String {
    time.get(..16).unwrap_or(time).replace('T', " ")
}

/// Writing to a string cannot fail.
fn line(text: &mut String, line: &str) {
    let written = writeln!(text, "{line}");
    debug_assert!(written.is_ok());
}
