//! Letters: they are sent to the dead-letter topic or the hold topic, and wait while that accepts none.
//!
//! A letter that fails for a passing cause is sent again after a short delay, without a hold unless this goes on for too long.
//! What needs a person is a hold. A topic that is missing or forbidden accepts no letter at all: all of them wait, and one at
//! a time is tried until one is accepted. A letter that is refused for its own sake (its size) waits alone; the others pass.

use std::ops::Bound;
use std::time::{Duration, Instant};

use super::Partitions;
use super::parts::letters::{KeptBack, rejection};
use super::parts::record::RecordState;
use crate::common::turn::Turn;
use crate::seam::fact::Settlement;
use crate::seam::hold::LetterTopic;
use crate::seam::port::{Effect, LetterId, RecordId};
use ingest_model::outcome::{Held, HeldBy, HoldCause};
use ingest_model::record::Topic;
use ingest_model::trouble::{Trouble, TroubleKind};

/// After failing for this long, letters need a person, whatever the cause.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the answer to a letter means for the hold of its topic.
#[derive(Debug)]
pub(crate) enum Answered {
    /// Nothing.
    Nothing,
    /// The topic accepts no letter, or not this one.
    Refused(LetterTopic, Trouble),
    /// It was accepted.
    Taken {
        to: LetterTopic,
        /// The topic accepted none before.
        was_closed: bool,
        /// This one was refused before.
        was_refused: bool,
        /// No other letter of the topic is refused for its own sake.
        done: bool,
        /// The record has a second letter, which is kept back.
        kept: Option<KeptBack>,
    },
}

/// The result of asking to try a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Try {
    /// One was sent.
    Tried,
    /// One was sent earlier, and the client keeps trying it.
    UnderWay,
    /// None is waiting.
    NoneWaits,
}

impl Partitions {
    /// Sends a record's letter, unless its topic accepts none or another member may have written it meanwhile.
    pub(super) fn send_letter(&mut self, turn: &mut Turn, id: RecordId) {
        let to = self.records.get(&id).and_then(RecordState::letter_topic);
        let Some(to) = to else {
            return;
        };
        if self.letters.waits(to, id) {
            self.keep_letter(turn, id);
        } else if self.is_membership_in_doubt() {
            self.send_letter_later(turn, id);
        } else {
            self.dispatch_letter(turn, id, to);
        }
    }

    fn send_letter_later(&mut self, turn: &Turn, id: RecordId) {
        if let Some(state) = self.records.get_mut(&id) {
            let at = turn.now + self.settings.letter_retry;
            state.letter_at = Some(at);
            self.letters.timers.insert((at, id));
        }
    }

    /// Sends letters whose delay is over. Returns those that have to wait for their topics after all.
    pub(crate) fn send_due_letters(&mut self, turn: &mut Turn) -> Vec<KeptBack> {
        let mut kept = Vec::new();
        while let Some((at, id)) = self.letters.timers.first().copied() {
            if at > turn.now {
                break;
            }
            self.letters.timers.pop_first();
            // It may have been sent meanwhile.
            let state = self.records.get(&id);
            if state.is_some_and(|state| state.letter_at == Some(at)) {
                kept.extend(self.dead_letter(turn, id));
            }
        }
        kept
    }

    /// When the next delayed letter is due.
    pub(crate) fn next_letter(&self) -> Option<Instant> {
        self.letters.timers.first().map(|(at, _)| *at)
    }

    /// A letter waits, and its record with it. If the partition is being handed back, the record is left to the next owner; but
    /// one of a former life stays until the drain ends, because nobody else can read it.
    pub(super) fn keep_letter(&mut self, turn: &mut Turn, id: RecordId) {
        let Some(state) = self.records.get_mut(&id) else {
            return;
        };
        state.letter_at = None;
        if let Some(to) = state.letter.take() {
            self.letters.ended(to);
        }
        let leaves = self
            .assignments
            .get(state.partition())
            .is_none_or(|assignment| assignment.drain.is_some());
        if leaves && !self.is_of_former_life(id) {
            self.release(turn, id);
        }
    }

    fn dispatch_letter(&mut self, turn: &mut Turn, id: RecordId, to: LetterTopic) {
        let Some(state) = self.records.get_mut(&id) else {
            return;
        };
        state.letter_at = None;
        if state.letter.is_none() {
            state.letter = Some(to);
            self.letters.of(to).open += 1;
        }
        let (letter, record) = (LetterId(id), state.lettered());
        let attempts = state.attempts;
        match (to, state.diverted.as_deref(), state.rejected.as_deref()) {
            (LetterTopic::Held, Some(held), _) => turn.effect(Effect::Divert {
                letter,
                record,
                held: held.clone(),
                attempts,
            }),
            (LetterTopic::Dead, _, Some(rejected)) => turn.effect(Effect::DeadLetter {
                letter,
                record,
                rejected: rejected.clone(),
                attempts,
            }),
            (LetterTopic::Held, None, _) | (LetterTopic::Dead, _, None) => {}
        }
    }

    /// A letter was answered. If it was accepted, its record is settled.
    pub(crate) fn letter_answered(
        &mut self,
        turn: &mut Turn,
        letter: LetterId,
        result: Result<(), Trouble>,
    ) -> Answered {
        let LetterId(id) = letter;
        let Some(state) = self.records.get_mut(&id) else {
            return Answered::Nothing;
        };
        let Some(to) = state.letter else {
            return Answered::Nothing;
        };
        state.acknowledged = result.is_ok();
        if let Err(trouble) = result {
            return self.letter_failed(turn, id, to, trouble);
        }
        let settlement = match (to, &state.diverted, &state.rejected) {
            (LetterTopic::Held, Some(held), _) => Settlement::Diverted(held.by),
            (LetterTopic::Dead, _, Some(rejected)) => Settlement::DeadLettered(rejected.reason),
            (LetterTopic::Held, None, _) | (LetterTopic::Dead, _, None) => {
                return Answered::Nothing;
            }
        };
        let halves = to == LetterTopic::Held && state.has_two_letters();
        let mut answered = self.letter_taken(turn, id, to);
        if !halves {
            self.complete(turn, id, settlement);
            return answered;
        }
        // the other members have a letter, too; the record is settled with that one
        self.letters.ended(to);
        if let Some(state) = self.records.get_mut(&id) {
            state.is_half_settled();
        }
        let left = self.conclude(turn, id);
        if let Answered::Taken { kept, .. } = &mut answered {
            *kept = left;
        }
        answered
    }

    fn letter_failed(
        &mut self,
        turn: &mut Turn,
        id: RecordId,
        to: LetterTopic,
        trouble: Trouble,
    ) -> Answered {
        let topic = self.letters.of(to);
        let since = *topic.failing.get_or_insert(turn.now);
        match reach_of(trouble.kind) {
            Reach::Topic => topic.closed = true,
            Reach::Letter => {
                topic.refused.insert(id);
            }
            Reach::Passing if turn.now >= since + PATIENCE => topic.closed = true,
            Reach::Passing => {}
        }
        if self.letters.waits(to, id) {
            self.keep_letter(turn, id);
            Answered::Refused(to, trouble)
        } else {
            self.send_letter_later(turn, id);
            Answered::Nothing
        }
    }

    /// A topic has accepted a letter, so it accepts others.
    fn letter_taken(&mut self, turn: &mut Turn, id: RecordId, to: LetterTopic) -> Answered {
        let topic = self.letters.of(to);
        topic.failing = None;
        let was_closed = std::mem::take(&mut topic.closed);
        let was_refused = topic.refused.remove(&id);
        let done = topic.refused.is_empty();
        if was_closed {
            self.let_letters_go(turn, to);
        }
        Answered::Taken {
            to,
            was_closed,
            was_refused,
            done,
            kept: None,
        }
    }

    /// The brokers report why letters do not come back. `true` if any is in flight: then its topic accepts none.
    pub(crate) fn letters_are_stuck(&mut self, to: LetterTopic) -> bool {
        let topic = self.letters.of(to);
        let stuck = topic.open > 0;
        topic.closed |= stuck;
        stuck
    }

    /// Tries one letter of a topic that refuses them. If none waits, the topic counts as open, so that the next one is sent.
    pub(crate) fn try_letter(&mut self, turn: &mut Turn, to: LetterTopic) -> Try {
        let topic = self.letters.of(to);
        if topic.closed && topic.open > 0 {
            return Try::UnderWay;
        }
        let next = if topic.closed {
            self.letters_of(to).first().copied()
        } else {
            // One that is under way is not sent a second time: the answers could not be told apart.
            let records = &self.records;
            let waits = |id: &&RecordId| records.get(*id).is_none_or(|one| one.letter.is_none());
            let after = topic.tried.map_or(Bound::Unbounded, Bound::Excluded);
            let after = topic.refused.range((after, Bound::Unbounded));
            let next = after.chain(&topic.refused).find(waits).copied();
            if next.is_none() && !topic.refused.is_empty() {
                return Try::UnderWay;
            }
            next
        };
        let Some(id) = next else {
            self.letters.of(to).closed = false;
            return Try::NoneWaits;
        };
        self.letters.of(to).tried = Some(id);
        self.dispatch_letter(turn, id, to);
        Try::Tried
    }

    /// A person ended the hold: waiting letters are sent.
    pub(crate) fn send_waiting_letters(&mut self, turn: &mut Turn, to: LetterTopic) {
        let topic = self.letters.of(to);
        topic.closed = false;
        topic.refused.clear();
        topic.failing = Some(turn.now);
        self.let_letters_go(turn, to);
    }

    /// Sends the waiting letters of a topic, in the order of their records.
    fn let_letters_go(&mut self, turn: &mut Turn, to: LetterTopic) {
        for id in self.letters_of(to) {
            let waits = |state: &RecordState| state.letter.is_none();
            if self.records.get(&id).is_some_and(waits) {
                self.send_letter(turn, id);
            }
        }
    }

    /// Records whose letters go to that topic, in order, except those that the guard keeps back.
    fn letters_of(&self, to: LetterTopic) -> Vec<RecordId> {
        self.records.keys_where(|_, state| {
            let kept = to == LetterTopic::Dead && self.is_kept_back(state);
            state.letter_topic() == Some(to) && !kept
        })
    }

    /// Whether the guard keeps back a rejected record's letter.
    fn is_kept_back(&self, state: &RecordState) -> bool {
        state.letter.is_none() && self.guard.is_holding(&state.partition().topic)
    }

    /// What keeps back a record's letter, if anything does.
    pub(super) fn letter_held_by(&self, id: RecordId, state: &RecordState) -> Option<HeldBy> {
        let to = state.letter_topic()?;
        if to == LetterTopic::Dead && self.is_kept_back(state) {
            return Some(HeldBy::Hold(HoldCause::DeadLetterGuard));
        }
        let waits = self.letters.waits(to, id);
        waits.then(|| HeldBy::Hold(to.cause()))
    }

    /// Whether a topic accepts no letter at all.
    pub(crate) fn is_closed(&self, to: LetterTopic) -> bool {
        self.letters
            .topics
            .get(&to)
            .is_some_and(|topic| topic.closed)
    }

    /// Letters that were sent and are not acknowledged.
    pub(crate) fn letters_under_way(&self) -> usize {
        self.letters.topics.values().map(|topic| topic.open).sum()
    }

    /// A letter that is kept back goes to the hold topic instead.
    pub(crate) fn set_letter_aside(&mut self, turn: &mut Turn, id: RecordId, by: HeldBy) {
        let Some(state) = self.records.get_mut(&id) else {
            return;
        };
        let Some(rejected) = &state.rejected else {
            return;
        };
        let keeper = if by == HeldBy::Hold(HoldCause::DeadLetterTopic) {
            "the dead-letter topic does not accept its dead letter".to_owned()
        } else {
            let topic = &state.record.position.partition.topic;
            format!("topic:{topic} keeps its dead letter back")
        };
        state.diverted = Some(Box::new(Held {
            by,
            detail: format!(
                "{keeper}; {}: {}",
                rejected.reason.as_str(),
                rejected.detail
            ),
            route: rejected.route.clone(),
        }));
        self.letters.forget(id);
        self.send_letter(turn, id);
    }

    // === the guard ===

    /// Topics that tripped the guard since the last call, each with the number of waiting letters and the newest rejection.
    pub(crate) fn take_tripped(&mut self) -> Vec<(Topic, (u64, Option<Trouble>))> {
        let tripped = self.guard.take_tripped();
        self.pauses_changed |= !tripped.is_empty();
        let seen = |topic: Topic| {
            let seen = self.waiting_rejections(&topic);
            (topic, seen)
        };
        tripped.into_iter().map(seen).collect()
    }

    /// The hold of a topic is over: its waiting letters are sent, and its records are read again.
    pub(crate) fn release_topic(&mut self, turn: &mut Turn, topic: &Topic) {
        self.guard.release(topic);
        let waiting = self.records.keys_where(|_, state| {
            let concluded = state.open == 0 && state.rejected.is_some();
            concluded && state.letter.is_none() && state.partition().topic == *topic
        });
        for id in waiting {
            self.send_letter(turn, id);
        }
        self.pauses_changed = true;
    }

    /// How many dead letters of a topic wait, and the newest rejection among them.
    fn waiting_rejections(&self, topic: &Topic) -> (u64, Option<Trouble>) {
        let waiting = self.records.keys_where(|_, state| {
            let dead = state.letter_topic() == Some(LetterTopic::Dead);
            dead && state.partition().topic == *topic
        });
        let newest = waiting.last().and_then(|id| self.records.get(id));
        let rejected = newest.and_then(|state| state.rejected.as_ref());
        let trouble = rejected.map(|one| rejection(one.reason, &one.detail));
        (waiting.len() as u64, trouble)
    }
}

/// How far a failure reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Every letter, until a person acts.
    Topic,
    /// This letter alone.
    Letter,
    /// No letter for long: it passes by itself.
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
