//! What is wrong with a configuration, in a form that helps a person fix it.
//!
//! A fault never contains the value of a secret. A list of faults contains all of them: nobody should have to start the
//! worker once for every mistake.

use std::fmt;
use std::path::{Path, PathBuf};

/// A place in a file; both numbers count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spot {
    /// The line.
    pub line: u64,
    /// The column, in characters.
    pub column: u64,
}

/// One mistake: where, which key, what is wrong, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The file, as the user named it.
    pub file: PathBuf,
    /// The place in it; `None` for the file as a whole.
    pub spot: Option<Spot>,
    /// The path of the key, for example `kustomer.share`; empty if it is not about a key.
    pub key: String,
    /// What is wrong.
    pub problem: String,
    /// What to do about it; empty if the problem says it all.
    pub way_out: String,
}

/// All faults of a configuration, in the order of their places. Never empty when returned as an error.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults(Vec<Fault>);

// === impl Fault ===

impl Fault {
    /// A fault of the file as a whole.
    #[must_use]
    pub fn of_file(file: &Path, problem: impl Into<String>, way_out: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            spot: None,
            key: String::new(),
            problem: problem.into(),
            way_out: way_out.into(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(spot) = self.spot {
            write!(f, ":{}:{}", spot.line, spot.column)?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        write!(f, ": {}", self.problem)?;
        if !self.way_out.is_empty() {
            write!(f, "\n    {}", self.way_out)?;
        }
        Ok(())
    }
}

// === impl Faults ===

impl Faults {
    /// Adds one.
    pub fn push(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> &[Fault] {
        &self.0
    }

    /// Sorted by file and place, for people.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        self.0
            .sort_by(|a, b| (&a.file, a.spot).cmp(&(&b.file, b.spot)));
        self
    }
}

impl From<Fault> for Faults {
    fn from(fault: Fault) -> Self {
        Self(vec![fault])
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, fault) in self.0.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            write!(f, "{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

/// The candidate that a misspelt word most likely meant, if one is close enough.
///
/// ```
/// # use kustomer_ingest::config::nearest;
/// assert_eq!(nearest("limt", ["limit", "share"]), Some("limit"));
/// assert_eq!(nearest("colour", ["limit", "share"]), None);
/// ```
#[must_use]
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = fold(word);
    candidates
        .into_iter()
        .map(|candidate| (distance(&folded, &fold(candidate)), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.len().div_ceil(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// A word without case and separators, so that `baseUrl` and `base-url` are the same as `base_url`.
fn fold(word: &str) -> Vec<char> {
    word.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

/// The number of single-character edits between two words.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        let mut next = Vec::with_capacity(row.len());
        next.push(left);
        for (y, above) in b.iter().zip(row.iter().skip(1)) {
            let replaced = diagonal + usize::from(x != y);
            left = replaced.min(*above + 1).min(left + 1);
            diagonal = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted() {
        for (a, b, expected) in [
            ("", "", 0),
            ("kitten", "sitting", 3),
            ("ab", "ba", 2),
            ("abc", "", 3),
        ] {
            let (x, y): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
            assert_eq!(distance(&x, &y), expected, "{a} {b}");
        }
    }

    #[test]
    fn a_fault_reads_as_a_compiler_message() {
        let fault = Fault {
            file: PathBuf::from("w.yaml"),
            spot: Some(Spot { line: 3, column: 5 }),
            key: "kustomer.share".to_owned(),
            problem: "1.5 is out of range".to_owned(),
            way_out: "give a number above 0 and at most 1".to_owned(),
        };
        assert_eq!(
            fault.to_string(),
            "w.yaml:3:5: kustomer.share: 1.5 is out of range\n    give a number above 0 and at most 1"
        );
    }
}
