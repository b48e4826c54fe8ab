//! What outlives a start, seen from outside: restarts, backups, a second process, disks that take nothing.

use std::fs;
use std::path::Path;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tempfile::tempdir;

use crate::support::admin::{new_key, pem};
use crate::support::client::{Flow, SOAP11};
use crate::support::countersign::countersign;
use crate::support::receiver::Receiver;
use crate::support::served::{Place, Served};
use crate::support::tool::{run, succeeds};
use crate::support::{eventually, within};

const ENVELOPE: &str =
    "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><a/></s:Body></s:Envelope>";

fn sections(receiver: &Receiver, further: &str) -> String {
    let receiver = receiver.url("/");
    format!(
        "[proxy]\nlisten = \"127.0.0.1:0\"\n{further}\n\
         [[route]]\nname = \"orders\"\npath = \"/orders\"\nreceiver = \"{receiver}\"\nalias = \"orders\"\n"
    )
}

/// Asks the admin listener; status and JSON.
async fn ask(served: &Served, method: Method, path: &str, body: Vec<u8>) -> (u16, Value) {
    let token = served.token();
    let request = Request::builder()
        .method(method)
        .uri(format!("http://{}{path}", served.admin))
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/x-pem-file")
        .body(Full::new(Bytes::from(body)))
        .unwrap();
    let client = Client::builder(TokioExecutor::new()).build_http();
    within(async {
        let response = client.request(request).await.unwrap();
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap_or_default())
    })
    .await
}

async fn import(served: &Served) -> (u16, Value) {
    ask(
        served,
        Method::POST,
        "/api/v1/aliases/orders/keys",
        pem(&new_key("Next")),
    )
    .await
}

async fn orders(served: &Served) -> Value {
    ask(served, Method::GET, "/api/v1/aliases/orders", Vec::new())
        .await
        .1
}

async fn post(served: &Served) -> u16 {
    let mut flow = Flow::connect(served.proxy).await;
    flow.post("/orders", SOAP11, ENVELOPE).await.status.as_u16()
}

async fn stop(served: &mut Served) {
    served.signal("TERM");
    assert!(served.ended().await.success());
}

#[tokio::test]
async fn a_restart_knows_switches_and_counts_and_the_source_undoes_nothing() {
    let receiver = Receiver::start().await;
    let mut served = Place::new().serve(&sections(&receiver, "")).await;
    let first = orders(&served).await["keys"][0]["fingerprint"].clone();
    let next = import(&served).await.1["fingerprint"]
        .as_str()
        .unwrap()
        .to_owned();
    let activate = format!("/api/v1/aliases/orders/keys/{next}/activate");
    // No body: its type does not matter.
    assert_eq!(ask(&served, Method::POST, &activate, Vec::new()).await.0, 200);
    for _ in 0..3 {
        assert_eq!(post(&served).await, 200);
    }
    let before = orders(&served).await;
    assert_eq!(before["keys"][0]["use_counts"]["signed"], 3);
    stop(&mut served).await;
    served.start_again().await;
    assert_eq!(orders(&served).await, before);
    assert_eq!(
        (
            &before["keys"][0]["fingerprint"],
            &before["keys"][1]["fingerprint"]
        ),
        (&Value::from(next), &first)
    );
    assert_eq!(post(&served).await, 200);
    assert_eq!(orders(&served).await["keys"][0]["use_counts"]["signed"], 4);
}

#[tokio::test]
async fn nothing_that_is_written_shows_a_private_key() {
    let receiver = Receiver::start().await;
    let mut served = Place::new().serve(&sections(&receiver, "")).await;
    assert_eq!(post(&served).await, 200);
    let metrics = served.metrics().await;
    let secret = fs::read_to_string(served.file("orders.pem")).unwrap();
    let secret: Vec<_> = secret
        .lines()
        .skip_while(|line| !line.contains("PRIVATE KEY"))
        .skip(1)
        .take_while(|line| !line.contains("PRIVATE KEY"))
        .collect();
    assert!(secret.len() > 1, "{secret:?}");
    stop(&mut served).await;
    let state = fs::read_dir(served.file("state")).unwrap();
    let state = state.flat_map(|entry| fs::read(entry.unwrap().path()).unwrap());
    let written = [metrics.into_bytes(), served.log().into_bytes(), state.collect()].concat();
    for line in secret {
        assert!(memchr::memmem::find(&written, line.as_bytes()).is_none());
    }
    assert!(memchr::memmem::find(&written, b"PRIVATE KEY").is_none());
}

#[tokio::test]
async fn a_second_process_is_refused_with_a_sentence() {
    let receiver = Receiver::start().await;
    let served = Place::new().serve(&sections(&receiver, "")).await;
    let directory = served.file("");
    let second =
        tokio::task::spawn_blocking(move || countersign(&directory, "serve --config countersign.toml"));
    let second = second.await.unwrap();
    assert_eq!(second.code, Some(1));
    assert!(
        second.stderr.contains("is in use by process"),
        "{}",
        second.stderr
    );
    assert!(second.stderr.contains("stop that one first"), "{}", second.stderr);
    assert_eq!(post(&served).await, 200);
}

#[tokio::test]
async fn a_backup_is_made_while_it_runs_and_restored_with_the_master_key_of_then() {
    let receiver = Receiver::start().await;
    let mut served = Place::new().serve(&sections(&receiver, "")).await;
    let of = served.file("");
    let command = async |arguments: &str| {
        let (directory, arguments) = (of.clone(), arguments.to_owned());
        tokio::task::spawn_blocking(move || countersign(&directory, &arguments))
            .await
            .unwrap()
    };
    let backup = command("state backup backup.db --config countersign.toml").await;
    assert!(
        backup.text().contains("the master key, which is not in it"),
        "{backup:?}"
    );
    let running = command("state rekey --config countersign.toml").await;
    assert!(running.stderr.contains("is in use by process"), "{running:?}");
    let before = orders(&served).await;
    stop(&mut served).await;

    let rekeyed = command("state rekey --config countersign.toml").await;
    assert_eq!(rekeyed.code, Some(0), "{rekeyed:?}");
    served.start_again().await;
    assert_eq!(orders(&served).await, before);
    stop(&mut served).await;

    for file in ["countersign.db", "countersign.db-wal", "countersign.db-shm"] {
        let _ = fs::remove_file(served.file("state").join(file));
    }
    let other_key = command("state restore backup.db --config countersign.toml").await;
    assert!(
        other_key
            .stderr
            .contains("give the one that the database was sealed with"),
        "{other_key:?}"
    );
    assert!(!served.file("state/countersign.db").exists());
}

#[tokio::test]
async fn a_restored_backup_is_what_it_was() {
    let receiver = Receiver::start().await;
    let mut served = Place::new().serve(&sections(&receiver, "")).await;
    let before = orders(&served).await;
    let of = served.file("");
    let command = async |arguments: &str| {
        let (directory, arguments) = (of.clone(), arguments.to_owned());
        tokio::task::spawn_blocking(move || countersign(&directory, &arguments))
            .await
            .unwrap()
    };
    assert_eq!(
        command("state backup backup.db --config countersign.toml")
            .await
            .code,
        Some(0)
    );
    import(&served).await;
    stop(&mut served).await;
    for file in ["countersign.db", "countersign.db-wal", "countersign.db-shm"] {
        let _ = fs::remove_file(served.file("state").join(file));
    }
    let older = command("state restore backup.db --config countersign.toml").await;
    assert_eq!(older.code, Some(1), "{older:?}");
    assert!(older.stderr.contains("--accept-older"), "{older:?}");
    let restored = command("state restore backup.db --accept-older --config countersign.toml").await;
    assert_eq!(restored.code, Some(0), "{restored:?}");
    assert!(restored.text().contains("Stopped are orders"), "{restored:?}");
    served.start_again().await;
    let mut stopped = orders(&served).await;
    assert!(stopped["unreviewed_since"].is_string(), "{stopped}");
    assert!(stopped["signs"].is_null(), "{stopped}");
    stopped["unreviewed_since"] = Value::Null;
    stopped["signs"] = before["signs"].clone();
    assert_eq!(stopped, before, "what came after the backup is gone");
    assert_ne!(post(&served).await, 200, "it is stopped");
    fs::write(served.file("next.pem"), pem(&new_key("Next"))).unwrap();
    let import = format!(
        "keys import orders --key next.pem --admin http://{}",
        served.admin
    );
    let imported = command(&import).await;
    assert!(
        imported
            .text()
            .ends_with("it signs again with\n  countersign keys reviewed orders\n"),
        "{imported:?}"
    );
    let reviewed = "/api/v1/aliases/orders/reviewed";
    assert_eq!(ask(&served, Method::POST, reviewed, Vec::new()).await.0, 200);
    assert_eq!(post(&served).await, 200);
}

#[tokio::test]
async fn a_start_in_a_hold_says_that_messages_wait() {
    let receiver = Receiver::start().await;
    let of_the_alias = "strategy = \"hold\"\n";
    let mut served = Place::new()
        .serve(&format!("{of_the_alias}{}", sections(&receiver, "")))
        .await;
    assert!(!served.log().contains("as before the restart"));
    assert_eq!(import(&served).await.0, 201);
    let of = served.file("");
    let hold = format!("renewal hold orders --wait --admin http://{}", served.admin);
    let held = tokio::task::spawn_blocking(move || countersign(&of, &hold))
        .await
        .unwrap();
    assert_eq!(held.code, Some(0), "{held:?}");
    stop(&mut served).await;
    served.start_again().await;
    let told = || served.log().contains("as before the restart");
    eventually("it is told", told).await;
    let log = served.log();
    let line = log.lines().find(|line| line.contains("as before the restart"));
    let line = line.unwrap();
    for word in ["WARN", "orders", "holding", "countersign renewal show"] {
        assert!(line.contains(word), "{line}");
    }
}

/// A small disk of its own, unmounted when dropped.
struct Disk(tempfile::TempDir);

impl Disk {
    /// `None` where nobody may mount.
    fn mount() -> Option<Self> {
        let disk = Self(tempdir().unwrap());
        let arguments = ["-t", "tmpfs", "-o", "size=2m,mode=700", "tmpfs"];
        let mounted = succeeds(
            Path::new("/"),
            "mount",
            arguments
                .iter()
                .map(AsRef::<std::ffi::OsStr>::as_ref)
                .chain([disk.0.path().as_os_str()]),
        );
        if !mounted {
            println!("this user may not mount: a full and a read-only disk are left out");
        }
        mounted.then_some(disk)
    }

    fn remount(&self, mode: &str) {
        let path = self.0.path().to_str().unwrap();
        run(Path::new("/"), "mount", ["-o", &format!("remount,{mode}"), path]);
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount")
            .arg("-l")
            .arg(self.0.path())
            .status();
    }
}

/// The command is refused and changes nothing; signing goes on; and it heals by itself.
#[tokio::test]
async fn on_a_full_disk_commands_are_refused_and_messages_signed() {
    let Some(disk) = Disk::mount() else { return };
    let receiver = Receiver::start().await;
    let state = disk.0.path().join("state");
    let further = format!("[state]\ndirectory = \"{}\"\n", state.display());
    let served = Place::new()
        .serve_with_state(&sections(&receiver, &further), &state)
        .await;
    served
        .until("countersign_state_writable", |value| value > 0.5)
        .await;
    let mut before = orders(&served).await;
    let filler = disk.0.path().join("filler");
    let full = fs::write(&filler, vec![0; 4 * 1024 * 1024]);
    assert!(full.is_err(), "the disk is small");
    // As long as the log has room of its own, it needs none of the disk's.
    let (mut status, mut problem) = import(&served).await;
    for _ in 0..100 {
        if status != 201 {
            break;
        }
        before = orders(&served).await;
        (status, problem) = import(&served).await;
    }
    let detail = problem["detail"].as_str().unwrap_or_default();
    assert_eq!(status, 503, "{problem}");
    assert!(detail.contains("is full; free some space"), "{detail}");
    assert!(detail.contains("Messages are signed as before"), "{detail}");
    assert_eq!(post(&served).await, 200);
    let mut after = orders(&served).await;
    after["keys"][0]["use_counts"] = before["keys"][0]["use_counts"].clone();
    after["keys"][0]["last_use"] = Value::Null;
    assert_eq!(after, before);
    served
        .until("countersign_state_writable", |value| value < 0.5)
        .await;
    fs::remove_file(&filler).unwrap();
    // The next writing of use counts, in ten seconds at most, finds it.
    served
        .until("countersign_state_writable", |value| value > 0.5)
        .await;
    assert_eq!(import(&served).await.0, 201);
}

#[tokio::test]
async fn on_a_read_only_directory_it_does_not_start() {
    let Some(disk) = Disk::mount() else { return };
    let directory = tempdir().unwrap();
    let state = disk.0.path().join("state");
    fs::create_dir(&state).unwrap();
    disk.remount("ro");
    fs::write(
        directory.path().join("countersign.toml"),
        format!(
            "[proxy]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n[state]\ndirectory = \"{}\"\n\
             [alias.orders]\n[[route]]\nname = \"o\"\npath = \"/o\"\nreceiver = \"http://127.0.0.1:9/\"\nalias = \"orders\"\n",
            state.display()
        ),
    )
    .unwrap();
    let path = directory.path().to_owned();
    let refused = tokio::task::spawn_blocking(move || countersign(&path, "serve --config countersign.toml"));
    let refused = refused.await.unwrap();
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("make it writable"), "{}", refused.stderr);
}
