//! What a file names for its expressions: values (`let`), tables, and the item of an `each`.

use std::sync::Arc;

use super::table::Table;

/// The names that an expression may use besides `$event` and `$record`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    /// Each value of `let`, with its place among those of the file.
    lets: Vec<(String, usize)>,
    tables: Vec<Arc<Table>>,
    /// There are `$item` and `$index`.
    item: bool,
    /// The expression is of the header, which is read before there is an event and before any `let`.
    header: bool,
}

/// Names of variables that a file cannot give.
pub(crate) const TAKEN: &[&str] = &["event", "record", "item", "index", "ENV"];

// === impl Names ===

impl Names {
    /// Adds a value.
    pub(crate) fn add_let(&mut self, name: &str, index: usize) {
        self.lets.push((name.to_owned(), index));
    }

    /// Adds a table.
    pub(crate) fn add_table(&mut self, table: Arc<Table>) {
        self.tables.push(table);
    }

    /// How many values there are.
    #[must_use]
    pub(crate) fn lets(&self) -> usize {
        self.lets.len()
    }

    /// Forgets the values that were added after the first so many.
    pub(crate) fn forget_lets_after(&mut self, many: usize) {
        self.lets.truncate(many);
    }

    /// Whether there is an item.
    pub(crate) fn set_item(&mut self, item: bool) {
        self.item = item;
    }

    /// Whether there are `$item` and `$index`.
    #[must_use]
    pub(crate) fn has_item(&self) -> bool {
        self.item
    }

    /// Whether expressions are those of the header.
    pub(crate) fn set_header(&mut self, header: bool) {
        self.header = header;
    }

    /// Whether the expression is of the header.
    #[must_use]
    pub(crate) fn is_of_header(&self) -> bool {
        self.header
    }

    /// The place of a value.
    #[must_use]
    pub(crate) fn let_named(&self, name: &str) -> Option<usize> {
        let found = self.lets.iter().find(|(known, _)| known == name);
        found.map(|(_, index)| *index)
    }

    /// The table of that name.
    #[must_use]
    pub(crate) fn table(&self, name: &str) -> Option<&Arc<Table>> {
        self.tables.iter().find(|table| table.name == name)
    }

    /// The names of all values.
    pub(crate) fn of_lets(&self) -> impl Iterator<Item = &str> {
        self.lets.iter().map(|(name, _)| name.as_str())
    }

    /// The names of all tables.
    pub(crate) fn of_tables(&self) -> impl Iterator<Item = &str> {
        self.tables.iter().map(|table| table.name.as_str())
    }
}
