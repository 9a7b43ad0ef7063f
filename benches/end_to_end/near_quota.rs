//! A shop's traffic at parts of what the budget carries: what a record costs and how long it waits for its request, each the
//! median of some seeds.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::Context as _;

use crate::world::shop::{Figures, backlog, least_waits, percentile, stream};

/// The name on the command line and in the figures.
pub(crate) const NAME: &str = "near-quota";

/// Parts of what a backlog shows the budget to carry.
const LOADS: [f64; 6] = [0.3, 0.6, 0.8, 0.95, 1.05, 1.5];

/// Plays all loads and returns their figures.
pub(crate) fn run(limit: u32, short: bool) -> anyhow::Result<String> {
    let (seeds, records, time) = if short {
        (1, 2_000, Duration::from_secs(60))
    } else {
        (5, 20_000, Duration::from_secs(600))
    };
    let backlogs: Vec<Figures> = (1..=seeds)
        .map(|seed| backlog(limit, seed, records))
        .collect();
    let units = median(backlogs.iter().map(|one| one.units)).context("a seed")?;
    let mut text = format!(
        "\n{NAME} at {limit} requests a minute, medians of {seeds} seeds: {units:.3} requests a record under backlog\n"
    );
    for load in LOADS {
        let streams: Vec<(f64, Figures)> = (1..=seeds)
            .zip(&backlogs)
            .map(|(seed, full)| {
                let one = stream(limit, seed, full.carries() * load, time);
                (one.units / full.units, one)
            })
            .collect();
        let least = (1..=seeds).zip(&backlogs).map(|(seed, full)| {
            let waits = least_waits(limit, seed, full.carries() * load, time);
            percentile(&waits, 50)
        });
        let least = median(least).context("a seed")?;
        let of = |figure: &dyn Fn(&(f64, Figures)) -> f64| median(streams.iter().map(figure));
        writeln!(
            text,
            "  {:>3.0} %: {:.3} requests a record, {:.2} times a backlog's; wait for the request, s: median {:.3} ({least:.3} if orders cost nothing), 95 % {:.2}, 99 % {:.2}",
            load * 100.0,
            of(&|(_, one)| one.units).context("a seed")?,
            of(&|(ratio, _)| *ratio).context("a seed")?,
            of(&|(_, one)| one.at(50)).context("a seed")?,
            of(&|(_, one)| one.at(95)).context("a seed")?,
            of(&|(_, one)| one.at(99)).context("a seed")?,
        )?;
    }
    Ok(text)
}

fn median(figures: impl Iterator<Item = f64>) -> Option<f64> {
    let mut all: Vec<f64> = figures.collect();
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied()
}
