//! The records of a schedule, and the expected final state.

use std::collections::{BTreeMap, BTreeSet};

use ingest_model::operation::{Operation, Planned};
use ingest_model::outcome::{Rejected, Rejection, SkipReason, Verdict};
use serde_json::json;

use super::super::world::{World, make};
use super::excused::Excused;
use super::{Dice, PARTITIONS};

const CUSTOMERS: u64 = 30;
/// How many states share a version, as with producers that count whole seconds.
const SHARED: u64 = 40;

/// The states of one order or one customer: the number of each state, with its version or time.
#[derive(Debug, Default)]
struct States(BTreeMap<u64, i64>);

impl States {
    fn newest(&self) -> Option<i64> {
        self.0.values().copied().max()
    }

    /// Whether this final state, or none, is allowed. The newest state that was not lost counts; of several of the same
    /// age, the one put in last.
    fn allow(&self, stands: Option<u64>, put: &Put, excused: &Excused) -> bool {
        let asked = self.0.iter().filter(|(n, _)| !excused.states.contains(n));
        let asked = asked.map(|(n, age)| (*age, *n)).max();
        let stands = stands.map(|n| self.0.get(&n).map(|age| (*age, n)));
        match (asked, stands) {
            (_, Some(None)) | (Some(_), None) => false,
            (None, _) => true,
            (Some(least), Some(Some(stands))) => {
                // A copy counts as new if the state that it repeats was lost.
                let first = put.copied.contains(&stands.1) && excused.states.contains(&stands.1);
                let forgotten = put.read_again.contains(&stands.1)
                    || (put.abrupt && put.needs_memory(stands.1));
                stands >= least || (stands.0 == least.0 && first) || forgotten
            }
        }
    }
}

/// What was put in, for the judgement.
pub(super) struct Put {
    pub(super) events: BTreeSet<u64>,
    /// The states of each order. The number of a state is its total.
    orders: BTreeMap<u64, States>,
    /// The identities of each customer. The number of an identity is in its name.
    names: BTreeMap<u64, States>,
    pub(super) rejected: u64,
    /// What is remembered outlives its owner. Then records may be repeated, and late ones put in, whoever owns the
    /// partition.
    pub(super) remembered: bool,
    /// Identities and states that may be repeated, each with its partition.
    said: Vec<(i32, Option<i64>, Verdict)>,
    /// Numbers of states that were put in again.
    copied: BTreeSet<u64>,
    /// Identities that came after newer ones.
    late_ones: BTreeSet<u64>,
    /// Events that were put in again.
    copied_events: BTreeSet<u64>,
    /// Numbers of states that were read again from a log that lost its end, where another owner may not know them.
    read_again: BTreeSet<u64>,
    /// A replica was cut off: what it learnt last may be committed and not remembered (gaps.md).
    pub(super) abrupt: bool,
    versions: BTreeMap<u64, u64>,
    pub(super) ties: u64,
    pub(super) late: u64,
    pub(super) copies: u64,
}

impl Put {
    pub(super) fn new(remembered: bool) -> Self {
        Self {
            events: BTreeSet::new(),
            orders: BTreeMap::new(),
            names: BTreeMap::new(),
            rejected: 0,
            remembered,
            said: Vec::new(),
            copied: BTreeSet::new(),
            late_ones: BTreeSet::new(),
            copied_events: BTreeSet::new(),
            read_again: BTreeSet::new(),
            abrupt: false,
            versions: BTreeMap::new(),
            ties: 0,
            late: 0,
            copies: 0,
        }
    }

    /// The next state of one of the customer's orders, with a version that its other states may share.
    fn order(&mut self, order: u64, n: u64, shared: u64, customer: u64) -> Planned {
        let version = n / shared;
        self.ties += u64::from(self.versions.insert(order, version) == Some(version));
        let states = self.orders.entry(order).or_default();
        states.0.insert(n, i64::try_from(version).unwrap());
        // Whole numbers come with and without a fraction.
        let version = match n % 2 {
            0 => format!("{version}"),
            _ => format!("{version}.0"),
        };
        make::order_at(order, &version, customer, json!(n))
    }

    /// Whether this state can only be recognised as outdated by remembering what was written.
    fn needs_memory(&self, n: u64) -> bool {
        self.copied.contains(&n) || self.late_ones.contains(&n)
    }

    /// An identity; one in four comes later than it should.
    fn identity(&mut self, n: u64, customer: u64, late: bool) -> (i64, Verdict) {
        let name = format!("Name {n}");
        let mut at = i64::try_from(n).unwrap() * 1_000;
        if late && self.remembered {
            at -= 100_500;
        }
        let names = self.names.entry(customer).or_default();
        if names.newest().is_some_and(|newest| newest > at) {
            self.late += 1;
            self.late_ones.insert(n);
        }
        names.0.insert(n, at);
        let said = make::says(
            customer,
            json!({ "name": name, "company": format!("Company {n}") }),
        );
        (at, make::emit(vec![said]))
    }

    /// These records are read again.
    pub(super) fn read_again(&mut self, records: &[Verdict]) {
        if !self.remembered {
            self.read_again.extend(records.iter().flat_map(numbers));
        }
    }

    /// Checks that every event is there, once or more, and no other.
    pub(super) fn judge_events(&self, world: &World, excused: &Excused, context: &str) {
        let told: BTreeSet<String> = world
            .sim
            .events()
            .filter_map(|event| event.event_key)
            .collect();
        let wanted: BTreeSet<String> = self
            .events
            .iter()
            .map(|n| uuid::Uuid::from_u128(u128::from(*n) + 1).to_string())
            .collect();
        let different: Vec<&String> = told
            .symmetric_difference(&wanted)
            .filter(|key| told.contains(*key) || !excused.events.contains(*key))
            .collect();
        assert!(
            different.is_empty(),
            "events lost or invented: {different:?}: {context}"
        );
    }

    /// Events that were sent after a later one of the same customer, apart from repeats. If a record was lost, a later
    /// copy of it takes its place.
    pub(super) fn out_of_order(&self, world: &World, excused: &Excused) -> Vec<u64> {
        let mut wrong = Vec::new();
        for customer in 0..CUSTOMERS {
            let mut told = BTreeSet::new();
            for event in world.sim.events_of_customer(&format!("u{customer}")) {
                let Some(key) = event.event_key else { continue };
                let n = number_of_key(&key);
                let late = self.copied_events.contains(&n) && excused.events.contains(&key);
                if !late && !told.contains(&n) && told.last().is_some_and(|last| n < *last) {
                    wrong.push(n);
                }
                if !late {
                    told.insert(n);
                }
            }
        }
        wrong
    }

    /// Orders that are missing, or not in their last state.
    pub(super) fn behind(&self, world: &World, excused: &Excused, context: &str) -> Vec<String> {
        let mut stored = BTreeMap::new();
        for object in world.sim.objects("order") {
            let id = object.external_id.unwrap();
            let order: u64 = id.trim_start_matches('o').parse().unwrap();
            let total = object.custom["totalNum"].as_u64().unwrap();
            let states = self.orders.get(&order);
            let states = states.unwrap_or_else(|| panic!("nobody has put in {id}: {context}"));
            // A state is written as a whole: version and total belong together.
            let version: f64 = object.version.unwrap().parse().unwrap();
            let put = states.0.get(&total);
            assert!(
                put.is_some_and(|put| format!("{put}") == format!("{version}")),
                "{id} has {total} in {version}, not in {put:?}: {context}"
            );
            stored.insert(order, total);
        }
        let wrong = self.orders.iter().filter_map(|(order, states)| {
            let stands = stored.get(order).copied();
            let allowed = states.allow(stands, self, excused);
            (!allowed).then(|| format!("o{order}: {stands:?} of {states:?}"))
        });
        wrong.collect()
    }

    /// Customers whose name is not that of their newest identity.
    pub(super) fn misnamed(&self, world: &World, excused: &Excused) -> Vec<String> {
        let called: BTreeMap<String, String> = world
            .sim
            .customers()
            .filter_map(|one| Some((one.external_id?, one.display_name)))
            .collect();
        let wrong = self.names.iter().filter_map(|(customer, names)| {
            let found = called.get(&format!("u{customer}"));
            let number = found.and_then(|name| name.strip_prefix("Name ")?.parse().ok());
            let allowed = names.allow(number, self, excused);
            (!allowed).then(|| format!("u{customer}: {found:?} of {names:?}"))
        });
        wrong.collect()
    }
}

/// The number of the state that an operation writes.
pub(super) fn number_of(operation: &Operation) -> Option<u64> {
    match operation {
        Operation::Track(_) => None,
        Operation::KObject(object) => object.body.parse()["custom"]["totalNum"].as_u64(),
        Operation::Identify(identify) => {
            let fields = identify.fields.parse();
            let name = fields["name"].as_str()?;
            name.strip_prefix("Name ")?.parse().ok()
        }
    }
}

fn numbers(verdict: &Verdict) -> Vec<u64> {
    let Verdict::Emit(planned) = verdict else {
        return Vec::new();
    };
    let numbers = planned.iter().filter_map(|one| number_of(&one.operation));
    numbers.collect()
}

fn events(verdict: &Verdict) -> Vec<u64> {
    let Verdict::Emit(planned) = verdict else {
        return Vec::new();
    };
    let events = planned.iter().filter_map(|one| {
        let Operation::Track(track) = &one.operation else {
            return None;
        };
        Some(number_of_key(&track.event_key.to_string()))
    });
    events.collect()
}

fn number_of_key(key: &str) -> u64 {
    let key: uuid::Uuid = key.parse().unwrap();
    u64::try_from(key.as_u128() - 1).unwrap()
}

pub(super) fn fill(world: &mut World, dice: &mut Dice, put: &mut Put, records: u64, from: u64) {
    for n in from..from + records {
        let customer = dice.roll(CUSTOMERS);
        // All records of a customer and its objects go to one partition, as with a topic keyed by customer.
        let partition = i32::try_from(customer % u64::try_from(PARTITIONS).unwrap()).unwrap();
        let mut at = None;
        let verdict = match dice.roll(20) {
            0 if n % 4 == 0 => {
                put.rejected += 1;
                make::emit(vec![make::refused_track(customer, n, n)])
            }
            0 => {
                put.rejected += 1;
                Verdict::Reject(Rejected::new(Rejection::InvalidJson, "for the test"))
            }
            1 | 2 => Verdict::Skip(SkipReason::NoRoute),
            3 => {
                // A producer sends again what it has already sent.
                let place = dice.roll(put.said.len().max(1) as u64);
                let Some((partition, at, verdict)) =
                    put.said.get(usize::try_from(place).unwrap()).cloned()
                else {
                    continue;
                };
                put.copies += 1;
                put.copied.extend(numbers(&verdict));
                put.copied_events.extend(events(&verdict));
                world.put_event(partition, at, verdict);
                continue;
            }
            4 | 5 => {
                let (time, verdict) = put.identity(n, customer, n % 4 == 3);
                at = Some(time);
                verdict
            }
            6..=11 => {
                put.events.insert(n);
                make::emit(vec![make::track(customer, n, n)])
            }
            12 => {
                put.events.insert(n);
                // Without memory, a record that settles in parts is repeated in parts, so no other record may have its
                // orders.
                let (own, shared) = if put.remembered { (0, SHARED) } else { (50, 1) };
                let order = put.order(customer * 100 + own + dice.roll(4), n, shared, customer);
                make::emit(vec![make::track(customer, n, n), order])
            }
            _ => {
                let order = put.order(customer * 100 + dice.roll(4), n, SHARED, customer);
                make::emit(vec![order])
            }
        };
        let makes_changes = |plan: &Planned| !matches!(plan.operation, Operation::Track(_));
        if put.remembered && matches!(&verdict, Verdict::Emit(all) if all.iter().any(makes_changes))
        {
            put.said.push((partition, at, verdict.clone()));
        }
        world.put_event(partition, at, verdict);
    }
}
