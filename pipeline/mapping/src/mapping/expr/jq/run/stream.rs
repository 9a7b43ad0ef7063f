//! Terms with any number of outputs.

#![expect(
    clippy::needless_pass_by_value,
    reason = "a value and its path travel together"
)]

use super::super::compile::code::{Code, Op, Piece};
use super::super::data::format::{Format, formatted};
use super::super::data::math::{math, negate};
use super::super::data::path::{slice, update_path};
use super::super::data::stop::{Flow, Stop, error, shown};
use super::super::data::value::{FIELD, Fields, OBJECT, Val};
use super::{At, Bind, Binding, Env, Out, Path, Run, index, object_key, var};

impl<'a> Run<'a> {
    pub(super) fn stream(
        &self,
        code: &'a Code,
        env: Env<'_, 'a>,
        at: At<'a>,
        out: Out<'_, 'a>,
    ) -> Flow<'a> {
        match &code.op {
            Op::Id => out(at),
            Op::Const(value) => out(at.computed(Val::of(value))),
            Op::Global(global) => out(at.computed(self.global(*global)?)),
            Op::Lookup(table) => out(at.computed(self.looked_up(table, &at.val)?)),
            Op::Var(up) => out(at.computed(var(env, *up))),
            Op::Arg(up) => match env.up(*up).map(|binding| &binding.what) {
                Some(Bind::Arg(code, env)) => self.each(code, *env, at, out),
                Some(Bind::Var(_) | Bind::Label(_)) | None => Err(error("no such argument")),
            },
            Op::Pipe(stages) => self.pipe(stages, env, at, out),
            Op::Comma(terms) => {
                for term in terms {
                    self.each(term, env, at.clone(), out)?;
                }
                Ok(())
            }
            Op::List(inner) => out(self.list(inner.as_deref(), env, &at)?),
            Op::Format(format) => {
                let text = formatted(*format, &at.val, self.meter)?;
                out(at.computed(text))
            }
            Op::Text(format, pieces) => self.text(
                *format,
                pieces,
                pieces.len(),
                &mut Vec::new(),
                env,
                &at,
                out,
            ),
            Op::Object(entries) => self.object(entries, Fields::new(), env, &at, out),
            Op::Neg(inner) => self.each(inner, env, at.value(), &mut |inner| {
                out(at.computed(negate(&inner.val, self.meter)?))
            }),
            Op::Math(of, left, right) => self.both(left, right, env, &at, &mut |left, right| {
                out(at.computed(math(*of, left, right, self.meter)?))
            }),
            Op::Compare(of, left, right) => self.both(left, right, env, &at, &mut |left, right| {
                out(at.computed(self.compared(*of, &left, &right)?))
            }),
            Op::Alt(left, right) => self.alternative(left, right, env, at, out),
            Op::And(left, right) => self.each(left, env, at.value(), &mut |left| {
                if !left.val.holds() {
                    return out(at.computed(Val::Bool(false)));
                }
                self.each(right, env, at.value(), &mut |right| {
                    out(at.computed(Val::Bool(right.val.holds())))
                })
            }),
            Op::Or(left, right) => self.each(left, env, at.value(), &mut |left| {
                if left.val.holds() {
                    return out(at.computed(Val::Bool(true)));
                }
                self.each(right, env, at.value(), &mut |right| {
                    out(at.computed(Val::Bool(right.val.holds())))
                })
            }),
            Op::If(cases, other) => self.condition(cases, other.as_deref(), env, at, out),
            Op::Try(body, catch) => self.attempt(body, catch.as_deref(), env, at, out),
            Op::Bind(source, bound, body) => self.each(source, env, at.value(), &mut |value| {
                self.bind(bound, &value.val, env, &at, &mut |env| {
                    self.each(body, env, at.clone(), out)
                })
            }),
            Op::Label(body) => {
                let label = self.labels.get();
                self.labels.set(label + 1);
                let binding = Binding {
                    what: Bind::Label(label),
                    outer: env,
                };
                let env = Env {
                    bound: Some(&binding),
                };
                match self.each(body, env, at, out) {
                    Err(Stop::Break(to)) if to == label => Ok(()),
                    flow => flow,
                }
            }
            Op::Break(up) => match env.up(*up).map(|binding| &binding.what) {
                Some(Bind::Label(label)) => Err(Stop::Break(*label)),
                Some(Bind::Var(_) | Bind::Arg(..)) | None => Err(error("no such label")),
            },
            Op::Reduce(fold) => self.reduce(fold, env, at, out),
            Op::Foreach(fold) => self.foreach(fold, env, at, out),
            Op::Index(base, key, optional) => self.each(key, env, at.value(), &mut |key| {
                self.each(base, env, at.clone(), &mut |base| match index(
                    &base, &key.val, *optional, self.meter,
                )? {
                    Some(part) => out(part),
                    None => Ok(()),
                })
            }),
            Op::Slice(base, from, to, optional) => {
                self.bound_of(to.as_deref(), env, &at, &mut |to| {
                    self.bound_of(from.as_deref(), env, &at, &mut |from| {
                        self.each(base, env, at.clone(), &mut |base| match self
                            .slice_of(&base, &from, &to)
                        {
                            Ok(part) => out(part),
                            Err(Stop::Error(_)) if *optional => Ok(()),
                            Err(stop) => Err(stop),
                        })
                    })
                })
            }
            Op::Each(base, optional) => {
                self.each(base, env, at, &mut |base| self.parts(&base, *optional, out))
            }
            Op::Assign(paths, value) => self.each(value, env, at.value(), &mut |value| {
                let mut root = at.val.clone();
                self.each(paths, env, at.begin(), &mut |part| {
                    let keys = part.keys()?;
                    let old = std::mem::replace(&mut root, Val::Null);
                    root = update_path(old, &keys, self.meter, &mut |_| Ok(value.val.clone()))?;
                    Ok(())
                })?;
                out(at.computed(root))
            }),
            Op::Update(paths, update) => {
                let root = self.updated(paths, env, &at, &mut |old| {
                    let mut new = None;
                    // the first output counts
                    let label = self.labels.get();
                    self.labels.set(label + 1);
                    let flow = self.each(update, env, At::plain(old), &mut |output| {
                        new = Some(output.val);
                        Err(Stop::Break(label))
                    });
                    match flow {
                        Err(Stop::Break(to)) if to == label => Ok(new.take()),
                        Ok(()) => Ok(None),
                        Err(stop) => Err(stop),
                    }
                })?;
                out(at.computed(root))
            }
            Op::UpdateMath(of, paths, value) => self.each(value, env, at.value(), &mut |value| {
                let root = self.updated(paths, env, &at, &mut |old| {
                    math(*of, old, value.val.clone(), self.meter).map(Some)
                })?;
                out(at.computed(root))
            }),
            Op::UpdateAlt(paths, value) => self.each(value, env, at.value(), &mut |value| {
                let root = self.updated(paths, env, &at, &mut |old| {
                    Ok(Some(if old.holds() { old } else { value.val.clone() }))
                })?;
                out(at.computed(root))
            }),
            Op::Call(def, up, args) => match self.defs.get(*def) {
                Some(def) => self.call(def, env.beyond(*up), args, 0, env, &at, out),
                None => Err(error("no such definition")),
            },
            Op::Native(native, args) => {
                let mut values = [const { Val::Null }; 3];
                self.native(*native, args, args.len(), &mut values, env, &at, out)
            }
            Op::Special(special, args) => self.special(*special, args, env, at, out),
        }
    }

    pub(super) fn pipe(
        &self,
        stages: &'a [Code],
        env: Env<'_, 'a>,
        at: At<'a>,
        out: Out<'_, 'a>,
    ) -> Flow<'a> {
        let mut at = at;
        let mut stages = stages;
        while let Some((stage, rest)) = stages.split_first() {
            if rest.is_empty() {
                return self.each(stage, env, at, out);
            }
            if !stage.one {
                return self.each(stage, env, at, &mut |next| self.pipe(rest, env, next, out));
            }
            match self.one(stage, env, at)? {
                Some(next) => at = next,
                None => return Ok(()),
            }
            stages = rest;
        }
        out(at)
    }

    /// Every pair of outputs; the right side is the outer loop.
    pub(super) fn both(
        &self,
        left: &'a Code,
        right: &'a Code,
        env: Env<'_, 'a>,
        at: &At<'a>,
        f: &mut dyn FnMut(Val<'a>, Val<'a>) -> Flow<'a>,
    ) -> Flow<'a> {
        self.each(right, env, at.value(), &mut |right| {
            self.each(left, env, at.value(), &mut |left| {
                f(left.val, right.val.clone())
            })
        })
    }

    pub(super) fn alternative(
        &self,
        left: &'a Code,
        right: &'a Code,
        env: Env<'_, 'a>,
        at: At<'a>,
        out: Out<'_, 'a>,
    ) -> Flow<'a> {
        let mut found = false;
        self.each(left, env, at.clone(), &mut |value| {
            if !value.val.holds() {
                return Ok(());
            }
            found = true;
            out(value)
        })?;
        if found {
            return Ok(());
        }
        self.each(right, env, at, out)
    }

    pub(super) fn condition(
        &self,
        cases: &'a [(Code, Code)],
        other: Option<&'a Code>,
        env: Env<'_, 'a>,
        at: At<'a>,
        out: Out<'_, 'a>,
    ) -> Flow<'a> {
        let Some(((condition, then), rest)) = cases.split_first() else {
            return match other {
                Some(other) => self.each(other, env, at, out),
                None => out(at),
            };
        };
        self.each(condition, env, at.value(), &mut |value| {
            if value.val.holds() {
                self.each(then, env, at.clone(), out)
            } else {
                self.condition(rest, other, env, at.clone(), out)
            }
        })
    }

    /// Errors of the body are caught; errors of what comes after it are not.
    pub(super) fn attempt(
        &self,
        body: &'a Code,
        catch: Option<&'a Code>,
        env: Env<'_, 'a>,
        at: At<'a>,
        out: Out<'_, 'a>,
    ) -> Flow<'a> {
        let mut behind = false;
        let flow = self.each(body, env, at.clone(), &mut |value| {
            let flow = out(value);
            behind = flow.is_err();
            flow
        });
        match (flow, catch) {
            (Err(Stop::Error(value)), Some(catch)) if !behind => {
                self.each(catch, env, at.computed(value), out)
            }
            (Err(Stop::Error(_)), None) if !behind => Ok(()),
            (flow, _) => flow,
        }
    }

    /// Evaluates the pieces before `before`, the last one first; then gives the text.
    #[expect(
        clippy::too_many_arguments,
        reason = "one loop in the form of a recursion"
    )]
    pub(super) fn text(
        &self,
        as_format: Option<Format>,
        pieces: &'a [Piece],
        before: usize,
        values: &mut Vec<Val<'a>>,
        env: Env<'_, 'a>,
        at: &At<'a>,
        out: Out<'_, 'a>,
    ) -> Flow<'a> {
        let computed = |piece: &Piece| matches!(piece, Piece::Code(_));
        let place = pieces
            .get(..before)
            .and_then(|pieces| pieces.iter().rposition(computed));
        let Some(place) = place else {
            let text = self.interpolated(as_format, pieces, values.clone())?;
            return out(at.computed(text));
        };
        let Some(Piece::Code(code)) = pieces.get(place) else {
            return Ok(());
        };
        self.each(code, env, at.value(), &mut |value| {
            values.push(value.val);
            let flow = self.text(as_format, pieces, place, values, env, at, out);
            values.pop();
            flow
        })
    }

    pub(super) fn object(
        &self,
        entries: &'a [(Code, Code)],
        fields: Fields<'a>,
        env: Env<'_, 'a>,
        at: &At<'a>,
        out: Out<'_, 'a>,
    ) -> Flow<'a> {
        let Some(((key, value), rest)) = entries.split_first() else {
            self.meter.build(OBJECT)?;
            return out(at.computed(fields.done()));
        };
        self.each(key, env, at.value(), &mut |key| {
            let key = object_key(key.val)?;
            self.each(value, env, at.value(), &mut |value| {
                self.meter.build(OBJECT + FIELD * fields.fields.len())?;
                let mut fields = fields.clone();
                fields.insert(key.clone(), value.val, self.meter)?;
                self.object(rest, fields, env, at, out)
            })
        })
    }

    pub(super) fn bound_of(
        &self,
        code: Option<&'a Code>,
        env: Env<'_, 'a>,
        at: &At<'a>,
        f: &mut dyn FnMut(Val<'a>) -> Flow<'a>,
    ) -> Flow<'a> {
        match code {
            None => f(Val::Null),
            Some(code) => self.each(code, env, at.value(), &mut |bound| f(bound.val)),
        }
    }

    pub(super) fn slice_of(
        &self,
        base: &At<'a>,
        from: &Val<'a>,
        to: &Val<'a>,
    ) -> Result<At<'a>, Stop<'a>> {
        let part = slice(&base.val, from, to, self.meter)?;
        if matches!(base.path, Path::Off) {
            return Ok(At::plain(part));
        }
        let bounds = vec![("start", from.clone()), ("end", to.clone())];
        base.part(&Val::object(bounds, self.meter)?, part)
    }

    /// `.[]`
    pub(super) fn parts(&self, base: &At<'a>, optional: bool, out: Out<'_, 'a>) -> Flow<'a> {
        match &base.val {
            Val::List(list) => {
                for (place, item) in list.iter().enumerate() {
                    self.meter.steps(1)?;
                    out(base.part(&Val::count(place), item)?)?;
                }
                Ok(())
            }
            Val::Object(object) => {
                for (key, value) in object.iter() {
                    self.meter.steps(1)?;
                    out(base.part(&Val::Text(key), value)?)?;
                }
                Ok(())
            }
            _ if optional => Ok(()),
            value => Err(error(format!(
                "Cannot iterate over {}{}",
                value.kind(),
                match value {
                    Val::Null => String::new(),
                    value => format!(" ({})", shown(value)),
                }
            ))),
        }
    }
}
