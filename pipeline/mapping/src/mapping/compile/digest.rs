//! The rules of digests: document to model, and what can be checked only when the whole file is known.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;

use super::super::expr::{Part, parts};
use super::super::model::bad::BadFields;
use super::super::model::digest::{Counted, DigestRule, LateTo};
use super::super::model::names::{EVERY, fold};
use super::super::model::{Action, FieldRule, Late, Route, Rule};
use super::super::node::{Content, Node, Place};
use super::duration::duration;
use super::reader::Reader;
use super::values::{custom, klass, template};
use crate::body::attribute::Suffix;
use crate::body::field::Kind;
use ingest_model::digest::{EACH_FIELDS, Frame, MAX_KEPT, Piece, Title};
use ingest_model::operation::Klass;

const DIGEST_KEYS: &[&str] = &[
    "digest", "session", "keep", "sums", "title", "patience", "onBad",
];
/// How long a session lasts that says nothing else; Kustomer's own sessions end after as long without an event.
const GAP: Duration = Duration::from_secs(30 * 60);
const PATIENCE: Duration = Duration::from_secs(30);
const KEPT: usize = 10;
/// The most sums of a digest.
const MAX_SUMS: usize = 10;
const TITLE_HELP: &str = "a title is a text with numbers of the session: `.count`, `.counts[\"Product Viewed\"]`, \
     `.sums.valueNum`, for example '\"Viewed \\(.count) products\"'";

pub(super) fn digest(
    reader: &mut Reader<'_>,
    node: &Node,
    at: &str,
    on: &[String],
) -> Option<Rule> {
    let fields = reader.fields(node, at, DIGEST_KEYS)?;
    let klass = fields
        .get("digest")
        .and_then(|node| klass(reader, node, &format!("{at}.digest")));
    let mut session = None;
    let mut gap = Some(GAP);
    if let Some(node) = fields.get("session") {
        let at = format!("{at}.session");
        let inner = reader.fields(node, &at, &["key", "gap"])?;
        if let Some(node) = inner.get("key") {
            session = Some(reader.expr(node, &format!("{at}.key"))?);
        }
        if let Some(node) = inner.get("gap") {
            gap = within(
                reader,
                node,
                &format!("{at}.gap"),
                (60, 86_400),
                "1m and 1d",
            );
        }
    }
    let patience = match fields.get("patience") {
        None => Some(PATIENCE),
        Some(node) => within(
            reader,
            node,
            &format!("{at}.patience"),
            (1, 900),
            "1s and 15m",
        ),
    };
    let (keep, each) = kept(reader, fields.get("keep"), at)?;
    let sums = custom(reader, &fields, at, "sums", 0);
    if let Some(node) = fields.get("sums") {
        let at = format!("{at}.sums");
        if sums.len() > MAX_SUMS {
            reader.error(
                node.place,
                &at,
                format!("has more than {MAX_SUMS} sums"),
                None,
            );
        }
        for sum in sums.iter().filter(|sum| sum.suffix != Suffix::Num) {
            let help = format!(
                "only numbers are added up: the name of a sum ends in `Num`, as in `{}Num`",
                base(&sum.name)
            );
            reader.error(
                place_of(node, &sum.name),
                &format!("{at}.{}", sum.name),
                "is not the name of a number",
                Some(help),
            );
        }
    }
    let Some(title) = fields.get("title") else {
        let why = "the API demands one on creation".to_owned();
        reader.error(fields.place, at, "`title` is missing", Some(why));
        return None;
    };
    let (title, counted) = titled(reader, title, &format!("{at}.title"))?;
    let named = on.iter().filter(|name| *name != EVERY);
    Some(Rule::Digest(Arc::new(DigestRule {
        klass: klass?,
        session,
        each,
        sums,
        frame: Arc::new(Frame {
            keep,
            title,
            patience: patience?,
            gap: gap?,
        }),
        names: named
            .map(|name| (fold(name), Arc::from(name.as_str())))
            .collect(),
        counted,
        bad: BadFields::default(),
    })))
}

/// A length of time between two others, in seconds.
fn within(
    reader: &mut Reader<'_>,
    node: &Node,
    at: &str,
    (least, most): (i64, i64),
    words: &str,
) -> Option<Duration> {
    let given = duration(reader, node, at)?;
    if given < SignedDuration::from_secs(least) || given > SignedDuration::from_secs(most) {
        reader.error(node.place, at, format!("must be between {words}"), None);
        return None;
    }
    Duration::try_from(given).ok()
}

/// What `keep` says: how many of the last events, and what of each.
fn kept(reader: &mut Reader<'_>, node: Option<&Node>, at: &str) -> Option<(usize, Vec<FieldRule>)> {
    let Some(node) = node else {
        return Some((KEPT, Vec::new()));
    };
    let at = format!("{at}.keep");
    let fields = reader.fields(node, &at, &["last", "each"])?;
    let last = match fields.get("last") {
        None => Some(KEPT),
        Some(node) => {
            let number = match &node.content {
                Content::Number(number) => number.as_u64(),
                Content::Null
                | Content::Bool(_)
                | Content::Text(_)
                | Content::List(_)
                | Content::Map(_) => None,
            };
            let number = number.and_then(|number| usize::try_from(number).ok());
            let last = number.filter(|number| *number <= MAX_KEPT);
            if last.is_none() {
                let problem = format!("must be a whole number from 0 to {MAX_KEPT}");
                reader.error(node.place, &format!("{at}.last"), problem, None);
            }
            last
        }
    };
    let mut each = Vec::new();
    if let Some(node) = fields.get("each") {
        let at = format!("{at}.each");
        if let Content::List(_) = &node.content {
            let help = "give what is kept a name: `each: { sku: … }`".to_owned();
            reader.error(node.place, &at, "must be an object, is a list", Some(help));
        }
        if let Content::Map(entries) = &node.content {
            for (key, _) in entries
                .iter()
                .filter(|(key, _)| EACH_FIELDS.contains(&key.name.as_str()))
            {
                let problem = "the name is reserved: it is written by itself";
                reader.error(key.place, &format!("{at}.{}", key.name), problem, None);
            }
        }
        each.extend(template(reader, node, &at).map(|value| FieldRule {
            name: "each",
            kind: Kind::Data,
            value,
        }));
    }
    Some((last?, each))
}

/// A title: a text, or a list of texts of which those without numbers but zeros are left out.
fn titled(
    reader: &mut Reader<'_>,
    node: &Node,
    at: &str,
) -> Option<(Title, Vec<(Counted, Place)>)> {
    let mut counted = Vec::new();
    let parts = match &node.content {
        Content::List(items) if !items.is_empty() => {
            let items = items.iter().enumerate();
            let parts = items
                .map(|(index, node)| part(reader, node, &format!("{at}[{index}]"), &mut counted));
            let parts: Vec<_> = parts.collect();
            parts.into_iter().collect::<Option<_>>()?
        }
        Content::List(_)
        | Content::Null
        | Content::Bool(_)
        | Content::Number(_)
        | Content::Text(_)
        | Content::Map(_) => vec![part(reader, node, at, &mut counted)?],
    };
    Some((Title(parts), counted))
}

fn part(
    reader: &mut Reader<'_>,
    node: &Node,
    at: &str,
    counted: &mut Vec<(Counted, Place)>,
) -> Option<Vec<Piece>> {
    let text = reader.text(node, at)?;
    let found = match parts(text) {
        Ok(Some(found)) => found,
        Ok(None) => {
            let problem = format!("`{text}` is not a text with paths in it");
            reader.error(node.place, at, problem, Some(TITLE_HELP.to_owned()));
            return None;
        }
        Err(refused) => {
            let help = refused.help.or_else(|| Some(TITLE_HELP.to_owned()));
            reader.error(node.place, at, refused.problem, help);
            return None;
        }
    };
    let mut pieces = Vec::with_capacity(found.len());
    for one in found {
        let piece = match one {
            Part::Text(text) => Piece::Text(Arc::from(text)),
            Part::Path(path) => {
                let path: Vec<&str> = path.iter().map(String::as_str).collect();
                match path.as_slice() {
                    ["count"] => Piece::Count,
                    ["counts", name] => {
                        let name: Arc<str> = Arc::from(*name);
                        counted.push((Counted::Event(Arc::clone(&name)), node.place));
                        Piece::CountOf(name)
                    }
                    ["sums", name] => {
                        let name: Arc<str> = Arc::from(*name);
                        counted.push((Counted::Sum(Arc::clone(&name)), node.place));
                        Piece::Sum(name)
                    }
                    _ => {
                        let problem = format!("a session has no `.{}`", path.join("."));
                        reader.error(node.place, at, problem, Some(TITLE_HELP.to_owned()));
                        return None;
                    }
                }
            }
        };
        pieces.push(piece);
    }
    Some(pieces)
}

/// What `late` of a track says: a word, or `{ digest: klass }`. Outer `None`: it is wrong.
pub(super) fn late(reader: &mut Reader<'_>, node: &Node, at: &str) -> Option<Late> {
    if let Content::Map(_) = &node.content {
        let fields = reader.fields(node, at, &["digest"])?;
        let inner = fields.get("digest")?;
        let klass = klass(reader, inner, &format!("{at}.digest"))?;
        return Some(Late::Digest(late_to(Some(klass), node.place)));
    }
    let words = &[("send", 0), ("skip", 1), ("digest", 2)];
    Some(match reader.word(node, at, words)? {
        0 => Late::Send,
        1 => Late::Skip,
        _ => Late::Digest(late_to(None, node.place)),
    })
}

fn late_to(klass: Option<Klass>, place: Place) -> LateTo {
    LateTo {
        klass,
        place,
        rule: None,
    }
}

/// Finds the digests of late events, and checks what one rule says of others.
pub(super) fn join(reader: &mut Reader<'_>, routes: &mut [Route]) {
    let all: Vec<Arc<DigestRule>> = routes.iter().flat_map(digests).collect();
    let objects = kobjects(routes);
    // The names of events that go into a digest when they are late.
    let mut late: Vec<(Klass, String)> = Vec::new();
    for (index, route) in routes.iter_mut().enumerate() {
        let mut here: Vec<Klass> = digests(route)
            .iter()
            .map(|rule| rule.klass.clone())
            .collect();
        let Action::Do { rules, .. } = &mut route.action else {
            continue;
        };
        for (number, rule) in rules.iter_mut().enumerate() {
            let Rule::Track(track) = rule else { continue };
            let Late::Digest(to) = &mut track.late else {
                continue;
            };
            let at = format!("routes[{index}].do[{number}].late");
            find(reader, to, &all, &at);
            let Some(rule) = &to.rule else { continue };
            // Of one record, an object notes only its offset.
            if here.contains(&rule.klass) {
                let problem = format!(
                    "the route has a digest of the klass `{}` already",
                    rule.klass
                );
                reader.error(to.place, &at, problem, None);
            }
            here.push(rule.klass.clone());
            let names = route.on.iter().cloned();
            late.extend(names.map(|name| (rule.klass.clone(), name)));
        }
    }
    for (index, route) in routes.iter().enumerate() {
        let at = format!("routes[{index}]");
        check_klasses(reader, route, &at, &objects);
        check_titles(reader, route, &at, &all, &late);
    }
}

fn digests(route: &Route) -> Vec<Arc<DigestRule>> {
    let Action::Do { rules, .. } = &route.action else {
        return Vec::new();
    };
    let digests = rules.iter().filter_map(|rule| match rule {
        Rule::Digest(rule) => Some(Arc::clone(rule)),
        Rule::Identify(_) | Rule::Track(_) | Rule::KObject(_) | Rule::Party(_) => None,
    });
    digests.collect()
}

fn kobjects(routes: &[Route]) -> Vec<(Klass, Arc<str>)> {
    let mut all = Vec::new();
    for route in routes {
        let Action::Do { rules, .. } = &route.action else {
            continue;
        };
        for rule in rules {
            if let Rule::KObject(rule) = rule {
                all.push((rule.klass.clone(), Arc::clone(&route.name)));
            }
        }
    }
    all
}

/// A klass has objects or digests, and a route has one digest of a klass: of one record, an object notes only its offset.
fn check_klasses(reader: &mut Reader<'_>, route: &Route, at: &str, objects: &[(Klass, Arc<str>)]) {
    let here = digests(route);
    for (number, rule) in here.iter().enumerate() {
        if let Some((_, other)) = objects.iter().find(|(klass, _)| *klass == rule.klass) {
            let problem = format!(
                "the route `{other}` writes objects of the klass `{}`",
                rule.klass
            );
            let help = "give the digest a klass of its own".to_owned();
            reader.error(route.place, at, problem, Some(help));
        }
        if here
            .iter()
            .take(number)
            .any(|other| other.klass == rule.klass)
        {
            let problem = format!("has two digests of the klass `{}`", rule.klass);
            let help = "one digest may have several sums".to_owned();
            reader.error(route.place, at, problem, Some(help));
        }
    }
}

/// What a title counts has to be counted by some digest of its klass.
fn check_titles(
    reader: &mut Reader<'_>,
    route: &Route,
    at: &str,
    all: &[Arc<DigestRule>],
    late: &[(Klass, String)],
) {
    for rule in digests(route) {
        let same = || all.iter().filter(|other| other.klass == rule.klass);
        for (counted, place) in &rule.counted {
            let (known, named): (Vec<&str>, &str) = match counted {
                Counted::Event(name) => {
                    let names = same().flat_map(|one| &one.names);
                    let late = late.iter().filter(|(klass, _)| *klass == rule.klass);
                    let late = late.map(|(_, name)| name.as_str());
                    (names.map(|(_, name)| &**name).chain(late).collect(), name)
                }
                Counted::Sum(name) => {
                    let sums = same().flat_map(|one| &one.sums);
                    (sums.map(|sum| sum.name.as_str()).collect(), name)
                }
            };
            // A route for every event may count any name.
            let open =
                matches!(counted, Counted::Event(_)) && same().any(|one| one.names.is_empty());
            if known.contains(&named) || open {
                continue;
            }
            let problem = match counted {
                Counted::Event(_) => format!(
                    "no digest of the klass `{}` is for events named `{named}`",
                    rule.klass
                ),
                Counted::Sum(_) => format!(
                    "no digest of the klass `{}` has a sum `{named}`",
                    rule.klass
                ),
            };
            let help = format!("known: {}", known.join(", "));
            reader.error(*place, &format!("{at}.title"), problem, Some(help));
        }
    }
}

fn find(reader: &mut Reader<'_>, to: &mut LateTo, all: &[Arc<DigestRule>], at: &str) {
    let wanted =
        |rule: &&Arc<DigestRule>| to.klass.as_ref().is_none_or(|klass| rule.klass == *klass);
    let found: Vec<&Arc<DigestRule>> = all.iter().filter(wanted).collect();
    let Some(first) = found.first() else {
        let problem = match &to.klass {
            Some(klass) => format!("no route of the file has a digest of the klass `{klass}`"),
            None => "no route of the file has a digest".to_owned(),
        };
        let help =
            "late events go into a digest that a route has, for example `- digest: browsing`"
                .to_owned();
        reader.error(to.place, at, problem, Some(help));
        return;
    };
    if found.iter().any(|rule| rule.klass != first.klass) {
        let help = format!(
            "say which, for example `late: {{ digest: {} }}`",
            first.klass
        );
        reader.error(
            to.place,
            at,
            "the file has digests of several klasses",
            Some(help),
        );
        return;
    }
    to.rule = Some(Arc::clone(first));
}

/// A name without its suffix.
fn base(name: &str) -> &str {
    let suffixes = Suffix::ALL.iter();
    let mut stripped = suffixes.filter_map(|suffix| name.strip_suffix(suffix.as_str()));
    stripped.next().unwrap_or(name)
}

fn place_of(map: &Node, name: &str) -> Place {
    let Content::Map(entries) = &map.content else {
        return map.place;
    };
    let found = entries.iter().find(|(key, _)| key.name == name);
    found.map_or(map.place, |(key, _)| key.place)
}
