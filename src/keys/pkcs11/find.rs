//! Finds a private key on a token, and the certificate that belongs to it.

use std::path::Path;

use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;

use super::connection::{Connection, Failure};
use super::token::Token;
use super::{KeyReference, KeyUri, TokenError, TokenKey};
use crate::keys::private_key::PrivateKey;
use crate::keys::source::{LoadError, SourceError, assemble, certificates_of_file};
use crate::keys::suitability::trial_verifies;
use crate::keys::{Certificate, KeyMaterial, SignerError};

/// What a token has.
struct OnToken {
    /// Names the key once and for all.
    uri: KeyUri,
    /// With the key's id or label first.
    certificates: Vec<Vec<u8>>,
    /// So many of them.
    named_as_the_key: usize,
}

/// Finds key and certificate; the latter in `file`, where one is named.
pub(in crate::keys) fn load(reference: &KeyReference, file: Option<&Path>) -> Result<KeyMaterial, LoadError> {
    let token = Token::configured(reference);
    let found = token.run(|connection| look(connection, &reference.uri))?;
    let (candidates, certificates) = match file {
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
    let exact = KeyReference {
        uri: found.uri,
        ..reference.clone()
    };
    let mut unsupported = None;
    for certificate in candidates {
        let key = TokenKey::remembered(exact.clone());
        match PrivateKey::on_token(key, &certificate) {
            Ok(key) if belongs(&key, &certificate)? => {
                let assembled = assemble(key, certificates);
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

fn look(connection: &mut Connection, uri: &KeyUri) -> Result<OnToken, Failure> {
    let key = connection.key(uri)?;
    let session = connection.session();
    let key = Facts::of(session, key, &[AttributeType::Id, AttributeType::Label])?;
    let class = Attribute::Class(ObjectClass::CERTIFICATE);
    let (mut named, mut others) = (Vec::new(), Vec::new());
    for certificate in session.find_objects(&[class])? {
        let asked = [AttributeType::Id, AttributeType::Label, AttributeType::Value];
        let found = Facts::of(session, certificate, &asked)?;
        let same = if key.id.is_empty() {
            found.label == key.label
        } else {
            found.id == key.id
        };
        let place = if same { &mut named } else { &mut others };
        place.push(found.value);
    }
    let named_as_the_key = named.len();
    Ok(OnToken {
        uri: if key.id.is_empty() {
            uri.clone()
        } else {
            uri.with_id(key.id)
        },
        certificates: [named, others].concat(),
        named_as_the_key,
    })
}

/// What there is of an object; empty where there is none.
#[derive(Default)]
struct Facts {
    id: Vec<u8>,
    label: Vec<u8>,
    /// Of a certificate, in DER.
    value: Vec<u8>,
}

impl Facts {
    /// A private key's value is never asked for.
    fn of(session: &Session, object: ObjectHandle, asked: &[AttributeType]) -> Result<Self, Failure> {
        let mut facts = Self::default();
        for attribute in session.get_attributes(object, asked)? {
            if let Attribute::Id(id) = attribute {
                facts.id = id;
            } else if let Attribute::Label(label) = attribute {
                facts.label = label;
            } else if let Attribute::Value(value) = attribute {
                facts.value = value;
            }
        }
        Ok(facts)
    }
}
