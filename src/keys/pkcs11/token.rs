//! A token: its sessions, pooled and bounded; logging in; and what happens when it is not there.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cryptoki::context::Pkcs11;
use cryptoki::error::{Error, RvError};
use cryptoki::session::{Session, SessionState, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::connection::{Connection, Failure, refuses};
use super::module::{Loaded, Module};
use super::trouble::{Advice, Trouble};
use super::uri::TokenName;
use super::{KeyReference, TokenError, close, in_words};
use crate::files::Digest;
use crate::keys::source::read_password;

/// Tokens of the process, by module and name.
static TOKENS: LazyLock<Mutex<Tokens>> = LazyLock::new(Mutex::default);

type Tokens = BTreeMap<(PathBuf, TokenName), Arc<Token>>;

/// Small tokens have room for few sessions, and sign one message after the other anyway.
const MOST_SESSIONS: usize = 8;
/// For a session to become free.
const PATIENCE: Duration = Duration::from_secs(10);

/// Something that a module may lose.
pub(super) struct Token {
    module: Arc<Module>,
    name: TokenName,
    state: Mutex<State>,
    /// A session became free.
    freed: Condvar,
    /// One logs in at a time: two would try a wrong PIN twice.
    connecting: Mutex<()>,
}

struct State {
    pin_file: PathBuf,
    idle: Vec<Connection>,
    /// Idle or not.
    open: usize,
    trouble: Option<Trouble>,
    /// What stood in the PIN file when the token refused it.
    refused_pin: Option<Digest>,
}

impl Token {
    /// The one that the reference is to. Its PIN file counts where none is known yet.
    pub(super) fn of(reference: &KeyReference) -> Arc<Self> {
        let key = (reference.module.clone(), reference.uri.token.clone());
        let mut tokens = TOKENS.lock().unwrap_or_else(PoisonError::into_inner);
        let token = tokens.entry(key).or_insert_with(|| {
            Arc::new(Self {
                module: Module::at(&reference.module),
                name: reference.uri.token.clone(),
                state: Mutex::new(State {
                    pin_file: reference.pin_file.clone(),
                    idle: Vec::new(),
                    open: 0,
                    trouble: None,
                    refused_pin: None,
                }),
                freed: Condvar::new(),
                connecting: Mutex::default(),
            })
        });
        Arc::clone(token)
    }

    /// The same, with the PIN file that the configuration names now.
    pub(super) fn configured(reference: &KeyReference) -> Arc<Self> {
        let token = Self::of(reference);
        token.state().pin_file.clone_from(&reference.pin_file);
        token
    }

    /// Works on a connection. Where that turns out to be lost, once more on a new one: work must be such that it can be
    /// done twice.
    pub(super) fn run<T>(
        &self,
        work: impl Fn(&mut Connection) -> Result<T, Failure>,
    ) -> Result<T, TokenError> {
        self.heed_trouble()?;
        let done = match self.attempt(&work) {
            Err(TokenError::Lost { .. } | TokenError::NoKey { .. }) => {
                self.close_idle()?;
                self.attempt(&work)
            }
            done => done,
        };
        self.judge(done.as_ref().err());
        done
    }

    fn attempt<T>(&self, work: impl Fn(&mut Connection) -> Result<T, Failure>) -> Result<T, TokenError> {
        let loaded = self.module.enter()?;
        let mut connection = self.take(&loaded)?;
        match work(&mut connection) {
            Ok(value) => {
                self.state().idle.push(connection);
                self.freed.notify_one();
                Ok(value)
            }
            Err(failure) => {
                // It may be in the midst of something.
                close(connection.session);
                self.closed(1);
                Err(self.describe(failure))
            }
        }
    }

    /// Nothing, or why the token is left alone for now.
    fn heed_trouble(&self) -> Result<(), TokenError> {
        let advice = self
            .state()
            .trouble
            .as_mut()
            .map(|trouble| trouble.advise(Instant::now()));
        match advice {
            None | Some(Advice::Look { restart: false }) => Ok(()),
            Some(Advice::Refuse(problem)) => Err(problem),
            Some(Advice::Look { restart: true }) => {
                let start = self.module.enter().map_or(0, |loaded| loaded.start);
                self.module
                    .start(start)
                    .inspect_err(|problem| self.judge(Some(problem)))
            }
        }
    }

    /// Whether it is in trouble now; says so when that changes.
    fn judge(&self, problem: Option<&TokenError>) {
        let mut state = self.state();
        match problem {
            Some(problem) if problem.is_trouble() => {
                if state.trouble.is_none() {
                    tracing::error!(token = %self.name, %problem, "a token is lost; trying again until it is back");
                }
                let trouble = Trouble::new(problem.clone(), state.trouble.as_ref(), Instant::now());
                state.trouble = Some(trouble);
            }
            // What else is wrong shows that the token is there.
            Some(TokenError::Busy { .. }) => {}
            Some(_) | None => {
                if state.trouble.take().is_some() {
                    tracing::info!(token = %self.name, "the token is back");
                }
            }
        }
    }

    fn take(&self, loaded: &Loaded) -> Result<Connection, TokenError> {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.state();
        loop {
            let before = state.idle.len();
            // Their numbers may be those of other sessions by now: they are not closed.
            state.idle.retain(|connection| connection.start == loaded.start);
            state.open -= before - state.idle.len();
            if let Some(connection) = state.idle.pop() {
                return Ok(connection);
            }
            if state.open < MOST_SESSIONS {
                state.open += 1;
                drop(state);
                return self.connect(loaded).inspect_err(|_| self.closed(1));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(TokenError::Busy {
                    token: self.name.to_string(),
                });
            }
            let woken = self.freed.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn connect(&self, loaded: &Loaded) -> Result<Connection, TokenError> {
        let _one_at_a_time = self.connecting.lock().unwrap_or_else(PoisonError::into_inner);
        let library = self.module.library(loaded)?;
        let slot = self.slot(library)?;
        let session = library
            .open_ro_session_no_drop(slot)
            .map_err(|error| self.describe(error.into()))?;
        if let Err(problem) = self.log_in(library, slot, &session) {
            close(session);
            return Err(problem);
        }
        Ok(Connection::new(session, self.name.to_string(), loaded.start))
    }

    fn slot(&self, library: &Pkcs11) -> Result<Slot, TokenError> {
        let failed = |error: Error| self.describe(error.into());
        let (mut named, mut known) = (Vec::new(), Vec::new());
        for slot in library.get_slots_with_initialized_token().map_err(failed)? {
            // One that is pulled at this moment is not there.
            let Ok(token) = library.get_token_info(slot) else {
                continue;
            };
            if self.name.names(&token) {
                named.push(slot);
            } else {
                known.push(token.label().trim_end().to_owned());
            }
        }
        let token = self.name.to_string();
        match named.as_slice() {
            [slot] => Ok(*slot),
            [] => Err(TokenError::NoToken { token, known }),
            several => Err(TokenError::SeveralTokens {
                token,
                count: several.len(),
            }),
        }
    }

    /// A login counts for all sessions of the process.
    fn log_in(&self, library: &Pkcs11, slot: Slot, session: &Session) -> Result<(), TokenError> {
        let failed = |error: Error| self.describe(error.into());
        let info = library.get_token_info(slot).map_err(failed)?;
        let state = session.get_session_info().map_err(failed)?.session_state();
        if !info.login_required() || matches!(state, SessionState::RoUser | SessionState::RwUser) {
            return Ok(());
        }
        let token = self.name.to_string();
        let (file, pin) = self.pin()?;
        let digest = Digest::of([pin.as_bytes()]);
        if self.state().refused_pin == Some(digest) {
            return Err(TokenError::WrongPin { token, file });
        }
        if info.user_pin_locked() {
            return Err(TokenError::Locked { token });
        }
        if info.user_pin_final_try() {
            return Err(TokenError::LastTry { token });
        }
        // Cleared when it is dropped, as `pin` is.
        let pin = AuthPin::new(pin.as_str().into());
        match session.login(UserType::User, Some(&pin)) {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {
                self.state().refused_pin = None;
                Ok(())
            }
            Err(Error::Pkcs11(RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange, _)) => {
                self.state().refused_pin = Some(digest);
                Err(TokenError::WrongPin { token, file })
            }
            Err(Error::Pkcs11(RvError::PinLocked, _)) => Err(TokenError::Locked { token }),
            Err(error) => Err(failed(error)),
        }
    }

    fn pin(&self) -> Result<(PathBuf, Zeroizing<String>), TokenError> {
        let file = self.state().pin_file.clone();
        let pin = read_password(&file).map_err(|problem| TokenError::PinFile {
            token: self.name.to_string(),
            problem: problem.to_string(),
        })?;
        Ok((file, pin))
    }

    /// What is idle was opened before whatever went wrong.
    fn close_idle(&self) -> Result<(), TokenError> {
        let loaded = self.module.enter()?;
        let idle = std::mem::take(&mut self.state().idle);
        let count = idle.len();
        for connection in idle {
            if connection.start == loaded.start {
                close(connection.session);
            }
        }
        self.closed(count);
        Ok(())
    }

    fn closed(&self, count: usize) {
        self.state().open -= count;
        self.freed.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn describe(&self, failure: Failure) -> TokenError {
        match failure {
            Failure::Token(problem) => problem,
            Failure::Library(error) => {
                let (token, problem) = (self.name.to_string(), in_words(&error));
                if refuses(&error) {
                    TokenError::Refused { token, problem }
                } else {
                    TokenError::Lost { token, problem }
                }
            }
        }
    }

    pub(super) fn failed_to_prepare(&self, problem: &dyn std::fmt::Display) -> TokenError {
        TokenError::Refused {
            token: self.name.to_string(),
            problem: problem.to_string(),
        }
    }

    pub(super) fn name(&self) -> String {
        self.name.to_string()
    }
}
