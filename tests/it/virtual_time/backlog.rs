//! A backlog in few partitions uses the whole allowance: commits have room, however far objects settle ahead of events.

use std::collections::BTreeMap;
use std::time::Duration;

use ingest_delivery::charge::Gate;
use ingest_delivery::fact::Fact;
use ingest_model::operation::{
    CustomerKey, CustomerRef, Identify, MissingCustomer, Operation, Planned,
};
use ingest_model::outcome::{Rejected, Rejection, SkipReason, Verdict};
use kustomer_sim::Config;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::json;

use super::world::{World, make};

/// Long enough for a partition to be paused and read again.
const MINUTES: u64 = 9;
/// Records in memory, as by default.
const BUDGET: u64 = 37_500;
/// Requests a minute.
const LIMIT: u32 = 1_000;
/// 80 % of them.
const ALLOWED: u64 = 800;
/// 97 % of what is allowed.
const LEAST: u64 = 776;
/// Customers of each partition.
const CUSTOMERS: u64 = 250;

/// The records of a shop's topic, in the proportions of the demonstration: a third is skipped, a third are events and identities
/// that cost a request each, a third are orders, a hundred to a request. A customer's records are all in one partition.
struct Shop {
    random: StdRng,
    partitions: u64,
    orders: BTreeMap<u64, u64>,
    records: u64,
}

impl Shop {
    fn new(partitions: u64) -> Self {
        Self {
            random: StdRng::seed_from_u64(11),
            partitions,
            orders: BTreeMap::new(),
            records: 0,
        }
    }

    fn record(&mut self, partition: u64) -> Verdict {
        self.records += 1;
        let who = self.customer() * self.partitions + partition;
        match self.random.random_range(0..1_000) {
            0..60 => make::emit(vec![identify(who, self.records)]),
            60..380 => Verdict::Skip(SkipReason::NoRoute),
            380..640 => make::emit(vec![make::track(who, self.records, self.records / 60)]),
            640..900 => make::emit(vec![self.order(who)]),
            900..985 => make::emit(vec![self.change(who)]),
            985..988 => Verdict::Skip(SkipReason::Tombstone),
            _ => Verdict::Reject(Rejected::new(Rejection::InvalidJson, "ends too early")),
        }
    }

    /// A fifth of the customers have about half of the records.
    fn customer(&mut self) -> u64 {
        let place = self.random.random_range(0..2 * CUSTOMERS);
        place * place / (4 * CUSTOMERS)
    }

    fn order(&mut self, who: u64) -> Planned {
        self.orders.insert(who, self.records);
        make::order(self.records, self.records, who)
    }

    /// A newer state of the customer's last order.
    fn change(&mut self, who: u64) -> Planned {
        match self.orders.get(&who) {
            Some(order) => make::order(*order, self.records, who),
            None => self.order(who),
        }
    }
}

/// An identify that names an address besides the key that events have.
fn identify(who: u64, plan: u64) -> Planned {
    let keys = [
        CustomerKey::ExternalId(format!("u{who}").into()),
        CustomerKey::Email(format!("u{who}@example.com").into()),
    ];
    make::planned(Operation::Identify(Identify {
        customer: CustomerRef::new(keys.to_vec(), MissingCustomer::Create).expect("keys"),
        fields: make::object(json!({"name": format!("Customer {who} {}", plan % 2)})),
    }))
}

fn world(partitions: i32, budget: u64) -> World {
    let config = Config {
        limit: u64::from(LIMIT),
        ..Config::default()
    };
    let mut world = World::new(config, LIMIT, partitions);
    world.settings.budget.records = budget;
    world.start_replica();
    world
}

/// Delivers a backlog of this many records in each partition, for at most this many minutes.
fn deliver(world: &mut World, records: u64, minutes: u64) {
    let partitions = world.logs.len();
    let mut shop = Shop::new(partitions as u64);
    for _ in 0..records {
        for number in 0..partitions {
            let verdict = shop.record(number as u64);
            world.put(i32::try_from(number).unwrap(), verdict);
        }
    }
    world.assign_all(0);
    world.run(Duration::from_secs(60 * minutes));
    assert!(world.no_invariant_broken());
    let cuts = world.count(0, |fact| matches!(fact, Fact::MetadataCut));
    assert_eq!(cuts, 0);
    let account = world.sim.account();
    let (_, complete) = account.windows.split_last().unwrap();
    let spent: Vec<u64> = complete.iter().map(|window| window.spent).collect();
    assert!(spent.len() >= 6, "{spent:?}");
    assert!(
        spent.iter().all(|spent| (LEAST..=ALLOWED).contains(spent)),
        "{partitions} partitions with {records} records each: {spent:?}"
    );
    assert_eq!(account.refused.get("org_limit"), None);
    assert_eq!(account.repeated.tracking, 0);
    assert_eq!(account.out_of_order.tracking, 0);
}

#[test]
fn one_partition_with_a_backlog_uses_what_is_allowed_until_it_is_done() {
    let mut world = world(1, BUDGET);
    deliver(&mut world, 18_000, 60);
    assert!(world.is_done(), "{:?}", world.settled);
}

#[test]
fn one_partition_with_a_long_backlog_uses_what_is_allowed() {
    let mut world = world(1, BUDGET);
    deliver(&mut world, 60_000, MINUTES);
    assert!(!world.is_done());
}

#[test]
fn two_partitions_with_a_backlog_use_what_is_allowed() {
    deliver(&mut world(2, BUDGET), 18_000, MINUTES);
}

#[test]
fn two_partitions_with_a_long_backlog_use_what_is_allowed() {
    deliver(&mut world(2, BUDGET), 60_000, MINUTES);
}

#[test]
fn six_partitions_with_a_backlog_use_what_is_allowed() {
    deliver(&mut world(6, BUDGET), 18_000, MINUTES);
}

#[test]
fn six_partitions_with_a_long_backlog_use_what_is_allowed() {
    deliver(&mut world(6, BUDGET), 60_000, MINUTES);
}

#[test]
fn one_partition_that_fills_the_record_budget_uses_what_is_allowed() {
    let mut world = world(1, 10_000);
    deliver(&mut world, 60_000, MINUTES);
    let machine = world.replicas[0].machine.as_ref().unwrap();
    let view = machine.snapshot(world.now);
    assert_eq!(view.gate, Gate::Closed, "{} records", view.used.records);
    assert_eq!(view.partitions[0].waits, None, "its commits have room");
}
