//! Filters that take values and give one value.

pub(super) mod business;
pub(super) mod filter;
mod list;
mod number;
mod sort;
mod text;
mod time;

use self::filter::Plain;

/// Names that are suggested for a mistyped one.
pub(super) const NAMES: &[&str] = &[
    "map",
    "map_values",
    "select",
    "with_entries",
    "to_entries",
    "from_entries",
    "sort_by",
    "group_by",
    "unique_by",
    "min_by",
    "max_by",
    "del",
    "paths",
    "leaf_paths",
    "any",
    "all",
    "isempty",
    "inside",
    "todate",
    "fromdate",
    "dateadd",
    "datesub",
    "capture",
    "test",
    "split",
    "first",
    "last",
    "limit",
    "nth",
    "values",
    "strings",
    "numbers",
    "booleans",
    "arrays",
    "objects",
    "scalars",
    "iterables",
    "finites",
    "normals",
    "pick",
    "fromstream",
    "truncate_stream",
    "length",
    "utf8bytelength",
    "tostring",
    "tonumber",
    "tojson",
    "fromjson",
    "keys",
    "keys_unsorted",
    "contains",
    "startswith",
    "endswith",
    "ltrimstr",
    "rtrimstr",
    "trimstr",
    "ltrim",
    "rtrim",
    "trim",
    "explode",
    "implode",
    "ascii_downcase",
    "ascii_upcase",
    "indices",
    "index",
    "rindex",
    "join",
    "flatten",
    "reverse",
    "unique",
    "transpose",
    "bsearch",
    "setpath",
    "delpaths",
    "floor",
    "round",
    "trunc",
    "infinite",
    "isinfinite",
    "isnormal",
    "isfinite",
    "strptime",
    "strftime",
    "mktime",
    "gmtime",
    "toarray",
    "ascii",
    "format",
    "lookup",
    "from_minor_units",
    "in_zone",
    "phone_in",
];

/// The filter of that name.
pub(super) fn find(name: &str, args: usize) -> Option<Plain> {
    list::find(name, args)
        .or_else(|| sort::find(name, args))
        .or_else(|| text::find(name, args))
        .or_else(|| number::find(name, args))
        .or_else(|| time::find(name, args))
        .or_else(|| business::find(name, args))
}
