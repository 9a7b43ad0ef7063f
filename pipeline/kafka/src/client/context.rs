//! The consumer's callbacks. They run inside a poll, so they act at once or take a note, and never wait.
//!
//! **Assign** is applied at once, and the new partitions are paused at once: they deliver nothing until the driver knows
//! what the group has committed for them.
//!
//! **Revoke** is only noted. The incremental protocols leave it to the application when to answer: until
//! `incremental_unassign` is called, the client stays a member (heartbeats go on) and delivers nothing from *any*
//! partition. The answer has to be **one** call for the whole list: the client takes the first call as the answer and
//! rejoins without any of the revoked partitions, so the group would give the rest away while it is still being drained.
//! Hence `revoking` collects the list, and whoever answers takes all of it.
//!
//! **Lost** assignments, and every revocation once `closing` is set, are answered immediately.

use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ingest_model::record::TopicPartition;
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Statistics as ClientStatistics, TopicPartitionList};

use crate::client::convert;
use crate::client::log::ClientLog;
use crate::client::tokens::Tokens;
use crate::client::topic_ids::TopicIds;

/// What a callback saw, for the driver to act on after the poll.
#[derive(Debug)]
pub(crate) enum Seen {
    /// Partitions were assigned; they are paused.
    Assigned(Vec<TopicPartition>),
    /// Partitions are to be handed back.
    Revoking(Vec<TopicPartition>),
    /// Partitions were lost and have been released.
    Lost(Vec<TopicPartition>),
    /// The topic was recreated under this name. Noted before the client fetches anything from the new one.
    MadeAgain(String),
    /// The client reports an error that it handles by itself.
    Error(Option<RDKafkaErrorCode>, String),
}

/// State shared between the callbacks and the driver. Both run on the poll thread, except for the close and for log
/// lines, which come from the client's own threads while they hold the client's locks: never call the client while
/// holding one of these locks.
#[derive(Default)]
pub(crate) struct SourceContext {
    seen: Mutex<Vec<Seen>>,
    revoking: Mutex<Vec<TopicPartition>>,
    statistics: Mutex<Option<Box<ClientStatistics>>>,
    closing: AtomicBool,
    log: ClientLog,
    tokens: Tokens,
    topic_ids: Mutex<TopicIds>,
}

// === impl SourceContext ===

impl SourceContext {
    /// A context for a client with or without debug lines.
    pub(crate) fn new(debug: bool, tokens: Tokens) -> Self {
        Self {
            log: ClientLog::new(debug),
            tokens,
            ..Self::default()
        }
    }

    /// What happened since the last call.
    pub(crate) fn take_seen(&self) -> Vec<Seen> {
        std::mem::take(&mut *lock(&self.seen))
    }

    /// The newest statistics since the last call.
    pub(crate) fn take_statistics(&self) -> Option<Box<ClientStatistics>> {
        lock(&self.statistics).take()
    }

    /// From now on every revocation is answered immediately.
    pub(crate) fn set_closing(&self) {
        self.closing.store(true, Ordering::Release);
    }

    /// Answers the open revocation, if there is one, for all its partitions.
    pub(crate) fn hand_back(&self, consumer: &BaseConsumer<Self>) {
        let revoking = std::mem::take(&mut *lock(&self.revoking));
        if !revoking.is_empty() {
            self.unassign(consumer, &revoking);
        }
    }

    fn unassign(&self, consumer: &BaseConsumer<Self>, partitions: &[TopicPartition]) {
        if let Err(error) = consumer.incremental_unassign(&convert::client_list(partitions)) {
            self.note(Seen::Error(
                error.rdkafka_error_code(),
                format!("partitions could not be handed back: {error}"),
            ));
        }
    }

    fn assigned(&self, consumer: &BaseConsumer<Self>, list: &TopicPartitionList) {
        if let Err(error) = consumer.incremental_assign(list) {
            self.note(Seen::Error(
                error.rdkafka_error_code(),
                format!("an assignment could not be applied: {error}"),
            ));
            return;
        }
        if let Err(error) = consumer.pause(list) {
            self.note(Seen::Error(
                error.rdkafka_error_code(),
                format!("new partitions could not be paused: {error}"),
            ));
        }
        self.note(Seen::Assigned(convert::partitions(list)));
    }

    fn revoked(&self, consumer: &BaseConsumer<Self>, list: &TopicPartitionList) {
        let lost = consumer.assignment_lost();
        let mut partitions = convert::partitions(list);
        if lost || self.closing.load(Ordering::Acquire) {
            let mut all = std::mem::take(&mut *lock(&self.revoking));
            partitions.retain(|partition| !all.contains(partition));
            all.append(&mut partitions);
            // Even with an empty list: the client waits for the answer, not for the partitions.
            self.unassign(consumer, &all);
            self.note(Seen::Lost(all));
        } else if partitions.is_empty() {
            self.unassign(consumer, &partitions);
        } else {
            lock(&self.revoking).extend(partitions.iter().cloned());
            self.note(Seen::Revoking(partitions));
        }
    }

    fn note(&self, seen: Seen) {
        lock(&self.seen).push(seen);
    }
}

impl ClientContext for SourceContext {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, level: RDKafkaLogLevel, fac: &str, log_message: &str) {
        let made_again = lock(&self.topic_ids).line(fac, log_message);
        if let Some(topic) = made_again {
            self.note(Seen::MadeAgain(topic));
        }
        self.log.line(level, fac, log_message);
    }

    fn stats(&self, statistics: ClientStatistics) {
        *lock(&self.statistics) = Some(Box::new(statistics));
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.note(Seen::Error(error.rdkafka_error_code(), reason.to_owned()));
    }

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.tokens.give()
    }
}

impl ConsumerContext for SourceContext {
    fn rebalance(
        &self,
        base_consumer: &BaseConsumer<Self>,
        err: RDKafkaRespErr,
        tpl: &mut TopicPartitionList,
    ) {
        if err == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            self.assigned(base_consumer, tpl);
        } else {
            self.revoked(base_consumer, tpl);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
