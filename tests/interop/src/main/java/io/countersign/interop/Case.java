package io.countersign.interop;

import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

import javax.xml.namespace.QName;

/**
 * One way to sign one plain message.
 *
 * @param group what it is to show, a row of the table
 * @param message the plain message
 * @param key a type of {@link Keys#TYPES}
 * @param settings of the profile, by countersign's names; what is missing has its default
 */
record Case(String group, Message message, String key, Map<String, String> settings) {
    String keyIdentifier() {
        return settings.getOrDefault("key-identifier", "binary-security-token");
    }

    String signatureAlgorithm() {
        return settings.getOrDefault("signature-algorithm", switch (key) {
            case "rsa" -> "rsa-sha256";
            case "p256" -> "ecdsa-sha256";
            case "p384" -> "ecdsa-sha384";
            case "p521" -> "ecdsa-sha512";
            default -> key;
        });
    }

    String digestAlgorithm() {
        return settings.getOrDefault("digest-algorithm", "sha256");
    }

    boolean carriesToken() {
        return settings.containsKey("include-token")
                || List.of("binary-security-token", "pki-path").contains(keyIdentifier());
    }

    /** The parts to sign, by countersign's names. */
    List<String> parts() {
        return List.of(settings.getOrDefault("sign", "body,timestamp").split(","));
    }

    /** What a signature must cover; without the token, which an engine may report under other names. */
    Set<QName> covered() {
        var names = new HashSet<QName>();
        for (String part : parts()) {
            switch (part) {
                case "body" -> names.add(message.body());
                case "timestamp" -> names.add(Names.TIMESTAMP);
                case "wsa" -> List.of("To", "ReplyTo", "Action", "MessageID")
                        .forEach(name -> names.add(new QName(Names.WSA, name)));
                case "token" -> { }
                default -> names.add(QName.valueOf(part.substring("header:".length())));
            }
        }
        return names;
    }

    /** As flags of the command line. */
    List<String> flags() {
        return settings.entrySet().stream().map(each -> "--" + each.getKey() + "=" + each.getValue()).toList();
    }

    @Override
    public String toString() {
        return message.name() + " " + key + " " + String.join(" ", flags());
    }
}
