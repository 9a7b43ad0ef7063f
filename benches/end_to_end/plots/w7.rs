//! W7: a shop's mix at parts of what the budget carries.

use super::svg::{COLOURS, Panel, Svg};
use crate::near_quota::{Row, rows, size};

const LIMIT: u32 = 1_000;
const WIDTH: f64 = 860.0;
/// The least wait that is told from none, in seconds.
const LEAST: f64 = 0.001;

pub(super) fn draw(short: bool) -> anyhow::Result<(String, String)> {
    let (units, rows) = rows(LIMIT, short)?;
    let seeds = size(short).0;
    let mut svg = Svg::new(
        WIDTH,
        600.0,
        "W7: a shop's mix at 30 to 150 % of what the budget carries",
    );
    let below: Vec<(f64, String)> = rows
        .iter()
        .map(|row| (row.load * 100.0, format!("{:.0} %", row.load * 100.0)))
        .collect();
    let cost = Panel {
        left: 70.0,
        top: 84.0,
        width: WIDTH - 100.0,
        height: 170.0,
        across: (20.0, 160.0),
        up: (0.6, 1.6),
        logarithmic: false,
    };
    let steps: Vec<(f64, String)> = [0.6, 0.8, 1.0, 1.2, 1.4, 1.6]
        .into_iter()
        .map(|value| (value, format!("{value:.1}")))
        .collect();
    svg.frame(
        &cost,
        &format!("requests a record, a backlog's ({units:.3}) = 1; line: median, dots: each seed"),
        &steps,
        &below,
        "load, by what a backlog shows the budget to carry",
    );
    let (first, of_seed) = (
        "stroke=\"#0072b2\" stroke-width=\"2\"",
        "fill=\"#0072b2\" fill-opacity=\"0.5\"",
    );
    let medians = points(&rows, |row| row.dearer);
    svg.curve(
        &cost,
        &[(20.0, 1.0), (160.0, 1.0)],
        "class=\"mark\" stroke-dasharray=\"6 4\"",
    );
    svg.curve(&cost, &medians, first);
    for row in &rows {
        for seed in &row.seeds {
            svg.dot(&cost, (row.load * 100.0, *seed), 2.5, of_seed);
        }
    }
    let waits = Panel {
        top: 344.0,
        height: 200.0,
        up: (LEAST, 1_000.0),
        logarithmic: true,
        ..cost
    };
    let steps = [
        (0.001, "1 ms"),
        (0.01, "10 ms"),
        (0.1, "0.1 s"),
        (1.0, "1 s"),
        (10.0, "10 s"),
        (100.0, "100 s"),
        (1_000.0, "1,000 s"),
    ];
    let steps: Vec<(f64, String)> = steps
        .into_iter()
        .map(|(value, label)| (value, label.to_owned()))
        .collect();
    svg.frame(
        &waits,
        "from arrival to the request that carries the record",
        &steps,
        &below,
        "load, by what a backlog shows the budget to carry",
    );
    let kinds = [("median", 0), ("95 %", 1), ("99 %", 2)];
    let mut names = Vec::new();
    for ((name, place), colour) in kinds.into_iter().zip(COLOURS) {
        let of = |row: &Row| row.waits.get(place).copied().unwrap_or(0.0);
        let style = format!("stroke=\"{colour}\" stroke-width=\"2\"");
        let waited = points(&rows, of);
        svg.curve(&waits, &waited, &style);
        for at in waited {
            svg.dot(&waits, at, 3.0, &format!("fill=\"{colour}\""));
        }
        names.push((style, name.to_owned()));
    }
    let names: Vec<(&str, String)> = names
        .iter()
        .map(|(style, name)| (style.as_str(), name.clone()))
        .collect();
    svg.legend((WIDTH - 280.0, 334.0), &names);
    let says = format!("{LIMIT} requests a minute, medians of seeds 1 to {seeds}");
    Ok((svg.end(), says))
}

fn points(rows: &[Row], of: impl Fn(&Row) -> f64) -> Vec<(f64, f64)> {
    rows.iter().map(|row| (row.load * 100.0, of(row))).collect()
}
