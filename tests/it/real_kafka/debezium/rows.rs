//! Tables of customers and orders become customers and cards, by the mapping that is shipped.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use kustomer_sim::server::Server;
use serde_json::{Value, json};

use super::super::worker::{TOKEN, Worker};
use super::super::{broker, say, wait_for, wire};
use super::connect::Connect;

const MAPPING: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/schemas/mappings/debezium.yaml"
);
const TABLES: &str = "
    create table customers (id bigint primary key, first_name text, last_name text, email text, phone text, tier text,
        created_at timestamptz);
    create table orders (id bigint primary key, number text, customer_id bigint, status text, total numeric(12, 2),
        currency text, created_at timestamp(3), cancelled_at timestamptz, note text);
    insert into customers values
        (9007199254740993, 'Nora', 'Berg', 'nora@shop.example', '+4915112345678', 'gold', '2026-01-02T03:04:05.123456Z'),
        (7, 'Omar', null, 'omar@shop.example', '', 'basic', '2026-01-03T00:00:00Z');
    insert into orders values
        (1001, '#1001', 9007199254740993, 'paid', 19.99, 'EUR', '2026-02-03 04:05:06.789', null, repeat('long ', 2000)),
        (1002, '#1002', 7, 'new', 5, 'EUR', '2026-02-04 00:00:00', null, null);";

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_a_shop_become_customers_and_orders() {
    let Some(broker) = broker::shared("debezium rows").await else {
        return;
    };
    let Some(database) = Connect::start(&broker, "debezium rows").await else {
        return;
    };
    let topics = ["rows.public.customers", "rows.public.orders"];
    for topic in topics {
        wire::create_topic(&broker, topic, 2, &[]).await;
    }
    wire::create_topic(&broker, "rows.dead", 1, &[]).await;
    let kustomer = Server::start(
        kustomer_sim::Config {
            time_scale: 60.0,
            klasses: vec!["order".to_owned()],
            tokens: vec![TOKEN.1.to_owned()],
            ..kustomer_sim::Config::default()
        },
        SocketAddr::from(([127, 0, 0, 1], 0)),
    )
    .await
    .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("worker.yaml");
    let text = format!(
        "kafka:\n  brokers: {}\n  group: rows-workers\n  topics:\n    - {{ name: {}, mapping: {MAPPING} }}\n    - {{ name: {}, \
         mapping: {MAPPING} }}\n  dead_letter_topic: rows.dead\nkustomer:\n  base_url: {}\n  limit: 1000\n  token: {{ env: {} \
         }}\nadmin: {{ listen: \"127.0.0.1:0\" }}\n",
        broker.address,
        topics[0],
        topics[1],
        kustomer.url(),
        TOKEN.0,
    );
    std::fs::write(&file, text).unwrap();

    // What is there before the connector begins is its snapshot.
    database.sql(TABLES);
    database
        .watch("rows", "public.customers,public.orders", &[])
        .await;
    let mut worker = Worker::start(&file, 60.0).await;
    let cards = || -> BTreeMap<String, Value> {
        kustomer.with(|sim| {
            sim.objects("order")
                .map(|card| {
                    let mut seen = Value::Object(card.custom.clone());
                    seen["title"] = card.title.into();
                    seen["importedAt"] = card.rest.get("importedAt").cloned().unwrap_or_default();
                    seen["hasCustomer"] = card.customer.is_some().into();
                    (card.external_id.unwrap_or_default(), seen)
                })
                .collect()
        })
    };
    let wait = async |what: &str, is_so: &dyn Fn(&BTreeMap<String, Value>) -> bool| {
        let state = || format!("{:#?}\n{}", cards(), worker.tail());
        wait_for(what, state, async || is_so(&cards()).then_some(())).await;
    };
    wait("the snapshot's orders", &|cards| cards.len() == 2).await;
    let imported = cards();
    assert_eq!(imported["1001"]["totalNum"], 19.99, "{imported:#?}");
    assert_eq!(imported["1001"]["placedAt"], "2026-02-03T04:05:06.789Z");
    assert_eq!(imported["1001"]["title"], "Order #1001");
    for card in imported.values() {
        assert!(card["importedAt"].is_string(), "{imported:#?}");
        assert_eq!(card["hasCustomer"], true, "{imported:#?}");
    }

    // Changes, a column that is added while the connector runs, a key that changes, deletions.
    database.sql(
        "update orders set status = 'shipped' where id = 1001;
         alter table orders add column carrier text;
         update orders set carrier = 'DHL', total = 29.99 where id = 1001;
         insert into orders (id, number, customer_id, status, total) values (1003, '#1003', 7, 'new', 'NaN');
         insert into orders (id, number, customer_id, status, total) values (1004, '#1004', 7, 'new', 1e9);
         update orders set id = 2004 where id = 1004;
         delete from orders where id = 1002;
         update customers set last_name = 'Haddad', tier = 'silver' where id = 7;
         insert into customers (id, first_name, email) values (8, 'Pia', 'pia@shop.example');
         delete from customers where id = 8;",
    );
    wait("the changes", &|cards| {
        cards
            .get("1001")
            .is_some_and(|card| card["totalNum"] == 29.99)
            && cards
                .get("1002")
                .is_some_and(|card| card["statusStr"] == "deleted")
            && cards
                .get("1004")
                .is_some_and(|card| card["statusStr"] == "moved")
            && cards.contains_key("2004")
            && cards.contains_key("1003")
    })
    .await;
    let now = cards();
    assert_eq!(now.len(), 5, "{now:#?}");
    assert_eq!(now["1001"]["statusStr"], "shipped");
    assert_eq!(now["1004"]["movedToStr"], "2004");
    assert_eq!(now["2004"]["statusStr"], "new");
    // A number that is none is left out, and the rest of the order is there.
    assert_eq!(now["1003"]["totalNum"], Value::Null, "{now:#?}");
    assert_eq!(now["1003"]["statusStr"], "new");
    // The number of a deleted row is not known any more; its card keeps what it has.
    assert_eq!(now["1002"]["totalNum"], json!(5.0), "{now:#?}");

    let customer = async |id: &str| -> Value {
        let url = format!("{}/v1/customers/externalId={id}", kustomer.url());
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let answer = client.get(url).bearer_auth(TOKEN.1).send().await.unwrap();
        answer.json().await.unwrap()
    };
    wait_for(
        "the customer's new name",
        || worker.tail(),
        async || {
            let found = customer("7").await;
            (found["data"]["attributes"]["name"] == "Omar Haddad").then_some(())
        },
    )
    .await;
    let exact = customer("9007199254740993").await;
    assert_eq!(
        exact["data"]["attributes"]["name"], "Nora Berg",
        "{exact:#}"
    );
    let gone = customer("8").await;
    assert_eq!(gone["data"]["attributes"]["name"], "Pia", "{gone:#}");

    let letters = wire::ends(&broker, "rows.dead", 1).await;
    assert_eq!(letters, [0], "{}", worker.tail());
    let account = kustomer.with(|sim| sim.account());
    assert_eq!(account.repeated.kobjects, 0, "{account:#?}");
    assert_eq!(account.out_of_order.kobjects, 0, "{account:#?}");
    worker.assert_sound().await;
    say(&format!(
        "debezium rows: {} requests for a snapshot and its changes",
        account.requests.total
    ));
}
