//! Private keys on a PKCS#11 token (an HSM, a smart card, SoftHSM): they sign there and never leave it.
//!
//! A key is known by a [`KeyReference`]: module, RFC 7512 URI, and the file of the PIN. That is all the store keeps of
//! it. A token may go and come: a call that finds no token says so at once, and a later one finds it again. Calls wait
//! for the token: never make them on threads that move bytes.

mod connection;
mod error;
mod find;
mod mechanism;
mod module;
mod token;
mod trouble;
mod uri;

use std::path::PathBuf;
use std::sync::Arc;

use cryptoki::session::Session;
use serde::{Deserialize, Serialize};

pub use error::TokenError;
pub use uri::{InvalidUri, KeyUri};

use super::signer::{KeyType, SignatureAlgorithm};
pub(super) use find::load;
use token::Token;

/// Where a key on a token is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyReference {
    /// The library that speaks to the token.
    pub module: PathBuf,
    /// Names token and object.
    pub uri: KeyUri,
    /// Holds the user's PIN.
    pub pin_file: PathBuf,
}

/// A key on a token.
pub(super) struct TokenKey {
    reference: KeyReference,
    token: Arc<Token>,
}

impl TokenKey {
    /// Asks nothing of the token: it need not be there now. A PIN file that was named for this token before, by the
    /// configuration, goes before the one that the store remembers.
    pub(super) fn remembered(reference: KeyReference) -> Self {
        let token = Token::of(&reference);
        Self { reference, token }
    }

    pub(super) fn reference(&self) -> &KeyReference {
        &self.reference
    }

    /// ECDSA values are r||s.
    pub(super) fn sign(
        &self,
        algorithm: SignatureAlgorithm,
        key_type: KeyType,
        message: &[u8],
    ) -> Result<Vec<u8>, TokenError> {
        let input = mechanism::Input::new(algorithm, key_type, message);
        let input = input.map_err(|problem| self.token.failed_to_prepare(&problem))?;
        let uri = &self.reference.uri;
        self.token.run(|connection| {
            let key = connection.key(uri)?;
            Ok(connection
                .session()
                .sign(&input.mechanism()?, key, input.bytes())?)
        })
    }
}

/// What a module says, without the name of its function.
fn in_words(error: &cryptoki::error::Error) -> String {
    let text = if let cryptoki::error::Error::Pkcs11(code, _) = error {
        code.to_string()
    } else {
        error.to_string()
    };
    text.trim_end_matches('.').to_owned()
}

/// Sessions are closed by hand: after the module was started anew their numbers belong to others.
fn close(session: Session) {
    if let Err(error) = session.close() {
        tracing::debug!(%error, "a session of a token was not closed");
    }
}
