//! Terms with one output at most, evaluated without a stream.

use super::super::compile::code::{Code, Global, Op, Piece};
use super::super::data::format::{Format, format, formatted};
use super::super::data::math::{math, negate};
use super::super::data::order::{equal, ordered};
use super::super::data::stop::{Res, Stop};
use super::super::data::text::Sink;
use super::super::data::value::{Fields, HASHED, Items, LIST, OBJECT, Text, Val};
use super::super::syntax::term::Compare;
use super::{At, Bind, Binding, Env, Maybe, Path, Run, index, object_key, var};
use crate::value::Value;

impl<'a> Run<'a> {
    /// The output of a term with one at most.
    pub(crate) fn one(&self, code: &'a Code, env: Env<'_, 'a>, at: At<'a>) -> Maybe<'a> {
        if !code.one {
            let mut found = None;
            self.each(code, env, at, &mut |at| {
                debug_assert!(found.is_none(), "a term that gives one output");
                found = Some(at);
                Ok(())
            })?;
            return Ok(found);
        }
        self.meter.steps(1)?;
        match &code.op {
            Op::Id => return Ok(Some(at)),
            Op::Const(value) => return Ok(Some(at.computed(Val::of(value)))),
            Op::Global(global) => return Ok(Some(at.computed(self.global(*global)?))),
            Op::Lookup(table) => return Ok(Some(at.computed(self.looked_up(table, &at.val)?))),
            Op::Var(up) => return Ok(Some(at.computed(var(env, *up)))),
            _ => {}
        }
        let _level = self.meter.descend()?;
        self.one_deeper(code, env, at)
    }

    pub(super) fn one_deeper(&self, code: &'a Code, env: Env<'_, 'a>, at: At<'a>) -> Maybe<'a> {
        match &code.op {
            Op::Index(base, key, optional) => self.one_index(base, key, *optional, env, at),
            Op::Pipe(stages) => {
                let mut at = at;
                for stage in stages {
                    match self.one(stage, env, at)? {
                        Some(next) => at = next,
                        None => return Ok(None),
                    }
                }
                Ok(Some(at))
            }
            Op::Alt(..) | Op::If(..) | Op::Try(..) | Op::And(..) | Op::Or(..) => {
                self.one_choice(code, env, at)
            }
            Op::Math(..) | Op::Compare(..) | Op::Neg(_) | Op::Native(..) => {
                self.one_computed(code, env, &at)
            }
            Op::Bind(source, _, body) => {
                let Some(value) = self.one(source, env, at.value())? else {
                    return Ok(None);
                };
                let binding = Binding {
                    what: Bind::Var(value.val),
                    outer: env,
                };
                self.one(
                    body,
                    Env {
                        bound: Some(&binding),
                    },
                    at,
                )
            }
            Op::Object(entries) => self.one_object(entries, env, &at),
            Op::Text(format, pieces) => self.one_text(*format, pieces, env, &at),
            Op::List(inner) => self.list(inner.as_deref(), env, &at).map(Some),
            Op::Format(format) => {
                let text = formatted(*format, &at.val, self.meter)?;
                Ok(Some(at.computed(text)))
            }
            // the rest has one output at most, but gains nothing without a stream
            Op::Id
            | Op::Const(_)
            | Op::Global(_)
            | Op::Lookup(_)
            | Op::Var(_)
            | Op::Arg(_)
            | Op::Comma(_)
            | Op::Assign(..)
            | Op::Update(..)
            | Op::UpdateMath(..)
            | Op::UpdateAlt(..)
            | Op::Label(_)
            | Op::Break(_)
            | Op::Reduce(_)
            | Op::Foreach(_)
            | Op::Slice(..)
            | Op::Each(..)
            | Op::Call(..)
            | Op::Special(..) => {
                let mut found = None;
                self.stream(code, env, at, &mut |at| {
                    found = Some(at);
                    Ok(())
                })?;
                Ok(found)
            }
        }
    }

    pub(super) fn one_index(
        &self,
        base: &'a Code,
        key: &'a Code,
        optional: bool,
        env: Env<'_, 'a>,
        at: At<'a>,
    ) -> Maybe<'a> {
        let key = match &key.op {
            Op::Const(value) => Val::of(value),
            _ => match self.one(key, env, at.value())? {
                Some(key) => key.val,
                None => return Ok(None),
            },
        };
        // the costly fields of `$event` are built only if they are needed
        if let (Op::Global(Global::Event), Val::Text(field), Path::Off) = (&base.op, &key, &at.path)
        {
            self.meter.steps(field.as_str().len() / HASHED)?;
            if let Some(value) = self.scope.event_field(field.as_str()) {
                return Ok(Some(at.computed(Val::taken(value, self.meter)?)));
            }
        }
        let Some(base) = self.one(base, env, at)? else {
            return Ok(None);
        };
        index(&base, &key, optional, self.meter)
    }

    pub(super) fn one_choice(&self, code: &'a Code, env: Env<'_, 'a>, at: At<'a>) -> Maybe<'a> {
        let truth = |at: &At<'a>, yes: bool| Ok(Some(at.computed(Val::Bool(yes))));
        match &code.op {
            Op::Alt(left, right) => match self.one(left, env, at.clone())? {
                Some(found) if found.val.holds() => Ok(Some(found)),
                _ => self.one(right, env, at),
            },
            Op::Try(body, catch) => match (self.one(body, env, at.clone()), catch) {
                (Err(Stop::Error(_)), None) => Ok(None),
                (Err(Stop::Error(value)), Some(catch)) => self.one(catch, env, at.computed(value)),
                (result, _) => result,
            },
            Op::And(left, right) => match self.one(left, env, at.value())? {
                None => Ok(None),
                Some(left) if !left.val.holds() => truth(&at, false),
                Some(_) => match self.one(right, env, at.value())? {
                    None => Ok(None),
                    Some(right) => truth(&at, right.val.holds()),
                },
            },
            Op::Or(left, right) => match self.one(left, env, at.value())? {
                None => Ok(None),
                Some(left) if left.val.holds() => truth(&at, true),
                Some(_) => match self.one(right, env, at.value())? {
                    None => Ok(None),
                    Some(right) => truth(&at, right.val.holds()),
                },
            },
            Op::If(cases, other) => {
                for (condition, then) in cases {
                    match self.one(condition, env, at.value())? {
                        None => return Ok(None),
                        Some(value) if value.val.holds() => return self.one(then, env, at),
                        Some(_) => {}
                    }
                }
                match other {
                    Some(other) => self.one(other, env, at),
                    None => Ok(Some(at)),
                }
            }
            _ => Ok(None),
        }
    }

    /// Right before left, as in jq: an empty right side hides an error of the left.
    pub(super) fn one_computed(&self, code: &'a Code, env: Env<'_, 'a>, at: &At<'a>) -> Maybe<'a> {
        let both =
            |left: &'a Code, right: &'a Code| -> Result<Option<(Val<'a>, Val<'a>)>, Stop<'a>> {
                let Some(right) = self.one(right, env, at.value())? else {
                    return Ok(None);
                };
                let Some(left) = self.one(left, env, at.value())? else {
                    return Ok(None);
                };
                Ok(Some((left.val, right.val)))
            };
        let value = match &code.op {
            Op::Math(of, left, right) => match both(left, right)? {
                Some((left, right)) => math(*of, left, right, self.meter)?,
                None => return Ok(None),
            },
            Op::Compare(of, left, right) => match both(left, right)? {
                Some((left, right)) => self.compared(*of, &left, &right)?,
                None => return Ok(None),
            },
            Op::Neg(inner) => match self.one(inner, env, at.value())? {
                Some(inner) => negate(&inner.val, self.meter)?,
                None => return Ok(None),
            },
            Op::Native(native, args) => {
                let mut values = [const { Val::Null }; 3];
                for (place, arg) in values.iter_mut().zip(args).rev() {
                    match self.one(arg, env, at.value())? {
                        Some(value) => *place = value.val,
                        None => return Ok(None),
                    }
                }
                native(&self.tools, at.val.clone(), values)?
            }
            _ => return Ok(None),
        };
        Ok(Some(at.computed(value)))
    }

    pub(super) fn compared(&self, of: Compare, left: &Val<'a>, right: &Val<'a>) -> Res<'a> {
        let order = || ordered(left, right, self.meter);
        Ok(Val::Bool(match of {
            Compare::Eq => equal(left, right, self.meter)?,
            Compare::Ne => !equal(left, right, self.meter)?,
            Compare::Lt => order()?.is_lt(),
            Compare::Le => order()?.is_le(),
            Compare::Gt => order()?.is_gt(),
            Compare::Ge => order()?.is_ge(),
        }))
    }

    pub(super) fn one_object(
        &self,
        entries: &'a [(Code, Code)],
        env: Env<'_, 'a>,
        at: &At<'a>,
    ) -> Maybe<'a> {
        self.meter.build(OBJECT)?;
        let mut fields = Fields::new();
        for (key, value) in entries {
            let key = match &key.op {
                Op::Const(Value::String(key)) => Text::Ref(key),
                _ => match self.one(key, env, at.value())? {
                    Some(key) => object_key(key.val)?,
                    None => return Ok(None),
                },
            };
            let Some(value) = self.one(value, env, at.value())? else {
                return Ok(None);
            };
            fields.insert(key, value.val, self.meter)?;
        }
        Ok(Some(at.computed(fields.done())))
    }

    /// The last piece first, as in jq.
    pub(super) fn one_text(
        &self,
        as_format: Option<Format>,
        pieces: &'a [Piece],
        env: Env<'_, 'a>,
        at: &At<'a>,
    ) -> Maybe<'a> {
        let mut values = Vec::new();
        for piece in pieces.iter().rev() {
            if let Piece::Code(code) = piece {
                match self.one(code, env, at.value())? {
                    Some(value) => values.push(value.val),
                    None => return Ok(None),
                }
            }
        }
        let text = self.interpolated(as_format, pieces, values)?;
        Ok(Some(at.computed(text)))
    }

    /// The text of these pieces. `values` has the computed ones, the last one first.
    pub(super) fn interpolated(
        &self,
        as_format: Option<Format>,
        pieces: &'a [Piece],
        mut values: Vec<Val<'a>>,
    ) -> Res<'a> {
        let mut sink = Sink::new(self.meter)?;
        for piece in pieces {
            match piece {
                Piece::Text(text) => sink.push(text)?,
                Piece::Code(_) => {
                    let value = values.pop().unwrap_or(Val::Null);
                    format(as_format.unwrap_or(Format::Text), &value, &mut sink)?;
                }
            }
        }
        Ok(sink.done())
    }

    /// `[…]`
    pub(super) fn list(
        &self,
        inner: Option<&'a Code>,
        env: Env<'_, 'a>,
        at: &At<'a>,
    ) -> Result<At<'a>, Stop<'a>> {
        self.meter.build(LIST)?;
        let mut items = Items::new();
        if let Some(inner) = inner {
            self.each(inner, env, at.value(), &mut |output| {
                Ok(items.push(output.val, self.meter)?)
            })?;
        }
        Ok(at.computed(items.done()))
    }
}
