//! A run: what it asks with, what it has made, and what it found out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ingest_model::operation::Klass;

use super::ask::Asker;
use super::question::{Question, Settled, Verdict};
use crate::cli::output::Output;
use crate::config::settings::profile::{Answers, ProbedJob};

/// The title of every object, and the name of the customer.
pub(super) const TITLE: &str = "kustomer-ingest probe";
/// With what the external ids of all customers begin that are made.
pub(super) const PREFIX: &str = "ingest-probe-";

/// A run.
pub(super) struct Probe {
    pub(super) ask: Asker,
    pub(super) host: String,
    pub(super) klass: Klass,
    /// The external id of the customer, with which those of all objects begin.
    pub(super) run: String,
    /// Requests a minute of the organisation, as it says itself.
    pub(super) limit: u32,
    pub(super) made: Made,
    /// Items of bulk requests carry references.
    pub(super) with_references: bool,
    pub(super) settled: Vec<Settled>,
    pub(super) answers: Answers,
    pub(super) evidence: BTreeMap<&'static str, Vec<String>>,
    /// Jobs of this run.
    pub(super) jobs: Vec<ProbedJob>,
    /// Those of the earlier one.
    pub(super) earlier_jobs: Vec<ProbedJob>,
}

/// What was made.
#[derive(Debug, Default)]
pub(super) struct Made {
    /// The id of the customer, if its creation was answered.
    pub(super) customer: Option<Arc<str>>,
    /// It was asked for.
    pub(super) asked_for: bool,
    /// How many objects, as far as it was told.
    pub(super) objects: usize,
    /// How many events.
    pub(super) events: usize,
    /// Customers that events made although there was one of their external id.
    pub(super) others: BTreeSet<Arc<str>>,
    /// Jobs that are not known to have ended.
    pub(super) open: Vec<Arc<str>>,
}

impl Probe {
    /// A question is answered.
    pub(super) fn settle(
        &mut self,
        question: Question,
        verdict: Verdict,
        answer: String,
        evidence: Vec<String>,
    ) {
        self.settled.push(Settled {
            question,
            verdict,
            answer,
            evidence,
        });
    }
}

/// Tells the person who waits; nobody has to hear it.
pub(super) fn tell(text: &str) {
    let mut err = Output::stderr();
    drop(err.line(text).and_then(|()| err.flush()));
}
