//! What would break, before the switch.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{OldKeyView, ProbeView};
use crate::spelling::vocabulary;

/// What is to be expected of a switch to a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PreflightView {
    /// The signing identity.
    pub alias: String,
    /// The key: SHA-256 of its certificate in lower-case hex.
    pub key: String,
    /// The key that signs now.
    pub active: Option<String>,
    /// There is no error among the findings.
    pub passed: bool,
    /// Errors first.
    pub findings: Vec<FindingView>,
    /// All that signs with the alias.
    pub routes: Vec<ConcernedRouteView>,
    /// Messages that the active key has signed.
    pub signed: u64,
    /// When the last one was.
    #[schema(format = DateTime)]
    pub last_use: Option<String>,
    /// The keys that sign no more, and whether they are still needed.
    pub old_keys: Vec<OldKeyView>,
}

/// Something that would break, or that one should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FindingView {
    /// What was looked at: state, validity, key-usage, algorithm, key-identifier, chain, issuer, subject, trial-signature,
    /// clock, key-refused, pending, confirmation or routes.
    pub check: String,
    /// error: messages would be refused, or the switch is; warning: they may be; info: it is not as before.
    pub severity: String,
    /// What is so.
    pub sentence: String,
    /// What to do.
    pub remedy: String,
    /// The routes that it concerns.
    pub routes: Vec<String>,
}

/// A route that signs with the alias, and what goes there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConcernedRouteView {
    /// Its name.
    pub name: String,
    /// Scheme, host and port of the receiver.
    pub receiver: String,
    /// The profile.
    pub profile: String,
    /// Since the proxy was started.
    pub requests: u64,
    /// The last one; null: none since then.
    #[schema(format = DateTime)]
    pub last_request: Option<String>,
    /// What the probe said; null: nothing was sent.
    pub probe: Option<ProbeView>,
    /// Why the probe said nothing.
    pub probe_error: Option<String>,
}

vocabulary! {
    /// How bad it is.
    pub enum Severity {
        /// Messages would be refused, or the switch is.
        Error = "error",
        /// They may be.
        Warning = "warning",
        /// It is not as before.
        Info = "info",
    }
}

vocabulary! {
    /// What is looked at.
    pub enum Check {
        /// Whether the key can be activated.
        State = "state",
        /// First and last instant.
        Validity = "validity",
        /// Whether the certificate permits signatures.
        KeyUsage = "key-usage",
        /// By which messages are signed.
        Algorithm = "algorithm",
        /// By which receivers find the certificate.
        KeyIdentifier = "key-identifier",
        /// Whether it leads to a root.
        Chain = "chain",
        /// Who issued the certificate.
        Issuer = "issuer",
        /// Whose certificate it is.
        Subject = "subject",
        /// A message that nobody gets, signed and verified.
        TrialSignature = "trial-signature",
        /// The receivers' clocks.
        Clock = "clock",
        /// How the receivers' refusals are told.
        KeyRefused = "key-refused",
        /// Other pending keys.
        Pending = "pending",
        /// Receivers that have not confirmed.
        Confirmation = "confirmation",
        /// What signs with the alias.
        Routes = "routes",
    }
}
