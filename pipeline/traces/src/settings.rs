//! Where spans go, and how.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::resource::Resource;

/// Where spans go, and how.
#[derive(Debug, Clone)]
pub struct ExportSettings {
    /// The collector: the base address or the whole one.
    pub endpoint: Url,
    /// What each request carries besides.
    pub headers: Headers,
    /// Certificates (PEM) that are trusted besides those of the system.
    pub ca: Option<Vec<u8>>,
    /// How long one request may take.
    pub timeout: Duration,
    /// How long a span waits for others.
    pub interval: Duration,
    /// The most spans that wait.
    pub queue: usize,
    /// Who sends them.
    pub resource: Resource,
}

/// Headers with secrets; none by default.
#[derive(Clone, Default)]
pub struct Headers(Option<Arc<ReadHeaders>>);

/// What reads them each time.
type ReadHeaders = dyn Fn() -> Result<Vec<(String, String)>, String> + Send + Sync;

impl Headers {
    /// Headers that are read for each request, so that what they are read from may change.
    pub fn new(
        read: impl Fn() -> Result<Vec<(String, String)>, String> + Send + Sync + 'static,
    ) -> Self {
        Self(Some(Arc::new(read)))
    }

    pub(crate) fn read(&self) -> Result<Vec<(String, String)>, String> {
        self.0
            .as_ref()
            .map_or_else(|| Ok(Vec::new()), |read| read())
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Headers").field(&self.0.is_some()).finish()
    }
}
