//! Adds tests to the text of a mapping file. Everything that is there stays as it is, comments included.

/// Why a test cannot be added to a text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::cli::mappings) enum AppendError {
    /// The tests stand in brackets.
    #[error(
        "line {0}: `tests` is written in brackets, and a test can only be added to a list with hyphens: write each test on lines of its own"
    )]
    Brackets(usize),
}

/// The text with another test at the end of `tests`. The lines of the test begin with its first key, without indentation; a
/// comment may stand before it.
pub(in crate::cli::mappings) fn appended(
    text: &str,
    comment: &str,
    test: &[String],
) -> Result<String, AppendError> {
    let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let lines: Vec<&str> = text.lines().collect();
    let key = lines.iter().position(|line| is_key(line, "tests"));
    let (at, indent, before) = match key {
        None => (
            end_of(&lines, 0),
            2,
            vec![String::new(), "tests:".to_owned()],
        ),
        Some(key) => {
            let rest = lines.get(key).and_then(|line| line.split_once(':'));
            let rest = rest.map_or("", |(_, rest)| rest.split(" #").next().unwrap_or_default());
            match rest.trim() {
                "" => {
                    let (end, indent) = list(&lines, key + 1);
                    (end, indent.unwrap_or(2), Vec::new())
                }
                "[]" | "null" | "~" => {
                    let mut emptied: Vec<String> =
                        lines.iter().map(|line| (*line).to_owned()).collect();
                    if let Some(line) = emptied.get_mut(key) {
                        *line = line.replacen(rest.trim(), "", 1).trim_end().to_owned();
                    }
                    return appended(&joined(&emptied, newline), comment, test);
                }
                _ => return Err(AppendError::Brackets(key + 1)),
            }
        }
    };
    let pad = " ".repeat(indent);
    let mut added = before;
    if !comment.is_empty() {
        added.push(format!("{pad}# {comment}"));
    }
    for (index, line) in test.iter().enumerate() {
        let lead = if index == 0 { "- " } else { "  " };
        added.push(format!("{pad}{lead}{line}"));
    }
    let mut all: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
    all.splice(at..at, added);
    Ok(joined(&all, newline))
}

fn joined(lines: &[String], newline: &str) -> String {
    let mut text = lines.join(newline);
    text.push_str(newline);
    text
}

/// Whether a line begins with this key, at the top of the document.
fn is_key(line: &str, key: &str) -> bool {
    let bare = line.trim_start_matches('\u{feff}');
    let bare = bare
        .strip_prefix(&format!("\"{key}\""))
        .or_else(|| bare.strip_prefix(&format!("'{key}'")))
        .or_else(|| bare.strip_prefix(key));
    bare.is_some_and(|rest| rest.trim_start().starts_with(':'))
}

/// Where a list that begins at a line ends, and how far its items are indented. Comments and blank lines behind its last item
/// belong to what follows.
fn list(lines: &[&str], from: usize) -> (usize, Option<usize>) {
    let mut indent = None;
    let mut end = from;
    for (index, line) in lines.iter().enumerate().skip(from) {
        let bare = line.trim_start();
        let depth = line.len() - bare.len();
        if bare.is_empty() || bare.starts_with('#') {
            continue;
        }
        let is_item = bare == "-" || bare.starts_with("- ");
        if depth == 0 && !is_item {
            break;
        }
        if is_item && indent.is_none() {
            indent = Some(depth);
        }
        end = index + 1;
    }
    (end, indent)
}

/// The line after the last one that says something.
fn end_of(lines: &[&str], from: usize) -> usize {
    let said = lines.iter().enumerate().skip(from);
    let mut said = said.filter(|(_, line)| !line.trim().is_empty() && line.trim() != "...");
    said.next_back().map_or(from, |(index, _)| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(text: &str) -> Result<String, AppendError> {
        let test = ["name: x".to_owned(), "event: {}".to_owned()];
        appended(text, "pinned", &test)
    }

    #[test]
    fn a_test_goes_to_the_end_of_the_tests_and_the_rest_stays() {
        for (text, wanted) in [
            (
                "# top\nroutes: []\n",
                "# top\nroutes: []\n\ntests:\n  # pinned\n  - name: x\n    event: {}\n",
            ),
            (
                "tests: # mine\n- name: a\n  # why\n  event: 1\n\n# routes\nroutes: []\n",
                "tests: # mine\n- name: a\n  # why\n  event: 1\n# pinned\n- name: x\n  event: {}\n\n# routes\nroutes: []\n",
            ),
            (
                "routes: []\ntests:\n    - name: a\n      note: |\n        - no item\n    # end\n",
                "routes: []\ntests:\n    - name: a\n      note: |\n        - no item\n    # pinned\n    - name: x\n      event: {}\n    # end\n",
            ),
            (
                "tests: [] # none yet\nroutes: []",
                "tests:  # none yet\n  # pinned\n  - name: x\n    event: {}\nroutes: []\n",
            ),
            (
                "routes: []\r\ntests:\r\n  - name: a\r\n",
                "routes: []\r\ntests:\r\n  - name: a\r\n  # pinned\r\n  - name: x\r\n    event: {}\r\n",
            ),
        ] {
            assert_eq!(add(text).as_deref(), Ok(wanted));
        }
    }

    #[test]
    fn tests_in_brackets_are_left_alone() {
        assert_eq!(
            add("a: 1\ntests: [{ name: a }]\n"),
            Err(AppendError::Brackets(2))
        );
        // A key of that name that is not at the top is something else.
        assert!(
            add("routes:\n  tests: [1]\n")
                .unwrap()
                .ends_with("\ntests:\n  # pinned\n  - name: x\n    event: {}\n")
        );
    }
}
