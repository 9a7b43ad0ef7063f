//! The request of one operation, as the client would send it.

use std::sync::Arc;

use ingest_kustomer::encode::encode;
use ingest_mapping::testing::shown_key;
use ingest_model::call::{BulkItem, Call};
use ingest_model::digest::Session;
use ingest_model::operation::{
    CustomerKey, CustomerRef, KObject, MissingCustomer, Operation, Planned,
};
use serde_json::{Map, Value, json};

/// Stands for the id of a customer that has to be found first. No id looks like it.
const UNKNOWN_CUSTOMER: &str = "\u{0}unknown customer";
/// The same for a company.
const UNKNOWN_COMPANY: &str = "\u{0}unknown company";

/// The same for an object, in the path.
const UNKNOWN_OBJECT: &str = "unknown-object";

/// The operation with its route and its request, and its customer, if it is for one. `number` identifies it in a bulk request's
/// results.
pub(super) fn shown(planned: &Planned, number: usize) -> Value {
    let operation = &planned.operation;
    let mut shown = Map::new();
    shown.insert("route".to_owned(), json!(&*planned.route));
    shown.insert("kind".to_owned(), json!(operation.kind()));
    if let Some(customer) = operation.customer() {
        shown.insert("customer".to_owned(), keys(customer).into());
        shown.insert("missing".to_owned(), json!(missing(customer.missing)));
    }
    if let Operation::KObject(object) = operation
        && object.deletes
    {
        let version = object.version.as_ref().map(|version| &*version.0);
        let named = json!({ "externalId": &*object.external_id.0, "version": version });
        shown.insert("object".to_owned(), named);
    }
    shown.insert("request".to_owned(), request(operation, number));
    Value::Object(shown)
}

fn request(operation: &Operation, number: usize) -> Value {
    let call = match operation {
        Operation::Identify(identify) => Call::Identify {
            identity: identify.identity(),
        },
        Operation::Track(track) => Call::Track {
            identity: track.customer.identity(),
            event: track.event.clone(),
        },
        // The id has to be found first.
        Operation::KObject(object) if object.deletes => Call::DeleteKObject {
            klass: object.klass.clone(),
            id: Arc::from(UNKNOWN_OBJECT),
        },
        Operation::KObject(object) => Call::CreateKObjects {
            klass: object.klass.clone(),
            items: vec![item(object, number)],
            with_refs: true,
        },
    };
    let request = encode(&call);
    let body = request
        .body
        .and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let body = body.map(|body| reveal(body, operation.customer()));
    let body = body.map(|body| reveal_company(body, operation));
    let path = request.path.replace(UNKNOWN_OBJECT, "{id}");
    json!({ "method": request.method.as_str(), "path": path, "body": body })
}

fn item(object: &KObject, number: usize) -> BulkItem {
    let customer = object
        .customer
        .as_ref()
        .map(|customer| match customer.first() {
            CustomerKey::Id(id) => Arc::clone(id),
            CustomerKey::ExternalId(_)
            | CustomerKey::Email(_)
            | CustomerKey::Phone(_)
            | CustomerKey::Owner(_) => Arc::from(UNKNOWN_CUSTOMER),
        });
    BulkItem {
        reference: number.to_string(),
        company: object.company().map(|_| Arc::from(UNKNOWN_COMPANY)),
        body: match &object.fold {
            Some(fold) => Session::default()
                .with(fold)
                .body(&object.external_id.0, &fold.frame),
            None => object.body_on_create(),
        },
        customer,
        id: None,
        rev: None,
        imported_at: None,
    }
}

/// Puts the customer's key where its id is still unknown.
fn reveal(mut body: Value, customer: Option<&CustomerRef>) -> Value {
    let Some(customer) = customer else {
        return body;
    };
    for item in body.as_array_mut().into_iter().flatten() {
        if let Some(place) = item.get_mut("customer").filter(|c| *c == UNKNOWN_CUSTOMER) {
            let key = customer.first();
            *place = unknown(key);
        }
    }
    // An event has no keys of its own while an object names its customer.
    if let (Some(owner), false) = (customer.owner(), customer.is_trackable()) {
        if let Some(identity) = body.get_mut("identity") {
            *identity = unknown(owner);
        } else if let Some(fields) = body.as_object_mut() {
            fields.extend(unknown(owner).as_object().cloned().unwrap_or_default());
        }
    }
    body
}

/// Puts the company's external id where its Kustomer id is still unknown.
fn reveal_company(mut body: Value, operation: &Operation) -> Value {
    if let Operation::KObject(object) = operation
        && let Some(company) = object.company()
    {
        for item in body.as_array_mut().into_iter().flatten() {
            if let Some(place) = item.get_mut("company").filter(|c| *c == UNKNOWN_COMPANY) {
                *place = json!({ "$company": { "externalId": &*company.0 } });
            }
        }
    }
    body
}

/// Stands for the keys or the id of a customer who has to be found first.
fn unknown(key: &CustomerKey) -> Value {
    json!({ "$customer": { key.kind(): shown_key(key) } })
}

/// The keys of a customer; of several of one kind, the most trusted.
fn keys(customer: &CustomerRef) -> Map<String, Value> {
    let mut keys = Map::new();
    for key in customer.keys() {
        keys.entry(key.kind()).or_insert_with(|| shown_key(key));
    }
    keys
}

fn missing(missing: MissingCustomer) -> &'static str {
    match missing {
        MissingCustomer::Create => "create",
        MissingCustomer::Park => "park",
        MissingCustomer::Reject => "reject",
        MissingCustomer::Skip => "skip",
    }
}
