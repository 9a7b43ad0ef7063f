//! Asks a registry once for each schema and what it refers to.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ingest_encoding::{Schema, SchemaId, SchemaType, Source};
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue};
use secrecy::ExposeSecret as _;
use url::Url;

use crate::failure::{Failure, unanswered};
use crate::reply::{self, Answer, Reference};
use crate::settings::{Access, Auth, ReadAccess, RegistrySettings};

/// The largest answer.
const MAX_ANSWER: usize = 4 << 20;
/// The most schemas that one may refer to, those that they refer to included.
const MAX_REFERENCES: usize = 200;
/// What registries answer in; they accept plain JSON, too.
const KINDS: &str = "application/vnd.schemaregistry.v1+json, application/json;q=0.9";

/// Asks a registry. Cheap to clone.
///
/// Where its credentials and certificates may change, they are read anew for each schema: that is seldom, and new ones are used at once.
#[derive(Clone)]
pub struct RegistryClient(Arc<Shared>);

struct Shared {
    url: Url,
    place: Box<str>,
    timeout: Duration,
    rereads: Option<ReadAccess>,
    used: Mutex<Used>,
    /// One look at a time: what it reads from may stand still.
    looking: Mutex<()>,
}

/// With what it asks.
struct Used {
    access: Access,
    http: reqwest::Client,
    /// Why what is in the place of the access now is not used.
    problem: Option<String>,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A secret has characters that no header may have.
    #[error("a secret for the schema registry has characters that are not allowed in a header")]
    Secret,
    /// The certificates cannot be read.
    #[error("the certificates of schema_registry.ca are not PEM")]
    Ca(#[source] reqwest::Error),
    /// The client cannot be set up.
    #[error("the client of the schema registry cannot be set up")]
    Http(#[source] reqwest::Error),
    /// The runtime of a command cannot be started.
    #[error("cannot start the runtime")]
    Runtime(#[source] std::io::Error),
}

// === impl RegistryClient ===

impl RegistryClient {
    /// A client; nothing is asked yet.
    ///
    /// # Errors
    /// A secret or a certificate cannot be used.
    pub fn new(settings: &RegistrySettings) -> Result<Self, BuildError> {
        let access = settings.access.clone();
        let http = http(&settings.url, settings.timeout, &access)?;
        let used = Used {
            access,
            http,
            problem: None,
        };
        Ok(Self(Arc::new(Shared {
            url: settings.url.clone(),
            place: settings.place().into(),
            timeout: settings.timeout,
            rereads: settings.rereads.clone(),
            used: Mutex::new(used),
            looking: Mutex::new(()),
        })))
    }

    /// The registry's address, for people.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.0.place
    }

    /// Whether it answers as a registry does.
    ///
    /// # Errors
    /// [`Failure::Down`], and why.
    pub async fn probe(&self) -> Result<(), Failure> {
        let http = self.current().await;
        let (status, body) = self.get(&http, &["subjects"]).await?;
        match (status, serde_json::from_slice::<Vec<String>>(&body)) {
            (200, Ok(_)) => Ok(()),
            // it may be that schemas can be read all the same, but nobody knows
            (200, Err(_)) => Err(Failure::Down(
                "its answer is not that of a schema registry: is this its address?".to_owned(),
            )),
            (status, _) => match reply::read(status, &body) {
                Err(failure) => Err(Failure::Down(failure.to_string())),
                Ok(_) => Ok(()),
            },
        }
    }

    /// The schema of an id, with everything that it refers to.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn fetch(&self, id: SchemaId) -> Result<Arc<Schema>, Failure> {
        let http = self.current().await;
        let fetched = self.fetch_with(&http, id).await;
        fetched.map_err(|failure| match (failure, &self.used().problem) {
            (Failure::Down(why), Some(problem)) => Failure::Down(format!("{why}; {problem}")),
            (failure, _) => failure,
        })
    }

    async fn fetch_with(
        &self,
        http: &reqwest::Client,
        id: SchemaId,
    ) -> Result<Arc<Schema>, Failure> {
        let number = id.to_string();
        let by = match id {
            SchemaId::Number(_) => "ids",
            SchemaId::Guid(_) => "guids",
        };
        let (status, body) = self.get(http, &["schemas", by, &number]).await?;
        let answer = reply::read(status, &body).map_err(|failure| match (id, failure) {
            (SchemaId::Guid(_), Failure::Down(why)) if status == 404 => {
                Failure::Down(format!("{why} Or a registry that does not know GUIDs?"))
            }
            (_, failure) => failure,
        })?;
        let references = self.references(http, &answer).await?;
        compiled(answer.kind, answer.text, references).await
    }

    /// Everything that a schema refers to, each after what it refers to itself.
    async fn references(
        &self,
        http: &reqwest::Client,
        answer: &Answer,
    ) -> Result<Vec<Source>, Failure> {
        let mut known: HashMap<(String, i64), Answer> = HashMap::new();
        let mut wanted: Vec<Reference> = answer.references.clone();
        while let Some(next) = wanted.pop() {
            let key = (next.subject.clone(), next.version);
            if known.contains_key(&key) {
                continue;
            }
            if known.len() >= MAX_REFERENCES {
                return Err(Failure::Unusable(format!(
                    "it refers to more than {MAX_REFERENCES} others"
                )));
            }
            let version = next.version.to_string();
            let path = ["subjects", next.subject.as_str(), "versions", &version];
            let (status, body) = self.get_with(http, &path, Some("deleted=true")).await?;
            let found = reply::read(status, &body).map_err(|failure| match failure {
                Failure::Unknown(_) => Failure::Unknown(format!(
                    "it refers to version {version} of {}, which the registry does not have",
                    next.subject
                )),
                other @ (Failure::Unusable(_) | Failure::Down(_)) => other,
            })?;
            wanted.extend(found.references.iter().cloned());
            known.insert(key, found);
        }
        let mut sorted = Vec::new();
        let mut names = Vec::new();
        for one in &answer.references {
            sort_in(one, &known, &mut names, &mut sorted, 0)?;
        }
        Ok(sorted)
    }

    async fn get(&self, http: &reqwest::Client, path: &[&str]) -> Result<(u16, Vec<u8>), Failure> {
        self.get_with(http, path, None).await
    }

    /// With `deleted=true`, what was deleted softly is there, too: records that refer to it still are.
    async fn get_with(
        &self,
        http: &reqwest::Client,
        path: &[&str],
        query: Option<&str>,
    ) -> Result<(u16, Vec<u8>), Failure> {
        let mut url = self.0.url.clone();
        if let Ok(mut parts) = url.path_segments_mut() {
            parts.pop_if_empty().extend(path);
        }
        url.set_query(query);
        let sent = http.get(url).send().await;
        let mut answer = sent.map_err(|error| unanswered(&error))?;
        let status = answer.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| unanswered(&error))? {
            if body.len() + chunk.len() > MAX_ANSWER {
                let why = format!("the registry's answer has more than {MAX_ANSWER} bytes");
                // The page of a proxy decides nothing about a schema.
                return Err(match status {
                    200 => Failure::Unusable(why),
                    _ => Failure::Down(format!("it answers {status}; {why}")),
                });
            }
            body.extend_from_slice(&chunk);
        }
        Ok((status, body))
    }

    /// The client with what is in its place now; with the former where that cannot be used.
    async fn current(&self) -> reqwest::Client {
        if self.0.rereads.is_some() {
            let asked = self.clone();
            // Reading may block, and where files are on another machine, for ever.
            let looking = tokio::task::spawn_blocking(move || asked.look());
            match tokio::time::timeout(self.0.timeout, looking).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => self.not_used(&format!("reading them failed: {error}")),
                Err(_) => self.not_used("reading them takes too long"),
            }
        }
        self.used().http.clone()
    }

    /// Looks whether there are other credentials or certificates, and uses them from now on.
    fn look(&self) {
        let Some(rereads) = &self.0.rereads else {
            return;
        };
        let Ok(_one) = self.0.looking.try_lock() else {
            return;
        };
        let problem = match rereads.read() {
            Ok(access) if access.is(&self.used().access) => None,
            Ok(access) => match http(&self.0.url, self.0.timeout, &access) {
                Ok(http) => {
                    let mut used = self.used();
                    (used.access, used.http) = (access, http);
                    tracing::info!(
                        registry = self.place(),
                        "the schema registry's credentials or certificates were replaced"
                    );
                    None
                }
                Err(error) => Some(error.to_string()),
            },
            Err(why) => Some(why),
        };
        match problem {
            Some(why) => self.not_used(&why),
            None => self.used().problem = None,
        }
    }

    /// The access in use goes on.
    fn not_used(&self, why: &str) {
        let problem = format!("the credentials and certificates in use go on: {why}");
        let is_known = {
            let mut used = self.used();
            used.problem.replace(problem.clone()) == Some(problem)
        };
        if !is_known {
            tracing::warn!(
                registry = self.place(),
                why,
                "other credentials or certificates of the schema registry cannot be used"
            );
        }
    }

    fn used(&self) -> MutexGuard<'_, Used> {
        self.0.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for RegistryClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistryClient")
            .field("place", &self.0.place)
            .finish_non_exhaustive()
    }
}

/// Puts a schema behind those that it refers to.
fn sort_in(
    one: &Reference,
    known: &HashMap<(String, i64), Answer>,
    names: &mut Vec<String>,
    sorted: &mut Vec<Source>,
    depth: usize,
) -> Result<(), Failure> {
    if depth > MAX_REFERENCES {
        return Err(Failure::Unusable(
            "its references go in a circle".to_owned(),
        ));
    }
    if names.contains(&one.name) {
        return Ok(());
    }
    let Some(found) = known.get(&(one.subject.clone(), one.version)) else {
        return Ok(());
    };
    for below in &found.references {
        sort_in(below, known, names, sorted, depth + 1)?;
    }
    if !names.contains(&one.name) {
        names.push(one.name.clone());
        sorted.push(Source {
            name: one.name.clone(),
            text: found.text.clone(),
        });
    }
    Ok(())
}

/// Compiles beside the runtime: a schema may be large, and what others wrote may make the compiler panic.
async fn compiled(
    kind: SchemaType,
    text: String,
    references: Vec<Source>,
) -> Result<Arc<Schema>, Failure> {
    let work = tokio::task::spawn_blocking(move || Schema::compile(kind, &text, &references));
    match work.await {
        Ok(Ok(schema)) => Ok(Arc::new(schema)),
        Ok(Err(fault)) => Err(Failure::Unusable(fault.to_string())),
        Err(_) => Err(Failure::Unusable("compiling it failed".to_owned())),
    }
}

/// A client that asks with this access.
fn http(url: &Url, timeout: Duration, access: &Access) -> Result<reqwest::Client, BuildError> {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static(KINDS));
    if let Some(mut value) = authorization(&access.auth)? {
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    let mut builder = reqwest::Client::builder()
        .default_headers(headers)
        .connect_timeout(timeout)
        .timeout(timeout)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .gzip(true)
        .pool_max_idle_per_host(2);
    if let Some(pem) = &access.ca {
        let all = reqwest::Certificate::from_pem_bundle(pem).map_err(BuildError::Ca)?;
        for one in all {
            builder = builder.add_root_certificate(one);
        }
    }
    let host = url.host_str().unwrap_or_default();
    if matches!(host, "localhost" | "127.0.0.1" | "[::1]") {
        builder = builder.no_proxy();
    }
    builder.build().map_err(BuildError::Http)
}

fn authorization(auth: &Auth) -> Result<Option<HeaderValue>, BuildError> {
    let text = match auth {
        Auth::None => return Ok(None),
        Auth::Bearer(token) => format!("Bearer {}", token.expose_secret()),
        Auth::Basic { user, password } => {
            use base64::Engine as _;
            let both = format!("{user}:{}", password.expose_secret());
            let both = base64::engine::general_purpose::STANDARD.encode(both);
            format!("Basic {both}")
        }
    };
    let value = HeaderValue::from_str(&text).map_err(|_error| BuildError::Secret)?;
    Ok(Some(value))
}
