package io.countersign.interop;

import java.io.IOException;
import java.io.StringWriter;
import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.SecureRandom;
import java.security.cert.X509Certificate;
import java.security.spec.ECGenParameterSpec;
import java.time.Duration;
import java.time.Instant;
import java.util.Date;
import java.util.List;

import org.apache.wss4j.common.crypto.Merlin;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.BasicConstraints;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.cert.CertIOException;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.cert.jcajce.JcaX509ExtensionUtils;
import org.bouncycastle.cert.jcajce.JcaX509v3CertificateBuilder;
import org.bouncycastle.openssl.jcajce.JcaPEMWriter;
import org.bouncycastle.openssl.jcajce.JcaPKCS8Generator;
import org.bouncycastle.operator.OperatorCreationException;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;

/**
 * A root, an issuing authority below it and a signing key of each type, new for each run. The
 * issuer's name and the serial numbers are as awkward as real ones: an escaped comma, 20 bytes.
 */
final class Keys {
    static final List<String> TYPES = List.of("rsa", "p256", "p384", "p521", "ed25519");

    private static final String PASSWORD = "interop";
    private static final SecureRandom RANDOM = new SecureRandom();

    private final KeyStore trusted;
    private final KeyStore signers;
    private final Path directory;

    Keys(Path directory) throws Exception {
        this.directory = Files.createDirectories(directory);
        trusted = empty();
        signers = empty();
        var root = new Authority("CN=Example Root", null);
        var issuing = new Authority("CN=Example Issuing\\, Second,O=Example \\\"Co\\\",C=DE", root);
        trusted.setCertificateEntry("root", root.certificate);
        trusted.setCertificateEntry("issuing", issuing.certificate);
        for (String type : TYPES) {
            KeyPair pair = generate(type);
            X509Certificate certificate = issuing.issue(pair, "CN=" + type + ",O=Example", false);
            trusted.setCertificateEntry(type, certificate);
            var path = new X509Certificate[] {certificate, issuing.certificate};
            signers.setKeyEntry(type, pair.getPrivate(), PASSWORD.toCharArray(), path);
            write(type + ".key.pem", new JcaPKCS8Generator(pair.getPrivate(), null));
            write(type + ".pem", (Object[]) path);
        }
    }

    Path privateKey(String type) {
        return directory.resolve(type + ".key.pem");
    }

    /** The signer's certificate, then its issuer's; without the root. */
    Path certificatePath(String type) {
        return directory.resolve(type + ".pem");
    }

    /** What a receiver knows: the authorities, and the signers' certificates to look up. */
    Merlin receiver() {
        var crypto = new Merlin();
        crypto.setKeyStore(trusted);
        crypto.setTrustStore(trusted);
        return crypto;
    }

    /** What a signer has; its password is {@link #password}. */
    Merlin signer() {
        var crypto = new Merlin();
        crypto.setKeyStore(signers);
        return crypto;
    }

    static String password() {
        return PASSWORD;
    }

    private static KeyStore empty() throws GeneralSecurityException, IOException {
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        return store;
    }

    private static KeyPair generate(String type) throws GeneralSecurityException {
        return switch (type) {
            case "rsa" -> rsa();
            case "ed25519" -> KeyPairGenerator.getInstance("Ed25519").generateKeyPair();
            default -> elliptic("secp" + type.substring(1) + "r1");
        };
    }

    private static KeyPair rsa() throws GeneralSecurityException {
        KeyPairGenerator generator = KeyPairGenerator.getInstance("RSA");
        generator.initialize(2048);
        return generator.generateKeyPair();
    }

    private static KeyPair elliptic(String curve) throws GeneralSecurityException {
        KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
        generator.initialize(new ECGenParameterSpec(curve));
        return generator.generateKeyPair();
    }

    private void write(String file, Object... objects) throws IOException {
        var text = new StringWriter();
        try (var pem = new JcaPEMWriter(text)) {
            for (Object object : objects) {
                pem.writeObject(object);
            }
        }
        Files.writeString(directory.resolve(file), text.toString());
    }

    private static final class Authority {
        private final X500Name name;
        private final PrivateKey key;
        private final X509Certificate certificate;

        /** Issued by {@code parent}, or by itself. */
        Authority(String name, Authority parent) throws Exception {
            KeyPair pair = rsa();
            this.name = new X500Name(name);
            this.key = pair.getPrivate();
            this.certificate = (parent == null ? this : parent).issue(pair, name, true);
        }

        X509Certificate issue(KeyPair pair, String subject, boolean authority)
                throws GeneralSecurityException, CertIOException, OperatorCreationException {
            Instant now = Instant.now();
            var builder = new JcaX509v3CertificateBuilder(
                    name, new BigInteger(159, RANDOM).setBit(158), Date.from(now.minus(Duration.ofHours(1))),
                    Date.from(now.plus(Duration.ofDays(1))), new X500Name(subject), pair.getPublic());
            var identifiers = new JcaX509ExtensionUtils();
            builder.addExtension(Extension.basicConstraints, true, new BasicConstraints(authority));
            builder.addExtension(
                    Extension.subjectKeyIdentifier, false,
                    identifiers.createSubjectKeyIdentifier(pair.getPublic()));
            var signer = new JcaContentSignerBuilder("SHA256withRSA").build(key);
            return new JcaX509CertificateConverter().getCertificate(builder.build(signer));
        }
    }
}
