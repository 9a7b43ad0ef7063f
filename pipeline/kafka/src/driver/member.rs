//! A member of the group as the client library has it, and what makes it anew.

use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use tokio::sync::oneshot;

use super::offsets::{self, Answer, Task};
use crate::client::context::SourceContext;
use crate::error::StartError;
use crate::port::SourceCommand;
use crate::settings::KafkaSettings;

/// What the poll thread is told.
pub(super) enum Order {
    Obey(SourceCommand),
    Renew(Box<Renewal>),
}

/// The consumer is to be made anew with these settings.
pub(super) struct Renewal {
    pub(super) settings: KafkaSettings,
    pub(super) done: oneshot::Sender<Result<(), StartError>>,
}

/// A consumer, and the thread that commits for it.
pub(super) struct Member {
    pub(super) consumer: Arc<BaseConsumer<SourceContext>>,
    pub(super) tasks: mpsc::Sender<Task>,
    pub(super) answers: mpsc::Receiver<Answer>,
    pub(super) offsets_thread: JoinHandle<()>,
}

// === impl Member ===

impl Member {
    /// One that has not joined the group yet.
    pub(super) fn new(settings: &KafkaSettings) -> Result<Self, StartError> {
        let debug = settings.options().properties.contains_key("debug");
        let consumer: BaseConsumer<SourceContext> = settings
            .consumer_config()
            .create_with_context(SourceContext::new(debug, settings.tokens()))
            .map_err(refused)?;
        let consumer = Arc::new(consumer);
        let (tasks, task_receiver) = mpsc::channel();
        let (answer_sender, answers) = mpsc::channel();
        let shared = Arc::clone(&consumer);
        let offsets_thread = std::thread::Builder::new()
            .name("kafka-offsets".to_owned())
            .spawn(move || offsets::work(&shared, &task_receiver, &answer_sender))
            .map_err(|error| StartError::Thread {
                detail: error.to_string(),
            })?;
        Ok(Self {
            consumer,
            tasks,
            answers,
            offsets_thread,
        })
    }
}

/// Joins the group.
pub(super) fn join(
    consumer: &BaseConsumer<SourceContext>,
    settings: &KafkaSettings,
) -> Result<(), StartError> {
    let topics = settings.topics().iter();
    let topics: Vec<&str> = topics.map(|topic| topic.as_str()).collect();
    consumer.subscribe(&topics).map_err(refused)
}

#[expect(clippy::needless_pass_by_value, reason = "it maps errors")]
fn refused(error: KafkaError) -> StartError {
    StartError::Client {
        detail: error.to_string(),
    }
}
