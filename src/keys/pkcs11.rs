//! Private keys on a PKCS#11 token (an HSM, a smart card, SoftHSM): they sign there and never leave it.
//!
//! A key is known by a [`KeyReference`]: module, RFC 7512 URI, and the file of the PIN. That is all the store keeps of
//! it. A token may go and come: a call that finds no token says so at once, and a later one finds it again. Calls wait
//! for the token, for as long as its [`Handling`] says: never make them on threads that move bytes.

mod error;
mod executor;
mod facts;
mod find;
mod frame;
mod helper;
mod in_process;
mod isolated;
mod mechanism;
mod patience;
mod places;
mod request;
mod token;
mod trouble;
mod turn;
mod uri;
mod way;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use error::TokenError;
pub use facts::{TokenFact, facts};
pub use helper::{COMMAND as MODULE_COMMAND, serve as serve_module};
pub use places::{NoPlace, Place, Places};
pub use uri::{InvalidUri, KeyUri};

use super::signer::{KeyType, SignatureAlgorithm};
pub(super) use find::load;
use request::{Answer, Work};
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

/// How a token is asked: the same for all its keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handling {
    /// The module runs in a process of its own.
    pub isolate: bool,
    /// For one call; a token that takes longer hangs.
    pub timeout: Duration,
}

impl Default for Handling {
    fn default() -> Self {
        Self {
            isolate: true,
            timeout: Duration::from_secs(10),
        }
    }
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

    /// Where messages wait for its token.
    pub(super) fn places(&self) -> &Places {
        self.token.places()
    }

    /// ECDSA values are r||s. Nobody has looked at the value yet: a token may make a wrong one.
    pub(super) fn sign(
        &self,
        algorithm: SignatureAlgorithm,
        key_type: KeyType,
        message: &[u8],
    ) -> Result<Vec<u8>, TokenError> {
        let input = mechanism::Input::new(algorithm, key_type, message);
        let input = input.map_err(|problem| self.token.failed_to_prepare(&problem))?;
        match self.token.ask(&self.reference.uri, &Work::Sign(input))? {
            Answer::Signature(value) => Ok(value),
            Answer::Done | Answer::Opened { .. } | Answer::Found(_) => Err(self.token.answered_otherwise()),
        }
    }

    /// It did: tells, and counts.
    pub(super) fn signed_wrongly(&self) -> TokenError {
        self.token.counts.signed_wrongly();
        let (token, uri) = (self.token.name(), &self.reference.uri);
        tracing::error!(%token, %uri, "a token made a signature that does not verify; it was not used");
        TokenError::WrongSignature { token }
    }
}
