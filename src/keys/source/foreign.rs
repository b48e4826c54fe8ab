//! Files that people take for PEM or PKCS#12, and that are something else: what each is, and how it becomes what is read
//! here. Looks at the first bytes alone.

/// Magic, and the sentence.
const BINARY: [(&[u8], &str); 4] = [
    (
        b"\xfe\xed\xfe\xed",
        "a Java key store (JKS); convert it with `keytool -importkeystore -srckeystore FILE -destkeystore FILE.p12 \
         -deststoretype PKCS12`",
    ),
    (
        b"\xce\xce\xce\xce",
        "a Java key store (JCEKS); convert it with `keytool -importkeystore -srckeystore FILE -srcstoretype JCEKS \
         -destkeystore FILE.p12 -deststoretype PKCS12`",
    ),
    (b"\0\0\0\x01\0\0\0\x14", BKS),
    (b"\0\0\0\x02\0\0\0\x14", BKS),
];
const BKS: &str = "a key store of Bouncy Castle (BKS); convert it with `keytool -importkeystore -srckeystore FILE \
                   -srcstoretype BKS -destkeystore FILE.p12 -deststoretype PKCS12`, with Bouncy Castle as -provider";

/// How texts begin, white space aside, and the sentence.
const TEXTS: [(&str, &str); 4] = [
    (
        "PuTTY-User-Key-File",
        "a key of PuTTY, which has no certificate; take the key that the certificate was requested with",
    ),
    (
        "<",
        "HTML or XML; a download that failed, perhaps, or a key of .NET, which exports PKCS#12",
    ),
    ("{", "JSON, a JWK perhaps; export the key as PEM or PKCS#12"),
    ("[", "JSON; export the key as PEM or PKCS#12"),
];

/// What it is, if it is one of these.
pub(super) fn foreign(bytes: &[u8]) -> Option<&'static str> {
    let text = bytes.trim_ascii_start();
    let binary = BINARY.iter().filter(|(magic, _)| bytes.starts_with(magic));
    let texts = TEXTS
        .iter()
        .filter(|(begin, _)| text.starts_with(begin.as_bytes()));
    binary.map(|(_, it)| *it).chain(texts.map(|(_, it)| *it)).next()
}

/// Whether it is PKCS#12, as far as the beginning says (RFC 7292, section 4: a SEQUENCE, its first element version 3).
pub(super) fn is_pkcs12(bytes: &[u8]) -> bool {
    let content = match bytes {
        [0x30, ..=0x80, content @ ..] => content,
        [0x30, long @ 0x81..=0x84, rest @ ..] => rest.get(usize::from(long & 0x7f)..).unwrap_or_default(),
        _ => return false,
    };
    content.starts_with(&[0x02, 0x01, 0x03])
}
