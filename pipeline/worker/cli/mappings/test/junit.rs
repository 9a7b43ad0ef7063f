//! Results in the form of `JUnit`, which CI systems read.

use std::collections::BTreeMap;

use super::results::Tested;
use crate::config::Faults;

/// What was looked at in one file.
struct Suite {
    file: String,
    cases: Vec<Case>,
}

/// One thing that was looked at.
struct Case {
    name: String,
    line: u64,
    /// What kind of failure, and all that is to say.
    failure: Option<(&'static str, String)>,
}

/// A suite for each mapping file: its tests, and whether they reach as much as they have to, if that is asked.
pub(super) fn xml(all: &[Tested], least: Option<f64>) -> String {
    let suites = all.iter().map(|tested| {
        let mut cases: Vec<Case> = Vec::new();
        for result in &tested.results {
            let failure = result.failure.as_ref();
            cases.push(Case {
                name: result.name.clone(),
                line: result.place.line,
                failure: failure.map(|failure| ("expectation", failure.to_string())),
            });
        }
        cases.extend(least.map(|least| Case {
            name: format!("the tests reach at least {least} % of its routes and fields"),
            line: 1,
            failure: tested.too_little(least).map(|text| ("coverage", text)),
        }));
        Suite {
            file: tested.file.clone(),
            cases,
        }
    });
    document(&suites.collect::<Vec<_>>())
}

/// A suite for each file with faults, because of which no test was run.
pub(super) fn of_faults(faults: &Faults) -> String {
    let mut suites: BTreeMap<String, Vec<Case>> = BTreeMap::new();
    for fault in faults.all() {
        let name = if fault.key.is_empty() {
            "the file can be used".to_owned()
        } else {
            format!("{} can be used", fault.key)
        };
        let cases = suites.entry(fault.file.display().to_string());
        cases.or_default().push(Case {
            name,
            line: fault.spot.map_or(1, |spot| spot.line),
            failure: Some(("fault", fault.to_string())),
        });
    }
    let suites = suites.into_iter();
    let suites = suites.map(|(file, cases)| Suite { file, cases });
    document(&suites.collect::<Vec<_>>())
}

fn document(suites: &[Suite]) -> String {
    let count = |suite: &Suite| {
        let failed = suite.cases.iter().filter(|case| case.failure.is_some());
        (suite.cases.len(), failed.count())
    };
    let sum = |sum: (usize, usize), one: (usize, usize)| (sum.0 + one.0, sum.1 + one.1);
    let (tests, failures) = suites.iter().map(count).fold((0, 0), sum);
    let mut lines = vec![
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>".to_owned(),
        format!("<testsuites name=\"mappings\" tests=\"{tests}\" failures=\"{failures}\">"),
    ];
    for suite in suites {
        let file = escaped(&suite.file);
        let (tests, failures) = count(suite);
        lines.push(format!(
            "  <testsuite name=\"{file}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"0\" skipped=\"0\">"
        ));
        for case in &suite.cases {
            let name = escaped(&case.name);
            let line = case.line;
            let head = format!(
                "    <testcase name=\"{name}\" classname=\"{file}\" file=\"{file}\" line=\"{line}\""
            );
            match &case.failure {
                None => lines.push(format!("{head}/>")),
                Some((kind, text)) => {
                    let first = escaped(text.lines().next().unwrap_or_default());
                    let text = escaped(text);
                    lines.push(format!("{head}>"));
                    lines.push(format!(
                        "      <failure type=\"{kind}\" message=\"{first}\">{text}</failure>"
                    ));
                    lines.push("    </testcase>".to_owned());
                }
            }
        }
        lines.push("  </testsuite>".to_owned());
    }
    lines.push("</testsuites>\n".to_owned());
    lines.join("\n")
}

/// A text as XML 1.0 allows it.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\t' => escaped.push(c),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            c if c.is_control() => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}
