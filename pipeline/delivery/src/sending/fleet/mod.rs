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

mod clock;
mod fair;
mod load;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ingest_model::record::TopicPartition;

use self::clock::ServerClock;
use self::fair::share_out;
use self::load::Demand;
pub(crate) use self::load::Load;
use crate::seam::port::{Committed, Metadata};
use crate::seam::rider::{self, Holding, Lease, ProcessId, Rider, Standing};
use jiff::Timestamp;

/// How long a lease lasts, by this process's clock.
const LEASE: Duration = Duration::from_secs(30);
/// It is granted anew when less than this is left of it.
const RENEW: Duration = Duration::from_secs(20);
/// How often the group is looked at while this replica could use more; else as often as riders are read.
const TICK: Duration = Duration::from_millis(500);
/// The same while this replica lends, or only others could use more.
const TICK_OF_LENDERS: Duration = Duration::from_millis(250);
/// How often the riders of others are read, and how often while this replica could use more.
const READ: Duration = Duration::from_secs(3);
const READ_IN_NEED: Duration = Duration::from_millis(500);
/// A read that was not answered is given up after this time.
const READ_LOST: Duration = Duration::from_secs(30);
/// A rider older than this says nothing about its process.
const SILENT: Duration = Duration::from_secs(30);
/// A replica that could use more says so at least this often.
const SAY: Duration = Duration::from_secs(10);
/// The part of its guarantee that a replica never lends.
const KEEP: f64 = 0.01;
/// The part of the fleet's target by which a demand has to change before it is said anew.
const CHANGE: f64 = 0.1;
/// Hundredths of a partition's guarantee by which a lease has to grow before it is granted anew.
const STEP: u8 = 2;

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
    spent: u32,
    next_tick: Option<Instant>,
    next_read: Option<Instant>,
}

/// A lease on the guarantee of an owned partition.
#[derive(Debug, Clone, Copy)]
struct Granted {
    lease: Lease,
    /// Until then it counts.
    counts_until: Instant,
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

/// What one replica may use.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Cap {
    /// The part of the fleet's target that goes with its partitions.
    pub guaranteed: f64,
    /// What of it is lent to others.
    pub lent: f64,
    /// What others lend to it.
    pub borrowed: f64,
}

impl Cap {
    /// The part of the fleet's target that the replica may use.
    #[must_use]
    pub fn part(&self) -> f64 {
        (self.guaranteed - self.lent + self.borrowed).clamp(0.0, 1.0)
    }
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
        let granted = leases.into_iter().flatten().map(|lease| Granted {
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
                    self.heard.insert(partition, rider);
                }
                Some(_) | None => {
                    self.heard.remove(&partition);
                }
            }
        }
        self.next_read = Some(now + if self.in_need { READ_IN_NEED } else { READ });
        self.next_tick = Some(now);
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
        self.next_tick = Some(now + if self.in_need { TICK } else { READ });
        let mut plan = Plan::default();
        if self.next_read.is_none_or(|at| at <= now) {
            plan.read = true;
            self.next_read = Some(now + READ_LOST);
        }
        let Some(from_ms) = self.clock.least_ms(now) else {
            return plan;
        };
        let granted = self.grant(now, from_ms, holdings);
        let lends = self.granted.values().any(|leases| !leases.is_empty());
        if !self.in_need && (lends || !self.wants(now, holdings).is_empty()) {
            self.next_tick = Some(now + TICK_OF_LENDERS);
        }
        plan.say = granted || self.has_news(now);
        if plan.say {
            self.said = Some((self.demand.part(), now));
        }
        plan
    }

    /// How many requests a minute the other replicas send, by what they said last, and how many replicas said so.
    pub(crate) fn siblings(&self, now: Instant) -> (u32, u32) {
        let mut latest: BTreeMap<ProcessId, &Rider> = BTreeMap::new();
        for rider in self.heard.values().filter(|one| self.is_fresh(now, one)) {
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
        Some(Rider {
            process: self.me,
            at_ms: self.clock.least_ms(now)?,
            demand: thousandths(self.demand.part()),
            spent: self.spent,
            leases: counting.map(|one| one.lease).collect(),
        })
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
            match self.lends(now, holdings, one.process) {
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
        let until_ms = from_ms.saturating_add(self.clock.server_ms(LEASE));
        let mut any = false;
        for holding in lendable {
            let Some(granted) = self.granted.get_mut(&holding.partition) else {
                continue;
            };
            for (want, share) in wants.iter().zip(&shares) {
                let percent = hundredths(share / pool);
                any |= grant_to(granted, now, want.process, percent, until_ms);
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
            if self.is_fresh(now, rider) {
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
    fn lends(&self, now: Instant, holdings: &[Holding], borrower: ProcessId) -> (f64, bool) {
        let (mut lent, mut lasts) = (0.0, false);
        for holding in holdings {
            let granted = self.granted.get(&holding.partition).into_iter().flatten();
            let counting = granted.filter(|one| one.counts_until > now);
            let to = counting.filter(|one| one.lease.borrower == borrower);
            lasts |= to.clone().any(|one| one.counts_until >= now + RENEW);
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
        let mine = leases.filter(|one| one.borrower == self.me && one.until_ms > latest);
        f64::from(percents(mine.copied())) / 100.0
    }

    fn is_fresh(&self, now: Instant, rider: &Rider) -> bool {
        let silent = self.clock.server_ms(SILENT);
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

/// Grants a lease unless one that is as good has long enough to run. `true` if it is new.
fn grant_to(
    granted: &mut Vec<Granted>,
    now: Instant,
    borrower: ProcessId,
    percent: u8,
    until_ms: i64,
) -> bool {
    let is_to = |one: &&Granted| one.lease.borrower == borrower;
    let others = granted.iter().filter(|one| !is_to(one));
    let free = 100_u8.saturating_sub(percents(others.map(|one| one.lease)));
    let percent = percent.min(free);
    let lasts = |one: &Granted| {
        one.counts_until >= now + RENEW && one.lease.percent.saturating_add(STEP) > percent
    };
    if percent == 0 || granted.len() >= rider::LEASES || granted.iter().filter(is_to).any(lasts) {
        return false;
    }
    granted.retain(|one| one.lease.borrower != borrower || one.lease.percent > percent);
    granted.push(Granted {
        lease: Lease {
            borrower,
            percent,
            until_ms,
        },
        counts_until: now + LEASE,
    });
    true
}

/// What leases come to, in hundredths: of those to the same borrower, the largest counts.
fn percents(leases: impl Iterator<Item = Lease>) -> u8 {
    let mut by_borrower: BTreeMap<ProcessId, u8> = BTreeMap::new();
    for lease in leases {
        let most = by_borrower.entry(lease.borrower).or_default();
        *most = lease.percent.max(*most);
    }
    let sum = by_borrower
        .values()
        .fold(0_u8, |sum, percent| sum.saturating_add(*percent));
    sum.min(100)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to the range of the type before the cast"
)]
fn hundredths(part: f64) -> u8 {
    (part * 100.0).clamp(0.0, 100.0).floor() as u8
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
