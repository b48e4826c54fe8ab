//! Where the aliases' keys come from, watched: a new pair of certificate and key becomes pending or active by itself.
//!
//! A pair that is written file by file is wrong for a moment: that is told only when it lasts. What is wrong changes no
//! key, and is told once, in the log, in the metrics and by the admin API, until it is mended. A token that is away is
//! asked again until it is back.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};

use crate::clock::Clock;
use crate::config::{Activation, AliasConfig, Config};
use crate::files::Files;
use crate::keys::audit::Author;
use crate::keys::source::{LoadError, Source, SourceProblems};
use crate::keys::{AfterImport, CommandError, KeyMaterial, KeyRefused, Keys};

/// How often sources are looked at. A change is read at the first look that finds nothing new.
const LOOK: Duration = Duration::from_secs(1);
/// A wrong pair may be half of a new one: this many looks may pass until it is told.
const PATIENCE: u32 = 3;
/// Tokens tell nobody what changes on them: they are asked once in as many looks.
const LOOKS_OF_A_TOKEN: u32 = 30;

/// What sources bring, and what is wrong with them.
#[derive(Clone)]
pub(super) struct Sources {
    keys: Keys,
    clock: Clock,
    problems: Arc<SourceProblems>,
    watched: Arc<Mutex<BTreeMap<String, Watched>>>,
    /// Those of all sources.
    files: Arc<Mutex<Files>>,
}

const NO_SOURCE: &str = "none is configured; import the key by a command";

/// One source.
struct Watched {
    source: Source,
    then: AfterImport,
    /// Looks that are left until what is wrong is told; none: there is nothing to read.
    left: u32,
    /// What is wrong may pass without a change of the files, as when a token is away: it is read at each look.
    again: bool,
    /// Since it was read last.
    looks: u32,
}

/// Why a source brought no key.
#[derive(Debug, thiserror::Error)]
enum Nothing {
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Refused(#[from] CommandError),
}

impl Nothing {
    /// Without anybody changing the source: a token is away, or the disk is full.
    fn may_pass(&self) -> bool {
        match self {
            Self::Load(problem) => problem.may_pass(),
            Self::Refused(problem) => matches!(
                problem,
                CommandError::Store(_) | CommandError::Unsuitable(KeyRefused::Token { .. })
            ),
        }
    }
}

impl Sources {
    pub(super) fn new(keys: Keys, clock: Clock) -> Self {
        Self {
            keys,
            clock,
            problems: Arc::default(),
            watched: Arc::default(),
            files: Arc::default(),
        }
    }

    /// For whoever shows them.
    pub(super) fn problems(&self) -> Arc<SourceProblems> {
        Arc::clone(&self.problems)
    }

    /// The configuration in force has these. What `read` has of them is handed over; new ones are read once more at the
    /// next look, for they may have changed since.
    pub(super) fn configure(&self, config: &Config, read: Vec<(String, Result<KeyMaterial, LoadError>)>) {
        let files = {
            let mut watched = self.watched();
            let mut before = std::mem::take(&mut *watched);
            for (alias, settings) in &config.aliases {
                let Some(source) = &settings.source else { continue };
                let same = before.remove(alias).filter(|watched| watched.source == *source);
                let mut entry = same.unwrap_or_else(|| Watched::new(source.clone()));
                entry.then = then(settings);
                watched.insert(alias.clone(), entry);
            }
            let files = watched.values().flat_map(|watched| watched.source.files());
            let files: BTreeSet<_> = files.map(Path::to_owned).collect();
            self.problems.keep_only(|alias| watched.contains_key(alias));
            files
        };
        let mut known = self.files();
        known.forget_others(&files);
        known.add(files);
        drop(known);
        for (alias, material) in read {
            let then = config
                .aliases
                .get(&alias)
                .map_or(AfterImport::ActivateIfNone, then);
            let brought = material
                .map_err(Nothing::from)
                .and_then(|material| self.bring(&alias, material, then));
            self.tell(&alias, brought.as_ref().err());
            if let Some(watched) = self.watched().get_mut(&alias) {
                watched.again = brought.is_err_and(|problem| problem.may_pass());
            }
        }
    }

    /// Looks once a second, until it is dropped.
    pub(super) async fn watch(self) {
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            let sources = self.clone();
            if let Err(error) = spawn_blocking(move || sources.look()).await {
                tracing::error!(%error, "a look at the sources stopped midway");
            }
        }
    }

    fn look(&self) {
        let changed: BTreeSet<_> = self.files().changed().into_iter().collect();
        let due: Vec<_> = {
            let mut watched = self.watched();
            let due = watched.iter_mut().filter_map(|(alias, watched)| {
                watched
                    .is_due(alias, &changed)
                    .then(|| (alias.clone(), watched.source.clone(), watched.then))
            });
            due.collect()
        };
        for (alias, source, then) in due {
            // Not under the lock: a token may take its time.
            let material = source.load(self.clock.now()).map_err(Nothing::from);
            let brought = material.and_then(|material| self.bring(&alias, material, then));
            self.looked(&alias, &source, brought);
        }
    }

    /// Looks at one alias's source now, on behalf of somebody. What is wrong with it is told as by any other look.
    pub(super) fn look_at(
        &self,
        alias: &str,
        author: Author,
        receivers: Vec<String>,
    ) -> Result<(), CommandError> {
        let watched = self
            .watched()
            .get(alias)
            .map(|watched| (watched.source.clone(), watched.then));
        let nothing = |problem: String| CommandError::NothingBrought {
            alias: alias.to_owned(),
            problem,
        };
        let (source, then) = watched.ok_or_else(|| nothing(NO_SOURCE.to_owned()))?;
        let material = source.load(self.clock.now()).map_err(Nothing::from);
        let brought = material.and_then(|material| {
            let (operator, now) = (self.keys.by(author), self.clock.now());
            operator.bring_announced(alias, material, then, receivers, now)?;
            Ok(())
        });
        let answer = match &brought {
            Ok(()) => Ok(()),
            Err(Nothing::Refused(refusal)) => Err(refusal.clone()),
            Err(Nothing::Load(problem)) => Err(nothing(problem.to_string())),
        };
        if !matches!(answer, Err(CommandError::Repeated(_))) {
            self.looked(alias, &source, brought);
        }
        answer
    }

    fn looked(&self, alias: &str, source: &Source, brought: Result<(), Nothing>) {
        let mut wait = false;
        if let Some(watched) = self
            .watched()
            .get_mut(alias)
            .filter(|watched| watched.source == *source)
        {
            watched.again = matches!(&brought, Err(problem) if problem.may_pass());
            watched.left = match &brought {
                Err(Nothing::Load(_)) => watched.left.saturating_sub(1),
                Ok(()) | Err(Nothing::Refused(_)) => 0,
            };
            wait = watched.left > 0 && !watched.again;
        }
        match brought {
            Err(problem) if wait => {
                tracing::info!(%alias, %problem, "the alias's source has changed, perhaps not all of it yet; looking again");
            }
            brought => self.tell(alias, brought.err().as_ref()),
        }
    }

    /// A key that is known changes nothing; so a restart or a reload undoes no switch.
    fn bring(&self, alias: &str, material: KeyMaterial, then: AfterImport) -> Result<(), Nothing> {
        let operator = self.keys.by(Author::source());
        operator.bring(alias, material, then, self.clock.now())?;
        Ok(())
    }

    /// To the log, only when it is new.
    fn tell(&self, alias: &str, problem: Option<&Nothing>) {
        let problem = problem.map(ToString::to_string);
        let is_new = self.problems.set(alias, problem.as_deref());
        match problem {
            _ if !is_new => {}
            None => tracing::info!(%alias, "the alias's source can be used again"),
            Some(problem) => tracing::error!(
                %alias, %problem,
                "the alias's source brings no key that may sign; the keys there are stay as they are"
            ),
        }
    }

    fn files(&self) -> MutexGuard<'_, Files> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watched(&self) -> MutexGuard<'_, BTreeMap<String, Watched>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watched {
    fn new(source: Source) -> Self {
        Self {
            source,
            then: AfterImport::ActivateIfNone,
            left: 1,
            again: false,
            looks: 0,
        }
    }

    /// Whether it is to be read now.
    fn is_due(&mut self, alias: &str, changed: &BTreeSet<PathBuf>) -> bool {
        let mut has_changed = false;
        for file in self.source.files().filter(|file| changed.contains(*file)) {
            tracing::info!(%alias, file = %file.display(), "changed");
            has_changed = true;
        }
        if has_changed {
            self.left = PATIENCE;
            return false;
        }
        self.looks += 1;
        let is_token = matches!(self.source, Source::Pkcs11 { .. });
        let due = self.left > 0 || self.again || (is_token && self.looks >= LOOKS_OF_A_TOKEN);
        if due {
            self.looks = 0;
        }
        due
    }
}

fn then(settings: &AliasConfig) -> AfterImport {
    match settings.activate {
        Activation::OnImport => AfterImport::Activate,
        Activation::Manual | Activation::BeforeExpiry => AfterImport::ActivateIfNone,
    }
}
