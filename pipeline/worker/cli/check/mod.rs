//! `check`: shows every fault before deployment, what deserves a second look, and what the configuration amounts to.

mod backlog;
mod finding;
#[cfg(test)]
mod mistakes;
pub(crate) mod needs;
mod online;
mod profile;
mod quota;
mod registry;
pub mod suppressed;
mod tracing;

use std::collections::BTreeSet;
use std::path::PathBuf;

use ingest_encoding::Kind;
use ingest_kafka::reader::topics::check_client;
use ingest_kustomer::Need;
use ingest_mapping::decode::Format;
use ingest_mapping::mapping::{KlassUse, MappingError, RouteInfo, fold};
use ingest_mapping::route::Pipeline;

use self::finding::{Finding, Level};
use self::needs::roles;
use super::args::CheckArgs;
use super::exit::{CommandError, CommandExit};
use super::mappings::test::tests;
use super::output::Output;
use super::provision::needed::klasses;
use crate::clock::Clock;
use crate::config::settings::LOCATIONS;
use crate::config::{Examined, Faults, KeyedBy, PropertyValue, Settings};
use crate::observe::words::plural;

/// The events of BigCommerce that are about customers.
const OF_CUSTOMERS: &str = "store/customer/";

/// Checks the configuration, its mappings and their tests, and with `--online` the key, the klasses and the topics.
///
/// # Errors
///
/// When the output cannot be written.
pub fn run(args: &CheckArgs, out: &mut Output<'_>) -> Result<CommandExit, CommandError> {
    let Examined {
        settings,
        pipelines,
        untested,
    } = crate::config::examine_file(&args.config.config);
    let settings = match settings {
        Ok(settings) => settings,
        Err(faults) => return faulty(&faults, &pipelines, &untested, out),
    };
    let mut findings = offline(&settings);
    if args.online {
        findings.extend(online::findings(&settings)?);
    }
    for line in summary(&settings) {
        out.line(&line)?;
    }
    // What needs somebody's attention goes last.
    findings.sort_by_key(|finding| finding.level);
    for finding in &findings {
        out.line(&finding.to_string())?;
    }
    let number = |level| findings.iter().filter(|f| f.level == level).count();
    let faults = number(Level::Fault);
    out.line(&count(faults, number(Level::Warning)))?;
    Ok(if faults == 0 {
        CommandExit::Good
    } else {
        CommandExit::Faults
    })
}

/// A configuration that cannot be used: its faults, and the results of the tests in those mappings that are valid.
fn faulty(
    faults: &Faults,
    pipelines: &[Pipeline],
    untested: &[PathBuf],
    out: &mut Output<'_>,
) -> Result<CommandExit, CommandError> {
    out.line(&faults.to_string())?;
    let failures = tests(pipelines)
        .into_iter()
        .flat_map(|tested| tested.failures().collect::<Vec<_>>());
    let failures: Vec<Finding> = failures.map(failed_test).collect();
    for finding in &failures {
        out.line(&finding.to_string())?;
    }
    for file in untested {
        let file = file.display();
        out.line(&format!(
            "{file}: its tests were not run: they need a mapping without faults"
        ))?;
    }
    out.line(&count(faults.all().len() + failures.len(), 0))?;
    Ok(CommandExit::Faults)
}

fn failed_test(failure: String) -> Finding {
    Finding::fault(failure, "correct the mapping or the test")
}

/// Checks that ask nobody.
fn offline(settings: &Settings) -> Vec<Finding> {
    let mut findings = Vec::new();
    for tested in tests(pipelines(settings)) {
        findings.extend(tested.failures().map(failed_test));
        if tested.results.is_empty() {
            let way_out =
                "add some under `tests:`; they keep a later change from breaking what works";
            findings.push(Finding::warning(
                format!("{}: no tests", tested.file),
                way_out,
            ));
        }
    }
    let mut seen: Vec<&str> = Vec::new();
    for pipeline in pipelines(settings) {
        findings.extend(nobody_named(pipeline));
        let mapping = pipeline.mapping();
        if !seen.contains(&mapping.file()) {
            seen.push(mapping.file());
            findings.extend(mapping.doubts().iter().map(doubt));
            findings.extend(mapping.unsafe_ids(pipeline.format()).iter().map(doubt));
        }
    }
    for (klass, used) in klasses(settings) {
        findings.extend(data_warning(&klass, &used));
    }
    findings.extend(keyed_warnings(settings));
    findings.extend(never_count(settings));
    findings.extend(over(settings));
    let base_url = &settings.kustomer.base_url;
    if base_url.as_str().starts_with("http://") && !base_url.is_loopback() {
        let text = format!("kustomer.base_url {base_url} sends the key in clear text");
        findings.push(Finding::warning(
            text,
            "use https, unless this is a simulator in a private network",
        ));
    }
    let doubts = settings
        .kafka
        .connection()
        .map(|connection| connection.doubts);
    for doubt in doubts.unwrap_or_default() {
        findings.push(Finding::warning(
            format!("kafka: {}", doubt.problem),
            doubt.way_out,
        ));
    }
    if let Err(error) = settings.kustomer.token.read() {
        let text = format!("kustomer.token: {:#}", anyhow::Error::from(error));
        findings.push(Finding::warning(
            text,
            "it need not exist here, but where the worker runs",
        ));
    }
    findings.extend(settings.suppressed.as_ref().and_then(suppressed::finding));
    findings.extend(profile::warnings(settings, Clock.unix_ms()));
    findings.extend(registry::warnings(settings));
    findings.extend(tracing::warnings(settings));
    let missing: Vec<Finding> = missing_files(settings).collect();
    // A missing file may exist where the worker runs, so the client is tried only if none is missing.
    if missing.is_empty()
        && let Ok(client) = settings.kafka_client()
    {
        let stalls = client.known_stalls().into_iter();
        findings.extend(stalls.map(|stall| Finding::warning(stall.problem, stall.way_out)));
        if let Err(error) = check_client(&client) {
            findings.push(Finding::fault(
                format!("kafka.properties: {error}"),
                "see librdkafka's list of configuration properties",
            ));
        }
    }
    findings.extend(missing);
    if let Some(Err(error)) = settings.kafka.instance_id.as_ref().map(PropertyValue::read) {
        let text = format!("kafka.instance_id: {:#}", anyhow::Error::from(error));
        findings.push(Finding::warning(
            text,
            "it need not exist here, but where the worker runs",
        ));
    }
    findings
}

fn pipelines(settings: &Settings) -> impl Iterator<Item = &Pipeline> {
    settings.kafka.topics.iter().map(|topic| &topic.pipeline)
}

fn doubt(doubt: &MappingError) -> Finding {
    let (help, bare) = (
        doubt.help.clone(),
        MappingError {
            help: None,
            ..doubt.clone()
        },
    );
    Finding::warning(bare.to_string(), help.unwrap_or_default())
}

/// Routes that write for a customer although neither they nor the format name one: every record would be rejected.
fn nobody_named(pipeline: &Pipeline) -> Vec<Finding> {
    let format = pipeline.format();
    let knows_none = |route: &RouteInfo| {
        // its webhooks name a customer where they are about one, and otherwise a number alone
        let is_of_one = |on: &String| on == "*" || fold(on).starts_with(&fold(OF_CUSTOMERS));
        let is_of_others = format == Format::Bigcommerce
            && !pipeline.mapping().names_events()
            && !route.on.iter().any(is_of_one);
        is_of_others || !format.names_customers()
    };
    let file = pipeline.mapping().file();
    let routes = pipeline.mapping().routes().into_iter();
    routes
        .filter(|route| route.trusts_envelope && knows_none(route))
        .map(|route| {
            Finding::fault(
                format!(
                    "{file}:{}: the route `{}` writes for a customer, and none is named: format {format} knows none{}",
                    route.place.line,
                    route.name,
                    if format.names_customers() { " of these events" } else { "" },
                ),
                "give the route `customer`, such as { externalId: .customer_id }; `customer: none` for objects that appear on no timeline",
            )
        })
        .collect()
}

/// Files of the client that do not exist: the client would notice only when it is created.
fn missing_files(settings: &Settings) -> impl Iterator<Item = Finding> {
    let named = settings.kafka.properties.iter();
    named.filter_map(|(property, value)| {
        let is_file = LOCATIONS.contains(&property.as_str());
        let path = value.read().ok().filter(|_| is_file)?;
        let is_there = path == "probe" || std::fs::exists(&path).unwrap_or(false);
        (!is_there).then(|| {
            Finding::warning(
                format!("kafka.properties[{property}]: there is no {path}"),
                "it need not exist here, but where the worker runs",
            )
        })
    })
}

/// How values are encoded, unless they are JSON.
fn encoded(kind: Kind) -> String {
    match kind {
        Kind::Json => String::new(),
        Kind::Registry => " by schema ids of the registry".to_owned(),
        Kind::Avro | Kind::AvroSingleObject | Kind::Protobuf | Kind::Auto => {
            format!(" encoded as {}", kind.as_str())
        }
    }
}

/// `data` is replaced as a whole, so routes that write different parts of it undo each other's writes.
fn data_warning(klass: &str, used: &KlassUse) -> Option<Finding> {
    let parts: BTreeSet<&Option<Vec<String>>> = used.data.iter().map(|(_, keys)| keys).collect();
    let routes: Vec<&str> = used.data.iter().map(|(route, _)| &**route).collect();
    (parts.len() > 1).then(|| {
        Finding::warning(
            format!("klass {klass}: the routes {} write different parts of data", routes.join(", ")),
            "data is replaced as a whole, so each undoes the others: write the same keys everywhere, or use custom",
        )
    })
}

/// The cost of not saying what the topics' keys guarantee.
fn keyed_warnings(settings: &Settings) -> Vec<Finding> {
    let writes_objects = |kinds: &[&str]| {
        let objects = ["kobject", "customer", "company"];
        kinds.iter().any(|kind| objects.contains(kind))
    };
    settings
        .kafka
        .topics
        .iter()
        .filter(|topic| topic.keyed_by == KeyedBy::None)
        .filter(|topic| topic.pipeline.mapping().routes().iter().any(|r| writes_objects(&r.kinds)))
        .map(|topic| {
            Finding::warning(
                format!("topic {}: keyed_by is none, so with several replicas every update of an object is sent, even one that changes nothing; where Kustomer ignores revisions each of a versioned object also costs a read first", topic.topic),
                "if all records of one customer or one object share a partition, say so: keyed_by: customer or keyed_by: object",
            )
        })
        .collect()
}

/// What the configuration amounts to.
fn summary(settings: &Settings) -> Vec<String> {
    let mut lines = Vec::new();
    let total: u32 = settings.kafka.topics.iter().map(|t| t.weight.get()).sum();
    for topic in &settings.kafka.topics {
        let mapping = topic.pipeline.mapping();
        let part = f64::from(topic.weight.get()) * 100.0 / f64::from(total.max(1));
        lines.push(format!(
            "topic {}: {}{}, {} of {}, keyed by {}, {part:.0} % of the requests",
            topic.topic,
            topic.pipeline.format(),
            encoded(topic.encoding.kind()),
            plural(mapping.routes().len(), "route"),
            mapping.file(),
            topic.keyed_by.as_str(),
        ));
        for route in mapping.routes() {
            let what = match &route.skip {
                Some(reason) => format!("skipped: {reason}"),
                None => route.kinds.join(", "),
            };
            lines.push(format!(
                "  route {}: {} -> {what}",
                route.name,
                route.on.join(", ")
            ));
        }
        for klass in mapping.owners_of() {
            lines.push(format!("  objects of klass {klass} name customers; they are read where no record said whose they are"));
        }
        let customer = mapping.customer_attributes();
        if !customer.is_empty() {
            lines.push(format!("  customers get {}", customer.join(", ")));
        }
        let company = mapping.company_attributes();
        if !company.is_empty() {
            lines.push(format!("  companies get {}", company.join(", ")));
        }
    }
    for (klass, used) in klasses(settings) {
        lines.push(if used.attributes.is_empty() {
            format!("klass {klass}")
        } else {
            format!("klass {klass}: {}", used.attributes.join(", "))
        });
    }
    let roles = roles(settings);
    let first = |need: &Need| need.roles().first().copied().unwrap_or_default();
    let needed: Vec<&str> = roles.needed.iter().map(first).collect();
    lines.push(format!("roles: {}", needed.join(", ")));
    for (need, without) in &roles.helpful {
        lines.push(format!("  without {}, {without}", first(need)));
    }
    let quota = settings.kustomer.quota;
    lines.push(format!(
        "requests: at most {} of the organisation's {} a minute, {} left alone",
        quota.allowance(),
        quota.limit(),
        quota.reserve(),
    ));
    lines.extend(reserve_at(settings));
    lines.extend(settings.kustomer.profile.as_ref().map(profile::summary));
    let pauses = settings.pauses.windows().iter();
    lines.extend(pauses.map(|window| format!("pause {window}")));
    lines
}

/// What is left alone by the time of day, and what remains.
fn reserve_at(settings: &Settings) -> Vec<String> {
    let quota = settings.kustomer.quota;
    let schedule = &settings.kustomer.reserve_at;
    let entries = schedule.entries().iter().map(|entry| {
        let remains = quota.with_reserve(entry.reserve).allowance();
        format!(
            "    {entry}: at most {remains}, {} left alone",
            entry.reserve
        )
    });
    let mut lines: Vec<String> = entries.collect();
    if schedule.changes() {
        let head = "  by kustomer.reserve_at, the first of these that holds:";
        lines.insert(0, head.to_owned());
    }
    lines
}

/// Entries that cannot come true. Those hidden in their own zone are faults of the configuration.
fn never_count(settings: &Settings) -> Vec<Finding> {
    let schedule = &settings.kustomer.reserve_at;
    let hidden = schedule.never_count(Clock.unix_ms());
    let entries = hidden.into_iter().filter_map(|place| {
        let entry = schedule.entries().get(place)?;
        let line = entry.spot.map_or_else(String::new, |spot| format!(" (line {})", spot.line));
        Some(Finding::warning(
            format!(
                "kustomer.reserve_at[{place}]{line}: {entry}: does not count at any time in the year from today, because entries \
                 before it hold at all of its times, and the first one that holds counts"
            ),
            "put it before them, or leave it out",
        ))
    });
    entries.collect()
}

/// Pauses that will never be again.
fn over(settings: &Settings) -> Vec<Finding> {
    let now_ms = Clock.unix_ms();
    let over = settings.pauses.windows().iter();
    let over = over.filter(|window| window.is_over(now_ms)).map(|window| {
        Finding::warning(format!("pause {window}: is over"), "leave it out of pauses")
    });
    over.collect()
}

fn count(faults: usize, warnings: usize) -> String {
    match (faults, warnings) {
        (0, 0) => "ok".to_owned(),
        (0, warnings) => format!("ok, {}", plural(warnings, "warning")),
        (faults, 0) => plural(faults, "fault"),
        (faults, warnings) => format!(
            "{}, {}",
            plural(faults, "fault"),
            plural(warnings, "warning")
        ),
    }
}
