//! Lists and objects.

#![expect(
    clippy::needless_pass_by_value,
    reason = "one signature for all filters"
)]

use std::rc::Rc;

use super::super::data::math::{add, as_place};
use super::super::data::order::{equal, sorted_keys};
use super::super::data::path;
use super::super::data::stop::{Res, Stop, error, pair_error, shown, type_error};
use super::super::data::text::{Sink, to_text};
use super::super::data::value::{Fields, ITEM, Items, LIST, List, OBJECT, Text, Val};
use super::filter::{Args, Plain, Tools};

pub(super) fn find(name: &str, args: usize) -> Option<Plain> {
    let plain: Plain = match (name, args) {
        ("not", 0) => |_, value, _| Ok(Val::Bool(!value.holds())),
        ("type", 0) => |_, value, _| Ok(Val::word(value.kind())),
        ("length", 0) => length,
        ("keys", 0) => |tools, value, _| keys(tools, &value, true),
        ("keys_unsorted", 0) => |tools, value, _| keys(tools, &value, false),
        ("has", 1) => |tools, value, [key, ..]| {
            tools.meter.work(4 * key.as_str().map_or(0, str::len))?;
            has(&value, &key)
        },
        ("contains", 1) => |tools, value, [part, ..]| contains(tools, &value, &part).map(Val::Bool),
        ("add", 0) => sum,
        ("to_entries", 0) => to_entries,
        ("from_entries", 0) => from_entries,
        ("join", 1) => |tools, value, [by, ..]| join(tools, &value, &by),
        ("flatten", 0) => |tools, value, _| flatten(tools, &value, f64::INFINITY),
        ("flatten", 1) => |tools, value, [depth, ..]| match depth.as_f64() {
            Some(depth) if depth < 0.0 => Err(error("flatten depth must not be negative")),
            Some(depth) => flatten(tools, &value, depth),
            None => Err(type_error(&depth, "is not a depth", tools.meter)),
        },
        ("reverse", 0) => reverse,
        ("setpath", 2) => |tools, value, [keys, new, _]| {
            let keys = keys_of(&keys)?;
            path::update_path(value, &keys, tools.meter, &mut |_| Ok(new.clone()))
        },
        ("delpaths", 1) => |tools, value, [paths, ..]| {
            let Val::List(paths) = &paths else {
                return Err(error("Paths must be specified as an array"));
            };
            let mut all = Vec::new();
            for path in paths.iter() {
                let keys = keys_of(&path)?;
                tools.meter.build(LIST + ITEM * keys.len())?;
                all.push(keys);
            }
            path::delete(value, all, tools.meter)
        },
        ("toarray", 0) => |tools, value, _| match value {
            Val::List(_) => Ok(value),
            value => Ok(Val::list(vec![value], tools.meter)?),
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

pub(super) fn listed<'a>(
    tools: &Tools<'a>,
    value: &Val<'a>,
    what: &str,
) -> Result<List<'a>, Stop<'a>> {
    match value {
        Val::List(list) => Ok(list.clone()),
        value => Err(type_error(value, what, tools.meter)),
    }
}

fn length<'a>(tools: &Tools<'a>, value: Val<'a>, _: Args<'a>) -> Res<'a> {
    match &value {
        Val::Null => Ok(Val::Int(0)),
        Val::Bool(_) => Err(type_error(&value, "has no length", tools.meter)),
        Val::Int(whole) => match whole.checked_abs() {
            Some(whole) => Ok(Val::Int(whole)),
            None => Ok(Val::Big(whole.unsigned_abs())),
        },
        Val::Big(_) => Ok(value),
        Val::Float(float) => Ok(Val::Float(float.abs())),
        Val::Text(text) => {
            tools.meter.work(text.as_str().len())?;
            Ok(Val::count(text.as_str().chars().count()))
        }
        Val::List(list) => Ok(Val::count(list.len())),
        Val::Object(object) => Ok(Val::count(object.len())),
    }
}

fn keys<'a>(tools: &Tools<'a>, value: &Val<'a>, sort: bool) -> Res<'a> {
    match value {
        Val::Object(object) => {
            tools.meter.build(LIST + ITEM * object.len())?;
            tools.meter.steps(object.len())?;
            let keys = if sort {
                sorted_keys(object)
            } else {
                object.keys()
            };
            Ok(Val::list(
                keys.into_iter().map(Val::Text).collect(),
                tools.meter,
            )?)
        }
        Val::List(list) => {
            tools.meter.steps(list.len())?;
            let mut items = Items::new();
            for place in 0..list.len() {
                items.push(Val::count(place), tools.meter)?;
            }
            Ok(items.done())
        }
        value => Err(type_error(value, "has no keys", tools.meter)),
    }
}

fn has<'a>(value: &Val<'a>, key: &Val<'a>) -> Res<'a> {
    match (value, key) {
        (Val::Object(object), Val::Text(key)) => Ok(Val::Bool(object.get(key.as_str()).is_some())),
        (Val::List(list), Val::Int(_) | Val::Big(_) | Val::Float(_)) => {
            let place = as_place(key).and_then(|place| usize::try_from(place).ok());
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

fn contains<'a>(tools: &Tools<'a>, value: &Val<'a>, part: &Val<'a>) -> Result<bool, Stop<'a>> {
    match (value, part) {
        (Val::Object(_), Val::Object(_))
        | (Val::List(_), Val::List(_))
        | (Val::Text(_), Val::Text(_)) => within(tools, value, part),
        (value, part) if value.kind() == part.kind() => within(tools, value, part),
        (value, part) => Err(pair_error(
            value,
            part,
            "cannot have their containment checked",
        )),
    }
}

fn within<'a>(tools: &Tools<'a>, value: &Val<'a>, part: &Val<'a>) -> Result<bool, Stop<'a>> {
    let _level = tools.meter.descend()?;
    tools.meter.steps(1)?;
    match (value, part) {
        (Val::Object(object), Val::Object(parts)) => {
            for (key, part) in parts.iter() {
                let there = match object.get(key.as_str()) {
                    Some(there) => within(tools, &there, &part)?,
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
                    if within(tools, &item, &part)? {
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
            tools
                .meter
                .work(text.as_str().len() + part.as_str().len())?;
            Ok(text.as_str().contains(part.as_str()))
        }
        (value, part) => Ok(equal(value, part, tools.meter)?),
    }
}

/// `add`: the sum of the items of a list, or of the values of an object.
fn sum<'a>(tools: &Tools<'a>, value: Val<'a>, _: Args<'a>) -> Res<'a> {
    let mut sum = Val::Null;
    let mut with = |item: Val<'a>| {
        tools.meter.steps(1)?;
        let before = std::mem::replace(&mut sum, Val::Null);
        sum = add(before, item, tools.meter)?;
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
        value => format!("Cannot iterate over {} ({})", value.kind(), shown(value)),
    })
}

fn to_entries<'a>(tools: &Tools<'a>, value: Val<'a>, _: Args<'a>) -> Res<'a> {
    let entry = |key, value| Val::object(vec![("key", key), ("value", value)], tools.meter);
    let mut items = Items::new();
    tools.meter.build(LIST)?;
    match &value {
        Val::Object(object) => {
            for (key, value) in object.iter() {
                tools.meter.steps(1)?;
                items.push(entry(Val::Text(key), value)?, tools.meter)?;
            }
        }
        Val::List(list) => {
            for (place, value) in list.iter().enumerate() {
                tools.meter.steps(1)?;
                items.push(entry(Val::count(place), value)?, tools.meter)?;
            }
        }
        value => return Err(type_error(value, "has no keys", tools.meter)),
    }
    Ok(items.done())
}

fn from_entries<'a>(tools: &Tools<'a>, value: Val<'a>, _: Args<'a>) -> Res<'a> {
    let Val::List(list) = &value else {
        return Err(no_items(&value));
    };
    tools.meter.build(OBJECT)?;
    let mut fields = Fields::new();
    for entry in list.iter() {
        tools.meter.steps(1)?;
        let part = |name: &str| path::get(&entry, &Val::word(name), tools.meter);
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
                let mut sink = Sink::new(tools.meter)?;
                to_text(&key, &mut sink)?;
                Text::Own(Rc::new(sink.into_text()))
            }
            key @ (Val::List(_) | Val::Object(_)) => {
                return Err(error(format!(
                    "Cannot use {} ({}) as object key",
                    key.kind(),
                    shown(&key)
                )));
            }
        };
        fields.insert(key, found, tools.meter)?;
    }
    Ok(fields.done())
}

/// Texts, numbers and booleans with a separator between them; null counts as an empty text.
fn join<'a>(tools: &Tools<'a>, value: &Val<'a>, by: &Val<'a>) -> Res<'a> {
    let items: Box<dyn Iterator<Item = Val<'a>> + '_> = match value {
        Val::List(list) => Box::new(list.iter()),
        Val::Object(object) => Box::new(object.iter().map(|(_, item)| item)),
        value => return Err(no_items(value)),
    };
    let mut sink = Sink::new(tools.meter)?;
    for (number, item) in items.enumerate() {
        tools.meter.steps(1)?;
        if number > 0 {
            let Some(between) = by.as_str() else {
                return Err(type_error(by, "cannot separate texts", tools.meter));
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

fn flatten<'a>(tools: &Tools<'a>, value: &Val<'a>, depth: f64) -> Res<'a> {
    tools.meter.build(LIST)?;
    let mut items = Items::new();
    match value {
        Val::List(list) => flat(tools, list.iter(), depth, &mut items)?,
        Val::Object(object) => flat(
            tools,
            object.iter().map(|(_, item)| item),
            depth,
            &mut items,
        )?,
        value => return Err(no_items(value)),
    }
    Ok(items.done())
}

fn flat<'a>(
    tools: &Tools<'a>,
    values: impl Iterator<Item = Val<'a>>,
    depth: f64,
    into: &mut Items<'a>,
) -> Result<(), Stop<'a>> {
    let _level = tools.meter.descend()?;
    for value in values {
        tools.meter.steps(1)?;
        match &value {
            Val::List(list) if depth > 0.0 => {
                let inner: Box<dyn Iterator<Item = Val<'a>> + '_> = Box::new(list.iter());
                flat(tools, inner, depth - 1.0, into)?;
            }
            _ => into.push(value, tools.meter)?,
        }
    }
    Ok(())
}

fn reverse<'a>(tools: &Tools<'a>, value: Val<'a>, _: Args<'a>) -> Res<'a> {
    match &value {
        Val::Null => Ok(Val::list(Vec::new(), tools.meter)?),
        Val::List(list) => {
            tools.meter.build(LIST)?;
            let mut items = Items::new();
            for place in (0..list.len()).rev() {
                items.push(list.get(place).unwrap_or(Val::Null), tools.meter)?;
            }
            Ok(items.done())
        }
        Val::Text(text) => {
            tools.meter.build(2 * text.as_str().len())?;
            Ok(Val::text(text.as_str().chars().rev().collect()))
        }
        value if value.is_nothing() => Ok(Val::list(Vec::new(), tools.meter)?),
        value => Err(type_error(
            value,
            "cannot be reversed, as it is not an array",
            tools.meter,
        )),
    }
}
