//! Expressions, from which the fields of a mapping get their values.
//!
//! An expression is jq over the content of an event (`jq`). It sees only:
//!
//! - `.`: the content;
//! - `$event`: what the envelope says (`name`, `id`, `time`, `source`, `deleted`, `anonymousId`, `session`, `trackingId`,
//!   `traits`, and `customer` with the keys of the customer, or null if there are none);
//! - `$record`: where the event came from (`topic`, `partition`, `offset`, `timestamp`, `key`, `headers`).
//!
//! It sees no clock, environment, files or further inputs, so for the same record it always gives the same. Its steps,
//! bytes and depth are counted (`meter`), so it always ends and cannot exhaust the memory or the stack.

pub(super) mod always;
mod fault;
mod hint;
mod jq;
mod meter;
pub(super) mod names;
mod part;
mod scope;
pub(super) mod table;

use self::always::Always;
pub use self::fault::{Failed, Refused};
use self::names::Names;
pub(super) use self::part::Part;
use self::scope::Lets;
pub use self::scope::Scope;
use crate::value::Value;

/// A compiled expression.
#[derive(Debug)]
pub struct Expr {
    /// The source, on one line, for messages.
    text: String,
    code: Code,
    /// It assigns, so as a condition it would always hold.
    assigns: bool,
    /// It seems to have several outputs, but a field takes one.
    several: bool,
}

#[derive(Debug)]
enum Code {
    Literal(Value<'static>),
    Jq(Box<jq::Program>),
}

/// The parts of a text with paths in it, such as `"Viewed \(.count) products"`; `None` if the expression is anything else.
pub(super) fn parts(text: &str) -> Result<Option<Vec<Part>>, Refused> {
    jq::pieces(text)
}

/// The constant texts of which an expression may compose its value, such as `shop:` of `"shop:\(.id)"`.
pub(super) fn constants(text: &str) -> Vec<String> {
    jq::constants(text)
}

/// The paths of the event, and of the item of a list, that an expression names, for people.
pub(super) fn inputs(text: &str) -> Vec<String> {
    jq::inputs(text)
}

impl Expr {
    /// An expression that always gives this value.
    #[must_use]
    pub fn literal(value: Value<'static>) -> Self {
        Self {
            text: value.to_string(),
            code: Code::Literal(value),
            assigns: false,
            several: false,
        }
    }

    /// Compiles jq.
    ///
    /// # Errors
    /// [`Refused`] with what is wrong and the way out.
    pub fn compile(text: &str) -> Result<Self, Refused> {
        Self::compiled(text, &Names::default(), false)
    }

    /// Compiles jq so that every part is evaluated as a stream, even if it has one output at most. For tests that compare
    /// the two ways.
    ///
    /// # Errors
    /// As [`Expr::compile`].
    pub fn compile_interpreted(text: &str) -> Result<Self, Refused> {
        Self::compiled(text, &Names::default(), true)
    }

    /// Compiles jq in a file that has these names.
    ///
    /// # Errors
    /// As [`Expr::compile`].
    pub(super) fn compile_with(text: &str, names: &Names) -> Result<Self, Refused> {
        Self::compiled(text, names, false)
    }

    fn compiled(text: &str, names: &Names, streamed: bool) -> Result<Self, Refused> {
        let program = jq::Program::compile(text, names, streamed)?;
        Ok(Self {
            text: one_line(text),
            assigns: program.assigns(),
            several: program.gives_several(),
            code: Code::Jq(Box::new(program)),
        })
    }

    /// What is probably a mistake in it, and the way out.
    pub(super) fn doubt(&self) -> Option<(String, String)> {
        match &self.code {
            Code::Literal(_) => None,
            Code::Jq(_) => hint::of_doubtful_dash(&self.text)
                .or_else(|| hint::of_unknown_event_field(&self.text))
                .or_else(|| hint::of_assigning_condition(&self.text)),
        }
    }

    /// The part of the content, or the constant, that it is; `None` if it takes a computation.
    pub(super) fn part<'a>(
        &'a self,
        scope: &'a Scope<'a>,
    ) -> Option<Result<&'a Value<'a>, Failed>> {
        match &self.code {
            Code::Literal(value) => Some(Ok(value)),
            Code::Jq(program) => program.part(scope),
        }
    }

    /// The values of `let` that it uses, by their places among those of the file.
    pub(super) fn lets(&self) -> &[usize] {
        match &self.code {
            Code::Literal(_) => &[],
            Code::Jq(program) => program.lets(),
        }
    }

    /// The source, on one line.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it assigns (`=`, `|=`), so that as a condition it would always hold.
    #[must_use]
    pub fn assigns(&self) -> bool {
        self.assigns
    }

    /// The kind of value that it always has, if that is certain.
    pub(super) fn always(&self) -> Option<Always> {
        match &self.code {
            Code::Literal(_) => None,
            Code::Jq(program) => program.always(),
        }
    }

    /// Whether it seems to have an output for each item of a list.
    #[must_use]
    pub fn gives_several(&self) -> bool {
        self.several
    }

    /// Whether it has one output at most, and so is evaluated without a stream.
    #[must_use]
    pub fn is_direct(&self) -> bool {
        match &self.code {
            Code::Literal(_) => true,
            Code::Jq(program) => program.is_direct(),
        }
    }

    /// Whether it is nothing but a path into the content.
    pub(super) fn is_path(&self) -> bool {
        match &self.code {
            Code::Literal(_) => false,
            Code::Jq(program) => program.is_path(),
        }
    }

    /// The field, if the expression is nothing but a field at the top of the content, such as `.event_name`.
    #[must_use]
    pub fn as_field(&self) -> Option<&str> {
        let name = self.text.trim().strip_prefix('.')?;
        let mut bytes = name.bytes();
        let begins = bytes
            .next()
            .is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
        let plain = bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let is_code = matches!(self.code, Code::Jq(_));
        (begins && plain && is_code).then_some(name)
    }

    /// The value, if the expression is a constant.
    #[must_use]
    pub fn as_literal(&self) -> Option<&Value<'static>> {
        match &self.code {
            Code::Literal(value) => Some(value),
            Code::Jq(program) => program.as_literal(),
        }
    }

    /// The value for an event; `None` if it is null or there is no output.
    ///
    /// # Errors
    /// [`Failed`] if the expression fails, has several outputs, or uses up what one record may use.
    pub fn eval<'a>(&'a self, scope: &'a Scope<'a>) -> Result<Option<Value<'a>>, Failed> {
        let found = match &self.code {
            Code::Literal(value) => Some(value.borrowed()),
            Code::Jq(program) => program.eval(scope)?,
        };
        Ok(found.filter(|value| !value.is_null()))
    }

    /// Whether the value counts as true in jq: it is neither null nor false.
    ///
    /// # Errors
    /// As [`Expr::eval`].
    pub fn holds<'a>(&'a self, scope: &'a Scope<'a>) -> Result<bool, Failed> {
        match &self.code {
            Code::Literal(value) => Ok(!matches!(value, Value::Null | Value::Bool(false))),
            Code::Jq(program) => program.holds(scope),
        }
    }
}

impl Lets for Vec<Expr> {
    fn len(&self) -> usize {
        Self::len(self)
    }

    fn part<'a>(
        &'a self,
        index: usize,
        scope: &'a Scope<'a>,
    ) -> Option<Result<&'a Value<'a>, Failed>> {
        self.get(index)?.part(scope)
    }

    fn compute<'a>(&'a self, index: usize, scope: &'a Scope<'a>) -> Result<Value<'a>, Failed> {
        let Some(Code::Jq(program)) = self.get(index).map(|expr| &expr.code) else {
            return Ok(Value::Null);
        };
        Ok(program.value(scope)?.unwrap_or_default())
    }
}

/// The text on one line, for headers and logs.
fn one_line(text: &str) -> String {
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    lines.join(" ")
}

#[cfg(test)]
mod tests;
