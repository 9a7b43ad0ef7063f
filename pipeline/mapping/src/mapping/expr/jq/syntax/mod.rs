//! The syntax: from text to tokens, from tokens to a tree, and what the tree alone can tell.

mod lex;
pub(super) mod outputs;
pub(super) mod parse;
pub(super) mod term;
