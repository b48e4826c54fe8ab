//! What is wrong with the aliases' sources now, for whoever shows it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// By alias. One without a problem is not in it.
#[derive(Default)]
pub struct SourceProblems(Mutex<BTreeMap<String, String>>);

impl SourceProblems {
    /// What is wrong with this alias's.
    #[must_use]
    pub fn of(&self, alias: &str) -> Option<String> {
        self.all().get(alias).cloned()
    }

    /// Sets or clears it; whether that is new.
    pub fn set(&self, alias: &str, problem: Option<&str>) -> bool {
        let mut all = self.all();
        let before = match problem {
            Some(problem) => all.insert(alias.to_owned(), problem.to_owned()),
            None => all.remove(alias),
        };
        before.as_deref() != problem
    }

    /// Forgets the other aliases.
    pub fn keep_only(&self, is_kept: impl Fn(&str) -> bool) {
        self.all().retain(|alias, _| is_kept(alias));
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
