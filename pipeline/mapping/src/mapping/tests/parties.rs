//! Customers and companies as operations of their own.

use serde_json::{Value, json};

use super::{now, record};
use crate::decode::Format;
use crate::mapping::Mapping;
use crate::testing::shown;
use ingest_model::operation::Operation;
use ingest_model::outcome::{Rejection, Verdict};
use ingest_model::record::Record;

const GROUP: &str = "
  - name: group
    on: group
    do:
      - company: .group
        version: .v
        name: .name
        email: .email
        website: .site
        domain: .domain
        employeeCount: .size
        createdAt: .since
        tags: [.tag]
        custom: { planStr: .plan }
      - customer: .user
        company: .group
        version: .v
        name: .who
        email: .mail
        phone: .phone
        birthdayAt: .born
        gender: .gender
        createdAt: .since
        custom: { pointsNum: .points }";

fn explained(routes: &str, payload: &Value) -> (Verdict, usize) {
    let text = format!("event: {{ name: .type }}\nroutes:{routes}");
    let mapping = std::sync::Arc::new(Mapping::compile(&text, "t.yaml").unwrap());
    let limits = crate::decode::Limits::default();
    let pipeline = crate::route::Pipeline::new(Format::Json, limits, mapping).unwrap();
    let record = Record {
        value: Some(payload.to_string().into()),
        ..record()
    };
    let (summary, verdict) = pipeline.explain(&record, now());
    (verdict, summary.map_or(0, |summary| summary.dropped.len()))
}

fn operations(payload: &Value) -> Vec<Operation> {
    let Verdict::Emit(planned) = explained(GROUP, payload).0 else {
        panic!("not emitted");
    };
    planned.into_iter().map(|plan| plan.operation).collect()
}

fn errors(route: &str) -> Vec<String> {
    let text = format!("routes:\n  - name: r\n    on: x\n{route}");
    let found = Mapping::compile(&text, "m.yaml").map_or_else(|errors| errors, |_| Vec::new());
    found.iter().map(ToString::to_string).collect()
}

fn group() -> Value {
    json!({
        "type": "group", "group": "acme", "v": 7, "name": "Acme", "email": "Office@Acme.Example", "site": "https://acme.example",
        "domain": "ACME.example", "size": 12, "since": "2026-05-06T07:08:09Z", "tag": "vip", "plan": "gold",
        "user": 4711, "who": "Ann", "mail": "Ann@Acme.example", "phone": "+49 30 1234567", "born": "1990-02-03", "gender": "female",
        "points": "12",
    })
}

#[test]
fn both_are_written_with_what_their_endpoints_take() {
    let operations = operations(&group());
    let company = json!({
        "company": "acme", "version": "7", "name": "Acme", "employeeCount": 12, "tags": ["vip"],
        "custom": {"planStr": "gold", "ingestVersionStr": "7"},
        "emails": [{"type": "work", "email": "office@acme.example"}],
        "urls": [{"type": "website", "url": "https://acme.example"}],
        "domains": [{"domain": "acme.example"}],
        "createdAt": "2026-05-06T07:08:09.000Z",
    });
    assert_eq!(shown(&operations[0]), company);
    let customer = json!({
        "customer": "4711", "company": "acme", "version": "7", "name": "Ann", "birthdayAt": "1990-02-03T00:00:00.000Z",
        "gender": "f", "createdAt": "2026-05-06T07:08:09.000Z", "custom": {"pointsNum": 12, "ingestVersionStr": "7"},
        "emails": [{"type": "home", "email": "ann@acme.example"}],
        "phones": [{"type": "mobile", "phone": "+49301234567"}],
    });
    assert_eq!(shown(&operations[1]), customer);
    assert_eq!(
        operations.iter().map(Operation::kind).collect::<Vec<_>>(),
        ["company", "customer"]
    );
    let Operation::KObject(object) = &operations[0] else {
        panic!("written like an object")
    };
    let update = object.body.parse();
    for field in ["createdAt", "emails", "urls", "domains"] {
        assert!(
            !update.contains_key(field),
            "an update of a company has no {field}"
        );
    }
    let Operation::KObject(object) = &operations[1] else {
        panic!("written like an object")
    };
    let update = object.body.parse();
    assert!(update.contains_key("createdAt") && !update.contains_key("emails"));
    assert_eq!(update["externalId"], "4711");
}

#[test]
fn what_names_nobody_or_has_no_name_is_rejected_and_bad_fields_are_left_out() {
    for (field, value, reason) in [
        ("user", json!("anonymous"), Rejection::MissingCustomer),
        ("user", json!(null), Rejection::MissingField),
        ("group", json!(null), Rejection::MissingField),
        ("name", json!(null), Rejection::MissingField),
        ("name", json!("HP"), Rejection::IllegalField),
        ("v", json!([1]), Rejection::MappingFailed),
    ] {
        let mut event = group();
        event[field] = value;
        let Verdict::Reject(rejected) = explained(GROUP, &event).0 else {
            panic!("{field}: not rejected");
        };
        assert_eq!(rejected.reason, reason, "{rejected:?}");
    }
    let mut event = group();
    for (field, value) in [
        ("site", json!("ftp://x")),
        ("domain", json!("localhost")),
        ("size", json!(-1)),
        ("gender", json!("x")),
        ("born", json!("soon")),
        ("points", json!("many")),
    ] {
        event[field] = value;
    }
    event["mail"] = json!("nobody@");
    let (verdict, dropped) = explained(GROUP, &event);
    let Verdict::Emit(planned) = verdict else {
        panic!("{verdict:?}")
    };
    assert_eq!(dropped, 6);
    let customer = shown(&planned[1].operation);
    assert!(customer.get("emails").is_none() && customer.get("gender").is_none());
    assert_eq!(customer["name"], "Ann");
}

#[test]
fn a_customer_may_keep_its_company_and_the_route_needs_no_customer() {
    let mut event = group();
    event["group"] = json!(null);
    let routes = "
  - name: customer
    on: group
    do: [{ customer: .user, company: .group, name: .who }]";
    let Verdict::Emit(planned) = explained(routes, &event).0 else {
        panic!("the event names nobody by the rules of its format, and need not")
    };
    assert_eq!(shown(&planned[0].operation)["company"], json!(null));
    let mixed = "
  - name: both
    on: group
    do: [{ customer: .user }, { track: .type }]";
    let Verdict::Reject(rejected) = explained(mixed, &event).0 else {
        panic!("a `track` needs a customer");
    };
    assert_eq!(rejected.reason, Rejection::MissingCustomer);
}

#[test]
fn files_say_what_is_wrong_and_how_it_is_done() {
    for (route, wanted) in [
        (
            "    do: [{ kobject: customer, externalId: .a, title: .b }]",
            "not a klass of custom objects; customers and companies have operations of their own: `- customer: <its external id>`",
        ),
        (
            "    do: [{ kobject: company, externalId: .a, title: .b }]",
            "`- company: <its external id>`",
        ),
        (
            "    customer: { from: { klass: company, externalId: .a } }\n    do: [{ track: .b }]",
            "not a klass of custom objects",
        ),
        ("    do: [{ company: .a }]", "`name` is missing"),
        (
            "    do: [{ company: .a, name: .b, title: .c }]",
            "unknown key `title`",
        ),
        (
            "    do: [{ customer: .a, externalId: .b }]",
            "unknown key `externalId`",
        ),
        (
            "    do: [{ customer: .a, track: .b }]",
            "unknown key `customer`",
        ),
        (
            "    do: [{ customer: .a, birthday: .b }]",
            "did you mean `birthdayAt`?",
        ),
        (
            "    do: [{ customer: .a, custom: { pointsInt: .b } }]",
            "must end in its type",
        ),
        (
            "    do: [{ customer: .a, company: .c, onBad: { customer: reject } }]",
            "always rejected",
        ),
        (
            "    do: [{ customer: .a, custom: { ingestVersionStr: .b } }]",
            "the name is reserved",
        ),
    ] {
        let found = errors(route);
        assert!(
            found.iter().any(|one| one.contains(wanted)),
            "{route}: {found:#?}"
        );
    }
    let text = format!("routes:{GROUP}");
    let mapping = Mapping::compile(&text, "t.yaml").unwrap();
    assert!(
        mapping.klasses().is_empty(),
        "no klass is to be created for them"
    );
    assert_eq!(
        mapping.customer_attributes(),
        ["ingestVersionStr", "pointsNum"]
    );
    assert_eq!(
        mapping.company_attributes(),
        ["ingestVersionStr", "planStr"]
    );
    assert!(mapping.links_companies());
    let fields: Vec<String> = mapping
        .optional_fields()
        .into_iter()
        .map(|(_, field)| field)
        .collect();
    for field in [
        "company",
        "email",
        "phone",
        "website",
        "custom.planStr",
        "birthdayAt",
    ] {
        assert!(fields.iter().any(|one| one == field), "{field}: {fields:?}");
    }
    assert!(
        fields.iter().filter(|field| *field == "name").count() == 1,
        "a company's name is required: {fields:?}"
    );
}

#[test]
fn a_test_names_only_what_such_an_operation_can_have() {
    let failure = |expected: &str| {
        let text = format!(
            "
event: {{ name: .type }}
routes:
  - {{ name: r, on: up, do: [{{ customer: .u, name: .n, email: .m, company: .c }}] }}
tests:
  - {{ name: t, event: {{ type: up, u: u1, n: Ann, m: ann@a.example, c: acme }}, expect: [{expected}] }}"
        );
        let failures = Mapping::compile(&text, "t.yaml").unwrap().run_tests();
        failures.first().map(ToString::to_string)
    };
    for right in [
        "{ customer: u1, company: acme, name: Ann, phones: null }",
        "{ customer: u1, emails: [{ email: ann@a.example }] }",
    ] {
        assert_eq!(failure(right), None, "{right}");
    }
    for (wrong, said) in [
        (
            "{ customer: u1, email: null }",
            "[0].email: an operation `customer` has no field of that name; did you mean `emails`?",
        ),
        (
            "{ customer: u1, nmae: null }",
            "[0].nmae: an operation `customer` has no field of that name; did you mean `name`?",
        ),
        (
            "{ company: acme }",
            "[0]: expected a company, got a customer; name it: `customer`",
        ),
    ] {
        let failure = failure(wrong).unwrap_or_default();
        assert!(failure.ends_with(said), "{wrong}: {failure}");
    }
}
