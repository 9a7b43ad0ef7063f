//! Is the key valid, and what may it do? For start-up and `check --online`.
//!
//! Every valid key may ask about itself, so this distinguishes a wrong key from a missing role, which the other endpoints
//! do not do reliably (`docs/kustomer-api.md`, sections 1 and 12).

use ingest_model::call::Limits;
use ingest_model::outcome::HoldCause;
use serde_json::Value;

use crate::classify::{Document, HttpReply, NoAnswer, hold_of_status};
use crate::client::Client;
use crate::encode::token;
use crate::key::ApiKey;

/// What the API says about the key in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenInfo {
    /// The name that its creator gave it.
    pub name: Option<String>,
    /// Its roles as listed.
    pub roles: Vec<String>,
    /// What the answer said of the organisation's request limit.
    pub limits: Limits,
}

/// Why nothing is known about the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The key, the account or the address is wrong: a person has to act.
    #[error("the API refused the key: {}", .0.as_str())]
    Refused(HoldCause),
    /// No answer, because of the address, the network or the API.
    #[error("the key could not be checked")]
    Unanswered(#[from] NoAnswer),
    /// The API is there but cannot answer now: ask again later.
    #[error("the API answered {status} instead of the key's roles: try again later")]
    Later {
        /// The answer's status.
        status: u16,
    },
    /// The address answers, but not like this API.
    #[error("the answer ({status}) is not what the API says about a key: is the base URL right?")]
    Garbled {
        /// The answer's status.
        status: u16,
    },
}

/// Something the worker does that needs a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Need {
    /// Identities and tracking events.
    Track,
    /// Looking a customer up by key.
    ReadCustomers,
    /// Looking many customers up at once.
    SearchCustomers,
    /// Creating customers.
    CreateCustomers,
    /// Updating customers.
    UpdateCustomers,
    /// Deleting customers.
    DeleteCustomers,
    /// Reading companies by external id.
    ReadCompanies,
    /// Creating companies.
    CreateCompanies,
    /// Updating companies.
    UpdateCompanies,
    /// Reading objects by external id.
    ReadKObjects,
    /// Creating objects.
    CreateKObjects,
    /// Updating objects.
    UpdateKObjects,
    /// Deleting objects.
    DeleteKObjects,
    /// Reading the results of bulk jobs.
    ReadJobs,
    /// Reading klasses.
    ReadKlasses,
    /// Creating klasses.
    CreateKlasses,
    /// Reading attribute metadata.
    ReadMetadata,
    /// Writing attribute metadata.
    UpdateMetadata,
}

impl Client {
    /// Asks the API about the key in use: one request.
    ///
    /// # Errors
    /// [`TokenError`], classified by what has to be done about it.
    pub async fn token_info(&self) -> Result<TokenInfo, TokenError> {
        read(&self.exchange(token::current()).await?)
    }

    /// The same, and what the answer said about the limit.
    ///
    /// # Errors
    /// As [`Client::token_info`].
    pub async fn token_info_telling(&self) -> Result<(TokenInfo, Limits), TokenError> {
        let reply = self.exchange(token::current()).await?;
        Ok((read(&reply)?, reply.limits))
    }

    /// Asks the API about a key that need not be the one in use: one request.
    ///
    /// # Errors
    /// [`TokenError`], classified by what has to be done about it.
    pub async fn token_info_of(&self, key: &ApiKey) -> Result<TokenInfo, TokenError> {
        read(&self.exchange_with(key, token::current()).await?)
    }
}

fn read(reply: &HttpReply) -> Result<TokenInfo, TokenError> {
    let status = reply.status;
    if let Some(cause) = hold_of_status(status) {
        return Err(TokenError::Refused(cause));
    }
    match status {
        200..=299 => token_in(reply).ok_or(TokenError::Garbled { status }),
        408 | 421 | 425 | 429 | 500..=599 => Err(TokenError::Later { status }),
        _ => Err(TokenError::Garbled { status }),
    }
}

fn token_in(reply: &HttpReply) -> Option<TokenInfo> {
    let document = Document::read(reply)?;
    let token = document.one()??;
    let roles = token.attribute("roles").and_then(Value::as_array)?;
    Some(TokenInfo {
        name: token.text("name").map(str::to_owned),
        roles: roles
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        limits: reply.limits,
    })
}

// === impl TokenInfo ===

impl TokenInfo {
    /// Whether one of the roles allows it. A role includes every role that begins with it and a dot.
    ///
    /// ```
    /// # use ingest_kustomer::{Need, TokenInfo};
    /// # use ingest_model::call::Limits;
    /// let token = TokenInfo { name: None, limits: Limits::default(), roles: vec!["org.tracking".into(), "org.user.customer".into()] };
    /// assert!(token.allows(Need::Track) && token.allows(Need::CreateCustomers));
    /// assert!(!token.allows(Need::ReadJobs));
    /// ```
    #[must_use]
    pub fn allows(&self, need: Need) -> bool {
        need.roles()
            .iter()
            .any(|wanted| self.roles.iter().any(|role| covers(role, wanted)))
    }

    /// The needs that no role allows.
    #[must_use]
    pub fn lacks(&self, needs: &[Need]) -> Vec<Need> {
        needs
            .iter()
            .copied()
            .filter(|need| !self.allows(*need))
            .collect()
    }
}

/// A `*` in a required role matches any one klass: roles may be granted for single klasses, and whether it is the right
/// one turns out when it is used.
fn covers(role: &str, wanted: &str) -> bool {
    let below = |prefix: &str| {
        wanted
            .strip_prefix(prefix)
            .is_some_and(|rest| rest.starts_with('.'))
    };
    match wanted.split_once('*') {
        Some((before, after)) => role
            .strip_prefix(before)
            .is_some_and(|rest| rest.ends_with(after) && rest != after),
        None => role == wanted || below(role),
    }
}

// === impl Need ===

impl Need {
    /// Every need.
    pub const ALL: &'static [Self] = &[
        Self::Track,
        Self::ReadCustomers,
        Self::SearchCustomers,
        Self::CreateCustomers,
        Self::UpdateCustomers,
        Self::DeleteCustomers,
        Self::ReadCompanies,
        Self::CreateCompanies,
        Self::UpdateCompanies,
        Self::ReadKObjects,
        Self::CreateKObjects,
        Self::UpdateKObjects,
        Self::DeleteKObjects,
        Self::ReadJobs,
        Self::ReadKlasses,
        Self::CreateKlasses,
        Self::ReadMetadata,
        Self::UpdateMetadata,
    ];

    /// The role to ask for.
    #[must_use]
    pub fn role(self) -> &'static str {
        self.roles().first().copied().unwrap_or_default()
    }

    /// The roles of which one is enough; the first is the one to ask for.
    #[must_use]
    pub fn roles(self) -> &'static [&'static str] {
        match self {
            Self::Track => &["org.tracking"],
            Self::ReadCustomers => &["org.permission.customer.read", "org.user.customer.read"],
            Self::SearchCustomers => &["org.permission.search.create", "org.user.search.read"],
            Self::CreateCustomers => &["org.permission.customer.create", "org.user.customer.write"],
            Self::UpdateCustomers => &["org.permission.customer.update", "org.user.customer.write"],
            Self::DeleteCustomers => {
                &["org.permission.customer.delete", "org.user.customer.delete"]
            }
            Self::ReadCompanies => &["org.permission.company.read", "org.user.company.read"],
            Self::CreateCompanies => &["org.permission.company.create", "org.user.company.write"],
            Self::UpdateCompanies => &["org.permission.company.update", "org.user.company.write"],
            Self::ReadKObjects => &[
                "org.permission.kobject.read",
                "org.permission.kobject.kobject_*.read",
                "org.user.kobject.read",
            ],
            Self::CreateKObjects => &[
                "org.permission.kobject.create",
                "org.permission.kobject.kobject_*.create",
                "org.user.kobject.write",
            ],
            Self::UpdateKObjects => &[
                "org.permission.kobject.update",
                "org.permission.kobject.kobject_*.update",
                "org.user.kobject.write",
            ],
            Self::DeleteKObjects => &[
                "org.permission.kobject.delete",
                "org.permission.kobject.kobject_*.delete",
                "org.user.kobject.delete",
                "org.user.kobject.write",
            ],
            Self::ReadJobs => &["org.permission.bulk.read", "org.user.bulk.read"],
            Self::ReadKlasses => &[
                "org.permission.klass.read",
                "org.user.klass.read",
                "org.admin.klass.read",
            ],
            Self::CreateKlasses => &["org.permission.klass.create", "org.admin.klass.write"],
            Self::ReadMetadata => &["org.permission.metadata.read", "org.user.metadata.read"],
            Self::UpdateMetadata => &["org.permission.metadata.update", "org.admin.metadata.write"],
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use ingest_model::call::Limits;
    use ingest_model::outcome::HoldCause;

    use super::{Need, TokenError, TokenInfo, read};
    use crate::classify::{HttpReply, ReplyBody};

    fn reply(status: u16, body: &str) -> HttpReply {
        let body = ReplyBody::Whole(Bytes::copy_from_slice(body.as_bytes()));
        HttpReply {
            status,
            limits: Limits::default(),
            location: None,
            body,
        }
    }

    #[test]
    fn reads_name_and_roles_in_both_envelopes() {
        let known = TokenInfo {
            name: Some("ingest".into()),
            roles: vec!["org.tracking".into()],
            limits: Limits::default(),
        };
        for body in [
            r#"{"data":{"type":"token","id":"1","attributes":{"name":"ingest","roles":["org.tracking"]}}}"#,
            r#"{"name":"ingest","roles":["org.tracking"]}"#,
        ] {
            assert_eq!(read(&reply(200, body)), Ok(known.clone()), "{body}");
        }
    }

    #[test]
    fn sorts_failures_by_what_to_do() {
        for (status, body, error) in [
            (401, "", TokenError::Refused(HoldCause::BadToken)),
            (403, "{}", TokenError::Refused(HoldCause::MissingRole)),
            (302, "", TokenError::Refused(HoldCause::Unhealthy)),
            (200, "<html>", TokenError::Garbled { status: 200 }),
            (
                200,
                r#"{"data":{"id":"1"}}"#,
                TokenError::Garbled { status: 200 },
            ),
            (404, "", TokenError::Garbled { status: 404 }),
            (429, "", TokenError::Later { status: 429 }),
            (503, "", TokenError::Later { status: 503 }),
        ] {
            assert_eq!(read(&reply(status, body)), Err(error), "{status} {body}");
        }
    }

    #[test]
    fn old_roles_single_klasses_and_whole_families_count() {
        let token = |role: &str| TokenInfo {
            name: None,
            roles: vec![role.to_owned()],
            limits: Limits::default(),
        };
        assert!(token("org.user.kobject.write").allows(Need::UpdateKObjects));
        assert!(token("org.permission.kobject.kobject_order.create").allows(Need::CreateKObjects));
        assert!(!token("org.permission.kobject.kobject_order.create").allows(Need::UpdateKObjects));
        assert!(token("org.permission").allows(Need::ReadJobs));
        assert!(!token("org.perm").allows(Need::ReadJobs));
        assert!(!token("org.permission.customer.reader").allows(Need::ReadCustomers));
        assert_eq!(
            token("org.tracking").lacks(&[Need::Track, Need::ReadJobs]),
            [Need::ReadJobs]
        );
    }
}
