//! What has arrived and waits to be read, as the brokers would have it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use ingest_model::record::TopicPartition;

use super::super::traffic::Arriving;

/// Records in the order of their arrival; all tiers share them.
#[derive(Debug)]
pub(in crate::simulated::forecast) struct Chunk {
    /// When the forecast begins, by the records' clock, epoch milliseconds.
    pub(in crate::simulated::forecast) begun_ms: i64,
    pub(in crate::simulated::forecast) records: Vec<Arriving>,
}

/// The chunks of a forecast.
#[derive(Debug)]
pub(in crate::simulated::forecast) struct Chunks {
    receiver: Receiver<Arc<Chunk>>,
    current: Option<(Arc<Chunk>, usize)>,
}

/// A record of a chunk.
pub(super) struct Next {
    chunk: Arc<Chunk>,
    place: usize,
    number: u64,
}

/// What has arrived and was not read, as far as somebody looked.
pub(super) struct Feed {
    chunks: Chunks,
    waiting: BTreeMap<TopicPartition, VecDeque<Next>>,
    pub(super) count: usize,
    taken: u64,
}

/// How far the order of partitions may be left: records that wait because their partition is paused.
pub(super) const AHEAD: usize = 4_096;

// === impl Chunks ===

impl Chunks {
    pub(in crate::simulated::forecast) fn new(receiver: Receiver<Arc<Chunk>>) -> Self {
        Self {
            receiver,
            current: None,
        }
    }

    /// The chunk that has the next record, and its place there. Waits for it.
    fn peek(&mut self) -> Option<(&Arc<Chunk>, usize)> {
        let used_up = |(chunk, place): &(Arc<Chunk>, usize)| *place >= chunk.records.len();
        while self.current.as_ref().is_none_or(used_up) {
            match self.receiver.recv() {
                Ok(chunk) => self.current = Some((chunk, 0)),
                Err(_ended) => {
                    self.current = None;
                    return None;
                }
            }
        }
        self.current.as_ref().map(|(chunk, place)| (chunk, *place))
    }

    fn advance(&mut self) {
        if let Some((_, place)) = &mut self.current {
            *place += 1;
        }
    }

    /// When the forecast begins, by the records' clock.
    pub(super) fn begun_ms(&mut self) -> i64 {
        self.peek().map_or(0, |(chunk, _)| chunk.begun_ms)
    }
}

// === impl Next ===

impl Next {
    pub(super) fn arriving(&self) -> Option<&Arriving> {
        self.chunk.records.get(self.place)
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
        let (chunk, place) = self.chunks.peek()?;
        chunk.records.get(place).map(|one| one.at)
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
            let Some((chunk, place)) = self.chunks.peek() else {
                break;
            };
            let Some(one) = chunk.records.get(place).filter(|one| one.at <= now) else {
                break;
            };
            let next = Next {
                chunk: Arc::clone(chunk),
                place,
                number: self.taken,
            };
            arrived.push(one.at);
            let partition = one.mapped.record.position.partition.clone();
            self.waiting.entry(partition).or_default().push_back(next);
            self.taken += 1;
            self.count += 1;
            self.chunks.advance();
        }
        arrived
    }

    /// The first record that waits in one of these partitions.
    pub(super) fn pop(&mut self, may: impl Fn(&TopicPartition) -> bool) -> Option<Next> {
        let mut first: Option<(u64, &mut VecDeque<Next>)> = None;
        for (name, queue) in &mut self.waiting {
            let number = queue.front().map(|next| next.number);
            let is_first = |number: &u64| first.as_ref().is_none_or(|(known, _)| number < known);
            // Whether it may is asked last, because that costs most.
            if let Some(number) = number.filter(is_first).filter(|_| may(name)) {
                first = Some((number, queue));
            }
        }
        let next = first?.1.pop_front();
        self.count -= usize::from(next.is_some());
        next
    }

    pub(super) fn has(&self, may: impl Fn(&TopicPartition) -> bool) -> bool {
        let mut queues = self.waiting.iter();
        queues.any(|(name, queue)| !queue.is_empty() && may(name))
    }
}
