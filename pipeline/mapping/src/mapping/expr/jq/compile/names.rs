//! Every filter by name: those that are defined by others, those that are native, and those that do not exist here.

use super::super::native;
use super::super::native::filter::Plain;
use super::super::syntax::parse;
use super::super::syntax::term::{Def, Term};
use crate::mapping::expr::{Refused, hint};

/// Filters that are defined by other filters, as in jq itself. A definition uses each parameter at most once, and its
/// variables have names that no other uses, so an argument that replaces a parameter never sees them by accident.
const DEFINED: &str = r#"
def map(f): [.[] | f];
def map_values(f): .[] |= f;
def select(f): if f then . else empty end;
def recurse(f; c): recurse(f | select(c));
def with_entries(f): to_entries | map(f) | from_entries;
def sort_by(f): __sort_by(map([f]));
def group_by(f): __group_by(map([f]));
def unique_by(f): [group_by(f)[] | .[0]];
def min_by(f): __min_by(map([f]));
def max_by(f): __max_by(map([f]));
def del(f): delpaths([path(f)]);
def paths: path(..) | select(length > 0);
def paths(f): path(.. | select(f)) | select(length > 0);
def leaf_paths: paths(scalars);
def add(f): reduce f as $__add (null; . + $__add);
def any: any(.[]; .);
def all: all(.[]; .);
def any(f): any(.[]; f);
def all(f): all(.[]; f);
def any(g; c): isempty(g | c or empty) | not;
def all(g; c): isempty(g | c and empty);
def isempty(g): label $__isempty | ((g | false), true) | ., break $__isempty;
def in(xs): . as $__in | xs | has($__in);
def inside(xs): . as $__inside | xs | contains($__inside);
def combinations(n): . as $__combinations | [range(n) | $__combinations] | combinations;
def IN(s): any(s == .; .);
def IN(s; t): any(s == t; .);
def INDEX(f): INDEX(.[]; f);
def INDEX(s; f): reduce s as $__index ({}; .[$__index | f | tostring] = $__index);
def ascii: [.] | implode;
def todate: strftime("%Y-%m-%dT%H:%M:%SZ");
def todateiso8601: todate;
def fromdate: strptime("%Y-%m-%dT%H:%M:%SZ") | mktime;
def fromdateiso8601: fromdate;
def date: todate;
def dateadd(u; n): . + n;
def datesub(u; n): . - n;
def match(re): match(re; null);
def test(re): test(re; null);
def capture(re): capture(re; null);
def scan(re): scan(re; null);
def split(re; flags): [splits(re; flags)];
def splits(re): splits(re; null);
def sub(re; s): sub(re; s; "");
def gsub(re; s): gsub(re; s; "");
def capture(re; flags): match(re; flags) | __capture;
def first: .[0];
def last: .[-1];
def nth(n): .[n];
def first(g): label $__first | g | ., break $__first;
def last(g): reduce g as $__last (null; $__last);
def range(to): range(0; to; 1);
def range(from; to): range(from; to; 1);
def error(m): m | error;
def values: select(. != null);
def nulls: select(. == null);
def booleans: select(type == "boolean");
def numbers: select(type == "number");
def strings: select(type == "string");
def arrays: select(type == "array");
def objects: select(type == "object");
def iterables: select(type | . == "array" or . == "object");
def scalars: select(type | . != "array" and . != "object");
def isvalid(f): try (f | true) catch false;
def finites: select(isfinite);
def normals: select(isnormal);
def pick(f): . as $__pick | reduce path(f) as $__picked (null; setpath($__picked; $__pick | getpath($__picked)));
def fromstream(s): {x: null, e: false} as $__new | foreach s as $__event ($__new; (if .e then $__new else . end) | if $__event | length == 2 then setpath(["e"]; $__event[0] | length == 0) | setpath(["x"] + $__event[0]; $__event[1]) else setpath(["e"]; $__event[0] | length == 1) end; if .e then .x else empty end);
def truncate_stream(s): . as $__truncate | null | s | . as $__kept | if (.[0] | length) > $__truncate then setpath([0]; $__kept[0][$__truncate:]) else empty end;
"#;

/// Filters of jq that do not exist here, and why.
const MISSING: &[(&str, &str)] = &[
    ("env", "expressions see no environment"),
    ("now", "expressions see no clock; use $event.time"),
    ("input", "expressions see one event at a time"),
    ("inputs", "expressions see one event at a time"),
    ("input_filename", "expressions see no files"),
    ("input_line_number", "expressions see no files"),
    ("halt", "expressions cannot end the worker; use error"),
    ("halt_error", "expressions cannot end the worker; use error"),
    ("debug", "expressions cannot write to logs"),
    ("stderr", "expressions cannot write to logs"),
    (
        "localtime",
        "expressions see no time zone of the machine; use gmtime",
    ),
    (
        "strflocaltime",
        "expressions see no time zone of the machine; use strftime",
    ),
    ("builtins", "it lists what `docs/mapping.md` says"),
    ("modulemeta", "expressions have no modules"),
    ("get_search_list", "expressions have no modules"),
    ("gamma", "it has no use in a mapping"),
    ("lgamma", "it has no use in a mapping"),
    ("lgamma_r", "it has no use in a mapping"),
    ("tgamma", "it has no use in a mapping"),
    ("j0", "it has no use in a mapping"),
    ("j1", "it has no use in a mapping"),
    ("jn", "it has no use in a mapping"),
    ("y0", "it has no use in a mapping"),
    ("y1", "it has no use in a mapping"),
    ("yn", "it has no use in a mapping"),
    ("erf", "it has no use in a mapping"),
    ("erfc", "it has no use in a mapping"),
    ("nextafter", "it has no use in a mapping"),
    ("nexttoward", "it has no use in a mapping"),
    ("JOIN", "use INDEX and a path"),
];

/// The definition of a filter that is defined by others.
pub(crate) fn defined(name: &str, args: usize) -> Option<&'static Def> {
    static PARSED: std::sync::OnceLock<Vec<Def>> = std::sync::OnceLock::new();
    let all = PARSED.get_or_init(|| parse::definitions(DEFINED).unwrap_or_default());
    all.iter()
        .find(|def| def.name == name && def.params.len() == args)
}

/// The native filter of that name.
pub(crate) fn plain(name: &str, args: usize) -> Option<Plain> {
    native::find(name, args)
}

/// Filters that the evaluator itself knows, with their numbers of arguments.
pub(crate) const SPECIAL: &[(&str, usize)] = &[
    ("empty", 0),
    ("error", 0),
    ("path", 1),
    ("getpath", 1),
    ("recurse", 0),
    ("recurse", 1),
    ("range", 3),
    ("while", 2),
    ("until", 2),
    ("repeat", 1),
    ("limit", 2),
    ("skip", 2),
    ("nth", 2),
    ("walk", 1),
    ("combinations", 0),
    ("match", 2),
    ("splits", 2),
    ("scan", 2),
    ("sub", 3),
    ("gsub", 3),
    ("tostream", 0),
];

/// Why a filter does not exist.
pub(crate) fn missing(name: &str, args: usize) -> Refused {
    if let Some((_, why)) = MISSING.iter().find(|(missing, _)| *missing == name) {
        return Refused::new(format!("`{name}` is not allowed: {why}"));
    }
    let arities = arities(name);
    if !arities.is_empty() {
        let takes: Vec<String> = arities.iter().map(usize::to_string).collect();
        let takes = takes.join(" or ");
        let s = if takes == "1" { "" } else { "s" };
        return Refused::new(format!("`{name}` takes {takes} argument{s}, not {args}"));
    }
    let all = native::NAMES
        .iter()
        .chain(SPECIAL.iter().map(|(name, _)| name))
        .copied();
    let help = hint::of_unknown_filter(name, all).unwrap_or_else(|| match args {
        0 => format!("{}; a field needs a dot: .{name}", hint::quoted(name)),
        _ => "the filters are those of jq 1.7, and those under *Expressions* in docs/mapping.md"
            .to_owned(),
    });
    Refused::new(format!("there is no filter `{name}`")).helped(help)
}

/// The numbers of arguments that a filter takes.
fn arities(name: &str) -> Vec<usize> {
    (0..4)
        .filter(|args| {
            !name.starts_with("__")
                && (defined(name, *args).is_some()
                    || plain(name, *args).is_some()
                    || SPECIAL.contains(&(name, *args)))
        })
        .collect()
}

/// The body of a definition with the arguments put in.
pub(crate) fn filled(def: &Def, args: &[Term]) -> Term {
    let mut body = def.body.clone();
    fill(&mut body, &def.params, args);
    body
}

fn fill(term: &mut Term, params: &[String], args: &[Term]) {
    if let Term::Call(name, inner) = term
        && inner.is_empty()
        && let Some(arg) = params
            .iter()
            .position(|param| param == name)
            .and_then(|place| args.get(place))
    {
        *term = arg.clone();
        return;
    }
    term.parts(&mut |part| fill(part, params, args));
}
