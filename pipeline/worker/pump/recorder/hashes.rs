//! Hashes that earlier processes left in the state topic, found again under pseudonyms.
//!
//! The state topic names customers, objects and changes by hashes of what they are. In a recording such a hash has a pseudonym, and so
//! has what it was made of; the hash of the second is not the first. Once a slice was restored, each step therefore carries the
//! pseudonyms of all hashes that its input leads to. Whoever replays it makes the same hashes of the pseudonyms, in the same
//! order, and knows which is which before the slice goes in.

use std::collections::HashMap;
use std::hash::Hash as Key;
use std::sync::Arc;

use ingest_delivery::machine::{Input, fingerprint};
use ingest_model::call::CallResult;
use ingest_model::known::{customer_hash, object_hash};
use ingest_model::operation::{CustomerKey, Klass, Operation, Planned};
use ingest_model::outcome::Outcome;
use ingest_model::repeat::{ChangeKey, Changes};
use ingest_model::said::{Ages, Field};
use ingest_model::state_log::reduce::Slice;
use ingest_model::state_log::{Content, Entity};

use super::masks::Masks;

/// A hash by its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hash {
    Wide(u128),
    Number(u64),
    Half(u32),
}

/// The hashes of a recording and those that they are in its replay.
#[derive(Debug, Default)]
pub(super) struct Found {
    wide: HashMap<u128, u128>,
    numbers: HashMap<u64, u64>,
    halves: HashMap<u32, u32>,
}

/// Writes the pseudonyms of the hashes that an input leads to.
pub(super) fn write(out: &mut String, input: &Input, masks: &Masks) {
    let all = of(input);
    if all.is_empty() {
        return;
    }
    let pseudonyms = all.into_iter().map(|hash| match hash {
        Hash::Wide(hash) => masks.hash_text(&format!("{hash:032x}")),
        Hash::Number(hash) => masks.hash_number(hash, true).to_string(),
        Hash::Half(hash) => masks.hash_number(hash.into(), false).to_string(),
    });
    let pseudonyms: Vec<String> = pseudonyms.collect();
    out.push_str(",\"hashes\":[\"");
    out.push_str(&pseudonyms.join("\",\""));
    out.push_str("\"]");
}

/// All hashes that an input may be compared by, in a fixed order.
fn of(input: &Input) -> Vec<Hash> {
    let mut all = Vec::new();
    match input {
        Input::Record { verdict, .. } => {
            for plan in verdict.planned() {
                of_plan(plan, &mut all);
            }
        }
        Input::Replied { reply, .. } => of_ids(&reply.result, &mut all),
        Input::Suppressed(keys) => {
            all.extend(keys.iter().map(|key| Hash::Wide(customer_hash(key))));
        }
        Input::Restored { slice, .. } => {
            for (_, _, entry) in &slice.entries {
                if let Content::Customer(id) = &entry.content {
                    all.push(Hash::Wide(customer_hash(&CustomerKey::Id(Arc::clone(id)))));
                }
            }
        }
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
    all
}

fn of_plan(plan: &Planned, all: &mut Vec<Hash>) {
    let keys = plan.operation.customer().map(|customer| customer.keys());
    let keys = keys.into_iter().flatten();
    all.extend(keys.map(|key| Hash::Wide(customer_hash(key))));
    let change = ChangeKey::of(plan);
    all.extend([Hash::Number(change.0), Hash::Half(change.mark())]);
    match &plan.operation {
        Operation::Identify(identify) => {
            let ages = Ages::of(&identify.fields, Some(0));
            all.extend(ages.iter().map(|(field, _)| Hash::Number(field.0)));
        }
        Operation::Track(_) => {}
        Operation::KObject(object) => {
            all.extend([
                Hash::Wide(object_hash(&object.klass, &object.external_id)),
                Hash::Number(fingerprint(object)),
            ]);
            let company = object.company();
            all.extend(company.map(|id| Hash::Wide(object_hash(&Klass::company(), id))));
            if object.klass.is_customer() {
                let key = CustomerKey::ExternalId(Arc::clone(&object.external_id.0));
                all.push(Hash::Wide(customer_hash(&key)));
            }
        }
    }
}

fn of_ids(result: &CallResult, all: &mut Vec<Hash>) {
    let mut add = |id: &Arc<str>| {
        all.push(Hash::Wide(customer_hash(&CustomerKey::Id(Arc::clone(id)))));
    };
    match result {
        CallResult::Tracked(Outcome::Delivered(Some(id))) => add(id),
        CallResult::Customer(Outcome::Delivered(Some(found))) => {
            add(&found.id);
            let keys = found.keys.iter();
            all.extend(keys.map(|key| Hash::Wide(customer_hash(key))));
        }
        CallResult::KObject(Outcome::Delivered(Some(found))) => {
            found.customer.iter().for_each(add);
        }
        CallResult::Searched(Outcome::Delivered(found)) => {
            for (_, id) in &found.customers {
                add(id);
            }
        }
        CallResult::Tracked(_)
        | CallResult::Customer(_)
        | CallResult::Searched(_)
        | CallResult::Submitted(_)
        | CallResult::Written(_)
        | CallResult::KObject(_)
        | CallResult::Job(_)
        | CallResult::Probed(_)
        | CallResult::Lost => {}
    }
}

// === impl Found ===

impl Found {
    /// Learns what the hashes of a recorded input are here.
    pub(super) fn learn(&mut self, input: &Input, recorded: &[String]) {
        for (here, there) in of(input).into_iter().zip(recorded) {
            match here {
                Hash::Wide(here) => {
                    if let Ok(there) = u128::from_str_radix(there, 16) {
                        self.wide.insert(there, here);
                    }
                }
                Hash::Number(here) => {
                    if let Ok(there) = there.parse() {
                        self.numbers.insert(there, here);
                    }
                }
                Hash::Half(here) => {
                    if let Ok(there) = there.parse() {
                        self.halves.insert(there, here);
                    }
                }
            }
        }
    }

    /// A slice with the hashes that are known put in their places. What no input led to is nobody's.
    pub(super) fn translate(&self, slice: &mut Slice) {
        for (entity, _, entry) in &mut slice.entries {
            *entity = self.entity(*entity);
            match &mut entry.content {
                Content::Customer(_) | Content::Event => {}
                Content::Object(object) => {
                    object.fingerprint =
                        object.fingerprint.map(|print| known(&self.numbers, print));
                    object.changes = self.changes(&object.changes);
                }
                Content::Identity(said) => {
                    let fields = said.ages.iter();
                    said.ages = fields
                        .map(|(field, at)| (Field(known(&self.numbers, field.0)), at))
                        .collect();
                    said.changes = self.changes(&said.changes);
                }
                Content::Intent(intent) => {
                    for item in &mut intent.items {
                        item.object = known(&self.wide, item.object);
                        for operation in &mut item.operations {
                            operation.mark = known(&self.halves, operation.mark);
                        }
                    }
                }
            }
        }
        for (entity, _) in &mut slice.outranked {
            *entity = self.entity(*entity);
        }
    }

    fn entity(&self, entity: Entity) -> Entity {
        match entity {
            Entity::Customer(hash) => Entity::Customer(known(&self.wide, hash)),
            Entity::Object(hash) => Entity::Object(known(&self.wide, hash)),
            Entity::Identity(hash) => Entity::Identity(known(&self.wide, hash)),
            Entity::Event(_) | Entity::Intent(_) => entity,
        }
    }

    fn changes(&self, changes: &Changes) -> Changes {
        let all = changes.iter();
        all.map(|change| ChangeKey(known(&self.numbers, change.0)))
            .collect()
    }
}

fn known<T: Copy + Eq + Key>(found: &HashMap<T, T>, hash: T) -> T {
    found.get(&hash).copied().unwrap_or(hash)
}
