//! The order of values, and equality.

use std::cmp::Ordering;

use super::value::{Object, Text, Val};
use crate::mapping::expr::meter::{Limit, Meter};

/// The order that jq sorts by. Numbers of the same value are equal, and so are objects with the same fields in any order.
///
/// NaN is less than every number and equals itself, or else this would not be an order. For [`equal`] it does not.
pub(crate) fn compare(left: &Val<'_>, right: &Val<'_>) -> Ordering {
    match (left, right) {
        (Val::Bool(left), Val::Bool(right)) => left.cmp(right),
        (Val::Text(left), Val::Text(right)) => left.as_str().cmp(right.as_str()),
        (Val::List(left), Val::List(right)) => {
            let pairs = left.iter().zip(right.iter());
            first_difference(pairs.map(|(l, r)| compare(&l, &r)))
                .unwrap_or_else(|| left.len().cmp(&right.len()))
        }
        (Val::Object(left), Val::Object(right)) => {
            let (left_keys, right_keys) = (sorted_keys(left), sorted_keys(right));
            let pairs = left_keys.iter().zip(&right_keys);
            first_difference(pairs.map(|(l, r)| l.as_str().cmp(r.as_str())))
                .or_else(|| {
                    let by_number = left_keys.len().cmp(&right_keys.len());
                    (by_number != Ordering::Equal).then_some(by_number)
                })
                .or_else(|| {
                    first_difference(left_keys.iter().map(|key| {
                        let at = |object: &Object<'_>| object.get(key.as_str()).is_some();
                        debug_assert!(at(left) && at(right), "the keys are the same");
                        compare(
                            &left.get(key.as_str()).unwrap_or(Val::Null),
                            &right.get(key.as_str()).unwrap_or(Val::Null),
                        )
                    }))
                })
                .unwrap_or(Ordering::Equal)
        }
        (left, right) => match (rank(left), rank(right)) {
            (3, 3) => numbers(left, right),
            (left, right) => left.cmp(&right),
        },
    }
}

fn first_difference(mut orders: impl Iterator<Item = Ordering>) -> Option<Ordering> {
    orders.find(|order| *order != Ordering::Equal)
}

pub(crate) fn sorted_keys<'a>(object: &Object<'a>) -> Vec<Text<'a>> {
    let mut keys = object.keys();
    keys.sort_unstable_by(|l, r| l.as_str().cmp(r.as_str()));
    keys
}

fn rank(value: &Val<'_>) -> u8 {
    match value {
        Val::Null => 0,
        Val::Bool(false) => 1,
        Val::Bool(true) => 2,
        Val::Int(_) | Val::Big(_) | Val::Float(_) => 3,
        Val::Text(_) => 4,
        Val::List(_) => 5,
        Val::Object(_) => 6,
    }
}

fn numbers(left: &Val<'_>, right: &Val<'_>) -> Ordering {
    let whole = |value: &Val<'_>| match value {
        Val::Int(whole) => Some(i128::from(*whole)),
        Val::Big(whole) => Some(i128::from(*whole)),
        Val::Null | Val::Bool(_) | Val::Float(_) | Val::Text(_) | Val::List(_) | Val::Object(_) => {
            None
        }
    };
    let float = |value: &Val<'_>| value.as_f64().unwrap_or(f64::NAN);
    match (whole(left), whole(right)) {
        (Some(left), Some(right)) => left.cmp(&right),
        (Some(left), None) => whole_and_float(left, float(right)),
        (None, Some(right)) => whole_and_float(right, float(left)).reverse(),
        (None, None) => {
            let (left, right) = (float(left), float(right));
            left.partial_cmp(&right)
                .unwrap_or_else(|| right.is_nan().cmp(&left.is_nan()))
        }
    }
}

/// Compares exactly; with rounding it would not be an order.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the number has no fraction and is within the bounds of the type"
)]
fn whole_and_float(whole: i128, float: f64) -> Ordering {
    if float.is_nan() || float <= -1e30 {
        return Ordering::Greater;
    }
    if float >= 1e30 {
        return Ordering::Less;
    }
    let floor = float.floor();
    match whole.cmp(&(floor as i128)) {
        Ordering::Equal if float > floor => Ordering::Less,
        order => order,
    }
}

/// Equality as for `==`: NaN equals nothing.
pub(crate) fn equal(left: &Val<'_>, right: &Val<'_>, meter: &Meter) -> Result<bool, Limit> {
    meter.steps(weight(left, meter)?.min(weight(right, meter)?))?;
    let no_number = |value: &Val<'_>| matches!(value, Val::Float(float) if float.is_nan());
    Ok(!no_number(left) && compare(left, right) == Ordering::Equal)
}

/// The order as for `<`.
pub(crate) fn ordered(left: &Val<'_>, right: &Val<'_>, meter: &Meter) -> Result<Ordering, Limit> {
    meter.steps(weight(left, meter)?.min(weight(right, meter)?))?;
    if matches!((left, right), (Val::Float(l), Val::Float(r)) if l.is_nan() && r.is_nan()) {
        return Ok(Ordering::Less);
    }
    Ok(compare(left, right))
}

/// Steps for one walk over a value.
pub(crate) fn weight(value: &Val<'_>, meter: &Meter) -> Result<usize, Limit> {
    Ok(match value {
        Val::Null | Val::Bool(_) | Val::Int(_) | Val::Big(_) | Val::Float(_) => 0,
        Val::Text(text) => text.as_str().len() / 64,
        Val::List(list) => {
            meter.steps(list.len())?;
            let mut sum = list.len();
            for item in list.iter() {
                sum += weight(&item, meter)?;
            }
            sum
        }
        Val::Object(object) => {
            meter.steps(2 * object.len())?;
            let mut sum = 4 * object.len();
            for (_, value) in object.iter() {
                sum += weight(&value, meter)?;
            }
            sum
        }
    })
}

/// Takes the steps for sorting these values.
pub(crate) fn sorting<'v, 'a: 'v>(
    values: impl ExactSizeIterator<Item = &'v Val<'a>>,
    meter: &Meter,
) -> Result<(), Limit> {
    let number = values.len();
    let rounds = usize::try_from(number.max(2).ilog2()).unwrap_or(64) + 1;
    let mut all = number;
    for value in values {
        all = all.saturating_add(weight(value, meter)?);
    }
    meter.steps(all.saturating_mul(rounds))
}
