//! Shows of a profile and a key that they fit, on a message that nobody gets: signed by the one engine, verified by the
//! other.

use std::sync::Arc;

use bytes::Bytes;
use time::OffsetDateTime;

use super::profile::Part;
use super::{MessageError, Profile, Protection, SelfCheckError, SignError};
use crate::keys::Signer;
use crate::xml::Limits;

/// Why they do not.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// The profile does not take even this message.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// The key does not sign so.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// What it signed does not verify.
    #[error(transparent)]
    Verify(#[from] SelfCheckError),
}

const TRIAL: &[u8] =
    b"<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body/></s:Envelope>";

/// Signs on trial.
///
/// # Errors
/// When the profile cannot be kept with this key.
pub fn sign_on_trial(profile: &Profile, signer: &Arc<Signer>, now: OffsetDateTime) -> Result<(), TrialError> {
    let mut profile = profile.clone();
    if !profile.sign.contains(&Part::Body) {
        // All that the trial message has to sign.
        profile.sign.push(Part::Body);
    }
    let protection = Protection::new(profile, Limits::default());
    let mut reader = protection.read(None);
    reader.feed(Bytes::from_static(TRIAL))?;
    let message = reader.finish()?;
    let signed = protection.sign(&message, signer, now)?;
    protection.self_check(&message, signed.segments(), signer, now, &|| true)?;
    Ok(())
}
