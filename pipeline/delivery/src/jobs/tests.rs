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
