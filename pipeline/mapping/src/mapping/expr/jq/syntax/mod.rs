//! The syntax: text to tokens, tokens to a tree, and what the tree alone tells.

mod lex;
pub(super) mod outputs;
pub(super) mod parse;
pub(super) mod term;
