//! jq, within bounds: parser, compiler and evaluator of the expressions in mappings.
//!
//! The language is that of jq 1.7; what differs on purpose stands in `docs/mapping.md`. Two things made an interpreter of
//! our own necessary. Every value that is built, every step and every level of nesting has to be counted *before* it
//! happens, in one place, or one record takes the memory of the process or its stack. And people know jq: what an
//! expression gives there, it has to give here.
//!
//! [`parse`] makes a tree, [`compile`] resolves names, [`run`] evaluates. Natives stand in [`native`], what they may use
//! is counted by [`super::meter::Meter`].

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "jq treats a few kinds of a value or term each in its own way, and all others alike"
)]

mod code;
mod compile;
mod lex;
mod math;
mod names;
mod native;
mod order;
mod outputs;
mod parse;
mod path;
mod regex;
mod run;
mod special;
mod stop;
mod term;
mod text;
mod value;

use std::cell::{Cell, RefCell};

use serde_json::Value;

use self::compile::{Compiled, compile};
use self::run::{At, Env, Run};
use self::stop::Stop;
use self::term::Term;
use super::meter::Limit;
use super::{Failed, Refused, Scope, hint};

/// A compiled expression.
#[derive(Debug)]
pub(super) struct Program {
    compiled: Compiled,
    literal: Option<Value>,
    assigns: bool,
    several: bool,
}

impl Program {
    /// Compiles an expression. `streamed`: nothing is evaluated without a stream, for tests that compare the two ways.
    pub(super) fn compile(text: &str, streamed: bool) -> Result<Self, Refused> {
        let term = parse::parse(text).map_err(|refused| Refused {
            help: refused.help.or_else(|| hint::of_syntax(text)),
            ..refused
        })?;
        let literal = match &term {
            Term::Const(value) => Some(value.clone()),
            _ => None,
        };
        let compiled = compile(&term, streamed).map_err(|refused| Refused {
            help: hint::of_dash(text, &refused.problem).or(refused.help),
            ..refused
        })?;
        Ok(Self {
            compiled,
            literal,
            assigns: outputs::assigns(&term),
            several: outputs::gives_several(&term),
        })
    }

    /// Whether it assigns at its top.
    pub(super) fn assigns(&self) -> bool {
        self.assigns
    }

    /// Whether it looks as if it had an output for each item of a list.
    pub(super) fn gives_several(&self) -> bool {
        self.several
    }

    /// Whether it gives one output at most, and is evaluated without a stream.
    pub(super) fn is_direct(&self) -> bool {
        self.compiled.main.one
    }

    /// The constant, if it is one.
    pub(super) fn as_literal(&self) -> Option<&Value> {
        self.literal.as_ref()
    }

    /// The one output, `None` if there is none.
    pub(super) fn eval<'a>(&'a self, scope: &'a Scope<'a>) -> Result<Option<Value>, Failed> {
        let found = self.run(scope)?;
        found.map(|found| found.to_json(&scope.meter)).transpose()
    }

    /// Whether there is an output that is neither null nor false.
    pub(super) fn holds<'a>(&'a self, scope: &'a Scope<'a>) -> Result<bool, Failed> {
        Ok(self.run(scope)?.is_some_and(|found| found.holds()))
    }

    fn run<'a>(&'a self, scope: &'a Scope<'a>) -> Result<Option<value::Val<'a>>, Failed> {
        scope.meter.begin();
        let run = Run {
            meter: &scope.meter,
            scope,
            program: &self.compiled,
            labels: Cell::new(0),
            regexes: RefCell::new(Vec::new()),
        };
        let mut found = None;
        let payload = At::plain(value::Val::of(scope.payload));
        let main = &self.compiled.main;
        let flow = if main.one {
            run.one(main, Env::empty(), payload).map(|at| {
                found = at.map(|at| at.val);
            })
        } else {
            let mut several = false;
            let flow = run.each(main, Env::empty(), payload, &mut |at| {
                if found.replace(at.val).is_some() {
                    several = true;
                    // a label that nobody has: the end
                    return Err(Stop::Break(u64::MAX));
                }
                Ok(())
            });
            if several {
                return Err(Failed::new(
                    "the expression has several outputs; put it in [ ] or take the first",
                ));
            }
            flow
        };
        match flow {
            Ok(()) => Ok(found),
            Err(Stop::Limit(limit)) => Err(limit.into()),
            Err(Stop::Error(value)) => Err(Failed::new(without_data(&value))),
            Err(Stop::Break(_)) => Err(Failed::new(FAILED)),
        }
    }
}

const FAILED: &str = "the expression failed on this event";

/// What an error says; its own text shows the data.
fn without_data(value: &value::Val<'_>) -> &'static str {
    use value::Val;
    match value {
        Val::Text(text) if text.as_str().starts_with("Cannot index ") => {
            "a path leads into a value that has no such parts"
        }
        Val::Text(text) if text.as_str().starts_with("Cannot iterate over ") => {
            "`[]` stands behind a value that has no items"
        }
        Val::Text(_)
        | Val::Null
        | Val::Bool(_)
        | Val::Int(_)
        | Val::Big(_)
        | Val::Float(_)
        | Val::List(_)
        | Val::Object(_) => FAILED,
    }
}

impl From<Limit> for Failed {
    fn from(limit: Limit) -> Self {
        Self::limit(limit.0)
    }
}
