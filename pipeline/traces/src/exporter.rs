//! The queue of finished spans, and the task that sends them in batches.
//!
//! Nobody waits for it. A span that finds the queue full is dropped. A batch that a collector cannot take now is sent again a
//! few times, further and further apart, while the queue fills; then it is dropped. When the owner of [`Spans`] drops it, what
//! is queued is sent once, without waiting: how long that may take is the caller's to say.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, watch};

use crate::client::{Collector, CollectorError, ExportError};
use crate::resource::Resource;
use crate::settings::ExportSettings;
use crate::span::Span;
use crate::wire;

/// The most spans of one request.
const BATCH: usize = 512;
/// How often a batch is sent, at most.
const ATTEMPTS: u32 = 5;
/// The pause after the first attempt; each later one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause that a collector may ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What became of spans.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// So many arrived.
    Exported(usize),
    /// So many are lost.
    Dropped(Reason, usize),
    /// What is sent does not arrive any more; told once.
    Failing(ExportError),
    /// It does again.
    Recovered,
}

/// Why spans are lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The queue was full.
    QueueFull,
    /// The collector refused them.
    Refused,
    /// The collector could not be reached, or could not take them, for too long.
    Failed,
}

/// Who hears what became of spans.
type Listener = Arc<dyn Fn(Told) + Send + Sync>;

/// Takes finished spans. Dropping it ends the task when what is queued was sent.
pub struct Spans {
    queue: mpsc::Sender<Span>,
    listener: Listener,
    /// Its end tells the task not to wait any longer.
    _alive: watch::Sender<()>,
}

/// The task that sends them.
pub struct Service {
    queue: mpsc::Receiver<Span>,
    alive: watch::Receiver<()>,
    collector: Collector,
    resource: Resource,
    interval: Duration,
    listener: Listener,
    failing: bool,
}

/// A queue and its task, which is to be run.
///
/// # Errors
/// The client cannot be created.
pub fn start(
    settings: &ExportSettings,
    listener: impl Fn(Told) + Send + Sync + 'static,
) -> Result<(Spans, Service), CollectorError> {
    let collector = Collector::new(settings)?;
    let (alive_in, alive) = watch::channel(());
    let listener: Listener = Arc::new(listener);
    let (spans, queue) = Spans::queue(settings.queue, Arc::clone(&listener), alive_in);
    let service = Service {
        queue,
        alive,
        collector,
        resource: settings.resource.clone(),
        interval: settings.interval,
        listener,
        failing: false,
    };
    Ok((spans, service))
}

// === impl Spans ===

impl Spans {
    fn queue(
        size: usize,
        listener: Listener,
        alive: watch::Sender<()>,
    ) -> (Self, mpsc::Receiver<Span>) {
        let (queue, spans) = mpsc::channel(size.max(1));
        let queue = Self {
            queue,
            listener,
            _alive: alive,
        };
        (queue, spans)
    }

    /// A queue of that size which nobody sends from: for whoever wants to look at the spans.
    #[must_use]
    pub fn kept(size: usize) -> (Self, mpsc::Receiver<Span>) {
        Self::queue(size, Arc::new(drop), watch::channel(()).0)
    }

    /// Takes a span, or drops it. Never waits.
    pub fn send(&self, span: Span) {
        if self.queue.try_send(span).is_err() {
            (self.listener)(Told::Dropped(Reason::QueueFull, 1));
        }
    }
}

impl fmt::Debug for Spans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spans").finish_non_exhaustive()
    }
}

// === impl Service ===

impl Service {
    /// Sends until the owner of [`Spans`] has dropped it and the queue is empty.
    pub async fn run(mut self) {
        let mut batch = Vec::new();
        while self.queue.recv_many(&mut batch, BATCH).await > 0 {
            self.gather(&mut batch).await;
            let body = wire::request(&self.resource, &batch);
            let spans = batch.len();
            batch.clear();
            self.export(body, spans).await;
        }
    }

    /// Waits for company.
    async fn gather(&mut self, batch: &mut Vec<Span>) {
        let company = async {
            while batch.len() < BATCH {
                let room = BATCH - batch.len();
                if self.queue.recv_many(batch, room).await == 0 {
                    return;
                }
            }
        };
        // What came before the time was over is in the batch: receiving is cancel-safe.
        drop(tokio::time::timeout(self.interval, company).await);
    }

    async fn export(&mut self, body: Bytes, spans: usize) {
        let mut pause = FIRST_PAUSE;
        for attempt in 1..=ATTEMPTS {
            let error = match self.collector.send(body.clone()).await {
                Ok((rejected, why)) => {
                    self.taken(spans, rejected, &why);
                    return;
                }
                Err(error) => error,
            };
            let (temporary, asked) = (error.is_temporary(), pause_of(&error));
            self.failed(error);
            if !temporary {
                (self.listener)(Told::Dropped(Reason::Refused, spans));
                return;
            }
            let wait = asked.unwrap_or(pause).min(LONGEST_PAUSE);
            pause *= 2;
            if attempt == ATTEMPTS || !self.waited(wait).await {
                break;
            }
        }
        (self.listener)(Told::Dropped(Reason::Failed, spans));
    }

    fn taken(&mut self, spans: usize, rejected: usize, why: &str) {
        let rejected = rejected.min(spans);
        if rejected < spans {
            (self.listener)(Told::Exported(spans - rejected));
        }
        if rejected > 0 {
            (self.listener)(Told::Dropped(Reason::Refused, rejected));
            self.failed(ExportError::Refused(format!("{rejected} spans, {why}")));
        } else if std::mem::take(&mut self.failing) {
            (self.listener)(Told::Recovered);
        }
    }

    fn failed(&mut self, error: ExportError) {
        if !std::mem::replace(&mut self.failing, true) {
            (self.listener)(Told::Failing(error));
        }
    }

    /// Waits, unless everything is to end. `false` if it is.
    async fn waited(&mut self, time: Duration) -> bool {
        tokio::select! {
            // only the end of its sender is ever told
            _end = self.alive.changed() => false,
            () = tokio::time::sleep(time) => true,
        }
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").finish_non_exhaustive()
    }
}

fn pause_of(error: &ExportError) -> Option<Duration> {
    match error {
        ExportError::Later(_, pause) => *pause,
        ExportError::Header(_) | ExportError::Unanswered(_) | ExportError::Refused(_) => None,
    }
}

impl Reason {
    /// Every value.
    pub const ALL: &'static [Self] = &[Self::QueueFull, Self::Refused, Self::Failed];

    /// The label in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}
