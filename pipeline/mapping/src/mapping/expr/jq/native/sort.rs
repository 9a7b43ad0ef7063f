//! Order: sorting, grouping, extremes, and lists as tables.

#![expect(
    clippy::needless_pass_by_value,
    reason = "one signature for all filters"
)]

use super::super::data::order::{compare, ordered, sorting};
use super::super::data::stop::{Res, Stop, error, type_error};
use super::super::data::value::{ITEM, Items, LIST, List, Val};
use super::filter::{Args, Plain, Tools};
use super::list::{listed, no_items};

pub(super) fn find(name: &str, args: usize) -> Option<Plain> {
    let plain: Plain = match (name, args) {
        ("sort", 0) => |tools, value, _| {
            let values = listed(tools, &value, "cannot be sorted, as it is not an array")?;
            let sorted = sorted(tools, pairs(&values, &values))?;
            Ok(Val::list(
                sorted.into_iter().map(|(_, value)| value).collect(),
                tools.meter,
            )?)
        },
        ("__sort_by", 1) => |tools, value, [keys, ..]| {
            let sorted = sorted(tools, keyed(tools, &value, &keys)?)?;
            Ok(Val::list(
                sorted.into_iter().map(|(_, value)| value).collect(),
                tools.meter,
            )?)
        },
        ("__group_by", 1) => {
            |tools, value, [keys, ..]| group(tools, sorted(tools, keyed(tools, &value, &keys)?)?)
        }
        ("unique", 0) => |tools, value, _| {
            let values = listed(tools, &value, "cannot be grouped, as it is not an array")?;
            let mut sorted = sorted(tools, pairs(&values, &values))?;
            sorted.dedup_by(|later, first| compare(&first.0, &later.0).is_eq());
            Ok(Val::list(
                sorted.into_iter().map(|(_, value)| value).collect(),
                tools.meter,
            )?)
        },
        ("min", 0) => |tools, value, _| {
            let values = listed(tools, &value, "cannot be iterated over")?;
            extreme(tools, pairs(&values, &values), false)
        },
        ("max", 0) => |tools, value, _| {
            let values = listed(tools, &value, "cannot be iterated over")?;
            extreme(tools, pairs(&values, &values), true)
        },
        ("__min_by", 1) => {
            |tools, value, [keys, ..]| extreme(tools, keyed(tools, &value, &keys)?, false)
        }
        ("__max_by", 1) => {
            |tools, value, [keys, ..]| extreme(tools, keyed(tools, &value, &keys)?, true)
        }
        ("transpose", 0) => transpose,
        ("bsearch", 1) => |tools, value, [wanted, ..]| search(tools, &value, &wanted),
        _ => return None,
    };
    Some(plain)
}

type Pair<'a> = (Val<'a>, Val<'a>);

/// Each value with its key.
fn pairs<'a>(keys: &List<'a>, values: &List<'a>) -> Vec<Pair<'a>> {
    keys.iter().zip(values.iter()).collect()
}

fn keyed<'a>(
    tools: &Tools<'a>,
    value: &Val<'a>,
    keys: &Val<'a>,
) -> Result<Vec<Pair<'a>>, Stop<'a>> {
    match (value, keys) {
        (Val::List(values), Val::List(keys)) if values.len() == keys.len() => {
            tools.meter.build(2 * ITEM * values.len())?;
            Ok(pairs(keys, values))
        }
        (value, _) => Err(type_error(
            value,
            "cannot be sorted, as it is not an array",
            tools.meter,
        )),
    }
}

fn sorted<'a>(tools: &Tools<'a>, mut pairs: Vec<Pair<'a>>) -> Result<Vec<Pair<'a>>, Stop<'a>> {
    tools.meter.build(2 * ITEM * pairs.len())?;
    sorting(pairs.iter().map(|(key, _)| key), tools.meter)?;
    pairs.sort_by(|l, r| compare(&l.0, &r.0));
    Ok(pairs)
}

fn group<'a>(tools: &Tools<'a>, sorted: Vec<Pair<'a>>) -> Res<'a> {
    tools.meter.build(LIST)?;
    let mut groups = Items::new();
    let mut group = Items::new();
    let mut last: Option<Val<'a>> = None;
    for (key, value) in sorted {
        if last
            .as_ref()
            .is_some_and(|last| compare(last, &key).is_ne())
        {
            tools.meter.build(LIST)?;
            groups.push(
                std::mem::replace(&mut group, Items::new()).done(),
                tools.meter,
            )?;
        }
        group.push(value, tools.meter)?;
        last = Some(key);
    }
    if last.is_some() {
        groups.push(group.done(), tools.meter)?;
    }
    Ok(groups.done())
}

/// The first of the smallest values, or the last of the largest.
fn extreme<'a>(tools: &Tools<'a>, pairs: Vec<Pair<'a>>, largest: bool) -> Res<'a> {
    sorting(pairs.iter().map(|(key, _)| key), tools.meter)?;
    let mut best: Option<Pair<'a>> = None;
    for pair in pairs {
        let better = best.as_ref().is_none_or(|best| {
            let order = compare(&pair.0, &best.0);
            if largest {
                order.is_ge()
            } else {
                order.is_lt()
            }
        });
        if better {
            best = Some(pair);
        }
    }
    Ok(best.map_or(Val::Null, |(_, value)| value))
}

fn transpose<'a>(tools: &Tools<'a>, value: Val<'a>, _: Args<'a>) -> Res<'a> {
    let Val::List(rows) = &value else {
        if matches!(&value, Val::Object(object) if object.len() == 0) {
            return Ok(Val::list(Vec::new(), tools.meter)?);
        }
        return Err(no_items(&value));
    };
    let mut width = 0;
    for row in rows.iter() {
        tools.meter.steps(1)?;
        match &row {
            Val::List(row) => width = width.max(row.len()),
            Val::Null => {}
            row => return Err(error(format!("Cannot index {} with number", row.kind()))),
        }
    }
    tools.meter.build(LIST)?;
    let mut columns = Items::new();
    for place in 0..width {
        tools.meter.build(LIST)?;
        let mut column = Items::new();
        for row in rows.iter() {
            tools.meter.steps(1)?;
            let item = match &row {
                Val::List(row) => row.get(place).unwrap_or(Val::Null),
                _ => Val::Null,
            };
            column.push(item, tools.meter)?;
        }
        columns.push(column.done(), tools.meter)?;
    }
    Ok(columns.done())
}

/// The place of a value in a sorted list. If it is not there, -1 minus the place where it would be.
fn search<'a>(tools: &Tools<'a>, value: &Val<'a>, wanted: &Val<'a>) -> Res<'a> {
    if !matches!(value, Val::List(_)) && value.is_nothing() {
        return Ok(Val::Int(-1));
    }
    let list = listed(tools, value, "cannot be searched from")?;
    let (mut low, mut high) = (0, list.len());
    while low < high {
        let middle = usize::midpoint(low, high);
        let there = list.get(middle).unwrap_or(Val::Null);
        match ordered(&there, wanted, tools.meter)? {
            std::cmp::Ordering::Equal => return Ok(Val::count(middle)),
            std::cmp::Ordering::Less => low = middle + 1,
            std::cmp::Ordering::Greater => high = middle,
        }
    }
    let place = i64::try_from(low).unwrap_or(i64::MAX - 1);
    Ok(Val::Int(-1 - place))
}
