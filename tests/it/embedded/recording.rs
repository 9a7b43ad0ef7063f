//! A worker's last steps: asked for over HTTP, replayed by the program.

use std::time::Duration;

use ingest_kafka::embedded::EmbeddedBroker;
use serde_json::{Value, json};

use super::process::{EVENTS, Quay, Worker, producer, program, record};
use super::{PATIENCE, message};

const RECORDS: u64 = 240;
/// Personal data in the events, which must not be in a recording.
const PERSONS: [&str; 4] = [
    "ingrid.moe@quay.example",
    "Ingrid Moe",
    "+4791234567",
    "Strandgata 4",
];

async fn produce(broker: &EmbeddedBroker) {
    let producer = producer(broker);
    let [email, name, phone, street] = PERSONS;
    for n in 0..RECORDS {
        let customer = n % 9;
        let value = match n % 4 {
            0 => json!({
                "type": "identify", "messageId": format!("i{n}"), "userId": format!("u{customer}"),
                "traits": {"name": name, "email": format!("{n}{email}"), "phone": phone, "address": {"street": street}},
            })
            .to_string(),
            1 | 2 => {
                let said = json!({"order_id": format!("o{}", n % 30), "total": 12.5, "email": email, "note": name});
                message(customer, "Order Completed", n, &said)
            }
            _ => message(customer, "Coupon Applied", n, &json!({"coupon_id": street, "cart_id": phone})),
        };
        let record = record(format!("{customer}-{email}"), value);
        producer.send(&record).await.unwrap();
    }
}

/// Waits until every record is settled.
async fn settled(client: &reqwest::Client, admin: &str) {
    let waited = tokio::time::timeout(PATIENCE, async {
        loop {
            let metrics = client.get(format!("{admin}/metrics")).send().await.unwrap();
            let metrics = metrics.text().await.unwrap();
            let settled: f64 = metrics
                .lines()
                .filter(|line| line.starts_with("kustomer_ingest_records_total{"))
                .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
                .sum();
            if settled >= f64::from(u32::try_from(RECORDS).unwrap()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    waited.await.expect("all is settled in time");
}

async fn recorded(client: &reqwest::Client, admin: &str) -> (Value, String) {
    let answer = client
        .post(format!("{admin}/debug/recording"))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    let answer: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    let text = std::fs::read_to_string(answer["path"].as_str().unwrap()).unwrap();
    (answer, text)
}

fn replayed(arguments: &[&str]) -> (Option<i32>, String) {
    let output = program()
        .arg("replay-recording")
        .args(arguments)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    (output.status.code(), said)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_of_a_whole_process_is_decided_again_and_names_nobody() {
    let quay = Quay::start(4, "").await;
    produce(&quay.broker).await;
    let worker = Worker::start(&quay.file);
    let client = reqwest::Client::builder().build().unwrap();
    settled(&client, &worker.admin).await;
    let (answer, text) = recorded(&client, &worker.admin).await;
    assert!(answer["steps"].as_u64().unwrap() > RECORDS, "{answer}");
    assert_eq!(answer["steps_before"], 0, "{answer}");
    assert!(
        answer["path"].as_str().unwrap().contains("recordings"),
        "{answer}"
    );
    for person in PERSONS {
        assert!(!text.contains(person), "{person} stands in the recording");
    }
    let metrics = client
        .get(format!("{}/metrics", worker.admin))
        .send()
        .await
        .unwrap();
    let metrics = metrics.text().await.unwrap();
    assert!(metrics.contains("kustomer_ingest_recordings_written_total{cause=\"asked\"} 1"));
    drop(worker);

    let path = answer["path"].as_str().unwrap();
    let (code, said) = replayed(&[path, "--from", "3", "--to", "5"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("steps were decided as recorded"), "{said}");
    assert!(said.lines().any(|line| line.starts_with("3 +")), "{said}");
    assert!(!said.lines().any(|line| line.starts_with("6 +")), "{said}");
    let (_, of_one) = replayed(&[path, "--only", &format!("{EVENTS}/2")]);
    let offsets = |said: &str| {
        said.lines()
            .filter(|line| line.contains("{\"Record\""))
            .count()
    };
    let (_, of_all) = replayed(&[path]);
    assert!(
        offsets(&of_one) > 0 && offsets(&of_one) < offsets(&of_all),
        "{of_one}"
    );

    // A machine that decides differently is detected.
    let changed = quay.folder.path().join("changed.jsonl");
    let slower = text.replacen("\"limit\":3000", "\"limit\":60", 1);
    assert_ne!(slower, text);
    std::fs::write(&changed, slower).unwrap();
    let (code, said) = replayed(&[changed.to_str().unwrap(), "--from", "1000000"]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("DIFFERENCE at step"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_whose_beginning_is_overwritten_says_so() {
    let few = ", steps: 200, personal_data: true";
    let quay = Quay::start(2, few).await;
    produce(&quay.broker).await;
    let worker = Worker::start(&quay.file);
    let client = reqwest::Client::builder().build().unwrap();
    settled(&client, &worker.admin).await;
    let (answer, text) = recorded(&client, &worker.admin).await;
    assert_eq!(answer["steps"], 200, "{answer}");
    assert!(answer["steps_before"].as_u64().unwrap() > 0, "{answer}");
    let head: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!(
        head["base"]["partitions"].as_array().unwrap().len(),
        2,
        "{head}"
    );
    let (code, said) = replayed(&[answer["path"].as_str().unwrap()]);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("have been overwritten") && said.contains("2 partitions"),
        "{said}"
    );
    assert!(
        said.contains("200 steps were decided in another way"),
        "{said}"
    );
}

#[test]
fn a_file_that_is_none_and_arguments_that_make_no_sense_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("shopping.txt");
    std::fs::write(&file, "milk\n").unwrap();
    let file = file.to_str().unwrap();
    let (code, said) = replayed(&[file]);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("shopping.txt") && said.contains("this is no recording"),
        "{said}"
    );
    let (code, said) = replayed(&["not-there.jsonl"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("not-there.jsonl cannot be read"), "{said}");
    assert_eq!(replayed(&[file, "--only", "quay"]).0, Some(2));
    assert_eq!(replayed(&[file, "--from", "9", "--to", "3"]).0, Some(2));
}
