//! A token: its sessions, pooled and bounded; and what happens when it is not there, fails or hangs. No lock is held
//! while it is asked.

mod login;
mod pin;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::facts::{Counts, TokenFact};
use super::in_process::InProcess;
use super::isolated::Isolated;
use super::places::Places;
use super::request::{Answer, Problem, Request, Work};
use super::trouble::{Advice, Trouble};
use super::turn::Turn;
use super::uri::TokenName;
use super::way::Way;
use super::{Handling, KeyReference, KeyUri, TokenError};
use pin::PinCare;

/// Tokens of the process, by module and name.
static TOKENS: LazyLock<Mutex<Tokens>> = LazyLock::new(Mutex::default);

type Tokens = BTreeMap<(PathBuf, TokenName), Arc<Token>>;

/// Small tokens have room for few sessions, and sign one message after the other anyway.
pub(super) const MOST_SESSIONS: usize = 8;
/// For a session to become free.
const PATIENCE: Duration = Duration::from_secs(10);

/// Something that a module may lose.
pub(super) struct Token {
    module: PathBuf,
    name: TokenName,
    state: Mutex<State>,
    /// A session became free, or none will.
    freed: Condvar,
    /// One starts the module and logs in at a time: two would try a wrong PIN twice.
    turn: Turn,
    places: Places,
    pub(super) counts: Counts,
}

struct State {
    handling: Handling,
    way: Arc<dyn Way>,
    pin_file: PathBuf,
    pin: PinCare,
    idle: Vec<Session>,
    /// Idle or not.
    open: usize,
    trouble: Option<Trouble>,
}

/// An open session.
struct Session {
    way: Arc<dyn Way>,
    start: u64,
    number: u64,
}

impl Session {
    fn ask(&self, request: Request) -> Result<Answer, Problem> {
        self.way.call(self.start, request)
    }

    fn is_of(&self, way: &Arc<dyn Way>) -> bool {
        Arc::ptr_eq(&self.way, way) && way.running() == Some(self.start)
    }
}

impl Token {
    /// The one that the reference is to. Its PIN file counts where none is known yet.
    pub(super) fn of(reference: &KeyReference) -> Arc<Self> {
        let key = (reference.module.clone(), reference.uri.token.clone());
        let mut tokens = TOKENS.lock().unwrap_or_else(PoisonError::into_inner);
        let token = tokens
            .entry(key)
            .or_insert_with(|| Arc::new(Self::new(reference, Handling::default())));
        Arc::clone(token)
    }

    fn new(reference: &KeyReference, handling: Handling) -> Self {
        let (module, name) = (reference.module.clone(), reference.uri.token.clone());
        Self {
            state: Mutex::new(State {
                handling,
                way: way(&module, &name, handling),
                pin_file: reference.pin_file.clone(),
                pin: PinCare::default(),
                idle: Vec::new(),
                open: 0,
                trouble: None,
            }),
            module,
            name,
            freed: Condvar::new(),
            turn: Turn::default(),
            places: Places::new(),
            counts: Counts::default(),
        }
    }

    /// The same, as the configuration has it now.
    pub(super) fn configured(reference: &KeyReference, handling: Handling) -> Arc<Self> {
        let token = Self::of(reference);
        let before = {
            let mut state = token.state();
            state.pin_file.clone_from(&reference.pin_file);
            (state.handling != handling).then(|| {
                state.handling = handling;
                let new = way(&token.module, &token.name, handling);
                std::mem::replace(&mut state.way, new)
            })
        };
        if let Some(before) = before {
            before.end();
        }
        token
    }

    /// All that were named since the process started.
    pub(super) fn facts() -> Vec<TokenFact> {
        let tokens: Vec<_> = {
            let tokens = TOKENS.lock().unwrap_or_else(PoisonError::into_inner);
            tokens.values().cloned().collect()
        };
        tokens.iter().map(|token| token.fact()).collect()
    }

    fn fact(&self) -> TokenFact {
        let usable = self.state().trouble.is_none();
        self.counts.fact(&self.module, self.name(), usable)
    }

    /// Where messages wait for it.
    pub(super) const fn places(&self) -> &Places {
        &self.places
    }

    pub(super) fn name(&self) -> String {
        self.name.to_string()
    }

    /// Works on a key. Where a session turns out to be lost, once more on a new one: work is such that it can be done
    /// twice.
    pub(super) fn ask(&self, uri: &KeyUri, work: &Work) -> Result<Answer, TokenError> {
        let looking = self.heed_trouble()?;
        let mut done = self.attempt(uri, work, looking);
        if matches!(done, Err(TokenError::Lost { .. } | TokenError::NoKey { .. })) {
            if let Some(problem) = self.trouble().filter(|_| !looking) {
                // Somebody else's call hung, and ended this one.
                return Err(problem);
            }
            done = self.close_idle().and_then(|()| self.attempt(uri, work, looking));
        }
        self.judge(done.as_ref().err(), looking);
        if matches!(done, Err(TokenError::Hangs { .. })) {
            self.counts.hung();
            // Only now: whoever loses his session by that finds the trouble, and does not try once more.
            self.way().end_hung();
        }
        done
    }

    fn attempt(&self, uri: &KeyUri, work: &Work, looking: bool) -> Result<Answer, TokenError> {
        let session = self.take(looking)?;
        let answered = session.ask(Request::Work {
            session: session.number,
            uri: uri.clone(),
            work: work.clone(),
        });
        match answered {
            Ok(answer) => {
                self.state().idle.push(session);
                self.freed.notify_one();
                Ok(answer)
            }
            Err(problem) => {
                // It was closed.
                self.closed(1);
                Err(self.describe(problem, Some(uri)))
            }
        }
    }

    /// Whether the caller looks if the trouble is over; or why the token is left alone for now.
    fn heed_trouble(&self) -> Result<bool, TokenError> {
        let advice = {
            let mut state = self.state();
            state
                .trouble
                .as_mut()
                .map(|trouble| trouble.advise(Instant::now()))
        };
        match advice {
            None => Ok(false),
            Some(Advice::Refuse(problem)) => Err(problem),
            Some(Advice::Look { restart }) => {
                if restart {
                    self.way().end();
                }
                Ok(true)
            }
        }
    }

    /// Whether it is in trouble now; says so when that changes.
    fn judge(&self, problem: Option<&TokenError>, looked: bool) {
        let mut state = self.state();
        let now = Instant::now();
        match problem {
            Some(problem) if problem.is_trouble() => {
                if state.trouble.is_none() {
                    tracing::error!(token = %self.name, %problem, "a token is lost; trying again until it is back");
                }
                // Of many who meet it at once the first one counts.
                if looked || state.trouble.is_none() {
                    let trouble = Trouble::new(problem.clone(), state.trouble.as_ref(), now);
                    state.trouble = Some(trouble);
                    self.freed.notify_all();
                }
            }
            Some(TokenError::Busy { .. }) => {
                if let Some(trouble) = state.trouble.as_mut().filter(|_| looked) {
                    trouble.postpone(now);
                }
            }
            // What else is wrong shows that the token is there.
            Some(_) | None => {
                if state.trouble.take().is_some() {
                    tracing::info!(token = %self.name, "the token is back");
                }
            }
        }
    }

    fn trouble(&self) -> Option<TokenError> {
        let state = self.state();
        state.trouble.as_ref().map(|trouble| trouble.problem().clone())
    }

    fn take(&self, looking: bool) -> Result<Session, TokenError> {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.state();
        loop {
            if let Some(trouble) = state.trouble.as_ref().filter(|_| !looking) {
                return Err(trouble.problem().clone());
            }
            let (before, way) = (state.idle.len(), state.way.clone());
            state.idle.retain(|session| session.is_of(&way));
            state.open -= before - state.idle.len();
            if let Some(session) = state.idle.pop() {
                return Ok(session);
            }
            if state.open < MOST_SESSIONS {
                state.open += 1;
                drop(state);
                return self.connect(looking).inspect_err(|_| self.closed(1));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(self.busy());
            }
            let woken = self.freed.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn connect(&self, looking: bool) -> Result<Session, TokenError> {
        let _turn = self.turn.take(PATIENCE).ok_or_else(|| self.busy())?;
        // Whoever had it before may have found the trouble.
        if let Some(problem) = self.trouble().filter(|_| !looking) {
            return Err(problem);
        }
        let failed = |problem| self.describe(problem, None);
        let way = self.way();
        let running = way.running();
        let start = way.start().map_err(failed)?;
        if running != Some(start) {
            self.counts.started();
        }
        match way
            .call(start, Request::Open(self.name.clone()))
            .map_err(failed)?
        {
            Answer::Opened { session, login } => {
                let number = session;
                let session = Session { way, start, number };
                self.log_in(&session, login)?;
                Ok(session)
            }
            Answer::Done | Answer::Found(_) | Answer::Signature(_) => Err(self.answered_otherwise()),
        }
    }

    /// What is idle was opened before whatever went wrong. Who has taken a session meanwhile keeps it.
    fn close_idle(&self) -> Result<(), TokenError> {
        let (idle, way) = {
            let mut state = self.state();
            (std::mem::take(&mut state.idle), state.way.clone())
        };
        self.closed(idle.len());
        let own = idle.into_iter().filter(|session| session.is_of(&way));
        let sessions: Vec<_> = own.map(|session| session.number).collect();
        let (false, Some(start)) = (sessions.is_empty(), way.running()) else {
            return Ok(());
        };
        match way.call(start, Request::Close { sessions }) {
            Err(Problem::Hangs) => Err(self.describe(Problem::Hangs, None)),
            // Who is gone is closed.
            Ok(_) | Err(_) => Ok(()),
        }
    }

    fn closed(&self, count: usize) {
        self.state().open -= count;
        self.freed.notify_all();
    }

    fn way(&self) -> Arc<dyn Way> {
        self.state().way.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// With the names that modules do not know; `uri` where a key was asked for.
    fn describe(&self, problem: Problem, uri: Option<&KeyUri>) -> TokenError {
        let token = self.name();
        let key = || uri.map(KeyUri::object_name).unwrap_or_default();
        match problem {
            Problem::Module(problem) => TokenError::Module {
                module: self.module.clone(),
                problem,
            },
            Problem::NoToken(known) => TokenError::NoToken { token, known },
            Problem::SeveralTokens(count) => TokenError::SeveralTokens { token, count },
            Problem::NoKey => TokenError::NoKey { key: key(), token },
            Problem::SeveralKeys(count) => TokenError::SeveralKeys {
                key: key(),
                token,
                count,
            },
            Problem::PinRefused => TokenError::WrongPin {
                token,
                file: self.state().pin_file.clone(),
            },
            Problem::PinLocked => TokenError::Locked { token },
            Problem::Lost(problem) => TokenError::Lost { token, problem },
            Problem::Refused(problem) => TokenError::Refused { token, problem },
            Problem::Hangs => TokenError::Hangs { token },
        }
    }

    fn busy(&self) -> TokenError {
        TokenError::Busy { token: self.name() }
    }

    pub(super) fn answered_otherwise(&self) -> TokenError {
        let problem = "it answered what was not asked".to_owned();
        self.describe(Problem::Lost(problem), None)
    }

    pub(super) fn failed_to_prepare(&self, problem: &dyn std::fmt::Display) -> TokenError {
        self.describe(Problem::Refused(problem.to_string()), None)
    }
}

fn way(module: &Path, token: &TokenName, handling: Handling) -> Arc<dyn Way> {
    if handling.isolate {
        Arc::new(Isolated::new(
            module.to_owned(),
            token.to_string(),
            handling.timeout,
        ))
    } else {
        Arc::new(InProcess::new(module, handling.timeout))
    }
}
