//! The words of the audit for everything that happens. Others search for them: they do not change.

use time::OffsetDateTime;

use super::PUBLIC_KEY;
use crate::clock::rfc3339;
use crate::keys::lifecycle::{Event, RenewalNews};

type Description = (&'static str, Vec<(&'static str, String)>);

/// What happened, and what else there is to say, by name.
pub(in crate::keys) fn describe(event: &Event) -> Description {
    match event {
        Event::KeyImported { certificate } => (
            "key-imported",
            vec![("subject", certificate.subject().to_owned())],
        ),
        Event::ActivationScheduled { at, replaces, .. } => {
            let replaces = replaces.iter().map(|replaces| ("replaces", replaces.to_string()));
            let at = ("activate_at", rfc3339(*at));
            ("activation-scheduled", [at].into_iter().chain(replaces).collect())
        }
        Event::ActivationCancelled { reason, .. } => {
            ("activation-cancelled", vec![("reason", reason.clone())])
        }
        Event::KeyActivated { trigger, .. } => ("key-activated", vec![("trigger", trigger.to_string())]),
        Event::KeyRetired {
            kept_until,
            rolled_back,
            ..
        } => {
            let rolled_back = ("rolled_back", rolled_back.to_string());
            ("key-retired", [kept(*kept_until), vec![rolled_back]].concat())
        }
        Event::RetentionExtended { kept_until, .. } => ("retention-extended", kept(*kept_until)),
        Event::KeyRevoked {
            certificate,
            reason,
            stopped,
            kept_until,
        } => {
            let detail = [
                ("kept_until", rfc3339(*kept_until)),
                (PUBLIC_KEY, certificate.public_key_fingerprint().to_string()),
                ("reason", reason.to_string()),
                ("stopped", stopped.to_string()),
            ];
            ("key-revoked", detail.to_vec())
        }
        Event::KeyDiscarded { .. } => ("key-discarded", Vec::new()),
        Event::KeyPurged { compromised, .. } => {
            ("key-purged", vec![("compromised", compromised.to_string())])
        }
        Event::ActivatedUnconfirmed { receivers, .. } => (
            "key-activated-unconfirmed",
            vec![("receivers", receivers.join(", "))],
        ),
        Event::KeyExpiring { certificate, notice } => {
            let expiry = ("not_after", rfc3339(certificate.not_after()));
            ("key-expiring", vec![("within", notice.to_string()), expiry])
        }
        Event::KeyPurgeable { .. } => ("key-purgeable", Vec::new()),
        Event::Renewal { renewal, news, .. } => {
            let (what, mut detail) = describe_renewal(news);
            detail.push(("renewal", renewal.to_string()));
            (what, detail)
        }
    }
}

fn kept(until: OffsetDateTime) -> Vec<(&'static str, String)> {
    vec![("kept_until", rfc3339(until))]
}

fn describe_renewal(news: &RenewalNews) -> Description {
    match news {
        RenewalNews::Started => ("renewal-started", Vec::new()),
        RenewalNews::Published => ("renewal-published", Vec::new()),
        RenewalNews::LinkMade { receiver, expires } => (
            "renewal-link-made",
            vec![("receiver", receiver.clone()), ("expires", rfc3339(*expires))],
        ),
        RenewalNews::Confirmed { receiver, all } => (
            "renewal-confirmed",
            vec![("receiver", receiver.clone()), ("all", all.to_string())],
        ),
        RenewalNews::Activated => ("renewal-activated", Vec::new()),
        RenewalNews::Completed => ("renewal-completed", Vec::new()),
        RenewalNews::Aborted { reason } => ("renewal-aborted", vec![("reason", reason.clone())]),
        RenewalNews::HoldStarted => ("hold-started", Vec::new()),
        RenewalNews::MaySwitch => ("hold-may-switch", Vec::new()),
        RenewalNews::HoldEnds { at, then } => (
            "hold-ends",
            vec![("at", rfc3339(*at)), ("then", then.to_string())],
        ),
        RenewalNews::HoldRefuses { reason } => ("hold-refuses", vec![("reason", reason.clone())]),
        RenewalNews::HoldEnded { reason } => ("hold-ended", vec![("reason", reason.clone())]),
    }
}
