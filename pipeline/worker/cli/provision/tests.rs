//! Plans by themselves, and against the simulated Kustomer in each of the ways that are not documented.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use clap::Parser as _;
use kustomer_sim::Config;
use kustomer_sim::server::Server;
use serde_json::{Value, json};

use super::step::Step;
use super::*;
use crate::cli::{Cli, print};

const CONFIG: &str = "kafka:
  brokers: localhost:9092
  group: g
  dead_letter_topic: d
  topics:
    - name: shop
      mapping:
        routes:
          - name: order
            on: Order
            customer: { externalId: .user }
            do:
              - { kobject: order, externalId: .id, title: .id, version: .at, custom: { totalNum: .total } }
              - { kobject: invoice-line, externalId: .id, title: .id, custom: { paidAt: .at } }
              - { identify: { custom: { tierStr: .tier } } }
kustomer:
  base_url: URL
  token: { file: key }
  limit: 100
";

/// A simulated organisation with these switches, and a configuration for it.
pub(super) struct World {
    pub(super) runtime: tokio::runtime::Runtime,
    pub(super) server: Server,
    pub(super) dir: tempfile::TempDir,
}

/// How a command ended; an error is written behind what it printed.
pub(super) fn told(ended: Result<CommandExit, CommandError>, out: &mut Output<'_>) -> CommandExit {
    let exit = ended.unwrap_or_else(|error| {
        let text = match &error {
            CommandError::Failed(cause) => format!("{cause:#}"),
            CommandError::Config(_) | CommandError::Usage(_) | CommandError::Closed => {
                error.to_string()
            }
        };
        out.line(&text).unwrap();
        error.exit()
    });
    out.flush().unwrap();
    exit
}

impl World {
    fn new(switches: &[(&str, &str)]) -> Self {
        Self::of(Config::default(), switches)
    }

    pub(super) fn of(mut config: Config, switches: &[(&str, &str)]) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        for (name, value) in switches {
            config.switches.set(name, value).unwrap();
        }
        let local = SocketAddr::from(([127, 0, 0, 1], 0));
        let server = runtime.block_on(Server::start(config, local)).unwrap();
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("key"), "sim-key").unwrap();
        let text = CONFIG.replace("URL", &server.url());
        std::fs::write(dir.path().join("w.yaml"), text).unwrap();
        Self {
            runtime,
            server,
            dir,
        }
    }

    fn run(&self, arguments: &[&str]) -> (String, CommandExit) {
        let config = self.dir.path().join("w.yaml").to_str().unwrap().to_owned();
        let line = [
            "kustomer-ingest",
            "provision",
            arguments[0],
            "--config",
            &config,
        ];
        let cli = Cli::try_parse_from(line.iter().chain(&arguments[1..])).unwrap();
        let mut written = Vec::new();
        let mut out = Output::new(&mut written);
        let ended = print(&cli.command, &mut out);
        let exit = told(ended, &mut out);
        drop(out);
        (String::from_utf8(written).unwrap(), exit)
    }

    /// A request of somebody else.
    pub(super) fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let url = format!("{}{path}", self.server.url());
        let client = reqwest::Client::builder().no_proxy();
        let client = client.timeout(Duration::from_secs(10)).build().unwrap();
        self.runtime.block_on(async {
            let mut request = client
                .request(method.parse().unwrap(), url)
                .bearer_auth("sim-key");
            if let Some(body) = body {
                request = request
                    .header("content-type", "application/json")
                    .body(body.to_string());
            }
            let bytes = request.send().await.unwrap().bytes().await.unwrap();
            serde_json::from_slice(&bytes).unwrap_or(Value::Null)
        })
    }

    fn properties(&self, resource: &str) -> Value {
        let answer = self.ask("GET", &format!("/v1/metadata/{resource}"), None);
        answer["data"]["attributes"]["properties"].clone()
    }
}

#[test]
fn what_is_missing_is_made_once_and_what_is_there_stays() {
    for put in ["merge", "replace"] {
        let world = World::new(&[("metadata-put", put)]);
        let theirs = json!({ "properties": {
            "statusStr": { "displayName": "Status of theirs", "enumeration": ["open", "closed"] },
        }});
        world.ask("PUT", "/v1/metadata/kobject.order", Some(&theirs));
        let (text, exit) = world.run(&["plan"]);
        assert_eq!(exit, CommandExit::Faults, "{text}");
        for expected in [
            "  klass order exists",
            "+ klass invoice-line, shown as Invoice Line",
            "+ objects of klass order: totalNum (number), shown as Total",
            "+ objects of klass invoice-line: paidAt (date and time), shown as Paid",
            "+ customers: tierStr (text of one line), shown as Tier",
            "by hand: the view of klass order for agents (smartbar-card, smartbar-details, expanded-timeline), or its objects show a plain card. In this order: totalNum (Total)",
            "by hand: the view of klass invoice-line for agents",
            "1 klass to create, 4 attributes to add; nothing is removed or changed",
            "provision apply --config ",
        ] {
            assert!(text.contains(expected), "{expected} is not in\n{text}");
        }
        assert_eq!(
            world.properties("customer"),
            json!({}),
            "a plan writes nothing"
        );
        let (text, exit) = world.run(&["apply", "--yes"]);
        assert_eq!(exit, CommandExit::Good, "{put}: {text}");
        assert!(text.contains("done: klass invoice-line created"), "{text}");
        let order = world.properties("kobject.order");
        assert_eq!(
            order["statusStr"]["enumeration"],
            json!(["open", "closed"]),
            "{put}"
        );
        assert_eq!(order["statusStr"]["displayName"], "Status of theirs");
        assert_eq!(order["totalNum"]["displayName"], "Total");
        assert!(order["ingestVersionStr"].is_object(), "{order}");
        assert_eq!(
            world.properties("kobject.invoice-line")["paidAt"]["type"],
            "date"
        );
        let (text, exit) = world.run(&["plan"]);
        assert_eq!(exit, CommandExit::Good, "{text}");
        assert!(text.ends_with("nothing to do\n"), "{text}");
        assert_eq!(world.run(&["apply", "--yes"]).1, CommandExit::Good);
    }
}

#[test]
fn a_key_that_may_not_is_refused_with_the_roles_before_anything_is_written() {
    let world = World::new(&[("roles", "-org.permission.metadata.update")]);
    assert_eq!(
        world.run(&["plan"]).1,
        CommandExit::Faults,
        "to look is allowed"
    );
    let (text, exit) = world.run(&["apply", "--yes"]);
    assert_eq!(exit, CommandExit::Failed);
    assert!(
        text.contains("lacks the role org.permission.metadata.update"),
        "{text}"
    );
    assert!(text.contains("--token-env"), "{text}");
    let klasses = world.ask("GET", "/v1/klasses", None).to_string();
    assert!(!klasses.contains("invoice-line"), "{klasses}");
    let (text, exit) = world.run(&["plan", "--token-env", "KI_NO_SUCH_VARIABLE"]);
    assert_eq!(exit, CommandExit::Failed);
    assert!(text.contains("KI_NO_SUCH_VARIABLE is not set"), "{text}");
}

#[test]
fn nobody_is_asked_where_nobody_answers() {
    let world = World::new(&[]);
    let (text, exit) = world.run(&["apply"]);
    // Tests have no terminal, or one whose person would have to answer.
    assert!(
        exit == CommandExit::Usage && text.contains("say --yes"),
        "{text}"
    );
}

/// What is there and defined otherwise is told, and stays.
#[test]
fn definitions_are_compared_and_not_changed() {
    let world = World::new(&[]);
    let theirs = json!({ "properties": {
        "totalNum": { "displayName": "Sum", "type": "string", "enumeration": ["1", "2", "3", "4", "5", "6", "7"] },
        "ingestVersionStr": { "displayName": "Ingest Version", "sensitive": { "enabled": true, "maskType": "all" } },
        "otherStr": { "displayName": "Not ours", "enumeration": ["a"] },
    }});
    world.ask("PUT", "/v1/metadata/kobject.order", Some(&theirs));
    let before = world.properties("kobject.order");
    let wanted = [
        "differs: objects of klass order: totalNum has the type string, and its name says number: values may be refused; it stays as it is",
        "differs: objects of klass order: totalNum is shown as Sum, not as Total; it stays as it is",
        "differs: objects of klass order: totalNum has choices (1, 2, 3, 4, 5 and 2 more), and what the mapping writes should be among them; it stays as it is",
        "differs: objects of klass order: ingestVersionStr is sensitive, and masked for agents; it stays as it is",
    ];
    for arguments in [&["plan"][..], &["apply", "--yes"], &["plan"]] {
        let (text, _) = world.run(arguments);
        for expected in wanted {
            assert!(text.contains(expected), "{expected} is not in\n{text}");
        }
        assert!(!text.contains("otherStr"), "{text}");
        assert_eq!(text.matches("differs:").count(), wanted.len(), "{text}");
    }
    assert_eq!(world.properties("kobject.order"), before);
}

#[test]
fn a_definition_that_lost_a_part_is_noticed() {
    let before = json!({
        "a": { "displayName": "A", "enumeration": ["x"], "target": null, "updatedAt": 1 }, "b": { "displayName": "B" }, "c": true, "d": 1,
    });
    let after =
        json!({ "a": { "displayName": "A", "type": "string", "updatedAt": 2 }, "c": true, "d": 2 });
    let of = |value: &Value| value.as_object().cloned().unwrap();
    let lost = organisation::lost(&of(&before), &of(&after));
    assert_eq!(lost, ["enumeration of a", "b", "d"]);
    assert!(organisation::lost(&of(&before), &of(&before)).is_empty());
}

#[test]
fn a_card_begins_with_what_matters() {
    let names = [
        "carrierStr",
        "giftBool",
        "ingestVersionStr",
        "linkUrl",
        "noteTxt",
        "paidAt",
        "paymentStatusStr",
        "totalNum",
        "taxNum",
        "aStr",
        "bStr",
    ];
    let names = names.map(str::to_owned);
    assert_eq!(
        needed::card(&names),
        [
            "paymentStatusStr",
            "totalNum",
            "paidAt",
            "carrierStr",
            "aStr",
            "bStr",
            "linkUrl",
            "taxNum"
        ]
    );
    // What Segment's order has: much money, and one sum.
    let names = [
        "couponStr",
        "currencyStr",
        "discountNum",
        "itemsNum",
        "refundedAt",
        "refundedNum",
        "shippingNum",
        "subtotalNum",
        "taxNum",
        "totalNum",
    ];
    let names = names.map(str::to_owned);
    let card = needed::card(&names);
    assert_eq!(
        card[..4],
        ["totalNum", "currencyStr", "refundedAt", "couponStr"]
    );
}

#[test]
fn no_two_attributes_are_shown_alike() {
    let names = ["refundedAt", "refundedNum", "statusStr"].map(str::to_owned);
    let shown = names.iter().map(|name| needed::shown(name, &names));
    assert_eq!(
        shown.collect::<Vec<_>>(),
        ["Refunded (date and time)", "Refunded (number)", "Status"]
    );
}

fn organisation(klasses: &[(&str, bool)], order: &[&str]) -> Organisation {
    let named = |names: &[&str]| {
        let names = names.iter().map(|name| ((*name).to_owned(), json!({})));
        names.collect()
    };
    Organisation {
        klasses: klasses
            .iter()
            .map(|(name, enabled)| ((*name).to_owned(), *enabled))
            .collect(),
        attributes: BTreeMap::from([("kobject.order".to_owned(), named(order))]),
    }
}

#[test]
fn a_plan_tells_what_a_person_has_to_look_at() {
    let needed = Needed {
        klasses: ["order", "app--parcel", "Invoice"]
            .map(str::to_owned)
            .into(),
        read: ["cart".to_owned()].into(),
        attributes: BTreeMap::from([
            (
                "kobject.order".to_owned(),
                vec!["totalNum".to_owned(), "statusStr".to_owned()],
            ),
            (
                "kobject.app--parcel".to_owned(),
                vec!["stateStr".to_owned()],
            ),
        ]),
    };
    let there = organisation(
        &[("order", false), ("invoice", true)],
        &["TotalNum", "statusStr"],
    );
    let plan = Plan::new(&needed, &there);
    let names = vec!["totalNum".to_owned()];
    let resource = "kobject.order".to_owned();
    let klass = "Invoice".to_owned();
    assert_eq!(
        plan.steps,
        [
            Step::Create { klass },
            Step::Add {
                resource,
                names,
                shown: vec!["Total".to_owned()]
            }
        ]
    );
    let text = plan.lines().join("\n");
    for expected in [
        "klass order is disabled",
        "klass app--parcel does not exist and belongs to an app",
        "a klass invoice, which differs from Invoice only by capitals",
        "have TotalNum, which differs from totalNum only by capitals",
        "klass cart does not exist, and no mapping writes it",
    ] {
        assert!(text.contains(expected), "{expected} is not in\n{text}");
    }
}
