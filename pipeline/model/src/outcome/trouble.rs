//! What went wrong on the other side, for people: a closed kind, and the words of whoever reported it.
//!
//! The words never hold personal data. [`without_persons`] sees to that: field names, rules and addresses of machines
//! stay; e-mail addresses, long numbers, ids, quoted values and echoed content go.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use crate::outcome::Rejection;

/// Longest words, in characters.
pub const WORDS_LIMIT: usize = 300;
/// At least this many digits, however grouped, may be a phone number or an account number.
const LONG_NUMBER: usize = 7;
/// A word of at least this many characters that mixes letters and digits may be an id.
const ID_LENGTH: usize = 8;

/// One thing that went wrong.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What sort of thing.
    pub kind: TroubleKind,
    /// In the words of whoever reported it, without personal data; may be empty.
    pub words: Arc<str>,
}

/// What sort of thing went wrong.
#[derive(
    serde::Serialize, serde::Deserialize, Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord,
)]
pub enum TroubleKind {
    /// Nothing listens at the address.
    Refused,
    /// The host name has no address.
    NotResolved,
    /// No TLS connection: usually a certificate problem.
    Tls,
    /// There was no answer in time.
    TimedOut,
    /// The connection was lost.
    Lost,
    /// No connection could be made, for another reason.
    NotConnected,
    /// An answer with this status.
    Status(u16),
    /// An answer that makes no sense.
    Garbled,
    /// A record was rejected.
    Rejected(Rejection),
    /// A topic does not exist.
    UnknownTopic,
    /// The credentials do not allow using a topic.
    NotAuthorized,
    /// A topic does not accept records of this size.
    TooLarge,
    /// The brokers refused a request, for another reason.
    Brokers,
}

/// How often something went wrong, and the last time.
#[derive(serde::Serialize, Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// How often.
    pub times: u64,
    /// When it last happened, and what.
    #[serde(skip)]
    pub last: Option<(Instant, Trouble)>,
}

// === impl Trouble ===

impl Trouble {
    /// A trouble in arbitrary words: personal data is removed from them.
    #[must_use]
    pub fn new(kind: TroubleKind, words: &str) -> Self {
        Self {
            kind,
            words: without_persons(words).into(),
        }
    }

    /// A trouble in words that are known to be about machines only; they are shortened, but not masked.
    #[must_use]
    pub fn of_machines(kind: TroubleKind, words: &str) -> Self {
        Self {
            kind,
            words: cut(words).into(),
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.kind, &*self.words) {
            (kind, "") => kind.fmt(f),
            // The words of an answer begin with its status.
            (TroubleKind::Status(_), words) => write!(f, "status {words}"),
            (kind, words) => write!(f, "{kind}: {words}"),
        }
    }
}

// === impl TroubleKind ===

impl TroubleKind {
    /// The label in logs and `/status`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "connection_refused",
            Self::NotResolved => "name_not_resolved",
            Self::Tls => "tls_failed",
            Self::TimedOut => "timed_out",
            Self::Lost => "connection_lost",
            Self::NotConnected => "not_connected",
            Self::Status(_) => "status",
            Self::Garbled => "garbled",
            Self::Rejected(reason) => reason.as_str(),
            Self::UnknownTopic => "unknown_topic",
            Self::NotAuthorized => "not_authorized",
            Self::TooLarge => "too_large",
            Self::Brokers => "brokers",
        }
    }
}

impl fmt::Display for TroubleKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "status {status}"),
            Self::Refused
            | Self::NotResolved
            | Self::Tls
            | Self::TimedOut
            | Self::Lost
            | Self::NotConnected
            | Self::Garbled
            | Self::Rejected(_)
            | Self::UnknownTopic
            | Self::NotAuthorized
            | Self::TooLarge
            | Self::Brokers => f.write_str(self.as_str()),
        }
    }
}

// === impl Seen ===

impl Seen {
    /// It went wrong again.
    pub fn note(&mut self, now: Instant, times: u64, trouble: Option<Trouble>) {
        self.times = self.times.saturating_add(times);
        if let Some(trouble) = trouble {
            self.last = Some((now, trouble));
        }
    }
}

/// A text on one line without what may be personal data, cut at [`WORDS_LIMIT`].
///
/// ```
/// # use ingest_model::trouble::without_persons;
/// assert_eq!(without_persons("503: upstream is busy"), "503: upstream is busy");
/// assert_eq!(without_persons("no customer 'Ann Lee' (ann@lee.example)"), "no customer <value> (<e-mail>)");
/// ```
#[must_use]
pub fn without_persons(text: &str) -> String {
    let text = before_echo(text);
    let text = without_quoted(text);
    let words = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .map(masked);
    let line = words.collect::<Vec<_>>().join(" ");
    cut(&without_long_numbers(&line))
}

/// The part before a JSON object or array, which may be an echo of what was sent.
fn before_echo(text: &str) -> &str {
    let echo = ["{\"", "{ \"", "[{", "[\"", "{\\\""]
        .iter()
        .filter_map(|opening| text.find(opening))
        .min();
    echo.and_then(|at| text.get(..at)).unwrap_or(text)
}

/// Replaces quoted values. An apostrophe within a word is not a quotation mark.
fn without_quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((at, open)) = rest.char_indices().find(|(at, c)| opens(rest, *at, *c)) {
        let (before, quoted) = rest.split_at_checked(at).unwrap_or((rest, ""));
        let inside = quoted.get(open.len_utf8()..).unwrap_or_default();
        out.push_str(before);
        let end = inside
            .char_indices()
            .find(|(at, c)| closes(open, *c) && ends_quote(inside, *at, *c));
        let Some((end, close)) = end else {
            // An unclosed quotation is replaced to the end of the text.
            out.push_str("<value>");
            return out;
        };
        out.push_str("<value>");
        rest = inside.get(end + close.len_utf8()..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

fn opens(text: &str, at: usize, c: char) -> bool {
    let before = text.get(..at).and_then(|before| before.chars().next_back());
    match c {
        '"' | '`' | '\u{201c}' | '\u{2018}' | '\u{ab}' | '\u{201e}' => true,
        '\'' => before.is_none_or(|before| !before.is_alphanumeric()),
        _ => false,
    }
}

fn closes(open: char, c: char) -> bool {
    match open {
        '\u{201c}' => c == '\u{201d}',
        '\u{201e}' => matches!(c, '\u{201c}' | '\u{201d}'),
        '\u{2018}' => c == '\u{2019}',
        '\u{ab}' => c == '\u{bb}',
        same => c == same,
    }
}

fn ends_quote(text: &str, at: usize, c: char) -> bool {
    let after = text.get(at + c.len_utf8()..);
    let after = after.and_then(|after| after.chars().next());
    c != '\'' || after.is_none_or(|after| !after.is_alphanumeric())
}

/// A word, masked where it looks like an e-mail address or an id; punctuation around it stays.
fn masked(word: &str) -> String {
    let inner = word.trim_matches(|c: char| !c.is_alphanumeric());
    let address = word.contains('@') || word.to_ascii_lowercase().contains("%40");
    if address {
        return word_with(word, inner, "<e-mail>");
    }
    let parts = inner.split(|c: char| !(c.is_alphanumeric() || matches!(c, '-' | '_')));
    let ids = parts.filter(|part| is_id(part)).map(str::to_owned);
    ids.collect::<Vec<_>>()
        .iter()
        .fold(word.to_owned(), |word, id| word.replace(id, "<id>"))
}

fn word_with(word: &str, inner: &str, mask: &str) -> String {
    if inner.is_empty() {
        return mask.to_owned();
    }
    word.replacen(inner, mask, 1)
}

fn is_id(part: &str) -> bool {
    let digits = part.chars().any(|c| c.is_numeric());
    let letters = part.chars().any(char::is_alphabetic);
    digits && letters && part.chars().count() >= ID_LENGTH
}

/// Replaces long runs of digits, also when separated as in phone numbers.
fn without_long_numbers(text: &str) -> String {
    let joins = |c: char| matches!(c, ' ' | '-' | '(' | ')' | '.' | '/' | '+');
    let mut out = String::with_capacity(text.len());
    let mut run = String::new();
    for c in text.chars().chain(['\0']) {
        if c.is_numeric() || (joins(c) && !run.is_empty()) || c == '+' {
            run.push(c);
            continue;
        }
        let number = run.trim_end_matches(joins);
        let tail = run.get(number.len()..).unwrap_or_default();
        if number.chars().filter(|c| c.is_numeric()).count() >= LONG_NUMBER {
            out.push_str("<number>");
        } else {
            out.push_str(number);
        }
        out.push_str(tail);
        run.clear();
        if c != '\0' {
            out.push(c);
        }
    }
    out
}

fn cut(text: &str) -> String {
    if text.chars().count() <= WORDS_LIMIT {
        return text.to_owned();
    }
    text.chars().take(WORDS_LIMIT - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rules_and_machines_stay() {
        for text in [
            "500: Internal Server Error",
            "403: the key doesn't have org.user.customer.read",
            "400: Additional properties not allowed: loyalty (/properties/custom)",
            "at most 1024 characters, 12 of 100 items",
            "Connection refused (os error 111)",
            "",
        ] {
            assert_eq!(without_persons(text), text);
        }
    }

    #[test]
    fn persons_go() {
        for (text, expected) in [
            ("no (ann.b+x@shop.example).", "no (<e-mail>)."),
            ("GET /email=ann%40shop.example", "GET /<e-mail>"),
            ("phone +49 (151) 123-456 78 taken", "phone <number> taken"),
            ("account 00123456789, gone", "account <number>, gone"),
            ("value \"Ann Lee\" is bad", "value <value> is bad"),
            ("'Ann' isn't `Bob` here", "<value> isn't <value> here"),
            ("name: 'Ann O'Hara", "name: <value>"),
            (
                "customer 5f9c1a2b3c4d5e6f7a8b9c0d gone",
                "customer <id> gone",
            ),
            ("id=3fa85f64-5717-4562-b3fc-2c963f66afa6: no", "id=<id>: no"),
            ("bad\nbody {\"name\":\"Ann\"}", "bad body"),
            ("„Ann“ \u{201c}Lee\u{201d} x", "<value> <value> x"),
        ] {
            assert_eq!(without_persons(text), expected, "{text}");
        }
    }

    #[test]
    fn words_are_cut_and_speak_for_themselves() {
        let long = Trouble::new(TroubleKind::Brokers, &"é".repeat(5_000));
        assert_eq!(long.words.chars().count(), WORDS_LIMIT);
        let said = Trouble::new(TroubleKind::Status(503), "503: busy");
        assert_eq!(said.to_string(), "status 503: busy");
        let silent = Trouble::new(TroubleKind::Status(500), "");
        assert_eq!(silent.to_string(), "status 500");
        let refused = Trouble::of_machines(TroubleKind::Refused, "10.0.0.1:443: refused");
        assert_eq!(
            refused.to_string(),
            "connection_refused: 10.0.0.1:443: refused"
        );
    }

    proptest! {
        #[test]
        fn no_address_and_no_number_survives_any_neighbourhood(
            before in "[ \"'=:(/a-z\u{e9}]{0,8}", after in "[ \"',;)a-z]{0,8}",
            local in "[a-z][a-z0-9.+]{0,6}", digits in "[0-9]{7,12}",
        ) {
            let said = without_persons(&format!("{before}{local}@host.example{after} {digits}"));
            prop_assert!(!said.contains('@'), "{}", said);
            prop_assert!(!said.contains(&digits), "{}", said);
        }

        #[test]
        fn any_text_is_taken(text in "\\PC{0,80}") {
            prop_assert!(without_persons(&text).chars().count() <= WORDS_LIMIT);
        }
    }
}
