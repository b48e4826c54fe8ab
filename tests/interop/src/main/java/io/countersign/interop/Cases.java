package io.countersign.interop;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** What is signed: every key identifier with every algorithm, every part and layout, every message. */
final class Cases {
    /** By type of key. */
    private static final Map<String, List<String>> ALGORITHMS = Map.of(
            "rsa", List.of(
                    "rsa-sha1", "rsa-sha256", "rsa-sha384", "rsa-sha512",
                    "rsa-pss-sha256", "rsa-pss-sha384", "rsa-pss-sha512"),
            "p256", List.of("ecdsa-sha256", "ecdsa-sha384", "ecdsa-sha512"),
            "p384", List.of("ecdsa-sha384"),
            "p521", List.of("ecdsa-sha512"),
            "ed25519", List.of("ed25519"));

    private final List<Case> cases = new ArrayList<>();

    private Cases() {
    }

    /** Of all messages in the directory. */
    static List<Case> all(Path directory) throws IOException {
        List<Message> messages = read(directory);
        var cases = new Cases();
        for (Message message : messages) {
            if (List.of("ws-addressing-soap11", "ws-addressing").contains(message.name())) {
                cases.everyIdentifierAndAlgorithm(message);
                cases.everyPartAndLayout(message);
            }
        }
        for (Message message : messages) {
            cases.add("every message, rsa", message, "rsa");
            cases.add("every message, p256", message, "p256", "key-identifier", "thumbprint");
        }
        return cases.cases;
    }

    private static List<Message> read(Path directory) throws IOException {
        var messages = new ArrayList<Message>();
        try (Stream<Path> files = Files.list(directory)) {
            for (Path file : files.filter(file -> file.toString().endsWith(".xml")).sorted().toList()) {
                messages.add(Message.of(file));
            }
        }
        return messages;
    }

    private void everyIdentifierAndAlgorithm(Message message) {
        for (String key : Keys.TYPES) {
            for (String algorithm : ALGORITHMS.get(key)) {
                everyIdentifier(message, key, algorithm);
            }
        }
        for (String digest : Names.DIGEST_ALGORITHMS.keySet()) {
            add("digest " + digest, message, "rsa", "digest-algorithm", digest);
        }
    }

    private void everyIdentifier(Message message, String key, String algorithm) {
        for (String identifier : List.of("binary-security-token", "pki-path", "x509-data")) {
            add(identifier + " " + algorithm, message, key,
                    "key-identifier", identifier, "signature-algorithm", algorithm);
        }
        for (String identifier : List.of("issuer-serial", "subject-key-identifier", "thumbprint")) {
            add(identifier + " " + algorithm, message, key,
                    "key-identifier", identifier, "signature-algorithm", algorithm);
            add(identifier + " and token " + algorithm, message, key,
                    "key-identifier", identifier, "signature-algorithm", algorithm, "include-token", "true");
        }
    }

    private void everyPartAndLayout(Message message) {
        for (String layout : List.of("strict", "lax", "lax-timestamp-first", "lax-timestamp-last")) {
            add("layout " + layout, message, "rsa", "layout", layout);
        }
        add("no timestamp", message, "rsa", "timestamp", "off", "sign", "body");
        add("actor", message, "rsa", "actor", "urn:example:actor");
        add("signed wsa", message, "rsa", "sign", "body,timestamp,wsa");
        add("signed header", message, "rsa", "sign", "body,timestamp,header:{" + Names.WSA + "}Action");
        add("signed token", message, "rsa", "sign", "body,timestamp,token");
        for (String identifier : List.of("issuer-serial", "thumbprint")) {
            add("signed token, STR-Transform", message, "rsa",
                    "sign", "body,timestamp,token", "key-identifier", identifier);
            add("signed token, " + identifier, message, "rsa",
                    "sign", "body,timestamp,token", "key-identifier", identifier, "include-token", "true");
        }
    }

    /** Settings: name, value, name, value, … */
    private void add(String group, Message message, String key, String... settings) {
        var map = new LinkedHashMap<String, String>();
        for (int i = 0; i < settings.length; i += 2) {
            map.put(settings[i], settings[i + 1]);
        }
        cases.add(new Case(group, message, key, map));
    }
}
