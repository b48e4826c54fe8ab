//! An activation that crosses a drain waits for its end: messages under way count on the key that signs now.

use std::time::Duration;

use tokio::time::{interval, timeout};

use crate::keys::lifecycle::Gate;
use crate::keys::{Fingerprint, Keys};

/// Shorter than clients wait for an answer; what drains for longer is told so.
const PATIENCE: Duration = Duration::from_secs(25);
const LOOK: Duration = Duration::from_millis(20);

/// Returns when nothing drains that is to end with the activation of this key, or after a bounded time: then the command
/// says that it does.
pub(super) async fn ended(keys: &Keys, alias: &str, key: &Fingerprint) {
    let looking = async {
        let mut looks = interval(LOOK);
        while drains_towards(keys, alias, key) {
            looks.tick().await;
        }
    };
    // Whether it has ended, the command sees.
    let _ = timeout(PATIENCE, looking).await;
}

/// Whether messages come to their end so that another key is activated.
pub(super) fn drains_towards_another(keys: &Keys, alias: &str, key: &Fingerprint) -> bool {
    drains(keys, alias, |next| next != key)
}

fn drains_towards(keys: &Keys, alias: &str, key: &Fingerprint) -> bool {
    drains(keys, alias, |next| next == key)
}

/// Whether messages come to their end so that such a key is activated.
fn drains(keys: &Keys, alias: &str, towards: impl Fn(&Fingerprint) -> bool) -> bool {
    let ring = keys.ring();
    let open = ring.alias(alias).and_then(|keys| keys.open_renewal());
    open.is_some_and(|open| towards(open.key()) && matches!(open.gate, Gate::Draining { .. }))
}
