//! What the API takes and gives: endpoints and the roles they need, paths, requests, replies, errors.

pub(crate) mod endpoint;
pub(crate) mod error;
pub(crate) mod request;
pub(crate) mod roles;
pub(crate) mod route;
