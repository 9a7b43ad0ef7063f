//! The event channel: bounded in records and in bytes, and never a reason to stop polling.
//!
//! Records wait here only as far as [`Room`] allows. Everything else (assignments, answers to commits) must get through
//! even when the channel is full: what does not fit waits in the outbox, in order. The outbox is bounded by what fills
//! it: one answer per requested commit, one report per rebalance.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ingest_model::record::{Epoch, Record};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::port::SourceEvent;
use crate::settings::Prefetch;

/// Slots in the channel for events that are not records.
const CONTROL_PLACES: usize = 64;

/// The receiving end of the event channel.
#[derive(Debug)]
pub struct SourceEvents {
    events: mpsc::Receiver<SourceEvent>,
    room: Arc<Room>,
}

/// The sending end, with the events that did not fit.
#[derive(Debug)]
pub(super) struct Outbox {
    events: mpsc::Sender<SourceEvent>,
    room: Arc<Room>,
    waiting: VecDeque<SourceEvent>,
}

/// How much of the prefetch budget is taken by records in the channel.
#[derive(Debug)]
pub(super) struct Room {
    limit: Taken,
    taken: Mutex<Taken>,
    freed: Condvar,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Taken {
    records: usize,
    bytes: usize,
}

/// Both ends of a channel.
pub(super) fn channel(prefetch: Prefetch) -> (Outbox, SourceEvents) {
    let limit = Taken {
        records: prefetch.channel_records(),
        bytes: prefetch.channel_bytes(),
    };
    let (sender, receiver) = mpsc::channel(limit.records + CONTROL_PLACES);
    let room = Arc::new(Room {
        limit,
        taken: Mutex::new(Taken::default()),
        freed: Condvar::new(),
    });
    let outbox = Outbox {
        events: sender,
        room: Arc::clone(&room),
        waiting: VecDeque::new(),
    };
    (
        outbox,
        SourceEvents {
            events: receiver,
            room,
        },
    )
}

// === impl SourceEvents ===

impl SourceEvents {
    /// The next event; `None` after [`SourceEvent::Stopped`], or if the poll thread died before it. Cancel-safe: no event
    /// is lost.
    pub async fn recv(&mut self) -> Option<SourceEvent> {
        let event = self.events.recv().await;
        self.received(event.as_ref());
        event
    }

    /// The next event, if one is available now.
    pub fn try_recv(&mut self) -> Option<SourceEvent> {
        let event = self.events.try_recv().ok();
        self.received(event.as_ref());
        event
    }

    /// The next event. Blocks: not for an async task.
    pub fn blocking_recv(&mut self) -> Option<SourceEvent> {
        let event = self.events.blocking_recv();
        self.received(event.as_ref());
        event
    }

    fn received(&self, event: Option<&SourceEvent>) {
        if let Some(SourceEvent::Record { record, .. }) = event {
            self.room.free(record.payload_bytes());
        }
    }
}

// === impl Outbox ===

impl Outbox {
    /// Sends a record, or returns it if there is no room. An empty channel always has room, so a record larger than the
    /// budget passes too.
    #[must_use]
    pub(super) fn record(&mut self, record: Record, epoch: Epoch) -> Option<Record> {
        let bytes = record.payload_bytes();
        if !self.waiting.is_empty() || !self.room.take(bytes) {
            return Some(record);
        }
        match self.events.try_send(SourceEvent::Record { record, epoch }) {
            Ok(()) => None,
            Err(TrySendError::Full(event) | TrySendError::Closed(event)) => {
                self.room.free(bytes);
                if let SourceEvent::Record { record, .. } = event {
                    Some(record)
                } else {
                    None
                }
            }
        }
    }

    /// Sends an event that must arrive.
    pub(super) fn event(&mut self, event: SourceEvent) {
        self.waiting.push_back(event);
        self.flush();
    }

    /// Sends an event, or drops it if there is no room, because the next one will do as well.
    pub(super) fn replaceable(&mut self, event: SourceEvent) {
        if self.waiting.is_empty() && self.events.try_send(event).is_err() {
            tracing::trace!("no place for a report");
        }
    }

    /// Sends waiting events as far as there are slots.
    pub(super) fn flush(&mut self) {
        while let Some(event) = self.waiting.pop_front() {
            match self.events.try_send(event) {
                Ok(()) => {}
                Err(TrySendError::Full(event)) => {
                    self.waiting.push_front(event);
                    return;
                }
                // Nobody listens any more; the driver notices that by itself.
                Err(TrySendError::Closed(_)) => self.waiting.clear(),
            }
        }
    }

    /// Whether every event was sent.
    pub(super) fn is_flushed(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether the receiving end is gone.
    pub(super) fn is_closed(&self) -> bool {
        self.events.is_closed()
    }

    /// Whether at least half of the room is free.
    pub(super) fn is_roomy(&self) -> bool {
        self.waiting.is_empty() && self.room.is_roomy(*self.room.lock())
    }

    /// Waits until at least half of the room is free, for a moment at most.
    pub(super) fn wait(&self, moment: Duration) {
        let taken = self.room.lock();
        drop(
            self.room
                .freed
                .wait_timeout_while(taken, moment, |now| !self.room.is_roomy(*now)),
        );
    }
}

// === impl Room ===

impl Room {
    fn take(&self, bytes: usize) -> bool {
        let mut taken = self.lock();
        let fits = taken.records < self.limit.records
            && taken.bytes.saturating_add(bytes) <= self.limit.bytes;
        if !fits && taken.records > 0 {
            return false;
        }
        taken.records += 1;
        taken.bytes = taken.bytes.saturating_add(bytes);
        true
    }

    fn free(&self, bytes: usize) {
        let mut taken = self.lock();
        taken.records = taken.records.saturating_sub(1);
        taken.bytes = taken.bytes.saturating_sub(bytes);
        if self.is_roomy(*taken) {
            self.freed.notify_one();
        }
    }

    fn is_roomy(&self, taken: Taken) -> bool {
        taken.records <= self.limit.records / 2 && taken.bytes <= self.limit.bytes / 2
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use ingest_model::record::{Offset, Position, TopicPartition};

    use super::*;

    const PREFETCH: Prefetch = Prefetch {
        records: 16,
        bytes: 64 * 1024,
    };

    fn record(bytes: usize) -> Record {
        Record {
            position: Position {
                partition: TopicPartition::new("t", 0),
                offset: Offset(0),
            },
            key: None,
            value: Some(Bytes::from(vec![0; bytes])),
            headers: Vec::new(),
            timestamp_ms: None,
        }
    }

    #[test]
    fn records_stop_at_their_number() {
        let (mut outbox, mut events) = channel(PREFETCH);
        for _ in 0..4 {
            assert!(outbox.record(record(1), Epoch(1)).is_none());
        }
        assert!(outbox.record(record(1), Epoch(1)).is_some());
        assert!(!outbox.is_roomy());
        assert!(events.try_recv().is_some());
        assert!(outbox.record(record(1), Epoch(1)).is_none());
    }

    #[test]
    fn records_stop_at_their_bytes_but_one_always_passes() {
        let (mut outbox, mut events) = channel(PREFETCH);
        assert!(
            outbox.record(record(1_000_000), Epoch(1)).is_none(),
            "alone it passes"
        );
        assert!(outbox.record(record(1), Epoch(1)).is_some());
        assert!(events.try_recv().is_some());
        assert!(outbox.is_roomy());
    }

    #[test]
    fn other_events_get_through_a_full_channel_in_order_and_before_later_records() {
        let (mut outbox, mut events) = channel(PREFETCH);
        while outbox.record(record(1), Epoch(1)).is_none() {}
        for epoch in 0..200 {
            outbox.event(SourceEvent::Lost(vec![(
                TopicPartition::new("t", 0),
                Epoch(epoch),
            )]));
        }
        assert!(!outbox.is_flushed());
        let mut epochs = Vec::new();
        loop {
            while let Some(event) = events.try_recv() {
                if let SourceEvent::Lost(lost) = event {
                    epochs.push(lost[0].1.0);
                }
            }
            if outbox.is_flushed() {
                break;
            }
            assert!(
                outbox.record(record(1), Epoch(2)).is_some(),
                "no record overtakes"
            );
            outbox.flush();
        }
        assert_eq!(epochs, (0..200).collect::<Vec<u64>>());
    }
}
