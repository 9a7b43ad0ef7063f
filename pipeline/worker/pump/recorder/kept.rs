//! A step as it is kept: values that the machine has anyway, shared where they are large, and what they weigh.
//!
//! Nothing is written while the machine steps. What is kept of a record is where it stood, what the mapping made of it, and how
//! long its contents were: the machine asks for no more. The contents themselves are kept only where a recording may hold persons.
//! A value that is shared stays alive as long as the step does, so the step weighs all that it holds.

use std::borrow::Cow;
use std::mem::size_of;
use std::sync::Arc;

use bytes::Bytes;
use ingest_delivery::fact::Fact;
use ingest_delivery::machine::{CommitEntry, Effect, Input, LetterId, RequestId, StateWriteId};
use ingest_delivery::port::Metadata;
use ingest_model::call::Call;
use ingest_model::outcome::{DroppedField, HeldBy, Rejection, Verdict};
use ingest_model::record::{Epoch, EventIds, Header, Position, Record, TopicPartition, Traffic};
use ingest_model::state_log::reduce::Slice;
use ingest_model::weight::{
    ALLOCATION, call_bytes, dropped_bytes, list_bytes, reply_bytes, slice_bytes, text_bytes,
    verdict_bytes,
};

/// One step, or one input of a step that several went into.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    /// Its number, from 1.
    pub(super) number: u64,
    /// Nanoseconds since the process began to record.
    pub(super) nanos: u64,
    pub(super) given: Given,
    /// The next one was put in with it, and what came out stands there.
    pub(super) goes_on: bool,
    /// What came out; `None` where the step goes on or did not end.
    pub(super) out: Option<Vec<Decided>>,
}

/// What went in.
#[derive(Debug, Clone)]
pub(super) enum Given {
    Wake,
    Record(Told),
    /// A slice that was too large is not here.
    Restored {
        partition: TopicPartition,
        epoch: Epoch,
        slice: Option<Arc<Slice>>,
    },
    Other(Box<Input>),
}

/// A record.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub(super) position: Position,
    epoch: Epoch,
    event_ms: Option<i64>,
    traffic: Traffic,
    timestamp_ms: Option<i64>,
    contents: Contents,
    verdict: Verdict,
    dropped: Vec<DroppedField>,
    /// How many ids of its events were kept for its receipt.
    event_ids: Option<usize>,
}

/// What a record held.
#[derive(Debug, Clone)]
enum Contents {
    Lengths {
        key: Option<usize>,
        value: Option<usize>,
        /// Names and values of all headers.
        headers: usize,
    },
    Whole(Box<Whole>),
}

#[derive(Debug, Clone)]
struct Whole {
    key: Option<Bytes>,
    value: Option<Bytes>,
    headers: Vec<Header>,
}

/// What came out, as far as a recording shows it.
#[derive(Debug, Clone)]
pub(super) enum Decided {
    Send {
        request: RequestId,
        call: Arc<Call>,
    },
    DeadLetter {
        letter: LetterId,
        position: Position,
        reason: Rejection,
        attempts: u32,
    },
    Divert {
        letter: LetterId,
        position: Position,
        by: HeldBy,
        attempts: u32,
    },
    Commit(Vec<CommitEntry>),
    Pause(Vec<TopicPartition>),
    Resume(Vec<TopicPartition>),
    HandBack {
        partition: TopicPartition,
        epoch: Epoch,
    },
    Restore {
        partition: TopicPartition,
        epoch: Epoch,
    },
    /// Of how many partitions.
    ReadRiders(usize),
    WriteState {
        write: StateWriteId,
        partition: TopicPartition,
        records: usize,
        deletes: usize,
    },
    Drained,
    Fact(Fact),
}

// === impl Kept ===

impl Kept {
    /// Bytes that it occupies, or keeps alive.
    pub(super) fn weight(&self) -> usize {
        let out = self.out.as_deref();
        size_of::<Self>()
            + size_of::<Arc<Self>>()
            + ALLOCATION
            + self.given.apart()
            + out.map_or(0, |out| list_bytes(out, Decided::apart))
    }

    /// The part of it that is a slice of the state topic.
    pub(super) fn slice(&self) -> Option<&Slice> {
        match &self.given {
            Given::Restored { slice, .. } => slice.as_deref(),
            Given::Wake | Given::Record(_) | Given::Other(_) => None,
        }
    }

    /// A slice went in, and is not here.
    pub(super) fn lacks_slice(&self) -> bool {
        matches!(self.given, Given::Restored { slice: None, .. })
    }
}

// === impl Given ===

impl Given {
    /// What is kept of an input. `whole` keeps contents of records, too; a slice is kept if there is `room` for it.
    pub(super) fn of(input: &Input, whole: bool, room: usize) -> Self {
        match input {
            Input::Wake => Self::Wake,
            Input::Record {
                record,
                epoch,
                event_ms,
                traffic,
                verdict,
                dropped,
                event_ids,
            } => Self::Record(Told {
                position: record.position.clone(),
                epoch: *epoch,
                event_ms: *event_ms,
                traffic: *traffic,
                timestamp_ms: record.timestamp_ms,
                contents: Contents::of(record, whole),
                verdict: verdict.clone(),
                dropped: dropped.clone(),
                event_ids: event_ids.as_ref().map(|all| all.ids.len()),
            }),
            Input::Restored {
                partition,
                epoch,
                slice,
            } => Self::Restored {
                partition: partition.clone(),
                epoch: *epoch,
                slice: (slice_bytes(slice) <= room).then(|| Arc::new(slice.as_ref().clone())),
            },
            Input::Topology(_)
            | Input::Assigned { .. }
            | Input::Revoked { .. }
            | Input::Lost { .. }
            | Input::NewLife { .. }
            | Input::Vanished { .. }
            | Input::Empty { .. }
            | Input::PositionsLost(_)
            | Input::Skipped(_)
            | Input::SchemaMissing { .. }
            | Input::Replied { .. }
            | Input::DeadLettered { .. }
            | Input::LettersStuck { .. }
            | Input::Committed { .. }
            | Input::RestoreFailed { .. }
            | Input::StateWritten { .. }
            | Input::Riders(_)
            | Input::Reserve(_)
            | Input::ReleaseHold(_)
            | Input::Pause(_)
            | Input::Resume { .. }
            | Input::Suppressed(_)
            | Input::KeyReplaced
            | Input::Shutdown => Self::Other(Box::new(input.clone())),
        }
    }

    /// The input again. What is not kept of a record are bytes without a meaning, as many as there were.
    pub(super) fn input(&self) -> Cow<'_, Input> {
        match self {
            Self::Wake => Cow::Owned(Input::Wake),
            Self::Record(told) => Cow::Owned(Input::Record {
                record: told.record(),
                epoch: told.epoch,
                event_ms: told.event_ms,
                traffic: told.traffic,
                verdict: told.verdict.clone(),
                dropped: told.dropped.clone(),
                event_ids: told.event_ids.map(|ids| {
                    let ids = vec![Arc::from(""); ids];
                    Box::new(EventIds { ids, left_out: 0 })
                }),
            }),
            Self::Restored {
                partition,
                epoch,
                slice,
            } => Cow::Owned(Input::Restored {
                partition: partition.clone(),
                epoch: *epoch,
                slice: slice.as_deref().cloned().map(Box::new).unwrap_or_default(),
            }),
            Self::Other(input) => Cow::Borrowed(input),
        }
    }

    fn apart(&self) -> usize {
        match self {
            Self::Wake => 0,
            Self::Record(told) => told.apart(),
            Self::Restored { slice, .. } => slice.as_deref().map_or(0, slice_bytes),
            Self::Other(input) => size_of::<Input>() + ALLOCATION + apart(input),
        }
    }
}

/// Bytes of an input besides its own. Names of topics, klasses and routes are the configuration's.
fn apart(input: &Input) -> usize {
    match input {
        Input::Topology(counts) => list_bytes(counts, |_| 0),
        Input::Assigned { committed, .. } => {
            let metadata = committed.as_ref().map(|committed| &committed.metadata);
            match metadata {
                Some(Metadata::Text(text)) => text_bytes(text),
                Some(Metadata::None | Metadata::Unreadable) | None => 0,
            }
        }
        Input::Replied { reply, .. } => reply_bytes(reply),
        Input::DeadLettered { result, .. } | Input::StateWritten { result, .. } => {
            let trouble = result.as_ref().err();
            trouble.map_or(0, |trouble| text_bytes(&trouble.words))
        }
        Input::LettersStuck { trouble, .. } | Input::RestoreFailed { trouble, .. } => {
            text_bytes(&trouble.words)
        }
        Input::Committed { entries, .. } => list_bytes(entries, |_| 0),
        Input::Riders(found) => list_bytes(found, |(_, metadata)| match metadata {
            Metadata::Text(text) => text_bytes(text),
            Metadata::None | Metadata::Unreadable => 0,
        }),
        Input::Record {
            record, verdict, ..
        } => record.payload_bytes() + verdict_bytes(verdict),
        Input::Restored { slice, .. } => slice_bytes(slice),
        Input::Suppressed(keys) => list_bytes(keys, |key| key.value().len() + ALLOCATION),
        Input::Pause(pause) => pause.reason.as_deref().map_or(0, str::len),
        Input::Revoked { .. }
        | Input::Lost { .. }
        | Input::NewLife { .. }
        | Input::Vanished { .. }
        | Input::Empty { .. }
        | Input::PositionsLost(_)
        | Input::Skipped(_)
        | Input::SchemaMissing { .. }
        | Input::Reserve(_)
        | Input::ReleaseHold(_)
        | Input::Resume { .. }
        | Input::KeyReplaced
        | Input::Shutdown
        | Input::Wake => 0,
    }
}

// === impl Told ===

impl Told {
    fn record(&self) -> Record {
        let (key, value, headers) = match &self.contents {
            Contents::Lengths {
                key,
                value,
                headers,
            } => {
                let blank = |length: Option<usize>| length.map(|length| vec![0; length].into());
                let one = Header {
                    name: String::new(),
                    value: blank(Some(*headers)),
                };
                let headers = if *headers == 0 { Vec::new() } else { vec![one] };
                (blank(*key), blank(*value), headers)
            }
            Contents::Whole(whole) => (
                whole.key.clone(),
                whole.value.clone(),
                whole.headers.clone(),
            ),
        };
        Record {
            position: self.position.clone(),
            key,
            value,
            headers,
            timestamp_ms: self.timestamp_ms,
        }
    }

    fn apart(&self) -> usize {
        let contents = match &self.contents {
            Contents::Lengths { .. } => 0,
            Contents::Whole(whole) => {
                let bytes =
                    |bytes: Option<&Bytes>| bytes.map_or(0, |bytes| ALLOCATION + bytes.len());
                let header =
                    |header: &Header| text_bytes(&header.name) + bytes(header.value.as_ref());
                size_of::<Whole>()
                    + ALLOCATION
                    + bytes(whole.key.as_ref())
                    + bytes(whole.value.as_ref())
                    + list_bytes(&whole.headers, header)
            }
        };
        contents + verdict_bytes(&self.verdict) + list_bytes(&self.dropped, dropped_bytes)
    }
}

// === impl Contents ===

impl Contents {
    fn of(record: &Record, whole: bool) -> Self {
        if whole {
            return Self::Whole(Box::new(Whole {
                key: record.key.clone(),
                value: record.value.clone(),
                headers: record.headers.clone(),
            }));
        }
        let (key, value) = (
            record.key.as_ref().map(Bytes::len),
            record.value.as_ref().map(Bytes::len),
        );
        let contents = key.unwrap_or(0) + value.unwrap_or(0);
        Self::Lengths {
            key,
            value,
            headers: record.payload_bytes().saturating_sub(contents),
        }
    }
}

// === impl Decided ===

impl Decided {
    /// What is kept of effects. Receipts are left out: they only tell what the other steps decided.
    pub(super) fn all(effects: &[Effect]) -> Vec<Self> {
        let mut kept = Vec::with_capacity(effects.len());
        for effect in effects {
            if let Some(one) = Self::of(effect) {
                kept.push(one);
            }
        }
        kept
    }

    fn of(effect: &Effect) -> Option<Self> {
        Some(match effect {
            Effect::Receipt(_) => return None,
            Effect::Send { request, call } => Self::Send {
                request: *request,
                call: Arc::clone(call),
            },
            Effect::DeadLetter {
                letter,
                record,
                rejected,
                attempts,
            } => Self::DeadLetter {
                letter: *letter,
                position: record.position.clone(),
                reason: rejected.reason,
                attempts: *attempts,
            },
            Effect::Divert {
                letter,
                record,
                held,
                attempts,
            } => Self::Divert {
                letter: *letter,
                position: record.position.clone(),
                by: held.by,
                attempts: *attempts,
            },
            Effect::Commit(entries) => Self::Commit(entries.clone()),
            Effect::Pause(partitions) => Self::Pause(partitions.clone()),
            Effect::Resume(partitions) => Self::Resume(partitions.clone()),
            Effect::HandBack { partition, epoch } => Self::HandBack {
                partition: partition.clone(),
                epoch: *epoch,
            },
            Effect::Restore { partition, epoch } => Self::Restore {
                partition: partition.clone(),
                epoch: *epoch,
            },
            Effect::WriteState {
                write,
                partition,
                records,
            } => Self::WriteState {
                write: *write,
                partition: partition.clone(),
                records: records.len(),
                deletes: records.iter().filter(|one| one.value.is_none()).count(),
            },
            Effect::ReadRiders(partitions) => Self::ReadRiders(partitions.len()),
            Effect::Drained => Self::Drained,
            Effect::Fact(fact) => Self::Fact(fact.clone()),
        })
    }

    fn apart(&self) -> usize {
        match self {
            Self::Send { call, .. } => call_bytes(call),
            Self::Commit(entries) => list_bytes(entries, |entry| {
                entry.metadata.as_deref().map_or(0, text_bytes)
            }),
            Self::Pause(partitions) | Self::Resume(partitions) => list_bytes(partitions, |_| 0),
            Self::Fact(Fact::HoldBegan { seen, .. } | Fact::HoldGoesOn { seen, .. }) => {
                let words = seen.last.as_ref();
                words.map_or(0, |(_, trouble)| text_bytes(&trouble.words))
            }
            Self::DeadLetter { .. }
            | Self::Divert { .. }
            | Self::HandBack { .. }
            | Self::Restore { .. }
            | Self::WriteState { .. }
            | Self::ReadRiders(_)
            | Self::Drained
            | Self::Fact(_) => 0,
        }
    }
}
