//! Leases on the guarantees of owned partitions.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::seam::rider::{self, Lease, ProcessId};

/// How long a lease lasts, by this process's clock.
pub(super) const LEASE: Duration = Duration::from_secs(30);
/// It is granted anew when less than this is left of it.
pub(super) const RENEW: Duration = Duration::from_secs(20);
/// Hundredths of a partition's guarantee by which a lease has to grow before it is granted anew.
const STEP: u8 = 2;

/// A lease on the guarantee of an owned partition.
#[derive(Debug, Clone, Copy)]
pub(super) struct Granted {
    pub(super) lease: Lease,
    /// Until then it counts.
    pub(super) counts_until: Instant,
}

/// When a lease that is granted now ends, and by when one ends that is granted anew; by the server's clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ends {
    pub(super) until_ms: i64,
    pub(super) renew_ms: i64,
}

/// Grants a lease unless one that is as good has long enough to run. `true` if it is new.
pub(super) fn grant_to(
    granted: &mut Vec<Granted>,
    now: Instant,
    borrower: ProcessId,
    percent: u8,
    ends: Ends,
) -> bool {
    let is_to = |one: &&Granted| one.lease.borrower == borrower;
    let others = granted.iter().filter(|one| !is_to(one));
    let free = 100_u8.saturating_sub(percents(others.map(|one| one.lease)));
    let percent = percent.min(free);
    let lasts = |one: &Granted| {
        one.lease.until_ms >= ends.renew_ms && one.lease.percent.saturating_add(STEP) > percent
    };
    if percent == 0 || granted.len() >= rider::LEASES || granted.iter().filter(is_to).any(lasts) {
        return false;
    }
    granted.retain(|one| one.lease.borrower != borrower || one.lease.percent > percent);
    granted.push(Granted {
        lease: Lease {
            borrower,
            percent,
            until_ms: ends.until_ms,
        },
        counts_until: now + LEASE,
    });
    true
}

/// What leases come to, in hundredths: of those to the same borrower, the largest counts.
pub(super) fn percents(leases: impl Iterator<Item = Lease>) -> u8 {
    let mut by_borrower: BTreeMap<ProcessId, u8> = BTreeMap::new();
    for lease in leases {
        let most = by_borrower.entry(lease.borrower).or_default();
        *most = lease.percent.max(*most);
    }
    let sum = by_borrower
        .values()
        .fold(0_u8, |sum, percent| sum.saturating_add(*percent));
    sum.min(100)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to the range of the type before the cast"
)]
pub(super) fn hundredths(part: f64) -> u8 {
    (part * 100.0).clamp(0.0, 100.0).floor() as u8
}
