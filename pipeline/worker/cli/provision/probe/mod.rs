//! `probe`: asks a sandbox what the documentation of the API leaves open, and writes the answers that the worker uses into a profile.
//!
//! It writes only with explicit consent. Everything that it makes belongs to one customer, whose external id says where it comes from,
//! and is deleted at the end, whatever ends it. A question whose answer is not one of those that are known is not settled: no
//! answer is guessed.

mod args;
mod ask;
mod clean;
mod consent;
mod jobs;
mod question;
mod questions;
mod report;
mod state;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use ingest_kustomer::encode::Method;
use ingest_model::operation::Klass;
use serde_json::json;
use tokio_util::sync::CancellationToken;

pub use self::args::ProbeArgs;
use self::ask::{Asker, Stop};
use self::clean::Cleaned;
use self::jobs::unexpected;
use self::question::{Question, Verdict};
use self::questions::{events, kept, limit, many, objects};
use self::report::Ended;
use self::state::{Made, PREFIX, Probe, TITLE, tell};
use crate::cli::exit::{CommandError, CommandExit};
use crate::cli::output::Output;
use crate::clock::{Clock, TimeScale};
use crate::config::settings::profile::{Answers, Profile};
use crate::lifecycle::Signals;

/// How many jobs a profile remembers.
const MAX_JOBS: usize = 12;

/// Asks a sandbox.
///
/// # Errors
/// The command line or the configuration is wrong, a consent is missing, or the organisation does not look like a sandbox.
pub fn run(args: &ProbeArgs, out: &mut Output<'_>) -> Result<CommandExit, CommandError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(async {
        let signals = Signals::install().context("cannot listen to signals")?;
        asked(args, signals, out).await
    })
}

async fn asked(
    args: &ProbeArgs,
    mut signals: Signals,
    out: &mut Output<'_>,
) -> Result<CommandExit, CommandError> {
    let settings = args.key.config.load()?;
    let klass = consent::klass(args, &settings)?;
    let host = settings.kustomer.base_url.host().to_owned();
    let earlier = consent::earlier(args, &host)?;
    consent::given(args, &settings, &klass, out)?;
    let client = super::client(&settings, &args.key)?;
    let scale = if settings.kustomer.base_url.is_loopback() {
        args.time_scale
    } else {
        TimeScale::REAL
    };
    let quota = settings.kustomer.quota;
    let limits = consent::allowed(args, &client).await?;
    let stop = CancellationToken::new();
    let run: String = match &args.remove {
        Some(run) => run.clone(),
        None => format!("{PREFIX}{}", Clock.unix_ms()),
    };
    let mut probe = Probe {
        ask: Asker::new(
            client,
            (args.requests, quota.allowance()),
            scale,
            stop.clone(),
        ),
        host,
        klass: Klass(klass.as_str().into()),
        run,
        limit: limits.limit.unwrap_or_else(|| quota.limit()),
        made: Made::default(),
        with_references: true,
        settled: Vec::new(),
        answers: Answers::default(),
        evidence: BTreeMap::new(),
        jobs: Vec::new(),
        earlier_jobs: earlier
            .as_ref()
            .map(|one| one.jobs.clone())
            .unwrap_or_default(),
    };
    let customer = probe.run.clone();
    // The key was asked about itself.
    probe.ask.count(1);
    let cleaned = {
        let mut work = pin!(whole(&mut probe, args));
        loop {
            tokio::select! { biased;
                cleaned = &mut work => break cleaned,
                _ = signals.next() => {
                    if stop.is_cancelled() {
                        return Err(CommandError::Failed(anyhow!(
                            "ended at once: what was made stays; delete it with --yes-create-and-delete --remove {customer}"
                        )));
                    }
                    tell("interrupted: deleting what was made; once more ends at once");
                    stop.cancel();
                }
            }
        }
    };
    if args.remove.is_some() {
        if cleaned == Cleaned::default() {
            return Err(CommandError::Failed(anyhow!(
                "there is no customer with the external id {customer}: nothing was deleted"
            )));
        }
        for line in report::remains(&probe, &cleaned) {
            out.line(&line)?;
        }
        return Ok(exit(args, &cleaned, false));
    }
    let interrupted = stop.is_cancelled();
    probe.settled.sort_by_key(|one| one.question);
    let written = write(args, &probe, earlier);
    let (written, unwritten) = match written {
        Ok(written) => (written, None),
        Err(error) => (None, Some(error)),
    };
    let ended = Ended {
        cleaned,
        interrupted,
        written,
        unwritten: unwritten.is_some(),
    };
    if args.json {
        let text = serde_json::to_string_pretty(&report::document(&probe, &ended));
        out.line(&text.context("cannot write the findings")?)?;
    } else {
        for line in report::text(&probe, &ended) {
            out.line(&line)?;
        }
    }
    // what was found out and what stays is said all the same
    match unwritten {
        Some(error) => Err(error),
        None => Ok(exit(args, &ended.cleaned, interrupted)),
    }
}

fn exit(args: &ProbeArgs, cleaned: &Cleaned, interrupted: bool) -> CommandExit {
    if interrupted || (!args.keep && !cleaned.left.is_empty()) {
        CommandExit::Failed
    } else {
        CommandExit::Good
    }
}

/// All of it, and the end.
async fn whole(probe: &mut Probe, args: &ProbeArgs) -> Cleaned {
    if args.remove.is_some() {
        probe.made.asked_for = true;
        return probe.clean_up().await;
    }
    probe.ask_all(args).await;
    let mut cleaned = if args.keep {
        let mut kept = Cleaned::default();
        if probe.made.asked_for {
            kept.left.push(format!(
                "customer {} with its objects, because of --keep",
                probe.run
            ));
        }
        kept
    } else {
        if probe.made.asked_for {
            tell("deleting what was made");
        }
        probe.clean_up().await
    };
    if args.asks(Question::LimitAnswer) && !probe.ask.stop.is_cancelled() {
        // Last, because nothing else is answered afterwards.
        let ended = limit::ask(probe).await;
        probe.note_unsettled(&[Question::LimitAnswer], args, &ended);
    }
    cleaned.left.sort();
    cleaned
}

impl Probe {
    async fn ask_all(&mut self, args: &ProbeArgs) {
        const OBJECTS: &[Question] = &[
            Question::Duplicates,
            Question::Revisions,
            Question::ItemReferences,
            Question::JobAnswers,
            Question::CreatedAt,
        ];
        let asks = |questions: &[Question]| questions.iter().any(|one| args.asks(*one));
        if asks(&[Question::ResultsKept]) {
            tell("reading the earlier jobs");
            let ended = kept::ask(self).await;
            self.note_unsettled(&[Question::ResultsKept], args, &ended);
        }
        let groups: [&[Question]; 4] = [
            OBJECTS,
            &[Question::BulkSize],
            &[Question::CreatesInJobs],
            &[Question::MetaTypes],
        ];
        if !groups.into_iter().any(asks) {
            return;
        }
        let made = self.make_customer().await;
        for questions in groups.into_iter().filter(|questions| asks(questions)) {
            let names: Vec<&str> = questions.iter().map(|one| one.as_str()).collect();
            let ended = match &made {
                Err(stop) => Err(stop.clone()),
                Ok(()) => {
                    let spent = self.ask.spent();
                    tell(&format!(
                        "asking: {} ({spent} requests so far)",
                        names.join(", ")
                    ));
                    if questions.contains(&Question::BulkSize) {
                        many::size(self).await
                    } else if questions.contains(&Question::CreatesInJobs) {
                        many::creates(self).await
                    } else if questions.contains(&Question::MetaTypes) {
                        events::ask(self).await
                    } else {
                        objects::ask(self).await
                    }
                }
            };
            self.note_unsettled(questions, args, &ended);
        }
    }

    async fn make_customer(&mut self) -> Result<(), Stop> {
        self.made.asked_for = true;
        let body = json!({ "externalId": self.run, "name": TITLE });
        let request = (Method::Post, "/v1/customers".to_owned(), Some(body));
        let heard = self.ask.send(request, "").await?;
        let id = heard.id().filter(|_| heard.is_good());
        let id = id.ok_or_else(|| unexpected(&heard))?;
        self.made.customer = Some(Arc::from(id));
        drop(self.ask.take_evidence());
        Ok(())
    }

    /// Those of the questions that were asked and have no answer.
    fn note_unsettled(
        &mut self,
        questions: &[Question],
        args: &ProbeArgs,
        ended: &Result<(), Stop>,
    ) {
        let evidence = self.ask.take_evidence();
        let why = match ended {
            Ok(()) => "no answer told".to_owned(),
            Err(stop) => stop.in_words(),
        };
        for question in questions {
            if !self.settled.iter().any(|one| one.question == *question) {
                self.settle(
                    *question,
                    Verdict::NotSettled,
                    why.clone(),
                    evidence.clone(),
                );
            }
        }
        // Those of one group are asked together.
        self.settled.retain(|one| args.asks(one.question));
    }
}

/// Writes the profile: what this run found out, and what the earlier one has beside that.
fn write(
    args: &ProbeArgs,
    probe: &Probe,
    earlier: Option<Profile>,
) -> Result<Option<(String, bool)>, CommandError> {
    let mut answers = probe.answers;
    let mut evidence = probe.evidence.clone();
    let mut probed_ms = Clock.unix_ms();
    if let Some(earlier) = earlier {
        let before = earlier.answers;
        if answers == Answers::default() {
            probed_ms = earlier.probed_ms;
        }
        answers.duplicates = answers.duplicates.or(before.duplicates);
        answers.first_revision = answers.first_revision.or(before.first_revision);
        answers.old_revisions = answers.old_revisions.or(before.old_revisions);
        answers.item_references = answers.item_references.or(before.item_references);
        answers.creates_in_jobs = answers.creates_in_jobs.or(before.creates_in_jobs);
        let settled = probe.answers.in_words();
        let is_new = |name: &str| settled.iter().any(|(one, _)| *one == name);
        for (name, lines) in earlier.evidence {
            if !is_new(name) {
                evidence.insert(name, lines);
            }
        }
    }
    let mut jobs = probe.earlier_jobs.clone();
    jobs.extend(probe.jobs.iter().cloned());
    if answers == Answers::default() && jobs.is_empty() {
        return Ok(None);
    }
    let profile = Profile {
        file: args.out.clone(),
        organisation: probe.host.clone(),
        probed_ms,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        answers,
        evidence,
        jobs: jobs.split_off(jobs.len().saturating_sub(MAX_JOBS)),
    };
    let shown = args.out.display().to_string();
    // An earlier profile is whole until the new one is.
    let mut aside = args.out.clone().into_os_string();
    aside.push(".new");
    let written = std::fs::write(&aside, profile.text());
    let written = written.and_then(|()| std::fs::rename(&aside, &args.out));
    written.with_context(|| format!("cannot write {shown}"))?;
    Ok(Some((shown, answers != Answers::default())))
}
