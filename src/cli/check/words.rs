//! A route, and where the state is, in plain words, for whoever has to sign it off.

use bytesize::ByteSize;
use humantime::format_duration;

use crate::config::{Client, Config, FaultStatus, HoldBounds, Redirects, RouteConfig, StateConfig};
use crate::keys::lifecycle::{AfterHold, HoldLimit};
use crate::keys::store::Survey;
use crate::keys::{Signer, Strategy};
use crate::wss::Profile;
use crate::wss::key_refused::{Entry, KeyRefused, Refusals};
use crate::wss::profile::{
    ExistingSecurityHeader, InclusivePrefixes, InnerSignature, KeyIdentifier, Layout, Part,
    ProcessingInstructions,
};

/// `signer` is the key that the alias's source brings.
pub(super) fn route(route: &RouteConfig, config: &Config, signer: Option<&Signer>) -> String {
    let profile = &route.profile;
    let lines = [
        format!("route {}", route.name),
        posted(route, config),
        clients(route, config),
        key(&route.alias, signer),
        format!("profile {}: signs {}", route.profile_name, parts(profile)),
        algorithms(profile, signer),
        format!("the receiver finds the certificate {}", key_identifier(profile)),
        timestamp(profile),
        header(profile),
        existing(profile),
        transport(route),
        timeouts(route),
        answers(route),
        strategy(route, config),
    ];
    let refusals = refusals(route);
    let lines: Vec<_> = lines.into_iter().chain(refusals).collect();
    lines.join("\n  ") + "\n"
}

/// For a client on this host; others write its name.
fn posted(route: &RouteConfig, config: &Config) -> String {
    let scheme = if config.proxy.tls.is_some() {
        "https"
    } else {
        "http"
    };
    let listen = config.proxy.listen;
    let own = route
        .path
        .as_ref()
        .map(|path| format!("{scheme}://{listen}{path}"));
    let proxied = route
        .url
        .as_ref()
        .map(|url| format!("{url} with {scheme}://{listen} as HTTP proxy"));
    let addresses: Vec<_> = own.into_iter().chain(proxied).collect();
    format!(
        "posted to {}, sent on to {}",
        addresses.join(" or to "),
        route.receiver
    )
}

fn clients(route: &RouteConfig, config: &Config) -> String {
    let authority = config.proxy.tls.as_ref().and_then(|tls| tls.client_ca.as_ref());
    let certified = authority.map(|ca| format!(" with a certificate of {}", ca.display()));
    let named = route.clients.iter().map(|client| match client {
        Client::Subject(name) => format!("are {name}"),
        Client::Network(network) => format!("come from {network}"),
    });
    let named = named.collect::<Vec<_>>().join(" or ");
    match (certified, named.as_str()) {
        (None, "") => "for everybody".to_owned(),
        (Some(certified), "") => format!("for clients{certified}"),
        (certified, named) => format!("for clients{} that {named}", certified.unwrap_or_default()),
    }
}

/// How the alias's key is exchanged, as far as this route has to do with it.
fn strategy(route: &RouteConfig, config: &Config) -> String {
    let Some(alias) = config.aliases.get(&route.alias) else {
        return String::new(); // a route's alias is one of them
    };
    let HoldBounds {
        count, bytes, time, ..
    } = alias.hold;
    let bounds = format!(
        "at most {count}, {}, {} each",
        ByteSize(bytes as u64),
        format_duration(time)
    );
    match alias.strategy {
        Strategy::PrePublish => "a new key signs once the receiver trusts it besides the old one".to_owned(),
        Strategy::Hold => format!(
            "while the receiver exchanges its certificate, messages wait: {bounds}; {}",
            limit(alias.hold_limit)
        ),
        Strategy::ReceiverLed => format!(
            "where the receiver refuses the active key, the message is signed and sent again with the next one; with \
             several pending keys, with none of them until a renewal names it; if it refuses both, messages wait: {bounds}"
        ),
    }
}

fn limit(HoldLimit { most, then }: HoldLimit) -> String {
    let then = match then {
        AfterHold::Back => "the old key signs again",
        AfterHold::Refuse => "messages are refused",
    };
    format!("if it has not after {}, {then}", format_duration(most))
}

fn key(alias: &str, signer: Option<&Signer>) -> String {
    let Some(signer) = signer else {
        return format!("signed with the active key of alias {alias}; it has no source, so import one");
    };
    let certificate = signer.certificate();
    format!(
        "signed with the active key of alias {alias}; its source brings {}, {}{}, valid until {}, sha256:{}",
        certificate.subject(),
        signer.key_type(),
        if signer.places().is_some() {
            " on a token"
        } else {
            ""
        },
        certificate.not_after().date(),
        certificate.fingerprint(),
    )
}

fn parts(profile: &Profile) -> String {
    let parts = profile.sign.iter().map(|part| match part {
        Part::Body => "the Body".to_owned(),
        Part::Timestamp => "the Timestamp".to_owned(),
        Part::Token => "the signing certificate".to_owned(),
        Part::Addressing => "every WS-Addressing header".to_owned(),
        Part::Header { namespace, local } => format!("every header {local} of {namespace:?}"),
    });
    parts.collect::<Vec<_>>().join(", ")
}

fn algorithms(profile: &Profile, signer: Option<&Signer>) -> String {
    let algorithm = match (profile.signature_algorithm, signer) {
        (Some(algorithm), _) => algorithm.to_string(),
        (None, Some(signer)) => signer.key_type().auto().to_string(),
        (None, None) => "the algorithm that fits the key".to_owned(),
    };
    let prefixes = match profile.inclusive_prefixes {
        InclusivePrefixes::InScope => "with the prefixes in scope listed",
        InclusivePrefixes::None => "without prefix list",
    };
    format!(
        "by {algorithm}, digests by {}, exclusive C14N {prefixes}",
        profile.digest_algorithm
    )
}

fn key_identifier(profile: &Profile) -> &'static str {
    match (profile.key_identifier, profile.include_token) {
        (KeyIdentifier::BinarySecurityToken, _) => "in the message, in a BinarySecurityToken",
        (KeyIdentifier::PkiPath, _) => "and its path in the message, in a BinarySecurityToken",
        (KeyIdentifier::X509Data, _) => "in the message, in X509Data within KeyInfo",
        (KeyIdentifier::IssuerSerial, false) => "by issuer and serial number",
        (KeyIdentifier::IssuerSerial, true) => "by issuer and serial number; it travels along as well",
        (KeyIdentifier::SubjectKeyIdentifier, false) => "by its subject key identifier",
        (KeyIdentifier::SubjectKeyIdentifier, true) => {
            "by its subject key identifier; it travels along as well"
        }
        (KeyIdentifier::Thumbprint, false) => "by its SHA-1 thumbprint",
        (KeyIdentifier::Thumbprint, true) => "by its SHA-1 thumbprint; it travels along as well",
    }
}

fn timestamp(profile: &Profile) -> String {
    profile.timestamp.map_or_else(
        || "no Timestamp is added".to_owned(),
        |lifetime| {
            format!(
                "a Timestamp is added and expires after {}",
                format_duration(lifetime)
            )
        },
    )
}

fn header(profile: &Profile) -> String {
    let receiver = profile.actor.as_deref().map_or_else(
        || "the ultimate receiver".to_owned(),
        |actor| format!("{actor:?}"),
    );
    let duty = if profile.must_understand {
        "must be understood"
    } else {
        "may be ignored"
    };
    let order = match profile.layout {
        Layout::Strict => "a token stands before what refers to it",
        Layout::Lax => "in any order",
        Layout::LaxTimestampFirst => "the Timestamp is first",
        Layout::LaxTimestampLast => "the Timestamp is last",
    };
    format!("the Security header is for {receiver}, {duty}; {order}")
}

fn existing(profile: &Profile) -> String {
    let header = match profile.existing_security_header {
        ExistingSecurityHeader::Extend => "is extended",
        ExistingSecurityHeader::Replace => "is replaced",
        ExistingSecurityHeader::Reject => "is refused",
    };
    let instructions = match profile.processing_instructions {
        ProcessingInstructions::Keep => "are kept",
        ProcessingInstructions::Reject => "are refused",
    };
    let signature = match profile.inner_signature {
        InnerSignature::Warn => "is logged",
        InnerSignature::Reject => "is refused",
    };
    format!(
        "a Security header that is there already {header}; processing instructions {instructions}; \
         a signature in the Body that ours would break {signature}"
    )
}

fn transport(route: &RouteConfig) -> String {
    if route.receiver.scheme_str() != Some("https") {
        return "plain HTTP to the receiver".to_owned();
    }
    let tls = &route.receiver_tls;
    let trust = tls.ca.as_ref().map_or_else(
        || "the system's certificate store".to_owned(),
        |ca| format!("{} alone", ca.display()),
    );
    let client = if tls.client.is_some() { "with" } else { "without" };
    format!("TLS to the receiver, {client} a client certificate; trusts {trust}")
}

/// Where the state is, and what a start finds there.
pub(super) fn state(config: &StateConfig, found: &Survey) -> String {
    let (key, directory) = (config.master_key(), config.directory.display());
    let file = key.path().display();
    match found {
        Survey::Empty { .. } => {
            format!("state in {directory}: no database yet, the first start makes it; master key {file}\n")
        }
        Survey::Opened { .. } => {
            format!("state in {directory}: a database, which the master key {file} opens\n")
        }
        Survey::Hidden => format!("state in {directory}; master key {file}\n"),
    }
}

fn timeouts(route: &RouteConfig) -> String {
    let status = match route.fault_status {
        FaultStatus::Soap => "by the rules of the SOAP bindings",
        FaultStatus::Http => "by the rules of HTTP",
        FaultStatus::Always500 => "always with status 500",
    };
    let [connect, response, idle, total] = [
        route.timeouts.connect,
        route.timeouts.response,
        route.timeouts.idle,
        route.timeouts.total,
    ]
    .map(format_duration);
    format!(
        "waits {connect} to connect, {response} for the answer, {idle} for more of it, {total} in all; answers its own \
         faults {status}"
    )
}

/// What its answers may be.
fn answers(route: &RouteConfig) -> String {
    let redirects = match route.redirects {
        Redirects::Refuse => "a redirect is a fault",
        Redirects::Follow => "a redirect within the receiver's host and port is followed, signed anew",
    };
    let most = ByteSize(route.max_answer as u64);
    format!("takes answers of at most {most}; {redirects}")
}

/// Which of the receiver's faults count, where some do.
fn refusals(route: &RouteConfig) -> Option<String> {
    let words = |refusals: &Refusals| match refusals {
        Refusals::Set(set) => set.to_string(),
        Refusals::Own(Entry { code, text: None }) => format!("{code} whatever its text"),
        Refusals::Own(Entry {
            code,
            text: Some(text),
        }) => format!("{code} with {text:?} in its text"),
    };
    let KeyRefused(list) = &route.key_refused;
    let named: Vec<_> = list.iter().map(words).collect();
    let with_200 = if route.faults_with_200 {
        ", also with status 200"
    } else {
        ""
    };
    (!named.is_empty()).then(|| {
        format!(
            "takes for \"key not accepted, message not processed\" the receiver's faults {}{with_200}",
            named.join(", or ")
        )
    })
}
