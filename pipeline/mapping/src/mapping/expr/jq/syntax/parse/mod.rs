//! Tokens to a syntax tree, with the precedences of jq.

mod forms;
mod number;

use crate::value::Value;

use self::number::{negated, number};
use super::lex::{Part, Placed, Token, ended, tokens};
use super::term::{Compare, Def, Math, Term};
use crate::mapping::expr::Refused;

/// The longest expression in bytes.
const MAX_LENGTH: usize = 8_192;
/// The deepest nesting of an expression.
const MAX_NESTING: usize = 60;
/// The longest chain of operators of one precedence.
const MAX_CHAIN: usize = 60;

/// Parses an expression.
pub(crate) fn parse(text: &str) -> Result<Term, Refused> {
    if text.len() > MAX_LENGTH {
        return Err(Refused::new(format!(
            "the expression is longer than {MAX_LENGTH} bytes"
        )));
    }
    if text.trim().is_empty() {
        let empty = Refused::new("the expression is empty");
        return Err(empty.helped("for an empty text write '\"\"'"));
    }
    let tokens = tokens(text)?;
    reserved(&tokens)?;
    let mut parser = Parser {
        source: text,
        inner: false,
        tokens: &tokens,
        at: 0,
        depth: 0,
    };
    let term = parser.pipe()?;
    match parser.peek() {
        None => Ok(term),
        Some(_) => Err(parser.expected("an operator or the end")),
    }
}

/// Refuses names that begin with `__`: jq's own definitions use them.
fn reserved(tokens: &[Placed]) -> Result<(), Refused> {
    for placed in tokens {
        match &placed.token {
            Token::Word(name) if name.starts_with("__") => {
                return Err(Refused::new(format!("there is no filter `{name}`")));
            }
            Token::Var(name) if name.starts_with("__") => {
                return Err(Refused::new(format!("there is no variable `${name}`")));
            }
            Token::Text(parts) => {
                for part in parts {
                    if let Part::Tokens(tokens) = part {
                        reserved(tokens)?;
                    }
                }
            }
            Token::Word(_)
            | Token::Var(_)
            | Token::Field(_)
            | Token::Format(_)
            | Token::Number(_)
            | Token::Sign(_) => {}
        }
    }
    Ok(())
}

/// Parses definitions, one after the other.
pub(crate) fn definitions(text: &str) -> Result<Vec<Def>, Refused> {
    let tokens = tokens(text)?;
    let mut parser = Parser {
        source: text,
        inner: false,
        tokens: &tokens,
        at: 0,
        depth: 0,
    };
    let mut defs = Vec::new();
    while parser.take_word("def") {
        defs.push(parser.def()?);
    }
    match parser.peek() {
        None => Ok(defs),
        Some(_) => Err(parser.expected("`def`")),
    }
}

struct Parser<'t> {
    source: &'t str,
    /// It reads an interpolation in a text.
    inner: bool,
    tokens: &'t [Placed],
    at: usize,
    depth: usize,
}

/// How a chain of operators of one precedence nests.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Nests {
    Left,
    Right,
    Not,
}

// precedences of binary operators, the weakest first
const ALT: u8 = 1;
const ASSIGN: u8 = 2;
const OR: u8 = 3;
const AND: u8 = 4;
const COMPARE: u8 = 5;
const SUM: u8 = 6;
const PRODUCT: u8 = 7;

fn operator(token: &Token) -> Option<(u8, Nests)> {
    Some(match token {
        Token::Sign("//") => (ALT, Nests::Right),
        Token::Sign("=" | "|=" | "+=" | "-=" | "*=" | "/=" | "%=" | "//=") => (ASSIGN, Nests::Not),
        Token::Sign("==" | "!=" | "<" | "<=" | ">" | ">=") => (COMPARE, Nests::Not),
        Token::Sign("+" | "-") => (SUM, Nests::Left),
        Token::Sign("*" | "/" | "%") => (PRODUCT, Nests::Left),
        Token::Word(word) if word == "or" => (OR, Nests::Left),
        Token::Word(word) if word == "and" => (AND, Nests::Left),
        Token::Sign(_)
        | Token::Word(_)
        | Token::Field(_)
        | Token::Var(_)
        | Token::Format(_)
        | Token::Number(_)
        | Token::Text(_) => return None,
    })
}

const KEYWORDS: &[&str] = &[
    "as", "import", "include", "module", "def", "if", "then", "else", "elif", "and", "or", "end",
    "reduce", "foreach", "try", "catch", "label", "break", "__loc__",
];

impl<'t> Parser<'t> {
    fn peek(&self) -> Option<&'t Token> {
        self.tokens.get(self.at).map(|placed| &placed.token)
    }

    fn sees(&self, sign: &str) -> bool {
        matches!(self.peek(), Some(Token::Sign(found)) if *found == sign)
    }

    fn sees_word(&self, wanted: &str) -> bool {
        matches!(self.peek(), Some(Token::Word(word)) if word == wanted)
    }

    fn take(&mut self, sign: &str) -> bool {
        let found = self.sees(sign);
        self.at += usize::from(found);
        found
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = self.sees_word(word);
        self.at += usize::from(found);
        found
    }

    fn need(&mut self, sign: &str, what: &str) -> Result<(), Refused> {
        if self.take(sign) {
            return Ok(());
        }
        Err(self.expected(what))
    }

    fn need_word(&mut self, word: &str) -> Result<(), Refused> {
        if self.take_word(word) {
            return Ok(());
        }
        Err(self.expected(&format!("`{word}`")))
    }

    fn expected(&self, what: &str) -> Refused {
        match self.tokens.get(self.at) {
            Some(placed) => {
                let rest = self.source.get(placed.at..).unwrap_or_default();
                let shown: String = rest.chars().take(20).collect();
                Refused::new(format!("expected {what} before `{}`", shown.trim_end())).at(placed.at)
            }
            None if self.inner => Refused::new(format!(
                "expected {what}, but the part of the text in `\\(…)` ends"
            )),
            None => ended(what, self.source),
        }
    }

    fn deeper<T>(&mut self, f: impl FnOnce(&mut Self) -> Result<T, Refused>) -> Result<T, Refused> {
        self.depth += 1;
        if self.depth > MAX_NESTING {
            return Err(Refused::new(format!(
                "the expression is nested deeper than {MAX_NESTING} levels"
            )));
        }
        let result = f(self);
        self.depth -= 1;
        result
    }

    /// `def …; a | b`, `a as $x | b`, `label $x | a`
    fn pipe(&mut self) -> Result<Term, Refused> {
        self.deeper(|parser| parser.pipe_here(true))
    }

    fn pipe_here(&mut self, with_comma: bool) -> Result<Term, Refused> {
        if self.take_word("def") {
            let def = self.def()?;
            let body = self.deeper(|parser| parser.pipe_here(with_comma))?;
            return Ok(Term::Def(Box::new(def), body.boxed()));
        }
        let mut stages = vec![self.comma(with_comma)?];
        while self.take("|") {
            if self.sees_word("def") {
                stages.push(self.deeper(|parser| parser.pipe_here(with_comma))?);
                break;
            }
            stages.push(self.comma(with_comma)?);
        }
        Ok(single(stages, Term::Pipe))
    }

    fn comma(&mut self, with_comma: bool) -> Result<Term, Refused> {
        let mut terms = vec![self.binary(0)?];
        while with_comma && self.take(",") {
            terms.push(self.binary(0)?);
        }
        Ok(single(terms, Term::Comma))
    }

    /// Operators that bind at least as tightly as `least`.
    fn binary(&mut self, least: u8) -> Result<Term, Refused> {
        self.deeper(|parser| parser.binary_here(least))
    }

    fn binary_here(&mut self, least: u8) -> Result<Term, Refused> {
        let mut left = self.unary()?;
        let mut chain = 0;
        let mut last_bare = None;
        while let Some((binds, nests)) = self.peek().and_then(operator) {
            if binds < least {
                break;
            }
            if nests == Nests::Not && last_bare == Some(binds) {
                return Err(self.expected("brackets around the comparison"));
            }
            chain += 1;
            if chain > MAX_CHAIN {
                return Err(Refused::new(format!(
                    "more than {MAX_CHAIN} operators in a row"
                )));
            }
            let Some(token) = self.peek() else { break };
            self.at += 1;
            let tighter = if nests == Nests::Right {
                binds
            } else {
                binds + 1
            };
            if matches!(token, Token::Sign("==")) && self.sees("=") {
                return Err(self.expected("a value").helped("`==` compares"));
            }
            let right = self.binary(tighter)?;
            last_bare = Some(binds);
            left = combine(token, left, right);
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Term, Refused> {
        if self.take("-") {
            let inner = self.binary(PRODUCT)?;
            return Ok(match inner {
                Term::Const(Value::Number(number)) => negated(&number),
                inner => Term::Neg(inner.boxed()),
            });
        }
        self.postfix()
    }

    fn postfix(&mut self) -> Result<Term, Refused> {
        let term = self.primary()?;
        let mut term = self.steps(term)?;
        let mut questions = 0;
        while self.take("?") {
            questions += 1;
            if questions == 1 {
                term = Term::Try(term.boxed(), None);
            }
        }
        if self.take_word("as") {
            let pattern = self.pattern()?;
            self.need("|", "`|`")?;
            let body = self.pipe()?;
            return Ok(Term::Bind(term.boxed(), pattern, body.boxed()));
        }
        Ok(term)
    }

    /// `.a`, `."a"`, `[…]` after a term, each with its `?`
    fn steps(&mut self, mut term: Term) -> Result<Term, Refused> {
        let mut chain = 0;
        loop {
            let before = self.at;
            if let Some(Token::Field(name)) = self.peek() {
                self.at += 1;
                let optional = self.take("?");
                term = Term::Index(term.boxed(), Term::text(name.as_str()).boxed(), optional);
            } else if self.sees("[") {
                self.at += 1;
                term = self.bracket(term)?;
            } else if self.take(".") {
                if let Some(Token::Text(parts)) = self.peek() {
                    self.at += 1;
                    let key = self.text(None, parts)?;
                    let optional = self.take("?");
                    term = Term::Index(term.boxed(), key.boxed(), optional);
                } else if self.take("[") {
                    term = self.bracket(term)?;
                } else {
                    return Err(self.expected("a key"));
                }
            }
            if self.at == before {
                return Ok(term);
            }
            chain += 1;
            if chain > MAX_CHAIN {
                return Err(Refused::new(format!(
                    "a path of more than {MAX_CHAIN} steps"
                )));
            }
        }
    }

    /// From after `[`: `]`, `a]`, `a:b]`, `:b]`, `a:]`
    fn bracket(&mut self, term: Term) -> Result<Term, Refused> {
        if self.take("]") {
            let optional = self.take("?");
            return Ok(Term::Each(term.boxed(), optional));
        }
        let from = if self.sees(":") {
            None
        } else {
            Some(self.pipe()?)
        };
        if self.take(":") {
            let to = if self.sees("]") {
                None
            } else {
                Some(self.pipe()?)
            };
            self.need("]", "`]`")?;
            let optional = self.take("?");
            return Ok(Term::Slice(
                term.boxed(),
                from.map(Term::boxed),
                to.map(Term::boxed),
                optional,
            ));
        }
        self.need("]", "`]`")?;
        let optional = self.take("?");
        match from {
            Some(key) => Ok(Term::Index(term.boxed(), key.boxed(), optional)),
            None => Err(self.expected("a key")),
        }
    }

    fn primary(&mut self) -> Result<Term, Refused> {
        let Some(token) = self.peek() else {
            return Err(self.expected("a value"));
        };
        self.at += 1;
        match token {
            Token::Number(text) => number(text),
            Token::Text(parts) => self.text(None, parts),
            Token::Format(format) => match self.peek() {
                Some(Token::Text(parts)) => {
                    self.at += 1;
                    self.text(Some(format), parts)
                }
                _ => Ok(Term::Format(format.clone())),
            },
            Token::Var(name) => Ok(Term::Var(name.clone())),
            Token::Field(name) => {
                let optional = self.take("?");
                Ok(Term::Index(
                    Term::Id.boxed(),
                    Term::text(name.as_str()).boxed(),
                    optional,
                ))
            }
            Token::Sign("..") => Ok(Term::Call("recurse".to_owned(), Vec::new())),
            Token::Sign(".") => match self.peek() {
                Some(Token::Text(parts)) => {
                    self.at += 1;
                    let key = self.text(None, parts)?;
                    let optional = self.take("?");
                    Ok(Term::Index(Term::Id.boxed(), key.boxed(), optional))
                }
                _ => Ok(Term::Id),
            },
            Token::Sign("(") => {
                let inner = self.pipe()?;
                self.need(")", "`)`")?;
                Ok(inner)
            }
            Token::Sign("[") => {
                if self.take("]") {
                    return Ok(Term::List(None));
                }
                let inner = self.pipe()?;
                self.need("]", "`]`")?;
                Ok(Term::List(Some(inner.boxed())))
            }
            Token::Sign("{") => self.deeper(Self::object),
            Token::Word(word) => self.word(word),
            Token::Sign(_) => {
                self.at -= 1;
                Err(self.expected("a value"))
            }
        }
    }
}

fn single(mut terms: Vec<Term>, all: fn(Vec<Term>) -> Term) -> Term {
    match (terms.pop(), terms.is_empty()) {
        (Some(only), true) => only,
        (last, _) => {
            terms.extend(last);
            all(terms)
        }
    }
}

fn combine(token: &Token, left: Term, right: Term) -> Term {
    let (left, right) = (left.boxed(), right.boxed());
    let sign = match token {
        Token::Sign(sign) => *sign,
        Token::Word(word) if word == "or" => return Term::Or(left, right),
        _ => return Term::And(left, right),
    };
    let math = |sign: &str| match sign {
        "+" => Some(Math::Add),
        "-" => Some(Math::Sub),
        "*" => Some(Math::Mul),
        "/" => Some(Math::Div),
        "%" => Some(Math::Rem),
        _ => None,
    };
    if let Some(math) = math(sign) {
        return Term::Math(math, left, right);
    }
    match sign {
        "//" => Term::Alt(left, right),
        "=" => Term::Assign(left, right),
        "|=" => Term::Update(left, right),
        "//=" => Term::UpdateAlt(left, right),
        "==" => Term::Compare(Compare::Eq, left, right),
        "!=" => Term::Compare(Compare::Ne, left, right),
        "<" => Term::Compare(Compare::Lt, left, right),
        "<=" => Term::Compare(Compare::Le, left, right),
        ">" => Term::Compare(Compare::Gt, left, right),
        ">=" => Term::Compare(Compare::Ge, left, right),
        update => match math(update.trim_end_matches('=')) {
            Some(math) => Term::UpdateMath(math, left, right),
            None => Term::And(left, right),
        },
    }
}
