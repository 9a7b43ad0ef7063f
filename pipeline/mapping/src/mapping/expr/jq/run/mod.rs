//! Evaluation.
//!
//! A term can have any number of outputs, so [`Run::each`] calls a function with each of them. A term with one output at
//! most ([`Code::one`]) needs no such function ([`Run::one`]); most expressions in mappings are of this kind. Both ways
//! give the same, which a property test shows.
//!
//! A value has its path if the path is needed (`path(…)`, `… = …`, `… |= …`, `del(…)`), as in jq.
//!
//! The files of this folder are parts of one evaluator. To evaluate a term is to evaluate the terms in it, so each part
//! calls the others through [`Run`]. Filters that need no terms are in `native`.

mod bind;
mod one;
mod special;
mod stream;

use std::cell::Cell;
use std::rc::Rc;

use super::super::Scope;
use super::super::meter::{Limit, MAX_DEPTH, Meter};
use super::super::table::{NOT_THERE, Table};
use super::compile::code::{Code, Compiled, Def, Global};
use super::data::path::get;
use super::data::stop::{Flow, Res, Stop, error, shown, type_error};
use super::data::value::{Text, Val};
use super::native::filter::Tools;
use super::regex::Regexes;
use crate::value::Value;

/// One evaluation.
pub(super) struct Run<'a> {
    meter: &'a Meter,
    scope: &'a Scope<'a>,
    defs: &'a [Def],
    /// The number of the next label.
    labels: Cell<u64>,
    tools: Tools<'a>,
}

/// A value and, if it is needed, its path.
#[derive(Debug, Clone)]
pub(super) struct At<'a> {
    pub(super) val: Val<'a>,
    pub(super) path: Path<'a>,
}

/// The path of a value.
#[derive(Debug, Clone)]
pub(super) enum Path<'a> {
    /// It is not needed.
    Off,
    /// The value is not a part of the input.
    Lost,
    On(Option<Rc<Step<'a>>>),
}

/// The last step of a path, and the path before it.
#[derive(Debug)]
pub(super) struct Step<'a> {
    key: Val<'a>,
    before: Option<Rc<Step<'a>>>,
    length: u16,
}

/// What is bound, innermost first.
#[derive(Clone, Copy)]
pub(super) struct Env<'e, 'a> {
    bound: Option<&'e Binding<'e, 'a>>,
}

pub(super) struct Binding<'e, 'a> {
    what: Bind<'e, 'a>,
    outer: Env<'e, 'a>,
}

enum Bind<'e, 'a> {
    Var(Val<'a>),
    Arg(&'a Code, Env<'e, 'a>),
    Label(u64),
}

/// What is called with each output.
pub(super) type Out<'o, 'a> = &'o mut dyn FnMut(At<'a>) -> Flow<'a>;
/// One output at most.
pub(super) type Maybe<'a> = Result<Option<At<'a>>, Stop<'a>>;

// === impl At, Path ===

impl<'a> At<'a> {
    pub(super) fn plain(val: Val<'a>) -> Self {
        Self {
            val,
            path: Path::Off,
        }
    }

    /// The value alone.
    pub(super) fn value(&self) -> Self {
        Self::plain(self.val.clone())
    }

    /// A value that was computed from this one.
    pub(super) fn computed(&self, val: Val<'a>) -> Self {
        let path = match self.path {
            Path::Off => Path::Off,
            Path::Lost | Path::On(_) => Path::Lost,
        };
        Self { val, path }
    }

    /// A part of this value.
    pub(super) fn part(&self, key: &Val<'a>, val: Val<'a>) -> Result<Self, Stop<'a>> {
        let path = match &self.path {
            Path::Off => Path::Off,
            Path::Lost => {
                return Err(error(format!(
                    "Invalid path expression with result {}",
                    shown(&self.val)
                )));
            }
            Path::On(before) => {
                let length = before.as_ref().map_or(0, |step| step.length) + 1;
                if length > MAX_DEPTH {
                    return Err(Limit("a path is too long").into());
                }
                Path::On(Some(Rc::new(Step {
                    key: key.clone(),
                    before: before.clone(),
                    length,
                })))
            }
        };
        Ok(Self { val, path })
    }

    /// The keys on the path to this value.
    pub(super) fn keys(&self) -> Result<Vec<Val<'a>>, Stop<'a>> {
        let Path::On(mut step) = self.path.clone() else {
            return Err(error(format!(
                "Invalid path expression with result {}",
                shown(&self.val)
            )));
        };
        let mut keys = Vec::new();
        while let Some(here) = step {
            keys.push(here.key.clone());
            step = here.before.clone();
        }
        keys.reverse();
        Ok(keys)
    }

    /// The same value, as the beginning of a path.
    pub(super) fn begin(&self) -> Self {
        Self {
            val: self.val.clone(),
            path: Path::On(None),
        }
    }
}

// === impl Env ===

impl<'e, 'a> Env<'e, 'a> {
    pub(super) fn empty() -> Self {
        Self { bound: None }
    }

    fn up(self, mut steps: usize) -> Option<&'e Binding<'e, 'a>> {
        let mut at = self.bound?;
        while steps > 0 {
            at = at.outer.bound?;
            steps -= 1;
        }
        Some(at)
    }

    /// The bindings from this many up.
    fn beyond(self, steps: usize) -> Self {
        let mut env = self;
        for _ in 0..steps {
            env = env.bound.map_or_else(Self::empty, |binding| binding.outer);
        }
        env
    }
}

// === impl Run ===

impl<'a> Run<'a> {
    pub(super) fn new(scope: &'a Scope<'a>, program: &'a Compiled) -> Self {
        let meter = scope.meter();
        Self {
            meter,
            scope,
            defs: &program.defs,
            labels: Cell::new(0),
            tools: Tools {
                meter,
                regexes: Regexes::new(meter, &program.patterns),
            },
        }
    }

    fn global(&self, global: Global) -> Res<'a> {
        Ok(Val::of(match global {
            Global::Event => self.scope.event(),
            Global::Record => self.scope.record(),
            Global::Item => self.scope.item().map_or(&Value::Null, |(item, _)| item),
            Global::Index => {
                let index = self.scope.item().map(|(_, index)| index);
                return Ok(index.map_or(Val::Null, Val::count));
            }
            Global::Let(index) => {
                // it may be computed now, within what is being evaluated
                let _level = self.meter.descend()?;
                self.scope.named(index)?
            }
        }))
    }

    /// The value of a key in a table.
    fn looked_up(&self, table: &'a Table, key: &Val<'a>) -> Res<'a> {
        let text = match key {
            Val::Null => None,
            Val::Text(text) => {
                self.meter.work(text.as_str().len())?;
                Some(text.as_str().to_owned())
            }
            Val::Bool(_) | Val::Int(_) | Val::Big(_) | Val::Float(_) => Some(shown(key)),
            Val::List(_) | Val::Object(_) => {
                return Err(type_error(key, "is no key of a table", self.meter));
            }
        };
        let found = table.find(text.as_deref());
        found.map(Val::of).ok_or_else(|| error(NOT_THERE))
    }

    /// The one value of a term, for keys in patterns. It is an error if there is none, or several.
    fn only(&self, code: &'a Code, env: Env<'_, 'a>, at: &At<'a>) -> Res<'a> {
        let mut found = None;
        self.each(
            code,
            env,
            at.value(),
            &mut |at| match found.replace(at.val) {
                None => Ok(()),
                Some(_) => Err(error("a key in a pattern must have one value")),
            },
        )?;
        found.ok_or_else(|| error("a key in a pattern must have one value"))
    }

    /// Calls `out` with each output of a term.
    pub(super) fn each(
        &self,
        code: &'a Code,
        env: Env<'_, 'a>,
        at: At<'a>,
        out: Out<'_, 'a>,
    ) -> Flow<'a> {
        let _level = self.meter.descend()?;
        if code.one {
            return match self.one(code, env, at)? {
                Some(at) => out(at),
                None => Ok(()),
            };
        }
        self.meter.steps(1)?;
        self.stream(code, env, at, out)
    }
}

fn var<'a>(env: Env<'_, 'a>, up: usize) -> Val<'a> {
    match env.up(up).map(|binding| &binding.what) {
        Some(Bind::Var(value)) => value.clone(),
        Some(Bind::Arg(..) | Bind::Label(_)) | None => Val::Null,
    }
}

fn bound_all<'a>(
    values: &[Val<'a>],
    env: Env<'_, 'a>,
    f: &mut dyn FnMut(Env<'_, 'a>) -> Flow<'a>,
) -> Flow<'a> {
    let Some((value, rest)) = values.split_first() else {
        return f(env);
    };
    let binding = Binding {
        what: Bind::Var(value.clone()),
        outer: env,
    };
    bound_all(
        rest,
        Env {
            bound: Some(&binding),
        },
        f,
    )
}

fn index<'a>(base: &At<'a>, key: &Val<'a>, optional: bool, meter: &Meter) -> Maybe<'a> {
    match get(&base.val, key, meter) {
        Ok(part) => base.part(key, part).map(Some),
        Err(Stop::Error(_)) if optional => Ok(None),
        Err(stop) => Err(stop),
    }
}

fn object_key<'a>(key: Val<'a>) -> Result<Text<'a>, Stop<'a>> {
    match key {
        Val::Text(key) => Ok(key),
        key => Err(error(format!(
            "Object keys must be strings, not {} ({})",
            key.kind(),
            shown(&key)
        ))),
    }
}
