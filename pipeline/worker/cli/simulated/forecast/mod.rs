//! `forecast`: its arguments, its input, its progress, and what it prints; the forecast itself is in
//! [`crate::simulated::forecast`].

pub mod args;
mod input;
mod progress;

use std::fs::File;
use std::io::{self, BufReader, IsTerminal as _, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;

pub use self::args::ForecastArgs;
use self::input::FileInput;
use self::progress::Reporter;
use super::super::exit::{CommandError, CommandExit};
use super::super::output::Output;
use super::super::records::{self, topic::TopicRecords};
use crate::app;
use crate::clock::TimeScale;
use crate::config::{ReserveSchedule, Settings};
use crate::lifecycle::Signals;
use crate::simulated::forecast::plan::Plan;
use crate::simulated::forecast::report::figures::Forecast;
use crate::simulated::forecast::report::plot::plot;
use crate::simulated::forecast::report::table::table;
use crate::simulated::forecast::{self, Ended, Input, Parts};

/// A plot's file, made before the work begins.
struct Plot<'p> {
    path: &'p Path,
    file: File,
}

/// Plays the traffic, and prints what each tier carries.
pub(in crate::cli) fn run(
    args: &ForecastArgs,
    out: &mut Output<'_>,
) -> Result<CommandExit, CommandError> {
    let mut settings = args.config.load()?;
    let mut plan = args.plan(settings.kustomer.quota)?;
    for tier in &plan.tiers {
        args.quota(tier.limit, settings.kustomer.quota)?;
    }
    let configured = settings.kustomer.quota;
    settings.kustomer.quota = args.quota(configured.limit(), configured)?;
    if let Some(reserve) = args.reserve {
        settings.kustomer.reserve_at = ReserveSchedule::always(reserve);
    }
    for tier in &plan.tiers {
        args.reserves(tier.limit, &settings.kustomer)?;
    }
    let topic = records::topic(args.topic.as_deref(), args.records, &settings)?;
    let drawing = args.svg.as_deref().map(Plot::create).transpose()?;
    let stop = Arc::new(AtomicBool::new(false));
    let forecast = if let Some(last) = args.last {
        let topic = topic.context("no topic is given")?;
        let (mut input, partitions) = TopicRecords::open(&settings, &topic, last)?;
        plan.partitions = partitions;
        stop_on_signal(Arc::clone(&stop))?;
        play(&settings, &plan, &mut input, &stop)?
    } else if let Some(path) = &args.file {
        let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        let mut input = FileInput::new(BufReader::new(file), &settings, topic, args.records);
        stop_on_signal(Arc::clone(&stop))?;
        play(&settings, &plan, &mut input, &stop)?
    } else {
        let stdin = io::stdin();
        if stdin.is_terminal() {
            return Err(CommandError::Usage(
                "say what arrives: a FILE with events, or --last 1h for those of the topic"
                    .to_owned(),
            ));
        }
        // Nobody can be stopped who waits for another program's output: a signal ends the process.
        let reader = BufReader::new(stdin);
        let mut input = FileInput::new(reader, &settings, topic, args.records);
        play(&settings, &plan, &mut input, &stop)?
    };
    if args.json {
        let text = serde_json::to_string_pretty(&forecast).context("cannot write the figures")?;
        out.line(&text)?;
    } else {
        out.line(&table(&forecast))?;
    }
    if let Some(drawing) = drawing {
        drawing.draw(&forecast)?;
    }
    let stopped = forecast.tiers.iter().any(|one| one.ended == Ended::Stopped);
    Ok(if stopped {
        CommandExit::Failed
    } else {
        CommandExit::Good
    })
}

fn play(
    settings: &Settings,
    plan: &Plan,
    input: &mut dyn Input,
    stop: &Arc<AtomicBool>,
) -> anyhow::Result<Forecast> {
    let mut machine = app::delivery(settings, TimeScale::REAL)?;
    // The guard waits for a person, and here is none; the figures show how many were rejected.
    machine.accept_dead_letters = machine.topics.keys().cloned().collect();
    let parts = Parts {
        settings,
        machine,
        stop: Arc::clone(stop),
    };
    let mut reporter = Reporter::new();
    let forecast = forecast::run(&parts, plan, input, |tiers| reporter.show(tiers));
    reporter.end();
    forecast
}

/// From the first signal on, the forecast ends with what it has.
fn stop_on_signal(stop: Arc<AtomicBool>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the async runtime")?;
    let wait = move || {
        runtime.block_on(async {
            // Without signals, the first one ends the process.
            if let Ok(mut signals) = Signals::install() {
                signals.next().await;
                stop.store(true, Ordering::Relaxed);
            }
        });
    };
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(wait)
        .context("cannot start a thread")?;
    Ok(())
}

// === impl Plot ===

impl<'p> Plot<'p> {
    fn create(path: &'p Path) -> anyhow::Result<Self> {
        let file = File::create(path).with_context(|| cannot_write(path))?;
        Ok(Self { path, file })
    }

    fn draw(mut self, forecast: &Forecast) -> anyhow::Result<()> {
        let text = plot(forecast);
        let written = self.file.write_all(text.as_bytes());
        written.with_context(|| cannot_write(self.path))
    }
}

fn cannot_write(path: &Path) -> String {
    format!("cannot write {}", path.display())
}
