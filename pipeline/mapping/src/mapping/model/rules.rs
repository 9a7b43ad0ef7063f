//! The rules of single fields.

use crate::body::attribute::Suffix;
use crate::body::field::Kind;
use crate::mapping::expr::Expr;

/// One field of a body.
#[derive(Debug)]
pub(in crate::mapping) struct FieldRule {
    pub(in crate::mapping) name: &'static str,
    pub(in crate::mapping) kind: Kind,
    pub(in crate::mapping) value: Template,
}

/// One attribute of `custom`.
#[derive(Debug)]
pub(in crate::mapping) struct CustomRule {
    pub(in crate::mapping) name: String,
    pub(in crate::mapping) suffix: Suffix,
    pub(in crate::mapping) value: Expr,
}

/// One attribute of `meta`.
#[derive(Debug)]
pub(in crate::mapping) struct MetaRule {
    pub(in crate::mapping) name: String,
    pub(in crate::mapping) value: Expr,
}

/// A value that is put together from expressions.
#[derive(Debug)]
pub(in crate::mapping) enum Template {
    Expr(Expr),
    List(Vec<Template>),
    Map(Vec<(String, Template)>),
}
