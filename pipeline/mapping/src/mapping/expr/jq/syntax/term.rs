//! The syntax tree of an expression.

use crate::value::Value;

/// An expression or a part of one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Term {
    /// `.`
    Id,
    /// A constant.
    Const(Value<'static>),
    /// `"a\(b)"`, with the format before it
    Text(Option<String>, Vec<Piece>),
    /// `@csv`
    Format(String),
    /// `[a]`, `[]`
    List(Option<Box<Term>>),
    /// `{a: b}`
    Object(Vec<(Term, Term)>),
    /// `-a`
    Neg(Box<Term>),
    /// `a | b | c`
    Pipe(Vec<Term>),
    /// `a, b, c`
    Comma(Vec<Term>),
    /// `a as $x | b`
    Bind(Box<Term>, Pattern, Box<Term>),
    /// `a // b`
    Alt(Box<Term>, Box<Term>),
    /// `a or b`
    Or(Box<Term>, Box<Term>),
    /// `a and b`
    And(Box<Term>, Box<Term>),
    /// `a + b`
    Math(Math, Box<Term>, Box<Term>),
    /// `a < b`
    Compare(Compare, Box<Term>, Box<Term>),
    /// `a = b`
    Assign(Box<Term>, Box<Term>),
    /// `a |= b`
    Update(Box<Term>, Box<Term>),
    /// `a += b`
    UpdateMath(Math, Box<Term>, Box<Term>),
    /// `a //= b`
    UpdateAlt(Box<Term>, Box<Term>),
    /// `label $x | a`
    Label(String, Box<Term>),
    /// `break $x`
    Break(String),
    /// `reduce a as $x (b; c)`
    Reduce(Box<Term>, Pattern, Box<Term>, Box<Term>),
    /// `foreach a as $x (b; c; d)`
    Foreach(Box<Term>, Pattern, Box<Term>, Box<Term>, Option<Box<Term>>),
    /// `try a catch b`, `a?`
    Try(Box<Term>, Option<Box<Term>>),
    /// `if a then b elif c then d else e end`
    If(Vec<(Term, Term)>, Option<Box<Term>>),
    /// `def f(g; $x): a; b`
    Def(Box<Def>, Box<Term>),
    /// `f(a; b)`
    Call(String, Vec<Term>),
    /// `$x`, without the sign
    Var(String),
    /// `a[b]`, `a.b`; `true`: with `?`
    Index(Box<Term>, Box<Term>, bool),
    /// `a[b:c]`
    Slice(Box<Term>, Option<Box<Term>>, Option<Box<Term>>, bool),
    /// `a[]`
    Each(Box<Term>, bool),
}

/// A part of a text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Piece {
    Text(String),
    Term(Term),
}

/// What `as` binds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Pattern {
    Var(String),
    List(Vec<Pattern>),
    /// The key, the variable that the key itself binds, and what the value is bound to.
    Object(Vec<(Term, Option<String>, Option<Pattern>)>),
}

/// `def name(params): body;`
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Def {
    pub(crate) name: String,
    /// With `$` where the parameter is a value.
    pub(crate) params: Vec<String>,
    pub(crate) body: Term,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Math {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compare {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

impl Term {
    pub(crate) fn boxed(self) -> Box<Self> {
        Box::new(self)
    }

    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Const(Value::from(text.into()))
    }

    /// Calls `f` with each direct part, in the order in which they are written. The body of a definition is a part.
    pub(crate) fn parts(&mut self, f: &mut dyn FnMut(&mut Self)) {
        match self {
            Self::Id
            | Self::Const(_)
            | Self::Format(_)
            | Self::List(None)
            | Self::Break(_)
            | Self::Var(_) => {}
            Self::Text(_, pieces) => {
                for piece in pieces {
                    if let Piece::Term(term) = piece {
                        f(term);
                    }
                }
            }
            Self::List(Some(a)) | Self::Neg(a) | Self::Label(_, a) | Self::Each(a, _) => f(a),
            Self::Object(entries) => {
                for (key, value) in entries {
                    f(key);
                    f(value);
                }
            }
            Self::Pipe(terms) | Self::Comma(terms) | Self::Call(_, terms) => {
                terms.iter_mut().for_each(f);
            }
            Self::Bind(a, pattern, b) => {
                f(a);
                pattern.parts(f);
                f(b);
            }
            Self::Alt(a, b)
            | Self::Or(a, b)
            | Self::And(a, b)
            | Self::Math(_, a, b)
            | Self::Compare(_, a, b)
            | Self::Assign(a, b)
            | Self::Update(a, b)
            | Self::UpdateMath(_, a, b)
            | Self::UpdateAlt(a, b)
            | Self::Index(a, b, _) => {
                f(a);
                f(b);
            }
            Self::Reduce(a, pattern, b, c) => {
                f(a);
                pattern.parts(f);
                f(b);
                f(c);
            }
            Self::Foreach(a, pattern, b, c, d) => {
                f(a);
                pattern.parts(f);
                f(b);
                f(c);
                d.iter_mut().for_each(|d| f(d));
            }
            Self::Try(a, b) => {
                f(a);
                b.iter_mut().for_each(|b| f(b));
            }
            Self::If(cases, other) => {
                for (condition, then) in cases {
                    f(condition);
                    f(then);
                }
                other.iter_mut().for_each(|other| f(other));
            }
            Self::Def(def, a) => {
                f(&mut def.body);
                f(a);
            }
            Self::Slice(a, from, to, _) => {
                f(a);
                from.iter_mut().chain(to).for_each(|end| f(end));
            }
        }
    }
}

impl Pattern {
    fn parts(&mut self, f: &mut dyn FnMut(&mut Term)) {
        match self {
            Self::Var(_) => {}
            Self::List(items) => items.iter_mut().for_each(|item| item.parts(f)),
            Self::Object(entries) => {
                for (key, _, value) in entries {
                    f(key);
                    value.iter_mut().for_each(|value| value.parts(f));
                }
            }
        }
    }
}
