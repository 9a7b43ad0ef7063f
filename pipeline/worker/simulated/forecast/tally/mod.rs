//! What is counted while a tier is played.

mod carried;
mod delays;
mod routes;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ingest_delivery::fact::{Fact, Settlement};
use ingest_model::call::{Call, Class};
use ingest_model::operation::Operation;
use ingest_model::outcome::{Rejection, SkipReason, Verdict};

use self::carried::Carried;
pub(super) use self::delays::Delays;
pub use self::delays::Percentiles;
pub(super) use self::routes::Route;

/// How far a tier has come; read by whoever waits.
#[derive(Debug, Default)]
pub struct Progress {
    elapsed_ms: AtomicU64,
    settled: AtomicU64,
}

/// Counts of one tier.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) arrived: u64,
    /// Records that a worker has read.
    pub(super) read: u64,
    pub(super) delivered: u64,
    pub(super) diverted: u64,
    pub(super) skipped: BTreeMap<SkipReason, u64>,
    pub(super) rejected: BTreeMap<Rejection, u64>,
    pub(super) units: BTreeMap<Class, u64>,
    /// Requests with an event, an identity, and objects written.
    pub(super) events_sent: u64,
    pub(super) identities_sent: u64,
    /// The identities of records that were carried, alone or with events.
    pub(super) identities_carried: u64,
    pub(super) questions_sent: u64,
    pub(super) objects_sent: u64,
    pub(super) digests_sent: u64,
    pub(super) to_settled: Delays,
    carried: Carried,
    /// The class of the request that leaves next.
    class_sent: Option<Class>,
    pub(super) routes: BTreeMap<Arc<str>, Route>,
    pub(super) seconds: Vec<Second>,
    /// What is held, in words.
    pub(super) holds: Vec<String>,
    pub(super) broken: u64,
    settled: u64,
}

/// What happened in a second.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Second {
    pub(super) arrived: u32,
    pub(super) settled: u32,
    pub(super) units: u32,
    /// Records read, their tracking events and identities, and those that were sent.
    pub(super) read: u32,
    pub(super) events_read: u32,
    pub(super) events_sent: u32,
    pub(super) identities_read: u32,
    pub(super) identities_sent: u32,
    /// Of the records delivered in it: how many, the sum of their delays in seconds, and the longest.
    pub(super) delayed: u32,
    pub(super) delay_sum: f32,
    pub(super) delay_max: f32,
}

// === impl Progress ===

impl Progress {
    pub(super) fn tell(&self, elapsed: Duration, settled: u64) {
        let elapsed = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        self.elapsed_ms.store(elapsed, Ordering::Relaxed);
        self.settled.store(settled, Ordering::Relaxed);
    }

    /// The virtual time that has passed, and the records that are settled.
    #[must_use]
    pub fn seen(&self) -> (Duration, u64) {
        let elapsed = self.elapsed_ms.load(Ordering::Relaxed);
        let elapsed = Duration::from_millis(elapsed);
        (elapsed, self.settled.load(Ordering::Relaxed))
    }
}

// === impl Tally ===

impl Tally {
    fn second(&mut self, at: Duration) -> &mut Second {
        // A forecast lasts a week at most, so this fits.
        let place = usize::try_from(at.as_secs()).unwrap_or(0);
        if self.seconds.len() <= place {
            self.seconds.resize(place + 1, Second::default());
        }
        #[expect(clippy::indexing_slicing, reason = "it was made long enough")]
        &mut self.seconds[place]
    }

    pub(super) fn settled(&self) -> u64 {
        self.settled
    }

    pub(super) fn to_request(&self) -> &Delays {
        &self.carried.delays
    }

    pub(super) fn arrives(&mut self, at: Duration, records: u32) {
        self.arrived += u64::from(records);
        self.second(at).arrived += records;
    }

    /// A worker reads a record.
    pub(super) fn takes(&mut self, at: Duration) {
        self.read += 1;
        self.second(at).read += 1;
    }

    /// A record that arrived then is read now, and is not skipped.
    pub(super) fn reads(&mut self, at: Duration, arrived: Duration, verdict: &Verdict) {
        let Verdict::Emit(planned) = verdict else {
            return;
        };
        for one in planned {
            match one.operation {
                Operation::Track(_) => self.second(at).events_read += 1,
                Operation::Identify(_) => self.second(at).identities_read += 1,
                Operation::KObject(_) => {}
            }
            self.carried.waits(arrived, &one.operation);
            if let Some(route) = self.routes.get_mut(&one.route) {
                route.reads(arrived, one);
            } else {
                let mut route = Route::default();
                route.reads(arrived, one);
                self.routes.insert(Arc::clone(&one.route), route);
            }
        }
    }

    /// A request leaves.
    pub(super) fn sent(&mut self, at: Duration, call: &Call) {
        *self.units.entry(call.class()).or_default() += 1;
        // An identity that nobody asked for is, to the worker, no tracking request.
        let is_question = self.class_sent.take() == Some(Class::Resolve);
        let items = self.carried.leaves(at, call, is_question);
        let second = self.second(at);
        second.units += 1;
        second.events_sent += u32::try_from(items.events).unwrap_or(u32::MAX);
        second.identities_sent += u32::try_from(items.identities).unwrap_or(u32::MAX);
        self.events_sent += items.events;
        self.identities_sent += items.identities;
        self.identities_carried += items.carried;
        self.questions_sent += items.questions;
        self.objects_sent += items.objects;
        self.digests_sent += items.digests;
    }

    /// Something happened; the records' clock began at that time.
    pub(super) fn note(&mut self, at: Duration, start_ms: i64, fact: &Fact) {
        if let Fact::Settled {
            settlement,
            records,
            record_ms,
            ..
        } = fact
        {
            self.settle(at, *settlement, *records);
            if let (Settlement::Delivered, Some(record_ms)) = (settlement, record_ms) {
                let arrived = u64::try_from(record_ms.saturating_sub(start_ms)).unwrap_or(0);
                let delay = at.saturating_sub(Duration::from_millis(arrived));
                self.to_settled.add(delay);
                let second = self.second(at);
                second.delayed += 1;
                second.delay_sum += delay.as_secs_f32();
                second.delay_max = second.delay_max.max(delay.as_secs_f32());
            }
        } else if let Fact::Sent { class, .. } = fact {
            self.class_sent = Some(*class);
        } else if let Fact::HoldBegan { scope, cause, .. } = fact {
            let held = format!("{scope}: {}", cause.as_str());
            if !self.holds.contains(&held) {
                self.holds.push(held);
            }
        } else if matches!(fact, Fact::Broken(_)) {
            self.broken += 1;
        }
    }

    fn settle(&mut self, at: Duration, settlement: Settlement, records: u64) {
        self.settled += records;
        self.second(at).settled += u32::try_from(records).unwrap_or(u32::MAX);
        match settlement {
            Settlement::Delivered => self.delivered += records,
            Settlement::Skipped(reason) => *self.skipped.entry(reason).or_default() += records,
            Settlement::DeadLettered(reason) => {
                *self.rejected.entry(reason).or_default() += records;
            }
            Settlement::Diverted(_) => self.diverted += records,
        }
    }
}
