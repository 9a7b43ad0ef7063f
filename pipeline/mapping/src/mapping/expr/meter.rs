//! What evaluations may use: steps, bytes, depth.
//!
//! Nothing here looks at a clock. Every part of the interpreter says what it is about to do before it does it: a step for
//! each term that is evaluated, more for work that grows with its input, and bytes for each value that is built. One
//! meter serves one record, so a mapping with many expressions has no more time than one with a single expression.
//!
//! The end of what is allowed is no error that `try`, `?` or `//` could catch.

use std::cell::Cell;

/// Steps of all evaluations for one record; they take far less than a second.
const MAX_STEPS: u64 = 1_000_000;

/// Bytes that one evaluation may build, what it drops again included.
const MAX_BUILT: usize = 20 * 1024 * 1024;

/// Bytes of all results for one record.
const MAX_KEPT: usize = 8 * 1024 * 1024;

/// How deep terms may be evaluated within one another. The stack of a thread has room for them: see the tests.
const MAX_NESTED: u32 = 250;

/// How deep a value may be that an expression builds.
pub(super) const MAX_DEPTH: u16 = 256;

/// The depth that is assumed of what the record says; the decoder allows no more.
pub(super) const DECODED_DEPTH: u16 = 128;

/// Bytes that are copied or compared in one step.
const BYTES_A_STEP: usize = 64;

/// What was used up. The text is for people and never shows the data.
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
    /// A new evaluation begins: what the last one built is gone.
    pub(super) fn begin(&self) {
        self.built.set(0);
        self.nested.set(0);
    }

    /// Takes steps.
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

    /// Takes the steps for work on so many bytes.
    pub(super) fn work(&self, bytes: usize) -> Result<(), Limit> {
        self.steps(bytes / BYTES_A_STEP)
    }

    /// Says that so many bytes are about to be built.
    pub(super) fn build(&self, bytes: usize) -> Result<(), Limit> {
        let built = self.built.get().saturating_add(bytes);
        self.built.set(built);
        if built > MAX_BUILT {
            return Err(Limit("the expression builds too much"));
        }
        self.work(bytes)
    }

    /// Says that so many bytes become part of a result.
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
    #[cfg(test)]
    pub(super) fn used(&self) -> u64 {
        self.steps.get()
    }
}

impl Drop for Level<'_> {
    fn drop(&mut self) {
        self.0.nested.set(self.0.nested.get().saturating_sub(1));
    }
}
