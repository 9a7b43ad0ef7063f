//! The form of a recording: a line about all of it, then one for each step.

use std::collections::BTreeMap;

use ingest_delivery::machine::{CommitAnswer, Input, MachineSettings};
use ingest_model::record::{Epoch, Offset, Topic, TopicPartition};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::kept::{Decided, Given, Kept};

/// The name of the form.
pub(super) const FORMAT: &str = "kustomer-ingest-recording";
/// Its version: it grows when an older program could not read it.
pub(super) const VERSION: u32 = 4;

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Head {
    /// [`FORMAT`].
    pub(super) format: String,
    /// [`VERSION`].
    pub(super) version: u32,
    /// The worker's version.
    pub(super) worker: String,
    /// When the process began to record.
    pub(super) started: String,
    /// When this was written.
    pub(super) written: String,
    /// Why: the label of a cause.
    pub(super) cause: String,
    /// Everything is in it as it was.
    pub(super) personal_data: bool,
    /// The first step is in it.
    pub(super) from_start: bool,
    /// Steps that were made before the first one in it.
    pub(super) steps_before: u64,
    /// How many of the steps before it were too large to be kept.
    pub(super) left_out: u64,
    /// Slices of the state topic that were too large to be kept, of the steps in it.
    #[serde(default)]
    pub(super) slices_left_out: u64,
    /// The machine's numbers.
    pub(super) settings: MachineSettings,
    /// What was so before the first step in it.
    pub(super) base: Base,
}

/// What was so before the first step of a recording.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Base {
    /// Partitions of each topic; `None` if they were not known.
    pub(super) topology: Option<Vec<(Topic, u32)>>,
    /// Requests of every minute that were left to others; `None`: as many as the settings say.
    #[serde(default)]
    pub(super) reserve: Option<u32>,
    /// What was assigned.
    pub(super) partitions: Vec<Owned>,
}

/// One assigned partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Owned {
    /// Which.
    pub(super) partition: TopicPartition,
    /// Under which assignment.
    pub(super) epoch: Epoch,
    /// What was committed.
    pub(super) committed: Option<Offset>,
}

/// One step, or one input of a step that several went into.
#[derive(Debug, Deserialize)]
pub(super) struct Step {
    /// Its number, from 1.
    pub(super) n: u64,
    /// Nanoseconds since the process began to record.
    pub(super) t: u64,
    /// What went in.
    #[serde(rename = "in")]
    pub(super) input: Value,
    /// The next line went in with this one.
    #[serde(default)]
    pub(super) goes_on: bool,
    /// What was decided; absent where the step goes on or did not end.
    pub(super) out: Option<Vec<Value>>,
    /// Hashes of what went in, for what the state topic held.
    #[serde(default)]
    pub(super) hashes: Vec<String>,
}

/// What of steps that have left a recording is still so.
#[derive(Debug, Default)]
pub(super) struct Past {
    topology: Option<Vec<(Topic, u32)>>,
    reserve: Option<u32>,
    partitions: BTreeMap<TopicPartition, (Epoch, Option<Offset>)>,
}

impl Head {
    /// All that the machine was told since it began is in it.
    pub(super) fn is_exact(&self) -> bool {
        self.from_start && self.slices_left_out == 0
    }
}

impl Past {
    /// A step has left: what it says may last.
    pub(super) fn take(&mut self, step: &Kept) {
        if let Given::Other(input) = &step.given {
            self.take_input(input);
        }
        for effect in step.out.as_deref().unwrap_or_default() {
            if let Decided::HandBack { partition, epoch } = effect {
                self.gone(partition, *epoch);
            }
        }
    }

    fn take_input(&mut self, input: &Input) {
        match input {
            Input::Topology(counts) => self.topology = Some(counts.clone()),
            Input::Reserve(requests) => self.reserve = Some(*requests),
            Input::Assigned {
                partition,
                epoch,
                committed,
            } => {
                let committed = committed.as_ref().map(|committed| committed.offset);
                self.partitions
                    .insert(partition.clone(), (*epoch, committed));
            }
            Input::Lost { partition, epoch } => self.gone(partition, *epoch),
            Input::NewLife {
                partition,
                epoch,
                from,
                ..
            } => {
                self.partitions
                    .insert(partition.clone(), (*epoch, Some(*from)));
            }
            Input::Committed {
                entries,
                answer: CommitAnswer::Accepted,
            } => {
                for (partition, epoch, offset) in entries {
                    if let Some(known) = self.partitions.get_mut(partition)
                        && known.0 == *epoch
                    {
                        known.1 = known.1.max(Some(*offset));
                    }
                }
            }
            Input::Committed { .. }
            | Input::Revoked { .. }
            | Input::Vanished { .. }
            | Input::Empty { .. }
            | Input::PositionsLost(_)
            | Input::Record { .. }
            | Input::Skipped(_)
            | Input::SchemaMissing { .. }
            | Input::Replied { .. }
            | Input::DeadLettered { .. }
            | Input::LettersStuck { .. }
            | Input::Restored { .. }
            | Input::RestoreFailed { .. }
            | Input::StateWritten { .. }
            | Input::Riders(_)
            | Input::ReleaseHold(_)
            | Input::Pause(_)
            | Input::Resume { .. }
            | Input::Suppressed(_)
            | Input::KeyReplaced
            | Input::Shutdown
            | Input::Wake => {}
        }
    }

    fn gone(&mut self, partition: &TopicPartition, epoch: Epoch) {
        if self
            .partitions
            .get(partition)
            .is_some_and(|known| known.0 <= epoch)
        {
            self.partitions.remove(partition);
        }
    }

    /// What is so now.
    pub(super) fn base(&self) -> Base {
        let partitions = self.partitions.iter();
        Base {
            topology: self.topology.clone(),
            reserve: self.reserve,
            partitions: partitions
                .map(|(partition, (epoch, committed))| Owned {
                    partition: partition.clone(),
                    epoch: *epoch,
                    committed: *committed,
                })
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use ingest_delivery::machine::{Committed, Effect};
    use ingest_delivery::port::Metadata;
    use ingest_model::reading::LifeCause;

    use super::*;

    fn sea() -> TopicPartition {
        TopicPartition::new("sea", 4)
    }

    fn after(steps: &[(Input, Vec<Effect>)]) -> Base {
        let mut past = Past::default();
        for (input, effects) in steps {
            past.take(&Kept {
                number: 1,
                nanos: 0,
                given: Given::of(input, false, 0),
                goes_on: false,
                out: Some(Decided::all(effects)),
            });
        }
        past.base()
    }

    fn assigned() -> (Input, Vec<Effect>) {
        let committed = Some(Committed {
            offset: Offset(50),
            metadata: Metadata::None,
        });
        let input = Input::Assigned {
            partition: sea(),
            epoch: Epoch(7),
            committed,
        };
        (input, Vec::new())
    }

    fn committed(offset: i64, answer: CommitAnswer) -> (Input, Vec<Effect>) {
        let entries = vec![(sea(), Epoch(7), Offset(offset))];
        (Input::Committed { entries, answer }, Vec::new())
    }

    #[test]
    fn what_was_assigned_and_committed_stays_until_it_is_given_back() {
        let base = after(&[
            assigned(),
            committed(61, CommitAnswer::Accepted),
            committed(70, CommitAnswer::Failed),
        ]);
        assert_eq!(
            base.partitions,
            [Owned {
                partition: sea(),
                epoch: Epoch(7),
                committed: Some(Offset(61))
            }]
        );
        let given = Effect::HandBack {
            partition: sea(),
            epoch: Epoch(7),
        };
        let given = (Input::Wake, vec![Effect::Drained, given]);
        assert!(after(&[assigned(), given]).partitions.is_empty());
    }

    #[test]
    fn the_last_reserve_counts() {
        let base = after(&[
            (Input::Reserve(50), Vec::new()),
            (Input::Reserve(400), Vec::new()),
        ]);
        assert_eq!(base.reserve, Some(400));
    }

    #[test]
    fn a_new_life_begins_where_it_says() {
        let life = Input::NewLife {
            partition: sea(),
            epoch: Epoch(8),
            from: Offset(0),
            cause: LifeCause::WentBack,
        };
        let lost = Input::Lost {
            partition: sea(),
            epoch: Epoch(7),
        };
        let base = after(&[(life, Vec::new()), (lost, Vec::new())]);
        assert_eq!(base.partitions.len(), 1, "what was lost is an older life");
        assert_eq!(base.partitions[0].committed, Some(Offset(0)));
    }
}
