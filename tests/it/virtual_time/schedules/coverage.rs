//! What the schedules covered.

use std::collections::BTreeMap;

/// What happened over all schedules, so that a run shows what it covered.
#[derive(Default)]
pub(super) struct Coverage {
    pub(super) outcomes: BTreeMap<&'static str, u64>,
    pub(super) faults: BTreeMap<&'static str, u64>,
    pub(super) holds: BTreeMap<&'static str, u64>,
    pub(super) pauses: u64,
    pub(super) kills: u64,
    pub(super) moves: u64,
    pub(super) stops: u64,
    pub(super) sleeps: u64,
    pub(super) losses: u64,
    /// How many lives of partitions began, by what ended the previous one, and how often records were deleted unread.
    pub(super) made_again: u64,
    pub(super) truncated: u64,
    pub(super) vanished: u64,
    pub(super) failed_commits: u64,
    /// States whose version the object has already.
    pub(super) ties: u64,
    /// Identities that arrive after newer ones.
    pub(super) late: u64,
    /// Records that are copies of earlier ones.
    pub(super) copies: u64,
    /// Schedules that allow nothing to be set back.
    pub(super) never_back: u64,
    pub(super) repeats: u64,
    /// Repeats that were allowed: in flight, or settled since the last commit.
    pub(super) may_repeat: u64,
}

impl Coverage {
    pub(super) fn add(&mut self, other: Self) {
        for (into, from) in [
            (&mut self.outcomes, other.outcomes),
            (&mut self.faults, other.faults),
            (&mut self.holds, other.holds),
        ] {
            for (name, count) in from {
                *into.entry(name).or_default() += count;
            }
        }
        self.pauses += other.pauses;
        self.kills += other.kills;
        self.moves += other.moves;
        self.stops += other.stops;
        self.sleeps += other.sleeps;
        self.losses += other.losses;
        self.made_again += other.made_again;
        self.truncated += other.truncated;
        self.vanished += other.vanished;
        self.failed_commits += other.failed_commits;
        self.ties += other.ties;
        self.late += other.late;
        self.copies += other.copies;
        self.never_back += other.never_back;
        self.repeats += other.repeats;
        self.may_repeat += other.may_repeat;
    }
}
