//! The texts of schemas.

/// The text of a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its name: the path that `import` has, or the full name of a type of Avro.
    pub name: String,
    /// The text.
    pub text: String,
}
