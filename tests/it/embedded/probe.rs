//! A sandbox is asked by the built program, and a worker begins with what it answered.

use std::process::{Command, Stdio};
use std::time::Duration;

use super::PATIENCE;
use super::process::{Quay, Worker, program};

/// A probe of the quay's Kustomer, with consent.
fn probe(quay: &Quay, arguments: &[&str]) -> Command {
    let mut probe = program();
    let host = quay.kustomer.url().replace("http://", "");
    let said = ["--yes-create-and-delete", "--klass", "order", "--sandbox"];
    probe.args(["probe", "--config"]).arg(&quay.file);
    probe.args(said).arg(host).args(arguments).arg("--out");
    probe.arg(quay.folder.path().join("profile.yaml"));
    probe.env("QUAY_TOKEN", "sim-key");
    probe
}

fn nothing_is_left(quay: &Quay) {
    let account = quay.kustomer.account();
    assert!(account.accepted.kobjects_created > 0);
    assert_eq!((account.kobjects_total, account.customers_total), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_sandbox_answered_is_with_what_a_worker_begins() {
    let quay = Quay::start(1, "").await;
    let few = ["--time-scale", "60", "--only", "duplicates,item-references"];
    let output = probe(&quay, &few).output().unwrap();
    let (said, told) = (
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    );
    assert!(output.status.success(), "{said}\n{told}");
    assert!(
        said.contains("deleted: 2 objects, 1 customer\n"),
        "{said}\n{told}"
    );
    assert!(told.contains("asking: duplicates"), "{told}");
    nothing_is_left(&quay);
    let profile = "  limit: 3000\n  profile: { file: profile.yaml }\n";
    quay.edit(|yaml| yaml.replace("  limit: 3000\n", profile));
    let mut check = program();
    let check = check.args(["check", "--config"]).arg(&quay.file);
    let checked = String::from_utf8(check.output().unwrap().stdout).unwrap();
    let sum =
        "duplicates refused, first_revision 1, old_revisions refused, item_references accepted\n";
    assert!(checked.contains(sum), "{checked}");
    let worker = Worker::start(&quay.file);
    let began = |status: &serde_json::Value| {
        let answers = &status["profile"]["answers"];
        answers["duplicates"] == "refused" && answers["first_revision"] == "1"
    };
    worker.until("the answers", began).await;
    worker.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_that_is_interrupted_deletes_what_it_made() {
    let quay = Quay::start(1, "").await;
    let mut child = probe(&quay, &["--only", "creates-in-jobs"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let waited = tokio::time::timeout(PATIENCE, async {
        while quay.kustomer.account().accepted.kobjects_created == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let id = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
        while child.try_wait().unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    assert!(waited.await.is_ok(), "it ends");
    assert_eq!(child.wait().unwrap().code(), Some(1));
    nothing_is_left(&quay);
}
