//! Many customers that Kustomer does not know: the limit is used, and no customer is created twice.

use std::collections::BTreeMap;
use std::time::Duration;

use kustomer_sim::{Account, Config};

use super::world::{World, make};

const LIMIT: u32 = 1_000;
const ALLOWED: u64 = 800;
/// A customer's records are in one of them.
const PARTITIONS: i32 = 6;
const HOUR: Duration = Duration::from_secs(3_600);

/// The result of a run.
struct Figures {
    account: Account,
    /// For every window but the last, requests for each hundred that are allowed.
    spent: Vec<u64>,
    duplicates: u64,
}

/// One of a customer's records.
enum Record {
    /// An order with this number.
    Order(u64),
    Event,
    Identify,
}

fn world() -> World {
    let config = Config {
        limit: u64::from(LIMIT),
        ..Config::default()
    };
    World::new(config, LIMIT, PARTITIONS)
}

/// Puts in records, each with its customer and its content.
fn put(world: &mut World, records: impl IntoIterator<Item = (u64, Record)>) {
    for (n, (who, record)) in (0..).zip(records) {
        let planned = match record {
            Record::Order(number) => make::order(number, 1, who),
            Record::Event => make::track(who, n, 1),
            Record::Identify => make::identify(who, "Ann"),
        };
        let partition = i32::try_from(who % 6).unwrap();
        world.put(partition, make::emit(vec![planned]));
    }
}

/// A replica that knows nobody delivers everything.
#[expect(clippy::print_stderr, reason = "a test that says what it measured")]
fn deliver(world: &mut World) -> Figures {
    let replica = world.start_replica();
    world.assign_all(replica);
    assert!(world.run(HOUR), "not done: {:?}", world.settled);
    assert!(world.no_invariant_broken());
    let account = world.sim.account();
    assert_eq!(account.refused.get("org_limit"), None);
    assert_eq!(account.refused.get("search_limit"), None);
    assert_eq!(account.repeated, kustomer_sim::Judged::default());
    let complete = account.windows.len() - 1;
    let spent = account.windows.iter().take(complete);
    let duplicates = account.bulk.item_errors.iter();
    let figures = Figures {
        spent: spent.map(|one| one.spent * 100 / ALLOWED).collect(),
        duplicates: duplicates
            .filter(|(error, _)| error.contains("duplicate"))
            .map(|(_, count)| count)
            .sum(),
        account,
    };
    eprintln!(
        "spent {:?} %; {} duplicates; {:?}",
        figures.spent, figures.duplicates, figures.account.requests
    );
    figures
}

fn assert_used(figures: &Figures, complete: usize) {
    assert!(figures.spent.len() >= complete, "{:?}", figures.spent);
    assert!(
        figures.spent.iter().all(|spent| *spent >= 97),
        "{:?}",
        figures.spent
    );
}

/// `INGEST_NEW_CUSTOMERS=N` sets how many.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "a test whose size is set from outside"
)]
fn orders_of_customers_nobody_knows_use_the_whole_limit() {
    let customers = std::env::var("INGEST_NEW_CUSTOMERS").ok();
    let customers = customers.and_then(|text| text.parse().ok());
    let customers: u64 = customers.unwrap_or(42_000);
    let mut world = world();
    put(&mut world, (0..customers).map(|n| (n, Record::Order(n))));
    let figures = deliver(&mut world);
    assert_used(&figures, 2);
    assert_eq!(figures.account.kobjects_total, customers);
    assert_eq!(figures.account.customers_total, customers);
    assert_eq!(figures.duplicates, 0);
    let requests = figures.account.requests.total;
    assert!(requests <= customers / 20, "{requests}");
}

#[test]
fn whoever_has_an_event_waiting_is_not_made_beside_it() {
    let mut world = world();
    // An event or an identify beside the order, before or after it; or the order alone.
    let records = (0..12_000).flat_map(|n| match n % 4 {
        0 => vec![(n, Record::Event), (n, Record::Order(n))],
        1 => vec![(n, Record::Order(n)), (n, Record::Event)],
        2 => vec![(n, Record::Identify), (n, Record::Order(n))],
        _ => vec![(n, Record::Order(n))],
    });
    put(&mut world, records);
    let figures = deliver(&mut world);
    assert_used(&figures, 5);
    assert_eq!(figures.account.kobjects_total, 12_000);
    assert_eq!(figures.account.customers_total, 12_000);
    assert!(figures.duplicates <= 20, "{}", figures.duplicates);
}

/// A replica that knows nobody delivers this many orders of customers that all exist. Returns the result, and how often each
/// endpoint was asked.
fn deliver_to_known(customers: u64) -> (Figures, impl Fn(&str) -> u64) {
    let mut world = world();
    put(&mut world, (0..customers).map(|n| (n, Record::Order(n))));
    let before = deliver(&mut world);
    world.kill(0);
    let orders = (0..customers).map(|n| (n, Record::Order(customers + n)));
    put(&mut world, orders);
    let mut after = deliver(&mut world);
    assert_eq!(after.account.customers_total, customers);
    assert_eq!(after.account.kobjects_total, 2 * customers);
    // The window in which one ended and the other began belongs to neither.
    let begun = before.account.windows.len();
    after.spent = after.spent.split_off(begun.min(after.spent.len()));
    let total = after.account.requests.by_endpoint.clone();
    let earlier = before.account.requests.by_endpoint;
    let count = move |endpoint: &str| {
        let of = |counts: &BTreeMap<String, u64>| counts.get(endpoint).copied().unwrap_or_default();
        of(&total) - of(&earlier)
    };
    (after, count)
}

#[test]
fn customers_that_are_there_are_searched_for_and_not_made() {
    let (_, count) = deliver_to_known(6_000);
    let (searches, creates) = (count("customer.search"), count("customer.bulk_create"));
    assert!((60..=70).contains(&searches), "{searches}");
    assert!(creates <= 1, "{creates}");
}

#[test]
fn idle_permits_find_customers_for_whom_no_search_is_left() {
    let (figures, count) = deliver_to_known(20_000);
    assert_used(&figures, 1);
    let searches = count("customer.search");
    assert!((100..=220).contains(&searches), "{searches}");
    assert!(count("tracking.identity") >= 300, "each finds one");
}
