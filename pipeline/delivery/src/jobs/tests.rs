//! When jobs are read, and what leads them on.

use super::*;
use crate::common::instants::start;
use ingest_model::operation::Klass;

const TIMING: JobTiming = JobTiming {
    first_read: Duration::from_secs(5),
    max_pause: Duration::from_secs(15),
    give_up: Duration::from_secs(900),
    time_scale: 1.0,
};

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

fn orders() -> GroupKey {
    GroupKey {
        klass: Klass(Arc::from("order")),
        verb: Verb::Update,
    }
}

fn objects() -> JobItems {
    JobItems::Objects {
        group: orders(),
        operations: BTreeSet::from([OperationId(1)]),
    }
}

#[test]
fn the_first_read_follows_what_jobs_took() {
    let now = start();
    let mut jobs = Jobs::new(TIMING);
    for seconds in 1..=10 {
        let id = jobs.add(now, ticket(), items(), true, false);
        jobs.finish(
            now + Duration::from_secs(60),
            id,
            Some(1_000 + seconds * 1_000),
        );
    }
    jobs.add(now, ticket(), items(), true, false);
    let at = jobs.next_due(Traffic::Live).unwrap();
    assert_eq!(at, now + Duration::from_secs(9).mul_f64(1.05));
    assert_eq!(
        jobs.verification_wait("customers", Duration::from_secs(5)),
        Duration::from_secs(30)
    );
}

#[test]
fn where_permits_are_dear_objects_are_read_later_and_customers_are_not() {
    let now = start();
    let mut jobs = Jobs::new(TIMING);
    let scout = jobs.add(now, ticket(), objects(), true, true);
    assert_eq!(jobs.next_read(scout), Some(now + TIMING.first_read / 8));
    for seconds in 1..=20 {
        let id = jobs.add(now, ticket(), objects(), true, false);
        let end = now + Duration::from_secs(60);
        jobs.finish(end, id, Some(1_000 + seconds * 1_000));
    }
    let of = |seconds: u64| Some(now + Duration::from_secs(seconds).mul_f64(1.05));
    for (dear, seconds) in [(false, 18), (true, 19)] {
        let id = jobs.add(now, ticket(), objects(), true, dear);
        assert_eq!(jobs.next_read(id), of(seconds));
    }
    assert_eq!(
        jobs.due_count(now + Duration::from_secs(20), Traffic::Live),
        3
    );
    let mut jobs = Jobs::new(TIMING);
    for dear in [true, false] {
        let of_customers = jobs.add(now, ticket(), items(), true, dear);
        jobs.finish(now + Duration::from_secs(60), of_customers, Some(5_000));
    }
    for dear in [true, false] {
        let of_customers = jobs.add(now, ticket(), items(), true, dear);
        assert_eq!(
            jobs.next_read(of_customers),
            Some(now + Duration::from_secs_f64(5.25))
        );
    }
}

#[test]
fn a_job_under_way_is_not_read_twice_at_once() {
    let now = start();
    let mut jobs = Jobs::new(TIMING);
    let id = jobs.add(now, ticket(), items(), true, false);
    let later = now + Duration::from_secs(6);
    assert_eq!(jobs.due(later, Traffic::Live), Some(id));
    jobs.reading(later, id);
    assert_eq!(jobs.due(later, Traffic::Live), None);
    jobs.read_again(later, id, false);
    assert_eq!(jobs.due(later, Traffic::Live), None);
    assert!(jobs.next_due(Traffic::Live).unwrap() <= later + Duration::from_secs(15));
    assert!(!jobs.is_overdue(later, id));
    assert!(jobs.is_overdue(now + Duration::from_secs(900), id));
}

#[test]
fn a_job_is_led_on_by_its_next_read_and_known_by_what_it_carries() {
    let now = start();
    let mut jobs = Jobs::new(TIMING);
    let customer = CustomerKey::Email(Arc::from("a"));
    assert_eq!(jobs.making(&customer), None);
    let id = jobs.add(now, ticket(), items(), true, false);
    assert_eq!(jobs.making(&customer), Some(id));
    assert!(jobs.is_due(id));
    jobs.reading(now, id);
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
    let group = orders();
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
    let scout = jobs.add(now, ticket(), items(), true, true);
    let other = jobs.add(now, ticket(), items(), true, false);
    assert_eq!(jobs.next_read(scout), Some(now + seconds(0.625)));
    assert_eq!(jobs.next_read(other), Some(now + seconds(5.25)));
    // Each read of the scout comes twice as late as the one before, up to the usual time.
    jobs.reading(now + seconds(0.625), scout);
    jobs.read_again(now + seconds(0.7), scout, false);
    assert_eq!(jobs.next_read(scout), Some(now + seconds(1.4)));
    jobs.reading(now + seconds(1.4), scout);
    // What it took (0.5 s by the server's times) says when to read the others: twice that, and a margin.
    jobs.finish(now + seconds(1.5), scout, Some(1_500));
    assert_eq!(
        jobs.next_read(other),
        Some(now + seconds(1.5)),
        "it is late"
    );
    let third = jobs.add(now, ticket(), items(), true, false);
    assert_eq!(jobs.next_read(third), Some(now + seconds(1.05)));
}

#[test]
fn a_lost_scout_is_followed_by_another() {
    let now = start();
    let mut jobs = Jobs::new(TIMING);
    // Permits lie idle, so reads of no use cost nothing.
    let scout = jobs.add(now, ticket(), items(), true, false);
    let early = Some(now + Duration::from_secs(5) / 64);
    assert_eq!(jobs.next_read(scout), early);
    jobs.drop_job(scout);
    let next = jobs.add(now, ticket(), items(), true, false);
    assert_eq!(jobs.next_read(next), early);
    // After that, it is read nearly as if nothing had been idle.
    let seconds = Duration::from_secs_f64;
    jobs.reading(now + seconds(0.08), next);
    jobs.read_again(now + seconds(0.1), next, false);
    assert_eq!(jobs.next_read(next), Some(now + seconds(0.65625)));
    jobs.reading(now + seconds(0.7), next);
    jobs.read_again(now + seconds(0.8), next, false);
    assert_eq!(jobs.next_read(next), Some(now + seconds(1.6)));
}

#[test]
fn what_is_known_of_few_jobs_is_not_trusted_beyond_the_default() {
    let now = start();
    let mut jobs = Jobs::new(TIMING);
    let scout = jobs.add(now, ticket(), items(), true, false);
    jobs.finish(now + Duration::from_secs(60), scout, Some(5_000));
    let next = jobs.add(now, ticket(), items(), true, false);
    // Four seconds, twice, is more than the default of five.
    assert_eq!(
        jobs.next_read(next),
        Some(now + Duration::from_secs_f64(5.25))
    );
}

/// For the last half of the jobs, the reads of each and the part that was done at the first read.
fn without_times(jobs: u32, every: f64, took: impl Fn(u32) -> f64) -> (f64, f64, Jobs) {
    let (reads, all) = reads_without_times(jobs, every, took);
    let half = (jobs / 2..jobs).map(|number| reads[&number]);
    let ended = f64::from(jobs - jobs / 2);
    let at_first = half.clone().filter(|reads| *reads == 1).map(|_| 1.0);
    let per_job = f64::from(half.sum::<u32>()) / ended;
    (per_job, at_first.sum::<f64>() / ended, all)
}

/// Submits a job of such a duration every so often, and reads it when it is due; the API tells no times. Returns the reads of
/// each.
fn reads_without_times(
    jobs: u32,
    every: f64,
    took: impl Fn(u32) -> f64,
) -> (BTreeMap<u32, u32>, Jobs) {
    let begin = start();
    let mut all = Jobs::new(JobTiming {
        first_read: Duration::from_secs(9),
        ..TIMING
    });
    let mut ends = BTreeMap::new();
    let mut submitted = 0;
    let mut reads = BTreeMap::new();
    while submitted < jobs || all.len() > 0 {
        let next = begin + Duration::from_secs_f64(every * f64::from(submitted));
        let read = all.next_due(Traffic::Live);
        if submitted < jobs && read.is_none_or(|at| next <= at) {
            let untold = JobTicket {
                created_ms: None,
                ..ticket()
            };
            let id = all.add(next, untold, items(), true, false);
            ends.insert(
                id,
                (submitted, next + Duration::from_secs_f64(took(submitted))),
            );
            submitted += 1;
            continue;
        }
        let now = read.unwrap();
        let id = all.due(now, Traffic::Live).unwrap();
        all.reading(now, id);
        let (number, end) = ends[&id];
        if end > now {
            all.read_again(now, id, false);
            continue;
        }
        let (job, _) = all.finish(now, id, None).unwrap();
        reads.insert(number, job.reads);
    }
    (reads, all)
}

/// How long after its submission the next job would be read first, in seconds; the scouts apart.
fn first_read(jobs: &Jobs) -> f64 {
    let estimate = &jobs.estimates["customers"];
    estimate.first_read(jobs.timing).as_secs_f64()
}

#[test]
fn without_times_the_first_read_finds_the_duration() {
    for (took, every, count) in [
        (2.0, 1.0, 80),
        (2.0, 0.05, 1_500),
        (15.0, 1.0, 120),
        (15.0, 0.05, 2_500),
        (40.0, 2.0, 100),
    ] {
        let (reads, _, jobs) = without_times(count, every, |_| took);
        let first = first_read(&jobs);
        let near = took..took * 1.2;
        assert!(near.contains(&first), "{took} s: read after {first} s");
        assert!(reads <= 1.15, "{took} s, one every {every} s: {reads}");
    }
}

#[test]
fn without_times_the_first_read_comes_near_the_ninetieth_percentile() {
    // Evenly between half and one and a half times the mean: nine tenths are done after 1.4 times the mean.
    for mean in [2.0, 15.0] {
        for (every, count) in [(0.1, 3_000), (1.0, 600), (5.0, 600)] {
            let uneven = |n: u32| mean * (0.5 + f64::from(n * 37 % 101) / 101.0);
            let (reads, at_first, jobs) = without_times(count, every, uneven);
            let first = first_read(&jobs) / mean;
            let told = format!("{mean} s, one every {every} s: {first}, {reads}, {at_first}");
            assert!((1.1..1.7).contains(&first), "{told}");
            assert!(reads <= 1.25 && at_first >= 0.8, "{told}");
        }
    }
}

#[test]
fn without_times_a_change_is_followed_both_ways() {
    let (_, _, jobs) = without_times(700, 0.5, |n| if n < 100 { 15.0 } else { 2.0 });
    let first = first_read(&jobs);
    assert!((2.0..3.0).contains(&first), "shorter: {first}");
    let (_, _, jobs) = without_times(400, 0.5, |n| if n < 100 { 2.0 } else { 15.0 });
    let first = first_read(&jobs);
    assert!((15.0..21.0).contains(&first), "longer: {first}");
}

#[test]
fn without_times_instant_jobs_are_soon_read_at_once() {
    let (reads, _, jobs) = without_times(400, 0.02, |_| 0.0);
    let first = first_read(&jobs);
    assert!(first < 0.05, "{first}");
    assert!(reads < 1.01, "{reads}");
}

#[test]
fn without_times_an_unusually_quick_first_job_does_not_have_all_others_read_much_too_early() {
    for (others, every, jobs, most) in [
        (2.0, 0.25, 30, 65),
        (5.0, 1.0, 100, 185),
        (15.0, 0.25, 100, 800),
    ] {
        let (reads, _) = reads_without_times(jobs, every, |n| if n == 0 { 0.05 } else { others });
        let reads: u32 = reads.values().sum();
        assert!(
            reads <= most,
            "{others} s, one every {every} s: {reads} reads"
        );
    }
}
