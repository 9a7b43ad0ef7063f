//! What expressions say of names that only the file can give.

use std::sync::Arc;

use super::super::data::format::Format;
use crate::mapping::error::nearest;
use crate::mapping::expr::Refused;
use crate::mapping::expr::names::Names;
use crate::mapping::expr::table::Table;

/// The refusal of a variable that nobody defines.
pub(super) fn no_variable(name: &str, names: &Names) -> Refused {
    let problem = format!("there is no variable `${name}`");
    let known = || names.of_lets().chain(["event", "record"]);
    let help = match nearest(name, known()) {
        _ if matches!(name, "item" | "index") => {
            "`$item` and `$index` are there only in an operation with `each`".to_owned()
        }
        Some(near) if near != name => format!("did you mean `${near}`?"),
        _ if names.lets() == 0 => "only `$event` and `$record` are defined".to_owned(),
        _ => {
            let all: Vec<String> = known().map(|name| format!("`${name}`")).collect();
            format!("defined are {}", all.join(", "))
        }
    };
    Refused {
        problem,
        help: Some(help),
    }
}

/// The table that `lookup` names.
pub(super) fn table(name: Option<&str>, names: &Names) -> Result<Arc<Table>, Refused> {
    let Some(name) = name else {
        return Err(Refused {
            problem: "`lookup` takes the name of a table as a constant text".to_owned(),
            help: Some("for example `.currency | lookup(\"exponents\")`".to_owned()),
        });
    };
    if let Some(table) = names.table(name) {
        return Ok(Arc::clone(table));
    }
    let help = match nearest(name, names.of_tables()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if names.of_tables().next().is_none() => {
            "the file has no `tables`, or none that is sound".to_owned()
        }
        None => {
            let all: Vec<&str> = names.of_tables().collect();
            format!("known: {}", all.join(", "))
        }
    };
    Err(Refused {
        problem: format!("there is no table `{name}`"),
        help: Some(help),
    })
}

/// The format of that name.
pub(super) fn format_named(name: &str) -> Result<Format, Refused> {
    Format::named(name).ok_or_else(|| Refused {
        problem: format!("there is no format `@{name}`"),
        help: Some(
            "known are @text, @json, @html, @uri, @urid, @csv, @tsv, @sh, @base64, @base64d, @base32, @base32d".to_owned(),
        ),
    })
}
