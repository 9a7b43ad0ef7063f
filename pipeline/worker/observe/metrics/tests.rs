//! The catalog is compared with the documentation, and the emitted metrics with the catalog.

use std::collections::BTreeSet;
use std::time::Duration;

use ingest_delivery::fact::{Fact, Settlement};
use ingest_delivery::hold::{Family, LetterTopic, Scope};
use ingest_mapping::event::{BadTime, BatchEvents, KeyKind};
use ingest_mapping::identity::Unusable;
use ingest_model::call::Class;
use ingest_model::operation::Klass;
use ingest_model::outcome::{HeldBy, HoldCause, Rejection, SkipReason};
use ingest_model::record::Traffic;
use ingest_model::trouble::Seen;

use super::*;
use crate::observe::metrics::catalog::{CATALOG, Kind};
use crate::observe::pace::{Drain, DrainState, WithArrivals};

/// The lines of the documentation's tables: name, type, labels, meaning.
fn documented() -> Vec<[String; 4]> {
    include_str!("../../../../docs/metrics.md")
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| {
            let cells: Vec<String> = line
                .trim_matches('|')
                .split('|')
                .map(|cell| cell.trim().to_owned())
                .collect();
            cells.try_into().expect("four cells")
        })
        .collect()
}

fn in_catalog() -> Vec<[String; 4]> {
    CATALOG
        .iter()
        .map(|d| {
            let kind = match d.kind {
                Kind::Counter => "counter",
                Kind::Gauge => "gauge",
                Kind::Histogram(_) => "histogram",
            };
            let labels: Vec<String> = d.labels.iter().map(|l| format!("`{}`", l.name())).collect();
            [
                format!("`{}`", d.name),
                kind.to_owned(),
                labels.join(", "),
                d.help.to_owned(),
            ]
        })
        .collect()
}

#[test]
fn the_documentation_lists_the_catalog() {
    similar_asserts::assert_eq!(documented(), in_catalog());
}

#[test]
fn the_documentation_lists_every_value_of_every_closed_label() {
    let text = include_str!("../../../../docs/metrics.md");
    for definition in CATALOG {
        for label in definition.labels {
            let Some(mut values) = label.values() else {
                continue;
            };
            values.sort_unstable();
            let listed = text
                .lines()
                .filter(|line| line.starts_with(&format!("| {}", label.name())));
            let found = listed.into_iter().any(|line| {
                let cell = line.trim_matches('|').split('|').nth(1).unwrap_or_default();
                let words: Vec<&str> = cell
                    .split([',', ':', '(', ')'])
                    .map(str::trim)
                    .filter(|word| values.contains(word))
                    .collect();
                words.len() == values.len()
            });
            assert!(
                found,
                "{}: {} is not listed with {values:?}",
                definition.name,
                label.name()
            );
        }
    }
}

#[test]
fn names_say_what_they_count() {
    for definition in CATALOG {
        let total = definition.name.ends_with("_total");
        assert_eq!(
            total,
            definition.kind == Kind::Counter,
            "{}",
            definition.name
        );
        assert!(definition.help.ends_with('.'), "{}", definition.name);
    }
}

#[test]
fn every_scope_and_repeat_is_in_its_list() {
    let klass = Klass("order".into());
    let families = [
        Family::Tracking,
        Family::CustomerSearch,
        Family::CustomerRead,
        Family::CustomerCreate,
        Family::KObjectWrite(klass.clone()),
        Family::KObjectDelete(klass.clone()),
        Family::KObjectRead(klass),
        Family::BulkRead,
    ];
    let scopes = families.into_iter().map(Scope::Family).chain([
        Scope::Destination,
        Scope::Topic(Topic::new("t")),
        Scope::Route(Topic::new("t"), "r".into()),
        Scope::Position(Topic::new("t")),
        Scope::State,
        Scope::Letters(LetterTopic::Dead),
        Scope::Letters(LetterTopic::Held),
    ]);
    let names: BTreeSet<&str> = scopes.map(|scope| scope.as_str()).collect();
    assert_eq!(names, labels::HOLD_SCOPES.iter().copied().collect());
}

#[test]
fn what_is_emitted_is_in_the_catalog_with_closed_values() {
    let metrics = Metrics::new();
    let topic = Topic::new("shop.events");
    metrics.started(1_000);
    metrics.topics([&topic]);
    metrics.optional_fields(
        &topic,
        &[
            (Arc::from("order"), "custom.totalNum".to_owned()),
            (Arc::from("order"), "data".to_owned()),
        ],
    );
    let dropped = Fact::FieldDropped {
        topic: topic.clone(),
        route: Arc::from("order"),
        field: Arc::from("custom.totalNum"),
    };
    metrics.observe(&dropped, 0);
    metrics.records_read(&topic, 1);
    let mut notes = Notes::default();
    notes.unused("userId", KeyKind::ExternalId, Unusable::Nobody);
    notes.unused("traits.email", KeyKind::Email, Unusable::Illegal);
    notes.unused("customer.email", KeyKind::Email, Unusable::Illegal);
    notes.time("timestamp", BadTime::Unreadable);
    metrics.noted(&topic, &notes);
    metrics.noted(
        &topic,
        &Notes::default().with_events(BatchEvents {
            emitted: 7,
            skipped: 2,
            rejected: 1,
        }),
    );
    metrics.noted(&topic, &Notes::default());
    metrics.committed(Err(CommitFailureKind::Timeout));
    metrics.drain(Drain {
        state: DrainState::Estimated,
        left: Some(Duration::from_secs(3)),
        with_arrivals: WithArrivals::Gone(Duration::from_secs(9)),
    });
    for settlement in [
        Settlement::Delivered,
        Settlement::Skipped(SkipReason::NoRoute),
        Settlement::DeadLettered(Rejection::InvalidJson),
        Settlement::Diverted(HeldBy::Hold(HoldCause::MissingRole)),
    ] {
        let fact = Fact::Settled {
            records: 1,
            topic: topic.clone(),
            place: None,
            settlement,
            event_ms: Some(1_000),
            record_ms: Some(9_000),
            traffic: Traffic::Live,
        };
        metrics.observe(&fact, 4_000);
    }
    metrics.observe(
        &Fact::Sent {
            class: Class::Write,
            operations: 80,
            bulk: true,
        },
        0,
    );
    let began = Fact::HoldBegan {
        scope: Scope::Destination,
        cause: HoldCause::BadToken,
        seen: Seen::default(),
    };
    metrics.observe(&began, 0);
    let text = metrics.render();
    for expected in [
        "kustomer_ingest_records_total{topic=\"shop.events\",verdict=\"delivered\"} 1",
        "kustomer_ingest_records_confirmed_total 1",
        "kustomer_ingest_fields_dropped_total{field=\"custom.totalNum\",route=\"order\",topic=\"shop.events\"} 1",
        "kustomer_ingest_fields_dropped_total{field=\"data\",route=\"order\",topic=\"shop.events\"} 0",
        "kustomer_ingest_delay_seconds_sum{from=\"event\",traffic=\"live\"} 3",
        "kustomer_ingest_delay_seconds_sum{from=\"record\",traffic=\"live\"} 0",
        "kustomer_ingest_batch_operations_sum{class=\"write\"} 80",
        "kustomer_ingest_holds_begun_total{cause=\"bad_token\",scope=\"destination\"} 1",
        "kustomer_ingest_dead_letters_total{reason=\"refused_by_api\",topic=\"shop.events\"} 0",
        "kustomer_ingest_customer_keys_unused_total{key=\"external_id\",reason=\"nobody\",topic=\"shop.events\"} 1",
        "kustomer_ingest_customer_keys_unused_total{key=\"email\",reason=\"illegal\",topic=\"shop.events\"} 1",
        "kustomer_ingest_customer_keys_unused_total{key=\"email\",reason=\"nobody\",topic=\"shop.events\"} 0",
        "kustomer_ingest_event_times_passed_over_total{reason=\"unreadable\",topic=\"shop.events\"} 1",
        "kustomer_ingest_sleeps_total 0",
        "kustomer_ingest_invariants_broken_total{id=\"I1\"} 0",
        "kustomer_ingest_commits_total{result=\"timeout\"} 1",
    ] {
        assert!(text.contains(expected), "{expected} is not in\n{text}");
    }
    assert_known(&metrics);
}

/// Every family is in the catalog, and every closed label has one of its values.
fn assert_known(metrics: &Metrics) {
    for family in metrics.registry.gather() {
        let name = family
            .name()
            .strip_prefix("kustomer_ingest_")
            .expect("the prefix");
        let definition = CATALOG
            .iter()
            .find(|d| d.name == name)
            .expect("in the catalog");
        for series in family.get_metric() {
            for pair in series.get_label() {
                let label = definition.labels.iter().find(|l| l.name() == pair.name());
                let values = label.expect("a label of the catalog").values();
                if let Some(values) = values {
                    assert!(values.contains(&pair.value()), "{name}: {}", pair.value());
                }
            }
        }
    }
}

#[test]
fn the_series_of_a_partition_end_with_its_assignment() {
    use std::collections::BTreeMap;

    use ingest_delivery::machine::{Input, Machine, MachineSettings, TopicSettings};
    use ingest_model::record::Epoch;

    let mut settings = MachineSettings::new(1000, 0.8, 50, 1.0).unwrap();
    let topic = TopicSettings {
        weight: 1.0,
        keyed: false,
    };
    settings.topics = BTreeMap::from([(Topic::new("t"), topic)]);
    let now = crate::clock::Clock.now();
    let mut machine = Machine::new(settings, now);
    let partition = TopicPartition::new("t", 3);
    machine.step(now, Input::Topology(vec![(Topic::new("t"), 4)]));
    machine.step(
        now,
        Input::Assigned {
            partition: partition.clone(),
            epoch: Epoch(1),
            committed: None,
        },
    );

    let metrics = Metrics::new();
    metrics.observe_snapshot(&machine.snapshot(now), now);
    let series = "kustomer_ingest_partition_unsettled_records{partition=\"3\",topic=\"t\"} 0";
    assert!(metrics.render().contains(series), "{}", metrics.render());
    assert!(
        !metrics.render().contains("quota_remaining_requests "),
        "not known yet"
    );

    machine.step(
        now,
        Input::Lost {
            partition,
            epoch: Epoch(1),
        },
    );
    metrics.observe_snapshot(&machine.snapshot(now), now);
    assert!(!metrics.render().contains("partition=\"3\""));
    assert_known(&metrics);
}
