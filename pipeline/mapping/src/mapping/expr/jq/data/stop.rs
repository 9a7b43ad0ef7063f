//! Why an evaluation stops early.

use super::text::{Sink, json};
use super::value::Val;
use crate::mapping::expr::fault::Failed;
use crate::mapping::expr::meter::{Limit, Meter};

/// Why an evaluation stops.
#[derive(Debug)]
pub(crate) enum Stop<'a> {
    /// An error that `try` and `?` catch, with its value.
    Error(Val<'a>),
    /// `break`, to that label.
    Break(u64),
    /// The evaluation has used up what it may. Nothing catches this.
    Limit(Limit),
}

pub(crate) type Flow<'a> = Result<(), Stop<'a>>;
pub(crate) type Res<'a> = Result<Val<'a>, Stop<'a>>;

impl From<Failed> for Stop<'_> {
    fn from(failed: Failed) -> Self {
        if failed.exhausted {
            Self::Limit(Limit(failed.what))
        } else {
            error(failed.what)
        }
    }
}

impl From<Limit> for Stop<'_> {
    fn from(limit: Limit) -> Self {
        Self::Limit(limit)
    }
}

/// An error with a text of our own.
pub(crate) fn error<'a>(text: impl Into<String>) -> Stop<'a> {
    Stop::Error(Val::text(text.into()))
}

/// The most characters of a value that an error shows.
const SHOWN: usize = 11;

/// The beginning of a value, as errors show it.
pub(crate) fn shown(value: &Val<'_>) -> String {
    // a large value is cut, so the text is short; its cost is not counted against the evaluation
    let meter = Meter::default();
    let mut text = match Sink::new(&meter) {
        Ok(mut sink) => match json_start(value, &mut sink) {
            Ok(()) | Err(_) => sink.into_text(),
        },
        Err(_) => String::new(),
    };
    if text.chars().count() > SHOWN {
        text = text.chars().take(SHOWN).collect::<String>() + "...";
    }
    text
}

fn json_start(value: &Val<'_>, sink: &mut Sink<'_>) -> Result<(), Limit> {
    match value {
        Val::Text(text) => {
            let start: String = text.as_str().chars().take(2 * SHOWN).collect();
            json(&Val::text(start), sink)
        }
        Val::List(_) => sink.push("[...]"),
        Val::Object(_) => sink.push("{...}"),
        Val::Null | Val::Bool(_) | Val::Int(_) | Val::Big(_) | Val::Float(_) => json(value, sink),
    }
}

/// `string ("a") is not …`
pub(crate) fn type_error<'a>(value: &Val<'_>, what: &str, _meter: &Meter) -> Stop<'a> {
    error(format!("{} ({}) {what}", value.kind(), shown(value)))
}

/// `string ("a") and number (1) cannot be …`
pub(crate) fn pair_error<'a>(left: &Val<'_>, right: &Val<'_>, what: &str) -> Stop<'a> {
    error(format!(
        "{} ({}) and {} ({}) {what}",
        left.kind(),
        shown(left),
        right.kind(),
        shown(right)
    ))
}
