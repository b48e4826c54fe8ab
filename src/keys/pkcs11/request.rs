//! What can be asked of a module, and what it answers: the same words for one in this process and for one in a process
//! of its own. Names of tokens and keys are left to whoever asks.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use super::KeyUri;
use super::mechanism::Input;
use super::uri::TokenName;

/// What is asked. Sessions have numbers, which no two of one start share.
#[derive(Serialize, Deserialize)]
pub(super) enum Request {
    /// Load and initialise the module: the first one to a process.
    Start,
    /// Find the token and open a session.
    Open(TokenName),
    /// Log the user in. It counts for all sessions.
    LogIn { session: u64, pin: Secret },
    /// Work on a key. A session that fails is closed.
    Work { session: u64, uri: KeyUri, work: Work },
    /// Close these sessions.
    Close { sessions: Vec<u64> },
}

/// What is done with a key.
#[derive(Clone, Serialize, Deserialize)]
pub(super) enum Work {
    /// Tell what the token has of it, and its certificates.
    Look,
    Sign(Input),
}

/// What comes back.
#[derive(Serialize, Deserialize)]
pub(super) enum Answer {
    Done,
    Opened { session: u64, login: Login },
    Found(OnToken),
    Signature(Vec<u8>),
}

/// Whether a session has to log in, and what the token says of its PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Login {
    NotNeeded,
    Needed {
        locked: bool,
        last_try: bool,
        /// A wrong one came since the last right one.
        wrong_ones: bool,
    },
}

/// What a token has of a key.
#[derive(Serialize, Deserialize)]
pub(super) struct OnToken {
    /// Of the key; empty: it has none.
    pub(super) id: Vec<u8>,
    /// In DER; with the key's id or label first.
    pub(super) certificates: Vec<Vec<u8>>,
    /// So many of them.
    pub(super) named_as_the_key: usize,
}

/// Why it was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Problem {
    /// The library cannot be used.
    Module(String),
    /// The labels of those there are.
    NoToken(Vec<String>),
    SeveralTokens(usize),
    NoKey,
    SeveralKeys(usize),
    PinRefused,
    PinLocked,
    /// In the module's words.
    Lost(String),
    /// It is there and does not do this.
    Refused(String),
    /// No answer came in time.
    Hangs,
}

/// A PIN: cleared when it is dropped, and without `Debug`.
pub(super) struct Secret(pub(super) Zeroizing<String>);

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|pin| Self(Zeroizing::new(pin)))
    }
}
