//! Results in the form of `JUnit`, which CI systems read.

use super::results::Tested;

/// A suite for each mapping file.
pub(super) fn xml(all: &[Tested]) -> String {
    let count = |tested: &Tested| (tested.results.len(), tested.failures().count());
    let sum = |sum: (usize, usize), one: (usize, usize)| (sum.0 + one.0, sum.1 + one.1);
    let (tests, failures) = all.iter().map(count).fold((0, 0), sum);
    let mut lines = vec![
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>".to_owned(),
        format!("<testsuites name=\"mappings\" tests=\"{tests}\" failures=\"{failures}\">"),
    ];
    for tested in all {
        let file = escaped(&tested.file);
        let (tests, failures) = count(tested);
        lines.push(format!(
            "  <testsuite name=\"{file}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"0\" skipped=\"0\">"
        ));
        for result in &tested.results {
            let name = escaped(&result.name);
            let line = result.place.line;
            let case = format!(
                "    <testcase name=\"{name}\" classname=\"{file}\" file=\"{file}\" line=\"{line}\""
            );
            match &result.failure {
                None => lines.push(format!("{case}/>")),
                Some(failure) => {
                    let text = failure.to_string();
                    let first = escaped(text.lines().next().unwrap_or_default());
                    let text = escaped(&text);
                    lines.push(format!("{case}>"));
                    lines.push(format!(
                        "      <failure type=\"expectation\" message=\"{first}\">{text}</failure>"
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
