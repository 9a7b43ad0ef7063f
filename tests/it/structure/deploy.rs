//! What `deploy/` says about the worker, against the worker: metrics that exist, sections of the runbook that exist, and the
//! words that the chart's init container looks for.

use std::collections::{BTreeMap, BTreeSet};

use ingest_kustomer::TokenError;
use ingest_mapping::mapping::node::Node;
use ingest_model::outcome::HoldCause;
use serde_json::Value;

use crate::vocabulary::{files, read, root};

const RULES: &str = "deploy/chart/files/rules.yaml";
const TESTS: &str = "deploy/alerts/rules_test.yaml";
const DASHBOARD: &str = "deploy/chart/files/dashboard.json";
const PREFIX: &str = "kustomer_ingest_";
const RECORDED: &str = "kustomer_ingest:";

fn text(file: &str) -> String {
    read(&root().join(file))
}

fn yaml(file: &str) -> Value {
    serde_json::to_value(Node::from_yaml(&text(file)).unwrap().to_json()).unwrap()
}

/// The rules of all groups.
fn rules() -> Vec<Value> {
    let groups = yaml(RULES)["groups"].as_array().unwrap().clone();
    let rules = groups
        .iter()
        .map(|group| group["rules"].as_array().unwrap());
    rules.flatten().cloned().collect()
}

/// Every expression of the dashboard, wherever it stands.
fn expressions(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if let Some(text) = value.as_str() {
                    if name == "expr" || name == "definition" {
                        into.push(text.to_owned());
                    }
                } else {
                    expressions(value, into);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| expressions(item, into)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The names in a text that begin with a prefix.
fn names(text: &str, prefix: &str) -> BTreeSet<String> {
    let of_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    text.split(prefix)
        .skip(1)
        .map(|rest| format!("{prefix}{}", rest.split(|c| !of_name(c)).next().unwrap()))
        .collect()
}

/// The values that are named in an expression's selectors, such as `a` and `b` of `{cause=~"a|b"}`.
fn values(expression: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let parts: Vec<&str> = expression.split('"').collect();
    for part in parts.chunks(2) {
        let [before, value] = part else {
            continue;
        };
        if !before.ends_with(['=', '~']) {
            continue;
        }
        let label = before
            .trim_end_matches(['=', '~', '!'])
            .rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .next()
            .unwrap();
        // what Prometheus adds, and bounds of buckets
        if !matches!(label, "namespace" | "job" | "le") {
            found.extend(value.split('|').map(str::to_owned));
        }
    }
    found
}

/// Every metric of docs/metrics.md without its prefix, and its type.
fn documented() -> BTreeMap<String, String> {
    let page = text("docs/metrics.md");
    let rows = page.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| `")?.split('|');
        let name = cells.next()?.trim().trim_end_matches('`').to_owned();
        let kind = cells.next()?.trim().to_owned();
        matches!(&*kind, "counter" | "gauge" | "histogram").then_some((name, kind))
    });
    rows.collect()
}

/// What is wrong with the metrics of an expression.
fn unknown(expression: &str, documented: &BTreeMap<String, String>) -> Vec<String> {
    let known = |name: &str| {
        let name = name.strip_prefix(PREFIX).unwrap();
        let histogram = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|part| name.strip_suffix(part))
            .is_some_and(|base| documented.get(base).is_some_and(|kind| kind == "histogram"));
        histogram || documented.get(name).is_some_and(|kind| kind != "histogram")
    };
    let wrong = names(expression, PREFIX).into_iter();
    wrong.filter(|name| !known(name)).collect()
}

#[test]
fn rules_and_dashboard_ask_for_metrics_that_exist() {
    let documented = documented();
    assert!(documented.len() > 90, "docs/metrics.md was not read");
    let page = text("docs/metrics.md");
    let mut asked: Vec<String> = rules()
        .iter()
        .map(|rule| rule["expr"].as_str().unwrap().to_owned())
        .collect();
    let dashboard: Value = serde_json::from_str(&text(DASHBOARD)).unwrap();
    expressions(&dashboard, &mut asked);
    asked.push(text("deploy/chart/templates/scaledobject.yaml"));
    assert!(asked.len() > 80, "{} expressions", asked.len());
    let recorded: BTreeSet<String> = rules()
        .iter()
        .filter_map(|rule| Some(rule["record"].as_str()?.to_owned()))
        .collect();
    let mut wrong = Vec::new();
    for expression in &asked {
        wrong.extend(unknown(expression, &documented));
        let used = names(expression, RECORDED).into_iter();
        wrong.extend(used.filter(|name| !recorded.contains(name)));
        let named = values(expression).into_iter();
        wrong.extend(named.filter(|value| !page.contains(value.as_str())));
    }
    assert_eq!(wrong, Vec::<String>::new(), "not in docs/metrics.md");
}

#[test]
fn a_metric_that_does_not_exist_is_noticed() {
    let documented = documented();
    let wrong = unknown(
        "rate(kustomer_ingest_holds[5m]) + kustomer_ingest_holdz + kustomer_ingest_delay_seconds \
         + kustomer_ingest_delay_seconds_bucket + kustomer_ingest_holds_count",
        &documented,
    );
    assert_eq!(
        wrong,
        [
            "kustomer_ingest_delay_seconds",
            "kustomer_ingest_holds_count",
            "kustomer_ingest_holdz"
        ]
    );
    let named = values(r#"a{cause=~"x|y",job="z"} > 0 and b{kind!="w"}"#);
    assert_eq!(named.into_iter().collect::<Vec<_>>(), ["w", "x", "y"]);
}

/// The anchor of a heading, as the pages' server makes it.
fn anchor(heading: &str) -> String {
    let kept = heading.trim_start_matches('#').trim().to_lowercase();
    kept.chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

#[test]
fn every_alert_leads_to_a_section_of_the_runbook() {
    let page = text("docs/operations.md");
    let sections: BTreeSet<String> = page
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(anchor)
        .collect();
    let causes = text("docs/metrics.md");
    let causes = causes
        .lines()
        .find_map(|line| line.strip_prefix("| cause (holds) | "))
        .unwrap()
        .trim_end_matches(" |")
        .to_owned();
    let mut wrong = Vec::new();
    let mut alerts = 0;
    for rule in rules() {
        let Some(alert) = rule["alert"].as_str() else {
            continue;
        };
        alerts += 1;
        let severity = rule["labels"]["severity"].as_str().unwrap_or_default();
        let said = ["summary", "description"].map(|part| rule["annotations"][part].is_string());
        if !matches!(severity, "critical" | "warning" | "info") || said != [true, true] {
            wrong.push(format!("{alert}: severity, summary or description"));
        }
        let link = rule["annotations"]["runbook_url"]
            .as_str()
            .unwrap_or_default();
        let Some(section) = link.strip_prefix("docs/operations.md#") else {
            wrong.push(format!("{alert}: {link}"));
            continue;
        };
        for cause in causes.split(", ") {
            let section = section.replace("{{ $labels.cause }}", cause);
            if !sections.contains(&section) {
                wrong.push(format!("{alert}: {section}"));
            }
        }
    }
    assert!(alerts > 20, "{alerts} alerts");
    assert_eq!(wrong, Vec::<String>::new(), "not in docs/operations.md");
}

#[test]
fn every_alert_is_shown_to_fire_and_not_to_fire() {
    let mut shown: BTreeMap<String, (bool, bool)> = BTreeMap::new();
    for test in yaml(TESTS)["tests"].as_array().unwrap() {
        for check in test["alert_rule_test"].as_array().unwrap() {
            let name = check["alertname"].as_str().unwrap().to_owned();
            let (fires, rests) = shown.entry(name).or_default();
            let none = check["exp_alerts"].as_array().unwrap().is_empty();
            *fires |= !none;
            *rests |= none;
        }
    }
    let alerts: BTreeSet<String> = rules()
        .iter()
        .filter_map(|rule| Some(rule["alert"].as_str()?.to_owned()))
        .collect();
    let whole: BTreeSet<String> = shown
        .into_iter()
        .filter_map(|(name, both)| (both == (true, true)).then_some(name))
        .collect();
    assert_eq!(whole, alerts, "promtool test rules {TESTS}");
}

/// The init container knows a refused key by these words; others let the pod start.
#[test]
fn the_chart_knows_the_words_of_a_refused_key() {
    let words = format!("fault: key: {}", TokenError::Refused(HoldCause::BadToken));
    let pod = text("deploy/chart/templates/_pod.tpl");
    assert!(pod.contains(&format!("grep -q '^{words}'")), "{words}");
}

/// The keys of a schema, such as `kafka.topics[].name`.
fn keys(schema: &Value, path: &str, into: &mut BTreeSet<String>) {
    for (name, below) in schema["properties"].as_object().into_iter().flatten() {
        let key = format!("{path}{name}");
        keys(below, &format!("{key}."), into);
        keys(&below["items"], &format!("{key}[]."), into);
        into.insert(key);
    }
}

/// The keys that values set, in the same form.
fn given(values: &Value, path: &str, into: &mut BTreeSet<String>) {
    for (name, below) in values.as_object().into_iter().flatten() {
        let key = format!("{path}{name}");
        given(below, &format!("{key}."), into);
        for item in below.as_array().into_iter().flatten() {
            given(item, &format!("{key}[]."), into);
        }
        into.insert(key);
    }
}

/// `.ci/run` renders the chart with these values, and lets the worker check what comes of them.
#[test]
fn every_key_of_the_configuration_is_in_some_values_of_the_chart() {
    let schema: Value = serde_json::from_str(&text("deploy/chart/values.schema.json")).unwrap();
    let mut known = BTreeSet::new();
    keys(&schema["properties"]["config"], "", &mut known);
    assert!(known.len() > 80, "{} keys", known.len());
    let mut set = BTreeSet::new();
    for file in files(&root().join("deploy/chart/ci"), "yaml") {
        let values = yaml(&file.display().to_string());
        given(&values["config"], "", &mut set);
    }
    let missing: Vec<&String> = known.difference(&set).collect();
    assert_eq!(missing, Vec::<&String>::new(), "deploy/chart/ci");
}
