//! What befalls members of the group: sleep, planned stops, lost assignments, and what a person does about holds.

use std::time::{Duration, Instant};

use ingest_delivery::machine::Input;
use ingest_model::outcome::HoldCause;

use super::{Event, SESSION, World};

impl World {
    /// Stops a replica for that long. If it is longer than the group waits for a member, `to` gets its partitions.
    pub(crate) fn sleep(&mut self, replica: usize, long: Duration, to: usize) {
        let generation = self.replicas[replica].generation;
        self.cut_off(replica, false);
        self.replicas[replica].asleep_until = Some(self.now + long);
        if long > SESSION {
            self.later(
                SESSION,
                Event::Expelled {
                    replica,
                    generation,
                    to,
                },
            );
        }
        self.later(
            long,
            Event::Woken {
                replica,
                generation,
            },
        );
    }

    /// Gives a partition that nobody owns to a replica.
    #[cfg(test)]
    pub(crate) fn give(&mut self, number: i32, to: usize) {
        self.assign(&super::partition(number), to);
    }

    /// SIGTERM: a replica hands everything back to the other and ends.
    pub(crate) fn stop(&mut self, replica: usize, to: usize) {
        self.replicas[replica].stopping = true;
        for (partition, log) in &mut self.logs {
            if log.owner.is_some_and(|(owner, _)| owner == replica) {
                log.withhold();
                self.moving.insert(partition.clone(), to);
            }
        }
        self.cut_off(replica, true);
        self.step(replica, Input::Shutdown);
    }

    /// The group gives everything that a replica owns to another, and the replica learns it a moment later.
    pub(crate) fn lose(&mut self, replica: usize, to: usize) {
        self.cut_off(replica, false);
        self.expel(replica, to);
    }

    pub(crate) fn is_anybody_asleep(&self) -> bool {
        self.replicas
            .iter()
            .any(|replica| replica.asleep_until.is_some())
    }

    /// Partitions that nobody owns or will get go to whoever is awake.
    pub(crate) fn assign_free(&mut self, replicas: &[usize]) {
        let awake = |replica: &&usize| self.replicas[**replica].asleep_until.is_none();
        let Some(to) = replicas.iter().find(awake).copied() else {
            return;
        };
        self.assign_all(to);
    }

    /// A person releases all holds of a cause.
    pub(crate) fn release(&mut self, cause: HoldCause) {
        for replica in 0..self.replicas.len() {
            let Some(machine) = &self.replicas[replica].machine else {
                continue;
            };
            if self.asleep(replica).is_some() {
                continue;
            }
            let holds = machine.snapshot(self.now).holds;
            for hold in holds.iter().filter(|hold| hold.cause == cause) {
                self.step(replica, Input::ReleaseHold(hold.id));
            }
        }
    }

    /// Something is paused as planned, unless the replica sleeps.
    #[cfg(test)]
    pub(crate) fn pause(&mut self, replica: usize, pause: ingest_delivery::hold::Pause) {
        if self.asleep(replica).is_none() {
            self.step(replica, Input::Pause(pause));
        }
    }

    /// A person ends the pauses of a scope.
    #[cfg(test)]
    pub(crate) fn resume(&mut self, replica: usize, scope: ingest_delivery::hold::Scope) {
        if self.asleep(replica).is_none() {
            self.step(replica, Input::Resume { scope, by: None });
        }
    }

    /// Whether a replica sleeps, and until when.
    pub(super) fn asleep(&self, replica: usize) -> Option<Instant> {
        self.replicas[replica].asleep_until
    }

    /// The parts of the fleet's target that all replicas may use, added up (I9).
    pub(crate) fn capped(&self) -> f64 {
        let awake = self.replicas.iter().filter(|r| r.asleep_until.is_none());
        let machines = awake.filter_map(|r| r.machine.as_ref());
        machines
            .map(|machine| machine.snapshot(self.now).share.part())
            .sum()
    }
}
