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
        _ if names.is_of_header() => {
            "`let` does not reach the header `event`, which is read first: write the expression out here; the only variable is `$record`"
                .to_owned()
        }
        _ if names.lets() == 0 => "only `$event` and `$record` are defined".to_owned(),
        _ => {
            let all: Vec<String> = known().map(|name| format!("`${name}`")).collect();
            format!("defined are {}", all.join(", "))
        }
    };
    Refused::new(problem).helped(help)
}

/// The table that `lookup` names.
pub(super) fn table(name: Option<&str>, names: &Names) -> Result<Arc<Table>, Refused> {
    let Some(name) = name else {
        let named = Refused::new("`lookup` takes the name of a table as a constant text");
        return Err(named.helped("for example `.currency | lookup(\"exponents\")`"));
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
    Err(Refused::new(format!("there is no table `{name}`")).helped(help))
}

/// The format of that name.
pub(super) fn format_named(name: &str) -> Result<Format, Refused> {
    let known = "known are @text, @json, @html, @uri, @urid, @csv, @tsv, @sh, @base64, @base64d, @base32, @base32d";
    let unknown = || Refused::new(format!("there is no format `@{name}`")).helped(known);
    Format::named(name).ok_or_else(unknown)
}
