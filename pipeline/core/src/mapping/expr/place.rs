//! Where a path leads: `.a.b[0]?`, from the content or from one of the two variables.

use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::Term;
use jaq_core::path::{Opt, Part};
use serde_json::Value;

use super::plan::Plan;
use super::{Failed, Scope};

const NULL: &Value = &Value::Null;

/// Where a path leads.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) root: Root,
    pub(super) steps: Vec<Step>,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Root {
    Dot,
    Event,
    Record,
}

/// One step of a path, and whether an input that cannot be stepped into gives nothing instead of an error.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) to: To,
    pub(super) optional: bool,
}

#[derive(Debug)]
pub(super) enum To {
    Key(String),
    Index(i64),
}

impl Place {
    pub(super) fn at(root: Root) -> Self {
        Self {
            root,
            steps: Vec::new(),
        }
    }

    /// The place of `head` and these parts.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "only two of many forms of an index have a plan"
    )]
    pub(super) fn of(head: &Term<&str>, parts: &[(Part<Term<&str>>, Opt)]) -> Option<Self> {
        let Plan::Path(mut place) = Plan::of(head)? else {
            return None;
        };
        for (part, optional) in parts {
            let to = match part {
                Part::Index(Term::Str(None, parts)) => To::Key(plain_text(parts)?),
                Part::Index(Term::Num(text)) => To::Index(text.parse().ok()?),
                Part::Index(Term::Neg(inner)) => match &**inner {
                    Term::Num(text) => To::Index(text.parse::<i64>().ok()?.checked_neg()?),
                    _ => return None,
                },
                Part::Index(_) | Part::Range(..) => return None,
            };
            place.steps.push(Step {
                to,
                optional: matches!(optional, Opt::Optional),
            });
        }
        Some(place)
    }

    /// The place whose items `a.path[]` goes through, and whether it ends in `[]?`.
    pub(super) fn each(stream: &Term<&str>) -> Option<(Self, Opt)> {
        let Term::Path(head, path) = stream else {
            return None;
        };
        let ((Part::Range(None, None), optional), before) = path.0.split_last()? else {
            return None;
        };
        Some((Self::of(head, before)?, *optional))
    }

    /// What is there; `None` where an optional step leads nowhere.
    pub(super) fn find<'a>(
        &self,
        dot: &'a Value,
        scope: &'a Scope<'a>,
    ) -> Result<Option<&'a Value>, Failed> {
        let mut at = match self.root {
            Root::Dot => dot,
            Root::Event => match self.steps.first() {
                Some(Step {
                    to: To::Key(field), ..
                }) => scope.event_with(field),
                Some(_) | None => scope.event(),
            },
            Root::Record => scope.record(),
        };
        for step in &self.steps {
            match step.to.from(at) {
                Some(next) => at = next,
                None if step.optional => return Ok(None),
                None => return Err(Failed("a path leads into a value that has no such parts")),
            }
        }
        Ok(Some(at))
    }
}

impl To {
    /// The part of a value; `None` where the value has no parts of this kind.
    fn from<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        match (value, self) {
            (Value::Null, _) => Some(NULL),
            (Value::Object(fields), Self::Key(key)) => Some(fields.get(key).unwrap_or(NULL)),
            // the interpreter allows keys that are no text, which JSON has not
            (Value::Object(_), Self::Index(_)) => Some(NULL),
            (Value::Array(items), Self::Index(index)) => {
                let from_end = || {
                    usize::try_from(index.unsigned_abs())
                        .ok()
                        .and_then(|back| items.len().checked_sub(back))
                };
                let found = if *index < 0 {
                    from_end()
                } else {
                    usize::try_from(*index).ok()
                };
                Some(found.and_then(|index| items.get(index)).unwrap_or(NULL))
            }
            (Value::Array(_), Self::Key(_))
            | (Value::Bool(_) | Value::Number(_) | Value::String(_), _) => None,
        }
    }
}

/// The text without interpolation, if it is one.
pub(super) fn plain_text(parts: &[StrPart<&str, Term<&str>>]) -> Option<String> {
    let mut text = String::new();
    for part in parts {
        match part {
            StrPart::Str(piece) => text.push_str(piece),
            StrPart::Char(c) => text.push(*c),
            StrPart::Term(_) => return None,
        }
    }
    Some(text)
}
