//! Every expression of a route, with its path in the route: what is looked at to explain a value, and what tests can reach.

use super::digest::DigestRule;
use super::{
    Action, CustomRule, CustomerRule, FieldRule, IdentifyRule, KObjectRule, KeyRules, PartyRule,
    Route, Rule, Template, TrackRule,
};
use crate::mapping::expr::Expr;

/// Expressions with their paths, such as `do[0].custom.totalNum`.
type Found<'r> = Vec<(String, &'r Expr)>;

impl Route {
    /// The expressions of its customer and of its operations, in the order of the file's keys as the model has them.
    pub(in crate::mapping) fn expressions(&self) -> Found<'_> {
        let mut found = Vec::new();
        let Action::Do {
            customer,
            rules,
            each,
        } = &self.action
        else {
            return found;
        };
        match customer {
            CustomerRule::Keys(rule, _) => keys(rule, "customer", &mut found),
            CustomerRule::Owner(rule, _) => {
                found.push(("customer.from.externalId".to_owned(), &rule.external_id));
            }
            CustomerRule::Hints(_) | CustomerRule::Nobody => {}
        }
        for (index, rule) in rules.iter().enumerate() {
            let at = format!("do[{index}]");
            let list = each.get(index).and_then(Option::as_ref);
            maybe(list, format!("{at}.each"), &mut found);
            match rule {
                Rule::Identify(rule) => identify(rule, &format!("{at}.identify"), &mut found),
                Rule::Track(rule) => track(rule, &at, &mut found),
                Rule::KObject(rule) => kobject(rule, &at, &mut found),
                Rule::Party(rule) => party(rule, &at, &mut found),
                Rule::Digest(rule) => digest(rule, &at, &mut found),
            }
        }
        found
    }

    /// The list of the rule that a field is of, if there is an operation for each of its items.
    pub(in crate::mapping) fn list_of(&self, field: &str) -> Option<&Expr> {
        let (index, rest) = field.strip_prefix("do[")?.split_once(']')?;
        let Action::Do { each, .. } = &self.action else {
            return None;
        };
        let list = each.get(index.parse::<usize>().ok()?)?.as_ref();
        list.filter(|_| rest != ".each")
    }
}

fn maybe<'r>(expr: Option<&'r Expr>, at: String, found: &mut Found<'r>) {
    found.extend(expr.map(|expr| (at, expr)));
}

fn keys<'r>(rule: &'r KeyRules, at: &str, found: &mut Found<'r>) {
    maybe(rule.id.as_ref(), format!("{at}.id"), found);
    maybe(rule.external_id.as_ref(), format!("{at}.externalId"), found);
    maybe(rule.email.as_ref(), format!("{at}.email"), found);
    maybe(rule.phone.as_ref(), format!("{at}.phone"), found);
}

fn identify<'r>(rule: &'r IdentifyRule, at: &str, found: &mut Found<'r>) {
    keys(&rule.keys, at, found);
    fields(&rule.fields, at, found);
    fields(&rule.location, &format!("{at}.location"), found);
    custom(&rule.custom, &format!("{at}.custom"), found);
}

fn track<'r>(rule: &'r TrackRule, at: &str, found: &mut Found<'r>) {
    found.push((format!("{at}.track"), &rule.name));
    maybe(rule.session.as_ref(), format!("{at}.session"), found);
    maybe(rule.tracking_id.as_ref(), format!("{at}.trackingId"), found);
    let meta = rule.meta.iter();
    found.extend(meta.map(|meta| (format!("{at}.meta.{}", meta.name), &meta.value)));
}

fn kobject<'r>(rule: &'r KObjectRule, at: &str, found: &mut Found<'r>) {
    found.push((format!("{at}.externalId"), &rule.external_id));
    maybe(rule.version.as_ref(), format!("{at}.version"), found);
    fields(&rule.fields, at, found);
    custom(&rule.custom, &format!("{at}.custom"), found);
}

fn party<'r>(rule: &'r PartyRule, at: &str, found: &mut Found<'r>) {
    let kind = rule.kind.as_str();
    found.push((format!("{at}.{kind}"), &rule.external_id));
    maybe(rule.version.as_ref(), format!("{at}.version"), found);
    maybe(rule.company.as_ref(), format!("{at}.company"), found);
    maybe(rule.email.as_ref(), format!("{at}.email"), found);
    maybe(rule.phone.as_ref(), format!("{at}.phone"), found);
    fields(&rule.fields, at, found);
    custom(&rule.custom, &format!("{at}.custom"), found);
}

fn digest<'r>(rule: &'r DigestRule, at: &str, found: &mut Found<'r>) {
    maybe(rule.session.as_ref(), format!("{at}.session.key"), found);
    fields(&rule.each, &format!("{at}.keep"), found);
    custom(&rule.sums, &format!("{at}.sums"), found);
}

fn fields<'r>(rules: &'r [FieldRule], at: &str, found: &mut Found<'r>) {
    for rule in rules {
        template(&rule.value, format!("{at}.{}", rule.name), found);
    }
}

fn custom<'r>(rules: &'r [CustomRule], at: &str, found: &mut Found<'r>) {
    let named = rules.iter();
    found.extend(named.map(|rule| (format!("{at}.{}", rule.name), &rule.value)));
}

fn template<'r>(value: &'r Template, at: String, found: &mut Found<'r>) {
    match value {
        Template::Expr(expr) => found.push((at, expr)),
        Template::List(items) => {
            for (index, item) in items.iter().enumerate() {
                template(item, format!("{at}[{index}]"), found);
            }
        }
        Template::Map(entries) => {
            for (name, item) in entries {
                template(item, format!("{at}.{name}"), found);
            }
        }
    }
}
