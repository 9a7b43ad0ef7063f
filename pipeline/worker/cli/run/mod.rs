//! `run`: the worker.

pub mod control;
pub mod replay_recording;
pub mod try_records;

use ingest_model::record::Topic;

use crate::app::{self, Options};
use crate::cli::args::RunArgs;
use crate::cli::check::needs::roles;
use crate::cli::exit::{CommandError, CommandExit};
use crate::clock::TimeScale;
use crate::config::Settings;

/// Runs the worker until it is told to stop.
///
/// # Errors
///
/// When the configuration cannot be used, or the worker cannot start.
pub fn run(args: &RunArgs) -> Result<CommandExit, CommandError> {
    let settings = args.config.load()?;
    check_arguments(args, &settings)?;
    let exit = app::run(&settings, &options(args, &settings))?;
    Ok(if exit.code() == 0 {
        CommandExit::Good
    } else {
        CommandExit::Failed
    })
}

fn options(args: &RunArgs, settings: &Settings) -> Options {
    Options {
        config: args.config.config.clone(),
        time_scale: args.time_scale,
        accept_dead_letters: args
            .accept_dead_letters
            .iter()
            .map(|topic| Topic::new(topic))
            .collect(),
        needs: roles(settings).needed,
        die_at: args.die_at.clone(),
    }
}

fn check_arguments(args: &RunArgs, settings: &Settings) -> Result<(), CommandError> {
    if args.time_scale != TimeScale::REAL && !settings.kustomer.base_url.is_loopback() {
        return Err(CommandError::Usage(format!(
            "--time-scale is for a simulator on this machine, and {} is not on it",
            settings.kustomer.base_url
        )));
    }
    if args.die_at.is_some() && !settings.kustomer.base_url.is_loopback() {
        return Err(CommandError::Usage(format!(
            "--die-at is for tests against a simulator on this machine, and {} is not on it",
            settings.kustomer.base_url
        )));
    }
    for topic in &args.accept_dead_letters {
        if !settings
            .kafka
            .topics
            .iter()
            .any(|t| t.topic.as_str() == topic)
        {
            let known: Vec<&str> = settings
                .kafka
                .topics
                .iter()
                .map(|t| t.topic.as_str())
                .collect();
            return Err(CommandError::Usage(format!(
                "--accept-dead-letters {topic}: the configuration has no such topic; it has {}",
                known.join(", ")
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};

    fn refusal(base_url: &str, arguments: &[&str]) -> Option<String> {
        let text = format!(
            "kafka:\n  brokers: b:1\n  group: g\n  dead_letter_topic: d\n  topics:\n    - name: t\n      mapping:\n        \
             routes: [ {{ name: r, on: x, do: [ {{ track: .event }} ] }} ]\nkustomer:\n  base_url: {base_url}\n  \
             limit: 100\n  token: {{ env: T }}\n"
        );
        let settings = crate::config::parse(std::path::Path::new("w.yaml"), &text)
            .expect("a good configuration");
        let line = ["kustomer-ingest", "run", "--config", "w.yaml"]
            .iter()
            .chain(arguments);
        let cli = Cli::try_parse_from(line).expect("a good command line");
        let Command::Run(args) = cli.command else {
            panic!("not run")
        };
        check_arguments(&args, &settings)
            .err()
            .map(|error| error.to_string())
    }

    #[test]
    fn a_time_scale_needs_a_simulator_on_this_machine() {
        assert_eq!(
            refusal("http://127.0.0.1:8080", &["--time-scale", "60"]),
            None
        );
        assert_eq!(refusal("https://x.api.kustomerapp.com", &[]), None);
        let refused = refusal("https://x.api.kustomerapp.com", &["--time-scale", "60"]);
        assert!(refused.expect("refused").contains("is not on it"));
    }

    #[test]
    fn dead_letters_are_accepted_of_topics_that_are_read() {
        assert_eq!(
            refusal("http://127.0.0.1:1", &["--accept-dead-letters", "t"]),
            None
        );
        let refused = refusal("http://127.0.0.1:1", &["--accept-dead-letters", "u"]);
        assert!(refused.expect("refused").contains("no such topic"));
    }
}
