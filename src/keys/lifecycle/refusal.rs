//! Commands that a state does not allow. Each sentence says why, and what to do instead.

use time::OffsetDateTime;

use super::{RenewalId, Step, Strategy};
use crate::clock::rfc3339;
use crate::keys::Fingerprint;
use crate::keys::material::NotValid;

/// A command that the state does not allow; nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No such key.
    #[error("there is no key {0} under this alias; import it first")]
    UnknownKey(Fingerprint),
    /// A certificate of its own does not make another key of it.
    #[error(
        "the key pair of this certificate is that of key {0}, which is revoked or purged: it never signs again, whatever its \
         certificate; generate a new key"
    )]
    KeyPairIsGone(Fingerprint),
    /// Not pending but active.
    #[error("key {0} is the active one already; there is nothing to set a time for")]
    ActiveAlready(Fingerprint),
    /// Not pending but retired.
    #[error("key {0} is retired: use rollback, which goes back one step")]
    Retired(Fingerprint),
    /// The key before it took its place again.
    #[error(
        "key {0} was rolled back: begin its renewal again with `countersign renewal start ALIAS --key {0}`, or go forward \
         to it with rollback and `replaces`"
    )]
    RolledBack(Fingerprint),
    /// A step back would undo the one before it.
    #[error(
        "key {active} signs since the last step back, and another one would go forward to {forward}, which was left then: \
         where that is meant, say which key it leaves (`replaces`, `--replaces` on the command line: {active})"
    )]
    RolledBackAlready {
        /// Signs.
        active: Fingerprint,
        /// Was rolled back.
        forward: Fingerprint,
    },
    /// The receivers would refuse what it signs.
    #[error("{}", unconfirmed(.key, *.strategy, .renewal.as_ref()))]
    Unconfirmed {
        /// The key.
        key: Fingerprint,
        /// Of its alias.
        strategy: Strategy,
        /// Its renewal, if one goes on.
        renewal: Option<RenewalId>,
    },
    /// Its time is over.
    #[error("{} has passed: it is {} here; set a time to come, or leave `at` out to switch now", rfc3339(*.at), rfc3339(*.now))]
    TimePassed {
        /// Asked for.
        at: OffsetDateTime,
        /// By our clock.
        now: OffsetDateTime,
    },
    /// It was to be the first one.
    #[error("key {0} signs by now")]
    NotFirst(Fingerprint),
    /// Its new key signs, and some receivers may have exchanged their certificates.
    #[error(
        "renewal {renewal} cannot be given up without saying which key is to sign: its key {key} does now, and receivers may \
         have exchanged their certificates. Keep it with `countersign renewal complete {renewal}`, or go back to {} with \
         `countersign renewal abort {renewal} --back`", old_key(.before.as_ref())
    )]
    AbortsEitherWay {
        /// Which.
        renewal: RenewalId,
        /// Its key, which signs.
        key: Fingerprint,
        /// The key that it displaced.
        before: Option<Fingerprint>,
    },
    /// A receiver has exchanged its certificate, and refuses the key that signs.
    #[error(
        "renewal {renewal} cannot be given up without saying which key is to sign: {} has confirmed the new certificate. \
         Switch to its key with `countersign keys activate ALIAS {key}`, or stay with the key that signs now by `countersign \
         renewal abort {renewal} --back`", receivers(.confirmed)
    )]
    AbortsConfirmed {
        /// Which.
        renewal: RenewalId,
        /// Its key.
        key: Fingerprint,
        /// Those that have it.
        confirmed: Vec<String>,
    },
    /// There is no key before the new one that may sign.
    #[error(
        "renewal {renewal} leads back to no key: {}; complete it, activate another key, or revoke its key with `stop`",
        no_way_back(.before.as_ref())
    )]
    NoWayBack {
        /// Which.
        renewal: RenewalId,
        /// What it displaced, and its state.
        before: Option<(Fingerprint, &'static str)>,
    },
    /// It never signs again.
    #[error("key {0} is revoked and never signs again: activate another key")]
    Revoked(Fingerprint),
    /// It has no private half.
    #[error("key {0} is purged, its private key is gone: activate another key")]
    Purged(Fingerprint),
    /// The active key is another than `replaces` says.
    #[error("{}", not_active(.expected, .active.as_ref()))]
    NotActive {
        /// Named by `replaces`.
        expected: Fingerprint,
        /// What is.
        active: Option<Fingerprint>,
    },
    /// No key has been displaced.
    #[error("no key is retired under this alias, so there is none to go back to")]
    NothingRetired,
    /// Outside its certificate's validity.
    #[error("key {fingerprint} cannot sign now: its certificate {reason}{}", wait(.reason))]
    NotValid {
        /// The key.
        fingerprint: Fingerprint,
        /// Why.
        reason: NotValid,
    },
    /// Outside its certificate's validity at the time that was set.
    #[error("key {fingerprint} could not sign at {}: its certificate {reason}; set another time", rfc3339(*.at))]
    NotValidThen {
        /// The key.
        fingerprint: Fingerprint,
        /// The time.
        at: OffsetDateTime,
        /// Why.
        reason: NotValid,
    },
    /// Automation never goes back.
    #[error(
        "key {fingerprint} was imported before the active key {active}: no event and no timer activates it; \
         a command does"
    )]
    Older {
        /// The key.
        fingerprint: Fingerprint,
        /// The one that it would displace.
        active: Fingerprint,
    },
    /// There is no time set.
    #[error("no time is set for key {0}, so there is nothing to cancel")]
    NotScheduled(Fingerprint),
    /// It signs.
    #[error(
        "key {0} is the active one: name the successor that signs instead, or say `stop`, after which messages of its \
         alias's routes are refused"
    )]
    SuccessorNeeded(Fingerprint),
    /// Its key pair signs, under another certificate.
    #[error(
        "key {active}, which signs, has the key pair of {key}, and is revoked with it: name the successor that signs \
         instead, or say `stop`, after which messages of its alias's routes are refused"
    )]
    PairSigns {
        /// To be revoked.
        key: Fingerprint,
        /// Of the same pair; it signs.
        active: Fingerprint,
    },
    /// It is revoked with the other one.
    #[error(
        "key {0} has the key pair that is to be revoked: name a successor with another one, or say `stop`"
    )]
    SamePair(Fingerprint),
    /// It does not sign.
    #[error("key {fingerprint} is {state}, so nothing is to replace it: leave `successor` and `stop` out")]
    SuccessorNotNeeded {
        /// The key.
        fingerprint: Fingerprint,
        /// Its state's name.
        state: &'static str,
    },
    /// A key cannot follow itself.
    #[error("key {0} cannot be its own successor: name another key")]
    OwnSuccessor(Fingerprint),
    /// Only a pending key can be.
    #[error("{}", not_discardable(.fingerprint, .state))]
    NotDiscardable {
        /// The key.
        fingerprint: Fingerprint,
        /// Its state's name.
        state: &'static str,
    },
    /// Only a retired or revoked key can be.
    #[error("{}", not_purgeable(.fingerprint, .state))]
    NotPurgeable {
        /// The key.
        fingerprint: Fingerprint,
        /// Its state's name.
        state: &'static str,
    },
    /// Its retention is not over.
    #[error(
        "key {fingerprint} is kept until {}: until then others may refer to it; purge it after that, or, if others know its \
         private key, {}", rfc3339(*.until), way_round(*.revoked)
    )]
    Kept {
        /// The key.
        fingerprint: Fingerprint,
        /// The first instant at which it may be purged.
        until: OffsetDateTime,
        /// It may be purged early, then.
        revoked: bool,
    },
    /// Messages under way count on the active key.
    #[error(
        "messages of this alias are being held and those under way drain: nothing is switched until they have; wait for \
         that, or abort the renewal"
    )]
    Draining,
    /// Messages wait for the receiver.
    #[error("messages of this alias are held: resume first, or abort the renewal")]
    Holding,
    /// The alias holds no messages.
    #[error("the alias's strategy is {0}, which holds no messages: set strategy = \"hold\"")]
    NotHoldStrategy(Strategy),
    /// A receiver that trusts one key cannot have exchanged it yet.
    #[error(
        "the receiver cannot have exchanged its certificate yet: hold the messages first, and confirm when the renewal says \
         that it may switch"
    )]
    NotHeld,
    /// There is no key to exchange for.
    #[error("no key is pending under this alias: import or generate the new one first")]
    NothingPending,
    /// It is not said which.
    #[error("several keys are pending under this alias ({}): name the one, or discard the others", list(.0))]
    SeveralPending(Vec<Fingerprint>),
    /// One renewal at a time.
    #[error(
        "renewal {renewal} goes on under this alias, to key {key}: bring it to its end, as `countersign renewal show \
         {renewal}` says, or abort it"
    )]
    RenewalOpen {
        /// Which.
        renewal: RenewalId,
        /// Its key.
        key: Fingerprint,
    },
    /// No such renewal.
    #[error("there is no renewal {0} under this alias; see `countersign renewal show`")]
    UnknownRenewal(RenewalId),
    /// It has ended.
    #[error("renewal {renewal} is {step}: start another one")]
    RenewalOver {
        /// Which.
        renewal: RenewalId,
        /// How.
        step: Step,
    },
    /// It does not concern this receiver.
    #[error("renewal {renewal} does not concern {receiver:?}; it concerns {}", receivers(.known))]
    UnknownReceiver {
        /// Which renewal.
        renewal: RenewalId,
        /// Asked for.
        receiver: String,
        /// Whom it concerns.
        known: Vec<String>,
    },
    /// The receivers cannot have removed the old certificate yet.
    #[error(
        "renewal {renewal} cannot be completed: its key {key} is not the active one; activate it, or abort the renewal"
    )]
    NotReplacedYet {
        /// Which.
        renewal: RenewalId,
        /// Its key.
        key: Fingerprint,
    },
    /// Once.
    #[error("this link was used already")]
    LinkSpent,
    /// Too late.
    #[error("this link was good until {}: ask for a new one", rfc3339(*.0))]
    LinkExpired(OffsetDateTime),
    /// There is another one now.
    #[error("this link was replaced by another one, or never made: ask for a new one")]
    LinkReplaced,
    /// Nobody says that it may be.
    #[error(
        "key {0} is retired, not revoked: to purge it early because others know its private key, revoke it first"
    )]
    NotRevoked(Fingerprint),
}

fn not_active(expected: &Fingerprint, active: Option<&Fingerprint>) -> String {
    match active {
        Some(active) => format!("the active key is {active}, not {expected}: look again before you switch"),
        None => format!("no key is active, so {expected} cannot be replaced: leave `replaces` out"),
    }
}

/// What to do about a certificate that is not valid.
fn wait(reason: &NotValid) -> String {
    match reason {
        NotValid::Early(begin) => format!("; have it activated then, with the time `at` {}", rfc3339(*begin)),
        NotValid::Expired(_) => String::new(),
    }
}

fn unconfirmed(key: &Fingerprint, strategy: Strategy, renewal: Option<&RenewalId>) -> String {
    let instead = match (strategy, renewal) {
        (Strategy::Hold, Some(renewal)) => {
            format!("hold the messages meanwhile, with `countersign renewal hold {renewal} --wait`")
        }
        (Strategy::Hold, None) => {
            "hold the messages meanwhile, with `countersign renewal hold ALIAS --wait`".to_owned()
        }
        (Strategy::ReceiverLed | Strategy::PrePublish, Some(_)) => {
            "do nothing: the proxy switches when the receiver refuses the key that signs now".to_owned()
        }
        (Strategy::ReceiverLed | Strategy::PrePublish, None) => {
            format!(
                "begin its renewal, with `countersign renewal start ALIAS --key {key}`: the proxy switches when the \
                     receiver refuses the key that signs now"
            )
        }
    };
    format!(
        "the receiver trusts one key, and is not known to have the certificate of {key}: it would refuse every message. \
         Rather {instead}; to activate the key all the same, say `unconfirmed` (`--unconfirmed` on the command line)"
    )
}

fn old_key(key: Option<&Fingerprint>) -> String {
    key.map_or_else(|| "the key before it".to_owned(), ToString::to_string)
}

fn no_way_back(before: Option<&(Fingerprint, &'static str)>) -> String {
    match before {
        Some((key, state)) => format!("key {key}, which signed before, is {state}"),
        None => "none signed before its own".to_owned(),
    }
}

fn list(keys: &[Fingerprint]) -> String {
    let keys: Vec<_> = keys.iter().map(|key| key.to_string()).collect();
    keys.join(", ")
}

fn receivers(known: &[String]) -> String {
    if known.is_empty() {
        "none".to_owned()
    } else {
        known.join(", ")
    }
}

fn not_discardable(fingerprint: &Fingerprint, state: &str) -> String {
    let instead = match state {
        "active" => "activate another key, and it is retired",
        "retired" => "purge it when its retention is over",
        "revoked" => "purge it",
        _ => "there is nothing left of it to discard",
    };
    format!("key {fingerprint} is {state}, and only a pending key can be discarded: {instead}")
}

fn not_purgeable(fingerprint: &Fingerprint, state: &str) -> String {
    let instead = match state {
        "active" => "activate another key first, and purge this one when its retention is over",
        _ => "discard it",
    };
    format!("key {fingerprint} is {state}, and only a retired or revoked key can be purged: {instead}")
}

const fn way_round(revoked: bool) -> &'static str {
    if revoked {
        "now with `compromised`"
    } else {
        "revoke it and purge it with `compromised`"
    }
}
