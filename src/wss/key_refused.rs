//! Which faults of a receiver say "key not accepted, message not processed": a route's `key_refused`.
//!
//! There is no default, because the same code means different things with different stacks. The named sets are what is
//! known of some; whatever is configured, [`excluded`] has the last word.

mod suggestion;

pub use suggestion::{NoneSafe, suggest};

use super::SoapVersion;
use super::fault::{Code, Fault, folded};
use super::names::WSSE;
use crate::spelling::vocabulary;

/// What the demo receiver says first of every message whose key is the reason.
pub const KEY_NOT_TRUSTED: &str = "the signing key is not trusted";

vocabulary! {
    /// Faults that stacks are known to refuse a key with; which versions, and how it is known, says `OPERATING.md`.
    pub enum NamedSet {
        /// Apache CXF's DOM interceptors.
        Cxf = "cxf",
        /// The same with `ws-security.return.security.error`.
        CxfDetailed = "cxf-detailed",
        /// Spring-WS.
        SpringWs = "spring-ws",
        /// .NET Framework and CoreWCF, in English.
        Wcf = "wcf",
        /// Axis2 Rampart, WSO2.
        Rampart = "rampart",
        /// The demo receiver.
        Countersign = "countersign",
    }
}

/// A fault that says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// SOAP 1.1: its code. SOAP 1.2: the code of its own namespace, or any Subcode.
    pub code: Code,
    /// Stands in one of its texts; white space folded. `None`: whatever they say.
    pub text: Option<String>,
}

/// One element of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusals {
    /// By name.
    Set(NamedSet),
    /// A route's own.
    Own(Entry),
}

/// A route's `key_refused`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyRefused(pub Vec<Refusals>);

impl KeyRefused {
    /// Nothing was configured: no fault says it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the fault says that the key was not accepted and the message was not processed.
    #[must_use]
    pub fn says(&self, fault: &Fault) -> bool {
        excluded(fault).is_none() && self.0.iter().any(|refusals| refusals.names(fault))
    }
}

impl Refusals {
    /// Whether the fault is one of these, but for what never counts.
    #[must_use]
    pub fn names(&self, fault: &Fault) -> bool {
        match self {
            Self::Set(set) => set.entries().iter().any(|entry| entry.names(fault)),
            Self::Own(entry) => entry.names(fault),
        }
    }
}

impl NamedSet {
    /// The faults.
    #[must_use]
    pub fn entries(self) -> Vec<Entry> {
        let wsse = |local, text| vec![Entry::new(WSSE, local, text)];
        match self {
            Self::Cxf => vec![Entry::new(
                "http://ws.apache.org/wss4j",
                "SecurityError",
                "A security error was encountered when verifying the message",
            )],
            Self::CxfDetailed | Self::SpringWs => ["Client", "Sender"]
                .map(|code| Entry {
                    code: Code::Soap(code.to_owned()),
                    text: Some("Error during certificate path validation".to_owned()),
                })
                .into(),
            Self::Wcf => wsse(
                "FailedAuthentication",
                "At least one security token in the message could not be validated",
            ),
            Self::Rampart => wsse(
                "InvalidSecurity",
                "The certificate used for the signature is not trusted",
            ),
            Self::Countersign => wsse("FailedCheck", KEY_NOT_TRUSTED),
        }
    }
}

impl Entry {
    fn new(namespace: &str, local: &str, text: &str) -> Self {
        Self {
            code: Code::Other {
                namespace: namespace.to_owned(),
                local: local.to_owned(),
            },
            text: Some(text.to_owned()),
        }
    }

    fn names(&self, fault: &Fault) -> bool {
        let said = |text: &str| fault.texts.iter().any(|own| own.contains(text));
        self.is_of(fault) && self.text.as_deref().is_none_or(|text| said(&folded(text)))
    }

    fn is_of(&self, fault: &Fault) -> bool {
        let subcodes = match fault.version {
            SoapVersion::Soap11 => 0,
            SoapVersion::Soap12 => 1,
        };
        match &self.code {
            Code::Soap(_) => fault.codes.first() == Some(&self.code),
            Code::Other { .. } => fault.codes.iter().skip(subcodes).any(|code| *code == self.code),
            Code::Unresolved(_) => false,
        }
    }

    /// Why it could never count, whatever the rest of the fault says.
    #[must_use]
    pub fn excluded(&self) -> Option<Excluded> {
        excluded(&Fault {
            version: SoapVersion::Soap11,
            codes: vec![self.code.clone()],
            texts: self.text.iter().map(|text| folded(text)).collect(),
            secured: false,
        })
    }
}

vocabulary! {
    /// Why a fault never says that the key was not accepted, whatever is configured.
    pub enum Excluded {
        /// A message that may have been processed before: it must not be sent again.
        Replay = "its text names a replay, a nonce or a duplicate",
        /// Another key cannot help.
        Expired = "it says that the message has expired",
        /// A refusal is unsecured: the receiver had come further.
        Secured = "it carries a wsse:Security header, which a refusal does not",
    }
}

/// Why the fault never counts, if it does not.
#[must_use]
pub fn excluded(fault: &Fault) -> Option<Excluded> {
    const AGAIN: [&str; 3] = ["replay", "nonce", "duplicate"];
    let names = |text: &str, words: &[&str]| {
        let text = text.to_lowercase();
        words.iter().any(|word| text.contains(word))
    };
    let mut codes = fault.codes.iter().map(Code::local);
    let texts = fault.texts.iter().map(String::as_str);
    if fault.secured {
        Some(Excluded::Secured)
    } else if texts.chain(codes.clone()).any(|said| names(said, &AGAIN)) {
        Some(Excluded::Replay)
    } else {
        codes
            .any(|code| names(code, &["messageexpired"]))
            .then_some(Excluded::Expired)
    }
}
