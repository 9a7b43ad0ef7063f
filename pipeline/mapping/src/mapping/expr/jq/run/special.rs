//! Filters that take terms rather than values, or that have more than one output.

use super::super::compile::code::{Code, Special};
use super::super::data::math::{add, as_place};
use super::super::data::order::ordered;
use super::super::data::path::get_path;
use super::super::data::stop::{Flow, Stop, error, shown};
use super::super::data::text::Sink;
use super::super::data::value::{Fields, Items, LIST, OBJECT, Val};
use super::{At, Env, Out, Path, Run};

impl<'a> Run<'a> {
    pub(super) fn special(
        &self,
        special: Special,
        args: &'a [Code],
        env: Env<'_, 'a>,
        at: At<'a>,
        out: Out<'_, 'a>,
    ) -> Flow<'a> {
        match (special, args) {
            (Special::Empty, _) => Ok(()),
            (Special::Error, _) => Err(Stop::Error(at.val)),
            (Special::Path, [of]) => self.each(of, env, at.begin(), &mut |part| {
                let path = Val::list(part.keys()?, self.meter)?;
                out(at.computed(path))
            }),
            (Special::GetPath, [path]) => self.each(path, env, at.value(), &mut |path| {
                self.get_path(&at, &path.val, out)
            }),
            (Special::RecurseAll, _) => self.recurse_all(&at, out),
            (Special::Recurse, [step]) => self.recurse(step, env, at, out),
            (Special::Range, [from, to, by]) => self.each(from, env, at.value(), &mut |from| {
                self.each(to, env, at.value(), &mut |to| {
                    self.each(by, env, at.value(), &mut |by| {
                        self.range(&from.val, &to.val, &by.val, &at, out)
                    })
                })
            }),
            (Special::While, [holds, next]) => self.each_while(holds, next, env, at, out),
            (Special::Until, [done, next]) => self.each_until(done, next, env, at, out),
            (Special::Repeat, [of]) => self.repeat(of, env, &at, out),
            (Special::Limit, [number, of]) => self.each(number, env, at.value(), &mut |number| {
                let number = whole_number(&number.val)?;
                // as in jq, a negative number means all of them
                let to = if number < 0 { i64::MAX } else { number };
                self.window(of, 0, to, env, at.clone(), out)
            }),
            (Special::Skip, [number, of]) => self.each(number, env, at.value(), &mut |number| {
                let number = whole_number(&number.val)?;
                self.window(of, number, i64::MAX, env, at.clone(), out)
            }),
            (Special::Nth, [number, of]) => self.each(number, env, at.value(), &mut |number| {
                let number = whole_number(&number.val)?;
                if number < 0 {
                    return Err(error("nth doesn't support negative indices"));
                }
                self.window(of, number, number.saturating_add(1), env, at.clone(), out)
            }),
            (Special::Walk, [f]) => {
                self.walk(f, env, &at.val, &mut |value| out(at.computed(value)))
            }
            (Special::Combinations, _) => self.combinations(&at, out),
            (Special::ToStream, _) => self.to_stream(&at.val, &mut Vec::new(), &mut |event| {
                out(at.computed(event))
            }),
            (Special::Match, args) => self.values(args, &mut Vec::new(), env, &at, &mut |values| {
                let [pattern, flags] = values else {
                    return Ok(());
                };
                self.tools
                    .regexes
                    .matches(&at.val, pattern, flags, false, &mut |found| {
                        out(at.computed(found.describe(self.meter)?))
                    })
            }),
            (Special::Scan, args) => self.values(args, &mut Vec::new(), env, &at, &mut |values| {
                let [pattern, flags] = values else {
                    return Ok(());
                };
                self.tools
                    .regexes
                    .matches(&at.val, pattern, flags, true, &mut |found| {
                        out(at.computed(found.scanned(self.meter)?))
                    })
            }),
            (Special::Splits, args) => {
                self.values(args, &mut Vec::new(), env, &at, &mut |values| {
                    let [pattern, flags] = values else {
                        return Ok(());
                    };
                    let text = text_of(&at.val)?;
                    let mut copied = 0;
                    self.tools
                        .regexes
                        .matches(&at.val, pattern, flags, true, &mut |found| {
                            let part = text.get(copied..found.start()).unwrap_or_default();
                            copied = found.end();
                            out(at.computed(Val::copied(part, self.meter)?))
                        })?;
                    let rest = text.get(copied..).unwrap_or_default();
                    out(at.computed(Val::copied(rest, self.meter)?))
                })
            }
            (Special::Sub, [pattern, by, flags]) => {
                self.substitute(pattern, by, flags, false, env, &at, out)
            }
            (Special::Gsub, [pattern, by, flags]) => {
                self.substitute(pattern, by, flags, true, env, &at, out)
            }
            _ => Err(error("a filter with a wrong number of arguments")),
        }
    }

    /// `getpath`. It can itself be part of a path.
    fn get_path(&self, at: &At<'a>, path: &Val<'a>, out: Out<'_, 'a>) -> Flow<'a> {
        let Val::List(path) = path else {
            return Err(error("Path must be specified as an array"));
        };
        self.meter.steps(path.len())?;
        let keys: Vec<Val<'a>> = path.iter().collect();
        let value = get_path(&at.val, &keys, self.meter)?;
        let mut part = At {
            val: value.clone(),
            path: at.path.clone(),
        };
        if !matches!(at.path, Path::Off) {
            for key in &keys {
                part = part.part(key, value.clone())?;
            }
        }
        out(part)
    }

    /// `..`: the value and all of its parts.
    fn recurse_all(&self, at: &At<'a>, out: Out<'_, 'a>) -> Flow<'a> {
        let _level = self.meter.descend()?;
        out(at.clone())?;
        self.parts(at, true, &mut |part| self.recurse_all(&part, out))
    }

    fn recurse(&self, step: &'a Code, env: Env<'_, 'a>, at: At<'a>, out: Out<'_, 'a>) -> Flow<'a> {
        let _level = self.meter.descend()?;
        out(at.clone())?;
        self.each(step, env, at, &mut |part| {
            self.recurse(step, env, part, out)
        })
    }

    fn range(
        &self,
        from: &Val<'a>,
        to: &Val<'a>,
        by: &Val<'a>,
        at: &At<'a>,
        out: Out<'_, 'a>,
    ) -> Flow<'a> {
        let number = |value: &Val<'_>| value.as_f64().is_some();
        if !number(from) || !number(to) || !number(by) {
            return Err(error("Range bounds must be numeric"));
        }
        let zero = Val::Int(0);
        let direction = ordered(by, &zero, self.meter)?;
        let mut value = from.clone();
        while direction.is_ne() && ordered(&value, to, self.meter)? == direction.reverse() {
            self.meter.steps(1)?;
            out(at.computed(value.clone()))?;
            value = add(value, by.clone(), self.meter)?;
        }
        Ok(())
    }

    fn each_while(
        &self,
        holds: &'a Code,
        next: &'a Code,
        env: Env<'_, 'a>,
        at: At<'a>,
        out: Out<'_, 'a>,
    ) -> Flow<'a> {
        // a loop where each state leads to one other; a recursion where it can lead to several
        let mut at = at;
        loop {
            self.meter.steps(1)?;
            if !(holds.one && next.one) {
                return self.each(holds, env, at.value(), &mut |yes| {
                    if !yes.val.holds() {
                        return Ok(());
                    }
                    out(at.clone())?;
                    self.each(next, env, at.clone(), &mut |next_at| {
                        self.each_while(holds, next, env, next_at, out)
                    })
                });
            }
            match self.one(holds, env, at.value())? {
                Some(yes) if yes.val.holds() => {}
                Some(_) | None => return Ok(()),
            }
            out(at.clone())?;
            match self.one(next, env, at)? {
                Some(next) => at = next,
                None => return Ok(()),
            }
        }
    }

    fn each_until(
        &self,
        done: &'a Code,
        next: &'a Code,
        env: Env<'_, 'a>,
        at: At<'a>,
        out: Out<'_, 'a>,
    ) -> Flow<'a> {
        let mut at = at;
        loop {
            self.meter.steps(1)?;
            if !(done.one && next.one) {
                return self.each(done, env, at.value(), &mut |yes| {
                    if yes.val.holds() {
                        return out(at.clone());
                    }
                    self.each(next, env, at.clone(), &mut |next_at| {
                        self.each_until(done, next, env, next_at, out)
                    })
                });
            }
            match self.one(done, env, at.value())? {
                Some(yes) if yes.val.holds() => return out(at),
                Some(_) => {}
                None => return Ok(()),
            }
            match self.one(next, env, at)? {
                Some(next) => at = next,
                None => return Ok(()),
            }
        }
    }

    /// The outputs for the same input, again and again.
    fn repeat(&self, of: &'a Code, env: Env<'_, 'a>, at: &At<'a>, out: Out<'_, 'a>) -> Flow<'a> {
        loop {
            self.meter.steps(1)?;
            self.each(of, env, at.clone(), out)?;
        }
    }

    /// The outputs from one number up to another. Nothing is evaluated beyond the last.
    fn window(
        &self,
        of: &'a Code,
        from: i64,
        to: i64,
        env: Env<'_, 'a>,
        at: At<'a>,
        out: Out<'_, 'a>,
    ) -> Flow<'a> {
        if to <= from {
            return Ok(());
        }
        let label = self.labels.get();
        self.labels.set(label + 1);
        let mut number = 0;
        let flow = self.each(of, env, at, &mut |value| {
            number += 1;
            if number > from {
                out(value)?;
            }
            if number >= to {
                return Err(Stop::Break(label));
            }
            Ok(())
        });
        match flow {
            Err(Stop::Break(to)) if to == label => Ok(()),
            flow => flow,
        }
    }

    /// The parts first, then the whole.
    fn walk(
        &self,
        f: &'a Code,
        env: Env<'_, 'a>,
        value: &Val<'a>,
        out: &mut dyn FnMut(Val<'a>) -> Flow<'a>,
    ) -> Flow<'a> {
        let _level = self.meter.descend()?;
        self.meter.steps(1)?;
        let walked = match value {
            Val::List(list) => {
                self.meter.build(LIST)?;
                let mut items = Items::new();
                for item in list.iter() {
                    self.walk(f, env, &item, &mut |item| Ok(items.push(item, self.meter)?))?;
                }
                items.done()
            }
            Val::Object(object) => {
                self.meter.build(OBJECT)?;
                let mut fields = Fields::new();
                for (key, part) in object.iter() {
                    // the first output counts; if there is none, the field is removed
                    let mut first = None;
                    self.walk(f, env, &part, &mut |part| {
                        first.get_or_insert(part);
                        Ok(())
                    })?;
                    if let Some(part) = first {
                        fields.insert(key, part, self.meter)?;
                    }
                }
                fields.done()
            }
            value => value.clone(),
        };
        self.each(f, env, At::plain(walked), &mut |at| out(at.val))
    }

    /// One item of each list; the last list is the inner loop.
    fn combinations(&self, at: &At<'a>, out: Out<'_, 'a>) -> Flow<'a> {
        let Val::List(lists) = &at.val else {
            if at.val.is_nothing() {
                return out(at.computed(Val::list(Vec::new(), self.meter)?));
            }
            return Err(error(format!("Cannot iterate over {}", at.val.kind())));
        };
        self.combined(
            &lists.iter().collect::<Vec<_>>(),
            &mut Vec::new(),
            &mut |chosen| out(at.computed(Val::list(chosen.to_vec(), self.meter)?)),
        )
    }

    fn combined(
        &self,
        lists: &[Val<'a>],
        chosen: &mut Vec<Val<'a>>,
        out: &mut dyn FnMut(&[Val<'a>]) -> Flow<'a>,
    ) -> Flow<'a> {
        let _level = self.meter.descend()?;
        let Some((list, rest)) = lists.split_first() else {
            return out(chosen);
        };
        self.parts(&At::plain(list.clone()), false, &mut |item| {
            chosen.push(item.val);
            let flow = self.combined(rest, chosen, out);
            chosen.pop();
            flow
        })
    }

    /// The events of a value: each leaf with its path, and the end of each list and object.
    fn to_stream(
        &self,
        value: &Val<'a>,
        path: &mut Vec<Val<'a>>,
        out: &mut dyn FnMut(Val<'a>) -> Flow<'a>,
    ) -> Flow<'a> {
        let _level = self.meter.descend()?;
        let mut last = None;
        let at = At::plain(value.clone()).begin();
        self.parts(&at, true, &mut |part| {
            let keys = part.keys()?;
            let key = keys.into_iter().next().unwrap_or(Val::Null);
            last = Some(key.clone());
            path.push(key);
            let flow = self.to_stream(&part.val, path, out);
            path.pop();
            flow
        })?;
        match last {
            None => {
                let at = Val::list(path.clone(), self.meter)?;
                out(Val::list(vec![at, value.clone()], self.meter)?)?;
            }
            Some(key) => {
                let mut keys = path.clone();
                keys.push(key);
                let at = Val::list(keys, self.meter)?;
                out(Val::list(vec![at], self.meter)?)?;
            }
        }
        Ok(())
    }

    /// `sub`, `gsub`: one result for each output of `by`.
    #[expect(clippy::too_many_arguments, reason = "the parts of one call")]
    fn substitute(
        &self,
        pattern: &'a Code,
        by: &'a Code,
        flags: &'a Code,
        global: bool,
        env: Env<'_, 'a>,
        at: &At<'a>,
        out: Out<'_, 'a>,
    ) -> Flow<'a> {
        self.each(pattern, env, at.value(), &mut |pattern| {
            self.each(flags, env, at.value(), &mut |flags| {
                let text = text_of(&at.val)?;
                let mut results: Vec<Sink<'a>> = Vec::new();
                let mut copied = 0;
                let mut any = false;
                self.tools.regexes.matches(
                    &at.val,
                    &pattern.val,
                    &flags.val,
                    global,
                    &mut |found| {
                        any = true;
                        let gap = text.get(copied..found.start()).unwrap_or_default();
                        copied = found.end();
                        let captured = At::plain(found.captured(self.meter)?);
                        let mut number = 0;
                        self.each(by, env, captured, &mut |by| {
                            if results.len() == number {
                                results.push(Sink::new(self.meter)?);
                            }
                            let Some(by) = by.val.as_str() else {
                                return Err(error(format!(
                                    "{} ({}) cannot be added to a string",
                                    by.val.kind(),
                                    shown(&by.val)
                                )));
                            };
                            if let Some(result) = results.get_mut(number) {
                                result.push(gap)?;
                                result.push(by)?;
                            }
                            number += 1;
                            Ok(())
                        })
                    },
                )?;
                if !any || results.is_empty() {
                    return out(at.computed(at.val.clone()));
                }
                let rest = text.get(copied..).unwrap_or_default();
                for mut result in std::mem::take(&mut results) {
                    result.push(rest)?;
                    out(at.computed(result.done()))?;
                }
                Ok(())
            })
        })
    }
}

/// The text that a regular expression is matched against.
fn text_of<'v, 'a>(value: &'v Val<'a>) -> Result<&'v str, Stop<'a>> {
    value.as_str().ok_or_else(|| {
        error(format!(
            "{} ({}) cannot be matched, as it is not a string",
            value.kind(),
            shown(value)
        ))
    })
}

fn whole_number<'a>(value: &Val<'a>) -> Result<i64, Stop<'a>> {
    let number = value.as_f64().map(f64::ceil).map(Val::Float);
    number
        .as_ref()
        .and_then(as_place)
        .ok_or_else(|| error("a number of outputs must be a number"))
}
