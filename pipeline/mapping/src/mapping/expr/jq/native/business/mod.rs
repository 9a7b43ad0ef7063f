//! Filters that jq does not have: money in the smallest unit, times of a named zone, phone numbers of a country.

mod money;
mod phone;
mod zone;

use super::super::data::stop::{Res, error, type_error};
use super::super::data::value::Val;
use super::filter::{Args, Plain, Tools};
use crate::mapping::error::nearest;

pub(super) fn find(name: &str, args: usize) -> Option<Plain> {
    let plain: Plain = match (name, args) {
        ("from_minor_units", 1) => from_minor_units,
        ("in_zone", 1) => in_zone,
        ("phone_in", 1) => phone_in,
        ("from_minor_units", 2) => |tools, _, args| with_value(tools, args, from_minor_units),
        ("in_zone", 2) => |tools, _, args| with_value(tools, args, in_zone),
        ("phone_in", 2) => |tools, _, args| with_value(tools, args, phone_in),
        _ => return None,
    };
    Some(plain)
}

/// The same with the value as the first argument, for what is beside it: `from_minor_units(.amount; .currency)`.
fn with_value<'a>(tools: &Tools<'a>, args: Args<'a>, filter: Plain) -> Res<'a> {
    let [value, argument, _] = args;
    filter(tools, value, [argument, Val::Null, Val::Null])
}

/// What is wrong with a constant argument of one of them, and the way out.
pub(in crate::mapping::expr::jq) fn refused(
    name: &str,
    constant: &str,
) -> Option<(String, Option<String>)> {
    match name {
        "from_minor_units" if money::digits(constant).is_none() => Some((
            format!("`{constant}` is not the code of a currency"),
            Some(
                "a currency has three letters, for example `from_minor_units(\"EUR\")`".to_owned(),
            ),
        )),
        "in_zone" if zone::named(constant).is_none() => {
            let near = nearest(constant, zone::names());
            let help = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => "zones have names such as `Europe/Berlin`".to_owned(),
            };
            Some((format!("there is no time zone `{constant}`"), Some(help)))
        }
        "phone_in" if phone::country(constant).is_none() => Some((
            format!("the numbers of the country `{constant}` are not known"),
            Some(format!("known: {}", phone::countries())),
        )),
        _ => None,
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "one signature for all filters"
)]
fn from_minor_units<'a>(tools: &Tools<'a>, value: Val<'a>, [currency, ..]: Args<'a>) -> Res<'a> {
    if matches!(value, Val::Null) {
        return Ok(Val::Null);
    }
    let Some(digits) = currency.as_str().and_then(money::digits) else {
        return Err(error(
            "from_minor_units needs the code of a currency, which has three letters",
        ));
    };
    let amount = match &value {
        Val::Int(_) | Val::Big(_) | Val::Float(_) => value.as_f64(),
        Val::Text(text) => money::amount(text.as_str()),
        _ => None,
    };
    match amount {
        Some(amount) => Ok(money::major(amount, digits)),
        None => Err(type_error(
            &value,
            "is no amount in the smallest unit",
            tools.meter,
        )),
    }
}

fn in_zone<'a>(tools: &Tools<'a>, value: Val<'a>, [zone, ..]: Args<'a>) -> Res<'a> {
    let Some(zone) = zone.as_str().and_then(zone::named) else {
        return Err(error(
            "in_zone needs the name of a time zone, such as Europe/Berlin",
        ));
    };
    match &value {
        // an instant has no zone
        Val::Null | Val::Int(_) | Val::Big(_) | Val::Float(_) => Ok(value),
        Val::Text(text) if text.as_str().trim().is_empty() => Ok(Val::Null),
        Val::Text(text) => {
            tools.meter.work(text.as_str().len())?;
            match zone::instant(text.as_str(), &zone) {
                Some(instant) => Ok(Val::copied(&instant, tools.meter)?),
                // whether it is a time is for the field to say
                None => Ok(value),
            }
        }
        _ => Err(type_error(&value, "is no time", tools.meter)),
    }
}

fn phone_in<'a>(tools: &Tools<'a>, value: Val<'a>, [country, ..]: Args<'a>) -> Res<'a> {
    let Some(country) = country.as_str().and_then(phone::country) else {
        return Err(error(
            "phone_in needs the code of a country that it knows, such as DE",
        ));
    };
    let text = match &value {
        Val::Null => return Ok(Val::Null),
        Val::Text(text) => text.as_str().to_owned(),
        Val::Int(whole) => whole.to_string(),
        _ => return Err(type_error(&value, "is no phone number", tools.meter)),
    };
    tools.meter.work(text.len())?;
    match phone::international(&text, country) {
        Some(number) => Ok(Val::copied(&number, tools.meter)?),
        None => Ok(value),
    }
}
