//! The optional fields of an operation. Each is made by itself, so a bad one leaves the others alone.

use std::borrow::Cow;
use std::sync::Arc;

use super::super::expr::Expr;
use super::super::model::bad::BadFields;
use super::super::model::{CustomRule, FieldRule, MetaRule, Template};
use super::Work;
use super::failure::{Failure, Made, evaluation, refused, wrong_type};
use crate::body::attribute::{custom_value, meta_entry};
use crate::body::field::{field_value, put};
use crate::body::{Illegal, MAX_TEXT_CHARS, RESERVED_META};
use crate::identity;
use crate::value::{Map, Value};

impl<'a> Work<'a> {
    /// Puts the fields into a body; `at` is the path before their names. A bad title fails, because a title is required.
    pub(super) fn fields<'b>(
        &mut self,
        words: &BadFields,
        rules: &'a [FieldRule],
        at: &str,
        body: &mut Map<'b>,
    ) -> Made<()>
    where
        'a: 'b,
    {
        for rule in rules {
            let field = || format!("{at}{}", rule.name);
            if rule.kind.is_required() {
                let value = match rule.value.expr() {
                    Some(expr) => self.value(expr, field)?,
                    None => None,
                };
                let value = value.map(|value| field_value(rule.kind, value, &mut self.cuts));
                let value = value
                    .transpose()
                    .map_err(|illegal| failed(&field(), &illegal, rule))?;
                put(body, rule.name, value.flatten());
                continue;
            }
            let Some(value) = self.template(words, &rule.value, &field)? else {
                continue;
            };
            match field_value(rule.kind, value, &mut self.cuts) {
                Ok(value) => put(body, rule.name, value),
                Err(mut illegal) => {
                    let rest = illegal.legal_part.take();
                    let failure = failed(&field(), &illegal, rule);
                    self.drops.leave_out(words, &field(), failure)?;
                    put(body, rule.name, rest);
                }
            }
        }
        Ok(())
    }

    /// The `custom` attributes; `at` is the path before their names.
    pub(super) fn custom(
        &mut self,
        words: &BadFields,
        rules: &'a [CustomRule],
        at: &str,
    ) -> Made<Map<'a>> {
        let mut custom = Map::with_capacity(rules.len() + 1);
        for rule in rules {
            let field = || format!("{at}{}", rule.name);
            let made = match self.value(&rule.value, field) {
                Ok(Some(value)) => custom_value(rule.suffix, value, &mut self.cuts)
                    .map_err(|illegal| refused(&field(), &illegal, &rule.value)),
                Ok(None) => continue,
                Err(failure) => Err(failure),
            };
            let value = match made {
                Ok(value) => value,
                Err(failure) => {
                    self.drops.leave_out(words, &field(), failure)?;
                    None
                }
            };
            put(&mut custom, rule.name.as_str(), value);
        }
        Ok(custom)
    }

    /// The `meta` attributes.
    pub(super) fn meta(&mut self, words: &BadFields, rules: &'a [MetaRule]) -> Made<Map<'a>> {
        let mut meta = Map::with_capacity(rules.len() + RESERVED_META.len());
        for rule in rules {
            let field = || format!("meta.{}", rule.name);
            match self.meta_value(rule, &meta, field) {
                Ok(None) => {}
                Ok(Some((name, value))) => {
                    meta.insert(name, value);
                }
                Err(failure) => self.drops.leave_out(words, &field(), failure)?,
            }
        }
        Ok(meta)
    }

    fn meta_value(
        &mut self,
        rule: &'a MetaRule,
        others: &Map<'a>,
        field: impl Fn() -> String,
    ) -> Made<Option<(Cow<'a, str>, Value<'a>)>> {
        let Some(value) = self.value(&rule.value, &field)? else {
            return Ok(None);
        };
        let refused = |illegal: &Illegal| refused(&field(), illegal, &rule.value);
        let entry = meta_entry(&rule.name, value, &mut self.cuts).map_err(|e| refused(&e))?;
        let Some((name, value)) = entry else {
            return Ok(None);
        };
        if RESERVED_META.contains(&name.as_ref()) || others.contains_key(name.as_ref()) {
            let taken = format!("would be sent as `{name}`, which is taken");
            return Err(refused(&Illegal::new(taken)));
        }
        Ok(Some((name, value)))
    }

    /// A short text that groups events, such as a session.
    pub(super) fn short_text(
        &mut self,
        words: &BadFields,
        expr: Option<&'a Expr>,
        field: &str,
    ) -> Made<Option<Arc<str>>> {
        let Some(expr) = expr else { return Ok(None) };
        let made = self.value(expr, || field.to_owned());
        let made = made.and_then(|value| match value {
            None => Ok(None),
            // a text or number that stands for nothing is not sent, such as `0` for no session
            Some(value) => match (identity::id_text(&value), &value) {
                (Some(text), _) => Ok(Some(text)),
                (None, Value::String(_)) => Ok(None),
                (None, value) if identity::plain_text(value).is_some() => Ok(None),
                (None, value) => Err(wrong_type(field, expr, "a text or a whole number", value)),
            },
        });
        let text = self.drops.optional(words, field, made)?;
        Ok(text.map(|text| Arc::from(self.cuts.cut(text, MAX_TEXT_CHARS))))
    }

    /// The value of a template. A part that fails is left out by itself.
    fn template(
        &mut self,
        words: &BadFields,
        template: &'a Template,
        field: &dyn Fn() -> String,
    ) -> Made<Option<Value<'a>>> {
        match template {
            Template::Expr(expr) => match self.value(expr, field) {
                Ok(value) => Ok(value),
                Err(failure) => {
                    self.drops.leave_out(words, &field(), failure)?;
                    Ok(None)
                }
            },
            Template::List(items) => {
                let mut values = Vec::with_capacity(items.len());
                for (index, item) in items.iter().enumerate() {
                    let field = || format!("{}[{index}]", field());
                    values.extend(self.template(words, item, &field)?);
                }
                Ok(Some(Value::Array(values)))
            }
            Template::Map(entries) => {
                let mut map = Map::with_capacity(entries.len());
                for (name, item) in entries {
                    let field = || format!("{}.{name}", field());
                    if let Some(value) = self.template(words, item, &field)? {
                        map.insert(name, value);
                    }
                }
                Ok(Some(Value::Object(map)))
            }
        }
    }

    /// The value of an expression; `None` for null.
    pub(super) fn value(
        &self,
        expr: &'a Expr,
        field: impl Fn() -> String,
    ) -> Made<Option<Value<'a>>> {
        expr.eval(self.scope)
            .map_err(|failed| evaluation(&field(), expr, &failed))
    }
}

impl Template {
    pub(super) fn expr(&self) -> Option<&Expr> {
        match self {
            Self::Expr(expr) => Some(expr),
            Self::List(_) | Self::Map(_) => None,
        }
    }
}

fn failed(field: &str, illegal: &Illegal, rule: &FieldRule) -> Failure {
    match rule.value.expr() {
        Some(expr) => refused(field, illegal, expr),
        None => Failure {
            reason: illegal.reason,
            detail: format!("{field}: {}", illegal.rule),
            exhausted: false,
        },
    }
}
