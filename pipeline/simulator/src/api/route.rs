//! From method and path to an endpoint with its parameters.

use percent_encoding::percent_decode_str;

use crate::api::endpoint::Endpoint;
use crate::api::request::Method;

/// A recognised request line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) endpoint: Endpoint,
    /// Klass name, metadata resource or session id, where the path has one.
    pub(crate) name: String,
    /// The value that addresses one resource: id, e-mail, external id or phone.
    pub(crate) id: String,
    /// A customer's id in front of klasses, sessions and events.
    pub(crate) customer: Option<String>,
    pub(crate) query: Query,
}

/// Whether a path is one of the simulator's own, below `/_sim`.
pub(crate) fn is_control(path_and_query: &str) -> bool {
    let (path, _) = split(path_and_query);
    path == "/" || path == "/_sim" || path.starts_with("/_sim/")
}

/// Decoded query parameters.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn parse(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name), decoded(&value.replace('+', " ")))
        });
        Self(pairs.collect())
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn number(&self, name: &str) -> Option<usize> {
        self.get(name).and_then(|text| text.parse().ok())
    }

    /// The comma-separated values of `ids`.
    pub(crate) fn ids(&self) -> Option<Vec<String>> {
        self.get("ids").map(|text| {
            text.split(',')
                .filter(|id| !id.is_empty())
                .map(str::to_owned)
                .collect()
        })
    }
}

pub(crate) fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// Splits a path with its query in two.
pub(crate) fn split(path_and_query: &str) -> (&str, &str) {
    path_and_query
        .split_once('?')
        .unwrap_or((path_and_query, ""))
}

/// An id has 24 hexadecimal digits; a klass name in a path that looks like one is taken as an id.
pub(crate) fn is_id(text: &str) -> bool {
    text.len() == 24 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

impl Call {
    pub(crate) fn of(method: Method, path_and_query: &str) -> Self {
        let (path, query) = split(path_and_query);
        let mut segments = path.split('/');
        let rooted = segments.next() == Some("") && segments.next() == Some("v1");
        let segments: Vec<&str> = if rooted {
            segments.collect()
        } else {
            Vec::new()
        };
        let mut call = Self::recognised(method, &segments);
        call.query = Query::parse(query);
        call
    }

    fn plain(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            name: String::new(),
            id: String::new(),
            customer: None,
            query: Query::default(),
        }
    }

    fn named(endpoint: Endpoint, name: &str) -> Self {
        Self {
            name: decoded(name),
            ..Self::plain(endpoint)
        }
    }

    fn with_id(mut self, id: &str) -> Self {
        self.id = decoded(id);
        self
    }

    fn of_customer(mut self, customer: &str) -> Self {
        self.customer = Some(decoded(customer));
        self
    }

    fn recognised(method: Method, segments: &[&str]) -> Self {
        match segments {
            ["tracking", rest @ ..] => Self::tracking(method, rest),
            ["customers", rest @ ..] => Self::customers(method, rest),
            ["companies", rest @ ..] => Self::companies(method, rest),
            ["klasses", rest @ ..] => Self::klasses(method, rest),
            ["bulk", id] if method == Method::Get => Self::plain(Endpoint::BulkGet).with_id(id),
            ["bulk", id, "batches"] if method == Method::Get => {
                Self::plain(Endpoint::BulkBatches).with_id(id)
            }
            ["metadata", resource] => match method {
                Method::Get => Self::named(Endpoint::MetadataGet, resource),
                Method::Put => Self::named(Endpoint::MetadataUpdate, resource),
                Method::Post | Method::Patch | Method::Delete | Method::Other => {
                    Self::plain(Endpoint::Unknown)
                }
            },
            ["auth", "tokens", "current"] if method == Method::Get => {
                Self::plain(Endpoint::TokenCurrent)
            }
            _ => Self::plain(Endpoint::Unknown),
        }
    }

    fn tracking(method: Method, rest: &[&str]) -> Self {
        match (method, rest) {
            (Method::Post, ["event"]) => Self::plain(Endpoint::TrackingEvent),
            (Method::Post, ["identity"]) => Self::plain(Endpoint::TrackingIdentity),
            (Method::Post, ["identityEvent"]) => Self::plain(Endpoint::TrackingIdentityEvent),
            _ => Self::plain(Endpoint::Unknown),
        }
    }

    fn customers(method: Method, rest: &[&str]) -> Self {
        match (method, rest) {
            (Method::Post, []) => Self::plain(Endpoint::CustomerCreate),
            (Method::Post, ["search"]) => Self::plain(Endpoint::CustomerSearch),
            (Method::Post, ["merges"]) => Self::plain(Endpoint::CustomerMerge),
            (Method::Post, ["bulk"]) => Self::plain(Endpoint::CustomerBulkCreate),
            (Method::Put, ["bulk"]) => Self::plain(Endpoint::CustomerBulkUpdate),
            (Method::Delete, ["bulk"]) => Self::plain(Endpoint::CustomerBulkDelete),
            (Method::Get, [one]) => Self::customer(one),
            (Method::Put | Method::Patch, [id]) => {
                Self::plain(Endpoint::CustomerUpdate).with_id(id)
            }
            (Method::Delete, [id]) => Self::plain(Endpoint::CustomerDelete).with_id(id),
            (Method::Post, [id, "klasses", klass]) => {
                Self::named(Endpoint::KobjectCreate, klass).of_customer(id)
            }
            (Method::Get, [id, "klasses", klass]) => {
                Self::named(Endpoint::KobjectListOfCustomer, klass).of_customer(id)
            }
            (Method::Get, [id, "sessions"]) => Self::plain(Endpoint::SessionList).of_customer(id),
            (Method::Get, [id, "sessions", session, "events"]) => {
                Self::named(Endpoint::SessionEvents, session).of_customer(id)
            }
            (Method::Get, [id, "events", event]) => Self::plain(Endpoint::EventGet)
                .of_customer(id)
                .with_id(event),
            _ => Self::plain(Endpoint::Unknown),
        }
    }

    fn companies(method: Method, rest: &[&str]) -> Self {
        match (method, rest) {
            (Method::Get, []) => Self::plain(Endpoint::CompanyList),
            (Method::Post, []) => Self::plain(Endpoint::CompanyCreate),
            (Method::Post, ["bulk"]) => Self::plain(Endpoint::CompanyBulkCreate),
            (Method::Put, ["bulk"]) => Self::plain(Endpoint::CompanyBulkUpdate),
            (Method::Get, [id]) => Self::plain(Endpoint::CompanyGet).with_id(id),
            (Method::Put, [id]) => Self::plain(Endpoint::CompanyUpdate).with_id(id),
            _ => Self::plain(Endpoint::Unknown),
        }
    }

    fn customer(one: &str) -> Self {
        if let Some(email) = one.strip_prefix("email=") {
            Self::plain(Endpoint::CustomerGetByEmail).with_id(email)
        } else if let Some(external_id) = one.strip_prefix("externalId=") {
            Self::plain(Endpoint::CustomerGetByExternalId).with_id(external_id)
        } else if let Some(phone) = one.strip_prefix("phone=") {
            Self::plain(Endpoint::CustomerGetByPhone).with_id(phone)
        } else {
            Self::plain(Endpoint::CustomerGet).with_id(one)
        }
    }

    fn klasses(method: Method, rest: &[&str]) -> Self {
        match (method, rest) {
            (Method::Get, []) => Self::plain(Endpoint::KlassList),
            (Method::Post, []) => Self::plain(Endpoint::KlassCreate),
            (Method::Get, [id]) if is_id(id) => Self::plain(Endpoint::KlassGet).with_id(id),
            (Method::Put, [id]) => Self::plain(Endpoint::KlassUpdate).with_id(id),
            (Method::Delete, [id]) => Self::plain(Endpoint::KlassDelete).with_id(id),
            (Method::Get, [klass]) => Self::named(Endpoint::KobjectList, klass),
            (Method::Post, [klass]) => Self::named(Endpoint::KobjectCreate, klass),
            (Method::Post, [klass, "bulk"]) => Self::named(Endpoint::KobjectBulkCreate, klass),
            (Method::Put, [klass, "bulk"]) => Self::named(Endpoint::KobjectBulkUpdate, klass),
            (Method::Delete, [klass, "bulk"]) => Self::named(Endpoint::KobjectBulkDelete, klass),
            (Method::Get, [klass, one]) => match one.strip_prefix("externalId=") {
                Some(external_id) => {
                    Self::named(Endpoint::KobjectGetByExternalId, klass).with_id(external_id)
                }
                None => Self::named(Endpoint::KobjectGet, klass).with_id(one),
            },
            (Method::Put, [klass, id]) => Self::named(Endpoint::KobjectUpdate, klass).with_id(id),
            (Method::Delete, [klass, id]) => {
                Self::named(Endpoint::KobjectDelete, klass).with_id(id)
            }
            _ => Self::plain(Endpoint::Unknown),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn klass_names_and_klass_ids_share_a_path() {
        let by_id = Call::of(Method::Get, "/v1/klasses/0123456789abcdef01234567");
        assert_eq!(by_id.endpoint, Endpoint::KlassGet);
        let by_name = Call::of(Method::Get, "/v1/klasses/order?page=2");
        assert_eq!(
            (by_name.endpoint, by_name.name.as_str()),
            (Endpoint::KobjectList, "order")
        );
        assert_eq!(by_name.query.number("page"), Some(2));
    }

    #[test]
    fn companies_are_found_by_a_query() {
        let call = Call::of(Method::Get, "/v1/companies?externalId=a%2Fb");
        assert_eq!(
            (call.endpoint, call.query.get("externalId")),
            (Endpoint::CompanyList, Some("a/b"))
        );
        let call = Call::of(Method::Patch, "/v1/companies/0123456789abcdef01234567");
        assert_eq!(call.endpoint, Endpoint::Unknown, "only `PUT` is documented");
    }

    #[test]
    fn values_in_paths_are_decoded() {
        let call = Call::of(Method::Get, "/v1/customers/email=a%2Bb%40c.de");
        assert_eq!(
            (call.endpoint, call.id.as_str()),
            (Endpoint::CustomerGetByEmail, "a+b@c.de")
        );
        let call = Call::of(Method::Get, "/v1/klasses/order/externalId=a%2Fb");
        assert_eq!(
            (call.endpoint, call.id.as_str()),
            (Endpoint::KobjectGetByExternalId, "a/b")
        );
    }

    #[test]
    fn dead_and_foreign_paths_are_unknown() {
        for (method, path) in [
            (
                Method::Post,
                "/v1/customers/0123456789abcdef01234567/events",
            ),
            (Method::Get, "/v1/customers/0123456789abcdef01234567/events"),
            (Method::Post, "/v1/tracking/identityevent"),
            (Method::Get, "/v1/tracking/event"),
            (Method::Patch, "/v1/klasses/order/0123456789abcdef01234567"),
            (Method::Get, "/v2/klasses"),
            (Method::Get, "/"),
        ] {
            assert_eq!(Call::of(method, path).endpoint, Endpoint::Unknown, "{path}");
        }
    }
}
