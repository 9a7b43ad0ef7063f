//! The index: the account in readable form and the customers.

use std::collections::BTreeMap;

use super::html::{counted, escaped, page, readable, segment, time_tag};
use super::views::CustomerView;
use crate::organisation::account::Account;
use crate::time::SimTime;

/// What the index shows.
#[derive(Debug)]
pub(crate) struct Index<'a> {
    pub(crate) now: SimTime,
    pub(crate) limit: u64,
    pub(crate) account: &'a Account,
    pub(crate) customers: &'a [CustomerView],
    /// How many customers match the search; the list may be shorter.
    pub(crate) found: usize,
    pub(crate) search: &'a str,
    /// Switches that are not at their default, with their values.
    pub(crate) switches: &'a [(String, String)],
}

/// Renders the index.
pub(crate) fn index(index: &Index<'_>) -> String {
    let account = index.account;
    let judged = |count: u64| if count == 0 { "ok" } else { "bad" };
    let repeated = account.repeated.tracking + account.repeated.kobjects;
    let disordered = account.out_of_order.tracking + account.out_of_order.kobjects;
    let tiles: String = [
        ("Requests", account.requests.total, ""),
        ("Customers", account.customers_total, ""),
        ("Objects", account.kobjects_total, ""),
        ("Tracking events", account.accepted.tracking, ""),
        ("Bulk jobs", account.bulk.jobs, ""),
        ("Repeated", repeated, judged(repeated)),
        ("Out of order", disordered, judged(disordered)),
        (
            "Unjudged",
            account.unjudged.tracking + account.unjudged.kobjects,
            "",
        ),
    ]
    .iter()
    .map(|(name, count, class)| {
        format!(
            "<div class=\"tile {class}\"><b>{count}</b><span class=\"soft\">{name}</span></div>"
        )
    })
    .collect();
    let body = format!(
        "<div class=\"wrap\"><div class=\"top\"><span>Simulated Kustomer organisation, {} a \
         minute</span><span>{} on its clock</span></div><div class=\"tiles\">{tiles}</div>\
         <section class=\"card\"><h2>Customers</h2>\
         <form action=\"/_sim/\"><input name=\"q\" value=\"{}\" placeholder=\"Name, e-mail, phone or \
         external id\"><button>Search</button></form>{}</section>\
         <div class=\"pair\">{}{}{}{}</div>{}\
         <p class=\"soft\">As JSON: <a href=\"/_sim/account\">account</a>, \
         <a href=\"/_sim/journal\">journal</a>, <a href=\"/_sim/customers\">customers</a>, \
         <a href=\"/_sim/events\">events</a>, <a href=\"/_sim/faults\">faults</a></p></div>",
        counted(index.limit, "request"),
        readable(index.now),
        escaped(index.search),
        customers(index),
        counts("Requests by endpoint", &account.requests.by_endpoint),
        counts("Refused", &account.refused),
        counts("Errors of bulk items", &account.bulk.item_errors),
        windows(account),
        switches(index.switches),
    );
    page("Simulated Kustomer", &body)
}

fn customers(index: &Index<'_>) -> String {
    if index.customers.is_empty() {
        return "<p class=\"soft\">Nobody here.</p>".to_owned();
    }
    let rows: String = index
        .customers
        .iter()
        .map(|customer| {
            format!(
                "<tr><td><a href=\"/_sim/timeline/{}\">{}</a></td><td>{}</td>\
                 <td class=\"n\">{}</td><td class=\"n\">{}</td><td>{}</td></tr>",
                segment(&customer.id),
                escaped(&customer.display_name),
                escaped(customer.external_id.as_deref().unwrap_or_default()),
                customer.kobjects,
                customer.events,
                time_tag(customer.updated_at),
            )
        })
        .collect();
    let more = index.found.saturating_sub(index.customers.len());
    let more = if more > 0 {
        format!("<p class=\"soft\">and {more} more</p>")
    } else {
        String::new()
    };
    format!(
        "<div class=\"scroll\"><table><thead><tr><th>Name</th><th>External id</th>\
         <th class=\"n\">Objects</th><th class=\"n\">Events</th><th>Last active</th></tr></thead>\
         <tbody>{rows}</tbody></table></div>{more}"
    )
}

fn counts(title: &str, counts: &BTreeMap<String, u64>) -> String {
    if counts.is_empty() {
        return String::new();
    }
    let mut rows: Vec<(&String, &u64)> = counts.iter().collect();
    rows.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let rows: String = rows
        .iter()
        .take(20)
        .map(|(name, count)| {
            format!(
                "<tr><td>{}</td><td class=\"n\">{count}</td></tr>",
                escaped(name)
            )
        })
        .collect();
    format!(
        "<section class=\"card\"><h2>{title}</h2><table><tbody>{rows}</tbody></table></section>"
    )
}

fn windows(account: &Account) -> String {
    if account.windows.is_empty() {
        return String::new();
    }
    let rows: String = account
        .windows
        .iter()
        .rev()
        .take(10)
        .map(|window| {
            format!(
                "<tr><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
                time_tag(window.start),
                window.spent,
                window.foreign,
                window.refused,
            )
        })
        .collect();
    format!(
        "<section class=\"card\"><h2>Last windows of the budget</h2><table><thead><tr><th>Start</th>\
         <th class=\"n\">Spent</th><th class=\"n\">Foreign</th><th class=\"n\">Refused</th></tr></thead>\
         <tbody>{rows}</tbody></table></section>"
    )
}

fn switches(switches: &[(String, String)]) -> String {
    if switches.is_empty() {
        return String::new();
    }
    let pills: String = switches
        .iter()
        .map(|(name, value)| {
            format!(
                "<span class=\"pill\">{} = {}</span>",
                escaped(name),
                escaped(value)
            )
        })
        .collect();
    format!("<section class=\"card\"><h2>Switches</h2>{pills}</section>")
}
