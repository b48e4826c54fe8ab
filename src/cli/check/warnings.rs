//! What is allowed and still surprises: each warning says what will happen and why it may matter.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use time::OffsetDateTime;

use super::{Signers, listeners};
use crate::config::{AccessConfig, AliasConfig, Config, Credential, RouteConfig, StateConfig, is_loopback};
use crate::keys::source::Source;
use crate::keys::store::Survey;
use crate::keys::{SignatureAlgorithm, Signer, Strategy};
use crate::wss::Profile;
use crate::wss::policy::MOST_PARTS;
use crate::wss::profile::{DigestAlgorithm, KeyIdentifier, Part};

/// Time enough to get a certificate from most authorities and to a receiver.
const EXPIRY_NOTICE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Every warning, in the order of the configuration.
pub(super) fn of(config: &Config, signers: &Signers, state: &Survey, now: OffsetDateTime) -> Vec<String> {
    let mut warnings = of_listeners(config);
    let elsewhere = listeners::elsewhere(config).into_iter();
    warnings.extend(elsewhere.map(|(section, address)| {
        format!(
            "{section}.listen: this machine has no address {address}; a proxy that runs on it does not start"
        )
    }));
    warnings.extend(of_state(&config.state, state));
    warnings.extend(of_secrets(config));
    for (name, alias) in &config.aliases {
        let key = signers
            .get(name)
            .map(|signer| of_key(signer, now))
            .unwrap_or_default();
        let silent = silent_routes(config, name, alias);
        let files = alias.source.as_ref().map(of_files).unwrap_or_default();
        let unused = config
            .routes
            .iter()
            .all(|route| route.alias != *name)
            .then(|| "no route uses it".to_owned());
        warnings.extend(
            key.into_iter()
                .chain(files)
                .chain(alias.source.as_ref().and_then(in_our_process))
                .chain(unused)
                .chain(silent)
                .map(|warning| format!("alias {name}: {warning}")),
        );
    }
    for route in &config.routes {
        let key = signers.get(&route.alias).map(|signer| &**signer);
        let of_route = of_profile(&route.profile, key).into_iter().chain(of_way(route));
        warnings.extend(of_route.map(|warning| format!("route {}: {warning}", route.name)));
    }
    warnings
}

fn of_state(state: &StateConfig, found: &Survey) -> Vec<String> {
    let (key, directory) = (state.master_key(), state.directory.display());
    let unwritable = match found {
        Survey::Empty { unwritable } | Survey::Opened { unwritable } => unwritable.as_deref(),
        Survey::Hidden => None,
    };
    let mut warnings = collect([
        (key.is_beside_the_database(), MASTER_KEY_BESIDE.to_owned()),
        (key.is_exposed(), exposed(key.path())),
        (
            *found == Survey::Hidden,
            format!(
                "this user may not look into {directory}, so the database and its master key were not looked at"
            ),
        ),
    ]);
    let stops = |path: &Path| {
        format!(
            "this user may not write to {}: a proxy that it runs does not start",
            path.display()
        )
    };
    warnings.extend(unwritable.map(stops));
    warnings
}

/// Tokens, and private keys of TLS.
fn of_secrets(config: &Config) -> Vec<String> {
    let (admin, public) = (&config.admin, config.public.as_ref());
    let tokens = admin.access.iter().filter_map(|entry| match &entry.credential {
        Credential::TokenFile(file) => Some(file),
        Credential::ClientSubject(_) => None,
    });
    let sinks = config.events.sinks.iter();
    let listeners = [
        config.proxy.tls.as_ref(),
        admin.tls.as_ref(),
        public.and_then(|public| public.tls.as_ref()),
    ];
    let identities = listeners.into_iter().flatten().map(|tls| &tls.identity);
    let receivers = config
        .routes
        .iter()
        .filter_map(|route| route.receiver_tls.client.as_ref());
    let keys = identities
        .chain(receivers)
        .chain(sinks.clone().filter_map(|sink| sink.tls.client.as_ref()))
        .map(|identity| &identity.private_key);
    let files = [&admin.token_file].into_iter();
    let files = files
        .chain(tokens)
        .chain(sinks.filter_map(|sink| sink.token_file.as_ref()))
        .chain(keys);
    let readable: BTreeSet<_> = files.filter(|file| readable_by_others(file)).collect();
    readable.into_iter().map(|file| exposed(file)).collect()
}

fn exposed(file: &Path) -> String {
    format!("other users may read {}; chmod 600 it", file.display())
}

/// A hold ends by itself where the oldest message's route knows a refusal.
fn silent_routes(config: &Config, name: &str, alias: &AliasConfig) -> Option<String> {
    let routes = || config.routes.iter().filter(|route| route.alias == name);
    let silent: Vec<_> = routes()
        .filter(|route| route.key_refused.is_empty())
        .map(|route| route.name.as_str())
        .collect();
    let some = !silent.is_empty() && silent.len() < routes().count();
    (alias.strategy == Strategy::Hold && some).then(|| {
        format!(
            "a hold does not end by itself while the oldest message is of route {}: give each of its routes key_refused",
            silent.join(" or ")
        )
    })
}

const MASTER_KEY_BESIDE: &str = "the master key lies beside the database that it opens, so whoever reads the state directory \
    has every private key: it protects copies of the database alone; name a file elsewhere as [state] master_key_file";

fn of_listeners(config: &Config) -> Vec<String> {
    let (proxy, admin) = (&config.proxy, &config.admin);
    let open = proxy.is_open(&config.routes);
    let plaintext = !admin.listen.ip().is_loopback() && admin.tls.is_none();
    let by_subject = |entry: &AccessConfig| matches!(entry.credential, Credential::ClientSubject(_));
    let asks = admin.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some());
    collect([
        (
            open,
            format!("whoever reaches {} gets messages signed", proxy.listen),
        ),
        (
            plaintext,
            format!("admin tokens cross the network to {} unencrypted", admin.listen),
        ),
        (
            admin.metrics_open,
            "/metrics shows names of routes and aliases without a token".to_owned(),
        ),
        (
            asks && !admin.access.iter().any(by_subject),
            "client_ca of [admin] changes nothing: no [[admin.access]] has a client_subject".to_owned(),
        ),
        (
            links_in_plain_text(config),
            "links to confirm with come in unencrypted, unless something in front of [public] speaks TLS"
                .to_owned(),
        ),
    ])
}

fn links_in_plain_text(config: &Config) -> bool {
    let public = config.public.as_ref();
    public.is_some_and(|public| !public.listen.ip().is_loopback() && public.tls.is_none())
}

fn of_key(signer: &Signer, now: OffsetDateTime) -> Vec<String> {
    let certificate = signer.certificate();
    let (begin, end) = (certificate.not_before().date(), certificate.not_after().date());
    collect([
        (
            now < certificate.not_before(),
            format!("its key is not valid before {begin}; until then messages of its routes are refused"),
        ),
        (
            certificate.not_after() < now + EXPIRY_NOTICE,
            format!("its key expires on {end}; have the next one ready"),
        ),
    ])
}

fn of_files(source: &Source) -> Vec<String> {
    let files = match source {
        Source::Pkcs12 {
            path, password_file, ..
        } => vec![Some(path), Some(password_file)],
        Source::Pem {
            private_key,
            password_file,
            ..
        } => vec![Some(private_key), password_file.as_ref()],
        Source::Pkcs11 { key, .. } => vec![Some(&key.pin_file)],
    };
    let exposed_files = files
        .into_iter()
        .flatten()
        .filter(|file| readable_by_others(file));
    exposed_files.map(|file| exposed(file)).collect()
}

fn in_our_process(source: &Source) -> Option<String> {
    let Source::Pkcs11 { key, handling, .. } = source else {
        return None;
    };
    (!handling.isolate).then(|| {
        format!(
            "{} runs in the proxy's own process: where it crashes, the proxy ends, and where it hangs, it stays so until a \
             restart; leave isolate out, unless only one process can use that module",
            key.module.display()
        )
    })
}

fn readable_by_others(file: &Path) -> bool {
    file.metadata()
        .is_ok_and(|metadata| metadata.permissions().mode() & 0o004 != 0)
}

fn of_profile(profile: &Profile, signer: Option<&Signer>) -> Vec<String> {
    let is = |identifier| profile.key_identifier == identifier;
    let carries_token =
        is(KeyIdentifier::BinarySecurityToken) || is(KeyIdentifier::PkiPath) || is(KeyIdentifier::X509Data);
    let without_ski = signer.is_some_and(|signer| signer.certificate().subject_key_identifier().is_none());
    let without_chain =
        signer.is_some_and(|signer| signer.chain().is_empty() && !signer.certificate().is_self_issued());
    let sha1 = profile.digest_algorithm == DigestAlgorithm::Sha1
        || profile.signature_algorithm == Some(SignatureAlgorithm::RsaSha1);
    let adds_unsigned_timestamp = profile.timestamp.is_some() && !profile.sign.contains(&Part::Timestamp);
    collect([
        (is(KeyIdentifier::X509Data), X509_DATA.to_owned()),
        (is(KeyIdentifier::PkiPath) && without_chain, NO_CHAIN.to_owned()),
        (is(KeyIdentifier::IssuerSerial), issuer_serial(signer)),
        (
            is(KeyIdentifier::SubjectKeyIdentifier) && without_ski,
            NO_SKI.to_owned(),
        ),
        (
            profile.include_token && carries_token,
            "include_token changes nothing: the certificate travels anyway".to_owned(),
        ),
        (
            sha1,
            "SHA-1 no longer withstands attacks; for receivers that know nothing else".to_owned(),
        ),
        (
            !profile.sign.contains(&Part::Body),
            "the Body is not signed: anybody may change it on the way".to_owned(),
        ),
        (
            profile.sign.len() > MOST_PARTS,
            format!(
                "sign names {} parts, and a message with more than {MOST_PARTS} of them is refused: receivers take no more",
                profile.sign.len()
            ),
        ),
        (
            adds_unsigned_timestamp,
            "the Timestamp is not signed: an old message can be sent again with a new one".to_owned(),
        ),
        (
            profile.timestamp.is_none(),
            "without a Timestamp the receiver cannot tell an old message from a new one".to_owned(),
        ),
    ])
}

const X509_DATA: &str =
    "x509-data is outside the Basic Security Profile (R5417): KeyInfo holds no SecurityTokenReference";

const NO_CHAIN: &str = "pki-path carries the signing certificate alone: its source brings no issuers";

const NO_SKI: &str =
    "the certificate has no subject key identifier; it is named by its thumbprint instead (R5210)";

/// Receivers that compare text instead of names are common.
fn issuer_serial(signer: Option<&Signer>) -> String {
    let example = signer
        .map(|signer| format!(", {:?}", signer.certificate().issuer()))
        .unwrap_or_default();
    format!("some receivers compare the issuer's name as text; it is written by RFC 4514{example}")
}

fn of_way(route: &RouteConfig) -> Vec<String> {
    let https = route.receiver.scheme_str() == Some("https");
    let tls = &route.receiver_tls;
    let timeouts = &route.timeouts;
    let longest = timeouts.connect.max(timeouts.response).max(timeouts.idle);
    let too_long = longest > timeouts.total;
    collect([
        (
            !https && !is_loopback(route.receiver.host()),
            "messages go to the receiver unencrypted: a signature protects from changes, not from readers"
                .to_owned(),
        ),
        (
            !https && (tls.ca.is_some() || tls.client.is_some()),
            "receiver_tls changes nothing: the receiver's address is http".to_owned(),
        ),
        (
            too_long,
            "total is the shortest of its timeouts, so the longer ones never end a wait".to_owned(),
        ),
    ])
}

fn collect<const N: usize>(warnings: [(bool, String); N]) -> Vec<String> {
    warnings
        .into_iter()
        .filter_map(|(applies, warning)| applies.then_some(warning))
        .collect()
}
