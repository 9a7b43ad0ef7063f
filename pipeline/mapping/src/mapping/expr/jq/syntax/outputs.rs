//! What an expression seems to do, for people who may have meant something else.

use super::term::{Piece, Term};
use crate::mapping::expr::always::Always;
use crate::value::Value;

/// Whether an expression assigns at its top level. As a condition that is always true.
pub(crate) fn assigns(term: &Term) -> bool {
    match term {
        Term::Assign(..) | Term::Update(..) | Term::UpdateAlt(..) => true,
        Term::And(left, right) | Term::Or(left, right) => assigns(left) || assigns(right),
        Term::Pipe(stages) => stages.last().is_some_and(assigns),
        Term::Bind(_, _, body) => assigns(body),
        _ => false,
    }
}

/// Whether an expression has an output for each item of something: `.a[]` outside of `[ ]` and of filters that take all
/// outputs together. Anything with a `select` after it does not count, since that is there to leave one.
pub(crate) fn gives_several(term: &Term) -> bool {
    match term {
        Term::Id
        | Term::Const(_)
        | Term::Format(_)
        | Term::Var(_)
        | Term::Break(_)
        | Term::List(_)
        | Term::Update(..)
        | Term::Reduce(..)
        | Term::Foreach(..)
        | Term::Label(..)
        | Term::Def(..) => false,
        Term::Neg(inner)
        | Term::Try(inner, _)
        | Term::Index(inner, _, _)
        | Term::Slice(inner, ..) => gives_several(inner),
        Term::Each(..) | Term::Comma(_) => true,
        Term::Text(_, pieces) => pieces.iter().any(|piece| match piece {
            Piece::Term(inner) => gives_several(inner),
            Piece::Text(_) => false,
        }),
        Term::Object(entries) => entries
            .iter()
            .any(|(key, value)| gives_several(key) || gives_several(value)),
        Term::Pipe(stages) => pipe_gives_several(stages),
        Term::Bind(source, _, body) => {
            !selects(body) && (gives_several(source) || gives_several(body))
        }
        Term::Assign(_, value) | Term::UpdateMath(_, _, value) | Term::UpdateAlt(_, value) => {
            gives_several(value)
        }
        Term::Alt(left, right)
        | Term::Or(left, right)
        | Term::And(left, right)
        | Term::Math(_, left, right)
        | Term::Compare(_, left, right) => gives_several(left) || gives_several(right),
        Term::If(cases, other) => {
            cases.iter().any(|(_, then)| gives_several(then))
                || other.as_ref().is_some_and(|other| gives_several(other))
        }
        Term::Call(name, _) => matches!(
            name.as_str(),
            "splits"
                | "scan"
                | "paths"
                | "leaf_paths"
                | "recurse"
                | "range"
                | "while"
                | "repeat"
                | "combinations"
                | "tostream"
        ),
    }
}

fn pipe_gives_several(stages: &[Term]) -> bool {
    match stages.split_first() {
        None => false,
        Some((last, [])) => gives_several(last),
        Some((first, rest)) => {
            !rest.iter().any(selects) && (gives_several(first) || pipe_gives_several(rest))
        }
    }
}

/// Whether a pipeline narrows down its outputs somewhere.
fn selects(term: &Term) -> bool {
    match term {
        Term::Call(name, _) => matches!(
            name.as_str(),
            "select"
                | "first"
                | "last"
                | "limit"
                | "nth"
                | "empty"
                | "strings"
                | "numbers"
                | "objects"
                | "arrays"
                | "values"
        ),
        Term::Pipe(stages) => stages.iter().any(selects),
        Term::Alt(left, right)
        | Term::Or(left, right)
        | Term::And(left, right)
        | Term::Math(_, left, right)
        | Term::Compare(_, left, right) => selects(left) || selects(right),
        Term::Index(inner, _, _) | Term::Slice(inner, ..) | Term::Each(inner, _) => selects(inner),
        _ => false,
    }
}

/// The kind of value that an expression always has, if it has one at all; `None` if that is not certain.
pub(crate) fn kind(term: &Term) -> Option<Always> {
    match term {
        Term::Const(Value::Bool(_)) | Term::Compare(..) | Term::And(..) | Term::Or(..) => {
            Some(Always::Bool)
        }
        Term::Const(Value::Number(_)) | Term::Neg(_) => Some(Always::Number),
        Term::Text(None, pieces) => {
            let has_letter = |piece: &Piece| match piece {
                Piece::Text(text) => text.chars().any(char::is_alphabetic),
                Piece::Term(_) => false,
            };
            // `1e3` is a number, too
            let words = pieces.iter().any(has_letter) && pieces.len() > 1;
            words.then_some(Always::Words)
        }
        Term::List(_) => Some(Always::List),
        Term::Object(_) => Some(Always::Object),
        Term::Pipe(stages) => kind(stages.last()?),
        Term::Bind(_, _, body) => kind(body),
        Term::Alt(left, right) => {
            let right = kind(right)?;
            (kind(left)? == right).then_some(right)
        }
        Term::If(cases, other) => {
            let last = kind(other.as_deref()?)?;
            let same = |(_, then): &(Term, Term)| kind(then) == Some(last);
            cases.iter().all(same).then_some(last)
        }
        Term::Call(name, args) => match (name.as_str(), args.len()) {
            ("map" | "sort_by" | "group_by" | "unique_by", 1)
            | ("sort" | "unique" | "to_entries" | "explode", 0) => Some(Always::List),
            ("not" | "isempty", _)
            | ("test" | "startswith" | "endswith" | "has", 1)
            | ("any" | "all", _) => Some(Always::Bool),
            ("tonumber" | "floor" | "ceil" | "round", 0) => Some(Always::Number),
            _ => None,
        },
        _ => None,
    }
}
