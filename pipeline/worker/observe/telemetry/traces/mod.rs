//! Traces: what becomes of some records, as spans that a collector shows.
//!
//! * A record that is followed has a span from the moment at which it is taken over to its settlement, a child of the span that
//!   its header `traceparent` names.
//! * Each request about such records has a span with links to theirs. About a single one it is a child of it; about several
//!   it begins a trace of its own, unless all of them are of one.
//! * Each job that came of such a request has a span from its submission to its end, with the same links, and the requests
//!   that read it are its children.
//!
//! Which records are followed, [`ingest_traces::sampler`] says. The machine knows nothing of it: the pump tells what it puts in
//! and carries out, and asks the machine which records a request is about. Everything that is kept is bounded, and no span has
//! anything about a person in it, but for what producers write into `tracestate`.

mod begun;
mod call;
mod names;
mod settings;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ingest_delivery::fact::Settlement;
use ingest_delivery::machine::RequestId;
use ingest_kustomer::encode::template;
use ingest_model::call::{Call, ItemFate, Reply};
use ingest_model::record::{Position, Record, TopicPartition, Traffic};
use ingest_traces::sampler::Verdict;
use ingest_traces::span::MAX_LINKS;
use ingest_traces::{CollectorError, Context, Ids, Link, Sampler, Service, Span, Spans};
use tokio::task::JoinSet;

use self::begun::{About, Begun, Followed, Open, UnderWay, place};
pub use self::settings::TraceSettings;
use crate::observe::Observer;
use crate::observe::metrics::labels::SpanLoss;

/// The most records that are followed at the same time.
const MAX_RECORDS: usize = 10_000;
/// The most jobs.
const MAX_JOBS: usize = 1_000;
/// How long the last spans may take to leave at the end.
const FLUSH: Duration = Duration::from_secs(3);
/// What becomes of a record that this process does not settle.
const LEFT: &str = "left";

/// Follows records.
#[derive(Debug)]
pub struct Traces {
    spans: Spans,
    service: Option<Service>,
    running: JoinSet<()>,
    sampler: Sampler,
    ids: Ids,
    observer: Observer,
    group: Arc<str>,
    server: (String, u16),
    records: HashMap<Position, Followed>,
    requests: HashMap<RequestId, UnderWay>,
    jobs: HashMap<Arc<str>, Open>,
}

impl Traces {
    /// Follows nothing yet.
    ///
    /// # Errors
    /// The client of the collector cannot be created.
    pub fn new(settings: &TraceSettings, observer: Observer) -> Result<Self, CollectorError> {
        let hear = observer.clone();
        let (spans, service) =
            ingest_traces::start(&settings.export, move |told| hear.spans(&told))?;
        observer.metrics().spans_failing(false);
        let service = Some(service);
        Ok(Self {
            service,
            ..Self::over(spans, settings, observer)
        })
    }

    fn over(spans: Spans, settings: &TraceSettings, observer: Observer) -> Self {
        Self {
            spans,
            service: None,
            running: JoinSet::new(),
            sampler: Sampler::new(settings.ratio, settings.spans_per_second),
            ids: Ids::new(settings.seed),
            observer,
            group: Arc::clone(&settings.group),
            server: settings.server.clone(),
            records: HashMap::new(),
            requests: HashMap::new(),
            jobs: HashMap::new(),
        }
    }

    /// Begins to send spans; to be called within the runtime.
    #[must_use]
    pub fn started(mut self) -> Self {
        if let Some(service) = self.service.take() {
            self.running.spawn(service.run());
        }
        self
    }

    /// Sends the last spans; a collector that does not take them in time does not get them.
    pub async fn finish(self) {
        let Self {
            spans, mut running, ..
        } = self;
        drop(spans);
        let ended = tokio::time::timeout(FLUSH, running.join_next()).await;
        if ended.is_err() {
            tracing::warn!("the last spans were not exported: the collector does not take them");
        }
    }

    /// A record comes in. Returns whether it is followed.
    pub fn came_in(
        &mut self,
        (now, now_ns): (Instant, u64),
        record: &Record,
        traffic: Traffic,
    ) -> bool {
        let parent = record.header("traceparent");
        let parent = parent
            .and_then(|parent| Context::read(parent, record.header("tracestate").map(|s| &**s)));
        let trace = match &parent {
            Some(parent) => parent.trace,
            None => self.ids.trace(),
        };
        match self.sampler.judge(now, parent.as_ref(), trace) {
            Verdict::Leave => return false,
            Verdict::Follow if self.records.len() < MAX_RECORDS => {}
            Verdict::Follow | Verdict::TooMany => {
                self.observer.metrics().spans_lost(SpanLoss::OverLimit, 1);
                return false;
            }
        }
        self.sampler.spend();
        let begun = match parent {
            Some(parent) => self.child(&parent, now_ns),
            None => self.root(trace, now_ns),
        };
        let followed = Followed {
            begun,
            tombstone: record.value.is_none(),
            traffic,
        };
        let before = self.records.insert(record.position.clone(), followed);
        if let Some(before) = before {
            // Its offset was given again, in another life of the partition.
            self.end_record(now_ns, &record.position, &before, (LEFT, None));
        }
        true
    }

    /// The machine did not take it in.
    pub fn ignored(&mut self, position: &Position) {
        self.records.remove(position);
    }

    /// A record was settled.
    pub fn settled(&mut self, now_ns: u64, position: &Position, settlement: Settlement) {
        let Some(followed) = self.records.remove(position) else {
            return;
        };
        let settlement = (settlement.as_str(), settlement.reason());
        self.end_record(now_ns, position, &followed, settlement);
    }

    /// A partition has gone; what is not settled of it is left to its next owner.
    pub fn gone(&mut self, now_ns: u64, partition: &TopicPartition) {
        let of_it = self.records.keys();
        let of_it = of_it.filter(|position| position.partition == *partition);
        let left: Vec<Position> = of_it.cloned().collect();
        for position in left {
            if let Some(followed) = self.records.remove(&position) {
                self.end_record(now_ns, &position, &followed, (LEFT, None));
            }
        }
    }

    /// A request leaves. `records` shows the records that it is about.
    pub fn sent(
        &mut self,
        now_ns: u64,
        request: RequestId,
        call: &Call,
        records: impl FnOnce(&mut dyn FnMut(&Position)),
    ) {
        let subject = call::Subject::of(call);
        let reads = subject.job;
        let (begun, about) = match reads.map(|job| self.jobs.get(job)) {
            Some(Some(job)) => {
                let parent = job.begun.context.clone();
                (self.child(&parent, now_ns), About::default())
            }
            Some(None) => return,
            None => {
                let (about, single) = self.about(records);
                if about.links.is_empty() {
                    return;
                }
                let begun = match single {
                    Some(parent) => self.child(&parent, now_ns),
                    None => {
                        let trace = self.ids.trace();
                        self.root(trace, now_ns)
                    }
                };
                (begun, about)
            }
        };
        let (method, template) = template(call);
        let under_way = UnderWay {
            begun,
            about,
            method: method.as_str(),
            template,
            klass: subject.klass.cloned(),
            items: subject.items,
            reads: reads.cloned(),
        };
        self.requests.insert(request, under_way);
    }

    /// A request was answered, with that status if an answer came. Returns the job that it read.
    pub fn answered(
        &mut self,
        now_ns: u64,
        request: RequestId,
        reply: &Reply,
        status: Option<u16>,
    ) -> Option<Arc<str>> {
        let under_way = self.requests.remove(&request)?;
        if let Some(job) = call::job_begun(&reply.result) {
            if self.jobs.len() < MAX_JOBS {
                let open = self.open(&under_way);
                self.jobs.insert(Arc::clone(job), open);
            } else {
                self.observer.metrics().spans_lost(SpanLoss::OverLimit, 1);
            }
        }
        let read = under_way.reads.clone();
        if let Some(job) = read.as_ref().and_then(|job| self.jobs.get_mut(job)) {
            job.reads += 1;
            if let Some(report) = call::job_report(&reply.result) {
                let failed = |item: &&ingest_model::call::ItemResult| match item.fate {
                    ItemFate::Stored(_) => false,
                    ItemFate::Duplicate
                    | ItemFate::Conflict
                    | ItemFate::Gone
                    | ItemFate::Limited(_)
                    | ItemFate::Transient(_)
                    | ItemFate::Permanent(_) => true,
                };
                let count = report.items.iter().filter(failed).count();
                job.failed = (!report.unknown).then_some(count);
            }
        }
        let span = under_way.ended(now_ns, &self.server, reply, status);
        self.emit(span);
        read
    }

    /// A job has ended, or was given up.
    pub fn job_ended(&mut self, now_ns: u64, job: &Arc<str>) {
        let Some(open) = self.jobs.remove(job) else {
            return;
        };
        self.emit(open.ended(now_ns, job));
    }

    /// Jobs that nobody reads any more have ended.
    pub fn look_at_jobs(&mut self, now_ns: u64, is_open: impl Fn(&str) -> bool) {
        let ended = self.jobs.keys().filter(|job| !is_open(job));
        let ended: Vec<Arc<str>> = ended.cloned().collect();
        for job in ended {
            self.job_ended(now_ns, &job);
        }
    }

    /// Links to the followed ones of these records; and the one that a request about them belongs to, if it is one alone, or
    /// all of them are of one trace.
    fn about(&self, records: impl FnOnce(&mut dyn FnMut(&Position))) -> (About, Option<Context>) {
        let mut about = About::default();
        if self.records.is_empty() {
            return (about, None);
        }
        let mut seen: HashSet<Position> = HashSet::new();
        let mut first: Option<&Context> = None;
        let mut of_one = true;
        records(&mut |position| {
            if !seen.insert(position.clone()) {
                return;
            }
            about.records += 1;
            let Some(followed) = self.records.get(position) else {
                return;
            };
            let context = &followed.begun.context;
            of_one &= first.is_none_or(|first| first.trace == context.trace);
            first = first.or(Some(context));
            if about.links.len() < MAX_LINKS {
                let to = context.clone();
                let attributes = place(position).into();
                about.links.push(Link { to, attributes });
            } else {
                about.dropped = about.dropped.saturating_add(1);
            }
        });
        (about, first.filter(|_| of_one).cloned())
    }

    fn child(&mut self, parent: &Context, start_ns: u64) -> Begun {
        Begun {
            context: parent.with_span(self.ids.span()),
            parent: Some(parent.span),
            start_ns,
        }
    }

    fn root(&mut self, trace: ingest_traces::TraceId, start_ns: u64) -> Begun {
        let context = Context {
            trace,
            span: self.ids.span(),
            sampled: true,
            state: Arc::default(),
        };
        Begun {
            context,
            parent: None,
            start_ns,
        }
    }

    /// A job begins with the request that submitted it.
    fn open(&mut self, request: &UnderWay) -> Open {
        Open {
            begun: self.child(&request.begun.context, request.begun.start_ns),
            about: request.about.clone(),
            klass: request.klass.clone(),
            items: request.items.unwrap_or(1),
            reads: 0,
            failed: None,
        }
    }

    fn end_record(
        &mut self,
        now_ns: u64,
        position: &Position,
        followed: &Followed,
        (settlement, reason): (&'static str, Option<&'static str>),
    ) {
        let span = followed.ended(now_ns, position, &self.group, settlement, reason);
        self.spans.send(span);
    }

    fn emit(&mut self, span: Span) {
        self.sampler.spend();
        self.spans.send(span);
    }
}
