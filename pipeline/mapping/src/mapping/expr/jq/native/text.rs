//! Texts.

#![expect(
    clippy::needless_pass_by_value,
    reason = "one signature for all filters"
)]

use super::super::data::format::{Format, formatted};
use super::super::data::math::{as_place, split};
use super::super::data::order::equal;
use super::super::data::path;
use super::super::data::stop::{Res, error, pair_error, type_error};
use super::super::data::text::{Sink, json};
use super::super::data::value::{Fields, Items, LIST, OBJECT, TEXT, Val};
use super::filter::{Args, Plain, Tools};

/// The longest text that `fromjson` reads: as long as a record may be.
const MAX_JSON: usize = 1024 * 1024;

pub(super) fn find(name: &str, args: usize) -> Option<Plain> {
    let plain: Plain = match (name, args) {
        ("tostring", 0) => |tools, value, _| formatted(Format::Text, &value, tools.meter),
        ("tojson", 0) => |tools, value, _| {
            let mut sink = Sink::new(tools.meter)?;
            json(&value, &mut sink)?;
            Ok(sink.done())
        },
        ("fromjson", 0) => from_json,
        ("format", 1) => |tools, value, [name, ..]| match name.as_str().and_then(Format::named) {
            Some(format) => formatted(format, &value, tools.meter),
            None => Err(type_error(&name, "is not a valid format", tools.meter)),
        },
        ("utf8bytelength", 0) => |tools, value, _| match value.as_str() {
            Some(text) => Ok(Val::count(text.len())),
            None => Err(type_error(
                &value,
                "only strings have UTF-8 byte length",
                tools.meter,
            )),
        },
        ("startswith", 1) => |_, value, [start, ..]| match (value.as_str(), start.as_str()) {
            (Some(text), Some(start)) => Ok(Val::Bool(text.starts_with(start))),
            _ => Err(error("startswith() requires string inputs")),
        },
        ("endswith", 1) => |_, value, [end, ..]| match (value.as_str(), end.as_str()) {
            (Some(text), Some(end)) => Ok(Val::Bool(text.ends_with(end))),
            _ => Err(error("endswith() requires string inputs")),
        },
        ("ltrimstr", 1) => |tools, value, [start, ..]| without(tools, &value, &start, true, false),
        ("rtrimstr", 1) => |tools, value, [end, ..]| without(tools, &value, &end, false, true),
        ("trimstr", 1) => |tools, value, [both, ..]| without(tools, &value, &both, true, true),
        ("trim", 0) => |tools, value, _| trimmed(tools, &value, |text| text.trim_matches(blank)),
        ("ltrim", 0) => {
            |tools, value, _| trimmed(tools, &value, |text| text.trim_start_matches(blank))
        }
        ("rtrim", 0) => {
            |tools, value, _| trimmed(tools, &value, |text| text.trim_end_matches(blank))
        }
        ("explode", 0) => explode,
        ("implode", 0) => implode,
        ("ascii_downcase", 0) => |tools, value, _| cased(tools, &value, str::to_ascii_lowercase),
        ("ascii_upcase", 0) => |tools, value, _| cased(tools, &value, str::to_ascii_uppercase),
        ("split", 1) => |tools, value, [by, ..]| match (value.as_str(), by.as_str()) {
            (Some(text), Some(by)) => split(text, by, tools.meter),
            _ => Err(error("split input and separator must be strings")),
        },
        ("indices", 1) => |tools, value, [part, ..]| indices(tools, &value, &part),
        ("index", 1) => |tools, value, [part, ..]| one_of(tools, &value, &part, true),
        ("rindex", 1) => |tools, value, [part, ..]| one_of(tools, &value, &part, false),
        ("test", 2) => {
            |tools, value, [pattern, flags, _]| tools.regexes.is_match(&value, &pattern, &flags)
        }
        ("__capture", 0) => capture,
        _ => return None,
    };
    Some(plain)
}

fn blank(c: char) -> bool {
    c.is_whitespace()
}

/// `fromjson`, within the limits of the decoder.
fn from_json<'a>(tools: &Tools<'a>, value: Val<'a>, _: Args<'a>) -> Res<'a> {
    let Some(text) = value.as_str() else {
        return Err(type_error(
            &value,
            "only strings can be parsed",
            tools.meter,
        ));
    };
    if text.len() > MAX_JSON {
        return Err(error("the text is too long to be parsed as JSON"));
    }
    if text.trim() == "nan" || text.trim() == "NaN" {
        return Ok(Val::Float(f64::NAN));
    }
    tools
        .meter
        .build(crate::decode::weight::of_text(text.as_bytes()))?;
    match crate::decode::json::parse_nested(text.as_bytes()) {
        Some(parsed) => Ok(Val::owned(parsed, tools.meter)?),
        None => Err(type_error(&value, "is not JSON", tools.meter)),
    }
}

fn without<'a>(
    tools: &Tools<'a>,
    value: &Val<'a>,
    part: &Val<'a>,
    start: bool,
    end: bool,
) -> Res<'a> {
    let (Some(text), Some(part)) = (value.as_str(), part.as_str()) else {
        return Ok(value.clone());
    };
    let mut rest = text;
    if start {
        rest = rest.strip_prefix(part).unwrap_or(rest);
    }
    if end {
        rest = rest.strip_suffix(part).unwrap_or(rest);
    }
    if rest.len() == text.len() {
        return Ok(value.clone());
    }
    Ok(Val::copied(rest, tools.meter)?)
}

fn trimmed<'a>(tools: &Tools<'a>, value: &Val<'a>, trim: fn(&str) -> &str) -> Res<'a> {
    match value.as_str() {
        Some(text) => Ok(Val::copied(trim(text), tools.meter)?),
        None => Err(type_error(value, "cannot be trimmed", tools.meter)),
    }
}

fn cased<'a>(tools: &Tools<'a>, value: &Val<'a>, to: fn(&str) -> String) -> Res<'a> {
    match value.as_str() {
        Some(text) => {
            tools.meter.build(TEXT + text.len())?;
            Ok(Val::text(to(text)))
        }
        None => Err(error("explode input must be a string")),
    }
}

fn explode<'a>(tools: &Tools<'a>, value: Val<'a>, _: Args<'a>) -> Res<'a> {
    let Some(text) = value.as_str() else {
        return Err(type_error(&value, "cannot be exploded", tools.meter));
    };
    tools.meter.build(LIST)?;
    let mut items = Items::new();
    for c in text.chars() {
        items.push(Val::Int(i64::from(u32::from(c))), tools.meter)?;
    }
    Ok(items.done())
}

fn implode<'a>(tools: &Tools<'a>, value: Val<'a>, _: Args<'a>) -> Res<'a> {
    let Val::List(codes) = &value else {
        return Err(type_error(
            &value,
            "cannot be imploded, must be an array of codepoints",
            tools.meter,
        ));
    };
    let mut sink = Sink::new(tools.meter)?;
    for code in codes.iter() {
        let Some(number) = as_place(&code) else {
            return Err(error("Unicode codepoint must be numeric"));
        };
        let c = u32::try_from(number).ok().and_then(char::from_u32);
        sink.push_char(c.unwrap_or(char::REPLACEMENT_CHARACTER))?;
    }
    Ok(sink.done())
}

/// Every place where a part begins. The parts may overlap.
fn indices<'a>(tools: &Tools<'a>, value: &Val<'a>, part: &Val<'a>) -> Res<'a> {
    match (value, part) {
        (Val::Null, _) => Ok(Val::Null),
        (Val::Text(text), Val::Text(part)) => {
            let (text, part) = (text.as_str(), part.as_str());
            if part.is_empty() {
                return Ok(Val::list(Vec::new(), tools.meter)?);
            }
            tools.meter.build(LIST)?;
            tools.meter.work(text.len())?;
            let mut items = Items::new();
            let (mut from, mut characters) = (0, 0);
            while let Some(at) = text.get(from..).and_then(|rest| rest.find(part)) {
                tools.meter.work(8 * part.len() + 2 * at)?;
                tools.meter.steps(1)?;
                let found = from + at;
                characters += text
                    .get(from..found)
                    .map_or(0, |passed| passed.chars().count());
                items.push(Val::count(characters), tools.meter)?;
                let next = text.get(found..).and_then(|rest| rest.chars().next());
                from = found + next.map_or(1, char::len_utf8);
                characters += 1;
            }
            Ok(items.done())
        }
        (Val::List(list), Val::List(_)) => path::get(&Val::List(list.clone()), part, tools.meter),
        (Val::List(list), part) => {
            tools.meter.build(LIST)?;
            let mut items = Items::new();
            for (place, item) in list.iter().enumerate() {
                tools.meter.steps(1)?;
                if equal(&item, part, tools.meter)? {
                    items.push(Val::count(place), tools.meter)?;
                }
            }
            Ok(items.done())
        }
        (Val::Object(object), Val::Text(part)) => {
            Ok(object.get(part.as_str()).unwrap_or(Val::Null))
        }
        (value, part) => Err(pair_error(value, part, "cannot be searched for")),
    }
}

fn one_of<'a>(tools: &Tools<'a>, value: &Val<'a>, part: &Val<'a>, first: bool) -> Res<'a> {
    match indices(tools, value, part)? {
        Val::List(places) => {
            let place = if first {
                Some(0)
            } else {
                places.len().checked_sub(1)
            };
            Ok(place
                .and_then(|place| places.get(place))
                .unwrap_or(Val::Null))
        }
        other => Ok(other),
    }
}

/// The named groups in an output of `match`.
fn capture<'a>(tools: &Tools<'a>, value: Val<'a>, _: Args<'a>) -> Res<'a> {
    tools.meter.build(OBJECT)?;
    let mut fields = Fields::new();
    let captures = path::get(&value, &Val::word("captures"), tools.meter)?;
    if let Val::List(captures) = captures {
        for capture in captures.iter() {
            let name = path::get(&capture, &Val::word("name"), tools.meter)?;
            if let Val::Text(name) = name {
                let text = path::get(&capture, &Val::word("string"), tools.meter)?;
                fields.insert(name, text, tools.meter)?;
            }
        }
    }
    Ok(fields.done())
}
