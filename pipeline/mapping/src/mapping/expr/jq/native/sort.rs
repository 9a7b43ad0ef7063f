//! Order: sorting, grouping, extremes, and lists as tables.

#![expect(
    clippy::needless_pass_by_value,
    reason = "one signature for all filters"
)]

use super::super::order::{compare, sorting};
use super::super::run::Run;
use super::super::stop::{Res, Stop, error, type_error};
use super::super::value::{Items, LIST, List, Val};
use super::Args;
use super::list::{listed, no_items};

pub(super) type Pair<'a> = (Val<'a>, Val<'a>);

/// Keys and values.
pub(super) fn pairs<'a>(keys: &List<'a>, values: &List<'a>) -> Vec<Pair<'a>> {
    keys.iter().zip(values.iter()).collect()
}

pub(super) fn keyed<'a>(
    run: &Run<'a>,
    value: &Val<'a>,
    keys: &Val<'a>,
) -> Result<Vec<Pair<'a>>, Stop<'a>> {
    match (value, keys) {
        (Val::List(values), Val::List(keys)) if values.len() == keys.len() => {
            run.meter
                .build(2 * super::super::value::ITEM * values.len())?;
            Ok(pairs(keys, values))
        }
        (value, _) => Err(type_error(
            value,
            "cannot be sorted, as it is not an array",
            run.meter,
        )),
    }
}

pub(super) fn sorted<'a>(
    run: &Run<'a>,
    mut pairs: Vec<Pair<'a>>,
) -> Result<Vec<Pair<'a>>, Stop<'a>> {
    run.meter
        .build(2 * super::super::value::ITEM * pairs.len())?;
    sorting(pairs.iter().map(|(key, _)| key), run.meter)?;
    pairs.sort_by(|l, r| compare(&l.0, &r.0));
    Ok(pairs)
}

pub(super) fn group<'a>(run: &Run<'a>, sorted: Vec<Pair<'a>>) -> Res<'a> {
    run.meter.build(LIST)?;
    let mut groups = Items::new();
    let mut group = Items::new();
    let mut last: Option<Val<'a>> = None;
    for (key, value) in sorted {
        if last
            .as_ref()
            .is_some_and(|last| compare(last, &key).is_ne())
        {
            run.meter.build(LIST)?;
            groups.push(
                std::mem::replace(&mut group, Items::new()).done(),
                run.meter,
            )?;
        }
        group.push(value, run.meter)?;
        last = Some(key);
    }
    if last.is_some() {
        groups.push(group.done(), run.meter)?;
    }
    Ok(groups.done())
}

/// The first of the smallest, or the last of the largest.
pub(super) fn extreme<'a>(run: &Run<'a>, pairs: Vec<Pair<'a>>, largest: bool) -> Res<'a> {
    sorting(pairs.iter().map(|(key, _)| key), run.meter)?;
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

pub(super) fn transpose<'a>(run: &Run<'a>, value: Val<'a>, _: Args<'a>) -> Res<'a> {
    let Val::List(rows) = &value else {
        if matches!(&value, Val::Object(object) if object.len() == 0) {
            return Ok(Val::list(Vec::new(), run.meter)?);
        }
        return Err(no_items(&value));
    };
    let mut width = 0;
    for row in rows.iter() {
        run.meter.steps(1)?;
        match &row {
            Val::List(row) => width = width.max(row.len()),
            Val::Null => {}
            row => return Err(error(format!("Cannot index {} with number", row.kind()))),
        }
    }
    run.meter.build(LIST)?;
    let mut columns = Items::new();
    for place in 0..width {
        run.meter.build(LIST)?;
        let mut column = Items::new();
        for row in rows.iter() {
            run.meter.steps(1)?;
            let item = match &row {
                Val::List(row) => row.get(place).unwrap_or(Val::Null),
                _ => Val::Null,
            };
            column.push(item, run.meter)?;
        }
        columns.push(column.done(), run.meter)?;
    }
    Ok(columns.done())
}

/// The place of a value in a sorted list, or where it would stand: -1 less that place.
pub(super) fn search<'a>(run: &Run<'a>, value: &Val<'a>, wanted: &Val<'a>) -> Res<'a> {
    if !matches!(value, Val::List(_)) && super::super::special::nothing(value) {
        return Ok(Val::Int(-1));
    }
    let list = listed(run, value, "cannot be searched from")?;
    let (mut low, mut high) = (0, list.len());
    while low < high {
        let middle = usize::midpoint(low, high);
        let there = list.get(middle).unwrap_or(Val::Null);
        match super::super::order::ordered(&there, wanted, run.meter)? {
            std::cmp::Ordering::Equal => return Ok(Val::count(middle)),
            std::cmp::Ordering::Less => low = middle + 1,
            std::cmp::Ordering::Greater => high = middle,
        }
    }
    let place = i64::try_from(low).unwrap_or(i64::MAX - 1);
    Ok(Val::Int(-1 - place))
}
