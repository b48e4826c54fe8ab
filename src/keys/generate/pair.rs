//! A key pair for somebody: it asks for a certificate by PKCS#10 (RFC 2986), or certifies itself.

use std::time::Duration;

use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Private};
use openssl::stack::Stack;
use openssl::x509::X509ReqBuilder;
use openssl::x509::extension::{KeyUsage, SubjectKeyIdentifier};
use time::OffsetDateTime;

use super::subject::{AlternativeName, Subject, extension};
use super::{GenerateError, KeyAlgorithm, SelfSigned, digest, generate, self_sign};
use crate::keys::{KeyMaterial, PrivateKey};

/// What is to be generated.
pub struct Wanted {
    /// Of the key.
    pub algorithm: KeyAlgorithm,
    /// Whose.
    pub subject: Subject,
    /// Further names.
    pub alternative_names: Vec<AlternativeName>,
}

/// A new key pair.
pub struct KeyPair {
    wanted: Wanted,
    key: PKey<Private>,
}

impl Wanted {
    /// RSA takes up to seconds.
    ///
    /// # Errors
    /// When OpenSSL refuses.
    pub fn generate(self) -> Result<KeyPair, GenerateError> {
        let key = generate(self.algorithm.key_type())?;
        Ok(KeyPair { wanted: self, key })
    }
}

impl KeyPair {
    /// The request for a certificate that may sign messages, in DER.
    ///
    /// # Errors
    /// When OpenSSL refuses.
    pub fn request(&self) -> Result<Vec<u8>, GenerateError> {
        let mut builder = X509ReqBuilder::new()?;
        builder.set_version(0)?; // PKCS#10 has no other
        builder.set_subject_name(self.wanted.subject.name())?;
        builder.set_pubkey(&self.key)?;
        let extensions = self.extensions(&builder)?;
        builder.add_extensions(&extensions)?;
        builder.sign(&self.key, digest(self.wanted.algorithm.key_type()))?;
        Ok(builder.build().to_der()?)
    }

    fn extensions(
        &self,
        builder: &X509ReqBuilder,
    ) -> Result<Stack<openssl::x509::X509Extension>, ErrorStack> {
        let context = builder.x509v3_context(None);
        let mut extensions = Stack::new()?;
        extensions.push(KeyUsage::new().critical().digital_signature().build()?)?;
        extensions.push(SubjectKeyIdentifier::new().build(&context)?)?;
        if let Some(names) = extension(&self.wanted.alternative_names, &context)? {
            extensions.push(names)?;
        }
        Ok(extensions)
    }

    /// With a certificate of its own, for receivers that pin it.
    ///
    /// # Errors
    /// When OpenSSL refuses.
    pub fn self_signed(self, now: OffsetDateTime, lifetime: Duration) -> Result<KeyMaterial, GenerateError> {
        let Wanted {
            algorithm,
            subject,
            alternative_names,
        } = self.wanted;
        let certificate = self_sign(
            &self.key,
            algorithm.key_type(),
            subject.name(),
            &alternative_names,
            now,
            lifetime,
        )?;
        SelfSigned {
            key: self.key,
            certificate,
        }
        .into_material()
    }

    pub(in crate::keys) fn subject(&self) -> String {
        self.wanted.subject.to_string()
    }

    pub(in crate::keys) fn into_private_key(self) -> Result<PrivateKey, GenerateError> {
        Ok(PrivateKey::new(self.key)?)
    }
}
