//! A PKCS#11 module: a library that is loaded once in a process, for it may be initialised only once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, RwLock, RwLockReadGuard};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};

use super::{TokenError, in_words};

/// The modules of the process.
static MODULES: LazyLock<Mutex<BTreeMap<PathBuf, Arc<Module>>>> = LazyLock::new(Mutex::default);

/// A library, loaded or not.
pub(super) struct Module {
    path: PathBuf,
    /// Read by whoever calls the library: nobody is in it while it is ended and started anew.
    loaded: RwLock<Loaded>,
}

/// How it is.
#[derive(Default)]
pub(super) struct Loaded {
    library: Option<Pkcs11>,
    /// Counts starts: sessions and objects of another one are gone.
    pub(super) start: u64,
}

impl Module {
    /// The one of this path.
    pub(super) fn at(path: &Path) -> Arc<Self> {
        let mut modules = MODULES.lock().unwrap_or_else(PoisonError::into_inner);
        let module = modules.entry(path.to_owned()).or_insert_with(|| {
            Arc::new(Self {
                path: path.to_owned(),
                loaded: RwLock::default(),
            })
        });
        Arc::clone(module)
    }

    /// To call it; while this is held, it is not started anew.
    pub(super) fn enter(&self) -> Result<RwLockReadGuard<'_, Loaded>, TokenError> {
        let loaded = self.loaded.read().unwrap_or_else(PoisonError::into_inner);
        if loaded.library.is_some() {
            return Ok(loaded);
        }
        drop(loaded);
        self.start(0)?;
        Ok(self.loaded.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Ends and starts it, unless somebody else did since `seen`. Some modules find tokens that came, or came back,
    /// only then. Sessions of other tokens end with it; they are opened again when they are needed.
    pub(super) fn start(&self, seen: u64) -> Result<(), TokenError> {
        let mut loaded = self.loaded.write().unwrap_or_else(PoisonError::into_inner);
        if loaded.library.is_some() && loaded.start != seen {
            return Ok(());
        }
        let library = match loaded.library.take() {
            Some(library) => {
                // Finalising takes the handle; the library itself stays loaded. Whether it was well, the start tells.
                let _ = library.clone().finalize();
                Ok(library)
            }
            None => Pkcs11::new(&self.path),
        };
        loaded.start += 1;
        let started = library.and_then(|library| {
            match library.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
                Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(library),
                Err(error) => Err(error),
            }
        });
        loaded.library = Some(started.map_err(|error| self.unusable(&in_words(&error)))?);
        Ok(())
    }

    /// The library of one that was entered.
    pub(super) fn library<'a>(&self, loaded: &'a Loaded) -> Result<&'a Pkcs11, TokenError> {
        loaded
            .library
            .as_ref()
            .ok_or_else(|| self.unusable("it did not start"))
    }

    fn unusable(&self, problem: &str) -> TokenError {
        TokenError::Module {
            module: self.path.clone(),
            problem: problem.to_owned(),
        }
    }
}
