//! Which kind of window the server keeps.

use std::time::Instant;

/// How the limit comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// All at once, a minute after the window began.
    Fixed,
    /// Each request a minute after it was counted.
    Sliding,
    /// Evenly, a minute's limit in a minute.
    Leaky,
}

/// When each kind was last contradicted. The one whose last contradiction lies furthest back is believed; without any, the
/// documented one.
#[derive(Debug, Default)]
pub(super) struct Kinds {
    fixed: Option<Instant>,
    sliding: Option<Instant>,
    leaky: Option<Instant>,
}

impl Kinds {
    /// What was seen cannot be under this kind.
    pub(super) fn contradict(&mut self, kind: Kind, at: Instant) {
        let known = match kind {
            Kind::Fixed => &mut self.fixed,
            Kind::Sliding => &mut self.sliding,
            Kind::Leaky => &mut self.leaky,
        };
        *known = (*known).max(Some(at));
    }

    pub(super) fn present(&self) -> Kind {
        if self.fixed <= self.sliding && self.fixed <= self.leaky {
            Kind::Fixed
        } else if self.sliding <= self.leaky {
            Kind::Sliding
        } else {
            Kind::Leaky
        }
    }
}
