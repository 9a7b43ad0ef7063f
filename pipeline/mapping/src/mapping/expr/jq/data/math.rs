//! `+`, `-`, `*`, `/`, `%` and negation.

use std::rc::Rc;

use super::super::syntax::term::Math;
use super::order::equal;
use super::stop::{Res, pair_error, type_error};
use super::value::{Items, LIST, List, Object, TEXT, Text, Val};
use crate::mapping::expr::meter::{Limit, Meter};

pub(crate) fn math<'a>(math: Math, left: Val<'a>, right: Val<'a>, meter: &Meter) -> Res<'a> {
    match math {
        Math::Add => add(left, right, meter),
        Math::Sub => subtract(left, right, meter),
        Math::Mul => multiply(left, right, meter),
        Math::Div => divide(&left, &right, meter),
        Math::Rem => remainder(&left, &right),
    }
}

fn is_number(value: &Val<'_>) -> bool {
    matches!(value, Val::Int(_) | Val::Big(_) | Val::Float(_))
}

/// Whole numbers stay whole while they fit into 64 bits; everything else is a floating-point number.
fn numbers<'a>(
    left: &Val<'_>,
    right: &Val<'_>,
    whole: impl Fn(i128, i128) -> Option<i128>,
    float: impl Fn(f64, f64) -> f64,
) -> Val<'a> {
    let as_whole = |value: &Val<'_>| match value {
        Val::Int(whole) => Some(i128::from(*whole)),
        Val::Big(whole) => Some(i128::from(*whole)),
        Val::Null | Val::Bool(_) | Val::Float(_) | Val::Text(_) | Val::List(_) | Val::Object(_) => {
            None
        }
    };
    let exact = as_whole(left)
        .zip(as_whole(right))
        .and_then(|(left, right)| whole(left, right))
        .and_then(fitting);
    exact.unwrap_or_else(|| {
        let of = |value: &Val<'_>| value.as_f64().unwrap_or(f64::NAN);
        Val::Float(float(of(left), of(right)))
    })
}

fn fitting<'a>(whole: i128) -> Option<Val<'a>> {
    i64::try_from(whole)
        .map(Val::Int)
        .or_else(|_| u64::try_from(whole).map(Val::Big))
        .ok()
}

pub(crate) fn add<'a>(left: Val<'a>, right: Val<'a>, meter: &Meter) -> Res<'a> {
    match (left, right) {
        (Val::Null, other) | (other, Val::Null) => Ok(other),
        (left, right) if is_number(&left) && is_number(&right) => {
            Ok(numbers(&left, &right, i128::checked_add, |l, r| l + r))
        }
        (Val::Text(left), Val::Text(right)) => Ok(joined(left, &right, meter)?),
        (Val::List(left), Val::List(right)) => {
            let mut items = left.into_items(meter)?;
            for item in right.iter() {
                items.push(item, meter)?;
            }
            Ok(items.done())
        }
        (Val::Object(left), Val::Object(right)) => {
            let mut fields = left.into_fields(meter)?;
            for (key, value) in right.iter() {
                fields.insert(key, value, meter)?;
            }
            Ok(fields.done())
        }
        (left, right) => Err(pair_error(&left, &right, "cannot be added")),
    }
}

/// Two texts joined, in place if nothing else refers to the first.
fn joined<'a>(left: Text<'a>, right: &Text<'_>, meter: &Meter) -> Result<Val<'a>, Limit> {
    let right = right.as_str();
    if let Text::Own(mut own) = left {
        if let Some(text) = Rc::get_mut(&mut own) {
            meter.build(2 * right.len())?;
            text.push_str(right);
            return Ok(Val::Text(Text::Own(own)));
        }
        meter.build(TEXT + 2 * (own.len() + right.len()))?;
        return Ok(Val::text(format!("{own}{right}")));
    }
    let left = left.as_str();
    meter.build(TEXT + 2 * (left.len() + right.len()))?;
    Ok(Val::text(format!("{left}{right}")))
}

fn subtract<'a>(left: Val<'a>, right: Val<'a>, meter: &Meter) -> Res<'a> {
    match (left, right) {
        (left, right) if is_number(&left) && is_number(&right) => {
            Ok(numbers(&left, &right, i128::checked_sub, |l, r| l - r))
        }
        (Val::List(left), Val::List(right)) => {
            meter.build(LIST)?;
            let mut items = Items::new();
            for item in left.iter() {
                if !contains_equal(&right, &item, meter)? {
                    items.push(item, meter)?;
                }
            }
            Ok(items.done())
        }
        (left, right) => Err(pair_error(&left, &right, "cannot be subtracted")),
    }
}

fn contains_equal<'a>(list: &List<'a>, item: &Val<'a>, meter: &Meter) -> Result<bool, Limit> {
    for other in list.iter() {
        meter.steps(1)?;
        if equal(&other, item, meter)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn multiply<'a>(left: Val<'a>, right: Val<'a>, meter: &Meter) -> Res<'a> {
    match (left, right) {
        (left, right) if is_number(&left) && is_number(&right) => {
            Ok(numbers(&left, &right, i128::checked_mul, |l, r| l * r))
        }
        (Val::Text(text), times) | (times, Val::Text(text)) if is_number(&times) => {
            repeated(text.as_str(), times.as_f64().unwrap_or(0.0), meter)
        }
        (Val::Object(left), Val::Object(right)) => merged(left, &right, meter),
        (left, right) => Err(pair_error(&left, &right, "cannot be multiplied")),
    }
}

/// The text repeated; null for a negative number.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the number is not below 0; one that is too large is the largest, and too large for the meter"
)]
fn repeated<'a>(text: &str, times: f64, meter: &Meter) -> Res<'a> {
    if times.is_nan() || times < 0.0 {
        return Ok(Val::Null);
    }
    let times = times as usize;
    meter.build(TEXT.saturating_add(text.len().saturating_mul(times)))?;
    Ok(Val::text(text.repeat(times)))
}

/// Merges two objects, and the objects within them.
fn merged<'a>(left: Object<'a>, right: &Object<'a>, meter: &Meter) -> Res<'a> {
    let _level = meter.descend()?;
    let mut fields = left.into_fields(meter)?;
    for (key, value) in right.iter() {
        let value = match (fields.fields.get(key.as_str()), &value) {
            (Some(Val::Object(_)), Val::Object(right)) => {
                match fields.fields.insert(key.clone(), Val::Null) {
                    Some(Val::Object(left)) => merged(left, right, meter)?,
                    _ => value,
                }
            }
            _ => value,
        };
        fields.insert(key, value, meter)?;
    }
    Ok(fields.done())
}

fn divide<'a>(left: &Val<'a>, right: &Val<'a>, meter: &Meter) -> Res<'a> {
    if let (Some(text), Some(by)) = (left.as_str(), right.as_str()) {
        return split(text, by, meter);
    }
    if !is_number(left) || !is_number(right) {
        return Err(pair_error(left, right, "cannot be divided"));
    }
    if right.as_f64() == Some(0.0) {
        return Err(pair_error(
            left,
            right,
            "cannot be divided because the divisor is zero",
        ));
    }
    let whole = |left: i128, right: i128| (left % right == 0).then(|| left / right);
    Ok(numbers(left, right, whole, |l, r| l / r))
}

/// The parts of a text between separators; its characters if the separator is empty.
pub(crate) fn split<'a>(text: &str, by: &str, meter: &Meter) -> Res<'a> {
    meter.build(LIST + 2 * text.len())?;
    let mut items = Items::new();
    if by.is_empty() {
        for c in text.chars() {
            items.push(Val::copied(c.encode_utf8(&mut [0; 4]), meter)?, meter)?;
        }
    } else if !text.is_empty() {
        for part in text.split(by) {
            items.push(Val::copied(part, meter)?, meter)?;
        }
    }
    Ok(items.done())
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "as jq does it: a number beyond 64 bits is the largest of them"
)]
fn remainder<'a>(left: &Val<'a>, right: &Val<'a>) -> Res<'a> {
    if !is_number(left) || !is_number(right) {
        return Err(pair_error(left, right, "cannot be divided"));
    }
    let is_nan = |value: &Val<'_>| value.as_f64().is_some_and(f64::is_nan);
    if is_nan(left) || is_nan(right) {
        return Ok(Val::Float(f64::NAN));
    }
    let whole = |value: &Val<'_>| match value {
        Val::Int(whole) => i128::from(*whole),
        Val::Big(whole) => i128::from(*whole),
        value => i128::from(value.as_f64().unwrap_or(0.0) as i64),
    };
    let (dividend, divisor) = (whole(left), whole(right));
    let Some(rest) = dividend.checked_rem(divisor.abs()) else {
        return Err(pair_error(
            left,
            right,
            "cannot be divided because the divisor is zero",
        ));
    };
    Ok(fitting(rest).unwrap_or(Val::Int(0)))
}

pub(crate) fn negate<'a>(value: &Val<'a>, meter: &Meter) -> Res<'a> {
    match value {
        Val::Int(0) => Ok(Val::Float(-0.0)),
        Val::Int(whole) => Ok(fitting(-i128::from(*whole)).unwrap_or(Val::Null)),
        Val::Big(_) | Val::Float(_) => Ok(Val::Float(-value.as_f64().unwrap_or(f64::NAN))),
        Val::Null | Val::Bool(_) | Val::Text(_) | Val::List(_) | Val::Object(_) => {
            Err(type_error(value, "cannot be negated", meter))
        }
    }
}

/// A number as a place in a list.
#[expect(
    clippy::cast_possible_truncation,
    reason = "what is beyond 64 bits is the largest of them, and no place in any list"
)]
pub(crate) fn as_place(value: &Val<'_>) -> Option<i64> {
    match value {
        Val::Int(whole) => Some(*whole),
        Val::Big(_) => Some(i64::MAX),
        Val::Float(float) if float.is_nan() => None,
        // as in jq, the fraction is cut off
        Val::Float(float) => Some(*float as i64),
        Val::Null | Val::Bool(_) | Val::Text(_) | Val::List(_) | Val::Object(_) => None,
    }
}

/// A floating-point number, as a whole number if it is one.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the number has no fraction and is within the bounds of the type"
)]
pub(crate) fn whole_or_float<'a>(float: f64) -> Val<'a> {
    let whole =
        float.fract() == 0.0 && float.abs() < 9e18 && !(float == 0.0 && float.is_sign_negative());
    if whole {
        return Val::Int(float as i64);
    }
    Val::Float(float)
}
