//! The simulator as a program.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::builder::NonEmptyStringValueParser;
use clap::{ArgAction, CommandFactory, FromArgMatches, Parser};
use kustomer_sim::server::Server;
use kustomer_sim::{Config, Endpoint, FaultScript, SWITCHES};

/// A simulated Kustomer organisation: its REST API with limits, errors and bulk jobs.
#[derive(Debug, Parser)]
#[command(name = "kustomer-sim", version, max_term_width = 110)]
struct Args {
    /// Address to listen on; port 0 picks a free one and prints it.
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Requests per minute of the whole organisation.
    #[arg(long, default_value_t = 1_000, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,
    /// How many times faster than real time its clock runs.
    #[arg(long, default_value_t = 1.0, value_name = "N", value_parser = time_scale)]
    time_scale: f64,
    /// An API key that exists; may be repeated.
    #[arg(long, default_value = "sim-key", value_name = "KEY", action = ArgAction::Append, value_parser = NonEmptyStringValueParser::new())]
    token: Vec<String>,
    /// A klass that exists from the start; may be repeated.
    #[arg(long, default_values = ["order", "shipment"], value_name = "NAME", action = ArgAction::Append)]
    klass: Vec<String>,
    /// Seed of every random choice.
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
    /// A fault script; see below.
    #[arg(long, value_name = "FILE")]
    faults: Option<PathBuf>,
    /// Sets a switch; may be repeated; see below.
    #[arg(long, value_name = "SWITCH=VALUE", action = ArgAction::Append)]
    set: Vec<String>,
    /// Entries that the journal keeps.
    #[arg(long, default_value_t = 100_000, value_name = "N")]
    journal: usize,
}

const FAULTS_HELP: &str = r#"Fault script (--faults FILE, or POST /_sim/faults at any time):
  { "seed": 7, "rules": [ { "name": "…", "when": { … }, "do": { "action": "…", … } }, … ] }
  when    all of: endpoint (a name, a family such as "kobject.*", or "*"), nth [numbers],
          every N, from_ms, to_ms (since the script was loaded, on the simulator's clock),
          probability 0..1, count N
  do      latency { ms } or { median_ms, p99_ms }      status { status, scope org|object, body }
          reset_before   reset_after                   slow_body { ms }   truncated_body { bytes }
          garbage_body   refuse_client_ref             stuck_job { for_ms }
          fail_items { error, share }                  drain { per_minute }
"#;

const CONTROL_HELP: &str = "\
Control (no key, no limit): GET /_sim/ (page), /_sim/account, /_sim/journal?since=N, /_sim/clock,
  /_sim/customers?q=, /_sim/timeline/{customer}, /_sim/objects/{klass}, /_sim/events?customer=,
  /_sim/faults; POST /_sim/faults, /_sim/keys, /_sim/reset
";

fn help() -> String {
    let mut text = String::from("Switches (--set SWITCH=VALUE):\n");
    for switch in SWITCHES {
        text.push_str(&format!(
            "  {} [default: {}] [values: {}]\n      {}\n",
            switch.name,
            switch.default_value(),
            switch.values(),
            switch.about,
        ));
    }
    text.push('\n');
    text.push_str(FAULTS_HELP);
    text.push_str("  endpoints: ");
    let names: Vec<&str> = Endpoint::ALL
        .iter()
        .map(|endpoint| endpoint.as_str())
        .collect();
    let mut column = 13;
    for name in names {
        if column + name.len() > 100 {
            text.push_str("\n             ");
            column = 13;
        }
        text.push_str(name);
        text.push(' ');
        column += name.len() + 1;
    }
    text.push_str("\n\n");
    text.push_str(CONTROL_HELP);
    text
}

fn time_scale(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(scale) if scale.is_finite() && scale > 0.0 => Ok(scale),
        Ok(_) | Err(_) => Err("a number above 0 is needed".to_owned()),
    }
}

fn config(args: &Args) -> anyhow::Result<Config> {
    let mut config = Config {
        limit: args.limit,
        time_scale: args.time_scale,
        tokens: args.token.clone(),
        klasses: args.klass.clone(),
        seed: args.seed,
        journal_capacity: args.journal,
        ..Config::default()
    };
    for assignment in &args.set {
        let (name, value) = assignment
            .split_once('=')
            .with_context(|| format!("`--set {assignment}` is not of the form SWITCH=VALUE"))?;
        config.set(name, value)?;
    }
    if let Some(file) = &args.faults {
        let shown = file.display();
        let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {shown}"))?;
        config.faults = Some(FaultScript::parse(&text).with_context(|| shown.to_string())?);
    }
    Ok(config)
}

fn main() -> ExitCode {
    let matches = Args::command().after_help(help()).get_matches();
    let args = match Args::from_arg_matches(&matches) {
        Ok(args) => args,
        Err(error) => error.exit(),
    };
    // mistakes on the command line are reported before anything starts
    let config = match config(&args) {
        Ok(config) => config,
        Err(error) => return complain(&error, 2),
    };
    match serve(config, args.listen) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => complain(&error, 1),
    }
}

fn complain(error: &anyhow::Error, code: u8) -> ExitCode {
    // without stderr there is nobody to tell
    let _told = writeln!(std::io::stderr(), "error: {error:#}");
    ExitCode::from(code)
}

fn serve(config: Config, listen: SocketAddr) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(async {
        let server = Server::start(config, listen)
            .await
            .with_context(|| format!("cannot listen on {listen}"))?;
        {
            let mut stdout = std::io::stdout().lock();
            writeln!(stdout, "listening on {}", server.url())?;
            stdout.flush()?;
        }
        stop_signal().await?;
        server.shutdown().await;
        Ok(())
    })
}

#[cfg(unix)]
async fn stop_signal() -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for Ctrl-C")?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

#[cfg(not(unix))]
async fn stop_signal() -> anyhow::Result<()> {
    tokio::signal::ctrl_c()
        .await
        .context("cannot wait for Ctrl-C")
}
