//! A machine steps through a recording and says what it decided.
//!
//! A recording that begins with the process is decided again exactly; the first difference is a fault of the machine, or of the
//! recorder. Of one whose first steps have been overwritten the machine begins with what was assigned then: it does not know what was
//! in hand, so answers to questions that it did not ask are left out, and differences are counted.

mod numbers;
mod outcome;
mod show;

use std::io::{BufRead, Write};
use std::time::{Duration, Instant};

use ingest_delivery::machine::{Committed, Input, Machine};
use ingest_delivery::port::Metadata;
use ingest_model::record::{Offset, Position};
use serde_json::Value;

use self::numbers::Numbers;
pub use self::outcome::{ReplayError, Replayed};
use super::encode::Encoder;
use super::hashes::Found;
use super::kept::Decided;
use super::step::{Base, FORMAT, Head, Owned, Step, VERSION};
use super::view;

/// What of a recording is shown. All of it is replayed.
#[derive(Debug, Clone, Default)]
pub struct Shown {
    /// From this step on.
    pub from: Option<u64>,
    /// Up to this step.
    pub to: Option<u64>,
    /// Only steps that name this partition: topic and number.
    pub only: Option<(String, i32)>,
}

/// Steps a machine through a recording. `now` is when the machine shall think that it began.
///
/// # Errors
/// It cannot be read, or not be shown.
pub fn replay(
    recording: impl BufRead,
    now: Instant,
    shown: &Shown,
    out: &mut impl Write,
) -> Result<Replayed, ReplayError> {
    let (head, steps) = read(recording)?;
    let found = learn(&steps);
    let exact = head.is_exact();
    let first = steps.first().map_or(0, |step| step.n);
    let last = steps.last().map_or(0, |step| step.n);
    show::head(out, &head, first, last, exact).map_err(ReplayError::Output)?;
    let mut run = Run {
        machine: Machine::new(head.settings.clone(), now),
        began: now,
        found,
        numbers: (!exact).then(Numbers::default),
        together: Vec::new(),
        result: Replayed {
            exact,
            ..Replayed::default()
        },
        first_difference: None,
    };
    if !exact {
        let at = steps.first().map_or(0, |step| step.t);
        // It did not sleep before the first step that is left.
        run.machine = Machine::new(head.settings.clone(), run.time(at));
        run.begin(at, &steps, &head.base, head.settings.state.is_some());
    }
    let mut at = now;
    for step in steps {
        at = run.time(step.t);
        run.step(step, shown, out)?;
    }
    let snapshot = run.machine.snapshot(at);
    show::snapshot(out, &snapshot).map_err(ReplayError::Output)?;
    show::end(out, &run.result, run.first_difference).map_err(ReplayError::Output)?;
    Ok(run.result)
}

fn read(recording: impl BufRead) -> Result<(Head, Vec<Step>), ReplayError> {
    let mut lines = recording.lines();
    let head = match lines.next() {
        Some(line) => line.map_err(ReplayError::Read)?,
        None => return Err(ReplayError::Foreign("it is empty".to_owned())),
    };
    let foreign = |error: serde_json::Error| ReplayError::Foreign(error.to_string());
    let peek: Value = serde_json::from_str(&head).map_err(foreign)?;
    if peek.get("format").and_then(Value::as_str) != Some(FORMAT) {
        return Err(ReplayError::Foreign(format!(
            "its first line does not say {FORMAT}"
        )));
    }
    let form = peek
        .get("version")
        .and_then(Value::as_u64)
        .unwrap_or_default();
    if form != u64::from(VERSION) {
        let worker = peek.get("worker").and_then(Value::as_str).unwrap_or("?");
        let form = u32::try_from(form).unwrap_or(u32::MAX);
        return Err(ReplayError::Version {
            form,
            worker: worker.to_owned(),
        });
    }
    let head: Head = serde_json::from_value(peek).map_err(foreign)?;
    let mut steps = Vec::new();
    for (place, line) in lines.enumerate() {
        let line = line.map_err(ReplayError::Read)?;
        let step = serde_json::from_str(&line).map_err(|error| at_line(place, &error))?;
        steps.push(step);
    }
    Ok((head, steps))
}

/// The head is line 1.
fn at_line(place: usize, error: &serde_json::Error) -> ReplayError {
    ReplayError::Line {
        line: place + 2,
        cause: error.to_string(),
    }
}

/// What hashes of the state topic are here: a slice goes in before the records that tell.
fn learn(steps: &[Step]) -> Found {
    let mut found = Found::default();
    for step in steps.iter().filter(|step| !step.hashes.is_empty()) {
        if let Ok(input) = serde_json::from_value::<Input>(step.input.clone()) {
            found.learn(&input, &step.hashes);
        }
    }
    found
}

struct Run {
    machine: Machine,
    began: Instant,
    found: Found,
    /// The numbers of requests and letters, where they are other ones here.
    numbers: Option<Numbers>,
    /// What goes in with the next input.
    together: Vec<Input>,
    result: Replayed,
    first_difference: Option<u64>,
}

impl Run {
    fn time(&self, nanos: u64) -> Instant {
        let after = Duration::from_nanos(nanos);
        self.began.checked_add(after).unwrap_or(self.began)
    }

    /// Tells the machine what was so before the first step.
    fn begin(&mut self, nanos: u64, steps: &[Step], base: &Base, restores: bool) {
        let now = self.time(nanos);
        if let Some(topology) = &base.topology {
            drop(self.machine.step(now, Input::Topology(topology.clone())));
        }
        if let Some(requests) = base.reserve {
            drop(self.machine.step(now, Input::Reserve(requests)));
        }
        for one in &base.partitions {
            let (partition, epoch) = (one.partition.clone(), one.epoch);
            // What was read before is not here: it counts as settled, or it would keep every commit back.
            let next = steps.iter().find_map(|step| offset_in(&step.input, one));
            let committed = next.or(one.committed).map(|offset| Committed {
                offset,
                metadata: Metadata::None,
            });
            drop(self.machine.step(
                now,
                Input::Assigned {
                    partition: partition.clone(),
                    epoch,
                    committed,
                },
            ));
            if restores {
                let slice = Box::default();
                drop(self.machine.step(
                    now,
                    Input::Restored {
                        partition,
                        epoch,
                        slice,
                    },
                ));
            }
        }
    }

    fn step(&mut self, step: Step, shown: &Shown, out: &mut impl Write) -> Result<(), ReplayError> {
        self.result.steps += 1;
        let now = self.time(step.t);
        // A step that was being made when the recording was written has no end to compare with.
        let ended = step.out.is_some();
        let recorded = step.out.unwrap_or_default();
        let mut input = step.input.clone();
        let asked = self
            .numbers
            .as_ref()
            .is_none_or(|numbers| numbers.translate(&mut input));
        let input = if asked {
            let input = serde_json::from_value::<Input>(input);
            let line = usize::try_from(self.result.steps - 1).unwrap_or(usize::MAX - 2);
            let mut input = input.map_err(|error| at_line(line, &error))?;
            if let Input::Restored { slice, .. } = &mut input {
                self.found.translate(slice);
            }
            input
        } else {
            self.result.unasked += 1;
            Input::Wake
        };
        self.together.push(input);
        let effects = if step.goes_on {
            Vec::new()
        } else {
            let together = std::mem::take(&mut self.together);
            self.machine.step_all(now, together)
        };
        let decided = Decided::all(&effects);
        let decided = decided.iter().map(seen).collect::<Result<Vec<Value>, _>>();
        let decided = decided.map_err(|error| at_line(0, &error))?;
        let same = match &mut self.numbers {
            None => decided == recorded,
            Some(numbers) => numbers.compare(&recorded, &decided),
        };
        let differs = ended && !same;
        let first = differs && self.first_difference.is_none();
        if differs {
            self.result.differences += 1;
            self.first_difference.get_or_insert(step.n);
        }
        let one = show::Step {
            number: step.n,
            nanos: step.t,
            input: &step.input,
            decided: &decided,
            asked,
        };
        if first && self.result.exact {
            show::difference(out, &one, &recorded).map_err(ReplayError::Output)?;
        } else if shown.wants(&one) {
            show::step(out, &one).map_err(ReplayError::Output)?;
        }
        Ok(())
    }
}

/// The offset of a record of that partition.
fn offset_in(input: &Value, of: &Owned) -> Option<Offset> {
    let position = input.pointer("/Record/record/position")?;
    let position: Position = serde_json::from_value(position.clone()).ok()?;
    (position.partition == of.partition).then_some(position.offset)
}

fn seen(effect: &Decided) -> Result<Value, serde_json::Error> {
    let mut text = String::new();
    match view::write(&mut Encoder::new(&mut text, None), effect) {
        Ok(()) => serde_json::from_str(&text),
        Err(std::fmt::Error) => Ok(Value::Null),
    }
}

impl Shown {
    fn wants(&self, step: &show::Step<'_>) -> bool {
        let within = self.from.is_none_or(|from| from <= step.number)
            && self.to.is_none_or(|to| step.number <= to);
        let names = |value: &Value| {
            self.only
                .as_ref()
                .is_none_or(|(topic, partition)| names(value, topic, *partition))
        };
        within && (names(step.input) || step.decided.iter().any(names))
    }
}

/// Whether a partition is named anywhere in a value.
fn names(value: &Value, topic: &str, partition: i32) -> bool {
    match value {
        Value::Object(map) => {
            let of = |name: &str| map.get(name);
            of("topic").and_then(Value::as_str) == Some(topic)
                && of("partition").and_then(Value::as_i64) == Some(i64::from(partition))
                || map.values().any(|value| names(value, topic, partition))
        }
        Value::Array(all) => all.iter().any(|value| names(value, topic, partition)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}
