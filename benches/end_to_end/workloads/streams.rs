//! W7: a shop's visits as they come, browsing in digests, at parts of what the budget carries.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::Context as _;

use super::{LIMIT, naive, spread, visits};
use crate::figures::number;
use crate::world::shop::percentile;
use crate::world::workloads::oracle::fewest;
use crate::world::workloads::play::Play;
use crate::world::workloads::{Kind, Visits};

/// Parts of what a backlog shows the budget to carry.
const LOADS: [f64; 6] = [0.3, 0.6, 0.8, 0.95, 1.05, 1.5];

/// Plays all loads and returns a table.
pub(super) fn run(short: bool) -> anyhow::Result<String> {
    let (seeds, records, time): (Vec<u64>, _, _) = if short {
        (vec![1], 2_000, Duration::from_secs(90))
    } else {
        ((1..=5).collect(), 20_000, Duration::from_secs(600))
    };
    let mut text = format!(
        "\nW7 visits of a shop as they come, {} s, medians of {} seeds with their range\n\n\
         | load | records a request | requests, a backlog's = 1 | requests, least possible = 1 | waits for its request, s: median | of events | of orders | 95 % | 99 % | a simple sender's requests, the worker's = 1 |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
        time.as_secs(),
        seeds.len(),
    );
    let backlogs: Vec<f64> = seeds
        .iter()
        .map(|seed| play(*seed).backlog(&visits(*seed, records)).per_unit())
        .collect();
    for load in LOADS {
        let played: Vec<[f64; 9]> = seeds
            .iter()
            .zip(&backlogs)
            .map(|(seed, full)| at(*seed, *full, load, time))
            .collect();
        write!(text, "| {:.0} %", load * 100.0)?;
        for column in 0..9 {
            let of = |row: &[f64; 9]| row.get(column).copied().unwrap_or(f64::NAN);
            write!(
                text,
                " | {}",
                spread(played.iter().map(of)).context("a seed")?
            )?;
        }
        writeln!(text, " |")?;
    }
    Ok(text)
}

/// The columns of a load: of a backlog, a request had so many records.
fn at(seed: u64, full: f64, load: f64, time: Duration) -> [f64; 9] {
    let mut visits = Visits::new(2_000, seed);
    let rate = full * play(seed).allowed() / 60.0 * load;
    let (figures, pieces, waits) = play(seed).stream(|| visits.next(), rate, time);
    let of = |kind| {
        let waits = waits.by_kind.get(&kind);
        waits.map_or(f64::NAN, |waits| percentile(waits, 50))
    };
    let units = number(figures.units);
    let naive = naive(play(seed).config(), &pieces);
    [
        figures.per_unit(),
        full / figures.per_unit(),
        units / number(fewest(&pieces, false)),
        percentile(&waits.all, 50),
        of(Kind::Checkout),
        of(Kind::Order),
        percentile(&waits.all, 95),
        percentile(&waits.all, 99),
        naive / units,
    ]
}

fn play(seed: u64) -> Play {
    Play {
        limit: LIMIT,
        seed,
        replicas: 1,
        known: 0,
    }
}
