//! The care that is taken of a PIN: a token counts wrong ones, and locks itself. So none is tried twice, none is tried
//! where it would be the last, and one to which no answer came may have been counted.

use std::path::PathBuf;

use super::super::TokenError;
use super::super::request::{Login, Problem};
use crate::files::Digest;

/// What is known of the PINs that were tried.
#[derive(Default)]
pub(super) struct PinCare {
    /// What stood in the file when the token refused it.
    refused: Option<Digest>,
    /// What was tried without an answer, while the token told of no wrong one.
    unanswered: Option<Digest>,
}

impl PinCare {
    /// Whether this one may be tried.
    pub(super) fn permit(
        &mut self,
        token: &str,
        file: PathBuf,
        pin: Digest,
        login: Login,
    ) -> Result<(), TokenError> {
        let token = token.to_owned();
        let Login::Needed {
            locked,
            last_try,
            wrong_ones,
        } = login
        else {
            return Ok(());
        };
        if wrong_ones && self.unanswered == Some(pin) {
            self.refused = Some(pin);
        }
        if self.refused == Some(pin) {
            return Err(TokenError::WrongPin { token, file });
        }
        if locked {
            return Err(TokenError::Locked { token });
        }
        if last_try {
            return Err(TokenError::LastTry { token });
        }
        Ok(())
    }

    /// It was tried.
    pub(super) fn tried(&mut self, pin: Digest, login: Login, answer: Result<(), &Problem>) {
        match answer {
            Ok(()) => *self = Self::default(),
            Err(Problem::PinRefused) => self.refused = Some(pin),
            Err(Problem::Hangs | Problem::Lost(_)) => {
                let none_before = matches!(
                    login,
                    Login::Needed {
                        wrong_ones: false,
                        ..
                    }
                );
                self.unanswered = none_before.then_some(pin);
            }
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WELL: Login = Login::Needed {
        locked: false,
        last_try: false,
        wrong_ones: false,
    };
    const COUNTED: Login = Login::Needed {
        locked: false,
        last_try: false,
        wrong_ones: true,
    };

    fn permit(care: &mut PinCare, pin: &str, login: Login) -> Result<(), TokenError> {
        care.permit("a", PathBuf::from("pin"), Digest::of([pin.as_bytes()]), login)
    }

    fn tried(care: &mut PinCare, pin: &str, login: Login, answer: Result<(), &Problem>) {
        care.tried(Digest::of([pin.as_bytes()]), login, answer);
    }

    #[test]
    fn a_pin_that_was_refused_is_not_tried_again_and_another_one_is() {
        let mut care = PinCare::default();
        assert_eq!(permit(&mut care, "1", WELL), Ok(()));
        tried(&mut care, "1", WELL, Err(&Problem::PinRefused));
        assert!(matches!(
            permit(&mut care, "1", COUNTED),
            Err(TokenError::WrongPin { .. })
        ));
        assert_eq!(permit(&mut care, "2", COUNTED), Ok(()));
        tried(&mut care, "2", COUNTED, Ok(()));
        assert_eq!(permit(&mut care, "1", WELL), Ok(()));
    }

    #[test]
    fn a_pin_without_an_answer_is_tried_again_unless_the_token_has_counted_it() {
        let mut care = PinCare::default();
        tried(&mut care, "1", WELL, Err(&Problem::Hangs));
        assert_eq!(permit(&mut care, "1", WELL), Ok(()));
        assert!(matches!(
            permit(&mut care, "1", COUNTED),
            Err(TokenError::WrongPin { .. })
        ));
        let mut care = PinCare::default();
        tried(&mut care, "1", COUNTED, Err(&Problem::Hangs));
        assert_eq!(
            permit(&mut care, "1", COUNTED),
            Ok(()),
            "wrong ones came before it"
        );
    }

    #[test]
    fn none_is_tried_where_it_would_be_the_last() {
        let login = |locked, last_try| Login::Needed {
            locked,
            last_try,
            wrong_ones: true,
        };
        let mut care = PinCare::default();
        assert!(matches!(
            permit(&mut care, "1", login(false, true)),
            Err(TokenError::LastTry { .. })
        ));
        assert!(matches!(
            permit(&mut care, "1", login(true, true)),
            Err(TokenError::Locked { .. })
        ));
        assert_eq!(permit(&mut care, "1", Login::NotNeeded), Ok(()));
    }
}
