//! Operations in the words of mapping files.

use serde_json::{Map, Value, json};

use ingest_model::digest::Session;
use ingest_model::operation::{CustomerKey, CustomerRef, KObject, MissingCustomer, Operation};

/// An operation in the words of mapping files, for tests and for readers.
#[must_use]
pub fn shown(operation: &Operation) -> Value {
    let mut map = Map::new();
    match operation {
        Operation::Identify(identify) => {
            map.insert(
                "identify".to_owned(),
                Value::Object(identify.fields.parse()),
            );
        }
        Operation::Track(track) => {
            let track = track.occurrence();
            map.insert("track".to_owned(), Value::from(&*track.name));
            map.insert("session".to_owned(), json!(track.session_id.as_deref()));
            map.insert("trackingId".to_owned(), json!(track.tracking_id.as_deref()));
            map.insert("meta".to_owned(), Value::Object(track.meta));
        }
        Operation::KObject(
            kobject @ KObject {
                fold: Some(fold), ..
            },
        ) => {
            let session = Session::default().with(fold);
            map.insert("digest".to_owned(), Value::from(&*kobject.klass.0));
            map.extend(session.body(&kobject.external_id.0, &fold.frame).parse());
        }
        Operation::KObject(KObject {
            deletes: true,
            klass,
            external_id,
            version,
            ..
        }) => {
            let version = version.as_ref().map(|version| &*version.0);
            return json!({ "delete": &*klass.0, "externalId": &*external_id.0, "version": version });
        }
        Operation::KObject(KObject {
            party: Some(party),
            klass,
            external_id,
            version,
            body,
            ..
        }) => {
            map.extend(body.parse());
            map.shift_remove("externalId");
            map.extend(party.on_create.parse());
            map.insert(
                "version".to_owned(),
                json!(version.as_ref().map(|version| &*version.0)),
            );
            if klass.is_customer() {
                let company = party.company.as_ref().map(|company| &*company.0);
                map.insert("company".to_owned(), json!(company));
            }
            map.insert(klass.to_string(), Value::from(&*external_id.0));
            return Value::Object(map);
        }
        Operation::KObject(kobject) => {
            map.insert("kobject".to_owned(), Value::from(&*kobject.klass.0));
            map.insert(
                "version".to_owned(),
                json!(kobject.version.as_ref().map(|version| &*version.0)),
            );
            map.extend(kobject.body.parse());
        }
    }
    map.insert(
        "customer".to_owned(),
        operation.customer().map_or(Value::Null, customer),
    );
    Value::Object(map)
}

/// What a key says, in the words of mapping files.
#[must_use]
pub fn shown_key(key: &CustomerKey) -> Value {
    match key.object() {
        Some((klass, id)) => json!({ "klass": &*klass.0, "externalId": &*id.0 }),
        None => Value::from(&**key.value()),
    }
}

fn customer(customer: &CustomerRef) -> Value {
    let keys = customer
        .keys()
        .iter()
        .map(|key| (key.kind().to_owned(), shown_key(key)));
    let mut map: Map<String, Value> = keys.collect();
    let missing = match customer.missing {
        MissingCustomer::Create => "create",
        MissingCustomer::Park => "park",
        MissingCustomer::Reject => "reject",
        MissingCustomer::Skip => "skip",
    };
    map.insert("missing".to_owned(), Value::from(missing));
    Value::Object(map)
}
