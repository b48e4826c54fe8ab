//! A module that is loaded and initialised, and what is asked of it, call by call. No lock is held while the module
//! works: a session is taken out of the table for as long.

mod look;
mod session;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::session::{SessionState, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;

use super::request::{Answer, Login, Problem, Request, Secret, Work};
use super::uri::TokenName;
use session::Session;

/// A library, and its sessions.
pub(super) struct Executor {
    library: Pkcs11,
    sessions: Mutex<BTreeMap<u64, Session>>,
    opened: AtomicU64,
}

impl Executor {
    /// Loads and initialises it.
    pub(super) fn start(module: &Path) -> Result<Self, Problem> {
        let unusable = |error: Error| Problem::Module(in_words(&error));
        let library = Pkcs11::new(module).map_err(unusable)?;
        match library.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
            Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(Self {
                library,
                sessions: Mutex::default(),
                opened: AtomicU64::default(),
            }),
            Err(error) => Err(unusable(error)),
        }
    }

    /// Ends it. Whether that went well, the next start tells.
    pub(super) fn end(&self) {
        self.sessions().clear();
        let _ = self.library.clone().finalize();
    }

    pub(super) fn carry_out(&self, request: Request) -> Result<Answer, Problem> {
        match request {
            Request::Start => Err(Problem::Module("it is started already".to_owned())),
            Request::Open(token) => self.open(&token),
            Request::LogIn { session, pin } => self.on(session, |session| session.log_in(&pin)),
            Request::Work { session, uri, work } => self.on(session, |session| match &work {
                Work::Look => session.look(&uri).map(Answer::Found),
                Work::Sign(input) => session.sign(&uri, input).map(Answer::Signature),
            }),
            Request::Close { sessions } => {
                for number in sessions {
                    let session = self.sessions().remove(&number);
                    session.into_iter().for_each(Session::close);
                }
                Ok(Answer::Done)
            }
        }
    }

    /// One that fails is closed: it may be in the midst of something.
    fn on(
        &self,
        number: u64,
        work: impl FnOnce(&mut Session) -> Result<Answer, Problem>,
    ) -> Result<Answer, Problem> {
        let session = self.sessions().remove(&number);
        let mut session = session.ok_or_else(|| Problem::Lost("its session is closed".to_owned()))?;
        let done = work(&mut session);
        match done {
            Ok(_) => {
                self.sessions().insert(number, session);
            }
            Err(_) => session.close(),
        }
        done
    }

    fn open(&self, token: &TokenName) -> Result<Answer, Problem> {
        let slot = self.slot(token)?;
        let info = self.library.get_token_info(slot).map_err(problem)?;
        let opened = self.library.open_ro_session_no_drop(slot).map_err(problem)?;
        let session = Session::new(opened);
        let state = match session.state() {
            Ok(state) => state,
            Err(problem) => {
                session.close();
                return Err(problem);
            }
        };
        let login = match state {
            SessionState::RoUser | SessionState::RwUser => Login::NotNeeded,
            _ if !info.login_required() => Login::NotNeeded,
            SessionState::RoPublic | SessionState::RwPublic | SessionState::RwSecurityOfficer => {
                Login::Needed {
                    locked: info.user_pin_locked(),
                    last_try: info.user_pin_final_try(),
                    wrong_ones: info.user_pin_count_low(),
                }
            }
        };
        let number = self.opened.fetch_add(1, Ordering::Relaxed);
        self.sessions().insert(number, session);
        Ok(Answer::Opened {
            session: number,
            login,
        })
    }

    fn slot(&self, token: &TokenName) -> Result<Slot, Problem> {
        let (mut named, mut known) = (Vec::new(), Vec::new());
        for slot in self.library.get_slots_with_initialized_token().map_err(problem)? {
            // One that is pulled at this moment is not there.
            let Ok(info) = self.library.get_token_info(slot) else {
                continue;
            };
            if token.names(&info) {
                named.push(slot);
            } else {
                known.push(info.label().trim_end().to_owned());
            }
        }
        match named.as_slice() {
            [slot] => Ok(*slot),
            [] => Err(Problem::NoToken(known)),
            several => Err(Problem::SeveralTokens(several.len())),
        }
    }

    fn sessions(&self) -> MutexGuard<'_, BTreeMap<u64, Session>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    /// A login counts for all sessions of the process.
    fn log_in(&self, Secret(pin): &Secret) -> Result<Answer, Problem> {
        // Cleared when it is dropped.
        let pin = AuthPin::new(pin.as_str().into());
        match self.handle().login(UserType::User, Some(&pin)) {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(Answer::Done),
            Err(Error::Pkcs11(RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange, _)) => {
                Err(Problem::PinRefused)
            }
            Err(Error::Pkcs11(RvError::PinLocked, _)) => Err(Problem::PinLocked),
            Err(error) => Err(problem(error)),
        }
    }
}

/// What a module says, without the name of its function.
fn in_words(error: &Error) -> String {
    let text = if let Error::Pkcs11(code, _) = error {
        code.to_string()
    } else {
        error.to_string()
    };
    text.trim_end_matches('.').to_owned()
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn problem(error: Error) -> Problem {
    let words = in_words(&error);
    if refuses(&error) {
        Problem::Refused(words)
    } else {
        Problem::Lost(words)
    }
}

/// The token is there, and does not do this with this key.
const fn refuses(error: &Error) -> bool {
    matches!(
        error,
        Error::Pkcs11(
            RvError::KeyTypeInconsistent
                | RvError::KeyFunctionNotPermitted
                | RvError::KeySizeRange
                | RvError::MechanismInvalid
                | RvError::MechanismParamInvalid
                | RvError::FunctionNotSupported
                | RvError::DataLenRange
                | RvError::DataInvalid
                | RvError::AttributeTypeInvalid
                | RvError::AttributeSensitive
                | RvError::ArgumentsBad,
            _
        ) | Error::NotSupported
            | Error::InvalidValue
    )
}
