//! Constants that a field cannot have, or should not: what is wrong with them is wrong for every event.

use super::super::super::expr::{Expr, constants};
use super::super::super::node::Node;
use super::super::reader::Reader;
use crate::body::Cuts;
use crate::body::field::object_id;
use crate::body::name::legal_name;
use crate::identity;
use crate::value::Value;

/// An external id of an object, or of a customer or company that is written.
pub(in crate::mapping::compile) fn id_of_thing(
    reader: &mut Reader<'_>,
    node: &Node,
    at: &str,
    expr: &Expr,
) {
    match expr.as_literal().map(object_id) {
        Some(Err(illegal)) => reader.error(node.place, at, illegal.rule, None),
        Some(Ok(None)) => names_nothing(reader, node, at, expr),
        Some(Ok(Some(_))) | None => in_path(reader, node, at, expr),
    }
}

/// An external id by which a customer is found.
pub(in crate::mapping::compile) fn id_of_customer(
    reader: &mut Reader<'_>,
    node: &Node,
    at: &str,
    expr: &Expr,
) {
    match expr.as_literal() {
        Some(id) if identity::external_id(id).is_err() => names_nothing(reader, node, at, expr),
        Some(_) | None => in_path(reader, node, at, expr),
    }
}

fn names_nothing(reader: &mut Reader<'_>, node: &Node, at: &str, expr: &Expr) {
    let problem = format!("is a constant that names nothing, `{}`", expr.text());
    let help = "an id is a field of the event, such as `.order_id`".to_owned();
    reader.error(node.place, at, problem, Some(help));
}

/// Says so if the id has signs that an address of the API does not carry safely.
fn in_path(reader: &mut Reader<'_>, node: &Node, at: &str, expr: &Expr) {
    let is_safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':' | '-');
    for part in constants(expr.text()) {
        let Some(sign) = part.chars().find(|c| !is_safe(*c)) else {
            continue;
        };
        let sign = if sign == ' ' {
            "a blank".to_owned()
        } else {
            format!("`{sign}`")
        };
        let problem = format!(
            "has {sign} in its constant part `{part}`, in `{}`",
            expr.text()
        );
        reader.doubt(
            node.place,
            at,
            problem,
            "the id is a part of the addresses of the API, which may not find it with such a sign, even though it is encoded: use letters, \
             digits, `_`, `.`, `:` and `-`",
        );
        return;
    }
}

/// The name of a tracking event.
pub(in crate::mapping::compile) fn event_name(
    reader: &mut Reader<'_>,
    node: &Node,
    at: &str,
    expr: &Expr,
) {
    let help = || Some("for example `'\"Order Placed\"'`".to_owned());
    match expr.as_literal() {
        None => {}
        Some(Value::String(name)) => {
            if let Err(illegal) = legal_name(name, &mut Cuts::default()) {
                reader.error(node.place, at, illegal.rule, help());
            }
        }
        Some(
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_),
        ) => {
            let problem = format!("must be a text, is the constant `{}`", expr.text());
            reader.error(node.place, at, problem, help());
        }
    }
}

/// The title of an object.
pub(in crate::mapping::compile) fn title(
    reader: &mut Reader<'_>,
    node: &Node,
    at: &str,
    expr: &Expr,
) {
    let is_empty = |value: &Value<'_>| {
        value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty())
    };
    if expr.as_literal().is_some_and(is_empty) {
        let help = "the API demands one on creation".to_owned();
        reader.error(node.place, at, "is always empty", Some(help));
    }
}
