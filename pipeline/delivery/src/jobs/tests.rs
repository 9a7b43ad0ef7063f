//! When jobs are read, and what leads them on.

use super::*;
use ingest_model::operation::Klass;

const TIMING: JobTiming = JobTiming {
    first_read: Duration::from_secs(5),
    max_pause: Duration::from_secs(15),
    give_up: Duration::from_secs(900),
    time_scale: 1.0,
};

#[expect(
    clippy::disallowed_methods,
    reason = "a test needs some instant to start from"
)]
fn start() -> Instant {
    Instant::now()
}

fn ticket() -> JobTicket {
    JobTicket {
        id: Arc::from("job"),
        created_ms: Some(1_000),
    }
}

fn items() -> JobItems {
    let key = CustomerKey::Email(Arc::from("a"));
    JobItems::Customers {
        keys: BTreeMap::from([("r".to_owned(), key)]),
    }
}

#[test]
fn the_first_read_follows_what_jobs_took() {
    let now = start();
    let mut jobs = Jobs::new(TIMING);
    for seconds in 1..=10 {
        let id = jobs.add(now, ticket(), items(), true);
        jobs.finish(
            now + Duration::from_secs(60),
            id,
            Some(1_000 + seconds * 1_000),
        );
    }
    jobs.add(now, ticket(), items(), true);
    let at = jobs.next_due().unwrap();
    assert_eq!(at, now + Duration::from_secs(9).mul_f64(1.05));
    assert_eq!(
        jobs.verification_wait("customers", Duration::from_secs(5)),
        Duration::from_secs(30)
    );
}

#[test]
fn a_job_under_way_is_not_read_twice_at_once() {
    let now = start();
    let mut jobs = Jobs::new(TIMING);
    let id = jobs.add(now, ticket(), items(), true);
    let later = now + Duration::from_secs(6);
    assert_eq!(jobs.due(later), Some(id));
    jobs.reading(id);
    assert_eq!(jobs.due(later), None);
    jobs.read_again(later, id, false);
    assert_eq!(jobs.due(later), None);
    assert!(jobs.next_due().unwrap() <= later + Duration::from_secs(15));
    assert!(!jobs.is_overdue(later, id));
    assert!(jobs.is_overdue(now + Duration::from_secs(900), id));
}

#[test]
fn a_job_is_led_on_by_its_next_read_and_known_by_what_it_carries() {
    let now = start();
    let mut jobs = Jobs::new(TIMING);
    let customer = CustomerKey::Email(Arc::from("a"));
    assert_eq!(jobs.making(&customer), None);
    let id = jobs.add(now, ticket(), items(), true);
    assert_eq!(jobs.making(&customer), Some(id));
    assert!(jobs.is_due(id));
    jobs.reading(id);
    assert!(!jobs.is_due(id), "the answer leads it on");
    jobs.read_again(now, id, false);
    assert!(jobs.is_due(id));
    assert!(matches!(jobs.take_item(id, "r"), Some(JobItem::Customer(key)) if key == customer));
    assert!(jobs.take_item(id, "r").is_none(), "an item ends once");
    assert_eq!(jobs.making(&customer), None);
    jobs.drop_job(id);
    assert!(!jobs.is_due(id));
}

#[test]
fn a_job_of_an_earlier_owner_is_found_by_the_write_that_it_carries_out() {
    let now = start();
    let mut jobs = Jobs::new(TIMING);
    let intent = Entity::Intent(4);
    let item = InheritedItem {
        intent,
        reference: "r".to_owned(),
    };
    let group = GroupKey {
        klass: Klass(Arc::from("order")),
        verb: Verb::Update,
    };
    let items = BTreeMap::from([("r".to_owned(), item)]);
    jobs.inherit(now, ticket(), group, items, true);
    let id = jobs.inherited_from(intent).expect("the job");
    assert_eq!(jobs.inherited_from(Entity::Intent(5)), None);
    assert!(matches!(
        jobs.take_item(id, "r"),
        Some(JobItem::Inherited(_))
    ));
    assert_eq!(jobs.inherited_from(intent), None);
}

#[test]
fn the_first_job_of_a_kind_is_the_scout_for_the_others() {
    let now = start();
    let mut jobs = Jobs::new(TIMING);
    let seconds = Duration::from_secs_f64;
    let scout = jobs.add(now, ticket(), items(), true);
    let other = jobs.add(now, ticket(), items(), true);
    assert_eq!(jobs.next_read(scout), Some(now + seconds(0.625)));
    assert_eq!(jobs.next_read(other), Some(now + seconds(5.25)));
    // Each read of the scout comes twice as late as the one before, up to the usual time.
    jobs.reading(scout);
    jobs.read_again(now + seconds(0.7), scout, false);
    assert_eq!(jobs.next_read(scout), Some(now + seconds(1.4)));
    jobs.reading(scout);
    // What it took (0.5 s by the server's times) says when to read the others: twice that, and a margin.
    jobs.finish(now + seconds(1.5), scout, Some(1_500));
    assert_eq!(
        jobs.next_read(other),
        Some(now + seconds(1.5)),
        "it is late"
    );
    let third = jobs.add(now, ticket(), items(), true);
    assert_eq!(jobs.next_read(third), Some(now + seconds(1.05)));
}

#[test]
fn a_lost_scout_is_followed_by_another() {
    let now = start();
    let mut jobs = Jobs::new(TIMING);
    let scout = jobs.add(now, ticket(), items(), true);
    jobs.drop_job(scout);
    let next = jobs.add(now, ticket(), items(), true);
    assert_eq!(jobs.next_read(next), Some(now + Duration::from_millis(625)));
}

#[test]
fn what_is_known_of_few_jobs_is_not_trusted_beyond_the_default() {
    let now = start();
    let mut jobs = Jobs::new(TIMING);
    let scout = jobs.add(now, ticket(), items(), true);
    jobs.finish(now + Duration::from_secs(60), scout, Some(5_000));
    let next = jobs.add(now, ticket(), items(), true);
    // Four seconds, twice, is more than the default of five.
    assert_eq!(
        jobs.next_read(next),
        Some(now + Duration::from_secs_f64(5.25))
    );
}
