//! The facts of certificates, against what OpenSSL and Java say of them.

use std::fs;
use std::path::Path;

use countersign::keys::Certificate;
use countersign::keys::source::from_pem;
use tempfile::tempdir;

use crate::support::clock::now;
use crate::support::tool::{is_there, openssl, run};

/// Subjects as `openssl req -subj` takes them, and what a receiver is told.
const NAMES: &[(&str, &str)] = &[
    ("/CN=plain", "CN=plain"),
    (
        "/DC=com/DC=example/C=DE/ST=Bayern/L=München/street=Weg 1/O=Müller & Söhne/OU=IT/UID=x/CN=ord ers",
        "CN=ord ers,UID=x,OU=IT,O=Müller & Söhne,STREET=Weg 1,L=München,ST=Bayern,C=DE,DC=example,DC=com",
    ),
    (
        "/O=Acme, Inc.; \"<a>\"/CN=back\\\\slash",
        "CN=back\\\\slash,O=Acme\\, Inc.\\; \\\"\\<a\\>\\\"",
    ),
    ("/O=two+OU=values/CN=日本語 😀", "CN=日本語 😀,O=two+OU=values"),
    (
        "/O=# hash/CN= lead and trail  ",
        "CN=\\ lead and trail\\20\\20,O=\\# hash",
    ),
    (
        "/CN=a/emailAddress=a@b.de",
        "1.2.840.113549.1.9.1=#16066140622e6465,CN=a",
    ),
    ("/CN=serial/serialNumber=12", "2.5.4.5=#13023132,CN=serial"),
    ("/O=one \\+ one = two/CN=Kraków", "CN=Kraków,O=one \\+ one = two"),
];

#[test]
fn names_are_written_by_the_rules_of_xml_signature_and_java_reads_them_back() {
    let dir = tempdir().unwrap();
    openssl(dir.path(), "genpkey -algorithm ED25519 -out key.pem");
    for (index, (subject, expected)) in NAMES.iter().enumerate() {
        let certificate = certify(dir.path(), subject, &index.to_string());
        assert_eq!(certificate.subject(), *expected);
        assert_eq!(certificate.issuer(), *expected);
        assert!(certificate.is_self_issued());
        fs::write(dir.path().join(format!("{index}.der")), certificate.der()).unwrap();
        fs::write(dir.path().join(format!("{index}.txt")), certificate.subject()).unwrap();
    }
    if is_there("java", "Java's reading of names") {
        fs::write(dir.path().join("Names.java"), JAVA).unwrap();
        let arguments = ["-Dfile.encoding=UTF-8", "Names.java", &NAMES.len().to_string()];
        assert_eq!(run(dir.path(), "java", arguments), "");
    }
}

/// Prints every name that Java does not read as the certificate's own.
const JAVA: &str = r#"
    import java.nio.file.*;
    import java.security.cert.*;
    import javax.security.auth.x500.X500Principal;
    class Names {
        public static void main(String[] arguments) throws Exception {
            for (int index = 0; index < Integer.parseInt(arguments[0]); index++) {
                String text = Files.readString(Path.of(index + ".txt"));
                var der = Files.newInputStream(Path.of(index + ".der"));
                var certificate = (X509Certificate) CertificateFactory.getInstance("X.509").generateCertificate(der);
                X500Principal principal = certificate.getSubjectX500Principal();
                if (!new X500Principal(text).equals(principal)) {
                    System.out.println(text + " is " + principal.getName(X500Principal.RFC2253) + " to Java");
                }
            }
        }
    }
"#;

#[test]
fn the_other_facts_are_those_that_openssl_prints() {
    let dir = tempdir().unwrap();
    openssl(dir.path(), "genpkey -algorithm ED25519 -out key.pem");
    let certificate = certify(
        dir.path(),
        "/CN=plain",
        "0x7fedcba9876543210fedcba9876543210fedcba9",
    );
    assert_eq!(
        certificate.serial(),
        "730344845988415097185401048072226831495695551401"
    );
    let printed = |option: &str| {
        let text = openssl(dir.path(), &format!("x509 -in certificate.pem -noout {option}"));
        let value = text.trim().rsplit(['=', '\n']).next().unwrap_or_default();
        value.trim().replace(':', "").to_lowercase()
    };
    assert_eq!(
        printed("-fingerprint -sha256"),
        certificate.fingerprint().to_string()
    );
    assert_eq!(printed("-fingerprint -sha1"), hex(&certificate.thumbprint()));
    let identifier = certificate.subject_key_identifier().map(hex);
    assert_eq!(Some(printed("-ext subjectKeyIdentifier")), identifier);
    assert_eq!(
        (certificate.not_after() - certificate.not_before()).whole_days(),
        30
    );
}

fn certify(dir: &Path, subject: &str, serial: &str) -> Certificate {
    let request = "req -x509 -new -utf8 -key key.pem -days 30 -out certificate.pem -set_serial";
    let arguments = request.split(' ').chain([serial, "-subj", subject]);
    run(dir, "openssl", arguments);
    let pem = [
        fs::read(dir.join("key.pem")).unwrap(),
        fs::read(dir.join("certificate.pem")).unwrap(),
    ]
    .concat();
    from_pem(&pem, None, now())
        .unwrap_or_else(|error| panic!("{error}"))
        .certificate
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
