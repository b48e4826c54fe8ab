//! A token that failed is left alone for a while, and asked again by one caller at a time: a flood of messages must not
//! hammer what is broken, and never a counter of wrong PINs.

use std::time::Duration;

use tokio::time::Instant;

use super::TokenError;

const FIRST_WAIT: Duration = Duration::from_millis(500);
/// A token that is back is used again so soon after.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// Who looks tells how it went; who never does was stopped midway.
const LONGEST_LOOK: Duration = Duration::from_secs(120);

/// What is wrong, and when to look again.
pub(super) struct Trouble {
    problem: TokenError,
    wait: Duration,
    until: Instant,
}

/// What a caller does about it.
pub(super) enum Advice {
    /// Answers with this.
    Refuse(TokenError),
    /// Looks whether it is over; whoever else comes is refused meanwhile.
    Look {
        /// A start of the module may help.
        restart: bool,
    },
}

impl Trouble {
    /// After the one before, if it was in trouble.
    pub(super) fn new(problem: TokenError, before: Option<&Self>, now: Instant) -> Self {
        let wait = before.map_or(FIRST_WAIT, |before| (before.wait * 2).min(LONGEST_WAIT));
        Self {
            problem,
            wait,
            until: now + wait,
        }
    }

    /// What it is.
    pub(super) const fn problem(&self) -> &TokenError {
        &self.problem
    }

    /// Whoever looked has found out nothing.
    pub(super) fn postpone(&mut self, now: Instant) {
        self.until = now + self.wait;
    }

    pub(super) fn advise(&mut self, now: Instant) -> Advice {
        if now < self.until {
            return Advice::Refuse(self.problem.clone());
        }
        self.until = now + LONGEST_LOOK;
        Advice::Look {
            restart: may_need_restart(&self.problem),
        }
    }
}

const fn may_need_restart(problem: &TokenError) -> bool {
    matches!(
        problem,
        TokenError::Module { .. }
            | TokenError::NoToken { .. }
            | TokenError::Lost { .. }
            | TokenError::Hangs { .. }
            | TokenError::Locked { .. }
            | TokenError::LastTry { .. }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost() -> TokenError {
        TokenError::Lost {
            token: "a".to_owned(),
            problem: "gone".to_owned(),
        }
    }

    #[test]
    fn one_caller_looks_and_each_failure_makes_the_wait_longer_within_bounds() {
        let mut now = Instant::now();
        let mut trouble = Trouble::new(lost(), None, now);
        let mut waits = Vec::new();
        for _ in 0..8 {
            assert!(matches!(trouble.advise(now), Advice::Refuse(problem) if problem == lost()));
            waits.push(trouble.wait);
            now += trouble.wait;
            assert!(matches!(trouble.advise(now), Advice::Look { restart: true }));
            now += LONGEST_WAIT;
            assert!(
                matches!(trouble.advise(now), Advice::Refuse(_)),
                "somebody looks already, and may take his time"
            );
            trouble = Trouble::new(lost(), Some(&trouble), now);
        }
        assert_eq!(waits[..3], [500, 1000, 2000].map(Duration::from_millis));
        assert_eq!(waits[7], LONGEST_WAIT);
    }
}
