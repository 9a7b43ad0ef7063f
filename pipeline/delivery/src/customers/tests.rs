//! Which question comes next.

use std::sync::Arc;

use super::*;
use crate::common::instants::start;

/// Permits lie idle.
pub(super) fn nothing(now: Instant) -> Price {
    Price::new(now, 0.0, Duration::ZERO, false)
}

/// Far more waits for permits than there are.
pub(super) fn much(now: Instant) -> Price {
    Price::new(now, 1e6, Duration::from_secs(1), false)
}

pub(super) const ALL: Allowed = Allowed {
    search: true,
    read: true,
    create: true,
    identify: true,
    live_only: false,
};

pub(super) fn resolver() -> Customers {
    let second = Duration::from_secs(1);
    let patience = Patience {
        linger: second / 20,
        max_delay: second * 5,
    };
    let mut resolver = Customers::new(CustomerSettings {
        patience,
        park_for: second * 600,
        minute: second * 60,
        ids: 100,
        identities: 100,
        owners: 100,
    });
    resolver.set_search_cap(2);
    resolver
}

fn key(n: u64) -> CustomerKey {
    CustomerKey::ExternalId(Arc::from(format!("u{n}")))
}

fn customer(n: u64, missing: MissingCustomer) -> CustomerRef {
    CustomerRef::new(vec![key(n)], missing).unwrap()
}

fn want(resolver: &mut Customers, now: Instant, count: u64, missing: MissingCustomer) {
    for n in 0..count {
        resolver.want(
            now,
            &customer(n, missing),
            (OperationId(n), Traffic::Live),
            false,
        );
    }
}

#[test]
fn a_hundred_share_a_search_and_those_not_found_a_create() {
    let now = start();
    let mut resolver = resolver();
    want(&mut resolver, now, 150, MissingCustomer::Create);
    let Some(Question::Search(keys)) = resolver.ask(now, much(now), ALL) else {
        panic!("a search")
    };
    assert_eq!(keys.len(), 100);
    assert_eq!(
        resolver.ask(now, much(now), ALL),
        None,
        "the rest is not full and not late"
    );
    assert_eq!(resolver.found(&key(0)), [OperationId(0)]);
    for key in &keys[1..] {
        resolver.not_found(now, key);
    }
    let later = now + Duration::from_secs(5);
    let Some(Question::Create(made)) = resolver.ask(later, much(later), ALL) else {
        panic!("a create")
    };
    assert_eq!(made.len(), 99);
}

#[test]
fn whose_question_came_to_nothing_does_not_wait_behind_those_that_came_later() {
    let now = start();
    let mut resolver = resolver();
    want(&mut resolver, now, 250, MissingCustomer::Create);
    assert!(matches!(
        resolver.ask(now, much(now), ALL),
        Some(Question::Search(_))
    ));
    resolver.ask_again(now, &key(7));
    let Some(Question::Search(keys)) = resolver.ask(now, much(now), ALL) else {
        panic!("a search")
    };
    assert_eq!(keys[..2], [key(7), key(100)]);
}

#[test]
fn one_or_two_are_made_by_identities() {
    let now = start();
    let mut resolver = resolver();
    want(&mut resolver, now, 1, MissingCustomer::Create);
    let later = now + Duration::from_secs(5);
    assert_eq!(
        resolver.ask(later, much(later), ALL),
        Some(Question::Identify(key(0)))
    );
    assert_eq!(resolver.ask(later, much(later), ALL), None);
}

#[test]
fn who_must_exist_is_read_before_being_refused() {
    let now = start();
    let mut resolver = resolver();
    want(&mut resolver, now, 3, MissingCustomer::Reject);
    let later = now + Duration::from_secs(5);
    assert!(matches!(
        resolver.ask(later, much(later), ALL),
        Some(Question::Search(_))
    ));
    resolver.not_found(later, &key(1));
    assert_eq!(
        resolver.ask(later, much(later), ALL),
        Some(Question::Read {
            customer: key(1),
            key: key(1)
        })
    );
    assert_eq!(
        resolver.proved_missing(later, &key(1)),
        NotFound::Refused(vec![OperationId(1)])
    );
}

#[test]
fn who_is_parked_waits_for_an_identify_and_not_for_ever() {
    let now = start();
    let mut resolver = resolver();
    want(&mut resolver, now, 2, MissingCustomer::Park);
    let later = now + Duration::from_secs(5);
    assert!(matches!(
        resolver.ask(later, much(later), ALL),
        Some(Question::Search(_))
    ));
    resolver.not_found(later, &key(0));
    resolver.not_found(later, &key(1));
    assert_eq!(
        resolver.ask(
            later + Duration::from_secs(60),
            much(later + Duration::from_secs(60)),
            ALL
        ),
        None
    );
    assert_eq!(resolver.found(&key(0)), [OperationId(0)]);
    let mut at = later;
    for look in 1..=4 {
        at += Duration::from_secs(151);
        resolver.tick(at);
        let read = Question::Read {
            customer: key(1),
            key: key(1),
        };
        assert_eq!(resolver.ask(at, much(at), ALL), Some(read), "look {look}");
        let refused = resolver.proved_missing(at, &key(1));
        let last = look == 4;
        assert_eq!(refused == NotFound::Refused(vec![OperationId(1)]), last);
    }
    assert_eq!(resolver.waiting(), (0, 0));
}

#[test]
fn searches_have_a_limit_of_their_own() {
    let now = start();
    let mut resolver = resolver();
    want(&mut resolver, now, 300, MissingCustomer::Park);
    assert!(matches!(
        resolver.ask(now, much(now), ALL),
        Some(Question::Search(_))
    ));
    assert!(matches!(
        resolver.ask(now, much(now), ALL),
        Some(Question::Search(_))
    ));
    assert_eq!(resolver.ask(now, much(now), ALL), None);
    assert!(!resolver.due(now, much(now), ALL));
    let later = now + Duration::from_secs(61);
    assert!(matches!(
        resolver.ask(later, much(later), ALL),
        Some(Question::Search(_))
    ));
}

#[test]
fn without_a_search_customers_are_made_or_read() {
    let now = start();
    let mut resolver = resolver();
    resolver.turn_search_off();
    let must_exist = customer(99, MissingCustomer::Reject);
    resolver.want(now, &must_exist, (OperationId(99), Traffic::Live), false);
    let later = now + Duration::from_secs(5);
    want(&mut resolver, later, 10, MissingCustomer::Create);
    assert_eq!(
        resolver.ask(later, much(later), ALL),
        Some(Question::Read {
            customer: key(99),
            key: key(99)
        })
    );
    let later = later + Duration::from_secs(5);
    assert!(
        matches!(resolver.ask(later, much(later), ALL), Some(Question::Create(keys)) if keys.len() == 10)
    );
    resolver.exists(later, &key(0));
    assert_eq!(
        resolver.ask(later, much(later), ALL),
        Some(Question::Read {
            customer: key(0),
            key: key(0)
        })
    );
}

#[test]
fn every_key_is_read_before_a_customer_counts_as_missing() {
    let now = start();
    let mut resolver = resolver();
    let email = CustomerKey::Email(Arc::from("a@example.com"));
    let keys = vec![key(1), email.clone()];
    let customer = CustomerRef::new(keys, MissingCustomer::Reject).unwrap();
    resolver.want(now, &customer, (OperationId(1), Traffic::Live), false);
    let later = now + Duration::from_secs(5);
    assert!(matches!(
        resolver.ask(later, much(later), ALL),
        Some(Question::Search(_))
    ));
    resolver.not_found(later, &key(1));
    let read = |key| {
        Some(Question::Read {
            customer: self::key(1),
            key,
        })
    };
    assert_eq!(resolver.ask(later, much(later), ALL), read(key(1)));
    assert_eq!(resolver.proved_missing(later, &key(1)), NotFound::Continues);
    assert_eq!(resolver.ask(later, much(later), ALL), read(email));
    assert_eq!(
        resolver.proved_missing(later, &key(1)),
        NotFound::Refused(vec![OperationId(1)])
    );
}

#[test]
fn what_may_not_be_asked_waits_and_the_rest_goes_on() {
    let now = start();
    let mut resolver = resolver();
    want(&mut resolver, now, 1, MissingCustomer::Create);
    let later = now + Duration::from_secs(5);
    let held = Allowed {
        search: true,
        read: false,
        create: false,
        identify: false,
        live_only: false,
    };
    resolver.turn_search_off();
    assert!(!resolver.due(later, much(later), held));
    assert_eq!(resolver.ask(later, much(later), held), None);
    assert_eq!(
        resolver.ask(later, much(later), ALL),
        Some(Question::Identify(key(0)))
    );
}

#[test]
fn a_failed_question_waits_and_is_counted() {
    let now = start();
    let mut resolver = resolver();
    want(&mut resolver, now, 1, MissingCustomer::Create);
    let mut at = now + Duration::from_secs(5);
    let mut succeeded = None;
    for sick in [0, 0, 1, 2] {
        assert_eq!(
            resolver.ask(at, much(at), ALL),
            Some(Question::Identify(key(0)))
        );
        assert_eq!(
            resolver.failed(at, Duration::from_secs(30), &key(0), succeeded),
            sick
        );
        assert_eq!(
            resolver.ask(
                at + Duration::from_secs(20),
                much(at + Duration::from_secs(20)),
                ALL
            ),
            None
        );
        at += Duration::from_secs(31);
        // From the second failure on, another question succeeds after each.
        succeeded = (resolver.failures(&key(0)) > 1).then_some(at);
        resolver.tick(at);
        at += Duration::from_secs(5);
    }
}

/// Every customer asked about exists, or none does.
fn learn_share(resolver: &mut Customers, now: Instant, there: bool) {
    let someone = customer(1_000_000, MissingCustomer::Create);
    resolver.want(
        now,
        &someone,
        (OperationId(1_000_000), Traffic::Live),
        false,
    );
    for _ in 0..2_000 {
        resolver.note_share(someone.first(), there);
    }
    resolver.found(someone.first());
}

#[test]
fn where_nobody_is_there_customers_are_made_unasked() {
    let now = start();
    let mut resolver = resolver();
    learn_share(&mut resolver, now, false);
    want(&mut resolver, now, 250, MissingCustomer::Create);
    for _ in 0..2 {
        let Some(Question::Create(made)) = resolver.ask(now, much(now), ALL) else {
            panic!("a create")
        };
        assert_eq!(made.len(), 100);
    }
    assert!(!resolver.due(now, much(now), ALL), "the rest has time");
}

#[test]
fn idle_permits_find_those_for_whom_no_search_is_left() {
    let now = start();
    let mut resolver = resolver();
    learn_share(&mut resolver, now, true);
    want(&mut resolver, now, 300, MissingCustomer::Create);
    for _ in 0..2 {
        assert!(matches!(
            resolver.ask(now, much(now), ALL),
            Some(Question::Search(_))
        ));
    }
    let late = now + Duration::from_secs(6);
    assert_eq!(
        resolver.ask(late, much(late), ALL),
        None,
        "a request costs too much"
    );
    let next = resolver.next_due(late, much(late)).unwrap();
    assert!(next <= now + Duration::from_secs(60), "it looks again");
    assert!(matches!(
        resolver.ask(late, nothing(late), ALL),
        Some(Question::Identify(_))
    ));
}

#[test]
fn the_answer_that_is_due_is_waited_for_but_not_for_ever() {
    let now = start();
    let mut resolver = resolver();
    let someone = customer(1, MissingCustomer::Create);
    resolver.want(now, &someone, (OperationId(1), Traffic::Live), true);
    let later = now + Duration::from_secs(100);
    resolver.tick(later);
    assert_eq!(resolver.ask(later, nothing(later), ALL), None);
    assert_eq!(
        resolver.next_due(later, nothing(later)),
        Some(now + Duration::from_secs(120))
    );
    let last = now + Duration::from_secs(120);
    resolver.tick(last);
    let late = last + Duration::from_secs(5);
    assert_eq!(
        resolver.ask(late, much(late), ALL),
        Some(Question::Identify(key(1)))
    );
    // A customer with a question in flight waits for that answer, not for another.
    resolver.answer_due(late, &key(1));
    assert_eq!(resolver.found(&key(1)), [OperationId(1)]);
}

#[test]
fn an_event_that_comes_in_before_anybody_asked_is_waited_for() {
    let now = start();
    let mut resolver = resolver();
    want(&mut resolver, now, 1, MissingCustomer::Create);
    resolver.answer_due(now, &key(0));
    let late = now + Duration::from_secs(10);
    assert_eq!(resolver.ask(late, nothing(late), ALL), None);
    resolver.answer_not_due(late, &key(0));
    let later = late + Duration::from_secs(5);
    assert_eq!(
        resolver.ask(later, nothing(later), ALL),
        Some(Question::Identify(key(0)))
    );
}

#[test]
fn those_who_turn_out_to_exist_share_a_search_and_are_read_if_it_lags() {
    let now = start();
    let mut resolver = resolver();
    learn_share(&mut resolver, now, false);
    want(&mut resolver, now, 100, MissingCustomer::Create);
    assert!(matches!(
        resolver.ask(now, much(now), ALL),
        Some(Question::Create(_))
    ));
    for n in 0..5 {
        resolver.exists(now, &key(n));
    }
    let Some(Question::Search(asked)) = resolver.ask(now, much(now), ALL) else {
        panic!("a search")
    };
    assert_eq!(asked.len(), 5);
    resolver.not_found(now, &key(3));
    assert_eq!(
        resolver.ask(now, much(now), ALL),
        Some(Question::Read {
            customer: key(3),
            key: key(3)
        })
    );
    assert_eq!(resolver.proved_missing(now, &key(3)), NotFound::Continues);
    assert_eq!(
        resolver.ask(now, much(now), ALL),
        Some(Question::Identify(key(3))),
        "made and not to be found: an identity tells"
    );
}

#[test]
fn what_the_key_may_not_do_is_done_in_another_way() {
    let now = start();
    let late = now + Duration::from_secs(5);
    let without = |allowed, customers| {
        let mut resolver = resolver();
        resolver.turn_search_off();
        want(&mut resolver, now, customers, MissingCustomer::Create);
        resolver.ask(late, much(late), allowed)
    };
    let no_create = Allowed {
        create: false,
        ..ALL
    };
    let no_identify = Allowed {
        identify: false,
        ..ALL
    };
    let mut resolver = resolver();
    want(&mut resolver, now, 1, MissingCustomer::Create);
    let nothing = Allowed {
        search: true,
        read: true,
        create: false,
        identify: false,
        live_only: false,
    };
    assert!(!resolver.is_kept_back(&key(0), nothing), "a search is left");
    resolver.turn_search_off();
    assert!(resolver.is_kept_back(&key(0), nothing));
    assert!(!resolver.is_kept_back(&key(0), no_create));
    assert!(!resolver.is_kept_back(&key(0), no_identify));
    assert_eq!(without(no_create, 50), Some(Question::Identify(key(0))));
    assert_eq!(
        without(no_identify, 1),
        Some(Question::Create(vec![key(0)]))
    );
}
