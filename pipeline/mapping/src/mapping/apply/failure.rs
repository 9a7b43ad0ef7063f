//! Why a rule rejects a record. The texts show rules and expressions, never values.

use super::super::expr::{Expr, Failed};
use crate::body::{Illegal, MAX_ITEM_BYTES, kind_of};
use crate::value::Value;
use ingest_model::outcome::Rejection;

/// Why a rule rejects a record.
pub(super) struct Failure {
    pub(super) reason: Rejection,
    pub(super) detail: String,
    /// The record has used up what it may, so leaving out the field would not help.
    pub(super) exhausted: bool,
}

impl Failure {
    /// The same, of one item of a list.
    pub(super) fn of_item(self, number: usize) -> Self {
        let detail = match self.detail.split_once(": ") {
            Some((field, why)) => format!("{field}: item {number}: {why}"),
            None => format!("{}: item {number}", self.detail),
        };
        Self { detail, ..self }
    }
}

pub(super) type Made<T> = Result<T, Failure>;

/// The failure for a body that is too large for one item.
pub(super) fn item_too_large(at: &str, bytes: usize) -> Failure {
    Failure {
        reason: Rejection::ItemTooLarge,
        detail: format!(
            "{at}: {bytes} bytes of JSON, more than the {MAX_ITEM_BYTES} that one item may have"
        ),
        exhausted: false,
    }
}

/// The failure for the largest part of a body that is too large.
pub(super) fn too_large(at: &str, bytes: usize) -> Failure {
    Failure {
        reason: Rejection::ItemTooLarge,
        detail: format!(
            "{at}: is the largest part of {bytes} bytes of JSON, more than the {MAX_ITEM_BYTES} that one item may have"
        ),
        exhausted: false,
    }
}

pub(super) fn no_customer() -> Failure {
    Failure {
        reason: Rejection::MissingCustomer,
        detail: "the operation needs a customer".to_owned(),
        exhausted: false,
    }
}

pub(super) fn no_title() -> Failure {
    Failure {
        reason: Rejection::MissingField,
        detail: "title: is empty".to_owned(),
        exhausted: false,
    }
}

pub(super) fn missing(at: &str, expr: &Expr) -> Failure {
    Failure {
        reason: Rejection::MissingField,
        detail: format!("{at}: no value in `{}`", expr.text()),
        exhausted: false,
    }
}

pub(super) fn evaluation(at: &str, expr: &Expr, failed: &Failed) -> Failure {
    Failure {
        reason: Rejection::MappingFailed,
        detail: format!("{at}: {} in `{}`", failed.what, expr.text()),
        exhausted: failed.exhausted,
    }
}

pub(super) fn refused(at: &str, illegal: &Illegal, expr: &Expr) -> Failure {
    Failure {
        reason: illegal.reason,
        detail: format!("{at}: {} in `{}`", illegal.rule, expr.text()),
        exhausted: false,
    }
}

pub(super) fn wrong_type(at: &str, expr: &Expr, wanted: &str, value: &Value<'_>) -> Failure {
    let is = kind_of(value);
    Failure {
        reason: Rejection::MappingFailed,
        detail: format!("{at}: must be {wanted}, is {is} in `{}`", expr.text()),
        exhausted: false,
    }
}
