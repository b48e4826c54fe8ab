//! Work that may never end, as a read from a network file system or a call into a token's module, done on a thread of its
//! own: whoever wants it waits for a bounded time, and what hangs is asked nothing more until it has answered.
//!
//! A thread that hangs cannot be ended, only left. So their number is bounded, too.

use std::collections::HashSet;
use std::sync::mpsc::{RecvTimeoutError, Sender, SyncSender, TryRecvError, channel, sync_channel};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Threads that hang; beyond it nothing is begun that may.
const MOST: usize = 64;
/// Threads that wait for the next work.
const IDLE: usize = 8;

/// No answer in time, or none to what was asked before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it does not answer; it is asked again once it does")]
pub struct Hangs;

type Work = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Threads {
    idle: Vec<Sender<Work>>,
    /// What is asked there and has not answered in time.
    hanging: HashSet<String>,
}

static THREADS: LazyLock<Mutex<Threads>> = LazyLock::new(Mutex::default);

/// Does the work, unless `what` hangs already; for so long the caller waits.
///
/// # Errors
/// When it has not ended by then, or something of the same name has not.
pub fn within<T: Send + 'static>(
    limit: Duration,
    what: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Hangs> {
    let thread = idle_thread(what)?;
    let (done, answer) = sync_channel(1);
    let mut end = End {
        name: what.to_owned(),
        done: Some(done),
        worked: None,
    };
    let work = move || {
        end.worked = Some(work());
        drop(end);
    };
    thread.send(Box::new(work)).map_err(|_| Hangs)?;
    match answer.recv_timeout(limit) {
        Ok(worked) => {
            let mut threads = threads();
            if threads.idle.len() < IDLE {
                threads.idle.push(thread);
            }
            Ok(worked)
        }
        // It panicked; its thread is gone.
        Err(RecvTimeoutError::Disconnected) => Err(Hangs),
        Err(RecvTimeoutError::Timeout) => {
            let mut threads = threads();
            match answer.try_recv() {
                Ok(worked) => return Ok(worked),
                Err(TryRecvError::Disconnected) => {}
                Err(TryRecvError::Empty) => drop(threads.hanging.insert(what.to_owned())),
            }
            Err(Hangs)
        }
    }
}

/// Of work, done or panicked.
struct End<T> {
    name: String,
    done: Option<SyncSender<T>>,
    worked: Option<T>,
}

impl<T> Drop for End<T> {
    /// Under the lock, so that nobody takes it for hanging after it has ended.
    fn drop(&mut self) {
        let mut threads = threads();
        threads.hanging.remove(&self.name);
        if let (Some(done), Some(worked)) = (self.done.take(), self.worked.take()) {
            let _nobody_waits = done.send(worked);
        }
    }
}

fn idle_thread(what: &str) -> Result<Sender<Work>, Hangs> {
    let mut threads = threads();
    if threads.hanging.contains(what) || threads.hanging.len() >= MOST {
        return Err(Hangs);
    }
    if let Some(thread) = threads.idle.pop() {
        return Ok(thread);
    }
    let (sender, receiver) = channel::<Work>();
    let work = move || receiver.into_iter().for_each(|work| work());
    // It is never waited for: it ends when nobody has work for it, or with the process.
    thread::Builder::new()
        .name("aside".to_owned())
        .spawn(work)
        .map_err(|_| Hangs)?;
    Ok(sender)
}

fn threads() -> MutexGuard<'static, Threads> {
    THREADS.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn what_ends_in_time_is_had() {
        assert_eq!(within(LONG, "a sum", || 1 + 1), Ok(2));
    }

    #[test]
    fn what_hangs_is_left_and_asked_again_once_it_answers() {
        let (let_go, wait) = channel::<()>();
        let hung = within(SHORT, "a mount", move || wait.recv().is_ok());
        assert_eq!(hung, Err(Hangs));
        assert_eq!(within(LONG, "a mount", || 1), Err(Hangs), "at once");
        assert_eq!(within(LONG, "another", || 1), Ok(1), "nobody else waits");
        drop(let_go);
        while within(LONG, "a mount", || 1).is_err() {
            thread::yield_now();
        }
    }

    #[test]
    fn what_panics_is_no_work_done() {
        let panicked = within(LONG, "a bug", || -> u8 { panic!("on purpose") });
        assert_eq!(panicked, Err(Hangs));
        assert_eq!(within(LONG, "a bug", || 1), Ok(1));
    }
}
