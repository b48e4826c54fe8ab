//! Who may reach the admin listener: the operator, and the entries of `[[admin.access]]`.
//!
//! Says who asks, never whether that one may: [`super::guard`] does.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};

use super::load::{Common, Load};
use super::problem::Problem;
use super::token::{Token, TokenError, bearer};
use crate::config::{AccessConfig, AdminConfig, Aliases, Credential, OPERATOR, Role};
use crate::keys::DistinguishedName;
use crate::keys::audit::Author;
use crate::listener::Peer;
use crate::spelling::vocabulary;

/// Who did something, how it had shown who it was, and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// Of the entry of `[[admin.access]]`, or [`OPERATOR`].
    pub name: Arc<str>,
    /// What it showed.
    pub shown: Shown,
    /// The peer's address. It grants nothing.
    pub from: Option<IpAddr>,
}

vocabulary! {
    /// What somebody shows to be let in.
    pub enum Shown {
        /// A bearer token.
        Token = "token",
        /// A client certificate.
        Certificate = "certificate",
    }
}

impl Actor {
    fn new(name: &str, shown: Shown) -> Self {
        Self {
            name: name.into(),
            shown,
            from: None,
        }
    }
}

/// One who asks, and has shown who it is.
#[derive(Clone)]
pub(super) struct Caller {
    actor: Actor,
    role: Role,
    aliases: Aliases,
    load: Load,
}

impl Caller {
    fn operator(common: &Common) -> Self {
        Self {
            load: common.caller(),
            actor: Actor::new(OPERATOR, Shown::Token),
            role: Role::Operator,
            aliases: Aliases::All,
        }
    }

    fn of(entry: &AccessConfig, common: &Common) -> Self {
        let shown = match entry.credential {
            Credential::TokenFile(_) => Shown::Token,
            Credential::ClientSubject(_) => Shown::Certificate,
        };
        Self {
            actor: Actor::new(&entry.name, shown),
            role: entry.role,
            aliases: entry.aliases.clone(),
            load: common.caller(),
        }
    }

    /// For the audit and the log.
    pub(super) fn actor(&self) -> &Actor {
        &self.actor
    }

    /// What it may do.
    pub(super) fn role(&self) -> Role {
        self.role
    }

    /// What it has taken.
    pub(super) fn load(&self) -> &Load {
        &self.load
    }

    /// Whether the alias exists for it; in everything it is told, others do not.
    pub(super) fn sees(&self, alias: &str) -> bool {
        self.aliases.contains(alias)
    }
}

/// Everyone who may reach the listener. Cheap to clone.
#[derive(Clone)]
pub struct Access(Arc<Known>);

#[derive(Default)]
struct Known {
    tokens: Vec<(Token, Caller)>,
    subjects: Vec<(DistinguishedName, Caller)>,
    common: Common,
}

/// Why nobody can be let in: each token that is of no use.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.iter().map(AccessError::to_string).collect::<Vec<_>>().join("\n"))]
pub struct AccessErrors(pub Vec<AccessError>);

/// A token that is of no use.
#[derive(Debug, thiserror::Error)]
#[error("[admin] {name}: {problem}")]
pub struct AccessError {
    /// Whose it is.
    pub name: String,
    /// Where the configuration has it; `None`: the operator's.
    pub line: Option<usize>,
    /// Why.
    pub problem: CredentialError,
}

/// Why a token is of no use.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// Its file.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// Nobody could tell who it was.
    #[error("{0} has the same token; each needs its own")]
    SameAs(Arc<str>),
}

impl Access {
    /// Reads every token; the operator's is made when it is not there.
    ///
    /// # Errors
    /// With every token that is of no use.
    pub fn load(config: &AdminConfig) -> Result<Self, AccessErrors> {
        Self::read(config, Token::load_or_create(&config.token_file).map(Some))
    }

    /// Reads every token and makes none.
    ///
    /// # Errors
    /// With every token that is of no use.
    pub fn check(config: &AdminConfig) -> Result<(), AccessErrors> {
        let operator = match Token::load(&config.token_file) {
            Err(TokenError::Missing(_)) => Ok(None),
            token => token.map(Some),
        };
        Self::read(config, operator).map(drop)
    }

    fn read(config: &AdminConfig, operator: Result<Option<Token>, TokenError>) -> Result<Self, AccessErrors> {
        let (mut known, mut errors) = (Known::default(), Vec::new());
        match operator {
            Ok(token) => known
                .tokens
                .extend(token.map(|token| (token, Caller::operator(&known.common)))),
            Err(problem) => errors.push(AccessError {
                name: OPERATOR.to_owned(),
                line: None,
                problem: problem.into(),
            }),
        }
        for entry in &config.access {
            if let Err(problem) = known.add(entry) {
                errors.push(AccessError {
                    name: entry.name.clone(),
                    line: Some(entry.line),
                    problem,
                });
            }
        }
        if errors.is_empty() {
            Ok(Self(known.into()))
        } else {
            Err(AccessErrors(errors))
        }
    }

    /// Who sent this: by the token where there is one, else by the connection's client certificate.
    pub(super) fn caller(&self, headers: &HeaderMap, peer: Option<&Peer>) -> Result<Caller, Problem> {
        let subject = peer.and_then(|peer| peer.subject.as_deref());
        let (caller, otherwise) = match (bearer(headers), subject) {
            (Some(token), _) => (self.0.by_token(&Token::presented(token)), WRONG_TOKEN),
            (None, Some(subject)) => (self.0.by_subject(subject), WRONG_CERTIFICATE),
            (None, None) => (None, NOTHING_SHOWN),
        };
        let mut caller = caller
            .cloned()
            .ok_or_else(|| Problem::new(StatusCode::UNAUTHORIZED, otherwise))?;
        caller.actor.from = peer.map(|peer| peer.address);
        Ok(caller)
    }
}

const NOTHING_SHOWN: &str =
    "send `Authorization: Bearer` with a token; the operator's is in the proxy's token file";
const WRONG_TOKEN: &str =
    "this token is none that the proxy knows; the operator's is in the proxy's token file";
const WRONG_CERTIFICATE: &str =
    "no [[admin.access]] of the proxy has the subject of this client certificate; add one, or send a token";

impl Known {
    fn add(&mut self, entry: &AccessConfig) -> Result<(), CredentialError> {
        match &entry.credential {
            Credential::TokenFile(file) => {
                let token = Token::load(file)?;
                if let Some(caller) = self.by_token(&token) {
                    return Err(CredentialError::SameAs(caller.actor.name.clone()));
                }
                self.tokens.push((token, Caller::of(entry, &self.common)));
            }
            Credential::ClientSubject(subject) => {
                let caller = Caller::of(entry, &self.common);
                self.subjects.push((subject.clone(), caller));
            }
        }
        Ok(())
    }

    /// Looks at every one, so that the time does not tell which one it was.
    fn by_token(&self, token: &Token) -> Option<&Caller> {
        self.tokens.iter().fold(
            None,
            |found, (own, caller)| {
                if own.is(token).into() { Some(caller) } else { found }
            },
        )
    }

    fn by_subject(&self, subject: &DistinguishedName) -> Option<&Caller> {
        let mut subjects = self.subjects.iter();
        subjects.find(|(own, _)| own == subject).map(|(_, caller)| caller)
    }
}

/// Of a route that asks for one; the guard has put it there.
impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let caller = parts.extensions.get::<Self>().cloned();
        caller.ok_or_else(|| Problem::internal(&"an open route asks who is calling"))
    }
}

/// By whom, and from where, a command is given, as the audit is told.
pub(super) struct By(pub(super) Author);

impl<S: Sync> FromRequestParts<S> for By {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, state).await?;
        let Actor { name, shown, from } = caller.actor();
        let author = match shown {
            Shown::Token => Author::token(name),
            Shown::Certificate => Author::certificate(name),
        };
        Ok(Self(match from {
            Some(address) => author.at(address),
            None => author,
        }))
    }
}
