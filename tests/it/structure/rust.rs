//! Reads Rust just well enough to find the paths that a file refers to.

use std::collections::BTreeSet;

/// A path as written in a file.
pub(super) struct Named {
    pub(super) path: Vec<String>,
    pub(super) line: usize,
    /// In a `use`, the name that it gets there.
    pub(super) name: Option<String>,
    /// `pub use`.
    pub(super) exported: bool,
    /// How many inline modules surround it.
    pub(super) inner: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    text: String,
    line: usize,
}

pub(super) fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut found = Vec::new();
    let (mut i, mut line) = (0, 1);
    while i < chars.len() {
        let from = i;
        match (at(i), at(i + 1)) {
            ('/', '/') => {
                while i < chars.len() && at(i) != '\n' {
                    i += 1;
                }
            }
            ('/', '*') => {
                let mut depth = 0_usize;
                while i < chars.len() {
                    match (at(i), at(i + 1)) {
                        ('/', '*') => (depth, i) = (depth + 1, i + 2),
                        ('*', '/') => (depth, i) = (depth - 1, i + 2),
                        _ => i += 1,
                    }
                    if depth == 0 {
                        break;
                    }
                }
            }
            ('r', '"' | '#') if raw_string(&chars, i).is_some() => {
                i = raw_string(&chars, i).unwrap_or(i + 1);
            }
            ('"', _) => {
                i += 1;
                while i < chars.len() && at(i) != '"' {
                    i += if at(i) == '\\' { 2 } else { 1 };
                }
                i += 1;
            }
            ('\'', '\\') => {
                i += 3;
                while i < chars.len() && at(i) != '\'' {
                    i += 1;
                }
                i += 1;
            }
            ('\'', _) if at(i + 2) == '\'' => i += 3,
            (':', ':') => {
                i += 2;
                let text = "::".to_owned();
                found.push(Token { text, line });
            }
            (c, _) if is_word(c) => {
                while is_word(at(i)) {
                    i += 1;
                }
                let text = chars.get(from..i).into_iter().flatten().collect();
                found.push(Token { text, line });
            }
            (c, _) => {
                i += 1;
                if !c.is_whitespace() {
                    let text = c.to_string();
                    found.push(Token { text, line });
                }
            }
        }
        let passed = chars.get(from..i.min(chars.len())).into_iter().flatten();
        line += passed.filter(|&&c| c == '\n').count();
    }
    found
}

/// Where a raw string that starts here ends.
fn raw_string(chars: &[char], from: usize) -> Option<usize> {
    let hashes = chars
        .get(from + 1..)?
        .iter()
        .take_while(|&&c| c == '#')
        .count();
    let open = from + 1 + hashes;
    if chars.get(open) != Some(&'"') {
        return None;
    }
    let closes = |at: &usize| {
        let after = chars.get(at + 1..at + 1 + hashes);
        chars.get(*at) == Some(&'"') && after.is_some_and(|all| all.iter().all(|&c| c == '#'))
    };
    let end = (open + 1..chars.len()).find(closes)?;
    Some(end + 1 + hashes)
}

/// The tokens that are not under `#[cfg(test)]`, and the names of the modules that are.
pub(super) fn without_tests(tokens: &[Token]) -> (Vec<Token>, Vec<String>) {
    const MARK: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut modules = Vec::new();
    let mut rest = tokens;
    while let Some((first, after)) = rest.split_first() {
        let marked = MARK
            .iter()
            .zip(rest)
            .filter(|(mark, token)| **mark == token.text);
        if marked.count() == MARK.len() {
            rest = rest.get(MARK.len()..).unwrap_or_default();
            let item = item_length(rest);
            let (item, after) = rest.split_at(item);
            let words: Vec<&str> = item.iter().map(|token| token.text.as_str()).collect();
            if let Some(["mod", name, ";"]) = words.last_chunk::<3>() {
                modules.push((*name).to_owned());
            }
            rest = after;
        } else {
            kept.push(first.clone());
            rest = after;
        }
    }
    (kept, modules)
}

fn item_length(tokens: &[Token]) -> usize {
    let is_use = tokens.iter().take(2).any(|token| token.text == "use");
    let mut depth = 0_i32;
    for (at, token) in tokens.iter().enumerate() {
        match token.text.as_str() {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => {
                depth -= 1;
                if depth == 0 && token.text == "}" && !is_use {
                    return at + 1;
                }
            }
            ";" if depth == 0 => return at + 1,
            _ => {}
        }
    }
    tokens.len()
}

/// Every path in a file, and every word outside of `use`.
pub(super) fn named(tokens: &[Token]) -> (Vec<Named>, BTreeSet<String>) {
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
    let mut found = Vec::new();
    let mut words = BTreeSet::new();
    let (mut at, mut depth) = (0, 0_usize);
    let mut modules: Vec<usize> = Vec::new();
    while at < tokens.len() {
        let line = tokens.get(at).map_or(0, |token| token.line);
        match text(at) {
            "{" => depth += 1,
            "}" => {
                depth = depth.saturating_sub(1);
                modules.pop_if(|inside| *inside == depth);
            }
            "mod" if text(at + 2) == "{" => modules.push(depth),
            "use" if text(at + 1) != "<" => {
                let exported = matches!(text(at.wrapping_sub(1)), "pub" | ")");
                at += 1;
                let mut tree = Vec::new();
                at = use_tree(tokens, at, &[], &mut tree);
                found.extend(tree.into_iter().map(|(path, line, name)| Named {
                    path,
                    line,
                    name: Some(name),
                    exported,
                    inner: modules.len(),
                }));
                continue;
            }
            // `pub(in crate::x)` only restricts visibility, and is not a use.
            "in" if text(at.wrapping_sub(2)) == "pub" => {
                while !matches!(text(at + 1), ")" | "") {
                    at += 1;
                }
            }
            word if text(at + 1) == "::" && text(at.wrapping_sub(1)) != "::" => {
                let mut path = vec![word.to_owned()];
                words.insert(word.to_owned());
                while text(at + 1) == "::" && text(at + 2).starts_with(is_letter) {
                    at += 2;
                    path.push(text(at).to_owned());
                    words.insert(text(at).to_owned());
                }
                let (name, exported, inner) = (None, false, modules.len());
                if path.len() > 1 {
                    found.push(Named {
                        path,
                        line,
                        name,
                        exported,
                        inner,
                    });
                }
            }
            word if word.starts_with(is_letter) => {
                words.insert(word.to_owned());
            }
            _ => {}
        }
        at += 1;
    }
    (found, words)
}

fn is_letter(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}

/// One branch of a `use`: its paths with their lines and names. Returns where it ends.
fn use_tree(
    tokens: &[Token],
    mut at: usize,
    prefix: &[String],
    found: &mut Vec<(Vec<String>, usize, String)>,
) -> usize {
    let mut path = prefix.to_vec();
    let mut alias = None;
    while let Some(token) = tokens.get(at) {
        at += 1;
        match token.text.as_str() {
            "::" => {}
            "{" => {
                while tokens.get(at).is_some_and(|token| token.text != "}") {
                    at = use_tree(tokens, at, &path, found);
                    if tokens.get(at).is_some_and(|token| token.text == ",") {
                        at += 1;
                    }
                }
                at += 1;
                return at;
            }
            "," | "}" | ";" => {
                at -= 1;
                break;
            }
            "as" => {
                alias = tokens.get(at).map(|token| token.text.clone());
                at += 1;
            }
            word => path.push(word.to_owned()),
        }
    }
    let line = tokens.get(at - 1).map_or(0, |token| token.line);
    if path
        .last()
        .is_some_and(|last| last == "self" || last == "*")
        && path.len() > 1
    {
        path.pop();
    }
    if path.len() > prefix.len() || !path.is_empty() {
        let name = alias.or_else(|| path.last().cloned()).unwrap_or_default();
        found.push((path, line, name));
    }
    at
}
