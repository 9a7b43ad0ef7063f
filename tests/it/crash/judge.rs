//! The verdict: what the simulated Kustomer and the dead-letter topic contain, against what was written.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use ingest_model::record::{Record, Topic};

use super::attribution::{Evidence, Repeat};
use super::load::{Klass, PARTITIONS, number_in, number_of};
use super::world::{Kind, World, locked};
use super::{Mode, SCALE, table};

/// How long after a disruption partitions may still change hands because of it, in real milliseconds.
const AFTERMATH_MS: i64 = 10_000;
/// Requests that may have begun between reading `requests_in_flight` and the disruption.
const BETWEEN: u64 = 2;
/// How many examples of each kind a failure shows.
const EXAMPLES: usize = 8;

/// What became of everything.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// Violations, with the evidence.
    pub(super) violations: Vec<String>,
    /// Lines for the table: what, and how much.
    pub(super) lines: Vec<(String, String)>,
}

impl Findings {
    pub(super) fn line(&mut self, what: impl Into<String>, how_much: impl Display) {
        self.lines.push((what.into(), format!("{how_much}")));
    }

    /// A number that must be zero, with examples of what it counts.
    fn zero(&mut self, what: &str, found: &[String]) {
        self.line(what, found.len());
        if !found.is_empty() {
            let some = &found[..found.len().min(EXAMPLES)];
            self.violations
                .push(format!("{what}: {}\n  {}", found.len(), some.join("\n  ")));
        }
    }
}

/// Judges, prints the table, and fails if anything is wrong.
pub(super) async fn judge(world: &World) {
    let mut findings = Findings::default();
    let made = world.ledger.lock().clone();
    findings.line("records in", made.len());
    disruptions(world, &mut findings);
    events(world, &made, &mut findings);
    objects(world, &made, &mut findings);
    names(world, &made, &mut findings);
    letters(world, &made, &mut findings).await;
    findings.zero("troubles of processes", &locked(&world.troubles));
    world.say(&table::render(&findings.lines));
    assert!(
        findings.violations.is_empty(),
        "{}, INGEST_CRASH_SEED={}:\n{}",
        world.mode.name(),
        world.seed,
        findings.violations.join("\n")
    );
}

fn disruptions(world: &World, findings: &mut Findings) {
    let all = locked(&world.disruptions);
    for kind in Kind::ALL {
        let count = all.iter().filter(|one| one.kind == kind).count();
        findings.line(kind.name(), count);
    }
    for (name, count) in locked(&world.faults).iter() {
        findings.line(format!("spells of: {name}"), count);
    }
    let account = world.kustomer.account();
    let met: u64 = account.faults.values().sum();
    findings.line("requests", account.requests.total);
    findings.line("requests that met a fault", met);
}

fn events(world: &World, made: &[super::load::Made], findings: &mut Findings) {
    let customers: BTreeMap<String, String> = world.kustomer.with(|sim| {
        let named = |one: kustomer_sim::CustomerView| Some((one.id, one.external_id?));
        sim.customers().filter_map(named).collect()
    });
    let mut strange = Vec::new();
    let mut accepted: BTreeMap<usize, Vec<i64>> = BTreeMap::new();
    world.kustomer.with(|sim| {
        for event in sim.events() {
            let time = event.occurred_at.as_deref().unwrap_or_default();
            let number = number_of(time, world.start_ms);
            let whose = event.customer.and_then(|id| customers.get(&id));
            let right = number
                .and_then(|number| made.get(number))
                .is_some_and(|made| made.event && whose == Some(&format!("u-{}", made.customer)));
            match number.filter(|_| right) {
                Some(number) => accepted
                    .entry(number)
                    .or_default()
                    .push(event.created_at.millis()),
                None => strange.push(format!("event of {time} on the timeline of {whose:?}")),
            }
        }
    });
    let expected = made.iter().enumerate().filter(|(_, made)| made.event);
    let lost: Vec<String> = expected
        .clone()
        .filter(|(number, _)| !accepted.contains_key(number))
        .map(|(number, made)| format!("record {number} of u-{} at {:?}", made.customer, made.at))
        .collect();
    findings.line("tracking events expected", expected.count());
    findings.zero("tracking events lost", &lost);
    findings.zero("tracking events on a wrong timeline", &strange);

    let account = world.kustomer.account();
    let disordered = account.out_of_order.tracking - account.out_of_order_repeats;
    let said = vec![
        format!("{disordered} of {}", account.out_of_order.tracking);
        usize::try_from(disordered).unwrap()
    ];
    findings.zero("order violations, tracking", &said);
    let unjudged = account.unjudged.tracking + account.unjudged.kobjects;
    let said = vec![format!("{:?}", account.unjudged); usize::try_from(unjudged).unwrap()];
    findings.zero("writes without event key or version", &said);
    repeats(world, made, &accepted, findings);
}

fn repeats(
    world: &World,
    made: &[super::load::Made],
    accepted: &BTreeMap<usize, Vec<i64>>,
    findings: &mut Findings,
) {
    let mut all = Vec::new();
    let mut by_partition: BTreeMap<usize, Vec<i64>> = BTreeMap::new();
    for (number, times) in accepted {
        let Some((partition, _)) = made[*number].at else {
            continue;
        };
        by_partition.entry(partition).or_default().extend(times);
        all.extend(times.windows(2).map(|pair| Repeat {
            number: *number,
            partition,
            first_ms: pair[0],
            again_ms: pair[1],
            with_object: made[*number].object.is_some(),
        }));
    }
    for times in by_partition.values_mut() {
        times.sort_unstable();
    }
    let (disruptions, lost_answers) = (locked(&world.disruptions), locked(&world.lost_answers));
    let commits = world.commits();
    let found = Evidence {
        disruptions: &disruptions,
        commits: &commits,
        lost_answers: &lost_answers,
        accepted: &by_partition,
        aftermath_ms: AFTERMATH_MS * i64::from(SCALE),
    }
    .attribute(&all);

    if let Some(folder) = std::env::var_os("INGEST_CRASH_LOGS") {
        let name = format!("{}-evidence.txt", world.mode.name().replace(' ', "-"));
        let text = format!(
            "{disruptions:#?}\n{all:#?}\n{lost_answers:?}\n{:?}\n",
            commits.changes()
        );
        std::fs::write(Path::new(&folder).join(name), text).unwrap();
    }
    findings.line("tracking events repeated", all.len());
    table::repeats(&disruptions, &found, findings);
    findings.line(
        "answers to tracking events lost by faults",
        found.lost_answers,
    );
    findings.line("repeats due to lost answers", found.by_lost_answer);
    findings.line("repeats of records with an open object", found.with_object);
    findings.line("repeats around the end of a sleep", found.after_sleep);
    findings.line("longest commit metadata, bytes", commits.longest_metadata());
    let describe = |repeat: &Repeat| {
        format!(
            "record {} of partition {} at {}: accepted at {} and {} ms after the first; commits since {}",
            repeat.number,
            repeat.partition,
            made[repeat.number].at.map_or(-1, |(_, offset)| offset),
            repeat.first_ms,
            repeat.again_ms - repeat.first_ms,
            commits.since(repeat.partition, repeat.again_ms),
        )
    };
    let unexplained: Vec<String> = found.unexplained.iter().map(describe).collect();
    let mut beyond = Vec::new();
    for (disruption, share) in disruptions.iter().zip(&found.shares) {
        let excess = share.early.len() as u64;
        if excess > disruption.in_flight + BETWEEN {
            let some: Vec<String> = share.early.iter().take(3).map(describe).collect();
            beyond.push(format!(
                "{} at {}: {excess} repeats from before the last commit, {} requests under way: {some:?}",
                disruption.kind.name(),
                disruption.from_ms,
                disruption.in_flight
            ));
        }
    }
    let both = [
        ("repeats that nothing explains", &unexplained),
        ("disruptions with more repeats than their bound", &beyond),
    ];
    for (what, found) in both {
        if commits.longest_metadata() > 0 {
            findings.zero(what, found);
        } else {
            // Commits that do not carry what is settled above them give no bound (`docs/adr/gaps.md`).
            findings.line(what, found.len());
        }
    }
}

fn objects(world: &World, made: &[super::load::Made], findings: &mut Findings) {
    let mut expected: BTreeMap<(Klass, u32), u32> = BTreeMap::new();
    for (klass, object, version) in made.iter().filter_map(|made| made.object) {
        let last = expected.entry((klass, object)).or_default();
        *last = (*last).max(version);
    }
    for klass in Klass::ALL {
        let mut found: BTreeMap<String, Vec<(u32, u32)>> = BTreeMap::new();
        world.kustomer.with(|sim| {
            for object in sim.objects(klass.name()) {
                let version = object.version.and_then(|text| text.parse().ok());
                let state = object
                    .custom
                    .get("stateNum")
                    .and_then(|state| state.as_f64());
                let state = state.and_then(|state| format!("{state}").parse().ok());
                found
                    .entry(object.external_id.unwrap_or_default())
                    .or_default()
                    .push((version.unwrap_or_default(), state.unwrap_or_default()));
            }
        });
        let name = klass.name();
        let of_klass = expected.iter().filter(|((which, _), _)| *which == klass);
        let (mut lost, mut stale) = (Vec::new(), Vec::new());
        for ((_, object), version) in of_klass.clone() {
            let id = format!("{name}-{object}");
            match found.get(&id) {
                None => lost.push(id),
                Some(copies) if !copies.contains(&(*version, *version)) => {
                    stale.push(format!("{id} is {copies:?} instead of {version}"));
                }
                Some(_) => {}
            }
        }
        let copies = found.iter().filter(|(_, copies)| copies.len() > 1);
        let twice: Vec<String> = copies
            .map(|(id, copies)| format!("{id}: {copies:?}"))
            .collect();
        findings.line(format!("{name}s expected"), of_klass.count());
        findings.zero(&format!("{name}s lost"), &lost);
        let may_be_twice = world.mode.may_write_twice(klass);
        let what = format!("{name}s written twice");
        if may_be_twice {
            findings.line(what, twice.len());
            let bound = usize::try_from(PARTITIONS).unwrap();
            let beyond = found.iter().filter(|(_, copies)| copies.len() > bound);
            let beyond: Vec<String> = beyond.map(|(id, all)| format!("{id}: {all:?}")).collect();
            findings.zero(
                &format!("{name}s with more copies than partitions"),
                &beyond,
            );
        } else {
            findings.zero(&what, &twice);
        }
        let what = format!("{name}s left in an older state");
        if world.mode.may_overwrite(klass) {
            findings.line(what, stale.len());
        } else {
            findings.zero(&what, &stale);
        }
    }
    let lowered = world.kustomer.account().out_of_order.kobjects;
    let what = "updates that overwrote a newer state";
    if Klass::ALL
        .iter()
        .any(|klass| world.mode.may_overwrite(*klass))
    {
        findings.line(what, lowered);
    } else {
        let said = vec![format!("{lowered} by the simulator's account"); usize::from(lowered > 0)];
        findings.zero(what, &said);
    }
}

/// Checks that every customer has the name given last, unless a worker that slept had begun to write another.
fn names(world: &World, made: &[super::load::Made], findings: &mut Findings) {
    let mut expected: BTreeMap<String, String> = BTreeMap::new();
    for (number, made) in made.iter().enumerate().filter(|(_, made)| made.name) {
        expected.insert(format!("u-{}", made.customer), format!("Customer {number}"));
    }
    let found: BTreeMap<String, String> = world.kustomer.with(|sim| {
        let named = |one: kustomer_sim::CustomerView| Some((one.external_id?, one.display_name));
        sim.customers().filter_map(named).collect()
    });
    let (seen, disruptions) = (locked(&world.names), locked(&world.disruptions));
    let wrong = expected
        .iter()
        .filter(|(customer, name)| found.get(*customer) != Some(name));
    let (late, wrong): (Vec<_>, Vec<_>) =
        wrong.partition(|(customer, _)| seen.is_late(customer, &disruptions));
    let wrong: Vec<String> = wrong
        .into_iter()
        .map(|(customer, name)| {
            let (is, evidence) = (found.get(customer), seen.evidence(customer, &disruptions));
            format!("{customer} is {is:?} instead of {name}: {evidence}")
        })
        .collect();
    findings.line("customers named", expected.len());
    findings.line("names that a worker wrote when it woke", late.len());
    findings.zero("customers with another name", &wrong);
}

async fn letters(world: &World, made: &[super::load::Made], findings: &mut Findings) {
    let (kafka, topic) = (world.kafka.clone(), Topic::new(&world.letters));
    let letters = tokio::task::spawn_blocking(move || {
        let mut letters: Vec<Record> = Vec::new();
        ingest_kafka::reader::read_topic(&kafka, &topic, Duration::from_secs(20), |record| {
            letters.push(record);
            ControlFlow::Continue(())
        })
        .unwrap();
        letters
    })
    .await
    .unwrap();
    let mut copies: BTreeMap<usize, u64> = BTreeMap::new();
    let mut wrong = Vec::new();
    for letter in &letters {
        let number = letter.value.as_deref().and_then(number_in);
        match number.filter(|number| made.get(*number).is_some_and(|made| made.bad)) {
            Some(number) => *copies.entry(number).or_default() += 1,
            None => {
                let headers: Vec<String> = letter
                    .headers
                    .iter()
                    .filter(|header| header.name.starts_with("ingest."))
                    .map(|header| {
                        let value = header.value.as_deref().unwrap_or_default();
                        format!("{}={}", header.name, String::from_utf8_lossy(value))
                    })
                    .collect();
                wrong.push(format!("record {number:?}: {}", headers.join(", ")));
            }
        }
    }
    let bad = made.iter().enumerate().filter(|(_, made)| made.bad);
    let missing: Vec<String> = bad
        .clone()
        .filter(|(number, _)| !copies.contains_key(number))
        .map(|(number, made)| format!("record {number} at {:?}", made.at))
        .collect();
    findings.line("dead letters expected", bad.count());
    findings.zero("dead letters missing", &missing);
    findings.zero("dead letters caused by outages", &wrong);
    let again: u64 = copies.values().map(|copies| copies - 1).sum();
    findings.line("dead letters written again", again);
}

impl Mode {
    /// Whether an object may exist twice.
    const fn may_write_twice(self, klass: Klass) -> bool {
        match (self, klass) {
            (Self::Refused | Self::RevIgnored, Klass::Order | Klass::Shipment)
            | (Self::Allowed, Klass::Order) => false,
            // Each partition's slice of the state topic knows only its own object: at most one for each partition.
            (Self::Allowed, Klass::Shipment) => true,
        }
    }

    /// Whether an older state may overwrite a newer one.
    const fn may_overwrite(self, klass: Klass) -> bool {
        match (self, klass) {
            (Self::Refused | Self::Allowed, Klass::Order | Klass::Shipment) => false,
            // A job that was open when its partition was lost may run after the next owner's write, and a write between a look
            // and the end of another write is not seen (`docs/reliability.md`).
            (Self::RevIgnored, Klass::Order | Klass::Shipment) => true,
        }
    }
}
