//! The records of a schedule, and what has to stand in the end.

use std::collections::{BTreeMap, BTreeSet};

use ingest_core::operation::{Operation, Planned};
use ingest_core::outcome::{Rejected, Rejection, SkipReason, Verdict};
use serde_json::json;

use super::super::world::{World, make};
use super::{Dice, PARTITIONS};

const CUSTOMERS: u64 = 30;
/// States that share a version: what producers with whole seconds make.
const SHARED: u64 = 40;

/// What was put in, for the judgement.
pub(super) struct Put {
    pub(super) events: BTreeSet<u64>,
    /// Of each order the total of its last state. Among states of one version the later record counts.
    totals: BTreeMap<u64, u64>,
    /// Of each customer the name of the newest identity, with its time.
    names: BTreeMap<u64, (i64, String)>,
    pub(super) rejected: u64,
    /// What is remembered survives its owner: then records come again, and late ones, whoever owns the partition.
    remembered: bool,
    /// Identities and states that may come again, each with its partition.
    said: Vec<(i32, Option<i64>, Verdict)>,
    versions: BTreeMap<u64, u64>,
    pub(super) ties: u64,
    pub(super) late: u64,
    pub(super) copies: u64,
}

impl Put {
    pub(super) fn new(remembered: bool) -> Self {
        Self {
            events: BTreeSet::new(),
            totals: BTreeMap::new(),
            names: BTreeMap::new(),
            rejected: 0,
            remembered,
            said: Vec::new(),
            versions: BTreeMap::new(),
            ties: 0,
            late: 0,
            copies: 0,
        }
    }

    /// The next state of one of the customer's orders, of a version that others of its states may share.
    fn order(&mut self, order: u64, n: u64, shared: u64, customer: u64) -> Planned {
        let version = n / shared;
        self.ties += u64::from(self.versions.insert(order, version) == Some(version));
        self.totals.insert(order, n);
        // Whole numbers come with and without a fraction.
        let version = match n % 2 {
            0 => format!("{version}"),
            _ => format!("{version}.0"),
        };
        make::order_at(order, &version, customer, json!(n))
    }

    /// An identity; one in four comes later than it should.
    fn identity(&mut self, n: u64, customer: u64, late: bool) -> (i64, Verdict) {
        let name = format!("Name {n}");
        let mut at = i64::try_from(n).unwrap() * 1_000;
        if late && self.remembered {
            at -= 100_500;
        }
        let newest = self.names.entry(customer).or_insert((at, name.clone()));
        if newest.0 > at {
            self.late += 1;
        } else {
            *newest = (at, name.clone());
        }
        let said = make::says(
            customer,
            json!({ "name": name, "company": format!("Company {n}") }),
        );
        (at, make::emit(vec![said]))
    }

    /// Every event is there, once or more, and no other.
    pub(super) fn judge_events(&self, world: &World, context: &str) {
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
        let different: Vec<&String> = told.symmetric_difference(&wanted).collect();
        assert!(
            different.is_empty(),
            "events lost or invented: {different:?}: {context}"
        );
    }

    /// Orders that are not there, or not in their last state.
    pub(super) fn behind(&self, world: &World) -> u64 {
        let stored: BTreeMap<String, Option<f64>> = world
            .sim
            .objects("order")
            .map(|object| {
                (
                    object.external_id.unwrap(),
                    object.custom["totalNum"].as_f64(),
                )
            })
            .collect();
        let stands = |(order, total): (&u64, &u64)| {
            let total = f64::from(u32::try_from(*total).unwrap());
            stored.get(&format!("o{order}")) == Some(&Some(total))
        };
        assert!(
            stored.len() <= self.totals.len(),
            "orders nobody has put in"
        );
        self.totals.iter().filter(|one| !stands(*one)).count() as u64
    }

    /// Customers who do not have the name of their newest identity.
    pub(super) fn misnamed(&self, world: &World) -> Vec<String> {
        let called: BTreeMap<String, String> = world
            .sim
            .customers()
            .filter_map(|one| Some((one.external_id?, one.display_name)))
            .collect();
        let wrong = self.names.iter().filter_map(|(customer, (_, name))| {
            let found = called.get(&format!("u{customer}"));
            (found != Some(name)).then(|| format!("{found:?} instead of {name}"))
        });
        wrong.collect()
    }
}

pub(super) fn fill(world: &mut World, dice: &mut Dice, put: &mut Put, records: u64, from: u64) {
    for n in from..from + records {
        let customer = dice.roll(CUSTOMERS);
        // All of a customer and of its objects reach one partition, as with a topic keyed by customer.
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
                // A producer sends again what it has sent.
                let place = dice.roll(put.said.len().max(1) as u64);
                let Some((partition, at, verdict)) =
                    put.said.get(usize::try_from(place).unwrap()).cloned()
                else {
                    continue;
                };
                put.copies += 1;
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
                // What settles in parts comes again in parts where nobody remembers: then no other record has its orders.
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
