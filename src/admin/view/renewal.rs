//! Renewals: how far each has come, and who is to do what next.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{OldKeyView, SigningKeyView};
use crate::clock::rfc3339;
use crate::keys::lifecycle::{Confirmation, Gate, Lifecycle, Renewal, Step, Taken, WaitsFor};
use crate::keys::{Fingerprint, Strategy};
use crate::metrics::HeldFact;
use crate::spelling::vocabulary;

/// The exchange of one key for another. Times are RFC 3339.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RenewalView {
    /// Its name.
    #[schema(pattern = "^r-[0-9a-f]{16}$")]
    pub id: String,
    /// Whose key is exchanged.
    pub alias: String,
    /// The new key: SHA-256 of its certificate in lower-case hex.
    pub key: String,
    /// pre-publish, hold or receiver-led.
    pub strategy: String,
    /// The furthest step: created, published, confirmed, activated, completed or aborted.
    pub step: String,
    /// Since when.
    #[schema(format = DateTime)]
    pub since: String,
    /// Neither completed nor aborted.
    pub open: bool,
    /// Its key has signed, and the one before it took its place again; the key can be the next renewal's once more.
    pub rolled_back: bool,
    /// The key that signs now, whichever that is; null: none does.
    pub signs: Option<SigningKeyView>,
    /// Whether messages go on their way.
    pub gate: GateView,
    /// Whose turn it is.
    pub waiting_for: WaitingForView,
    /// In the order in which they were taken.
    pub steps: Vec<StepView>,
    /// All whom it concerns.
    pub receivers: Vec<ConfirmationView>,
    /// The key that the new one displaced, and whether it is still needed; null before that.
    pub old_key: Option<OldKeyView>,
}

/// Whether messages go on their way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GateView {
    /// open, draining (new messages wait, those under way end), holding (the receiver may switch) or refusing (it has not in
    /// time, and messages are refused).
    pub state: String,
    /// Since when it is shut.
    #[schema(format = DateTime)]
    pub since: Option<String>,
    /// When a hold ends, if nobody acts before.
    #[schema(format = DateTime)]
    pub ends: Option<String>,
    /// How many wait: while it is shut, or because the receiver refuses both keys.
    pub messages: usize,
    /// Their bytes.
    pub bytes: usize,
}

/// Whose turn it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WaitingForView {
    /// operator, receivers, drain or nobody.
    pub who: String,
    /// Which receivers.
    pub receivers: Vec<String>,
    /// publish, hold, drain, exchange, confirm, activate, complete, start-again, abort or nothing.
    pub to: String,
    /// The same in words.
    pub sentence: String,
}

/// A step that was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StepView {
    /// Which.
    pub step: String,
    /// When.
    #[schema(format = DateTime)]
    pub at: String,
    /// By whom, as in the audit.
    pub by: String,
}

/// What a receiver has to say about the new key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConfirmationView {
    /// Scheme, host and port.
    pub receiver: String,
    /// Since when it is known to have the certificate; null: it is not.
    #[schema(format = DateTime)]
    pub confirmed: Option<String>,
    /// Who said so, as in the audit.
    pub by: Option<String>,
    /// Until when the link is good that was made for it last; null: there is none, or it was used.
    #[schema(format = DateTime)]
    pub link_expires: Option<String>,
}

/// Body of the command to start a renewal; optional.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StartRequest {
    /// The pending key; may be left out where there is only one.
    #[schema(pattern = "^[0-9A-Fa-f]{64}$")]
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub key: Option<String>,
}

/// Body of `publish`; optional.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PublishRequest {
    /// Hand out links once more: for those that were lost, or are too old. Earlier ones are good no more.
    #[serde(default)]
    pub new_links: bool,
}

/// Body of `confirm`; optional.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfirmRequest {
    /// Scheme, host and port of the receiver; may be left out where there is only one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub receiver: Option<String>,
}

/// Body of `abort`; optional.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AbortRequest {
    /// The key that signed before the new one does again, whatever receivers have confirmed.
    #[serde(default)]
    pub back: bool,
}

/// A renewal that was published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PublishedView {
    /// As it is now.
    pub renewal: RenewalView,
    /// For the receivers' administrators. They are secret, and told only here.
    pub links: Vec<LinkView>,
}

/// An address at which a receiver's administrator confirms, once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LinkView {
    /// Scheme, host and port.
    pub receiver: String,
    /// The address.
    pub url: String,
    /// It is good until then.
    #[schema(format = DateTime)]
    pub expires: String,
}

vocabulary! {
    /// What is to be done next.
    pub enum Duty {
        /// Hand the certificate over.
        Publish = "publish",
        /// Let messages wait, for the receiver to exchange its certificate.
        Hold = "hold",
        /// Wait for the end of what is under way.
        Drain = "drain",
        /// Exchange the certificate.
        Exchange = "exchange",
        /// Say that the certificate is there.
        Confirm = "confirm",
        /// Sign with the new key.
        Activate = "activate",
        /// Say that the old certificate is gone.
        Complete = "complete",
        /// Begin once more: its key was rolled back.
        StartAgain = "start-again",
        /// Give it up: another key signs.
        Abort = "abort",
        /// Nothing.
        Nothing = "nothing",
    }
}

impl RenewalView {
    pub(in crate::admin) fn of(
        alias: &str,
        renewal: &Renewal,
        keys: &Lifecycle,
        signs: Option<SigningKeyView>,
        gate: GateView,
        old_key: Option<OldKeyView>,
    ) -> Self {
        let (last, standing) = (renewal.steps.last(), Standing::of(renewal, keys));
        Self {
            id: renewal.id.to_string(),
            alias: alias.to_owned(),
            key: renewal.key().to_string(),
            strategy: renewal.strategy.to_string(),
            step: renewal.step().to_string(),
            since: last.map(|taken| rfc3339(taken.at)).unwrap_or_default(),
            open: renewal.is_open(),
            gate,
            rolled_back: standing == Standing::RolledBack,
            signs,
            waiting_for: WaitingForView::of(renewal, standing),
            steps: renewal.steps.iter().map(StepView::of).collect(),
            receivers: renewal.receivers.iter().map(ConfirmationView::of).collect(),
            old_key,
        }
    }
}

impl GateView {
    pub(in crate::admin) fn of(gate: Gate, held: Option<&HeldFact>) -> Self {
        Self {
            messages: held.map_or(0, |held| held.messages),
            bytes: held.map_or(0, |held| held.bytes),
            state: gate.name().to_owned(),
            since: gate.since().map(rfc3339),
            ends: held.and_then(|held| held.ends).map(rfc3339),
        }
    }
}

impl StepView {
    fn of(taken: &Taken) -> Self {
        Self {
            step: taken.step.to_string(),
            at: rfc3339(taken.at),
            by: taken.by.clone(),
        }
    }
}

impl ConfirmationView {
    fn of(confirmation: &Confirmation) -> Self {
        let confirmed = confirmation.confirmed.as_ref();
        Self {
            receiver: confirmation.receiver.clone(),
            confirmed: confirmed.map(|confirmed| rfc3339(confirmed.at)),
            by: confirmed.map(|confirmed| confirmed.by.clone()),
            link_expires: confirmation.link_expires().map(rfc3339),
        }
    }
}

impl WaitingForView {
    fn of(renewal: &Renewal, standing: Standing) -> Self {
        let waits_for = match standing {
            Standing::OnItsWay => renewal.waits_for(),
            Standing::RolledBack | Standing::Overtaken if renewal.is_open() => WaitsFor::Operator,
            Standing::RolledBack | Standing::Overtaken => WaitsFor::Nobody,
        };
        let duty = duty(renewal, &waits_for, standing);
        let (who, receivers) = match waits_for {
            WaitsFor::Operator => ("operator", Vec::new()),
            WaitsFor::Receivers(receivers) => ("receivers", receivers),
            WaitsFor::Drain => ("drain", Vec::new()),
            WaitsFor::Nobody => ("nobody", Vec::new()),
        };
        Self {
            sentence: sentence(duty, renewal.key(), &receivers),
            who: who.to_owned(),
            receivers,
            to: duty.to_string(),
        }
    }
}

/// Where the new key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// It signs, or is going to.
    OnItsWay,
    /// It signed, and the one before it took its place again.
    RolledBack,
    /// It signed, and another one does now.
    Overtaken,
}

impl Standing {
    fn of(renewal: &Renewal, keys: &Lifecycle) -> Self {
        let signs = keys
            .active()
            .is_some_and(|key| key.fingerprint() == renewal.key());
        if signs || !renewal.has_taken(Step::Activated) {
            return Self::OnItsWay;
        }
        match keys.key(renewal.key()) {
            Some(entry) if entry.state.is_rolled_back() => Self::RolledBack,
            _ => Self::Overtaken,
        }
    }
}

fn duty(renewal: &Renewal, waits_for: &WaitsFor, standing: Standing) -> Duty {
    let activated = renewal.has_taken(Step::Activated);
    let published = renewal.has_taken(Step::Published);
    match (waits_for, renewal.strategy, renewal.gate) {
        (WaitsFor::Nobody, ..) => Duty::Nothing,
        _ if standing == Standing::RolledBack => Duty::StartAgain,
        _ if standing == Standing::Overtaken => Duty::Abort,
        (WaitsFor::Drain, ..) => Duty::Drain,
        (WaitsFor::Receivers(_), _, Gate::Holding { .. }) => Duty::Exchange,
        (WaitsFor::Receivers(_), Strategy::ReceiverLed, _) if !activated => Duty::Exchange,
        (WaitsFor::Receivers(_), ..) => Duty::Confirm,
        (WaitsFor::Operator, ..) if activated => Duty::Complete,
        (WaitsFor::Operator, Strategy::PrePublish | Strategy::Hold, _) if !published => Duty::Publish,
        (WaitsFor::Operator, Strategy::Hold, _) => Duty::Hold,
        (WaitsFor::Operator, Strategy::PrePublish | Strategy::ReceiverLed, _) => Duty::Activate,
    }
}

fn sentence(duty: Duty, key: &Fingerprint, receivers: &[String]) -> String {
    let (key, receivers) = (key.short(), receivers.join(", "));
    match duty {
        Duty::Publish => "an operator, to hand the new certificate over".to_owned(),
        Duty::Hold => "an operator, or the receiver by its link, to begin holding messages".to_owned(),
        Duty::Drain => "messages under way, to come to their end".to_owned(),
        Duty::Exchange => format!("{receivers}, to exchange the certificate"),
        Duty::Confirm => format!("{receivers}, to confirm having the new certificate"),
        Duty::Activate => format!("an operator, to activate the key {key}"),
        Duty::Complete => {
            "an operator, to complete it once the receivers have removed the old certificate".to_owned()
        }
        Duty::StartAgain => format!(
            "an operator, to start it again once the receivers are ready, or to abort it; its key {key} was rolled back"
        ),
        Duty::Abort => "an operator, to abort it; another key signs".to_owned(),
        Duty::Nothing => "nobody; it is over".to_owned(),
    }
}
