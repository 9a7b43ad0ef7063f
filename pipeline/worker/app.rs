//! Builds everything that can fail, then runs the worker, then drains it.

use std::collections::BTreeSet;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use ingest_delivery::beliefs::Beliefs;
use ingest_delivery::charge::Charge;
use ingest_delivery::machine::{MachineSettings, StateSettings, TopicSettings};
use ingest_delivery::settled::ReceiptsOf;
use ingest_kustomer::{Client, Need};
use ingest_model::record::Topic;
use ingest_registry::Store;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::admin::access::Access;
use crate::admin::report;
use crate::admin::status::StatusReport;
use crate::admin::{AdminServer, AdminState};
use crate::clock::{Clock, TimeScale};
use crate::config::Settings;
use crate::config::registry::RegistryError;
use crate::config::settings::profile::Profile;
use crate::config::settings::{AdminSettings, KeyedBy};
use crate::lifecycle::key::{KeyStatus, KeyWatch};
use crate::lifecycle::suppressed::SuppressedWatch;
use crate::lifecycle::{Exit, Signals, Supervisor};
use crate::observe::advice::Places;
use crate::observe::metrics::Metrics;
use crate::observe::metrics::labels::RecordingCause;
use crate::observe::telemetry::traces::{TraceSettings, Traces};
use crate::observe::{Observer, telemetry};
use crate::pump::mappers::suspects::{Child, Patience, Suspects};
use crate::pump::mappers::{Judge, TrafficRules};
use crate::pump::recorder::Recorder;
use crate::pump::{self, Command, PauseWatch, PumpParts, PumpView, ReserveWatch};

/// Time added to the drain's own before the process ends regardless: for the final commit and for leaving the group.
const DRAIN_MARGIN: Duration = Duration::from_secs(20);
/// How long the process waits at its end for the recording of a halt.
const RECORDING_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a group with the newer protocol waits for a member, unless its broker is configured otherwise.
const BROKER_SESSION_TIMEOUT: Duration = Duration::from_secs(45);
/// Commands from people that wait for the pump.
const COMMANDS: usize = 8;

/// What a run needs besides its settings.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The configuration file; a child that maps suspects reads it again.
    pub config: PathBuf,
    /// How much durations that mirror the API's are shortened.
    pub time_scale: TimeScale,
    /// Topics that are not held when many of their records are rejected.
    pub accept_dead_letters: BTreeSet<Topic>,
    /// What the mappings do with the API key.
    pub needs: Vec<Need>,
    /// The process ends at a record that contains this text; for tests.
    pub die_at: Option<String>,
}

/// Runs the worker until a signal or a halt ends it.
///
/// # Errors
/// Something that the worker needs to start is missing or wrong.
pub fn run(settings: &Settings, options: &Options) -> anyhow::Result<Exit> {
    let level = telemetry::init(&settings.log)?;
    let metrics = Metrics::new();
    metrics.started(Clock.unix_ms());
    metrics.topics(settings.kafka.topics.iter().map(|one| &one.topic));
    for one in &settings.kafka.topics {
        metrics.optional_fields(&one.topic, &one.pipeline.mapping().optional_fields());
    }
    let connection = settings.kafka.connection();
    for doubt in connection.map(|one| one.doubts).unwrap_or_default() {
        tracing::warn!(what_to_do = doubt.way_out, "kafka: {}", doubt.problem);
    }
    let observer = Observer::new(metrics.clone()).naming(places(settings));
    let parts = parts(settings, options, observer.clone())?;
    let recorder = parts.recorder.clone();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the async runtime")?;
    let exit = runtime.block_on(async move {
        let supervisor = Supervisor::new();
        let spawner = supervisor.spawner();
        let signals = Signals::install().context("cannot listen to signals")?;
        let (command_in, commands) = mpsc::channel(COMMANDS);
        let mut report = StatusReport::new(places(settings));
        report.profile = settings.kustomer.profile.as_ref().map(Profile::status);
        let (report_in, reports) = watch::channel(report);
        let state = AdminState {
            status: reports,
            metrics: metrics.clone(),
            level,
            commands: command_in.clone(),
            halting: spawner.halting().clone(),
            recorder: recorder.clone(),
            pausable: Arc::new(settings.kafka.pausable()),
        };
        // They outlive the drain so that the drain can be watched, and end with the pump.
        let pump_ended = CancellationToken::new();
        for server in admin_servers(&settings.admin, &state).await? {
            let (ends, shutdown) = (pump_ended.clone(), spawner.shutdown().clone());
            spawner.spawn("admin", async move {
                server.serve(ends).await?;
                // If the pump failed, that is the cause that counts, and it has to be noted first.
                shutdown.cancelled().await;
                std::io::Result::Ok(())
            });
        }
        let (suppressed_in, suppressed) = watch::channel(None);
        if let Some(file) = settings.suppressed.clone() {
            let (commands, metrics) = (command_in.clone(), metrics.clone());
            let watch = SuppressedWatch::start(file, commands, suppressed_in, metrics).await;
            let watch = watch.context("privacy.suppressed")?;
            spawner.spawn("suppressed", watch.run(spawner.shutdown().clone()));
        }
        let (key_in, key) = watch::channel(KeyStatus::default());
        let place = settings.kustomer.token.clone();
        let (client, needs) = (parts.client.clone(), options.needs.clone());
        let watch = KeyWatch::new(place, client, needs, command_in, key_in, metrics);
        spawner.spawn("key", watch.run(spawner.shutdown().clone()));
        let (view_in, views) = watch::channel(None);
        spawner.spawn(
            "status",
            report::keep(
                (views, key, suppressed),
                report_in,
                spawner.clone(),
                observer,
            ),
        );
        let shutdown = spawner.shutdown().clone();
        spawner.spawn(
            "pump",
            pump_until_end(parts, shutdown, commands, view_in, pump_ended),
        );
        let drain = settings.kafka.drain_timeout + DRAIN_MARGIN;
        let halting = spawner.halting().clone();
        let exit = recorded(supervisor.run(signals, drain), &halting, &recorder).await;
        tracing::info!(exit = ?exit, "ended");
        anyhow::Ok(exit)
    });
    // A request to brokers that do not answer may still block a thread: do not wait for it.
    runtime.shutdown_background();
    exit
}

/// Runs to the end. Where the process halts, the last steps are written at once: the drain makes many more.
async fn recorded(
    run: impl Future<Output = Exit>,
    halting: &CancellationToken,
    recorder: &Recorder,
) -> Exit {
    let mut run = pin!(run);
    tokio::select! { biased;
        () = halting.cancelled() => {}
        exit = &mut run => return exit,
    }
    let recorder = recorder.clone();
    let write = move || recorder.write_and_tell(RecordingCause::Halt);
    let writing = tokio::task::spawn_blocking(write);
    let exit = run.await;
    match tokio::time::timeout(RECORDING_TIMEOUT, writing).await {
        Ok(Ok(())) => {}
        Ok(Err(_)) => tracing::error!("the last steps are lost: writing them panicked"),
        Err(_) => tracing::error!(
            "the last steps are lost: they could not be written in time; see debug.recording.dir"
        ),
    }
    exit
}

/// The addresses at which the worker can be watched, and takes changes.
async fn admin_servers(
    admin: &AdminSettings,
    state: &AdminState,
) -> anyhow::Result<Vec<AdminServer>> {
    let elsewhere = match admin.control {
        Some(control) => format!(
            "changes are taken at {control} (admin.control), from inside of the worker's container or through a forwarded port, or here with a token (admin.token)"
        ),
        None => {
            "no changes are taken: admin.control is off, and there is no admin.token".to_owned()
        }
    };
    let bind = async |address: SocketAddr, key: &str| {
        let tokens = (admin.token.clone(), admin.read_token.clone());
        let access = Access::new(address, tokens, elsewhere.clone(), state.metrics.clone());
        let bound = AdminServer::bind(address, state.clone(), access).await;
        bound.with_context(|| format!("{key}: {address} cannot be listened on"))
    };
    let watched = bind(admin.listen, "admin.listen").await?;
    tracing::info!(address = %watched.address(), "admin server listens");
    let mut servers = vec![watched];
    if let Some(control) = admin.control {
        match bind(control, "admin.control").await {
            Ok(server) => {
                tracing::info!(address = %server.address(), "changes are taken");
                servers.push(server);
            }
            Err(error) if admin.control_given => return Err(error),
            Err(error) => tracing::warn!(
                error = format!("{error:#}"),
                "no changes are taken without a token: name another address in admin.control"
            ),
        }
    }
    Ok(servers)
}

/// The names from this configuration that advice refers to.
pub(crate) fn places(settings: &Settings) -> Places {
    let kafka = &settings.kafka;
    let name = |topic: &Topic| topic.as_str().to_owned();
    Places {
        brokers: kafka.brokers.clone(),
        dead_letter_topic: name(&kafka.dead_letter_topic),
        hold_topic: kafka.hold_topic.as_ref().map(name),
        receipts_topic: kafka.receipts.as_ref().map(|(topic, _)| name(topic)),
        state_topic: kafka.state_topic.as_ref().map(name),
    }
}

async fn pump_until_end(
    parts: PumpParts,
    shutdown: CancellationToken,
    commands: mpsc::Receiver<Command>,
    views: watch::Sender<Option<PumpView>>,
    ended: CancellationToken,
) -> Result<(), pump::PumpError> {
    let guard = ended.drop_guard();
    let result = Box::pin(pump::run(parts, shutdown, commands, views)).await;
    drop(guard);
    result
}

/// Builds the pump's parts from settings.
///
/// # Errors
/// The token cannot be read, or a client refuses its settings.
pub fn parts(
    settings: &Settings,
    options: &Options,
    observer: Observer,
) -> anyhow::Result<PumpParts> {
    let recorder = Recorder::new(settings.recording.clone(), observer.metrics().clone());
    let client = settings.kustomer_client().context("kustomer.token")?;
    let client = Client::new(client).context("the HTTP client cannot be created")?;
    let place = settings.registry.as_ref();
    let registry = place.map(|place| Ok(ingest_registry::start(place.client()?, place.cache)));
    let registry: Result<_, RegistryError> = registry.transpose();
    let registry = registry.context("schema_registry")?;
    let mut judge = Judge::new(settings.paths())
        .by(traffic(settings))
        .telling(receipts_of(settings))
        .dying_at(options.die_at.as_deref());
    if let Some((handle, _)) = &registry {
        judge = judge.knowing(Arc::<Store>::clone(handle.store()));
    }
    Ok(PumpParts {
        renewal: pump::KafkaRenewal::of(settings),
        kafka: settings.kafka_member().context("kafka")?,
        dead_letter_topic: settings.kafka.dead_letter_topic.clone(),
        hold_topic: settings.kafka.hold_topic.clone(),
        receipts_topic: settings.kafka.receipts.clone().map(|(topic, _)| topic),
        machine: machine(settings, options)?,
        reserve: ReserveWatch::new(
            settings.kustomer.reserve_at.clone(),
            options.time_scale.factor(),
        ),
        pauses: PauseWatch::new(settings.pauses.clone()),
        client,
        judge,
        registry,
        suspects: suspects(settings, options),
        mapper_threads: settings.delivery.mapper_threads,
        traces: traces(settings, &observer).context("tracing")?,
        observer,
        recorder,
    })
}

/// Follows records, if a collector is configured.
fn traces(settings: &Settings, observer: &Observer) -> anyhow::Result<Option<Traces>> {
    let Some(place) = &settings.tracing else {
        return Ok(None);
    };
    let seed = RandomState::new().build_hasher().finish();
    let (host, port) = settings.kustomer.base_url.server();
    let settings = TraceSettings {
        export: place.export(&format!("{seed:016x}"))?,
        ratio: place.ratio,
        spans_per_second: place.spans_per_second,
        group: Arc::from(settings.kafka.group.as_str()),
        server: (host.to_owned(), port),
        seed,
    };
    Ok(Some(Traces::new(&settings, observer.clone())?))
}

/// What decides how urgent a record is.
pub(crate) fn traffic(settings: &Settings) -> TrafficRules {
    let topics = settings.kafka.topics.iter();
    let topics = topics.filter_map(|one| Some((one.topic.clone(), one.traffic?)));
    TrafficRules {
        after: settings.delivery.backfill_after,
        topics: topics.collect(),
    }
}

/// Which records have a receipt.
fn receipts_of(settings: &Settings) -> ReceiptsOf {
    let receipts = settings.kafka.receipts.as_ref();
    receipts.map_or(ReceiptsOf::Nothing, |(_, of)| *of)
}

/// Tracks records at which the process may die. The worker also runs without it.
fn suspects(settings: &Settings, options: &Options) -> Option<Suspects> {
    let dir = &settings.state_dir;
    let open = || {
        let mut arguments = vec![
            "try-records".into(),
            "--config".into(),
            options.config.clone().into_os_string(),
        ];
        if let Some(text) = &options.die_at {
            arguments.extend(["--die-at".into(), text.into()]);
        }
        let child = Child {
            program: std::env::current_exe()?,
            arguments,
            patience: Patience::default(),
        };
        Suspects::open(dir, &settings.kafka.group, child, Clock.unix_ms())
    };
    let opened: std::io::Result<Suspects> = open();
    let unusable = |error: &std::io::Error| {
        tracing::warn!(
            dir = %dir.display(),
            error = %error,
            "state.dir cannot be used: a record that kills the process will not be detected"
        );
    };
    opened.inspect_err(unusable).ok()
}

fn machine(settings: &Settings, options: &Options) -> anyhow::Result<MachineSettings> {
    let mut machine = delivery(settings, options.time_scale)?;
    // The group counts from the last heartbeat, which may be older than the last step.
    let session = settings.kafka_client().context("kafka")?.session_timeout();
    machine.asleep_after = Some(session.unwrap_or(BROKER_SESSION_TIMEOUT) * 3 / 4);
    machine
        .accept_dead_letters
        .clone_from(&options.accept_dead_letters);
    machine.receipts = receipts_of(settings);
    // Different in each process: replicas with the same jitter would act in lockstep.
    machine.seed = RandomState::new().build_hasher().finish();
    Ok(machine)
}

/// The machine's settings, as far as they do not depend on the process.
///
/// # Errors
/// The time scale is out of range.
pub fn delivery(settings: &Settings, scale: TimeScale) -> anyhow::Result<MachineSettings> {
    let quota = settings.kustomer.quota;
    let mut machine = MachineSettings::new(
        quota.limit(),
        quota.share(),
        quota.reserve(),
        scale.factor(),
    )
    .context("the time scale is out of range")?;
    // The client library may prefetch a quarter of the budget; the machine has the rest.
    let own = |part: u64| (part - part / 4).max(1);
    machine.budget = Charge {
        records: own(settings.budget.records),
        bytes: own(settings.budget.bytes),
    };
    machine.max_in_flight = settings.kustomer.max_concurrency;
    machine.creates_per_customer = settings.kustomer.creates_per_customer;
    let profile = settings.kustomer.profile.as_ref();
    machine.beliefs = profile.map_or_else(Beliefs::default, |one| one.answers.beliefs());
    machine.patience.max_delay = scale.shorten(settings.delivery.max_delay);
    // The client itself releases a revoked partition at the deadline: the machine has to be done before.
    machine.drain_timeout = settings.kafka.drain_timeout * 3 / 4;
    machine.commit_interval = settings.kafka.commit_interval;
    machine.state = settings
        .kafka
        .state_topic
        .as_ref()
        .map(|_| StateSettings::default());
    for topic in &settings.kafka.topics {
        let keyed = match topic.keyed_by {
            KeyedBy::Customer | KeyedBy::Object => true,
            KeyedBy::None => false,
        };
        if topic.keyed_by == KeyedBy::Customer {
            machine.by_customer.insert(topic.topic.clone());
        }
        let weight = f64::from(topic.weight.get());
        machine
            .topics
            .insert(topic.topic.clone(), TopicSettings { weight, keyed });
        let mapping = topic.pipeline.mapping();
        machine.owners_of.extend(mapping.owners_of());
        if settings.kafka.hold_topic.is_some() {
            let diverting = mapping.diverting();
            machine.diverting.insert(topic.topic.clone(), diverting);
        }
    }
    Ok(machine)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::RecordingSettings;

    #[test]
    fn topics_whose_dead_letters_are_accepted_reach_the_machine() {
        let text = "kafka:\n  brokers: b:1\n  group: g\n  dead_letter_topic: d\n  topics:\n    - name: t\n      mapping:\n        \
             routes: [ { name: r, on: x, do: [ { track: .event } ] } ]\nkustomer:\n  base_url: http://127.0.0.1:1\n  \
             limit: 100\n  token: { env: T }\n";
        let settings = crate::config::parse(std::path::Path::new("w.yaml"), text)
            .expect("a good configuration");
        let options = Options {
            accept_dead_letters: [Topic::new("t")].into(),
            ..Options::default()
        };
        let machine = machine(&settings, &options).expect("good settings");
        assert_eq!(machine.accept_dead_letters, [Topic::new("t")].into());
    }

    #[tokio::test]
    async fn the_recording_of_a_halt_does_not_wait_for_the_drain() {
        let folder = tempfile::tempdir().unwrap();
        let settings = RecordingSettings {
            steps: 4,
            dir: folder.path().to_owned(),
            ..RecordingSettings::default()
        };
        let recorder = Recorder::new(settings, Metrics::new());
        let machine = MachineSettings::new(60, 1.0, 0, 1.0).unwrap();
        recorder.begin(Clock.now(), 0, &machine);
        let halting = CancellationToken::new();
        // It drains until the recording is there.
        let drain = async {
            let whole = || {
                let mut files = std::fs::read_dir(folder.path()).unwrap();
                files.any(|file| {
                    file.unwrap()
                        .path()
                        .to_string_lossy()
                        .ends_with("-halt.jsonl")
                })
            };
            while !whole() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Exit::Drained
        };
        halting.cancel();
        let ended = recorded(drain, &halting, &recorder);
        let ended = tokio::time::timeout(Duration::from_secs(20), ended).await;
        assert_eq!(ended.expect("it is written meanwhile"), Exit::Drained);
    }

    #[tokio::test]
    async fn a_run_that_ends_well_leaves_no_recording() {
        let folder = tempfile::tempdir().unwrap();
        let settings = RecordingSettings {
            steps: 4,
            dir: folder.path().to_owned(),
            ..RecordingSettings::default()
        };
        let recorder = Recorder::new(settings, Metrics::new());
        let machine = MachineSettings::new(60, 1.0, 0, 1.0).unwrap();
        recorder.begin(Clock.now(), 0, &machine);
        let halting = CancellationToken::new();
        let ended = recorded(async { Exit::Drained }, &halting, &recorder).await;
        assert_eq!(ended, Exit::Drained);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
