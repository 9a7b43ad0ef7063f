//! Customers and companies as operations of their own, with kills, moves and faults, events of the same customers and an agent
//! beside them. In the end each has its newest state, and the company that its record or the agent gave it.

use std::collections::BTreeMap;
use std::time::Duration;

use ingest_delivery::fact::Fact;
use ingest_delivery::retry::Jitter;
use ingest_model::operation::{ExternalId, KObject, Klass, Operation, Party, Planned, Version};
use kustomer_sim::{Config, Duplicates, FaultScript, Method, Request, Rev};
use serde_json::{Value, json};

use super::world::{World, make};

const LIMIT: u32 = 1_000;
const PARTITIONS: i32 = 3;
const HOUR: Duration = Duration::from_secs(3_600);
const PEOPLE: u64 = 40;
const COMPANIES: u64 = 5;

fn world(seed: u64) -> World {
    let config = Config {
        limit: u64::from(LIMIT),
        seed: seed + 1,
        ..Config::default()
    };
    World::new(config, LIMIT, PARTITIONS)
}

fn written(klass: Klass, id: String, version: u64, company: Option<String>) -> Planned {
    let version = version.to_string();
    let email = json!({"emails": [{"type": "home", "email": format!("{id}@shop.example")}]});
    let said = json!({
        "externalId": id,
        "name": format!("Name {version}"),
        "custom": {"ingestVersionStr": version},
    });
    make::planned(Operation::KObject(KObject {
        party: Some(Box::new(Party {
            company: company.map(|id| ExternalId(id.into())),
            on_create: if klass.is_customer() {
                make::object(email)
            } else {
                make::object(json!({}))
            },
        })),
        klass,
        external_id: ExternalId(id.into()),
        customer: None,
        version: Some(Version::new(&version)),
        body: make::object(said),
        fold: None,
        deletes: false,
    }))
}

fn person(number: u64, version: u64, company: Option<String>) -> Planned {
    written(Klass::customer(), format!("u{number}"), version, company)
}

fn company(number: u64, version: u64) -> Planned {
    written(Klass::company(), format!("k{number}"), version, None)
}

/// A third of the customers get a company from their records, by version; a third from an agent; a third none.
fn company_of(person: u64, version: u64) -> Option<String> {
    person
        .is_multiple_of(3)
        .then(|| format!("k{}", (person + version) % COMPANIES))
}

fn home(person: u64) -> i32 {
    i32::try_from(person % 3).unwrap()
}

/// Kustomer ids of companies by external id.
fn companies(world: &World) -> BTreeMap<String, String> {
    let all = world.sim.companies();
    all.map(|one| (one.external_id.expect("an id"), one.id))
        .collect()
}

fn put_by_agent(world: &mut World, person: u64, body: &Value) -> bool {
    let name = format!("u{person}");
    let Some(known) = world.sim.timeline(&name) else {
        return false;
    };
    let path = format!("/v1/customers/{}", known.customer.id);
    let request = Request::new(Method::Put, &path)
        .token("sim-key")
        .text(body.to_string());
    let now = world.sim.now();
    world.sim.handle(now, &request).status == 200
}

fn requests(world: &World) -> u64 {
    world.sim.account().requests.total
}

#[test]
fn a_thousand_customers_and_their_next_states_take_fifty_a_request() {
    let mut world = world(1);
    for number in 0..1_000 {
        world.put(home(number), make::emit(vec![person(number, 1, None)]));
    }
    let replica = world.start_replica();
    world.assign_all(replica);
    assert!(world.run(HOUR), "{:?}", world.settled);
    let made = requests(&world);
    assert!(made <= 25, "{made} requests for a thousand new customers");
    for number in 0..1_000 {
        world.put(home(number), make::emit(vec![person(number, 2, None)]));
    }
    world.kick(replica);
    assert!(world.run(HOUR), "{:?}", world.settled);
    let updated = requests(&world) - made;
    assert!(
        updated <= 33,
        "{updated} requests for a thousand updates, which need to find out about revisions once"
    );
    for number in 0..1_000 {
        world.put(home(number), make::emit(vec![person(number, 3, None)]));
    }
    world.kick(replica);
    let before = requests(&world);
    assert!(world.run(HOUR), "{:?}", world.settled);
    let updated = requests(&world) - before;
    assert!(updated <= 25, "{updated} requests for a thousand updates");
    assert_eq!(world.sim.account().accepted.customers_updated, 2_000);
    assert!(world.no_invariant_broken());
}

#[test]
fn a_group_of_a_thousand_in_one_company_reads_it_once() {
    let mut world = world(2);
    world.put(0, make::emit(vec![company(1, 1)]));
    let replica = world.start_replica();
    world.assign_all(replica);
    assert!(world.run(HOUR), "{:?}", world.settled);
    world.kill(replica);
    let before = requests(&world);
    for number in 0..1_000 {
        let plan = person(number, 1, Some("k1".to_owned()));
        world.put(home(number), make::emit(vec![plan]));
    }
    let replica = world.start_replica();
    world.assign_all(replica);
    assert!(world.run(HOUR), "{:?}", world.settled);
    let used = requests(&world) - before;
    assert!(used <= 25, "{used} requests");
    let there = companies(&world)["k1"].clone();
    assert!(
        world
            .sim
            .customers()
            .all(|one| one.company.as_ref() == Some(&there))
    );
}

/// Random traffic with kills, moves and faults.
fn play(seed: u64) {
    make::number_afresh();
    let mut dice = Jitter::new(seed * 6_007 + 31);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "small numbers"
    )]
    let mut roll = move |sides: u64| (dice.unit() * sides as f64) as u64;
    let mut world = world(seed);
    if seed % 2 == 1 {
        world = world.with_state();
    }
    let (endpoint, action) = match roll(6) {
        0 => ("customer.*", json!({"action": "reset_after"})),
        1 => ("company.*", json!({"action": "reset_after"})),
        2 => (
            "customer.get_by_external_id",
            json!({"action": "status", "status": 503}),
        ),
        3 => ("company.list", json!({"action": "status", "status": 503})),
        4 => (
            "*",
            json!({"action": "latency", "median_ms": 300, "p99_ms": 9_000}),
        ),
        _ => (
            "*",
            json!({"action": "status", "status": 429, "scope": "org"}),
        ),
    };
    let script = json!({"rules": [{"when": {"endpoint": endpoint, "every": 4, "to_ms": 90_000}, "do": action}]});
    world
        .sim
        .inject(FaultScript::parse(&script.to_string()).expect("a script"));
    let mut alive = vec![world.start_replica(), world.start_replica()];
    world.assign_all(alive[0]);
    let mut newest: BTreeMap<u64, u64> = BTreeMap::new();
    let mut newest_company: BTreeMap<u64, u64> = BTreeMap::new();
    let mut chosen: BTreeMap<u64, String> = BTreeMap::new();
    let mut key = 0;
    for turn in 0..8 {
        for _ in 0..40 {
            let who = roll(PEOPLE);
            match roll(6) {
                0 => {
                    let number = roll(COMPANIES);
                    let version = turn * 10 + roll(10);
                    newest_company
                        .entry(number)
                        .and_modify(|at| *at = version.max(*at))
                        .or_insert(version);
                    world.put(0, make::emit(vec![company(number, version)]));
                }
                1 => {
                    key += 1;
                    world.put(
                        home(who),
                        make::emit(vec![make::track(who, key, key % 40_000)]),
                    );
                }
                _ => {
                    let version = turn * 10 + roll(10);
                    newest
                        .entry(who)
                        .and_modify(|at| *at = version.max(*at))
                        .or_insert(version);
                    let plan = person(who, version, company_of(who, version));
                    world.put(home(who), make::emit(vec![plan]));
                }
            }
        }
        for replica in alive.clone() {
            world.kick(replica);
        }
        world.run(Duration::from_millis(200 + roll(9_000)));
        // An agent gives customers a company; nobody else may take it away.
        let known: Vec<String> = companies(&world).into_values().collect();
        for who in (1..PEOPLE).step_by(3) {
            if roll(4) == 0
                && let Some(company) = known.get(usize::try_from(roll(5)).unwrap())
                && put_by_agent(&mut world, who, &json!({ "company": company }))
            {
                chosen.insert(who, company.clone());
            }
        }
        let one = alive[usize::try_from(roll(2)).unwrap()];
        match roll(4) {
            0 => world.move_partition(i32::try_from(roll(3)).unwrap(), one),
            1 => {
                world.kill(one);
                alive.retain(|replica| *replica != one);
                alive.push(world.start_replica());
            }
            _ => {}
        }
        world.assign_free(&alive);
    }
    let settle = |world: &mut World, alive: &[usize]| {
        for _ in 0..4 {
            world.assign_free(alive);
            for replica in alive {
                world.kick(*replica);
            }
            world.run(Duration::from_secs(30));
        }
        assert!(world.run(HOUR), "seed {seed}: {:?}", world.settled);
    };
    // All companies are there in the end, and then every customer gets a last state. Updates of companies have no revision: a job
    // of a replica that is gone may still set one back, so those end first.
    settle(&mut world, &alive);
    world.run_on(Duration::from_secs(120));
    for number in 0..COMPANIES {
        newest_company.insert(number, 90);
        world.put(0, make::emit(vec![company(number, 90)]));
    }
    settle(&mut world, &alive);
    world.run_on(Duration::from_secs(120));
    for who in 0..PEOPLE {
        newest.insert(who, 99);
        let plan = person(who, 99, company_of(who, 99));
        world.put(home(who), make::emit(vec![plan]));
    }
    settle(&mut world, &alive);
    assert!(world.no_invariant_broken(), "seed {seed}");
    assert!(world.letters.is_empty(), "seed {seed}: {:?}", world.letters);
    let ids = companies(&world);
    assert_eq!(ids.len() as u64, COMPANIES, "seed {seed}");
    for one in world.sim.companies() {
        assert_eq!(one.title, "Name 90", "seed {seed}");
    }
    assert_eq!(world.sim.account().customers_total, PEOPLE, "seed {seed}");
    for (who, version) in newest {
        let found = world.sim.timeline(&format!("u{who}")).expect("a customer");
        let shown = &found.attributes;
        assert_eq!(
            shown["name"],
            format!("Name {version}"),
            "seed {seed}: u{who}"
        );
        assert_eq!(
            shown["custom"]["ingestVersionStr"],
            version.to_string(),
            "seed {seed}: u{who}"
        );
        let wanted = match company_of(who, version) {
            Some(company) => Some(ids[&company].clone()),
            None => chosen.get(&who).cloned(),
        };
        assert_eq!(found.customer.company, wanted, "seed {seed}: u{who}");
    }
    let stale: usize = (0..world.replicas.len())
        .map(|replica| world.count(replica, |fact| matches!(fact, Fact::Conflict)))
        .sum();
    assert!(stale < 2_000, "seed {seed}: {stale} conflicts");
}

#[test]
fn schedules_leave_every_customer_with_its_newest_state_and_its_company() {
    for seed in 0..40 {
        play(seed);
    }
}

/// Where the organisation ignores revisions, each update follows a read.
#[test]
fn a_company_is_kept_where_revisions_are_ignored() {
    let mut config = Config {
        limit: u64::from(LIMIT),
        ..Config::default()
    };
    config.switches.rev = Rev::Ignore;
    config.switches.duplicates = Duplicates::Refuse;
    let mut world = World::new(config, LIMIT, PARTITIONS);
    world.put(0, make::emit(vec![company(1, 1)]));
    for number in 0..30 {
        world.put(home(number), make::emit(vec![person(number, 1, None)]));
    }
    let replica = world.start_replica();
    world.assign_all(replica);
    assert!(world.run(HOUR), "{:?}", world.settled);
    let there = companies(&world)["k1"].clone();
    for version in 2..5 {
        if version == 3 {
            for number in 0..30 {
                assert!(put_by_agent(
                    &mut world,
                    number,
                    &json!({ "company": there })
                ));
            }
        }
        for number in 0..30 {
            world.put(
                home(number),
                make::emit(vec![person(number, version, None)]),
            );
        }
        world.kick(replica);
        assert!(world.run(HOUR), "{:?}", world.settled);
    }
    let kept = |one: &kustomer_sim::CustomerView| one.company.as_ref() == Some(&there);
    assert!(world.sim.customers().all(|one| kept(&one)));
}
