//! What the process of a module does: it carries out what it is asked, and ends when nobody asks any more.
//!
//! It is our own program with a command that no one calls by hand. Its standard input is a socket to the process that has
//! started it; what the module writes goes to that one's log.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::panic;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::process::{DumpableBehavior, Signal, getpid, kill_process, set_dumpable_behavior};
use rustix::stdio::{dup2_stdin, dup2_stdout};
use tokio::signal::unix::{SignalKind, signal};

use super::executor::Executor;
use super::frame::{self, Frame};
use super::request::{Answer, Problem, Request};
use super::token::MOST_SESSIONS;

/// The command by which the program is started as this.
pub const COMMAND: &str = "pkcs11-module";

/// All sessions at work, and one that is opened or closed.
const WORKERS: usize = MOST_SESSIONS + 1;
/// For the module to end.
const TO_END: Duration = Duration::from_millis(500);

struct Helper {
    module: PathBuf,
    executor: OnceLock<Executor>,
    answers: Mutex<UnixStream>,
    at_work: AtomicUsize,
}

/// Serves a module until whoever asks is gone. It does not return.
///
/// # Errors
/// When standard input is no socket, or the system refuses what it needs.
pub fn serve(module: &Path) -> io::Result<()> {
    // It has a PIN in memory: no core dump, and nobody looks into it.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    outlive_signals()?;
    let asked = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    // A module may read and write there.
    dup2_stdin(File::open("/dev/null")?)?;
    dup2_stdout(io::stderr())?;
    let told = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        told(panic);
        die();
    }));
    let helper = Arc::new(Helper {
        module: module.to_owned(),
        executor: OnceLock::new(),
        answers: Mutex::new(asked.try_clone()?),
        at_work: AtomicUsize::new(0),
    });
    helper.listen(asked)
}

/// A service's manager, or a terminal, may tell all processes of a service to stop. Messages under way need this one.
fn outlive_signals() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    let _inside = runtime.enter();
    // What was caught once stays so.
    for kind in [
        SignalKind::terminate(),
        SignalKind::interrupt(),
        SignalKind::hangup(),
    ] {
        drop(signal(kind)?);
    }
    Ok(())
}

impl Helper {
    fn listen(self: &Arc<Self>, mut asked: UnixStream) -> io::Result<()> {
        let (give, take) = mpsc::channel();
        let take = Arc::new(Mutex::new(take));
        for _ in 0..WORKERS {
            let (helper, take) = (self.clone(), take.clone());
            thread::Builder::new().spawn(move || helper.work(&take))?;
        }
        loop {
            match frame::read::<Request>(&mut asked) {
                // Workers never end before.
                Ok(frame) => drop(give.send(frame)),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => self.end(),
                Err(error) => return Err(error),
            }
        }
    }

    fn work(&self, take: &Mutex<Receiver<Frame<Request>>>) {
        loop {
            let next = take.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(Frame { call, body }) = next else { return };
            self.at_work.fetch_add(1, Ordering::Relaxed);
            let body = self.carry_out(body);
            self.at_work.fetch_sub(1, Ordering::Relaxed);
            let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
            if let Err(error) = frame::write(&mut *answers, &Frame { call, body }) {
                let body: Result<Answer, _> = Err(Problem::Refused(error.to_string()));
                // If nobody listens, this process is about to end.
                let _ = frame::write(&mut *answers, &Frame { call, body });
            }
        }
    }

    fn carry_out(&self, request: Request) -> Result<Answer, Problem> {
        if matches!(request, Request::Start) && self.executor.get().is_none() {
            let executor = Executor::start(&self.module)?;
            let _first = self.executor.set(executor);
            return Ok(Answer::Done);
        }
        let executor = self.executor.get();
        let executor = executor.ok_or_else(|| Problem::Module("it did not start".to_owned()))?;
        executor.carry_out(request)
    }

    /// Ends the module, unless a call is under way, for as long as it may take, and this process.
    fn end(self: &Arc<Self>) -> ! {
        let (tell, told) = mpsc::channel();
        let helper = self.clone();
        let ending = thread::Builder::new().spawn(move || {
            if helper.at_work.load(Ordering::Relaxed) == 0
                && let Some(executor) = helper.executor.get()
            {
                executor.end();
            }
            let _ = tell.send(());
        });
        if ending.is_ok() {
            let _ = told.recv_timeout(TO_END);
        }
        die()
    }
}

/// Not by `exit`: what a library does then may hang as well.
fn die() -> ! {
    let _ = kill_process(getpid(), Signal::KILL);
    std::process::abort()
}
