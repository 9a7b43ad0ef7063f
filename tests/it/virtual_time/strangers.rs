//! Others use the same limit: what they leave is used, and they are not driven out.

use kustomer_sim::{ResetHeader, ResetUnit, Window};

use super::world::strangers::{Play, Seen};

/// Plays it and checks what holds for every kind of window.
fn played(play: Play) -> Seen {
    let seen = play.run();
    assert!(seen.windows.len() >= 4, "{:?}", seen.windows);
    assert!(
        seen.part() >= 0.95,
        "{:.3}: {play:?} {:?}",
        seen.part(),
        seen.windows
    );
    assert!(seen.refused * 1_000 <= seen.requests, "{play:?}: {seen:?}");
    assert!(
        seen.foreign_refused <= seen.foreign_refused_alone,
        "{play:?}: {seen:?}"
    );
    seen
}

/// So many seeds of a kind, each with another way to tell of the reset.
fn kind(window: Window) -> Vec<Seen> {
    let ways = [
        (ResetHeader::Refused, ResetUnit::Seconds),
        (ResetHeader::Always, ResetUnit::Seconds),
        (ResetHeader::Always, ResetUnit::Millis),
        (ResetHeader::Always, ResetUnit::Delta),
        (ResetHeader::Never, ResetUnit::Seconds),
    ];
    let seeds = 11..;
    ways.into_iter()
        .zip(seeds)
        .map(|((header, unit), seed)| {
            played(Play {
                window,
                header,
                unit,
                seed,
                minutes: 6,
                ..Play::default()
            })
        })
        .collect()
}

#[test]
fn a_fixed_window_is_used_up_to_the_reserve_and_not_beyond() {
    for seen in kind(Window::Fixed) {
        assert_eq!(seen.late, 0, "{seen:?}");
        assert!(seen.part() >= 0.98, "{seen:?}");
    }
}

/// Nobody could do with fewer requests than `least`; a simple sender needs many more, and drives the other client out.
#[test]
#[expect(clippy::print_stderr, reason = "a test that says what it measured")]
fn a_simple_sender_beside_the_same_client_is_refused_and_delivers_a_part_of_it() {
    let play = Play {
        seed: 11,
        most: 800,
        minutes: 6,
        ..Play::default()
    };
    let (seen, naive) = (play.run(), play.naive());
    eprintln!("{seen:?}\n{naive:?}");
    assert!(seen.requests * 100 <= seen.least * 105, "{seen:?}");
    assert!(2 * seen.delivered > 3 * naive.delivered, "{naive:?}");
    assert!(naive.requests > 15 * naive.least / 10, "{naive:?}");
    assert_eq!(seen.refused, 0);
    assert!(naive.refused + naive.foreign_refused > 0, "{naive:?}");
}

#[test]
fn a_minute_that_slides_is_used_up_to_the_reserve() {
    for seen in kind(Window::Sliding) {
        assert!(seen.tries * 500 <= seen.requests, "{seen:?}");
    }
}

#[test]
fn a_bucket_that_leaks_is_used_up_to_the_reserve() {
    for seen in kind(Window::Leaky) {
        assert!(seen.tries * 500 <= seen.requests, "{seen:?}");
    }
}

#[test]
fn a_limit_below_the_configured_one_is_used_as_far_as_it_goes() {
    for window in [Window::Fixed, Window::Sliding, Window::Leaky] {
        played(Play {
            window,
            limit: 600,
            most: 300,
            share: 1.0,
            seed: 31,
            minutes: 6,
            ..Play::default()
        });
    }
}

#[test]
fn a_heavy_neighbour_keeps_what_it_takes() {
    for window in [Window::Fixed, Window::Sliding, Window::Leaky] {
        played(Play {
            window,
            most: 800,
            share: 1.0,
            seed: 43,
            minutes: 6,
            ..Play::default()
        });
    }
}

/// Replicas tell each other what they spend, so the rest is strangers'.
#[test]
#[expect(clippy::print_stderr, reason = "a test that says what it measured")]
fn a_group_of_replicas_follows_the_window_together() {
    for (replicas, window, seed) in [
        (2, Window::Fixed, 51),
        (3, Window::Fixed, 52),
        (4, Window::Fixed, 53),
        (2, Window::Sliding, 54),
        (4, Window::Sliding, 55),
        (3, Window::Leaky, 56),
    ] {
        let play = Play {
            window,
            seed,
            replicas,
            minutes: 6,
            ..Play::default()
        };
        let seen = play.run();
        eprintln!(
            "{replicas} replicas, {window:?}: {:.3}, {} of {} refused, strangers {} and {} alone; {:?}",
            seen.part(),
            seen.refused,
            seen.requests,
            seen.foreign_refused,
            seen.foreign_refused_alone,
            seen.windows
        );
        assert!(seen.part() >= 0.95, "{play:?}: {seen:?}");
        assert!(seen.refused * 1_000 <= seen.requests, "{play:?}: {seen:?}");
    }
}
