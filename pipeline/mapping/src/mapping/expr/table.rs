//! Tables, in which expressions look values up: `.currency | lookup("exponents")`.

use std::collections::HashMap;

use crate::value::Value;

/// A table of constants.
#[derive(Debug)]
pub(crate) struct Table {
    /// Its name, by which expressions refer to it.
    pub(crate) name: String,
    /// Its rows. Keys are in lower case if case does not matter.
    pub(crate) rows: HashMap<String, Value<'static>>,
    /// What a key gives that the table does not have.
    pub(crate) absent: Absent,
    /// Upper and lower case are the same in keys.
    pub(crate) ignores_case: bool,
}

/// What a key gives that a table does not have.
#[derive(Debug)]
pub(crate) enum Absent {
    /// This value.
    Is(Value<'static>),
    /// An error: the value is bad.
    Fails,
}

/// What is wrong with a key that a table does not have and that has no default.
pub(super) const NOT_THERE: &str = "the table has no such key, and says `missing: error`";

// === impl Table ===

impl Table {
    /// The value of a key; `None` if it is not there and that is an error. Null looks nothing up.
    pub(super) fn find(&self, key: Option<&str>) -> Option<&Value<'static>> {
        const NULL: &Value<'static> = &Value::Null;
        let row = key.and_then(|key| {
            if self.ignores_case {
                self.rows.get(&key.to_lowercase())
            } else {
                self.rows.get(key)
            }
        });
        row.or(match (&self.absent, key) {
            (Absent::Is(value), _) => Some(value),
            (Absent::Fails, None) => Some(NULL),
            (Absent::Fails, Some(_)) => None,
        })
    }
}
