//! What people mean when they write an expression that is not jq, or one that is jq and means something else.

use super::super::error::nearest;

/// Words of other languages, and jq's word for the same.
const FOREIGN: &[(&str, &str)] = &[
    ("===", "jq compares with `==`"),
    ("!==", "jq compares with `!=`"),
    ("&&", "jq says `and`"),
    ("||", "jq says `or`"),
    (
        "?.",
        "in jq a `?` stands behind: `.a.b?`; for a missing field plain `.a.b` is null",
    ),
    ("=>", "jq takes an expression as an argument: `map(.price)`"),
];

/// Filters that other languages have, and jq's name.
const RENAMED: &[(&str, &str)] = &[
    ("to_string", "tostring"),
    ("toString", "tostring"),
    ("str", "tostring"),
    ("to_number", "tonumber"),
    ("int", "tonumber"),
    ("float", "tonumber"),
    ("len", "length"),
    ("size", "length"),
    ("count", "length"),
    ("lower", "ascii_downcase"),
    ("downcase", "ascii_downcase"),
    ("lowercase", "ascii_downcase"),
    ("upper", "ascii_upcase"),
    ("upcase", "ascii_upcase"),
    ("uppercase", "ascii_upcase"),
    ("strip", "trim"),
    ("replace", "gsub"),
    ("substring", "a slice, such as .[0:10]"),
    ("substr", "a slice, such as .[0:10]"),
    ("concat", "add, or join(\" \")"),
    ("sum", "add"),
    ("filter", "map(select(…))"),
    ("to_json", "tojson"),
    ("from_json", "fromjson"),
    ("parse_json", "fromjson"),
    ("is_null", ". == null"),
    ("isnull", ". == null"),
    ("includes", "contains, or index(…) != null"),
    ("starts_with", "startswith"),
    ("startsWith", "startswith"),
    ("ends_with", "endswith"),
    ("endsWith", "endswith"),
    ("date", "todate"),
    ("slice", "a slice, such as .[0:10]"),
];

/// The way out of an expression that is no jq, from its text alone.
pub(super) fn of_syntax(text: &str) -> Option<String> {
    let bare = without_texts(text);
    if let Some((_, help)) = FOREIGN.iter().find(|(word, _)| bare.contains(word)) {
        return Some((*help).to_owned());
    }
    if let Some(open) = unbalanced(&bare) {
        return Some(open);
    }
    if bare.contains('\'') {
        return Some("texts in jq have double quotes".to_owned());
    }
    is_prose(text).then(|| quoted(text))
}

/// The way out where there is no filter of that name.
pub(super) fn of_unknown_filter<'k>(
    name: &str,
    known: impl IntoIterator<Item = &'k str>,
) -> Option<String> {
    if let Some((_, jq)) = RENAMED.iter().find(|(foreign, _)| *foreign == name) {
        return Some(if jq.contains([' ', '(']) {
            format!("jq has {jq}")
        } else {
            format!("did you mean `{jq}`?")
        });
    }
    nearest(name, known).map(|near| format!("did you mean `{near}`?"))
}

/// A constant as it has to be written.
pub(super) fn quoted(text: &str) -> String {
    format!(
        "a constant text needs quotes inside the quotes of YAML: '\"{}\"'",
        text.trim()
    )
}

/// Words and nothing else: somebody wrote a constant.
fn is_prose(text: &str) -> bool {
    let words = text.split_whitespace().collect::<Vec<_>>();
    words.len() > 1
        && words.iter().all(|word| {
            let word = word.trim_end_matches([',', '.', '!', ':']);
            !word.is_empty()
                && word
                    .chars()
                    .all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '\'' | '&'))
                && !matches!(
                    word,
                    "and"
                        | "or"
                        | "if"
                        | "then"
                        | "else"
                        | "end"
                        | "not"
                        | "as"
                        | "def"
                        | "reduce"
                        | "foreach"
                        | "try"
                )
        })
}

/// The bracket that is open at the end, or closes what nobody opened.
fn unbalanced(bare: &str) -> Option<String> {
    let mut open: Vec<(char, usize)> = Vec::new();
    for (at, c) in bare.chars().enumerate() {
        match c {
            '(' | '[' | '{' => open.push((c, at + 1)),
            ')' | ']' | '}' => {
                let wanted = match c {
                    ')' => '(',
                    ']' => '[',
                    _ => '{',
                };
                match open.pop() {
                    Some((opened, _)) if opened == wanted => {}
                    Some((opened, column)) => {
                        return Some(format!(
                            "the `{opened}` at character {column} is still open where `{c}` stands, at character {}",
                            at + 1
                        ));
                    }
                    None => {
                        return Some(format!("the `{c}` at character {} closes nothing", at + 1));
                    }
                }
            }
            _ => {}
        }
    }
    open.last()
        .map(|(opened, column)| format!("the `{opened}` at character {column} is open"))
}

/// The expression with its texts blanked, so that what stands in them is not taken for jq. Interpolations are blanked, too.
fn without_texts(text: &str) -> String {
    let mut bare = String::with_capacity(text.len());
    let (mut inside, mut escaped) = (false, false);
    for c in text.chars() {
        let quote = c == '"' && !escaped;
        escaped = inside && c == '\\' && !escaped;
        bare.push(if inside || quote { ' ' } else { c });
        if quote {
            inside = !inside;
        }
    }
    bare
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_meant_is_said() {
        for (text, wanted) in [
            (".a === .b", "jq compares with `==`"),
            (".a && .b", "jq says `and`"),
            ("(.price * (.count + 1)", "the `(` at character 1 is open"),
            (
                ".a | map(.b]",
                "the `(` at character 9 is still open where `]` stands, at character 12",
            ),
            (".a)", "the `)` at character 3 closes nothing"),
            ("Points Redeemed", "'\"Points Redeemed\"'"),
            (".plan == 'gold'", "double quotes"),
        ] {
            let found = of_syntax(text).unwrap_or_default();
            assert!(found.contains(wanted), "{text}: {found}");
        }
        for fine in [
            ".a == \"x && y\"",
            "\"(\"",
            ".a | not",
            "if .a then .b else .c end",
        ] {
            assert_eq!(of_syntax(fine), None, "{fine}");
        }
    }

    #[test]
    fn filters_of_other_languages_have_a_name_in_jq() {
        let known = ["tostring", "length", "ltrimstr"];
        for (name, wanted) in [
            ("to_string", "did you mean `tostring`?"),
            ("lenght", "did you mean `length`?"),
            ("filter", "jq has map(select(…))"),
        ] {
            assert_eq!(of_unknown_filter(name, known).as_deref(), Some(wanted));
        }
        assert_eq!(of_unknown_filter("Gold", known), None);
    }
}
