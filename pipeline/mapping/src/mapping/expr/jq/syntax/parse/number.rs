//! Numbers as they are written.

use serde_json::Number;

use super::super::term::Term;
use crate::mapping::expr::Refused;
use crate::value::Value;

/// A number as written. A whole number is exact up to 64 bits.
pub(crate) fn number(text: &str) -> Result<Term, Refused> {
    let number = text
        .parse::<i64>()
        .map(Number::from)
        .or_else(|_| text.parse::<u64>().map(Number::from))
        .ok()
        .or_else(|| {
            let float: f64 = text.parse().ok()?;
            Number::from_f64(float.min(f64::MAX))
        });
    match number {
        Some(number) => Ok(Term::Const(Value::Number(number))),
        None => Err(Refused::new(format!("`{text}` is not a number"))),
    }
}

pub(crate) fn negated(number: &Number) -> Term {
    let negated = number
        .as_i64()
        .filter(|whole| *whole != 0)
        .and_then(i64::checked_neg)
        .map(Number::from)
        .or_else(|| Number::from_f64(-number.as_f64()?));
    match negated {
        Some(number) => Term::Const(Value::Number(number)),
        None => Term::Const(Value::Null),
    }
}
