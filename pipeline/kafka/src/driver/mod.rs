//! The poll thread: its start, its handle, its events.
//!
//! What the worker may rely on:
//!
//! * The client is polled at least every few tens of milliseconds, whatever the worker does. When the event channel is
//!   full, all partitions are paused and polling goes on; at half they deliver again.
//! * A partition is reported with its committed offset before its first record, and its records arrive in order, all
//!   of one epoch, until it is revoked or lost, or begins a new life: then
//!   [`SourceEvent::NewLife`](crate::SourceEvent::NewLife) comes before the first record of the new epoch. Records of
//!   the old one that were read before may still follow it.
//! * After [`SourceEvent::Revoking`](crate::SourceEvent::Revoking) no record of that partition follows in that epoch.
//!   The client answers the group for a whole revocation at once, so the partitions of one revocation leave together,
//!   when the last of them is handed back; and until then the client delivers nothing from any partition.
//! * A partition is handed back only after the commits that were asked for it have been answered, or at the drain
//!   deadline, whichever comes first. What is let go without having been handed back is reported as lost.
//! * A commit that is fenced while partitions are being drained ends the drain: the group has given them away.
//!
//! Commands come through an unbounded channel. They are answers to events and ticks of the worker's commit interval,
//! the poll thread takes all of them between two polls, and a command that had to wait for room could stop the pump
//! that empties the event channel.

use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;

use rdkafka::consumer::{BaseConsumer, Consumer};

use crate::client::context::SourceContext;
use crate::error::{SourceGone, StartError};
use crate::port::SourceCommand;
use crate::settings::KafkaSettings;

mod channel;
mod commits;
mod epoch;
mod offsets;
mod partitions;
mod poll;

pub use channel::SourceEvents;

/// The way to the poll thread. Dropping it stops the thread, without waiting for it.
#[derive(Debug)]
pub struct SourceHandle {
    commands: mpsc::Sender<SourceCommand>,
    thread: Option<JoinHandle<()>>,
}

/// Creates the consumer, subscribes and starts the poll thread. Returns at once, whether brokers answer or not.
///
/// # Errors
/// The client refuses the settings as a whole, or there is no thread.
pub fn spawn(settings: &KafkaSettings) -> Result<(SourceHandle, SourceEvents), StartError> {
    let consumer: BaseConsumer<SourceContext> = settings
        .consumer_config()
        .create_with_context(SourceContext::new(
            settings.options().properties.contains_key("debug"),
        ))
        .map_err(|error| StartError::Client {
            detail: error.to_string(),
        })?;
    let topics: Vec<&str> = settings
        .topics()
        .iter()
        .map(|topic| topic.as_str())
        .collect();
    consumer
        .subscribe(&topics)
        .map_err(|error| StartError::Client {
            detail: error.to_string(),
        })?;

    let (outbox, events) = channel::channel(settings.options().prefetch);
    let (command_sender, commands) = mpsc::channel();
    let driver = poll::Driver::new(
        Arc::new(consumer),
        commands,
        outbox,
        settings.drain_deadline(),
        settings.options().state_topic.is_some(),
        settings.session_timeout().is_none(),
        settings.reads_from_end(),
    )?;
    let thread = std::thread::Builder::new()
        .name("kafka-poll".to_owned())
        .spawn(move || driver.run())
        .map_err(|error| StartError::Thread {
            detail: error.to_string(),
        })?;
    Ok((
        SourceHandle {
            commands: command_sender,
            thread: Some(thread),
        },
        events,
    ))
}

// === impl SourceHandle ===

impl SourceHandle {
    /// Sends a command; never waits.
    ///
    /// # Errors
    /// The poll thread has ended.
    pub fn send(&self, command: SourceCommand) -> Result<(), SourceGone> {
        self.commands.send(command).map_err(|_unsent| SourceGone)
    }

    /// Waits for the thread's end, which [`SourceCommand::Stop`] brings about. Blocks: not for an async task. Says
    /// whether the thread ended in good order.
    #[must_use]
    pub fn join(mut self) -> bool {
        self.thread
            .take()
            .is_none_or(|thread| thread.join().is_ok())
    }
}

impl Drop for SourceHandle {
    fn drop(&mut self) {
        if self.thread.is_some() && self.commands.send(SourceCommand::Stop).is_err() {
            tracing::debug!("the kafka poll thread had ended before");
        }
    }
}
