//! What operators are told of tokens: counted here, where it happens.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// How a token is, and what happened to it since the process started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenFact {
    /// The library that speaks to it.
    pub module: PathBuf,
    /// As the configuration names it.
    pub token: String,
    /// It was well when it was asked last.
    pub usable: bool,
    /// How often its module was started again.
    pub restarts: u64,
    /// Calls that got no answer in time.
    pub hung: u64,
    /// Signatures that did not verify; none of them left.
    pub wrong_signatures: u64,
}

/// All tokens that were named since the process started.
#[must_use]
pub fn facts() -> Vec<TokenFact> {
    super::token::Token::facts()
}

/// Of one token.
#[derive(Default)]
pub(super) struct Counts {
    starts: AtomicU64,
    hung: AtomicU64,
    wrong_signatures: AtomicU64,
}

impl Counts {
    pub(super) fn started(&self) {
        self.starts.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn hung(&self) {
        self.hung.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn signed_wrongly(&self) {
        self.wrong_signatures.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn fact(&self, module: &Path, token: String, usable: bool) -> TokenFact {
        TokenFact {
            module: module.to_owned(),
            token,
            usable,
            restarts: self.starts.load(Ordering::Relaxed).saturating_sub(1),
            hung: self.hung.load(Ordering::Relaxed),
            wrong_signatures: self.wrong_signatures.load(Ordering::Relaxed),
        }
    }
}
