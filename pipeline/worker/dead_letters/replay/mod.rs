//! Sends the original records back to the topics that they came from. `docs/adr/0013-replay.md` gives the reasons.
//!
//! There is one pass: read, filter, sort ([`window`]), send one by one at the chosen rate, remember ([`memory`]). It
//! reads up to where the topic ended when it began, so a record that fails again at once is not sent again.

mod memory;
mod record;
mod sender;
mod sent;
mod window;

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::io::Write;

use anyhow::anyhow;
use ingest_model::record::{Offset, Partition, Topic};

use self::memory::Memory;
use self::record::{members, outgoing, target};
use self::sender::{Sender, Sending};
use self::window::Window;
use super::error::DeadLettersError;
use super::filter::Filter;
use super::letter::{Letter, LetterPlace, Source};
use super::progress::{Progress, say};
use super::text::plain;
use super::topic::{LetterTopic, Letters, Step};
use crate::observe::words::plural;

/// How many of the sent records this run remembers, to leave out a second letter of the same record.
const RECENT: usize = 100_000;

/// What is sent back, and how.
#[derive(Debug, Clone)]
pub struct ReplayOptions {
    /// Which letters.
    pub filter: Filter,
    /// Only these letters; empty means all.
    pub letters: Vec<LetterPlace>,
    /// Where reading begins in partitions that are not read from their first letter.
    pub from: Vec<LetterPlace>,
    /// Send at most this many.
    pub limit: Option<u64>,
    /// Print what would be sent, and send nothing.
    pub dry_run: bool,
    /// Most records a second.
    pub rate: u32,
    /// Leave out records that have been replayed this often already.
    pub max_replays: u64,
    /// Send letters that were sent back before, too.
    pub again: bool,
}

/// How far a run got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replayed {
    /// Every selected letter was looked at, and sent if possible.
    All,
    /// It was stopped, or something was too large for its topic.
    Part,
}

/// Why a selected letter is not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum LeftOut {
    /// It was sent back before.
    SentBefore,
    /// Another letter of the same record was sent in this run.
    SameRecord,
    /// It was replayed too often already.
    TooOften,
    /// The worker did not write it: nothing says where it came from.
    NoOrigin,
    /// From a topic that this configuration does not read.
    OtherTopic,
    /// Larger than its topic accepts.
    TooLarge,
}

/// One run.
struct Replay<'a> {
    options: &'a ReplayOptions,
    topic: &'a LetterTopic,
    /// Only these letters; empty means all.
    wanted: BTreeSet<LetterPlace>,
    memory: Memory,
    sender: Sender<'a>,
    window: Window,
    recent: Recent,
    /// Where reading continues, by partition.
    next: BTreeMap<Partition, Offset>,
    seen: BTreeSet<LetterPlace>,
    sent: u64,
    left_out: BTreeMap<LeftOut, u64>,
    out: &'a mut dyn Write,
}

/// The origins of the records sent last, each with the events of a batch that its letter names.
#[derive(Debug, Default)]
struct Recent {
    known: HashSet<Origin>,
    order: VecDeque<Origin>,
}

/// Two letters of one record may stand for different events of it.
type Origin = (Source, Option<Vec<u8>>);

/// Sends letters back.
///
/// # Errors
///
/// When the topic cannot be read, a record cannot be sent, or the output cannot be written.
pub fn replay(
    topic: &LetterTopic,
    options: &ReplayOptions,
    out: &mut dyn Write,
) -> Result<Replayed, DeadLettersError> {
    let spans = if options.letters.is_empty() {
        topic.spans_from(&options.from)?
    } else {
        topic.spans_of(&options.letters)?
    };
    let memory = Memory::open(topic, options.again, options.dry_run)?;
    let mut replay = Replay {
        options,
        topic,
        wanted: options.letters.iter().copied().collect(),
        memory,
        sender: Sender::new(topic, options.rate)?,
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
    // Whatever happened, what was sent is remembered and reported.
    let remembered = replay.memory.write();
    let all_sent = *ended.as_ref().unwrap_or(&false);
    replay.report(all_sent)?;
    ended?;
    remembered?;
    replay.check_wanted()?;
    Ok(
        if all_sent && !replay.left_out.contains_key(&LeftOut::TooLarge) {
            Replayed::All
        } else {
            Replayed::Part
        },
    )
}

// === impl Replay ===

impl Replay<'_> {
    /// Reads and sends until the end, the limit or a signal. Returns whether every selected letter was looked at.
    fn work(&mut self, letters: &mut Letters<'_>, size: i64) -> Result<bool, DeadLettersError> {
        let mut progress = Progress::new();
        let mut read: i64 = 0;
        let mut at_end = false;
        loop {
            if self.sender.is_stopped() {
                return Ok(false);
            }
            if self.options.limit.is_some_and(|limit| self.sent >= limit) {
                return Ok(true);
            }
            if at_end || self.window.is_full() {
                let Some(letter) = self.window.pop() else {
                    return Ok(true);
                };
                let place = letter.place;
                if !self.send(&letter)? {
                    // It was not sent, so continue from here.
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
                            .insert(letter.place.partition, letter.place.offset.next());
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

    /// Puts a selected letter into the window.
    fn take(&mut self, letter: Letter) {
        let is_wanted = self.wanted.is_empty() || self.wanted.contains(&letter.place);
        if !is_wanted {
            return;
        }
        self.seen.extend(self.wanted.get(&letter.place));
        if !self.options.filter.takes(&letter) {
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
        } else if letter.replays >= self.options.max_replays {
            self.leave_out(LeftOut::TooOften);
        } else if self.memory.knows(letter.place) && !self.options.again {
            self.leave_out(LeftOut::SentBefore);
        } else {
            self.window.push(letter, &source);
        }
    }

    fn leave_out(&mut self, why: LeftOut) {
        *self.left_out.entry(why).or_default() += 1;
    }

    /// Sends a letter's record, or prints that it would; `false` if a signal came first.
    fn send(&mut self, letter: &Letter) -> Result<bool, DeadLettersError> {
        let Some(source) = &letter.source else {
            return Ok(true);
        };
        let origin = (source.clone(), members(letter).map(<[u8]>::to_vec));
        if self.recent.contains(&origin) {
            self.leave_out(LeftOut::SameRecord);
            self.memory.remember(letter)?;
            return Ok(true);
        }
        let partitions = self.sender.partitions_of(&source.partition.topic)?;
        let record = outgoing(letter, source, partitions);
        if self.options.dry_run {
            let reason = letter.reason.as_deref().unwrap_or("unknown");
            writeln!(
                self.out,
                "{} -> {} ({}, replays {})",
                letter.place,
                target(&record),
                plain(reason),
                letter.replays
            )?;
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
        self.recent.insert(origin);
        self.memory.remember(letter)?;
        Ok(true)
    }

    /// Reports what was done, what was not, and where to continue.
    fn report(&mut self, all_sent: bool) -> Result<(), DeadLettersError> {
        let records = plural(self.sent, "record");
        let verb = if self.options.dry_run {
            "would be sent"
        } else {
            "sent back"
        };
        writeln!(self.out, "{records} {verb}")?;
        for (why, letters) in &self.left_out {
            let letters = plural(letters, "letter");
            writeln!(
                self.out,
                "  {letters} left out: {}",
                why.explain(self.options)
            )?;
        }
        if self.memory.forgot() {
            writeln!(
                self.out,
                "  the oldest letters sent back are no longer remembered: use --since for the next replay"
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
            writeln!(
                self.out,
                "stopped before the end: run the same command again to continue, faster with {}",
                from.join(" ")
            )?;
        }
        Ok(self.out.flush()?)
    }

    /// Checks that every letter given by its place was found.
    fn check_wanted(&self) -> Result<(), DeadLettersError> {
        let missing = self.wanted.iter().find(|place| !self.seen.contains(place));
        match missing {
            Some(place) if self.options.limit.is_none() => Err(anyhow!(
                "there is no letter {place} any more: {} was compacted, or a transaction ended there",
                self.topic.topic
            )
            .into()),
            Some(_) | None => Ok(()),
        }
    }
}

// === impl Recent ===

impl Recent {
    fn contains(&self, origin: &Origin) -> bool {
        self.known.contains(origin)
    }

    fn insert(&mut self, origin: Origin) {
        if self.known.insert(origin.clone()) {
            self.order.push_back(origin);
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
    fn explain(self, options: &ReplayOptions) -> String {
        match self {
            Self::SentBefore => "sent back before; --again sends them anyway".to_owned(),
            Self::SameRecord => "a second letter of a record that was sent just now".to_owned(),
            Self::TooOften => format!(
                "came back {} times or more; raise --max-replays when the cause is fixed",
                options.max_replays
            ),
            Self::NoOrigin => {
                "not written by the worker: they do not say where they came from".to_owned()
            }
            Self::OtherTopic => {
                "from topics that this configuration does not read; use the one that does"
                    .to_owned()
            }
            Self::TooLarge => {
                "larger than their topic accepts; raise its max.message.bytes".to_owned()
            }
        }
    }
}
