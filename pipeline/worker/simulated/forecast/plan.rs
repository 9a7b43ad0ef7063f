//! What a forecast plays: which plans, which traffic, for how long.

use std::time::Duration;

use kustomer_sim::Switches;

/// Everything that a forecast depends on besides the configuration and the records.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The limits that are compared.
    pub tiers: Vec<Tier>,
    /// When records arrive.
    pub pacing: Pacing,
    /// How many different customers repeated records have; `None`: each repetition has its own.
    pub customers: Option<u64>,
    /// How many different companies they have; `None`: those of the input.
    pub companies: Option<u64>,
    /// Virtual time after which a tier ends with what it has.
    pub until: Duration,
    /// Workers that share the work.
    pub replicas: u16,
    /// Partitions of each topic.
    pub partitions: u16,
    /// From sending a request to its answer.
    pub latency: Duration,
    /// The seed of the simulated Kustomer and of the worker.
    pub seed: u64,
    /// How the simulated organisation behaves where its documentation leaves it open.
    pub switches: Switches,
}

/// A plan of Kustomer, or a limit that somebody asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tier {
    /// Its name.
    pub name: String,
    /// Requests a minute of the whole organisation.
    pub limit: u32,
}

/// When records arrive.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pacing {
    /// As they were recorded, so many times faster.
    Recorded(f64),
    /// The records of the input once, so many a second; `None`: all of them wait at the beginning.
    Once(Option<f64>),
    /// The records of the input again and again.
    Repeated(Even),
}

/// A backlog, and a stream behind it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Even {
    /// Records that wait at the beginning.
    pub backlog: u64,
    /// Records a second from then on.
    pub per_second: f64,
    /// For how long.
    pub lasting: Duration,
}

/// The plans by the documentation of the API: requests a minute of the organisation.
pub const PLANS: [(&str, u32); 4] = [
    ("Professional (legacy)", 300),
    ("Business (legacy)", 500),
    ("Enterprise", 1_000),
    ("Ultimate", 2_000),
];

// === impl Tier ===

impl Tier {
    /// The plan with this limit, or the limit itself.
    #[must_use]
    pub fn of(limit: u32) -> Self {
        let plan = PLANS.iter().find(|(_, known)| *known == limit);
        let name = plan.map_or_else(
            || format!("{limit} a minute"),
            |(name, _)| (*name).to_owned(),
        );
        Self { name, limit }
    }
}

// === impl Pacing ===

impl Pacing {
    /// When the record with this number, from 0, arrives, if that does not depend on the record.
    #[must_use]
    pub fn at(self, number: u64) -> Option<Duration> {
        match self {
            Self::Recorded(_) => None,
            Self::Once(None) => Some(Duration::ZERO),
            Self::Once(Some(per_second)) => Some(after(number, per_second)),
            Self::Repeated(even) => {
                Some(after(number.saturating_sub(even.backlog), even.per_second))
            }
        }
    }

    /// Records that wait at the beginning, as far as it is known before they are read.
    #[must_use]
    pub fn backlog(self) -> u64 {
        match self {
            Self::Recorded(_) | Self::Once(Some(_)) => 0,
            Self::Once(None) => u64::MAX,
            Self::Repeated(even) => even.backlog,
        }
    }

    /// How many records there are, if that does not depend on the input.
    #[must_use]
    pub fn total(self) -> Option<u64> {
        match self {
            Self::Recorded(_) | Self::Once(_) => None,
            Self::Repeated(even) => Some(even.backlog.saturating_add(even.streamed())),
        }
    }
}

// === impl Even ===

impl Even {
    /// The records of the stream.
    #[must_use]
    pub fn streamed(self) -> u64 {
        let records = self.per_second * self.lasting.as_secs_f64();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "neither is negative, and the cast saturates"
        )]
        let records = records.round() as u64;
        records
    }
}

fn after(number: u64, per_second: f64) -> Duration {
    #[expect(
        clippy::cast_precision_loss,
        reason = "exact up to 2^53, which no count here reaches"
    )]
    let seconds = if number == 0 {
        0.0
    } else {
        number as f64 / per_second
    };
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backlog_waits_and_the_stream_follows() {
        let even = Even {
            backlog: 2,
            per_second: 4.0,
            lasting: Duration::from_secs(2),
        };
        let pacing = Pacing::Repeated(even);
        assert_eq!(pacing.total(), Some(10));
        let at: Vec<u128> = [0, 1, 2, 3, 6]
            .into_iter()
            .map(|number| pacing.at(number).unwrap().as_millis())
            .collect();
        assert_eq!(at, [0, 0, 0, 250, 1_000]);
        let only = Even {
            per_second: 0.0,
            ..even
        };
        assert_eq!(Pacing::Repeated(only).total(), Some(2));
        assert_eq!(Pacing::Repeated(only).at(1), Some(Duration::ZERO));
    }

    #[test]
    fn a_limit_is_named_by_its_plan() {
        assert_eq!(Tier::of(1_000).name, "Enterprise");
        assert_eq!(Tier::of(750).name, "750 a minute");
    }
}
