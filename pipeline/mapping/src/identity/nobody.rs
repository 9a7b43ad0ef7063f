//! Ids of nothing and of nobody: what producers write where they have no id.
//!
//! Kustomer takes any text for an id. The first order of `undefined` makes an object that every later one without an id
//! updates, and the first event of `{{user.id}}` makes a customer on whose timeline strangers meet. The tables here are
//! also in `docs/mapping.md`; what is not in them is somebody's id, however odd: `1`, `test` and `user` are legal.

/// Words that stand for no value, whatever they should name. A text of nothing but these, such as `null null`, says as
/// little.
const NO_VALUE: &[&str] = &["null", "undefined", "nil", "none", "nan"];

/// The other words that name nothing. In lower case, `_` and `-` as blanks, without quotes and brackets around them.
const NOTHING: &[&str] = &[
    "n/a",
    "#n/a",
    "#null!",
    "\\n",
    "not set",
    "notset",
    "unset",
    "not available",
    "not applicable",
    "not provided",
    "no value",
    "unknown",
    "true",
    "false",
    "infinity",
    "%s",
    "%d",
    "%@",
];

/// Words that name nobody where a customer should be named; spelled as [`NOTHING`]. The last ones are the names of
/// fields: a program sent the name instead of the value.
const NOBODY: &[&str] = &[
    "anonymous",
    "anonymous user",
    "anonymous visitor",
    "anonymous customer",
    "anon",
    "guest",
    "guest user",
    "guest customer",
    "guest checkout",
    "visitor",
    "nobody",
    "no user",
    "unknown user",
    "unauthenticated",
    "not authenticated",
    "not logged in",
    "logged out",
    "default",
    "default user",
    "shopify admin",
    "id",
    "email",
    "user id",
    "userid",
    "customer id",
    "customerid",
    "distinct id",
    "distinctid",
    "anonymous id",
    "anonymousid",
    "external id",
    "externalid",
];

/// The longest text that can be a word of the tables.
const MAX_WORD: usize = 48;

/// Beginnings of what JavaScript makes of a value that is no text.
const SHOWN_CODE: &[&str] = &["[object ", "function ", "function("];

/// What begins and ends a place that a template should have filled in.
const PLACES: &[(&str, &str)] = &[
    ("{{", "}}"),
    ("${", "}"),
    ("#{", "}"),
    ("$(", ")"),
    ("<%", "%>"),
    ("{%", "%}"),
    ("[[", "]]"),
    ("*|", "|*"),
];

/// The same where it is all of the text, with a plain name between the two.
const WHOLE_PLACES: &[(&str, &str)] =
    &[("{", "}"), ("[", "]"), ("<", ">"), ("%", "%"), ("%%", "%%")];

/// Whether a cleaned text names nothing, be it an order, an event or a customer.
pub(super) fn names_nothing(text: &str) -> bool {
    text.is_empty()
        || !text.contains(char::is_alphanumeric)
        || is_zero(text)
        || is_unfilled(text)
        || is_code(text)
        || (text.len() <= MAX_WORD && is_word_for_nothing(text))
}

/// Whether a cleaned text names no customer.
pub(super) fn names_nobody(text: &str) -> bool {
    names_nothing(text) || (text.len() <= MAX_WORD && NOBODY.contains(&folded(text).as_str()))
}

/// Whether a template should have put something into this text.
pub(super) fn is_unfilled(text: &str) -> bool {
    let between = |(open, close): &(&str, &str)| {
        text.split_once(*open)
            .is_some_and(|(_, rest)| rest.contains(*close))
    };
    let whole = |(open, close): &(&str, &str)| {
        text.strip_prefix(*open)
            .and_then(|rest| rest.strip_suffix(*close))
            .is_some_and(is_plain_name)
    };
    PLACES.iter().any(between) || WHOLE_PLACES.iter().any(whole)
}

/// `0`, `000000`, `-0`, `0.0`, `-1`, and the UUIDs of nothing but zeros or nothing but ones.
fn is_zero(text: &str) -> bool {
    let mut letters = text.chars().filter(|c| c.is_alphanumeric());
    if letters.all(|c| c == '0') {
        return true;
    }
    let number = text.strip_prefix('-');
    if number.is_some_and(|number| number == "1" || number == "1.0") {
        return true;
    }
    let digits = text.chars().filter(|c| !matches!(c, '-' | '{' | '}'));
    let mut ones = 0;
    for digit in digits {
        if !digit.eq_ignore_ascii_case(&'f') {
            return false;
        }
        ones += 1;
    }
    ones == 32
}

/// A value that became a text in the wrong way: `[object Object]`, `function () {}`.
fn is_code(text: &str) -> bool {
    let begins = |start: &&str| {
        let found = text.get(..start.len());
        found.is_some_and(|found| found.eq_ignore_ascii_case(start))
    };
    SHOWN_CODE.iter().any(begins)
}

fn is_word_for_nothing(text: &str) -> bool {
    let folded = folded(text);
    let mut words = folded
        .split([' ', ',', ';', '|'])
        .filter(|word| !word.is_empty())
        .peekable();
    let only_words_for_nothing = words.peek().is_some() && words.all(|w| NO_VALUE.contains(&w));
    only_words_for_nothing || NOTHING.contains(&folded.as_str())
}

/// The text as the tables spell their words.
fn folded(text: &str) -> String {
    let quoted = |c: char| {
        matches!(
            c,
            '"' | '\'' | '`' | '(' | ')' | '[' | ']' | '{' | '}' | '<' | '>'
        )
    };
    text.trim_matches(quoted)
        .trim()
        .chars()
        .map(|c| match c {
            '_' | '-' => ' ',
            c => c.to_ascii_lowercase(),
        })
        .collect()
}

/// A name as programs have them: `user_id`, `user.id`, `0`. A UUID or the id of a mail in brackets is none.
fn is_plain_name(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_lists_every_word() {
        let documented: Vec<String> = include_str!("../../../../docs/mapping.md")
            .split('`')
            .map(|word| folded(word).replace(' ', ""))
            .collect();
        for word in [NO_VALUE, NOTHING, NOBODY].concat() {
            let word = word.replace(' ', "");
            assert!(documented.contains(&word), "{word}");
        }
    }
}
