//! The W3C trace context: which trace something belongs to, and which span led to it.
//!
//! What does not have the form that the standard asks for is nothing at all: a trace begins anew then. The state of the
//! trace is carried as it came, or not at all.

use std::fmt;
use std::num::{NonZeroU64, NonZeroU128};
use std::sync::Arc;

use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};

/// The longest state that is carried: what the standard asks everybody to carry.
const MAX_STATE: usize = 512;
/// The most members of a state.
const MAX_MEMBERS: usize = 32;

/// Identifies a trace.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId(NonZeroU128);

/// Identifies a span within its trace.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpanId(NonZeroU64);

/// A span of some trace, here or elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// The trace.
    pub trace: TraceId,
    /// The span.
    pub span: SpanId,
    /// Whoever made it keeps it.
    pub sampled: bool,
    /// What tracing systems have added, as it came; empty if nothing.
    pub state: Arc<str>,
}

/// Gives ids that nobody has had.
#[derive(Debug)]
pub struct Ids(SmallRng);

// === impl TraceId, SpanId ===

impl TraceId {
    pub(crate) fn bytes(self) -> [u8; 16] {
        self.0.get().to_be_bytes()
    }

    /// A part of it that is as random as it is itself.
    pub(crate) fn random(self) -> u64 {
        let [.., a, b, c, d, e, f, g, h] = self.bytes();
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }
}

impl SpanId {
    pub(crate) fn bytes(self) -> [u8; 8] {
        self.0.get().to_be_bytes()
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

// === impl Context ===

impl Context {
    /// The context in the values of `traceparent` and `tracestate`; `None` if there is none. A state that cannot be one is left
    /// out.
    #[must_use]
    pub fn read(parent: &[u8], state: Option<&[u8]>) -> Option<Self> {
        let text = std::str::from_utf8(parent).ok()?;
        let mut parts = text.trim_ascii().split('-');
        let version = hex(parts.next()?, 2)?;
        let trace = hex(parts.next()?, 32)?;
        let span = hex(parts.next()?, 16)?;
        let flags = hex(parts.next()?, 2)?;
        // A later version may have more parts; the first has no others, and the last number is no version.
        if version == 0xff || (version == 0 && parts.next().is_some()) {
            return None;
        }
        Some(Self {
            trace: TraceId(NonZeroU128::new(trace)?),
            span: SpanId(NonZeroU64::new(u64::try_from(span).ok()?)?),
            sampled: flags & 1 == 1,
            state: state.and_then(legal_state).unwrap_or_default(),
        })
    }

    /// Another span of the same trace.
    #[must_use]
    pub fn with_span(&self, span: SpanId) -> Self {
        Self {
            span,
            ..self.clone()
        }
    }
}

/// Lower-case digits, exactly so many of them.
fn hex(text: &str, digits: usize) -> Option<u128> {
    let legal = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.len() != digits || !text.bytes().all(legal) {
        return None;
    }
    u128::from_str_radix(text, 16).ok()
}

fn legal_state(state: &[u8]) -> Option<Arc<str>> {
    let text = std::str::from_utf8(state).ok()?.trim_ascii();
    let members = text.split(',');
    let legal = text.len() <= MAX_STATE
        && text.bytes().all(|byte| (0x20..0x7f).contains(&byte))
        && members.clone().count() <= MAX_MEMBERS
        && members
            .map(str::trim_ascii)
            .all(|member| member.is_empty() || member.split_once('=').is_some_and(named));
    legal.then(|| Arc::from(text))
}

fn named((name, value): (&str, &str)) -> bool {
    !name.is_empty() && !value.is_empty()
}

// === impl Ids ===

impl Ids {
    /// From a seed that is another one in each process.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(SmallRng::seed_from_u64(seed))
    }

    /// The id of a new trace.
    pub fn trace(&mut self) -> TraceId {
        loop {
            if let Some(id) = NonZeroU128::new(self.0.random()) {
                return TraceId(id);
            }
        }
    }

    /// The id of a new span.
    pub fn span(&mut self) -> SpanId {
        loop {
            if let Some(id) = NonZeroU64::new(self.0.random()) {
                return SpanId(id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn read(parent: &str) -> Option<Context> {
        Context::read(parent.as_bytes(), None)
    }

    #[test]
    fn the_example_of_the_standard_is_read() {
        let context = read(PARENT).unwrap();
        assert_eq!(
            context.trace.to_string(),
            "4bf92f3577b34da6a3ce929d0e0e4736"
        );
        assert_eq!(context.span.to_string(), "00f067aa0ba902b7");
        assert!(context.sampled);
        assert!(!read(&PARENT.replace("-01", "-00")).unwrap().sampled);
        assert!(read(&PARENT.replace("-01", "-03")).unwrap().sampled);
        assert!(read(&format!(" {PARENT} ")).is_some(), "blanks around it");
        let later = format!("cc{}-and-more", PARENT.strip_prefix("00").unwrap());
        assert_eq!(read(&later).unwrap(), context, "a later version");
    }

    #[test]
    fn what_is_none_is_nothing() {
        let zeros = "0".repeat(32);
        for bad in [
            "".to_owned(),
            "00".to_owned(),
            "garbage".to_owned(),
            PARENT.to_uppercase(),
            PARENT.replace('-', "_"),
            PARENT.replace("-01", ""),
            PARENT.replace("-01", "-1"),
            PARENT.replace("-01", "-0g"),
            PARENT.replace("00-4", "ff-4"),
            PARENT.replace("00-4", "0-4"),
            PARENT.replace("4bf92f3577b34da6a3ce929d0e0e4736", &zeros),
            PARENT.replace("00f067aa0ba902b7", "0000000000000000"),
            PARENT.replace("4bf9", "+bf9"),
            PARENT.replace("4bf9", "bf9"),
            format!("{PARENT}-more"),
        ] {
            assert_eq!(read(&bad), None, "{bad}");
        }
        assert_eq!(Context::read(&[0xff, 0xfe], None), None);
    }

    #[test]
    fn a_state_is_carried_as_it_came_or_not_at_all() {
        let state = |text: &str| {
            let context = Context::read(PARENT.as_bytes(), Some(text.as_bytes()));
            context.unwrap().state.to_string()
        };
        assert_eq!(state("rojo=00f067,congo=t61"), "rojo=00f067,congo=t61");
        assert_eq!(state(" a=1 , ,b=2 "), "a=1 , ,b=2");
        let (long, many) = (format!("a={}", "x".repeat(600)), "a=1,".repeat(40));
        for bad in ["no pair", "=1", "a=", "a=\u{7}", "ä=1", &long, &many] {
            assert_eq!(state(bad), "", "{bad}");
        }
    }

    #[test]
    fn ids_are_not_given_twice() {
        let mut ids = Ids::new(7);
        let spans: std::collections::HashSet<SpanId> = (0..1_000).map(|_| ids.span()).collect();
        assert_eq!(spans.len(), 1_000);
        assert_ne!(ids.trace(), ids.trace());
    }

    proptest! {
        #[test]
        fn anything_may_stand_there(parent: Vec<u8>, state: Vec<u8>, text in "[0-9a-f-]{0,60}") {
            drop(Context::read(&parent, Some(&state)));
            if let Some(context) = Context::read(text.as_bytes(), Some(&state)) {
                prop_assert!(text.contains(&context.trace.to_string()));
                prop_assert!(context.state.len() <= MAX_STATE);
            }
        }
    }
}
