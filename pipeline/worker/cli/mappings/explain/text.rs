//! A line of output for people: what became of a record, and why.

use serde_json::Value;

/// Values are shown up to this length.
const LONG: usize = 100;

/// The lines for a record.
pub(super) fn lines(explained: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let at = text(&explained["position"]).unwrap_or_else(|| format!("line {}", explained["line"]));
    let at = match explained["member"].as_u64() {
        Some(member) => format!("{at}, event {member}"),
        None => at,
    };
    let event = &explained["event"];
    let said: Vec<String> = ["name", "id", "time"]
        .iter()
        .filter_map(|field| text(&event[*field]))
        .collect();
    let mut lines = vec![
        format!("{at}: {}", said.join(", "))
            .trim_end()
            .trim_end_matches(':')
            .to_owned(),
    ];
    let why = [&explained["reason"], &explained["detail"]];
    let why: Vec<String> = why.into_iter().filter_map(text).collect();
    let route = text(&explained["route"]).map_or_else(String::new, |route| format!(" by {route}"));
    let verdict = text(&explained["verdict"]).unwrap_or_default();
    lines.push(
        format!("  {verdict}{route}: {}", why.join(": "))
            .trim_end()
            .trim_end_matches(':')
            .to_owned(),
    );
    for note in list(&explained["notes"]) {
        lines.push(format!("  note: {}", text(note).unwrap_or_default()));
    }
    for route in explained
        .pointer("/trace/routes")
        .map(list)
        .unwrap_or_default()
    {
        lines.push(asked(route));
        lines.extend(variables(route));
    }
    for operation in list(&explained["operations"]) {
        let request = &operation["request"];
        let field = |value: &Value| text(value).unwrap_or_default();
        lines.push(format!(
            "  {}, by {}: {} {}",
            field(&operation["kind"]),
            field(&operation["route"]),
            field(&request["method"]),
            field(&request["path"])
        ));
        // A deletion has no body; what it deletes stands beside it.
        let said = if request["body"].is_null() {
            &operation["object"]
        } else {
            &request["body"]
        };
        lines.push(format!("    {said}"));
    }
    lines.extend(list(&explained["notSent"]).iter().map(not_sent));
    for value in explained
        .pointer("/trace/values")
        .map(list)
        .unwrap_or_default()
    {
        lines.extend(of_value(value));
    }
    for drop in list(&explained["dropped"]) {
        let field = |name: &str| text(&drop[name]).unwrap_or_default();
        lines.push(format!(
            "  left out: {} of {}: {}",
            field("field"),
            field("route"),
            field("why")
        ));
    }
    lines
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn asked(route: &Value) -> String {
    let decides = if route["decides"] == true {
        "decides"
    } else if route["onlyDeletions"] == true {
        "takes only deletions, and this is none"
    } else {
        "does not hold"
    };
    let name = route["route"].as_str().unwrap_or_default();
    let when = route["when"].as_str().map_or_else(String::new, |when| {
        format!(": when {when}{}", inputs(&route["inputs"]))
    });
    format!("  route {name}, line {}, {decides}{when}", route["line"])
}

fn not_sent(one: &Value) -> String {
    let text = |name: &str| one[name].as_str().unwrap_or_default();
    let line = one
        .get("line")
        .map_or_else(String::new, |line| format!(", line {line}"));
    let items = one["operations"]
        .as_u64()
        .map_or_else(String::new, |items| format!(" for {items} items"));
    format!(
        "  not sent: {}{items}, by {} ({}{line}): {}: {}",
        text("kind"),
        text("route"),
        text("field"),
        text("reason"),
        text("detail")
    )
}

/// A field with what it gets, and below it where that is from.
fn of_value(value: &Value) -> Vec<String> {
    let sent = value.get("sent").unwrap_or_else(|| &value["value"]);
    let note = value["note"]
        .as_str()
        .map_or_else(String::new, |note| format!("   ({note})"));
    let line = value
        .get("line")
        .map_or_else(String::new, |line| format!("line {line}: "));
    let mut lines = vec![
        format!(
            "  {} = {}{note}",
            value["field"].as_str().unwrap_or_default(),
            short(sent)
        ),
        format!(
            "      {line}{}{}",
            value["expression"].as_str().unwrap_or_default(),
            inputs(&value["inputs"])
        ),
    ];
    lines.extend(variables(value));
    lines
}

/// What the variables in an expression stand for.
fn variables(value: &Value) -> impl Iterator<Item = String> {
    list(&value["variables"]).iter().map(|one| {
        let text = |name: &str| one[name].as_str().unwrap_or_default();
        let gives = match one["fails"].as_str() {
            Some(why) => format!("fails: {why}"),
            None => short(&one["value"]),
        };
        let line = one
            .get("line")
            .map_or_else(String::new, |line| format!("line {line}"));
        let file = match one["file"].as_str() {
            Some(file) => format!(" of {file}"),
            None => String::new(),
        };
        format!(
            "      {} = {gives}, {line}{file}: {}{}",
            text("name"),
            text("expression"),
            inputs(&one["inputs"])
        )
    })
}

fn inputs(inputs: &Value) -> String {
    let all = inputs.as_object().into_iter().flatten();
    let all: Vec<String> = all
        .map(|(path, value)| format!("{path} is {}", short(value)))
        .collect();
    if all.is_empty() {
        String::new()
    } else {
        format!("; {}", all.join(", "))
    }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(LONG) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text,
    }
}
