//! A test that failed, in words.

use std::fmt;
use std::sync::Arc;

use crate::mapping::node::Place;

/// A test of a mapping file that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestFailure {
    /// The mapping file.
    pub file: Arc<str>,
    /// The place of the first expectation that was not met.
    pub place: Place,
    /// The test's name.
    pub test: String,
    /// All that differs, at least one.
    pub differences: Vec<Difference>,
}

/// What differs, and where the test expects it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The place of the expectation.
    pub place: Place,
    /// The path of the field, such as `[0].custom.totalNum`; empty if it is about no field.
    pub field: String,
    /// What differs. Of values only if `values` has none.
    pub text: String,
    /// What is expected, and what was found instead.
    pub values: Option<(String, String)>,
    /// The file and the place of the rule that made the field, or rejected the event, if known.
    pub rule: Option<(Arc<str>, Place)>,
}

/// Values that are longer than this stand on lines of their own.
const LONG: usize = 50;

// === impl Difference ===

impl Difference {
    /// About the test as a whole.
    pub(super) fn of_test(place: Place, text: String) -> Self {
        Self {
            place,
            field: String::new(),
            text,
            values: None,
            rule: None,
        }
    }

    /// The field and what differs, with the values one below the other if they are long.
    fn write(&self, f: &mut fmt::Formatter<'_>, indent: &str) -> fmt::Result {
        let field = if self.field.is_empty() {
            String::new()
        } else {
            format!("{}: ", self.field)
        };
        f.write_str(&field)?;
        match &self.values {
            None => f.write_str(&self.text),
            Some((expected, got)) if expected.len() + got.len() <= LONG => {
                write!(f, "expected {expected}, got {got}{}", self.text)
            }
            Some((expected, got)) => write!(
                f,
                "differs{}\n{indent}  - expected {expected}\n{indent}  + got      {got}",
                self.text
            ),
        }
    }

    fn rule(&self, file: &str) -> String {
        match &self.rule {
            Some((_, rule)) if rule.line == 0 => String::new(),
            Some((of, rule)) if **of == *file => format!("; the rule is on line {}", rule.line),
            Some((of, rule)) => format!("; the rule is on line {} of {of}", rule.line),
            None => String::new(),
        }
    }
}

// === impl TestFailure ===

impl fmt::Display for TestFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            place,
            test,
            differences,
        } = self;
        write!(f, "{file}:{}:{}: test {test}: ", place.line, place.column)?;
        if let [only] = differences.as_slice() {
            let is_long = only
                .values
                .as_ref()
                .is_some_and(|(expected, got)| expected.len() + got.len() > LONG);
            if is_long {
                let rule = only.rule(file);
                let told = Difference {
                    text: format!("{}{rule}", only.text),
                    ..only.clone()
                };
                return told.write(f, "");
            }
            only.write(f, "")?;
            return f.write_str(&only.rule(file));
        }
        write!(f, "{} differences", differences.len())?;
        for one in differences {
            write!(f, "\n  line {}: ", one.place.line)?;
            let told = Difference {
                text: format!("{}{}", one.text, one.rule(file)),
                ..one.clone()
            };
            told.write(f, "  ")?;
        }
        Ok(())
    }
}
