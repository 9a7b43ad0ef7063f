use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_kustomer-sim"))
        .args(arguments)
        .output()
        .unwrap()
}

fn started(arguments: &[&str]) -> (Child, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_kustomer-sim"))
        .args(["--listen", "127.0.0.1:0"])
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let url = line
        .trim()
        .strip_prefix("listening on ")
        .unwrap()
        .to_owned();
    (child, url)
}

fn client() -> reqwest::Client {
    reqwest::Client::builder()
        .timeout(std::time::Duration::from_secs(5))
        .build()
        .unwrap()
}

#[test]
fn help_lists_every_switch_with_default_and_values() {
    let help = run(&["--help"]);
    let text = String::from_utf8(help.stdout).unwrap();
    assert!(help.status.success());
    for switch in kustomer_sim::SWITCHES {
        let line = format!(
            "{} [default: {}] [values: {}]",
            switch.name,
            switch.default_value(),
            switch.values()
        );
        assert!(text.contains(&line), "{line}");
    }
    assert!(text.contains("stuck_job") && text.contains("kobject.bulk_create"));
}

#[test]
fn wrong_arguments_are_explained() {
    for (arguments, explained) in [
        (&["--set", "revv=ignore"][..], "reset-unit"),
        (&["--set", "rev=maybe"], "honour|ignore"),
        (&["--set", "rev"], "SWITCH=VALUE"),
        (&["--faults", "/nowhere.json"], "/nowhere.json"),
        (&["--time-scale", "0"], "above 0"),
        (&["--bogus"], "--bogus"),
    ] {
        let output = run(arguments);
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
        assert!(text.contains(explained), "{arguments:?}: {text}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn serves_and_stops_on_a_signal() {
    let arguments = [
        "--token", "k1", "--token", "k2", "--klass", "invoice", "--limit", "7",
    ];
    let (mut child, url) = started(&arguments);
    let get = async |path: &str, token: &str| {
        let request = client().get(format!("{url}{path}")).bearer_auth(token);
        request.send().await.unwrap()
    };
    let first = get("/v1/klasses/invoice", "k1").await;
    assert_eq!(first.status().as_u16(), 200);
    assert_eq!(first.headers()["x-ratelimit-limit"], "7");
    assert_eq!(
        get("/v1/klasses/invoice", "k2").await.status().as_u16(),
        200
    );
    assert_eq!(get("/v1/klasses/order", "k2").await.status().as_u16(), 404);
    assert_eq!(
        get("/v1/klasses/invoice", "sim-key")
            .await
            .status()
            .as_u16(),
        401
    );
    let killed = Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(killed.success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[tokio::test]
async fn a_taken_address_is_told() {
    let (mut child, url) = started(&[]);
    let output = run(&["--listen", url.strip_prefix("http://").unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("cannot listen on")
    );
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn the_documentation_lists_every_switch_endpoint_and_fault() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/simulator.md");
    let text = std::fs::read_to_string(path).unwrap();
    for switch in kustomer_sim::SWITCHES {
        let row = switch
            .row
            .map_or_else(|| "–".to_owned(), |row| row.to_string());
        let line = format!(
            "| `{}` | {row} | `{}` |",
            switch.name,
            switch.default_value()
        );
        assert!(text.contains(&line), "{line}");
    }
    for action in [
        "latency",
        "status",
        "reset_before",
        "reset_after",
        "slow_body",
        "truncated_body",
        "garbage_body",
        "stuck_job",
        "fail_items",
        "refuse_client_ref",
        "drain",
    ] {
        assert!(text.contains(&format!("| `{action}` |")), "{action}");
    }
}
