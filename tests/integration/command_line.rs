//! `countersign check` and `countersign sign` as users run them.

use std::fs;
use std::path::Path;
use std::time::Duration;

use countersign::keys::generate::{KeyAlgorithm, SelfSigned};
use tempfile::{TempDir, tempdir};
use time::OffsetDateTime;

use crate::support::clock::now;
use crate::support::countersign::{Run, Running, countersign, countersign_reading};
use crate::support::tool::{openssl, run};

const DAY: Duration = Duration::from_secs(86_400);

const ORDER: &str = r#"<?xml version="1.0"?>
<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><order n="1"/></s:Body></s:Envelope>
"#;

const CONFIGURATION: &str = r#"
[alias.orders]
source = { certificate = "orders.pem", private_key = "orders.pem" }
[profile.erp]
key_identifier = "issuer-serial"
[[route]]
name = "orders"
path = "/orders"
receiver = "http://127.0.0.1:8081/"
alias = "orders"
profile = "erp"
"#;

#[test]
fn every_command_explains_itself() {
    let dir = tempdir().unwrap();
    let help = countersign(dir.path(), "--help");
    assert_eq!(help.code, Some(0));
    for command in [
        "serve",
        "check",
        "keys",
        "sign",
        "verify",
        "canonicalize",
        "receiver",
        "demo",
    ] {
        assert!(help.text().contains(command), "{}", help.text());
        let own = countersign(dir.path(), &format!("{command} --help"));
        assert!(own.text().contains("Usage:"), "{}", own.text());
        assert!(own.stderr.is_empty());
    }
}

#[test]
fn wrong_usage_exits_with_2() {
    let dir = tempdir().unwrap();
    let cases = [
        "",
        "sing",
        "check",
        "sign",
        "sign --key a.pem",
        "sign --key a.pem --pkcs12 a.p12",
        "sign --config a.toml",
        "sign --key a --certificate a --layout loose",
        "sign --key a --certificate a --timestamp soon",
        "sign --key a --certificate a --timestamp 5000000d",
        "sign --key a --certificate a --actor \u{1}",
        "sign --key a --certificate a --sign bodies",
    ];
    for arguments in cases {
        let run = countersign(dir.path(), arguments);
        assert_eq!(run.code, Some(2), "{arguments}: {}", run.stderr);
        assert!(run.stdout.is_empty());
        assert!(run.stderr.contains("--help"), "{arguments}: {}", run.stderr);
    }
}

#[test]
fn pem_pkcs12_and_a_route_sign_with_the_same_key() {
    let dir = with_key();
    openssl(
        dir.path(),
        "pkcs12 -export -in orders.pem -out orders.p12 -passout pass:secret",
    );
    fs::write(dir.path().join("password"), "secret\n").unwrap();
    let certificate = certificate_line(dir.path());
    for arguments in [
        "sign --key orders.pem --certificate orders.pem order.xml",
        "sign --pkcs12 orders.p12 --password-file password order.xml",
        "sign --config countersign.toml --route orders --key-identifier binary-security-token order.xml",
    ] {
        let signed = signed(&countersign(dir.path(), arguments));
        assert!(signed.contains(&certificate), "{arguments}: {signed}");
        assert!(signed.contains("<order n=\"1\"/>"), "{arguments}: {signed}");
    }
}

#[test]
fn a_route_signs_by_its_profile_and_flags_override_it() {
    let dir = with_key();

    let by_route = signed(&countersign(
        dir.path(),
        "sign --config countersign.toml --route orders order.xml",
    ));
    let by_flag = signed(&countersign(
        dir.path(),
        "sign --config countersign.toml --route orders --key-identifier thumbprint --timestamp off order.xml",
    ));

    assert!(
        by_route.contains("X509IssuerSerial") && by_route.contains("Timestamp"),
        "{by_route}"
    );
    assert!(
        by_flag.contains("#ThumbprintSHA1") && !by_flag.contains("Timestamp"),
        "{by_flag}"
    );
}

#[test]
fn standard_input_is_a_message_too() {
    let dir = with_key();
    let arguments = ["sign", "--key", "orders.pem", "--certificate", "orders.pem"];
    for input in [vec![], vec!["-"]] {
        let arguments = arguments.iter().copied().chain(input);
        let signed = signed(&countersign_reading(dir.path(), arguments, ORDER.as_bytes()));
        assert!(signed.contains("SignatureValue"));
    }
}

#[test]
fn an_encrypted_key_needs_its_password_from_a_file_or_the_terminal() {
    let dir = with_key();
    openssl(
        dir.path(),
        "pkey -in orders.pem -aes256 -passout pass:secret -out encrypted.key",
    );
    openssl(dir.path(), "x509 -in orders.pem -out orders.crt");
    fs::write(dir.path().join("password"), "secret").unwrap();
    fs::write(dir.path().join("wrong"), "guess").unwrap();
    let sign = "sign --key encrypted.key --certificate orders.crt order.xml";

    signed(&countersign(
        dir.path(),
        &format!("{sign} --password-file password"),
    ));
    let wrong = countersign(dir.path(), &format!("{sign} --password-file wrong"));
    fails(&wrong, "encrypted.key: the password in wrong is wrong");
    let without_terminal = format!("--wait {} {sign}", env!("CARGO_BIN_EXE_countersign"));
    let refused = std::process::Command::new("setsid")
        .args(without_terminal.split_whitespace())
        .current_dir(dir.path())
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(1));
    let words = String::from_utf8(refused.stderr).unwrap();
    assert!(
        words.contains("no terminal to ask; pass --password-file"),
        "{words}"
    );
}

#[test]
fn a_refused_message_is_named_with_line_and_column() {
    let dir = with_key();
    fs::write(
        dir.path().join("broken.xml"),
        ORDER.replace("</s:Body>", "</s:Boddy>"),
    )
    .unwrap();

    let run = countersign(
        dir.path(),
        "sign --key orders.pem --certificate orders.pem broken.xml",
    );

    fails(&run, "broken.xml: ");
    assert!(run.stderr.contains("line 2, column "), "{}", run.stderr);
}

#[test]
fn what_cannot_be_signed_with_says_what_to_do() {
    let dir = with_key();
    write_key(dir.path(), "old.pem", now() - 3 * DAY, DAY);
    write_key(dir.path(), "early.pem", now() + DAY, DAY);
    let cases = [
        ("--key none.pem --certificate orders.pem", "cannot read none.pem"),
        (
            "--key order.xml --certificate order.xml",
            "order.xml: this is HTML or XML",
        ),
        ("--key old.pem --certificate old.pem", "expired"),
        ("--key early.pem --certificate early.pem", "valid"),
        ("--config countersign.toml --route order", "use one of orders"),
        ("--config none.toml --route orders", "none.toml: cannot read"),
        (
            "--key orders.pem --certificate orders.pem --signature-algorithm rsa-sha256",
            "leave the signature algorithm to \"auto\"",
        ),
    ];
    for (flags, words) in cases {
        fails(
            &countersign(dir.path(), &format!("sign {flags} order.xml")),
            words,
        );
    }
}

#[test]
fn check_prints_each_route_and_what_may_surprise() {
    let dir = with_key();

    let run = countersign(dir.path(), "check --config countersign.toml");

    assert_eq!(run.code, Some(0), "{}", run.stderr);
    for words in [
        "route orders\n",
        "posted to http://127.0.0.1:8080/orders, sent on to http://127.0.0.1:8081/",
        "for everybody\n",
        "its source brings CN=orders, P-256, valid until",
        "profile erp: signs the Body, the Timestamp",
        "by ecdsa-sha256, digests by sha256",
        "by issuer and serial number",
        "state in state: no database yet, the first start makes it; master key state/master-key\n",
        "warning: the master key lies beside the database",
        "warning: alias orders: its key expires on",
        "warning: route orders: some receivers compare the issuer's name as text",
        "note: WSDL",
    ] {
        assert!(
            run.text().contains(words),
            "{words:?} is missing in {}",
            run.text()
        );
    }
}

#[test]
fn check_says_in_words_who_may_use_a_route_and_by_which_addresses() {
    let dir = with_key();
    let named = "[proxy]\nlisten = \"0.0.0.0:8443\"\ntls = { certificate = \"orders.pem\", private_key = \"orders.pem\", \
         client_ca = \"orders.pem\" }"
        .to_owned()
        + CONFIGURATION
        + "url = \"http://ERP.example.com/orders\"\nclients = [\"CN=flow, O=Example\", \"10.0.0.0/8\"]\n";
    fs::write(dir.path().join("countersign.toml"), named).unwrap();

    let run = countersign(dir.path(), "check --config countersign.toml");

    assert_eq!(run.code, Some(0), "{}", run.stderr);
    for words in [
        "posted to https://0.0.0.0:8443/orders or to http://erp.example.com/orders with https://0.0.0.0:8443 as HTTP \
         proxy, sent on to",
        "for clients with a certificate of orders.pem that are CN=flow, O=Example or come from 10.0.0.0/8\n",
    ] {
        assert!(
            run.text().contains(words),
            "{words:?} is missing in {}",
            run.text()
        );
    }
    assert!(!run.text().contains("whoever reaches"), "{}", run.text());
}

#[test]
fn check_says_how_the_key_of_a_route_is_exchanged() {
    let dir = with_key();
    let exchanged = |alias: &str, route: &str| {
        let text = CONFIGURATION.replace("[alias.orders]", &format!("[alias.orders]\n{alias}"));
        fs::write(dir.path().join("countersign.toml"), text + route).unwrap();
        let run = countersign(dir.path(), "check --config countersign.toml");
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        run.text().to_owned()
    };
    let more = "[[route]]\nname = \"more\"\npath = \"/more\"\nreceiver = \"http://127.0.0.1:8081/\"\nalias = \"orders\"\n\
                key_refused = [\"cxf\"]\n";
    for (text, words) in [
        (
            exchanged("", ""),
            "a new key signs once the receiver trusts it besides the old one",
        ),
        (
            exchanged("strategy = \"hold\"\nhold = { count = 7, time = \"20s\" }", ""),
            "while the receiver exchanges its certificate, messages wait: at most 7, 256.0 MiB, 20s each; if it has not after 15m, the old key signs again",
        ),
        (
            exchanged("strategy = \"receiver-led\"", "key_refused = [\"cxf\"]\n"),
            "with several pending keys, with none of them until a renewal names it",
        ),
        (
            exchanged("strategy = \"hold\"", more),
            "warning: alias orders: a hold does not end by itself while the oldest message is of route orders",
        ),
    ] {
        assert!(text.contains(words), "{words:?} is missing in {text}");
    }
}

#[test]
fn check_names_a_file_of_tls_that_cannot_be_used() {
    let dir = with_key();
    let without_key =
        "[proxy]\ntls = { certificate = \"orders.pem\", private_key = \"order.xml\" }".to_owned();
    fs::write(dir.path().join("countersign.toml"), without_key + CONFIGURATION).unwrap();

    let run = countersign(dir.path(), "check --config countersign.toml");

    assert_eq!(run.code, Some(1));
    assert!(
        run.stderr
            .starts_with("error: countersign.toml:2: proxy.tls: order.xml: ")
            && run
                .stderr
                .contains("it must be a PEM file with an unencrypted private key"),
        "{}",
        run.stderr
    );
}

#[test]
fn check_tells_of_a_master_key_that_a_start_would_refuse() {
    let dir = with_key();
    let given = format!("[state]\nmaster_key_file = \"master.key\"\n{CONFIGURATION}");
    fs::write(dir.path().join("countersign.toml"), given).unwrap();
    let check = || countersign(dir.path(), "check --config countersign.toml");
    let refused = |part: &str| {
        let run = check();
        assert_eq!(run.code, Some(1), "{}", run.text());
        assert!(run.stderr.contains(part), "{}", run.stderr);
    };

    refused("state: the master key file master.key cannot be read");
    fs::write(dir.path().join("master.key"), "short").unwrap();
    refused("holds less than 32 bytes");

    fs::write(dir.path().join("master.key"), [b'k'; 44]).unwrap();
    let run = check();
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(run.text().contains("; master key master.key\n"), "{}", run.text());
    let exposed = "warning: other users may read master.key; chmod 600 it";
    assert!(run.text().contains(exposed), "{}", run.text());
}

#[test]
fn check_tells_of_listeners_that_do_not_get_their_addresses() {
    let dir = with_key();
    let check = |listen: &str| {
        fs::write(
            dir.path().join("countersign.toml"),
            format!("{listen}{CONFIGURATION}"),
        )
        .unwrap();
        countersign(dir.path(), "check --config countersign.toml")
    };
    let same = check("[proxy]\nlisten = \"127.0.0.1:9090\"\n");
    assert_eq!(same.code, Some(1), "{}", same.text());
    assert!(
        same.stderr.contains("admin.listen: proxy listens there already"),
        "{}",
        same.stderr
    );

    let foreign = check("[proxy]\nlisten = \"192.0.2.1:8080\"\nopen = true\n");
    assert_eq!(foreign.code, Some(0), "{}", foreign.stderr);
    let warning = "warning: proxy.listen: this machine has no address 192.0.2.1";
    assert!(foreign.text().contains(warning), "{}", foreign.text());
}

#[test]
fn check_warns_of_what_surprises_others() {
    let dir = with_key();
    let surprising = CONFIGURATION
        .replace(
            "issuer-serial\"",
            "x509-data\"\ninclude_token = true\nsign = [\"wsa\"]\ndigest_algorithm = \"sha1\"",
        )
        .replace("127.0.0.1:8081", "erp.example.com")
        + "receiver_tls = { ca = \"orders.pem\" }\ntimeouts = { total = \"1s\" }\n[alias.idle]\n";
    fs::write(dir.path().join("countersign.toml"), surprising).unwrap();

    let run = countersign(dir.path(), "check --config countersign.toml");

    assert_eq!(run.code, Some(0), "{}", run.stderr);
    for words in [
        "alias idle: no route uses it",
        "x509-data is outside the Basic Security Profile (R5417)",
        "include_token changes nothing",
        "SHA-1 no longer withstands attacks",
        "the Body is not signed",
        "the Timestamp is not signed",
        "messages go to the receiver unencrypted",
        "receiver_tls changes nothing",
        "total is the shortest of its timeouts",
        "other users may read orders.pem",
    ] {
        let warned = run
            .text()
            .lines()
            .any(|line| line.starts_with("warning: ") && line.contains(words));
        assert!(warned, "{words:?} is missing in {}", run.text());
    }
}

#[test]
fn check_reports_wrong_settings_and_wrong_keys_in_one_run() {
    let dir = with_key();
    write_key(dir.path(), "old.pem", now() - 3 * DAY, DAY);
    let configuration = format!(
        "{CONFIGURATION}fault_status = \"soup\"\n[alias.old]\n\
         source = {{ certificate = \"old.pem\", private_key = \"old.pem\" }}\n\
         [alias.gone]\nsource = {{ pkcs12 = \"gone.p12\", password_file = \"gone\" }}\n"
    );
    fs::write(dir.path().join("countersign.toml"), configuration).unwrap();

    let run = countersign(dir.path(), "check --config countersign.toml");

    assert_eq!(run.code, Some(1));
    let lines: Vec<_> = run.stderr.lines().collect();
    assert_eq!(lines.len(), 3, "{}", run.stderr);
    assert!(
        lines[0].starts_with("error: countersign.toml:12: fault_status:"),
        "{}",
        lines[0]
    );
    assert!(
        lines[1].starts_with("error: countersign.toml:14: alias old: "),
        "{}",
        lines[1]
    );
    assert!(
        lines[2].starts_with("error: countersign.toml:16: alias gone: gone"),
        "{}",
        lines[2]
    );
}

#[test]
fn check_tries_every_profile_with_the_key_that_shall_serve_it() {
    let dir = with_key();
    let configuration = CONFIGURATION.replace(
        "issuer-serial\"",
        "x509-data\"\nsignature_algorithm = \"rsa-sha256\"",
    );
    fs::write(dir.path().join("countersign.toml"), configuration).unwrap();

    let run = countersign(dir.path(), "check --config countersign.toml");

    fails(&run, "countersign.toml:8: route orders: ");
}

#[test]
fn the_example_configuration_passes_the_check_once_its_keys_are_there() {
    let dir = tempdir().unwrap();
    let keys = dir.path().join("keys");
    fs::create_dir(&keys).unwrap();
    fs::write(
        dir.path().join("countersign.toml"),
        include_str!("../../config/countersign.toml"),
    )
    .unwrap();
    write_key(&keys, "key.pem", now(), DAY);
    openssl(&keys, "pkey -in key.pem -out invoices.key");
    openssl(&keys, "x509 -in key.pem -out invoices.crt");
    openssl(
        &keys,
        "pkcs12 -export -in key.pem -out orders.p12 -passout pass:secret",
    );
    fs::write(keys.join("orders.password"), "secret").unwrap();

    let run = countersign(dir.path(), "check --config countersign.toml");

    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(run.text().contains("route invoices\n"), "{}", run.text());
}

#[test]
fn serve_runs_until_it_is_asked_to_stop() {
    let dir = with_key();
    let ports =
        "[proxy]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n[log]\nformat = \"json\"\n";
    fs::write(
        dir.path().join("countersign.toml"),
        format!("{ports}{CONFIGURATION}"),
    )
    .unwrap();

    let mut running = Running::start(dir.path(), "serve --config countersign.toml");

    let line = running.logs("listening");
    assert!(line.contains(r#""address":"127.0.0.1:"#), "{line}");
    running.logs("key activated");
    assert!(running.terminate().success());
    assert!(dir.path().join("state/admin-token").is_file());
}

#[test]
fn serve_refuses_a_wrong_configuration_with_all_its_mistakes() {
    let dir = with_key();
    let wrong = CONFIGURATION
        .replace("/orders", "orders")
        .replace("127.0.0.1:8081", "");
    fs::write(dir.path().join("countersign.toml"), wrong).unwrap();

    let run = countersign(dir.path(), "serve --config countersign.toml");

    fails(&run, "countersign.toml:8: path: ");
    assert!(
        run.stderr.contains("countersign.toml:9: receiver: "),
        "{}",
        run.stderr
    );
}

/// A directory with a key, a message and a configuration.
fn with_key() -> TempDir {
    let dir = tempdir().unwrap();
    write_key(dir.path(), "orders.pem", now(), DAY);
    fs::write(dir.path().join("order.xml"), ORDER).unwrap();
    fs::write(dir.path().join("countersign.toml"), CONFIGURATION).unwrap();
    dir
}

fn write_key(dir: &Path, file: &str, begin: OffsetDateTime, lifetime: Duration) {
    let key = SelfSigned::generate(KeyAlgorithm::P256, "orders", begin, lifetime).unwrap();
    let pem = [
        key.private_key_pem().unwrap().to_vec(),
        key.certificate_pem().unwrap(),
    ]
    .concat();
    fs::write(dir.join(file), pem).unwrap();
}

/// The certificate as a BinarySecurityToken carries it.
fn certificate_line(dir: &Path) -> String {
    let pem = run(dir, "openssl", ["x509", "-in", "orders.pem"]);
    pem.lines().filter(|line| !line.starts_with("-----")).collect()
}

fn signed(run: &Run) -> String {
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(run.stderr.is_empty(), "{}", run.stderr);
    run.text().to_owned()
}

fn fails(run: &Run, words: &str) {
    assert_eq!(run.code, Some(1), "should say {words:?}: {}", run.stderr);
    assert!(run.stdout.is_empty());
    assert!(
        run.stderr.starts_with("error: ") && run.stderr.contains(words),
        "{words:?}: {}",
        run.stderr
    );
}
