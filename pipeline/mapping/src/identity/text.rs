//! One spelling for texts that look the same.
//!
//! A zero-width space after an id, a byte order mark before it, or an accent written as a second character would make a
//! second customer that looks like the first. So before texts are compared or sent as keys:
//!
//! - invisible characters are removed: control, zero-width and bidirectional characters, soft hyphens, variation
//!   selectors, tags;
//! - blanks of every kind, tabs and line breaks become plain blanks, and those at both ends are removed;
//! - the rest is normalised to Unicode's form C.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization as _;

/// Invisible characters, in ascending order: those that Unicode calls ignorable, and the annotation marks.
const INVISIBLE: &[(char, char)] = &[
    ('\u{ad}', '\u{ad}'),       // soft hyphen
    ('\u{34f}', '\u{34f}'),     // grapheme joiner
    ('\u{61c}', '\u{61c}'),     // Arabic letter mark
    ('\u{115f}', '\u{1160}'),   // Hangul fillers
    ('\u{17b4}', '\u{17b5}'),   // Khmer inherent vowels
    ('\u{180b}', '\u{180f}'),   // Mongolian variation selectors
    ('\u{200b}', '\u{200f}'),   // zero-width space and joiners, direction marks
    ('\u{202a}', '\u{202e}'),   // embeddings and overrides of direction
    ('\u{2060}', '\u{206f}'),   // word joiner, invisible operators, isolates of direction
    ('\u{3164}', '\u{3164}'),   // Hangul filler
    ('\u{fe00}', '\u{fe0f}'),   // variation selectors
    ('\u{feff}', '\u{feff}'),   // byte order mark
    ('\u{ffa0}', '\u{ffa0}'),   // halfwidth Hangul filler
    ('\u{fff0}', '\u{fffb}'),   // unassigned, annotations
    ('\u{1bca0}', '\u{1bca3}'), // shorthand controls
    ('\u{1d173}', '\u{1d17a}'), // musical controls
    ('\u{e0000}', '\u{e0fff}'), // tags and further variation selectors
];

/// A text in its one spelling; empty if nothing in it is visible.
///
/// ```
/// # use ingest_mapping::identity::cleaned;
/// assert_eq!(cleaned("\u{feff} c-7\u{200b}"), "c-7");
/// assert_eq!(cleaned("Zoe\u{308}"), "Zo\u{eb}");
/// assert_eq!(cleaned("a\tb\u{a0}c"), "a b c");
/// ```
#[must_use]
pub fn cleaned(text: &str) -> Cow<'_, str> {
    let plain = |byte: u8| byte.is_ascii() && !byte.is_ascii_control();
    if text.bytes().all(plain) {
        return Cow::Borrowed(text.trim());
    }
    let visible = text
        .chars()
        .map(|c| if c.is_whitespace() { ' ' } else { c })
        .filter(|c| !is_invisible(*c));
    let normal: String = visible.nfc().collect();
    Cow::Owned(normal.trim().to_owned())
}

fn is_invisible(c: char) -> bool {
    let found = INVISIBLE.binary_search_by(|(first, last)| {
        if *last < c {
            std::cmp::Ordering::Less
        } else if c < *first {
            std::cmp::Ordering::Greater
        } else {
            std::cmp::Ordering::Equal
        }
    });
    c.is_control() || found.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_sees_goes() {
        for c in [
            '\u{0}',
            '\u{7}',
            '\u{1b}',
            '\u{7f}',
            '\u{80}',
            '\u{ad}',
            '\u{34f}',
            '\u{61c}',
            '\u{180e}',
            '\u{200b}',
            '\u{200d}',
            '\u{200e}',
            '\u{202a}',
            '\u{202e}',
            '\u{2060}',
            '\u{2063}',
            '\u{2069}',
            '\u{3164}',
            '\u{fe0f}',
            '\u{feff}',
            '\u{fffb}',
            '\u{e0041}',
            '\u{e0100}',
        ] {
            let text = format!("{c}no{c}r{c}a-9{c}");
            assert_eq!(cleaned(&text), "nora-9", "U+{:04X}", u32::from(c));
            assert_eq!(cleaned(&format!(" {c} ")), "", "U+{:04X}", u32::from(c));
        }
    }

    #[test]
    fn what_everybody_sees_stays() {
        for text in [
            "c-7",
            "Zoë",
            "Ωμέγα",
            "李雷",
            "नमस्ते",
            "😀",
            "\u{fffd}",
            "~!@#$%^&*()_+",
        ] {
            assert_eq!(cleaned(text), text);
        }
    }

    #[test]
    fn blanks_of_all_kinds_are_one_kind() {
        for blank in [
            '\t', '\n', '\r', '\u{b}', '\u{85}', '\u{a0}', '\u{2003}', '\u{2028}', '\u{3000}',
        ] {
            let text = format!("{blank}ann{blank}lee{blank}");
            assert_eq!(cleaned(&text), "ann lee", "U+{:04X}", u32::from(blank));
        }
    }

    #[test]
    fn one_letter_has_one_spelling() {
        assert_eq!(cleaned("u\u{308}na"), cleaned("\u{fc}na"));
        assert_eq!(cleaned("\u{1112}\u{1161}\u{11ab}"), cleaned("\u{d55c}"));
        // a joiner between a letter and its accent is removed first
        assert_eq!(cleaned("u\u{34f}\u{308}"), "\u{fc}");
    }

    proptest::proptest! {
        #[test]
        fn cleaning_twice_changes_nothing(text in "\\PC*|[\\u{200b}\\u{feff}a-z \\u{308}\\u{a0}]*") {
            let once = cleaned(&text).into_owned();
            proptest::prop_assert_eq!(cleaned(&once), once.as_str());
        }
    }

    #[test]
    fn the_table_is_in_order() {
        assert!(INVISIBLE.is_sorted_by(|a, b| a.1 < b.0));
        assert!(INVISIBLE.iter().all(|(first, last)| first <= last));
    }
}
