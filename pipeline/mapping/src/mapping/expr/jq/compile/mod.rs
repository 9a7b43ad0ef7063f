//! Syntax tree to code: names become places, jq's own definitions are put in, and what is not allowed is refused.

pub(super) mod code;
mod names;
mod refer;

use std::sync::Arc;

use self::code::{Bound, Code, Compiled, Def, Fold, Global, Op, Piece, Special};
use self::refer::format_named;
use super::native::business;
use super::regex::{Pattern as Regex, Patterns};
use super::syntax::term::{self, Math, Pattern, Term};
use crate::mapping::expr::Refused;
use crate::mapping::expr::names::Names;
use crate::value::Value;

/// The most bytes of a text that is put together at compile time. A longer regular expression is compiled when it runs.
const LONGEST_CONSTANT: usize = 4_096;

/// The most parts of an expression, with jq's own definitions put in.
const MAX_PARTS: usize = 20_000;

/// The deepest that these parts may nest.
const MAX_NESTING: usize = 100;

/// Compiles a term. With `streamed`, every term is evaluated as a stream, for tests that compare the two ways.
pub(super) fn compile(term: &Term, names: &Names, streamed: bool) -> Result<Compiled, Refused> {
    let mut compiler = Compiler {
        known: Vec::new(),
        defs: Vec::new(),
        patterns: Patterns::default(),
        parts: 0,
        nesting: 0,
        undefined: Vec::new(),
        names,
        lets: Vec::new(),
        streamed,
    };
    let main = compiler.term(term)?;
    if let Some(first) = compiler.undefined.first() {
        let all: Vec<&str> = compiler
            .undefined
            .iter()
            .map(|refused| refused.problem.as_str())
            .collect();
        return Err(Refused {
            problem: all.join("; "),
            help: first.help.clone(),
            at: first.at,
        });
    }
    let defs = compiler.defs.into_iter().flatten().collect();
    Ok(Compiled {
        main,
        defs,
        patterns: compiler.patterns,
        lets: compiler.lets,
    })
}

/// What a name means here.
enum Known {
    Var(String),
    /// A variable that stands for this text.
    Const(String, String),
    Label(String),
    Arg(String),
    /// The name, the number of arguments, the place among the definitions, the number of bindings around it, and whether
    /// its body is being compiled.
    Def(String, usize, usize, usize, bool),
}

impl Known {
    fn is_var(&self, name: &str) -> bool {
        matches!(self, Self::Var(var) | Self::Const(var, _) if var == name)
    }
}

struct Compiler<'n> {
    known: Vec<Known>,
    defs: Vec<Option<Def>>,
    patterns: Patterns,
    parts: usize,
    nesting: usize,
    /// Filters that do not exist; they are all reported at once.
    undefined: Vec<Refused>,
    /// What the file names.
    names: &'n Names,
    /// The values of `let` that are used.
    lets: Vec<usize>,
    streamed: bool,
}

impl Compiler<'_> {
    fn code(&self, op: Op) -> Code {
        let mut code = Code::new(op);
        code.one &= !self.streamed;
        code
    }

    fn boxed(&mut self, term: &Term) -> Result<Box<Code>, Refused> {
        self.term(term).map(Box::new)
    }

    fn maybe(&mut self, term: Option<&Term>) -> Result<Option<Box<Code>>, Refused> {
        term.map(|term| self.boxed(term)).transpose()
    }

    fn all(&mut self, terms: &[Term]) -> Result<Vec<Code>, Refused> {
        terms.iter().map(|term| self.term(term)).collect()
    }

    /// How many bindings there are here.
    fn bindings(&self) -> usize {
        self.known
            .iter()
            .filter(|known| !matches!(known, Known::Def(..)))
            .count()
    }

    /// Compiles with these names known.
    fn with<T>(
        &mut self,
        names: Vec<Known>,
        f: impl FnOnce(&mut Self) -> Result<T, Refused>,
    ) -> Result<T, Refused> {
        let before = self.known.len();
        self.known.extend(names);
        let result = f(self);
        self.known.truncate(before);
        result
    }

    fn term(&mut self, term: &Term) -> Result<Code, Refused> {
        self.parts += 1;
        self.nesting += 1;
        if self.parts > MAX_PARTS {
            return Err(Refused::new("the expression is too large".to_owned()));
        }
        if self.nesting > MAX_NESTING {
            return Err(Refused::new(format!(
                "the expression is nested deeper than {MAX_NESTING} levels"
            )));
        }
        let op = self.op(term)?;
        self.nesting -= 1;
        Ok(match op {
            Made::Op(op) => self.code(op),
            Made::Code(code) => code,
        })
    }

    fn op(&mut self, term: &Term) -> Result<Made, Refused> {
        Ok(Made::Op(match term {
            Term::Id => Op::Id,
            Term::Const(value) => Op::Const(value.clone()),
            Term::Text(format, pieces) => {
                let format = format.as_deref().map(format_named).transpose()?;
                let mut made = Vec::with_capacity(pieces.len());
                for piece in pieces {
                    made.push(match piece {
                        term::Piece::Text(text) => Piece::Text(text.clone()),
                        term::Piece::Term(term) => Piece::Code(self.term(term)?),
                    });
                }
                Op::Text(format, made)
            }
            Term::Format(name) => Op::Format(format_named(name)?),
            Term::List(inner) => Op::List(self.maybe(inner.as_deref())?),
            Term::Object(entries) => {
                let mut made = Vec::with_capacity(entries.len());
                for (key, value) in entries {
                    made.push((self.term(key)?, self.term(value)?));
                }
                Op::Object(made)
            }
            Term::Neg(a) => Op::Neg(self.boxed(a)?),
            Term::Pipe(stages) => Op::Pipe(self.all(stages)?),
            Term::Comma(terms) => Op::Comma(self.all(terms)?),
            Term::Bind(source_term, pattern, body) => {
                let source = self.boxed(source_term)?;
                let constant = self.constant(source_term);
                let (bound, mut names) = self.pattern(pattern)?;
                if let (Pattern::Var(name), Some(text)) = (pattern, constant) {
                    names = vec![Known::Const(name.clone(), text)];
                }
                let body = self.with(names, |compiler| compiler.boxed(body))?;
                Op::Bind(source, bound, body)
            }
            Term::Alt(a, b) => Op::Alt(self.boxed(a)?, self.boxed(b)?),
            Term::Or(a, b) => Op::Or(self.boxed(a)?, self.boxed(b)?),
            Term::And(a, b) => Op::And(self.boxed(a)?, self.boxed(b)?),
            Term::Math(math, a, b) => Op::Math(*math, self.boxed(a)?, self.boxed(b)?),
            Term::Compare(compare, a, b) => Op::Compare(*compare, self.boxed(a)?, self.boxed(b)?),
            Term::Assign(a, b) => Op::Assign(self.boxed(a)?, self.boxed(b)?),
            Term::Update(a, b) => Op::Update(self.boxed(a)?, self.boxed(b)?),
            Term::UpdateMath(math, a, b) => Op::UpdateMath(*math, self.boxed(a)?, self.boxed(b)?),
            Term::UpdateAlt(a, b) => Op::UpdateAlt(self.boxed(a)?, self.boxed(b)?),
            Term::Label(name, body) => {
                let names = vec![Known::Label(name.clone())];
                Op::Label(self.with(names, |compiler| compiler.boxed(body))?)
            }
            Term::Break(name) => {
                let is = |known: &Known| matches!(known, Known::Label(label) if label == name);
                match self.up(is) {
                    Some(up) => Op::Break(up),
                    None => return Err(Refused::new(format!("there is no label `${name}`"))),
                }
            }
            Term::Reduce(source, pattern, init, update) => {
                Op::Reduce(self.fold(source, pattern, init, update, None)?)
            }
            Term::Foreach(source, pattern, init, update, extract) => {
                Op::Foreach(self.fold(source, pattern, init, update, extract.as_deref())?)
            }
            Term::Try(a, b) => Op::Try(self.boxed(a)?, self.maybe(b.as_deref())?),
            Term::If(cases, other) => {
                let mut made = Vec::with_capacity(cases.len());
                for (condition, then) in cases {
                    made.push((self.term(condition)?, self.term(then)?));
                }
                Op::If(made, self.maybe(other.as_deref())?)
            }
            Term::Def(def, body) => return self.definition(def, body).map(Made::Code),
            Term::Call(name, args) => return self.call(name, args),
            Term::Var(name) => self.var(name)?,
            Term::Index(a, key, optional) => Op::Index(self.boxed(a)?, self.boxed(key)?, *optional),
            Term::Slice(a, from, to, optional) => Op::Slice(
                self.boxed(a)?,
                self.maybe(from.as_deref())?,
                self.maybe(to.as_deref())?,
                *optional,
            ),
            Term::Each(a, optional) => Op::Each(self.boxed(a)?, *optional),
        }))
    }

    fn fold(
        &mut self,
        source: &Term,
        pattern: &Pattern,
        init: &Term,
        update: &Term,
        extract: Option<&Term>,
    ) -> Result<Box<Fold>, Refused> {
        let source = self.term(source)?;
        let init = self.term(init)?;
        let (pattern, names) = self.pattern(pattern)?;
        let (update, extract) = self.with(names, |compiler| {
            let extract = |compiler: &mut Self| extract.map(|e| compiler.term(e)).transpose();
            Ok((compiler.term(update)?, extract(compiler)?))
        })?;
        Ok(Box::new(Fold {
            source,
            pattern,
            init,
            update,
            extract,
        }))
    }

    /// What a pattern binds, and the names of its variables in their order.
    fn pattern(&mut self, pattern: &Pattern) -> Result<(Bound, Vec<Known>), Refused> {
        Ok(match pattern {
            Pattern::Var(name) => (Bound::Var, vec![Known::Var(name.clone())]),
            Pattern::List(items) => {
                let mut bound = Vec::with_capacity(items.len());
                let mut names = Vec::new();
                for item in items {
                    let (item, more) = self.pattern(item)?;
                    bound.push(item);
                    names.extend(more);
                }
                (Bound::List(bound), names)
            }
            Pattern::Object(entries) => {
                let mut bound = Vec::with_capacity(entries.len());
                let mut names = Vec::new();
                for (key, var, value) in entries {
                    let key = self.term(key)?;
                    names.extend(var.clone().map(Known::Var));
                    let value = match value {
                        None => None,
                        Some(value) => {
                            let (value, more) = self.pattern(value)?;
                            names.extend(more);
                            Some(value)
                        }
                    };
                    bound.push((key, var.is_some(), value));
                }
                (Bound::Object(bound), names)
            }
        })
    }

    /// The nearest name for which this holds, as a number of bindings up.
    fn up(&self, is: impl Fn(&Known) -> bool) -> Option<usize> {
        self.known
            .iter()
            .rev()
            .filter(|known| !matches!(known, Known::Def(..)))
            .position(is)
    }

    fn var(&mut self, name: &str) -> Result<Op, Refused> {
        if let Some(up) = self.up(|known| known.is_var(name)) {
            return Ok(Op::Var(up));
        }
        match name {
            "event" => Ok(Op::Global(Global::Event)),
            "record" => Ok(Op::Global(Global::Record)),
            "item" if self.names.has_item() => Ok(Op::Global(Global::Item)),
            "index" if self.names.has_item() => Ok(Op::Global(Global::Index)),
            _ => match self.names.let_named(name) {
                Some(index) => {
                    self.lets.push(index);
                    Ok(Op::Global(Global::Let(index)))
                }
                None => Err(refer::no_variable(name, self.names)),
            },
        }
    }

    fn definition(&mut self, def: &term::Def, body: &Term) -> Result<Code, Refused> {
        if def.name.starts_with("__") || def.params.iter().any(|param| param.contains("__")) {
            return Err(Refused::new(
                "names that begin with `__` are not allowed".to_owned(),
            ));
        }
        let index = self.defs.len();
        self.defs.push(None);
        let bindings = self.bindings();
        let arity = def.params.len();
        let known = |open| Known::Def(def.name.clone(), arity, index, bindings, open);
        let mut names = vec![known(true)];
        names.extend(
            def.params
                .iter()
                .map(|param| Known::Arg(param.trim_start_matches('$').to_owned())),
        );
        let values: Vec<&String> = def.params.iter().filter(|p| p.starts_with('$')).collect();
        names.extend(
            values
                .iter()
                .map(|param| Known::Var(param.trim_start_matches('$').to_owned())),
        );
        let compiled = self.with(names, |compiler| compiler.term(&def.body))?;
        let made = Def {
            values: def.params.iter().map(|p| p.starts_with('$')).collect(),
            body: compiled,
        };
        if let Some(place) = self.defs.get_mut(index) {
            *place = Some(made);
        }
        self.with(vec![known(false)], |compiler| compiler.term(body))
    }

    fn call(&mut self, name: &str, args: &[Term]) -> Result<Made, Refused> {
        let own = self.known.iter().rev().find_map(|known| match known {
            Known::Def(def, arity, index, bindings, open)
                if def == name && *arity == args.len() =>
            {
                Some(Some((*index, *bindings, *open)))
            }
            Known::Arg(arg) if arg == name && args.is_empty() => Some(None),
            Known::Def(..) | Known::Arg(_) | Known::Var(_) | Known::Const(..) | Known::Label(_) => {
                None
            }
        });
        match own {
            Some(Some((_, _, true))) => {
                let endless = Refused::new(format!("`{name}` calls itself and need not end"));
                return Err(endless.helped("use map, reduce, until or `..`"));
            }
            Some(Some((index, bindings, false))) => {
                let up = self.bindings().saturating_sub(bindings);
                let args = self.all(args)?;
                return Ok(Made::Op(Op::Call(index, up, args)));
            }
            Some(None) => {
                let is = |known: &Known| matches!(known, Known::Arg(arg) if arg == name);
                let up = self.up(is).unwrap_or_default();
                return Ok(Made::Op(Op::Arg(up)));
            }
            None => {}
        }
        if let ("lookup", [table]) = (name, args) {
            let table = self.constant(table);
            return refer::table(table.as_deref(), self.names)
                .map(|table| Made::Op(Op::Lookup(table)));
        }
        if let Some(special) = Special::named(name, args.len()) {
            self.prepare(special, args)?;
            let args = self.all(args)?;
            return Ok(Made::Op(Op::Special(special, args)));
        }
        if let Some(plain) = names::plain(name, args.len()) {
            if let Some(constant) = args.last().and_then(|arg| self.constant(arg))
                && let Some((problem, help)) = business::refused(name, &constant)
            {
                return Err(Refused {
                    help,
                    ..Refused::new(problem)
                });
            }
            if name == "test" {
                self.regex(args.first(), args.get(1))?;
            }
            let args = self.all(args)?;
            return Ok(Made::Op(Op::Native(plain, args)));
        }
        match names::defined(name, args.len()) {
            Some(def) => {
                let filled = names::filled(def, args);
                self.term(&filled).map(Made::Code)
            }
            None => {
                let missing = names::missing(name, args.len());
                self.undefined.push(match self.names.table(name) {
                    Some(_) => {
                        missing.helped(format!("a table is asked with `lookup(\"{name}\")`"))
                    }
                    None => missing,
                });
                Ok(Made::Op(Op::Const(Value::Null)))
            }
        }
    }

    /// Compiles constant regular expressions, so that their mistakes are found when the file is read.
    fn prepare(&mut self, special: Special, args: &[Term]) -> Result<(), Refused> {
        match special {
            Special::Match | Special::Splits | Special::Scan => {
                self.regex(args.first(), args.get(1))
            }
            Special::Sub | Special::Gsub => self.regex(args.first(), args.get(2)),
            Special::Empty
            | Special::Error
            | Special::Path
            | Special::GetPath
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
            | Special::ToStream => Ok(()),
        }
    }

    /// The text that a term always gives.
    fn constant(&self, term: &Term) -> Option<String> {
        match term {
            Term::Const(Value::String(text)) => Some(text.clone().into_owned()),
            Term::Math(Math::Add, a, b) => {
                let text = self.constant(a)? + &self.constant(b)?;
                (text.len() <= LONGEST_CONSTANT).then_some(text)
            }
            Term::Var(name) => match self.known.iter().rev().find(|known| known.is_var(name))? {
                Known::Const(_, text) => Some(text.clone()),
                _ => None,
            },
            _ => None,
        }
    }

    fn regex(&mut self, pattern: Option<&Term>, flags: Option<&Term>) -> Result<(), Refused> {
        // `[pattern, flags]`
        let (pattern, flags) = match pattern {
            Some(Term::List(Some(listed))) => match &**listed {
                Term::Comma(parts) => (parts.first(), parts.get(1)),
                only => (Some(only), None),
            },
            other => (other, flags),
        };
        let Some(pattern) = pattern.and_then(|term| self.constant(term)) else {
            return Ok(());
        };
        // flags that are known only at run time do not decide whether it compiles
        let flags = flags.and_then(|term| self.constant(term));
        let flags = flags.as_deref().unwrap_or_default();
        let regex = Regex::compile(&pattern, flags).map_err(|problem| {
            Refused::new(format!("the regular expression `{pattern}` {problem}"))
        })?;
        self.patterns.add(Arc::new(regex));
        Ok(())
    }
}

enum Made {
    Op(Op),
    Code(Code),
}
