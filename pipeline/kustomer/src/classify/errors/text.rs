//! The API's own words, safe for the header of a dead letter.
//!
//! Field names and rules are kept, personal values are not: anything that looks like an e-mail address or a long number
//! is masked, an echo of the payload is dropped, and the rest is cut at [`ERROR_TEXT_LIMIT`].

/// The longest error text, in characters.
pub const ERROR_TEXT_LIMIT: usize = 500;

/// A run of at least this many digits may be a phone number or an account number, and is masked.
const LONG_NUMBER: usize = 7;

/// The text on one line, without echo, addresses and long numbers, cut to the limit.
pub(in crate::classify) fn clean(text: &str) -> String {
    let without_echo = match echo_start(text) {
        Some(at) => text.get(..at).unwrap_or_default(),
        None => text,
    };
    let mut words: Vec<String> = Vec::new();
    for word in without_echo.split(|c: char| c.is_whitespace() || c.is_control()) {
        if !word.is_empty() {
            words.push(mask(word));
        }
    }
    limit(&words.join(" "))
}

/// Cuts at [`ERROR_TEXT_LIMIT`] characters.
pub(super) fn limit(text: &str) -> String {
    if text.chars().count() <= ERROR_TEXT_LIMIT {
        return text.to_owned();
    }
    text.chars()
        .take(ERROR_TEXT_LIMIT - 1)
        .chain(['…'])
        .collect()
}

/// Where a JSON object or array begins in the text.
fn echo_start(text: &str) -> Option<usize> {
    ["{\"", "{ \"", "[{", "[\"", "{\\\""]
        .iter()
        .filter_map(|opening| text.find(opening))
        .min()
}

fn mask(word: &str) -> String {
    let at_sign = word.contains('@') || word.to_ascii_lowercase().contains("%40");
    if at_sign {
        return "<e-mail>".to_owned();
    }
    let mut out = String::with_capacity(word.len());
    let mut digits = String::new();
    for c in word.chars() {
        if c.is_numeric() {
            digits.push(c);
        } else {
            flush(&mut digits, &mut out);
            out.push(c);
        }
    }
    flush(&mut digits, &mut out);
    out
}

fn flush(digits: &mut String, out: &mut String) {
    if digits.chars().count() >= LONG_NUMBER {
        out.push_str("<number>");
    } else {
        out.push_str(digits);
    }
    digits.clear();
}

#[cfg(test)]
mod tests {
    use super::{ERROR_TEXT_LIMIT, clean};

    #[test]
    fn keeps_rules_and_field_names() {
        let text = "Additional properties not allowed: loyaltyTier (/properties/custom)";
        assert_eq!(clean(text), text);
        assert_eq!(clean("must match ^[a-z]{2}$"), "must match ^[a-z]{2}$");
        assert_eq!(clean("at most 1024 characters"), "at most 1024 characters");
    }

    #[test]
    fn masks_what_may_be_a_person() {
        assert_eq!(
            clean("duplicate ann@shop.example found"),
            "duplicate <e-mail> found"
        );
        assert_eq!(clean("email=ann%40shop.example"), "<e-mail>");
        assert_eq!(clean("phone +4915112345678 taken"), "phone +<number> taken");
    }

    #[test]
    fn drops_an_echo_and_line_breaks() {
        assert_eq!(clean("bad\r\nrequest: {\"name\":\"Ann\"}"), "bad request:");
        assert_eq!(clean("bad [{\"name\":1}] item"), "bad");
    }

    #[test]
    fn cuts_long_texts_at_a_character() {
        let cut = clean(&"ä".repeat(2_000));
        assert_eq!(cut.chars().count(), ERROR_TEXT_LIMIT);
        assert!(cut.ends_with('…'));
    }
}
