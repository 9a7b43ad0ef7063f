//! What attributes are called: the names of OpenTelemetry's semantic conventions 1.42, and our own, which begin with
//! `kustomer_ingest.`.
//!
//! Some that the conventions ask for are left out: `url.full` and `messaging.kafka.message.key`, because paths and keys name people.

/// `kafka`.
pub(super) const SYSTEM: &str = "messaging.system";
/// `process`.
pub(super) const OPERATION_NAME: &str = "messaging.operation.name";
/// The same.
pub(super) const OPERATION_TYPE: &str = "messaging.operation.type";
/// The topic.
pub(super) const TOPIC: &str = "messaging.destination.name";
/// The number of the partition, as a text.
pub(super) const PARTITION: &str = "messaging.destination.partition.id";
/// The offset.
pub(super) const OFFSET: &str = "messaging.kafka.offset";
/// The consumer group.
pub(super) const GROUP: &str = "messaging.consumer.group.name";
/// The record has no value.
pub(super) const TOMBSTONE: &str = "messaging.kafka.message.tombstone";

/// The method.
pub(super) const METHOD: &str = "http.request.method";
/// The status of the answer.
pub(super) const STATUS: &str = "http.response.status_code";
/// The path without ids.
pub(super) const TEMPLATE: &str = "url.template";
/// The API's host.
pub(super) const SERVER: &str = "server.address";
/// Its port.
pub(super) const PORT: &str = "server.port";

/// What went wrong: a status, a kind of trouble, or why a record was rejected.
pub(super) const ERROR: &str = "error.type";

/// What became of a record: `delivered`, `skipped`, `dead_lettered`, `diverted`, or `left`, if it is left to the next owner.
pub(super) const SETTLEMENT: &str = "kustomer_ingest.settlement";
/// Why, if it was not delivered.
pub(super) const REASON: &str = "kustomer_ingest.reason";
/// `live` or `backfill`.
pub(super) const TRAFFIC: &str = "kustomer_ingest.traffic";
/// The klass of the objects.
pub(super) const KLASS: &str = "kustomer_ingest.klass";
/// Items of a request, or customers that it asks about.
pub(super) const ITEMS: &str = "kustomer_ingest.items";
/// Records that a request is about, whether they are followed or not.
pub(super) const RECORDS: &str = "kustomer_ingest.records";
/// The job's id in Kustomer.
pub(super) const JOB: &str = "kustomer_ingest.job.id";
/// How often a job was read.
pub(super) const READS: &str = "kustomer_ingest.job.reads";
/// Items that were not stored as they were sent, by the job's last answer.
pub(super) const FAILED: &str = "kustomer_ingest.job.failed";

#[cfg(test)]
mod tests {
    use opentelemetry_semantic_conventions::attribute as theirs;

    use super::*;

    #[test]
    fn the_conventions_call_them_so() {
        for (ours, conventional) in [
            (SYSTEM, theirs::MESSAGING_SYSTEM),
            (OPERATION_NAME, theirs::MESSAGING_OPERATION_NAME),
            (OPERATION_TYPE, theirs::MESSAGING_OPERATION_TYPE),
            (TOPIC, theirs::MESSAGING_DESTINATION_NAME),
            (PARTITION, theirs::MESSAGING_DESTINATION_PARTITION_ID),
            (OFFSET, theirs::MESSAGING_KAFKA_OFFSET),
            (GROUP, theirs::MESSAGING_CONSUMER_GROUP_NAME),
            (TOMBSTONE, theirs::MESSAGING_KAFKA_MESSAGE_TOMBSTONE),
            (METHOD, theirs::HTTP_REQUEST_METHOD),
            (STATUS, theirs::HTTP_RESPONSE_STATUS_CODE),
            (TEMPLATE, theirs::URL_TEMPLATE),
            (SERVER, theirs::SERVER_ADDRESS),
            (PORT, theirs::SERVER_PORT),
            (ERROR, theirs::ERROR_TYPE),
        ] {
            assert_eq!(ours, conventional);
        }
    }
}
