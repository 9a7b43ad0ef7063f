//! Numbers.

use super::super::data::math::{negate, whole_or_float};
use super::super::data::stop::{Res, Stop, error, shown, type_error};
use super::super::data::value::{Text, Val};
use super::filter::{Args, Plain, Tools};

pub(super) fn find(name: &str, args: usize) -> Option<Plain> {
    let plain: Plain = match (name, args) {
        ("abs", 0) => |tools, value, _| match &value {
            Val::Int(i64::MIN..0) => negate(&value, tools.meter),
            Val::Float(float) => Ok(Val::Float(if *float < 0.0 { -float } else { *float })),
            Val::Null | Val::Bool(_) => {
                Err(type_error(&value, "has no absolute value", tools.meter))
            }
            _ => Ok(value),
        },
        ("floor", 0) => |tools, value, _| rounded(tools, value, f64::floor),
        ("ceil", 0) => |tools, value, _| rounded(tools, value, f64::ceil),
        ("round", 0) => |tools, value, _| rounded(tools, value, f64::round),
        ("trunc", 0) => |tools, value, _| rounded(tools, value, f64::trunc),
        ("nearbyint" | "rint", 0) => |tools, value, _| rounded(tools, value, f64::round_ties_even),
        ("fabs", 0) => |tools, value, _| function(tools, &value, f64::abs),
        ("sqrt", 0) => |tools, value, _| function(tools, &value, f64::sqrt),
        ("cbrt", 0) => |tools, value, _| function(tools, &value, f64::cbrt),
        ("exp", 0) => |tools, value, _| function(tools, &value, f64::exp),
        ("exp2", 0) => |tools, value, _| function(tools, &value, f64::exp2),
        ("exp10" | "pow10", 0) => |tools, value, _| function(tools, &value, |x| 10_f64.powf(x)),
        ("expm1", 0) => |tools, value, _| function(tools, &value, f64::exp_m1),
        ("log", 0) => |tools, value, _| function(tools, &value, f64::ln),
        ("log2", 0) => |tools, value, _| function(tools, &value, f64::log2),
        ("log10", 0) => |tools, value, _| function(tools, &value, f64::log10),
        ("log1p", 0) => |tools, value, _| function(tools, &value, f64::ln_1p),
        ("logb", 0) => |tools, value, _| {
            function(tools, &value, |x| {
                if x == 0.0 {
                    f64::NEG_INFINITY
                } else if x.is_finite() {
                    f64::from(parts(x).1 - 1)
                } else {
                    x.abs()
                }
            })
        },
        ("significand", 0) => |tools, value, _| {
            function(tools, &value, |x| {
                if x == 0.0 || !x.is_finite() {
                    x
                } else {
                    parts(x).0 * 2.0
                }
            })
        },
        ("sin", 0) => |tools, value, _| function(tools, &value, f64::sin),
        ("cos", 0) => |tools, value, _| function(tools, &value, f64::cos),
        ("tan", 0) => |tools, value, _| function(tools, &value, f64::tan),
        ("asin", 0) => |tools, value, _| function(tools, &value, f64::asin),
        ("acos", 0) => |tools, value, _| function(tools, &value, f64::acos),
        ("atan", 0) => |tools, value, _| function(tools, &value, f64::atan),
        ("sinh", 0) => |tools, value, _| function(tools, &value, f64::sinh),
        ("cosh", 0) => |tools, value, _| function(tools, &value, f64::cosh),
        ("tanh", 0) => |tools, value, _| function(tools, &value, f64::tanh),
        ("asinh", 0) => |tools, value, _| function(tools, &value, f64::asinh),
        ("acosh", 0) => |tools, value, _| function(tools, &value, f64::acosh),
        ("atanh", 0) => |tools, value, _| function(tools, &value, f64::atanh),
        ("pow", 2) => |tools, _, args| pair(tools, &args, f64::powf),
        ("atan2", 2) => |tools, _, args| pair(tools, &args, f64::atan2),
        ("fmod", 2) => |tools, _, args| pair(tools, &args, |x, y| x % y),
        ("fmin", 2) => |tools, _, args| pair(tools, &args, f64::min),
        ("fmax", 2) => |tools, _, args| pair(tools, &args, f64::max),
        ("fdim", 2) => |tools, _, args| pair(tools, &args, |x, y| (x - y).max(0.0)),
        ("hypot", 2) => |tools, _, args| pair(tools, &args, f64::hypot),
        ("copysign", 2) => |tools, _, args| pair(tools, &args, f64::copysign),
        ("drem" | "remainder", 2) => {
            |tools, _, args| pair(tools, &args, |x, y| x - y * (x / y).round_ties_even())
        }
        ("ldexp" | "scalb" | "scalbln", 2) => {
            |tools, _, args| pair(tools, &args, |x, y| x * y.exp2())
        }
        ("fma", 3) => |tools, _, [x, y, z]| {
            let (x, y, z) = (number(tools, &x)?, number(tools, &y)?, number(tools, &z)?);
            Ok(whole_or_float(x.mul_add(y, z)))
        },
        ("frexp", 0) => |tools, value, _| {
            let x = number(tools, &value)?;
            let (fraction, exponent) = if x == 0.0 || !x.is_finite() {
                (x, 0)
            } else {
                parts(x)
            };
            Ok(Val::list(
                vec![whole_or_float(fraction), Val::Int(exponent.into())],
                tools.meter,
            )?)
        },
        ("modf", 0) => |tools, value, _| {
            let x = number(tools, &value)?;
            let fraction = if x.is_infinite() { 0.0 } else { x.fract() };
            Ok(Val::list(
                vec![whole_or_float(fraction), whole_or_float(x.trunc())],
                tools.meter,
            )?)
        },
        ("infinite", 0) => |_, _, _| Ok(Val::Float(f64::INFINITY)),
        ("nan", 0) => |_, _, _| Ok(Val::Float(f64::NAN)),
        ("isinfinite", 0) => {
            |_, value, _| Ok(Val::Bool(value.as_f64().is_some_and(f64::is_infinite)))
        }
        ("isnan", 0) => |_, value, _| Ok(Val::Bool(value.as_f64().is_some_and(f64::is_nan))),
        ("isnormal", 0) => |_, value, _| Ok(Val::Bool(value.as_f64().is_some_and(f64::is_normal))),
        ("isfinite", 0) => {
            |_, value, _| Ok(Val::Bool(value.as_f64().is_some_and(|x| !x.is_infinite())))
        }
        ("have_decnum", 0) => |_, _, _| Ok(Val::Bool(false)),
        ("have_literal_numbers", 0) => |_, _, _| Ok(Val::Bool(true)),
        ("tonumber", 0) => |tools, value, _| match &value {
            Val::Int(_) | Val::Big(_) | Val::Float(_) => Ok(value),
            Val::Text(text) => parsed(text)
                .ok_or_else(|| error(format!("Cannot be parsed as a number: {}", shown(&value)))),
            _ => Err(type_error(
                &value,
                "cannot be parsed as a number",
                tools.meter,
            )),
        },
        _ => return None,
    };
    Some(plain)
}

fn number<'a>(tools: &Tools<'a>, value: &Val<'a>) -> Result<f64, Stop<'a>> {
    value
        .as_f64()
        .ok_or_else(|| type_error(value, "number required", tools.meter))
}

fn rounded<'a>(tools: &Tools<'a>, value: Val<'a>, f: fn(f64) -> f64) -> Res<'a> {
    match value {
        // whole numbers stay as they are; a floating-point number could not hold the largest
        Val::Int(_) | Val::Big(_) => Ok(value),
        value => Ok(whole_or_float(f(number(tools, &value)?))),
    }
}

fn function<'a>(tools: &Tools<'a>, value: &Val<'a>, f: fn(f64) -> f64) -> Res<'a> {
    Ok(whole_or_float(f(number(tools, value)?)))
}

fn pair<'a>(tools: &Tools<'a>, [x, y, _]: &Args<'a>, f: fn(f64, f64) -> f64) -> Res<'a> {
    Ok(whole_or_float(f(number(tools, x)?, number(tools, y)?)))
}

/// The fraction, in [0.5, 1), and the exponent of a finite number other than 0.
fn parts(x: f64) -> (f64, i32) {
    let (mut fraction, mut exponent) = (x, 0);
    while fraction.abs() >= 1.0 {
        fraction /= 2.0;
        exponent += 1;
    }
    while fraction.abs() < 0.5 {
        fraction *= 2.0;
        exponent -= 1;
    }
    (fraction, exponent)
}

/// The number in a text. A whole number is exact up to 64 bits.
fn parsed<'a>(text: &Text<'_>) -> Option<Val<'a>> {
    let text = text.as_str().trim();
    if text.eq_ignore_ascii_case("nan") {
        return Some(Val::Float(f64::NAN));
    }
    let text = text.strip_prefix('+').unwrap_or(text);
    let digits = text.strip_prefix('-').unwrap_or(text);
    let legal = |c: char| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-');
    let begins = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    if !begins || !digits.chars().all(legal) {
        return None;
    }
    if let Ok(whole) = text.parse::<i64>() {
        return Some(if text.starts_with('-') && whole == 0 {
            Val::Float(-0.0)
        } else {
            Val::Int(whole)
        });
    }
    if let Ok(whole) = text.parse::<u64>() {
        return Some(Val::Big(whole));
    }
    let float: f64 = text.parse().ok()?;
    Some(Val::Float(float.clamp(f64::MIN, f64::MAX)))
}
