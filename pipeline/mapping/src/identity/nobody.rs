//! Ids of nothing and of nobody: what producers write when they have no id.
//!
//! Kustomer accepts any text as an id. The first order with the id `undefined` would create an object that every later
//! order without an id updates. The first event of `{{user.id}}` would create a customer whose timeline has the events of
//! strangers. The tables below are also in `docs/mapping.md`. Anything else is an id, however odd: `1`, `test` and `user`
//! are legal.

/// Words that stand for no value, whatever the field. A text of only such words, like `null null`, stands for none either.
const NO_VALUE: &[&str] = &["null", "undefined", "nil", "none", "nan"];

/// Other texts that stand for nothing: in lower case, with blanks for `_` and `-`, without quotes or brackets around them.
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

/// Texts that stand for no customer, spelled as in [`NOTHING`]. The last ones are names of fields: a program sent the name
/// instead of the value.
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

/// A longer text is not looked up in the tables, in bytes.
const MAX_WORD: usize = 48;

/// How the text begins that JavaScript makes of an object or a function.
const SHOWN_CODE: &[&str] = &["[object ", "function ", "function("];

/// What begins and ends a template placeholder that was not filled in.
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

/// Likewise, but only if the placeholder is the whole text and has a plain name inside.
const WHOLE_PLACES: &[(&str, &str)] =
    &[("{", "}"), ("[", "]"), ("<", ">"), ("%", "%"), ("%%", "%%")];

/// Whether a cleaned text stands for nothing, as the id of an order, an event or a customer.
pub(super) fn names_nothing(text: &str) -> bool {
    text.is_empty()
        || !text.contains(char::is_alphanumeric)
        || is_zero(text)
        || is_unfilled(text)
        || is_code(text)
        || (text.len() <= MAX_WORD && is_word_for_nothing(text))
        || (!has_digit(text) && lacks_its_last_part(text))
}

/// Whether a cleaned text stands for no customer.
pub(super) fn names_nobody(text: &str) -> bool {
    names_nothing(text)
        || lacks_its_last_part(text)
        || (text.len() <= MAX_WORD && !has_digit(text) && NOBODY.contains(&folded(text).as_str()))
}

fn has_digit(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_digit())
}

/// Whether a text has a template placeholder that was not filled in.
pub(super) fn is_unfilled(text: &str) -> bool {
    // every placeholder begins with one of these, or with `$` or `#` before one
    if !text.bytes().any(|byte| b"{(<[%*".contains(&byte)) {
        return false;
    }
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

/// `0`, `000000`, `-0`, `0.0`, `-1`, and the UUIDs whose digits are all `0` or all `f`.
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

/// A name put together from a part that was there and one that was not: `shopify:null`, `shopify:`. Of other signs than these two, a
/// name may be meant: `jennifer-null` is one.
fn lacks_its_last_part(text: &str) -> bool {
    let is_word = |last: &str| NO_VALUE.iter().any(|word| last.eq_ignore_ascii_case(word));
    let ends = text.rsplit_once([':', '/']);
    text.ends_with(':') || ends.is_some_and(|(_, last)| is_word(last))
}

/// An object or function that was turned into text by mistake: `[object Object]`, `function () {}`.
fn is_code(text: &str) -> bool {
    let begins = |start: &&str| {
        let found = text.get(..start.len());
        found.is_some_and(|found| found.eq_ignore_ascii_case(start))
    };
    SHOWN_CODE.iter().any(begins)
}

fn is_word_for_nothing(text: &str) -> bool {
    // most ids have a digit, and none of the words has
    if has_digit(text) {
        return false;
    }
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

/// A name as in a program: `user_id`, `user.id`, `0`. A UUID or a mail's message id in brackets is not one.
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
    fn what_is_not_looked_up_is_in_no_table() {
        for word in [NO_VALUE, NOTHING, NOBODY].concat() {
            assert!(!has_digit(word), "{word}");
        }
        for (open, close) in [PLACES, WHOLE_PLACES].concat() {
            assert!(is_unfilled(&format!("{open}name{close}")), "{open}");
        }
    }

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
