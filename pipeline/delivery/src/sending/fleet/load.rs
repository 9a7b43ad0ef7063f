//! How much of the fleet's target a replica could use.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// In this time, what waits is to be sent.
pub(super) const HORIZON: Duration = Duration::from_secs(10);
/// Over this time, arrivals are measured.
const MEMORY: Duration = Duration::from_secs(5);
/// A replica asks for this many times what arrives.
const HEADROOM: f64 = 1.1;

/// What a replica has to do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    /// Its requests a minute, by those of the last seconds.
    pub(crate) spent: u32,
    /// The requests that what waits for permits will take.
    pub(crate) queued: f64,
    /// Its requests since it started.
    pub(crate) sent: u64,
    /// Open jobs, each of which takes a read.
    pub(crate) reads: usize,
    /// Customers and objects of which something is to be sent, or under way: of each, one request at a time.
    pub(crate) lanes: usize,
    /// How long an answer takes, in seconds; 0 if that is not known.
    pub(crate) answer_takes: f64,
    /// How many requests a second the fleet may send.
    pub(crate) target: f64,
}

/// What it needs, as a part of the fleet's target.
#[derive(Debug, Default)]
pub(super) struct Demand {
    /// Requests that were ever wanted, sent or waiting, over the last seconds.
    wanted: VecDeque<(Instant, f64)>,
    part: f64,
}

impl Demand {
    /// Notes what there is to do now.
    pub(super) fn note(&mut self, now: Instant, load: &Load) {
        let sent = f64::from(u32::try_from(load.sent % u64::from(u32::MAX)).unwrap_or(0));
        let wanted = sent + load.queued;
        let kept = |at: Instant| now.saturating_duration_since(at) <= MEMORY;
        while self.wanted.len() > 1 && self.wanted.get(1).is_some_and(|(at, _)| !kept(*at)) {
            self.wanted.pop_front();
        }
        let arrivals = self.wanted.front().map_or(0.0, |(at, before)| {
            let passed = now.saturating_duration_since(*at).as_secs_f64();
            if passed > 0.0 {
                (wanted - before).max(0.0) / passed
            } else {
                0.0
            }
        });
        self.wanted.push_back((now, wanted));
        let waiting = (load.queued + few(load.reads)) / HORIZON.as_secs_f64();
        let waiting = waiting.min(HEADROOM * load.carried());
        let needed = waiting + HEADROOM * arrivals;
        self.part = (needed / load.target.max(f64::MIN_POSITIVE)).clamp(0.0, 1.0);
    }

    /// The part, from 0 to 1.
    pub(super) fn part(&self) -> f64 {
        self.part
    }

    /// Nobody is to know any more.
    pub(super) fn forget(&mut self) {
        self.wanted.clear();
        self.part = 0.0;
    }
}

impl Load {
    /// How many requests a second its customers and objects can carry one after the other.
    fn carried(&self) -> f64 {
        if self.answer_takes > 0.0 {
            few(self.lanes) / self.answer_takes
        } else {
            f64::INFINITY
        }
    }
}

fn few(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::instants::start;

    fn load(sent: u64, queued: f64) -> Load {
        Load {
            spent: 0,
            queued,
            sent,
            reads: 0,
            lanes: 1_000,
            answer_takes: 0.1,
            target: 10.0,
        }
    }

    #[test]
    fn a_stream_needs_what_arrives_whether_it_was_sent_or_waits() {
        let (origin, mut demand) = (start(), Demand::default());
        for second in 0..30_u32 {
            // Four a second arrive; from the tenth second on, one of them is left each time.
            let left = f64::from(second.saturating_sub(10));
            let sent = u64::from(second) * 4 - u64::from(second.saturating_sub(10));
            demand.note(
                origin + Duration::from_secs(second.into()),
                &load(sent, left),
            );
            if second == 9 {
                assert!((demand.part() - 0.44).abs() < 0.01, "{}", demand.part());
            }
        }
        // Four a second and a tenth more, and nineteen waiting ones within ten seconds.
        assert!((demand.part() - 0.63).abs() < 0.01, "{}", demand.part());
    }

    #[test]
    fn a_single_customer_needs_no_more_than_its_events_can_use_one_after_the_other() {
        let (now, mut demand) = (start(), Demand::default());
        let one = Load {
            lanes: 1,
            answer_takes: 0.25,
            ..load(0, 1_000.0)
        };
        demand.note(now, &one);
        assert!((demand.part() - 0.44).abs() < 0.01, "{}", demand.part());
        let of_jobs = Load {
            reads: 30,
            ..load(0, 0.0)
        };
        let mut demand = Demand::default();
        demand.note(now, &of_jobs);
        assert!((demand.part() - 0.3).abs() < 0.01, "{}", demand.part());
    }

    #[test]
    fn a_backlog_needs_less_and_less_as_it_ends() {
        let (origin, mut demand) = (start(), Demand::default());
        for second in 0..20_u32 {
            let left = 1_000.0 - 50.0 * f64::from(second);
            demand.note(
                origin + Duration::from_secs(second.into()),
                &load(u64::from(second) * 50, left),
            );
            let expected = (left / 10.0 / 10.0).min(1.0);
            assert!((demand.part() - expected).abs() < 1e-9, "{second}");
        }
        demand.forget();
        assert!(demand.part().abs() < 1e-9);
    }
}
