//! Permits over time: an even pace, the pace that the window allows, and a log that no minute exceeds what was earned in it.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use governor::clock::{Clock, FakeRelativeClock};
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota as Rate, RateLimiter};

/// The permits of this replica.
///
/// As long as nothing is known of the window, the pace is even: GCRA, the allowance over the minute, of which 1 % may be saved up.
/// What is sent whatever is left of the limit (reads) may always use the even pace. Once the window is known, everything else
/// follows it: slower, because others need what is left, or faster, because they left something.
///
/// The log alone keeps the minute within what was earned in it: each allowance for as long as it counted. So replicas whose
/// allowances never add up to more than the target do not send more than it in any minute either, although what one had a
/// moment ago is another's now: but for what one had saved up when its part fell, a hundredth at most.
#[derive(Debug)]
pub(super) struct Pace {
    minute: Duration,
    allowance: u32,
    even: Option<Limiter>,
    even_full: Bucket,
    clock: FakeRelativeClock,
    origin: Option<Instant>,
    /// The pace that the window allows, if it is known, in permits a second.
    learnt: Option<f64>,
    window_full: Bucket,
    /// What former allowances had earned towards the next permit of the even pace; at most one.
    credit: f64,
    /// All permits ever given.
    given: u64,
    /// Permits of the last minute.
    issued: VecDeque<Instant>,
    /// The allowances of the last minute, and since when each counted; the last one is the present one.
    earned: VecDeque<(Instant, u32)>,
    /// Permits that a replica that begins alone need not earn: in its first minute.
    first: u32,
}

type Limiter =
    RateLimiter<NotKeyed, InMemoryState, FakeRelativeClock, NoOpMiddleware<governor::nanos::Nanos>>;

#[derive(Debug, Clone, Copy, Default)]
struct Bucket {
    tokens: f64,
    at: Option<Instant>,
}

/// Part of a permit that counts as a whole one.
const WHOLE: f64 = 1.0 - 1e-6;
/// How much faster than the allowance what was left over may be caught up on.
const CATCH_UP: f64 = 1.25;
/// How many permits a minute the group has at least, to learn whether others still need the rest.
const TRICKLE: f64 = 30.0;

impl Pace {
    pub(super) fn new(minute: Duration) -> Self {
        Self {
            minute,
            allowance: 0,
            even: None,
            even_full: Bucket::default(),
            clock: FakeRelativeClock::default(),
            origin: None,
            learnt: None,
            window_full: Bucket::default(),
            credit: 0.0,
            given: 0,
            issued: VecDeque::new(),
            earned: VecDeque::new(),
            first: 0,
        }
    }

    pub(super) fn allowance(&self) -> u32 {
        self.allowance
    }

    /// Another allowance. It grants no burst, unless nothing was sent in the last minute. Who begins `alone` need not earn the
    /// first one.
    pub(super) fn set_allowance(&mut self, now: Instant, allowance: u32, alone: bool) {
        if self.allowance == allowance {
            return;
        }
        self.pass(now);
        self.forget(now);
        let begun = |(since, _): &(Instant, u32)| now.saturating_duration_since(*since);
        let begins = self.earned.front().map(begun).unwrap_or_default() < self.minute / 60;
        self.earned.retain(|(since, _)| *since < now);
        self.earned.push_back((now, allowance));
        self.allowance = allowance;
        let fresh = self.issued.is_empty();
        if begins && fresh {
            self.first = if alone { self.burst_permits() } else { 0 };
        }
        // What was saved up is not lost: the log sees to it that it is not used on top of the new allowance.
        let burst = self.burst();
        let saved = (self.credit + self.even_full.tokens).min(burst.max(1.0));
        let saved = if fresh { burst } else { saved };
        let permits = (saved + 1.0 - WHOLE).floor().min(burst);
        self.credit = (saved - permits).max(0.0);
        self.even_full.tokens = permits;
        self.window_full.tokens = if fresh {
            burst
        } else {
            self.window_full.tokens.min(burst)
        };
        self.even = self.limiter(permits);
    }

    /// The window allows this many permits a second, or is not known; this replica has that part of what the group has.
    pub(super) fn learn(&mut self, now: Instant, pace: Option<f64>, part: f64) {
        self.pass(now);
        let even = f64::from(self.allowance) / self.minute.as_secs_f64();
        let trickle = (TRICKLE * part).max(1.0);
        let least = trickle.min(f64::from(self.allowance)) / self.minute.as_secs_f64();
        // Only what was left over in the last minute is caught up on; else the minute would end with a pause.
        let given = f64::from(self.given_in_last_minute()) + self.burst();
        let behind = given < f64::from(self.allowance);
        let most = if behind {
            even * CATCH_UP
        } else {
            self.even_rate()
        };
        self.learnt = pace.map(|pace| pace.clamp(least, most.max(least)));
    }

    /// Takes a permit; `always`: whatever is left of the limit.
    ///
    /// # Errors
    /// When there is one.
    pub(super) fn take(&mut self, now: Instant, always: bool) -> Result<(), Instant> {
        self.pass(now);
        self.forget(now);
        if let Some(until) = self.minute_is_full(now) {
            return Err(until);
        }
        let wait = match self.learnt {
            Some(rate) => match self.window_full.lacks(rate) {
                None => {
                    self.take_even();
                    None
                }
                Some(_) if always && self.take_even().is_none() => None,
                wait @ Some(_) => wait,
            },
            None => self.take_even(),
        };
        if let Some(wait) = wait {
            return Err(now + wait.clamp(Duration::from_micros(1), self.minute));
        }
        for bucket in [&mut self.even_full, &mut self.window_full] {
            bucket.tokens = (bucket.tokens - 1.0).max(0.0);
        }
        self.issued.push_back(now);
        self.given += 1;
        Ok(())
    }

    /// Until when another permit would be too many for some minute, if it would.
    ///
    /// For the minute that ends now, that is what was earned in it. For those that begin with a change of the allowance, it is
    /// what was earned since then, and what the present allowance earns until they end: what was earned before and not used
    /// is not theirs.
    fn minute_is_full(&self, now: Instant) -> Option<Instant> {
        let minute = self.minute.as_secs_f64();
        let present = f64::from(self.allowance) / minute;
        let mut until: Option<Instant> = None;
        for (since, earned) in self.earned_since(now) {
            let to_come = (since + self.minute).saturating_duration_since(now);
            if to_come.is_zero() {
                break;
            }
            let most = earned + present * to_come.as_secs_f64();
            let first = self.issued.partition_point(|at| *at <= since);
            let given = self.issued.len().saturating_sub(first);
            let Some(over) = given.checked_sub(whole(most)) else {
                continue;
            };
            let oldest = self.issued.get(first + over);
            let leaves = oldest.map_or(now, |at| *at) + self.minute;
            until = Some(until.map_or(leaves, |known| known.max(leaves)));
        }
        let lacks = 1.0 - self.room(now);
        if lacks > 1.0 - WHOLE && until.is_none() {
            // Either enough is earned, or the oldest permit is a minute old.
            let earns = Duration::try_from_secs_f64(lacks / present.max(1e-6));
            let earned = now + earns.map_or(self.minute, |time| time.min(self.minute));
            let oldest = self.issued.front().map(|at| *at + self.minute);
            let next = oldest.map_or(earned, |leaves| leaves.min(earned));
            until = Some(next.max(now + Duration::from_micros(1)));
        }
        until
    }

    /// The permits of the last minute that were earned and not given.
    fn room(&self, now: Instant) -> f64 {
        let (mut earned, mut since) = (0.0, now);
        for (at, all) in self.earned_since(now) {
            (earned, since) = (all, at);
        }
        if now.saturating_duration_since(since) < self.minute {
            earned += f64::from(self.first);
        }
        let earned = earned.min(f64::from(self.most()));
        earned - f64::from(self.given_since(now, self.minute))
    }

    /// The largest allowance of the last minute.
    fn most(&self) -> u32 {
        let allowances = self.earned.iter().map(|(_, allowance)| *allowance);
        allowances.max().unwrap_or(0)
    }

    /// What was earned since each change of the allowance within the last minute, and within all of it; the latest change first.
    fn earned_since(&self, now: Instant) -> impl Iterator<Item = (Instant, f64)> {
        let minute = self.minute;
        let (mut upto, mut earned) = (Duration::ZERO, 0.0);
        self.earned
            .iter()
            .rev()
            .map_while(move |(since, allowance)| {
                if upto >= minute {
                    return None;
                }
                let age = now.saturating_duration_since(*since).min(minute);
                let time = age.saturating_sub(upto).as_secs_f64();
                earned += f64::from(*allowance) * time / minute.as_secs_f64();
                upto = age;
                let since = now.checked_sub(age).unwrap_or(*since);
                Some((since, earned))
            })
    }

    /// Takes a permit at the even pace, or says when there is one.
    fn take_even(&mut self) -> Option<Duration> {
        if self.credit >= WHOLE {
            self.credit = 0.0;
            return None;
        }
        let denied = self.even.as_ref()?.check().err()?;
        Some(denied.wait_time_from(self.clock.now()))
    }

    /// How many permits were ever given.
    pub(super) fn given(&self) -> u64 {
        self.given
    }

    /// How many were given in the last minute, up to the last look at it.
    pub(super) fn given_in_last_minute(&self) -> u32 {
        u32::try_from(self.issued.len()).unwrap_or(u32::MAX)
    }

    /// How many were given in the time before now, of the last minute.
    pub(super) fn given_since(&self, now: Instant, time: Duration) -> u32 {
        let before = |at: &Instant| now.saturating_duration_since(*at) >= time;
        // Mostly, what is older was forgotten just now.
        let older = if self.issued.front().is_some_and(before) {
            self.issued.partition_point(before)
        } else {
            0
        };
        let since = self.issued.len() - older;
        u32::try_from(since).unwrap_or(u32::MAX)
    }

    /// How many permits there are at this moment, about.
    pub(super) fn available(&self, now: Instant, always: bool) -> f64 {
        let burst = self.burst();
        let even = self.even_full.tokens_at(now, self.even_rate(), burst);
        let saved = match self.learnt {
            None => even,
            Some(rate) => {
                let learnt = self.window_full.tokens_at(now, rate, burst);
                if always { learnt.max(even) } else { learnt }
            }
        };
        saved.min(self.room(now)).max(0.0)
    }

    /// Audit of I6: the permits of the last minute do not exceed the largest allowance of that minute.
    pub(super) fn within_allowance(&mut self, now: Instant) -> bool {
        self.forget(now);
        self.issued.len() <= usize::try_from(self.most()).unwrap_or(usize::MAX)
    }

    fn forget(&mut self, now: Instant) {
        while let Some(at) = self.issued.front()
            && now.saturating_duration_since(*at) >= self.minute
        {
            self.issued.pop_front();
        }
        while let Some((next, _)) = self.earned.get(1)
            && now.saturating_duration_since(*next) >= self.minute
        {
            self.earned.pop_front();
        }
    }

    /// From one permit to the next.
    pub(super) fn period(&self) -> Duration {
        let rate = self.learnt.unwrap_or_else(|| self.even_rate());
        if rate > 0.0 {
            Duration::try_from_secs_f64(1.0 / rate)
                .map_or(self.minute, |each| each.min(self.minute))
        } else {
            self.minute
        }
    }

    /// How many permits can be saved up.
    pub(super) fn burst(&self) -> f64 {
        f64::from(self.burst_permits())
    }

    fn burst_permits(&self) -> u32 {
        (self.allowance / 100).max(1).min(self.allowance)
    }

    /// Permits a second at the even pace.
    fn even_rate(&self) -> f64 {
        f64::from(self.allowance) / self.minute.as_secs_f64()
    }

    /// One with so many permits of the burst.
    fn limiter(&self, permits: f64) -> Option<Limiter> {
        let burst = NonZeroU32::new(self.burst_permits())?;
        let rate = Rate::with_period(self.minute / self.allowance)?.allow_burst(burst);
        let limiter = RateLimiter::direct_with_clock(rate, self.clock.clone());
        let used = usize::try_from(burst.get())
            .ok()?
            .checked_sub(whole(permits))?;
        if let Some(used) = u32::try_from(used).ok().and_then(NonZeroU32::new) {
            drop(limiter.check_n(used));
        }
        Some(limiter)
    }

    /// Time moves on.
    fn pass(&mut self, now: Instant) {
        let origin = *self.origin.get_or_insert(now);
        self.clock.advance(now.saturating_duration_since(origin));
        self.origin = Some(now.max(origin));
        let burst = self.burst();
        let even = self.even_rate();
        self.even_full.pass(now, even, burst);
        self.window_full
            .pass(now, self.learnt.unwrap_or(even), burst);
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "not negative, and as large as an allowance at most"
)]
fn whole(permits: f64) -> usize {
    (permits + 1.0 - WHOLE).max(0.0).floor() as usize
}

impl Bucket {
    fn tokens_at(&self, now: Instant, rate: f64, burst: f64) -> f64 {
        let passed = self
            .at
            .map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        (self.tokens + passed.as_secs_f64() * rate).min(burst)
    }

    fn pass(&mut self, now: Instant, rate: f64, burst: f64) {
        self.tokens = self.tokens_at(now, rate, burst);
        self.at = Some(self.at.map_or(now, |at| at.max(now)));
    }

    /// How long until there is a whole token, if there is none.
    fn lacks(&self, rate: f64) -> Option<Duration> {
        if self.tokens >= WHOLE {
            return None;
        }
        let seconds = (1.0 - self.tokens) / rate.max(1e-6);
        Some(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
    }
}
