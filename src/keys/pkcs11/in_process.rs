//! A module in our own process (`isolate = false`): for those that can be used by one process alone. A call that hangs
//! cannot be ended; its thread is left behind, so many of them, and the module is not started anew meanwhile.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::executor::Executor;
use super::request::{Answer, Problem, Request};
use super::token::MOST_SESSIONS;
use super::way::{TO_START, Way};

/// The modules of the process: each may be initialised only once.
static MODULES: LazyLock<Mutex<BTreeMap<PathBuf, Arc<Module>>>> = LazyLock::new(Mutex::default);

/// The way to a token in this process.
pub(super) struct InProcess {
    module: Arc<Module>,
    /// For one call.
    timeout: Duration,
    /// Calls of this token that have not come back.
    under_way: Arc<AtomicUsize>,
}

struct Module {
    path: PathBuf,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    executor: Option<Arc<Executor>>,
    starts: u64,
    /// Calls, of all tokens, that have not come back: it must not be ended meanwhile.
    inside: usize,
    /// Somebody starts or ends it.
    changing: bool,
}

impl InProcess {
    pub(super) fn new(module: &Path, timeout: Duration) -> Self {
        let mut modules = MODULES.lock().unwrap_or_else(PoisonError::into_inner);
        let module = modules.entry(module.to_owned()).or_insert_with(|| {
            Arc::new(Module {
                path: module.to_owned(),
                state: Mutex::default(),
                changed: Condvar::new(),
            })
        });
        Self {
            module: Arc::clone(module),
            timeout,
            under_way: Arc::default(),
        }
    }

    /// Waits for it on a thread of its own, for so long.
    fn within<T: Send + 'static>(
        &self,
        timeout: Duration,
        work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        if self.under_way.load(Ordering::Relaxed) > MOST_SESSIONS {
            return Err(Problem::Hangs);
        }
        let counted = Counted::new(&self.under_way);
        let (tell, told) = sync_channel(1);
        let spawned = thread::Builder::new().name("token".to_owned()).spawn(move || {
            let done = work();
            drop(counted);
            // Nobody waits for one that comes too late.
            let _ = tell.send(done);
        });
        spawned.map_err(|error| Problem::Lost(format!("there is no thread to ask it: {error}")))?;
        match told.recv_timeout(timeout) {
            Ok(done) => done,
            Err(RecvTimeoutError::Timeout) => Err(Problem::Hangs),
            Err(RecvTimeoutError::Disconnected) => Err(Problem::Lost("the call stopped midway".to_owned())),
        }
    }
}

impl Way for InProcess {
    fn start(&self) -> Result<u64, Problem> {
        let mut state = self.module.settled(self.timeout).ok_or(Problem::Hangs)?;
        if state.executor.is_some() {
            return Ok(state.starts);
        }
        state.changing = true;
        drop(state);
        let changing = Changing(self.module.clone());
        self.within(TO_START.max(self.timeout), move || {
            let executor = Executor::start(&changing.0.path)?;
            let mut state = changing.0.state();
            state.executor = Some(Arc::new(executor));
            state.starts += 1;
            Ok(state.starts)
        })
    }

    fn running(&self) -> Option<u64> {
        let state = self.module.state();
        state.executor.is_some().then_some(state.starts)
    }

    fn call(&self, start: u64, request: Request) -> Result<Answer, Problem> {
        let (executor, inside) = {
            let mut state = self.module.state();
            let executor = state.executor.clone().filter(|_| state.starts == start);
            let executor = executor.ok_or_else(|| Problem::Lost("its module was started anew".to_owned()))?;
            state.inside += 1;
            (executor, Inside(self.module.clone()))
        };
        self.within(self.timeout, move || {
            let done = executor.carry_out(request);
            drop(inside);
            done
        })
    }

    /// A thread cannot be ended.
    fn end_hung(&self) {}

    /// Sessions of the module's other tokens end with it; they are opened again when they are needed.
    fn end(&self) {
        let Some(mut state) = self
            .module
            .settled(Duration::ZERO)
            .filter(|state| state.inside == 0)
        else {
            return;
        };
        let Some(executor) = state.executor.take() else {
            return;
        };
        state.changing = true;
        drop(state);
        let changing = Changing(self.module.clone());
        // If it hangs, the next start finds that out.
        let _ = self.within(self.timeout, move || {
            executor.end();
            drop(changing);
            Ok(())
        });
    }
}

impl Module {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Once nobody starts or ends it, if that comes in time.
    fn settled(&self, patience: Duration) -> Option<MutexGuard<'_, State>> {
        let waited = self
            .changed
            .wait_timeout_while(self.state(), patience, |state| state.changing);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        (!state.changing).then_some(state)
    }
}

/// Counts one more until it is dropped.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A call that goes on.
struct Inside(Arc<Module>);

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.state().inside -= 1;
    }
}

/// A start or an end that goes on.
struct Changing(Arc<Module>);

impl Drop for Changing {
    fn drop(&mut self) {
        self.0.state().changing = false;
        self.0.changed.notify_all();
    }
}
