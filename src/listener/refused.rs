//! Answers to requests that are refused. Whoever reaches a port can send such requests without end, and each is little work;
//! so they are answered one after the other, and take no cores from messages.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::sleep;

/// Five hundred a second are more than people and their tools get wrong.
const EACH: Duration = Duration::from_millis(2);

/// The line in which they wait for their answers. Each keeps its connection meanwhile, and connections are bounded.
#[derive(Default)]
pub(crate) struct Refused(Mutex<()>);

impl Refused {
    /// Returns when the next one may be answered.
    pub(crate) async fn turn(&self) {
        let _turn = self.0.lock().await;
        sleep(EACH).await;
    }
}
