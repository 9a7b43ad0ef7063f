//! Unacceptable items in an organisation that refuses whole requests: what each costs, and that nothing else suffers.

use std::collections::HashSet;
use std::sync::OnceLock;
use std::time::Duration;

use ingest_model::operation::MissingCustomer;
use kustomer_sim::Config;
use serde_json::json;

use super::world::{Traced, World, make};

const RECORDS: u64 = 100_000;
/// One in this many is unacceptable.
const ONE_IN: u64 = 1_000;
const BAD: u64 = RECORDS / ONE_IN;
const CUSTOMERS: u64 = 100;

/// Which items are unacceptable: they are spread over the requests, sometimes two of them close together.
fn is_bad(n: u64) -> bool {
    let block = n / ONE_IN;
    let place = block.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    n % ONE_IN == place % ONE_IN
}

/// Delivers the records to an organisation of this kind, and returns how many requests that took.
fn deliver(invalid: &str, with_bad: bool) -> (World, u64) {
    let config = Config {
        limit: 2_000,
        ..Config::default()
    };
    let config = config
        .with("bulk-invalid", invalid)
        .and_then(|config| config.with("create-limit", "0"))
        .expect("switches of the simulator");
    let mut world = World::new(config, 2_000, 3);
    // Few customers have all of the orders; how many of each may be made in a minute is not what this is about.
    world.settings.creates_per_customer = 1_000_000;
    world.start_replica();
    world.trace = Some(Vec::new());
    for n in 0..RECORDS {
        let custom = if with_bad && is_bad(n) {
            json!({"total": "without a suffix"})
        } else {
            json!({"totalNum": 1.5})
        };
        let create = MissingCustomer::Create;
        let order = make::order_of("order", n, 1, n % CUSTOMERS, create, custom);
        world.put(
            i32::try_from(n % 3).expect("three"),
            make::emit(vec![order]),
        );
    }
    world.assign_all(0);
    assert!(world.run(Duration::from_secs(3_600)), "{:?}", world.settled);
    assert!(world.no_invariant_broken());
    let bad = if with_bad { BAD } else { 0 };
    let account = world.sim.account();
    assert_eq!(account.kobjects_total, RECORDS - bad);
    assert_eq!(account.repeated.kobjects, 0);
    assert_eq!(world.settled.get("delivered"), Some(&(RECORDS - bad)));
    let letters: u32 = world.letters.values().sum();
    assert_eq!(u64::from(letters), bad);
    let requests = account.requests.total;
    (world, requests)
}

/// The writes and the requests of the run without bad items. It does not depend on what is refused, so it runs once.
fn clean() -> (u64, u64) {
    static CLEAN: OnceLock<(u64, u64)> = OnceLock::new();
    *CLEAN.get_or_init(|| {
        let (world, requests) = deliver("request", false);
        (writes(&world).0, requests)
    })
}

/// Requests about objects, and how many of them were refused; reads of jobs do not count.
fn writes(world: &World) -> (u64, u64) {
    let (mut all, mut refusals) = (0, 0);
    for traced in world.trace.iter().flatten() {
        if let Traced::Write { refused, .. } = traced {
            all += 1;
            refusals += u64::from(*refused);
        }
    }
    (all, refusals)
}

/// This counts the writes above those of the same run without bad items. A job is read a second time if it takes longer
/// than most, so the reads of two runs differ by chance: by less than 2 % of all requests.
#[test]
fn an_item_that_the_error_names_costs_two_requests() {
    let (needed, without) = clean();
    let (world, with) = deliver("request", true);
    let (sent, refused) = writes(&world);
    assert_eq!(refused, 2 * BAD, "the whole, then the item alone");
    assert!(
        sent <= needed + 2 * BAD,
        "{sent} writes instead of {needed}"
    );
    assert!(
        with <= without + 2 * BAD + without / 50,
        "{with} requests instead of {without}"
    );
}

/// This is counted in two ways: the requests above those of the same run without bad items, and, for each item, the requests
/// of its search ([`searches`]) less what the good items in them would have cost in full requests: two for a hundred,
/// the submission and the read of its job.
#[test]
fn an_item_that_is_not_named_is_found_by_trying_parts() {
    let (_, without) = clean();
    let (world, with) = deliver("request-unnamed", true);
    let extra = with.saturating_sub(without);
    assert!(extra <= 12 * BAD, "{extra} requests more for {BAD} items");
    let searches = searches(world.trace.as_deref().expect("a trace"));
    assert_eq!(searches.len() as u64, BAD, "each was found");
    let hundredths: Vec<u64> = searches
        .iter()
        .map(|search| 100 * search.requests - 2 * search.delivered)
        .collect();
    let all: u64 = hundredths.iter().sum();
    assert!(all <= 1_200 * BAD, "{hundredths:?} hundredths of a request");
    assert!(
        // Twelve, and six jobs that are read twice.
        hundredths.iter().all(|one| *one <= 1_800),
        "{hundredths:?} hundredths of a request"
    );
}

/// The search for one guilty item.
struct Search {
    suspects: HashSet<String>,
    /// The request that was refused as a whole, every attempt with a part of its items until a single one was refused, and
    /// every read of a job in between.
    requests: u64,
    jobs: HashSet<String>,
    /// Items that were accepted on the way.
    delivered: u64,
    over: bool,
}

fn searches(trace: &[Traced]) -> Vec<Search> {
    let mut searches: Vec<Search> = Vec::new();
    for traced in trace {
        match traced {
            Traced::Read(job) => {
                for search in &mut searches {
                    search.requests += u64::from(search.jobs.contains(job.as_ref()));
                }
            }
            Traced::Write {
                objects,
                refused,
                job,
            } => {
                let about = |search: &Search| {
                    !search.over && objects.iter().all(|id| search.suspects.contains(id))
                };
                let Some(search) = searches.iter_mut().find(|search| about(search)) else {
                    if *refused {
                        searches.push(Search {
                            suspects: objects.iter().cloned().collect(),
                            requests: 1,
                            jobs: HashSet::new(),
                            delivered: 0,
                            over: false,
                        });
                    }
                    continue;
                };
                search.requests += 1;
                search.jobs.extend(job.iter().map(ToString::to_string));
                if *refused {
                    search.suspects = objects.iter().cloned().collect();
                    search.over = objects.len() == 1;
                } else {
                    search.delivered += objects.len() as u64;
                    search.suspects.retain(|id| !objects.contains(id));
                }
            }
        }
    }
    searches
}
