//! Answers to letters, and what they mean for the holds of their topics.

use std::time::Instant;

use crate::machine::Machine;
use crate::partitions::{Answered, Try};
use crate::seam::hold::{LetterTopic, Scope};
use crate::seam::port::LetterId;
use ingest_model::outcome::HoldCause;
use ingest_model::record::Topic;
use ingest_model::trouble::Trouble;

impl Machine {
    pub(in crate::machine) fn on_dead_lettered(
        &mut self,
        now: Instant,
        letter: LetterId,
        result: Result<(), Trouble>,
    ) {
        match self
            .partitions
            .letter_answered(&mut self.turn, letter, result)
        {
            Answered::Nothing => {}
            Answered::Refused(to, trouble) => {
                self.begin_hold(now, Scope::Letters(to), to.cause(), (1, Some(trouble)));
            }
            Answered::Taken {
                to,
                was_closed,
                was_refused,
                done,
                kept,
            } => {
                self.note_kept(kept);
                if was_closed {
                    self.health.held.changed();
                }
                if !was_closed && !was_refused {
                    return;
                }
                if done {
                    self.end_hold(Scope::Letters(to));
                } else {
                    self.health.holds.letter_passed(now, to);
                }
            }
        }
    }

    /// The brokers report why letters do not come back.
    pub(in crate::machine) fn on_letters_stuck(
        &mut self,
        now: Instant,
        to: LetterTopic,
        trouble: Trouble,
    ) {
        if self.partitions.letters_are_stuck(to) {
            self.begin_hold(now, Scope::Letters(to), to.cause(), (1, Some(trouble)));
        }
    }

    /// While a topic refuses letters, one at a time is tried. If none is waiting, the hold is over.
    pub(in crate::machine) fn try_letters(&mut self, now: Instant) {
        for to in LetterTopic::ALL {
            if !self.health.holds.may_try_letter(now, to)
                || self.partitions.is_membership_in_doubt()
            {
                continue;
            }
            match self.partitions.try_letter(&mut self.turn, to) {
                Try::Tried => self.health.holds.letter_tried(to),
                Try::UnderWay => {}
                Try::NoneWaits => self.end_hold(Scope::Letters(to)),
            }
        }
    }

    /// Topics that tripped the guard in this step are now held.
    pub(in crate::machine) fn hold_tripped(&mut self, now: Instant) {
        for (topic, seen) in self.partitions.take_tripped() {
            self.begin_hold(now, Scope::Topic(topic), HoldCause::DeadLetterGuard, seen);
        }
    }

    /// There is a hold for each topic with partitions that are not read because their position was lost, and for no other. It keeps
    /// back nothing by itself: those partitions are not assigned.
    pub(in crate::machine) fn on_positions_lost(&mut self, now: Instant, topics: &[Topic]) {
        let held = self.health.holds.iter().map(|(scope, _)| scope.clone());
        let over =
            held.filter(|scope| matches!(scope, Scope::Position(topic) if !topics.contains(topic)));
        for scope in over.collect::<Vec<Scope>>() {
            self.end_hold(scope);
        }
        for topic in topics {
            let scope = Scope::Position(topic.clone());
            if self.health.holds.get(&scope).is_none() {
                self.begin_hold(now, scope, HoldCause::LostPosition, (1, None));
            }
        }
    }

    /// The hold of a topic is over.
    pub(in crate::machine) fn release_topic(&mut self, topic: &Topic) {
        self.partitions.release_topic(&mut self.turn, topic);
    }

    fn end_hold(&mut self, scope: Scope) {
        if let Some(cause) = self.health.holds.end(&scope) {
            self.hold_ended(scope, cause);
        }
    }
}
