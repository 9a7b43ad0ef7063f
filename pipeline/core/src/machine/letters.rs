//! Letters: they leave for the dead-letter topic or the hold topic, and wait where that takes none.
//!
//! A letter that fails for a cause that passes is sent again after a moment, quietly, unless that goes on for too long. What
//! needs a person is a hold. A topic that is missing or forbidden takes no letter at all: all of them wait, and one at a time
//! is tried, until one is taken. A letter that is refused for what it is (its size) waits alone, and the others pass.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::time::{Duration, Instant};

use super::state::RecordState;
use super::{Effect, Machine};
use crate::fact::Settlement;
use crate::hold::{LetterTopic, Scope};
use crate::outcome::{HeldBy, HoldCause, Rejection};
use crate::port::{LetterId, RecordId};
use crate::record::Topic;
use crate::trouble::{Trouble, TroubleKind};

/// Letters that fail for so long need a person, whatever the cause.
const PATIENCE: Duration = Duration::from_secs(10);

/// Letters that are not settled, and what their topics are known to refuse.
#[derive(Debug, Default)]
pub(super) struct Letters {
    topics: BTreeMap<LetterTopic, State>,
}

/// What is known of one topic.
#[derive(Debug, Default)]
struct State {
    /// Letters that left and are not acknowledged.
    open: usize,
    /// It takes none.
    closed: bool,
    /// Since when letters have failed without one that was taken.
    failing: Option<Instant>,
    /// Letters that were refused for what they are.
    refused: BTreeSet<RecordId>,
    /// Whose letter was tried last.
    tried: Option<RecordId>,
}

impl Letters {
    /// Letters that left and are not acknowledged.
    pub(super) fn open(&self) -> usize {
        self.topics.values().map(|topic| topic.open).sum()
    }

    /// A letter that had left is acknowledged, was refused, or concerns nobody any more.
    pub(super) fn ended(&mut self, to: LetterTopic) {
        let topic = self.of(to);
        topic.open = topic.open.saturating_sub(1);
    }

    /// Whether a topic takes no letter at all.
    pub(super) fn is_closed(&self, to: LetterTopic) -> bool {
        self.topics.get(&to).is_some_and(|topic| topic.closed)
    }

    /// Whether a letter waits because of its topic.
    fn waits(&self, to: LetterTopic, id: RecordId) -> bool {
        self.topics
            .get(&to)
            .is_some_and(|topic| topic.closed || topic.refused.contains(&id))
    }

    /// A record is gone.
    pub(super) fn forget(&mut self, id: RecordId) {
        for topic in self.topics.values_mut() {
            topic.refused.remove(&id);
        }
    }

    fn of(&mut self, to: LetterTopic) -> &mut State {
        self.topics.entry(to).or_default()
    }
}

impl RecordState {
    /// Where its letter goes, if all of its operations have ended and it needs one.
    pub(super) fn letter_topic(&self) -> Option<LetterTopic> {
        if self.open > 0 || self.abandoned {
            return None;
        }
        if self.goes_aside() {
            return Some(LetterTopic::Held);
        }
        self.rejected.as_ref().map(|_| LetterTopic::Dead)
    }
}

impl Machine {
    /// The letter of a record leaves, unless its topic takes none or another member may have written it meanwhile.
    pub(super) fn send_letter(&mut self, id: RecordId) {
        let to = self.records.get(&id).and_then(RecordState::letter_topic);
        let Some(to) = to else {
            return;
        };
        if self.letters.waits(to, id) {
            self.keep_letter(id);
        } else if self.is_membership_in_doubt() {
            self.send_letter_later(self.turn.now, id);
        } else {
            self.dispatch_letter(id, to);
        }
    }

    fn send_letter_later(&mut self, now: Instant, id: RecordId) {
        if let Some(state) = self.records.get_mut(&id) {
            let at = now + self.settings.letter_retry;
            state.letter_at = Some(at);
            self.letter_timers.insert((at, id));
        }
    }

    /// The pause of a letter is over; it may have left meanwhile.
    pub(super) fn letter_pause_over(&mut self, at: Instant, id: RecordId) {
        let state = self.records.get(&id);
        if state.is_some_and(|state| state.letter_at == Some(at)) {
            self.dead_letter(id);
        }
    }

    /// A letter waits, and its record with it; that of a partition that is handed back is left to the next owner. One of a
    /// former life has the time of the drain: nobody else can read it.
    pub(super) fn keep_letter(&mut self, id: RecordId) {
        let Some(state) = self.records.get_mut(&id) else {
            return;
        };
        state.letter_at = None;
        if let Some(to) = state.letter.take() {
            self.letters.ended(to);
        }
        let partition = &state.record.position.partition;
        let leaves = self
            .assignments
            .get(partition)
            .is_none_or(|assignment| assignment.drain.is_some());
        if leaves && !self.is_of_former_life(id) {
            self.release(id);
        }
    }

    fn dispatch_letter(&mut self, id: RecordId, to: LetterTopic) {
        let Some(state) = self.records.get_mut(&id) else {
            return;
        };
        state.letter_at = None;
        if state.letter.is_none() {
            state.letter = Some(to);
            self.letters.of(to).open += 1;
        }
        let (letter, record) = (LetterId(id), state.record.clone());
        let attempts = state.attempts;
        match (to, state.diverted.clone(), state.rejected.clone()) {
            (LetterTopic::Held, Some(held), _) => self.turn.effect(Effect::Divert {
                letter,
                record,
                held,
                attempts,
            }),
            (LetterTopic::Dead, _, Some(rejected)) => self.turn.effect(Effect::DeadLetter {
                letter,
                record,
                rejected,
                attempts,
            }),
            (LetterTopic::Held, None, _) | (LetterTopic::Dead, _, None) => {}
        }
    }

    pub(super) fn on_dead_lettered(
        &mut self,
        now: Instant,
        letter: LetterId,
        result: Result<(), Trouble>,
    ) {
        let LetterId(id) = letter;
        let Some(state) = self.records.get_mut(&id) else {
            return;
        };
        let Some(to) = state.letter else {
            return;
        };
        state.acknowledged = result.is_ok();
        if let Err(trouble) = result {
            self.letter_failed(now, id, to, trouble);
            return;
        }
        let settlement = match (to, &state.diverted, &state.rejected) {
            (LetterTopic::Held, Some(held), _) => Settlement::Diverted(held.by),
            (LetterTopic::Dead, _, Some(rejected)) => Settlement::DeadLettered(rejected.reason),
            (LetterTopic::Held, None, _) | (LetterTopic::Dead, _, None) => return,
        };
        self.letter_taken(now, id, to);
        self.complete(id, settlement);
    }

    fn letter_failed(&mut self, now: Instant, id: RecordId, to: LetterTopic, trouble: Trouble) {
        let topic = self.letters.of(to);
        let since = *topic.failing.get_or_insert(now);
        let reach = reach_of(trouble.kind);
        match reach {
            Reach::Topic => topic.closed = true,
            Reach::Letter => {
                topic.refused.insert(id);
            }
            Reach::Passing if now >= since + PATIENCE => topic.closed = true,
            Reach::Passing => {}
        }
        if self.letters.waits(to, id) {
            self.begin_hold(now, Scope::Letters(to), to.cause(), (1, Some(trouble)));
            self.keep_letter(id);
        } else {
            self.send_letter_later(now, id);
        }
    }

    /// What the brokers say of letters that do not come back.
    pub(super) fn on_letters_stuck(&mut self, now: Instant, to: LetterTopic, trouble: Trouble) {
        let topic = self.letters.of(to);
        if topic.open > 0 {
            topic.closed = true;
            self.begin_hold(now, Scope::Letters(to), to.cause(), (1, Some(trouble)));
        }
    }

    /// A topic has taken a letter: it takes others, too.
    fn letter_taken(&mut self, now: Instant, id: RecordId, to: LetterTopic) {
        let topic = self.letters.of(to);
        topic.failing = None;
        let was_closed = std::mem::take(&mut topic.closed);
        let was_refused = topic.refused.remove(&id);
        let done = topic.refused.is_empty();
        if was_closed {
            self.held.changed = true;
            self.let_letters_go(to);
        }
        if !done {
            if was_closed || was_refused {
                self.holds.letter_passed(now, to);
            }
        } else if (was_closed || was_refused)
            && let Some(cause) = self.holds.end(&Scope::Letters(to))
        {
            self.hold_ended(Scope::Letters(to), cause);
        }
    }

    /// While a topic refuses letters, one at a time is tried. A hold that nobody waits for is over.
    pub(super) fn try_letters(&mut self, now: Instant) {
        for to in LetterTopic::ALL {
            if !self.holds.may_try_letter(now, to) || self.is_membership_in_doubt() {
                continue;
            }
            let topic = self.letters.of(to);
            // What left before the hold began is tried by the client all the time.
            if topic.closed && topic.open > 0 {
                continue;
            }
            let next = if topic.closed {
                self.letters_of(to).first().copied()
            } else {
                let after = topic.tried.map_or(Bound::Unbounded, Bound::Excluded);
                let mut after = topic.refused.range((after, Bound::Unbounded));
                after.next().or_else(|| topic.refused.first()).copied()
            };
            match next {
                Some(id) => {
                    self.letters.of(to).tried = Some(id);
                    self.holds.letter_tried(to);
                    self.dispatch_letter(id, to);
                }
                None => {
                    self.letters.of(to).closed = false;
                    if let Some(cause) = self.holds.end(&Scope::Letters(to)) {
                        self.hold_ended(Scope::Letters(to), cause);
                    }
                }
            }
        }
    }

    /// A person ended the hold: what waited leaves.
    pub(super) fn send_waiting_letters(&mut self, now: Instant, to: LetterTopic) {
        let topic = self.letters.of(to);
        topic.closed = false;
        topic.refused.clear();
        topic.failing = Some(now);
        self.let_letters_go(to);
    }

    /// Letters of a topic that wait leave in the order of their records.
    fn let_letters_go(&mut self, to: LetterTopic) {
        for id in self.letters_of(to) {
            let waits = |state: &RecordState| state.letter.is_none();
            if self.records.get(&id).is_some_and(waits) {
                self.send_letter(id);
            }
        }
    }

    /// Records whose letters go to that topic, but for those that the guard keeps back; in their order.
    fn letters_of(&self, to: LetterTopic) -> Vec<RecordId> {
        self.records.keys_where(|_, state| {
            let kept = to == LetterTopic::Dead && self.is_kept_back(state);
            state.letter_topic() == Some(to) && !kept
        })
    }

    /// Whether the guard keeps the letter of a rejected record back.
    fn is_kept_back(&self, state: &RecordState) -> bool {
        let topic: &Topic = &state.record.position.partition.topic;
        state.letter.is_none() && self.guard.is_holding(topic)
    }

    /// What keeps the letter of a record back, if something does.
    pub(super) fn letter_held_by(&self, id: RecordId, state: &RecordState) -> Option<HeldBy> {
        let to = state.letter_topic()?;
        if to == LetterTopic::Dead && self.is_kept_back(state) {
            return Some(HeldBy::Hold(HoldCause::DeadLetterGuard));
        }
        let waits = self.letters.waits(to, id);
        waits.then(|| HeldBy::Hold(to.cause()))
    }

    /// The rejection of a topic's letter that waits, the newest, and how many wait.
    pub(super) fn waiting_rejections(&self, topic: &Topic) -> (u64, Option<Trouble>) {
        let waiting = self.records.keys_where(|_, state| {
            let dead = state.letter_topic() == Some(LetterTopic::Dead);
            dead && state.record.position.partition.topic == *topic
        });
        let newest = waiting.last().and_then(|id| self.records.get(id));
        let rejected = newest.and_then(|state| state.rejected.as_ref());
        let trouble = rejected.map(|one| rejection(one.reason, &one.detail));
        (waiting.len() as u64, trouble)
    }
}

/// A rejection, as people are told of it. The API's words may quote what was sent; the mapping's quote expressions.
pub(super) fn rejection(reason: Rejection, detail: &str) -> Trouble {
    let kind = TroubleKind::Rejected(reason);
    if reason == Rejection::RefusedByApi {
        Trouble::new(kind, detail)
    } else {
        Trouble::of_machines(kind, detail)
    }
}

/// Whom a failure concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Every letter, until a person acts.
    Topic,
    /// That letter alone.
    Letter,
    /// It passes by itself.
    Passing,
}

fn reach_of(kind: TroubleKind) -> Reach {
    match kind {
        TroubleKind::UnknownTopic | TroubleKind::NotAuthorized => Reach::Topic,
        TroubleKind::TooLarge => Reach::Letter,
        TroubleKind::Refused
        | TroubleKind::NotResolved
        | TroubleKind::Tls
        | TroubleKind::TimedOut
        | TroubleKind::Lost
        | TroubleKind::NotConnected
        | TroubleKind::Status(_)
        | TroubleKind::Garbled
        | TroubleKind::Rejected(_)
        | TroubleKind::Brokers => Reach::Passing,
    }
}
