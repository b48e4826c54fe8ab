//! What the tests have in common.

pub(crate) mod admin;
pub(crate) mod authority;
pub(crate) mod client;
pub(crate) mod clock;
pub(crate) mod coding;
pub(crate) mod corpus;
pub(crate) mod countersign;
pub(crate) mod evented;
pub(crate) mod exchange;
pub(crate) mod foreign;
pub(crate) mod forge;
pub(crate) mod frames;
pub(crate) mod insertion;
pub(crate) mod judges;
pub(crate) mod load;
pub(crate) mod partner;
pub(crate) mod proxy;
pub(crate) mod raw;
pub(crate) mod receiver;
pub(crate) mod receiver_process;
pub(crate) mod served;
pub(crate) mod shim;
pub(crate) mod signing;
pub(crate) mod sink;
pub(crate) mod soak;
pub(crate) mod softhsm;
pub(crate) mod steady;
pub(crate) mod tool;
pub(crate) mod whole;

use std::time::Duration;

/// Far more than anything here takes; what is not over by then has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// The future's output, which comes within bounded time.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future)
        .await
        .expect("it is over in time")
}

/// Waits until the condition holds.
pub(crate) async fn eventually(what: &str, holds: impl Fn() -> bool) {
    let poll = async {
        let mut tick = tokio::time::interval(Duration::from_millis(5));
        while !holds() {
            tick.tick().await;
        }
    };
    assert!(
        tokio::time::timeout(PATIENCE, poll).await.is_ok(),
        "{what}: never"
    );
}
