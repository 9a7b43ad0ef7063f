//! Leases, and that they never add up to more than there is.

use proptest::prelude::*;

use ingest_model::record::Offset;

use super::*;
use crate::common::instants::start;

fn partition(number: i32) -> TopicPartition {
    TopicPartition::new("shop.events", number)
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// What was found beside committed offsets.
type Stored = Vec<(TopicPartition, Metadata)>;

/// Processes of one group, and the broker that keeps what they commit.
struct Group {
    origin: Instant,
    now: Instant,
    members: Vec<Option<Fleet>>,
    owners: Vec<Option<usize>>,
    broker: BTreeMap<TopicPartition, String>,
    weights: Vec<f64>,
    started: u64,
}

/// The server's clock is at this when the test begins.
const SERVER_MS: i64 = 1_767_225_600_321;

impl Group {
    fn new(weights: &[f64]) -> Self {
        let now = start();
        Self {
            origin: now,
            now,
            members: Vec::new(),
            owners: vec![None; weights.len()],
            broker: BTreeMap::new(),
            weights: weights.to_vec(),
            started: 0,
        }
    }

    fn join(&mut self) -> usize {
        self.started += 1;
        let random = self.started * 7_919;
        self.members.push(Some(Fleet::new(random, 1.0)));
        self.members.len() - 1
    }

    fn server_ms(&self) -> i64 {
        SERVER_MS + i64::try_from((self.now - self.origin).as_millis()).unwrap()
    }

    /// A request of a member is answered, that long after it was sent.
    fn answer(&mut self, member: usize, took: Duration) {
        let date_ms =
            (self.server_ms() - i64::try_from(took.as_millis()).unwrap() / 2) / 1_000 * 1_000;
        let now = self.now;
        if let Some(fleet) = &mut self.members[member] {
            fleet.observe(now.checked_sub(took).unwrap_or(now), now, date_ms);
        }
    }

    fn give(&mut self, number: usize, to: usize) {
        let partition = partition(i32::try_from(number).unwrap());
        if let Some(owner) = self.owners[number].take()
            && let Some(fleet) = &mut self.members[owner]
        {
            fleet.keep(|owned| *owned != partition);
        }
        let committed = self.broker.get(&partition).map(|text| Committed {
            offset: Offset(0),
            metadata: Metadata::Text(text.clone()),
        });
        let now = self.now;
        if let Some(fleet) = &mut self.members[to] {
            fleet.own(now, &partition, committed.as_ref());
            self.owners[number] = Some(to);
        }
    }

    fn holdings(&self, member: usize) -> Vec<Holding> {
        let holding = |(number, weight): (usize, &f64)| Holding {
            partition: partition(i32::try_from(number).unwrap()),
            guarantee: *weight,
            standing: match self.owners[number] {
                Some(owner) if owner == member => Standing::Lendable,
                Some(_) | None => Standing::Other,
            },
        };
        self.weights.iter().enumerate().map(holding).collect()
    }

    /// A member that needs this part of the target looks at the group. Its commit arrives unless it is lost.
    fn look(&mut self, member: usize, needs: f64, lost: bool) -> Plan {
        let (holdings, now) = (self.holdings(member), self.now);
        let Some(fleet) = &mut self.members[member] else {
            return Plan::default();
        };
        let load = Load {
            spent: 10,
            queued: load::HORIZON.as_secs_f64() * needs,
            sent: 0,
            reads: 0,
            lanes: 1,
            answer_takes: 0.0,
            target: 1.0,
        };
        let plan = fleet.look(now, &holdings, &load);
        if plan.say && !lost {
            self.commit(member);
        }
        plan
    }

    fn commit(&mut self, member: usize) {
        let Some(fleet) = &self.members[member] else {
            return;
        };
        for (number, owner) in self.owners.iter().enumerate() {
            let partition = partition(i32::try_from(number).unwrap());
            if *owner == Some(member)
                && let Some(rider) = fleet.rider(self.now, &partition)
            {
                self.broker.insert(partition, rider.text());
            }
        }
    }

    /// What the broker would answer to a read now.
    fn stored(&self, member: usize) -> Stored {
        let others = self.owners.iter().enumerate();
        let others = others.filter(|(_, owner)| **owner != Some(member));
        others
            .map(|(number, _)| {
                let partition = partition(i32::try_from(number).unwrap());
                let text = self.broker.get(&partition).cloned();
                (partition, text.map_or(Metadata::None, Metadata::Text))
            })
            .collect()
    }

    fn read(&mut self, member: usize) {
        let stored = self.stored(member);
        let now = self.now;
        if let Some(fleet) = &mut self.members[member] {
            fleet.hear(now, stored);
        }
    }

    fn cap(&self, member: usize) -> Cap {
        let holdings = self.holdings(member);
        self.members[member]
            .as_ref()
            .map_or_else(Cap::default, |fleet| fleet.cap(self.now, &holdings))
    }

    fn total(&self) -> f64 {
        (0..self.members.len())
            .map(|member| self.cap(member).part())
            .sum()
    }

    /// A second in which the first member could use everything, and the others nothing.
    fn second(&mut self) {
        self.second_with(&[1.0, 0.0, 0.0, 0.0]);
    }

    /// A second in which the members need these parts of the target.
    fn second_with(&mut self, needs: &[f64]) {
        self.now += Duration::from_secs(1);
        for (member, needs) in needs.iter().enumerate() {
            if *needs > 0.0 {
                self.answer(member, seconds(0.05));
            }
            if self.look(member, *needs, false).read {
                self.read(member);
            }
            if *needs > 0.0 {
                self.commit(member);
            }
        }
    }
}

fn four() -> Group {
    let mut group = Group::new(&[0.25; 4]);
    for number in 0..4 {
        let member = group.join();
        group.give(number, member);
    }
    group
}

#[test]
fn a_busy_replica_gets_what_idle_ones_do_not_need_and_keeps_it() {
    let mut group = four();
    let mut least: f64 = 1.0;
    for second in 0..300 {
        group.second();
        assert!(group.total() <= 1.0 + 1e-9);
        if second > 20 {
            least = least.min(group.cap(0).part());
        }
    }
    assert!(least >= 0.96, "{least}");
    let cap = group.cap(1);
    assert!(cap.lent > 0.2 && cap.part() > 0.0, "{cap:?}");
}

#[test]
fn who_needs_its_part_again_has_it_when_the_leases_have_ended() {
    let mut group = four();
    for _ in 0..60 {
        group.second();
    }
    assert!(group.cap(1).part() < 0.05);
    for _ in 0..32 {
        group.second_with(&[1.0, 1.0, 0.0, 0.0]);
        assert!(group.total() <= 1.0 + 1e-9);
    }
    assert!(group.cap(1).part() > 0.4, "{:?}", group.cap(1));
    assert!(group.cap(0).part() > 0.4, "{:?}", group.cap(0));
}

#[test]
fn what_a_borrower_gives_back_is_lent_to_others_at_once() {
    let mut group = four();
    for _ in 0..60 {
        group.second_with(&[1.0, 1.0, 0.0, 0.0]);
    }
    let (one, other) = (group.cap(0), group.cap(1));
    assert!(
        one.borrowed > 0.2 && other.borrowed > 0.2,
        "{one:?} {other:?}"
    );
    // The second one comes to its end.
    for _ in 0..7 {
        group.second();
        assert!(group.total() <= 1.0 + 1e-9);
    }
    assert!(group.cap(1).borrowed.abs() < 1e-9, "{:?}", group.cap(1));
    assert!(group.cap(0).part() > 0.95, "{:?}", group.cap(0));
}

#[test]
fn a_need_that_ends_for_a_moment_gives_nothing_back() {
    let mut group = four();
    for second in 0..60 {
        let needs = if second % 2 == 0 { 0.4 } else { 0.2 };
        group.second_with(&[needs, 0.1, 0.1, 0.1]);
    }
    assert!(group.cap(0).borrowed > 0.1, "{:?}", group.cap(0));
}

#[test]
fn a_modest_need_is_met_and_no_more_is_lent_for_it() {
    let mut group = four();
    for _ in 0..40 {
        group.second_with(&[0.4, 0.1, 0.1, 0.1]);
    }
    let cap = group.cap(0);
    assert!((0.40..0.50).contains(&cap.part()), "{cap:?}");
}

#[test]
fn the_next_owner_keeps_to_what_was_lent() {
    let mut group = four();
    for _ in 0..60 {
        group.second();
    }
    let before = group.cap(0).part();
    assert!(before > 0.9, "{before}");
    // The second process dies, and its partition goes to the third.
    group.members[1] = None;
    group.give(1, 2);
    assert!(group.total() <= 1.0 + 1e-9);
    let cap = group.cap(2);
    assert!(
        (cap.guaranteed - 0.5).abs() < 1e-9 && cap.lent > 0.4,
        "{cap:?}"
    );
    group.now += LEASE;
    assert!((group.cap(2).part() - 0.5).abs() < 1e-9);
    assert!(group.cap(0).borrowed.abs() < 1e-9, "its leases have ended");
}

#[test]
fn an_idle_replica_that_never_sent_anything_lends_by_the_time_that_others_tell() {
    let mut group = four();
    for _ in 0..30 {
        group.second();
    }
    assert!(group.cap(3).lent > 0.2);
}

#[test]
fn a_process_that_stood_still_borrows_nothing_until_it_has_heard_again() {
    let mut group = four();
    for _ in 0..60 {
        group.second();
    }
    group.members[0].as_mut().unwrap().slept();
    assert!(group.cap(0).borrowed.abs() < 1e-9);
}

#[derive(Debug, Clone)]
enum Step {
    Pass(u16),
    Answer(usize, u16),
    Look(usize, f64, bool),
    Read(usize),
    /// A read whose answer comes that many milliseconds later.
    ReadLate(usize, u16),
    Commit(usize),
    Give(usize, usize),
    Die(usize),
    Start,
    Sleep(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let member = 0_usize..4;
    prop_oneof![
        6 => (1_u16..9_000).prop_map(Step::Pass),
        4 => (member.clone(), 1_u16..4_000).prop_map(|(one, took)| Step::Answer(one, took)),
        8 => (member.clone(), prop_oneof![Just(0.0), Just(1.0), 0.0_f64..1.0], any::<bool>()).prop_map(|(one, needs, lost)| Step::Look(one, needs, lost)),
        4 => member.clone().prop_map(Step::Read),
        2 => (member.clone(), 1_u16..20_000).prop_map(|(one, late)| Step::ReadLate(one, late)),
        4 => member.clone().prop_map(Step::Commit),
        3 => (0_usize..5, member.clone()).prop_map(|(number, to)| Step::Give(number, to)),
        1 => member.clone().prop_map(Step::Die),
        1 => Just(Step::Start),
        1 => member.prop_map(Step::Sleep),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn the_caps_never_add_up_to_more_than_the_target(steps in prop::collection::vec(step(), 1..120)) {
        let mut group = Group::new(&[0.3, 0.1, 0.2, 0.15, 0.25]);
        for number in 0..5 {
            let member = if number < 4 { group.join() } else { 0 };
            group.give(number, member);
        }
        let mut late: Vec<(Instant, usize, Stored)> = Vec::new();
        for step in steps {
            match step {
                Step::Pass(ms) => {
                    // In small pieces, so that the sum is checked while leases end.
                    for _ in 0..8 {
                        group.now += Duration::from_millis(u64::from(ms) / 8);
                        prop_assert!(group.total() <= 1.0 + 1e-9, "{}", group.total());
                    }
                    let now = group.now;
                    let (due, rest) = late.into_iter().partition(|(at, ..)| *at <= now);
                    late = rest;
                    for (_, member, stored) in due {
                        // What came to the reader meanwhile is its own; the rest is stale.
                        if let Some(fleet) = &mut group.members[member] {
                            fleet.hear(now, stored);
                        }
                    }
                }
                Step::Answer(member, took) => group.answer(member, Duration::from_millis(took.into())),
                Step::Look(member, needs, lost) => {
                    group.look(member, needs, lost);
                }
                Step::Read(member) => group.read(member),
                Step::ReadLate(member, ms) => {
                    let at = group.now + Duration::from_millis(ms.into());
                    late.push((at, member, group.stored(member)));
                }
                Step::Commit(member) => group.commit(member),
                Step::Give(number, to) => group.give(number, to),
                Step::Die(member) => {
                    let heir = (member + 1) % 4;
                    group.members[member] = None;
                    for number in 0..5 {
                        if group.owners[number] == Some(member) {
                            group.owners[number] = None;
                            group.give(number, heir);
                        }
                    }
                }
                Step::Start => {
                    if let Some(place) = group.members.iter().position(Option::is_none) {
                        group.started += 1;
                        group.members[place] = Some(Fleet::new(group.started * 7_919, 1.0));
                    }
                }
                Step::Sleep(member) => {
                    if let Some(fleet) = &mut group.members[member] {
                        fleet.slept();
                    }
                }
            }
            prop_assert!(group.total() <= 1.0 + 1e-9, "{}", group.total());
        }
    }
}
