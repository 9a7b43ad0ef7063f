//! Where spans go, and which records are followed.

use std::path::PathBuf;
use std::time::Duration;

use ingest_traces::{ExportSettings, Headers, Resource};
use url::Url;

use super::property::PropertyValue;

/// `tracing`: the collector, and how much it gets.
#[derive(Debug, Clone)]
pub struct TracingPlace {
    /// The collector's address, with the path of traces or without it.
    pub endpoint: Url,
    /// What each request carries besides.
    pub headers: Vec<(String, PropertyValue)>,
    /// A file with certificates that are trusted besides those of the system.
    pub ca: Option<PathBuf>,
    /// How long one request may take.
    pub timeout: Duration,
    /// How long a span waits for others.
    pub interval: Duration,
    /// The most spans that wait.
    pub queue: usize,
    /// Of traces that begin here, this part is followed.
    pub ratio: f64,
    /// The most spans a second.
    pub spans_per_second: u32,
}

/// Why spans cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum TracingError {
    /// The file of certificates cannot be read.
    #[error("tracing.ca: cannot read {}", path.display())]
    Ca {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The environment has a variable that cannot be used.
    #[error("the environment variable OTEL_RESOURCE_ATTRIBUTES has {0}")]
    Resource(#[from] ingest_traces::resource::NotAttributes),
}

// === impl TracingPlace ===

impl TracingPlace {
    /// Where spans go, with the certificates read now. Headers are read for each request.
    ///
    /// # Errors
    /// A file cannot be read, or the environment's attributes cannot be used.
    pub fn export(&self, instance: &str) -> Result<ExportSettings, TracingError> {
        let ca = self.ca.as_ref().map(|path| {
            std::fs::read(path).map_err(|source| TracingError::Ca {
                path: path.clone(),
                source,
            })
        });
        let named = self.headers.clone();
        let headers = move || {
            let read = named.iter().map(|(name, value)| match value.read() {
                Ok(text) => Ok((name.clone(), text)),
                Err(error) => Err(format!(
                    "tracing.headers[{name}]: {:#}",
                    anyhow::Error::from(error)
                )),
            });
            read.collect()
        };
        Ok(ExportSettings {
            endpoint: self.endpoint.clone(),
            headers: Headers::new(headers),
            ca: ca.transpose()?,
            timeout: self.timeout,
            interval: self.interval,
            queue: self.queue,
            resource: resource(instance)?,
        })
    }
}

/// Who sends spans: what the environment says of the process, and what it leaves out.
fn resource(instance: &str) -> Result<Resource, TracingError> {
    let said = environment("OTEL_RESOURCE_ATTRIBUTES").unwrap_or_default();
    let mut resource = Resource::read(&said)?;
    if let Some(name) = environment("OTEL_SERVICE_NAME") {
        resource = resource.with("service.name", &name);
    }
    let host = environment("HOSTNAME");
    Ok(resource
        .or("service.name", "kustomer-ingest")
        .or("service.version", env!("CARGO_PKG_VERSION"))
        .or("service.instance.id", host.as_deref().unwrap_or(instance)))
}

#[expect(
    clippy::disallowed_methods,
    reason = "what the environment says of the process, which no configuration file can know"
)]
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}
