//! Guesses what people meant by an expression that is not valid jq, or is valid but means something else.

use super::super::error::nearest;
use super::Refused;
use super::scope::Scope;

/// Syntax of other languages, and what to write in jq.
const FOREIGN: &[(&str, &str)] = &[
    ("===", "jq compares with `==`"),
    ("!==", "jq compares with `!=`"),
    ("&&", "jq says `and`"),
    ("||", "jq says `or`"),
    ("??", "jq says `//`: `.a // .b`"),
    ("$.", "in jq a path begins with its dot, without `$`: `.a`"),
    (
        "$[",
        "in jq a path begins with its dot, without `$`: `.[0]`",
    ),
    ("${", "in jq a field is `.a`, and within a text `\\(.a)`"),
    ("{{", "an expression takes no braces around it: `.a`"),
    (
        "?.",
        "in jq the `?` comes after the field: `.a.b?`; plain `.a.b` is null if the field is missing",
    ),
    ("=>", "jq takes an expression as an argument: `map(.price)`"),
];

/// Names of functions in other languages, and what jq has for them.
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
    ("nil", "null"),
    ("none", "null"),
    ("None", "null"),
    ("Null", "null"),
    ("NULL", "null"),
    ("undefined", "null"),
    ("True", "true"),
    ("TRUE", "true"),
    ("False", "false"),
    ("FALSE", "false"),
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

/// Characters that editors and chats put in place of plain ones.
const TYPOGRAPHIC: &[(char, &str)] = &[
    ('\u{201c}', "a quote is the plain `\"`"),
    ('\u{201d}', "a quote is the plain `\"`"),
    ('\u{201e}', "a quote is the plain `\"`"),
    ('\u{2018}', "a quote is the plain `\"`"),
    ('\u{2019}', "a quote is the plain `\"`"),
    ('\u{ab}', "a quote is the plain `\"`"),
    ('\u{bb}', "a quote is the plain `\"`"),
    ('\u{2013}', "a minus is the plain `-`"),
    ('\u{2014}', "a minus is the plain `-`"),
    ('\u{2212}', "a minus is the plain `-`"),
    (
        '\u{2026}',
        "three dots mean nothing in jq: write out what is left out",
    ),
];

/// A refusal by the parser with what was probably meant, and the place of the mistake if that is another one.
pub(super) fn explained(refused: Refused, text: &str) -> Refused {
    if refused.help.is_some() {
        return refused;
    }
    match of_syntax(text) {
        Some((help, Some(at))) => refused.helped(help).at(at),
        Some((help, None)) => refused.helped(help),
        None => refused,
    }
}

/// What to write instead of an expression that is not valid jq, judged by its text alone, and the place if that is certain.
fn of_syntax(text: &str) -> Option<(String, Option<usize>)> {
    let bare = without_texts(text);
    let sign = |c: char| TYPOGRAPHIC.iter().find(|(sign, _)| *sign == c);
    if let Some((_, help)) = bare.chars().find_map(sign) {
        return Some(((*help).to_owned(), None));
    }
    if is_choice(&bare) {
        return Some(("jq says `if .a then .b else .c end`".to_owned(), None));
    }
    if let Some((_, help)) = FOREIGN.iter().find(|(word, _)| bare.contains(word)) {
        return Some(((*help).to_owned(), None));
    }
    if let Some((open, at)) = unbalanced(text) {
        return Some((open, Some(at)));
    }
    if bare.contains('\'') {
        return Some(("a text in jq needs double quotes".to_owned(), None));
    }
    is_prose(text).then(|| (quoted(text), None))
}

/// Where the name is that a problem is about, if it stands in the expression once.
pub(super) fn place_of(problem: &str, text: &str) -> Option<usize> {
    let name = problem.split('`').nth(1)?;
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let bare = without_texts(text);
    let mut places = bare.match_indices(name).filter(|(at, _)| {
        let before = bare
            .get(..*at)
            .and_then(|before| before.chars().next_back());
        let behind = bare
            .get(at + name.len()..)
            .and_then(|behind| behind.chars().next());
        !before.is_some_and(|c| is_part(c) || matches!(c, '.' | '$' | '@'))
            && !behind.is_some_and(is_part)
    });
    let (at, _) = places.next()?;
    places.next().is_none().then_some(at)
}

/// What to write instead of a filter that does not exist.
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

/// What to write if a name with a dash was read as a subtraction. `unknown` names the filters that do not exist.
pub(super) fn of_dash(text: &str, unknown: &str) -> Option<String> {
    let (whole, rest) = dashed(text)?;
    let meant = unknown.contains(&format!("`{rest}`"));
    meant.then(|| dash_help(&whole))
}

/// A subtraction that is probably a mistake: `.content-type` is `.content` minus the result of the filter `type`.
pub(super) fn of_doubtful_dash(text: &str) -> Option<(String, String)> {
    let (whole, _) = dashed(text)?;
    let problem = format!("subtracts in `.{whole}`");
    Some((problem, dash_help(&whole)))
}

/// A field of `$event` that there is not: it is always null.
pub(super) fn of_unknown_event_field(text: &str) -> Option<(String, String)> {
    let mut rest = text;
    while let Some((_, behind)) = rest.split_once("$event.") {
        let is_letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let end = behind.find(|c| !is_letter(c)).unwrap_or(behind.len());
        let (name, after) = behind.split_at_checked(end)?;
        rest = after;
        if name.is_empty() || Scope::fields().any(|known| known == name) {
            continue;
        }
        let problem = format!("`$event` has no field `{name}`, so this is always null");
        let known: Vec<&str> = Scope::fields().collect();
        let help = match nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean `$event.{near}`?"),
            None => format!("it has {}", known.join(", ")),
        };
        return Some((problem, help));
    }
    None
}

/// A condition that assigns: `if .a = 1 then …` and `select(.a = 1)` always hold.
pub(super) fn of_assigning_condition(text: &str) -> Option<(String, String)> {
    const ASK: &[&str] = &["select", "any", "all", "until", "while"];
    let bare = without_texts(text);
    let bytes = bare.as_bytes();
    // Of each open bracket, and of what is outside of all: whether a condition stands there.
    let mut asks = vec![false];
    let mut word = "";
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let behind = bare.get(at..).unwrap_or_default();
        let end = behind.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        match (end.unwrap_or(behind.len()), byte) {
            (length @ 1.., _) => {
                word = behind.get(..length).unwrap_or_default();
                let is_field =
                    at.checked_sub(1).and_then(|before| bytes.get(before)) == Some(&b'.');
                if let Some(asks) = asks.last_mut().filter(|_| !is_field) {
                    match word {
                        "if" | "elif" => *asks = true,
                        "then" => *asks = false,
                        _ => {}
                    }
                }
                at += length;
                continue;
            }
            (_, b'(') => asks.push(ASK.contains(&word)),
            (_, b'[' | b'{') => asks.push(false),
            (_, b')' | b']' | b'}') if asks.len() > 1 => {
                asks.pop();
            }
            (_, b'=') => {
                let before = at.checked_sub(1).and_then(|before| bytes.get(before));
                let compares = bytes.get(at + 1) == Some(&b'=');
                let other = before.is_some_and(|byte| b"=!<>|+-*/%".contains(byte));
                if compares {
                    at += 1;
                } else if !other && asks.last() == Some(&true) {
                    let problem = "a condition assigns with `=`, so it always holds".to_owned();
                    return Some((problem, "`==` compares".to_owned()));
                }
            }
            _ => {}
        }
        if !byte.is_ascii_whitespace() {
            word = "";
        }
        at += 1;
    }
    None
}

fn dash_help(whole: &str) -> String {
    format!("a name with `-` needs quotes: .\"{whole}\"; to subtract, put blanks around the `-`")
}

/// The first field whose name seems to have a dash: the whole name, and the word after its first dash.
fn dashed(text: &str) -> Option<(String, String)> {
    let bare = without_texts(text);
    let is_letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
    for (at, _) in bare.match_indices('.') {
        let rest = bare.get(at + 1..).unwrap_or_default();
        let end = rest
            .find(|c: char| !is_letter(c) && c != '-')
            .unwrap_or(rest.len());
        let whole = rest.get(..end).unwrap_or_default().trim_end_matches('-');
        if let Some((first, behind)) = whole.split_once('-')
            && first.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && behind.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        {
            let end = behind.find(|c| !is_letter(c)).unwrap_or(behind.len());
            let second = behind.get(..end).unwrap_or_default();
            return Some((whole.to_owned(), second.to_owned()));
        }
    }
    None
}

/// Whether this is `a ? b : c`, as in other languages.
fn is_choice(bare: &str) -> bool {
    let Some((before, behind)) = bare.split_once('?') else {
        return false;
    };
    let mut depth = 0_usize;
    let parts = behind.chars().any(|c| {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ':' && depth == 0
    });
    parts && !before.contains('{') && !behind.starts_with(['.', '?', '/'])
}

/// How to write a constant text.
pub(super) fn quoted(text: &str) -> String {
    format!(
        "a constant text needs quotes inside the quotes of YAML: '\"{}\"'",
        text.trim()
    )
}

/// Whether this is words only, so probably meant as a constant text.
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

/// The first bracket that closes nothing or the wrong one, or else the last one that is not closed; and its place in bytes.
///
/// A text that does not end behind a part in `\(…)` is that part's fault: its quote was meant to close the text around it.
fn unbalanced(text: &str) -> Option<(String, usize)> {
    let mut open: Vec<(&str, usize)> = Vec::new();
    let number = |at: usize| text.get(..at).unwrap_or_default().chars().count() + 1;
    let mut at = 0;
    while let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) {
        let (here, rest) = (at, text.get(at..).unwrap_or_default());
        at += c.len_utf8();
        let within = open.last().is_some_and(|(opened, _)| *opened == "\"");
        match c {
            '"' if within => drop(open.pop()),
            '\\' if within && rest.starts_with("\\(") => {
                at += 1;
                open.push(("\\(", here));
            }
            '\\' if within => at += rest.chars().nth(1).map_or(0, char::len_utf8),
            _ if within => {}
            '"' => open.push(("\"", here)),
            '(' => open.push(("(", here)),
            '[' => open.push(("[", here)),
            '{' => open.push(("{", here)),
            ')' | ']' | '}' => match open.pop() {
                Some(("(" | "\\(", _)) if c == ')' => {}
                Some(("[", _)) if c == ']' => {}
                Some(("{", _)) if c == '}' => {}
                Some((opened, place)) => {
                    let (opener, closer) = (number(place), number(here));
                    return Some((
                        format!(
                            "the `{opened}` at character {opener} is still open at the `{c}` at character {closer}"
                        ),
                        place,
                    ));
                }
                None => {
                    return Some((
                        format!("the `{c}` at character {} closes nothing", number(here)),
                        here,
                    ));
                }
            },
            _ => {}
        }
    }
    let part = open.iter().rfind(|(opened, _)| *opened == "\\(");
    let (opened, place) = part.or_else(|| open.last())?;
    Some((
        format!(
            "the `{opened}` at character {} is never closed",
            number(*place)
        ),
        *place,
    ))
}

/// The expression with its texts blanked out, so that their content is not taken for jq. Their interpolations are too.
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
            (
                "(.price * (.count + 1)",
                "the `(` at character 1 is never closed",
            ),
            (
                ".a | map(.b]",
                "the `(` at character 9 is still open at the `]` at character 12",
            ),
            (".a)", "the `)` at character 3 closes nothing"),
            (
                r#""Points \(.id""#,
                r"the `\(` at character 9 is never closed",
            ),
            (
                r#""Points \(.id | f("x"))"#,
                r#"the `"` at character 1 is never closed"#,
            ),
            (".a | [\"é]\", .b", "the `[` at character 6 is never closed"),
            ("Points Redeemed", "'\"Points Redeemed\"'"),
            (".plan == 'gold'", "double quotes"),
            (".plan == \u{2018}gold\u{2019}", "the plain `\"`"),
            ("\u{201c}gold\u{201d}", "the plain `\"`"),
            (".sum \u{2212} .rebate", "the plain `-`"),
            (".vip ? .gold : .tin", "if .a then .b else .c end"),
            (".vip? \"gold\": \"tin\"", "if .a then .b else .c end"),
            (".vip ?? .tin", "jq says `//`"),
            ("$.lines[0].sku", "without `$`"),
            ("${total}", "a field is `.a`"),
            ("{{ .total }}", "takes no braces"),
        ] {
            let (found, _) = of_syntax(text).unwrap_or_default();
            assert!(found.contains(wanted), "{text}: {found}");
        }
        for fine in [
            ".a == \"x && y\"",
            "\"(\"",
            ".a | not",
            "if .a then .b else .c end",
            "\"\u{201c}gold\u{201d} ? yes : no\"",
            "{a: .b?, c: .d}",
            "{a: .b ? , c: .d}",
            ".a? | {b: .c}",
            ".a? | .[1:2]",
        ] {
            assert_eq!(of_syntax(fine), None, "{fine}");
        }
    }

    #[test]
    fn a_name_with_a_dash_is_not_a_difference() {
        let unknown = "there is no filter `name`";
        let help = of_dash(".buyer.first-name | ltrimstr(\"x-y\")", unknown).unwrap_or_default();
        assert!(
            help.starts_with("a name with `-` needs quotes: .\"first-name\";"),
            "{help}"
        );
        for other in [
            ".first - name",
            ".\"first-name\"",
            ".first-.name",
            ".n-1",
            "\".a-name\" | name",
        ] {
            assert_eq!(of_dash(other, unknown), None, "{other}");
        }
        assert_eq!(of_dash(".a-b", unknown), None, "something else is missing");
        let (problem, _) = of_doubtful_dash(".content-type").unwrap_or_default();
        assert_eq!(problem, "subtracts in `.content-type`");
        assert_eq!(of_doubtful_dash(".sum - .rebate"), None);
    }

    #[test]
    fn filters_of_other_languages_have_a_name_in_jq() {
        let known = ["tostring", "length", "ltrimstr"];
        for (name, wanted) in [
            ("to_string", "did you mean `tostring`?"),
            ("nil", "did you mean `null`?"),
            ("lenght", "did you mean `length`?"),
            ("filter", "jq has map(select(…))"),
        ] {
            assert_eq!(of_unknown_filter(name, known).as_deref(), Some(wanted));
        }
        assert_eq!(of_unknown_filter("Gold", known), None);
    }
}
