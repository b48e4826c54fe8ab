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
use crate::keys::source::{SourceError, certificates};
use crate::wss::policy::Policy;

/// The trusted certificates: of signers themselves, or of those who issue theirs. Empty trusts nobody.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    certificates: Vec<Certificate>,
}

impl Trust {
    /// Trusts every certificate of a file, in PEM, DER or PKCS#7.
    ///
    /// # Errors
    /// When it has none, or one that cannot be used.
    pub fn read(file: &[u8]) -> Result<Self, SourceError> {
        let certificates = certificates(file)?;
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
        // OpenSSL takes an anchor for an authority that only its key usage calls one.
        let leads = |anchor: &&Certificate| anchor.may_issue() || *anchor == signer;
        let anchors: Vec<_> = self.certificates.iter().filter(leads).collect();
        let path = |anchors: &[&Certificate]| find_path(signer, &between, anchors, policy, now);
        match path(&anchors)? {
            None => Ok(()),
            Some(reason) => {
                // Of two authorities with one name OpenSSL tries only the first (WSS-583)
                let leads = |anchor| matches!(path(std::slice::from_ref(anchor)), Ok(None));
                let found = anchors.iter().any(leads);
                found
                    .then_some(())
                    .ok_or_else(|| Untrusted::NoPath(self.no_authority(signer).unwrap_or(reason)))
            }
        }
    }

    /// That it was issued by one of these that is no authority.
    fn no_authority(&self, signer: &Certificate) -> Option<String> {
        let mut others = self.certificates.iter().filter(|trusted| !trusted.may_issue());
        let issuer = others.find(|trusted| signer.is_issued_by(trusted))?;
        Some(format!(
            "the certificate of {}, which issued it, is not that of an authority (basicConstraints)",
            issuer.subject()
        ))
    }
}

/// Looks for a path from the signer to an anchor; the reason if there is none.
fn find_path(
    signer: &Certificate,
    between: &StackRef<X509>,
    anchors: &[&Certificate],
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
fn store(anchors: &[&Certificate], policy: &Policy, now: OffsetDateTime) -> Result<X509Store, ErrorStack> {
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
