//! Forms that begin with a word or a bracket: conditions, folds, definitions, patterns, objects, texts.

use crate::value::Value;

use super::super::lex::{Part, Token};
use super::super::term::{Def, Pattern, Piece, Term};
use super::{KEYWORDS, Parser};
use crate::mapping::expr::Refused;

impl<'t> Parser<'t> {
    pub(crate) fn word(&mut self, word: &str) -> Result<Term, Refused> {
        match word {
            "true" => Ok(Term::Const(Value::Bool(true))),
            "false" => Ok(Term::Const(Value::Bool(false))),
            "null" => Ok(Term::Const(Value::Null)),
            "if" => self.condition(),
            "try" => {
                let body = self.deeper(Self::tried)?;
                let catch = if self.take_word("catch") {
                    Some(self.deeper(Self::tried)?.boxed())
                } else {
                    None
                };
                Ok(Term::Try(body.boxed(), catch))
            }
            "reduce" | "foreach" => self.fold(word),
            "label" => {
                let Some(Token::Var(name)) = self.peek() else {
                    return Err(self.expected("a variable"));
                };
                self.at += 1;
                self.need("|", "`|`")?;
                let body = self.pipe()?;
                Ok(Term::Label(name.clone(), body.boxed()))
            }
            "break" => {
                let Some(Token::Var(name)) = self.peek() else {
                    return Err(self.expected("a variable"));
                };
                self.at += 1;
                Ok(Term::Break(name.clone()))
            }
            "import" | "include" | "module" => Err(Refused::new(format!(
                "`{word}` is not allowed: expressions have no modules"
            ))),
            word if KEYWORDS.contains(&word) => {
                self.at -= 1;
                Err(self.expected("a value"))
            }
            name => {
                let mut args = Vec::new();
                if self.take("(") {
                    loop {
                        args.push(self.pipe()?);
                        if !self.take(";") {
                            break;
                        }
                    }
                    self.need(")", "`)`")?;
                }
                Ok(Term::Call(name.to_owned(), args))
            }
        }
    }

    /// What `try` and `catch` take: a term with its steps, without operators.
    pub(crate) fn tried(&mut self) -> Result<Term, Refused> {
        if self.sees("-") {
            return self.unary();
        }
        let term = self.primary()?;
        let term = self.steps(term)?;
        Ok(if self.take("?") {
            Term::Try(term.boxed(), None)
        } else {
            term
        })
    }

    pub(crate) fn condition(&mut self) -> Result<Term, Refused> {
        let mut cases = Vec::new();
        loop {
            let condition = self.pipe()?;
            self.need_word("then")?;
            cases.push((condition, self.pipe()?));
            if self.take_word("elif") {
                continue;
            }
            let other = if self.take_word("else") {
                Some(self.pipe()?.boxed())
            } else {
                None
            };
            if !self.take_word("end") {
                return Err(self.expected("`else` or `end`"));
            }
            return Ok(Term::If(cases, other));
        }
    }

    pub(crate) fn fold(&mut self, word: &str) -> Result<Term, Refused> {
        let source = self.primary()?;
        let source = self.steps(source)?;
        self.need_word("as")?;
        let pattern = self.pattern()?;
        self.need("(", "`(`")?;
        let init = self.pipe()?;
        self.need(";", "`;`")?;
        let update = self.pipe()?;
        let extract = if word == "foreach" && self.take(";") {
            Some(self.pipe()?.boxed())
        } else {
            None
        };
        self.need(")", "`)`")?;
        Ok(if word == "reduce" {
            Term::Reduce(source.boxed(), pattern, init.boxed(), update.boxed())
        } else {
            Term::Foreach(
                source.boxed(),
                pattern,
                init.boxed(),
                update.boxed(),
                extract,
            )
        })
    }

    pub(crate) fn def(&mut self) -> Result<Def, Refused> {
        let Some(Token::Word(name)) = self.peek() else {
            return Err(self.expected("a name"));
        };
        self.at += 1;
        let mut params = Vec::new();
        if self.take("(") {
            loop {
                match self.peek() {
                    Some(Token::Word(param)) => params.push(param.clone()),
                    Some(Token::Var(param)) => params.push(format!("${param}")),
                    _ => return Err(self.expected("the name of an argument")),
                }
                self.at += 1;
                if !self.take(";") {
                    break;
                }
            }
            self.need(")", "`)`")?;
        }
        self.need(":", "`:`")?;
        let body = self.pipe()?;
        self.need(";", "`;`")?;
        Ok(Def {
            name: name.clone(),
            params,
            body,
        })
    }

    pub(crate) fn pattern(&mut self) -> Result<Pattern, Refused> {
        self.deeper(|parser| {
            if let Some(Token::Var(name)) = parser.peek() {
                parser.at += 1;
                return Ok(Pattern::Var(name.clone()));
            }
            if parser.take("[") {
                let mut items = vec![parser.pattern()?];
                while parser.take(",") {
                    items.push(parser.pattern()?);
                }
                parser.need("]", "`]`")?;
                return Ok(Pattern::List(items));
            }
            if parser.take("{") {
                let mut entries = vec![parser.pattern_entry()?];
                while parser.take(",") {
                    entries.push(parser.pattern_entry()?);
                }
                parser.need("}", "`}`")?;
                return Ok(Pattern::Object(entries));
            }
            Err(parser.expected("a variable, a list or an object of them"))
        })
    }

    pub(crate) fn pattern_entry(
        &mut self,
    ) -> Result<(Term, Option<String>, Option<Pattern>), Refused> {
        let (key, var) = match self.peek() {
            Some(Token::Var(name)) => {
                self.at += 1;
                (Term::text(name.as_str()), Some(name.clone()))
            }
            Some(Token::Word(name)) => {
                self.at += 1;
                (Term::text(name.as_str()), None)
            }
            Some(Token::Text(parts)) => {
                self.at += 1;
                (self.text(None, parts)?, None)
            }
            Some(Token::Sign("(")) => {
                self.at += 1;
                let key = self.pipe()?;
                self.need(")", "`)`")?;
                (key, None)
            }
            _ => return Err(self.expected("a key")),
        };
        if self.take(":") {
            return Ok((key, var, Some(self.pattern()?)));
        }
        if var.is_none() {
            return Err(self.expected("`:`"));
        }
        Ok((key, var, None))
    }

    /// From after `{`.
    pub(crate) fn object(&mut self) -> Result<Term, Refused> {
        let mut entries = Vec::new();
        while !self.take("}") {
            entries.push(self.entry()?);
            if !self.take(",") {
                self.need("}", "`,` or `}`")?;
                break;
            }
        }
        Ok(Term::Object(entries))
    }

    pub(crate) fn entry(&mut self) -> Result<(Term, Term), Refused> {
        let of_dot = |key: &Term| Term::Index(Term::Id.boxed(), key.clone().boxed(), false);
        let Some(token) = self.peek() else {
            return Err(self.expected("a key"));
        };
        self.at += 1;
        let (key, value) = match token {
            Token::Var(name) => (Term::text(name.as_str()), Some(Term::Var(name.clone()))),
            Token::Word(name) => {
                let key = Term::text(name.as_str());
                let value = of_dot(&key);
                (key, Some(value))
            }
            Token::Number(text) => (Term::text(text.as_str()), None),
            Token::Text(parts) => {
                let key = self.text(None, parts)?;
                let value = of_dot(&key);
                (key, Some(value))
            }
            Token::Format(format) => match self.peek() {
                Some(Token::Text(parts)) => {
                    self.at += 1;
                    let key = self.text(Some(format), parts)?;
                    let value = of_dot(&key);
                    (key, Some(value))
                }
                _ => return Err(self.expected("a text")),
            },
            Token::Sign("(") => {
                let key = self.pipe()?;
                self.need(")", "`)`")?;
                (key, None)
            }
            Token::Sign(_) | Token::Field(_) => {
                self.at -= 1;
                return Err(self.expected("a key"));
            }
        };
        if self.take(":") {
            let value = self.deeper(|parser| parser.pipe_here(false))?;
            return Ok((key, value));
        }
        match value {
            Some(value) => Ok((key, value)),
            None => Err(self.expected("`:`")),
        }
    }

    pub(crate) fn text(
        &mut self,
        format: Option<&str>,
        parts: &'t [Part],
    ) -> Result<Term, Refused> {
        let mut pieces = Vec::with_capacity(parts.len());
        for part in parts {
            pieces.push(match part {
                Part::Text(text) => Piece::Text(text.clone()),
                Part::Tokens(tokens) => {
                    let mut inner = Parser {
                        source: self.source,
                        inner: true,
                        tokens,
                        at: 0,
                        depth: self.depth,
                    };
                    let term = inner.pipe()?;
                    if inner.peek().is_some() {
                        return Err(inner.expected("`)`"));
                    }
                    Piece::Term(term)
                }
            });
        }
        Ok(match pieces.as_slice() {
            [] => Term::text(""),
            [Piece::Text(text)] => Term::text(text.as_str()),
            _ => Term::Text(format.map(str::to_owned), pieces),
        })
    }
}
