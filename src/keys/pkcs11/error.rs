//! What is wrong with a token, in words for whoever runs it. No PIN is ever in them.

use std::path::PathBuf;

/// A token gave no key or no signature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The library cannot be used.
    #[error("the PKCS#11 module {} cannot be used: {problem}; install it, or correct `module`", module.display())]
    Module {
        /// The library.
        module: PathBuf,
        /// Why.
        problem: String,
    },
    /// No such token.
    #[error("there is no token {token}, {}; insert it, or correct `uri`", others(.known))]
    NoToken {
        /// Asked for.
        token: String,
        /// Labels of those there are.
        known: Vec<String>,
    },
    /// More than one.
    #[error("{count} tokens are {token}; name one of them by its `serial` in `uri`")]
    SeveralTokens {
        /// Asked for.
        token: String,
        /// There are as many.
        count: usize,
    },
    /// Not readable.
    #[error("the PIN of token {token} cannot be read: {problem}")]
    PinFile {
        /// The token.
        token: String,
        /// Names the file.
        problem: String,
    },
    /// The wrong PIN. It is not tried again.
    #[error(
        "token {token} refused the PIN in {}: put the right one there. It is not tried again before the file changes, \
         since wrong ones lock a token", file.display()
    )]
    WrongPin {
        /// The token.
        token: String,
        /// Holds the PIN.
        file: PathBuf,
    },
    /// One wrong PIN is left.
    #[error(
        "token {token} would be locked by one more wrong PIN, so none is tried: log in once with the tools of its maker"
    )]
    LastTry {
        /// The token.
        token: String,
    },
    /// No PIN is of use.
    #[error("the PIN of token {token} is locked: unlock it with the tools of its maker")]
    Locked {
        /// The token.
        token: String,
    },
    /// No such key.
    #[error("token {token} has no private key that is {key}; correct `uri`")]
    NoKey {
        /// The token.
        token: String,
        /// As the URI names it.
        key: String,
    },
    /// More than one key.
    #[error("{count} private keys on token {token} are {key}; name one by its `id` in `uri`")]
    SeveralKeys {
        /// The token.
        token: String,
        /// As the URI names them.
        key: String,
        /// There are as many.
        count: usize,
    },
    /// Nothing to show to receivers.
    #[error(
        "no certificate on token {token} belongs to the private key that is {key}; store it there under the same id, or \
         name its file as `certificate` beside `pkcs11`"
    )]
    NoCertificate {
        /// The token.
        token: String,
        /// As the URI names it.
        key: String,
    },
    /// None of those in the file.
    #[error("no certificate in {} belongs to the private key on token {token} that is {key}", file.display())]
    OtherCertificates {
        /// The file.
        file: PathBuf,
        /// The token.
        token: String,
        /// As the URI names it.
        key: String,
    },
    /// All sessions are taken.
    #[error("token {token} is busy: no session became free in time")]
    Busy {
        /// The token.
        token: String,
    },
    /// It is gone, or fails.
    #[error("token {token} does not answer: {problem}; it is tried again by itself")]
    Lost {
        /// The token.
        token: String,
        /// In its module's words.
        problem: String,
    },
    /// It may be well, and has not answered yet.
    #[error("token {token} has not answered yet; it is waited for beside everything else")]
    Slow {
        /// The token.
        token: String,
    },
    /// It was asked and gives no answer.
    #[error("token {token} hangs: it did not answer in time; it is tried again by itself")]
    Hangs {
        /// The token.
        token: String,
    },
    /// It signed, and wrongly.
    #[error(
        "token {token} made a signature that does not verify with the key's certificate, and it was not used; look at the \
         token, and whether another key has the name of this one"
    )]
    WrongSignature {
        /// The token.
        token: String,
    },
    /// It is there and does not do it.
    #[error("token {token} refuses: {problem}")]
    Refused {
        /// The token.
        token: String,
        /// In its module's words.
        problem: String,
    },
}

impl TokenError {
    /// It may be well later without anybody changing a setting: the token is away.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        match self {
            Self::Module { .. }
            | Self::NoToken { .. }
            | Self::PinFile { .. }
            | Self::WrongPin { .. }
            | Self::LastTry { .. }
            | Self::Locked { .. }
            | Self::Busy { .. }
            | Self::Slow { .. }
            | Self::Lost { .. }
            | Self::Hangs { .. } => true,
            Self::SeveralTokens { .. }
            | Self::NoKey { .. }
            | Self::SeveralKeys { .. }
            | Self::NoCertificate { .. }
            | Self::OtherCertificates { .. }
            | Self::WrongSignature { .. }
            | Self::Refused { .. } => false,
        }
    }

    /// The token as such is in trouble, not what was asked of it: its other keys are of no use, either.
    pub(crate) const fn is_trouble(&self) -> bool {
        self.may_pass() && !matches!(self, Self::Busy { .. } | Self::Slow { .. })
    }

    /// A message that meets it can be sent again later. A key that signed before and is gone may come back, as may a
    /// token that signed rightly before.
    pub(crate) const fn is_temporary(&self) -> bool {
        self.may_pass() || matches!(self, Self::NoKey { .. } | Self::WrongSignature { .. })
    }
}

fn others(known: &[String]) -> String {
    if known.is_empty() {
        "nor any other".to_owned()
    } else {
        format!("only: {}", known.join(", "))
    }
}
