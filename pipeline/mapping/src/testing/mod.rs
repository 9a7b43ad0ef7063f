//! Runs the tests in a mapping file.
//!
//! Each test gives the content of one event and what must come of it: a list with one entry for each operation, or
//! `{skip: reason}`, or `{reject: reason}`. An entry has the fields that matter; the operation may have others. Numbers are
//! compared by value, lists item by item. A test also lists the fields that are left out because of a bad value; no other
//! field may be left out.

mod compare;
mod coverage;
#[cfg(test)]
mod documented;
mod expectation;
mod failure;
mod ids;
mod shown;

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;

use self::compare::differences;
pub use self::coverage::{Coverage, Reached};
pub use self::expectation::{Expectation, expectation};
pub use self::failure::{Difference, TestFailure};
pub use self::shown::{shown, shown_key};
use crate::decode::{Format, Limits};
use crate::mapping::node::Place;
use crate::mapping::{Mapping, Test};
use crate::route::Pipeline;
use ingest_model::record::{Header, Offset, Position, Record, TopicPartition};

/// What became of a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestResult {
    /// The test's name.
    pub name: String,
    /// The place of what it expects.
    pub place: Place,
    /// Why it failed, if it did.
    pub failure: Option<TestFailure>,
}

impl Mapping {
    /// Runs the file's tests and returns those that fail.
    ///
    /// The events are decoded in the format that the file names, or else as JSON objects.
    #[must_use]
    pub fn run_tests(&self) -> Vec<TestFailure> {
        self.run_tests_as(Format::Json)
    }

    /// As [`Mapping::run_tests`], with the format for a file that names none.
    #[must_use]
    pub fn run_tests_as(&self, format: Format) -> Vec<TestFailure> {
        let results = self.test_results(format).into_iter();
        results.filter_map(|result| result.failure).collect()
    }

    /// The names of the file's tests.
    pub fn test_names(&self) -> impl Iterator<Item = &str> {
        self.tests().iter().map(|test| &*test.name)
    }

    /// What became of each of the file's tests, with the format for a file that names none.
    #[must_use]
    pub fn test_results(&self, format: Format) -> Vec<TestResult> {
        let format = self.format().unwrap_or(format);
        let tests = self.tests().iter();
        let result = |test: &Test| TestResult {
            name: test.name.clone(),
            place: test.expect.place,
            failure: run(self, format, test),
        };
        tests.map(result).collect()
    }
}

/// Runs one test.
fn run(mapping: &Mapping, format: Format, test: &Test) -> Option<TestFailure> {
    let (summary, verdict) = Pipeline::explain_with(
        mapping,
        format,
        Limits::default(),
        &record(test),
        Timestamp::UNIX_EPOCH,
    );
    let dropped = summary.map(|summary| summary.dropped).unwrap_or_default();
    let differences = differences(mapping, test, &verdict, &dropped);
    let place = differences.first()?.place;
    Some(TestFailure {
        file: Arc::clone(&test.file),
        place,
        test: test.name.clone(),
        differences,
    })
}

/// The record of a test's event.
fn record(test: &Test) -> Record {
    Record {
        position: Position {
            partition: TopicPartition::new(test.topic.as_deref().unwrap_or("test"), 0),
            offset: Offset(0),
        },
        key: test.key.clone().map(Bytes::from),
        value: value_of(test),
        headers: test.headers.iter().map(header).collect(),
        timestamp_ms: None,
    }
}

/// The value of the test's record: none for `event: null`, as JSON otherwise.
fn value_of(test: &Test) -> Option<Bytes> {
    let value = (!test.event.is_null()).then(|| serde_json::to_vec(&test.event))?;
    value.ok().map(Bytes::from)
}

fn header((name, value): &(String, Option<String>)) -> Header {
    Header {
        name: name.clone(),
        value: value.clone().map(Bytes::from),
    }
}

#[cfg(test)]
mod tests;
