//! Trust by a path: certificates that authorities issued, some of which travel with the message.

use std::sync::Arc;

use countersign::keys::{Certificate, KeyMaterial, PrivateKey, Signer};
use countersign::wss::Profile;
use countersign::wss::policy::Policy;
use countersign::wss::profile::KeyIdentifier;
use countersign::wss::verify::{Trust, Untrusted, Verifier, VerifyError};
use openssl::asn1::{Asn1Integer, Asn1Time};
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::{BasicConstraints, KeyUsage};
use openssl::x509::{X509, X509Builder, X509Name};

use crate::support::signing::{NOW, message, sign, verify};

/// Somebody with a key and a certificate.
struct Holder {
    key: PKey<Private>,
    certificate: X509,
}

/// How a certificate is made.
#[derive(Clone, Copy)]
struct Making {
    is_authority: bool,
    /// Says so in basicConstraints, and not in its key usage alone.
    says_so: bool,
    /// X.509's, counted from 0.
    version: i32,
    digest: fn() -> MessageDigest,
    /// Days from now to the end.
    days: i64,
}

const AUTHORITY: Making = Making {
    is_authority: true,
    says_so: true,
    version: 2,
    digest: MessageDigest::sha256,
    days: 30,
};
const LEAF: Making = Making {
    is_authority: false,
    ..AUTHORITY
};

impl Holder {
    fn root(name: &str) -> Self {
        Self::root_made(name, AUTHORITY)
    }

    fn root_made(name: &str, making: Making) -> Self {
        let key = new_key();
        let certificate = certificate(name, &key, making, &self::name(name), &key);
        Self { key, certificate }
    }

    fn issue(&self, name: &str, making: Making) -> Self {
        let key = new_key();
        let certificate = certificate(name, &key, making, self.certificate.subject_name(), &self.key);
        Self { key, certificate }
    }

    fn own(&self) -> Certificate {
        Certificate::from_der(&self.certificate.to_der().unwrap()).unwrap()
    }

    fn signer(&self, chain: &[&Self]) -> Arc<Signer> {
        let material = KeyMaterial {
            private_key: PrivateKey::new(self.key.clone()).unwrap(),
            certificate: self.own(),
            chain: chain.iter().map(|holder| holder.own()).collect(),
        };
        Arc::new(Signer::new(material, NOW).ok().unwrap())
    }
}

fn new_key() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

fn name(common_name: &str) -> X509Name {
    let mut name = X509Name::builder().unwrap();
    name.append_entry_by_nid(Nid::COMMONNAME, common_name).unwrap();
    name.build()
}

fn certificate(
    subject: &str,
    key: &PKey<Private>,
    making: Making,
    issuer: &openssl::x509::X509NameRef,
    issuer_key: &PKey<Private>,
) -> X509 {
    let day = 24 * 60 * 60;
    let at = |days: i64| Asn1Time::from_unix(NOW.unix_timestamp() + days * day).unwrap();
    let mut serial = BigNum::new().unwrap();
    serial.rand(128, MsbOption::MAYBE_ZERO, false).unwrap();
    let mut builder = X509Builder::new().unwrap();
    builder.set_version(making.version).unwrap();
    builder
        .set_serial_number(&Asn1Integer::from_bn(&serial).unwrap())
        .unwrap();
    builder.set_subject_name(&name(subject)).unwrap();
    builder.set_issuer_name(issuer).unwrap();
    builder.set_pubkey(key).unwrap();
    builder.set_not_before(&at(-30)).unwrap();
    builder.set_not_after(&at(making.days)).unwrap();
    if making.is_authority && making.says_so {
        builder
            .append_extension(BasicConstraints::new().critical().ca().build().unwrap())
            .unwrap();
    }
    if making.is_authority && making.version == 2 {
        builder
            .append_extension(KeyUsage::new().critical().key_cert_sign().build().unwrap())
            .unwrap();
    }
    builder.sign(issuer_key, (making.digest)()).unwrap();
    builder.build()
}

fn trusting(holders: &[&Holder]) -> Verifier {
    let certificates = holders.iter().map(|holder| holder.own()).collect();
    Verifier {
        trust: Trust::new(certificates),
        policy: Policy::outbound(),
        actor: None,
    }
}

/// What a verifier says of a message that this holder signed and sent with this chain.
fn verdict(signer: &Holder, chain: &[&Holder], trusted: &[&Holder]) -> Result<(), VerifyError> {
    let key_identifier = if chain.is_empty() {
        KeyIdentifier::BinarySecurityToken
    } else {
        KeyIdentifier::PkiPath
    };
    let profile = Profile {
        key_identifier,
        ..Profile::default()
    };
    verify(
        &trusting(trusted),
        sign(&message("soap11"), profile, &signer.signer(chain)),
        |_| (),
    )
}

#[track_caller]
fn assert_no_path(verdict: Result<(), VerifyError>, words: &str) {
    match verdict {
        Err(VerifyError::NotTrusted {
            reason: Untrusted::NoPath(reason),
            ..
        }) => {
            assert!(reason.contains(words), "{reason}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_path_may_end_anywhere_that_is_trusted() {
    let root = Holder::root("Root");
    let authority = root.issue("Authority", AUTHORITY);
    let leaf = authority.issue("Leaf", LEAF);
    for (chain, trusted) in [
        (&[][..], &[&leaf][..]),
        (&[], &[&authority]),
        (&[], &[&authority, &root]),
        (&[&authority], &[&root]),
        (&[&authority, &root], &[&root]),
        (&[&authority], &[&authority]),
    ] {
        assert_eq!(
            verdict(&leaf, chain, trusted),
            Ok(()),
            "{} sent, {} trusted",
            chain.len(),
            trusted.len()
        );
    }
}

#[test]
fn what_travels_with_the_message_completes_a_path_and_ends_none() {
    let (root, other) = (Holder::root("Root"), Holder::root("Root"));
    let authority = root.issue("Authority", AUTHORITY);
    let leaf = authority.issue("Leaf", LEAF);
    assert_no_path(
        verdict(&leaf, &[], &[&root]),
        "unable to get local issuer certificate",
    );
    assert_no_path(
        verdict(&leaf, &[&authority, &root], &[&other]),
        "certificate signature failure",
    );
}

#[test]
fn authorities_of_one_name_do_not_hide_each_other() {
    // WSS-583
    let roots = [Holder::root("Root"), Holder::root("Root")];
    for root in &roots {
        let leaf = root.issue("Leaf", LEAF);
        assert_eq!(verdict(&leaf, &[], &[&roots[0], &roots[1]]), Ok(()));
    }
}

#[test]
fn only_authorities_issue() {
    let root = Holder::root("Root");
    let leaf = root.issue("Leaf", LEAF);
    let forged = leaf.issue("Forged", LEAF);
    assert_no_path(verdict(&forged, &[&leaf], &[&root]), "invalid CA certificate");
    let reason = "the certificate of CN=Leaf, which issued it, is not that of an authority";
    assert_no_path(verdict(&forged, &[], &[&leaf]), reason);
}

#[test]
fn every_certificate_of_a_path_is_valid_and_strong() {
    let root = Holder::root("Root");
    let expired = root.issue(
        "Authority",
        Making {
            days: -1,
            ..AUTHORITY
        },
    );
    let leaf = expired.issue("Leaf", LEAF);
    assert_no_path(verdict(&leaf, &[&expired], &[&root]), "expired");
    let weak = root.issue(
        "Authority",
        Making {
            digest: MessageDigest::sha1,
            ..AUTHORITY
        },
    );
    let leaf = weak.issue("Leaf", LEAF);
    assert_no_path(
        verdict(&leaf, &[&weak], &[&root]),
        "CA signature digest algorithm too weak",
    );
}

#[test]
fn an_issuer_of_version_3_has_to_say_that_it_is_an_authority() {
    let unsaid = Making {
        says_so: false,
        ..AUTHORITY
    };
    let root = Holder::root_made("Root", unsaid);
    let leaf = root.issue("Leaf", LEAF);
    let reason = "the certificate of CN=Root, which issued it, is not that of an authority";
    assert_no_path(verdict(&leaf, &[], &[&root]), reason);
    let said = Holder::root("Said");
    let between = said.issue("Between", unsaid);
    let below = between.issue("Below", LEAF);
    assert_no_path(verdict(&below, &[&between], &[&said]), "invalid CA certificate");
    // One of version 1 has nowhere to say it.
    let old = Holder::root_made("Old", Making { version: 0, ..unsaid });
    assert_eq!(verdict(&old.issue("Leaf", LEAF), &[], &[&old]), Ok(()));
}
