//! The course of a tier, second by second.

use super::super::tally::Second;
use super::figures::Point;
use super::numbers::{number, ratio, rounded};

/// The points of a plot, at most.
const POINTS: usize = 600;
/// From so many seconds of arrivals on there is a rate.
const STREAM: usize = 30;
/// From so many on, half of them tell enough.
const HALVED: usize = 120;

/// The seconds of a tier.
pub(super) struct Course<'s> {
    seconds: &'s [Second],
    /// Records that waited at the beginning; they arrive in the first second.
    backlog: u64,
    /// The last second in which something arrived.
    last: usize,
}

/// A stretch of a stream of records.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stream {
    /// Records that arrive in a minute.
    pub(super) per_minute: f64,
    /// How long the stretch is, and whether it is all of the stream: then what is in flight at its end was not at its beginning.
    pub(super) minutes: f64,
    pub(super) is_whole: bool,
    /// Records that were read in it, and requests that were sent.
    pub(super) read: f64,
    pub(super) units: f64,
    /// How many more tracking events and identities that were read wait at its end, each for a request of its own, and how many
    /// more other records.
    pub(super) waiting_alone: f64,
    pub(super) waiting_others: f64,
    /// Records that are not settled when the last one comes.
    pub(super) waits: f64,
}

/// At the end of a second.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Waiting {
    pub(super) waits: u64,
    arrived_in_a_minute: u64,
}

impl Waiting {
    pub(super) fn is_behind(self) -> bool {
        self.waits > self.arrived_in_a_minute
    }
}

impl<'s> Course<'s> {
    pub(super) fn of(seconds: &'s [Second], backlog: u64) -> Self {
        let last = seconds.iter().rposition(|one| one.arrived > 0);
        Self {
            seconds,
            backlog,
            last: last.unwrap_or(0),
        }
    }

    /// Records that are not settled, after each second.
    pub(super) fn waiting(&self) -> impl Iterator<Item = Waiting> + '_ {
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

    /// Records that arrived besides those that waited at the beginning, and in how many seconds; 0 if all came at once.
    pub(super) fn arrivals(&self) -> (f64, f64) {
        let arrived = (0..=self.last).map(|place| self.streamed(place)).sum();
        let seconds = if self.last == 0 { 0 } else { self.last + 1 };
        (number(arrived), number(seconds as u64))
    }

    /// A stretch of it with its arrivals, if they lasted long enough to be a stream. Where they are always the same, it is the
    /// second half: customers and objects are known then, and a backlog from the beginning is perhaps gone. An identity costs so
    /// many requests: several may share one, or ride with an event.
    pub(super) fn stream(&self, is_even: bool, units_per_identity: f64) -> Option<Stream> {
        if self.last < STREAM {
            return None;
        }
        let (records, seconds) = self.arrivals();
        let from = if is_even && self.last >= HALVED {
            self.last / 2
        } else {
            0
        };
        let before = self.seconds.get(..from).unwrap_or_default();
        let until = self.seconds.get(..=self.last).unwrap_or_default();
        let (begin, end) = (
            Sum::of(before, units_per_identity),
            Sum::of(until, units_per_identity),
        );
        let second = self.last.saturating_sub(1);
        let at_the_end = self.waiting().nth(second).unwrap_or_default();
        Some(Stream {
            per_minute: records / seconds * 60.0,
            minutes: number((until.len() - before.len()) as u64) / 60.0,
            is_whole: from == 0,
            read: end.read - begin.read,
            units: end.units - begin.units,
            waiting_alone: end.waiting_alone() - begin.waiting_alone(),
            waiting_others: end.waiting_others() - begin.waiting_others(),
            waits: number(at_the_end.waits),
        })
    }

    pub(super) fn busiest_minute(&self) -> u64 {
        let minutes = self.seconds.chunks(60);
        let units = minutes.map(|minute| minute.iter().map(|one| u64::from(one.units)).sum());
        units.max().unwrap_or(0)
    }

    pub(super) fn points(&self) -> Vec<Point> {
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

/// What has happened so far.
#[derive(Debug, Clone, Copy)]
struct Sum {
    read: f64,
    settled: f64,
    units: f64,
    /// Requests of their own that what was read needs, and those that were sent.
    alone: f64,
    sent: f64,
}

impl Sum {
    fn of(seconds: &[Second], units_per_identity: f64) -> Self {
        let sum =
            |of: fn(&Second) -> u32| -> f64 { seconds.iter().map(|one| f64::from(of(one))).sum() };
        let identities = sum(|one| one.identities_read) * units_per_identity;
        Self {
            read: sum(|one| one.read),
            settled: sum(|one| one.settled),
            units: sum(|one| one.units),
            alone: sum(|one| one.events_read) + identities,
            sent: sum(|one| one.events_sent) + sum(|one| one.identities_sent),
        }
    }

    /// Of the requests of their own, those that wait. Repeats, and what says nothing new, are never sent, and do not wait: there
    /// are no more of them than records that do.
    fn waiting_alone(&self) -> f64 {
        let of_each = (self.alone / self.read.max(1.0)).max(1.0);
        let most = (self.read - self.settled).max(0.0) * of_each;
        (self.alone - self.sent).clamp(0.0, most)
    }

    fn waiting_others(&self) -> f64 {
        (self.read - self.settled - self.waiting_alone()).max(0.0)
    }
}
