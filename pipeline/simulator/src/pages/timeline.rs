//! The timeline of one customer, as a support agent reads it.

use std::fmt::Write;

use serde_json::{Map, Value};

use super::html::{counted, escaped, label, page, readable, time_tag, title_case, value};
use super::views::{EventView, ObjectView, SessionView, Timeline, TimelineItem};

/// Renders a timeline.
pub(crate) fn timeline(timeline: &Timeline) -> String {
    let mut entries = String::new();
    for item in &timeline.items {
        entries.push_str(&match item {
            TimelineItem::Kobject(object) => card(object),
            TimelineItem::Session(session) => cluster(session),
        });
    }
    if entries.is_empty() {
        entries.push_str("<div class=\"card soft\">Nothing has happened yet.</div>");
    }
    let body = format!(
        "<div class=\"wrap\"><div class=\"top\"><a href=\"/_sim/\">&larr; All customers</a>\
         <span>{} &middot; {}</span></div>\
         <div class=\"cols\"><aside>{}</aside><main><h2>Timeline</h2>\
         <div class=\"line\">{entries}</div></main></div></div>",
        counted(timeline.customer.kobjects, "object"),
        counted(timeline.customer.events, "event"),
        person(timeline),
    );
    page(
        &format!("{} - timeline", timeline.customer.display_name),
        &body,
    )
}

/// Renders the answer for a name that no customer has.
pub(crate) fn no_customer(name: &str) -> String {
    let body = format!(
        "<div class=\"wrap\"><div class=\"card\"><h1>No such customer</h1>\
         <p>Nobody has the id, external id, e-mail or phone <code>{}</code>.</p>\
         <a href=\"/_sim/\">&larr; All customers</a></div></div>",
        escaped(name)
    );
    page("No such customer", &body)
}

fn person(timeline: &Timeline) -> String {
    let attributes = &timeline.attributes;
    let name = &timeline.customer.display_name;
    let initials: String = name
        .split_whitespace()
        .filter_map(|word| word.chars().next())
        .take(2)
        .flat_map(char::to_uppercase)
        .collect();
    let mut html = format!(
        "<section class=\"card\"><div class=\"who\"><div class=\"face\">{}</div><div><h1>{}</h1>\
         <div class=\"soft\">{}</div></div></div></section>",
        escaped(&initials),
        escaped(name),
        escaped(&timeline.customer.id),
    );
    let mut contact = Vec::new();
    for (list, field, what) in [("emails", "email", "E-mail"), ("phones", "phone", "Phone")] {
        for entry in attributes
            .get(list)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            if let Some(text) = entry.get(field).and_then(Value::as_str) {
                contact.push((what.to_owned(), escaped(text)));
            }
        }
    }
    for field in [
        "externalId",
        "username",
        "gender",
        "locale",
        "timeZone",
        "signedUpAt",
    ] {
        if let Some(found) = attributes.get(field).filter(|found| !found.is_null()) {
            contact.push((title_case(field), value(found)));
        }
    }
    contact.push((
        "Last active".to_owned(),
        readable(timeline.customer.updated_at),
    ));
    html.push_str(&details("Contact", &contact));
    let custom = attributes.get("custom").and_then(Value::as_object);
    let custom: Vec<(String, String)> = custom
        .into_iter()
        .flatten()
        .map(|(name, found)| (label(name), value(found)))
        .collect();
    html.push_str(&details("Attributes", &custom));
    let tags = pills(attributes.get("tags"));
    if !tags.is_empty() {
        html.push_str(&format!(
            "<section class=\"card\"><h2>Tags</h2>{tags}</section>"
        ));
    }
    html
}

fn details(title: &str, rows: &[(String, String)]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let rows: String = rows
        .iter()
        .map(|(name, shown)| format!("<dt>{}</dt><dd>{shown}</dd>", escaped(name)))
        .collect();
    format!("<section class=\"card\"><h2>{title}</h2><dl>{rows}</dl></section>")
}

fn pills(tags: Option<&Value>) -> String {
    let tags = tags
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str);
    tags.map(|tag| format!("<span class=\"pill\">{}</span>", escaped(tag)))
        .collect()
}

fn card(object: &ObjectView) -> String {
    let mut html = format!(
        "<article class=\"card entry\"><div class=\"head\"><h3>{}</h3>\
         <span class=\"soft\">{}</span></div><span class=\"pill\">{}</span>{}",
        escaped(&object.title),
        time_tag(object.created_at),
        escaped(&title_case(&object.klass)),
        pills(object.rest.get("tags")),
    );
    if let Some(text) = object.rest.get("description").and_then(Value::as_str) {
        html.push_str(&format!("<p>{}</p>", escaped(text)));
    }
    let custom: String = object
        .custom
        .iter()
        .filter(|(name, _)| name.as_str() != "ingestVersionStr")
        .map(|(name, found)| {
            format!(
                "<div><span>{}</span>{}</div>",
                escaped(&label(name)),
                value(found)
            )
        })
        .collect();
    if !custom.is_empty() {
        html.push_str(&format!("<div class=\"grid\">{custom}</div>"));
    }
    if let Some(data) = object.rest.get("data").and_then(Value::as_object) {
        html.push_str(&data_part(data));
    }
    let mut foot = Vec::new();
    if let Some(external_id) = &object.external_id {
        foot.push(escaped(external_id));
    }
    if object.updated_at != object.created_at {
        foot.push(format!("updated {}", time_tag(object.updated_at)));
    }
    foot.push(format!("revision {}", object.rev));
    html.push_str(&format!(
        "<div class=\"soft\" style=\"margin-top:12px\">{}</div></article>",
        foot.join(" &middot; ")
    ));
    html
}

// Lists of objects become tables, everything else goes into the grid.
fn data_part(data: &Map<String, Value>) -> String {
    let (mut plain, mut tables) = (String::new(), String::new());
    for (name, found) in data {
        let rows = found
            .as_array()
            .filter(|rows| rows.iter().any(Value::is_object));
        match rows {
            Some(rows) => tables.push_str(&table(name, rows)),
            None => {
                plain.push_str(&format!(
                    "<div><span>{}</span>{}</div>",
                    escaped(&label(name)),
                    value(found)
                ));
            }
        }
    }
    let plain = if plain.is_empty() {
        plain
    } else {
        format!("<div class=\"grid\">{plain}</div>")
    };
    plain + &tables
}

fn table(name: &str, rows: &[Value]) -> String {
    const SHOWN: usize = 50;
    let mut columns: Vec<&str> = Vec::new();
    for row in rows.iter().take(SHOWN).filter_map(Value::as_object) {
        for column in row.keys().filter(|column| column.len() <= 64) {
            if !columns.contains(&column.as_str()) && columns.len() < 10 {
                columns.push(column);
            }
        }
    }
    let numeric = |column: &str| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .all(Value::is_number)
    };
    let class = |column: &str| if numeric(column) { " class=\"n\"" } else { "" };
    let mut html = format!(
        "<div class=\"scroll\"><table><caption>{}</caption><thead><tr>",
        escaped(&label(name))
    );
    for column in &columns {
        html.push_str(&format!(
            "<th{}>{}</th>",
            class(column),
            escaped(&label(column))
        ));
    }
    html.push_str("</tr></thead><tbody>");
    for row in rows.iter().take(SHOWN) {
        html.push_str("<tr>");
        for column in &columns {
            let shown = row.get(column).map(value).unwrap_or_default();
            html.push_str(&format!("<td{}>{shown}</td>", class(column)));
        }
        html.push_str("</tr>");
    }
    html.push_str("</tbody></table>");
    if rows.len() > SHOWN {
        html.push_str(&format!(
            "<div class=\"soft\">and {} more</div>",
            rows.len() - SHOWN
        ));
    }
    html.push_str("</div>");
    html
}

fn cluster(session: &SessionView) -> String {
    let events = counted(session.events.len(), "event");
    let lines: String = session.events.iter().map(line).collect();
    format!(
        "<article class=\"card entry session\"><div class=\"head\"><h3>Session with {events}</h3>\
         <span class=\"soft\">{}</span></div><div class=\"soft\">{}</div>\
         <ul class=\"events\">{lines}</ul></article>",
        time_tag(session.last_event_at),
        escaped(&session.id),
    )
}

fn line(event: &EventView) -> String {
    let clock: String = event
        .created_at
        .rfc3339()
        .chars()
        .skip(11)
        .take(8)
        .collect();
    let mut meta = String::new();
    for (name, found) in event
        .meta
        .iter()
        .filter(|(name, _)| name.as_str() != "eventKey")
    {
        let separator = if meta.is_empty() { "" } else { " &middot; " };
        // writing to a string does not fail
        let _written = write!(
            meta,
            "{separator}{} <b>{}</b>",
            escaped(&label(name)),
            value(found)
        );
    }
    format!(
        "<li><time datetime=\"{}\">{clock}</time><div>{}<div class=\"meta\">{meta}</div></div></li>",
        event.created_at.rfc3339(),
        escaped(&title_case(&event.name)),
    )
}
