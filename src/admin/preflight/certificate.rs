//! The new certificate: by itself, beside the active one's, and for each route's profile.

use std::time::Duration;

use super::super::view::{Check, Severity};
use super::Subject;
use super::findings::Findings;
use crate::clock::rfc3339;
use crate::config::RouteConfig;
use crate::keys::Certificate;
use crate::keys::lifecycle::{Key, KeyState};
use crate::wss::profile::KeyIdentifier;
use crate::wss::sign_on_trial;

/// Time enough to get the next certificate from most authorities and to a receiver.
const SOON: Duration = Duration::from_secs(30 * 24 * 60 * 60);

impl Subject<'_> {
    pub(super) fn look_at_certificate(&self, findings: &mut Findings) {
        self.state(findings);
        self.validity(findings);
        self.algorithm(findings);
        self.key_identifier(findings);
        self.chain(findings);
        self.names(findings);
        self.trial(findings);
    }

    fn certificate(&self) -> &Certificate {
        self.new.identity.certificate()
    }

    fn state(&self, findings: &mut Findings) {
        let mut add = |severity, sentence: &str, remedy: &str| {
            findings.add(Check::State, severity, &self.routes, sentence, remedy);
        };
        match &self.new.state {
            KeyState::Pending { .. } => {}
            KeyState::Active { .. } => add(Severity::Info, "it signs already", "there is nothing to switch"),
            KeyState::Retired {
                rolled_back: true, ..
            } => add(
                Severity::Info,
                "it was rolled back, and can be the next one's again",
                "begin with `countersign renewal start`",
            ),
            KeyState::Retired { .. } => add(
                Severity::Warning,
                "it is retired: only a rollback makes the key displaced last sign again",
                "use `countersign keys rollback`, or renew to a pending key",
            ),
            KeyState::Revoked { .. } | KeyState::Purged { .. } | KeyState::Discarded { .. } => add(
                Severity::Error,
                "it has been withdrawn and signs no more",
                "import or generate another key",
            ),
        }
        if !self.certificate().may_sign() {
            let sentence = "the certificate's key usage does not permit digital signatures";
            let remedy = "ask its issuer for one with digitalSignature";
            findings.add(Check::KeyUsage, Severity::Error, &self.routes, sentence, remedy);
        }
    }

    fn validity(&self, findings: &mut Findings) {
        let (certificate, now) = (self.certificate(), self.now);
        let (begin, end) = (certificate.not_before(), certificate.not_after());
        let mut add = |severity, sentence: String, remedy: &str| {
            findings.add(Check::Validity, severity, &self.routes, sentence, remedy);
        };
        if now > end {
            return add(
                Severity::Error,
                format!("its certificate expired on {}", rfc3339(end)),
                "import a key with a valid one",
            );
        }
        if now < begin {
            add(
                Severity::Error,
                format!("its certificate is not valid before {}", rfc3339(begin)),
                "activate it then: `countersign keys activate … --at`",
            );
        }
        if end < now + SOON {
            add(
                Severity::Warning,
                format!("its certificate expires soon, on {}", rfc3339(end)),
                "have the next one ready, or ask for a longer validity",
            );
        }
        let active = self.active.map(|key| key.certificate().not_after());
        if active.is_some_and(|active| end < active) {
            add(
                Severity::Warning,
                "its certificate expires before the active one's".to_owned(),
                "make sure that this is the newer one",
            );
        }
    }

    /// Receivers may allow one algorithm alone.
    fn algorithm(&self, findings: &mut Findings) {
        let Some(active) = self.active else { return };
        let (old, new) = (active.signer().key_type(), self.new.identity.key_type());
        let by_key = self.those(|route| route.profile.signature_algorithm.is_none());
        if old.auto() != new.auto() && !by_key.is_empty() {
            let sentence = format!("signatures are made by {} in place of {}", new.auto(), old.auto());
            let remedy = "ask the receivers whether they accept that, or get a key of the type of before";
            findings.add(Check::Algorithm, Severity::Warning, &by_key, sentence, remedy);
        } else if old != new {
            let sentence = format!("the key is {new} in place of {old}");
            let remedy = "nothing, unless a receiver bounds the size of keys or signatures";
            findings.add(Check::Algorithm, Severity::Info, &self.routes, sentence, remedy);
        }
    }

    fn key_identifier(&self, findings: &mut Findings) {
        let by_ski = self.those(|route| route.profile.key_identifier == KeyIdentifier::SubjectKeyIdentifier);
        if by_ski.is_empty() || self.certificate().subject_key_identifier().is_some() {
            return;
        }
        let had = |key: &Key| key.certificate().subject_key_identifier().is_some();
        let severity = if self.active.is_some_and(had) {
            Severity::Error
        } else {
            Severity::Warning
        };
        let sentence = "its certificate has no subject key identifier; messages name it by its thumbprint instead, by which these \
             receivers do not look";
        let remedy = "get a certificate with a subject key identifier, or set key_identifier to another one";
        findings.add(Check::KeyIdentifier, severity, &by_ski, sentence, remedy);
    }

    fn chain(&self, findings: &mut Findings) {
        let (certificate, chain) = (self.certificate(), self.new.identity.chain());
        let last = chain.last().unwrap_or(certificate);
        if let Some(expired) = chain.iter().find(|issuer| self.now > issuer.not_after()) {
            let sentence = format!(
                "the certificate of its issuer {} expired on {}",
                expired.subject(),
                rfc3339(expired.not_after())
            );
            let remedy = "get the issuer's current certificate and import the key with it";
            findings.add(Check::Chain, Severity::Error, &self.routes, sentence, remedy);
        }
        if last.is_self_issued() {
            return;
        }
        let sentence = format!(
            "its chain ends before a root: the certificate of {} is missing",
            last.issuer()
        );
        let by_path = self.those(|route| route.profile.key_identifier == KeyIdentifier::PkiPath);
        // A path without its root is whole (RFC 5280, section 6.1).
        if chain.is_empty() && !by_path.is_empty() {
            let remedy = "import the key with the certificates that lead to a root";
            findings.add(Check::Chain, Severity::Error, &by_path, sentence, remedy);
        } else if chain.is_empty() {
            let remedy = "nothing, if the receivers have the issuer's certificate, or trust this one alone";
            findings.add(Check::Chain, Severity::Info, &self.routes, sentence, remedy);
        }
    }

    fn names(&self, findings: &mut Findings) {
        let Some(active) = self.active else { return };
        let (old, new) = (active.certificate(), self.certificate());
        if old.subject() != new.subject() {
            let sentence = format!("it is for {:?} in place of {:?}", new.subject(), old.subject());
            let remedy = "ask the receivers whether they go by the subject";
            findings.add(Check::Subject, Severity::Warning, &self.routes, sentence, remedy);
        }
        if old.issuer() == new.issuer() || (old.is_self_issued() && new.is_self_issued()) {
            return;
        }
        let sentence = format!(
            "it was issued by {:?} in place of {:?}",
            new.issuer(),
            old.issuer()
        );
        let remedy = "have the receivers trust that issuer, or this certificate";
        findings.add(Check::Issuer, Severity::Warning, &self.routes, sentence, remedy);
    }

    /// A message that nobody gets, for each profile.
    fn trial(&self, findings: &mut Findings) {
        let Some(signer) = &self.signer else { return };
        for route in &self.routes {
            let twins = self.those(|other| other.profile_name == route.profile_name);
            let first = twins.first().is_some_and(|first| first.name == route.name);
            if !first {
                continue;
            }
            if let Err(problem) = sign_on_trial(&route.profile, signer, self.now) {
                let sentence = format!("profile {} cannot be kept with it: {problem}", route.profile_name);
                let remedy = "get another key, or change the profile";
                findings.add(Check::TrialSignature, Severity::Error, &twins, sentence, remedy);
            }
        }
    }

    pub(super) fn those(&self, which: impl Fn(&RouteConfig) -> bool) -> Vec<&RouteConfig> {
        let routes = self.routes.iter().copied();
        routes.filter(|route| which(route)).collect()
    }
}
