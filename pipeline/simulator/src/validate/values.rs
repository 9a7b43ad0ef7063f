//! Rules for single values: names, keys, contact points, tags.

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

/// A letter, then letters, digits, `-`, `_` and `.`; 2 to 255 characters.
pub(super) fn is_event_name(text: &str) -> bool {
    (2..=255).contains(&text.len())
        && text
            .bytes()
            .next()
            .is_some_and(|first| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| is_word(byte) || byte == b'.')
}

/// A letter and 2 to 32 letters, digits, `-` and `_`: what stands before the suffix of a `meta` key,
/// and the whole of a plain one.
pub(super) fn is_meta_stem(text: &str) -> bool {
    (3..=33).contains(&text.len()) && is_attribute_stem(text)
}

/// A letter, then letters, digits, `-` and `_`: what stands before the suffix of a custom attribute.
pub(super) fn is_attribute_stem(text: &str) -> bool {
    text.bytes()
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic())
        && text.bytes().all(is_word)
}

/// Letters, digits, `-` and `_`.
pub(super) fn is_klass_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_word)
}

/// Two or more labels of letters, digits and inner hyphens.
pub(super) fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.contains('.') && text.len() <= 253 && text.split('.').all(label)
}

/// Letters with and without accents, digits and `_/<>-.`; blanks except in front; at most 64.
pub(super) fn is_tag(text: &str) -> bool {
    let allowed = |character: char| {
        character.is_ascii_alphanumeric()
            || ('\u{c0}'..='\u{ff}').contains(&character)
            || "_/<>-.".contains(character)
    };
    let length = text.chars().count();
    (1..=64).contains(&length)
        && text.chars().next().is_some_and(allowed)
        && text
            .chars()
            .all(|character| allowed(character) || character == ' ')
}

/// An address as a strict validator has it: visible ASCII with one `@`, no gap between dots, a domain of several labels.
pub(super) fn is_email(text: &str) -> bool {
    let mut parts = text.split('@');
    let (Some(local), Some(domain), None) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let gapless = |part: &str| !format!(".{part}.").contains("..");
    let in_local = |byte: u8| byte.is_ascii_graphic() && !b"\"(),:;<>[\\]".contains(&byte);
    let in_domain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
    let hyphens = [".-", "-."]
        .iter()
        .any(|odd| format!(".{domain}.").contains(odd));
    let long = text.len() > 254 || local.len() > 64 || domain.split('.').any(|l| l.len() > 63);
    gapless(local)
        && gapless(domain)
        && domain.contains('.')
        && local.bytes().all(in_local)
        && domain.bytes().all(in_domain)
        && !hyphens
        && !long
}

/// `^\+?[1-9]\d{1,14}$`
pub(super) fn is_phone(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or(text);
    (2..=15).contains(&digits.len())
        && !digits.starts_with('0')
        && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// A scheme, a colon and something without blanks.
pub(super) fn is_url(text: &str) -> bool {
    text.split_once(':').is_some_and(|(scheme, rest)| {
        scheme
            .bytes()
            .next()
            .is_some_and(|first| first.is_ascii_alphabetic())
            && scheme
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
            && !rest.is_empty()
            && !text
                .chars()
                .any(|character| character.is_whitespace() || character.is_control())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_names() {
        for good in ["Order-Placed", "ab", "a.b_c-9"] {
            assert!(is_event_name(good), "{good}");
        }
        let long = "a".repeat(256);
        for bad in [
            "",
            "a",
            "9a",
            "Order Placed",
            "-a",
            "a\u{e9}",
            long.as_str(),
        ] {
            assert!(!is_event_name(bad), "{bad}");
        }
    }

    #[test]
    fn tags() {
        for good in ["vip", "a b", "\u{e9}t\u{e9}", "x/<y>-.z"] {
            assert!(is_tag(good), "{good}");
        }
        let long = "a".repeat(65);
        for bad in ["", " a", "a,b", "a#", long.as_str()] {
            assert!(!is_tag(bad), "{bad}");
        }
    }

    #[test]
    fn contact_points() {
        for good in ["a+b@c.de", "x.y_z@mail.shop.example", "o'n{1}@a-b.example"] {
            assert!(is_email(good), "{good}");
        }
        for bad in [
            "a@b@c.de",
            "@b.de",
            "a@",
            "a b@c.de",
            "a@b",
            "a..b@c.de",
            ".a@c.de",
            "a@c..de",
            "a@c.de.",
            "a@-c.de",
            "a@c_d.de",
            "j\u{f6}rg@c.de",
            "a@b\u{fc}cher.de",
            "\"a\"@c.de",
        ] {
            assert!(!is_email(bad), "{bad}");
        }
        assert!(is_phone("+4930123456") && is_phone("15551234") && !is_phone("+0123"));
        assert!(!is_phone("+49 30") && !is_phone("+1234567890123456"));
        assert!(is_url("https://a.b/c") && is_url("mailto:a@b") && !is_url("a.b/c"));
        assert!(!is_url("https://a b"));
    }
}
