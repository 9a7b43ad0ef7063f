//! Texts that are written for people: tests of records without personal data, and the mappings around them.

pub(super) mod append;
pub(super) mod personal;
pub(super) mod pinned;
pub(super) mod redact;
mod shape;
pub(super) mod yaml;
