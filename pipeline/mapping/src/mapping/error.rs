//! Errors in a mapping file: place, field, expression, what is wrong, and the way out.

use std::fmt;

use super::node::Place;

/// An error in a mapping file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappingError {
    /// The file as named by the caller.
    pub file: String,
    /// The place in the file.
    pub place: Place,
    /// The field, for example `routes[2].do[0].custom.totalNum`; empty for the whole file.
    pub field: String,
    /// The expression, if that is what is wrong.
    pub expression: Option<String>,
    /// What is wrong.
    pub problem: String,
    /// The way out, where one is known.
    pub help: Option<String>,
    /// The part of the expression that is wrong.
    pub excerpt: Option<Excerpt>,
}

/// A line of an expression, and the place in it that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    /// The line, shortened if it is long.
    pub line: String,
    /// How many characters stand before the place.
    pub before: usize,
}

/// How much of a line stands before and behind the place in an excerpt.
const AROUND: usize = 40;

// === impl Excerpt ===

impl Excerpt {
    /// The surroundings of a place, given in bytes.
    pub(crate) fn of(text: &str, at: usize) -> Option<Self> {
        let (before, behind) = (text.get(..at)?, text.get(at..)?);
        let before = before.rsplit('\n').next().unwrap_or_default().trim_start();
        let behind = behind.split('\n').next().unwrap_or_default().trim_end();
        let cut = before.chars().count().saturating_sub(AROUND);
        let mark = if cut > 0 { "…" } else { "" };
        let before = format!("{mark}{}", before.chars().skip(cut).collect::<String>());
        let shown: String = behind.chars().take(AROUND).collect();
        let mark = if shown.len() < behind.len() {
            "…"
        } else {
            ""
        };
        Some(Self {
            before: before.chars().count(),
            line: format!("{before}{shown}{mark}"),
        })
    }
}

/// The line, and below it a caret at the place.
impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, before } = self;
        write!(f, "    {line}\n    {:before$}^", "")
    }
}

impl fmt::Display for MappingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.place.line > 0 {
            write!(f, ":{}:{}", self.place.line, self.place.column)?;
        }
        f.write_str(": ")?;
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.problem)?;
        let shown = self.expression.as_ref();
        if let Some(expression) = shown.filter(|text| !text.trim().is_empty()) {
            write!(f, " in `{expression}`")?;
        }
        if let Some(help) = &self.help {
            write!(f, "; {help}")?;
        }
        Ok(())
    }
}

impl std::error::Error for MappingError {}

/// The known word that is nearest to a mistyped one, if one is near enough.
pub(crate) fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let folded = word.to_lowercase();
    let scored = known
        .into_iter()
        .map(|candidate| (distance(&folded, &candidate.to_lowercase()), candidate));
    let (score, candidate) = scored.min_by_key(|(score, _)| *score)?;
    let allowed = (word.chars().count() / 3).clamp(1, 3);
    (score <= allowed).then_some(candidate)
}

/// The number of edits between two words: letters added, removed or changed, and neighbours swapped.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    let mut previous = None;
    for (i, l) in left.chars().enumerate() {
        let mut next = Vec::with_capacity(row.len());
        next.push(i + 1);
        for (j, r) in right.iter().enumerate() {
            let at =
                |row: &[usize], index: usize| row.get(index).copied().unwrap_or(usize::MAX - 1);
            let mut best = (at(&row, j) + usize::from(l != *r))
                .min(at(&row, j + 1) + 1)
                .min(at(&next, j) + 1);
            let swapped = j > 0 && previous == Some(*r) && right.get(j - 1) == Some(&l);
            if swapped {
                best = best.min(at(&before, j - 1) + 1);
            }
            next.push(best);
        }
        before = std::mem::replace(&mut row, next);
        previous = Some(l);
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{Excerpt, nearest};

    #[test]
    fn a_mistyped_word_finds_its_neighbour() {
        let known = ["externalId", "title", "custom", "createdAt"];
        assert_eq!(nearest("externalID", known), Some("externalId"));
        assert_eq!(nearest("external_id", known), Some("externalId"));
        assert_eq!(nearest("titel", known), Some("title"));
        assert_eq!(nearest("colour", known), None);
    }

    #[test]
    fn an_excerpt_shows_a_line_and_the_place_in_it() {
        let shown = |text: &str, at: usize| Excerpt::of(text, at).unwrap().to_string();
        assert_eq!(shown("(.a + 1", 0), "    (.a + 1\n    ^");
        assert_eq!(shown(".ä\n  | [.b\n  | .c", 8), "    | [.b\n      ^");
        assert_eq!(shown(".a", 2), "    .a\n      ^");
        let long = format!("{}({}", ".a + ".repeat(20), ".b + ".repeat(20));
        let expected = format!(
            "    …{}({}…\n    {}^",
            ".a + ".repeat(8),
            ".b + ".repeat(7) + ".b +",
            " ".repeat(41)
        );
        assert_eq!(shown(&long, 100), expected);
        assert_eq!(Excerpt::of("ä", 1), None, "not between two characters");
    }
}
