//! The last steps as lines, in one ring of bytes: bounded in lines and in bytes.

use std::collections::VecDeque;

/// Lines, oldest first.
#[derive(Debug)]
pub(super) struct Ring {
    bytes: VecDeque<u8>,
    lines: VecDeque<Line>,
    most_lines: usize,
    most_bytes: usize,
}

#[derive(Debug, Clone, Copy)]
struct Line {
    length: usize,
    /// What it says has to be known of the steps after it, too.
    lasting: bool,
}

impl Ring {
    /// An empty ring of so many lines and bytes at most.
    pub(super) fn new(most_lines: usize, most_bytes: usize) -> Self {
        Self {
            bytes: VecDeque::new(),
            lines: VecDeque::new(),
            most_lines,
            most_bytes,
        }
    }

    /// Whether a line has room if all others leave.
    pub(super) fn takes(&self, line: &str) -> bool {
        line.len() <= self.most_bytes && self.most_lines > 0
    }

    /// Adds a line; the oldest leave as far as they have to. Those that last are handed over.
    pub(super) fn push(&mut self, line: &str, lasting: bool, mut left: impl FnMut(&[u8])) {
        while !self.lines.is_empty()
            && (self.lines.len() >= self.most_lines
                || self.bytes.len() + line.len() > self.most_bytes)
        {
            self.pop(&mut left);
        }
        let needed = self.bytes.len() + line.len();
        if needed > self.bytes.capacity() {
            let capacity = (self.bytes.capacity() * 2)
                .max(needed)
                .min(self.most_bytes.max(needed));
            self.bytes.reserve_exact(capacity - self.bytes.len());
        }
        self.bytes.extend(line.as_bytes());
        self.lines.push_back(Line {
            length: line.len(),
            lasting,
        });
    }

    /// All lines leave.
    pub(super) fn clear(&mut self, mut left: impl FnMut(&[u8])) {
        while !self.lines.is_empty() {
            self.pop(&mut left);
        }
    }

    fn pop(&mut self, left: &mut impl FnMut(&[u8])) {
        let Some(Line { length, lasting }) = self.lines.pop_front() else {
            return;
        };
        let length = length.min(self.bytes.len());
        if lasting {
            let line: Vec<u8> = self.bytes.drain(..length).collect();
            left(&line);
        } else {
            self.bytes.drain(..length);
        }
    }

    /// How many lines there are.
    pub(super) fn lines(&self) -> usize {
        self.lines.len()
    }

    /// All lines, one after the other.
    pub(super) fn as_slices(&self) -> (&[u8], &[u8]) {
        self.bytes.as_slices()
    }

    /// Bytes that it occupies.
    #[cfg(test)]
    pub(super) fn occupied(&self) -> usize {
        self.bytes.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(ring: &Ring) -> String {
        let (head, tail) = ring.as_slices();
        String::from_utf8([head, tail].concat()).unwrap()
    }

    #[test]
    fn the_oldest_leave_and_what_lasts_is_handed_over() {
        let mut ring = Ring::new(3, 1_000);
        let mut left = Vec::new();
        for n in 0..6 {
            ring.push(&format!("{n}\n"), n % 2 == 1, |line| {
                left.push(line.to_vec());
            });
        }
        assert_eq!(text(&ring), "3\n4\n5\n");
        assert_eq!(left, [b"1\n"]);
    }

    #[test]
    fn bytes_are_bounded_whatever_the_lines_are_like() {
        let mut ring = Ring::new(1_000_000, 4_096);
        for n in 0..20_000_usize {
            ring.push(&"x".repeat(n % 700 + 1), false, |_| {});
            assert!(ring.occupied() <= 4_096 + 700, "{}", ring.occupied());
        }
        assert!(ring.lines() > 2);
        assert!(!ring.takes(&"x".repeat(4_097)));
    }
}
