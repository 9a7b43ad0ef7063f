//! Spans as OTLP has them: the messages of opentelemetry-proto 1.x that are needed, with its numbers, which never change.

use bytes::Bytes;
use prost::{Message, Oneof};

use crate::context::Context;
use crate::resource::Resource;
use crate::span::{Kind, Link as OurLink, Span as OurSpan, Value as OurValue};

/// The conventions by which attributes are called.
pub(crate) const SCHEMA: &str = "https://opentelemetry.io/schemas/1.42.0";
const SAMPLED: u32 = 1;
const FAILED: i32 = 2;

#[derive(Clone, PartialEq, Message)]
struct Request {
    #[prost(message, repeated, tag = "1")]
    resource_spans: Vec<ResourceSpans>,
}

#[derive(Clone, PartialEq, Message)]
struct ResourceSpans {
    #[prost(message, optional, tag = "1")]
    resource: Option<Attributes>,
    #[prost(message, repeated, tag = "2")]
    scope_spans: Vec<ScopeSpans>,
    #[prost(string, tag = "3")]
    schema_url: String,
}

#[derive(Clone, PartialEq, Message)]
struct Attributes {
    #[prost(message, repeated, tag = "1")]
    attributes: Vec<Attribute>,
}

#[derive(Clone, PartialEq, Message)]
struct ScopeSpans {
    #[prost(message, optional, tag = "1")]
    scope: Option<Scope>,
    #[prost(message, repeated, tag = "2")]
    spans: Vec<Span>,
    #[prost(string, tag = "3")]
    schema_url: String,
}

#[derive(Clone, PartialEq, Message)]
struct Scope {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    version: String,
}

#[derive(Clone, PartialEq, Message)]
struct Span {
    #[prost(bytes = "vec", tag = "1")]
    trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    span_id: Vec<u8>,
    #[prost(string, tag = "3")]
    trace_state: String,
    #[prost(bytes = "vec", tag = "4")]
    parent_span_id: Vec<u8>,
    #[prost(string, tag = "5")]
    name: String,
    #[prost(int32, tag = "6")]
    kind: i32,
    #[prost(fixed64, tag = "7")]
    start_ns: u64,
    #[prost(fixed64, tag = "8")]
    end_ns: u64,
    #[prost(message, repeated, tag = "9")]
    attributes: Vec<Attribute>,
    #[prost(message, repeated, tag = "13")]
    links: Vec<Link>,
    #[prost(uint32, tag = "14")]
    links_dropped: u32,
    #[prost(message, optional, tag = "15")]
    status: Option<Status>,
    #[prost(fixed32, tag = "16")]
    flags: u32,
}

#[derive(Clone, PartialEq, Message)]
struct Link {
    #[prost(bytes = "vec", tag = "1")]
    trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    span_id: Vec<u8>,
    #[prost(string, tag = "3")]
    trace_state: String,
    #[prost(message, repeated, tag = "4")]
    attributes: Vec<Attribute>,
    #[prost(fixed32, tag = "6")]
    flags: u32,
}

#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int32, tag = "3")]
    code: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Attribute {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct AnyValue {
    #[prost(oneof = "Value", tags = "1, 2, 3")]
    value: Option<Value>,
}

#[derive(Clone, PartialEq, Oneof)]
enum Value {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(bool, tag = "2")]
    Bool(bool),
    #[prost(int64, tag = "3")]
    Number(i64),
}

#[derive(Clone, PartialEq, Message)]
struct Response {
    #[prost(message, optional, tag = "1")]
    partial_success: Option<PartialSuccess>,
}

#[derive(Clone, PartialEq, Message)]
struct PartialSuccess {
    #[prost(int64, tag = "1")]
    rejected_spans: i64,
    #[prost(string, tag = "2")]
    error_message: String,
}

/// `google.rpc.Status`, which answers to refused requests have.
#[derive(Clone, PartialEq, Message)]
struct Refusal {
    #[prost(string, tag = "2")]
    message: String,
}

/// The body of a request with these spans.
pub(crate) fn request(resource: &Resource, spans: &[OurSpan]) -> Bytes {
    let attributes = resource.iter().map(|(name, value)| Attribute {
        key: name.to_owned(),
        value: of_value(&OurValue::from(value.to_owned())),
    });
    let scope = Scope {
        name: "kustomer-ingest".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let spans = ScopeSpans {
        scope: Some(scope),
        spans: spans.iter().map(of_span).collect(),
        schema_url: SCHEMA.to_owned(),
    };
    let all = ResourceSpans {
        resource: Some(Attributes {
            attributes: attributes.collect(),
        }),
        scope_spans: vec![spans],
        schema_url: SCHEMA.to_owned(),
    };
    let request = Request {
        resource_spans: vec![all],
    };
    request.encode_to_vec().into()
}

/// How many spans of an accepted request were refused all the same, and why. A body that is none of OTLP says nothing of that.
pub(crate) fn rejected(body: &[u8]) -> (usize, String) {
    let partly = Response::decode(body).ok();
    let partly = partly.and_then(|response| response.partial_success);
    let partly = partly.unwrap_or_default();
    let rejected = usize::try_from(partly.rejected_spans).unwrap_or_default();
    (rejected, partly.error_message)
}

/// The words of a refusal; empty if it has none.
pub(crate) fn refusal(body: &[u8]) -> String {
    Refusal::decode(body).unwrap_or_default().message
}

fn of_span(span: &OurSpan) -> Span {
    Span {
        trace_id: span.context.trace.bytes().into(),
        span_id: span.context.span.bytes().into(),
        trace_state: span.context.state.as_ref().to_owned(),
        parent_span_id: span.parent.map(|id| id.bytes().into()).unwrap_or_default(),
        name: span.name.clone().into_owned(),
        kind: match span.kind {
            Kind::Internal => 1,
            Kind::Client => 3,
            Kind::Consumer => 5,
        },
        start_ns: span.start_ns,
        end_ns: span.end_ns.max(span.start_ns),
        attributes: of_attributes(&span.attributes),
        links: span.links.iter().map(of_link).collect(),
        links_dropped: span.links_dropped,
        status: span.failed.then_some(Status { code: FAILED }),
        flags: flags(&span.context),
    }
}

fn of_link(link: &OurLink) -> Link {
    Link {
        trace_id: link.to.trace.bytes().into(),
        span_id: link.to.span.bytes().into(),
        trace_state: link.to.state.as_ref().to_owned(),
        attributes: of_attributes(&link.attributes),
        flags: flags(&link.to),
    }
}

fn flags(context: &Context) -> u32 {
    if context.sampled { SAMPLED } else { 0 }
}

fn of_attributes(attributes: &[(&'static str, OurValue)]) -> Vec<Attribute> {
    let attribute = |(name, value): &(&'static str, OurValue)| Attribute {
        key: (*name).to_owned(),
        value: of_value(value),
    };
    attributes.iter().map(attribute).collect()
}

fn of_value(value: &OurValue) -> Option<AnyValue> {
    let value = match value {
        OurValue::Text(text) => Value::Text(text.clone().into_owned()),
        OurValue::Number(number) => Value::Number(*number),
        OurValue::Bool(yes) => Value::Bool(*yes),
    };
    Some(AnyValue { value: Some(value) })
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::trace::v1 as theirs;
    use opentelemetry_proto::tonic::common::v1::any_value::Value as TheirValue;
    use prost::Message as _;

    use super::*;
    use crate::context::Ids;

    fn context(ids: &mut Ids) -> Context {
        Context {
            trace: ids.trace(),
            span: ids.span(),
            sampled: true,
            state: "a=1".into(),
        }
    }

    #[test]
    fn what_is_sent_is_what_others_read() {
        let mut ids = Ids::new(5);
        let (own, other) = (context(&mut ids), context(&mut ids));
        let parent = ids.span();
        let span = OurSpan {
            context: own.clone(),
            parent: Some(parent),
            name: "process quay.events".into(),
            kind: Kind::Consumer,
            start_ns: 1_700_000_000_000_000_009,
            end_ns: 7,
            attributes: vec![
                ("text", "x".into()),
                ("number", (-5_i64).into()),
                ("yes", true.into()),
            ],
            links: vec![OurLink {
                to: other.clone(),
                attributes: vec![("messaging.kafka.offset", 4_i64.into())],
            }],
            links_dropped: 9,
            failed: true,
        };
        let resource = Resource::default().with("service.name", "ingest");
        let body = request(&resource, &[span]);
        let read = theirs::ExportTraceServiceRequest::decode(body).unwrap();
        let [of_resource] = read.resource_spans.as_slice() else {
            panic!("{read:?}")
        };
        let attributes = &of_resource.resource.as_ref().unwrap().attributes;
        assert_eq!(attributes[0].key, "service.name");
        assert_eq!(of_resource.schema_url, SCHEMA);
        let scope = &of_resource.scope_spans[0];
        assert_eq!(scope.scope.as_ref().unwrap().name, "kustomer-ingest");
        let read = &scope.spans[0];
        assert_eq!(read.trace_id, own.trace.bytes());
        assert_eq!(read.span_id, own.span.bytes());
        assert_eq!(read.parent_span_id, parent.bytes());
        assert_eq!(read.trace_state, "a=1");
        assert_eq!(read.name, "process quay.events");
        assert_eq!(read.kind().as_str_name(), "SPAN_KIND_CONSUMER");
        assert_eq!(read.start_time_unix_nano, 1_700_000_000_000_000_009);
        assert_eq!(read.end_time_unix_nano, read.start_time_unix_nano);
        assert_eq!((read.dropped_links_count, read.flags), (9, 1));
        let status = read.status.as_ref().unwrap().code();
        assert_eq!(status.as_str_name(), "STATUS_CODE_ERROR");
        let value = |at: usize| read.attributes[at].value.clone().unwrap().value.unwrap();
        assert_eq!(value(0), TheirValue::StringValue("x".to_owned()));
        assert_eq!(value(1), TheirValue::IntValue(-5));
        assert_eq!(value(2), TheirValue::BoolValue(true));
        let link = &read.links[0];
        assert_eq!(link.trace_id, other.trace.bytes());
        assert_eq!(link.span_id, other.span.bytes());
        assert_eq!(link.attributes[0].key, "messaging.kafka.offset");
    }

    #[test]
    fn answers_are_read_whatever_they_are() {
        let partly = theirs::ExportTraceServiceResponse {
            partial_success: Some(theirs::ExportTracePartialSuccess {
                rejected_spans: 3,
                error_message: "too old".to_owned(),
            }),
        };
        let read = rejected(&partly.encode_to_vec());
        assert_eq!(read, (3, "too old".to_owned()));
        for whole in [&b""[..], b"{}", b"<html>"] {
            assert_eq!(rejected(whole).0, 0);
        }
        assert_eq!(refusal(b"\x08\x10\x12\x02no"), "no");
        assert_eq!(refusal(b"not found"), "");
    }

    #[test]
    fn the_schema_is_that_of_the_names() {
        assert_eq!(SCHEMA, opentelemetry_semantic_conventions::SCHEMA_URL);
    }
}
