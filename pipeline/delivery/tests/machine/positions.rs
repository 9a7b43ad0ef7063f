//! Topics with partitions whose position was lost are on hold, exactly as long as there are any. Nothing else waits for them.

use ingest_delivery::fact::Settlement;
use ingest_delivery::hold::Scope;
use ingest_delivery::machine::Input;
use ingest_model::outcome::HoldCause;
use ingest_model::record::Topic;

use crate::driver::Driver;
use crate::make::{settings, track};

fn lost(topics: &[&str]) -> Input {
    Input::PositionsLost(topics.iter().map(|name| Topic::new(name)).collect())
}

fn held(topics: &[&str]) -> Vec<(Scope, HoldCause)> {
    let one = |name: &&str| (Scope::Position(Topic::new(name)), HoldCause::LostPosition);
    topics.iter().map(one).collect()
}

#[test]
fn the_holds_are_those_of_the_topics_that_wait() {
    let mut driver = Driver::new(settings(), 1);
    driver.put(lost(&["a", "b"]));
    driver.run(1);
    assert_eq!(driver.holds(), held(&["a", "b"]));
    driver.put(lost(&["b", "c"]));
    driver.run(3_600);
    assert_eq!(
        driver.holds(),
        held(&["b", "c"]),
        "nothing but news ends one"
    );
    driver.record(0, track(1));
    driver.run(10);
    assert_eq!(driver.settled(), [Settlement::Delivered], "others go on");
    driver.put(lost(&[]));
    driver.run(1);
    assert_eq!(driver.holds(), []);
    driver.run_to_rest();
}

#[test]
fn a_release_names_its_topic_and_ends_the_hold_until_there_is_news() {
    let mut driver = Driver::new(settings(), 1);
    driver.put(lost(&["a", "b"]));
    driver.run(1);
    let snapshot = driver.machine.snapshot(driver.now);
    let mut holds = snapshot.holds.iter();
    let of_b = holds.find(|hold| hold.scope == Scope::Position(Topic::new("b")));
    let id = of_b.unwrap().id;
    assert_eq!(driver.machine.lost_position(id), Some(&Topic::new("b")));
    assert_eq!(driver.machine.lost_position(id + 100), None);
    driver.put(Input::ReleaseHold(id));
    driver.run(1);
    assert_eq!(driver.holds(), held(&["a"]));
    driver.put(lost(&["a", "b"]));
    driver.run(1);
    assert_eq!(driver.holds(), held(&["a", "b"]), "it still waits");
}
