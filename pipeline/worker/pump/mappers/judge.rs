//! Decodes and maps a record, whatever it contains, and catches panics.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use ingest_delivery::settled::ReceiptsOf;
use ingest_encoding::{Encoding, NoSchemas, Opened, SchemaId, Schemas};
use ingest_mapping::event::{BatchEvents, Notes};
use ingest_mapping::route::Pipeline;
use ingest_model::outcome::{DroppedField, Rejected, Rejection, Verdict};
use ingest_model::record::{EventIds, Record, Topic, Traffic};
use jiff::Timestamp;

use super::traffic::TrafficRules;
use crate::clock::Clock;

/// Maps the records of all topics. The mapper threads and the child that tries suspects share it, so that both do the
/// same.
pub struct Judge {
    pipelines: HashMap<Topic, (Encoding, Pipeline)>,
    schemas: Arc<dyn Schemas + Send + Sync>,
    rules: TrafficRules,
    receipts: ReceiptsOf,
    dies_at: Option<Vec<u8>>,
}

/// The result for a record.
#[derive(Debug)]
pub struct Judged {
    /// When the event happened, in epoch milliseconds.
    pub event_ms: Option<i64>,
    /// How urgent it is.
    pub traffic: Traffic,
    /// What is worth counting about how it was decoded.
    pub notes: Notes,
    /// What to do with it.
    pub verdict: Verdict,
    /// The optional fields that mapping left out.
    pub dropped: Vec<DroppedField>,
    /// What its producer calls its events, if it has a receipt.
    pub event_ids: Option<Box<EventIds>>,
}

/// What becomes of a record, as far as those before it tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// It is delivered.
    Wanted,
    /// It is skipped, or nothing is known.
    Skipped,
}

// === impl Judge ===

impl Judge {
    /// A judge of these topics, which knows no schemas of a registry.
    #[must_use]
    pub fn new(pipelines: HashMap<Topic, (Encoding, Pipeline)>) -> Self {
        Self {
            pipelines,
            schemas: Arc::new(NoSchemas),
            rules: TrafficRules::default(),
            receipts: ReceiptsOf::Nothing,
            dies_at: None,
        }
    }

    /// With the schemas of a registry.
    #[must_use]
    pub fn knowing(self, schemas: Arc<dyn Schemas + Send + Sync>) -> Self {
        Self { schemas, ..self }
    }

    /// With these rules about what is urgent. Without any, everything is but what is replayed, part of a snapshot, or says so itself.
    #[must_use]
    pub fn by(self, rules: TrafficRules) -> Self {
        Self { rules, ..self }
    }

    /// For records that have receipts: these name the events.
    #[must_use]
    pub fn telling(self, receipts: ReceiptsOf) -> Self {
        Self { receipts, ..self }
    }

    /// Which records have receipts.
    pub(super) fn receipts(&self) -> ReceiptsOf {
        self.receipts
    }

    /// Ends the process at a record whose value contains this text: tests need a record that does what no record should
    /// be able to do.
    #[must_use]
    pub fn dying_at(self, text: Option<&str>) -> Self {
        Self {
            dies_at: text.map(|text| text.as_bytes().to_vec()),
            ..self
        }
    }

    /// The result for a record. It is the same whether or not one is expected that is delivered, which only decides what is tried first.
    ///
    /// # Errors
    /// The id of a schema that has to be known first.
    pub fn judge(&self, record: &Record, expected: Expected) -> Result<Judged, SchemaId> {
        if let (Some(text), Some(value)) = (&self.dies_at, &record.value)
            && value
                .windows(text.len().max(1))
                .any(|part| part == text.as_slice())
        {
            std::process::abort();
        }
        let now = Timestamp::from_millisecond(Clock.unix_ms()).unwrap_or_default();
        let pipeline = self.pipelines.get(&record.position.partition.topic);
        // A panic is a fault of the program, but it must not kill every process that reads the record again.
        let judged = catch_unwind(AssertUnwindSafe(|| {
            pipeline.map(|(encoding, pipeline)| {
                let opened = match encoding.open(record, &*self.schemas) {
                    Opened::Record(opened) => opened,
                    Opened::Needs(schema) => return Err(schema),
                    Opened::Rejected(rejected) => {
                        return Ok((None, Verdict::Reject(rejected), BatchEvents::default()));
                    }
                };
                Ok(match expected {
                    Expected::Wanted => pipeline.judge_wanted_counted(&opened, now),
                    Expected::Skipped => pipeline.judge_counted(&opened, now),
                })
            })
        }));
        let judged = match judged {
            Ok(judged) => Ok(judged.transpose()?),
            Err(panic) => Err(panic),
        };
        let snapshot = matches!(&judged, Ok(Some((Some(summary), ..))) if summary.snapshot);
        let mut judged = match judged {
            Ok(Some((Some(summary), verdict, events))) => Judged {
                event_ms: summary.time.map(Timestamp::as_millisecond),
                traffic: Traffic::Live,
                event_ids: self.event_ids(summary.id.iter().chain(&summary.more_ids)),
                notes: summary.notes.with_events(events),
                verdict,
                dropped: summary.dropped,
            },
            Ok(Some((None, verdict, events))) => Judged {
                event_ms: None,
                traffic: Traffic::Live,
                notes: Notes::default().with_events(events),
                verdict,
                dropped: Vec::new(),
                event_ids: None,
            },
            // The consumer subscribes to configured topics only, so this should not happen; a dead letter is better than
            // a loss.
            Ok(None) => Judged::rejected(Rejection::FormatMismatch, "the topic has no mapping"),
            Err(_panic) => {
                Judged::rejected(Rejection::MappingFailed, "the worker panicked over it")
            }
        };
        judged.traffic = self
            .rules
            .of(record, snapshot, judged.event_ms, now.as_millisecond());
        Ok(judged)
    }
}

impl Judge {
    fn event_ids<'i>(&self, ids: impl Iterator<Item = &'i String>) -> Option<Box<EventIds>> {
        if self.receipts == ReceiptsOf::Nothing {
            return None;
        }
        let mut all = EventIds::default();
        ids.for_each(|id| all.add(id));
        (!all.ids.is_empty()).then(|| Box::new(all))
    }
}

impl std::fmt::Debug for Judge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Judge")
            .field("pipelines", &self.pipelines)
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}

// === impl Judged ===

impl Judged {
    fn rejected(reason: Rejection, detail: &str) -> Self {
        Rejected::new(reason, detail).into()
    }
}

impl From<Rejected> for Judged {
    fn from(rejected: Rejected) -> Self {
        Self {
            event_ms: None,
            traffic: Traffic::Live,
            notes: Notes::default(),
            verdict: Verdict::Reject(rejected),
            dropped: Vec::new(),
            event_ids: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use ingest_mapping::decode::{Format, Limits};
    use ingest_mapping::mapping::Mapping;
    use ingest_model::record::{Offset, Position, TopicPartition};

    use super::*;

    /// A table is read whole before its changes are: that must not delay what happens now.
    #[test]
    fn rows_of_a_snapshot_are_backfill() {
        let mapping = "
            routes:
              - name: rows
                on: [orders.r, orders.u]
                customer: none
                do: [ { kobject: order, externalId: .id, version: $event.version, title: .id } ]";
        let mapping = Mapping::compile(mapping, "m.yaml").unwrap();
        let pipeline = Pipeline::new(Format::Debezium, Limits::default(), Arc::new(mapping));
        let orders = (Encoding::default(), pipeline.unwrap());
        let judge = Judge::new(HashMap::from([(Topic::new("orders"), orders)]));
        for (op, wanted) in [("r", Traffic::Backfill), ("u", Traffic::Live)] {
            let value = format!(
                r#"{{"op":"{op}","after":{{"id":1}},"source":{{"table":"orders","lsn":7}}}}"#
            );
            let record = Record {
                position: Position {
                    partition: TopicPartition::new("orders", 0),
                    offset: Offset(0),
                },
                key: None,
                value: Some(Bytes::from(value)),
                headers: Vec::new(),
                timestamp_ms: None,
            };
            for expected in [Expected::Wanted, Expected::Skipped] {
                let judged = judge.judge(&record, expected).unwrap();
                assert_eq!(judged.traffic, wanted, "{op}");
                assert!(matches!(judged.verdict, Verdict::Emit(_)), "{op}");
            }
        }
    }

    /// What independent serializers wrote.
    const FIXTURES: &str = include_str!("../../../encoding/tests/fixtures/fixtures.json");

    /// The schema and the bare value of a fixture.
    fn fixture(name: &str) -> (String, Vec<u8>) {
        use base64::Engine as _;
        let all: Vec<serde_json::Value> = serde_json::from_str(FIXTURES).unwrap();
        let found = all.iter().find(|one| one["name"] == name).unwrap();
        let value = found["value"].as_str().unwrap();
        let value = base64::engine::general_purpose::STANDARD.decode(value);
        let schema = found["schema"].as_str().unwrap().to_owned();
        (schema, value.unwrap()[5..].to_vec())
    }

    fn judged(
        format: Format,
        mapping: &str,
        headers: Vec<ingest_model::record::Header>,
        name: &str,
    ) -> Verdict {
        let (schema, value) = fixture(name);
        let mapping = Arc::new(Mapping::compile(mapping, "m.yaml").unwrap());
        let pipeline = Pipeline::new(format, Limits::default(), mapping).unwrap();
        let path = (Encoding::avro(&schema).unwrap(), pipeline);
        let record = Record {
            position: Position {
                partition: TopicPartition::new("orders", 0),
                offset: Offset(0),
            },
            key: None,
            value: Some(Bytes::from(value)),
            headers,
            timestamp_ms: None,
        };
        let judge = Judge::new(HashMap::from([(Topic::new("orders"), path)]));
        judge.judge(&record, Expected::Skipped).unwrap().verdict
    }

    fn body(verdict: &Verdict) -> serde_json::Value {
        let Verdict::Emit(planned) = verdict else {
            panic!("{verdict:?}")
        };
        let ingest_model::operation::Operation::KObject(object) = &planned[0].operation else {
            panic!("{planned:?}")
        };
        serde_json::to_value(object).unwrap()
    }

    #[test]
    fn rows_of_debezium_in_avro_have_decimals_and_times() {
        let mapping = "
            routes:
              - name: rows
                on: orders.u
                customer: none
                do:
                  - kobject: order
                    externalId: .id
                    version: $event.version
                    title: .id
                    custom: { totalNum: .total, madeAt: .made, dayStr: .day, rateStr: .rate, aNum: '.extra.a[0]' }";
        let name = "debezium by connect's names";
        let found = body(&judged(Format::Debezium, mapping, Vec::new(), name)).to_string();
        for wanted in ["99.9", "2026-01-02T03:04:05.000Z", "2026-01-02\"", "1.999"] {
            assert!(found.contains(wanted), "{wanted}: {found}");
        }
    }

    #[test]
    fn cloudevents_may_have_data_in_avro() {
        let mapping = "
            routes:
              - name: orders
                on: shop.order
                customer: none
                do: [ { kobject: order, externalId: .id, version: $event.time, title: .name, custom: { totalNum: .total } } ]";
        let header = |(name, value): (&str, &'static str)| ingest_model::record::Header {
            name: name.to_owned(),
            value: Some(Bytes::from_static(value.as_bytes())),
        };
        let headers = [
            ("ce_specversion", "1.0"),
            ("ce_type", "shop.order"),
            ("ce_source", "/shop"),
            ("ce_id", "1"),
            ("ce_time", "2026-01-02T03:04:05Z"),
            ("content-type", "application/avro"),
        ];
        let headers = headers.map(header).to_vec();
        let name = "avro framed";
        let verdict = judged(Format::CloudEvents, mapping, headers, name);
        let found = body(&verdict).to_string();
        assert!(found.contains("19.9"), "{found}");
    }

    /// Keys of rows have schemas, too; a schema that is not known is asked for before anything is judged.
    #[test]
    fn keys_of_rows_are_read_by_their_own_schemas() {
        use ingest_encoding::{Schema, SchemaType};
        let (schema, value) = fixture("debezium by connect's names");
        let key = r#"{"type":"record","name":"Key","fields":[{"name":"id","type":"int"}]}"#;
        let mapping = "
            routes:
              - name: rows
                on: orders.u
                customer: none
                do: [ { kobject: order, externalId: $event.subject, version: $event.version, title: $event.subject } ]";
        let mapping = Arc::new(Mapping::compile(mapping, "m.yaml").unwrap());
        let pipeline = Pipeline::new(Format::Debezium, Limits::default(), mapping).unwrap();
        let path = (Encoding::registry().with_keys(true), pipeline);
        let store = Arc::new(ingest_registry::Store::new(
            ingest_registry::RegistrySettings::CACHE,
        ));
        let judge = Judge::new(HashMap::from([(Topic::new("orders"), path)])).knowing(Arc::<
            ingest_registry::Store,
        >::clone(
            &store
        ));
        let record = Record {
            position: Position {
                partition: TopicPartition::new("orders", 0),
                offset: Offset(0),
            },
            key: Some(Bytes::from_static(b"\0\0\0\0\x08\x54")),
            value: Some(Bytes::from([&b"\0\0\0\0\x07"[..], &value].concat())),
            headers: Vec::new(),
            timestamp_ms: None,
        };
        for (id, text) in [(7, schema.as_str()), (8, key)] {
            let id = SchemaId::Number(id);
            let asked = judge.judge(&record, Expected::Skipped);
            assert_eq!(asked.map(|judged| judged.verdict), Err(id));
            let schema = Schema::compile(SchemaType::Avro, text, &[]).unwrap();
            store.known(id, Arc::new(schema));
        }
        let judged = judge.judge(&record, Expected::Wanted).unwrap();
        assert!(
            body(&judged.verdict)
                .to_string()
                .contains(r#""external_id":"42""#)
        );
    }
}
