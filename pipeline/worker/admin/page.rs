//! The status report as a page for people: one file without scripts or external resources.

use super::status::{Phase, QuotaStatus, StatusReport};
use crate::observe::pace::DrainState;
use crate::observe::words::plural;

const HEAD: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
<meta http-equiv=\"refresh\" content=\"5\"><title>kustomer-ingest</title><style>\
body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;color:#1c2430;background:#fff}\
h1{font-size:1.3rem}h2{font-size:1rem;margin:1.6rem 0 .4rem}\
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.25rem .8rem .25rem 0;border-bottom:1px solid #e3e7ec}\
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}.bad{color:#a3162a}.good{color:#12663a}\
@media(prefers-color-scheme:dark){body{color:#dde3ea;background:#14181d}td,th{border-color:#2c343d}.bad{color:#ff8a94}.good{color:#7fd6a2}}\
</style>";

/// The page.
pub(super) fn render(report: &StatusReport) -> String {
    let mut page = String::from(HEAD);
    let causes = report.unready();
    let phase = match report.phase {
        Phase::Starting => "starting",
        Phase::Running => "running",
        Phase::Draining => "draining",
        Phase::Halted => "halted",
    };
    let class = if causes.is_empty() { "good" } else { "bad" };
    page.push_str(&format!(
        "<h1>kustomer-ingest {} <span class=\"{class}\">{phase}</span></h1><p>up {}</p>",
        escape(&report.version),
        span(report.uptime_seconds),
    ));
    for cause in causes.iter().chain(&report.stalled) {
        page.push_str(&format!("<p class=\"bad\">{}</p>", escape(cause)));
    }
    holds(&mut page, report);
    numbers(&mut page, report);
    partitions(&mut page, report);
    breaks(&mut page, report);
    errors(&mut page, report);
    page.push_str("</html>\n");
    page
}

fn holds(page: &mut String, report: &StatusReport) {
    if report.holds.is_empty() {
        return;
    }
    page.push_str(
        "<h2>Holds</h2><table><tr><th>id<th>what<th>cause<th>for<th>errors<th>last error<th>next try<th>what to do</tr>",
    );
    for hold in &report.holds {
        page.push_str(&format!(
            "<tr><td>{}<td>{}<td>{}<td>{}<td>{}<td>{}<td>{}<td>{}</tr>",
            hold.id,
            escape(&hold.scope),
            hold.cause,
            span(hold.for_seconds),
            hold.errors,
            hold.last_error.as_ref().map_or_else(String::new, |last| {
                format!("{} ({} ago)", escape(&last.words), span(last.seconds_ago))
            }),
            hold.next_try_seconds.map_or_else(String::new, span),
            escape(&hold.pause.as_ref().map_or_else(
                || hold.what_to_do.clone(),
                |pause| format!("paused {}; {}", pause.in_words(), hold.what_to_do)
            )),
        ));
    }
    page.push_str("</table>");
}

/// Which key is in use, and what is wrong with it or with its successor.
fn key(report: &StatusReport) -> String {
    let key = &report.key;
    let name = escape(key.name.as_deref().unwrap_or("without a name"));
    let known = match key.accepted {
        Some(true) => name,
        Some(false) => "refused".to_owned(),
        None => "not checked yet".to_owned(),
    };
    let problem = key.problem.as_deref().map(escape);
    let lacks =
        (!key.missing_roles.is_empty()).then(|| format!("lacks {}", key.missing_roles.join(", ")));
    let parts = [Some(known), lacks, problem].into_iter().flatten();
    parts.collect::<Vec<_>>().join("; ")
}

/// Of how many nothing is sent, and what is wrong with the list.
fn suppressed(report: &StatusReport) -> String {
    let Some(list) = &report.suppressed else {
        return "no list".to_owned();
    };
    let keys = format!("{} keys, {} to delete", list.keys, list.to_delete);
    match &list.problem {
        Some(problem) => format!("{keys}; the file is not used: {}", escape(problem)),
        None => keys,
    }
}

/// How much is left alone, and what the time of day makes of it next.
fn reserve(quota: &QuotaStatus) -> String {
    match (
        quota.reserve_changes_in_seconds,
        quota.reserve_then_requests,
    ) {
        (Some(left), Some(then)) => {
            let (now, left) = (quota.reserve_requests, span(left));
            format!("{now} requests, {then} in {left}")
        }
        (None, _) | (_, None) => format!("{} requests", quota.reserve_requests),
    }
}

fn numbers(page: &mut String, report: &StatusReport) {
    let (quota, budget, lanes) = (&report.quota, &report.budget, &report.lanes);
    let account = &report.account;
    let decimal = |n: Option<f64>| n.map_or_else(|| "not known".to_owned(), |n| format!("{n:.1}"));
    let percent = |n: Option<f64>| {
        n.map_or_else(|| "not known".to_owned(), |n| format!("{:.0} %", n * 100.0))
    };
    let known = |n: Option<u64>| n.map_or_else(|| "not known".to_owned(), |n| n.to_string());
    let rows = [
        ("API key", key(report)),
        ("suppressed people", suppressed(report)),
        (
            "requests a minute allowed here",
            quota.allowance_requests.to_string(),
        ),
        ("left alone of every minute", reserve(quota)),
        (
            "left of the minute for everybody",
            known(quota.remaining_requests.map(u64::from)),
        ),
        (
            "frozen by the API for",
            quota
                .frozen_for_seconds
                .map_or_else(|| "no".to_owned(), span),
        ),
        (
            "records in memory",
            format!(
                "{} of {}, {} of them backfill",
                budget.used_records, budget.cap_records, budget.backfill_records
            ),
        ),
        (
            "bytes in memory",
            format!("{} of {}", budget.used_bytes, budget.cap_bytes),
        ),
        (
            "partitions paused for room",
            if budget.gate_closed { "yes" } else { "no" }.to_owned(),
        ),
        ("customers and objects with work", lanes.total.to_string()),
        (
            "events waiting for a permit",
            lanes.track_permit.to_string(),
        ),
        (
            "objects waiting for a permit",
            lanes.write_permit.to_string(),
        ),
        ("waiting for a customer's id", lanes.customer.to_string()),
        ("waiting for a time", lanes.time.to_string()),
        ("requests under way", report.requests.to_string()),
        ("bulk jobs open", report.jobs.to_string()),
        (
            "dead letters since the start",
            report.dead_letters.to_string(),
        ),
        (
            "backlog gone in",
            match (report.drain_state, report.drain_estimate_seconds) {
                (DrainState::NothingToDo, _) => "nothing to do".to_owned(),
                (DrainState::WaitsForPerson, _) => "waits for a person".to_owned(),
                (DrainState::WaitsForHealth, _) => {
                    "waits for the API, the state topic or the schema registry".to_owned()
                }
                (DrainState::WaitsForPause, _) => "waits for the end of a planned pause".to_owned(),
                (DrainState::Estimated, Some(seconds)) => span(seconds),
                (DrainState::Estimated | DrainState::NotKnown, _) => "not known".to_owned(),
            },
        ),
        ("and with what arrives", account.drains(span)),
        (
            "records confirmed for each request, last 5 minutes",
            decimal(account.records_per_request),
        ),
        (
            "of what this replica may send, used in that time",
            percent(account.allowance_used_ratio),
        ),
        (
            "of what all replicas may send, used now",
            format!(
                "{} of {} requests a minute",
                percent(account.fleet_used_ratio),
                account.fleet_target_requests
            ),
        ),
        ("of the quota", account.shares()),
        (
            "price of a request",
            format!("{:.1} s of waiting", account.request_price_seconds),
        ),
        (
            "replicas known, and useful at this quota",
            format!("{}, {}", account.replicas_heard, account.replicas_useful),
        ),
    ];
    page.push_str("<h2>Now</h2><table>");
    for (name, value) in rows {
        page.push_str(&format!("<tr><td>{name}<td class=\"n\">{value}</tr>"));
    }
    page.push_str("</table>");
}

fn partitions(page: &mut String, report: &StatusReport) {
    page.push_str(
        "<h2>Partitions</h2><table><tr><th>partition<th class=\"n\">lag<th class=\"n\">unsettled\
         <th class=\"n\">frontier<th class=\"n\">committed<th></tr>",
    );
    let known = |n: Option<String>| n.unwrap_or_else(|| "–".to_owned());
    for p in &report.partitions {
        page.push_str(&format!(
            "<tr><td>{}[{}]<td class=\"n\">{}<td class=\"n\">{}<td class=\"n\">{}<td class=\"n\">{}<td>{}</tr>",
            escape(&p.topic),
            p.partition,
            known(p.lag_records.map(|n| n.to_string())),
            p.unsettled_records,
            known(p.frontier_offset.map(|n| n.to_string())),
            known(p.committed_offset.map(|n| n.to_string())),
            if p.draining {
                "draining".to_owned()
            } else {
                escape(p.waiting.as_deref().unwrap_or_default())
            },
        ));
    }
    page.push_str("</table>");
    if report.partitions.is_empty() {
        page.push_str("<p>none</p>");
    }
}

fn breaks(page: &mut String, report: &StatusReport) {
    if report.breaks.is_empty() {
        return;
    }
    page.push_str(&format!(
        "<h2>Breaks in reading: {} vanished</h2><table><tr><th>when<th>partition<th>what<th class=\"n\">from\
         <th class=\"n\">to<th class=\"n\">vanished</tr>",
        plural(report.records_vanished, "record"),
    ));
    let known = |n: Option<i64>| n.map_or_else(|| "–".to_owned(), |n| n.to_string());
    for one in &report.breaks {
        let at = jiff::Timestamp::from_millisecond(one.at_ms).map(|at| at.to_string());
        page.push_str(&format!(
            "<tr><td>{}<td>{}[{}]<td>{}<td class=\"n\">{}<td class=\"n\">{}<td class=\"n\">{}</tr>",
            at.unwrap_or_default(),
            escape(&one.topic),
            one.partition,
            one.what,
            known(one.from_offset),
            known(one.to_offset),
            one.records_vanished,
        ));
    }
    page.push_str("</table>");
}

fn errors(page: &mut String, report: &StatusReport) {
    if report.last_errors.is_empty() {
        return;
    }
    page.push_str("<h2>Last troubles</h2><table>");
    for error in &report.last_errors {
        let at = jiff::Timestamp::from_millisecond(error.at_ms).map(|at| at.to_string());
        page.push_str(&format!(
            "<tr><td>{}<td>{}</tr>",
            at.unwrap_or_default(),
            escape(&error.what)
        ));
    }
    page.push_str("</table>");
}

/// Seconds in words: `2h 05m`, `3m 20s`, `45s`.
fn span(seconds: u64) -> String {
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s}s"),
        (0, m, s) => format!("{m}m {s:02}s"),
        (h, m, _) => format!("{h}h {m:02}m"),
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::advice::Places;

    #[test]
    fn spans_read_as_words() {
        for (seconds, expected) in [(0, "0s"), (59, "59s"), (61, "1m 01s"), (7500, "2h 05m")] {
            assert_eq!(span(seconds), expected);
        }
    }

    #[test]
    fn what_came_from_outside_is_escaped() {
        let mut report = StatusReport::new(Places::default());
        report.note(0, "<script>alert(1)</script>");
        let page = render(&report);
        assert!(!page.contains("<script"), "{page}");
        assert!(page.contains("1970-01-01T00:00:00Z"));
    }
}
