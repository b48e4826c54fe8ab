//! What can be asked of the keys of an alias, and what the answer depends on besides their states.

use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;

use super::{Drain, Hold, LinkHash, Reason, RenewalId, Schedule, Trigger};
use crate::keys::{Fingerprint, Signer};
use crate::spelling::vocabulary;

/// What can be asked of the keys of an alias.
#[derive(Clone)]
pub enum Command {
    /// Take this key in. A fingerprint that is known, in any state, changes nothing.
    Import {
        /// The key.
        signer: Arc<Signer>,
        /// Who brings it.
        origin: Origin,
        /// And then?
        then: AfterImport,
    },
    /// Take in what the alias's source has, as an event announced it, and begin its renewal where it waits.
    Announced {
        /// The key.
        signer: Arc<Signer>,
        /// And then?
        then: AfterImport,
        /// The renewal's name, where one begins.
        renewal: RenewalId,
        /// All whom it concerns.
        receivers: Vec<String>,
    },
    /// Sign with this pending key from now on. Of the active one: nothing to do.
    Activate {
        /// The key.
        fingerprint: Fingerprint,
        /// Only if this one is active now (compare-and-swap).
        replaces: Option<Fingerprint>,
        /// What asks for it. An event activates no key that was imported before the active one.
        trigger: Trigger,
        /// Also where the receivers trust one key, and are not known to have this one's certificate.
        unconfirmed: bool,
    },
    /// Sign with this pending key from a set time on.
    Schedule {
        /// The key.
        fingerprint: Fingerprint,
        /// When, and instead of which.
        schedule: Schedule,
        /// As of [`Self::Activate`].
        unconfirmed: bool,
    },
    /// Let the time that was set for this key pass.
    Unschedule {
        /// The key.
        fingerprint: Fingerprint,
    },
    /// One step back: the key displaced last signs again.
    Rollback {
        /// Only if this one is active now; needed directly after another step back, which it would undo.
        replaces: Option<Fingerprint>,
    },
    /// Trust this key no more: it only decrypts from now on.
    Revoke {
        /// The key.
        fingerprint: Fingerprint,
        /// For log and audit.
        reason: Reason,
        /// Of the active key: and then? Of another one there is nothing to say.
        replacement: Option<Replacement>,
    },
    /// Drop this pending key.
    Discard {
        /// The key.
        fingerprint: Fingerprint,
    },
    /// Destroy this key's private half.
    Purge {
        /// The key.
        fingerprint: Fingerprint,
        /// Others know the private half of this revoked key, so there is nothing left to wait for.
        compromised: bool,
    },
    /// The settings may have changed.
    Configure,
    /// Do what is due.
    Timer,
    /// Tell what an operator has to know in time.
    GiveNotice,
    /// Bring the exchange of a key on.
    Renewal(RenewalCommand),
}

impl Command {
    /// Nobody decided it but a receiver, by its answer.
    pub(in crate::keys) const fn is_a_receivers(&self) -> bool {
        matches!(self, Self::Renewal(RenewalCommand::Accepted { .. }))
    }
}

/// What can be asked of the renewal of an alias.
#[derive(Clone)]
pub enum RenewalCommand {
    /// Exchange the active key for this pending one.
    Start {
        /// The renewal's name, where one begins.
        id: RenewalId,
        /// Which; the only pending one, where none is named.
        key: Option<Fingerprint>,
        /// All whom it concerns.
        receivers: Vec<String>,
    },
    /// The certificate was handed over.
    Publish {
        /// Which renewal.
        renewal: RenewalId,
    },
    /// A receiver's administrator can confirm by this link from now on, and by no earlier one.
    Link {
        /// Which renewal.
        renewal: RenewalId,
        /// Whose.
        receiver: String,
        /// Of the link's token.
        hash: LinkHash,
    },
    /// A receiver has the new certificate.
    Confirm {
        /// Which renewal.
        renewal: RenewalId,
        /// Which receiver.
        receiver: String,
        /// The link that says so, which is spent by it.
        link: Option<LinkHash>,
    },
    /// The receivers have removed the old certificate.
    Complete {
        /// Which renewal.
        renewal: RenewalId,
    },
    /// Give up. Where messages wait for the new key to be confirmed, the key before it signs again.
    Abort {
        /// Which renewal.
        renewal: RenewalId,
        /// The key before the new one signs again in any case.
        back: bool,
    },
    /// Let new messages wait while those under way come to their end.
    Hold {
        /// The renewal's name, where one begins: of the only pending key.
        id: RenewalId,
        /// All whom it concerns, where one begins.
        receivers: Vec<String>,
    },
    /// The same for this renewal. Only if it goes on still.
    HoldFor {
        /// Which.
        renewal: RenewalId,
    },
    /// Nothing is under way any more. Only if it is this drain still.
    Drained(Drain),
    /// Let the messages go on their way with the old key: the new one cannot be activated.
    GiveUpHold {
        /// At whose end that showed. Only if it goes on still.
        drain: Drain,
        /// Why.
        reason: String,
    },
    /// Tell that it ends soon. Only if it goes on still.
    HoldEnds {
        /// Which.
        hold: Hold,
        /// When, if nobody acts before.
        at: OffsetDateTime,
    },
    /// It has lasted for too long. Only if it goes on still.
    HoldOver(Hold),
    /// Refuse those that wait and those that come, until somebody acts. Only if it goes on still.
    RefuseHeld {
        /// Which.
        hold: Hold,
        /// Why not back to the key before.
        reason: String,
    },
    /// Let the messages go on their way with the new key.
    Resume,
    /// The same for this renewal. Only if it goes on still.
    ResumeFor {
        /// Which.
        renewal: RenewalId,
    },
    /// The receiver has accepted a message that was sent ahead to find out.
    ProbeAccepted {
        /// What signed it. Only if messages are held for this key still.
        key: Fingerprint,
        /// Which receiver.
        receiver: String,
    },
    /// A receiver that refused the active key has accepted the candidate.
    Accepted {
        /// The renewal's name, where one begins.
        id: RenewalId,
        /// What it accepted. Only if this is the candidate still.
        key: Fingerprint,
        /// What it refused. Only if this is the active key still.
        replaces: Fingerprint,
        /// Which receiver.
        receiver: String,
    },
}

vocabulary! {
    /// By which procedure an alias exchanges its key.
    pub enum Strategy {
        /// The receivers trust old and new at the same time.
        PrePublish = "pre-publish",
        /// Messages are held while the receiver exchanges its certificate.
        Hold = "hold",
        /// The receiver's refusal of one key leads to the other.
        ReceiverLed = "receiver-led",
    }
}

vocabulary! {
    /// What becomes of a hold that has lasted for too long.
    pub enum AfterHold {
        /// The key before signs again, and the messages go on their way.
        Back = "back",
        /// Messages are refused until somebody acts.
        Refuse = "refuse",
    }
}

/// For how long messages may be held, and then?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HoldLimit {
    /// From when the receiver may switch; and those under way may take as long to come to their end.
    pub most: Duration,
    /// And then?
    pub then: AfterHold,
}

impl Default for HoldLimit {
    fn default() -> Self {
        Self {
            most: MOST_HELD,
            then: AfterHold::Back,
        }
    }
}

/// A certificate is exchanged in minutes, or something is wrong.
pub const MOST_HELD: Duration = Duration::from_secs(15 * 60);

/// Who brings a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The alias's source, again and again. It does not bring back what was discarded.
    Source,
    /// Somebody, on purpose.
    Command,
}

/// Does an imported key sign at once? One that is not valid yet does so when it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterImport {
    /// No.
    StayPending,
    /// If there is no active key that it would displace.
    ActivateIfNone,
    /// Yes.
    Activate,
}

/// What becomes of an alias whose active key is revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replacement {
    /// This pending or retired key signs.
    Successor(Fingerprint),
    /// Nothing signs; messages are refused.
    Stop,
}

/// What the configuration says about an alias's keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// For how long a key is kept after it was displaced.
    pub retention: Duration,
    /// A pending key is activated a day before the active one expires, where the receivers trust both.
    pub before_expiry: bool,
    /// By which procedure keys are exchanged.
    pub strategy: Strategy,
    /// For how long after an activation no receiver's answer leads to another one.
    pub settle: Duration,
    /// For how long messages are held.
    pub hold: HoldLimit,
}

/// What SAP keeps old keys for, and the least here.
pub const LEAST_RETENTION: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// For how long the nodes behind a load balancer may take to exchange a certificate.
pub const SETTLE: Duration = Duration::from_secs(30);

impl Default for Policy {
    fn default() -> Self {
        Self {
            retention: LEAST_RETENTION,
            before_expiry: false,
            strategy: Strategy::PrePublish,
            settle: SETTLE,
            hold: HoldLimit::default(),
        }
    }
}

/// All that the steps of a renewal depend on besides its state.
#[derive(Clone, Copy)]
pub(super) struct Circumstances<'a> {
    pub(super) policy: &'a Policy,
    pub(super) moment: Moment,
    /// Who acts, as the audit has it.
    pub(super) by: &'a str,
}

/// The time, as the wall shows it, and as it was shown at the latest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// By the wall clock.
    pub now: OffsetDateTime,
    /// The later one of `now` and the last record of the audit. Where the clock was put back, retention and expiry go
    /// by this, so that no date is brought forward and none is missed.
    pub latest: OffsetDateTime,
}

impl Moment {
    /// `now`, when the last record of the audit is of `recorded`.
    #[must_use]
    pub fn new(now: OffsetDateTime, recorded: OffsetDateTime) -> Self {
        Self {
            now,
            latest: now.max(recorded),
        }
    }
}
