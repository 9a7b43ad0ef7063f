//! Times: seconds since 1970, broken-down times, and times as text. All are UTC.

#![expect(
    clippy::needless_pass_by_value,
    reason = "one signature for all filters"
)]

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::Offset;

use super::super::data::math::{as_place, whole_or_float};
use super::super::data::stop::{Res, Stop, error, type_error};
use super::super::data::text::Sink;
use super::super::data::value::Val;
use super::filter::{Args, Plain, Tools};

pub(super) fn find(name: &str, args: usize) -> Option<Plain> {
    let plain: Plain = match (name, args) {
        ("mktime", 0) => |_, value, _| Ok(Val::Int(broken_down(&value, "mktime")?.seconds())),
        ("gmtime", 0) => gmtime,
        ("strftime", 1) => |tools, value, [format, ..]| {
            let time = match value {
                Val::Int(_) | Val::Big(_) | Val::Float(_) => {
                    gmtime(tools, value, [Val::Null, Val::Null, Val::Null])?
                }
                value => value,
            };
            if !matches!(time, Val::List(_)) {
                return Err(error("strftime/1 requires parsed datetime inputs"));
            }
            let Some(format) = format.as_str() else {
                return Err(error("strftime/1 requires a string format"));
            };
            written(tools, &broken_down(&time, "strftime/1")?, format)
        },
        ("strptime", 1) => |tools, value, [format, ..]| {
            let Some(text) = value.as_str() else {
                return Err(type_error(
                    &value,
                    "cannot be parsed as a time",
                    tools.meter,
                ));
            };
            let Some(format) = format.as_str() else {
                return Err(error("strptime/1 requires a string format"));
            };
            tools.meter.work(text.len() + format.len())?;
            match read(text, format) {
                Some(time) => time.value(tools),
                None => Err(error(format!(
                    "date \"{text}\" does not match format \"{format}\""
                ))),
            }
        },
        _ => return None,
    };
    Some(plain)
}

/// A time as jq takes it apart.
#[derive(Debug, Clone, Copy)]
struct Broken {
    at: DateTime,
    /// The fraction of the second.
    fraction: f64,
}

impl Broken {
    fn seconds(self) -> i64 {
        let at = Offset::UTC.to_timestamp(self.at);
        at.map_or(0, Timestamp::as_second)
    }

    fn value<'a>(self, tools: &Tools<'a>) -> Res<'a> {
        let seconds = f64::from(self.at.second()) + self.fraction;
        let parts = vec![
            Val::Int(self.at.year().into()),
            Val::Int(i64::from(self.at.month()) - 1),
            Val::Int(self.at.day().into()),
            Val::Int(self.at.hour().into()),
            Val::Int(self.at.minute().into()),
            whole_or_float(seconds),
            Val::Int(self.at.weekday().to_sunday_zero_offset().into()),
            Val::Int(i64::from(self.at.day_of_year()) - 1),
        ];
        Ok(Val::list(parts, tools.meter)?)
    }
}

/// Seconds since 1970 as `[year, month from 0, day, hour, minute, second, weekday from Sunday, day of the year from 0]`.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a number out of range is not a time"
)]
fn gmtime<'a>(tools: &Tools<'a>, value: Val<'a>, _: Args<'a>) -> Res<'a> {
    let Some(seconds) = value.as_f64() else {
        return Err(error("gmtime() requires a number"));
    };
    let whole = seconds.floor();
    let at = Timestamp::from_second(whole as i64)
        .ok()
        .filter(|_| whole.is_finite());
    match at {
        Some(at) => Broken {
            at: Offset::UTC.to_datetime(at),
            fraction: seconds - whole,
        }
        .value(tools),
        None => Err(error(
            "error converting number of seconds since epoch to datetime",
        )),
    }
}

fn broken_down<'a>(value: &Val<'a>, who: &str) -> Result<Broken, Stop<'a>> {
    let wrong = || error(format!("{who} requires parsed datetime inputs"));
    let Val::List(parts) = value else {
        return Err(error(format!("{who} requires array of 6 numbers")));
    };
    if parts.len() < 6 {
        return Err(error(format!("{who} requires array of 6 numbers")));
    }
    let part = |place| {
        parts
            .get(place)
            .and_then(|part| as_place(&part))
            .ok_or_else(wrong)
    };
    let (year, month, day) = (part(0)?, part(1)?, part(2)?);
    let (hour, minute, second) = (part(3)?, part(4)?, part(5)?);
    let at = moved(year, month, day, hour, minute, second).ok_or_else(wrong)?;
    Ok(Broken { at, fraction: 0.0 })
}

/// A time whose parts may be out of bounds, as the C library allows.
fn moved(year: i64, month: i64, day: i64, hour: i64, minute: i64, second: i64) -> Option<DateTime> {
    let year = i16::try_from(year.checked_add(month.div_euclid(12))?).ok()?;
    let month = i8::try_from(month.rem_euclid(12) + 1).ok()?;
    let first = Date::new(year, month, 1).ok()?;
    let seconds = hour
        .checked_mul(3600)?
        .checked_add(minute.checked_mul(60)?)?
        .checked_add(second)?;
    let days = day
        .checked_sub(1)?
        .checked_mul(86_400)?
        .checked_add(seconds)?;
    let start = Offset::UTC
        .to_timestamp(first.to_datetime(jiff::civil::Time::midnight()))
        .ok()?;
    let at = Timestamp::from_second(start.as_second().checked_add(days)?).ok()?;
    Some(Offset::UTC.to_datetime(at))
}

const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

fn short(name: &str) -> &str {
    name.get(..3).unwrap_or(name)
}

fn day_name(day: Weekday) -> &'static str {
    let place = usize::try_from(day.to_sunday_zero_offset()).unwrap_or(0);
    DAYS.get(place).copied().unwrap_or_default()
}

fn month_name(month: i8) -> &'static str {
    let place = usize::try_from(month - 1).unwrap_or(0);
    MONTHS.get(place).copied().unwrap_or_default()
}

/// A time as text, in a format of the C library without locales and time zones.
fn written<'a>(tools: &Tools<'a>, time: &Broken, format: &str) -> Res<'a> {
    let mut sink = Sink::new(tools.meter)?;
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        sink.push(rest.get(..at).unwrap_or_default())?;
        let mut chars = rest.get(at + 1..).unwrap_or_default().chars();
        match chars.next() {
            None => sink.push("%")?,
            Some(directive) => match directive_text(time, directive) {
                Some(text) => sink.push(&text)?,
                None => {
                    return Err(error(format!(
                        "strftime/1: `%{directive}` is not known here"
                    )));
                }
            },
        }
        rest = chars.as_str();
    }
    sink.push(rest)?;
    Ok(sink.done())
}

fn directive_text(time: &Broken, directive: char) -> Option<String> {
    let at = time.at;
    let half_day = (i16::from(at.hour()) + 11) % 12 + 1;
    let day_of_year = at.day_of_year();
    let from_sunday = i16::from(at.weekday().to_sunday_zero_offset());
    let from_monday = i16::from(at.weekday().to_monday_zero_offset());
    let iso = at.date().iso_week_date();
    let all = |directives: &[char], between: &str| {
        let parts: Option<Vec<String>> = directives
            .iter()
            .map(|d| directive_text(time, *d))
            .collect();
        parts.map(|parts| parts.join(between))
    };
    Some(match directive {
        'Y' => at.year().to_string(),
        'C' => format!("{:02}", at.year() / 100),
        'y' => format!("{:02}", at.year().rem_euclid(100)),
        'm' => format!("{:02}", at.month()),
        'd' => format!("{:02}", at.day()),
        'e' => format!("{:2}", at.day()),
        'H' => format!("{:02}", at.hour()),
        'k' => format!("{:2}", at.hour()),
        'I' => format!("{half_day:02}"),
        'l' => format!("{half_day:2}"),
        'M' => format!("{:02}", at.minute()),
        'S' => format!("{:02}", at.second()),
        'j' => format!("{day_of_year:03}"),
        'p' => if at.hour() < 12 { "AM" } else { "PM" }.to_owned(),
        'P' => if at.hour() < 12 { "am" } else { "pm" }.to_owned(),
        'a' => short(day_name(at.weekday())).to_owned(),
        'A' => day_name(at.weekday()).to_owned(),
        'b' | 'h' => short(month_name(at.month())).to_owned(),
        'B' => month_name(at.month()).to_owned(),
        'u' => (from_monday + 1).to_string(),
        'w' => from_sunday.to_string(),
        'U' => format!("{:02}", (day_of_year + 6 - from_sunday) / 7),
        'W' => format!("{:02}", (day_of_year + 6 - from_monday) / 7),
        'G' => iso.year().to_string(),
        'g' => format!("{:02}", iso.year().rem_euclid(100)),
        'V' => format!("{:02}", iso.week()),
        's' => time.seconds().to_string(),
        'Z' => "UTC".to_owned(),
        'z' => "+0000".to_owned(),
        'n' => "\n".to_owned(),
        't' => "\t".to_owned(),
        '%' => "%".to_owned(),
        'T' => return all(&['H', 'M', 'S'], ":"),
        'R' => return all(&['H', 'M'], ":"),
        'D' | 'x' => return all(&['m', 'd', 'y'], "/"),
        'F' => return all(&['Y', 'm', 'd'], "-"),
        'X' => return all(&['H', 'M', 'S'], ":"),
        'r' => format!(
            "{} {}",
            all(&['I', 'M', 'S'], ":")?,
            directive_text(time, 'p')?
        ),
        'c' => format!(
            "{} {} {}",
            all(&['a', 'b', 'e'], " ")?,
            all(&['H', 'M', 'S'], ":")?,
            directive_text(time, 'Y')?
        ),
        _ => return None,
    })
}

/// What has been read so far.
#[derive(Default)]
struct Reading {
    year: Option<i64>,
    century_year: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    hour: i64,
    minute: i64,
    second: i64,
    afternoon: Option<bool>,
    epoch: Option<i64>,
}

/// The time in a text that has a format of the C library.
fn read(text: &str, format: &str) -> Option<Broken> {
    let mut reading = Reading::default();
    let rest = read_all(&mut reading, text, format, 0)?;
    if !rest.is_empty() {
        return None;
    }
    if let Some(epoch) = reading.epoch {
        let at = Offset::UTC.to_datetime(Timestamp::from_second(epoch).ok()?);
        return Some(Broken { at, fraction: 0.0 });
    }
    let hour = match reading.afternoon {
        Some(afternoon) => reading.hour % 12 + if afternoon { 12 } else { 0 },
        None => reading.hour,
    };
    let year = reading
        .year
        .or_else(|| {
            reading
                .century_year
                .map(|year| if year < 69 { 2000 + year } else { 1900 + year })
        })
        .unwrap_or(1900);
    let (month, day) = match (reading.day_of_year, reading.month, reading.day) {
        (Some(day), None, None) => (0, day),
        (_, month, day) => (month.unwrap_or(1) - 1, day.unwrap_or(1)),
    };
    let at = moved(year, month, day, hour, reading.minute, reading.second)?;
    Some(Broken { at, fraction: 0.0 })
}

fn read_all<'t>(reading: &mut Reading, text: &'t str, format: &str, depth: u8) -> Option<&'t str> {
    let mut text = text;
    let mut format = format.chars();
    while let Some(c) = format.next() {
        if c.is_whitespace() {
            text = text.trim_start();
        } else if c == '%' {
            let mut directive = format.next()?;
            if matches!(directive, 'E' | 'O' | '-' | '_' | '0') {
                directive = format.next()?;
            }
            text = read_one(reading, text, directive, depth)?;
        } else {
            text = text.strip_prefix(c)?;
        }
    }
    Some(text)
}

fn read_one<'t>(
    reading: &mut Reading,
    text: &'t str,
    directive: char,
    depth: u8,
) -> Option<&'t str> {
    let text = if matches!(directive, '%' | 'Z') {
        text
    } else {
        text.trim_start()
    };
    let number = |digits: usize, least: i64, most: i64| {
        let length = text
            .bytes()
            .take(digits)
            .take_while(u8::is_ascii_digit)
            .count();
        let (read, rest) = text.split_at_checked(length)?;
        let number: i64 = read.parse().ok()?;
        (least..=most).contains(&number).then_some((number, rest))
    };
    let name = |names: &[&str]| {
        names.iter().enumerate().find_map(|(place, name)| {
            [*name, short(name)].into_iter().find_map(|name| {
                let start = text.get(..name.len())?;
                let same = start.eq_ignore_ascii_case(name);
                same.then(|| Some((i64::try_from(place).ok()?, text.get(name.len()..)?)))
                    .flatten()
            })
        })
    };
    let inner = |reading: &mut Reading, format: &str| {
        // a format that expands to others may not contain another such format
        (depth == 0)
            .then(|| read_all(reading, text, format, 1))
            .flatten()
    };
    let (value, rest) = match directive {
        'Y' => number(4, 0, 9999)?,
        'y' => number(2, 0, 99)?,
        'm' => number(2, 1, 12)?,
        'd' | 'e' => number(2, 1, 31)?,
        'H' | 'k' => number(2, 0, 23)?,
        'I' | 'l' => number(2, 1, 12)?,
        'M' => number(2, 0, 59)?,
        'S' => number(2, 0, 61)?,
        'j' => number(3, 1, 366)?,
        's' => number(18, 0, i64::MAX)?,
        'u' => number(1, 1, 7)?,
        'w' => number(1, 0, 6)?,
        'U' | 'W' | 'V' => number(2, 0, 53)?,
        'a' | 'A' => name(&DAYS)?,
        'b' | 'B' | 'h' => name(&MONTHS)?,
        'p' => name(&["AM", "PM"]).or_else(|| name(&["am", "pm"]))?,
        'T' => return inner(reading, "%H:%M:%S"),
        'R' => return inner(reading, "%H:%M"),
        'D' => return inner(reading, "%m/%d/%y"),
        'F' => return inner(reading, "%Y-%m-%d"),
        'z' => {
            let rest = text.strip_prefix('Z').or_else(|| {
                let digits = text.strip_prefix(['+', '-'])?;
                let (hours, rest) = digits.split_at_checked(2)?;
                let rest = rest.strip_prefix(':').unwrap_or(rest);
                let (minutes, rest) = rest.split_at_checked(2).unwrap_or(("00", rest));
                let legal = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
                (legal(hours) && legal(minutes)).then_some(rest)
            })?;
            (0, rest)
        }
        'Z' => {
            let length = text.bytes().take_while(u8::is_ascii_alphabetic).count();
            (0, text.get(length..)?)
        }
        'n' | 't' => (0, text),
        '%' => (0, text.strip_prefix('%')?),
        _ => return None,
    };
    match directive {
        'Y' => reading.year = Some(value),
        'y' => reading.century_year = Some(value),
        'm' => reading.month = Some(value),
        'b' | 'B' | 'h' => reading.month = Some(value + 1),
        'd' | 'e' => reading.day = Some(value),
        'H' | 'k' | 'I' | 'l' => reading.hour = value,
        'M' => reading.minute = value,
        'S' => reading.second = value,
        'j' => reading.day_of_year = Some(value),
        'p' => reading.afternoon = Some(value == 1),
        's' => reading.epoch = Some(value),
        _ => {}
    }
    Some(rest)
}
