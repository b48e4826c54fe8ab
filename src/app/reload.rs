//! The configuration, read again: on SIGHUP, or when a file that it is made of has changed. Checked first, then in
//! force as a whole; a wrong one changes nothing and says why.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::{JoinError, spawn_blocking};
use tokio::time::{MissedTickBehavior, interval};

use super::changes::Changes;
use super::running::{Checked, UnusableParts};
use super::{App, Core};
use crate::config::{Config, ConfigErrors};
use crate::files::Files;
use crate::keys::audit::Author;
use crate::keys::source::Source;
use crate::metrics::ReloadOutcome;
use crate::xml::text::Line;

/// How often the files are looked at. A reload waits for a look that finds nothing new, so that several files that are
/// exchanged in a row make one reload.
const LOOK: Duration = Duration::from_secs(1);
/// A change that leaves something wrong may be half of one, a certificate without its key: this many looks may pass
/// until it is told.
const PATIENCE: u32 = 3;
/// Records a minute, in the audit: a file that is written all the time must not fill it.
pub(super) const NOTES: u32 = 10;
/// Characters there of what has changed, or is wrong.
const NOTED: usize = 1000;

/// Reads the configuration anew.
pub type Origin = Arc<dyn Fn() -> Result<Config, ConfigErrors> + Send + Sync>;

/// Why the configuration stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// It is wrong.
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    /// A part of it is settled as the process starts.
    #[error("{} cannot change while countersign runs: restart it, or put the old value back", .0.join(", "))]
    Settled(Vec<&'static str>),
    /// What it names cannot be used.
    #[error(transparent)]
    Unusable(#[from] UnusableParts),
    /// We failed.
    #[error("the reload stopped midway: {0}")]
    Stopped(#[from] JoinError),
}

impl App {
    /// Reads the configuration again, and tells log and metrics how that went. What came before keeps the one it came to.
    ///
    /// # Errors
    /// When the configuration stays as it is.
    pub async fn reload(&self, origin: &Origin) -> Result<(), ReloadError> {
        let reloaded = self.core.try_reload(origin).await;
        self.core.report(&reloaded);
        reloaded.map(drop)
    }

    /// Reloads whenever a file changes, or at a SIGHUP; for as long as it is polled.
    pub async fn follow(&self, origin: &Origin, mut hangup: Hangup) {
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Looks that are left until a change is given up.
        let mut left = 0;
        loop {
            tokio::select! {
                () = hangup.heard() => {
                    tracing::info!("SIGHUP: reading the configuration again");
                    // It is told; nobody waits for it.
                    let _ = self.reload(origin).await;
                    left = 0;
                }
                _ = looks.tick() => left = self.core.look(origin, left).await,
            }
        }
    }
}

impl Core {
    /// One look at the files; how many are left then.
    async fn look(self: &Arc<Self>, origin: &Origin, left: u32) -> u32 {
        if self.have_files_changed().await {
            return PATIENCE;
        }
        if left == 0 {
            return 0;
        }
        let reloaded = self.try_reload(origin).await;
        match &reloaded {
            Err(problem) if left > 1 => {
                tracing::info!(%problem, "files have changed, perhaps not all yet; looking again");
                left - 1
            }
            Ok(_) | Err(_) => {
                self.report(&reloaded);
                0
            }
        }
    }

    async fn have_files_changed(self: &Arc<Self>) -> bool {
        let core = self.clone();
        // A network file system may take its time.
        let looked = spawn_blocking(move || {
            let mut files = core.files();
            let changed = files.changed();
            for file in &changed {
                tracing::info!(file = %file.display(), "changed");
            }
            !changed.is_empty()
        });
        looked.await.unwrap_or(false)
    }

    async fn try_reload(self: &Arc<Self>, origin: &Origin) -> Result<Changes, ReloadError> {
        let _one_at_a_time = self.reloading.lock().await;
        let (core, origin) = (self.clone(), origin.clone());
        spawn_blocking(move || core.exchange(&origin)).await?
    }

    /// Reads files, and derives keys from passwords.
    fn exchange(&self, origin: &Origin) -> Result<Changes, ReloadError> {
        self.look_first([]);
        let config = origin()?;
        let files: BTreeSet<_> = config.files().map(ToOwned::to_owned).collect();
        self.look_first(files.clone());

        let running = self.running.load();
        let settled = settled(&running.config, &config);
        if !settled.is_empty() {
            return Err(ReloadError::Settled(settled));
        }
        let now = self.clock.now();
        let aliases = &running.config.aliases;
        let is_in_force = |alias: &str, source: &Source| {
            let before = aliases.get(alias).and_then(|settings| settings.source.as_ref());
            before == Some(source)
        };
        let checked = Checked::check(config, &running.proxy, &is_in_force, now)?;
        let changes = Changes::between(&running.config, checked.config());
        self.publish(checked)?;
        self.files().keep_only(&files);
        Ok(changes)
    }

    /// Looks at files before they are read: what changes in between is seen at the next look.
    fn look_first(&self, further: impl IntoIterator<Item = PathBuf>) {
        let mut files = self.files();
        files.changed();
        files.add(further);
    }

    fn files(&self) -> MutexGuard<'_, Files> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn report(&self, reloaded: &Result<Changes, ReloadError>) {
        match reloaded {
            Ok(changes) => {
                self.metrics.config_reloaded(ReloadOutcome::Applied);
                tracing::info!(%changes, "the configuration was read again and is in force");
                self.note("configuration-applied", "changes", &changes.to_string());
            }
            Err(problem) => {
                self.metrics.config_reloaded(ReloadOutcome::Refused);
                tracing::error!(%problem, "the configuration was read again and refused; the one before stays in force");
                self.note("configuration-refused", "problem", &problem.to_string());
            }
        }
    }

    /// In the audit, beside: the disk may take its time.
    fn note(&self, what: &'static str, name: &str, said: &str) {
        let Some(omitted) = self.noted.due() else { return };
        let mut detail = BTreeMap::from([(name.to_owned(), Line(said, NOTED).to_string())]);
        if omitted > 0 {
            detail.insert("omitted".to_owned(), omitted.to_string());
        }
        let (keys, now) = (self.keys.clone(), self.clock.now());
        spawn_blocking(move || {
            let noted = keys.by(Author::configuration()).note(what, None, detail, now);
            if let Err(problem) = noted {
                tracing::warn!(%problem, what, "this is not in the audit");
            }
        });
    }
}

/// What has changed and cannot.
fn settled(old: &Config, new: &Config) -> Vec<&'static str> {
    let settings = [
        ("[proxy] listen", old.proxy.listen == new.proxy.listen),
        ("[admin] listen", old.admin.listen == new.admin.listen),
        ("[public] listen", public(old) == public(new)),
        ("[state] directory", old.state.directory == new.state.directory),
        (
            "[state] master_key_file",
            old.state.master_key_file == new.state.master_key_file,
        ),
        ("[log] format", old.log.format == new.log.format),
    ];
    let changed = settings.into_iter().filter(|(_, same)| !same);
    changed.map(|(setting, _)| setting).collect()
}

/// Where receivers find us, if they do.
fn public(config: &Config) -> Option<SocketAddr> {
    config.public.as_ref().map(|public| public.listen)
}

/// From now on, SIGHUP ends the process no more; it is heard here.
pub struct Hangup(Signal);

impl Hangup {
    /// Listens.
    ///
    /// # Errors
    /// When signals cannot be listened for.
    pub fn listen() -> io::Result<Self> {
        signal(SignalKind::hangup()).map(Self)
    }

    async fn heard(&mut self) {
        self.0.recv().await;
    }
}
