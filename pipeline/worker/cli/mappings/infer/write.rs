//! The mapping as a text with comments, and what was found in words.

use std::collections::{BTreeMap, BTreeSet};

use ingest_mapping::mapping::Mapping;
use serde_json::Value;

use super::look::{Found, Looked, Seen, quoted};
use super::plan::{AS_TEXT, Action, Proposed};
use super::whose::Customer;
use crate::cli::mappings::drafts::pinned::{Case, differs};
use crate::cli::mappings::drafts::redact::{Kind, Redactor};
use crate::cli::mappings::drafts::yaml::scalar;
use crate::observe::words::plural;

/// The most paths that are listed for an event.
const LISTED: usize = 40;

/// The mapping with its tests.
pub(super) fn mapping(
    looked: &Looked,
    routes: &[Proposed<'_>],
    file: &str,
) -> anyhow::Result<String> {
    let mut text = head(looked, routes).join("\n");
    text.push('\n');
    for route in routes {
        text.push_str(&self::route(route, looked.chosen.item()).join("\n"));
        text.push('\n');
    }
    // The tests are what this makes of one record of each kind.
    let untested = Mapping::compile(&text, file).map_err(|errors| {
        let all: Vec<String> = errors.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("what would be proposed is no mapping: {}", all.join("; "))
    })?;
    let mut tests = Vec::new();
    for route in routes {
        tests.extend(test(looked, route, &untested));
    }
    if !tests.is_empty() {
        text.push_str("\n# One record of each kind, with made-up values in place of personal ones and of ids, and what becomes of it.\ntests:\n");
        text.push_str(&tests.join("\n"));
        text.push('\n');
    }
    Ok(text)
}

fn head(looked: &Looked, routes: &[Proposed<'_>]) -> Vec<String> {
    let chosen = &looked.chosen;
    let mut lines = vec![
        format!("# Proposed from {}, {} of which are events of format {}.", plural(looked.read + looked.unread, chosen.item()), looked.read, chosen.format),
        "# It is a beginning: read it, remove what tells an agent nothing, and name things as your agents do.".to_owned(),
        "# Below each route's comment: path, type, how often it says something, and what looks personal.".to_owned(),
        format!("format: {}", chosen.format),
    ];
    if let Some(each) = &chosen.each {
        lines.insert(
            1,
            format!("# Records are batches: lists of events, which stand at `{each}`."),
        );
    }
    if chosen.is_timeless {
        let text = "# When things happened was not found, so each event has the time of its record: `event: { time: … }` names the field.";
        lines.push(text.to_owned());
    }
    let header: Vec<String> = [
        ("each", chosen.each.clone()),
        ("name", chosen.name.as_deref().map(path)),
        ("id", chosen.id.as_deref().map(path)),
        ("time", chosen.time.as_deref().map(path)),
    ]
    .into_iter()
    .filter_map(|(part, expression)| Some(format!("{part}: {}", quote(&expression?))))
    .collect();
    if !header.is_empty() {
        lines.push(format!("event: {{ {} }}", header.join(", ")));
    }
    let rest = looked.events.len().saturating_sub(routes.len());
    if rest > 0 {
        let names: Vec<&str> = looked
            .events
            .iter()
            .skip(routes.len())
            .take(10)
            .map(|seen| &*seen.name)
            .collect();
        lines.push(format!(
            "# No route yet: {} of {} further names, such as {}",
            looked
                .events
                .iter()
                .skip(routes.len())
                .map(|seen| seen.count)
                .sum::<usize>()
                + looked.more,
            rest,
            comment(&names.join(", "))
        ));
    }
    lines.push("routes:".to_owned());
    lines
}

/// The expression for the field to which these keys lead.
fn path(keys: &[String]) -> String {
    keys.iter().map(|key| format!(".{}", quoted(key))).collect()
}

/// An expression as a YAML value.
fn quote(expression: &str) -> String {
    let plain = expression
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '$'));
    if plain {
        expression.to_owned()
    } else {
        format!("'{}'", expression.replace('\'', "''"))
    }
}

/// A text that stands in a comment.
fn comment(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

fn route(route: &Proposed<'_>, item: &str) -> Vec<String> {
    let seen = route.seen;
    let mut lines = vec![String::new()];
    let named = comment(&seen.name);
    let kind = seen
        .kind
        .map_or_else(String::new, |kind| format!(" ({kind})"));
    lines.push(format!("  # {named}{kind}: {}", plural(seen.count, item)));
    lines.extend(paths(seen).into_iter().map(|line| format!("  #   {line}")));
    lines.push(format!("  - name: {}", scalar(&route.name)));
    match seen.kind {
        Some(kind) if kind != "track" => {
            lines.push(format!("    on: {kind}"));
        }
        Some(_) | None => lines.push(format!("    on: {}", on(&seen.name))),
    }
    match (&route.action, &route.whose.customer) {
        (Action::Skip { why }, _) => {
            lines.push(format!("    skip: {}", scalar(why)));
            return lines;
        }
        (Action::Gone { thing, is_told }, _) => {
            lines.extend(gone(thing.as_ref(), *is_told));
            return lines;
        }
        (_, Customer::Envelope) => {
            lines.push("    # the customer is the one that the envelope names".to_owned());
        }
        (_, Customer::Keys(keys)) => {
            let keys: Vec<String> = keys
                .iter()
                .map(|(kind, path)| format!("{kind}: {}", quote(path)))
                .collect();
            if route.whose.is_doubtful {
                lines.push("    # is this the customer, and never somebody of the staff? Only then leave it as it is".to_owned());
            }
            lines.push(format!("    customer: {{ {} }}", keys.join(", ")));
        }
        (_, Customer::From { klass, path }) => {
            lines.push(format!(
                "    # whoever the {klass} belongs to that it names; objects of klass {klass} need this id as their externalId"
            ));
            lines.push(format!(
                "    customer: {{ from: {{ klass: {}, externalId: {} }} }}",
                scalar(klass),
                quote(path)
            ));
        }
        (_, Customer::Nobody) => {
            lines.push("    # nobody is named, so the object is on no timeline; customer: { from: … } takes another object's customer".to_owned());
            lines.push("    customer: none".to_owned());
        }
    }
    let others: Vec<String> = route
        .whose
        .others
        .iter()
        .take(6)
        .map(|path| comment(path))
        .collect();
    if !others.is_empty() {
        lines.push(format!(
            "    # not taken for the customer, because they are or may be somebody else: {}",
            others.join(", ")
        ));
    }
    lines.push("    do:".to_owned());
    match &route.action {
        Action::Object {
            klass,
            external_id,
            has_version,
            custom,
            lists,
        } => {
            lines.push(format!("      - kobject: {}", scalar(klass)));
            lines.push(format!("        externalId: {}", quote(external_id)));
            if *has_version {
                lines.push("        version: $event.version   # an older state never overwrites a newer one".to_owned());
            }
            lines.push(format!(
                "        title: '\"{} \\({external_id})\"'",
                capital(klass).replace('\'', "''")
            ));
            fields("custom", custom, seen, &mut lines);
            for list in lists {
                lines.push(format!("        # a list; what of it helps an agent? data: {{ items: '[{list}[] | {{ … }}]' }}"));
            }
        }
        Action::Track { meta } => {
            lines.push("      - track: $event.name   # costs a request; nothing that makes no sense on a timeline".to_owned());
            fields("meta", meta, seen, &mut lines);
        }
        Action::Identify { fields } => {
            let fields: Vec<String> = fields
                .iter()
                .map(|(name, path)| format!("{name}: {}", quote(path)))
                .collect();
            lines.push(format!("      - identify: {{ {} }}", fields.join(", ")));
        }
        Action::Skip { .. } | Action::Gone { .. } => {}
    }
    lines
}

/// What a route says of things that are gone: nothing happens to them, and how that is changed.
fn gone(thing: Option<&(String, String)>, is_told: bool) -> Vec<String> {
    let mut lines =
        vec!["    # a thing is gone; nothing becomes of that until you say so".to_owned()];
    match thing {
        Some((klass, id)) => {
            let (klass, id) = (scalar(klass), quote(id));
            lines.push(
                "    #   delete: mark     keeps the card and sets statusStr: deleted".to_owned(),
            );
            lines.push("    #   delete: delete   removes the object for good".to_owned());
            if !is_told {
                lines.push("    #                    and needs, at the top: event: { deleted: … }, which says what is a deletion".to_owned());
            }
            lines.push(format!(
                "    # both with: do: [ {{ kobject: {klass}, externalId: {id}, version: $event.version }} ]"
            ));
        }
        None => lines.push(
            "    # customers and companies are never deleted: a person does that in Kustomer"
                .to_owned(),
        ),
    }
    lines.push("    delete: ignore".to_owned());
    lines
}

/// Attributes, each with how often it is there if that is not always.
fn fields(key: &str, all: &[(String, String)], seen: &Seen, lines: &mut Vec<String>) {
    if all.is_empty() {
        return;
    }
    lines.push(format!("        {key}:"));
    for (name, path) in all {
        let often = seen
            .paths
            .get(path.strip_suffix(AS_TEXT).unwrap_or(path))
            .map_or(0, |found| found.present * 100 / seen.count.max(1));
        let note = if often < 100 {
            format!("   # in {often} %")
        } else {
            String::new()
        };
        lines.push(format!("          {name}: {}{note}", quote(path)));
    }
}

fn on(name: &str) -> String {
    // `*` would be every event, and a word of YAML another value.
    match scalar(name) {
        plain if plain == name && !name.contains(['*']) => plain,
        _ => Value::from(name).to_string(),
    }
}

fn capital(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars).collect()
    })
}

fn paths(seen: &Seen) -> Vec<String> {
    let width = seen
        .paths
        .keys()
        .take(LISTED)
        .map(|path| path.chars().count())
        .max()
        .unwrap_or(0)
        .min(50);
    let mut lines: Vec<String> = seen
        .paths
        .iter()
        .take(LISTED)
        .map(|(path, found)| {
            let types: Vec<&str> = found.types.keys().copied().collect();
            let often = found.present * 100 / seen.count.max(1);
            let line = format!(
                "{:width$}  {:13}  {often:>3} %  {}",
                comment(path),
                types.join(" or "),
                told(found)
            );
            line.trim_end().to_owned()
        })
        .collect();
    let rest = seen.paths.len().saturating_sub(LISTED);
    if rest > 0 {
        lines.push(format!("and {rest} more paths"));
    }
    lines
}

fn told(found: &Found) -> &'static str {
    match found.kind {
        None => "",
        Some(Kind::Id) => "id",
        Some(Kind::Email) => "personal: e-mail address",
        Some(Kind::Phone) => "personal: phone number",
        Some(Kind::First | Kind::Last | Kind::Name) => "personal: name",
        Some(Kind::Street | Kind::City | Kind::Code) => "personal: postal address",
        Some(Kind::Company) => "personal: company",
        Some(Kind::Address) => "personal: network address",
        Some(Kind::Birthday) => "personal: birthday",
        Some(Kind::Card) => "personal: card number",
        Some(Kind::Secret) => "secret",
        Some(Kind::Text) => "personal, perhaps: free text",
    }
}

/// The test of a route's kind of event, if the redacted record is treated as the original one.
fn test(looked: &Looked, route: &Proposed<'_>, mapping: &Mapping) -> Vec<String> {
    let format = looked.chosen.format;
    let case = |named| Case::of(&route.seen.sample, named);
    let (Ok(case), Ok(named)) = (case(false), case(true)) else {
        return Vec::new();
    };
    // rows that name no table have the topic's name
    let before = named.outcome(mapping, format);
    let by_topic = differs(&before, &case.outcome(mapping, format)).is_some();
    let case = if by_topic { named } else { case };
    for keep_ids in [false, true] {
        let redacted = case.redacted(&mut Redactor::new(keep_ids), &before);
        let after = redacted.outcome(mapping, format);
        if differs(&before, &after).is_none() {
            let lines = redacted.lines(&route.name, &after);
            let first = lines.iter().enumerate().map(|(index, line)| {
                let lead = if index == 0 { "  - " } else { "    " };
                format!("{lead}{line}")
            });
            return first.collect();
        }
    }
    Vec::new()
}

/// What was found, for people.
pub(super) fn report(looked: &Looked, routes: &[Proposed<'_>], unusable: usize) -> Vec<String> {
    let chosen = &looked.chosen;
    let mut lines = vec![format!(
        "format {}: reads {} of {} that were tried{}",
        chosen.format,
        chosen.reads,
        plural(chosen.tried, chosen.item()),
        if unusable > 0 {
            format!("; {} are no records", plural(unusable, "line"))
        } else {
            String::new()
        }
    )];
    if let Some(problem) = looked.problem.as_ref().filter(|_| looked.unread > 0) {
        let gives = if looked.unread == 1 { "gives" } else { "give" };
        lines.push(format!(
            "{} {gives} no event: {}",
            plural(looked.unread, looked.chosen.item()),
            problem.detail
        ));
    }
    lines.push("events:".to_owned());
    let width = routes
        .iter()
        .map(|route| route.seen.name.chars().count())
        .max()
        .unwrap_or(0)
        .min(40);
    let mut klasses: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for route in routes {
        let becomes = match &route.action {
            Action::Object { klass, custom, .. } => {
                let attributes = klasses.entry(klass).or_default();
                attributes.extend(custom.iter().map(|(name, _)| &**name));
                format!("object of klass {klass}")
            }
            Action::Track { .. } => "event on the timeline".to_owned(),
            Action::Identify { .. } => "identity".to_owned(),
            Action::Skip { why } => format!("skipped: {why}"),
            Action::Gone { .. } => {
                "ignored: it says that a thing is gone; the route says what else it could become"
                    .to_owned()
            }
        };
        let customer = match &route.whose.customer {
            _ if matches!(route.action, Action::Skip { .. } | Action::Gone { .. }) => String::new(),
            Customer::Envelope => String::new(),
            Customer::Keys(keys) => {
                let keys: Vec<String> = keys
                    .iter()
                    .map(|(kind, path)| format!("{kind} {path}"))
                    .collect();
                format!("; customer by {}", keys.join(", "))
            }
            Customer::From { klass, path } => format!("; customer of the {klass} at {path}"),
            Customer::Nobody => "; no customer".to_owned(),
        };
        lines.push(format!(
            "  {:>8}  {:width$}  {becomes}{customer}",
            route.seen.count,
            comment(&route.seen.name)
        ));
    }
    for (klass, attributes) in klasses {
        let attributes: Vec<&str> = attributes.into_iter().collect();
        lines.push(format!("klass {klass}: {}", attributes.join(", ")));
    }
    let personal = looked.events.iter().flat_map(|seen| &seen.paths);
    let personal: BTreeSet<&str> = personal
        .filter(|(_, found)| found.is_personal())
        .map(|(path, _)| &**path)
        .collect();
    if !personal.is_empty() {
        let personal: Vec<&str> = personal.into_iter().take(20).collect();
        lines.push(format!(
            "looks personal, not proposed as attributes: {}",
            personal.join(", ")
        ));
    }
    lines
}
