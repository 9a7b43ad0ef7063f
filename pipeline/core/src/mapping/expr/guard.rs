//! What an expression may contain, and the step counters that bound it.
//!
//! Refused are filters that see something besides the event (`env`, `now`, `input`, local time), that end the process
//! (`halt`), that write (`debug`, `stderr`), or that need not end: `repeat`, `while`, `until`, `recurse` with an
//! argument, `range`, `combinations`, and definitions that call themselves. What remains ends for every input, and the
//! step counter bounds how long that takes. Regular expressions and searches take short inputs only.

use jaq_core::load::lex;
use jaq_core::load::lex::{Lexer, StrPart};
use jaq_core::load::parse::{BinaryOp, Def, Parser, Pattern, Term};
use jaq_core::ops::Math;
use jaq_core::path::{Part, Path};

use super::Refused;

/// The native filter that takes a step.
pub(super) const STEP: &str = "__step";
/// The native filter behind `+`.
pub(super) const ADD: &str = "__add";
/// The native filter behind `*`.
pub(super) const MULTIPLY: &str = "__multiply";

/// The native filter that lets only short texts and lists through.
pub(super) const SHORT: &str = "__short";

/// Filters whose time or memory grows faster than their input: they take short inputs only.
const COSTLY: &[&str] = &[
    "test", "match", "capture", "scan", "split", "splits", "sub", "gsub", "indices", "index",
    "rindex",
];

/// The longest expression in bytes.
const MAX_LENGTH: usize = 8_192;
/// The deepest nesting of brackets, texts and definitions in an expression.
const MAX_NESTING: usize = 40;

/// Filters that are refused, and why.
pub(super) const FORBIDDEN: &[(&str, &str)] = &[
    ("env", "expressions see no environment"),
    ("now", "expressions see no clock; use $event.time"),
    ("input", "expressions see one event at a time"),
    ("inputs", "expressions see one event at a time"),
    ("halt", "expressions cannot end the worker; use error"),
    ("halt_error", "expressions cannot end the worker; use error"),
    ("debug", "expressions cannot write to logs"),
    ("debug_empty", "expressions cannot write to logs"),
    ("stderr", "expressions cannot write to logs"),
    ("stderr_empty", "expressions cannot write to logs"),
    (
        "localtime",
        "expressions see no time zone of the machine; use gmtime",
    ),
    (
        "strflocaltime",
        "expressions see no time zone of the machine; use strftime",
    ),
    ("repeat", "it need not end"),
    ("while", "it need not end"),
    ("until", "it need not end"),
    (
        "range",
        "it need not end; use to_entries for the numbers of items",
    ),
    ("combinations", "it grows without bound"),
];

/// Parses an expression and checks it.
pub(super) fn parse(text: &str) -> Result<Term<&str>, Refused> {
    if text.len() > MAX_LENGTH {
        return Err(refused(
            format!("the expression is longer than {MAX_LENGTH} bytes"),
            None,
        ));
    }
    if nesting(text) > MAX_NESTING {
        return Err(refused(
            format!("the expression is nested deeper than {MAX_NESTING} levels"),
            None,
        ));
    }
    if text.trim().is_empty() {
        return Err(refused(
            "the expression is empty",
            Some("for an empty text write '\"\"'"),
        ));
    }
    let tokens = Lexer::new(text)
        .lex()
        .map_err(|errors| lex_refused(&errors))?;
    let term = Parser::new(&tokens).parse(Parser::term).map_err(|errors| {
        let found = errors
            .first()
            .map(|(expected, found)| (expected.as_str(), found.map(lex::Token::as_str)));
        match found {
            Some((expected, Some(found))) => {
                refused(format!("expected {expected} before `{found}`"), None)
            }
            Some((expected, None)) => refused(format!("expected {expected} at the end"), None),
            None => refused("not a jq expression", None),
        }
    })?;
    check(&term, &mut Vec::new())?;
    Ok(term)
}

fn lex_refused(errors: &[lex::Error<&str>]) -> Refused {
    match errors.first() {
        Some((expected, rest)) => {
            let rest: String = rest.chars().take(20).collect();
            refused(format!("expected {} at `{rest}`", expected.as_str()), None)
        }
        None => refused("not a jq expression", None),
    }
}

fn refused(problem: impl Into<String>, help: Option<&str>) -> Refused {
    Refused {
        problem: problem.into(),
        help: help.map(str::to_owned),
    }
}

/// How deep brackets nest, counted generously: texts and comments are not told apart. Chains of operators that nest to
/// the right count as well.
fn nesting(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut deepest = 0;
    for byte in text.bytes() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let nesting_words = words
        .filter(|word| {
            matches!(
                *word,
                "def" | "as" | "if" | "try" | "reduce" | "foreach" | "label"
            )
        })
        .count();
    let minus = text
        .bytes()
        .zip(text.bytes().skip(1))
        .filter(|pair| *pair == (b'-', b'-'))
        .count();
    deepest + nesting_words + minus
}

/// Refuses what need not end or sees the world. `open` has the definitions that surround the term.
fn check<'s>(term: &Term<&'s str>, open: &mut Vec<&'s str>) -> Result<(), Refused> {
    if let Term::Call(name, args) = term {
        check_call(name, args.len(), open)?;
    }
    if let Term::Fold(name, ..) = term
        && !matches!(*name, "reduce" | "foreach")
    {
        return Err(refused(format!("`{name}` is not known"), None));
    }
    if let Term::Def(defs, body) = term {
        for def in defs {
            open.push(def.name);
            check(&def.body, open)?;
            open.pop();
        }
        return check(body, open);
    }
    let mut result = Ok(());
    each(term, &mut |inner| {
        if result.is_ok() {
            result = check(inner, open);
        }
    });
    result
}

fn check_call(name: &str, args: usize, open: &[&str]) -> Result<(), Refused> {
    if open.contains(&name) {
        return Err(refused(
            format!("`{name}` calls itself and need not end"),
            Some("use map, reduce or `..`"),
        ));
    }
    if name == "recurse" && args > 0 {
        return Err(refused(
            "`recurse` with an argument is not allowed: it need not end",
            Some("use `..`"),
        ));
    }
    if name.starts_with("__") {
        return Err(refused(format!("there is no filter `{name}`"), None));
    }
    match FORBIDDEN.iter().find(|(forbidden, _)| *forbidden == name) {
        Some((_, why)) => Err(refused(format!("`{name}` is not allowed: {why}"), None)),
        None => Ok(()),
    }
}

/// Calls `f` with each direct part of a term, definitions excepted.
fn each<'t, 's>(term: &'t Term<&'s str>, f: &mut dyn FnMut(&'t Term<&'s str>)) {
    match term {
        Term::Id
        | Term::Recurse
        | Term::Num(_)
        | Term::Var(_)
        | Term::Break(_)
        | Term::Arr(None) => {}
        Term::Arr(Some(t)) | Term::Neg(t) | Term::Label(_, t) => f(t),
        Term::Str(_, parts) => parts.iter().for_each(|part| match part {
            StrPart::Term(t) => f(t),
            StrPart::Str(_) | StrPart::Char(_) => {}
        }),
        Term::Obj(entries) => entries.iter().for_each(|(key, value)| {
            f(key);
            value.iter().for_each(&mut *f);
        }),
        Term::BinOp(left, op, right) => {
            f(left);
            if let BinaryOp::Pipe(Some(pattern)) = op {
                each_in_pattern(pattern, f);
            }
            f(right);
        }
        Term::Fold(_, of, pattern, args) => {
            f(of);
            each_in_pattern(pattern, f);
            args.iter().for_each(f);
        }
        Term::TryCatch(body, catch) => {
            f(body);
            catch.iter().for_each(|catch| f(catch));
        }
        Term::IfThenElse(cases, other) => {
            cases.iter().for_each(|(condition, then)| {
                f(condition);
                f(then);
            });
            other.iter().for_each(|other| f(other));
        }
        Term::Def(_, body) => f(body),
        Term::Call(_, args) => args.iter().for_each(f),
        Term::Path(head, path) => {
            f(head);
            path.0.iter().for_each(|(part, _)| match part {
                Part::Index(t) => f(t),
                Part::Range(from, to) => from.iter().chain(to).for_each(&mut *f),
            });
        }
    }
}

fn each_in_pattern<'t, 's>(pattern: &'t Pattern<&'s str>, f: &mut dyn FnMut(&'t Term<&'s str>)) {
    match pattern {
        Pattern::Var(_) => {}
        Pattern::Arr(items) => items.iter().for_each(|item| each_in_pattern(item, f)),
        Pattern::Obj(entries) => entries.iter().for_each(|(key, item)| {
            f(key);
            each_in_pattern(item, f);
        }),
    }
}

/// The term with a step counter wherever outputs can multiply, and bounded `+` and `*`.
pub(super) fn bounded(term: Term<&str>) -> Term<&str> {
    match term {
        Term::Id
        | Term::Recurse
        | Term::Num(_)
        | Term::Var(_)
        | Term::Break(_)
        | Term::Arr(None) => term,
        Term::Arr(Some(t)) => Term::Arr(Some(Box::new(counted(*t)))),
        Term::Neg(t) => Term::Neg(Box::new(counted(*t))),
        Term::Label(name, t) => Term::Label(name, Box::new(bounded(*t))),
        Term::Str(format, parts) => {
            let parts = parts.into_iter().map(|part| match part {
                StrPart::Term(t) => StrPart::Term(counted(t)),
                StrPart::Str(_) | StrPart::Char(_) => part,
            });
            Term::Str(format, parts.collect())
        }
        Term::Obj(entries) => {
            // `{a}` and `{$x}` stand for their value themselves; their keys stay as they are
            let entry = |(key, value): (Term<_>, Option<Term<_>>)| match value {
                Some(value) => (bounded(key), Some(counted(value))),
                None => (key, None),
            };
            Term::Obj(entries.into_iter().map(entry).collect())
        }
        Term::BinOp(left, op, right) => bounded_operation(*left, op, *right),
        Term::Fold(name, of, pattern, args) => Term::Fold(
            name,
            Box::new(counted(*of)),
            pattern,
            args.into_iter().map(counted).collect(),
        ),
        Term::TryCatch(body, catch) => Term::TryCatch(
            Box::new(bounded(*body)),
            catch.map(|catch| Box::new(bounded(*catch))),
        ),
        Term::IfThenElse(cases, other) => {
            let cases = cases
                .into_iter()
                .map(|(condition, then)| (counted(condition), counted(then)));
            Term::IfThenElse(
                cases.collect(),
                other.map(|other| Box::new(counted(*other))),
            )
        }
        Term::Def(defs, body) => {
            let defs = defs.into_iter().map(|def| Def {
                body: counted(def.body),
                ..def
            });
            Term::Def(defs.collect(), Box::new(bounded(*body)))
        }
        Term::Call(name, args) => {
            let costly = COSTLY.contains(&name);
            let call = Term::Call(name, args.into_iter().map(counted).collect());
            if costly { short(call) } else { call }
        }
        Term::Path(head, path) => {
            let part = |(part, optional)| match part {
                Part::Index(t) => (Part::Index(bounded(t)), optional),
                Part::Range(from, to) => {
                    (Part::Range(from.map(bounded), to.map(bounded)), optional)
                }
            };
            Term::Path(
                Box::new(bounded(*head)),
                Path(path.0.into_iter().map(part).collect()),
            )
        }
    }
}

fn bounded_operation<'s>(
    left: Term<&'s str>,
    op: BinaryOp<&'s str>,
    right: Term<&'s str>,
) -> Term<&'s str> {
    match op {
        BinaryOp::Math(Math::Add) => Term::Call(ADD, vec![counted(left), counted(right)]),
        BinaryOp::Math(Math::Mul) => Term::Call(MULTIPLY, vec![counted(left), counted(right)]),
        // `l += r` is `r as $x | l |= . + $x`
        BinaryOp::UpdateMath(math @ (Math::Add | Math::Mul)) => {
            const OPERAND: &str = "$__operand";
            let name = if math == Math::Add { ADD } else { MULTIPLY };
            let sum = Term::Call(name, vec![Term::Id, Term::Var(OPERAND)]);
            let update = Term::BinOp(Box::new(bounded(left)), BinaryOp::Update, Box::new(sum));
            Term::BinOp(
                Box::new(counted(right)),
                BinaryOp::Pipe(Some(Pattern::Var(OPERAND))),
                Box::new(update),
            )
        }
        op @ (BinaryOp::Pipe(_)
        | BinaryOp::Comma
        | BinaryOp::Alt
        | BinaryOp::Or
        | BinaryOp::And
        | BinaryOp::Math(_)
        | BinaryOp::Cmp(_)
        | BinaryOp::Assign
        | BinaryOp::Update
        | BinaryOp::UpdateMath(_)
        | BinaryOp::UpdateAlt) => {
            Term::BinOp(Box::new(counted(left)), op, Box::new(counted(right)))
        }
    }
}

/// `__short | term`: an error for a long input.
fn short(term: Term<&str>) -> Term<&str> {
    let check = Term::Call(SHORT, Vec::new());
    Term::BinOp(Box::new(check), BinaryOp::Pipe(None), Box::new(term))
}

/// `term | __step`: a step for each output. Every loop runs over the outputs of some term, so counting these bounds all.
fn counted(term: Term<&str>) -> Term<&str> {
    if matches!(term, Term::Num(_) | Term::Var(_) | Term::Id) {
        return term;
    }
    let step = Term::Call(STEP, Vec::new());
    Term::BinOp(
        Box::new(bounded(term)),
        BinaryOp::Pipe(None),
        Box::new(step),
    )
}
