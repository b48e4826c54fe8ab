//! A look at a token for its key, which nobody waits for without end: a start, a reload and the look at all sources go on,
//! and the next look takes what this one finds.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::{Handling, KeyReference, TokenError};
use crate::keys::KeyMaterial;
use crate::keys::source::LoadError;

/// Looks that somebody has waited for, and that go on.
static UNDER_WAY: LazyLock<Mutex<Looks>> = LazyLock::new(Mutex::default);

type Looks = BTreeMap<(String, Option<PathBuf>), Look>;
type Found = Result<KeyMaterial, LoadError>;

struct Look {
    reference: KeyReference,
    handling: Handling,
    told: Receiver<Found>,
}

/// Looks for so long; who comes while a look goes on does not wait.
pub(super) fn within(
    patience: Duration,
    reference: &KeyReference,
    handling: Handling,
    file: Option<PathBuf>,
    look: impl FnOnce() -> Found + Send + 'static,
) -> Found {
    let slow = || {
        let token = reference.uri.token.to_string();
        Err(LoadError::Token(TokenError::Slow { token }))
    };
    let name = (reference.uri.to_string(), file);
    let earlier = looks().remove(&name);
    let same = earlier.filter(|look| look.reference == *reference && look.handling == handling);
    let (told, patience) = match same {
        Some(look) => (look.told, Duration::ZERO),
        None => {
            let (tell, told) = sync_channel(1);
            let spawned = thread::Builder::new().name("token".to_owned()).spawn(move || {
                // Whoever waited may have another configuration by now.
                let _ = tell.send(look());
            });
            if spawned.is_err() {
                return slow();
            }
            (told, patience)
        }
    };
    match told.recv_timeout(patience) {
        Ok(found) => found,
        Err(RecvTimeoutError::Disconnected) => slow(),
        Err(RecvTimeoutError::Timeout) => {
            let look = Look {
                reference: reference.clone(),
                handling,
                told,
            };
            looks().insert(name, look);
            slow()
        }
    }
}

fn looks() -> MutexGuard<'static, Looks> {
    UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner)
}
