//! What is known of the durations of one kind of job: when to read the next one first.
//!
//! Where the API tells times, it is the 90th percentile of the last durations, or the 95th while other work waits for permits. Where it tells none, a read says only whether the
//! job was done by then. So the wait is tried out: now and then a job is read a little earlier than the others, and if such jobs
//! keep being done, all are; and if more than a tenth of the others are found not done, all are read later.

use std::collections::VecDeque;
use std::time::Duration;

/// The times of jobs, already scaled.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, Copy)]
pub struct JobTiming {
    /// When to read first while nothing is known.
    pub first_read: Duration,
    /// The longest time between two reads.
    pub max_pause: Duration,
    /// A job that is not done after this time is given up.
    pub give_up: Duration,
    /// How many times faster the API's clock runs.
    pub time_scale: f64,
}

/// The durations of the last jobs of one kind.
#[derive(Debug, Default)]
pub(super) struct Estimate {
    /// As the API told them.
    told: VecDeque<Duration>,
    /// Where it tells none.
    tried: Option<Tried>,
    /// Open jobs that are read earlier than others.
    scouts: u32,
}

/// What reads have shown of jobs without times.
#[derive(Debug)]
struct Tried {
    /// How long after its submission a job is read first.
    wait: Duration,
    /// The part of that after which a scout is read.
    part: f64,
    /// Scouts in a row that were done.
    done: u32,
    /// Jobs until the next scout.
    pause: u32,
    /// A job that was not done counts nine, one that was done takes one off.
    late: i32,
    /// Jobs of which that is the sum.
    counted: u32,
    /// The first time at which one of those that were not done was seen to be done.
    seen: Option<Duration>,
}

/// How a job without times was read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    /// It was a scout.
    pub(super) scout: bool,
    /// When it was read first, after its submission.
    pub(super) first: Duration,
    /// Whether it was done by then.
    pub(super) at_first: bool,
    /// When it was seen to be done.
    pub(super) done: Duration,
}

/// So many percent of the jobs are done when they are read first.
const USUAL: usize = 90;
/// The same where a read takes a permit from others. More would cost more than it saves: what jobs carry takes memory, and what
/// is not in memory cannot share a write with what comes later.
const LATE: usize = 95;
const REMEMBERED: usize = 64;
const ENOUGH: usize = 10;
/// How many times sooner than others the first job is read where a read takes a permit from others. Its next reads come each time
/// twice as late, so a slow one costs three more.
const SCOUT_AHEAD: u32 = 8;
/// The same of a read before that, where permits lie idle: one more. The first job may be an unusually quick one, so others are
/// read as soon only if [`PROOF`] of them were done by then, too.
const SCOUT_FAR_AHEAD: u32 = 64;
/// Results may be shown a moment after the job is done.
const MARGIN: f64 = 1.05;
/// How many times as long the wait becomes if a few too many jobs are late.
const LONGER: f64 = 1.1;
/// So many other jobs come between two scouts; after one that was done, [`SOON`].
const PAUSE: u32 = 14;
const SOON: u32 = 2;
/// The part of the wait after which the first scouts are read.
const PART: f64 = 0.85;
/// The least part.
const LEAST_PART: f64 = 0.5;
/// So many scouts in a row that are done prove that all jobs may be read as early.
const PROOF: u32 = 4;
/// So much lateness proves that jobs are read too early: two jobs in nine or so.
const TOO_LATE: i32 = 18;
/// What one job counts that is not done: with a tenth of them, lateness stays where it is.
const NOT_DONE: i32 = 9;
/// Two late ones among so few show that jobs take much longer than the wait.
const FEW: u32 = 6;

impl Estimate {
    /// Whether the next job is read earlier than others, because nothing is known and nobody is about to find out, or to find
    /// out whether all could be. `dear`: a read takes a permit from others.
    pub(super) fn tries(&mut self, dear: bool) -> bool {
        let now = match &mut self.tried {
            _ if !self.told.is_empty() => false,
            None => self.scouts == 0,
            Some(tried) => {
                // One that was much too quick to be believed is looked into at once.
                let several = !dear && tried.part < LEAST_PART;
                let now = if several {
                    self.scouts < PROOF
                } else {
                    self.scouts == 0 && tried.pause == 0
                };
                tried.pause = tried.pause.saturating_sub(1);
                now
            }
        };
        self.scouts += u32::from(now);
        now
    }

    /// A job that was read earlier than others is gone.
    pub(super) fn scout_ended(&mut self) {
        self.scouts = self.scouts.saturating_sub(1);
    }

    /// How long after its submission a scout is read.
    pub(super) fn scout_read(&self, timing: JobTiming, dear: bool) -> Duration {
        match &self.tried {
            Some(tried) => tried.wait.mul_f64(tried.part),
            None if dear => timing.first_read / SCOUT_AHEAD,
            None => timing.first_read / SCOUT_FAR_AHEAD,
        }
    }

    /// How long after its submission a job is read first.
    pub(super) fn first_read(&self, timing: JobTiming) -> Duration {
        self.wait_for(USUAL, timing)
    }

    /// The same where a read takes a permit from others: rather later than twice.
    pub(super) fn late_read(&self, timing: JobTiming) -> Duration {
        self.wait_for(LATE, timing)
    }

    fn wait_for(&self, percent: usize, timing: JobTiming) -> Duration {
        let longest = self.told.iter().max().copied();
        let wait = match (self.quantile(percent, 100), longest, &self.tried) {
            (Some(most), _, _) => most.mul_f64(MARGIN),
            // The first ones known are the fastest: twice the longest of them, but not later than without knowing them.
            (None, Some(longest), _) => (longest * 2)
                .min(timing.first_read.max(longest))
                .mul_f64(MARGIN),
            (None, None, Some(tried)) => tried.wait,
            (None, None, None) => timing.first_read.mul_f64(MARGIN),
        };
        wait.min(timing.max_pause.saturating_mul(4))
    }

    /// A job took so long. `true` if it is the first of which that is known.
    pub(super) fn learn(&mut self, took: Duration) -> bool {
        if self.told.len() == REMEMBERED {
            self.told.pop_front();
        }
        self.told.push_back(took);
        self.told.len() == 1
    }

    /// A job was done when it was read, and nobody told when it was. `true` if it changes when the others are read.
    pub(super) fn learn_seen(&mut self, seen: Seen, timing: JobTiming) -> bool {
        let Some(tried) = &mut self.tried else {
            self.tried = Some(Tried::new(seen, timing));
            return true;
        };
        if seen.scout {
            tried.scouted(seen, timing)
        } else {
            tried.read(seen)
        }
    }

    /// Three times the 99th percentile, or as much as is known of it.
    pub(super) fn thrice(&self) -> Option<Duration> {
        let tried = self.tried.as_ref().map(|tried| tried.wait * 2);
        let longest = self.quantile(99, 100).or(tried);
        longest.map(|took| took.saturating_mul(3))
    }

    fn quantile(&self, numerator: usize, denominator: usize) -> Option<Duration> {
        // The first ones known are the fastest, so a few of them do not represent the rest.
        if self.told.len() < ENOUGH {
            return None;
        }
        let mut sorted: Vec<Duration> = self.told.iter().copied().collect();
        sorted.sort_unstable();
        let index = (sorted.len() * numerator)
            .div_ceil(denominator)
            .saturating_sub(1);
        sorted.get(index).copied()
    }
}

impl Tried {
    fn new(seen: Seen, timing: JobTiming) -> Self {
        let wait = seen.done.max(timing.first_read / SCOUT_AHEAD);
        // One that was done when it was first looked at may have been done long before.
        let sooner = if seen.at_first { LEAST_PART } else { PART };
        Self {
            wait,
            part: sooner.min(seen.done.as_secs_f64() / wait.as_secs_f64()),
            done: 0,
            pause: SOON,
            late: 0,
            counted: 0,
            seen: None,
        }
    }

    /// A scout has ended. `true` if all are read earlier now.
    fn scouted(&mut self, seen: Seen, timing: JobTiming) -> bool {
        // One that was read no earlier than the others shows nothing.
        let early = seen.first < self.wait;
        if !seen.at_first {
            self.done = 0;
            self.part = PART;
            self.pause = PAUSE;
            return false;
        }
        self.pause = SOON;
        self.done += u32::from(early);
        if self.done < PROOF || !early {
            return false;
        }
        let least = timing.first_read / 1_000;
        self.change(self.wait.mul_f64(self.part).max(least));
        // It may be much too long: the next step is a longer one.
        self.part = (self.part * PART).max(LEAST_PART);
        true
    }

    /// Another job has ended. `true` if all are read later now.
    fn read(&mut self, seen: Seen) -> bool {
        // What was read much later or earlier than is usual now shows nothing of the usual time.
        let late = !seen.at_first && seen.first >= self.wait.mul_f64(0.95);
        let done = seen.at_first && seen.first <= self.wait.mul_f64(1.25);
        if done {
            self.late = (self.late - 1).max(-TOO_LATE);
            self.counted += 1;
        }
        if late {
            self.late += NOT_DONE;
            self.counted += 1;
            let before = self.seen.unwrap_or(seen.done);
            self.seen = Some(before.min(seen.done));
        }
        if self.late < TOO_LATE {
            return false;
        }
        let little = self.wait.mul_f64(LONGER);
        let seen = self.seen.filter(|_| self.counted <= FEW);
        self.change(seen.map_or(little, |seen| between(self.wait, seen).max(little)));
        self.part = PART;
        true
    }

    fn change(&mut self, wait: Duration) {
        self.wait = wait;
        self.done = 0;
        self.late = 0;
        self.counted = 0;
        self.seen = None;
    }
}

/// How long after a read a scout is read again: twice as late, but not later than if it were none, the `usual` time.
pub(super) fn scout_pause(waited: Duration, usual: Duration) -> Duration {
    let next = (waited * 2).max(usual / SCOUT_AHEAD).min(usual);
    next.saturating_sub(waited)
}

/// The geometric mean.
fn between(one: Duration, other: Duration) -> Duration {
    Duration::from_secs_f64((one.as_secs_f64() * other.as_secs_f64()).sqrt())
}
