//! How many objects are created for each customer: the API allows so many a minute.
//!
//! A create has a place from the moment when it is ready until a minute after it ended: when it is counted in between, nobody
//! knows. Who finds no place waits until one may be free. The limit is documented for single creates; whether those in bulk requests
//! count is learnt from the first customer with very many. Creates that say when they were imported are exempt, until the API
//! shows that it counts them, too. Who is limited although fewer are known has others, such as those: nothing of that customer is
//! created until a minute later.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ingest_model::batch::OperationId;
use ingest_model::lookup::Lookup;

/// A minute is counted in so many parts.
const PARTS: u32 = 6;
/// Those of a whole minute, and the present one.
const KEPT: usize = 7;
/// So much of the limit is tried beyond it to see whether the API minds: the n-th part. Where it does, these come again.
const BEYOND: u32 = 2;
/// Forgets customers without creates when there are so many.
const REMEMBERED: usize = 1_000;
/// With more customers than that in a minute, only those that are not far from the limit are remembered.
const CROWD: usize = 8_000;

/// The creates of the last minute, by customer.
#[derive(Debug)]
pub(crate) struct Creates {
    limit: u32,
    /// The part of the limit that is this replica's.
    part: f64,
    minute: Duration,
    origin: Option<Instant>,
    by_customer: Lookup<Arc<str>, Log>,
    placed: Lookup<OperationId, Arc<str>>,
    full: usize,
    counts_imported: bool,
    /// Whether the API counts creates in bulk requests, too; `None` until that is seen.
    counts: Option<bool>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Log {
    /// Not ended.
    open: u32,
    /// Ended, by part; the last one is `part`.
    ended: [u32; KEPT],
    part: u64,
    /// The API says that there are no places up to that part.
    full_to: u64,
}

impl Creates {
    pub(super) fn new(limit: u32, minute: Duration) -> Self {
        Self {
            limit: limit.max(1),
            part: 1.0,
            minute,
            origin: None,
            by_customer: Lookup::default(),
            placed: Lookup::default(),
            full: 0,
            counts_imported: false,
            counts: None,
        }
    }

    /// Begins with what was found out beforehand.
    pub(super) fn believing(self, counts: Option<bool>) -> Self {
        Self { counts, ..self }
    }

    /// Other replicas create objects of the same customers: this one has that part of the limit.
    pub(crate) fn share(&mut self, part: f64) {
        self.part = part.clamp(0.0, 1.0);
    }

    /// Whether creates that say when they were imported count like others.
    pub(crate) fn counts_imported(&self) -> bool {
        self.counts_imported
    }

    /// The API limited one that said so.
    pub(crate) fn imported_counted(&mut self) {
        self.counts_imported = true;
    }

    /// The API limited a create of an object of this customer: it loses its place, and the limit is kept from now on.
    pub(crate) fn limited(&mut self, now: Instant, id: OperationId, customer: &Arc<str>) {
        self.counts = Some(true);
        let most = self.most();
        let part = self.part_at(now);
        // The place may be another customer's: the object was ready for one who is gone.
        if let Some(placed) = self.placed.remove(&id) {
            let log = self.log(&placed);
            log.open = log.open.saturating_sub(1);
        }
        let log = self.log(customer);
        log.pass_to(part);
        if f64::from(log.count()) < most {
            log.full_to = part + KEPT as u64;
        }
    }

    /// A create of an object of this customer is ready. `Err`: it has to wait until then.
    pub(crate) fn place(
        &mut self,
        now: Instant,
        id: OperationId,
        customer: &Arc<str>,
    ) -> Result<(), Instant> {
        if self.placed.contains_key(&id) {
            return Ok(());
        }
        let part = self.part_at(now);
        let most = self.most();
        self.forget(part);
        let log = self.log(customer);
        log.pass_to(part);
        let end = if part < log.full_to {
            log.full_to
        } else if f64::from(log.count()) < most {
            log.open += 1;
            self.placed.insert(id, Arc::clone(customer));
            return Ok(());
        } else {
            part + log.first_leaves().unwrap_or(1)
        };
        let origin = self.origin.unwrap_or(now);
        let end = u32::try_from(end).unwrap_or(u32::MAX);
        Err((origin + self.minute / PARTS * end).max(now + Duration::from_millis(1)))
    }

    /// An operation has ended, or is left to the next owner.
    pub(crate) fn ended(&mut self, now: Instant, id: OperationId) {
        let Some(customer) = self.placed.remove(&id) else {
            return;
        };
        let part = self.part_at(now);
        if let Some(log) = self.by_customer.get_mut(&customer) {
            log.pass_to(part);
            log.open = log.open.saturating_sub(1);
            if let Some(last) = log.ended.last_mut() {
                *last += 1;
            }
            let ended: u32 = log.ended.iter().sum();
            if self.counts.is_none() && ended >= self.limit + self.limit / BEYOND {
                self.counts = Some(false);
            }
        }
    }

    /// The bytes that it occupies, about.
    pub(crate) fn bytes(&self) -> usize {
        let log = size_of::<(Arc<str>, Log)>() + 40;
        self.by_customer.len() * log + self.placed.len() * size_of::<(OperationId, Arc<str>)>()
    }

    /// How many a customer may have in a minute.
    fn most(&self) -> f64 {
        match self.counts {
            Some(true) => (f64::from(self.limit) * self.part).floor().max(1.0),
            Some(false) => f64::INFINITY,
            None => f64::from(self.limit + self.limit / BEYOND),
        }
    }

    fn log(&mut self, customer: &Arc<str>) -> &mut Log {
        self.by_customer.entry(Arc::clone(customer)).or_default()
    }

    fn part_at(&mut self, now: Instant) -> u64 {
        let origin = *self.origin.get_or_insert(now);
        let part = (self.minute / PARTS).as_nanos().max(1);
        let passed = now.saturating_duration_since(origin).as_nanos();
        u64::try_from(passed / part).unwrap_or(u64::MAX)
    }

    fn forget(&mut self, part: u64) {
        if self.by_customer.len() < self.full.max(REMEMBERED) {
            return;
        }
        let idle = |log: &Log| log.open == 0 && part.saturating_sub(log.part) >= KEPT as u64;
        for customer in self.by_customer.keys_where(|_, log| idle(log)) {
            self.by_customer.remove(&customer);
        }
        if self.by_customer.len() > CROWD {
            // Among so many, those with a few creates are far from the limit.
            let few = self.limit / 16;
            let is_far = |log: &Log| log.count() <= few && log.full_to <= part;
            for customer in self.by_customer.keys_where(|_, log| is_far(log)) {
                self.by_customer.remove(&customer);
            }
        }
        self.full =
            (self.by_customer.len() * 2).min(CROWD.max(self.by_customer.len() + REMEMBERED));
    }
}

impl Log {
    fn pass_to(&mut self, part: u64) {
        let passed = part.saturating_sub(self.part);
        let passed = usize::try_from(passed).unwrap_or(KEPT).min(KEPT);
        self.ended.rotate_left(passed % KEPT);
        let kept = KEPT - passed;
        for gone in self.ended.iter_mut().skip(kept) {
            *gone = 0;
        }
        self.part = self.part.max(part);
    }

    fn count(&self) -> u32 {
        self.open + self.ended.iter().sum::<u32>()
    }

    /// After how many parts the first that have ended are a minute old.
    fn first_leaves(&self) -> Option<u64> {
        let first = self.ended.iter().position(|ended| *ended > 0)?;
        u64::try_from(first + 1).ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::common::instants::start;

    const MINUTE: Duration = Duration::from_secs(60);

    proptest! {
        /// However they come and go, no minute has more of a customer's creates than are allowed, wherever between its place and
        /// its end each is counted; and nobody waits longer than that takes.
        #[test]
        fn no_minute_has_more_than_are_allowed(
            steps in prop::collection::vec((0_u64..4_000, 0_u64..20_000, any::<bool>()), 1..300),
        ) {
            let origin = start();
            let mut creates = Creates::new(20, MINUTE);
            creates.limited(origin, OperationId(1 << 40), &"other".into());
            let customer: Arc<str> = "c1".into();
            let mut at = origin;
            let mut counted: Vec<Instant> = Vec::new();
            let mut open: Vec<(Instant, OperationId)> = Vec::new();
            for (number, (pause, takes, late)) in (0..).zip(steps) {
                at += Duration::from_millis(pause);
                open.sort();
                while let Some((end, id)) = open.first().copied() && end <= at {
                    creates.ended(end, id);
                    open.remove(0);
                }
                let id = OperationId(number);
                match creates.place(at, id, &customer) {
                    Ok(()) => {
                        let end = at + Duration::from_millis(takes);
                        counted.push(if late { end } else { at });
                        open.push((end, id));
                    }
                    Err(until) => {
                        prop_assert!(until > at && until <= at + MINUTE * 7 / 6);
                    }
                }
            }
            counted.sort();
            for (first, from) in counted.iter().enumerate() {
                let within = counted.iter().skip(first).filter(|one| **one - *from < MINUTE);
                prop_assert!(within.count() <= 20);
            }
        }
    }

    /// Places so many creates of one customer in half a minute, each of which takes five seconds; how many found no place.
    fn crowd(creates: &mut Creates, origin: Instant, from: u64, count: u64) -> usize {
        let customer: Arc<str> = "c1".into();
        let at = |n: u64| origin + MINUTE / 2 * u32::try_from(n).unwrap() / 1_000;
        let waits = (from..from + count).filter(|n| {
            let waits = creates.place(at(*n), OperationId(*n), &customer).is_err();
            if let Some(earlier) = n.checked_sub(50) {
                creates.ended(at(*n), OperationId(earlier));
            }
            waits
        });
        waits.count()
    }

    #[test]
    fn what_the_api_does_not_count_is_not_limited() {
        let origin = start();
        let mut creates = Creates::new(120, MINUTE);
        // Half as many again are tried; when they have ended without being limited, nobody waits any more.
        assert_eq!(crowd(&mut creates, origin, 0, 180), 0);
        assert!(crowd(&mut creates, origin, 180, 50) > 0);
        assert_eq!(crowd(&mut creates, origin, 230, 500), 0);
        let at = origin + MINUTE / 2;
        creates.limited(at, OperationId(729), &"c1".into());
        assert_eq!(crowd(&mut creates, origin, 730, 100), 100);
    }

    #[test]
    fn what_is_believed_of_creates_counts_until_one_is_limited() {
        let origin = start();
        let believing = |counts| Creates::new(120, MINUTE).believing(counts);
        assert!(crowd(&mut believing(Some(true)), origin, 0, 180) > 0);
        let mut creates = believing(Some(false));
        assert_eq!(crowd(&mut creates, origin, 0, 500), 0);
        creates.limited(origin + MINUTE / 2, OperationId(499), &"c1".into());
        assert_eq!(crowd(&mut creates, origin, 500, 100), 100);
    }

    #[test]
    fn who_is_limited_by_creates_that_nobody_knows_waits_for_a_minute() {
        let now = start();
        let mut creates = Creates::new(120, MINUTE);
        let (one, other): (Arc<str>, Arc<str>) = ("one".into(), "other".into());
        // Imported ones have no places.
        for n in 0..5 {
            creates.limited(now, OperationId(n), &one);
        }
        let until = creates.place(now, OperationId(0), &one).unwrap_err();
        assert!((MINUTE..=MINUTE * 7 / 6).contains(&(until - now)));
        let early = until - Duration::from_millis(1);
        assert_eq!(creates.place(early, OperationId(0), &one), Err(until));
        assert_eq!(creates.place(now, OperationId(900), &other), Ok(()));
        let waits = (0..500).filter(|n| creates.place(until, OperationId(*n), &one).is_err());
        assert_eq!(waits.count(), 500 - 120);
    }

    #[test]
    fn a_place_is_given_back_by_whom_it_was_of() {
        let now = start();
        let mut creates = Creates::new(2, MINUTE);
        let (gone, other): (Arc<str>, Arc<str>) = ("gone".into(), "other".into());
        assert_eq!(creates.place(now, OperationId(1), &gone), Ok(()));
        assert_eq!(creates.place(now, OperationId(2), &other), Ok(()));
        creates.limited(now, OperationId(1), &other);
        assert_eq!(creates.by_customer.get(&gone).unwrap().open, 0);
        assert_eq!(creates.by_customer.get(&other).unwrap().open, 1);
    }

    #[test]
    fn customers_are_forgotten_a_minute_after_their_last_create() {
        let origin = start();
        let mut creates = Creates::new(120, MINUTE);
        for n in 0..20_000_u64 {
            let at = origin + Duration::from_millis(n * 500);
            let customer: Arc<str> = format!("c{n}").into();
            assert_eq!(creates.place(at, OperationId(n), &customer), Ok(()));
            creates.ended(at, OperationId(n));
        }
        assert!(creates.by_customer.len() <= REMEMBERED);
        assert!(creates.placed.is_empty() && creates.bytes() < 300_000);
    }

    #[test]
    fn a_crowd_in_one_minute_takes_little_memory_and_hides_nobody_with_many() {
        let now = start();
        let mut creates = Creates::new(120, MINUTE);
        creates.limited(now, OperationId(1 << 40), &"other".into());
        let many: Arc<str> = "many".into();
        for n in 0..100 {
            assert_eq!(creates.place(now, OperationId(n), &many), Ok(()));
        }
        for n in 1_000..100_000_u64 {
            let customer: Arc<str> = format!("c{n}").into();
            assert_eq!(creates.place(now, OperationId(n), &customer), Ok(()));
            creates.ended(now, OperationId(n));
        }
        assert!(creates.by_customer.len() <= CROWD + 1);
        let waits = (100..130).filter(|n| creates.place(now, OperationId(*n), &many).is_err());
        assert_eq!(waits.count(), 10);
    }

    #[test]
    fn a_replica_among_others_has_its_part() {
        let now = start();
        let mut creates = Creates::new(120, MINUTE);
        creates.share(0.01);
        creates.limited(now, OperationId(9), &"other".into());
        let customer: Arc<str> = "c1".into();
        assert_eq!(creates.place(now, OperationId(1), &customer), Ok(()));
        assert_eq!(
            creates.place(now, OperationId(1), &customer),
            Ok(()),
            "it has its place"
        );
        assert!(creates.place(now, OperationId(2), &customer).is_err());
    }
}
