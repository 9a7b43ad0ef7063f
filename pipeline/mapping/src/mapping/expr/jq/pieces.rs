//! A text with paths in it, taken apart: `"Viewed \(.count) products"`.
//!
//! The titles of digests are made after the event is gone, by code that knows no jq. So they are no more than this.

use super::syntax::parse;
use super::syntax::term::{Math, Piece, Term};
use crate::mapping::expr::Refused;
use crate::mapping::expr::part::Part;
use crate::value::Value;

/// The parts of a text; `None` if the expression is anything else.
pub(in crate::mapping::expr) fn of(text: &str) -> Result<Option<Vec<Part>>, Refused> {
    let parts = match parse::parse(text)? {
        Term::Const(Value::String(text)) => Some(vec![Part::Text(text.into_owned())]),
        Term::Text(None, pieces) => pieces.into_iter().map(part).collect(),
        _ => None,
    };
    Ok(parts)
}

/// The constant texts of which an expression may compose its value.
pub(in crate::mapping::expr) fn constants(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    if let Ok(term) = parse::parse(text) {
        gather(&term, &mut found);
    }
    found
}

fn gather(term: &Term, found: &mut Vec<String>) {
    match term {
        Term::Const(Value::String(text)) => found.push(text.clone().into_owned()),
        Term::Text(format, pieces) => {
            for piece in pieces {
                match piece {
                    Piece::Text(text) => found.push(text.clone()),
                    Piece::Term(term) if format.is_none() => gather(term, found),
                    Piece::Term(_) => {}
                }
            }
        }
        Term::Math(Math::Add, left, right) | Term::Alt(left, right) => {
            gather(left, found);
            gather(right, found);
        }
        Term::If(choices, otherwise) => {
            for (_, then) in choices {
                gather(then, found);
            }
            if let Some(term) = otherwise {
                gather(term, found);
            }
        }
        _ => {}
    }
}

fn part(piece: Piece) -> Option<Part> {
    match piece {
        Piece::Text(text) => Some(Part::Text(text)),
        Piece::Term(term) => path(&term).map(Part::Path),
    }
}

/// The names along a path from `.`.
fn path(term: &Term) -> Option<Vec<String>> {
    match term {
        Term::Id => Some(Vec::new()),
        Term::Index(base, key, _) => {
            let Term::Const(Value::String(key)) = &**key else {
                return None;
            };
            let mut names = path(base)?;
            names.push(key.clone().into_owned());
            Some(names)
        }
        _ => None,
    }
}
