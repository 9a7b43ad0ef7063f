//! One file per resource of the API: path, method and the rules of its body.

pub(crate) mod bulk;
pub(crate) mod customer;
pub(crate) mod kobject;
pub(crate) mod token;
pub(crate) mod tracking;
