//! Parts of values: reading, writing and deleting them.

use super::math::as_place;
use super::order::{compare, equal};
use super::stop::{Res, Stop, error};
use super::value::{FIELD, Fields, HASHED, ITEM, Items, LIST, List, OBJECT, Val};
use crate::mapping::expr::meter::Meter;

/// The longest list that an index may make.
const MAX_PLACE: i64 = 536_870_911;

/// `value[key]`
pub(crate) fn get<'a>(value: &Val<'a>, key: &Val<'a>, meter: &Meter) -> Res<'a> {
    match (value, key) {
        (Val::Object(object), Val::Text(key)) => {
            meter.steps(key.as_str().len() / HASHED)?;
            Ok(object.get(key.as_str()).unwrap_or(Val::Null))
        }
        (Val::List(list), Val::Int(_) | Val::Big(_) | Val::Float(_)) => Ok(as_place(key)
            .and_then(|place| from_end(place, list.len()))
            .and_then(|place| list.get(place))
            .unwrap_or(Val::Null)),
        (Val::List(_) | Val::Text(_), Val::Object(bounds)) => {
            let bound = |name| bounds.get(name).unwrap_or(Val::Null);
            slice(value, &bound("start"), &bound("end"), meter)
        }
        (Val::List(list), Val::List(wanted)) => places(list, wanted, meter),
        (Val::Null, Val::Text(_) | Val::Int(_) | Val::Big(_) | Val::Float(_) | Val::Object(_)) => {
            Ok(Val::Null)
        }
        (value, Val::Text(key)) if key.as_str().len() < 30 => Err(error(format!(
            "Cannot index {} with string \"{}\"",
            value.kind(),
            key.as_str()
        ))),
        (value, key) => Err(error(format!(
            "Cannot index {} with {}",
            value.kind(),
            key.kind()
        ))),
    }
}

/// The place that an index means, counted from the end where it is negative.
fn from_end(place: i64, length: usize) -> Option<usize> {
    match usize::try_from(place) {
        Ok(place) => Some(place),
        Err(_) => {
            let back = usize::try_from(place.unsigned_abs()).ok()?;
            length.checked_sub(back)
        }
    }
}

/// Every place in a list where another list begins.
fn places<'a>(list: &List<'a>, wanted: &List<'a>, meter: &Meter) -> Res<'a> {
    meter.build(LIST)?;
    let mut found = Items::new();
    if wanted.len() == 0 {
        return Ok(found.done());
    }
    for start in 0..list.len() {
        let mut all = true;
        for (offset, item) in wanted.iter().enumerate() {
            meter.steps(1)?;
            let there = list.get(start + offset);
            all = match there {
                Some(there) => equal(&there, &item, meter)?,
                None => false,
            };
            if !all {
                break;
            }
        }
        if all {
            found.push(Val::count(start), meter)?;
        }
    }
    Ok(found.done())
}

/// The part of a list or text from one place up to another; of null it is null.
pub(crate) fn slice<'a>(value: &Val<'a>, from: &Val<'a>, to: &Val<'a>, meter: &Meter) -> Res<'a> {
    match value {
        Val::Null => Ok(Val::Null),
        Val::List(list) => {
            let (start, end) = bounds(from, to, list.len())?;
            meter.build(LIST)?;
            let mut items = Items::new();
            for place in start..end {
                items.push(list.get(place).unwrap_or(Val::Null), meter)?;
            }
            Ok(items.done())
        }
        Val::Text(text) => {
            let text = text.as_str();
            // one walk to count the characters, and one to each of the bounds
            meter.work(4 * text.len())?;
            let length = text.chars().count();
            let (start, end) = bounds(from, to, length)?;
            if (start, end) == (0, length) {
                return Ok(value.clone());
            }
            let byte = |place| {
                text.char_indices()
                    .nth(place)
                    .map_or(text.len(), |(byte, _)| byte)
            };
            let part = text.get(byte(start)..byte(end)).unwrap_or_default();
            Ok(Val::copied(part, meter)?)
        }
        Val::Bool(_) | Val::Int(_) | Val::Big(_) | Val::Float(_) | Val::Object(_) => {
            Err(error(format!("Cannot index {} with object", value.kind())))
        }
    }
}

/// The places that bounds mean: the first is rounded down, the second up.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "as jq computes; the numbers are within the bounds of the list"
)]
fn bounds<'a>(from: &Val<'a>, to: &Val<'a>, length: usize) -> Result<(usize, usize), Stop<'a>> {
    let long = length as f64;
    let number = |value: &Val<'_>, default: f64| match value {
        Val::Null => Some(default),
        value => value.as_f64(),
    };
    let (Some(from), Some(to)) = (number(from, 0.0), number(to, long)) else {
        return Err(error(
            "Start and end indices of an array slice must be numbers",
        ));
    };
    let from = if from.is_nan() { 0.0 } else { from };
    let to = if to.is_nan() { long } else { to };
    let place = |number: f64| if number < 0.0 { number + long } else { number };
    let start = place(from).clamp(0.0, long).floor();
    let end = place(to).clamp(0.0, long).ceil();
    Ok((start as usize, end.max(start) as usize))
}

/// `value` with `new` at `key`.
pub(crate) fn set<'a>(value: Val<'a>, key: &Val<'a>, new: Val<'a>, meter: &Meter) -> Res<'a> {
    match (value, key) {
        (Val::Null, Val::Text(key)) => {
            meter.build(OBJECT)?;
            let mut fields = Fields::new();
            fields.insert(key.clone(), new, meter)?;
            Ok(fields.done())
        }
        (Val::Object(object), Val::Text(key)) => {
            let mut fields = object.into_fields(meter)?;
            fields.insert(key.clone(), new, meter)?;
            Ok(fields.done())
        }
        (Val::Null, Val::Int(_) | Val::Big(_) | Val::Float(_)) => {
            meter.build(LIST)?;
            put(Items::new(), key, new, meter)
        }
        (Val::List(list), Val::Int(_) | Val::Big(_) | Val::Float(_)) => {
            put(list.into_items(meter)?, key, new, meter)
        }
        (Val::Null, Val::Object(_)) => {
            meter.build(LIST)?;
            set(Items::new().done(), key, new, meter)
        }
        (Val::List(list), Val::Object(named)) => {
            let bound = |name| named.get(name).unwrap_or(Val::Null);
            let (start, end) = bounds(&bound("start"), &bound("end"), list.len())?;
            let Val::List(new) = new else {
                return Err(error(
                    "A slice of an array can only be assigned another array",
                ));
            };
            let mut items = list.into_items(meter)?;
            meter.build(ITEM * (items.items.len() + new.len()))?;
            let between: Vec<Val<'a>> = new.iter().collect();
            for item in &between {
                items.holds(item)?;
            }
            items.items.splice(start..end, between);
            Ok(items.done())
        }
        (Val::Text(_), Val::Object(_)) => Err(error("Cannot update string slices")),
        (value, Val::Text(key)) if key.as_str().len() < 30 => Err(error(format!(
            "Cannot index {} with string \"{}\"",
            value.kind(),
            key.as_str()
        ))),
        (value, key) => Err(error(format!(
            "Cannot update field at {} index of {}",
            key.kind(),
            value.kind()
        ))),
    }
}

fn put<'a>(mut items: Items<'a>, key: &Val<'a>, new: Val<'a>, meter: &Meter) -> Res<'a> {
    let Some(place) = as_place(key) else {
        return Err(error("Cannot set array element at NaN index"));
    };
    if place > MAX_PLACE {
        return Err(error("Array index too large"));
    }
    let length = items.items.len();
    let Some(place) = from_end(place, length) else {
        return Err(error("Out of bounds negative array index"));
    };
    if place >= length {
        meter.build(ITEM.saturating_mul(place + 1 - length))?;
        items.items.resize_with(place + 1, || Val::Null);
    }
    items.holds(&new)?;
    if let Some(there) = items.items.get_mut(place) {
        *there = new;
    }
    Ok(items.done())
}

/// The part at a path.
pub(crate) fn get_path<'a>(value: &Val<'a>, path: &[Val<'a>], meter: &Meter) -> Res<'a> {
    let mut value = value.clone();
    for key in path {
        meter.steps(1)?;
        if matches!(value, Val::Null) {
            return Ok(Val::Null);
        }
        value = get(&value, key, meter)?;
    }
    Ok(value)
}

/// `value` with the part at a path replaced by the result of `f`.
pub(crate) fn update_path<'a>(
    value: Val<'a>,
    path: &[Val<'a>],
    meter: &Meter,
    f: &mut dyn FnMut(Val<'a>) -> Res<'a>,
) -> Res<'a> {
    let Some((key, rest)) = path.split_first() else {
        return f(value);
    };
    let _level = meter.descend()?;
    let part = get(&value, key, meter)?;
    // nothing but `part` refers to the old part now, so that it can be changed in place
    let value = match key {
        Val::Object(_) => value,
        _ if matches!(part, Val::Null) => value,
        _ => set(value, key, Val::Null, meter)?,
    };
    let part = update_path(part, rest, meter, f)?;
    set(value, key, part, meter)
}

/// `value` without the parts at these paths.
pub(crate) fn delete<'a>(value: Val<'a>, mut paths: Vec<Vec<Val<'a>>>, meter: &Meter) -> Res<'a> {
    let by_order = |l: &Vec<Val<'a>>, r: &Vec<Val<'a>>| {
        let pairs = l.iter().zip(r);
        pairs
            .map(|(l, r)| compare(l, r))
            .find(|order| order.is_ne())
            .unwrap_or_else(|| l.len().cmp(&r.len()))
    };
    meter.steps(paths.iter().map(|path| path.len() + 1).sum::<usize>() * 16)?;
    paths.sort_by(by_order);
    if paths.iter().any(Vec::is_empty) {
        return Ok(Val::Null);
    }
    let paths: Vec<&[Val<'a>]> = paths.iter().map(Vec::as_slice).collect();
    delete_sorted(value, &paths, meter)
}

fn delete_sorted<'a>(value: Val<'a>, paths: &[&[Val<'a>]], meter: &Meter) -> Res<'a> {
    let _level = meter.descend()?;
    let mut value = value;
    let mut keys = Vec::new();
    let mut rest = paths;
    while let Some(first) = rest.first().and_then(|path| path.first()) {
        let same = rest
            .iter()
            .take_while(|path| path.first().is_some_and(|key| compare(key, first).is_eq()))
            .count();
        let (these, others) = rest.split_at_checked(same).unwrap_or((rest, &[]));
        meter.steps(same)?;
        if these.first().is_some_and(|path| path.len() == 1) {
            keys.push(first.clone());
        } else {
            let part = get(&value, first, meter)?;
            if !matches!(part, Val::Null) {
                let inner: Vec<&[Val<'a>]> =
                    these.iter().filter_map(|path| path.get(1..)).collect();
                if !matches!(first, Val::Object(_)) {
                    value = set(value, first, Val::Null, meter)?;
                }
                let part = delete_sorted(part, &inner, meter)?;
                value = set(value, first, part, meter)?;
            }
        }
        rest = others;
    }
    delete_keys(value, &keys, meter)
}

fn delete_keys<'a>(value: Val<'a>, keys: &[Val<'a>], meter: &Meter) -> Res<'a> {
    if keys.is_empty() {
        return Ok(value);
    }
    match value {
        Val::Null => Ok(Val::Null),
        Val::List(list) => {
            let mut items = list.into_items(meter)?;
            let length = items.items.len();
            let mut gone = vec![false; length];
            meter.build(length)?;
            for key in keys {
                let range = match key {
                    Val::Int(_) | Val::Big(_) | Val::Float(_) => as_place(key)
                        .and_then(|place| from_end(place, length))
                        .map_or(0..0, |place| place..place.saturating_add(1)),
                    Val::Object(named) => {
                        let bound = |name| named.get(name).unwrap_or(Val::Null);
                        let (start, end) = bounds(&bound("start"), &bound("end"), length)?;
                        start..end
                    }
                    Val::Null | Val::Bool(_) | Val::Text(_) | Val::List(_) => {
                        return Err(error(format!(
                            "Cannot delete field at {} index of array",
                            if matches!(key, Val::Text(_)) {
                                "object"
                            } else {
                                key.kind()
                            }
                        )));
                    }
                };
                meter.steps(range.len().min(length))?;
                for place in range {
                    match gone.get_mut(place) {
                        Some(gone) => *gone = true,
                        None => break,
                    }
                }
            }
            let mut gone = gone.into_iter();
            items.items.retain(|_| !gone.next().unwrap_or(false));
            Ok(items.done())
        }
        Val::Object(object) => {
            let mut fields = object.into_fields(meter)?;
            meter.steps(fields.fields.len() / 8)?;
            meter.build(FIELD)?;
            let mut names = std::collections::BTreeSet::new();
            for key in keys {
                match key.as_str() {
                    Some(name) => names.insert(name),
                    None => {
                        return Err(error(format!(
                            "Cannot delete field at {} index of object",
                            key.kind()
                        )));
                    }
                };
            }
            fields.fields.retain(|key, _| !names.contains(key.as_str()));
            Ok(fields.done())
        }
        value => Err(error(format!("Cannot delete fields from {}", value.kind()))),
    }
}
