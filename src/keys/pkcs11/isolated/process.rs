//! The other end of a module's process: calls go out, answers come back in any order.

use std::collections::BTreeMap;
use std::io;
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::super::frame::{self, Frame};
use super::super::helper::COMMAND;
use super::super::request::{Answer, Problem, Request};
use super::output::{self, Withheld};

type Answered = Result<Answer, Problem>;

/// It reads at once what it is asked; who does not read is stopped.
const TO_WRITE: Duration = Duration::from_secs(5);
/// From its end until the system tells how it ended.
const TO_END: Duration = Duration::from_millis(500);
const MOMENT: Duration = Duration::from_millis(5);

/// A process with a module.
pub(super) struct Process {
    child: Mutex<Child>,
    socket: Mutex<UnixStream>,
    calls: Mutex<Calls>,
    /// No call is under way any more.
    over: Condvar,
    /// A call got no answer in time, or there is nobody to ask.
    unfit: AtomicBool,
    withheld: Withheld,
}

enum Calls {
    UnderWay {
        made: u64,
        waiting: BTreeMap<u64, SyncSender<Answered>>,
    },
    /// No more; says how it ended.
    Over(String),
}

impl Process {
    /// Starts one. It ends when its end of the socket does: with us, however we end.
    pub(super) fn spawn(module: &Path, token: &str) -> io::Result<Arc<Self>> {
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_write_timeout(Some(TO_WRITE))?;
        let answers = ours.try_clone()?;
        let mut child = Command::new(program()?)
            .arg0("countersign")
            .arg(COMMAND)
            .arg(module)
            .arg(token)
            .stdin(OwnedFd::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // Ctrl-C is for us: messages under way still need it.
            .process_group(0)
            .spawn()?;
        let (errors, withheld) = (child.stderr.take(), Withheld::default());
        let process = Arc::new(Self {
            child: Mutex::new(child),
            socket: Mutex::new(ours),
            calls: Mutex::new(Calls::UnderWay {
                made: 0,
                waiting: BTreeMap::new(),
            }),
            over: Condvar::new(),
            unfit: AtomicBool::new(false),
            withheld: withheld.clone(),
        });
        let listens = process.clone();
        let own_name = || thread::Builder::new().name("token".to_owned());
        let listening = own_name().spawn(move || listens.listen(answers));
        let token = token.to_owned();
        let logging = own_name().spawn(move || output::log(errors, &token, &withheld));
        if let Err(error) = listening.and(logging) {
            process.kill();
            return Err(error);
        }
        Ok(process)
    }

    /// Asks, and waits for the answer.
    pub(super) fn call(&self, body: Request, timeout: Duration) -> Answered {
        if let Request::LogIn { pin, .. } = &body {
            self.withheld.set(pin);
        }
        let (tell, told) = sync_channel(1);
        let call = self.register(tell)?;
        let written = frame::write(&mut *lock(&self.socket), &Frame { call, body });
        if let Err(error) = written {
            self.forget(call);
            if error.kind() == io::ErrorKind::InvalidInput {
                return Err(Problem::Refused(error.to_string()));
            }
            self.unfit.store(true, Ordering::Relaxed);
            self.kill();
            return Err(Problem::Lost(format!("its process cannot be asked: {error}")));
        }
        match told.recv_timeout(timeout) {
            Ok(answered) => answered,
            Err(RecvTimeoutError::Disconnected) => Err(self.how_it_ended()),
            Err(RecvTimeoutError::Timeout) => {
                self.forget(call);
                self.unfit.store(true, Ordering::Relaxed);
                Err(Problem::Hangs)
            }
        }
    }

    /// It runs, and every call got its answer in time.
    pub(super) fn answers(&self) -> bool {
        !self.is_unfit() && matches!(*lock(&self.calls), Calls::UnderWay { .. })
    }

    pub(super) fn is_unfit(&self) -> bool {
        self.unfit.load(Ordering::Relaxed)
    }

    /// Ends it, and waits for that: the next one may need the same device. It is asked to end the module first, for which
    /// it has a moment, unless that hangs.
    pub(super) fn end(&self) {
        if self.is_unfit() {
            self.kill();
        } else {
            // Who is gone is gone.
            let _ = lock(&self.socket).shutdown(Shutdown::Write);
        }
        let calls = lock(&self.calls);
        let under_way = |calls: &mut Calls| matches!(calls, Calls::UnderWay { .. });
        let waited = self.over.wait_timeout_while(calls, 2 * TO_END, under_way);
        let (calls, late) = waited.unwrap_or_else(PoisonError::into_inner);
        drop(calls);
        if late.timed_out() {
            self.kill();
        }
    }

    /// Ends it now.
    fn kill(&self) {
        // Whoever has it waits for its end already.
        if let Ok(mut child) = self.child.try_lock() {
            let _ = child.kill();
        }
        // A daemon that the module has left behind may have the other end.
        let _ = lock(&self.socket).shutdown(Shutdown::Both);
    }

    fn register(&self, tell: SyncSender<Answered>) -> Result<u64, Problem> {
        match &mut *lock(&self.calls) {
            Calls::UnderWay { made, waiting } => {
                *made += 1;
                waiting.insert(*made, tell);
                Ok(*made)
            }
            Calls::Over(how) => Err(Problem::Lost(how.clone())),
        }
    }

    fn forget(&self, call: u64) {
        self.answered(call);
    }

    fn answered(&self, call: u64) -> Option<SyncSender<Answered>> {
        match &mut *lock(&self.calls) {
            Calls::UnderWay { waiting, .. } => waiting.remove(&call),
            Calls::Over(_) => None,
        }
    }

    fn how_it_ended(&self) -> Problem {
        Problem::Lost(match &*lock(&self.calls) {
            Calls::Over(how) => how.clone(),
            Calls::UnderWay { .. } => "its process did not answer".to_owned(),
        })
    }

    /// Hands answers to whoever waits for them, until it ends; then nobody waits any more.
    fn listen(&self, mut answers: UnixStream) {
        while let Ok(Frame { call, body }) = frame::read::<Answered>(&mut answers) {
            if let Some(tell) = self.answered(call) {
                // Nobody waits for one that comes too late.
                let _ = tell.send(body);
            }
        }
        self.unfit.store(true, Ordering::Relaxed);
        self.kill();
        let how = self.ended();
        *lock(&self.calls) = Calls::Over(how);
        self.over.notify_all();
        // A process that hangs in the kernel is left to this thread.
        let _ = lock(&self.child).wait();
    }

    fn ended(&self) -> String {
        for _ in 0..TO_END.as_millis() / MOMENT.as_millis() {
            if let Ok(Some(status)) = lock(&self.child).try_wait() {
                return format!("its process ended ({status})");
            }
            thread::park_timeout(MOMENT);
        }
        "its process does not end".to_owned()
    }
}

/// This very program, even where another version has its name by now.
fn program() -> io::Result<PathBuf> {
    let own = Path::new("/proc/self/exe");
    if own.exists() {
        return Ok(own.to_owned());
    }
    std::env::current_exe()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
