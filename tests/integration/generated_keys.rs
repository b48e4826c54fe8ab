//! Keys that the proxy generates: OpenSSL reads the request, a certification authority made by OpenSSL answers it, and
//! the answer finds its key, in whatever form it comes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::admin::TestAdmin;
use crate::support::tool::openssl;

async fn keys(admin: &TestAdmin, arguments: &[&str]) -> Output {
    let url = format!("http://{}", admin.address);
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    command.arg("keys").args(arguments).args(["--admin", &url]);
    command
        .current_dir(admin.directory.path())
        .output()
        .await
        .unwrap()
}

async fn succeeds(admin: &TestAdmin, arguments: &[&str]) -> String {
    let output = keys(admin, arguments).await;
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

async fn fails(admin: &TestAdmin, arguments: &[&str]) -> String {
    let output = keys(admin, arguments).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

async fn alias(admin: &TestAdmin) -> Value {
    admin.get("/api/v1/aliases/orders").await.json()
}

/// A root and an intermediate authority.
fn authorities(directory: &Path) {
    for (name, by) in [("root", ""), ("intermediate", "-CA root.pem -CAkey root.key")] {
        let key = "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256";
        openssl(directory, &format!("{key} -out {name}.key"));
        openssl(
            directory,
            &format!(
                "req -x509 -new -days 30 -key {name}.key -subj /CN={name} {by} -addext basicConstraints=critical,CA:TRUE \
                 -out {name}.pem"
            ),
        );
    }
}

/// Signs `request.pem` as an authority does that copies what is asked for.
fn sign_request(directory: &Path) {
    openssl(
        directory,
        "x509 -req -in request.pem -CA intermediate.pem -CAkey intermediate.key -days 10 -copy_extensions copyall -out \
         leaf.pem",
    );
}

/// The forms in which authorities answer, and how many certificates of the path are in each.
const FORMS: [(&str, usize); 5] = [
    ("answer.pem", 3),
    ("answer.p7b", 3),
    ("answer.p7c", 3),
    ("leaf.der", 1),
    ("leaf.pem", 1),
];

/// Answers `request.pem` in every form.
fn answer(directory: &Path) {
    sign_request(directory);
    let chain = ["root.pem", "leaf.pem", "intermediate.pem"];
    let answer = chain.map(|file| fs::read(directory.join(file)).unwrap()).concat();
    fs::write(directory.join("answer.pem"), answer).unwrap();
    for form in [
        "crl2pkcs7 -nocrl -certfile answer.pem -out answer.p7b",
        "crl2pkcs7 -nocrl -certfile answer.pem -outform DER -out answer.p7c",
        "x509 -in leaf.pem -outform DER -out leaf.der",
    ] {
        openssl(directory, form);
    }
}

/// Generates a key, and leaves its request in `request.pem`.
async fn generate(admin: &TestAdmin, key_type: &str, subject: &str) -> Value {
    let generate = ["generate", "orders", "--type", key_type, "--subject", subject];
    let names = ["--san", "DNS:sender.example.com", "--san", "IP:192.0.2.1"];
    let said = succeeds(admin, &[&generate[..], &names].concat()).await;
    let waiting = alias(admin).await["waiting"][0].clone();
    let public_key = waiting["public_key"].as_str().unwrap();
    assert!(said.contains(public_key), "{said}");
    assert!(succeeds(admin, &["list"]).await.contains(public_key));
    let request = succeeds(admin, &["request", "orders", public_key]).await;
    assert!(said.ends_with(&request), "{said}");
    fs::write(admin.directory.path().join("request.pem"), &request).unwrap();
    waiting
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_one_that_openssl_verifies_and_the_answer_becomes_a_pending_key() {
    let admin = TestAdmin::start().await;
    let at = admin.directory.path();
    authorities(at);
    let types = ["rsa-2048", "rsa-3072", "p-256", "p-384", "ed25519"];
    for ((file, path), key_type) in FORMS.into_iter().zip(types) {
        let subject = format!("CN=Orders {key_type},O=Example,C=DE");
        let waiting = generate(&admin, key_type, &subject).await;
        assert_eq!(waiting["key_type"].as_str().unwrap().to_lowercase(), key_type);
        assert_eq!(waiting["subject"], subject.as_str());
        let text = openssl(at, "req -in request.pem -verify -noout -text -nameopt RFC2253");
        for part in [
            &format!("Subject: {subject}"),
            "X509v3 Key Usage: critical",
            "Digital Signature",
            "X509v3 Subject Key Identifier",
            "DNS:sender.example.com, IP Address:192.0.2.1",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }

        answer(at);
        let said = succeeds(&admin, &["import", "orders", "--certificate", file]).await;
        assert!(said.contains("it is pending"), "{said}");
        let shown = alias(&admin).await;
        assert_eq!(shown["waiting"], json!([]), "it waits no more");
        let mut keys = shown["keys"].as_array().unwrap().iter();
        let key = keys.find(|key| key["state"] == "pending").unwrap();
        assert_eq!(key["issuer"], "CN=intermediate");
        let fingerprint = key["fingerprint"].as_str().unwrap();
        let exported = succeeds(&admin, &["export", "orders", fingerprint, "--chain"]).await;
        assert_eq!(exported.matches("BEGIN CERTIFICATE").count(), path, "{file}");
        succeeds(&admin, &["activate", "orders", fingerprint]).await;

        let again = succeeds(&admin, &["import", "orders", "--certificate", file]).await;
        assert!(again.contains("knows this key already; it is active"), "{again}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_for_another_key_or_one_that_may_not_sign_is_refused_and_the_key_waits_on() {
    let admin = TestAdmin::start().await;
    let at = admin.directory.path();
    authorities(at);
    let import = ["import", "orders", "--certificate", "leaf.pem"];
    fs::copy(at.join("root.pem"), at.join("leaf.pem")).unwrap();
    let refused = fails(&admin, &import).await;
    assert!(refused.contains("none waits: generate one first"), "{refused}");

    succeeds(
        &admin,
        &["generate", "orders", "--type", "p-256", "--subject", "CN=Orders"],
    )
    .await;
    let refused = fails(&admin, &import).await;
    assert!(
        refused.contains("(CN=root)") && refused.contains("there wait: CN=Orders"),
        "{refused}"
    );
    fs::write(at.join("leaf.pem"), "not a certificate").unwrap();
    let refused = fails(&admin, &import).await;
    assert!(
        refused.contains("leaf.pem: there is no certificate in it"),
        "{refused}"
    );

    let public_key = alias(&admin).await["waiting"][0]["public_key"]
        .as_str()
        .unwrap()
        .to_owned();
    let request = succeeds(&admin, &["request", "orders", &public_key]).await;
    fs::write(at.join("request.pem"), request).unwrap();
    fs::write(at.join("usage"), "keyUsage=critical,keyEncipherment\n").unwrap();
    let sign = "x509 -req -in request.pem -CA root.pem -CAkey root.key";
    openssl(at, &format!("{sign} -days 10 -extfile usage -out leaf.pem"));
    let refused = fails(&admin, &import).await;
    assert!(
        refused.contains("does not permit digital signatures"),
        "{refused}"
    );
    openssl(at, &format!("{sign} -days -1 -out leaf.pem"));
    let refused = fails(&admin, &import).await;
    assert!(refused.contains("expired on"), "{refused}");
    assert_eq!(
        alias(&admin).await["waiting"][0]["public_key"],
        public_key.as_str()
    );

    succeeds(&admin, &["discard", "orders", &public_key]).await;
    assert_eq!(alias(&admin).await["waiting"], json!([]));
    let refused = fails(&admin, &["request", "orders", &public_key]).await;
    assert!(refused.contains("no key of orders that waits"), "{refused}");
    let audit = admin.get("/api/v1/audit").await.json().to_string();
    assert!(
        audit.contains("key-generated") && audit.contains("request-discarded"),
        "{audit}"
    );
    assert!(admin.keys.audit_trail().verify(None).is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_is_issued_again_for_its_key_is_taken_in_as_another_key() {
    let admin = TestAdmin::start().await;
    let at = admin.directory.path();
    authorities(at);
    succeeds(
        &admin,
        &["generate", "orders", "--type", "p-256", "--subject", "CN=Orders"],
    )
    .await;
    let public_key = alias(&admin).await["waiting"][0]["public_key"].clone();
    let request = succeeds(&admin, &["request", "orders", public_key.as_str().unwrap()]).await;
    fs::write(at.join("request.pem"), request).unwrap();
    let import = ["import", "orders", "--certificate", "leaf.pem"];
    sign_request(at);
    succeeds(&admin, &import).await;
    let first = alias(&admin).await["keys"][0]["fingerprint"]
        .as_str()
        .unwrap()
        .to_owned();
    succeeds(&admin, &["activate", "orders", &first]).await;

    // The authority answers the same request once more, a year later.
    sign_request(at);
    let said = succeeds(&admin, &import).await;
    assert!(said.contains("it is pending"), "{said}");
    let keys = alias(&admin).await["keys"].clone();
    let second = keys[1]["fingerprint"].as_str().unwrap().to_owned();
    assert_eq!(
        (&keys[0]["state"], &keys[1]["state"]),
        (&json!("active"), &json!("pending"))
    );
    assert_ne!(first, second);
    succeeds(&admin, &["activate", "orders", &second]).await;
    assert_eq!(alias(&admin).await["keys"][0]["fingerprint"], second.as_str());
    let again = succeeds(&admin, &import).await;
    assert!(again.contains("knows this key already; it is active"), "{again}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_pair_that_is_revoked_does_not_come_back_under_another_certificate() {
    let admin = TestAdmin::start().await;
    let at = admin.directory.path();
    openssl(
        at,
        "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out a.key",
    );
    for name in ["a", "b"] {
        openssl(
            at,
            &format!("req -x509 -new -days 30 -key a.key -subj /CN={name} -out {name}.pem"),
        );
    }
    let import = |name| ["import", "orders", "--key", "a.key", "--certificate", name];
    succeeds(&admin, &import("a.pem")).await;
    let first = alias(&admin).await["keys"][0]["fingerprint"]
        .as_str()
        .unwrap()
        .to_owned();
    succeeds(&admin, &["activate", "orders", &first]).await;
    succeeds(
        &admin,
        &["revoke", "orders", &first, "--reason", "lost", "--stop"],
    )
    .await;
    let refused = fails(&admin, &import("b.pem")).await;
    let sentence =
        format!("the key pair of this certificate is that of key {first}, which is revoked or purged");
    assert!(refused.contains(&sentence), "{refused}");
    let known = succeeds(&admin, &import("a.pem")).await;
    assert!(known.contains("it is revoked"), "{known}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_pair_is_revoked_under_all_its_certificates_and_is_no_successor_of_its_own() {
    let admin = TestAdmin::start().await;
    let at = admin.directory.path();
    for key in ["own", "other"] {
        let generate = format!("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out {key}.key");
        openssl(at, &generate);
    }
    for (name, key) in [("a", "own"), ("b", "own"), ("c", "other")] {
        openssl(
            at,
            &format!("req -x509 -new -days 30 -key {key}.key -subj /CN={name} -out {name}.pem"),
        );
        let (key, certificate) = (format!("{key}.key"), format!("{name}.pem"));
        let import = ["import", "orders", "--key", &key, "--certificate", &certificate];
        succeeds(&admin, &import).await;
    }
    let keys = alias(&admin).await["keys"].clone();
    let keys: Vec<_> = (0..3)
        .map(|place| keys[place]["fingerprint"].as_str().unwrap())
        .collect();
    let &[a, b, c] = keys.as_slice() else {
        panic!("{keys:?}")
    };
    succeeds(&admin, &["activate", "orders", a]).await;

    let sibling = fails(&admin, &["revoke", "orders", b, "--reason", "stolen"]).await;
    let sentence = format!("key {a}, which signs, has the key pair of {b}, and is revoked with it");
    assert!(sibling.contains(&sentence), "{sibling}");
    let successor = ["revoke", "orders", a, "--reason", "stolen", "--successor", b];
    let successor = fails(&admin, &successor).await;
    let sentence = format!("key {b} has the key pair that is to be revoked");
    assert!(successor.contains(&sentence), "{successor}");

    let done = ["revoke", "orders", a, "--reason", "stolen", "--successor", c];
    let said = succeeds(&admin, &done).await;
    assert!(said.contains(&format!("signed with {c}")), "{said}");
    let keys = alias(&admin).await["keys"].clone();
    let states: BTreeMap<_, _> = (0..3)
        .map(|place| {
            (
                keys[place]["fingerprint"].as_str().unwrap(),
                &keys[place]["state"],
            )
        })
        .collect();
    let (active, revoked) = (json!("active"), json!("revoked"));
    assert_eq!(
        states,
        BTreeMap::from([(a, &revoked), (b, &revoked), (c, &active)])
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_self_signed_key_is_pending_at_once_and_what_cannot_be_generated_says_why() {
    let admin = TestAdmin::start().await;
    let generate = [
        "generate",
        "orders",
        "--type",
        "p-384",
        "--subject",
        "CN=Orders",
        "--self-signed",
        "365d",
    ];
    let said = succeeds(&admin, &generate).await;
    assert!(said.contains("(CN=Orders); it is pending"), "{said}");
    let key = alias(&admin).await["keys"][0].clone();
    assert_eq!(
        (&key["subject"], &key["issuer"]),
        (&json!("CN=Orders"), &json!("CN=Orders"))
    );
    for (arguments, sentence) in [
        (["p-256", "Orders", "365d"], "no part of a subject"),
        (["p-256", "CN=Orders", "soon"], "is not a duration"),
        (["p-256", "CN=Orders", "36500000d"], "longer than 100 years"),
    ] {
        let [key_type, subject, lifetime] = arguments;
        let generate = [
            "generate",
            "orders",
            "--type",
            key_type,
            "--subject",
            subject,
            "--self-signed",
            lifetime,
        ];
        let refused = fails(&admin, &generate).await;
        assert!(refused.contains(sentence), "{refused}");
    }
    let unknown = fails(
        &admin,
        &["generate", "nobody", "--type", "p-256", "--subject", "CN=a"],
    )
    .await;
    assert!(unknown.contains("no alias \"nobody\""), "{unknown}");
}
