//! Kinds of values that are certain before there is any event.

/// A kind of value that an expression always has, if it has one at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Always {
    /// True or false.
    Bool,
    /// A number.
    Number,
    /// A text with letters in it.
    Words,
    /// A list.
    List,
    /// An object.
    Object,
}

impl Always {
    /// In words.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Bool => "true or false",
            Self::Number => "a number",
            Self::Words => "a text with letters in it",
            Self::List => "a list",
            Self::Object => "an object",
        }
    }
}
