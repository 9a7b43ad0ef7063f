//! Limits on evaluations: steps, bytes and depth.
//!
//! No clock is read. Each part of the interpreter counts what it is about to do before it does it: a step for each term
//! that is evaluated, more for work that grows with its input, and bytes for each value that is built. There is one meter
//! for an event, so a mapping with many expressions has no more steps than one with a single expression. What all events of one record may
//! take together is bounded where they are judged.
//!
//! `try`, `?` and `//` cannot catch a limit that is reached.

use std::cell::Cell;

/// The most steps of all evaluations for one record. They take far less than a second.
const MAX_STEPS: u64 = 1_000_000;

/// The most bytes that one evaluation may build, including what it drops again.
const MAX_BUILT: usize = 20 * 1024 * 1024;

/// The most bytes of all results for one record.
const MAX_KEPT: usize = 8 * 1024 * 1024;

/// How deep evaluations of terms may nest. The tests show that the stack of a thread has room for them.
const MAX_NESTED: u32 = 250;

/// How deep a value that an expression builds may nest.
pub(super) const MAX_DEPTH: u16 = 256;

/// The depth that is assumed for values of the record. The decoder allows no more.
pub(super) const DECODED_DEPTH: u16 = 128;

/// Bytes that are copied or compared in one step.
const BYTES_A_STEP: usize = 64;

/// The limit that was reached, in words. They never show the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limit(pub(super) &'static str);

/// What the evaluations for one record have used.
#[derive(Debug, Default)]
pub(super) struct Meter {
    steps: Cell<u64>,
    built: Cell<usize>,
    kept: Cell<usize>,
    nested: Cell<u32>,
}

/// One level of nesting, until it is dropped.
pub(super) struct Level<'m>(&'m Meter);

impl Meter {
    /// Begins a new evaluation. What the last one built no longer counts.
    pub(super) fn begin(&self) {
        self.built.set(0);
        self.nested.set(0);
    }

    /// Counts steps.
    pub(super) fn steps(&self, steps: usize) -> Result<(), Limit> {
        let used = self
            .steps
            .get()
            .saturating_add(u64::try_from(steps).unwrap_or(u64::MAX));
        self.steps.set(used);
        if used > MAX_STEPS {
            return Err(Limit("the expression takes too many steps"));
        }
        Ok(())
    }

    /// Counts the steps for work on this many bytes.
    pub(super) fn work(&self, bytes: usize) -> Result<(), Limit> {
        self.steps(bytes / BYTES_A_STEP)
    }

    /// Counts bytes that are about to be built.
    pub(super) fn build(&self, bytes: usize) -> Result<(), Limit> {
        let built = self.built.get().saturating_add(bytes);
        self.built.set(built);
        if built > MAX_BUILT {
            return Err(Limit("the expression builds too much"));
        }
        self.work(bytes)
    }

    /// Counts bytes that become part of a result.
    pub(super) fn keep(&self, bytes: usize) -> Result<(), Limit> {
        let kept = self.kept.get().saturating_add(bytes);
        self.kept.set(kept);
        if kept > MAX_KEPT {
            return Err(Limit("the results for the record are too large"));
        }
        self.work(bytes)
    }

    /// Goes one level deeper.
    pub(super) fn descend(&self) -> Result<Level<'_>, Limit> {
        let nested = self.nested.get() + 1;
        if nested > MAX_NESTED {
            return Err(Limit("the expression nests too deeply"));
        }
        self.nested.set(nested);
        Ok(Level(self))
    }

    /// Steps used so far.
    pub(super) fn used(&self) -> u64 {
        self.steps.get()
    }
}

impl Drop for Level<'_> {
    fn drop(&mut self) {
        self.0.nested.set(self.0.nested.get().saturating_sub(1));
    }
}
