//! Named workloads in virtual time: what they cost, beside the fewest requests that anybody could need and a simple sender.

mod streams;

use std::fmt::Write as _;

use anyhow::Context as _;

use crate::figures::number;
use crate::world::shop::percentile;
use crate::world::workloads::naive::Naive;
use crate::world::workloads::oracle::fewest;
use crate::world::workloads::play::{Figures, Play};
use crate::world::workloads::{OrderBook, Orders, Piece, Visits, noisy};

/// The name on the command line.
pub(crate) const NAME: &str = "workloads";

/// Requests a minute of the organisation.
const LIMIT: u32 = 1_000;
/// Customers of the orders, and how uneven they are.
const CUSTOMERS: u64 = 20_000;
const SKEW: f64 = 0.5;
/// Live records a second beside a backfill: half of them events, half orders.
const LIVE: f64 = 8.0;
/// The simple sender sends so many records of each workload: its cost for each does not change.
const SAMPLE: usize = 5_000;

/// A backlog of a kind.
struct Case {
    name: &'static str,
    records: usize,
    /// All customers are known before it begins.
    warm: bool,
    replicas: usize,
    make: fn(u64, usize) -> Vec<Piece>,
}

const CASES: [Case; 8] = [
    Case {
        name: "W1 orders, known customers",
        records: 150_000,
        warm: true,
        replicas: 1,
        make: orders,
    },
    Case {
        name: "W1 orders, unknown customers",
        records: 150_000,
        warm: false,
        replicas: 1,
        make: orders,
    },
    Case {
        name: "W1 orders, known customers, two replicas",
        records: 150_000,
        warm: true,
        replicas: 2,
        make: orders,
    },
    Case {
        name: "W1 orders, known customers, four replicas",
        records: 150_000,
        warm: true,
        replicas: 4,
        make: orders,
    },
    Case {
        name: "W1 orders, 35 % of them changes",
        // twice as many: its beginning and its end, where little waits, weigh more
        records: 300_000,
        warm: true,
        replicas: 1,
        make: changes,
    },
    Case {
        name: "W2 visits of a shop",
        records: 20_000,
        warm: false,
        replicas: 1,
        make: visits,
    },
    Case {
        name: "W4 events, half of them of one customer",
        records: 8_000,
        warm: false,
        replicas: 1,
        make: half_of_one,
    },
    Case {
        name: "W4 events, half of them of one customer, four replicas",
        records: 8_000,
        warm: false,
        replicas: 4,
        make: half_of_one,
    },
];

fn orders(seed: u64, records: usize) -> Vec<Piece> {
    book(seed, records, 0)
}

fn changes(seed: u64, records: usize) -> Vec<Piece> {
    book(seed, records, 35)
}

fn book(seed: u64, records: usize, changes: u32) -> Vec<Piece> {
    let what = Orders {
        customers: CUSTOMERS,
        skew: SKEW,
        changes,
    };
    let mut book = OrderBook::new(what, seed);
    (0..records).map(|_| book.next()).collect()
}

fn visits(seed: u64, records: usize) -> Vec<Piece> {
    let mut visits = Visits::new(2_000, seed);
    (0..records).map(|_| visits.next()).collect()
}

fn half_of_one(_: u64, records: usize) -> Vec<Piece> {
    (1..)
        .take(records)
        .map(|number| noisy(number, 900))
        .collect()
}

/// Plays all of them and returns a table.
pub(crate) fn run(short: bool) -> anyhow::Result<String> {
    let seeds: Vec<u64> = if short { vec![1] } else { (1..=5).collect() };
    let mut text = format!(
        "\n{NAME} at {LIMIT} requests a minute, medians of {} seeds with their range\n\n\
         | workload | records | records a request | requests, least possible = 1 | requests for nothing | spent of the allowance, least minute | a simple sender's requests, the worker's = 1 |\n\
         | --- | --- | --- | --- | --- | --- | --- |\n",
        seeds.len()
    );
    for case in &CASES {
        let records = if short {
            case.records / 20
        } else {
            case.records
        };
        let played: Vec<(Figures, f64, f64)> =
            seeds.iter().map(|seed| case.play(*seed, records)).collect();
        let of = |figure: &dyn Fn(&(Figures, f64, f64)) -> f64| {
            spread(played.iter().map(figure)).context("a seed")
        };
        writeln!(
            text,
            "| {} | {records} | {} | {} | {} | {} | {} |",
            case.name,
            of(&|(figures, _, _)| figures.per_unit())?,
            of(&|(_, least, _)| *least)?,
            of(&|(figures, _, _)| number(figures.idle) / number(figures.units))?,
            of(&|(figures, _, _)| figures.least_spent().unwrap_or(f64::NAN))?,
            of(&|(_, _, naive)| *naive)?,
        )?;
    }
    text.push_str(&beside(short)?);
    text.push_str(&streams::run(short)?);
    Ok(text)
}

/// W3: a million orders as backfill beside live traffic that needs about a third of the allowance.
fn beside(short: bool) -> anyhow::Result<String> {
    let records = if short { 10_000 } else { 1_000_000 };
    let (seed, known) = (1, CUSTOMERS);
    let play = Play {
        limit: LIMIT,
        seed,
        replicas: 1,
        known,
    };
    let (figures, pieces, waits) = play.beside(&orders(seed, records), LIVE);
    let least = number(figures.units) / number(fewest(&pieces, true));
    let spent = figures.least_spent().unwrap_or(f64::NAN);
    let own = figures.old_per_unit(records);
    let naive = naive(play.config(), &pieces) / number(figures.units);
    Ok(format!(
        "\nW3: {records} orders as backfill beside {} live records ({LIVE} a second), seed {seed}: {:.0} s, {} requests, {least:.3} times the \
         least possible; {own:.1} records of backfill for each request of theirs; {spent:.3} of the allowance in the least minute; a simple \
         sender takes {naive:.1} times as many requests; live records waited, s: median {:.3}, 95 % {:.3}, 99 % {:.3}\n",
        pieces.len() - records,
        figures.took.as_secs_f64(),
        figures.units,
        percentile(&waits, 50),
        percentile(&waits, 95),
        percentile(&waits, 99),
    ))
}

impl Case {
    /// The figures, the requests by those that nobody could do without, and the simple sender's by them.
    fn play(&self, seed: u64, records: usize) -> (Figures, f64, f64) {
        let pieces = (self.make)(seed, records);
        let play = Play {
            limit: LIMIT,
            seed,
            replicas: self.replicas,
            known: if self.warm { CUSTOMERS } else { 0 },
        };
        let figures = play.backlog(&pieces);
        let naive = naive(play.config(), &pieces);
        let units = number(figures.units);
        let least = units / number(fewest(&pieces, self.warm));
        (figures, least, naive / units)
    }
}

/// A simple sender's requests for these, by a part of them that is spread over all.
fn naive(config: kustomer_sim::Config, pieces: &[Piece]) -> f64 {
    let mut naive = Naive::new(config, LIMIT * 4 / 5);
    let sample = pieces.len().clamp(1, SAMPLE);
    let each = pieces.len() / sample;
    let mut sent = 0_u64;
    for piece in pieces.iter().step_by(each.max(1)).take(sample) {
        naive.send(piece);
        sent += 1;
    }
    let records = number(u64::try_from(pieces.len()).unwrap_or(u64::MAX));
    number(naive.units) * records / number(sent.max(1))
}

/// The middle one, with the lowest and the highest.
fn spread(figures: impl Iterator<Item = f64>) -> Option<String> {
    let mut all: Vec<f64> = figures.collect();
    all.sort_by(f64::total_cmp);
    let (middle, low, high) = (all.get(all.len() / 2)?, all.first()?, all.last()?);
    Some(format!("{middle:.3} ({low:.3} to {high:.3})"))
}
