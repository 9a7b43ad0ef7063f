//! Lists and objects.

#![expect(
    clippy::needless_pass_by_value,
    reason = "one signature for all filters"
)]

use std::rc::Rc;

use super::super::math::add;
use super::super::order::{compare, equal, sorted_keys};
use super::super::path;
use super::super::run::Run;
use super::super::stop::{Res, Stop, error, pair_error, type_error};
use super::super::text::{Sink, to_text};
use super::super::value::{Fields, Items, LIST, List, OBJECT, Text, Val};
use super::sort::{extreme, group, keyed, pairs, search, sorted, transpose};
use super::{Args, Plain};

pub(super) fn find(name: &str, args: usize) -> Option<Plain> {
    let plain: Plain = match (name, args) {
        ("not", 0) => |_, value, _| Ok(Val::Bool(!value.holds())),
        ("type", 0) => |_, value, _| Ok(Val::word(value.kind())),
        ("length", 0) => length,
        ("keys", 0) => |run, value, _| keys(run, &value, true),
        ("keys_unsorted", 0) => |run, value, _| keys(run, &value, false),
        ("has", 1) => |run, value, [key, ..]| {
            run.meter.work(4 * key.as_str().map_or(0, str::len))?;
            has(&value, &key)
        },
        ("contains", 1) => |run, value, [part, ..]| contains(run, &value, &part).map(Val::Bool),
        ("add", 0) => sum,
        ("to_entries", 0) => to_entries,
        ("from_entries", 0) => from_entries,
        ("join", 1) => |run, value, [by, ..]| join(run, &value, &by),
        ("flatten", 0) => |run, value, _| flatten(run, &value, f64::INFINITY),
        ("flatten", 1) => |run, value, [depth, ..]| match depth.as_f64() {
            Some(depth) if depth < 0.0 => Err(error("flatten depth must not be negative")),
            Some(depth) => flatten(run, &value, depth),
            None => Err(type_error(&depth, "is no depth", run.meter)),
        },
        ("reverse", 0) => reverse,
        ("sort", 0) => |run, value, _| {
            let values = listed(run, &value, "cannot be sorted, as it is not an array")?;
            let sorted = sorted(run, pairs(&values, &values))?;
            Ok(Val::list(
                sorted.into_iter().map(|(_, value)| value).collect(),
                run.meter,
            )?)
        },
        ("__sort_by", 1) => |run, value, [keys, ..]| {
            let sorted = sorted(run, keyed(run, &value, &keys)?)?;
            Ok(Val::list(
                sorted.into_iter().map(|(_, value)| value).collect(),
                run.meter,
            )?)
        },
        ("__group_by", 1) => {
            |run, value, [keys, ..]| group(run, sorted(run, keyed(run, &value, &keys)?)?)
        }
        ("unique", 0) => |run, value, _| {
            let values = listed(run, &value, "cannot be grouped, as it is not an array")?;
            let mut sorted = sorted(run, pairs(&values, &values))?;
            sorted.dedup_by(|later, first| compare(&first.0, &later.0).is_eq());
            Ok(Val::list(
                sorted.into_iter().map(|(_, value)| value).collect(),
                run.meter,
            )?)
        },
        ("min", 0) => |run, value, _| {
            let values = listed(run, &value, "cannot be iterated over")?;
            extreme(run, pairs(&values, &values), false)
        },
        ("max", 0) => |run, value, _| {
            let values = listed(run, &value, "cannot be iterated over")?;
            extreme(run, pairs(&values, &values), true)
        },
        ("__min_by", 1) => |run, value, [keys, ..]| extreme(run, keyed(run, &value, &keys)?, false),
        ("__max_by", 1) => |run, value, [keys, ..]| extreme(run, keyed(run, &value, &keys)?, true),
        ("transpose", 0) => transpose,
        ("bsearch", 1) => |run, value, [wanted, ..]| search(run, &value, &wanted),
        ("setpath", 2) => |run, value, [keys, new, _]| {
            let keys = keys_of(&keys)?;
            path::update_path(value, &keys, run.meter, &mut |_| Ok(new.clone()))
        },
        ("delpaths", 1) => |run, value, [paths, ..]| {
            let Val::List(paths) = &paths else {
                return Err(error("Paths must be specified as an array"));
            };
            let mut all = Vec::new();
            for path in paths.iter() {
                let keys = keys_of(&path)?;
                run.meter
                    .build(LIST + super::super::value::ITEM * keys.len())?;
                all.push(keys);
            }
            path::delete(value, all, run.meter)
        },
        ("toarray", 0) => |run, value, _| match value {
            Val::List(_) => Ok(value),
            value => Ok(Val::list(vec![value], run.meter)?),
        },
        _ => return None,
    };
    Some(plain)
}

fn keys_of<'a>(path: &Val<'a>) -> Result<Vec<Val<'a>>, Stop<'a>> {
    match path {
        Val::List(list) => Ok(list.iter().collect()),
        _ => Err(error("Path must be specified as an array")),
    }
}

pub(super) fn listed<'a>(run: &Run<'a>, value: &Val<'a>, what: &str) -> Result<List<'a>, Stop<'a>> {
    match value {
        Val::List(list) => Ok(list.clone()),
        value => Err(type_error(value, what, run.meter)),
    }
}

fn length<'a>(run: &Run<'a>, value: Val<'a>, _: Args<'a>) -> Res<'a> {
    match &value {
        Val::Null => Ok(Val::Int(0)),
        Val::Bool(_) => Err(type_error(&value, "has no length", run.meter)),
        Val::Int(whole) => match whole.checked_abs() {
            Some(whole) => Ok(Val::Int(whole)),
            None => Ok(Val::Big(whole.unsigned_abs())),
        },
        Val::Big(_) => Ok(value),
        Val::Float(float) => Ok(Val::Float(float.abs())),
        Val::Text(text) => {
            run.meter.work(text.as_str().len())?;
            Ok(Val::count(text.as_str().chars().count()))
        }
        Val::List(list) => Ok(Val::count(list.len())),
        Val::Object(object) => Ok(Val::count(object.len())),
    }
}

fn keys<'a>(run: &Run<'a>, value: &Val<'a>, sort: bool) -> Res<'a> {
    match value {
        Val::Object(object) => {
            run.meter
                .build(LIST + super::super::value::ITEM * object.len())?;
            run.meter.steps(object.len())?;
            let keys = if sort {
                sorted_keys(object)
            } else {
                object.keys()
            };
            Ok(Val::list(
                keys.into_iter().map(Val::Text).collect(),
                run.meter,
            )?)
        }
        Val::List(list) => {
            run.meter.steps(list.len())?;
            let mut items = Items::new();
            for place in 0..list.len() {
                items.push(Val::count(place), run.meter)?;
            }
            Ok(items.done())
        }
        value => Err(type_error(value, "has no keys", run.meter)),
    }
}

fn has<'a>(value: &Val<'a>, key: &Val<'a>) -> Res<'a> {
    match (value, key) {
        (Val::Object(object), Val::Text(key)) => Ok(Val::Bool(object.get(key.as_str()).is_some())),
        (Val::List(list), Val::Int(_) | Val::Big(_) | Val::Float(_)) => {
            let place =
                super::super::math::as_place(key).and_then(|place| usize::try_from(place).ok());
            Ok(Val::Bool(place.is_some_and(|place| place < list.len())))
        }
        (Val::Null, _) => Ok(Val::Bool(false)),
        (value, key) => Err(error(format!(
            "Cannot check whether {} has a {} key",
            value.kind(),
            if matches!(key, Val::Text(_)) {
                "string"
            } else {
                key.kind()
            }
        ))),
    }
}

fn contains<'a>(run: &Run<'a>, value: &Val<'a>, part: &Val<'a>) -> Result<bool, Stop<'a>> {
    match (value, part) {
        (Val::Object(_), Val::Object(_))
        | (Val::List(_), Val::List(_))
        | (Val::Text(_), Val::Text(_)) => within(run, value, part),
        (value, part) if value.kind() == part.kind() => within(run, value, part),
        (value, part) => Err(pair_error(
            value,
            part,
            "cannot have their containment checked",
        )),
    }
}

fn within<'a>(run: &Run<'a>, value: &Val<'a>, part: &Val<'a>) -> Result<bool, Stop<'a>> {
    let _level = run.meter.descend()?;
    run.meter.steps(1)?;
    match (value, part) {
        (Val::Object(object), Val::Object(parts)) => {
            for (key, part) in parts.iter() {
                let there = match object.get(key.as_str()) {
                    Some(there) => within(run, &there, &part)?,
                    None => false,
                };
                if !there {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        (Val::List(list), Val::List(parts)) => {
            for part in parts.iter() {
                let mut there = false;
                for item in list.iter() {
                    if within(run, &item, &part)? {
                        there = true;
                        break;
                    }
                }
                if !there {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        (Val::Text(text), Val::Text(part)) => {
            run.meter.work(text.as_str().len() + part.as_str().len())?;
            Ok(text.as_str().contains(part.as_str()))
        }
        (value, part) => Ok(equal(value, part, run.meter)?),
    }
}

/// `add`, of the items of a list or the values of an object.
fn sum<'a>(run: &Run<'a>, value: Val<'a>, _: Args<'a>) -> Res<'a> {
    let mut sum = Val::Null;
    let mut with = |item: Val<'a>| {
        run.meter.steps(1)?;
        let before = std::mem::replace(&mut sum, Val::Null);
        sum = add(before, item, run.meter)?;
        Ok::<(), Stop<'a>>(())
    };
    match &value {
        Val::List(list) => list.iter().try_for_each(&mut with)?,
        Val::Object(object) => object.iter().try_for_each(|(_, item)| with(item))?,
        value => return Err(no_items(value)),
    }
    Ok(sum)
}

pub(super) fn no_items<'a>(value: &Val<'_>) -> Stop<'a> {
    error(match value {
        Val::Null => "Cannot iterate over null".to_owned(),
        value => format!(
            "Cannot iterate over {} ({})",
            value.kind(),
            super::super::stop::shown(value)
        ),
    })
}

fn to_entries<'a>(run: &Run<'a>, value: Val<'a>, _: Args<'a>) -> Res<'a> {
    let entry = |key, value| Val::object(vec![("key", key), ("value", value)], run.meter);
    let mut items = Items::new();
    run.meter.build(LIST)?;
    match &value {
        Val::Object(object) => {
            for (key, value) in object.iter() {
                run.meter.steps(1)?;
                items.push(entry(Val::Text(key), value)?, run.meter)?;
            }
        }
        Val::List(list) => {
            for (place, value) in list.iter().enumerate() {
                run.meter.steps(1)?;
                items.push(entry(Val::count(place), value)?, run.meter)?;
            }
        }
        value => return Err(type_error(value, "has no keys", run.meter)),
    }
    Ok(items.done())
}

fn from_entries<'a>(run: &Run<'a>, value: Val<'a>, _: Args<'a>) -> Res<'a> {
    let Val::List(list) = &value else {
        return Err(no_items(&value));
    };
    run.meter.build(OBJECT)?;
    let mut fields = Fields::new();
    for entry in list.iter() {
        run.meter.steps(1)?;
        let part = |name: &str| path::get(&entry, &Val::word(name), run.meter);
        let mut key = Val::Null;
        for name in ["key", "k", "name", "Name", "Key", "K"] {
            key = part(name)?;
            if !matches!(key, Val::Null | Val::Bool(false)) {
                break;
            }
        }
        let mut found = Val::Null;
        for name in ["value", "v", "Value", "V"] {
            if let Val::Object(object) = &entry
                && let Some(there) = object.get(name)
            {
                found = there;
                break;
            }
        }
        let key = match key {
            Val::Text(key) => key,
            Val::Null => Text::Own(Rc::new("null".to_owned())),
            key @ (Val::Bool(_) | Val::Int(_) | Val::Big(_) | Val::Float(_)) => {
                let mut sink = Sink::new(run.meter)?;
                to_text(&key, &mut sink)?;
                Text::Own(Rc::new(sink.into_text()))
            }
            key @ (Val::List(_) | Val::Object(_)) => {
                return Err(error(format!(
                    "Cannot use {} ({}) as object key",
                    key.kind(),
                    super::super::stop::shown(&key)
                )));
            }
        };
        fields.insert(key, found, run.meter)?;
    }
    Ok(fields.done())
}

/// Texts, numbers and booleans with something between; null is as if it were empty.
fn join<'a>(run: &Run<'a>, value: &Val<'a>, by: &Val<'a>) -> Res<'a> {
    let items: Box<dyn Iterator<Item = Val<'a>> + '_> = match value {
        Val::List(list) => Box::new(list.iter()),
        Val::Object(object) => Box::new(object.iter().map(|(_, item)| item)),
        value => return Err(no_items(value)),
    };
    let mut sink = Sink::new(run.meter)?;
    for (number, item) in items.enumerate() {
        run.meter.steps(1)?;
        if number > 0 {
            let Some(between) = by.as_str() else {
                return Err(type_error(by, "cannot stand between texts", run.meter));
            };
            sink.push(between)?;
        }
        match &item {
            Val::Null => {}
            Val::List(_) | Val::Object(_) => {
                let so_far = Val::text(sink.into_text());
                return Err(pair_error(&so_far, &item, "cannot be added"));
            }
            Val::Bool(_) | Val::Int(_) | Val::Big(_) | Val::Float(_) | Val::Text(_) => {
                to_text(&item, &mut sink)?;
            }
        }
    }
    Ok(sink.done())
}

fn flatten<'a>(run: &Run<'a>, value: &Val<'a>, depth: f64) -> Res<'a> {
    run.meter.build(LIST)?;
    let mut items = Items::new();
    match value {
        Val::List(list) => flat(run, list.iter(), depth, &mut items)?,
        Val::Object(object) => flat(run, object.iter().map(|(_, item)| item), depth, &mut items)?,
        value => return Err(no_items(value)),
    }
    Ok(items.done())
}

fn flat<'a>(
    run: &Run<'a>,
    values: impl Iterator<Item = Val<'a>>,
    depth: f64,
    into: &mut Items<'a>,
) -> Result<(), Stop<'a>> {
    let _level = run.meter.descend()?;
    for value in values {
        run.meter.steps(1)?;
        match &value {
            Val::List(list) if depth > 0.0 => {
                let inner: Box<dyn Iterator<Item = Val<'a>> + '_> = Box::new(list.iter());
                flat(run, inner, depth - 1.0, into)?;
            }
            _ => into.push(value, run.meter)?,
        }
    }
    Ok(())
}

fn reverse<'a>(run: &Run<'a>, value: Val<'a>, _: Args<'a>) -> Res<'a> {
    match &value {
        Val::Null => Ok(Val::list(Vec::new(), run.meter)?),
        Val::List(list) => {
            run.meter.build(LIST)?;
            let mut items = Items::new();
            for place in (0..list.len()).rev() {
                items.push(list.get(place).unwrap_or(Val::Null), run.meter)?;
            }
            Ok(items.done())
        }
        Val::Text(text) => {
            run.meter.build(2 * text.as_str().len())?;
            Ok(Val::text(text.as_str().chars().rev().collect()))
        }
        value if super::super::special::nothing(value) => Ok(Val::list(Vec::new(), run.meter)?),
        value => Err(type_error(
            value,
            "cannot be reversed, as it is not an array",
            run.meter,
        )),
    }
}
