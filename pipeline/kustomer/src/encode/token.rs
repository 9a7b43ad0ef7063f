//! The API key itself (`docs/kustomer-api.md`, section 1).

use super::request::HttpRequest;

/// `GET /v1/auth/tokens/current`: answered for every valid key, whatever its roles.
pub(crate) fn current() -> HttpRequest {
    HttpRequest::get("token", "/v1/auth/tokens/current".to_owned())
}
