//! Expressions: what a field of a mapping gets its value from.
//!
//! An expression is jq over the event's content (`jq`). `.` is the content, `$event` what the envelope says (`name`, `id`,
//! `time`, `source`, `deleted`, `anonymousId`, and `customer` with the keys that name the customer, null where there are
//! none), and `$record` where it came from (`topic`, `partition`, `offset`, `timestamp`, `key`, `headers`). Nothing else can
//! be seen: no clock, no environment, no files, no further inputs. So an expression gives the same for the same record
//! always, and what is counted (`meter`) sees to it that it ends, and that it takes neither the memory nor the stack.

mod fault;
mod hint;
mod jq;
mod meter;
mod scope;

use std::borrow::Cow;

use serde_json::Value;

pub use self::fault::{Failed, Refused};
pub use self::scope::Scope;

/// A compiled expression.
#[derive(Debug)]
pub struct Expr {
    /// As written, on one line, for messages.
    text: String,
    code: Code,
    /// It assigns: as a condition it always holds.
    assigns: bool,
    /// It can have several outputs, and a field takes one.
    several: bool,
}

#[derive(Debug)]
enum Code {
    Literal(Value),
    Jq(Box<jq::Program>),
}

impl Expr {
    /// The expression that always gives this value.
    #[must_use]
    pub fn literal(value: Value) -> Self {
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
        Self::compiled(text, false)
    }

    /// Compiles jq so that every part of it is evaluated as a stream, even where there is one output at most. For tests
    /// that compare the two.
    ///
    /// # Errors
    /// As [`Expr::compile`].
    pub fn compile_interpreted(text: &str) -> Result<Self, Refused> {
        Self::compiled(text, true)
    }

    fn compiled(text: &str, streamed: bool) -> Result<Self, Refused> {
        let program = jq::Program::compile(text, streamed)?;
        Ok(Self {
            text: one_line(text),
            assigns: program.assigns(),
            several: program.gives_several(),
            code: Code::Jq(Box::new(program)),
        })
    }

    /// What it does that is probably not meant, and the way out.
    pub(super) fn doubt(&self) -> Option<(String, String)> {
        match &self.code {
            Code::Literal(_) => None,
            Code::Jq(_) => hint::of_doubtful_dash(&self.text),
        }
    }

    /// As written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it assigns (`=`, `|=`): as a condition it would always hold.
    #[must_use]
    pub fn assigns(&self) -> bool {
        self.assigns
    }

    /// Whether it looks as if it had an output for each item of a list.
    #[must_use]
    pub fn gives_several(&self) -> bool {
        self.several
    }

    /// Whether it gives one output at most, so that no part of the path to it is a stream.
    #[must_use]
    pub fn is_direct(&self) -> bool {
        match &self.code {
            Code::Literal(_) => true,
            Code::Jq(program) => program.is_direct(),
        }
    }

    /// The literal value, if the expression is one.
    #[must_use]
    pub fn as_literal(&self) -> Option<&Value> {
        match &self.code {
            Code::Literal(value) => Some(value),
            Code::Jq(program) => program.as_literal(),
        }
    }

    /// The value for an event; `None` when it is null or there is no output. Of several outputs it is an error.
    ///
    /// # Errors
    /// [`Failed`] when the expression fails or uses up what one record may use.
    pub fn eval<'a>(&'a self, scope: &'a Scope<'a>) -> Result<Option<Cow<'a, Value>>, Failed> {
        let found = match &self.code {
            Code::Literal(value) => Some(Cow::Borrowed(value)),
            Code::Jq(program) => program.eval(scope)?.map(Cow::Owned),
        };
        Ok(found.filter(|value| !value.is_null()))
    }

    /// Whether the value is neither null nor false, as jq sees it.
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

/// The text without line breaks, which headers and logs do not want.
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
