//! Whom the verifier trusts: certificates given beforehand, and those with a path to one of them.
//! Nothing in a message establishes trust (CVE-2024-32962).

use openssl::error::ErrorStack;
use openssl::stack::{Stack, StackRef};
use openssl::x509::store::{X509Store, X509StoreBuilder};
use openssl::x509::verify::{X509VerifyFlags, X509VerifyParam};
use openssl::x509::{X509, X509StoreContext};
use time::OffsetDateTime;

use super::error::Untrusted;
use crate::keys::Certificate;
use crate::keys::material::CertificateError;
use crate::wss::policy::Policy;

/// The trusted certificates: of signers themselves, or of those who issue theirs. Empty trusts nobody.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    certificates: Vec<Certificate>,
}

/// What was given to be trusted is not certificates.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// Not PEM, or without a certificate in it.
    #[error("there is no certificate in it: give certificates in PEM")]
    NoCertificate,
    /// A certificate in it cannot be used.
    #[error("{0}")]
    Certificate(#[from] CertificateError),
}

impl Trust {
    /// Trusts every certificate of a PEM file.
    ///
    /// # Errors
    /// When it has none, or one that cannot be used.
    pub fn from_pem(pem: &[u8]) -> Result<Self, TrustError> {
        let found = X509::stack_from_pem(pem).unwrap_or_default();
        if found.is_empty() {
            return Err(TrustError::NoCertificate);
        }
        let ders = found.iter().map(|certificate| certificate.to_der());
        let ders: Vec<_> = ders
            .collect::<Result<_, _>>()
            .map_err(|_| TrustError::NoCertificate)?;
        let certificates = ders
            .iter()
            .map(|der| Certificate::from_der(der))
            .collect::<Result<_, _>>()?;
        Ok(Self { certificates })
    }

    /// Trusts these.
    #[must_use]
    pub fn new(certificates: Vec<Certificate>) -> Self {
        Self { certificates }
    }

    /// Those trusted; a reference to a certificate that is not in the message is looked up here.
    #[must_use]
    pub fn certificates(&self) -> &[Certificate] {
        &self.certificates
    }

    /// Reads a certificate of a message. One that is trusted was read before, which saves half the time of
    /// a verification.
    pub(super) fn read_certificate(&self, der: &[u8]) -> Result<Certificate, CertificateError> {
        let known = self.certificates.iter().find(|known| known.der() == der);
        known.cloned().map_or_else(|| Certificate::from_der(der), Ok)
    }

    /// Is `signer` trusted at `now`? `carried` are certificates of the message, which may complete
    /// the path.
    pub(super) fn judge<'c>(
        &self,
        signer: &Certificate,
        carried: impl Iterator<Item = &'c Certificate>,
        policy: &Policy,
        now: OffsetDateTime,
    ) -> Result<(), Untrusted> {
        if self.certificates.is_empty() {
            return Err(Untrusted::NoTrust);
        }
        if !signer.may_sign() {
            return Err(Untrusted::KeyUsage);
        }
        let mut between = Stack::new()?;
        for certificate in carried {
            between.push(certificate.x509().clone())?;
        }
        let path = |anchors: &[Certificate]| find_path(signer, &between, anchors, policy, now);
        match path(&self.certificates)? {
            None => Ok(()),
            Some(reason) => {
                // Of two authorities with one name OpenSSL tries only the first (WSS-583)
                let leads = |anchor| matches!(path(std::slice::from_ref(anchor)), Ok(None));
                let found = self.certificates.iter().any(leads);
                found.then_some(()).ok_or(Untrusted::NoPath(reason))
            }
        }
    }
}

/// Looks for a path from the signer to an anchor; the reason if there is none.
fn find_path(
    signer: &Certificate,
    between: &StackRef<X509>,
    anchors: &[Certificate],
    policy: &Policy,
    now: OffsetDateTime,
) -> Result<Option<String>, ErrorStack> {
    let store = store(anchors, policy, now)?;
    let mut context = X509StoreContext::new()?;
    context.init(&store, signer.x509(), between, |context| {
        let found = context.verify_cert()?;
        Ok((!found).then(|| context.error().error_string().to_owned()))
    })
}

/// PARTIAL_CHAIN makes every trusted certificate an anchor, also one that is not its own issuer.
fn store(anchors: &[Certificate], policy: &Policy, now: OffsetDateTime) -> Result<X509Store, ErrorStack> {
    let mut parameters = X509VerifyParam::new()?;
    parameters.set_flags(X509VerifyFlags::PARTIAL_CHAIN)?;
    parameters.set_time(now.unix_timestamp());
    parameters.set_auth_level(policy.path_security_level());
    let mut store = X509StoreBuilder::new()?;
    store.set_param(&parameters)?;
    for certificate in anchors {
        store.add_cert(certificate.x509().clone())?;
    }
    Ok(store.build())
}
