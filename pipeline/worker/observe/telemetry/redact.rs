//! The safety net below the rules: nothing that looks like personal data or a secret gets out in a log line.

use std::borrow::Cow;
use std::io::{self, Write};

const REDACTED: &str = "[redacted]";

/// A bearer token is longer than any word that could follow "bearer" in a sentence.
const TOKEN_CHARS: usize = 16;

/// Standard error, with every write redacted. The log layer writes one whole line at a time.
#[derive(Debug)]
pub(super) struct RedactingStderr;

impl Write for RedactingStderr {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        io::stderr().lock().write_all(redact(&text).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// The text with e-mail addresses, percent-encoded ones included, and bearer tokens replaced.
///
/// ```
/// # use kustomer_ingest::observe::telemetry::redact;
/// assert_eq!(redact("GET /email=ann%40example.com: 404"), "GET /email=[redacted]: 404");
/// assert_eq!(redact("orders[3]@17 settled"), "orders[3]@17 settled");
/// ```
#[must_use]
pub fn redact(text: &str) -> Cow<'_, str> {
    let mut spans = addresses(text);
    spans.extend(tokens(text));
    if spans.is_empty() {
        return Cow::Borrowed(text);
    }
    spans.sort_unstable();
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for (start, end) in spans {
        if start < done {
            continue;
        }
        out.push_str(text.get(done..start).unwrap_or_default());
        out.push_str(REDACTED);
        done = end;
    }
    out.push_str(text.get(done..).unwrap_or_default());
    Cow::Owned(out)
}

/// Byte ranges of what looks like `local@host.tld`.
fn addresses(text: &str) -> Vec<(usize, usize)> {
    let mut spans = Vec::new();
    for (at, sign) in [("@", 1), ("%40", 3)]
        .iter()
        .flat_map(|(sign, len)| text.match_indices(sign).map(move |(at, _)| (at, *len)))
    {
        let before = text.get(..at).unwrap_or_default();
        let after = text.get(at + sign..).unwrap_or_default();
        let local = before.len() - before.trim_end_matches(is_local).len();
        let host = after.len() - after.trim_start_matches(is_host).len();
        let host_text = after.get(..host).unwrap_or_default().trim_end_matches('.');
        let has_domain = host_text
            .rsplit_once('.')
            .is_some_and(|(_, top)| top.len() >= 2 && top.chars().all(char::is_alphabetic));
        if local > 0 && has_domain {
            let start = at - local;
            // In a JSON line the first letter may belong to an escape such as `
            // `; without it the line would be invalid.
            let escaped = text
                .get(..start)
                .is_some_and(|before| before.ends_with('\\'));
            let first = text.get(start..).and_then(|rest| rest.chars().next());
            let skipped = if escaped {
                first.map_or(0, char::len_utf8)
            } else {
                0
            };
            spans.push((start + skipped, at + sign + host_text.len()));
        }
    }
    spans
}

/// Byte ranges of the tokens after `Bearer`.
fn tokens(text: &str) -> Vec<(usize, usize)> {
    // ASCII lower case does not move any byte.
    let lower = text.to_ascii_lowercase();
    lower
        .match_indices("bearer ")
        .filter_map(|(at, word)| {
            let start = at + word.len();
            let rest = text.get(start..)?;
            let len = rest.find(|c: char| !is_token(c)).unwrap_or(rest.len());
            (len >= TOKEN_CHARS).then_some((start, start + len))
        })
        .collect()
}

fn is_local(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '.' | '_' | '%' | '+' | '-' | '\'')
}

fn is_host(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '.' | '-')
}

fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '~' | '+' | '/' | '=')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_redacted_line_of_json_is_json() {
        for said in [
            "a\nann@example.com",
            "tab\tann@example.com",
            "ann@example.com",
            "\\ann@example.com",
        ] {
            let line = serde_json::json!({ "message": said }).to_string();
            let redacted = redact(&line).into_owned();
            let value: serde_json::Value = serde_json::from_str(&redacted).expect(&redacted);
            assert!(!value.to_string().contains("ann@"), "{redacted}");
        }
    }

    #[test]
    fn personal_data_is_replaced() {
        for (line, expected) in [
            (
                "no customer ann.b+shop@example.co.uk here",
                "no customer [redacted] here",
            ),
            (
                "{\"m\":\"a@b.de\",\"n\":\"c@d.fr\"}",
                "{\"m\":\"[redacted]\",\"n\":\"[redacted]\"}",
            ),
            (
                "GET /v1/customers/email=x%40y.com.",
                "GET /v1/customers/email=[redacted].",
            ),
            ("m\u{fc}ller@stra\u{df}e.de", "[redacted]"),
            (
                "authorization: bearer eyJhbGciOiJIUzI1NiJ9.e30.abc",
                "authorization: bearer [redacted]",
            ),
        ] {
            assert_eq!(redact(line), expected);
        }
    }

    #[test]
    fn everything_else_stays() {
        for line in [
            "shop.events[0]@12345",
            "user@localhost",
            "the bearer of bad news",
            "5 @ 3.5",
            "",
        ] {
            assert!(matches!(redact(line), Cow::Borrowed(_)), "{line}");
        }
    }

    proptest! {
        #[test]
        fn no_address_survives_any_neighbourhood(
            before in "[ \"=:/a-z\u{e9}]{0,8}", after in "[ \",;)a-z]{0,8}",
            local in "[a-z][a-z0-9.+]{0,6}", host in "[a-z]{2,8}",
        ) {
            let line = format!("{before}{local}@{host}.com{after}");
            prop_assert!(!redact(&line).contains('@'), "{}", line);
        }

        #[test]
        fn any_text_is_taken(text in "\\PC{0,40}") {
            prop_assert!(redact(&text).len() <= text.len() * (REDACTED.len() + 1));
        }
    }
}
