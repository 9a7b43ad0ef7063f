//! A digest of everything that went into the machines of a world and came out of them.
//!
//! Two runs of one schedule have the same digest, or the machine is no function of its inputs. A change that is not meant
//! to change a decision leaves the digests of all schedules as they were.

use std::fmt::{self, Write as _};
use std::hash::{DefaultHasher, Hasher as _};
use std::time::{Duration, Instant};

use ingest_delivery::machine::{Effect, Input};

#[derive(Debug)]
pub(crate) struct Digest {
    origin: Instant,
    hasher: DefaultHasher,
    /// One step as text, so that its buffer is used again.
    text: String,
    /// Every step is printed.
    told: bool,
}

impl Digest {
    pub(super) fn new(origin: Instant) -> Self {
        Self {
            origin,
            hasher: DefaultHasher::new(),
            text: String::new(),
            told: false,
        }
    }

    /// Prints every step from now on.
    pub(crate) fn tell(&mut self) {
        self.told = true;
    }

    pub(super) fn input(&mut self, replica: usize, now: Instant, input: &Input) {
        let at = now - self.origin;
        self.note(|text| write!(text, "{replica} {at:?} {input:?}"));
    }

    /// What is done stays in its order. What is told of one step is not ordered: nobody acts upon it.
    pub(super) fn effects(&mut self, effects: &[Effect]) {
        let (facts, done): (Vec<_>, Vec<_>) = effects
            .iter()
            .partition(|effect| matches!(effect, Effect::Fact(_)));
        let mut facts: Vec<String> = facts.iter().map(|fact| format!("{fact:?}")).collect();
        facts.sort_unstable();
        for effect in done {
            self.note(|text| write!(text, "  {effect:?}"));
        }
        for fact in facts {
            self.note(|text| write!(text, "  {fact}"));
        }
    }

    pub(crate) fn value(&self) -> u64 {
        self.hasher.finish()
    }

    #[expect(clippy::print_stderr, reason = "a test that tells on demand")]
    fn note(&mut self, write: impl FnOnce(&mut String) -> fmt::Result) {
        self.text.clear();
        write(&mut self.text).expect("a string takes everything");
        let text = relative(&self.text, self.origin);
        self.hasher.write(text.as_bytes());
        self.hasher.write_u8(b'\n');
        if self.told {
            eprintln!("{text}");
        }
    }
}

/// The text with every instant as the time since `origin`: the machine's clock starts anywhere.
fn relative(text: &str, origin: Instant) -> String {
    const BEGIN: &str = "Instant { tv_sec: ";
    let began = format!("{origin:?}");
    let zero = began
        .split_once(BEGIN)
        .and_then(|(_, rest)| parts(rest))
        .map_or(Duration::ZERO, |(at, _)| at);
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, found)) = rest.split_once(BEGIN) {
        result.push_str(before);
        let (at, after) = parts(found).expect("an instant as the standard library prints it");
        write!(result, "{:?}", at.saturating_sub(zero)).expect("a string takes everything");
        rest = after;
    }
    result.push_str(rest);
    result
}

/// Seconds and nanoseconds in `5, tv_nsec: 7 }`, and what follows.
fn parts(text: &str) -> Option<(Duration, &str)> {
    let (seconds, rest) = text.split_once(", tv_nsec: ")?;
    let (nanos, rest) = rest.split_once(" }")?;
    let at = Duration::new(seconds.parse().ok()?, nanos.parse().ok()?);
    Some((at, rest))
}
