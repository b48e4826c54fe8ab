//! A session logs in, with the PIN that stands in the file then.

use std::path::PathBuf;

use zeroize::Zeroizing;

use super::super::TokenError;
use super::super::request::{Login, Problem, Request, Secret};
use super::{Session, Token};
use crate::files::Digest;
use crate::keys::source::read_password;

impl Token {
    /// In its turn. One that does not get in is closed.
    pub(super) fn log_in(&self, session: &Session, login: Login) -> Result<(), TokenError> {
        if login == Login::NotNeeded {
            return Ok(());
        }
        let permitted = self.pin().and_then(|(file, pin)| {
            let digest = Digest::of([pin.as_bytes()]);
            let permitted = self.state().pin.permit(&self.name(), file, digest, login);
            permitted.map(|()| (pin, digest))
        });
        let (pin, digest) = match permitted {
            Ok(permitted) => permitted,
            Err(problem) => {
                let sessions = vec![session.number];
                // If that fails, so will what comes next.
                let _ = session.ask(Request::Close { sessions });
                return Err(problem);
            }
        };
        let answer = session.ask(Request::LogIn {
            session: session.number,
            pin: Secret(pin),
        });
        let answer: Result<(), Problem> = answer.map(drop);
        let known = answer.as_ref().copied();
        self.state().pin.tried(digest, login, known);
        answer.map_err(|problem| self.describe(problem, None))
    }

    fn pin(&self) -> Result<(PathBuf, Zeroizing<String>), TokenError> {
        let file = self.state().pin_file.clone();
        let problem = match read_password(&file) {
            // Or it is just being written. A try would count as a wrong PIN.
            Ok(pin) if pin.is_empty() => format!("{} is empty; put the PIN there", file.display()),
            Ok(pin) => return Ok((file, pin)),
            Err(problem) => problem.to_string(),
        };
        let token = self.name();
        Err(TokenError::PinFile { token, problem })
    }
}
