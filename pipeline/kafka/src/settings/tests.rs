use super::*;

fn options() -> KafkaOptions {
    KafkaOptions::new("localhost:9092", "workers", &["events"], "events.dead")
}

fn with(property: &str, value: &str) -> Result<KafkaSettings, SettingsError> {
    with_all(&[(property, value)])
}

fn with_all(properties: &[(&str, &str)]) -> Result<KafkaSettings, SettingsError> {
    let mut options = options();
    for (property, value) in properties {
        options
            .properties
            .insert((*property).to_owned(), (*value).to_owned());
    }
    KafkaSettings::try_new(options)
}

fn refusal(property: &str, value: &str) -> String {
    match with(property, value) {
        Err(SettingsError::Refused {
            property: named,
            reason,
        }) => {
            assert_eq!(named, property);
            reason
        }
        other => panic!("{property}={value} gave {other:?}"),
    }
}

#[test]
fn defaults_are_at_least_once_and_lose_nothing() {
    let settings = KafkaSettings::try_new(options()).unwrap();
    let consumer = settings.consumer_config();
    assert_eq!(consumer.get("auto.offset.reset"), Some("earliest"));
    assert_eq!(consumer.get("enable.auto.commit"), Some("false"));
    assert_eq!(consumer.get("enable.auto.offset.store"), Some("false"));
    assert_eq!(consumer.get("isolation.level"), Some("read_committed"));
    assert_eq!(
        consumer.get("partition.assignment.strategy"),
        Some("cooperative-sticky")
    );
    assert_eq!(consumer.get("group.id"), Some("workers"));
    let refresh = "topic.metadata.refresh.interval.ms";
    assert_eq!(consumer.get(refresh), Some("60000"), "new partitions");
    let producer = settings.producer_config();
    assert_eq!(producer.get("acks"), Some("all"));
    assert_eq!(producer.get("enable.idempotence"), Some("true"));
    assert_eq!(producer.get("group.id"), None);
    assert_eq!(settings.session_timeout(), Some(Duration::from_secs(45)));
    assert_eq!(settings.max_poll_interval(), Duration::from_secs(300));
}

#[test]
fn what_tokens_cannot_be_asked_for_with_is_refused() {
    for (property, value, way_out) in [
        (
            "sasl.oauthbearer.extensions",
            "logicalCluster=lkc-1",
            "PLAIN and an API key",
        ),
        ("sasl.oauthbearer.method", "default", "only oidc"),
        ("sasl.oauthbearer.client.id", "a\u{1}b", "control character"),
        ("sasl.oauthbearer.scope", " ", "empty"),
    ] {
        let refused = with(property, value).unwrap_err().to_string();
        assert!(refused.contains(property), "{refused}");
        assert!(refused.contains(way_out), "{refused}");
    }
}

#[test]
fn what_the_worker_relies_on_is_refused_with_the_way_out() {
    for (property, value, way_out) in [
        ("bootstrap.servers", "other:9092", "kafka.brokers"),
        ("metadata.broker.list", "other:9092", "kafka.brokers"),
        ("group.id", "other", "kafka.group"),
        ("group.instance.id", "a", "kafka.instance_id"),
        ("group.protocol.type", "consumer", "leave it out"),
        ("enable.auto.commit", "false", "leave it out"),
        ("auto.commit.enable", "true", "leave it out"),
        ("auto.commit.interval.ms", "1000", "commit interval"),
        ("auto.offset.reset", "latest", "kafka.on_lost_position"),
        ("enable.auto.offset.store", "true", "leave it out"),
        ("offset.store.method", "file", "leave it out"),
        ("enable.partition.eof", "true", "leave it out"),
        ("statistics.interval.ms", "0", "leave it out"),
        ("acks", "1", "leave it out"),
        ("request.required.acks", "0", "leave it out"),
        ("enable.idempotence", "false", "leave it out"),
        ("enable.gapless.guarantee", "true", "leave it out"),
        ("transactional.id", "a", "leave it out"),
        ("delivery.report.only.error", "true", "leave it out"),
        ("message.timeout.ms", "0", "leave it out"),
        ("delivery.timeout.ms", "0", "leave it out"),
        ("test.mock.num.brokers", "3", "demo"),
        ("log.queue", "false", "leave it out"),
        (
            "partition.assignment.strategy",
            "range",
            "cooperative-sticky",
        ),
        ("queued.max.messages.kbytes", "1000000", "budget.bytes"),
        ("queued.min.messages", "100000", "budget.records"),
        ("fetch.max.bytes", "52428800", "budget.bytes"),
        ("fetch.message.max.bytes", "50000000", "budget.bytes"),
        ("max.partition.fetch.bytes", "50000000", "budget.bytes"),
    ] {
        let reason = refusal(property, value);
        assert!(reason.contains(way_out), "{property}: {reason}");
    }
}

#[test]
fn every_refused_property_is_one_that_the_client_knows() {
    for (property, _) in refused::REFUSED {
        let asked = ask::ask_one(property, "1");
        assert!(
            !matches!(asked, Err(SettingsError::Unknown { .. })),
            "{property} is misspelt"
        );
    }
}

#[test]
fn harmless_properties_pass_through_to_both_clients() {
    let settings = with_all(&[
        ("security.protocol", "plaintext"),
        ("isolation.level", "read_uncommitted"),
        ("partition.assignment.strategy", "cooperative-sticky"),
        ("session.timeout.ms", "6000"),
        ("queued.min.messages", "100"),
        ("topic.metadata.refresh.interval.ms", "20000"),
    ])
    .unwrap();
    let refresh = settings
        .consumer_config()
        .get("topic.metadata.refresh.interval.ms");
    assert_eq!(refresh, Some("20000"));
    assert_eq!(
        settings.consumer_config().get("isolation.level"),
        Some("read_uncommitted")
    );
    assert_eq!(
        settings.consumer_config().get("queued.min.messages"),
        Some("100")
    );
    assert_eq!(
        settings.producer_config().get("security.protocol"),
        Some("plaintext")
    );
    assert_eq!(settings.session_timeout(), Some(Duration::from_secs(6)));
}

#[test]
fn an_unknown_property_is_named() {
    let error = with("sesion.timeout.ms", "1").unwrap_err();
    assert_eq!(
        error,
        SettingsError::Unknown {
            property: "sesion.timeout.ms".to_owned()
        }
    );
    assert!(error.to_string().contains("sesion.timeout.ms"));
}

#[test]
fn a_wrong_value_is_named_with_the_clients_words() {
    let error = with("max.poll.interval.ms", "soon").unwrap_err();
    assert!(matches!(&error, SettingsError::Value { property, detail }
        if property == "max.poll.interval.ms" && !detail.is_empty()));
}

#[test]
fn a_zero_byte_is_an_error_and_no_panic() {
    assert!(matches!(
        with("client.rack", "a\0b"),
        Err(SettingsError::Value { .. })
    ));
}

#[test]
fn with_the_consumer_protocol_the_brokers_decide() {
    let settings = with("group.protocol", "consumer").unwrap();
    assert_eq!(
        settings
            .consumer_config()
            .get("partition.assignment.strategy"),
        None
    );
    assert_eq!(settings.session_timeout(), None);
    for (property, value) in [
        ("session.timeout.ms", "6000"),
        ("heartbeat.interval.ms", "1000"),
        ("partition.assignment.strategy", "cooperative-sticky"),
    ] {
        let error = with_all(&[("group.protocol", "consumer"), (property, value)]).unwrap_err();
        assert!(
            matches!(&error, SettingsError::Refused { property: named, reason }
            if named == property && reason.contains("group.consumer."))
        );
    }
    assert!(
        with("session.timeout.ms", "6000").is_ok(),
        "with the classic protocol it may be set"
    );
    let assignor = ("group.remote.assignor", "uniform");
    assert!(with_all(&[("group.protocol", "consumer"), assignor]).is_ok());
    let error = with(assignor.0, assignor.1).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("for group.protocol `consumer` only")
    );
}

#[test]
fn a_static_member_has_a_legal_name_and_readers_have_none() {
    let named = |id: &str| {
        let mut options = options();
        options.instance_id = Some(id.to_owned());
        KafkaSettings::try_new(options)
    };
    let settings = named("worker-0.a_B").unwrap();
    let id = "group.instance.id";
    assert_eq!(settings.consumer_config().get(id), Some("worker-0.a_B"));
    assert_eq!(settings.reader_config().get(id), None);
    assert_eq!(settings.producer_config().get(id), None);
    for bad in ["", " ", "a b", "a/b", &"x".repeat(250)] {
        let error = named(bad).unwrap_err().to_string();
        assert!(error.starts_with("kafka.instance_id: "), "{bad:?}: {error}");
    }
}

#[test]
fn a_session_is_not_longer_than_the_time_between_polls() {
    let error = with_all(&[
        ("max.poll.interval.ms", "30000"),
        ("session.timeout.ms", "40000"),
    ])
    .unwrap_err();
    assert!(
        matches!(error, SettingsError::SessionTooLong { .. }),
        "{error}"
    );
}

#[test]
fn the_drain_ends_before_the_group_gives_up() {
    let error = with_all(&[
        ("max.poll.interval.ms", "15000"),
        ("session.timeout.ms", "6000"),
    ])
    .unwrap_err();
    assert!(matches!(error, SettingsError::DrainTooLong { .. }));
    assert!(with("max.poll.interval.ms", "60000").is_ok());
}

#[test]
fn secrets_are_never_shown() {
    let secret = "hunter2-hunter2";
    let names = [
        "sasl.password",
        "ssl.key.password",
        "ssl.keystore.password",
        "ssl.key.pem",
    ];
    let mut options = options();
    for name in names {
        options
            .properties
            .insert(name.to_owned(), secret.to_owned());
    }
    assert!(!format!("{options:?}").contains(secret));
    match KafkaSettings::try_new(options) {
        Ok(settings) => assert!(!format!("{settings:?}").contains(secret)),
        Err(error) => {
            assert!(!error.to_string().contains(secret));
            assert!(!format!("{error:?}").contains(secret));
        }
    }
}

#[test]
fn brokers_need_a_port() {
    for brokers in [
        "",
        " ",
        "localhost",
        "a:9092,",
        "a:9092, b",
        ":9092",
        "a:port",
        "a b:1",
        "http://a:9092",
        "a:9092, kafka://b:9092",
        "a/b:9092",
        "SSL://a",
    ] {
        let mut options = options();
        options.brokers = brokers.to_owned();
        assert!(KafkaSettings::try_new(options).is_err(), "{brokers:?}");
    }
    for brokers in ["a:9092", "a:9092, b:9093", "[::1]:9092", "SSL://a:9092"] {
        let mut options = options();
        options.brokers = brokers.to_owned();
        assert!(KafkaSettings::try_new(options).is_ok(), "{brokers:?}");
    }
}

#[test]
fn topics_are_legal_distinct_and_not_their_own_dead_letters() {
    for topics in [&[][..], &["a", "a"], &["^a.*"], &["a b"], &[".."], &[""]] {
        let options = KafkaOptions::new("a:1", "g", topics, "dead");
        assert!(KafkaSettings::try_new(options).is_err(), "{topics:?}");
    }
    let long = "a".repeat(250);
    assert!(KafkaSettings::try_new(KafkaOptions::new("a:1", "g", &[&long], "dead")).is_err());
    assert!(KafkaSettings::try_new(KafkaOptions::new("a:1", "g", &["a"], "a")).is_err());
    let mut options = options();
    options.hold_topic = Some("events".to_owned());
    assert!(KafkaSettings::try_new(options).is_err());
}

#[test]
fn what_is_fetched_ahead_stays_within_the_budget() {
    for bytes in [64 * 1024, 1_000_000, 16 * 1024 * 1024, 1 << 40] {
        let mut options = options();
        options.prefetch = Prefetch {
            records: 100,
            bytes,
        };
        let settings = KafkaSettings::try_new(options).unwrap();
        let number = |property: &str| -> usize {
            settings
                .consumer_config()
                .get(property)
                .unwrap()
                .parse()
                .unwrap()
        };
        let queue = number("queued.max.messages.kbytes") * 1024;
        let answer = number("fetch.max.bytes");
        assert!(queue + answer + settings.options().prefetch.channel_bytes() <= bytes);
        assert!(
            number("message.max.bytes") <= answer,
            "the client refuses anything else"
        );
        assert!(
            number("queued.min.messages") + settings.options().prefetch.channel_records() <= 100
        );
        assert!(
            crate::spawn(&settings).is_ok(),
            "the client takes {bytes} as a whole"
        );
    }
    let mut options = options();
    options.prefetch = Prefetch {
        records: 100,
        bytes: 1000,
    };
    assert!(KafkaSettings::try_new(options).is_err());
}
