//! `let`: values that expressions share.

use super::super::super::expr::names::TAKEN;
use super::super::super::node::{Key, Node};
use super::super::reader::Reader;

/// The most values that expressions of one route can see.
const MOST: usize = 100;
/// The longest name.
const LONGEST: usize = 64;

/// The values of a file, which all of its expressions see.
pub(in crate::mapping::compile) fn file_lets(reader: &mut Reader<'_>, node: &Node) {
    lets(reader, node, "let");
}

/// The values of a route, which its expressions see besides those of the file.
pub(in crate::mapping::compile) fn route_lets(reader: &mut Reader<'_>, node: &Node, at: &str) {
    lets(reader, node, &format!("{at}.let"));
}

fn lets(reader: &mut Reader<'_>, node: &Node, at: &str) {
    let entries = reader.map(node, at).unwrap_or_default();
    if reader.names.lets() + entries.len() > MOST {
        let problem = format!("names more than {MOST} values for one route");
        reader.error(node.place, at, problem, None);
        return;
    }
    let mut named: Vec<(&Key, &Node, usize)> = Vec::new();
    for (key, node) in entries {
        if is_free(reader, key, at) {
            let index = reader.new_let(key.place, format!("{at}.{}", key.name));
            reader.names.add_let(&key.name, index);
            named.push((key, node, index));
        }
    }
    // They may use each other in any order, so all names are known before the first is compiled.
    for (key, node, index) in &named {
        if let Some(expr) = reader.expr(node, &format!("{at}.{}", key.name)) {
            reader.set_let(*index, expr);
        }
    }
    for (key, _, index) in &named {
        if let Some(way) = circle(reader, *index, &named) {
            let problem = format!("is computed from itself: {}", way.join(" uses "));
            let help = "a value is computed from the event, and from values that do not use it";
            let at = format!("{at}.{}", key.name);
            reader.error(key.place, &at, problem, Some(help.to_owned()));
            // one report for each circle
            return;
        }
    }
}

/// Whether a name is legal and not taken.
fn is_free(reader: &mut Reader<'_>, key: &Key, at: &str) -> bool {
    let name = &key.name;
    let at = format!("{at}.{name}");
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let word = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let (problem, help) = if !begins || !word || name.len() > LONGEST || name.starts_with("__") {
        (
            "not the name of a variable".to_owned(),
            "a letter, then letters, digits and `_`, for example `order_id`, used as `$order_id`",
        )
    } else if TAKEN.contains(&name.as_str()) {
        (
            format!("`${name}` has a meaning of its own"),
            "choose another name",
        )
    } else if reader.names.let_named(name).is_some() {
        (
            format!("`${name}` is named already"),
            "the names of a file, of the files that it includes and of a route are different",
        )
    } else {
        return true;
    };
    reader.error(key.place, &at, problem, Some(help.to_owned()));
    false
}

/// The way by which a value is computed from itself.
fn circle(reader: &Reader<'_>, from: usize, named: &[(&Key, &Node, usize)]) -> Option<Vec<String>> {
    let name = |index: usize| {
        let found = named.iter().find(|(_, _, known)| *known == index);
        found.map_or_else(String::new, |(key, _, _)| format!("`${}`", key.name))
    };
    let mut seen = vec![from];
    let mut ways = vec![vec![from]];
    while let Some(way) = ways.pop() {
        let here = way.last().copied().unwrap_or(from);
        for next in reader.lets_in(here) {
            let mut longer = way.clone();
            longer.push(next);
            if next == from {
                return Some(longer.into_iter().map(name).collect());
            }
            if !seen.contains(&next) {
                seen.push(next);
                ways.push(longer);
            }
        }
    }
    None
}
