//! Error bodies in all their shapes (`docs/kustomer-api.md`, section 12).
//!
//! Known shapes: a list of JSON:API errors (`status` a number or text), a list of `{code, message, meta}`, a single
//! `{error, errorCode, message}`, and nothing at all. Only these fields are read; anything else in a body may be an echo
//! of what was sent.

mod text;

use serde_json::Value;

pub use self::text::ERROR_TEXT_LIMIT;
pub(super) use self::text::clean;
use self::text::limit;
use super::answer::document::Document;
use super::reply::HttpReply;

/// How many errors of a body are included in the text.
const ERRORS_IN_TEXT: usize = 3;

/// What a refusal says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ErrorReport {
    status: u16,
    errors: Vec<ApiError>,
}

/// One error, with its texts as sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ApiError {
    code: Option<String>,
    title: Option<String>,
    detail: Option<String>,
    parameter: Option<String>,
    pointer: Option<String>,
    index: Option<usize>,
}

// === impl ErrorReport ===

impl ErrorReport {
    /// The errors in an answer's body; none if it has no body, or one that cannot be understood.
    pub(super) fn read(reply: &HttpReply) -> Self {
        let errors = Document::read(reply)
            .map(|d| errors_in(d.root()))
            .unwrap_or_default();
        Self {
            status: reply.status,
            errors,
        }
    }

    /// The errors in an answer that has errors and no data.
    pub(super) fn instead_of_data(reply: &HttpReply) -> Option<Self> {
        let document = Document::read(reply)?;
        document.is_errors().then(|| Self {
            status: reply.status,
            errors: errors_in(document.root()),
        })
    }

    /// Whether an error names a field or item of what was sent: then that is at fault, not the address. The klass is part
    /// of the address, and does not count.
    pub(super) fn names_a_field(&self) -> bool {
        self.errors.iter().any(|error| {
            let mut fields = [&error.parameter, &error.pointer].into_iter().flatten();
            let sent = fields.any(|field| {
                let field = field.trim_matches('/').to_ascii_lowercase();
                !matches!(field.as_str(), "name" | "klass" | "klassname" | "klassid")
            });
            error.index.is_some() || sent
        })
    }

    /// Whether an error says that the customer or company to which a body links does not exist.
    pub(super) fn names_missing(&self, owner: &str) -> bool {
        self.errors.iter().any(|error| {
            let about_owner = error
                .words()
                .any(|w| w.to_ascii_lowercase().contains(owner));
            about_owner && error.words().any(says_missing)
        })
    }

    /// Whether `_clientRef` was refused.
    ///
    /// A stack that does not know the reference refuses an additional property. If it does not say which, the reference
    /// is the first suspect, because the fields of a body were checked before it was sent.
    pub(super) fn refuses_refs(&self) -> bool {
        let named = self
            .errors
            .iter()
            .any(|e| e.words().any(|w| w.contains("_clientRef")));
        let unnamed = self.errors.iter().any(|error| {
            let additional = error
                .words()
                .any(|w| w.to_ascii_lowercase().contains("additional properties"));
            let in_part = error.words().any(|w| {
                ["custom", "meta", "data/", "images", "tags"]
                    .iter()
                    .any(|part| w.contains(part))
            });
            additional && !in_part && error.parameter.is_none() && error.pointer.is_none()
        });
        named || unnamed
    }

    /// The index of the item to blame, if an error names one within the first `items`.
    pub(super) fn guilty_item(&self, items: usize) -> Option<usize> {
        if items == 1 {
            return Some(0);
        }
        self.errors
            .iter()
            .find_map(ApiError::item)
            .filter(|index| *index < items)
    }

    /// Whether there is no error text at all.
    pub(super) fn says_nothing(&self) -> bool {
        self.errors.iter().all(|error| error.in_words().is_none())
    }

    /// The errors as text, for a dead letter.
    pub(super) fn detail(&self) -> String {
        let texts: Vec<String> = self
            .errors
            .iter()
            .take(ERRORS_IN_TEXT)
            .filter_map(ApiError::in_words)
            .collect();
        let said = if texts.is_empty() {
            "no error text".to_owned()
        } else {
            texts.join("; ")
        };
        let more = self.errors.len().saturating_sub(ERRORS_IN_TEXT);
        let tail = if more > 0 {
            format!("; {more} more")
        } else {
            String::new()
        };
        limit(&format!("{}: {said}{tail}", self.status))
    }
}

// === impl ApiError ===

impl ApiError {
    fn read(value: &Value) -> Option<Self> {
        if let Some(text) = value.as_str() {
            return Some(Self {
                title: Some(text.to_owned()),
                ..Self::default()
            });
        }
        let text = |name: &str| {
            value
                .get(name)
                .and_then(Value::as_str)
                .filter(|t| !t.is_empty())
                .map(str::to_owned)
        };
        let inner = |outer: &str, name: &str| {
            value
                .get(outer)
                .and_then(|o| o.get(name))
                .and_then(Value::as_str)
                .map(str::to_owned)
        };
        let index = ["index", "item"].iter().find_map(|name| {
            let found = value.get("meta").and_then(|meta| meta.get(*name));
            found
                .and_then(Value::as_u64)
                .and_then(|n| usize::try_from(n).ok())
        });
        let error = Self {
            code: text("code").or_else(|| text("errorCode")),
            title: text("title").or_else(|| text("message")),
            detail: text("detail"),
            parameter: inner("source", "parameter"),
            pointer: inner("source", "pointer").or_else(|| inner("meta", "pointer")),
            index,
        };
        (error != Self::default()).then_some(error)
    }

    /// All texts of the error.
    fn words(&self) -> impl Iterator<Item = &str> {
        [
            &self.code,
            &self.title,
            &self.detail,
            &self.parameter,
            &self.pointer,
        ]
        .into_iter()
        .filter_map(Option::as_deref)
    }

    fn in_words(&self) -> Option<String> {
        let mut out = clean(
            self.title
                .as_deref()
                .or(self.code.as_deref())
                .unwrap_or_default(),
        );
        if let Some(field) = self.parameter.as_deref().or(self.pointer.as_deref()) {
            out = format!("{out}: {}", clean(field));
        }
        if let Some(detail) = &self.detail {
            out = format!("{out} ({})", clean(detail));
        }
        let out = out.trim_start_matches(':').trim().to_owned();
        (!out.is_empty()).then_some(out)
    }

    /// The item that it names: directly, by a pointer, or in brackets within a text.
    ///
    /// Prose is searched for brackets only. A schema path such as `/items/properties/custom`, or a number in a sentence,
    /// must not get a good record rejected.
    fn item(&self) -> Option<usize> {
        let pointers = [&self.pointer, &self.parameter];
        let prose = [&self.detail, &self.title];
        self.index
            .or_else(|| {
                pointers
                    .into_iter()
                    .flatten()
                    .find_map(|text| index_in_pointer(text))
            })
            .or_else(|| {
                prose
                    .into_iter()
                    .flatten()
                    .find_map(|text| index_in_prose(text))
            })
    }
}

fn errors_in(root: &Value) -> Vec<ApiError> {
    match root.get("errors") {
        Some(Value::Array(list)) => list.iter().filter_map(ApiError::read).collect(),
        Some(one) => ApiError::read(one).into_iter().collect(),
        None => match root.get("error") {
            Some(inner @ Value::Object(_)) => ApiError::read(inner).into_iter().collect(),
            other => {
                let mut error = ApiError::read(root).unwrap_or_default();
                if error.title.is_none() {
                    error.title = other.and_then(Value::as_str).map(str::to_owned);
                }
                Some(error)
                    .filter(|e| *e != ApiError::default())
                    .into_iter()
                    .collect()
            }
        },
    }
}

/// `/3/custom/x`, `3.custom.x`, `[3].custom`, `data[3]`, `/data/3/x`.
fn index_in_pointer(text: &str) -> Option<usize> {
    let mut parts = text
        .split(['/', '.', '[', ']', '#'])
        .filter(|part| !part.is_empty());
    let first = parts.next()?;
    if let Ok(index) = first.parse() {
        return Some(index);
    }
    if matches!(first, "data" | "body" | "items" | "payload" | "requestBody") {
        return parts.next()?.parse().ok();
    }
    None
}

/// `data[3]` and `[3].title` anywhere in a text, `/3/title` at its start.
fn index_in_prose(text: &str) -> Option<usize> {
    if text.starts_with('/') {
        let first = text.split('/').nth(1)?;
        return first.parse().ok();
    }
    text.split('[')
        .skip(1)
        .find_map(|rest| rest.split_once(']')?.0.parse().ok())
}

/// Whether a text says that something does not exist.
pub(super) fn says_missing(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    [
        "not found",
        "notfound",
        "not_found",
        "does not exist",
        "doesn't exist",
        "no such",
        "not exist",
    ]
    .iter()
    .any(|phrase| text.contains(phrase))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{ErrorReport, errors_in, index_in_pointer, index_in_prose};

    fn report(body: &serde_json::Value) -> ErrorReport {
        ErrorReport {
            status: 400,
            errors: errors_in(body),
        }
    }

    #[test]
    fn reads_every_shape() {
        let cases = [
            (
                json!({"errors":[{"status":400,"source":{"parameter":"loyalty"},"code":"badparam","title":"Additional properties not allowed","detail":"/properties/custom/additionalProperties"}]}),
                "400: Additional properties not allowed: loyalty (/properties/custom/additionalProperties)",
            ),
            (
                json!({"errors":[{"status":"400","source":{"pointer":"/title"},"title":"is required"}]}),
                "400: is required: /title",
            ),
            (
                json!({"errors":[{"code":"bad_request","message":"Invalid body.","meta":{}}]}),
                "400: Invalid body.",
            ),
            (
                json!({"errors":[{"code":"bad_request"}]}),
                "400: bad_request",
            ),
            (json!({"errors":["first","second"]}), "400: first; second"),
            (json!({"errors":{"title":"alone"}}), "400: alone"),
            (
                json!({"error":"Bad Request","errorCode":"E1","message":"no title"}),
                "400: no title",
            ),
            (json!({"error":"Bad Request"}), "400: Bad Request"),
            (json!({"error":{"message":"inner"}}), "400: inner"),
            (json!({"message":"only this"}), "400: only this"),
            (json!({"errors":[]}), "400: no error text"),
            (
                json!({"surprise":{"email":"a@b.example"}}),
                "400: no error text",
            ),
            (json!([1, 2]), "400: no error text"),
            (json!(null), "400: no error text"),
        ];
        for (body, text) in cases {
            assert_eq!(report(&body).detail(), text, "{body}");
        }
    }

    #[test]
    fn says_how_many_errors_it_leaves_out() {
        let errors: Vec<_> = (0..7).map(|n| json!({"title": format!("e{n}")})).collect();
        assert_eq!(
            report(&json!({"errors": errors})).detail(),
            "400: e0; e1; e2; 4 more"
        );
    }

    #[test]
    fn finds_the_guilty_item() {
        for (pointer, index) in [
            ("/3/custom/x", Some(3)),
            ("3.custom.x", Some(3)),
            ("[3].custom", Some(3)),
            ("data[3]", Some(3)),
            ("/data/3/title", Some(3)),
            ("#/3/title", Some(3)),
            ("/items/properties/custom", None),
            ("custom.x3", None),
            ("title", None),
            ("", None),
        ] {
            assert_eq!(index_in_pointer(pointer), index, "{pointer}");
        }
        for (prose, index) in [
            ("data[3].title is required", Some(3)),
            ("/3/title", Some(3)),
            ("at most 100 items", None),
            ("/properties/custom/additionalProperties", None),
            ("must match ^[a-z]{2}$", None),
        ] {
            assert_eq!(index_in_prose(prose), index, "{prose}");
        }
    }

    #[test]
    fn an_index_out_of_range_names_nobody() {
        let body = json!({"errors":[{"source":{"pointer":"/7/title"}}]});
        assert_eq!(report(&body).guilty_item(8), Some(7));
        assert_eq!(report(&body).guilty_item(7), None);
        assert_eq!(
            report(&json!({"errors":[{"meta":{"index":2}}]})).guilty_item(5),
            Some(2)
        );
        assert_eq!(report(&json!({})).guilty_item(1), Some(0));
    }

    #[test]
    fn tells_a_refused_reference_from_a_refused_field() {
        let refused = [
            json!({"errors":[{"source":{"parameter":"_clientRef"},"title":"Additional properties not allowed"}]}),
            json!({"errors":[{"title":"Additional properties not allowed","detail":"/items/additionalProperties"}]}),
            json!({"errors":[{"message":"unknown field _clientRef"}]}),
        ];
        for body in refused {
            assert!(report(&body).refuses_refs(), "{body}");
        }
        let other = [
            json!({"errors":[{"source":{"parameter":"loyalty"},"title":"Additional properties not allowed"}]}),
            json!({"errors":[{"title":"Additional properties not allowed","detail":"/properties/custom/additionalProperties"}]}),
            json!({"errors":[{"title":"title is required"}]}),
            json!({}),
        ];
        for body in other {
            assert!(!report(&body).refuses_refs(), "{body}");
        }
    }
}
