//! Strict bodies: which fields a request may have and what they may contain.
//!
//! Bodies are described by tables of [`Field`]s (`schema`); [`Checker`] walks a body along its table
//! and stops at the first breach, as the API does: one breach per error.

mod attributes;
mod schema;
mod values;

pub(crate) use schema::{
    COMPANY, COMPANY_UPDATE, CUSTOMER, EVENT, IDENTITY, IDENTITY_EVENT, KLASS, KLASS_UPDATE,
    KOBJECT, KOBJECT_UPDATE, MERGE, METADATA,
};

use serde_json::{Map, Value};

use crate::api::error::ApiError;
use crate::config::Switches;
use crate::time::parse_instant;

/// What a field may contain.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Rule {
    /// A string of this many characters.
    Text {
        min: usize,
        max: usize,
    },
    /// An RFC 3339 date-time.
    Date,
    Bool,
    Number,
    /// A number without a fraction.
    Whole,
    Email,
    Phone,
    Url,
    Domain,
    EventName,
    KlassName,
    OneOf(&'static [&'static str]),
    /// An object with these fields and no others.
    Strict(&'static [Field]),
    /// A list of distinct values.
    List {
        max: usize,
        item: &'static Rule,
    },
    Tag,
    /// Custom attributes with type suffixes.
    Custom,
    /// Flat data of a tracking event.
    Meta,
    /// Any object.
    Object,
    /// Anything.
    Any,
}

/// One field of a body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) rule: Rule,
    pub(crate) required: bool,
    pub(crate) nullable: bool,
}

/// Whether fields that the table does not list are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unlisted {
    Refused,
    Ignored,
}

/// Walks bodies along their tables.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Checker<'a> {
    pub(crate) switches: &'a Switches,
    /// Configured attributes of the resource at hand: `…Id` attributes must be among them.
    pub(crate) configured: Option<&'a Map<String, Value>>,
}

/// A breach of a rule, with its path from the root of the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Breach {
    path: Vec<String>,
    keyword: &'static str,
    title: Box<str>,
}

impl Breach {
    pub(crate) fn new(keyword: &'static str, title: impl Into<Box<str>>) -> Self {
        Self {
            path: Vec::new(),
            keyword,
            title: title.into(),
        }
    }

    /// The same breach seen from one level further out.
    pub(crate) fn under(mut self, segment: &str) -> Self {
        self.path.insert(0, segment.to_owned());
        self
    }

    /// The breach as an error that names the parameter only.
    pub(crate) fn unnamed(self) -> ApiError {
        let parameter = self.path.last().cloned().unwrap_or_default();
        // the schema's path ends with the keyword; for an unknown or a missing field, the keyword
        // belongs to the object around it
        let around = matches!(self.keyword, "additionalProperties" | "required");
        let kept = self.path.len().saturating_sub(usize::from(around));
        let is_field = |segment: &&String| !segment.bytes().all(|byte| byte.is_ascii_digit());
        let mut detail = String::new();
        for segment in self.path.iter().take(kept).filter(is_field) {
            detail.push_str("/properties/");
            detail.push_str(segment);
        }
        detail.push('/');
        detail.push_str(self.keyword);
        let mut error = ApiError::bad(&parameter, self.title);
        error.detail = Some(detail.into());
        error
    }

    /// The breach as an error that says where in the body it is.
    pub(crate) fn named(self) -> ApiError {
        let pointer = self.path.iter().fold(String::new(), |pointer, segment| {
            pointer + "/" + &segment.replace('~', "~0").replace('/', "~1")
        });
        let mut error = self.unnamed();
        error.pointer = Some(pointer.into());
        error
    }
}

impl Checker<'_> {
    /// Checks an object against a table.
    pub(crate) fn object(
        &self,
        fields: &[Field],
        unlisted: Unlisted,
        object: &Map<String, Value>,
    ) -> Result<(), Breach> {
        for (name, value) in object {
            match fields.iter().find(|field| field.name == name) {
                Some(field) if field.nullable && value.is_null() => {}
                Some(field) => {
                    self.value(field.rule, value)
                        .map_err(|breach| breach.under(name))?;
                }
                None if unlisted == Unlisted::Ignored => {}
                None => {
                    let title = "Additional properties not allowed";
                    return Err(Breach::new("additionalProperties", title).under(name));
                }
            }
        }
        let missing = fields
            .iter()
            .find(|field| field.required && !object.contains_key(field.name));
        match missing {
            Some(field) => {
                let title = format!("Missing required property: {}", field.name);
                Err(Breach::new("required", title).under(field.name))
            }
            None => Ok(()),
        }
    }

    fn value(&self, rule: Rule, value: &Value) -> Result<(), Breach> {
        match rule {
            Rule::Text { min, max } => text(value).and_then(|text| length(text, min, max)),
            Rule::Date => format(value, "date-time", |text| parse_instant(text).is_some()),
            Rule::Bool => typed(value.is_boolean(), value, "boolean"),
            Rule::Number => typed(value.is_number(), value, "number"),
            Rule::Whole => typed(value.is_i64() || value.is_u64(), value, "integer"),
            Rule::Email => format(value, "email", values::is_email),
            Rule::Phone => format(value, "phone-number", values::is_phone),
            Rule::Url => format(value, "uri", values::is_url),
            Rule::Domain => format(value, "domain-name", values::is_domain),
            Rule::EventName => pattern(value, values::is_event_name),
            Rule::KlassName => pattern(value, |text| {
                values::is_klass_name(text) && text.len() <= 255
            }),
            Rule::Tag => pattern(value, values::is_tag),
            Rule::OneOf(allowed) => text(value).and_then(|text| {
                if allowed.contains(&text) {
                    Ok(())
                } else {
                    Err(Breach::new(
                        "enum",
                        format!("No enum match for: \"{text}\""),
                    ))
                }
            }),
            Rule::Strict(fields) => self.object(fields, Unlisted::Refused, object(value)?),
            Rule::List { max, item } => self.list(value, max, item),
            Rule::Custom => self.custom(object(value)?),
            Rule::Meta => self.meta(object(value)?),
            Rule::Object => object(value).map(|_| ()),
            Rule::Any => Ok(()),
        }
    }

    fn list(&self, value: &Value, max: usize, item: &Rule) -> Result<(), Breach> {
        let Some(items) = value.as_array() else {
            return typed(false, value, "array");
        };
        if items.len() > max {
            let title = format!("Array is too long ({}), maximum {max}", items.len());
            return Err(Breach::new("maxItems", title));
        }
        for (position, value) in items.iter().enumerate() {
            self.value(*item, value)
                .map_err(|breach| breach.under(&position.to_string()))?;
            if items.iter().take(position).any(|earlier| earlier == value) {
                return Err(Breach::new("uniqueItems", "Array items are not unique"));
            }
        }
        Ok(())
    }
}

fn object(value: &Value) -> Result<&Map<String, Value>, Breach> {
    value.as_object().ok_or_else(|| wrong_type(value, "object"))
}

fn text(value: &Value) -> Result<&str, Breach> {
    value.as_str().ok_or_else(|| wrong_type(value, "string"))
}

fn length(text: &str, min: usize, max: usize) -> Result<(), Breach> {
    // most strings are short enough by their bytes already
    let characters = if text.len() <= max {
        text.len()
    } else {
        text.chars().count()
    };
    if characters > max {
        let title = format!("String is too long ({characters} chars), maximum {max}");
        Err(Breach::new("maxLength", title))
    } else if characters < min {
        let title = format!("String is too short ({characters} chars), minimum {min}");
        Err(Breach::new("minLength", title))
    } else {
        Ok(())
    }
}

fn format(value: &Value, name: &'static str, test: impl Fn(&str) -> bool) -> Result<(), Breach> {
    if test(text(value)?) {
        Ok(())
    } else {
        Err(Breach::new(
            "format",
            format!("Format validation failed ({name} expected)"),
        ))
    }
}

fn pattern(value: &Value, test: impl Fn(&str) -> bool) -> Result<(), Breach> {
    if test(text(value)?) {
        Ok(())
    } else {
        Err(Breach::new("pattern", "String does not match pattern"))
    }
}

fn typed(right: bool, value: &Value, expected: &str) -> Result<(), Breach> {
    if right {
        Ok(())
    } else {
        Err(wrong_type(value, expected))
    }
}

fn wrong_type(value: &Value, expected: &str) -> Breach {
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    Breach::new(
        "type",
        format!("Invalid type: {found} (expected {expected})"),
    )
}

#[cfg(test)]
mod tests;
