//! Every example below `schemas/events`, through the mapping that is shipped for its format and the real machine: the requests that
//! reach an empty organisation, as the client encodes them, are snapshots.
//!
//! `INSTA_UPDATE=always` writes them anew. Read the difference as you would read code: it is what Kustomer is told.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use ingest_kustomer::encode::{HttpRequest, Method};
use ingest_mapping::decode::Limits;
use ingest_mapping::mapping::Mapping;
use ingest_mapping::route::Pipeline;
use ingest_model::operation::{
    CustomerKey, CustomerRef, Identify, KObject, MissingCustomer, Operation, Planned,
};
use ingest_model::outcome::Verdict;
use ingest_model::record::Record;
use jiff::Timestamp;
use kustomer_sim::Config;
use serde_json::{Value, json};

use super::support::{NOW_MS, files, record, schemas, stem};
use super::world::{World, make};

/// Parked operations give up in that time.
const DAY: Duration = Duration::from_secs(86_400);

/// Routes whose events need a header, with an example and the header that makes it one.
const WITH_HEADERS: &[(&str, &str, &str, &str)] = &[
    (
        "debezium",
        "order-deleted",
        "__debezium.newkey",
        "{\"id\":2001}",
    ),
    (
        "debezium",
        "customer-deleted",
        "__debezium.newkey",
        "{\"id\":8}",
    ),
];

/// One line for the path, one for the body; of long lists the first item and the number of the others.
fn line(request: &HttpRequest) -> String {
    let method = match request.method {
        Method::Get => "GET",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Delete => "DELETE",
    };
    let mut line = format!("  {method} {}", request.path);
    if let Some(body) = &request.body {
        let mut body: Value = serde_json::from_slice(body).unwrap();
        shorten(&mut body);
        write!(line, "\n    {body}").unwrap();
    }
    line
}

fn shorten(value: &mut Value) {
    match value {
        Value::Array(items) => {
            let count = items.len();
            if count > 4 {
                items.truncate(1);
                items.push(json!(format!("… {} more", count - 1)));
            }
            items.iter_mut().for_each(shorten);
        }
        Value::Object(fields) => fields.values_mut().for_each(shorten),
        Value::String(text) if text.chars().count() > 200 => {
            let count = text.chars().count() - 40;
            *text = text.chars().take(40).collect();
            write!(text, "… {count} more").unwrap();
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// An organisation that has the klasses of the mapping, and nothing else.
fn world(mapping: &Mapping) -> World {
    let written = mapping.klasses();
    let written = written.iter().map(|klass| klass.klass.to_string());
    let asked = mapping.owners_of();
    let asked = asked.iter().map(ToString::to_string);
    let klasses: BTreeSet<String> = written.chain(asked).collect();
    let config = Config {
        klasses: klasses.into_iter().collect(),
        ..Config::default()
    };
    let mut world = World::new(config, 1_000, 1);
    world.settings.owners_of = mapping.owners_of();
    world
}

/// What happened to one record.
struct Played {
    /// The requests and what became of the record, as a snapshot has them.
    text: String,
    requests: usize,
    /// What became of it.
    settled: String,
}

/// What happens to one record where these are there.
fn play(mapping: &Mapping, verdict: Verdict, there: Vec<Planned>) -> Played {
    let mut world = world(mapping);
    let replica = world.start_replica();
    world.assign_all(replica);
    if !there.is_empty() {
        world.put(0, make::emit(there));
        world.kick(replica);
        assert!(world.run(DAY), "{:?}", world.settled);
        assert_eq!(world.settled.remove("delivered"), Some(1));
    }
    world.wire = Some(Vec::new());
    world.put_event(0, Some(NOW_MS), verdict);
    world.kick(replica);
    assert!(world.run(DAY), "{:?}", world.settled);
    assert!(world.no_invariant_broken());
    let mut text = String::new();
    let requests = world.wire.take().unwrap();
    let lines: Vec<String> = requests.iter().map(line).collect();
    for same in lines.chunk_by(|a, b| a == b) {
        writeln!(text, "{}", same[0]).unwrap();
        if same.len() > 1 {
            writeln!(text, "    {} times", same.len()).unwrap();
        }
    }
    let all: Vec<(String, u64)> = world
        .settled
        .iter()
        .map(|(verdict, count)| ((*verdict).to_owned(), *count))
        .collect();
    let [(settled, 1)] = all.as_slice() else {
        panic!("one record, once: {all:?}");
    };
    writeln!(text, "  {settled}").unwrap();
    Played {
        text,
        requests: requests.len(),
        settled: settled.clone(),
    }
}

/// How records travel that arrive at the same time: the writes, counted.
fn together(mapping: &Mapping, verdicts: Vec<Verdict>) -> String {
    let mut world = world(mapping);
    world.wire = Some(Vec::new());
    for verdict in verdicts {
        world.put_event(0, Some(NOW_MS), verdict);
    }
    let replica = world.start_replica();
    world.assign_all(replica);
    assert!(world.run(DAY), "together: {:?}", world.settled);
    assert!(world.no_invariant_broken());
    let mut writes: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for request in world.wire.take().unwrap() {
        if request.method == Method::Get {
            continue;
        }
        let body = request.body.as_deref().unwrap_or(b"null");
        let body: Value = serde_json::from_slice(body).unwrap();
        let items = body.as_array().map_or(1, Vec::len);
        let line = line(&HttpRequest {
            body: None,
            ..request
        });
        let (requests, all) = writes.entry(line).or_default();
        *requests += 1;
        *all += items;
    }
    let mut text = String::new();
    for (line, (requests, items)) in writes {
        writeln!(text, "{line}: {requests} requests, {items} items").unwrap();
    }
    for (verdict, count) in &world.settled {
        writeln!(text, "  {verdict}: {count}").unwrap();
    }
    text
}

/// What makes the customers of a record's operations known: an identity of them, or the object that names them.
fn who_is_needed(verdict: &Verdict) -> Vec<Planned> {
    let customers = verdict.planned().iter();
    let mut needed: Vec<Planned> = Vec::new();
    for customer in customers.filter_map(|one| one.operation.customer()) {
        let one = match customer.owner().and_then(CustomerKey::object) {
            Some((klass, external_id)) => {
                let Operation::KObject(order) = make::order(1, 1, 1).operation else {
                    unreachable!("an order is an object");
                };
                let body = make::object(json!({ "externalId": external_id.0, "title": "There" }));
                Operation::KObject(KObject {
                    klass,
                    external_id,
                    body,
                    version: None,
                    ..order
                })
            }
            None => Operation::Identify(Identify {
                customer: CustomerRef::new(customer.keys().to_vec(), MissingCustomer::Create)
                    .unwrap(),
                fields: make::object(json!({ "name": "There" })),
            }),
        };
        if needed.iter().all(|other| other.operation != one) {
            needed.push(make::planned(one));
        }
    }
    needed
}

fn routes_of(verdict: &Verdict) -> Vec<String> {
    let planned = verdict.planned().iter().map(|one| one.route.to_string());
    let rejected = match verdict {
        Verdict::Reject(rejected) => rejected.route.as_deref().map(str::to_owned),
        Verdict::Emit(_) | Verdict::Skip(_) | Verdict::Batch(_) => None,
    };
    planned.chain(rejected).collect()
}

#[test]
fn every_example_as_requests() {
    let now = Timestamp::from_millisecond(NOW_MS).unwrap();
    let mut unused = Vec::new();
    for path in files(&schemas().join("mappings"), "yaml") {
        let name = stem(&path);
        let text = fs::read_to_string(&path).unwrap();
        let mapping = Arc::new(Mapping::compile(&text, &name).unwrap());
        let format = mapping.format().unwrap();
        let pipeline = Pipeline::new(format, Limits::default(), Arc::clone(&mapping)).unwrap();
        let events = schemas().join("events").join(format.as_str());
        let mut used = BTreeSet::new();
        let mut told = String::new();
        let mut all = Vec::new();
        let mut tell = |title: &str, record: &Record| {
            let (_, verdict) = pipeline.explain(record, now);
            used.extend(routes_of(&verdict));
            used.extend(pipeline.dropped_by(record).map(|(route, _)| route));
            write!(told, "{title}").unwrap();
            match &verdict {
                Verdict::Skip(reason) => writeln!(told, ": skipped, {}", reason.as_str()).unwrap(),
                Verdict::Reject(rejected) => {
                    writeln!(told, ": rejected, {}", rejected.reason.as_str()).unwrap();
                }
                Verdict::Emit(_) | Verdict::Batch(_) => {
                    all.push(verdict.clone());
                    let needed = who_is_needed(&verdict);
                    let alone = play(&mapping, verdict.clone(), Vec::new());
                    writeln!(told, "\n{}", alone.text).unwrap();
                    if alone.settled == "dead_lettered" {
                        let known = play(&mapping, verdict, needed);
                        assert_eq!(known.settled, "delivered", "{title}: {}", known.text);
                        writeln!(told, "{title}, whose customer is known\n{}", known.text).unwrap();
                    }
                }
            }
        };
        for example in files(&events.join("valid"), "json") {
            tell(&stem(&example), &record(fs::read(&example).unwrap(), &[]));
        }
        let with = WITH_HEADERS.iter().filter(|(of, ..)| *of == name);
        for (_, example, header, value) in with {
            let file = events.join("valid").join(format!("{example}.json"));
            let record = record(fs::read(&file).unwrap(), &[(header, value)]);
            tell(&format!("{example}, with the header {header}"), &record);
        }
        writeln!(told, "all of them at once\n{}", together(&mapping, all)).unwrap();
        insta::assert_snapshot!(format!("requests-{name}"), told);
        let routes = mapping.routes();
        let never = routes.iter().filter(|route| !used.contains(&*route.name));
        unused.extend(never.map(|route| format!("{name}: {}", route.name)));
        // What is rejected costs no request, whatever the machine does with it.
        for example in files(&events.join("invalid"), "json") {
            let (_, verdict) = pipeline.explain(&record(fs::read(&example).unwrap(), &[]), now);
            let played = play(&mapping, verdict, Vec::new());
            let (example, text) = (example.display(), played.text);
            assert_eq!(played.requests, 0, "{example}: {text}");
            assert_eq!(played.settled, "dead_lettered", "{example}: {text}");
        }
    }
    assert_eq!(
        unused,
        Vec::<String>::new(),
        "no example takes these routes"
    );
}
