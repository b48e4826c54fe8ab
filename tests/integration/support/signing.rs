//! Keys and signed messages for tests of the verifier.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use bytes::Bytes;
use countersign::keys::Signer;
use countersign::keys::generate::{KeyAlgorithm, SelfSigned};
use countersign::wss::policy::Policy;
use countersign::wss::verify::{Trust, VerifiedMessage, Verifier, VerifyError};
use countersign::wss::{Profile, Protection};
use countersign::xml::Limits;
use countersign::xml::libxml::Tree;
use time::OffsetDateTime;
use time::macros::datetime;

/// When these tests take place.
pub(crate) const NOW: OffsetDateTime = datetime!(2026-05-04 12:00 UTC);

/// A key that many tests share, because RSA takes its time to generate.
pub(crate) fn key(algorithm: KeyAlgorithm) -> Arc<Signer> {
    static KEYS: LazyLock<Mutex<HashMap<KeyAlgorithm, Arc<Signer>>>> = LazyLock::new(Mutex::default);
    let mut keys = KEYS.lock().unwrap();
    keys.entry(algorithm)
        .or_insert_with(|| new_key(algorithm, "Test"))
        .clone()
}

/// A key of its own, valid for a day since an hour ago.
pub(crate) fn new_key(algorithm: KeyAlgorithm, name: &str) -> Arc<Signer> {
    let day = Duration::from_secs(24 * 60 * 60);
    let material = SelfSigned::generate(algorithm, name, NOW - time::Duration::HOUR, day)
        .unwrap()
        .into_material()
        .unwrap();
    Arc::new(Signer::new(material, NOW).ok().unwrap())
}

/// The message, signed as the proxy would.
pub(crate) fn sign(message: &[u8], profile: Profile, signer: &Arc<Signer>) -> Vec<u8> {
    try_sign(message, profile, signer).unwrap()
}

/// The same of a message that may be refused; says why.
pub(crate) fn try_sign(message: &[u8], profile: Profile, signer: &Arc<Signer>) -> Result<Vec<u8>, String> {
    try_sign_at(message, profile, signer, NOW)
}

/// The same at another time.
pub(crate) fn try_sign_at(
    message: &[u8],
    profile: Profile,
    signer: &Arc<Signer>,
    now: OffsetDateTime,
) -> Result<Vec<u8>, String> {
    let protection = Protection::new(profile, Limits::default());
    let mut reader = protection.read(None);
    reader
        .feed(Bytes::copy_from_slice(message))
        .map_err(|refused| refused.to_string())?;
    let message = reader.finish().map_err(|refused| refused.to_string())?;
    let signed = protection
        .sign(&message, signer, now)
        .map_err(|refused| refused.to_string())?;
    Ok(signed.segments().concat())
}

/// A verifier of what this side sends, which trusts the key.
pub(crate) fn trusting(signer: &Signer) -> Verifier {
    Verifier {
        trust: Trust::new(vec![signer.certificate().clone()]),
        policy: Policy::outbound(),
        actor: None,
    }
}

/// Verifies, and looks at the verified message.
pub(crate) fn verify<T>(
    verifier: &Verifier,
    message: impl AsRef<[u8]>,
    look: impl FnOnce(&VerifiedMessage<'_>) -> T,
) -> Result<T, VerifyError> {
    let tree = Tree::parse(message.as_ref(), &Limits::default())?;
    verifier.verify(&tree, NOW).map(|message| look(&message))
}

/// Verifies at another time.
pub(crate) fn verify_at(verifier: &Verifier, message: &[u8], now: OffsetDateTime) -> Result<(), VerifyError> {
    let tree = Tree::parse(message, &Limits::default())?;
    verifier.verify(&tree, now).map(drop)
}

/// One of the messages beside the tests.
pub(crate) fn message(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/messages");
    std::fs::read(folder.join(name).with_extension("xml")).unwrap()
}
