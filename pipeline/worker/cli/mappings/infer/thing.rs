//! What an event is about: a thing with an id, which becomes an object.

use ingest_mapping::decode::Format;

use super::look::{Seen, is_content, singular};
use crate::cli::mappings::drafts::personal::words;

/// Words for persons in names of ids.
const PERSONS: &[&str] = &[
    "user", "customer", "member", "client", "account", "contact", "buyer", "person", "shopper",
    "guest", "profile",
];

/// The thing that an event is about: its klass, and where its id is.
pub(super) fn thing(format: Format, seen: &Seen, name: &[String]) -> Option<(String, String)> {
    let about = noun_of(&seen.name);
    let mut best: Option<(usize, String, String)> = None;
    for (path, found) in &seen.paths {
        let often = seen.is_often(found.present) && !found.is_past();
        let ids = matches!(found.only_type(), Some("text" | "number"));
        if !often || !ids || !is_content(format, path) {
            continue;
        }
        let words = found.words();
        let (Some(last), Some(noun)) = (words.last(), words.iter().rev().nth(1)) else {
            continue;
        };
        if !matches!(
            last.as_str(),
            "id" | "number" | "key" | "uuid" | "no" | "code"
        ) || is_person(noun)
        {
            continue;
        }
        let Some(at) = name.iter().position(|word| same(word, noun)) else {
            continue;
        };
        // the order of an `order_transactions/create` is not what that is about
        let within = about.iter().position(|word| same(word, noun));
        if within.is_some_and(|place| place + 1 < about.len()) {
            continue;
        }
        // An id before a number, what the name is about before its other words, a short path before a long one.
        let is_about = within.is_some();
        let rank = usize::from(last != "id") * 100
            + if is_about { 0 } else { at * 10 + 5 }
            + found.keys.len();
        if best.as_ref().is_none_or(|(other, ..)| rank < *other) {
            best = Some((rank, noun.clone(), path.clone()));
        }
    }
    if let Some((_, noun, path)) = best {
        let is_whole = about.len() > 1 && about.last().is_some_and(|last| same(last, &noun));
        let klass = if is_whole { about.join("-") } else { noun };
        return Some((singular(&klass), path));
    }
    // The envelope says what it is about.
    let words = if about.is_empty() {
        name.get(..1).unwrap_or_default()
    } else {
        &about
    };
    let noun = words.last()?;
    if noun.len() < 3 || is_person(noun) {
        return None;
    }
    let klass = singular(&words.join("-"));
    if seen.is_often(seen.subjects) {
        return Some((klass, "$event.subject".to_owned()));
    }
    // A row is of its table, and most tables have this column.
    let id = seen.paths.get(".id").filter(|id| seen.is_often(id.present));
    let is_row = format == Format::Debezium && id.is_some();
    is_row.then(|| (klass, ".id".to_owned()))
}

/// The words for what an event is about, where its name has parts: those of the part before the last, as in `charge.dispute.created` and
/// `order_transactions/create`.
fn noun_of(name: &str) -> Vec<String> {
    let is_version = |part: &&str| {
        let number = part.strip_prefix(['v', 'V']).unwrap_or_default();
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    };
    let parts = name.split(['/', '.', ':']);
    let parts = parts.filter(|part| !part.is_empty() && !is_version(part));
    let before_last = parts.rev().nth(1).map(words).unwrap_or_default();
    let is_plain = |word: &String| word.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if before_last.iter().all(is_plain)
        && before_last
            .join("")
            .starts_with(|c: char| c.is_ascii_alphabetic())
    {
        before_last
    } else {
        Vec::new()
    }
}

/// Whether a word is for persons, or for companies: neither is a klass.
pub(super) fn is_person(word: &str) -> bool {
    PERSONS.contains(&singular(word).as_str()) || ["company", "companies"].contains(&word)
}

fn same(word: &str, noun: &str) -> bool {
    singular(word) == singular(noun)
}
