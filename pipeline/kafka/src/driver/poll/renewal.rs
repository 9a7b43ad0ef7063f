//! The consumer is made anew, because its credentials have changed.
//!
//! For the worker this is a revocation of everything it holds, followed by an assignment: nothing that is in flight is lost,
//! and nothing is read before what was settled is committed. The group sees a member leave and another one join; a static
//! member only comes back.

use std::mem;
use std::time::Duration;

use ingest_model::record::TopicPartition;

use super::{Driver, join, leave};
use crate::clock;
use crate::driver::member::{Member, Renewal};
use crate::port::SourceEvent;

/// How long leaving the group may take when the consumer is made anew.
const LEAVE_PATIENCE: Duration = Duration::from_secs(5);

impl Driver {
    /// Everything held is drained first. A renewal that is asked for meanwhile takes the place of the first.
    pub(super) fn begin_renewal(&mut self, renewal: Box<Renewal>) {
        if self.stopping.is_some() {
            return;
        }
        tracing::info!("the consumer is made anew; draining");
        self.renewal = Some(renewal);
        let held = self.partitions.all();
        // Drained records that the client delivers all the same are dropped.
        self.pause(&held);
        self.drain_for_renewal(&held);
    }

    /// What is assigned meanwhile is handed back, too.
    pub(super) fn drain_for_renewal(&mut self, partitions: &[TopicPartition]) {
        let deadline = clock::now() + self.drain_deadline;
        let draining = self.partitions.revoke(partitions, deadline);
        if !draining.is_empty() {
            self.outbox.event(SourceEvent::Revoking(draining));
        }
    }

    /// Whether a renewal was asked for and everything is drained, or its time is over. A stop ends what waits.
    pub(super) fn may_renew(&self) -> bool {
        if self.renewal.is_none() || self.stopping.is_some() {
            return false;
        }
        // Where the group took all partitions away meanwhile, a commit of theirs brings nothing any more; the old credentials
        // may not even be able to deliver it.
        self.partitions
            .revocation_deadline()
            .is_none_or(|deadline| {
                let drained = self.partitions.is_drained() && self.commits.is_idle();
                drained || clock::now() >= deadline
            })
    }

    /// Leaves the group, and joins it with the new settings; with the old ones if the client refuses those.
    pub(super) fn renew(&mut self) {
        let Some(renewal) = self.renewal.take() else {
            return;
        };
        if !self.partitions.is_drained() {
            tracing::warn!("the drain deadline has passed; what is left is read again");
        }
        let Renewal { settings, done } = *renewal;
        // An answer to the group's own revocation is part of leaving.
        let revoking = self.partitions.revocation_deadline().is_some();
        // An answer that has come is worth more than none.
        self.take_answers();
        let lost = self.partitions.end_revocation();
        self.lost(lost);
        let (settings, made) = match Member::new(&settings) {
            Ok(member) => (settings, Ok(member)),
            // Nothing is assigned any more, so the old one cannot simply go on.
            Err(error) => (self.settings.clone(), Err(error)),
        };
        let (member, answer) = match made {
            Ok(member) => (Ok(member), Ok(())),
            Err(error) => (Member::new(&settings), Err(error)),
        };
        let joined = member.and_then(|member| {
            self.succeed(member, revoking);
            // Only now: the two may have the same name in the group.
            join(&self.consumer, &settings)
        });
        self.settings = settings;
        if let Err(error) = joined {
            self.fatal(error.to_string());
        }
        if done.send(answer).is_err() {
            tracing::debug!("whoever renewed the consumer did not wait for it");
        }
    }

    /// This member takes the place of the present one, which leaves the group.
    fn succeed(&mut self, member: Member, revoking: bool) {
        let Member {
            consumer,
            tasks,
            answers,
            offsets_thread,
        } = member;
        let consumer = mem::replace(&mut self.consumer, consumer);
        let tasks = mem::replace(&mut self.tasks, tasks);
        let offsets_thread = mem::replace(&mut self.offsets_thread, offsets_thread);
        self.answers = answers;
        self.give_up_commits();
        self.read_again = None;
        self.ends.clear();
        self.starts.clear();
        self.asked_ends = false;
        self.in_hand.clear();
        self.full_since = None;
        self.throttled = false;
        let deadline = clock::now() + LEAVE_PATIENCE;
        leave(consumer, tasks, offsets_thread, revoking, deadline);
    }
}
