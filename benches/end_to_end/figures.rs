//! The figures of loopback runs, and how they are shown: the median, with the lowest and the highest run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::usage::Busy;
use crate::workload::Workload;

/// The result of one run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Figures {
    /// The workload's name.
    pub(crate) workload: String,
    /// Records that were settled.
    pub(crate) records: u64,
    /// From the first record that reached the pump to the last settlement.
    pub(crate) seconds: f64,
    /// Seconds of processor time by part of the process.
    pub(crate) busy: Busy,
    /// Resident memory when the first record came; it includes the broker's records.
    pub(crate) before_mib: f64,
    /// The peak from then on.
    pub(crate) peak_mib: f64,
    /// Requests to the API.
    pub(crate) requests: u64,
    /// The same by class.
    pub(crate) classes: BTreeMap<String, u64>,
    /// Records that led to a request and were confirmed.
    pub(crate) delivered: u64,
    /// Bulk requests, and the operations in them.
    pub(crate) bulk: (u64, u64),
}

/// The parts that belong to the worker; the rest of the process plays the world around it.
const OWN: [&str; 4] = [
    "pump and HTTP client",
    "mapper",
    "poll thread",
    "Kafka client library",
];

/// The world around it.
const AROUND: [&str; 3] = ["simulator", "embedded broker", "the bench itself"];

impl Figures {
    fn records(&self) -> f64 {
        number(self.records)
    }

    fn busy_per_1000(&self, part: &str) -> f64 {
        self.busy.get(part).copied().unwrap_or_default() * 1_000.0 / self.records()
    }

    fn own_busy_per_1000(&self) -> f64 {
        OWN.iter().map(|part| self.busy_per_1000(part)).sum()
    }
}

/// The runs of a workload as lines of text.
pub(crate) fn table(workload: Workload, runs: &[Figures]) -> String {
    let mut text = String::new();
    let records = runs.first().map_or(0, |run| run.records);
    let mut line = |what: &str, of: &dyn Fn(&Figures) -> f64, digits: usize| {
        let mut values: Vec<f64> = runs.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        let (Some(low), Some(high)) = (values.first(), values.last()) else {
            return;
        };
        let median = values.get(values.len() / 2).unwrap_or(high);
        if *high > 0.0 {
            let shown = format!("{median:>12.digits$}   ({low:.digits$} to {high:.digits$})");
            text.push_str(&format!("  {what:<44}{shown}\n"));
        }
    };
    line("records a second", &|run| run.records() / run.seconds, 0);
    line(
        "worker, CPU ms per 1,000 records",
        &|run| run.own_busy_per_1000() * 1e3,
        1,
    );
    for part in OWN {
        line(
            &format!("  {part}"),
            &|run| run.busy_per_1000(part) * 1e3,
            1,
        );
    }
    for part in AROUND {
        let what = format!("{part}, CPU ms per 1,000 records");
        line(&what, &|run| run.busy_per_1000(part) * 1e3, 1);
    }
    line("memory before, MiB", &|run| run.before_mib, 0);
    line("memory at its peak, MiB", &|run| run.peak_mib, 0);
    line(
        "requests per record",
        &|run| number(run.requests) / run.records(),
        3,
    );
    line(
        "delivered records per request",
        &|run| number(run.delivered) / number(run.requests.max(1)),
        2,
    );
    line(
        "operations in a bulk request",
        &|run| number(run.bulk.1) / number(run.bulk.0.max(1)),
        1,
    );
    let first = runs.first();
    let classes = first.into_iter().flat_map(|run| run.classes.keys());
    for class in classes.cloned().collect::<Vec<_>>() {
        let of = |run: &Figures| number(run.classes.get(&class).copied().unwrap_or_default());
        line(&format!("  requests: {class}"), &of, 0);
    }
    format!(
        "\n{}: {records} records, {} runs\n{text}",
        workload.name(),
        runs.len()
    )
}

/// A count as a number to calculate with.
#[expect(
    clippy::cast_precision_loss,
    reason = "no count here comes near to 2^53"
)]
pub(crate) fn number(count: u64) -> f64 {
    count as f64
}
