//! A good record of each form that the decoders read.

use ingest_mapping::decode::Format;

/// Where a record says something.
pub(crate) enum Place {
    /// A field of the value, by its JSON pointer.
    Field(&'static str),
    /// A header.
    Header(&'static str),
}

/// A form of records, with a good one.
pub(crate) struct Form {
    pub(crate) what: &'static str,
    pub(crate) format: Format,
    pub(crate) headers: &'static [(&'static str, &'static str)],
    /// It has `total: "19.99"` in its content, and at most one time.
    pub(crate) value: &'static str,
    /// The name of its event.
    pub(crate) is_called: &'static str,
    /// The part of the name that stands at `name`.
    pub(crate) called_in_it: &'static str,
    pub(crate) name: Place,
    /// Without what stands there, there is another name.
    pub(crate) has_other_name: bool,
    /// Where its time stands.
    pub(crate) time: Option<Place>,
    /// Its time is a number.
    pub(crate) counts_time: bool,
    /// The object in the value that has the content.
    pub(crate) content: &'static str,
    /// The same in what expressions see.
    pub(crate) seen: &'static str,
    /// `auto` recognises it.
    pub(crate) shows_itself: bool,
    /// To `auto` it is an event of what is around it.
    pub(crate) is_wrapped: bool,
    /// All but the content is in headers.
    pub(crate) is_in_headers: bool,
    /// The customer whom the record names.
    pub(crate) names: Option<&'static str>,
}

const PLAIN: Form = Form {
    what: "",
    format: Format::Json,
    headers: &[],
    value: "{}",
    is_called: "",
    called_in_it: "",
    name: Place::Field("/type"),
    has_other_name: false,
    time: None,
    counts_time: false,
    content: "",
    seen: "",
    shows_itself: true,
    is_wrapped: false,
    is_in_headers: false,
    names: None,
};

/// All forms.
pub(crate) const FORMS: &[Form] = &[
    Form {
        what: "json",
        format: Format::Json,
        value: r#"{"type": "order.placed", "id": "e-1", "time": "2026-05-06T07:08:09Z", "total": "19.99"}"#,
        is_called: "order.placed",
        called_in_it: "order.placed",
        time: Some(Place::Field("/time")),
        shows_itself: false,
        ..PLAIN
    },
    Form {
        what: "json, in the envelope of Kafka Connect",
        format: Format::Json,
        value: r#"{"schema": {"type": "struct", "fields": []},
            "payload": {"type": "order.placed", "id": "e-1", "time": "2026-05-06T07:08:09Z", "total": "19.99"}}"#,
        is_called: "order.placed",
        called_in_it: "order.placed",
        name: Place::Field("/payload/type"),
        time: Some(Place::Field("/payload/time")),
        content: "/payload",
        shows_itself: false,
        ..PLAIN
    },
    Form {
        what: "Segment",
        format: Format::Segment,
        value: r#"{"type": "track", "event": "Order Completed", "messageId": "m-1", "userId": "u-1", "timestamp": "2026-05-06T07:08:09Z",
            "properties": {"total": "19.99"}}"#,
        is_called: "Order Completed",
        called_in_it: "Order Completed",
        name: Place::Field("/event"),
        time: Some(Place::Field("/timestamp")),
        content: "/properties",
        seen: "/properties",
        names: Some("u-1"),
        ..PLAIN
    },
    Form {
        what: "RudderStack",
        format: Format::Segment,
        value: r#"{"type": "track", "event": "Order Completed", "messageId": "m-1", "userId": "u-1", "channel": "web", "rudderId": "r-1",
            "originalTimestamp": "2026-05-06T07:08:09Z", "context": {"sessionId": 17}, "properties": {"total": "19.99"}}"#,
        is_called: "Order Completed",
        called_in_it: "Order Completed",
        name: Place::Field("/event"),
        time: Some(Place::Field("/originalTimestamp")),
        content: "/properties",
        seen: "/properties",
        names: Some("u-1"),
        ..PLAIN
    },
    Form {
        what: "CloudEvents, structured",
        format: Format::CloudEvents,
        headers: &[("content-type", "application/cloudevents+json")],
        value: r#"{"specversion": "1.0", "type": "shop.order", "source": "/shop", "id": "e-1", "time": "2026-05-06T07:08:09Z", "data": {"total": "19.99"}}"#,
        is_called: "shop.order",
        called_in_it: "shop.order",
        time: Some(Place::Field("/time")),
        content: "/data",
        has_other_name: false,
        ..PLAIN
    },
    Form {
        what: "CloudEvents, binary",
        format: Format::CloudEvents,
        headers: &[
            ("ce_specversion", "1.0"),
            ("ce_type", "shop.order"),
            ("ce_source", "/shop"),
            ("ce_id", "e-1"),
            ("ce_time", "2026-05-06T07:08:09Z"),
            ("content-type", "application/json"),
        ],
        value: r#"{"total": "19.99"}"#,
        is_called: "shop.order",
        called_in_it: "shop.order",
        name: Place::Header("ce_type"),
        time: Some(Place::Header("ce_time")),
        is_in_headers: true,
        ..PLAIN
    },
    Form {
        what: "Debezium, with its envelope",
        format: Format::Debezium,
        value: r#"{"op": "c", "source": {"connector": "postgresql", "table": "orders", "lsn": 1, "ts_ms": 1778000000000}, "before": null, "after": {"total": "19.99"}}"#,
        is_called: "orders.c",
        called_in_it: "orders",
        name: Place::Field("/source/table"),
        has_other_name: true,
        time: Some(Place::Field("/source/ts_ms")),
        counts_time: true,
        content: "/after",
        ..PLAIN
    },
    Form {
        what: "Debezium, with its schema",
        format: Format::Debezium,
        value: r#"{"schema": {"type": "struct", "fields": [{"field": "after", "type": "struct", "fields": [{"field": "total", "type": "string"}]}]},
            "payload": {"op": "c", "source": {"connector": "postgresql", "table": "orders", "lsn": 1, "ts_ms": 1778000000000}, "before": null, "after": {"total": "19.99"}}}"#,
        is_called: "orders.c",
        called_in_it: "orders",
        name: Place::Field("/payload/source/table"),
        has_other_name: true,
        time: Some(Place::Field("/payload/source/ts_ms")),
        counts_time: true,
        content: "/payload/after",
        ..PLAIN
    },
    Form {
        what: "Debezium, an unwrapped row",
        format: Format::Debezium,
        value: r#"{"total": "19.99", "__table": "carts", "__op": "c", "__source_ts_ms": 1778000000000}"#,
        is_called: "carts.c",
        called_in_it: "carts",
        name: Place::Field("/__table"),
        has_other_name: true,
        time: Some(Place::Field("/__source_ts_ms")),
        counts_time: true,
        shows_itself: false,
        ..PLAIN
    },
    Form {
        what: "Debezium, an outbox",
        format: Format::Debezium,
        headers: &[("id", "e-1"), ("eventType", "OrderPlaced")],
        value: r#"{"total": "19.99"}"#,
        is_called: "OrderPlaced",
        called_in_it: "OrderPlaced",
        name: Place::Header("eventType"),
        has_other_name: true,
        shows_itself: false,
        ..PLAIN
    },
    Form {
        what: "Shopify, with headers",
        format: Format::Shopify,
        headers: &[
            ("X-Shopify-Topic", "refunds/create"),
            ("X-Shopify-Event-Id", "e-1"),
        ],
        value: r#"{"id": 17, "order_id": 4, "updated_at": "2026-05-06T07:08:09Z", "total": "19.99"}"#,
        is_called: "refunds/create",
        called_in_it: "refunds/create",
        name: Place::Header("X-Shopify-Topic"),
        time: Some(Place::Field("/updated_at")),
        ..PLAIN
    },
    Form {
        what: "Shopify, in the wrapper of EventBridge",
        format: Format::Shopify,
        value: r#"{"detail-type": "shopifyWebhook", "detail": {"metadata": {"X-Shopify-Topic": "refunds/create", "X-Shopify-Event-Id": "e-1"},
            "payload": {"id": 17, "order_id": 4, "updated_at": "2026-05-06T07:08:09Z", "total": "19.99"}}}"#,
        is_called: "refunds/create",
        called_in_it: "refunds/create",
        name: Place::Field("/detail/metadata/X-Shopify-Topic"),
        time: Some(Place::Field("/detail/payload/updated_at")),
        content: "/detail/payload",
        ..PLAIN
    },
    Form {
        what: "Shopify, in a relay's wrapper",
        format: Format::Shopify,
        value: r#"{"headers": {"x-shopify-topic": "refunds/create"}, "body": {"id": 17, "updated_at": "2026-05-06T07:08:09Z", "total": "19.99"}}"#,
        is_called: "refunds/create",
        called_in_it: "refunds/create",
        name: Place::Field("/headers/x-shopify-topic"),
        time: Some(Place::Field("/body/updated_at")),
        content: "/body",
        ..PLAIN
    },
    Form {
        what: "Shopify, behind its topic",
        format: Format::Shopify,
        value: r#"{"topic": "refunds/create", "payload": {"id": 17, "updated_at": "2026-05-06T07:08:09Z", "total": "19.99"}}"#,
        is_called: "refunds/create",
        called_in_it: "refunds/create",
        name: Place::Field("/topic"),
        time: Some(Place::Field("/payload/updated_at")),
        content: "/payload",
        shows_itself: false,
        ..PLAIN
    },
    Form {
        what: "Stripe",
        format: Format::Stripe,
        value: r#"{"id": "evt_1", "object": "event", "type": "payout.paid", "created": 1778000000, "data": {"object": {"id": "po_1", "total": "19.99"}}}"#,
        is_called: "payout.paid",
        called_in_it: "payout.paid",
        time: Some(Place::Field("/created")),
        content: "/data/object",
        seen: "/data/object",
        ..PLAIN
    },
    Form {
        what: "EasyPost",
        format: Format::Easypost,
        value: r#"{"id": "evt_1", "object": "Event", "description": "tracker.updated", "created_at": "2026-05-06T07:08:09Z",
            "result": {"tracking_code": "T1", "status": "delivered", "total": "19.99"}}"#,
        is_called: "tracker.updated",
        called_in_it: "tracker.updated",
        name: Place::Field("/description"),
        time: Some(Place::Field("/created_at")),
        content: "/result",
        seen: "/result",
        ..PLAIN
    },
    Form {
        what: "AfterShip",
        format: Format::Aftership,
        value: r#"{"event": "tracking_update", "event_id": "e-1", "ts": 1778000000, "msg": {"tracking_number": "T1", "emails": ["staff@shop.example"], "total": "19.99"}}"#,
        is_called: "tracking_update",
        called_in_it: "tracking_update",
        name: Place::Field("/event"),
        time: Some(Place::Field("/ts")),
        content: "/msg",
        seen: "/msg",
        ..PLAIN
    },
    Form {
        what: "commercetools",
        format: Format::Commercetools,
        value: r#"{"notificationType": "Message", "projectKey": "p", "type": "OrderCreated", "id": "m-1", "sequenceNumber": 1,
            "resource": {"typeId": "order", "id": "o-1"}, "createdAt": "2026-05-06T07:08:09.123Z", "order": {"id": "o-1", "total": "19.99"}}"#,
        is_called: "OrderCreated",
        called_in_it: "OrderCreated",
        time: Some(Place::Field("/createdAt")),
        content: "/order",
        seen: "/order",
        ..PLAIN
    },
    Form {
        what: "commercetools, in a CloudEvent",
        format: Format::Commercetools,
        value: r#"{"specversion": "1.0", "type": "com.commercetools.order.message.OrderCreated", "source": "/p/orders", "id": "m-1", "data":
            {"notificationType": "Message", "projectKey": "p", "type": "OrderCreated", "id": "m-1", "sequenceNumber": 1,
            "resource": {"typeId": "order", "id": "o-1"}, "createdAt": "2026-05-06T07:08:09.123Z", "order": {"id": "o-1", "total": "19.99"}}}"#,
        is_called: "OrderCreated",
        called_in_it: "OrderCreated",
        name: Place::Field("/data/type"),
        time: Some(Place::Field("/data/createdAt")),
        content: "/data/order",
        seen: "/order",
        is_wrapped: true,
        ..PLAIN
    },
    Form {
        what: "BigCommerce",
        format: Format::Bigcommerce,
        value: r#"{"scope": "store/order/statusUpdated", "store_id": "1", "producer": "stores/x", "data": {"type": "order", "id": 17, "total": "19.99"}, "hash": "h", "created_at": 1778000000}"#,
        is_called: "store/order/statusUpdated",
        called_in_it: "store/order/statusUpdated",
        name: Place::Field("/scope"),
        time: Some(Place::Field("/created_at")),
        content: "/data",
        seen: "/data",
        ..PLAIN
    },
    Form {
        what: "WooCommerce",
        format: Format::Woocommerce,
        headers: &[
            ("x-wc-webhook-topic", "product.updated"),
            ("x-wc-webhook-delivery-id", "d-1"),
        ],
        value: r#"{"id": 17, "date_modified_gmt": "2026-05-06T07:08:09", "total": "19.99"}"#,
        is_called: "product.updated",
        called_in_it: "product.updated",
        name: Place::Header("x-wc-webhook-topic"),
        time: Some(Place::Field("/date_modified_gmt")),
        ..PLAIN
    },
    Form {
        what: "generic",
        format: Format::Generic,
        value: r#"{"type": "order.placed", "id": "e-1", "time": "2026-05-06T07:08:09Z", "data": {"total": "19.99"}}"#,
        is_called: "order.placed",
        called_in_it: "order.placed",
        time: Some(Place::Field("/time")),
        content: "/data",
        shows_itself: false,
        ..PLAIN
    },
];
