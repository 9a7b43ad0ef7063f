//! Errors as the API returns them, in either of its two shapes.

use serde_json::{Value, json};

use crate::time::SimTime;

/// Why a request was refused: the closed list of reasons that the account counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Refusal {
    /// No key, or one that does not exist.
    Unauthorized,
    /// The key lacks the role.
    Forbidden,
    /// No such path or resource.
    NotFound,
    /// The body breaks a rule.
    Invalid,
    /// The body is above the size cap.
    TooLarge,
    /// A duplicate or a stale `rev`.
    Conflict,
    /// The budget of the organisation is spent.
    OrgLimit,
    /// The cap on searches is reached.
    SearchLimit,
    /// The cap on creates per customer is reached.
    CustomerLimit,
    /// The cap on updates per object is reached.
    ObjectLimit,
    /// A fault script said so.
    Fault,
}

impl Refusal {
    /// The name used in the account.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::Invalid => "invalid",
            Self::TooLarge => "too_large",
            Self::Conflict => "conflict",
            Self::OrgLimit => "org_limit",
            Self::SearchLimit => "search_limit",
            Self::CustomerLimit => "customer_limit",
            Self::ObjectLimit => "object_limit",
            Self::Fault => "fault",
        }
    }
}

/// The shape in which one reply renders its errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Numeric `status`, `code`, `title`, `source`, `detail`.
    JsonApi,
    /// `code`, `message`, `meta`.
    Message,
}

/// One error of the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) status: u16,
    pub(crate) refusal: Refusal,
    pub(crate) code: &'static str,
    pub(crate) title: Box<str>,
    pub(crate) parameter: Option<Box<str>>,
    pub(crate) pointer: Option<Box<str>>,
    pub(crate) detail: Option<Box<str>>,
    /// For a 429: when the limit ends.
    pub(crate) retry_at: Option<SimTime>,
}

impl ApiError {
    fn new(status: u16, refusal: Refusal, code: &'static str, title: impl Into<Box<str>>) -> Self {
        Self {
            status,
            refusal,
            code,
            title: title.into(),
            parameter: None,
            pointer: None,
            detail: None,
            retry_at: None,
        }
    }

    pub(crate) fn unauthorized() -> Self {
        Self::new(401, Refusal::Unauthorized, "unauthorized", "Unauthorized")
    }

    pub(crate) fn missing_role(status: u16, role: &str) -> Self {
        let mut error = Self::new(status, Refusal::Forbidden, "forbidden", "Forbidden");
        error.detail = Some(format!("the key lacks the role {role}").into());
        error
    }

    pub(crate) fn not_found(parameter: &str) -> Self {
        Self::new(404, Refusal::NotFound, "notfound", "Not Found").about(parameter)
    }

    pub(crate) fn bad(parameter: &str, title: impl Into<Box<str>>) -> Self {
        Self::new(400, Refusal::Invalid, "badparam", title).about(parameter)
    }

    pub(crate) fn malformed(title: impl Into<Box<str>>) -> Self {
        Self::new(400, Refusal::Invalid, "badparam", title)
    }

    pub(crate) fn conflict(parameter: &str, title: impl Into<Box<str>>) -> Self {
        Self::new(409, Refusal::Conflict, "conflict", title).about(parameter)
    }

    pub(crate) fn too_large() -> Self {
        Self::new(413, Refusal::TooLarge, "toolarge", "Payload Too Large")
    }

    pub(crate) fn limited(refusal: Refusal, retry_at: SimTime, detail: &str) -> Self {
        let mut error = Self::new(429, refusal, "ratelimited", "Too Many Requests");
        error.detail = Some(detail.into());
        error.retry_at = Some(retry_at);
        error
    }

    pub(crate) fn over_object_limit(until: SimTime) -> Self {
        Self::limited(
            Refusal::ObjectLimit,
            until,
            "too many updates of the object",
        )
    }

    pub(crate) fn scripted(status: u16) -> Self {
        let (code, title) = match status {
            401 => ("unauthorized", "Unauthorized"),
            402 => ("paymentrequired", "Payment Required"),
            403 => ("forbidden", "Forbidden"),
            409 => ("conflict", "Conflict"),
            413 => ("toolarge", "Payload Too Large"),
            429 => ("ratelimited", "Too Many Requests"),
            500 => ("internal", "Internal Server Error"),
            502 => ("badgateway", "Bad Gateway"),
            503 => ("unavailable", "Service Unavailable"),
            504 => ("timeout", "Gateway Timeout"),
            _ => ("error", "Error"),
        };
        Self::new(status, Refusal::Fault, code, title)
    }

    fn about(mut self, parameter: &str) -> Self {
        self.parameter = Some(parameter.into());
        self
    }

    /// The error of an item in a bulk job: one plain string.
    pub(crate) fn item_text(&self) -> String {
        match &self.parameter {
            Some(parameter) if self.refusal == Refusal::Invalid => {
                format!("{}: {parameter}", self.title)
            }
            Some(_) | None => self.title.to_string(),
        }
    }

    /// The body of the reply.
    pub(crate) fn body(&self, shape: Shape) -> Value {
        match shape {
            Shape::JsonApi => {
                let mut error = json!({ "status": self.status });
                let mut source = serde_json::Map::new();
                if let Some(parameter) = &self.parameter {
                    source.insert("parameter".to_owned(), json!(**parameter));
                }
                if let Some(pointer) = &self.pointer {
                    source.insert("pointer".to_owned(), json!(**pointer));
                }
                if let Some(fields) = error.as_object_mut() {
                    if !source.is_empty() {
                        fields.insert("source".to_owned(), Value::Object(source));
                    }
                    fields.insert("code".to_owned(), json!(self.code));
                    fields.insert("title".to_owned(), json!(*self.title));
                    if let Some(detail) = &self.detail {
                        fields.insert("detail".to_owned(), json!(**detail));
                    }
                }
                json!({ "errors": [error] })
            }
            Shape::Message => {
                let code = if self.code == "badparam" {
                    "bad_request"
                } else {
                    self.code
                };
                let mut meta = serde_json::Map::new();
                if let Some(parameter) = &self.parameter {
                    meta.insert("parameter".to_owned(), json!(**parameter));
                }
                if let Some(pointer) = &self.pointer {
                    meta.insert("pointer".to_owned(), json!(**pointer));
                }
                json!({ "errors": [{ "code": code, "message": *self.title, "meta": meta }] })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_shapes_carry_the_parameter() {
        let mut error = ApiError::bad("notAnActualAttribute", "Additional properties not allowed");
        error.detail = Some("/properties/custom/additionalProperties".into());
        assert_eq!(
            error.body(Shape::JsonApi),
            json!({"errors":[{"status":400,"source":{"parameter":"notAnActualAttribute"},
                "code":"badparam","title":"Additional properties not allowed",
                "detail":"/properties/custom/additionalProperties"}]})
        );
        assert_eq!(
            error.body(Shape::Message),
            json!({"errors":[{"code":"bad_request","message":"Additional properties not allowed",
                "meta":{"parameter":"notAnActualAttribute"}}]})
        );
    }

    #[test]
    fn errors_without_a_source_leave_it_out() {
        let body = ApiError::too_large().body(Shape::JsonApi);
        assert_eq!(
            body,
            json!({"errors":[{"status":413,"code":"toolarge","title":"Payload Too Large"}]})
        );
    }
}
