//! What a replica tells its group: a short text in front of what is settled, beside each committed offset.
//!
//! Form: `kr1.<process>.<server's time>.<demand>.<spent>` and for each lease `.<borrower>-<percent>-<end>`, closed by `|`.
//! Times are milliseconds since 1970 by the server's clock, in base 36; the demand is in thousandths of the fleet's target. A
//! lease of nothing to the process itself says that it uses no lease that ends by then. A text that does not begin like this
//! carries no rider.

use std::fmt::Write as _;

use ingest_model::record::TopicPartition;

use crate::seam::port::Metadata;

/// What every rider begins with.
const HEAD: &str = "kr1.";
/// What it ends with.
const END: char = '|';
const RADIX: u32 = 36;
/// Leases in one rider, at most.
pub(crate) const LEASES: usize = 8;

/// A process of the group, by a random number.
#[derive(
    serde::Serialize, serde::Deserialize, Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord,
)]
pub(crate) struct ProcessId(u64);

/// A part of one partition's guarantee, lent to one process.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lease {
    /// Who may use it.
    pub(crate) borrower: ProcessId,
    /// How much of the partition's guarantee, in hundredths.
    pub(crate) percent: u8,
    /// When it ends, by the server's clock, in milliseconds since 1970.
    pub(crate) until_ms: i64,
}

/// What a replica tells its group.
#[derive(serde::Serialize, serde::Deserialize, Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rider {
    /// Who says it.
    pub(crate) process: ProcessId,
    /// When, by the server's clock.
    pub(crate) at_ms: i64,
    /// How much of the fleet's target it could use, in thousandths.
    pub(crate) demand: u16,
    /// Its requests a minute, by those of the last seconds.
    pub(crate) spent: u32,
    /// What it lends of this partition's guarantee.
    pub(crate) leases: Vec<Lease>,
}

/// A partition of the group's topics, as far as quota goes with it.
#[derive(Debug, Clone)]
pub(crate) struct Holding {
    /// The partition.
    pub(crate) partition: TopicPartition,
    /// The part of the fleet's target that goes with it.
    pub(crate) guarantee: f64,
    /// Whose it is.
    pub(crate) standing: Standing,
}

/// Whose a partition is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// This replica's, and a commit can carry a lease.
    Lendable,
    /// This replica's.
    Owned,
    /// Another's, or nobody's.
    Other,
}

impl ProcessId {
    /// A process with this random number, of which seven digits are used.
    #[must_use]
    pub(crate) fn new(random: u64) -> Self {
        Self(random % u64::from(RADIX).pow(7))
    }
}

impl Rider {
    /// The text, with its end.
    pub(crate) fn text(&self) -> String {
        let mut text = String::from(HEAD);
        digits(&mut text, self.process.0);
        text.push('.');
        digits(&mut text, self.at_ms.unsigned_abs());
        // Writing into a string does not fail.
        let _infallible = write!(text, ".{}.{}", self.demand, self.spent);
        for lease in self.leases.iter().take(LEASES) {
            text.push('.');
            digits(&mut text, lease.borrower.0);
            let _infallible = write!(text, "-{}-", lease.percent);
            digits(&mut text, lease.until_ms.unsigned_abs());
        }
        text.push(END);
        text
    }

    /// No lease to this process is used that ends by then. Where there is no room for it, others wait for those ends.
    pub(crate) fn give_back(&mut self, until_ms: i64) {
        if self.leases.len() < LEASES {
            self.leases.push(Lease {
                borrower: self.process,
                percent: 0,
                until_ms,
            });
        }
    }

    /// By when the leases end that this process does not use any more.
    pub(crate) fn given_back_ms(&self) -> Option<i64> {
        let of_nothing = |one: &&Lease| one.borrower == self.process && one.percent == 0;
        let given_back = self.leases.iter().filter(of_nothing);
        given_back.map(|one| one.until_ms).max()
    }

    fn read(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let process = ProcessId::new(number(parts.next()?)?);
        let at_ms = i64::try_from(number(parts.next()?)?).ok()?;
        let demand = parts.next()?.parse().ok()?;
        let spent = parts.next()?.parse().ok()?;
        let leases: Option<Vec<Lease>> = parts.map(lease).collect();
        let leases = leases.filter(|leases| leases.len() <= LEASES)?;
        Some(Self {
            process,
            at_ms,
            demand,
            spent,
            leases,
        })
    }
}

/// The rider of a text beside a committed offset, if it has one, and the rest of the text.
#[must_use]
pub(crate) fn split(text: &str) -> (Option<Rider>, &str) {
    let parts = text
        .strip_prefix(HEAD)
        .and_then(|rest| rest.split_once(END));
    match parts {
        Some((rider, rest)) => (Rider::read(rider), rest),
        None => (None, text),
    }
}

/// The rider in what was found beside a committed offset.
#[must_use]
pub(crate) fn found(metadata: &Metadata) -> Option<Rider> {
    match metadata {
        Metadata::Text(text) => split(text).0,
        Metadata::None | Metadata::Unreadable => None,
    }
}

fn lease(text: &str) -> Option<Lease> {
    let mut parts = text.split('-');
    let lease = Lease {
        borrower: ProcessId::new(number(parts.next()?)?),
        percent: parts
            .next()?
            .parse()
            .ok()
            .filter(|percent| *percent <= 100)?,
        until_ms: i64::try_from(number(parts.next()?)?).ok()?,
    };
    parts.next().is_none().then_some(lease)
}

fn number(text: &str) -> Option<u64> {
    u64::from_str_radix(text, RADIX).ok()
}

fn digits(text: &mut String, number: u64) {
    let start = text.len();
    let mut rest = number;
    loop {
        let digit = u32::try_from(rest % u64::from(RADIX)).unwrap_or_default();
        text.insert(start, char::from_digit(digit, RADIX).unwrap_or('0'));
        rest /= u64::from(RADIX);
        if rest == 0 {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn leases() -> impl Strategy<Value = Vec<Lease>> {
        let lease = (any::<u64>(), 0_u8..=100, 0_i64..i64::MAX);
        let lease = lease.prop_map(|(random, percent, until_ms)| Lease {
            borrower: ProcessId::new(random),
            percent,
            until_ms,
        });
        prop::collection::vec(lease, 0..=LEASES)
    }

    proptest! {
        #[test]
        fn a_rider_is_read_as_it_was_written(
            random: u64, at_ms in 0_i64..i64::MAX, demand: u16, spent: u32, leases in leases(), rest in "[^|]{0,9}",
        ) {
            let process = ProcessId::new(random);
            let rider = Rider { process, at_ms, demand, spent, leases };
            let text = format!("{}{rest}", rider.text());
            prop_assert_eq!(split(&text), (Some(rider), rest.as_str()));
        }

        #[test]
        fn any_other_text_has_none(text in "\\PC{0,60}") {
            let (rider, rest) = split(&text);
            prop_assert!(rider.is_none() || text.starts_with(HEAD));
            prop_assert!(text.ends_with(rest));
        }
    }

    #[test]
    fn what_is_given_back_is_a_lease_of_nothing_to_the_process_itself() {
        let lease = Lease {
            borrower: ProcessId::new(8),
            percent: 20,
            until_ms: 9_000,
        };
        let mut rider = Rider {
            process: ProcessId::new(7),
            at_ms: 1_000,
            demand: 0,
            spent: 0,
            leases: vec![lease],
        };
        assert_eq!(rider.given_back_ms(), None);
        rider.give_back(5_000);
        let read = split(&rider.text()).0.expect("a rider");
        assert_eq!(read.given_back_ms(), Some(5_000));
        // A full rider keeps its leases.
        rider.leases = vec![lease; LEASES];
        rider.give_back(5_000);
        assert_eq!(split(&rider.text()).0, Some(rider));
    }

    #[test]
    fn it_is_short() {
        let rider = Rider {
            process: ProcessId::new(u64::MAX),
            at_ms: 1_767_225_600_000,
            demand: 1_000,
            spent: 1_600,
            leases: Vec::new(),
        };
        assert!(rider.text().len() <= 40, "{}", rider.text());
    }

    #[test]
    fn a_damaged_rider_is_none_and_what_follows_is_kept() {
        for text in ["kr1.a.b.c|ki2.", "kr1.a.1.1.1.x-900-1|ki2.", "kr1.|ki2."] {
            assert_eq!(split(text), (None, "ki2."), "{text}");
        }
        assert_eq!(split("ki2.x"), (None, "ki2.x"));
        assert_eq!(split("kr1.a.1.1.1"), (None, "kr1.a.1.1.1"), "no end");
    }
}
