//! Keys as other programs write them: OpenSSL of today and before 3, Java's keytool.

use std::fs;
use std::path::Path;

use countersign::keys::source::{self, Source, SourceError};
use countersign::keys::{KeyMaterial, Signer};
use tempfile::tempdir;

use crate::support::clock::now;
use crate::support::tool::{is_there, openssl, run};

fn from_pem(pem: &[u8], passphrase: Option<&str>) -> Result<KeyMaterial, SourceError> {
    source::from_pem(pem, passphrase, now())
}

fn from_pkcs12(bytes: &[u8], password: &str, entry: Option<&str>) -> Result<KeyMaterial, SourceError> {
    source::from_pkcs12(bytes, password, entry, now())
}

#[test]
fn every_form_of_a_pem_key_signs() {
    let dir = tempdir().unwrap();
    for (key_type, forms) in [
        ("RSA", &["pkey", "rsa -traditional"][..]),
        ("EC -pkeyopt ec_paramgen_curve:P-256", &["pkey", "ec"]),
        ("EC -pkeyopt ec_paramgen_curve:P-384", &["pkey", "ec"]),
        ("EC -pkeyopt ec_paramgen_curve:P-521", &["pkey", "ec"]),
        ("ED25519", &["pkey"]),
    ] {
        openssl(dir.path(), &format!("genpkey -algorithm {key_type} -out key.pem"));
        openssl(
            dir.path(),
            "req -x509 -new -key key.pem -subj /CN=Test -out certificate.pem",
        );
        for form in forms {
            openssl(dir.path(), &format!("{form} -in key.pem -out form.pem"));
            may_sign(from_pem(
                &concat(dir.path(), &["form.pem", "certificate.pem"]),
                None,
            ));

            openssl(
                dir.path(),
                &format!("{form} -in key.pem -aes256 -passout pass:secret -out form.pem"),
            );
            let encrypted = concat(dir.path(), &["certificate.pem", "form.pem"]);
            may_sign(from_pem(&encrypted, Some("secret")));
            assert_eq!(
                error(from_pem(&encrypted, Some("Secret"))),
                SourceError::WrongPassword
            );
            assert_eq!(
                error(from_pem(&encrypted, Some("nul\0"))),
                SourceError::WrongPassword
            );
            assert_eq!(
                error(from_pem(&encrypted, Some(&"long".repeat(999)))),
                SourceError::WrongPassword
            );
            assert_eq!(error(from_pem(&encrypted, None)), SourceError::PasswordNeeded);
        }
    }
}

#[test]
fn the_leaf_and_its_chain_are_found_in_any_order_of_certificates() {
    let dir = tempdir().unwrap();
    make_chain(dir.path());
    let shuffled = [
        "root.pem",
        "other.pem",
        "leaf.pem",
        "leaf.key",
        "intermediate.pem",
    ];

    let material = from_pem(&concat(dir.path(), &shuffled), None).unwrap_or_else(|error| panic!("{error}"));

    assert_eq!(material.certificate.subject(), "CN=Leaf");
    let chain: Vec<_> = material
        .chain
        .iter()
        .map(|certificate| certificate.subject())
        .collect();
    assert_eq!(chain, ["CN=Intermediate", "CN=Root"]);
    assert!(material.chain[1].is_self_issued());
}

#[test]
fn a_key_and_its_chain_may_be_in_one_file_or_in_two() {
    let dir = tempdir().unwrap();
    make_chain(dir.path());
    fs::write(
        dir.path().join("both.pem"),
        concat(dir.path(), &["leaf.pem", "leaf.key"]),
    )
    .unwrap();
    fs::write(dir.path().join("password"), "unused\n").unwrap();
    for (certificate, private_key) in [("both.pem", "both.pem"), ("leaf.pem", "leaf.key")] {
        let source = Source::Pem {
            certificate: dir.path().join(certificate),
            private_key: dir.path().join(private_key),
            password_file: Some(dir.path().join("password")),
        };
        may_sign(source.load(now()));
    }
}

#[test]
fn pem_that_gives_no_key_says_why() {
    let dir = tempdir().unwrap();
    make_chain(dir.path());
    let from = |files: &[&str]| from_pem(&concat(dir.path(), files), None);
    assert_eq!(
        error(from(&["leaf.pem"])),
        SourceError::NoPrivateKey(", only certificates")
    );
    assert_eq!(
        error(from(&["leaf.key"])).to_string(),
        "no certificate in it belongs to the private key"
    );
    assert_eq!(
        error(from(&["leaf.key", "other.pem", "root.pem"])).to_string(),
        "no certificate in it belongs to the private key, only to others: CN=Other; CN=Root"
    );
    assert!(
        error(from(&["leaf.key", "root.key", "leaf.pem"]))
            .to_string()
            .contains("more than one private key")
    );
    let broken = b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    assert!(matches!(
        error(from_pem(broken, None)),
        SourceError::Malformed { .. }
    ));
}

#[test]
fn pkcs12_of_openssl_and_of_its_versions_before_3_loads() {
    let dir = tempdir().unwrap();
    make_chain(dir.path());
    fs::write(
        dir.path().join("chain.pem"),
        concat(dir.path(), &["root.pem", "intermediate.pem"]),
    )
    .unwrap();
    for style in [
        "",
        "-legacy",
        "-legacy -macalg sha1 -certpbe PBE-SHA1-3DES",
        "-keypbe NONE -certpbe NONE",
    ] {
        let export = "pkcs12 -export -inkey leaf.key -in leaf.pem -certfile chain.pem -out key.p12";
        openssl(
            dir.path(),
            &format!("{export} -name orders -passout pass:geheimnüß {style}"),
        );
        let bytes = fs::read(dir.path().join("key.p12")).unwrap();

        let material =
            from_pkcs12(&bytes, "geheimnüß", None).unwrap_or_else(|error| panic!("{style}: {error}"));
        let chain: Vec<_> = material
            .chain
            .iter()
            .map(|certificate| certificate.subject())
            .collect();
        assert_eq!(chain, ["CN=Intermediate", "CN=Root"], "{style}");
        may_sign(Ok::<_, SourceError>(material));

        assert_eq!(
            error(from_pkcs12(&bytes, "wrong", None)),
            SourceError::WrongPassword,
            "{style}"
        );
        assert_eq!(
            error(from_pkcs12(&bytes, "", None)),
            SourceError::WrongPassword,
            "{style}"
        );
    }
}

#[test]
fn pkcs12_of_keytool_loads_also_in_its_old_encryption_and_with_several_entries() {
    if !is_there("keytool", "keystores of Java") {
        return;
    }
    let dir = tempdir().unwrap();
    for style in ["", "-J-Dkeystore.pkcs12.legacy"] {
        let _ = fs::remove_file(dir.path().join("key.p12"));
        for (alias, key) in [("Orders", "RSA"), ("invoices", "EC")] {
            let generate =
                "-genkeypair -keystore key.p12 -storetype PKCS12 -storepass changeit -dname CN=Test";
            let arguments = format!("{style} {generate} -alias {alias} -keyalg {key}");
            run(dir.path(), "keytool", arguments.split_whitespace());
        }
        let bytes = fs::read(dir.path().join("key.p12")).unwrap();

        may_sign(from_pkcs12(&bytes, "changeit", Some("Orders")));
        may_sign(from_pkcs12(&bytes, "changeit", Some("invoices")));
        assert_eq!(
            error(from_pkcs12(&bytes, "changed", None)),
            SourceError::WrongPassword
        );
        assert_eq!(
            error(from_pkcs12(&bytes, "changeit", None)).to_string(),
            "there are 2 private keys in it: orders, invoices; name the one to take as `entry`"
        );
        assert_eq!(
            error(from_pkcs12(&bytes, "changeit", Some("order"))).to_string(),
            "there is no private key named \"order\" in it, only: orders, invoices"
        );
    }
}

#[test]
fn what_keytool_and_openssl_of_old_and_new_wrote_loads_without_them() {
    let file = |name: &str| fs::read(Path::new("tests/keys").join(name)).unwrap();
    for keystore in ["keytool.p12", "keytool-legacy.p12"] {
        for entry in ["orders", "Invoices"] {
            may_sign(from_pkcs12(&file(keystore), "changeit", Some(entry)));
        }
        assert!(matches!(
            error(from_pkcs12(&file(keystore), "changeit", None)),
            SourceError::SeveralPrivateKeys(_)
        ));
    }
    for name in ["openssl-1.p12", "openssl-3.p12"] {
        may_sign(from_pkcs12(&file(name), "changeit", None));
        assert_eq!(
            error(from_pkcs12(&file(name), "changed", None)),
            SourceError::WrongPassword
        );
    }
    may_sign(from_pem(&file("openssl-1-des3.pem"), Some("changeit")));
}

#[test]
fn pkcs12_in_ber_with_an_indefinite_length_loads_where_openssl_knows_its_ciphers() {
    let der = fs::read("tests/keys/openssl-3.p12").unwrap();
    assert_eq!(der[..2], [0x30, 0x82], "a length of two bytes");
    let ber = [&[0x30, 0x80], &der[4..], &[0, 0]].concat();
    may_sign(from_pkcs12(&ber, "changeit", None));
    may_sign(from_pkcs12(&ber, "changeit", Some("Orders")));
    for (password, entry) in [("changed", None), ("changeit", Some("invoices"))] {
        let refused = error(from_pkcs12(&ber, password, entry)).to_string();
        assert!(refused.contains("rewrite it in DER"), "{refused}");
    }
}

#[test]
fn bytes_that_are_no_pkcs12_are_told_from_a_wrong_password() {
    for bytes in [&b""[..], b"\x30\x03\x02\x01\x03", b"-----BEGIN PRIVATE KEY-----"] {
        assert!(matches!(
            error(from_pkcs12(bytes, "", None)),
            SourceError::Malformed { .. }
        ));
    }
    let ber = error(from_pkcs12(b"\x30\x80\x02\x01\x03", "", None)).to_string();
    assert!(ber.contains("rewrite it in DER"), "{ber}");
}

#[test]
fn a_source_that_cannot_be_read_names_the_file() {
    let dir = tempdir().unwrap();
    fs::write(dir.path().join("password"), "secret\r\n").unwrap();
    let source = Source::Pkcs12 {
        path: dir.path().join("missing.p12"),
        password_file: dir.path().join("password"),
        entry: None,
    };
    let sentence = source.load(now()).err().unwrap().to_string();
    assert!(
        sentence.contains("missing.p12 cannot be read: No such file"),
        "{sentence}"
    );
}

/// Root, intermediate, leaf, and another root of no relation.
fn make_chain(dir: &Path) {
    for name in ["root", "intermediate", "leaf", "other"] {
        openssl(
            dir,
            &format!("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out {name}.key"),
        );
    }
    let request = "req -new -x509 -days 30";
    openssl(
        dir,
        &format!("{request} -key root.key -subj /CN=Root -out root.pem"),
    );
    openssl(
        dir,
        &format!("{request} -key other.key -subj /CN=Other -out other.pem"),
    );
    let by_root = "-CA root.pem -CAkey root.key";
    openssl(
        dir,
        &format!("{request} -key intermediate.key -subj /CN=Intermediate {by_root} -out intermediate.pem"),
    );
    let by_intermediate = "-CA intermediate.pem -CAkey intermediate.key";
    openssl(
        dir,
        &format!("{request} -key leaf.key -subj /CN=Leaf {by_intermediate} -out leaf.pem"),
    );
}

fn concat(dir: &Path, files: &[&str]) -> Vec<u8> {
    files
        .iter()
        .flat_map(|file| fs::read(dir.join(file)).unwrap())
        .collect()
}

fn may_sign<E: std::fmt::Display>(material: Result<KeyMaterial, E>) {
    let material = material.unwrap_or_else(|error| panic!("{error}"));
    let signer = Signer::new(material, now()).unwrap_or_else(|refused| panic!("{refused}"));
    signer.sign(signer.key_type().auto(), b"message").unwrap();
}

fn error(result: Result<KeyMaterial, SourceError>) -> SourceError {
    result.err().expect("no key")
}
