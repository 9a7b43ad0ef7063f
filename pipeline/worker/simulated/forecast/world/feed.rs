//! What has arrived and waits to be read, as the brokers would have it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::mpsc::Receiver;
use std::time::Duration;
use std::vec::IntoIter;

use ingest_model::record::TopicPartition;

use super::super::traffic::Arriving;

/// Records in the order of their arrival.
#[derive(Debug, Clone)]
pub(in crate::simulated::forecast) struct Chunk {
    /// When the forecast begins, by the records' clock, epoch milliseconds.
    pub(in crate::simulated::forecast) begun_ms: i64,
    pub(in crate::simulated::forecast) records: Vec<Arriving>,
}

/// The chunks of a forecast.
#[derive(Debug)]
pub(in crate::simulated::forecast) struct Chunks {
    receiver: Receiver<Chunk>,
    begun_ms: i64,
    current: IntoIter<Arriving>,
}

/// A record that waits to be read.
struct Next {
    arriving: Arriving,
    number: u64,
}

/// What has arrived and was not read, as far as somebody looked.
pub(super) struct Feed {
    chunks: Chunks,
    waiting: BTreeMap<TopicPartition, VecDeque<Next>>,
    pub(super) count: usize,
    taken: u64,
}

/// The queues of partitions that may be read.
pub(super) struct Open<'f>(Vec<&'f mut VecDeque<Next>>, &'f mut usize);

/// How far the order of partitions may be left: records that wait because their partition is paused.
pub(super) const AHEAD: usize = 4_096;

// === impl Chunks ===

impl Chunks {
    pub(in crate::simulated::forecast) fn new(receiver: Receiver<Chunk>) -> Self {
        Self {
            receiver,
            begun_ms: 0,
            current: Vec::new().into_iter(),
        }
    }

    /// The next record. Waits for it.
    fn peek(&mut self) -> Option<&Arriving> {
        while self.current.as_slice().is_empty() {
            let chunk = self.receiver.recv().ok()?;
            self.begun_ms = chunk.begun_ms;
            self.current = chunk.records.into_iter();
        }
        self.current.as_slice().first()
    }

    /// Takes the record that was looked at.
    fn advance(&mut self) -> Option<Arriving> {
        self.current.next()
    }

    /// When the forecast begins, by the records' clock.
    pub(super) fn begun_ms(&mut self) -> i64 {
        self.peek();
        self.begun_ms
    }
}

// === impl Feed ===

impl Feed {
    pub(super) fn new(chunks: Chunks) -> Self {
        Self {
            chunks,
            waiting: BTreeMap::new(),
            count: 0,
            taken: 0,
        }
    }

    /// When the next record arrives.
    pub(super) fn next_at(&mut self) -> Option<Duration> {
        self.chunks.peek().map(|one| one.at)
    }

    /// Nothing arrives any more, and all that arrived was read.
    pub(super) fn is_at_end(&mut self) -> bool {
        self.count == 0 && self.next_at().is_none()
    }

    /// Leaves out the next record, and says when it arrives.
    pub(super) fn skip(&mut self) -> Option<Duration> {
        let at = self.next_at();
        self.chunks.advance();
        at
    }

    /// Takes what has arrived, as far as there is room. How many records.
    pub(super) fn take(&mut self, now: Duration) -> Vec<Duration> {
        let mut arrived = Vec::new();
        while self.count < AHEAD {
            if self.chunks.peek().is_none_or(|one| one.at > now) {
                break;
            }
            let Some(arriving) = self.chunks.advance() else {
                break;
            };
            arrived.push(arriving.at);
            let partition = arriving.mapped.record.position.partition.clone();
            let number = self.taken;
            let next = Next { arriving, number };
            self.waiting.entry(partition).or_default().push_back(next);
            self.taken += 1;
            self.count += 1;
        }
        arrived
    }

    /// The records that wait in these partitions.
    pub(super) fn open(&mut self, may: impl Fn(&TopicPartition) -> bool) -> Open<'_> {
        let all = self.waiting.iter_mut();
        let open = all.filter(|(name, queue)| !queue.is_empty() && may(name));
        Open(open.map(|(_, queue)| queue).collect(), &mut self.count)
    }

    pub(super) fn has(&self, may: impl Fn(&TopicPartition) -> bool) -> bool {
        let mut queues = self.waiting.iter();
        queues.any(|(name, queue)| !queue.is_empty() && may(name))
    }
}

// === impl Open ===

impl Open<'_> {
    /// Takes the record that arrived first.
    pub(super) fn pop(&mut self) -> Option<Arriving> {
        let Self(queues, count) = self;
        let waiting = queues.iter_mut().filter(|queue| !queue.is_empty());
        let first = waiting.min_by_key(|queue| queue.front().map(|next| next.number))?;
        let next = first.pop_front()?;
        **count -= 1;
        Some(next.arriving)
    }
}
