//! Expressions: what a field of a mapping gets its value from.
//!
//! An expression is jq over the event's content. Plain paths, literals, `//` defaults, string interpolation, equality,
//! `and`/`or`, `length` and `not` compile to a direct plan over the JSON value; everything else runs on the jaq
//! interpreter. Both give the same answer (a property test holds them against each other), so which one runs is a matter
//! of speed alone.
//!
//! `.` is the content, `$event` what the envelope says (`name`, `id`, `time`, `source`,
//! `deleted`, `anonymousId`, and `customer` with the keys that name the customer, null where there are none), and
//! `$record` where it came from (`topic`, `partition`, `offset`, `timestamp`, `key`, `headers`). Nothing else can be
//! seen: no clock, no environment, no files, no further inputs. So an expression gives the same for the same record
//! always, and what is refused or counted sees to it that it ends.

mod guard;
mod hint;
mod jaq;
mod place;
mod plan;
mod scope;

use std::borrow::Cow;

use serde_json::Value;

pub use scope::Scope;

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
    Plan(plan::Plan),
    Jaq(Box<jaq::Program>),
}

/// Why an expression cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// What is wrong.
    pub problem: String,
    /// The way out, where one is known.
    pub help: Option<String>,
}

/// Why an expression gave no value. It never shows the data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed(pub &'static str);

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
        let term = guard::parse(text).map_err(|refused| Refused {
            help: refused.help.or_else(|| hint::of_syntax(text)),
            ..refused
        })?;
        let (assigns, several) = (hint::assigns(&term), hint::gives_several(&term));
        let code = match plan::Plan::of(&term) {
            Some(plan) => Code::Plan(plan),
            None => Code::Jaq(Box::new(jaq::Program::compile(term)?)),
        };
        Ok(Self {
            text: one_line(text),
            code,
            assigns,
            several,
        })
    }

    /// Compiles jq for the interpreter, even where a direct plan would do. For tests that compare the two.
    ///
    /// # Errors
    /// As [`Expr::compile`].
    pub fn compile_interpreted(text: &str) -> Result<Self, Refused> {
        let term = guard::parse(text)?;
        let (assigns, several) = (hint::assigns(&term), hint::gives_several(&term));
        let code = Code::Jaq(Box::new(jaq::Program::compile(term)?));
        Ok(Self {
            text: one_line(text),
            code,
            assigns,
            several,
        })
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

    /// Whether it runs on the direct plan.
    #[must_use]
    pub fn is_direct(&self) -> bool {
        match self.code {
            Code::Literal(_) | Code::Plan(_) => true,
            Code::Jaq(_) => false,
        }
    }

    /// The literal value, if the expression is one.
    #[must_use]
    pub fn as_literal(&self) -> Option<&Value> {
        match &self.code {
            Code::Literal(value) => Some(value),
            Code::Plan(plan) => plan.as_literal(),
            Code::Jaq(_) => None,
        }
    }

    /// The value for an event; `None` when it is null or there is no output. Of several outputs it is an error.
    ///
    /// # Errors
    /// [`Failed`] when the expression fails or does not end in time.
    pub fn eval<'a>(&'a self, scope: &'a Scope<'a>) -> Result<Option<Cow<'a, Value>>, Failed> {
        let found = match &self.code {
            Code::Literal(value) => Some(Cow::Borrowed(value)),
            Code::Plan(plan) => plan.eval(scope)?,
            Code::Jaq(program) => program.run(scope)?.map(Cow::Owned),
        };
        Ok(found.filter(|value| !value.is_null()))
    }

    /// Whether the value is neither null nor false, as jq sees it.
    ///
    /// # Errors
    /// As [`Expr::eval`].
    pub fn holds(&self, scope: &Scope<'_>) -> Result<bool, Failed> {
        let found = self.eval(scope)?;
        Ok(found.is_some_and(|value| *value != Value::Bool(false)))
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
