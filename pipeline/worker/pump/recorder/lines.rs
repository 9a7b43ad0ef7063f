//! From steps to lines: nothing of it happens while the machine steps.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};
use std::io;
use std::sync::Arc;

use ingest_delivery::fact::Ignored;
use ingest_delivery::machine::Input;
use ingest_delivery::partitions::commit_metadata::decode;
use ingest_delivery::port::Metadata;
use ingest_model::call::{Call, CallResult};
use ingest_model::operation::{CustomerKey, Operation};
use ingest_model::outcome::Outcome;
use serde::Serialize as _;

use super::encode::Encoder;
use super::hashes;
use super::kept::{Decided, Kept};
use super::masks::Masks;
use super::step::Head;
use super::view;

/// Writes a recording.
///
/// # Errors
/// It cannot be written.
pub(super) fn write(
    head: &Head,
    steps: &[Arc<Kept>],
    masks: Option<&Masks>,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let masks = masks.map(|masks| ordered(masks, steps));
    // What an earlier owner left is named by hashes that are to be found again.
    let restored = steps.iter().any(|step| {
        let slice = step.slice();
        slice.is_some_and(|slice| !slice.entries.is_empty())
    });
    serde_json::to_writer(&mut *out, head)?;
    out.write_all(b"\n")?;
    let mut line = String::new();
    for step in steps {
        line.clear();
        write_step(&mut line, step, masks.as_ref(), restored).map_err(io::Error::other)?;
        out.write_all(line.as_bytes())?;
    }
    Ok(())
}

fn write_step(
    line: &mut String,
    step: &Kept,
    masks: Option<&Masks>,
    restored: bool,
) -> fmt::Result {
    let input = step.given.input();
    let metadata = hidden_metadata(&input);
    write!(line, "{{\"n\":{},\"t\":{},\"in\":", step.number, step.nanos)?;
    let mut encoder = Encoder::new(line, masks).with_metadata(metadata.as_deref());
    input.serialize(&mut encoder)?;
    if let (true, Some(masks)) = (restored, masks) {
        hashes::write(line, &input, masks);
    }
    if step.goes_on {
        line.push_str(",\"goes_on\":true");
    }
    if let Some(effects) = &step.out {
        line.push_str(",\"out\":[");
        for (place, effect) in effects.iter().enumerate() {
            if place > 0 {
                line.push(',');
            }
            view::write(&mut Encoder::new(line, masks), effect)?;
        }
        line.push(']');
    }
    line.push_str("}\n");
    Ok(())
}

/// The machine goes through customers in the order of their keys, so that is kept, too.
fn ordered(masks: &Masks, steps: &[Arc<Kept>]) -> Masks {
    let mut texts: BTreeSet<Arc<str>> = BTreeSet::new();
    let mut add = |key: &CustomerKey| {
        // Of an object, the klass is written as it is.
        let text = match key.object() {
            Some((_, external_id)) => external_id.0,
            None => Arc::clone(key.value()),
        };
        if !texts.contains(&text) {
            texts.insert(text);
        }
    };
    for step in steps {
        of_input(&step.given.input(), &mut add);
        for effect in step.out.as_deref().unwrap_or_default() {
            if let Decided::Send { call, .. } = effect {
                of_call(call, &mut add);
            }
        }
    }
    let texts: BTreeSet<&str> = texts.iter().map(|text| &**text).collect();
    masks.ordering(&texts)
}

fn of_input(input: &Input, add: &mut impl FnMut(&CustomerKey)) {
    match input {
        Input::Record { verdict, .. } => {
            let planned = verdict.planned();
            let customers = planned.iter().filter_map(|plan| plan.operation.customer());
            for key in customers.flat_map(|customer| customer.keys()) {
                add(key);
            }
            for plan in planned {
                of_written(&plan.operation, add);
            }
        }
        Input::Replied { reply, .. } => match &reply.result {
            CallResult::Searched(Outcome::Delivered(found)) => {
                found.customers.iter().for_each(|(key, _)| add(key));
            }
            CallResult::Customer(Outcome::Delivered(Some(found))) => {
                add(&CustomerKey::Id(Arc::clone(&found.id)));
                found.keys.iter().for_each(add);
            }
            CallResult::KObject(Outcome::Delivered(Some(found))) => {
                let customer = found.customer.iter();
                customer.for_each(|id| add(&CustomerKey::Id(Arc::clone(id))));
            }
            CallResult::Tracked(_)
            | CallResult::Searched(_)
            | CallResult::Customer(_)
            | CallResult::Submitted(_)
            | CallResult::Written(_)
            | CallResult::KObject(_)
            | CallResult::Job(_)
            | CallResult::Probed(_)
            | CallResult::Lost => {}
        },
        Input::Suppressed(keys) => keys.iter().for_each(add),
        Input::Skipped(_)
        | Input::SchemaMissing { .. }
        | Input::Topology(_)
        | Input::Assigned { .. }
        | Input::Revoked { .. }
        | Input::Lost { .. }
        | Input::NewLife { .. }
        | Input::Vanished { .. }
        | Input::Empty { .. }
        | Input::PositionsLost(_)
        | Input::DeadLettered { .. }
        | Input::LettersStuck { .. }
        | Input::Committed { .. }
        | Input::Restored { .. }
        | Input::RestoreFailed { .. }
        | Input::StateWritten { .. }
        | Input::Riders(_)
        | Input::Reserve(_)
        | Input::ReleaseHold(_)
        | Input::Pause(_)
        | Input::Resume { .. }
        | Input::KeyReplaced
        | Input::Shutdown
        | Input::Wake => {}
    }
}

/// A customer that is written is known by its external id from then on.
fn of_written(operation: &Operation, add: &mut impl FnMut(&CustomerKey)) {
    if let Operation::KObject(object) = operation
        && object.klass.is_customer()
    {
        add(&CustomerKey::ExternalId(Arc::clone(&object.external_id.0)));
    }
}

fn of_call(call: &Call, add: &mut impl FnMut(&CustomerKey)) {
    match call {
        Call::SearchCustomers { keys } => keys.iter().for_each(add),
        Call::GetCustomer { key } | Call::FindCustomer { key } => add(key),
        Call::Identify { .. }
        | Call::Track { .. }
        | Call::CreateCustomers { .. }
        | Call::CreateKObjects { .. }
        | Call::UpdateKObjects { .. }
        | Call::CreateKObject { .. }
        | Call::UpdateKObject { .. }
        | Call::DeleteKObject { .. }
        | Call::GetKObject { .. }
        | Call::ReadJob { .. }
        | Call::ReadJobState { .. }
        | Call::Probe => {}
    }
}

/// What stands for the text beside a committed offset: the text itself where it is this program's, else one that is passed over
/// for the same reason.
fn hidden_metadata(input: &Input) -> Option<String> {
    let Input::Assigned {
        partition,
        committed: Some(committed),
        ..
    } = input
    else {
        return None;
    };
    let Metadata::Text(text) = &committed.metadata else {
        return None;
    };
    Some(match decode(partition, committed.offset, text) {
        Ok(_) => text.clone(),
        Err(Ignored::Foreign) => "-".to_owned(),
        Err(Ignored::Version) => "ki0".to_owned(),
        Err(Ignored::Damaged | Ignored::Generation) => "ki2".to_owned(),
        Err(Ignored::Partition) => "ki2.-.0.-.b".to_owned(),
        Err(Ignored::Offset) => {
            let mark = text.split('.').nth(1).unwrap_or_default();
            format!("ki2.{mark}.-1.-.b")
        }
    })
}
