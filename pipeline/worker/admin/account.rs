//! What requests bring, and what the replicas of the group have of the quota, as `/status` shows it.

use ingest_delivery::machine::Snapshot;
use serde::Serialize;

use crate::observe::account::Figures;
use crate::observe::pace::WithArrivals;

/// The account of requests. Ratios are parts of 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct AccountStatus {
    /// Records confirmed for each request of the last five minutes; `null` without requests.
    pub records_per_request: Option<f64>,
    /// The part of what this replica was allowed in that time that it used; `null` without an allowance.
    pub allowance_used_ratio: Option<f64>,
    /// Requests a minute that all replicas together may make.
    pub fleet_target_requests: u32,
    /// The part of that which all replicas use now, by what each said last.
    pub fleet_used_ratio: Option<f64>,
    /// The part that goes with this replica's partitions.
    pub guaranteed_ratio: f64,
    /// What of it is lent to others.
    pub lent_ratio: f64,
    /// What others lend to it.
    pub borrowed_ratio: f64,
    /// For how long, in all, one more request now would make others wait; 0 while permits lie idle.
    pub request_price_seconds: f64,
    /// Replicas that this one knows of, itself included; a replica without work says nothing.
    pub replicas_heard: u32,
    /// How many replicas the quota can keep busy.
    pub replicas_useful: u32,
    /// When the backlog will be gone if records go on arriving as in the last minute; `null` if it is not known, or never.
    pub drain_with_arrivals_seconds: Option<u64>,
    /// Whether it never will at this rate.
    pub drain_never: bool,
    /// By how many records an hour it grows then.
    pub grows_records_an_hour: Option<u64>,
}

impl AccountStatus {
    /// The account at the time of a snapshot.
    #[must_use]
    pub fn new(snapshot: &Snapshot, figures: Figures, arrivals: WithArrivals) -> Self {
        let (gone, grows) = match arrivals {
            WithArrivals::NotKnown => (None, None),
            WithArrivals::Gone(left) => (Some(left.as_secs()), None),
            WithArrivals::Never { grows } => (None, Some(grows)),
        };
        let [records, used, fleet_used] = [
            figures.records_per_request,
            figures.used,
            figures.fleet_used,
        ]
        .map(|figure| figure.map(rounded));
        Self {
            records_per_request: records,
            allowance_used_ratio: used,
            fleet_target_requests: snapshot.fleet.target,
            fleet_used_ratio: fleet_used,
            guaranteed_ratio: rounded(snapshot.share.guaranteed),
            lent_ratio: rounded(snapshot.share.lent),
            borrowed_ratio: rounded(snapshot.share.borrowed),
            request_price_seconds: rounded(snapshot.request_price),
            replicas_heard: snapshot.fleet.replicas,
            replicas_useful: snapshot.fleet.useful,
            drain_with_arrivals_seconds: gone,
            drain_never: grows.is_some(),
            grows_records_an_hour: grows,
        }
    }

    /// When the backlog will be gone if records go on arriving, in words.
    pub(super) fn drains(&self, span: impl Fn(u64) -> String) -> String {
        match (self.grows_records_an_hour, self.drain_with_arrivals_seconds) {
            (Some(grows), _) => {
                format!("never at this rate: it grows by {grows} records an hour")
            }
            (None, Some(seconds)) => span(seconds),
            (None, None) => "not known".to_owned(),
        }
    }

    /// What is lent and borrowed, in words.
    pub(super) fn shares(&self) -> String {
        let percent = |part: f64| format!("{:.0} %", part * 100.0);
        format!(
            "guaranteed {}, lent {}, borrowed {}",
            percent(self.guaranteed_ratio),
            percent(self.lent_ratio),
            percent(self.borrowed_ratio)
        )
    }
}

fn rounded(number: f64) -> f64 {
    (number * 1_000.0).round() / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backlog_that_grows_says_so() {
        let span = |seconds: u64| format!("{seconds} s");
        let mut account = AccountStatus::default();
        assert_eq!(account.drains(span), "not known");
        account.drain_with_arrivals_seconds = Some(7);
        assert_eq!(account.drains(span), "7 s");
        account.grows_records_an_hour = Some(1_200);
        let words = "never at this rate: it grows by 1200 records an hour";
        assert_eq!(account.drains(span), words);
        account.lent_ratio = 0.254;
        assert_eq!(account.shares(), "guaranteed 0 %, lent 25 %, borrowed 0 %");
    }
}
