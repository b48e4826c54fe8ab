//! Sources that are watched: a volume as Kubernetes mounts secrets, and pairs that are written file by file.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use countersign::keys::Certificate;
use countersign::keys::generate::SelfSigned;
use serde_json::Value;

use crate::support::admin::{new_key, pem};
use crate::support::client::{Flow, SOAP11};
use crate::support::receiver::Receiver;
use crate::support::served::{Place, Served};
use crate::support::steady::Steady;
use crate::support::tool::run;
use crate::support::{eventually, within};

/// A directory whose files are links into `..data`, which is a link that is exchanged.
struct Volume {
    directory: PathBuf,
    versions: u32,
}

impl Volume {
    fn new(directory: PathBuf, key: &SelfSigned) -> Self {
        fs::create_dir(&directory).unwrap();
        let mut volume = Self {
            directory,
            versions: 0,
        };
        volume.exchange(&key.certificate_pem().unwrap(), &key.private_key_pem().unwrap());
        for file in ["tls.crt", "tls.key"] {
            symlink(format!("..data/{file}"), volume.directory.join(file)).unwrap();
        }
        volume
    }

    /// As the kubelet does it: a new directory, a new link, and a rename.
    fn exchange(&mut self, certificate: &[u8], private_key: &[u8]) {
        let old = self.directory.join(format!("..{}", self.versions));
        self.versions += 1;
        let new = format!("..{}", self.versions);
        let at = |name: &str| self.directory.join(name);
        fs::create_dir(at(&new)).unwrap();
        fs::write(at(&new).join("tls.crt"), certificate).unwrap();
        fs::write(at(&new).join("tls.key"), private_key).unwrap();
        symlink(&new, at("..data_tmp")).unwrap();
        fs::rename(at("..data_tmp"), at("..data")).unwrap();
        let _ = fs::remove_dir_all(old);
    }
}

fn sections(receiver: &Receiver, source: &Path, activate: &str) -> String {
    let (at, url) = (source.display(), receiver.url("/"));
    format!(
        "[proxy]\nlisten = \"127.0.0.1:0\"\n[alias.secret]\nactivate = \"{activate}\"\n\
         source = {{ certificate = \"{at}/tls.crt\", private_key = \"{at}/tls.key\" }}\n\
         [[route]]\nname = \"secret\"\npath = \"/secret\"\nreceiver = \"{url}\"\nalias = \"secret\"\n"
    )
}

fn fingerprint(key: &SelfSigned) -> String {
    let pem = key.certificate_pem().unwrap();
    let der = openssl::x509::X509::from_pem(&pem).unwrap().to_der().unwrap();
    Certificate::from_der(&der).unwrap().fingerprint().to_string()
}

fn has(alias: &Value, key: &str, state: &str) -> bool {
    let mut keys = alias["keys"].as_array().unwrap().iter();
    keys.any(|known| known["fingerprint"] == key && known["state"] == state)
}

async fn signed_by(served: &Served, key: &str) -> f64 {
    let short: String = key.chars().take(16).collect();
    let series = format!("countersign_messages_signed_total{{alias=\"secret\",key=\"{short}\"}}");
    served.metric(&series).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mounted_secret_goes_from_import_to_signed_messages_to_a_switch_under_load() {
    let receiver = Receiver::start().await;
    let (first, second) = (new_key("First"), new_key("Second"));
    let place = Place::new();
    let mut volume = Volume::new(place.path("secret"), &first);
    let served = place
        .serve(&sections(&receiver, &volume.directory, "manual"))
        .await;
    let load = Steady::start(served.proxy, "/secret");
    load.further(200, 20).await;
    let (first_name, second_name) = (fingerprint(&first), fingerprint(&second));
    assert!(signed_by(&served, &first_name).await > 0.0);

    volume.exchange(
        &second.certificate_pem().unwrap(),
        &second.private_key_pem().unwrap(),
    );
    let alias = served
        .until_alias("secret", |alias| has(alias, &second_name, "pending"))
        .await;
    assert!(has(&alias, &first_name, "active"));
    assert_eq!(served.activate("secret", &second_name).await.0, 200);
    load.further(200, 20).await;
    assert!(signed_by(&served, &second_name).await > 0.0);

    // The same again is nothing new, and neither is the old one.
    volume.exchange(
        &first.certificate_pem().unwrap(),
        &first.private_key_pem().unwrap(),
    );
    let log = || served.log().matches("tls.crt").count();
    eventually("it is seen", || log() >= 2).await;
    let came = load.stop().await;
    assert!(came.iter().all(|(status, _)| *status == 200), "{came:?}");
    let alias = served.alias("secret").await;
    assert!(has(&alias, &second_name, "active") && has(&alias, &first_name, "retired"));
    assert_eq!(alias["keys"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_a_pair_is_waited_for_and_a_wrong_one_is_told_once_and_displaces_nothing() {
    const USABLE: &str = "countersign_key_source_usable{alias=\"secret\"}";
    let receiver = Receiver::start().await;
    let (first, second) = (new_key("First"), new_key("Second"));
    let place = Place::new();
    let mut volume = Volume::new(place.path("secret"), &first);
    let served = place
        .serve(&sections(&receiver, &volume.directory, "on-import"))
        .await;
    let load = Steady::start(served.proxy, "/secret");
    load.further(200, 20).await;
    assert_eq!(served.metric(USABLE).await, 1.0);

    // Half of it: the certificate is new, the key is old. Then the other half.
    let half = second.certificate_pem().unwrap();
    volume.exchange(&half, &first.private_key_pem().unwrap());
    eventually("it waits", || served.log().contains("perhaps not all of it yet")).await;
    volume.exchange(&half, &second.private_key_pem().unwrap());
    let second_name = fingerprint(&second);
    served
        .until_alias("secret", |alias| has(alias, &second_name, "active"))
        .await;
    assert!(
        !served.log().contains("brings no key that may sign"),
        "{}",
        served.log()
    );

    // A wrong one that stays.
    volume.exchange(&half, &first.private_key_pem().unwrap());
    let alias = served
        .until_alias("secret", |alias| !alias["source_problem"].is_null())
        .await;
    let problem = alias["source_problem"].as_str().unwrap();
    assert!(
        problem.contains("no certificate in it belongs to the private key"),
        "{problem}"
    );
    assert!(has(&alias, &second_name, "active"));
    served.until(USABLE, |value| value == 0.0).await;
    load.further(200, 200).await;
    assert_eq!(
        served.log().matches("brings no key that may sign").count(),
        1,
        "{}",
        served.log()
    );

    volume.exchange(&half, &second.private_key_pem().unwrap());
    served
        .until_alias("secret", |alias| alias["source_problem"].is_null())
        .await;
    served.until(USABLE, |value| value == 1.0).await;
    assert!(served.log().contains("the alias's source can be used again"));
    let came = load.stop().await;
    assert!(came.iter().all(|(status, _)| *status == 200), "{came:?}");
    let first_name = fingerprint(&first);
    let alias = served.alias("secret").await;
    assert!(has(&alias, &second_name, "active") && has(&alias, &first_name, "retired"));
}

const MESSAGE: &str = include_str!("../messages/soap11.xml");

/// A pipe whose other end nobody opens, a file that is too large for any key, and a device without end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_file_in_the_place_of_one_alias_s_source_stops_nothing_else() {
    let receiver = Receiver::start().await;
    let sections = |receiver: &Receiver, more: &str| {
        format!(
            "[alias.invoices]\nsource = {{ certificate = \"invoices.pem\", private_key = \"invoices.pem\" }}\n\
             [proxy]\nlisten = \"127.0.0.1:0\"\n[[route]]\nname = \"orders\"\npath = \"/orders\"\n\
             receiver = \"{}\"\nalias = \"orders\"\n{more}",
            receiver.url("/")
        )
    };
    for (what, make) in [
        ("not a regular file", "mkfifo unfinished"),
        ("more than 1 MiB", "truncate -s 2G unfinished"),
        ("not a regular file", "ln -s /dev/zero unfinished"),
    ] {
        let place = Place::new();
        place.write("invoices.pem", pem(&new_key("Invoices")));
        let mut served = place.serve(&sections(&receiver, "")).await;
        let make = format!("{make} && mv unfinished invoices.pem");
        let directory = served.file("");
        run(&directory, "sh", ["-c", &make]);
        eventually("it is told", || served.log().contains(what)).await;

        served.exchange("orders.pem", pem(&new_key("Next")));
        served
            .until_alias("orders", |shown| shown["keys"].as_array().unwrap().len() == 2)
            .await;
        served.configure(&sections(&receiver, "self_check = 0.5\n"));
        eventually("it is reloaded", || served.log().contains("is in force")).await;
        let mut flow = Flow::connect(served.proxy).await;
        assert_eq!(flow.post("/orders", SOAP11, MESSAGE).await.status, 200);
        drop(flow);
        served.signal("TERM");
        assert!(served.ended().await.success(), "{}", served.log());
    }
}

/// Everything else that is named in a configuration.
#[tokio::test]
async fn a_pipe_in_the_place_of_any_file_is_told_at_once() {
    let right = "[alias.orders]\nsource = { pkcs12 = \"a.p12\", password_file = \"a\" }\n";
    for (sections, words) in [
        ("[admin]\ntoken_file = \"pipe\"\n", "pipe"),
        (
            "[[admin.access]]\nname = \"a\"\nrole = \"viewer\"\ntoken_file = \"pipe\"\n",
            "pipe",
        ),
        (
            "[admin]\ntls = { certificate = \"pipe\", private_key = \"pipe\" }\n",
            "pipe",
        ),
        (
            "[[events.sink]]\nname = \"a\"\nurl = \"https://a.example/\"\ntoken_file = \"pipe\"\n",
            "pipe",
        ),
        (
            "[[events.sink]]\nname = \"a\"\nurl = \"https://a.example/\"\nca = \"pipe\"\n",
            "pipe",
        ),
        (&right.replace("a.p12", "pipe"), "a"),
        (&right.replace("\"a\"", "\"pipe\""), "pipe"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        run(directory.path(), "mkfifo", ["pipe"]);
        let alias = if sections.contains("[alias") {
            ""
        } else {
            "[alias.orders]\n"
        };
        let route = "[[route]]\nname = \"a\"\npath = \"/a\"\nreceiver = \"http://127.0.0.1:9/\"\nalias = \"orders\"\n";
        let whole = format!("{sections}{alias}{route}");
        fs::write(directory.path().join("countersign.toml"), whole).unwrap();
        fs::write(directory.path().join("a"), "secret").unwrap();
        let checked = within(check(directory.path().to_owned())).await;
        assert!(
            checked.contains(words) && checked.contains("not a regular file"),
            "{sections}{checked}"
        );
    }
}

async fn check(directory: PathBuf) -> String {
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_countersign"))
        .args(["check", "--config", "countersign.toml"])
        .current_dir(directory)
        .kill_on_drop(true)
        .output();
    let output = output.await.unwrap();
    assert!(!output.status.success());
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_is_gone_at_a_start_stops_no_alias_that_has_a_key() {
    let receiver = Receiver::start().await;
    let place = Place::new();
    let volume = Volume::new(place.path("volume"), &new_key("Secret"));
    let sections = sections(&receiver, &volume.directory, "on-import");
    let mut served = place.serve(&sections).await;
    served
        .until_alias("secret", |alias| alias["keys"][0]["state"] == "active")
        .await;
    served.signal("TERM");
    served.ended().await;
    let away = volume.directory.with_extension("away");
    fs::rename(&volume.directory, &away).unwrap();
    served.start_again().await;
    let mut flow = Flow::connect(served.proxy).await;
    let message = include_str!("../messages/body-two-children.xml");
    assert_eq!(flow.post("/secret", SOAP11, message).await.status, 200);
    let alias = served
        .until_alias("secret", |alias| !alias["source_problem"].is_null())
        .await;
    let problem = alias["source_problem"].as_str().unwrap();
    assert!(
        problem.contains("tls.") && problem.contains("cannot be read"),
        "{problem}"
    );
    fs::rename(&away, &volume.directory).unwrap();
    served
        .until_alias("secret", |alias| alias["source_problem"].is_null())
        .await;
}
