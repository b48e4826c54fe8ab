//! The n-th call to the file system fails, once or from then on, in a loop over n, for every command: what was
//! acknowledged is there after a kill, what was refused is not, and what is not known is told.
//!
//! The commands run in a process of their own, before whose libc `faults.c` is loaded. A kill is a copy of the files as the
//! system has them: what a killed process leaves.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::Command as Process;
use std::sync::atomic::Ordering;

use super::database::mutation::GUESSES;
use super::*;
use crate::cloud_events::outgoing::Subscription;
use crate::keys::CommandError;
use crate::keys::answer::{Answer, Cause, Verdict};
use crate::keys::generate::Wanted;

const CONTROL: &str = "FAULTS_CONTROL";
const UNDER: &str = "FAULTS_UNDER";

#[expect(clippy::print_stdout, reason = "whoever runs it wants the counts")]
#[test]
fn whatever_call_fails_nothing_is_told_that_is_not_so() {
    if let (Some(control), Some(under)) = (std::env::var_os(CONTROL), std::env::var_os(UNDER)) {
        return Bench::new(control.as_ref(), under.into()).run();
    }
    // In memory: what the disk takes is not what is looked at.
    let memory = Path::new("/dev/shm");
    let place = if memory.is_dir() {
        memory
    } else {
        Path::new("/tmp")
    };
    let place = tempfile::tempdir_in(place).unwrap();
    let library = place.path().join("faults.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/keys/store/tests/faults.c");
    let built = Process::new("cc")
        .args(["-O1", "-Wall", "-shared", "-fPIC", "-o"])
        .args([&library, &source])
        .arg("-ldl")
        .status();
    assert!(built.unwrap().success());
    let control = place.path().join("control");
    fs::write(&control, [0; 4096]).unwrap();
    let name = "keys::store::tests::faults::whatever_call_fails_nothing_is_told_that_is_not_so";
    let ran = Process::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env("LD_PRELOAD", &library)
        .env(CONTROL, &control)
        .env(UNDER, place.path().join("state"))
        .output()
        .unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&ran.stdout),
        String::from_utf8_lossy(&ran.stderr),
    );
    println!("{out}");
    assert!(ran.status.success(), "{out}\n{err}");
}

/// Kinds of calls, as `faults.c` has them.
const KINDS: [(&str, i64); 8] = [
    ("write", 1),
    ("fsync", 2),
    ("truncate", 4),
    ("open", 8),
    ("delete", 16),
    ("rename", 32),
    ("lock", 64),
    ("map", 128),
];

struct Faults(File);

impl Faults {
    fn set(&self, values: [i64; 5]) {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.0.write_all_at(&bytes, 0).unwrap();
    }

    fn arm(&self, kind: i64, call: i64, for_ever: bool) {
        self.set([kind, call, for_ever.into(), 0, 0]);
    }

    /// How many calls there were, and how many of them failed.
    fn disarm(&self) -> (i64, i64) {
        let mut counts = [0; 16];
        self.0.read_exact_at(&mut counts, 24).unwrap();
        self.set([0; 5]);
        let (seen, failed) = counts.split_at(8);
        let number = |bytes: &[u8]| i64::from_le_bytes(bytes.try_into().unwrap());
        (number(seen), number(failed))
    }
}

/// What is done under faults.
type Act = fn(&Keys) -> Result<(), CommandError>;

const ACTS: [(&str, Act); 17] = [
    ("import", |keys| {
        let imported = operator(keys).import(ALIAS, material(5), AfterImport::StayPending, NOW);
        imported.map(drop)
    }),
    ("activate", |keys| {
        operator(keys).activate(ALIAS, fingerprint(3), None, NOW)
    }),
    ("activate at", |keys| {
        let schedule = Schedule {
            at: NOW + DAY,
            replaces: None,
            first: false,
        };
        operator(keys).activate_at(ALIAS, fingerprint(3), schedule, false, NOW)
    }),
    ("rollback", |keys| operator(keys).rollback(ALIAS, NOW)),
    ("revoke", |keys| {
        let successor = Some(Replacement::Successor(fingerprint(3)));
        operator(keys).revoke(ALIAS, fingerprint(2), "lost".parse().unwrap(), successor, NOW)
    }),
    ("discard", |keys| {
        operator(keys).discard(ALIAS, fingerprint(3), NOW)
    }),
    ("purge", |keys| {
        operator(keys).purge(ALIAS, fingerprint(4), true, NOW)
    }),
    ("generate", |keys| {
        let made = operator(keys).await_certificate(ALIAS, wanted("CN=Second"), NOW);
        match made {
            Ok(_) => Ok(()),
            Err(crate::keys::GenerationError::Command(error)) => Err(error),
            Err(error) => panic!("{error}"),
        }
    }),
    ("discard a request", |keys| {
        let waiting = keys.waiting(ALIAS).remove(0);
        operator(keys).discard_waiting(ALIAS, waiting.public_key(), NOW)
    }),
    ("note", |keys| {
        operator(keys).note("receiver-probed", Some(ALIAS), BTreeMap::new(), NOW)
    }),
    ("start a renewal", |keys| {
        let started = operator(keys).start_renewal(ALIAS, Some(fingerprint(3)), Vec::new(), NOW);
        started.map(drop)
    }),
    ("publish", |keys| {
        operator(keys).publish(OTHER, &renewal(keys), NOW)
    }),
    ("link", |keys| {
        operator(keys)
            .link(OTHER, &renewal(keys), RECEIVER, NOW)
            .map(drop)
    }),
    ("confirm", |keys| {
        operator(keys).confirm(OTHER, &renewal(keys), RECEIVER, NOW)
    }),
    ("abort", |keys| operator(keys).abort(OTHER, &renewal(keys), NOW)),
    ("event", |keys| {
        let rollback = keys
            .by(Author::token("hr").because_of(cause("new")))
            .rollback(ALIAS, NOW);
        match rollback {
            Err(CommandError::Repeated(_)) => Ok(()),
            done => done,
        }
    }),
    ("remember", |keys| {
        let nothing = Answer {
            verdict: Verdict::Ignored,
            reason: "nothing".to_owned(),
        };
        Ok(keys.remember(&cause("new"), ALIAS, &nothing, NOW)?)
    }),
];

const OTHER: &str = "invoices";
const RECEIVER: &str = "https://erp.example.com:443";

fn operator(keys: &Keys) -> crate::keys::Operator<'_> {
    keys.by(Author::cli())
}

fn renewal(keys: &Keys) -> crate::keys::RenewalId {
    keys.ring()
        .alias(OTHER)
        .unwrap()
        .open_renewal()
        .unwrap()
        .id
        .clone()
}

fn wanted(subject: &str) -> crate::keys::generate::KeyPair {
    let wanted = Wanted {
        algorithm: KeyAlgorithm::P256,
        subject: subject.parse().unwrap(),
        alternative_names: Vec::new(),
    };
    wanted.generate().unwrap()
}

fn cause(id: &str) -> Cause {
    Cause {
        source: "/hr".to_owned(),
        id: id.to_owned(),
        kind: "io.countersign.key.rollback".to_owned(),
        caller: "hr".to_owned(),
        digest: [1; 32],
    }
}

fn opened(directory: &Path) -> Keys {
    let policies = [ALIAS, OTHER].map(|alias| (alias.to_owned(), Policy::default()));
    let keys = Keys::open(open(directory), &policies.into(), Vec::new(), NOW).unwrap();
    keys.subscribe(vec![Subscription {
        sink: "ops".to_owned(),
        types: None,
        aliases: None,
    }]);
    keys
}

/// Everything that outlives a start, but for use counts.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Snapshot {
    records: u64,
    all: String,
}

impl Snapshot {
    fn of(keys: &Keys) -> Self {
        let ring = keys.ring();
        let aliases = ring.aliases().map(|(alias, own)| {
            let entries = own.remembered();
            let states: Vec<_> = entries
                .map(|entry| (entry.fingerprint().clone(), entry.state))
                .collect();
            let waiting = keys.waiting(alias);
            let mut waiting: Vec<_> = waiting
                .iter()
                .map(|waiting| waiting.public_key().clone())
                .collect();
            waiting.sort(); // those of one moment have no order
            format!("{alias}: {states:?} {waiting:?} {:?}", own.renewals())
        });
        let head = keys.store_status().audit_head();
        let outbox = keys.outbox().depth("ops");
        let answer = keys.answer(&cause("new"), ALIAS);
        Self {
            records: head.records,
            all: format!("{head} {outbox:?} {answer:?} {:?}", aliases.collect::<Vec<_>>()),
        }
    }
}

struct Bench {
    faults: Faults,
    /// Calls on files of this name fail.
    state: PathBuf,
    template: TempDir,
}

/// Whether the log has something before the command writes to it: closing the database throws an empty one away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Log {
    Empty,
    Begun,
}

impl Bench {
    fn new(control: &Path, state: PathBuf) -> Self {
        let place = state.parent().unwrap();
        let template = tempfile::tempdir_in(place).unwrap();
        let keys = opened(template.path());
        for number in 1..5 {
            let then = if number < 3 {
                AfterImport::Activate
            } else {
                AfterImport::StayPending
            };
            operator(&keys)
                .import(ALIAS, material(number), then, NOW)
                .unwrap();
        }
        let (lost, now) = ("lost".parse().unwrap(), NOW);
        operator(&keys)
            .revoke(ALIAS, fingerprint(4), lost, None, now)
            .unwrap();
        operator(&keys)
            .await_certificate(ALIAS, wanted("CN=First"), now)
            .unwrap();
        for (number, then) in [(1, AfterImport::Activate), (2, AfterImport::StayPending)] {
            operator(&keys)
                .import(OTHER, material(number), then, now)
                .unwrap();
        }
        operator(&keys)
            .start_renewal(OTHER, None, vec![RECEIVER.to_owned()], now)
            .unwrap();
        drop(keys);
        Self {
            faults: Faults(File::options().read(true).write(true).open(control).unwrap()),
            state,
            template,
        }
    }

    /// On a copy of the template, with what it has.
    fn fresh(&self, log: Log) -> (Keys, Snapshot) {
        let _ = fs::remove_dir_all(&self.state);
        copy(self.template.path(), &self.state);
        let keys = opened(&self.state);
        if log == Log::Begun {
            let noted = operator(&keys).note("receiver-probed", Some(OTHER), BTreeMap::new(), NOW);
            noted.unwrap();
        }
        let before = Snapshot::of(&keys);
        (keys, before)
    }

    /// What a process finds that starts after this one was killed now.
    fn after_a_kill(&self) -> Snapshot {
        Snapshot::of(&opened(self.state_left().path()))
    }

    #[expect(clippy::print_stdout, reason = "whoever runs it wants the counts")]
    fn run(&self) {
        let mut whole = Counts::default();
        for (kind_name, kind) in KINDS {
            for (log, for_ever) in [
                (Log::Begun, false),
                (Log::Begun, true),
                (Log::Empty, false),
                (Log::Empty, true),
            ] {
                let mut counts = Counts::default();
                let tried = |name: &str| is_tried(name, kind_name, log, for_ever);
                for (name, act) in ACTS.into_iter().filter(|(name, _)| tried(name)) {
                    let (calls, all) = self.calls(name, act, kind, log);
                    for call in 1..=calls {
                        let case = format!(
                            "{name}, {kind_name} {call} of {calls}, for ever: {for_ever}, log: {log:?}"
                        );
                        counts.count(&self.case(&case, act, [kind, call], (log, for_ever), all));
                    }
                }
                if counts.cases() > 0 {
                    let how = if for_ever { "for ever" } else { "once" };
                    println!("{kind_name:8} {how:8} log {log:?}: {counts}");
                }
                whole.add(&counts);
            }
        }
        println!("{} commands, {} kinds of calls: {whole}", ACTS.len(), KINDS.len());
        assert!(whole.unknown > 0 && whole.refused > 0, "hardly anything failed");
        self.finds_who_guesses();
    }

    /// How many calls of a kind a command makes, and how many records there are after it.
    fn calls(&self, name: &str, act: Act, kind: i64, log: Log) -> (i64, u64) {
        let (keys, before) = self.fresh(log);
        self.faults.arm(kind, i64::MAX, false);
        act(&keys).unwrap();
        let (calls, _) = self.faults.disarm();
        let all = Snapshot::of(&keys);
        assert_ne!(all, before, "{name} does something");
        (calls, all.records)
    }

    fn case(
        &self,
        case: &str,
        act: Act,
        [kind, call]: [i64; 2],
        (log, for_ever): (Log, bool),
        all: u64,
    ) -> Told {
        let (keys, before) = self.fresh(log);
        self.faults.arm(kind, call, for_ever);
        let done = act(&keys);
        assert!(self.faults.disarm().1 > 0, "{case}: nothing failed");
        let found = self.after_a_kill();
        let told = judge(case, &done, &found, &before, all);
        self.recovers(case, &told, &keys, &found, &before, all);
        told
    }

    /// A store that takes a failed commit for one that was not made is found.
    #[expect(clippy::print_stdout, reason = "whoever runs it wants the counts")]
    fn finds_who_guesses(&self) {
        let (name, act) = ACTS[1];
        let sync = KINDS[1].1;
        let (calls, all) = self.calls(name, act, sync, Log::Begun);
        GUESSES.store(true, Ordering::Relaxed);
        let found = (1..=calls).filter(|call| {
            let case = || self.case("guessing", act, [sync, *call], (Log::Begun, true), all);
            catch_unwind(AssertUnwindSafe(case)).is_err()
        });
        let found = found.count();
        GUESSES.store(false, Ordering::Relaxed);
        println!(
            "who guesses what became of a commit is found by {found} of {calls} failing calls of {name}"
        );
        assert!(found > 0);
    }

    /// What the process leaves that is killed now.
    fn state_left(&self) -> TempDir {
        let left = tempfile::tempdir_in(self.state.parent().unwrap()).unwrap();
        copy(&self.state, left.path());
        left
    }

    /// The calls do not fail any more: the process finds by itself what is there, and goes by it.
    fn recovers(&self, case: &str, told: &Told, keys: &Keys, found: &Snapshot, before: &Snapshot, all: u64) {
        crate::keys::upkeep::Upkeep::new(keys.clone(), crate::clock::Clock::from_fn(|| NOW)).write_uses();
        drop(keys.writer());
        assert!(keys.store_status().is_writable(), "{case}");
        let healed = Snapshot::of(keys);
        match told {
            Told::Done => assert_eq!(healed, *found, "{case}"),
            Told::Refused => assert_eq!(healed, *before, "{case}"),
            Told::Unknown => {
                assert!([before.records, all].contains(&healed.records), "{case}");
                assert_eq!(healed, self.after_a_kill(), "{case}: it shows what is not there");
            }
        }
        assert!(keys.audit_trail().verify(None).is_ok(), "{case}");
    }
}

/// What was told is held against what a process finds that starts then.
fn judge(case: &str, done: &Result<(), CommandError>, found: &Snapshot, before: &Snapshot, all: u64) -> Told {
    match done {
        Ok(()) => {
            assert_ne!(found, before, "{case}: acknowledged, and not there");
            Told::Done
        }
        Err(CommandError::Store(StoreError::Unknown { .. })) => {
            assert!(
                [before.records, all].contains(&found.records),
                "{case}: half of it is there"
            );
            Told::Unknown
        }
        Err(error) => {
            assert_eq!(found, before, "{case}: {error}");
            assert!(error.to_string().contains("was not made"), "{case}: {error}");
            Told::Refused
        }
    }
}

enum Told {
    Done,
    Refused,
    Unknown,
}

#[derive(Default)]
struct Counts {
    done: usize,
    refused: usize,
    unknown: usize,
}

impl Counts {
    fn cases(&self) -> usize {
        self.done + self.refused + self.unknown
    }

    fn count(&mut self, told: &Told) {
        match told {
            Told::Done => self.done += 1,
            Told::Refused => self.refused += 1,
            Told::Unknown => self.unknown += 1,
        }
    }

    fn add(&mut self, other: &Self) {
        self.done += other.done;
        self.refused += other.refused;
        self.unknown += other.unknown;
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            done,
            refused,
            unknown,
        } = self;
        let cases = self.cases();
        write!(
            f,
            "{cases} cases: {done} acknowledged, {refused} refused, {unknown} not known"
        )
    }
}

/// SQLite takes the same locks, and many, for each command; one that fails for ever is to it one that somebody else has, for
/// which it waits its time.
fn is_tried(name: &str, kind: &str, log: Log, for_ever: bool) -> bool {
    match kind {
        "lock" => name == "activate" && log == Log::Begun && !for_ever,
        "fsync" | "truncate" => true,
        _ => log == Log::Begun,
    }
}

/// All files but those that a new process makes anew.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        if !["lock", "countersign.db-shm"]
            .iter()
            .any(|left_out| name == *left_out)
        {
            fs::copy(entry.path(), to.join(name)).unwrap();
        }
    }
}
