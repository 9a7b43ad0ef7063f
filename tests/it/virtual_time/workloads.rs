//! Named workloads: what they cost, beside what they cost at least, and what a simple sender spends.

use std::time::Duration;

use super::world::shop::percentile;
use super::world::workloads::naive::Naive;
use super::world::workloads::oracle::fewest;
use super::world::workloads::play::{Figures, Play};
use super::world::workloads::{Kind, OrderBook, Orders, Piece, Visits, noisy};

/// Requests a minute of the smallest plan, so that a backlog lasts for minutes.
const LIMIT: u32 = 300;
const CUSTOMERS: u64 = 4_000;

fn orders(seed: u64, changes: u32, records: usize) -> Vec<Piece> {
    let what = Orders {
        customers: CUSTOMERS,
        skew: 0.5,
        changes,
    };
    let mut book = OrderBook::new(what, seed);
    (0..records).map(|_| book.next()).collect()
}

fn play(seed: u64, replicas: usize, known: u64) -> Play {
    Play {
        limit: LIMIT,
        seed,
        replicas,
        known,
    }
}

#[expect(clippy::print_stderr, reason = "a test that says what it measured")]
fn say(name: &str, figures: &Figures) {
    eprintln!(
        "{name}: {} records, {} requests ({} for nothing), {:.1} records each, {:.0} s; spent {:.3?}, at most {:.3}; {:?}",
        figures.records,
        figures.units,
        figures.idle,
        figures.per_unit(),
        figures.took.as_secs_f64(),
        figures.spent,
        figures.most,
        figures.by_endpoint,
    );
}

#[test]
fn a_backlog_of_orders_fills_its_requests_and_uses_the_allowance() {
    let pieces = orders(1, 0, 60_000);
    for replicas in [1, 2, 4] {
        let figures = play(1, replicas, CUSTOMERS).backlog(&pieces);
        say(&format!("W1, {replicas} replicas"), &figures);
        assert!(figures.per_unit() >= 45.0, "{}", figures.per_unit());
        uses_the_allowance(&figures);
    }
}

#[test]
fn changed_orders_cost_hardly_more_than_they_must() {
    let pieces = orders(2, 35, 20_000);
    let figures = play(2, 1, CUSTOMERS).backlog(&pieces);
    say("W1 with changes", &figures);
    let least = fewest(&pieces, true);
    assert!(
        10 * figures.units <= 11 * least,
        "{} of {least}",
        figures.units
    );
}

/// A whole minute under backlog spends the allowance, and none more than that.
fn uses_the_allowance(figures: &Figures) {
    let least = figures.least_spent().unwrap();
    let spent = &figures.spent;
    assert!(spent.len() >= 2 && least >= 0.97, "{spent:?}");
    assert!(figures.most <= 1.0, "{} in a minute", figures.most);
}

#[test]
fn a_shops_visits_cost_a_fraction_of_a_request_for_each_record() {
    let mut visits = Visits::new(2_000, 3);
    let pieces: Vec<Piece> = (0..10_000).map(|_| visits.next()).collect();
    let figures = play(3, 1, 0).backlog(&pieces);
    say("W2", &figures);
    uses_the_allowance(&figures);
    for replicas in [2, 4] {
        let figures = play(3, replicas, 0).backlog(&pieces);
        say(&format!("W2, {replicas} replicas"), &figures);
        uses_the_allowance(&figures);
    }
    let mut naive = Naive::new(play(3, 1, 0).config(), 240);
    for piece in pieces.iter().take(1_000) {
        naive.send(piece);
    }
    say_others(&naive, 1_000, fewest(&pieces, false));
    let views: Vec<Piece> = pieces
        .iter()
        .filter(|piece| piece.kind == Kind::View)
        .copied()
        .collect();
    let browsing = play(3, 1, 0).backlog(&views);
    say("W2, browsing alone", &browsing);
    assert!(browsing.per_unit() >= 40.0, "{}", browsing.per_unit());
    assert!(naive.units >= 1_000 && naive.refused == 0);
    assert!(figures.per_unit() >= 4.5, "{}", figures.per_unit());
}

#[expect(clippy::print_stderr, reason = "a test that says what it measured")]
fn say_others(naive: &Naive, records: u64, least: u64) {
    eprintln!(
        "a simple sender: {} requests for {records} records, {} s; nobody could do with less than {least} for all",
        naive.units,
        naive.seconds()
    );
}

#[test]
fn a_customer_with_half_of_all_events_costs_no_more_than_its_events() {
    let pieces: Vec<Piece> = (1..=6_000).map(|number| noisy(number, 900)).collect();
    for replicas in [1, 2, 4] {
        let play = Play {
            limit: 1_000,
            ..play(4, replicas, 0)
        };
        let figures = play.backlog(&pieces);
        say(&format!("W4, {replicas} replicas"), &figures);
        // What is spent while others have events, lending.rs asserts; then one customer's follow each other.
        assert_eq!(figures.units, fewest(&pieces, false));
        assert!(figures.most <= 1.0, "{} in a minute", figures.most);
    }
}

/// The same visits as they come, browsing in digests, at such a part of what the budget carries of a backlog, seeds 1 to 3: a
/// backlog's requests as a part of theirs, what they waited in the median, and 99 %, in seconds.
#[expect(clippy::print_stderr, reason = "a test that says what it measured")]
fn visits(load: f64, seconds: u64) -> [(f64, f64, f64); 3] {
    [1, 2, 3].map(|seed| {
        let play = Play {
            limit: 1_000,
            ..play(seed, 1, 0)
        };
        let mut visits = Visits::new(2_000, seed);
        let pieces: Vec<Piece> = (0..10_000).map(|_| visits.next()).collect();
        let full = play.backlog(&pieces).per_unit();
        let mut visits = Visits::new(2_000, seed);
        let rate = load * full * play.allowed() / 60.0;
        let (figures, _, waits) = play.stream(|| visits.next(), rate, Duration::from_secs(seconds));
        let (median, most) = (percentile(&waits.all, 50), percentile(&waits.all, 99));
        say(&format!("W7 at {load}, seed {seed}"), &figures);
        let dearer = full / figures.per_unit();
        let of = |kind| percentile(&waits.by_kind[&kind], 50);
        let (events, orders) = (of(Kind::Checkout), of(Kind::Order));
        eprintln!(
            "{dearer:.2} times a backlog's requests; waits {median:.3} s (events {events:.3} s, orders {orders:.3} s, identities {:.3} s), 99 % {most:.3} s",
            of(Kind::Identify)
        );
        assert!(figures.most <= 1.0, "{} in a minute", figures.most);
        assert!(events <= 3.0 && orders <= 10.0, "{events} s, {orders} s");
        (dearer, median, most)
    })
}

#[test]
fn visits_leave_as_they_come_while_there_is_room() {
    for (_, median, most) in visits(0.3, 240) {
        assert!(median <= 0.1 && most <= 0.5, "{median} s, 99 % {most} s");
    }
}

#[test]
fn near_the_quota_visits_cost_hardly_more_than_in_a_backlog() {
    let mut all = visits(0.95, 600);
    all.sort_by(|one, other| one.0.total_cmp(&other.0));
    assert!(all[1].0 <= 1.1, "{all:?}");
    all.sort_by(|one, other| one.1.total_cmp(&other.1));
    // Identities wait for an event of their visit, and orders for each other. Without the first, it was 17 s.
    assert!(all[1].1 <= 8.0, "{all:?}");
}

#[test]
#[expect(clippy::print_stderr, reason = "a test that says what it measured")]
fn a_backfill_beside_live_records_uses_what_they_leave() {
    let old = orders(3, 0, 40_000);
    let (figures, pieces, waits) = play(3, 1, CUSTOMERS).beside(&old, 2.0);
    say("W3", &figures);
    let live = pieces.len() - old.len();
    let least = fewest(&pieces, true);
    let (median, most) = (percentile(&waits, 50), percentile(&waits, 99));
    eprintln!(
        "W3: {live} of them live, {least} requests at least; live ones waited {median:.3} s, 99 % {most:.3} s"
    );
    assert_eq!(waits.len(), live, "every live record was sent");
    assert!(median <= 0.1 && most <= 2.0, "{median} s, 99 % {most} s");
    uses_the_allowance(&figures);
    let own = figures.old_per_unit(old.len());
    eprintln!("W3: {own:.1} records of backfill for each of its own requests");
    assert!(own >= 45.0, "{own} records a request of backfill");
    uses_at_least(0.97, &play(3, 2, CUSTOMERS), &old, 2.0);
    // Where two of four come to the end of their backfill first, they keep what their live records may need (benchmarks.md).
    for seed in [3, 4, 5] {
        uses_at_least(0.92, &play(seed, 4, CUSTOMERS), &old, 2.0);
    }
}

#[test]
fn replicas_use_what_live_records_leave() {
    let old = orders(3, 0, 133_000);
    for replicas in [2, 4] {
        let play = Play {
            limit: 1_000,
            ..play(3, replicas, CUSTOMERS)
        };
        uses_at_least(0.96, &play, &old, 6.7);
    }
}

/// Backfill beside live records at such a rate.
fn uses_at_least(least: f64, play: &Play, old: &[Piece], live_rate: f64) {
    let (figures, _, _) = play.beside(old, live_rate);
    let name = format!("W3 at {}, {} replicas", play.limit, play.replicas);
    say(&name, &figures);
    let spent = figures.least_spent().unwrap();
    assert!(spent >= least, "{name}: {:?}", figures.spent);
    assert!(figures.most <= 1.0, "{} in a minute", figures.most);
}
