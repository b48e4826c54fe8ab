//! What an operator is told, once.

use time::Duration;

use super::{Expected, Led, Now, State};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Told {
    In60Days,
    In30Days,
    In7Days,
    In1Day,
    In1Hour,
    Purgeable,
}

impl Told {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::In60Days => "60d",
            Self::In30Days => "30d",
            Self::In7Days => "7d",
            Self::In1Day => "1d",
            Self::In1Hour => "1h",
            Self::Purgeable => "purgeable",
        }
    }
}

impl Expected {
    pub(super) fn tell(&mut self, now: Now) {
        if let Some(active) = self.active() {
            let left = self.keys[&active].valid.1 - now.latest;
            let told = [
                (left <= Duration::days(60), Told::In60Days),
                (left <= Duration::days(30), Told::In30Days),
                (left <= Duration::days(7), Told::In7Days),
                (left <= Duration::days(1), Told::In1Day),
                (left <= Duration::hours(1) && self.led == Led::Hold, Told::In1Hour),
            ];
            let urgent = told.iter().rev().find(|(due, _)| *due).map(|(_, told)| *told);
            let told_already = |told: Told| {
                let mut of_it = self.notices.iter().filter(|(key, _)| *key == active);
                of_it.any(|(_, known)| *known >= told && *known != Told::Purgeable)
            };
            if let Some(urgent) = urgent.filter(|urgent| !told_already(*urgent)) {
                self.notices.insert((active, urgent));
            }
        }
        for (number, key) in &self.keys {
            let kept = matches!(key.state, State::Retired | State::Revoked);
            if kept && key.kept_until.unwrap() <= now.latest {
                self.notices.insert((*number, Told::Purgeable));
            }
        }
    }
}
