//! Spans that have begun, and what is said of them when they end.

use std::borrow::Cow;
use std::sync::Arc;

use ingest_model::call::Reply;
use ingest_model::record::{Position, Traffic};
use ingest_traces::{Context, Kind, Link, Span, SpanId, Value};

use super::names;

/// Attributes by name.
type Attributes = Vec<(&'static str, Value)>;

/// A span that has begun.
#[derive(Debug, Clone)]
pub(super) struct Begun {
    pub(super) context: Context,
    pub(super) parent: Option<SpanId>,
    pub(super) start_ns: u64,
}

/// A record that is followed.
#[derive(Debug)]
pub(super) struct Followed {
    pub(super) begun: Begun,
    pub(super) tombstone: bool,
    pub(super) traffic: Traffic,
}

/// The records that a request is about.
#[derive(Debug, Clone, Default)]
pub(super) struct About {
    pub(super) links: Vec<Link>,
    pub(super) dropped: u32,
    /// Those that are not followed included.
    pub(super) records: usize,
}

/// A request in flight about followed records.
#[derive(Debug)]
pub(super) struct UnderWay {
    pub(super) begun: Begun,
    pub(super) about: About,
    pub(super) method: &'static str,
    pub(super) template: &'static str,
    pub(super) klass: Option<Arc<str>>,
    pub(super) items: Option<usize>,
    /// The job that it reads.
    pub(super) reads: Option<Arc<str>>,
}

/// A job that came of such a request.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) begun: Begun,
    pub(super) about: About,
    pub(super) klass: Option<Arc<str>>,
    pub(super) items: usize,
    pub(super) reads: usize,
    /// How many of its items failed, by its last report; `None` if it was given up without one.
    pub(super) failed: Option<usize>,
}

impl Begun {
    /// It ends, with what is said of it.
    fn ended(
        self,
        now_ns: u64,
        (kind, name): (Kind, Cow<'static, str>),
        about: About,
        attributes: Attributes,
        failed: bool,
    ) -> Span {
        Span {
            context: self.context,
            parent: self.parent,
            name,
            kind,
            start_ns: self.start_ns,
            end_ns: now_ns,
            attributes,
            links: about.links,
            links_dropped: about.dropped,
            failed,
        }
    }
}

impl Followed {
    /// The record is settled, or left to somebody else.
    pub(super) fn ended(
        &self,
        now_ns: u64,
        position: &Position,
        group: &Arc<str>,
        settlement: &'static str,
        reason: Option<&'static str>,
    ) -> Span {
        let dead = settlement == "dead_lettered";
        let mut attributes: Attributes = vec![
            (names::SYSTEM, "kafka".into()),
            (names::OPERATION_NAME, "process".into()),
            (names::OPERATION_TYPE, "process".into()),
            (names::GROUP, group.into()),
            (names::TRAFFIC, self.traffic.as_str().into()),
            (names::SETTLEMENT, settlement.into()),
        ];
        attributes.extend(place(position));
        attributes.extend(self.tombstone.then(|| (names::TOMBSTONE, true.into())));
        attributes.extend(reason.map(|reason| (names::REASON, reason.into())));
        let error = reason.filter(|_| dead);
        attributes.extend(error.map(|reason| (names::ERROR, reason.into())));
        let name = format!("process {}", position.partition.topic).into();
        let (begun, about) = (self.begun.clone(), About::default());
        begun.ended(now_ns, (Kind::Consumer, name), about, attributes, dead)
    }
}

impl UnderWay {
    /// The request was answered, with that status if an answer came.
    pub(super) fn ended(
        self,
        now_ns: u64,
        (server, port): &(String, u16),
        reply: &Reply,
        status: Option<u16>,
    ) -> Span {
        let failed = status.is_none_or(|status| status >= 400);
        let mut attributes: Attributes = vec![
            (names::METHOD, self.method.into()),
            (names::TEMPLATE, self.template.into()),
            (names::SERVER, server.clone().into()),
            (names::PORT, i64::from(*port).into()),
        ];
        let carries = self.reads.is_none();
        attributes.extend(carries.then(|| (names::RECORDS, self.about.records.into())));
        attributes.extend(
            self.klass
                .as_ref()
                .map(|klass| (names::KLASS, klass.into())),
        );
        attributes.extend(self.items.map(|items| (names::ITEMS, items.into())));
        attributes.extend(self.reads.as_ref().map(|job| (names::JOB, job.into())));
        attributes.extend(status.map(|status| (names::STATUS, i64::from(status).into())));
        if failed {
            let error: Value = match (status, &reply.trouble) {
                (Some(status), _) => status.to_string().into(),
                (None, Some(trouble)) => trouble.kind.as_str().into(),
                (None, None) => "lost".into(),
            };
            attributes.push((names::ERROR, error));
        }
        let name = format!("{} {}", self.method, self.template).into();
        self.begun
            .ended(now_ns, (Kind::Client, name), self.about, attributes, failed)
    }
}

impl Open {
    /// The job has ended.
    pub(super) fn ended(self, now_ns: u64, job: &Arc<str>) -> Span {
        let mut attributes: Attributes = vec![
            (names::JOB, job.into()),
            (names::ITEMS, self.items.into()),
            (names::RECORDS, self.about.records.into()),
            (names::READS, self.reads.into()),
        ];
        attributes.extend(self.failed.map(|failed| (names::FAILED, failed.into())));
        attributes.extend(
            self.klass
                .as_ref()
                .map(|klass| (names::KLASS, klass.into())),
        );
        let failed = self.failed.is_none_or(|failed| failed > 0);
        let kind = (Kind::Internal, "bulk job".into());
        self.begun
            .ended(now_ns, kind, self.about, attributes, failed)
    }
}

/// Where a record is.
pub(super) fn place(position: &Position) -> [(&'static str, Value); 3] {
    let Position { partition, offset } = position;
    [
        (names::TOPIC, partition.topic.as_str().to_owned().into()),
        (names::PARTITION, partition.partition.0.to_string().into()),
        (names::OFFSET, offset.0.into()),
    ]
}
