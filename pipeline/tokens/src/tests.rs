//! The endpoint's answers, and how long a token is kept.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use secrecy::ExposeSecret as _;
use wiremock::matchers::{basic_auth, body_string, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;
use crate::endpoint::read;

const SECRET: &str = "s3cret";

fn settings(server: &MockServer) -> TokenSettings {
    TokenSettings {
        endpoint: format!("{}/token", server.uri()).parse().unwrap(),
        client_id: "ingest".to_owned(),
        client_secret: SecretString::from(SECRET),
        scope: Some("kafka read".to_owned()),
        ca: None,
        timeout: Duration::from_secs(2),
    }
}

async fn ask(keeper: &TokenKeeper) -> Result<String, TokenError> {
    let keeper = keeper.clone();
    let asked = tokio::task::spawn_blocking(move || keeper.token())
        .await
        .unwrap();
    asked.map(|token| token.value.expose_secret().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_kept_for_half_of_its_life_and_then_asked_for_anew() {
    static NOW: AtomicI64 = AtomicI64::new(1_000_000);
    let server = MockServer::start().await;
    let give = |token: &str| {
        let answer = format!(r#"{{"access_token":"{token}","expires_in":100}}"#);
        Mock::given(method("POST"))
            .and(path("/token"))
            .and(basic_auth("ingest", SECRET))
            .and(body_string(
                "grant_type=client_credentials&scope=kafka+read",
            ))
            .respond_with(ResponseTemplate::new(200).set_body_string(answer))
            .up_to_n_times(1)
    };
    give("one").mount(&server).await;
    let keeper = TokenKeeper::new(settings(&server), || NOW.load(Ordering::SeqCst)).unwrap();
    assert_eq!(ask(&keeper).await.unwrap(), "one");
    NOW.fetch_add(49_000, Ordering::SeqCst);
    assert_eq!(ask(&keeper).await.unwrap(), "one", "nobody was asked");
    NOW.fetch_add(2_000, Ordering::SeqCst);
    assert_eq!(
        ask(&keeper).await.unwrap(),
        "one",
        "the endpoint fails, and it is still valid"
    );
    give("two").mount(&server).await;
    // Nobody waits for the next one while the former one is valid.
    while ask(&keeper).await.unwrap() != "two" {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    NOW.fetch_add(200_000, Ordering::SeqCst);
    let failed = ask(&keeper).await.unwrap_err();
    assert_eq!(
        failed,
        TokenError::Refused("status 404".to_owned()),
        "it has expired"
    );
    assert!(!format!("{keeper:?} {:?}", settings(&server)).contains(SECRET));
}

#[test]
fn answers_that_are_none_say_why() {
    let refused = read(
        401,
        br#"{"error":"invalid_client","error_description":"no such client"}"#,
    )
    .unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the token endpoint refuses: invalid_client (no such client)"
    );
    assert_eq!(
        read(503, b"<html>").unwrap_err(),
        TokenError::Refused("status 503".to_owned())
    );
    for (body, why) in [
        ("<html>", "it has no access_token"),
        (
            r#"{"access_token":"a b","expires_in":9}"#,
            "its access_token is not one",
        ),
        (
            r#"{"access_token":"ab"}"#,
            "it does not say when the token expires",
        ),
        (
            r#"{"access_token":"ab","expires_in":0}"#,
            "it does not say when the token expires",
        ),
    ] {
        assert_eq!(
            read(200, body.as_bytes()).unwrap_err(),
            TokenError::Garbled(why),
            "{body}"
        );
    }
    assert_eq!(
        read(200, br#"{"access_token":"ab","expires_in":"60"}"#)
            .unwrap()
            .seconds,
        60
    );
    // {"iat":100,"exp":400}
    let own = read(
        200,
        br#"{"access_token":"h.eyJpYXQiOjEwMCwiZXhwIjo0MDB9.s"}"#,
    )
    .unwrap();
    assert_eq!(own.seconds, 300);
}
