//! Sources that are watched: a volume as Kubernetes mounts secrets, and pairs that are written file by file.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use countersign::keys::Certificate;
use countersign::keys::generate::SelfSigned;
use serde_json::Value;

use crate::support::admin::new_key;
use crate::support::eventually;
use crate::support::receiver::Receiver;
use crate::support::served::{Place, Served};
use crate::support::steady::Steady;

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
