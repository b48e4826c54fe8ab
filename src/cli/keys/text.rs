//! The admin API's documents as people read them.

use super::next;
use crate::admin::view::{
    AliasView, CertificateView, GateView, GeneratedView, KeyView, SigningKeyView, WaitingView,
};
use crate::keys::Fingerprint;

pub(super) fn list(aliases: &[AliasView]) -> String {
    if aliases.is_empty() {
        return "The configuration has no aliases.\n".to_owned();
    }
    aliases.iter().map(summary).collect()
}

/// A line, if it waits for somebody to look.
fn unreviewed(alias: &AliasView) -> String {
    let stopped = alias.unreviewed_since.as_ref().map(|since| {
        format!(
            "  stopped   since {since}: its keys came from a backup that may be older than what it signed with. Revoke what \
             was revoked since; then: countersign keys reviewed {}\n",
            alias.alias
        )
    });
    stopped.unwrap_or_default()
}

/// A line, if there is something wrong.
fn source_problem(alias: &AliasView) -> String {
    let problem = alias.source_problem.as_ref();
    problem
        .map(|problem| format!("  source    brings no key: {problem}\n"))
        .unwrap_or_default()
}

/// A line, if its key is being exchanged.
fn renewal(alias: &AliasView) -> String {
    let renewal = alias.renewal.as_ref().map(|renewal| {
        let (id, step, waits) = (&renewal.id, &renewal.step, &renewal.waiting_for.sentence);
        format!("  renewal   {id} is {step}; it waits for {waits}\n")
    });
    renewal.unwrap_or_default()
}

/// A line, if messages do not go on their way.
pub(in crate::cli) fn gate(gate: &GateView) -> String {
    let since = gate.since.as_ref().map(|since| format!(" since {since}"));
    let ends = gate
        .ends
        .as_ref()
        .map(|ends| format!(" (the hold ends at {ends})"));
    let ends = ends.unwrap_or_default();
    let shut = since.map(|since| format!("{}{since}{ends}, ", gate.state));
    if shut.is_none() && gate.messages == 0 {
        return String::new();
    }
    format!(
        "  messages  {}{} wait, {} bytes\n",
        shut.unwrap_or_default(),
        gate.messages,
        gate.bytes
    )
}

/// A line for each key that waits for its certificate.
fn waiting(alias: &AliasView) -> String {
    let lines = alias.waiting.iter().map(|waiting| {
        let WaitingView {
            public_key,
            subject,
            key_type,
            made,
            ..
        } = waiting;
        format!(
            "  waiting {public_key}  {key_type} for {subject}, generated {}\n",
            day(made)
        )
    });
    lines.collect()
}

pub(super) fn generated(alias: &str, view: Option<&AliasView>, generated: &GeneratedView) -> String {
    match (&generated.request, &generated.key) {
        (Some(waiting), _) => {
            let WaitingView {
                public_key,
                subject,
                request,
                ..
            } = waiting;
            format!(
                "{alias} has a new key for {subject}, which waits for its certificate; its public key is {public_key}.\n\
                 Have this request answered, and hand the answer over with\n  countersign keys import {alias} --certificate \
                 FILE\n{request}"
            )
        }
        (None, Some(key)) => imported(view, key, true),
        (None, None) => String::new(),
    }
}

fn summary(alias: &AliasView) -> String {
    let keys: String = alias
        .keys
        .iter()
        .map(|key| {
            let (fingerprint, until) = (&key.fingerprint, day(&key.validity.not_after));
            let activation = key.activate_at.as_ref();
            let activation = activation.map(|at| format!("  will be activated at {at}"));
            let rolled_back = key.rolled_back.then(|| "  rolled back".to_owned());
            let remark = activation.or(rolled_back).unwrap_or_default();
            format!(
                "  {:8}{fingerprint}  until {until}  signed {}{remark}\n",
                key.state, key.use_counts.signed
            )
        })
        .collect();
    format!(
        "{}\n{}{}{}{}{}{}",
        alias.alias,
        unreviewed(alias),
        source_problem(alias),
        renewal(alias),
        gate(&alias.gate),
        or_none(keys),
        waiting(alias)
    )
}

pub(super) fn details(alias: &AliasView) -> String {
    let routes: Vec<_> = alias
        .routes
        .iter()
        .map(|route| format!("{} to {}", route.name, route.receiver))
        .collect();
    let routes = if routes.is_empty() {
        "no route".to_owned()
    } else {
        routes.join(", ")
    };
    let keys: String = alias.keys.iter().map(key).collect();
    format!(
        "{}\n  strategy  {}\n  used by   {routes}\n{}{}{}{}{}{}",
        alias.alias,
        alias.strategy,
        unreviewed(alias),
        source_problem(alias),
        renewal(alias),
        gate(&alias.gate),
        waiting(alias),
        or_none(keys)
    )
}

fn key(key: &KeyView) -> String {
    let since = key
        .since
        .as_ref()
        .map(|since| format!(" since {since}"))
        .unwrap_or_default();
    let kept = key
        .kept_until
        .as_ref()
        .map(|until| format!(", kept until {until}"));
    let reason = key.reason.as_ref().map(|reason| format!(": {reason}"));
    let activation = key
        .activate_at
        .as_ref()
        .map(|at| format!(", will be activated at {at}"));
    let rolled_back = key.rolled_back.then(|| ", rolled back".to_owned());
    let remark: String = [reason, rolled_back, kept, activation]
        .into_iter()
        .flatten()
        .collect();
    let looked_up = match (&key.last_lookup, key.use_counts.looked_up) {
        (Some(last), times) => format!("    asked for {times}, last {last}\n"),
        (None, _) => String::new(),
    };
    let last = key
        .last_use
        .as_ref()
        .map(|last| format!(", last {last}"))
        .unwrap_or_default();
    format!(
        "\n  {fingerprint}\n    state     {state}{since}{remark}\n    subject   {subject}\n    issuer    {issuer}\n    \
         serial    {serial}\n    type      {key_type}\n    valid     {not_before} to {not_after}\n    \
         imported  {imported}\n    signed    {signed}{last}\n{looked_up}",
        fingerprint = key.fingerprint,
        state = key.state,
        subject = key.subject,
        issuer = key.issuer,
        serial = key.serial,
        key_type = key.key_type,
        not_before = key.validity.not_before,
        not_after = key.validity.not_after,
        imported = key.imported,
        signed = key.use_counts.signed,
    )
}

/// With the step that fits, where the alias is known.
pub(super) fn imported(alias: Option<&AliasView>, key: &KeyView, new: bool) -> String {
    let Some(alias) = alias else {
        return String::new(); // nobody asked for words
    };
    let (name, next) = (&alias.alias, next::step(alias, key));
    let KeyView {
        fingerprint,
        subject,
        state,
        ..
    } = key;
    let rolled_back = if key.rolled_back { ", rolled back" } else { "" };
    if new {
        format!("{name} has the new key {fingerprint} ({subject}); it is {state}.\n{next}")
    } else {
        format!("{name} knows this key already; it is {state}{rolled_back}, and nothing was changed.\n{next}")
    }
}

pub(super) fn activated(alias: &AliasView, key: &Fingerprint) -> String {
    let pending = alias
        .keys
        .iter()
        .find(|known| known.fingerprint == **key && known.state == "pending");
    match pending.map(|key| &key.activate_at) {
        Some(Some(at)) => format!("{}: {key} will be activated at {at}.\n", alias.alias),
        Some(None) => format!("{}: {key} will not be activated by itself.\n", alias.alias),
        None => switched(alias),
    }
}

/// Revoked, discarded or purged, and what signs now.
pub(super) fn withdrawn(alias: &AliasView, key: &Fingerprint) -> String {
    let state = alias.keys.iter().find(|known| known.fingerprint == **key);
    let state = state.map_or("discarded", |key| &key.state);
    format!("{}: {key} is {state}.\n{}", alias.alias, switched(alias))
}

pub(super) fn exported(certificate: &CertificateView, chain: bool) -> String {
    let issuers = certificate.chain.iter().filter(|_| chain);
    std::iter::once(&certificate.certificate)
        .chain(issuers)
        .map(String::as_str)
        .collect()
}

pub(super) fn switched(alias: &AliasView) -> String {
    signs(&alias.alias, alias.signs.as_ref()) + &unreviewed(alias)
}

/// Which key signs now: what every command says that may have changed it.
pub(in crate::cli) fn signs(alias: &str, key: Option<&SigningKeyView>) -> String {
    match key {
        None => format!("{alias} signs with no key: messages of its routes are refused.\n"),
        Some(SigningKeyView {
            fingerprint,
            subject,
            since,
        }) => {
            format!("{alias}: every new message is signed with {fingerprint} ({subject}), since {since}.\n")
        }
    }
}

fn or_none(keys: String) -> String {
    if keys.is_empty() {
        "  no keys\n".to_owned()
    } else {
        keys
    }
}

/// Of an RFC 3339 time.
fn day(time: &str) -> &str {
    time.split_once('T').map_or(time, |(day, _)| day)
}
