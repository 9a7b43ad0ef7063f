//! Answers as the API gives them to what is sent most: a bulk request, the reads of its job, a tracking event.

use ingest_kustomer::classify::{HttpReply, ReplyBody};
use ingest_kustomer::encode::encode;
use ingest_model::body::Body;
use ingest_model::call::{Call, Limits};
use serde_json::{Value, json};

/// A call and the answer to it.
pub(crate) struct Answered {
    pub(crate) call: Call,
    pub(crate) reply: HttpReply,
}

/// The batches of a job of 100 objects, all stored but one.
pub(crate) fn results() -> Answered {
    let batch = |first: u32| {
        let of = first..first + 50;
        let result = |number: u32| {
            let reference = format!("shop.orders.1/3/{number}/0");
            match number {
                7 => {
                    json!({"_clientRef": reference, "status": "error", "error": "title is required"})
                }
                _ => json!({"_clientRef": reference, "objectId": id(number), "status": "created"}),
            }
        };
        let ids: Vec<String> = of.clone().map(id).collect();
        let results: Vec<Value> = of.map(result).collect();
        let attributes = json!({
            "status": "complete", "successCount": 50, "failureCount": 0, "objectIds": ids, "errors": [],
            "completedAt": "2026-01-01T00:00:05.000Z", "results": results,
        });
        json!({"type": "bulk_batch", "id": id(1_000 + first), "attributes": attributes})
    };
    let call = Call::ReadJob {
        job: id(9_000).into(),
    };
    answered(call, 200, &json!({"data": [batch(0), batch(50)]}))
}

/// What a bulk request is answered: all that was sent, and the job's id.
pub(crate) fn submitted(call: Call) -> Answered {
    let sent = encode(&call).body.unwrap_or_default();
    let sent: Value = serde_json::from_slice(&sent).unwrap_or_default();
    let body = json!({"data": {"type": "bulk", "id": id(9_000), "attributes": {
        "ids": [], "context": "api.sobjects.kobjects.bulk-create", "status": "queued", "v2": true,
        "payload": {"api": {"data": sent, "path": "/v1/klasses/order/bulk"}},
        "createdAt": "2026-01-01T00:00:00.000Z",
    }}});
    answered(call, 201, &body)
}

/// What an event of a known visitor is answered: the identity and whose it is.
pub(crate) fn tracked() -> Answered {
    let call = Call::Track {
        identity: Body::default(),
        event: Body::default(),
    };
    let at = "2026-01-01T00:00:00.000Z";
    let body = json!({"data": {"type": "identity", "id": id(1),
        "attributes": {"trackingId": id(2), "externalId": "shopper-000017", "email": "shopper-17@shop.example",
            "status": "updated", "statusAt": at, "createdAt": at, "updatedAt": at},
        "relationships": {
            "org": {"links": {"self": format!("/v1/orgs/{}", id(3))}, "data": {"type": "org", "id": id(3)}},
            "customer": {"links": {"self": format!("/v1/customers/{}", id(4))}, "data": {"type": "customer", "id": id(4)}}},
        "links": {"self": format!("/v1/tracking/identity/{}", id(1))},
    }});
    answered(call, 201, &body)
}

fn answered(call: Call, status: u16, body: &Value) -> Answered {
    let reply = HttpReply {
        status,
        limits: Limits::default(),
        location: None,
        body: ReplyBody::Whole(body.to_string().into()),
    };
    Answered { call, reply }
}

fn id(number: u32) -> String {
    format!("5f0c{number:020x}")
}
