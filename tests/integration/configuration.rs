//! The configuration: what is read, what is refused, and in which words.

mod strategy;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use countersign::config::{
    Activation, Aliases, Config, Credential, FaultStatus, HoldBounds, LogFormat, LogLevel, ProxyConfig, Role,
    make_demo_keys,
};
use countersign::keys::source::{Source, from_pem};
use countersign::keys::{SignatureAlgorithm, Strategy};
use countersign::wss::Profile;
use countersign::wss::profile::{KeyIdentifier, Layout, Part};
use tempfile::tempdir;

use crate::support::clock::now;

/// The least that works; a mistake is written below or above it.
const LEAST: &str = r#"
[alias.orders]
[[route]]
name = "orders"
path = "/orders"
receiver = "https://erp.example.com/orders"
alias = "orders"
"#;

#[test]
fn what_is_left_out_has_the_documented_default() {
    let config = parse(LEAST);

    assert_eq!(config.proxy.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.proxy.max_message, 64 << 20);
    assert_eq!(config.proxy.max_buffered, 512 << 20);
    assert_eq!(config.proxy.max_requests, 4096);
    assert_eq!(config.proxy.client_timeout, Duration::from_secs(30));
    assert_eq!(config.proxy.drain, Duration::from_secs(25));
    assert_eq!(config.admin.listen.to_string(), "127.0.0.1:9090");
    assert!(!config.admin.metrics_open);
    assert_eq!(
        (config.log.format, config.log.level),
        (LogFormat::Text, LogLevel::Info)
    );
    assert_eq!(config.aliases["orders"].activate, Activation::Manual);
    assert_eq!(config.routes[0].profile, Profile::default());
    assert_eq!(config.routes[0].timeouts.connect, Duration::from_secs(5));
    assert_eq!(config.routes[0].fault_status, FaultStatus::Soap);
}

#[test]
fn relative_paths_are_relative_to_the_file() {
    let config = parse(
        r#"
        state.directory = "/var/lib/countersign"
        alias.orders.source = { pkcs12 = "keys/orders.p12", password_file = "/run/password", entry = "2026" }
        [[route]]
        name = "orders"
        path = "/orders"
        receiver = "https://erp.example.com/"
        alias = "orders"
        receiver_tls = { ca = "ca.pem" }
        "#,
    );

    assert_eq!(config.state.directory, Path::new("/var/lib/countersign"));
    assert_eq!(
        config.admin.token_file,
        Path::new("/var/lib/countersign/admin-token")
    );
    let pkcs12 = Source::Pkcs12 {
        path: "/etc/countersign/keys/orders.p12".into(),
        password_file: "/run/password".into(),
        entry: Some("2026".into()),
    };
    assert_eq!(config.aliases["orders"].source, Some(pkcs12));
    assert_eq!(
        config.routes[0].receiver_tls.ca.as_deref(),
        Some(Path::new("/etc/countersign/ca.pem"))
    );
}

#[test]
fn a_profile_is_read_in_full_and_reaches_its_routes() {
    let config = parse(&format!(
        r#"{LEAST}profile = "erp"
        [profile.erp]
        key_identifier = "issuer-serial"
        include_token = true
        signature_algorithm = "rsa-pss-sha512"
        sign = ["body", "wsa", "header:{{urn:x}}Id"]
        timestamp = "off"
        layout = "lax-timestamp-last"
        must_understand = false
        actor = "urn:gateway"
        "#
    ));

    let expected = Profile {
        key_identifier: KeyIdentifier::IssuerSerial,
        include_token: true,
        signature_algorithm: Some(SignatureAlgorithm::RsaPssSha512),
        sign: vec![
            Part::Body,
            Part::Addressing,
            Part::Header {
                namespace: "urn:x".into(),
                local: "Id".into(),
            },
        ],
        timestamp: None,
        layout: Layout::LaxTimestampLast,
        must_understand: false,
        actor: Some("urn:gateway".into()),
        ..Profile::default()
    };
    assert_eq!(config.routes[0].profile, expected);
    assert_eq!(config.routes[0].profile_name, "erp");
}

#[test]
fn every_mistake_is_reported_at_once_by_line() {
    let text = r#"
[proxy]
listen = "localhost:8080"
max_mesage = "1MiB"
[alias.orders]
activate = "never"
[[route]]
name = "orders"
path = "orders"
receiver = "ftp://erp.example.com/"
alias = "order"
"#;

    let errors = mistakes(text);

    let lines: Vec<_> = errors.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [3, 4, 6, 9, 10, 11], "{errors:#?}");
}

#[test]
fn each_mistake_of_a_listener_says_what_to_do() {
    each_says(&[
        (
            "[proxy]\nlisten = \"localhost\"",
            2,
            "write an IP address and a port",
        ),
        (
            "[proxy]\nlisten = \"0.0.0.0:1\"",
            2,
            "write open = true if that is meant",
        ),
        (
            "[proxy]\nlisten = 8080",
            2,
            "a number stands where text in quotes is expected",
        ),
        ("[proxy]\nmax_message = \"many\"", 2, "write 64MiB"),
        ("[proxy]\nmax_message = \"0B\"", 2, "write 64MiB"),
        ("[proxy]\nmax_buffered = \"1MiB\"", 2, "smaller than max_message"),
        ("[proxy]\nmax_requests = 0", 2, "whole number from 1 on"),
        (
            "[proxy]\nmax_requests = \"many\"",
            2,
            "text stands where a whole number is expected",
        ),
        (
            "[admin]\nlisten = \"[::]:1\"",
            2,
            "write plaintext = true if that is meant",
        ),
        ("[admin]\nmetrics = \"closed\"", 2, "write \"open\", or remove it"),
        (
            "[proxy]\ntls = { certificate = \"a\" }",
            2,
            "private_key is missing; write private_key = \"proxy.key\"",
        ),
        (
            "[proxy]\ntls = true",
            2,
            "true or false stands where a table is expected",
        ),
    ]);
}

#[test]
fn beyond_loopback_somebody_must_be_named_or_the_port_be_open_in_so_many_words() {
    let beyond = |lines: &str, clients: &str| {
        let clients = format!("alias = \"orders\"\n{clients}");
        let route = LEAST.replace("alias = \"orders\"", &clients);
        format!("[proxy]\nlisten = \"0.0.0.0:8080\"\n{lines}\n{route}")
    };
    let tls = "tls = { certificate = \"a\", private_key = \"b\" }";
    let with_ca = "tls = { certificate = \"a\", private_key = \"b\", client_ca = \"c\" }";
    for (lines, clients) in [
        ("open = true", ""),
        (with_ca, ""),
        ("", "clients = [\"10.0.0.0/8\"]"),
        (with_ca, "clients = [\"CN=erp\"]"),
    ] {
        parse(&beyond(lines, clients));
    }
    for (lines, clients, line, words) in [
        ("", "", 2, "write open = true if that is meant"),
        (tls, "", 2, "demand certificates with tls.client_ca"),
        (
            tls,
            "clients = [\"CN=erp\"]",
            3,
            "nobody is asked for a certificate",
        ),
        (
            "",
            "clients = [\"erp\"]",
            11,
            "neither a network nor a certificate's subject",
        ),
    ] {
        let errors = mistakes(&beyond(lines, clients));
        assert!(
            errors.len() == 1 && errors[0].0 == line && errors[0].1.contains(words),
            "{lines} {clients}: {errors:#?}"
        );
    }
    let of_two = beyond("", "clients = [\"10.0.0.0/8\"]")
        + LEAST
            .trim_start()
            .trim_start_matches("[alias.orders]")
            .replace("name = \"orders\"", "name = \"others\"")
            .replace("/orders\"\nreceiver", "/others\"\nreceiver")
            .as_str();
    assert_eq!(mistakes(&of_two).len(), 1, "one route without clients is enough");
}

#[test]
fn each_mistake_of_who_may_reach_the_admin_listener_says_what_to_do() {
    let access = |lines: &str| format!("[[admin.access]]\nname = \"a\"\nrole = \"viewer\"\n{lines}");
    let token = "token_file = \"a.token\"";
    let tls = "[admin]\ntls = { certificate = \"a\", private_key = \"b\", client_ca = \"c\" }\n";
    let (one, other) = (
        access("client_subject = \"CN=a\"\n"),
        access("client_subject = \"cn = A\"\n"),
    );
    let cases = [
        (access(token).replace("viewer", "view"), 3, "did you mean viewer?"),
        (
            access(token).replace("\"a\"", "\"operator\""),
            2,
            "choose another name",
        ),
        (access(""), 1, "either token_file"),
        (
            access(&format!("{token}\nclient_subject = \"CN=a\"")),
            1,
            "write one of them",
        ),
        (access("client_subject = \"CN=a\""), 4, "give its tls a client_ca"),
        (
            format!("{tls}{}", access("client_subject = \"a\"")),
            6,
            "write \"CN=prometheus,O=Example\"",
        ),
        (
            access(&format!("{token}\naliases = [\"order\"]")),
            5,
            "did you mean \"orders\"?",
        ),
        (access(&format!("{token}\naliases = []")), 5, "remove it for all"),
        (
            access(&format!("{token}\nalias = \"orders\"")),
            5,
            "did you mean aliases?",
        ),
        (
            format!("{}\n{}", access(token), access("token_file = \"b\"")),
            6,
            "\"a\" is taken by the entry of line 2",
        ),
        (
            format!("{}\n{}", access(token), access(token).replace("\"a\"", "\"b\"")),
            8,
            "\"a.token\" is taken by the entry of line 4",
        ),
        (
            format!("{tls}{one}{}", other.replace("\"a\"", "\"b\"")),
            10,
            "\"cn = A\" is taken by the entry of line 6",
        ),
    ];
    let cases: Vec<_> = cases
        .iter()
        .map(|(text, line, words)| (text.as_str(), *line, *words))
        .collect();
    each_says(&cases);
}

#[test]
fn access_to_the_admin_listener_is_read_in_full() {
    let config = parse(&format!(
        r#"{LEAST}
        [admin]
        listen = "0.0.0.0:9090"
        tls = {{ certificate = "a.crt", private_key = "a.key", client_ca = "ca.crt" }}
        [[admin.access]]
        name = "prometheus"
        role = "viewer"
        token_file = "prometheus.token"
        aliases = ["orders"]
        [[admin.access]]
        name = "console"
        role = "operator"
        client_subject = "CN=console"
        "#
    ));
    let [prometheus, console] = config.admin.access.as_slice() else {
        panic!("two entries")
    };
    assert_eq!((prometheus.role, console.role), (Role::Viewer, Role::Operator));
    assert_eq!(
        prometheus.credential,
        Credential::TokenFile("/etc/countersign/prometheus.token".into())
    );
    assert!(prometheus.aliases.contains("orders") && !prometheus.aliases.contains("invoices"));
    assert_eq!(console.aliases, Aliases::All);
}

#[test]
fn each_mistake_of_an_alias_says_what_to_do() {
    each_says(&[
        (
            "[alias.o]\nactivate = \"never\"",
            2,
            "use one of: manual, on-import, before-expiry",
        ),
        ("[alias.\"a b\"]", 1, "use letters, digits"),
        ("[alias.o]\nretention = \"89d\"", 2, "write 90d or more"),
        ("[alias.o]\nsource = {}", 2, "source is either"),
        (
            "[alias.o]\nsource = { certificate = \"a\" }",
            2,
            "private_key is missing",
        ),
        (
            "[alias.o]\nsource = { pkcs12 = \"a\" }",
            2,
            "password_file is missing",
        ),
        (
            "[alias.o]\nsource = { pkcs12 = \"a\", private_key = \"b\" }",
            2,
            "source is either",
        ),
    ]);
}

#[test]
fn each_mistake_of_a_profile_says_what_to_do() {
    each_says(&[
        (
            "[profile.p]\nkey_identifier = \"thumb\"",
            2,
            "use one of: binary-security-token",
        ),
        (
            "[profile.p]\nsignature_algorithm = \"rsa-sha255\"",
            2,
            "did you mean rsa-sha256?",
        ),
        (
            "[profile.p]\nactor = \"urn:\\u0001\"",
            2,
            "U+0001 cannot stand in XML",
        ),
        (
            "[profile.p]\ntimestamp = \"5000000d\"",
            2,
            "longer than 100 years",
        ),
        ("[profile.p]\nsign = []", 2, "at least one part"),
        ("[profile.p]\nsign = \"body\"", 2, "write [\"…\", \"…\"]"),
        (
            "[profile.p]\nsign = [\n\"body\",\n\"boddy\"]",
            4,
            "did you mean body?",
        ),
        (
            "[profile.p]\nsign = [\"body\", \"body\"]",
            2,
            "body stands there twice",
        ),
        ("[profile.p]\ntimestamp = \"0s\"", 2, "or \"off\" for none"),
        (
            "[profile.p]\nmust_understand = \"yes\"",
            2,
            "text stands where true or false is expected",
        ),
    ]);
}

#[test]
fn what_is_not_known_is_told_with_what_is() {
    each_says(&[
        ("[proxi]", 1, "proxi is not known; did you mean proxy?"),
        (
            "[proxy]\nlissten = \"127.0.0.1:1\"",
            2,
            "lissten is not known in [proxy]; did you mean listen?",
        ),
        ("[log]\nzzz = 1", 2, "use one of format, level"),
        ("[log]\nlevel = \"infos\"", 2, "did you mean info?"),
        ("[log]\nformat = \"xml\"", 2, "use one of: text, json"),
        ("proxy = 1", 1, "write [proxy]"),
        ("x = ", 1, "not TOML"),
    ]);
}

#[test]
fn each_mistake_of_a_route_says_what_to_do() {
    let cases = [
        ("path = \"/orders\"", "path = \"orders\"", "is not a path"),
        ("path = \"/orders\"", "path = \"/orders?x=1\"", "is not a path"),
        ("path = \"/orders\"", "", "path is missing; write path ="),
        (
            "https://erp.example.com/orders",
            "erp.example.com",
            "write http://host:port/path or https://",
        ),
        (
            "https://erp.example.com/orders",
            "https://me:secret@erp.example.com/",
            "are not used; remove them",
        ),
        (
            "alias = \"orders\"",
            "alias = \"order\"",
            "there is no alias \"order\"; did you mean \"orders\"?",
        ),
        (
            "alias = \"orders\"",
            "alias = \"invoices\"",
            "define it as [alias.invoices]",
        ),
        (
            "alias = \"orders\"",
            "alias = \"orders\"\nprofile = \"erp\"",
            "define it as [profile.erp]",
        ),
        (
            "alias = \"orders\"",
            "alias = \"orders\"\ntimeouts = { connect = 5 }",
            "text in quotes",
        ),
        (
            "alias = \"orders\"",
            "alias = \"orders\"\nreceiver_tls = { certificate = \"a\" }",
            "go together",
        ),
        ("name = \"orders\"", "name = \"my orders\"", "is not a name"),
    ];
    each_replaced_says(&cases);
}

#[test]
fn each_mistake_of_a_routes_address_or_clients_says_what_to_do() {
    each_replaced_says(&[
        (
            "path = \"/orders\"\n",
            "",
            "path is missing; write path = \"/orders\", or url = \"http://…\"",
        ),
        (
            "path",
            "url",
            "\"/orders\" is not what a client asks its HTTP proxy for; write \"http://host:port/path\"",
        ),
        (
            "path = \"/orders\"",
            "url = \"https://erp.example.com/orders\"",
            "write \"http://host:port/path\"",
        ),
        (
            "path = \"/orders\"",
            "url = \"http://erp.example.com/orders?a=b\"",
            "without query",
        ),
        (
            "name = \"orders\"",
            "name = \"orders\"\nclients = []",
            "nobody could use the route; name somebody, or remove it",
        ),
        (
            "name = \"orders\"",
            "name = \"orders\"\nclients = [\"erp\"]",
            "write \"10.0.0.0/8\" or \"CN=orders\"",
        ),
        (
            "name = \"orders\"",
            "name = \"orders\"\nclients = [\"10.0.0.1/8\"]",
            "write \"10.0.0.0/8\" for all of it, or the address alone",
        ),
        (
            "name = \"orders\"",
            "name = \"orders\"\nclients = [\"CN=\\\"a\"]",
            "is not a certificate's subject",
        ),
    ]);
}

#[test]
fn two_routes_share_neither_name_nor_path() {
    let route = LEAST.trim_start().trim_start_matches("[alias.orders]");

    let errors = mistakes(&format!("{LEAST}{route}"));

    assert_eq!(errors.len(), 2, "{errors:#?}");
    assert!(
        errors[0].1.contains("\"orders\" is taken by the route of line 4"),
        "{errors:#?}"
    );
    assert!(
        errors[1]
            .1
            .contains("\"/orders\" is taken by the route of line 5"),
        "{errors:#?}"
    );
}

#[test]
fn a_configuration_without_a_route_is_refused() {
    let errors = mistakes("[alias.orders]\n");
    assert!(errors[0].1.contains("there is no route"), "{errors:#?}");
    let errors = mistakes("[route]\nname = \"orders\"\n");
    assert!(errors[0].1.contains("write [[route]]"), "{errors:#?}");
}

#[test]
fn what_is_only_coming_is_refused_by_name() {
    let errors = mistakes(&format!("[alias.o]\nexpired = \"sign\"\n{LEAST}"));
    let refused = errors.len() == 1 && errors[0].1.contains("is not supported by this version yet");
    assert!(refused, "{errors:#?}");
}

#[test]
fn an_alias_says_by_which_procedure_its_key_is_exchanged() {
    let defaults = &parse(LEAST).aliases["orders"];
    assert_eq!(
        (defaults.strategy, defaults.settle),
        (Strategy::PrePublish, Duration::from_secs(30))
    );
    let bounds = HoldBounds {
        count: 1000,
        bytes: 256 * 1024 * 1024,
        time: Duration::from_secs(45),
        release: 8,
    };
    assert_eq!(defaults.hold, bounds);

    let settings =
        "[alias.other]\nstrategy = \"hold\"\nsettle = \"5s\"\nhold = { count = 10, time = \"20s\" }";
    let other = &parse(&format!("{settings}\n{LEAST}")).aliases["other"];
    assert_eq!(
        (other.strategy, other.settle),
        (Strategy::Hold, Duration::from_secs(5))
    );
    let fewer = HoldBounds {
        count: 10,
        time: Duration::from_secs(20),
        ..bounds
    };
    assert_eq!(other.hold, fewer);
    assert_eq!(other.policy().strategy, Strategy::Hold);
}

#[test]
fn a_procedure_that_is_none_or_cannot_be_kept_to_is_refused() {
    each_says(&[
        (
            "[alias.o]\nstrategy = \"prepublish\"",
            2,
            "did you mean pre-publish?",
        ),
        ("[alias.o]\nhold = { cuont = 1 }", 2, "did you mean count?"),
        (
            "[alias.o]\nhold = { release = 0 }",
            2,
            "not a whole number from 1 on",
        ),
        ("[alias.o]\nhold = { bytes = \"lots\" }", 2, "is not a size"),
        ("[alias.o]\nsettle = \"0s\"", 2, "is not a duration"),
        (
            "[alias.o]\nstrategy = \"receiver-led\"\nactivate = \"on-import\"",
            3,
            "before a receiver that trusts one key can have exchanged it",
        ),
        (
            "[alias.o]\nactivate = \"on-import\"\nstrategy = \"hold\"",
            2,
            "write \"manual\"",
        ),
    ]);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let errors = Config::load(Path::new("/nowhere/countersign.toml")).unwrap_err();
    assert!(
        errors
            .to_string()
            .starts_with("/nowhere/countersign.toml: cannot read"),
        "{errors}"
    );
}

#[test]
fn the_example_is_right_with_its_comments_and_without() {
    let example = include_str!("../../config/countersign.toml");
    let setting = |line: &str| {
        let value = |(key, _): (&str, _)| !key.contains([' ', '.', '`', ':']);
        line.starts_with('[') || line.split_once(" = ").is_some_and(value)
    };
    let uncomment = |line: &'static str| line.strip_prefix("# ").filter(|rest| setting(rest));
    let uncommented: Vec<_> = example
        .lines()
        .map(|line| uncomment(line).unwrap_or(line))
        .collect();
    let commented = example.lines().filter(|line| uncomment(line).is_some()).count();

    let (short, full) = (parse(example), parse(&uncommented.join("\n")));

    assert!(
        commented >= 28,
        "only {commented} settings stand there as comments"
    );
    assert!(full.proxy.tls.is_some() && full.admin.tls.is_some());
    assert_eq!((short.admin.access.len(), full.admin.access.len()), (0, 1));
    let without_tls = ProxyConfig {
        tls: None,
        ..full.proxy
    };
    assert_eq!(short.proxy, without_tls);
    assert_eq!(short.log, full.log);
    assert_eq!(short.profiles["default"], full.profiles["default"]);
    assert_eq!(short.routes[0].timeouts, full.routes[0].timeouts);
    assert_eq!(full.profiles["dotnet"].actor.as_deref(), Some("…"));
    assert!(full.routes[0].receiver_tls.client.is_some());
}

#[test]
fn the_embedded_default_is_right() {
    let config = Config::embedded().unwrap();

    assert_eq!(config.routes[0].path.as_deref(), Some("/demo"));
    assert_eq!(config.routes[0].receiver.to_string(), "http://127.0.0.1:8081/");
    assert_eq!(config.state.directory, Path::new("state"));
    let pem = Source::Pem {
        certificate: "state/demo.pem".into(),
        private_key: "state/demo.pem".into(),
        password_file: None,
    };
    assert_eq!(config.aliases["demo"].source, Some(pem));
}

/// Each text, before an otherwise right configuration, is answered at the line with the words.
fn each_says(cases: &[(&str, usize, &str)]) {
    for (text, line, words) in cases {
        let errors = mistakes(&format!("{text}\n{LEAST}"));
        let found = errors
            .iter()
            .any(|(at, sentence)| at == line && sentence.contains(words));
        assert!(found, "{text:?} should say {words:?} at line {line}: {errors:#?}");
    }
}

#[test]
fn the_keys_of_the_embedded_default_are_made_once_and_for_us_alone() {
    let dir = tempdir().unwrap();
    let state = dir.path().join("state");
    let file = |name: &str| fs::read_to_string(state.join(name)).unwrap();

    make_demo_keys(&state, now()).unwrap();
    let (key, next, trust) = (file("demo.pem"), file("demo-next.pem"), file("demo-trust.pem"));
    make_demo_keys(&state, now()).unwrap();

    assert_eq!(file("demo.pem"), key, "a second start keeps the keys");
    for pem in [key, next] {
        let material = from_pem(pem.as_bytes(), None, now()).unwrap();
        let certificate = pem.split_inclusive("-----END PRIVATE KEY-----\n").nth(1).unwrap();
        assert!(
            trust.contains(certificate),
            "the receiver trusts {}",
            material.certificate.subject()
        );
    }
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&state), 0o700);
    for entry in state.read_dir().unwrap() {
        assert_eq!(mode(&entry.unwrap().path()), 0o600);
    }
    assert_eq!(state.read_dir().unwrap().count(), 3);
}

fn parse(text: &str) -> Config {
    Config::parse(text, Path::new("/etc/countersign/countersign.toml")).unwrap()
}

fn mistakes(text: &str) -> Vec<(usize, String)> {
    let errors = Config::parse(text, Path::new("countersign.toml")).expect_err(text);
    errors
        .iter()
        .map(|error| (error.line.unwrap(), error.sentence.clone()))
        .collect()
}

/// Each replacement in an otherwise right configuration is answered with the words.
fn each_replaced_says(cases: &[(&str, &str, &str)]) {
    for (right, wrong, words) in cases {
        let errors = mistakes(&LEAST.replace(right, wrong));
        assert!(
            errors.len() == 1 && errors[0].1.contains(words),
            "{wrong:?} should say {words:?}: {errors:#?}"
        );
    }
}
