//! jq, within bounds: the parser, compiler and evaluator of the expressions in mappings.
//!
//! The language is jq 1.7; `docs/mapping.md` lists what differs on purpose. There are two reasons for an interpreter of our
//! own. Every value, every step and every level of nesting must be counted *before* it happens, in one place; otherwise a
//! single record could exhaust the memory or the stack of the process. And people know jq: an expression must give here
//! what it gives there.
//!
//! [`syntax`] makes a tree, [`compile`] resolves its names, [`run`] evaluates the code. [`data`] has the values, [`native`]
//! the filters that need nothing but values, [`regex`] the regular expressions. Each uses only those below it:
//!
//! ```text
//! run
//! compile
//! native
//! regex
//! data
//! syntax
//! ```
//!
//! What all of them use is counted by [`super::meter::Meter`].

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "jq treats a few kinds of a value or term each in its own way, and all others alike"
)]

mod compile;
mod data;
mod inputs;
mod native;
mod path;
mod pieces;
mod regex;
mod run;
mod syntax;

use self::compile::code::Compiled;
use self::compile::compile;
use self::data::stop::Stop;
use self::data::value::Val;
pub(super) use self::inputs::of as inputs;
use self::path::{NO_SUCH_PARTS, Path};
pub(super) use self::pieces::{constants, of as pieces};
use self::run::{At, Env, Run};
use self::syntax::term::Term;
use self::syntax::{outputs, parse};
use super::always::Always;
use super::meter::Limit;
use super::names::Names;
use super::table::NOT_THERE;
use super::{Failed, Refused, Scope, hint};
use crate::value::Value;

/// A compiled expression.
#[derive(Debug)]
pub(super) struct Program {
    compiled: Compiled,
    /// The same, if it is no more than a path.
    path: Option<Path>,
    literal: Option<Value<'static>>,
    assigns: bool,
    several: bool,
    always: Option<Always>,
}

impl Program {
    /// Compiles an expression. With `streamed`, every term is evaluated as a stream, for tests that compare the two ways.
    pub(super) fn compile(text: &str, names: &Names, streamed: bool) -> Result<Self, Refused> {
        let term = parse::parse(text).map_err(|refused| hint::explained(refused, text))?;
        let literal = match &term {
            Term::Const(value) => Some(value.clone()),
            _ => None,
        };
        let compiled = compile(&term, names, streamed).map_err(|refused| Refused {
            at: refused
                .at
                .or_else(|| hint::place_of(&refused.problem, text)),
            help: hint::of_dash(text, &refused.problem).or(refused.help),
            ..refused
        })?;
        Ok(Self {
            path: (!streamed).then(|| Path::of(&compiled.main)).flatten(),
            compiled,
            literal,
            assigns: outputs::assigns(&term),
            several: outputs::gives_several(&term),
            always: outputs::kind(&term),
        })
    }

    /// Whether it assigns at its top level.
    pub(super) fn assigns(&self) -> bool {
        self.assigns
    }

    /// The kind of value that it always has, if that is certain.
    pub(super) fn always(&self) -> Option<Always> {
        self.always
    }

    /// Whether it seems to have an output for each item of a list.
    pub(super) fn gives_several(&self) -> bool {
        self.several
    }

    /// Whether it has one output at most, and so is evaluated without a stream.
    pub(super) fn is_direct(&self) -> bool {
        self.compiled.main.one
    }

    /// The constant, if it is one.
    pub(super) fn as_literal(&self) -> Option<&Value<'static>> {
        self.literal.as_ref()
    }

    /// The one output, `None` if there is none.
    pub(super) fn eval<'a>(&'a self, scope: &'a Scope<'a>) -> Result<Option<Value<'a>>, Failed> {
        if let Some(path) = &self.path {
            return path.eval(scope).map(Some);
        }
        scope.meter().begin();
        self.value(scope)
    }

    /// The values of `let` that it uses, by their places among those of the file.
    pub(super) fn lets(&self) -> &[usize] {
        &self.compiled.lets
    }

    /// Whether it is no more than a path into the content.
    pub(super) fn is_path(&self) -> bool {
        matches!(self.path, Some(Path::Content(_)))
    }

    /// The part of the content that it is, if it is no more than a path to it, or its constant.
    pub(super) fn part<'a>(
        &'a self,
        scope: &'a Scope<'a>,
    ) -> Option<Result<&'a Value<'a>, Failed>> {
        match (&self.path, &self.literal) {
            (Some(path), _) => path.part(scope),
            (None, Some(literal)) => Some(Ok(literal)),
            (None, None) => None,
        }
    }

    /// The one output, as a part of the evaluation that asks for it.
    pub(super) fn value<'a>(&'a self, scope: &'a Scope<'a>) -> Result<Option<Value<'a>>, Failed> {
        let found = self.run(scope)?;
        found
            .map(|found| found.into_value(scope.meter()))
            .transpose()
    }

    /// Whether there is an output that is neither null nor false.
    pub(super) fn holds<'a>(&'a self, scope: &'a Scope<'a>) -> Result<bool, Failed> {
        scope.meter().begin();
        Ok(self.run(scope)?.is_some_and(|found| found.holds()))
    }

    fn run<'a>(&'a self, scope: &'a Scope<'a>) -> Result<Option<Val<'a>>, Failed> {
        let run = Run::new(scope, &self.compiled);
        let mut found = None;
        let payload = At::plain(Val::of(scope.payload));
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
                    // no label has this number, so nothing catches it
                    return Err(Stop::Break(u64::MAX));
                }
                Ok(())
            });
            if several {
                return Err(Failed::new(SEVERAL));
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
const SEVERAL: &str = "the expression has several outputs; put it in [ ] or take the first";
const NO_ITEMS: &str = "`[]` is applied to a value that has no items";
/// What errors say that are not jq's own.
const OWN: &[&str] = &[SEVERAL, NO_ITEMS, NO_SUCH_PARTS, NOT_THERE];

/// What an error says without the data that its own text shows.
fn without_data(value: &Val<'_>) -> &'static str {
    match value {
        Val::Text(text) if text.as_str().starts_with("Cannot index ") => NO_SUCH_PARTS,
        Val::Text(text) if text.as_str().starts_with("Cannot iterate over ") => NO_ITEMS,
        Val::Text(text) => {
            let own = OWN.iter().find(|own| **own == text.as_str());
            own.copied().unwrap_or(FAILED)
        }
        Val::Null
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
