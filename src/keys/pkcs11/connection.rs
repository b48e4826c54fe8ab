//! A session of a token, logged in, and the keys that were found by it.

use std::collections::BTreeMap;

use cryptoki::error::{Error, RvError};
use cryptoki::object::{Attribute, ObjectClass, ObjectHandle};
use cryptoki::session::Session;

use super::{KeyUri, TokenError};

/// A session that is logged in.
pub(super) struct Connection {
    pub(super) session: Session,
    token: String,
    /// Of the module.
    pub(super) start: u64,
    keys: BTreeMap<KeyUri, ObjectHandle>,
}

impl Connection {
    pub(super) fn new(session: Session, token: String, start: u64) -> Self {
        Self {
            session,
            token,
            start,
            keys: BTreeMap::new(),
        }
    }

    pub(super) const fn session(&self) -> &Session {
        &self.session
    }

    /// The private key of this name.
    pub(super) fn key(&mut self, uri: &KeyUri) -> Result<ObjectHandle, Failure> {
        if let Some(key) = self.keys.get(uri) {
            return Ok(*key);
        }
        let class = Attribute::Class(ObjectClass::PRIVATE_KEY);
        let template: Vec<_> = [class].into_iter().chain(uri.template()).collect();
        let found = self.session.find_objects(&template)?;
        let (token, key) = (self.token.clone(), uri.object_name());
        match found.as_slice() {
            [handle] => {
                self.keys.insert(uri.clone(), *handle);
                Ok(*handle)
            }
            [] => Err(TokenError::NoKey { token, key }.into()),
            several => {
                let count = several.len();
                Err(TokenError::SeveralKeys { token, key, count }.into())
            }
        }
    }
}

/// Why work on a connection failed.
pub(super) enum Failure {
    Library(Error),
    Token(TokenError),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Library(error)
    }
}

impl From<TokenError> for Failure {
    fn from(error: TokenError) -> Self {
        Self::Token(error)
    }
}

/// The token is there, and does not do this with this key.
pub(super) const fn refuses(error: &Error) -> bool {
    matches!(
        error,
        Error::Pkcs11(
            RvError::KeyTypeInconsistent
                | RvError::KeyFunctionNotPermitted
                | RvError::KeySizeRange
                | RvError::MechanismInvalid
                | RvError::MechanismParamInvalid
                | RvError::FunctionNotSupported
                | RvError::DataLenRange
                | RvError::DataInvalid
                | RvError::AttributeTypeInvalid
                | RvError::AttributeSensitive
                | RvError::ArgumentsBad,
            _
        ) | Error::NotSupported
            | Error::InvalidValue
    )
}
