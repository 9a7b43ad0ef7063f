//! Which parts of an event an expression looks at: the paths in it, as far as the text alone tells.
//!
//! For people: a path that is not found here may still be read, as within a function.

use super::syntax::parse;
use super::syntax::term::{Piece, Term};
use crate::value::Value;

/// The most paths of one expression.
const MOST: usize = 50;
/// The variables that no file names.
const GIVEN: &[&str] = &["event", "record", "item", "index"];
/// Functions whose arguments see the same `.` as the function itself.
const SAME_INPUT: &[&str] = &["select", "first", "last", "has", "error", "isvalid", "test"];

/// The paths from `.`, `$event`, `$record` and `$item` that an expression has, and `$index`, in their order, each once.
pub(in crate::mapping::expr) fn of(text: &str) -> Vec<String> {
    let Ok(term) = parse::parse(text) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    walk(&term, true, &mut found);
    found.truncate(MOST);
    found
}

fn walk(term: &Term, is_content: bool, found: &mut Vec<String>) {
    if let Some(path) = path(term, is_content) {
        if path != "." && !found.contains(&path) {
            found.push(path);
        }
        return;
    }
    match term {
        // What follows the first part sees what that gives.
        Term::Pipe(parts) => {
            let mut is_content = is_content;
            for part in parts {
                walk(part, is_content, found);
                is_content &= *part == Term::Id;
            }
        }
        Term::Bind(value, _, body) => {
            walk(value, is_content, found);
            walk(body, is_content, found);
        }
        Term::Reduce(source, ..) | Term::Foreach(source, ..) => walk(source, is_content, found),
        Term::Text(_, pieces) => {
            for piece in pieces {
                if let Piece::Term(term) = piece {
                    walk(term, is_content, found);
                }
            }
        }
        Term::Call(name, arguments) => {
            let same = is_content && SAME_INPUT.contains(&name.as_str());
            for argument in arguments {
                walk(argument, same, found);
            }
        }
        Term::Def(_, body) => walk(body, is_content, found),
        _ => term
            .clone()
            .parts(&mut |part| walk(part, is_content, found)),
    }
}

/// The path that a term is; lists are passed through as a whole.
fn path(term: &Term, is_content: bool) -> Option<String> {
    match term {
        Term::Id => is_content.then(|| ".".to_owned()),
        Term::Var(name) if GIVEN.contains(&name.as_str()) => Some(format!("${name}")),
        Term::Index(base, key, _) => {
            let base = path(base, is_content)?;
            match &**key {
                Term::Const(Value::String(key)) => {
                    let dot = if base == "." { "" } else { "." };
                    let key = if is_plain(key) {
                        key.clone().into_owned()
                    } else {
                        Value::text(key).to_string()
                    };
                    Some(format!("{base}{dot}{key}"))
                }
                Term::Const(Value::Number(index)) => Some(format!("{base}[{index}]")),
                _ => None,
            }
        }
        Term::Each(base, _) | Term::Slice(base, ..) => path(base, is_content),
        Term::Try(base, None) => path(base, is_content),
        _ => None,
    }
}

fn is_plain(key: &str) -> bool {
    let mut chars = key.chars();
    chars
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn the_paths_of_an_expression_are_found() {
        for (text, wanted) in [
            (".a.b", vec![".a.b"]),
            (".a // $event.time", vec![".a", "$event.time"]),
            (
                "\"Order \\(.id) of \\(.user.name)\"",
                vec![".id", ".user.name"],
            ),
            ("[.items[] | {sku, price: .p}]", vec![".items"]),
            (".items | length", vec![".items"]),
            (".\"content-type\"", vec![".\"content-type\""]),
            ("if .a == 1 then .b else null end", vec![".a", ".b"]),
            (".items[0].sku", vec![".items[0].sku"]),
            (
                "[.items[] | select(.n > 1)] | map(.n) | add",
                vec![".items"],
            ),
            ("$record.headers.shop", vec!["$record.headers.shop"]),
            ("$item.sku // $index", vec!["$item.sku", "$index"]),
            ("$order.id", vec![]),
            ("5", vec![]),
            ("not jq (", vec![]),
        ] {
            assert_eq!(of(text), wanted, "{text}");
        }
    }
}
