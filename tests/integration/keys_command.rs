//! `countersign keys` against a running admin listener.

use std::fs;
use std::process::Output;
use std::sync::atomic::Ordering;

use tokio::process::Command;

use crate::support::admin::{TestAdmin, new_key, pem};
use crate::support::authority::Authority;
use crate::support::tool::openssl;

/// Runs `countersign keys` in the proxy's directory; arguments are separated by white space.
async fn keys(admin: &TestAdmin, arguments: &str) -> Output {
    let url = format!("http://{}", admin.address);
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    command
        .arg("keys")
        .args(arguments.split_whitespace())
        .args(["--admin", &url]);
    command
        .current_dir(admin.directory.path())
        .output()
        .await
        .unwrap()
}

async fn succeeds(admin: &TestAdmin, arguments: &str) -> String {
    let output = keys(admin, arguments).await;
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The one sentence on standard error.
async fn fails(admin: &TestAdmin, arguments: &str) -> String {
    let output = keys(admin, arguments).await;
    assert_eq!(
        (output.status.code(), output.stdout.len()),
        (Some(1), 0),
        "{output:?}"
    );
    let sentence = String::from_utf8(output.stderr).unwrap();
    assert_eq!(sentence.lines().count(), 1, "{sentence}");
    sentence
}

fn write_key(admin: &TestAdmin, name: &str) {
    fs::write(admin.directory.path().join(name), pem(&new_key("Test"))).unwrap();
}

#[tokio::test]
async fn a_key_is_imported_activated_and_rolled_back_to_from_the_command_line() {
    let admin = TestAdmin::start().await;
    write_key(&admin, "first.pem");
    write_key(&admin, "second.pem");
    assert_eq!(
        succeeds(&admin, "list").await,
        "invoices\n  no keys\norders\n  no keys\n"
    );

    let imported = succeeds(&admin, "import orders --key first.pem").await;
    let switch = imported.split_once("countersign keys ").unwrap().1;
    let switched = succeeds(&admin, switch).await;
    let first = admin.fingerprints("orders")[0].clone();
    let signs = format!("orders: every new message is signed with {first} (CN=Test), since ");
    assert!(switched.starts_with(&signs), "{switched}");

    succeeds(&admin, "import orders --key second.pem").await;
    let second = admin.fingerprints("orders")[1].clone();
    succeeds(&admin, &format!("activate orders {second} --replaces {first}")).await;
    assert_eq!(admin.fingerprints("orders"), [second.clone(), first.clone()]);
    let back = succeeds(&admin, "rollback orders").await;
    assert!(back.starts_with(&signs), "{back}");

    let list = succeeds(&admin, "list").await;
    assert!(
        list.contains(&format!("orders\n  active  {first}  until ")),
        "{list}"
    );
    assert!(list.contains(&format!("\n  retired {second}  until ")), "{list}");
    let known = succeeds(&admin, "import orders --key second.pem").await;
    assert_eq!(
        known,
        format!(
            "orders knows this key already; it is retired, rolled back, and nothing was changed.\nIt can be the next one's \
             again; begin with\n  countersign renewal start orders --key {second}\n"
        )
    );
}

#[tokio::test]
async fn show_tells_all_that_is_known_and_json_is_what_the_api_answers() {
    let admin = TestAdmin::start().await;
    write_key(&admin, "key.pem");
    succeeds(&admin, "import orders --key key.pem").await;
    let text = succeeds(&admin, "show orders").await;
    for line in [
        "used by   eu to https://eu.example.com/in",
        "state     pending",
        "subject   CN=Test",
        "type      P-256",
    ] {
        assert!(text.contains(line), "{text}");
    }
    let json = succeeds(&admin, "show orders --json").await;
    assert_eq!(
        json.as_bytes(),
        [&admin.get("/api/v1/aliases/orders").await.body[..], b"\n"].concat()
    );
}

#[tokio::test]
async fn encrypted_key_files_are_opened_by_a_password_file() {
    let admin = TestAdmin::start().await;
    let directory = admin.directory.path();
    write_key(&admin, "key.pem");
    fs::write(directory.join("password"), "geheimnüß\n").unwrap();
    fs::write(directory.join("spaces"), " secret \n").unwrap();
    openssl(
        directory,
        "pkcs12 -export -in key.pem -name a&b -out key.p12 -passout file:password",
    );
    openssl(
        directory,
        "pkey -in key.pem -aes256 -passout file:password -out encrypted.pem",
    );
    openssl(directory, "x509 -in key.pem -out certificate.pem");

    let p12 = "import orders --pkcs12 key.p12 --entry a&b";
    assert!(
        fails(&admin, &format!("{p12} --password-file spaces"))
            .await
            .contains("cannot be sent")
    );
    assert!(
        succeeds(&admin, &format!("{p12} --password-file password"))
            .await
            .starts_with("orders has the new key ")
    );
    let pem = "import orders --key encrypted.pem --certificate certificate.pem --password-file password";
    assert!(
        succeeds(&admin, pem)
            .await
            .starts_with("orders knows this key already; it is pending")
    );
}

#[tokio::test]
async fn what_goes_wrong_is_one_sentence_that_says_what_to_do() {
    let admin = TestAdmin::start().await;
    write_key(&admin, "key.pem");
    fs::write(
        admin.directory.path().join("wrong-token"),
        "0123456789012345678901\n",
    )
    .unwrap();
    for (arguments, sentence) in [
        (
            "show nobody",
            "there is no alias \"nobody\"; aliases are made in the configuration",
        ),
        ("rollback orders", "no key is retired under this alias"),
        (
            "import orders --key missing.pem",
            "cannot read missing.pem: No such file",
        ),
        ("import nobody --key key.pem", "there is no alias \"nobody\""),
        (
            "list --token-file wrong-token",
            "this token is none that the proxy knows",
        ),
        (
            "list --token-file missing",
            "the proxy makes the operator's token when it starts",
        ),
    ] {
        let error = fails(&admin, arguments).await;
        assert!(
            error.starts_with("error: ") && error.contains(sentence),
            "{arguments}: {error}"
        );
    }
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_told_from_one_that_refuses() {
    let admin = TestAdmin::start().await;
    let nobody = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    command.args(["keys", "list", "--admin", &format!("http://{nobody}")]);
    let output = command
        .current_dir(admin.directory.path())
        .output()
        .await
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        error.contains("Connection refused") && error.contains("is countersign running there?"),
        "{error}"
    );
}

#[tokio::test]
async fn over_tls_the_authority_and_a_client_certificate_are_given_as_files() {
    let authority = Authority::of(&["us", "console"]);
    let admin = over_tls(&authority).await;
    let file = |name: &str| authority.file(name).display().to_string();
    let (ca, certificate, key) = (file("ca.pem"), file("console.pem"), file("console.key"));
    let url = format!("https://{}", admin.address);

    let by_token = run(&admin, &format!("list --admin {url} --ca {ca}")).await;
    let by_certificate =
        format!("list --admin {url} --ca {ca} --client-certificate {certificate} --client-key {key}");
    let by_certificate = run(&admin, &by_certificate).await;

    for output in [by_token, by_certificate] {
        assert!(output.status.success(), "{output:?}");
        assert_eq!(output.stdout, b"invoices\n  no keys\norders\n  no keys\n");
    }
}

#[tokio::test]
async fn each_way_not_to_reach_the_listener_says_what_to_do() {
    let (ours, others) = (Authority::of(&["us", "stranger"]), Authority::of(&["us"]));
    let (plain, tls) = (TestAdmin::start().await, over_tls(&ours).await);
    let file = |authority: &Authority, name: &str| authority.file(name).display().to_string();
    let (ca, other_ca) = (file(&ours, "ca.pem"), file(&others, "ca.pem"));
    let (certificate, key) = (file(&ours, "stranger.pem"), file(&ours, "stranger.key"));
    let (plain, tls_port) = (plain.address, tls.address);
    for (arguments, sentence) in [
        (
            format!("--admin https://{plain} --ca {ca}"),
            "it does not speak TLS; write --admin http://…",
        ),
        (
            format!("--admin http://{tls_port}"),
            "speaks TLS; write --admin https://…",
        ),
        (
            format!("--admin https://{tls_port} --ca {other_ca}"),
            "pass its authority's as --ca PEM",
        ),
        (
            format!("--admin https://localhost:{} --ca {ca}", tls_port.port()),
            "certificate not valid for name \"localhost\"",
        ),
        (
            format!(
                "--admin https://{tls_port} --ca {ca} --client-certificate {certificate} --client-key {key}"
            ),
            "has the subject of this client certificate",
        ),
        (
            format!("--admin https://{tls_port} --ca missing.pem"),
            "missing.pem: ",
        ),
    ] {
        let output = run(&tls, &format!("list {arguments}")).await;
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(
            (output.status.code(), error.lines().count()),
            (Some(1), 1),
            "{arguments}: {error}"
        );
        assert!(error.contains(sentence), "{arguments}: {error}");
    }
    let wrong_usage = run(&tls, &format!("list --admin http://{plain} --ca {ca}")).await;
    assert_eq!(wrong_usage.status.code(), Some(2));
}

#[tokio::test]
async fn healthcheck_asks_without_a_token_whether_messages_are_taken() {
    let authority = Authority::of(&["us"]);
    let (plain, tls) = (TestAdmin::start().await, over_tls(&authority).await);
    tls.ready.store(true, Ordering::Relaxed);
    let check = async |arguments: String| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        command.arg("healthcheck").args(arguments.split_whitespace());
        let output = command.output().await.unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, error) = check(format!("--admin http://{}", plain.address)).await;
    assert_eq!(code, Some(1));
    assert!(error.contains("this proxy is not ready"), "{error}");
    plain.ready.store(true, Ordering::Relaxed);
    let ca = authority.file("ca.pem");
    for arguments in [
        format!("--admin http://{}", plain.address),
        format!("--admin https://{} --ca {}", tls.address, ca.display()),
    ] {
        assert_eq!(check(arguments).await, (Some(0), String::new()));
    }
}

/// An admin listener that speaks TLS and looks at client certificates; `console` may do everything.
async fn over_tls(authority: &Authority) -> TestAdmin {
    let [certificate, key, ca] =
        ["us.pem", "us.key", "ca.pem"].map(|name| authority.file(name).display().to_string());
    TestAdmin::start_with(&format!(
        "tls = {{ certificate = \"{certificate}\", private_key = \"{key}\", client_ca = \"{ca}\" }}\n\
         [[admin.access]]\nname = \"console\"\nrole = \"operator\"\nclient_subject = \"CN=console,O=Example\""
    ))
    .await
}

/// Runs `countersign keys` in the proxy's directory with nothing but these arguments.
async fn run(admin: &TestAdmin, arguments: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    command.arg("keys").args(arguments.split_whitespace());
    command
        .current_dir(admin.directory.path())
        .output()
        .await
        .unwrap()
}
