//! The direct plan: the part of jq that most fields need, over the JSON value itself.
//!
//! It follows the interpreter in every detail, errors and "no output" included.

use std::borrow::Cow;

use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Term};
use jaq_core::ops::Cmp;
use jaq_core::path::Opt;
use serde_json::{Map, Value};

use super::jaq::to_val;
use super::place::{Place, Root, Step, To, plain_text};
use super::{Failed, Scope};

/// A compiled expression without loops.
#[derive(Debug)]
pub(super) enum Plan {
    Literal(Value),
    Path(Place),
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
    /// `if a then b elif c then d else e end`
    If(Vec<(Plan, Plan)>, Box<Plan>),
    /// `{a: b, c}`
    Object(Vec<(String, Plan)>),
    /// `a.path | b`
    Within(Place, Box<Plan>),
    /// `[a.path[] | b]` and `a.path | map(b)`
    Collect(Place, Opt, Box<Plan>),
}

#[derive(Debug)]
pub(super) enum Piece {
    Text(String),
    Value(Plan),
}

/// At most one output, as jq has streams.
type Output<'a> = Result<Option<Cow<'a, Value>>, Failed>;

const TRUE: &Value = &Value::Bool(true);
const FALSE: &Value = &Value::Bool(false);

impl Plan {
    /// The plan of a term, if the term has one.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the interpreter knows many more forms, and all of them without a plan go to it"
    )]
    pub(super) fn of(term: &Term<&str>) -> Option<Self> {
        match term {
            Term::Id => Some(Self::Path(Place::at(Root::Dot))),
            Term::Var("$event") => Some(Self::Path(Place::at(Root::Event))),
            Term::Var("$record") => Some(Self::Path(Place::at(Root::Record))),
            Term::Num(text) => Some(Self::Literal(Value::from(text.parse::<i64>().ok()?))),
            Term::Call("null", args) if args.is_empty() => Some(Self::Literal(Value::Null)),
            Term::Call("true", args) if args.is_empty() => Some(Self::Literal(Value::Bool(true))),
            Term::Call("false", args) if args.is_empty() => Some(Self::Literal(Value::Bool(false))),
            Term::Str(None, parts) => Self::of_text(parts),
            Term::Path(head, path) => Place::of(head, &path.0).map(Self::Path),
            Term::Arr(Some(stream)) => match &**stream {
                Term::Path(..) => {
                    let (place, optional) = Place::each(stream)?;
                    Some(Self::Collect(
                        place,
                        optional,
                        Box::new(Self::Path(Place::at(Root::Dot))),
                    ))
                }
                Term::BinOp(stream, BinaryOp::Pipe(None), body) => {
                    let (place, optional) = Place::each(stream)?;
                    Some(Self::Collect(place, optional, Box::new(Self::of(body)?)))
                }
                _ => None,
            },
            Term::Obj(entries) => {
                let entry = |(key, value): &(Term<&str>, Option<Term<&str>>)| {
                    let Term::Str(None, parts) = key else {
                        return None;
                    };
                    let key = plain_text(parts)?;
                    let value = match value {
                        Some(value) => Self::of(value)?,
                        None => {
                            let step = Step {
                                to: To::Key(key.clone()),
                                optional: false,
                            };
                            Self::Path(Place {
                                root: Root::Dot,
                                steps: vec![step],
                            })
                        }
                    };
                    Some((key, value))
                };
                entries
                    .iter()
                    .map(entry)
                    .collect::<Option<_>>()
                    .map(Self::Object)
            }
            Term::IfThenElse(cases, other) => {
                let cases = cases
                    .iter()
                    .map(|(condition, then)| Some((Self::of(condition)?, Self::of(then)?)));
                let other = other
                    .as_ref()
                    .map_or(Some(Self::Path(Place::at(Root::Dot))), |other| {
                        Self::of(other)
                    });
                Some(Self::If(cases.collect::<Option<_>>()?, Box::new(other?)))
            }
            Term::BinOp(left, op, right) => Self::of_operation(left, op, right),
            _ => None,
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the interpreter knows many more forms, and all of them without a plan go to it"
    )]
    fn of_operation(left: &Term<&str>, op: &BinaryOp<&str>, right: &Term<&str>) -> Option<Self> {
        let both = || Some((Box::new(Self::of(left)?), Box::new(Self::of(right)?)));
        match op {
            BinaryOp::Alt => both().map(|(l, r)| Self::Alt(l, r)),
            BinaryOp::And => both().map(|(l, r)| Self::And(l, r)),
            BinaryOp::Or => both().map(|(l, r)| Self::Or(l, r)),
            BinaryOp::Cmp(Cmp::Eq) => both().map(|(l, r)| Self::Equal(l, r, true)),
            BinaryOp::Cmp(Cmp::Ne) => both().map(|(l, r)| Self::Equal(l, r, false)),
            BinaryOp::Pipe(None) => match right {
                Term::Call("length", args) if args.is_empty() => {
                    Some(Self::Length(Box::new(Self::of(left)?)))
                }
                Term::Call("not", args) if args.is_empty() => {
                    Some(Self::Not(Box::new(Self::of(left)?)))
                }
                Term::Call("map", args) => match args.as_slice() {
                    [body] => {
                        let Self::Path(place) = Self::of(left)? else {
                            return None;
                        };
                        Some(Self::Collect(
                            place,
                            Opt::Essential,
                            Box::new(Self::of(body)?),
                        ))
                    }
                    _ => None,
                },
                body => {
                    let Self::Path(place) = Self::of(left)? else {
                        return None;
                    };
                    Some(Self::Within(place, Box::new(Self::of(body)?)))
                }
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
        if let Self::Literal(value) = self {
            Some(value)
        } else {
            None
        }
    }

    /// The output for the event's content.
    pub(super) fn eval<'a>(&'a self, scope: &'a Scope<'a>) -> Output<'a> {
        self.run(scope.payload, scope)
    }

    /// The output where `.` is `dot`.
    fn run<'a>(&'a self, dot: &'a Value, scope: &'a Scope<'a>) -> Output<'a> {
        match self {
            Self::Literal(value) => Ok(Some(Cow::Borrowed(value))),
            Self::Path(place) => Ok(place.find(dot, scope)?.map(Cow::Borrowed)),
            Self::Alt(left, right) => match left.run(dot, scope)? {
                Some(value) if holds(&value) => Ok(Some(value)),
                _ => right.run(dot, scope),
            },
            Self::Text(pieces) => interpolate(pieces, dot, scope),
            Self::Equal(left, right, wanted) => {
                // as the interpreter pairs outputs: where one side has none there is no pair, be the other an error
                let left = match left.run(dot, scope) {
                    Ok(None) => return Ok(None),
                    Ok(Some(value)) => Ok(value),
                    Err(failed) => Err(failed),
                };
                let Some(right) = right.run(dot, scope)? else {
                    return Ok(None);
                };
                let left = left?;
                Ok(Some(boolean(same(&left, &right) == *wanted)))
            }
            Self::And(left, right) => match left.run(dot, scope)? {
                Some(value) if holds(&value) => {
                    Ok(right.run(dot, scope)?.map(|value| boolean(holds(&value))))
                }
                Some(_) => Ok(Some(boolean(false))),
                None => Ok(None),
            },
            Self::Or(left, right) => match left.run(dot, scope)? {
                Some(value) if holds(&value) => Ok(Some(boolean(true))),
                Some(_) => Ok(right.run(dot, scope)?.map(|value| boolean(holds(&value)))),
                None => Ok(None),
            },
            Self::Length(inner) => inner
                .run(dot, scope)?
                .map(|value| length(&value).map(Cow::Owned))
                .transpose(),
            Self::If(cases, other) => {
                for (condition, then) in cases {
                    match condition.run(dot, scope)? {
                        None => return Ok(None),
                        Some(value) if holds(&value) => return then.run(dot, scope),
                        Some(_) => {}
                    }
                }
                other.run(dot, scope)
            }
            Self::Not(inner) => Ok(inner.run(dot, scope)?.map(|value| boolean(!holds(&value)))),
            Self::Object(entries) => object(entries, dot, scope),
            Self::Within(place, body) => match place.find(dot, scope)? {
                Some(dot) => body.run(dot, scope),
                None => Ok(None),
            },
            Self::Collect(place, optional, body) => {
                let Some(from) = place.find(dot, scope)? else {
                    return Ok(Some(Cow::Owned(Value::Array(Vec::new()))));
                };
                let mut collected = Vec::new();
                let mut put = |item| -> Result<(), Failed> {
                    collected.extend(body.run(item, scope)?.map(Cow::into_owned));
                    Ok(())
                };
                match (from, optional) {
                    (Value::Array(items), _) => items.iter().try_for_each(&mut put)?,
                    (Value::Object(fields), _) => fields.values().try_for_each(&mut put)?,
                    (
                        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_),
                        Opt::Optional,
                    ) => {}
                    (
                        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_),
                        Opt::Essential,
                    ) => {
                        return Err(Failed(
                            "the expression goes through the items of a value that has none",
                        ));
                    }
                }
                Ok(Some(Cow::Owned(Value::Array(collected))))
            }
        }
    }
}

fn object<'a>(entries: &'a [(String, Plan)], dot: &'a Value, scope: &'a Scope<'a>) -> Output<'a> {
    let mut map = Map::with_capacity(entries.len());
    let mut failure = None;
    for (key, plan) in entries {
        match plan.run(dot, scope) {
            Ok(None) => return Ok(None),
            Err(failed) => failure = failure.or(Some(failed)),
            Ok(Some(value)) => {
                map.insert(key.clone(), value.into_owned());
            }
        }
    }
    failure.map_or(Ok(Some(Cow::Owned(Value::Object(map)))), Err)
}

fn interpolate<'a>(pieces: &'a [Piece], dot: &'a Value, scope: &'a Scope<'a>) -> Output<'a> {
    let mut text = String::new();
    let mut failure = None;
    for piece in pieces {
        match piece {
            Piece::Text(piece) => text.push_str(piece),
            Piece::Value(plan) => match plan.run(dot, scope) {
                // as the interpreter pairs outputs: without one of a later piece an error of an earlier one is not seen
                Ok(None) => return Ok(None),
                Err(failed) => failure = failure.or(Some(failed)),
                Ok(Some(value)) => match &*value {
                    Value::String(piece) => text.push_str(piece),
                    Value::Bool(yes) => text.push_str(if *yes { "true" } else { "false" }),
                    value @ (Value::Null
                    | Value::Number(_)
                    | Value::Array(_)
                    | Value::Object(_)) => {
                        text.push_str(&to_val(value).to_string());
                    }
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
            Some(whole) => whole
                .checked_abs()
                .map_or_else(|| Value::from(whole.unsigned_abs()), Value::from),
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
            left.len() == right.len()
                && left
                    .iter()
                    .all(|(key, l)| right.get(key).is_some_and(|r| same(l, r)))
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
