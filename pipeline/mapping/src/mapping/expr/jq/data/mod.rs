//! What expressions compute with: values, what may be done with them, and why it fails.
//!
//! Nothing here knows of expressions. What an operation uses is counted by the meter that it is given.

pub(super) mod format;
pub(super) mod json;
pub(super) mod math;
pub(super) mod order;
pub(super) mod path;
pub(super) mod stop;
pub(super) mod text;
pub(super) mod value;
