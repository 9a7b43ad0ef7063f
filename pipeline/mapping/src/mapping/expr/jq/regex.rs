//! Regular expressions, within bounds.
//!
//! The engine is that of the `regex` crates: its time is at most pattern times text. jq uses Oniguruma; what only Oniguruma
//! has (look-around, back-references, atomic groups) is refused. `\w`, `\d`, `\s`, `\b` and case follow Unicode.

use std::cell::RefCell;
use std::sync::Arc;

use regex_automata::meta::{Config, Regex};
use regex_automata::util::captures::Captures;
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input};

use super::super::meter::{Limit, Meter};
use super::data::stop::{Flow, Res, Stop, error, type_error};
use super::data::value::Val;

/// Bytes of the program that a pattern may become.
const MAX_PROGRAM: usize = 512 * 1024;
/// The longest pattern in bytes.
const MAX_PATTERN: usize = 4_096;
/// The most groups of a pattern.
const MAX_GROUPS: usize = 64;
/// Bytes that a lazily built automaton may take.
const CACHE: usize = 256 * 1024;
/// The most patterns that an evaluation keeps.
const MAX_KEPT: usize = 8;
/// Steps for compiling a pattern.
const COMPILE_STEPS: usize = 20_000;

/// A compiled pattern.
#[derive(Debug)]
pub(super) struct Pattern {
    text: String,
    flags: Flags,
    regex: Regex,
    /// The length of the longest possible match, if there is a limit.
    longest: Option<usize>,
    /// The cost of one byte of text.
    price: usize,
    names: Vec<Option<String>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Flags {
    global: bool,
    ignore_case: bool,
    extended: bool,
    dot_all: bool,
    not_empty: bool,
}

/// Patterns by text and flags.
#[derive(Debug, Default)]
pub(super) struct Patterns(Vec<Arc<Pattern>>);

/// The regular expressions of one evaluation: those that were compiled with the expression, and those that are compiled
/// as it runs.
pub(super) struct Regexes<'a> {
    meter: &'a Meter,
    known: &'a Patterns,
    kept: RefCell<Vec<Arc<Pattern>>>,
}

/// One match.
pub(super) struct Found<'t> {
    text: &'t str,
    captures: &'t Captures,
    names: &'t [Option<String>],
    /// An earlier place in the text: its byte, and the characters before it.
    before: (usize, usize),
}

impl Patterns {
    pub(super) fn add(&mut self, pattern: Arc<Pattern>) {
        self.0.push(pattern);
    }

    fn get(&self, text: &str, flags: Flags) -> Option<&Arc<Pattern>> {
        self.0.iter().find(|pattern| pattern.is(text, flags))
    }
}

impl Flags {
    fn of(text: &str) -> Option<Self> {
        let mut flags = Self::default();
        for flag in text.chars() {
            match flag {
                'g' => flags.global = true,
                'i' => flags.ignore_case = true,
                'x' => flags.extended = true,
                's' => {}
                'm' | 'p' => flags.dot_all = true,
                'n' => flags.not_empty = true,
                'l' => {}
                _ => return None,
            }
        }
        Some(flags)
    }
}

impl Pattern {
    /// Compiles a pattern. The error says what is wrong with it, in words that follow the pattern.
    pub(super) fn compile(text: &str, flags: &str) -> Result<Self, String> {
        let Some(flags) = Flags::of(flags) else {
            return Err(format!(
                "has a flag that is not known: {flags}; known are g, i, x, s, n, p, l"
            ));
        };
        Self::with(text, flags)
    }

    fn with(text: &str, flags: Flags) -> Result<Self, String> {
        if text.len() > MAX_PATTERN {
            return Err(format!("is longer than {MAX_PATTERN} bytes"));
        }
        let syntax = syntax::Config::new()
            .case_insensitive(flags.ignore_case)
            .ignore_whitespace(flags.extended)
            .dot_matches_new_line(flags.dot_all)
            .nest_limit(50);
        let parsed = syntax::parse_with(&with_unicode_classes(text), &syntax)
            .map_err(|error| why_not(text, &error.to_string()))?;
        let longest = parsed.properties().maximum_len();
        let config = Config::new()
            .nfa_size_limit(Some(MAX_PROGRAM))
            .onepass_size_limit(Some(CACHE))
            .hybrid_cache_capacity(CACHE)
            .dfa(false);
        let regex = Regex::builder()
            .configure(config)
            .build_from_hir(&parsed)
            .map_err(|_error| "is too large".to_owned())?;
        if regex.captures_len() > MAX_GROUPS {
            return Err(format!("has more than {MAX_GROUPS} groups"));
        }
        let names = regex
            .group_info()
            .pattern_names(regex_automata::PatternID::ZERO)
            .skip(1)
            .map(|name| name.map(str::to_owned))
            .collect();
        // a rough measure of the states that are visited for one byte
        let price = 1 + regex.memory_usage() / 16_384;
        Ok(Self {
            text: text.to_owned(),
            flags,
            regex,
            longest,
            price,
            names,
        })
    }

    fn is(&self, text: &str, flags: Flags) -> bool {
        let same = Flags {
            global: flags.global,
            not_empty: flags.not_empty,
            ..self.flags
        };
        self.text == text && same == flags
    }

    /// Takes the steps for a search from `from` that found a match up to `to`, or none.
    fn pay(
        &self,
        from: usize,
        to: Option<usize>,
        length: usize,
        meter: &Meter,
    ) -> Result<(), Limit> {
        // if a match can have any length, the search may have read all of the rest
        let seen = match (to, self.longest) {
            (Some(to), Some(longest)) => (to - from).saturating_add(longest).min(length - from),
            (Some(_) | None, _) => length - from,
        };
        meter.steps(1 + seen.saturating_mul(self.price) / 16)
    }
}

/// In jq, `[[:alpha:]]` and the like follow Unicode.
fn with_unicode_classes(pattern: &str) -> std::borrow::Cow<'_, str> {
    const CLASSES: &[(&str, &str)] = &[
        ("[:alpha:]", r"\p{Alphabetic}"),
        ("[:^alpha:]", r"\P{Alphabetic}"),
        ("[:alnum:]", r"\p{Alphabetic}\d"),
        ("[:upper:]", r"\p{Uppercase}"),
        ("[:^upper:]", r"\P{Uppercase}"),
        ("[:lower:]", r"\p{Lowercase}"),
        ("[:^lower:]", r"\P{Lowercase}"),
        ("[:digit:]", r"\d"),
        ("[:^digit:]", r"\D"),
        ("[:space:]", r"\s"),
        ("[:^space:]", r"\S"),
        ("[:punct:]", r"\p{P}"),
        ("[:^punct:]", r"\P{P}"),
        ("[:word:]", r"\w"),
        ("[:^word:]", r"\W"),
    ];
    let mut pattern = std::borrow::Cow::Borrowed(pattern);
    for (name, class) in CLASSES {
        if pattern.contains(name) {
            pattern = pattern.replace(name, class).into();
        }
    }
    pattern
}

/// Why a pattern is refused: it is not valid, or it needs what only jq has. The parser shows the pattern with a caret below
/// it, and says in the last line what is wrong.
fn why_not(pattern: &str, said: &str) -> String {
    let unknown = ["(?=", "(?!", "(?<=", "(?<!", "(?>"];
    if unknown.iter().any(|part| pattern.contains(part)) {
        return "has a look-around or an atomic group, which are not known here".to_owned();
    }
    let Some((before, what)) = said.rsplit_once("error: ") else {
        return "is not valid".to_owned();
    };
    let what = what.trim_end();
    // the caret is right only for the text that the parser read, and only if it is one line
    let is_shown = !pattern.contains("[:") && !pattern.contains('\n');
    let caret = before.lines().find_map(|line| {
        let column = line.strip_prefix(INDENT)?.find('^')?;
        line.trim().chars().all(|c| c == '^').then_some(column)
    });
    match caret.filter(|_| is_shown) {
        Some(column) => format!("is not valid at character {}: {what}", column + 1),
        None => format!("is not valid: {what}"),
    }
}

/// What the parser puts before each line of a pattern that it shows.
const INDENT: &str = "    ";

impl Found<'_> {
    pub(super) fn start(&self) -> usize {
        self.span(0).map_or(0, |(start, _)| start)
    }

    pub(super) fn end(&self) -> usize {
        self.span(0).map_or(0, |(_, end)| end)
    }

    fn span(&self, group: usize) -> Option<(usize, usize)> {
        let span = self.captures.get_group(group)?;
        Some((span.start, span.end))
    }

    fn part(&self, group: usize) -> Option<&str> {
        let (start, end) = self.span(group)?;
        self.text.get(start..end)
    }

    fn text_of<'a>(&self, group: usize, meter: &Meter) -> Res<'a> {
        match self.part(group) {
            Some(part) => Ok(Val::copied(part, meter)?),
            // as in jq, all groups of an empty match are empty, even those that did not take part
            None if self.start() == self.end() => Ok(Val::word("")),
            None => Ok(Val::Null),
        }
    }

    /// Characters before a byte.
    fn offset<'a>(&self, byte: usize, meter: &Meter) -> Result<usize, Stop<'a>> {
        let (known, characters) = self.before;
        let between = self
            .text
            .get(known.min(byte)..byte.max(known))
            .unwrap_or_default();
        meter.work(between.len())?;
        let count = between.chars().count();
        Ok(if byte >= known {
            characters + count
        } else {
            characters - count
        })
    }

    /// What `match` gives.
    pub(super) fn describe<'a>(&self, meter: &Meter) -> Res<'a> {
        let mut captures = Vec::with_capacity(self.names.len());
        let empty = self.start() == self.end();
        for (number, name) in self.names.iter().enumerate() {
            let group = number + 1;
            let name = match name {
                Some(name) => Val::copied(name, meter)?,
                None => Val::Null,
            };
            let (offset, length, string) = match self.part(group) {
                None if empty => (self.offset(self.start(), meter)?, 0, Val::word("")),
                None => (usize::MAX, 0, Val::Null),
                Some(part) => {
                    let start = self.span(group).map_or(0, |(start, _)| start);
                    (
                        self.offset(start, meter)?,
                        part.chars().count(),
                        self.text_of(group, meter)?,
                    )
                }
            };
            let offset = if offset == usize::MAX {
                Val::Int(-1)
            } else {
                Val::count(offset)
            };
            let entries = vec![
                ("offset", offset),
                ("length", Val::count(length)),
                ("string", string),
                ("name", name),
            ];
            captures.push(Val::object(entries, meter)?);
        }
        let length = self.part(0).map_or(0, |part| part.chars().count());
        let captures = Val::list(captures, meter)?;
        let entries = vec![
            ("offset", Val::count(self.offset(self.start(), meter)?)),
            ("length", Val::count(length)),
            ("string", self.text_of(0, meter)?),
            ("captures", captures),
        ];
        Ok(Val::object(entries, meter)?)
    }

    /// What `scan` gives: the groups, or the whole where there are none.
    pub(super) fn scanned<'a>(&self, meter: &Meter) -> Res<'a> {
        if self.names.is_empty() {
            return self.text_of(0, meter);
        }
        let mut groups = Vec::with_capacity(self.names.len());
        for group in 1..=self.names.len() {
            groups.push(self.text_of(group, meter)?);
        }
        Ok(Val::list(groups, meter)?)
    }

    /// The named groups.
    pub(super) fn captured<'a>(&self, meter: &Meter) -> Res<'a> {
        let mut entries = Vec::new();
        for (number, name) in self.names.iter().enumerate() {
            if let Some(name) = name {
                entries.push((name.as_str(), self.text_of(number + 1, meter)?));
            }
        }
        Ok(Val::object(entries, meter)?)
    }
}

// === impl Regexes ===

impl<'a> Regexes<'a> {
    pub(super) fn new(meter: &'a Meter, known: &'a Patterns) -> Self {
        Self {
            meter,
            known,
            kept: RefCell::new(Vec::new()),
        }
    }

    fn pattern(&self, text: &str, flags: Flags) -> Result<Arc<Pattern>, Stop<'a>> {
        let cached = self.known.get(text, flags);
        if let Some(pattern) = cached {
            return Ok(Arc::clone(pattern));
        }
        let mut kept = self.kept.borrow_mut();
        if let Some(pattern) = kept.iter().find(|pattern| pattern.is(text, flags)) {
            return Ok(Arc::clone(pattern));
        }
        self.meter.steps(COMPILE_STEPS + text.len() * 64)?;
        self.meter.build(MAX_PROGRAM)?;
        let pattern = Pattern::with(text, flags)
            .map_err(|problem| error(format!("the regular expression {problem}")))?;
        let pattern = Arc::new(pattern);
        if kept.len() >= MAX_KEPT {
            kept.remove(0);
        }
        kept.push(Arc::clone(&pattern));
        Ok(pattern)
    }

    /// Calls `f` with each match. With `global` it is all matches, whatever the flags say.
    pub(super) fn matches(
        &self,
        value: &Val<'a>,
        pattern: &Val<'a>,
        flags: &Val<'a>,
        global: bool,
        f: &mut dyn FnMut(&Found<'_>) -> Flow<'a>,
    ) -> Flow<'a> {
        let Some(text) = value.as_str() else {
            return Err(type_error(
                value,
                "cannot be matched, as it is not a string",
                self.meter,
            ));
        };
        // `[pattern, flags]`
        let listed = |place| match pattern {
            Val::List(list) => list.get(place),
            _ => None,
        };
        let (pattern, flags) = match listed(0) {
            Some(first) => (first, listed(1).unwrap_or(Val::Null)),
            None => (pattern.clone(), flags.clone()),
        };
        let Some(pattern) = pattern.as_str() else {
            return Err(type_error(
                &pattern,
                "cannot be matched, as it is not a string",
                self.meter,
            ));
        };
        let flags = match &flags {
            Val::Null => "",
            flags => match flags.as_str() {
                Some(flags) => flags,
                None => return Err(type_error(flags, "is not a string", self.meter)),
            },
        };
        let Some(flags) = Flags::of(flags) else {
            return Err(error(format!("{flags} is not a valid modifier string")));
        };
        let pattern = self.pattern(pattern, flags)?;
        let global = global || flags.global;
        let mut captures = pattern.regex.create_captures();
        let mut from = 0;
        let mut before = (0, 0);
        while from <= text.len() {
            let input = Input::new(text).range(from..).anchored(Anchored::No);
            pattern.regex.search_captures(&input, &mut captures);
            let span = captures
                .get_match()
                .map(|found| (found.start(), found.end()));
            pattern.pay(from, span.map(|(_, end)| end), text.len(), self.meter)?;
            let Some((start, end)) = span else { break };
            if flags.not_empty && start == end {
                from = next_char(text, end);
                continue;
            }
            let found = Found {
                text,
                captures: &captures,
                names: &pattern.names,
                before,
            };
            let characters = found.offset(start, self.meter)?;
            f(&found)?;
            before = (start, characters);
            if !global {
                break;
            }
            from = if start == end {
                next_char(text, end)
            } else {
                end
            };
        }
        Ok(())
    }

    /// Whether there is a match.
    pub(super) fn is_match(&self, value: &Val<'a>, pattern: &Val<'a>, flags: &Val<'a>) -> Res<'a> {
        let mut any = false;
        self.matches(value, pattern, flags, false, &mut |_| {
            any = true;
            Ok(())
        })?;
        Ok(Val::Bool(any))
    }
}

/// The byte after the character at this byte.
fn next_char(text: &str, at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    at + rest.chars().next().map_or(1, char::len_utf8)
}
