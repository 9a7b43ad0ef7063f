//! The form of a recording: a line about all of it, then one for each step.

use std::collections::BTreeMap;

use ingest_delivery::machine::MachineSettings;
use ingest_model::record::{Epoch, Offset, Topic, TopicPartition};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The name of the form.
pub(super) const FORMAT: &str = "kustomer-ingest-recording";
/// Its version: it grows when an older program could not read it.
pub(super) const VERSION: u32 = 1;

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
    /// Steps that were too large to be kept, since the first one in it.
    pub(super) left_out: u64,
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

/// One step.
#[derive(Debug, Deserialize)]
pub(super) struct Step {
    /// Its number, from 1.
    pub(super) n: u64,
    /// Nanoseconds since the process began to record.
    pub(super) t: u64,
    /// What went in.
    #[serde(rename = "in")]
    pub(super) input: Value,
    /// What was decided; absent where the step did not end.
    pub(super) out: Option<Vec<Value>>,
    /// Hashes of what went in, for what the state topic held.
    #[serde(default)]
    pub(super) hashes: Vec<String>,
}

/// What of steps that have left a recording is still so.
#[derive(Debug, Default)]
pub(super) struct Past {
    topology: Option<Vec<(Topic, u32)>>,
    partitions: BTreeMap<TopicPartition, (Epoch, Option<Offset>)>,
}

/// The part of an input that lasts.
#[derive(Debug, Deserialize)]
enum Lasting {
    Topology(Vec<(Topic, u32)>),
    Assigned {
        partition: TopicPartition,
        epoch: Epoch,
        committed: Option<At>,
    },
    Lost {
        partition: TopicPartition,
        epoch: Epoch,
    },
    NewLife {
        partition: TopicPartition,
        epoch: Epoch,
        from: Offset,
    },
    Committed {
        entries: Vec<(TopicPartition, Epoch, Offset)>,
        answer: Value,
    },
}

#[derive(Debug, Deserialize)]
struct At {
    offset: Offset,
}

#[derive(Debug, Deserialize)]
struct HandBack {
    #[serde(rename = "hand_back")]
    given: Given,
}

#[derive(Debug, Deserialize)]
struct Given {
    partition: TopicPartition,
    epoch: Epoch,
}

impl Past {
    /// A step has left that says something lasting.
    pub(super) fn take(&mut self, line: &[u8]) {
        let Ok(step) = serde_json::from_slice::<Step>(line) else {
            return;
        };
        match serde_json::from_value::<Lasting>(step.input) {
            Ok(Lasting::Topology(counts)) => self.topology = Some(counts),
            Ok(Lasting::Assigned {
                partition,
                epoch,
                committed,
            }) => {
                self.partitions
                    .insert(partition, (epoch, committed.map(|at| at.offset)));
            }
            Ok(Lasting::Lost { partition, epoch }) => self.gone(&partition, epoch),
            Ok(Lasting::NewLife {
                partition,
                epoch,
                from,
            }) => {
                self.partitions.insert(partition, (epoch, Some(from)));
            }
            Ok(Lasting::Committed { entries, answer }) if answer == "Accepted" => {
                for (partition, epoch, offset) in entries {
                    if let Some(known) = self.partitions.get_mut(&partition)
                        && known.0 == epoch
                    {
                        known.1 = known.1.max(Some(offset));
                    }
                }
            }
            // Another input, whose effects may last.
            Ok(Lasting::Committed { .. }) | Err(_) => {}
        }
        for effect in step.out.unwrap_or_default() {
            if let Ok(HandBack { given }) = serde_json::from_value(effect) {
                self.gone(&given.partition, given.epoch);
            }
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
    use super::*;

    fn after(lines: &[&str]) -> Base {
        let mut past = Past::default();
        for line in lines {
            past.take(line.as_bytes());
        }
        past.base()
    }

    #[test]
    fn what_was_assigned_and_committed_stays_until_it_is_given_back() {
        let assigned = r#"{"n":1,"t":0,"in":{"Assigned":{"partition":{"topic":"sea","partition":4},"epoch":7,"committed":{"offset":50,"metadata":"None"}}},"out":[]}"#;
        let committed = r#"{"n":2,"t":1,"in":{"Committed":{"entries":[[{"topic":"sea","partition":4},7,61]],"answer":"Accepted"}},"out":[]}"#;
        let failed = r#"{"n":3,"t":2,"in":{"Committed":{"entries":[[{"topic":"sea","partition":4},7,70]],"answer":"Failed"}},"out":[]}"#;
        let given = r#"{"n":4,"t":3,"in":"Wake","out":["drained",{"hand_back":{"partition":{"topic":"sea","partition":4},"epoch":7}}]}"#;
        let base = after(&[assigned, committed, failed]);
        assert_eq!(
            base.partitions,
            [Owned {
                partition: TopicPartition::new("sea", 4),
                epoch: Epoch(7),
                committed: Some(Offset(61))
            }]
        );
        assert!(after(&[assigned, given]).partitions.is_empty());
    }

    #[test]
    fn a_new_life_begins_where_it_says() {
        let life = r#"{"n":9,"t":5,"in":{"NewLife":{"partition":{"topic":"sea","partition":4},"epoch":8,"from":0,"cause":"WentBack"}},"out":[]}"#;
        let lost = r#"{"n":10,"t":6,"in":{"Lost":{"partition":{"topic":"sea","partition":4},"epoch":7}},"out":[]}"#;
        let base = after(&[life, lost]);
        assert_eq!(base.partitions.len(), 1, "what was lost is an older life");
        assert_eq!(base.partitions[0].committed, Some(Offset(0)));
    }
}
