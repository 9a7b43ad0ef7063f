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

    /// That the tests reach less than this part, if they do.
    pub(super) fn too_little(&self, least: f64) -> Option<String> {
        let percent = self.coverage.percent();
        let way_out = "add tests, such as with --pin; --coverage lists what they miss";
        (percent < least).then(|| {
            format!(
                "{}: {percent:.1} % is less than --min-coverage {least}: {way_out}",
                self.file
            )
        })
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
