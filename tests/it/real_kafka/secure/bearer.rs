//! Tokens of an identity provider.

use std::time::Duration;

use kustomer_ingest::clock::Clock;

use super::super::setup::Options;
use super::super::shop::{Shop, round};
use super::World;
use super::refusals::checked;
use super::tokens::TokenEndpoint;

fn bearer(endpoint: &TokenEndpoint) -> String {
    format!(
        "sasl.mechanism: OAUTHBEARER\nsasl.oauthbearer.method: oidc\nsasl.oauthbearer.token.endpoint.url: {}\n\
         sasl.oauthbearer.client.id: shop-ingest\nsasl.oauthbearer.client.secret: {{ file: FOLDER/secret }}\n\
         sasl.oauthbearer.scope: kafka\nssl.ca.location: FOLDER/ca.pem",
        endpoint.url
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_asked_for_refreshed_and_their_secret_may_change() {
    let Some(world) = World::start("bearer", Options::default()).await else {
        return;
    };
    let endpoint = TokenEndpoint::start("shop-ingest", "zz-secret-one", 15);
    world.write("secret", b"zz-secret-one\n");
    let config = world.config(&world.secure.address("OAUTH"), &bearer(&endpoint));
    let mut shop = Shop::new(6, Clock.unix_ms());
    world.setup.produce(shop.take(&world.setup, round())).await;
    let mut worker = world.worker(&config).await;
    world.setup.wait_until_committed(&[&worker]).await;
    assert_eq!(endpoint.last(), "grant_type=client_credentials&scope=kafka");
    let (first, _) = endpoint.counts();
    // Longer than a token lives.
    tokio::time::sleep(Duration::from_secs(16)).await;
    let (later, refused) = endpoint.counts();
    assert!(later > first, "{first} and then {later}");
    assert!(
        later < first + 6,
        "shared by all clients: {first} and then {later}"
    );
    assert_eq!(refused, 0);
    endpoint.set_secret("zz-secret-two");
    world.write("secret", b"zz-secret-two\n");
    super::renewal::busy_until(&world, &mut shop, &[&worker], super::renewal::RENEWED, 1).await;
    world.setup.wait_until_committed(&[&worker]).await;
    let account = world.setup.kustomer.account();
    world.setup.assert_good_but_repeats(&account);
    world.setup.assert_delivered(&account, shop.expected());
    worker.assert_sound().await;
    assert!(
        !worker.log().iter().any(|line| line.contains("eyJ")),
        "no token in the log"
    );
    let (status, _) = worker.terminate().await;
    assert_eq!(status.code(), Some(0), "{}", worker.tail());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_gets_no_token_or_one_for_others_is_told_so() {
    let Some(world) = World::start("tokenless", Options::default()).await else {
        return;
    };
    let endpoint = TokenEndpoint::start("shop-ingest", "zz-secret-right", 60);
    let brokers = world.secure.address("OAUTH");
    world.write("secret", b"zz-secret-wrong");
    let said = checked(&world, &brokers, &bearer(&endpoint));
    assert!(said.contains("there is no token (the token endpoint refuses: invalid_client (Client authentication failed))"), "{said}");
    assert!(said.contains("sasl.oauthbearer"), "{said}");
    world.write("secret", b"zz-secret-right");
    endpoint.set_audience("somebody else");
    let said = checked(&world, &brokers, &bearer(&endpoint));
    assert!(
        said.contains("the brokers refuse these credentials"),
        "{said}"
    );
}
