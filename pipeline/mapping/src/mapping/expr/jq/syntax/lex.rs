//! Text to tokens.

use crate::mapping::expr::Refused;

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Token {
    /// `name`, keywords included
    Word(String),
    /// `.name`
    Field(String),
    /// `$name`
    Var(String),
    /// `@name`
    Format(String),
    /// A number as written.
    Number(String),
    /// A text; its interpolations are the tokens between the brackets.
    Text(Vec<Part>),
    /// Everything else.
    Sign(&'static str),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Part {
    Text(String),
    Tokens(Vec<Placed>),
}

/// A token and the byte at which it begins.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Placed {
    pub(crate) token: Token,
    pub(crate) at: usize,
}

/// The longest first, because the longest that fits wins.
const SIGNS: &[&str] = &[
    "?//=", "?//", "//=", "..", "|=", "+=", "-=", "*=", "/=", "%=", "==", "!=", "<=", ">=", "//",
    ".", "[", "]", "(", ")", "{", "}", "|", ",", ":", ";", "=", "<", ">", "+", "-", "*", "/", "%",
    "?", "$",
];

struct Lexer<'t> {
    text: &'t str,
    at: usize,
    /// How many texts surround this place.
    nested: usize,
}

/// The deepest nesting of texts within texts.
const MAX_NESTED: usize = 20;

pub(crate) fn tokens(text: &str) -> Result<Vec<Placed>, Refused> {
    let mut lexer = Lexer {
        text,
        at: 0,
        nested: 0,
    };
    let tokens = lexer.until(false)?;
    Ok(tokens)
}

/// The error for a text that ends too early.
pub(crate) fn ended(what: &str, text: &str) -> Refused {
    let text = text.trim_end();
    let end = text.chars().count();
    Refused::new(format!(
        "expected {what}, but the expression ends after character {end}"
    ))
    .at(text.len())
}

/// How many characters of the expression a message shows.
const SHOWN: usize = 20;

impl<'t> Lexer<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn shown(&self) -> String {
        self.rest().chars().take(SHOWN).collect()
    }

    fn expected(&self, what: &str) -> Refused {
        if self.rest().trim_end().is_empty() {
            return ended(what, self.text);
        }
        Refused::new(format!("expected {what} at `{}`", self.shown())).at(self.at)
    }

    /// The tokens up to the end or, within a text, up to the bracket that closes the interpolation.
    fn until(&mut self, inner: bool) -> Result<Vec<Placed>, Refused> {
        let mut tokens = Vec::new();
        let mut open = 0_usize;
        loop {
            self.skip();
            let at = self.at;
            let Some(first) = self.rest().chars().next() else {
                if inner {
                    return Err(self.expected("`)`"));
                }
                return Ok(tokens);
            };
            let token = self.token(first)?;
            match token {
                Token::Sign("(") => open += 1,
                Token::Sign(")") if inner && open == 0 => return Ok(tokens),
                Token::Sign(")") => open = open.saturating_sub(1),
                Token::Sign(_)
                | Token::Word(_)
                | Token::Field(_)
                | Token::Var(_)
                | Token::Format(_)
                | Token::Number(_)
                | Token::Text(_) => {}
            }
            tokens.push(Placed { token, at });
        }
    }

    /// Skips blanks and comments.
    fn skip(&mut self) {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start();
            self.at += rest.len() - trimmed.len();
            if !trimmed.starts_with('#') {
                return;
            }
            self.at += trimmed.find('\n').unwrap_or(trimmed.len());
        }
    }

    fn token(&mut self, first: char) -> Result<Token, Refused> {
        let begins_name = |c: char| c.is_ascii_alphabetic() || c == '_';
        let second = self.rest().chars().nth(1);
        match first {
            '"' => {
                self.at += 1;
                self.string().map(Token::Text)
            }
            c if begins_name(c) => Ok(Token::Word(self.name())),
            '.' if second.is_some_and(begins_name) => {
                self.at += 1;
                Ok(Token::Field(self.name()))
            }
            '$' if second.is_some_and(begins_name) => {
                self.at += 1;
                Ok(Token::Var(self.name()))
            }
            '@' if second.is_some_and(|c| begins_name(c) || c.is_ascii_digit()) => {
                self.at += 1;
                Ok(Token::Format(self.name()))
            }
            c if c.is_ascii_digit() => Ok(Token::Number(self.number())),
            '.' if second.is_some_and(|c| c.is_ascii_digit()) => Ok(Token::Number(self.number())),
            _ => match SIGNS.iter().find(|sign| self.rest().starts_with(**sign)) {
                // `.a?//b` is read as `.a? // b`; jq's patterns with alternatives do not exist here
                Some(sign) if sign.starts_with("?//") => {
                    self.at += 1;
                    Ok(Token::Sign("?"))
                }
                Some(sign) => {
                    self.at += sign.len();
                    Ok(Token::Sign(sign))
                }
                None => Err(self.wrong_sign()),
            },
        }
    }

    fn wrong_sign(&self) -> Refused {
        let rest = self.rest();
        let known = [("&&", "and"), ("&", "and"), ("!", "not, or `!=`")];
        let help = known
            .iter()
            .find(|(sign, _)| rest.starts_with(sign))
            .map(|(sign, word)| format!("instead of `{sign}` write {word}"))
            .or_else(|| {
                rest.starts_with('\'')
                    .then(|| "a text needs double quotes".to_owned())
            });
        let c: String = rest.chars().take(1).collect();
        let before = self.text.get(..self.at).unwrap_or_default().chars().count();
        Refused {
            problem: format!("the `{c}` at character {} means nothing", before + 1),
            help,
            at: Some(self.at),
        }
    }

    fn name(&mut self) -> String {
        let rest = self.rest();
        let end = rest
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or_default().to_owned()
    }

    fn number(&mut self) -> String {
        let bytes = self.rest().as_bytes();
        let digits = |from: usize| {
            let rest = bytes.get(from..).unwrap_or_default();
            from + rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
        };
        let mut end = digits(0);
        if bytes.get(end) == Some(&b'.') {
            end = digits(end + 1);
        }
        if matches!(bytes.get(end), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
            let exponent = digits(end + 1 + sign);
            if exponent > end + 1 + sign {
                end = exponent;
            }
        }
        let number = self.rest().get(..end).unwrap_or_default().to_owned();
        self.at += end;
        number
    }

    /// The parts of a text, from after its opening quote.
    fn string(&mut self) -> Result<Vec<Part>, Refused> {
        let mut parts = Vec::new();
        let mut text = String::new();
        loop {
            let rest = self.rest();
            let plain = rest.find(['"', '\\']).unwrap_or(rest.len());
            text.push_str(rest.get(..plain).unwrap_or_default());
            self.at += plain;
            let mut chars = self.rest().chars();
            match (chars.next(), chars.next()) {
                (None, _) => {
                    return Err(self.expected("a closing `\"`"));
                }
                (Some('"'), _) => {
                    self.at += 1;
                    if !text.is_empty() {
                        parts.push(Part::Text(text));
                    }
                    return Ok(parts);
                }
                (Some(_), Some('(')) => {
                    self.at += 2;
                    if !text.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut text)));
                    }
                    self.nested += 1;
                    if self.nested > MAX_NESTED {
                        return Err(Refused::new(format!(
                            "texts are nested deeper than {MAX_NESTED} levels"
                        )));
                    }
                    parts.push(Part::Tokens(self.until(true)?));
                    self.nested -= 1;
                }
                (Some(_), Some('u')) => {
                    let c = self.unicode()?;
                    text.push(c);
                }
                (Some(_), Some(escaped)) => {
                    let c = match escaped {
                        '"' | '\\' | '/' => escaped,
                        'b' => '\u{8}',
                        'f' => '\u{c}',
                        'n' => '\n',
                        'r' => '\r',
                        't' => '\t',
                        _ => {
                            return Err(Refused {
                                help: Some(
                                    "in a regular expression a backslash is written twice: \\\\d"
                                        .to_owned(),
                                ),
                                ..self.expected("a legal escape")
                            });
                        }
                    };
                    self.at += 2;
                    text.push(c);
                }
                (Some(_), None) => return Err(ended("what the backslash stands for", self.text)),
            }
        }
    }

    /// `\u0041`, or the two halves of a character beyond the first plane. A lone half is U+FFFD.
    fn unicode(&mut self) -> Result<char, Refused> {
        let unit = |lexer: &Self| {
            let digits = lexer.rest().strip_prefix("\\u")?.get(..4)?;
            let legal = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            legal
                .then(|| u32::from_str_radix(digits, 16).ok())
                .flatten()
        };
        let first = unit(self).ok_or_else(|| self.expected("four hexadecimal digits"))?;
        self.at += 6;
        if let Some(c) = char::from_u32(first) {
            return Ok(c);
        }
        if (0xD800..0xDC00).contains(&first)
            && let Some(second) = unit(self)
            && (0xDC00..0xE000).contains(&second)
        {
            self.at += 6;
            let code = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
            return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        Ok(char::REPLACEMENT_CHARACTER)
    }
}
