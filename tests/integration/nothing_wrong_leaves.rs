//! The self-check at its place in the proxy: which messages it looks at, and that what it finds wrong never leaves.

use countersign::keys::AfterImport;
use http::StatusCode;

use crate::support::client::SOAP11;
use crate::support::clock::now;
use crate::support::proxy::{self, ALIAS, TestProxy};
use crate::support::receiver::Receiver;

const MESSAGE: &str = include_str!("../messages/comments.xml");

#[tokio::test]
async fn the_first_message_of_each_key_is_looked_at_and_then_a_share() {
    let receiver = Receiver::start().await;
    let proxy = proxy::to(receiver.url("/"))
        .route("self_check = 0.25")
        .start()
        .await;
    let mut flow = proxy.flow().await;
    let mut looked_at = Vec::new();
    for message in 0..9 {
        if message == 6 {
            let key = proxy
                .keys()
                .import(ALIAS, proxy::new_key(), AfterImport::Activate, now());
            key.unwrap();
        }
        assert_eq!(flow.post("/orders", SOAP11, MESSAGE).await.status, StatusCode::OK);
        looked_at.push(count(&proxy, "passed"));
    }
    assert_eq!(looked_at, [1, 1, 1, 1, 2, 2, 3, 3, 3]);
    assert_eq!(count(&proxy, "failed") + count(&proxy, "skipped"), 0);
}

#[tokio::test]
async fn a_message_over_the_bound_is_skipped_and_counted() {
    let receiver = Receiver::start().await;
    let proxy = proxy::to(receiver.url("/"))
        .route("self_check_max = \"1KiB\"")
        .start()
        .await;
    let answer = proxy.flow().await.post("/orders", SOAP11, MESSAGE).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!((count(&proxy, "passed"), count(&proxy, "skipped")), (0, 1));
}

/// Self-checks of the route that ended so.
fn count(proxy: &TestProxy, outcome: &str) -> u32 {
    let counter = format!("countersign_self_checks_total{{outcome=\"{outcome}\",route=\"orders\"}} ");
    let metrics = proxy.metrics();
    let line = metrics.lines().find_map(|line| line.strip_prefix(&counter));
    line.map_or(0, |count| count.parse().unwrap())
}
