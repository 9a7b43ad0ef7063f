//! `dead-letters replay`: the original records back to the topics that they came from. `docs/adr/0013-replay.md` has the
//! reasons.
//!
//! One pass: read, filter, bring into order ([`window`]), send one by one at the asked pace, remember ([`memory`]). It reads
//! to where the topic ended when it began, so what fails again at once is not sent again.

mod memory;
mod record;
mod sent;
mod window;

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use ingest_core::record::{Offset, Partition, Topic};
use ingest_kafka::reader::topics::fetch_partition_counts_of;
use ingest_kafka::{OutgoingRecord, ReadError, RecordProducer, SendError, SendErrorKind};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use self::memory::Memory;
use self::record::{outgoing, target};
use self::window::Window;
use super::args::{LetterPlace, ReplayArgs};
use super::letter::{Filter, Letter, Source};
use super::{LetterTopic, PATIENCE, Progress, Step, after, plain, say};
use crate::cli::output::Output;
use crate::cli::{CommandError, CommandExit};
use crate::clock::Clock;
use crate::lifecycle::Signals;
use crate::words::plural;

/// Records that this run sent and still knows, to leave out a second letter of the same record.
const RECENT: usize = 100_000;

/// Why a letter that was asked for is not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum LeftOut {
    /// It was sent back before.
    SentBefore,
    /// Another letter of the same record was sent just now.
    SameRecord,
    /// It came back too often already.
    TooOften,
    /// No letter of the worker: nothing says where it came from.
    NoOrigin,
    /// From a topic that this configuration does not read.
    OtherTopic,
    /// Larger than its topic takes.
    TooLarge,
}

/// How the sending of one record ended.
enum Sending {
    Sent,
    TooLarge,
    Stopped,
}

/// One run.
struct Replay<'a, 'o> {
    args: &'a ReplayArgs,
    topic: &'a LetterTopic,
    filter: Filter,
    /// Only these; empty means all.
    wanted: BTreeSet<LetterPlace>,
    memory: Memory,
    sender: Sender<'a>,
    window: Window,
    recent: Recent,
    /// Where reading goes on, by partition.
    next: BTreeMap<Partition, Offset>,
    seen: BTreeSet<LetterPlace>,
    sent: u64,
    left_out: BTreeMap<LeftOut, u64>,
    out: &'a mut Output<'o>,
}

/// Sends records at a pace.
struct Sender<'a> {
    topic: &'a LetterTopic,
    runtime: Runtime,
    producer: RecordProducer,
    stop: CancellationToken,
    gap: Duration,
    next_send: Instant,
    partitions: BTreeMap<Topic, usize>,
}

/// The origins of the last records that were sent.
#[derive(Debug, Default)]
struct Recent {
    known: HashSet<Source>,
    order: VecDeque<Source>,
}

/// Sends letters back.
pub(super) fn run(args: &ReplayArgs, out: &mut Output<'_>) -> Result<CommandExit, CommandError> {
    let is_asked = args.all || !args.letters.is_empty() || !args.filter.is_empty();
    if !is_asked {
        return Err(CommandError::Usage(
            "say which letters: --reason, --topic, --route, --since, --until, PARTITION:OFFSET, or --all"
                .to_owned(),
        ));
    }
    let filter = Filter::new(&args.filter, Clock.unix_ms())?;
    let topic = LetterTopic::open(&args.place)?;
    let spans = if args.letters.is_empty() {
        topic.spans_from(&args.from)?
    } else {
        topic.spans_of(&args.letters)?
    };
    let memory = Memory::open(&topic, args.again, args.dry_run)?;
    let mut replay = Replay {
        args,
        topic: &topic,
        filter,
        wanted: args.letters.iter().copied().collect(),
        memory,
        sender: Sender::new(&topic, args.rate)?,
        window: Window::default(),
        recent: Recent::default(),
        next: spans
            .iter()
            .map(|(number, span)| (*number, span.low))
            .collect(),
        seen: BTreeSet::new(),
        sent: 0,
        left_out: BTreeMap::new(),
        out,
    };
    let mut letters = topic.read(&spans)?;
    let ended = replay.work(&mut letters, LetterTopic::size(&spans));
    // Whatever happened, what was sent is remembered and said.
    let remembered = replay.memory.write();
    let all_sent = *ended.as_ref().unwrap_or(&false);
    replay.report(all_sent)?;
    ended?;
    remembered?;
    replay.check_wanted()?;
    Ok(
        if all_sent && !replay.left_out.contains_key(&LeftOut::TooLarge) {
            CommandExit::Good
        } else {
            CommandExit::Failed
        },
    )
}

// === impl Replay ===

impl Replay<'_, '_> {
    /// Reads and sends until the end, the limit or a signal; whether everything that was asked for was looked at.
    fn work(&mut self, letters: &mut super::Letters<'_>, size: i64) -> Result<bool, CommandError> {
        let mut progress = Progress::new();
        let mut read: i64 = 0;
        let mut at_end = false;
        loop {
            if self.sender.stop.is_cancelled() {
                return Ok(false);
            }
            if self.args.limit.is_some_and(|limit| self.sent >= limit) {
                return Ok(true);
            }
            if at_end || self.window.is_full() {
                let Some(letter) = self.window.pop() else {
                    return Ok(true);
                };
                let place = letter.place;
                if !self.send(&letter)? {
                    // Not sent: where to go on is here.
                    let next = self.next.entry(place.partition).or_insert(place.offset);
                    *next = place.offset.min(*next);
                    return Ok(false);
                }
                letters.awake();
            } else {
                match letters.next()? {
                    Step::Letter(letter) => {
                        read += 1;
                        self.next
                            .insert(letter.place.partition, after(letter.place));
                        self.take(*letter);
                    }
                    Step::Nothing => {}
                    Step::End => at_end = true,
                }
            }
            let sent = self.sent;
            progress.tell(|| {
                let (letters, records) = (plural(size, "letter"), plural(sent, "record"));
                format!("read {read} of about {letters}, sent {records}")
            })?;
        }
    }

    /// Puts a letter that is asked for into the window.
    fn take(&mut self, letter: Letter) {
        let is_wanted = self.wanted.is_empty() || self.wanted.contains(&letter.place);
        if !is_wanted {
            return;
        }
        self.seen.extend(self.wanted.get(&letter.place));
        if !self.filter.takes(&letter) {
            return;
        }
        let Some(source) = letter.source.clone() else {
            return self.leave_out(LeftOut::NoOrigin);
        };
        let is_read = |topic: &Topic| {
            let topics = &self.topic.settings.kafka.topics;
            topics.iter().any(|known| known.topic == *topic)
        };
        if !is_read(&source.partition.topic) {
            self.leave_out(LeftOut::OtherTopic);
        } else if letter.replays >= self.args.max_replays {
            self.leave_out(LeftOut::TooOften);
        } else if self.memory.knows(letter.place) && !self.args.again {
            self.leave_out(LeftOut::SentBefore);
        } else {
            self.window.push(letter, &source);
        }
    }

    fn leave_out(&mut self, why: LeftOut) {
        *self.left_out.entry(why).or_default() += 1;
    }

    /// Sends a letter's record, or says that it would; `false` when a signal came first.
    fn send(&mut self, letter: &Letter) -> Result<bool, CommandError> {
        let Some(source) = &letter.source else {
            return Ok(true);
        };
        if self.recent.contains(source) {
            self.leave_out(LeftOut::SameRecord);
            self.memory.remember(letter)?;
            return Ok(true);
        }
        let partitions = self.sender.partitions_of(&source.partition.topic)?;
        let record = outgoing(letter, source, partitions);
        if self.args.dry_run {
            let reason = letter.reason.as_deref().unwrap_or("unknown");
            self.out.line(&format!(
                "{} -> {} ({}, replays {})",
                letter.place,
                target(&record),
                plain(reason),
                letter.replays
            ))?;
        } else {
            match self.sender.send(record)? {
                Sending::Stopped => return Ok(false),
                Sending::TooLarge => {
                    say(&format!(
                        "letter {}: larger than {source} may be",
                        letter.place
                    ))?;
                    self.leave_out(LeftOut::TooLarge);
                    return Ok(true);
                }
                Sending::Sent => {}
            }
        }
        self.sent += 1;
        self.recent.insert(source.clone());
        self.memory.remember(letter)?;
        Ok(true)
    }

    /// What was done, what was not, and where to go on.
    fn report(&mut self, all_sent: bool) -> Result<(), CommandError> {
        let records = plural(self.sent, "record");
        let verb = if self.args.dry_run {
            "would be sent"
        } else {
            "sent back"
        };
        self.out.line(&format!("{records} {verb}"))?;
        for (why, letters) in &self.left_out {
            let letters = plural(letters, "letter");
            self.out
                .line(&format!("  {letters} left out: {}", why.explain(self.args)))?;
        }
        if self.memory.forgot() {
            self.out.line(
                "  the oldest of what was sent back is no longer remembered: give --since when you replay again",
            )?;
        }
        if !all_sent {
            for (partition, offset) in self.window.lowest() {
                let next = self.next.entry(partition).or_insert(offset);
                *next = offset.min(*next);
            }
            let from: Vec<String> = self
                .next
                .iter()
                .map(|(partition, offset)| format!("--from {}:{}", partition.0, offset.0))
                .collect();
            self.out.line(&format!(
                "stopped before the end: the same command goes on, the faster with {}",
                from.join(" ")
            ))?;
        }
        self.out.flush()
    }

    /// Every letter that was named was there.
    fn check_wanted(&self) -> Result<(), CommandError> {
        let missing = self.wanted.iter().find(|place| !self.seen.contains(place));
        match missing {
            Some(place) if self.args.limit.is_none() => Err(anyhow!(
                "there is no letter {place} any more: {} was compacted, or a transaction ended there",
                self.topic.topic
            )
            .into()),
            Some(_) | None => Ok(()),
        }
    }
}

// === impl Sender ===

impl<'a> Sender<'a> {
    fn new(topic: &'a LetterTopic, rate: u32) -> Result<Self, CommandError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .context("cannot start the runtime")?;
        let stop = CancellationToken::new();
        let cancelled = stop.clone();
        let mut signals = {
            let _inside = runtime.enter();
            Signals::install().context("cannot listen to signals")?
        };
        // Ends with the runtime; there is nothing in it that could fail.
        drop(runtime.spawn(async move {
            signals.next().await;
            cancelled.cancel();
        }));
        let producer = RecordProducer::new(&topic.kafka).map_err(anyhow::Error::new)?;
        Ok(Self {
            topic,
            runtime,
            producer,
            stop,
            gap: Duration::from_secs(1) / rate.max(1),
            next_send: Clock.now(),
            partitions: BTreeMap::new(),
        })
    }

    /// How many partitions a source topic has; asked once.
    fn partitions_of(&mut self, topic: &Topic) -> Result<usize, CommandError> {
        if let Some(count) = self.partitions.get(topic) {
            return Ok(*count);
        }
        let counts =
            fetch_partition_counts_of(&self.topic.kafka, std::slice::from_ref(topic), PATIENCE)
                .map_err(|error| cannot_send_to(topic, &error))?;
        let count = counts.get(topic).copied().unwrap_or_default();
        self.partitions.insert(topic.clone(), count);
        Ok(count)
    }

    /// Sends a record when its time has come. What has begun is finished; a signal ends the waiting only.
    fn send(&mut self, mut record: OutgoingRecord) -> Result<Sending, CommandError> {
        let now = Clock.now();
        let at = self.next_send.max(now);
        let stop = self.stop.clone();
        let stopped = self.runtime.block_on(async move {
            tokio::select! { biased;
                () = stop.cancelled() => true,
                () = tokio::time::sleep_until(at.into()) => false,
            }
        });
        if stopped {
            return Ok(Sending::Stopped);
        }
        self.next_send = at + self.gap;
        let mut sent = self.runtime.block_on(self.producer.send(&record));
        // A topic may refuse old times; the original one stands in the headers.
        if matches!(&sent, Err(error) if error.kind == SendErrorKind::Timestamp)
            && record.timestamp_ms.take().is_some()
        {
            sent = self.runtime.block_on(self.producer.send(&record));
        }
        match sent {
            Ok(_position) => Ok(Sending::Sent),
            Err(error) if error.kind == SendErrorKind::TooLarge => Ok(Sending::TooLarge),
            Err(error) => Err(not_sent(&record.topic, &error)),
        }
    }
}

fn cannot_send_to(topic: &Topic, error: &ReadError) -> CommandError {
    let way_out = match error {
        ReadError::UnknownTopic { .. } => "make it again, or leave its letters out with --topic",
        ReadError::NotAuthorized { .. } => "allow Describe and Write on it for these credentials",
        ReadError::Unreachable { .. } | ReadError::Start(_) => "try again when the brokers answer",
    };
    CommandError::Failed(anyhow!(
        "nothing can be sent back to {topic}: {error}; {way_out}"
    ))
}

fn not_sent(topic: &Topic, error: &SendError) -> CommandError {
    let way_out = match error.kind {
        SendErrorKind::Timeout => {
            "the last record may have arrived all the same; the same command goes on, and may send it twice"
        }
        SendErrorKind::QueueFull | SendErrorKind::Other => "the same command goes on",
        SendErrorKind::TooLarge => "raise the topic's max.message.bytes",
        SendErrorKind::Timestamp => "the topic refuses the time of writing; is the clock right?",
        SendErrorKind::UnknownTopic => "make it again, or leave its letters out with --topic",
        SendErrorKind::NotAuthorized => "allow Write on it for these credentials",
    };
    CommandError::Failed(anyhow!("{topic} did not take a record: {error}; {way_out}"))
}

// === impl Recent ===

impl Recent {
    fn contains(&self, source: &Source) -> bool {
        self.known.contains(source)
    }

    fn insert(&mut self, source: Source) {
        if self.known.insert(source.clone()) {
            self.order.push_back(source);
        }
        if self.order.len() > RECENT
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

// === impl LeftOut ===

impl LeftOut {
    fn explain(self, args: &ReplayArgs) -> String {
        match self {
            Self::SentBefore => "sent back before; --again sends them all the same".to_owned(),
            Self::SameRecord => "a second letter of a record that was sent just now".to_owned(),
            Self::TooOften => format!(
                "came back {} times or more; raise --max-replays when the cause is mended",
                args.max_replays
            ),
            Self::NoOrigin => {
                "no letters of the worker: they do not say where they came from".to_owned()
            }
            Self::OtherTopic => {
                "from topics that this configuration does not read; use the one that does"
                    .to_owned()
            }
            Self::TooLarge => {
                "larger than their topic takes; raise its max.message.bytes".to_owned()
            }
        }
    }
}
