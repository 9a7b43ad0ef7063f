//! The figures of one run, and which of them miss their bounds.

use std::collections::BTreeMap;
use std::time::Duration;

use kustomer_sim::{Account, JournalEntry, SimTime};

use super::source::{Kind, Samples, TRACKED_CLICKS};
use super::tap::Identities;
use super::{ALLOWANCE, LIMIT, SHARE, Variant};
use crate::real_kafka::worker::{Metrics, whole};

/// Objects confirmed for each request that was made for them.
const LEAST_PER_UNIT: f64 = 30.0;
/// The part of the allowance that every complete window under backlog must use.
const LEAST_SPENT: f64 = 0.97;
/// The machine may leave a process without CPU for this long, which moves its requests past the end of a window. In scaled
/// time that is longer.
const HICCUP_SECONDS: f64 = 0.1;
/// The part of all requests that may meet the organisation's limit.
const MOST_REFUSED: f64 = 0.001;
/// In a window under backlog, the next events of this many customers wait for nothing but a permit all the time: four times
/// the permits that can be free at one moment, which are 1 % of the allowance.
const BACKLOG_LANES: u64 = 64;
const MINUTE_MS: i64 = 60_000;

pub(super) struct Figures<'s> {
    pub(super) variant: Variant,
    pub(super) broker: &'static str,
    pub(super) time_scale: f64,
    pub(super) samples: &'s Samples,
    pub(super) metrics: Metrics,
    pub(super) identities: Identities,
    pub(super) account: Account,
    pub(super) journal: Vec<JournalEntry>,
    /// How many customers' next events waited for a permit, read every 50 ms; the worker counts once a second.
    pub(super) waiting: Vec<(SimTime, u64)>,
    pub(super) processor_time: Duration,
    /// In bytes.
    pub(super) peak_memory: u64,
    pub(super) wall: Duration,
    pub(super) uncommitted: i64,
    pub(super) letters: u64,
}

struct Window {
    spent: u64,
    refused: u64,
    complete: bool,
    backlog: bool,
}

impl Figures<'_> {
    /// Requests to an endpoint, or to a family of endpoints.
    fn requests(&self, name: &str) -> u64 {
        let endpoints = self.account.requests.by_endpoint.iter();
        endpoints
            .filter(|(endpoint, _)| endpoint.starts_with(name))
            .map(|(_, count)| count)
            .sum()
    }

    /// One of the worker's metrics as a whole number.
    fn count(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        whole(self.metrics.sum(name, labels))
    }

    /// Every request except those that carry a tracking event or an identify record: writes and reads of objects, results of
    /// jobs, and everything that was asked to learn customers' ids.
    fn object_units(&self) -> u64 {
        let records = self.requests("tracking.identity_event") + self.identities.told;
        self.account.requests.total.saturating_sub(records)
    }

    /// The same as the worker counts it; it counts identities that only ask under tracking, like all identities.
    fn object_units_of_worker(&self) -> u64 {
        let spent = |class| self.count("quota_spent_requests_total", &[("class", class)]);
        let records = self.requests("tracking.identity_event") + self.identities.told;
        ["resolve", "track", "write", "read", "probe", "key"]
            .into_iter()
            .map(spent)
            .sum::<u64>()
            .saturating_sub(records)
    }

    fn per_unit(&self) -> f64 {
        ratio(self.account.accepted.kobjects_created, self.object_units())
    }

    fn refused(&self) -> u64 {
        self.account
            .requests
            .by_status
            .get(&429)
            .copied()
            .unwrap_or(0)
    }

    /// Items per request, and requests, of one endpoint.
    fn fill(&self, endpoint: &str) -> (f64, u64) {
        let mut items = 0;
        let mut count = 0;
        for entry in self
            .journal
            .iter()
            .filter(|entry| entry.endpoint == endpoint)
        {
            items += entry.items;
            count += 1;
        }
        (ratio(items, count), count)
    }

    fn windows(&self) -> Vec<Window> {
        let last = self.journal.last().map_or(0, |entry| entry.time.millis());
        let windows = self.account.windows.iter().map(|window| {
            let end = window.start.plus_millis(MINUTE_MS);
            let within = |at: &SimTime| *at >= window.start && *at < end;
            let mut samples = self
                .waiting
                .iter()
                .filter(|(at, _)| within(at))
                .map(|(_, lanes)| *lanes);
            Window {
                spent: window.spent,
                refused: window.refused,
                complete: end.millis() <= last,
                backlog: samples.all(|lanes| lanes >= BACKLOG_LANES),
            }
        });
        windows.collect()
    }

    fn verdicts(&self) -> BTreeMap<&'static str, u64> {
        ["delivered", "skipped", "dead_lettered"]
            .into_iter()
            .map(|verdict| {
                (
                    verdict,
                    self.count("records_total", &[("verdict", verdict)]),
                )
            })
            .collect()
    }

    fn drain_minutes(&self) -> f64 {
        let first = self.journal.first().map_or(0, |entry| entry.time.millis());
        let last = self.journal.last().map_or(0, |entry| entry.time.millis());
        millis(last - first) / 60_000.0
    }

    /// All figures, one per line.
    pub(super) fn table(&self) -> String {
        let mut table = Table(String::new());
        let variant = match self.variant {
            Variant::Backlog => "all records produced before the worker starts",
            Variant::Meanwhile => "records produced while the worker runs",
        };
        table.head(&format!("data set: {variant}"));
        let profile = if cfg!(debug_assertions) {
            "debug"
        } else {
            "release"
        };
        table.line("Kafka", self.broker);
        let program = super::variable("INGEST_WORKER_BIN");
        table.line(
            "worker",
            program
                .as_deref()
                .unwrap_or(env!("CARGO_BIN_EXE_kustomer-ingest")),
        );
        table.line("test and simulator built as", profile);
        table.line(
            "budget",
            &format!("{LIMIT} requests a minute, share {SHARE}: {ALLOWANCE}"),
        );
        table.line("time scale", &self.time_scale.to_string());
        self.records(&mut table);
        self.units(&mut table);
        self.time(&mut table);
        table.0
    }

    fn records(&self, table: &mut Table) {
        table.head("records");
        for kind in Kind::ALL {
            table.count(kind.as_str(), self.samples.count(kind));
        }
        table.count("produced", self.samples.total());
        for (verdict, count) in self.verdicts() {
            table.count(&format!("settled: {verdict}"), count);
        }
        table.line("lines in the baskets", &self.samples.lines.to_string());
        for click in TRACKED_CLICKS {
            table.count(click, self.samples.clicks.get(click).copied().unwrap_or(0));
        }
        let account = &self.account;
        table.head("in Kustomer, by its own account");
        table.count("objects created", account.accepted.kobjects_created);
        table.count("objects updated", account.accepted.kobjects_updated);
        table.count("tracking events", account.accepted.tracking);
        table.count(
            "identify records: requests of their own",
            self.identities.told,
        );
        table.count(
            "identify records: with an event, at no cost",
            self.identities.fused,
        );
        table.count("customers", account.customers_total);
        table.line(
            "repeated (events, objects)",
            &pair(account.repeated.tracking, account.repeated.kobjects),
        );
        table.line(
            "out of order (events, objects)",
            &pair(account.out_of_order.tracking, account.out_of_order.kobjects),
        );
        table.line(
            "unjudged (events, objects)",
            &pair(account.unjudged.tracking, account.unjudged.kobjects),
        );
    }

    fn units(&self, table: &mut Table) {
        table.head("requests by endpoint");
        for (endpoint, count) in &self.account.requests.by_endpoint {
            table.count(endpoint, *count);
        }
        table.count("all", self.account.requests.total);
        table.line(
            "answered 429",
            &format!(
                "{} ({:.3} %)",
                self.refused(),
                100.0 * ratio(self.refused(), self.account.requests.total)
            ),
        );
        table.count(
            "identities that only ask for a customer's id",
            self.identities.asked,
        );
        table.count("requests for objects", self.object_units());
        table.count(
            "the same by the worker's metrics",
            self.object_units_of_worker(),
        );
        table.line("objects per request", &format!("{:.1}", self.per_unit()));
        for endpoint in ["kobject.bulk_create", "customer.bulk_create"] {
            let (fill, requests) = self.fill(endpoint);
            table.line(
                &format!("{endpoint}: items a request"),
                &format!("{fill:.1} in {requests}"),
            );
        }
        let bulk = &self.account.bulk;
        table.line(
            "reads of a job",
            &format!("{:.2} of {} jobs", ratio(bulk.reads, bulk.jobs), bulk.jobs),
        );
    }

    fn time(&self, table: &mut Table) {
        table.head("time");
        for (number, window) in self.windows().iter().enumerate() {
            let kind = match (window.complete, window.backlog) {
                (false, _) => "the last, not complete",
                (true, false) => "complete, not under backlog all the time",
                (true, true) => "complete, under backlog",
            };
            let share = 100.0 * ratio(window.spent, ALLOWANCE);
            table.line(
                &format!("window {}", number + 1),
                &format!(
                    "{} of {ALLOWANCE} ({share:.1} %), {} refused; {kind}",
                    window.spent, window.refused
                ),
            );
        }
        table.line(
            "first to last request",
            &format!("{:.2} simulated minutes", self.drain_minutes()),
        );
        table.line(
            "start of the worker to the last record settled",
            &format!("{:.1} s", self.wall.as_secs_f64()),
        );
        table.line(
            "worker, CPU",
            &format!("{:.1} s", self.processor_time.as_secs_f64()),
        );
        table.line(
            "worker, largest resident memory",
            &format!("{} MiB", self.peak_memory >> 20),
        );
    }

    /// Every request, one per line, as the simulator's journal has it.
    pub(super) fn journal_lines(&self) -> String {
        self.journal
            .iter()
            .map(|entry| serde_json::to_string(entry).unwrap() + "\n")
            .collect()
    }

    /// What is wrong; empty if all is well.
    pub(super) fn faults(&self) -> Vec<String> {
        let samples = self.samples;
        let account = &self.account;
        let verdicts = self.verdicts();
        let verdict = |name| verdicts.get(name).copied().unwrap_or(0);
        let skipped = samples.count(Kind::OtherClick);
        let events = samples.count(Kind::Coupon) + samples.count(Kind::TrackedClick);
        let broken = self.count("invariants_broken_total", &[]);
        let dropped = self.count("records_skipped_total", &[("reason", "dropped")]);
        let uncommitted = u64::try_from(self.uncommitted).unwrap_or(u64::MAX);
        let mut faults: Vec<String> = [
            (
                "records delivered",
                verdict("delivered"),
                samples.total() - skipped,
            ),
            ("records skipped", verdict("skipped"), skipped),
            (
                "records skipped because the mapping drops them",
                dropped,
                skipped,
            ),
            ("records dead-lettered", verdict("dead_lettered"), 0),
            ("dead letters on the topic", self.letters, 0),
            ("records not committed", uncommitted, 0),
            (
                "objects created",
                account.accepted.kobjects_created,
                samples.count(Kind::Basket),
            ),
            (
                "objects",
                account.kobjects_total,
                samples.count(Kind::Basket),
            ),
            ("objects updated", account.accepted.kobjects_updated, 0),
            ("tracking events", account.accepted.tracking, events),
            (
                "identify records",
                self.identities.told + self.identities.fused,
                samples.count(Kind::Household),
            ),
            (
                "identities",
                account.accepted.identities,
                self.identities.told + self.identities.asked,
            ),
            ("repeated events", account.repeated.tracking, 0),
            ("repeated objects", account.repeated.kobjects, 0),
            ("events out of order", account.out_of_order.tracking, 0),
            ("objects out of order", account.out_of_order.kobjects, 0),
            ("events that cannot be judged", account.unjudged.tracking, 0),
            (
                "objects that cannot be judged",
                account.unjudged.kobjects,
                0,
            ),
            ("jobs not finished", account.bulk.unfinished, 0),
            ("invariants broken", broken, 0),
            (
                "requests for objects by the worker's metrics",
                self.object_units_of_worker(),
                self.object_units(),
            ),
        ]
        .into_iter()
        .filter(|(_, found, wanted)| found != wanted)
        .map(|(what, found, wanted)| format!("{what}: {found}, should be {wanted}"))
        .collect();
        let refused = ratio(self.refused(), account.requests.total);
        if refused > MOST_REFUSED {
            faults.push(format!(
                "429s: {refused:.4} of all requests, should be at most {MOST_REFUSED}"
            ));
        }
        if self.per_unit() < LEAST_PER_UNIT {
            faults.push(format!(
                "objects per request: {:.1}, should be at least {LEAST_PER_UNIT}",
                self.per_unit()
            ));
        }
        let windows = self.windows();
        let allowance = ratio(ALLOWANCE, 1);
        let moved = HICCUP_SECONDS * self.time_scale * allowance / 60.0;
        let least = LEAST_SPENT * allowance - moved;
        for (number, window) in windows.iter().enumerate() {
            let spent = ratio(window.spent, 1);
            if window.complete && window.backlog && spent < least {
                faults.push(format!(
                    "window {}: {spent} requests, should be at least {least:.0}",
                    number + 1
                ));
            }
            if spent > allowance + moved {
                faults.push(format!(
                    "window {}: {spent} requests, at most {allowance} are allowed",
                    number + 1
                ));
            }
        }
        let judged = windows
            .iter()
            .any(|window| window.complete && window.backlog);
        if self.variant == Variant::Backlog && !judged {
            faults.push("no complete window was under backlog all the time".to_owned());
        }
        faults
    }
}

struct Table(String);

impl Table {
    fn head(&mut self, title: &str) {
        self.put(&format!("\n{title}\n"));
    }

    fn count(&mut self, name: &str, count: u64) {
        self.line(name, &count.to_string());
    }

    fn line(&mut self, name: &str, value: &str) {
        self.put(&format!("  {name:<74} {value}\n"));
    }

    fn put(&mut self, text: &str) {
        self.0.push_str(text);
    }
}

fn pair(a: u64, b: u64) -> String {
    format!("{a}, {b}")
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of a short run, far below 2^53"
)]
fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a time within a run, far below 2^53"
)]
fn millis(time: i64) -> f64 {
    time as f64
}
