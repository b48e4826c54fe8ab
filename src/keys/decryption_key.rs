//! The private half of a revoked key: it decrypts, and there is no way to sign with it.

use std::sync::Arc;

use super::{Identity, Signer};

/// A key that only decrypts. Lost trust is no reason to lose the messages that were encrypted to it.
#[derive(Clone)]
pub struct DecryptionKey(Arc<Signer>);

impl DecryptionKey {
    pub(super) fn of(signer: Arc<Signer>) -> Self {
        Self(signer)
    }

    /// What stays known of it.
    #[must_use]
    pub fn identity(&self) -> &Arc<Identity> {
        self.0.identity()
    }
}
