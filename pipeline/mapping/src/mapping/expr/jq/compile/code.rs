//! Compiled expressions: names are resolved, and it is known which terms have one output at most.

use std::sync::Arc;

use crate::mapping::expr::table::Table;
use crate::value::Value;

use super::super::data::format::Format;
use super::super::native::filter::Plain;
use super::super::regex::Patterns;
use super::super::syntax::term::{Compare, Math};

/// A compiled expression: its term, its definitions, and the constant regular expressions in it.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) main: Code,
    pub(crate) defs: Vec<Def>,
    pub(crate) patterns: Patterns,
    /// The values of `let` that it uses.
    pub(crate) lets: Vec<usize>,
}

/// A compiled term.
#[derive(Debug)]
pub(crate) struct Code {
    pub(crate) op: Op,
    /// It has one output at most, and is evaluated without a stream.
    pub(crate) one: bool,
}

#[derive(Debug)]
pub(crate) enum Op {
    Id,
    Const(Value<'static>),
    /// `$event`, `$record`, and what the file names.
    Global(Global),
    /// The value of the input's key in a table.
    Lookup(Arc<Table>),
    /// The variable this many bindings up.
    Var(usize),
    /// The argument this many bindings up.
    Arg(usize),
    Text(Option<Format>, Vec<Piece>),
    Format(Format),
    List(Option<Box<Code>>),
    Object(Vec<(Code, Code)>),
    Neg(Box<Code>),
    Pipe(Vec<Code>),
    Comma(Vec<Code>),
    Bind(Box<Code>, Bound, Box<Code>),
    Alt(Box<Code>, Box<Code>),
    Or(Box<Code>, Box<Code>),
    And(Box<Code>, Box<Code>),
    Math(Math, Box<Code>, Box<Code>),
    Compare(Compare, Box<Code>, Box<Code>),
    Assign(Box<Code>, Box<Code>),
    Update(Box<Code>, Box<Code>),
    UpdateMath(Math, Box<Code>, Box<Code>),
    UpdateAlt(Box<Code>, Box<Code>),
    Label(Box<Code>),
    Break(usize),
    Reduce(Box<Fold>),
    Foreach(Box<Fold>),
    Try(Box<Code>, Option<Box<Code>>),
    If(Vec<(Code, Code)>, Option<Box<Code>>),
    Index(Box<Code>, Box<Code>, bool),
    Slice(Box<Code>, Option<Box<Code>>, Option<Box<Code>>, bool),
    Each(Box<Code>, bool),
    /// A definition of the expression by its number, how many bindings up it is, and its arguments.
    Call(usize, usize, Vec<Code>),
    Native(Plain, Vec<Code>),
    Special(Special, Vec<Code>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Global {
    Event,
    Record,
    /// The value of a `let`, by its place among those of the file.
    Let(usize),
    /// The item of an `each`.
    Item,
    /// Its place among the items, from 0.
    Index,
}

#[derive(Debug)]
pub(crate) enum Piece {
    Text(String),
    Code(Code),
}

/// `reduce` and `foreach`.
#[derive(Debug)]
pub(crate) struct Fold {
    pub(crate) source: Code,
    pub(crate) pattern: Bound,
    pub(crate) init: Code,
    pub(crate) update: Code,
    pub(crate) extract: Option<Code>,
}

/// What a pattern binds, in the order of its variables.
#[derive(Debug)]
pub(crate) enum Bound {
    Var,
    List(Vec<Bound>),
    Object(Vec<(Code, bool, Option<Bound>)>),
}

/// A definition of the expression.
#[derive(Debug)]
pub(crate) struct Def {
    /// For each parameter, whether it is a value.
    pub(crate) values: Vec<bool>,
    pub(crate) body: Code,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Special {
    Empty,
    Error,
    Path,
    GetPath,
    RecurseAll,
    Recurse,
    Range,
    While,
    Until,
    Repeat,
    Limit,
    Skip,
    Nth,
    Walk,
    Combinations,
    Match,
    Splits,
    Scan,
    Sub,
    Gsub,
    ToStream,
}

impl Special {
    pub(crate) fn named(name: &str, args: usize) -> Option<Self> {
        Some(match (name, args) {
            ("empty", 0) => Self::Empty,
            ("error", 0) => Self::Error,
            ("path", 1) => Self::Path,
            ("getpath", 1) => Self::GetPath,
            ("recurse", 0) => Self::RecurseAll,
            ("recurse", 1) => Self::Recurse,
            ("range", 3) => Self::Range,
            ("while", 2) => Self::While,
            ("until", 2) => Self::Until,
            ("repeat", 1) => Self::Repeat,
            ("limit", 2) => Self::Limit,
            ("skip", 2) => Self::Skip,
            ("nth", 2) => Self::Nth,
            ("walk", 1) => Self::Walk,
            ("combinations", 0) => Self::Combinations,
            ("match", 2) => Self::Match,
            ("splits", 2) => Self::Splits,
            ("scan", 2) => Self::Scan,
            ("sub", 3) => Self::Sub,
            ("gsub", 3) => Self::Gsub,
            ("tostream", 0) => Self::ToStream,
            _ => return None,
        })
    }
}

impl Code {
    pub(crate) fn new(op: Op) -> Self {
        let one = op.gives_one();
        Self { op, one }
    }
}

impl Op {
    /// Whether it has one output at most.
    fn gives_one(&self) -> bool {
        let maybe = |code: &Option<Box<Code>>| code.as_ref().is_none_or(|code| code.one);
        match self {
            Self::Id
            | Self::Const(_)
            | Self::Global(_)
            | Self::Lookup(_)
            | Self::Var(_)
            | Self::Format(_)
            | Self::List(_)
            | Self::Reduce(_)
            | Self::Break(_) => match self {
                Self::Reduce(fold) => fold.init.one,
                _ => true,
            },
            Self::Text(_, pieces) => pieces.iter().all(|piece| match piece {
                Piece::Text(_) => true,
                Piece::Code(code) => code.one,
            }),
            Self::Object(entries) => entries.iter().all(|(key, value)| key.one && value.one),
            Self::Pipe(stages) => stages.iter().all(|stage| stage.one),
            Self::Neg(a) => a.one,
            Self::Alt(a, b)
            | Self::Or(a, b)
            | Self::And(a, b)
            | Self::Math(_, a, b)
            | Self::Compare(_, a, b)
            | Self::Index(a, b, _) => a.one && b.one,
            Self::Bind(a, Bound::Var, b) => a.one && b.one,
            Self::Update(..) => true,
            Self::UpdateMath(_, _, b) | Self::Assign(_, b) => b.one,
            Self::UpdateAlt(_, b) => b.one,
            Self::Try(a, b) => a.one && maybe(b),
            Self::If(cases, other) => {
                cases
                    .iter()
                    .all(|(condition, then)| condition.one && then.one)
                    && maybe(other)
            }
            Self::Slice(a, from, to, _) => a.one && maybe(from) && maybe(to),
            Self::Native(_, args) => args.iter().all(|arg| arg.one),
            Self::Special(special, args) => match special {
                Special::Empty | Special::Error => true,
                Special::GetPath => args.iter().all(|arg| arg.one),
                Special::Path
                | Special::RecurseAll
                | Special::Recurse
                | Special::Range
                | Special::While
                | Special::Until
                | Special::Repeat
                | Special::Limit
                | Special::Skip
                | Special::Nth
                | Special::Walk
                | Special::Combinations
                | Special::Match
                | Special::Splits
                | Special::Scan
                | Special::Sub
                | Special::Gsub
                | Special::ToStream => false,
            },
            Self::Arg(_)
            | Self::Comma(_)
            | Self::Bind(..)
            | Self::Label(_)
            | Self::Foreach(_)
            | Self::Each(..)
            | Self::Call(..) => false,
        }
    }
}
