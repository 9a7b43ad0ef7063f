//! The results of the tests in mapping files, and what they reach.

use ingest_mapping::mapping::Mapping;
use ingest_mapping::route::Pipeline;
use ingest_mapping::testing::{Coverage, TestResult};

/// The test results of one mapping.
pub(in crate::cli) struct Tested {
    pub(in crate::cli) file: String,
    pub(in crate::cli) results: Vec<TestResult>,
    pub(super) coverage: Coverage,
}

impl Tested {
    /// The failures, in words.
    pub(in crate::cli) fn failures(&self) -> impl Iterator<Item = String> {
        let failures = self.results.iter();
        failures.filter_map(|result| result.failure.as_ref().map(ToString::to_string))
    }
}

/// Runs the tests of every mapping, once however many topics share it.
pub(in crate::cli) fn tests<'p>(pipelines: impl IntoIterator<Item = &'p Pipeline>) -> Vec<Tested> {
    let mut done: Vec<*const Mapping> = Vec::new();
    let mut tested = Vec::new();
    for pipeline in pipelines {
        let mapping = pipeline.mapping();
        let same = std::ptr::from_ref(mapping);
        if done.contains(&same) {
            continue;
        }
        done.push(same);
        tested.push(Tested {
            file: mapping.file().to_owned(),
            results: mapping.test_results(pipeline.format()),
            coverage: mapping.coverage(pipeline.format()),
        });
    }
    tested
}
