//! The poll thread: its start, its handle, its events.
//!
//! What the worker may rely on:
//!
//! * The client is polled whatever the worker does: every few tens of milliseconds, and with a full event channel after
//!   half a second at most. Then all partitions are paused and polling goes on; they are resumed when the channel is half
//!   empty.
//! * A partition is reported with its committed offset before its first record. Its records arrive in order, all of one
//!   epoch, until it is revoked, lost, or begins a new life: then
//!   [`SourceEvent::NewLife`](crate::SourceEvent::NewLife) comes before the first record of the new epoch. Records of
//!   the old epoch that were already read may still follow it.
//! * After [`SourceEvent::Revoking`](crate::SourceEvent::Revoking), no record of that partition follows in that epoch.
//!   The client answers the group for a whole revocation at once. So the partitions of one revocation leave together,
//!   when the last of them is handed back; until then the client delivers nothing from any partition.
//! * A partition is handed back only after its requested commits were answered, or at the drain deadline, whichever
//!   comes first. What is released without having been handed back is reported as lost.
//! * With other credentials, the consumer is made anew ([`SourceRenewer`]): its partitions are revoked like any others,
//!   drained and handed back; then it leaves the group, and its successor joins. If the group takes them away meanwhile,
//!   that is at once.
//! * If a commit is fenced while partitions are being drained, the drain ends: the group has given them away.
//!
//! Commands come through an unbounded channel. They answer events or follow the worker's commit interval, and the poll
//! thread takes all of them between two polls. A command that had to wait for room could block the pump, which empties
//! the event channel.

use std::sync::mpsc;
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use crate::error::{RenewError, SourceGone, StartError};
use crate::port::SourceCommand;
use crate::settings::KafkaSettings;

mod channel;
mod commits;
mod epoch;
mod member;
mod offsets;
mod partitions;
mod poll;
mod positions;

pub use channel::SourceEvents;
use member::{Order, Renewal};

/// The command side of the poll thread. Dropping it stops the thread, without waiting for it.
#[derive(Debug)]
pub struct SourceHandle {
    orders: mpsc::Sender<Order>,
    thread: Option<JoinHandle<()>>,
}

/// Has the consumer made anew, with other credentials.
#[derive(Debug, Clone)]
pub struct SourceRenewer(mpsc::Sender<Order>);

/// Creates the consumer, subscribes and starts the poll thread. Returns immediately, whether or not brokers answer.
///
/// # Errors
/// The client refuses the settings as a whole, or the thread cannot be started.
pub fn spawn(settings: &KafkaSettings) -> Result<(SourceHandle, SourceEvents), StartError> {
    let (outbox, events) = channel::channel(settings.options().prefetch);
    let (order_sender, orders) = mpsc::channel();
    let driver = poll::Driver::new(settings.clone(), orders, outbox)?;
    let thread = std::thread::Builder::new()
        .name("kafka-poll".to_owned())
        .spawn(move || driver.run())
        .map_err(|error| StartError::Thread {
            detail: error.to_string(),
        })?;
    Ok((
        SourceHandle {
            orders: order_sender,
            thread: Some(thread),
        },
        events,
    ))
}

// === impl SourceRenewer ===

impl SourceRenewer {
    /// Drains what this process holds and hands it back, leaves the group, and joins it with these settings. Returns when
    /// the new consumer is there; it may take as long as a drain, and records are not delivered meanwhile.
    ///
    /// # Errors
    /// The client refuses the settings, and the old ones stay; or the poll thread has ended.
    pub async fn renew(&self, settings: KafkaSettings) -> Result<(), RenewError> {
        let (done, answer) = oneshot::channel();
        let renewal = Box::new(Renewal { settings, done });
        if self.0.send(Order::Renew(renewal)).is_err() {
            return Err(RenewError::Gone(SourceGone));
        }
        match answer.await {
            Ok(made) => made.map_err(RenewError::Start),
            Err(_dropped) => Err(RenewError::Gone(SourceGone)),
        }
    }
}

// === impl SourceHandle ===

impl SourceHandle {
    /// Sends a command; never waits.
    ///
    /// # Errors
    /// The poll thread has ended.
    pub fn send(&self, command: SourceCommand) -> Result<(), SourceGone> {
        self.orders
            .send(Order::Obey(command))
            .map_err(|_unsent| SourceGone)
    }

    /// What makes the consumer anew.
    #[must_use]
    pub fn renewer(&self) -> SourceRenewer {
        SourceRenewer(self.orders.clone())
    }

    /// Waits until the thread has ended; send [`SourceCommand::Stop`] first. Blocks: not for an async task. Returns
    /// whether the thread ended without a panic.
    #[must_use]
    pub fn join(mut self) -> bool {
        self.thread
            .take()
            .is_none_or(|thread| thread.join().is_ok())
    }
}

impl Drop for SourceHandle {
    fn drop(&mut self) {
        if self.thread.is_some() && self.send(SourceCommand::Stop).is_err() {
            tracing::debug!("the kafka poll thread had ended before");
        }
    }
}
