//! Permits over time.

use proptest::prelude::*;

use super::*;
use crate::common::instants::start;

fn settings(limit: u32, share: f64, reserve: u32) -> QuotaSettings {
    let minute = Duration::from_secs(60);
    QuotaSettings {
        limit,
        share,
        reserve,
        minute,
        time_scale: 1.0,
    }
}

fn owner(limit: u32, share: f64, reserve: u32, now: Instant) -> Quota {
    let mut quota = Quota::new(settings(limit, share, reserve));
    quota.set_weight(now, 1.0);
    quota
}

fn spend(quota: &mut Quota, from: Instant, span: Duration) -> u32 {
    let mut now = from;
    let mut spent = 0;
    while now < from + span {
        match quota.take(now, Class::Track) {
            Ok(()) => spent += 1,
            Err(Denied::Until(at)) => now = at,
            Err(Denied::NoAllowance) => break,
        }
    }
    spent
}

/// A request that is answered at once.
fn answered(quota: &mut Quota, now: Instant, limits: &Limits) {
    let sent = quota.sent(now);
    quota.observe(now, sent, limits);
}

#[test]
fn a_replica_without_partitions_sends_nothing() {
    let mut quota = Quota::new(settings(1000, 0.8, 50));
    assert_eq!(quota.take(start(), Class::Track), Err(Denied::NoAllowance));
}

#[test]
fn a_minute_spends_what_is_allowed_and_no_more() {
    let now = start();
    let mut quota = owner(1000, 0.8, 50, now);
    assert_eq!(quota.allowance(), 800);
    let spent = spend(&mut quota, now, Duration::from_secs(60));
    assert!((790..=800).contains(&spent), "{spent}");
    let minute = Duration::from_secs(60);
    let second = spend(&mut quota, now + minute, minute);
    assert!((799..=800).contains(&second), "{second}");
}

#[test]
fn who_joins_others_has_no_burst_that_they_may_have_used() {
    let now = start();
    let mut quota = Quota::new(settings(1000, 0.8, 0));
    quota.set_weight(now, 0.5);
    assert!(quota.take(now, Class::Track).is_err());
    let second = Duration::from_secs(1);
    let spent = spend(&mut quota, now, second);
    assert!((5..=6).contains(&spent), "{spent} of 400 in a second");
    assert_eq!(owner(1000, 0.8, 0, now).take(now, Class::Track), Ok(()));
}

#[test]
fn the_reserve_bounds_a_large_share() {
    let now = start();
    assert_eq!(owner(1000, 1.0, 50, now).allowance(), 950);
}

#[test]
fn a_429_closes_the_gate_until_the_reset() {
    let now = start();
    let mut quota = owner(1000, 0.8, 50, now);
    let resets_in = Some(Duration::from_secs(20));
    quota.freeze(
        now,
        &Limits {
            resets_in,
            ..Limits::default()
        },
    );
    assert_eq!(
        quota.take(now, Class::Read),
        Err(Denied::Until(now + Duration::from_secs(20)))
    );
    assert_eq!(
        quota.take(now + Duration::from_secs(21), Class::Read),
        Ok(())
    );
    assert_eq!(quota.freezes(), 1);
}

#[test]
fn a_429_without_a_reset_backs_off_longer_each_time() {
    let now = start();
    let mut quota = owner(1000, 0.8, 50, now);
    quota.freeze(now, &Limits::default());
    assert_eq!(quota.frozen_until(now), Some(now + Duration::from_secs(5)));
    let later = now + Duration::from_secs(6);
    quota.freeze(later, &Limits::default());
    assert_eq!(
        quota.frozen_until(later),
        Some(later + Duration::from_secs(10))
    );
}

#[test]
fn the_reserve_of_the_window_is_left_to_others_but_jobs_are_read() {
    let now = start();
    let mut quota = owner(1000, 0.8, 50, now);
    answered(
        &mut quota,
        now,
        &Limits {
            remaining: Some(49),
            ..Limits::default()
        },
    );
    assert!(quota.take(now, Class::Track).is_err());
    assert_eq!(quota.take(now, Class::Read), Ok(()));
    answered(
        &mut quota,
        now,
        &Limits {
            remaining: Some(990),
            ..Limits::default()
        },
    );
    assert_eq!(quota.take(now, Class::Track), Ok(()));
}

#[test]
fn the_server_may_lower_the_limit() {
    let now = start();
    let mut quota = owner(1000, 0.8, 0, now);
    answered(
        &mut quota,
        now,
        &Limits {
            limit: Some(500),
            ..Limits::default()
        },
    );
    assert_eq!(quota.allowance(), 400);
}

#[test]
fn what_is_used_up_follows_what_was_taken() {
    let now = start();
    let mut quota = owner(1000, 0.8, 0, now);
    let used = |quota: &Quota, at| quota.used(at).unwrap();
    assert!(used(&quota, now).permits < 0.01);
    while quota.take(now, Class::Track).is_ok() {}
    assert!(used(&quota, now).permits > 7.5);
    assert!(used(&quota, now + Duration::from_secs(60)).permits < 0.1);
    quota.freeze(now, &Limits::default());
    let frozen = used(&quota, now + Duration::from_secs(1));
    assert!(!frozen.refills && frozen.permits >= frozen.of);
    assert_eq!(quota.opens(now), Some(now + Duration::from_secs(5)));
}

/// Says what is left, in an answer to a request of that moment.
fn left(quota: &mut Quota, now: Instant, remaining: u32) {
    let limits = Limits {
        remaining: Some(remaining),
        ..Limits::default()
    };
    answered(quota, now, &limits);
}

#[test]
fn below_the_reserve_the_gate_is_closed_until_the_window_must_be_over_and_then_one_request_looks() {
    let start = start();
    let second = Duration::from_secs(1);
    let mut quota = owner(1000, 0.8, 50, start);
    left(&mut quota, start, 400);
    left(&mut quota, start + 20 * second, 40);
    let over = start + 60 * second;
    assert_eq!(
        quota.take(start + 21 * second, Class::Write),
        Err(Denied::Until(over)),
        "a minute after the first answer, not after the last"
    );
    assert_eq!(quota.take(over, Class::Write), Ok(()));
    let sent = quota.sent(over);
    assert_eq!(
        quota.take(over + second, Class::Write),
        Err(Denied::Until(over + 5 * second)),
        "the answer is not there"
    );
    assert_eq!(quota.take(over + second, Class::Read), Ok(()));
    let limits = Limits {
        remaining: Some(997),
        ..Limits::default()
    };
    quota.observe(over + 2 * second, sent, &limits);
    assert_eq!(quota.take(over + 2 * second, Class::Write), Ok(()));
}

#[test]
fn another_reserve_counts_at_once_for_what_is_left_and_for_what_is_allowed() {
    let start = start();
    let second = Duration::from_secs(1);
    let mut quota = owner(1000, 1.0, 0, start);
    assert_eq!(quota.allowance(), 1000);
    left(&mut quota, start, 900);
    left(&mut quota, start + second, 390);
    assert_eq!(quota.take(start + second, Class::Track), Ok(()));
    quota.set_reserve(start + second, 400);
    assert_eq!((quota.allowance(), quota.reserve()), (600, 400));
    assert!(quota.take(start + 2 * second, Class::Track).is_err());
    assert_eq!(quota.take(start + 2 * second, Class::Read), Ok(()));
    quota.set_reserve(start + 3 * second, 0);
    assert_eq!(quota.allowance(), 1000);
    assert_eq!(quota.take(start + 4 * second, Class::Track), Ok(()));
}

#[test]
fn what_others_need_slows_events_and_not_reads() {
    let start = start();
    let tenth = Duration::from_millis(100);
    let mut quota = owner(1000, 0.8, 50, start);
    // Others take all but little of the limit: 16 a second, of which 100 answers show 10 seconds.
    for step in 0..100 {
        left(
            &mut quota,
            start + tenth * step,
            1000 - step * 16 / 10 - step - 100,
        );
    }
    let from = start + tenth * 100;
    let mut quota_reads = 0;
    let mut events = 0;
    for step in 0..100 {
        let now = from + tenth * step;
        events += u32::from(quota.take(now, Class::Track).is_ok());
        quota_reads += u32::from(quota.take(now, Class::Read).is_ok());
    }
    assert!((3..=15).contains(&events), "{events} in 10 s");
    assert!(quota_reads > 80, "{quota_reads} in 10 s");
}

/// A window began, and half of it was left to others, who did not need it.
fn half_a_window_unused() -> (Quota, Instant) {
    let start = start();
    let mut quota = owner(1000, 0.8, 0, start);
    left(&mut quota, start, 100);
    left(&mut quota, start + Duration::from_secs(1), 999);
    let half = start + Duration::from_secs(31);
    left(&mut quota, half, 997);
    (quota, half)
}

#[test]
fn what_was_left_early_in_a_window_is_caught_up_on_late() {
    let (mut quota, half) = half_a_window_unused();
    let even = 800 * 10 / 60;
    let spent = spend(&mut quota, half, Duration::from_secs(10));
    assert!(spent > even + even / 5, "{spent} of {even}");
    assert!(spent <= even + even / 4 + 9, "{spent} of {even}");
}

#[test]
fn what_is_caught_up_on_after_a_smaller_allowance_fits_into_that_allowance() {
    let (mut quota, half) = half_a_window_unused();
    let second = Duration::from_secs(1);
    // There is much to catch up on when another replica takes half.
    quota.set_weight(half, 0.5);
    let mut now = half;
    let mut remaining = 997;
    for _ in 0..28 {
        remaining -= spend(&mut quota, now, second);
        now += second;
        left(&mut quota, now, remaining);
        assert!(quota.within_allowance(now), "after {:?}", now - half);
    }
    remaining = 1000;
    for _ in 0..50 {
        remaining -= spend(&mut quota, now, second);
        now += second;
        left(&mut quota, now, remaining);
        assert!(quota.within_allowance(now), "after {:?}", now - half);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_minute_ever_exceeds_the_allowance_whatever_is_said_to_be_left(
        limit in 1_u32..2000,
        steps in prop::collection::vec(
            (
                (0_u64..4_000, 0_u32..60),
                (prop::option::of(0_u32..2000), prop::option::of(0_u64..70)),
                prop::option::weighted(0.1, 0.0_f64..1.0),
            ),
            1..120,
        ),
    ) {
        let mut now = start();
        let mut quota = owner(limit, 0.9, limit / 20, now);
        let cap = usize::try_from(quota.fleet_target()).unwrap();
        let mut issued: Vec<Instant> = Vec::new();
        for ((millis, asks), (remaining, resets_in), weight) in steps {
            now += Duration::from_millis(millis);
            if let Some(weight) = weight {
                quota.set_weight(now, weight);
            }
            for ask in 0..asks {
                let class = if ask % 3 == 0 { Class::Read } else { Class::Track };
                if quota.take(now, class).is_ok() {
                    issued.push(now);
                }
            }
            let resets_in = resets_in.map(Duration::from_secs);
            answered(&mut quota, now, &Limits { remaining, resets_in, ..Limits::default() });
            let within = |at: &&Instant| now.duration_since(**at) < Duration::from_secs(60);
            let recent = issued.iter().filter(within).count();
            prop_assert!(recent <= cap, "{recent} of {cap}");
            prop_assert!(quota.within_allowance(now));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn two_that_share_the_target_anew_again_and_again_send_more_than_it_by_what_was_saved_up_at_most(
        limit in 10_u32..2000,
        shares in prop::collection::vec((0_u64..40_000, 0.0_f64..1.0), 1..20),
    ) {
        let mut now = start();
        let mut quotas = [(); 2].map(|()| Quota::new(settings(limit, 0.8, 0)));
        let target = usize::try_from(quotas[0].fleet_target()).unwrap();
        // what a replica had saved up when its part fell, it may have sent within the minute
        let most = target + (target / 100).max(1);
        let mut issued: Vec<Instant> = Vec::new();
        for (millis, share) in shares {
            quotas[0].set_weight(now, share);
            quotas[1].set_weight(now, 1.0 - share);
            let end = now + Duration::from_millis(millis);
            while now < end {
                for quota in &mut quotas {
                    while quota.take(now, Class::Track).is_ok() {
                        issued.push(now);
                    }
                }
                let recent = issued.partition_point(|at| now.duration_since(*at) >= Duration::from_secs(60));
                let recent = issued.len() - recent;
                prop_assert!(recent <= most, "{recent} of {target}");
                now += Duration::from_millis(25);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_minute_ever_exceeds_the_allowance(
        limit in 1_u32..3000,
        steps in prop::collection::vec((0_u64..5_000, 0_u32..200, 0.0_f64..1.0), 1..80),
    ) {
        let mut now = start();
        let mut quota = owner(limit, 0.8, 0, now);
        let mut issued: Vec<Instant> = Vec::new();
        let cap = usize::try_from(quota.fleet_target()).unwrap();
        for (millis, asks, weight) in steps {
            now += Duration::from_millis(millis);
            if weight > 0.5 {
                quota.set_weight(now, (weight - 0.5) * 2.0);
            }
            for _ in 0..asks {
                if quota.take(now, Class::Track).is_ok() {
                    issued.push(now);
                }
            }
            let recent = issued.iter().filter(|at| now.duration_since(**at) < Duration::from_secs(60)).count();
            prop_assert!(recent <= cap, "{recent} of {cap}");
            prop_assert!(quota.within_allowance(now));
        }
    }
}
