//! The direct plan: the part of jq that most fields need, over the JSON value itself.
//!
//! It follows the interpreter in every detail, errors and "no output" included.

use std::borrow::Cow;

use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Term};
use jaq_core::ops::Cmp;
use jaq_core::path::{Opt, Part};
use serde_json::Value;

use super::jaq::to_val;
use super::{Failed, Scope};

/// A compiled expression without loops.
#[derive(Debug)]
pub(super) enum Plan {
    Literal(Value),
    Path(Root, Vec<Step>),
    /// `a // b`
    Alt(Box<Plan>, Box<Plan>),
    /// `"a\(b)"`
    Text(Vec<Piece>),
    /// `a == b`; false: `a != b`
    Equal(Box<Plan>, Box<Plan>, bool),
    /// `a and b`
    And(Box<Plan>, Box<Plan>),
    /// `a or b`
    Or(Box<Plan>, Box<Plan>),
    /// `a | length`
    Length(Box<Plan>),
    /// `a | not`
    Not(Box<Plan>),
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Root {
    Payload,
    Event,
    Record,
}

/// One step of a path, and whether an input that cannot be stepped into gives nothing instead of an error.
#[derive(Debug)]
pub(super) struct Step {
    to: To,
    optional: bool,
}

#[derive(Debug)]
enum To {
    Key(String),
    Index(i64),
}

#[derive(Debug)]
pub(super) enum Piece {
    Text(String),
    Value(Plan),
}

/// At most one output, as jq has streams.
type Output<'a> = Result<Option<Cow<'a, Value>>, Failed>;

const NULL: &Value = &Value::Null;
const TRUE: &Value = &Value::Bool(true);
const FALSE: &Value = &Value::Bool(false);

impl Plan {
    /// The plan of a term, if the term has one.
    pub(super) fn of(term: &Term<&str>) -> Option<Self> {
        match term {
            Term::Id => Some(Self::Path(Root::Payload, Vec::new())),
            Term::Var("$event") => Some(Self::Path(Root::Event, Vec::new())),
            Term::Var("$record") => Some(Self::Path(Root::Record, Vec::new())),
            Term::Num(text) => Some(Self::Literal(Value::from(text.parse::<i64>().ok()?))),
            Term::Call("null", args) if args.is_empty() => Some(Self::Literal(Value::Null)),
            Term::Call("true", args) if args.is_empty() => Some(Self::Literal(Value::Bool(true))),
            Term::Call("false", args) if args.is_empty() => Some(Self::Literal(Value::Bool(false))),
            Term::Str(None, parts) => Self::of_text(parts),
            Term::Path(head, path) => match Self::of(head)? {
                Self::Path(root, mut steps) => {
                    for (part, optional) in &path.0 {
                        let to = match part {
                            Part::Index(Term::Str(None, parts)) => To::Key(plain_text(parts)?),
                            Part::Index(Term::Num(text)) => To::Index(text.parse().ok()?),
                            Part::Index(Term::Neg(inner)) => match &**inner {
                                Term::Num(text) => To::Index(text.parse::<i64>().ok()?.checked_neg()?),
                                _ => return None,
                            },
                            Part::Index(_) | Part::Range(..) => return None,
                        };
                        steps.push(Step { to, optional: matches!(optional, Opt::Optional) });
                    }
                    Some(Self::Path(root, steps))
                }
                _ => None,
            },
            Term::BinOp(left, op, right) => Self::of_operation(left, op, right),
            _ => None,
        }
    }

    fn of_operation(left: &Term<&str>, op: &BinaryOp<&str>, right: &Term<&str>) -> Option<Self> {
        let both = || Some((Box::new(Self::of(left)?), Box::new(Self::of(right)?)));
        match op {
            BinaryOp::Alt => both().map(|(l, r)| Self::Alt(l, r)),
            BinaryOp::And => both().map(|(l, r)| Self::And(l, r)),
            BinaryOp::Or => both().map(|(l, r)| Self::Or(l, r)),
            BinaryOp::Cmp(Cmp::Eq) => both().map(|(l, r)| Self::Equal(l, r, true)),
            BinaryOp::Cmp(Cmp::Ne) => both().map(|(l, r)| Self::Equal(l, r, false)),
            BinaryOp::Pipe(None) => match right {
                Term::Call("length", args) if args.is_empty() => Some(Self::Length(Box::new(Self::of(left)?))),
                Term::Call("not", args) if args.is_empty() => Some(Self::Not(Box::new(Self::of(left)?))),
                _ => None,
            },
            _ => None,
        }
    }

    fn of_text(parts: &[StrPart<&str, Term<&str>>]) -> Option<Self> {
        if let Some(text) = plain_text(parts) {
            return Some(Self::Literal(Value::String(text)));
        }
        let mut pieces = Vec::with_capacity(parts.len());
        for part in parts {
            pieces.push(match part {
                StrPart::Str(text) => Piece::Text((*text).to_owned()),
                StrPart::Char(c) => Piece::Text(c.to_string()),
                StrPart::Term(term) => Piece::Value(Self::of(term)?),
            });
        }
        Some(Self::Text(pieces))
    }

    pub(super) fn as_literal(&self) -> Option<&Value> {
        match self {
            Self::Literal(value) => Some(value),
            _ => None,
        }
    }

    pub(super) fn eval<'a>(&'a self, scope: &'a Scope<'a>) -> Output<'a> {
        match self {
            Self::Literal(value) => Ok(Some(Cow::Borrowed(value))),
            Self::Path(root, steps) => {
                let start = match root {
                    Root::Payload => scope.payload,
                    Root::Event => scope.event(),
                    Root::Record => scope.record(),
                };
                walk(start, steps)
            }
            Self::Alt(left, right) => match left.eval(scope)? {
                Some(value) if holds(&value) => Ok(Some(value)),
                _ => right.eval(scope),
            },
            Self::Text(pieces) => interpolate(pieces, scope),
            Self::Equal(left, right, wanted) => {
                // as the interpreter pairs outputs: where one side has none there is no pair, be the other an error
                let left = match left.eval(scope) {
                    Ok(None) => return Ok(None),
                    Ok(Some(value)) => Ok(value),
                    Err(failed) => Err(failed),
                };
                let Some(right) = right.eval(scope)? else { return Ok(None) };
                let left = left?;
                Ok(Some(boolean(same(&left, &right) == *wanted)))
            }
            Self::And(left, right) => match left.eval(scope)? {
                Some(value) if holds(&value) => Ok(right.eval(scope)?.map(|value| boolean(holds(&value)))),
                Some(_) => Ok(Some(boolean(false))),
                None => Ok(None),
            },
            Self::Or(left, right) => match left.eval(scope)? {
                Some(value) if holds(&value) => Ok(Some(boolean(true))),
                Some(_) => Ok(right.eval(scope)?.map(|value| boolean(holds(&value)))),
                None => Ok(None),
            },
            Self::Length(inner) => inner.eval(scope)?.map(|value| length(&value).map(Cow::Owned)).transpose(),
            Self::Not(inner) => Ok(inner.eval(scope)?.map(|value| boolean(!holds(&value)))),
        }
    }
}

fn walk<'a>(start: &'a Value, steps: &[Step]) -> Output<'a> {
    let mut at = start;
    for step in steps {
        let next = match (at, &step.to) {
            (Value::Null, _) => Some(NULL),
            (Value::Object(fields), To::Key(key)) => Some(fields.get(key).unwrap_or(NULL)),
            // the interpreter allows keys that are no text, which JSON has not
            (Value::Object(_), To::Index(_)) => Some(NULL),
            (Value::Array(items), To::Index(index)) => {
                let from_start = usize::try_from(*index).ok();
                let from_end = usize::try_from(index.unsigned_abs()).ok().and_then(|back| items.len().checked_sub(back));
                let found = if *index < 0 { from_end } else { from_start };
                Some(found.and_then(|index| items.get(index)).unwrap_or(NULL))
            }
            (Value::Array(_), To::Key(_)) | (Value::Bool(_) | Value::Number(_) | Value::String(_), _) => None,
        };
        match next {
            Some(next) => at = next,
            None if step.optional => return Ok(None),
            None => return Err(Failed("a path leads into a value that has no such parts")),
        }
    }
    Ok(Some(Cow::Borrowed(at)))
}

fn interpolate<'a>(pieces: &'a [Piece], scope: &'a Scope<'a>) -> Output<'a> {
    let mut text = String::new();
    let mut failure = None;
    for piece in pieces {
        match piece {
            Piece::Text(piece) => text.push_str(piece),
            Piece::Value(plan) => match plan.eval(scope) {
                // as the interpreter pairs outputs: without one of a later piece an error of an earlier one is not seen
                Ok(None) => return Ok(None),
                Err(failed) => failure = failure.or(Some(failed)),
                Ok(Some(value)) => match &*value {
                    Value::String(piece) => text.push_str(piece),
                    Value::Bool(yes) => text.push_str(if *yes { "true" } else { "false" }),
                    value => text.push_str(&to_val(value).to_string()),
                },
            },
        }
    }
    failure.map_or(Ok(Some(Cow::Owned(Value::String(text)))), Err)
}

fn length(value: &Value) -> Result<Value, Failed> {
    Ok(match value {
        Value::Null => Value::from(0),
        Value::Bool(_) => return Err(Failed("a boolean has no length")),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => whole.checked_abs().map_or_else(|| Value::from(whole.unsigned_abs()), Value::from),
            None if number.is_u64() => Value::Number(number.clone()),
            None => Value::from(number.as_f64().map_or(0.0, f64::abs)),
        },
        Value::String(text) => Value::from(text.chars().count()),
        Value::Array(items) => Value::from(items.len()),
        Value::Object(fields) => Value::from(fields.len()),
    })
}

/// Equality as jq has it: numbers by value, objects whatever the order of their fields.
fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(_), Value::Number(_)) => to_val(left) == to_val(right),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(l, r)| same(l, r))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len() && left.iter().all(|(key, l)| right.get(key).is_some_and(|r| same(l, r)))
        }
        (left, right) => left == right,
    }
}

fn holds(value: &Value) -> bool {
    !matches!(value, Value::Null | Value::Bool(false))
}

fn boolean(yes: bool) -> Cow<'static, Value> {
    Cow::Borrowed(if yes { TRUE } else { FALSE })
}

/// The text without interpolation, if it is one.
fn plain_text(parts: &[StrPart<&str, Term<&str>>]) -> Option<String> {
    let mut text = String::new();
    for part in parts {
        match part {
            StrPart::Str(piece) => text.push_str(piece),
            StrPart::Char(c) => text.push(*c),
            StrPart::Term(_) => return None,
        }
    }
    Some(text)
}
