//! Planned pauses: begun and ended over HTTP, and shown.

use std::time::Duration;

use ingest_delivery::hold::{Family, Scope};
use ingest_model::outcome::HoldCause;

use super::{hold, start};
use crate::admin::status::{HoldStatus, PauseStatus};
use crate::observe::advice::what_to_do;
use crate::pump::Command;

#[tokio::test]
async fn something_is_paused_and_resumed_and_what_cannot_be_is_refused() {
    let mut running = start().await;
    let post = |path: &str, body: &'static str| {
        let request = running.client.post(format!("{}{path}", running.base));
        async move {
            let response = request.body(body).send().await.unwrap();
            (response.status().as_u16(), response.text().await.unwrap())
        }
    };
    let paused = post("/pauses", r#"{"destination": "tracking", "for": "90m"}"#);
    let resumed = post("/pauses/resume", r#"{"destination": "tracking"}"#);
    let again = post("/pauses/resume", r#"{"destination": "all"}"#);
    let odd = post("/pauses", r#"{"topic": "nobodys"}"#);
    let both = async { (paused.await, resumed.await, again.await, odd.await) };
    let owner = async {
        let tracking = Scope::Family(Family::Tracking);
        for _ in 0..3 {
            match running.commands.recv().await {
                Some(Command::Pause { pause, done }) => {
                    assert_eq!(pause.scope, tracking);
                    assert_eq!(pause.lasts, Some(Duration::from_secs(5_400)));
                    done.send(()).unwrap();
                }
                Some(Command::Resume { scope, found }) => found.send(scope == tracking).unwrap(),
                other => panic!("{other:?}"),
            }
        }
    };
    let ((paused, resumed, again, odd), ()) = tokio::join!(both, owner);
    assert_eq!(paused.0, 200);
    assert!(paused.1.contains(r#""paused":"tracking""#), "{}", paused.1);
    assert_eq!(resumed, (200, r#"{"resumed":"tracking"}"#.to_owned()));
    assert_eq!(again.0, 404);
    assert!(again.1.contains("destination is not paused"), "{}", again.1);
    assert_eq!(odd.0, 400);
    assert!(
        odd.1.contains("no topic of this configuration"),
        "{}",
        odd.1
    );
    let (_, metrics) = running.get("/metrics", "*/*").await;
    for line in [
        r#"admin_changes_total{action="pause",result="done"} 1"#,
        r#"admin_changes_total{action="pause",result="failed"} 1"#,
        r#"admin_changes_total{action="resume",result="done"} 1"#,
        r#"admin_changes_total{action="resume",result="failed"} 1"#,
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
}

#[tokio::test]
async fn a_planned_pause_is_told_and_does_not_make_the_worker_unready() {
    let running = start().await;
    let paused = HoldStatus {
        cause: HoldCause::Paused.as_str(),
        what_to_do: what_to_do(HoldCause::Paused).to_owned(),
        pause: Some(PauseStatus {
            window: Some("night".to_owned()),
            until: Some("2026-12-01T05:00:00Z".to_owned()),
            ends_in_seconds: Some(60),
            reason: Some("the shop moves".to_owned()),
        }),
        ..hold()
    };
    running
        .status
        .send_modify(|report| report.holds.push(paused));
    let (status, body) = running.get("/ready", "*/*").await;
    assert_eq!(status, 200, "{body}");
    let words = "until 2026-12-01T05:00:00Z, by `night` of pauses: the shop moves";
    assert!(body.contains(words), "{body}");
    let (_, page) = running.get("/status", "text/html").await;
    assert!(page.contains(words), "{page}");
    running
        .status
        .send_modify(|report| report.holds.push(hold()));
    assert_eq!(
        running.get("/ready", "*/*").await.0,
        503,
        "a hold beside it"
    );
}
