//! The replicas of one consumer group: what they know of each other, and the quota that they lend.
//!
//! Each replica is guaranteed the weight of the partitions that it owns. One that needs less lends the rest of it, for half a
//! minute at a time, to replicas that could use more. All they know of each other are the riders beside committed offsets, which
//! may be late, lost, or left by a process that is gone. Still the caps of all replicas never add up to more than 1 (I9):
//!
//! * A lease belongs to a partition: a part of its guarantee. Only the partition's owner grants it, and counts it as gone from the
//!   moment of granting, whether or not the commit that carries it arrives.
//! * It names its borrower and its end by the server's clock. The borrower stops when it may be that late, by the latest reading
//!   of that clock; the owner takes back when the whole length of the lease has passed by its own.
//! * Every later commit of the partition carries the leases that have not ended, so the next owner finds them where it finds the
//!   offset, and keeps to them as if they were its own.
//! * A borrower that needs no more gives back: from then on it uses no lease that ends by the time of the last one it had, and
//!   its riders say so (`seam/rider.rs`). An owner that reads this counts those leases as ended.

mod cap;
mod clock;
mod fair;
mod leases;
mod load;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ingest_model::record::TopicPartition;

pub use self::cap::Cap;
use self::clock::ServerClock;
use self::fair::share_out;
use self::leases::{Ends, Granted, LEASE, RENEW, grant_to, hundredths, percents};
use self::load::Demand;
pub(crate) use self::load::Load;
use crate::seam::port::{Committed, Metadata};
use crate::seam::rider::{self, Holding, ProcessId, Rider, Standing};
use jiff::Timestamp;

/// How often the group is looked at while this replica could use more; else as often as riders are read.
const TICK: Duration = Duration::from_millis(500);
/// The same while this replica lends, or only others could use more.
const TICK_OF_LENDERS: Duration = Duration::from_millis(250);
/// How often the riders of others are read, and how often while this replica could use more.
const READ: Duration = Duration::from_secs(3);
const READ_IN_NEED: Duration = Duration::from_millis(500);
/// The same while this replica lends: what borrowers give back can be lent to others.
const READ_OF_LENDERS: Duration = Duration::from_secs(1);
/// A read that was not answered is given up after this time.
const READ_LOST: Duration = Duration::from_secs(30);
/// A rider older than this says nothing about what its process sends.
const SILENT: Duration = Duration::from_secs(30);
/// One older than this says nothing about what its process needs: whoever needs something says so more often.
const NEEDLESS: Duration = Duration::from_secs(15);
/// A replica that has needed nothing beyond its guarantee for so long gives back what it borrowed.
const ENOUGH: Duration = Duration::from_secs(2);
/// A replica that could use more says so at least this often.
const SAY: Duration = Duration::from_secs(10);
/// The part of its guarantee that a replica never lends.
const KEEP: f64 = 0.01;
/// The part of the fleet's target by which a demand has to change before it is said anew.
const CHANGE: f64 = 0.1;

/// What this replica knows of its group.
#[derive(Debug)]
pub(crate) struct Fleet {
    me: ProcessId,
    clock: ServerClock,
    demand: Demand,
    /// Leases on the guarantees of owned partitions, of this owner and of earlier ones.
    granted: BTreeMap<TopicPartition, Vec<Granted>>,
    /// The riders of partitions that others own, as they were read last.
    heard: BTreeMap<TopicPartition, Rider>,
    /// The demand that was said last, and when.
    said: Option<(f64, Instant)>,
    in_need: bool,
    /// Since when it could not use more than its guarantee.
    enough_since: Option<Instant>,
    /// No lease to it is used that ends by then, by the server's clock.
    given_back_ms: i64,
    spent: u32,
    next_tick: Option<Instant>,
    next_read: Option<Instant>,
}

/// A replica that could use more than its guarantee; all as parts of the fleet's target.
#[derive(Debug)]
struct Want {
    process: ProcessId,
    guaranteed: f64,
    missing: f64,
    lent_by_others: f64,
}

/// What is to be done after a look at the group.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Read the riders of partitions that others own.
    pub(crate) read: bool,
    /// Commit the lendable partitions, whether or not anything has settled.
    pub(crate) say: bool,
}

impl Fleet {
    /// A process with a random number, and a server whose clock runs so many times faster.
    pub(crate) fn new(random: u64, time_scale: f64) -> Self {
        Self {
            me: ProcessId::new(random),
            clock: ServerClock::new(time_scale),
            demand: Demand::default(),
            granted: BTreeMap::new(),
            heard: BTreeMap::new(),
            said: None,
            in_need: false,
            enough_since: None,
            given_back_ms: i64::MIN,
            spent: 0,
            next_tick: None,
            next_read: None,
        }
    }

    /// An answer with the server's time came to a request.
    pub(crate) fn observe(&mut self, sent: Instant, now: Instant, date_ms: i64) {
        self.clock.observe(sent, now, date_ms);
    }

    /// The server's time, as a text: it is that late at least. `None` before the first answer.
    pub(crate) fn server_time(&self, now: Instant) -> Option<String> {
        let at = Timestamp::from_millisecond(self.clock.least_ms(now)?).ok()?;
        Some(format!("{at:.3}"))
    }

    /// This process stood still: what it knew may have ended.
    pub(crate) fn slept(&mut self) {
        self.clock.forget();
        self.heard.clear();
    }

    /// A partition is owned from now on. The leases that its earlier owners granted count until their end.
    pub(crate) fn own(
        &mut self,
        now: Instant,
        partition: &TopicPartition,
        committed: Option<&Committed>,
    ) {
        let rider = committed.and_then(|committed| rider::found(&committed.metadata));
        let heard = self.heard.remove(partition);
        let leases = rider.or(heard).map(|rider| rider.leases);
        let leases = leases.into_iter().flatten();
        let granted = leases.filter(|one| one.percent > 0).map(|lease| Granted {
            lease,
            counts_until: now + LEASE,
        });
        self.granted.insert(partition.clone(), granted.collect());
    }

    /// Only these partitions are owned from now on.
    pub(crate) fn keep(&mut self, is_owned: impl Fn(&TopicPartition) -> bool) {
        self.granted.retain(|partition, _| is_owned(partition));
    }

    /// There are other replicas: the group is looked at from now on.
    pub(crate) fn begin(&mut self, now: Instant) {
        self.next_tick.get_or_insert(now);
    }

    /// The riders of partitions that others own were read.
    pub(crate) fn hear(&mut self, now: Instant, found: Vec<(TopicPartition, Metadata)>) {
        for (partition, metadata) in found {
            if self.granted.contains_key(&partition) {
                continue; // it came to this process meanwhile
            }
            match rider::found(&metadata) {
                Some(rider) if rider.process != self.me => {
                    self.clock.told(now, rider.at_ms);
                    self.take_back(&rider);
                    self.heard.insert(partition, rider);
                }
                Some(_) | None => {
                    self.heard.remove(&partition);
                }
            }
        }
        let pause = match (self.in_need, self.lends_any()) {
            (true, _) => READ_IN_NEED,
            (false, true) => READ_OF_LENDERS,
            (false, false) => READ,
        };
        self.next_read = Some(now + pause);
        self.next_tick = Some(now);
    }

    /// Leases that their borrower gave back have ended.
    fn take_back(&mut self, rider: &Rider) {
        let Some(given_back_ms) = rider.given_back_ms() else {
            return;
        };
        for granted in self.granted.values_mut() {
            granted.retain(|one| {
                one.lease.borrower != rider.process || one.lease.until_ms > given_back_ms
            });
        }
    }

    fn lends_any(&self) -> bool {
        self.granted.values().any(|leases| !leases.is_empty())
    }

    /// Gives back what it borrowed if it has needed none of it for a while. `true` if there was something.
    fn give_back(&mut self, now: Instant) -> bool {
        if self.in_need {
            self.enough_since = None;
            return false;
        }
        let since = *self.enough_since.get_or_insert(now);
        if now < since + ENOUGH {
            return false;
        }
        let me = self.me;
        let leases = self.heard.values().flat_map(|rider| &rider.leases);
        let mine = leases.filter(|one| one.borrower == me && one.percent > 0);
        let last = mine.map(|one| one.until_ms).max();
        let Some(last) = last.filter(|last| *last > self.given_back_ms) else {
            return false;
        };
        self.given_back_ms = last;
        self.clock.most_ms(now).is_none_or(|latest| last > latest)
    }

    /// When the group is to be looked at next.
    pub(crate) fn next_tick(&self) -> Option<Instant> {
        self.next_tick
    }

    /// This replica is alone, or owns nothing: there is nobody to lend to.
    pub(crate) fn rest(&mut self, now: Instant) {
        self.heard.clear();
        self.said = None;
        self.demand.forget();
        self.forget_ended(now);
        self.next_tick = self
            .granted
            .values()
            .flatten()
            .map(|one| one.counts_until)
            .min();
    }

    /// What this replica may use now.
    pub(crate) fn cap(&self, now: Instant, holdings: &[Holding]) -> Cap {
        let mut cap = Cap::default();
        for holding in holdings {
            let part = match holding.standing {
                Standing::Lendable | Standing::Owned => {
                    cap.guaranteed += holding.guarantee;
                    &mut cap.lent
                }
                Standing::Other => &mut cap.borrowed,
            };
            *part += holding.guarantee
                * match holding.standing {
                    Standing::Lendable | Standing::Owned => self.lent(now, &holding.partition),
                    Standing::Other => self.borrowed(now, &holding.partition),
                };
        }
        cap
    }

    /// Looks at the group.
    pub(crate) fn look(&mut self, now: Instant, holdings: &[Holding], load: &Load) -> Plan {
        self.forget_ended(now);
        self.spent = load.spent;
        self.demand.note(now, load);
        self.in_need = self.demand.part() > guaranteed(holdings);
        let gave_back = self.give_back(now);
        let settled = self.enough_since.is_some_and(|at| now >= at + ENOUGH);
        self.next_tick = Some(now + if settled { READ } else { TICK });
        let mut plan = Plan::default();
        if self.next_read.is_none_or(|at| at <= now) {
            plan.read = true;
            self.next_read = Some(now + READ_LOST);
        }
        let Some(from_ms) = self.clock.least_ms(now) else {
            return plan;
        };
        let granted = self.grant(now, from_ms, holdings);
        if !self.in_need && (self.lends_any() || !self.wants(now, holdings).is_empty()) {
            self.next_tick = Some(now + TICK_OF_LENDERS);
        }
        plan.say = granted || gave_back || self.has_news(now);
        if plan.say {
            self.said = Some((self.demand.part(), now));
        }
        plan
    }

    /// How many requests a minute the other replicas send, by what they said last, and how many replicas said so.
    pub(crate) fn siblings(&self, now: Instant) -> (u32, u32) {
        let mut latest: BTreeMap<ProcessId, &Rider> = BTreeMap::new();
        let heard = self.heard.values();
        for rider in heard.filter(|one| self.is_fresh(now, one, SILENT)) {
            let known = latest.entry(rider.process).or_insert(rider);
            if rider.at_ms > known.at_ms {
                *known = rider;
            }
        }
        let spent = latest.values().map(|rider| rider.spent);
        let count = u32::try_from(latest.len()).unwrap_or(u32::MAX);
        (spent.fold(0, u32::saturating_add), count)
    }

    /// Whether the others should hear what this replica needs.
    fn has_news(&self, now: Instant) -> bool {
        let demand = self.demand.part();
        self.said.map_or(self.in_need, |(before, at)| {
            (demand - before).abs() > CHANGE || self.in_need && now >= at + SAY
        })
    }

    /// The rider for a commit of an owned partition; `None` while the server's time is not known.
    pub(crate) fn rider(&self, now: Instant, partition: &TopicPartition) -> Option<Rider> {
        let granted = self.granted.get(partition)?;
        let counting = granted.iter().filter(|one| one.counts_until > now);
        let at_ms = self.clock.least_ms(now)?;
        let mut rider = Rider {
            process: self.me,
            at_ms,
            demand: thousandths(self.demand.part()),
            spent: self.spent,
            leases: counting.map(|one| one.lease).collect(),
        };
        if self.given_back_ms > at_ms {
            rider.give_back(self.given_back_ms);
        }
        Some(rider)
    }

    /// Grants leases to those who could use more. `true` if there are new ones.
    fn grant(&mut self, now: Instant, from_ms: i64, holdings: &[Holding]) -> bool {
        let guaranteed = guaranteed(holdings);
        let lendable = |one: &&Holding| one.standing == Standing::Lendable;
        let lendable: Vec<&Holding> = holdings.iter().filter(lendable).collect();
        let pool: f64 = lendable.iter().map(|one| one.guarantee).sum();
        let spare = guaranteed - self.demand.part().max(KEEP * guaranteed);
        if spare <= 0.0 || pool <= 0.0 {
            return false;
        }
        let wants = self.wants(now, holdings);
        let of_needy: f64 = wants.iter().map(|one| one.guaranteed).sum();
        // Everybody who is not needy lends in proportion to what it is guaranteed.
        let mine = guaranteed / (1.0 - of_needy).max(guaranteed);
        let wanted = wants.iter().map(|one| {
            let usual = one.missing * mine;
            match self.lends(now, from_ms, holdings, one.process) {
                (lent, _) if lent <= 0.0 => usual,
                (lent, true) => lent.max(usual),
                (lent, false) => {
                    // By now it shows what others lend. Half a step, because they make up for the same gap.
                    let gap = (one.missing - one.lent_by_others).max(usual);
                    f64::midpoint(lent, gap)
                }
            }
        });
        let wanted: Vec<f64> = wanted.collect();
        let shares = share_out(spare.min(pool), &wanted);
        let ends = Ends {
            until_ms: from_ms.saturating_add(self.clock.server_ms(LEASE)),
            renew_ms: from_ms.saturating_add(self.clock.server_ms(RENEW)),
        };
        let mut any = false;
        for holding in lendable {
            let Some(granted) = self.granted.get_mut(&holding.partition) else {
                continue;
            };
            for (want, share) in wants.iter().zip(&shares) {
                let percent = hundredths(share / pool);
                any |= grant_to(granted, now, want.process, percent, ends);
            }
        }
        any
    }

    /// Who could use more than its guarantee.
    fn wants(&self, now: Instant, holdings: &[Holding]) -> Vec<Want> {
        let latest = self.clock.most_ms(now).unwrap_or(i64::MAX);
        let mut known: BTreeMap<ProcessId, (i64, u16, f64)> = BTreeMap::new();
        let mut lent: BTreeMap<ProcessId, f64> = BTreeMap::new();
        for holding in holdings {
            let Some(rider) = self.heard.get(&holding.partition) else {
                continue;
            };
            if self.is_fresh(now, rider, NEEDLESS) {
                let (at, demand, guaranteed) = known.entry(rider.process).or_default();
                if rider.at_ms >= *at {
                    (*at, *demand) = (rider.at_ms, rider.demand);
                }
                *guaranteed += holding.guarantee;
            }
            let mut to: BTreeMap<ProcessId, u8> = BTreeMap::new();
            for lease in rider.leases.iter().filter(|one| one.until_ms > latest) {
                let most = to.entry(lease.borrower).or_default();
                *most = lease.percent.max(*most);
            }
            for (borrower, percent) in to {
                *lent.entry(borrower).or_default() +=
                    holding.guarantee * f64::from(percent) / 100.0;
            }
        }
        let wants = known
            .into_iter()
            .map(|(process, (_, demand, guaranteed))| Want {
                process,
                guaranteed,
                missing: f64::from(demand) / 1_000.0 - guaranteed,
                lent_by_others: lent.get(&process).copied().unwrap_or_default(),
            });
        let mut wants: Vec<Want> = wants.filter(|want| want.missing > 0.0).collect();
        wants.sort_by(|left, right| right.missing.total_cmp(&left.missing));
        wants.truncate(rider::LEASES / 2);
        wants
    }

    /// The part of the fleet's target that this replica lends to one process, and whether that goes on for a while.
    fn lends(
        &self,
        now: Instant,
        from_ms: i64,
        holdings: &[Holding],
        borrower: ProcessId,
    ) -> (f64, bool) {
        let renew_ms = from_ms.saturating_add(self.clock.server_ms(RENEW));
        let (mut lent, mut lasts) = (0.0, false);
        for holding in holdings {
            let granted = self.granted.get(&holding.partition).into_iter().flatten();
            let counting = granted.filter(|one| one.counts_until > now);
            let to = counting.filter(|one| one.lease.borrower == borrower);
            lasts |= to.clone().any(|one| one.lease.until_ms >= renew_ms);
            let percent = percents(to.map(|one| one.lease));
            lent += holding.guarantee * f64::from(percent) / 100.0;
        }
        (lent, lasts)
    }

    /// The part of an owned partition's guarantee that is lent.
    fn lent(&self, now: Instant, partition: &TopicPartition) -> f64 {
        let granted = self.granted.get(partition).into_iter().flatten();
        let counting =
            granted.filter(|one| one.counts_until > now && one.lease.borrower != self.me);
        f64::from(percents(counting.map(|one| one.lease))) / 100.0
    }

    /// The part of another's guarantee that this replica may use.
    fn borrowed(&self, now: Instant, partition: &TopicPartition) -> f64 {
        let Some(latest) = self.clock.most_ms(now) else {
            return 0.0;
        };
        let heard = self.heard.get(partition);
        let leases = heard.into_iter().flat_map(|rider| &rider.leases);
        let ends_after = latest.max(self.given_back_ms);
        let mine = leases.filter(|one| one.borrower == self.me && one.until_ms > ends_after);
        f64::from(percents(mine.copied())) / 100.0
    }

    fn is_fresh(&self, now: Instant, rider: &Rider, silent: Duration) -> bool {
        let silent = self.clock.server_ms(silent);
        let oldest = self.clock.least_ms(now);
        oldest.is_some_and(|now_ms| rider.at_ms.saturating_add(silent) > now_ms)
    }

    fn forget_ended(&mut self, now: Instant) {
        for granted in self.granted.values_mut() {
            granted.retain(|one| one.counts_until > now);
        }
    }
}

/// The part of the fleet's target that goes with the owned partitions.
fn guaranteed(holdings: &[Holding]) -> f64 {
    let mine = holdings
        .iter()
        .filter(|one| one.standing != Standing::Other);
    mine.map(|one| one.guarantee).sum()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to the range of the type before the cast"
)]
fn thousandths(part: f64) -> u16 {
    (part * 1_000.0).clamp(0.0, 1_000.0).round() as u16
}

#[cfg(test)]
mod tests;
