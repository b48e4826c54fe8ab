//! A session of a token, and the keys that were found by it.

use std::collections::BTreeMap;

use cryptoki::error::{Error, RvError};
use cryptoki::object::{Attribute, ObjectClass, ObjectHandle};
use cryptoki::session::{Session as Handle, SessionState};

use super::super::KeyUri;
use super::super::mechanism::Input;
use super::super::request::Problem;
use super::problem;

/// Bytes; of RSA with 16384 bits it has 2048.
const LONGEST_SIGNATURE: usize = 4096;

/// An open session. It is closed by hand: after the module was started anew its number may belong to another one.
pub(super) struct Session {
    handle: Handle,
    keys: BTreeMap<KeyUri, ObjectHandle>,
}

impl Session {
    pub(super) const fn new(handle: Handle) -> Self {
        Self {
            handle,
            keys: BTreeMap::new(),
        }
    }

    pub(super) const fn handle(&self) -> &Handle {
        &self.handle
    }

    pub(super) fn state(&self) -> Result<SessionState, Problem> {
        let info = self.handle.get_session_info().map_err(problem)?;
        Ok(info.session_state())
    }

    /// Whether that went well changes nothing.
    pub(super) fn close(self) {
        let _ = self.handle.close();
    }

    /// The private key of this name.
    pub(super) fn key(&mut self, uri: &KeyUri) -> Result<ObjectHandle, Problem> {
        if let Some(key) = self.keys.get(uri) {
            return Ok(*key);
        }
        let class = Attribute::Class(ObjectClass::PRIVATE_KEY);
        let template: Vec<_> = [class].into_iter().chain(uri.template()).collect();
        let found = self.handle.find_objects(&template).map_err(problem)?;
        match found.as_slice() {
            [handle] => {
                self.keys.insert(uri.clone(), *handle);
                Ok(*handle)
            }
            [] => Err(Problem::NoKey),
            several => Err(Problem::SeveralKeys(several.len())),
        }
    }

    pub(super) fn sign(&mut self, uri: &KeyUri, input: &Input) -> Result<Vec<u8>, Problem> {
        let mechanism = input.mechanism().map_err(problem)?;
        let key = self.key(uri)?;
        let mut signed = self.handle.sign(&mechanism, key, input.bytes());
        // A key that was deleted or written anew says nothing about the token, nor about its other keys.
        if signed.as_ref().is_err_and(names_no_object) {
            self.keys.remove(uri);
            let key = self.key(uri)?;
            signed = self.handle.sign(&mechanism, key, input.bytes());
        }
        let value = signed.map_err(problem)?;
        if value.len() > LONGEST_SIGNATURE {
            return Err(Problem::Lost(format!("it signed with {} bytes", value.len())));
        }
        Ok(value)
    }
}

const fn names_no_object(error: &Error) -> bool {
    matches!(
        error,
        Error::Pkcs11(RvError::ObjectHandleInvalid | RvError::KeyHandleInvalid, _)
    )
}
