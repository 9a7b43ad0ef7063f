//! Conversions between the client's types and ours.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use ingest_model::record::{Header, Offset, Partition, Position, Record, Topic, TopicPartition};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::{BorrowedMessage, Header as ClientHeader, Headers, Message, OwnedHeaders};
use rdkafka::topic_partition_list::TopicPartitionListElem;
use rdkafka::{Offset as ClientOffset, TopicPartitionList};

use crate::error::SendErrorKind;
use crate::port::{CommitEntry, CommitFailureKind, CommittedOffset, SourceErrorKind};

/// A record, and how many of its headers could not be read.
///
/// The client library panics on a header name that is not UTF-8, and offers no other access to it. Such a header is left
/// out; the protocol defines header names as strings, so no well-behaved producer writes one.
pub(crate) fn record(message: &BorrowedMessage<'_>, topic: Topic) -> (Record, usize) {
    let (headers, unreadable) = headers(message);
    let position = Position {
        partition: TopicPartition {
            topic,
            partition: Partition(message.partition()),
        },
        offset: Offset(message.offset()),
    };
    let record = Record {
        position,
        key: message.key().map(Bytes::copy_from_slice),
        value: message.payload().map(Bytes::copy_from_slice),
        headers,
        timestamp_ms: message.timestamp().to_millis(),
    };
    (record, unreadable)
}

fn headers(message: &BorrowedMessage<'_>) -> (Vec<Header>, usize) {
    let Some(borrowed) = message.headers() else {
        return (Vec::new(), 0);
    };
    let mut headers = Vec::with_capacity(borrowed.count());
    let mut unreadable = 0;
    for index in 0..borrowed.count() {
        let read = catch_unwind(AssertUnwindSafe(|| {
            borrowed.try_get(index).map(|header| Header {
                name: header.key.to_owned(),
                value: header.value.map(Bytes::copy_from_slice),
            })
        }));
        match read {
            Ok(Some(header)) => headers.push(header),
            Ok(None) => {}
            Err(_not_utf8) => unreadable += 1,
        }
    }
    (headers, unreadable)
}

/// Headers for the producer; order, repeats and null values are kept.
pub(crate) fn client_headers(headers: &[Header]) -> OwnedHeaders {
    headers.iter().fold(
        OwnedHeaders::new_with_capacity(headers.len()),
        |owned, header| {
            owned.insert(ClientHeader {
                key: &header.name,
                value: header.value.as_deref(),
            })
        },
    )
}

/// What the group has committed for one partition; `None` if nothing.
pub(crate) fn committed(element: &TopicPartitionListElem<'_>) -> Option<CommittedOffset> {
    let ClientOffset::Offset(offset) = element.offset() else {
        return None;
    };
    // The client library panics on metadata that is not UTF-8, and offers no other access to it.
    let text = catch_unwind(AssertUnwindSafe(|| element.metadata().to_owned()));
    let metadata_unreadable = text.is_err();
    let metadata = text.ok().filter(|text| !text.is_empty());
    Some(CommittedOffset {
        offset: Offset(offset),
        metadata,
        metadata_unreadable,
    })
}

/// The partitions of a list. (Never print such a list: its `Debug` reads the metadata.)
pub(crate) fn partitions(list: &TopicPartitionList) -> Vec<TopicPartition> {
    list.elements()
        .iter()
        .map(|element| TopicPartition::new(element.topic(), element.partition()))
        .collect()
}

/// A list of partitions without offsets.
pub(crate) fn client_list<'a>(
    partitions: impl IntoIterator<Item = &'a TopicPartition>,
) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for partition in partitions {
        list.add_partition(partition.topic.as_str(), partition.partition.0);
    }
    list
}

/// The list that commits these entries.
pub(crate) fn commit_list(
    entries: &[CommitEntry],
) -> Result<TopicPartitionList, rdkafka::error::KafkaError> {
    let mut list = TopicPartitionList::with_capacity(entries.len());
    for entry in entries {
        let topic = entry.partition.topic.as_str();
        let mut element = list.add_partition(topic, entry.partition.partition.0);
        element.set_offset(ClientOffset::Offset(entry.offset.0))?;
        if let Some(metadata) = entry.metadata.as_deref().filter(|text| !text.is_empty()) {
            element.set_metadata(metadata);
        }
    }
    Ok(list)
}

pub(crate) fn commit_failure(code: Option<RDKafkaErrorCode>) -> CommitFailureKind {
    use RDKafkaErrorCode as Code;
    match code {
        Some(Code::UnknownMemberId | Code::FencedInstanceId | Code::FencedMemberEpoch) => {
            CommitFailureKind::Fenced
        }
        Some(Code::AssignmentLost | Code::Fenced) => CommitFailureKind::Fenced,
        Some(Code::IllegalGeneration | Code::StaleMemberEpoch | Code::RebalanceInProgress) => {
            CommitFailureKind::IllegalGeneration
        }
        Some(Code::OffsetMetadataTooLarge | Code::InvalidCommitOffsetSize) => {
            CommitFailureKind::MetadataTooLarge
        }
        Some(
            Code::OperationTimedOut
            | Code::RequestTimedOut
            | Code::TimedOutQueue
            | Code::WaitingForCoordinator
            | Code::CoordinatorNotAvailable
            | Code::CoordinatorLoadInProgress
            | Code::NotCoordinator
            | Code::BrokerTransportFailure
            | Code::AllBrokersDown
            | Code::NetworkException,
        ) => CommitFailureKind::Timeout,
        Some(
            Code::GroupAuthorizationFailed
            | Code::TopicAuthorizationFailed
            | Code::ClusterAuthorizationFailed,
        ) => CommitFailureKind::NotAuthorized,
        _ => CommitFailureKind::Other,
    }
}

pub(crate) fn source_error(code: Option<RDKafkaErrorCode>) -> SourceErrorKind {
    use RDKafkaErrorCode as Code;
    match code {
        Some(Code::AllBrokersDown) => SourceErrorKind::BrokersDown,
        Some(
            Code::BrokerTransportFailure
            | Code::Resolve
            | Code::NetworkException
            | Code::OperationTimedOut
            | Code::RequestTimedOut
            | Code::BrokerNotAvailable,
        ) => SourceErrorKind::Connection,
        Some(Code::Authentication | Code::SSL | Code::SaslAuthenticationFailed) => {
            SourceErrorKind::Authentication
        }
        Some(Code::UnsupportedSASLMechanism) => SourceErrorKind::Authentication,
        Some(
            Code::GroupAuthorizationFailed
            | Code::TopicAuthorizationFailed
            | Code::ClusterAuthorizationFailed,
        ) => SourceErrorKind::NotAuthorized,
        Some(
            Code::UnknownTopic
            | Code::UnknownTopicOrPartition
            | Code::UnknownPartition
            | Code::InvalidTopic,
        ) => SourceErrorKind::UnknownTopic,
        Some(
            Code::PollExceeded
            | Code::UnknownMemberId
            | Code::IllegalGeneration
            | Code::InconsistentGroupProtocol
            | Code::InvalidSessionTimeout
            | Code::FencedInstanceId
            | Code::AssignmentLost
            | Code::RebalanceInProgress,
        ) => SourceErrorKind::Group,
        Some(Code::OffsetOutOfRange | Code::AutoOffsetReset | Code::NoOffset) => {
            SourceErrorKind::Offsets
        }
        Some(Code::BadMessage | Code::BadCompression | Code::InvalidMessage) => {
            SourceErrorKind::Record
        }
        _ => SourceErrorKind::Other,
    }
}

pub(crate) fn send_error(code: Option<RDKafkaErrorCode>) -> SendErrorKind {
    use RDKafkaErrorCode as Code;
    match code {
        Some(
            Code::MessageTimedOut
            | Code::OperationTimedOut
            | Code::RequestTimedOut
            | Code::TimedOutQueue
            | Code::BrokerTransportFailure
            | Code::AllBrokersDown,
        ) => SendErrorKind::Timeout,
        Some(Code::QueueFull) => SendErrorKind::QueueFull,
        Some(Code::MessageSizeTooLarge | Code::InvalidMessageSize | Code::MessageBatchTooLarge) => {
            SendErrorKind::TooLarge
        }
        Some(Code::InvalidTimestamp) => SendErrorKind::Timestamp,
        Some(
            Code::UnknownTopic
            | Code::UnknownTopicOrPartition
            | Code::UnknownPartition
            | Code::InvalidTopic,
        ) => SendErrorKind::UnknownTopic,
        Some(
            Code::TopicAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::TransactionalIdAuthorizationFailed,
        ) => SendErrorKind::NotAuthorized,
        _ => SendErrorKind::Other,
    }
}
