//! Finds a private key on a token, and the certificate that belongs to it.

use std::cmp::Reverse;
use std::path::Path;
use std::time::Duration;

use time::OffsetDateTime;

use super::request::{Answer, OnToken, Work};
use super::token::Token;
use super::{Handling, KeyReference, TokenError, TokenKey, patience};
use crate::keys::private_key::PrivateKey;
use crate::keys::source::{LoadError, SourceError, assemble, certificates_of_file, preference};
use crate::keys::suitability::trial_verifies;
use crate::keys::{Certificate, KeyMaterial, SignerError};

/// Finds key and certificate; the latter in `file`, where one is named. A token that takes its time is not waited for to
/// the end: the next call takes what is found.
pub(in crate::keys) fn load(
    reference: &KeyReference,
    handling: Handling,
    file: Option<&Path>,
    patience: Duration,
    now: OffsetDateTime,
) -> Result<KeyMaterial, LoadError> {
    let (own, file) = (reference.clone(), file.map(Path::to_owned));
    let named = file.clone();
    patience::within(patience, reference, handling, file, move || {
        find(&own, handling, named.as_deref(), now)
    })
}

fn find(
    reference: &KeyReference,
    handling: Handling,
    file: Option<&Path>,
    now: OffsetDateTime,
) -> Result<KeyMaterial, LoadError> {
    let token = Token::configured(reference, handling);
    let found = look(&token, reference)?;
    let (mut candidates, certificates): (Vec<_>, _) = match file {
        Some(file) => {
            let certificates = certificates_of_file(file)?;
            (certificates.clone(), certificates)
        }
        None => {
            let read = |der: &Vec<u8>| Certificate::from_der(der).ok();
            let certificates: Vec<_> = found.certificates.iter().filter_map(read).collect();
            let named = found.certificates.iter().take(found.named_as_the_key);
            (named.filter_map(read).collect(), certificates)
        }
    };
    // Certificates are renewed for their keys, and tokens keep them all.
    candidates.sort_by_cached_key(|certificate| Reverse(preference(certificate, now)));
    let mut exact = reference.clone();
    if !found.id.is_empty() {
        exact.uri = reference.uri.with_id(found.id);
    }
    let mut unsupported = None;
    for certificate in candidates {
        let key = TokenKey::remembered(exact.clone());
        match PrivateKey::on_token(key, &certificate) {
            Ok(key) if belongs(&key, &certificate)? => {
                let assembled = assemble(key, certificates, &[certificate], now);
                return assembled.map_err(|error| unusable(file, &exact, error));
            }
            Ok(_) => {}
            Err(error) => unsupported = Some(SourceError::Key(error)),
        }
    }
    if let Some(error) = unsupported {
        return Err(unusable(file, &exact, error));
    }
    let (token, key) = (token.name(), reference.uri.object_name());
    Err(LoadError::Token(match file {
        Some(file) => TokenError::OtherCertificates {
            file: file.to_owned(),
            token,
            key,
        },
        None => TokenError::NoCertificate { token, key },
    }))
}

fn look(token: &Token, reference: &KeyReference) -> Result<OnToken, TokenError> {
    match token.ask(&reference.uri, &Work::Look)? {
        Answer::Found(found) => Ok(found),
        Answer::Done | Answer::Opened { .. } | Answer::Signature(_) => Err(token.answered_otherwise()),
    }
}

/// A token may not show the public half of a key; a signature does.
fn belongs(key: &PrivateKey, certificate: &Certificate) -> Result<bool, TokenError> {
    match trial_verifies(key, certificate) {
        Ok(verifies) => Ok(verifies),
        // Of another type, for instance.
        Err(SignerError::Token(TokenError::Refused { .. })) => Ok(false),
        Err(SignerError::Token(problem)) => Err(problem),
        Err(SignerError::AlgorithmMismatch { .. } | SignerError::Failed) => Ok(false),
    }
}

fn unusable(file: Option<&Path>, reference: &KeyReference, error: SourceError) -> LoadError {
    LoadError::Unusable {
        file: file.unwrap_or(&reference.module).to_owned(),
        error,
    }
}
