//! The event channel: bounded in records and in bytes, and never a reason to stop polling.
//!
//! Records go through in batches: those of one turn of the poll thread. They wait here only as far as [`Room`] allows. Everything else (assignments, answers to commits) must get through
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

/// Records of one batch, at most; at most half of what may wait here, too, because a few batches are on their way to the
/// machine when it has the partitions paused.
const BATCH_RECORDS: usize = 256;
/// Bytes beyond which a batch takes no further record.
const BATCH_BYTES: usize = 1 << 20;

/// The sending end, with the events that did not fit.
#[derive(Debug)]
pub(super) struct Outbox {
    events: mpsc::Sender<SourceEvent>,
    room: Arc<Room>,
    /// Records that are sent together; they are older than what waits.
    batch: Vec<(Record, Epoch)>,
    batch_bytes: usize,
    batch_limit: usize,
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
        batch: Vec::new(),
        batch_bytes: 0,
        batch_limit: (limit.records / 2).clamp(1, BATCH_RECORDS),
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
        if let Some(SourceEvent::Records(batch)) = event {
            let bytes = batch.iter().map(|(record, _)| record.payload_bytes()).sum();
            self.room.free(batch.len(), bytes);
        }
    }
}

// === impl Outbox ===

impl Outbox {
    /// Puts a record into the batch, or returns it if there is no room. An empty channel always has room, so a record larger
    /// than the budget passes too. The batch leaves when it is full, or with [`Outbox::flush`].
    #[must_use]
    pub(super) fn record(&mut self, record: Record, epoch: Epoch) -> Option<Record> {
        let bytes = record.payload_bytes();
        if !self.waiting.is_empty() || !self.room.take(bytes) {
            return Some(record);
        }
        if self.batch.is_empty() {
            self.batch.reserve(self.batch_limit);
        }
        self.batch.push((record, epoch));
        self.batch_bytes += bytes;
        if self.batch.len() >= self.batch_limit || self.batch_bytes >= BATCH_BYTES {
            self.send_batch();
        }
        None
    }

    fn send_batch(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        self.batch_bytes = 0;
        let batch = std::mem::take(&mut self.batch);
        match self.events.try_send(SourceEvent::Records(batch)) {
            Ok(()) => {}
            // Each record has a slot, so this happens only while other events have taken them.
            Err(TrySendError::Full(event)) => self.waiting.push_back(event),
            Err(TrySendError::Closed(_)) => self.waiting.clear(),
        }
    }

    /// Sends an event that must arrive.
    pub(super) fn event(&mut self, event: SourceEvent) {
        self.send_batch();
        self.waiting.push_back(event);
        self.flush();
    }

    /// Sends an event, or drops it if there is no room, because the next one will do as well.
    pub(super) fn replaceable(&mut self, event: SourceEvent) {
        if self.waiting.is_empty() && self.events.try_send(event).is_err() {
            tracing::trace!("no place for a report");
        }
    }

    /// Sends the batch, and waiting events as far as there are slots.
    pub(super) fn flush(&mut self) {
        self.send_batch();
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
        self.batch.is_empty() && self.waiting.is_empty()
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

    fn free(&self, records: usize, bytes: usize) {
        let mut taken = self.lock();
        taken.records = taken.records.saturating_sub(records);
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
        for _ in 0..2 {
            let Some(SourceEvent::Records(batch)) = events.try_recv() else {
                panic!("a batch")
            };
            assert_eq!(batch.len(), 2, "half of what may wait");
        }
        assert!(outbox.record(record(1), Epoch(1)).is_none());
        assert!(events.try_recv().is_none(), "it waits for another");
        outbox.flush();
        assert!(events.try_recv().is_some());
    }

    #[test]
    fn a_batch_leaves_when_it_is_full() {
        let (mut outbox, mut events) = channel(Prefetch {
            records: 4 * 1_000,
            bytes: 16 << 20,
        });
        let mut taken = |outbox: &mut Outbox, bytes, records| {
            for _ in 0..records {
                assert!(outbox.record(record(bytes), Epoch(1)).is_none());
            }
            match events.try_recv() {
                Some(SourceEvent::Records(batch)) => batch.len(),
                _ => 0,
            }
        };
        assert_eq!(taken(&mut outbox, 1, BATCH_RECORDS - 1), 0);
        assert_eq!(taken(&mut outbox, 1, 1), BATCH_RECORDS);
        assert_eq!(taken(&mut outbox, BATCH_BYTES / 2, 1), 0);
        assert_eq!(taken(&mut outbox, BATCH_BYTES / 2, 1), 2);
    }

    #[test]
    fn records_stop_at_their_bytes_but_one_always_passes() {
        let (mut outbox, mut events) = channel(PREFETCH);
        assert!(
            outbox.record(record(1_000_000), Epoch(1)).is_none(),
            "alone it passes"
        );
        assert!(outbox.record(record(1), Epoch(1)).is_some());
        outbox.flush();
        assert!(events.try_recv().is_some());
        assert!(outbox.is_roomy());
    }

    #[test]
    fn other_events_get_through_a_full_channel_in_order_and_before_later_records() {
        let (mut outbox, mut events) = channel(PREFETCH);
        while outbox.record(record(1), Epoch(1)).is_none() {
            outbox.flush(); // a slot each
        }
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
