//! Records that are played again and again: each time they are other occurrences, of other objects.
//!
//! What is renamed is what the mapping made of a record, so it works for every format: the keys of customers, the external
//! ids of objects, the key of the event. Companies are few beside their customers: they stay those of the input, unless somebody
//! says how many there are; and a customer keeps its company.

use std::sync::Arc;

use ingest_model::body::Body;
use ingest_model::operation::{
    CustomerKey, CustomerRef, ExternalId, Identify, KObject, KlassKind, Operation, Planned, Track,
};
use ingest_model::outcome::Batch;
use ingest_model::outcome::Verdict;
use uuid::Uuid;

/// Which repetition of the input it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Round {
    /// Of its events and objects: each round has its own.
    pub(super) number: u64,
    /// Of its customers: they come back after some rounds.
    pub(super) customers: u64,
    /// Of its companies.
    pub(super) companies: u64,
}

/// After how many rounds who comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rounds {
    pub(super) customers: u64,
    pub(super) companies: u64,
}

/// The longest part of an id that is kept.
const KEPT: usize = 200;

// === impl Rounds ===

impl Rounds {
    /// The round with this number, from 0.
    pub(super) fn round(self, number: u64) -> Round {
        let customers = number % self.customers.max(1);
        Round {
            number,
            customers,
            // By the customers' round, so that a customer who comes back belongs to the same company.
            companies: customers % self.companies.max(1),
        }
    }
}

// === impl Round ===

impl Round {
    /// The same verdict, about other occurrences.
    pub(super) fn renamed(self, verdict: &Verdict) -> Verdict {
        match verdict {
            Verdict::Emit(planned) if self.number > 0 => {
                Verdict::Emit(planned.iter().map(|one| self.planned(one)).collect())
            }
            Verdict::Batch(batch) if self.number > 0 => Verdict::Batch(Box::new(Batch {
                planned: batch.planned.iter().map(|one| self.planned(one)).collect(),
                ..(**batch).clone()
            })),
            Verdict::Emit(_) | Verdict::Batch(_) | Verdict::Skip(_) | Verdict::Reject(_) => {
                verdict.clone()
            }
        }
    }

    fn planned(self, planned: &Planned) -> Planned {
        let event_key = self.event_key(planned.event_key);
        let operation = match &planned.operation {
            Operation::Identify(identify) => Operation::Identify(Identify {
                customer: self.customer(&identify.customer),
                fields: identify.fields.clone(),
            }),
            Operation::Track(track) => Operation::Track(Track {
                customer: self.customer(&track.customer),
                event: self.event(&track.event, track.event_key),
                event_key: self.event_key(track.event_key),
            }),
            Operation::KObject(object) => Operation::KObject(self.object(object)),
        };
        Planned {
            route: Arc::clone(&planned.route),
            event_key,
            operation,
        }
    }

    fn customer(self, customer: &CustomerRef) -> CustomerRef {
        let keys = customer.keys().iter().map(|key| self.key(key)).collect();
        CustomerRef::new(keys, customer.missing).unwrap_or_else(|| customer.clone())
    }

    fn key(self, key: &CustomerKey) -> CustomerKey {
        let round = self.customers;
        if let Some((klass, id)) = key.object() {
            // Objects are others in every round.
            let id = ExternalId(numbered(&id.0, self.number));
            return CustomerKey::of_object(&klass, &id);
        }
        if round == 0 {
            return key.clone();
        }
        match key {
            // It belongs to a customer who exists; another one does not.
            CustomerKey::Id(_) | CustomerKey::Owner(_) => key.clone(),
            CustomerKey::ExternalId(id) => CustomerKey::ExternalId(numbered(id, round)),
            CustomerKey::Email(address) => {
                CustomerKey::Email(Arc::from(format!("r{round}.{address}")))
            }
            CustomerKey::Phone(number) => {
                let digits = number.bytes().fold(round, |sum, byte| {
                    sum.wrapping_mul(31).wrapping_add(u64::from(byte))
                });
                let digits = scattered(digits) % 10_000_000_000;
                CustomerKey::Phone(Arc::from(format!("+1{digits:010}")))
            }
        }
    }

    /// The body names the event's key as well.
    fn event(self, body: &Body, key: Uuid) -> Body {
        let mut fields = body.fields();
        if let Some(meta) = fields.get("meta") {
            let renamed = self.event_key(key).to_string();
            fields.put("meta", meta.replacen(&key.to_string(), &renamed, 1));
        }
        Body::from(&fields)
    }

    fn object(self, object: &KObject) -> KObject {
        let mut object = object.clone();
        let round = match object.klass.kind() {
            KlassKind::Objects => self.number,
            KlassKind::Customers => self.customers,
            KlassKind::Companies => self.companies,
        };
        object.external_id = ExternalId(numbered(&object.external_id.0, round));
        object.customer = object.customer.as_ref().map(|one| self.customer(one));
        if let Some(party) = object.party.as_deref_mut() {
            let company = party.company.as_ref();
            party.company = company.map(|id| ExternalId(numbered(&id.0, self.companies)));
            if round > 0 {
                // Two customers cannot share an address.
                party.on_create = Body::default();
            }
        }
        // The body of a digest is made when it leaves.
        if let Some(fold) = &mut object.fold {
            for event in &mut fold.events {
                event.key = scattered(event.key ^ scattered(self.number));
            }
        } else {
            let id = serde_json::Value::from(&*object.external_id.0).to_string();
            let mut fields = object.body.fields();
            fields.put("externalId", id);
            object.body = Body::from(&fields);
        }
        object
    }

    fn event_key(self, key: Uuid) -> Uuid {
        let salt = u128::from(scattered(self.number)) << 64 | u128::from(self.number);
        Uuid::from_u128(key.as_u128() ^ salt)
    }
}

fn numbered(id: &str, round: u64) -> Arc<str> {
    if round == 0 {
        return Arc::from(id);
    }
    let kept: String = id.chars().take(KEPT).collect();
    Arc::from(format!("{kept}~{round}"))
}

/// A number that looks random but is not (the finaliser of `SplitMix64`).
pub(super) fn scattered(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use ingest_model::operation::{Klass, MissingCustomer, Party, Version};
    use serde_json::{Map, Value, json};

    use super::*;

    fn body(value: Value) -> Body {
        let Value::Object(map) = value else {
            panic!("an object")
        };
        Body::from(map)
    }

    fn verdict() -> (Verdict, Uuid) {
        let key = Uuid::from_u128(7);
        let keys = vec![
            CustomerKey::ExternalId(Arc::from("u1")),
            CustomerKey::Email(Arc::from("ada@shop.example")),
        ];
        let customer = CustomerRef::new(keys, MissingCustomer::Create).unwrap();
        let meta = body(json!({"eventKey": key.to_string(), "valueNum": 1}));
        let planned = |operation| Planned {
            route: Arc::from("r"),
            event_key: key,
            operation,
        };
        let track = Track::new(customer.clone(), "Coupon", None, None, &meta, key);
        let order = KObject {
            klass: Klass(Arc::from("order")),
            external_id: ExternalId(Arc::from("o1")),
            customer: Some(customer),
            version: Some(Version::new("3")),
            body: body(json!({"externalId": "o1", "title": "Order"})),
            fold: None,
            party: None,
            deletes: false,
        };
        let both = vec![
            planned(Operation::Track(track)),
            planned(Operation::KObject(order)),
        ];
        (Verdict::Emit(both), key)
    }

    #[test]
    fn another_round_is_about_other_events_objects_and_customers() {
        let (first, key) = verdict();
        let round = Round {
            number: 5,
            customers: 2,
            companies: 0,
        };
        let Verdict::Emit(planned) = round.renamed(&first) else {
            panic!("it emits")
        };
        let [track, order] = planned.as_slice() else {
            panic!("two operations")
        };
        let Operation::Track(track) = &track.operation else {
            panic!("an event")
        };
        assert_ne!(track.event_key, key);
        let event: Map<String, Value> = track.event.parse();
        assert_eq!(event["meta"]["eventKey"], track.event_key.to_string());
        assert_eq!(event["meta"]["valueNum"], 1);
        assert_eq!(
            track.customer.identity().as_str(),
            r#"{"externalId":"u1~2","email":"r2.ada@shop.example"}"#
        );
        let Operation::KObject(order) = &order.operation else {
            panic!("an object")
        };
        assert_eq!(&*order.external_id.0, "o1~5");
        assert_eq!(order.body.parse()["externalId"], "o1~5");
        assert_eq!(order.body.parse()["title"], "Order");
        assert_eq!(order.customer.as_ref(), Some(&track.customer));
    }

    #[test]
    fn the_first_round_is_the_input_itself() {
        let (first, _) = verdict();
        let rounds = Rounds {
            customers: u64::MAX,
            companies: 1,
        };
        assert_eq!(rounds.round(0).renamed(&first), first);
    }

    fn party(klass: Klass, id: &str, company: Option<&str>) -> Planned {
        let on_create = body(json!({"emails": [{"email": "ada@shop.example"}]}));
        Planned {
            route: Arc::from("r"),
            event_key: Uuid::from_u128(7),
            operation: Operation::KObject(KObject {
                klass,
                external_id: ExternalId(Arc::from(id)),
                customer: None,
                version: None,
                body: body(json!({"externalId": id, "name": "Acme"})),
                fold: None,
                deletes: false,
                party: Some(Box::new(Party {
                    company: company.map(|id| ExternalId(Arc::from(id))),
                    on_create,
                })),
            }),
        }
    }

    /// The ids of the customer, its company and the company written, and whether the customer's contacts are said.
    fn parties(rounds: Rounds, number: u64) -> (String, String, String, bool) {
        let first = Verdict::Emit(vec![
            party(Klass::company(), "acme", None),
            party(Klass::customer(), "u1", Some("acme")),
        ]);
        let Verdict::Emit(planned) = rounds.round(number).renamed(&first) else {
            panic!("it emits")
        };
        let objects = planned.iter().map(|one| match &one.operation {
            Operation::KObject(object) => object,
            Operation::Identify(_) | Operation::Track(_) => panic!("an object"),
        });
        let [company, customer] = objects.collect::<Vec<_>>()[..] else {
            panic!("two objects")
        };
        for object in [company, customer] {
            assert_eq!(object.body.parse()["externalId"], *object.external_id.0);
        }
        let party = customer.party.as_deref().unwrap();
        (
            customer.external_id.0.to_string(),
            party.company.as_ref().unwrap().0.to_string(),
            company.external_id.0.to_string(),
            party.on_create.size() > Body::default().size(),
        )
    }

    #[test]
    fn companies_stay_those_of_the_input_unless_there_are_more() {
        let few = Rounds {
            customers: u64::MAX,
            companies: 1,
        };
        let said = |customer: &str, company: &str, contacts: bool| {
            let company = company.to_owned();
            (customer.to_owned(), company.clone(), company, contacts)
        };
        assert_eq!(parties(few, 0), said("u1", "acme", true));
        assert_eq!(parties(few, 7), said("u1~7", "acme", false));
        // Eleven rounds of customers, three of companies.
        let more = Rounds {
            customers: 11,
            companies: 3,
        };
        assert_eq!(parties(more, 7), said("u1~7", "acme~1", false));
        assert_eq!(parties(more, 9), said("u1~9", "acme", false));
        for number in 1..40 {
            // A customer who comes back is the same one, in the same company.
            assert_eq!(parties(more, number), parties(more, number + 11));
        }
    }
}
