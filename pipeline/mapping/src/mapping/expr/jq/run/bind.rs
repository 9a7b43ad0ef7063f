//! What binds variables and arguments, and what updates parts of a value.

#![expect(
    clippy::needless_pass_by_value,
    reason = "a value and its path travel together"
)]

use super::super::compile::code::{Bound, Code, Def, Fold};
use super::super::data::path::{delete, get, get_path, update_path};
use super::super::data::stop::{Flow, Res, Stop};
use super::super::data::value::{ITEM, LIST, Val};
use super::super::native::filter::Plain;
use super::{At, Bind, Binding, Env, Out, Run, bound_all};

impl<'a> Run<'a> {
    /// The input with each part at these paths replaced by the result of `f`, or removed if `f` has no result.
    pub(super) fn updated(
        &self,
        paths: &'a Code,
        env: Env<'_, 'a>,
        at: &At<'a>,
        f: &mut dyn FnMut(Val<'a>) -> Result<Option<Val<'a>>, Stop<'a>>,
    ) -> Res<'a> {
        let mut root = at.val.clone();
        let mut gone: Vec<Vec<Val<'a>>> = Vec::new();
        self.each(paths, env, at.begin(), &mut |part| {
            let keys = part.keys()?;
            // dropped, so that the part can be changed in place
            drop(part);
            // a part that does not exist is created only if `f` has a result
            if matches!(get_path(&root, &keys, self.meter)?, Val::Null) {
                match f(Val::Null)? {
                    Some(new) => {
                        let old = std::mem::replace(&mut root, Val::Null);
                        root = update_path(old, &keys, self.meter, &mut |_| Ok(new.clone()))?;
                    }
                    None => {
                        self.meter.build(LIST + ITEM * keys.len())?;
                        gone.push(keys);
                    }
                }
                return Ok(());
            }
            let old = std::mem::replace(&mut root, Val::Null);
            let mut removed = false;
            root = update_path(old, &keys, self.meter, &mut |old| {
                let new = f(old)?;
                removed = new.is_none();
                Ok(new.unwrap_or(Val::Null))
            })?;
            if removed {
                self.meter.build(LIST + ITEM * keys.len())?;
                gone.push(keys);
            }
            Ok(())
        })?;
        delete(root, gone, self.meter)
    }

    /// Calls `f` with the variables of a pattern bound.
    pub(super) fn bind(
        &self,
        bound: &'a Bound,
        value: &Val<'a>,
        env: Env<'_, 'a>,
        at: &At<'a>,
        f: &mut dyn FnMut(Env<'_, 'a>) -> Flow<'a>,
    ) -> Flow<'a> {
        let mut values = Vec::new();
        self.destructure(bound, value, env, at, &mut values)?;
        bound_all(&values, env, f)
    }

    pub(super) fn destructure(
        &self,
        bound: &'a Bound,
        value: &Val<'a>,
        env: Env<'_, 'a>,
        at: &At<'a>,
        values: &mut Vec<Val<'a>>,
    ) -> Flow<'a> {
        let _level = self.meter.descend()?;
        match bound {
            Bound::Var => values.push(value.clone()),
            Bound::List(items) => {
                for (place, item) in items.iter().enumerate() {
                    let part = get(value, &Val::count(place), self.meter)?;
                    self.destructure(item, &part, env, at, values)?;
                }
            }
            Bound::Object(entries) => {
                for (key, named, inner) in entries {
                    let key = self.only(key, env, at)?;
                    let part = get(value, &key, self.meter)?;
                    if *named {
                        values.push(part.clone());
                    }
                    if let Some(inner) = inner {
                        self.destructure(inner, &part, env, at, values)?;
                    }
                }
            }
        }
        Ok(())
    }

    pub(super) fn reduce(
        &self,
        fold: &'a Fold,
        env: Env<'_, 'a>,
        at: At<'a>,
        out: Out<'_, 'a>,
    ) -> Flow<'a> {
        self.each(&fold.init, env, at.clone(), &mut |init| {
            let mut state = Some(init);
            self.each(&fold.source, env, at.value(), &mut |item| {
                self.bind(&fold.pattern, &item.val, env, &at, &mut |env| {
                    let before = state.take();
                    let before = before.unwrap_or_else(|| at.computed(Val::Null));
                    if fold.update.one {
                        state = self.one(&fold.update, env, before)?;
                        return Ok(());
                    }
                    self.each(&fold.update, env, before, &mut |next| {
                        state = Some(next);
                        Ok(())
                    })
                })
            })?;
            match state.take() {
                Some(state) => out(state),
                None => out(at.computed(Val::Null)),
            }
        })
    }

    pub(super) fn foreach(
        &self,
        fold: &'a Fold,
        env: Env<'_, 'a>,
        at: At<'a>,
        out: Out<'_, 'a>,
    ) -> Flow<'a> {
        self.each(&fold.init, env, at.clone(), &mut |init| {
            let mut state = init;
            self.each(&fold.source, env, at.value(), &mut |item| {
                self.bind(&fold.pattern, &item.val, env, &at, &mut |env| {
                    let before = std::mem::replace(&mut state, at.computed(Val::Null));
                    let kept = before.clone();
                    let mut any = false;
                    self.each(&fold.update, env, before, &mut |next| {
                        any = true;
                        state = next.clone();
                        match &fold.extract {
                            None => out(next),
                            Some(extract) => self.each(extract, env, next, out),
                        }
                    })?;
                    if !any {
                        state = kept;
                    }
                    Ok(())
                })
            })
        })
    }

    /// Binds the arguments from `place` on: first each as a term, then those that are values; then evaluates the body.
    #[expect(
        clippy::too_many_arguments,
        reason = "one loop in the form of a recursion"
    )]
    pub(super) fn call(
        &self,
        def: &'a Def,
        env: Env<'_, 'a>,
        args: &'a [Code],
        place: usize,
        outer: Env<'_, 'a>,
        at: &At<'a>,
        out: Out<'_, 'a>,
    ) -> Flow<'a> {
        let _level = self.meter.descend()?;
        if let Some(arg) = args.get(place) {
            let binding = Binding {
                what: Bind::Arg(arg, outer),
                outer: env,
            };
            return self.call(
                def,
                Env {
                    bound: Some(&binding),
                },
                args,
                place + 1,
                outer,
                at,
                out,
            );
        }
        let values = || def.values.iter().zip(args).filter(|(value, _)| **value);
        match values().nth(place - args.len()) {
            Some((_, arg)) => self.each(arg, outer, at.value(), &mut |value| {
                let binding = Binding {
                    what: Bind::Var(value.val),
                    outer: env,
                };
                self.call(
                    def,
                    Env {
                        bound: Some(&binding),
                    },
                    args,
                    place + 1,
                    outer,
                    at,
                    out,
                )
            }),
            None => self.each(&def.body, env, at.clone(), out),
        }
    }

    /// Evaluates the arguments before `before`, the last one first; then calls the filter.
    #[expect(
        clippy::too_many_arguments,
        reason = "one loop in the form of a recursion"
    )]
    pub(super) fn native(
        &self,
        native: Plain,
        args: &'a [Code],
        before: usize,
        values: &mut [Val<'a>; 3],
        env: Env<'_, 'a>,
        at: &At<'a>,
        out: Out<'_, 'a>,
    ) -> Flow<'a> {
        let Some(place) = before.checked_sub(1) else {
            return out(at.computed(native(&self.tools, at.val.clone(), values.clone())?));
        };
        let Some(arg) = args.get(place) else {
            return Ok(());
        };
        self.each(arg, env, at.value(), &mut |value| {
            if let Some(there) = values.get_mut(place) {
                *there = value.val;
            }
            self.native(native, args, place, values, env, at, out)
        })
    }

    /// Every combination of the values of these arguments; the first argument is the outer loop.
    pub(super) fn values(
        &self,
        args: &'a [Code],
        found: &mut Vec<Val<'a>>,
        env: Env<'_, 'a>,
        at: &At<'a>,
        f: &mut dyn FnMut(&[Val<'a>]) -> Flow<'a>,
    ) -> Flow<'a> {
        let Some((arg, rest)) = args.split_first() else {
            return f(found);
        };
        self.each(arg, env, at.value(), &mut |value| {
            found.push(value.val);
            let flow = self.values(rest, found, env, at, f);
            found.pop();
            flow
        })
    }
}
