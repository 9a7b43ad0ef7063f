//! Backlog, requests and delay over time, as an SVG document.
//!
//! Written by hand: three panels with lines are a hundred lines of code, and the crates that draw charts bring dozens of
//! others, or have had no release for years.

use super::figures::{Forecast, Point, TierFigures};
use super::table::{duration, grouped, grouped_f};

const WIDTH: f64 = 960.0;
const LEFT: f64 = 90.0;
/// Room for half of the last label.
const RIGHT: f64 = 40.0;
const PANEL: f64 = 190.0;
const GAP: f64 = 50.0;
const TOP: f64 = 90.0;
/// Told apart also by people who do not see all colours (Okabe and Ito).
const COLOURS: [&str; 6] = [
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9",
];

struct Panel {
    title: &'static str,
    of: fn(&Point) -> Option<f64>,
    shown: fn(f64) -> String,
    /// Steps of the axis: the least round number from this one on.
    step: fn(f64) -> f64,
}

const PANELS: [Panel; 3] = [
    Panel {
        title: "records not settled",
        of: |point| Some(count(point.backlog)),
        shown: grouped_f,
        step: whole_step,
    },
    Panel {
        title: "requests a minute",
        of: |point| Some(point.units_per_minute),
        shown: grouped_f,
        step: whole_step,
    },
    Panel {
        title: "mean delay from arrival to confirmation",
        of: |point| point.delay_mean_seconds,
        shown: duration,
        step: time_step,
    },
];

/// The plot of a forecast.
#[must_use]
pub fn plot(forecast: &Forecast) -> String {
    let panels = count(PANELS.len() as u64);
    let height = TOP + panels * (PANEL + GAP) + 10.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>\n"
    );
    legend(&mut svg, &forecast.tiers);
    let seconds = forecast.tiers.iter().filter_map(|tier| tier.course.last());
    let end = seconds
        .map(|point| point.at_seconds)
        .max()
        .unwrap_or(0)
        .max(1);
    let mut top = TOP;
    for panel in &PANELS {
        draw(&mut svg, panel, forecast, top, count(end));
        top += PANEL + GAP;
    }
    svg.push_str("</svg>\n");
    svg
}

fn legend(svg: &mut String, tiers: &[TierFigures]) {
    let (mut x, mut y) = (LEFT, 20.0);
    for (tier, colour) in tiers.iter().zip(COLOURS.iter().cycle()) {
        let mut name = format!("{}, {} allowed", tier.plan, grouped(tier.allowance.into()));
        if let Some(lowest) = tier.lowest_allowance {
            name.push_str(&format!(" on average, at least {}", grouped(lowest.into())));
        }
        let width = 40.0 + 6.5 * count(name.chars().count() as u64);
        if x > LEFT && x + width > WIDTH {
            (x, y) = (LEFT, y + 18.0);
        }
        line(svg, (x, y), (x + 20.0, y), colour, 3.0);
        text(svg, (x + 26.0, y + 4.0), "start", &name);
        x += width;
    }
}

fn draw(svg: &mut String, panel: &Panel, forecast: &Forecast, top: f64, end: f64) {
    let points = forecast.tiers.iter().flat_map(|tier| &tier.course);
    let highest = points.filter_map(panel.of).fold(0.0, f64::max);
    let ticks: Vec<f64> = ticks(panel, highest).collect();
    let highest = ticks.last().copied().unwrap_or(1.0);
    let bottom = top + PANEL;
    let (right, width) = (WIDTH - RIGHT, WIDTH - RIGHT - LEFT);
    text(svg, (LEFT, top - 8.0), "start", panel.title);
    for value in ticks {
        let y = bottom - value / highest * PANEL;
        line(svg, (LEFT, y), (right, y), "#dddddd", 1.0);
        text(svg, (LEFT - 6.0, y + 4.0), "end", &(panel.shown)(value));
    }
    let every = time_step(end / 8.0);
    let mut at = 0.0;
    while at <= end {
        let x = LEFT + at / end * width;
        line(svg, (x, bottom), (x, bottom + 4.0), "#888888", 1.0);
        let label = if at == 0.0 {
            "0".to_owned()
        } else {
            duration(at)
        };
        text(svg, (x, bottom + 17.0), "middle", &label);
        at += every;
    }
    for (tier, colour) in forecast.tiers.iter().zip(COLOURS.iter().cycle()) {
        let mut path = String::new();
        let mut pen_is_down = false;
        for point in &tier.course {
            let Some(value) = (panel.of)(point) else {
                pen_is_down = false;
                continue;
            };
            let x = LEFT + count(point.at_seconds) / end * width;
            let y = bottom - value / highest * PANEL;
            let verb = if pen_is_down { 'L' } else { 'M' };
            pen_is_down = true;
            path.push_str(&format!("{verb}{x:.1} {y:.1}"));
        }
        if !path.is_empty() {
            svg.push_str(&format!(
                "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>\n"
            ));
        }
    }
}

/// The values of an axis that are labelled: from 0 to the first that is not below the highest.
fn ticks(panel: &Panel, highest: f64) -> impl Iterator<Item = f64> + use<> {
    let step = (panel.step)(highest.max(f64::MIN_POSITIVE) / 4.0);
    let steps = (highest / step).ceil().max(1.0);
    let mut number = 0.0;
    std::iter::from_fn(move || {
        let value = number * step;
        let within = number <= steps;
        number += 1.0;
        within.then_some(value)
    })
}

fn line(svg: &mut String, from: (f64, f64), to: (f64, f64), colour: &str, width: f64) {
    svg.push_str(&format!(
        "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"{colour}\" stroke-width=\"{width}\"/>\n",
        from.0, from.1, to.0, to.1
    ));
}

fn text(svg: &mut String, at: (f64, f64), anchor: &str, content: &str) {
    let content = content.replace('&', "&amp;").replace('<', "&lt;");
    svg.push_str(&format!(
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\" fill=\"#333333\">{content}</text>\n",
        at.0, at.1
    ));
}

/// The same for what is counted: labels are whole numbers, so steps are, too.
fn whole_step(least: f64) -> f64 {
    round_step(least.max(1.0))
}

/// The next of 1, 2 and 5, times a power of ten.
fn round_step(least: f64) -> f64 {
    let power = 10_f64.powf(least.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0];
    let step = steps.into_iter().find(|step| step * power >= least);
    step.unwrap_or(10.0) * power
}

/// A time that people count in, in seconds.
fn time_step(least: f64) -> f64 {
    let steps = [
        0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 300.0, 600.0,
        1_800.0, 3_600.0, 7_200.0, 10_800.0, 21_600.0, 43_200.0, 86_400.0,
    ];
    let step = steps.into_iter().find(|step| *step >= least);
    // Whole days.
    step.unwrap_or_else(|| (least / 86_400.0).ceil() * 86_400.0)
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
fn count(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The labels of an axis up to a value.
    fn labels(panel: &Panel, highest: f64) -> Vec<String> {
        ticks(panel, highest).map(panel.shown).collect()
    }

    #[test]
    fn labels_differ_and_are_few_however_little_there_is() {
        for panel in &PANELS {
            for highest in [
                0.0, 0.004, 0.3, 1.0, 1.2, 2.0, 3.0, 5.0, 7.5, 17.0, 42.0, 99.0, 240.0, 1_234.0,
                86_400.0, 604_800.0, 5e6,
            ] {
                let all = labels(panel, highest);
                let mut different = all.clone();
                different.dedup();
                assert_eq!(all, different, "{} up to {highest}", panel.title);
                assert!(
                    (2..=6).contains(&all.len()),
                    "{} up to {highest}: {all:?}",
                    panel.title
                );
            }
        }
        assert_eq!(labels(&PANELS[0], 1.0), ["0", "1"]);
        assert_eq!(labels(&PANELS[0], 3.0), ["0", "1", "2", "3"]);
    }

    #[test]
    fn steps_are_round() {
        assert!((round_step(37.0) - 50.0).abs() < 1e-9);
        assert!((round_step(0.011) - 0.02).abs() < 1e-9);
        assert!((time_step(400.0) - 600.0).abs() < 1e-9);
    }
}
