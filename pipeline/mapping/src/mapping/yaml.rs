//! Explains why a text is not YAML, in terms of what its author wrote.

use super::node::Place;

/// What is wrong with a YAML text, and the way out. Of the text it shows only keys: a configuration may have a secret
/// in it by mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct YamlFault {
    /// Where; line 0 if the place is not known.
    pub place: Place,
    /// What is wrong.
    pub problem: String,
    /// The way out, where one is known.
    pub help: Option<String>,
}

/// Finds out what is wrong from the parser's error and the lines near its place.
#[must_use]
pub fn yaml_fault(text: &str, error: &serde_saphyr::Error) -> YamlFault {
    let error = error.without_snippet();
    let place = error.location().map(Place::from).unwrap_or_default();
    let fault = |place, problem: String, help: Option<&str>| YamlFault {
        place,
        problem,
        help: help.map(str::to_owned),
    };
    if let serde_saphyr::Error::DuplicateMappingKey { key: Some(key), .. } = error {
        let first = first_of(text, place, key).map(|line| format!(", first at line {line}"));
        let problem = format!("`{key}` appears twice{}", first.unwrap_or_default());
        return fault(place, problem, Some("put both parts under one key"));
    }
    if error.to_string().contains("budget breached") {
        let problem =
            "has too many parts, or repeats too much by anchors within anchors".to_owned();
        let help =
            "write out what anchors stand for, and move what is large into a file of its own";
        return fault(place, problem, Some(help));
    }
    if let Some(tab) = tab(text, place) {
        let problem = "a tab in the indentation".to_owned();
        return fault(tab, problem, Some("YAML allows only blanks there"));
    }
    let line = line(text, place.line);
    if line.is_some_and(has_star) {
        let problem = "`*` begins an alias in YAML".to_owned();
        let help = "a value that begins with `*` needs quotes: '*'";
        return fault(place, problem, Some(help));
    }
    if let Some(wrong) = indentation(text, place) {
        let named = self::line(text, wrong.line).and_then(key_of);
        let named = named.map_or_else(|| "the line's".to_owned(), |key| format!("`{key}`: the"));
        let problem = format!("{named} indentation fits no map or list that is open there");
        let help = "keys of one map begin in the same column, and what belongs to a key is indented further";
        return fault(wrong, problem, Some(help));
    }
    if let Some(wrong) = too_deep(text, place) {
        let named = self::line(text, wrong.line).and_then(key_of);
        let named = named.map_or_else(|| "the line".to_owned(), |key| format!("`{key}`"));
        let problem =
            format!("{named} is indented further than the line above, which has its value already");
        let help = "keys of one map begin in the same column, and what belongs to a key is indented further";
        return fault(wrong, problem, Some(help));
    }
    // the place is told already
    let told = error.to_string();
    let told = told.split(" at line ").next().unwrap_or_default();
    if let Some((place, problem, help)) = in_words(told, text, place) {
        return fault(place, problem, Some(help));
    }
    // an open bracket is often noticed only some lines later
    let mut near =
        (place.line.saturating_sub(2)..=place.line).filter_map(|at| self::line(text, at));
    let help = near
        .any(wants_quotes)
        .then_some("an expression that has `: `, ` #`, `{`, `[` or quotes needs quotes in YAML");
    fault(place, format!("not YAML: {told}"), help)
}

/// What the parser's words mean for those who wrote the text: the place, what is wrong, and the way out.
fn in_words(told: &str, text: &str, place: Place) -> Option<(Place, String, &'static str)> {
    const VALUE: &str = "an expression that has `: `, ` #`, `{`, `[` or quotes needs quotes in YAML: '…', with a quote within doubled";
    let here = |problem: &str, help| Some((place, problem.to_owned(), help));
    let has = |words: &str| told.contains(words);
    if has("multiple YAML documents") {
        let help = "a file has one document: remove the line `---`, or put the other one into a file of its own";
        return here("a second document begins here", help);
    }
    if has("unclosed quote") {
        let help =
            "close it with the same quote; within single quotes, a quote is doubled: 'it''s'";
        return here("a quote begins here and is never closed", help);
    }
    if let Some((open, sign)) = open_bracket(text, place).filter(|_| !has("mismatched bracket")) {
        let problem = format!("`{sign}` of line {} is not closed before this", open.line);
        let help =
            "close it, with commas between the parts; a text that has a bracket needs quotes";
        return Some((place, problem, help));
    }
    if has("mapping values are not allowed") {
        let above = place
            .line
            .checked_sub(1)
            .and_then(|number| line(text, number));
        let keyless = above.is_some_and(|line| {
            let line = line.trim_start_matches(['-', ' ']);
            !line.is_empty()
                && !line.starts_with('#')
                && !line.contains(": ")
                && !line.ends_with(':')
        });
        if keyless {
            let above = Place {
                line: place.line - 1,
                column: 1,
            };
            return Some((
                above,
                "a line without a key".to_owned(),
                "write `key: value`, with a blank behind the colon",
            ));
        }
        return here("a second `: ` in one value", VALUE);
    }
    if has("did not find expected ','") {
        return here("a comma or the closing bracket is missing", VALUE);
    }
    if let Some(what) = told.strip_prefix("mismatched ") {
        let help = "each bracket is closed by its own kind: [ ] and { }";
        return Some((place, format!("a {what}"), help));
    }
    if has("merge value") {
        return here(
            "`<<` takes a map",
            "name one that has an anchor: `<<: *name`, or write its keys here",
        );
    }
    if has("unknown escape character") {
        let help =
            "within double quotes a backslash begins an escape: write `\\\\`, or use single quotes";
        return here("a backslash that means nothing in YAML", help);
    }
    if has("expected string scalar") {
        return here(
            "a key has to be a text",
            "write `key: value`; lists and maps are no keys",
        );
    }
    if has("recursion limit") {
        return here(
            "too many levels within each other",
            "no setting needs that many: is a bracket repeated by mistake?",
        );
    }
    let sign = told
        .strip_prefix("unexpected character: `")?
        .strip_suffix('\'')?;
    match sign.strip_prefix("\\u{") {
        Some(_) => here(
            "a control character, which YAML does not allow",
            "remove it; editors show such characters when asked to",
        ),
        None => Some((
            place,
            format!("`{sign}` cannot stand here without quotes"),
            VALUE,
        )),
    }
}

/// The last bracket before the line of the place that the text never closes. Quotes and brackets count where a value begins: behind
/// a key, a dash, or within another bracket.
fn open_bracket(text: &str, place: Place) -> Option<(Place, char)> {
    let mut open: Vec<(Place, char)> = Vec::new();
    let mut quote = None;
    for (line, number) in text.lines().zip(1..) {
        let mut signs = line.chars().zip(1..);
        let (mut last, mut before) = (None, ' ');
        while let Some((sign, column)) = signs.next() {
            let begins = match last {
                None => true,
                Some(':' | '-') if open.is_empty() => before == ' ',
                Some(last) => !open.is_empty() && matches!(last, '[' | '{' | ',' | ':'),
            };
            match (quote, sign) {
                // an escape, whatever follows
                (Some('"'), '\\') => _ = signs.next(),
                (Some(open), sign) if open == sign => quote = None,
                (Some(_), _) => {}
                (None, '"' | '\'') if begins => quote = Some(sign),
                (None, '#') if before == ' ' => break,
                (None, '[' | '{') if begins => {
                    let place = Place {
                        line: number,
                        column,
                    };
                    open.push((place, sign));
                }
                (None, ']' | '}') => _ = open.pop(),
                (None, _) => {}
            }
            before = sign;
            last = if sign == ' ' { last } else { Some(sign) };
        }
    }
    let mut before = open.into_iter().rev();
    before.find(|(begin, _)| begin.line < place.line)
}

fn line(text: &str, number: u64) -> Option<&str> {
    let index = usize::try_from(number).ok()?.checked_sub(1)?;
    text.lines().nth(index)
}

/// The line where the same map already has this key. Both keys must be the first on their line.
fn first_of(text: &str, second: Place, key: &str) -> Option<usize> {
    let upto = usize::try_from(second.line).ok()?.checked_sub(1)?;
    let column = usize::try_from(second.column).ok()?.checked_sub(1)?;
    let before: Vec<&str> = text.lines().take(upto).collect();
    for (index, line) in before.iter().enumerate().rev() {
        // the first key of a list item comes after its hyphen
        let bare = line.replacen("- ", "  ", 1);
        let indent = bare.len() - bare.trim_start().len();
        let rest = bare.trim_start().trim_start_matches(['"', '\'']);
        if rest.is_empty() || rest.starts_with('#') {
            continue;
        }
        if indent < column {
            return None;
        }
        let is_it = indent == column
            && rest.strip_prefix(key).is_some_and(|rest| {
                rest.trim_start_matches(['"', '\''])
                    .trim_start()
                    .starts_with(':')
            });
        if is_it {
            return Some(index + 1);
        }
    }
    None
}

/// The first tab in an indentation, up to the line after the place.
fn tab(text: &str, place: Place) -> Option<Place> {
    let upto = usize::try_from(place.line)
        .unwrap_or(usize::MAX)
        .saturating_add(1);
    text.lines().take(upto).zip(1..).find_map(|(line, number)| {
        let indent = line.len() - line.trim_start().len();
        let column = line.get(..indent)?.find('\t')? + 1;
        Some(Place {
            line: number,
            column: u64::try_from(column).ok()?,
        })
    })
}

/// Whether a value begins with a star.
fn has_star(line: &str) -> bool {
    let value = line.split_once(": ").map_or(line, |(_, value)| value);
    let value = value.trim().trim_start_matches(['-', '[', ' ']);
    value.starts_with('*')
}

/// The first line, up to the place, whose indentation is smaller than that of the line above but matches no open map.
fn indentation(text: &str, place: Place) -> Option<Place> {
    let upto = usize::try_from(place.line).ok()?;
    let mut open: Vec<usize> = Vec::new();
    for (line, number) in text.lines().take(upto).zip(1..) {
        let bare = line.trim_start();
        if bare.is_empty() || bare.starts_with('#') {
            continue;
        }
        let indent = line.len() - bare.len();
        let was_open = open.last().copied();
        open.retain(|level| *level <= indent);
        let known = open.last() == Some(&indent);
        let deeper = was_open.is_none_or(|level| indent > level);
        if !known && !deeper {
            return Some(Place {
                line: number,
                column: u64::try_from(indent + 1).ok()?,
            });
        }
        if !known {
            open.push(indent);
        }
        // what follows a hyphen is a map of its own
        if bare.starts_with("- ") {
            let inner = bare.trim_start_matches(['-', ' ']);
            open.push(indent + bare.len() - inner.len());
        }
    }
    None
}

/// The line of the place, if it has a key and is indented further than the line above although that has a value.
fn too_deep(text: &str, place: Place) -> Option<Place> {
    let index = usize::try_from(place.line).ok()?.checked_sub(1)?;
    let said = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    let here = text.lines().nth(index).filter(said)?;
    let above = text.lines().take(index).filter(said).last()?;
    let indent = |line: &str| line.len() - line.trim_start_matches(['-', ' ']).len();
    let (_, value) = above.split_once(':')?;
    let value = value.trim();
    let open = |sign: char| value.starts_with(sign);
    let has_value = !value.is_empty()
        && !open('#')
        && !['|', '>', '{', '[', '"', '\'', '&', '!']
            .into_iter()
            .any(open);
    let closed = ['}', ']', '"', '\'']
        .into_iter()
        .any(|sign| value.ends_with(sign));
    let deeper = indent(here) > indent(above) && key_of(here).is_some();
    (deeper && (has_value || closed)).then(|| Place {
        line: place.line,
        column: u64::try_from(indent(here) + 1).unwrap_or(place.column),
    })
}

/// The key that a line begins with.
fn key_of(line: &str) -> Option<&str> {
    let (key, _) = line.trim_start_matches(['-', ' ']).split_once(':')?;
    let word = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    (!key.is_empty() && key.len() <= 64 && key.bytes().all(word)).then_some(key)
}

/// Whether the value on a line has characters that have a meaning in YAML, and is not quoted.
fn wants_quotes(line: &str) -> bool {
    let value = line.split_once(": ").map_or("", |(_, value)| value).trim();
    let quoted = value.starts_with(['"', '\'']) && value.ends_with(['"', '\'']) && value.len() > 1;
    !quoted
        && [": ", " #", "{", "[", "\"", "'"]
            .iter()
            .any(|sign| value.contains(sign))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::node::Node;

    fn fault(text: &str) -> String {
        let error = Node::from_yaml(text).expect_err("not YAML");
        let YamlFault {
            place,
            problem,
            help,
        } = yaml_fault(text, &error);
        format!(
            "{}:{}: {problem}; {}",
            place.line,
            place.column,
            help.unwrap_or_default()
        )
    }

    #[test]
    fn faults_are_said_in_the_words_of_those_who_wrote_them() {
        let mut many = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n".to_owned();
        for n in 1..8 {
            let inner = vec![format!("*a{}", n - 1); 10].join(", ");
            many.push_str(&format!("a{n}: &a{n} [{inner}]\n"));
        }
        for (text, wanted) in [
            (
                "routes:\n  - name: a\n    custom: { aStr: .a }\n    on: x\n    custom: { bStr: .b }\n",
                "5:5: `custom` appears twice, first at line 3; put both parts under one key",
            ),
            (
                "routes:\n  - name: a\n\ton: x\n",
                "3:1: a tab in the indentation; YAML allows only blanks there",
            ),
            (
                "routes:\n  - name: a\n    on: *\n    skip: x\n",
                "`*` begins an alias in YAML; a value that begins with `*` needs quotes: '*'",
            ),
            (
                "routes:\n  - name: a\n    on: x\n   skip: y\n",
                "4:4: `skip`: the indentation fits no map or list that is open there",
            ),
            (
                "routes:\n  - name: a\n    title: Order: {x\n",
                "3:17: a second `: ` in one value; an expression that has",
            ),
            (
                "routes:\n  - name: a [b\n    title: Order: x\n",
                "3:17: a second `: ` in one value",
            ),
            (
                "routes:\n  - name: \"a \\\" [b\"\n    title: Order: x\n",
                "3:17: a second `: ` in one value",
            ),
            (
                "routes:\n  - name: \"a\n    on: x\n",
                "2:11: a quote begins here and is never closed; close it with the same quote",
            ),
            (
                "routes:\n  - name: a\n    on: [x, y\n    skip: z\n",
                "4:9: `[` of line 3 is not closed before this; close it",
            ),
            (
                "routes:\n  - name: a\n    on: [\n      x: y: z,\n    ]\n",
                "4:11: a comma or the closing bracket is missing; an expression that has",
            ),
            (
                "routes:\n  - name a\n    on: x\n",
                "2:1: a line without a key; write `key: value`, with a blank behind the colon",
            ),
            (
                "routes:\n  - name:a\n    on: x\n",
                "2:1: a line without a key",
            ),
            (
                "format: segment\n---\nroutes: []\n",
                "a second document begins here; a file has one document",
            ),
            (
                "routes:\n  - name: a\n    <<: 3\n",
                "`<<` takes a map; name one that has an anchor",
            ),
            (
                "routes:\n  - name: `a`\n",
                "2:11: ``` cannot stand here without quotes; an expression that has",
            ),
            (
                "routes:\n  - name: \"a\\q\"\n",
                "a backslash that means nothing in YAML; within double quotes",
            ),
            (
                "routes:\n  - name: \"a\u{1}\"\n",
                "a control character, which YAML does not allow; remove it",
            ),
            (
                "routes:\n  - ? [a]\n    : b\n",
                "a key has to be a text; write `key: value`",
            ),
            (
                "routes:\n  - name: a\n    do: [{ track: .a ]\n",
                "a bracket '{' closed by ']'; each bracket is closed by its own kind",
            ),
            (
                "routes:\n  - name: a\n    on: x\n     skip: y\n",
                "4:6: `skip` is indented further than the line above, which has its value already",
            ),
            (
                &many,
                "has too many parts, or repeats too much by anchors within anchors; write out",
            ),
            (
                "routes:\n  - name: a\n    do: [{ track: .a }]\n      skip: y\n",
                "4:7: `skip` is indented further",
            ),
        ] {
            let found = fault(text);
            assert!(found.contains(wanted), "\n found {found}\nwanted {wanted}");
        }
    }

    #[test]
    fn nothing_but_keys_is_shown_of_a_text() {
        for text in [
            "token: [s3cret\n",
            "a: *s3cret-alias\n",
            "a: [*s3cret]\n",
            "- *s3cret\n",
            "token: s3cret\n bad: x\n",
        ] {
            let found = fault(text);
            assert!(!found.contains("s3cret"), "{found}");
        }
    }
}
