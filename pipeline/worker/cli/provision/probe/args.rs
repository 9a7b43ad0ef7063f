//! The arguments of `probe`.

use std::path::PathBuf;

use clap::Args;

use super::question::Question;
use crate::cli::args::whole;
use crate::cli::provision::args::KeyArgs;
use crate::clock::TimeScale;

/// `probe`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Without a word of consent nothing is sent: it prints what would be asked, what that makes and how many requests it takes, and ends with code 2.\n\n\
What is made: a customer without any contact, whose external id begins with ingest-probe-, some hundreds of objects of one klass that belong to it, and, with --yes-leave-events, \
some events. Objects and customer are deleted at the end, also after Ctrl-C; what stays is listed. If the program is killed, --remove deletes what it left.\n\nQuestions, for --only: \
duplicates, revisions, item-references, job-answers, created-at, bulk-size, creates-in-jobs, meta-types, limit-answer, results-kept. Each is answered with yes, no or not settled, with the requests and answers \
that show it. The file has the answers that the worker uses (kustomer.profile) and the jobs that were made: run it again with --earlier, hours or days later, and it \
asks whether their results can still be read.\n\nThe key needs org.permission.customer.{create,read,delete}, org.permission.kobject.{create,read,update,delete} and \
org.permission.bulk.read, for events org.tracking: name its place with --token-env or --token-file.\n\nExamples:\n  kustomer-ingest probe --config sandbox.yaml\n  \
kustomer-ingest probe --config sandbox.yaml --sandbox acme-sandbox.api.kustomerapp.com --yes-create-and-delete --out profile.yaml\n  kustomer-ingest probe --config sandbox.yaml \
--earlier profile.yaml --out profile.yaml"
)]
pub struct ProbeArgs {
    #[command(flatten)]
    #[expect(missing_docs, reason = "described where it is declared")]
    pub key: KeyArgs,
    /// The host of the organisation, as the configuration has it: says that it is a sandbox. The API does not tell.
    #[arg(long, value_name = "HOST")]
    pub sandbox: Option<String>,
    /// Make a customer and objects in it, and delete them.
    #[arg(long)]
    pub yes_create_and_delete: bool,
    /// Send events, which nobody can delete.
    #[arg(long, requires = "yes_create_and_delete")]
    pub yes_leave_events: bool,
    /// Use up all requests of one minute, so that everything else that uses the API waits.
    #[arg(long)]
    pub yes_use_up_a_minute: bool,
    /// Ask only these questions.
    #[arg(long, value_name = "NAME,NAME", value_delimiter = ',', value_parser = Question::read)]
    pub only: Vec<Question>,
    /// The klass of the objects; the first one that the mappings write if left out.
    #[arg(long, value_name = "NAME")]
    pub klass: Option<String>,
    /// The profile of an earlier run: asks whether the results of its jobs can still be read, and keeps its answers where this run has none.
    #[arg(long, value_name = "FILE")]
    pub earlier: Option<PathBuf>,
    /// The file to write. It must not exist, unless it is the earlier one.
    #[arg(long, value_name = "FILE", default_value = "kustomer-profile.yaml")]
    pub out: PathBuf,
    /// The most requests, those that delete included; using up a minute comes on top.
    #[arg(long, value_name = "N", default_value = "500", value_parser = whole(200..=10_000_u32, "500"))]
    pub requests: u32,
    /// Do not delete what was made, so that somebody can look at it in Kustomer.
    #[arg(long, requires = "yes_create_and_delete")]
    pub keep: bool,
    /// Only delete what an earlier run left: the external id of its customer.
    #[arg(long, value_name = "EXTERNAL_ID", conflicts_with_all = ["only", "earlier", "keep", "yes_leave_events", "yes_use_up_a_minute"], requires = "yes_create_and_delete")]
    pub remove: Option<String>,
    /// Print the findings as one JSON document, for programs.
    #[arg(long)]
    pub json: bool,
    /// Divide all waits by this; only with a simulator on this machine.
    #[arg(long, value_name = "N", default_value = "1", hide = true)]
    pub time_scale: TimeScale,
}

// === impl ProbeArgs ===

impl ProbeArgs {
    /// Whether that question is asked.
    pub(super) fn asks(&self, question: Question) -> bool {
        let named = self.only.is_empty() || self.only.contains(&question);
        named && self.allows(question)
    }

    /// Whether nothing that it needs is missing.
    pub(super) fn allows(&self, question: Question) -> bool {
        match question {
            Question::MetaTypes => self.yes_leave_events,
            Question::LimitAnswer => self.yes_use_up_a_minute,
            Question::ResultsKept => self.earlier.is_some(),
            Question::Duplicates
            | Question::Revisions
            | Question::ItemReferences
            | Question::JobAnswers
            | Question::CreatedAt
            | Question::BulkSize
            | Question::CreatesInJobs => self.yes_create_and_delete,
        }
    }

    /// Whether anything is changed in the organisation, or kept from others there.
    pub(super) fn intervenes(&self) -> bool {
        self.yes_create_and_delete || self.yes_use_up_a_minute
    }
}
