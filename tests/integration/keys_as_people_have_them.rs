//! Files of keys and certificates as people have them: what can be read is read, and of the rest each says what it is.

use std::fs;
use std::path::Path;

use countersign::keys::source::{Source, SourceError, certificates, from_pem, from_pem_files, from_pkcs12};
use countersign::keys::{Certificate, KeyMaterial, Signer};
use countersign::wss::verify::Trust;
use tempfile::{TempDir, tempdir};

use crate::support::clock::now;
use crate::support::countersign::countersign;
use crate::support::tool::{is_there, openssl, run};

/// `a.key`, PKCS#8, and `a.crt`, and both in DER.
fn pair() -> TempDir {
    let dir = tempdir().unwrap();
    let at = dir.path();
    openssl(
        at,
        "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out a.key",
    );
    openssl(at, "req -x509 -new -key a.key -subj /CN=a -days 30 -out a.crt");
    openssl(at, "pkey -in a.key -outform DER -out a.key.der");
    openssl(at, "x509 -in a.crt -outform DER -out a.crt.der");
    dir
}

fn read(dir: &Path, name: &str) -> Vec<u8> {
    fs::read(dir.join(name)).unwrap()
}

fn text(dir: &Path, name: &str) -> String {
    fs::read_to_string(dir.join(name)).unwrap()
}

fn utf16(text: &str, unit: fn(u16) -> [u8; 2], mark: bool) -> Vec<u8> {
    let marked = if mark {
        format!("\u{feff}{text}")
    } else {
        text.to_owned()
    };
    marked.encode_utf16().flat_map(unit).collect()
}

#[track_caller]
fn may_sign<E: std::fmt::Display>(material: Result<KeyMaterial, E>) -> Signer {
    let material = material.unwrap_or_else(|error| panic!("{error}"));
    Signer::new(material, now()).unwrap_or_else(|error| panic!("{error}"))
}

#[track_caller]
fn sentence<T, E: std::fmt::Display>(refused: Result<T, E>) -> String {
    refused.err().expect("it is refused").to_string()
}

#[test]
fn text_files_are_read_however_they_were_saved() {
    let dir = pair();
    let at = dir.path();
    let bundle = text(at, "a.key") + &text(at, "a.crt");
    let lines = |join: &str| bundle.lines().collect::<Vec<_>>().join(join);
    let folded = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    for (how, bytes) in [
        ("with a byte order mark", format!("\u{feff}{bundle}").into_bytes()),
        (
            "with one before each block",
            bundle.replace("-----BEGIN", "\u{feff}-----BEGIN").into_bytes(),
        ),
        ("in UTF-16, little-endian", utf16(&bundle, u16::to_le_bytes, true)),
        ("in UTF-16, big-endian", utf16(&bundle, u16::to_be_bytes, true)),
        (
            "in UTF-16 without a mark",
            utf16(&bundle, u16::to_le_bytes, false),
        ),
        ("the other way round", utf16(&bundle, u16::to_be_bytes, false)),
        ("with CRLF", lines("\r\n").into_bytes()),
        ("with CR", lines("\r").into_bytes()),
        ("without the last line end", bundle.trim_end().as_bytes().to_vec()),
        ("indented", lines("\n    ").into_bytes()),
        ("with blanks behind", lines("  \n").into_bytes()),
        ("folded into one line", folded(&bundle).into_bytes()),
        ("with escaped line ends", lines("\\n").into_bytes()),
        (
            "between other text",
            format!("Bag Attributes\n  friendlyName: a\n{bundle}subject=CN = a: b\n").into_bytes(),
        ),
        ("after Latin-1", [b"Schl\xfcssel\n", bundle.as_bytes()].concat()),
    ] {
        let read = from_pem(&bytes, None, now());
        assert!(read.is_ok(), "{how}: {}", sentence(read));
        assert!(Trust::read(&bytes).is_ok(), "{how}");
        assert_eq!(certificates(&bytes).map(|found| found.len()), Ok(1), "{how}");
    }
    let encrypted = openssl(at, "ec -in a.key -aes256 -passout pass:secret");
    for (how, key) in [
        ("as it is", encrypted.clone()),
        ("with CRLF", encrypted.replace('\n', "\r\n")),
    ] {
        let bytes = format!("\u{feff}{key}{}", text(at, "a.crt"));
        assert!(from_pem(bytes.as_bytes(), Some("secret"), now()).is_ok(), "{how}");
    }
}

#[test]
fn der_is_read_where_pem_is_meant() {
    let dir = pair();
    let at = dir.path();
    openssl(at, "ec -in a.key -outform DER -out sec1.der");
    openssl(
        at,
        "pkcs8 -topk8 -in a.key -passout pass:secret -outform DER -out encrypted.der",
    );
    openssl(at, "crl2pkcs7 -nocrl -certfile a.crt -outform DER -out a.p7b");
    openssl(at, "crl2pkcs7 -nocrl -certfile a.crt -out p7.pem");
    openssl(at, "genpkey -algorithm RSA -out r.key");
    openssl(at, "req -x509 -new -key r.key -subj /CN=r -days 30 -out r.crt");
    openssl(at, "rsa -in r.key -traditional -outform DER -out pkcs1.der");
    for (key, certificate) in [
        ("a.key.der", "a.crt.der"),
        ("sec1.der", "a.crt"),
        ("encrypted.der", "a.p7b"),
        ("a.key", "p7.pem"),
        ("pkcs1.der", "r.crt"),
    ] {
        let read = from_pem_files(&read(at, key), &read(at, certificate), Some("secret"), now());
        assert!(read.is_ok(), "{key}, {certificate}: {:?}", read.err());
    }
    let encrypted = from_pem_files(&read(at, "encrypted.der"), &read(at, "a.crt"), None, now());
    assert_eq!(
        encrypted.err().map(|(_, error)| error),
        Some(SourceError::PasswordNeeded)
    );
    let message = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/messages/soap11.xml");
    let sign = format!(
        "sign --key a.key.der --certificate a.crt.der {}",
        message.display()
    );
    fs::write(at.join("signed.xml"), countersign(at, &sign).stdout).unwrap();
    let verified = countersign(at, "verify --trust a.crt.der signed.xml");
    assert_eq!((verified.code, verified.stderr.as_str()), (Some(0), ""));
}

fn of_pem(bytes: impl AsRef<[u8]>) -> String {
    sentence(from_pem(bytes.as_ref(), None, now()))
}

fn of_pkcs12(bytes: impl AsRef<[u8]>) -> String {
    sentence(from_pkcs12(bytes.as_ref(), "changeit", None, now()))
}

fn of_certificates(bytes: impl AsRef<[u8]>) -> String {
    sentence(certificates(bytes.as_ref()))
}

#[track_caller]
fn assert_says(refused: &str, words: &str) {
    assert!(refused.contains(words), "{refused}");
}

#[test]
fn a_key_store_of_another_form_says_which_it_is_and_how_it_is_converted() {
    let dir = pair();
    let at = dir.path();
    openssl(
        at,
        "pkcs12 -export -inkey a.key -in a.crt -passout pass:changeit -out a.p12",
    );
    let jks = b"\xfe\xed\xfe\xed\0\0\0\x02\0\0\0\x01";
    for refused in [of_pem(jks), of_pkcs12(jks), of_certificates(jks)] {
        assert_says(
            &refused,
            "this is a Java key store (JKS); convert it with `keytool -importkeystore",
        );
    }
    assert_says(&of_pkcs12(b"\xce\xce\xce\xce\0\0\0\x02"), "-srcstoretype JCEKS");
    assert_says(&of_pkcs12(b"\0\0\0\x02\0\0\0\x14abc"), "-srcstoretype BKS");
    for refused in [of_pem(read(at, "a.p12")), of_certificates(read(at, "a.p12"))] {
        assert_says(&refused, "this is PKCS#12; name it as that");
    }
    for refused in [of_pkcs12(read(at, "a.key")), of_pkcs12(read(at, "a.key.der"))] {
        assert_says(
            &refused,
            "this is a key or certificates, not PKCS#12; name them as that",
        );
    }
}

#[test]
fn what_is_no_certificate_says_what_it_is() {
    let dir = pair();
    let at = dir.path();
    openssl(at, "req -new -key a.key -subj /CN=a -out a.csr");
    let cut_off = text(at, "a.crt").replace("-----END CERTIFICATE-----", "");
    for (refused, words) in [
        (
            of_certificates(read(at, "a.csr")),
            "there is no certificate in it, only a request for one",
        ),
        (
            of_certificates(read(at, "a.key")),
            "there is no certificate in it, only a private key",
        ),
        (
            of_certificates(""),
            "there is no certificate in it; it is neither PEM nor DER",
        ),
        (
            of_certificates("<!DOCTYPE html>"),
            "this is HTML or XML; a download that failed, perhaps",
        ),
        (
            of_certificates(&cut_off),
            "the block \"CERTIFICATE\" of PEM has no END line",
        ),
        (of_certificates(cut_off + &text(at, "a.crt")), "has no END line"),
    ] {
        assert_says(&refused, words);
    }
}

#[test]
fn what_is_no_private_key_says_what_it_is() {
    let dir = pair();
    let at = dir.path();
    openssl(at, "pkey -in a.key -pubout -out a.pub");
    for (refused, words) in [
        (
            of_pem(read(at, "a.pub")),
            "there is no private key in it, only a public key",
        ),
        (
            of_pem(read(at, "a.crt")),
            "there is no private key in it, only certificates",
        ),
        (of_pem("{\"kty\":\"EC\"}"), "this is JSON"),
        (of_pem("PuTTY-User-Key-File-3: ssh-rsa"), "this is a key of PuTTY"),
        (
            of_pem(text(at, "a.key").repeat(2)),
            "more than one private key in it; leave one",
        ),
    ] {
        assert_says(&refused, words);
    }
    if is_there("ssh-keygen", "keys of OpenSSH") {
        run(at, "ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", "ssh"]);
        assert_says(&of_pem(read(at, "ssh")), "`ssh-keygen -p -m PEM -f FILE`");
    }
}

#[test]
fn a_key_of_another_kind_says_which_it_is() {
    let dir = tempdir().unwrap();
    let at = dir.path();
    openssl(at, "dsaparam -genkey -out dsa.key 1024");
    openssl(
        at,
        "ecparam -name prime256v1 -param_enc explicit -genkey -noout -out explicit.key",
    );
    openssl(at, "genpkey -algorithm RSA-PSS -out pss.key");
    for (name, algorithm) in [
        ("ed448", "ED448"),
        ("x25519", "X25519"),
        ("secp256k1", "EC -pkeyopt ec_paramgen_curve:secp256k1"),
        ("brainpool", "EC -pkeyopt ec_paramgen_curve:brainpoolP256r1"),
    ] {
        openssl(at, &format!("genpkey -algorithm {algorithm} -out {name}.key"));
    }
    for (name, words) in [
        ("ed448", "keys of type ED448 are not supported: use RSA, P-256"),
        ("x25519", "keys of type X25519 are not supported"),
        ("secp256k1", "keys of type secp256k1 are not supported"),
        ("brainpool", "keys of type brainpoolP256r1 are not supported"),
        ("dsa", "keys of type DSA are not supported"),
        (
            "pss",
            "keys for RSASSA-PSS alone (id-RSASSA-PSS) are not supported",
        ),
        ("explicit", "the parameters of its elliptic curve are written out"),
    ] {
        let refused = sentence(from_pem(&read(at, &format!("{name}.key")), None, now()));
        assert!(refused.contains(words), "{name}: {refused}");
    }
    // A key that names its curve, with a certificate that does not.
    openssl(
        at,
        "req -x509 -new -key explicit.key -subj /CN=e -days 30 -out explicit.crt",
    );
    openssl(at, "ec -in explicit.key -param_enc named_curve -out named.key");
    let pem = [read(at, "named.key"), read(at, "explicit.crt")].concat();
    let material = from_pem(&pem, None, now()).unwrap_or_else(|error| panic!("{error}"));
    let refused = sentence(Signer::new(material, now()));
    assert!(
        refused.contains("the certificate of CN=e: the parameters of its elliptic curve"),
        "{refused}"
    );
}

/// Certificates of one key by one authority: each its name, days of validity from now on, and serial number.
fn certified(at: &Path, made: &[(&str, i64, u32)]) {
    openssl(
        at,
        "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ca.key",
    );
    openssl(
        at,
        "req -x509 -new -key ca.key -subj /CN=CA -days 900 -out ca.crt",
    );
    openssl(
        at,
        "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out new.key",
    );
    openssl(at, "req -new -key new.key -subj /CN=orders -out new.csr");
    let day = |days: i64| {
        let at = now() + time::Duration::days(days);
        let (year, month, day) = at.to_calendar_date();
        format!("{year:04}{:02}{day:02}000000Z", u8::from(month))
    };
    fs::write(at.join("ca.cnf"), CA).unwrap();
    for (name, days, serial) in made {
        fs::write(at.join("index.txt"), "").unwrap();
        fs::write(at.join("serial"), format!("{serial:X}\n")).unwrap();
        let (from, to) = (day(days - 400), day(*days));
        let sign = format!(
            "ca -batch -notext -config ca.cnf -in new.csr -startdate {from} -enddate {to} -out {name}.crt"
        );
        openssl(at, &sign);
    }
}

const CA: &str = "[ca]\ndefault_ca=c\n[c]\ndatabase=index.txt\nserial=serial\nnew_certs_dir=.\ncertificate=ca.crt\n\
                  private_key=ca.key\ndefault_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n";

#[test]
fn of_certificates_that_share_a_key_the_named_one_is_taken_else_the_valid_and_newest() {
    let dir = tempdir().unwrap();
    let at = dir.path();
    certified(
        at,
        &[
            ("gone", -1, 0x1000),
            ("old", 30, 0x1001),
            ("new", 300, 0x1002),
            ("later", 500, 0x1003),
        ],
    );
    let bundle = |names: &[&str]| -> Vec<u8> { names.iter().flat_map(|name| read(at, name)).collect() };
    for (names, serial) in [
        (&["gone.crt", "new.crt", "new.key"][..], "4098"),
        (&["old.crt", "new.key", "new.crt", "gone.crt"], "4098"),
        (&["new.crt", "old.crt", "new.key"], "4098"),
        // It is not valid yet.
        (&["later.crt", "old.crt", "new.key", "new.crt"], "4098"),
        (&["gone.crt", "later.crt", "new.key"], "4099"),
    ] {
        let material = from_pem(&bundle(names), None, now()).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(material.certificate.serial(), serial, "{names:?}");
        assert_eq!(material.chain.len(), 0, "{names:?}");
    }
    let material = from_pem_files(
        &read(at, "new.key"),
        &bundle(&["gone.crt", "ca.crt", "new.crt"]),
        None,
        now(),
    );
    let material = material
        .map_err(|(_, error)| error)
        .unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((material.certificate.serial(), material.chain.len()), ("4098", 1));

    if !is_there("keytool", "key stores with several entries for one key") {
        return;
    }
    for entry in ["old", "new"] {
        let export = format!(
            "pkcs12 -export -inkey new.key -in {entry}.crt -name {entry} -passout pass:changeit -out {entry}.p12"
        );
        openssl(at, &export);
        let import = format!(
            "-importkeystore -srckeystore {entry}.p12 -srcstorepass changeit -srcalias {entry} -destkeystore two.p12 \
             -deststoretype PKCS12 -deststorepass changeit -noprompt"
        );
        run(at, "keytool", import.split_whitespace());
    }
    let two = read(at, "two.p12");
    for (entry, serial) in [(Some("old"), "4097"), (Some("NEW"), "4098"), (None, "4098")] {
        let signer = may_sign(from_pkcs12(&two, "changeit", entry, now()));
        assert_eq!(signer.certificate().serial(), serial, "{entry:?}");
    }
}

#[test]
fn a_self_signed_certificate_that_was_made_anew_is_not_its_own_issuer() {
    let dir = pair();
    let at = dir.path();
    openssl(at, "req -x509 -new -key a.key -subj /CN=a -days 60 -out b.crt");
    let pem = [read(at, "a.crt"), read(at, "a.key"), read(at, "b.crt")].concat();
    let material = from_pem(&pem, None, now()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(material.chain.len(), 0);
}

#[test]
fn a_store_that_asks_for_too_much_work_is_refused_before_it() {
    let file = |name: &str| fs::read(Path::new("tests/keys").join(name)).unwrap();
    let too_many = "opening it takes more than 1000000 iterations";
    assert!(sentence(from_pkcs12(&file("many-iterations.p12"), "changeit", None, now())).contains(too_many));
    assert!(sentence(from_pem(&file("many-iterations.pem"), Some("changeit"), now())).contains(too_many));
    let large = [file("openssl-3.p12"), vec![0; 1 << 20]].concat();
    assert!(sentence(from_pkcs12(&large, "changeit", None, now())).contains("larger than 1 MiB"));
}

#[test]
fn encryption_by_scrypt_is_read() {
    let dir = pair();
    openssl(
        dir.path(),
        "pkcs8 -topk8 -scrypt -in a.key -passout pass:secret -out s.key",
    );
    let pem = [read(dir.path(), "s.key"), read(dir.path(), "a.crt")].concat();
    may_sign(from_pem(&pem, Some("secret"), now()));
    assert_eq!(
        from_pem(&pem, Some("Secret"), now()).err(),
        Some(SourceError::WrongPassword)
    );
    let costly = "pkcs8 -topk8 -scrypt -scrypt_N 65536 -scrypt_r 8 -scrypt_p 2 -in a.key -passout pass:secret -out c.key";
    if crate::support::tool::succeeds(dir.path(), "openssl", costly.split_whitespace()) {
        let refused = from_pem(&read(dir.path(), "c.key"), Some("secret"), now());
        assert_eq!(refused.err(), Some(SourceError::TooManyIterations));
    }
}

#[test]
fn pbmac1_is_told_from_a_wrong_password() {
    let file = fs::read("tests/keys/pbmac1.p12").unwrap();
    let read = from_pkcs12(&file, "changeit", None, now());
    // OpenSSL 3.4 is the first to know it.
    if openssl::version::number() < 0x3040_0000 {
        let refused = sentence(read);
        assert!(
            refused.contains("PBMAC1") && refused.contains("the password may well be right"),
            "{refused}"
        );
    } else {
        may_sign(read);
        assert_eq!(
            from_pkcs12(&file, "wrong", None, now()).err(),
            Some(SourceError::WrongPassword)
        );
    }
}

#[test]
fn a_store_without_a_key_says_what_it_has() {
    let dir = pair();
    openssl(
        dir.path(),
        "pkcs12 -export -nokeys -in a.crt -passout pass:changeit -out trust.p12",
    );
    let refused = sentence(from_pkcs12(
        &read(dir.path(), "trust.p12"),
        "changeit",
        None,
        now(),
    ));
    assert!(
        refused.contains("there is no private key in it, only certificates, as in a trust store"),
        "{refused}"
    );
    // Java lists no entry of this one, and no error.
    let unencrypted = "pkcs12 -export -keypbe NONE -certpbe NONE -inkey a.key -in a.crt -name a -passout pass:changeit -out plain.p12";
    openssl(dir.path(), unencrypted);
    may_sign(from_pkcs12(
        &read(dir.path(), "plain.p12"),
        "changeit",
        Some("a"),
        now(),
    ));
    if is_there("keytool", "key stores with secret keys alone") {
        let generate = "-genseckey -keyalg AES -keysize 128 -alias s -storetype PKCS12 -keystore s.p12 -storepass changeit";
        run(dir.path(), "keytool", generate.split_whitespace());
        let refused = sentence(from_pkcs12(&read(dir.path(), "s.p12"), "changeit", None, now()));
        assert!(refused.contains("there is no private key in it, "), "{refused}");
    }
}

/// Of [`pair`], and others that do not fit.
fn files_that_do_not_fit() -> TempDir {
    let dir = pair();
    let at = dir.path();
    openssl(at, "genpkey -algorithm ED25519 -out b.key");
    openssl(
        at,
        "pkcs12 -export -inkey a.key -in a.crt -passout pass:changeit -out a.p12",
    );
    openssl(at, "pkcs8 -topk8 -in a.key -passout pass:secret -out e.key");
    fs::write(at.join("wrong"), "wrong\n").unwrap();
    fs::write(at.join("junk"), "junk").unwrap();
    dir
}

#[test]
fn every_sentence_about_a_file_of_a_source_names_that_file() {
    let dir = files_that_do_not_fit();
    let file = |name: &str| dir.path().join(name);
    let pem = |key: &str, certificate: &str, password: Option<&str>| Source::Pem {
        certificate: file(certificate),
        private_key: file(key),
        password_file: password.map(file),
    };
    let pkcs12 = |path: &str, password: &str| Source::Pkcs12 {
        path: file(path),
        password_file: file(password),
        entry: None,
    };
    let other = "a.crt: no certificate in it belongs to the private key of ";
    for (source, about, besides) in [
        (pem("junk", "a.crt", None), "junk: there is no private key", ""),
        (pem("a.key", "junk", None), "junk: there is no certificate", ""),
        (pem("b.key", "a.crt", None), other, "b.key"),
        (pem("a.key", "absent", None), "absent cannot be read", ""),
        (
            pem("e.key", "a.crt", Some("wrong")),
            "e.key: the password in ",
            "wrong is wrong",
        ),
        (
            pem("e.key", "a.crt", None),
            "e.key: the private key is encrypted",
            "",
        ),
        (
            pkcs12("a.p12", "wrong"),
            "a.p12: the password in ",
            "wrong is wrong",
        ),
        (pkcs12("junk", "wrong"), "junk: this is no PKCS#12", ""),
        (pkcs12("a.p12", "absent"), "absent cannot be read", ""),
    ] {
        let refused = sentence(source.load(now()));
        assert!(
            refused.contains(&format!("/{about}")) && refused.contains(besides),
            "{refused}"
        );
    }
}

#[test]
fn every_sentence_about_a_file_of_a_command_names_that_file() {
    let dir = files_that_do_not_fit();
    let message = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/messages/soap11.xml");
    for (flags, words) in [
        ("--key junk --certificate a.crt", "junk: there is no private key"),
        ("--key a.key --certificate junk", "junk: there is no certificate"),
        (
            "--key b.key --certificate a.crt",
            "a.crt: no certificate in it belongs to the private key of b.key",
        ),
        (
            "--key e.key --certificate a.crt --password-file wrong",
            "e.key: the password in wrong is wrong",
        ),
        (
            "--pkcs12 a.p12 --password-file wrong",
            "a.p12: the password in wrong is wrong",
        ),
    ] {
        let run = countersign(dir.path(), &format!("sign {flags} {}", message.display()));
        assert_eq!(run.code, Some(1), "{flags}");
        assert!(
            run.stderr.starts_with(&format!("error: {words}")),
            "{flags}: {}",
            run.stderr
        );
    }
}

#[test]
fn a_password_file_of_windows_is_read() {
    let dir = pair();
    let at = dir.path();
    openssl(
        at,
        "pkcs12 -export -inkey a.key -in a.crt -passout pass:changeit -out a.p12",
    );
    for (how, bytes) in [
        (
            "with a byte order mark",
            "\u{feff}changeit\r\n".as_bytes().to_vec(),
        ),
        ("in UTF-16", utf16("changeit\r\n", u16::to_le_bytes, true)),
    ] {
        fs::write(at.join("password"), bytes).unwrap();
        let source = Source::Pkcs12 {
            path: at.join("a.p12"),
            password_file: at.join("password"),
            entry: None,
        };
        let read = source.load(now());
        assert!(read.is_ok(), "{how}: {}", sentence(read));
    }
}

/// By `Certificate`, what an authority of Windows writes: an `O` as BMPString.
#[test]
fn an_issuer_is_written_as_receivers_find_it_and_read_in_any_form() {
    let dir = tempdir().unwrap();
    let at = dir.path();
    let strings = [
        (
            "BMPSTRING",
            "FORMAT:UTF8,BMP:Müller",
            "CN=CA,O=#1e0c004d00fc006c006c00650072",
        ),
        (
            "UNIVERSALSTRING",
            "FORMAT:UTF8,UNIV:Mü",
            "CN=CA,O=#1c080000004d000000fc",
        ),
        ("T61STRING", "FORMAT:UTF8,T61:Mueller", "CN=CA,O=Mueller"),
        ("UTF8", "FORMAT:UTF8,UTF8:Müller", "CN=CA,O=Müller"),
    ];
    openssl(
        at,
        "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out a.key",
    );
    for (name, string, written) in strings {
        let der = by_issuer(at, string);
        let certificate = Certificate::from_der(&der).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(certificate.issuer_in_messages(), written, "{name}");
        assert!(
            certificate.issuer().starts_with("CN=CA,O=M"),
            "people read {}",
            certificate.issuer()
        );
    }
}

/// A certificate whose issuer's O is this string of `openssl asn1parse`.
fn by_issuer(at: &Path, string: &str) -> Vec<u8> {
    let config = format!(
        "asn1=SEQUENCE:name\n[name]\no=SET:orgs\ncn=SET:cns\n[orgs]\na=SEQUENCE:org\n[org]\nt=OID:organizationName\nv={string}\n\
         [cns]\na=SEQUENCE:cn\n[cn]\nt=OID:commonName\nv=FORMAT:UTF8,UTF8:CA\n"
    );
    fs::write(at.join("name.cnf"), config).unwrap();
    openssl(at, "asn1parse -genconf name.cnf -noout -out name.der");
    let issuer = openssl::x509::X509Name::from_der(&read(at, "name.der")).unwrap();
    let key = openssl::pkey::PKey::private_key_from_pem(&read(at, "a.key")).unwrap();
    let mut builder = openssl::x509::X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_issuer_name(&issuer).unwrap();
    builder.set_subject_name(&issuer).unwrap();
    builder.set_pubkey(&key).unwrap();
    let day = |days| openssl::asn1::Asn1Time::days_from_now(days).unwrap();
    builder.set_not_before(&day(0)).unwrap();
    builder.set_not_after(&day(30)).unwrap();
    builder
        .sign(&key, openssl::hash::MessageDigest::sha256())
        .unwrap();
    builder.build().to_der().unwrap()
}
