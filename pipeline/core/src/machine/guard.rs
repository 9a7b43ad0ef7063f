//! A topic whose rejections are too many: its dead letters wait, its partitions rest, everything else goes on.

use std::time::Instant;

use super::letters::rejection;
use super::{Effect, Machine};
use crate::charge::Gate;
use crate::hold::Scope;
use crate::outcome::HoldCause;
use crate::port::RecordId;
use crate::record::Topic;

impl Machine {
    /// The dead letter of a record leaves, or waits while its topic is held. A partition that is being handed back does not
    /// wait: the next owner rejects the record again, or delivers it with another mapping.
    pub(super) fn dead_letter(&mut self, id: RecordId) {
        let Some(state) = self.records.get(&id) else {
            return;
        };
        if state.goes_aside() {
            self.send_letter(id);
            return;
        }
        let topic = state.record.position.partition.topic.clone();
        if !self.guard.is_holding(&topic) {
            self.send_letter(id);
            return;
        }
        if let Some(rejected) = &state.rejected {
            let trouble = rejection(rejected.reason, &rejected.detail);
            self.note_trouble(self.turn.now, &Scope::Topic(topic), trouble);
        }
        // One that the brokers have not taken waits like one that never left.
        self.keep_letter(id);
    }

    /// Topics that tripped the guard in this step are held from now on.
    pub(super) fn hold_tripped(&mut self, now: Instant) {
        for topic in self.guard.take_tripped() {
            self.pauses_changed = true;
            let seen = self.waiting_rejections(&topic);
            self.begin_hold(now, Scope::Topic(topic), HoldCause::DeadLetterGuard, seen);
        }
    }

    /// The hold of a topic is over: letters that waited leave, and its records are read again.
    pub(super) fn release_topic(&mut self, topic: &Topic) {
        self.guard.release(topic);
        let waiting = self.records.keys_where(|_, state| {
            let concluded = state.open == 0 && state.rejected.is_some();
            concluded && state.letter.is_none() && state.record.position.partition.topic == *topic
        });
        for id in waiting {
            self.send_letter(id);
        }
        self.pauses_changed = true;
    }

    /// Tells the source which partitions to deliver records of.
    pub(super) fn settle_pauses(&mut self) {
        if !std::mem::take(&mut self.pauses_changed) {
            return;
        }
        let closed = self.budget.gate() == Gate::Closed;
        let (mut pause, mut resume) = (Vec::new(), Vec::new());
        for (partition, assignment) in &mut self.assignments {
            if assignment.drain.is_some() {
                continue;
            }
            let rests = closed
                || assignment.restoring
                || self.guard.is_holding(&partition.topic)
                || self.held.waits.contains_key(partition)
                || assignment.room.rests();
            if rests != assignment.paused {
                assignment.paused = rests;
                let to = if rests { &mut pause } else { &mut resume };
                to.push(partition.clone());
            }
        }
        pause.sort_unstable();
        resume.sort_unstable();
        if !pause.is_empty() {
            self.turn.effect(Effect::Pause(pause));
        }
        if !resume.is_empty() {
            self.turn.effect(Effect::Resume(resume));
        }
    }
}
